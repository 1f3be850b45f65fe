"""The objective of diffusion and its latents, part by part, compared with formulas in NumPy."""

from itertools import islice
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from wideband.command import UserError
from wideband.data_gen.augment import Augmentation
from wideband.models import audiosr_vae, diffusion, features
from wideband.models.audiosr_autoencoder import Posterior, Standard
from wideband.train import latents, losses, optimizers, recipes
from wideband.train.latents import Latents
from wideband.train.methods.diffusion import Lose, Noisy, check, objectives
from wideband.train.recipe import Adam

PATCH = 15360  # 32 frames


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).normal(0, 2, (64, 2, 4, 3)).astype(np.float32)


def test_each_example_has_its_own_step_noise_and_velocity(images):
    keras.utils.set_random_seed(0)
    noisy, steps, velocity = map(np.asarray, Noisy()(images))
    assert len(set(steps.tolist())) > 50 and steps.min() >= 0 and steps.max() < 1000
    shares = diffusion.signal_shares()[steps][:, None, None, None]
    a, b = np.sqrt(shares), np.sqrt(1 - shares)
    np.testing.assert_allclose(a * noisy - b * velocity, images, rtol=0, atol=1e-5)
    noise = b * noisy + a * velocity
    assert abs(noise.mean()) < 0.1 and abs(noise.std() - 1) < 0.1


def test_some_examples_lose_all_of_their_condition(images):
    keras.utils.set_random_seed(0)
    found = np.asarray(Lose(0.25, -3.8)(images))
    lost = (found == np.float32(-3.8)).all(axis=(1, 2, 3))
    assert 6 <= lost.sum() <= 28
    np.testing.assert_array_equal(found[~lost], images[~lost])


def test_samples_have_the_moments_of_their_posterior():
    keras.utils.set_random_seed(0)
    mean, log_variance = np.full((1, 100, 100, 1), 3.0), np.full((1, 100, 100, 1), np.log(4.0))
    found = np.asarray(Posterior()([mean, log_variance]))
    assert abs(found.mean() - 3) < 0.1 and abs(found.std() - 2) < 0.1


def test_the_divergence_is_that_of_normal_distributions():
    rng = np.random.default_rng(1)
    (mean, log_variance), (own, own_log) = rng.normal(0, 1, (2, 2, 3, 5, 4))
    reference, estimate = (
        np.concatenate(each, axis=-1) for each in ((mean, log_variance), (own, own_log))
    )
    # By sampling: the mean of the difference of the logarithms of the densities.
    z = own + np.exp(own_log / 2) * rng.normal(0, 1, (20000, *own.shape))

    def log_density(z, mean, log_variance):
        return -0.5 * (log_variance + (z - mean) ** 2 / np.exp(log_variance))

    each = (log_density(z, own, own_log) - log_density(z, mean, log_variance)).mean(axis=0)
    found = losses.kl(reference, estimate)
    np.testing.assert_allclose(found, each.mean(axis=(1, 2)), rtol=0.03)
    np.testing.assert_allclose(losses.kl(estimate, estimate), 0, atol=1e-12)


def test_the_reference_of_the_divergence_has_the_shape_of_the_moments():
    assert not np.asarray(Standard()(np.ones((2, 16, 256)))).any()
    assert Standard()(np.ones((2, 16, 256))).shape == (2, 2, 32, 32)
    assert Standard()(keras.Input((64, 256))).shape == (None, 8, 32, 32)


def test_the_velocity_error_is_the_mean_square(images):
    found = losses.velocity(images, images + 2)
    np.testing.assert_allclose(found, np.full(64, 4.0), rtol=1e-5)


def test_the_network_sees_the_noisy_image_its_condition_and_its_step():
    """A network that solves for the velocity is right, except without its condition."""
    rng = np.random.default_rng(2)
    means = rng.normal(0, 1, (64, 1, 32, 16))
    certain = np.full(means.shape, -30.0)
    moments = np.concatenate([means, certain, means, certain], axis=-1).astype(np.float32)
    noisy, condition = (keras.Input((None, 32, 16)) for _ in range(2))
    step = keras.Input((), dtype="int32")
    shares = diffusion.signal_shares().astype(np.float32)
    a, b = (
        keras.ops.reshape(keras.ops.take(np.sqrt(each), step), (-1, 1, 1, 1))
        for each in (shares, 1 - shares)
    )
    unet = keras.Model([noisy, condition, step], (a * noisy - condition) / b)
    system = SimpleNamespace(scale=0.5, mel=features.get("audiosr"), unet=unet)
    keras.utils.set_random_seed(0)
    (objective,) = objectives(system, {"velocity": 1.0}, 8 * 480)
    errors = np.asarray(objective([moments])["velocity"])
    right = errors < 1e-3
    assert 50 <= right.sum() < 64
    assert (errors[~right] > 1).all()


# === Latents ===


@pytest.fixture(scope="module")
def system():
    """The part of AudioSR that encodes."""
    keras.utils.set_random_seed(0)
    vae = audiosr_vae.autoencoder(1 / 32, 1)
    return SimpleNamespace(vae=vae, mel=features.get("audiosr"))


@pytest.fixture(scope="module")
def passes():
    """Two passes of two batches of two patches, and a third patch in the second one."""

    def passes(number):
        rng = np.random.default_rng(number)
        for size in (2, 1):
            yield tuple(rng.normal(0, 0.01, (2, size, PATCH, 1)).astype(np.float32))

    return passes


