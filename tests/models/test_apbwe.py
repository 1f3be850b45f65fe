"""AP-BWE: sizes, initial weights, and the whole network compared with a reference in NumPy."""

import math

import numpy as np
import pytest
from seeds import seed_networks
from wideband import models
from wideband.audio import interpolate
from wideband.command import UserError
from wideband.upsample import Upsampler

SMALL = {"width": 0.03, "blocks": 2, "fft": 256, "hop": 64, "frame": 256}


def test_it_has_the_published_number_of_parameters(outline):
    network = outline("apbwe")
    assert network.count_params() == 29_760_515
    assert (network.wants, network.multiple) == ("interpolated", 80)
    # Nine convolutions of 7 frames, and half a frame of 320 samples on either side of both ends.
    assert network.context == 9 * 3 * 80 + 320


@pytest.mark.parametrize("stream", ["amplitude", "phase"])
def test_layers_have_the_published_sizes(outline, stream):
    part = outline("apbwe").get_layer("spectrum")

    def shapes(name):
        return [weight.shape for weight in part.get_layer(name).weights]

    assert shapes(f"{stream}_first") == [(7, 513, 512), (512,)]
    for k in range(8):
        assert shapes(f"{stream}_{k}_depthwise") == [(7, 512, 1), (512,)]
        assert shapes(f"{stream}_{k}_norm") == [(512,), (512,)]
        assert shapes(f"{stream}_{k}_expand") == [(512, 1536), (1536,)]
        assert shapes(f"{stream}_{k}_project") == [(1536, 512), (512,)]
        assert shapes(f"{stream}_{k}_scale") == [(512,)]
    norms = [f"{stream}_{place}_norm" for place in ("first", "last", *range(8))]
    assert {part.get_layer(name).epsilon for name in norms} == {1e-6}
    last = {"amplitude": ["amplitude"], "phase": ["real", "imaginary"]}[stream]
    assert all(shapes(f"{name}_last") == [(512, 513), (513,)] for name in last)


def test_initial_weights_are_those_of_the_published_code():
    seed_networks(0)
    part = models.build("apbwe", width=0.25, blocks=4).get_layer("spectrum")
    for name in ("phase_first", "amplitude_0_depthwise", "phase_3_expand", "amplitude_2_project"):
        kernel, bias = map(np.asarray, part.get_layer(name).weights)
        assert kernel.std() == pytest.approx(0.02, rel=0.05)
        # Not truncated at two standard deviations.
        assert np.abs(kernel).max() > 0.05
        assert not bias.any()
    np.testing.assert_array_equal(part.get_layer("phase_3_scale").weights[0], np.float32(1 / 4))
    for name in ("amplitude_last", "real_last", "imaginary_last"):
        for weight in map(np.asarray, part.get_layer(name).weights):
            # PyTorch's default, uniform between the inverse roots of the number of inputs, 128.
            assert np.abs(weight).max() == pytest.approx(128**-0.5, rel=0.05)
            assert weight.std() == pytest.approx((3 * 128) ** -0.5, rel=0.1)


@pytest.mark.parametrize("kind", ["noise", "pause", "quiet", "silence"])
@pytest.mark.parametrize("lengths", [(256, 64, 256), (1024, 80, 320)])
def test_output_equals_a_numpy_reference(kind, lengths, randomized, reference, waves):
    fft, hop, frame = lengths
    network = randomized("apbwe", width=0.03, blocks=2, fft=fft, hop=hop, frame=frame)
    wave = waves(12 * hop)[:1]
    if kind == "pause":
        wave[:, 5 * hop :] = 0
    wave = wave * {"quiet": 1e-3, "silence": 0.0}.get(kind, 1.0)
    expected = _reference_network(wave[0].astype(np.float64), network, lengths, reference)
    found = np.asarray(network(wave))[0]
    assert np.isfinite(found).all()
    reference.assert_close(found, expected)


