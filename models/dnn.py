"""DNN: dense layers on frames of the interpolated wave, the baseline of Kuleshov's repository.

Source: dnn.py in kuleshov/audio-super-res. No paper describes it.

Where the code and its effect differ, and what is implemented here:
- The code's layers span a whole patch, so its weights fit patches of one length only. Here a wave
  is cut into frames of `patch` samples, and each frame is restored independently: the network takes
  any multiple of the patch that it was built for.
- The code is meant to add the input of a layer to its output if both have the same shape, which is
  the case between the first and the last layer. It compares two tensors of a TensorFlow 1 graph,
  which are never equal, so nothing was ever added. The default adds as intended; `skips=False` adds
  nothing, as the code ran.
- The hidden layers have a sixth of the patch as units, then halves of it. In Python 3 these would
  be fractions; here they are rounded down, as in Python 2.
- Dense layers start with a standard deviation of 1e-7. Batch normalization precedes the activation.
  The last layer has both, too, which scales its negative outputs by the slope of the activation.
"""

import keras
from keras import layers

from ..command import UserError
from .layers import add_wave, widen
from .system import Network


@keras.saving.register_keras_serializable("wideband")
class DNN(Network):
    """The dense baseline: (batch, n, 1) interpolated to (batch, n, 1) restored.

    n is a multiple of `patch`; an output sample depends on its own frame of `patch` samples only.

    Source: dnn.py in kuleshov/audio-super-res.

    Args:
        patch: samples of a frame; 8192 as published.
        depth: number of dense layers, at least 2; 4 as published.
        skips: whether a hidden layer adds its input to its output if their shapes agree.
        width: multiplies the units of the hidden layers, for networks that train on a laptop.
        name: the name of the Keras model.

    Raises:
        UserError: there are fewer than 2 layers, or patch and width leave a layer without units.

    Example:
        >>> DNN(patch=256)(keras.ops.zeros((1, 8192, 1))).shape
        TensorShape([1, 8192, 1])
    """

    wants = "interpolated"
    # An output sample depends on its whole frame.
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
            raise UserError(f"depth {depth} must be at least 2")
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
