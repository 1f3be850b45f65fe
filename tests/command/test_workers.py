"""Worker processes run our code only, and end with the process that started them."""

import os
import signal
import time

import pytest
from wideband.command import UserError
from wideband.command.workers import map_in_order

MAP = (
    "from wideband.command.workers import map_in_order",
    "with map_in_order(2) as in_order:",
    "    print(*in_order(os.path.abspath, ['a', 'b', 'c']))",
)


def test_results_come_in_the_order_of_the_items():
    with map_in_order(2) as in_order:
        assert list(in_order(abs, range(-20, 0))) == list(range(20, 0, -1))


def test_files_of_the_user_that_are_named_like_modules_are_not_run(script, start, tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    for name in (
        "signal",
        "socket",
        "pickle",
        "random",
        "numpy",
        "threading",
        "warnings",
        "struct",
    ):
        (folder / f"{name}.py").write_text("print('the file of the user', flush=True); 1 / 0")
    process = start(script(*MAP), cwd=folder)
    out, err = process.communicate()
    assert (out, err) == (f"{folder}/a {folder}/b {folder}/c\n", "")


def test_a_killed_worker_is_one_line():
    with pytest.raises(UserError, match="a worker process was killed"), map_in_order(1) as in_order:
        list(in_order(signal.raise_signal, [signal.SIGKILL]))


@pytest.mark.parametrize("delay", [0, 0.1, 0.3])
def test_two_quick_ctrl_c_end_the_workers_while_they_start(script, start, delay):
    process = start(script("print('ready')", *MAP, "    time.sleep(1000)"))
    process.stdout.readline()
    time.sleep(delay)
    for _ in range(2):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.01)
    # The pipes close once the last process has ended.
    _, err = process.communicate(timeout=600)
    assert err == "stopped\n"
    # The second code if the main thread had no time to react, on a busy machine.
    assert process.returncode in (-signal.SIGINT, 128 + signal.SIGINT)


def test_workers_end_with_a_killed_process(script, start):
    process = start(script(*MAP, "    print('ready')", "    time.sleep(1000)"))
    assert process.stdout.readline()
    process.kill()
    process.communicate(timeout=600)


def test_workers_of_a_killed_process_leave_no_unfinished_files(script, start, tmp_path):
    program = script(
        "from wideband.command.workers import map_in_order",
        "with map_in_order(1) as in_order: list(in_order(work, [sys.argv[1]]))",
    )
    work = (
        "def work(folder):",
        "    with hidden_folder(Path(folder)):",
        "        print('ready', flush=True)",
        "        time.sleep(1000)",
    )
    # The worker finds the function outside of main.
    program.write_text("\n".join(work) + program.read_text())
    folder = tmp_path / "out"
    folder.mkdir()
    process = start(program, folder)
    assert process.stdout.readline() == "ready\n"
    assert len(list(folder.iterdir())) == 1
    process.kill()
    # The pipes close once the worker has ended.
    process.communicate(timeout=600)
    assert not list(folder.iterdir())


def test_workers_have_an_environment_of_their_own_that_the_user_may_set(monkeypatch):
    names = ["OPENBLAS_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_"]
    monkeypatch.delenv(names[0], raising=False)
    monkeypatch.setenv(names[1], "1234567")
    with map_in_order(1) as in_order:
        assert list(in_order(os.getenv, names)) == ["1", "1234567"]
    assert (names[0] in os.environ, os.environ[names[1]]) == (False, "1234567")
