"""Turns a checkpoint that the authors of a paper released, or a shipped network, into a run folder.

python -m wideband.models.convert CHECKPOINT --from=apbwe --sample_rate=16000 --ratio=2 --output=RUN
python -m wideband.models.convert CHECKPOINT --from=hifigan --output=RUN
python -m wideband.models.convert pytorch_model.bin --from=audiosr --precision=float16 --output=RUN
python -m wideband.models.convert fullband --from=shipped --output=RUN

All commands take the run folder like one of wideband-train. If the config.json of the authors'
training is next to the checkpoint, the rates are read from there. The rate of a vocoder is that of
its mel spectrogram. AudioSR becomes three run folders, see `convert_audiosr`. Of the shipped TFLite
files, speech and fullband are converted, to train them further or to run them on JAX.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..command import UserError
from ..command.errors import UsageError
from ..command.files import replacing
from ..command.run import Command, Flags, quiet_tensorflow
from . import convert_audiosr, torch_checkpoint
from .pretrained import KERAS_FILE, checksum
from .record import Record
from .released import SOURCES, Source
from .released_state import State, Weights

CONFIG = "config.json"


def define_flags(flags: Flags) -> None:
    """Defines the flags of the command."""
    sources = [*SOURCES, "audiosr", "shipped"]
    flags.choice("from", None, sources, "The network of the checkpoint.", required=True)
    flags.integer("sample_rate", None, "The high rate in Hz.", lower_bound=1)
    flags.integer("ratio", None, "The high rate over the low rate.", lower_bound=2, upper_bound=8)
    flags.string("output", None, "The run folder to write; it must not exist.", required=True)
    flags.choice(
        "precision",
        "float32",
        list(convert_audiosr.BYTES),
        "The numbers in the weights file; with float16, it is half as large.",
    )


def main(flags: Flags, arguments: list[str]) -> None:
    """Converts a checkpoint and describes the run."""
    if len(arguments) != 1:
        raise UsageError(f"{len(arguments)} checkpoints; name one")
    checkpoint, output, name = Path(arguments[0]), Path(flags.output), str(flags["from"].value)
    if output.exists():
        raise UserError(f"--output={output}: exists; name another folder")
    if name == "audiosr":
        _rates_of_vocoder(flags, name)
        parameters = convert_audiosr.convert(checkpoint, output, flags.precision)
        _describe(output, name, parameters, "48000 Hz")
        return
    if name == "shipped":
        _convert_shipped(str(checkpoint), output, flags)
        return
    source = SOURCES[name]
    config = _read_config(checkpoint.parent / CONFIG)
    _check_config(config, source)
    # Of a vocoder, the weights show the rate.
    rates = _rates(flags, config, source.rates) if source.rates else None
    layers, weights = _read_weights(checkpoint, source)
    sample_rate, ratio = rates or _rates_of_vocoder(flags, layers["mel"])
    lengths = {
        key: _whole(config, theirs) for key, theirs in source.lengths.items() if theirs in config
    }
    recipe = {
        "name": f"{name}_{ratio}x" if rates else name,
        "source": f"{source.paper}; converted from {checkpoint.name}",
        "model": name,
        "arguments": {**layers, **lengths},
        "sample_rate": sample_rate,
        "ratio": ratio,
        "protocol": source.protocol,
    }
    parameters = _write(output, source, recipe, weights, checkpoint, flags.precision)
    band = f"{sample_rate // ratio} to {sample_rate} Hz" if rates else f"{sample_rate} Hz"
    _describe(output, name, parameters, band)


def _convert_shipped(name: str, output: Path, flags: Flags) -> None:
    """Writes the Keras weights of a shipped network."""
    for flag in ("sample_rate", "ratio"):
        if getattr(flags, flag) is not None:
            raise UsageError(f"--{flag}: a shipped network has its own; leave the flag out")
    quiet_tensorflow()
    from . import shipped_tflite

    model, parameters, sample_rate = shipped_tflite.convert(name, output, flags.precision)
    _describe(output, model, parameters, f"{sample_rate} Hz")


def _describe(output: Path, name: str, parameters: int, band: str) -> None:
    """Prints what was converted."""
    print(
        f"{output}: {name}, {parameters:,} parameters, {band}\n"
        f"next: wideband-upsample RECORDING --model={output}"
    )


def _read_weights(checkpoint: Path, source: Source) -> tuple[dict[str, Any], Weights]:
    """Reads the arguments and the weights of a network from a checkpoint."""
    with torch_checkpoint.opened(checkpoint) as content:
        try:
            state = State(_entry(content, source.entry))
            arguments, weights = source.convert(state)
            state.finish()
        except UserError as error:
            raise UserError(f"{checkpoint}: {error}") from error
    return arguments, weights


def _entry(content: Any, name: str | None) -> Any:
    """Returns the entry of a checkpoint with the weights."""
    if name is None:
        return content
    if not isinstance(content, dict) or name not in content:
        found = [str(key)[:20] for key in content][:5] if isinstance(content, dict) else []
        raise UserError(
            f"has no entry {name!r} but {', '.join(found) or 'none'}; name the checkpoint of the "
            "generator"
        )
    return content[name]


def _read_config(path: Path) -> Mapping[str, Any]:
    """Reads the configuration of the authors' training; an empty one if there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); repair or move it") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: not a JSON object; repair or move it")
    return content


