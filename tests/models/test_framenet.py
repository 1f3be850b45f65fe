"""FrameNet: a reference in NumPy, the floors, and the output before training."""

import numpy as np
import pytest
from scipy import signal
from seeds import seed_networks
from wideband import models
from wideband.command import UserError
from wideband.data_gen import degrade
from wideband.models import framenet

DILATIONS = (1, 3, 9, 27) * 3


@pytest.mark.parametrize(("ratio", "below", "above"), [(2, 129, 129), (4, 65, 193), (8, 33, 225)])
def test_layers_have_the_documented_sizes(outline, ratio, below, above):
    network = outline("framenet", ratio=ratio)
    kernels = {w.path.split("/")[0]: w.shape for w in network.weights if w.name == "kernel"}
    expected = {"first": (3, below, 192)}
    for k in range(12):
        expected |= {f"dilated_{k}": (3, 192, 192), f"mix_{k}": (1, 192, 192)}
    expected |= {"level": (192, above), "gain": (192, below)}
    assert kernels == expected
    dilations = [network.get_layer(f"dilated_{k}").dilation_rate[0] for k in range(12)]
    assert tuple(dilations) == DILATIONS


@pytest.mark.parametrize("ratio", [2, 4])
def test_output_equals_a_numpy_reference(ratio, randomized, reference, waves):
    network = randomized("framenet", ratio=ratio, width=0.02)
    wave = waves(3072 // ratio)
    # In a pause the floor of the levels affects the output.
    wave[:, 1536 // ratio :] *= 1e-6
    expected = [
        _reference_network(each.astype(np.float64), network, ratio, reference) for each in wave
    ]
    reference.assert_close(network(wave), expected)


@pytest.fixture(scope="module")
def network(randomized):
    """A small network, which tests must not change."""
    return randomized("framenet", width=0.02)


@pytest.mark.parametrize("kind", ["quiet noise", "rounding noise", "burst", "click"])
def test_quiet_waves_and_bursts_equal_a_numpy_reference(kind, network, reference):
    """The floors under the powers affect these waves. Each is compared at its own level."""
    noise = np.random.default_rng(3).normal(0, 1, 1024)
    wave = {
        "quiet noise": 1e-4 * noise,
        "rounding noise": np.round(0.5 * noise) / 32768,
        "burst": np.where(np.abs(np.arange(1024) - 512) < 32, 0.5 * noise, 0.0),
        "click": np.eye(1, 1024, 500)[0],
    }[kind].astype(np.float32)
    expected = _reference_network(wave[:, np.newaxis].astype(np.float64), network, 4, reference)
    found = np.asarray(network(wave[np.newaxis, :, np.newaxis]))[0]
    assert np.isfinite(found).all()
    reference.assert_close(found, expected)


def test_digital_silence_stays_silent(network):
    np.testing.assert_array_equal(network(np.zeros((1, 1024, 1), np.float32)), 0)


def test_the_floors_survive_float16():
    """Floors of 0 would turn digital silence into NaN in TFLite files of float16."""
    floors = [framenet.LEVEL_FLOOR, framenet.WHITENING_FLOOR, framenet.SMOOTHING_FLOOR]
    for value in [framenet.SCALE, *floors]:
        assert np.float16(value) == pytest.approx(value, rel=2e-3)
    assert np.array(floors) / framenet.SCALE**2 == pytest.approx([1e-12, 1e-14, 1e-12])


def _reference_network(low, network, ratio, reference):
    """The network frame by frame, with NumPy's Fourier transforms."""

    def weights(name):
        return [np.asarray(each, np.float64) for each in network.get_layer(name).weights]

    hop, window = 128 // ratio, 512 // ratio
    count, below = len(low) // hop, window // 2 + 1
    hann = np.sin(np.pi * (np.arange(window) + 0.5) / window) ** 2
    padded = np.pad(low[:, 0], (window - hop) // 2)
    # Phases count from the middle of the window.
    middle = (-1.0) ** np.arange(below)
    frames = np.stack([hann * padded[m * hop : m * hop + window] for m in range(count)])
    bands = np.fft.rfft(frames) * middle / np.sqrt(np.sum(hann**2))

    power = np.abs(bands) ** 2 + 1e-12
    x = reference.conv((np.log(power) + 12) / 4, *weights("first"))
    for k, dilation in enumerate(DILATIONS):
        y = reference.conv(reference.leaky(x, 0.2), *weights(f"dilated_{k}"), dilation=dilation)
        x = x + reference.conv(reference.leaky(y, 0.2), *weights(f"mix_{k}"))
    x = reference.leaky(x, 0.2)
    level, gain = (x @ kernel + bias for kernel, bias in map(weights, ("level", "gain")))

    # A sinc of 32 samples on either side.
    t = np.arange(ratio * len(low))[:, np.newaxis] / ratio - np.arange(len(low))
    window = np.where(np.abs(t) < 32, np.cos(np.pi * t / 64) ** 2, 0)
    wave = (np.sinc(t) * window) @ low[:, 0]

    hann = np.sin(np.pi * (np.arange(512) + 0.5) / 512) ** 2
    padded = np.pad(np.abs(wave), 192)
    frames = np.stack([hann * padded[128 * m : 128 * m + 512] for m in range(count)])
    overtones = (np.fft.rfft(frames) * (-1.0) ** np.arange(257))[:, below - 1 :]
    overtones /= np.sqrt(np.sum(hann**2))
    overtones = overtones / np.sqrt(_near(np.abs(overtones) ** 2, 8) + 1e-14)

    gained = _wave(np.exp(np.clip(gain, -10, 5)) * bands, 0)
    high_band = _wave(np.exp(np.clip(level, -16, 4)) * overtones, below - 1)
    for size in (2048, 512, 2048):
        high_band = _smoothed(high_band, size, size // 2 // ratio)
    return (wave + gained + high_band)[:, np.newaxis]


def _near(power, reach):
    """The mean over all bands that are at most `reach` bands away."""
    spans = [slice(max(0, k - reach), k + reach + 1) for k in range(power.shape[1])]
    return np.stack([power[:, span].mean(axis=1) for span in spans], axis=1)


def _wave(bands, first):
    """Adds up the windowed waves of bands, the lowest of which is number `first`."""
    hann = np.cos(np.pi * (np.arange(512) - 255.5 - 0.5) / 512) ** 2
    scale = np.sqrt(257 * np.sum(hann**2) / 128)
    count, last = len(bands), first + bands.shape[1]
    added = np.zeros(128 * count + 512)
    angle = 2 * np.pi * np.arange(first, last)[:, np.newaxis] * (np.arange(512) - 256) / 512
    for m in range(count):
        frame = bands[m].real @ np.cos(angle) - bands[m].imag @ np.sin(angle)
        added[128 * m : 128 * m + 512] += hann * frame / scale
    # A frame's window begins one hop and a half before its hop.
    return added[192 : 192 + 128 * count]


def _smoothed(wave, size, first):
    """Griffin and Lim's step: smooths magnitudes, and returns the wave closest to them."""
    hop, edge = size // 4, size - size // 4
    hann = np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2
    padded = np.pad(wave, edge)
    added, weight = np.zeros_like(padded), np.zeros_like(padded)
    for start in range(0, len(padded) - size + 1, hop):
        span = slice(start, start + size)
        spectrum = np.fft.rfft(hann * padded[span])
        power = np.abs(spectrum[first:]) ** 2
        near = _near(power[np.newaxis], size // 64)[0]
        spectrum[first:] *= np.sqrt((near + 1e-12) / (power + 1e-12))
        spectrum[:first] = 0
        added[span] += hann * np.fft.irfft(spectrum)
        weight[span] += hann**2
    return (added / weight)[edge : edge + len(wave)]


@pytest.mark.parametrize("ratio", [2, 4])
def test_before_training_it_inverts_the_decimation_filter_and_adds_almost_no_high_band(ratio):
    seed_networks(0)
    network = models.build("framenet", ratio=ratio, width=0.1)
    rng = np.random.default_rng(0)
    # The band ends at 0.9 of the low band, where the filter attenuates by more than 20 dB.
    sections = signal.ellip(10, 0.1, 80, 0.87 / ratio, output="sos")
    high = signal.sosfiltfilt(sections, rng.normal(0, 0.1, 32768))
    low = degrade.decimate(high, ratio)
    restored = np.asarray(network(low[np.newaxis, :, np.newaxis]))[0, :, 0]
    inner = slice(4096, -4096)

    def error_db(wave):
        return 10 * np.log10(np.sum((wave - high)[inner] ** 2) / np.sum(high[inner] ** 2))

    before = error_db(degrade.PROTOCOLS["sinc"].up(low, ratio))
    assert error_db(restored) < before - 6
    assert error_db(restored) < -20


def test_an_unsupported_ratio_is_refused():
    message = r"^framenet: unsupported ratio 3; choose one of 2, 4, 8, 16$"
    with pytest.raises(UserError, match=message):
        models.build("framenet", ratio=3)
