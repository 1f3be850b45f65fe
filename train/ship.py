"""Command: puts a trained network into the package, where `Upsampler.from_pretrained` finds it.

    python -m wideband.train.ship --run=runs/speech_4x --name=speech-4x
    python -m wideband.train.ship --run=runs/stream_4x --tflite=phone.tflite --name=phone-4x

Weights are shipped in 16 bits, and without the paths of the machine that trained them. A shipped
network has a model card, models/cards/NAME.md.
"""

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from absl import flags

from ..data_gen.command import UserError, quiet_tensorflow, replacing, run_command
from ..models import pretrained

if TYPE_CHECKING:
    from ..upsample import Upsampler

_RUN = flags.DEFINE_string("run", None, "A run folder, or a weights file in one.", required=True)
_TFLITE = flags.DEFINE_string(
    "tflite", None, "A file that wideband-export made of it, to ship in place of its weights."
)
_NAME = flags.DEFINE_string("name", None, "What it is called from then on.", required=True)

# Flags of wideband-train that name places.
PLACES = ("--data", "--run", "--initial_weights")


def ship(run: Path, name: str, tflite: Path | None = None) -> Path:
    """Puts a run among the trained networks, in the place of what had its name.

    Args:
        run: a run folder, or a weights file in one.
        name: in small letters, digits and dashes.
        tflite: a file that was exported from it, to ship in place of its weights.

    Returns:
        its folder in the package.

    Raises:
        UserError: there is no such run or file, or the file is not of that run, or the name will
            not do.
    """
    # They import soundfile, which --help need not wait for.
    from ..upsample import Upsampler
    from ..upsample.tflite import read
    from ..upsample.upsampler import weights_file

    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise UserError(f"--name={name}: a name has small letters, digits and dashes")
    folder, weights = weights_file(run)
    if tflite and read(tflite)[1].weights_sha256 != pretrained.checksum(weights):
        raise UserError(f"{tflite} was not made of {weights}; export it again")
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    del record["data"]
    record["flags"] = [flag for flag in record["flags"] if flag.partition("=")[0] not in PLACES]
    upsampler = Upsampler.from_tflite(tflite) if tflite else Upsampler.from_run(run)
    record["answer"] = [round(float(sample), 6) for sample in answer(upsampler)]
    target = pretrained.WEIGHTS / name
    shutil.rmtree(target, ignore_errors=True)
    with replacing(target / pretrained.RECORD) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    if tflite:
        with replacing(target / pretrained.TFLITE_FILE) as temporary:
            shutil.copyfile(tflite, temporary)
    else:
        with replacing(target / pretrained.KERAS_FILE) as temporary:
            halve(weights, temporary)
    _write_sums()
    return target


def answer(upsampler: "Upsampler") -> np.ndarray:
    """Gives some samples of what a network makes of a chirp in noise; shipped ones keep theirs.

    Args:
        upsampler: of the network.

    Returns:
        float32 of shape (64,).
    """
    instants = np.arange(upsampler.low_rate) / upsampler.low_rate
    chirp = np.sin(np.pi * upsampler.low_rate / 2 * instants**2)
    noise = np.random.default_rng(0).normal(0, 0.1, len(instants))
    restored, _ = upsampler.upsample(0.3 * (chirp + noise), upsampler.low_rate)
    return restored[:: len(restored) // 64][:64]


def halve(source: Path, target: Path) -> None:
    """Copies a weights file of Keras with its numbers in 16 bits, which Keras reads as well."""
    import h5py

    with h5py.File(source) as old, h5py.File(target, "w") as new:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):
                kind = "float16" if item.dtype.kind == "f" else item.dtype
                copied = new.create_dataset(name, data=item[()].astype(kind))
            else:
                copied = new.require_group(name)
            copied.attrs.update(item.attrs)

        new.attrs.update(old.attrs)
        old.visititems(copy)


def _write_sums() -> None:
    """Writes the checksums of all files that are there."""
    files = sorted(path for path in pretrained.WEIGHTS.glob("*/*") if path.is_file())
    lines = [
        f"{pretrained.checksum(path)}  {path.relative_to(pretrained.WEIGHTS).as_posix()}\n"
        for path in files
    ]
    with replacing(pretrained.WEIGHTS / pretrained.SUMS) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")


def main(arguments: Sequence[str]) -> None:
    """Ships the network that the flags name."""
    if arguments:
        raise UserError(f"unexpected argument {arguments[0]!r}; flags are written --name=value")
    quiet_tensorflow()
    tflite = Path(_TFLITE.value) if _TFLITE.value else None
    target = ship(Path(_RUN.value), _NAME.value, tflite)
    size = sum(path.stat().st_size for path in target.iterdir())
    print(f"{target}: {size / 1e6:.2f} MB; its model card is models/cards/{_NAME.value}.md")


if __name__ == "__main__":
    run_command(main)
