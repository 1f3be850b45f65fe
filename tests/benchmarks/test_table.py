"""Timings of runs, and a table of several runs."""

import json
import shutil

import pytest
from wideband.models.record import Record


def means(offset):
    names = ("snr", "segmental_snr", "lsd", "lsd_kuleshov", "lsd_lf", "lsd_hf")
    return {
        name: {"mean": k + offset, "low": k, "high": k + 1.0, "files": 3, "left_out": 0}
        for k, name in enumerate(names)
    }


@pytest.fixture
def runs(tmp_path):
    """Two runs after wideband-evaluate and benchmarks/speed.py."""
    facts = {
        "model": "audiounet",
        "corpus": "folder",
        "split": "test",
        "files": 3,
        "minutes": 1.5,
        "protocol": "decimate_spline",
        "ratio": 4,
        "sample_rate": 16000,
    }
    for number, name in enumerate(("a", "b")):
        folder = tmp_path / name
        folder.mkdir()
        systems = {"spline": means(0.25), "audiounet": means(0.5 + number / 10)}
        (folder / "evaluation.json").write_text(json.dumps({"facts": facts, "systems": systems}))
        speed = {"parameters": 12345, "seconds_per_step": 0.5, "real_time_factor": 0.125}
        (folder / "speed.json").write_text(json.dumps(speed))
    return tmp_path


def test_baselines_appear_once_and_every_run_by_the_name_of_its_folder(script, runs, call):
    flags = [f"--run={runs}/a", f"--run={runs}/b", f"--output={runs}/table.md"]
    code, _, err = call(script("table").command, *flags)
    assert code == 0, err
    header, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (runs / "table.md").read_text().splitlines()
        if line.startswith("|")
    ]
    assert header[1].startswith("SNR, dB") and header[-1] == "real-time factor"
    assert [row[0] for row in rows] == ["spline", "a", "b"]
    assert rows[0][1:3] == ["0.25 [0.00, 1.00]", "1.25 [1.00, 2.00]"]
    # The LSD-HF is the sixth metric; the LSD-LF before it is not in the table.
    assert rows[2][5:] == ["5.600 [5.000, 6.000]", "12,345", "0.50", "0.125"]


def test_a_table_between_marks_is_replaced_and_the_rest_kept(script, runs, call):
    page = runs / "page.md"
    page.write_text("before\n<!-- table -->\nold\n<!-- table -->\nafter\n")
    for _ in range(2):
        code, _, _ = call(script("table").command, f"--run={runs}/a", f"--output={page}")
        assert code == 0
    text = page.read_text()
    assert text.startswith("before\n<!-- table -->\n| system")
    assert text.endswith("|\n<!-- table -->\nafter\n")
    assert "old" not in text and text.count("spline") == 1


def test_a_page_may_have_several_tables(script, runs, call):
    page = runs / "page.md"
    page.write_text(
        "<!-- table: 4x -->\n<!-- table: 4x -->\n<!-- table: 8x -->\n<!-- table: 8x -->\n"
    )
    flags = [f"--run={runs}/a", f"--output={page}", "--name=8x"]
    code, _, err = call(script("table").command, *flags)
    assert code == 0, err
    assert page.read_text().startswith(
        "<!-- table: 4x -->\n<!-- table: 4x -->\n<!-- table: 8x -->\n| system"
    )


def test_a_page_without_marks_stays_unchanged(script, runs, call, error_line):
    page = runs / "page.md"
    page.write_text("mine")
    code, _, err = call(script("table").command, f"--run={runs}/a", f"--output={page}")
    assert code == 1
    assert "two lines <!-- table -->" in error_line(err)
    assert page.read_text() == "mine"


def test_runs_evaluated_on_different_test_sets_are_refused(script, runs, call, error_line):
    path = runs / "b" / "evaluation.json"
    path.write_text(path.read_text().replace('"files": 3, "minutes"', '"files": 4, "minutes"'))
    flags = [f"--run={runs}/a", f"--run={runs}/b", f"--output={runs}/table.md"]
    code, _, err = call(script("table").command, *flags)
    assert code == 1
    assert "files is 4, and 3 in" in error_line(err)
    assert not (runs / "table.md").exists()


@pytest.mark.parametrize(
    ("missing", "remedy"),
    [("evaluation.json", "wideband-evaluate"), ("speed.json", "benchmarks/speed.py")],
)
def test_missing_numbers_are_named_with_the_command_that_makes_them(
    script, runs, call, error_line, missing, remedy
):
    (runs / "a" / missing).unlink()
    flags = [f"--run={runs}/a", f"--output={runs}/table.md"]
    code, _, err = call(script("table").command, *flags)
    assert code == 1
    assert missing in error_line(err) and remedy in err


@pytest.mark.parametrize("name", ["evaluation.json", "speed.json"])
@pytest.mark.parametrize("content", ["", "[]", '{"facts": {}}', "cut"])
def test_damaged_numbers_are_named(script, runs, call, error_line, name, content):
    path = runs / "b" / name
    path.write_text(path.read_text()[:-9] if content == "cut" else content)
    flags = [f"--run={runs}/a", f"--run={runs}/b", f"--output={runs}/table.md"]
    code, _, err = call(script("table").command, *flags)
    assert code == 1
    assert name in error_line(err) and "damaged" in err
    assert not (runs / "table.md").exists()


def test_a_run_is_timed(script, run, tmp_path, call):
    folder = shutil.copytree(run, tmp_path / "run")
    record = Record.read(folder)
    record.recipe |= {"patch": 512, "batch": 2}
    record.write(folder)
    code, out, err = call(script("speed").command, f"--run={folder}", "--seconds=0.1")
    assert code == 0, err
    speed = json.loads((folder / "speed.json").read_text())
    recipe = record.recipe
    assert speed["real_time_factor"] > 0 and speed["seconds_per_step"] > 0
    assert {key: speed[key] for key in ("batch", "patch", "precision")} == {
        key: recipe[key] for key in ("batch", "patch", "precision")
    }
    assert f"{speed['parameters']:,} parameters" in out


@pytest.mark.parametrize(
    ("run_name", "words"),
    [
        ("nowhere", "no such run folder"),
        ("speech-4x", "shipped network"),
        ("phone-4x", "no Keras weights"),
    ],
)
def test_a_run_that_cannot_be_timed_is_refused(script, call, error_line, run_name, words):
    code, _, err = call(script("speed").command, f"--run={run_name}")
    assert code == 1
    assert words in error_line(err)
