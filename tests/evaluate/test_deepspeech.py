"""DeepSpeech: features, network, checkpoint, search and training, against plain references."""

import csv
import dataclasses
import importlib.util
import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from wideband.data_gen import shards
from wideband.data_gen.command import UserError
from wideband.evaluate import ctc, deepspeech, deepspeech_training
from wideband.evaluate.deepspeech import DeepSpeech

HIDDEN = 8
CELL = "cudnn_lstm/rnn/multi_rnn_cell/cell_0/cudnn_compatible_lstm_cell"


def noise(n, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, n).astype(np.float32)


def reference_mfcc(wave):
    """MFCC as TensorFlow's kernels define them: spectrogram.cc, mfcc_mel_filterbank.cc, mfcc.cc."""

    def mel(hz):
        return 1127 * np.log1p(hz / 700)

    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)
    starts = range(0, len(wave) - 511, 320)
    frames = np.array([wave[start : start + 512] * window for start in starts])
    magnitudes = np.abs(np.fft.rfft(frames, 512))
    edges = np.linspace(mel(20), mel(8000), 42)
    bins_hz = np.arange(257) * 16000 / 512
    triangles = np.array(
        [np.interp(mel(bins_hz), edges[i : i + 3], [0, 1, 0], left=0, right=0) for i in range(40)]
    )
    # As in HTK, the constant and the bin next to it are left out.
    triangles[:, bins_hz < 20 + 0.5 * 16000 / 512] = 0
    logarithms = np.log(np.maximum(magnitudes @ triangles.T, 1e-12))
    i, j = np.arange(26)[:, None], np.arange(40)
    return logarithms @ (np.sqrt(2 / 40) * np.cos(np.pi * i * (j + 0.5) / 40)).T


def random_variables(hidden=HIDDEN, seed=0):
    """A network under the names and in the layout of the release's checkpoint."""
    rng = np.random.default_rng(seed)
    sizes = {
        "layer_1": (494, hidden),
        "layer_2": (hidden, hidden),
        "layer_3": (hidden, hidden),
        "layer_5": (hidden, hidden),
        "layer_6": (hidden, 29),
    }
    variables = {}
    for name, (rows, columns) in sizes.items():
        variables[f"{name}/weights"] = rng.normal(0, 7 / np.sqrt(rows), (rows, columns))
        variables[f"{name}/bias"] = rng.normal(0, 1, columns)
    variables[f"{CELL}/kernel"] = rng.normal(0, 0.5, (2 * hidden, 4 * hidden))
    variables[f"{CELL}/bias"] = rng.normal(0, 1, 4 * hidden)
    # What the trainer keeps beside them.
    variables["global_step"] = np.array(17)
    variables["learning_rate"] = np.array(1e-4)
    variables["layer_1/bias/Adam"] = np.zeros(hidden)
    return {name: np.asarray(value, np.float32) for name, value in variables.items()}


def write_checkpoint(folder, variables):
    """Writes variables by name, as TensorFlow 1's Saver does, and the file that names them."""
    folder.mkdir(exist_ok=True)
    prefix = folder / "best_dev-17"
    names = sorted(variables)
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[variables[name] for name in names],
    )
    (folder / "best_dev_checkpoint").write_text(
        'model_checkpoint_path: "/trained/elsewhere/best_dev-17"\n'
    )
    return prefix


def reference_network(features, variables):
    """The network in double precision, one frame after the other; softmax at the end."""
    v = {name: value.astype(np.float64) for name, value in variables.items()}

    def dense(name, x):
        return np.clip(x @ v[f"{name}/weights"] + v[f"{name}/bias"], 0, 20)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    padded = np.pad(features.astype(np.float64), ((9, 9), (0, 0)))
    hidden = len(v["layer_1/bias"])
    output = state = np.zeros(hidden)
    rows = []
    for t in range(len(features)):
        x = dense("layer_3", dense("layer_2", dense("layer_1", padded[t : t + 19].ravel())))
        gates = np.concatenate([x, output]) @ v[f"{CELL}/kernel"] + v[f"{CELL}/bias"]
        # Order of TensorFlow 1's cell: input, candidate, forget, output; no forget bias.
        i, c, f, o = np.split(gates, 4)
        state = sigmoid(f) * state + sigmoid(i) * np.tanh(c)
        output = sigmoid(o) * np.tanh(state)
        last = dense("layer_5", output) @ v["layer_6/weights"] + v["layer_6/bias"]
        rows.append(np.exp(last) / np.exp(last).sum())
    return np.array(rows)


