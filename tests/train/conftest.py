"""Small trainings, in this process, and run folders without a training."""

import functools
import shutil

import h5py
import numpy as np
import pytest
from step_by_step import train_step_by_step
from wideband.data_gen.dataset import Dataset
from wideband.models import weights
from wideband.train import recipes
from wideband.train.identity import new_record
from wideband.train.overrides import parse_overrides
from wideband.train.run import Run

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
    """Returns a function that runs a small training of a second or two."""
    from wideband.train.fit import fit

    def train(folder, *settings, **options):
        described = experiment(*settings, **options)
        return fit(described, described.open(folder))

    return train


@pytest.fixture
def no_curves(monkeypatch):
    """Trains without drawing curves, which takes half a second per epoch."""
    from wideband.train import fit

    monkeypatch.setattr(fit, "png", lambda figure: b"")


@pytest.fixture
def eager(no_curves, monkeypatch):
    """Trains without graphs, which take seconds to compile, and without drawing curves."""
    from wideband.train import steps

    monkeypatch.setattr(steps, "compile_step", train_step_by_step)


def _copy_after_first_epoch(patch, target):
    finish = Run.finish_epoch

    def finish_and_copy(run, rows):
        finish(run, rows)
        if run.epoch == 1:
            shutil.copytree(run.folder, target)

    patch.setattr(Run, "finish_epoch", finish_and_copy)


@pytest.fixture
def copy_after_first_epoch(monkeypatch):
    """Returns a function that has the next training copied after its first epoch.

    The copy is the folder of a training that was stopped there.
    """
    return functools.partial(_copy_after_first_epoch, monkeypatch)


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
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        _copy_after_first_epoch(patch, folder / "stopped")
        return train(folder / "finished").folder


@pytest.fixture
def stopped(finished, tmp_path):
    """The folder of the same run, stopped after its first epoch."""
    return shutil.copytree(finished.with_name("stopped"), tmp_path / "stopped")


_RECIPE = {
    "name": "demo",
    "source": "ours",
    "model": "audiounet",
    "arguments": {"width": 0.05},
    "sample_rate": 16000,
    "ratio": 4,
    "protocol": "decimate_spline",
    "patch": 256,
    "optimizer": {"learning_rate": 0.1},
}


class _Network:
    """A network with one weight, a number."""

    name = "network"

    def __init__(self, number=0):
        self.number, self.weights = number, [number]

    def save_weights(self, file):
        with h5py.File(file, "w") as opened:
            opened["number"] = np.float32([self.number])

    def load_weights(self, file):
        with h5py.File(file) as opened:
            self.number = int(opened["number"][0])


class _Variable:
    """A variable of an optimizer."""

    def __init__(self, value):
        self.value = np.float32(value)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.value)

    def assign(self, value):
        if np.shape(value) != ():
            raise ValueError("another shape")
        self.value = value


class _Runs:
    """Opens and fills run folders; the weights of an epoch are its number."""

    network, recipe = _Network, _RECIPE

    def open(self, folder, recipe=None, **options):
        return Run(folder, new_record(recipe or self.recipe), **{"epochs": 9, **options})

    def row(self, epoch, loss=1.0, snr=1.0):
        """A row of the history."""
        validation = {"val_loss": loss, "val_snr": snr, "val_lsd": 1.0}
        return {"epoch": epoch, "loss": 1.0, **validation, "seconds": 0.5}

    def state(self, epoch):
        """The variables of an optimizer."""
        return [_Variable(epoch), _Variable(-epoch)]

    def fill(self, run, losses, snrs=None, networks=("network",)):
        """Adds epochs with these validation losses."""
        for loss, snr in zip(losses, snrs or losses, strict=True):
            epoch = run.epoch + 1
            saved = {name: _Network(10 * number + epoch) for number, name in enumerate(networks)}
            run.finish_epoch(run.save(self.row(epoch, loss, snr), saved, self.state(epoch)))
        return run

    def restore(self, folder):
        """Continues a run; returns its weight."""
        network = _Network()
        self.open(folder).restore({"network": network}, self.state(0))
        return network.number

    def read_number(self, path):
        """Reads the weight in a file."""
        network = _Network()
        weights.load(network, path, "")
        return network.number


@pytest.fixture(scope="session")
def runs():
    """Opens and fills run folders without a training."""
    return _Runs()
