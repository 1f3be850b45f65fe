"""Trainings on several devices and in several processes, compared with those on one device."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from wideband.command import UserError
from wideband.train.__main__ import command
from wideband.train.distribution import start, strategy
from wideband.train.distribution.base import Distribution

pytestmark = pytest.mark.slow

STEPS = Path(__file__).with_name("distributed_steps.py")
# Begins with two logical devices.
TWO_DEVICES = """
import sys
from wideband.command import keras_start
keras_start.quicken()
import tensorflow as tf
devices = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], devices)
"""


@pytest.fixture
def processes(jax_environment):
    """Returns a function that starts Python with JAX; the processes end with the test."""
    started = []

    def processes(*arguments):
        line = [sys.executable, *map(str, arguments)]
        options = {"env": jax_environment, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(line, text=True, **options))
        return started[-1]

    yield processes
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def coordinator():
    """The address of a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def assert_same_losses(one, other):
    one, other = (json.loads(path.read_text()) for path in (one, other))
    assert set(one) == {"regression", "adversarial", "diffusion"}
    for method, losses in one.items():
        assert len(losses) > 10
        assert other[method] == pytest.approx(losses, rel=1e-5), method


def test_two_devices_have_the_losses_of_one(tmp_path):
    """The last batch of three examples cannot be divided."""
    script = f"sys.path[:0] = [{str(STEPS.parent)!r}]\nfrom distributed_steps import main\n"
    for kind in ("none", "mirrored"):
        script += f"main('{kind}.json', '4,4,3', '{kind}')\n"
    subprocess.run([sys.executable, "-c", TWO_DEVICES + script], cwd=tmp_path, check=True)
    assert_same_losses(tmp_path / "none.json", tmp_path / "mirrored.json")


def test_two_processes_have_the_losses_of_one(processes, coordinator, tmp_path):
    pytest.importorskip("jax")
    one, first, second = (tmp_path / f"{name}.json" for name in ("one", "first", "second"))
    running = [processes(STEPS, one, "4,4,2", "none")]
    for number, output in enumerate((first, second)):
        running.append(processes(STEPS, output, "4,4,2", "multihost", coordinator, number))
    for process in running:
        _, err = process.communicate(timeout=600)
        assert process.returncode == 0, err
    assert first.read_text() == second.read_text()
    assert_same_losses(one, first)


def test_a_run_continues_on_two_devices(finished, stopped, history, small_flags, data):
    flags = [*small_flags, f"--data={data}", f"--run={stopped}", "--distribute=mirrored"]
    script = TWO_DEVICES + (
        "from wideband.train.__main__ import command\nsys.exit(command(sys.argv[1:]))"
    )
    subprocess.run([sys.executable, "-c", script, *flags], check=True)
    one, two = ([float(row["loss"]) for row in history(folder)] for folder in (finished, stopped))
    assert len(two) == 3 and two == pytest.approx(one, rel=1e-5)


def test_a_run_stops_if_a_process_dies_and_continues(
    processes, coordinator, small_flags, data, rows, tmp_path
):
    pytest.importorskip("jax")
    run = tmp_path / "run"
    settings = ["model=dnn", "arguments.width=0.2", "arguments.depth=2"]
    settings += ["epochs=1000", "steps_per_epoch=2"]
    flags = [*small_flags, *(f"--set={each}" for each in settings), f"--data={data}"]
    flags += [f"--run={run}", "--distribute=multihost", "--processes=2"]

    def begin(*more):
        numbered = ([*flags, f"--process={number}", *more] for number in range(2))
        return [processes("-m", "wideband.train", *each) for each in numbered]

    first, second = begin(f"--coordinator={coordinator}")
    while not (run / "history.csv").exists():
        assert first.poll() is None, first.communicate()
        time.sleep(0.1)
    second.kill()
    _, err = first.communicate(timeout=600)
    assert first.returncode == 1
    assert err.splitlines()[-1].startswith("error: another process of this training has ended, ")
    before = rows(run / "history.csv")
    # The run is to end with the next epoch.
    record = json.loads((run / "run.json").read_text())
    record["recipe"]["epochs"] = len(before) + 1
    (run / "run.json").write_text(json.dumps(record))
    host, port = coordinator.split(":")
    running = begin(f"--coordinator={host}:{int(port) + 1}", f"--set=epochs={len(before) + 1}")
    for process in running:
        _, err = process.communicate(timeout=600)
        assert process.returncode == 0, err
    after = rows(run / "history.csv")
    assert after[:-1] == before and float(after[-1]["loss"]) > 0


# === Mistakes ===


def test_processes_that_do_not_find_each_other_end_with_an_error(processes, coordinator):
    pytest.importorskip("jax")
    code = f"""
from wideband.train.distribution import mesh
mesh.TIMEOUT_SECONDS = 1
mesh.connect({coordinator!r}, 2, 1)
"""
    process = processes("-c", code)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 1
    line = err.splitlines()[-1]
    assert line.startswith("error: --distribute=multihost: the processes did not find each other")


def test_a_batch_that_cannot_be_divided_is_refused(experiment):
    class Three(Distribution):
        devices = 3

    described = experiment()
    with pytest.raises(UserError, match="batch 4 cannot be divided among 3 devices; set a mult"):
        type(described)(described.recipe, described.dataset, distribution=Three())


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("mirrored", "^--distribute=mirrored needs several GPUs, and TensorFlow finds one "),
        ("multihost", "^--distribute=multihost needs JAX, and Keras uses tensorflow; set the envi"),
    ],
)
def test_missing_devices_are_named(kind, message):
    with pytest.raises(UserError, match=message):
        start(kind)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"jit_compile": True}, "^xla=true: TensorFlow does not compile steps of several devices"),
        ({"weights_of_losses": {"mel_convergence": 1.0}}, "^losses.mel_convergence: depends on "),
    ],
)
def test_steps_that_devices_cannot_divide_are_refused(settings, message):
    objective = SimpleNamespace(**{"jit_compile": False, "weights_of_losses": {}} | settings)
    with pytest.raises(UserError, match=message):
        strategy.check(objective)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--distribute=all"], "--distribute=all: value should be one of <none|mirrored|tpu|mult"),
        (["--process=1"], "--process is for --distribute=multihost"),
    ],
)
def test_wrong_flags_are_named(data, tmp_path, call, error_line, flags, message):
    options = ["--recipe=demo", f"--data={data}", f"--run={tmp_path / 'run'}"]
    code, _, err = call(command, *options, *flags)
    assert code == 2 and message in error_line(err)
    assert not (tmp_path / "run").exists()
