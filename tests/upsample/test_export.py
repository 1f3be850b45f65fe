"""wideband-export: exports a run as a TFLite file that agrees with it."""

import errno
import hashlib
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from wideband import models
from wideband.command import UserError
from wideband.models.record import Record
from wideband.upsample import load
from wideband.upsample.export import agreement, exporter
from wideband.upsample.export.__main__ import command
from wideband.upsample.tflite import TFLiteNetwork

# Conversions to TFLite, or windows of every network.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def moved(run, tmp_path_factory):
    """A run whose dataset is not there any more."""
    folder = tmp_path_factory.mktemp("moved") / "run"
    shutil.copytree(run, folder)
    record = Record.read(folder)
    record.data = str(folder / "data")
    record.write(folder)
    return folder


def test_the_command_exports_a_run_in_8_bits_calibrated_on_its_own_dataset(
    call, run, tmp_path, snr
):
    output = tmp_path / "small.tflite"
    code, out, err = call(
        command,
        *(f"--run={run}", f"--output={output}", "--quantize=int8", "--licence=MIT"),
    )
    assert code == 0, err
    assert "audiounet as int8" in out
    assert "agrees with Keras to" in out
    assert [path.name for path in tmp_path.iterdir()] == ["small.tflite"]
    file, network = TFLiteNetwork(output), load(run).network
    metadata = file.metadata
    assert (metadata.recipe, metadata.licence, metadata.quantize) == ("demo", "MIT", "int8")
    assert (metadata.sample_rate, metadata.ratio, metadata.interpolation) == (16000, 4, "spline")
    assert metadata.training == {
        "source": "ours",
        "protocol": "decimate_spline",
        "augmentation": {},
        "dataset": Record.read(run).dataset,
        "epochs": 3,
    }
    weights = (run / "best.weights.h5").read_bytes()
    assert metadata.weights_sha256 == hashlib.sha256(weights).hexdigest()
    rebuilt = models.build(metadata.network, **metadata.arguments)
    assert rebuilt.count_params() == network.count_params()
    assert metadata.context == network.context
    assert metadata.window == 4 * metadata.context
    assert metadata.hop == 2 * metadata.context
    assert metadata.latency == metadata.hop + metadata.context
    low = np.random.default_rng(0).normal(0, 0.1, (2, metadata.window, 1)).astype(np.float32)
    assert snr(np.asarray(network(low)), file.restore(low)) > 3
    interpreter = Interpreter(model_path=str(output), num_threads=1)
    kinds = [each["dtype"] for each in interpreter.get_tensor_details()]
    assert kinds.count(np.int8) > len(kinds) / 2


def test_a_process_refuses_a_missing_run(tmp_path):
    line = [sys.executable, "-m", "wideband.upsample.export", "--run=none", "--output=x.tflite"]
    done = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: none: no such run folder")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--run={moved}", "--output=x.tflite", "--quantize=int8"], "name a dataset with --data"),
        (["--run={run}", "--output=x.onnx"], "--output=x.onnx: must end in .tflite"),
        (["--run=none", "--output=x.tflite"], "none: no such run folder"),
        (["--run=phone-4x", "--output=x.tflite"], "phone-4x: has only a TFLite file"),
        (["--run=speech-4x", "--output=x.tflite", "--quantize=int8"], "name a dataset with --data"),
        (
            ["--run={run}", "--output=x.tflite", "--quantize=int8", "--data=none"],
            "none: no finished dataset",
        ),
    ],
)
def test_the_command_refuses_before_tensorflow_loads(
    arguments, message, call, error_line, run, moved, tmp_path, monkeypatch, without_tensorflow
):
    monkeypatch.chdir(tmp_path)
    filled = (argument.format(run=run, moved=moved) for argument in arguments)
    code, _, err = call(command, *filled)
    assert code == 1
    assert message in error_line(err)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"quantize": "int8"}, "name a dataset"),
        ({"window": 3001}, "window of 3001 samples.* multiples of 32 above 1536"),
        ({"window": 32}, "window of 32 samples.* multiples of 32 above 1536"),
    ],
)
def test_an_impossible_export_is_refused(run, tmp_path, arguments, message):
    with pytest.raises(UserError, match=message):
        exporter.export(run, tmp_path / "x.tflite", **arguments)
    assert not list(tmp_path.iterdir())


