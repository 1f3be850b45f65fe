"""The parts of `make bench`, in tiny sizes: their files and tables, and what they count."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import soundfile
import tensorflow as tf
from wideband import models
from wideband.models import pretrained
from wideband.train import methods, recipes

ROOT = Path(__file__).parents[2]
TABLES = ("preparing", "training", "restoring", "files")


@pytest.fixture
def page(tmp_path):
    """A page with the marks of all tables."""
    path = tmp_path / "page.md"
    marks = [f"<!-- table: {name} -->\n" for name in TABLES]
    path.write_text("".join(f"{mark}old {mark}" for mark in marks).replace("old ", "old\n"))
    return path


@pytest.fixture
def bench(tmp_path, page):
    """Returns a function that runs a part: the numbers, and the rows of its tables by name.

    In a process of its own, as it measures memory and sets the profiler and threads.
    """

    def bench(part, *flags):
        line = [sys.executable, ROOT / "benchmarks" / f"{part}.py", "--repeats=1", *flags]
        line += [f"--output={tmp_path / 'out'}", f"--page={page}"]
        done = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        numbers = json.loads((tmp_path / "out" / f"{part}.json").read_text())
        assert numbers["repeats"] == 1 and numbers["machine"]
        tables = {}
        for name in TABLES:
            table = page.read_text().split(f"<!-- table: {name} -->\n")[1]
            rows = [line for line in table.splitlines() if line.startswith("|")][2:]
            tables[name] = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
        return numbers, tables

    return bench


@pytest.mark.slow
def test_preparing_is_compared_with_a_loop_on_each_corpus(bench, tmp_path, noise):
    for name in ("ann/a.wav", "ann/b.wav", "bob/c.wav"):
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * noise(22050), 22050)
    numbers, tables = bench("preparing", f"--source={tmp_path / 'source'}")
    found = [(each["sample_rate"], each["files"]) for each in numbers["recordings"]]
    assert found == [(16000, 3), (48000, 3), (48000, 2 * 12)]
    seconds = [each["seconds"] for each in numbers["recordings"]]
    assert seconds == pytest.approx([3, 3, 3 * 12])
    for each in numbers["recordings"]:
        for measured in each["programs"].values():
            assert len(measured["seconds"]) == 1
            # Not the memory of the machine, nor that of an empty Python.
            assert all(30 < peak < 2000 for peak in measured["mebibytes"])
    rows = tables["preparing"]
    assert len(rows) == 9 and not tables["training"]
    assert [row[-1] for row in rows if row[1] == "Python loop"] == ["1 [1, 1]"] * 3


@pytest.mark.slow
def test_steps_are_compared_with_plain_keras(bench):
    flags = ["batch=1", "patch=2048", "stride=2048", "model=dnn"]
    flags += ["arguments.depth=2", "arguments.width=0.03"]
    # One Fourier transform instead of three.
    flags += ["losses.log_spectral=0", "losses.recognizer_mel=1"]
    flags = [f"--set={each}" for each in flags]
    numbers, tables = bench("training", "--recipe=demo", *flags)
    assert len(numbers["recipes"]) == len(tables["training"]) == 2
    assert {each["precision"] for each in numbers["recipes"]} == {"float32", "mixed_bfloat16"}
    for each in numbers["recipes"]:
        assert {len(found) for found in each["seconds"].values()} == {1}
        assert [*each["seconds"]] == ["own", "plain"]
        peak = numbers["peaks"][each["precision"]]
        shares = [each["operations"] / found / peak for found in each["seconds"]["own"]]
        assert each["shares_of_peak"] == pytest.approx(shares)
        # The network has no LSTM, and its loss compares spectra.
        assert each["shares"]["lstm"] == 0 < each["shares"]["fourier"] < 1


@pytest.mark.slow
def test_plain_keras_has_the_losses_of_the_objective(script):
    training = script("training")
    changes = {"batch": 2, "patch": 512, "arguments": {"width": 0.03, "dropout": 0.0}}
    recipe = recipes.get("audiounet_4x", **changes, losses={"log_spectral": 0, "mse": 2.0})
    network = models.build(recipe.model, **recipe.network_arguments())
    (objective,) = methods.objectives(recipe, network)
    objective.compile(jit_compile=False)
    low = np.random.default_rng(0).normal(0, 0.1, (2, 512, 1)).astype(np.float32)
    batch = [low, np.roll(low, 1, axis=1)]
    expected = objective.test_on_batch(batch, return_dict=True)
    step, _ = training._plain(recipe, objective, batch)
    before = network.get_weights()[0]
    loss, *_ = step()
    assert loss == pytest.approx(expected["loss"], rel=1e-4)
    # The learning rate of the first step is 0.
    step()
    assert np.any(network.get_weights()[0] != before)


@pytest.mark.slow
def test_shipped_networks_are_compared_with_apbwe_and_commands_with_each_other(bench):
    flags = ["--files=2", "--seconds=0.3,0.5", "--file_seconds=0.5"]
    flags += ["--set=arguments.width=0.03", "--set=arguments.blocks=1"]
    numbers, tables = bench("restoring", *flags)
    factors = numbers["real_time_factors"]
    assert [*factors] == ["0.3", "0.5"]
    names = [*pretrained.names(), "apbwe"]
    assert [*factors["0.3"]] == [row[0] for row in tables["restoring"]] == names
    assert all(0.1 < share < 1 for share in numbers["network_shares"].values())
    assert [row[-1] for row in tables["restoring"]] == [
        f"{100 * share:.3g}" for share in numbers["network_shares"].values()
    ]
    assert tables["restoring"][-1][4:6] == 2 * ["1 [1, 1]"]
    assert tables["files"][-1][-1] == "1 [1, 1]"
    assert len(numbers["files"]["seconds"]) == len(tables["files"]) == 3


def test_a_page_without_marks_is_refused_before_anything_is_measured(
    script, call, error_line, tmp_path
):
    page = tmp_path / "page.md"
    page.write_text("mine")
    for part, name in (
        ("preparing", "preparing"),
        ("training", "training"),
        ("restoring", "files"),
    ):
        page.write_text("<!-- table: restoring -->\n" * 2)
        flags = (f"--page={page}", f"--output={tmp_path / 'out'}")
        code, _, err = call(script(part).command, *flags)
        assert code == 1 and f"two lines <!-- table: {name} -->" in error_line(err)
    code, _, err = call(script("training").command, f"--page={tmp_path / 'none.md'}")
    assert code == 1 and "none.md: no such file" in error_line(err)
    assert not (tmp_path / "out").exists()


def test_operations_are_those_of_the_kernels_at_all_positions(script):
    count = script("operations").count
    layers = keras.layers
    wave = np.zeros((2, 12, 4), np.float32)
    image = np.zeros((2, 6, 8, 3), np.float32)
    expected = [
        (layers.Dense(5), wave, 2 * 12 * 4 * 5),
        (layers.Conv1D(6, 3, 2, "same"), wave, 2 * 6 * 3 * 4 * 6),
        (layers.Conv1D(6, 3, groups=2, padding="same"), wave, 2 * 12 * 3 * 2 * 6),
        (layers.DepthwiseConv1D(3, padding="same"), wave, 2 * 12 * 3 * 4),
        (layers.Conv1DTranspose(5, 4, 2, "same"), wave, 2 * 12 * 4 * 4 * 5),
        (layers.Conv2D(7, (3, 2), padding="same"), image, 2 * 6 * 8 * 3 * 2 * 3 * 7),
        # Four gates, of the input and of the state.
        (layers.LSTM(5, return_sequences=True), wave, 2 * 12 * 4 * 5 * (4 + 5)),
    ]
    for layer, x, products in expected:
        assert count(lambda layer=layer, x=x: layer(x)) == 2 * products, layer.name
    # Within networks, once for each call.
    inner = keras.Sequential([keras.Input((None, 4)), layers.Dense(4), layers.ReLU()])
    outer = keras.Sequential([keras.Input((None, 4)), inner, inner])
    assert count(lambda: outer(wave)) == 2 * 2 * 2 * 12 * 4 * 4
    with pytest.raises(TypeError, match="EinsumDense"):
        count(lambda: layers.EinsumDense("abc,cd->abd", (None, 5))(wave))


def test_shares_are_those_of_lstms_and_of_fourier_transforms(script):
    lstm, x = keras.layers.LSTM(64), np.zeros((4, 32, 64), np.float32)
    lstm(x)
    every = tf.function(lambda x: (lstm(x), tf.signal.rfft(x), tf.matmul(x, x, transpose_b=True)))
    every(x)
    shares = script("profiling").shares(lambda: every(x))
    assert 0 < shares["fourier"] < shares["lstm"] < shares["lstm"] + shares["fourier"] < 1


def test_turns_alternate_and_ratios_are_those_of_each_turn(script):
    timing, order = script("timing"), []

    def measurement(name, values):
        return lambda: order.append(name) or values.pop(0)

    found = timing.take_turns(
        {"a": measurement("a", [2.0, 3.0]), "b": measurement("b", [1.0, 4.0])}, 2
    )
    assert order == ["a", "b", "a", "b"]
    assert timing.ratios(found["a"], found["b"]) == [2.0, 0.75]
    assert timing.spread([3.0, 1234.5, 0.01234]) == "3 [0.0123, 1234]"


def test_memory_is_that_of_all_processes():
    """A parent and two children with 64 MiB each, watched by a small process."""
    child = "import time; block = b'x' * 2**26; time.sleep(1)"
    parent = f"import subprocess, sys; line = [sys.executable, '-c', {child!r}]; "
    parent += "each = [subprocess.Popen(line) for _ in range(2)]; [one.wait() for one in each]"
    watch = "import processes, sys; print(processes.run([sys.executable, *sys.argv[1:]], 'x')[1])"
    line = [sys.executable, "-c", watch, "-c", parent]
    done = subprocess.run(line, capture_output=True, text=True, cwd=ROOT / "benchmarks")
    assert 128 < float(done.stdout) < 250, done.stderr
