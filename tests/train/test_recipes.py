"""The recipes: the published numbers, and networks that can be built."""

import dataclasses

import pytest
from wideband import models
from wideband.command import UserError
from wideband.train import recipes
from wideband.train.recipe import Adversarial

# The results of the papers: name -> model, ratios, data -> stride
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

# name -> learning rate, moments, epsilon and schedule of Adam; loss, batch, epochs
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
    rate, beta_1, beta_2, epsilon, schedule, loss, batch, epochs = TRAINED[network]
    for data, stride in strides.items():
        for ratio in ratios:
            recipe = recipes.get(f"{network}_{data}_{ratio}x")
            assert (recipe.model, recipe.ratio, recipe.stride) == (model, ratio, stride)
            assert (recipe.patch, recipe.sample_rate) == (8192, 16000)
            assert recipe.protocol == ("decimate_fft" if network == "tfnet" else "decimate_spline")
            adam = recipe.optimizer
            assert (adam.learning_rate, adam.beta_1, adam.beta_2) == (rate, beta_1, beta_2)
            assert (adam.epsilon, adam.schedule, adam.weight_decay) == (epsilon, schedule, 0)
            assert (recipe.losses, recipe.batch) == ({loss: 1.0}, batch)
            assert recipe.epochs == epochs or recipe.starts_from is not None


@pytest.mark.parametrize(
    ("network", "epochs"),
    [("gionet", 175), ("gionet2", 246), ("bini_tfnet", 127), ("bini_tfilm", 351)],
)
def test_single_speaker_runs_of_the_thesis_start_from_its_multi_speaker_runs(network, epochs):
    multi, single = (recipes.get(f"{network}_{data}_4x") for data in ("multi", "single"))
    assert (multi.starts_from, multi.patience, multi.augmentation.silence_rms) == (None, 25, 0.05)
    assert (single.starts_from, single.patience) == (multi.name, None)
    assert single.augmentation.silence_rms == 0.0
    assert single.epochs == epochs
    assert single.arguments == multi.arguments


def test_the_keras_project_is_trained_at_its_rate_and_depths():
    for levels in (3, 4, 5):
        recipe = recipes.get(f"keras_unet_{levels}_levels_4x")
        assert (recipe.sample_rate, recipe.patch, recipe.stride) == (48000, 4096, 2048)
        assert (recipe.optimizer.learning_rate, recipe.batch) == (1e-4, 16)
        assert recipe.losses == {"mse": 1.0}
        assert recipe.arguments == {"levels": levels}


def test_apbwe_is_trained_at_both_rates_as_published():
    for sample_rate, ratios in ((16000, (2, 4, 8)), (48000, (2, 3, 4, 6))):
        for ratio in ratios:
            recipe = recipes.get(f"apbwe_{sample_rate // 1000}k_{ratio}x")
            assert (recipe.model, recipe.arguments) == ("apbwe", {})
            assert (recipe.sample_rate, recipe.ratio) == (sample_rate, ratio)
            assert (recipe.protocol, recipe.patch, recipe.batch) == ("hann_sinc", 8000, 16)
            # 90 for the mean of two parts is 45 for their sum.
            assert recipe.losses == {
                "amplitude": 45, "phase": 100, "complex_spectrum": 45, "consistency": 45,
            }  # fmt: skip
            assert recipe.critics == {
                "multi_period": 1, "multi_resolution_amplitude": 0.1, "multi_resolution_phase": 0.1,
            }  # fmt: skip
            assert recipe.adversarial == Adversarial("hinge", critic_width=1, feature_matching=1)
            adam = recipe.optimizer
            assert (adam.learning_rate, adam.beta_1, adam.beta_2) == (2e-4, 0.8, 0.99)
            assert (adam.epsilon, adam.weight_decay, adam.schedule) == (1e-8, 0.01, "exponential")
            assert (adam.clip_norm, adam.average) == (10, 0)


