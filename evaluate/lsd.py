"""Distances of spectra and phases, and levels, of a folder of estimates and their references.

python -m wideband.evaluate.lsd --references=clean --estimates=upsampled --output=lsd.csv
"""

import sys

from ..command.run import Command
from .metrics import level, phase, spectral
from .score import Score

_spectra = spectral.METRICS | level.METRICS
_score = Score("lsd.csv", _spectra | phase.METRICS, default=_spectra)
command = Command(
    "python -m wideband.evaluate.lsd", _score.define_flags, _score.main, help=str(__doc__)
)

if __name__ == "__main__":
    sys.exit(command())
