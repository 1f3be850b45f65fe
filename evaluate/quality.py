"""PESQ, STOI, ViSQOL and DNSMOS of a folder of estimates against a folder of references.

python -m wideband.evaluate.quality --references=clean --estimates=upsampled --output=quality.csv

They need optional packages: pip install '.[evaluate]' in wideband's folder. If a metric does not
apply to a recording, such as PESQ at 8 kHz, the table says so. DNSMOS hears the estimates
alone; for the scores of the references, give their folder as --estimates too.
"""

import sys

from ..command.run import Command
from .metrics import perceptual
from .score import Score

_score = Score("quality.csv", perceptual.METRICS)
command = Command(
    "python -m wideband.evaluate.quality", _score.define_flags, _score.main, help=str(__doc__)
)

if __name__ == "__main__":
    sys.exit(command())
