r"""Command: adds a trained network to the package, where `upsample.load` finds it by its name.

    python -m wideband.train.ship --run=runs/speech_4x --name=speech-4x
    python -m wideband.train.ship --run=runs/stream_4x --tflite=phone.tflite --name=phone-4x \
        --noweights
    python -m wideband.train.ship --run=runs/melgan --name=melgan-22k --vocoder=vocos-22k

A shipped network is a TFLite file, with Keras weights in 16 bits for fine-tuning. Its record does
not contain paths of the machine that trained it. Its model card is models/cards/NAME.md. A network
that needs a vocoder needs a shipped one: ship the vocoder first.
"""

import sys
from pathlib import Path

from ..command.run import Command, Flags, quiet_tensorflow


def define_flags(flags: Flags) -> None:
    """Defines the flags of the command."""
    flags.string("run", None, "Run folder, or a weights file in one.", required=True)
    flags.string("name", None, "Name of the shipped network.", required=True)
    flags.string(
        "tflite",
        None,
        "File that wideband-export made from the run; by default, the 16-bit weights are exported.",
    )
    flags.string(
        "vocoder",
        None,
        "For a network that has one, the shipped vocoder that makes its waves; by default that of "
        "the run, if it is a shipped one.",
    )
    flags.boolean("weights", True, "Also ships the Keras weights, for fine-tuning.")


def main(flags: Flags, arguments: list[str]) -> None:
    """Ships a network, and prints its size."""
    from . import shipper

    tflite = Path(flags.tflite) if flags.tflite else None
    shipper.check(flags.run, flags.name, tflite, flags.vocoder)
    quiet_tensorflow()
    target = shipper.ship(flags.run, flags.name, tflite, flags.weights, flags.vocoder)
    size = sum(path.stat().st_size for path in target.iterdir())
    print(f"{target}: {size / 1e6:.2f} MB; its model card is models/cards/{flags.name}.md")


command = Command("python -m wideband.train.ship", define_flags, main)

if __name__ == "__main__":
    sys.exit(command())
