"""run.json and history.csv: their content, and how damage is refused."""

import json
from fractions import Fraction

import pytest
from wideband.command import UserError
from wideband.models import pretrained
from wideband.models.record import Record, Timings, read_history

RECIPE = {
    "name": "demo",
    "source": "ours",
    "model": "audiounet",
    "arguments": {"width": 0.1},
    "sample_rate": 16000,
    "ratio": 4,
    "protocol": "decimate_spline",
}


def test_a_record_is_read_as_it_was_written(tmp_path):
    record = Record(
        RECIPE,
        dataset={"corpus": "demo"},
        data="data",
        flags=["--recipe=demo"],
        baselines={"spline": {"val_loss": 1.5}},
        timings=Timings(epochs=3, seconds=65.0),
        answer=[0.5, -0.25],
    )
    record.write(tmp_path)
    assert Record.read(tmp_path) == record


def test_a_record_names_its_recipe_network_and_rates():
    record = Record(RECIPE)
    assert (record.name, record.source, record.model) == ("demo", "ours", "audiounet")
    assert (record.arguments, record.protocol) == ({"width": 0.1}, "decimate_spline")
    assert (record.sample_rate, record.ratio, record.low_rate) == (16000, 4, 4000.0)
    assert isinstance(record.ratio, int)


def test_a_ratio_may_be_a_quotient():
    record = Record({**RECIPE, "sample_rate": 22050, "ratio": "441/160"})
    assert (record.ratio, record.low_rate) == (Fraction(441, 160), 8000.0)


def test_fields_that_do_not_apply_are_not_written(tmp_path):
    Record(RECIPE).write(tmp_path)
    assert not {"data", "answer"} & set(json.loads((tmp_path / "run.json").read_text()))


@pytest.mark.parametrize("name", pretrained.names())
def test_records_of_shipped_networks_name_no_folders(name):
    record = Record.read(pretrained.find(name))
    assert record.data is None
    assert record.sample_rate == 16000
    assert record.answer is not None and len(record.answer) == 64


def test_a_folder_without_a_record_is_not_a_run_folder(tmp_path):
    with pytest.raises(UserError, match=r"not a run folder \(run\.json is missing\); name"):
        Record.read(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"recipe": ',
        '{"data": "data"}',
        '{"recipe": {"name": "demo"}}',
        json.dumps({"recipe": RECIPE, "unknown": 1}),
        json.dumps({"recipe": RECIPE, "timings": {"hours": 1}}),
    ],
)
def test_a_damaged_record_is_refused(content, tmp_path):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(UserError, match=r"run\.json: damaged; delete the folder"):
        Record.read(tmp_path)


# === history.csv ===


def test_a_history_is_read_as_numbers(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,loss\n1,0.5\n2,0.25\n")
    rows = read_history(tmp_path)
    assert rows == [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}]
    assert isinstance(rows[0]["epoch"], int)


def test_a_run_without_an_epoch_has_an_empty_history(tmp_path):
    assert read_history(tmp_path) == []


def test_a_damaged_history_is_refused(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,loss\n1,high\n")
    with pytest.raises(UserError, match=r"history\.csv"):
        read_history(tmp_path)
