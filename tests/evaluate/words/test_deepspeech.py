"""The features, network and checkpoint of DeepSpeech, compared with plain references."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from wideband.command import UserError
from wideband.evaluate.words import deepspeech
from wideband.evaluate.words.deepspeech import DeepSpeech

HIDDEN = 8
CELL = "cudnn_lstm/rnn/multi_rnn_cell/cell_0/cudnn_compatible_lstm_cell"


def reference_mfcc(wave):
    """MFCCs as in TensorFlow's kernels spectrogram.cc, mfcc_mel_filterbank.cc and mfcc.cc."""

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
    # As in HTK, the constant and the next bin are left out.
    triangles[:, bins_hz < 20 + 0.5 * 16000 / 512] = 0
    logarithms = np.log(np.maximum(magnitudes @ triangles.T, 1e-12))
    i, j = np.arange(26)[:, None], np.arange(40)
    return logarithms @ (np.sqrt(2 / 40) * np.cos(np.pi * i * (j + 0.5) / 40)).T


def random_variables(hidden=HIDDEN, seed=0):
    """A random network with the names and layout of the release's checkpoint."""
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
    # Further variables of the trainer.
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
    """The network in double precision, frame by frame, with a softmax at the end."""
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


def test_features_equal_an_independent_mfcc(noise):
    wave = noise(16000) + 0.3 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    features = deepspeech.mfcc(tf.constant(wave, tf.float32)).numpy()
    assert features.shape == (49, 26)
    np.testing.assert_allclose(features, reference_mfcc(wave), rtol=0, atol=2e-4)


def test_features_of_silence_are_finite_and_a_wave_shorter_than_a_window_has_none():
    assert np.isfinite(deepspeech.mfcc(tf.zeros(1600))).all()
    assert deepspeech.mfcc(tf.zeros(511)).shape == (0, 26)
    assert deepspeech.mfcc(tf.zeros(512)).shape == (1, 26)


def test_a_checkpoint_of_the_release_has_the_outputs_of_the_reference(tmp_path, noise):
    variables = random_variables()
    write_checkpoint(tmp_path / "deepspeech-checkpoint", variables)
    recognizer = DeepSpeech.from_checkpoint(tmp_path / "deepspeech-checkpoint")
    wave = noise(16000)
    (log_probabilities,) = recognizer.log_probabilities([wave])
    features = reference_mfcc(wave)
    expected = reference_network(features, variables)
    # The clipped rectifier is clipped at both ends.
    windows = np.array([features[t : t + 19].ravel() for t in range(30)])
    first = windows @ variables["layer_1/weights"] + variables["layer_1/bias"]
    assert first.max() > 21 and first.min() < -1
    np.testing.assert_allclose(np.exp(log_probabilities), expected, rtol=0, atol=1e-4)
    assert expected.max() - expected.min() > 0.5


def test_a_checkpoint_may_be_named_by_its_path_without_suffix(tmp_path):
    prefix = write_checkpoint(tmp_path, random_variables())
    by_path = deepspeech.load_checkpoint(prefix)
    by_folder = deepspeech.load_checkpoint(tmp_path)
    for one, other in zip(by_path.get_weights(), by_folder.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_network_has_as_many_parameters_as_the_release():
    # 2048 units: 494, three times 2048, and an LSTM with one bias, to 29 classes.
    assert deepspeech.build().count_params() == 47_224_861


def test_a_batch_does_not_change_the_outputs_of_its_recordings(tmp_path, monkeypatch, noise):
    write_checkpoint(tmp_path, random_variables())
    recognizer = DeepSpeech.from_checkpoint(tmp_path)
    monkeypatch.setattr(deepspeech, "BATCH", 2)
    waves = [noise(n, n) for n in (9000, 300, 15000, 700)]
    together = recognizer.log_probabilities(waves)
    assert [len(each) for each in together] == [27, 0, 46, 1]
    for wave, output in zip(waves, together, strict=True):
        np.testing.assert_allclose(output, recognizer.log_probabilities([wave])[0], atol=1e-4)
    texts = recognizer.transcribe(waves)
    assert len(texts) == 4 and texts[1] == ""
    assert recognizer.transcribe([]) == []


def remove_bias(variables):
    del variables["layer_5/bias"]


def change_alphabet(variables):
    variables["layer_6/weights"] = np.zeros((HIDDEN, 30), np.float32)


def change_recurrence(variables):
    variables[f"{CELL}/kernel"] = np.zeros((HIDDEN, 4 * HIDDEN), np.float32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (remove_bias, "layer_5/bias is missing"),
        (change_alphabet, "layer_6/weights has the shape [8, 30], not [8, 29]"),
        (change_recurrence, "kernel has the shape [8, 32], not [16, 32]"),
        (dict.clear, "is missing"),
    ],
)
def test_a_checkpoint_of_another_network_is_refused_in_one_line(tmp_path, change, message):
    variables = random_variables()
    change(variables)
    variables["other"] = np.zeros(1, np.float32)
    write_checkpoint(tmp_path, variables)
    with pytest.raises(UserError) as raised:
        DeepSpeech.from_checkpoint(tmp_path)
    assert message in str(raised.value) and "\n" not in str(raised.value)


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


def test_a_folder_without_a_network_is_refused_in_one_line(tmp_path):
    with pytest.raises(UserError, match=r"deepspeech.json: cannot be read \(No such file"):
        DeepSpeech.from_weights(tmp_path)
    (tmp_path / "deepspeech.json").write_text('{"hidden": 4}')
    with pytest.raises(UserError, match=r"best.weights.h5: cannot be read \(No such file"):
        DeepSpeech.from_weights(tmp_path)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ("", "deepspeech.json: damaged"),
        ("[4]", "deepspeech.json: damaged"),
        ('{"width": 4}', "deepspeech.json: damaged"),
        ('{"hidden": "4"}', "hidden must be a number from 1 to 8192, not 4"),
        ('{"hidden": true}', "hidden must be a number from 1 to 8192, not True"),
        ('{"hidden": 0}', "hidden must be a number from 1 to 8192, not 0"),
        ('{"hidden": 1000000000}', "hidden must be a number from 1 to 8192, not 1000000000"),
        ('{"hidden": 5}', "best.weights.h5: damaged"),
        ('{"hidden": 4}', "best.weights.h5: damaged"),
    ],
)
def test_a_folder_with_a_damaged_network_is_refused_in_one_line(tmp_path, sizes, message):
    path = tmp_path / "best.weights.h5"
    deepspeech.build(4).save_weights(path)
    (tmp_path / "deepspeech.json").write_text('{"hidden": 4}')
    DeepSpeech.from_weights(tmp_path)
    if sizes == '{"hidden": 4}':
        path.write_bytes(path.read_bytes()[:5000])
    (tmp_path / "deepspeech.json").write_text(sizes)
    with pytest.raises(UserError, match=message) as caught:
        DeepSpeech.from_weights(tmp_path)
    assert "\n" not in str(caught.value)
