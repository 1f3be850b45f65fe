"""How commands start, read flags, and report errors."""

import errno
import logging
import os
import sys
from pathlib import Path

import pytest
from wideband.command import UserError
from wideband.command.errors import UsageError
from wideband.command.run import Command, quiet_libraries, quiet_tensorflow


def define_flags(flags):
    flags.integer("ratio", 4, "A number.", lower_bound=2)
    flags.string("data", None, "A folder.", required=True)
    flags.strings("set", [], "Overrides; repeatable.")
    flags.choice("split", "test", ["valid", "test"], "A split.")
    flags.boolean("wer", False, "A switch.")


@pytest.fixture
def command():
    """Returns a function that makes a command with these flags and the main function given."""

    def command(main, **options):
        return Command("a-command", define_flags, main, help="Does something.", **options)

    return command


def test_main_gets_the_flags_and_the_positional_arguments(command, call):
    def main(flags, arguments):
        print(flags.ratio, flags.data, flags.set, flags.split, flags.wer, arguments)

    line = ["a.wav", "--ratio=2", "--data", "d", "--set=a=1", "--set=b=2", "--wer", "b.wav"]
    code, out, err = call(command(main, positional="RECORDING..."), *line)
    assert (code, err) == (0, "")
    assert out == "2 d ['a=1', 'b=2'] test True ['a.wav', 'b.wav']\n"


def test_flags_do_not_carry_over_to_the_next_call(command, call):
    def main(flags, arguments):
        print(flags.ratio, flags.given("ratio"))

    same = command(main)
    assert call(same, "--data=d", "--ratio=2")[1] == "2 True\n"
    assert call(same, "--data=d")[1] == "4 False\n"


def test_arguments_after_two_dashes_are_positional(command, call):
    code, out, _ = call(
        command(lambda _, rest: print(rest), positional="X"), "--data=d", "--", "--x"
    )
    assert (code, out) == (0, "['--x']\n")


def test_a_user_error_is_one_line_and_exit_code_1(command, call):
    def main(flags, arguments):
        raise UserError("ratio 9 is too high")

    assert call(command(main), "--data=d") == (1, "", "error: ratio 9 is too high\n")


def test_an_error_about_a_file_is_one_line_that_names_it(command, call):
    code, _, err = call(command(lambda *_: Path("/nowhere/a.wav").read_text()), "--data=d")
    assert code == 1
    assert err.startswith("error: /nowhere/a.wav: No such file or directory; check the path")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "?"), "No space left on device; free some space"),
        (OSError(errno.EDQUOT, "?"), "quota"),
        (OSError(errno.EFBIG, "?"), "File too large; choose a folder that allows larger files"),
        (OSError(errno.EIO, "?"), "Input/output error; check the disk"),
        (OSError(errno.EMFILE, "?", b"caf\xe9.wav"), r"caf\udce9.wav: Too many open files; raise"),
        (MemoryError("8 EiB"), "not enough memory"),
    ],
)
def test_an_error_of_the_system_is_one_line_with_the_cause_and_what_to_do(
    command, call, error_line, error, words
):
    def main(flags, arguments):
        raise error

    code, _, err = call(command(main), "--data=d")
    assert code == 1
    assert words in error_line(err)


def test_a_name_with_a_line_break_or_a_terminal_code_stays_on_one_line(command, call):
    def main(flags, arguments):
        raise UserError("a\nb\x1b[2Jé\u2028c\udce9.wav is not audio")

    expected = "error: a\\nb\\x1b[2Jé\\u2028c\\udce9.wav is not audio\n"
    assert call(command(main), "--data=d") == (1, "", expected)


@pytest.mark.parametrize(
    "error", [OSError("ours"), ZeroDivisionError(), BrokenPipeError(errno.EPIPE, "of a child")]
)
def test_a_bug_keeps_its_traceback(command, error):
    def main(flags, arguments):
        raise error

    with pytest.raises(type(error)):
        command(main)(["--data=d"])


def test_ctrl_c_stops_without_a_traceback(command, call):
    def main(flags, arguments):
        raise KeyboardInterrupt

    assert call(command(main), "--data=d") == (130, "", "stopped\n")


@pytest.mark.parametrize("flag", ["--help", "-h", "--helpfull"])
def test_help_lists_the_flags_without_running(command, call, flag):
    code, out, err = call(command(lambda *_: print("ran")), flag)
    assert (code, err) == (0, "")
    assert out.startswith("Does something.\n\nusage: a-command [--flags]\n\nflags:\n")
    assert "--ratio: A number." in out and "--[no]wer: A switch." in out and "--version" in out
    assert "ran" not in out


def test_version_prints_the_installed_version(command, call):
    code, out, _ = call(command(lambda *_: print("ran")), "--version")
    assert code == 0
    assert out.startswith("wideband 0.")


@pytest.mark.parametrize("line", [[], ["--data=d", "--ratio=1"], ["--data=d", "--ratoi=2"]])
def test_a_wrong_command_line_is_one_line_and_exit_code_2(command, call, error_line, line):
    code, out, err = call(command(lambda *_: print("ran")), *line)
    assert (code, out) == (2, "")
    assert error_line(err).endswith("; see a-command --help")


def test_an_argument_of_a_command_without_arguments_is_refused(command, call):
    code, _, err = call(command(lambda *_: print("ran")), "--data=d", "a.wav")
    assert code == 2
    assert "unexpected argument 'a.wav'; flags are written --name=value" in err


def test_the_latest_command_line_is_kept_for_records(command, call):
    recorded = command(lambda *_: None)
    call(recorded, "--data=d", "--ratio=2")
    assert recorded.line() == ["a-command", "--data=d", "--ratio=2"]


def test_libraries_are_quiet_inside_the_block_and_not_afterwards(capfd):
    with quiet_libraries():
        os.write(2, b"from C++")
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_main_may_refuse_the_command_line_as_well(command, call, error_line):
    def main(flags, arguments):
        raise UsageError("name a recording")

    code, _, err = call(command(main), "--data=d")
    assert (code, error_line(err)) == (2, "error: name a recording; see a-command --help")


def test_a_package_that_a_light_install_lacks_is_named(command, call, error_line, monkeypatch):
    def main(flags, arguments):
        import scipy.signal  # noqa: F401

    for name in [name for name in sys.modules if name.partition(".")[0] == "scipy"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "scipy", None)
    code, _, err = call(command(main), "--data=d")
    assert code == 1
    assert "a-command needs scipy" in error_line(err) and "'.[train]'" in err


def test_a_missing_module_of_ours_keeps_its_traceback(command):
    def main(flags, arguments):
        import wideband.nothing  # noqa: F401

    with pytest.raises(ModuleNotFoundError):
        command(main)(["--data=d"])


def test_tensorflow_does_not_complain_about_several_networks(caplog):
    quiet_tensorflow()
    for message in ("5 out of the last 12 calls triggered tf.function retracing", "a loss of NaN"):
        logging.getLogger("tensorflow").warning(message)
    assert [record.getMessage() for record in caplog.records] == ["a loss of NaN"]
