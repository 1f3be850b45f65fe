"""The recipes: the published numbers, and what may be overridden."""

import pytest
from wideband import models
from wideband.data_gen.command import UserError
from wideband.train import recipes
from wideband.train.recipe import parse_overrides


@pytest.mark.parametrize("ratio", [2, 4, 6])
@pytest.mark.parametrize(("speakers", "stride"), [("single", 4096), ("multi", 8192)])
def test_audiounet_is_trained_as_published(speakers, stride, ratio):
    recipe = recipes.get(f"audiounet_{speakers}_{ratio}x")
    assert (recipe.model, recipe.arguments) == ("audiounet", {})
    assert (recipe.ratio, recipe.stride, recipe.patch, recipe.sample_rate) == (
        ratio,
        stride,
        8192,
        16000,
    )
    assert (recipe.learning_rate, recipe.beta_1, recipe.beta_2) == (3e-4, 0.9, 0.999)
    assert (recipe.loss, recipe.protocol) == ("patch_rmse", "decimate_spline")
    assert (recipe.batch, recipe.epochs, recipe.schedule) == (64, 120, "constant")


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_names_its_source_and_builds_its_network(name):
    recipe = recipes.get(name)
    assert recipe.name == name
    assert len(recipe.source) > 10
    assert recipe.model in models.names()
    small = models.build(recipe.model, **{**recipe.arguments, "width": 0.05})
    assert recipe.patch % small.multiple == 0


def test_an_override_changes_one_field():
    recipe = recipes.get("demo", batch=3)
    assert recipe.batch == 3
    assert recipe.patch == recipes.get("demo").patch


def test_arguments_are_merged_into_the_rows_own():
    assert recipes.get("demo", arguments={"dropout": 0.1}).arguments == {
        "width": 0.125,
        "dropout": 0.1,
    }


def test_an_unknown_recipe_is_named_with_those_that_there_are():
    with pytest.raises(UserError, match=r"'dmeo'.*demo"):
        recipes.get("dmeo")


@pytest.mark.parametrize("key", ["batches", "name"])
def test_an_unknown_override_is_refused(key):
    with pytest.raises(UserError, match=f"no '{key}' to override"):
        recipes.get("demo", **{key: 1})


def test_settings_are_read_by_the_type_of_their_field():
    settings = [
        "batch=16",
        "gain_db=3",
        "patience=none",
        "xla=true",
        "schedule=constant",
        "arguments.width=0.5",
    ]
    assert parse_overrides(settings) == {
        "batch": 16,
        "gain_db": 3.0,
        "patience": None,
        "xla": True,
        "schedule": "constant",
        "arguments": {"width": 0.5},
    }


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("batch=many", "batch takes int"),
        ("batch=1.5", "batch takes int"),
        ("batch=true", "batch takes int"),
        ("xla=1", "xla takes bool"),
        ("patience=soon", "patience takes int | None"),
        ("batch", "not of the form"),
        ("bacth=4", "no 'bacth'"),
        ("arguments=4", "arguments takes dict"),
    ],
)
def test_a_setting_of_the_wrong_form_is_refused(setting, message):
    with pytest.raises(UserError, match=message.replace("|", r"\|")):
        parse_overrides([setting])


@pytest.mark.parametrize(
    "override",
    [
        {"schedule": "linear"},
        {"precision": "float8"},
        {"protocol": "none"},
        {"model": "unet"},
        {"batch": 0},
        {"learning_rate": -1.0},
        {"steps_per_epoch": 0},
        {"patience": 0},
        {"seed": -1},
        {"spectral_weight": -0.1},
    ],
)
def test_a_value_that_cannot_work_is_refused(override):
    with pytest.raises(UserError, match=next(iter(override))):
        recipes.get("demo", **override)
