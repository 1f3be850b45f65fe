"""Networks and recipes that other packages add: every command knows them."""

import pytest
from wideband import models
from wideband.command import UserError
from wideband.train import recipes
from wideband.train.__main__ import command

# A class is written here as a function, so that Keras is not needed.
CODE = """
from wideband.train.recipe import Recipe

def tiny(width=1.0, name="tiny"):
    from wideband.models.keras_unet import KerasUNet
    return KerasUNet(width=width * 0.1, name=name)

tiny.paper = "Somebody 2026"
tiny.small = {"width": 0.5}
TINY = Recipe(name="tiny_4x", source="Somebody 2026, table 1", model="tiny", epochs=1)
"""
ENTRIES = {"networks": "tiny = tiny_paper:tiny", "recipes": "tiny_4x = tiny_paper:TINY"}


@pytest.fixture
def tiny(package):
    package("tiny_paper", CODE, **ENTRIES)


def test_a_network_of_another_package_is_one_of_the_networks(tiny):
    assert models.names() == [*models.own_names(), "tiny"]
    assert models.arguments("tiny") == {"width": 1.0, "name": "tiny"}
    assert (models.paper("tiny"), models.small("tiny")) == ("Somebody 2026", {"width": 0.5})
    assert models.band_hz("tiny") is None
    assert models.build("tiny", width=0.5).count_params() > 0
    with pytest.raises(UserError, match=r"^tiny: unknown argument 'wdith'; choose one of width"):
        models.build("tiny", wdith=1)


def test_a_network_without_attributes_of_its_own_has_defaults(package):
    package("tiny_paper", "def tiny(name='tiny'): ...", networks="tiny = tiny_paper:tiny")
    assert (models.paper("tiny"), models.small("tiny")) == ("unpublished", {})


def test_a_network_that_cannot_be_called_is_refused(package):
    package("tiny_paper", "tiny = 3", networks="tiny = tiny_paper:tiny")
    with pytest.raises(UserError, match="cannot be used: 3 is neither a class nor a function"):
        models.build("tiny")


def test_a_recipe_of_another_package_is_one_of_the_recipes(tiny, call):
    assert recipes.names()[-1] == "tiny_4x"
    assert recipes.get("tiny_4x", batch=2).batch == 2
    code, out, _ = call(command, "--recipe=list")
    assert code == 0
    assert out.splitlines()[-1].split(None, 1) == ["tiny_4x", "Somebody 2026, table 1"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("TINY = {}", "{} is not a wideband.train.recipe.Recipe"),
        (
            CODE.replace('"tiny_4x"', '"tiny"'),
            "the recipe's name is 'tiny'; give it that of its entry point",
        ),
        (CODE.replace("epochs=1", "epochs=0"), "epochs 0 must be from 1 to 1000000"),
    ],
)
def test_what_is_not_a_recipe_is_refused_in_one_line(package, call, error_line, code, reason):
    package("tiny_paper", code, **ENTRIES)
    code, _, err = call(command, "--recipe=tiny_4x", "--data=x", "--run=y")
    assert code == 1
    assert f"tiny_paper:TINY, cannot be used: {reason}" in error_line(err)


@pytest.mark.slow
def test_a_run_of_another_packages_network_is_trained_and_loaded(tiny, data, tmp_path, call):
    from wideband.upsample import load

    run = tmp_path / "run"
    steps = ["--set=steps_per_epoch=1", "--set=batch=1", "--set=stride=8192"]
    code, _, err = call(command, "--recipe=tiny_4x", *steps, f"--data={data}", f"--run={run}")
    assert code == 0, err
    assert load(run).network.name == "tiny"
