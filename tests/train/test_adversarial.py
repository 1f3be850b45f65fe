"""Adversarial training: the losses of both sides, and what each step changes."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from wideband.command import UserError
from wideband.models import critics
from wideband.models.system import Network
from wideband.train import optimizers, steps
from wideband.train.methods import adversarial
from wideband.train.recipe import Adam, Adversarial

N = 1200
LOSSES = {"mse": 2.0}
WEIGHTS = {"multi_period": 1.0, "multi_resolution_amplitude": 0.1}


class Filter(Network):
    """A network of one filter."""

    wants, multiple, context = "interpolated", 1, 1

    def __init__(self):
        low = keras.Input((None, 1))
        super().__init__(low, layers.Conv1D(1, 3, padding="same")(low), name="filter")


@pytest.fixture(autouse=True)
def seeded_with_few_members(monkeypatch):
    """Compiling all members of the critics would take most of the time."""
    keras.utils.set_random_seed(0)
    monkeypatch.setattr(critics, "PERIODS", (2, 3))
    monkeypatch.setattr(critics, "RESOLUTIONS", ((256, 64), (512, 128)))


@pytest.fixture
def batch(noise):
    """Inputs and references whose scores differ, and differ along a patch."""
    louder = np.linspace(0, 2, N, dtype=np.float32)[:, np.newaxis]
    waves = [noise(2 * N, seed=seed).reshape(2, N, 1) for seed in (1, 2)]
    return [gain * louder * wave for gain, wave in zip((1, 10), waves, strict=True)]


def build(loss="hinge", losses=LOSSES, weights=WEIGHTS, average=0.0, **settings):
    """Returns a network and the objectives of the critics and of the system, compiled."""
    network = Filter()
    low, high = keras.Input((N, 1)), keras.Input((N, 1))
    both = adversarial.objectives(
        network, losses, weights, Adversarial(loss, 0.02, **settings), low, high
    )
    adam = Adam(learning_rate=1e-3, average=average)
    for objective in both:
        objective.compile(optimizers.build(adam, 10, groups=objective.groups))
    return network, *both


def judges(objective):
    return [each for each in objective.layers if each.name in WEIGHTS and each.weights]


def values(models):
    return [np.array(weight) for model in models for weight in model.trainable_variables]


def differs(models, before):
    return any((a != b).any() for a, b in zip(values(models), before, strict=True))


def test_each_step_changes_the_weights_of_its_own_side_only(batch):
    network, critics_step, system_step = build()
    both = [network], judges(critics_step)
    assert len(both[1]) == 2
    for objective, moves, stays in ((critics_step, 1, 0), (system_step, 0, 1)):
        before = [values(side) for side in both]
        objective.train_step((batch,))
        assert differs(both[moves], before[moves])
        assert not differs(both[stays], before[stays])


@pytest.mark.parametrize("loss", ["hinge", "least_squares"])
def test_the_losses_match_their_formulas(batch, loss):
    network, critics_step, system_step = build(loss, feature_matching=3.0)
    low, high = batch
    real, fake = (
        [critic(wave) for critic in judges(critics_step)] for wave in (high, network(low))
    )
    of_real, of_fake = critics_step(batch), system_step(batch)
    for number, name in enumerate(WEIGHTS):
        scores = [[np.asarray(maps[-1]) for maps in side[number]] for side in (real, fake)]
        if loss == "hinge":
            judged = [np.maximum(0, 1 - r).mean() + np.maximum(0, 1 + f).mean()
                      for r, f in zip(*scores, strict=True)]  # fmt: skip
            opinion = [np.maximum(0, 1 - f).mean() for f in scores[1]]
        else:
            judged = [((1 - r) ** 2).mean() + (f**2).mean() for r, f in zip(*scores, strict=True)]
            opinion = [((1 - f) ** 2).mean() for f in scores[1]]
        assert np.mean(of_real[name]) == pytest.approx(sum(judged), rel=1e-4)
        assert np.mean(of_fake[name]) == pytest.approx(sum(opinion), rel=1e-4)
        distances = [
            np.abs(np.asarray(a) - np.asarray(b)).mean()
            for maps in zip(real[number], fake[number], strict=True)
            for a, b in zip(*maps, strict=True)
        ]
        assert np.mean(of_fake[f"{name}_features"]) == pytest.approx(sum(distances), rel=1e-4)
    assert system_step.weights_of_losses == {
        "mse": 2.0,
        "multi_period": 1.0,
        "multi_period_features": 3.0,
        "multi_resolution_amplitude": 0.1,
        "multi_resolution_amplitude_features": pytest.approx(0.3),
    }


def test_unbounded_hinge_draws_scores_as_high_as_possible(batch):
    network, critics_step, system_step = build("unbounded_hinge", opinion=0.5, features="last")
    low, high = batch
    of_real, of_fake = critics_step(batch), system_step(batch)
    for critic in judges(critics_step):
        real, fake = ([[np.asarray(each) for each in maps] for maps in critic(wave)]
                      for wave in (high, network(low)))  # fmt: skip
        judged = sum(
            np.maximum(0, 1 - r[-1]).mean() + np.maximum(0, 1 + f[-1]).mean()
            for r, f in zip(real, fake, strict=True)
        )
        assert np.mean(of_real[critic.name]) == pytest.approx(judged, rel=1e-4)
        opinion = -sum(maps[-1].mean() for maps in fake)
        assert np.mean(of_fake[critic.name]) == pytest.approx(opinion, rel=1e-4)
        # The last layer before the scores.
        matching = sum(np.abs(r[-2] - f[-2]).mean() for r, f in zip(real, fake, strict=True))
        assert np.mean(of_fake[f"{critic.name}_features"]) == pytest.approx(matching, rel=1e-4)
    weights = system_step.weights_of_losses
    assert (weights["multi_period"], weights["multi_period_features"]) == (0.5, 1.0)
    assert weights["multi_resolution_amplitude"] == pytest.approx(0.05)


def test_a_critic_of_what_the_network_does_not_predict_is_refused():
    message = "^critics.srgan: judges the mel, and this network predicts only the wave; remove it"
    with pytest.raises(UserError, match=message):
        build(weights={"srgan": 1.0})


def test_critics_judge_the_middle_of_patches(batch):
    network, critics_step, system_step = build(critic_patch=600)
    low, high = batch
    middles = [np.array(wave)[:, 300:900] for wave in (high, network(low))]
    real, fake = ([critic(wave) for critic in judges(critics_step)] for wave in middles)
    of_real, of_fake = critics_step(batch), system_step(batch)
    for number, name in enumerate(WEIGHTS):
        judged = sum(
            np.maximum(0, 1 - np.asarray(r[-1])).mean()
            + np.maximum(0, 1 + np.asarray(f[-1])).mean()
            for r, f in zip(real[number], fake[number], strict=True)
        )
        assert np.mean(of_real[name]) == pytest.approx(judged, rel=1e-4)
        opinion = sum(np.maximum(0, 1 - np.asarray(f[-1])).mean() for f in fake[number])
        assert np.mean(of_fake[name]) == pytest.approx(opinion, rel=1e-4)


def test_a_mel_spectrogram_is_cut_in_frames():
    mels = [{"mel": keras.ops.reshape(keras.ops.arange(48 * 80), (1, 48, 80))} for _ in range(2)]
    for each in adversarial._judged("srgan", *mels, critic_patch=2048, patch=48 * 256):
        np.testing.assert_array_equal(each, mels[0]["mel"][:, 20:28])


@pytest.mark.slow
def test_jax_has_the_losses_of_tensorflow(jax_environment, batch, tmp_path):
    """For the same weights and the same batch, before and after a step of each side."""
    pytest.importorskip("jax")
    script = tmp_path / "losses.py"
    script.write_text(LOSSES_ON_JAX.format(path=[str(Path(__file__).parent)]))
    _, *both = build_for_jax()
    arrays = {f"{k}_{n}": v for k, each in enumerate(both) for n, v in enumerate(values([each]))}
    np.savez(tmp_path / "in.npz", low=batch[0], high=batch[1], **arrays)
    subprocess.run([sys.executable, script], check=True, env=jax_environment, cwd=tmp_path)
    with np.load(tmp_path / "out.npz") as found:
        eager = [lambda batch, each=each: each.train_step((batch,)) for each in both]
        for name, value in logs_of_two_rounds(both, eager, batch).items():
            assert found[name] == pytest.approx(float(value), rel=1e-4), name


def build_for_jax():
    """Two resolutions differ in nothing that JAX computes."""
    critics.RESOLUTIONS = ((256, 64),)
    losses = {"patch_rmse": 1.0, "log_spectral": 0.01}
    return build(losses=losses, weights={"multi_resolution_amplitude": 1.0})


def logs_of_two_rounds(objectives, compiled, batch):
    """Takes two steps of each objective, in turn; returns all losses by name and round."""
    logs = {}
    for number in range(2):
        for objective, step in zip(objectives, compiled, strict=True):
            objective.start_epoch()
            logs |= {f"{objective.name}_{name}_{number}": v for name, v in step(batch).items()}
    return logs


LOSSES_ON_JAX = """
import sys
sys.path[:0] = {path}
from wideband.command import keras_start
keras_start.quicken()
import keras, numpy as np
from test_adversarial import build_for_jax, logs_of_two_rounds, steps
assert keras.backend.backend() == "jax"
_, *both = build_for_jax()
with np.load("in.npz") as saved:
    for k, each in enumerate(both):
        for n, variable in enumerate(each.trainable_variables):
            variable.assign(saved[f"{{k}}_{{n}}"])
    batch = [saved["low"], saved["high"]]
