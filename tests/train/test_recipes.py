"""The recipes: the published numbers, and what may be overridden."""

import dataclasses

import pytest
from wideband import models
from wideband.command import UserError
from wideband.train import recipes
from wideband.train.recipe import parse_overrides

# name: (model, ratios, strides) of the papers' results
CLASSICS = {
    "audiounet": ("audiounet", (2, 4, 6), {"single": 4096, "multi": 8192, "piano": 4096}),
    "tfilm": ("tfilm", (2, 4, 8), {"single": 4096, "multi": 8192, "piano": 4096}),
    "afilm": ("afilm", (2, 4, 8), {"single": 4096, "multi": 8192, "piano": 4096}),
    "dnn": ("dnn", (2, 4, 6), {"single": 4096, "multi": 8192}),
    "tfnet": ("tfnet", (2, 4, 8), {"single": 8192, "multi": 8192}),
    "gionet": ("gionet", (4,), {"single": 2048, "multi": 2048}),
    "gionet2": ("gionet2", (4,), {"single": 2048, "multi": 2048}),
    "bini_tfnet": ("gionet", (4,), {"single": 2048, "multi": 2048}),
    "bini_tfilm": ("gionet", (4,), {"single": 2048, "multi": 2048}),
}

# name: rate, moments and epsilon of Adam, schedule, loss, batch, epochs
TRAINED = {
    "audiounet": (3e-4, 0.9, 0.999, 1e-8, "constant", "patch_rmse", 64, 120),
    "tfilm": (3e-4, 0.9, 0.999, 1e-8, "constant", "patch_rmse", 64, 50),
    "afilm": (3e-4, 0.9, 0.999, 1e-7, "constant", "mse", 16, 50),
    "dnn": (3e-4, 0.9, 0.999, 1e-8, "constant", "patch_rmse", 64, 120),
    "tfnet": (1e-4, 0.9, 0.999, 1e-8, "polynomial", "mse", 128, 200),
    "gionet": (3e-5, 0.99, 0.999, 1e-6, "polynomial", "patch_rmse", 128, 492),
    "gionet2": (3e-5, 0.99, 0.999, 1e-6, "polynomial", "patch_rmse", 128, 492),
    "bini_tfnet": (3e-5, 0.99, 0.999, 1e-6, "polynomial", "patch_rmse", 128, 492),
    "bini_tfilm": (1e-5, 0.99, 0.999, 1e-6, "constant", "patch_rmse", 128, 492),
}


@pytest.mark.parametrize("network", CLASSICS)
def test_every_published_result_has_its_recipe(network):
    model, ratios, strides = CLASSICS[network]
    for data, stride in strides.items():
        for ratio in ratios:
            recipe = recipes.get(f"{network}_{data}_{ratio}x")
            assert (recipe.model, recipe.ratio, recipe.stride) == (model, ratio, stride)
            assert (recipe.patch, recipe.sample_rate) == (8192, 16000)
            assert recipe.spectral_weight == 0
            protocol = "decimate_fft" if network == "tfnet" else "decimate_spline"
            assert recipe.protocol == protocol
            trained = (
                *(recipe.learning_rate, recipe.beta_1, recipe.beta_2, recipe.epsilon),
                *(recipe.schedule, recipe.loss, recipe.batch, recipe.epochs),
            )
            fine_tuned = recipe.initial is not None
            assert trained[: -fine_tuned or None] == TRAINED[network][: -fine_tuned or None]


@pytest.mark.parametrize(
    ("network", "epochs"),
    [("gionet", 175), ("gionet2", 246), ("bini_tfnet", 127), ("bini_tfilm", 351)],
)
def test_the_thesiss_single_speaker_runs_go_on_from_its_multi_speaker_runs(network, epochs):
    multi, single = (recipes.get(f"{network}_{data}_4x") for data in ("multi", "single"))
    assert (multi.initial, multi.patience, multi.silence_rms) == (None, 25, 0.05)
    assert (single.initial, single.patience, single.silence_rms) == (multi.name, None, 0.0)
    assert single.epochs == epochs
    assert single.arguments == multi.arguments


def test_the_keras_project_is_trained_at_its_rate_and_depths():
    for levels in (3, 4, 5):
        recipe = recipes.get(f"keras_unet_{levels}_levels_4x")
        assert (recipe.sample_rate, recipe.patch, recipe.stride) == (48000, 4096, 2048)
        assert (recipe.learning_rate, recipe.batch, recipe.loss) == (1e-4, 16, "mse")
        assert recipe.arguments == {"levels": levels}


def test_every_network_is_compared_with_the_same_budget():
    budgets = set()
    compared = [name for name in recipes.names() if name.startswith("compare_")]
    for name in compared:
        row = dataclasses.asdict(recipes.get(name))
        assert row.pop("arguments").pop("width") == 0.25
        budgets.add(str({key: row[key] for key in row if key not in ("name", "model")}))
    # Our own stand behind no paper, and have recipes of their own.
    papers = {name for name in models.names() if models.paper(name) != "this project"}
    assert {recipes.get(name).model for name in compared} == papers
    assert len(budgets) == 1


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_names_its_source_and_what_it_starts_from(name):
    recipe = recipes.get(name)
    assert recipe.name == name
    assert len(recipe.source) > 10
    assert recipe.initial in (None, *recipes.names())


# Most recipes share a network: each is built once.
@pytest.mark.parametrize(
    ("model", "arguments", "patch"),
    sorted(
        {
            (row.model, tuple(sorted({**row.arguments, "width": 0.05}.items())), row.patch)
            for row in map(recipes.get, recipes.names())
        }
    ),
)
def test_every_recipe_builds_its_network(model, arguments, patch):
    small = models.build(model, **dict(arguments))
    assert patch % small.multiple == 0


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
        {"speed_perturbation": 0.6},
        {"weight_decay": -1.0},
    ],
)
def test_a_value_that_cannot_work_is_refused(override):
    with pytest.raises(UserError, match=next(iter(override))):
        recipes.get("demo", **override)
