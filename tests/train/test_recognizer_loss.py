"""What recognizers make of two waves, compared with NumPy and with CTranslate2."""

import subprocess
import sys

import ctranslate2
import numpy as np
import pytest
import tensorflow as tf
from wideband.train.losses import LOSSES
from wideband.train.recognizer_loss import WhisperDistance, recognizer_mel


@pytest.fixture
def pair():
    """Two patches of noise, one of them almost silent for its second half, and other noise."""
    rng = np.random.default_rng(0)
    reference = rng.normal(0, 0.1, (2, 4000, 1)).astype(np.float32)
    reference[1, 2000:] *= 1e-7
    return reference, rng.normal(0, [[[0.1]], [[1e-5]]], (2, 4000, 1)).astype(np.float32)


def log_mel(wave):
    """Triangles of equal area, centred on Slaney's scale, in frames of 400 samples every 160."""
    steps = np.linspace(0, 15 + 27 * np.log(8) / np.log(6.4), 82)
    edges = np.where(steps < 15, steps * 200 / 3, 1000 * 6.4 ** ((steps - 15) / 27))
    padded = np.pad(wave[:, 0].astype(np.float64), 200, "reflect")
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    frames = [padded[at : at + 400] * hann for at in range(0, len(wave) + 1, 160)]
    power = np.abs(np.fft.rfft(frames)) ** 2
    bins = np.arange(201) * 16000 / 400
    bands = [
        power @ np.interp(bins, edges[k : k + 3], [0, 2 / (edges[k + 2] - edges[k]), 0], 0, 0)
        for k in range(80)
    ]
    return np.log10(np.maximum(np.transpose(bands), 1e-10))


def test_it_is_the_mean_difference_of_levels_down_to_80_db_below_the_loudest(pair):
    expected = []
    for reference, estimate in zip(*pair, strict=True):
        left, right = log_mel(reference), log_mel(estimate)
        floor = left.max() - 8
        expected.append(np.abs(np.maximum(left, floor) - np.maximum(right, floor)).mean())
    np.testing.assert_allclose(recognizer_mel(*pair), expected, rtol=1e-4)


def test_a_gain_of_20_db_is_two_and_silence_is_free(pair):
    reference = pair[0][:1]
    np.testing.assert_allclose(recognizer_mel(reference, 0.1 * reference), [2.0], rtol=1e-3)
    np.testing.assert_array_equal(recognizer_mel(0 * reference, 1e-7 * reference), [0.0])
    assert LOSSES["recognizer_mel"].compares == "wave"


@pytest.mark.parametrize("level", [0.0, 1e-9, 0.1])
def test_gradients_are_finite_for_silence_and_for_a_perfect_estimate(level):
    reference = tf.constant(level * np.sin(np.arange(1000.0))[np.newaxis, :, np.newaxis], "float32")
    estimate = tf.Variable(reference)
    with tf.GradientTape() as tape:
        value = tf.reduce_mean(recognizer_mel(reference, estimate))
    assert np.isfinite(value)
    assert np.isfinite(tape.gradient(value, estimate)).all()


@pytest.fixture(scope="module")
def distance(whisper_model):
    return WhisperDistance(str(whisper_model))


def test_the_distance_is_that_of_what_ctranslate2_makes_of_both(distance, whisper_model, noise):
    """CTranslate2 takes windows of 30 s only."""
    reference = noise(480_000)[:, np.newaxis]
    estimate = reference + 0.9 * np.roll(reference, 1)
    model = ctranslate2.models.Whisper(str(whisper_model), compute_type="float32")
    outputs = []
    for wave in (reference, estimate):
        levels = log_mel(wave)[:-1]
        features = ((np.maximum(levels, levels.max() - 8) + 4) / 4).T[np.newaxis]
        features = ctranslate2.StorageView.from_array(features.astype(np.float32, order="C"))
        outputs.append(np.array(model.encode(features)))
    expected = np.sum((outputs[1] - outputs[0]) ** 2) / np.sum(outputs[0] ** 2)
    assert expected > 0.01
    [value] = distance(reference[np.newaxis], estimate[np.newaxis])
    np.testing.assert_allclose(value, expected, rtol=1e-3)


def test_each_example_has_its_own_distance_and_equal_waves_have_none(distance, pair):
    reference, estimate = pair
    both = distance(reference, estimate)
    assert (np.array(both) > 0.01).all()
    for number in range(2):
        own = slice(number, number + 1)
        np.testing.assert_allclose(distance(reference[own], estimate[own])[0], both[number], 1e-4)
    np.testing.assert_array_equal(distance(reference, reference), [0.0, 0.0])


def test_only_the_estimate_has_a_gradient(distance, pair):
    reference, estimate = (tf.Variable(each) for each in pair)
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(distance(reference, estimate))
    of_reference, of_estimate = tape.gradient(value, [reference, estimate])
    assert of_reference is None
    assert np.isfinite(of_estimate).all()
    assert np.abs(of_estimate).max() > 0


@pytest.mark.slow
def test_jax_has_the_distance_of_tensorflow(
    jax_environment, distance, whisper_model, pair, tmp_path
):
    np.savez(tmp_path / "pair.npz", *pair)
    script = (
        "from wideband.command import keras_start\n"
        "keras_start.quicken()\n"
        "import keras, numpy as np\n"
        "from wideband.train.recognizer_loss import WhisperDistance\n"
        "assert keras.backend.backend() == 'jax'\n"
        f"distance = WhisperDistance({str(whisper_model)!r})\n"
        "np.save('distance.npy', distance(*np.load('pair.npz').values()))\n"
    )
    line = [sys.executable, "-c", script]
    subprocess.run(line, check=True, env=jax_environment, cwd=tmp_path)
    found = np.load(tmp_path / "distance.npy")
    np.testing.assert_allclose(found, distance(*pair), rtol=1e-4)
