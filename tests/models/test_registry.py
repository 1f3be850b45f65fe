"""The registry of networks and the command that lists them."""

import subprocess
import sys
from fractions import Fraction

import keras
import numpy as np
import pytest
from wideband import models
from wideband.command import UserError
from wideband.models import pretrained
from wideband.models.__main__ import command
from wideband.models.audiounet import AudioUNet


def test_an_unknown_network_is_refused_with_the_choices():
    with pytest.raises(UserError, match=r"^unknown network 'unet'; choose one of audiounet, "):
        models.build("unet")


def test_an_unknown_argument_is_refused_with_the_choices():
    message = "^audiounet: unknown argument 'wdith'; choose one of variant, width, dropout, init"
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


# Arguments that several networks share -> values that none of them takes.
ABSURD = {
    "width": [0, -1, 17, 1e9, 10**30, float("nan"), float("inf")],
    "patch": [0, -256, 2**20 + 1024, 10**9],
    "depth": [0, -1, 33, 10**9],
    "ratio": [0, -4, 10**9],
    "levels": [0, 99],
    "dropout": [-0.1, 1, 2, float("nan")],
    "attention_dropout": [1, float("nan")],
    "noise": [-1, 1.5, float("nan")],
    "name": ["a/b", "a\nb", 5, "\udcff"],
}


@pytest.mark.parametrize("name", models.names())
def test_absurd_values_are_refused_in_one_line_before_layers_are_built(name, monkeypatch):
    monkeypatch.setattr("keras.layers.Layer.add_weight", None)
    for argument, values in ABSURD.items():
        if argument not in models.arguments(name):
            continue
        for value in values:
            with pytest.raises(UserError) as raised:
                models.build(name, **{**models.small(name), argument: value})
            line = str(raised.value)
            assert line.startswith(f"{name}: ") and argument in line and "\n" not in line, line
            assert len(line) < 150, line


def test_arguments_are_checked_without_the_registry_too():
    with pytest.raises(UserError, match=r"^width nan must be above 0 and at most 16$"):
        AudioUNet("2017", float("nan"))
    with pytest.raises(UserError, match=r"^dropout '0.5' must be a number$"):
        AudioUNet(dropout="0.5")
    with pytest.raises(TypeError, match="wdith"):
        AudioUNet(wdith=0.5)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("tfilm", {"width": 16}, "tfilm: 17,4.* parameters are more than 1,000,000,000; choose a"),
        ("gionet", {"patch": 2**20, "width": 8}, "gionet: 1,5.*; choose a smaller patch or width$"),
    ],
)
def test_networks_that_would_fill_the_memory_are_refused(name, arguments, message, monkeypatch):
    monkeypatch.setattr("keras.initializers.Orthogonal.__call__", None)
    with pytest.raises(UserError, match=f"^{message}"):
        models.build(name, **arguments)


def test_parameters_are_counted_without_side_effects():
    keras.utils.set_random_seed(0)
    expected = models.build("streamnet", width=0.1).get_weights()
    keras.utils.set_random_seed(0)
    assert models.count_parameters("audiounet") == 56_411_394
    assert models.count_parameters("tfilm", width=0.25) == 4_269_634
    found = models.build("streamnet", width=0.1).get_weights()
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(UserError, match=r"^tfilm: patch 0 must be from 1 to 1048576$"):
        models.count_parameters("tfilm", patch=0)


def test_a_value_that_keras_refuses_is_reported_in_one_line(monkeypatch):
    def refuse(self, *args, **kwargs):
        raise ValueError("not\nthis one")

    monkeypatch.setattr("keras.layers.Dropout.__init__", refuse)
    with pytest.raises(UserError, match=r"^audiounet: not this one$"):
        models.build("audiounet", width=0.05)


def test_the_papers_of_the_networks_are_known_without_keras():
    code = """
import sys
from wideband import models
print(models.paper("tfnet"), "|", models.paper("framenet"), "|", "keras" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "Lim et al. 2018 | this project | False", done.stderr


@pytest.mark.slow
def test_the_command_lists_all_networks_and_nothing_else(call):
    code, out, err = call(command)
    # Otherwise Keras would draw the weights of all these networks when the next one is built.
    keras.utils.clear_session(free_memory=False)
    assert (code, err) == (0, "")
    networks, shipped = (
        {line.split()[0]: line for line in table.splitlines()[2:]} for table in out.split("\n\n")
    )
    assert list(networks) == models.names()
    assert list(shipped) == pretrained.names()
    assert "56,411,394" in networks["audiounet"]
    assert "Kuleshov et al. 2017" in networks["audiounet"]
    assert shipped["speech-4x"].split()[1:4] == ["framenet", "4000", "16000"]
    assert "TFLite" in shipped["phone-4x"]
