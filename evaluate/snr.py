"""Command: signal-to-noise ratios and mean square errors of a folder of estimates.

python -m wideband.evaluate.snr --references=clean --estimates=upsampled --output=snr.csv
"""

from ..data_gen.command import run_command
from .folder_command import folder_command
from .metrics import wave

main = folder_command("snr.csv", wave.METRICS)

if __name__ == "__main__":
    run_command(main)
