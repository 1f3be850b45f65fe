"""Damaged datasets are refused in one line that names the file and what to do."""

import json
import shutil

import numpy as np
import pytest
from wideband.command import UserError
from wideband.data_gen import layout, pipeline, shards
from wideband.data_gen.dataset import Dataset

# Record 1 of a shard begins here; all have names of one letter and 1000 samples.
RECORD_BYTES = 4126
SAMPLES = 1000


def example(name, seed):
    high = np.random.default_rng(seed).uniform(-0.5, 0.5, SAMPLES).astype(np.float32)
    return shards.Example(name, "anna", "", 0.0, high, high[::4])


@pytest.fixture(scope="module")
def whole(make_dataset, tmp_path_factory):
    """A dataset whose valid split has three shards of three recordings."""
    examples = [example(name, seed) for seed, name in enumerate("abcdefghi")]
    totals = {"valid": {"recordings": 9}}
    folder = make_dataset(tmp_path_factory.mktemp("whole"), {"valid": examples}, totals=totals)
    for number in range(3):
        shards.write(folder / f"valid-0000{number}.tfrecord", examples[3 * number : 3 * number + 3])
    return folder


@pytest.fixture
def folder(whole, tmp_path, monkeypatch):
    """A copy of that dataset, to be damaged."""
    monkeypatch.setattr(layout, "SHARD_SAMPLES", 3 * SAMPLES)
    return shutil.copytree(whole, tmp_path / "dataset")


def refusal(function, *arguments):
    with pytest.raises(UserError) as caught:
        function(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_undamaged_dataset_is_read(folder):
    dataset = Dataset(folder)
    assert [each.name for each in dataset.examples("valid")] == list("abcdefghi")
    batches = pipeline.patches(dataset, "valid", 500, batch=4)
    assert sum(len(high) for _, high in pipeline.arrays(batches, dataset, "valid")) == 18


# dataset.json


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sample_rate", None),
        ("sample_rate", "16000"),
        ("sample_rate", 0),
        ("ratio", "x"),
        ("ratio", [4]),
        ("ratio", "-1/2"),
        ("patch", 256.5),
        ("patch", -1),
        ("seed", -1),
        ("protocol", 5),
        ("corpus", {}),
    ],
)
def test_a_wrong_setting_is_refused(folder, key, value):
    path = folder / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    assert refusal(Dataset, folder).startswith(f"{path}: damaged (")


@pytest.mark.parametrize(
    "content", [b"", b"words", b"[]", b"{}", b"5", b'{"seed": 0', b"\xff\xfe{}", b"[" * 100_000]
)
def test_what_is_no_description_is_refused(folder, content):
    (folder / "dataset.json").write_bytes(content)
    message = refusal(Dataset, folder)
    assert message.startswith(f"{folder / 'dataset.json'}: damaged (")
    assert message.endswith("; prepare the dataset again in another folder")


# manifest.csv


def rewrite(folder, change):
    path = folder / "manifest.csv"
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda text: b"", "without some columns"),
        (lambda text: b"\xff" + text, "not CSV in UTF-8"),
        (lambda text: text.replace(b"samples", b"frames"), "without some columns"),
        (lambda text: text[: text.rindex(b",1000,")], "line 10 has '' samples"),
        (lambda text: text.replace(b",1000,", b",1e3,", 1), "line 2 has '1e3' samples"),
        (lambda text: text.replace(b"valid,c", b"dev,c"), "line 4 has the split 'dev'"),
    ],
)
def test_a_damaged_manifest_is_refused(folder, change, fault):
    rewrite(folder, change)
    message = refusal(Dataset(folder).lengths, "valid")
    assert message.startswith(f"{folder / 'manifest.csv'}: damaged (")
    assert fault in message
    assert "run the same wideband-prepare command again" in message


