"""The losses of AP-BWE have the values that its published code computes."""

import numpy as np
import pytest
from wideband import models
from wideband.train import losses

# F.mse_loss and phase_losses of yxlu-0102/AP-BWE (models/model.py and train/train_16k.py) on these
# waves, in PyTorch 2.14. The code averages over real and imaginary parts; ours are added up.
AMPLITUDE = 0.306900
PHASE = 0.463976 + 0.260281 + 0.588576
COMPLEX = 2 * 0.248204
CONSISTENCY = 2 * 0.046949


def wave(seed):
    """Draws 8000 samples in [-0.5, 0.5) with a generator that every language can repeat."""
    samples = np.empty(8000, np.float32)
    for k in range(len(samples)):
        seed = (1103515245 * seed + 12345) % 2**31
        samples[k] = seed / 2**31 - 0.5
    return samples[np.newaxis, :, np.newaxis]


@pytest.fixture(scope="module")
def network():
    return models.build("apbwe", width=0.02, blocks=1)


def test_losses_of_two_waves_are_those_of_the_published_code(network):
    reference = network.target(0.5 * wave(1))["spectrum"]
    estimate = network.target(0.4 * wave(1) + 0.2 * wave(2))["spectrum"]
    assert float(losses.amplitude(reference, estimate)[0]) == pytest.approx(AMPLITUDE, rel=1e-4)
    assert float(losses.phase(reference, estimate)[0]) == pytest.approx(PHASE, rel=1e-4)
    assert float(losses.complex_spectrum(reference, estimate)[0]) == pytest.approx(
        COMPLEX, rel=1e-4
    )


def test_a_spectrum_that_is_not_that_of_a_wave_is_inconsistent(network):
    """It has the amplitudes of one wave and the phases of another."""
    amplitude = np.exp(network.target(0.5 * wave(1))["spectrum"]["log_amplitude"])
    phase = np.asarray(network.target(0.4 * wave(1) + 0.2 * wave(2))["spectrum"]["phase"])
    parts = {"real": amplitude * np.cos(phase), "imaginary": amplitude * np.sin(phase)}
    restored = network.get_layer("synthesis")(list(parts.values()))
    again = network.target(np.asarray(restored))["spectrum"]
    estimate = parts | {f"wave_{part}": again[part] for part in parts}
    assert float(losses.consistency(None, estimate)[0]) == pytest.approx(CONSISTENCY, rel=1e-4)
