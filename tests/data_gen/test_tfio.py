"""Recordings through tensorflow-io, compared with libsndfile: files and an object store.

`make test-tfio` runs these tests in an environment with TensorFlow 2.16; others skip them.
"""

import io
import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from wideband import audio
from wideband.command import UserError
from wideband.data_gen import corpora, tfio
from wideband.data_gen.dataset import Dataset

pytest.importorskip("tensorflow_io", reason="needs the extra tfio")

RATE = 24000


def content(form, subtype, wave):
    """Returns the bytes of a recording."""
    file = io.BytesIO()
    soundfile.write(file, wave, RATE, format=form, subtype=subtype)
    return file.getvalue()


@pytest.fixture(scope="module")
def stereo(noise):
    return noise(2 * RATE).reshape(-1, 2)


def decoded(*paths):
    return list(tfio.decode(paths))


# samples


@pytest.mark.parametrize(
    ("form", "subtype"),
    [
        *(("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("FLAC", "PCM_S8")),
        *(("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "PCM_U8"), ("WAV", "FLOAT")),
        *(("WAVEX", "PCM_16"), ("WAVEX", "PCM_24"), ("WAVEX", "FLOAT")),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_samples_are_those_of_libsndfile(form, subtype, channels, stereo, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(content(form, subtype, stereo[:, :channels]))
    ((wave, sample_rate),) = decoded(path)
    expected, _ = audio.read(path)
    assert (wave.dtype, sample_rate) == (np.float32, RATE)
    np.testing.assert_array_equal(wave, expected)


@pytest.mark.parametrize(("form", "subtype"), [("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS")])
@pytest.mark.parametrize("channels", [1, 2])
def test_lossy_codecs_agree_without_a_delay(form, subtype, channels, stereo, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(content(form, subtype, stereo[:, :channels]))
    ((wave, sample_rate),) = decoded(path)
    expected, _ = audio.read(path)
    assert (wave.dtype, sample_rate) == (np.float32, RATE)
    np.testing.assert_allclose(wave, expected, rtol=0, atol=2e-6)


def test_a_tag_in_front_is_skipped(stereo, tmp_path):
    path = tmp_path / "a.flac"
    path.write_bytes(b"ID3\3\0\0\0\0\2\1" + bytes(257) + content("FLAC", "PCM_16", stereo))
    ((wave, _),) = decoded(path)
    assert wave.shape == stereo.shape


# what cannot be used


def cut(recording):
    return recording[: len(recording) // 2]


def damage(recording):
    return recording[: len(recording) // 2] + bytes(300) + recording[len(recording) // 2 + 300 :]


def without_length(recording):
    place = recording.index(b"data") + 4
    return recording[:place] + bytes(4) + recording[place + 4 :]


@pytest.mark.parametrize(
    ("form", "subtype", "change", "reason"),
    [
        ("FLAC", "PCM_16", cut, "unable to read at"),
        ("FLAC", "PCM_16", damage, "unable to read at"),
        ("WAV", "PCM_16", cut, "breaks off: it has 4"),
        ("MP3", "MPEG_LAYER_III", cut, "breaks off: it has 4"),
        ("OGG", "VORBIS", cut, "breaks off: its last page is missing"),
        ("OGG", "VORBIS", damage, "read failed"),
        ("WAV", "PCM_16", without_length, "its header does not say its length; use the decoder"),
        ("WAV", "PCM_32", bytes, "WAV with PCM_32: tensorflow-io decodes FLAC, MP3, Ogg Vorbis"),
        ("OGG", "OPUS", bytes, "OGG with OPUS: tensorflow-io decodes"),
        ("AIFF", "PCM_16", bytes, "AIFF with PCM_16: tensorflow-io decodes"),
        ("WAV", "PCM_16", lambda _: b"words", "not readable as audio (Format not recognised)"),
        ("WAV", "PCM_16", lambda _: b"", "not readable as audio"),
    ],
)
def test_what_cannot_be_decoded_has_a_reason(form, subtype, change, reason, noise, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(change(content(form, subtype, noise(48000))))
    (error,) = decoded(path)
    assert isinstance(error, UserError)
    assert str(error).startswith(reason)
    assert "\n" not in str(error) and "{{" not in str(error)


def test_an_error_does_not_end_the_recordings_behind_it(stereo, tmp_path):
    paths = [tmp_path / f"{number}.wav" for number in range(4)]
    for number in (0, 2, 3):
        soundfile.write(paths[number], stereo[: 1000 * (number + 1)], RATE)
    found = decoded(*paths)
    assert str(found[1]).endswith("No such file or directory")
    assert [len(found[number][0]) for number in (0, 2, 3)] == [1000, 3000, 4000]


def test_the_dataset_of_waves_is_one_for_tf_data(stereo, tmp_path):
    paths = [tmp_path / "a.wav", tmp_path / "none.flac", tmp_path / "b.flac"]
    for path in (paths[0], paths[2]):
        soundfile.write(path, stereo, RATE)
    found = list(tfio.waves(paths).ignore_errors().as_numpy_iterator())
    assert len(found) == 2
    for wave, sample_rate in found:
        assert sample_rate == RATE
        np.testing.assert_allclose(wave, stereo, atol=1 / 32768)


# wideband-prepare


@pytest.fixture(scope="module")
def by_tfio(corpus, tmp_path_factory):
    """The dataset of the test corpus, made with --decoder=tfio."""
    return prepare(corpus.folder, tmp_path_factory.mktemp("tfio"))


def prepare(source, output, corpus="manifest", code=0, **environment):
    """Runs wideband-prepare in a process; returns the dataset, or the last line of an error."""
    flags = [f"--corpus={corpus}", f"--source={source}", f"--output={output}", "--decoder=tfio"]
    done = subprocess.run(
        [sys.executable, "-m", "wideband.data_gen", *flags, "--workers=1"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1] if code else Dataset(output)


def examples(dataset, split):
    return {(each.name, each.start_seconds): each for each in dataset.examples(split)}


def test_a_dataset_has_the_waves_that_libsndfile_reads(prepared, by_tfio):
    assert by_tfio.settings["decoder"] == "tfio"
    expected = Dataset(prepared.folder)
    assert by_tfio.totals == expected.totals
    assert by_tfio.left_out.keys() == expected.left_out.keys()
    for split in corpora.SPLITS:
        found, other = examples(by_tfio, split), examples(expected, split)
        assert list(found) == list(other)
        for key, each in found.items():
            atol = 1 / 32768 if key[0].endswith(".mp3") else 0
            np.testing.assert_allclose(each.high, other[key].high, rtol=0, atol=atol)
            assert each.text == other[key].text


def test_left_out_recordings_have_the_reasons_of_libsndfile(prepared, by_tfio):
    for name, reason in Dataset(prepared.folder).left_out.items():
        if not reason.startswith("unreadable"):
            assert by_tfio.left_out[name] == reason
    assert by_tfio.left_out["bad/text.wav"].startswith("unreadable: not readable as audio")


def test_a_dataset_of_the_other_decoder_is_refused(prepared, corpus):
    line = prepare(corpus.folder, prepared.folder, code=1)
    assert "holds a dataset made with decoder soundfile, not tfio; choose another" in line


# an object store


def test_a_corpus_in_an_object_store_makes_the_same_dataset(store, by_tfio, tmp_path):
    dataset = prepare("s3://voices/corpus/", tmp_path / "out", **store)
    assert dataset.identity == by_tfio.identity
    for path in by_tfio.folder.glob("*.tfrecord"):
        assert (dataset.folder / path.name).read_bytes() == path.read_bytes()
    assert prepare("s3://voices/corpus", dataset.folder, **store).totals == dataset.totals


def test_a_folder_of_an_object_store_is_searched(store, corpus, tmp_path):
    dataset = prepare("s3://voices/corpus", tmp_path / "out", "folder", **store)
    kept = [each for split in corpora.SPLITS for each in dataset.examples(split)]
    assert {*dataset.left_out, *(each.name for each in kept)} == {*corpus.entries, "anna/take.m4a"}
    assert dataset.left_out["anna/take.m4a"] == "not read: convert it to flac or wav"
    assert {each.speaker for each in kept} == {"anna", "beth", "carl"}


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("s3://nowhere/corpus", "folder", "s3://nowhere/corpus: cannot be read ("),
        ("s3://voices/nowhere.csv", "manifest", "s3://voices/nowhere.csv: cannot be read ("),
        ("xy://voices", "folder", "xy://voices: cannot be read ("),
        ("s3://voices", "vctk", "only the corpora folder and manifest are read; copy the corpus"),
    ],
)
def test_what_is_not_in_a_store_is_refused_in_one_line(store, source, kind, message, tmp_path):
    line = prepare(source, tmp_path / "out", kind, code=1, **store)
    assert line.startswith("error: ") and message in line
    assert not (tmp_path / "out").exists()
