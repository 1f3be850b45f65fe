"""Griffin-Lim and the inversion of mel filters, compared with librosa and slow references."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import optimize
from wideband.command import UserError
from wideband.models import griffin_lim
from wideband.models.features import MELS, filterbank, log_mel, magnitudes
from wideband.models.griffin_lim import GriffinLim, InverseMel
from wideband.models.resynthesis import lengths

FFT, HOP = 64, 16
# griffinlim of librosa 0.11 with 8 iterations for the chirp below, by momentum: samples 10, 40, 64,
# 100 and 127, and the standard deviation.
LIBROSA = {
    0.99: [-0.08762, -0.50418, 0.11822, -0.5696, -0.92775, 0.34258],
    0.0: [-0.1085, -0.51988, 0.21219, -0.52893, -0.77218, 0.33558],
}


@pytest.fixture(scope="module")
def chirp():
    """A chirp from 0 to most of the band, (128,)."""
    return 0.5 * np.sin(np.cumsum(np.linspace(0.1, 2.5, 128)))


@pytest.fixture(scope="module")
def phases():
    """The random phases that librosa draws from this generator, (9 frames, 33 bins)."""
    return 2 * np.pi * np.random.default_rng(0).random((33, 9)).T


def hann(fft):
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(fft) / fft)


def transform(wave, fft, hop, mirrored):
    padded = np.pad(wave, mirrored, mode="reflect")
    starts = range(0, len(padded) - fft + 1, hop)
    return np.array([np.fft.rfft(hann(fft) * padded[start : start + fft]) for start in starts])


def invert(spectrum, fft, hop, mirrored):
    n = (len(spectrum) - 1) * hop + fft
    added, weight = np.zeros(n), np.zeros(n)
    for k, bins in enumerate(spectrum):
        added[k * hop : k * hop + fft] += hann(fft) * np.fft.irfft(bins)
        weight[k * hop : k * hop + fft] += hann(fft) ** 2
    return (added / np.maximum(weight, 1e-12))[mirrored : n - mirrored]


def reference(magnitude, phases, mirrored, iterations, momentum, fft=FFT, hop=HOP):
    """The algorithm with complex numbers: (frames, bins) to (n,)."""
    spectrum, previous = magnitude * np.exp(1j * phases), 0
    for _ in range(iterations):
        rebuilt = transform(invert(spectrum, fft, hop, mirrored), fft, hop, mirrored)
        changed = rebuilt - momentum / (1 + momentum) * previous
        spectrum, previous = magnitude * np.exp(1j * np.angle(changed)), rebuilt
    return invert(spectrum, fft, hop, mirrored)


@pytest.mark.parametrize("momentum", LIBROSA)
def test_it_finds_the_wave_of_librosa_from_the_same_phases(momentum, chirp, phases):
    magnitude = np.abs(transform(chirp, FFT, HOP, FFT // 2))[np.newaxis].astype(np.float32)
    layer = GriffinLim(FFT, HOP, "center", iterations=8, momentum=momentum)
    parts = (part(phases).astype(np.float32) for part in (np.cos, np.sin))
    found = np.asarray(layer.find(magnitude, *parts))[0, :, 0]
    assert found.shape == (128,)
    *stored, deviation = LIBROSA[momentum]
    np.testing.assert_allclose(found[[10, 40, 64, 100, 127]], stored, rtol=0, atol=2e-4)
    assert found.std() == pytest.approx(deviation, abs=1e-4)


@pytest.mark.parametrize(("padding", "mirrored"), [("same", 24), ("center", 32)])
def test_it_equals_a_reference_from_its_own_phases(padding, mirrored, chirp):
    layer = GriffinLim(FFT, HOP, padding, iterations=5)
    magnitude = np.abs(transform(chirp, FFT, HOP, mirrored))
    table = np.arctan2(layer._phases[1], layer._phases[0])
    phases = table[np.arange(len(magnitude)) % len(table)]
    expected = reference(magnitude, phases, mirrored, 5, 0.99)
    found = np.asarray(layer(magnitude[np.newaxis].astype(np.float32)))[0, :, 0]
    assert len(found) == 128
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_more_iterations_come_closer_to_the_magnitudes(chirp):
    magnitude = np.abs(transform(chirp, FFT, HOP, 24))
    errors = []
    for iterations in (1, 8, 64):
        layer = GriffinLim(FFT, HOP, iterations=iterations)
        wave = np.asarray(layer(magnitude[np.newaxis].astype(np.float32)))[0, :, 0]
        errors.append(np.linalg.norm(np.abs(transform(wave, FFT, HOP, 24)) - magnitude))
    assert errors[0] > 1.5 * errors[1] > 2 * errors[2]


def test_phases_depend_on_the_seed_alone(chirp):
    magnitude = np.abs(transform(chirp, FFT, HOP, 24))[np.newaxis].astype(np.float32)
    once, again, other = (
        np.asarray(GriffinLim(FFT, HOP, iterations=2, seed=seed)(magnitude)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(once, again)
    assert np.abs(once - other).max() > 0.01


def test_windows_get_the_phases_of_the_whole_wave():
    """What is further away than the reach has no effect, and the phases repeat."""
    for each in MELS.values():
        assert lengths(each, 0)[0] % (griffin_lim.PERIOD * each.hop) == 0
    mel = MELS["nyquist"]
    iterations = 2
    frames = griffin_lim.reach(mel, iterations) // mel.hop
    rng = np.random.default_rng(0)
    magnitude = rng.uniform(0, 1, (1, 40, 513)).astype(np.float32)
    layer = GriffinLim(mel.fft, mel.hop, iterations=iterations)
    whole = np.asarray(layer(magnitude))[0, :, 0]
    start = 10 * griffin_lim.PERIOD
    window = np.asarray(layer(magnitude[:, start:]))[0, :, 0]
    inner = slice(frames * mel.hop, None)
    np.testing.assert_allclose(window[inner], whole[start * mel.hop :][inner], rtol=0, atol=1e-5)
    assert np.abs(window[:256] - whole[start * mel.hop :][:256]).max() > 1e-3


# === Filters ===


@pytest.mark.parametrize("mel", ["seed", "vocos24", "nyquist"])
def test_inverted_filters_have_a_small_error_and_no_negative_magnitudes(mel, noise):
    features = log_mel(noise(6000), mel)
    errors = {}
    for inversion in griffin_lim.INVERSIONS:
        found = np.asarray(InverseMel(mel, inversion)(features[np.newaxis]))[0]
        assert found.shape == (len(features), 513) and (found >= 0).all()
        filtered = np.exp(features)
        error = found @ filterbank(mel) - filtered
        errors[inversion] = np.linalg.norm(error) / np.linalg.norm(filtered)
    assert errors["nnls"] < 0.2 * errors["pseudo_inverse"] < 0.05


def test_least_squares_are_as_small_as_those_of_scipy(chirp):
    """The active-set method of Lawson and Hanson, on filters of the same norm."""
    wave = np.tile(chirp, 20)
    features = log_mel(wave, "nyquist")
    filters = filterbank("nyquist").astype(np.float64)
    norms = np.linalg.norm(filters, axis=0)
    found = np.asarray(InverseMel("nyquist")(features[np.newaxis]))[0]
    for frame in (2, 5):
        filtered = np.exp(features[frame].astype(np.float64)) / norms
        _, smallest = optimize.nnls((filters / norms).T, filtered)
        error = np.linalg.norm((filters / norms).T @ found[frame] - filtered)
        assert error <= smallest + 5e-3 * np.linalg.norm(filtered)


def test_the_pseudo_inverse_is_that_of_numpy(noise):
    features = log_mel(noise(3000), "seed")
    found = np.asarray(InverseMel("seed", "pseudo_inverse")(features[np.newaxis]))[0]
    filters = filterbank("seed").astype(np.float64)
    norms = np.linalg.norm(filters, axis=0)
    expected = np.maximum(np.exp(features) / norms @ np.linalg.pinv(filters / norms), 0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


# === Both ===


def test_a_tone_survives(tone):
    wave = tone(6144, 1000, 22050)
    vocoder = griffin_lim.build("nyquist")
    found = np.asarray(vocoder(log_mel(wave, "nyquist")[np.newaxis]))[0, :, 0]
    assert found.shape == (6144,)
    spectra = [magnitudes(each, "nyquist")[8:16] for each in (wave, found)]
    # 1 kHz is bin 46.
    assert [each.mean(axis=0).argmax() for each in spectra] == [46, 46]
    assert np.log(spectra[1].max() / spectra[0].max()) == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize("n", [None, 10])
def test_shapes_are_known_before_the_mel(n):
    features = keras.Input((n, 80))
    magnitude = InverseMel("seed")(features)
    assert magnitude.shape == (None, n, 513)
    assert GriffinLim(1024, 256)(magnitude).shape == (None, None if n is None else 2560, 1)


def test_gradients_are_finite():
    features = tf.Variable(log_mel(0.1 * np.sin(np.arange(1024.0) ** 1.3), "seed")[np.newaxis])
    for inversion in griffin_lim.INVERSIONS:
        with tf.GradientTape() as tape:
            magnitude = InverseMel("seed", inversion)(features)
            loss = tf.reduce_mean(GriffinLim(1024, 256, iterations=2)(magnitude) ** 2)
        gradient = np.asarray(tape.gradient(loss, features))
        assert np.isfinite(gradient).all() and np.any(gradient)


def test_silence_has_a_quiet_output():
    silence = np.full((1, 4, 80), np.log(1e-5), np.float32)
    found = np.asarray(griffin_lim.build("seed", 4)(silence))
    assert np.isfinite(found).all() and np.abs(found).max() < 1e-3


def test_mistakes_are_named():
    with pytest.raises(UserError, match=r"^unknown mel 'htk'; choose one of seed, hifigan"):
        griffin_lim.build("htk")
    with pytest.raises(UserError, match=r"^unsupported inversion 'lbfgs'; choose one of pseudo"):
        InverseMel("seed", "lbfgs")
    with pytest.raises(UserError, match=r"^iterations 0 must be from 1 to 1000$"):
        griffin_lim.build("seed", 0)
    with pytest.raises(UserError, match=r"^momentum 2 must be from 0 to 1$"):
        GriffinLim(64, 16, momentum=2)
