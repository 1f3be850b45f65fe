"""The registry of networks and the command that lists them."""

import subprocess
import sys

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


@pytest.mark.parametrize("arguments", [{"width": "wide"}, {"width": 0.05, "dropout": 2}])
def test_an_argument_of_the_wrong_type_or_range_is_refused_in_one_line(arguments):
    with pytest.raises(UserError, match=r"^audiounet: .+") as raised:
        models.build("audiounet", **arguments)
    assert "\n" not in str(raised.value)


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
