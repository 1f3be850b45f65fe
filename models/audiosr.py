"""AudioSR: latent diffusion fills the upper bands of a log mel, and a vocoder makes the wave.

Liu, Chen, Tian, Wang and Plumbley, "AudioSR: Versatile Audio Super-Resolution at Scale", ICASSP
2024, arXiv:2309.07314; code: github.com/haoheliu/versatile_audio_super_resolution, without the
training. Where the two differ, networks and diffusion follow the code:

- Guidance moves away from a constant latent, not from an empty one.
- The condition is a sample of the posterior, not its mean.
- The steps leave out the noisiest one ("leading"), though the schedule ends at noise alone.

`AudioSR` restores recordings as this project does, which repairs what users complain of. It takes
windows of equal length, whose noise follows from their numbers; one level for a recording; the end
of its band from the whole of it (its own low band is kept by `upsample`); one channel for both of a
stereo recording (`audiosr_repair`); trailing steps without new noise. `upsample.faithful` does what
the code does.
"""

import time
from collections.abc import Callable

import keras
import numpy as np

from ..command import UserError
from . import audiosr_repair as repair
from . import audiosr_unet, audiosr_vocoder, diffusion
from .audiosr_autoencoder import MEL, load_autoencoder
from .audiosr_vae import FACTOR
from .features import bands_at, begin_hz, get, log_mel
from .limits import check_arguments, check_range, check_wave
from .low_band import cutoff_index
from .restorer import ONE_CHANNEL, Recording, Restorer
from .system import NEEDS_XLA, System
from .vocoder import GRIFFIN_LIM, find

# 1 / the standard deviation of the latents of the released autoencoder.
SCALE = 0.3342401385307312
# The unscaled latent that stands for no condition.
EMPTY = -11.4981
# The peak of the recordings on which it was trained.
PEAK = 0.5
# The UNet halves the latents three times.
FRAMES = 8 * FACTOR

Draw = Callable[[tuple[int, ...]], np.ndarray]  # from a shape to noise


