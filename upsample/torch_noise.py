"""The normal random numbers of PyTorch on a CPU, so that a seed means what it means in its codes.

Sources: Matsumoto and Nishimura 1998 for the generator; Box and Muller 1958; normal_fill in
aten/src/ATen/native/cpu/DistributionTemplates.h of PyTorch, which takes numbers in groups of 16.
"""

import numpy as np

# The first half of a group gives radii, the second one angles.
GROUP, HALF = 16, 8
BITS = 24  # of a uniform number


class TorchNormal:
    """A generator that draws as `torch.randn` does after `torch.manual_seed`.

    Args:
        seed: from 0 to 2^32 - 1.
    """

    def __init__(self, seed: int) -> None:
        self._generator = np.random.RandomState(seed)

    def __call__(self, shape: tuple[int, ...]) -> np.ndarray:
        """Draws an array, float32, of a multiple of 16 elements."""
        size = int(np.prod(shape))
        assert size % GROUP == 0
        words = self._generator.randint(0, 2**32, size, np.uint64)
        uniform = ((words & (2**BITS - 1)) / 2**BITS).reshape(-1, GROUP)
        radius = np.sqrt(-2 * np.log1p(-uniform[:, :HALF]))
        angle = 2 * np.pi * uniform[:, HALF:]
        both = radius * np.cos(angle), radius * np.sin(angle)
        return np.concatenate(both, axis=1).reshape(shape).astype(np.float32)
