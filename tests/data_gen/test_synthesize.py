"""The demo corpus: complete, deterministic, speaker- and sentence-disjoint, with real treble."""

import csv
import filecmp
import subprocess
import sys
from collections import defaultdict
from itertools import combinations, pairwise

import numpy as np
import pytest
import soundfile
from wideband.command import UserError
from wideband.data_gen import synthesize


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    synthesize.build(folder)
    return folder


@pytest.fixture(scope="module")
def rows(corpus):
    with (corpus / "manifest.csv").open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture(scope="module")
def waves(corpus, rows):
    """Each voice's recordings, end to end."""
    pieces = defaultdict(list)
    for row in rows:
        wave, sample_rate = soundfile.read(corpus / row["path"], dtype="float64")
        assert sample_rate == 22050
        pieces[row["speaker"]].append(wave)
    return {speaker: np.concatenate(parts) for speaker, parts in pieces.items()}


def pitch_hz(wave):
    """The median over some 40 ms frames of the strongest autocorrelation between 60 and 400 Hz."""
    found = []
    for frame in wave[: len(wave) // 882 * 882].reshape(-1, 882)[::20]:
        frame = frame - frame.mean()
        if frame.std() < 0.5 * wave.std():
            continue
        correlation = np.correlate(frame, frame, "full")[881:]
        lag = 55 + np.argmax(correlation[55:367])
        if correlation[lag] > 0.6 * correlation[0]:
            found.append(22050 / lag)
    return float(np.median(found))


def power_between(wave, low_hz, high_hz):
    """Part of a wave's power in a band, over Hann-windowed frames of 2048."""
    frames = wave[: len(wave) // 2048 * 2048].reshape(-1, 2048) * np.hanning(2048)
    power = (np.abs(np.fft.rfft(frames)) ** 2).sum(axis=0)
    frequency = np.fft.rfftfreq(2048, 1 / 22050)
    return power[(frequency >= low_hz) & (frequency < high_hz)].sum() / power.sum()


def test_it_is_ten_minutes_most_of_it_for_training(rows):
    seconds = defaultdict(float)
    for row in rows:
        seconds[row["split"]] += float(row["seconds"])
    assert 570 < sum(seconds.values()) < 630
    assert seconds["train"] > 420
    assert seconds["valid"] > 45
    assert seconds["test"] > 60


def test_the_manifest_states_the_length_of_each_file_and_no_file_is_missing_from_it(corpus, rows):
    for row in rows:
        assert float(row["seconds"]) == pytest.approx(
            soundfile.info(corpus / row["path"]).duration, abs=0.001
        )
    assert {row["path"] for row in rows} == {
        path.relative_to(corpus).as_posix() for path in corpus.rglob("*.wav")
    }


@pytest.mark.parametrize("column", ["speaker", "text"])
def test_no_two_splits_share_a_voice_or_a_sentence(rows, column):
    values = defaultdict(set)
    for row in rows:
        values[row["split"]].add(row[column])
    assert set(values) == {"train", "valid", "test"}
    for one, other in combinations(values.values(), 2):
        assert not one & other


def test_no_sentence_is_said_twice(rows):
    assert len({row["text"] for row in rows}) == len(rows)


def test_texts_are_plain_words(rows):
    for row in rows:
        assert row["text"].endswith(".")
        assert row["text"][:-1].replace(" ", "").isalpha()


def test_every_voice_says_numbers_and_sentences(rows):
    starts = defaultdict(set)
    for row in rows:
        starts[row["speaker"]].add(row["text"].split()[0])
    assert all(words == {"The", "Please"} for words in starts.values())


def test_no_recording_clips_or_whispers(waves):
    for speaker, wave in waves.items():
        assert 0.3 < np.abs(wave).max() < 0.97, speaker
        assert np.sqrt((wave**2).mean()) > 0.02, speaker


def test_the_voices_of_each_part_are_high_and_low(waves):
    pitch = {speaker: pitch_hz(wave) for speaker, wave in waves.items()}
    assert min(pitch.values()) < 100
    assert max(pitch.values()) > 220
    for split in ("train", "valid", "test"):
        voices = [pitch[voice.name] for voice in synthesize.VOICES if voice.split == split]
        assert max(voices) - min(voices) > 50, split


def test_the_voices_are_told_apart_by_their_spectra(waves):
    spectra = {}
    for speaker, wave in waves.items():
        edges = np.geomspace(100, 8000, 13)
        bands = [power_between(wave, *pair) for pair in pairwise(edges)]
        spectra[speaker] = 10 * np.log10(bands)
    for one, other in combinations(spectra, 2):
        assert np.abs(spectra[one] - spectra[other]).mean() > 0.5, (one, other)


def test_every_voice_has_treble_to_restore(waves):
    for speaker, wave in waves.items():
        assert power_between(wave, 4000, 8000) > 0.01, speaker
        assert power_between(wave, 8000, 11025) > 0.0005, speaker


@pytest.mark.parametrize("process", ["this one, again", "a fresh one"])
def test_building_it_again_gives_the_same_bytes(corpus, rows, tmp_path, process):
    if process == "a fresh one":
        code = (
            "import sys; from pathlib import Path; from wideband.data_gen import synthesize; "
            "synthesize.build(Path(sys.argv[1]))"
        )
        subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True)
    else:
        synthesize.build(tmp_path)
    paths = ["manifest.csv", *(row["path"] for row in rows)]
    assert filecmp.cmpfiles(corpus, tmp_path, paths, shallow=False) == (paths, [], [])


def test_the_manifest_appears_only_once_all_is_said(tmp_path):
    # A folder in the place of the last recording lets the build fail there.
    last = synthesize.VOICES[-1]
    name = f"{last.name}_{synthesize.SENTENCES_EACH[last.split]:03d}.wav"
    obstacle = tmp_path / last.split / last.name / name
    obstacle.mkdir(parents=True)
    with pytest.raises(OSError):
        synthesize.build(tmp_path)
    assert not (tmp_path / "manifest.csv").exists()
    obstacle.rmdir()
    assert synthesize.build(tmp_path).is_file()


def test_without_the_synthesiser_the_user_hears_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(UserError, match=r"pip install 'wideband\[demo\]'"):
        synthesize.build(tmp_path / "demo")
    assert not (tmp_path / "demo").exists()