def test_features_are_those_of_an_independent_mfcc():
    wave = noise(16000) + 0.3 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    features = deepspeech.mfcc(tf.constant(wave, tf.float32)).numpy()
    assert features.shape == (49, 26)
    np.testing.assert_allclose(features, reference_mfcc(wave), rtol=0, atol=2e-4)


def test_features_of_silence_are_finite_and_a_wave_below_one_window_has_none():
    assert np.isfinite(deepspeech.mfcc(tf.zeros(1600))).all()
    assert deepspeech.mfcc(tf.zeros(511)).shape == (0, 26)
    assert deepspeech.mfcc(tf.zeros(512)).shape == (1, 26)


def test_a_checkpoint_of_the_release_gives_the_outputs_of_the_reference(tmp_path):
    variables = random_variables()
    write_checkpoint(tmp_path / "deepspeech-checkpoint", variables)
    recognizer = DeepSpeech.from_checkpoint(tmp_path / "deepspeech-checkpoint")
    wave = noise(16000)
    (heard,) = recognizer.log_probabilities([wave])
    features = reference_mfcc(wave)
    expected = reference_network(features, variables)
    # Both ends of the clipped rectifier are reached.
    windows = np.array([features[t : t + 19].ravel() for t in range(30)])
    first = windows @ variables["layer_1/weights"] + variables["layer_1/bias"]
    assert first.max() > 21 and first.min() < -1
    np.testing.assert_allclose(np.exp(heard), expected, rtol=0, atol=1e-4)
    assert expected.max() - expected.min() > 0.5


def test_a_checkpoint_may_be_given_by_its_path_without_suffix(tmp_path):
    prefix = write_checkpoint(tmp_path, random_variables())
    by_path = deepspeech.load_checkpoint(prefix)
    by_folder = deepspeech.load_checkpoint(tmp_path)
    for one, other in zip(by_path.get_weights(), by_folder.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_network_has_the_variables_of_the_release_and_no_others():
    shapes = deepspeech._expected(deepspeech.RELEASED_HIDDEN)
    # 2048 units: 494, three times 2048, and an LSTM of one bias, to 29 classes.
    assert sum(np.prod(shape) for shape in shapes.values()) == 47_224_861
    assert deepspeech.build(64).count_params() == sum(
        np.prod(shape) for shape in deepspeech._expected(64).values()
    )


def test_recordings_heard_in_a_batch_sound_as_if_heard_alone(tmp_path):
    write_checkpoint(tmp_path, random_variables())
    recognizer = DeepSpeech.from_checkpoint(tmp_path)
    recognizer.batch, recognizer.beam_width = 2, 8
    waves = [noise(n, n) for n in (9000, 300, 15000, 700)]
    together = recognizer.log_probabilities(waves)
    assert [len(each) for each in together] == [27, 0, 46, 1]
    for wave, heard in zip(waves, together, strict=True):
        np.testing.assert_allclose(heard, recognizer.log_probabilities([wave])[0], atol=1e-4)
    texts = recognizer.transcribe(waves)
    assert len(texts) == 4 and texts[1] == ""
    assert recognizer.transcribe([]) == []


def missing(variables):
    del variables["layer_5/bias"]


def of_another_alphabet(variables):
    variables["layer_6/weights"] = np.zeros((HIDDEN, 30), np.float32)


def of_another_recurrence(variables):
    variables[f"{CELL}/kernel"] = np.zeros((HIDDEN, 4 * HIDDEN), np.float32)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (missing, "layer_5/bias is missing"),
        (of_another_alphabet, "layer_6/weights has the shape [8, 30], not [8, 29]"),
        (of_another_recurrence, "kernel has the shape [8, 32], not [16, 32]"),
        (dict.clear, "is missing"),
    ],
)
def test_a_checkpoint_of_another_network_is_refused_in_one_line(tmp_path, change, told):
    variables = random_variables()
    change(variables)
    variables["other"] = np.zeros(1, np.float32)
    write_checkpoint(tmp_path, variables)
    with pytest.raises(UserError) as raised:
        DeepSpeech.from_checkpoint(tmp_path)
    assert told in str(raised.value) and "\n" not in str(raised.value)


