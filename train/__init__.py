"""Recipes, losses, and a training loop whose runs can be stopped and continued."""
