"""The documentation names commands, flags and files that exist."""

import importlib
import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("models/cards/*.md")]
NOTEBOOKS = [*ROOT.glob("colab/*.ipynb")]
SCRIPTS = {
    "wideband-prepare": "wideband.data_gen.__main__",
    "wideband-train": "wideband.train.__main__",
    "wideband-evaluate": "wideband.evaluate.__main__",
    "wideband-upsample": "wideband.upsample.__main__",
    "wideband-export": "wideband.upsample.export.__main__",
    "wideband-demo": "wideband.web.__main__",
}
COMMAND = r"(wideband-(?!\d)\w+|python -m wideband[\w.]*|python benchmarks/\w+\.py)([^`|\n]*)"
# A model card's command that trained the network. Its flags are those of that time.
RECORD = re.compile(r"^\| trained (by|with) \|.*$", re.M)


def load_command(typed):
    """Imports the command that a page names."""
    if typed.startswith("python benchmarks/"):
        path = ROOT / typed.removeprefix("python ")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        # Dataclasses and commands look up the module that defines them.
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
        return module.command
    name = SCRIPTS.get(typed, typed.removeprefix("python -m "))
    folder = ROOT.joinpath(*name.split(".")[1:])
    return importlib.import_module(f"{name}.__main__" if folder.is_dir() else name).command


@pytest.mark.parametrize(
    "path", [*PAGES, *NOTEBOOKS, ROOT / "Makefile"], ids=lambda path: path.name
)
def test_every_command_exists_and_takes_its_flags(path, monkeypatch):
    # Scripts in benchmarks/ import each other.
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    text = path.read_text()
    if path.suffix == ".ipynb":
        text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    text = RECORD.sub("", text.replace("\\\n", " ").replace("$(BIN)/", ""))
    found = re.findall(COMMAND, text)
    assert found
    for typed, rest in found:
        help = load_command(typed).help()
        defined = re.findall(r"^  --(?:\[no\])?(\w+):", help, re.M)
        allowed = {*defined, *(f"no{flag}" for flag in defined), "help"}
        assert set(re.findall(r"--(\w+)", rest)) <= allowed, typed


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_are_clean_and_their_python_compiles(path):
    cells = [each for each in json.loads(path.read_text())["cells"] if each["cell_type"] == "code"]
    assert cells
    for cell in cells:
        assert not cell["outputs"] and cell["execution_count"] is None
        source = "".join(cell["source"])
        compile(re.sub(r"^(\s*)[!%].*$", r"\1pass", source, flags=re.M), path.name, "exec")


@pytest.mark.parametrize(
    "path", [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"], ids=lambda path: path.name
)
def test_every_link_leads_to_a_file(path):
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", path.read_text()):
        assert (path.parent / target).is_file(), target
