"""Checks that a TFLite file agrees with its Keras network."""

from collections.abc import Iterator
from itertools import chain

import numpy as np

from ...command import UserError
from ...models.system import Network
from ..tflite import TFLiteNetwork

# How closely a file must agree with its network: the signal-to-noise ratio in dB of the file's
# output against the network's. The loss of int8 depends on the network, so there the output must
# only be finite.
AGREEMENT_DB = {"none": 80.0, "float16": 40.0, "dynamic": 10.0, "int8": -np.inf}
# The same if iterations amplify rounding errors. A trained `melgan` with Griffin-Lim has 44 to 66
# dB in 32 bits, 18 to 33 dB with weights in 16 bits, and 4 to 13 dB in 8 bits; of the magnitudes
# alone, about 10 dB more.
ITERATED_DB = {"none": 30.0, "float16": 10.0, "dynamic": 0.0, "int8": -np.inf}
# The RMS of an inaudible error, about that of the rounding to 16 bits.
ERROR_FLOOR = 1e-5
# Windows of each test signal; a streaming network must carry its states through all of them.
WINDOWS, STREAM_WINDOWS = 2, 64


def check_agreement(network: Network, file: TFLiteNetwork) -> float:
    """Compares a file with its network on noise, bursts of noise, faint noise and silence.

    Returns:
        the signal-to-noise ratio of the file's output against the network's on noise, in dB.

    Raises:
        UserError: the output of the file or of the network is not finite, or they differ too much.
    """
    required = ITERATED_DB if network.iterated else AGREEMENT_DB
    required_db = required[file.metadata.quantize]
    agreement_db = {}
    # Shorter windows first: what is returned is that of the main ones.
    for kind, windows in chain.from_iterable(_signals(file, each) for each in file.windows):
        found, expected = _restore(network, file, windows)
        if not np.isfinite(expected).all():
            raise UserError(
                f"the network's output contains NaN or infinity for {kind}; train it again"
            )
        if not np.isfinite(found).all():
            raise UserError(
                f"its output contains NaN or infinity for {kind}; choose another --quantize"
            )
        error = np.square(found - expected).mean()
        with np.errstate(divide="ignore"):
            agreement_db[kind] = float(
                10 * np.log10(np.square(expected).mean() / max(error, 1e-30))
            )
        inaudible = error < ERROR_FLOOR**2 and kind != "noise"
        if not (agreement_db[kind] >= required_db or inaudible):
            raise UserError(
                f"it agrees with Keras only to {agreement_db[kind]:.1f} dB on {kind}, below "
                f"{required_db:.0f} dB; choose another --quantize"
            )
    return agreement_db["noise"]


def _signals(file: TFLiteNetwork, window: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yields signals (windows, window, 1) of each kind, at the rate of the file's input."""
    count = STREAM_WINDOWS if file.streaming else WINDOWS
    noise = np.random.default_rng(0).normal(0, 0.1, count * window).astype(np.float32)
    # Bursts of half a window with silence between them.
    gate = np.arange(len(noise)) // (window // 2) % 2
    signals = {
        "noise": noise,
        "bursts of noise": 3 * gate.astype(np.float32) * noise,
        "faint noise": 1e-3 * noise,
        "silence": 0 * noise,
    }
    for kind, signal in signals.items():
        yield kind, signal.reshape(count, window, 1)


def _restore(
    network: Network, file: TFLiteNetwork, windows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the outputs of the file and of the network as waves (n,)."""
    found = file.restore(windows).reshape(-1)[file.delay :]
    # A file with states takes the windows as one wave.
    inputs = windows.reshape(1, -1, 1) if file.streaming else windows
    return found, np.asarray(network(inputs)).reshape(-1)[: len(found)]
