"""Recipes, losses, and the training of runs that can be killed and continued."""
