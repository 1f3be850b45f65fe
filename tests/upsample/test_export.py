"""TFLite files do what their networks do, tell what they are, and run without TensorFlow."""

import dataclasses
import hashlib
import json
import shutil
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from wideband import models
from wideband.command import UserError
from wideband.data_gen import degrade
from wideband.upsample import Upsampler, tflite
from wideband.upsample.export import convert, exporter
from wideband.upsample.tflite import TFLiteNetwork

# Arguments that make each network small. What streams is exported in test_tflite_stream.py.
SMALL = {
    "audiounet": {"width": 0.05},
    "tfilm": {"width": 0.05, "patch": 256},
    "afilm": {"width": 0.05, "patch": 256, "depth": 1},
    "dnn": {"width": 0.2, "patch": 256},
    "keras_unet": {"width": 0.05},
    "tfnet": {"width": 0.05, "patch": 256},
    "gionet": {"width": 0.05, "patch": 256},
    "gionet2": {"width": 0.05, "patch": 256},
    "framenet": {"width": 0.05},
}
# Without those that have nothing but parts of the others.
DISTINCT = [name for name in SMALL if name not in ("afilm", "gionet", "gionet2")]
WINDOW = 256
# What an export may lose of the signal-to-noise ratio, in dB.
ALLOWED_LOSS_DB = {"float16": 0.05, "dynamic": 0.3}


@pytest.fixture(scope="module")
def pairs(speech):
    """Makes windows (count, WINDOW, 1) as a network wants them, and those of the reference."""

    def pairs(network, count=12):
        step = network.factor
        high = speech(count * WINDOW * step)
        low = degrade.get("decimate_spline").down(high, 4)
        given = low if network.wants == "low" else degrade.get("decimate_spline").up(low, 4)
        return given.reshape(count, WINDOW, 1), high.reshape(count, WINDOW * step, 1)

    return pairs


def build(name):
    """A network whose every part counts, and whose output is still the wave for the most part."""
    keras.utils.set_random_seed(0)
    network = models.build(name, **SMALL[name])
    rng = np.random.default_rng(0)
    for weight in network.weights:
        values = rng.normal(0, 1, weight.shape)
        if weight.path.endswith("moving_variance"):
            weight.assign(rng.uniform(0.5, 2, weight.shape))
        elif weight.path.endswith("gamma"):
            weight.assign(1 + 0.2 * values)
        elif len(weight.shape) > 1:
            weight.assign(values / np.sqrt(np.prod(weight.shape[:-1])))
        elif weight.dtype == "float32":
            weight.assign(np.asarray(weight) + 0.02 * values)
        # A sum of twelve blocks would drive exponentials to their bounds.
        if weight.path.startswith("mix_"):
            weight.assign(0.1 * weight)
    return network


def facts(network, model, name="audiounet", **others):
    """Facts as of an export, without a run."""
    values = {
        "network": name,
        "arguments": SMALL[name],
        "sample_rate": 16000,
        "ratio": 4,
        "interpolation": "spline",
        "wants": network.wants,
        "multiple": network.multiple,
        "window": WINDOW,
        "context": network.context,
        "hop": WINDOW // 2,
        "streaming": False,
        "delay": 0,
        "latency": WINDOW,
        "quantize": "none",
        "recipe": "a recipe",
        "weights_sha256": "0" * 64,
        "licence": "CC BY 4.0",
        "model_sha256": hashlib.sha256(model).hexdigest(),
    }
    return tflite.Facts(**{**values, **others})


@pytest.fixture(scope="module")
def networks():
    return {name: build(name) for name in SMALL}


@pytest.fixture(scope="module")
def files(networks, tmp_path_factory):
    """Converts a network once for all tests: the path of its file."""
    folder, made = tmp_path_factory.mktemp("files"), {}

    def file(name, quantize="none"):
        if (name, quantize) not in made:
            network = networks[name]
            model = convert.convert(network, WINDOW, quantize=quantize)
            made[name, quantize] = folder / f"{name}-{quantize}.tflite"
            tflite.write(made[name, quantize], model, facts(network, model, name))
        return made[name, quantize]

    return file


def snr(reference, estimate):
    return 10 * np.log10(np.sum(reference**2) / np.sum((reference - estimate) ** 2))


def test_every_network_is_exported_here():
    assert {*SMALL, "streamnet"} == set(models.names())


@pytest.mark.parametrize("name", SMALL)
def test_a_file_gives_the_networks_output_window_after_window(name, networks, pairs, files):
    low, _ = pairs(networks[name])
    expected = np.asarray(networks[name](low))
    found = TFLiteNetwork(files(name)).predict_on_batch(low)
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    assert np.abs(expected - (0 if low.shape != expected.shape else low)).max() > 1e-2


