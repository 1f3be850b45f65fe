"""Makes shuffled batches of (low, high) patches from shards, with tf.data."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ..command import UserError
from . import degrade, service
from .augment import NO_AUGMENTATION, Augmentation
from .dataset import Dataset

SILENCE_FRAME = 256
# Patches with lower peaks are silence; scaled to a peak of 1, they would be noise of the resampler.
LOWEST_PEAK = 1e-6
# Samples in the largest batch: 256 MB on each side.
MAX_BATCH_SAMPLES = 1 << 26

Pair = tuple[tf.Tensor, tf.Tensor]  # (low, high)

# What patches need of the records of a shard (see `shards`).
_FEATURES = {name: tf.io.FixedLenFeature([], tf.string) for name in ("high", "low")}

# A decorator of functions for tf.data. AutoGraph would translate them, although they have no loops
# or conditions of tensors, into temporary files that a process ended by a signal leaves behind.
_without_autograph = tf.autograph.experimental.do_not_convert


def patches(
    dataset: Dataset,
    split: str = "train",
    patch: int = 256,
    stride: int | None = None,
    batch: int = 64,
    seed: int | None = 0,
    *,
    wants: str = "interpolated",
    augmentation: Augmentation = NO_AUGMENTATION,
    shuffle_seconds: float = 600.0,
    share: tuple[int, int] = (0, 1),
    data_service: str | None = None,
) -> tf.data.Dataset:
    """Cuts the waves of a split into (low, high) patches and batches them.

    For a network with interpolated input, the dataset's protocol interpolates the whole low-rate
    wave before it is cut, so that patches have no edges of interpolation. The same arguments yield
    the same batches; a second pass over the returned dataset is shuffled anew.

    Args:
        dataset: the prepared dataset.
        split: "train", "valid" or "test".
        patch: samples of a patch at the high rate. Shorter waves yield no patch.
        stride: samples from one patch to the next; by default the length of a patch.
        batch: patches in a batch; the last batch may be smaller.
        seed: seeds the shuffling and the augmentation. None keeps the order of the shards, for
            validation.
        wants: "interpolated", "low" for the low side at its own rate, in patches that are shorter
            by the ratio, or "high" for the high side itself.
        augmentation: random changes of the waves.
        shuffle_seconds: duration of the audio in memory from which patches are drawn.
        share: (k, n) for the patches of process k of n, from 0: those of every n-th shard, or of
            every n-th recording if there are fewer shards. Its last batch is dropped if it is
            smaller, since the batches of all processes are put together.
        data_service: the dispatcher of tf.data service, HOST:PORT, whose workers make the patches.
            If the waves are interpolated or changed, which takes functions of Python, the workers
            only read them. The patches are the same ones, in another order each time.

    Returns:
        a dataset of pairs of float32 tensors: low (batch, patch, 1), or (batch, patch / ratio, 1)
        at its own rate, and high (batch, patch, 1). `arrays` iterates over it.

    Raises:
        UserError: the split is empty, a shard is incomplete, there are no such patches or batches,
            or the low side cannot be cut or augmented like this.
    """
    stride = patch if stride is None else stride
    _check_sizes(dataset, split, patch, stride, batch)
    factor = _factor(dataset, wants, patch, stride)
    if augmentation.random_lowpass and not augmentation.random_band:
        degrade.check_whole(dataset.ratio, "random_lowpass")
    if augmentation.random_band and wants != "interpolated":
        raise UserError("random_band needs a network with interpolated input")
    # Functions of Python are for random waves and interpolation (`_waves`).
    local = wants == "interpolated" or augmentation.changes_waves
    records = _records(dataset.shards(split), seed, share, split_files=data_service is not None)
    if data_service and local:
        records = service.distribute(records, data_service)
    draws = tf.data.Dataset.random(seed, rerandomize_each_iteration=True)
    waves = _waves(dataset, wants, augmentation)

    @_without_autograph
    def cut(record: tf.Tensor, draw: tf.Tensor) -> Pair:
        low, high = waves(record, draw)
        if augmentation.silence_rms > 0:
            low, high = drop_silence(low, high, augmentation.silence_rms, factor)
        # (n / factor,) and (n,) to (patches, patch / factor, 1) and (patches, patch, 1)
        low = tf.signal.frame(low, patch // factor, stride // factor)
        high = tf.signal.frame(high, patch, stride)
        if augmentation.peak_db is not None:
            low, high = (scale_peaks(side, augmentation.peak_db) for side in (low, high))
        return tf.expand_dims(low, -1), tf.expand_dims(high, -1)

    @_without_autograph
    def amplify(pair: Pair, draw: tf.Tensor) -> Pair:
        bound = augmentation.gain_db
        decibels = tf.random.stateless_uniform([], tf.stack([draw, 0]), -bound, bound)
        gain = tf.pow(10.0, decibels / 20.0)
        return pair[0] * gain, pair[1] * gain

    pairs = tf.data.Dataset.zip((records, draws)).map(cut, tf.data.AUTOTUNE).unbatch()
    if seed is not None:
        buffer_size = max(batch, round(shuffle_seconds * dataset.sample_rate / patch))
        pairs = pairs.shuffle(buffer_size, seed)
    if augmentation.gain_db > 0:
        pairs = tf.data.Dataset.zip((pairs, draws)).map(amplify)
    whole = share[1] > 1
    if data_service and not local:
        # Each worker has a last batch, which may be smaller.
        batches = service.distribute(pairs.batch(batch), data_service).rebatch(batch, whole)
    else:
        batches = pairs.batch(batch, whole)
    return batches.prefetch(tf.data.AUTOTUNE)


def _check_sizes(dataset: Dataset, split: str, patch: int, stride: int, batch: int) -> None:
    """Raises a UserError if there are no such patches, or a batch does not fit in memory."""
    for name, value in {"patch": patch, "stride": stride, "batch": batch}.items():
        if value < 1:
            raise UserError(f"{name} {value} must be at least 1")
    if batch * patch > MAX_BATCH_SAMPLES:
        raise UserError(
            f"batch {batch} with patch {patch} is too large; a batch has at most "
            f"{MAX_BATCH_SAMPLES} samples"
        )
    longest = max(dataset.lengths(split), default=patch)
    if longest < patch:
        raise UserError(
            f"{dataset.folder}: patch {patch} is longer than every wave of the {split} split, "
            f"which have up to {longest} samples; choose a shorter patch"
        )


def arrays(batches: tf.data.Dataset, dataset: Dataset, split: str) -> Iterator[Any]:
    """Yields the batches of `patches`, or of a dataset made from them, as NumPy arrays.

    Args:
        batches: made from the shards of the split.
        dataset: the prepared dataset.
        split: "train", "valid" or "test".

    Raises:
        UserError: a shard is damaged, which TensorFlow's own error does not name; or tf.data
            service has ended.
    """
    try:
        yield from batches.as_numpy_iterator()
    except tf.errors.OpError as error:
        # Reads the shards one by one, which raises the error that names the damaged one.
        for _ in dataset.examples(split):
            pass
        if isinstance(error, tf.errors.UnavailableError):
            raise UserError(
                "tf.data service has ended; start it again, and the same command continues"
            ) from error
        raise


def _factor(dataset: Dataset, wants: str, patch: int, stride: int) -> int:
    """Returns the high rate over the rate of the network's input."""
    if wants != "low":
        return 1
    ratio = dataset.ratio
    if ratio.denominator != 1:
        raise UserError(
            f"{dataset.folder}: has the ratio {ratio}; a network whose input has the low rate "
            "needs a whole ratio"
        )
    for name, length in {"patch": patch, "stride": stride}.items():
        if length % ratio:
            raise UserError(f"{name} {length} is not a multiple of the ratio {ratio}")
    return ratio.numerator


