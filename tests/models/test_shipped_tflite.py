"""Keras weights of shipped networks, compared with the TFLite files that they come from."""

import numpy as np
import pytest
from wideband import models
from wideband.command import UserError
from wideband.models import pretrained, shipped_tflite
from wideband.models.convert import command
from wideband.models.record import Record
from wideband.upsample import load

RATE = 8000


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """A function from the name of a shipped network to the run folder that the command makes."""
    made = {}

    def convert(name):
        if name not in made:
            made[name] = tmp_path_factory.mktemp("runs") / name
            assert command([name, "--from=shipped", f"--output={made[name]}"]) == 0
        return made[name]

    return convert


def voice(seconds):
    """Harmonics with syllables, and noise, (n,)."""
    instants = np.arange(int(seconds * RATE)) / RATE
    tones = sum(np.sin(2 * np.pi * 150 * k * instants) / k for k in range(1, 26))
    wave = 0.05 * tones * (1.2 - np.cos(2 * np.pi * 4 * instants))
    return (wave + np.random.default_rng(0).normal(0, 0.003, len(wave))).astype(np.float32)


@pytest.mark.parametrize("name", ["fullband", "speech"])
def test_a_converted_network_restores_as_the_shipped_one(name, converted):
    wave = voice(1)
    expected, rate = load(name).upsample(wave, RATE)
    restored, _ = load(converted(name)).upsample(wave, RATE)
    spectra = [np.fft.rfft(each) for each in (restored, expected)]
    new = slice(int(len(expected) * 4500 / rate), None)
    difference = np.linalg.norm((spectra[0] - spectra[1])[new])
    # TFLite rounds what a product of 8 bits takes, too.
    assert 0 < difference < 0.05 * np.linalg.norm(spectra[1][new])


def test_a_run_has_the_record_of_the_shipped_network(converted):
    assert Record.read(converted("speech")) == Record.read(pretrained.find("speech"))


def test_kernels_before_layer_scales_have_the_size_of_initial_ones(converted):
    network = load(converted("speech")).network
    variables = {weight.path: np.asarray(weight) for weight in network.weights}
    kernels = [each for path, each in variables.items() if path.endswith("_project/kernel")]
    assert len(kernels) == 10
    for kernel in kernels:
        sizes = np.sqrt(np.mean(kernel**2, axis=0))
        np.testing.assert_allclose(sizes, np.sqrt(2 / sum(kernel.shape)), rtol=1e-3)
    factors = [each for path, each in variables.items() if path.endswith("_scale/factor")]
    assert all((each > 0).all() and (each < 1).all() for each in factors)


def test_constants_of_another_network_are_refused():
    constants = shipped_tflite.constants(pretrained.find("phone") / "network.tflite")
    with pytest.raises(UserError, match=r"0 constants for amplitude_first/kernel"):
        shipped_tflite.assign(models.build("overtonenet"), constants)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["phone"], "phone: a phonenet; the weights of overtonenet and fullbandnet can be"),
        (["speech-4x"], "speech-4x: has Keras weights; use --initial_weights=speech-4x"),
        (["nothing"], "unknown shipped network 'nothing'; choose one of audiounet-2x"),
        (["speech", "--ratio=2"], "--ratio: a shipped network has its own; leave the flag out"),
    ],
)
def test_what_cannot_be_converted_is_refused_in_one_line(
    arguments, message, call, error_line, tmp_path
):
    output = tmp_path / "run"
    _, _, error = call(command, *arguments, "--from=shipped", f"--output={output}")
    assert message in error_line(error)
    assert not output.exists()
