r"""Command: restores a recording as the own code of AudioSR or NVSR does.

    python -m wideband.upsample.faithful speech.wav --model=runs/audiosr --output=restored.wav

`wideband-upsample` repairs what the codes do to recordings; this command shows what they do.

AudioSR's takes the first channel, scales it to a peak of 0.5, and pads it to a multiple of 5.12
seconds. All of it is restored at once, so that memory and time grow with its length. The low band
of the output is that of the input after a random filter, at another level, with a hard edge.

With the weights that were released, the output is that of the code on a CPU with the same seed, but
for rounding: random numbers are those of PyTorch, in the order of the code. Deviation: recordings
of other rates than 48 kHz go through another resampler.

NVSR's takes the first channel, too, and all of it at once. It overwrites the low band of the output
with that of the recording, with a hard edge.

Sources: haoheliu/versatile_audio_super_resolution at commit 034db6c, audiosr/pipeline.py; the
stages are in `audiosr_stages`, `low_bins` and `data_gen.low_pass`. haoheliu/ssr_eval,
examples/NVSR/main.py.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..command import UserError
from ..command.run import Command, Flags

if TYPE_CHECKING:
    import numpy as np

    from ..models.audiosr import AudioSR
    from ..models.nvsr import NVSR

STEPS, GUIDANCE, ETA, SEED = 50, 3.5, 1.0, 42
# Samples of the shortest recording that its code takes, less one.
TOO_SHORT = 100


def define_flags(flags: Flags) -> None:
    """Defines the flags of the command."""
    flags.string("model", None, "Run folder of audiosr or nvsr.", required=True)
    flags.string("output", None, "The file to write, or its folder.", required=True)
    flags.integer("steps", STEPS, "Steps of AudioSR's sampler.", lower_bound=1, upper_bound=1000)
    flags.number(
        "guidance", GUIDANCE, "How far AudioSR moves away from no condition.", lower_bound=0
    )
    flags.integer("seed", SEED, "Seed of AudioSR's noise and filter.", 0, 2**32 - 1)


def main(flags: Flags, arguments: list[str]) -> None:
    """Restores a recording."""
    from .. import audio
    from .files import pair_inputs

    work = pair_inputs(arguments, Path(flags.output))
    if len(work.pairs) != 1:
        raise UserError(f"{len(work.pairs)} recordings; name one")
    ((source, target),) = work.pairs
    wave, sample_rate = audio.read(source)
    system = load(flags.model)
    from ..models.features import get

    try:
        if system.name == "nvsr":
            restored = restore_nvsr(system, wave, sample_rate)
        else:
            settings = flags.steps, flags.guidance
            restored = restore(system, wave, sample_rate, *settings, seed=flags.seed)
    except UserError as error:
        raise UserError(f"{source}: {error}") from error
    audio.write(target, restored, get(system.mel).sample_rate)
    print(f"{target}: as the code of {system.name} restores {source}")


def load(model: str) -> "AudioSR | NVSR":
    """Loads a run of audiosr or nvsr.

    Raises:
        UserError: it is the run of another network, or cannot be loaded.
    """
    from . import loading

    found = loading.load(model).network
    from ..models.audiosr import AudioSR
    from ..models.nvsr import NVSR

    if not isinstance(found, AudioSR | NVSR):
        raise UserError(f"{model}: a model of {found.name}; name a run folder of audiosr or nvsr")
    return found


def restore_nvsr(system: "NVSR", wave: "np.ndarray", sample_rate: float) -> "np.ndarray":
    """Restores a recording as NVSR's code does.

    Args:
        system: the network.
        wave: shape (n,) or (n, channels), of which the first is taken.
        sample_rate: in Hz.

    Returns:
        float32 of shape (m,), at 44.1 kHz, of the duration of the recording.

    Raises:
        UserError: the recording is empty or not finite.
    """
    import numpy as np

    from .. import audio
    from ..models.features import get
    from .checks import check_peak
    from .low_bins import NVSR_SHARE, restore_low_band

    first = wave if wave.ndim == 1 else wave[:, 0]
    check_peak(float(np.abs(first).max(initial=0)))
    first = audio.resample(first, sample_rate, get(system.mel).sample_rate)
    if not len(first):
        raise UserError("no samples")
    padded = np.pad(first, (0, -len(first) % system.multiple))
    made = system.restore(padded[np.newaxis, :, np.newaxis])[0, : len(first), 0]
    return restore_low_band(made, first, NVSR_SHARE, ratios=(1.0, 1.0))


def restore(
    system: "AudioSR",
    wave: "np.ndarray",
    sample_rate: float,
    steps: int = STEPS,
    guidance: float = GUIDANCE,
    eta: float = ETA,
    seed: int = SEED,
    draw: "Callable[[tuple[int, ...]], np.ndarray] | None" = None,
    family: str | None = None,
) -> "np.ndarray":
    """Restores a recording as AudioSR's code does.

    Args:
        system: its networks. Its own settings of the sampler do not matter.
        wave: shape (n,) or (n, channels), of which the first is taken.
        sample_rate: in Hz.
        steps: of the sampler. As in the code, there may be a few more.
        guidance: as of `AudioSR`.
        eta: as of `AudioSR`.
        seed: of the noise and of the filter.
        draw: returns noise (1, t, 32, 16) in the order of the code: one that it does not use, that
            of the condition, that to start from, then one for each step. By default, that of
            PyTorch on a CPU after `torch.manual_seed(seed)`.
        family: of the filter, one of `data_gen.low_pass.INFERENCE`; by default a random one.

    Returns:
        float32 of shape (m,), at 48 kHz, of the duration of the recording.

    Raises:
        UserError: the recording is too short, silent or not finite, or the code could not take the
            steps.
    """
    import numpy as np

    from .. import audio
    from ..data_gen import low_pass
    from ..models import diffusion
    from ..models.audiosr_autoencoder import MEL
    from ..models.features import log_mel, magnitudes
    from ..models.low_band import replace_low_bands
    from . import audiosr_stages as stages
    from .checks import check_peak
    from .low_bins import restore_low_band
    from .torch_noise import TorchNormal

    try:
        plan = diffusion.plan(steps, "leading", eta)
    except UserError as error:
        # This mode has no other spacing to offer.
        raise UserError(str(error).removesuffix(", or the spacing trailing")) from error
    first = wave if wave.ndim == 1 else wave[:, 0]
    check_peak(float(np.abs(first).max(initial=0)))
    first = audio.resample(first, sample_rate, stages.SAMPLE_RATE)
    if len(first) <= TOO_SHORT:
        raise UserError(f"{len(first)} samples at 48 kHz are too few; AudioSR's code needs 101")
    padded = np.zeros(stages.padded_length(len(first)))
    padded[: len(first)] = stages.normalize(first.astype(np.float64))
    end_hz = stages.cutoff_hz(magnitudes(padded, MEL))
    if family is None:
        family = str(np.random.RandomState(seed).choice(low_pass.INFERENCE))
    low = low_pass.filter_at_inference(padded, end_hz, stages.SAMPLE_RATE, family)
    low_mel = log_mel(low, MEL)

    draw = draw or _channels_first(TorchNormal(seed))
    # The code also encodes the recording itself, and uses the shape of the result only.
    draw((1, len(low_mel) // 8, system.mel.bands // 8, 16))
    condition = system.encode(low_mel, draw)
    mel = system.decode(system.denoise(condition, plan, draw, guidance))
    made = system.vocode(replace_low_bands(mel, low_mel), whole=True)
    finished = stages.finish(restore_low_band(made, low))
    return finished[: len(first)].astype(np.float32)


def _channels_first(
    draw: "Callable[[tuple[int, ...]], np.ndarray]",
) -> "Callable[[tuple[int, ...]], np.ndarray]":
    """Draws images (batch, height, width, channels) as (batch, channels, height, width)."""

    def drawn(shape: tuple[int, ...]) -> "np.ndarray":
        batch, height, width, channels = shape
        return draw((batch, channels, height, width)).transpose(0, 2, 3, 1)

    return drawn


command = Command(
    "python -m wideband.upsample.faithful", define_flags, main, positional="RECORDING"
)

if __name__ == "__main__":
    sys.exit(command())
