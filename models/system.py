"""Systems and networks: what a recipe trains and an upsampler applies.

A *network* is a Keras model. A *system* restores waves with one or more networks. Only waves cross
its border: spectra and other features stay inside, in keras.ops. The networks of the classic papers
are systems of themselves.
"""

from inspect import signature

import keras
import numpy as np


class System:
    """Restores waves, and says what its training compares.

    It is a `models.restorer.Restorer`; the attributes are described there.
    """

    wants: str
    multiple: int
    context: int | None
    patch: int | None = None
    window: int | None = None
    streaming: bool = False
    delay: int = 0
    ratio: int  # of a system that wants "low"

    @property
    def factor(self) -> int:
        """Output samples per input sample."""
        return self.ratio if self.wants == "low" else 1

    def networks(self) -> dict[str, keras.Model]:
        """Returns the networks that are trained and shipped, by name.

        It is no property: Keras reads all properties of a model when it saves or loads weights, and
        would follow a network that contains itself without end.
        """
        raise NotImplementedError

    def generate(self, low: keras.KerasTensor, high: keras.KerasTensor) -> keras.KerasTensor:
        """Returns what a loss compares with `target(high)`: a wave, or a feature of one.

        Args:
            low: (batch, n, 1), as the system wants it.
            high: (batch, factor n, 1), the reference.
        """
        raise NotImplementedError

    def target(self, high: keras.KerasTensor) -> keras.KerasTensor:
        """Returns what `generate` should have returned, from the reference (batch, n, 1)."""
        raise NotImplementedError

    def restore(self, windows: np.ndarray) -> np.ndarray:
        """Restores windows (batch, n, 1), to (batch, factor n, 1)."""
        raise NotImplementedError


class Network(System, keras.Model):
    """A functional Keras model from wave to wave; its constructor arguments are its configuration.

    The constructor of a paper's network ends with that of keras.Model, then keeps each of its own
    arguments as an attribute of the same name.
    """

    def networks(self) -> dict[str, keras.Model]:
        """Returns the network itself."""
        return {"network": self}

    def generate(self, low: keras.KerasTensor, high: keras.KerasTensor) -> keras.KerasTensor:
        """Returns the restored wave (batch, factor n, 1)."""
        return self(low)

    def target(self, high: keras.KerasTensor) -> keras.KerasTensor:
        """Returns the reference itself."""
        return high

    def restore(self, windows: np.ndarray) -> np.ndarray:
        """Restores windows (batch, n, 1), to (batch, factor n, 1)."""
        return self.predict_on_batch(windows)

    def session(self) -> "Network":
        """Returns the network: its windows do not depend on each other."""
        return self

    def get_config(self) -> dict:
        """Returns the constructor arguments, from which Keras rebuilds the network."""
        return {name: getattr(self, name) for name in signature(self.__init__).parameters}
