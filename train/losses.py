"""Training losses, in keras.ops, for every backend.

A loss maps (reference, estimate), each (batch, n, 1), to one value per patch, (batch,). A recipe
names its losses and their weights; `weighted` adds them up. A new loss needs a row in `LOSSES` and
one in `recipe.SHORTEST_PATCHES`, since recipes are checked without Keras.
"""

from collections.abc import Callable, Mapping
from typing import Any

from keras import ops

SPECTRAL_RESOLUTIONS = ((512, 128), (2048, 512))  # window and hop, in samples

Loss = Callable[[Any, Any], Any]  # (reference, estimate) -> (batch,)


def patch_rmse(reference, estimate):
    """Root mean square error of each patch.

    sqrt(mean((estimate - reference)^2 + 1e-6)). The objective averages these roots over the batch;
    the result is not the root of the batch's mean square.

    Source: create_objective() of Kuleshov's published code; the paper has the plain square error.

    Args:
        reference: (batch, n, 1).
        estimate: (batch, n, 1).

    Returns:
        (batch,).
    """
    return ops.sqrt(ops.mean(ops.square(estimate - reference) + 1e-6, axis=(1, 2)))


def patch_log_rmse(reference, estimate):
    """Natural logarithm of each patch's root mean square error; 1 corresponds to 8.7 dB of SNR.

    From no paper. SNR is averaged in decibels over recordings, so a recording with little high
    band and a small error counts as much as any other. `patch_rmse` almost ignores such recordings.

    Args:
        reference: (batch, n, 1).
        estimate: (batch, n, 1).

    Returns:
        (batch,).
    """
    return ops.log(patch_rmse(reference, estimate))


def mse(reference, estimate):
    """Mean square error of each patch, as in TFNet, AFiLM's code and Sut's Keras project.

    Args:
        reference: (batch, n, 1).
        estimate: (batch, n, 1).

    Returns:
        (batch,).
    """
    return ops.mean(ops.square(estimate - reference), axis=(1, 2))


def log_spectral_distance(reference, estimate, window: int, hop: int):
    """Log-spectral distance of each patch, in the modern convention of `evaluate.metrics.lsd`.

    Args:
        reference: (batch, n, 1).
        estimate: (batch, n, 1).
        window: samples of the Hann window.
        hop: samples from one frame to the next.

    Returns:
        (batch,): the differences of log10 power, as the root mean square over frequencies, then
        the mean over frames.
    """

    def log_power(wave):
        # (batch, n, 1) to real and imaginary parts, each (batch, frames, frequencies)
        real, imaginary = ops.stft(wave[..., 0], window, hop, window)
        return ops.log10(ops.maximum(ops.square(real) + ops.square(imaginary), 1e-8))

    difference = log_power(estimate) - log_power(reference)
    # 1e-6 keeps the gradient of the root finite where estimate and reference are equal.
    return ops.mean(ops.sqrt(ops.mean(ops.square(difference), axis=-1) + 1e-6), axis=-1)


def log_spectral(reference, estimate):
    """Sum of the log-spectral distances at two resolutions, windows of 512 and 2048 samples.

    From none of the papers. A squared error is lowest if unpredictable content is left out, so
    networks trained with it alone leave most of the high band empty.

    Args:
        reference: (batch, n, 1); n must exceed 1024, half of the longest window.
        estimate: (batch, n, 1).

    Returns:
        (batch,).
    """
    return sum(
        log_spectral_distance(reference, estimate, window, hop)
        for window, hop in SPECTRAL_RESOLUTIONS
    )


LOSSES: dict[str, Loss] = {
    "patch_rmse": patch_rmse,
    "patch_log_rmse": patch_log_rmse,
    "mse": mse,
    "log_spectral": log_spectral,
}


def weighted(weights: Mapping[str, float]) -> Loss:
    """Returns the weighted sum of losses as one loss.

    Args:
        weights: key of `LOSSES` -> weight.
    """

    def total(reference, estimate):
        return sum(weight * LOSSES[name](reference, estimate) for name, weight in weights.items())

    return total
