"""Updates the table of shipped networks in README.md from their model cards.

python docs/generate/readme.py
"""

from pathlib import Path

import facts
from wideband.command.files import write_text
from wideband.command.tables import between_marks

README = Path(__file__).parents[2] / "README.md"


def updated() -> str:
    """Returns README.md with the table as the cards have it."""
    return between_marks(README, facts.shipped() + "\n")


if __name__ == "__main__":
    write_text(README, updated())
