"""Training on mel spectrograms: vocoders, generators, and both together."""

import json
import shutil
from fractions import Fraction

import numpy as np
import pytest
from wideband.command import UserError
from wideband.data_gen import degrade
from wideband.data_gen.dataset import Dataset
from wideband.data_gen.shards import Example
from wideband.models import critics, pretrained
from wideband.train import recipes
from wideband.train.experiment import Experiment
from wideband.train.fit import fit
from wideband.train.overrides import parse_overrides
from wideband.upsample import load

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("eager")]

SHORT = ("patch=8192", "stride=8192", "batch=2", "epochs=1", "steps_per_epoch=1")
VOCODER = (*SHORT, "arguments.width=0.05", "arguments.blocks=2")
GENERATOR = (*SHORT, "arguments.width=0.05", "arguments.blocks=1", "arguments.iterations=1")


@pytest.fixture(scope="module")
def mel_data(noise, make_dataset, tmp_path_factory):
    """A dataset from 8 to 22.05 kHz."""
    ratio, n = Fraction(441, 160), 441 * 40
    splits = {}
    for split, count in (("train", 2), ("valid", 1), ("test", 1)):
        highs = [noise(n, seed) for seed in range(count)]
        splits[split] = [
            Example(f"{split}{k}.wav", split, "", 0.0, high, degrade.hann_sinc_down(high, ratio))
            for k, high in enumerate(highs)
        ]
    settings = {"sample_rate": 22050, "ratio": "441/160", "protocol": "hann_sinc"}
    return make_dataset(tmp_path_factory.mktemp("mel_data"), splits, **settings)


@pytest.fixture
def train(mel_data):
    """Returns a function that trains a recipe for a few steps."""

    def train(folder, name, *settings, initial_weights=None):
        recipe = recipes.get(name, **parse_overrides(settings))
        experiment = Experiment(recipe, Dataset(mel_data), initial_weights)
        return fit(experiment, experiment.open(folder))

    return train


@pytest.fixture(scope="module")
def vocoder_run(mel_data, tmp_path_factory):
    """A run of a vocoder that was not trained."""
    recipe = recipes.get("vocos_laptop", **parse_overrides([*VOCODER]))
    experiment = Experiment(recipe, Dataset(mel_data))
    run = experiment.open(tmp_path_factory.mktemp("runs") / "vocoder")
    training = experiment.build()
    run.record.recipe = training.recipe
    (network,) = training.networks.values()
    run.record.write(run.folder)
    network.save_weights(run.folder / pretrained.KERAS_FILE)
    return run.folder


def test_a_vocoder_learns_from_the_high_sides_of_any_dataset(train, data, tmp_path, mel_data):
    run = train(tmp_path / "run", "vocos_laptop", *VOCODER)
    assert run.record.baselines == {}
    assert {"mel_l1", "multi_resolution_stft", "val_loss"} < run.rows[0].keys()
    experiment = Experiment(recipes.get("vocos_laptop"), Dataset(mel_data))
    low, high = next(iter(experiment._batches(1, "high")))
    np.testing.assert_array_equal(low, high)
    wave, rate = load(run.folder).upsample(high[0, :, 0], 22050)
    assert (len(wave), rate) == (8192, 22050)
    assert np.isfinite(wave).all()
    with pytest.raises(UserError, match="was prepared with sample_rate=16000, and the recipe need"):
        Experiment(recipes.get("vocos_laptop"), Dataset(data))


def test_a_vocoder_is_trained_against_the_critics_of_its_paper(train, tmp_path, monkeypatch):
    # Large kernels would take most of the time.
    monkeypatch.setattr(critics, "SCALE_LAYERS", ((128, 5, 2, 1), (128, 5, 2, 4)))
    monkeypatch.setattr(critics, "PERIODS", (2,))
    settings = [
        *SHORT, "patch=1024", "stride=1024", "arguments.width=0.1",
        "adversarial.critic_width=0.125",
    ]  # fmt: skip
    run = train(tmp_path / "run", "hifigan_v3", *settings)
    names = {"multi_period_all", "multi_scale"}
    assert {"mel_l1", *names, *(f"{name}_features" for name in names)} < run.rows[0].keys()


