"""Transcription: the CTC loss between a network's letters per frame and a transcript."""

import keras

from ...evaluate.words import ctc, deepspeech
from ..objective import Objective


class CTCLoss(keras.layers.Layer):
    """`ctc.loss` as a layer."""

    def call(self, targets, log_probabilities):
        """Returns the loss of each recording, (batch,). Takes the arguments of `ctc.loss`."""
        return ctc.loss(targets, log_probabilities)

    def compute_output_shape(self, targets_shape, log_probabilities_shape):
        """Returns (batch,)."""
        return targets_shape[:1]


def objectives(network: keras.Model) -> list[Objective]:
    """Returns the single objective, which trains DeepSpeech's network on (features, targets).

    Args:
        network: from `evaluate.words.deepspeech.build`.
    """
    features = keras.Input((None, deepspeech.COEFFICIENTS), name="features")
    targets = keras.Input((None,), dtype="int32", name="targets")
    loss = CTCLoss(name="ctc")(targets, network(features))
    return [Objective([features, targets], {"ctc": loss}, {"ctc": 1.0}, [network], "transcription")]
