"""TFLite files: their metadata, and the files that are refused."""

import dataclasses
import json
import re
import shutil
import zipfile

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from wideband.command import UserError
from wideband.models import pretrained
from wideband.upsample import tflite
from wideband.upsample.tflite import TFLiteNetwork


def test_metadata_is_read_as_it_was_written(window_file, tmp_path):
    model, metadata = tflite.read(window_file)
    tflite.write(tmp_path / "copy.tflite", model, metadata)
    assert tflite.read(tmp_path / "copy.tflite") == (model, metadata)
    assert (tmp_path / "copy.tflite").read_bytes() == window_file.read_bytes()


def test_a_file_with_metadata_is_a_plain_tflite_file(window_file):
    model, metadata = tflite.read(window_file)
    assert window_file.read_bytes().startswith(model)
    interpreter = Interpreter(model_path=str(window_file))
    interpreter.allocate_tensors()
    (wave,) = interpreter.get_input_details()
    assert wave["shape"].tolist() == [1, metadata.window, 1]
    assert wave["dtype"] is np.float32


def test_a_file_has_the_attributes_of_its_network(build, window_file, patch_file):
    network, file = build("audiounet"), TFLiteNetwork(window_file)
    for name in ("wants", "factor", "multiple", "context", "patch", "delay"):
        assert getattr(file, name) == getattr(network, name), name
    assert (file.windows, file.streaming) == ((2048,), False)
    network, file = build("tfilm"), TFLiteNetwork(patch_file)
    assert (file.context, file.patch, file.windows) == (None, network.patch, (network.patch,))


def test_the_number_of_threads_does_not_change_the_output(window_file, noise):
    windows = noise(2 * 2048).reshape(2, 2048, 1)
    one, two = (TFLiteNetwork(window_file, threads).restore(windows) for threads in (1, 2))
    np.testing.assert_allclose(one, two, rtol=0, atol=1e-6)


def test_a_short_wave_in_a_short_window_is_restored_as_in_a_long_one(noise):
    network = TFLiteNetwork(pretrained.find("speech") / pretrained.TFLITE_FILE)
    context = network.context
    assert network.windows == tuple(count * context for count in (4, 7, 12))
    wave = np.zeros(network.windows[-1], np.float32)
    wave[context : 3 * context] = noise(2 * context)
    short, *_, long = (
        network.restore(wave[np.newaxis, :window, np.newaxis])[0, context : 3 * context, 0]
        for window in network.windows
    )
    change = np.abs(long - wave[context : 3 * context]).max()
    assert np.abs(short - long).max() < 0.02 * change


def with_metadata(path, change):
    """Returns a file's content with changed metadata after the same model."""
    model, metadata = tflite.read(path)
    path.write_bytes(model)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(tflite.MEMBER, json.dumps(change(dataclasses.asdict(metadata))))
    return path.read_bytes()


def flip(path, position):
    """Returns a file's content with one changed byte."""
    content = bytearray(path.read_bytes())
    content[position] ^= 0x55
    return bytes(content)


# message: a function from the path of a good file to the content of a bad one
DAMAGES = {
    "not a TFLite file": lambda path: b"RIFF, WAVE and so on",
    "truncated, or not written by": lambda path: path.read_bytes()[:-100],
    "not written by wideband-export": lambda path: tflite.read(path)[0],
    "its model has another checksum": lambda path: flip(path, 2000),
    "unexpected keyword argument 'state'": lambda path: with_metadata(
        path, lambda metadata: {**metadata, "state": 1}
    ),
    "missing 17 required": lambda path: with_metadata(path, lambda metadata: {"window": 256}),
    "damaged, or of another version": lambda path: with_metadata(path, list),
    "window is 'long'": lambda path: with_metadata(
        path, lambda metadata: {**metadata, "window": "long"}
    ),
    "multiple is 0": lambda path: with_metadata(path, lambda metadata: {**metadata, "multiple": 0}),
    **{
        re.escape(f"shorter_windows is {windows!r}"): lambda path, windows=windows: with_metadata(
            path, lambda metadata: {**metadata, "shorter_windows": windows}
        )
        for windows in ([4096], [1024], [2000, 1984], ["a"], [True], [1600.0], {}, None, 5)
    },
    "context is -5": lambda path: with_metadata(path, lambda metadata: {**metadata, "context": -5}),
    "has no signature window_1600; export it again": lambda path: with_metadata(
        path, lambda metadata: {**metadata, "shorter_windows": [1600]}
    ),
}


@pytest.mark.parametrize("message", DAMAGES)
def test_a_damaged_or_foreign_file_is_refused_in_one_line(message, window_file, tmp_path):
    shutil.copy(window_file, tmp_path / "good.tflite")
    (tmp_path / "bad.tflite").write_bytes(DAMAGES[message](tmp_path / "good.tflite"))
    with pytest.raises(UserError, match=message) as raised:
        TFLiteNetwork(tmp_path / "bad.tflite")
    assert "bad.tflite" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "changed",
    [
        {"wants": "low"},
        {"wants": "wave"},
        {"window": 4096},
        {"ratio": 2, "wants": "low"},
        {"streaming": True},
    ],
)
def test_the_metadata_of_another_model_are_refused(changed, window_file, tmp_path):
    path = tmp_path / "bad.tflite"
    shutil.copy(window_file, path)
    with_metadata(path, lambda metadata: metadata | changed)
    with pytest.raises(
        UserError, match=r"bad\.tflite: its metadata describe another model; export"
    ):
        TFLiteNetwork(path)


def test_a_changed_byte_of_the_metadata_is_refused_or_has_no_effect(window_file, tmp_path):
    model, metadata = tflite.read(window_file)
    refused = 0
    for position in range(len(model), window_file.stat().st_size):
        (tmp_path / "bad.tflite").write_bytes(flip(window_file, position))
        try:
            # Some bytes have no meaning, such as those of the date.
            assert tflite.read(tmp_path / "bad.tflite") == (model, metadata)
        except UserError:
            refused += 1
    assert refused > len(json.dumps(dataclasses.asdict(metadata)))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"none\.tflite: cannot be read"):
        TFLiteNetwork(tmp_path / "none.tflite")
