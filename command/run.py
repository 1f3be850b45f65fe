"""Commands: their flags, one-line errors and exit codes.

The module of a command ends with

    command = Command("wideband-train", define_flags, main)

    if __name__ == "__main__":
        sys.exit(command())

Each call builds its own flags. Tests and notebooks can therefore run several commands, or one
command several times, in one process: `command(["--recipe=list"])`.
"""

import importlib.metadata
import os
import platform
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from absl import flags as absl_flags

from .errors import UsageError, UserError

# What a light install lacks; setup.cfg lists them under the extra `train`.
EXTRA_PACKAGES = ("tensorflow", "keras", "scipy", "h5py", "pooch", "requests", "matplotlib")
EXTRA_PACKAGES += ("PIL", "jinja2")


class Flags(absl_flags.FlagValues):
    """The flags of one command: `flags.integer("seed", 0, "Random seed.")`, then `flags.seed`.

    The methods take absl's arguments: name, default, help, and options such as `required=True` and
    `lower_bound=0`. `given` returns whether the user set a flag.
    """

    def string(self, name: str, default: str | None, help: str, **options: Any) -> None:
        """Defines a flag that takes a string."""
        absl_flags.DEFINE_string(name, default, help, flag_values=self, **options)

    def integer(self, name: str, default: int | None, help: str, **options: Any) -> None:
        """Defines a flag that takes a whole number."""
        absl_flags.DEFINE_integer(name, default, help, flag_values=self, **options)

    def number(self, name: str, default: float | None, help: str, **options: Any) -> None:
        """Defines a flag that takes a float."""
        absl_flags.DEFINE_float(name, default, help, flag_values=self, **options)

    def boolean(self, name: str, default: bool | None, help: str, **options: Any) -> None:
        """Defines a flag `--name` with its opposite `--noname`."""
        absl_flags.DEFINE_bool(name, default, help, flag_values=self, **options)

    def choice(
        self, name: str, default: str | None, choices: Sequence[str], help: str, **options: Any
    ) -> None:
        """Defines a flag that takes one of several strings."""
        absl_flags.DEFINE_enum(name, default, choices, help, flag_values=self, **options)

    def choices(
        self,
        name: str,
        default: list[str] | None,
        choices: Sequence[str],
        help: str,
        **options: Any,
    ) -> None:
        """Defines a repeatable flag that takes one of several strings."""
        absl_flags.DEFINE_multi_enum(name, default, choices, help, flag_values=self, **options)

    def strings(self, name: str, default: list[str] | None, help: str, **options: Any) -> None:
        """Defines a repeatable flag that takes a string."""
        absl_flags.DEFINE_multi_string(name, default, help, flag_values=self, **options)

    def comma_list(self, name: str, default: Sequence[str], help: str, **options: Any) -> None:
        """Defines a flag that takes strings separated by commas."""
        absl_flags.DEFINE_list(name, default, help, flag_values=self, **options)

    def given(self, name: str) -> bool:
        """Returns whether the command line sets this flag."""
        return bool(self[name].present)


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
            the exit code: 0, 1 for an error in the input, 2 for a wrong command line.
        """
        # Otherwise TensorFlow's C++ code logs its start-up.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        self._arguments = sys.argv[1:] if arguments is None else list(arguments)
        if information := self._information(self._arguments):
            print(information)
            return 0
        flags = self._flags()
        try:
            self._main(flags, self._parse(flags, self._arguments))
        except UsageError as error:
            print(f"error: {error}; see {self.name} --help", file=sys.stderr)
            return 2
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        except OSError as error:
            # Errors that name a file are about the user's files; others are bugs.
            if error.filename is None:
                raise
            print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
            return 1
        except ModuleNotFoundError as error:
            package = str(error.name).partition(".")[0]
            if package not in EXTRA_PACKAGES:
                raise
            print(
                f"error: {self.name} needs {package}, which is not installed; "
                "pip install '.[train]' in wideband's folder",
                file=sys.stderr,
            )
            return 1
        except KeyboardInterrupt:
            print("stopped", file=sys.stderr)
            return 1
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
        try:
            rest = flags([self.name, *arguments])[1:]
        except absl_flags.Error as error:
            raise UsageError(_one_line(str(error))) from error
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


def _one_line(message: str) -> str:
    """Rewrites a message of absl as one line in our form."""
    if missing := re.search(r"Flag --(\w+) must have a value other than None", message):
        return f"--{missing[1]} is missing"
    message = " ".join(message.split()).rstrip(".")
    return re.sub(r"^Unknown command line flag '(\w+)'", r"unknown flag --\1", message)


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


def machine() -> str:
    """Describes this machine for records and tables: cores, processor, system."""
    return f"{os.cpu_count()} x {platform.machine()}, {platform.system()}"
