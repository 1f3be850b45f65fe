"""run.json and history.csv: their content, and how damage is refused."""

import json
from fractions import Fraction
from math import nan

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
    assert record.sample_rate == (48000 if name == "fullband" else 16000)
    assert record.answer is not None and len(record.answer) == 64


def test_a_folder_without_a_record_is_not_a_run_folder(tmp_path):
    with pytest.raises(UserError, match=r"not a run folder \(run\.json is missing\); name"):
        Record.read(tmp_path)


def edited(**changes):
    """A record with a recipe of which some fields are changed; None removes a field."""
    recipe = {key: value for key, value in {**RECIPE, **changes}.items() if value is not None}
    return json.dumps({"recipe": recipe})


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("", "Expecting value"),
        ("[]", r"\[\] is not a JSON object"),
        ("7", "7 is not a JSON object"),
        ("[" * 100_000, "recursion"),
        ('{"recipe": ', "Expecting value"),
        ('{"data": "data"}', "recipe is missing"),
        ('{"recipe": []}', r"recipe is \[\]"),
        ('{"recipe": {"name": "demo"}}', "source is missing"),
        (json.dumps({"recipe": RECIPE, "unknown": 1}), "unknown"),
        (json.dumps({"recipe": RECIPE, "timings": {"hours": 1}}), "hours"),
        (json.dumps({"recipe": RECIPE, "timings": {"epochs": "3"}}), "epochs is '3'"),
        (json.dumps({"recipe": RECIPE, "timings": []}), "timings is"),
        (json.dumps({"recipe": RECIPE, "data": 5}), "data is 5"),
        (json.dumps({"recipe": RECIPE, "flags": "--x"}), "flags is '--x'"),
        (json.dumps({"recipe": RECIPE, "flags": [1]}), r"flags is \[1\]"),
        (json.dumps({"recipe": RECIPE, "versions": {"keras": 3}}), "versions is"),
        (json.dumps({"recipe": RECIPE, "baselines": {"spline": {"val_loss": "x"}}}), "baselines"),
        (edited(model=5), "model is 5"),
        (edited(arguments=["width"]), "arguments is"),
        (edited(protocol=None), "protocol is missing"),
        (edited(sample_rate="16000"), "sample_rate is '16000'"),
        (edited(sample_rate=True), "sample_rate is True"),
        (edited(sample_rate=0), "sample_rate is 0"),
        (edited(sample_rate=10**30), "sample_rate is 1000"),
        (edited(ratio="four"), "ratio is 'four'"),
        (edited(ratio="1e999999999"), "ratio is '1e999999999'"),
        (edited(ratio="4/0"), "ratio is '4/0'"),
        (edited(ratio=1), "ratio is '1'"),
        (edited(ratio=1, model="none"), "ratio is '1'"),
        (edited(ratio=0, model="overtonenet"), "ratio is '0'"),
        (edited(ratio=[4]), r"ratio is \[4\]"),
    ],
)
def test_a_damaged_record_is_refused_with_the_cause(content, cause, tmp_path):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(UserError, match=rf"run\.json: damaged \(.*{cause}.*\); put back") as error:
        Record.read(tmp_path)
    assert len(str(error.value)) < 300


def test_a_record_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "run.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(UserError, match=r"run\.json: damaged \("):
        Record.read(tmp_path)


# === history.csv ===


def test_a_history_is_read_as_numbers(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,loss\n1,0.5\n2,nan\n")
    rows = read_history(tmp_path)
    assert rows == [
        {"epoch": 1, "loss": 0.5},
        {"epoch": 2, "loss": pytest.approx(nan, nan_ok=True)},
    ]
    assert isinstance(rows[0]["epoch"], int)


def test_a_history_may_come_from_a_spreadsheet(tmp_path):
    (tmp_path / "history.csv").write_bytes(b"\xef\xbb\xbfepoch,loss\r\n1,0.5\r\n")
    assert read_history(tmp_path) == [{"epoch": 1, "loss": 0.5}]


@pytest.mark.parametrize("content", [None, "", "epoch,loss\n"])
def test_a_run_without_an_epoch_has_an_empty_history(content, tmp_path):
    if content is not None:
        (tmp_path / "history.csv").write_text(content)
    assert read_history(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("epoch,loss\n1,high\n", "'high'"),
        ("epoch,loss\n1\n", "epoch 1 does not have one cell for each column"),
        ("epoch,loss\n1,0.5,2\n", "epoch 1 does not have one cell for each column"),
        ("epoch,loss\n1,0.5\n3,0.5\n", "epoch 2 is missing, or not in its place"),
        ("epoch,loss\n1,0.5", "its last line is cut"),
        ("loss\n0.5\n", "epoch 1 is missing"),
    ],
)
def test_a_damaged_history_is_refused_with_the_cause(content, cause, tmp_path):
    (tmp_path / "history.csv").write_text(content)
    with pytest.raises(UserError, match=rf"history\.csv: damaged \(.*{cause}.*\); put back"):
        read_history(tmp_path)
