"""Networks for any band: what they take, what they keep, and when they are picked."""

import dataclasses
import io
import json
import shutil
import zipfile

import numpy as np
import pytest
from scipy import signal
from wideband import audio
from wideband import models as registry
from wideband.audio import measure
from wideband.audio.bandwidth import Band
from wideband.command import UserError
from wideband.models.record import Record
from wideband.upsample import Upsampler, load, picking, tflite
from wideband.upsample.export.exporter import export
from wideband.upsample.picking import Candidate, candidates, pick
from wideband.upsample.raw import restore_raw
from wideband.upsample.settings import Settings
from wideband.upsample.tflite import TFLiteNetwork

BAND_HZ = (1000.0, 7500.0)


@pytest.fixture(scope="module")
def any_band(build):
    """An upsampler of the small network for any band, which changes what is present, too."""
    network = registry.build("overtonenet", **registry.small("overtonenet"))
    network.set_weights(build("overtonenet").get_weights())
    bias = network.get_layer("spectrum").get_layer("share_last").bias
    bias.assign(np.full(bias.shape, -10.0))
    return Upsampler(network, 16000, 1, "spline")


@pytest.fixture(scope="module")
def narrow(noise):
    """Half a second of noise at 16 kHz that ends at 3 kHz."""
    wave = signal.oaconvolve(noise(8192), signal.firwin(801, 2950, fs=16000), mode="same")
    return wave.astype(np.float32)


def change_db(wave, other, lowest_hz, highest_hz):
    """Returns the level in dB of the difference of two waves in a band, relative to the first."""
    edges = 2 * np.array([lowest_hz, highest_hz]) / 16000
    band = signal.firwin(3001, edges, window=("kaiser", 10), pass_zero=False)
    before, difference = (
        signal.oaconvolve(each, band, mode="same")[1500:-1500] for each in (wave, other - wave)
    )
    return 20 * np.log10(np.std(difference) / np.std(before))


# === Waves ===


