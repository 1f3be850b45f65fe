"""Applies systems to a split of a dataset and measures their estimates."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from .. import audio
from ..audio import interpolate
from ..command import UserError
from ..data_gen.dataset import Dataset
from ..upsample import Upsampler
from . import metrics, report
from .metrics.base import validate_wave
from .words import Recognizer, word_errors
from .words.scores import Scores

if TYPE_CHECKING:
    from ..data_gen.shards import Example

# Recordings in the report, spread over the split.
CLIPS = 4


@dataclass(frozen=True)
class Row:
    """The metrics of one recording and one system, or of its reference."""

    name: str
    start_seconds: float
    speaker: str
    seconds: float
    system: str
    values: dict[str, float]  # by metric

    def cells(self) -> dict[str, Any]:
        """Returns a row for a CSV file."""
        return {
            "name": self.name,
            "start_seconds": self.start_seconds,
            "speaker": self.speaker,
            "seconds": self.seconds,
            "system": self.system,
            **self.values,
        }


@dataclass
class Outcome:
    """The results of a split."""

    rows: list[Row] = field(default_factory=list)
    clips: list[report.Clip] = field(default_factory=list)
    transcripts: dict[str, list[word_errors.Transcript]] = field(default_factory=dict)  # by system
    # by system, for each recording: the computing time as a fraction of the recording's length
    loads: dict[str, list[float]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)  # without word errors: name -> reason


def measure_split(
    systems: Mapping[str, Upsampler],
    dataset: Dataset,
    split: str,
    names: Sequence[str],
    *,
    keep_low_band: bool = False,
    recognizer: Recognizer | None = None,
    recordings: Path | None = None,
) -> Outcome:
    """Upsamples the low side of every recording of a split with every system, and measures it.

    Args:
        systems: name -> upsampler, baselines first. The output of those with a higher rate than
            that of the dataset is resampled.
        dataset: the dataset.
        split: "train", "valid" or "test".
        names: the metrics, keys of `metrics.METRICS`.
        keep_low_band: takes the low band from the input, as in `Upsampler.upsample`.
        recognizer: transcribes the references and estimates of whole recordings with a text that
            has words.
        recordings: folder for the references and the estimates of each system, as float wav files.

    Returns:
        the metrics of each recording and system, a few clips, the transcripts, and the computing
        times.

    Raises:
        UserError: the dataset is damaged, a system cannot restore a recording, or the recognizer
            fails for another reason than a recording.
    """
    outcome = Outcome()
    scores = Scores(recognizer) if recognizer else None
    total = dataset.count(split)
    shown = {round(k * (total - 1) / max(1, CLIPS - 1)) for k in range(CLIPS)}
    progress = tqdm(
        dataset.examples(split), total=total, unit="file", desc=f"{split} split", disable=None
    )
    with ThreadPoolExecutor() as pool:
        for number, example in enumerate(progress):
            estimates = {}
            for name, system in systems.items():
                start = time.perf_counter()
                estimates[name] = _upsample(name, system, example, dataset, keep_low_band)
                load = (time.perf_counter() - start) * dataset.sample_rate / len(example.high)
                outcome.loads.setdefault(name, []).append(load)
            measure = partial(
                metrics.evaluate,
                example.high,
                sample_rate=dataset.sample_rate,
                cutoff_hz=dataset.low_rate / 2,
                names=names,
            )
            values = dict(zip(estimates, pool.map(measure, estimates.values()), strict=True))
            alone = _reference_values(example, dataset, names)
            outcome.rows += _rows(example, alone | values, dataset.sample_rate)
            if number in shown:
                outcome.clips.append(_clip(example, estimates, values, dataset))
            waves = {"reference": example.high, **estimates}
            if recognizer and scores and _has_words(example, dataset, recognizer):
                versions = {system: (wave, dataset.sample_rate) for system, wave in waves.items()}
                scores.add({example.name: versions}, {example.name: example.text})
            if recordings:
                for name, wave in waves.items():
                    _save(recordings / name, example, wave, dataset.sample_rate)
    if scores:
        outcome.transcripts, outcome.left_out = scores.transcripts, scores.left_out
    return outcome


def _reference_values(
    example: "Example", dataset: Dataset, names: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Measures the reference by the metrics that need none; the others are nan.

    Returns:
        {"reference": metric -> value}; empty if all metrics need a reference.
    """
    alone = [name for name in names if not metrics.METRICS[name].needs_reference]
    if not alone:
        return {}
    values = metrics.evaluate(example.high, example.high, dataset.sample_rate, names=alone)
    return {"reference": dict.fromkeys(names, float("nan")) | values}


def _upsample(
    name: str, system: Upsampler, example: "Example", dataset: Dataset, keep_low_band: bool
) -> np.ndarray:
    """Restores the high band of an example, (n,); an error names the system and the recording."""
    try:
        wave, _ = system.upsample(example.low, dataset.low_rate, keep_low_band, dataset.sample_rate)
        validate_wave("restored wave", wave)
    except UserError as error:
        raise UserError(f"{name} on {example.name}: {error}") from error
    return wave


def _has_words(example: "Example", dataset: Dataset, recognizer: Recognizer) -> bool:
    """Whether an example is a whole recording whose text has words."""
    return dataset.is_whole(example) and bool(recognizer.normalizer(example.text))


def _rows(
    example: "Example", scores: Mapping[str, dict[str, float]], sample_rate: int
) -> list[Row]:
    seconds = round(len(example.high) / sample_rate, 3)
    return [
        Row(example.name, example.start_seconds, example.speaker, seconds, system, values)
        for system, values in scores.items()
    ]


def _clip(
    example: "Example",
    estimates: Mapping[str, np.ndarray],
    scores: Mapping[str, Mapping[str, float]],
    dataset: Dataset,
) -> report.Clip:
    """Selects the waves and scores of an example for the report."""
    # The low-rate recording as a player reproduces it. It equals the baseline sinc, which
    # therefore needs no clip of its own.
    low = interpolate.sinc(example.low, dataset.ratio)
    others = {name: wave for name, wave in estimates.items() if name != "sinc"}
    waves = {"low": low, **others, "reference": example.high}
    shown = {
        name: {key: values[key] for key in ("snr", "lsd") if key in values}
        for name, values in scores.items()
    }
    return report.Clip(example.name, dataset.sample_rate, waves, example.text, shown)


def _save(folder: Path, example: "Example", wave: np.ndarray, sample_rate: int) -> None:
    # Other suffixes are kept: a.wav and a.flac remain two recordings.
    name = example.name.removesuffix(".wav")
    if example.start_seconds:
        name += f"_{example.start_seconds:g}s"
    # Float, because rounding to 16 bits would fill the empty band of an estimate with noise.
    audio.write(folder / f"{name}.wav", wave, sample_rate, "FLOAT")
