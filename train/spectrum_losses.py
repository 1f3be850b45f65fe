"""Training losses of the spectra that networks predict; `losses` describes what a loss is."""

import math

from keras import ops


def amplitude(reference, estimate):
    """Mean square difference of the natural logarithms of the amplitudes.

    Source: Lu et al. 2024, equation 12.

    Args:
        reference: a spectrum, see `System.generate`.
        estimate: a spectrum.

    Returns:
        (batch,).
    """
    return example_mean(ops.square(estimate["log_amplitude"] - reference["log_amplitude"]))


def phase(reference, estimate):
    """Anti-wrapped distance of the phases, of their group delays and of their frequencies.

    Source: Lu et al. 2024, equations 13 to 17.

    Args:
        reference: a spectrum, see `System.generate`.
        estimate: a spectrum.

    Returns:
        (batch,): the sum of the three means, in radians.
    """
    difference = estimate["phase"] - reference["phase"]  # (batch, frames, bins)
    group_delay = difference[:, :, 1:] - difference[:, :, :-1]
    frequency = difference[:, 1:] - difference[:, :-1]
    return sum(
        example_mean(ops.abs(_unwrap(each))) for each in (difference, group_delay, frequency)
    )


def complex_spectrum(reference, estimate):
    """Mean square differences of the real and of the imaginary parts, added up.

    Source: Lu et al. 2024, equation 18; train.py of ruizhecao96/CMGAN, on compressed spectra.

    Args:
        reference: a spectrum, see `System.generate`.
        estimate: a spectrum.

    Returns:
        (batch,).
    """
    parts = ("real", "imaginary")
    return sum(example_mean(ops.square(estimate[part] - reference[part])) for part in parts)


def consistency(reference, estimate):
    """Mean square differences of a predicted spectrum and the spectrum of its wave, added up.

    Not every spectrum is that of a wave: the frames overlap.

    Source: Lu et al. 2024, equation 19.

    Args:
        reference: not used.
        estimate: a spectrum, see `System.generate`.

    Returns:
        (batch,).
    """
    parts = ("real", "imaginary")
    return sum(
        example_mean(ops.square(estimate[part] - estimate[f"wave_{part}"])) for part in parts
    )


def magnitude(reference, estimate):
    """Mean square difference of the compressed magnitudes.

    Source: Cao et al. 2022; train.py of ruizhecao96/CMGAN.

    Args:
        reference: (batch, frames, bins).
        estimate: (batch, frames, bins).

    Returns:
        (batch,).
    """
    return example_mean(ops.square(estimate - reference))


def example_mean(x):
    """Averages over everything but the batch."""
    return ops.mean(ops.reshape(x, (ops.shape(x)[0], -1)), axis=1)


def _unwrap(angle):
    """Returns the same angle between -pi and pi."""
    return angle - 2 * math.pi * ops.round(angle / (2 * math.pi))
