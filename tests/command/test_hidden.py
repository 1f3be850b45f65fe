"""Hidden folders disappear with their process, and take nothing of others with them."""

import multiprocessing
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from wideband.command import UserError, hidden, locks
from wideband.command.hidden import hidden_folder

OWNER = """
import sys, time
from pathlib import Path
from wideband.command.hidden import hidden_folder
with hidden_folder(Path(sys.argv[1])) as folder:
    (folder / "half.wav").write_text("half")
    (folder / "sub").mkdir()
    print(folder, flush=True)
    time.sleep(1000)
"""


@pytest.fixture
def owner(tmp_path):
    """Another process that has a hidden folder in tmp_path: (process, folder)."""
    line = [sys.executable, "-c", OWNER, str(tmp_path)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())
        process.kill()


@pytest.fixture(autouse=True)
def _new_process(monkeypatch):
    """Each test looks for abandoned folders as a new process does."""
    monkeypatch.setattr(hidden, "_cleared", set())


def test_a_hidden_folder_is_removed_with_what_it_holds(tmp_path):
    with hidden_folder(tmp_path) as folder:
        (folder / "a" / "b").mkdir(parents=True)
        assert folder.parent == tmp_path
    with pytest.raises(ZeroDivisionError), hidden_folder(tmp_path):
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


def test_a_hidden_folder_is_removed_although_the_working_folder_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with hidden_folder(Path()) as folder:
        assert folder.is_absolute()
        monkeypatch.chdir("/")
    assert not list(tmp_path.iterdir())


def test_a_folder_of_a_living_process_stays_and_that_of_a_killed_one_goes(tmp_path, owner):
    process, folder = owner
    with hidden_folder(tmp_path):
        assert (folder / "half.wav").exists()
    process.send_signal(signal.SIGKILL)
    process.wait()
    hidden._cleared.clear()
    with hidden_folder(tmp_path) as ours:
        assert list(tmp_path.iterdir()) == [ours]


def test_a_process_looks_for_abandoned_folders_once(tmp_path, owner):
    process, folder = owner
    with hidden_folder(tmp_path):
        pass
    process.kill()
    process.wait()
    with hidden_folder(tmp_path):
        assert folder.exists()


def abandon(parent, number):
    """Makes what a killed process leaves."""
    folder = parent / f".wideband-{number:016x}"
    folder.mkdir()
    (folder / folder.name).write_text("")
    (folder / "half.wav").write_text("half")
    return folder


def test_a_hundred_abandoned_folders_are_removed(tmp_path):
    for number in range(100):
        abandon(tmp_path, number)
    with hidden_folder(tmp_path) as ours:
        assert list(tmp_path.iterdir()) == [ours]


def test_a_folder_whose_process_was_killed_before_it_was_locked_is_removed(tmp_path):
    (tmp_path / ".wideband-0123456789abcdef").mkdir()
    with hidden_folder(tmp_path) as ours:
        assert list(tmp_path.iterdir()) == [ours]


def test_files_and_folders_of_the_user_stay(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    target = abandon(elsewhere, 1)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / ".wideband-0000000000000001").symlink_to(target)
    (mine / ".wideband-0000000000000002").write_text("a file")
    (mine / ".wideband-0000000000000003").mkdir()
    (mine / ".wideband-0000000000000003" / "notes.txt").write_text("without a lock")
    (mine / ".wideband-0000000000000004").mkdir()
    lock = mine / ".wideband-0000000000000004" / ".wideband-0000000000000004"
    lock.symlink_to(target / target.name)
    abandon(mine, 5).rename(mine / ".wideband-settings")
    (mine / ".wideband").mkdir()
    (mine / ".wideband-backup").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with hidden_folder(mine):
        pass
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_that_cannot_be_listed_can_be_written(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError

    with monkeypatch.context() as patched:
        patched.setattr(Path, "iterdir", refuse)
        with hidden_folder(tmp_path) as folder:
            assert folder.is_dir()


@pytest.mark.parametrize("without", ["fcntl", "flock"])
def test_nothing_is_removed_where_there_are_no_locks(tmp_path, monkeypatch, without):
    def unsupported(descriptor, operation):
        raise OSError("no locks")

    if without == "fcntl":
        monkeypatch.setattr(locks, "fcntl", None)
    else:
        monkeypatch.setattr(locks.fcntl, "flock", unsupported)
    theirs = abandon(tmp_path, 1)
    with hidden_folder(tmp_path) as ours:
        assert sorted(tmp_path.iterdir()) == sorted([theirs, ours])
    assert list(tmp_path.iterdir()) == [theirs]


def test_a_folder_that_another_process_removes_before_it_is_locked_is_made_again(
    tmp_path, monkeypatch
):
    made = []
    real = Path.mkdir

    def mkdir(path, *arguments):
        real(path, *arguments)
        made.append(path)
        if len(made) == 1:
            hidden._remove_abandoned(tmp_path)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with hidden_folder(tmp_path) as folder:
        assert made == [made[0], folder]
        assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("has_removed_it", [False, True])
def test_a_folder_that_another_process_locks_first_is_given_up(
    tmp_path, monkeypatch, has_removed_it
):
    calls = []

    def acquire(lock):
        calls.append(lock)
        if len(calls) == 1 and has_removed_it:
            shutil.rmtree(next(tmp_path.iterdir()))
            return True
        return len(calls) > 1

    monkeypatch.setattr(locks, "acquire", acquire)
    with hidden_folder(tmp_path) as folder:
        assert folder.exists()
    assert len(calls) == 2


def clear_and_write(parent):
    """Makes hidden folders and looks for abandoned ones, again and again."""
    for _ in range(100):
        hidden._cleared.clear()
        with hidden_folder(parent) as folder:
            (folder / "a").write_text("a")
            (folder / "a").rename(parent / "a")


def test_processes_and_threads_that_write_into_one_folder_keep_their_folders(tmp_path):
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    with context.Pool(2) as pool:
        waiting = pool.map_async(clear_and_write, [tmp_path] * 4)
        threads = [threading.Thread(target=clear_and_write, args=[tmp_path]) for _ in range(2)]
        for thread in threads:
            thread.start()
        waiting.get()
        for thread in threads:
            thread.join()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_one_process_at_a_time_holds_the_lock_of_a_folder(tmp_path):
    refused = pytest.raises(UserError, match="in use")
    with locks.locked(tmp_path, "in use"), refused, locks.locked(tmp_path, "in use"):
        pytest.fail("locked twice")
    with locks.locked(tmp_path, "in use"):
        pass
