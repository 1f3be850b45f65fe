"""Training from packed recordings, without TensorFlow's pipeline and without shards."""

import csv
import importlib

import numpy as np
import pytest
import soundfile
from wideband import audio, models, upsample
from wideband.data_gen.augment import Augmentation

RATE, PATCH = 16000, 2000


@pytest.fixture
def corpus(tmp_path, noise):
    """The manifest of two training recordings, one of them at another rate, and one other."""
    rows = []
    for number, (split, rate) in enumerate([("train", RATE), ("train", 22050), ("valid", RATE)]):
        path = f"{split}{number}.wav"
        soundfile.write(tmp_path / path, 0.1 * noise(rate, seed=number), rate)
        rows.append({"split": split, "path": path, "speaker": "a", "text": ""})
    manifest = tmp_path / "manifest.csv"
    with manifest.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return manifest


def test_the_recordings_of_the_training_split_are_packed(script, corpus, call, tmp_path):
    module = script("train_packed")
    packs = [tmp_path / "a.npz", tmp_path / "b.npz"]
    flags = [f"--manifest={corpus}", *(f"--pack={path}" for path in packs)]
    code, _, error = call(module.command, *flags, "--level=0", "--processes=1")
    assert (code, error) == (0, "")
    packed = script("packed")
    for path, name in zip(packs, ("train0", "train1"), strict=True):
        (content,) = packed.unpack([path])
        found = packed.decode(content)
        wave, rate = audio.read(tmp_path / f"{name}.wav")
        expected = audio.resample(wave[:, 0], rate, RATE)
        assert len(found) == pytest.approx(RATE, abs=1)
        # Opus has no content at the very top of the band.
        found, expected = (np.fft.rfft(side, RATE)[100:6000] for side in (found, expected))
        assert np.abs(found - expected).std() < 0.2 * np.abs(expected).std()


def test_patches_have_a_low_side_of_random_band(script, noise):
    packed = script("packed")
    wave = 0.1 * noise(RATE)
    patches = packed.cut((wave, RATE, PATCH, 500, Augmentation(random_band=True), 3))
    assert patches.shape[1:] == (2, PATCH)
    high = patches[0, 1]
    start = next(k for k in range(500) if (wave[k : k + PATCH] == high).all())
    for number, (_, high) in enumerate(patches):
        np.testing.assert_array_equal(high, wave[start + 500 * number :][:PATCH])
    spectra = np.abs(np.fft.rfft(patches, axis=-1))
    assert spectra[:, 0, -100:].mean() < 0.2 * spectra[:, 1, -100:].mean()
    loud = packed.cut((wave, RATE, PATCH, 500, Augmentation(gain_db=40.0), 3))
    gains = np.abs(loud).max(axis=-1) / np.abs(patches).max(axis=-1)
    np.testing.assert_allclose(gains[:, 0], gains[:, 1], rtol=1e-5)
    assert 0.01 < gains.min() < gains.max() < 100 and len(np.unique(gains)) > 10


@pytest.mark.slow
def test_a_run_is_trained_for_some_time(script, corpus, call, tmp_path, monkeypatch):
    module = script("train_packed")
    monkeypatch.setattr(importlib.import_module("packed"), "SHUFFLED", 4)
    pack, run = tmp_path / "a.npz", tmp_path / "run"
    assert call(module.command, f"--manifest={corpus}", f"--pack={pack}", "--processes=1")[0] == 0
    settings = ("patch=2000", "stride=1000", "batch=2", "arguments.width=0.05")
    settings += ("arguments.blocks=1", "losses.log_spectral=0", "optimizer.learning_rate=0.1")
    flags = ["--recipe=speech", *(f"--set={each}" for each in settings), f"--pack={pack}"]
    flags += ["--minutes=0.01", "--processes=1", f"--run={run}"]
    code, _, error = call(module.command, *flags)
    assert (code, error) == (0, "")
    model = upsample.load(run)
    wave = np.zeros(4000, np.float32)
    assert model.upsample(wave, RATE)[0].shape == (4000,)
    fresh = models.build("duonet", width=0.05, blocks=1)
    weights = zip(model.network.get_weights(), fresh.get_weights(), strict=True)
    assert any(np.abs(a).max() > 0 and not np.abs(b).max() for a, b in weights)


def test_recipes_for_one_band_are_refused(script, call, error_line, tmp_path):
    module = script("train_packed")
    result = call(module.command, "--recipe=demo", f"--pack={tmp_path / 'a'}", "--run=r")
    assert "recipe demo must be for any band" in error_line(result[2])
