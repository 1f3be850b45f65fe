"""FullbandNet: its size, and what it learns from references of limited band."""

import keras
import numpy as np
import pytest
import soxr
from wideband import audio, models
from wideband.command import UserError
from wideband.data_gen import band_limit
from wideband.models.fullbandnet import ROUNDING
from wideband.train import recipes

RATE = 48000
HZ = RATE / 1024  # of a bin


@pytest.fixture(scope="module")
def network():
    return models.build("fullbandnet", **models.small("fullbandnet"))


@pytest.fixture(scope="module")
def sides():
    """Low side up to 4 kHz, reference up to 12 kHz with a hole from 8 kHz on, (1, n, 1) both."""
    rng, fade = np.random.default_rng(0), np.hanning(9600)
    high = audio.remove_above(0.1 * fade * rng.normal(size=9600), RATE, 8000)
    high[:4800] += 0.1 * np.hanning(4800) * audio.remove_above(rng.normal(size=4800), RATE, 12000)
    low = audio.remove_above(high, RATE, 4000)
    return low[np.newaxis, :, np.newaxis], high[np.newaxis, :, np.newaxis]


def test_it_has_the_stated_size(outline):
    network = outline("fullbandnet")
    assert network.count_params() == 4_761_347
    assert (network.wants, network.multiple, network.context) == ("interpolated", 640, 102400)


def test_it_restores_the_bands_of_its_training(network):
    assert network.band_hz == models.band_hz("fullbandnet") == band_limit.ends_hz(RATE)
    for name in ("fullband", "fullband_gan"):
        recipe = recipes.get(name)
        assert (recipe.model, recipe.sample_rate, recipe.ratio) == ("fullbandnet", RATE, 1)


def test_above_the_band_of_the_reference_the_output_is_the_reference(network, sides):
    target, estimate = network.target(sides[1]), network.generate(*sides)
    above, within = slice(round(12500 / HZ), None), slice(round(5000 / HZ), round(7500 / HZ))
    for name in ("log_amplitude", "real", "imaginary"):
        reference, ours = (np.asarray(each["spectrum"][name]) for each in (target, estimate))
        np.testing.assert_array_equal(ours[..., above], reference[..., above])
        assert np.abs(ours[..., within] - reference[..., within]).mean() > 0.1
    # What the network restores is not limited.
    restored = np.asarray(network(sides[0]))[0, :, 0]
    wave = np.asarray(estimate["wave"])[0, :, 0]
    top = [np.abs(np.fft.rfft(each * np.hanning(9600)))[2600:].mean() for each in (restored, wave)]
    assert top[1] < 0.01 * top[0]


@pytest.mark.parametrize(
    ("rate", "below_hz", "from_hz"), [(16000, 6900, 7400), (32000, 15000, 16100)]
)
def test_nothing_is_learned_from_the_slope_of_a_recording_at_16_khz(
    rate, below_hz, from_hz, network
):
    """A recording, cut anywhere: the resampler falls off from 7.4 or 14.8 kHz on."""
    wave = soxr.resample(np.random.default_rng(3).normal(0, 0.1, 2 * rate), rate, RATE)
    high = wave[np.newaxis, 20000 : 20000 + 640 * 70, np.newaxis].astype(np.float32)
    estimate = network.generate(np.zeros_like(high), high)
    reference, ours = (
        np.asarray(each["spectrum"]["real"])[0] for each in (network.target(high), estimate)
    )
    below, slope = slice(round(below_hz / HZ)), slice(round(from_hz / HZ), None)
    np.testing.assert_array_equal(ours[:, slope], reference[:, slope])
    assert (ours[:, below] != reference[:, below]).mean() > 0.99


def test_in_holes_of_the_reference_the_output_is_the_reference(network, sides):
    target, estimate = network.target(sides[1]), network.generate(*sides)
    reference, ours = (
        np.asarray(each["spectrum"]["log_amplitude"])[0] for each in (target, estimate)
    )
    hole = slice(-10, -4), slice(round(9000 / HZ), round(11000 / HZ))
    np.testing.assert_array_equal(ours[hole], reference[hole])
    # Holes are no louder than 16 bits can tell, however silent they are.
    np.testing.assert_allclose(reference[hole], np.log(ROUNDING), atol=1.0)


