"""Draws the boxes of a network as SVG, from top to bottom.

Branches run side by side in lanes. Inside a lane, a box is further to the right the shorter its
sequence: a U-Net lies on its side, and its skip connections are straight lines at its left.

The colours are classes of docs/site.css, so that a drawing follows the light and the dark scheme.
"""

from dataclasses import dataclass
from html import escape

from graph import TIMES, Box

# Pixels.
LINE, PADDING, GAP, INDENT, GUTTER, TRACK = 15, 7, 26, 16, 30, 5
CHARACTER, BOLD, WIDEST = 6.2, 7.4, 300
SIGN = 18
SMALLEST = 640


@dataclass(eq=False)
class _Placed:
    """A box with its place: row and lane, its rectangle, and top and foot of its row, in pixels."""

    box: Box
    row: int
    lane: int
    lines: list[str]
    width: float
    height: float
    indent: int = 0
    x: float = 0
    y: float = 0
    top: float = 0
    foot: float = 0

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height


def svg(rows: list[list[Box]], title: str) -> str:
    """Draws rows of boxes, from `rows.rows`.

    Args:
        rows: the boxes; those of a row may run in parallel.
        title: what the drawing shows, for readers who do not see it.
    """
    placed = _lanes(rows)
    _indent(list(placed.values()))
    width, height = _place(rows, placed)
    edges = [
        _edge(placed[id(each)], one, list(placed.values()))
        for one in placed.values()
        for each in one.box.inputs
    ]
    folds = _folds(placed)
    width += 14 + 10 * len(f"{_count(placed)}") if folds else 0
    shapes = "".join(_rectangle(each) for each in placed.values())
    # As wide as the page, but neither larger than drawn nor too small to read.
    style = f"width: 100%; max-width: {width:.0f}px; min-width: {min(width, SMALLEST):.0f}px"
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" style="{style}"'
    return (
        f'<div class="drawing"><svg {size} role="img" aria-label="{escape(title)}">'
        f"{_ARROW}{''.join(edges)}{shapes}{folds}</svg></div>"
    )


_ARROW = (
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
    'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>'
)


def _lanes(rows: list[list[Box]]) -> dict[int, _Placed]:
    """Gives each box a lane: that of an input if it is free in between, else another."""
    heights: dict[int, int] = {}  # boxes on the longest path to the output
    for row in reversed(rows):
        for box in row:
            for each in box.inputs:
                heights[id(each)] = max(heights.get(id(each), 0), 1 + heights.get(id(box), 0))
    placed: dict[int, _Placed] = {}
    last: list[int] = []  # the lowest row of each lane that has a box
    for number, row in enumerate(rows):
        # Those with the longest way to go choose first.
        for box in sorted(row, key=lambda each: -heights.get(id(each), 0)):
            wanted = [placed[id(each)].lane for each in box.inputs]
            lane = next((each for each in wanted if last[each] < number), None)
            if lane is None:
                # A lane that has ended, or a new one.
                ended = (
                    k
                    for k, row in enumerate(last)
                    if row < number and not _runs(k, placed, rows, number)
                )
                lane = next(ended, len(last))
            if lane == len(last):
                last.append(number)
            last[lane] = number
            lines = _wrap(box)
            text = max(CHARACTER * max(map(len, lines)), 0 if box.small else BOLD * len(lines[0]))
            width = SIGN + text if box.small else 2 * PADDING + text
            tall = SIGN if box.small else 2 * PADDING + LINE * len(lines)
            placed[id(box)] = _Placed(box, number, lane, lines, width, tall)
    return placed


def _runs(lane: int, placed: dict[int, _Placed], rows: list[list[Box]], number: int) -> bool:
    """Returns whether a box of a lane is still needed at or below a row."""
    return any(
        id(each) in placed and placed[id(each)].lane == lane
        for row in rows[number:]
        for box in row
        for each in box.inputs
    )


def _wrap(box: Box) -> list[str]:
    """Returns the lines of a box, the last with the shapes of its outputs."""
    if box.small:
        return box.lines
    most = int((WIDEST - 2 * PADDING) / CHARACTER)
    lines: list[str] = []
    for text in filter(None, box.lines):
        line = ""
        for part in text.split(", "):
            if line and len(line) + len(part) + 2 > most:
                lines.append(line + ",")
                line = part
            else:
                line = f"{line}, {part}" if line else part
        lines.append(line)
    if not box.shapes:
        return lines
    shape = f" {TIMES} ".join(f"{each:,}" for each in box.shapes[0])
    count = len(box.shapes)
    return [*lines, f"{count} of {shape}" if count > 1 else shape]


def _indent(placed: list[_Placed]) -> None:
    """Indents the boxes of each lane by the rank of their length."""
    for lane in {each.lane for each in placed}:
        members = [each for each in placed if each.lane == lane]
        lengths = sorted({each.box.length for each in members}, reverse=True)
        # Frames and waves are no levels of a U-Net.
        steep = len(lengths) > 3
        for each in members:
            each.indent = lengths.index(each.box.length) if steep else 0


