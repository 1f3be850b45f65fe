"""The graph of a Keras network as a few boxes, for drawings.

`boxes` follows a window through the built network, including the networks inside it. Three steps
then make the graph small enough to read:

1. Operations of keras.ops between two layers become one box.
2. The layers between a tensor and the sum that adds the tensor again become one box, a residual
   block. Equal blocks in a row become one box with a count.
3. Activations, normalizations, dropout and the like join the box before them; padding, cropping
   and reshaping disappear.
"""

import re
from dataclasses import dataclass, field

import keras
from calls import Call, grouped, is_arithmetic, residual, trace, unique

TIMES = "\N{MULTIPLICATION SIGN}"

# What joins the box before it, with its text; "" disappears.
MINOR = {
    "Dropout": "dropout {rate:g}",
    "SpatialDropout1D": "dropout {rate:g}",
    "GaussianNoise": "noise in training",
    "LeakyReLU": "leaky ReLU",
    "ReLU": "ReLU",
    "PReLU": "PReLU",
    "Activation": "{activation.__name__}",
    "BatchNormalization": "batch norm",
    "LayerNormalization": "layer norm",
    "GroupNormalization": "instance norm",
    "ChannelScale": "scale",
    "MaxPooling1D": "max-pool {pool_size[0]}",
    "Subpixel": "subpixel",
    "ZeroPadding1D": "",
    "ZeroPadding2D": "",
    "Cropping1D": "",
    "Reshape": "",
    "Permute": "",
}
KINDS = {
    "Conv1D": "convolution",
    "Conv2D": "convolution",
    "Conv1DTranspose": "convolution",
    "DepthwiseConv1D": "convolution",
    "DepthwiseConv2D": "convolution",
    "FixedConv": "transform",
    "Dense": "dense",
    "TFiLM": "modulation",
    "AFiLM": "modulation",
    "WindowAttention": "modulation",
    "RelativeAttention": "modulation",
    "STFT": "transform",
    "InverseSTFT": "transform",
    "Magnitude": "transform",
    "LogMel": "transform",
    "InverseMel": "transform",
    "GriffinLim": "transform",
    "Replicator": "transform",
    "Add": "join",
    "Multiply": "join",
    "Concatenate": "join",
    "Fusion": "join",
}
# Joins that are drawn small.
SIGNS = {"Add": "add", "Multiply": "multiply", "Concatenate": "concatenate"}
WORDS = {
    "FixedConv": "fixed convolution",
    "GetItem": "slice",
    "GlobalAveragePooling1D": "mean over time",
    "GlobalMaxPooling1D": "maximum over time",
    "GriffinLim": "Griffin-Lim",
    "Rsqrt": "1 / sqrt",
}
CONVOLUTIONS = {
    "Conv1D": f"convolution {{filters}} {TIMES}",
    "Conv2D": f"convolution {{filters}} {TIMES}",
    "Conv1DTranspose": f"transposed convolution {{filters}} {TIMES}",
    "DepthwiseConv1D": "depthwise convolution",
    "DepthwiseConv2D": "depthwise convolution",
}
# Axes of images of spectra.
AXES = {1: "time", 2: "frequency"}

# Operations that only keep zeros apart.
GUARDS = ("Equal", "Where", "Maximum")


@dataclass(eq=False)
class Box:
    """A part of a network.

    Attributes:
        kind: "input", "output" or a value of `KINDS`, "block", "arithmetic" or "other".
        lines: its text; the first line is its title.
        shapes: of its outputs, without the batch; empty if it is no part of a network.
        inputs: the boxes whose outputs it takes, each once.
        small: whether it is drawn as a sign.
        repeats: how often the rows of boxes around it repeat.
        length: of the shortest sequence in it; 0 without shapes.
    """

    kind: str
    lines: list[str]
    shapes: list[tuple[int, ...]]
    inputs: list["Box"] = field(default_factory=list)
    small: bool = False
    repeats: int = 1
    length: int = 0

    def __post_init__(self) -> None:
        if self.shapes:
            self.length = self.shapes[0][0]

    @property
    def dilation(self) -> str:
        """The dilation of its convolutions; one of 1 is not written."""
        found = re.search(r"dilation (\d+)", ", ".join(self.lines))
        return found[1] if found else "1"

    def signature(self) -> tuple:
        """Returns what equal boxes of a repetition share: all but dilations."""
        lines = tuple(re.sub(r", dilation \d+", "", line) for line in self.lines)
        return self.kind, lines, tuple(self.shapes)


def boxes(network: keras.Model, samples: int) -> list[Box]:
    """Returns the boxes of a network in an order in which inputs come first.

    Args:
        network: a functional model from (batch, n, 1) to (batch, m, 1).
        samples: n.
    """
    calls = trace(network, samples)
    found: dict[int, Box] = {}
    for group in grouped(calls):
        box = _box(group)
        outside = [each for call in group for each in call.inputs if each not in group]
        box.inputs = unique(found[id(each)] for each in outside)
        for call in group:
            found[id(call)] = box
    drawn = unique(found.values())
    drawn = _merge_siblings(_join_minor(_merge_blocks(drawn)))
    # The last box is the one that nothing takes.
    taken = {id(each) for box in drawn for each in box.inputs}
    (last,) = [box for box in drawn if id(box) not in taken]
    return [*drawn, Box("output", ["restored"], last.shapes, [last])]


