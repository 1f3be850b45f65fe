"""Small TFLite files of each kind, the runs that they come from, and waves to restore."""

import json

import keras
import numpy as np
import pytest
from wideband import models
from wideband.upsample.export import exporter


@pytest.fixture(scope="session")
def speech():
    """Makes a gliding voice with formants and syllables, (n,) at 16 kHz."""

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
def noise():
    """Makes white noise, (n,)."""

    def noise(n, seed=0):
        return np.random.default_rng(seed).normal(0, 0.1, n).astype(np.float32)

    return noise


@pytest.fixture(scope="session")
def pushed():
    """Restores a wave in pieces of lengths used in turn; also tells its lag and stated latency."""

    def pushed(upsampler, wave, steps, **options):
        channels = wave.shape[1] if wave.ndim == 2 else None
        stream = upsampler.stream(channels=channels, **options)
        pieces, taken, given, lag = [], 0, 0, 0.0
        while taken < len(wave):
            step = steps[len(pieces) % len(steps)]
            lag = max(lag, taken / options["sample_rate"] - given / upsampler.sample_rate)
            pieces.append(stream.push(wave[taken : taken + step]))
            taken += step
            given += len(pieces[-1])
        return np.concatenate([*pieces, stream.flush()]), lag, stream.latency

    return pushed


@pytest.fixture(scope="session")
def run_of(run, tmp_path_factory):
    """Makes a run folder of a network whose every weight counts."""

    def run_of(name, **arguments):
        folder = tmp_path_factory.mktemp("runs") / name
        folder.mkdir()
        record = json.loads((run / "run.json").read_text())
        record["recipe"] |= {"name": name, "model": name, "arguments": arguments}
        keras.utils.set_random_seed(0)
        network = models.build(name, **arguments)
        rng = np.random.default_rng(0)
        network.set_weights(
            [weight + rng.normal(0, 0.05, weight.shape) for weight in network.get_weights()]
        )
        network.save_weights(folder / "best.weights.h5")
        (folder / "run.json").write_text(json.dumps(record))
        return folder

    return run_of


@pytest.fixture(scope="session")
def stream_run(run_of):
    """A run of the network that streams."""
    return run_of("streamnet", ratio=4, width=0.1)


@pytest.fixture(scope="session")
def stream_files(stream_run, data, tmp_path_factory):
    """Exports that run once for all tests: the path of its file."""
    folder, made = tmp_path_factory.mktemp("files"), {}

    def file(quantize="none"):
        if quantize not in made:
            made[quantize] = folder / f"stream-{quantize}.tflite"
            exporter.export(stream_run, made[quantize], quantize, data=data)
        return made[quantize]

    return file


@pytest.fixture(scope="session")
def window_file(run, tmp_path_factory):
    """A TFLite file whose windows stand alone and have a context."""
    path = tmp_path_factory.mktemp("files") / "window.tflite"
    exporter.export(run, path, window=2048)
    return path


@pytest.fixture(scope="session")
def patch_file(run_of, tmp_path_factory):
    """A TFLite file whose windows stand alone, are seen whole, and go through an LSTM."""
    path = tmp_path_factory.mktemp("files") / "patch.tflite"
    exporter.export(run_of("tfilm", width=0.05, patch=256), path)
    return path