def test_a_dataset_of_another_kind_is_refused_for_calibration(run, data, tmp_path):
    shutil.copytree(data, tmp_path / "data")
    settings = tmp_path / "data" / "dataset.json"
    settings.write_text(settings.read_text().replace("16000", "48000"))
    with pytest.raises(UserError, match="another kind of data than the run's 16000 Hz"):
        exporter.export(run, tmp_path / "x.tflite", "int8", data=tmp_path / "data")


def test_a_network_that_takes_whole_patches_has_one_window_only(make_run, tmp_path):
    folder = make_run("dnn")
    with pytest.raises(UserError, match=r"--window=512: .* takes windows of 256 samples only"):
        exporter.export(folder, tmp_path / "x.tflite", window=512)
    assert not list(tmp_path.iterdir())


def test_a_file_that_disagrees_with_its_network_is_removed(run, tmp_path, monkeypatch):
    shutil.copytree(run, tmp_path / "run")
    monkeypatch.setitem(agreement.AGREEMENT_DB, "none", 300.0)
    with pytest.raises(UserError, match=r"run: exported as none, it agrees .* below 300 dB"):
        exporter.export(tmp_path / "run", tmp_path / "x.tflite")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


class DeviatingFile:
    """A file with the output of its network, except for one kind of signal."""

    streaming, delay = False, 0

    def __init__(self, network, metadata, kind, change):
        self.network, self.metadata, self.kind, self.change = network, metadata, kind, change
        self.windows = (metadata.window,)
        self.kinds = iter(["noise", "bursts of noise", "faint noise", "silence"])

    def restore(self, windows):
        output = np.asarray(self.network(windows))
        return self.change(output) if next(self.kinds) == self.kind else output


@pytest.mark.parametrize("kind", ["noise", "bursts of noise", "faint noise", "silence"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda output: output * np.float32(np.nan), "contains NaN or infinity for {kind}"),
        (lambda output: output + np.float32(1e-3), "dB on {kind}, below 80 dB"),
    ],
)
def test_disagreement_on_any_kind_of_signal_is_found(kind, change, message, build, window_file):
    network, metadata = build("audiounet"), TFLiteNetwork(window_file).metadata
    with pytest.raises(UserError, match=message.format(kind=kind)):
        agreement.check_agreement(network, DeviatingFile(network, metadata, kind, change))


def test_a_network_whose_own_output_is_not_finite_is_refused(build, window_file, monkeypatch):
    """As that of a training that diverged: another quantization would not help."""
    metadata = TFLiteNetwork(window_file).metadata
    network = build("audiounet")
    file = DeviatingFile(network, metadata, "none", None)
    monkeypatch.setattr(network, "call", lambda windows, **_: windows * np.nan)
    with pytest.raises(UserError, match=r"^the network's output contains NaN .* train it again$"):
        agreement.check_agreement(network, file)


def test_a_network_whose_iterations_amplify_rounding_errors_may_differ_more(
    build, window_file, monkeypatch
):
    network, metadata = build("audiounet"), TFLiteNetwork(window_file).metadata

    def check(factor):
        file = DeviatingFile(network, metadata, "noise", lambda output: output * np.float32(factor))
        return agreement.check_agreement(network, file)

    with pytest.raises(UserError, match=r"to 46\.. dB on noise, below 80 dB"):
        check(1.005)
    monkeypatch.setattr(network, "iterated", True)
    assert check(1.005) == pytest.approx(46, abs=0.1)
    with pytest.raises(UserError, match=r"to 26\.. dB on noise, below 30 dB"):
        check(1.05)


def test_an_output_that_cannot_be_written_is_refused_before_the_conversion(
    run, tmp_path, monkeypatch
):
    monkeypatch.setattr(exporter, "convert", lambda *_: pytest.fail("converted"))
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file/x\.tflite: .*file is not a folder; choose another"):
        exporter.export(run, tmp_path / "file" / "x.tflite")


def test_a_full_disk_is_named_and_nothing_is_left(run, tmp_path, monkeypatch):
    def fail(path, *_):
        path.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(exporter, "convert", lambda *_: b"")
    monkeypatch.setattr(exporter, "write", fail)
    with pytest.raises(
        UserError, match=r"x\.tflite: cannot be written: No space left on device; f"
    ):
        exporter.export(run, tmp_path / "x.tflite")
    assert not list(tmp_path.iterdir())


def test_an_inaudible_error_in_silence_is_accepted(build, window_file):
    network, metadata = build("audiounet"), TFLiteNetwork(window_file).metadata
    file = DeviatingFile(network, metadata, "silence", lambda output: output + np.float32(5e-6))
    assert agreement.check_agreement(network, file) > 200
