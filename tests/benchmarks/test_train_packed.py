"""Training from packed recordings, without TensorFlow's pipeline and without shards."""

import csv
import importlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import soundfile
from wideband import audio
from wideband.data_gen import degrade
from wideband.data_gen.augment import NO_AUGMENTATION as SAME
from wideband.data_gen.augment import Augmentation, speed_up
from wideband.models import audiosr_vae, features
from wideband.train import recipes
from wideband.train.latents import Latents

FOLDER = Path(__file__).parents[2] / "benchmarks"

RATE, PATCH = 16000, 2000
ANY_BAND = Augmentation(random_band=True)


@pytest.fixture
def packed(monkeypatch):
    """The module under the name by which the processes of pools import it."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("packed")


@pytest.fixture
def corpus(tmp_path, noise):
    """The manifest of two training recordings, one of them at another rate, and one other."""
    rows = []
    for number, (split, rate) in enumerate([("train", RATE), ("train", 22050), ("valid", RATE)]):
        path = f"{split}{number}.wav"
        soundfile.write(tmp_path / path, 0.1 * noise(rate, seed=number), rate)
        rows.append({"split": split, "path": path, "speaker": f"s{number}", "text": ""})
    manifest = tmp_path / "manifest.csv"
    with manifest.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return manifest


def test_short_recordings_of_a_speaker_are_joined(packed):
    speakers, seconds = ["a", "a", "a", "a", "a", "b"], [4, 4, 1, 7, 7, 1]
    waves = [np.full(10 * n, number) for number, n in enumerate(seconds)]
    groups = packed.join(speakers, waves, 10)
    assert [sorted(set(group)) for group in groups] == [[0, 1], [2, 3], [4], [5]]


def test_the_recordings_of_the_training_split_are_packed(script, packed, corpus, call, tmp_path):
    module = script("train_packed")
    packs = [tmp_path / "a.npz", tmp_path / "b.npz"]
    flags = [f"--manifest={corpus}", *(f"--pack={path}" for path in packs)]
    code, _, error = call(module.command, *flags, "--level=0", "--processes=1")
    assert (code, error) == (0, "")
    for path, name in zip(packs, ("train0", "train1"), strict=True):
        (found,) = packed.unpack([path], RATE, 1)
        wave, rate = audio.read(tmp_path / f"{name}.wav")
        expected = audio.resample(wave[:, 0], rate, RATE)
        assert len(found) == pytest.approx(RATE, abs=1)
        # Both ends are faded.
        assert max(abs(found[0]), abs(found[-1])) < 0.01
        # Opus has no content at the very top of the band.
        found, expected = (np.fft.rfft(side, RATE)[100:6000] for side in (found, expected))
        assert np.abs(found - expected).std() < 0.25 * np.abs(expected).std()


def test_lossy_recordings_are_packed_as_they_are_and_end_at_their_band(packed, tmp_path, noise):
    path, rate = tmp_path / "a.ogg", 44100
    soundfile.write(path, audio.remove_above(0.1 * noise(rate), rate, 15000), rate, "VORBIS")
    content = packed.encode((path, 48000, 0.9))
    assert content.tobytes() == path.read_bytes()
    wave = packed.decode((content, 48000))
    levels = np.abs(np.fft.rfft(wave))
    assert len(wave) == 48000
    # The fades spread a little of what ends at 15 kHz.
    assert levels[15500:].max() < 3e-3 * np.median(levels[5000:14000])


def test_low_sides_are_of_random_band_or_of_a_protocol_or_the_recordings(packed, noise):
    wave, rng = 0.1 * noise(RATE), np.random.default_rng(0)
    assert packed.LowSide(RATE, 1, "decimate_spline", SAME)(wave, rng) is wave
    protocol = degrade.get("decimate_spline")
    expected = protocol.up(protocol.down(wave, 4), 4)
    found = packed.LowSide(RATE, 4, "decimate_spline", SAME)(wave, rng)
    np.testing.assert_array_equal(found, expected)
    low = packed.LowSide(RATE, 4, "decimate_spline", SAME, "low")(wave, rng)
    np.testing.assert_array_equal(low[::4], protocol.down(wave, 4))
    limited = packed.LowSide(RATE, 1, "decimate_spline", ANY_BAND)(wave, rng)
    top = [np.abs(np.fft.rfft(each))[-400:].mean() for each in (limited, wave)]
    assert limited.shape == wave.shape and top[0] < 0.2 * top[1]


def test_versions_differ_in_their_low_sides(packed, noise):
    waves = [0.1 * noise(RATE), 0.1 * noise(RATE // 2, seed=1)]
    low_side = packed.LowSide(RATE, 1, "decimate_spline", ANY_BAND)
    with packed.Versions(waves, low_side, 3, seed=0, processes=1) as versions:
        first, starts = versions.take(PATCH, 500)
        second, _ = versions.take(PATCH, 500)
    assert first.shape == second.shape == (2, RATE + RATE // 2)
    assert not np.array_equal(first[0], second[0])
    for begin, wave in ((0, waves[0]), (RATE, waves[1])):
        high = first[1, begin : begin + len(wave)]
        # Sped up by up to 15 %, it ends earlier.
        length = np.flatnonzero(high)[-1] + 1
        steps = round(20 * (len(wave) / length - 1))
        expected = speed_up(wave, steps) if steps else wave
        np.testing.assert_array_equal(high[: len(expected)], expected)
        own = starts[(starts >= begin) & (starts < begin + len(wave))]
        np.testing.assert_array_equal(own, np.arange(begin, begin + length - PATCH + 1, 500))


JAX = """
from wideband.command import keras_start
keras_start.quicken()
import jax, json, keras, numpy as np, sys
sys.path.insert(0, {folder!r})
import jax_steps
from wideband import models
from wideband.train import methods, overrides, recipes

