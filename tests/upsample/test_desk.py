"""The desk command by a TFLite file, where there is no TensorFlow, SciPy nor librosa."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile
from wideband.upsample import Upsampler

# What the command takes: by the packages of setup.cfg that it needs, and what they need.
ALLOWED = {
    "numpy": {"numpy"},
    "soundfile": {
        *("soundfile", "_soundfile", "_soundfile_data", "cffi", "_cffi_backend"),
        "typing_extensions",
    },
    "soxr": {"soxr"},
    "absl-py": {"absl"},
    "tqdm": {"tqdm"},
    "ai-edge-litert": {
        *("ai_edge_litert", "flatbuffers", "google", "ml_dtypes", "typing_extensions", "backports"),
    },
}
# Runs the command where of all packages only those named first can be imported.
ALONE = """
import runpy, sys
allowed = {*sys.argv[1].split(","), *sys.stdlib_module_names, "wideband"}
class Refuser:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in allowed:
            raise ModuleNotFoundError(f"No module named {name!r} here", name=name)
sys.meta_path.insert(0, Refuser())
sys.argv[:2] = ["wideband-upsample"]
runpy.run_module("wideband.upsample", run_name="__main__", alter_sys=True)
"""


def alone(*arguments, without="", **options):
    modules = ",".join(
        name for package in ALLOWED if package != without for name in ALLOWED[package]
    )
    command = [sys.executable, "-c", ALONE, modules, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, **options)


@pytest.fixture(params=["stream", "window"])
def file(request, stream_files, window_file):
    return stream_files() if request.param == "stream" else window_file


def test_a_recording_is_restored(file, speech, tmp_path):
    wave = np.stack([speech(16000)[::2], 0.5 * speech(16000)[1::2]], axis=1)
    soundfile.write(tmp_path / "old.wav", wave, 8000, subtype="FLOAT")
    options = ["--force", "--nokeep_low_band", f"--output={tmp_path / 'new.wav'}"]
    done = alone(tmp_path / "old.wav", f"--model={file}", *options)
    assert done.returncode == 0, done.stderr.decode()
    found, sample_rate = soundfile.read(tmp_path / "new.wav", dtype="float32")
    expected, _ = Upsampler.from_tflite(file).upsample(wave, 8000)
    assert sample_rate == 16000
    np.testing.assert_allclose(found, np.clip(expected, -1, 1), rtol=0, atol=1e-5)


def test_raw_samples_are_restored(file, speech):
    wave = speech(16000)[::4]
    options = ["--input_rate=4000", "--pcm=f32", "--nokeep_low_band"]
    raw = wave.astype("<f4").tobytes()
    done = alone("-", f"--model={file}", "--output=-", *options, input=raw)
    assert done.returncode == 0, done.stderr.decode()
    expected, _ = Upsampler.from_tflite(file).upsample(wave, 4000)
    np.testing.assert_allclose(np.frombuffer(done.stdout, "<f4"), expected, rtol=0, atol=1e-5)


def test_a_missing_runtime_is_named_with_its_extra(file, speech, tmp_path):
    soundfile.write(tmp_path / "old.wav", speech(16000)[::4], 4000)
    output = tmp_path / "new.wav"
    done = alone(
        *(tmp_path / "old.wav", f"--model={file}", f"--output={output}"), without="ai-edge-litert"
    )
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("error: ")
    assert "pip install 'wideband[tflite]'" in line
    assert not output.exists()


def test_the_networks_for_phones_are_the_default(speech, tmp_path):
    wave = speech(16000)[::4]
    soundfile.write(tmp_path / "old.wav", wave, 4000, subtype="FLOAT")
    done = alone("old.wav", "--nokeep_low_band", cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    assert b"took phone-4x" in done.stdout
    found, _ = soundfile.read(tmp_path / "old_wideband.wav", dtype="float32")
    expected, _ = Upsampler.from_pretrained("phone-4x").upsample(wave, 4000)
    np.testing.assert_allclose(found, np.clip(expected, -1, 1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("model", ["run", "speech-4x"])
def test_a_run_needs_more_than_that(model, run, speech, tmp_path):
    """So that these tests mean something."""
    soundfile.write(tmp_path / "old.wav", speech(16000)[::4], 4000)
    model = run if model == "run" else model
    done = alone(tmp_path / "old.wav", f"--model={model}", f"--output={tmp_path / 'new.wav'}")
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith(f"error: {model}: needs TensorFlow")
    assert "phone-2x or phone-4x" in line
    assert not (tmp_path / "new.wav").exists()
