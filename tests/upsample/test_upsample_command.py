"""wideband-upsample on files and folders."""

import re
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import soxr
from wideband import audio
from wideband.upsample.__main__ import command


@pytest.fixture
def noisy_tone():
    """Returns a function that makes a tone in faint noise, (n, channels).

    Without the noise, the band of the recording would end at the tone.
    """

    def noisy_tone(seconds, sample_rate, channels=1, hz=440.0):
        instants = np.arange(round(seconds * sample_rate)) / sample_rate
        noise = np.random.default_rng(0).normal(0, 0.003, len(instants))
        wave = 0.3 * np.sin(2 * np.pi * hz * instants) + noise
        return np.stack([wave * (1 - 0.5 * k) for k in range(channels)], axis=1)

    return noisy_tone


@pytest.fixture
def upsample(call):
    """Returns a function that runs the command in this process and checks that it succeeds."""

    def upsample(*arguments):
        code, out, err = call(command, *arguments)
        assert (code, err) == (0, "")
        return out

    return upsample


@pytest.fixture
def refused(call, error_line):
    """Returns a function that runs the command, which must fail, and returns its error line."""

    def refused(*arguments):
        code, out, err = call(command, *arguments)
        assert code == 1
        # The error of a single recording is printed once only.
        assert "left out" not in out
        return error_line(err)

    return refused


def test_a_file_is_restored_with_a_run(run, upsample, noisy_tone, tmp_path):
    soundfile.write(tmp_path / "old.wav", noisy_tone(1, 4000), 4000)
    out = upsample(tmp_path / "old.wav", f"--model={run}", f"--output={tmp_path / 'new.flac'}")
    info = soundfile.info(tmp_path / "new.flac")
    assert (info.samplerate, info.frames, info.channels) == (16000, 16000, 1)
    assert "1 of 1 restored" in out
    names = [re.escape(str(each)) for each in (tmp_path / "new.flac", tmp_path / "old.wav", run)]
    assert re.search(r"{}: {} has a band up to (19\d\d|2000) Hz; used {}\n".format(*names), out)