class AudioSR(System):
    """Recordings of any band at 48 kHz (batch, n, 1), n = `patch`, to the restored ones.

    A run has the weights of the UNet only. Those of the autoencoder and of the vocoder are where
    they were trained.

    Args:
        width: multiplies the UNet's channels.
        blocks: residual blocks of each of its levels.
        transformers: after each block from the second level on.
        multipliers: channels of each level, relative to those of the first convolution; at most
            four numbers, with commas between them.
        scale: 1 / the standard deviation of the autoencoder's latents.
        vae: a run folder of `audiosr_vae`.
        vocoder: what makes the wave: "griffin_lim", the name of a shipped vocoder, or a run folder.
        iterations: of Griffin-Lim.
        patch: samples of a window, a multiple of 30720. It was trained with 491520, 10.24 s.
        steps: of the sampler.
        spacing: a key of `diffusion.SPACINGS`.
        eta: the amount of new noise in each step, from 0 to 1.
        guidance: how far the velocity moves away from that without a condition; 1 is not at all,
            and takes half of the time.
        seed: of the noise.
        name: of the system.

    Raises:
        UserError: there is no such autoencoder or vocoder, the width leaves a layer without
            channels, or a number is out of range.
    """

    wants = "interpolated"
    context = None
    band_hz = (2000.0, 16000.0)

    def __init__(
        self,
        width: float = 1.0,
        blocks: int = 2,
        transformers: int = 2,
        multipliers: str = "1,2,3,5",
        scale: float = SCALE,
        vae: str = "",
        vocoder: str = GRIFFIN_LIM,
        iterations: int = 32,
        patch: int = 491520,
        steps: int = 20,
        spacing: str = "trailing",
        eta: float = 0.0,
        guidance: float = 3.5,
        seed: int = 0,
        name: str = "audiosr",
    ) -> None:
        given = {key: value for key, value in locals().items() if key != "self"}
        check_arguments(type(self).__init__, (), given)
        self.mel = get(MEL)
        self.multiple = FRAMES * self.mel.hop
        check_range("seed", seed, 0, 2**32 - 1)
        check_range("guidance", guidance, 0, 100)
        if not scale > 0:
            raise UserError(f"scale {scale} must be above 0")
        if patch % self.multiple:
            raise UserError(f"patch {patch} must be a multiple of {self.multiple}")
        self.plan = diffusion.plan(steps, spacing, eta)
        found, autoencoder = find(vocoder, MEL, iterations), load_autoencoder(vae)
        self.unet = audiosr_unet.build(width, blocks, _levels(multipliers), transformers)
        self.vae, self.vocoder = autoencoder.load(), found.build()
        for each in (self.unet, self.vae, self.vocoder, *self.vae.layers):
            each.jit_compile = NEEDS_XLA
        self.scale, self.guidance, self.seed = scale, guidance, seed
        self.name, self.sample_rate = name, self.mel.sample_rate
        self.patch, self.windows = patch, (patch,)
        self.parts = {"vae": autoencoder.sha256}
        if found.sha256:
            self.parts["vocoder"] = found.sha256

    def networks(self) -> dict[str, keras.Model]:
        """Returns the UNet; the other parts are not trained with it."""
        return {"network": self.unet}

    def count_params(self) -> int:
        """Counts the parameters of the UNet, the autoencoder and the vocoder."""
        return sum(each.count_params() for each in (self.unet, self.vae, self.vocoder))

    # === Stages, each for one recording ===

    def encode(self, mel: np.ndarray, draw: Draw) -> np.ndarray:
        """Draws the scaled latent image (1, t, 32, 16) of a log mel (8 t, 256)."""
        encoder = self.vae.get_layer("encoder")
        mean, log_variance = encoder.predict_on_batch(mel[np.newaxis])
        return self.scale * (mean + np.exp(0.5 * log_variance) * draw(mean.shape))

    def denoise(
        self,
        condition: np.ndarray,
        plan: list[diffusion.Step],
        draw: Draw,
        guidance: float | None = None,
    ) -> np.ndarray:
        """Makes a latent image of noise.

        Args:
            condition: of `encode`.
            plan: the steps.
            draw: returns the noise to start from, then that of the steps.
            guidance: as in the constructor, which has the default.
        """
        weight = self.guidance if guidance is None else guidance
        empty = np.full_like(condition, self.scale * EMPTY)
        both = [condition, empty] if weight != 1 else [condition]
        conditions = np.concatenate(both)

        def predict(x: np.ndarray, number: int) -> np.ndarray:
            noisy = np.concatenate([x] * len(both)).astype(np.float32)
            step = np.full(len(both), number, np.int32)
            velocity = self.unet.predict_on_batch([noisy, conditions, step])
            if len(both) == 1:
                return velocity
            return diffusion.guided(velocity[:1], velocity[1:], weight)

        start = draw(condition.shape)
        return diffusion.sample(predict, start, plan, lambda: draw(condition.shape))

    def decode(self, latent: np.ndarray) -> np.ndarray:
        """Returns the log mel (8 t, 256) of a scaled latent image (1, t, 32, 16)."""
        decoder = self.vae.get_layer("decoder")
        return decoder.predict_on_batch((latent / self.scale).astype(np.float32))[0]

    def vocode(self, mel: np.ndarray, whole: bool = False) -> np.ndarray:
        """Returns the wave (480 T,) of a log mel (T, 256).

        Args:
            mel: (T, 256).
            whole: with the 8 samples at either end that AudioSR's own vocoder makes in addition.
                Other vocoders make silence there.
        """
        vocoder, silent = self.vocoder, 0
        if whole and any(each.name == "all" for each in vocoder.layers):
            vocoder = audiosr_vocoder.generator(vocoder)
        elif whole:
            silent = audiosr_vocoder.MORE
        wave = vocoder.predict_on_batch(mel[np.newaxis].astype(np.float32))[0, :, 0]
        return np.pad(wave, silent)

    def cost(self) -> float:
        """Measures how many seconds it takes for a second of one or two channels, about."""
        zeros = np.zeros((FRAMES, self.mel.bands), np.float32)
        stages = (
            (1, lambda: self.encode(zeros, np.zeros)),
            (len(self.plan), lambda: self.denoise(latent, self.plan[:1], np.zeros)),
            (1, lambda: self.decode(latent)),
            (1, lambda: self.vocode(zeros)),
        )
        total = 0.0
        latent = self.encode(zeros, np.zeros)
        for count, stage in stages:
            stage()  # The first call compiles.
            started = time.perf_counter()
            stage()
            total += count * (time.perf_counter() - started)
        # Each sample is in two windows.
        return 2 * total / (FRAMES * self.mel.hop / self.mel.sample_rate)

    # === Windows ===

    def session(self, recording: Recording = ONE_CHANNEL) -> Restorer:
        """Returns a restorer that counts the windows of a recording."""
        return Session(self, recording)

    def restore(self, windows: np.ndarray) -> np.ndarray:
        """Restores windows (batch, n, 1) that follow each other."""
        return self.session().restore(windows)

    def generate_wave(self, wave: np.ndarray, end_hz: float | None, draw: Draw) -> np.ndarray:
        """Makes a wave (n,) of full band, whose low band resembles that of a wave (n,).

        Args:
            wave: with a peak of about 0.5; n a multiple of 30720.
            end_hz: where its band ends; None to find out.
            draw: returns noise.
        """
        mel = log_mel(wave, MEL)
        limited = mel.copy()
        if end_hz is None:
            inside = cutoff_index(np.exp(mel))
            end_hz = begin_hz(self.mel, inside)
        else:
            inside, outside = bands_at(self.mel, end_hz)
            limited[:, outside:] = np.log(self.mel.floor)
        condition = self.encode(limited, draw)
        filled = self.decode(self.denoise(condition, self.plan, draw))
        filled[:, :inside] = mel[:, :inside]
        made = self.vocode(filled)
        return repair.level_gain(made, wave, self.mel.sample_rate, end_hz) * made


