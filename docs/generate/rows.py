"""The rows of a drawing: each box below its inputs, repetitions once."""

from collections import Counter

from calls import unique
from graph import Box, list_dilations

# Rows of the longest group that repeats, the two conformers of CMGAN.
LONGEST_PERIOD = 32


def rows(drawn: list[Box]) -> list[list[Box]]:
    """Puts each box into the row after those of its inputs, and keeps repeated rows once."""
    depths: dict[int, int] = {}
    for box in drawn:
        depths[id(box)] = 1 + max((depths[id(each)] for each in box.inputs), default=-1)
    laid: list[list[Box]] = [[] for _ in range(1 + max(depths.values()))]
    for box in drawn:
        laid[depths[id(box)]].append(box)
    return _fold(laid)


def _fold(laid: list[list[Box]]) -> list[list[Box]]:
    """Keeps the first of several equal groups of rows, with a count.

    Rows of the first and the last group may have further boxes, of branches that run beside them.
    """
    best = (0, 0, 0, 0)  # rows saved, start, period, count
    for period in range(2, LONGEST_PERIOD + 1):
        for start in range(len(laid) - 2 * period):
            pattern = laid[start + period :][:period]
            count = 1
            while _matches(laid[start + count * period :][:period], pattern, exactly=True):
                count += 1
            count += count > 2 and _matches(laid[start + count * period :][:period], pattern)
            if count > 2 and _matches(laid[start:][:period], pattern):
                best = max(best, ((count - 1) * period, start, period, count), key=lambda x: x[0])
    _, start, period, count = best
    if not count:
        return laid
    same: dict[int, Box] = {}
    dilations: dict[int, list[str]] = {}
    after = []
    pattern = laid[start + period :][:period]
    for number in range(start, start + count * period):
        place = (number - start) % period
        wanted = sorted(pattern[place], key=Box.signature)
        members = _pick(laid[number], wanted)
        if number < start + period:
            for box in members:
                box.repeats = count
        else:
            firsts = _pick(laid[start + place], wanted)
            same.update({id(other): one for one, other in zip(firsts, members, strict=True)})
            after.append([box for box in laid[number] if box not in members])
        for box, member in zip(_pick(laid[start + place], wanted), members, strict=True):
            dilations.setdefault(id(box), []).append(member.dilation)
    rest = [*filter(None, after), *laid[start + count * period :]]
    for box in (box for row in rest for box in row):
        box.inputs = unique(same.get(id(each), each) for each in box.inputs)
    for box in (box for row in laid[start : start + period] for box in row if box.repeats > 1):
        list_dilations(box, dilations[id(box)])
    return laid[: start + period] + rest


def _matches(group: list[list[Box]], pattern: list[list[Box]], exactly: bool = False) -> bool:
    """Returns whether rows have the boxes of a pattern, and no others if exactly."""
    if len(group) < len(pattern):
        return False
    signs = [[Counter(box.signature() for box in row) for row in each] for each in (group, pattern)]
    return all(one == other if exactly else one >= other for one, other in zip(*signs, strict=True))


def _pick(row: list[Box], wanted: list[Box]) -> list[Box]:
    """Returns the boxes of a row that equal those wanted, in the same order."""
    left = list(row)
    picked = []
    for each in wanted:
        found = next(box for box in left if box.signature() == each.signature())
        left.remove(found)
        picked.append(found)
    return picked
