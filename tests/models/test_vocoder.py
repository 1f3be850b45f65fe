"""Vocoders by name: Griffin-Lim, run folders, and what is refused."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
from seeds import seed_networks
from wideband import models
from wideband.command import UserError
from wideband.models import griffin_lim, pretrained, vocoder
from wideband.models.features import MELS
from wideband.models.record import Record


@pytest.fixture(scope="module")
def make_run(run, tmp_path_factory):
    """Returns a function that writes the run folder of a small network, and returns the network."""

    def make_run(name, **arguments):
        folder = tmp_path_factory.mktemp("runs") / name
        folder.mkdir()
        arguments = {**models.small(name), **arguments}
        record = Record.read(run)
        record.recipe |= {"name": name, "model": name, "arguments": arguments, "ratio": 1}
        record.write(folder)
        seed_networks(0)
        network = models.build(name, **arguments)
        rng = np.random.default_rng(0)
        network.set_weights([w + rng.normal(0, 0.05, w.shape) for w in network.get_weights()])
        network.save_weights(folder / "best.weights.h5")
        return folder, network

    return make_run


@pytest.fixture(scope="module")
def vocos_run(make_run):
    return make_run("vocos")


def mels(count=4, bands=80):
    return np.random.default_rng(0).normal(-5, 1, (1, count, bands)).astype(np.float32)


def test_a_run_has_the_weights_of_its_training_and_is_frozen(vocos_run):
    folder, network = vocos_run
    for name in (str(folder), str(folder / "best.weights.h5")):
        found = vocoder.find(name)
        assert (found.name, found.mel) == (name, "seed")
        checksum = pretrained.checksum(folder / "best.weights.h5")
        assert found.sha256 == vocoder.checksum(name) == checksum
    built = found.build()
    assert not built.trainable_variables
    expected = network.get_layer("vocoder")(mels())
    np.testing.assert_array_equal(built(mels()), expected)
    # Nine frames of convolutions, and half a frame of the transform.
    assert found.context == 9 * 256 + 512


def test_a_run_with_weight_normalization_is_built_without(make_run):
    folder, network = make_run("hifigan", weight_norm=True)
    built = vocoder.find(str(folder), "seed").build()
    assert built.count_params() < network.count_params()
    expected = network.get_layer("vocoder")(mels())
    np.testing.assert_allclose(built(mels()), expected, rtol=0, atol=1e-6)


def test_griffin_lim_takes_any_mel_spectrogram():
    for mel in MELS:
        found = vocoder.find("griffin_lim", mel, iterations=1)
        assert (found.mel, found.sha256, vocoder.checksum("griffin_lim")) == (mel, None, None)
        # An iteration sees the three or four frames on either side that overlap.
        more = {"audiosr": 4 * 480 + 1024, "voicefixer": 4 * 441 + 1024}
        assert found.context == more.get(mel, 3 * 256 + 512)
    features = mels(bands=80)
    built = vocoder.find("griffin_lim", "nyquist", iterations=2).build()
    expected = griffin_lim.build("nyquist", 2)(features)
    np.testing.assert_array_equal(built(features), expected)
    assert built(features).shape == (1, 1024, 1)


def test_a_shipped_vocoder_is_found_by_its_name(vocos_run, tmp_path, monkeypatch):
    folder, _ = vocos_run
    shutil.copytree(folder, tmp_path / "vocos-22k")
    lines = [
        f"{pretrained.checksum(file)}  vocos-22k/{file.name}\n"
        for file in (tmp_path / "vocos-22k").iterdir()
    ]
    (tmp_path / pretrained.SUMS).write_text("".join(lines))
    monkeypatch.setattr(pretrained, "WEIGHTS", tmp_path)
    monkeypatch.chdir(tmp_path.parent)
    assert vocoder.find("vocos-22k").sha256 == vocoder.checksum(str(folder))


def test_other_names_are_refused_with_the_remedy(vocos_run, run, tmp_path):
    folder, _ = vocos_run
    untrained = shutil.copytree(folder, tmp_path / "untrained")
    (untrained / "best.weights.h5").unlink()
    vocoders = "hifigan or vocos or istftnet or tfgan or audiosr_vocoder"
    for name, message in (
        ("wavenet", f"wavenet: no such vocoder; choose griffin_lim or a run folder of {vocoders}"),
        ("", "an empty name: no such vocoder; choose griffin_lim or"),
        (str(run), f"{run}: a run of audiounet, which is no vocoder; name a run of {vocoders}, or"),
        (str(untrained), f"{untrained / 'best.weights.h5'}: no such file; name a run that was"),
        (str(tmp_path), f"{tmp_path}: not a run folder"),
    ):
        for look_up in (vocoder.find, vocoder.checksum):
            with pytest.raises(UserError) as raised:
                look_up(name)
            assert str(raised.value).startswith(message)


def test_another_mel_spectrogram_is_refused(vocos_run):
    folder, _ = vocos_run
    assert vocoder.find(str(folder), "hifigan").mel == "seed"
    message = f"{folder}: takes the mel spectrogram seed, and nyquist is needed; name another"
    with pytest.raises(UserError, match=f"^{message}"):
        vocoder.find(str(folder), "nyquist")
    with pytest.raises(
        UserError, match=r"^griffin_lim: takes any mel spectrogram; name one of seed"
    ):
        vocoder.find("griffin_lim")


def test_names_are_checked_without_keras(vocos_run):
    code = (
        "import sys\n"
        "from wideband.models import vocoder\n"
        f"print(vocoder.checksum({str(vocos_run[0])!r}), 'keras' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == [vocoder.checksum(str(vocos_run[0])), "False"], done.stderr
