"""Log-spectral and phase distances between a folder of estimates and their references.

python -m wideband.evaluate.lsd --references=clean --estimates=upsampled --output=lsd.csv
"""

import sys

from ..command.run import Command
from .metrics import phase, spectral
from .score import Score

_score = Score("lsd.csv", spectral.METRICS | phase.METRICS, default=spectral.METRICS)
command = Command(
    "python -m wideband.evaluate.lsd", _score.define_flags, _score.main, help=str(__doc__)
)

if __name__ == "__main__":
    sys.exit(command())
