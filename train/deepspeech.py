"""Command: trains DeepSpeech's acoustic network on a prepared dataset with transcripts.

    python -m wideband.train.deepspeech --data=data/an4 --run=runs/deepspeech

The defaults are the recipe for AN4, less than an hour of spelled letters and numbers. A run that
was stopped continues when the same command is started again. `DeepSpeech.from_weights` loads the
network of a run.
"""

import dataclasses
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..command import UserError
from ..command.run import Command, Flags, quiet_tensorflow
from .distribution.base import ONE

if TYPE_CHECKING:
    import keras

    from ..data_gen.dataset import Dataset
    from .run import Run
    from .training import Training

SAMPLE_RATE = 16000
# Of what `evaluate.words.deepspeech` loads.
LARGEST_HIDDEN = 8192


@dataclass(frozen=True)
class Settings:
    """The recipe of a training."""

    hidden: int = 192  # width of the layers
    epochs: int = 40
    batch: int = 16  # recordings
    learning_rate: float = 2e-3  # the peak of Adam's, after a warm-up and before a cosine to 0
    dropout: float = 0.1
    noise: float = 0.1  # standard deviation of the noise on the features
    stretch: float = 0.1  # largest relative change of the tempo
    seed: int = 0


class DeepSpeechExperiment:
    """The training of DeepSpeech's network on a dataset.

    Args:
        settings: the recipe.
        dataset: at 16 kHz, with transcripts.

    Raises:
        UserError: the dataset has another rate or no transcripts, or jiwer is missing.
    """

    precision, distribution = "float32", ONE

    def __init__(self, settings: Settings, dataset: "Dataset") -> None:
        if dataset.sample_rate != SAMPLE_RATE:
            raise UserError(
                f"{dataset.folder} has {dataset.sample_rate} Hz; prepare it with "
                f"--sample_rate={SAMPLE_RATE}"
            )
        for split in ("train", "valid"):
            if not dataset.texts(split):
                raise UserError(
                    f"{dataset.folder}: no recording of the {split} split has a transcript; "
                    "prepare a corpus with transcripts"
                )
        if importlib.util.find_spec("jiwer") is None:
            raise UserError(
                "validation needs jiwer, which is not installed; "
                "pip install '.[evaluate]' in wideband's folder"
            )
        self.settings, self.dataset, self.seed = settings, dataset, settings.seed

    @property
    def remedy(self) -> str:
        """The flag to try if the loss diverges."""
        return f"--learning_rate={self.settings.learning_rate / 3:.1g}"

    def open(self, folder: Path, flags: list[str] | None = None) -> "Run":
        """Opens a new run folder, or that of a run of this experiment that was stopped.

        Args:
            folder: the run folder.
            flags: the command line, for run.json.

        Raises:
            UserError: the folder holds another run.
        """
        from .identity import new_record
        from .run import Run

        record = new_record(
            self._recipe(),
            dataset=self.dataset.identity,
            data=str(self.dataset.folder.absolute()),
            flags=flags or [],
        )
        return Run(folder, record, self.settings.epochs, validation=("val_wer",))

    def build(self) -> "Training":
        """Builds the network and its objective, and reads the recordings.

        Raises:
            UserError: no transcript is in English letters.
        """
        import keras

        from ..evaluate.words import deepspeech
        from . import utterances
        from .methods import transcription
        from .training import Training

        settings = self.settings
        train, valid = (utterances.read(self.dataset, split) for split in ("train", "valid"))
        keras.utils.set_random_seed(settings.seed)
        network = deepspeech.build(settings.hidden, settings.dropout, settings.noise)
        steps = -(-len(train) // settings.batch)
        objectives = transcription.objectives(network)
        for objective in objectives:
            objective.compile(_optimizer(settings, steps), jit_compile=False)
        return Training(
            recipe=self._recipe(),
            networks={"network": network},
            objectives=objectives,
            steps=steps,
            batches=lambda epoch: utterances.batches(
                train, settings.batch, settings.stretch, settings.seed, epoch
            ),
            validate=lambda: {"val_wer": utterances.word_error_rate(network, valid)},
            files={deepspeech.SIZES: {"hidden": settings.hidden}},
        )

    def _recipe(self) -> dict[str, Any]:
        """Returns the settings as the recipe of a run.json.

        The network learns from the high-rate waves only; `Record` needs the dataset's ratio and
        protocol.
        """
        return {
            "name": "deepspeech",
            "source": "Hannun et al. 2014, as in mozilla/DeepSpeech 0.9.3",
            "model": "deepspeech",
            "arguments": {"hidden": self.settings.hidden},
            "sample_rate": SAMPLE_RATE,
            "ratio": str(self.dataset.ratio),
            "protocol": self.dataset.protocol,
            **dataclasses.asdict(self.settings),
        }


def _optimizer(settings: Settings, steps_per_epoch: int) -> "keras.optimizers.Optimizer":
    import keras

    steps = steps_per_epoch * settings.epochs
    warmup = steps // 20
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps - warmup, warmup_target=settings.learning_rate, warmup_steps=warmup
    )
    return keras.optimizers.Adam(schedule, global_clipnorm=1.0)


def define_flags(flags: Flags) -> None:
    """Defines the flags of the command."""
    default = Settings()
    flags.string("data", None, "Folder of a dataset made by wideband-prepare.", required=True)
    flags.string("run", None, "Run folder to create or to continue.", required=True)
    flags.integer(
        "hidden",
        default.hidden,
        "Width of the layers.",
        lower_bound=1,
        upper_bound=LARGEST_HIDDEN,
    )
    flags.integer(
        "epochs", default.epochs, "Passes over the train split.", lower_bound=1, upper_bound=10**6
    )
    flags.integer("batch", default.batch, "Recordings per step.", lower_bound=1, upper_bound=4096)
    flags.number(
        "learning_rate", default.learning_rate, "Peak for Adam.", lower_bound=1e-30, upper_bound=1e3
    )
    flags.number(
        "dropout", default.dropout, "Rate in the dense layers.", lower_bound=0, upper_bound=0.9
    )
    flags.number(
        "noise",
        default.noise,
        "Standard deviation of the noise on the features.",
        lower_bound=0,
        upper_bound=100,
    )
    flags.number(
        "stretch",
        default.stretch,
        "Largest relative change of the tempo.",
        lower_bound=0,
        upper_bound=0.5,
    )
    flags.integer("seed", default.seed, "Seed of weights, batches and dropout.")


def main(flags: Flags, arguments: list[str]) -> None:
    """Trains, and prints the best epoch."""
    from ..data_gen.dataset import Dataset

    values: dict[str, Any] = {
        each.name: flags[each.name].value for each in dataclasses.fields(Settings)
    }
    experiment = DeepSpeechExperiment(Settings(**values), Dataset(Path(flags.data)))
    run = experiment.open(Path(flags.run), command.line()[1:])

    quiet_tensorflow()
    from .fit import fit

    fit(experiment, run)
    seconds = sum(row["seconds"] for row in run.rows)
    epochs = "epoch" if run.epoch == 1 else "epochs"
    print(
        f"{run.epoch} {epochs} in {seconds / 60:.1f} minutes; the best is epoch "
        f"{run.best['epoch']}, with a word error rate of {run.best['val_wer']:.1%} on validation "
        "data"
    )


command = Command("python -m wideband.train.deepspeech", define_flags, main)

if __name__ == "__main__":
    sys.exit(command())
