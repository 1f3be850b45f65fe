"""The stages of restoring in JavaScript have the output of the Python ones."""

from fractions import Fraction

import numpy as np
import pytest
from wideband import audio
from wideband.audio import interpolate, measure
from wideband.audio.bandwidth import power_spectra
from wideband.upsample.stages import Crossover


@pytest.fixture(scope="module")
def wave(noise):
    """Noise whose ends are not silent, (2000,)."""
    return noise(2000)


@pytest.mark.parametrize(
    ("from_hz", "to_hz", "divisor"),
    [
        *[(8000, 16000, 1), (16000, 8000, 1), (44100, 16000, 1), (48000, 4000, 1)],
        *[(11025, 16000, 1), (16000, 16000, 1), (8000, 16000 / 3, 3)],
    ],
)
def test_resampling_is_that_of_soxr(from_hz, to_hz, divisor, noise, javascript):
    # soxr's stages reduce the upper fifth of the band by up to 0.01 dB, also of a sudden beginning.
    band_hz = 0.8 * min(from_hz, to_hz)
    low = audio.resample(noise(round(2000 * band_hz / from_hz)), band_hz, from_hz)
    low *= np.hanning(len(low))
    code = "(m, x, ...rates) => m.resample(f32(x), ...rates)"
    found = javascript("dsp/resample.js", code, low, from_hz, to_hz, divisor)
    expected = audio.resample(low, from_hz, to_hz)
    assert len(found) == len(expected)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("from_hz", "to_hz"), [(8000, 16000), (16000, 8000)])
def test_resampling_by_two_is_that_of_soxr_up_to_the_end_of_the_band(
    from_hz, to_hz, wave, javascript
):
    code = "(m, x, ...rates) => m.resample(f32(x), ...rates)"
    found = javascript("dsp/resample.js", code, wave, from_hz, to_hz)
    np.testing.assert_allclose(found, audio.resample(wave, from_hz, to_hz), rtol=0, atol=1e-6)


@pytest.mark.parametrize("n", [1, 3, 4, 7, 64, 65, 500])
@pytest.mark.parametrize("ratio", [2, 3])
def test_the_spline_is_that_of_python(n, ratio, wave, javascript):
    code = "(m, x, ratio) => m.spline(f32(x), ratio)"
    found = javascript("dsp/interpolate.js", code, wave[:n], ratio)
    np.testing.assert_allclose(found, interpolate.spline(wave[:n], ratio), rtol=0, atol=1e-6)


@pytest.mark.parametrize("n", [1, 5, 160, 161, 500])
@pytest.mark.parametrize("ratio", [Fraction(441, 160), Fraction(3, 2), Fraction(2)])
@pytest.mark.parametrize("method", ["hann_sinc", "sinc"])
def test_interpolations_by_quotients_are_those_of_python(method, ratio, n, wave, javascript):
    code = "(m, name, x, up, down) => m.METHODS[name](f32(x), up, down)"
    rates = (ratio.numerator, ratio.denominator)
    found = javascript("dsp/interpolate.js", code, method, wave[:n], *rates)
    expected = interpolate.get(method)(wave[:n], ratio)
    assert len(found) == len(expected)
    # Where a recording begins or ends suddenly, soxr filters in other stages.
    atol = 1e-6 if method == "hann_sinc" else 5e-3
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol)