def test_a_gan_starts_from_a_cnn(train, tmp_path):
    cnn = train(tmp_path / "cnn", "melgan_cnn", *GENERATOR)
    assert {"mel_l1", "mel_mse", "mel_convergence"} < cnn.rows[0].keys()
    # This learning rate does not change the weights, only the statistics of the normalization.
    settings = [*GENERATOR, "adversarial.critic_width=0.02", "optimizer.learning_rate=1e-30"]
    gan = train(tmp_path / "gan", "melgan_srgan", *settings, initial_weights=cnn.folder)
    assert {"srgan", "srgan_features", "mel_l1"} < gan.rows[0].keys()
    before, after = (
        load(run.folder).network.networks()["network"].trainable_weights for run in (cnn, gan)
    )
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_generator_is_trained_with_a_frozen_vocoder(train, vocoder_run, tmp_path, noise):
    vocoder = str(shutil.copytree(vocoder_run, tmp_path / "vocoder"))
    named = f"arguments.vocoder={vocoder}"
    settings = [*GENERATOR, "arguments.mel=nyquist"]
    run = train(tmp_path / "run", "melgan_cnn", *settings, named)
    before = pretrained.checksum(vocoder_run / pretrained.KERAS_FILE)
    assert json.loads((run.folder / "run.json").read_text())["parts"] == {"vocoder": before}
    assert pretrained.checksum(tmp_path / "vocoder" / pretrained.KERAS_FILE) == before
    # The validation loss compares mels, so that the vocoder has no influence on it.
    other = train(tmp_path / "other", "melgan_cnn", *settings)
    assert [row["val_loss"] for row in run.rows] == [row["val_loss"] for row in other.rows]
    assert [row["val_snr"] for row in run.rows] != [row["val_snr"] for row in other.rows]
    own, replaced = (
        load(run.folder, vocoder=name).upsample(noise(8000), 8000)[0]
        for name in (None, "griffin_lim")
    )
    assert own.shape == replaced.shape == (22050,)
    assert np.any(own != replaced)
    _assert_a_changed_vocoder_is_refused(train, run, settings, tmp_path / "vocoder")


def _assert_a_changed_vocoder_is_refused(train, run, settings, vocoder):
    file = vocoder / pretrained.KERAS_FILE
    load(vocoder).network.save_weights(file)
    file.write_bytes(file.read_bytes() + b" ")
    message = "its vocoder .* has other weights than when the run was trained; put them back"
    with pytest.raises(UserError, match=message):
        load(run.folder)
    with pytest.raises(UserError, match="holds a run whose parts has vocoder="):
        train(run.folder, "melgan_cnn", *settings, f"arguments.vocoder={vocoder}")


def test_a_mel_of_another_rate_is_refused(mel_data):
    settings = [*GENERATOR, "arguments.mel=vocos24"]
    recipe = recipes.get("melgan_cnn", **parse_overrides(settings))
    message = (
        r"^sample_rate 22050: this melgan is for 24000 Hz only; prepare a dataset of that rate"
    )
    with pytest.raises(UserError, match=message):
        Experiment(recipe, Dataset(mel_data)).build()


def test_nvsr_learns_from_low_sides_of_any_band(noise, make_dataset, tmp_path):
    ratio, n = Fraction(441, 80), 441 * 12
    splits = {}
    for split in ("train", "valid", "test"):
        high = noise(n, len(split))
        low = degrade.hann_sinc_down(high, ratio)
        splits[split] = [Example(f"{split}.wav", split, "", 0.0, high, low)]
    settings = {"sample_rate": 44100, "ratio": "441/80", "protocol": "hann_sinc"}
    data = make_dataset(tmp_path / "data", splits, **settings)
    smaller = (*SHORT, "patch=2646", "stride=2646", "arguments.width=0.05", "arguments.levels=1")
    changes = parse_overrides([*smaller, "arguments.blocks=1", "arguments.iterations=1"])
    experiment = Experiment(recipes.get("nvsr_laptop", **changes), Dataset(data))
    run = fit(experiment, experiment.open(tmp_path / "run"))
    # Low sides lack a part of the band, which an untrained network does not fill.
    assert 0.1 < run.rows[0]["loss"] < 10
    wave, rate = load(run.folder).upsample(noise(1600), 8000)
    assert (len(wave), rate) == (8820, 44100) and np.isfinite(wave).all()
