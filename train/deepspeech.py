"""Trains DeepSpeech's network on the recordings of a dataset that have a transcript.

A folder holds deepspeech.json and best.weights.h5, which `DeepSpeech.from_weights` takes,
history.csv, and last-0007.weights.h5 and settings.json, by which a stopped training continues.
"""

import csv
import dataclasses
import json
import time
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from ..command import UserError
from ..command.files import replacing
from ..data_gen import dataset as shards
from ..data_gen.prepare import is_whole
from ..evaluate import summary
from ..evaluate.words import ctc, deepspeech

try:
    import jiwer
except ImportError as error:
    raise UserError(
        "the training measures word error rates by jiwer; pip install 'wideband[evaluate]'"
    ) from error

VALIDATION_BEAM_WIDTH = 16


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a training is told, besides its dataset."""

    hidden: int
    epochs: int
    batch: int  # recordings
    learning_rate: float  # of Adam at its peak; it warms up, then falls by a cosine
    dropout: float
    noise: float  # standard deviation, on the features
    stretch: float  # largest change of tempo
    seed: int


class Utterance(NamedTuple):
    """A recording as the network learns it."""

    features: np.ndarray  # (frames, 26) float32
    classes: np.ndarray  # (letters,) int32


def train(data: Path, folder: Path, settings: Settings) -> list[dict[str, float]]:
    """Trains, or continues after the last epoch in the folder's history.

    Args:
        data: a prepared dataset at 16 kHz with transcripts.
        folder: where to leave the network.
        settings: of the training.

    Returns:
        the history, one row an epoch.

    Raises:
        UserError: the dataset is of another rate or has no transcripts, or the folder is of a
            training with other settings.
    """
    rate = shards.describe(data).sample_rate
    if rate != deepspeech.SAMPLE_RATE:
        raise UserError(
            f"{data} has {rate} Hz; prepare it with --sample_rate={deepspeech.SAMPLE_RATE}"
        )
    told = {**dataclasses.asdict(settings), "dataset": shards.identity(data)}
    rows = _read_history(folder, told)
    if len(rows) >= settings.epochs:
        return rows
    spoken, validation = utterances(data, "train"), utterances(data, "valid")
    keras.utils.set_random_seed(settings.seed)
    network = deepspeech.build(settings.hidden, settings.dropout, settings.noise)
    steps = -(-len(spoken) // settings.batch)
    total = steps * settings.epochs
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, total - total // 20, warmup_target=settings.learning_rate, warmup_steps=total // 20
    )
    optimizer = keras.optimizers.Adam(schedule, global_clipnorm=1.0)
    network.compile(optimizer, ctc.loss, jit_compile=False)
    if rows:
        network.optimizer.build(network.trainable_variables)
        network.load_weights(_checkpoint(folder, len(rows)))
    with replacing(folder / "settings.json") as temporary:
        temporary.write_text(json.dumps(told, indent=2) + "\n")
    with tqdm(total=total, initial=steps * len(rows), unit="step", desc=folder.name) as bar:
        while len(rows) < settings.epochs:
            epoch, started = len(rows) + 1, time.monotonic()
            losses = []
            for features, targets in _batches(spoken, settings, epoch):
                losses.append(network.train_on_batch(features, targets))
                bar.update()
            row = {"epoch": epoch, "loss": float(np.mean(losses))}
            row["val_wer"] = word_error_rate(network, validation)
            row["seconds"] = round(time.monotonic() - started, 2)
            bar.set_postfix({name: f"{row[name]:.3g}" for name in ("loss", "val_wer")})
            rows.append(row)
            _save(folder, rows, network)
    return rows


def utterances(data: Path, split: str) -> list[Utterance]:
    """Reads the recordings of a split that have a transcript which fits their length.

    Raises:
        UserError: there are none.
    """
    found = []
    for example in tqdm(shards.read(shards.files(data, split)), f"hearing {split}", unit="wave"):
        features = deepspeech.mfcc(tf.constant(example.high)).numpy()
        classes = ctc.spell(example.text)
        whole = is_whole(example.start_seconds, len(example.high), deepspeech.SAMPLE_RATE)
        if classes is not None and whole and ctc.frames_needed(classes) <= len(features):
            found.append(Utterance(features, classes))
    if not found:
        raise UserError(
            f"{data}: no recording of the {split} split has a transcript in English letters"
        )
    return found


def word_error_rate(network: keras.Model, spoken: list[Utterance]) -> float:
    """Measures a network, by a narrow search, since a wide one takes long."""
    heard = deepspeech.hear(network, [each.features for each in spoken])
    texts = ctc.beam_search(heard, VALIDATION_BEAM_WIDTH)
    return jiwer.wer(["".join(ctc.ALPHABET[c] for c in each.classes) for each in spoken], texts)


def _batches(spoken: list[Utterance], settings: Settings, epoch: int):
    """Yields an epoch's batches in the order and tempo that seed and epoch tell."""
    rng = np.random.default_rng([settings.seed, epoch])
    # Nearly of one length within a batch, and other neighbours in every epoch.
    lengths = [len(each.features) * rng.uniform(0.8, 1.2) for each in spoken]
    order = np.argsort(lengths)
    starts = np.arange(0, len(order), settings.batch)
    for start in rng.permutation(starts):
        chosen = [spoken[number] for number in order[start : start + settings.batch]]
        stretched = [_vary(each, rng, settings.stretch) for each in chosen]
        features = deepspeech.pad(stretched)
        longest = max(len(each.classes) for each in chosen)
        targets = np.full((len(chosen), 1 + longest), -1, np.int32)
        for row, each, frames in zip(targets, chosen, stretched, strict=True):
            row[0] = len(frames)
            row[1 : 1 + len(each.classes)] = each.classes
        yield features, targets


