"""What every command shares: how it starts, and how it tells a user of a mistake."""

import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


class UserError(ValueError):
    """A mistake that its user can mend; the message is one line that says how."""


def run_command(main: Callable[[Sequence[str]], None]) -> None:
    """Parses absl flags, runs `main` and turns a user's mistake into one line and exit code 1.

    Args:
        main: takes the positional arguments, without the program's name.
    """
    # TensorFlow's C++ side prints its start-up notes otherwise; they are nobody's news.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from absl import app

    def guarded(argv: Sequence[str]) -> None:
        try:
            main(argv[1:])
        except UserError as error:
            sys.exit(f"error: {error}")
        except OSError as error:
            # Errors with a file name are about a user's file or folder; others are ours.
            if error.filename is None:
                raise
            sys.exit(f"error: {error.filename}: {error.strerror}")
        except KeyboardInterrupt:
            sys.exit("stopped")

    app.run(guarded)


def machine() -> str:
    """Names this machine as records and tables do: cores, processor, system."""
    return f"{os.cpu_count()} x {platform.machine()}, {platform.system()}"


def quiet_tensorflow() -> None:
    """Imports TensorFlow without its start-up notes.

    Its C++ side writes them to the standard error before any setting of its own is read: which
    instructions it uses, and on most machines that there is no CUDA. They would stand between
    the user and the progress bar.
    """
    sys.stderr.flush()
    saved, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    try:
        import tensorflow

        tensorflow.config.list_logical_devices()
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside `path` to write to, and renames it to `path` on success.

    The end of the name is kept, since some writers choose the format by it.

    Args:
        path: the final name; its folder is made when it is missing.

    Yields:
        the temporary path, removed again if the block fails.

    Raises:
        UserError: nothing can be written there.
    """
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written ({error.strerror}); choose another place"
        ) from error
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
