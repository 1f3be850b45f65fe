"""How commands start and tell a user of a mistake."""

import subprocess
import sys

import pytest
from wideband.command.files import replacing

SCRIPT = """
from absl import flags
from wideband.data_gen.command import UserError, run_command
flags.DEFINE_integer("ratio", 4, "A number.")
def main(arguments):
    {body}
run_command(main)
"""


def run(body, *arguments):
    script = SCRIPT.format(body=body)
    # The script is given in place of a file, so argv[0] is "-c".
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False
    )


def test_main_gets_the_arguments_and_the_flags():
    result = run("print(arguments, flags.FLAGS.ratio)", "a.wav", "--ratio=2", "b.wav")
    assert (result.returncode, result.stdout) == (0, "['a.wav', 'b.wav'] 2\n")


def test_a_users_mistake_is_one_line_and_exit_code_1():
    result = run("raise UserError('ratio 9 is too high')")
    assert (result.returncode, result.stderr) == (1, "error: ratio 9 is too high\n")


def test_an_error_about_a_file_is_one_line_that_names_it():
    result = run("open('/nowhere/a.wav')")
    assert result.returncode == 1
    assert result.stderr == "error: /nowhere/a.wav: No such file or directory\n"


@pytest.mark.parametrize("body", ["raise OSError('ours')", "1 / 0"])
def test_a_mistake_of_ours_keeps_its_traceback(body):
    result = run(body)
    assert result.returncode == 1
    assert "Traceback" in result.stderr


def test_ctrl_c_stops_without_a_traceback():
    result = run("raise KeyboardInterrupt")
    assert (result.returncode, result.stderr) == (1, "stopped\n")


@pytest.mark.parametrize("flag", ["--ratoi=2", "--ratio=two"])
def test_a_wrong_flag_is_an_error(flag):
    result = run("print('ran')", flag)
    assert result.returncode == 1
    assert "ran" not in result.stdout
    assert flag[2:7] in result.stderr
    assert "Traceback" not in result.stderr


def test_a_replaced_file_appears_once_it_is_whole(tmp_path):
    path = tmp_path / "new" / "a.csv"
    with replacing(path) as temporary:
        assert temporary.parent == path.parent
        assert temporary.name.endswith(path.suffix)
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_keeps_the_old_file_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
