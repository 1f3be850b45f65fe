r"""Compares several systems on the same references and tests the differences between them.

    python -m wideband.evaluate.compare spline net=runs/a/net --references=clean
    python -m wideband.evaluate.compare low restored --references=clean --mutual \
        --spectrograms=three.png

Each folder holds the estimates of one system, with the names of the references. All systems are
compared with the first one on the same files (paired bootstrap); a file that cannot be measured for
one system is left out for all. A difference is called real if its 95 % interval excludes zero.
Among twenty comparisons of equal systems, one on average is called real by chance.

With --mutual, the second table measures systems against each other: with the input as the first
system, how far a restored recording is from its input.
"""

import itertools
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ..command import UserError
from ..command.files import check_writable, write_bytes, write_csv
from ..command.named import parse_named_paths
from ..command.paths import check_suffix
from ..command.run import Command, Flags
from .left_out import finish, show
from .metrics import METRICS

if TYPE_CHECKING:
    from .folders import Measured
    from .metrics.statistics import Difference, Mean

DRAWN_SECONDS = 10


def define_flags(flags: Flags) -> None:
    """Defines the flags."""
    flags.string("references", None, "Folder of references.", required=True)
    flags.string(
        "output",
        "compare.csv",
        "CSV file to write, one row per file; the summary goes next to it as .json.",
    )
    flags.choices(
        "metric",
        None,
        list(METRICS),
        "Metric to compare; repeatable. Default: snr and lsd, and with a cutoff lsd_lf and lsd_hf.",
    )
    flags.number(
        "cutoff_hz",
        None,
        "Highest frequency of the input, for the metrics of its low and high band.",
        lower_bound=0,
    )
    flags.choice(
        "resample",
        "file",
        ["file", "folder"],
        "Unit that the bootstrap draws: a file, or a folder of files if each holds one speaker.",
    )
    flags.boolean(
        "align",
        False,
        "Undo delays and cut each pair to its common length, instead of leaving such pairs out.",
    )
    flags.boolean("all_pairs", False, "Compare every system with every other.")
    flags.boolean(
        "mutual", False, "Also measure each system with those before it as its references."
    )
    flags.string(
        "spectrograms",
        None,
        "PNG file to write: ten seconds of the first recording, of each system and the reference.",
    )
    flags.integer("seed", 0, "Seed of the bootstrap.", lower_bound=0)


def main(flags: Flags, arguments: list[str]) -> None:
    """Measures the folders, compares them, and writes and prints the results."""
    output = Path(flags.output)
    check_suffix("output", output, ".csv")
    check_writable(output)
    picture = Path(flags.spectrograms) if flags.spectrograms else None
    if picture:
        check_suffix("spectrograms", picture, ".png")
        check_writable(picture)
    systems = parse_named_paths(arguments)
    if len(systems) < 2:
        count = f"{len(systems)} {'folder' if len(systems) == 1 else 'folders'}"
        raise UserError(f"{count} of estimates; give two or more, as FOLDER or NAME=FOLDER")
    names = _metrics(flags.metric, flags.cutoff_hz)
    from . import folders, metrics, results

    metrics.require(names)
    measured, left_out = folders.measure_folders(
        Path(flags.references), systems, names, flags.cutoff_hz, flags.align
    )
    first = measured[next(iter(systems))]
    groups = None
    if flags.resample == "folder":
        groups = [PurePosixPath(each.name).parent.as_posix() for each in first]
    pairs = list(itertools.combinations(systems, 2))
    if not flags.all_pairs:
        pairs = pairs[: len(systems) - 1]
    means, differences = _compare(measured, names, pairs, flags.seed, groups)
    mutual = {}
    if flags.mutual:
        mutual, more_left_out = _measure_mutually(
            systems, names, {each.name for each in first}, flags
        )
        left_out = more_left_out | left_out
    try:
        write_csv(output, _rows(measured, names))
        results.write_comparison(
            output.with_suffix(".json"),
            means,
            differences,
            mutual,
            references=flags.references,
            estimates={system: str(path) for system, path in systems.items()},
            files=len(first),
            left_out=left_out,
            resampled=flags.resample,
            groups=len(set(groups)) if groups else None,
            cutoff_hz=flags.cutoff_hz,
            seed=flags.seed,
        )
        if picture:
            _draw(picture, Path(flags.references), systems, first[0].name, flags.cutoff_hz)
    # The results are shown even if they cannot be written.
    finally:
        _print(means, differences, mutual)
        show(left_out)
    finish(left_out)