def test_a_checkpoint_that_is_missing_or_damaged_is_refused_in_one_line(tmp_path):
    with pytest.raises(UserError, match="best_dev_checkpoint"):
        DeepSpeech.from_checkpoint(tmp_path)
    with pytest.raises(UserError, match="there is no such checkpoint"):
        DeepSpeech.from_checkpoint(tmp_path / "best_dev-1")
    prefix = write_checkpoint(tmp_path, random_variables())
    data = Path(f"{prefix}.data-00000-of-00001")
    data.write_bytes(data.read_bytes()[:100])
    index = Path(f"{prefix}.index")
    whole = index.read_bytes()
    for content in (whole, whole[:20], b""):
        index.write_bytes(content)
        with pytest.raises(UserError, match="not readable as a TensorFlow checkpoint") as raised:
            DeepSpeech.from_checkpoint(tmp_path)
        assert "\n" not in str(raised.value)


def test_classes_stand_in_the_order_of_the_released_alphabet():
    assert ctc.spell("a Z'").tolist() == [1, 0, 26, 27]
    assert ctc.BLANK == 28


def test_transcripts_are_spelled_in_lower_case_without_punctuation():
    def respell(text):
        return "".join(ctc.ALPHABET[number] for number in ctc.spell(text))

    text = '  \u201cStop!" \u2013 he said; DON\u2019T'
    assert respell(text) == "stop he said don't"
    assert respell("RUBOUT G-M") == "rubout g m"
    for unspeakable in ("", "...", "room 7", "naïve"):
        assert ctc.spell(unspeakable) is None


def probabilities(frames, classes, seed):
    """Random log-probabilities in which all but a few classes are all but impossible."""
    values = np.full((frames, 29), -40.0)
    values[:, classes] = np.random.default_rng(seed).normal(0, 1, (frames, len(classes)))
    return (values - np.log(np.exp(values).sum(1, keepdims=True))).astype(np.float32)


def by_labelling(log_probabilities, classes):
    """The probability of every text, summed over all ways to label the frames."""
    totals = {}
    for path in itertools.product(classes, repeat=len(log_probabilities)):
        runs = [label for label, _ in itertools.groupby(path)]
        text = "".join(ctc.ALPHABET[label] for label in runs if label != 28)
        probability = np.exp(log_probabilities[np.arange(len(path)), list(path)].sum())
        totals[text] = totals.get(text, 0) + probability
    return totals


def test_the_search_finds_the_text_that_is_most_probable_over_all_labellings():
    classes = [0, 2, 27, 28]
    found = set()
    for seed in range(12):
        each = probabilities(5, classes, seed)
        totals = by_labelling(each, classes)
        (text,) = ctc.beam_search([each])
        assert text == max(totals, key=totals.get)
        found.add(text)
    assert len(found) > 6


def test_the_search_keeps_a_letter_that_a_blank_parts_from_itself():
    each = np.full((5, 29), -40.0, np.float32)
    each[np.arange(5), [1, 1, 28, 1, 0]] = 0
    assert ctc.beam_search([each]) == ["aa "]


def test_the_search_sums_labellings_where_the_best_one_is_blank():
    each = np.full((2, 29), -40.0, np.float32)
    each[:, [1, 28]] = np.log([0.4, 0.6])
    # "a": 0.4 * 0.4 + 2 * 0.4 * 0.6 = 0.64; nothing: 0.36.
    assert ctc.beam_search([each]) == ["a"]


def test_the_loss_is_the_sum_over_all_labellings_of_the_frames_that_count():
    classes = [0, 1, 28]
    batch = np.stack([probabilities(5, classes, 1), probabilities(5, classes, 2)])
    frames = [5, 4]
    texts = ["a a", "aa"]
    targets = np.full((2, 5), -1, np.int32)
    targets[:, 0] = frames
    for row, text in zip(targets, texts, strict=True):
        row[1 : 1 + len(text)] = ctc.spell(text)
    expected = [
        -np.log(by_labelling(each[:n], classes)[text])
        for each, n, text in zip(batch, frames, texts, strict=True)
    ]
    np.testing.assert_allclose(ctc.loss(targets, batch), expected, rtol=1e-4)


def test_a_repeated_letter_needs_a_blank_between():
    assert ctc.frames_needed(ctc.spell("all a")) == 6


def test_a_scorer_without_its_packages_is_told_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyctcdecode", None)
    with pytest.raises(UserError, match="pip install pyctcdecode kenlm"):
        ctc.beam_search([probabilities(3, [1, 28], 0)], scorer=tmp_path / "lm.arpa")


