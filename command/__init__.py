"""What every command shares: its flags, its errors, and the files that it writes."""

from .errors import UserError

__all__ = ["UserError"]
