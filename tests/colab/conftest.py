"""A Jupyter kernel for all notebooks, and what they share: a small dataset."""

import csv
import itertools
import os
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient
from wideband import audio
from wideband.data_gen import synthesize

NOTEBOOKS = Path(__file__).parents[2] / "colab"
FIXTURES = Path(__file__).parents[1] / "fixtures"
SETUP = Path(__file__).with_name("in_kernel.py").read_text()
# The small corpus: two voices for training with two sentences each, one for each other split.
VOICES = ("beth", "finn", "ida", "leo")
LIMIT = 1800  # seconds, for a kernel that hangs; a loaded machine is slow
SENTENCES = ("The fresh fox chose six smooth shells.", "Please dial nine two four.")


@pytest.fixture(scope="session")
def kernel(tmp_path_factory):
    """A kernel, which imports TensorFlow once for all notebooks, and its client."""
    folder = str(tmp_path_factory.mktemp("kernel"))
    paths = [str(FIXTURES), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    manager, client = start_new_kernel(startup_timeout=LIMIT, cwd=folder, env=environment)
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """The folder of an embedded corpus of a few sentences."""
    folder, rows, texts = tmp_path_factory.mktemp("corpus"), [], itertools.cycle(SENTENCES)
    with synthesize.start_espeak() as speak:
        for voice in synthesize.VOICES:
            if voice.name not in VOICES:
                continue
            for number in range(2 if voice.split == "train" else 1):
                text, path = next(texts), f"{voice.split}/{voice.name}/{number}.wav"
                wave, sample_rate = speak(voice, text)
                audio.write(folder / path, wave, sample_rate)
                facts = {"split": voice.split, "path": path, "speaker": voice.name, "text": text}
                rows.append({**facts, "seconds": f"{len(wave) / sample_rate:.3f}"})
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture(scope="session")
def dataset(corpus, tmp_path_factory):
    """The folder of the dataset that wideband-prepare makes from the small corpus."""
    from wideband.data_gen.__main__ import command

    folder = tmp_path_factory.mktemp("dataset") / "data"
    shutil.copytree(corpus, folder / "recordings")
    assert command(["--corpus=demo", "--ratio=4", f"--output={folder}", "--workers=1"]) == 0
    return folder


@pytest.fixture
def run_cells(kernel, tmp_path):
    """Returns a function that executes the cells of a notebook in an empty folder."""

    def run_cells(sources):
        """Returns the executed notebook."""
        # Otherwise, the garbage collector would visit all modules over and over.
        start = "import gc; gc.freeze()\n%reset -f"
        sources = [f"{start}\n%cd -q {tmp_path}\n{SETUP}", *sources]
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        manager, channels = kernel
        notebook = nbformat.v4.new_notebook(cells=cells)
        client = NotebookClient(notebook, km=manager, timeout=LIMIT, iopub_timeout=LIMIT)
        client.kc = channels
        return client.execute()

    return run_cells


@pytest.fixture
def execute(run_cells, corpus, dataset, tmp_path):
    """Returns a function that executes a notebook with tiny settings."""

    def execute(name, prepared=(), recordings=()):
        """Returns the executed notebook.

        Folders that are `prepared` hold the dataset already, so that wideband-prepare only checks
        it. In the folders of `recordings`, it makes the dataset from the small corpus.
        """
        for folder in prepared:
            shutil.copytree(dataset, tmp_path / folder)
        for folder in recordings:
            shutil.copytree(corpus, tmp_path / folder / "recordings")
        cells = nbformat.read(NOTEBOOKS / name, 4).cells
        sources = [cell.source for cell in cells if cell.cell_type == "code"]
        return run_cells(re.sub(r"^TINY = False", "TINY = True", x, flags=re.M) for x in sources)

    return execute
