"""Applies a run and its baselines to a split, measures what comes out and reports it."""

import json
import shlex
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from .. import audio
from ..audio import interpolate
from ..command import UserError
from ..command.files import replacing
from ..data_gen import dataset as shards
from ..data_gen.prepare import is_whole
from ..upsample import Upsampler, restore
from . import figures, metrics, report, summary
from .words import Recognizer, word_errors

# The metrics of the report: one SNR and one LSD of each school, and where the error lies.
METRICS = ("snr", "segmental_snr", "lsd", "lsd_kuleshov", "lsd_lf", "lsd_hf")
# What asking for quality adds; they take seconds for a recording.
QUALITY = tuple(metrics.perceptual.METRICS)
CLIPS = 4


class Outcome(NamedTuple):
    """What one split gave."""

    rows: list[dict[str, Any]]  # name, speaker, seconds, system, then the metrics
    clips: list[report.Clip]
    words: list[dict[str, Any]]  # system and file, then what `word_errors.score` tells


def evaluate_run(
    run: Path,
    command: str,
    data: Path | None = None,
    split: str = "test",
    baselines: Sequence[str] = ("spline", "sinc"),
    recordings: Path | None = None,
    recognizer: Recognizer | None = None,
    names: Sequence[str] = METRICS,
    keep_low_band: bool = False,
    exports: Mapping[str, Path] | None = None,
) -> str:
    """Measures a run beside baselines and reports it in its folder.

    Writes report.html, evaluation.csv with every recording, evaluation.json and evaluation.md
    with the means, and spectrograms.png of one recording.

    Args:
        run: the run folder.
        command: the command line, for the report.
        data: folder of the dataset; by default the one that the run was trained on.
        split: "train", "valid" or "test".
        baselines: names of interpolations, and of networks that come with the package.
        recordings: as in `apply`.
        recognizer: as in `apply`; what it understood goes to wer.csv.
        names: as in `apply`.
        keep_low_band: as in `apply`.
        exports: name -> TFLite file of wideband-export, each a system of its own; none is
            named as the network, a baseline, or the "low" and "reference" of the report.

    Returns:
        tables of the means for a terminal.

    Raises:
        UserError: there is no such run, dataset, interpolation or file, or they do not fit.
    """
    model = Upsampler.from_run(run)
    record = json.loads((run / "run.json").read_text())
    recipe = record["recipe"]
    data = data or Path(record["data"])
    description = shards.describe(data)
    _check_rates(description, data, run, recipe, "choose another --data")
    systems = {name: restore.load(name, model.sample_rate, model.ratio) for name in baselines}
    for name, system in systems.items():
        _check_rates(system, Path(name), run, recipe, "choose other --baselines")
    for name, path in (exports or {}).items():
        if name in (*systems, recipe["model"], "reference", "low"):
            raise UserError(
                f"{path}: {name!r} is the name of another row; rename the file, or write "
                f"--tflite=NAME=FILE"
            )
        systems[name] = Upsampler.from_tflite(path)
        _check_rates(systems[name], path, run, recipe, "export it from this run")
    outcome = apply(
        {**systems, recipe["model"]: model},
        data,
        split,
        recordings,
        recognizer,
        names,
        keep_low_band,
    )
    means = {
        system: summary.summarize_rows([row for row in outcome.rows if row["system"] == system])
        for system in (*systems, recipe["model"])
    }
    facts = _facts(record, data, split, outcome.rows, model, command, keep_low_band)
    curves = run / "curves.png"
    header, *rows = summary.systems_rows(means)
    tables = [(header, rows)]
    summary.write_csv(run / "evaluation.csv", outcome.rows)
    heard = None
    if recognizer:
        summary.write_csv(run / "wer.csv", outcome.words)
        heard = word_errors.Heard(recognizer.name, word_errors.totals(outcome.words))
        tables.append(word_errors.table(heard.totals))
    words = {"recognizer": heard.recognizer, "systems": heard.totals} if heard else None
    summary.write_systems(run / "evaluation.json", means, facts, word_errors=words)
    with replacing(run / "evaluation.md") as temporary:
        text = "\n\n".join(summary.markdown_table(*each) for each in tables)
        temporary.write_text(text + "\n", encoding="utf-8")
    clip = outcome.clips[-1]
    with replacing(run / "spectrograms.png") as temporary:
        pixels = figures.spectrograms(clip.waves, clip.sample_rate, cutoff_hz=model.low_rate / 2)
        temporary.write_bytes(pixels)
    report.write(
        run / "report.html",
        facts,
        means,
        curves.read_bytes() if curves.is_file() else None,
        outcome.clips,
        heard,
    )
    return "\n\n".join(summary.text_table(*each) for each in tables)


