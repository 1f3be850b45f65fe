"""From a recipe and a dataset to everything that the training loop needs.

An `Experiment` checks its recipe without TensorFlow, which only `build` imports.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import models
from ..command import UserError
from ..data_gen import degrade
from ..data_gen.dataset import Dataset
from ..evaluate.metrics import METRICS
from ..models import pretrained
from ..models.parts import checksums
from ..models.record import Record
from ..upsample import find_run
from .distribution.base import ONE, Distribution
from .identity import new_record
from .recipe import Recipe
from .run import VALIDATION, Run

if TYPE_CHECKING:
    import tensorflow as tf

    from ..models.system import Network
    from .objective import Objective
    from .training import Training


# The patches of a recording are in memory at the same time; in float32, this is half a gigabyte.
PATCH_SAMPLES = 2**27


class Experiment:
    """A recipe with a dataset and initial weights that match it.

    Args:
        recipe: what to train.
        dataset: what to train it on.
        initial_weights: what to start from, for fine-tuning: a run folder, a weights file in one,
            or the name of a shipped network. Bini (2021) fine-tunes multi-speaker networks to
            single speakers this way.
        distribution: the devices.
        data_service: the dispatcher of tf.data service, HOST:PORT, whose workers make or read the
            patches (`pipeline.patches`).

    Raises:
        UserError: they do not match.

    Example:
        >>> experiment = Experiment(recipes.get("demo"), Dataset(Path("data/demo")))
        >>> run = fit(experiment, experiment.open(Path("runs/demo")))
    """

    # Columns of the history; the first one may decide which epoch is the best.
    validation = VALIDATION

    def __init__(
        self,
        recipe: Recipe,
        dataset: Dataset,
        initial_weights: str | Path | None = None,
        distribution: Distribution = ONE,
        data_service: str | None = None,
    ) -> None:
        self.recipe, self.dataset, self.distribution = recipe, dataset, distribution
        self._data_service = data_service
        self.seed, self.precision = recipe.seed, recipe.precision
        keys = ("sample_rate",) if recipe.high_side_only else ("sample_rate", "ratio", "protocol")
        for key in keys:
            has, needs = getattr(dataset, key), getattr(recipe, key)
            if has != needs:
                raise UserError(
                    f"{dataset.folder} was prepared with {key}={has}, and the recipe needs "
                    f"{needs}; prepare it with --{key}={needs}, or train with --set={key}={has}"
                )
        for split in ("train", "valid"):
            dataset.shards(split)
        if not self._patches_per_epoch():
            raise UserError(
                f"{dataset.folder}: no recording has a patch of {recipe.patch} samples; prepare "
                "longer recordings, or set a shorter patch"
            )
        self._check_overlap()
        if recipe.batch % distribution.devices:
            raise UserError(
                f"batch {recipe.batch} cannot be divided among {distribution.devices} devices; set "
                f"a multiple of {distribution.devices} with --set=batch=N"
            )
        if initial_weights is None and recipe.starts_from:
            raise UserError(
                f"{recipe.name} starts from a run of {recipe.starts_from}; name its folder with "
                "--initial_weights, or start from random weights with --set=starts_from=none"
            )
        self.parts = self._parts()
        self._starts_from = str(initial_weights)  # as the user names it
        self.initial_weights = self._find_initial_weights() if initial_weights else None

    @property
    def remedy(self) -> str:
        """The flag to try if the loss diverges."""
        return f"--set=optimizer.learning_rate={self.recipe.optimizer.learning_rate / 3:.1g}"

    def open(self, folder: Path, flags: list[str] | None = None) -> Run:
        """Opens a new run folder, or that of a run of this experiment that was stopped.

        Args:
            folder: the run folder.
            flags: the command line, for run.json.

        Raises:
            UserError: the folder holds another run.
        """
        initial = self.initial_weights
        record = new_record(
            self.recipe.to_json(),
            dataset=self.dataset.identity,
            initial_weights={"sha256": pretrained.checksum(initial)} if initial else {},
            parts=self.parts,
            data=str(self.dataset.folder.absolute()),
            flags=flags or [],
        )
        recipe = self.recipe
        columns = dict.fromkeys([f"val_{recipe.select}", *self.validation])
        # A recipe cannot select by a metric that is best at 0, for which this is None.
        highest = recipe.select != "loss" and METRICS[recipe.select].higher_is_better is True
        return Run(folder, record, recipe.epochs, recipe.patience, [*columns], highest)

    def build(self) -> "Training":
        """Builds the network and its objectives, and opens the data.

        Raises:
            UserError: the network does not accept its arguments, the patch or the initial weights.
        """
        import keras

        from ..upsample import Upsampler
        from ..upsample.baselines import Interpolation
        from .losses import weighted
        from .training import Training
        from .validation import Validation

        recipe, dataset = self.recipe, self.dataset
        keras.utils.set_random_seed(recipe.seed)
        arguments = self.recipe.network_arguments()
        network = self._network(arguments)
        steps = recipe.steps_per_epoch or self._count_steps(network.wants)
        validation = Validation(
            dataset,
            recipe.validation_seconds,
            network,
            weighted(recipe.losses, recipe.recognizer),
            recipe.patch,
            recipe.select,
            recipe.augmentation.limit if recipe.any_band else None,
        )
        method = degrade.get(recipe.protocol).interpolation
        rates = (recipe.sample_rate, recipe.ratio, method)
        upsampler = Upsampler(network, *rates)
        # Without a low side, there is nothing to interpolate.
        baselines = {} if recipe.is_vocoder else {method: Upsampler(Interpolation(method), *rates)}
        return Training(
            recipe=replace(recipe, arguments=arguments).to_json(),
            networks=network.networks(),
            objectives=self._objectives(network, steps),
            steps=steps,
            batches=lambda epoch: self._batches(epoch, network.wants),
            validate=lambda: validation.measure(upsampler, network.predicted),
            baselines=lambda: {name: validation.measure(each) for name, each in baselines.items()},
        )

    def _find_initial_weights(self) -> Path:
        """Finds the initial weights, and checks that they are weights of the recipe's network."""
        folder, weights = find_run(self._starts_from)
        model = Record.read(folder).model
        if model not in (self.recipe.model, *models.STARTS.get(self.recipe.model, ())):
            raise UserError(
                f"--initial_weights={self._starts_from}: a {model}, and the recipe trains a "
                f"{self.recipe.model}; start from another run, or set model={model}"
            )
        return weights

    def _parts(self) -> dict[str, str]:
        """Returns the SHA-256 of the weights of parts that were trained elsewhere."""
        return checksums(self.recipe.model, self.recipe.arguments)

    def _network(self, arguments: dict[str, Any]) -> "Network":
        from ..models.system import NEEDS_XLA

        recipe = self.recipe
        network = models.build(recipe.model, **arguments)
        network.jit_compile = recipe.xla or NEEDS_XLA
        if network.sample_rate not in (None, recipe.sample_rate):
            raise UserError(
                f"sample_rate {recipe.sample_rate}: this {recipe.model} is for "
                f"{network.sample_rate} Hz only; prepare a dataset of that rate and set "
                f"sample_rate={network.sample_rate}"
            )
        multiple = network.multiple * network.factor  # in samples at the high rate
        if recipe.patch % multiple:
            raise UserError(
                f"patch {recipe.patch} is not a multiple of {multiple} samples, which "
                f"{recipe.model} needs"
            )
        if self.initial_weights:
            self._load_initial_weights(network, arguments)
        return network

    def _load_initial_weights(self, network: "Network", arguments: dict[str, Any]) -> None:
        """Copies the weights of a trained network."""
        from ..models.system import System
        from ..upsample import load

        assert self.initial_weights
        # With the vocoder of this recipe, since that of the other run may be gone.
        vocoder = {**models.arguments(self.recipe.model), **arguments}.get("vocoder")
        trained = load(self.initial_weights, vocoder=vocoder).network
        assert isinstance(trained, System)
        try:
            network.start_from(trained)
        except ValueError as error:
            defaults = models.arguments(self.recipe.model)
            found = defaults | Record.read(self.initial_weights.parent).arguments
            differences = [
                f"{key} {found[key]}, not {value}"
                for key, value in (defaults | arguments).items()
                if found[key] != value
            ]
            raise UserError(
                f"--initial_weights={self._starts_from}: its weights do not fit this "
                f"{self.recipe.model}, since the arguments differ: {'; '.join(differences)}; "
                "start from another run, or set the same arguments"
            ) from error

    def _objectives(self, network: "Network", steps: int) -> "list[Objective]":
        from . import methods, optimizers

        recipe = self.recipe
        objectives = methods.objectives(recipe, network)
        for objective in objectives:
            rate = recipe.optimizer.learning_rate * objective.rate
            settings = replace(recipe.optimizer, learning_rate=rate)
            optimizer = optimizers.build(settings, steps, recipe.epochs, objective.groups)
            objective.compile(optimizer, jit_compile=network.jit_compile)
        return objectives

    def _batches(self, epoch: int, wants: str) -> Iterator[Any]:
        """Yields the batches (low, high) of an epoch, then those of further passes."""
        return self._arrays(self._patches(epoch, wants, self._share).repeat())

    def _arrays(self, patches: "tf.data.Dataset") -> Iterator[Any]:
        """Yields patches as NumPy arrays; raises a UserError that names a damaged shard."""
        from ..data_gen import pipeline

        return pipeline.arrays(patches, self.dataset, "train")

    @property
    def _share(self) -> tuple[int, int]:
        """The share of this process in the dataset (`pipeline.patches`)."""
        return self.distribution.process, self.distribution.processes

    def _patches(
        self, epoch: int, wants: str, share: tuple[int, int] = (0, 1)
    ) -> "tf.data.Dataset":
        """Returns the patches of an epoch, or a share of them."""
        import numpy as np

        from ..data_gen import pipeline

        recipe = self.recipe
        # Each seed, epoch and process leads to another shuffling and augmentation.
        seed = int(np.random.SeedSequence([recipe.seed, epoch, share[0]]).generate_state(1)[0])
        return pipeline.patches(
            self.dataset,
            "train",
            recipe.patch,
            recipe.stride,
            recipe.batch // share[1],
            seed,
            wants=wants,
            augmentation=recipe.augmentation,
            share=share,
            data_service=self._data_service,
        )

    def _count_steps(self, wants: str) -> int:
        """Counts the batches of an epoch."""
        augmentation = self.recipe.augmentation
        if augmentation.silence_rms or augmentation.speed_perturbation:
            # How much augmentation leaves of a recording depends on its samples.
            return sum(1 for _ in self._arrays(self._patches(0, wants)))
        return -(-self._patches_per_epoch() // self.recipe.batch)

    def _check_overlap(self) -> None:
        """Raises a UserError if the patches of a recording would exhaust the memory."""
        patch, stride = self.recipe.patch, self.recipe.stride
        longest = max(self.dataset.lengths("train"))
        most = max(1, PATCH_SAMPLES // patch)
        if (longest - patch) // stride >= most:
            raise UserError(
                f"stride {stride} cuts {longest} samples into more than {most} patches of {patch}; "
                f"set a stride of at least {(longest - patch) // most + 1}"
            )

    def _patches_per_epoch(self) -> int:
        """Counts the patches of an epoch without augmentation."""
        patch, stride = self.recipe.patch, self.recipe.stride
        return sum(
            1 + (length - patch) // stride
            for length in self.dataset.lengths("train")
            if length >= patch
        )
