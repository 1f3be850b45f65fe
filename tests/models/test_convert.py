"""Released checkpoints become run folders that every command takes."""

import json
import sys

import keras
import numpy as np
import pytest
from wideband import models
from wideband.data_gen import degrade
from wideband.models import pretrained, released
from wideband.models.convert import command
from wideband.models.record import Record
from wideband.upsample import load
from wideband.upsample.export import exporter
from wideband.upsample.tflite import TFLiteNetwork

# A small generator of AP-BWE: channels, frequency bins and blocks of each stream.
CHANNELS, BINS, BLOCKS = 16, 129, 2
CONFIG = {
    **{"n_fft": 256, "hop_size": 64, "win_size": 256},
    **{"hr_sampling_rate": 16000, "lr_sampling_rate": 8000},
}


def weights(bins=BINS):
    """The generator's weights by name, in the layouts of PyTorch."""
    shapes = {}
    for stream in ("mag", "pha"):
        shapes[f"conv_pre_{stream}"] = (CHANNELS, bins, 7)
        for k in range(BLOCKS):
            block = f"convnext_{stream}.{k}"
            shapes[f"{block}.dwconv"] = (CHANNELS, 1, 7)
            shapes[f"{block}.norm"] = (CHANNELS,)
            shapes[f"{block}.pwconv1"] = (3 * CHANNELS, CHANNELS)
            shapes[f"{block}.pwconv2"] = (CHANNELS, 3 * CHANNELS)
        shapes |= {f"norm_{place}_{stream}": (CHANNELS,) for place in ("pre", "post")}
    for output in ("mag", "pha_r", "pha_i"):
        shapes[f"linear_post_{output}"] = (bins, CHANNELS)
    rng = np.random.default_rng(0)
    state = {}
    for name, shape in shapes.items():
        state[f"{name}.weight"] = rng.normal(0, 0.1, shape).astype(np.float32)
        state[f"{name}.bias"] = rng.normal(0, 0.1, shape[0]).astype(np.float32)
    for stream in ("mag", "pha"):
        for k in range(BLOCKS):
            gamma = rng.normal(0, 0.1, CHANNELS).astype(np.float32)
            state[f"convnext_{stream}.{k}.gamma"] = gamma
    return state


@pytest.fixture
def checkpoint(tmp_path, torch_save):
    """Returns a function that writes a checkpoint next to a config.json, or without one."""

    def checkpoint(state=None, config=CONFIG, entry="generator"):
        folder = tmp_path / "checkpoints"
        folder.mkdir()
        torch_save({entry: weights() if state is None else state}, folder / "g_8kto16k")
        if config is not None:
            text = config if isinstance(config, str) else json.dumps(config)
            (folder / "config.json").write_text(text)
        return folder / "g_8kto16k"

    return checkpoint


@pytest.fixture
def converted(call, checkpoint, tmp_path):
    """The run folder of the checkpoint."""
    path = tmp_path / "run"
    code, out, err = call(command, checkpoint(), "--from=apbwe", f"--output={path}")
    assert code == 0, err
    assert "apbwe, 42,739 parameters, 8000 to 16000 Hz" in out
    return path


def test_the_run_describes_the_network_and_the_checkpoint(converted, tmp_path):
    record = Record.read(converted)
    assert (record.model, record.sample_rate, record.ratio) == ("apbwe", 16000, 2)
    assert record.protocol == "hann_sinc"
    assert record.arguments == {
        **{"width": CHANNELS / 512, "blocks": BLOCKS, "fft": 256, "hop": 64, "frame": 256}
    }
    assert "Lu et al. 2024" in record.source and "g_8kto16k" in record.source
    checksum = pretrained.checksum(tmp_path / "checkpoints" / "g_8kto16k")
    assert record.initial_weights == {"g_8kto16k": checksum}
    assert sorted(path.name for path in converted.iterdir()) == ["best.weights.h5", "run.json"]


