"""Reconstructions of recordings through vocoders, and their metrics, through the command."""

import json

import numpy as np
import pytest
from seeds import seed_networks
from wideband import audio, models
from wideband.evaluate import metrics, vocoder
from wideband.models import features
from wideband.models.record import Record
from wideband.models.vocoder import find
from wideband.upsample import load

FAST = ["--metric=lsd", "--metric=snr"]


@pytest.fixture(scope="module")
def vocos(run, tmp_path_factory):
    """A run folder of a vocoder, with random weights."""
    folder = tmp_path_factory.mktemp("runs") / "vocos"
    folder.mkdir()
    arguments = models.small("vocos")
    more = {"ratio": 1, "sample_rate": 22050, "protocol": "hann_sinc", "arguments": arguments}
    record = Record.read(run)
    record.recipe |= {"name": "vocos", "model": "vocos", **more}
    record.write(folder)
    seed_networks(0)
    models.build("vocos", **arguments).save_weights(folder / "best.weights.h5")
    return folder


@pytest.fixture
def recordings(tmp_path, noise, monkeypatch):
    """Three recordings: two at different rates, and one at a rate that is too low."""
    for seed, (name, rate) in enumerate((("a", 22050), ("b/c", 44100), ("low", 8000))):
        audio.write(tmp_path / "clean" / f"{name}.wav", noise(rate // 2, seed), rate, "FLOAT")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "clean"


def test_recordings_are_made_anew_and_measured(vocos, recordings, tmp_path, call, rows):
    flags = ["--recordings=clean", "--output=out/x.csv", "--save=waves", "--iterations=2", *FAST]
    code, out, err = call(vocoder.command, "griffin_lim", f"net={vocos}", *flags)
    left_out = "it has 8000 Hz, and the vocoders make 22050 Hz"
    assert (code, err) == (1, f"error: 1 left out, low: {left_out}; the others are measured\n")
    assert f"left out: low: {left_out}\n" in out

    table = rows(tmp_path / "out" / "x.csv")
    assert list(table[0]) == ["name", "seconds", "vocoder", "lsd", "snr"]
    systems = ["griffin_lim", "net"]
    assert [(row["name"], row["vocoder"]) for row in table] == [
        (name, system) for name in ("a", "b/c") for system in systems
    ]
    for row in table:
        waves = [
            audio.read(tmp_path / "waves" / folder / f"{row['name']}.wav")
            for folder in ("reference", row["vocoder"])
        ]
        assert {(len(wave), rate) for wave, rate in waves} == {(11025, 22050)}
        expected = metrics.evaluate(waves[0][0], waves[1][0], 22050, names=["lsd", "snr"])
        for name, value in expected.items():
            assert float(row[name]) == pytest.approx(value)

    wave, rate = audio.read(recordings / "b" / "c.wav")
    reference, _ = audio.read(tmp_path / "waves" / "reference" / "b" / "c.wav")
    np.testing.assert_array_equal(reference, audio.resample(wave, rate, 22050))

    summary = json.loads((tmp_path / "out" / "x.json").read_text(), parse_constant=pytest.fail)
    assert summary["facts"]["files"] == 2
    assert summary["facts"]["left_out"] == {"low": left_out}
    for system in systems:
        values = [float(row["lsd"]) for row in table if row["vocoder"] == system]
        mean = summary["systems"][system]["lsd"]["mean"]
        assert mean == pytest.approx(np.mean(values))
        assert f"{mean:.3f} [" in out


def test_the_waves_are_those_of_the_vocoders(vocos, recordings, tmp_path, call):
    flags = ["--recordings=clean", "--save=waves", "--limit=1", "--iterations=2", "--mel=seed"]
    code, _, err = call(vocoder.command, "griffin_lim", vocos, *flags, *FAST)
    assert (code, err) == (0, "")
    saved = {
        name: audio.read(tmp_path / "waves" / name / "a.wav")[0][:, 0]
        for name in ("reference", "griffin_lim", "vocos")
    }
    assert len(list((tmp_path / "waves").rglob("*.wav"))) == 3
    wave, _ = audio.read(recordings / "a.wav")
    np.testing.assert_array_equal(saved["reference"], wave[:, 0])
    np.testing.assert_array_equal(saved["vocos"], load(vocos).upsample(wave, 22050)[0][:, 0])
    # The command begins with silence, and so do these windows.
    mel = features.log_mel(np.pad(wave[:10240, 0], (2048, 0))[np.newaxis], "seed")
    expected = np.asarray(find("griffin_lim", "seed", 2).build()(mel))[0, 2048:, 0]
    inside = slice(0, 10240 - 2048)
    np.testing.assert_allclose(
        saved["griffin_lim"][inside], expected[inside], rtol=0, atol=2e-3 * np.abs(expected).max()
    )


def test_speech_from_its_mel_spectrogram_is_understood(tmp_path, call, monkeypatch):
    instants = np.arange(22050) / 22050
    voice = sum(np.cos(2 * np.pi * 140 * k * instants) / k for k in range(1, 60))
    syllables = np.clip(np.sin(2 * np.pi * 3 * instants), 0.01, 1)
    audio.write(tmp_path / "in" / "a.wav", 0.1 * voice * syllables, 22050, "FLOAT")
    monkeypatch.chdir(tmp_path)
    code, _, err = call(vocoder.command, "griffin_lim", "--recordings=in", "--iterations=8")
    assert (code, err) == (0, "")
    summary = json.loads((tmp_path / "vocoders.json").read_text())["systems"]["griffin_lim"]
    assert list(summary) == ["stoi", "pesq", "lsd", "snr", "mse"]
    assert summary["stoi"]["mean"] > 0.8
    assert summary["pesq"]["mean"] > 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name one or more vocoders: griffin_lim, the run folder of a vocoder, or a shipped"),
        (["nowhere"], "nowhere: no such run folder"),
        (["reference=griffin_lim"], "'reference' is the name of the recordings; write NAME=griff"),
        (["griffin_lim", "--recordings=none"], "none: there is no such folder"),
        (["griffin_lim", "--output=x.txt"], "--output=x.txt: "),
        (["griffin_lim", "--mel=htk"], "unknown mel 'htk'; choose one of seed, hifigan, vocos24"),
        (["sinc"], "sinc: sinc is no vocoder; name griffin_lim, or a run of hifigan or vocos or"),
        (["{run}"], "{run}: audiounet is no vocoder; name griffin_lim, or a run of hifigan or"),
        (["{vocos}", "griffin_lim", "--mel=vocos24"], "24000 Hz, and vocos 22050 Hz; measure them"),
    ],
)
def test_a_mistake_is_one_line(
    run, vocos, recordings, tmp_path, call, error_line, arguments, message
):
    paths = {"run": run, "vocos": vocos}
    arguments = [each.format(**paths) for each in arguments]
    code, _, err = call(vocoder.command, "--recordings=clean", *arguments)
    assert code == 1
    assert message.format(**paths) in error_line(err)
    assert [each.name for each in tmp_path.iterdir()] == ["clean"]