@pytest.mark.parametrize("sample_rate", [8000, 16000, 44100])
def test_the_network_gets_the_recording_at_the_high_rate(any_band, sample_rate, noise):
    wave = noise(sample_rate // 4)
    found, rate = any_band.upsample(wave, sample_rate, keep_low_band=False)
    high = audio.resample(wave, sample_rate, 16000)
    assert (rate, len(found)) == (16000, len(high))
    network = any_band.network
    context = network.context
    padded = np.zeros((2 * context + 4200) // 100 * 100, np.float32)
    padded[context : context + len(high)] = high
    expected = np.asarray(network(padded[np.newaxis, :, np.newaxis]))[0, context:, 0]
    np.testing.assert_allclose(found, expected[: len(found)], rtol=0, atol=1e-4)


def test_a_recording_keeps_its_own_band_up_to_a_tenth_of_it(any_band, narrow):
    restored, _ = any_band.upsample(narrow, 16000)
    # The band is measured as 3187 Hz.
    assert change_db(narrow, restored, 100, 2500) < -60
    assert change_db(narrow, restored, 2500, 2800) < -60
    unkept, _ = any_band.upsample(narrow, 16000, keep_low_band=False)
    assert change_db(narrow, unkept, 100, 2550) > -30


@pytest.mark.parametrize("keep_from_hz", [200.0, 300.0])
def test_a_stream_can_take_low_frequencies_from_the_network(any_band, push, noise, keep_from_hz):
    wave, options = noise(8192), {"sample_rate": 8000, "keep_hz": 3400.0}
    direct = audio.resample(wave, 8000, 16000)
    network, _, _ = push(any_band, wave, [500], sample_rate=8000)
    found, lag, latency = push(any_band, wave, [500], keep_from_hz=keep_from_hz, **options)
    assert change_db(direct, found, keep_from_hz + 110, 3000) < -60
    assert change_db(network, found, 10, keep_from_hz - 10) < -60
    assert change_db(network, found, 3500, 7900) < -60
    whole, _, _ = push(any_band, wave, [8192], keep_from_hz=keep_from_hz, **options)
    np.testing.assert_allclose(found, whole, rtol=0, atol=1e-5)
    assert lag <= latency


def test_a_telephone_recording_gets_low_frequencies_from_the_network(any_band, noise):
    sos = signal.butter(8, 300, "highpass", fs=8000, output="sos")
    wave = signal.sosfilt(sos, noise(16000)).astype(np.float32)
    lowest_hz, _, _ = measure.wave_band(wave, 8000)
    assert 200 < lowest_hz < 320
    found, _ = any_band.upsample(wave, 8000)
    network, _ = any_band.upsample(wave, 8000, keep_low_band=False)
    assert change_db(network, found, 10, lowest_hz - 60) < -60
    assert change_db(audio.resample(wave, 8000, 16000), found, 430, 3300) < -60


def test_a_model_for_one_low_rate_keeps_everything_that_a_recording_has(any_band):
    band = Band(250.0, 3400.0, 3700.0)
    assert load("spline", 16000, 2).kept(band) == (0.0, 3700.0)
    assert any_band.kept(band) == (250.0, 3400.0)


def test_a_stream_keeps_95_percent_of_the_band_that_its_rate_allows(any_band, push, noise):
    wave = noise(4096)
    found, _, _ = push(any_band, wave, [500], sample_rate=8000, keep_hz=0.0)
    direct = audio.resample(wave, 8000, 16000)
    # The slope begins at 0.9 times 3800 Hz.
    assert change_db(direct, found, 100, 3320) < -60
    assert change_db(direct, found, 3850, 3950) > -30


@pytest.mark.parametrize("keep_hz", [None, 0.0, 1200.0])
def test_a_stream_depends_on_no_chunks_and_lags_by_its_latency(any_band, push, noise, keep_hz):
    wave, options = noise(11025), {"sample_rate": 11025, "keep_hz": keep_hz, "window": 16000}
    whole, _, _ = push(any_band, wave, [len(wave)], **options)
    chunked, lag, latency = push(any_band, wave, [700, 1, 0, 64], **options)
    np.testing.assert_allclose(chunked, whole, rtol=0, atol=1e-5)
    assert 0.7 * latency < lag <= latency


def test_a_network_for_any_band_that_has_one_ratio_keeps_the_low_band_of_that_ratio(build):
    upsampler = Upsampler(build("overtonenet"), 16000, 4, "spline")
    assert (upsampler.band_hz, upsampler.low_rate) == (None, 4000)
    assert Upsampler(build("overtonenet"), 16000, 1, "spline").band_hz == BAND_HZ
    assert load("spline", 16000, 4).band_hz is None


# === Runs ===


def test_a_run_is_loaded_with_its_band(any_band_run, noise):
    assert Record.read(any_band_run).band_hz == BAND_HZ
    upsampler = load(any_band_run)
    assert (upsampler.ratio, upsampler.low_rate, upsampler.band_hz) == (1, 16000, BAND_HZ)
    assert len(upsampler.upsample(noise(300), 8000)[0]) == 600


# === Picking ===


@pytest.fixture
def models(any_band):
    """A model for any band, the only candidate."""
    return [Candidate("any", 16000, 16000, lambda: any_band, BAND_HZ)]


@pytest.mark.parametrize("band_hz", [0, 100, 950, 3000, 7500, 7600, 7990])
def test_every_recording_that_lacks_something_fits(models, any_band, band_hz):
    assert pick(models, band_hz, 16000) is any_band


@pytest.mark.parametrize("band_hz", [8000, 22050])
def test_a_recording_that_lacks_nothing_is_refused_unless_forced(models, any_band, band_hz):
    message = f"^already has content up to {band_hz} Hz; there is nothing for any to restore"
    with pytest.raises(UserError, match=message):
        pick(models, band_hz, 16000)
    assert pick(models, band_hz, 16000, force=True) is any_band


def test_a_model_for_one_band_comes_first_where_it_fits(models, any_band):
    models += candidates(["spline"], 16000, 4)
    assert pick(models, 2000, 16000).name == "spline"
    assert pick(models, 3000, 16000) is pick(models, 3000, 16000, force=True) is any_band
    assert pick(models, 900, 16000, force=True) is any_band


def test_a_run_and_a_shipped_network_are_candidates_with_their_band(any_band_run, monkeypatch):
    (candidate,) = candidates([str(any_band_run)], 16000, 4)
    assert candidate.band_hz == BAND_HZ
    monkeypatch.setattr(picking.pretrained, "WEIGHTS", any_band_run.parent)
    monkeypatch.setattr(picking, "DEFAULTS", (any_band_run.name,))
    monkeypatch.setattr(picking, "load", lambda *_: pytest.fail("loaded"))
    (shipped,) = candidates([], 16000, 4)
    assert (shipped.band_hz, shipped.fits(3400)) == (BAND_HZ, True)


def test_raw_samples_are_taken_to_fill_the_band_of_their_rate(models, noise):
    def restore(sample_rate):
        source = io.BufferedReader(io.BytesIO(noise(500).tobytes()))
        target = io.BytesIO()
        restore_raw(models, source, target, sample_rate, 1, "f32", Settings())
        return np.frombuffer(target.getvalue(), np.float32)

    assert len(restore(8000)) == 1000
    with pytest.raises(UserError, match=r"^raw samples at 16000 Hz.*already has content up to"):
        restore(16000)


# === TFLite ===


@pytest.fixture(scope="module")
def file(any_band_run, tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "any.tflite"
    export(any_band_run, path)
    return path


@pytest.mark.slow
def test_an_exported_file_has_the_band_and_the_output_of_its_run(file, any_band_run, narrow, snr):
    metadata = TFLiteNetwork(file).metadata
    assert (metadata.band_hz, metadata.ratio, metadata.factor) == (BAND_HZ, 1, 1)
    assert TFLiteNetwork(file).session().band_hz == BAND_HZ
    upsampler = load(file)
    assert upsampler.band_hz == BAND_HZ
    for sample_rate in (8000, 16000):
        found, expected = (
            each.upsample(narrow, sample_rate)[0] for each in (upsampler, load(any_band_run))
        )
        assert snr(expected, found) > 60


@pytest.mark.slow
@pytest.mark.parametrize("band", [[1000], [0, 7500], [7500, 1000], "ab", 5, [1000, "7500"], {}])
def test_a_file_with_a_damaged_band_is_refused(file, tmp_path, band):
    path = shutil.copy(file, tmp_path / "bad.tflite")
    change(path, band_hz=band)
    with pytest.raises(UserError, match=r"bad\.tflite: damaged, or of another version"):
        tflite.read(path)


@pytest.mark.slow
def test_a_file_of_an_older_version_has_no_band_and_no_training(window_file, tmp_path):
    model, metadata = tflite.read(window_file)
    assert (metadata.band_hz, bool(metadata.training)) == (None, True)
    path = shutil.copy(window_file, tmp_path / "old.tflite")
    change(path, band_hz=..., training=...)
    assert tflite.read(path) == (model, dataclasses.replace(metadata, training={}))


def change(path, **fields):
    """Changes the metadata of a file; removes fields that are `...`."""
    model, metadata = tflite.read(path)
    content = {**dataclasses.asdict(metadata), **fields}
    content = {name: value for name, value in content.items() if value is not ...}
    path.write_bytes(model)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(tflite.MEMBER, json.dumps(content))


@pytest.mark.slow
def test_int8_is_calibrated_on_any_dataset_of_the_rate(any_band_run, make_dataset, data, tmp_path):
    from wideband.data_gen import shards

    high = np.random.default_rng(0).normal(0, 0.1, 64000).astype(np.float32)
    examples = {"train": [shards.Example("a.wav", "someone", "", 0.0, high, high[::2])]}
    folder = make_dataset(tmp_path / "data", examples, ratio=2, protocol="hann_sinc")
    exported = export(any_band_run, tmp_path / "any.tflite", "int8", data=folder)
    assert np.isfinite(exported.agreement_db)
    (tmp_path / "any.tflite").unlink()
    other = make_dataset(tmp_path / "other", examples, ratio=2, sample_rate=8000)
    with pytest.raises(UserError, match="another kind of data than the run's 16000 Hz"):
        export(any_band_run, tmp_path / "any.tflite", "int8", data=other)