@pytest.mark.parametrize("name", SMALL)
def test_a_file_has_operators_that_every_runtime_has(name, files):
    model, _ = tflite.read(files(name))
    operators = convert.operators(model)
    # A loop would be an LSTM that did not become TFLite's own.
    assert not {"CUSTOM", "DELEGATE", "WHILE"} & set(operators)
    assert b"Flex" not in model
    interpreter = Interpreter(model_content=model)
    listed = [each["op_name"] for each in interpreter._get_ops_details()]
    assert operators.total() == len([each for each in listed if each != "DELEGATE"])


@pytest.mark.parametrize("quantize", ALLOWED_LOSS_DB)
@pytest.mark.parametrize("name", DISTINCT)
def test_fewer_bits_lose_little(name, quantize, networks, pairs, files):
    low, high = pairs(networks[name])
    whole = snr(high, np.asarray(networks[name](low)))
    found = TFLiteNetwork(files(name, quantize)).predict_on_batch(low)
    assert whole - snr(high, found) <= ALLOWED_LOSS_DB[quantize]
    assert files(name, quantize).stat().st_size < files(name).stat().st_size


def test_half_the_bits_are_about_half_the_bytes(files):
    modes = ("none", "float16", "dynamic")
    whole, half, quarter = (files("audiounet", mode).stat().st_size for mode in modes)
    assert 0.45 < half / whole < 0.6
    assert 0.2 < quarter / whole < 0.35


def test_a_network_stays_as_it_is_when_it_is_converted(networks, files):
    network = networks["tfilm"]
    files("tfilm")
    assert not any("call" in vars(layer) for layer in network._flatten_layers())


def test_threads_do_not_change_the_output(networks, pairs, files):
    low, _ = pairs(networks["tfnet"], 2)
    one, two = (TFLiteNetwork(files("tfnet"), threads).predict_on_batch(low) for threads in (1, 2))
    np.testing.assert_allclose(one, two, rtol=0, atol=1e-6)


def test_a_file_states_what_its_network_states(networks, files):
    bounded, unbounded = TFLiteNetwork(files("keras_unet")), TFLiteNetwork(files("tfilm"))
    for file, name in ((bounded, "keras_unet"), (unbounded, "tfilm")):
        stated = (networks[name].wants, networks[name].multiple, networks[name].context)
        assert (file.wants, file.multiple, file.context) == stated
        assert file.window == WINDOW
    assert unbounded.patch == WINDOW
    assert not hasattr(bounded, "patch")


def test_a_file_tells_its_facts_and_is_still_a_plain_tflite_file(networks, files):
    model, told = tflite.read(files("audiounet"))
    assert told == facts(networks["audiounet"], model)
    assert files("audiounet").read_bytes().startswith(model)
    interpreter = Interpreter(model_path=str(files("audiounet")))
    interpreter.allocate_tensors()
    assert interpreter.get_input_details()[0]["shape"].tolist() == [1, WINDOW, 1]
    assert interpreter.get_input_details()[0]["dtype"] is np.float32


def with_facts(path, change):
    """A file's bytes with other facts behind the same model."""
    model, told = tflite.read(path)
    path.write_bytes(model)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(tflite.MEMBER, json.dumps(change(dataclasses.asdict(told))))
    return path.read_bytes()


def flipped(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 0x55
    return bytes(content)


# message: what makes a bad file of a good one
DAMAGES = {
    "no TFLite file": lambda path: b"RIFF, WAVE and so on",
    "cut short, or not written by": lambda path: path.read_bytes()[:-100],
    "not written by wideband-export": lambda path: tflite.read(path)[0],
    "its model is not as it was": lambda path: flipped(path, 2000),
    "of another version": lambda path: with_facts(path, lambda told: {**told, "state": 1}),
    "or of another version": lambda path: with_facts(path, lambda told: {"window": 256}),
    "damaged, or of another version": lambda path: with_facts(path, list),
    "has no input 'wave'": lambda path: with_facts(path, lambda told: {**told, "wants": "wave"}),
    "its window is no": lambda path: with_facts(path, lambda told: {**told, "window": "long"}),
}


@pytest.mark.parametrize("message", DAMAGES)
def test_a_damaged_or_foreign_file_is_refused(message, files, tmp_path):
    shutil.copy(files("audiounet"), tmp_path / "whole.tflite")
    (tmp_path / "bad.tflite").write_bytes(DAMAGES[message](tmp_path / "whole.tflite"))
    with pytest.raises(UserError, match=message) as raised:
        TFLiteNetwork(tmp_path / "bad.tflite")
    assert "bad.tflite" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_no_flipped_byte_of_the_facts_does_more_than_be_refused(files, tmp_path):
    model, told = tflite.read(files("dnn"))
    refused = 0
    for at in range(len(model), files("dnn").stat().st_size):
        (tmp_path / "bad.tflite").write_bytes(flipped(files("dnn"), at))
        try:
            # Some bytes mean nothing, such as those of the date.
            assert tflite.read(tmp_path / "bad.tflite") == (model, told)
        except UserError:
            refused += 1
    assert refused > len(json.dumps(dataclasses.asdict(told)))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"none\.tflite: cannot be read"):
        TFLiteNetwork(tmp_path / "none.tflite")


