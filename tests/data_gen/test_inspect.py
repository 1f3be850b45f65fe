"""The command that prints the facts of recordings."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from wideband.data_gen.inspect import command

RATE = 16000


@pytest.fixture
def folder(noise, tone, tmp_path):
    stereo = noise(2 * RATE).reshape(-1, 2) + 0.25
    soundfile.write(tmp_path / "stereo.wav", stereo, RATE, subtype="FLOAT")
    (tmp_path / "deep").mkdir()
    soundfile.write(tmp_path / "deep" / "tone.flac", tone(8000, 440, 8000), 8000)
    return tmp_path


def test_a_process_prints_the_facts_that_numpy_computes(folder):
    process = subprocess.run(
        [sys.executable, "-m", "wideband.data_gen.inspect", str(folder / "stereo.wav")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (process.returncode, process.stderr) == (0, "")
    header, line = process.stdout.splitlines()
    expected = "seconds Hz ch peak dB RMS dB DC clipped % bandwidth Hz"
    assert " ".join(header.split()) == expected
    wave, _ = soundfile.read(folder / "stereo.wav")
    mix = wave.mean(axis=1)
    assert line.split() == [
        str(folder / "stereo.wav"),
        "1.00",
        "16000",
        "2",
        f"{20 * np.log10(np.abs(wave).max()):.1f}",
        f"{10 * np.log10(np.mean(mix**2)):.1f}",
        f"{mix.mean():.5f}",
        "0.000",
        "8000",
    ]


def test_the_level_is_measured_below_and_above_a_cutoff(tone, tmp_path, call):
    # Longer than a block; the second tone is 20 dB below the first.
    wave = tone(12 * RATE, 1000) + 0.1 * tone(12 * RATE, 6000)
    soundfile.write(tmp_path / "a.wav", np.stack([wave, wave], axis=1), RATE, subtype="FLOAT")
    first, second = 10 * np.log10(0.5**2 / 2), 10 * np.log10(0.05**2 / 2)
    both = 10 * np.log10(0.5**2 / 2 + 0.05**2 / 2)
    for cutoff_hz, expected in (
        (4000, (first, second)),
        (7000, (both, None)),
        (9000, (both, None)),
    ):
        header, line = call(command, tmp_path / "a.wav", f"--cutoff_hz={cutoff_hz}")[1].splitlines()
        assert header.endswith("below dB  above dB")
        below, above = map(float, line.split()[9:11])
        assert below == pytest.approx(expected[0], abs=0.06)
        assert above == pytest.approx(expected[1], abs=0.06) if expected[1] else above < -80


def test_the_level_of_a_constant_is_its_amplitude(tmp_path, call):
    soundfile.write(tmp_path / "a.wav", np.full(RATE, 0.25), RATE, subtype="FLOAT")
    _, line = call(command, tmp_path / "a.wav", "--cutoff_hz=100")[1].splitlines()
    assert line.split()[9] == f"{20 * np.log10(0.25):.1f}"


def test_columns_are_aligned_with_their_names(folder, call):
    header, *lines = call(command, folder, "--cutoff_hz=2000")[1].splitlines()
    assert len(lines) == 2
    names = ("seconds", "Hz", "ch", "peak dB", "RMS dB", "DC", "clipped %", "bandwidth Hz")
    for name in (*names, "below dB", "above dB"):
        end = header.index(f" {name}") + len(name) + 1
        for line in lines:
            # Columns are right-aligned: a digit is here, and then a space or the end.
            assert line[end - 1].isdigit()
            assert line[end : end + 1] in ("", " ")


def test_folders_are_searched_and_no_file_is_listed_twice(folder, call):
    _, out, _ = call(command, folder, folder / "stereo.wav", folder / "deep")
    names = [line.split()[0] for line in out.splitlines()[1:]]
    assert names == [str(folder / "deep" / "tone.flac"), str(folder / "stereo.wav")]


def test_a_bad_file_has_a_line_and_the_others_are_still_printed(folder, call):
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("words")
    nan = np.full(RATE, 0.1)
    nan[3] = np.nan
    soundfile.write(folder / "nan.wav", nan, RATE, subtype="FLOAT")
    soundfile.write(folder / "none.wav", np.zeros(0), RATE)
    names = ("empty", "text", "nan", "none", "gone", "stereo")
    code, out, err = call(command, *(folder / f"{name}.wav" for name in names))
    assert (code, err) == (1, "error: 3 of 6 recordings could not be read; see their lines\n")
    lines = dict(zip(names, out.splitlines()[1:], strict=True))
    assert lines["empty"].endswith("the file is empty")
    assert "not readable as audio" in lines["text"]
    assert lines["nan"].endswith("not finite: holds NaN or infinity")
    assert lines["none"].endswith("short: 0 samples, a patch has 1")
    assert lines["gone"].endswith("there is no such file")
    assert lines["stereo"].endswith("8000")


def test_what_a_folder_leaves_out_has_a_line_too(folder, call):
    (folder / "deep" / "b.m4a").write_bytes(b"x")
    (folder / "circle").symlink_to(folder)
    (folder / "nothing.wav").symlink_to(folder / "gone.wav")
    code, out, err = call(command, folder, f"--spectrogram={folder}/many")
    assert (code, err) == (1, "error: 3 of 5 recordings could not be read; see their lines\n")
    lines = {line.split()[0]: line for line in out.splitlines()[1:]}
    assert "convert it: ffmpeg -i" in lines[str(folder / "deep" / "b.m4a")]
    assert "searched already" in lines[str(folder / "circle")]
    assert "a link to nothing" in lines[str(folder / "nothing.wav")]


def test_links_in_circles_are_reported(tmp_path, call):
    (tmp_path / "a.wav").symlink_to(tmp_path / "a.wav")
    code, out, _ = call(command, tmp_path / "a.wav", f"--spectrogram={tmp_path}/many")
    assert code == 1
    assert "Too many levels of symbolic links" in out


def test_names_with_control_characters_or_not_in_utf_8_are_escaped(folder, call):
    strange = Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9\n.wav"))
    (folder / "stereo.wav").rename(strange)
    code, out, _ = call(command, folder / "deep", strange)
    assert code == 0
    assert len(out.splitlines()) == 3
    assert out.splitlines()[2].endswith("0.000          8000")


@pytest.mark.parametrize(
    ("arguments", "expected", "message"),
    [
        ([], 2, "error: name recordings, or folders with recordings"),
        (["{empty}"], 1, "error: {empty}: no recordings here"),
        (["--spectrogram=a.png", "a.wav", "b.wav"], 1, "error: --spectrogram=a.png is one picture"),
    ],
)
def test_a_wrong_command_line_is_refused_in_one_line(
    tmp_path, monkeypatch, call, error_line, arguments, expected, message
):
    monkeypatch.chdir(tmp_path)
    code, _, err = call(command, *(each.format(empty=tmp_path) for each in arguments))
    assert code == expected
    assert error_line(err).startswith(message.format(empty=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_spectrograms_are_saved_as_a_picture_or_in_a_folder(folder, call):
    assert call(command, folder / "stereo.wav", f"--spectrogram={folder}/one.png")[0] == 0
    assert call(command, folder, f"--spectrogram={folder}/many")[0] == 0
    for name in ("one.png", "many/stereo.wav.png", "many/deep/tone.flac.png"):
        with Image.open(folder / name) as picture:
            assert picture.format == "PNG"
            assert min(picture.size) > 300
    assert len(list((folder / "many").rglob("*"))) == 3
