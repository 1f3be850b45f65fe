"""The released checkpoint of AudioSR becomes three run folders that the commands take.

The checkpoint here has the layout of the released one, with fewer and narrower layers and random
numbers. Files that PyTorch wrote of the published networks, at an eighth of the width and at full
width, were converted as well; test_audiosr_networks.py has the differences of the outputs.
"""

import shutil
import sys
from collections import namedtuple

import h5py
import numpy as np
import pytest
from wideband.models import pretrained
from wideband.models.convert import command
from wideband.models.record import Record
from wideband.upsample import load

UNET, VAE = "model.diffusion_model", "first_stage_model"
# Channels of the first convolutions: 1/32, 1/32 and 1/48 of the published ones.
BASE, WIDEST = 4, 32
# Residual blocks of a level on the way down, transformers after each, residual blocks of a stage of
# the vocoder. The published ones are 2, 2 and 4.
BLOCKS, TRANSFORMERS, KERNELS = 1, 1, 2
SCALE = 0.3342401385307312


def layer(name, *shape, bias=True):
    """The shapes of a layer with as many biases as outputs."""
    return {f"{name}.weight": shape} | ({f"{name}.bias": shape[:1]} if bias else {})


def unet_block(name, inputs, outputs):
    shapes = layer(f"{name}.in_layers.0", inputs)
    shapes |= layer(f"{name}.in_layers.2", outputs, inputs, 3, 3)
    shapes |= layer(f"{name}.emb_layers.1", outputs, 4 * BASE)
    shapes |= layer(f"{name}.out_layers.0", outputs)
    shapes |= layer(f"{name}.out_layers.3", outputs, outputs, 3, 3)
    if inputs != outputs:
        shapes |= layer(f"{name}.skip_connection", outputs, inputs, 1, 1)
    return shapes


def transformer(name, width):
    shapes = layer(f"{name}.norm", width)
    block = f"{name}.transformer_blocks.0"
    for attention in ("attn1", "attn2"):
        for part in "qkv":
            shapes |= layer(f"{block}.{attention}.to_{part}", width, width, bias=False)
        shapes |= layer(f"{block}.{attention}.to_out.0", width, width)
    shapes |= layer(f"{block}.ff.net.0.proj", 8 * width, width)
    shapes |= layer(f"{block}.ff.net.2", width, 4 * width)
    for k in (1, 2, 3):
        shapes |= layer(f"{block}.norm{k}", width)
    for part in ("proj_in", "proj_out"):
        shapes |= layer(f"{name}.{part}", width, width, 1, 1)
    return shapes


def unet():
    """The diffusion network, in the order in which the published code makes it."""
    widths = [BASE, 2 * BASE, 3 * BASE, 5 * BASE]
    shapes = layer("time_embed.0", 4 * BASE, BASE) | layer("time_embed.2", 4 * BASE, 4 * BASE)
    shapes |= layer("input_blocks.0.0", BASE, 32, 3, 3)
    channels, number, skips = BASE, 1, [BASE]
    for level, width in enumerate(widths):
        for _ in range(BLOCKS):
            shapes |= unet_block(f"input_blocks.{number}.0", channels, width)
            for k in range(TRANSFORMERS if level else 0):
                shapes |= transformer(f"input_blocks.{number}.{1 + k}", width)
            channels, number = width, number + 1
            skips.append(width)
        if level < 3:
            shapes |= layer(f"input_blocks.{number}.0.op", width, width, 3, 3)
            number += 1
            skips.append(width)
    shapes |= unet_block("middle_block.0", channels, channels)
    for k in range(TRANSFORMERS):
        shapes |= transformer(f"middle_block.{1 + k}", channels)
    shapes |= unet_block(f"middle_block.{1 + TRANSFORMERS}", channels, channels)
    number = 0
    for level, width in reversed([*enumerate(widths)]):
        for k in range(BLOCKS + 1):
            name = f"output_blocks.{number}"
            shapes |= unet_block(f"{name}.0", channels + skips.pop(), width)
            for place in range(TRANSFORMERS if level else 0):
                shapes |= transformer(f"{name}.{1 + place}", width)
            if level and k == BLOCKS:
                shapes |= layer(f"{name}.{1 + TRANSFORMERS}.conv", width, width, 3, 3)
            channels, number = width, number + 1
    shapes |= layer("out.0", BASE) | layer("out.2", 16, BASE, 3, 3)
    return {f"{UNET}.{name}": shape for name, shape in shapes.items()}


