"""Tables of the pages, and the table in the README."""

import csv
import dataclasses
import inspect
import re
from pathlib import Path

import facts
import pytest
import readme
from markup import markdown
from wideband import models
from wideband.data_gen.augment import Augmentation
from wideband.evaluate.metrics import METRICS
from wideband.models import pretrained
from wideband.models.record import Record
from wideband.train.recipe import Adam, Adversarial, Recipe

DOCS = Path(__file__).parents[2] / "docs"


def test_the_api_page_describes_every_field_of_a_recipe():
    """These are what --set takes."""
    assert "::: wideband.train.recipe.Recipe\n" in (DOCS / "api.md").read_text(encoding="utf-8")
    for part in (Recipe, Adam, Adversarial, Augmentation):
        described = re.findall(r"^    (\w+): ", inspect.getdoc(part), re.M)
        names = [each.name for each in dataclasses.fields(part)]
        assert [name for name in described if name != "UserError"] == names


def test_every_network_has_a_page_that_describes_it():
    for name in models.names():
        text = (DOCS / "networks" / facts.page(name)).read_text(encoding="utf-8")
        assert f"<!-- network: {name}" in text or f", {name} -->" in text
        assert "## How to cite" in text


def test_the_table_in_the_readme_is_that_of_the_cards():
    """Otherwise, run python docs/generate/readme.py."""
    assert readme.README.read_text(encoding="utf-8") == readme.updated()


def test_a_column_of_a_card_is_that_of_the_shipped_network():
    card = """
| mean over files [95 % interval] | spline | other | net |
| --- | ---: | ---: | ---: |
| SNR, dB, higher is better | 9.70 [8.27, 11.32] | 10.64 [9.12, 12.34] | 9.83 [8.48, 11.32] |

| mean over files [95 % interval] | spline | net |
| --- | ---: | ---: |
| SNR, dB, higher is better | 1.00 [1.00, 1.00] | 2.00 [2.00, 2.00] |
"""
    assert facts._from_card(card, ("LSD (band)", "SNR"), ("net",)) == "9.83 (9.70)"
    assert facts._from_card(card, ("SNR",), ("other", "net")) == "10.64 (9.70)"


def test_measured_numbers_are_those_of_the_results():
    page = (DOCS / "results.md").read_text(encoding="utf-8")
    for ratio in ("4x", "8x"):
        lines = facts.measured(ratio, "gionet", "gionet2").split("\n")
        systems = [line.split(" | ")[0].removeprefix("| ") for line in lines[2:]]
        assert systems == ["spline", "sinc", "gionet", "gionet2"]
        table = page.partition(f"<!-- table: {ratio} -->")[2]
        whole = re.search(r"^\| gionet2 \|.*", table, re.M)[0]
        assert lines[-1] == re.sub(r" \[[^\]]*\]", "", whole)
    assert facts.measured("4x", "framenet") == ""


def test_versions_of_a_network_belong_to_it():
    lines = facts.measured("8x", "asr_unet").split("\n")
    attentions = ["asr_unet", "asr_unet_none", "asr_unet_se", "asr_unet_cbam"]
    systems = [line.split(" | ")[0].removeprefix("| ") for line in lines[2:]]
    assert systems == ["spline", "sinc", *attentions]
    assert len(facts.measured("4x", "tfilm").split("\n")) == 2 + 4


def test_a_page_has_the_numbers_of_the_shipped_networks_and_says_if_there_are_none():
    for name in pretrained.names():
        page = facts.numbers(Record.read(pretrained.find(name)).model)
        (line,) = [each for each in page.split("\n") if f"(../cards/{name}.md)" in each]
        readme_line = next(each for each in facts.shipped().split("\n") if f"[{name}]" in each)
        means = [cell for cell in readme_line.split(" | ") if "(" in cell and ".md" not in cell]
        assert len(means) == 2 and all(each.rstrip(" |") in line for each in means)
    assert facts.numbers("nvsr") == "There are none yet."
    assert "../results.md" in facts.numbers("tfnet") and "../cards/" not in facts.numbers("tfnet")


def test_the_page_of_a_network_has_its_classes_without_the_functions_that_build_it():
    text = facts.sections("framenet")
    members = re.search(r"members: \[(.*)\]", text)[1].split(", ")
    assert members[0] == "FrameNet" and "Smoothing" in members
    assert all(name[0].isupper() for name in members)


def test_speed_is_that_of_the_results():
    lines = facts.speed().split("\n")
    assert lines[0] == "| system | parameters | seconds per step | real-time factor |"
    assert len(lines) > 6 and not any("spline" in line for line in lines)


def test_published_numbers_name_known_metrics():
    with (DOCS / "networks" / "published.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 100
    for row in rows:
        assert row["metric"] in {*METRICS, "wer"}
        float(row["value"])
        assert row["source"] and int(row["low_rate"]) <= int(row["high_rate"])
    keys = [
        (r["source"], r["data"], r["low_rate"], r["high_rate"], r["system"], r["metric"])
        for r in rows
    ]
    assert len(set(keys)) == len(keys)


def test_published_tables_have_one_line_for_each_system_and_task():
    table = facts.published("gionet")
    assert "| vctk, single | 4 | 16 | gionet | 17.55 | 3.15 | 0.39 |" in table
    assert "| vctk, multi | 4 | 16 | reference |  |  | 0.08 |" in table
    assert facts.published("framenet") == ""


def test_metrics_link_to_their_sections():
    table = facts.metric_table()
    for name in METRICS:
        assert f"| `{name}` | [" in table
    assert "(#lsd_hf) |" in table and "(#nrmse) |" in table


def test_lists_in_docstrings_become_lists():
    assert (
        markdown("What differs:\n- a\n  b\n- c\n\nEnd") == "What differs:\n\n- a\n  b\n- c\n\nEnd"
    )
    assert markdown("Metrics\n-------\n- `snr`") == "**Metrics**\n\n- `snr`"


def test_brackets_in_docstrings_do_not_become_tags():
    text = "t = <p, y> y / <y, y>, not `<p>`\n    <unit>: x\n>>> a <b> c"
    expected = "t = &lt;p, y> y / &lt;y, y>, not `<p>`\n    &lt;unit>: x\n>>> a <b> c"
    assert markdown(text) == expected


@pytest.mark.parametrize("name", ["audiounet", "streamnet"])
def test_facts_of_a_network_are_those_of_the_code(name):
    table = facts.network(name)
    assert f"| parameters | {models.count_parameters(name):,} |" in table
    assert ("| runs as a stream | yes |" in table) == (name == "streamnet")
