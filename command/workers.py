"""Worker processes."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from .errors import UserError

# Applies a function to items and yields the results in the order of the items, like `map`.
OrderedMap = Callable[[Callable[..., Any], Iterable[Any]], Iterator[Any]]


@contextmanager
def map_in_order(workers: int) -> Iterator[OrderedMap]:
    """Starts worker processes and yields a map over them, which holds few results at a time.

    Args:
        workers: the number of processes.

    Raises:
        UserError: a worker was killed.
    """
    executor = pool(workers)

    def in_order(function: Callable[..., Any], items: Iterable[Any]) -> Iterator[Any]:
        waiting: deque[Future] = deque()
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
            "run the same command again with fewer --workers, and it continues"
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


def pool(
    workers: int, initializer: Callable[..., None] | None = None, *arguments: Any
) -> ProcessPoolExecutor:
    """Returns a pool of worker processes that ignore Ctrl-C and end with this process.

    Args:
        workers: the largest number of processes; they start with the first work.
        initializer: a function of a module, which each process calls first.
        *arguments: arguments of the initializer.
    """
    # Spawned, not forked: a fork breaks the threads of the parent's TensorFlow.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, context, _start_worker, (initializer, arguments))


def _start_worker(initializer: Callable[..., None] | None, arguments: tuple) -> None:
    # The parent handles Ctrl-C and shuts the workers down.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    if initializer:
        initializer(*arguments)
