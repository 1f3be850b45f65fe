"""The parts of a system that were trained elsewhere: a vocoder, an autoencoder.

Only checksums are read here, without Keras, so that commands find missing parts early.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import pretrained, vocoder
from .record import Record


def checksums(model: str, given: Mapping[str, Any]) -> dict[str, str]:
    """Returns the SHA-256 of the weights of each part, by the argument that names it.

    Args:
        model: one of `models.names()` or `models.systems()`.
        given: arguments of its constructor; others have their defaults.

    Raises:
        UserError: a part is missing, is not what it should be, or has no weights.
    """
    parts = {}
    if model == "audiosr":
        parts["vae"] = pretrained.checksum(find_autoencoder(str(given.get("vae", "")))[1])
    # By default, it is Griffin-Lim, which has no weights.
    if "vocoder" in given and (sha256 := vocoder.checksum(str(given["vocoder"]))):
        parts["vocoder"] = sha256
    return parts


def find_autoencoder(run: str) -> tuple[Record, Path]:
    """Returns the record of a run of AudioSR's autoencoder, and its weights file.

    Raises:
        UserError: there is no such run, or it has no weights.
    """
    return vocoder.locate(run, ["audiosr_vae"], "autoencoder")