def vae_block(name, inputs, outputs):
    shapes = layer(f"{name}.norm1", inputs) | layer(f"{name}.conv1", outputs, inputs, 3, 3)
    shapes |= layer(f"{name}.norm2", outputs) | layer(f"{name}.conv2", outputs, outputs, 3, 3)
    if inputs != outputs:
        shapes |= layer(f"{name}.nin_shortcut", outputs, inputs, 1, 1)
    return shapes


def vae():
    """The autoencoder, without the vocoder."""
    widths = [BASE, 2 * BASE, 4 * BASE, 8 * BASE]
    shapes = layer("encoder.conv_in", BASE, 1, 3, 3)
    channels = BASE
    for level, width in enumerate(widths):
        for k in range(BLOCKS):
            shapes |= vae_block(f"encoder.down.{level}.block.{k}", channels, width)
            channels = width
        if level < 3:
            shapes |= layer(f"encoder.down.{level}.downsample.conv", width, width, 3, 3)
    for part in ("encoder", "decoder"):
        for k in (1, 2):
            shapes |= vae_block(f"{part}.mid.block_{k}", channels, channels)
        shapes |= layer(f"{part}.mid.attn_1.norm", channels)
        for each in ("q", "k", "v", "proj_out"):
            shapes |= layer(f"{part}.mid.attn_1.{each}", channels, channels, 1, 1)
    shapes |= layer("encoder.norm_out", channels) | layer("encoder.conv_out", 32, channels, 3, 3)
    shapes |= layer("quant_conv", 32, 32, 1, 1) | layer("post_quant_conv", 16, 16, 1, 1)
    shapes |= layer("decoder.conv_in", channels, 16, 3, 3)
    for level, width in reversed([*enumerate(widths)]):
        for k in range(BLOCKS + 1):
            shapes |= vae_block(f"decoder.up.{level}.block.{k}", channels, width)
            channels = width
        if level:
            shapes |= layer(f"decoder.up.{level}.upsample.conv", width, width, 3, 3)
    shapes |= layer("decoder.norm_out", BASE) | layer("decoder.conv_out", 1, BASE, 3, 3)
    return {f"{VAE}.{name}": shape for name, shape in shapes.items()}


def vocoder():
    shapes = layer("conv_pre", WIDEST, 256, 7) | layer("conv_post", 1, WIDEST >> 5, 7)
    for stage, taps in enumerate((12, 10, 8, 4, 4)):
        channels = WIDEST >> (stage + 1)
        shapes[f"ups.{stage}.weight"] = (2 * channels, channels, taps)
        shapes[f"ups.{stage}.bias"] = (channels,)
        for block, taps in enumerate((3, 7, 11, 15)[:KERNELS]):
            for step in range(6):
                name = f"resblocks.{KERNELS * stage + block}.convs{1 + step // 3}.{step % 3}"
                shapes |= layer(name, channels, channels, taps)
    return {f"{VAE}.vocoder.{name}": shape for name, shape in shapes.items()}


def weights():
    """The content of the entry "state_dict"."""
    rng = np.random.default_rng(0)
    shapes = unet() | vae() | vocoder()
    state = {name: np.float32(rng.normal(0, 0.1, shape)) for name, shape in shapes.items()}
    others = {f"model_ema.{name[6:].replace('.', '')}": state[name] for name in unet()}
    others |= {f"cond_stage_models.0.vae{name[len(VAE) :]}": state[name] for name in vae()}
    others |= {"clap.model.logit_scale_a": np.array(1.0), "betas": np.zeros(1000)}
    return state | others | {"scale_factor": np.array(SCALE)}


@pytest.fixture(scope="module")
def state():
    return weights()


@pytest.fixture
def checkpoint(torch_save, tmp_path):
    """Returns a function that writes a checkpoint."""

    def checkpoint(state):
        path = tmp_path / "pytorch_model.bin"
        torch_save({"epoch": None, "state_dict": state}, path)
        return path

    return checkpoint


