"""Noise of PyTorch, compared with what PyTorch 2 prints."""

import numpy as np
from wideband.upsample.torch_noise import TorchNormal


def test_numbers_are_those_of_torch_with_the_same_seed():
    stored = {
        0: [-1.1258398, -1.1523602, -0.25057858, -0.43387884, 0.8487103, 0.69200927],
        42: [1.9269153, 1.4872841, 0.9007172],
    }
    for seed, values in stored.items():
        found = TorchNormal(seed)((2, 16))
        assert found.shape == (2, 16) and found.dtype == np.float32
        np.testing.assert_allclose(found[0, : len(values)], values, rtol=0, atol=2e-6)


def test_draws_follow_each_other():
    draw = TorchNormal(7)
    halves = [draw((4, 16)), draw((4, 16))]
    np.testing.assert_array_equal(np.concatenate(halves), TorchNormal(7)((8, 16)))
    sample = TorchNormal(8)((1000, 16))
    assert abs(sample.mean()) < 0.03 and abs(sample.std() - 1) < 0.03
