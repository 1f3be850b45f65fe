"""Programs that recognize a list of recordings in one call."""

import shlex
import sys

import numpy as np
import pytest
from wideband.evaluate import words
from wideband.evaluate.words.base import RecognitionError

# Recognizes a list of recordings by their lengths, and prints more than the texts.
LIST = """
import sys, wave
print("loading a model\\twith a tab")
for path in reversed(open(sys.argv[1]).read().splitlines()):
    with wave.open(path) as file:
        samples = file.getnframes()
    if samples == 3:
        continue
    if samples == 5:
        sys.exit("out of memory")
    print(path, f"has {samples} samples", sep="\\t")
print("done")
"""


@pytest.fixture
def list_program(tmp_path):
    (tmp_path / "recognize.py").write_text(LIST)
    return shlex.join([sys.executable, str(tmp_path / "recognize.py"), "{list}"])


def test_a_program_can_recognize_a_list_of_recordings_in_one_call(list_program):
    found = transcribe(list_program, [np.zeros(n, np.float32) for n in (10, 3, 20)])
    assert (found[0], found[2]) == ("has 10 samples", "has 20 samples")
    assert isinstance(found[1], RecognitionError)
    assert str(found[1]).endswith("printed no line for it; print the path, a tab and the text")


def test_a_program_that_fails_on_a_list_recognizes_none_of_it(list_program):
    found = transcribe(list_program, [np.zeros(n, np.float32) for n in (10, 5)])
    assert len(found) == 2
    assert all(str(each).endswith("failed with exit code 1: out of memory") for each in found)


def test_the_time_for_a_list_grows_with_its_length():
    sleep = shlex.join([sys.executable, "-c", "import time; time.sleep(100)", "{list}"])
    waves = 2 * [np.zeros(100, np.float32)]
    [first, _] = transcribe(sleep, waves, timeout_seconds=0.05)
    assert "took more than 0.1 seconds; set --timeout_seconds" in str(first)


def transcribe(command, waves, **settings):
    return list(words.create(f"cmd:{command}", **settings).transcribe(waves))
