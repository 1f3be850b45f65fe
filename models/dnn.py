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
- The statistics of the batch normalization follow the training batches here. In the code they keep
  their initial values, a mean of 0 and a variance of 1, because the training runs only the
  optimizer's updates, not those of Keras's layers. Layers are thus normalized in training, but not
  at inference. `moving_statistics=False` does the same.
"""

import keras
from keras import layers

from .layers import add_wave, widen
from .limits import DEEPEST, LONGEST_PATCH, check_range
from .system import Network


@keras.saving.register_keras_serializable("wideband")
class DNN(Network):
    """The dense baseline: (batch, n, 1) interpolated to (batch, n, 1) restored.

    n is a multiple of `patch`; an output sample depends on its own frame of `patch` samples only.

    Source: dnn.py in kuleshov/audio-super-res.

    Args:
        patch: samples of a frame; 8192 as published.
        depth: number of dense layers, from 2 to 32; 4 as published.
        skips: whether a hidden layer adds its input to its output if their shapes agree.
        moving_statistics: whether the statistics that inference normalizes with follow those of the
            training batches.
        width: multiplies the units of the hidden layers, for networks that train on a laptop.
        name: the name of the Keras model.

    Raises:
        UserError: the depth or the patch is out of range, or the width leaves a layer without
            units.

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
        moving_statistics: bool = True,
        name: str = "dnn",
    ) -> None:
        check_range("depth", depth, 2, DEEPEST)
        # Shorter patches would leave the first layer without units.
        check_range("patch", patch, 6, LONGEST_PATCH)
        units = widen([patch // 6, *[patch // 2] * (depth - 2)], width)

        # === Functional Model ===
        wave = keras.Input((None, 1), name="interpolated")  # (batch, n, 1)
        x = layers.Reshape((-1, patch))(wave)  # (batch, n / patch, patch)
        for count in (*units, patch):
            y = layers.Dense(
                count, kernel_initializer=keras.initializers.RandomNormal(stddev=1e-7)
            )(x)
            y = layers.BatchNormalization(momentum=0.99 if moving_statistics else 1.0)(y)
            y = layers.LeakyReLU(negative_slope=0.2)(y)
            x = layers.Add()([y, x]) if skips and x.shape == y.shape else y
        x = layers.Reshape((-1, 1))(x)  # (batch, n, 1)
        super().__init__(wave, add_wave(x, wave), name=name)

        # === Config ===
        self.patch, self.depth, self.skips, self.width = patch, depth, skips, width
        self.moving_statistics = moving_statistics
        self.multiple = patch
