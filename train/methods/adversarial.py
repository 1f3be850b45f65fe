"""Adversarial training: critics compare references with a system's output, which they improve.

On each batch, the critics take a step first, then the system's networks. Neither step changes the
weights of the other side.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import keras
from keras import ops

from ...models import critics
from ...models.system import Outputs, System
from ..losses import example_mean
from ..objective import Objective
from ..recipe import Adversarial
from . import regression


class Kind(NamedTuple):
    """The losses of an adversarial game, each a function of scores."""

    reference: Callable[[Any], Any]  # draws a critic's score to that of references
    output: Callable[[Any], Any]  # draws a critic's score to that of outputs of the system
    opinion: Callable[[Any], Any]  # draws the system to outputs with a higher score


def _below_1(score):
    return ops.relu(1 - score)


def _above_minus_1(score):
    return ops.relu(1 + score)


def _square_from_1(score):
    return ops.square(1 - score)


# Critics give references a score of 1; outputs get -1 (hinge) or 0 (least squares). The system
# draws the scores of its outputs to 1, or, with unbounded_hinge, as high as it can.
KINDS = {
    # Lim and Ye 2017, with a bound for the system as in the codes of AP-BWE and Vocos.
    "hinge": Kind(_below_1, _above_minus_1, _below_1),
    # Lim and Ye 2017, as in serious-engineer/Audio-Super-Resolution.
    "unbounded_hinge": Kind(_below_1, _above_minus_1, ops.negative),
    # Mao et al. 2017, as in HiFi-GAN.
    "least_squares": Kind(_square_from_1, ops.square, _square_from_1),
}
# Which of the outputs of a member's layers are compared; the last output has its scores.
COMPARED = {"all": slice(None), "last": slice(-2, -1)}


class ScoreLoss(keras.layers.Layer):
    """A loss of the scores of a critic's members.

    Args:
        kind: a key of `KINDS`.
        name: name of the layer.
    """

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(name=name, dtype="float32")
        self.kind = KINDS[kind]

    def total(self, loss, scores):
        """Adds up the means of a loss over the members, (batch,)."""
        return sum(example_mean(loss(each)) for each in scores)


class Judgement(ScoreLoss):
    """The loss of a critic, (batch,)."""

    def call(self, references, outputs):
        """Takes the members' scores of references and of outputs."""
        return self.total(self.kind.reference, references) + self.total(self.kind.output, outputs)


class Opinion(ScoreLoss):
    """A critic's opinion of a system's output, as a loss, (batch,)."""

    def call(self, outputs):
        """Takes the members' scores of outputs."""
        return self.total(self.kind.opinion, outputs)


class FeatureMatching(keras.layers.Layer):
    """Mean absolute differences of the outputs of a critic's layers, summed over layers, (batch,).

    Source: Larsen et al. 2016; Kumar et al. 2019 (MelGAN), equation 4.
    """

    def call(self, references, outputs):
        """Takes the maps of the references and of the outputs, in the same order."""
        pairs = zip(references, outputs, strict=True)
        return sum(example_mean(ops.abs(reference - output)) for reference, output in pairs)


def objectives(
    system: System,
    weights: Mapping[str, float],
    critic_weights: Mapping[str, float],
    settings: Adversarial,
    low: keras.KerasTensor,
    high: keras.KerasTensor,
) -> list[Objective]:
    """Returns two objectives: that of all critics, then that of the system's networks.

    Each critic adds two losses to those of `regression`: NAME, its opinion of the output, and
    NAME_features, the feature matching.

    Args:
        system: critics judge an entry of its `target(high)` and of its `generate(low, high)`,
            such as "wave".
        weights: key of `losses.LOSSES` -> weight in the sum.
        critic_weights: key of `critics.CRITICS` -> weight of its losses.
        settings: the width of the critics, what they judge, and the kind of their losses.
        low: the input of the system, (batch, n, 1).
        high: the reference, (batch, factor n, 1).

    Raises:
        UserError: a loss compares, or a critic judges, what the system does not predict.
    """
    target, estimate = system.target(high), system.generate(low, high)
    judgements, losses = {}, regression.losses(weights, target, estimate)
    weights, networks = dict(weights), []
    for name, weight in critic_weights.items():
        real, fake = _judged(name, target, estimate, settings.critic_patch, high.shape[1])
        critic = critics.build(name, real.shape[1:], settings.critic_width)
        networks.append(critic)
        constant = ops.stop_gradient(fake)
        of_real, of_fake, of_constant = critic(real), critic(fake), critic(constant)
        judge = Judgement(settings.loss, f"{name}_judgement")
        opinion = Opinion(settings.loss, f"{name}_opinion")
        judgements[name] = judge(_scores(of_real), _scores(of_constant))
        losses[name], weights[name] = opinion(_scores(of_fake)), weight * settings.opinion
        features = f"{name}_features"
        matching = FeatureMatching(name=features, dtype="float32")
        compared = COMPARED[settings.features]
        losses[features] = matching(_features(of_real, compared), _features(of_fake, compared))
        weights[features] = weight * settings.feature_matching
    inputs = [low, high]
    return [
        Objective(inputs, judgements, critic_weights, networks, "critics"),
        Objective(inputs, losses, weights, system.networks().values(), "system"),
    ]


def _judged(
    name: str, target: Outputs, estimate: Outputs, critic_patch: int | None, patch: int
) -> list[keras.KerasTensor]:
    """Returns what a critic judges of the reference and of the output.

    Args:
        name: of the critic.
        target: of `System.target`.
        estimate: of `System.generate`.
        critic_patch: samples in the middle that it judges; None for all.
        patch: samples of the reference.

    Raises:
        UserError: the system does not predict what the critic judges.
    """
    judges = critics.CRITICS[name].judges
    regression.check_predicted(f"critics.{name}", "judges", judges, estimate)
    both = [target[judges], estimate[judges]]
    if critic_patch is None:
        return both
    # A mel spectrogram has fewer frames than the patch has samples.
    length = critic_patch * both[0].shape[1] // patch
    start = (both[0].shape[1] - length) // 2
    return [each[:, start : start + length] for each in both]


def _scores(members: Sequence[critics.Maps]) -> critics.Maps:
    return [maps[-1] for maps in members]


def _features(members: Sequence[critics.Maps], compared: slice) -> critics.Maps:
    return [each for maps in members for each in maps[compared]]
