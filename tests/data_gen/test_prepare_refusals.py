"""wideband-prepare refuses wrong input in one line, before it writes anything."""

import importlib.util
import json
import os

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from wideband.data_gen import corpora, degrade, splits
from wideband.data_gen.__main__ import command
from wideband.data_gen.dataset import Dataset

RATE = 16000


@pytest.mark.parametrize(
    ("flag", "code", "message"),
    [
        ("--ratio=13", 1, "ratio 13 is not a whole number from 2 to 12"),
        ("--ratio=four", 1, "ratio 'four' is not a number"),
        ("--low_rate=16000", 1, "--low_rate=16000 must be below the high rate, --sample_rate=16"),
        (
            "--low_rate=1100",
            1,
            "ratio 160/11 is not a whole number from 2 to 12, or a quotient above",
        ),
        ("--low_rate=999", 2, "--low_rate=999"),
        ("--patch=0", 2, "--patch=0"),
        ("--patch=960001", 1, "patch 960001 or the numerator of the ratio 4 is longer than the"),
        ("--protocol=mp3", 1, "unknown protocol 'mp3'; choose one of decimate_spline"),
        ("--split_rule=half", 1, "unknown split rule 'half'; choose one of given"),
        ("--valid_fraction=0.95", 1, "valid and test fractions 0.95 and 0.1 should be"),
        ("--test_fraction=-1", 2, "--test_fraction=-1"),
        ("--valid_fraction=nan", 2, "--valid_fraction=nan"),
        ("--sample_rate=999", 2, "--sample_rate=999"),
        ("--sample_rate=1000000", 2, "--sample_rate=1000000"),
        ("--workers=0", 2, "--workers=0"),
        ("--mic=3", 2, "--mic=3"),
        ("--speaker_pattern=(", 1, "speaker_pattern '(' is not a regular expression"),
        ("--mic=2", 1, "--mic is for --corpus=vctk only"),
        ("--subsets=dev-clean", 1, "--subsets is for --corpus=librispeech only"),
        ("--corpus=timit", 1, "unknown corpus 'timit'; choose one of folder"),
        ("--source=/nowhere", 1, "/nowhere: no such folder"),
        ("--rtaio=4", 2, "unknown flag --rtaio"),
        ("extra", 2, "unexpected argument 'extra'"),
    ],
)
def test_a_wrong_flag_is_refused_before_anything_is_written(
    small, tmp_path, prepare_dataset, error_line, flag, code, message
):
    found, _, err = prepare_dataset(small, tmp_path / "out", flag)
    assert found == code
    assert message in error_line(err)
    assert not (tmp_path / "out").exists()