@pytest.mark.parametrize(
    ("keep_hz", "band_hz", "from_hz"),
    [
        *[(1900.0, 2000.0, 0.0), (5000.0, 5000.0, 0.0), (40.0, 2000.0, 0.0)],
        *[(3400.0, 3400.0, 300.0), (500.0, 8000.0, 300.0)],
    ],
)
def test_the_crossover_is_that_of_python(keep_hz, band_hz, from_hz, noise, javascript):
    upper, lower = noise(5000, seed=1), noise(5000, seed=2)
    code = "(m, a, b, ...hz) => m.crossover(f32(a), f32(b), m.crossoverTaps(...hz))"
    found = javascript("dsp/crossover.js", code, upper, lower, 16000, keep_hz, band_hz, from_hz)
    python = Crossover(1, 16000, keep_hz, band_hz, from_hz)
    joined = [python.push(upper[np.newaxis], lower[np.newaxis]), python.flush()]
    np.testing.assert_allclose(found, np.concatenate(joined, axis=1)[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("sample_rate", [4000, 11025, 16000, 44100])
def test_power_spectra_are_those_of_python(sample_rate, wave, javascript):
    code = """(m, x, sampleRate) => {
        const spectra = new m.PowerSpectra(sampleRate);
        const sum = new Float64Array(spectra.bins);
        spectra.add(f32(x), 0, sum);
        return sum;
    }"""
    found = javascript("dsp/spectra.js", code, wave, sample_rate)
    np.testing.assert_allclose(found, power_spectra(wave, sample_rate)[0], rtol=1e-9)


def test_a_fourier_transform_is_inverted(noise, javascript):
    code = """(m, x) => {
        const fft = new m.RealFFT(64);
        const {re, im} = fft.forward(x);
        const spectrum = [re.slice(), im.slice()];
        return [spectrum, fft.inverse(...spectrum)];
    }"""
    wave = noise(64)
    (real, imaginary), inverse = javascript("dsp/fft.js", code, wave)
    np.testing.assert_allclose(
        np.array(real) + 1j * np.array(imaginary), np.fft.rfft(wave.astype(np.float64)), atol=1e-12
    )
    np.testing.assert_allclose(inverse, wave, atol=1e-12)


def recordings(noise):
    """Yields recordings (channels, n) with their rates, of each kind that the measure knows."""
    wide = noise(24000)
    narrow = audio.resample(audio.resample(wide, 16000, 8000), 8000, 16000)
    rounded = np.round(narrow * 32767) / 32768
    yield "wide", wide[np.newaxis], 16000
    yield "cliff", narrow[np.newaxis], 16000
    yield "16 bits", rounded[np.newaxis], 16000
    yield "quiet", 1e-3 * narrow[np.newaxis], 16000
    yield "silence", np.zeros((1, 8000)), 16000
    yield "the wider channel", np.stack([narrow, 0.1 * wide]), 16000
    yield "short", narrow[np.newaxis, :300], 16000
    yield "low rate", narrow[np.newaxis, :5000], 1000
    yield "44.1 kHz", audio.resample(narrow, 16000, 44100)[np.newaxis], 44100
    pauses = np.where(np.arange(24000) // 3000 % 2, narrow, 0)
    yield "pauses", pauses[np.newaxis], 16000
    # Longer than a block of ten seconds, and than one of its last windows.
    telephone = audio.resample(wide, 16000, 8000)
    telephone -= np.convolve(telephone, np.hanning(26) / np.hanning(26).sum(), mode="same")
    yield "telephone", np.stack([telephone, telephone[::-1]]), 8000
    # A voice in the other channel goes further down.
    yield "half a telephone", np.stack([telephone, audio.resample(wide, 16000, 8000)]), 8000
    yield "blocks", np.tile(wide, 3)[np.newaxis, : 50001 + 20], 5000


def test_the_measured_band_is_that_of_python(noise, javascript):
    cases = [(name, x.astype(np.float32), hz) for name, x, hz in recordings(noise)]
    code = "(m, cases) => cases.map(([, x, hz]) => m.bandHz(x.map(f32), hz))"
    found = javascript("dsp/bandwidth.js", code, cases)
    expected = [measure.wave_band(x.T, hz) for _, x, hz in cases]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert len({round(highest) for _, _, highest in expected}) > 4
    assert [name for (name, *_), (lowest, *_) in zip(cases, expected, strict=True) if lowest] == [
        "telephone"
    ]
