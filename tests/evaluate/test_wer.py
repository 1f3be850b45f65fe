"""Word error rates of folders of recordings, through the command."""

import json
import shlex
import sys

import numpy as np
import pytest
from wideband import audio
from wideband.data_gen import synthesize
from wideband.evaluate import wer

# A recognizer of tones that counts their zero crossings.
RECOGNIZE = """
import array, sys, wave
with wave.open(sys.argv[1]) as file:
    assert file.getframerate() == 16000
    samples = array.array("h", file.readframes(file.getnframes()))
if not any(samples):
    sys.exit("it is silent")
crossings = sum((a < 0) != (b < 0) for a, b in zip(samples, samples[1:]))
hz = crossings / 2 / len(samples) * 16000
print("Low." if hz < 700 else "MIDDLE" if hz < 2000 else "it's\\nhigh")
"""


@pytest.fixture
def recognizer(tmp_path):
    (tmp_path / "recognize.py").write_text(RECOGNIZE)
    return f"cmd:{shlex.join([sys.executable, str(tmp_path / 'recognize.py')])}"


@pytest.fixture
def record(tone):
    """Returns a function that writes a quarter of a second of a tone."""

    def record(path, hz, sample_rate=16000):
        audio.write(path, tone(sample_rate // 4, hz, sample_rate), sample_rate)

    return record


@pytest.fixture
def transcripts(tmp_path):
    path = tmp_path / "texts.csv"
    path.write_text("path,text\np1/a.wav,Low\np1/b.x.flac,It is high!\np2/a.wav,the middle\n")
    return path


@pytest.fixture
def folder(tmp_path, record):
    """A folder with a recording of each transcript."""
    record(tmp_path / "reference" / "p1" / "a.flac", 500)
    record(tmp_path / "reference" / "p1" / "b.x.wav", 3000)
    record(tmp_path / "reference" / "p2" / "a.wav", 1000)
    return tmp_path / "reference"


def test_systems_appear_side_by_side_in_the_table_and_in_the_files(
    tmp_path, folder, transcripts, recognizer, record, call, rows
):
    low = tmp_path / "low"
    record(low / "p1" / "a.wav", 500, 4000)
    record(low / "p1" / "b.x.wav", 400, 4000)
    record(low / "p2" / "a.wav", 1000, 4000)
    output = tmp_path / "results" / "wer.csv"
    flags = [f"--transcripts={transcripts}", f"--recordings={folder}", f"--recordings={low}"]
    flags += [f"--recognizer={recognizer}", f"--output={output}"]
    code, out, err = call(wer.command, *flags)
    assert code == 0, err

    zero = ["0", "0", "0"]
    high, middle, low = "it is high", "the middle", "low"
    assert [list(row.values()) for row in rows(output)] == [
        ["reference", "p1/a.wav", low, low, "1", *zero, "3", "0", "0.0", "0.0"],
        ["reference", "p1/b.x.flac", high, high, "3", *zero, "10", "0", "0.0", "0.0"],
        ["reference", "p2/a.wav", middle, "middle", "2", "0", "1", "0", "10", "4", "0.5", "0.4"],
        ["low", "p1/a.wav", low, low, "1", *zero, "3", "0", "0.0", "0.0"],
        ["low", "p1/b.x.flac", high, low, "3", "1", "2", "0", "10", "10", "1.0", "1.0"],
        ["low", "p2/a.wav", middle, "middle", "2", "0", "1", "0", "10", "4", "0.5", "0.4"],
    ]
    assert ",".join(rows(output)[0]) == (
        "system,name,reference,hypothesis,words,substitutions,deletions,insertions,"
        "characters,character_errors,wer,cer"
    )
    summary = json.loads(output.with_suffix(".json").read_text())
    assert summary["recognizer"] == recognizer
    assert summary["normalization"][0].startswith("jiwer ")
    assert list(summary["systems"]) == ["reference", "low"]
    total = summary["systems"]["low"]
    assert (total["files"], total["words"], total["deletions"]) == (3, 6, 3)
    assert total["wer"] == pytest.approx(4 / 6)
    line = " ".join(out.splitlines()[3].split())
    wer_cell = f"0.667 [{total['low']:.3f}, {total['high']:.3f}]"
    cer_cell = f"{14 / 23:.3f} [{total['cer_low']:.3f}, {total['cer_high']:.3f}]"
    assert line == f"low {wer_cell} {cer_cell} 3 6 1 3 0"
    [difference] = summary["differences"]
    assert (difference["first"], difference["second"]) == ("reference", "low")
    assert difference["wer"]["rate"] == pytest.approx(3 / 6)
    assert "low - reference" in out and f"+0.500 [{difference['wer']['low']:+.3f}, " in out
    assert "too few files to tell" in out
    assert out.splitlines()[-1] == f"recognizer: {recognizer}"


def test_the_manifest_of_a_dataset_has_the_transcripts_of_a_split(
    tmp_path, recognizer, record, call, rows
):
    """Recordings of other splits and those left out of the dataset are ignored."""
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(
        "split,path,speaker,seconds,text,peak,rms,bandwidth_hz,reason\n"
        "train,a.wav,x,1,low,1,1,1,\n"
        "test,b.wav,x,1,middle,1,1,1,\n"
        "test,c.wav,x,1,high,1,1,1,silent\n"
    )
    for name in "abc":
        record(tmp_path / "reference" / f"{name}.wav", 1000)
    flags = [f"--transcripts={manifest}", f"--recordings={tmp_path / 'reference'}", "--split=test"]
    output = tmp_path / "wer.csv"
    code, _, err = call(wer.command, *flags, f"--recognizer={recognizer}", f"--output={output}")
    assert code == 0, err
    assert [(row["name"], row["wer"]) for row in rows(output)] == [("b.wav", "0.0")]


def test_recordings_are_found_under_the_names_that_wideband_evaluate_writes(
    tmp_path, recognizer, record, call, rows
):
    """It drops .wav and keeps other suffixes: a.wav and a.flac become a.wav and a.flac.wav."""
    transcripts = tmp_path / "manifest.csv"
    transcripts.write_text("path,text\na.wav,low\na.flac,middle\nb.flac,it is high\n")
    record(tmp_path / "net" / "a.wav", 500)
    record(tmp_path / "net" / "a.flac.wav", 1000)
    record(tmp_path / "net" / "b.flac.wav", 3000)
    output = tmp_path / "wer.csv"
    flags = [f"--transcripts={transcripts}", f"--recordings={tmp_path / 'net'}"]
    code, _, err = call(wer.command, *flags, f"--recognizer={recognizer}", f"--output={output}")
    assert code == 0, err
    found = {row["name"]: row["wer"] for row in rows(output)}
    assert found == {"a.wav": "0.0", "a.flac": "0.0", "b.flac": "0.0"}


def test_pocketsphinx_scores_synthesised_speech_with_a_grammar(tmp_path, call, rows):
    voice = next(voice for voice in synthesize.VOICES if voice.name == "leo")
    with synthesize.start_espeak() as speak:
        wave, sample_rate = speak(voice, "Please dial three five nine.")
    assert sample_rate != 16000
    audio.write(tmp_path / "leo" / "a.wav", wave, sample_rate)
    (tmp_path / "texts.csv").write_text("path,text\na.wav,Please dial three five eight.\n")
    (tmp_path / "dial.jsgf").write_text(
        "#JSGF V1.0;\ngrammar dial;\npublic <dial> = please dial (three | five | nine)+;\n"
    )
    output = tmp_path / "wer.csv"
    flags = [f"--transcripts={tmp_path / 'texts.csv'}", f"--recordings={tmp_path / 'leo'}"]
    flags += [f"--grammar={tmp_path / 'dial.jsgf'}", f"--output={output}"]
    code, _, err = call(wer.command, *flags)
    assert code == 0, err
    [row] = rows(output)
    assert row["hypothesis"] == "please dial three five nine"
    assert (row["words"], row["substitutions"], row["wer"]) == ("5", "1", "0.2")
    assert "grammar dial.jsgf" in json.loads(output.with_suffix(".json").read_text())["recognizer"]


@pytest.fixture
def score(tmp_path, transcripts, folder, recognizer, call):
    """Returns a function that runs the command on the folder: (exit code, output, error)."""

    def score(*flags):
        usual = [f"--transcripts={transcripts}", f"--recordings={folder}"]
        usual += [f"--recognizer={recognizer}", f"--output={tmp_path / 'wer.csv'}"]
        return call(wer.command, *usual, *flags)

    return score


@pytest.fixture
def leave_out(tmp_path, score, rows, error_line):
    """Returns a function that checks that only some recordings are scored: name -> reason."""

    def leave_out(*flags):
        code, out, err = score(*flags)
        assert code == 1
        left_out = json.loads((tmp_path / "wer.json").read_text())["left_out"]
        assert f"{len(left_out)} left out, " in error_line(err)
        assert all(name in out and reason in out for name, reason in left_out.items())
        found = [row["name"] for row in rows(tmp_path / "wer.csv")]
        assert found and not {*found} & {*left_out}
        return left_out

    return leave_out


def test_a_recording_without_transcript_and_the_reverse_are_left_out(folder, leave_out):
    (folder / "p2" / "a.wav").rename(folder / "p2" / "c.wav")
    left_out = leave_out()
    assert list(left_out) == ["p2/a.wav", "p2/c"]
    assert "has no recording in" in left_out["p2/a.wav"]
    assert "has no transcript in" in left_out["p2/c"]


def test_two_recordings_of_one_transcript_are_left_out(folder, record, leave_out):
    record(folder / "p1" / "b.x.flac.wav", 3000)
    left_out = leave_out()
    assert list(left_out) == ["p1/b.x.flac"]
    assert "has the same transcript" in left_out["p1/b.x.flac"]


def test_a_recording_that_cannot_be_recognized_is_left_out(folder, recognizer, leave_out):
    audio.write(folder / "p1" / "b.x.wav", np.zeros(100), 16000)
    expected = f"{recognizer} failed with exit code 1: it is silent"
    assert leave_out() == {"p1/b.x.flac": expected}


def test_a_recording_that_cannot_be_read_is_left_out_for_all_systems(
    tmp_path, folder, record, leave_out, rows
):
    (folder / "p1" / "b.x.wav").write_bytes(b"no audio")
    record(tmp_path / "low" / "p1" / "a.wav", 500)
    record(tmp_path / "low" / "p1" / "b.x.wav", 500)
    (tmp_path / "low" / "p2").mkdir()
    (tmp_path / "low" / "p2" / "a.m4a").touch()
    left_out = leave_out(f"--recordings={tmp_path / 'low'}")
    assert list(left_out) == ["p2/a.wav", "p1/b.x.flac"]
    assert "ffmpeg" in left_out["p2/a.wav"]
    assert left_out["p1/b.x.flac"].startswith("reference: ")
    scored = [(row["system"], row["name"]) for row in rows(tmp_path / "wer.csv")]
    assert scored == [("reference", "p1/a.wav"), ("low", "p1/a.wav")]


def test_a_transcript_without_words_is_left_out(transcripts, leave_out):
    transcripts.write_text("path,text\np1/a.wav,a\np1/b.x.wav,\np2/a.wav,...\n")
    assert list(leave_out()) == ["p1/b.x.wav", "p2/a.wav"]


def test_transcripts_may_come_from_a_spreadsheet(transcripts, score, rows, tmp_path):
    """With a byte order mark, cells in quotes or too many, and lines that end with CR and LF."""
    text = 'path,text,note\np1/a.wav,"low",x\np1/b.x.wav,"it\'s high"\np2/a.wav,middle,y,z\n'
    transcripts.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    code, _, err = score()
    assert code == 0, err
    assert {row["wer"] for row in rows(tmp_path / "wer.csv")} == {"0.0"}


@pytest.fixture
def refused(tmp_path, score, error_line):
    """Returns a function that checks that flags are refused, and returns the line of error."""

    def refused(*flags):
        code, _, err = score(*flags)
        assert code in (1, 2)
        assert not (tmp_path / "wer.csv").exists() and not (tmp_path / "wer.json").exists()
        return error_line(err)

    return refused


def test_nothing_is_written_if_nothing_can_be_recognized(tmp_path, folder, record, refused):
    for path in folder.rglob("*.*"):
        audio.write(path, np.zeros(100), 16000)
    assert "nothing is left to measure: 3 left out, the first: p1/a.wav: cmd:" in refused()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"path,words\na,b\n", "add the missing column(s) text"),
        (b"path,text\n", "no transcripts"),
        (b"", "add the missing column(s) path, text"),
        (b"path,text\np1/a.wav,\xff\n", "not a CSV file in UTF-8"),
        (b"path,text\np1/a.wav,a\n./p1/a.wav,b\n", "own.csv, line 3: 'p1/a.wav' is listed twice"),
        (b"path,text\np1/a.flac\np1/b.x.wav\np2/a.wav,\n", "has no words"),
        (b"path,text\nx,a\n", "nothing is left to measure: 4 left out"),
        (None, "there are no such transcripts"),
    ],
)
def test_transcripts_that_cannot_be_used_are_refused(tmp_path, refused, content, message):
    path = tmp_path / "own.csv"
    if content is not None:
        path.write_bytes(content)
    assert message in refused(f"--transcripts={path}")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--split=test"], "add the missing column(s) split"),
        (["--recordings={folder}/../reference"], "is named 'reference' too"),
        (["--recordings={folder}/none"], "there is no such folder"),
        (["--output=wer.txt"], "must end in .csv"),
        (["--seed=-1"], "from 0"),
        (["--timeout_seconds=1e300"], "to 86400"),
        (["--grammar=a.jsgf"], "--grammar does not apply to the recognizer cmd"),
        (["--recognizer=siri"], "unknown recognizer 'siri'"),
    ],
)
def test_flags_that_do_not_fit_are_refused(folder, refused, flags, message):
    assert message in refused(*(flag.format(folder=folder) for flag in flags))