def test_a_source_in_an_object_store_needs_tensorflow_io(tmp_path, prepare_dataset, error_line):
    code, _, err = prepare_dataset("s3://voices/corpus", tmp_path / "out")
    assert code == 1
    assert "s3://voices/corpus: in an object store; add --decoder=tfio" in error_line(err)
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(importlib.util.find_spec("tensorflow_io") is not None, reason="has it")
def test_without_tensorflow_io_its_decoder_is_refused(small, tmp_path, prepare_dataset, error_line):
    code, _, err = prepare_dataset(small, tmp_path / "out", "--decoder=tfio")
    assert code == 1
    assert error_line(err) == (
        "error: tfio needs tensorflow-io 0.37.1, which is not installed; in an environment of its "
        "own, with Python 3.10 to 3.12: pip install '.[tfio]' in wideband's folder"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(tf.__version__.startswith("2.16."), reason="has the version it needs")
def test_with_another_tensorflow_the_decoder_is_refused(
    small, tmp_path, prepare_dataset, error_line, package
):
    package("tensorflow_io", "")
    code, _, err = prepare_dataset(small, tmp_path / "out", "--decoder=tfio")
    assert code == 1
    line = error_line(err)
    assert line.startswith(f"error: tfio needs TensorFlow 2.16; this is {tf.__version__}; in an ")
    assert not (tmp_path / "out").exists()


def test_a_dataset_of_the_other_decoder_is_refused(small, tmp_path, prepare_dataset):
    output = tmp_path / "out"
    assert prepare_dataset(small, output)[0] == 0
    settings = json.loads((output / "dataset.json").read_text())
    assert "decoder" not in settings
    (output / "dataset.json").write_text(json.dumps({**settings, "decoder": "tfio"}))
    code, _, err = prepare_dataset(small, output)
    assert code == 1
    assert "holds a dataset made with decoder tfio, not soundfile; choose another --output" in err


def test_help_lists_every_choice(call):
    _, out, _ = call(command, "--help")
    for name in (*corpora.NAMES, *degrade.PROTOCOLS, *splits.RULES):
        assert name in out


def test_a_missing_source_is_refused(tmp_path, call):
    code, _, err = call(command, "--corpus=folder", f"--output={tmp_path}/out")
    assert code == 2
    assert err.startswith("error: --source is missing: the folder of the corpus; see ")


def test_an_unknown_corpus_is_refused_before_a_missing_source(tmp_path, call, error_line):
    code, _, err = call(command, "--corpus=timit", f"--output={tmp_path}/out", "--mic=2")
    assert code == 1
    assert error_line(err).startswith("error: unknown corpus 'timit'; choose one of folder")


@pytest.mark.parametrize(
    ("flag", "difference"),
    [
        ("--ratio=2", "ratio 4, not 2"),
        ("--sample_rate=8000", "sample_rate 16000, not 8000"),
        ("--protocol=fft", "protocol decimate_spline, not fft"),
        ("--seed=1", "seed 0, not 1"),
        ("--patch=512", "patch 256, not 512"),
    ],
)
def test_other_settings_are_refused_and_named(prepared, corpus, prepare_dataset, flag, difference):
    before = {path.name: path.read_bytes() for path in prepared.folder.iterdir()}
    code, out, err = prepare_dataset(corpus.folder, prepared.folder, flag, corpus="manifest")
    assert (code, out) == (1, "")
    assert err == (
        f"error: {prepared.folder}: holds a dataset made with {difference}; "
        "choose another --output\n"
    )
    assert {path.name: path.read_bytes() for path in prepared.folder.iterdir()} == before


def test_a_corpus_that_changed_after_an_interrupted_run_is_refused(
    small, tmp_path, prepare_dataset, error_line
):
    output = tmp_path / "out"
    (small / "carl" / "a.wav").write_text("words")
    _, _, err = prepare_dataset(small, output, "--strict")
    assert "carl/a.wav: unreadable" in err
    (small / "carl" / "a.wav").write_text("other words")
    code, _, err = prepare_dataset(small, output, "--strict")
    assert code == 1
    assert "made with other recordings, or other sizes" in error_line(err)


def test_strict_stops_at_the_first_unfit_recording_and_names_it(corpus, tmp_path, prepare_dataset):
    output = tmp_path / "out"
    code, _, err = prepare_dataset(corpus.folder, output, "--strict", corpus="manifest")
    assert code == 1
    assert f"error: {corpus.folder}/bad/clipped.wav: clipped: 50.0 % of samples" in err
    assert not list(output.glob("*.tfrecord"))
    assert not (output / "manifest.csv").exists()


def test_a_corpus_without_fit_training_recordings_is_refused_with_the_reasons(
    small, noise, tmp_path, prepare_dataset
):
    for path in small.rglob("*.wav"):
        soundfile.write(path, np.zeros(RATE), RATE)
    soundfile.write(small / "carl" / "a.wav", noise(9), RATE)
    code, _, err = prepare_dataset(small, tmp_path / "out")
    assert code == 1
    assert "error: no recording is fit for training; left out of 3: 1 short, 2 silent" in err
    # Once repaired, the corpus can be prepared in the same folder.
    for seed, path in enumerate(sorted(small.rglob("*.wav"))):
        soundfile.write(path, noise(RATE, seed), RATE)
    code, _, err = prepare_dataset(small, tmp_path / "out")
    assert code == 0, err
    assert Dataset(tmp_path / "out").settings["left_out"] == {}


def test_a_corpus_without_a_train_split_is_refused_before_it_is_measured(
    tmp_path, prepare_dataset, error_line
):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.wav").write_text("words")
    (tmp_path / "in" / "manifest.csv").write_text("split,path,speaker\ntest,a.wav,anna\n")
    code, _, err = prepare_dataset(tmp_path / "in", tmp_path / "out", corpus="manifest")
    assert code == 1
    assert "no recording is in the train split; add some" in error_line(err)
    assert not (tmp_path / "out").exists()


def test_recordings_below_the_rate_of_the_dataset_are_left_out_with_that_rate(
    small, tmp_path, prepare_dataset, error_line
):
    code, _, err = prepare_dataset(small, tmp_path / "out", "--sample_rate=22050")
    assert code == 1
    assert "left out of 3: 3 low rate (below 22050 Hz)" in error_line(err[err.index("error: ") :])


def test_the_summary_points_to_no_reasons_if_nothing_is_left_out(small, tmp_path, prepare_dataset):
    code, out, err = prepare_dataset(small, tmp_path / "out")
    assert code == 0, err
    assert out.splitlines()[-1] == "left out: none"


def test_a_split_without_recordings_is_pointed_out(small, noise, tmp_path, prepare_dataset):
    for speaker, seed in (("dora", 4), ("egon", 5)):
        (small / speaker).mkdir()
        soundfile.write(small / speaker / "a.wav", noise(RATE, seed), RATE)
    code, out, err = prepare_dataset(small, tmp_path / "out", "--valid_fraction=0")
    assert code == 0, err
    assert "valid  no recordings; try a larger corpus or --valid_fraction" in out
    assert "test        1 recordings" in out


def test_one_or_two_speakers_are_split_by_recording_with_a_notice(small, tmp_path, prepare_dataset):
    for i in range(4):
        soundfile.write(small / "anna" / f"{i}.wav", np.zeros(RATE), RATE)
    _, out, _ = prepare_dataset(small / "anna", tmp_path / "out", "--strict")
    assert out == "Only 1 speaker(s): split by recording, so that each is in every split.\n"
    assert '"split_rule": "recording"' in (tmp_path / "out" / "dataset.json").read_text()
    # A rule that the user chose is not replaced.
    code, _, err = prepare_dataset(small / "anna", tmp_path / "out2", "--split_rule=speaker")
    assert code == 1
    assert "the rule speaker needs 3 speakers and there are 1" in err


@pytest.mark.parametrize("output", ["file/below", "file", "/proc/nothing/here"])
def test_an_output_that_cannot_be_written_is_refused(
    small, tmp_path, prepare_dataset, error_line, output
):
    (tmp_path / "file").write_text("kept")
    code, _, err = prepare_dataset(small, tmp_path / output)
    assert code == 1
    assert error_line(err).startswith(f"error: {tmp_path / output}: cannot be written: ")
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_read_only_output_is_refused(small, tmp_path, prepare_dataset):
    output = tmp_path / "out"
    output.mkdir(mode=0o500)
    code, _, err = prepare_dataset(small, output)
    assert code == 1
    assert err == (
        f"error: {output}/dataset.json: cannot be written: Permission denied; choose another path\n"
    )


def test_a_folder_with_another_dataset_json_is_refused(small, tmp_path, prepare_dataset):
    (tmp_path / "dataset.json").write_text("words")
    code, _, err = prepare_dataset(small, tmp_path)
    assert code == 1
    assert "dataset.json: not the description of a dataset" in err
    assert (tmp_path / "dataset.json").read_text() == "words"


def test_a_folder_with_another_manifest_is_refused(small, tmp_path, prepare_dataset, error_line):
    (tmp_path / "manifest.csv").write_text("words")
    code, _, err = prepare_dataset(small, tmp_path)
    assert code == 1
    assert "belongs to something else and would be overwritten" in error_line(err)
    assert (tmp_path / "manifest.csv").read_text() == "words"


def test_shards_without_a_description_are_refused(small, tmp_path, prepare_dataset, error_line):
    (tmp_path / "train-00000.tfrecord").write_text("kept")
    code, _, err = prepare_dataset(small, tmp_path)
    assert code == 1
    assert "train-00000.tfrecord: belongs to something else" in error_line(err)
    assert (tmp_path / "train-00000.tfrecord").read_text() == "kept"


@pytest.mark.parametrize("content", ["[]", "5", "null", "{", "[" * 100_000])
def test_a_damaged_description_is_refused(small, tmp_path, prepare_dataset, error_line, content):
    (tmp_path / "dataset.json").write_text(content)
    code, _, err = prepare_dataset(small, tmp_path)
    assert code == 1
    assert "dataset.json: not the description of a dataset" in error_line(err)