def _check_rates(
    found: Upsampler | shards.Description,
    path: Path,
    run: Path,
    recipe: Mapping[str, Any],
    advice: str,
) -> None:
    """Raises a UserError for a dataset or a file whose rates are not those of the run's recipe."""
    for key in ("sample_rate", "ratio"):
        if getattr(found, key) != recipe[key]:
            raise UserError(
                f"{path} has {key} {getattr(found, key)}, and {run} was trained for {recipe[key]}; "
                f"{advice}"
            )


def apply(
    systems: dict[str, Upsampler],
    data: Path,
    split: str,
    recordings: Path | None = None,
    recognizer: Recognizer | None = None,
    names: Sequence[str] = METRICS,
    keep_low_band: bool = False,
) -> Outcome:
    """Upsamples the low side of every recording of a split by every system, and measures.

    Args:
        systems: name -> upsampler, the baselines first; all of the dataset's rates.
        data: folder of the dataset.
        split: "train", "valid" or "test".
        recordings: folder to write the references and every system's estimates to, as wav in
            float, for other scripts.
        recognizer: hears the references and the estimates of all whole recordings with a text.
        names: of the metrics, keys of `metrics.METRICS`.
        keep_low_band: takes the band that the low side has from it, as `Upsampler.upsample` does.

    Returns:
        the metrics of each recording and system, some clips spread over the split, and the words.

    Raises:
        UserError: something is to be recognized, and no recording has a text.
    """
    description = shards.describe(data)
    paths = shards.files(data, split)
    total, spoken = 0, 0
    for example in shards.read(paths):
        total += 1
        spoken += recognizer is not None and _is_spoken(example, description.sample_rate)
    if recognizer and not spoken:
        raise UserError(f"{data}: no recording of the {split} split has a text to recognize")
    shown = {round(k * (total - 1) / max(1, CLIPS - 1)) for k in range(CLIPS)}
    sample_rate, cutoff_hz = (
        description.sample_rate,
        description.sample_rate / description.ratio / 2,
    )
    low_rate = sample_rate / description.ratio
    outcome = Outcome([], [], [])
    with ThreadPoolExecutor() as pool:
        examples = tqdm(shards.read(paths), total=total, unit="file", desc=f"{split} split")
        for number, example in enumerate(examples):
            estimates = {
                name: system.upsample(example.low, low_rate, keep_low_band)[0]
                for name, system in systems.items()
            }
            measure = partial(
                metrics.evaluate,
                example.high,
                sample_rate=sample_rate,
                cutoff_hz=cutoff_hz,
                names=names,
            )
            scores = dict(zip(estimates, pool.map(measure, estimates.values()), strict=True))
            facts = {
                "name": example.name,
                "start_seconds": example.start_seconds,
                "speaker": example.speaker,
                "seconds": round(len(example.high) / sample_rate, 3),
            }
            outcome.rows.extend(
                {**facts, "system": name, **values} for name, values in scores.items()
            )
            if number in shown:
                outcome.clips.append(_clip(example, estimates, scores, sample_rate))
            if recognizer and _is_spoken(example, sample_rate):
                waves = {"reference": example.high, **estimates}
                outcome.words.extend(_recognize(waves, example, sample_rate, recognizer))
            if recordings:
                for name, wave in {"reference": example.high, **estimates}.items():
                    _save(recordings / name, example, wave, sample_rate)
    return outcome


