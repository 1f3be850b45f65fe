"""The command that recognizes folders and counts the errors, run as a user runs it."""

import csv
import json
import shlex
import subprocess
import sys

import numpy as np
import pytest
from wideband import audio
from wideband.data_gen import synthesize

# A recognizer of tones, by how often they cross zero.
HEAR = """
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


def tone(hz, sample_rate=16000):
    return 0.5 * np.sin(2 * np.pi * hz / sample_rate * np.arange(sample_rate // 4) + 0.1)


@pytest.fixture
def hear(tmp_path):
    (tmp_path / "hear.py").write_text(HEAR)
    return f"cmd:{shlex.join([sys.executable, str(tmp_path / 'hear.py')])}"


@pytest.fixture
def transcripts(tmp_path):
    path = tmp_path / "texts.csv"
    path.write_text("path,text\np1/a.wav,Low\np1/b.x.flac,It is high!\np2/a.wav,the middle\n")
    return path


@pytest.fixture
def folder(tmp_path):
    """A folder with a recording of each transcript, at their rates."""
    audio.write(tmp_path / "reference" / "p1" / "a.flac", tone(500), 16000)
    audio.write(tmp_path / "reference" / "p1" / "b.x.wav", tone(3000), 16000)
    audio.write(tmp_path / "reference" / "p2" / "a.wav", tone(1000), 16000)
    return tmp_path / "reference"


def wer(*flags):
    command = [sys.executable, "-m", "wideband.evaluate.wer", *map(str, flags)]
    return subprocess.run(command, capture_output=True, text=True)


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_systems_stand_side_by_side_in_the_table_and_in_the_files(
    tmp_path, folder, transcripts, hear
):
    low = tmp_path / "low"
    audio.write(low / "p1" / "a.wav", tone(500, 4000), 4000)
    audio.write(low / "p1" / "b.x.wav", tone(400, 4000), 4000)
    audio.write(low / "p2" / "a.wav", tone(1000, 4000), 4000)
    output = tmp_path / "results" / "wer.csv"
    done = wer(
        *(f"--transcripts={transcripts}", f"--recordings={folder}", f"--recordings={low}"),
        *(f"--recognizer={hear}", f"--output={output}"),
    )
    assert done.returncode == 0, done.stderr

    assert [list(row.values()) for row in rows(output)] == [
        ["reference", "p1/a.wav", "low", "low", "1", "0", "0", "0", "0.0"],
        ["reference", "p1/b.x.flac", "it is high", "it is high", "3", "0", "0", "0", "0.0"],
        ["reference", "p2/a.wav", "the middle", "middle", "2", "0", "1", "0", "0.5"],
        ["low", "p1/a.wav", "low", "low", "1", "0", "0", "0", "0.0"],
        ["low", "p1/b.x.flac", "it is high", "low", "3", "1", "2", "0", "1.0"],
        ["low", "p2/a.wav", "the middle", "middle", "2", "0", "1", "0", "0.5"],
    ]
    assert ",".join(rows(output)[0]) == (
        "system,name,reference,hypothesis,words,substitutions,deletions,insertions,wer"
    )
    summary = json.loads(output.with_suffix(".json").read_text())
    assert summary["recognizer"] == hear
    assert summary["normalization"][0].startswith("jiwer ")
    assert list(summary["systems"]) == ["reference", "low"]
    total = summary["systems"]["low"]
    assert (total["files"], total["words"], total["deletions"]) == (3, 6, 3)
    assert total["wer"] == pytest.approx(4 / 6)
    line = done.stdout.splitlines()[3]
    assert line.split() == [
        *("low", "0.667", f"[{total['low']:.3f},", f"{total['high']:.3f}]"),
        *("3", "6", "1", "3", "0"),
    ]
    assert done.stdout.splitlines()[-1] == f"recognizer: {hear}"


def test_a_datasets_manifest_gives_the_transcripts_of_a_split(tmp_path, hear):
    """Recordings of other splits, and those left out of the dataset, are passed over."""
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(
        "split,path,speaker,seconds,text,peak,rms,bandwidth_hz,reason\n"
        "train,a.wav,x,1,low,1,1,1,\n"
        "test,b.wav,x,1,middle,1,1,1,\n"
        "test,c.wav,x,1,high,1,1,1,silent\n"
    )
    for name in "abc":
        audio.write(tmp_path / "reference" / f"{name}.wav", tone(1000), 16000)
    flags = [f"--transcripts={manifest}", f"--recordings={tmp_path / 'reference'}"]
    output = tmp_path / "wer.csv"
    done = wer(*flags, "--split=test", f"--recognizer={hear}", f"--output={output}")
    assert done.returncode == 0, done.stderr
    assert [(row["name"], row["wer"]) for row in rows(output)] == [("b.wav", "0.0")]


def test_recordings_are_found_under_the_names_that_wideband_evaluate_writes(tmp_path, hear):
    """It drops .wav and keeps other suffixes: a.wav and a.flac become a.wav and a.flac.wav."""
    transcripts = tmp_path / "manifest.csv"
    transcripts.write_text("path,text\na.wav,low\na.flac,middle\nb.flac,it is high\n")
    audio.write(tmp_path / "net" / "a.wav", tone(500), 16000)
    audio.write(tmp_path / "net" / "a.flac.wav", tone(1000), 16000)
    audio.write(tmp_path / "net" / "b.flac.wav", tone(3000), 16000)
    output = tmp_path / "wer.csv"
    flags = [f"--transcripts={transcripts}", f"--recordings={tmp_path / 'net'}"]
    done = wer(*flags, f"--recognizer={hear}", f"--output={output}")
    assert done.returncode == 0, done.stderr
    assert [(row["name"], row["wer"]) for row in rows(output)] == [
        *(("a.wav", "0.0"), ("a.flac", "0.0"), ("b.flac", "0.0"))
    ]


def test_pocketsphinx_scores_synthesised_speech_with_a_grammar(tmp_path):
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
    done = wer(
        *(f"--transcripts={tmp_path / 'texts.csv'}", f"--recordings={tmp_path / 'leo'}"),
        *(f"--grammar={tmp_path / 'dial.jsgf'}", f"--output={output}"),
    )
    assert done.returncode == 0, done.stderr
    # Workers end in silence.
    assert "Error" not in done.stderr
    [row] = rows(output)
    assert row["hypothesis"] == "please dial three five nine"
    assert (row["words"], row["substitutions"], row["wer"]) == ("5", "1", "0.2")
    assert "grammar dial.jsgf" in json.loads(output.with_suffix(".json").read_text())["recognizer"]


def refused(tmp_path, transcripts, folder, recognizer, *flags):
    done = wer(
        *(f"--transcripts={transcripts}", f"--recordings={folder}"),
        *(f"--recognizer={recognizer}", f"--output={tmp_path / 'wer.csv'}", *flags),
    )
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert not (tmp_path / "wer.csv").exists() and not (tmp_path / "wer.json").exists()
    return line


def test_a_recording_without_transcript_and_the_reverse_are_named(
    tmp_path, folder, transcripts, hear
):
    (folder / "p2" / "a.wav").rename(folder / "p2" / "c.wav")
    line = refused(tmp_path, transcripts, folder, hear)
    assert "1 recordings have no transcript (p2/c)" in line
    assert "1 transcripts have no recording (p2/a.wav)" in line


def test_two_recordings_of_one_transcript_are_named(tmp_path, folder, transcripts, hear):
    audio.write(folder / "p1" / "b.x.flac.wav", tone(3000), 16000)
    line = refused(tmp_path, transcripts, folder, hear)
    assert "b.x.wav has the same transcript" in line or "b.x.flac.wav has the same" in line


def test_a_program_that_fails_names_the_recording(tmp_path, folder, transcripts, hear):
    audio.write(folder / "p1" / "b.x.wav", np.zeros(100), 16000)
    line = refused(tmp_path, transcripts, folder, hear)
    assert line == f"error: p1/b.x.flac: {hear} failed with exit code 1: it is silent"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"path,words\na,b\n", "add the missing column(s) text"),
        (b"path,text\n", "no transcripts"),
        (b"path,text\np1/a.wav,\xff\n", "not a CSV in UTF-8"),
        (b"path,text\np1/a.wav,a\n./p1/a.wav,b\n", "'p1/a.wav' is listed twice"),
        (b"path,text\np1/a.wav,a\np1/b.x.wav,\np2/a.wav,a\n", "1 transcripts have no words"),
        (b"path,text\np1/a.flac\np1/b.x.wav,a\np2/a.wav,a\n", "no words: p1/a.flac"),
        (None, "there are no such transcripts"),
    ],
)
def test_transcripts_that_cannot_be_used_are_told(tmp_path, folder, hear, content, message):
    path = tmp_path / "own.csv"
    if content is not None:
        path.write_bytes(content)
    assert message in refused(tmp_path, path, folder, hear)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--split=test"], "add the missing column(s) split"),
        (["--recordings={folder}/../reference"], "is named 'reference' too"),
        (["--recordings={folder}/none"], "there is no such folder"),
        (["--output=wer.txt"], "must end in .csv"),
        (["--grammar=a.jsgf"], "--grammar is no setting of the recognizer cmd"),
        (["--recognizer=siri"], "no recognizer 'siri'"),
        (["extra"], "'extra'"),
    ],
)
def test_flags_that_do_not_fit_are_told(tmp_path, folder, transcripts, hear, flags, message):
    flags = [flag.format(folder=folder) for flag in flags]
    assert message in refused(tmp_path, transcripts, folder, hear, *flags)
