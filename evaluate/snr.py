"""Command: signal-to-noise ratios and mean square errors of a folder of estimates.

python -m wideband.evaluate.snr --references=clean --estimates=upsampled --output=snr.csv
"""

from ..command.run import run_command
from .metrics import wave
from .score import folder_command

main = folder_command("snr.csv", wave.METRICS)

if __name__ == "__main__":
    run_command(main)
