"""Command: trains DeepSpeech's acoustic network on a prepared dataset with transcripts.

python -m wideband.evaluate.train_deepspeech --data=data/an4 --output=runs/deepspeech

The flags' defaults are the recipe for AN4, less than an hour of spelled letters and numbers.
Killed and started again with the same flags, it continues after the last whole epoch.
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from ..command import UserError
from ..command.run import quiet_tensorflow, run_command

_DATA = flags.DEFINE_string("data", None, "Folder of a dataset made by wideband-prepare.")
_OUTPUT = flags.DEFINE_string("output", None, "Folder to make or to continue.")
_HIDDEN = flags.DEFINE_integer("hidden", 192, "Width of the layers.", lower_bound=1)
_EPOCHS = flags.DEFINE_integer("epochs", 40, "Times to hear the train split.", lower_bound=1)
_BATCH = flags.DEFINE_integer("batch", 16, "Recordings a step.", lower_bound=1)
_LEARNING_RATE = flags.DEFINE_float("learning_rate", 2e-3, "Of Adam at its peak.", lower_bound=0)
_DROPOUT = flags.DEFINE_float("dropout", 0.1, "Of the dense layers.", 0, 0.9)
_NOISE = flags.DEFINE_float("noise", 0.1, "Deviation of noise on features.", lower_bound=0)
_STRETCH = flags.DEFINE_float("stretch", 0.1, "Part by which tempo varies.", 0, 0.5)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of weights, batches and dropout.", lower_bound=0)


def main(arguments: Sequence[str]) -> None:
    """Trains, and prints what was reached."""
    if arguments:
        raise UserError(f"unexpected argument {arguments[0]!r}; everything is a --flag here")
    if not (_DATA.value and _OUTPUT.value):
        raise UserError("--data and --output are needed")
    quiet_tensorflow()
    from ..train.deepspeech import Settings, train

    settings = Settings(
        hidden=_HIDDEN.value,
        epochs=_EPOCHS.value,
        batch=_BATCH.value,
        learning_rate=_LEARNING_RATE.value,
        dropout=_DROPOUT.value,
        noise=_NOISE.value,
        stretch=_STRETCH.value,
        seed=_SEED.value,
    )
    rows = train(Path(_DATA.value), Path(_OUTPUT.value), settings)
    best = min(rows, key=lambda row: row["val_wer"])
    seconds = sum(row["seconds"] for row in rows)
    print(
        f"{len(rows)} epochs in {seconds / 60:.1f} minutes; the best is epoch "
        f"{best['epoch']:.0f}, with a word error rate of {best['val_wer']:.1%} on validation data"
    )


if __name__ == "__main__":
    run_command(main)
