"""Training of AudioSR through wideband-train: the autoencoder, then the diffusion."""

import keras
import numpy as np
import pytest
from wideband import models
from wideband.command import UserError
from wideband.data_gen.shards import Example
from wideband.models import pretrained
from wideband.models.record import Record
from wideband.train.__main__ import command
from wideband.upsample import load
from wideband.upsample.export.exporter import export

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("eager")]

PATCH = 30720
SHORT = (f"patch={PATCH}", f"stride={PATCH}", "batch=2", "epochs=1", "steps_per_epoch=1")
SMALL = {
    "audiosr_vae_gan": (
        "arguments.width=0.03125",
        "arguments.blocks=1",
        "arguments.iterations=1",
        "adversarial.critic_width=0.05",
    ),
    "audiosr_laptop": (
        "arguments.width=0.03125",
        "arguments.blocks=1",
        "arguments.transformers=1",
        "arguments.multipliers=1,2",
        "arguments.steps=1",
        "arguments.iterations=1",
        "arguments.vocoder=griffin_lim",
        # With its schedule, the first step has a learning rate of 0.
        "optimizer.schedule=constant",
        "optimizer.average=0",
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


@pytest.fixture(scope="module")
def vae(folder):
    """A run of the autoencoder that was not trained."""
    arguments = {**models.small("audiosr_vae"), "patch": PATCH}
    keras.utils.set_random_seed(0)
    network = models.build("audiosr_vae", **arguments).networks()["network"]
    recipe = {"name": "vae", "source": "ours", "model": "audiosr_vae", "arguments": arguments}
    (folder / "vae").mkdir()
    rates = {"sample_rate": 48000, "ratio": 1, "protocol": "decimate_spline"}
    Record({**recipe, **rates}).write(folder / "vae")
    network.save_weights(folder / "vae" / pretrained.KERAS_FILE)
    return folder / "vae"


@pytest.fixture
def train(folder, call):
    """Returns a function that trains a recipe with wideband-train."""

    def train(name, *settings, **flags):
        every = [f"--set={each}" for each in (*SHORT, *SMALL[name], *settings)]
        every += [f"--{flag}={value}" for flag, value in flags.items()]
        run = folder / name
        options = [f"--recipe={name}", f"--data={folder / 'data'}", f"--run={run}", *every]
        return run, call(command, *options)

    return train


def test_the_autoencoder_is_trained_against_a_critic(train, vae):
    run, (code, out, _) = train("audiosr_vae_gan", initial_weights=vae)
    assert code == 0 and "audiosr_vae SNR" in out
    columns = (run / "history.csv").read_text().splitlines()[0].split(",")
    assert {"mel_l1", "kl", "patchgan", "val_loss", "val_lsd"} <= {*columns}
    assert Record.read(run).ratio == 1


def test_the_diffusion_is_trained_on_latents_and_loaded_with_its_parts(train, vae):
    run, (code, out, _) = train("audiosr_laptop", f"arguments.vae={vae}")
    assert code == 0 and "audiosr    mean square error of velocities" in out
    record = Record.read(run)
    assert set(record.parts) == {"vae"} and record.band_hz == (2000, 16000)
    assert record.arguments["patch"] == PATCH and record.arguments["scale"] > 0
    # A run that was finished is opened again, though its scale was measured.
    _, (code, out, _) = train("audiosr_laptop", f"arguments.vae={vae}")
    assert code == 0 and "1 epoch; the best is epoch 1" in out
    found = load(run)
    assert (found.sample_rate, found.ratio, found.band_hz) == (48000, 1, (2000, 16000))
    assert found.network.scale == record.arguments["scale"]
    # The step has changed the last convolution, which starts as zeros.
    assert np.abs(found.network.unet.get_layer("last").get_weights()[0]).max() > 0


def test_a_system_is_not_exported(vae, tmp_path):
    with pytest.raises(UserError, match=r"audiosr_vae is a system .* restore with the run folder$"):
        export(vae, tmp_path / "vae.tflite")
    assert not list(tmp_path.iterdir())


def test_mistakes_are_named_before_the_training(train, vae, folder):
    _, (code, _, err) = train("audiosr_laptop", "arguments.vae=nowhere")
    assert code and err.endswith(
        "nowhere: no such autoencoder; choose a run folder of audiosr_vae\n"
    )
    _, (code, _, err) = train("audiosr_laptop", f"arguments.vae={vae}", "sample_rate=44100")
    assert code and "was prepared with sample_rate=48000, and the recipe needs 44100" in err
