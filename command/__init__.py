"""Code that all commands share: flags, errors, tables, and the files that they write."""

from .errors import UserError, printable

__all__ = ["UserError", "printable"]
