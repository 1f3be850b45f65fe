"""wideband-upsample: restores the treble of recordings.

    wideband-upsample old.wav --model=runs/demo --output=restored.wav
    wideband-upsample interviews/ --model=runs/demo --output=restored/
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from ..data_gen.command import UserError, run_command

_MODEL = flags.DEFINE_string(
    "model", None, "A run folder, a weights file in one, or an interpolation such as `spline`."
)
_OUTPUT = flags.DEFINE_string(
    "output", None, "The file to write, or the folder when there are several inputs."
)
_SAMPLE_RATE = flags.DEFINE_integer(
    "sample_rate", 16000, "Rate to reach in Hz, where the model is an interpolation.", lower_bound=1
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
    for flag in (_MODEL, _OUTPUT):
        if not flag.value:
            raise UserError(f"--{flag.name} is missing; see wideband-upsample --help")
    jobs = _jobs([Path(argument) for argument in arguments], Path(_OUTPUT.value))

    from tqdm import tqdm

    upsampler = _load(_MODEL.value)
    refused = []
    for source, target in tqdm(jobs, unit="file", disable=len(jobs) == 1):
        try:
            _upsample_file(upsampler, source, target)
        except UserError as error:
            refused.append(str(error))
    if refused:
        raise UserError("; ".join(refused))
    print(f"{len(jobs)} restored at {upsampler.sample_rate} Hz in {_OUTPUT.value}")


def run() -> None:
    """Starts the command."""
    run_command(main)


if __name__ == "__main__":
    run()
