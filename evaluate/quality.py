"""Command: PESQ, STOI and ViSQOL of a folder of estimates against a folder of references.

python -m wideband.evaluate.quality --references=clean --estimates=upsampled --output=quality.csv

The packages behind them are optional: pip install 'wideband[evaluate]'. Where a metric does not
apply to a recording, such as PESQ at 22.05 kHz, the table says so.
"""

from ..command.run import run_command
from .metrics import perceptual
from .score import folder_command

main = folder_command("quality.csv", perceptual.METRICS)

if __name__ == "__main__":
    run_command(main)
