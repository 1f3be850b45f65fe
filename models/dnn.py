"""DNN: dense layers on frames of the interpolated wave, the baseline of Kuleshov's repository.

dnn.py in kuleshov/audio-super-res; no paper describes it.

What the code says, what it does, and what stands here:
- It sees a patch whole, so that its weights fit patches of one length only. Here a wave of many
  frames is cut into frames of `patch` samples, and each is restored by itself: the network takes
  any multiple of the patch that it was built for.
- It adds its input to a layer whose output has the same shape: those between the first and the
  last. But it compares two tensors of a TensorFlow 1 graph, which are never equal, so that nothing
  was ever added. The default does as the code says; `skips=False` does as it ran.
- The hidden layers have a sixth of the patch, then halves of it. Python 3 makes fractions of them;
  here they are rounded down, as Python 2 did.
- Dense layers start at a standard deviation of 1e-7. Batch normalization stands before the
  activation, and both stand behind the last layer too, which so leaks where it is negative.
"""

import keras
from keras import layers

from ..command import UserError
from .layers import add_wave, widen
from .system import Network

PAPER = "Kuleshov, code of 2017"


@keras.saving.register_keras_serializable("wideband")
class DNN(Network):
    """The dense baseline: (batch, n, 1) interpolated to (batch, n, 1) restored.

    n is a multiple of `patch`; an output sample sees its own frame of so many samples.

    Source: dnn.py in kuleshov/audio-super-res.

    Args:
        patch: samples of a frame; 8192 as published.
        depth: number of dense layers, at least 2; 4 as published.
        skips: whether a hidden layer adds its input to its output where their shapes agree.
        width: multiplies the units of the hidden layers, for networks that a laptop can train.
        name: of the Keras model.

    Raises:
        UserError: there are fewer than 2 layers, or patch and width leave a layer without units.

    Example:
        >>> DNN(patch=256)(keras.ops.zeros((1, 8192, 1))).shape
        TensorShape([1, 8192, 1])
    """

    wants = "interpolated"
    # A frame is seen as a whole, and nothing beside it.
    context = None

    def __init__(
        self,
        patch: int = 8192,
        depth: int = 4,
        skips: bool = True,
        width: float = 1.0,
        name: str = "dnn",
    ) -> None:
        if depth < 2:
            raise UserError(f"depth {depth} is less than 2")
        units = widen([patch // 6, *[patch // 2] * (depth - 2)], width)

        # === Functional Model ===
        wave = keras.Input((None, 1), name="interpolated")  # (batch, n, 1)
        x = layers.Reshape((-1, patch))(wave)  # (batch, n / patch, patch)
        for count in (*units, patch):
            y = layers.Dense(
                count, kernel_initializer=keras.initializers.RandomNormal(stddev=1e-7)
            )(x)
            y = layers.BatchNormalization()(y)
            y = layers.LeakyReLU(negative_slope=0.2)(y)
            x = layers.Add()([y, x]) if skips and x.shape == y.shape else y
        x = layers.Reshape((-1, 1))(x)  # (batch, n, 1)
        super().__init__(wave, add_wave(x, wave), name=name)

        # === Config ===
        self.patch, self.depth, self.skips, self.width = patch, depth, skips, width
        self.multiple = patch
