"""Speech recognizers with one interface, from waves to texts, and their word errors.

- `base`: the interface, `Recognizer`.
- `sphinx`: PocketSphinx, the default.
- `whisper`: OpenAI's Whisper.
- `program`: any program, as `cmd:...`.
- `deepspeech`: features, network and checkpoint of Mozilla's DeepSpeech 0.9.3; `ctc` has its
  alphabet, loss and beam search. `python -m wideband.train.deepspeech` trains a small one.
- `normalization`: brings texts into a form in which they can be compared.
- `word_errors`: compares recognized texts with transcripts; `scores` does so for recordings.

`create` makes a recognizer from its name.
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...command import UserError
from ...command.errors import lookup
from ...command.run import quiet_tensorflow
from .base import Recognizer
from .program import Program
from .sphinx import PocketSphinx
from .whisper import Whisper

__all__ = ["RECOGNIZERS", "PocketSphinx", "Program", "Recognizer", "Whisper", "create"]


def _deepspeech(deepspeech_checkpoint: str | None = None, scorer: str | None = None) -> Recognizer:
    if deepspeech_checkpoint is None:
        raise UserError(
            "the recognizer deepspeech needs --deepspeech_checkpoint: the released TensorFlow "
            "checkpoint, or a run folder of python -m wideband.train.deepspeech"
        )
    path = Path(deepspeech_checkpoint)
    if not (path.is_dir() or path.with_name(f"{path.name}.index").is_file()):
        raise UserError(
            f"{path}: there is no such checkpoint; give its folder, or its path without .index"
        )
    if scorer is not None and not Path(scorer).is_file():
        raise UserError(f"{scorer}: there is no such language model")
    quiet_tensorflow()
    from .deepspeech import SIZES, DeepSpeech

    is_run_folder = (path / SIZES).is_file()
    load = DeepSpeech.from_weights if is_run_folder else DeepSpeech.from_checkpoint
    return load(path, Path(scorer) if scorer else None)


_PROGRAM = "cmd:COMMAND"
# name -> function that makes the recognizer; its keyword arguments are the recognizer's settings.
RECOGNIZERS: dict[str, Callable[..., Recognizer]] = {
    "pocketsphinx": PocketSphinx,
    "whisper": Whisper,
    "deepspeech": _deepspeech,
    _PROGRAM: Program,
}


def create(name: str, **settings: Any) -> Recognizer:
    """Makes a recognizer.

    Args:
        name: a key of `RECOGNIZERS`, or "cmd:" and a command line.
        **settings: settings of this recognizer.

    Raises:
        UserError: there is no such recognizer, it is not installed, or a setting does not apply.
    """
    kind, colon, command = name.partition(":")
    if kind == "cmd" and colon:
        name, settings["command"] = _PROGRAM, command
    make = lookup(RECOGNIZERS, name, "recognizer")
    known = inspect.signature(make).parameters
    for setting in settings:
        if setting not in known:
            raise UserError(f"--{setting} does not apply to the recognizer {kind}; leave it out")
    return make(**settings)
