"""Takes steps of small trainings on several devices, and writes their losses; run in processes.

python distributed_steps.py OUTPUT BATCHES KIND [COORDINATOR PROCESS]
"""

import json
import random
import sys
from pathlib import Path
from types import SimpleNamespace

from wideband.command import keras_start

N, EPOCHS = 600, 2


def regression():
    """A network with batch normalization and dropout, clipped gradients and averaged weights."""
    import keras
    from keras import layers
    from wideband.models.system import Network
    from wideband.train.methods import regression
    from wideband.train.recipe import Adam

    class Small(Network):
        wants, multiple, context = "interpolated", 1, 1

        def __init__(self):
            low = keras.Input((None, 1))
            x = layers.BatchNormalization()(layers.Conv1D(8, 9, padding="same")(low))
            x = layers.Dropout(0.5)(layers.ReLU()(x))
            x = layers.SpatialDropout1D(0.2)(x)
            super().__init__(low, layers.Conv1D(1, 9, padding="same")(x), name="small")

    low, high = keras.Input((N, 1)), keras.Input((N, 1))
    adam = Adam(learning_rate=1e-2, clip_norm=0.1, average=0.9, weight_decay=0.1)
    weights = {"patch_rmse": 1.0, "mse": 0.5}
    return regression.objectives(Small(), weights, low, high), adam, (N, 1), 2


def adversarial():
    """A network against a critic with weight normalization, both with clipped gradients."""
    import keras
    from keras import layers
    from wideband.models import critics
    from wideband.models.critic_layers import WeightNormConv2D
    from wideband.models.system import Network
    from wideband.train.methods import adversarial
    from wideband.train.recipe import Adam, Adversarial

    class Small(Network):
        wants, multiple, context = "interpolated", 1, 1

        def __init__(self):
            low = keras.Input((None, 1))
            super().__init__(low, layers.Conv1D(1, 9, padding="same")(low), name="small")

    def critic(wave, width):
        x = layers.Reshape((-1, 1, 1))(wave)
        x = WeightNormConv2D(2, (5, 1), 5, strides=(3, 1), name="first")(x)
        return [[layers.LeakyReLU()(x), WeightNormConv2D(1, (3, 1), 6, name="score")(x)]]

    # The published ones have more layers, which take longer to compile.
    critics.CRITICS["two_layers"] = critics.Critic(critic)
    low, high = keras.Input((N, 1)), keras.Input((N, 1))
    settings = Adversarial("hinge", 0.02, feature_matching=1.0)
    both = adversarial.objectives(Small(), {"mse": 2.0}, {"two_layers": 1.0}, settings, low, high)
    return both, Adam(learning_rate=1e-2, clip_norm=0.1), (N, 1), 2


def diffusion():
    """A small network in place of AudioSR's UNet."""
    import keras
    from keras import layers, ops
    from wideband.models.audiosr_vae import BANDS, FACTOR, LATENT
    from wideband.train.methods import diffusion
    from wideband.train.recipe import Adam

    shape = 4, BANDS // FACTOR, LATENT
    noisy, condition = keras.Input(shape), keras.Input(shape)
    steps = keras.Input((), dtype="int32")
    share = layers.Reshape((1, 1, 1))(ops.cast(steps, "float32") / 1000)
    x = layers.Conv2D(8, 3, padding="same")(ops.concatenate([noisy, condition], axis=-1)) + share
    unet = keras.Model([noisy, condition, steps], layers.Conv2D(LATENT, 3, padding="same")(x))
    system = SimpleNamespace(scale=0.5, mel=SimpleNamespace(hop=480), unet=unet)
    objectives = diffusion.objectives(system, {"velocity": 1.0}, 4 * 480 * FACTOR)
    return objectives, Adam(learning_rate=1e-2), (*shape[:2], 4 * LATENT), 1


def losses(build, devices, batches):
    """Returns the losses of all steps of a training, and the sum of its averaged weights.

    Args:
        build: one of the functions above.
        devices: the `Distribution`.
        batches: how many examples each batch of an epoch has.
    """
    import numpy as np
    from wideband.train import optimizers, steps

    # Only the weights of process 0 matter. Keras draws their seeds from this generator; its own
    # function would import TensorFlow.
    random.seed(devices.process)
    with devices.scope():
        objectives, adam, shape, inputs = build()
        for each in objectives:
            each.compile(optimizers.build(adam, len(batches), EPOCHS, each.groups))
        steps.unsaved_variables(objectives, {})
        compiled = [devices.compile_step(each) for each in objectives]
        rng, found = np.random.default_rng(0), []
        for epoch in range(EPOCHS):
            steps.reseed(objectives, devices.process, epoch)
            for objective in objectives:
                objective.start_epoch()
            with devices.spread(objectives):
                for size in batches:
                    whole = rng.normal(0, 1, (inputs, size, *shape)).astype(np.float32)
                    part = np.split(whole, devices.processes, axis=1)[devices.process]
                    for step in compiled:
                        found += [value for _, value in sorted(step(list(part)).items())]
        with steps.averaged(objectives):
            values = [np.array(v) for each in objectives for v in each.trainable_variables]
    return [*found, float(sum(np.abs(value).sum() for value in values))]


def main(output, batches, kind, coordinator=None, process=None):
    """Writes the losses of all three trainings; with a coordinator, as one of two processes."""
    if coordinator:
        # Without TensorFlow, which only reads data and takes seconds to import.
        from wideband.train.distribution import mesh

        mesh.connect(coordinator, 2, int(process))
        devices = mesh.Mesh(kind)
    else:
        from wideband.train.distribution import start

        devices = start(kind)
    sizes = [int(size) for size in batches.split(",")]
    methods = (regression, adversarial, diffusion)
    found = {each.__name__: losses(each, devices, sizes) for each in methods}
    devices.next_epoch(0)
    Path(output).write_text(json.dumps(found))


if __name__ == "__main__":
    keras_start.quicken()
    main(*sys.argv[1:])
