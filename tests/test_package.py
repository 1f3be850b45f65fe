"""The house's frame: packages, the directions of imports, the wheel, and quick help."""

import ast
import configparser
import functools
import json
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).parents[1]
STAGES = ("data_gen", "models", "upsample", "evaluate", "train")
# stage: the stages that it may know
KNOWS = {
    "data_gen": set(),
    "models": set(),
    "upsample": {"data_gen", "models"},
    "evaluate": {"data_gen", "models", "upsample"},
    "train": {"data_gen", "models", "upsample", "evaluate"},
}
# every module that is a command with flags
COMMANDS = [
    "wideband." + ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
    for stage in STAGES
    for path in sorted((ROOT / stage).rglob("*.py"))
    if "run_command(main)" in path.read_text()
]


def packages():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config["options"]["packages"].split()


def imports(path):
    """Names of what a module imports, relative ones resolved: `..models.x` is models.

    As many dots lead out of the stage as there are names from the root to the module.
    """
    out = len(path.relative_to(ROOT).parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module).split(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.level == out:
            if node.module:
                yield node.module.split(".")[0]
            else:
                yield from (alias.name for alias in node.names)


def test_every_stage_with_commands_is_found():
    assert {"wideband.data_gen", "wideband.evaluate.snr", "wideband.upsample"} <= set(COMMANDS)


def test_every_package_on_disk_is_in_the_wheels_list():
    folders = {path.parent.relative_to(ROOT) for path in ROOT.glob("*/**/__init__.py")}
    on_disk = {
        "wideband." + ".".join(folder.parts) for folder in folders if folder.parts[0] in STAGES
    }
    assert set(packages()) == on_disk
    assert len(on_disk) >= len(STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_imports_go_one_way(stage):
    files = list((ROOT / stage).rglob("*.py"))
    assert files
    known = {name for path in files for name in imports(path)} & set(STAGES)
    assert known - {stage} <= KNOWS[stage]
    assert "wideband" not in {name for path in files for name in imports(path)}


def test_networks_and_losses_run_on_every_backend():
    files = [*(ROOT / "models").rglob("*.py"), ROOT / "train" / "losses.py"]
    assert len(files) >= 3
    for path in files:
        assert not {"tensorflow", "jax", "torch"} & set(imports(path)), path


@functools.cache
def help_of(command):
    """What a command prints for --help, and in a last line which heavy imports it took."""
    script = (
        "import runpy, sys\n"
        f"sys.argv = [{command!r}, '--help']\n"
        "try:\n"
        f"    runpy.run_module({command!r}, run_name='__main__')\n"
        "except SystemExit:\n"
        "    heavy = {'tensorflow', 'keras', 'matplotlib', 'scipy.signal', 'soundfile'}\n"
        "    print('loaded:', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "flags:" in done.stdout, done.stderr
    return done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_does_not_wait_for_heavy_imports(command):
    assert help_of(command).splitlines()[-1] == "loaded: []"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The bin folder of an environment that holds the wheel, and the dependencies of this one."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    # A copy, so that building leaves nothing in the checkout.
    for name in STAGES:
        shutil.copytree(ROOT / name, folder / "tree" / name)
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "tree")
    subprocess.run(
        [
            *pip,
            "wheel",
            "--no-deps",
            "--no-build-isolation",
            "--no-index",
            "-w",
            folder,
            folder / "tree",
        ],
        check=True,
    )
    venv.create(folder / "env", with_pip=False)
    site = Path(
        sysconfig.get_path(
            "purelib", vars={"base": str(folder / "env"), "platbase": str(folder / "env")}
        )
    )
    wheel = next(folder.glob("wideband-*.whl"))
    python = folder / "env" / "bin" / "python"
    subprocess.run(
        [*pip, "--python", python, "install", "--no-deps", "--no-index", wheel], check=True
    )
    # Named in a .pth file, a folder is searched, but the editable install in it is not started.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "env" / "bin"


def test_the_wheel_imports_and_runs_from_elsewhere(installed, tmp_path):
    script = (
        "import wideband.data_gen.pipeline, wideband.train.fit, wideband.evaluate.report\n"
        "from wideband.upsample import Upsampler\n"
        "from wideband import models\n"
        "print(models.build('audiounet', width=0.02).count_params(), models.__file__)\n"
        "print(Upsampler.from_pretrained('speech-4x').low_rate)\n"
    )
    done = subprocess.run(
        [installed / "python", "-c", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert str(installed.parent) in done.stdout
    assert done.stdout.splitlines()[-1] == "4000.0"
    soundfile.write(tmp_path / "a.wav", np.zeros(400), 4000)
    done = subprocess.run(
        [installed / "wideband-upsample", "a.wav", "--model=spline", "--output=b.wav"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert soundfile.info(tmp_path / "b.wav").frames == 1600


def test_the_wheel_holds_the_template_and_no_stray_top_level_names(installed):
    site = next((installed.parent / "lib").glob("python*/site-packages"))
    assert (site / "wideband" / "evaluate" / "report.html.j2").is_file()
    assert (site / "wideband" / "models" / "cards" / "speech-4x.md").is_file()
    assert not any((site / name).exists() for name in (*STAGES, "tests", "colab"))


SCRIPTS = {
    "wideband-prepare": "wideband.data_gen",
    "wideband-train": "wideband.train",
    "wideband-evaluate": "wideband.evaluate",
    "wideband-upsample": "wideband.upsample",
    "wideband-export": "wideband.upsample.export",
}
DOCS = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("colab/*.ipynb"), ROOT / "Makefile"]
DOCS += ROOT.glob("models/cards/*.md")


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_command_in_the_docs_exists_and_has_the_flags_it_is_given(path):
    text = path.read_text()
    if path.suffix == ".ipynb":
        text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    lines = text.replace("\\\n", " ").splitlines()
    commands = re.findall(
        r"(wideband-(?!\d)\w+|python -m wideband[\w.]*)([^`|]*)", "\n".join(lines)
    )
    assert commands
    for command, rest in commands:
        module = SCRIPTS.get(command, command.removeprefix("python -m "))
        if module == "wideband.models":  # takes no flags
            continue
        assert module in COMMANDS
        defined = re.findall(r"^  --(?:\[no\])?(\w+):", help_of(module), re.M)
        given = re.findall(r"--(\w+)", rest.splitlines()[0] if rest else "")
        assert set(given) <= {*defined, "help"}, command


@pytest.mark.parametrize("path", [*ROOT.glob("colab/*.ipynb")], ids=lambda path: path.name)
def test_notebooks_are_clean_and_their_python_compiles(path):
    notebook = json.loads(path.read_text())
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert cells
    for cell in cells:
        assert not cell["outputs"] and cell["execution_count"] is None
        source = "".join(cell["source"])
        compile(re.sub(r"^(\s*)[!%].*$", r"\1pass", source, flags=re.M), path.name, "exec")


def test_every_link_in_the_docs_leads_to_a_file():
    pages = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md"))
    for path in [*pages, *ROOT.glob("models/cards/*.md")]:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", path.read_text()):
            assert (path.parent / target).is_file(), f"{path.name}: {target}"
