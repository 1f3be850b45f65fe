"""wideband-upsample on files and folders, good and bad."""

import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile
import soxr
from wideband.command import UserError
from wideband.upsample import files


def upsample(*arguments):
    command = [sys.executable, "-m", "wideband.upsample", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def tone(seconds, sample_rate, channels=1, hz=440.0):
    instants = np.arange(round(seconds * sample_rate)) / sample_rate
    # A tone alone would be a recording whose band ends at the tone.
    noise = np.random.default_rng(0).normal(0, 0.003, len(instants))
    wave = 0.3 * np.sin(2 * np.pi * hz * instants) + noise
    return np.stack([wave * (1 - 0.5 * k) for k in range(channels)], axis=1)


def only_line(done):
    """The one line that a refused user reads."""
    assert done.returncode == 1
    lines = [line for line in done.stderr.replace("\r", "\n").splitlines() if "error" in line]
    assert len(lines) == 1
    assert "Traceback" not in done.stderr
    # Nor is it told twice.
    assert "left out" not in done.stdout
    return lines[0]


def test_a_file_is_restored_by_a_run(run, tmp_path):
    soundfile.write(tmp_path / "old.wav", tone(1, 4000), 4000)
    done = upsample(tmp_path / "old.wav", f"--model={run}", f"--output={tmp_path / 'new.flac'}")
    assert done.returncode == 0, done.stderr
    info = soundfile.info(tmp_path / "new.flac")
    assert (info.samplerate, info.frames, info.channels) == (16000, 16000, 1)
    assert "1 of 1 restored" in done.stdout
    assert f"took {run}" in done.stdout


@pytest.mark.parametrize(
    ("given", "suffix", "expected"),
    [
        ("in/one.flac", None, "in/one_wideband.flac"),
        ("in/two.mp3", None, "in/two_wideband.wav"),
        ("in/two.mp3", ".ogg", "in/two_wideband.ogg"),
        ("in", None, "in_wideband/one.flac"),
        (".", None, "../HERE_wideband/in/one.flac"),
        ("in/o*.flac", None, "in/one_wideband.flac"),
    ],
)
def test_without_an_output_a_recording_is_restored_beside_itself(
    given, suffix, expected, tmp_path, monkeypatch
):
    here = tmp_path / "HERE"
    (here / "in").mkdir(parents=True)
    for name in ("one.flac", "two.mp3"):
        (here / "in" / name).touch()
    monkeypatch.chdir(here)
    targets = [target for _, target in files.jobs([given], files.beside([given], suffix), suffix)]
    assert (here / expected).resolve() in [target.resolve() for target in targets]


@pytest.mark.parametrize("inputs", [["a.wav", "b.wav"], ["?.wav"]])
def test_several_recordings_need_a_named_folder(inputs, tmp_path, monkeypatch):
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="name it by --output"):
        files.beside(inputs)


def test_a_folder_keeps_its_shape(tmp_path):
    for name in ("a/one.wav", "b/two.flac", "three.mp3"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / "in" / name, tone(0.5, 8000, 2), 8000)
    done = upsample(tmp_path / "in", "--model=spline", "--ratio=2", f"--output={tmp_path / 'out'}")
    assert done.returncode == 0, done.stderr
    written = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.*")}
    assert written == {"a/one.wav", "b/two.flac", "three.wav"}
    wave, sample_rate = soundfile.read(tmp_path / "out" / "b" / "two.flac")
    assert (wave.shape, sample_rate) == ((8000, 2), 16000)
    np.testing.assert_allclose(wave[:, 1], 0.5 * wave[:, 0], atol=1e-3)


def test_a_stereo_mp3_whose_treble_would_be_lost_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "song.mp3", rng.normal(0, 0.1, (20 * 44100, 2)), 44100)
    line = only_line(
        upsample(tmp_path / "song.mp3", "--model=spline", f"--output={tmp_path}/o.wav")
    )
    assert "has treble up to" in line
    assert "--force" in line
    assert not (tmp_path / "o.wav").exists()


def test_a_stereo_mp3_is_restored_when_forced(tmp_path):
    soundfile.write(tmp_path / "song.mp3", tone(20, 44100, 2), 44100)
    target = tmp_path / "song.wav"
    done = upsample(tmp_path / "song.mp3", "--model=spline", f"--output={target}", "--force")
    assert done.returncode == 0, done.stderr
    info = soundfile.info(target)
    assert (info.samplerate, info.channels) == (16000, 2)
    frames = soundfile.info(tmp_path / "song.mp3").frames
    assert info.frames == (2 * frames * 16000 + 44100) // (2 * 44100)


