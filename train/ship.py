"""Command: puts a trained network into the package, where `Upsampler.from_pretrained` finds it.

    python -m wideband.train.ship --run=runs/speech_4x --name=speech-4x
    python -m wideband.train.ship --run=runs/stream_4x --tflite=phone.tflite --name=phone-4x

Weights are shipped in 16 bits, and without the paths of the machine that trained them. A shipped
network has a model card, models/cards/NAME.md.
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from ..command import UserError
from ..command.run import quiet_tensorflow, run_command

_RUN = flags.DEFINE_string("run", None, "A run folder, or a weights file in one.", required=True)
_TFLITE = flags.DEFINE_string(
    "tflite", None, "A file that wideband-export made of it, to ship in place of its weights."
)
_NAME = flags.DEFINE_string("name", None, "What it is called from then on.", required=True)


def main(arguments: Sequence[str]) -> None:
    """Ships the network that the flags name."""
    if arguments:
        raise UserError(f"unexpected argument {arguments[0]!r}; flags are written --name=value")
    quiet_tensorflow()
    from .shipper import ship

    tflite = Path(_TFLITE.value) if _TFLITE.value else None
    target = ship(Path(_RUN.value), _NAME.value, tflite)
    size = sum(path.stat().st_size for path in target.iterdir())
    print(f"{target}: {size / 1e6:.2f} MB; its model card is models/cards/{_NAME.value}.md")


if __name__ == "__main__":
    run_command(main)
