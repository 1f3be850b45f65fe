"""The report of a run: one HTML file that opens offline, with numbers, curves and sound."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
import numpy as np
import soundfile

from ..command.files import replacing
from . import figures
from .metrics import METRICS, bands
from .summary import Mean, format_mean
from .words.word_errors import Heard
from .words.word_errors import table as word_table

CLIP_SECONDS = 5.0


@dataclass(frozen=True)
class Facts:
    """What a reader must know to trust or repeat the numbers."""

    title: str
    model: str
    parameters: int
    corpus: str
    split: str
    files: int
    speakers: int
    minutes: float
    protocol: str  # how the low side was made
    ratio: int
    sample_rate: int  # of the high side, in Hz
    training_seconds: float
    machine: str
    commands: Sequence[str]  # that made the data, the run and this page, in order
    versions: Mapping[str, str]  # package -> version
    more: Mapping[str, str] = field(default_factory=dict)  # further rows: recipe, seed, ...


@dataclass(frozen=True)
class Clip:
    """One recording in several versions, to be heard and seen side by side."""

    name: str
    sample_rate: int  # of all its waves, in Hz; `low` is brought to it as well
    waves: Mapping[str, np.ndarray]  # title -> wave of shape (n,), all of one length
    text: str = ""  # what is said
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # title -> metric


def render(
    facts: Facts,
    systems: Mapping[str, Mapping[str, Mean]],
    curves: bytes | None,
    clips: Sequence[Clip],
    heard: Heard | None = None,
) -> str:
    """Renders the page.

    Args:
        facts: what was trained and measured, and how.
        systems: name of the system -> name of the metric -> its mean; baselines first. All
            systems have the same metrics.
        curves: training curves as PNG.
        clips: recordings to listen to; the first `CLIP_SECONDS` of each are taken.
        heard: the words that a recognizer understood of the references and the systems.

    Returns:
        HTML that refers to nothing outside itself.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("wideband.evaluate", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = list(next(iter(systems.values())))
    return environment.get_template("report.html.j2").render(
        facts=facts,
        fact_rows=_fact_rows(facts),
        metrics={name: METRICS[name] for name in names},
        left_out=sum(mean.left_out for means in systems.values() for mean in means.values()),
        rows=_table(systems),
        words=heard and (heard.recognizer, *word_table(heard.totals)),
        curves=curves and _data_uri(curves, "image/png"),
        errors=_errors(clips, facts),
        clips=[_clip(clip, facts) for clip in clips],
        clip_seconds=CLIP_SECONDS,
    )


def write(
    path: Path,
    facts: Facts,
    systems: Mapping[str, Mapping[str, Mean]],
    curves: bytes | None,
    clips: Sequence[Clip],
    heard: Heard | None = None,
) -> None:
    """Renders the page into a file, under a temporary name until it is complete."""
    page = render(facts, systems, curves, clips, heard)
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _fact_rows(facts: Facts) -> dict[str, str]:
    minutes, seconds = divmod(round(facts.training_seconds), 60)
    hours, minutes = divmod(minutes, 60)
    duration = f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
    low_rate = facts.sample_rate / facts.ratio
    return {
        "Model": f"{facts.model}, {facts.parameters:,} parameters",
        "Data": (
            f"{facts.corpus}, split {facts.split}: {facts.files:,} files, {facts.minutes:,.1f} "
            f"minutes, {facts.speakers:,} speakers"
        ),
        "Task": f"{low_rate:,.0f} Hz to {facts.sample_rate:,} Hz, ratio {facts.ratio}",
        "Protocol": facts.protocol,
        "Training": f"{duration} on {facts.machine}",
        **facts.more,
        "Versions": ", ".join(f"{name} {version}" for name, version in facts.versions.items()),
    }


def _table(systems: Mapping[str, Mapping[str, Mean]]) -> list[dict]:
    """Rows of cells, each with its mean, interval and whether it is the best of its column."""
    rows = []
    for system, means in systems.items():
        cells = []
        for name, mean in means.items():
            column = [other[name].mean for other in systems.values() if other[name].files]
            best = (max if METRICS[name].higher_is_better else min)(column, default=None)
            value, _, interval = format_mean(name, mean).partition(" ")
            cells.append({"value": value, "interval": interval, "best": mean.mean == best})
        rows.append({"system": system, "cells": cells})
    return rows


def _errors(clips: Sequence[Clip], facts: Facts) -> str | None:
    """Draws the mean over the clips of the levels' errors, where clips have a reference."""
    errors: dict[str, list[np.ndarray]] = {}
    for clip in clips:
        for title, wave in clip.waves.items():
            if title != "reference" and "reference" in clip.waves:
                error = bands.level_differences(clip.waves["reference"], wave)
                errors.setdefault(title, []).append(error)
    if not errors:
        return None
    means = {title: np.mean(each, axis=0) for title, each in errors.items()}
    picture = figures.differences(means, facts.sample_rate, facts.sample_rate / facts.ratio / 2)
    return _data_uri(picture, "image/png")


def _clip(clip: Clip, facts: Facts) -> dict:
    waves = {
        title: wave[: round(CLIP_SECONDS * clip.sample_rate)] for title, wave in clip.waves.items()
    }
    top_db = figures.top_level(waves.values(), clip.sample_rate)
    cutoff_hz = facts.sample_rate / facts.ratio / 2
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
                "picture": _data_uri(
                    figures.spectrograms({"": wave}, clip.sample_rate, top_db, cutoff_hz),
                    "image/png",
                ),
            }
            for title, wave in waves.items()
        ],
    }


def _flac(wave: np.ndarray, sample_rate: int) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, sample_rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def _data_uri(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