def test_cmgan_is_trained_as_published():
    for ratio in (2, 4, 8):
        recipe = recipes.get(f"cmgan_multi_{ratio}x")
        assert (recipe.model, recipe.arguments, recipe.ratio) == ("cmgan", {}, ratio)
        # Two seconds.
        assert (recipe.sample_rate, recipe.patch, recipe.batch) == (16000, 32000, 4)
        assert recipe.losses == {"complex_spectrum": 0.1, "magnitude": 0.9, "relative_l1": 0.2}
        assert recipe.critics == {"metric": 0.05}
        assert (recipe.adversarial.opinion, recipe.adversarial.feature_matching) == (1, 0)
        assert (recipe.epochs, recipe.steps_per_epoch) == (120, 11572 // 4)
        adam = recipe.optimizer
        assert (adam.learning_rate, recipe.adversarial.critic_rate) == (5e-4, 2)
        # PyTorch's AdamW.
        assert (adam.beta_1, adam.beta_2, adam.epsilon) == (0.9, 0.999, 1e-8)
        assert (adam.weight_decay, adam.schedule) == (0.01, "halving")


def test_the_conformer_is_trained_for_three_ratios_on_a_laptop_and_on_a_gpu(outline):
    for ratio in (2, 4, 8):
        laptop, large = (recipes.get(f"conformer_{size}{ratio}x") for size in ("", "large_"))
        for recipe in (laptop, large):
            assert (recipe.model, recipe.ratio) == ("conformer", ratio)
            assert recipe.losses == {"amplitude": 45.0, "log_spectral": 30.0}
            assert recipe.augmentation.random_lowpass > 0
        # 16 patches of 128 frames, or as many frames in longer patches.
        assert laptop.batch * laptop.patch == 16 * 128 * 128
    network = outline("conformer", **recipes.get("conformer_large_4x").arguments)
    assert network.count_params() == 12_937_900


def test_every_network_is_compared_with_the_same_budget():
    budgets = set()
    compared = [name for name in recipes.names() if name.startswith("compare_")]
    for name in compared:
        row = dataclasses.asdict(recipes.get(name))
        ours = models.paper(row["model"]) == "this project"
        assert row["arguments"].get("width", 1.0) == (1.0 if ours else 0.25)
        own = ("name", "model", "arguments", "losses")
        budgets.add(str({key: row[key] for key in row if key not in own}))
    # Those on mel spectrograms and those for any band are trained on other low sides.
    any_band = {"nvsr", "overtonenet", "phonenet", "fullbandnet"}
    apart = {"melgan", "melnext", *any_band, *models.vocoders()}
    assert {recipes.get(name).model for name in compared} == set(models.names()) - apart
    assert len(budgets) == 1


def test_networks_that_predict_spectra_are_compared_with_the_losses_of_their_recipes():
    originals = {
        "apbwe": "apbwe_16k_4x",
        "cmgan": "cmgan_multi_4x",
        "conformer": "conformer_4x",
        "framenet": "speech_4x",
        "streamnet": "stream_4x",
    }
    compared = [recipes.get(name) for name in recipes.names() if name.startswith("compare_")]
    assert originals.keys() <= {recipe.model for recipe in compared}
    for recipe in compared:
        original = originals.get(recipe.model)
        expected = recipes.get(original).losses if original else {"patch_rmse": 1.0}
        assert recipe.losses == expected


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_names_its_source_and_what_it_starts_from(name):
    recipe = recipes.get(name)
    assert recipe.name == name
    assert len(recipe.source) > 10
    assert recipe.starts_from in (None, *recipes.names())


# Many recipes share a network, which is built only once.
@pytest.mark.parametrize(
    ("model", "arguments", "patch"),
    sorted(
        {
            (row.model, tuple(sorted({**row.arguments, "width": 0.125}.items())), row.patch)
            for row in map(recipes.get, recipes.names())
            if row.model in models.names()
        }
    ),
)
def test_every_recipe_has_patches_that_its_network_takes(outline, model, arguments, patch):
    network = outline(model, **dict(arguments))
    assert patch % (network.multiple * network.factor) == 0


def test_an_override_changes_one_field_and_keeps_the_others():
    recipe = recipes.get("demo", batch=3)
    assert recipe == dataclasses.replace(recipes.get("demo"), batch=3)


def test_a_dict_overrides_only_the_entries_that_it_names():
    recipe = recipes.get(
        "demo",
        arguments={"dropout": 0.1},
        losses={"mse": 2.0, "log_spectral": 0},
        optimizer={"learning_rate": 0.5},
        augmentation={"gain_db": 6.0},
    )
    assert recipe.arguments == {"width": 0.125, "dropout": 0.1}
    assert recipe.losses == {"patch_rmse": 1.0, "mse": 2.0}
    assert (recipe.optimizer.learning_rate, recipe.optimizer.schedule) == (0.5, "cosine")
    assert recipe.augmentation.gain_db == 6.0


def test_an_unknown_recipe_is_refused_and_the_known_ones_are_listed():
    with pytest.raises(UserError, match=r"unknown recipe 'dmeo'; choose one of demo, "):
        recipes.get("dmeo")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batches": 1}, "unknown field 'batches' of a recipe; choose one of source, model"),
        ({"name": "mine"}, "unknown field 'name'"),
        (
            {"optimizer": {"rate": 1}},
            "unknown field 'optimizer.rate'.* choose one of learning_rate",
        ),
        ({"losses": {"mae": 1}}, "unknown loss 'mae'"),
    ],
)
def test_an_unknown_override_is_refused(changes, message):
    with pytest.raises(UserError, match=message):
        recipes.get("demo", **changes)
