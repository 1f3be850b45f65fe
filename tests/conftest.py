"""Fixtures of several folders: waves, commands, networks, a small dataset and a run on it."""

import configparser
import csv
import functools
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

# Other tests run on the other cores. Threads that wait there for each other would keep them busy.
# NumPy takes this when it is imported.
os.environ |= dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1"
)

import numpy as np
import pytest
from seeds import seed_networks
from whisper_model import whisper_model  # noqa: F401
from wideband.command import keras_start

# oneDNN prepares kernels for every new shape, which takes longer than these small computations.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

# As in the process of a command.
keras_start.quicken()

# The background jobs of some shells ignore SIGINT, and those of nohup SIGHUP. The processes that
# tests start would inherit this.
for number, handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGTERM, signal.SIG_DFL),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, handler)


def pytest_collection_finish():
    """Makes Keras quicker, and keeps the garbage collector from visiting all modules again.

    Networks restore step by step, but the fixture `graphs` undoes this, and the commands that tests
    start as processes have graphs.
    """
    if "keras" in sys.modules:
        import keras
        import step_by_step

        # To say in errors what a layer was called with takes a sixth of the time of its call.
        keras.config.disable_traceback_filtering()
        step_by_step.restore_step_by_step()
    gc.freeze()


@pytest.fixture
def graphs(monkeypatch):
    """Lets networks restore as users have it, with graphs."""
    from wideband.models.system import Network

    monkeypatch.setattr(Network, "restore", getattr(Network.restore, "compiled", Network.restore))


@pytest.fixture(scope="session")
def jax_environment():
    """The environment of processes with Keras on JAX, which compile quickly.

    Compiling takes longer than what the optimizations of the compiler save, and longer in parts.
    """
    flags = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
    flags += " --xla_cpu_parallel_codegen_split_count=1"
    return os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}


@pytest.fixture(scope="session")
def noise():
    """Returns a function that makes white noise of RMS 0.1, (n,) float32."""

    def noise(n, seed=0):
        return np.random.default_rng(seed).normal(0, 0.1, n).astype(np.float32)

    return noise


@pytest.fixture(scope="session")
def tone():
    """Returns a function that makes a sine of amplitude 0.5, (n,) float32."""

    def tone(n, hz, sample_rate=16000):
        return (0.5 * np.sin(2 * np.pi * hz * np.arange(n) / sample_rate)).astype(np.float32)

    return tone


