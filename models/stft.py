"""Short-time Fourier transforms inside networks, and complex numbers in polar coordinates.

They compute in float32 even under mixed precision. All operators are built into TFLite, which has
neither complex numbers nor an inverse Fourier transform. It transforms powers of two only; the
export replaces other lengths with products with a matrix (`matrices`).
"""

import numpy as np
from keras import layers, ops

from ..command import UserError
from ..command.errors import lookup
from .spectral import inverse_rfft

# The lower bound of a power, which keeps the slope of its root finite.
POWER_FLOOR = 1e-30
# A power below which a complex number has no angle. The slope of the angle of a smaller one, times
# the number, is beyond float32.
LEAST_POWER = 1e-24
PADDINGS = {
    "center": "frames are centred on the multiples of the hop; the wave is mirrored at both ends",
    "same": "there is one frame per hop, centred on it; the wave is mirrored at both ends",
    "none": "each frame is within the wave, as streams need",
}
# The constant term of each window; the rest of it is a cosine.
WINDOWS = {"hann": 0.5, "hamming": 0.54}
# The longest transform that is no power of two, whose matrices take 32 MB.
LONGEST_MATRIX = 2048


class _Transform(layers.Layer):
    """A short-time Fourier transform, or its inverse, with a periodic window.

    Frames are in the middle of the transform.

    Args:
        fft: samples of the transform, a power of two, or an even number up to `LONGEST_MATRIX`.
        hop: samples from one frame to the next.
        frame: samples of a frame, an even number, at least two hops, and at most `fft`; with the
            padding "none", a multiple of the hop.
        padding: a key of `PADDINGS`, where the frames are.
        window: a key of `WINDOWS`.
        **kwargs: arguments of a Keras layer, such as `name`.

    Raises:
        UserError: there is no such padding or window, or the lengths contradict each other.
    """

    def __init__(
        self,
        fft: int,
        hop: int,
        frame: int,
        padding: str = "center",
        window: str = "hann",
        **kwargs,
    ) -> None:
        super().__init__(dtype="float32", **kwargs)
        lookup(PADDINGS, padding, "padding")
        constant = lookup(WINDOWS, window, "window")
        # Whether TFLite has the transform.
        self.power_of_two = fft & (fft - 1) == 0
        if fft < 4 or fft % 2 or not (self.power_of_two or fft <= LONGEST_MATRIX):
            raise UserError(
                f"fft of {fft} samples must be a power of two from 4 on, or an even number up to "
                f"{LONGEST_MATRIX}"
            )
        if hop < 1 or frame < 2 * hop or frame % 2 or (padding == "none" and frame % hop):
            multiple = ", and a multiple of it" if padding == "none" else ""
            raise UserError(
                f"frame of {frame} samples must be even and at least twice the hop, {hop}{multiple}"
            )
        if frame > fft:
            raise UserError(f"frame of {frame} samples must be at most fft, {fft}")
        if padding == "same" and (frame - hop) % 2:
            raise UserError(
                f"frame of {frame} samples and hop of {hop}: their difference must be even"
            )
        self.fft, self.hop, self.frame, self.padding = fft, hop, frame, padding
        self.bins = fft // 2 + 1
        # Samples of the transform before and after the frame.
        self._before = (fft - frame) // 2
        self._after = fft - frame - self._before
        # Hops that a frame is in, and the samples that the last of them has after the frame.
        self._overlap = -(-frame // hop)
        self._rest = self._overlap * hop - frame
        # Samples of a wave that are mirrored at either end.
        self._mirrored = {"center": frame // 2, "same": (frame - hop) // 2, "none": 0}[padding]
        cosine = np.cos(2 * np.pi * np.arange(frame) / frame)
        self._window = (constant - (1 - constant) * cosine).astype(np.float32)
        # It has no weights. Otherwise, Keras would trace each layer that contains it to build it.
        self.built = True


class STFT(_Transform):
    """Transforms a wave (batch, n, 1) to real and imaginary parts, (batch, frames, bins) both.

    n must be a multiple of the hop. With the padding "center", there are n / hop + 1 frames, with
    "same" n / hop; n must be longer than half a frame. Otherwise there are (n - frame) / hop + 1.
    The phase counts from the first sample of the transform, as that of torch.stft.
    """

    def call(self, wave, matrices: bool = False):
        """Transforms a wave (batch, n, 1), on request without a Fourier transform."""
        padded = _append_zeros(_mirror_ends(wave[:, :, 0], self._mirrored), self._rest)
        # Not -1: within a TensorFlow function, it would make the number of frames unknown.
        hops = ops.shape(padded)[1] // self.hop
        frames = hops - self._overlap + 1
        # (batch, frames + frame / hop - 1, hop)
        hops = ops.reshape(padded, (ops.shape(wave)[0], hops, self.hop))
        # (batch, frames, frame)
        framed = ops.concatenate([hops[:, k : k + frames] for k in range(self._overlap)], axis=-1)
        windowed = ops.convert_to_tensor(self._window) * framed[..., : self.frame]
        padding = (0, 0), (0, 0), (self._before, self._after)
        filled = ops.pad(windowed, padding)
        if matrices:
            # (fft, bins) both
            cosines, sines = _matrices(self.fft)
            real, imaginary = ops.matmul(filled, cosines), ops.matmul(filled, -sines)
        else:
            real, imaginary = ops.rfft(filled)
        if self.padding != "center":
            return real, imaginary
        # The mirrored frame is symmetric. The signs of its rounding errors would decide between
        # phases of pi and -pi.
        return real, ops.pad(imaginary[:, 1:], ((0, 0), (1, 0), (0, 0)))

    def compute_output_shape(self, input_shape):
        """Returns twice (batch, frames, bins); n may be None."""
        batch, n, _ = input_shape
        frames = None if n is None else (n + 2 * self._mirrored - self.frame) // self.hop + 1
        return (batch, frames, self.bins), (batch, frames, self.bins)


class InverseSTFT(_Transform):
    """Inverts `STFT`: real and imaginary parts (batch, frames, bins) to (batch, n, 1).

    With the padding "center", n is (frames - 1) hop, with "same" frames hop. Otherwise the output
    lacks the hops at both ends of the wave that are not in all of their frames: n is
    (frames + 1) hop - frame. For a spectrum that is not that of a wave, the result is the wave
    whose spectrum is closest to it.

    Source: Griffin and Lim 1984, equation 6; torch.istft.
    """

    def call(self, spectrum, matrices: bool = False):
        """Inverts a spectrum, the list of its real and imaginary parts."""
        real, imaginary = spectrum
        # Like any inverse transform, it ignores these of the lowest and the highest bin, which are
        # 0 in the spectrum of a wave.
        imaginary = ops.pad(imaginary[..., 1:-1], ((0, 0), (0, 0), (1, 1)))
        window = ops.convert_to_tensor(self._window)
        if matrices:
            # All bins but the lowest and the highest stand for two of the whole spectrum.
            weights = np.array([1, *[2] * (self.bins - 2), 1], np.float32) / self.fft
            cosines, sines = (weights * each for each in _matrices(self.fft))
            frames = ops.matmul(real, cosines.T) - ops.matmul(imaginary, sines.T)
        else:
            frames = inverse_rfft(real, imaginary)
        frames = frames[..., self._before : self._before + self.frame]
        added = self._overlap_add(window * frames)
        # Near both ends, fewer windows overlap. The ones depend on the input, or TFLite files would
        # contain the sums, which take as many bytes as a window of the wave.
        ones = ops.clip(real[:1, :, :1], 1.0, 1.0)
        return ops.expand_dims(added / self._overlap_add(window**2 * ones), -1)

    def _overlap_add(self, frames):
        """Adds up frames (batch, frames, frame) to (batch, n)."""
        count = self._overlap
        frames = _append_zeros(frames, self._rest)
        # Frames of silence complete the hops that a mirrored end would complete.
        silent = 0 if self.padding == "none" else count - 1
        padded = ops.pad(frames, ((0, 0), (silent, silent), (0, 0)))
        hops = ops.shape(padded)[1] - count + 1
        # A hop gets its part k from the frame that begins k hops earlier.
        parts = zip(reversed(range(count)), ops.split(padded, count, axis=-1), strict=True)
        added = sum(part[:, first : first + hops] for first, part in parts)
        wave = ops.reshape(added, (ops.shape(frames)[0], hops * self.hop))
        return wave[:, self._mirrored : hops * self.hop - self._mirrored - self._rest]

    def compute_output_shape(self, input_shape):
        """Returns (batch, n, 1); the number of frames may be None."""
        batch, frames, _ = input_shape[0]
        more = {"center": -1, "same": 0, "none": 1 - self._overlap}[self.padding]
        return batch, None if frames is None else (frames + more) * self.hop, 1


def _mirror_ends(wave, count: int):
    """Mirrors samples of a wave (batch, n) at either end, as numpy.pad does with "reflect".

    TFLite's MIRROR_PAD takes a quarter of the time of the transform; this takes hardly any.
    """
    if not count:
        return wave
    first, last = wave[:, 1 : count + 1], wave[:, -count - 1 : -1]
    return ops.concatenate([ops.flip(first, 1), wave, ops.flip(last, 1)], axis=1)


def _append_zeros(x, count: int):
    """Appends zeros to the last axis."""
    return ops.pad(x, ((0, 0),) * (len(x.shape) - 1) + ((0, count),)) if count else x


def _matrices(fft: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns cosines and sines (fft, bins), the columns of a Fourier transform."""
    # The product is reduced first: float32 would round the angle of a long transform.
    turns = np.outer(np.arange(fft), np.arange(fft // 2 + 1)) % fft / fft
    angles = 2 * np.pi * turns
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def log_amplitude(real, imaginary, floor: float):
    """Returns the natural logarithm of the amplitude, to which a floor is added."""
    power = ops.maximum(real**2 + imaginary**2, POWER_FLOOR)
    return ops.log(ops.sqrt(power) + floor)


def angle(real, imaginary):
    """Returns the angle of complex numbers in (-pi, pi]; that of 0 is 0.

    atan2 would return -pi for a half turn with an imaginary part of -0, which some Fourier
    transforms return, and it has no gradient at 0.
    """
    empty = ops.equal(real**2 + imaginary**2, 0.0)
    imaginary = ops.where(ops.equal(imaginary, 0.0), 0.0, imaginary)
    return ops.arctan2(imaginary, ops.where(empty, 1.0, real))


def unit(real, imaginary):
    """Scales complex numbers to an amplitude of 1, without computing the angle.

    Those below 1e-12 have an angle of 0.
    """
    power = real**2 + imaginary**2
    empty = ops.less(power, LEAST_POWER)
    scale = ops.rsqrt(ops.where(empty, 1.0, power))
    return scale * ops.where(empty, 1.0, real), scale * imaginary
