"""The modules that generate the pages, which are not in the package."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "docs" / "generate"))
