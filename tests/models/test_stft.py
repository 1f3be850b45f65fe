"""Short-time Fourier transforms, compared with a slow one frame by frame in NumPy."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import signal
from wideband.command import UserError
from wideband.models.stft import STFT, InverseSTFT, angle, log_amplitude, unit

# fft, hop, frame
LENGTHS = [(1024, 80, 320), (256, 64, 256), (64, 10, 50), (32, 8, 16), (40, 10, 40), (64, 15, 64)]


def frames_of(wave, fft, hop, window):
    """Yields the samples around each multiple of the hop, with mirror images past both ends."""
    before = list(wave[window // 2 : 0 : -1])
    after = list(wave[-2 : -window // 2 - 2 : -1])
    padded = np.array([*before, *wave, *after])
    for start in range(0, len(wave) + 1, hop):
        yield padded[start : start + window]


def hann(window):
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)


def spectrum_of(wave, fft, hop, window):
    """The spectra of all frames; the window is in the middle of each transform."""
    before = (fft - window) // 2
    spectra = []
    for frame in frames_of(wave, fft, hop, window):
        filled = np.zeros(fft)
        filled[before : before + window] = hann(window) * frame
        spectra.append(np.fft.rfft(filled))
    return np.array(spectra)


def wave_of(spectrum, fft, hop, window):
    """The wave whose spectrum is closest to the given one (Griffin and Lim 1984, equation 6)."""
    before, n = (fft - window) // 2, (len(spectrum) - 1) * hop
    added, weight = np.zeros(n + window), np.zeros(n + window)
    for k, bins in enumerate(spectrum):
        frame = np.fft.irfft(bins, fft)[before : before + window]
        added[k * hop : k * hop + window] += hann(window) * frame
        weight[k * hop : k * hop + window] += hann(window) ** 2
    middle = slice(window // 2, window // 2 + n)
    return added[middle] / weight[middle]


@pytest.mark.parametrize("lengths", LENGTHS)
def test_the_transform_equals_one_frame_by_frame(lengths, waves):
    wave = waves(960 if lengths[1] != 64 else 1024)
    real, imaginary = STFT(*lengths)(wave)
    for k in range(2):
        expected = spectrum_of(wave[k, :, 0].astype(np.float64), *lengths)
        found = np.asarray(real[k]) + 1j * np.asarray(imaginary[k])
        assert found.shape == (len(wave[k]) // lengths[1] + 1, lengths[0] // 2 + 1)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("lengths", LENGTHS)
def test_the_inverse_restores_the_wave_of_any_spectrum(lengths):
    """Random bins are not the spectrum of a wave; the imaginary parts at both ends are ignored."""
    rng = np.random.default_rng(0)
    real, imaginary = rng.normal(0, 1, (2, 2, 12, lengths[0] // 2 + 1)).astype(np.float32)
    found = np.asarray(InverseSTFT(*lengths)([real, imaginary]))
    assert found.shape == (2, 11 * lengths[1], 1)
    for k in range(2):
        expected = wave_of(real[k] + 1j * imaginary[k], *lengths)
        np.testing.assert_allclose(found[k, :, 0], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("lengths", LENGTHS)
def test_a_wave_survives_both(lengths, waves):
    wave = waves(10 * lengths[1])
    found = InverseSTFT(*lengths)(list(STFT(*lengths)(wave)))
    np.testing.assert_allclose(found, wave, rtol=0, atol=1e-5)


def test_a_hamming_window_has_the_spectra_of_scipy_and_restores_the_wave(waves):
    wave, lengths = waves(200), (40, 10, 40, "center", "hamming")
    spectrum = STFT(*lengths)(wave)
    padded = np.pad(wave[..., 0], ((0, 0), (20, 20)), mode="reflect").astype(np.float64)
    window = signal.get_window("hamming", 40)
    for k in range(21):
        expected = np.fft.rfft(window * padded[:, 10 * k : 10 * k + 40])
        found = np.asarray(spectrum[0][:, k]) + 1j * np.asarray(spectrum[1][:, k])
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(InverseSTFT(*lengths)(list(spectrum)), wave, rtol=0, atol=1e-5)


@pytest.mark.parametrize("lengths", [(40, 10, 40), (64, 10, 50)])
def test_matrices_compute_the_same_transforms(lengths, waves):
    transform, inverse = STFT(*lengths), InverseSTFT(*lengths)
    spectrum = transform(waves(200))
    for found, expected in zip(transform.call(waves(200), matrices=True), spectrum, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    # Not the spectrum of a wave.
    random = [np.random.default_rng(k).normal(0, 1, spectrum[0].shape) for k in range(2)]
    random = [keras.ops.convert_to_tensor(each, "float32") for each in random]
    expected = inverse(random)
    np.testing.assert_allclose(inverse.call(random, matrices=True), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("n", [None, 640])
def test_shapes_are_known_before_the_wave(n):
    real, imaginary = STFT(1024, 80, 320)(keras.Input((n, 1)))
    assert real.shape == imaginary.shape == (None, None if n is None else 9, 513)
    assert InverseSTFT(1024, 80, 320)([real, imaginary]).shape == (None, n, 1)
    real, imaginary = STFT(1024, 80, 320, "same")(keras.Input((n, 1)))
    assert real.shape == imaginary.shape == (None, None if n is None else 8, 513)
    assert InverseSTFT(1024, 80, 320, "same")([real, imaginary]).shape == (None, n, 1)


def test_they_compute_in_float32_under_mixed_precision(waves, policy):
    real, imaginary = STFT(256, 64, 256)(waves(512))
    assert keras.backend.standardize_dtype(real.dtype) == "float32"
    found = InverseSTFT(256, 64, 256)([real, imaginary])
    np.testing.assert_allclose(found, waves(512), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ((1001, 80, 320), "fft of 1001 samples must be a power of two"),
        ((2, 1, 2), "fft of 2 samples must be a power of two from 4 on"),
        ((2050, 80, 320), "fft of 2050 samples must be .*, or an even number up to 2048$"),
        ((1024, 80, 300, "none"), "frame of 300 .* least twice the hop, 80, and a multiple of it"),
        ((1024, 75, 225), "frame of 225 samples must be even"),
        ((1024, 80, 80), "frame of 80 samples must be even and at least twice the hop, 80$"),
        ((1024, 0, 320), "at least twice the hop, 0$"),
        ((256, 80, 320), "frame of 320 samples must be at most fft, 256"),
        ((64, 5, 20, "same"), "frame of 20 samples and hop of 5: their difference must be even"),
        ((256, 64, 256, "valid"), "unknown padding 'valid'; choose one of center, same, none"),
        ((64, 16, 64, "same", "kaiser"), "unknown window 'kaiser'; choose one of hann, hamming"),
    ],
)
def test_lengths_that_contradict_each_other_are_refused(lengths, message):
    for layer in (STFT, InverseSTFT):
        with pytest.raises(UserError, match=message):
            layer(*lengths)


def test_angles_equal_those_of_numpy():
    rng = np.random.default_rng(0)
    real, imaginary = rng.normal(0, 1, (2, 100)).astype(np.float32)
    expected = np.angle(real + 1j * imaginary)
    np.testing.assert_allclose(angle(real, imaginary), expected, rtol=0, atol=1e-6)
    cosine, sine = unit(real, imaginary)
    np.testing.assert_allclose(cosine, np.cos(expected), rtol=0, atol=1e-6)
    np.testing.assert_allclose(sine, np.sin(expected), rtol=0, atol=1e-6)


def test_the_sign_of_zero_does_not_affect_angles():
    """Fourier transforms differ in the signs of zeros: silence, and the lowest bin."""
    zeros = np.float32([0.0, -0.0, 0.0, -0.0])
    signs = np.float32([0.0, 0.0, -0.0, -0.0])
    np.testing.assert_array_equal(angle(zeros, signs), 0)
    np.testing.assert_allclose(angle(np.float32([-2, -2]), np.float32([0.0, -0.0])), np.pi)
    cosine, sine = unit(zeros, signs)
    np.testing.assert_array_equal(cosine, 1)
    np.testing.assert_array_equal(sine, 0)


def test_log_amplitudes_have_a_floor():
    real = np.float32([0.0, 3.0, 1e-20])
    expected = np.log([1e-4, 5.0 + 1e-4, 1e-4])
    found = log_amplitude(real, np.float32([0.0, -4.0, 1e-20]), 1e-4)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_gradients_are_finite_in_silence_and_at_edges():
    import tensorflow as tf

    wave = np.zeros((1, 1024, 1), np.float32)
    wave[:, 500:520] = 0.5
    stft = STFT(256, 64, 256)
    with tf.GradientTape() as tape:
        wave = tf.Variable(wave)
        real, imaginary = stft(wave)
        outputs = log_amplitude(real, imaginary, 1e-4), angle(real, imaginary)
        total = sum(tf.reduce_sum(each) for each in (*outputs, *unit(real, imaginary)))
    assert np.isfinite(tape.gradient(total, wave)).all()


SLOPES = """
from wideband.command import keras_start
keras_start.quicken()
import jax, numpy as np
from wideband.models.stft import angle, log_amplitude, unit

