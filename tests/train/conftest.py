"""Small trainings, in this process."""

import pytest
from wideband.data_gen.dataset import Dataset
from wideband.train import recipes
from wideband.train.overrides import parse_overrides

SMALL = (
    "arguments.width=0.03",
    "patch=2048",
    "stride=1024",
    "batch=4",
    "epochs=4",
    "steps_per_epoch=5",
)
# A network of few layers, whose training step compiles quickly.
QUICK = (
    "model=dnn",
    "arguments.width=0.05",
    "patch=256",
    "stride=256",
    "losses.log_spectral=0",
    "optimizer.schedule=constant",
)


@pytest.fixture(scope="session")
def quick_settings():
    """The overrides that make a training quick."""
    return QUICK


@pytest.fixture(scope="session")
def small_flags():
    """The overrides of a small training, as flags of wideband-train."""
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
    """Returns a function that runs a small training."""
    from wideband.train.fit import fit

    def train(folder, *settings, **options):
        described = experiment(*settings, **options)
        return fit(described, described.open(folder))

    return train


@pytest.fixture(scope="session")
def quick(train):
    """Returns a function that runs a training of a few seconds."""

    def quick(folder, *settings, **options):
        return train(folder, *QUICK, *settings, **options)

    return quick


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