@pytest.fixture
def make(system, passes, monkeypatch):
    monkeypatch.setattr(latents, "PASSES", 2)
    return lambda batch=2: Latents(system, passes, 3, PATCH, batch, seed=0)


def test_moments_are_those_of_both_sides_at_a_peak_of_a_half(make, system, passes):
    low, high = next(passes(1))
    found = make().encode(low, high)
    assert found.shape == (2, 4, 32, 64)
    for k in range(2):
        gain = 0.5 / np.abs(high[k]).max()
        parts = []
        for side in (high, low):
            mel = features.log_mel(gain * side[k, :, 0], "audiosr")
            parts += system.vae.get_layer("encoder")(mel[None])
        np.testing.assert_allclose(found[k], np.concatenate(parts, axis=-1)[0], atol=1e-4)


def test_passes_are_encoded_once_and_shuffled_in_each_epoch(make):
    made = make()
    first, again, second = (list(islice(made.batches(k), 3)) for k in (1, 1, 2))
    # Six patches of two passes, in three batches.
    rows = [np.concatenate([each[0] for each in epoch]) for epoch in (first, again, second)]
    assert rows[0].shape == (6, 4, 32, 64) and rows[0].dtype == np.float32
    np.testing.assert_array_equal(rows[0], rows[1])
    assert not np.array_equal(rows[0], rows[2])
    sums = [sorted(each.sum(axis=(1, 2, 3)).tolist()) for each in (rows[0], rows[2])]
    np.testing.assert_allclose(*sums, rtol=1e-5)
    assert len(set(sums[0])) == 6


def test_what_does_not_fit_is_encoded_in_each_epoch(make, passes, monkeypatch):
    monkeypatch.setattr(latents, "MOST_BYTES", 1000)
    made = make()
    found = [each[0] for each in islice(made.batches(2), 3)]
    assert not made.fits and [len(each) for each in found] == [2, 1, 2]
    np.testing.assert_array_equal(found[0], made.encode(*next(passes(2))))


def test_the_scale_makes_the_latents_have_a_variance_of_one(make):
    made = make(batch=6)
    moments = next(made.batches(1))[0]
    mean, log_variance = moments[..., :16], moments[..., 16:32]
    noise = np.random.default_rng(0).normal(0, 1, mean.shape)
    assert (made.scale() * (mean + np.exp(0.5 * log_variance) * noise)).std() == pytest.approx(
        1, abs=0.02
    )


# === Recipes ===


def test_the_published_recipes_are_those_of_the_paper_and_the_code():
    vae, vocoder, unet = (recipes.get(f"audiosr{end}") for end in ("_vae", "_vocoder", ""))
    assert (vae.optimizer.learning_rate, vae.batch, vae.patch) == (8e-6, 4, 491520)
    assert vae.epochs * vae.steps_per_epoch == 50_000
    gan = recipes.get("audiosr_vae_gan")
    assert (vae.epochs + gan.epochs) * 1000 == 485_000 and gan.critics == {"patchgan": 0.5}
    adam = vocoder.optimizer
    assert (adam.learning_rate, adam.beta_1, adam.beta_2) == (1e-4, 0.8, 0.99)
    assert (vocoder.patch, vocoder.batch, vocoder.losses) == (15360, 16, {"mel_l1": 45.0})
    adam = unet.optimizer
    assert (adam.learning_rate, adam.average, adam.schedule) == (1e-4, 0.9999, "warm_up")
    assert (unet.batch, unet.patch, unet.losses) == (16, 491520, {"velocity": 1.0})
    assert unet.augmentation == Augmentation(random_band=True, random_lowpass=1.0)


@pytest.mark.parametrize("name", ["audiosr", "audiosr_laptop", "audiosr_vae", "audiosr_laptop_vae"])
def test_patches_are_whole_latent_images(name):
    assert recipes.get(name).patch % (30720 if "vae" not in name else 3840) == 0


def test_the_learning_rate_warms_up_during_5000_steps():
    optimizer = optimizers.build(Adam(learning_rate=1e-4, schedule="warm_up"), steps=10)
    schedule = optimizer._learning_rate
    for step, expected in ((0, 0.0), (2500, 5e-5), (5000, 1e-4), (90000, 1e-4)):
        assert float(schedule(step)) == pytest.approx(expected, rel=1e-5, abs=1e-12)


def test_critics_of_diffusion_are_refused():
    with pytest.raises(UserError, match=r"^critics\.patchgan: .*; remove it with critics"):
        check({"patchgan": 1.0})


def test_a_fraction_of_the_recordings_gets_the_published_filters(noise):
    wave, rng = noise(4096), np.random.default_rng
    every, none = Augmentation(random_band=True, random_lowpass=1.0), Augmentation(random_band=True)
    from wideband.data_gen import band_limit, low_pass

    draws = rng(3)
    draws.random()
    expected = low_pass.filter_for_training(wave, 48000, draws)
    np.testing.assert_array_equal(every.limit(wave, 48000, rng(3)), expected)
    expected = band_limit.limit_band(wave, 48000, rng(3))
    np.testing.assert_array_equal(none.limit(wave, 48000, rng(3)), expected)
