"""Unpacks tar and zip files completely or not at all, and nowhere but in their folder."""

import errno
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PureWindowsPath
from typing import IO

from tqdm import tqdm

from ..command import UserError
from ..command.files import writing
from ..command.hidden import hidden_folder

# What the libraries raise for a damaged archive. RuntimeError: it is encrypted; IndexError: a name
# is empty.
_DAMAGE = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, RuntimeError, ValueError, OverflowError, IndexError),
)
# What the system says about the names in an archive: one is empty or too long, or a file and a
# folder have the same one.
_NAMES = (errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.EINVAL, errno.ELOOP)


def unpack(archive: Path, inside: str, folder: Path) -> None:
    """Unpacks an archive in a hidden folder, and renames a folder of it when all is unpacked.

    Args:
        archive: a tar file, which may be compressed, or a .zip file.
        inside: a folder in the archive.
        folder: the final path of that folder; it does not exist.

    Raises:
        UserError: the archive is damaged, has no such folder, or something in it would be unpacked
            elsewhere; or there is no space for it.
    """
    extract = _extract_zip if archive.suffix == ".zip" else _extract_tar
    size = archive.stat().st_size
    with (
        writing(folder),
        hidden_folder(archive.parent) as hidden,
        _archive_errors(archive),
        archive.open("rb") as raw,
        tqdm(total=size, unit="B", unit_scale=True, desc=f"unpack {folder.name}") as bar,
    ):
        unpacked = hidden / "unpacked"
        for _ in extract(raw, unpacked):
            bar.update(raw.tell() - bar.n)
        if not (unpacked / inside).is_dir():
            raise UserError(f"{archive}: has no folder {inside}; remove this archive")
        folder.parent.mkdir(parents=True, exist_ok=True)
        (unpacked / inside).rename(folder)


@contextmanager
def _archive_errors(archive: Path) -> Iterator[None]:
    """Turns errors that the archive causes into UserErrors; others, such as a full disk, pass."""
    try:
        yield
    except UserError:
        raise
    except tarfile.FilterError as error:
        raise UserError(f"{archive}: refused, {error}; remove this archive") from error
    except _DAMAGE as error:
        raise _damaged(archive, error) from error
    except OSError as error:
        # Without a number: damage found by gzip or bz2.
        if error.errno is not None and error.errno not in _NAMES:
            raise
        raise _damaged(archive, error) from error


def _damaged(archive: Path, error: Exception) -> UserError:
    reason = getattr(error, "strerror", None) or " ".join(str(error).split())
    return UserError(
        f"{archive}: cannot be unpacked ({reason or type(error).__name__}); remove this archive "
        "and run the command again"
    )


def _extract_zip(raw: IO[bytes], folder: Path) -> Iterator[None]:
    """Extracts a zip file; yields after each member."""
    with zipfile.ZipFile(raw) as archive:
        for member in archive.infolist():
            # zipfile would drop the drive and each "..". Windows's rules know drives and both
            # kinds of slashes, so they cover every system.
            path = PureWindowsPath(member.filename)
            if path.anchor or ".." in path.parts:
                raise UserError(
                    f"{raw.name}: refused, '{member.filename}' would be unpacked outside its "
                    "folder; remove this archive"
                )
            archive.extract(member, folder)
            yield


def _extract_tar(raw: IO[bytes], folder: Path) -> Iterator[None]:
    """Extracts a tar file; yields after each member."""
    with tarfile.open(fileobj=raw) as archive:
        for member in archive:
            # The filter refuses paths and links to the outside, and devices. It is in Python from
            # 3.10.12, 3.11.4 and 3.12 on.
            archive.extract(member, folder, filter="data")
            yield
