"""Released checkpoints of NVSR and of VoiceFixer's vocoder become run folders.

Files that PyTorch wrote of the published networks with random weights were converted as well;
test_nvsr.py has the differences of the outputs.
"""

import keras
import numpy as np
import pytest
from seeds import seed_networks
from wideband import models
from wideband.models import vocoder
from wideband.models.convert import command
from wideband.models.record import Record
from wideband.upsample import load

LEVELS, BLOCKS, DEPTH = 6, 4, 3


def random_network(name, **arguments):
    network = models.build(name, **arguments)
    rng = np.random.default_rng(0)
    for weight in network.weights:
        weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    return network


def turned(layer):
    """The weights of a layer in PyTorch's layout, by the ends of their names."""
    weights = [np.asarray(each) for each in layer.get_weights()]
    if isinstance(layer, keras.layers.BatchNormalization):
        names = ("weight", "bias", "running_mean", "running_var")
        return {**dict(zip(names, weights, strict=True)), "num_batches_tracked": np.float32([7])}
    axes = (3, 2, 0, 1) if weights[0].ndim == 4 else (2, 1, 0)
    return dict(zip(("weight", "bias"), [weights[0].transpose(axes), *weights[1:]], strict=False))


def nvsr(network):
    """The state of a network in the names of the published code, with what belongs to others."""
    names = {"middle": "conv_block7", "last_block": "after_conv_block1", "last": "after_conv2"}
    for level in range(LEVELS):
        for k in range(BLOCKS):
            names[f"down_{level}_{k}"] = f"encoder_block{level + 1}.conv_block{k + 1}"
            names[f"up_{level}_{k}"] = f"decoder_block{LEVELS - level}.conv_block{k + 2}"
        names[f"up_{level}_double"] = f"decoder_block{LEVELS - level}.conv1"
        names[f"up_{level}_double_norm"] = f"decoder_block{LEVELS - level}.bn1"
    parts = {"_norm_0": "bn1", "_norm_1": "bn2", "_conv_0": "conv1", "_conv_1": "conv2"}
    for ours, theirs in [*names.items()]:
        for end, part in {**parts, "_skip": "shortcut"}.items():
            names[ours + end] = f"{theirs}.{part}"
    state = {"f_helper.stft.conv_real.weight": np.ones((2, 1, 4), np.float32)}
    state |= {"mel.fb": np.ones((4, 2), np.float32), "vocoder.model.condnet.0.bias": np.ones(3)}
    for layer in network.get_layer("generator").layers:
        if layer.weights:
            name = f"generator.analysis_module.{names[layer.name]}"
            state |= {f"{name}.{part}": each for part, each in turned(layer).items()}
    return state


def tfgan(network):
    """The state of a vocoder in the names of the published code, with weight normalization."""
    names = {f"condition_{k}": f"condnet.{2 * k}" for k in range(5)}
    names |= {"first": "generator.1", "last": "generator.16"}
    state = {}
    for stage, (up, stack) in enumerate(((3, 4), (6, 7), (9, 10), (12, 13))):
        names[f"up_{stage}"] = f"generator.{up}.layer"
        state[f"generator.{up}.skip_conv.weight"] = np.ones((2, 4, 1))
        state[f"generator.{up}.skip_conv.bias"] = np.ones(2)
        for k in range(DEPTH):
            names[f"stage_{stage}_{k}_dilated"] = f"generator.{stack}.layers.{k}.1"
            names[f"stage_{stage}_{k}_plain"] = f"generator.{stack}.layers.{k}.3"
    for layer in network.get_layer("vocoder").layers:
        if layer.weights:
            name, weights = names[layer.name], turned(layer)
            norms = np.linalg.norm(weights["weight"], axis=(1, 2), keepdims=True)
            state[f"{name}.weight_g"], state[f"{name}.weight_v"] = norms, 3 * weights["weight"]
            state[f"{name}.bias"] = weights["bias"]
    return state


@pytest.fixture
def convert(call, torch_save, tmp_path):
    """Returns a function that converts a checkpoint: the run folder, the code and both outputs."""

    def convert(source, content, *flags):
        torch_save(content, tmp_path / "checkpoint")
        run = tmp_path / source
        flags = (f"--from={source}", f"--output={run}", *flags)
        return run, *call(command, tmp_path / "checkpoint", *flags)

    return convert


def assert_same_weights(found, expected, rtol):
    for ours, theirs in zip(found.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=rtol)


def test_nvsr_restores_with_the_vocoder_that_is_converted_from_another_checkpoint(convert, noise):
    seed_networks(0)
    network = random_network("nvsr", width=1 / 32, iterations=1)
    run, code, out, err = convert("nvsr", nvsr(network))
    assert (code, err) == (0, "")
    assert "44100 Hz" in out
    record = Record.read(run)
    assert record.arguments == {"mel": "voicefixer", "width": 1 / 32, "levels": 6, "blocks": 4}
    small = random_network("tfgan", width=1 / 64, depth=DEPTH)
    voice, code, out, err = convert("tfgan", {"generator": tfgan(small)})
    assert (code, err) == (0, "")
    assert Record.read(voice).arguments == {"mel": "voicefixer", "width": 1 / 64, "depth": DEPTH}
    assert_same_weights(vocoder.find(str(voice)).build(), small.get_layer("vocoder"), 1e-6)
    upsampler = load(run, vocoder=str(voice))
    assert_same_weights(upsampler.network.get_layer("generator"), network.get_layer("generator"), 0)
    wave, sample_rate = upsampler.upsample(0.1 * noise(3000), 16000)
    assert (len(wave), sample_rate) == (3000 * 441 // 160 + 1, 44100) and np.isfinite(wave).all()


def test_checkpoints_of_other_networks_are_refused(convert, tmp_path):
    small = tfgan(random_network("tfgan", width=1 / 64, depth=1))
    for source, content, message in (
        ("nvsr", small, "the weight generator.analysis_module.encoder_block1.conv_block1.conv1"),
        ("tfgan", {"generator": {"conv_pre.weight": np.ones((2, 2, 7))}}, "generator.1.weight is"),
        ("tfgan", {"generator": {**small, "rnn.bias": np.ones(2)}}, "unknown weight 'rnn.bias'"),
        ("tfgan", small, "has no entry 'generator'"),
    ):
        run, code, _, err = convert(source, content)
        assert code == 1 and message in err and err.count("\n") == 1
        assert not run.exists()
