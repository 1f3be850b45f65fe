"""The measured part of a model card."""

import subprocess
import sys

import pytest


def command(*flags):
    script = [sys.executable, "-m", "wideband.evaluate.card", *map(str, flags)]
    return subprocess.run(script, capture_output=True, text=True)


def test_a_card_has_the_facts_of_its_run_and_the_tables(run, tmp_path):
    card, table = tmp_path / "small.md", tmp_path / "measured=1.md"
    card.write_text("# small\n\n<!-- table -->\nold\n<!-- table -->\n\nIn my own words.\n")
    table.write_text("| a | b |\n| --- | ---: |\n| c | 1.5 |\n")
    done = command(f"--card={card}", f"--run={run}", f"--table=On the test split={table}")
    assert done.returncode == 0, done.stderr
    before, measured, after = card.read_text().split("<!-- table -->\n")
    assert (before, after) == ("# small\n\n", "\nIn my own words.\n")
    told = dict(
        row.strip("| ").split(" | ", 1) for row in measured.split("\n\n")[0].splitlines()[2:]
    )
    assert told["rates"] == "from 4000 to 16000 Hz"
    assert told["took"] == "1 min on a machine"
    assert told["trained by"] == "wideband-train --recipe=demo"
    # demo: 100 steps an epoch, of 8 patches of 8192.
    assert told["steps"] == "300, of 4.1 s of speech each; seed 0"
    assert told["network"].startswith("audiounet(width=0.03), ")
    size = (run / "best.weights.h5").stat().st_size
    assert told["size"] == f"{size / 1e6:.2f} MB"
    assert measured.endswith(f"## On the test split\n\n{table.read_text()}")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--table=nothing"], "--table=HEADING=FILE"),
        (["--table=Test=none.md"], "none.md"),
        ([], "must say where the table stands"),
    ],
)
def test_what_cannot_be_written_is_told_in_one_line(run, tmp_path, flags, message):
    card = tmp_path / "small.md"
    card.write_text("# small\n")
    done = command(f"--card={card}", f"--run={run}", *flags)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert card.read_text() == "# small\n"
