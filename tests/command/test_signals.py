"""Signals end a command at once, and nothing unfinished stays."""

import os
import signal
import time

import pytest

HALF = (
    "with hidden_folder(Path(sys.argv[1])) as folder:",
    "    (folder / 'half.wav').write_text('half')",
)


@pytest.fixture
def folder(tmp_path):
    """An empty folder to write to."""
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def wait_for_line(process):
    assert process.stdout.readline() == "ready\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("times", [1, 20])
def test_a_signal_ends_the_process_and_removes_unfinished_files(
    script, start, folder, number, times
):
    process = start(script(*HALF, "    print('ready'); time.sleep(1000)"), folder)
    wait_for_line(process)
    assert len(list(folder.glob("*/half.wav"))) == 1
    for _ in range(times):
        os.kill(process.pid, number)
        time.sleep(0.001)
    _, err = process.communicate(timeout=600)
    assert (process.returncode, err) == (-number, "stopped\n")
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    "lines",
    [
        # Libraries catch what happens while they load their parts.
        ["try: print('ready'); time.sleep(1000)", "except BaseException: time.sleep(100)"],
        # What is raised in a callback of the garbage collector is lost.
        [
            "import gc; gc.callbacks.append(lambda *_: time.sleep(1000))",
            "print('ready'); gc.collect()",
        ],
        ["import hashlib; print('ready'); hashlib.pbkdf2_hmac('md5', b'', b'', 2**31 - 1)"],
    ],
    ids=["import", "callback", "computation"],
)
def test_a_signal_is_not_swallowed(script, start, folder, lines):
    process = start(script(*HALF, *(f"    {line}" for line in lines)), folder)
    wait_for_line(process)
    time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=600)
    assert err == "stopped\n"
    # In the last case, the main thread cannot react.
    assert process.returncode in (-signal.SIGTERM, 128 + signal.SIGTERM)
    assert not list(folder.iterdir())


def test_signals_while_files_are_removed_change_nothing(script, start, folder):
    many = "    for number in range(500): (folder / str(number)).touch()"
    process = start(script(*HALF, many, "    print('ready'); time.sleep(1000)"), folder)
    wait_for_line(process)
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.001)
    assert process.returncode == -signal.SIGINT
    assert not list(folder.iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_an_ignored_signal_stays_ignored(script, start, tmp_path, number):
    """As under nohup, and in the background jobs of a script."""
    path = script("print('ready'); sys.stdin.readline(); print('finished')")
    wrapper = tmp_path / "wrapper.py"
    wrapper.write_text(
        "import os, signal, sys\n"
        f"signal.signal({int(number)}, signal.SIG_IGN)\n"
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])\n"
    )
    process = start(wrapper, path, stdin=-1)
    wait_for_line(process)
    process.send_signal(number)
    time.sleep(0.05)
    assert process.communicate("go on\n", timeout=600) == ("finished\n", "")
    assert process.returncode == 0


def test_functions_are_called_at_the_end_although_one_fails(script, start, folder):
    lines = (
        "from wideband.command.signals import at_end",
        "def touch(name): Path(sys.argv[1], name).touch()",
        "with at_end(lambda: touch('too early')): pass",
        "with at_end(lambda: touch('missing/a')), at_end(lambda: touch('b')):",
        "    print('ready'); time.sleep(1000)",
    )
    process = start(script(*lines), folder)
    wait_for_line(process)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=600)[1] == "stopped\n"
    assert [path.name for path in folder.iterdir()] == ["b"]


def test_other_threads_start_nothing_after_a_signal(script, start, folder):
    """As those that run one program after the other, which a signal ends."""
    lines = (
        "import threading",
        "from wideband.command.signals import at_end",
        "first, ended = threading.Event(), threading.Event()",
        "def work():",
        "    with hidden_folder(Path(sys.argv[1])):",
        "        first.set(); ended.wait()",
        "    while True:",
        "        with hidden_folder(Path(sys.argv[1])): time.sleep(0.2)",
        "def kill(): ended.set(); time.sleep(0.1)",
        "with at_end(kill):",
        "    threading.Thread(target=work, daemon=True).start()",
        "    first.wait(); print('ready'); time.sleep(1000)",
    )
    process = start(script(*lines), folder)
    wait_for_line(process)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=600)[1] == "stopped\n"
    assert process.returncode == -signal.SIGTERM
    assert not list(folder.iterdir())


def test_a_function_that_is_wrong_does_not_keep_the_process(script, start):
    lines = ("from wideband.command.signals import at_end", "with at_end(lambda: 1 / 0):")
    process = start(script(*lines, "    print('ready'); time.sleep(1000)"))
    wait_for_line(process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=600)
    assert process.returncode == -signal.SIGINT


def test_a_short_block_is_finished_before_the_end(script, start):
    lines = (
        "import signal",
        "from wideband.command.signals import held",
        "with held():",
        "    signal.raise_signal(signal.SIGTERM)",
        "    print('finished')",
        "print('too late')",
    )
    process = start(script(*lines))
    assert process.communicate(timeout=600) == ("finished\n", "stopped\n")
    assert process.returncode in (-signal.SIGTERM, 128 + signal.SIGTERM)