@pytest.mark.parametrize("name", ["../../../evil", "/evil", "C:\\evil", "a/../b", "x\0y", "."])
def test_a_name_that_leads_elsewhere_is_refused(folder, name):
    rewrite(folder, lambda text: text.replace(b"valid,c,", f"valid,{name},".encode()))
    for read in (Dataset(folder).examples, Dataset(folder).lengths, Dataset(folder).shards):
        assert "manifest.csv, line 4: the name" in refusal(read, "valid")


@pytest.mark.parametrize("lines", [1, 3, 9])
def test_a_manifest_without_its_last_lines_is_refused(folder, lines):
    rewrite(folder, lambda text: b"".join(text.splitlines(keepends=True)[:-lines]))
    fault = f"({9 - lines} recordings in the valid split instead of 9)"
    assert fault in refusal(Dataset(folder).shards, "valid")


@pytest.mark.parametrize("totals", [[], {"valid": 5}, {"valid": {}}, "words"])
def test_damaged_totals_do_not_matter(folder, totals):
    path = folder / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"totals": totals}))
    assert len(list(Dataset(folder).examples("valid"))) == 9


# Shards


def damage(folder, change, number=1):
    path = folder / f"valid-0000{number}.tfrecord"
    path.write_bytes(change(path.read_bytes()))
    return path


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda content: b"", "has 0 complete examples, manifest.csv lists 3"),
        (lambda content: content[: len(content) // 3], "has 1 complete examples"),
        (lambda content: content[: 2 * len(content) // 3], "has 2 complete examples"),
        (lambda content: content[:-1], "has 2 complete examples"),
        (lambda content: content + content[: len(content) // 3], "has 4 complete examples"),
        (lambda content: content + b"abc", "has 3 bytes after its last example"),
        (lambda content: b"words" * 999, "has 0 complete examples"),
        (lambda content: b"\0" * len(content), "complete examples, manifest.csv lists 3"),
    ],
)
def test_an_incomplete_shard_is_refused_before_anything_is_read(folder, change, fault):
    path = damage(folder, change)
    for read in (Dataset(folder).examples, Dataset(folder).shards):
        message = refusal(read, "valid")
        assert message.startswith(f"{path}: ") and fault in message
        assert "run the same wideband-prepare command again" in message
    assert fault in refusal(pipeline.patches, Dataset(folder), "valid", 500)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_missing_shard_is_refused(folder, number):
    (folder / f"valid-0000{number}.tfrecord").unlink()
    assert f"valid-0000{number}.tfrecord: is missing" in refusal(Dataset(folder).shards, "valid")


@pytest.mark.parametrize("shorter", ["d", "f", "def"])
def test_a_shard_of_a_dataset_with_other_lengths_is_refused(folder, shorter):
    examples = [
        each._replace(high=each.high[:500], low=each.low[:125]) if each.name in shorter else each
        for each in Dataset(folder).examples("valid")
    ]
    shards.write(folder / "valid-00001.tfrecord", examples[3:6])
    assert "has examples of other lengths" in refusal(Dataset(folder).shards, "valid")


def test_a_shard_with_the_names_of_another_one_is_refused_when_it_is_read(folder):
    shutil.copy(folder / "valid-00002.tfrecord", folder / "valid-00001.tfrecord")
    message = refusal(list, Dataset(folder).examples("valid"))
    assert "valid-00001.tfrecord: has 'g', which manifest.csv does not list here" in message


@pytest.mark.parametrize("place", [0.05, 0.4, 0.999])
def test_a_changed_byte_is_found_when_it_is_read(folder, place):
    def flip(content):
        position = int(place * len(content))
        return content[:position] + bytes([content[position] ^ 4]) + content[position + 1 :]

    path = damage(folder, flip)
    message = refusal(list, Dataset(folder).examples("valid"))
    assert message.startswith(f"{path}: is damaged; delete it and run the same wideband-prepare")
    dataset = Dataset(folder)
    batches = pipeline.patches(dataset, "valid", 500).repeat()
    assert refusal(list, pipeline.arrays(batches, dataset, "valid")) == message
