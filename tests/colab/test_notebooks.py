"""Every notebook runs from an empty folder, with the embedded corpus and tiny settings."""

import json

import pytest
from nbclient.exceptions import CellExecutionError

# Trainings, evaluations and exports.
pytestmark = pytest.mark.slow


def outputs(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def shown(notebook, kind):
    """Counts the outputs that hold a picture or an audio player."""
    return sum(kind in str(output.get("data", "")) for output in outputs(notebook))


def printed(notebook):
    """Returns what the cells printed."""
    return "".join(output.get("text", "") for output in outputs(notebook))


def means(path, metric):
    """Reads the mean of a metric for each system that a command compared."""
    systems = json.loads(path.read_text())["systems"]
    return {system: values[metric]["mean"] for system, values in systems.items()}


def test_quick_start(execute, tmp_path):
    notebook = execute("1_quick_start.ipynb")
    assert shown(notebook, "<audio") == 3
    assert shown(notebook, "image/png") == 1
    assert (tmp_path / "restored.wav").is_file()


def test_train_your_own(execute, tmp_path):
    notebook = execute("2_train_your_own.ipynb", prepared=["data"])
    assert shown(notebook, "<audio") == 3
    assert shown(notebook, "image/png") == 2
    assert (tmp_path / "run" / "report.html").is_file()
    assert (tmp_path / "mine.tflite").is_file()


def test_the_thesis(execute, tmp_path):
    notebook = execute("3_the_thesis.ipynb", prepared=["thesis/multi", "thesis/single"])
    # Curves and fusion weights.
    assert shown(notebook, "image/png") == 2
    for group in ("multi_256", "single_256"):
        folder = tmp_path / "thesis" / group
        for metric in ("segmental_snr", "lsd_bini"):
            assert set(means(folder / "compare.json", metric)) == {"spline", "bini_tfnet"}
        systems = json.loads((folder / "wer.json").read_text())["systems"]
        assert set(systems) == {"original", "spline", "bini_tfnet"}
        assert (folder / "bini_tfnet" / "report.html").is_file()


def test_kuleshov(execute, tmp_path):
    notebook = execute("4_kuleshov.ipynb", recordings=["kuleshov/single"])
    assert shown(notebook, "image/png") == 2
    for metric in ("segmental_snr", "lsd_kuleshov"):
        found = means(tmp_path / "kuleshov" / "single.json", metric)
        assert set(found) == {"spline", "audiounet"}


def test_to_the_phone(execute, tmp_path):
    notebook = execute("5_to_the_phone.ipynb", prepared=["data"])
    assert shown(notebook, "<audio") == 2
    text = printed(notebook)
    assert "latency 32 ms, largest difference " in text
    assert "MB, real-time factor 0." in text
    assert (tmp_path / "run" / "evaluation.json").is_file()


def test_a_new_paper(execute, tmp_path):
    notebook = execute("6_a_new_paper.ipynb", prepared=["data"])
    text = printed(notebook)
    assert "Recipe(name='slimnet_4x', source=" in text and "2 passed" in text
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["recipe"]["model"] == "slimnet"
    assert set(means(tmp_path / "compare.json", "snr")) == {"spline", "slimnet"}
    assert list((tmp_path / "restored").rglob("*.wav"))


def test_speech_recognition(execute, tmp_path):
    notebook = execute("7_speech_recognition.ipynb", prepared=["data"])
    # Interpolations, curves and the comparison; four versions of a voice.
    assert shown(notebook, "image/png") == 3
    assert shown(notebook, "<audio") == 4
    systems = ["sinc", "spline", "hold", "speech", "conformer"]
    assert list(means(tmp_path / "comparison" / "benchmark.json", "snr")) == systems
    words = json.loads((tmp_path / "comparison" / "benchmark.json").read_text())["word_errors"]
    assert list(words["systems"]) == ["reference", *systems]
    compared = {(each["first"], each["second"]) for each in words["differences"]}
    assert compared == {("sinc", system) for system in systems[1:]}
    lines = printed(notebook).splitlines()
    for name in ("said", "reference", *systems):
        assert any(line.startswith(f"{name:10} ") for line in lines), name


def test_a_command_that_fails_ends_a_notebook(run_cells):
    with pytest.raises(CellExecutionError, match=r"wideband-upsample missing\.wav: exit code 1"):
        run_cells(["!wideband-upsample missing.wav"])