@pytest.mark.slow
def test_the_runs_have_the_weights_of_the_checkpoint(call, checkpoint, state, tmp_path):
    path, output = checkpoint(state), tmp_path / "sr"
    code, out, err = call(
        command, path, "--from=audiosr", "--precision=float16", f"--output={output}"
    )
    assert (code, err) == (0, "")
    count = sum(state[name].size for name in unet() | vae() | vocoder())
    assert f"audiosr, {count:,} parameters, 48000 Hz" in out
    folders = {name: tmp_path / f"sr{name}" for name in ("", "-vae", "-vocoder")}
    assert {*tmp_path.iterdir()} == {path, *folders.values()}
    records = {name: Record.read(folder) for name, folder in folders.items()}
    assert [each.model for each in records.values()] == [
        *("audiosr", "audiosr_vae", "audiosr_vocoder")
    ]
    files = {name: folder / pretrained.KERAS_FILE for name, folder in folders.items()}
    for folder, file in zip(folders.values(), files.values(), strict=True):
        assert {*folder.iterdir()} == {file, folder / "run.json"}
        assert dtypes(file) == {np.dtype("float16")}
    sums = {name: pretrained.checksum(file) for name, file in files.items()}
    for record in records.values():
        assert record.initial_weights == {path.name: pretrained.checksum(path)}
        assert (record.sample_rate, record.ratio) == (48000, 1)
    assert records[""].parts == {"vae": sums["-vae"], "vocoder": sums["-vocoder"]}
    assert records[""].arguments == {
        **{"width": 1 / 32, "blocks": 1, "transformers": 1},
        "scale": pytest.approx(SCALE, rel=1e-7),
        **{"vae": str(folders["-vae"]), "vocoder": str(folders["-vocoder"])},
    }
    system = load(output).network
    assert system.count_params() == count
    places = {
        "first": "input_blocks.0.0",
        "step_0": "time_embed.0",
        "step_1": "time_embed.2",
        "down_1_0_skip": "input_blocks.3.0.skip_connection",
        "down_2_0_conv_1": "input_blocks.5.0.out_layers.3",
        "down_2_half": "input_blocks.6.0.op",
        "down_3_0_0_attention_1_key": "input_blocks.7.1.transformer_blocks.0.attn2.to_k",
        "middle_1_embedding": "middle_block.2.emb_layers.1",
        "middle_0_feed_expand": "middle_block.1.transformer_blocks.0.ff.net.0.proj",
        "up_3_0_norm_0": "output_blocks.0.0.in_layers.0",
        "up_2_1_0_attention_0_norm": "output_blocks.3.1.transformer_blocks.0.norm1",
        "up_1_double": "output_blocks.5.2.conv",
        "up_0_1_conv_0": "output_blocks.7.0.in_layers.2",
        "last_norm": "out.0",
    }
    check(system.unet, places, state, UNET)
    places = {
        "level_2_half": "encoder.down.2.downsample.conv",
        "level_1_0_skip": "encoder.down.1.block.0.nin_shortcut",
        "middle_1_norm_1": "encoder.mid.block_2.norm2",
        "attention_value": "encoder.mid.attn_1.v",
        "moments": "quant_conv",
    }
    check(system.vae.get_layer("encoder"), places, state, VAE)
    places = {
        "latents": "post_quant_conv",
        "first": "decoder.conv_in",
        "level_3_0_conv_0": "decoder.up.3.block.0.conv1",
        "level_0_1_norm_0": "decoder.up.0.block.1.norm1",
        "level_1_double": "decoder.up.1.upsample.conv",
        "last": "decoder.conv_out",
    }
    check(system.vae.get_layer("decoder"), places, state, VAE)
    places = {
        "first": "vocoder.conv_pre",
        "up_1": "vocoder.ups.1",
        "stage_1_block_1_dilated_0": "vocoder.resblocks.3.convs1.0",
        "stage_4_block_0_plain_2": "vocoder.resblocks.8.convs2.2",
    }
    check(system.vocoder, places, state, VAE)


def dtypes(path):
    """The types of all arrays in a weights file."""
    found = set()
    with h5py.File(path) as file:
        file.visititems(lambda _, item: found.add(getattr(item, "dtype", None)))
    return found - {None}


