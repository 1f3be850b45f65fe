"""Evaluates a run next to baselines."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Protocol

from ..audio import Ratio
from ..command import UserError
from ..command.files import check_writable
from ..command.paths import check_relative, check_suffix
from ..data_gen.dataset import Dataset
from ..data_gen.settings import Settings
from ..models import pretrained, vocoder
from ..models.record import Record
from ..upsample import Upsampler, load
from ..upsample.loading import check, find_record
from . import metrics, report
from .evaluated import Evaluated
from .measurement import Outcome, measure_split
from .words import Recognizer

# The metrics of the report: SNR and LSD, both also in Kuleshov's form, the LSD of each band, and
# the level of the restored band.
METRICS = ("snr", "segmental_snr", "lsd", "lsd_kuleshov", "lsd_lf", "lsd_hf")
METRICS += tuple(metrics.level.METRICS)
# Further metrics, which take seconds per recording.
QUALITY = tuple(metrics.perceptual.METRICS)


@dataclass(frozen=True)
class Options:
    """The data, systems and metrics of an evaluation.

    Attributes:
        data: folder of the dataset; by default the one the run was trained on.
        split: "train", "valid" or "test".
        baselines: name -> model to compare with, as for `upsample.load`; by default the
            interpolations spline and sinc.
        tflite: name -> TFLite file of the run to measure as a further system.
        vocoders: name -> vocoder that replaces that of the run, to measure as a further system.
        output: folder for the results; by default the run folder.
        recordings: folder for references and estimates, see `measure_split`.
        names: the metrics, keys of `metrics.METRICS`.
        keep_low_band: takes the low band from the recording instead of the network.
        recognizer: transcribes references and estimates.
    """

    data: Path | None = None
    split: str = "test"
    baselines: Mapping[str, Path] | None = None
    tflite: Mapping[str, Path] = field(default_factory=dict)
    vocoders: Mapping[str, Path] = field(default_factory=dict)
    output: Path | None = None
    recordings: Path | None = None
    names: Sequence[str] = METRICS
    keep_low_band: bool = False
    recognizer: Recognizer | None = None


@dataclass(frozen=True)
class Evaluation:
    """An evaluation that has passed all checks that need no TensorFlow."""

    run: str
    record: Record
    dataset: Dataset
    baselines: Mapping[str, Path]
    output: Path
    curves: Path  # the training curves of the run, if there are any
    options: Options


def prepare_evaluation(run: str, options: Options) -> Evaluation:
    """Checks an evaluation, without loading TensorFlow.

    Args:
        run: a run folder, a weights file in one, or the name of a shipped network.
        options: what to evaluate it on.

    Raises:
        UserError: there is no such run, dataset, baseline or file, or they do not fit together.
    """
    folder, record = find_record(run)
    check(run)
    _check_folders(run, folder, record, options)
    dataset = _find_dataset(run, record, options)
    baselines = options.baselines
    if baselines is None:
        baselines = {name: Path(name) for name in ("spline", "sinc")}
    others = {"baselines": baselines, "tflite": options.tflite, "vocoders": options.vocoders}
    _check_names(record.model, others)
    for path in options.tflite.values():
        check_suffix("tflite", path, ".tflite")
    for name in options.vocoders.values():
        vocoder.checksum(str(name))
    for model in [*baselines.values(), *options.tflite.values()]:
        check(model)
    output = options.output or folder
    check_writable(output / "report.html")
    if options.recordings:
        check_writable(options.recordings / "reference.wav")
    return Evaluation(run, record, dataset, baselines, output, folder / "curves.png", options)


def evaluate_run(run: str, options: Options, command: str) -> Evaluated:
    """Measures a run next to baselines.

    Args:
        run: a run folder, a weights file in one, or the name of a shipped network.
        options: what to evaluate it on, and how.
        command: the command line, for the report.

    Raises:
        UserError: as in `prepare_evaluation`, or a system or the recognizer fails.
    """
    evaluation = prepare_evaluation(run, options)
    systems = _load(evaluation)
    outcome = measure_split(
        systems,
        evaluation.dataset,
        options.split,
        options.names,
        keep_low_band=options.keep_low_band,
        recognizer=options.recognizer,
        recordings=options.recordings,
    )
    facts = _facts(evaluation, outcome, systems[evaluation.record.model], command)
    output, curves = evaluation.output, evaluation.curves
    return Evaluated(outcome, list(systems), facts, options.recognizer, output, curves)


def _check_folders(run: str, folder: Path, record: Record, options: Options) -> None:
    """Raises a UserError if the options lack a folder that the run does not have."""
    missing = {}
    if options.data is None and record.data is None:
        missing["dataset"] = "--data=DATASET"
    if options.output is None and pretrained.WEIGHTS in folder.resolve().parents:
        missing["folder for the report"] = "--output=FOLDER"
    if missing:
        raise UserError(
            f"--run={run}: has no {' and no '.join(missing)}; add {' and '.join(missing.values())}"
        )


def _find_dataset(run: str, record: Record, options: Options) -> Dataset:
    """Opens the dataset to measure and checks that it fits the run and the options."""
    data = options.data or Path(str(record.data))
    dataset = Dataset(data)
    _check_fit(record, run, dataset, "choose another --data")
    dataset.shards(options.split)
    recognizer, texts = options.recognizer, dataset.texts(options.split)
    if recognizer and not any(map(recognizer.normalizer, texts)):
        raise UserError(
            f"{data}: no recording of the {options.split} split has a text with words; "
            "leave out --wer, or choose another --split or --data"
        )
    return dataset


def _check_names(model: str, others: Mapping[str, Mapping[str, Path]]) -> None:
    """Raises a UserError if two rows share a name, or a name cannot be used.

    Args:
        model: the network of the run.
        others: flag -> name -> path.
    """
    taken = {"reference", "low", model}
    for flag, paths in others.items():
        for name, path in paths.items():
            # The recordings of a system go into a folder of this name.
            check_relative(name, f"--{flag}={path}")
            if name in taken:
                raise UserError(
                    f"--{flag}={path}: {name!r} is the name of another row; give it another name: "
                    f"--{flag}=NAME={path}"
                )
            taken.add(name)


class _Model(Protocol):
    """A model or its record."""

    @property
    def sample_rate(self) -> int: ...

    @property
    def ratio(self) -> Ratio: ...

    @property
    def band_hz(self) -> tuple[float, float] | None: ...


def _check_fit(model: _Model, name: str, dataset: Dataset, advice: str) -> None:
    """Raises a UserError if a model does not restore the low sides of a dataset."""
    for key in ("sample_rate",) if model.band_hz else ("sample_rate", "ratio"):
        has, found = getattr(model, key), getattr(dataset, key)
        if has != found:
            raise UserError(f"{name} has {key} {has}, and {dataset.folder} has {found}; {advice}")
    _check_band(model, name, dataset, advice)


def _check_band(model: _Model, name: str, dataset: Dataset, advice: str) -> None:
    """Raises a UserError if a model does not restore the bands of a dataset."""
    cutoff_hz = dataset.low_rate / 2
    lowest, highest = model.band_hz or (cutoff_hz, cutoff_hz)
    if not lowest <= cutoff_hz <= highest:
        raise UserError(
            f"{name} restores recordings whose band ends between {lowest:g} and {highest:g} Hz, "
            f"and those of {dataset.folder} end at {cutoff_hz:g} Hz; {advice}"
        )


def load_fitting(model: Path, dataset: Dataset, advice: str = "choose another model") -> Upsampler:
    """Loads a model to restore the low sides of a dataset.

    The output of a model for any band that has a higher rate is to be resampled.

    Raises:
        UserError: as in `upsample.load`, or the model has other rates, with advice what to do.
    """
    upsampler = load(model, dataset.sample_rate, dataset.ratio)
    if upsampler.band_hz and upsampler.sample_rate > dataset.sample_rate:
        _check_band(upsampler, str(model), dataset, advice)
    else:
        _check_fit(upsampler, str(model), dataset, advice)
    return upsampler


def _load(evaluation: Evaluation) -> dict[str, Upsampler]:
    """Loads the systems by name: baselines, TFLite files, the run with its vocoders."""
    run, record, dataset = evaluation.run, evaluation.record, evaluation.dataset
    systems = {}
    for name, path in evaluation.baselines.items():
        systems[name] = load_fitting(path, dataset, "choose other --baselines")
    for name, path in evaluation.options.tflite.items():
        systems[name] = load(path)
        _check_fit(systems[name], str(path), dataset, "export it from this run")
    for name, path in evaluation.options.vocoders.items():
        systems[name] = load(run, vocoder=path)
    systems[record.model] = load(run)
    return systems


def _facts(
    evaluation: Evaluation, outcome: Outcome, network: Upsampler, command: str
) -> report.Facts:
    record, dataset = evaluation.record, evaluation.dataset
    rows = [row for row in outcome.rows if row.system == record.model]
    # Some are in the settings only if they differ from the defaults.
    keys = [each.name for each in fields(Settings) if each.name in dataset.settings]
    preparation = ["wideband-prepare", *(f"--{key}={dataset.settings[key]}" for key in keys)]
    ratio = dataset.ratio.numerator if dataset.ratio.denominator == 1 else str(dataset.ratio)
    bands = {}
    if record.band_hz:
        lowest, highest = record.band_hz
        bands["Bands"] = f"the network restores all that end between {lowest:g} and {highest:g} Hz"
    # A converted checkpoint was not trained here.
    training = [["wideband-train", *record.flags]] if record.flags else []
    return report.Facts(
        title=f"{record.model} at ratio {ratio}",
        model=record.model,
        parameters=_count_parameters(network),
        corpus=dataset.corpus,
        split=evaluation.options.split,
        files=len(rows),
        speakers=len({row.speaker for row in rows}),
        minutes=sum(row.seconds for row in rows) / 60,
        protocol=dataset.protocol,
        ratio=ratio,
        sample_rate=record.sample_rate,
        training_seconds=record.timings.seconds,
        machine=record.machine,
        commands=[*map(shlex.join, (preparation, *training)), command],
        versions=record.versions,
        more={
            "Recipe": f"{record.name}: {record.source}",
            "Epochs": str(record.timings.epochs),
            "Seed": str(record.recipe.get("seed", "unknown")),
            **bands,
            "Low band": "the recording's" if evaluation.options.keep_low_band else "the network's",
        },
    )


def _count_parameters(upsampler: Upsampler) -> int | None:
    """Counts the parameters of a Keras network; None for a TFLite file, which does not say."""
    from ..upsample.tflite import TFLiteNetwork

    if isinstance(upsampler.network, TFLiteNetwork):
        return None
    from ..models.system import System

    assert isinstance(upsampler.network, System)
    return upsampler.network.count_params()