def test_a_hundred_samples_are_restored(tmp_path):
    soundfile.write(tmp_path / "short.wav", tone(100 / 4000, 4000), 4000)
    done = upsample(tmp_path / "short.wav", "--model=spline", f"--output={tmp_path / 'long.wav'}")
    assert done.returncode == 0, done.stderr
    assert soundfile.info(tmp_path / "long.wav").frames == 400


def write_empty(path):
    path.write_bytes(b"")


def write_text(path):
    path.write_text("this is no sound\n")


def write_nan(path):
    soundfile.write(path, np.array([0.1, np.nan] * 400), 4000, subtype="FLOAT")


def write_slow(path):
    soundfile.write(path, tone(1, 2000), 2000)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (write_empty, "the file is empty"),
        (write_text, "not readable as audio"),
        (write_nan, "NaN"),
        (write_slow, "2000 Hz is below the 4000 Hz"),
        (lambda path: None, "no such file"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(tmp_path, write, message):
    write(tmp_path / "bad.wav")
    line = only_line(
        upsample(tmp_path / "bad.wav", "--model=spline", f"--output={tmp_path / 'out.wav'}")
    )
    assert message in line
    assert "bad.wav" in line
    assert not (tmp_path / "out.wav").exists()


def test_good_files_are_restored_beside_a_bad_one_which_is_named(tmp_path):
    soundfile.write(tmp_path / "good.wav", tone(0.5, 4000), 4000)
    write_text(tmp_path / "bad.wav")
    done = upsample(
        tmp_path / "bad.wav", tmp_path / "good.wav", "--model=spline", f"--output={tmp_path}/out"
    )
    assert done.returncode == 1
    assert "1 left out" in done.stderr
    assert "bad.wav" in done.stderr
    assert (tmp_path / "out" / "good.wav").is_file()


@pytest.mark.parametrize("subtype", ["PCM_24", "FLOAT", "PCM_16"])
def test_the_sample_format_is_kept(tmp_path, subtype):
    soundfile.write(tmp_path / "a.wav", tone(0.5, 4000), 4000, subtype=subtype)
    done = upsample(tmp_path / "a.wav", "--model=spline", f"--output={tmp_path / 'b.wav'}")
    assert done.returncode == 0, done.stderr
    assert soundfile.info(tmp_path / "b.wav").subtype == subtype


def test_clipped_peaks_are_reported_and_floats_keep_them(tmp_path):
    soundfile.write(tmp_path / "float.wav", 4 * tone(0.5, 4000), 4000, "FLOAT")
    soundfile.write(tmp_path / "loud.flac", np.sign(tone(0.5, 4000)), 4000)
    done = upsample(
        *(tmp_path / "float.wav", tmp_path / "loud.flac"),
        *("--model=spline", f"--output={tmp_path / 'out'}"),
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"loud.flac: .*; peaks of 1\.\d\d were clipped at 1", done.stdout)
    assert not re.search(r"float.wav: .*peaks", done.stdout)
    assert np.abs(soundfile.read(tmp_path / "out" / "float.wav")[0]).max() > 1.15


@pytest.mark.parametrize("output", ["/proc/out.wav", "{tmp}/a.wav/out.wav", "{tmp}/out.m4a"])
def test_an_output_that_cannot_be_written_is_refused_with_the_reason(tmp_path, output):
    soundfile.write(tmp_path / "a.wav", tone(0.5, 4000), 4000)
    output = output.format(tmp=tmp_path)
    line = only_line(upsample(tmp_path / "a.wav", "--model=spline", f"--output={output}"))
    assert f"error: {output}: cannot" in line
    assert "writable are" in line or "choose another place" in line


def test_rates_are_not_for_runs(run, tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(0.5, 4000), 4000)
    line = only_line(
        upsample(tmp_path / "a.wav", f"--model={run}", f"--output={tmp_path}/o.wav", "--ratio=2")
    )
    assert "--ratio is for interpolations" in line


def test_an_output_folder_that_cannot_be_written_is_refused_in_one_line(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(0.5, 4000), 4000)
    (tmp_path / "file").write_text("a file, and so no folder")
    line = only_line(
        upsample(tmp_path / "a.wav", "--model=spline", f"--output={tmp_path / 'file' / 'o.wav'}")
    )
    assert "file" in line


@pytest.mark.parametrize(
    ("output", "message"),
    [("{in}/a.wav", "would be overwritten"), ("{in}/a.xyz/..", "would be overwritten")],
)
def test_an_input_is_never_overwritten(tmp_path, output, message):
    soundfile.write(tmp_path / "a.wav", tone(0.5, 4000), 4000)
    before = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.xyz").mkdir()
    output = output.replace("{in}", str(tmp_path))
    assert message in only_line(
        upsample(tmp_path / "a.wav", "--model=spline", f"--output={output}")
    )
    assert (tmp_path / "a.wav").read_bytes() == before


def test_two_inputs_never_become_one_file(tmp_path):
    for name in ("a.wav", "a.mp3"):
        soundfile.write(tmp_path / name, tone(0.5, 8000), 8000)
    done = upsample(tmp_path, "--model=spline", "--ratio=2", f"--output={tmp_path / 'out'}")
    assert "would both become" in only_line(done)


def test_a_model_that_is_none_is_named_with_what_there_is(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(0.5, 4000), 4000)
    line = only_line(upsample(tmp_path / "a.wav", "--model=splin", f"--output={tmp_path}/o.wav"))
    assert "splin" in line
    assert "spline" in line


def test_no_input_is_an_error(tmp_path):
    assert "name at least one" in only_line(
        upsample("--model=spline", f"--output={tmp_path}/o.wav")
    )


def test_the_recording_gets_the_model_that_begins_where_its_content_ends(run, tmp_path):
    """Noise up to 3.8 kHz in a file of 44.1 kHz, and a file of 4 kHz."""
    rng = np.random.default_rng(0)
    wide = soxr.resample(rng.normal(0, 0.1, 16000), 8000, 44100, quality="VHQ")
    soundfile.write(tmp_path / "wide.wav", wide, 44100)
    soundfile.write(tmp_path / "narrow.wav", rng.normal(0, 0.1, 8000), 4000)
    done = upsample(
        *(tmp_path / "wide.wav", tmp_path / "narrow.wav"),
        *("--model=spline", "--model=linear", f"--output={tmp_path / 'out'}", "--ratio=2"),
    )
    assert done.returncode == 1
    assert "narrow.wav: the recording's rate of 4000 Hz is below the 8000 Hz" in done.stderr
    done = upsample(tmp_path / "wide.wav", f"--model={run}", f"--output={tmp_path}/out.wav")
    assert re.search(r"has treble up to [34]\d\d\d Hz, and this model replaces", only_line(done))
    one = soxr.resample(rng.normal(0, 0.1, 3000), 2000, 44100, quality="VHQ")
    soundfile.write(tmp_path / "dull.wav", one, 44100)
    done = upsample(
        *(tmp_path / "dull.wav", "--model=spline", "--ratio=2", f"--output={tmp_path}/out.wav")
    )
    assert re.search(r"content ends at 1[0-2]\d\d Hz.*above 4000 Hz.*a hole", only_line(done))


@pytest.mark.parametrize("pcm", ["s16", "f32"])
def test_raw_samples_flow_from_the_standard_input_to_the_standard_output(tmp_path, pcm):
    stereo = tone(1.3, 4000, 2)
    kind = {"s16": "<i2", "f32": "<f4"}[pcm]
    raw = (stereo * 32768 if pcm == "s16" else stereo).astype(kind).tobytes()
    options = ("--model=spline", "--output=-", "--channels=2", f"--pcm={pcm}", "--nokeep_low_band")
    command = [sys.executable, "-m", "wideband.upsample", "-", "--input_rate=4000", *options]
    done = subprocess.run(command, input=raw, capture_output=True)
    assert done.returncode == 0, done.stderr
    out = np.frombuffer(done.stdout, kind).reshape(-1, 2) / (32768 if pcm == "s16" else 1)
    assert len(out) == 4 * len(stereo)
    np.testing.assert_allclose(out[::4][50:-50], stereo[50:-50], rtol=0, atol=1e-4)
    assert f"{len(out)} samples at 16000 Hz, 2 channel(s)" in done.stderr.decode()
    broken = subprocess.run(command, input=raw[:-1], capture_output=True)
    assert broken.returncode == 1
    assert b"ends within a sample" in broken.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-", "--output=-"], "--input_rate"),
        (["-", "--output=-", "--input_rate=0"], "--input_rate=0"),
        (["-", "--output=out.wav", "--input_rate=4000"], "raw samples go from - to --output=-"),
        (
            ["a.wav", "--output=out.wav", "--input_rate=4000"],
            "--input_rate tells the rate of raw samples",
        ),
        (["nothing*.wav", "--output=out"], r"nothing*.wav: no file or folder"),
        (["a.wav", "--output=out.wav", "--subtype=PCM_99"], "PCM_99"),
        (["a.wav", "--output=out.flac", "--peak=float"], "as FLOAT"),
        (["a.wav", "--output=out.wav", "--format=flac"], "out.wav is no .flac"),
    ],
)
def test_flags_that_do_not_fit_are_refused_in_one_line(tmp_path, arguments, message):
    soundfile.write(tmp_path / "a.wav", tone(0.5, 4000), 4000)
    command = [sys.executable, "-m", "wideband.upsample", "--model=spline", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert message in only_line(done)
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_a_pattern_a_format_and_a_sample_format_are_taken(tmp_path):
    for name in ("a1.wav", "a2.wav", "b.wav"):
        soundfile.write(tmp_path / name, tone(0.5, 4000), 4000)
    done = upsample(
        *(tmp_path / "a*.wav", "--model=spline", f"--output={tmp_path / 'out'}"),
        *("--format=flac", "--subtype=PCM_24"),
    )
    assert done.returncode == 0, done.stderr
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["a1.flac", "a2.flac"]
    assert soundfile.info(tmp_path / "out" / "a1.flac").subtype == "PCM_24"


def test_what_is_there_already_can_be_skipped(tmp_path):
    for name in ("a.wav", "b.wav"):
        soundfile.write(tmp_path / name, tone(0.5, 4000), 4000)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.wav").write_text("done before")
    inputs = (tmp_path / "a.wav", tmp_path / "b.wav")
    done = upsample(*inputs, "--model=spline", f"--output={tmp_path / 'out'}", "--skip_existing")
    assert done.returncode == 0, done.stderr
    assert "1 of 2 are there already" in done.stdout
    assert (tmp_path / "out" / "a.wav").read_text() == "done before"
    assert soundfile.info(tmp_path / "out" / "b.wav").frames == 8000


def test_loud_recordings_are_made_quieter_or_written_in_float(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.sign(tone(0.5, 4000)), 4000)
    for peak, subtype in (("normalize", "PCM_16"), ("float", "FLOAT"), ("clip", "PCM_16")):
        target = tmp_path / f"{peak}.wav"
        done = upsample(
            tmp_path / "a.wav", "--model=spline", f"--output={target}", f"--peak={peak}"
        )
        assert done.returncode == 0, done.stderr
        assert soundfile.info(target).subtype == subtype
    quiet, loud, clipped = (
        soundfile.read(tmp_path / f"{peak}.wav")[0] for peak in ("normalize", "float", "clip")
    )
    peak = np.abs(loud).max()
    assert peak > 1.1
    np.testing.assert_allclose(quiet, loud * 0.999 / peak, rtol=0, atol=1e-4)
    np.testing.assert_allclose(clipped, np.clip(loud, -1, 1), rtol=0, atol=1e-4)


def test_an_hour_is_restored_in_constant_memory(tmp_path):
    """Ten minutes and an hour of noise: what the longer takes more is not its length."""
    rng = np.random.default_rng(0)
    peaks = []
    for minutes in (1, 60):
        source = tmp_path / f"{minutes}.wav"
        with soundfile.SoundFile(source, "w", 4000, 1) as file:
            for _ in range(minutes):
                file.write(rng.normal(0, 0.1, 240000))
        code = (
            "import resource, sys; from wideband.upsample.__main__ import run\n"
            "try: run()\n"
            "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        target = tmp_path / "out.wav"
        done = subprocess.run(
            (sys.executable, "-c", code, source, "--model=spline", f"--output={target}"),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert soundfile.info(target).frames == minutes * 960000
        peaks.append(int(done.stdout.split()[-1]) / 1024)
    # An hour at 16 kHz is 230 MB in float32.
    assert peaks[1] - peaks[0] < 50


def test_a_stopped_run_leaves_no_half_file(tmp_path):
    wave = np.random.default_rng(0).normal(0, 0.1, 3600 * 4000).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", wave, 4000)
    folder = tmp_path / "out"
    command = [sys.executable, "-m", "wideband.upsample", str(tmp_path / "a.wav")]
    process = subprocess.Popen(
        [*command, "--model=spline", f"--output={folder}"],
        stderr=subprocess.PIPE,
        text=True,
        # Tests that run in the background of a shell ignore the signal, and so would their child.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    # Reading for its band comes first; what is written then has a hidden name.
    while process.poll() is None and not list(folder.glob(".*")):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 1
    assert said.rstrip().endswith("stopped")
    assert list(folder.iterdir()) == []


def test_silence_and_a_single_sample_are_restored(tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(4000), 4000)
    soundfile.write(tmp_path / "one.wav", np.array([0.5]), 4000)
    done = upsample(
        *(tmp_path / "silence.wav", tmp_path / "one.wav"),
        *("--model=spline", f"--output={tmp_path / 'out'}"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("found silence, took spline") == 2
    assert not soundfile.read(tmp_path / "out" / "silence.wav")[0].any()
    assert len(soundfile.read(tmp_path / "out" / "one.wav")[0]) == 4