def test_the_floor_is_the_noise_of_rounding_to_16_bits(network):
    rounded = np.random.default_rng(1).uniform(-0.5, 0.5, RATE) / 32768
    noise = network._analyzed(keras.ops.convert_to_tensor(rounded[np.newaxis, :, np.newaxis]))
    power = np.mean([np.square(np.asarray(each)) for each in noise]) * 2
    np.testing.assert_allclose(np.sqrt(power), ROUNDING, rtol=0.03)


def test_a_restored_wave_is_completed_with_the_reference_where_that_is_empty(network, sides):
    high = sides[1][0, :-7, 0]
    restored = np.random.default_rng(2).normal(0, 0.1, len(high)).astype(np.float32)
    completed = network.completed(restored, high)
    np.testing.assert_allclose(network.completed(high, high), high, atol=1e-5)
    middle = slice(1000, 4000)
    found, ours = (
        np.abs(np.fft.rfft(each[middle] * np.hanning(3000))) for each in (completed, restored)
    )
    below, above = slice(100, 650), slice(800, 1500)
    np.testing.assert_allclose(found[below], ours[below], atol=0.05 * ours[below].max())
    assert found[above].max() < 0.01 * ours[above].max()


def test_nothing_is_learned_from_silence(network, sides):
    silence = np.zeros_like(sides[1])
    estimate = network.generate(sides[0], silence)
    np.testing.assert_array_equal(estimate["wave"], silence)


def test_a_network_without_blocks_is_refused():
    with pytest.raises(UserError, match="blocks 0 must be at least 1"):
        models.build("fullbandnet", blocks=0)


def test_it_starts_from_an_overtonenet_at_the_same_frequencies():
    small = models.small("fullbandnet")
    networks = models.build("overtonenet", **small), models.build("fullbandnet", **small)
    old, new = (each.get_layer("spectrum") for each in networks)
    rng = np.random.default_rng(0)
    old.set_weights([rng.normal(size=each.shape) for each in old.get_weights()])
    old_hz, new_hz = np.linspace(0, 8000, 257), np.linspace(0, 24000, 513)
    kernel, bias = old.get_layer("amplitude_first").get_weights()
    smooth = rng.normal(size=(3, 1, len(bias))) + np.sin(old_hz / 2000)[:, np.newaxis]
    old.get_layer("amplitude_first").set_weights([smooth.reshape(kernel.shape), bias])
    networks[1].start_from(networks[0])
    for name in ("amplitude_last", "keep_last", "share_last"):
        both = (each.get_layer(name).get_weights() for each in (old, new))
        for theirs, ours in zip(*both, strict=True):
            expected = [np.interp(new_hz, old_hz, row) for row in np.atleast_2d(theirs)]
            np.testing.assert_allclose(np.atleast_2d(ours), expected, atol=1e-5)
    # The sums of smooth features with a smooth kernel stay.
    kernel = new.get_layer("amplitude_first").get_weights()[0].reshape(3, 513, -1)
    assert not kernel[:, new_hz > 8000].any()
    features = (1 + np.cos(hz / 3000) for hz in (new_hz, old_hz))
    sums = [np.einsum("b,fbc->fc", *each) for each in zip(features, (kernel, smooth), strict=True)]
    np.testing.assert_allclose(*sums, atol=0.01 * np.abs(sums[1]).max())
    expected = old.get_layer("amplitude_0_expand").get_weights()
    np.testing.assert_array_equal(new.get_layer("amplitude_0_expand").get_weights()[0], expected[0])


def test_it_does_not_start_from_an_overtonenet_of_another_width():
    old = models.build("overtonenet", width=0.2, blocks=1)
    with pytest.raises(ValueError, match="shape"):
        models.build("fullbandnet", **models.small("fullbandnet")).start_from(old)
