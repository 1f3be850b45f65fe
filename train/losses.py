"""Training losses, in keras.ops, so that they run on every backend."""

from collections.abc import Callable

from keras import ops


def patch_rmse(reference, estimate):
    """Root mean square error of each patch: the mean over the batch is left to Keras.

    sqrt(mean((estimate - reference)^2 + 1e-6)), which is not the root of the batch's mean square.

    Source: create_objective() of Kuleshov's published code; the paper writes the
    plain square error.

    Args:
        reference: (batch, n, 1).
        estimate: (batch, n, 1).

    Returns:
        (batch,).
    """
    return ops.sqrt(ops.mean(ops.square(estimate - reference) + 1e-6, axis=(1, 2)))


def patch_log_rmse(reference, estimate):
    """Logarithm of each patch's root mean square error, of which 8.7 dB of SNR are one; ours.

    SNR is a mean of decibels over recordings, in which a dull one, whose error is small, counts as
    much as any other. `patch_rmse` hardly sees it.

    Args:
        reference: (batch, n, 1).
        estimate: (batch, n, 1).

    Returns:
        (batch,).
    """
    return ops.log(patch_rmse(reference, estimate))


def mse(reference, estimate):
    """Mean square error of each patch (TFNet, the Keras project).

    Args:
        reference: (batch, n, 1).
        estimate: (batch, n, 1).

    Returns:
        (batch,).
    """
    return ops.mean(ops.square(estimate - reference), axis=(1, 2))


def log_spectral_distance(reference, estimate, window: int, hop: int):
    """Log-spectral distance of each patch, by the modern convention of `evaluate.metrics.lsd`.

    Args:
        reference: (batch, n, 1).
        estimate: (batch, n, 1).
        window: samples of the Hann window.
        hop: samples from one frame to the next.

    Returns:
        (batch,): log10 of power, root of the mean over frequency, mean over frames.
    """

    def log_power(wave):
        # (batch, n, 1) to twice (batch, frames, frequencies)
        real, imaginary = ops.stft(wave[..., 0], window, hop, window)
        return ops.log10(ops.maximum(ops.square(real) + ops.square(imaginary), 1e-8))

    difference = log_power(estimate) - log_power(reference)
    # The small term keeps the root's gradient finite where a frame is met exactly.
    return ops.mean(ops.sqrt(ops.mean(ops.square(difference), axis=-1) + 1e-6), axis=-1)


SPECTRAL_RESOLUTIONS = ((512, 128), (2048, 512))  # window and hop, in samples


def with_spectral_term(loss: Callable, weight: float) -> Callable:
    """Adds log-spectral distances at two resolutions to a loss; ours, in no classic paper.

    A squared error is smallest where what cannot be predicted is left out, and so networks that
    are trained by it alone leave most of the treble empty.

    Args:
        loss: (reference, estimate) -> (batch,).
        weight: of the sum of the distances; patches need more than half the longest window.

    Returns:
        a loss of the same form.
    """

    def total(reference, estimate):
        distances = [
            log_spectral_distance(reference, estimate, window, hop)
            for window, hop in SPECTRAL_RESOLUTIONS
        ]
        return loss(reference, estimate) + weight * sum(distances)

    return total


LOSSES = {"patch_rmse": patch_rmse, "patch_log_rmse": patch_log_rmse, "mse": mse}