@pytest.fixture(scope="session")
def rows():
    """Returns a function that reads the rows of a CSV file."""

    def rows(path):
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    return rows


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Returns a function that installs a package with entry points for wideband."""
    from wideband.command import extensions

    def package(name, code, **entries):
        """Writes a package of one module; `entries` are its networks=... and recipes=..."""
        folder = tmp_path / "site"
        (folder / f"{name}-0.1.dist-info").mkdir(parents=True)
        (folder / f"{name}.py").write_text(code)
        (folder / f"{name}-0.1.dist-info" / "METADATA").write_text(f"Name: {name}\nVersion: 0.1\n")
        lines = [f"[wideband.{group}]\n{lines}\n" for group, lines in entries.items()]
        (folder / f"{name}-0.1.dist-info" / "entry_points.txt").write_text("".join(lines))
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.delitem(sys.modules, name, raising=False)

    extensions._installed.cache_clear()
    yield package
    monkeypatch.undo()
    extensions._installed.cache_clear()


@pytest.fixture
def call(capsys):
    """Returns a function that runs a command in this process: (exit code, stdout, stderr)."""

    def call(command, *arguments):
        capsys.readouterr()
        code = command([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return call


@pytest.fixture(scope="session")
def file_limit():
    """Returns a context in which no file can grow beyond a number of bytes, as on a full disk."""
    resource = pytest.importorskip("resource")

    @contextmanager
    def file_limit(limit):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return file_limit


@pytest.fixture(scope="session")
def error_line():
    """Returns a function that checks that an output is one error line, and returns that line."""

    def error_line(output):
        assert output.startswith("error: ") and output.count("\n") == 1, output
        return output.rstrip("\n")

    return error_line


@pytest.fixture(scope="session")
def outline():
    """Builds a network, by its name or a function, without its initial weights.

    To draw these can take many seconds.
    """
    import keras
    from wideband import models

    def outline(name, **arguments):
        build = name if callable(name) else functools.partial(models.build, name)
        with keras.StatelessScope(initialize_variables=False):
            network = build(**arguments)
        # Otherwise Keras would draw the weights when the next network is built.
        keras.utils.clear_session(free_memory=False)
        return network

    return outline


@pytest.fixture(scope="session")
def make_dataset():
    """Returns a function that writes a finished dataset, as wideband-prepare does."""
    from wideband.data_gen import shards

    def make_dataset(folder, examples, **settings):
        """Writes examples, a dict of lists by split; returns the folder."""
        settings = {
            "corpus": "folder",
            "split_rule": "speaker",
            "valid_fraction": 0.05,
            "test_fraction": 0.1,
            "seed": 0,
            "sample_rate": 16000,
            "ratio": 4,
            "protocol": "decimate_spline",
            "patch": 256,
            **settings,
        }
        folder.mkdir(parents=True, exist_ok=True)
        manifest = []
        for split, written in examples.items():
            shards.write(folder / f"{split}-00000.tfrecord", written)
            samples = {}
            for each in written:
                start = round(each.start_seconds * settings["sample_rate"])
                samples[each.name] = start + len(each.high)
            manifest += [
                {
                    "split": split,
                    "path": each.name,
                    "speaker": each.speaker,
                    "seconds": f"{samples[each.name] / settings['sample_rate']:.3f}",
                    "samples": samples[each.name],
                    "text": each.text,
                    "reason": "",
                }
                for each in {each.name: each for each in written}.values()
            ]
        (folder / "dataset.json").write_text(json.dumps(settings))
        with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(manifest[0]))
            writer.writeheader()
            writer.writerows(manifest)
        return folder

    return make_dataset


@pytest.fixture(scope="session")
def data(make_dataset, tmp_path_factory):
    """A finished dataset of chirps in noise."""
    from wideband.data_gen import degrade, shards

    rng = np.random.default_rng(0)
    splits = {}
    for split, count in (("train", 6), ("valid", 2), ("test", 2)):
        splits[split] = []
        for number in range(count):
            phase = np.cumsum(np.linspace(0.05, 2.5, 8192) * rng.uniform(0.5, 1.2))
            high = (0.3 * np.sin(phase) + rng.normal(0, 0.01, 8192)).astype(np.float32)
            low = degrade.decimate(high, 4)
            # As in a corpus with every recording in two formats.
            name = f"{split}{number // 2}.{('wav', 'flac')[number % 2]}"
            splits[split].append(shards.Example(name, "someone", "", 0.0, high, low))
    silence = np.zeros(8192, np.float32)
    splits["valid"].append(shards.Example("silence.wav", "", "", 0.0, silence, silence[::4]))
    return make_dataset(tmp_path_factory.mktemp("data"), splits)


@pytest.fixture(scope="session")
def run(data, tmp_path_factory):
    """A run folder as wideband-train writes it; the network has random weights."""
    import keras
    from wideband import models
    from wideband.models.record import Record, Timings

    folder = tmp_path_factory.mktemp("runs") / "small"
    folder.mkdir()
    recipe = {
        "name": "demo",
        "source": "ours",
        "model": "audiounet",
        "arguments": {"width": 0.03},
        "sample_rate": 16000,
        "ratio": 4,
        "protocol": "decimate_spline",
        "patch": 8192,
        "batch": 8,
        "steps_per_epoch": 100,
        "precision": "float32",
        "seed": 0,
    }
    seed_networks(0)
    network = models.build(recipe["model"], **recipe["arguments"])
    rng = np.random.default_rng(0)
    network.set_weights(
        [
            rng.normal(0, 0.1, weight.shape) if weight.dtype == np.float32 else weight
            for weight in network.get_weights()
        ]
    )
    network.save_weights(folder / "best.weights.h5")
    Record(
        recipe,
        data=str(data),
        flags=["--recipe=demo"],
        versions={"keras": keras.__version__},
        machine="a machine",
        timings=Timings(epochs=3, seconds=65.0),
    ).write(folder)
    return folder


@pytest.fixture(scope="session")
def any_band_run(run, tmp_path_factory):
    """A run folder of a network for any band, with random weights."""
    from wideband import models
    from wideband.models.record import Record

    folder = tmp_path_factory.mktemp("runs") / "any_band"
    folder.mkdir()
    record = Record.read(run)
    arguments = models.small("overtonenet")
    record.recipe |= {"name": "speech", "model": "overtonenet", "arguments": arguments, "ratio": 1}
    record.write(folder)
    seed_networks(0)
    network = models.build("overtonenet", **arguments)
    rng = np.random.default_rng(1)
    network.set_weights([w + rng.normal(0, 0.05, w.shape) for w in network.get_weights()])
    network.save_weights(folder / "best.weights.h5")
    return folder


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The wheel of this checkout, built from a copy so that the checkout stays clean."""
    root = Path(__file__).parents[1]
    folder = tmp_path_factory.mktemp("wheel")
    config = configparser.ConfigParser()
    config.read(root / "setup.cfg")
    for name in {name.split(".")[1] for name in config["options"]["packages"].split()}:
        shutil.copytree(
            root / name, folder / "tree" / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, folder / "tree")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "wheel", "--no-deps"]
    offline = ["--no-build-isolation", "--no-index", "-w", str(folder)]
    subprocess.run([*pip, *offline, str(folder / "tree")], check=True)
    return next(folder.glob("wideband-*.whl"))