kernel = np.random.default_rng(0).normal(size=(7, 4, 1)).astype("float32")
wave = np.random.default_rng(1).normal(size=(2, 60, 4)).astype("float32")
modes = [(padding, dilation) for padding in ("same", "valid") for dilation in (1, 3)]
convolve = lambda: [
    np.asarray(keras.ops.depthwise_conv(wave, kernel, 1, padding, None, dilation))
    for padding, dilation in modes
]
library = convolve()
jax_steps.prepare()
error = max(np.abs(a - b).max() for a, b in zip(library, convolve()))

settings = {settings!r}
recipe = overrides.override(recipes.get("speech"), overrides.parse_overrides(settings))
network = models.build(recipe.model, **recipe.arguments)
seen = []
prepare = lambda batch: seen.append([each.shape for each in batch]) or batch
trainer = jax_steps.Trainer(recipe, methods.objectives(recipe, network), 2, 1, prepare)
low = np.arange(8000, dtype="float32") / 8000
trainer.add(np.stack([low, 2 * low]), np.arange(0, 6000, 100))
drawn = trainer._draw(jax.random.key(0), trainer._sides, trainer._starts)
batch = [np.asarray(each) for each in drawn]
before = network.get_weights()
trainer.run(1e-3)
losses = [trainer.losses()]
after = network.get_weights()
for _ in range(15):
    trainer.run(1e-3)
losses.append(trainer.losses())
changed = any(np.any(a != b) for a, b in zip(before, after))
low, high = batch
steps = np.diff(low[:, :, 0], axis=1)
print(json.dumps({{
    "error": float(error), "taken": trainer.taken, "changed": changed,
    "losses": [each["regression_loss"] for each in losses],
    "shapes": [list(each.shape) for each in batch], "prepared": seen[0],
    "twice": bool(np.allclose(high, 2 * low)),
    "slope": float(np.abs(steps / steps[:, :1] - 1).max()),
}}))
"""


@pytest.mark.slow
def test_steps_on_jax_learn_from_patches_of_the_versions(jax_environment):
    """In a process of its own, since the backend of Keras is chosen when it is imported."""
    settings = ["patch=2000", "stride=1000", "batch=3", "arguments.width=0.05"]
    settings += ["arguments.blocks=1", "arguments.dropout=0", "augmentation.gain_db=0"]
    code = JAX.format(folder=str(FOLDER), settings=settings)
    # With two threads, Fourier transforms within a loop wait for each other.
    flags = f"{jax_environment['XLA_FLAGS']} --xla_cpu_multi_thread_eigen=false"
    environment = jax_environment | {"XLA_FLAGS": flags}
    line = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(line, capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["error"] < 1e-5
    assert (found["taken"], found["changed"], found["twice"]) == (32, True, True)
    assert found["shapes"] == found["prepared"] == [[3, 2000, 1]] * 2
    assert found["slope"] < 0.1
    assert found["losses"][1] < found["losses"][0]


def test_audiosr_gets_the_moments_of_both_sides_and_the_scale_of_its_latents(script, noise):
    keras.utils.set_random_seed(0)
    system = SimpleNamespace(vae=audiosr_vae.autoencoder(1 / 32, 1), mel=features.get("audiosr"))
    patch, starts = 15360, np.arange(0, 15360, 480)
    recipe = replace(recipes.get("audiosr_laptop"), patch=patch, stride=patch)
    sides = np.stack([0.01 * noise(2 * patch, seed=k) for k in range(2)])
    recipe, prepare = script("train_packed")._encoded(recipe, system, sides, starts)

    # Every second start, for 16 patches.
    patches = [sides[:, start : start + patch, np.newaxis] for start in starts[::2]]
    low, high = np.stack(patches, axis=1)
    expected = Latents(system, lambda number: iter(()), 1, patch, 1, seed=0).encode(low, high)
    (moments,) = prepare([low, high])
    np.testing.assert_allclose(moments, expected, rtol=0, atol=1e-4)
    mean, log_variance = np.split(expected[..., :32], 2, axis=-1)
    assert recipe.arguments["scale"] == system.scale
    variance = np.mean((mean - mean.mean()) ** 2) + np.exp(log_variance).mean()
    assert system.scale == pytest.approx(variance**-0.5, rel=1e-4)


def test_a_scale_of_the_latents_that_is_given_is_kept(script):
    system = SimpleNamespace(vae=audiosr_vae.autoencoder(1 / 32, 1), scale=0.25)
    recipe = replace(recipes.get("audiosr_laptop"), patch=15360, arguments={"scale": 0.25})
    found, _ = script("train_packed")._encoded(recipe, system, np.zeros((2, 15360)), np.zeros(1))
    assert (found.arguments, system.scale) == ({"scale": 0.25}, 0.25)


def test_recipes_with_unsupported_augmentation_are_refused(script, call, error_line, tmp_path):
    module = script("train_packed")
    flags = (f"--pack={tmp_path / 'a'}", "--run=r")
    result = call(module.command, "--recipe=speech_2x", *flags)
    assert "recipe speech_2x: random_lowpass without random_band" in error_line(result[2])
    result = call(module.command, "--recipe=speech", flags[0])
    assert "set --manifest to pack a corpus, or --run to train" in error_line(result[2])
