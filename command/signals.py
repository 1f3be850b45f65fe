"""Signals end a command: Ctrl-C, `kill`, a terminal that is closed.

Python turns Ctrl-C into an exception wherever the program is at the moment. While libraries load,
or inside their callbacks, it gets lost, or leaves them in a state in which the process crashes or
never ends. Here, a signal ends the process without an exception: the main thread waits, while
another thread removes what must not stay.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
_at_end: list[Callable[[], None]] = []
# Signals that wait for the end of a `held` block; None outside of such blocks.
_waiting: list[int] | None = None
# Set as soon as the functions are called.
_ending = threading.Event()


@contextmanager
def at_end(function: Callable[[], None]) -> Iterator[None]:
    """Calls a function if a signal ends the process inside the block, which nothing else notices.

    After a signal, threads other than the main thread do not enter the block: what they would begin
    there would stay behind.

    Args:
        function: removes files or ends programs. It imports nothing and takes no locks, which the
            main thread may hold, and raises nothing but an OSError.
    """
    _at_end.append(function)
    if _ending.is_set() and threading.current_thread() is not threading.main_thread():
        threading.Event().wait()
    try:
        yield
    finally:
        _at_end.remove(function)


@contextmanager
def held() -> Iterator[None]:
    """Lets the main thread finish a short block, such as the start of a worker, before it ends."""
    global _waiting
    _waiting = []
    try:
        yield
    finally:
        arrived, _waiting = _waiting, None
        for number in arrived:
            signal.raise_signal(number)


def end_on_signals() -> None:
    """Lets signals end this process, after the functions of `at_end`; more signals are ignored.

    To be called by the main thread, once. A signal that the process was started to ignore, as by
    nohup, stays ignored.
    """
    arrived, wakeup = os.pipe()
    cleaned, done = os.pipe()
    os.set_blocking(wakeup, False)
    # Standard error may lead elsewhere when the signal arrives; see `quiet_libraries`.
    messages = os.dup(2)

    def wait_and_end(number: int, _: FrameType | None) -> None:
        if _waiting is not None:
            _waiting.append(number)
            return
        # Unlike a lock, a pipe can be waited for twice: another signal may interrupt this.
        os.read(cleaned, 1)
        end(number)

    def clean_up() -> None:
        number = os.read(arrived, 1)[0]
        try:
            with contextlib.suppress(OSError):
                os.write(messages, b"stopped\n")
            remove_unfinished()
        finally:
            os.close(done)
            # A library that computes keeps the main thread from ending the process.
            time.sleep(1)
            os._exit(128 + number)

    threading.Thread(target=clean_up, daemon=True).start()
    # The interpreter writes the number of each signal into this pipe as soon as it arrives.
    signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
    for name in _NAMES:
        number = getattr(signal, name)
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, wait_and_end)


def remove_unfinished() -> None:
    """Calls the functions of `at_end`, in a process that is about to end."""
    _ending.set()
    for function in tuple(_at_end):
        with contextlib.suppress(OSError):
            function()


def end(number: int) -> NoReturn:
    """Ends this process by a signal, so that its parent knows why: a shell ends its loop as well.

    To be called by the main thread. Shells show the exit code 128 + number.
    """
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    # The first process of a container is not killed by its own signals.
    os._exit(128 + number)