def _vary(spoken: Utterance, rng: np.random.Generator, part: float) -> np.ndarray:
    """Draws a tempo, at which the letters still fit."""
    least = ctc.frames_needed(spoken.classes) / len(spoken.features)
    return stretch(spoken.features, max(least, 1 + rng.uniform(-part, part)))


def stretch(features: np.ndarray, factor: float) -> np.ndarray:
    """Changes the tempo of features by linear interpolation between frames.

    Args:
        features: (frames, 26).
        factor: of the number of frames.
    """
    at = np.linspace(0, len(features) - 1, round(len(features) * factor))
    before = at.astype(int)
    after = np.minimum(before + 1, len(features) - 1)
    part = (at - before)[:, None].astype(np.float32)
    return features[before] * (1 - part) + features[after] * part


def _checkpoint(folder: Path, epoch: int) -> Path:
    return folder / f"last-{epoch:04d}.weights.h5"


def _read_history(folder: Path, told: dict[str, Any]) -> list[dict[str, float]]:
    """Reads the epochs of a training that was told the same; none where there are none."""
    history = folder / "history.csv"
    if not history.is_file():
        return []
    try:
        before = json.loads((folder / "settings.json").read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: settings.json is damaged; delete the folder") from error
    for key, value in json.loads(json.dumps(told)).items():
        if before.get(key) != value:
            raise UserError(
                f"{folder} holds a training with {key}={before.get(key)}, not {value}; "
                "choose another --output, or delete that folder"
            )
    with history.open(newline="") as file:
        return [{name: float(text) for name, text in row.items()} for row in csv.DictReader(file)]


def _save(folder: Path, rows: list[dict[str, float]], network: keras.Model) -> None:
    """Saves an epoch; the history is written last, and until then the epoch before it stands."""
    checkpoint = _checkpoint(folder, len(rows))
    with replacing(checkpoint) as temporary:
        network.save_weights(temporary)
    if rows[-1]["val_wer"] <= min(row["val_wer"] for row in rows):
        deepspeech.save(network, folder)
    summary.write_csv(folder / "history.csv", rows)
    for path in folder.glob("last-*.weights.h5"):
        if path != checkpoint:
            path.unlink()
