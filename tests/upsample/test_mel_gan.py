"""The mel-domain GAN as a model: its rates, and its vocoders."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
import soundfile
from seeds import seed_networks
from wideband import models
from wideband.command import UserError
from wideband.data_gen import shards
from wideband.models import pretrained
from wideband.models.record import Record
from wideband.upsample import load, upsampler
from wideband.upsample.__main__ import command
from wideband.upsample.export.exporter import export
from wideband.upsample.tflite import _parse, read


@pytest.fixture(scope="module")
def make_mel_run(tmp_path_factory):
    """Returns a function that makes the run folder of a small network with random weights."""

    def make_mel_run(model, ratio, **arguments):
        folder = tmp_path_factory.mktemp("runs") / model
        arguments = {**models.small(model), **arguments}
        recipe = {"name": model, "source": "ours", "model": model, "arguments": arguments}
        rates = {"sample_rate": 22050, "ratio": ratio, "protocol": "hann_sinc"}
        seed_networks(1)
        network = models.build(model, **arguments)
        folder.mkdir()
        Record({**recipe, **rates}, parts=dict(network.parts)).write(folder)
        network.networks()["network"].save_weights(folder / pretrained.KERAS_FILE)
        return folder

    return make_mel_run


@pytest.fixture(scope="module")
def vocoder(make_mel_run):
    """A run of a vocoder."""
    return make_mel_run("vocos", 1)


@pytest.fixture(scope="module")
def mel_run(make_mel_run, vocoder):
    """A run with that vocoder."""
    return make_mel_run("melgan", "441/160", vocoder=str(vocoder))


def test_another_vocoder_makes_other_waves(mel_run, vocoder, noise):
    own = load(mel_run)
    assert (own.sample_rate, own.low_rate, own.name) == (22050, 8000, str(mel_run))
    waves = [
        each.upsample(noise(2000), 8000, keep_low_band=False)[0]
        for each in (own, load(mel_run, vocoder=vocoder), load(mel_run, vocoder="griffin_lim"))
    ]
    assert [len(each) for each in waves] == 3 * [5513]
    np.testing.assert_array_equal(waves[0], waves[1])
    assert np.abs(waves[0] - waves[2]).max() > 0.01


def test_only_griffin_lim_amplifies_rounding_errors(mel_run):
    assert not load(mel_run).network.iterated
    assert load(mel_run, vocoder="griffin_lim").network.iterated


def test_the_command_restores_with_a_vocoder(mel_run, noise, call, tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(4000), 8000)
    options = [f"--model={mel_run}", "--vocoder=griffin_lim", f"--output={tmp_path / 'b.wav'}"]
    code, out, err = call(command, tmp_path / "a.wav", *options)
    assert (code, err) == (0, "")
    assert f"used {mel_run} with griffin_lim" in out
    found, sample_rate = soundfile.read(tmp_path / "b.wav", dtype="float32")
    recording, _ = soundfile.read(tmp_path / "a.wav", dtype="float32")
    expected, _ = load(mel_run, vocoder="griffin_lim").upsample(recording, 8000)
    assert sample_rate == 22050
    np.testing.assert_allclose(found, np.clip(expected, -1, 1), rtol=0, atol=1e-4)


def test_a_vocoder_is_named_for_runs_that_have_one_only(vocoder, window_file):
    with_keras = {
        (pretrained.find(name) / pretrained.KERAS_FILE).is_file(): name
        for name in pretrained.names()
    }
    for model, message in (
        (vocoder, "has the network vocos, which has no vocoder; leave the flag out"),
        (with_keras[True], "has the network .*, which has no vocoder; leave the flag out"),
        (with_keras[False], "has only a TFLite file, no Keras weights"),
        ("spline", "--vocoder=griffin_lim: spline is no run folder, whose vocoder could be"),
        (window_file, "is no run folder, whose vocoder could be replaced; leave the flag out"),
    ):
        with pytest.raises(UserError, match=message):
            load(model, vocoder="griffin_lim")


def test_an_unknown_vocoder_is_refused_before_tensorflow_loads(
    mel_run, noise, call, error_line, tmp_path, without_tensorflow
):
    soundfile.write(tmp_path / "a.wav", noise(400), 8000)
    for options, message in (
        (
            [f"--model={mel_run}", "--vocoder=wavenet"],
            "wavenet: no such vocoder; choose griffin_lim",
        ),
        (["--vocoder=griffin_lim"], "have no vocoder; name a run of melgan or melnext"),
        (["--model=sinc", "--vocoder=griffin_lim"], "sinc is no run folder"),
    ):
        code, _, err = call(command, tmp_path / "a.wav", *options)
        assert code == 1
        assert message in error_line(err)
    assert [each.name for each in tmp_path.iterdir()] == ["a.wav"]


def test_the_output_does_not_depend_on_the_chunks(mel_run, noise, push):
    upsampler = load(mel_run)
    wave = np.stack([noise(9000), noise(9000, seed=1)], axis=1)
    whole, _ = upsampler.upsample(wave, 8000, keep_low_band=False)
    chunks, lag, latency = push(upsampler, wave, [1, 3000, 777], sample_rate=8000)
    assert lag <= latency
    for found in (chunks, upsampler.upsample(wave[:, :1], 8000, keep_low_band=False)[0]):
        expected = whole[:, : found.shape[1]]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3 * np.abs(whole).max())


@pytest.fixture(scope="module")
def file(mel_run, tmp_path_factory):
    """That run as a TFLite file, with its vocoder."""
    path = tmp_path_factory.mktemp("files") / "x.tflite"
    exported = export(mel_run, path)
    assert exported.agreement_db > 80
    return path


@pytest.mark.slow
def test_a_file_holds_the_generator_and_the_vocoder(mel_run, file, noise, snr, push):
    metadata = read(file)[1]
    assert (metadata.ratio, metadata.wants, metadata.factor) == ("441/160", "interpolated", 1)
    own, exported = load(mel_run), load(file)
    assert (exported.ratio, exported.low_rate) == (Fraction(441, 160), 8000)
    wave = np.stack([noise(5000), noise(5000, seed=1)], axis=1)
    expected, found = (
        each.upsample(wave, 8000, keep_low_band=False)[0] for each in (own, exported)
    )
    assert snr(expected, found) > 60
    chunks, lag, latency = push(exported, wave, [777], sample_rate=8000)
    assert lag <= latency
    np.testing.assert_allclose(chunks, found, rtol=0, atol=1e-6 * np.abs(found).max())


@pytest.mark.slow
def test_the_command_restores_a_long_stereo_file(file, noise, call, tmp_path, monkeypatch):
    wave = 0.3 * np.stack([noise(20000), noise(20000, seed=1)], axis=1)
    soundfile.write(tmp_path / "a.wav", wave, 8000, "FLOAT")
    # Many chunks of the file, and many windows of the network.
    options = [f"--model={file}", "--nokeep_low_band", f"--output={tmp_path / 'b.wav'}"]
    with monkeypatch.context() as patch:
        patch.setattr(upsampler, "CHUNK_SECONDS", 0.3)
        code, _, _ = call(command, tmp_path / "a.wav", *options)
    assert code == 0
    found, sample_rate = soundfile.read(tmp_path / "b.wav", dtype="float32")
    expected, _ = load(file).upsample(wave.astype(np.float32), 8000, keep_low_band=False)
    assert (sample_rate, found.shape) == (22050, (55125, 2))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@pytest.mark.slow
@pytest.mark.parametrize(("quantize", "least_db"), [("float16", 40), ("int8", 0)])
def test_weights_are_stored_in_fewer_bits(
    mel_run, file, make_dataset, quantize, least_db, noise, tmp_path
):
    low, high = noise(40000), noise(110250)
    examples = {"train": [shards.Example("a.wav", "someone", "", 0.0, high, low)]}
    rates = {"sample_rate": 22050, "ratio": "441/160", "protocol": "hann_sinc"}
    data = make_dataset(tmp_path / "data", examples, **rates)
    exported = export(mel_run, tmp_path / "x.tflite", quantize, data=data)
    assert exported.agreement_db > least_db
    assert exported.size < file.stat().st_size
    assert load(tmp_path / "x.tflite").low_rate == 8000


@pytest.mark.parametrize("ratio", ["441/0", "0/1", "160/441", "4/1e9", "many", 0, 2.5, None])
def test_a_file_with_another_ratio_is_damaged(ratio):
    _, metadata = read(pretrained.find(pretrained.names()[0]) / pretrained.TFLITE_FILE)
    content = dataclasses.asdict(metadata)
    assert _parse(content | {"wants": "interpolated", "ratio": "441/160"}).ratio == "441/160"
    for changes in (
        {"wants": "interpolated", "ratio": ratio},
        {"wants": "low", "ratio": "441/160"},
    ):
        with pytest.raises((TypeError, ValueError), match="ratio is "):
            _parse(content | changes)