@pytest.mark.parametrize("rate", [8000, 4000])
def test_the_command_needs_nothing_but_a_recording(rate, speech, tmp_path):
    wave = speech(16000)[:: 16000 // rate]
    wave += 0.01 * np.random.default_rng(0).normal(size=len(wave))
    soundfile.write(tmp_path / "old.wav", wave, rate)
    line = [sys.executable, "-m", "wideband.upsample", "old.wav"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "used speech," in done.stdout
    restored, sample_rate = soundfile.read(tmp_path / "old_wideband.wav")
    assert (len(restored), sample_rate) == (16000, 16000)
    # The recording had nothing above half its rate.
    power = np.abs(np.fft.rfft(restored)) ** 2
    assert power[rate // 2 + 500 :].sum() > 1e-5 * power.sum()


def test_a_folder_keeps_its_subfolders(upsample, noisy_tone, tmp_path):
    for name in ("a/one.wav", "b/two.flac", "three.mp3"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / "in" / name, noisy_tone(0.5, 8000, 2), 8000)
    upsample(tmp_path / "in", "--model=spline", "--ratio=2", f"--output={tmp_path / 'out'}")
    written = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.*")}
    assert written == {"a/one.wav", "b/two.flac", "three.wav"}
    wave, sample_rate = soundfile.read(tmp_path / "out" / "b" / "two.flac")
    assert (wave.shape, sample_rate) == ((8000, 2), 16000)
    np.testing.assert_allclose(wave[:, 1], 0.5 * wave[:, 0], atol=1e-3)


def test_a_stereo_mp3_with_a_high_band_is_restored_only_if_forced(upsample, refused, tmp_path):
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "song.mp3", rng.normal(0, 0.1, (5 * 44100, 2)), 44100)
    target = tmp_path / "song.wav"
    arguments = (tmp_path / "song.mp3", "--model=spline", f"--output={target}")
    line = refused(*arguments)
    assert "song.mp3: already has content up to" in line
    assert "there is nothing for spline to restore" in line
    assert not target.exists()
    upsample(*arguments, "--force")
    info = soundfile.info(target)
    assert (info.samplerate, info.channels) == (16000, 2)
    frames = soundfile.info(tmp_path / "song.mp3").frames
    assert info.frames == (2 * frames * 16000 + 44100) // (2 * 44100)


def test_a_hundred_samples_are_restored(upsample, noisy_tone, tmp_path):
    soundfile.write(tmp_path / "short.wav", noisy_tone(100 / 4000, 4000), 4000)
    upsample(tmp_path / "short.wav", "--model=spline", f"--output={tmp_path / 'long.wav'}")
    assert soundfile.info(tmp_path / "long.wav").frames == 400


def test_silence_and_a_single_sample_are_restored(upsample, tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(4000), 4000)
    soundfile.write(tmp_path / "one.wav", np.array([0.5]), 4000)
    inputs = (tmp_path / "silence.wav", tmp_path / "one.wav")
    out = upsample(*inputs, "--model=spline", f"--output={tmp_path / 'out'}")
    assert f"silence.wav: {tmp_path / 'silence.wav'} is silent; used spline" in out
    assert f"one.wav: {tmp_path / 'one.wav'} is silent; used spline" in out
    assert not soundfile.read(tmp_path / "out" / "silence.wav")[0].any()
    assert len(soundfile.read(tmp_path / "out" / "one.wav")[0]) == 4


def test_rates_may_have_any_quotient(upsample, noisy_tone, tmp_path):
    soundfile.write(tmp_path / "a.wav", noisy_tone(1, 8000), 8000)
    target = tmp_path / "b.wav"
    rates = ("--sample_rate=22050", "--ratio=22050/8000")
    upsample(tmp_path / "a.wav", "--model=sinc", *rates, f"--output={target}")
    info = soundfile.info(target)
    assert (info.samplerate, info.frames) == (22050, 22050)


def test_the_output_may_have_the_rate_of_the_recording(upsample, noisy_tone, tmp_path):
    wave = noisy_tone(0.7, 4000, 2)
    soundfile.write(tmp_path / "a.wav", audio.resample(wave, 4000, 44100)[:30001], 44100)
    target = tmp_path / "b.wav"
    rates = ("--sample_rate=48000", "--ratio=12", "--output_rate=44100")
    upsample(tmp_path / "a.wav", "--model=sinc", *rates, f"--output={target}")
    found, rate = soundfile.read(target)
    expected, _ = soundfile.read(tmp_path / "a.wav")
    assert (rate, found.shape) == (44100, (30001, 2))
    np.testing.assert_allclose(found[2000:-2000], expected[2000:-2000], rtol=0, atol=2e-3)


@pytest.mark.parametrize("subtype", ["PCM_24", "FLOAT", "PCM_16"])
def test_the_sample_format_is_kept(upsample, noisy_tone, tmp_path, subtype):
    soundfile.write(tmp_path / "a.wav", noisy_tone(0.5, 4000), 4000, subtype=subtype)
    upsample(tmp_path / "a.wav", "--model=spline", f"--output={tmp_path / 'b.wav'}")
    assert soundfile.info(tmp_path / "b.wav").subtype == subtype


def test_a_pattern_a_format_and_a_sample_format_are_accepted(upsample, noisy_tone, tmp_path):
    for name in ("a1.wav", "a2.wav", "b.wav"):
        soundfile.write(tmp_path / name, noisy_tone(0.5, 4000), 4000)
    upsample(
        *(tmp_path / "a*.wav", "--model=spline", f"--output={tmp_path / 'out'}"),
        *("--format=flac", "--subtype=PCM_24"),
    )
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["a1.flac", "a2.flac"]
    assert soundfile.info(tmp_path / "out" / "a1.flac").subtype == "PCM_24"


def test_clipped_peaks_are_reported_and_floats_keep_them(upsample, noisy_tone, tmp_path):
    soundfile.write(tmp_path / "float.wav", 4 * noisy_tone(0.5, 4000), 4000, "FLOAT")
    soundfile.write(tmp_path / "loud.flac", np.sign(noisy_tone(0.5, 4000)), 4000)
    inputs = (tmp_path / "float.wav", tmp_path / "loud.flac")
    out = upsample(*inputs, "--model=spline", f"--output={tmp_path / 'out'}")
    assert re.search(r"loud.flac: .*; peaks of 1\.\d\d were clipped at 1", out)
    assert not re.search(r"float.wav: .*; peaks", out)
    assert np.abs(soundfile.read(tmp_path / "out" / "float.wav")[0]).max() > 1.15


def test_loud_recordings_are_made_quieter_or_written_in_float(upsample, noisy_tone, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.sign(noisy_tone(0.5, 4000)), 4000)
    for peak, subtype in (("normalize", "PCM_16"), ("float", "FLOAT"), ("clip", "PCM_16")):
        target = tmp_path / f"{peak}.wav"
        upsample(tmp_path / "a.wav", "--model=spline", f"--output={target}", f"--peak={peak}")
        assert soundfile.info(target).subtype == subtype
    quiet, loud, clipped = (
        soundfile.read(tmp_path / f"{peak}.wav")[0] for peak in ("normalize", "float", "clip")
    )
    peak = np.abs(loud).max()
    assert peak > 1.1
    np.testing.assert_allclose(quiet, loud * 0.999 / peak, rtol=0, atol=1e-4)
    np.testing.assert_allclose(clipped, np.clip(loud, -1, 1), rtol=0, atol=1e-4)


def test_a_limit_takes_the_first_recordings(upsample, noisy_tone, tmp_path):
    (tmp_path / "in").mkdir()
    # Both c would become one file, but only the first two are restored.
    for name in ("c.wav", "c.mp3", "b.wav", "a.flac"):
        soundfile.write(tmp_path / "in" / name, noisy_tone(0.5, 8000), 8000)
    arguments = ("--model=spline", f"--output={tmp_path / 'out'}", "--ratio=2", "--limit=2")
    assert "2 of 2 restored" in upsample(tmp_path / "in", *arguments)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.flac", "b.wav"]


def test_recordings_whose_output_exists_can_be_skipped(upsample, noisy_tone, tmp_path):
    for name in ("a.wav", "b.wav"):
        soundfile.write(tmp_path / name, noisy_tone(0.5, 4000), 4000)
    (tmp_path / "out").mkdir()
    done = tmp_path / "out" / "a.wav"
    soundfile.write(done, noisy_tone(0.1, 16000), 16000)
    content = done.read_bytes()
    inputs = (tmp_path / "a.wav", tmp_path / "b.wav")
    arguments = (*inputs, "--model=spline", f"--output={tmp_path / 'out'}", "--skip_existing")
    assert "1 of 2 exist already" in upsample(*arguments)
    assert done.read_bytes() == content
    assert soundfile.info(tmp_path / "out" / "b.wav").frames == 8000
    assert "2 of 2 exist already" in upsample(*arguments)
    # A damaged output does not count.
    done.write_bytes(content[:20])
    assert "1 of 2 exist already" in upsample(*arguments)
    assert soundfile.info(done).frames == 8000


@pytest.mark.parametrize("stored_hz", [2000, 8000, 16000])
def test_a_recording_from_2_khz_is_restored_whatever_rate_it_is_stored_at(
    stored_hz, upsample, speech, tmp_path
):
    low = soxr.resample(speech(48000), 16000, 2000, quality="VHQ")
    wave = soxr.resample(low, 2000, stored_hz, quality="VHQ")
    soundfile.write(tmp_path / "old.wav", wave, stored_hz)
    models = ("--model=kaiser", "--ratio=8")
    out = upsample(tmp_path / "old.wav", *models, f"--output={tmp_path / 'new.wav'}")
    assert "; used kaiser" in out
    info = soundfile.info(tmp_path / "new.wav")
    assert (info.samplerate, info.frames) == (16000, 48000)


def test_each_recording_gets_the_model_that_begins_where_its_content_ends(upsample, tmp_path):
    """The recordings are noise up to 3.8 kHz in a file of 44.1 kHz, and a file of 4 kHz."""
    rng = np.random.default_rng(0)
    wide = soxr.resample(rng.normal(0, 0.1, 16000), 8000, 44100, quality="VHQ")
    soundfile.write(tmp_path / "wide.wav", wide, 44100)
    soundfile.write(tmp_path / "narrow.wav", rng.normal(0, 0.1, 8000), 4000)
    inputs = (tmp_path / "wide.wav", tmp_path / "narrow.wav")
    models = ("--model=audiounet-2x", "--model=audiounet-4x")
    out = upsample(*inputs, *models, f"--output={tmp_path / 'out'}")
    assert re.search("wide.wav: .* used audiounet-2x", out)
    assert re.search("narrow.wav: .* used audiounet-4x", out)


def write_nan(path, noisy_tone):
    soundfile.write(path, np.array([0.1, np.nan] * 400), 4000, subtype="FLOAT")


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path, noisy_tone: path.write_bytes(b""), "the file is empty"),
        (lambda path, noisy_tone: path.write_text("not audio\n"), "not readable as audio"),
        (write_nan, "NaN"),
        (lambda path, noisy_tone: None, "no such file"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(refused, noisy_tone, tmp_path, write, message):
    write(tmp_path / "bad.wav", noisy_tone)
    line = refused(tmp_path / "bad.wav", "--model=spline", f"--output={tmp_path / 'out.wav'}")
    assert message in line
    assert "bad.wav" in line
    assert not (tmp_path / "out.wav").exists()


def test_a_bad_file_is_named_and_the_others_are_restored(call, noisy_tone, tmp_path):
    soundfile.write(tmp_path / "good.wav", noisy_tone(0.5, 4000), 4000)
    (tmp_path / "bad.wav").write_text("not audio\n")
    inputs = (tmp_path / "bad.wav", tmp_path / "good.wav")
    code, out, err = call(command, *inputs, "--model=spline", f"--output={tmp_path / 'out'}")
    assert code == 1
    assert "1 of 2 restored" in out
    assert "1 left out" in err
    assert "bad.wav" in err
    assert (tmp_path / "out" / "good.wav").is_file()


@pytest.mark.parametrize("output", ["/proc/out.wav", "{tmp}/a.wav/out.wav", "{tmp}/out.m4a"])
def test_an_output_that_cannot_be_written_is_refused_with_the_reason(
    refused, noisy_tone, tmp_path, output
):
    soundfile.write(tmp_path / "a.wav", noisy_tone(0.5, 4000), 4000)
    output = output.format(tmp=tmp_path)
    line = refused(tmp_path / "a.wav", "--model=spline", f"--output={output}")
    assert line.startswith(f"error: {output}: ")
    assert "writable are" in line or "choose another" in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name at least one recording"),
        (["a.wav", "--model=" + 300 * "x"], "xxx: no such run folder"),
        ([300 * "x"], "xxx: cannot be read: File name too long; choose a shorter name"),
        (["a.wav", "--model=spline", "--sample_rate=2000000"], "sample_rate=2000000: must be"),
        (["a.wav", "--model=spline", "--ratio=40"], "ratio 40 of a model at 16000 Hz: the low"),
        (["a.wav", "--model=sinc", "--ratio=1.0000001"], "write it as a quotient of two rates"),
        (["a.wav", "--model=splin"], "splin: no such"),
        (["a.wav", "--model=none.tflite"], "none.tflite: no such run folder"),
        (["a.wav", "--model=a.wav"], "a.wav: not in a run folder"),
        (["a.wav", "--ratio=2"], "--ratio is for interpolations"),
        (["a.wav", "--model=phone-4x", "--sample_rate=8000"], "--sample_rate is for"),
        (["a.wav", "--model=spline", "--ratio=1/2"], "ratio 1/2: must be at least 1"),
        (["a.wav", "--model=sinc", "--ratio=many"], "'many' is not a number or a quotient"),
        (["a.wav", "--input_rate=4000"], "--input_rate is for raw samples"),
        (["none*.wav", "--output=out"], "none*.wav: no file or folder"),
        (["a.wav", "--subtype=abc"], "--subtype=abc: .wav files have PCM_16, "),
        (["a.wav", "--subtype=abc"], ", not abc; choose another sample format or --format"),
        (["a.wav", "--format=flac", "--subtype=FLOAT"], "--subtype=FLOAT: .flac files have PCM_"),
        (["a.wav", "--model=spline", "--output=out.flac", "--peak=float"], "PCM_24, not FLOAT"),
        (["a.wav", "--output=out.wav", "--format=flac"], "out.wav: not a .flac file"),
    ],
)
def test_wrong_flags_are_refused_before_tensorflow_loads(
    refused, noisy_tone, tmp_path, monkeypatch, without_tensorflow, arguments, message
):
    monkeypatch.chdir(tmp_path)
    soundfile.write(tmp_path / "a.wav", noisy_tone(0.5, 4000), 4000)
    assert message in refused(*arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_an_unknown_model_is_refused_before_a_known_one_is_loaded(
    refused, run, noisy_tone, tmp_path, without_tensorflow
):
    soundfile.write(tmp_path / "a.wav", noisy_tone(0.5, 4000), 4000)
    assert "splin: no such" in refused(tmp_path / "a.wav", f"--model={run}", "--model=splin")