def _records(
    paths: list[Path], seed: int | None, share: tuple[int, int], split_files: bool
) -> tf.data.Dataset:
    """Reads the records of a share of shards, in order or (with a seed) several shards at a time.

    Consecutive patches come from one recording; those in the shuffle buffer should come from many.
    If there are fewer shards than shares, it reads every n-th record, in order.
    With `split_files`, tf.data service can split the files among its workers. It gives each of them
    to all workers if a shuffling precedes the interleaving.
    """
    number, count = share
    # Absolute, for workers with other working folders.
    names = [os.fsencode(path.absolute()) for path in paths]
    if len(names) < count:
        return tf.data.TFRecordDataset(names).shard(count, number)
    names = names[number::count]
    if seed is None:
        return tf.data.TFRecordDataset(names)
    if split_files:
        np.random.default_rng(seed).shuffle(names)
    files = tf.data.Dataset.from_tensor_slices(names)
    if not split_files:
        files = files.shuffle(len(names), seed)
    return files.interleave(tf.data.TFRecordDataset, cycle_length=16)


def _parse(record: tf.Tensor) -> Pair:
    """Reads a record: low (n / ratio,) and high (n,), float32."""
    example = tf.io.parse_single_example(record, _FEATURES)
    high = tf.cast(tf.io.decode_raw(example["high"], tf.int16), tf.float32) / 32768.0
    return tf.io.decode_raw(example["low"], tf.float32), high


