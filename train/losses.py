"""Training losses, in keras.ops, so that they run on every backend."""

from keras import ops


def patch_rmse(reference, estimate):
    """Root mean square error of each patch: the mean over the batch is left to Keras.

    sqrt(mean((estimate - reference)^2 + 1e-6)), which is not the root of the batch's mean square.

    Source: create_objective() of Kuleshov's published code; the paper (section 3) writes the
    plain square error.

    Args:
        reference: (batch, n, 1).
        estimate: (batch, n, 1).

    Returns:
        (batch,).
    """
    return ops.sqrt(ops.mean(ops.square(estimate - reference) + 1e-6, axis=(1, 2)))


LOSSES = {"patch_rmse": patch_rmse}
