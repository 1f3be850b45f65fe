"""The commands of evaluate as processes."""

import subprocess
import sys

import pytest

COMMANDS = ["snr", "lsd", "quality", "compare", "plot", "fusion", "vocoder", "wer"]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_runs_as_a_module(name, tmp_path):
    module = f"wideband.evaluate.{name}"
    command = [sys.executable, "-m", module]
    done = subprocess.run([*command, "--help"], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"usage: python -m {module}" in done.stdout


# Command lines that are refused: module, then arguments.
REFUSED = [
    ("__main__", "--run=nowhere"),
    ("__main__", "--run=speech-4x"),
    ("__main__", "--run=speech-4x", "--output=out", "--data=nowhere"),
    ("__main__", "--run=speech-4x", "--output=out", "--data={data}", "--baselines=cubic"),
    ("__main__", "--run=speech-4x", "--output=out", "--data={data}", "--baselines=speech-2x"),
    ("__main__", "--run={run}", "--tflite=nowhere.tflite"),
    ("__main__", "--run={run}", "--tflite=a={run}/run.json"),
    ("__main__", "--run={run}", "--wer", "--recognizer=deepspeech"),
    ("__main__", "--run={run}", "--wer", "--recognizer=cmd:cat"),
    ("fusion", "--run=nowhere"),
    ("fusion", "--run=phone-4x"),
    ("fusion", "--run={run}", "--output=fusion.jpg"),
    ("vocoder", "nowhere", "--recordings=nowhere"),
    ("wer", "--transcripts=nowhere.csv", "--recordings=nowhere"),
]


def test_a_refusal_does_not_wait_for_tensorflow(data, run, tmp_path):
    lines = [
        [module, *(argument.format(data=data, run=run) for argument in arguments)]
        for module, *arguments in REFUSED
    ]
    script = (
        "import importlib, sys\n"
        f"for module, *arguments in {lines}:\n"
        "    command = importlib.import_module(f'wideband.evaluate.{module}').command\n"
        "    assert command(arguments) == 1, arguments\n"
        "    assert not {'tensorflow', 'keras'} & set(sys.modules), arguments\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(done.stderr.splitlines()) == len(REFUSED)
    assert all(line.startswith("error: ") for line in done.stderr.splitlines())
    assert not list(tmp_path.iterdir())


def test_wideband_evaluate_starts_as_a_process(tmp_path):
    command = [sys.executable, "-m", "wideband.evaluate", "--run=nowhere"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: nowhere: no such run folder")
