"""Checkpoints of PyTorch: one that PyTorch wrote, all types of tensors, and damaged files."""

import base64
import re
import struct
import zipfile
import zlib

import numpy as np
import pytest
from wideband.command import UserError
from wideband.models import torch_checkpoint

# The data.pkl that PyTorch 2.14 wrote for the content in the first test.
REAL_PICKLE = (
    "c-nQ7*;mt05XO_X6o|O*iu=~0AZr0P6cEshAi*UrSkv^jiH4+KGA+jk&hdqc{+Yh|Pk3{0?KyeyDamBM-~DFp%=gSLw1"
    "U;6X<AG+ap;Z{`aXBa3xn8LkE%T4)kV)C1DT?UY{ANl+#T-KT|&;GFml|Ha+5qiHp&sNG(EpsCLY9LRBnwM=qVJeUP%u"
    "lyUvkU5@X2^ZQ4{p1HG0maz@c-WyRBJG||uU1Y?6~EXy)&9AFuyw=wY3O<Wu#95Qj(%8BHPXU90=igVn&t2kpg>h`lN;"
    "h5C#;W*Rxa6)NM5>A;o-Q2|)t6wCSw>jBWn{1qw|Ib+>sNwuB2Bq;9k7CgaTwr<}#}%n**pV${Ji^8QbfBAI;8M!lI4%"
    "os8N!vsTV@Ye6K~g)x9fx(CT{M_k6S-bFj166y0%}#kOFlYxFSN`{@s@B3EWZa;SPHwVc%8kQNoysajP%sSuN@QSP2s;"
    "<ouEfcd?TaJBcaP&QhnH(+PG)VP^^VOx%}KQ4O0FpW{Iax+sHP<U@&^!Xtsy33CEjEGpDv!V?qovS2?9>R3pDRz;|bS("
    "KO(o~nYEIt4E$&Q=ue8R5AJriLU8eXOR76`?Nfg~Ux`P2tu%xR(iTL*Y!qrioV)*YfxdUZ?JL25*FRfbe#M<;1XxnYEI"
    "aHr^@yd%_13A1y;9Q)CBmBaC?!TmL9-NB=1~JIAtZl$p+QZG2XGn@};~$W`Ur4f=*^%D^nR0BD3-0?-mbUF?on8dm{4!"
    "WR=?JG;&sF?`l5%ZZZ3-(H>@D*gU5xG*eZff!!|a@y-W;36fA5Xy}RLUKKEJ&iSWRbEWM7NP>vw-6UZ@nS}ZbGgeEua4"
    "%gWI8lWm-#i{uA{Zz9Qg~2S46V"
)
# The numbers of its storages, as uint16 where the type is bfloat16.
REAL_STORAGES = [
    np.arange(6, dtype="<f4") / 4,
    np.array([1, -2, 0.5], "<f4"),
    np.array([1.5, -2.5], "<f4"),
    np.array([0.5, -65504], "<f2"),
    np.array([0x3F80, 0xC040, 0x7149], "<u2"),
    np.array([0.1], "<f8"),
    np.array([-1, 2**40], "<i8"),
    np.array([1, 0], "u1"),
    np.arange(12, dtype="<f4"),
    np.array([], "<f4"),
]


