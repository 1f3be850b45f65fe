"""Layers that the time-frequency papers share: magnitudes, the replicator, the fusion.

They compute in float32 even under mixed precision: half floats have no Fourier transform, and they
would round the wave itself.
"""

from collections.abc import Callable

import keras
from keras import layers, ops

from .layers import check_choice
from .limits import check_range

FUSIONS = ("paper", "published")
# The shortest waves of the networks have 16 bins above DC, at least one for each copy.
HIGHEST_RATIO = 16
# The lower bound of magnitudes that are divisors. The rounding noise of 16-bit audio alone has
# magnitudes of about 8e-4 in a patch of 8192 samples, so a bin below the floor is inaudible.
FLOOR = 1e-4
# Scales magnitudes before they are squared: the square of the floor would be 0 in float16, and a
# TFLite file in float16 would return NaN for silence. A power of two is exact.
SCALE = 2.0**12

Net = Callable[[keras.KerasTensor], keras.KerasTensor]


@keras.saving.register_keras_serializable("wideband")
class Magnitude(layers.Layer):
    """Magnitudes of the spectrum of a wave: (batch, n, 1) to (batch, n / 2 + 1, 1).

    The FFT is not normalized: magnitudes grow with the length of the wave.

    Source: spectral_transform in moodoki/tfnet.
    """

    def call(self, wave):
        """Transforms the wave (batch, n, 1)."""
        real, imaginary = ops.rfft(wave[:, :, 0])
        # At an empty bin the slope of the root is infinite, and infinity times zero is NaN. Above
        # this bound the slope is finite, and the maximum passes no gradient on at an empty bin.
        power = ops.maximum(real**2 + imaginary**2, 1e-30)
        return ops.expand_dims(ops.sqrt(power), -1)

    def compute_output_shape(self, input_shape):
        """Returns (batch, n / 2 + 1, 1); n may be None."""
        batch, n, _ = input_shape
        return batch, None if n is None else n // 2 + 1, 1


@keras.saving.register_keras_serializable("wideband")
class Replicator(layers.Layer):
    """Copies the low band into the high band: (batch, bins + 1, 1) to (batch, bins, 1).

    The low band is the lowest 1 / ratio of the bins, without DC. It is repeated up to the highest
    bin. If the ratio does not divide the bins, the last copy is cut.

    Source: Lim et al. 2018, the spectral replicator; spectral_copies in moodoki/tfnet, which
    takes only ratios that divide the bins.

    Args:
        ratio: the high rate over the low rate, from 1 to 16; a ratio of 1 only removes DC.
        **kwargs: arguments of a Keras layer, such as `name` and `dtype`.

    Raises:
        UserError: the ratio is out of range.

    Example:
        >>> Replicator(2)(keras.ops.reshape(keras.ops.arange(5.0), (1, 5, 1)))[0, :, 0]
        <tf.Tensor: shape=(4,), dtype=float32, numpy=array([1., 2., 1., 2.], dtype=float32)>
    """

    def __init__(self, ratio: int, **kwargs) -> None:
        check_range("ratio", ratio, 1, HIGHEST_RATIO)
        super().__init__(**kwargs)
        self.ratio = ratio

    def call(self, magnitude):
        """Copies the low band of the magnitudes (batch, bins + 1, 1)."""
        bins = ops.shape(magnitude)[1] - 1
        band = bins // self.ratio
        return ops.take(magnitude, 1 + ops.arange(bins, dtype="int32") % band, axis=1)

    def compute_output_shape(self, input_shape):
        """Returns (batch, bins, 1); bins may be None."""
        batch, bins, channels = input_shape
        return batch, None if bins is None else bins - 1, channels

    def get_config(self) -> dict:
        """Returns the constructor arguments."""
        return {**super().get_config(), "ratio": self.ratio}


