"""PhoneNet: its size, the steps of a stream, its look-ahead, and its independence of the level."""

import keras
import numpy as np
import pytest
from wideband import models
from wideband.data_gen import band_limit


@pytest.fixture(scope="module")
def network():
    network = models.build("phonenet", **models.small("phonenet"))
    rng = np.random.default_rng(0)
    network.set_weights([rng.normal(0, 0.1, each.shape) for each in network.get_weights()])
    return network


def test_it_has_the_stated_size(outline):
    network = outline("phonenet")
    assert network.count_params() == 837_381
    assert (network.wants, network.multiple, network.context) == ("interpolated", 64, 13952)
    part = network.get_layer("spectrum")
    for stream in ("amplitude", "phase"):
        for k in range(4):
            assert part.get_layer(f"{stream}_{k}_depthwise").dilation_rate == (2**k,)
            shapes = [each.shape for each in part.get_layer(f"{stream}_{k}_expand").weights]
            assert shapes == [(128, 304), (304,)]


def test_steps_of_128_samples_return_the_output_for_the_whole_wave(network, waves):
    wave = waves(2560)[:1]
    whole = np.asarray(network(wave))[0, :, 0]
    step = network.step()
    assert [each.shape for each in step.outputs[1:]] == [each.shape for each in step.inputs[1:]]
    states = [np.zeros(each.shape, np.float32) for each in step.inputs[1:]]
    longer, pieces = np.pad(wave, ((0, 0), (0, 384), (0, 0))), []
    for start in range(0, longer.shape[1], 128):
        restored, *states = step.predict_on_batch([longer[:, start : start + 128], *states])
        pieces.append(restored[0, :, 0])
    np.testing.assert_allclose(np.concatenate(pieces)[384:], whole, rtol=0, atol=1e-5)


def test_a_sample_changes_nothing_32_ms_before_it(network, waves):
    wave = waves(6400)[:1]
    before = np.asarray(network(wave))[0, :, 0]
    wave[0, 5000] += 1.0
    first = np.flatnonzero(np.asarray(network(wave))[0, :, 0] != before)[0]
    # The output lags by 384 samples, and a step waits for 128.
    assert 5000 - 512 < first <= 5000 - 256


@pytest.mark.parametrize("decibels", [-60, -30])
def test_a_quieter_input_has_the_same_output_quieter_by_as_much(network, waves, decibels):
    wave = waves(6400)[:1]
    gain = 10 ** (decibels / 20)
    loud, quiet = np.asarray(network(wave)), np.asarray(network(gain * wave)) / gain
    assert np.std(quiet - loud) / np.std(loud) < 10 ** (0.5 / 20) - 1


def test_its_predicted_spectrum_is_that_of_its_wave(waves):
    """If all bins are present, the network returns its input."""
    network = models.build("phonenet", **models.small("phonenet"))
    for name in ("share", "keep"):
        layer = network.get_layer("spectrum").get_layer(f"{name}_last")
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel, bias + 40])
    wave = keras.ops.convert_to_tensor(waves(6400)[:1])
    estimate, target = network.generate(wave, wave), network.target(wave)
    np.testing.assert_allclose(estimate["wave"], wave, rtol=0, atol=1e-5)
    for name in ("log_amplitude", "real", "imaginary", "wave_real", "wave_imaginary"):
        np.testing.assert_allclose(
            estimate["spectrum"][name], target["spectrum"][name], rtol=0, atol=1e-3, err_msg=name
        )


def test_it_restores_the_bands_of_its_training(network):
    assert network.band_hz == band_limit.ends_hz(16000)
