"""Speech recognizers behind one interface: waves in, texts out.

- `base`: the interface, `Recognizer`.
- `sphinx`: PocketSphinx, the default.
- `program`: any program, as `cmd:...`.
- `deepspeech`: features, network and checkpoint of Mozilla's DeepSpeech 0.9.3; its letters, loss
  and search are in `ctc`, and `deepspeech_training` trains a small one.

`create` makes each of them by its name.
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...command import UserError
from ...command.run import quiet_tensorflow
from .base import Recognizer
from .program import Command
from .sphinx import PocketSphinx

__all__ = ["RECOGNIZERS", "Command", "PocketSphinx", "Recognizer", "create"]


def _deepspeech(deepspeech_checkpoint: str | None = None, scorer: str | None = None) -> Recognizer:
    if deepspeech_checkpoint is None:
        raise UserError(
            "the recognizer deepspeech needs --deepspeech_checkpoint: the released TensorFlow "
            "checkpoint, or a folder of python -m wideband.evaluate.train_deepspeech"
        )
    quiet_tensorflow()
    from .deepspeech import SIZES, DeepSpeech

    own = Path(deepspeech_checkpoint, SIZES).is_file()
    load = DeepSpeech.from_weights if own else DeepSpeech.from_checkpoint
    return load(deepspeech_checkpoint, scorer)


# name: what makes the recognizer, of keyword arguments that are settings of the same names
RECOGNIZERS: dict[str, Callable[..., Recognizer]] = {
    "pocketsphinx": PocketSphinx,
    "deepspeech": _deepspeech,
    "cmd": Command,
}


def create(name: str, **settings: Any) -> Recognizer:
    """Makes a recognizer.

    Args:
        name: a key of `RECOGNIZERS`; "cmd" is followed by a colon and the command line.
        **settings: of this recognizer.

    Raises:
        UserError: there is none of this name, it is not installed, or it lacks such a setting.
    """
    kind, colon, command = name.partition(":")
    if kind not in RECOGNIZERS or bool(colon) != (kind == "cmd"):
        choices = ", ".join("cmd:COMMAND" if key == "cmd" else key for key in RECOGNIZERS)
        raise UserError(f"there is no recognizer {name!r}; choose one of {choices}")
    if colon:
        settings["command"] = command
    known = inspect.signature(RECOGNIZERS[kind]).parameters
    for setting in settings:
        if setting not in known:
            raise UserError(f"--{setting} is no setting of the recognizer {kind}; leave it out")
    return RECOGNIZERS[kind](**settings)
