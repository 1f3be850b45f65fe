"""The command that prints the facts of recordings."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile
from PIL import Image
from wideband.audio import measure, spectrogram

RATE = 16000


def inspect(*arguments, cwd=None):
    return subprocess.run(
        [sys.executable, "-m", "wideband.data_gen.inspect", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
    )


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    noise = 0.1 * rng.standard_normal((RATE, 2)) + 0.25
    soundfile.write(tmp_path / "stereo.wav", noise, RATE, subtype="FLOAT")
    (tmp_path / "deep").mkdir()
    soundfile.write(tmp_path / "deep" / "tone.flac", 0.5 * np.sin(0.3 * np.arange(8000)), 8000)
    return tmp_path


def test_a_line_tells_what_numpy_tells(folder):
    result = inspect(folder / "stereo.wav")
    assert (result.returncode, result.stderr) == (0, "")
    header, line = result.stdout.splitlines()
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


def test_the_columns_stand_below_their_names(folder):
    header, *lines = inspect(folder).stdout.splitlines()
    assert len(lines) == 2
    for name in ("seconds", "Hz", "ch", "peak dB", "RMS dB", "DC", "clipped %", "bandwidth Hz"):
        end = header.index(f" {name}") + len(name) + 1
        for line in lines:
            # Figures are aligned to the right: a digit ends here, and a gap or the end follows.
            assert line[end - 1].isdigit()
            assert line[end : end + 1] in ("", " ")


def test_folders_are_searched_and_no_file_stands_twice(folder):
    result = inspect(folder, folder / "stereo.wav", folder / "deep")
    names = [line.split()[0] for line in result.stdout.splitlines()[1:]]
    assert names == [str(folder / "deep" / "tone.flac"), str(folder / "stereo.wav")]


def test_bad_files_get_their_line_and_the_others_are_still_printed(folder):
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("words")
    nan = np.full(RATE, 0.1)
    nan[3] = np.nan
    soundfile.write(folder / "nan.wav", nan, RATE, subtype="FLOAT")
    soundfile.write(folder / "none.wav", np.zeros(0), RATE)
    result = inspect(
        *(folder / name for name in ("empty.wav", "text.wav", "nan.wav", "none.wav")),
        folder / "gone.wav",
        folder / "stereo.wav",
    )
    assert result.returncode == 1
    assert result.stderr == "error: 3 of 6 files could not be read\n"
    names = ("empty", "text", "nan", "none", "gone", "good")
    lines = dict(zip(names, result.stdout.splitlines()[1:], strict=True))
    assert lines["empty"].endswith("the file is empty")
    assert "not readable as audio" in lines["text"]
    assert lines["nan"].endswith("not finite: holds NaN or infinity")
    assert lines["none"].endswith("short: 0 samples, a patch has 1")
    assert lines["gone"].endswith("there is no such file")
    assert lines["good"].endswith("8000")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "error: name recordings, or folders that hold some\n"),
        (["--spectrogram=a.png", "a.wav", "b.wav"], "error: --spectrogram=a.png is one picture"),
    ],
)
def test_a_wrong_call_is_refused_in_one_line(tmp_path, arguments, message):
    result = inspect(*arguments, cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith(message)
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_spectrograms_are_saved_to_a_picture_or_into_a_folder(folder):
    assert inspect(folder / "stereo.wav", f"--spectrogram={folder}/one.png").returncode == 0
    assert inspect(folder, f"--spectrogram={folder}/many").returncode == 0
    for name in ("one.png", "many/stereo.wav.png", "many/deep/tone.flac.png"):
        with Image.open(folder / name) as picture:
            assert picture.format == "PNG"
            assert min(picture.size) > 300
    assert len(list((folder / "many").rglob("*"))) == 3


def test_a_spectrogram_shows_each_tone_at_its_time_and_pitch(tmp_path):
    # 40 s, longer than a block: 20 s at 1 kHz, then 20 s at 3 kHz, then some NaN.
    instants = np.arange(20 * RATE) / RATE
    wave = np.concatenate([np.sin(2 * np.pi * hz * instants) for hz in (1000, 3000)])
    wave[-5:] = np.nan
    soundfile.write(tmp_path / "a.wav", wave, RATE, subtype="FLOAT")
    facts = measure.measure(tmp_path / "a.wav")
    levels = spectrogram.levels_db(tmp_path / "a.wav", facts)
    bins, columns = levels.shape
    assert columns == spectrogram.COLUMNS
    loudest_hz = np.argmax(levels, axis=0) * RATE / 2 / (bins - 1)
    np.testing.assert_allclose(loudest_hz[: columns // 2 - 2], 1000, atol=RATE / 2 / (bins - 1))
    np.testing.assert_allclose(loudest_hz[columns // 2 + 2 : -2], 3000, atol=RATE / 2 / (bins - 1))


def test_a_spectrogram_of_noise_reads_its_variance_in_every_bin(tmp_path):
    noise = 0.1 * np.random.default_rng(0).standard_normal(30 * RATE)
    soundfile.write(tmp_path / "a.wav", noise, RATE, subtype="FLOAT")
    levels = spectrogram.levels_db(tmp_path / "a.wav", measure.measure(tmp_path / "a.wav"))
    mean_db = 10 * np.log10(np.mean(10 ** (levels / 10), axis=1))
    np.testing.assert_allclose(mean_db, -20, atol=1)


def test_help_needs_none_of_the_heavy_packages():
    code = (
        "import sys; sys.argv = ['inspect', '--help']\n"
        "import runpy\n"
        "try: runpy.run_module('wideband.data_gen.inspect', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "heavy = {'tensorflow', 'scipy', 'matplotlib', 'soundfile', 'soxr'} & set(sys.modules)\n"
        "print('heavy:', sorted(heavy))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert "--spectrogram" in result.stdout
    assert result.stdout.endswith("heavy: []\n")