def test_layers_compute_what_those_of_pytorch_do(converted):
    """Each layer is compared with the formula in PyTorch's documentation, in its layout."""
    part, state = load(converted).network.get_layer("spectrum"), weights()
    rng = np.random.default_rng(1)
    taps, middle = range(-3, 4), 5

    def output(name, x):
        return np.asarray(part.get_layer(name)(x[np.newaxis]))[0, middle]

    for ours, theirs in (("amplitude", "mag"), ("phase", "pha")):
        x = rng.normal(0, 1, (11, BINS)).astype(np.float32)
        kernel, bias = state[f"conv_pre_{theirs}.weight"], state[f"conv_pre_{theirs}.bias"]
        expected = bias + sum(kernel[:, :, 3 + k] @ x[middle + k] for k in taps)
        np.testing.assert_allclose(output(f"{ours}_first", x), expected, rtol=0, atol=1e-5)
        x = rng.normal(0, 1, (11, CHANNELS)).astype(np.float32)
        block = f"convnext_{theirs}.1"
        kernel, bias = state[f"{block}.dwconv.weight"], state[f"{block}.dwconv.bias"]
        expected = bias + sum(kernel[:, 0, 3 + k] * x[middle + k] for k in taps)
        np.testing.assert_allclose(output(f"{ours}_1_depthwise", x), expected, rtol=0, atol=1e-5)
        centred = x[middle] - x[middle].mean()
        normed = centred / np.sqrt((centred**2).mean() + 1e-6)
        for name, norm in (
            (f"{ours}_1_norm", f"{block}.norm"),
            (f"{ours}_last_norm", f"norm_post_{theirs}"),
        ):
            expected = normed * state[f"{norm}.weight"] + state[f"{norm}.bias"]
            np.testing.assert_allclose(output(name, x), expected, rtol=0, atol=1e-5)
        expected = x[middle] * state[f"{block}.gamma"]
        np.testing.assert_allclose(output(f"{ours}_1_scale", x), expected, rtol=0, atol=1e-6)
        x = rng.normal(0, 1, (11, 3 * CHANNELS)).astype(np.float32)
        expected = state[f"{block}.pwconv2.weight"] @ x[middle] + state[f"{block}.pwconv2.bias"]
        np.testing.assert_allclose(output(f"{ours}_1_project", x), expected, rtol=0, atol=1e-5)
    x = rng.normal(0, 1, (11, CHANNELS)).astype(np.float32)
    for ours, theirs in (("amplitude", "mag"), ("real", "pha_r"), ("imaginary", "pha_i")):
        kernel, bias = state[f"linear_post_{theirs}.weight"], state[f"linear_post_{theirs}.bias"]
        expected = kernel @ x[middle] + bias
        np.testing.assert_allclose(output(f"{ours}_last", x), expected, rtol=0, atol=1e-5)


def test_every_weight_has_its_place(converted):
    found = np.concatenate([each.reshape(-1) for each in load(converted).network.get_weights()])
    expected = np.concatenate([each.reshape(-1) for each in weights().values()])
    assert len(found) == len(expected)
    np.testing.assert_array_equal(np.sort(found), np.sort(expected))


def test_the_run_restores_a_recording(converted, noise):
    upsampler = load(converted)
    assert (upsampler.low_rate, upsampler.interpolation) == (8000, "hann_sinc")
    wave, sample_rate = upsampler.upsample(noise(3000), 8000)
    assert (wave.shape, sample_rate) == ((6000,), 16000)
    assert np.isfinite(wave).all()


@pytest.mark.slow
def test_the_run_is_exported(converted, noise, tmp_path):
    exporter.export(converted, tmp_path / "x.tflite", window=2048)
    file, network = TFLiteNetwork(tmp_path / "x.tflite"), load(converted).network
    assert (file.metadata.interpolation, file.metadata.multiple) == ("hann_sinc", 64)
    wave = noise(4096).reshape(2, 2048, 1)
    np.testing.assert_allclose(file.restore(wave), network(wave), rtol=0, atol=1e-4)


def test_without_a_configuration_the_flags_name_the_rates(call, checkpoint, tmp_path):
    path = tmp_path / "run"
    flags = ("--from=apbwe", "--sample_rate=48000", "--ratio=3", f"--output={path}")
    code, out, err = call(command, checkpoint(weights(513), config=None), *flags)
    assert code == 0, err
    assert "16000 to 48000 Hz" in out
    record = Record.read(path)
    assert (record.sample_rate, record.ratio) == (48000, 3)
    # The published hop and frame, the network's defaults.
    assert set(record.arguments) == {"width", "blocks", "fft"}


