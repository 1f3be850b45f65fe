"""Help for developers of phone apps: the loops of docs/mobile.md, and benchmarks/mobile.py."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from wideband.upsample import load, tflite

# Conversions to TFLite, or windows of every network.
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DOC = (ROOT / "docs" / "mobile.md").read_text()
# Restores a wave with a code block of the document, which may import only NumPy and LiteRT.
ALONE = """
import sys
import numpy as np
exec(sys.stdin.read())
np.save(sys.argv[3], restore(sys.argv[1], np.load(sys.argv[2])))
assert not {"wideband.upsample", "tensorflow", "scipy", "soxr"} & set(sys.modules)
"""


def section(heading):
    """Returns a section of the document."""
    (found,) = re.findall(rf"^## {heading}\n(.*?)(?=^## )", DOC, re.M | re.S)
    return found


@pytest.mark.parametrize("kind", ["stream", "window", "patch"])
@pytest.mark.parametrize("n", [1000, 1023])
def test_the_loops_of_the_document_have_the_output_of_the_upsampler(
    kind, n, stream_file, window_file, patch_file, speech, tmp_path
):
    path = {"stream": stream_file(), "window": window_file, "patch": patch_file}[kind]
    # After the wave the loops assume silence, but the upsampler mirrors. After silence they agree.
    low = np.pad(speech(4 * n)[::4], (100, 200))
    np.save(tmp_path / "low.npy", low)
    command = [sys.executable, "-c", ALONE, path, tmp_path / "low.npy", tmp_path / "high.npy"]
    text = section("A streaming file" if kind == "stream" else "A window file")
    (code,) = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    done = subprocess.run(list(map(str, command)), input=code, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "high.npy")
    expected, _ = load(path).upsample(low, 4000, keep_low_band=False)
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    assert np.abs(expected).max() > 0.1


def test_the_document_names_all_metadata_and_nothing_else():
    documented = {
        name
        for row in re.findall(r"^\| (`.*?) \|", section("Metadata"), re.M)
        for name in re.findall(r"`(\w+)`", row)
    }
    # A file takes windows of one length, so programs do not need `multiple`.
    assert documented == set(tflite.Metadata.__dataclass_fields__) - {"multiple"}


def benchmark(*arguments):
    command = [sys.executable, ROOT / "benchmarks" / "mobile.py", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_benchmark_fills_the_table_between_the_marks(stream_file, window_file, tmp_path):
    output = tmp_path / "mobile.md"
    output.write_text("Before.\n<!-- table -->\nold\n<!-- table -->\nAfter.\n")
    done = benchmark(stream_file(), window_file, f"--output={output}", "--windows=3")
    assert done.returncode == 0, done.stderr
    before, table, after = output.read_text().split("<!-- table -->\n")
    assert (before, after) == ("Before.\n", "After.\n")
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| ")]
    assert [row[0] for row in rows[2:]] == ["| stream-none.tflite", "| window.tflite"]
    numbers = json.loads((tmp_path / "mobile.json").read_text())
    stream, window = numbers["files"]
    assert stream["bytes"] == stream_file().stat().st_size
    # A step has 256 samples at 16 kHz; a window counts without its context.
    assert stream["window_milliseconds"] == pytest.approx(16)
    assert window["window_milliseconds"] == pytest.approx(tflite.read(window_file)[1].hop / 16)
    for file in (stream, window):
        assert file["milliseconds_per_window"] == pytest.approx(
            file["real_time_factor"] * file["window_milliseconds"]
        )
        # Python and NumPy alone take more than 10 MiB; TensorFlow would take hundreds.
        assert 10 < file["peak_mebibytes"] < 250


def test_the_memory_of_the_benchmarks_own_process_does_not_count(window_file):
    script = (
        "import sys\n"
        f"sys.path.insert(0, {str(ROOT / 'benchmarks')!r})\n"
        "import mobile, numpy, pathlib\n"
        "ballast = numpy.ones(2**26)\n"  # 512 MiB
        "row = mobile.measure(pathlib.Path(sys.argv[1]), 3, lambda: None)\n"
        "print(row['peak_mebibytes'])\n"
    )
    command = [sys.executable, "-c", script, str(window_file)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert 10 < float(done.stdout) < 250


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "at least one file"),
        (["none.tflite"], "none.tflite: cannot be read"),
        ([__file__], "not a TFLite file"),
        (["x.tflite", f"--output={__file__}"], "<!-- table -->"),
    ],
)
def test_the_benchmark_refuses_in_one_line(arguments, message, tmp_path):
    done = benchmark(f"--output={tmp_path / 'mobile.md'}", *arguments)
    assert done.returncode == 1
    lines = [line for line in done.stderr.replace("\r", "\n").splitlines() if "error" in line]
    assert len(lines) == 1
    assert message in lines[0]
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
