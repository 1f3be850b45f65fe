"""The training of a small DeepSpeech, on letters that are tones."""

import csv
import dataclasses
import itertools
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from wideband.command import UserError
from wideband.data_gen import dataset as shards
from wideband.evaluate.words import deepspeech
from wideband.evaluate.words.deepspeech import DeepSpeech
from wideband.train import deepspeech as deepspeech_training

TONES_HZ = {"a": 300, "e": 1000, "o": 3000}


def say(text):
    """Letters as tones of 120 ms, parted by 60 ms of faint noise."""
    t = np.arange(1920) / 16000
    sounds = [np.zeros(960)]
    for letter in text:
        tone = np.sin(2 * np.pi * TONES_HZ[letter] * t) * np.hanning(1920)
        sounds += [0.3 * tone, np.zeros(960)]
    wave = np.concatenate(sounds)
    faint = np.random.default_rng(len(text)).normal(0, 0.001, len(wave))
    return (wave + faint).astype(np.float32)


def write_dataset(folder, texts, sample_rate=16000):
    """A dataset as wideband-prepare leaves one, of pairs of what is said and its transcript."""
    for split, pairs in texts.items():
        examples = [
            shards.Example(f"{number}.wav", "x", text, 0.0, say(said), say(said)[::4])
            for number, (said, text) in enumerate(pairs)
        ]
        shards.write(folder / f"{split}-00000.tfrecord", examples)
    facts = {"sample_rate": sample_rate, "ratio": 4, "protocol": "x", "corpus": "folder"}
    (folder / "dataset.json").write_text(json.dumps(facts))
    (folder / "manifest.csv").write_text("split,path\n")
    return folder


@pytest.fixture(scope="module")
def tones(tmp_path_factory):
    """A dataset whose letters are tones."""
    said = ["".join(letters) for letters in itertools.product(TONES_HZ, repeat=3)]
    unheard = ["aeo", "oea", "eoo"]
    pairs = [(text, text.upper()) for text in said if text not in unheard] * 12
    # Nothing can be learned from these: no text, digits, more letters than frames.
    useless = [("a", ""), ("a", "7"), ("a", "ae" * 9)]
    valid = [(text, text) for text in unheard]
    return write_dataset(
        tmp_path_factory.mktemp("tones"), {"train": pairs + useless, "valid": valid}
    )


def command(*flags):
    return subprocess.run(
        [sys.executable, "-m", "wideband.evaluate.train_deepspeech", *flags],
        capture_output=True,
        text=True,
    )


def history(folder):
    with (folder / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_recordings_without_a_usable_transcript_are_left_out(tones):
    assert len(deepspeech_training.utterances(tones, "train")) == 288


def test_the_command_trains_a_network_that_writes_down_what_it_hears(tones, tmp_path):
    output = tmp_path / "run"
    done = command(
        f"--data={tones}", f"--output={output}", "--hidden=64", "--epochs=8", "--batch=8",
        "--learning_rate=0.003", "--dropout=0", "--noise=0.1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("8 epochs") and "word error rate of 0.0%" in done.stdout
    rows = history(output)
    assert [row["epoch"] for row in rows] == [str(epoch) for epoch in range(1, 9)]
    recognizer = DeepSpeech.from_weights(output)
    # Not in the train split.
    assert recognizer.transcribe([say("aeo"), say("oea"), say("eoo")]) == ["aeo", "oea", "eoo"]
    assert sorted(path.name for path in output.iterdir()) == [
        "best.weights.h5", "deepspeech.json", "history.csv", "last-0008.weights.h5",
        "settings.json",
    ]  # fmt: skip


SETTINGS = deepspeech_training.Settings(
    hidden=4, epochs=2, batch=3, learning_rate=1e-3, dropout=0, noise=0, stretch=0.1, seed=0
)


def test_a_stopped_training_continues_as_if_it_had_never_stopped(tmp_path, monkeypatch):
    pairs = [("ae", "ae"), ("oa", "oa"), ("eo", "eo")]
    few = write_dataset(tmp_path / "few", {"train": pairs, "valid": pairs[:1]})
    save = deepspeech_training._save

    def save_and_copy(folder, rows, network):
        save(folder, rows, network)
        if len(rows) == 1:
            # What a training leaves that is killed in its second epoch.
            shutil.copytree(folder, tmp_path / "stopped")

    monkeypatch.setattr(deepspeech_training, "_save", save_and_copy)
    whole = deepspeech_training.train(few, tmp_path / "whole", SETTINGS)
    assert len(history(tmp_path / "stopped")) == 1
    continued = deepspeech_training.train(few, tmp_path / "stopped", SETTINGS)
    assert [row["loss"] for row in continued] == pytest.approx([row["loss"] for row in whole])
    one, other = (deepspeech.build(4) for _ in range(2))
    one.load_weights(tmp_path / "whole" / "last-0002.weights.h5")
    other.load_weights(tmp_path / "stopped" / "last-0002.weights.h5")
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    with pytest.raises(UserError, match="holds a training with epochs=2, not 3"):
        deepspeech_training.train(
            few, tmp_path / "stopped", dataclasses.replace(SETTINGS, epochs=3)
        )


def test_tempo_varies_without_moving_the_ends():
    features = np.arange(12, dtype=np.float32).reshape(6, 2)
    slower = deepspeech_training.stretch(features, 11 / 6)
    np.testing.assert_allclose(slower[:, 0], np.arange(11), atol=1e-5)
    np.testing.assert_array_equal(deepspeech_training.stretch(features, 1), features)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--output=x"], "--data and --output are needed"),
        (["--data=none", "--output=x"], "no finished dataset"),
        (["--data=x", "--output=x", "y"], "unexpected argument 'y'"),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path, flags, told):
    done = command(*flags)
    assert done.returncode == 1
    assert told in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_dataset_without_transcripts_or_of_another_rate_is_refused(tmp_path):
    silent = write_dataset(tmp_path / "silent", {"train": [("ae", "")], "valid": [("ae", "ae")]})
    with pytest.raises(UserError, match="no recording of the train split has a transcript"):
        deepspeech_training.train(silent, tmp_path / "run", SETTINGS)
    other = write_dataset(tmp_path / "other", {"train": [("ae", "ae")]}, sample_rate=48000)
    with pytest.raises(UserError, match="has 48000 Hz; prepare it with --sample_rate=16000"):
        deepspeech_training.train(other, tmp_path / "run", SETTINGS)
    assert not (tmp_path / "run").exists()
