"""What a command leaves out.

A recording that cannot be measured is left out by name, and the others are measured. The files that
a command writes list what was left out, and its exit code is 1.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping

from ..command import UserError


def shortlist(names: Collection[str]) -> str:
    """Returns the first five names, for a message."""
    return ", ".join(sorted(names)[:5]) + (", ..." if len(names) > 5 else "")


def check(kept: Collection[object], left_out: Mapping[str, str]) -> None:
    """Checks that not everything is left out.

    Args:
        kept: what can be measured.
        left_out: name -> reason.

    Raises:
        UserError: nothing can be measured.
    """
    if not kept:
        raise UserError(f"nothing is left to measure: {_summary(left_out)}")


def show(left_out: Mapping[str, str]) -> None:
    """Prints what was left out: one line for each reason."""
    names = defaultdict(list)
    for name, reason in left_out.items():
        names[reason].append(name)
    for reason, group in names.items():
        count = f"{len(group)} recordings: " if len(group) > 1 else ""
        print(f"left out: {count}{shortlist(group)}: {reason}")


def finish(left_out: Mapping[str, str]) -> None:
    """Ends a command, after everything else.

    Raises:
        UserError: something was left out.
    """
    if left_out:
        raise UserError(f"{_summary(left_out)}; the others are measured")


def _summary(left_out: Mapping[str, str]) -> str:
    name, reason = next(iter(left_out.items()))
    first = "the first: " if len(left_out) > 1 else ""
    return f"{len(left_out)} left out, {first}{name}: {reason}"