@pytest.mark.skipif(
    importlib.util.find_spec("pyctcdecode") is None or importlib.util.find_spec("kenlm") is None,
    reason="pyctcdecode and kenlm are not installed, which want a NumPy before 2",
)
def test_a_scorer_turns_a_doubtful_word_into_a_known_one(tmp_path):
    words = ["<unk>", "<s>", "</s>", "sea", "tea"]
    log10 = [-9, -99, -1, -3, -0.1]
    lines = [f"{p}\t{word}\t0" for p, word in zip(log10, words, strict=True)]
    counts = ["\\data\\", "ngram 1=5", "ngram 2=1"]
    lines = [*counts, "", "\\1-grams:", *lines, "", "\\2-grams:", "-0.1\t<s> tea", "", "\\end\\"]
    model = tmp_path / "lm.arpa"
    model.write_text("\n".join(lines) + "\n")
    each = np.full((3, 29), -40.0, np.float32)
    each[0, [ctc.ALPHABET.index("s"), ctc.ALPHABET.index("t")]] = np.log([0.6, 0.4])
    each[1, ctc.ALPHABET.index("e")] = each[2, ctc.ALPHABET.index("a")] = 0
    assert ctc.beam_search([each]) == ["sea"]
    assert ctc.beam_search([each], scorer=model) == ["tea"]
    with pytest.raises(UserError, match="there is no such language model"):
        ctc.beam_search([each], scorer=tmp_path / "none.arpa")
    model.write_text("no language model")
    with pytest.raises(UserError, match="KenLM cannot read it"):
        ctc.beam_search([each], scorer=model)


TONES_HZ = {"a": 300, "e": 1000, "o": 3000}


def say(text):
    """Letters as tones of 120 ms, parted by 60 ms of faint noise."""
    t = np.arange(1920) / 16000
    sounds = [np.zeros(960)]
    for letter in text:
        tone = np.sin(2 * np.pi * TONES_HZ[letter] * t) * np.hanning(1920)
        sounds += [0.3 * tone, np.zeros(960)]
    wave = np.concatenate(sounds)
    return (wave + noise(len(wave), len(text)) * 0.01).astype(np.float32)


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
    pairs = [(text, text.upper()) for text in said if text not in unheard] * 4
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
    assert len(deepspeech_training.utterances(tones, "train")) == 96


def test_the_command_trains_a_network_that_writes_down_what_it_hears(tones, tmp_path):
    output = tmp_path / "run"
    done = command(
        f"--data={tones}", f"--output={output}", "--hidden=32", "--epochs=25", "--batch=8",
        "--learning_rate=0.005", "--dropout=0", "--noise=0.1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("25 epochs") and "word error rate of 0.0%" in done.stdout
    rows = history(output)
    assert [row["epoch"] for row in rows] == [str(epoch) for epoch in range(1, 26)]
    recognizer = DeepSpeech.from_weights(output)
    # Not in the train split.
    assert recognizer.transcribe([say("aeo"), say("oea"), say("eoo")]) == ["aeo", "oea", "eoo"]
    assert sorted(path.name for path in output.iterdir()) == [
        "best.weights.h5", "deepspeech.json", "history.csv", "last-0025.weights.h5",
        "settings.json",
    ]  # fmt: skip


SETTINGS = deepspeech_training.Settings(
    hidden=4, epochs=2, batch=3, learning_rate=1e-3, dropout=0, noise=0, stretch=0.1, seed=0
)


def test_a_stopped_training_continues_as_if_it_had_never_stopped(tmp_path, monkeypatch):
    pairs = [("ae", "ae"), ("oa", "oa"), ("eo", "eo")]
    few = write_dataset(tmp_path / "few", {"train": pairs, "valid": pairs[:1]})
    whole = deepspeech_training.train(few, tmp_path / "whole", SETTINGS)

    def killed(*_):
        raise KeyboardInterrupt

    save = deepspeech_training._save
    monkeypatch.setattr(
        deepspeech_training, "_save", lambda *a: save(*a) if len(a[1]) < 2 else killed()
    )
    with pytest.raises(KeyboardInterrupt):
        deepspeech_training.train(few, tmp_path / "stopped", SETTINGS)
    assert len(history(tmp_path / "stopped")) == 1
    monkeypatch.setattr(deepspeech_training, "_save", save)
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


def test_a_folder_without_weights_or_with_damaged_ones_is_refused(tmp_path):
    with pytest.raises(UserError, match="there is no"):
        DeepSpeech.from_weights(tmp_path)
    deepspeech.save(deepspeech.build(4), tmp_path)
    DeepSpeech.from_weights(tmp_path)
    (tmp_path / "deepspeech.json").write_text('{"hidden": 5}')
    with pytest.raises(UserError, match="damaged"):
        DeepSpeech.from_weights(tmp_path)
    (tmp_path / "best.weights.h5").write_bytes(b"no weights")
    with pytest.raises(UserError, match="damaged"):
        DeepSpeech.from_weights(tmp_path)