def _reference_network(wave, network, lengths, reference):
    """The network frame by frame, with angles and complex numbers."""
    fft, hop, frame = lengths
    part = network.get_layer("spectrum")
    hann = np.zeros(fft)
    first = (fft - frame) // 2
    hann[first : first + frame] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / frame)

    def weights(name):
        return [np.asarray(each, np.float64) for each in part.get_layer(name).weights]

    def norm(x, name):
        scale, offset = weights(name)
        centred = x - x.mean(axis=1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-6) * scale + offset

    def dense(x, name):
        kernel, bias = weights(name)
        return x @ kernel + bias

    def block(x, name):
        kernel, bias = weights(f"{name}_depthwise")
        padded = np.pad(x, ((3, 3), (0, 0)))
        y = np.array([(padded[k : k + 7] * kernel[:, :, 0]).sum(axis=0) for k in range(len(x))])
        y = dense(norm(y + bias, f"{name}_norm"), f"{name}_expand")
        y = 0.5 * y * (1 + np.vectorize(math.erf)(y / np.sqrt(2)))
        return x + weights(f"{name}_scale")[0] * dense(y, f"{name}_project")

    # Frames around each multiple of the hop; the wave is mirrored at its ends.
    padded = np.pad(wave[:, 0], fft // 2, mode="reflect")
    starts = range(0, len(wave) + 1, hop)
    spectrum = np.array([np.fft.rfft(hann * padded[start : start + fft]) for start in starts])
    # The first frame is symmetric, but rounding errors would make some of its phases -pi.
    spectrum[0] = spectrum[0].real
    # The angle of -0 would be pi.
    spectrum[spectrum == 0] = 0
    log_amplitude = np.log(np.abs(spectrum) + 1e-4)

    amplitude = norm(
        reference.conv(log_amplitude, *weights("amplitude_first")), "amplitude_first_norm"
    )
    phase = norm(reference.conv(np.angle(spectrum), *weights("phase_first")), "phase_first_norm")
    for k in range(network.blocks):
        amplitude = amplitude + phase
        phase = phase + amplitude
        amplitude, phase = block(amplitude, f"amplitude_{k}"), block(phase, f"phase_{k}")
    amplitude, phase = norm(amplitude, "amplitude_last_norm"), norm(phase, "phase_last_norm")
    log_amplitude = log_amplitude + dense(amplitude, "amplitude_last")
    angle = np.angle(dense(phase, "real_last") + 1j * dense(phase, "imaginary_last"))

    added, weight = np.zeros_like(padded), np.zeros_like(padded)
    for start, bins in zip(starts, np.exp(log_amplitude + 1j * angle), strict=True):
        added[start : start + fft] += hann * np.fft.irfft(bins)
        weight[start : start + fft] += hann**2
    middle = slice(fft // 2, fft // 2 + len(wave))
    return (added[middle] / weight[middle])[:, np.newaxis]


def test_its_training_compares_the_predicted_spectrum_with_that_of_its_wave(randomized, waves):
    network = randomized("apbwe", **SMALL)
    outputs = network.generate(waves(1024), waves(1024))
    np.testing.assert_allclose(outputs["wave"], network(waves(1024)), rtol=0, atol=1e-6)
    spectrum = {name: np.asarray(each) for name, each in outputs["spectrum"].items()}
    assert {each.shape for each in spectrum.values()} == {(2, 17, 129)}
    bins = np.exp(spectrum["log_amplitude"] + 1j * spectrum["phase"])
    np.testing.assert_allclose(spectrum["real"], bins.real, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(spectrum["imaginary"], bins.imag, rtol=1e-5, atol=1e-5)
    again = network.target(np.asarray(outputs["wave"]))["spectrum"]
    for part in ("real", "imaginary"):
        np.testing.assert_allclose(spectrum[f"wave_{part}"], again[part], rtol=0, atol=1e-4)
    # The frames of a predicted spectrum do not fit together.
    assert np.abs(spectrum["wave_real"] - spectrum["real"]).max() > 1


def test_the_target_is_the_spectrum_of_the_reference_with_the_floor(randomized, waves):
    network = randomized("apbwe", **SMALL)
    wave = waves(1024)
    wave[1] = 0
    target = network.target(wave)
    np.testing.assert_array_equal(target["wave"], wave)
    spectrum = {name: np.asarray(each) for name, each in target["spectrum"].items()}
    # Frame 8 is in the middle.
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(256) / 256)
    bins = np.fft.rfft(hann * wave[0, 512 - 128 : 512 + 128, 0])
    expected = (np.abs(bins) + 1e-4) * np.exp(1j * np.angle(bins))
    found = spectrum["real"][0, 8] + 1j * spectrum["imaginary"][0, 8]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(spectrum["log_amplitude"][0, 8], np.log(np.abs(expected)), atol=1e-3)
    np.testing.assert_allclose(spectrum["log_amplitude"][1], np.log(1e-4), rtol=1e-6)
    np.testing.assert_array_equal(spectrum["phase"][1], 0)
    for part in ("real", "imaginary"):
        np.testing.assert_array_equal(spectrum[f"wave_{part}"], spectrum[part])


def test_a_recording_in_windows_equals_the_recording_as_a_whole(randomized, noise):
    """The published lengths: windows of 32768 samples are not a multiple of the hop."""
    network = randomized("apbwe", width=0.03, blocks=1)
    wave = noise(40001)
    found, _ = Upsampler(network, 16000, 2, "hann_sinc").upsample(wave, 8000, keep_low_band=False)
    assert found.shape == (80002,)
    context = network.context
    interpolated = interpolate.hann_sinc(np.pad(wave, (0, 32), mode="symmetric"), 2)[:80002]
    padded = np.pad(interpolated, (context, context + -80002 % 80))
    whole = np.asarray(network(padded[np.newaxis, :, np.newaxis]))[0, context:, 0]
    np.testing.assert_allclose(found, whole[:80002], rtol=0, atol=1e-5)


def test_the_context_is_a_multiple_of_the_hop_for_any_frame():
    network = models.build("apbwe", **{**SMALL, "frame": 320, "fft": 1024, "hop": 70})
    # Five hops of a frame, and nine for the convolutions of two blocks.
    assert (network.multiple, network.context) == (70, 14 * 70)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"blocks": 0}, "blocks 0 must be at least 1"),
        ({"fft": 1001}, "fft of 1001 samples must be a power of two from 4 on"),
        ({"hop": 200}, "frame of 320 samples must be even and at least twice the hop, 200"),
    ],
)
def test_impossible_arguments_are_refused(arguments, message):
    with pytest.raises(UserError, match=f"^apbwe: {message}"):
        models.build("apbwe", **{**SMALL, "frame": 320, "fft": 1024, "hop": 80, **arguments})
