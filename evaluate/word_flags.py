"""The flags of commands that can also measure word errors, and the recognizer that they name."""

from typing import TYPE_CHECKING

from ..command.run import Flags

if TYPE_CHECKING:
    from .words import Recognizer

# Flags that are passed to the recognizer.
_SETTINGS = ("whisper_model", "deepspeech_checkpoint")


def define(flags: Flags) -> None:
    """Defines the flags."""
    flags.boolean(
        "wer", False, "Measure word and character error rates too; takes a minute or more."
    )
    flags.string("recognizer", "pocketsphinx", "For --wer, as in python -m wideband.evaluate.wer.")
    for setting in _SETTINGS:
        recognizer = setting.partition("_")[0]
        flags.string(setting, None, f"For --recognizer={recognizer}, in the same way.")


def create(flags: Flags) -> "Recognizer | None":
    """Makes the recognizer; None without --wer.

    Raises:
        UserError: as in `words.create`.
    """
    if not flags.wer:
        return None
    from . import words

    settings = {name: flags[name].value for name in _SETTINGS if flags[name].value is not None}
    return words.create(flags.recognizer, **settings)