def without(name):
    return {key: value for key, value in weights().items() if key != name}


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({}, "has no weights"),
        (without("conv_pre_mag.weight"), "the weight conv_pre_mag.weight is missing"),
        (without("norm_post_pha.bias"), "the weight norm_post_pha.bias is missing"),
        (without("convnext_pha.1.gamma"), "the weight convnext_pha.1.gamma is missing"),
        (without("convnext_mag.1.gamma"), "has the unknown weight 'convnext_mag.1.dwconv.weight'"),
        (
            {**weights(), "conv_pre_mag.weight": np.zeros((BINS, CHANNELS))},
            "the weight conv_pre_mag.weight has the shape (129, 16), not 3 axes",
        ),
        (
            {**weights(), "linear_post_mag.weight": np.zeros((CHANNELS, BINS))},
            "the weight linear_post_mag.weight has the shape (16, 129), not (129, 16)",
        ),
        (
            {**weights(), "norm_pre_mag.bias": np.full(CHANNELS, np.nan)},
            "the weight norm_pre_mag.bias has NaN or infinity",
        ),
        ({**weights(), "more": np.zeros(3)}, "has the unknown weight 'more'"),
        ({**weights(), "more": None}, "its entry 'more' is not a tensor"),
        ({"convs": {}, **weights()}, "its entry 'convs' is not a tensor"),
    ],
)
def test_weights_of_another_network_are_refused_in_one_line(
    state, message, call, error_line, checkpoint, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    path, output = checkpoint(state), tmp_path / "run"
    code, _, err = call(command, path, "--from=apbwe", f"--output={output}")
    assert (code, error_line(err)) == (1, f"error: {path}: {message}")
    assert not output.exists()


def test_a_checkpoint_of_the_critics_is_refused(call, error_line, checkpoint, tmp_path):
    path = checkpoint(entry="mpd")
    code, _, err = call(command, path, "--from=apbwe", f"--output={tmp_path / 'run'}")
    assert code == 1
    expected = "has no entry 'generator' but mpd; name the checkpoint of the generator"
    assert error_line(err) == f"error: {path}: {expected}"


@pytest.mark.parametrize(
    ("config", "flags", "message"),
    [
        (None, [], "name --sample_rate and --ratio: there is no config.json with them"),
        (None, ["--ratio=2"], "name --sample_rate and --ratio"),
        (None, ["--ratio=3", "--sample_rate=16000"], "--sample_rate=16000: must be a multiple of"),
        (CONFIG, ["--ratio=4"], "--ratio=4: config.json next to the checkpoint says 2"),
        (CONFIG, ["--sample_rate=48000"], "--sample_rate=48000: config.json next to the"),
        ({**CONFIG, "lr_sampling_rate": 6000}, [], "config.json: the rates 6000 and 16000 Hz must"),
        ({**CONFIG, "lr_sampling_rate": 1000}, [], "config.json: the rates 1000 and 16000 Hz must"),
        (
            {**CONFIG, "lr_sampling_rate": "8000"},
            [],
            "config.json: lr_sampling_rate '8000' must be",
        ),
        ({**CONFIG, "hop_size": 0}, [], "config.json: hop_size '0' must be a whole number above 0"),
        ({**CONFIG, "win_size": 201}, [], "apbwe: frame of 201 samples must be even"),
        ("{", [], "config.json: cannot be read"),
        ("[]", [], "config.json: not a JSON object"),
    ],
)
def test_rates_that_contradict_each_other_are_refused(
    config, flags, message, call, error_line, checkpoint, tmp_path
):
    output = tmp_path / "run"
    code, _, err = call(
        command, checkpoint(config=config), "--from=apbwe", f"--output={output}", *flags
    )
    assert code in (1, 2)
    assert message in error_line(err)
    assert not output.exists()


def test_an_existing_output_is_kept(call, error_line, checkpoint, tmp_path):
    (tmp_path / "run").mkdir()
    code, _, err = call(command, checkpoint(), "--from=apbwe", f"--output={tmp_path / 'run'}")
    assert code == 1
    assert "exists; name another folder" in error_line(err)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from=apbwe", "--output=run"], "0 checkpoints; name one"),
        (["a", "b", "--from=apbwe", "--output=run"], "2 checkpoints; name one"),
        (["a", "--output=run"], "--from is missing"),
        (["a", "--from=apbwe"], "--output is missing"),
        (["a", "--from=wavenet", "--output=run"], "--from=wavenet: value should be one of"),
    ],
)
def test_a_wrong_command_line_is_refused(arguments, message, call, error_line):
    code, _, err = call(command, *arguments)
    assert code == 2
    assert message in error_line(err)


def test_sources_name_networks_and_protocols_that_exist():
    for name, source in released.SOURCES.items():
        assert name in models.names()
        assert source.protocol in degrade.PROTOCOLS
        assert set(source.lengths) <= set(models.arguments(name))
        network = models.build(name, **models.small(name))
        assert isinstance(network.get_layer(source.part), keras.Model)
