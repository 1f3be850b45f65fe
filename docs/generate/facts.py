"""Tables and drawings of the pages: what the code and the files of the project know.

Nothing here is typed by hand: networks are built, and numbers are read from the pages and files
that commands wrote.
"""

import csv
import functools
import re
import sys
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import drawing
import graph
import keras
import rows
from wideband import models
from wideband.command.tables import markdown_table
from wideband.data_gen.degrade import PROTOCOLS
from wideband.evaluate.metrics import METRICS
from wideband.models import pretrained
from wideband.models.record import Record
from wideband.train import recipes

DOCS = Path(__file__).parents[1]
# The window of the drawings, in samples at the high rate.
WINDOW = 8192
SAMPLE_RATE = 16000
# The tables of docs/results.md with equal training budgets -> what they are of.
COMPARISONS = {
    "4x": "from 4 to 16 kHz",
    "4x-later": "from 4 to 16 kHz, trained later",
    "8x": "from 2 to 16 kHz",
}
# The metrics of the table of shipped networks; of several, the first one that a card has.
SHOWN = (("SNR",), ("LSD (band)", "LSD (modern)"))


@functools.cache
def _outline(name: str) -> Any:
    """Builds a network without weights."""
    with keras.StatelessScope(initialize_variables=False):
        network = models.build(name)
    keras.utils.clear_session(free_memory=False)
    return network


@functools.cache
def draw(name: str) -> str:
    """Draws a network with its default arguments as SVG."""
    network = _outline(name)
    with keras.StatelessScope(initialize_variables=False):
        boxes = graph.boxes(network, _window(network))
    return drawing.svg(rows.rows(boxes), f"The layers of {name}")


