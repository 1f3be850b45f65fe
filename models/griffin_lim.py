"""Griffin-Lim: a wave from a log mel spectrogram without training, by iterated transforms.

The filters of a mel spectrogram are inverted first, to magnitudes; then a wave is sought whose
spectrum has them. Nothing is above the highest filter, so the mel spectrogram should reach half the
rate (`nyquist`).

Sources: Griffin and Lim 1984, "Signal estimation from modified short-time Fourier transform";
Perraudin, Balazs and Søndergaard 2013, "A fast Griffin-Lim algorithm"; griffinlim in librosa 0.11,
whose output this equals for the same initial phases.
"""

import functools

import keras
import numpy as np
from keras import layers, ops

from .features import Mel, filterbank, get
from .layers import check_choice
from .limits import check_range
from .stft import STFT, InverseSTFT

ITERATIONS, MOMENTUM = 32, 0.99
# Frames after which the random initial phases repeat. The windows of a long wave start at multiples
# of them, since the lengths of networks with mel spectrograms are; all windows agree.
PERIOD = 2
INVERSIONS = ("pseudo_inverse", "nnls")
# Steps of the least squares without negative magnitudes: the error of the filtered magnitudes of
# speech falls from 3 % to 0.01 %.
NNLS_STEPS = 30


def build(mel: str | Mel, iterations: int = ITERATIONS) -> keras.Model:
    """Builds a vocoder: a log mel spectrogram (batch, frames, bands) to a wave (batch, n, 1).

    Args:
        mel: a key of `features.MELS`, or a `Mel`.
        iterations: from 1 to 1000.

    Raises:
        UserError: there is no such mel spectrogram, or the iterations are out of range.
    """
    mel = get(mel)
    features = keras.Input((None, mel.bands), name="mel")
    magnitude = InverseMel(mel)(features)
    wave = GriffinLim(mel.fft, mel.hop, mel.padding, iterations)(magnitude)
    return keras.Model(features, wave, name="vocoder")