def _metrics(names: list[str] | None, cutoff_hz: float | None) -> list[str]:
    if not names:
        return ["snr", "lsd", *(["lsd_lf", "lsd_hf"] if cutoff_hz is not None else [])]
    for name in names:
        if "cutoff_hz" in METRICS[name].needs and cutoff_hz is None:
            raise UserError(f"--metric={name} needs --cutoff_hz, half the input's rate")
    return names


def _compare(
    measured: "dict[str, list[Measured]]",
    names: Sequence[str],
    pairs: Sequence[tuple[str, str]],
    seed: int,
    groups: Sequence[str] | None,
) -> "tuple[dict[str, dict[str, Mean]], list[Difference]]":
    """Returns the means, system -> metric -> mean, and the differences between pairs of systems."""
    import numpy as np

    from .metrics import statistics

    means: dict[str, dict[str, Mean]] = {system: {} for system in measured}
    differences = []
    for name in names:
        values = {
            system: np.array([each.values[name] for each in files], float)
            for system, files in measured.items()
        }
        # A file that is not finite for one system is left out for all.
        dropped = ~np.isfinite(list(values.values())).all(axis=0)
        values = {system: np.where(dropped, np.nan, each) for system, each in values.items()}
        for system, each in values.items():
            means[system][name] = statistics.summarize(each, seed, groups)
        differences += [
            statistics.difference(name, first, second, values, seed, groups)
            for first, second in pairs
        ]
    return means, differences


def _measure_mutually(
    systems: Mapping[str, Path], names: Sequence[str], files: Collection[str], flags: Flags
) -> "tuple[dict[str, dict[str, Mean]], dict[str, str]]":
    """Measures each system with each one before it as the reference.

    Args:
        systems: system -> folder of its estimates.
        names: the metrics.
        files: the files that count.
        flags: of the command.

    Returns:
        "system against reference" -> metric -> mean, and the files that are left out.
    """
    from . import folders
    from .metrics import statistics

    means, left_out = {}, {}
    for reference, system in itertools.combinations(systems, 2):
        title = f"{system} against {reference}"
        measured, reasons = folders.measure_folders(
            systems[reference], {title: systems[system]}, names, flags.cutoff_hz, flags.align
        )
        values = [each.values for each in measured[title] if each.name in files]
        means[title] = statistics.summarize_rows(values, flags.seed)
        left_out |= {name: f"{title}: {reason}" for name, reason in reasons.items()}
    return means, left_out


def _draw(
    picture: Path,
    references: Path,
    systems: Mapping[str, Path],
    name: str,
    cutoff_hz: float | None,
) -> None:
    """Draws the spectrograms of a recording as the systems made it, and of its reference."""
    from .. import audio
    from ..command.drawing import png
    from . import figures, folders

    waves, sample_rate = {}, 0
    for title, folder in {**systems, "reference": references}.items():
        path = folders.find_recordings(folder).by_name[name]
        sample_rate = audio.info(path).sample_rate
        wave, _ = audio.read(path, 0, DRAWN_SECONDS * sample_rate)
        waves[title] = audio.mono(wave)
    write_bytes(picture, png(figures.spectrograms(waves, sample_rate, cutoff_hz=cutoff_hz)))


def _rows(measured: "dict[str, list[Measured]]", names: Sequence[str]) -> list[dict[str, object]]:
    """Returns one row per file, with a column for each metric of each system."""
    rows = []
    for estimates in zip(*measured.values(), strict=True):
        by_system = dict(zip(measured, estimates, strict=True))
        first = estimates[0]
        facts = {"name": first.name, "sample_rate": first.sample_rate, "seconds": first.seconds}
        values = {
            f"{name}:{system}": each.values[name]
            for name in names
            for system, each in by_system.items()
        }
        rows.append(facts | values)
    return rows


def _print(
    means: "dict[str, dict[str, Mean]]",
    differences: "Sequence[Difference]",
    mutual: "Mapping[str, Mapping[str, Mean]]",
) -> None:
    from ..command.tables import text_table
    from . import results

    print(text_table(*results.systems_table(means)), end="\n\n")
    if mutual:
        print(text_table(*results.systems_table(mutual)), end="\n\n")
    header = ["metric", "compared", "difference [95 % interval]", "verdict", "files", "left out"]
    rows = [
        [
            METRICS[each.metric].label,
            f"{each.second} - {each.first}",
            results.format_difference(each),
            each.verdict,
            str(each.mean.files),
            str(each.mean.left_out),
        ]
        for each in differences
    ]
    print(text_table(header, rows))


command = Command("python -m wideband.evaluate.compare", define_flags, main, positional="FOLDER...")

if __name__ == "__main__":
    sys.exit(command())
