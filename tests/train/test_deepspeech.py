"""The training of a small DeepSpeech network on letters that are tones."""

import itertools
import json
import subprocess
import sys

import numpy as np
import pytest
from wideband.command import UserError
from wideband.data_gen.dataset import Dataset
from wideband.data_gen.shards import Example
from wideband.evaluate.words.deepspeech import LARGEST_HIDDEN, DeepSpeech
from wideband.train import utterances
from wideband.train.deepspeech import DeepSpeechExperiment, Settings, command
from wideband.train.fit import fit

# Real trainings.
pytestmark = pytest.mark.slow

TONES_HZ = {"a": 300, "e": 1000, "o": 3000}
SMALL = Settings(hidden=4, epochs=2, batch=3, learning_rate=1e-3)


def say(text):
    """Returns letters as tones of 120 ms, separated by 60 ms of faint noise."""
    t = np.arange(1920) / 16000
    sounds = [np.zeros(960)]
    for letter in text:
        tone = np.sin(2 * np.pi * TONES_HZ[letter] * t) * np.hanning(1920)
        sounds += [0.3 * tone, np.zeros(960)]
    wave = np.concatenate(sounds)
    faint = np.random.default_rng(len(text)).normal(0, 0.001, len(wave))
    return (wave + faint).astype(np.float32)


@pytest.fixture(scope="module")
def dataset(make_dataset):
    """Returns a function that writes a dataset of pairs (what is said, its transcript)."""

    def dataset(folder, splits, **settings):
        examples = {
            split: [
                Example(f"{split}{number}.wav", "x", text, 0.0, say(said), say(said)[::4])
                for number, (said, text) in enumerate(pairs)
            ]
            for split, pairs in splits.items()
        }
        return make_dataset(folder, examples, **settings)

    return dataset


@pytest.fixture(scope="module")
def tones(dataset, tmp_path_factory):
    """A dataset whose letters are tones."""
    said = ["".join(letters) for letters in itertools.product(TONES_HZ, repeat=3)]
    unseen = ["aeo", "oea", "eoo"]
    pairs = [(text, text.upper()) for text in said if text not in unseen] * 12
    # Unusable: no text, digits, more letters than frames.
    unusable = [("a", ""), ("a", "7"), ("a", "ae" * 9)]
    splits = {"train": pairs + unusable, "valid": [(text, text) for text in unseen]}
    return dataset(tmp_path_factory.mktemp("tones"), splits)


@pytest.fixture(scope="module")
def few(dataset, tmp_path_factory):
    """A dataset of five recordings, which make two batches."""
    pairs = [(text, text) for text in ("ae", "oa", "eo", "o", "ea")]
    return dataset(tmp_path_factory.mktemp("few"), {"train": pairs, "valid": pairs[:1]})


def train(data, folder, settings=SMALL):
    experiment = DeepSpeechExperiment(settings, Dataset(data))
    return fit(experiment, experiment.open(folder))


def test_recordings_without_a_usable_transcript_are_left_out(tones):
    assert len(utterances.read(Dataset(tones), "train")) == 288


def test_the_command_trains_a_network_that_transcribes_unseen_words(
    tones, no_curves, tmp_path, call, rows
):
    folder = tmp_path / "run"
    code, out, err = call(
        command, f"--data={tones}", f"--run={folder}", "--hidden=64", "--epochs=5", "--batch=8",
        "--learning_rate=0.003", "--dropout=0", "--noise=0.1",
    )  # fmt: skip
    assert code == 0, err
    assert out.startswith("5 epochs") and "word error rate of 0.0%" in out
    history = rows(folder / "history.csv")
    assert list(history[0]) == ["epoch", "step", "loss", "val_wer", "seconds"]
    assert [(row["epoch"], row["step"]) for row in history[:2]] == [("1", "36"), ("2", "72")]
    recognizer = DeepSpeech.from_weights(folder)
    assert recognizer.transcribe([say("aeo"), say("oea"), say("eoo")]) == ["aeo", "oea", "eoo"]
    assert sorted(path.name for path in folder.iterdir()) == [
        "best.weights.h5", "curves.png", "deepspeech.json", "events", "history.csv",
        "last-0005.state.npz", "last-0005.weights.h5", "run.json",
    ]  # fmt: skip
    record = json.loads((folder / "run.json").read_text())
    assert (record["recipe"]["name"], record["recipe"]["hidden"]) == ("deepspeech", 64)
    assert record["data"] == str(tones)


