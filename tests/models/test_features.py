"""Mel spectrograms, compared with numbers that librosa 0.11 and torchaudio 2.11 computed once."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from wideband.command import UserError
from wideband.models import features
from wideband.models.features import LogMel, filterbank, log_mel

# For the first, the middle and the last filter: its first bin, its number of bins, and its first
# values; then the sum of all filters. librosa.filters.mel
FILTERS = {
    "seed": (
        (1, 3, [0.0155277, 0.0226514, 0.0071237]),
        (77, 7, [0.0002959, 0.0053155, 0.0103351, 0.0148955, 0.010065, 0.0052344]),
        (345, 27, [0.000238, 0.000489, 0.0007401, 0.0009911, 0.0012421, 0.0014932]),
        3.7136884,
    ),
    "vocos24": (
        (1, 1, [0.8541125]),
        (96, 7, [0.1269727, 0.4008948, 0.6748168, 0.9487389, 0.7836377, 0.5174644]),
        (482, 30, [0.0149743, 0.0821122, 0.1492501, 0.216388, 0.2835259, 0.3506638]),
        503.8286,
    ),
    "nyquist": (
        (1, 2, [0.8687918, 0.2876393]),
        (99, 9, [0.163753, 0.3797581, 0.5957631, 0.8117682, 0.9731765, 0.7645581]),
        (476, 36, [0.0335831, 0.0891893, 0.1447956, 0.2004018, 0.256008, 0.3116142]),
        502.0523,
    ),
    "audiosr": (
        (1, 2, [0.0137626, 0.0189506]),
        (126, 4, [0.0091954, 0.019213, 0.0120884, 0.0022327]),
        (992, 32, [0.0001342, 0.0002937, 0.0004533, 0.0006128, 0.0007723, 0.0009319]),
        10.916974,
    ),
    "voicefixer": (
        (1, 1, [0.87873]),
        (151, 10, [0.1335628, 0.3335082, 0.5334537, 0.7333991, 0.9333445, 0.8702589]),
        (969, 55, [0.0186656, 0.0551872, 0.0917088, 0.1282304, 0.164752, 0.2012736]),
        1009.43297,
    ),
}
FILTERS["hifigan"] = FILTERS["seed"]

# The spectrogram of the chirp below, from torch.stft and torchaudio's filters; for "audiosr" and
# "voicefixer" from librosa, of the first 3840 and 3969 samples. Its frames, the values at frame 0
# of the first band, at frame 3 of band bands / 4 and in the last corner, and the mean of the
# filtered magnitudes.
SPECTROGRAMS = {
    "seed": (16, -0.3705, -8.1159, -5.6920, 0.07623),
    "hifigan": (16, -0.3705, -8.1159, -5.6920, 0.07623),
    "vocos24": (17, 2.7566, -1.5573, 4.7395, 8.16431),
    "nyquist": (16, 2.8939, -4.3598, 4.9967, 10.40912),
    "audiosr": (8, -0.6369, -11.5129, -3.3846, 0.13109),
    "voicefixer": (10, 2.7966, -6.2012, 4.2072, 24.21294),
}


@pytest.fixture(scope="module")
def chirp():
    """A chirp from 0 to nearly half the rate with a faint sawtooth, (4096,)."""
    sawtooth = 0.001 * (np.arange(4096) % 7 - 3)
    return (0.3 * np.sin(np.cumsum(np.linspace(0.01, 3.0, 4096))) + sawtooth).astype(np.float32)


@pytest.fixture(params=features.MELS)
def mel(request):
    return request.param


def whole_hops(wave, mel):
    """The samples of whole hops, which the layer needs."""
    return wave[: len(wave) // features.MELS[mel].hop * features.MELS[mel].hop]


def test_filters_are_those_of_librosa(mel):
    filters = filterbank(mel).T
    *stored, total = FILTERS[mel]
    bands = len(filters)
    assert filters.shape == (features.MELS[mel].bands, features.MELS[mel].fft // 2 + 1)
    for band, (first, count, values) in zip((0, bands // 2, bands - 1), stored, strict=True):
        # Rounding may leave a little at the end of a filter.
        bins = np.flatnonzero(filters[band] > 1e-12)
        np.testing.assert_array_equal(bins, np.arange(first, first + count))
        found = filters[band, bins[: len(values)]]
        np.testing.assert_allclose(found, values, rtol=0, atol=1e-7)
    assert filters.sum() == pytest.approx(total, rel=1e-6)


def test_a_spectrogram_is_that_of_torchaudio(mel, chirp):
    frames, *stored, mean = SPECTROGRAMS[mel]
    bands = features.MELS[mel].bands
    chirp = whole_hops(chirp, mel)
    for found in (log_mel(chirp, mel), np.asarray(LogMel(mel)(chirp[None, :, None]))[0]):
        assert found.shape == (frames, bands)
        values = found[0, 0], found[3, bands // 4], found[-1, -1]
        np.testing.assert_allclose(values, stored, rtol=0, atol=2e-3)
        assert np.exp(found).mean() == pytest.approx(mean, rel=1e-4)


def test_the_layer_and_numpy_agree(mel, waves):
    wave = whole_hops(waves(4096).swapaxes(0, 1), mel).swapaxes(0, 1)
    expected = log_mel(wave[..., 0], mel)
    np.testing.assert_allclose(LogMel(mel)(wave), expected, rtol=0, atol=1e-4)
    # Any leading axes.
    np.testing.assert_array_equal(log_mel(wave[1, :, 0], mel), expected[1])


@pytest.mark.parametrize("end_hz", [100.0, 1000.0, 4000.0, 16000.0, 22800.0])
def test_bands_lie_below_a_frequency_across_it_or_above_it(end_hz):
    mel = features.get("audiosr")
    inside, outside = features.bands_at(mel, end_hz)
    highest_hz = [np.flatnonzero(each)[-1] * 48000 / 2048 for each in filterbank(mel).T]
    assert highest_hz[inside - 1] <= end_hz < highest_hz[inside]
    assert features.begin_hz(mel, outside - 1) <= end_hz < features.begin_hz(mel, outside)
    assert inside <= outside <= inside + 8


def test_silence_is_at_the_floor_and_has_finite_gradients(mel):
    layer = LogMel(mel)
    with tf.GradientTape() as tape:
        wave = tf.Variable(np.zeros((1, 4 * features.MELS[mel].hop, 1), np.float32))
        found = layer(wave)
    # VoiceFixer bounds the powers of the bins.
    lowest = 1e-4 * filterbank(mel).sum(axis=0) if mel == "voicefixer" else features.MELS[mel].floor
    np.testing.assert_allclose(found, np.broadcast_to(np.log(lowest), found.shape), rtol=1e-5)
    assert np.isfinite(tape.gradient(found, wave)).all()


@pytest.mark.parametrize("n", [None, 7680])
def test_shapes_are_known_before_the_wave(mel, n):
    found = LogMel(mel)(keras.Input((n, 1)))
    more = features.MELS[mel].padding == "center"
    assert found.shape == (
        None,
        None if n is None else 7680 // features.MELS[mel].hop + more,
        features.MELS[mel].bands,
    )


def test_it_computes_in_float32_under_mixed_precision(policy, waves):
    expected = log_mel(waves(2048)[..., 0], "seed")
    np.testing.assert_allclose(LogMel("seed")(waves(2048)), expected, rtol=0, atol=1e-4)


def test_a_wave_of_any_length_has_its_whole_frames(chirp):
    mels = log_mel(chirp[:3000], "seed"), log_mel(chirp[:3000], "vocos24")
    assert [len(each) for each in mels] == [3000 // 256, 3000 // 256 + 1]


def test_the_vocoder_for_22_khz_and_hifigan_differ_by_what_is_added_to_powers():
    assert replace(features.MELS["hifigan"], offset=0.0) == features.MELS["seed"]


def test_mistakes_are_named(chirp):
    message = (
        r"^unknown mel 'htk'; choose one of seed, hifigan, vocos24, nyquist, audiosr, voicefixer$"
    )
    for make in (LogMel, filterbank, lambda name: log_mel(chirp, name)):
        with pytest.raises(UserError, match=message):
            make("htk")
    with pytest.raises(UserError, match=r"^a wave of 384 samples is too short; it must have 385$"):
        log_mel(chirp[:384], "seed")
