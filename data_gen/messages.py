"""The messages in a shard, `tf.train.Example`s, without TensorFlow.

The bytes are those of protobuf's deterministic serialization: the features are in the order of
their names. See https://protobuf.dev/programming-guides/encoding.
"""

import struct
from collections.abc import Iterator, Mapping

# The wire types of what begins with its length, and of 4 bytes.
_LENGTH, _FOUR = 2, 5
# The fields of Feature, and the one field of every other message but the entries of the map.
_BYTES, _FLOATS = 1, 2
_ONLY = 1
_KEY, _VALUE = 1, 2


def encode(features: Mapping[str, bytes | float]) -> bytes:
    """Encodes an Example whose features have one value each, bytes or a 32-bit float."""
    entries = (
        _field(_ONLY, _field(_KEY, [name.encode()]) + _field(_VALUE, _feature(value)))
        for name, value in sorted(features.items())
    )
    return b"".join(_field(_ONLY, [part for entry in entries for part in entry]))


def _feature(value: bytes | float) -> list[bytes]:
    if isinstance(value, bytes):
        return _field(_BYTES, _field(_ONLY, [value]))
    return _field(_FLOATS, _field(_ONLY, [struct.pack("<f", value)]))


def _field(number: int, content: list[bytes]) -> list[bytes]:
    """Puts the header of a field before its content, in parts: joining would copy the waves."""
    return [_varint(number << 3 | _LENGTH), _varint(sum(map(len, content))), *content]


def _varint(number: int) -> bytes:
    """Encodes a number in groups of 7 bits, the lowest first."""
    groups = bytearray()
    while number > 127:
        groups.append(number & 127 | 128)
        number >>= 7
    groups.append(number)
    return bytes(groups)


def decode(message: bytes) -> dict[str, bytes | float]:
    """Decodes an Example that `encode` or protobuf encoded.

    Raises:
        ValueError: it is no Example whose features have one value each, bytes or a float.
    """
    try:
        features = {}
        for _, content in _fields(memoryview(message)):
            for _, entry in _fields(content):
                parts = dict(_fields(entry))
                ((kind, values),) = _fields(parts[_VALUE])
                ((_, value),) = _fields(values)
                decoded = bytes(value) if kind == _BYTES else struct.unpack("<f", value)[0]
                features[bytes(parts[_KEY]).decode()] = decoded
    except (IndexError, KeyError, struct.error) as error:
        raise ValueError("not an Example with one value for each feature") from error
    return features


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yields the numbers and the contents of the fields of a message."""
    position = 0
    while position < len(message):
        tag, position = _read_varint(message, position)
        if tag & 7 == _LENGTH:
            length, position = _read_varint(message, position)
        elif tag & 7 == _FOUR:
            length = 4
        else:
            raise ValueError(f"a field of type {tag & 7}")
        if length > len(message) - position:
            raise ValueError("a field that breaks off")
        yield tag >> 3, message[position : position + length]
        position += length


def _read_varint(message: memoryview, position: int) -> tuple[int, int]:
    """Returns a number and the position behind it."""
    number = shift = 0
    while True:
        group = message[position]
        position += 1
        number |= (group & 127) << shift
        if group < 128:
            return number, position
        shift += 7
