"""Where the low band of a spectrum ends, and how it gets into a generated one: AudioSR's rules.

Source: haoheliu/versatile_audio_super_resolution, audiosr/utils.py and
audiosr/latent_diffusion/models/ddpm.py at commit 034db6c. The paper (Liu et al. 2023,
arXiv:2309.07314, section 2.4) has a share of 0.99.
"""

import numpy as np

# The share of the sum of magnitudes that is below the cutoff.
SHARE = 0.985


def cutoff_index(magnitudes: np.ndarray, share: float = SHARE) -> int:
    """Finds the highest bin up to which less than a share of all magnitudes lie.

    Args:
        magnitudes: not negative, (frames, bins).
        share: from 0 to 1.

    Returns:
        from 0 (silence, or all energy in the lowest bins) to bins - 1.
    """
    cumulative = np.cumsum(magnitudes.sum(axis=0, dtype=np.float64))
    below = np.flatnonzero(cumulative < share * cumulative[-1])
    return int(below[-1]) if len(below) else 0


def replace_low_bands(mel: np.ndarray, low: np.ndarray) -> np.ndarray:
    """Overwrites the lower bands of a generated log mel with those of the input, with a hard edge.

    Args:
        mel: generated, (frames, bands).
        low: of the input, (frames, bands); decides where its band ends.
    """
    index = cutoff_index(np.exp(low))
    return np.concatenate([low[:, :index], mel[:, index:]], axis=1)
