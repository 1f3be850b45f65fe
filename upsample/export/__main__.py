"""wideband-export: writes a trained network as a TFLite file, for phones and small computers.

wideband-export --run=runs/demo --output=demo.tflite --quantize=dynamic
wideband-export --run=runs/demo --output=demo.tflite --quantize=int8 --data=data/demo
"""

import sys
from pathlib import Path

from ...command import UserError
from ...command.paths import check_suffix
from ...command.run import Command, Flags, quiet_tensorflow


def define_flags(flags: Flags) -> None:
    """Defines the flags of the command."""
    flags.string(
        "run",
        None,
        "A run folder, a weights file in one, or the name of a shipped network with Keras weights.",
        required=True,
    )
    flags.string("output", None, "The file to write, x.tflite.", required=True)
    flags.choice(
        "quantize",
        "none",
        ["none", "float16", "dynamic", "int8"],
        "none: float32, but weights that are 16-bit numbers, as in the shipped networks, are "
        "stored in 16 bits without loss. float16: weights in 16 bits. dynamic: weights in 8 bits. "
        "int8: weights and computation in 8 bits, calibrated on the training split of --data. "
        "Inputs and outputs are always float32.",
    )
    flags.integer(
        "window",
        None,
        "Samples per call, at the rate of the network's input. Default: the patch of a network "
        "that takes whole patches, otherwise four times its context, half of which is kept. With a "
        "context above 16384 samples, the file takes four, seven and twelve times the context, but "
        "in int8 twelve times only. A streaming network takes one length only.",
        lower_bound=1,
    )
    flags.string(
        "data",
        None,
        "A dataset of wideband-prepare, for int8. Default: that of the run's training.",
    )
    flags.string("licence", "", "Licence of the weights, stored in the file.")


def main(flags: Flags, arguments: list[str]) -> None:
    """Exports a network and describes the file."""
    from ..loading import find_record, find_run

    output, data = Path(flags.output), Path(flags.data) if flags.data else None
    check_suffix("output", output, ".tflite")
    find_run(flags.run)
    if flags.quantize == "int8" and data is None:
        _, record = find_record(flags.run)
        if record.data is None or not Path(record.data).is_dir():
            raise UserError(
                "--quantize=int8 is calibrated on training data; name a dataset with --data"
            )
        data = Path(record.data)
    if data is not None:
        from ...data_gen.dataset import Dataset

        Dataset(data)  # refuses an unfinished dataset before TensorFlow is imported
    quiet_tensorflow()
    from .exporter import export

    exported = export(flags.run, output, flags.quantize, flags.window, data, flags.licence)
    metadata = exported.metadata
    milliseconds = 1000 * metadata.latency / metadata.sample_rate
    print(
        f"{output}: {metadata.network} as {metadata.quantize}, {exported.size / 1e6:.2f} MB, "
        f"windows of {metadata.window} samples, latency {milliseconds:.0f} ms"
    )
    if metadata.shorter_windows:
        print(f"shorter windows: {', '.join(map(str, metadata.shorter_windows))} samples")
    if metadata.streaming:
        print(f"streaming: states carry {metadata.context} samples from window to window")
    counts = ", ".join(f"{name} {count}" for name, count in exported.operators.most_common())
    signatures = 1 + len(metadata.shorter_windows)
    several = f" in {signatures} signatures" if signatures > 1 else ""
    print(f"{exported.operators.total()} operators{several}, all built in: {counts}")
    print(f"agrees with Keras to {exported.agreement_db:.1f} dB on noise")


command = Command("wideband-export", define_flags, main)

if __name__ == "__main__":
    sys.exit(command())
