"""Downloads of the public corpora: resumed, verified and safely unpacked.

Each archive's SHA-256 was compared between two independent public sources: the url_checksums of
TensorFlow Datasets and the datasets of torchaudio (vctk.py, ljspeech.py, librispeech.py).
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from tqdm import tqdm

from ..command import UserError
from ..command.files import writing
from ..command.locks import locked
from .unpack import unpack

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
            published one, it cannot be unpacked safely, or there is no space for it; the folder of
            the corpus exists already, or another process downloads to `source`.
    """
    archive = ARCHIVES[name]
    folder = source / archive.folder
    if folder.exists():
        raise UserError(f"{folder}: exists but is incomplete; remove it and run the command again")
    with writing(source):
        source.mkdir(parents=True, exist_ok=True)
    with locked(
        source, f"{source}: another wideband-prepare downloads to this folder; wait for it"
    ):
        unpack(_download(archive, source), archive.inside, folder)
    return folder


def _download(archive: Archive, folder: Path) -> Path:
    """Downloads an archive, or continues an interrupted download; returns the verified file."""
    path = folder / archive.url.rpartition("/")[2]
    if path.exists():
        if _sha256(path) != archive.sha256:
            raise UserError(
                f"{path}: damaged or not the file published at {archive.url} (its SHA-256 "
                "differs); remove it and run the command again"
            )
        return path
    part = path.with_name(f"{path.name}.part")
    by_hand = f"or put the file into {folder} by hand"
    with writing(part), _network_errors(archive.url, by_hand):
        _continue_download(archive.url, part)
    if _sha256(part) != archive.sha256:
        part.unlink()
        raise UserError(
            f"{archive.url}: the downloaded file is damaged or not the published one (its SHA-256 "
            f"differs) and was removed; run the command again, {by_hand}"
        )
    part.replace(path)
    return path


@contextmanager
def _network_errors(url: str, by_hand: str) -> Iterator[None]:
    """Turns errors of a download into UserErrors."""
    try:
        yield
    except requests.HTTPError as error:
        raise UserError(f"{error}; try later, {by_hand}") from error
    except requests.RequestException as error:
        raise UserError(
            f"{url}: the download was interrupted ({type(error).__name__}); run the command again "
            f"to continue it, {by_hand}"
        ) from error


def _continue_download(url: str, part: Path) -> None:
    """Requests the bytes that are missing, and appends them."""
    start = part.stat().st_size if part.exists() else 0
    # A compressed transfer would count bytes differently.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with requests.get(url, stream=True, timeout=_TIMEOUT_SECONDS, headers=headers) as response:
        # 416: there is nothing beyond what we have. The checksum shows whether it is complete.
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            return
        response.raise_for_status()
        if response.status_code != requests.codes.partial_content:
            start = 0
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdecimal() else None
        with (
            part.open("ab" if start else "wb") as output,
            tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=part.stem) as bar,
        ):
            # Small chunks: a broken connection loses the unfinished one.
            for chunk in response.iter_content(chunk_size=1 << 14):
                output.write(chunk)
                bar.update(len(chunk))
        if total is not None and part.stat().st_size < total:
            raise requests.ConnectionError("the connection was closed")


def _sha256(path: Path) -> str:
    """Computes the SHA-256 of a file."""
    digest = hashlib.sha256()
    with (
        path.open("rb") as file,
        tqdm(total=path.stat().st_size, unit="B", unit_scale=True, desc="verify") as bar,
    ):
        while chunk := file.read(1 << 20):
            digest.update(chunk)
            bar.update(len(chunk))
    return digest.hexdigest()
