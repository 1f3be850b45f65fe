"""The recipe: its checks, its JSON, and overrides from the command line."""

import json
from fractions import Fraction

import pytest
from wideband.command import UserError
from wideband.data_gen.augment import Augmentation
from wideband.models import pretrained
from wideband.train import recipes
from wideband.train.overrides import field_type, parse_overrides
from wideband.train.recipe import SHORTEST_PATCHES, Adam, Adversarial, Recipe

MINIMAL = {"name": "x", "source": "y", "model": "audiounet"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "unet"}, "unknown model 'unet'; choose one of audiounet"),
        ({"protocol": "none"}, "unknown protocol 'none'"),
        ({"precision": "float8"}, "unknown precision 'float8'; choose one of float32"),
        ({"select": "snd"}, "unknown metric in select 'snd'; choose one of snr"),
        # Neither the highest nor the lowest level is best.
        ({"select": "level_hf"}, "unknown metric in select 'level_hf'; choose one of snr"),
        ({"batch": 0}, "batch 0 must be from 1 to 65536"),
        ({"batch": 10**9}, "batch 1000000000 must be from 1 to 65536"),
        ({"patch": 10**9}, "patch 1000000000 must be from 1 to 1048576"),
        ({"stride": 0}, "stride 0 must be from 1 to"),
        ({"epochs": 10**12}, "epochs 1000000000000 must be from 1 to 1000000"),
        ({"steps_per_epoch": 0}, "steps_per_epoch 0 must be from 1 to 10000000, or none"),
        ({"steps_per_epoch": 10**12}, "steps_per_epoch 1000000000000 must be from 1 to"),
        ({"patience": 0}, "patience 0 must be from 1 to 1000000, or none"),
        ({"sample_rate": 10**12}, "sample_rate 1000000000000 must be from 1000 to 768000"),
        ({"validation_seconds": 0.0}, "validation_seconds 0.0 must be from 0.01 to"),
        ({"validation_seconds": float("inf")}, "validation_seconds inf must be from 0.01 to"),
        ({"seed": -1}, "seed -1 must be from 0 to 4294967295"),
        ({"seed": 2**32}, "seed 4294967296 must be from 0 to 4294967295"),
        ({"ratio": 13}, "ratio 13 is not a whole number from 2 to 12"),
        ({"ratio": Fraction(5, 2)}, "decimate_spline needs a whole number"),
        (
            {
                "protocol": "sinc",
                "ratio": Fraction(5, 2),
                "augmentation": Augmentation(random_lowpass=0.5),
            },
            "random_lowpass needs a whole number",
        ),
        ({"arguments": {"ratio": 2}}, "arguments.ratio 2 differs from the ratio 4"),
        ({"losses": {}}, "losses is empty; choose from patch_rmse"),
        ({"losses": {"mae": 1.0}}, "unknown loss 'mae'; choose one of patch_rmse"),
        ({"losses": {"mse": -0.1}}, "losses.mse -0.1 must be above 0 and at most 1e.06"),
        ({"losses": {"mse": float("nan")}}, "losses.mse nan must be above 0"),
        ({"losses": {"mse": 1e30}}, "losses.mse 1e.30 must be above 0 and at most"),
        ({"losses": {"log_spectral": 1.0}, "patch": 1024}, "1024 is too short for losses.log_"),
        (
            {
                "patch": 2048,
                "critics": {"multi_band": 1.0},
                "adversarial": Adversarial(critic_patch=1024),
            },
            "adversarial.critic_patch 1024 is too short for critics.multi_band",
        ),
        (
            {"patch": 2048, "adversarial": Adversarial(critic_patch=2049)},
            "adversarial.critic_patch 2049 is longer than the patch, 2048; set a shorter one",
        ),
    ],
)
def test_a_recipe_that_cannot_work_is_refused(changes, message):
    with pytest.raises(UserError, match=message):
        Recipe(**{**MINIMAL, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schedule": "linear"}, "unknown schedule 'linear'; choose one of constant, cosine"),
        ({"learning_rate": 0.0}, "learning_rate 0.0 must be from 1e-30 to 1000.0"),
        ({"learning_rate": -1.0}, "learning_rate -1.0 must be from 1e-30 to 1000.0"),
        ({"learning_rate": float("nan")}, "learning_rate nan must be from"),
        ({"learning_rate": float("inf")}, "learning_rate inf must be from"),
        ({"beta_1": float("nan")}, "beta_1 nan must be at least 0 and below 1"),
        ({"beta_2": 1.0}, "beta_2 1.0 must be at least 0 and below 1"),
        ({"epsilon": 0.0}, "epsilon 0.0 must be from 1e-30 to 1.0"),
        ({"weight_decay": -1.0}, "weight_decay -1.0 must be from 0.0 to 1000.0"),
        ({"weight_decay": 1e30}, "weight_decay 1e.30 must be from 0.0 to 1000.0"),
    ],
)
def test_an_optimizer_that_cannot_work_is_refused(changes, message):
    with pytest.raises(UserError, match=message):
        Adam(**changes)


