"""Finds vocoders by name: what makes a wave from a log mel spectrogram.

A vocoder is trained once, as a network that makes recordings anew (`models.vocoders()`), and then a
frozen part of other networks. Griffin-Lim needs no training.

Only `find` imports Keras, so that commands check names early.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..command import UserError
from ..command.paths import exists
from . import arguments, build, pretrained, vocoders
from .record import Record

if TYPE_CHECKING:
    import keras

GRIFFIN_LIM = "griffin_lim"


@dataclass(frozen=True)
class Vocoder:
    """A vocoder that was found.

    Args:
        name: as it was named.
        mel: what it takes, a key of `features.MELS`.
        sha256: the checksum of its weights file; None for Griffin-Lim, which has no weights.
        context: samples on either side of a frame on which its output depends.
        build: builds it with its weights, frozen: (batch, frames, bands) to (batch, n, 1). Here, n
            is frames hop, or (frames - 1) hop if frames are centred on the multiples of the hop.
    """

    name: str
    mel: str
    sha256: str | None
    context: int
    build: "Callable[[], keras.Model]"


def checksum(name: str) -> str | None:
    """Returns the SHA-256 of a vocoder's weights; None for Griffin-Lim.

    Raises:
        UserError: there is no such vocoder, or it has no weights.
    """
    if name == GRIFFIN_LIM:
        return None
    return pretrained.checksum(locate(name, vocoders(), "vocoder", GRIFFIN_LIM)[1])


def find(name: str, mel: str | None = None, iterations: int = 32) -> Vocoder:
    """Finds a vocoder.

    Args:
        name: "griffin_lim", a run folder, or the name of a shipped vocoder. A folder that exists
            takes precedence over a shipped vocoder.
        mel: the mel spectrogram that it must take, a key of `features.MELS`. None for that of the
            run; Griffin-Lim needs one.
        iterations: of Griffin-Lim.

    Raises:
        UserError: there is no such vocoder, it has no weights, it takes another mel spectrogram,
            or the number of iterations is out of range.
    """
    if name == GRIFFIN_LIM:
        return _griffin_lim(mel, iterations)
    record, file = locate(name, vocoders(), "vocoder", GRIFFIN_LIM)
    own = record.arguments.get("mel", arguments(record.model)["mel"])
    # These two differ in something far below what can be heard.
    if mel is not None and {own, mel} not in ({own}, {"seed", "hifigan"}):
        raise UserError(
            f"{name}: takes the mel spectrogram {own}, and {mel} is needed; name another vocoder, "
            f"or {GRIFFIN_LIM}"
        )
    return _trained(name, own, record, file)


def _griffin_lim(mel: str | None, iterations: int) -> Vocoder:
    from . import griffin_lim
    from .features import MELS, get

    if mel is None:
        raise UserError(f"{GRIFFIN_LIM}: takes any mel spectrogram; name one of {', '.join(MELS)}")
    reach = griffin_lim.reach(get(mel), iterations)
    return Vocoder(GRIFFIN_LIM, mel, None, reach, lambda: griffin_lim.build(mel, iterations))


def _trained(name: str, mel: str, record: Record, file: Path) -> Vocoder:
    """Returns the vocoder of a run, whose weights `build` loads."""
    from . import weights
    from .resynthesis import Resynthesis
    from .weight_norm import folded

    network = build(record.model, **record.arguments)
    assert isinstance(network, Resynthesis)

    def load() -> "keras.Model":
        weights.load(network, file, "train the run again")
        plain = folded(network) if record.arguments.get("weight_norm") else network
        vocoder = plain.get_layer("vocoder")
        vocoder.trainable = False
        return vocoder

    return Vocoder(name, mel, pretrained.checksum(file), network.reach, load)


def locate(
    name: str, networks: Sequence[str], kind: str, instead: str | None = None
) -> tuple[Record, Path]:
    """Returns the record of a run of one of the networks, and its weights file.

    Args:
        name: a run folder, or the name of a shipped network. A folder that exists takes precedence.
        networks: names of networks.
        kind: what they are, for messages.
        instead: another choice that needs no run, for messages.

    Raises:
        UserError: there is no such run, it is one of another network, or it has no weights.
    """
    either = " or ".join(networks)
    folder = _folder(
        name, kind, f"{instead} or a run folder" if instead else "a run folder", either
    )
    record = Record.read(folder)
    if record.model not in networks:
        otherwise = f", or {instead}" if instead else ""
        raise UserError(
            f"{name}: a run of {record.model}, which is no {kind}; name a run of {either}"
            f"{otherwise}"
        )
    file = folder / pretrained.KERAS_FILE
    if not file.is_file():
        raise UserError(
            f"{file}: no such file; name a run that was trained for at least one epoch, or a "
            f"shipped {kind} with Keras weights"
        )
    return record, file


def _folder(name: str, kind: str, choice: str, networks: str) -> Path:
    """Returns the folder of a run or of a shipped network."""
    if exists(name):
        path = Path(name)
        return path if path.is_dir() else path.parent
    if name not in pretrained.names():
        raise UserError(f"{name or 'an empty name'}: no such {kind}; choose {choice} of {networks}")
    return pretrained.find(name)
