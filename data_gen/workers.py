"""Worker processes, for work that Python's threads would do one after the other."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any


def pool(workers: int, begin: Callable | None = None, *arguments: Any) -> ProcessPoolExecutor:
    """Makes worker processes that end with this one, however that ends, and leave Ctrl-C to it.

    Args:
        workers: how many at most; they start with the first work.
        begin: what each calls at its start, a function of a module.
        *arguments: for that.
    """
    # Spawned, not forked: the parent's TensorFlow has threads, which a fork breaks.
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
