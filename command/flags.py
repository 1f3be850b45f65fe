"""The flags of commands."""

import re
import sys
from collections.abc import Sequence
from typing import Any

from absl import flags as absl_flags

from .errors import UsageError

# Whole numbers are at most this unless a flag has its own limit: seeds, counts and rates fit.
MAX_INTEGER = 2**31 - 1


class Flags(absl_flags.FlagValues):
    """The flags of one command: `flags.integer("seed", 0, "Random seed.")`, then `flags.seed`.

    The methods take absl's arguments: name, default, help, and options such as `required=True`.
    """

    def string(self, name: str, default: str | None, help: str, **options: Any) -> None:
        """Defines a flag that takes a string, which is not empty unless the default is."""
        absl_flags.DEFINE_string(name, default, help, flag_values=self, **options)

    def integer(
        self,
        name: str,
        default: int | None,
        help: str,
        lower_bound: int = 0,
        upper_bound: int = MAX_INTEGER,
        **options: Any,
    ) -> None:
        """Defines a flag that takes a whole number within bounds, which are allowed themselves."""
        parser = _NumberParser(int, lower_bound, upper_bound)
        self._define(parser, name, default, help, options)

    def number(
        self,
        name: str,
        default: float | None,
        help: str,
        lower_bound: float = -sys.float_info.max,
        upper_bound: float = sys.float_info.max,
        **options: Any,
    ) -> None:
        """Defines a flag that takes a finite number within bounds, which are allowed themselves."""
        parser = _NumberParser(float, lower_bound, upper_bound)
        self._define(parser, name, default, help, options)

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
        """Defines a repeatable flag that takes a string, which is not empty."""
        absl_flags.DEFINE_multi_string(name, default, help, flag_values=self, **options)

    def comma_list(self, name: str, default: Sequence[str], help: str, **options: Any) -> None:
        """Defines a flag that takes strings separated by commas. None may be empty."""
        absl_flags.DEFINE_list(name, default, help, flag_values=self, **options)

    def pass_on_with(self, name: str) -> None:
        """Lets a command line that has this flag have flags of another program: see `others`."""
        # absl takes attributes for flags.
        self.__dict__["_passing"] = f"--{name}"

    @property
    def others(self) -> list[str]:
        """The flags of another program, "--name=value"."""
        return self.__dict__.get("_others", [])

    def given(self, name: str) -> bool:
        """Returns whether the command line sets this flag."""
        return bool(self[name].present)

    def parse(self, arguments: Sequence[str]) -> list[str]:
        """Sets the flags from a command line.

        Args:
            arguments: the command line without the program.

        Returns:
            the positional arguments.

        Raises:
            UsageError: a flag is unknown or missing, its value is not allowed, or a string or a
                positional argument is empty, as from an unset variable of a shell.
        """
        try:
            passes = self.__dict__.get("_passing") in {each.partition("=")[0] for each in arguments}
            # absl raises a ValueError for --noflag=value.
            rest = self(["", *arguments], known_only=passes)[1:]
        except (absl_flags.Error, ValueError) as error:
            raise UsageError(_one_line(str(error))) from error
        for name in self:
            value = self[name].value
            if self.given(name) and (value == "" != self[name].default or _has_empty(value)):
                raise UsageError(f"--{name} has an empty value; write one or leave it out")
        if passes:
            self.__dict__["_others"] = [each for each in rest if each.startswith("--")]
            rest = [each for each in rest if not each.startswith("--")]
        if "" in rest:
            raise UsageError("an argument is empty; write one or leave it out")
        return rest

    def _define(
        self,
        parser: "_NumberParser",
        name: str,
        default: float | None,
        help: str,
        options: dict[str, Any],
    ) -> None:
        serializer = absl_flags.ArgumentSerializer()
        absl_flags.DEFINE(parser, name, default, help, self, serializer, **options)


class _NumberParser(absl_flags.ArgumentParser):
    """Parses numbers within bounds; refuses NaN and infinity."""

    def __init__(self, kind: type[int] | type[float], lowest: float, highest: float) -> None:
        self._kind, self._lowest, self._highest = kind, lowest, highest
        # What `--help` and errors call the value.
        self.syntactic_help = self._allowed()

    def parse(self, argument: str | float) -> float:
        try:
            value = self._kind(argument)
        except ValueError:
            value = float("nan")
        if not self._lowest <= value <= self._highest:
            raise ValueError(f"must be {self.syntactic_help}")
        return value

    def flag_type(self) -> str:
        return self._kind.__name__

    def _allowed(self) -> str:
        kind = "a whole number" if self._kind is int else "a number"
        lowest, highest = f"{self._lowest:.15g}", f"{self._highest:.15g}"
        endless = self._highest == sys.float_info.max
        if endless and self._lowest == -sys.float_info.max:
            return "a finite number"
        if endless:
            return f"{kind} of at least {lowest}"
        return f"{kind} from {lowest} to {highest}"


def _has_empty(value: Any) -> bool:
    return isinstance(value, list) and "" in value


def _one_line(message: str) -> str:
    """Rewrites a message of absl as one line in our form."""
    if missing := re.search(r"Flag --(\w+) must have a value other than None", message):
        return f"--{missing[1]} is missing"
    if switch := re.search(r"flag (--(\w+)=.*): \('Non-boolean argument", message):
        return f"{switch[1]}: write --{switch[2]} or --no{switch[2]}"
    message = " ".join(message.split()).rstrip(".")
    message = re.sub(r"\. Did you mean: (.*) \?$", r"; did you mean --\1?", message)
    message = re.sub(r"^flag (--?\w+=)", r"\1", message)
    return re.sub(r"^Unknown command line flag '(\w+)'", r"unknown flag --\1", message)
