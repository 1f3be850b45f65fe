"""A small dataset and a run on it, which the tests of several stages work with."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from wideband import models
from wideband.data_gen import degrade, shards
from wideband.train import recipes


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A finished dataset of chirps in noise, as wideband-prepare leaves it."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for split, count in (("train", 6), ("valid", 2), ("test", 2)):
        examples = []
        for number in range(count):
            phase = np.cumsum(np.linspace(0.05, 2.5, 8192) * rng.uniform(0.5, 1.2))
            high = (0.3 * np.sin(phase) + rng.normal(0, 0.01, 8192)).astype(np.float32)
            low = degrade.decimate(high, 4)
            # Names as of a corpus that has one recording in two formats.
            name = f"{split}{number // 2}.{('wav', 'flac')[number % 2]}"
            examples.append(shards.Example(name, "someone", "", 0.0, high, low))
        if split == "valid":
            silence = np.zeros(8192, np.float32)
            examples.append(shards.Example("silence.wav", "", "", 0.0, silence, silence[::4]))
        shards.write(folder / f"{split}-00000.tfrecord", examples)
    facts = {
        "corpus": "folder",
        "sample_rate": 16000,
        "ratio": 4,
        "protocol": "decimate_spline",
        "seed": 0,
        "split_rule": "speaker",
        "valid_fraction": 0.05,
        "test_fraction": 0.1,
        "patch": 256,
    }
    (folder / "dataset.json").write_text(json.dumps(facts))
    (folder / "manifest.csv").write_text("split,path\n")
    return folder


@pytest.fixture(scope="session")
def run(data, tmp_path_factory):
    """A run folder as wideband-train leaves it, whose network has random weights."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    folder.mkdir()
    recipe = recipes.get("demo", arguments={"width": 0.03})
    keras.utils.set_random_seed(0)
    network = models.build(recipe.model, **recipe.arguments)
    rng = np.random.default_rng(0)
    network.set_weights(
        [
            rng.normal(0, 0.1, weight.shape) if weight.dtype == np.float32 else weight
            for weight in network.get_weights()
        ]
    )
    network.save_weights(folder / "best.weights.h5")
    record = {
        "recipe": dataclasses.asdict(recipe),
        "data": str(data),
        "flags": ["--recipe=demo"],
        "versions": {"keras": keras.__version__},
        "commit": None,
        "machine": "a machine",
        "timings": {"epochs": 3, "seconds": 65.0},
    }
    (folder / "run.json").write_text(json.dumps(record))
    return folder
