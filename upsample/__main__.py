"""wideband-upsample: restores the high band of recordings.

wideband-upsample old.wav
wideband-upsample interviews/ --model=runs/2x --model=runs/4x --output=restored/
wideband-upsample - --model=phone-4x --input_rate=4000 --output=- <raw.pcm >restored.pcm
"""

import sys
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING

from ..command import UserError
from ..command.errors import printable
from ..command.rates import HIGHEST_RATE, LOWEST_RATE
from ..command.run import Command, Flags
from .settings import PEAKS, RATIO, SAMPLE_RATE, Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .files import Work


def define_flags(flags: Flags) -> None:
    """Defines the flags of the command."""
    flags.strings(
        "model",
        None,
        "A run folder, a weights file in one, a TFLite file of wideband-export, a shipped network "
        "that `python -m wideband.models` lists, or an interpolation such as `spline`. If given "
        "several times, each recording gets the model that begins where its content ends. "
        "Default: of the shipped networks speech and fullband, the one that fits the recording.",
    )
    flags.string(
        "vocoder",
        None,
        "What makes the waves instead of the vocoder with which a run of `melgan` or `melnext` was "
        "trained: `griffin_lim`, the run folder of a vocoder, or a shipped one.",
    )
    flags.string(
        "output",
        None,
        "The file to write, the folder if there are several inputs, or - for raw samples on the "
        "standard output. Default: old.wav becomes old_wideband.wav.",
    )
    flags.choice(
        "format",
        None,
        ["wav", "flac", "ogg"],
        "Format of the files in a folder. Default: that of the input.",
    )
    flags.string(
        "subtype",
        None,
        "Sample format such as PCM_16, PCM_24 or FLOAT. Default: that of the input.",
    )
    flags.integer(
        "output_rate",
        None,
        "Rate of the restored recordings in Hz, to which they are resampled, such as 44100. "
        "Default: the high rate of the model.",
        lower_bound=LOWEST_RATE,
        upper_bound=HIGHEST_RATE,
    )
    flags.boolean(
        "keep_low_band",
        Settings.keep_low_band,
        "Keep the recording's own band unchanged.",
    )
    flags.choice(
        "peak",
        Settings.peak,
        PEAKS,
        "What to do with peaks above 1: clip them, make the recording quieter, or write floats, "
        "which can hold them.",
    )
    flags.integer(
        "workers", 2, "How many recordings to restore at once.", lower_bound=1, upper_bound=64
    )
    flags.integer(
        "limit",
        None,
        "Restore only the first recordings, this many; those of a folder are in the order of their "
        "names.",
        lower_bound=1,
    )
    flags.boolean("skip_existing", False, "Skip recordings whose output exists.")
    flags.integer(
        "sample_rate",
        SAMPLE_RATE,
        "The high rate in Hz, if the model is an interpolation.",
        lower_bound=LOWEST_RATE,
    )
    flags.string(
        "ratio",
        str(RATIO),
        "The high rate over the low rate, if the model is an interpolation: a whole number, or a "
        "quotient such as 22050/8000.",
    )
    flags.integer(
        "input_rate", None, "Rate in Hz of raw samples on the standard input.", lower_bound=1
    )
    flags.integer("channels", 1, "Channels of raw samples.", lower_bound=1, upper_bound=8)
    flags.choice(
        "pcm", "s16", ["s16", "f32"], "Format of raw samples, little-endian: integers or floats."
    )
    flags.boolean(
        "force", False, "Restore recordings even if their band does not end where the model begins."
    )
    flags.string(
        "runner",
        None,
        "Restore with Apache Beam (the extra beam): DirectRunner, FlinkRunner, SparkRunner, "
        "DataflowRunner or another one. Inputs and --output may then be on any file system that "
        "Beam has, and the flags of the runner are passed on.",
    )
    flags.pass_on_with("runner")


def main(flags: Flags, arguments: list[str]) -> None:
    """Restores every input; those that cannot be restored are named."""
    if not arguments:
        raise UserError("name at least one recording or folder; see wideband-upsample --help")
    from . import files

    if flags.vocoder is not None and not flags.model:
        raise UserError(
            f"--vocoder={flags.vocoder}: the shipped networks for speech have no vocoder; name a "
            "run of melgan or melnext with --model"
        )
    settings = Settings(
        flags.keep_low_band, flags.peak, flags.subtype, flags.force, flags.output_rate
    )
    if files.STANDARD in (*arguments, flags.output):
        _check_raw(flags, arguments)
        _check_rates(flags)
        _restore_raw(flags, settings)
        return
    if flags.input_rate is not None:
        raise UserError("--input_rate is for raw samples; files have their rate in the header")
    suffix = f".{flags.format}" if flags.format else None
    if flags.runner:
        _restore_with_beam(flags, arguments, suffix, settings)
        return
    output = Path(flags.output) if flags.output else files.default_output(arguments, suffix)
    work = files.pair_inputs(arguments, output, suffix, flags.limit)
    _check_subtype(settings, work.pairs)
    _check_rates(flags)
    _restore_files(flags, settings, work, output)


