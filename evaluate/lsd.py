"""Command: log-spectral and phase distances of a folder of estimates from their references.

python -m wideband.evaluate.lsd --references=clean --estimates=upsampled --output=lsd.csv
"""

from ..command.run import run_command
from .metrics import phase, spectral
from .score import folder_command

main = folder_command("lsd.csv", spectral.METRICS | phase.METRICS, by_default=spectral.METRICS)

if __name__ == "__main__":
    run_command(main)
