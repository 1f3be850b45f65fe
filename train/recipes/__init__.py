"""Recipes: one row for one published result, or for one of our own.

Rows say only what differs from their base. The published ones stand in published.py.
"""

from dataclasses import replace
from typing import Any

from ... import models
from ...command import UserError
from ..recipe import Recipe, find_field
from . import published

# What two CPU cores can train: a quarter of the width, for half an hour in mixed_bfloat16.
_LAPTOP = Recipe(
    name="audiounet_laptop_4x",
    source="ours: the network of Kuleshov et al. 2017 at a quarter of its width",
    model="audiounet",
    arguments={"width": 0.25},
    # Chosen on validation data among 0.001, 0.01, 0.02 and 0.03: the largest that left SNR above
    # spline interpolation's.
    spectral_weight=0.01,
    batch=8,
    learning_rate=5e-4,
    schedule="cosine",
    epochs=20,
    steps_per_epoch=140,
    validation_seconds=60.0,
)

_DEMO = replace(
    _LAPTOP,
    name="demo",
    source="ours: an eighth of the width, for five minutes on the embedded corpus",
    arguments={"width": 0.125},
    epochs=10,
    steps_per_epoch=100,
    learning_rate=1e-3,
    validation_seconds=30.0,
)

# The classic among the trained networks of the package, 20 minutes each on two CPU cores.
_CLASSIC = replace(
    _LAPTOP,
    source="ours: the network of Kuleshov et al. 2017 at 0.15 of its width, with a spectral term",
    arguments={"width": 0.15},
    learning_rate=1e-3,
    steps_per_epoch=200,
    validation_seconds=150.0,
)

# The networks for phones, 7 minutes each on two CPU cores.
_STREAM = replace(
    _LAPTOP,
    source="ours: the network for phones",
    model="streamnet",
    arguments={},
    # Chosen on validation data: 0.005 left SNR within 0.04 dB of spline interpolation's.
    spectral_weight=0.0015,
    learning_rate=1e-3,
    epochs=20,
    steps_per_epoch=300,
)

# The networks for speech, twelve minutes each on two CPU cores (docs/design-notes.md). Patches of
# two seconds, since they see more than a second on either side.
_SPEECH = replace(
    _STREAM,
    source="ours: the network for speech",
    model="framenet",
    patch=32768,
    stride=16384,
    random_lowpass=0.3,
    speed_perturbation=0.15,
    gain_db=10.0,
    epochs=16,
    validation_seconds=600.0,
    steps_per_epoch=100,
)

# Equal budgets for all networks of docs/results.md: 2400 steps of 4 patches, at most 20 minutes
# each on two CPU cores, by the loss of Kuleshov's code.
_COMPARISON = replace(
    _LAPTOP,
    source="ours: a quarter of the width, for the comparison of networks in docs/results.md",
    spectral_weight=0.0,
    batch=4,
    epochs=12,
    steps_per_epoch=200,
)

_OURS = ("streamnet", "framenet")

# name, network and what else it is built with
_COMPARED: list[tuple[str, str, dict[str, Any]]] = [
    *((name, name, {}) for name in models.names() if name not in ("dnn", *_OURS)),
    # Frames of 256: batch normalization needs more of them than the four patches of a batch.
    ("dnn", "dnn", {"patch": 256}),
    ("tfilm_published", "tfilm", {"blocks": "published"}),
]

_ROWS = [
    _DEMO,
    _LAPTOP,
    # Weights chosen on validation data among 0.0002, 0.0004 and 0.002: the largest that left SNR
    # half a dB above spline interpolation's.
    replace(_CLASSIC, name="audiounet_2x", ratio=2, spectral_weight=2e-4),
    replace(_CLASSIC, name="audiounet_4x", ratio=4, spectral_weight=4e-4),
    *(replace(_STREAM, name=f"stream_{ratio}x", ratio=ratio) for ratio in (2, 4)),
    replace(
        _SPEECH,
        name="speech_2x",
        ratio=2,
        arguments={"noise": 0.25},
        spectral_weight=0.07,
        weight_decay=1.0,
    ),
    replace(
        _SPEECH,
        name="speech_4x",
        ratio=4,
        # By decibels: above 2 kHz dull recordings have so little that any treble costs them SNR.
        loss="patch_log_rmse",
        spectral_weight=1.0,
        weight_decay=2.0,
    ),
    *(
        replace(_COMPARISON, name=f"compare_{name}", model=model, arguments={"width": 0.25, **more})
        for name, model, more in _COMPARED
    ),
    *published.rows(),
]


RECIPES = {row.name: row for row in _ROWS}


def names() -> list[str]:
    """Lists the recipes that `get` knows."""
    return list(RECIPES)


def get(name: str, /, **overrides: Any) -> Recipe:
    """Looks a recipe up by its name.

    Args:
        name: one of `names()`.
        **overrides: fields of `Recipe` to change. `arguments` is merged into the row's own.

    Raises:
        UserError: there is no such recipe or no such field.
    """
    if name not in RECIPES:
        raise UserError(f"no recipe is named {name!r}; there are {', '.join(names())}")
    row = RECIPES[name]
    for key in overrides:
        find_field(key)
    if "arguments" in overrides:
        overrides["arguments"] = {**row.arguments, **overrides["arguments"]}
    return replace(row, **overrides)
