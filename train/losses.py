"""Training losses, in keras.ops, for every backend.

A loss maps (reference, estimate) to one value per patch, (batch,). Most losses compare waves,
(batch, n, 1); others compare spectra or mel spectrograms, which only some networks predict. A
recipe names its losses and their weights; `weighted` adds them up. A new loss needs a row in
`LOSSES` and one in `choices.SHORTEST_PATCHES`, since recipes are checked without Keras.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from keras import ops

from ..models.system import Outputs
from .recognizer_loss import WhisperDistance, recognizer_mel
from .spectrum_losses import (
    amplitude,
    complex_spectrum,
    consistency,
    example_mean,
    magnitude,
    phase,
)

SPECTRAL_RESOLUTIONS = ((512, 128), (2048, 512))  # window and hop, in samples
# Transform, window and hop, in samples.
STFT_RESOLUTIONS = ((1024, 600, 120), (2048, 1200, 240), (512, 240, 50))
LEAST_RMS = 1e-5  # of a reference; quieter ones are almost silent


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


def multi_resolution_stft(reference, estimate):
    """Spectral convergence plus the mean absolute difference of log magnitudes.

    Both are averaged over three resolutions.

    Source: Yamamoto et al. 2020, "Parallel WaveGAN", equations 4 to 6 and table 1.

    Args:
        reference: (batch, n, 1); n must exceed 1024, half of the longest transform.
        estimate: (batch, n, 1).

    Returns:
        (batch,).
    """

    def norm(magnitude):
        return ops.sqrt(ops.sum(ops.square(magnitude), axis=(1, 2)) + 1e-7)

    total = 0.0
    for fft, window, hop in STFT_RESOLUTIONS:
        left, right = (_magnitude(wave, fft, window, hop) for wave in (reference, estimate))
        total += norm(left - right) / norm(left)
        total += example_mean(ops.abs(ops.log(left) - ops.log(right)))
    return total / len(STFT_RESOLUTIONS)


def _magnitude(wave, fft: int, window: int, hop: int):
    """Returns the magnitudes (batch, frames, bins) of waves (batch, n, 1), with a floor."""
    real, imaginary = ops.stft(wave[..., 0], window, hop, fft)
    return ops.sqrt(ops.maximum(ops.square(real) + ops.square(imaginary), 1e-7))


def relative_l1(reference, estimate):
    """Mean absolute error of each patch over the RMS of the reference.

    Source: train.py of ruizhecao96/CMGAN, which divides both waves by the RMS of its input.

    Args:
        reference: (batch, n, 1).
        estimate: (batch, n, 1).

    Returns:
        (batch,).
    """
    rms = ops.sqrt(ops.mean(ops.square(reference), axis=(1, 2)))
    return ops.mean(ops.abs(estimate - reference), axis=(1, 2)) / ops.maximum(rms, LEAST_RMS)


def mel_l1(reference, estimate):
    """Mean absolute difference of the log mel spectrograms.

    Source: src/losses/bae_losses.py in serious-engineer/Audio-Super-Resolution; Kong et al. 2020,
    equation 5.

    Args:
        reference: (batch, frames, bands).
        estimate: (batch, frames, bands).

    Returns:
        (batch,), in nats.
    """
    return example_mean(ops.abs(estimate - reference))


def mel_mse(reference, estimate):
    """Mean square difference of the log mel spectrograms.

    Source: src/losses/bae_losses.py in serious-engineer/Audio-Super-Resolution.

    Args:
        reference: (batch, frames, bands).
        estimate: (batch, frames, bands).

    Returns:
        (batch,).
    """
    return example_mean(ops.square(estimate - reference))


def mel_convergence(reference, estimate):
    """Norm of the difference of the log mel spectrograms over that of the reference.

    Both norms are over the whole batch, which the published code passes to the loss at once.

    Source: src/losses/bae_losses.py in serious-engineer/Audio-Super-Resolution; named after the
    spectral convergence of Arik et al. 2019, which compares magnitudes.

    Args:
        reference: (batch, frames, bands).
        estimate: (batch, frames, bands).

    Returns:
        (batch,), all the same.
    """
    # The slope of a root is infinite at 0.
    error = ops.sqrt(ops.sum(ops.square(estimate - reference)) + 1e-12)
    convergence = error / (ops.sqrt(ops.sum(ops.square(reference))) + 1e-8)
    return ops.broadcast_to(convergence, (ops.shape(reference)[0],))


class Loss(NamedTuple):
    """A loss and what it compares.

    Attributes:
        function: (reference, estimate) -> (batch,).
        compares: the entry of `System.generate` and `System.target`, such as "wave".
        hears: whether `function` is a class that makes one of the recipe's recognizer (`choose`).
    """

    function: Callable[..., Any]
    compares: str = "wave"
    hears: bool = False


def kl(reference, estimate):
    """Kullback-Leibler divergence between normal distributions, averaged over dimensions.

    Source: Kingma and Welling 2014 (arXiv:1312.6114), appendix B, for any reference.

    Args:
        reference: means, then logarithms of variances, in the two halves of the last axis,
            (batch, ..., 2 channels).
        estimate: the same of the distribution that should be close to it.

    Returns:
        (batch,).
    """
    (mean, log_variance), (own, own_log) = (
        ops.split(each, 2, axis=-1) for each in (reference, estimate)
    )
    distance = (ops.exp(own_log) + ops.square(own - mean)) / ops.exp(log_variance)
    return 0.5 * example_mean(distance - 1 + log_variance - own_log)


def velocity(reference, estimate):
    """Mean square error of the velocities of latent images, (batch, t, bins, channels)."""
    return example_mean(ops.square(estimate - reference))


# Those whose value depends on all examples of a batch at once.
WHOLE_BATCH = ("mel_convergence",)

LOSSES: dict[str, Loss] = {
    "patch_rmse": Loss(patch_rmse),
    "patch_log_rmse": Loss(patch_log_rmse),
    "mse": Loss(mse),
    "relative_l1": Loss(relative_l1),
    "log_spectral": Loss(log_spectral),
    "multi_resolution_stft": Loss(multi_resolution_stft),
    "recognizer_mel": Loss(recognizer_mel),
    "whisper": Loss(WhisperDistance, hears=True),
    "amplitude": Loss(amplitude, "spectrum"),
    "phase": Loss(phase, "spectrum"),
    "complex_spectrum": Loss(complex_spectrum, "spectrum"),
    "consistency": Loss(consistency, "spectrum"),
    "magnitude": Loss(magnitude, "magnitude"),
    "mel_l1": Loss(mel_l1, "mel"),
    "mel_mse": Loss(mel_mse, "mel"),
    "mel_convergence": Loss(mel_convergence, "mel"),
    "kl": Loss(kl, "moments"),
    "velocity": Loss(velocity, "velocity"),
}


def choose(names: Iterable[str], recognizer: str | None = None) -> dict[str, Loss]:
    """Returns losses by name.

    Args:
        names: keys of `LOSSES`.
        recognizer: that of the recipe; only losses that hear need one.

    Raises:
        UserError: there is no such recognizer, or it is damaged.
    """
    chosen = {name: LOSSES[name] for name in names}
    return {
        name: loss._replace(function=loss.function(recognizer)) if loss.hears else loss
        for name, loss in chosen.items()
    }


def weighted(
    weights: Mapping[str, float], recognizer: str | None = None
) -> Callable[[Outputs, Outputs], Any]:
    """Returns the weighted sum of losses as one loss, from what they compare to (batch,).

    Args:
        weights: key of `LOSSES` -> weight.
        recognizer: see `choose`.
    """
    chosen = choose(weights, recognizer)

    def total(target, estimate):
        return sum(
            weights[name] * loss.function(target[loss.compares], estimate[loss.compares])
            for name, loss in chosen.items()
        )

    return total