def _window(network: Any) -> int:
    """Returns the samples of the input in a drawing."""
    return max(1, WINDOW // network.factor // network.multiple) * network.multiple


def sections(*names: str) -> str:
    """Returns what the code knows about the networks of a page, in Markdown."""
    first = _outline(names[0])
    module, window = type(first).__module__, first.factor * _window(first)
    parts = ["## The network"]
    for name in names:
        parts += [f"### {name}"] * (len(names) > 1) + [draw(name), network(name)]
    parts += [
        f"Lengths are those of a window of {window:,} samples at the high rate. [How to read the "
        "drawing](index.md#how-to-read-the-drawings).",
        "## How it is built here",
        f"::: {module}\n    options:\n      show_root_heading: false\n"
        f"      show_root_toc_entry: false\n      members: [{', '.join(_classes(module))}]",
        "## Recipes",
        *map(recipe_table, names),
        "## Our numbers",
        numbers(*names),
    ]
    if others := "\n\n".join(filter(None, map(published, names))):
        parts += [
            "## Published numbers",
            "The metrics are named as in [the list of metrics](../metrics.md). Numbers marked "
            "*from memory* were not read again in the paper.",
            others,
        ]
    return "\n\n".join(parts)


def _classes(module: str) -> list[str]:
    """Returns the public classes of a module; its functions only help to build them."""
    found = vars(sys.modules[module]).items()
    return [
        name
        for name, each in found
        if isinstance(each, type) and each.__module__ == module and not name.startswith("_")
    ]


def numbers(*names: str) -> str:
    """Returns what was measured of networks: in the comparison of all, and as they are shipped."""
    parts = []
    for comparison, bands in COMPARISONS.items():
        if table := measured(comparison, *names):
            parts += [
                f"The same short budget for all networks, {bands}, at a quarter of the width of "
                "those from papers; [data, settings, intervals and remarks](../results.md).",
                table,
            ]
    header, lines = _shipped("../cards", names)
    if lines:
        parts += [
            "Shipped networks: means over 50 recordings of LibriSpeech's test-other, with those of "
            "cubic spline interpolation in parentheses. The cards have the rest.",
            markdown_table(header, lines),
        ]
    return "\n\n".join(parts) or "There are none yet."


def network(name: str) -> str:
    """Returns the facts of a network as a table, in Markdown."""
    built = _outline(name)
    rate = (built.sample_rate or SAMPLE_RATE) / built.factor
    seconds = "the whole window"
    if built.context is not None:
        seconds = f"{built.context:,} samples on either side ({_round(built.context / rate)} s)"
    kinds = {
        "interpolated": "the wave, interpolated to the high rate",
        "low": "the low-rate wave",
        "high": "a recording at the high rate",
    }
    facts = [
        ["name", f"`{name}`"],
        ["paper", models.paper(name)],
        ["parameters", f"{built.count_params():,}"],
        ["input", kinds[built.wants]],
        ["lengths", f"multiples of {built.multiple} samples" if built.multiple > 1 else "any"],
        ["an output sample depends on", seconds],
        ["runs as a stream", "yes" if built.streaming or _streams(built) else "no"],
    ]
    return _table(["", "default arguments"], facts)


def _streams(built: Any) -> bool:
    return type(built).step is not models.system.Network.step


def _round(value: float) -> str:
    return f"{value:.2g}"


def overview() -> str:
    """Returns the table of all networks, in Markdown."""
    lines = []
    for name in models.names():
        built = _outline(name)
        lines.append(
            [
                f"[`{name}`]({page(name)})",
                models.paper(name),
                f"{built.count_params():,}",
                built.wants,
                str(len(of_network(name))),
            ]
        )
    return _table(["network", "paper", "parameters", "input", "recipes"], lines)


def page(name: str) -> str:
    """Returns the file in docs/networks that describes a network: that of its module.

    The vocoder of AudioSR is on the page of the system.
    """
    module = type(_outline(name)).__module__.rpartition(".")[2]
    return f"{module.removesuffix('_vocoder')}.md"


def of_network(name: str) -> list[str]:
    """Returns the names of the recipes of a network."""
    return [each for each in recipes.names() if recipes.get(each).model == name]


def recipe_table(name: str) -> str:
    """Returns the recipes of a network with their sources, in Markdown."""
    by_source: dict[str, list[str]] = {}
    for each in of_network(name):
        by_source.setdefault(recipes.get(each).source, []).append(f"`{each}`")
    return _table(["recipe", "source"], [[", ".join(v), k] for k, v in by_source.items()])


def all_recipes() -> str:
    """Returns all recipes by network, in Markdown."""
    lines = [
        [f"`{name}`", ", ".join(f"`{each}`" for each in of_network(name))]
        for name in models.names()
        if of_network(name)
    ]
    return _table(["network", "recipes"], lines)


def measured(comparison: str, *names: str) -> str:
    """Returns the means of networks in a table of docs/results.md; "" without any.

    Args:
        comparison: the table, a key of `COMPARISONS`.
        *names: the networks, of which a table may have several versions.
    """
    header, *lines = _results(comparison)
    baselines = [line for line in lines if line[0] in ("spline", "sinc")]
    own = [
        line
        for line in lines
        if line not in baselines and recipes.get(f"compare_{line[0]}").model in names
    ]
    if not own:
        return ""
    # The page of results has the intervals.
    kept = [[cell.partition(" [")[0] for cell in line] for line in (*baselines, *own)]
    return markdown_table(header, kept)


def speed() -> str:
    """Returns the sizes and times of all networks in the tables of docs/results.md at ratio 4."""
    both = _results("4x") + _results("4x-later")[1:]
    header, *lines = ([line[0], *line[-3:]] for line in both)
    return markdown_table(header, [line for line in lines if line[1]])


def _results(comparison: str) -> list[list[str]]:
    """Returns the cells of a table in docs/results.md, without the rule."""
    page = (DOCS / "results.md").read_text(encoding="utf-8")
    lines = page.split(f"<!-- table: {comparison} -->")[1].strip().split("\n")
    return [_cells(line) for line in (lines[0], *lines[2:])]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def published(name: str) -> str:
    """Returns the published numbers of a network, one table for each source and task."""
    with (DOCS / "networks" / "published.csv").open(newline="", encoding="utf-8") as file:
        entries = list(csv.DictReader(file))
    tasks: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for each in entries:
        key = each["source"], each["data"], each["low_rate"], each["high_rate"]
        tasks.setdefault(key, []).append(each)
    parts: dict[str, list[list[str]]] = {}
    headers: dict[str, list[str]] = {}
    for (source, data, low, high), task in tasks.items():
        if name not in {each["system"] for each in task} | {each["network"] for each in task}:
            continue
        metrics = list(dict.fromkeys(each["metric"] for each in task))
        heading = f"{source}|{','.join(metrics)}"
        headers[heading] = ["data", "from, kHz", "to, kHz", "system", *map(_metric, metrics)]
        for system in dict.fromkeys(each["system"] for each in task):
            values = {e["metric"]: e["value"] for e in task if e["system"] == system}
            row = [data.replace("_", ", "), _khz(low), _khz(high), system]
            parts.setdefault(heading, []).append([*row, *(values.get(m, "") for m in metrics)])
    return "\n\n".join(
        f"{heading.partition('|')[0]}:\n\n{_table(headers[heading], lines)}"
        for heading, lines in parts.items()
    )


def _metric(name: str) -> str:
    return "WER" if name == "wer" else METRICS[name].label


def _khz(hertz: str) -> str:
    return f"{float(hertz) / 1000:.3g}"


def protocols() -> str:
    """Returns the table of the protocols with the first lines of their descriptions."""
    lines = [
        [
            f"`{each.name}`",
            _first_sentence(each.downsample),
            f"`{each.interpolation}`",
            "yes" if each.takes_quotients else "no",
        ]
        for each in PROTOCOLS.values()
    ]
    return _table(["protocol", "way down", "way up", "takes quotients"], lines)


def _first_sentence(function: Any) -> str:
    return str(function.__doc__).partition("\n")[0].rstrip(".")


def metric_table() -> str:
    """Returns the table of all metrics, each with a link to its section, in Markdown."""
    page = (DOCS / "metrics.md").read_text(encoding="utf-8")
    anchors = re.findall(r"\{: #(\w+) \}", page)
    lines = []
    for name, each in METRICS.items():
        # The metrics of a family share a section.
        near = [anchor for anchor in anchors if name.startswith(anchor)]
        if not near:
            raise ValueError(
                f"docs/metrics.md has no section for the metric {name}: {{: #{name} }}"
            )
        label = f"[{each.label}](#{max(near, key=len)})"
        lines.append([f"`{name}`", label, each.unit, each.direction])
    return _table(["key", "metric", "unit", ""], lines)


def shipped() -> str:
    """Returns the table of the shipped networks for the README, in Markdown."""
    header, lines = _shipped("models/cards", models.names())
    for line in lines:
        line[3] = f"[{line[3]}](docs/networks/{page(line[3])})"
    return markdown_table(header, lines)


def _shipped(cards: str, networks: Collection[str]) -> tuple[list[str], list[list[str]]]:
    """Returns the header and the lines of the table of the shipped networks of architectures.

    Args:
        cards: the folder of the model cards, for links.
        networks: names of architectures.
    """
    header = ["network", "from, kHz", "to, kHz", "architecture", "TFLite, MB"]
    header += ["SNR, dB (spline)", "LSD (spline)"]
    lines = []
    for name in pretrained.names():
        folder = pretrained.find(name)
        record = Record.read(folder)
        if record.model not in networks:
            continue
        card = (DOCS.parent / "models" / "cards" / f"{name}.md").read_text(encoding="utf-8")
        low = f"{record.low_rate / 1000:g}"
        if record.band_hz:
            low = "{:g} to {:g}".format(*(2 * hz / 1000 for hz in record.band_hz))
        size = (folder / pretrained.TFLITE_FILE).stat().st_size / 1e6
        lines.append(
            [
                f"[{name}]({cards}/{name}.md)",
                low,
                f"{record.sample_rate / 1000:g}",
                record.model,
                f"{size:.1f}",
                *(_from_card(card, each, (name, record.model)) for each in SHOWN),
            ]
        )
    return header, lines


def _from_card(card: str, metrics: tuple[str, ...], names: tuple[str, ...]) -> str:
    """Reads a metric of a network and of spline from the first table of its model card.

    Args:
        card: the text of the card.
        metrics: how its row begins, the best first.
        names: what the column of the network may be called, the best first.
    """
    table = re.search(r"^\| mean over files.*?(?=\n\n|\Z)", card, re.M | re.S)
    if table is None:
        raise ValueError("the card has no table of metrics")
    lines = [_cells(line) for line in table[0].split("\n")]
    systems = lines[0]
    rows = {line[0].partition(", ")[0]: line for line in reversed(lines)}
    values = next(rows[metric] for metric in metrics if metric in rows)
    means = [cell.partition(" ")[0] for cell in values]
    column = next(systems.index(name) for name in names if name in systems)
    return f"{means[column]} ({means[systems.index('spline')]})"


def _table(header: list[str], lines: Iterable[list[str]]) -> str:
    """Returns a table whose columns are left-aligned."""
    rule = ["---"] * len(header)
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *lines))
