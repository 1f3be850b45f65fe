"""A quicker start of Keras in the process of a command."""

import sys

# Keras imports these, if they are installed, for parts of it that no command uses. They take a
# third of the time of its start.
_UNUSED = ("sklearn", "matplotlib.pyplot")


class _Unused:
    """Hides packages from Keras, as if they were not installed, until it has started."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name in _UNUSED:
            keras = sys.modules.get("keras")
            # Keras has its version in the end.
            if keras is not None and not hasattr(keras, "__version__"):
                raise ModuleNotFoundError(f"No module named {name!r} here", name=name)


def quicken() -> None:
    """Lets Keras start without packages that it does not need. To be called once."""
    sys.meta_path.insert(0, _Unused())
