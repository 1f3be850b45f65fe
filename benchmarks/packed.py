"""Packed recordings: a corpus in one small file, and patches from it without TensorFlow."""

import io
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import soundfile
from wideband.audio import mono, read, resample
from wideband.command.files import replacing
from wideband.data_gen.augment import Augmentation, speed_up
from wideband.data_gen.band_limit import limit_band

# Patches among which the next one is drawn.
SHUFFLED = 1024


def encode(job: tuple[Path, int, float]) -> np.ndarray:
    """Encodes a recording as Opus, at a compression level from 0 to 1; returns the bytes."""
    path, sample_rate, level = job
    wave, rate = read(path)
    wave = resample(mono(wave), rate, sample_rate)
    file = io.BytesIO()
    soundfile.write(file, wave, sample_rate, "OPUS", format="OGG", compression_level=level)
    return np.frombuffer(file.getvalue(), np.uint8)


def decode(content: np.ndarray) -> np.ndarray:
    """Returns the wave of encoded bytes, float32 of shape (n,)."""
    return soundfile.read(io.BytesIO(content.tobytes()), dtype="float32")[0]


def pack(paths: list[Path], output: Path, sample_rate: int, level: float, processes: int) -> None:
    """Writes recordings into one file.

    Args:
        paths: recordings.
        output: the file, .npz.
        sample_rate: of the packed recordings, in Hz.
        level: the compression, from 0 to 1.
        processes: how many encode at the same time.
    """
    with get_context("spawn").Pool(processes) as pool:
        jobs = [(path, sample_rate, level) for path in paths]
        contents = list(pool.imap(encode, jobs))
    ends = np.cumsum([len(content) for content in contents])
    with replacing(output) as temporary, temporary.open("wb") as file:
        np.savez(file, ends=ends, content=np.concatenate(contents), sample_rate=sample_rate)


def unpack(files: list[Path]) -> list[np.ndarray]:
    """Returns the encoded recordings of packed files."""
    recordings = []
    for path in files:
        with np.load(path) as content:
            recordings += np.split(content["content"], content["ends"][:-1])
    return recordings


def cut(job: tuple[np.ndarray, int, int, int, Augmentation, int]) -> np.ndarray:
    """Cuts the patches of a recording whose low side is of random band.

    Args:
        job: the wave (n,), its rate in Hz, the length of a patch, the stride, the augmentation, and
            the seed of this recording in this epoch.

    Returns:
        low and high sides, float32 of shape (patches, 2, patch).
    """
    high, sample_rate, patch, stride, augmentation, seed = job
    rng = np.random.default_rng(seed)
    if steps := int(rng.integers(0, augmentation.speed_steps, endpoint=True)):
        high = speed_up(high, steps)
    low = limit_band(high, sample_rate, rng)
    starts = range(int(rng.integers(0, stride)), len(high) - patch + 1, stride)
    sides = [[low[start : start + patch], high[start : start + patch]] for start in starts]
    patches = np.array(sides, np.float32).reshape(-1, 2, patch)
    bound = augmentation.gain_db
    gains = 10 ** (rng.uniform(-bound, bound, (len(patches), 1, 1)) / 20)
    return (gains * patches).astype(np.float32)


def batches(
    recordings: list[np.ndarray],
    sample_rate: int,
    patch: int,
    stride: int,
    batch: int,
    augmentation: Augmentation,
    seed: int,
    processes: int,
) -> Iterator[list[np.ndarray]]:
    """Yields shuffled batches [low, high], each (batch, patch, 1), without end.

    Args:
        recordings: encoded, as from `unpack`.
        sample_rate: in Hz.
        patch: samples of a patch.
        stride: samples from one patch to the next.
        batch: patches.
        augmentation: the gain and the speed perturbation; the band of all low sides is random.
        seed: of the order and of the augmentation.
        processes: how many cut patches at the same time.
    """
    rng = np.random.default_rng(seed)
    with get_context("spawn").Pool(processes) as pool:
        waves = pool.map(decode, recordings)
        waves = [wave for wave in waves if len(wave) >= patch]

        def jobs():
            while True:
                for number in rng.permutation(len(waves)):
                    draw = int(rng.integers(2**31))
                    yield waves[number], sample_rate, patch, stride, augmentation, draw

        held: list[np.ndarray] = []
        for patches in _ahead(pool, jobs(), 4 * processes):
            held.extend(patches)
            while len(held) >= SHUFFLED + batch:
                drawn = [held.pop(int(rng.integers(len(held)))) for _ in range(batch)]
                sides = np.stack(drawn)
                yield [sides[:, side, :, np.newaxis] for side in (0, 1)]


def _ahead(pool, jobs: Iterator, count: int) -> Iterator[np.ndarray]:
    """Yields the results of `cut` in order, with so many jobs under way."""
    pending = [pool.apply_async(cut, (next(jobs),)) for _ in range(count)]
    while True:
        yield pending.pop(0).get()
        pending.append(pool.apply_async(cut, (next(jobs),)))
