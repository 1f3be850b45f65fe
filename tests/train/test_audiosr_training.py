"""Training of AudioSR: each recipe through wideband-train, and what its objective does."""

import numpy as np
import pytest
from wideband.data_gen.shards import Example
from wideband.models.record import Record
from wideband.train.__main__ import command
from wideband.upsample import load

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("eager")]

PATCH = 30720
SHORT = (f"patch={PATCH}", f"stride={PATCH}", "batch=2", "epochs=1", "steps_per_epoch=1")
SMALL = {
    "audiosr_laptop_vae": ("arguments.width=0.03125", "arguments.iterations=1"),
    "audiosr_vae_gan": (
        "arguments.width=0.03125",
        "arguments.blocks=1",
        "arguments.iterations=1",
        "adversarial.critic_width=0.05",
    ),
    "audiosr_laptop_vocoder": ("patch=15360", "stride=15360", "arguments.kernels=1"),
    "audiosr_vocoder": (
        "patch=15360",
        "stride=15360",
        "arguments.width=0.0625",
        "arguments.kernels=1",
        "adversarial.critic_width=0.05",
    ),
    "audiosr_laptop": (
        "arguments.width=0.03125",
        "arguments.blocks=1",
        "arguments.transformers=1",
        "arguments.steps=1",
        "arguments.iterations=1",
    ),
}


@pytest.fixture(scope="module")
def folder(noise, make_dataset, tmp_path_factory):
    """A dataset at 48 kHz, and a place for runs."""
    folder = tmp_path_factory.mktemp("audiosr")
    splits = {}
    for split, count in (("train", 2), ("valid", 1), ("test", 1)):
        highs = [noise(PATCH + 960, seed) for seed in range(count)]
        splits[split] = [
            Example(f"{split}{k}.wav", split, "", 0.0, high, high[::4])
            for k, high in enumerate(highs)
        ]
    make_dataset(folder / "data", splits, sample_rate=48000)
    return folder


def settings(name, *more):
    return [*SHORT, *SMALL[name], *more]


@pytest.fixture
def train(folder, call):
    """Returns a function that trains a recipe with wideband-train."""

    def train(name, *more, **flags):
        arguments = [f"--set={each}" for each in settings(name, *more)]
        arguments += [f"--{flag}={value}" for flag, value in flags.items()]
        run = folder / name
        result = call(
            command, f"--recipe={name}", f"--data={folder / 'data'}", f"--run={run}", *arguments
        )
        return run, result

    return train


def test_the_recipes_walk_through_training_one_after_another(train, folder, noise):
    vae, (code, out, _) = train("audiosr_laptop_vae")
    assert code == 0 and "audiosr_vae SNR" in out
    gan, (code, out, _) = train("audiosr_vae_gan", initial_weights=vae)
    assert code == 0
    vocoder, (code, out, _) = train("audiosr_laptop_vocoder")
    assert code == 0 and "audiosr_vocoder SNR" in out
    parts = f"arguments.vae={gan}", f"arguments.vocoder={vocoder}"
    run, (code, out, _) = train("audiosr_laptop", *parts)
    assert code == 0 and "mean square error of velocities" in out
    record = Record.read(run)
    assert set(record.parts) == {"vae", "vocoder"} and record.band_hz == (2000, 16000)
    assert record.arguments["patch"] == PATCH and record.arguments["scale"] > 0
    # A finished run is opened again, though its scale was measured.
    _, (code, out, _) = train("audiosr_laptop", *parts)
    assert code == 0 and "1 epoch; the best is epoch 1" in out
    wave = noise(9000)
    restored, sample_rate = load(run).upsample(wave, 16000)
    assert (len(restored), sample_rate) == (27000, 48000) and np.isfinite(restored).all()
