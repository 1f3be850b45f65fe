"""Training losses, in keras.ops, so that they run on every backend."""

from keras import ops


def patch_rmse(reference, estimate):
    """Root mean square error of each patch: the mean over the batch is left to Keras.

    sqrt(mean((estimate - reference)^2 + 1e-6)), which is not the root of the batch's mean square.

    Source: create_objective() of Kuleshov's published code; the paper (section 3) writes the
    plain square error.

    Args:
        reference: (batch, n, 1).
        estimate: (batch, n, 1).

    Returns:
        (batch,).
    """
    return ops.sqrt(ops.mean(ops.square(estimate - reference) + 1e-6, axis=(1, 2)))


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


SPECTRAL_WEIGHT = 0.01
SPECTRAL_RESOLUTIONS = ((512, 128), (2048, 512))  # window and hop, in samples


def patch_rmse_lsd(reference, estimate):
    """`patch_rmse` plus log-spectral distances at two resolutions; ours, in no classic paper.

    A squared error is smallest where what cannot be predicted is left out, and so networks that
    are trained by it alone leave most of the treble empty. The weight was chosen on validation
    data among 0.001, 0.01, 0.02 and 0.03, such that SNR stays above spline interpolation's.

    Args:
        reference: (batch, n, 1).
        estimate: (batch, n, 1).

    Returns:
        (batch,).
    """
    distances = [
        log_spectral_distance(reference, estimate, window, hop)
        for window, hop in SPECTRAL_RESOLUTIONS
    ]
    return patch_rmse(reference, estimate) + SPECTRAL_WEIGHT * sum(distances)


LOSSES = {"patch_rmse": patch_rmse, "patch_rmse_lsd": patch_rmse_lsd}
