"""Worker processes."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from .errors import UserError


@contextmanager
def map_in_order(workers: int) -> Iterator[Callable[[Callable, Iterable], Iterator]]:
    """Starts worker processes and yields a map over them.

    The map yields its results in the order of the items and holds few of them at a time.

    Args:
        workers: the number of processes.

    Raises:
        UserError: a worker was killed.
    """
    executor = pool(workers)

    def in_order(function: Callable, items: Iterable) -> Iterator:
        waiting = deque()
        for item in items:
            waiting.append(executor.submit(function, item))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    try:
        yield in_order
    except BrokenProcessPool as error:
        raise UserError(
            "a worker process was killed, perhaps for lack of memory; "
            "run the same command with fewer --workers, it continues"
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


def pool(workers: int, begin: Callable | None = None, *arguments: Any) -> ProcessPoolExecutor:
    """Makes worker processes that end with this one and leave Ctrl-C to it.

    Args:
        workers: the largest number of processes; they start with the first work.
        begin: what each of them calls first, a function of a module.
        *arguments: its arguments.
    """
    # Spawned, not forked: a fork breaks the threads of the parent's TensorFlow.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, context, _begin, (begin, arguments))


def _begin(begin: Callable | None, arguments: tuple) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    if begin:
        begin(*arguments)
