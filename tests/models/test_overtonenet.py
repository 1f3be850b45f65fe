"""OvertoneNet: its size, its independence of the level, and the bands it restores."""

import numpy as np
import pytest
from scipy import signal
from wideband import models
from wideband.data_gen import band_limit
from wideband.models.record import Record
from wideband.train import recipes


@pytest.fixture(scope="module")
def network():
    network = models.build("overtonenet", **models.small("overtonenet"))
    rng = np.random.default_rng(0)
    network.set_weights([rng.normal(0, 0.1, each.shape) for each in network.get_weights()])
    return network


def voice(n):
    """Harmonics with syllables and noise, (1, n, 1)."""
    instants = np.arange(n) / 16000
    wave = sum(np.sin(2 * np.pi * 150 * k * instants) / k for k in range(1, 20))
    wave *= 0.1 * (1.2 - np.cos(2 * np.pi * 4 * instants))
    wave += np.random.default_rng(0).normal(0, 0.01, n)
    return wave.astype(np.float32)[np.newaxis, :, np.newaxis]


def test_it_has_the_stated_number_of_parameters(outline):
    network = outline("overtonenet")
    assert network.count_params() == 4_367_363
    assert (network.wants, network.multiple, network.context) == ("interpolated", 100, 32000)


def test_layers_have_the_stated_sizes(outline):
    part = outline("overtonenet").get_layer("spectrum")

    def shapes(name):
        return [weight.shape for weight in part.get_layer(name).weights]

    # Amplitudes of the wave and its overtones, and presence.
    assert shapes("amplitude_first") == [(1, 3 * 257, 256), (256,)]
    for k, dilation in enumerate([1, 3, 9, 27, 1, 3, 9, 27, 1, 3]):
        assert shapes(f"amplitude_{k}_depthwise") == [(7, 256, 1), (256,)]
        assert part.get_layer(f"amplitude_{k}_depthwise").dilation_rate == (dilation,)
        assert shapes(f"amplitude_{k}_expand") == [(256, 768), (768,)]
        assert part.get_layer(f"amplitude_{k}_dropout").rate == 0.1
        assert shapes(f"amplitude_{k}_project") == [(768, 256), (256,)]
    for name in ("share", "amplitude", "keep"):
        assert shapes(f"{name}_last") == [(256, 257), (257,)]


def test_empty_bins_have_the_phases_of_overtones():
    """Each frame's phases above the band are those of the rectified wave."""
    network = models.build("overtonenet", **models.small("overtonenet"))
    low = signal.sosfiltfilt(
        signal.butter(16, 3000, fs=16000, output="sos"), voice(48000)[0, :, 0]
    ).astype(np.float32)
    part = network.get_layer("spectrum")
    _, real, imaginary = part(low[np.newaxis, :, np.newaxis])
    analysis = part.get_layer("analysis")
    overtones = [np.asarray(each) for each in analysis(np.abs(low)[np.newaxis, :, np.newaxis])]
    found = np.arctan2(np.asarray(imaginary), np.asarray(real))
    difference = found - np.arctan2(overtones[1], overtones[0])
    assert np.cos(difference[:, 100:-100, 140:250]).min() > 0.99


def test_before_training_it_keeps_what_is_present_and_fills_empty_bins():
    """The overtones in empty bins have the initial level."""
    network = models.build("overtonenet", **models.small("overtonenet"))
    wave = voice(48000)[0, :, 0]
    low = signal.sosfiltfilt(signal.butter(16, 4000, fs=16000, output="sos"), wave)
    restored = np.asarray(network(low[np.newaxis, :, np.newaxis].astype(np.float32)))[0, :, 0]
    # (bins, frames), without the ends
    before, after = (
        np.abs(signal.stft(each, 16000, nperseg=512)[2])[:, 20:-20] for each in (low, restored)
    )
    kept, filled = slice(4, 112), slice(150, 250)
    assert np.sqrt(np.mean((after[kept] - before[kept]) ** 2)) < 0.02 * np.std(before[kept])
    level = np.log(np.sqrt(np.mean(np.square(before))))
    assert np.log(np.sqrt(np.mean(np.square(after[filled])))) == pytest.approx(level - 5.0, abs=1)


@pytest.mark.parametrize("cutoff_hz", [3000, 8000])
@pytest.mark.parametrize("decibels", [-60, -30, 20])
def test_a_quieter_input_has_the_same_output_quieter_by_as_much(network, decibels, cutoff_hz):
    wave = voice(16000)
    if cutoff_hz < 8000:
        lowpass = signal.butter(40, cutoff_hz, fs=16000, output="sos")
        wave = signal.sosfiltfilt(lowpass, wave, axis=1).astype(np.float32)
    gain = 10 ** (decibels / 20)
    loud, quiet = np.asarray(network(wave)), np.asarray(network(gain * wave)) / gain
    change = 20 * np.log10(np.std(quiet) / np.std(loud))
    assert abs(change) < 0.5
    error = np.std(quiet - loud) / np.std(loud)
    assert error < 10 ** (0.5 / 20) - 1


def test_silence_stays_inaudible(network):
    output = np.asarray(network(np.zeros((1, 16000, 1), np.float32)))
    assert np.abs(output).max() < 1e-4


def test_it_restores_the_bands_of_its_training(network):
    band = band_limit.ends_hz(16000)
    assert network.band_hz == models.band_hz("overtonenet") == band
    assert models.band_hz("framenet") is None
    recipe = recipes.get("speech")
    assert (recipe.model, recipe.ratio) == ("overtonenet", 1)
    assert Record(recipe.to_json()).band_hz == band


def test_trained_for_one_ratio_it_restores_no_other_band():
    recipe = recipes.get("speech").to_json() | {"ratio": 4}
    assert Record(recipe).band_hz is None
