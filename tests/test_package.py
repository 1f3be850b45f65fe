"""The structure of the project: packages, the direction of imports, the wheel, the commands."""

import ast
import configparser
import importlib
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import numpy as np
import pytest
import soundfile
from wideband.command.run import EXTRA_PACKAGES, Command

ROOT = Path(__file__).parents[1]
# A folder imports only from the folders before it.
FLOORS = ("command", "audio", "models", "data_gen", "upsample", "evaluate", "train", "web")
# The packages that restoring a recording needs; all others are in extras.
LIGHT = {"numpy", "soundfile", "soxr", "absl", "tqdm", "ai_edge_litert"}
# Modules up to upsample/ that need more than these, and the light modules among them.
HEAVY = (
    *("command/drawing.py", "audio/spectrogram.py", "audio/alignment.py"),
    *("command/beam.py", "upsample/beam.py"),
    *("data_gen", "models", "upsample/export"),
)
LIGHT_AMONG_HEAVY = (
    *("models/__init__.py", "models/pretrained.py", "models/record.py", "models/restorer.py"),
    "data_gen/__init__.py",
)


def modules(folder):
    """Yields every module of a folder with its import name."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        yield path, "wideband." + name.removesuffix(".__init__")


def imports(path, top_level=False):
    """Yields the names of the project's folders and of the other packages that a module imports.

    A relative import reaches the project's folders with one dot for each name in the module's path.
    Tools such as import-linter do not understand the package_dir of setup.cfg.
    """
    out = len(path.relative_to(ROOT).parts)
    tree = ast.parse(path.read_text())
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module).split(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.level == out:
            if node.module:
                yield node.module.split(".")[0]
            else:
                yield from (alias.name for alias in node.names)


def commands():
    """Finds the commands: import name -> Command."""
    found = {}
    for folder in FLOORS:
        for path, name in modules(folder):
            if "\ncommand = Command(" in path.read_text():
                found[name.removesuffix(".__main__")] = importlib.import_module(name).command
    return found


COMMANDS = commands()


def test_every_package_on_disk_is_in_the_wheels_list():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    folders = {path.parent.relative_to(ROOT) for path in ROOT.glob("*/**/__init__.py")}
    on_disk = {
        "wideband." + ".".join(folder.parts) for folder in folders if folder.parts[0] in FLOORS
    }
    assert set(config["options"]["packages"].split()) == on_disk
    assert len(on_disk) >= len(FLOORS)


@pytest.mark.parametrize("folder", FLOORS)
def test_a_folder_imports_from_lower_floors_only(folder):
    paths = [path for path, _ in modules(folder)]
    assert paths
    imported = {name for path in paths for name in imports(path)}
    assert imported & set(FLOORS) - {folder} <= set(FLOORS[: FLOORS.index(folder)])
    assert "wideband" not in imported


def test_the_import_graph_in_contributing_is_correct():
    def closure(edges):
        while more := {(a, d) for a, b in edges for c, d in edges if b == c} - edges:
            edges = edges | more
        return edges

    drawn = set(re.findall(r"^    (\w+) --> (\w+)$", (ROOT / "CONTRIBUTING.md").read_text(), re.M))
    real = {
        (folder, name)
        for folder in FLOORS
        for path, _ in modules(folder)
        for name in imports(path)
        if name in FLOORS and name != folder
    }
    assert closure(drawn) == closure(real)


def test_no_module_imports_itself_through_others():
    """Includes circles within a folder and imports for type checkers only."""
    graph = {}
    for folder in FLOORS:
        for path, name in modules(folder):
            package = name if path.name == "__init__.py" else name.rpartition(".")[0]
            graph[name] = set()
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom) and node.level:
                    base = package.split(".")[: len(package.split(".")) - node.level + 1]
                    base = ".".join([*base, *([node.module] if node.module else [])])
                    graph[name] |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    for name in graph:
        # A package may import its own modules inside functions.
        if (ROOT / Path(*name.split(".")[1:])).is_dir():
            graph[name] = set()

    def reachable(name, seen):
        for other in graph.get(name, set()) - seen:
            seen.add(other)
            reachable(other, seen)
        return seen

    circular = sorted(name for name in graph if name in reachable(name, set()))
    assert not circular


def test_code_that_restores_recordings_imports_light_packages_only():
    checked = 0
    for folder in FLOORS[: FLOORS.index("upsample") + 1]:
        for path, _ in modules(folder):
            name = path.relative_to(ROOT).as_posix()
            if name.startswith(HEAVY) and name not in LIGHT_AMONG_HEAVY:
                continue
            others = set(imports(path, top_level=True)) - set(FLOORS) - sys.stdlib_module_names
            # Leaves out modules of ours that are imported from a folder.
            others = {other for other in others if importlib.util.find_spec(other)}
            assert others <= LIGHT, name
            checked += 1
    assert checked > 20


def test_the_packages_of_the_extra_train_are_known_to_commands():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["options.extras_require"]["train"].strip().splitlines()
    names = (line.partition(">=")[0] for line in lines if not line.startswith("#"))
    packages = {name.replace("-", "_") for name in names}
    # TensorBoard writes the events of TensorFlow; nothing imports it.
    assert (packages - {"tensorboard", "pillow"}) | {"PIL"} == set(EXTRA_PACKAGES)


def test_networks_and_losses_run_on_every_backend():
    paths = [path for path, _ in modules("models")]
    paths += [ROOT / "train" / "losses.py", ROOT / "train" / "objective.py"]
    paths += [path for path, _ in modules("train/methods")]
    assert len(paths) >= 10
    for path in paths:
        assert not {"tensorflow", "jax", "torch"} & set(imports(path)), path


def test_no_file_is_longer_than_350_lines():
    folders = (*FLOORS, "tests", "benchmarks")
    lengths = {
        path.relative_to(ROOT).as_posix(): path.read_text().count("\n")
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
    }
    assert len(lengths) > 100
    assert not {path: n for path, n in lengths.items() if n > 350}


def test_every_command_is_found():
    assert {"wideband.data_gen", "wideband.evaluate.snr", "wideband.upsample"} <= set(COMMANDS)
    assert all(isinstance(command, Command) for command in COMMANDS.values())


@pytest.fixture(scope="module")
def loaded_by_help():
    """For each command, the modules that are loaded once its help is printed, in a new process."""
    names = [
        f"{name}.__main__" if (ROOT / Path(*name.split(".")[1:])).is_dir() else name
        for name in COMMANDS
    ]
    script = (
        "import importlib, sys\n"
        f"for name in {names}:\n"
        "    importlib.import_module(name).command(['--help'])\n"
        "    print('loaded by', name, *sorted(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [line.split()[2:] for line in done.stdout.splitlines() if line.startswith("loaded by")]


def test_help_does_not_wait_for_heavy_imports(loaded_by_help):
    assert len(loaded_by_help) == len(COMMANDS)
    for name, *loaded in loaded_by_help:
        assert not {"tensorflow", "keras", "matplotlib", "scipy", "soundfile"} & set(loaded), name


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_name_themselves_as_users_type_them(name):
    typed = COMMANDS[name].name
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["options.entry_points"]["console_scripts"].strip().splitlines()
    scripts = dict(line.split(" = ") for line in lines)
    if typed.startswith("python -m "):
        assert typed == f"python -m {name}"
    else:
        assert scripts[typed] == f"{name}.__main__:command"


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The bin folder of an environment with the wheel and the dependencies of this environment."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder / "env", with_pip=False)
    base = {"base": str(folder / "env"), "platbase": str(folder / "env")}
    python = folder / "env" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "--python", python]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", wheel], check=True)
    # Python searches the folder but ignores the .pth files in it, such as the editable install's.
    site = Path(sysconfig.get_path("purelib", vars=base))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "env" / "bin"


@pytest.mark.slow
def test_the_wheel_imports_and_runs_from_elsewhere(installed, tmp_path):
    script = (
        "import wideband.data_gen.augment, wideband.train.recipes, wideband.evaluate.metrics\n"
        "from wideband.upsample import load\n"
        "print(wideband.train.recipes.__file__)\n"
        "print(load('speech-4x').low_rate)\n"
    )
    options = {"cwd": tmp_path, "capture_output": True, "text": True}
    done = subprocess.run([installed / "python", "-c", script], **options)
    assert done.returncode == 0, done.stderr
    assert str(installed.parent) in done.stdout
    assert done.stdout.splitlines()[-1] == "4000.0"
    soundfile.write(tmp_path / "a.wav", np.zeros(400), 4000)
    line = [installed / "wideband-upsample", "a.wav", "--model=spline", "--output=b.wav"]
    done = subprocess.run(line, **options)
    assert done.returncode == 0, done.stderr
    assert soundfile.info(tmp_path / "b.wav").frames == 1600


@pytest.mark.slow
def test_the_wheel_holds_all_modules_and_data_and_no_stray_top_level_names(installed):
    site = next((installed.parent / "lib").glob("python*/site-packages"))
    for name in FLOORS:
        modules, packed = (
            {path.relative_to(folder) for path in folder.rglob("*.py")}
            for folder in (ROOT / name, site / "wideband" / name)
        )
        assert modules == packed, name
    assert (site / "wideband" / "evaluate" / "report.html.j2").is_file()
    assert (site / "wideband" / "models" / "cards" / "speech-4x.md").is_file()
    assert (site / "wideband" / "web" / "page" / "dsp" / "fft.js").is_file()
    assert (site / "wideband" / "models" / "weights" / "speech-4x" / "network.tflite").is_file()
    assert not any((site / name).exists() for name in (*FLOORS, "tests", "colab", "benchmarks"))
