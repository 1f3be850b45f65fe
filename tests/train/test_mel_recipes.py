"""Recipes of what works on mel spectrograms: the published numbers, and what vocoders refuse."""

from fractions import Fraction

import pytest
from wideband import models
from wideband.command import UserError
from wideband.train import recipes
from wideband.train.recipe import Adversarial


def test_the_mel_domain_gan_is_trained_as_published():
    cnn, gan, patchgan = (recipes.get(f"melgan_{name}") for name in ("cnn", "srgan", "patchgan"))
    for recipe in (cnn, gan, patchgan):
        assert (recipe.model, recipe.arguments, recipe.starts_from) == ("melgan", {}, None)
        assert (recipe.sample_rate, recipe.ratio) == (22050, Fraction(22050, 8000))
        assert (recipe.protocol, recipe.patch, recipe.batch) == ("hann_sinc", 44032, 32)
        assert recipe.losses == {"mel_l1": 1, "mel_mse": 1, "mel_convergence": 0.5}
        assert recipe.augmentation.peak_db == 0
        assert recipe.epochs == 100
    assert (cnn.critics, cnn.optimizer.learning_rate, cnn.optimizer.clip_norm) == ({}, 1e-4, 5)
    assert (gan.critics, patchgan.critics) == ({"srgan": 1}, {"patchgan": 1})
    for recipe in (gan, patchgan):
        adversarial = Adversarial("unbounded_hinge", 1, 0.1, 1, "last")
        assert recipe.adversarial == adversarial
        adam = recipe.optimizer
        assert (adam.learning_rate, adam.clip_norm, adam.beta_1, adam.beta_2) == (
            2e-4,
            1,
            0.9,
            0.999,
        )


def test_hifigan_is_trained_as_published():
    for variant in ("V1", "V2", "V3"):
        recipe = recipes.get(f"hifigan_{variant.lower()}")
        assert recipe.arguments == {"variant": variant, "weight_norm": True}
        assert (recipe.sample_rate, recipe.ratio, recipe.patch, recipe.batch) == (
            22050,
            1,
            8192,
            16,
        )
        assert recipe.losses == {"mel_l1": 45}
        assert recipe.critics == {"multi_period_all": 1, "multi_scale": 1}
        assert recipe.adversarial == Adversarial("least_squares", feature_matching=2)
        adam = recipe.optimizer
        assert (adam.learning_rate, adam.beta_1, adam.beta_2) == (2e-4, 0.8, 0.99)
        assert (adam.weight_decay, adam.schedule, adam.clip_norm) == (0.01, "exponential", None)


def test_vocos_is_trained_as_published():
    for name, mel, sample_rate in (("vocos_24k", "vocos24", 24000), ("vocos_22k", "seed", 22050)):
        recipe = recipes.get(name)
        assert recipe.arguments == {"mel": mel}
        assert (recipe.sample_rate, recipe.ratio, recipe.patch) == (sample_rate, 1, 16384)
        assert (recipe.batch, recipe.losses) == (16, {"mel_l1": 45})
        assert recipe.critics == {
            "multi_period": pytest.approx(1 / 5), "multi_band_inner": pytest.approx(0.1 / 3),
        }  # fmt: skip
        assert recipe.adversarial == Adversarial("hinge")
        # A random peak from -6 to -1 dB.
        assert (recipe.augmentation.peak_db, recipe.augmentation.gain_db) == (-3.5, 2.5)
        adam = recipe.optimizer
        assert (adam.learning_rate, adam.beta_1, adam.beta_2) == (5e-4, 0.8, 0.9)
        assert (adam.weight_decay, adam.schedule) == (0.01, "falling_cosine")
        assert recipe.epochs * recipe.steps_per_epoch == 1_000_000


def test_the_laptop_networks_have_at_most_three_million_parameters(outline):
    for name in ("vocos_laptop", "melgan_laptop"):
        recipe = recipes.get(name)
        assert outline(recipe.model, **recipe.arguments).count_params() < 3e6


@pytest.mark.parametrize("model", models.vocoders())
def test_a_vocoder_has_no_low_side(model):
    reason = f"{model} is a vocoder, whose input is the reference itself"
    with pytest.raises(UserError, match=f"^ratio 4: {reason}, .*; set ratio=1$"):
        recipes.get("demo", model=model)
    with pytest.raises(UserError, match=f"^augmentation.random_lowpass: {reason}; set it to 0$"):
        recipes.get("demo", model=model, ratio=1, augmentation={"random_lowpass": 0.5})
    with pytest.raises(UserError, match=f"^model {model}: augmentation.random_band is for"):
        recipes.get("demo", model=model, ratio=1, augmentation={"random_band": True})
    assert recipes.get("demo", model=model, ratio=1).high_side_only
