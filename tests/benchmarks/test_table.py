"""Timing runs and putting several into one table, through the real commands."""

import json
import shutil
import subprocess
import sys

import pytest


def command(module, *flags):
    return subprocess.run(
        [sys.executable, "-m", f"wideband.evaluate.{module}", *flags],
        capture_output=True,
        text=True,
    )


def means(offset):
    names = ("snr", "segmental_snr", "lsd", "lsd_kuleshov", "lsd_lf", "lsd_hf")
    return {
        name: {"mean": k + offset, "low": k, "high": k + 1.0, "files": 3, "left_out": 0}
        for k, name in enumerate(names)
    }


@pytest.fixture
def runs(tmp_path):
    """Two runs as wideband-evaluate and wideband.evaluate.speed leave them."""
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


def test_baselines_stand_once_and_every_run_under_its_folders_name(runs):
    done = command("table", f"--run={runs}/a", f"--run={runs}/b", f"--output={runs}/table.md")
    assert done.returncode == 0, done.stderr
    header, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (runs / "table.md").read_text().splitlines()
        if line.startswith("|")
    ]
    assert header[1].startswith("SNR, dB") and header[-1] == "real-time factor"
    assert [row[0] for row in rows] == ["spline", "a", "b"]
    assert rows[0][1:3] == ["0.25 [0.00, 1.00]", "1.25 [1.00, 2.00]"]
    # The LSD-HF is the sixth metric, and the LSD-LF before it is not in the table.
    assert rows[2][5:] == ["5.600 [5.000, 6.000]", "12,345", "0.50", "0.125"]


def test_a_table_between_marks_is_replaced_and_the_rest_kept(runs):
    page = runs / "page.md"
    page.write_text("before\n<!-- table -->\nold\n<!-- table -->\nafter\n")
    for _ in range(2):
        assert command("table", f"--run={runs}/a", f"--output={page}").returncode == 0
    text = page.read_text()
    assert text.startswith("before\n<!-- table -->\n| system")
    assert text.endswith("|\n<!-- table -->\nafter\n")
    assert "old" not in text and text.count("spline") == 1


def test_a_page_without_marks_is_left_alone(runs):
    page = runs / "page.md"
    page.write_text("mine")
    done = command("table", f"--run={runs}/a", f"--output={page}")
    assert done.returncode == 1
    assert "two lines <!-- table -->" in done.stderr
    assert page.read_text() == "mine"


def test_runs_of_different_test_sets_do_not_share_a_table(runs):
    path = runs / "b" / "evaluation.json"
    path.write_text(path.read_text().replace('"files": 3, "minutes"', '"files": 4, "minutes"'))
    done = command("table", f"--run={runs}/a", f"--run={runs}/b", f"--output={runs}/table.md")
    assert done.returncode == 1
    assert "files is 4, and 3 in" in done.stderr
    assert not (runs / "table.md").exists()


@pytest.mark.parametrize(
    ("missing", "remedy"),
    [("evaluation.json", "wideband-evaluate"), ("speed.json", "wideband.evaluate.speed")],
)
def test_a_run_without_numbers_is_named_with_the_command_that_makes_them(runs, missing, remedy):
    (runs / "a" / missing).unlink()
    done = command("table", f"--run={runs}/a", f"--output={runs}/table.md")
    assert done.returncode == 1
    assert missing in done.stderr and remedy in done.stderr and "Traceback" not in done.stderr


def test_a_run_is_timed(run, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run")
    done = command("speed", f"--run={folder}", "--seconds=0.5")
    assert done.returncode == 0, done.stderr
    speed = json.loads((folder / "speed.json").read_text())
    record = json.loads((folder / "run.json").read_text())["recipe"]
    assert speed["real_time_factor"] > 0 and speed["seconds_per_step"] > 0
    assert {key: speed[key] for key in ("batch", "patch", "precision")} == {
        key: record[key] for key in ("batch", "patch", "precision")
    }
    assert f"{speed['parameters']:,} parameters" in done.stdout