def test_the_spectral_loss_takes_patches_longer_than_half_its_window():
    Recipe(**MINIMAL, losses={"log_spectral": 1.0}, patch=1025)


def test_every_loss_is_known_without_keras():
    from wideband.train.losses import LOSSES, SPECTRAL_RESOLUTIONS, STFT_RESOLUTIONS

    assert set(SHORTEST_PATCHES) == set(LOSSES)
    for name, sizes in (
        ("log_spectral", SPECTRAL_RESOLUTIONS),
        ("multi_resolution_stft", STFT_RESOLUTIONS),
    ):
        assert SHORTEST_PATCHES[name] == max(longest for longest, *_ in sizes) // 2 + 1


def test_every_critic_and_its_losses_are_known_without_keras():
    import keras
    from wideband.models import critics
    from wideband.train import recipe
    from wideband.train.methods import adversarial

    assert set(recipe.CRITICS) == set(critics.CRITICS)
    assert set(recipe.ADVERSARIAL_LOSSES) == set(adversarial.KINDS)
    assert set(recipe.FEATURES) == set(adversarial.COMPARED)
    with keras.StatelessScope(initialize_variables=False):
        for name, shortest in recipe.CRITICS.items():
            shape = shortest // 256, 80
            shapes = {"wave": (shortest, 1), "mel": shape, "magnitude": (*shape, 2)}
            critics.build(name, shapes[critics.CRITICS[name].judges], 0.125)
    keras.utils.clear_session(free_memory=False)


@pytest.mark.parametrize("name", recipes.names())
def test_a_recipe_survives_json(name):
    recipe = recipes.get(name)
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


def test_a_quotient_survives_json():
    recipe = Recipe(**MINIMAL, protocol="sinc", ratio=Fraction(441, 160))
    content = json.loads(json.dumps(recipe.to_json()))
    assert content["ratio"] == "441/160"
    assert Recipe.from_json(content) == recipe


@pytest.mark.parametrize("content", [{}, {"ratio": 4}, {"ratio": 4, "x": 1}])
def test_json_that_is_no_recipe_is_refused(content):
    with pytest.raises(UserError, match="not a recipe"):
        Recipe.from_json(content)


# name: losses, weight decay
SHIPPED = {
    "audiounet-2x": ({"patch_rmse": 1.0, "log_spectral": 0.0002}, 0.0),
    "audiounet-4x": ({"patch_rmse": 1.0, "log_spectral": 0.0004}, 0.0),
    "phone-4x": ({"patch_rmse": 1.0, "log_spectral": 0.0015}, 0.0),
    "speech-2x": ({"patch_rmse": 1.0, "log_spectral": 0.07}, 1.0),
    "speech-4x": ({"patch_log_rmse": 1.0, "log_spectral": 1.0}, 2.0),
}


