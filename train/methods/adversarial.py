"""Adversarial training: critics compare references with a system's output, which they improve.

On each batch, the critics take a step first, then the system's networks. Neither step changes the
weights of the other side.

A metric critic learns to predict the score of an output, and the system improves the prediction
(Fu et al. 2019). Its losses are those of least squares, with the score in place of the 0 of other
critics, whatever the recipe chooses for these.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import keras
from keras import ops

from ...models import critics
from ...models.system import Outputs, System
from ..losses import example_mean, log_spectral_distance
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
METRIC = "least_squares"  # the kind of a metric critic
# Window and hop of the log-spectral distance in scores, in samples, as in `evaluate.metrics.lsd`.
SCORED = (2048, 512)
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


class MetricJudgement(ScoreLoss):
    """The loss of a metric critic, (batch,)."""

    def __init__(self, name: str) -> None:
        super().__init__(METRIC, name)

    def call(self, references, outputs, reference, output):
        """Takes the critic's predictions, then the waves (batch, n, 1) that they are for."""
        goal = ops.reshape(score(reference, output), (-1, 1, 1, 1))
        to_goal = self.total(ops.square, [each - goal for each in outputs])
        return self.total(self.kind.reference, references) + to_goal


def score(reference, output):
    """Returns the score of outputs (batch, n, 1) that metric critics predict, (batch,) in [0, 1].

    It is exp(-d / 2), where d is the log-spectral distance that evaluations print as `lsd`: 1 if an
    output equals its reference, 0.6 at a distance of 1, 0.2 at that of an empty high band. CMGAN's
    code, which removes noise, takes PESQ, on which a high band has little influence.
    """
    return ops.exp(-0.5 * log_spectral_distance(reference, output, *SCORED))


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
    recognizer: str | None = None,
) -> list[Objective]:
    """Returns two objectives: that of all critics, then that of the system's networks.

    Each critic adds two losses to those of `regression`: NAME, its opinion of the output, and
    NAME_features, the feature matching, unless its weight is 0.

    Args:
        system: critics judge an entry of its `target(high)` and of its `generate(low, high)`,
            such as "wave".
        weights: key of `losses.LOSSES` -> weight in the sum.
        critic_weights: key of `critics.CRITICS` -> weight of its losses.
        settings: the width of the critics, what they judge, and the kind of their losses.
        low: the input of the system, (batch, n, 1).
        high: the reference, (batch, factor n, 1).
        recognizer: that of the recipe, for losses that hear.

    Raises:
        UserError: a loss compares, or a critic judges, what the system does not predict, or there
            is no such recognizer.
    """
    target, estimate = system.target(high), system.generate(low, high)
    judgements, losses = {}, regression.losses(weights, target, estimate, recognizer)
    weights, networks = dict(weights), []
    for name, weight in critic_weights.items():
        real, fake = _judged(name, target, estimate, settings.critic_patch, high.shape[1])
        critic = critics.build(name, real.shape[1:], settings.critic_width)
        networks.append(critic)
        constant = ops.stop_gradient(fake)
        of_real, of_fake, of_constant = critic(real), critic(fake), critic(constant)
        both = _scores(of_real), _scores(of_constant)
        if critics.CRITICS[name].pairs:
            kind, waves = METRIC, (target["wave"], ops.stop_gradient(estimate["wave"]))
            judgements[name] = MetricJudgement(f"{name}_judgement")(*both, *waves)
        else:
            kind = settings.loss
            judgements[name] = Judgement(kind, f"{name}_judgement")(*both)
        opinion = Opinion(kind, f"{name}_opinion")
        losses[name], weights[name] = opinion(_scores(of_fake)), weight * settings.opinion
        if settings.feature_matching:
            features = f"{name}_features"
            matching = FeatureMatching(name=features, dtype="float32")
            compared = COMPARED[settings.features]
            losses[features] = matching(_features(of_real, compared), _features(of_fake, compared))
            weights[features] = weight * settings.feature_matching
    inputs, rate = [low, high], settings.critic_rate
    return [
        Objective(inputs, judgements, critic_weights, networks, "critics", rate),
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
    critic = critics.CRITICS[name]
    regression.check_predicted(f"critics.{name}", "judges", critic.judges, estimate)
    both = [target[critic.judges], estimate[critic.judges]]
    if critic.pairs:
        both = [ops.stack([both[0], each], axis=-1) for each in both]
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