compiled = [steps.compile_step(each) for each in both]
np.savez("out.npz", **logs_of_two_rounds(both, compiled, batch))
"""


@pytest.mark.slow
def test_a_training_stopped_between_epochs_ends_like_one_that_never_was(
    train, history, eager, copy_after_first_epoch, monkeypatch, tmp_path
):
    monkeypatch.setattr(critics, "PERIODS", (2,))
    settings = [
        "model=dnn", "arguments.width=0.2", "arguments.patch=256", "losses.mse=0",
        "critics.multi_period=1", "adversarial.critic_width=0.02", "optimizer.average=0.9",
        "optimizer.clip_norm=1", "epochs=2", "steps_per_epoch=2", "select=lsd",
    ]  # fmt: skip
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    copy_after_first_epoch(stopped)
    train(whole, *settings)
    names = "loss", "patch_rmse", "multi_period", "multi_period_features"
    assert set(names) < set(history(whole)[0])
    assert len(history(stopped)) == 1
    train(stopped, *settings)
    assert history(stopped) == history(whole)
    for name in ("best.weights.h5", "last-0002.weights.h5"):
        assert (stopped / name).read_bytes() == (whole / name).read_bytes()
    # The best weights are the averaged ones.
    assert (whole / "best.weights.h5").read_bytes() != (whole / "last-0002.weights.h5").read_bytes()


def test_the_average_of_the_weights_is_in_place_within_the_block_only(batch):
    network, _, system_step = build(weights={"multi_period": 1.0}, average=0.9)
    mean, history = None, []
    for _ in range(4):
        system_step.train_step((batch,))
        history.append(values([network]))
        # The first step starts the mean.
        mean = history[-1] if mean is None else [
            0.9 * a + 0.1 * b for a, b in zip(mean, history[-1], strict=True)
        ]  # fmt: skip
    with steps.averaged([system_step]):
        for actual, expected in zip(values([network]), mean, strict=True):
            np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-8)
    assert not differs([network], history[-1])
    state = steps.unsaved_variables([system_step], {"network": network})
    assert sum("average" in variable.path for variable in state) == 2


def test_gradients_are_clipped_network_by_network():
    adam = optimizers.build(Adam(clip_norm=1.0, beta_1=0.0), 10, groups=[0, 1, 0])
    variables = [keras.Variable(np.zeros(2, np.float32)) for _ in range(3)]
    adam.build(variables)
    gradients = [np.float32([3, 0]), np.float32([0.3, 0.4]), np.float32([0, 4])]
    adam.apply([keras.ops.convert_to_tensor(each) for each in gradients])
    # Without a first moment, Adam's moment is the clipped gradient: 5 becomes 1, 0.5 stays.
    moments = [np.array(each) for each in adam.variables if "momentum" in each.path]
    for actual, expected in zip(moments, ([0.6, 0], [0.3, 0.4], [0, 0.8]), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-6)
