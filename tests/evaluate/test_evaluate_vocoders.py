"""wideband-evaluate: a mel-domain GAN with several vocoders."""

import numpy as np
import pytest
from seeds import seed_networks
from wideband import models
from wideband.data_gen import shards
from wideband.evaluate import metrics
from wideband.evaluate.__main__ import command
from wideband.models.record import Record
from wideband.upsample import load

# Whole evaluations.
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("plain_spectrograms")]
RATES = {"sample_rate": 22050, "ratio": "441/160", "protocol": "hann_sinc"}


@pytest.fixture(scope="module")
def make_run(tmp_path_factory):
    """Returns a function that makes the run folder of a small network with random weights."""

    def make_run(model, **changes):
        folder = tmp_path_factory.mktemp("runs") / model
        folder.mkdir()
        recipe = {"name": model, "source": "ours", "model": model, "arguments": models.small(model)}
        Record({**recipe, **RATES, **changes}).write(folder)
        seed_networks(0)
        network = models.build(model, **models.small(model))
        network.networks()["network"].save_weights(folder / "best.weights.h5")
        return folder

    return make_run


@pytest.fixture(scope="module")
def vocos(make_run):
    return make_run("vocos", ratio=1)


@pytest.fixture
def data(make_dataset, noise, tmp_path):
    example = shards.Example("a.wav", "someone", "", 0.0, noise(8820), noise(3200, seed=1))
    return make_dataset(tmp_path / "data", {"test": [example]}, **RATES)


def test_each_vocoder_is_a_row(make_run, vocos, data, tmp_path, call, rows, noise):
    run, waves = make_run("melgan"), tmp_path / "waves"
    flags = [f"--run={run}", f"--data={data}", f"--output={tmp_path / 'out'}"]
    code, _, err = call(command, *flags, f"--vocoders=v={vocos}", f"--save_recordings={waves}")
    assert code == 0, err
    table = {row["system"]: row for row in rows(tmp_path / "out" / "evaluation.csv")}
    assert list(table) == ["spline", "sinc", "v", "melgan"]
    for system, vocoder in (("v", vocos), ("melgan", "griffin_lim")):
        estimate, _ = load(run, vocoder=vocoder).upsample(noise(3200, seed=1), 8000, False)
        assert float(table[system]["lsd"]) == pytest.approx(
            metrics.lsd(noise(8820), estimate), rel=1e-3
        )
    assert {each.name for each in waves.iterdir()} == {"reference", *table}
    assert not np.isclose(float(table["v"]["lsd"]), float(table["melgan"]["lsd"]))


def test_an_impossible_vocoder_is_refused(make_run, vocos, data, tmp_path, call, error_line):
    gan = make_run("melgan")
    for each, vocoder, message in (
        (gan, "wavenet", "wavenet: no such vocoder; choose griffin_lim or"),
        (gan, "melgan=griffin_lim", "--vocoders=griffin_lim: 'melgan' is the name of another row"),
        (vocos, "griffin_lim", "has ratio 1, and"),
    ):
        flags = [f"--run={each}", f"--data={data}", f"--vocoders={vocoder}"]
        code, _, err = call(command, *flags, f"--output={tmp_path / 'out'}")
        assert code == 1
        assert message in error_line(err)
    assert not (tmp_path / "out").exists()
