"""Whisper with a model of random weights: its settings, and models that cannot be used."""

import hashlib
import json
import shutil
import socket
import sys

import faster_whisper
import numpy as np
import pytest
from huggingface_hub import constants
from wideband import audio
from wideband.command import UserError
from wideband.evaluate import wer, words

# Beyond half of these tokens, CTranslate2 stops on its own.
MOST_TOKENS = 224


@pytest.fixture(scope="module")
def recognizer(whisper_model):
    return words.create("whisper", whisper_model=str(whisper_model))


@pytest.fixture(scope="module")
def waves(noise, tone):
    return [tone(8000, 440), tone(8000, 3000), tone(16000, 440), noise(8000), noise(24000)]


def test_the_text_is_that_of_greedy_decoding_without_time_stamps(
    recognizer, recognize_directly, waves
):
    texts = list(recognizer.transcribe(waves))
    assert texts == [recognize_directly(wave, len(wave) // 2000 + 8) for wave in waves]
    # The model listens.
    assert len(set(texts)) == len(waves)


def test_a_text_has_at_most_eight_tokens_per_second_and_eight_more(recognizer, tone):
    """Random weights never end a text of tones; half a second has 12 tokens."""
    [short, longer, window] = recognizer.transcribe(
        [tone(8000, 440), tone(16000, 440), tone(480_000, 440)]
    )
    assert (len(short.split()), len(longer.split())) == (12, 16)
    assert len(window.split()) <= MOST_TOKENS


def test_a_long_recording_is_cut_into_equal_parts(recognizer, noise):
    wave = noise(480_001)
    halves = [wave[:240_001], wave[240_001:]]
    [text] = recognizer.transcribe([wave])
    assert text == " ".join(recognizer.transcribe(halves))


def test_the_text_depends_on_its_recording_alone(recognizer, whisper_model, waves):
    """It depends neither on the recordings before nor on the thread or process."""
    together = list(recognizer.transcribe(waves * 2))
    other = words.create("whisper", whisper_model=str(whisper_model))
    assert together == [next(iter(other.transcribe([wave]))) for wave in waves] * 2


def test_an_empty_wave_has_an_empty_text(recognizer):
    assert list(recognizer.transcribe([np.zeros(n, np.float32) for n in (0, 1, 100)])) == [""] * 3


def test_the_name_identifies_the_model_and_the_settings(recognizer, whisper_model):
    checksum = hashlib.sha256((whisper_model / "model.bin").read_bytes()).hexdigest()
    assert recognizer.name.startswith(f"whisper tiny (SHA-256 of model.bin {checksum[:12]}), ")
    assert f"faster-whisper {faster_whisper.__version__}, 8 bits, greedy" in recognizer.name


def truncate(folder):
    path = folder / "model.bin"
    path.write_bytes(path.read_bytes()[:-1000])


COMPLETE = "give a complete folder of a Whisper model for faster-whisper (CTranslate2)"
DAMAGES = {
    "model.bin is truncated": truncate,
    "model.bin is a page": lambda folder: (folder / "model.bin").write_text("<html>"),
    "config.json is truncated": lambda folder: (folder / "config.json").write_text("{"),
    "vocabulary.json is that of another": lambda folder: (folder / "vocabulary.json").write_text(
        json.dumps(["a", "b"])
    ),
    "vocabulary.json is missing": lambda folder: (folder / "vocabulary.json").unlink(),
    "tokenizer.json is truncated": lambda folder: (folder / "tokenizer.json").write_text("{"),
    "tokenizer.json has no special tokens": lambda folder: (folder / "tokenizer.json").write_text(
        (folder / "tokenizer.json").read_text().replace("<|", "(")
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_model_is_refused_in_one_line(whisper_model, tmp_path, damage):
    folder = shutil.copytree(whisper_model, tmp_path / "model")
    DAMAGES[damage](folder)
    with pytest.raises(UserError, match="not usable as a Whisper model") as caught:
        words.create("whisper", whisper_model=str(folder))
    assert str(caught.value).startswith(f"{folder}: ")
    assert str(caught.value).endswith(f"); {COMPLETE}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["model.bin", "config.json", "tokenizer.json"])
def test_an_incomplete_folder_is_refused(whisper_model, tmp_path, name):
    folder = shutil.copytree(whisper_model, tmp_path / "model")
    (folder / name).unlink()
    with pytest.raises(UserError) as caught:
        words.create("whisper", whisper_model=str(folder))
    assert str(caught.value) == f"{folder}: has no {name}; {COMPLETE}"


def test_a_name_that_is_neither_a_folder_nor_a_model_is_refused():
    with pytest.raises(UserError, match=r"nowhere: there is no such folder; give .* base"):
        words.create("whisper", whisper_model="nowhere")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of faster-whisper; a download fails the test."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("asks the network"))
    return tmp_path


@pytest.fixture
def cached(cache, whisper_model):
    """The folder in the cache with the version of the model base; the one above has all."""
    repository = cache / "models--Systran--faster-whisper-base"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    return shutil.copytree(whisper_model, repository / "snapshots" / ("0" * 40))


@pytest.mark.usefixtures("cached")
def test_a_model_is_taken_from_the_cache(waves, recognizer):
    by_default, by_name = words.create("whisper"), words.create("whisper", whisper_model="base")
    assert by_default.name == by_name.name == recognizer.name.replace("tiny", "base")
    assert list(by_default.transcribe(waves[:1])) == list(recognizer.transcribe(waves[:1]))


@pytest.mark.parametrize("damage", [truncate, lambda folder: (folder / "model.bin").unlink()])
def test_a_damaged_model_in_the_cache_is_to_be_deleted_and_downloaded_again(cached, damage):
    damage(cached)
    with pytest.raises(UserError, match=r"model\.bin|payload") as caught:
        words.create("whisper")
    advice = f"; delete {cached.parents[1]} and download it with: python -c "
    assert advice in str(caught.value) and "\n" not in str(caught.value)


def test_a_model_that_is_not_in_the_cache_is_not_downloaded(cache):
    with pytest.raises(UserError, match="not in the cache") as caught:
        words.create("whisper", whisper_model="small")
    assert "faster_whisper.download_model('small')" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(cache.rglob("*.bin"))


def test_a_missing_package_is_one_line_that_says_how_to_install_it(monkeypatch, whisper_model):
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    message = r"needs faster-whisper, which is not installed; pip install '\.\[whisper\]'"
    with pytest.raises(UserError, match=message):
        words.create("whisper", whisper_model=str(whisper_model))


def test_the_command_writes_word_and_character_errors_of_whisper(
    whisper_model, recognizer, waves, tmp_path, call, rows
):
    audio.write(tmp_path / "tones" / "a.wav", waves[0], 16000, "FLOAT")
    said = " ".join([*next(iter(recognizer.transcribe(waves[:1]))).split()[:-1], "forty-two"])
    (tmp_path / "texts.csv").write_text(f"path,text\na.wav,{said}\n")
    output = tmp_path / "wer.csv"
    flags = [f"--transcripts={tmp_path / 'texts.csv'}", f"--recordings={tmp_path / 'tones'}"]
    flags += ["--recognizer=whisper", f"--whisper_model={whisper_model}", f"--output={output}"]
    code, out, err = call(wer.command, *flags)
    assert code == 0, err
    [row] = rows(output)
    assert row["reference"].endswith(" 42")
    assert (row["words"], row["substitutions"]) == ("12", "1")
    assert float(row["wer"]) == pytest.approx(1 / 12)
    errors = int(row["character_errors"])
    assert 2 <= errors <= len(row["hypothesis"].split()[-1])
    assert float(row["cer"]) == pytest.approx(errors / len(row["reference"]))
    summary = json.loads(output.with_suffix(".json").read_text())
    assert summary["recognizer"] == recognizer.name
    assert summary["normalization"][1] == "EnglishTextNormalizer"
    assert out.endswith(f"recognizer: {recognizer.name}\n")
