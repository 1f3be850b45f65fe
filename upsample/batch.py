"""Restores many recordings in parallel, with one progress bar."""

import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from threading import Event
from types import MappingProxyType

from tqdm import tqdm

from .. import audio
from ..command import UserError
from ..command.errors import printable
from .picking import Candidate
from .restore import restore_file
from .settings import Settings

_BAR = "{l_bar}{bar}| {n:.0f} of {total:.0f} s [{elapsed}<{remaining}{postfix}]"


def announce(models: Sequence[Candidate], pairs: Sequence[tuple[Path, Path]]) -> None:
    """Prints how long slow models will take, before they start.

    Args:
        models: loaded models.
        pairs: each recording and its output file.
    """
    for each in models:
        if cost := each.upsampler.cost():
            expected = cost * sum(_seconds(source) for source, _ in pairs)
            shown = f"{expected:.0f} s" if expected < 120 else f"{expected / 60:.0f} min"
            print(
                printable(
                    f"{each.name} takes about {cost:.1f} s for a second of a recording on this "
                    f"machine, {shown} in all"
                ),
                file=sys.stderr,
            )


class _StoppedError(Exception):
    """Raised in workers when the main thread stops, so that temporary files are removed."""


def restore_files(
    models: Sequence[Candidate],
    pairs: Sequence[tuple[Path, Path]],
    settings: Settings,
    workers: int = 2,
    left_out: Sequence[UserError] = (),
    pipes: Mapping[Path, Path] = MappingProxyType({}),
) -> list[UserError]:
    """Restores recordings in parallel and prints a line for each when it is complete.

    Args:
        models: the models to pick from for each recording.
        pairs: each recording and its output file.
        settings: how to restore them.
        workers: number of recordings that are restored at once.
        left_out: errors of recordings that are not among the pairs.
        pipes: the recordings that are copies of pipes, with the pipe that messages name.

    Returns:
        an error for each recording that was left out, those given first.
    """
    refused = list(left_out)
    # The caller reports the error of a single recording.
    report_errors = len(pairs) + len(left_out) > 1
    stop = Event()
    total = sum(_seconds(source) for source, _ in pairs)
    # Threads are enough: NumPy, soxr, libsndfile and the networks release the interpreter lock.
    with (
        # `disable=None` shows the bar in terminals only: in a log it would be noise.
        tqdm(total=total, bar_format=_BAR, delay=0.5, leave=False, disable=None) as bar,
        ThreadPoolExecutor(max_workers=workers) as pool,
    ):

        def progress(seconds: float) -> None:
            if stop.is_set():
                raise _StoppedError
            bar.set_postfix_str(
                f"{(bar.n + seconds) / max(1e-9, bar.format_dict['elapsed']):.1f} x real time",
                refresh=False,
            )
            bar.update(seconds)

        futures = [
            pool.submit(
                restore_file, models, source, target, settings, progress, pipes.get(source, source)
            )
            for source, target in pairs
        ]
        try:
            for error in left_out if report_errors else ():
                bar.write(printable(f"left out: {error}"))
            for future in as_completed(futures):
                try:
                    bar.write(printable(future.result()))
                except UserError as error:
                    refused.append(error)
                    if report_errors:
                        bar.write(printable(f"left out: {error}"))
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)
    return refused


def _seconds(source: Path) -> float:
    """Returns a recording's length from its header; 0 if unreadable, which is reported later."""
    try:
        info = audio.info(source)
    except UserError:
        return 0.0
    return info.frames / info.sample_rate
