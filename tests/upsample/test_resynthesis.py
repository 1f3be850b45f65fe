"""Vocoders as models: they take recordings of any band, and make the whole wave anew."""

import numpy as np
import pytest
from seeds import seed_networks
from wideband import audio, models
from wideband.command import UserError
from wideband.models.record import Record
from wideband.upsample import Upsampler, load
from wideband.upsample.export.exporter import export
from wideband.upsample.picking import Candidate, candidates, pick
from wideband.upsample.tflite import TFLiteNetwork


@pytest.fixture(scope="module")
def vocoder(build):
    """An upsampler of the small Vocos."""
    return Upsampler(build("vocos"), 22050, 1, "sinc")


@pytest.fixture(scope="module")
def run(run, tmp_path_factory):
    """A run folder of a vocoder, with random weights."""
    folder = tmp_path_factory.mktemp("runs") / "vocos"
    folder.mkdir()
    record = Record.read(run)
    arguments = models.small("vocos")
    more = {"ratio": 1, "sample_rate": 22050, "protocol": "hann_sinc", "arguments": arguments}
    record.recipe |= {"name": "vocos", "model": "vocos", **more}
    record.write(folder)
    seed_networks(0)
    models.build("vocos", **arguments).save_weights(folder / "best.weights.h5")
    return folder


@pytest.mark.parametrize("keep_low_band", [True, False])
@pytest.mark.parametrize("sample_rate", [8000, 22050, 44100])
def test_the_whole_wave_comes_from_the_vocoder(vocoder, sample_rate, keep_low_band, noise):
    wave = noise(sample_rate // 10)
    found, rate = vocoder.upsample(wave, sample_rate, keep_low_band)
    high = audio.resample(wave, sample_rate, 22050)
    assert (rate, len(found)) == (22050, len(high))
    network, n = vocoder.network, len(high)
    # A stream extends the end of a recording by a few mirrored samples.
    extended = np.pad(high, (network.context, 32), mode="symmetric")
    extended[: network.context] = 0
    padded = np.pad(extended, (0, network.context + -(n + 32) % network.multiple))
    expected = np.asarray(network(padded[np.newaxis, :, np.newaxis]))[0, network.context :, 0][:n]
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-3 * np.abs(expected).max())


def test_a_vocoder_has_no_low_rate(build):
    with pytest.raises(UserError, match=r"^ratio 2: vocos is a vocoder, which has a ratio of 1$"):
        Upsampler(build("vocos"), 22050, 2, "sinc")


def test_every_recording_fits_a_vocoder(vocoder, run):
    (candidate,) = candidates([str(run)], 22050, 2)
    assert candidate.is_vocoder
    for band_hz in (100, 4000, 11025, 22050):
        assert pick([candidate], band_hz, 22050) is candidate.upsampler
    other = Candidate("other", 4000, 16000, lambda: vocoder)
    with pytest.raises(UserError, match="has content up to 11025 Hz"):
        pick([other], 11025, 22050)


def test_a_run_of_a_vocoder_has_the_ratio_1(run, noise):
    record = Record.read(run)
    assert (record.ratio, record.low_rate, record.band_hz) == (1, 22050, None)
    upsampler = load(run)
    assert upsampler.is_vocoder
    assert len(upsampler.upsample(noise(1000), 22050)[0]) == 1000


@pytest.mark.slow
def test_an_exported_file_takes_what_its_run_takes(run, tmp_path, noise, snr):
    export(run, tmp_path / "x.tflite", window=8192)
    metadata = TFLiteNetwork(tmp_path / "x.tflite").metadata
    assert (metadata.wants, metadata.ratio, metadata.factor) == ("high", 1, 1)
    file = load(tmp_path / "x.tflite")
    assert file.is_vocoder
    found, expected = (each.upsample(noise(3000), 22050)[0] for each in (file, load(run)))
    assert snr(expected, found) > 60


@pytest.mark.slow
def test_int8_is_calibrated_on_any_dataset_of_the_rate(run, make_dataset, tmp_path):
    from wideband.data_gen import shards

    high = np.random.default_rng(0).normal(0, 0.1, 40000).astype(np.float32)
    examples = {"train": [shards.Example("a.wav", "someone", "", 0.0, high, high[::2])]}
    settings = {"ratio": 2, "protocol": "decimate_fft", "sample_rate": 22050}
    folder = make_dataset(tmp_path / "data", examples, **settings)
    exported = export(run, tmp_path / "x.tflite", "int8", data=folder, window=8192)
    assert np.isfinite(exported.agreement_db)
