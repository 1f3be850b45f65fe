"""Lists the networks, then the trained networks that are shipped with the package."""

import sys

from ..command.run import Command, Flags, quiet_tensorflow
from ..command.tables import text_table
from . import build, names, paper, pretrained
from .record import Record


def define_flags(flags: Flags) -> None:
    """Defines no flags: the command has none of its own."""


def main(flags: Flags, arguments: list[str]) -> None:
    """Prints both tables, or only the second one where TensorFlow is not installed."""
    try:
        quiet_tensorflow()
    except ModuleNotFoundError:
        print("The table of all networks needs TensorFlow and Keras: pip install '.[train]'")
    else:
        print(_networks())
    print()
    print(_shipped())


def _networks() -> str:
    """Returns the table of the networks at their published sizes."""
    import keras

    header = ["network", "paper", "parameters", "input", "lengths", "context"]
    rows = []
    for name in names():
        # The table needs shapes only; drawing initial weights would take minutes.
        with keras.StatelessScope(initialize_variables=False):
            network = build(name)
        rows.append(
            [
                name,
                paper(name),
                f"{network.count_params():,}",
                network.wants,
                f"multiples of {network.multiple}",
                "unbounded" if network.context is None else str(network.context),
            ]
        )
    return text_table(header, rows)


def _shipped() -> str:
    """Returns the table of the shipped networks."""
    header = ["shipped", "network", "from Hz", "to Hz", "MB", "files"]
    rows = []
    for name in pretrained.names():
        folder = pretrained.find(name)
        record = Record.read(folder)
        source = f"{record.low_rate:g}"
        if record.band_hz:
            source = "{:g} to {:g}".format(*(2 * hz for hz in record.band_hz))
        megabytes = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
        formats = {"TFLite": pretrained.TFLITE_FILE, "Keras": pretrained.KERAS_FILE}
        rows.append(
            [
                name,
                record.model,
                source,
                str(record.sample_rate),
                f"{megabytes:.1f}",
                ", ".join(each for each, file in formats.items() if (folder / file).is_file()),
            ]
        )
    return text_table(header, rows)


command = Command("python -m wideband.models", define_flags, main)

if __name__ == "__main__":
    sys.exit(command())