def read(path):
    """Reads a checkpoint with all of its tensors, which are not deeply nested."""

    def loaded(value):
        if isinstance(value, dict):
            return {key: loaded(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(map(loaded, value))
        return value.read() if isinstance(value, torch_checkpoint.Tensor) else value

    with torch_checkpoint.opened(path) as content:
        return loaded(content)


def test_a_checkpoint_of_pytorch_is_read(write):
    content = zlib.decompress(base64.b85decode(REAL_PICKLE))
    found = read(write(content, REAL_STORAGES, byteorder="little"))
    base = np.arange(12, dtype=np.float32).reshape(3, 4)
    arrays = {
        "parameter": np.float32([1.5, -2.5]),
        "half": np.float16([0.5, -65504]),
        "bfloat16": np.float32([1, -3, 9.9542e29]),
        "double": np.array(0.1),
        "long": np.array([-1, 2**40]),
        "bool": np.uint8([1, 0]),
        "view": base[1:, ::2],
        "transposed": base.T,
        "empty": np.zeros((0, 3), np.float32),
    }
    state = found.pop("state")
    np.testing.assert_array_equal(state["weight"], [[0, 0.25], [0.5, 0.75], [1, 1.25]])
    np.testing.assert_array_equal(state["bias"], [1, -2, 0.5])
    for name, expected in arrays.items():
        each = found.pop(name)
        assert (each.dtype, each.shape) == (expected.dtype, expected.shape), name
        np.testing.assert_allclose(each, expected, rtol=1e-3, err_msg=name)
    assert found == {
        **{"steps": 7, "rate": 2e-4, "name": "generator", "nothing": None, "flag": True},
        **{"list": [1, [2, (3,)]], "big": 2**40},
    }


# === Tensors ===


def tensor(count=6, start=0, shape=(2, 3), strides=(3, 1), key="0", kind="FloatStorage"):
    """Returns the pickle of a tensor that is a view of a storage."""

    def number(n):
        return b"\x8a\x08" + struct.pack("<q", n)

    def text(s):
        return b"X" + struct.pack("<I", len(s)) + s.encode()

    def numbers(values):
        return b"(" + b"".join(map(number, values)) + b"t"

    storage = b"(" + text("storage") + b"ctorch\n" + kind.encode() + b"\n" + text(key)
    storage += text("cpu") + number(count) + b"tQ"
    arguments = b"(" + storage + number(start) + numbers(shape) + numbers(strides)
    arguments += b"\x89ccollections\nOrderedDict\n)Rt"
    return b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"R."


@pytest.mark.parametrize(
    ("kind", "stored"),
    [
        ("FloatStorage", np.float32([1, -2, 3, -4, 5, 6])),
        ("DoubleStorage", np.float64([1, -2, 3, -4, 5, 1e300])),
        ("HalfStorage", np.float16([1, -2, 3, -4, 5, 6])),
        ("LongStorage", np.int64([1, -2, 3, -4, 5, 2**60])),
        ("IntStorage", np.int32([1, -2, 3, -4, 5, 6])),
        ("ShortStorage", np.int16([1, -2, 3, -4, 5, 6])),
        ("CharStorage", np.int8([1, -2, 3, -4, 5, 6])),
        ("ByteStorage", np.uint8([1, 2, 3, 4, 5, 255])),
        ("BoolStorage", np.uint8([1, 0, 0, 1, 1, 0])),
    ],
)
def test_every_type_of_numbers_is_read(write, kind, stored):
    found = read(write(tensor(kind=kind), [stored]))
    assert found.dtype == stored.dtype
    np.testing.assert_array_equal(found, stored.reshape(2, 3))
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 0


def test_bfloat16_is_the_upper_half_of_float32(write):
    numbers = np.float32([1, -2.5, 3e30, -4e-30, 0, np.inf])
    upper = (numbers.view(np.uint32) >> 16).astype(np.uint16)
    found = read(write(tensor(kind="BFloat16Storage"), [upper]))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.reshape(-1), numbers, rtol=2**-7)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start": 1}, "a tensor exceeds its storage of 6 samples"),
        ({"start": 2**62}, "exceeds its storage"),
        ({"strides": (4, 1)}, "exceeds its storage"),
        ({"strides": (2**62, 1)}, "exceeds its storage"),
        ({"shape": (3, 3)}, "exceeds its storage"),
        # Larger than memory, but within the storage.
        ({"shape": (2**40,), "strides": (0,)}, "exceeds its storage"),
        ({"shape": (2**62,) * 16, "strides": (0,) * 16}, "exceeds its storage"),
        ({"shape": (0, 2**62), "strides": (0, 0)}, "damaged"),
        ({"shape": (1,) * 17, "strides": (0,) * 17}, "its pickle is damaged"),
        ({"start": -1}, "its pickle is damaged"),
        ({"strides": (-3, 1)}, "its pickle is damaged"),
        ({"shape": (-2, 3)}, "its pickle is damaged"),
        ({"shape": (2, 3, 1)}, "its pickle is damaged"),
        ({"count": 5}, "its entry 'data/0' has another size or type"),
        ({"count": 2**62}, "its entry 'data/0' has another size or type"),
        ({"kind": "DoubleStorage"}, "its entry 'data/0' has another size or type"),
        ({"kind": "ComplexFloatStorage"}, "contains 'torch.ComplexFloatStorage'"),
        ({"key": "1"}, "its entry 'data/1' is missing"),
        ({"key": "../../../etc/passwd"}, "its entry 'data/../../../etc/passwd' is missing"),
        ({"key": "/etc/passwd"}, "its entry 'data//etc/passwd' is missing"),
        ({"key": "a\nb"}, r"its entry 'data/a\\nb' is missing"),
    ],
)
def test_a_tensor_that_does_not_fit_its_storage_is_refused(write, refusal, changes, message):
    stored = np.arange(6, dtype=np.float32)
    assert re.search(message, refusal(write(tensor(**changes), [stored])))