def _place(rows: list[list[Box]], placed: dict[int, _Placed]) -> tuple[float, float]:
    """Sets the rectangles; returns the size of the drawing."""
    y = 4.0
    for row in rows:
        tallest = max(placed[id(box)].height for box in row)
        for box in row:
            each = placed[id(box)]
            each.top, each.foot = y, y + tallest
            each.y = y + (tallest - each.height) / 2
        y += tallest + GAP
    x = 6.0
    everything = list(placed.values())
    for lane in sorted({each.lane for each in everything}):
        members = [each for each in everything if each.lane == lane]
        boxes = [each for each in members if not each.box.small] or members
        widest = max(each.width for each in boxes)
        for each in members:
            if not each.box.small:
                each.width = widest
            each.x = x + INDENT * each.indent
        x = max(each.right + TRACK * each.indent for each in members) + GUTTER
    return x, y - GAP + 6


def _edge(source: _Placed, target: _Placed, placed: list[_Placed]) -> str:
    """Draws the connection from one box to another."""
    between = [
        each for each in placed if each.lane == source.lane and source.row < each.row < target.row
    ]
    if source.lane == target.lane:
        left = max(source.x, target.x) + 9
        if not between or all(each.x > left + 3 for each in between):
            return _line([(left, source.bottom), (left, target.y)])
        # Around the boxes in between, at their right.
        deepest = max(each.indent for each in placed if each.lane == source.lane)
        side = max(each.right for each in [*between, source, target]) + 8
        side += TRACK * (deepest - source.indent)
        one, other = source.y + source.height / 2, target.y + target.height / 2
        return _line([(source.right, one), (side, one), (side, other), (target.right, other)])
    # Along the gaps between rows and the gutter next to the lane of the target.
    lane = [each for each in placed if each.lane == target.lane]
    rightwards = target.lane > source.lane
    gutter = (
        min(each.x for each in lane) - 8 if rightwards else max(each.right for each in lane) + 8
    )
    gutter += (source.row % 3) * 4 * (-1 if rightwards else 1)
    start = (min(source.right, source.x + 60) - 12) if rightwards else source.x + 9
    end = target.x + (18 if rightwards else target.width - 18)
    below = source.foot + 5 + 4 * (source.lane % 4)
    above = target.top - 9
    blocked = [each for each in between if each.x < start < each.right]
    if target.row == source.row + 1 or not blocked:
        # Straight down the own lane, then across.
        if target.row > source.row + 1:
            below = above
        return _line([(start, source.bottom), (start, below), (end, below), (end, target.y)])
    return _line(
        [
            (start, source.bottom),
            (start, below),
            (gutter, below),
            (gutter, above),
            (end, above),
            (end, target.y),
        ]
    )


def _line(points: list[tuple[float, float]]) -> str:
    """Draws a line with round corners and an arrow."""
    path = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        near = [_towards(corner, each, 6) for each in (before, after)]
        path += "L{:.1f} {:.1f}Q{:.1f} {:.1f} {:.1f} {:.1f}".format(*near[0], *corner, *near[1])
    path += f"L{points[-1][0]:.1f} {points[-1][1]:.1f}"
    return f'<path class="edge" d="{path}" marker-end="url(#arrow)"/>'


def _towards(
    start: tuple[float, float], end: tuple[float, float], most: float
) -> tuple[float, float]:
    length = abs(end[0] - start[0]) + abs(end[1] - start[1])
    share = min(most, length / 2) / length if length else 0
    return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])


def _rectangle(each: _Placed) -> str:
    round_corners = SIGN / 2 if each.box.small else 4
    rectangle = (
        f'<rect class="{each.box.kind}" x="{each.x:.1f}" y="{each.y:.1f}" '
        f'width="{each.width:.1f}" height="{each.height:.1f}" rx="{round_corners:g}"/>'
    )
    texts = []
    for number, line in enumerate(each.lines):
        if each.box.small:
            x, y = each.x + SIGN / 2, each.y + 12.5
        else:
            x, y = each.x + PADDING, each.y + PADDING + LINE * (number + 0.75)
        style = ""
        if each.box.shapes and not each.box.small and number == len(each.lines) - 1:
            style, x = ' class="shape" text-anchor="end"', each.right - PADDING
        elif number == 0 and not each.box.small:
            style = ' class="title"'
        texts.append(f'<text{style} x="{x:.1f}" y="{y:.1f}">{escape(line)}</text>')
    return rectangle + "".join(texts)


def _folds(placed: dict[int, _Placed]) -> str:
    """Draws a bracket next to rows that repeat."""
    repeated = [each for each in placed.values() if each.box.repeats > 1]
    if not repeated:
        return ""
    count = _count(placed)
    top, bottom = min(each.y for each in repeated), max(each.bottom for each in repeated)
    x = max(each.right for each in repeated) + 6
    path = f"M{x:.1f} {top:.1f}h8V{bottom:.1f}h-8"
    return (
        f'<path class="bracket" d="{path}"/><text class="count" x="{x + 14:.1f}" '
        f'y="{(top + bottom) / 2 + 5:.1f}">{TIMES} {count}</text>'
    )


def _count(placed: dict[int, _Placed]) -> int:
    """Returns how often rows repeat."""
    return max(each.box.repeats for each in placed.values())