def _levels(multipliers: str) -> tuple[int, ...]:
    """Reads the multipliers of a UNet."""
    most = len(audiosr_unet.MULTIPLIERS)
    numbers = str(multipliers).split(",")
    if len(numbers) > most or not all(each.isdecimal() and int(each) for each in numbers):
        raise UserError(
            f"multipliers {multipliers!r:.60} must be from 1 to {most} whole numbers, such as 1,2"
        )
    return tuple(map(int, numbers))


class Session(System):
    """Restores the windows of a recording, in their order."""

    def __init__(self, system: AudioSR, recording: Recording) -> None:
        self._system, self._recording = system, recording
        self._number = 0
        peak = recording.peak
        self._gain = PEAK / peak if peak else 1.0
        self.name, self.wants, self.context = system.name, system.wants, system.context
        self.multiple, self.patch, self.windows = system.multiple, system.patch, system.windows
        self.band_hz, self.sample_rate = system.band_hz, system.sample_rate

    def session(self, recording: Recording = ONE_CHANNEL) -> Restorer:
        """Returns a session for a new wave."""
        return self._system.session(recording)

    def restore(self, windows: np.ndarray) -> np.ndarray:
        """Restores the next windows of all channels, (channels * count, n, 1)."""
        check_wave(self._system.name, windows.shape, self._system.multiple)
        channels = self._recording.channels
        waves = windows.reshape(channels, -1, windows.shape[1]).astype(np.float64)
        restored = np.stack([self._next(waves[:, k]) for k in range(waves.shape[1])], axis=1)
        return restored.reshape(windows.shape).astype(np.float32)

    def _next(self, waves: np.ndarray) -> np.ndarray:
        """Restores the next window (channels, n)."""
        seeds = [self._system.seed, self._number]
        self._number += 1
        if len(waves) != 2:
            return np.stack([self._one(each, seeds) for each in waves])
        pair = repair.pair(*waves)
        return pair.channels(self._one(pair.main, seeds))

    def _one(self, wave: np.ndarray, seeds: list[int]) -> np.ndarray:
        """Restores one channel (n,)."""
        gate = repair.gate(wave)
        if not gate.any():
            return np.zeros_like(wave)
        # All channels get the same noise.
        rng = np.random.default_rng(seeds)

        def draw(shape: tuple[int, ...]) -> np.ndarray:
            return rng.normal(0, 1, shape).astype(np.float32)

        end_hz = self._recording.band_end_hz
        made = self._system.generate_wave(self._gain * wave, end_hz, draw)
        return gate * made / self._gain
