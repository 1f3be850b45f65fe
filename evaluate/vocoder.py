"""How well vocoders make recordings anew, each from its own mel spectrogram.

    python -m wideband.evaluate.vocoder griffin_lim runs/vocos --recordings=clean
    python -m wideband.evaluate.vocoder small=runs/vocos vocos-22k --recordings=clean --save=waves

A network that fills mel spectrograms, such as melgan, cannot sound better than its vocoder.
Recordings are resampled to the rate of the vocoders; those with a lower rate are left out.
Griffin-Lim takes any mel spectrogram, the others that of their training.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..command import UserError
from ..command.files import check_writable, write_csv
from ..command.named import parse_named_paths
from ..command.paths import check_relative, check_suffix
from ..command.run import Command, Flags, quiet_tensorflow
from .left_out import check, finish, show
from .metrics import METRICS

if TYPE_CHECKING:
    import numpy as np

    from ..upsample import Upsampler

# Those of the metrics that need no cutoff.
CHOICES = [name for name, each in METRICS.items() if "cutoff_hz" not in each.needs]
DEFAULTS = ["stoi", "pesq", "lsd", "snr", "mse"]
# The name under which recordings are saved.
REFERENCE = "reference"


def define_flags(flags: Flags) -> None:
    """Defines the flags."""
    flags.string("recordings", None, "Folder of recordings to make anew.", required=True)
    flags.string(
        "output",
        "vocoders.csv",
        "CSV file to write, one row per file and vocoder; the means go next to it as .json.",
    )
    flags.string(
        "save", None, "Folder for the recordings and what each vocoder makes of them, as float wav."
    )
    flags.choices("metric", DEFAULTS, CHOICES, "Metric to compute; repeatable.")
    flags.integer("limit", None, "Measure only the first recordings, this many.", lower_bound=1)
    flags.string(
        "mel",
        "nyquist",
        "For griffin_lim: the mel spectrogram, seed, hifigan, vocos24 or nyquist.",
    )
    flags.integer("iterations", 32, "Of griffin_lim.", lower_bound=1)
    flags.integer("seed", 0, "Seed of the bootstrap.", lower_bound=0)


@dataclass(frozen=True)
class Facts:
    """What was measured.

    Attributes:
        recordings: the folder.
        vocoders: name -> what was loaded.
        sample_rate: of the vocoders, in Hz.
        files: number of recordings that were measured.
        seconds: their length.
        left_out: name of a recording -> why it was not measured.
        mel: the mel spectrogram of Griffin-Lim.
        iterations: of Griffin-Lim.
        seed: of the bootstrap.
    """

    recordings: str
    vocoders: Mapping[str, str]
    sample_rate: int
    files: int
    seconds: float
    left_out: Mapping[str, str]
    mel: str
    iterations: int
    seed: int


@dataclass(frozen=True)
class Row:
    """The metrics of one recording and one vocoder."""

    name: str
    seconds: float
    vocoder: str
    values: dict[str, float]

    def cells(self) -> dict[str, Any]:
        """Returns a row for a CSV file."""
        cells = asdict(self)
        return cells | cells.pop("values")


def main(flags: Flags, arguments: list[str]) -> None:
    """Makes the recordings anew, measures them, and writes and prints the means."""
    output = Path(flags.output)
    check_suffix("output", output, ".csv")
    check_writable(output)
    paths = _parse(arguments)
    from . import folders, metrics, results
    from .metrics import statistics

    metrics.require(flags.metric)
    recordings, left_out = folders.find_recordings(Path(flags.recordings))
    if flags.save:
        check_writable(Path(flags.save) / "reference.wav")
    quiet_tensorflow()
    vocoders = _load(paths, flags.mel, flags.iterations)
    chosen = dict(sorted(recordings.items())[: flags.limit])
    save = Path(flags.save) if flags.save else None
    rows, more_left_out = _measure_all(vocoders, chosen, flags.metric, save)
    left_out |= more_left_out
    check(rows, left_out)
    means = {
        vocoder: statistics.summarize_rows(
            [row.values for row in rows if row.vocoder == vocoder], flags.seed
        )
        for vocoder in vocoders
    }
    first = [row for row in rows if row.vocoder == next(iter(vocoders))]
    facts = Facts(
        flags.recordings,
        {name: str(path) for name, path in paths.items()},
        next(iter(vocoders.values())).sample_rate,
        len(first),
        round(sum(row.seconds for row in first), 3),
        left_out,
        flags.mel,
        flags.iterations,
        flags.seed,
    )
    from ..command.tables import text_table

    try:
        write_csv(output, [row.cells() for row in rows])
        results.write_systems(output.with_suffix(".json"), means, facts)
    # The results are shown even if they cannot be written.
    finally:
        print(text_table(*results.systems_table(means)))
        show(left_out)
    finish(left_out)


def _parse(arguments: Sequence[str]) -> dict[str, Path]:
    """Parses NAME=VOCODER or VOCODER; finds mistakes without TensorFlow."""
    from ..models.vocoder import GRIFFIN_LIM
    from ..upsample.loading import check as check_model

    paths = parse_named_paths(arguments)
    if not paths:
        raise UserError(
            f"name one or more vocoders: {GRIFFIN_LIM}, the run folder of a vocoder, or a shipped "
            "one"
        )
    for name, path in paths.items():
        # What a vocoder makes is saved in a folder of this name.
        check_relative(name, str(path))
        if name == REFERENCE:
            raise UserError(f"{path}: {name!r} is the name of the recordings; write NAME={path}")
        if str(path) != GRIFFIN_LIM:
            check_model(path)
    return paths


def _load(paths: Mapping[str, Path], mel: str, iterations: int) -> "dict[str, Upsampler]":
    """Loads vocoders of one rate."""
    from ..models import vocoders
    from ..models.vocoder import GRIFFIN_LIM
    from ..upsample import load

    loaded: dict[str, Upsampler] = {}
    for name, path in paths.items():
        if str(path) == GRIFFIN_LIM:
            loaded[name] = _griffin_lim(mel, iterations)
        else:
            loaded[name] = load(path)
        each, first = loaded[name], next(iter(loaded.values()))
        if not each.is_vocoder:
            raise UserError(
                f"{path}: {each.network.name} is no vocoder; name {GRIFFIN_LIM}, or a run of "
                f"{' or '.join(vocoders())}"
            )
        if each.sample_rate != first.sample_rate:
            raise UserError(
                f"{path}: has {each.sample_rate} Hz, and {next(iter(paths))} {first.sample_rate} "
                "Hz; measure them in two calls"
            )
    return loaded


def _griffin_lim(mel: str, iterations: int) -> "Upsampler":
    """Makes a model of Griffin-Lim, which takes recordings as those of trained vocoders do."""
    from ..models.features import get
    from ..models.resynthesis import Resynthesis
    from ..models.vocoder import GRIFFIN_LIM, find
    from ..upsample import Upsampler

    found = find(GRIFFIN_LIM, mel, iterations)
    network = Resynthesis(found.build(), mel, get(mel), found.context, GRIFFIN_LIM)
    # XLA is slow on CPUs, and Keras would choose it.
    network.jit_compile = False
    return Upsampler(network, get(mel).sample_rate, 1, "sinc")


def _measure_all(
    vocoders: "Mapping[str, Upsampler]",
    recordings: Mapping[str, Path],
    names: Sequence[str],
    save: Path | None,
) -> tuple[list[Row], dict[str, str]]:
    """Makes each recording anew with each vocoder, and measures it.

    Args:
        vocoders: by name, all of one rate.
        recordings: name -> file.
        names: the metrics.
        save: folder for the waves.

    Returns:
        the metrics, and what is left out: name of a recording -> reason.

    Raises:
        UserError: a wave cannot be saved.
    """
    from tqdm import tqdm

    from .. import audio
    from . import metrics

    rows: list[Row] = []
    left_out: dict[str, str] = {}
    sample_rate = next(iter(vocoders.values())).sample_rate
    for name, path in tqdm(recordings.items(), unit="file", disable=None):
        try:
            reference, waves = _remake(path, vocoders, sample_rate)
        except UserError as error:
            left_out[name] = str(error).removeprefix(f"{path}: ")
            continue
        seconds = round(len(reference) / sample_rate, 3)
        for vocoder, wave in waves.items():
            values = metrics.evaluate(reference, wave, sample_rate, names=names)
            rows.append(Row(name, seconds, vocoder, values))
        if save:
            for folder, wave in {REFERENCE: reference, **waves}.items():
                audio.write(save / folder / f"{name}.wav", wave, sample_rate, "FLOAT")
    return rows, left_out


def _remake(
    path: Path, vocoders: "Mapping[str, Upsampler]", sample_rate: int
) -> "tuple[np.ndarray, dict[str, np.ndarray]]":
    """Reads a recording and makes it anew.

    Args:
        path: the recording.
        vocoders: by name.
        sample_rate: of all vocoders, in Hz.

    Returns:
        the recording at that rate, and what each vocoder makes of it, (n, channels) all.

    Raises:
        UserError: the recording cannot be read, has a lower rate, or cannot be made anew.
    """
    from .. import audio
    from .metrics.base import validate_wave

    wave, rate = audio.read(path)
    if rate < sample_rate:
        raise UserError(f"it has {rate} Hz, and the vocoders make {sample_rate} Hz")
    validate_wave("recording", wave)
    waves = {}
    for name, vocoder in vocoders.items():
        try:
            waves[name], _ = vocoder.upsample(wave, rate)
            validate_wave("wave that was made anew", waves[name])
        except UserError as error:
            raise UserError(f"{name}: {error}") from error
    return audio.resample(wave, rate, sample_rate), waves


command = Command(
    "python -m wideband.evaluate.vocoder", define_flags, main, positional="VOCODER..."
)

if __name__ == "__main__":
    sys.exit(command())
