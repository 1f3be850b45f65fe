"""What a recipe is: everything that decides how a network is trained.

This module does not import Keras, so that mistakes in a recipe are found before TensorFlow loads.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from .. import models
from ..audio import Ratio, quotient
from ..command import UserError
from ..command.errors import lookup
from ..command.rates import HIGHEST_RATE, LOWEST_RATE
from ..data_gen import degrade
from ..data_gen.augment import Augmentation
from ..evaluate.metrics import METRICS
from .choices import (
    ADVERSARIAL_LOSSES,
    CRITICS,
    FEATURES,
    PRECISIONS,
    RECOGNIZER_RATE,
    RECOGNIZER_SECONDS,
    SCHEDULES,
    SHORTEST_PATCHES,
)

# The lowest and the highest value of each number in a recipe. They leave out what cannot work or
# would exhaust the machine.
BOUNDS = {
    "learning_rate": (1e-30, 1000.0),
    "epsilon": (1e-30, 1.0),
    "weight_decay": (0.0, 1000.0),
    "clip_norm": (1e-30, 1e30),
    "critic_width": (1e-3, 16.0),
    "opinion": (0.0, 1e6),
    "feature_matching": (0.0, 1e6),
    "critic_rate": (1e-6, 1e6),
    "critic_patch": (1, 2**20),
    "sample_rate": (LOWEST_RATE, HIGHEST_RATE),
    "patch": (1, 2**20),
    "stride": (1, 2**20),
    "batch": (1, 2**16),
    "epochs": (1, 10**6),
    "steps_per_epoch": (1, 10**7),
    "patience": (1, 10**6),
    "validation_seconds": (0.01, 1e9),
    "seed": (0, 2**32 - 1),
}
HEAVIEST = 1e6  # weight of a loss or critic


@dataclass(frozen=True)
class Adam:
    """Settings of Adam (Kingma and Ba 2015).

    Args:
        learning_rate: the initial learning rate; the peak of a cosine schedule.
        beta_1: decay of the first moment.
        beta_2: decay of the second moment.
        epsilon: added to the root of the second moment.
        weight_decay: each step shrinks the kernels, not the biases, by the learning rate times
            this fraction.
        schedule: a key of `SCHEDULES`.
        clip_norm: the largest norm of the gradient of each network; None does not clip.
        average: decay of a running mean of the weights, which is validated and kept as the best
            weights in place of the weights themselves; 0 keeps no mean.

    Raises:
        UserError: a value is out of range.
    """

    learning_rate: float = 3e-4
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    weight_decay: float = 0.0
    schedule: str = "constant"
    clip_norm: float | None = None
    average: float = 0.0

    def __post_init__(self) -> None:
        lookup(SCHEDULES, self.schedule, "schedule")
        _check_bounds(self)
        for key in ("beta_1", "beta_2", "average"):
            if not 0 <= getattr(self, key) < 1:
                raise UserError(f"{key} {getattr(self, key)} must be at least 0 and below 1")


@dataclass(frozen=True)
class Adversarial:
    """Settings of adversarial training, for recipes with critics.

    Args:
        loss: one of `ADVERSARIAL_LOSSES`; a metric critic has its own.
        critic_width: multiplies the published numbers of channels of the critics.
        opinion: weight of what a critic thinks of the output, times the weight of the critic.
        feature_matching: weight of the feature matching, times the weight of each critic.
        features: which layers feature matching compares: "all", or the "last" one before the score.
        critic_patch: how many samples in the middle of each patch the critics judge; None for all.
            They take most of the time, and at the ends of a patch, a network lacks context.
        critic_rate: multiplies the learning rate for the critics.

    Raises:
        UserError: a value is out of range.
    """

    loss: str = "hinge"
    critic_width: float = 1.0
    opinion: float = 1.0
    feature_matching: float = 1.0
    features: str = "all"
    critic_patch: int | None = None
    critic_rate: float = 1.0

    def __post_init__(self) -> None:
        lookup(dict.fromkeys(ADVERSARIAL_LOSSES), self.loss, "adversarial loss")
        lookup(dict.fromkeys(FEATURES), self.features, "adversarial.features")
        _check_bounds(self)


@dataclass(frozen=True)
class Recipe:
    """Everything that decides how a network is trained.

    Args:
        name: of the recipe.
        source: paper and section, or how the values were chosen.
        model: one of `models.names()` or `models.systems()`.
        arguments: of the network's constructor. A network that takes a ratio or a patch gets those
            of the recipe, unless they are here.
        sample_rate: the high rate in Hz.
        ratio: the high rate over the low rate.
        protocol: a key of `data_gen.degrade.PROTOCOLS`.
        patch: samples of a training example at the high rate.
        stride: samples from one patch to the next.
        batch: patches of a step.
        augmentation: changes of the training data.
        losses: name -> weight in the sum of losses; the names are keys of `SHORTEST_PATCHES`.
        recognizer: what the loss `whisper` hears with: the folder of a Whisper model in the format
            of CTranslate2, or the name of one that faster-whisper has downloaded, such as "base".
        critics: name -> weight of the critic's opinion and features, and of its own loss; the names
            are keys of `CRITICS`. Without critics, the losses are minimized alone.
        adversarial: settings of a training with critics.
        optimizer: settings of Adam.
        epochs: of the training.
        steps_per_epoch: None takes every patch once.
        select: what decides which epoch is the best: "loss", or a metric of `evaluate.metrics`.
        patience: epochs without a better loss or SNR before the training stops; None never stops.
        validation_seconds: of recordings, taken evenly from the valid split.
        starts_from: the recipe whose run provides the initial weights.
        precision: "float32", "mixed_float16" for GPUs, or "mixed_bfloat16" for TPUs and newer CPUs.
        xla: compiles with XLA, as Keras on JAX always does. On CPUs, TensorFlow's one-dimensional
            convolutions are slower with it.
        seed: of weights, shuffling, augmentation and dropout.

    Raises:
        UserError: a value is out of range, or two values contradict each other.
    """

    name: str
    source: str
    model: str
    arguments: dict[str, Any] = field(default_factory=dict)
    sample_rate: int = 16000
    ratio: Ratio = 4
    protocol: str = "decimate_spline"
    patch: int = 8192
    stride: int = 4096
    batch: int = 64
    augmentation: Augmentation = field(default_factory=Augmentation)
    losses: dict[str, float] = field(default_factory=lambda: {"patch_rmse": 1.0})
    recognizer: str | None = None
    critics: dict[str, float] = field(default_factory=dict)
    adversarial: Adversarial = field(default_factory=Adversarial)
    optimizer: Adam = field(default_factory=Adam)
    epochs: int = 100
    steps_per_epoch: int | None = None
    select: str = "loss"
    patience: int | None = None
    validation_seconds: float = 600.0
    starts_from: str | None = None
    precision: str = "float32"
    xla: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        lookup(dict.fromkeys([*models.names(), *models.systems()]), self.model, "model")
        lookup(dict.fromkeys(PRECISIONS), self.precision, "precision")
        self._check_low_side()
        if self.select != "loss":
            directed = {k: each for k, each in METRICS.items() if each.higher_is_better is not None}
            lookup(directed, self.select, "metric in select")
        _check_bounds(self)
        if self.arguments.get("ratio", self.ratio) != self.ratio:
            raise UserError(
                f"arguments.ratio {self.arguments['ratio']} differs from the ratio {self.ratio}; "
                "set ratio, and the network follows"
            )
        if not self.losses:
            raise UserError(f"losses is empty; choose from {', '.join(SHORTEST_PATCHES)}")
        self._check_terms("losses", SHORTEST_PATCHES, "patch", self.patch)
        self._check_recognizer()
        judged = self.adversarial.critic_patch
        if judged is None:
            self._check_terms("critics", CRITICS, "patch", self.patch)
        elif judged > self.patch:
            raise UserError(
                f"adversarial.critic_patch {judged} is longer than the patch, {self.patch}; set a "
                "shorter one, or none"
            )
        else:
            self._check_terms("critics", CRITICS, "adversarial.critic_patch", judged)

    @property
    def any_band(self) -> bool:
        """Whether the network restores bands of any width, from waves at the high rate."""
        return self.augmentation.random_band

    @property
    def is_vocoder(self) -> bool:
        """Whether the network makes recordings anew from their mel spectrograms."""
        return models.wants_high(self.model)

    @property
    def high_side_only(self) -> bool:
        """Whether the low sides of a dataset are not used."""
        return self.any_band or self.is_vocoder

    def _check_low_side(self) -> None:
        """Checks how the low side is made: the ratio, the protocol and the augmentation."""
        if self.any_band and models.band_hz(self.model) is None:
            every = [*models.names(), *models.systems()]
            able = ", ".join(name for name in every if models.band_hz(name))
            raise UserError(
                f"model {self.model}: augmentation.random_band is for networks for any band: {able}"
            )
        if self.high_side_only:
            kind = "a vocoder" if self.model in models.vocoders() else "an autoencoder"
            reason = (
                f"{self.model} is {kind}, whose input is the reference itself"
                if self.is_vocoder
                else "augmentation.random_band makes all waves at the high rate"
            )
            if self.ratio != 1:
                raise UserError(f"ratio {self.ratio}: {reason}, which is a ratio of 1; set ratio=1")
            if self.augmentation.random_lowpass and self.is_vocoder:
                raise UserError(f"augmentation.random_lowpass: {reason}; set it to 0")
        else:
            degrade.get(self.protocol).check(self.ratio)
        if self.augmentation.random_lowpass and not self.any_band:
            degrade.check_whole(self.ratio, "random_lowpass")

    def _check_recognizer(self) -> None:
        """Checks that there is a recognizer if a loss hears, and that it can hear the patches."""
        heard = "whisper" in self.losses
        if heard and not self.recognizer:
            raise UserError(
                "losses.whisper needs a recognizer, a Whisper model for faster-whisper: set "
                "recognizer to its folder or its name, such as recognizer=base"
            )
        if self.recognizer and not heard:
            raise UserError(
                f"recognizer {self.recognizer}: only losses.whisper hears with it; set the weight "
                "of losses.whisper, or recognizer=none"
            )
        if heard and self.sample_rate != RECOGNIZER_RATE:
            raise UserError(
                f"losses.whisper: recognizers hear {RECOGNIZER_RATE} Hz, and sample_rate is "
                f"{self.sample_rate}; set losses.whisper=0 and recognizer=none"
            )
        if heard and self.patch > RECOGNIZER_SECONDS * RECOGNIZER_RATE:
            raise UserError(
                f"patch {self.patch}: losses.whisper hears at most {RECOGNIZER_SECONDS} s; set "
                f"patch={RECOGNIZER_SECONDS * RECOGNIZER_RATE} or less"
            )

    def _check_terms(
        self, key: str, shortest: Mapping[str, int], length_key: str, length: int
    ) -> None:
        """Checks the names and weights of the losses or the critics, and the length they get."""
        for name, weight in getattr(self, key).items():
            needed = lookup(shortest, name, {"losses": "loss", "critics": "critic"}[key])
            if not 0 < weight <= HEAVIEST:
                raise UserError(
                    f"{key}.{name} {weight} must be above 0 and at most {HEAVIEST:g}; 0 in --set "
                    "removes it"
                )
            if length < needed:
                raise UserError(
                    f"{length_key} {length} is too short for {key}.{name}, which needs {needed} "
                    f"samples; set a longer {length_key}, or {key}.{name}=0"
                )

    def network_arguments(self) -> dict[str, Any]:
        """Returns the network's arguments, with the ratio and the patch if it takes them."""
        known = models.arguments(self.model)
        given = {key: getattr(self, key) for key in ("ratio", "patch") if key in known}
        return {**given, **self.arguments}

    def to_json(self) -> dict[str, Any]:
        """Returns the recipe for run.json: nested dicts, and a ratio such as 4 or "441/160"."""
        content = dataclasses.asdict(self)
        if isinstance(self.ratio, Fraction):
            content["ratio"] = str(self.ratio)
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Recipe":
        """Reads the recipe of a run.json.

        Raises:
            UserError: it is not a recipe.
        """
        try:
            values = _nest(content) if "spectral_weight" in content else dict(content)
            values["ratio"] = quotient(values["ratio"])
            values["augmentation"] = Augmentation(**values["augmentation"])
            values["optimizer"] = Adam(**values["optimizer"])
            values["adversarial"] = Adversarial(**values.get("adversarial", {}))
            return cls(**values)
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(f"not a recipe: {error}") from error


def _nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Converts a recipe of the first version, which had no nested fields."""
    values = dict(flat)
    for key, kind in (("augmentation", Augmentation), ("optimizer", Adam)):
        names = [each.name for each in dataclasses.fields(kind)]
        values[key] = {name: values.pop(name) for name in names if name in values}
    losses = {values.pop("loss"): 1.0, "log_spectral": values.pop("spectral_weight")}
    values["losses"] = {name: weight for name, weight in losses.items() if weight}
    values["starts_from"] = values.pop("initial")
    return values


def _check_bounds(settings: Adam | Adversarial | Recipe) -> None:
    """Raises a UserError if a number is not within its `BOUNDS`."""
    for each in dataclasses.fields(settings):
        value = getattr(settings, each.name)
        if each.name in BOUNDS and value is not None:
            lowest, highest = BOUNDS[each.name]
            # NaN is out of all bounds, since all comparisons with it are false.
            if not lowest <= value <= highest:
                none = ", or none" if each.default is None else ""
                raise UserError(f"{each.name} {value} must be from {lowest} to {highest}{none}")
