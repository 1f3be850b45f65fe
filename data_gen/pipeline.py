"""From shards to shuffled batches of (low, high) patches, in tf.data."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from ..command import UserError
from . import dataset as shards
from . import degrade

SILENCE_FRAME = 256

Pair = tuple[tf.Tensor, tf.Tensor]  # (low, high)


def drop_silence(
    low: tf.Tensor, high: tf.Tensor, threshold_rms: float, ratio: int = 1
) -> tuple[tf.Tensor, tf.Tensor]:
    """Drops the quiet frames of the high side, and the same frames of the low side.

    Frames of 256 high samples whose RMS lies below the threshold go; the rest closes up. The
    samples past the last whole frame go too.

    Source: Bini 2021, chapter 4: threshold 0.05, in the training of multi-speaker models only.

    Args:
        low: shape (n / ratio,).
        high: shape (n,), judged.
        threshold_rms: from 0 to 1.
        ratio: the rate of the high side over that of the low side, as given; it divides 256.

    Returns:
        both sides, filtered.
    """

    def cut(wave: tf.Tensor, frame: int) -> tf.Tensor:
        return tf.signal.frame(wave, frame, frame)

    frames = cut(high, SILENCE_FRAME)
    keep = tf.sqrt(tf.reduce_mean(frames**2, axis=1)) >= threshold_rms
    low_frames = cut(low, SILENCE_FRAME // ratio)
    return (
        tf.reshape(tf.boolean_mask(low_frames, keep), [-1]),
        tf.reshape(tf.boolean_mask(frames, keep), [-1]),
    )


def patches(
    shard_paths: Sequence[Path],
    patch: int = 256,
    stride: int | None = None,
    batch: int = 64,
    seed: int | None = 0,
    *,
    wants: str = "interpolated",
    silence_rms: float = 0.0,
    gain_db: float = 0.0,
    random_lowpass: float = 0.0,
    speed_perturbation: float = 0.0,
    shuffle_seconds: float = 600.0,
) -> tf.data.Dataset:
    """Cuts the waves of a dataset into (low, high) patches and batches them.

    For a network that `wants` an interpolated input, the low side is brought to the high rate by
    the dataset's protocol, over the whole wave, so that patches have no borders of interpolation.
    The same arguments give the same batches; a second pass over one dataset is shuffled anew.

    Args:
        shard_paths: shards of one dataset, as `shards.files` lists them.
        patch: samples of a patch at the high rate. Shorter waves give no patch.
        stride: samples from one patch to the next; the patch's own length by default.
        batch: patches of a batch; the last one may be smaller.
        seed: of the shuffling and the gains. None keeps the order of the shards, for validation.
        wants: "interpolated", or "low" for the low side at its own rate, in patches that are
            shorter by the ratio.
        silence_rms: frames of 256 samples quieter than this are dropped first (`drop_silence`).
        gain_db: each patch is made louder or softer by a random gain of at most this many dB.
        random_lowpass: share of the recordings whose low side is made anew, by a filter that is
            drawn at random (`degrade.decimate_randomly`).
        speed_perturbation: each recording is made faster, and higher, by a random share of at most
            this, in steps of 0.05 (`degrade.hasten`).
        shuffle_seconds: audio held in memory to draw patches from.

    Returns:
        a dataset of pairs of float32 tensors: (batch, patch, 1), or (batch, patch / ratio, 1) for
        the low side where its own rate is wanted, and (batch, patch, 1).

    Raises:
        UserError: the low side cannot be cut as asked for.
    """
    stride = stride or patch
    description = shards.describe(Path(shard_paths[0]).parent)
    protocol, ratio = degrade.get(description.protocol), description.ratio
    # The high side's rate over that of the network's input.
    step = ratio if wants == "low" else 1
    for name, length in {"patch": patch, "stride": stride}.items():
        if length % step:
            raise UserError(f"{name} {length} is no multiple of the ratio {ratio}")
    paths = [str(path) for path in shard_paths]

    def bring_up(low: np.ndarray) -> np.ndarray:
        return protocol.up(low, ratio)

    def perturb(high: np.ndarray, low: np.ndarray, noise: np.ndarray) -> list[np.ndarray]:
        rng = np.random.default_rng(noise)
        steps = rng.integers(0, round(speed_perturbation / 0.05), endpoint=True)
        if steps:
            high = degrade.crop(degrade.hasten(high, int(steps)), ratio)
        if rng.random() < random_lowpass:
            low = degrade.decimate_randomly(high, ratio, rng)
        elif steps:
            low = protocol.down(high, ratio)
        return [high, low]

    def cut(record: tf.Tensor, noise: tf.Tensor) -> Pair:
        example = shards.parse(record)
        high = example["high"]
        low = example["low"]
        if random_lowpass > 0 or speed_perturbation > 0:
            kinds = [tf.float32, tf.float32]
            both = tf.numpy_function(perturb, [high, low, noise], kinds, stateful=False)
            high, low = (tf.ensure_shape(wave, [None]) for wave in both)
        if wants == "interpolated":
            low = tf.numpy_function(bring_up, [low], tf.float32, stateful=False)
            low = tf.ensure_shape(low, [None])
        if silence_rms > 0:
            low, high = drop_silence(low, high, silence_rms, step)
        # (n / step,) and (n,) to (patches, patch / step, 1) and (patches, patch, 1)
        low = tf.signal.frame(low, patch // step, stride // step)
        return low[..., tf.newaxis], tf.signal.frame(high, patch, stride)[..., tf.newaxis]

    def amplify(pair: Pair, noise: tf.Tensor) -> Pair:
        decibels = tf.random.stateless_uniform([], tf.stack([noise, 0]), -gain_db, gain_db)
        gain = tf.pow(10.0, decibels / 20.0)
        return pair[0] * gain, pair[1] * gain

    if seed is None:
        records = tf.data.TFRecordDataset(paths)
    else:
        files = tf.data.Dataset.from_tensor_slices(paths)
        files = files.shuffle(len(paths), seed)
        # Several shards at a time: patches of one recording follow each other.
        records = files.interleave(tf.data.TFRecordDataset, cycle_length=16)
    noise = tf.data.Dataset.random(seed, rerandomize_each_iteration=True)
    dataset = tf.data.Dataset.zip((records, noise)).map(cut, tf.data.AUTOTUNE).unbatch()
    if seed is not None:
        held = max(batch, round(shuffle_seconds * description.sample_rate / patch))
        dataset = dataset.shuffle(held, seed)
    if gain_db > 0:
        dataset = tf.data.Dataset.zip((dataset, noise)).map(amplify)
    return dataset.batch(batch).prefetch(tf.data.AUTOTUNE)
