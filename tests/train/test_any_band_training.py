"""Training of networks for any band: their data, their record, and what they start from."""

import numpy as np
import pytest
from wideband.command import UserError
from wideband.data_gen.dataset import Dataset
from wideband.models.record import Record
from wideband.train import recipes
from wideband.train.experiment import Experiment
from wideband.train.overrides import parse_overrides
from wideband.upsample import load

SMALL = (
    "arguments.width=0.1",
    "arguments.blocks=1",
    "patch=2000",
    "stride=2000",
    "batch=2",
    "epochs=1",
    "steps_per_epoch=1",
)


@pytest.fixture(scope="module")
def experiment(data):
    """Returns a function that describes a small training of the recipe `speech`."""

    def experiment(*settings, initial_weights=None):
        recipe = recipes.get("speech", **parse_overrides([*SMALL, *settings]))
        return Experiment(recipe, Dataset(data), initial_weights)

    return experiment


def test_a_started_run_has_its_band_in_the_record_and_can_be_continued(experiment, tmp_path):
    """The dataset has a ratio of 4."""
    run = experiment().open(tmp_path / "run")
    run.record.recipe = experiment().build().recipe
    run.record.write(run.folder)
    assert Record.read(run.folder).band_hz == (1000, 7500)
    assert experiment().open(run.folder).record.ratio == 1


def test_fine_tuning_starts_from_the_weights_of_such_a_run(experiment, any_band_run):
    training = experiment(initial_weights=any_band_run).build()
    found = training.networks["network"].get_weights()
    expected = load(any_band_run).network.get_weights()
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_fullbandnet_starts_from_the_weights_of_an_overtonenet(experiment, any_band_run):
    training = experiment("model=fullbandnet", "patch=1920", initial_weights=any_band_run).build()
    spectra = (
        each.get_layer("spectrum")
        for each in (training.networks["network"], load(any_band_run).network)
    )
    found, expected = (each.get_layer("amplitude_0_project").get_weights() for each in spectra)
    np.testing.assert_array_equal(found[0], expected[0])


def test_an_overtonenet_of_another_width_is_refused(experiment, any_band_run):
    settings = "model=fullbandnet", "patch=1920", "arguments.width=0.2"
    message = r"its weights do not fit this fullbandnet, since the arguments differ: width 0.1, not"
    with pytest.raises(UserError, match=message):
        experiment(*settings, initial_weights=any_band_run).build()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            ["model=audiounet"],
            "^model audiounet: .*random_band is for .* any band: overtonenet, phonenet, .*audiosr$",
        ),
        (["ratio=4"], "^ratio 4: augmentation.random_band makes all waves at the high rate"),
        (["augmentation.random_band=false"], "^ratio 1 is not a whole number from 2 to"),
    ],
)
def test_a_recipe_that_cannot_work_is_refused(settings, message):
    with pytest.raises(UserError, match=message):
        recipes.get("speech", **parse_overrides(settings))


def test_a_dataset_of_another_rate_is_refused(experiment):
    with pytest.raises(UserError, match="prepared with sample_rate=16000, and the recipe needs 48"):
        experiment("sample_rate=48000")
