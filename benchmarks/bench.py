"""Runs preparing.py, training.py and restoring.py: `make bench`.

python benchmarks/bench.py --page=docs/performance.md

Run it while the machine is idle. It takes at most ten minutes on two cores.
"""

import subprocess
import sys
from pathlib import Path

import preparing
import reporting
import restoring
import training
from wideband.command import UserError
from wideband.command.run import Command, Flags

PARTS = ("preparing", "training", "restoring")
TABLES = (preparing.TABLE, training.TABLE, restoring.NETWORKS, restoring.FILES)


def define_flags(flags: Flags) -> None:
    """Defines the flags."""
    reporting.define_flags(flags)


def main(flags: Flags, arguments: list[str]) -> None:
    """Runs the parts in processes of their own, so that none changes the memory of another."""
    reporting.check(flags, TABLES)
    options = [f"--output={flags.output}", f"--repeats={flags.repeats}"]
    if flags.page is not None:
        options.append(f"--page={flags.page}")
    for number, part in enumerate(PARTS, 1):
        print(f"{number} of {len(PARTS)}: {part}", flush=True)
        script = Path(__file__).with_name(f"{part}.py")
        if subprocess.run([sys.executable, script, *options]).returncode:
            raise UserError(f"benchmarks/{part}.py failed, as its message above says")


command = Command("python benchmarks/bench.py", define_flags, main)

if __name__ == "__main__":
    sys.exit(command())
