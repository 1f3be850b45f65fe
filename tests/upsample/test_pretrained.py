"""The shipped networks: their output is unchanged on both runtimes, and damage is found."""

import functools
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from wideband.command import UserError
from wideband.models import pretrained
from wideband.models.record import Record
from wideband.train import recipes
from wideband.train.recipe import Recipe
from wideband.train.shipper import answer
from wideband.upsample import load
from wideband.upsample.picking import DEFAULTS

# All shipped networks, on both runtimes.
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SECTIONS = ("## What it is for", "## What it is bad at", "## Data and licence", "## Train it again")
# Networks with Keras weights, for fine-tuning.
WITH_KERAS = [
    name
    for name in pretrained.names()
    if f"{name}/{pretrained.KERAS_FILE}" in pretrained.read_sums()
]

# Trained by benchmarks/train_packed.py.
PACKED = {"speech", "phone"}
EIGHT_BITS = {"fullband", "speech", "phone", "phone-4x", "audiounet-2x", "audiounet-4x"}


@functools.cache
def on_keras(name):
    """A network with its Keras weights, which is compiled for each length only once."""
    return load(pretrained.find(name) / pretrained.KERAS_FILE)


@pytest.mark.parametrize("name", pretrained.names())
def test_a_shipped_network_has_its_recorded_output(name, snr):
    expected = np.array(Record.read(pretrained.find(name)).answer)
    assert np.abs(expected).max() > 0.05
    # Processors round sums of 8-bit weights differently; 16-bit weights reach 66 dB.
    limit_db = 25 if name in EIGHT_BITS else 40
    assert snr(expected, answer(load(name))) > limit_db
    if name in WITH_KERAS:
        assert snr(expected, answer(on_keras(name))) > limit_db


@pytest.mark.parametrize("name", WITH_KERAS)
def test_both_runtimes_restore_the_same_wave(name, speech, noise, snr):
    lite, keras = load(name), on_keras(name)
    low = speech(48000)[:: lite.ratio]
    bursts = np.repeat(np.arange(8) % 2, len(low) // 8)
    waves = {"speech": low, "bursts": 3 * noise(len(bursts)) * bursts}
    for kind, wave in waves.items():
        found, expected = (
            each.upsample(wave, each.low_rate, keep_low_band=False)[0] for each in (lite, keras)
        )
        assert snr(expected, found) > 75, kind


@pytest.mark.parametrize("name", WITH_KERAS)
def test_both_runtimes_are_clean_on_silence_and_faint_noise(name, noise, snr):
    lite, keras = load(name), on_keras(name)
    silence = np.zeros(20000, np.float32)
    assert not lite.upsample(silence, lite.low_rate)[0].any()
    assert not keras.upsample(silence, keras.low_rate)[0].any()
    faint = 1e-3 * noise(20000)
    found, expected = (
        each.upsample(faint, each.low_rate, keep_low_band=False)[0] for each in (lite, keras)
    )
    assert snr(expected, found) > 75


@pytest.mark.parametrize("name", pretrained.names())
def test_every_shipped_network_has_a_card(name):
    card = (ROOT / "models" / "cards" / f"{name}.md").read_text()
    assert card.startswith(f"# {name}\n")
    for section in SECTIONS:
        assert section in card
    assert all(source in card for source in ("LibriSpeech", "CC BY 4.0", "AN4", "Picovoice"))


def test_shipped_files_are_listed_with_their_checksums_and_small():
    files = [path for path in pretrained.WEIGHTS.rglob("*") if path.is_file()]
    listed = {pretrained.WEIGHTS / file for file in pretrained.read_sums()}
    assert {*files} == {*listed, pretrained.WEIGHTS / pretrained.SUMS}
    assert sum(path.stat().st_size for path in files) < 31e6
    for name in pretrained.names():
        assert (pretrained.find(name) / pretrained.TFLITE_FILE).is_file()
    assert {*DEFAULTS, *WITH_KERAS} <= {*pretrained.names()}


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A copy of the shipped networks, which are loaded from there."""
    folder = shutil.copytree(pretrained.WEIGHTS, tmp_path / "weights")
    monkeypatch.setattr(pretrained, "WEIGHTS", folder)
    return folder


@pytest.mark.parametrize("file", ["network.tflite", "best.weights.h5", "run.json"])
@pytest.mark.parametrize("damage", ["changed", "truncated", "removed", "another's"])
def test_a_damaged_network_is_refused_in_one_line(copied, file, damage):
    path = copied / "speech-4x" / file
    content = bytearray(path.read_bytes())
    if damage == "removed":
        path.unlink()
    elif damage == "another's":
        shutil.copy(copied / "speech-2x" / "network.tflite", path)
    elif damage == "changed":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        path.write_bytes(content[:-1])
    with pytest.raises(UserError, match=f"{file}: missing or damaged; install wideband again"):
        load("speech-4x")
    # Undamaged networks can still be used.
    assert load("phone-4x").name == "phone-4x"


@pytest.mark.parametrize("name", pretrained.names())
def test_a_shipped_network_can_be_trained_again_with_a_recipe(name):
    shipped = Recipe.from_json(Record.read(pretrained.find(name)).recipe)
    trained = "fullband_gan" if name == "fullband" else name
    recipe = recipes.get(trained.replace("phone-", "stream-").replace("-", "_"))
    # The arguments for the ratio and the patch are added when the network is built.
    assert shipped.arguments.items() >= recipe.arguments.items()
    changed = ["name", "source", "precision", "arguments"]
    if name == "fullband":
        changed += ["starts_from"]
    if name in PACKED:
        changed += ["patch", "batch", "optimizer", "epochs", "steps_per_epoch"]
    assert replace(recipe, **{key: getattr(shipped, key) for key in changed}) == shipped
