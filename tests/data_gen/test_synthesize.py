"""The demo corpus: complete, deterministic, with disjoint splits and a full high band."""

import filecmp
import sys
from collections import defaultdict
from itertools import combinations, pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from wideband.command import UserError
from wideband.data_gen import synthesize


@pytest.fixture(scope="module")
def sentences(demo, rows):
    """The rows of the manifest."""
    return rows(demo / "manifest.csv")


@pytest.fixture(scope="module")
def waves(demo, sentences):
    """The recordings of each voice, joined."""
    pieces = defaultdict(list)
    for row in sentences:
        wave, sample_rate = soundfile.read(demo / row["path"], dtype="float64")
        assert sample_rate == 22050
        pieces[row["speaker"]].append(wave)
    return {speaker: np.concatenate(parts) for speaker, parts in pieces.items()}


def pitch_hz(wave):
    """Median over some 40 ms frames of the strongest autocorrelation between 60 and 400 Hz."""
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
    """Share of a wave's power in a band, over Hann-windowed frames of 2048."""
    frames = wave[: len(wave) // 2048 * 2048].reshape(-1, 2048) * np.hanning(2048)
    power = (np.abs(np.fft.rfft(frames)) ** 2).sum(axis=0)
    frequency = np.fft.rfftfreq(2048, 1 / 22050)
    return power[(frequency >= low_hz) & (frequency < high_hz)].sum() / power.sum()


def test_the_corpus_has_ten_minutes_mostly_for_training(sentences):
    seconds = defaultdict(float)
    for row in sentences:
        seconds[row["split"]] += float(row["seconds"])
    assert 570 < sum(seconds.values()) < 630
    assert seconds["train"] > 420
    assert seconds["valid"] > 45
    assert seconds["test"] > 60


def test_the_manifest_lists_every_file_with_its_duration(demo, sentences):
    for row in sentences:
        assert float(row["seconds"]) == pytest.approx(
            soundfile.info(demo / row["path"]).duration, abs=0.001
        )
    assert {row["path"] for row in sentences} == {
        path.relative_to(demo).as_posix() for path in demo.rglob("*.wav")
    }


@pytest.mark.parametrize("column", ["speaker", "text"])
def test_no_two_splits_share_a_voice_or_a_sentence(sentences, column):
    values = defaultdict(set)
    for row in sentences:
        values[row["split"]].add(row[column])
    assert set(values) == {"train", "valid", "test"}
    for one, other in combinations(values.values(), 2):
        assert not one & other


def test_no_sentence_is_said_twice(sentences):
    assert len({row["text"] for row in sentences}) == len(sentences)


def test_texts_are_plain_words(sentences):
    for row in sentences:
        assert row["text"].endswith(".")
        assert row["text"][:-1].replace(" ", "").isalpha()


def test_every_voice_says_numbers_and_sentences(sentences):
    starts = defaultdict(set)
    for row in sentences:
        starts[row["speaker"]].add(row["text"].split()[0])
    assert all(words == {"The", "Please"} for words in starts.values())


def test_no_recording_is_clipped_or_faint(waves):
    for speaker, wave in waves.items():
        assert 0.3 < np.abs(wave).max() < 0.97, speaker
        assert np.sqrt((wave**2).mean()) > 0.02, speaker


def test_each_split_has_high_and_low_voices(waves):
    pitch = {speaker: pitch_hz(wave) for speaker, wave in waves.items()}
    assert min(pitch.values()) < 100
    assert max(pitch.values()) > 220
    for split in ("train", "valid", "test"):
        voices = [pitch[voice.name] for voice in synthesize.VOICES if voice.split == split]
        assert max(voices) - min(voices) > 50, split


def test_the_voices_differ_in_their_spectra(waves):
    spectra = {}
    for speaker, wave in waves.items():
        edges = np.geomspace(100, 8000, 13)
        bands = [power_between(wave, *pair) for pair in pairwise(edges)]
        spectra[speaker] = 10 * np.log10(bands)
    for one, other in combinations(spectra, 2):
        assert np.abs(spectra[one] - spectra[other]).mean() > 0.5, (one, other)


def test_every_voice_fills_the_high_band(waves):
    for speaker, wave in waves.items():
        assert power_between(wave, 4000, 8000) > 0.01, speaker
        assert power_between(wave, 8000, 11025) > 0.0005, speaker


def test_a_build_in_another_process_has_the_same_bytes(demo, sentences, build_demo, tmp_path):
    build_demo(tmp_path)
    paths = ["manifest.csv", *(row["path"] for row in sentences)]
    assert filecmp.cmpfiles(demo, tmp_path, paths, shallow=False) == (paths, [], [])


def test_the_manifest_appears_only_when_all_recordings_are_there(tmp_path, monkeypatch):
    monkeypatch.setattr(synthesize, "VOICES", synthesize.VOICES[-1:])
    monkeypatch.setattr(synthesize, "SENTENCES_EACH", {"test": 2})
    # A folder at the path of the last recording makes the build fail there.
    obstacle = tmp_path / "test" / "leo" / "leo_002.wav"
    obstacle.mkdir(parents=True)
    with pytest.raises(UserError, match=r"leo_002\.wav: is a folder"):
        synthesize.build(tmp_path)
    assert (tmp_path / "test" / "leo" / "leo_001.wav").is_file()
    assert not (tmp_path / "manifest.csv").exists()
    obstacle.rmdir()
    assert synthesize.build(tmp_path).is_file()


def test_a_missing_synthesiser_is_reported_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(UserError, match=r"pip install '.\[demo\]'"):
        synthesize.build(tmp_path / "demo")
    assert not (tmp_path / "demo").exists()


def test_a_synthesiser_that_cannot_be_loaded_is_reported_with_what_to_do(tmp_path, monkeypatch):
    library = tmp_path / "libespeak-ng.so"
    library.write_text("words")
    loader = SimpleNamespace(get_library_path=lambda: str(library))
    monkeypatch.setitem(sys.modules, "espeakng_loader", loader)
    with pytest.raises(UserError, match=r"cannot be loaded .*; install it anew") as caught:
        synthesize.build(tmp_path / "demo")
    assert "\n" not in str(caught.value)
