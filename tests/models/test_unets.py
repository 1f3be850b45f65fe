"""The U-Nets that several papers share: block lengths and skips."""

import keras
import numpy as np
import pytest
from wideband.command import UserError
from wideband.models.unets import film_unet, first_block


@pytest.mark.parametrize(
    ("length", "levels", "block", "steps"),
    [(8192, 4, 128, 32), (8192, 3, 128, 32), (4096, 3, 64, 32), (256, 4, 16, 8), (32, 4, 16, 1)],
)
def test_blocks_make_32_steps_or_as_many_as_the_bottleneck_has_samples(
    length, levels, block, steps
):
    assert first_block(length, levels) == block
    assert length // 2 // block == steps


def test_a_film_unet_has_no_skip_from_its_input(waves):
    wave = keras.Input((None, 1))
    network = keras.Model(wave, film_unet(wave, (3, 4), (5, 3), 6, first_block=8))
    network.set_weights([np.zeros_like(weight) for weight in network.get_weights()])
    assert not np.any(network(waves(32)))


@pytest.mark.parametrize(("patch", "parts"), [(6000, 1), (1008, 1), (24, 1), (1040, 2)])
def test_a_patch_that_cannot_be_cut_into_blocks_is_refused(patch, parts):
    shortest, enough = 16 * parts, 512 * parts
    message = f"^patch {patch} must be a multiple of {enough}, or of {shortest} below {enough}$"
    with pytest.raises(UserError, match=message):
        first_block(patch, 3, parts)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"blocks": "thesis"}, "^unsupported blocks 'thesis'; choose one of paper, published$"),
        ({"first_block": 6}, "^first block of 6 samples must be a multiple of 4, for 2 levels$"),
    ],
)
def test_unsupported_blocks_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        film_unet(keras.Input((None, 1)), (3, 4), (5, 3), 6, **arguments)
