"""Drawings of networks, made from the built networks."""

import itertools
import re
from pathlib import Path
from xml.etree import ElementTree

import facts
import flows
import graph
import matplotlib
import pytest
import rows
from PIL import ImageFont
from wideband import models

# Wider than the usual fonts of browsers.
FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
FONT_PX, COUNT_PX = 11, 16  # of docs/site.css


def boxes(name):
    return graph.boxes(facts._outline(name), 8192)


def rectangles(svg):
    """Returns the rectangles of a drawing: (left, top, right, bottom)."""
    root = ElementTree.fromstring(svg.replace("&quot;", "'"))
    for each in root.iter("rect"):
        x, y, width, height = (float(each.get(key)) for key in ("x", "y", "width", "height"))
        yield x, y, x + width, y + height


@pytest.mark.parametrize("name", models.names())
def test_boxes_do_not_overlap_and_are_inside_the_drawing(name):
    svg = facts.draw(name)
    width, height = map(float, re.search(r'viewBox="0 0 (\d+) (\d+)"', svg).groups())
    found = [*rectangles(svg)]
    assert len(found) > 5
    for left, top, right, bottom in found:
        assert left >= 0 and top >= 0 and right <= width and bottom <= height
    for one, other in itertools.combinations(found, 2):
        apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
        assert apart, (one, other)


@pytest.mark.parametrize("name", [*models.names(), *flows.FLOWS])
def test_texts_are_inside_their_boxes(name):
    root = ElementTree.fromstring(flows.draw(name) if name in flows.FLOWS else facts.draw(name))
    fonts = {
        kind: ImageFont.truetype(str(FONTS / f"DejaVuSans{kind}.ttf"), FONT_PX)
        for kind in ("", "-Bold")
    }
    right = 0.0
    for each in root.iter():
        if each.tag == "rect":
            right = float(each.get("x")) + float(each.get("width"))
        elif each.get("class") == "count":
            font = ImageFont.truetype(str(FONTS / "DejaVuSans-Bold.ttf"), COUNT_PX)
            _, _, width, _ = map(float, root[0].get("viewBox").split())
            assert float(each.get("x")) + font.getlength(each.text) <= width
        elif each.tag == "text" and each.get("class") in (None, "title"):
            font = fonts["-Bold" if each.get("class") else ""]
            assert float(each.get("x")) + font.getlength(each.text) <= right - 3, each.text


def test_a_u_net_has_its_levels_and_skip_connections():
    drawn = boxes("audiounet")
    layers = [box for box in drawn if box.kind == "convolution"]
    assert [box.shapes[0] for box in layers[:5]] == [
        (4096, 128),
        (2048, 256),
        (1024, 512),
        (512, 512),
        (256, 512),
    ]
    assert layers[0].lines == ["convolution 128 \N{MULTIPLICATION SIGN} 65, stride 2", "leaky ReLU"]
    joins = [box for box in drawn if box.lines == ["concatenate"]]
    assert [join.inputs[1] for join in joins] == layers[3::-1]
    added = drawn[-2]
    assert added.lines == ["add"] and added.inputs[1].kind == "input"


def test_networks_inside_a_network_are_drawn_too():
    drawn = boxes("tfnet")
    kinds = [box.kind for box in drawn]
    assert kinds.count("convolution") == 20
    (fusion,) = [box for box in drawn if box.lines == ["fusion"]]
    assert len(fusion.inputs) == 2


def test_blocks_that_repeat_are_drawn_once_with_their_count():
    laid = rows.rows(graph.boxes(facts._outline("apbwe"), 8160))
    blocks = [box for row in laid for box in row if box.kind == "block"]
    assert [box.repeats for box in blocks] == [8, 8]
    assert facts.draw("apbwe").count("\N{MULTIPLICATION SIGN} 8<") == 1


def test_equal_residual_blocks_in_a_row_are_one_box_with_their_dilations():
    drawn = graph.boxes(facts._outline("streamnet"), 2048)
    (block,) = [box for box in drawn if box.kind == "block"]
    assert block.lines[0] == "8 residual blocks"
    assert block.lines[-1] == "dilations 1, 2, 4, 8, 1, 2, 4, 8"


def test_convolutions_of_spectrograms_and_transposed_ones_are_described():
    drawn = {box.lines[0]: box for box in boxes("melgan")}
    stem = drawn[f"stem: convolution 64 {graph.TIMES} 9 {graph.TIMES} 9"]
    assert stem.kind == "convolution" and stem.lines[1] == "PReLU"
    assert stem.shapes == [(32, 80, 64)]
    assert drawn["16 residual blocks"].lines[1] == (
        f"convolution 64 {graph.TIMES} 3 {graph.TIMES} 3, batch norm, PReLU"
    )
    drawn = {box.lines[0]: box for box in boxes("hifigan")}
    text = f"transposed convolution 256 {graph.TIMES} 16, stride 8"
    assert drawn[text].kind == "convolution"


def test_conformers_along_time_and_frequency_are_drawn_once():
    drawn = graph.boxes(facts._outline("cmgan"), 8100)
    attention = [box.lines[0] for box in drawn if "attention" in box.lines[0]]
    assert attention == ["attention along time", "attention along frequency"] * 4
    laid = rows.rows(drawn)
    assert [box.repeats for row in laid for box in row if "attention" in box.lines[0]] == [4, 4]
    boxes = {box.lines[0]: box for row in laid for box in row}
    # Without the padding that the next layer needs; two bins become one.
    assert boxes[f"convolution 64 {graph.TIMES} 2 {graph.TIMES} 3, dilation 8"].shapes == [
        (82, 101, 64)
    ]
    last = f"encoder last: convolution 64 {graph.TIMES} 1 {graph.TIMES} 3, stride 1 {graph.TIMES} 2"
    assert boxes[last].shapes == [(82, 101, 64)]
    assert boxes["3 times dense 64"].kind == "dense"


def test_a_box_does_not_depend_on_itself():
    for name in ("apbwe", "overtonenet"):
        seen = set()
        for box in graph.boxes(facts._outline(name), 8160 if name == "apbwe" else 8100):
            assert {id(each) for each in box.inputs} <= seen
            seen.add(id(box))


@pytest.mark.parametrize("name", flows.FLOWS)
def test_flows_are_drawn(name):
    assert len([*rectangles(flows.draw(name))]) > 5


def test_dilations_of_repeated_rows_are_listed():
    laid = rows.rows(graph.boxes(facts._outline("phonenet"), 8192))
    blocks = [box for row in laid for box in row if box.kind == "block"]
    assert [box.repeats for box in blocks] == [4, 4]
    assert all(box.lines[-1] == "dilations 1, 2, 4, 8" for box in blocks)
