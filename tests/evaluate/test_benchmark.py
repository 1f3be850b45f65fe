"""Models side by side on a dataset: metrics, word errors and time, one row for each."""

import json
import sys

import pytest
from wideband.audio import interpolate
from wideband.data_gen.dataset import Dataset
from wideband.evaluate import metrics
from wideband.evaluate.benchmark import command, parse_models

pytestmark = pytest.mark.usefixtures("plain_spectrograms")


@pytest.fixture
def measure(data, tmp_path, call):
    """Returns a function that runs the command on the small dataset."""

    def measure(*arguments, code=0):
        flags = [f"--data={data}", f"--output={tmp_path / 'out'}"]
        found, out, err = call(command, *arguments, *flags)
        assert found == code, err
        return tmp_path / "out", out if code == 0 else err

    return measure


def test_all_interpolations_are_measured_by_default(measure, data, rows):
    folder, out = measure()
    lines = out.splitlines()
    assert lines[0].split("  ")[0] == "model" and lines[0].endswith("ms per s")
    assert [line.split()[0] for line in lines[2:-1]] == list(interpolate.METHODS)
    assert lines[-1].startswith("LSD ranks interpolations backwards")
    table = {(row["name"], row["system"]): row for row in rows(folder / "benchmark.csv")}
    summary = json.loads((folder / "benchmark.json").read_text())
    for name in ("nearest", "quintic"):
        snrs = []
        for example in Dataset(data).examples("test"):
            estimate = interpolate.get(name)(example.low, 4)
            # The end of a stream is mirrored, not extrapolated.
            row = table[example.name, name]
            snrs.append(float(row["snr"]))
            expected = metrics.snr(example.high[:-32], estimate[:-32])
            assert snrs[-1] == pytest.approx(expected, abs=0.05)
        mean = summary["systems"][name]["snr"]
        assert mean["mean"] == pytest.approx(sum(snrs) / 2, rel=1e-3)
        assert mean["low"] <= mean["mean"] <= mean["high"]
        assert summary["milliseconds_per_second"][name] > 0
        assert f"{mean['mean']:.2f}" in next(line for line in lines if line.startswith(name))
    assert (summary["protocol"], summary["low_rate"]) == ("decimate_spline", 4000)
    assert "| quintic |" in (folder / "benchmark.md").read_text()
    assert (folder / "spectrograms.png").is_file()


def test_runs_and_interpolations_are_measured_with_any_metric(measure, run, tmp_path, rows):
    folder, out = measure(
        *(f"mine={run}", "hold", "--metric=si_snr", f"--save_recordings={tmp_path / 'saved'}"),
        *("--split=valid", "--low_band=recording"),
    )
    assert [line.split()[0] for line in out.splitlines()[2:]] == ["mine", "hold"]
    assert {row["system"] for row in rows(folder / "benchmark.csv")} == {"mine", "hold"}
    assert {each.name for each in (tmp_path / "saved").iterdir()} == {"reference", "mine", "hold"}
    assert len(list((tmp_path / "saved" / "mine").iterdir())) == 3


def test_word_errors_are_compared_with_those_of_the_first_model(
    data, make_dataset, tmp_path, call, rows
):
    [first, *_] = Dataset(data).examples("test")
    examples = [first._replace(name=f"{k}.wav", text="hello world") for k in range(2)]
    folder = make_dataset(tmp_path / "spoken", {"test": examples})
    program = tmp_path / "recognize.py"
    program.write_text("print('hello word')")
    flags = [f"--data={folder}", f"--output={tmp_path / 'out'}", "--wer"]
    flags.append(f"--recognizer=cmd:{sys.executable} {program}")
    code, out, err = call(command, "sinc", "hold", "linear", *flags)
    assert code == 0, err
    assert [line.split()[-3:-1] for line in out.splitlines()[2:6]] == 4 * [["0.500", "0.091"]]
    assert out.splitlines()[2].startswith("reference")
    assert "hold - sinc    +0.000 [+0.000, +0.000]  too few files to tell" in out
    words = json.loads((tmp_path / "out" / "benchmark.json").read_text())["word_errors"]
    assert [each["second"] for each in words["differences"]] == ["hold", "linear"]
    assert len(rows(tmp_path / "out" / "wer.csv")) == 8
    assert "| hold - sinc |" in (tmp_path / "out" / "benchmark.md").read_text()


def test_interpolations_stands_for_those_that_are_not_named():
    names = list(parse_models(["sinc", "a=runs/a", "interpolations"]))
    assert names[:3] == ["sinc", "a", "hold"]
    assert sorted(names) == sorted(["a", *interpolate.METHODS])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reference=sinc"], "'reference' is the name of another row; write NAME=sinc"),
        (["sinc", "sinc"], "sinc is named 'sinc' too"),
        (["cubic"], "cubic: no such run folder"),
        (["speech-2x"], "speech-2x has ratio 2, and "),
        (["sinc", "--recognizer=siri", "--wer"], "unknown recognizer 'siri'"),
    ],
)
def test_models_that_cannot_be_measured_are_refused(measure, error_line, arguments, message):
    folder, err = measure(*arguments, code=1)
    assert message in error_line(err)
    assert not folder.exists()
