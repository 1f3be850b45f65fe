"""From shards to shuffled batches of (low, high) patches, in tf.data."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from . import degrade, shards

SILENCE_FRAME = 256


def drop_silence(wave: tf.Tensor, *others: tf.Tensor, threshold_rms: float) -> list[tf.Tensor]:
    """Drops the quiet frames of a wave, and the same frames of others in step with it.

    Frames of 256 samples whose RMS lies below the threshold go; the rest closes up. The samples
    past the last whole frame go too.

    Source: Bini 2021, chapter 4: threshold 0.05, in the training of multi-speaker models only.

    Args:
        wave: shape (n,), judged.
        *others: shape (n,), filtered alike.
        threshold_rms: from 0 to 1.

    Returns:
        the filtered waves, in the order given.
    """
    frames = tf.signal.frame(wave, SILENCE_FRAME, SILENCE_FRAME)
    keep = tf.sqrt(tf.reduce_mean(frames**2, axis=1)) >= threshold_rms
    return [
        tf.reshape(tf.boolean_mask(tf.signal.frame(each, SILENCE_FRAME, SILENCE_FRAME), keep), [-1])
        for each in (wave, *others)
    ]


def patches(
    shard_paths: Sequence[Path],
    patch: int = 256,
    stride: int | None = None,
    batch: int = 64,
    seed: int | None = 0,
    *,
    silence_rms: float = 0.0,
    gain_db: float = 0.0,
    shuffle_seconds: float = 600.0,
) -> tf.data.Dataset:
    """Cuts the waves of a dataset into (low, high) patches and batches them.

    The low side is brought to the high rate by the dataset's protocol, over the whole wave, so
    that patches have no borders of interpolation. The same arguments give the same batches; a
    second pass over one dataset is shuffled anew.

    Args:
        shard_paths: shards of one dataset, as `shards.files` lists them.
        patch: samples of a patch at the high rate. Shorter waves give no patch.
        stride: samples from one patch to the next; the patch's own length by default.
        batch: patches of a batch; the last one may be smaller.
        seed: of the shuffling and the gains. None keeps the order of the shards, for validation.
        silence_rms: frames of 256 samples quieter than this are dropped first (`drop_silence`).
        gain_db: each patch is made louder or softer by a random gain of at most this many dB.
        shuffle_seconds: audio held in memory to draw patches from.

    Returns:
        a dataset of pairs of float32 tensors of shape (batch, patch, 1).
    """
    stride = stride or patch
    description = shards.describe(Path(shard_paths[0]).parent)
    protocol, ratio = degrade.get(description.protocol), description.ratio
    paths = [str(path) for path in shard_paths]

    def bring_up(low: np.ndarray) -> np.ndarray:
        return protocol.up(low, ratio)

    def cut(record: tf.Tensor) -> tf.Tensor:
        example = shards.parse(record)
        high = example["high"]
        low = tf.numpy_function(bring_up, [example["low"]], tf.float32, stateful=False)
        low = tf.ensure_shape(low, [None])
        if silence_rms > 0:
            high, low = drop_silence(high, low, threshold_rms=silence_rms)
        # (2, n) to (2, patches, patch) to (patches, 2, patch)
        pairs = tf.signal.frame(tf.stack([low, high]), patch, stride)
        return tf.transpose(pairs, [1, 0, 2])

    def amplify(pair: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        decibels = tf.random.stateless_uniform([], tf.stack([noise, 0]), -gain_db, gain_db)
        return pair * tf.pow(10.0, decibels / 20.0)

    def finish(pairs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # (batch, 2, patch) to two of (batch, patch, 1)
        return pairs[:, 0, :, tf.newaxis], pairs[:, 1, :, tf.newaxis]

    if seed is None:
        records = tf.data.TFRecordDataset(paths)
    else:
        files = tf.data.Dataset.from_tensor_slices(paths)
        files = files.shuffle(len(paths), seed)
        # Several shards at a time: neighbours within a shard share a speaker.
        records = files.interleave(tf.data.TFRecordDataset, cycle_length=16)
    dataset = records.map(cut, tf.data.AUTOTUNE).unbatch()
    if seed is not None:
        held = max(batch, round(shuffle_seconds * description.sample_rate / patch))
        dataset = dataset.shuffle(held, seed)
    if gain_db > 0:
        noise = tf.data.Dataset.random(seed, rerandomize_each_iteration=True)
        dataset = tf.data.Dataset.zip((dataset, noise)).map(amplify)
    return dataset.batch(batch).map(finish).prefetch(tf.data.AUTOTUNE)
