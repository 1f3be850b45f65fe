"""The losses against the papers' formulas."""

import numpy as np
import pytest
from wideband.train.losses import LOSSES, patch_rmse


def test_patch_rmse_of_hand_made_numbers():
    reference = np.array([[0.0, 0.0], [1.0, 1.0]])[..., np.newaxis]
    estimate = np.array([[3.0, 4.0], [1.0, 1.0]])[..., np.newaxis]
    # sqrt((9 + 16) / 2 + 1e-6) and sqrt(0 + 1e-6), patch by patch.
    np.testing.assert_allclose(patch_rmse(reference, estimate), [12.500001**0.5, 1e-3], rtol=1e-6)


def test_patch_rmse_is_not_the_root_of_the_batch():
    rng = np.random.default_rng(0)
    reference, estimate = rng.normal(size=(2, 4, 16, 1)) * np.arange(1, 5)[:, None, None]
    each = np.sqrt(((reference - estimate) ** 2).mean(axis=(1, 2)) + 1e-6)
    whole = np.sqrt(((reference - estimate) ** 2).mean() + 1e-6)
    loss = float(np.mean(patch_rmse(reference, estimate)))
    assert loss == pytest.approx(each.mean(), rel=1e-6)
    assert abs(loss - whole) > 0.05


def test_losses_are_found_by_name():
    assert LOSSES["patch_rmse"] is patch_rmse
