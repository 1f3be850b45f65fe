"""Packed recordings: a corpus in one small file, and versions of it made without TensorFlow."""

import io
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from wideband.audio import Ratio, fit_length, mono, read, remove_above, resample
from wideband.audio.measure import measure_wave, narrow_end_hz
from wideband.command.files import replacing
from wideband.data_gen import degrade
from wideband.data_gen.augment import Augmentation, speed_up

# Shorter recordings of a speaker are joined, so that patches of several seconds can be cut.
SHORTEST_SECONDS = 6.0
# Fade at both ends of a recording.
FADE_SECONDS = 0.005
# Subtypes that are packed as they are.
LOSSY = ("VORBIS", "OPUS", "MPEG_LAYER_III")


def encode(job: tuple[Path, int, float]) -> np.ndarray:
    """Encodes a recording as Opus; returns the bytes.

    A recording that is lossy already stays as it is, since Opus has nothing above 20 kHz.

    Args:
        job: the path, the rate in Hz at which it is encoded, and the compression, from 0 to 1.
    """
    path, sample_rate, level = job
    if soundfile.info(path).subtype in LOSSY:
        return np.frombuffer(path.read_bytes(), np.uint8)
    wave, rate = read(path)
    wave = resample(mono(wave), rate, sample_rate)
    file = io.BytesIO()
    soundfile.write(file, wave, sample_rate, "OPUS", format="OGG", compression_level=level)
    return np.frombuffer(file.getvalue(), np.uint8)


def decode(job: tuple[np.ndarray, int]) -> np.ndarray:
    """Returns the wave of encoded bytes at a rate in Hz, float32 of shape (n,), faded at both ends.

    What a codec left above the band of a recording is removed.
    """
    content, sample_rate = job
    wave, rate = soundfile.read(io.BytesIO(content.tobytes()), dtype="float32", always_2d=True)
    end_hz = narrow_end_hz(measure_wave(wave, rate), sample_rate)
    wave = resample(mono(wave), rate, sample_rate)
    if end_hz is not None:
        wave = remove_above(wave, sample_rate, end_hz)
    fade = np.linspace(0, 1, min(int(FADE_SECONDS * sample_rate), len(wave)), dtype=np.float32)
    wave[: len(fade)] *= fade
    wave[len(wave) - len(fade) :] *= fade[::-1]
    return wave


def join(
    speakers: Sequence[str], waves: Sequence[np.ndarray], sample_rate: int
) -> list[np.ndarray]:
    """Joins short waves of a speaker that follow each other.

    Args:
        speakers: of the waves.
        waves: shape (n,) each.
        sample_rate: in Hz.

    Returns:
        waves of at least `SHORTEST_SECONDS` where a speaker has so much.
    """
    groups: list[list[np.ndarray]] = []
    last, samples = None, 0
    for speaker, wave in zip(speakers, waves, strict=True):
        if speaker != last or samples >= SHORTEST_SECONDS * sample_rate:
            groups.append([])
            last, samples = speaker, 0
        groups[-1].append(wave)
        samples += len(wave)
    return [np.concatenate(group) for group in groups]


def pack(
    recordings: Sequence[tuple[str, Path]],
    output: Path,
    sample_rate: int,
    level: float,
    processes: int,
) -> None:
    """Writes recordings into one file, with each speaker's next to each other.

    Args:
        recordings: speaker and path of each.
        output: the file, .npz.
        sample_rate: of the packed recordings, in Hz.
        level: the compression, from 0 to 1.
        processes: how many encode at the same time.
    """
    recordings = sorted(recordings)
    with get_context("spawn").Pool(processes) as pool:
        contents = list(pool.imap(encode, [(path, sample_rate, level) for _, path in recordings]))
    ends = np.cumsum([len(content) for content in contents])
    speakers = np.array([speaker for speaker, _ in recordings])
    with replacing(output) as temporary, temporary.open("wb") as file:
        np.savez(file, ends=ends, speakers=speakers, content=np.concatenate(contents))


def unpack(files: Sequence[Path], sample_rate: int, processes: int) -> list[np.ndarray]:
    """Returns the waves of packed files at a rate in Hz, decoded by so many processes, joined."""
    waves = []
    for path in files:
        with np.load(path) as file:
            contents = np.split(file["content"], file["ends"][:-1])
            speakers = file["speakers"].tolist()
        with get_context("spawn").Pool(processes) as pool:
            jobs = [(content, sample_rate) for content in contents]
            waves += join(speakers, pool.map(decode, jobs), sample_rate)
    return waves