def check(model, places, state, prefix):
    """Compares layers with the tensors at their places in the checkpoint, in 16 bits."""
    for ours, theirs in places.items():
        kernel, *bias = model.get_layer(ours).get_weights()
        expected = state[f"{prefix}.{theirs}.weight"].astype(np.float16)
        # (outputs, inputs, taps...) -> (taps..., inputs, outputs)
        expected = np.moveaxis(expected, range(expected.ndim), range(expected.ndim)[::-1])
        if expected.ndim == 4:
            expected = expected.swapaxes(0, 1)
            expected = expected.reshape(kernel.shape)
        np.testing.assert_array_equal(kernel, expected, err_msg=ours)
        for values in bias:
            expected = state[f"{prefix}.{theirs}.bias"].astype(np.float16)
            np.testing.assert_array_equal(values, expected, err_msg=ours)


FIRST = f"{UNET}.input_blocks.0.0"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({f"{UNET}.out.2.bias": None}, f"the weight {UNET}.out.2.bias is missing"),
        ({f"{VAE}.quant_conv.bias": None}, f"the weight {VAE}.quant_conv.bias is missing"),
        (
            {f"{FIRST}.weight": np.zeros((4, 16, 3, 3))},
            f"the weight {FIRST}.weight has the shape (4, 16, 3, 3), not (4, 32, 3, 3)",
        ),
        (
            {f"{UNET}.out.0.weight": np.zeros(6)},
            f"the weight {UNET}.out.0.weight has the shape (6,), not one axis with a multiple of 4",
        ),
        (
            {f"{UNET}.input_blocks.8.0.bias": np.zeros(4)},
            f"has the unknown weight '{UNET}.input_blocks.8.0.bias'",
        ),
        ({"scale_factor": None}, "the weight scale_factor is missing"),
        ({"scale_factor": np.array(0.0)}, "scale_factor is 0.0, which must be above 0"),
        ({"scale_factor": np.array(np.nan)}, "the weight scale_factor has NaN or infinity"),
        (
            {name: None for name in vocoder()},
            "has no weights first_stage_model.vocoder.*; name pytorch_model.bin of audiosr_basic "
            "or audiosr_speech",
        ),
    ],
)
def test_other_checkpoints_are_refused_before_tensorflow_is_loaded(
    changes, message, call, error_line, checkpoint, state, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    needed = {name: state[name] for name in [*unet(), *vae(), *vocoder(), "scale_factor"]}
    changed = {name: each for name, each in (needed | changes).items() if each is not None}
    path = checkpoint(changed)
    code, _, err = call(command, path, "--from=audiosr", f"--output={tmp_path / 'sr'}")
    assert (code, error_line(err)) == (1, f"error: {path}: {message}")
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("content", [{"generator": {"bias": np.zeros(3)}}, {"state_dict": 5}])
def test_other_content_is_refused(content, call, error_line, torch_save, tmp_path):
    path = tmp_path / "generator"
    torch_save(content, path)
    code, _, err = call(command, path, "--from=audiosr", f"--output={tmp_path / 'sr'}")
    assert code == 1
    assert error_line(err).startswith(f"error: {path}: has no weights {UNET}.*; name pytorch_model")


def test_a_number_that_is_damaged_leaves_no_folder(call, error_line, checkpoint, state, tmp_path):
    name = f"{VAE}.encoder.conv_in.bias"
    path = checkpoint({**state, name: np.full(BASE, np.inf)})
    code, _, err = call(command, path, "--from=audiosr", f"--output={tmp_path / 'new' / 'sr'}")
    assert (code, error_line(err)) == (1, f"error: {path}: the weight {name} has NaN or infinity")
    assert [*(tmp_path / "new").iterdir()] == []


def test_existing_folders_and_full_disks_are_refused(
    call, error_line, checkpoint, state, tmp_path, monkeypatch
):
    path, output = checkpoint(state), tmp_path / "sr"
    arguments = (path, "--from=audiosr", f"--output={output}")
    (tmp_path / "sr-vocoder").mkdir()
    code, _, err = call(command, *arguments)
    expected = f"error: --output={output}: {output}-vocoder exists; name another folder"
    assert (code, error_line(err)) == (1, expected)
    (tmp_path / "sr-vocoder").rmdir()
    usage = namedtuple("usage", "free")(free=1e6)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    code, _, err = call(command, *arguments)
    assert code == 1
    assert "GB of the disk are needed, and 0.0 are free; choose another disk" in error_line(err)
    assert [*tmp_path.iterdir()] == [path]
    code, _, err = call(command, *arguments, "--sample_rate=16000")
    assert "--sample_rate=16000: this network has 48000; leave the flag out" in error_line(err)
