"""The documentation names commands, flags, Python names, recipes and files that exist."""

import ast
import configparser
import importlib
import importlib.util
import json
import re
import shlex
import sys
from pathlib import Path

import pytest
from wideband.audio import interpolate
from wideband.models import pretrained
from wideband.train import recipes
from wideband.train.overrides import parse_overrides

ROOT = Path(__file__).parents[1]
GUIDES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
PAGES = [*GUIDES, *sorted(ROOT.glob("models/cards/*.md"))]
NOTEBOOKS = sorted(ROOT.glob("colab/*.ipynb"))
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg")
SCRIPTS = dict(
    line.removesuffix(":command").split(" = ")
    for line in SETUP["options.entry_points"]["console_scripts"].strip().splitlines()
)
COMMAND = r"(wideband-(?!\d)\w+|python -m wideband[\w.]*|python benchmarks/\w+\.py)([^`|\n]*)"
# A model card's command that trained the network. Its flags are those of that time.
RECORD = re.compile(r"^\| trained (by|with) \|.*$", re.M)


def short(path):
    return path.relative_to(ROOT).as_posix()


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


def read(path):
    """Returns the text of a page or the sources of a notebook, with joined lines."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    return RECORD.sub("", re.sub(r"\\\n\s*", "", text)).replace("$(BIN)/", "")


def blocks(path, language=""):
    """Returns the code blocks of a page in one language."""
    found = re.findall(r"^ *```(\w*)\n(.*?)^ *```$", read(path), re.M | re.S)
    return [block for name, block in found if name == language]


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    """Lets the scripts in benchmarks/ import each other."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")


@pytest.mark.parametrize("path", [*PAGES, *NOTEBOOKS, ROOT / "Makefile"], ids=short)
def test_every_command_exists_and_takes_its_flags(path):
    for typed, rest in re.findall(COMMAND, read(path)):
        help = load_command(typed).help()
        defined = re.findall(r"^  --(?:\[no\])?(\w+):", help, re.M)
        allowed = {*defined, *(f"no{flag}" for flag in defined), "help", "version"}
        # Those behind --runner are flags of Apache Beam.
        own, _, _ = rest.partition(" --runner=")
        assert set(re.findall(r"--(\w+)", own)) <= allowed, typed


def command_lines(path):
    """Yields the command lines in the code blocks of a page, without redirections."""
    for block in blocks(path):
        for typed, rest in re.findall(rf"^{COMMAND}$", block, re.M):
            # "..." leaves something out.
            if "..." not in rest:
                yield typed, re.sub(r"[<>]\S+", "", rest)


@pytest.mark.parametrize("path", GUIDES, ids=short)
def test_command_lines_are_parsed(path):
    for typed, rest in command_lines(path):
        command = load_command(typed)
        flags = command._flags()
        command._parse(flags, shlex.split(rest))
        if typed == "wideband-train":
            recipes.get(flags.recipe, **parse_overrides(flags.set))


@pytest.mark.parametrize("path", PAGES, ids=short)
def test_models_that_are_named_exist(path):
    known = {*pretrained.names(), *interpolate.METHODS, "NAME", "DIR", "FILE"}
    text = read(path)
    found = {*re.findall(r'load\("([^"]+)"\)', text), *re.findall(r"--model=([^\s`|]+)", text)}
    # All others are paths.
    assert {each for each in found if not re.search(r"[/.=]", each)} <= known


def test_the_guides_have_command_lines():
    assert sum(len([*command_lines(path)]) for path in GUIDES) > 50


@pytest.mark.parametrize("path", GUIDES, ids=short)
def test_python_compiles_and_imports_what_exists(path):
    for block in blocks(path, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("wideband"):
                module = importlib.import_module(node.module)
                for alias in node.names:
                    name = f"{node.module}.{alias.name}"
                    assert hasattr(module, alias.name) or importlib.util.find_spec(name), name


@pytest.mark.parametrize("path", GUIDES, ids=short)
def test_extras_and_targets_of_make_exist(path):
    text = read(path)
    extras = set(SETUP["options.extras_require"])
    for found in re.findall(r"'\.\[([\w,]+)\]'", text):
        assert set(found.split(",")) <= extras
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"(?:^|`)make (\w+)", text, re.M)) <= targets


@pytest.mark.parametrize(
    "path", [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"], ids=short
)
def test_every_link_leads_to_a_file(path):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).is_file(), target


@pytest.mark.parametrize("page", ["README.md", "docs/browser.md"])
def test_the_page_to_try_is_linked_where_it_is_published(page):
    owner, name = SETUP["metadata"]["url"].split("/")[-2:]
    assert f"](https://{owner}.github.io/{name}/try/)" in (ROOT / page).read_text(encoding="utf-8")


def test_the_readme_is_short():
    assert (ROOT / "README.md").read_text(encoding="utf-8").count("\n") <= 150


def test_the_citation_names_this_version():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    metadata = SETUP["metadata"]
    assert f"\nversion: {metadata['version']}\n" in citation
    assert f"\nrepository-code: {metadata['url']}\n" in citation
