"""Drawings of the signal flow, in the style of the networks."""

import re

import drawing
import rows
from graph import Box


def draw(name: str) -> str:
    """Draws a flow by its name, a key of `FLOWS`."""
    title, laid = FLOWS[name]()
    return drawing.svg(laid, title)


def draw_graph(found: re.Match[str]) -> str:
    """Draws a graph of Mermaid, whose lines are `a --> b`."""
    edges = re.findall(r"(\w+) --> (\w+)", found[1])
    boxes = {name: Box("transform", [name], []) for edge in edges for name in edge}
    for source, target in edges:
        boxes[target].inputs.append(boxes[source])
    ordered: list[Box] = []
    while len(ordered) < len(boxes):
        left = (box for box in boxes.values() if box not in ordered)
        ordered.append(next(box for box in left if all(each in ordered for each in box.inputs)))
    return drawing.svg(rows.rows(ordered), "Which folder imports from which")


def _box(kind: str, *lines: str, inputs: tuple[Box, ...] = ()) -> Box:
    return Box(kind, list(lines), [], list(inputs))


def _restore() -> tuple[str, list[list[Box]]]:
    recording = _box("input", "recording", "any rate, any number of channels")
    band = _box("transform", "measure the band", "where does its content end?", inputs=(recording,))
    chosen = _box("other", "choose the network", "its low band ends there", inputs=(band,))
    low = _box("transform", "resample", "to the rate of the network", inputs=(recording,))
    network = _box("block", "network", "windows that overlap,", "cross-faded", inputs=(chosen, low))
    own = _box("transform", "low-pass", "the recording's own band", inputs=(low,))
    high = _box("transform", "high-pass", "what the network adds", inputs=(network,))
    total = Box("join", ["add"], [], [high, own], small=True)
    restored = _box("output", "restored recording", "at the high rate", inputs=(total,))
    laid = [[recording], [low, band], [chosen], [network], [high, own], [total], [restored]]
    return "How a recording is restored", laid


def _stages() -> tuple[str, list[list[Box]]]:
    corpus = _box("input", "corpus", "a folder of recordings")
    data = _box("transform", "wideband-prepare", "dataset: TFRecords, manifest", inputs=(corpus,))
    recipe = _box("input", "recipe", "network, protocol, losses, optimizer")
    run = _box("convolution", "wideband-train", "run folder", inputs=(data, recipe))
    report = _box("modulation", "wideband-evaluate", "report.html", inputs=(data, run))
    file = _box("dense", "wideband-export", "TFLite file", inputs=(run,))
    restored = _box("output", "wideband-upsample", "restored recordings", inputs=(run,))
    return "From a corpus to a report, a file and restored recordings", [
        [corpus, recipe],
        [data],
        [run],
        [report, file, restored],
    ]


FLOWS = {"restore": _restore, "stages": _stages}