both = [np.logspace(-45, 2, 95).astype("float32")] * 2
for convert in (angle, unit, lambda *both: log_amplitude(*both, 1e-6)):
    total = lambda both: sum(each.sum() for each in jax.tree.leaves(convert(*both)))
    for slopes in jax.grad(total)(both):
        assert np.isfinite(slopes).all(), convert
"""


@pytest.mark.slow
def test_gradients_of_all_amplitudes_are_finite_on_jax(jax_environment):
    """Where a recording falls silent, the filters of protocols decay through all small numbers.

    The slope of TensorFlow's root is finite for smaller numbers than that of JAX.
    """
    done = subprocess.run(
        [sys.executable, "-c", SLOPES], capture_output=True, text=True, env=jax_environment
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("lengths", [(256, 64, 256), (32, 8, 16)])
def test_frames_within_a_wave_are_those_of_streams(lengths, waves):
    _, hop, window = lengths
    wave = waves(960)
    frames = STFT(*lengths, padding="none")(wave)
    half = window // 2
    inner = [part[:, half // hop : -half // hop] for part in STFT(*lengths)(wave)]
    for found, expected in zip(frames, inner, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    restored = InverseSTFT(*lengths, padding="none")(frames)
    complete = slice(window - hop, 960 - window + hop)
    np.testing.assert_allclose(restored, wave[:, complete], rtol=0, atol=1e-6)


@pytest.mark.parametrize("lengths", [(256, 64, 256), (32, 8, 16)])
def test_with_one_frame_per_hop_the_frames_lie_half_a_hop_later(lengths, waves):
    """As in HiFi-GAN and Vocos, which mirror (frame - hop) / 2 samples at either end."""
    _, hop, window = lengths
    wave, mirrored = waves(960), (window - hop) // 2
    padded = np.pad(wave, ((0, 0), (mirrored, mirrored), (0, 0)), mode="reflect")
    spectrum = STFT(*lengths, padding="same")(wave)
    assert spectrum[0].shape == (2, 960 // hop, lengths[0] // 2 + 1)
    for found, expected in zip(spectrum, STFT(*lengths, padding="none")(padded), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    restored = InverseSTFT(*lengths, padding="same")(spectrum)
    np.testing.assert_allclose(restored, wave, rtol=0, atol=1e-5)
    # Any spectrum: the same frames, but a longer part of the wave.
    rng = np.random.default_rng(0)
    spectrum = [*rng.normal(0, 1, (2, 2, 12, lengths[0] // 2 + 1)).astype(np.float32)]
    longer = np.asarray(InverseSTFT(*lengths, padding="same")(spectrum))
    assert longer.shape == (2, 12 * hop, 1)
    shorter = InverseSTFT(*lengths)(spectrum)
    np.testing.assert_allclose(longer[:, hop // 2 : -hop // 2], shorter, rtol=0, atol=1e-5)


def test_lengths_stay_known_within_a_tensorflow_function():
    """The critics of adversarial training need them."""
    transform, inverse = STFT(32, 8, 16), InverseSTFT(32, 8, 16)
    signature = tf.TensorSpec((None, 160, 1))
    traced = tf.function(lambda wave: inverse(transform(wave))).get_concrete_function(signature)
    assert traced.output_shapes == (None, 160, 1)
