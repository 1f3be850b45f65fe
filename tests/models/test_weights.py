"""Weights files: their bytes, and how damaged and foreign files are refused."""

import h5py
import numpy as np
import pytest
from wideband import models
from wideband.command import UserError
from wideband.models import weights


def build(name="streamnet", **arguments):
    return models.build(name, **{**models.small(name), **arguments})


@pytest.fixture(scope="module")
def network():
    return build()


@pytest.fixture
def file(network, tmp_path):
    path = tmp_path / "best.weights.h5"
    weights.save(network, path)
    return path


def test_keras_loads_the_file(network, file):
    other = build()
    other.load_weights(file)
    for a, b in zip(network.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_networks_with_equal_weights_have_the_same_file(network, file, tmp_path):
    """Keras numbers the layers of a process: those of a second network have other names."""
    other = build()
    assert {each.name for each in network.layers} != {each.name for each in other.layers}
    weights.load(other, file, "")
    again = tmp_path / "again.weights.h5"
    weights.save(other, again)
    assert again.read_bytes() == file.read_bytes()


def cut(content):
    return content[: len(content) // 2]


@pytest.mark.parametrize("damage", [cut, lambda content: b"", lambda content: b"text"])
def test_a_damaged_file_is_refused(network, file, damage):
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(UserError) as error:
        weights.load(network, file, "train it again")
    assert str(error.value) == (
        f"{file}: damaged, or not the weights of this streamnet; train it again"
    )


def test_a_damaged_number_is_refused(network, file):
    content = bytearray(file.read_bytes())
    numbers = max(network.get_weights(), key=np.size)
    content[content.index(numbers.tobytes())] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match="damaged, or not the weights of this streamnet; train"):
        weights.load(network, file, "train it again")


def test_a_missing_file_is_refused(network, tmp_path):
    with pytest.raises(UserError, match=r"none\.weights\.h5: cannot be read \(No such file or dir"):
        weights.load(network, tmp_path / "none.weights.h5", "train it again")


@pytest.mark.parametrize(("name", "arguments"), [("dnn", {}), ("streamnet", {"width": 0.5})])
def test_the_weights_of_another_network_are_refused(file, name, arguments):
    with pytest.raises(UserError, match=f"not the weights of this {name}; train it again"):
        weights.load(build(name, **arguments), file, "train it again")


def test_the_weights_of_a_larger_network_are_refused(network, file):
    with h5py.File(file, "a") as opened:
        opened["layers/one_more/vars/0"] = [1.0]
    with pytest.raises(UserError, match="has 38 arrays of weights, and this streamnet has 37; "):
        weights.load(network, file, "train it again")


def test_a_full_disk_is_reported_in_one_line(network, file, file_limit):
    """Without `weights.save`, HDF5 would crash the process."""
    before = file.read_bytes()
    with (
        file_limit(len(before) // 2),
        pytest.raises(UserError, match=r"best\.weights\.h5: cannot be written: File too large; "),
    ):
        weights.save(network, file)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]
