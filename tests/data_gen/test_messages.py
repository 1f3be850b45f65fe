"""Messages: encoded as protobuf does it, and decoded whatever their order."""

import numpy as np
import pytest
import tensorflow as tf
from wideband.data_gen import messages

# Around the lengths where a varint gets another byte.
LENGTHS = (0, 1, 100, 127, 128, 16_300, 16_384, 2_100_000)


def features(n):
    return {"text": b"\xff" * n, "b": b"", "name": "é.wav".encode(), "start": 60.0, "a": 0.5}


def protobuf(features):
    """Makes the message with TensorFlow's own classes."""

    def feature(value):
        if isinstance(value, float):
            return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    found = {name: feature(value) for name, value in features.items()}
    return tf.train.Example(features=tf.train.Features(feature=found))


@pytest.mark.parametrize("n", LENGTHS)
def test_a_message_has_the_bytes_of_protobuf(n):
    message = messages.encode(features(n))
    assert message == protobuf(features(n)).SerializeToString(deterministic=True)
    assert messages.decode(message) == features(n)


def test_the_features_may_be_in_any_order():
    one, two = ({"a": b"first", "b": 1.5}, {"c": b"", "d": b"last"})
    # Protobuf merges messages that are joined, and writes maps in any order.
    for joined in ((one, two), (two, one)):
        message = b"".join(map(messages.encode, joined))
        assert messages.decode(message) == one | two


def test_a_float_need_not_be_packed():
    # Features{a: Feature{floats{1: 1.5}}}, where 0x0D is field 1 of 4 bytes.
    floats = b"\x0d" + np.float32(1.5).tobytes()
    entry = b"\x0a\x01a" + b"\x12\x07" + b"\x12\x05" + floats
    message = b"\x0a\x0e" + b"\x0a\x0c" + entry
    assert tf.train.Example.FromString(message) == protobuf({"a": 1.5})
    assert messages.decode(message) == {"a": 1.5}


def test_what_is_no_message_is_refused_or_has_features():
    message = messages.encode(features(100))
    for end in range(1, len(message)):
        with pytest.raises(ValueError):
            messages.decode(message[:end])
    rng = np.random.default_rng(0)
    for _ in range(2000):
        damaged = bytearray(message)
        damaged[rng.integers(len(damaged))] ^= 1 << rng.integers(8)
        try:
            messages.decode(bytes(damaged))
        except ValueError:
            continue


@pytest.mark.parametrize(
    "feature",
    [
        tf.train.Feature(),
        tf.train.Feature(int64_list=tf.train.Int64List(value=[5])),
        tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"x", b"y"])),
        tf.train.Feature(float_list=tf.train.FloatList(value=[1, 2])),
        tf.train.Feature(bytes_list=tf.train.BytesList(value=[])),
    ],
)
def test_other_values_are_refused(feature):
    message = tf.train.Example(features=tf.train.Features(feature={"a": feature}))
    with pytest.raises(ValueError):
        messages.decode(message.SerializeToString())