# === Files ===


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read (No such file or directory)"),
        (b"", "not a checkpoint of PyTorch, or damaged (File is not a zip file)"),
        (b"\x80\x02}q\x00.", "not a checkpoint of PyTorch, or damaged (File is not a zip file)"),
        (torch_checkpoint.LEGACY + b"\x80\x02", "written by PyTorch before 1.6; load it with"),
    ],
)
def test_a_file_that_is_no_archive_is_refused(tmp_path, refusal, content, message):
    path = tmp_path / "g_00500000"
    if content is not None:
        path.write_bytes(content)
    assert message in refusal(path)


def test_a_folder_is_refused(tmp_path, refusal):
    assert refusal(tmp_path) == "cannot be read (Is a directory)"


def test_an_archive_of_another_kind_is_refused(tmp_path, refusal, write):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme", "x")
    assert refusal(path) == "a zip archive, but not a checkpoint of PyTorch"
    assert "compressed" in refusal(write(b"N.", compression=zipfile.ZIP_DEFLATED))
    assert "big-endian" in refusal(write(b"N.", byteorder="big"))
    assert "not a checkpoint" in refusal(write(b"N.", **{"other/data.pkl": "N."}))


def test_a_file_that_breaks_off_or_has_changed_bytes_is_refused(write, refusal):
    path = write(tensor(), [np.arange(6, dtype=np.float32)])
    content = path.read_bytes()
    for cut in range(0, len(content), 7):
        path.write_bytes(content[:cut])
        refusal(path)
    at = content.index(np.arange(6, dtype=np.float32).tobytes())
    path.write_bytes(content[:at] + b"\xff" + content[at + 1 :])
    with torch_checkpoint.opened(path) as changed, pytest.raises(UserError, match="Bad CRC-32"):
        changed.read()


def test_tensors_are_read_one_by_one(write):
    path = write(tensor(), [np.arange(6, dtype=np.float32)])
    with torch_checkpoint.opened(path) as found:
        assert found.shape == (2, 3)
        # Nothing is kept.
        assert found.read() is not found.read()
        np.testing.assert_array_equal(found.read(), [[0, 1, 2], [3, 4, 5]])
    with pytest.raises(UserError, match="closed"):
        found.read()


def test_entries_larger_than_the_file_are_refused(write, refusal):
    """In a zip bomb, entries overlap, or claim to be larger than they are."""
    path = write(tensor(), [np.arange(6, dtype=np.float32)])
    content = path.read_bytes()
    # The sizes of the last entry in the directory at the end.
    at = content.rindex(b"PK\x01\x02") + 20
    sizes = struct.pack("<II", 2**31, 2**31)
    path.write_bytes(content[:at] + sizes + content[at + 8 :])
    assert refusal(path) == "damaged, its entries are larger than the file"