def _check_config(config: Mapping[str, Any], source: Source) -> None:
    """Raises a UserError if the authors' training had settings that the network does not take."""
    for key, needed in source.needs.items():
        if key in config and config[key] != needed:
            raise UserError(
                f"{CONFIG}: {key} {str(config[key])[:80]}: only networks with {key} {needed} are "
                "converted"
            )


def _rates_of_vocoder(flags: Flags, mel: str) -> tuple[int, int]:
    """Returns the rate and the ratio of a network that goes through a mel spectrogram."""
    from .features import MELS

    sample_rate = MELS[mel].sample_rate
    for flag, found in (("sample_rate", sample_rate), ("ratio", 1)):
        if getattr(flags, flag) not in (None, found):
            raise UserError(
                f"--{flag}={getattr(flags, flag)}: this network has {found}; leave the flag out"
            )
    return sample_rate, 1


def _rates(flags: Flags, config: Mapping[str, Any], keys: tuple[str, str]) -> tuple[int, int]:
    """Returns the high rate and the ratio from the flags or the configuration."""
    sample_rate, ratio = flags.sample_rate, flags.ratio
    if all(key in config for key in keys):
        high, low = (_whole(config, key) for key in keys)
        for flag, given, found in (
            ("sample_rate", sample_rate, high),
            ("ratio", ratio, high / low),
        ):
            if given not in (None, found):
                raise UserError(
                    f"--{flag}={given}: {CONFIG} next to the checkpoint says {found:g}; leave the "
                    "flag out, or move the file"
                )
        if high % low or not 2 <= high // low <= 8:
            raise UserError(
                f"{CONFIG}: the rates {low} and {high} Hz must have a whole ratio from 2 to 8"
            )
        return high, high // low
    if sample_rate is None or ratio is None:
        raise UsageError(f"name --sample_rate and --ratio: there is no {CONFIG} with them")
    if sample_rate % ratio:
        raise UserError(f"--sample_rate={sample_rate}: must be a multiple of the ratio, {ratio}")
    return sample_rate, ratio


def _whole(config: Mapping[str, Any], key: str) -> int:
    """Returns a whole number above 0 from the configuration."""
    value = config[key]
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UserError(f"{CONFIG}: {key} {str(value)[:80]!r} must be a whole number above 0")
    return value


def _write(
    output: Path,
    source: Source,
    recipe: dict[str, Any],
    layers: Weights,
    checkpoint: Path,
    precision: str,
) -> int:
    """Writes a run folder; returns the number of parameters."""
    quiet_tensorflow()
    from . import build, weights

    network = build(recipe["model"], **recipe["arguments"])
    part = network.get_layer(source.part)
    for layer, values in layers.items():
        part.get_layer(layer).set_weights(values)
    with replacing(output / KERAS_FILE) as temporary:
        weights.write(network.networks()["network"], temporary, precision)
    Record(recipe, initial_weights={checkpoint.name: checksum(checkpoint)}).write(output)
    return network.count_params()


command = Command("python -m wideband.models.convert", define_flags, main, positional="CHECKPOINT")

if __name__ == "__main__":
    sys.exit(command())
