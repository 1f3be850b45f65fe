"""wideband-upsample: restores the treble of recordings.

wideband-upsample old.wav --model=runs/demo --output=restored.wav
wideband-upsample interviews/ --model=runs/demo --output=restored/
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from ..data_gen.command import UserError, quiet_tensorflow, run_command

_MODEL = flags.DEFINE_string(
    "model",
    None,
    "A run folder, a weights file in one, or an interpolation such as `spline`.",
    required=True,
)
_OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "The file to write, or the folder when there are several inputs.",
    required=True,
)
_SAMPLE_RATE = flags.DEFINE_integer(
    "sample_rate",
    16000,
    "Rate to reach in Hz, where the model is an interpolation.",
    lower_bound=1000,
)
_RATIO = flags.DEFINE_integer(
    "ratio", 4, "Ratio of the rates, where the model is an interpolation.", lower_bound=2
)
_FORCE = flags.DEFINE_bool(
    "force", False, "Upsamples even recordings whose own treble the model would replace."
)


def main(arguments: Sequence[str]) -> None:
    """Upsamples every input; those that cannot be read are named at the end."""
    if not arguments:
        raise UserError("name at least one recording or folder; see wideband-upsample --help")
    from tqdm import tqdm

    from . import files

    jobs = files.jobs([Path(argument) for argument in arguments], Path(_OUTPUT.value))
    if not files.is_interpolation(_MODEL.value):
        for flag in (_SAMPLE_RATE, _RATIO):
            if flag.present:
                raise UserError(f"--{flag.name} is for interpolations; a run knows its own")
        quiet_tensorflow()
    upsampler = files.load(_MODEL.value, _SAMPLE_RATE.value, _RATIO.value)
    refused = []
    for source, target in tqdm(jobs, unit="file"):
        try:
            if note := files.upsample_file(upsampler, source, target, _FORCE.value):
                tqdm.write(note)
        except UserError as error:
            if len(jobs) == 1:
                raise
            refused.append(error)
            tqdm.write(f"left out: {error}")
    done = len(jobs) - len(refused)
    print(f"{done} of {len(jobs)} restored at {upsampler.sample_rate} Hz in {_OUTPUT.value}")
    if refused:
        raise UserError(f"{len(refused)} left out, the first: {refused[0]}")


def run() -> None:
    """Starts the command."""
    run_command(main)


if __name__ == "__main__":
    run()
