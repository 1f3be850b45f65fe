"""Benchmarks are scripts: tests import them by path, since they are not in the package."""

import importlib.util
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """Returns a function that imports a benchmark by its name."""
    # Scripts import their neighbours as plain modules.
    monkeypatch.syspath_prepend(FOLDER)

    def script(name):
        spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        return module

    return script