def _box(group: list[Call]) -> Box:
    last = group[-1]
    if len(group) > 1 and last.name == "Add" and residual(last):
        lines: list[str] = []
        for call in group[:-1]:
            text = _text(call)
            if call.name in MINOR and lines and text:
                lines[-1] += f", {text}"
            elif text:
                lines.append(text)
        return Box("block", ["residual block", *lines], last.shapes)
    if len(group) > 1 or (is_arithmetic(last) and last.name not in SIGNS):
        names = ", ".join(
            dict.fromkeys(_words(call.name) for call in group if call.name not in GUARDS)
        )
        shapes = [
            shape for call in group if set(call.consumers) - set(group) for shape in call.shapes
        ]
        return Box("arithmetic", [names], shapes or last.shapes)
    if last.name == "InputLayer":
        return Box("input", [last.op.name], last.shapes)
    small = last.name in SIGNS
    kind = "minor" if last.name in MINOR else KINDS.get(last.name, "other")
    # Padding belongs to the layer after it.
    shapes = last.inputs[0].shapes if last.name.startswith("ZeroPadding") else last.shapes
    return Box(kind, [SIGNS[last.name] if small else _text(last)], shapes, small=small)


def _words(name: str) -> str:
    if name in WORDS:
        return WORDS[name]
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).split()
    return " ".join(each if each.isupper() else each.lower() for each in words)


def _text(call: Call) -> str:
    """Describes a layer, with its name in the code if the code names it."""
    op = call.op
    if call.name in MINOR:
        return MINOR[call.name].format(**{k: getattr(op, k, None) for k in dir(op)})
    if call.name in CONVOLUTIONS:
        dilation = op.dilation_rate[0]
        stride = f" {TIMES} ".join(map(str, dict.fromkeys(op.strides)))
        text = CONVOLUTIONS[call.name].format(filters=getattr(op, "filters", None))
        text += " " + f" {TIMES} ".join(map(str, op.kernel_size))
        text += f", stride {stride}" * (stride != "1") + f", dilation {dilation}" * (dilation > 1)
    elif call.name == "Dense":
        text = f"dense {op.units}"
    elif call.name == "RelativeAttention":
        text = f"attention along {AXES[op.axis]}"
    elif hasattr(op, "block"):
        text = f"{call.name}, blocks of {op.block}"
    else:
        text = _words(call.name)
    if activation := getattr(getattr(op, "activation", None), "__name__", "linear"):
        text += f", {activation}" * (activation not in ("linear", "tanh"))
    # Keras names a layer after its class unless the code does.
    own = op.name.replace("_", " ")
    plain = keras.src.utils.naming.to_snake_case(call.name)
    named = not re.search(r"\d", own) and op.name != plain and own != text
    return f"{own}: {text}" if named else text


def _merge_blocks(drawn: list[Box]) -> list[Box]:
    """Merges equal residual blocks in a row into one box with a count."""
    merged: dict[int, Box] = {}
    dilations: dict[int, list[str]] = {}
    kept = []
    for box in drawn:
        box.inputs = unique(merged.get(id(each), each) for each in box.inputs)
        own = [box.dilation]
        if box.kind == "block":
            (before,) = box.inputs
            takers = [each for each in drawn if before in each.inputs and id(each) not in merged]
            if len(takers) == 1 and before.signature() == box.signature():
                merged[id(box)] = before
                dilations[id(before)] += own
                continue
        dilations[id(box)] = own
        kept.append(box)
    for box in kept:
        if (count := len(dilations[id(box)])) > 1 and box.kind == "block":
            box.lines[0] = f"{count} residual blocks"
            list_dilations(box, dilations[id(box)])
    return kept


def list_dilations(box: Box, dilations: list[str]) -> None:
    """Writes the dilations of several blocks into the box of all of them if they differ."""
    if len(set(dilations)) > 1:
        lines = [re.sub(r", dilation \d+", "", line) for line in box.lines]
        box.lines = [*lines, "dilations " + ", ".join(dilations)]


def _merge_siblings(drawn: list[Box]) -> list[Box]:
    """Merges layers of one shape that take the same boxes and whose outputs the same boxes take."""
    found: dict[tuple, list[Box]] = {}
    for box in drawn:
        takers = frozenset(id(each) for each in drawn if box in each.inputs)
        text = box.lines[-1].rpartition(": ")[2]
        key = box.kind, text, tuple(box.shapes), frozenset(map(id, box.inputs)), takers
        found.setdefault(key if box.kind == "dense" else (id(box),), []).append(box)
    same: dict[int, Box] = {}
    for first, *others in found.values():
        if others:
            names = [each.lines[0].rpartition(": ")[0] for each in (first, *others)]
            text = first.lines[0].rpartition(": ")[2]
            first.lines = [f"{len(names)} times {text}", ", ".join(filter(None, names))]
            same.update({id(each): first for each in others})
    for box in drawn:
        box.inputs = unique(same.get(id(each), each) for each in box.inputs)
    return [box for box in drawn if id(box) not in same]


def _join_minor(drawn: list[Box]) -> list[Box]:
    """Appends minor boxes to the box before them if that box has no other consumer."""
    joined: dict[int, Box] = {}
    kept = []
    waiting = list(drawn)
    while waiting:
        box = waiting.pop(0)
        box.inputs = unique(joined.get(id(each), each) for each in box.inputs)
        if box.kind == "minor":
            (before,) = box.inputs
            alone = not any(joined.get(id(i), i) is before for each in waiting for i in each.inputs)
            hidden = box.lines == [""]
            if hidden or (alone and before.kind != "block" and not before.small):
                if not hidden:
                    before.lines = [before.lines[0], ", ".join([*before.lines[1:], *box.lines])]
                if alone and before.kind != "input":
                    before.shapes = box.shapes
                    before.length = min(before.length, box.length)
                joined[id(box)] = before
                continue
            box.kind = "other"
        kept.append(box)
    return kept