@keras.saving.register_keras_serializable("wideband")
class Fusion(layers.Layer):
    """Joins a wave and an estimate of its magnitudes, bin by bin, with trained weights.

    With Z the spectrum of the wave and m the estimate, the output's spectrum has the magnitudes
    w |Z| + (1 - w) m and the phases of Z. The weight w = (tanh(v) + 1) / 2 of each bin is trained
    as v. For waves longer or shorter than the training patches, w is interpolated linearly along
    frequency.

    Source: Lim et al. 2018, the spectral fusion layer; fusion in moodoki/tfnet.

    Args:
        bins: number of weights: n / 2 + 1 if training patches have n samples.
        fusion: "paper" as above; "published" as in the published code, where w is the weight of
            the estimate and 1 - w that of the wave.
        **kwargs: arguments of a Keras layer, such as `name` and `dtype`.

    Raises:
        UserError: `fusion` is unknown.
    """

    def __init__(self, bins: int, fusion: str = "paper", **kwargs) -> None:
        check_choice("fusion", fusion, FUSIONS)
        super().__init__(**kwargs)
        self.bins = bins
        self.fusion = fusion

    def build(self, input_shape) -> None:
        """Creates the weights v, one for each bin."""
        self.v = self.add_weight(shape=(self.bins, 1), initializer="glorot_uniform", name="v")

    def call(self, inputs):
        """Joins [wave (batch, n, 1), estimate (batch, n / 2 + 1, 1)] to (batch, n, 1)."""
        wave, estimate = inputs
        weight = self._weights(ops.shape(estimate)[1])
        wave_weight, estimate_weight = (
            (weight, 1 - weight) if self.fusion == "paper" else (1 - weight, weight)
        )
        # (batch, n / 2 + 1)
        real, imaginary = ops.rfft(wave[:, :, 0])
        # Magnitude times e^(i phase) is Z (wave_weight + estimate_weight * m / |Z|), which needs no
        # angle. The angle of an empty bin has no derivative (atan2 returns NaN), and that of a
        # nearly empty bin has a huge one. The floor bounds the quotient and keeps silence silent.
        power = ops.maximum((SCALE * real) ** 2 + (SCALE * imaginary) ** 2, (SCALE * FLOOR) ** 2)
        gain = wave_weight + estimate_weight * (SCALE * estimate[:, :, 0]) * ops.rsqrt(power)
        return ops.expand_dims(inverse_rfft(gain * real, gain * imaginary), -1)

    def _weights(self, bins):
        """Interpolates w to `bins` bins from DC to half the sample rate, (bins,)."""
        last = self.bins - 1
        position = ops.arange(bins, dtype="float32") * (last / ops.cast(bins - 1, "float32"))
        below = ops.floor(position)
        above = ops.minimum(below + 1, last)
        weights = (ops.tanh(self.v[:, 0]) + 1) / 2
        lower, upper = (ops.take(weights, ops.cast(each, "int32")) for each in (below, above))
        return lower + (position - below) * (upper - lower)

    def compute_output_shape(self, input_shape):
        """Returns the shape of the wave."""
        return input_shape[0]

    def get_config(self) -> dict:
        """Returns the constructor arguments."""
        return {**super().get_config(), "bins": self.bins, "fusion": self.fusion}


def inverse_rfft(real, imaginary):
    """Inverts `ops.rfft`: half spectra, two of (..., n / 2 + 1), to waves (..., n).

    It computes Hartley's transform, which is its own inverse, with a forward Fourier transform,
    because TFLite has neither an inverse one nor complex numbers.

    Source: Bracewell 1983, "Discrete Hartley transform".
    """
    wave = _hartley(*ops.rfft(_hartley(real, imaginary)))
    return wave / ops.cast(ops.shape(wave)[-1], wave.dtype)


def _hartley(real, imaginary):
    """Returns Hartley's transform of a real sequence, (..., n), from its half spectrum."""
    mirrored = ops.flip((real - imaginary)[..., 1:-1], axis=-1)
    return ops.concatenate([real + imaginary, mirrored], axis=-1)


def time_frequency(
    wave: keras.KerasTensor,
    time_net: Net,
    spectral_net: Net,
    *,
    ratio: int,
    patch: int,
    fusion: str,
) -> keras.KerasTensor:
    """Builds a time branch, a spectral branch and their fusion.

    The branches are models inside the model, named "time" and "spectral".

    Source: Lim et al. 2018, the figure of the architecture.

    Args:
        wave: (batch, n, 1).
        time_net: builds the time branch, (batch, n, 1) to the same.
        spectral_net: builds the spectral branch, (batch, n / 2, 1) to the same. Its inputs are the
            replicated magnitudes without DC, which bypasses the branch.
        ratio: the ratio of the replicator.
        patch: samples of the training patches, which determine the number of fusion weights.
        fusion: "paper" or "published", see `Fusion`.

    Returns:
        (batch, n, 1).
    """
    restored = _branch("time", time_net)(wave)
    # (batch, n / 2 + 1, 1)
    magnitude = Magnitude(dtype="float32")(wave)
    # (batch, n / 2, 1)
    estimate = _branch("spectral", spectral_net)(Replicator(ratio, dtype="float32")(magnitude))
    # (batch, n / 2 + 1, 1)
    estimate = layers.Concatenate(axis=1, dtype="float32")([magnitude[:, :1], estimate])
    return Fusion(patch // 2 + 1, fusion, name="fusion", dtype="float32")([restored, estimate])


def _branch(name: str, net: Net) -> keras.Model:
    x = keras.Input((None, 1))
    return keras.Model(x, net(x), name=name)
