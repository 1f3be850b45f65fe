"""What the attention of the Conformer block refuses; test_conformer.py compares its output."""

import pytest
from wideband.command import UserError
from wideband.models.conformer_block import WindowAttention


@pytest.mark.parametrize(("heads", "channels"), [(3, 8), (0, 8), (3, 9)])
def test_heads_must_divide_an_even_number_of_channels(heads, channels):
    message = rf"^heads {heads} must divide the number of channels, {channels}, an even number$"
    with pytest.raises(UserError, match=message):
        WindowAttention(heads=heads, span=4).build((None, None, channels))


def test_a_span_without_frames_is_refused():
    with pytest.raises(UserError, match=r"^span 0 must be at least 1 frame$"):
        WindowAttention(heads=2, span=0)