def command(*arguments):
    line = [sys.executable, "-m", "wideband.upsample.export", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True)


def test_the_command_exports_a_run_in_8_bits(run, data, tmp_path):
    output = tmp_path / "small.tflite"
    done = command(
        f"--model={run}", f"--output={output}", "--quantize=int8", f"--data={data}", "--licence=MIT"
    )
    assert done.returncode == 0, done.stderr
    assert "audiounet as int8" in done.stdout
    assert "agrees with Keras on noise to" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["small.tflite"]
    network = TFLiteNetwork(output)
    told, keras_network = network.facts, Upsampler.from_run(run).network
    assert (told.recipe, told.licence, told.quantize) == ("demo", "MIT", "int8")
    assert (told.sample_rate, told.ratio, told.interpolation) == (16000, 4, "spline")
    weights = (run / "best.weights.h5").read_bytes()
    assert told.weights_sha256 == hashlib.sha256(weights).hexdigest()
    assert models.build(told.network, **told.arguments).count_params() == (
        keras_network.count_params()
    )
    assert told.context == keras_network.context
    assert told.window == 4 * told.context
    assert told.hop == 2 * told.context
    assert told.latency == told.hop + told.context
    low = np.random.default_rng(0).normal(0, 0.1, (2, told.window, 1)).astype(np.float32)
    found = network.predict_on_batch(low)
    assert np.isfinite(found).all()
    assert snr(np.asarray(keras_network(low)), found) > 3
    interpreter = Interpreter(
        model_path=str(output), experimental_preserve_all_tensors=True, num_threads=1
    )
    kinds = [each["dtype"] for each in interpreter.get_tensor_details()]
    assert kinds.count(np.int8) > len(kinds) / 2


def test_a_loud_and_a_silent_window_pass_through_8_bits(networks, pairs):
    # What is loud sets the step of 8 bits, and so what is soft becomes zero.
    windows, _ = pairs(networks["framenet"])
    windows = [scale * window[np.newaxis] for window in windows for scale in (3.0, 1e-4)]
    calibration = [{"low": window} for window in windows]
    model = convert.convert(networks["framenet"], WINDOW, calibration, "int8")
    restore = Interpreter(model_content=model, num_threads=1).get_signature_runner()
    for window in windows:
        assert np.isfinite(restore(low=window)["restored"]).all()


def test_an_export_that_fails_its_check_leaves_no_file(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    network = Upsampler.from_run(run).network
    network.set_weights([np.full_like(weight, np.nan) for weight in network.get_weights()])
    network.save_weights(tmp_path / "run" / "best.weights.h5")
    done = command(f"--model={tmp_path / 'run'}", f"--output={tmp_path / 'x.tflite'}")
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("error")]
    assert len(lines) == 1
    assert "only within nan dB" in lines[0]
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"quantize": "int8"}, "name a dataset with --data"),
        ({"window": 3001}, "window of 3001 samples will not do.* multiples of 32 above 1536"),
        ({"window": 32}, "window of 32 samples will not do.* multiples of 32 above 1536"),
    ],
)
def test_an_export_that_cannot_be_is_refused(run, tmp_path, arguments, message):
    with pytest.raises(UserError, match=message):
        exporter.export(run, tmp_path / "x.tflite", **arguments)
    assert not list(tmp_path.iterdir())


def test_a_dataset_of_another_kind_is_refused_for_calibration(run, data, tmp_path):
    shutil.copytree(data, tmp_path / "data")
    description = tmp_path / "data" / "dataset.json"
    description.write_text(description.read_text().replace("16000", "48000"))
    with pytest.raises(UserError, match="not made as what the run was trained on, at 16000 Hz"):
        exporter.export(run, tmp_path / "x.tflite", "int8", data=tmp_path / "data")


def test_an_unbounded_network_takes_its_patch_only(run_of, tmp_path):
    folder = run_of("dnn", width=0.2, patch=256)
    with pytest.raises(UserError, match=r"--window=512: .* takes windows of 256 samples only"):
        exporter.export(folder, tmp_path / "x.tflite", window=512)
    assert not list(tmp_path.iterdir())
