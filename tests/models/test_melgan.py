"""The mel-domain GAN: its parts, what training compares, and its vocoders."""

import numpy as np
import pytest
from seeds import seed_networks
from wideband import models
from wideband.command import UserError
from wideband.models import features, pretrained
from wideband.models.record import Record
from wideband.models.vocoder import find

RECIPE = {
    "name": "vocos", "source": "ours", "model": "vocos", "sample_rate": 22050, "ratio": 1,
    "protocol": "hann_sinc", "arguments": models.small("vocos") | {"mel": "nyquist"},
}  # fmt: skip


@pytest.fixture(scope="module")
def vocos(tmp_path_factory):
    """A run folder of a vocoder with random weights."""
    folder = tmp_path_factory.mktemp("vocos")
    Record(RECIPE).write(folder)
    seed_networks(1)
    models.build("vocos", **RECIPE["arguments"]).save_weights(folder / pretrained.KERAS_FILE)
    return folder


@pytest.fixture(scope="module")
def network(vocos):
    """A small network with that vocoder, which tests must not change."""
    seed_networks(0)
    return build(mel="nyquist", vocoder=str(vocos))


def build(**arguments):
    return models.build("melgan", **{**models.small("melgan"), **arguments})


def wave(noise, n=2048):
    return noise(2 * n).reshape(2, n, 1)


def test_the_wave_is_that_of_the_vocoder_for_the_filled_mel(network, vocos, noise):
    low = wave(noise)
    filled = network.get_layer("generator")(features.log_mel(low[..., 0], "nyquist"))
    expected = np.asarray(find(str(vocos), "nyquist").build()(filled))
    np.testing.assert_allclose(network(low), expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def test_training_compares_mels(network, noise):
    low = wave(noise)
    mel = features.log_mel(low[..., 0], "nyquist")
    np.testing.assert_allclose(network.target(low)["mel"], mel, rtol=0, atol=1e-3)
    filled = np.asarray(network.generate(low, low)["mel"])
    np.testing.assert_allclose(filled, network.get_layer("generator")(mel), rtol=0, atol=1e-3)
    assert filled.shape == (2, 8, 80)


def test_validation_compares_mels_that_no_vocoder_has_changed(network, noise):
    low = wave(noise)
    predicted = network.predicted(low, restored=np.full_like(low, np.nan))["mel"]
    np.testing.assert_allclose(predicted, network.generate(low, low)["mel"], rtol=0, atol=1e-3)


def test_only_the_generator_is_trained_and_saved(network):
    (trained,) = network.networks().values()
    assert trained.name == "generator"
    assert {id(each) for each in network.trainable_variables} == {
        id(each) for each in trained.trainable_variables
    }
    assert len(network.weights) > len(trained.weights)


def test_a_network_names_the_checksum_of_its_vocoder(network, vocos):
    assert dict(network.parts) == {"vocoder": pretrained.checksum(vocos / pretrained.KERAS_FILE)}
    assert dict(build().parts) == {}


def test_a_vocoder_for_another_mel_is_refused(vocos):
    with pytest.raises(UserError, match="takes the mel spectrogram nyquist, and seed is needed"):
        build(mel="seed", vocoder=str(vocos))


def test_an_unknown_mel_or_vocoder_is_refused():
    with pytest.raises(UserError, match="unknown mel 'htk'; choose one of seed"):
        build(mel="htk")
    with pytest.raises(UserError, match="nowhere: no such vocoder; choose griffin_lim or"):
        build(vocoder="nowhere")


def test_the_parameters_of_large_networks_are_counted_without_the_weights_of_the_vocoder(vocos):
    wide = models.small("melgan") | {"width": 2.0}
    arguments = {"mel": "nyquist", "vocoder": str(vocos)}
    counts = [models.count_parameters("melgan", **wide, **more) for more in ({}, arguments)]
    vocoder = models.count_parameters("vocos", **RECIPE["arguments"])
    assert counts[1] - counts[0] == vocoder
