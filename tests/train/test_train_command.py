"""wideband-train: its output, the mistakes it refuses, and a process that is killed."""

import os
import signal
import subprocess
import sys
import time

import pytest
import tensorflow as tf
from wideband.train import recipes
from wideband.train.__main__ import command

# Real trainings.
pytestmark = pytest.mark.slow


def test_the_command_prints_the_best_epoch_and_the_next_command(finished, small_flags, data, call):
    # The run is finished, so the command reports it without training again.
    code, out, err = call(command, *small_flags, f"--data={data}", f"--run={finished}")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0].startswith("3 epochs; the best is epoch ")
    assert lines[1].startswith("  keras_unet SNR ")
    assert lines[2].startswith("  spline     SNR ")
    assert lines[3] == f"next: wideband-evaluate --run={finished}"


def test_the_list_shows_every_recipe_with_its_source(call):
    code, out, _ = call(command, "--recipe=list")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == recipes.names()
    assert "Kuleshov et al. 2017" in out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--recipe=dmeo", "--data=x", "--run=y"], "unknown recipe 'dmeo'"),
        (["--recipe=demo", "--data=x", "--run=y"], "x: no finished dataset"),
        (["--recipe=demo", "--data=x", "--run=y", "--set=losses.mae=1"], "unknown loss 'mae'"),
        (
            ["--recipe=demo", "--data=x", "--run=y", "--set=epochs=0"],
            "epochs 0 must be from 1 to 1000000",
        ),
    ],
)
def test_a_mistake_is_reported_in_one_line(call, error_line, flags, message):
    code, out, err = call(command, *flags)
    assert (code, out) == (1, "")
    assert message in error_line(err)


@pytest.mark.parametrize(
    ("flags", "missing"),
    [
        ([], "--recipe, --data and --run are missing; --recipe=list prints the recipes"),
        (["--recipe=demo"], "--data and --run are missing"),
        (["--recipe=demo", "--data=x"], "--run is missing"),
    ],
)
def test_a_missing_flag_is_a_wrong_command_line(call, error_line, flags, missing):
    code, out, err = call(command, *flags)
    assert (code, out) == (2, "")
    assert error_line(err).startswith(f"error: {missing}; ")


def test_a_run_of_one_epoch_is_reported_in_the_singular(
    train, eager, small_flags, data, tmp_path, call
):
    settings = ["epochs=1", "steps_per_epoch=1"]
    run = train(tmp_path / "run", *settings).folder
    flags = [f"--set={setting}" for setting in settings]
    code, out, err = call(command, *small_flags, *flags, f"--data={data}", f"--run={run}")
    assert code == 0, err
    assert out.startswith("1 epoch; the best is epoch 1, ")


def test_an_unknown_flag_is_a_wrong_command_line(call, error_line, data, tmp_path):
    run = tmp_path / "run"
    code, _, err = call(command, "--recpie=demo", f"--data={data}", f"--run={run}")
    assert code == 2
    assert "recpie" in error_line(err)
    assert not run.exists()


def test_mistakes_are_refused_before_large_libraries_load(finished, data, tmp_path):
    lines = [
        ["--recipe=dmeo", f"--data={data}", f"--run={tmp_path / 'new'}"],
        ["--recipe=demo", "--data=none", f"--run={tmp_path / 'new'}"],
        ["--recipe=demo", f"--data={data}", f"--run={finished}"],
        ["--recipe=demo", f"--data={data}", "--run=x", "--set=losses.log_spectral=-1"],
        ["--recipe=demo", f"--data={data}", "--run=x", "--set=patch=512"],
        ["--recipe=demo", f"--data={data}", "--run=x", "--initial_weights=none"],
        ["--recipe=demo", f"--data={data}", "--run=x", "--initial_weights=speech-2x"],
    ]
    code = f"""
import sys
from wideband.train.__main__ import command
codes = [command(line) for line in {lines!r}]
print(codes, sorted({{"tensorflow", "keras", "scipy.signal"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[1, 1, 1, 1, 1, 1, 1] []", done.stderr
    assert len(done.stderr.splitlines()) == 7


def test_a_process_that_is_ended_by_a_signal_can_be_continued_to_the_same_history(
    finished, small_flags, data, no_curves, history, tmp_path, call
):
    run, waiting, temporary = (tmp_path / name for name in ("run", "waiting", "temporary"))
    temporary.mkdir()
    flags = [*small_flags, f"--data={data}", f"--run={run}"]
    # The process stops in its second epoch, after the checkpoint, and waits to be ended.
    code = f"""
import pathlib, runpy, time
from wideband.train import run
write_csv = run.write_csv
def wait(path, rows):
    if len(rows) == 2:
        pathlib.Path({str(waiting)!r}).touch()
        time.sleep(1000)
    write_csv(path, rows)
run.write_csv = wait
runpy.run_module("wideband.train", run_name="__main__")
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    try:
        while not waiting.exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        process.terminate()
        out, err = process.communicate(timeout=600)
    finally:
        process.kill()
    assert (process.returncode, out) == (-signal.SIGTERM, "")
    # Only progress bars, and no warning of a library, but for that of TensorFlow 2.16 at the end of
    # any data.
    *bars, last = (line for line in err.splitlines() if line)
    assert last.endswith("stopped")
    known = ("step/s", "s/step", "OUT_OF_RANGE: End of sequence")
    assert [line for line in bars if not any(part in line for part in known)] == []
    assert len(history(run)) == 1
    assert not list(temporary.iterdir())

    code, out, err = call(command, *flags)
    assert code == 0, err
    assert out.startswith("3 epochs; the best is epoch ")
    assert history(run) == history(finished)
    assert not list(run.glob(".*"))


def test_batches_can_come_from_a_data_service(small_flags, data, tmp_path, call, eager, rows):
    module = tf.data.experimental.service
    dispatcher = module.DispatchServer(module.DispatcherConfig(port=0))
    address = dispatcher.target.removeprefix("grpc://")
    workers = [module.WorkerServer(module.WorkerConfig(address)) for _ in range(2)]
    assert len(workers) == 2
    run = tmp_path / "run"
    flags = [*small_flags, "--set=epochs=1", f"--data={data}", f"--run={run}"]
    code, _, err = call(command, *flags, f"--data_service={address}")
    assert code == 0, err
    assert len(rows(run / "history.csv")) == 1


def test_a_recognizer_hears_in_training(
    small_flags, data, tmp_path, call, eager, rows, whisper_model
):
    run = tmp_path / "run"
    flags = [*small_flags, "--set=epochs=1", f"--data={data}", f"--run={run}"]
    flags += ["--set=losses.whisper=2", f"--set=recognizer={whisper_model}"]
    code, _, err = call(command, *flags)
    assert code == 0, err
    [row] = rows(run / "history.csv")
    total = float(row["patch_rmse"]) + 0.5 * float(row["mse"]) + 2 * float(row["whisper"])
    assert float(row["loss"]) == pytest.approx(total, rel=1e-5)
    assert float(row["whisper"]) > 0.01


def test_a_recognizer_that_is_not_there_is_refused(
    small_flags, data, tmp_path, call, error_line, eager
):
    run = tmp_path / "run"
    flags = [*small_flags, f"--data={data}", f"--run={run}", "--set=losses.whisper=1"]
    code, _, err = call(command, *flags, "--set=recognizer=elsewhere")
    assert code == 1
    assert "recognizer=elsewhere: there is no such folder" in error_line(err)
    assert not run.exists()
