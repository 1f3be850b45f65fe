"""Keras starts without packages that no command uses, which load afterwards as ever."""

import pytest

# Like the start of Keras, which has its version at the end.
KERAS = """
seen = []
for name in ("sklearn", "matplotlib.pyplot", "colorsys"):
    try:
        __import__(name)
        seen.append(name)
    except ImportError:
        pass
__version__ = "3"
"""
# A command that imports them, before and after Keras.
LINES = (
    "{}import keras, sklearn, matplotlib.pyplot",
    "print(keras.seen, sklearn.__name__, matplotlib.pyplot.__name__)",
)
AFTER = "sklearn matplotlib.pyplot\n"


@pytest.fixture
def packages(tmp_path):
    """Packages with the names of Keras, scikit-learn and Matplotlib, next to the program."""
    (tmp_path / "keras.py").write_text(KERAS)
    (tmp_path / "sklearn.py").touch()
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


def test_a_command_that_is_called_as_a_function_hides_nothing(packages, script, start):
    path = script(LINES[0].format(""), LINES[1])
    # The last line starts the process as a command.
    path.write_text(path.read_text().replace("command()", "command([])"))
    seen = ["sklearn", "matplotlib.pyplot", "colorsys"]
    assert start(path).communicate()[0] == f"{seen} {AFTER}"