def _is_spoken(example: shards.Example, sample_rate: int) -> bool:
    """Whether a text is known, and the wave holds all of it."""
    whole = is_whole(example.start_seconds, len(example.high), sample_rate)
    return whole and bool(word_errors.normalize(example.text))


def _recognize(
    waves: Mapping[str, np.ndarray],
    example: shards.Example,
    sample_rate: int,
    recognizer: Recognizer,
) -> list[dict[str, Any]]:
    recordings = {system: (wave, float(sample_rate)) for system, wave in waves.items()}
    scored = word_errors.score(recordings, dict.fromkeys(waves, example.text), recognizer)
    return [{"system": row.pop("name"), "name": example.name, **row} for row in scored]


def _clip(
    example: shards.Example,
    estimates: dict[str, np.ndarray],
    scores: dict[str, dict[str, float]],
    sample_rate: int,
) -> report.Clip:
    # What a player would make of the low-rate recording; as a system it need not be heard twice.
    low = interpolate.sinc(example.low, len(example.high) // len(example.low))
    heard = {name: wave for name, wave in estimates.items() if name != "sinc"}
    waves = {"low": low, **heard, "reference": example.high}
    chosen = {name: {key: values[key] for key in ("snr", "lsd")} for name, values in scores.items()}
    return report.Clip(example.name, sample_rate, waves, example.text, chosen)


def _save(folder: Path, example: shards.Example, wave: np.ndarray, sample_rate: int) -> None:
    # Other suffixes are kept, so that a.wav and a.flac stay two recordings.
    name = example.name.removesuffix(".wav")
    if example.start_seconds:
        name += f"_{example.start_seconds:g}s"
    # In float: rounding to 16 bits would fill the empty band of an estimate with noise.
    audio.write(folder / f"{name}.wav", wave, sample_rate, "FLOAT")


def _facts(
    record: Mapping[str, Any],
    data: Path,
    split: str,
    rows: Sequence[Mapping[str, Any]],
    model: Upsampler,
    command: str,
    keep_low_band: bool,
) -> report.Facts:
    recipe = record["recipe"]
    dataset = json.loads((data / "dataset.json").read_text())
    measured = [row for row in rows if row["system"] == recipe["model"]]
    timings = record.get("timings", {"epochs": 0, "seconds": 0.0})
    flags = {"split": "split_rule"} | {
        key: key
        for key in (
            *("corpus", "valid_fraction", "test_fraction", "seed"),
            *("sample_rate", "ratio", "protocol", "patch"),
        )
    }
    prepare = ["wideband-prepare", *(f"--{flag}={dataset[key]}" for flag, key in flags.items())]
    train = ["wideband-train", *record["flags"]]
    return report.Facts(
        title=f"{recipe['model']} at ratio {recipe['ratio']}",
        model=recipe["model"],
        parameters=model.network.count_params() if model.network else 0,
        corpus=dataset["corpus"],
        split=split,
        files=len(measured),
        speakers=len({row["speaker"] for row in measured}),
        minutes=sum(row["seconds"] for row in measured) / 60,
        protocol=dataset["protocol"],
        ratio=recipe["ratio"],
        sample_rate=recipe["sample_rate"],
        training_seconds=timings["seconds"],
        machine=record["machine"],
        commands=[shlex.join(prepare), shlex.join(train), command],
        versions=record["versions"],
        more={
            "Recipe": f"{recipe['name']}: {recipe['source']}",
            "Epochs": str(timings["epochs"]),
            "Seed": str(recipe["seed"]),
            "Low band": "the recording's" if keep_low_band else "the network's",
        },
    )
