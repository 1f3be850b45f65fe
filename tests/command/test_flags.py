"""Flags take what is allowed; everything else is one line that says what is."""

import pytest
from wideband.command.errors import UsageError
from wideband.command.flags import Flags


@pytest.fixture
def flags():
    """The flags of a command, not yet set."""
    flags = Flags()
    flags.string("data", None, "A folder.", required=True)
    flags.string("licence", "", "May be empty.")
    flags.strings("set", [], "Overrides; repeatable.")
    flags.comma_list("baselines", ["spline"], "Models.")
    flags.integer("seed", 0, "A seed.")
    flags.integer("ratio", 4, "A number.", lower_bound=2)
    flags.integer("window", None, "A number.", lower_bound=1, upper_bound=1000)
    flags.number("cutoff_hz", None, "A number.", lower_bound=0)
    flags.number("fraction", 0.5, "A number.", lower_bound=0, upper_bound=1)
    flags.number("gain_db", 0.0, "A number.")
    flags.choice("split", "test", ["valid", "test"], "A split.")
    flags.boolean("wer", False, "A switch.")
    return flags


def test_flags_have_the_values_of_the_command_line_or_their_defaults(flags):
    line = ["a.wav", "--data=d", "--ratio=2", "--fraction", "1", "--gain_db=-3.5e1", "--wer"]
    assert flags.parse([*line, "--set=a=1", "--set=b=2", "b.wav"]) == ["a.wav", "b.wav"]
    assert (flags.data, flags.ratio, flags.fraction, flags.gain_db) == ("d", 2, 1.0, -35.0)
    assert (flags.window, flags.seed, flags.split, flags.wer) == (None, 0, "test", True)
    assert flags.set == ["a=1", "b=2"]
    assert isinstance(flags.ratio, int) and isinstance(flags.fraction, float)
    assert flags.given("ratio") and not flags.given("seed")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["--ratoi=2"], "unknown flag --ratoi; did you mean --ratio?"),
        (["--nothing"], "unknown flag --nothing"),
        (["--split=train"], "--split=train: value should be one of <valid|test>"),
        (["--wer=perhaps"], "--wer=perhaps: write --wer or --nower"),
        (["--nower=1"], "--nower=1 does not take an argument"),
        (["--ratio"], "Missing value for flag --ratio"),
    ],
)
def test_a_wrong_flag_is_named(flags, line, message):
    with pytest.raises(UsageError) as raised:
        flags.parse(["--data=d", *line])
    assert str(raised.value) == message


def test_a_missing_flag_is_named(flags):
    with pytest.raises(UsageError, match=r"^--data is missing$"):
        flags.parse([])


@pytest.mark.parametrize(
    ("flag", "values", "allowed"),
    [
        ("seed", ["-1", "2147483648", "1" * 5000], "a whole number from 0 to 2147483647"),
        ("ratio", ["two", "1", "2.5", "4e0", "nan", ""], "a whole number from 2 to 2147483647"),
        ("window", ["0", "1001", "1e3"], "a whole number from 1 to 1000"),
        ("cutoff_hz", ["nan", "inf", "-0.1", "high"], "a number of at least 0"),
        ("fraction", ["nan", "1.1", "-1e-9", "1e999"], "a number from 0 to 1"),
        ("gain_db", ["nan", "-inf", "inf", "loud"], "a finite number"),
    ],
)
def test_a_number_that_is_not_allowed_is_refused_with_what_is(flags, flag, values, allowed):
    for value in values:
        with pytest.raises(UsageError) as raised:
            flags.parse(["--data=d", f"--{flag}={value}"])
        assert str(raised.value) == f"--{flag}={value}: must be {allowed}"
    assert f"({allowed})" in flags.get_help()


@pytest.mark.parametrize(
    "line", [["--data="], ["--data=d", "--set="], ["--data=d", "--set=a", "--set", ""]]
)
def test_an_empty_value_is_refused(flags, line):
    with pytest.raises(
        UsageError, match=r"^--(data|set) has an empty value; write one or leave it"
    ):
        flags.parse(line)


def test_an_empty_item_of_a_list_is_refused_and_an_empty_list_is_not(flags):
    with pytest.raises(UsageError, match=r"^--baselines has an empty value"):
        flags.parse(["--data=d", "--baselines=spline,,sinc"])
    flags.parse(["--data=d", "--baselines="])
    assert flags.baselines == []


def test_an_empty_argument_is_refused(flags):
    with pytest.raises(UsageError, match=r"^an argument is empty; write one or leave it out$"):
        flags.parse(["--data=d", "a.wav", ""])


def test_a_flag_that_is_empty_by_default_may_be_empty(flags):
    assert flags.parse(["--data=d", "--licence="]) == []


def test_flags_of_another_program_need_the_flag_that_passes_them_on(flags):
    flags.string("runner", None, "A program.")
    flags.pass_on_with("runner")
    line = ["a.wav", "--data=d", "--workers=2", "--no_wait", "--seed=3"]
    with pytest.raises(UsageError, match="unknown flag --workers"):
        flags.parse(line)
    assert flags.parse([*line, "--runner=x"]) == ["a.wav"]
    assert (flags.others, flags.seed) == (["--workers=2", "--no_wait"], 3)
