"""Systems and networks: what a recipe trains and an upsampler applies.

A *network* is a Keras model. A *system* restores waves with one or more networks. Its inputs and
outputs are waves; it computes spectra and other features inside, with keras.ops. The network of a
classic paper is a system by itself.
"""

from collections.abc import Mapping
from inspect import signature
from typing import Any

import keras
import numpy as np

from .limits import check_arguments, check_wave
from .restorer import ONE_CHANNEL, Recording, Restorer

# JAX has no other compiler, and would run a network operation by operation. With TensorFlow, XLA is
# slow on CPUs, where its one-dimensional convolutions are slow, too, and compiling takes seconds.
NEEDS_XLA = keras.config.backend() == "jax"

# Predictions by name. Each is a tensor, or several tensors by name.
Outputs = dict[str, Any]


class System:
    """Restores waves, and defines what the losses of its training compare.

    A system is a `restorer.Restorer`, which describes the attributes.

    Attributes:
        ratio: the high rate over the low rate; only systems that want "low" have it.
        sample_rate: the only high rate in Hz that the system takes; None if it takes all.
        parts: the SHA-256 of the weights of networks in it that were trained elsewhere, by name.
        iterated: whether iterations amplify its rounding errors, as those of Griffin-Lim do.
    """

    name: str
    wants: str
    multiple: int
    context: int | None
    patch: int | None = None
    windows: tuple[int, ...] = ()
    streaming: bool = False
    delay: int = 0
    band_hz: tuple[float, float] | None = None
    ratio: int
    sample_rate: int | None = None
    parts: Mapping[str, str] = {}
    iterated: bool = False

    @property
    def factor(self) -> int:
        """The number of output samples per input sample."""
        return self.ratio if self.wants == "low" else 1

    def networks(self) -> dict[str, keras.Model]:
        """Returns the networks that are trained and shipped, by name.

        This is a method because Keras follows all properties of a model when it saves or loads
        weights: a property that contains its own network would recurse without end.
        """
        raise NotImplementedError

    def count_params(self) -> int:
        """Counts the parameters of all networks in it."""
        return sum(each.count_params() for each in self.networks().values())

    def generate(self, low: keras.KerasTensor, high: keras.KerasTensor) -> Outputs:
        """Returns what losses compare with `target(high)`.

        Args:
            low: (batch, n, 1), the system's input.
            high: (batch, factor n, 1), the reference.

        Returns:
            "wave" -> (batch, factor n, 1), and further predictions, such as a spectrum, by name.
        """
        raise NotImplementedError

    def target(self, high: keras.KerasTensor) -> Outputs:
        """Returns the outputs that `generate` should have for the reference (batch, n, 1)."""
        raise NotImplementedError

    def completed(self, restored: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Returns a restored wave with the parts of the reference of which nothing is learned.

        Args:
            restored: (n,).
            high: the reference, (n,).
        """
        return restored

    def predicted(self, low: np.ndarray, restored: np.ndarray) -> Outputs:
        """Returns what validation compares with `target(high)`: by default, that of restored waves.

        Args:
            low: patches of the system's input, (batch, n, 1).
            restored: the same patches of the restored recordings, (batch, factor n, 1).
        """
        return self.target(restored)

    def restore(self, windows: np.ndarray) -> np.ndarray:
        """Restores windows (batch, n, 1), to (batch, factor n, 1)."""
        raise NotImplementedError

    def start_from(self, trained: "System") -> None:
        """Copies the weights of a trained system of the same shape.

        Raises:
            ValueError: the weights have other shapes.
        """
        for name, network in self.networks().items():
            network.set_weights(trained.networks()[name].get_weights())

    def session(self, recording: Recording = ONE_CHANNEL) -> Restorer:
        """Returns the system itself, unless its windows depend on each other."""
        return self


class Network(keras.Model, System):
    """A functional Keras model from wave to wave, configured by its constructor arguments.

    The constructor of a paper's network calls that of keras.Model, then stores each of its own
    arguments as an attribute of the same name.

    Raises:
        UserError: an argument has the wrong type or is out of range, or, in a call, the input has
            the wrong shape.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> "Network":
        """Checks the arguments of the constructor."""
        check_arguments(cls.__init__, args, kwargs)
        return super().__new__(cls, *args, **kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Restores waves (batch, n, 1), to (batch, factor n, 1)."""
        if args and hasattr(args[0], "shape"):
            check_wave(self.name, args[0].shape, self.multiple)
        return super().__call__(*args, **kwargs)

    def networks(self) -> dict[str, keras.Model]:
        """Returns the network itself."""
        return {"network": self}

    def generate(self, low: keras.KerasTensor, high: keras.KerasTensor) -> Outputs:
        """Returns the restored wave (batch, factor n, 1)."""
        return {"wave": self(low)}

    def target(self, high: keras.KerasTensor) -> Outputs:
        """Returns the reference."""
        return {"wave": high}

    def restore(self, windows: np.ndarray) -> np.ndarray:
        """Restores windows (batch, n, 1), to (batch, factor n, 1)."""
        check_wave(self.name, windows.shape, self.multiple)
        return self.predict_on_batch(windows)

    def step(self) -> keras.Model | None:
        """Builds a model of one step of a stream, which shares the weights of this network.

        Returns:
            a model [low (1, n, 1), states...] to [restored (1, factor n, 1), states...] with fixed
            shapes, or None if the network cannot run as a stream. States start as zeros. The output
            lags by `delay` samples.
        """
        return None

    def get_config(self) -> dict:
        """Returns the constructor arguments, from which Keras rebuilds the network."""
        return {name: getattr(self, name) for name in signature(self.__init__).parameters}
