"""wideband-upsample: restores the treble of recordings.

wideband-upsample old.wav
wideband-upsample interviews/ --model=runs/2x --model=runs/4x --output=restored/
wideband-upsample - --model=phone-4x --input_rate=4000 --output=- <raw.pcm >restored.pcm
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from ..command import UserError
from ..command.run import run_command

_MODEL = flags.DEFINE_multi_string(
    "model",
    None,
    "A run folder, a weights file in one, a TFLite file of wideband-export, a trained network that "
    "`python -m wideband.models` lists, or an interpolation such as `spline`. Given several times, "
    "each recording gets the one that begins where its content ends. By default the networks for "
    "speech that come with the package.",
)
_OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "The file to write, the folder when there are several inputs, or - for raw samples on the "
    "standard output. By default old.wav becomes old_wideband.wav.",
)
_FORMAT = flags.DEFINE_enum(
    "format", None, ["wav", "flac", "ogg"], "Of the files in a folder; by default the input's."
)
_SUBTYPE = flags.DEFINE_string(
    "subtype", None, "Sample format such as PCM_16, PCM_24 or FLOAT; by default the input's."
)
_KEEP_LOW_BAND = flags.DEFINE_bool(
    "keep_low_band", True, "Takes the band that the recording has from it, unchanged."
)
_PEAK = flags.DEFINE_enum(
    "peak",
    "clip",
    ["clip", "normalize", "float"],
    "What becomes of peaks above 1: they are clipped, the recording is made quieter, or it is "
    "written in float, which holds them.",
)
_PARALLEL = flags.DEFINE_integer(
    "parallel", 2, "How many recordings are restored at once.", lower_bound=1
)
_SKIP_EXISTING = flags.DEFINE_bool(
    "skip_existing", False, "Leaves out the recordings whose output is there already."
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
_INPUT_RATE = flags.DEFINE_integer(
    "input_rate", None, "Rate in Hz of raw samples on the standard input.", lower_bound=1
)
_CHANNELS = flags.DEFINE_integer(
    "channels", 1, "Channels of raw samples.", lower_bound=1, upper_bound=8
)
_PCM = flags.DEFINE_enum(
    "pcm", "s16", ["s16", "f32"], "Raw samples, little-endian: whole numbers or floats."
)
_FORCE = flags.DEFINE_bool(
    "force", False, "Restores even recordings whose band does not end where the model begins."
)


def main(arguments: Sequence[str]) -> None:
    """Restores every input; those that cannot be read are named at the end."""
    if not arguments:
        raise UserError("name at least one recording or folder; see wideband-upsample --help")
    from . import batch, files, restore

    raw = [files.STANDARD in arguments, _OUTPUT.value == files.STANDARD]
    if any(raw) and not (all(raw) and len(arguments) == 1):
        raise UserError("raw samples go from - to --output=-, and nothing else goes with them")
    input_rate = _INPUT_RATE.value
    if any(raw) != (input_rate is not None):
        raise UserError(
            "--input_rate tells the rate of raw samples, which have no header; a file has"
        )
    suffix = f".{_FORMAT.value}" if _FORMAT.value else None
    output = Path(_OUTPUT.value) if _OUTPUT.value else files.beside(arguments, suffix)
    jobs = [] if any(raw) else files.jobs(arguments, output, suffix)
    models = _MODEL.value or []
    trained = not models or not all(map(restore.is_interpolation, models))
    for flag in (_SAMPLE_RATE, _RATIO):
        if trained and flag.present:
            raise UserError(f"--{flag.name} is for interpolations; a run knows its own")
    upsamplers = [
        restore.load(model, _SAMPLE_RATE.value, _RATIO.value) for model in models
    ] or restore.load_defaults()
    settings = restore.Settings(_KEEP_LOW_BAND.value, _PEAK.value, _SUBTYPE.value, _FORCE.value)
    if input_rate is not None:
        told = restore.restore_raw(
            upsamplers,
            sys.stdin.buffer,
            sys.stdout.buffer,
            input_rate,
            _CHANNELS.value,
            _PCM.value,
            settings,
        )
        print(told, file=sys.stderr)
        return
    if _SKIP_EXISTING.value:
        present = len(jobs)
        jobs = [(source, target) for source, target in jobs if not target.exists()]
        print(f"{present - len(jobs)} of {present} are there already")
    refused = batch.restore_files(upsamplers, jobs, settings, _PARALLEL.value)
    if refused and len(jobs) == 1:
        raise refused[0]
    print(f"{len(jobs) - len(refused)} of {len(jobs)} restored in {output}")
    if refused:
        raise UserError(f"{len(refused)} left out, the first: {refused[0]}")


def run() -> None:
    """Starts the command."""
    run_command(main)


if __name__ == "__main__":
    run()
