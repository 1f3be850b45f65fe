"""Fixtures: waves to restore, small networks of each kind, their runs and TFLite files."""

import sys
from functools import cache

import numpy as np
import pytest
from seeds import seed_networks
from wideband import models
from wideband.models.record import Record
from wideband.upsample import Upsampler, windows
from wideband.upsample.export import exporter


@pytest.fixture(scope="session")
def speech():
    """Returns a function that makes a gliding voice with formants and syllables, (n,) at 16 kHz."""

    def speech(n):
        instants = np.arange(n) / 16000
        f0_hz = 120 + 30 * np.sin(2 * np.pi * 3 * instants)
        phase = 2 * np.pi * np.cumsum(f0_hz) / 16000
        wave = np.zeros(n)
        for k in range(1, 60):
            formants = sum(1 / (1 + ((k * 120 - hz) / 150) ** 2) for hz in (600, 1400, 2600, 5200))
            wave += formants * np.cos(k * phase)
        wave *= 0.55 - 0.45 * np.cos(2 * np.pi * 12 * instants)
        wave += np.random.default_rng(0).normal(0, 0.02, n)
        return (0.5 * wave / np.abs(wave).max()).astype(np.float32)

    return speech


@pytest.fixture(scope="session")
def snr():
    """Returns a function that computes the signal-to-noise ratio of an estimate in dB."""

    def snr(reference, estimate):
        with np.errstate(divide="ignore"):
            return 10 * np.log10(np.sum(reference**2) / np.sum((reference - estimate) ** 2))

    return snr


@pytest.fixture(scope="session")
def push():
    """Returns a function that restores a wave in chunks, cycling through the given lengths.

    It returns the output, the stream's largest lag, and its `latency`, both in seconds.
    """

    def push(upsampler, wave, lengths, **options):
        channels = wave.shape[1] if wave.ndim == 2 else None
        stream = upsampler.stream(channels=channels, **options)
        chunks, taken, emitted, lag = [], 0, 0, 0.0
        while taken < len(wave):
            length = lengths[len(chunks) % len(lengths)]
            lag = max(lag, taken / options["sample_rate"] - emitted / upsampler.sample_rate)
            chunks.append(stream.push(wave[taken : taken + length]))
            taken += length
            emitted += len(chunks[-1])
        return np.concatenate([*chunks, stream.flush()]), lag, stream.latency

    return push


@pytest.fixture(scope="session")
def build():
    """Returns a function that builds a small network once, with weights that are not near zero."""

    @cache
    def build(name):
        seed_networks(0)
        network = models.build(name, **models.small(name))
        rng = np.random.default_rng(1)
        network.set_weights([w + rng.normal(0, 0.05, w.shape) for w in network.get_weights()])
        return network

    return build


@pytest.fixture(scope="session")
def upsampler(build):
    """Returns a function that makes an upsampler of a small network, from 4 to 16 kHz."""

    def upsampler(name):
        return Upsampler(build(name), 16000, 4, "spline")

    return upsampler


@pytest.fixture
def one_window_at_a_time(monkeypatch):
    """Restores windows one by one, so that each network is compiled for one batch size only."""
    monkeypatch.setattr(windows, "SAMPLES_AT_ONCE", 1)


@pytest.fixture
def without_tensorflow(monkeypatch):
    """Makes every import of TensorFlow fail."""
    # Python refuses to import a module that is None.
    monkeypatch.setitem(sys.modules, "tensorflow", None)


@pytest.fixture(scope="session")
def make_run(run, build, tmp_path_factory):
    """Returns a function that makes the run folder of a small network."""

    def make_run(name):
        folder = tmp_path_factory.mktemp("runs") / name
        folder.mkdir()
        network = build(name)
        network.save_weights(folder / "best.weights.h5")
        record = Record.read(run)
        record.recipe |= {"name": name, "model": name, "arguments": models.small(name)}
        record.write(folder)
        return folder

    return make_run


@pytest.fixture(scope="session")
def stream_run(make_run):
    """A run of the streaming network."""
    return make_run("streamnet")


@pytest.fixture(scope="session")
def stream_file(stream_run, data, tmp_path_factory):
    """Returns a function that exports the streaming run, once per kind of quantization."""
    folder = tmp_path_factory.mktemp("files")

    @cache
    def stream_file(quantize="none"):
        path = folder / f"stream-{quantize}.tflite"
        exporter.export(stream_run, path, quantize, data=data)
        return path

    return stream_file


@pytest.fixture(scope="session")
def window_file(run, tmp_path_factory):
    """A TFLite file with independent windows and a context."""
    path = tmp_path_factory.mktemp("files") / "window.tflite"
    exporter.export(run, path, window=2048)
    return path


@pytest.fixture(scope="session")
def patch_file(make_run, tmp_path_factory):
    """A TFLite file of a network that takes whole patches and has an LSTM."""
    path = tmp_path_factory.mktemp("files") / "patch.tflite"
    exporter.export(make_run("tfilm"), path)
    return path
