"""Output that is not finite is refused for every kind of network, wherever the wave comes from."""

import io

import numpy as np
import pytest
import soundfile
from wideband.command import UserError
from wideband.models.record import Record
from wideband.upsample import Upsampler, load
from wideband.upsample.baselines import Interpolation
from wideband.upsample.batch import restore_files
from wideband.upsample.picking import Candidate
from wideband.upsample.raw import restore_raw
from wideband.upsample.settings import Settings
from wideband.upsample.tflite import TFLiteNetwork

MESSAGE = r"the output of the network \w+ contains NaN or infinity; use another model, or train or"


class Logarithmic(Interpolation):
    """A network that computes the logarithm of the power of a window: NaN for silence."""

    def restore(self, windows):
        return np.where(windows.any(axis=(1, 2), keepdims=True), windows, np.nan)


@pytest.fixture(params=["context", "patch", "streaming", "TFLite"])
def upsampler(request, monkeypatch):
    """Upsamplers with each kind of network."""
    if request.param == "TFLite":
        run = TFLiteNetwork.run

        def run_with_logarithm(self, window, states):
            restored, states = run(self, window, states)
            return restored if window.any() else np.nan * restored, states

        monkeypatch.setattr(TFLiteNetwork, "run", run_with_logarithm)
        return load("phone-4x")
    network = Logarithmic("linear")
    network.windows = (256,)
    network.context, network.patch = {"patch": (None, 256)}.get(request.param, (0, None))
    network.streaming = request.param == "streaming"
    return Upsampler(network, 16000, 4, "linear")


@pytest.fixture
def wave(noise):
    """Noise, silence, noise, (n,) at 4 kHz."""
    return np.concatenate([noise(2000), np.zeros(2000, np.float32), noise(2000)])


def test_python_and_streams_refuse_it(upsampler, wave):
    for keep_low_band in (True, False):
        with pytest.raises(UserError, match=MESSAGE):
            upsampler.upsample(wave, 4000, keep_low_band)
    stream = upsampler.stream(4000)
    with pytest.raises(UserError, match=MESSAGE):
        stream.push(wave)


def test_raw_samples_are_refused(upsampler, wave):
    model = Candidate("model", 4000, 16000, lambda: upsampler)
    source = io.BufferedReader(io.BytesIO((32768 * wave).astype("<i2").tobytes()))
    with pytest.raises(UserError, match=MESSAGE):
        restore_raw([model], source, io.BytesIO(), 4000, 1, "s16", Settings())


def test_a_file_is_refused_by_its_name_and_nothing_is_written(upsampler, wave, tmp_path):
    source, target = tmp_path / "old.wav", tmp_path / "new.wav"
    soundfile.write(source, wave, 4000)
    model = Candidate("model", 4000, 16000, lambda: upsampler)
    (error,) = restore_files([model], [(source, target)], Settings())
    assert str(error).startswith(f"{source}: the output of the network ")
    assert [path.name for path in tmp_path.iterdir()] == ["old.wav"]


def test_a_network_whose_weights_are_not_finite_is_refused(run, tmp_path):
    """As those of a training that diverged."""
    network = load(run).network
    network.set_weights([weight * np.nan for weight in network.get_weights()])
    network.save_weights(tmp_path / "best.weights.h5")
    Record.read(run).write(tmp_path)
    with pytest.raises(UserError, match=MESSAGE):
        load(tmp_path).upsample(np.zeros(400), 4000)
