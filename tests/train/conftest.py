"""Small trainings, in this process."""

import pytest
from wideband.data_gen.dataset import Dataset
from wideband.train import recipes
from wideband.train.overrides import parse_overrides

# A network that compiles quickly and has what a checkpoint must restore: dropout and batch
# normalization.
SMALL = (
    "model=keras_unet",
    "arguments.width=0.05",
    "patch=256",
    "stride=256",
    "batch=4",
    "epochs=3",
    "steps_per_epoch=5",
    "losses.log_spectral=0",
    "losses.mse=0.5",
)


@pytest.fixture(scope="session")
def small_flags():
    """The settings of a small training, as flags of wideband-train."""
    return ["--recipe=demo", *(f"--set={setting}" for setting in SMALL)]


@pytest.fixture(scope="session")
def experiment(data):
    """Returns a function that describes a small training on `data`."""
    from wideband.train.experiment import Experiment

    def experiment(*settings, folder=data, initial_weights=None):
        recipe = recipes.get("demo", **parse_overrides([*SMALL, *settings]))
        return Experiment(recipe, Dataset(folder), initial_weights)

    return experiment


@pytest.fixture(scope="session")
def train(experiment):
    """Returns a function that runs a small training of a few seconds."""
    from wideband.train.fit import fit

    def train(folder, *settings, **options):
        described = experiment(*settings, **options)
        return fit(described, described.open(folder))

    return train


@pytest.fixture(scope="session")
def history(rows):
    """Returns a function that reads a history without its timings, which differ between runs."""

    def history(folder):
        return [
            {key: value for key, value in row.items() if key != "seconds"}
            for row in rows(folder / "history.csv")
        ]

    return history


@pytest.fixture(scope="session")
def finished(train, tmp_path_factory):
    """The folder of a small run that was never stopped."""
    return train(tmp_path_factory.mktemp("runs") / "finished").folder
