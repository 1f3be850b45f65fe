"""Signal-to-noise ratios and mean square errors of a folder of estimates.

python -m wideband.evaluate.snr --references=clean --estimates=upsampled --output=snr.csv
"""

import sys

from ..command.run import Command
from .metrics import wave
from .score import Score

_score = Score("snr.csv", wave.METRICS)
command = Command(
    "python -m wideband.evaluate.snr", _score.define_flags, _score.main, help=str(__doc__)
)

if __name__ == "__main__":
    sys.exit(command())
