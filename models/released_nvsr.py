"""The weights of NVSR's generator and of VoiceFixer's vocoder, in the order of our networks.

Sources: haoheliu/ssr_eval, examples/NVSR; haoheliu/voicefixer, voicefixer/vocoder. The checkpoint
of NVSR has the vocoder as well, which is converted from VoiceFixer's.
"""

from typing import Any

from .released_state import Layers, State, Weights, check_halved, filters

GENERATOR = "generator.analysis_module"
MEL = "voicefixer"


def nvsr(state: State) -> tuple[dict[str, Any], Weights]:
    """Converts the generator of NVSR."""
    from .resunet import BLOCKS, CHANNELS, LEVELS

    # What belongs to the transforms, the vocoder and the training.
    state.drop(r"(f_helper|mel|vocoder)\..*|.*\.num_batches_tracked")
    first = state.shape(f"{GENERATOR}.encoder_block1.conv_block1.conv1.weight")[0]
    widths = [first * each // CHANNELS[0] for each in CHANNELS]
    weights = dict(_generator(state, widths, BLOCKS))
    arguments = {"width": first / CHANNELS[0], "levels": LEVELS, "blocks": BLOCKS}
    return {"mel": MEL, **arguments}, weights


def _generator(state: State, widths: list[int], blocks: int) -> Layers:
    """Converts the layers of `resunet`, one by one."""
    inputs, levels = 1, len(widths)
    for level, channels in enumerate(widths):
        for k in range(blocks):
            theirs = f"{GENERATOR}.encoder_block{level + 1}.conv_block{k + 1}"
            yield from _block(state, theirs, f"down_{level}_{k}", inputs, channels)
            inputs = channels
    yield from _block(state, f"{GENERATOR}.conv_block{levels + 1}", "middle", inputs, inputs)
    for level, channels in reversed([*enumerate(widths)]):
        theirs, ours = f"{GENERATOR}.decoder_block{levels - level}", f"up_{level}"
        yield f"{ours}_double_norm", state.batch_norm(f"{theirs}.bn1", inputs)
        yield f"{ours}_double", state.transposed_square(f"{theirs}.conv1", inputs, channels)
        inputs = 2 * channels
        for k in range(blocks):
            block = f"{theirs}.conv_block{k + 2}"
            yield from _block(state, block, f"{ours}_{k}", inputs, channels)
            inputs = channels
    yield from _block(state, f"{GENERATOR}.after_conv_block1", "last_block", inputs, inputs)
    yield "last", state.square(f"{GENERATOR}.after_conv2", inputs, 1, taps=1)


def _block(state: State, theirs: str, ours: str, inputs: int, channels: int) -> Layers:
    """Converts a residual block."""
    for k, width in enumerate((inputs, channels)):
        yield f"{ours}_norm_{k}", state.batch_norm(f"{theirs}.bn{k + 1}", width)
        kernel = state.square(f"{theirs}.conv{k + 1}", width, channels, bias=False)
        yield f"{ours}_conv_{k}", kernel
    if inputs != channels:
        yield f"{ours}_skip", state.square(f"{theirs}.shortcut", inputs, channels, taps=1)


def tfgan(state: State) -> tuple[dict[str, Any], Weights]:
    """Converts the vocoder of VoiceFixer."""
    from .tfgan import CHANNELS, RATES

    channels = filters(state, "generator.1")
    check_halved("generator.1", channels, len(RATES))
    depth = state.count(r"generator\.4\.layers\.\d+\.1\.bias")
    # Convolutions whose output the code does not use.
    state.drop(r"generator\.\d+\.skip_conv\..*")
    weights = dict(_vocoder(state, channels, depth))
    return {"mel": MEL, "width": channels / CHANNELS, "depth": depth}, weights


def _vocoder(state: State, channels: int, depth: int) -> Layers:
    """Converts the layers of `tfgan`, one by one."""
    from .features import MELS
    from .tfgan import CONDITIONS, RATES, TAPS

    inputs, width = MELS[MEL].bands, filters(state, "condnet.0")
    for k in range(CONDITIONS):
        yield f"condition_{k}", state.convolution(f"condnet.{2 * k}", inputs, width, 3)
        inputs = width
    yield "first", state.convolution("generator.1", inputs, channels, TAPS)
    for stage, rate in enumerate(RATES):
        # Between the stages is a rectifier.
        number, half = 3 + 3 * stage, channels // 2
        up = f"generator.{number}.layer"
        yield f"up_{stage}", state.transposed(up, channels, half, 2 * rate)
        channels = half
        for k in range(depth):
            for part, place in (("dilated", 1), ("plain", 3)):
                name = f"generator.{number + 1}.layers.{k}.{place}"
                layer = state.convolution(name, channels, channels, 3)
                yield f"stage_{stage}_{k}_{part}", layer
    yield "last", state.convolution(f"generator.{4 + 3 * len(RATES)}", channels, 1, TAPS)