def reach(mel: Mel, iterations: int) -> int:
    """Returns the samples on either side of a frame on which the wave depends.

    A frame overlaps the next (fft - 1) / hop frames, so far does each iteration see.
    """
    return iterations * ((mel.fft - 1) // mel.hop) * mel.hop + mel.fft // 2


class GriffinLim(layers.Layer):
    """Finds a wave for magnitudes (batch, frames, bins): (batch, n, 1), in float32.

    With `same`, n is frames hop; with `center`, it is (frames - 1) hop.

    Args:
        fft: samples of a frame and of its Fourier transform, a power of two.
        hop: samples from one frame to the next.
        padding: "same" or "center", see `stft.PADDINGS`.
        iterations: from 1 to 1000.
        momentum: how much of the previous step is continued, from 0, the algorithm of 1984, to 1.
        seed: of the initial phases.
        **kwargs: arguments of a Keras layer, such as `name`.

    Raises:
        UserError: a value is out of range, or the lengths contradict each other.
    """

    def __init__(
        self,
        fft: int,
        hop: int,
        padding: str = "same",
        iterations: int = ITERATIONS,
        momentum: float = MOMENTUM,
        seed: int = 0,
        **kwargs,
    ) -> None:
        check_range("iterations", iterations, 1, 1000)
        check_range("momentum", momentum, 0, 1)
        super().__init__(dtype="float32", **kwargs)
        self.iterations, self.momentum = iterations, momentum
        self.stft = STFT(fft, hop, fft, padding)
        self.inverse = InverseSTFT(fft, hop, fft, padding)
        angles = np.random.default_rng(seed).uniform(0, 2 * np.pi, (PERIOD, fft // 2 + 1))
        self._phases = np.stack([np.cos(angles), np.sin(angles)]).astype(np.float32)

    def call(self, magnitude):
        """Finds a wave with random initial phases, which repeat after `PERIOD` frames."""
        frames = ops.arange(ops.shape(magnitude)[1], dtype="int32") % PERIOD
        phases = ops.take(ops.convert_to_tensor(self._phases), frames, axis=1)
        return self.find(magnitude, phases[0], phases[1])

    def find(self, magnitude, cosine, sine):
        """Finds a wave.

        Args:
            magnitude: (batch, frames, bins).
            cosine: of the initial phases, (frames, bins) or as the magnitudes.
            sine: of the initial phases.

        Returns:
            (batch, n, 1).
        """
        spectrum = [magnitude * cosine, magnitude * sine]
        share, previous = self.momentum / (1 + self.momentum), (0.0, 0.0)
        for _ in range(self.iterations):
            rebuilt = self.stft(self.inverse(spectrum))
            both = zip(rebuilt, previous, strict=True)
            real, imaginary = (new - share * old for new, old in both)
            # A bin that is empty stays so: its phase would be that of rounding errors.
            scale = magnitude * ops.rsqrt(ops.maximum(real**2 + imaginary**2, 1e-20))
            spectrum, previous = [scale * real, scale * imaginary], rebuilt
        return self.inverse(spectrum)

    def compute_output_shape(self, input_shape):
        """Returns (batch, n, 1); the number of frames may be None."""
        return self.inverse.compute_output_shape((input_shape, input_shape))


class InverseMel(layers.Layer):
    """Inverts the filters of log mel spectrograms: (batch, frames, bands) to (batch, frames, bins).

    "pseudo_inverse" has the smallest error, but for negative magnitudes, which become 0. "nnls"
    goes on from there, and finds magnitudes without negative ones whose filtered error is smaller.

    Args:
        mel: a key of `features.MELS`, or a `Mel`.
        inversion: one of `INVERSIONS`.
        **kwargs: arguments of a Keras layer, such as `name`.

    Raises:
        UserError: there is no such mel spectrogram or inversion.
    """

    def __init__(self, mel: str | Mel, inversion: str = "nnls", **kwargs) -> None:
        check_choice("inversion", inversion, INVERSIONS)
        super().__init__(dtype="float32", **kwargs)
        self.inversion = inversion
        self._norms, self._filters, self._pseudo_inverse, self._step = _inverse(get(mel))

    def call(self, log_mel):
        """Inverts log mel spectrograms (batch, frames, bands)."""
        filtered = ops.exp(log_mel) / ops.convert_to_tensor(self._norms)
        start = ops.relu(ops.matmul(filtered, ops.convert_to_tensor(self._pseudo_inverse)))
        return self._improve(start, filtered) if self.inversion == "nnls" else start

    def _improve(self, magnitude, filtered):
        """Descends to the least squares without negative magnitudes (Beck and Teboulle 2009)."""
        filters = ops.convert_to_tensor(self._filters)
        ahead, weight = magnitude, 1.0
        for _ in range(NNLS_STEPS):
            error = ops.matmul(ahead, filters) - filtered
            gradient = ops.matmul(error, ops.transpose(filters))
            new = ops.relu(ahead - self._step * gradient)
            heavier = (1 + np.sqrt(1 + 4 * weight**2)) / 2
            ahead = new + (weight - 1) / heavier * (new - magnitude)
            magnitude, weight = new, heavier
        return magnitude

    def compute_output_shape(self, input_shape):
        """Returns (batch, frames, bins)."""
        return *input_shape[:2], len(self._filters)


@functools.cache
def _inverse(mel: Mel) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Returns the norms of filters, the filters (bins, bands) of norm 1, their inverse, a step.

    The singular values of a large filter bank take half a second, so they are found once.
    """
    # Filters of the same norm: otherwise, the step would be too short for the smaller ones.
    filters = filterbank(mel).astype(np.float64)
    norms = np.sqrt((filters**2).sum(axis=0)).astype(np.float32)
    filters = filters / norms
    inverse = np.linalg.pinv(filters).astype(np.float32)
    step = float(1 / np.linalg.norm(filters.T @ filters, 2))
    return norms, filters.astype(np.float32), inverse, step
