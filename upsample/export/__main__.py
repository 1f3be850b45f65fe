"""wideband-export: makes a TFLite file of a trained network, for phones and small computers.

wideband-export --model=runs/demo --output=demo.tflite --quantize=dynamic
wideband-export --model=runs/demo --output=demo.tflite --quantize=int8 --data=data/demo
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from ...command import UserError
from ...command.run import quiet_tensorflow, run_command

_MODEL = flags.DEFINE_string(
    "model", None, "A run folder, or a weights file in one.", required=True
)
_OUTPUT = flags.DEFINE_string("output", None, "The file to write, x.tflite.", required=True)
_QUANTIZE = flags.DEFINE_enum(
    "quantize",
    "none",
    ["none", "float16", "dynamic", "int8"],
    "none: float32. float16: weights in 16 bits. dynamic: weights in 8 bits. int8: weights and "
    "computation in 8 bits, calibrated on the training part of --data. Waves go in and out as "
    "float32 in every one.",
)
_WINDOW = flags.DEFINE_integer(
    "window",
    None,
    "Samples that the file takes at once, at the rate that the network wants. By default the patch "
    "of a network that sees all of it, else four times its context, half of which is good. A "
    "streaming network takes its step only.",
    lower_bound=1,
)
_DATA = flags.DEFINE_string("data", None, "A dataset of wideband-prepare, for int8.")
_LICENCE = flags.DEFINE_string("licence", "", "Licence of the weights, kept in the file.")


def main(arguments: Sequence[str]) -> None:
    """Exports the network that the flags name, and prints what became of it."""
    if arguments:
        raise UserError(f"unexpected argument {arguments[0]!r}; flags are written --name=value")
    quiet_tensorflow()
    from .exporter import export

    done = export(
        Path(_MODEL.value),
        Path(_OUTPUT.value),
        _QUANTIZE.value,
        _WINDOW.value,
        Path(_DATA.value) if _DATA.value else None,
        _LICENCE.value,
    )
    facts = done.facts
    print(
        f"{_OUTPUT.value}: {facts.network} as {facts.quantize}, {done.size / 1e6:.2f} MB, windows "
        f"of {facts.window} samples, latency {1000 * facts.latency / facts.sample_rate:.0f} ms"
    )
    if facts.streaming:
        print(f"streaming: states go from window to window, {facts.context} samples back")
    counts = ", ".join(f"{name} {count}" for name, count in done.operators.most_common())
    print(f"{done.operators.total()} operators, all built in: {counts}")
    print(f"agrees with Keras on noise to {done.agreement_db:.1f} dB")


def run() -> None:
    """Starts the command."""
    run_command(main)


if __name__ == "__main__":
    run()
