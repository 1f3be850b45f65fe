"""FrameNet: a slow network in plain NumPy, and what it does before it is trained."""

import keras
import numpy as np
import pytest
from scipy import signal
from wideband import models
from wideband.data_gen import degrade

DILATIONS = (1, 3, 9, 27) * 3


@pytest.mark.parametrize(("ratio", "below", "above"), [(2, 129, 129), (4, 65, 193), (8, 33, 225)])
def test_layers_have_the_sizes_of_the_description(outline, ratio, below, above):
    network = outline("framenet", ratio=ratio)
    kernels = {w.path.split("/")[0]: w.shape for w in network.weights if w.name == "kernel"}
    expected = {"first": (3, 3 * below, 192)}
    for k in range(12):
        expected |= {f"dilated_{k}": (3, 192, 192), f"mix_{k}": (1, 192, 192)}
    expected |= {"level": (192, above), "turn": (192, 2 * above), "gain": (192, below)}
    assert kernels == expected
    dilations = [network.get_layer(f"dilated_{k}").dilation_rate[0] for k in range(12)]
    assert tuple(dilations) == DILATIONS


@pytest.mark.parametrize("ratio", [2, 4])
def test_output_equals_a_slow_numpy_network(ratio, drawn, slow, waves):
    network = drawn("framenet", ratio=ratio, width=0.02)
    wave = waves(1024 // ratio)
    # A pause, where the floor of the levels shows.
    wave[:, 512 // ratio :] *= 1e-6
    expected = [_slow_network(each.astype(np.float64), network, ratio, slow) for each in wave]
    slow.assert_close(network(wave), expected)


def _slow_network(low, network, ratio, slow):
    """Frame by frame, by NumPy's Fourier transforms."""

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
    phase = bands / np.sqrt(power)
    x = np.concatenate([(np.log(power) + 12) / 4, phase.real, phase.imag], axis=1)
    x = slow.conv(x, *weights("first"))
    for k, dilation in enumerate(DILATIONS):
        y = slow.conv(slow.leaky(x, 0.2), *weights(f"dilated_{k}"), dilation=dilation)
        x = x + slow.conv(slow.leaky(y, 0.2), *weights(f"mix_{k}"))
    x = slow.leaky(x, 0.2)
    level, turn, gain = (
        x @ kernel + bias for kernel, bias in map(weights, ("level", "turn", "gain"))
    )

    # A sinc of 32 samples on either side.
    t = np.arange(ratio * len(low))[:, np.newaxis] / ratio - np.arange(len(low))
    window = np.where(np.abs(t) < 32, np.cos(np.pi * t / 64) ** 2, 0)
    wave = (np.sinc(t) * window) @ low[:, 0]

    hann = np.sin(np.pi * (np.arange(512) + 0.5) / 512) ** 2
    padded = np.pad(np.abs(wave), 192)
    frames = np.stack([hann * padded[128 * m : 128 * m + 512] for m in range(count)])
    overtones = (np.fft.rfft(frames) * (-1.0) ** np.arange(257))[:, below - 1 :]
    overtones /= np.sqrt(np.sum(hann**2))
    power = np.abs(overtones) ** 2
    for k in range(power.shape[1]):
        near = power[:, max(0, k - 8) : k + 9].mean(axis=1)
        overtones[:, k] /= np.sqrt(near + 1e-14)
    real, imaginary = np.split(turn, 2, axis=1)
    carrier = (1 + real + 1j * imaginary) * overtones

    spectrum = np.zeros((count, 257), complex)
    spectrum[:, :below] += np.exp(np.clip(gain, -10, 5)) * bands
    spectrum[:, below - 1 :] += np.exp(np.clip(level - 7, -16, 4)) * carrier

    hann = np.cos(np.pi * (np.arange(512) - 255.5 - 0.5) / 512) ** 2
    scale = np.sqrt(257 * np.sum(hann**2) / 128)
    added = np.zeros(128 * count + 512)
    angle = 2 * np.pi * np.arange(257)[:, np.newaxis] * (np.arange(512) - 256) / 512
    for m in range(count):
        frame = spectrum[m].real @ np.cos(angle) - spectrum[m].imag @ np.sin(angle)
        added[128 * m : 128 * m + 512] += hann * frame / scale
    # A frame's window begins one hop and a half before its hop.
    added = added[192 : 192 + 128 * count]

    return (wave + added)[:, np.newaxis]


@pytest.mark.parametrize("ratio", [2, 4])
def test_untrained_it_undoes_the_filter_of_the_decimation_and_adds_next_to_nothing(ratio):
    keras.utils.set_random_seed(0)
    network = models.build("framenet", ratio=ratio, width=0.1)
    rng = np.random.default_rng(0)
    # Up to 0.9 of the low band, at the end of which the filter takes 20 dB and more.
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"ratio": 3}, "ratio 3 is none of 2, 4, 8, 16"), ({"width": 0.001}, "without filters")],
)
def test_sizes_that_cannot_be_built_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        models.build("framenet", **arguments)
