"""A quicker start of Keras in the process of a command."""

import gc
import sys

# Keras imports these, if they are installed, for parts of it that no command uses, and so do Keras
# and TensorFlow with JAX. They take a third of the time of the start.
_UNUSED = ("sklearn", "matplotlib", "IPython")


class _Unused:
    """Hides packages from Keras, as if they were not installed, until it has started."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if (name in _UNUSED and _starts("keras")) or (name == "jax" and _starts_tensorflow()):
            raise ModuleNotFoundError(f"No module named {name!r} here", name=name)


def _starts(library: str) -> bool:
    """Whether a library is half imported: it has its version in the end."""
    return library in sys.modules and not hasattr(sys.modules[library], "__version__")


def _starts_tensorflow() -> bool:
    """Whether TensorFlow is half imported, or Keras with TensorFlow for its backend."""
    backend = "keras.src.backend.tensorflow"
    return _starts("tensorflow") or (_starts("keras") and backend in sys.modules)


def quicken() -> None:
    """Lets Keras start without packages that it does not need. To be called once."""
    sys.meta_path.insert(0, _Unused())
    # Modules are no garbage: by default, a tenth of the start is to look for some among them.
    gc.set_threshold(20_000)
