"""Downloads of the public corpora: resumed, verified and safely unpacked.

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
    """A published archive and the folder it is unpacked to.

    Args:
        url: where it is published.
        sha256: checksum of the file.
        inside: the folder of the corpus inside the archive.
        folder: the folder below the source that it is moved to.
    """

    url: str
    sha256: str
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

    An archive that is already in the folder is verified and used. Archives are kept; they may be
    deleted after unpacking.

    Args:
        name: key of `ARCHIVES`.
        source: the folder to download to and to unpack in; it is made if it is missing.

    Returns:
        the folder of the corpus, which appears only when it is complete.

    Raises:
        UserError: the download was interrupted (the next call continues it), the file is not the
            published one (it is removed), or it cannot be unpacked safely; or the folder of the
            corpus exists already.
    """
    archive = ARCHIVES[name]
    folder = source / archive.folder
    if folder.exists():
        raise UserError(f"{folder}: exists but is incomplete; remove it and run the command again")
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
                # pooch's type for downloaders has other argument names.
                downloader=_continue_download,  # pyright: ignore[reportArgumentType]
            )
        )
    except requests.HTTPError as error:
        raise UserError(f"{error}; try later, {by_hand}") from error
    except requests.RequestException as error:
        raise UserError(
            f"{archive.url}: the download was interrupted ({type(error).__name__}); "
            f"run the command again to continue it, {by_hand}"
        ) from error
    except ValueError as error:
        raise UserError(
            f"{archive.url}: the downloaded file is damaged or not the published one (its SHA-256 "
            f"differs) and was removed; run the command again, {by_hand}"
        ) from error
    except OSError as error:
        raise UserError(
            f"{folder / file}: cannot be written ({error.strerror}); choose another folder"
        ) from error


def _continue_download(url: str, output_file: str, _: object) -> None:
    """A pooch downloader that keeps the bytes of a broken connection and requests the rest."""
    file = url.rpartition("/")[2]
    part = Path(output_file).with_name(f"{file}.part")
    start = part.stat().st_size if part.exists() else 0
    # A compressed transfer would count bytes differently.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with requests.get(url, stream=True, timeout=_TIMEOUT_SECONDS, headers=headers) as response:
        # 416: there is nothing beyond what we have. The checksum shows whether it is complete.
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
                # Small chunks: a broken connection loses the unfinished one.
                for chunk in response.iter_content(chunk_size=1 << 14):
                    output.write(chunk)
                    bar.update(len(chunk))
    part.replace(output_file)


def _unpack(archive: Path, inside: str, folder: Path) -> None:
    """Unpacks into a temporary folder and renames it, so that the folder is complete or absent."""
    unpacking = archive.with_name(f".{archive.name}.unpacking")
    shutil.rmtree(unpacking, ignore_errors=True)
    extract = _extract_zip if archive.suffix == ".zip" else _extract_tar
    size = archive.stat().st_size
    try:
        with (
            archive.open("rb") as raw,
            tqdm(total=size, unit="B", unit_scale=True, desc=f"unpack {folder.name}") as bar,
        ):
            for _ in extract(raw, unpacking):
                bar.update(raw.tell() - bar.n)
        if not (unpacking / inside).is_dir():
            raise UserError(f"{archive}: has no folder {inside}; remove this archive")
        folder.parent.mkdir(parents=True, exist_ok=True)
        (unpacking / inside).rename(folder)
    finally:
        shutil.rmtree(unpacking, ignore_errors=True)


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
            try:
                # The filter refuses paths and links to the outside, and devices. It is in Python
                # from 3.10.12, 3.11.4 and 3.12 on.
                archive.extract(member, folder, filter="data")
            except tarfile.FilterError as error:
                raise UserError(f"{raw.name}: refused, {error}; remove this archive") from error
            yield