def test_a_stopped_training_continues_to_exactly_the_same_result(
    few, no_curves, copy_after_first_epoch, tmp_path, rows
):
    """With dropout, noise on the features and random tempos."""
    copy_after_first_epoch(tmp_path / "stopped")
    whole = train(few, tmp_path / "whole")
    assert len(rows(tmp_path / "stopped" / "history.csv")) == 1
    continued = train(few, tmp_path / "stopped")
    assert [row["loss"] for row in continued.rows] == [row["loss"] for row in whole.rows]
    one, other = (DeepSpeech.from_weights(run.folder).network for run in (whole, continued))
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(UserError, match="holds a run whose recipe has epochs=2, not 3"):
        train(few, tmp_path / "stopped", Settings(hidden=4, epochs=3, batch=3, learning_rate=1e-3))


def test_batches_have_every_utterance_once_with_its_length_and_letters(few):
    spoken = utterances.read(Dataset(few), "train")
    for epoch in (1, 2):
        found = []
        for features, targets in utterances.batches(spoken, 3, 0.1, seed=0, epoch=epoch):
            assert len(features) == len(targets) <= 3
            assert features.shape[1] % 50 == 0 and features.shape[2] == 26
            assert (targets[:, 0] <= features.shape[1]).all()
            found += [tuple(row[1:][row[1:] >= 0]) for row in targets]
        assert sorted(found) == sorted(tuple(each.classes) for each in spoken)


def test_the_tempo_changes_without_moving_the_ends():
    features = np.arange(12, dtype=np.float32).reshape(6, 2)
    slower = utterances.stretch(features, 11 / 6)
    np.testing.assert_allclose(slower[:, 0], np.arange(11), atol=1e-5)
    np.testing.assert_array_equal(utterances.stretch(features, 1), features)


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (["--run=x"], 2, "--data is missing"),
        (["--data=none", "--run=x"], 1, "no finished dataset"),
        (["--data=x", "--run=x", "y"], 2, "unexpected argument 'y'"),
        (["--data=x", "--run=x", "--dropout=1"], 2, "dropout"),
        (
            ["--data=x", "--run=x", f"--hidden={LARGEST_HIDDEN + 1}"],
            2,
            f"from 1 to {LARGEST_HIDDEN}",
        ),
        (["--data=x", "--run=x", "--batch=1000000000"], 2, "from 1 to 4096"),
        (["--data=x", "--run=x", "--learning_rate=nan"], 2, "learning_rate"),
        (["--data=x", "--run=x", "--learning_rate=0"], 2, "learning_rate"),
        (["--data=x", "--run=x", "--noise=1e9"], 2, "noise"),
        (["--data=x", "--run=x", "--seed=-1"], 2, "seed"),
    ],
)
def test_a_mistake_is_reported_in_one_line(call, error_line, flags, code, message):
    found, _, err = call(command, *flags)
    assert found == code
    assert message in error_line(err)


def test_a_dataset_without_transcripts_or_of_another_rate_is_refused(dataset, tmp_path):
    splits = {"train": [("ae", "")], "valid": [("ae", "ae")]}
    silent = Dataset(dataset(tmp_path / "silent", splits))
    with pytest.raises(UserError, match="no recording of the train split has a transcript"):
        DeepSpeechExperiment(SMALL, silent)
    other = Dataset(dataset(tmp_path / "other", {"train": [("ae", "ae")]}, sample_rate=48000))
    with pytest.raises(UserError, match="has 48000 Hz; prepare it with --sample_rate=16000"):
        DeepSpeechExperiment(SMALL, other)


def test_a_dataset_whose_transcripts_are_not_in_letters_is_refused(dataset, tmp_path):
    splits = {"train": [("ae", "12")], "valid": [("ae", "ae")]}
    digits = dataset(tmp_path / "digits", splits)
    with pytest.raises(UserError, match="train split has a transcript in English letters"):
        train(digits, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_process_refuses_a_missing_dataset(tmp_path):
    line = [sys.executable, "-m", "wideband.train.deepspeech", "--data=none", "--run=x"]
    done = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: none: no finished dataset")
    assert not list(tmp_path.iterdir())