class LowSide(NamedTuple):
    """Makes the low side of a recording, at the high rate.

    That of a network that takes the low rate has each sample `ratio` times.

    Args:
        sample_rate: the high rate in Hz.
        ratio: the high rate over the low rate.
        protocol: a key of `degrade.PROTOCOLS`; not used with a ratio of 1.
        changes: whether the band is random, and how; otherwise, with a ratio of 1, the low side is
            the recording itself.
        wants: of the network, as in `models.restorer.Restorer`.
    """

    sample_rate: int
    ratio: Ratio
    protocol: str
    changes: Augmentation
    wants: str = "interpolated"

    def __call__(self, high: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Takes the recording (n,) and what draws its band; returns the same shape."""
        if self.changes.random_band:
            return self.changes.limit(high, self.sample_rate, rng)
        if self.ratio == 1:
            return high
        protocol = degrade.get(self.protocol)
        low = protocol.down(high, self.ratio)
        if self.wants == "low":
            return fit_length(np.repeat(low, int(self.ratio)), len(high))
        return fit_length(protocol.up(low, self.ratio), len(high))


class Draw(NamedTuple):
    """How a recording is changed in one version of the corpus."""

    start: int  # of the recording among all samples
    length: int
    seed: int


class Versions:
    """Makes random versions of a corpus in the background, with other low sides each time.

    Use it as a context, which ends the processes.

    Args:
        waves: the recordings, float32 of shape (n,) each.
        low_side: makes the low side of a recording, at the high rate.
        speed_steps: the most steps of 5 % by which a recording is sped up.
        seed: of all versions.
        processes: how many make a version at the same time.
    """

    def __init__(
        self,
        waves: Sequence[np.ndarray],
        low_side: LowSide,
        speed_steps: int,
        seed: int,
        processes: int,
    ) -> None:
        self.lengths = [len(wave) for wave in waves]
        self.samples = sum(self.lengths)
        self._rng = np.random.default_rng(seed)
        self._shared = [SharedMemory(create=True, size=4 * k * self.samples) for k in (1, 2)]
        _floats(self._shared[0])[: self.samples] = np.concatenate(waves)
        self._pool = get_context("spawn").Pool(
            processes,
            _attach,
            ([each.name for each in self._shared], self.samples, low_side, speed_steps),
        )
        self.begin()

    def __enter__(self) -> "Versions":
        return self

    def __exit__(self, *exception: object) -> None:
        self._pool.terminate()
        self._pool.join()
        for each in self._shared:
            each.close()
            each.unlink()

    def begin(self) -> None:
        """Begins the next version."""
        starts = np.cumsum([0, *self.lengths[:-1]])
        seeds = self._rng.integers(2**31, size=len(starts))
        draws = [Draw(*map(int, each)) for each in zip(starts, self.lengths, seeds, strict=True)]
        self._starts = starts
        # The longest last would leave processes idle.
        self._order = np.argsort(self.lengths)[::-1]
        self._pending = self._pool.map_async(_change, [draws[k] for k in self._order], chunksize=1)

    def ready(self) -> bool:
        """Returns whether the version is complete."""
        return self._pending.ready()

    def take(self, patch: int, every: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the version, waiting for it, and begins the next one.

        Args:
            patch: samples of the patches that may be cut.
            every: samples from one possible start of a patch to the next.

        Returns:
            low and high sides, float32 of shape (2, samples), and where patches may start.
        """
        lengths = np.empty(len(self._order), int)
        lengths[self._order] = self._pending.get()
        sides = _floats(self._shared[1])[: 2 * self.samples].reshape(2, -1).copy()
        self.begin()
        ends = self._starts + lengths - patch
        starts = zip(self._starts, ends, strict=True)
        return sides, np.concatenate([np.arange(start, end + 1, every) for start, end in starts])


def _floats(memory: SharedMemory) -> np.ndarray:
    return np.frombuffer(memory.buf, np.float32)


def _attach(names: list[str], samples: int, low_side: LowSide, speed_steps: int) -> None:
    """Prepares a process of `Versions`."""
    global _task
    memory = [SharedMemory(name) for name in names]
    waves, sides = (_floats(each) for each in memory)
    sides = sides[: 2 * samples].reshape(2, -1)
    _task = memory, waves, sides, low_side, speed_steps


def _change(draw: Draw) -> int:
    """Writes the two sides of a recording; returns their length."""
    _, waves, sides, low_side, speed_steps = _task
    rng = np.random.default_rng(draw.seed)
    here = slice(draw.start, draw.start + draw.length)
    high = waves[here]
    if steps := int(rng.integers(0, speed_steps, endpoint=True)):
        high = speed_up(high, steps)
    sides[:, here] = 0
    sides[:, draw.start : draw.start + len(high)] = low_side(high, rng), high
    return len(high)
