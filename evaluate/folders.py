"""Compares a folder of estimates with a folder of references, file by file."""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from ..data_gen import audio
from ..data_gen.command import UserError
from . import metrics, summary

_WORKERS = 4  # each holds one pair of recordings in memory


class Pair(NamedTuple):
    """A reference and the estimate of the same name."""

    name: str  # path within the folder, without suffix
    reference: Path
    estimate: Path


def pair(references: Path, estimates: Path) -> list[Pair]:
    """Matches the recordings of two folders by their path within, without suffix.

    Raises:
        UserError: a folder is missing or holds no recordings, one name stands for two recordings,
            or a recording has no counterpart.
    """
    left, right = recordings(references), recordings(estimates)
    for names, folder in ((left.keys() - right, estimates), (right.keys() - left, references)):
        if names:
            raise UserError(
                f"{folder}: {len(names)} recordings have no counterpart here: {some(names)}"
            )
    return [Pair(name, left[name], right[name]) for name in sorted(left)]


def some(names: Collection[str]) -> str:
    """Lists names for a message, the first five."""
    return ", ".join(sorted(names)[:5]) + (", ..." if len(names) > 5 else "")


def recordings(folder: Path) -> dict[str, Path]:
    """Finds the recordings of a folder by their path within, without suffix.

    Raises:
        UserError: the folder is missing or holds none, or one name stands for two recordings.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder")
    found: dict[str, Path] = {}
    for path in audio.find(folder):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            raise UserError(f"{path}: {found[name].name} has the same name; remove one of them")
        found[name] = path
    if not found:
        raise UserError(f"{folder}: no recordings here; readable are {', '.join(audio.SUFFIXES)}")
    return found


def measure(
    pair: Pair, names: Sequence[str] | None = None, cutoff_hz: float | None = None
) -> dict[str, Any]:
    """Measures one pair.

    Args:
        pair: the recordings.
        names: keys of `metrics.METRICS`; by default all that can be computed.
        cutoff_hz: for the metrics that need it.

    Returns:
        `name`, `sample_rate` (Hz), `seconds`, then name of the metric -> value.

    Raises:
        UserError: a recording cannot be read, or rates, channels or lengths differ.
    """
    reference, sample_rate = audio.read(pair.reference)
    estimate, estimate_rate = audio.read(pair.estimate)
    if sample_rate != estimate_rate:
        raise UserError(
            f"{pair.name}: the estimate has {estimate_rate} Hz, the reference {sample_rate} Hz; "
            "resample one of them"
        )
    if difference := len(estimate) - len(reference):
        raise UserError(
            f"{pair.name}: the estimate is {abs(difference)} samples "
            f"{'longer' if difference > 0 else 'shorter'} than the reference "
            f"({len(estimate)} against {len(reference)}); both need the same length"
        )
    try:
        values = metrics.evaluate(reference, estimate, sample_rate, cutoff_hz, names)
    except ValueError as error:
        raise UserError(f"{pair.name}: {error}") from error
    seconds = round(len(reference) / sample_rate, 3)
    return {"name": pair.name, "sample_rate": sample_rate, "seconds": seconds, **values}


def compare(
    references: str,
    estimates: str,
    output: str,
    names: Sequence[str] | None = None,
    cutoff_hz: float | None = None,
    seed: int = 0,
) -> None:
    """Measures two folders, writes a CSV with a row per file and a summary, prints a table.

    Args:
        references: folder of references.
        estimates: folder of estimates of the same names.
        output: the CSV file; the summary is written beside it, with the suffix .json.
        names: keys of `metrics.METRICS`; by default all that can be computed.
        cutoff_hz: for the metrics that need it.
        seed: of the bootstrap.

    Raises:
        UserError: the folders do not match or a pair cannot be measured; nothing is written then.
    """
    table = Path(output)
    if table.suffix.lower() != ".csv":
        raise UserError(f"--output={output}: must end in .csv")
    pairs = pair(Path(references), Path(estimates))
    with ThreadPoolExecutor(_WORKERS) as pool:
        measured = pool.map(lambda each: measure(each, names, cutoff_hz), pairs)
        # A bar only where someone watches.
        rows = list(tqdm(measured, total=len(pairs), unit="file", disable=None))
    means = summary.summarize_rows(rows, seed)
    summary.write_csv(table, rows)
    summary.write_summary(
        table.with_suffix(".json"),
        means,
        references=references,
        estimates=estimates,
        files=len(rows),
        seconds=round(sum(row["seconds"] for row in rows), 3),
        sample_rates=sorted({row["sample_rate"] for row in rows}),
        cutoff_hz=cutoff_hz,
        seed=seed,
    )
    header = ["metric", "mean [95 % interval]", "files", "left out"]
    print(
        summary.text_table(
            header,
            [
                [
                    summary.metric_header(name),
                    summary.format_mean(name, mean),
                    str(mean.files),
                    str(mean.left_out),
                ]
                for name, mean in means.items()
            ],
        )
    )
