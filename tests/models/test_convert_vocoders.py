"""Released checkpoints of vocoders become run folders.

The converted networks are compared with formulas in PyTorch's documentation, in its layouts. With
random weights, the published code itself had the same output: the largest differences were 7e-8
(HiFi-GAN V1 to V3), 2e-7 (iSTFTNet) and 9e-7 (Vocos at 22 and 24 kHz).
"""

import json

import numpy as np
import pytest
from wideband.models import pretrained, vocoder
from wideband.models.convert import command
from wideband.models.features import filterbank
from wideband.models.record import Record
from wideband.upsample import load

CHANNELS = 8
# HiFi-GAN V3: taps of the transposed convolutions, taps and steps of the residual blocks.
UPS, TAPS, STEPS = (16, 16, 8), (3, 5, 7), 2
FILTERS = "feature_extractor.mel_spec.mel_scale.fb"


def random(*shape):
    return np.random.default_rng(sum(shape)).normal(0, 0.3, shape).astype(np.float32)


def hifigan(normalized="weight_g"):
    """A small HiFi-GAN V3 in the layouts of PyTorch, with weight normalization or without."""
    state = {}

    def convolution(name, *shape, bias=None):
        kernel = random(*shape)
        if normalized == "weight_g":
            state[f"{name}.weight_g"] = np.abs(random(shape[0], 1, 1)) + 0.1
            state[f"{name}.weight_v"] = kernel
        elif normalized:
            part = f"{name}.parametrizations.weight.original"
            state[f"{part}0"], state[f"{part}1"] = np.abs(random(shape[0], 1, 1)) + 0.1, kernel
        else:
            state[f"{name}.weight"] = kernel
        state[f"{name}.bias"] = random(bias or shape[0])

    convolution("conv_pre", CHANNELS, 80, 7)
    for stage, kernel in enumerate(UPS):
        channels = CHANNELS >> stage
        convolution(f"ups.{stage}", channels, channels // 2, kernel, bias=channels // 2)
        for block, taps in enumerate(TAPS):
            for step in range(STEPS):
                name = f"resblocks.{len(TAPS) * stage + block}.convs.{step}"
                convolution(name, channels // 2, channels // 2, taps)
    convolution("conv_post", 1, CHANNELS >> len(UPS), 7)
    return state


def vocos(bands=80, blocks=2, channels=16):
    """A small Vocos in the layouts of PyTorch, with the windows and filters of the code."""
    shapes = {"backbone.embed": (channels, bands, 7), "head.out": (1026, channels)}
    shapes |= {f"backbone.{name}": (channels,) for name in ("norm", "final_layer_norm")}
    state = {"head.istft.window": random(1024), "feature_extractor.mel_spec.window": random(1024)}
    for k in range(blocks):
        block = f"backbone.convnext.{k}"
        shapes[f"{block}.dwconv"] = (channels, 1, 7)
        shapes[f"{block}.norm"] = (channels,)
        shapes[f"{block}.pwconv1"] = (3 * channels, channels)
        shapes[f"{block}.pwconv2"] = (channels, 3 * channels)
        state[f"{block}.gamma"] = random(channels)
    for name, shape in shapes.items():
        state |= {f"{name}.weight": random(*shape), f"{name}.bias": random(shape[0])}
    return state


@pytest.fixture
def convert(call, torch_save, tmp_path):
    """Returns a function that converts a state: the run folder, the exit code and both outputs."""

    def convert(source, state, *flags, config=None):
        folder = tmp_path / "checkpoints"
        folder.mkdir()
        content = state if source == "vocos" else {"generator": state}
        torch_save(content, folder / "checkpoint")
        if config:
            (folder / "config.json").write_text(json.dumps(config))
        run = tmp_path / "run"
        flags = (f"--from={source}", f"--output={run}", *flags)
        return run, *call(command, folder / "checkpoint", *flags)

    return convert


def folded(state, name):
    """The kernel of a layer, as torch.nn.utils.weight_norm computes it with dim=0."""
    direction = state[f"{name}.weight_v"].astype(np.float64)
    norm = np.sqrt((direction**2).sum(axis=(1, 2), keepdims=True))
    return state[f"{name}.weight_g"] * direction / norm


def test_hifigan_computes_what_its_layers_do_in_pytorch(convert, tmp_path):
    state = hifigan()
    run, code, out, err = convert("hifigan", state, config={"sampling_rate": 22050, "fmax": 8000})
    assert (code, err) == (0, "")
    count = sum(each.size for name, each in state.items() if not name.endswith("_g"))
    assert f"hifigan, {count:,} parameters, 22050 Hz" in out
    record = Record.read(run)
    assert (record.sample_rate, record.ratio, record.model) == (22050, 1, "hifigan")
    assert record.arguments == {"variant": "V3", "mel": "hifigan", "width": CHANNELS / 256}
    checksum = pretrained.checksum(tmp_path / "checkpoints" / "checkpoint")
    assert record.initial_weights == {"checkpoint": checksum}
    network = vocoder.find(str(run), "hifigan").build()

    def output(name, x):
        return np.asarray(network.get_layer(name)(x[np.newaxis]))[0]

    x = random(11, 80)
    kernel, bias = folded(state, "conv_pre"), state["conv_pre.bias"]
    expected = bias + sum(kernel[:, :, k] @ x[2 + k] for k in range(7))
    np.testing.assert_allclose(output("first", x)[5], expected, rtol=0, atol=1e-4)
    # A transposed convolution of 16 taps adds a sample to 16 others, 8 apart; 4 are cut.
    x = random(6, CHANNELS)
    kernel, bias = folded(state, "ups.0"), state["ups.0.bias"]
    added = np.zeros((6 * 8 + 8, CHANNELS // 2))
    for k, sample in enumerate(x):
        added[8 * k : 8 * k + 16] += np.einsum("i,iot->to", sample, kernel)
    np.testing.assert_allclose(output("up_0", x), added[4:-4] + bias, rtol=0, atol=1e-5)
    # The last block of the second stage: 7 taps, 12 apart in the second step.
    x = random(101, CHANNELS // 4)
    kernel, bias = folded(state, "resblocks.5.convs.1"), state["resblocks.5.convs.1.bias"]
    expected = bias + sum(kernel[:, :, k] @ x[50 + 12 * (k - 3)] for k in range(7))
    np.testing.assert_allclose(
        output("stage_1_block_2_dilated_1", x)[50], expected, rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("normalized", ["parametrizations", None])
def test_weight_normalization_may_be_new_or_absent(normalized, convert):
    run, code, _, err = convert("hifigan", state := hifigan(normalized))
    assert code == 0, err
    found = vocoder.find(str(run)).build().get_layer("up_1").get_weights()[0]
    expected = folded(hifigan(), "ups.1") if normalized else state["ups.1.weight"]
    np.testing.assert_allclose(found, expected.transpose(2, 1, 0), rtol=1e-5)


def test_every_weight_of_vocos_has_its_place(convert, noise):
    state = vocos()
    run, code, out, err = convert("vocos", state)
    assert (code, err) == (0, "")
    assert "22050 Hz" in out
    record = Record.read(run)
    assert record.arguments == {"mel": "seed", "width": 16 / 512, "blocks": 2}
    network = vocoder.find(str(run), "seed").build()
    for ours, theirs in (
        ("mel_first", "backbone.embed"),
        ("block_1_depthwise", "backbone.convnext.1.dwconv"),
        ("block_0_expand", "backbone.convnext.0.pwconv1"),
        ("block_1_project", "backbone.convnext.1.pwconv2"),
        ("mel_last", "head.out"),
        ("mel_first_norm", "backbone.norm"),
        ("mel_last_norm", "backbone.final_layer_norm"),
    ):
        kernel, bias = network.get_layer(ours).get_weights()
        expected = state[f"{theirs}.weight"]
        turned = expected.transpose(2, 0, 1) if "depthwise" in ours else expected.transpose()
        np.testing.assert_array_equal(kernel, turned)
        np.testing.assert_array_equal(bias, state[f"{theirs}.bias"])
    (gamma,) = network.get_layer("block_1_scale").get_weights()
    np.testing.assert_array_equal(gamma, state["backbone.convnext.1.gamma"])
    wave, sample_rate = load(run).upsample(noise(3000), 22050)
    assert (wave.shape, sample_rate) == ((3000,), 22050) and np.isfinite(wave).all()


def test_vocos_for_24_khz_is_known_by_its_bands(convert):
    run, code, out, err = convert("vocos", {**vocos(100), FILTERS: filterbank("vocos24")})
    assert (code, err) == (0, "")
    assert "24000 Hz" in out
    assert Record.read(run).arguments["mel"] == "vocos24"
    assert Record.read(run).sample_rate == 24000


def zeroed():
    state = hifigan()
    state["ups.1.weight_v"] = np.zeros_like(state["ups.1.weight_v"])
    return state


def without(state, name):
    return {key: value for key, value in state.items() if key != name}


@pytest.mark.parametrize(
    ("source", "state", "message"),
    [
        ("hifigan", without(hifigan(), "conv_pre.weight_v"), "conv_pre.weight is missing"),
        ("hifigan", without(hifigan(), "ups.2.bias"), "the weight ups.2.bias is missing"),
        ("hifigan", zeroed(), "the weight ups.1.weight_v has a norm of 0"),
        (
            "hifigan",
            {**hifigan(None), "conv_pre.weight": random(12, 80, 7)},
            "conv_pre has 12 filters, no multiple of 8; only the published networks",
        ),
        (
            "hifigan",
            {**hifigan(None), "conv_pre.weight": random(8, 100, 7)},
            "the weight conv_pre.weight has the shape (8, 100, 7), not (8, 80, 7)",
        ),
        ("istftnet", hifigan(), "the weight resblocks.0.convs1.0.weight is missing"),
        ("vocos", vocos(128), "the weight backbone.embed.weight has the shape (16, 128, 7); only"),
        ("vocos", without(vocos(), "head.out.bias"), "the weight head.out.bias is missing"),
        ("vocos", {**vocos(), FILTERS: filterbank("nyquist")}, "its 80 mel filters are not those"),
        (
            "vocos",
            {**vocos(), "backbone.more": random(3)},
            "has the unknown weight 'backbone.more'",
        ),
    ],
)
def test_weights_of_another_network_are_refused_in_one_line(
    source, state, message, convert, error_line
):
    run, code, _, err = convert(source, state)
    assert code == 1
    assert message in error_line(err)
    assert not run.exists()


@pytest.mark.parametrize(
    ("flags", "config", "message"),
    [
        (["--sample_rate=24000"], None, "--sample_rate=24000: this network has 22050; leave the"),
        (["--ratio=2"], None, "--ratio=2: this network has 1; leave the flag out"),
        ([], {"fmax": 11025}, "config.json: fmax 11025: only networks with fmax 8000 are"),
        ([], {"hop_size": 300}, "config.json: hop_size 300: only networks with hop_size 256 are"),
    ],
)
def test_other_rates_and_mel_spectrograms_are_refused(flags, config, message, convert, error_line):
    run, code, _, err = convert("hifigan", hifigan(), *flags, config=config)
    assert code == 1
    assert message in error_line(err)
    assert not run.exists()
