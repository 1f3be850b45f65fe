"""TFLite models have the output of their Keras networks, and built-in operators only."""

from functools import cache

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from outlines import build_with
from seeds import seed_networks
from tensorflow.lite.python import schema_py_generated as schema
from wideband import models
from wideband.command import UserError
from wideband.data_gen import degrade
from wideband.models.stft import STFT, InverseSTFT
from wideband.upsample.export.constants import SMALLEST
from wideband.upsample.export.convert import convert, operators

# Conversions to TFLite, or windows of every network.
pytestmark = pytest.mark.slow

# Every network converts as independent windows, also one that can stream; test_tflite_stream.py
# tests streams. gionet and gionet2 consist of parts of tfilm and tfnet.
WINDOWED = [name for name in models.names() if name not in ("gionet", "gionet2")]
WINDOW = 256
# A U-Net, a network with LSTMs, and the one with Fourier transforms.
IN_8_BITS = ["audiounet", "tfilm", "framenet"]
# How much of the signal-to-noise ratio fewer bits may cost, in dB.
ALLOWED_LOSS_DB = {"float16": 0.05, "dynamic": 0.3}


def window_of(network):
    """Returns WINDOW, or the next longer window that a network takes."""
    return -(-WINDOW // network.multiple) * network.multiple


@pytest.fixture(scope="module")
def network():
    """Returns a function that builds a small network in which every layer affects the output.

    The output is still mostly the wave.
    """

    @cache
    def network(name):
        seed_networks(0)
        rng = np.random.default_rng(0)

        def draw(weight):
            values = rng.normal(0, 1, weight.shape)
            if weight.path.endswith("moving_variance"):
                drawn = rng.uniform(0.5, 2, weight.shape)
            elif weight.path.endswith("gamma"):
                drawn = 1 + 0.2 * values
            elif len(weight.shape) > 1:
                drawn = values / np.sqrt(np.prod(weight.shape[:-1]))
            else:
                drawn = weight.numpy() + 0.02 * values
            # Unscaled, the sum of twelve blocks would drive exponentials to their bounds.
            return 0.1 * drawn if weight.path.startswith("mix_") else drawn

        return build_with(draw, name, **models.small(name))

    return network


@pytest.fixture(scope="module")
def model(network):
    """Returns a function that converts a network, once."""

    @cache
    def model(name, quantize="none"):
        return convert(network(name), window_of(network(name)), quantize=quantize)

    return model


@pytest.fixture(scope="module")
def pairs(network, speech, noise):
    """Returns a function that makes windows as a network wants them, and their references.

    Faint noise fills the high band of interpolated waves. Otherwise, the phases of some of its bins
    would be those of rounding errors, and networks that take phases would amplify them.
    """

    def pairs(name, count=12):
        wants, factor = network(name).wants, network(name).factor
        window = window_of(network(name))
        protocol = degrade.get("decimate_spline")
        high = speech(count * window * factor)
        low = protocol.down(high, factor if wants == "low" else 4)
        wave = low if wants == "low" else protocol.up(low, 4) + 0.01 * noise(len(high))
        return wave.reshape(count, window, 1), high.reshape(count, window * factor, 1)

    return pairs


def interpret(model, windows, signature="serving_default"):
    """Restores windows (b, n, 1) one by one, as a program that knows nothing but TFLite."""
    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    step = interpreter.get_signature_runner(signature)
    (wants,) = step.get_input_details()
    outputs = []
    for window in windows:
        # An LSTM would continue from its last state.
        interpreter.reset_all_variables()
        outputs.append(step(**{wants: window[np.newaxis]})["restored"][0].copy())
    return np.stack(outputs)


def test_transforms_that_are_no_power_of_two_become_products(noise):
    wave = keras.Input((None, 1), name="interpolated")
    lengths = 40, 10, 40, "center", "hamming"
    # Half of the real parts, so that the wave does not come back unchanged.
    real, imaginary = STFT(*lengths)(wave)
    network = keras.Model(wave, InverseSTFT(*lengths)([0.5 * real, imaginary]))
    model = convert(network, WINDOW + 4)
    assert "RFFT2D" not in operators(model)
    windows = noise(2 * (WINDOW + 4)).reshape(2, -1, 1)
    np.testing.assert_allclose(interpret(model, windows), network(windows), rtol=0, atol=1e-5)
    # The network itself has fast transforms.
    assert network.layers[1].call.__func__ is STFT.call


@pytest.mark.parametrize("name", WINDOWED, scope="module")
def test_a_model_has_the_output_of_its_network(name, network, pairs, model):
    low, _ = pairs(name)
    expected = np.asarray(network(name)(low))
    found = interpret(model(name), low)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    # Networks for any band change little of a wave without empty bins.
    change = np.abs(expected - (0 if low.shape != expected.shape else low)).max()
    assert np.abs(found - expected).max() < 0.05 * change


@pytest.mark.parametrize("name", WINDOWED, scope="module")
def test_a_model_has_operators_of_every_runtime_only(name, model):
    counted = operators(model(name))
    # A loop would be an LSTM that did not become TFLite's own.
    assert not {"CUSTOM", "DELEGATE", "WHILE"} & set(counted)
    assert b"Flex" not in model(name)
    interpreter = Interpreter(model_content=model(name))
    listed = [each["op_name"] for each in interpreter._get_ops_details()]
    assert counted.total() == len([each for each in listed if each != "DELEGATE"])


@pytest.mark.parametrize(
    ("name", "quantize"),
    [
        *((name, "float16") for name in ("framenet", "tfnet")),
        *((name, "dynamic") for name in IN_8_BITS),
    ],
)
def test_fewer_bits_lose_little(name, quantize, network, pairs, model, snr):
    low, high = pairs(name)
    # With digital silence in every third window.
    gates = np.arange(len(low))[:, np.newaxis, np.newaxis] % 3 > 0
    for gate in (np.ones_like(gates), gates):
        heard, reference = low * gate, high * gate
        whole = snr(reference, np.asarray(network(name)(heard)))
        found = interpret(model(name, quantize), heard)
        assert whole - snr(reference, found) <= ALLOWED_LOSS_DB[quantize]
    assert len(model(name, quantize)) < len(model(name))


def test_float16_and_dynamic_files_have_about_half_and_a_quarter_of_the_size(model):
    whole, half, quarter = (len(model("framenet", each)) for each in ("none", "float16", "dynamic"))
    assert 0.45 < half / whole < 0.6
    assert 0.2 < quarter / whole < 0.4


@pytest.mark.parametrize("name", ["framenet", "overtonenet"])
def test_float16_is_finite_on_silence_faint_noise_and_bursts(name, network, model, noise):
    """Constants such as 1e-12 would be 0 in 16 bits."""
    n = window_of(network(name))
    burst = np.concatenate([np.zeros(n - 64, np.float32), noise(64), noise(n)])
    for low in (np.zeros(n), 1e-3 * noise(n), burst):
        windows = np.asarray(low, np.float32).reshape(-1, n, 1)
        found = interpret(model(name, "float16"), windows)
        expected = np.asarray(network(name)(windows))
        assert np.isfinite(found).all()
        assert np.abs(found - expected).max() <= 0.1 * np.abs(expected).max()


def test_weights_that_are_16_bit_numbers_are_stored_in_16_bits_without_loss(network, model, pairs):
    name = "framenet"
    weights = network(name).get_weights()
    wide = interpret(model(name), pairs(name, 2)[0])
    network(name).set_weights([weight.astype(np.float16) for weight in weights])
    try:
        expected = np.asarray(network(name)(pairs(name, 2)[0]))
        half = convert(network(name), WINDOW)
    finally:
        network(name).set_weights(weights)
    found = interpret(half, pairs(name, 2)[0])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert np.abs(wide - expected).max() > 1e-5
    # Kernels that are not weights keep 32 bits.
    kinds = tensor_sizes(half)
    assert kinds[schema.TensorType.FLOAT32] > 16 * SMALLEST
    saved = sum(w.nbytes for w in weights if w.nbytes >= SMALLEST) // 2
    assert len(model(name)) - len(half) == pytest.approx(saved, rel=0.1)
    assert operators(half)["DEQUANTIZE"] >= sum(w.nbytes >= SMALLEST for w in weights)
    # In a model with other weights, at most constants such as zeros fit 16 bits.
    assert operators(model(name))["DEQUANTIZE"] <= 1


def with_depthwise():
    """Builds a network with a depthwise convolution and a matrix, both large enough for 8 bits."""
    seed_networks(0)
    wave = keras.Input((None, 1), name="interpolated")
    x = keras.layers.Conv1D(200, 1)(wave)
    x = keras.layers.DepthwiseConv1D(7, padding="same", name="depthwise")(x)
    x = keras.layers.Dense(300, name="dense")(x)
    return keras.Model(wave, keras.layers.Conv1D(1, 1)(x))


@pytest.mark.parametrize("quantize", ["none", "dynamic"])
def test_a_shorter_window_has_a_signature_and_shares_the_weights(quantize):
    network = with_depthwise()
    network.set_weights([weight.astype(np.float16) for weight in network.get_weights()])
    longer, shorter = 4 * WINDOW, WINDOW
    alone = convert(network, shorter, quantize=quantize)
    both = convert(network, longer, quantize=quantize, shorter_windows=[shorter])
    assert len(both) < 1.2 * len(alone)
    windows = np.random.default_rng(0).normal(0, 0.1, (1, longer, 1)).astype(np.float32)
    # Of a window of another length, 8 bits would have another scale.
    expected = interpret(alone, windows[:, :shorter])
    found = interpret(both, windows[:, :shorter], f"window_{shorter}")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert interpret(both, windows).shape == windows.shape


def test_filters_of_depthwise_convolutions_keep_the_values_of_8_bits_in_32_bits():
    network = with_depthwise()
    model = convert(network, WINDOW, quantize="dynamic")
    kernel = network.get_layer("depthwise").get_weights()[0]
    step = np.abs(kernel).max(axis=0) / 127
    expected = step * np.round(kernel / step)
    interpreter = Interpreter(model_content=model)
    constants = [
        interpreter.get_tensor(tensor["index"]).reshape(kernel.shape)
        for tensor in interpreter.get_tensor_details()
        if np.prod(tensor["shape"]) == kernel.size and tensor["dtype"] is np.float32
    ]
    assert any(np.allclose(each, expected, rtol=1e-5, atol=0) for each in constants)
    kinds = tensor_sizes(model)
    assert kinds[schema.TensorType.INT8] == network.get_layer("dense").get_weights()[0].size


def tensor_sizes(model):
    """Sums the bytes of a model's constants by type."""
    root = schema.Model.GetRootAs(model)
    graph, sizes = root.Subgraphs(0), {}
    for index in range(graph.TensorsLength()):
        tensor = graph.Tensors(index)
        size = root.Buffers(tensor.Buffer()).DataLength()
        sizes[tensor.Type()] = sizes.get(tensor.Type(), 0) + size
    return sizes


def test_loud_and_faint_windows_are_finite_in_8_bits(network, pairs):
    # Loud windows determine the quantization step, so faint ones become zero.
    windows, _ = pairs("framenet")
    windows = [scale * window[np.newaxis] for window in windows for scale in (3.0, 1e-4)]
    calibration = [{"low": window} for window in windows]
    restored = interpret(
        convert(network("framenet"), WINDOW, calibration, "int8"), np.concatenate(windows)
    )
    assert np.isfinite(restored).all()


def test_an_lstm_that_stays_a_loop_is_not_calibrated():
    """TensorFlow's calibration would crash."""
    loop = models.build("tfilm", **models.small("tfilm"), gates="hard_sigmoid")
    windows = np.zeros((1, WINDOW, 1), np.float32)
    with pytest.raises(
        UserError, match="tfilm: a recurrent network with hard-sigmoid gates cannot"
    ):
        convert(loop, WINDOW, [{loop.inputs[0].name: windows}], "int8")


def test_a_network_is_unchanged_after_its_conversion(network, model):
    model("tfilm")
    assert not any("call" in vars(layer) for layer in network("tfilm")._flatten_layers())
