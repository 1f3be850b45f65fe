"""The measured part of a model card."""

import pytest


def test_a_card_has_the_facts_of_its_run_and_the_tables(script, run, tmp_path, call):
    card, table = tmp_path / "small.md", tmp_path / "measured=1.md"
    card.write_text("# small\n\n<!-- table -->\nold\n<!-- table -->\n\nIn my own words.\n")
    table.write_text("| a | b |\n| --- | ---: |\n| c | 1.5 |\n")
    flags = [f"--card={card}", f"--run={run}", f"--table=On the test split={table}"]
    code, out, err = call(script("card").command, *flags)
    assert (code, out) == (0, f"{card}\n"), err
    before, measured, after = card.read_text().split("<!-- table -->\n")
    assert (before, after) == ("# small\n\n", "\nIn my own words.\n")
    facts = dict(
        row.strip("| ").split(" | ", 1) for row in measured.split("\n\n")[0].splitlines()[2:]
    )
    assert facts["rates"] == "from 4000 to 16000 Hz"
    assert facts["training time"] == "1 min on a machine"
    assert facts["trained with"] == "wideband-train --recipe=demo"
    # Three epochs of 100 steps, with 8 patches of 8192 samples each.
    assert facts["steps"] == "300, each on 4.1 s of audio; seed 0"
    assert facts["network"].startswith("audiounet(width=0.03), ")
    size = (run / "best.weights.h5").stat().st_size
    assert facts["size"] == f"{size / 1e6:.2f} MB"
    assert measured.endswith(f"## On the test split\n\n{table.read_text()}")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--table=nothing"], "--table=HEADING=FILE"),
        (["--table=Test=none.md"], "none.md"),
        ([], "two lines <!-- table -->"),
        (["--card={tmp}/new.md", "--run={tmp}"], "run.json is missing"),
    ],
)
def test_an_error_is_one_line_and_the_card_stays_unchanged(
    script, run, tmp_path, call, error_line, flags, message
):
    card = tmp_path / "small.md"
    card.write_text("# small\n")
    flags = [flag.format(tmp=tmp_path) for flag in flags]
    code, _, err = call(script("card").command, f"--card={card}", f"--run={run}", *flags)
    assert code == 1
    assert message in error_line(err)
    assert card.read_text() == "# small\n"
    assert not (tmp_path / "new.md").exists()
