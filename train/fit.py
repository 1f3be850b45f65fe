"""The training loop: a recipe and a dataset in, a run folder out."""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from .. import models
from ..command import UserError
from ..command.files import replacing
from ..data_gen import dataset as shards
from ..data_gen import degrade, pipeline
from ..evaluate import figures, metrics
from ..evaluate.summary import summarize
from ..models import pretrained
from ..upsample import Upsampler
from ..upsample.upsampler import weights_file
from .losses import LOSSES, SPECTRAL_RESOLUTIONS, with_spectral_term
from .recipe import Recipe
from .run import Run


def fit(
    recipe: Recipe,
    data: Path,
    folder: Path,
    flags: list[str],
    initial_weights: Path | None = None,
) -> Run:
    """Trains a recipe on a dataset, or continues where a killed run stopped.

    An epoch's patches, gains and dropout follow from the seed and the epoch's number alone, so a
    run that was continued ends as one that was never stopped.

    Args:
        recipe: what to train.
        data: folder of a prepared dataset.
        folder: the run folder.
        flags: the command line, for the record.
        initial_weights: run folder, or weights file in one, of the network to start from. A
            single-speaker network is so fine-tuned from a multi-speaker one (Bini 2021).

    Returns:
        the finished run.

    Raises:
        UserError: dataset, recipe and initial weights disagree, the folder holds another run, or
            the loss is no longer finite.
    """
    _check(recipe, data)
    recipe = _complete(recipe)
    facts = {"dataset": shards.identity(data), "initial_weights": _digest(recipe, initial_weights)}
    run = Run(folder, recipe, facts, {"data": str(data.absolute()), "flags": flags})
    if run.finished:
        return run
    keras.utils.set_random_seed(recipe.seed)
    keras.mixed_precision.set_dtype_policy(recipe.precision)
    network = _build(recipe)
    steps = recipe.steps_per_epoch or _count_steps(recipe, data)
    if initial_weights:
        _start_from(network, initial_weights)
    network.compile(optimizer(recipe, steps), _loss(recipe), jit_compile=recipe.xla)
    if run.epoch:
        # Builds the optimizer's variables, which the checkpoint fills.
        network.optimizer.build(network.trainable_variables)
        network.load_weights(run.checkpoint)
    interpolation = degrade.get(recipe.protocol).interpolation
    upsampler = Upsampler(network, recipe.sample_rate, recipe.ratio, interpolation)
    validation = _validation_set(recipe, data)

    baseline = Upsampler(interpolation, recipe.sample_rate, recipe.ratio)
    run.record["baselines"] = {interpolation: _validate(baseline, validation, recipe)}
    run.save_record()

    total = steps * recipe.epochs
    with (
        tqdm(total=total, initial=steps * run.epoch, unit="step", desc=folder.name) as bar,
        tf.summary.create_file_writer(str(folder / "events")).as_default(),
    ):
        while not run.finished:
            epoch = run.epoch + 1
            started = time.monotonic()
            _reseed(network, recipe.seed, epoch)
            fitted = network.fit(
                _patches(recipe, data, epoch, network.wants).repeat(),
                steps_per_epoch=steps,
                verbose=0,
                callbacks=[_Bar(bar), _StopOnNan()],
            )
            if "loss" not in fitted.history:
                raise UserError(f"{data}: no recording has a patch of {recipe.patch} samples")
            losses = {"loss": fitted.history["loss"][-1]}
            if math.isfinite(losses["loss"]):
                losses |= _validate(upsampler, validation, recipe)
            latest = losses.get("val_loss", losses["loss"])
            if not math.isfinite(latest):
                raise UserError(
                    f"the loss became {latest} in epoch {epoch}; {folder} keeps the best weights "
                    f"of the {run.epoch} epochs before; try a lower rate in another --run: "
                    f"--set=learning_rate={recipe.learning_rate / 3:.1g}"
                )
            row = {
                "epoch": epoch,
                "step": epoch * steps,
                **losses,
                "seconds": round(time.monotonic() - started, 2),
            }
            run.finish_epoch(row, network)
            for key, value in row.items():
                tf.summary.scalar(key, value, step=epoch)
            with replacing(folder / "curves.png") as temporary:
                temporary.write_bytes(figures.training_curves(run.rows, run.record["baselines"]))
            shown = {key: f"{row[key]:.4g}" for key in ("val_loss", "val_snr", "val_lsd")}
            bar.set_postfix(shown)
    return run


def _check(recipe: Recipe, data: Path) -> None:
    description = shards.describe(data)
    for key in ("sample_rate", "ratio", "protocol"):
        have, want = getattr(description, key), getattr(recipe, key)
        if have != want:
            raise UserError(
                f"{data} was prepared with {key}={have}, and the recipe wants {want}; prepare it "
                f"with --{key}={want}, or train with --set={key}={have}"
            )


def _complete(recipe: Recipe) -> Recipe:
    """Hands ratio and patch to a network that is built for them."""
    taken = models.arguments(recipe.model)
    given = {key: getattr(recipe, key) for key in ("ratio", "patch") if key in taken}
    if recipe.arguments.get("ratio", recipe.ratio) != recipe.ratio:
        raise UserError(
            f"--set=arguments.ratio={recipe.arguments['ratio']}: the recipe's ratio is "
            f"{recipe.ratio}; change that, and the network's follows"
        )
    return replace(recipe, arguments={**given, **recipe.arguments})


def _build(recipe: Recipe) -> keras.Model:
    try:
        network = models.build(recipe.model, **recipe.arguments)
    except ValueError as error:
        raise UserError(f"--set=arguments: {error}") from error
    # In samples at the high rate.
    multiple = network.multiple * network.factor
    if recipe.patch % multiple:
        raise UserError(
            f"patch {recipe.patch} is no multiple of the {multiple} samples that "
            f"{recipe.model} works in"
        )
    return network