def _waves(
    dataset: Dataset, wants: str, augmentation: Augmentation
) -> Callable[[tf.Tensor, tf.Tensor], Pair]:
    """Returns a function from a record and a random number to whole waves (low, high)."""
    protocol, ratio = degrade.get(dataset.protocol), dataset.ratio

    def interpolate(low: np.ndarray) -> np.ndarray:
        return protocol.up(low, ratio)

    def perturb(high: np.ndarray, low: np.ndarray, draw: np.ndarray) -> tuple[np.ndarray, ...]:
        return augmentation.perturb(high, low, protocol, ratio, np.random.default_rng(draw))

    def limit(high: np.ndarray, draw: np.ndarray) -> np.ndarray:
        return augmentation.limit(high, dataset.sample_rate, np.random.default_rng([int(draw), 1]))

    def waves(record: tf.Tensor, draw: tf.Tensor) -> Pair:
        low, high = _parse(record)
        if augmentation.changes_waves:
            types = [tf.float32, tf.float32]
            both = tf.numpy_function(perturb, [high, low, draw], types, stateful=False)
            high, low = (tf.ensure_shape(wave, [None]) for wave in both)
        if augmentation.random_band:
            low = tf.numpy_function(limit, [high, draw], tf.float32, stateful=False)
        elif wants == "high":
            low = high
        elif wants == "interpolated":
            low = tf.numpy_function(interpolate, [low], tf.float32, stateful=False)
        return tf.ensure_shape(low, [None]), high

    return waves


def scale_peaks(patches: tf.Tensor, peak_db: float) -> tf.Tensor:
    """Scales patches (count, n) to the same peak, except those of silence.

    Source: src/audio_dataset.py in serious-engineer/Audio-Super-Resolution, at 0 dB.

    Args:
        patches: (count, n).
        peak_db: in dB relative to 1.
    """
    peaks = tf.reduce_max(tf.abs(patches), axis=1, keepdims=True)
    gains = 10.0 ** (peak_db / 20.0) / tf.maximum(peaks, LOWEST_PEAK)
    return tf.where(peaks < LOWEST_PEAK, patches, gains * patches)


def drop_silence(
    low: tf.Tensor, high: tf.Tensor, threshold_rms: float, ratio: int = 1
) -> tuple[tf.Tensor, tf.Tensor]:
    """Drops the quiet frames of the high side, and the same frames of the low side.

    Frames of 256 high samples with an RMS below the threshold are dropped, and the others are
    joined. The samples past the last whole frame are dropped too.

    Source: Bini 2021, chapter 4: threshold 0.05, in the training of multi-speaker models only.

    Args:
        low: shape (n / ratio,).
        high: shape (n,); its level decides.
        threshold_rms: from 0 to 1.
        ratio: the rate of `high` over the rate of `low`; it divides 256.

    Returns:
        low and high without the quiet frames.
    """
    frames = tf.signal.frame(high, SILENCE_FRAME, SILENCE_FRAME)
    keep = tf.sqrt(tf.reduce_mean(frames**2, axis=1)) >= threshold_rms
    low_frame = SILENCE_FRAME // ratio
    low_frames = tf.signal.frame(low, low_frame, low_frame)
    return (
        tf.reshape(tf.boolean_mask(low_frames, keep), [-1]),
        tf.reshape(tf.boolean_mask(frames, keep), [-1]),
    )
