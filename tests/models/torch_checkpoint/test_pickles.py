"""Pickles in checkpoints of PyTorch that run code, or are damaged."""

import os
import pickle
import struct
import subprocess

import pytest
from wideband.models import torch_checkpoint


class Call:
    """Calls a function when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def malicious(marker):
    """Yields pickles that would make the file `marker`, and one of its kind for each instruction.

    All protocols of Python's pickle are tried; torch.load with weights_only=False runs all of them.
    """
    touch = f"touch {marker}"
    for protocol in range(6):
        yield pickle.dumps(Call(os.system, touch), protocol)
        yield pickle.dumps({"generator": Call(subprocess.check_call, touch.split())}, protocol)
        yield pickle.dumps([Call(eval, f"open({str(marker)!r}, 'w')")], protocol)
        yield pickle.dumps(Call(getattr, Call(__import__, "os"), "system"), protocol)
    argument = b"(X" + struct.pack("<I", len(touch)) + touch.encode() + b"t"
    for module in (b"os", b"posix", b"torch._utils", b"torch.serialization", b"collections"):
        yield b"\x80\x02c" + module + b"\nsystem\n" + argument + b"R."
    yield b"\x80\x02(" + argument[1:-1] + b"ios\nsystem\n."
    yield b"\x80\x02(cos\nsystem\n" + argument[1:-1] + b"o."
    yield b"\x80\x02cos\nsystem\n" + argument + b"\x81."
    yield b"\x80\x02\x82\x01."
    yield b"\x80\x02ccollections\nOrderedDict\n" + argument + b"R."
    yield b"\x80\x02ccollections\nOrderedDict\n)\x81}" + argument[:-1] + b"Nub."


def test_a_pickle_that_runs_code_is_refused_and_not_run(write, refusal, tmp_path):
    marker = tmp_path / "marker"
    count = 0
    for pickled in malicious(marker):
        refusal(write(pickled))
        assert not marker.exists()
        count += 1
    assert count == 35


def test_the_refused_name_is_in_the_message(write, refusal):
    message = "contains 'os.system'; only tensors, dicts, lists, numbers and strings are read"
    assert refusal(write(b"\x80\x02cos\nsystem\n(tR.")) == message


def test_such_a_pickle_would_run_with_pythons_reader(tmp_path):
    """Otherwise, the test above would prove nothing."""
    marker = tmp_path / "marker"
    pickle.loads(next(malicious(marker)))
    assert marker.exists()


@pytest.mark.parametrize(
    "pickled",
    [
        b"",
        b"\x80\x02",
        b"\x80\x02.",
        b"\x80\x02]K\x01K\x01s.",
        b"\x80\x02}(K\x01u.",
        b"\x80\x02}K\x01a.",
        b"\x80\x02h\x05.",
        b"\x80\x02\x85.",
        b"\x80\x02t.",
        b"\x80\x02X\xff\xff\xff\xffabc.",
        b"\x80\x02X\x01\x00\x00\x00\xff.",
        b"\x80\x02G\x00\x00.",
        b"\x80\x02ctorch\nFloatStorage\n)R.",
        b"\x80\x02K\x01)R.",
        b"\x80\x02ccollections\nOrderedDict\nK\x01R.",
        b"\x80\x02K\x01Q.",
        b"\x80\x02X\x07\x00\x00\x00storageQ.",
        b"\x80\x02K\x01}b.",
        b"\x80\x02ctorch._utils\n_rebuild_parameter\nK\x01\x85R.",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.",
    ],
)
def test_a_damaged_pickle_is_refused(write, refusal, pickled):
    assert "its pickle is damaged" in refusal(write(pickled))


def test_keys_that_could_make_a_dict_slow_are_refused(write, refusal):
    assert "keys that are neither" in refusal(write(b"\x80\x02})K\x01s."))
    assert "more than 64 bits" in refusal(write(b"\x80\x02\x8a\x09" + b"\x01" * 9 + b"."))


def test_a_deeply_nested_pickle_is_read(write):
    with torch_checkpoint.opened(write(b"\x80\x02N" + b"\x85" * 100_000 + b".")) as found:
        for _ in range(100_000):
            (found,) = found
    assert found is None


def test_a_large_pickle_is_refused(write, refusal, monkeypatch):
    monkeypatch.setattr(torch_checkpoint, "LARGEST_PICKLE", 1000)
    assert "pickle of 1001 bytes is too large" in refusal(write(b"]" * 1000 + b"."))
