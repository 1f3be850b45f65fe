"""Models are loaded by name or path."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
from wideband import models
from wideband.command import UserError
from wideband.models import pretrained
from wideband.models.record import Record
from wideband.upsample import find_record, find_run, load
from wideband.upsample.baselines import Interpolation
from wideband.upsample.loading import check
from wideband.upsample.tflite import TFLiteNetwork


def test_an_interpolation_is_loaded_by_its_name():
    upsampler = load("sinc", 22050, 2)
    assert isinstance(upsampler.network, Interpolation)
    assert (upsampler.name, upsampler.sample_rate, upsampler.low_rate) == ("sinc", 22050, 11025)


def test_a_run_is_loaded_with_its_rates_and_its_interpolation(run):
    upsampler = load(run)
    assert (upsampler.sample_rate, upsampler.ratio, upsampler.low_rate) == (16000, 4, 4000)
    assert upsampler.interpolation == "spline"
    assert upsampler.name == str(run)
    assert upsampler.network.count_params() == models.build("audiounet", width=0.03).count_params()


def test_a_weights_file_in_a_run_folder_is_loaded_like_the_folder(run, noise):
    paths = (run / "best.weights.h5", run)
    by_file, by_folder = (load(path).upsample(noise(900), 4000)[0] for path in paths)
    np.testing.assert_array_equal(by_file, by_folder)


def test_a_tflite_file_is_loaded_with_its_rates_and_its_interpolation(window_file):
    upsampler = load(window_file)
    assert (upsampler.sample_rate, upsampler.ratio, upsampler.low_rate) == (16000, 4, 4000)
    assert upsampler.interpolation == "spline"
    assert upsampler.name == str(window_file)


@pytest.mark.parametrize("name", pretrained.names())
def test_a_shipped_network_is_loaded_by_its_name_from_its_tflite_file(name):
    upsampler = load(name)
    assert isinstance(upsampler.network, TFLiteNetwork)
    assert upsampler.name == name
    ratio = int(name[-2]) if name.endswith("x") else 1
    assert upsampler.sample_rate == (48000 if name == "fullband" else 16000)
    assert upsampler.ratio == ratio
    assert (upsampler.band_hz is not None) == (ratio == 1)


def test_a_path_takes_precedence_over_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "speech-4x").mkdir()
    for find in (load, check, find_run, find_record):
        with pytest.raises(UserError, match=r"run\.json is missing"):
            find("speech-4x")


@pytest.mark.parametrize("name", ["speech-3x", "splin", "../weights/speech-4x"])
def test_an_unknown_name_is_refused_with_the_names_that_exist(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for find in (load, check, find_run, find_record):
        with pytest.raises(UserError, match=rf"^{name}: no such .*speech-2x, speech-4x"):
            find(name)
    for find in (load, check):
        with pytest.raises(UserError, match="spline"):
            find(name)


def test_a_missing_tflite_file_is_refused(tmp_path):
    for find in (load, check):
        with pytest.raises(UserError, match=r"none\.tflite: no such run folder.* or TFLite file"):
            find(tmp_path / "none.tflite")


def test_a_folder_named_like_a_tflite_file_is_refused(tmp_path):
    (tmp_path / "x.tflite").mkdir()
    for find in (load, check):
        with pytest.raises(UserError, match=r"x\.tflite: a folder, not a TFLite file"):
            find(tmp_path / "x.tflite")


def test_a_file_outside_a_run_folder_is_refused_by_its_name(tmp_path):
    (tmp_path / "old.wav").touch()
    for find in (load, check, find_run, find_record):
        with pytest.raises(
            UserError, match=r"old\.wav: not in a run folder \(run\.json is missing"
        ):
            find(tmp_path / "old.wav")


def test_a_missing_run_is_refused_with_what_can_be_a_run(tmp_path):
    for find in (find_run, find_record):
        with pytest.raises(UserError, match=r"nowhere: no such run folder") as raised:
            find(tmp_path / "nowhere")
        assert "speech-4x" in str(raised.value)
        assert "spline" not in str(raised.value)


def test_an_interpolation_is_not_a_run():
    for find in (find_run, find_record):
        with pytest.raises(
            UserError,
            match=r"^spline is an interpolation, not a run; name it with --baselines or --model$",
        ):
            find("spline")


@pytest.mark.parametrize("ratio", [0, -2, "four"])
def test_a_ratio_that_is_no_number_above_0_is_refused(ratio):
    with pytest.raises(UserError, match=f"^ratio '?{ratio}'? "):
        load("spline", 16000, ratio)


def test_a_ratio_may_be_a_float_or_text():
    assert load("sinc", 22050, "22050/8000").low_rate == 8000
    assert load("spline", 20000, 2.5).low_rate == 8000


def test_a_run_without_weights_is_refused(run, tmp_path):
    shutil.copy(run / "run.json", tmp_path)
    for find in (load, check, find_run):
        with pytest.raises(UserError, match=r"best\.weights\.h5: no such file; train the run"):
            find(tmp_path)
    assert find_record(tmp_path) == (tmp_path, Record.read(run))


@pytest.mark.parametrize("damage", ["truncated", "text"])
def test_damaged_weights_are_refused(run, tmp_path, damage):
    shutil.copy(run / "run.json", tmp_path)
    content = (run / "best.weights.h5").read_bytes()
    damaged = content[: len(content) // 2] if damage == "truncated" else b"no weights"
    (tmp_path / "best.weights.h5").write_bytes(damaged)
    with pytest.raises(UserError, match="not the weights of this audiounet; train the") as raised:
        load(tmp_path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("model", ["dnn", "tfilm", "keras_unet"])
def test_the_weights_of_another_network_are_refused(model, run, build, tmp_path):
    build(model).save_weights(tmp_path / "best.weights.h5")
    shutil.copy(run / "run.json", tmp_path)
    with pytest.raises(UserError, match=r"weights\.h5: .* audiounet.*; train the run") as raised:
        load(tmp_path)
    assert "\n" not in str(raised.value)


def test_a_run_is_found_by_its_folder_its_weights_file_or_its_shipped_name(run):
    assert find_run(run) == (run, run / "best.weights.h5")
    assert find_run(run / "best.weights.h5") == (run, run / "best.weights.h5")
    folder = pretrained.find("speech-4x")
    assert find_run("speech-4x") == (folder, folder / "best.weights.h5")
    assert find_record("speech-4x") == (folder, Record.read(folder))


def test_a_shipped_network_without_keras_weights_has_a_record_only():
    assert find_record("phone-4x")[1].model == "streamnet"
    with pytest.raises(UserError, match="phone-4x: has only a TFLite file, no Keras weights"):
        find_run("phone-4x")


def test_a_tflite_file_is_not_a_run(window_file):
    for find in (find_run, find_record):
        with pytest.raises(UserError, match=r"window\.tflite: a TFLite file is not a run"):
            find(window_file)


@pytest.mark.slow
def test_a_run_restores_on_jax_without_tensorflow(run, noise, jax_environment, tmp_path):
    wave = noise(4000)
    np.save(tmp_path / "wave.npy", wave)
    code = (
        "import sys; sys.modules['tensorflow'] = None\n"
        "import numpy as np\n"
        "from wideband.upsample import load\n"
        "restored, _ = load(sys.argv[1]).upsample(np.load('wave.npy'), 4000)\n"
        "np.save('restored.npy', restored)\n"
    )
    line = [sys.executable, "-c", code, run]
    subprocess.run(line, check=True, env=jax_environment, cwd=tmp_path)
    expected, _ = load(run).upsample(wave, 4000)
    np.testing.assert_allclose(np.load(tmp_path / "restored.npy"), expected, rtol=0, atol=1e-5)


def test_keras_weights_without_tensorflow_are_refused_in_one_line(run, without_tensorflow):
    with pytest.raises(
        UserError, match=r"needs TensorFlow .*pip install '\.\[train\]' in wideband"
    ):
        load(run)
