"""Whisper's encoder, compared with CTranslate2; files that are not its weights."""

import struct

import ctranslate2
import keras
import numpy as np
import pytest
from wideband.command import UserError
from wideband.models import ctranslate2_file, whisper_encoder


def write_model(path, tensors, aliases=(), version=6):
    """Writes a model.bin: (name, number of the type, shape, bytes) of each tensor."""

    def text(name):
        return struct.pack("<H", len(name) + 1) + name.encode() + b"\0"

    content = struct.pack("<I", version) + text("WhisperSpec") + struct.pack("<II", 3, len(tensors))
    for name, kind, shape, data in tensors:
        content += text(name) + struct.pack(f"<B{len(shape)}I", len(shape), *shape)
        content += struct.pack("<BI", kind, len(data)) + data
    content += struct.pack("<I", len(aliases)) + b"".join(text(n) for pair in aliases for n in pair)
    path.write_bytes(content)
    return path


def rewrite(path, tensors):
    """Writes the tensors of an encoder that are not None."""
    kept = {
        name: np.asarray(each)
        for name, each in tensors.items()
        if name.startswith("encoder") and each is not None and each.dtype.itemsize > 1
    }
    kinds = {"float32": 0, "int16": 2}
    return write_model(
        path,
        [(name, kinds[each.dtype.name], each.shape, each.tobytes()) for name, each in kept.items()],
    )


@pytest.fixture(scope="module")
def weights(whisper_model):
    return whisper_model / "model.bin"


@pytest.fixture(scope="module")
def levels():
    return np.random.default_rng(0).normal(0, 0.5, (2, 3000, 80)).astype(np.float32)


def test_it_is_the_encoder_of_ctranslate2(whisper_model, weights, levels):
    model = ctranslate2.models.Whisper(str(whisper_model), compute_type="float32")
    features = ctranslate2.StorageView.from_array(np.ascontiguousarray(levels.swapaxes(1, 2)))
    expected = np.array(model.encode(features))
    network = whisper_encoder.load(weights)
    np.testing.assert_allclose(network(levels), expected, atol=2e-5)
    assert not network.trainable_variables


def test_mixed_precision_rounds_the_factors_and_not_the_sums(weights, levels):
    expected = np.array(whisper_encoder.load(weights)(levels[:, :200]))
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        rounded = np.array(whisper_encoder.load(weights)(levels[:, :200]))
    finally:
        keras.config.set_dtype_policy(before)
    assert rounded.dtype == np.float32
    error = np.mean(np.square(rounded - expected)) / np.mean(np.square(expected))
    # bfloat16 has eight bits.
    assert 1e-7 < error < 2.0**-12


def test_a_file_has_numbers_of_several_types_and_aliases(tmp_path):
    numbers = np.arange(-3, 3)
    single = numbers.astype("<f4").view("<u4")
    tensors = [
        ("a/single", 0, (2, 3), numbers.astype("<f4").tobytes()),
        ("a/byte", 1, (6,), numbers.astype("i1").tobytes()),
        ("a/short", 2, (), b"\x07\x00"),
        ("a/half", 4, (3, 2), numbers.astype("<f2").tobytes()),
        ("a/brain", 5, (6,), (single >> 16).astype("<u2").tobytes()),
        ("b/other", 3, (1,), b"\x01\x00\x00\x00"),
    ]
    path = write_model(tmp_path / "model.bin", tensors, [("a/again", "a/half")])
    read = ctranslate2_file.read(path, "a/")
    assert sorted(read) == ["again", "brain", "byte", "half", "short", "single"]
    np.testing.assert_array_equal(read["single"], numbers.reshape(2, 3))
    np.testing.assert_array_equal(read["half"], numbers.reshape(3, 2))
    np.testing.assert_array_equal(read["again"], read["half"])
    for name in ("byte", "brain"):
        np.testing.assert_array_equal(read[name], numbers)
    assert read["short"] == 7


@pytest.mark.parametrize("length", [0, 3, 20, 100, 5000, -1], ids=lambda length: f"{length} bytes")
def test_a_shortened_file_is_refused(weights, tmp_path, length):
    path = tmp_path / "model.bin"
    path.write_bytes(weights.read_bytes()[:length])
    with pytest.raises(UserError, match="not readable as a model of CTranslate2"):
        whisper_encoder.load(path)


@pytest.mark.parametrize(
    ("tensors", "aliases", "version", "reason"),
    [
        ([], [], 5, "binary version 5, not 6"),
        ([("a", 0, (3,), b"12345678")], [], 6, "cannot reshape"),
        ([("a", 9, (1,), b"1234")], [], 6, "tuple index out of range"),
        ([("a", 0, (1,) * 9, b"1234")], [], 6, "a tensor has 9 dimensions"),
        ([], [("a", "b")], 6, "'b'"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, tensors, aliases, version, reason):
    path = write_model(tmp_path / "model.bin", tensors, aliases, version)
    with pytest.raises(UserError, match=f"not readable as a model of CTranslate2 .{reason}"):
        ctranslate2_file.read(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UserError, match="No such file or directory; give another model"):
        whisper_encoder.load(tmp_path / "model.bin")


@pytest.mark.parametrize(("kind", "data"), [(1, b"1"), (2, b"12")], ids=["int8", "int16"])
def test_integer_weights_are_refused(tmp_path, kind, data):
    tensors = [("encoder/conv1/weight", kind, (1,), data)]
    tensors += [("encoder/conv1/weight_scale", 0, (1,), b"1234")]
    path = write_model(tmp_path / "model.bin", tensors)
    with pytest.raises(UserError, match=r"weights are integers; convert .*--quantization=float16"):
        whisper_encoder.load(path)


def test_another_model_is_refused(weights, tmp_path):
    read = ctranslate2_file.read(weights)
    read["encoder/conv2/bias"] = read["encoder/conv2/bias"][:-1]
    path = tmp_path / "model.bin"
    with pytest.raises(UserError, match=r"not the weights of a Whisper model \(.*conv2"):
        whisper_encoder.load(rewrite(path, read))
    del read["encoder/conv1/weight"]
    with pytest.raises(UserError, match=r"not the weights of a Whisper model .'conv1/weight'"):
        whisper_encoder.load(rewrite(path, read))


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("num_heads", np.int16(0), "1 blocks, 0 heads"),
        ("num_heads", np.ones(3, np.int16), "size 1"),
        ("position_encodings/encodings", np.float32(1), "not enough values"),
        ("conv1/weight", np.ones(3, np.float32), "not enough values"),
        ("layer_0/ffn/linear_0/weight", None, "0 blocks, 2 heads"),
    ],
)
def test_damaged_weights_are_refused(weights, tmp_path, name, value, reason):
    read = ctranslate2_file.read(weights)
    read[f"encoder/{name}"] = value
    with pytest.raises(UserError, match=f"not the weights of a Whisper model .*{reason}"):
        whisper_encoder.load(rewrite(tmp_path / "model.bin", read))
