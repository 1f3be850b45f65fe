"""Standard streams that are closed, full, or in an encoding that lacks a character."""

import os
import signal
import subprocess
import sys

import pytest

NAME = r"'é \u4e2d caf\udce9.wav'"
ESCAPED = r"\xe9 \u4e2d caf\udce9.wav" + "\n"


def test_a_reader_that_stops_early_ends_the_command_silently(script, start):
    process = start(script("for i in range(100000): print(i)"))
    assert process.stdout.readline() == "0\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(600) == -signal.SIGPIPE


def test_the_help_may_be_cut_short(script, shell):
    done = shell("set -o pipefail; $program --help | head -c 2", script("pass"))
    assert (done.stdout, done.stderr) == ("C\n"[:2], "")


@pytest.mark.parametrize("target", ["/dev/full", "&-"])
@pytest.mark.parametrize("option", ["", "--help"])
def test_output_that_cannot_be_written_is_an_error(script, shell, error_line, target, option):
    path = script("print('result')")
    done = shell(f"$program {option} >{target}", path)
    assert done.returncode == 1
    assert error_line(done.stderr).startswith("error: standard output: ")
    assert ("No space left on device" in done.stderr) == (target == "/dev/full")


def test_an_unfinished_line_that_cannot_be_written_is_an_error(script, shell, error_line):
    done = shell("$program >/dev/full", script("print('result', end='')"))
    assert done.returncode == 1
    assert error_line(done.stderr).startswith("error: standard output: No space left on device")


def test_raw_output_that_cannot_be_written_is_an_error(script, shell, error_line):
    done = shell("$program >/dev/full", script("sys.stdout.buffer.write(bytes(10**6))"))
    assert done.returncode == 1
    assert error_line(done.stderr).startswith("error: standard output: No space left on device")


@pytest.mark.parametrize(
    "closed", [">&-", "<&-", "2>&-", ">/dev/full", "2>/dev/full", ">&- <&- 2>&-"]
)
def test_a_command_that_writes_files_only_needs_no_streams(script, shell, tmp_path, closed):
    lines = (
        "Path(sys.argv[1]).write_text('content')",
        "os.close(os.open(sys.argv[1], os.O_RDONLY))",
    )
    done = shell(f"$program {tmp_path / 'a.txt'} {closed}", script(*lines))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "a.txt").read_text() == "content"


def test_output_does_not_end_up_in_a_file_that_is_open(script, shell, tmp_path):
    lines = ("with open(sys.argv[1], 'w') as file:", "    file.write('content')", "    print('x')")
    done = shell(f"$program {tmp_path / 'a.txt'} >&-", script(*lines))
    assert done.returncode == 1
    assert (tmp_path / "a.txt").read_text() == "content"


@pytest.mark.parametrize("stream", ["2>&-", "2>/dev/full"])
def test_a_message_or_progress_bar_that_cannot_be_written_is_lost(script, shell, stream):
    lines = ("import tqdm; list(tqdm.tqdm(range(10)))", "print('result')", "raise UserError('no')")
    done = shell(f"$program {stream}", script(*lines))
    assert (done.returncode, done.stdout) == (1, "result\n")


@pytest.mark.parametrize("read", ["sys.stdin.buffer.read()", "sys.stdin.buffer.read(2)", "input()"])
def test_a_closed_standard_input_is_an_error(script, shell, error_line, read):
    done = shell("$program <&-", script(read))
    assert done.returncode == 1
    assert error_line(done.stderr).startswith("error: standard input: ")


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "ascii:strict"},
    ],
)
def test_characters_that_the_encoding_lacks_are_escaped(script, shell, environment):
    lines = (
        f"name = {NAME}",
        "print(name)",
        "import tqdm; list(tqdm.tqdm([1], desc=name, file=sys.stdout))",
        "raise UserError(name)",
    )
    done = shell("$program", script(*lines), **environment)
    assert done.returncode == 1
    assert done.stdout.startswith(ESCAPED)
    assert done.stderr == f"error: {ESCAPED}"


def test_a_name_that_is_not_in_the_encoding_is_escaped(script, shell):
    done = shell("$program", script(f"print({NAME})"), PYTHONIOENCODING="utf-8")
    assert (done.returncode, done.stdout) == (0, "é \u4e2d caf\\udce9.wav\n")


def test_each_line_is_written_at_once(script, start):
    process = start(script("print('first'); os._exit(0)"))
    assert process.communicate() == ("first\n", "")


def test_a_process_exits_with_the_code_of_the_command(script, start):
    process = start(script("print('début')", "raise UserError('no')"))
    assert process.communicate() == ("début\n", "error: no\n")
    assert process.returncode == 1


def test_a_module_of_the_user_in_the_working_folder_is_not_run(script, tmp_path):
    script("import colorsys; print('done')")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "colorsys.py").write_text("raise SystemExit('the user\\'s file')")
    done = subprocess.run(
        [sys.executable, "-m", "program"],
        cwd=tmp_path / "here",
        env={"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("done\n", "")
