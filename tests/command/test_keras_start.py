"""Keras starts without packages that no command uses, which load afterwards as ever."""

import pytest

# Like the start of Keras and TensorFlow, which have their versions at the end.
KERAS = """
import sys
seen = []
def load(*names):
    for name in names:
        try:
            __import__(name)
            seen.append(name)
        except ImportError:
            pass
load("sklearn", "matplotlib.pyplot", "IPython", "colorsys")
import tensorflow
sys.modules["keras.src.backend.tensorflow"] = tensorflow
load("jax")
__version__ = "3"
"""
TENSORFLOW = """
import sys
sys.modules["keras"].load("jax")
__version__ = "2"
"""
# A command that imports them, before and after Keras.
LINES = (
    "{}import keras, sklearn, matplotlib.pyplot, IPython, jax",
    "print(keras.seen, sklearn.__name__, matplotlib.pyplot.__name__, jax.__name__)",
)
AFTER = "sklearn matplotlib.pyplot jax\n"


@pytest.fixture
def packages(tmp_path):
    """Packages with the names of Keras, TensorFlow and others, next to the program."""
    (tmp_path / "keras.py").write_text(KERAS)
    (tmp_path / "tensorflow.py").write_text(TENSORFLOW)
    for name in ("sklearn", "IPython", "jax"):
        (tmp_path / f"{name}.py").touch()
    (tmp_path / "matplotlib").mkdir()
    (tmp_path / "matplotlib" / "__init__.py").touch()
    (tmp_path / "matplotlib" / "pyplot.py").touch()


@pytest.mark.parametrize(
    ("first", "seen"),
    [("", ["colorsys"]), ("import sklearn; ", ["sklearn", "colorsys"])],
)
def test_keras_starts_without_packages_that_load_afterwards(packages, script, start, first, seen):
    process = start(script(*(line.format(first) for line in LINES)))
    assert process.communicate() == (f"{seen} {AFTER}", "")


def test_keras_finds_jax_as_its_backend_after_tensorflow(packages, script, start, tmp_path):
    (tmp_path / "keras.py").write_text(KERAS.replace(".backend.tensorflow", ".backend.jax"))
    (tmp_path / "tensorflow.py").write_text("__version__ = '2'\n")
    process = start(script("import tensorflow, keras", "print(keras.seen)"))
    assert process.communicate() == ("['colorsys', 'jax']\n", "")


def test_a_command_that_is_called_as_a_function_hides_nothing(packages, script, start):
    path = script(LINES[0].format(""), LINES[1])
    # The last line starts the process as a command.
    path.write_text(path.read_text().replace("command()", "command([])"))
    seen = ["sklearn", "matplotlib.pyplot", "IPython", "colorsys", "jax", "jax"]
    assert start(path).communicate()[0] == f"{seen} {AFTER}"
