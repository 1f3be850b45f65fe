"""Clips of speech for notebooks: the microphone in Colab, uploads there, and the synthesizer."""

import base64
import sys
from types import ModuleType

import numpy as np
import pytest
import soundfile
from wideband.command import UserError
from wideband.data_gen import clip


@pytest.fixture
def colab(monkeypatch):
    """Stands in for google.colab, which exists in Colab only; returns its two modules."""
    modules = {name: ModuleType(f"google.colab.{name}") for name in ("output", "files")}
    for name in ("google", "google.colab"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, f"google.colab.{name}", module)
    modules["files"].upload = dict
    return modules


def test_the_microphone_comes_first(colab, tmp_path):
    sent = np.array([0, 16384, -32768, 32767], "<i2")
    scripts = []

    def eval_js(script):
        scripts.append(script)
        return base64.b64encode(sent.tobytes()).decode()

    colab["output"].eval_js = eval_js
    assert clip.take(tmp_path / "clip.wav", seconds=2.5) == "microphone"
    assert scripts[0].endswith(")(2.5, 48000)")
    wave, sample_rate = soundfile.read(tmp_path / "clip.wav", dtype="int16")
    assert sample_rate == 48000
    np.testing.assert_array_equal(wave, sent)


def test_an_upload_follows_a_microphone_that_is_denied(colab, tmp_path, capsys, noise, monkeypatch):
    def eval_js(script):
        raise RuntimeError("NotAllowedError: Permission\ndenied")

    def upload():
        soundfile.write("mine.flac", noise(800), 8000)
        return {"mine.flac": b"the content"}

    colab["output"].eval_js, colab["files"].upload = eval_js, upload
    monkeypatch.chdir(tmp_path)
    assert clip.take("clip.wav") == "upload"
    assert capsys.readouterr().out == (
        "microphone: NotAllowedError: Permission denied; allow the microphone for this page, and "
        "run again\n"
    )
    assert soundfile.info("clip.wav").samplerate == 8000


@pytest.mark.parametrize("name", ["notes.txt", "", "damaged.wav"])
def test_an_upload_that_is_no_recording_is_named_and_the_next_source_used(
    colab, tmp_path, capsys, name, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    if name:
        (tmp_path / name).write_text("not a recording")
        colab["files"].upload = lambda: {name: b""}
    assert clip.take("clip.wav", sources=["upload", "voice"]) == "voice"
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 and lines[0].startswith("upload: ")
    assert (name or "no file was chosen") in lines[0]


def test_outside_colab_a_voice_speaks(tmp_path, capsys):
    assert clip.take(tmp_path / "clip.wav") == "voice"
    assert capsys.readouterr().out.splitlines() == [
        "microphone: needs a notebook in Google Colab",
        "upload: needs a notebook in Google Colab",
    ]
    wave, sample_rate = soundfile.read(tmp_path / "clip.wav")
    assert 2 < len(wave) / sample_rate < 10 and np.abs(wave).max() > 0.1


def test_without_any_source_there_is_no_clip(tmp_path):
    with pytest.raises(UserError, match=r"^no clip from microphone or upload; see above why, or"):
        clip.take(tmp_path / "clip.wav", sources=["microphone", "upload"])
    assert not list(tmp_path.iterdir())


def test_an_unknown_source_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"^unknown source 'radio'; choose one of microphone, upl"):
        clip.take(tmp_path / "clip.wav", sources=["voice", "radio"])
    assert not list(tmp_path.iterdir())
