"""wideband-upsample without TensorFlow, Keras, SciPy and librosa."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile
from wideband.upsample import load

# The packages that setup.cfg requires, with their modules and those of their own requirements.
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
# Runs the command in a process that can import only the modules of its first argument.
ALONE = """
import runpy, sys
allowed = {*sys.argv[1].split(","), *sys.stdlib_module_names, "wideband"}
class Refuser:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in allowed:
            raise ModuleNotFoundError(f"No module named {name!r} here", name=name)
sys.meta_path.insert(0, Refuser())
module = sys.argv[2]
sys.argv[:3] = [module]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


def run(module, *arguments, without="", **options):
    """Runs a module with the allowed packages, or without one of them."""
    modules = ",".join(
        name for package in ALLOWED if package != without for name in ALLOWED[package]
    )
    command = [sys.executable, "-c", ALONE, modules, module, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, **options)


def upsample(*arguments, **options):
    """Runs the command; see `run`."""
    return run("wideband.upsample", *arguments, **options)


def test_the_shipped_networks_are_listed():
    done = run("wideband.models", text=True)
    assert done.returncode == 0, done.stderr
    first, _, header, *rows = done.stdout.splitlines()
    assert first.endswith("needs TensorFlow and Keras: pip install '.[train]'")
    assert header.startswith("shipped")
    assert {row.split()[0] for row in rows} >= {"speech", "fullband", "phone"}


@pytest.fixture(params=["stream", "window"])
def file(request, stream_file, window_file):
    return stream_file() if request.param == "stream" else window_file


def test_a_recording_is_restored_with_a_tflite_file(file, speech, tmp_path):
    wave = np.stack([speech(16000)[::2], 0.5 * speech(16000)[1::2]], axis=1)
    soundfile.write(tmp_path / "old.wav", wave, 8000, subtype="FLOAT")
    options = ["--force", "--nokeep_low_band", f"--output={tmp_path / 'new.wav'}"]
    done = upsample(tmp_path / "old.wav", f"--model={file}", *options)
    assert done.returncode == 0, done.stderr.decode()
    found, sample_rate = soundfile.read(tmp_path / "new.wav", dtype="float32")
    expected, _ = load(file).upsample(wave, 8000, keep_low_band=False)
    assert sample_rate == 16000
    np.testing.assert_allclose(found, np.clip(expected, -1, 1), rtol=0, atol=1e-5)


def test_raw_samples_are_restored_with_a_tflite_file(window_file, speech):
    wave = speech(16000)[::4]
    options = ["--input_rate=4000", "--pcm=f32", "--nokeep_low_band"]
    raw = wave.astype("<f4").tobytes()
    done = upsample("-", f"--model={window_file}", "--output=-", *options, input=raw)
    assert done.returncode == 0, done.stderr.decode()
    expected, _ = load(window_file).upsample(wave, 4000, keep_low_band=False)
    np.testing.assert_allclose(np.frombuffer(done.stdout, "<f4"), expected, rtol=0, atol=1e-5)


def test_the_command_and_python_have_the_same_defaults(speech, tmp_path):
    wave = speech(16000)[::4]
    soundfile.write(tmp_path / "old.wav", wave, 4000, subtype="FLOAT")
    done = upsample("old.wav", cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    assert b"used speech," in done.stdout
    found, _ = soundfile.read(tmp_path / "old_wideband.wav", dtype="float32")
    expected, _ = load("speech").upsample(wave, 4000)
    np.testing.assert_allclose(found, np.clip(expected, -1, 1), rtol=0, atol=1e-5)


def test_without_litert_the_package_to_install_is_named(window_file, speech, error_line, tmp_path):
    soundfile.write(tmp_path / "old.wav", speech(16000)[::4], 4000)
    arguments = (tmp_path / "old.wav", f"--model={window_file}", f"--output={tmp_path / 'new.wav'}")
    done = upsample(*arguments, without="ai-edge-litert")
    assert done.returncode == 1
    assert "pip install ai-edge-litert" in error_line(done.stderr.decode())
    assert not (tmp_path / "new.wav").exists()


def test_keras_weights_need_more_than_these_packages(run, speech, error_line, tmp_path):
    """This proves that the other tests run without TensorFlow."""
    soundfile.write(tmp_path / "old.wav", speech(16000)[::4], 4000)
    done = upsample(tmp_path / "old.wav", f"--model={run}", f"--output={tmp_path / 'new.wav'}")
    assert done.returncode == 1
    line = error_line(done.stderr.decode())
    assert line.startswith(f"error: {run}: needs TensorFlow")
    assert "a shipped network such as speech-4x" in line
    assert not (tmp_path / "new.wav").exists()


def test_interpolations_need_no_more_either(speech, tmp_path):
    soundfile.write(tmp_path / "old.wav", speech(4000)[::2], 8000, subtype="FLOAT")
    options = ["--model=quintic", "--model=makima", "--model=kaiser", "--ratio=22050/8000"]
    options += ["--sample_rate=22050", "--force", f"--output={tmp_path / 'new.wav'}"]
    done = upsample(tmp_path / "old.wav", *options)
    assert done.returncode == 0, done.stderr.decode()
    assert soundfile.info(tmp_path / "new.wav").samplerate == 22050
