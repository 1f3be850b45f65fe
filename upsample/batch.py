"""Many recordings side by side, under one progress bar."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from threading import Event

from tqdm import tqdm

from .. import audio
from ..command import UserError
from .restore import Settings, restore_file
from .upsampler import Upsampler

_BAR = "{l_bar}{bar}| {n:.0f} of {total:.0f} s [{elapsed}<{remaining}{postfix}]"


class _StoppedError(Exception):
    """The user has given up; what was begun is taken back."""


def restore_files(
    upsamplers: Sequence[Upsampler],
    jobs: Sequence[tuple[Path, Path]],
    settings: Settings,
    parallel: int = 2,
) -> list[UserError]:
    """Restores recordings, some at once, and tells of each as it is done.

    Args:
        upsamplers: the models of which each recording gets the fitting one.
        jobs: recordings and the files that they become.
        settings: how.
        parallel: how many at once.

    Returns:
        why recordings were left out, one error for each.
    """
    refused = []
    stop = Event()
    total = sum(_seconds(source) for source, _ in jobs)
    # Threads: what takes the time, in NumPy, soxr, libsndfile and the network, frees the others.
    with (
        tqdm(total=total, bar_format=_BAR, delay=0.5, leave=False) as bar,
        ThreadPoolExecutor(max_workers=parallel) as pool,
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
            pool.submit(restore_file, upsamplers, source, target, settings, progress)
            for source, target in jobs
        ]
        try:
            for future in as_completed(futures):
                try:
                    bar.write(future.result())
                except UserError as error:
                    refused.append(error)
                    if len(jobs) > 1:
                        bar.write(f"left out: {error}")
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)
    return refused


def _seconds(source: Path) -> float:
    """Length of a recording by its header; 0 for one that cannot be read, which is told later."""
    try:
        info = audio.info(source)
    except UserError:
        return 0.0
    return info.frames / info.sample_rate
