"""Writes files under a temporary name and renames them when complete."""

import csv
import errno
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import UserError, explain
from .hidden import hidden_folder, is_hidden


@contextmanager
def replacing(path: Path, *errors: type[Exception]) -> Iterator[Path]:
    """Yields a temporary path of the same name, which becomes `path` if the block succeeds.

    The temporary file is in a hidden folder next to `path`, which is removed in any case; if the
    process is killed, the next one that writes there removes it. A symbolic link is replaced, and
    what it points to stays as it is.

    Args:
        path: the final path; missing folders are created.
        *errors: as in `writing`.

    Yields:
        the temporary path, where the block writes the file.

    Raises:
        UserError: nothing can be written there, such as on a full disk.
    """
    check_writable(path)
    # In case the working folder changes.
    final = path.absolute()
    with writing(path, *errors):
        final.parent.mkdir(parents=True, exist_ok=True)
        with hidden_folder(final.parent) as folder:
            temporary = folder / final.name
            yield temporary
            _flush(temporary)
            temporary.replace(final)


@contextmanager
def writing(path: Path, *errors: type[Exception]) -> Iterator[None]:
    """Turns the errors of the system in a block that writes a file or folder into UserErrors.

    Args:
        path: what is written, as the user knows it.
        *errors: what the library that writes raises in place of an OSError, such as
            `tensorflow.errors.OpError`.

    Raises:
        UserError: it names the path, the cause and what to do.
    """
    try:
        yield
    except UserError:
        raise
    except (OSError, *errors) as error:
        if isinstance(error, BrokenPipeError) or _is_elsewhere(error, path):
            raise
        raise UserError(f"{path}: cannot be written: {explain(error)}") from error


def _is_elsewhere(error: BaseException, path: Path) -> bool:
    """Returns whether an error names a file that has nothing to do with writing `path`."""
    name = error.filename if isinstance(error, OSError) else None
    if not isinstance(name, str | bytes):
        return False
    named, path = Path(os.fsdecode(name)).absolute(), path.absolute()
    related = named == path or named in path.parents or path in named.parents
    return not related and not any(is_hidden(part) for part in named.parts)


def _flush(path: Path) -> None:
    """Waits until a file is on the disk: some file systems report only now that it is full."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems, and Windows for files opened like this, do not support it.
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def check_writable(path: Path) -> None:
    """Checks that a file can be written, without making anything: before a long computation.

    Args:
        path: the file; folders of it may be missing.

    Raises:
        UserError: it is a folder or a device, its folder is a file, or the user must not write
            there.
    """
    with writing(path):
        if path.is_dir():
            raise UserError(f"{path}: is a folder; choose another path")
        # The files in /dev are links to the standard streams, among others.
        if path.parent == Path("/dev") or (path.exists() and not path.is_file()):
            raise UserError(f"{path}: is not a regular file; choose another path")
        folder = next(folder for folder in path.absolute().parents if folder.exists())
        if not folder.is_dir():
            raise UserError(f"{path}: {folder} is not a folder; choose another path")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise UserError(f"{path}: {folder} is read-only for this user; choose another path")


def write_text(path: Path, text: str) -> None:
    """Writes a text file in UTF-8; names that are not in UTF-8 are escaped."""
    write_bytes(path, text.encode(errors="backslashreplace"))


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a binary file."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, content: Any) -> None:
    """Writes a JSON file, indented."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes a CSV file. All rows have the columns of the first."""
    columns = list(rows[0])
    lines = [_csv_line(columns), *(_csv_line([row[key] for key in columns]) for row in rows)]
    write_text(path, "".join(lines))


def _csv_line(cells: Sequence[Any]) -> str:
    """Formats a row. Cells with a line break of any kind, as in some names, are quoted."""
    line = io.StringIO()
    # csv quotes the characters of its own line end only.
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue().removesuffix("\r\n") + "\n"
