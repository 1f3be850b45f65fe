"""Downloads of the public corpora: resumed where they broke off, verified, unpacked safely.

Each archive's SHA-256 was compared between two independent public sources: the url_checksums of
TensorFlow Datasets and the datasets of torchaudio (vctk.py, ljspeech.py, librispeech.py).
"""

import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import IO

import pooch
import requests
from tqdm import tqdm

from ..command import UserError

_TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Archive:
    """A published archive and what it unpacks to."""

    url: str
    sha256: str
    # The corpus's folder inside the archive, and the folder below the source that it becomes.
    inside: str
    folder: str


def _librispeech(subset: str, sha256: str) -> Archive:
    folder = f"LibriSpeech/{subset}"
    url = f"https://www.openslr.org/resources/12/{subset}.tar.gz"
    return Archive(url, sha256, inside=folder, folder=folder)


ARCHIVES = {
    # DOI 10.7488/ds/2645
    "vctk": Archive(
        "https://datashare.ed.ac.uk/bitstream/handle/10283/3443/VCTK-Corpus-0.92.zip",
        "f96258be9fdc2cbff6559541aae7ea4f59df3fcaf5cf963aae5ca647357e359c",
        inside=".",
        folder="VCTK-Corpus-0.92",
    ),
    "ljspeech": Archive(
        "https://data.keithito.com/data/speech/LJSpeech-1.1.tar.bz2",
        "be1a30453f28eb8dd26af4101ae40cbf2c50413b1bb21936cbcdc6fae3de8aa5",
        inside="LJSpeech-1.1",
        folder="LJSpeech-1.1",
    ),
} | {
    subset: _librispeech(subset, sha256)
    for subset, sha256 in {
        "dev-clean": "76f87d090650617fca0cac8f88b9416e0ebf80350acb97b343a85fa903728ab3",
        "dev-other": "12661c48e8c3fe1de2c1caa4c3e135193bfb1811584f11f569dd12645aa84365",
        "test-clean": "39fde525e59672dc6d1551919b1478f724438a95aa55f874b576be21967e6c23",
        "test-other": "d09c181bba5cf717b3dee7d4d592af11a3ee3a09e08ae025c5506f6ebe961c29",
        "train-clean-100": "d4ddd1d5a6ab303066f14971d768ee43278a5f2a0aa43dc716b0e64ecbbbf6e2",
        "train-clean-360": "146a56496217e96c14334a160df97fffedd6e0a04e66b9c5af0d40be3c792ecf",
        "train-other-500": "ddb22f27f96ec163645d53215559df6aa36515f26e01dd70798188350adcb6d2",
    }.items()
}


def fetch(name: str, source: Path) -> Path:
    """Downloads a corpus into a folder and unpacks it there.

    An archive that already lies in the folder is verified and used; it stays there and may be
    deleted afterwards.

    Args:
        name: key of `ARCHIVES`.
        source: the folder to download to and unpack in; it is made when it is missing.

    Returns:
        the corpus's folder; it appears only once it is complete.

    Raises:
        UserError: the download broke off (the next call goes on from there), is not the
            published file (it is removed), or cannot be unpacked safely; or something stands
            already where the corpus should go.
    """
    archive = ARCHIVES[name]
    folder = source / archive.folder
    if folder.exists():
        raise UserError(f"{folder}: is there, but not whole; remove it and run the command again")
    source.mkdir(parents=True, exist_ok=True)
    _unpack(_download(archive, source), archive.inside, folder)
    return folder


def _download(archive: Archive, folder: Path) -> Path:
    file = archive.url.rpartition("/")[2]
    by_hand = f"or put the file into {folder} by hand"
    try:
        return Path(
            pooch.retrieve(
                archive.url,
                known_hash=f"sha256:{archive.sha256}",
                fname=file,
                path=folder,
                # Its type names the arguments in another way than pooch passes them.
                downloader=_continue_download,  # pyright: ignore[reportArgumentType]
            )
        )
    except requests.HTTPError as error:
        raise UserError(f"{error}; try later, {by_hand}") from error
    except requests.RequestException as error:
        raise UserError(
            f"{archive.url}: the download broke off ({type(error).__name__}); "
            f"run the command again to go on from there, {by_hand}"
        ) from error
    except ValueError as error:
        raise UserError(
            f"{archive.url}: the downloaded file is damaged or not the published one (its SHA-256 "
            f"differs) and was removed; run the command again, {by_hand}"
        ) from error
    except OSError as error:
        raise UserError(f"{folder / file}: cannot be written: {error.strerror}") from error


def _continue_download(url: str, output_file: str, _: object) -> None:
    """A pooch downloader that keeps what came before a broken connection and asks for the rest."""
    file = url.rpartition("/")[2]
    part = Path(output_file).with_name(f"{file}.part")
    start = part.stat().st_size if part.exists() else 0
    # Compressed transfer would count other bytes than the file's.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with requests.get(url, stream=True, timeout=_TIMEOUT_SECONDS, headers=headers) as response:
        # 416: nothing lies beyond what we have; the checksum tells whether that is all of it.
        if response.status_code != requests.codes.requested_range_not_satisfiable:
            response.raise_for_status()
            if response.status_code != requests.codes.partial_content:
                start = 0
            length = response.headers.get("Content-Length")
            total = start + int(length) if length else None
            with (
                part.open("ab" if start else "wb") as output,
                tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=file) as bar,
            ):
                # A connection that breaks takes its unfinished chunk with it: keep them small.
                for chunk in response.iter_content(chunk_size=1 << 14):
                    output.write(chunk)
                    bar.update(len(chunk))
    part.replace(output_file)


def _unpack(archive: Path, inside: str, folder: Path) -> None:
    """Unpacks beside the final place and renames, so that the folder is whole or absent."""
    unpacking = archive.with_name(f".{archive.name}.unpacking")
    shutil.rmtree(unpacking, ignore_errors=True)
    try:
        with (
            archive.open("rb") as raw,
            tqdm(
                total=archive.stat().st_size,
                unit="B",
                unit_scale=True,
                desc=f"unpack {folder.name}",
            ) as bar,
        ):
            for name, content in _members(raw, archive.suffix == ".zip"):
                path = unpacking / _safe(name, archive)
                path.parent.mkdir(parents=True, exist_ok=True)
                with content, path.open("wb") as output:
                    shutil.copyfileobj(content, output, 1 << 20)
                bar.update(raw.tell() - bar.n)
        if not (unpacking / inside).is_dir():
            raise UserError(f"{archive}: holds no folder {inside}")
        folder.parent.mkdir(parents=True, exist_ok=True)
        (unpacking / inside).rename(folder)
    finally:
        shutil.rmtree(unpacking, ignore_errors=True)


def _members(raw: IO[bytes], is_zip: bool) -> Iterator[tuple[str, IO[bytes]]]:
    """Goes through the files of an archive: name and content."""
    if is_zip:
        with zipfile.ZipFile(raw) as archive:
            for entry in archive.infolist():
                if not entry.is_dir():
                    yield entry.filename, archive.open(entry)
    else:
        with tarfile.open(fileobj=raw) as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isfile() else None
                if content is not None:
                    yield member.name, content
                elif not member.isdir():
                    raise UserError(f"{raw.name}: refused, '{member.name}' is a link or a device")


def _safe(name: str, archive: Path) -> str:
    # Windows's rules see drives and both kinds of slashes, so they cover every system.
    path = PureWindowsPath(name)
    if path.anchor or ".." in path.parts:
        raise UserError(f"{archive}: refused, '{name}' would be unpacked outside its folder")
    return name
