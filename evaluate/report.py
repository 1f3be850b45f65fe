"""The report of a run: one HTML file for offline use, with results, curves and sound."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import soundfile

from ..audio import quotient
from ..command.drawing import png
from ..command.files import write_text
from . import figures
from .metrics import METRICS, bands
from .metrics.statistics import Mean
from .results import format_mean
from .words.word_errors import Transcribed
from .words.word_errors import table as word_table

CLIP_SECONDS = 5.0


@dataclass(frozen=True)
class Facts:
    """The facts that a reader needs to judge and repeat the results."""

    title: str
    model: str
    parameters: int | None  # None if unknown, for a TFLite file
    corpus: str
    split: str
    files: int
    speakers: int
    minutes: float
    protocol: str  # that made the low side
    ratio: int | str  # a quotient such as "441/160" is text
    sample_rate: int  # of the high side, in Hz
    training_seconds: float
    machine: str
    commands: Sequence[str]  # that made the data, the run and this report, in order
    versions: Mapping[str, str]  # package -> version
    more: Mapping[str, str] = field(default_factory=dict)  # further rows: recipe, seed, ...

    @property
    def low_rate(self) -> float:
        """The low rate in Hz."""
        return float(self.sample_rate / quotient(self.ratio))


@dataclass(frozen=True)
class Clip:
    """Several versions of one recording."""

    name: str
    sample_rate: int  # of all waves, in Hz; `low` is resampled to it
    waves: Mapping[str, np.ndarray]  # title -> wave of shape (n,), all of one length
    text: str = ""  # what is said
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # title -> metric


def render(
    facts: Facts,
    systems: Mapping[str, Mapping[str, Mean]],
    curves: bytes | None,
    clips: Sequence[Clip],
    words: Transcribed | None = None,
) -> str:
    """Renders the page.

    Args:
        facts: what was trained and measured, and how.
        systems: system -> metric -> mean, baselines first; all systems have the same metrics. The
            row "reference" has what a perfect estimate reaches, and is never the best.
        curves: training curves as a PNG.
        clips: recordings to listen to; each is cut to its first `CLIP_SECONDS`.
        words: the word errors of the references and the systems.

    Returns:
        HTML without references to other files.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("wideband.evaluate", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = list(next(iter(systems.values())))
    compared = _without_reference(systems)
    return environment.get_template("report.html.j2").render(
        facts=facts,
        fact_rows=_fact_rows(facts),
        metrics={name: METRICS[name] for name in names},
        left_out=sum(mean.left_out for means in compared.values() for mean in means.values()),
        rows=_table(systems),
        words=words and _words(words),
        curves=curves and _data_uri(curves, "image/png"),
        level_differences=_level_differences(clips, facts),
        clips=[_clip(clip, facts) for clip in clips],
        clip_seconds=CLIP_SECONDS,
    )


def write(
    path: Path,
    facts: Facts,
    systems: Mapping[str, Mapping[str, Mean]],
    curves: bytes | None,
    clips: Sequence[Clip],
    words: Transcribed | None = None,
) -> None:
    """Renders the page and writes it to a file; see `render`."""
    write_text(path, render(facts, systems, curves, clips, words))


def _fact_rows(facts: Facts) -> dict[str, str]:
    minutes, seconds = divmod(round(facts.training_seconds), 60)
    hours, minutes = divmod(minutes, 60)
    duration = f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
    parameters = "" if facts.parameters is None else f", {facts.parameters:,} parameters"
    return {
        "Model": f"{facts.model}{parameters}",
        "Data": (
            f"{facts.corpus}, split {facts.split}: {facts.files:,} files, {facts.minutes:,.1f} "
            f"minutes, {facts.speakers:,} speakers"
        ),
        "Task": f"{facts.low_rate:,.0f} Hz to {facts.sample_rate:,} Hz, ratio {facts.ratio}",
        "Protocol": facts.protocol,
        "Training": f"{duration} on {facts.machine}" if facts.training_seconds else "elsewhere",
        **facts.more,
        "Versions": ", ".join(f"{name} {version}" for name, version in facts.versions.items()),
    }


def _without_reference(
    systems: Mapping[str, Mapping[str, Mean]],
) -> dict[str, Mapping[str, Mean]]:
    return {system: means for system, means in systems.items() if system != "reference"}


def _table(systems: Mapping[str, Mapping[str, Mean]]) -> list[dict]:
    """Returns rows of cells: mean, interval, and whether the mean is the best of its column."""
    compared = _without_reference(systems)
    rows = []
    for system, means in systems.items():
        cells = []
        for name, mean in means.items():
            column = [other[name].mean for other in compared.values() if other[name].files]
            best = system in compared and mean.mean == METRICS[name].best(column)
            value, _, interval = format_mean(name, mean).partition(" ")
            cells.append({"value": value, "interval": interval, "best": best})
        rows.append({"system": system, "cells": cells})
    return rows


def _words(words: Transcribed) -> dict[str, Any]:
    header, rows = word_table(words.totals)
    description = words.normalizer.description
    return {
        "recognizer": words.recognizer,
        "normalization": description,
        "header": header,
        "rows": rows,
    }


def _level_differences(clips: Sequence[Clip], facts: Facts) -> str | None:
    """Draws the level differences of each version, averaged over clips with a reference."""
    differences: dict[str, list[np.ndarray]] = {}
    for clip in clips:
        for title, wave in clip.waves.items():
            if title != "reference" and "reference" in clip.waves:
                difference = bands.level_differences(clip.waves["reference"], wave)
                differences.setdefault(title, []).append(difference)
    if not differences:
        return None
    means = {title: np.mean(each, axis=0) for title, each in differences.items()}
    figure = figures.differences(means, facts.sample_rate, facts.low_rate / 2)
    return _data_uri(png(figure), "image/png")


def _clip(clip: Clip, facts: Facts) -> dict:
    waves = {
        title: wave[: round(CLIP_SECONDS * clip.sample_rate)] for title, wave in clip.waves.items()
    }
    top_db = figures.top_level(waves.values(), clip.sample_rate)
    return {
        "name": clip.name,
        "text": clip.text,
        "versions": [
            {
                "title": title,
                "scores": [
                    f"{METRICS[name].label} {value:.{METRICS[name].digits}f}"
                    for name, value in clip.scores.get(title, {}).items()
                ],
                "audio": _data_uri(_flac(wave, clip.sample_rate), "audio/flac"),
                "picture": _spectrogram(wave, clip.sample_rate, top_db, facts.low_rate / 2),
            }
            for title, wave in waves.items()
        ],
    }


def _spectrogram(wave: np.ndarray, sample_rate: int, top_db: float, cutoff_hz: float) -> str:
    figure = figures.spectrograms({"": wave}, sample_rate, top_db, cutoff_hz)
    return _data_uri(png(figure, dpi=160), "image/png")


def _flac(wave: np.ndarray, sample_rate: int) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, sample_rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def _data_uri(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
