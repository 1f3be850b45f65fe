"""The trained networks of the package: what is there, that it loads, and what guards it."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from wideband.command import UserError
from wideband.evaluate import metrics
from wideband.models import pretrained
from wideband.train import recipes
from wideband.train.recipe import Recipe
from wideband.train.shipper import answer
from wideband.upsample import Upsampler, restore

ROOT = Path(__file__).parents[2]
SECTIONS = ("## What it is for", "## What it is bad at", "## Data and licence", "## Train it again")


@pytest.mark.parametrize("name", pretrained.names())
def test_every_shipped_network_gives_what_it_gave_when_it_was_shipped(name):
    upsampler = Upsampler.from_pretrained(name)
    assert upsampler.name == name
    assert (upsampler.sample_rate, upsampler.ratio) == (16000, int(name[-2]))
    expected = np.array(pretrained.record(name)["answer"])
    assert np.abs(expected).max() > 0.05
    # Numbers of 16 bits are right to 66 dB; processors round sums of 8-bit weights differently.
    assert metrics.snr(expected, answer(upsampler)) > (40 if pretrained.find(name).is_dir() else 25)


@pytest.mark.parametrize("name", pretrained.names())
def test_every_shipped_network_has_a_card(name):
    card = (ROOT / "models" / "cards" / f"{name}.md").read_text()
    assert card.startswith(f"# {name}\n")
    for section in SECTIONS:
        assert section in card
    assert all(source in card for source in ("LibriSpeech", "CC BY 4.0", "AN4", "Picovoice"))


def test_what_is_shipped_is_listed_with_its_checksum_and_small():
    files = [path for path in pretrained.WEIGHTS.rglob("*") if path.is_file()]
    listed = {pretrained.WEIGHTS / file for file in pretrained.read_sums()}
    assert {*files} == {*listed, pretrained.WEIGHTS / pretrained.SUMS}
    assert sum(path.stat().st_size for path in files) < 15e6
    assert {*restore.DEFAULTS, *restore.DEFAULTS_WITHOUT_TENSORFLOW} <= {*pretrained.names()}


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """The shipped networks in a folder of their own."""
    folder = shutil.copytree(pretrained.WEIGHTS, tmp_path / "weights")
    monkeypatch.setattr(pretrained, "WEIGHTS", folder)
    return folder


@pytest.mark.parametrize("file", ["best.weights.h5", "run.json"])
@pytest.mark.parametrize("harm", ["changed", "cut short", "removed", "another's"])
def test_a_damaged_network_is_refused_in_one_line(copied, file, harm):
    path = copied / "speech-4x" / file
    content = bytearray(path.read_bytes())
    if harm == "removed":
        path.unlink()
    elif harm == "another's":
        shutil.copy(copied / "speech-2x" / file, path)
    elif harm == "changed":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        path.write_bytes(content[:-1])
    with pytest.raises(UserError, match=f"{file}: missing or damaged; install wideband again"):
        Upsampler.from_pretrained("speech-4x")
    # What is whole can still be used.
    assert pretrained.find("phone-4x").is_file()


@pytest.mark.parametrize("name", ["speech-3x", "", "../weights/speech-4x"])
def test_a_network_that_there_is_not_is_told_with_those_that_there_are(name):
    with pytest.raises(UserError, match=r"no trained network is named .*speech-2x, speech-4x"):
        Upsampler.from_pretrained(name)


def test_a_network_of_the_package_is_loaded_as_a_run():
    by_name = Upsampler.from_run("speech-4x")
    network, other = by_name.network, Upsampler.from_pretrained("speech-4x").network
    for found, expected in zip(network.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_network_for_phones_is_no_run():
    with pytest.raises(UserError, match="phone-4x: a TFLite file, which has no weights for Keras"):
        Upsampler.from_run("phone-4x")


@pytest.mark.parametrize("name", pretrained.names())
def test_a_shipped_network_can_be_trained_again_by_a_recipe(name):
    shipped = Recipe(**pretrained.record(name)["recipe"])
    row = recipes.get(name.replace("phone", "stream").replace("-", "_"))
    # Those of the ratio and the patch are added when the network is built.
    assert shipped.arguments.items() >= row.arguments.items()
    told = ("name", "source", "precision", "arguments")
    assert replace(row, **{key: getattr(shipped, key) for key in told}) == shipped


def test_a_path_goes_before_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "speech-4x").mkdir()
    with pytest.raises(UserError, match=r"run\.json is missing"):
        Upsampler.from_run("speech-4x")
    with pytest.raises(UserError, match=r"run\.json is missing"):
        restore.load("speech-4x", 16000, 4)


@pytest.mark.parametrize(("rate", "expected"), [(8000, "speech-2x"), (4000, "speech-4x")])
def test_the_command_needs_nothing_but_a_recording(rate, expected, speech, tmp_path):
    old = tmp_path / "old.wav"
    wave = speech(16000)[:: 16000 // rate]
    soundfile.write(old, wave + 0.01 * np.random.default_rng(0).normal(size=len(wave)), rate)
    command = [sys.executable, "-m", "wideband.upsample", "old.wav"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"took {expected}" in done.stdout
    restored, sample_rate = soundfile.read(tmp_path / "old_wideband.wav")
    assert (len(restored), sample_rate) == (16000, 16000)
    # There is treble where there was none.
    power = np.abs(np.fft.rfft(restored)) ** 2
    assert power[rate // 2 + 500 :].sum() > 1e-5 * power.sum()
