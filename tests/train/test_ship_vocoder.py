"""Shipping a vocoder, and a network that has one."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from seeds import seed_networks
from wideband import models
from wideband.command import UserError
from wideband.models import pretrained
from wideband.models.record import Record
from wideband.train import recipes, shipper
from wideband.train.ship import command
from wideband.upsample import load
from wideband.upsample.tflite import read, write

# Exports.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def write_run(tmp_path_factory):
    """Returns a function that writes the run folder of a small network with random weights."""

    def write_run(recipe, **arguments):
        folder = tmp_path_factory.mktemp("runs") / recipe
        folder.mkdir()
        name = recipes.get(recipe).model
        arguments = {**models.small(name), **arguments}
        seed_networks(1)
        network = models.build(name, **arguments)
        rng = np.random.default_rng(1)
        for layer in network._flatten_layers():
            if hasattr(layer, "gain"):
                # So that they are not the norms of the kernels.
                layer.gain.assign(layer.gain * rng.uniform(0.8, 1.2, layer.gain.shape))
        content = recipes.get(recipe, arguments=arguments).to_json()
        flags = ["--run=/home/me/x", f"--set=arguments.vocoder={arguments.get('vocoder')}"]
        Record(content, parts=dict(network.parts), flags=flags).write(folder)
        network.networks()["network"].save_weights(folder / pretrained.KERAS_FILE)
        return folder

    return write_run


def assert_close(found, expected, snr_db):
    """16-bit floats have a precision of 11 bits, and rounding errors add up."""
    error = np.sum((found - expected) ** 2)
    assert 10 * np.log10(np.sum(expected**2) / error) > snr_db


@pytest.fixture(scope="module")
def vocoder(write_run):
    """A run of a vocoder with weight normalization."""
    return write_run("hifigan_v3", mel="seed", weight_norm=True)


@pytest.fixture(scope="module")
def weights(vocoder, tmp_path_factory):
    """A folder of shipped networks with that vocoder, hifigan-22k."""
    folder = tmp_path_factory.mktemp("shipped") / "weights"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretrained, "WEIGHTS", folder)
        shipper.ship(vocoder, "hifigan-22k")
    return folder


@pytest.fixture
def shipped(weights, tmp_path, monkeypatch):
    """A copy of that folder, in which networks are found."""
    folder = shutil.copytree(weights, tmp_path / "weights")
    monkeypatch.setattr(pretrained, "WEIGHTS", folder)
    return folder


def test_weight_normalization_is_folded(vocoder, shipped, noise):
    record = Record.read(shipped / "hifigan-22k")
    assert record.arguments["weight_norm"] is False
    assert Record.read(vocoder).arguments["weight_norm"] is True
    assert read(shipped / "hifigan-22k" / pretrained.TFLITE_FILE)[1].arguments == record.arguments
    wave = noise(4096)
    expected, _ = load(vocoder).upsample(wave, 22050)
    for model in ("hifigan-22k", shipped / "hifigan-22k" / pretrained.KERAS_FILE):
        assert_close(load(model).upsample(wave, 22050)[0], expected, 35)


def test_a_network_is_shipped_with_a_shipped_vocoder(write_run, vocoder, shipped, noise):
    run = write_run("melgan_cnn", vocoder=str(vocoder))
    shipper.ship(run, "melgan-22k", vocoder="hifigan-22k")
    record = Record.read(shipped / "melgan-22k")
    assert record.arguments["vocoder"] == "hifigan-22k"
    checksum = pretrained.checksum(shipped / "hifigan-22k" / pretrained.KERAS_FILE)
    assert record.parts == {"vocoder": checksum}
    assert record.flags == []
    content = (shipped / "melgan-22k" / pretrained.TFLITE_FILE).read_bytes()
    assert str(vocoder).encode() not in content
    expected, found = (load(each).upsample(noise(2000), 8000)[0] for each in (run, "melgan-22k"))
    assert_close(found, expected, 25)


def test_a_network_that_was_trained_with_a_shipped_vocoder_names_it_already(write_run, shipped):
    run = write_run("melgan_cnn", vocoder="hifigan-22k")
    shipper.check(run, "melgan-22k")
    assert shipper._read_record(run).parts == Record.read(run).parts


def test_griffin_lim_needs_not_be_shipped(write_run, vocoder, shipped):
    run = write_run("melgan_cnn", vocoder=str(vocoder))
    record = shipper._read_record(run, "griffin_lim")
    assert (record.arguments["vocoder"], record.parts) == ("griffin_lim", {})


def test_another_vocoder_is_refused(write_run, vocoder, shipped, call, error_line):
    run = write_run("melgan_cnn", vocoder=str(vocoder))
    flags = [f"--run={run}", "--name=melgan-22k"]
    remedy = "is not shipped; ship the vocoder first, then name it with --vocoder=NAME"
    for more, message in (
        ([], f"{run}: its vocoder {vocoder} {remedy}"),
        ([f"--vocoder={vocoder}"], f"{run}: its vocoder {vocoder} {remedy}"),
        (["--vocoder=vocos-22k"], f"{run}: its vocoder vocos-22k {remedy}"),
    ):
        code, _, err = call(command, *flags, *more)
        assert (code, error_line(err)) == (1, f"error: {message}")
    with pytest.raises(UserError, match="has the network hifigan, which has no vocoder; leave"):
        shipper.ship(vocoder, "other-22k", vocoder="griffin_lim")
    assert pretrained.names() == ["hifigan-22k"]


def test_a_file_with_another_vocoder_is_refused(write_run, shipped, tmp_path):
    run, file = write_run("melgan_cnn"), tmp_path / "x.tflite"
    model, metadata = read(shipped / "hifigan-22k" / pretrained.TFLITE_FILE)
    checksum = pretrained.checksum(run / pretrained.KERAS_FILE)
    arguments = {"vocoder": "griffin_lim"}
    write(file, model, replace(metadata, weights_sha256=checksum, arguments=arguments))
    message = "x.tflite: has the vocoder griffin_lim, not the shipped hifigan-22k; leave out --tfl"
    with pytest.raises(UserError, match=message):
        shipper.check(run, "melgan-22k", file, "hifigan-22k")
    shipper.check(run, "melgan-22k", file, "griffin_lim")