def _digest(recipe: Recipe, initial_weights: Path | None) -> dict[str, str]:
    """Tells apart what a run starts from."""
    if initial_weights is None:
        if recipe.initial:
            raise UserError(
                f"{recipe.name} starts from a run of {recipe.initial}; name its folder by "
                f"--initial_weights, or start from random weights with --set=initial=none"
            )
        return {}
    _, weights = weights_file(initial_weights)
    return {"sha256": pretrained.checksum(weights)}


def _start_from(network: keras.Model, run: Path) -> None:
    trained = Upsampler.from_run(run).network
    assert trained is not None
    try:
        network.set_weights(trained.get_weights())
    except ValueError as error:
        raise UserError(
            f"--initial_weights={run}: the weights of that {trained.name} do not fit this "
            f"{network.name}; give it the same model and arguments"
        ) from error


def _loss(recipe: Recipe) -> Callable:
    if recipe.loss not in LOSSES:
        raise UserError(f"loss {recipe.loss!r} is none of {', '.join(LOSSES)}")
    if recipe.spectral_weight == 0:
        return LOSSES[recipe.loss]
    longest = max(window for window, _ in SPECTRAL_RESOLUTIONS)
    if recipe.patch <= longest // 2:
        raise UserError(
            f"patch {recipe.patch} is too short for the spectral term, which needs more than "
            f"{longest // 2} samples; train with --set=spectral_weight=0"
        )
    return with_spectral_term(LOSSES[recipe.loss], recipe.spectral_weight)


def _patches(
    recipe: Recipe, data: Path, epoch: int, wants: str = "interpolated"
) -> tf.data.Dataset:
    # One number out of two, such that no two pairs share their shuffling.
    seed = int(np.random.SeedSequence([recipe.seed, epoch]).generate_state(1)[0])
    return pipeline.patches(
        shards.files(data, "train"),
        recipe.patch,
        recipe.stride,
        recipe.batch,
        seed,
        wants=wants,
        silence_rms=recipe.silence_rms,
        gain_db=recipe.gain_db,
        random_lowpass=recipe.random_lowpass,
        speed_perturbation=recipe.speed_perturbation,
    )


def _count_steps(recipe: Recipe, data: Path) -> int:
    steps = sum(1 for _ in _patches(recipe, data, 0))
    if steps == 0:
        raise UserError(f"{data}: no recording has a whole patch of {recipe.patch} samples")
    return steps


def optimizer(recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    """Builds a recipe's Adam and its schedule, for so many steps an epoch."""
    rate = recipe.learning_rate
    if recipe.schedule == "cosine":
        total = steps * recipe.epochs
        warmup = max(1, total // 50)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, total - warmup, warmup_target=rate, warmup_steps=warmup
        )
    elif recipe.schedule == "polynomial":
        rate = keras.optimizers.schedules.PolynomialDecay(rate, 500_000, 1e-6, power=0.5)
    adam = keras.optimizers.Adam(
        rate, recipe.beta_1, recipe.beta_2, recipe.epsilon, weight_decay=recipe.weight_decay or None
    )
    adam.exclude_from_weight_decay(var_names=["bias"])
    return adam


def _reseed(network: keras.Model, seed: int, epoch: int) -> None:
    """Sets the state of every dropout, which Keras leaves out of its weight files."""
    for number, variable in enumerate(network.non_trainable_variables):
        if variable.path.endswith("seed_generator_state"):
            variable.assign(np.random.SeedSequence([seed, epoch, number]).generate_state(2))


def _validation_set(recipe: Recipe, data: Path) -> list[shards.Example]:
    """Takes every k-th recording of the valid split, so that they make the seconds asked for."""
    examples = shards.read(shards.files(data, "valid"))
    lengths = [len(example.high) for example in examples]
    wanted = recipe.validation_seconds * recipe.sample_rate
    every = max(1, math.ceil(sum(lengths) / wanted))
    examples = shards.read(shards.files(data, "valid"))
    return [example for number, example in enumerate(examples) if number % every == 0]


def _validate(
    upsampler: Upsampler, examples: list[shards.Example], recipe: Recipe
) -> dict[str, float]:
    """Means over whole recordings: the loss over patches, SNR in dB, and modern LSD.

    The loss alone, NaN, where the network gives no wave any more.
    """
    loss, losses, snrs, lsds = _loss(recipe), [], [], []
    for example in examples:
        estimate, _ = upsampler.upsample(example.low, upsampler.low_rate)
        if not np.isfinite(estimate).all():
            return {"val_loss": math.nan}
        pad = (0, -len(estimate) % recipe.patch)
        cut = [np.pad(wave, pad).reshape(-1, recipe.patch, 1) for wave in (example.high, estimate)]
        losses.append(float(keras.ops.mean(loss(*cut))))
        snrs.append(metrics.snr(example.high, estimate))
        lsds.append(metrics.lsd(example.high, estimate))
    # The SNR of a silent recording is not finite, and tells nothing.
    columns = {"val_loss": losses, "val_snr": snrs, "val_lsd": lsds}
    return {name: summarize(values).mean for name, values in columns.items()}


class _Bar(keras.callbacks.Callback):
    """Moves the progress bar and shows the running loss of the epoch."""

    def __init__(self, bar: tqdm) -> None:
        super().__init__()
        self.bar = bar

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.bar.set_postfix(loss=f"{logs['loss']:.4g}", refresh=False)
        self.bar.update()


class _StopOnNan(keras.callbacks.Callback):
    """Ends the epoch at the first loss that is not finite."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if not math.isfinite(logs["loss"]):
            self.model.stop_training = True
