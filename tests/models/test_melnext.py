"""MelNeXt: its size, what a frame sees, and what its generator starts from."""

import numpy as np
import pytest
from wideband import models


@pytest.fixture(scope="module")
def generator():
    """A small generator with random weights."""
    network = models.build("melnext", **models.small("melnext") | {"blocks": 3})
    rng = np.random.default_rng(0)
    part = network.get_layer("generator")
    part.set_weights([rng.normal(0, 0.5, each.shape) for each in part.get_weights()])
    return part


def mel(frames):
    return np.random.default_rng(0).normal(-6, 1.5, (1, frames, 80)).astype(np.float32)


def test_it_has_the_stated_size(outline):
    network = outline("melnext")
    assert network.count_params() == 3_341_648
    assert (network.wants, network.multiple, network.sample_rate) == ("interpolated", 512, 22050)
    generator = network.get_layer("generator")
    for k, dilation in enumerate([1, 3, 9, 1, 3, 9, 1, 3]):
        assert generator.get_layer(f"block_{k}_depthwise").dilation_rate == (dilation,)
        assert generator.get_layer(f"block_{k}_dropout").rate == 0.2


def test_a_frame_sees_the_whole_band_of_those_around_it(generator):
    low = mel(400)
    changed = low.copy()
    # The mean magnitude, and with it the level, stays the same.
    changed[0, 200] = low[0, 200, ::-1]
    difference = np.abs(generator(changed) - generator(low))[0]
    touched = np.flatnonzero(difference.max(axis=1) > 2e-5)
    # Three frames on either side in each convolution, with dilations of 1, 1, 3 and 9.
    assert (touched[0], touched[-1]) == (200 - 42, 200 + 42)
    assert (difference[200] > 2e-5).all()
    changed[0, 200] += 8.0
    touched = np.flatnonzero(np.abs(generator(changed) - generator(low))[0].max(axis=1) > 2e-5)
    # 64 frames more share its level.
    assert (touched[0], touched[-1]) == (200 - 64 - 42, 200 + 64 + 42)


def test_its_context_covers_what_a_frame_sees(outline):
    short, long = (outline("melnext", blocks=blocks).context for blocks in (1, 3))
    assert long - short == pytest.approx(3 * (3 + 9) * 256, abs=512)
    griffin_lim = models.build("melgan", mel="nyquist", width=0.05, blocks=1)
    assert short - griffin_lim.context == pytest.approx((64 + 6 - 11) * 256, abs=512)


def test_a_quieter_recording_gets_a_quieter_band(generator):
    low = mel(40)
    np.testing.assert_allclose(generator(low - 3.0), generator(low) - 3.0, rtol=0, atol=1e-3)


def test_it_starts_from_its_input(generator):
    kernel, bias = generator.get_layer("mel_last").get_weights()
    low = mel(20)
    low[..., 60:] = -40.0
    generator.get_layer("mel_last").set_weights([0 * kernel, 0 * bias + 0.5])
    try:
        found = generator(low)
    finally:
        generator.get_layer("mel_last").set_weights([kernel, bias])
    np.testing.assert_allclose(found[..., :60], low[..., :60] + 0.5, rtol=0, atol=1e-5)
    # Empty bands start 87 dB below the level.
    level = np.log(np.exp(low).mean())
    np.testing.assert_allclose(found[..., 60:], level - 10.0 + 0.5, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("end_hz", "learned"), [(None, 80), (8000, 70), (4000, 52)])
def test_it_learns_nothing_about_bands_that_are_empty_in_the_reference(end_hz, learned, noise):
    network = models.build("melnext", **models.small("melnext"))
    high = 0.1 * noise(86 * 256)
    if end_hz:
        spectrum = np.fft.rfft(high)
        spectrum[np.fft.rfftfreq(len(high), 1 / 22050) > end_hz] = 0.0
        high = np.fft.irfft(spectrum)
    high = (np.round(high * 2**15) / 2**15).astype(np.float32)[np.newaxis, :, np.newaxis]
    ours, theirs = network.generate(0 * high, high)["mel"], network.target(high)["mel"]
    # Three bands below the first empty one are the slope.
    expected = np.broadcast_to(np.arange(80) < learned, theirs.shape)
    np.testing.assert_array_equal(np.asarray(ours != theirs), expected)
