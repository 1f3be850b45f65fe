"""The registry of networks and the command that lists them."""

import subprocess
import sys
from fractions import Fraction

import pytest
from wideband import models
from wideband.command import UserError
from wideband.models import pretrained


def test_an_unknown_network_is_refused_with_the_choices():
    with pytest.raises(UserError, match=r"^unknown network 'unet'; choose one of audiounet, "):
        models.build("unet")


def test_an_unknown_argument_is_refused_with_the_choices():
    message = "^audiounet: unknown argument 'wdith'; choose one of variant, width, dropout, name$"
    with pytest.raises(UserError, match=message):
        models.build("audiounet", wdith=0.5)


def test_the_name_of_the_keras_model_is_an_argument():
    assert models.build("dnn", patch=256, name="baseline").name == "baseline"


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("audiounet", {"width": "abc"}, "audiounet: width 'abc' must be a number"),
        ("audiounet", {"width": True}, "audiounet: width True must be a number"),
        ("dnn", {"depth": 2.5}, "dnn: depth 2.5 must be a whole number"),
        ("dnn", {"skips": 1}, "dnn: skips 1 must be true or false"),
        ("tfilm", {"blocks": None}, "tfilm: blocks None must be a string"),
        ("gionet2", {"width": "abc"}, "gionet2: width 'abc' must be a number"),
        ("streamnet", {"ratio": Fraction(441, 160)}, "streamnet: ratio 441/160 must be a whole"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_and_its_argument_named(name, arguments, message):
    with pytest.raises(UserError, match=f"^{message}"):
        models.build(name, **arguments)


def test_a_whole_number_is_accepted_where_a_float_or_a_string_is_expected():
    network = models.build("audiounet", variant=2019, width=0.02, dropout=0)
    assert network.get_config()["variant"] == "2019"


def test_a_value_that_keras_refuses_is_reported_in_one_line():
    with pytest.raises(UserError, match=r"^audiounet: .+") as raised:
        models.build("audiounet", width=0.05, dropout=2)
    assert "\n" not in str(raised.value)


def test_the_papers_of_the_networks_are_known_without_keras():
    code = """
import sys
from wideband import models
print(models.paper("tfnet"), "|", models.paper("framenet"), "|", "keras" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "Lim et al. 2018 | this project | False", done.stderr


@pytest.mark.slow
def test_the_command_lists_all_networks_and_nothing_else():
    done = subprocess.run([sys.executable, "-m", "wideband.models"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    networks, shipped = (
        {line.split()[0]: line for line in table.splitlines()[2:]}
        for table in done.stdout.split("\n\n")
    )
    assert list(networks) == models.names()
    assert list(shipped) == pretrained.names()
    assert "56,411,394" in networks["audiounet"]
    assert "Kuleshov et al. 2017" in networks["audiounet"]
    assert shipped["speech-4x"].split()[1:4] == ["framenet", "4000", "16000"]
    assert "TFLite" in shipped["phone-2x"]
