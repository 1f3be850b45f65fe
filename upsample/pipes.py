"""Copies recordings that come through pipes into files, since a recording is read twice."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from ..command.files import writing
from ..command.hidden import hidden_folder
from .files import is_pipe


class Spooled(NamedTuple):
    """Recordings that can be read twice."""

    pairs: list[tuple[Path, Path]]  # each recording and its output file
    pipes: dict[Path, Path]  # the copy of a pipe -> the pipe


@contextmanager
def spooled(pairs: Sequence[tuple[Path, Path]]) -> Iterator[Spooled]:
    """Replaces each recording that is a pipe, such as `<(sox ...)`, by a copy of its content.

    Args:
        pairs: each recording and its output file.

    Yields:
        the recordings. The copies are hidden next to the output files until the block ends.

    Raises:
        UserError: a copy cannot be written.
    """
    with ExitStack() as stack:

        def copy(source: Path, target: Path) -> Path:
            with writing(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                path = stack.enter_context(hidden_folder(target.parent)) / source.name
                with source.open("rb") as pipe, path.open("xb") as file:
                    shutil.copyfileobj(pipe, file)
            readable.pipes[path] = source
            return path

        readable = Spooled([], {})
        for source, target in pairs:
            readable.pairs.append((copy(source, target) if is_pipe(source) else source, target))
        yield readable
