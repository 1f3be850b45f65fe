"""AudioSR's rule for the cutoff, compared with a search bin by bin, as its code describes it."""

import numpy as np
import pytest
from wideband.models.low_band import cutoff_index, replace_low_bands


def searched(magnitudes):
    """Scans from the top for the first bin whose cumulative sum is below 0.985 of all."""
    totals = [magnitudes[:, : k + 1].sum() for k in range(magnitudes.shape[1])]
    for k in range(len(totals) - 1, 0, -1):
        if totals[k] < 0.985 * totals[-1]:
            return k
    return 0


@pytest.mark.parametrize("decay", [0.0, 0.05, 0.3, 5.0])
def test_the_cutoff_is_that_of_a_search_from_the_top(decay):
    rng = np.random.default_rng(0)
    magnitudes = rng.uniform(0, 1, (5, 64)) * np.exp(-decay * np.arange(64))
    assert cutoff_index(magnitudes) == searched(magnitudes)


def test_silence_has_no_low_band():
    assert cutoff_index(np.zeros((3, 16))) == 0
    assert cutoff_index(np.zeros((0, 16))) == 0


def test_bands_below_the_cutoff_are_those_of_the_input():
    low = np.full((4, 10), -11.5)
    low[:, :6] = np.log(1.0)
    found = replace_low_bands(np.full((4, 10), -3.0), low)
    # The last band below 0.985 of the sum is the fifth; it is generated.
    np.testing.assert_array_equal(found[:, :4], 0.0)
    np.testing.assert_array_equal(found[:, 4:], -3.0)
