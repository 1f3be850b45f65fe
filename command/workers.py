"""Worker processes."""

import atexit
import gc
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from typing import Any

from .errors import UserError
from .run import quiet_libraries
from .signals import held, remove_unfinished

# Applies a function to items and yields the results in the order of the items, like `map`.
OrderedMap = Callable[[Callable[..., Any], Iterable[Any]], Iterator[Any]]

# The environment of workers.
_ENVIRONMENT = {
    # There is a worker for each core.
    "OPENBLAS_NUM_THREADS": "1",
    # Of glibc, in bytes: arrays reuse the memory of others. Otherwise it goes back to the system
    # each time, which takes a quarter of the computing time of short waves.
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(128 << 20),
}


@contextmanager
def map_in_order(workers: int, ahead: int = 2) -> Iterator[OrderedMap]:
    """Starts worker processes and yields a map over them, which holds few results at a time.

    Args:
        workers: the number of processes.
        ahead: how many items for each of them begin, at most, before the first has its result.
            More keep them busy if items take different times.

    Raises:
        UserError: a worker was killed.
    """
    executor = pool(workers)

    def in_order(function: Callable[..., Any], items: Iterable[Any]) -> Iterator[Any]:
        waiting: deque[Future] = deque()
        for item in items:
            waiting.append(executor.submit(function, item))
            if len(waiting) > ahead * workers:
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
    if os.name == "posix":
        # Python's tracker of semaphores, which reports those that a killed process could not free.
        with _working_in_standard_library(), quiet_libraries():
            resource_tracker.ensure_running()
    return ProcessPoolExecutor(
        workers, _Context(), _start_worker, (Path.cwd(), initializer, arguments)
    )


class _Process(SpawnProcess):
    """A worker process: spawned, since a fork breaks the threads of the parent's TensorFlow."""

    def start(self) -> None:
        if os.name != "posix":
            super().start()
            return
        # Ctrl-C reaches all processes of a terminal. The worker inherits that it is blocked, as it
        # cannot ignore it before its first modules are loaded.
        with (
            held(),
            _blocked(signal.SIGINT),
            _working_in_standard_library(),
            _environment(_ENVIRONMENT),
        ):
            super().start()


class _Context(SpawnContext):
    Process = _Process


@contextmanager
def _blocked(number: int) -> Iterator[None]:
    """Blocks a signal in this thread and the processes that it starts."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Sets those variables that have no value, for the processes that the block starts."""
    new = {name: value for name, value in variables.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            del os.environ[name]


@contextmanager
def _working_in_standard_library() -> Iterator[None]:
    """Changes the working folder to that of Python's standard library.

    A spawned process looks for its first modules in its working folder. There, a user's file may be
    named random.py or socket.py, and would be run. From Python 3.11 on, there is a setting for
    this, which would however be inherited by all programs that a worker starts.
    """
    # Also where the folder cannot be listed, or does not exist any more.
    here = os.open(os.curdir, getattr(os, "O_PATH", os.O_RDONLY))
    try:
        os.chdir(Path(os.__file__).parent)
        try:
            yield
        finally:
            os.fchdir(here)
    finally:
        os.close(here)


def _start_worker(
    folder: Path, initializer: Callable[..., None] | None, arguments: tuple[Any, ...]
) -> None:
    # The parent handles Ctrl-C and shuts the workers down.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.chdir(folder)
    # Python's end would look for garbage among all objects, which takes a while with SciPy.
    atexit.register(gc.freeze)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        remove_unfinished()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    if initializer:
        initializer(*arguments)