def _check_raw(flags: Flags, arguments: list[str]) -> None:
    """Raises a UserError if raw samples have no rate, or only one end is a standard stream."""
    from .files import STANDARD

    if (*arguments, flags.output) != (STANDARD, STANDARD):
        raise UserError("raw samples go from - to --output=-, without other inputs")
    if flags.input_rate is None:
        raise UserError("raw samples have no header; give their rate with --input_rate")


def _check_subtype(settings: Settings, pairs: "Sequence[tuple[Path, Path]]") -> None:
    """Raises a UserError if the format of an output does not have the sample format."""
    from . import files

    if settings.peak == "float":
        files.check_subtype("--peak=float", "FLOAT", pairs)
    elif settings.subtype is not None:
        files.check_subtype(f"--subtype={settings.subtype}", settings.subtype, pairs)


def _check_rates(flags: Flags) -> None:
    """Raises a UserError if rates are given for a trained network."""
    from .loading import is_interpolation

    if flags.model and all(map(is_interpolation, flags.model)):
        return
    for name in ("sample_rate", "ratio"):
        if flags.given(name):
            raise UserError(f"--{name} is for interpolations; a trained network has its own")


def _restore_raw(flags: Flags, settings: Settings) -> None:
    from .picking import candidates
    from .raw import restore_raw

    models = candidates(flags.model or [], flags.sample_rate, flags.ratio, flags.vocoder)
    source = sys.stdin.buffer
    assert isinstance(source, BufferedReader)
    message = restore_raw(
        models,
        source,
        sys.stdout.buffer,
        flags.input_rate,
        flags.channels,
        flags.pcm,
        settings,
    )
    print(message, file=sys.stderr)


def _restore_files(flags: Flags, settings: Settings, work: "Work", output: Path) -> None:
    from .batch import announce, restore_files
    from .files import is_complete
    from .picking import candidates
    from .pipes import spooled

    models = candidates(flags.model or [], flags.sample_rate, flags.ratio, flags.vocoder)
    pairs, left_out = work
    if flags.skip_existing:
        count = len(pairs)
        pairs = [(source, target) for source, target in pairs if not is_complete(target)]
        print(f"{count - len(pairs)} of {count} exist already")
    errors = [UserError(f"{path}: {reason}") for path, reason in left_out.items()]
    with spooled(pairs) as readable:
        # The shipped models are fast.
        if flags.model:
            announce(models, readable.pairs)
        refused = restore_files(
            models, readable.pairs, settings, flags.workers, errors, readable.pipes
        )
    _report(len(pairs) + len(left_out), refused, output)


def _report(count: int, refused: list[UserError], output: Path | str) -> None:
    """Prints how many recordings were restored; raises a UserError if some were not."""
    if refused and count == 1:
        raise refused[0]
    print(printable(f"{count - len(refused)} of {count} restored in {output}"))
    if refused:
        raise UserError(f"{len(refused)} left out, the first: {refused[0]}")


def _restore_with_beam(
    flags: Flags, arguments: list[str], suffix: str | None, settings: Settings
) -> None:
    if flags.output is None:
        raise UserError("--output is missing: the folder of the restored recordings, for --runner")
    if flags.given("workers"):
        raise UserError("--workers does not go with --runner; leave it out")
    from ..command.beam import absolute, pipeline_options, size

    options = pipeline_options(flags.runner, flags.others)
    from . import beam

    output = absolute(flags.output)
    pairs, left_out = beam.pair_inputs(arguments, output, suffix, flags.limit)
    _check_subtype(settings, [(Path(source), Path(target)) for source, target in pairs])
    _check_rates(flags)
    if flags.skip_existing:
        count = len(pairs)
        pairs = [pair for pair in pairs if size(pair[1]) is None]
        print(f"{count - len(pairs)} of {count} exist already")
    model = flags.model or [], flags.sample_rate, flags.ratio, flags.vocoder
    refused = [UserError(f"{path}: {reason}") for path, reason in left_out.items()]
    refused += beam.restore(pairs, output, model, settings, options)
    for error in refused:
        print(printable(f"left out: {error}"))
    _report(len(pairs) + len(left_out), refused, output)


command = Command("wideband-upsample", define_flags, main, positional="RECORDING...")

if __name__ == "__main__":
    sys.exit(command())
