"""Recordings with transcripts, the training data of DeepSpeech's network."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jiwer
import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from ..command import UserError
from ..data_gen.dataset import Dataset
from ..evaluate.words import ctc, deepspeech

# Narrower than in an evaluation, to save time after every epoch.
VALIDATION_BEAM_WIDTH = 16


class Utterance(NamedTuple):
    """A recording with its transcript."""

    features: np.ndarray  # (frames, 26) float32
    classes: np.ndarray  # (letters,) int32

    @property
    def text(self) -> str:
        """The transcript, spelled in the letters of the network."""
        return "".join(ctc.ALPHABET[number] for number in self.classes)


def read(dataset: Dataset, split: str) -> list[Utterance]:
    """Reads the whole recordings of a split that have a transcript short enough for their frames.

    Args:
        dataset: at 16 kHz.
        split: "train" or "valid".

    Raises:
        UserError: there is no such recording.
    """
    utterances = []
    for example in tqdm(dataset.examples(split), f"reading {split}", unit="recording"):
        if (classes := ctc.spell(example.text)) is None or not dataset.is_whole(example):
            continue
        features = deepspeech.mfcc(tf.constant(example.high)).numpy()
        if ctc.frames_needed(classes) <= len(features):
            utterances.append(Utterance(features, classes))
    if not utterances:
        raise UserError(
            f"{dataset.folder}: no recording of the {split} split has a transcript in English "
            "letters"
        )
    return utterances


def batches(
    utterances: Sequence[Utterance], size: int, change: float, seed: int, epoch: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields the batches of an epoch. Seed and epoch determine their order and the tempos.

    Args:
        utterances: each is in exactly one batch.
        size: utterances in a batch; the batch of the longest ones may be smaller.
        change: largest relative change of the tempo.
        seed: seed of the run.
        epoch: number of the epoch.

    Yields:
        features (batch, frames, 26) and the targets of `ctc.loss`.
    """
    rng = np.random.default_rng([seed, epoch])
    # A batch has utterances of similar lengths; the random factors vary batches between epochs.
    lengths = [len(each.features) * rng.uniform(0.8, 1.2) for each in utterances]
    order = np.argsort(lengths)
    for start in rng.permutation(np.arange(0, len(order), size)):
        chosen = [utterances[number] for number in order[start : start + size]]
        stretched = [_vary_tempo(each, change, rng) for each in chosen]
        yield deepspeech.pad(stretched), _targets(chosen, stretched)


def stretch(features: np.ndarray, factor: float) -> np.ndarray:
    """Changes the tempo of features by linear interpolation between frames.

    Args:
        features: (frames, 26).
        factor: multiplies the number of frames.
    """
    positions = np.linspace(0, len(features) - 1, round(len(features) * factor))
    before = positions.astype(int)
    after = np.minimum(before + 1, len(features) - 1)
    share = (positions - before)[:, None].astype(np.float32)
    return features[before] * (1 - share) + features[after] * share


def word_error_rate(network: keras.Model, utterances: Sequence[Utterance]) -> float:
    """Measures the word error rate of a network with a narrow beam."""
    log_probabilities = deepspeech.predict(network, [each.features for each in utterances])
    texts = ctc.beam_search(log_probabilities, VALIDATION_BEAM_WIDTH)
    return jiwer.wer([each.text for each in utterances], texts)


def _vary_tempo(utterance: Utterance, change: float, rng: np.random.Generator) -> np.ndarray:
    """Changes the tempo at random, but leaves enough frames for the letters."""
    least = ctc.frames_needed(utterance.classes) / len(utterance.features)
    return stretch(utterance.features, max(least, 1 + rng.uniform(-change, change)))


def _targets(utterances: Sequence[Utterance], features: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the targets of `ctc.loss`: the number of frames, the letters, and -1 as padding."""
    longest = max(len(each.classes) for each in utterances)
    targets = np.full((len(utterances), 1 + longest), -1, np.int32)
    for row, each, frames in zip(targets, utterances, features, strict=True):
        row[0] = len(frames)
        row[1 : 1 + len(each.classes)] = each.classes
    return targets