@pytest.mark.parametrize("name", SHIPPED)
def test_the_recipes_of_the_shipped_networks_can_be_read(name):
    from wideband.models.record import Record

    recipe = Recipe.from_json(Record.read(pretrained.find(name)).recipe)
    losses, weight_decay = SHIPPED[name]
    assert (recipe.losses, recipe.optimizer.weight_decay) == (losses, weight_decay)
    assert (recipe.optimizer.learning_rate, recipe.optimizer.schedule) == (1e-3, "cosine")
    assert recipe.augmentation.gain_db == (10.0 if name.startswith("speech") else 0.0)
    assert recipe.starts_from is None


def test_settings_have_the_types_of_their_fields():
    settings = [
        "batch=16",
        "patience=none",
        "xla=true",
        "ratio=22050/8000",
        "optimizer.schedule=constant",
        "optimizer.learning_rate=1",
        "optimizer.clip_norm=2",
        "critics.multi_band=1",
        "augmentation.gain_db=3",
        "losses.log_spectral=0",
        "arguments.width=0.5",
        "arguments.blocks=published",
    ]
    changes = parse_overrides(settings)
    assert changes == {
        "batch": 16,
        "patience": None,
        "xla": True,
        "ratio": Fraction(441, 160),
        "optimizer": {"schedule": "constant", "learning_rate": 1.0, "clip_norm": 2.0},
        "critics": {"multi_band": 1.0},
        "augmentation": {"gain_db": 3.0},
        "losses": {"log_spectral": 0.0},
        "arguments": {"width": 0.5, "blocks": "published"},
    }
    assert type(changes["optimizer"]["learning_rate"]) is float
    assert field_type("optimizer.beta_1") is float


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("batch=many", "batch takes int, not 'many'"),
        ("batch=1.5", "batch takes int, not '1.5'"),
        ("batch=true", "batch takes int, not 'true'"),
        ("xla=1", "xla takes bool, not '1'"),
        ("patience=soon", "patience takes int | None, not 'soon'"),
        ("optimizer.epsilon=small", "optimizer.epsilon takes float, not 'small'"),
        ("losses.mse=much", "losses.mse takes float, not 'much'"),
        ("ratio=many", "ratio 'many' is not a number or a quotient"),
        ("batch", "not of the form --set=FIELD=VALUE"),
        ("bacth=4", "unknown field 'bacth'"),
        ("batch.size=4", "'batch' has no field 'size'"),
        ("optimizer.rate=4", "unknown field 'optimizer.rate'"),
        ("optimizer=adam", "write --set=optimizer.FIELD=VALUE"),
        ("arguments=4", "write --set=arguments.NAME=VALUE"),
        ("losses=mse", "write --set=losses.NAME=WEIGHT"),
    ],
)
def test_a_malformed_setting_is_refused(setting, message):
    with pytest.raises(UserError) as error:
        parse_overrides([setting])
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"losses": {"whisper": 1.0}}, "losses.whisper needs a recognizer.*recognizer=base"),
        ({"recognizer": "base"}, "recognizer base: only losses.whisper hears with it"),
        (
            {"losses": {"whisper": 1.0}, "recognizer": "base", "sample_rate": 48000},
            "recognizers hear 16000 Hz, and sample_rate is 48000",
        ),
        (
            {"losses": {"whisper": 1.0}, "recognizer": "base", "patch": 480_001},
            "patch 480001: losses.whisper hears at most 30 s; set patch=480000 or less",
        ),
        (
            {"losses": {"whisper": 1.0}, "recognizer": "base", "patch": 200},
            "patch 200 is too short for losses.whisper, which needs 201 samples",
        ),
    ],
)
def test_a_recognizer_that_cannot_hear_is_refused(changes, message):
    with pytest.raises(UserError, match=message):
        Recipe(**MINIMAL, **changes)


def test_a_recognizer_is_kept_in_the_record():
    recipe = Recipe(**MINIMAL, losses={"whisper": 1.0}, recognizer="base")
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe
    old = recipe.to_json()
    del old["recognizer"]
    old["losses"] = {"mse": 1.0}
    assert Recipe.from_json(old).recognizer is None
