"""Commands: their flags, one-line errors and exit codes.

The module of a command ends with

    command = Command("wideband-train", define_flags, main)

    if __name__ == "__main__":
        sys.exit(command())

Each call builds its own flags. Tests and notebooks can therefore run several commands, or one
command several times, in one process: `command(["--recipe=list"])`.
"""

import importlib.metadata
import logging
import os
import platform
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from . import keras_start, process
from .errors import ADVICE, UsageError, UserError, explain, printable
from .flags import Flags
from .streams import OUTPUT

# What a light install lacks; setup.cfg lists them under the extra `train`.
EXTRA_PACKAGES = ("tensorflow", "keras", "scipy", "h5py", "requests", "matplotlib")
EXTRA_PACKAGES += ("google_crc32c", "PIL", "jinja2")
# Other packages, with their extras.
_EXTRAS = {"apache_beam": "beam"}


class Command:
    """A command line program that can also be called as a function.

    Args:
        name: what the user types: "wideband-train", "python -m wideband.evaluate.snr".
        define_flags: defines the flags.
        main: does the work, from the parsed flags and the positional arguments.
        help: what `--help` prints above the flags; by default the docstring of main's module.
        positional: how `--help` names the positional arguments, such as "RECORDING..."; "" if
            there are none.

    Example:
        >>> command(["--recipe=list"])  # prints the recipes, returns 0
    """

    def __init__(
        self,
        name: str,
        define_flags: Callable[[Flags], None],
        main: Callable[[Flags, list[str]], None],
        help: str = "",
        positional: str = "",
    ) -> None:
        self.name, self.positional = name, positional
        self._arguments: list[str] = []
        self._define_flags, self._main = define_flags, main
        self._help = help or str(sys.modules[main.__module__].__doc__)

    def __call__(self, arguments: Sequence[str] | None = None) -> int:
        """Runs the command.

        Args:
            arguments: the command line without the program; by default the process's own.

        Returns:
            the exit code: 0, 1 for an error in the input, 2 for a wrong command line, 130 after
            Ctrl-C, 141 if nobody reads the output any more.
        """
        if arguments is not None:
            return self._run(list(arguments))
        process.prepare()
        keras_start.quicken()
        return process.finish(self._run(sys.argv[1:]))

    def _run(self, arguments: list[str]) -> int:
        # Otherwise TensorFlow's C++ code logs its start-up.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        self._arguments = arguments
        try:
            if information := self._information(arguments):
                print(information)
            else:
                flags = self._flags()
                self._main(flags, self._parse(flags, arguments))
            sys.stdout.flush()
        except UsageError as error:
            return _fail(f"{error}; see {self.name} --help", code=2)
        except UserError as error:
            return _fail(str(error))
        except OSError as error:
            if isinstance(error, BrokenPipeError) and error.filename == OUTPUT:
                return 128 + signal.SIGPIPE
            # Errors that name no file and have no remedy are bugs.
            if error.filename is None and error.errno not in ADVICE:
                raise
            name = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
            return _fail(f"{name}{explain(error, 'check the path and its permissions')}")
        except MemoryError:
            return _fail("not enough memory; use shorter recordings, or close other programs")
        except ModuleNotFoundError as error:
            package = str(error.name).partition(".")[0]
            extra = "train" if package in EXTRA_PACKAGES else _EXTRAS.get(package)
            if extra is None:
                raise
            return _fail(
                f"{self.name} needs {package}, which is not installed; "
                f"pip install '.[{extra}]' in wideband's folder"
            )
        except KeyboardInterrupt:
            print("stopped", file=sys.stderr)
            return 128 + signal.SIGINT
        return 0

    def line(self) -> list[str]:
        """Returns the latest call as a command line, for records and reports."""
        return [self.name, *self._arguments]

    def _flags(self) -> Flags:
        flags = Flags()
        self._define_flags(flags)
        return flags

    def _information(self, arguments: list[str]) -> str:
        """Returns the help or the version if the command line asks for it, otherwise ""."""
        # Arguments after "--" are positional.
        options = set(arguments[: arguments.index("--")] if "--" in arguments else arguments)
        if {"--help", "-help", "-h", "--helpfull", "--helpshort"} & options:
            return self.help()
        if "--version" in options:
            return f"wideband {importlib.metadata.version('wideband')}"
        return ""

    def _parse(self, flags: Flags, arguments: list[str]) -> list[str]:
        """Parses the command line into the flags; returns the positional arguments."""
        rest = flags.parse(arguments)
        if rest and not self.positional:
            raise UsageError(f"unexpected argument {rest[0]!r}; flags are written --name=value")
        return rest

    def help(self) -> str:
        """Returns what `--help` prints."""
        usage = " ".join(["usage:", self.name, "[--flags]", self.positional]).rstrip()
        # absl writes the module that defines the flags above them.
        _, _, described = self._flags().get_help(include_special_flags=False).partition(":\n")
        flags = f"flags:\n{described}\n  --version: Prints the version."
        return f"{self._help.strip()}\n\n{usage}\n\n{flags}"


def _fail(message: str, code: int = 1) -> int:
    print(f"error: {printable(message)}", file=sys.stderr)
    return code


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Hides what C++ libraries write to standard error, where the progress bar is."""
    sys.stderr.flush()
    saved, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)


def quiet_tensorflow() -> None:
    """Imports TensorFlow without the start-up messages of its C++ code.

    TensorFlow writes them before it reads any setting: the instructions of the processor that it
    uses, and on most machines that there is no CUDA.
    """
    with quiet_libraries():
        import tensorflow

        # The first use of the devices writes messages too.
        tensorflow.config.list_logical_devices()
    tensorflow.get_logger().addFilter(_is_not_retracing)


def _is_not_retracing(record: logging.LogRecord) -> bool:
    """Leaves out a warning about slow programs, which several networks in one process cause."""
    return "triggered tf.function retracing" not in record.getMessage()


def machine() -> str:
    """Describes this machine for records and tables: cores, processor, system."""
    return f"{os.cpu_count()} x {platform.machine()}, {platform.system()}"
