"""What the page shows about networks: networks.json."""

import re
from typing import Any, NamedTuple

from ..models import pretrained
from ..upsample.picking import DEFAULTS

CARDS = pretrained.WEIGHTS.parent / "cards"


class Limits(NamedTuple):
    """The longest recording, and the largest file, that the page takes."""

    seconds: int
    bytes: int


def describe(name: str, metadata: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Describes a network for the page.

    Args:
        name: the model's name.
        metadata: of a TFLite file; of other models, at least `sample_rate`, `ratio` and `band_hz`.
        **more: what an engine of the page needs besides.

    Returns:
        the entry of the list; the page begins with a network that is `default`, if it fits.
    """
    return {
        "name": name,
        "default": name in DEFAULTS,
        "about": about(name) if name in pretrained.names() else "",
        "metadata": metadata,
        **more,
    }


def about(name: str) -> str:
    """Returns the first sentence of a shipped network's card, up to a parenthesis."""
    card = (CARDS / f"{name}.md").read_text(encoding="utf-8")
    paragraph = card.split("\n\n")[1]
    return re.split(r"\s*\(|\.\s", " ".join(paragraph.split()))[0]


def settings(engine: str, networks: list[dict[str, Any]], limits: Limits) -> dict[str, Any]:
    """Returns the content of networks.json.

    Args:
        engine: where the page restores: "browser" or "server".
        networks: of `describe`.
        limits: of the page.
    """
    return {"engine": engine, "networks": networks, "limits": limits._asdict()}
