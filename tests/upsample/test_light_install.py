"""The light installation: the wheel and its requirements in an empty environment."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytestmark = pytest.mark.slow

# The largest size that `pip install wideband` may have, in bytes, without compiled modules.
LARGEST = 168e6


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """An environment with the wheel and its requirements, from the index that pip uses."""
    folder = tmp_path_factory.mktemp("light") / "env"
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "--python", python]
    # To compile the modules would take most of the time; they are compiled when they are used.
    subprocess.run([*pip, "install", "--no-compile", wheel], check=True)
    return folder


def test_a_recording_is_restored(environment, speech, tmp_path):
    soundfile.write(tmp_path / "old.wav", speech(80000)[::4], 4000)
    line = [environment / "bin" / "wideband-upsample", "old.wav"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "used speech," in done.stdout
    restored, sample_rate = soundfile.read(tmp_path / "old_wideband.wav")
    assert (len(restored), sample_rate) == (80000, 16000)
    power = np.abs(np.fft.rfft(restored)) ** 2
    assert power[5 * 2500 :].sum() > 1e-5 * power.sum()


def test_a_wave_is_restored_in_python(environment, tmp_path):
    script = (
        "import numpy as np\n"
        "from wideband.upsample import load\n"
        "wave = np.random.default_rng(0).normal(0, 0.1, 4000)\n"
        "print(load('speech-2x').upsample(wave, 8000)[0].shape)\n"
    )
    line = [environment / "bin" / "python", "-c", script]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("(8000,)\n", "")


@pytest.mark.parametrize("module", ["tensorflow", "keras", "scipy", "matplotlib", "librosa"])
def test_a_large_package_is_not_installed(environment, module):
    line = [environment / "bin" / "python", "-c", f"import {module}"]
    done = subprocess.run(line, capture_output=True, text=True)
    assert f"No module named '{module}'" in done.stderr


def test_the_installation_is_small(environment):
    paths = {"base": str(environment), "platbase": str(environment)}
    folder = Path(sysconfig.get_path("purelib", vars=paths))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert 50e6 < size < LARGEST
