"""Alphabet and connectionist temporal classification (CTC) as in DeepSpeech 0.9.3.

Graves, Fernández, Gomez, Schmidhuber: Connectionist Temporal Classification, ICML 2006. A network
labels every frame with a letter or the blank. Repeated letters are merged, then blanks are removed.
The order of the letters is that of DeepSpeech's data/alphabet.txt; the blank is the last class, as
in TensorFlow.
"""

import string
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ...command import UserError

ALPHABET = " " + string.ascii_lowercase + "'"
BLANK = len(ALPHABET)
BEAM_WIDTH = 1024
# From Bini's thesis of 2021. The release's notes have the same language weight, but a word bonus of
# 1.1834137581510284.
LANGUAGE_WEIGHT = WORD_BONUS = 0.931289039105002

# Hyphens and dashes separate words; the typographic apostrophe becomes the plain one.
_PUNCTUATION = str.maketrans(
    {**dict.fromkeys('.,;:!?"()[]-\u2013\u2014\u201c\u201d', " "), "\u2019": "'"}
)


def spell(text: str) -> np.ndarray | None:
    """Converts a transcript to classes: lower case, punctuation as spaces.

    Returns:
        int32 of shape (letters,); None if there are no letters, or characters outside the alphabet,
        such as digits, whose pronunciation is unknown.
    """
    letters = " ".join(text.lower().translate(_PUNCTUATION).split())
    if not letters or not set(letters) <= set(ALPHABET):
        return None
    return np.array([ALPHABET.index(letter) for letter in letters], np.int32)


def frames_needed(classes: np.ndarray) -> int:
    """Returns the fewest frames that can carry a text: repeated letters need a blank in between."""
    return len(classes) + int((classes[1:] == classes[:-1]).sum())


def loss(targets: tf.Tensor, log_probabilities: tf.Tensor) -> tf.Tensor:
    """Computes the CTC loss: -log of the targets' probability, summed over all frame labellings.

    Args:
        targets: int (batch, 1 + letters): the number of frames, then the classes, then -1.
        log_probabilities: (batch, frames, classes).

    Returns:
        shape (batch,).
    """
    # Keras passes integers as floats.
    targets = tf.cast(targets, tf.int32)
    frames, classes = targets[:, 0], targets[:, 1:]
    spoken = tf.where(classes >= 0)
    # Sparse targets select the C++ operation, which is much faster on CPUs.
    sparse = tf.SparseTensor(
        spoken, tf.gather_nd(classes, spoken), tf.shape(classes, out_type=tf.int64)
    )
    return tf.nn.ctc_loss(
        sparse,  # pyright: ignore[reportArgumentType]
        log_probabilities,
        None,  # pyright: ignore[reportArgumentType]
        frames,
        logits_time_major=False,
        blank_index=BLANK,
    )


def beam_search(
    log_probabilities: Sequence[np.ndarray], width: int = BEAM_WIDTH, scorer: Path | None = None
) -> list[str]:
    """Finds the most probable text of each recording with a beam search.

    Args:
        log_probabilities: one array of shape (frames, classes) per recording.
        width: number of beams, the partial texts kept from frame to frame.
        scorer: a KenLM language model (.arpa or binary); needs pyctcdecode.

    Raises:
        UserError: the language model cannot be read, or pyctcdecode is missing.
    """
    if scorer is not None:
        decoder = _scored_decoder(scorer)
        return [decoder.decode(each, beam_width=width) for each in log_probabilities]
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda each: _search(each, width), log_probabilities))


def _search(log_probabilities: np.ndarray, width: int) -> str:
    if not len(log_probabilities):
        return ""
    # The operation keeps letters that a blank separates, and its blank is the last class.
    (found,), _ = tf.nn.ctc_beam_search_decoder(
        log_probabilities[:, None], [len(log_probabilities)], beam_width=width, top_paths=1
    )
    return "".join(ALPHABET[number] for number in found.values.numpy())


def _scored_decoder(scorer: Path) -> Any:
    """Returns a decoder of pyctcdecode with a language model."""
    try:
        # pyctcdecode imports kenlm only when it reads a language model.
        import kenlm  # noqa: F401  # pyright: ignore[reportMissingImports]
        from pyctcdecode import build_ctcdecoder  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UserError(
            "a scorer needs pyctcdecode and kenlm, which need a NumPy before 2: "
            "pip install pyctcdecode kenlm, or leave the scorer out"
        ) from error
    if not scorer.is_file():
        raise UserError(f"{scorer}: there is no such language model")
    try:
        return build_ctcdecoder(
            [*ALPHABET, ""], str(scorer), alpha=LANGUAGE_WEIGHT, beta=WORD_BONUS
        )
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{scorer}: KenLM cannot read it ({reason}); give another file") from error
