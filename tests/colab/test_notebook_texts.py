"""What every notebook shows: its opening, its settings, flags that exist, files that exist."""

import configparser
import csv
import json
import re
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from wideband.train.overrides import parse_overrides

ROOT = Path(__file__).parents[2]
PATHS = sorted(ROOT.glob("colab/*.ipynb"))
# Those that train, and so choose between a CPU, a GPU and a TPU.
TRAINING = PATHS[1:]
NAMES = {"single": "vctk_single", "multi": "vctk_multi"}

each_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def sources(path, kind="code"):
    cells = json.loads(path.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == kind]


def cell_with(path, text):
    (found,) = [source for source in sources(path) if text in source]
    return found


def repository():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config["metadata"]["url"]


def project():
    return repository().removeprefix("https://github.com/")


def test_there_are_seven_numbered_notebooks():
    assert [path.name[:2] for path in PATHS] == [f"{number}_" for number in range(1, 8)]


@each_notebook
def test_a_notebook_is_valid_and_without_outputs(path):
    nbformat.validate(nbformat.read(path, 4))
    cells = json.loads(path.read_text())["cells"]
    for cell in cells:
        assert not cell.get("outputs") and cell.get("execution_count") is None
    assert len({cell["id"] for cell in cells}) == len(cells)


@each_notebook
def test_every_code_cell_compiles(path):
    for source in sources(path):
        compile(TransformerManager().transform_cell(source), path.name, "exec")


@each_notebook
def test_a_notebook_opens_with_its_purpose_its_times_and_its_result(path):
    opening = sources(path, "markdown")[0]
    assert opening.startswith("# ")
    header = next(line for line in opening.splitlines() if line.startswith("|"))
    assert all(machine in header for machine in ("CPU", "GPU", "TPU"))
    assert "\nAt the end, you have " in opening
    assert len(opening.split()) < 200


@each_notebook
def test_one_variable_switches_to_the_embedded_corpus_and_tiny_settings(path):
    text = "\n".join(sources(path))
    assert len(re.findall(r"^TINY = False  # @param", text, re.M)) == 1
    assert text.count("TINY = ") == 1


@each_notebook
def test_the_package_is_installed_from_the_repository_and_not_editable(path):
    cell = cell_with(path, '%pip install -q "wideband')
    assert f'SOURCE = "git+{repository()}"' in cell
    assert '@ {SOURCE}"' in cell
    assert not re.search(r"\s(-e|--editable)\b", cell)
    # The clone of a repository called wideband would be imported in place of the package.
    assert "git clone" not in "\n".join(sources(path))


def test_all_trainings_choose_the_machine_in_the_same_way():
    assert len({cell_with(path, "COLAB_TPU_1VM") for path in TRAINING}) == 1
    for path in TRAINING:
        lines = [
            line for line in "\n".join(sources(path)).splitlines() if "wideband-train " in line
        ]
        assert lines
        for line in lines:
            assert "!KERAS_BACKEND={BACKEND} wideband-train " in line and " {FAST} " in line


@each_notebook
def test_every_override_is_one_of_a_recipe(path):
    text = "\n".join([*sources(path), *sources(path, "markdown")])
    settings = re.findall(r"--set=([\w.]+=[\w.+-]+)", text)
    assert settings or path not in TRAINING
    for setting in settings:
        parse_overrides([setting])


@each_notebook
def test_links_to_the_project_work_in_colab(path):
    """Colab does not follow relative links."""
    for target in re.findall(r"\]\(([^)]+)\)", "\n".join(sources(path, "markdown"))):
        assert target.startswith("https://"), target
        if project() in target:
            address, _, file = target.partition("/blob/main/")
            notebook = "https://colab.research.google.com/github/" + project()
            assert address == (notebook if file.endswith(".ipynb") else repository())
            assert (ROOT / file).is_file(), target
        elif ".github.io/" in target:
            owner, name = project().split("/")
            assert target == f"https://{owner}.github.io/{name}/try/"


@each_notebook
def test_the_readme_has_a_badge_that_opens_the_notebook_in_colab(path):
    address = f"https://colab.research.google.com/github/{project()}/blob/main/colab/{path.name}"
    assert f"]({address})" in (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def published():
    """The published numbers: (network, data, low rate, system, metric) -> value as printed."""
    with (ROOT / "docs" / "networks" / "published.csv").open(newline="") as file:
        return {
            (row["network"], row["data"], row["low_rate"], row["system"], row["metric"]): row
            for row in csv.DictReader(file)
        }


def table(path, first_row):
    """Yields the cells of each row of the table whose first row begins with a name."""
    text = "\n".join(sources(path, "markdown"))
    lines = text[text.index(f"| {first_row} |") :].splitlines()
    for line in lines:
        if not line.startswith("|"):
            return
        yield [cell.strip(" `") for cell in line.strip("|").split("|")]


def test_the_numbers_of_the_thesis_are_those_of_the_docs(published):
    systems = {"spline": "spline", "TFNet": "tfnet", "TFiLM": "tfilm", "gionet": "gionet"}
    seen = 0
    for name, *cells in table(PATHS[2], "spline"):
        for metric, cell in zip(("segmental_snr", "lsd_bini", "wer"), cells, strict=True):
            for data, value in zip(NAMES.values(), cell.split(" / "), strict=True):
                row = published["gionet", data, "4000", systems[name], metric]
                assert row["value"] == value
                seen += 1
    assert seen == 24


@pytest.mark.parametrize(
    ("network", "systems", "tables", "count"),
    [("tfilm", ["tfilm"], 0, 5), ("audiounet", ["spline", "audiounet"], 1, 36)],
)
def test_the_numbers_of_kuleshov_and_birnbaum_are_those_of_the_docs(
    published, network, systems, tables, count
):
    text = "\n".join(sources(PATHS[3], "markdown"))
    start = text.index("Kuleshov et al. 2017, spline then AudioUNet.")
    parts = text[:start], text[start:]
    seen = 0
    for ratio, line in re.findall(r"^\| ratio (\d) \|(.*)\|$", parts[tables], re.M):
        for data, cell in zip((*NAMES.values(), "piano"), line.split("|"), strict=True):
            for system, pair in zip(systems, filter(None, cell.strip().split(", ")), strict=False):
                for metric, value in zip(
                    ("segmental_snr", "lsd_kuleshov"), pair.split(" / "), strict=False
                ):
                    low_rate = str(round(16000 / int(ratio)))
                    row = published[network, data, low_rate, system, metric]
                    assert row["value"] == value
                    # What was quoted from memory is marked.
                    assert ("memory" in row["source"]) == ("from memory" in parts[tables])
                    seen += 1
    assert seen == count
