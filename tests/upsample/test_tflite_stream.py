"""TFLite files with states: they have the output of their networks and keep waves separate."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from wideband.command import UserError
from wideband.data_gen import degrade
from wideband.upsample import load, tflite
from wideband.upsample.export import convert, exporter
from wideband.upsample.tflite import TFLiteNetwork

# Conversions to TFLite, or windows of every network.
pytestmark = pytest.mark.slow

STEP, DELAY = 64, 256
# The best signal-to-noise ratio of a network in dB. The error of 8 bits must be smaller than the
# network's.
BEST_SNR_DB = 20


def test_the_signature_names_the_wave_and_each_state(stream_file, build):
    network = build("streamnet")
    model, metadata = tflite.read(stream_file())
    interpreter = Interpreter(model_content=model)
    # The past of the interpolation, the analysis, eight dilated layers and the synthesis.
    states = [f"state_{k:02}" for k in range(11)]
    (signature,) = interpreter.get_signature_list().values()
    assert signature == {"inputs": ["low", *states], "outputs": ["restored", *states]}
    runner = interpreter.get_signature_runner()
    inputs, outputs = runner.get_input_details(), runner.get_output_details()
    assert inputs["low"]["shape"].tolist() == [1, STEP, 1]
    assert outputs["restored"]["shape"].tolist() == [1, 4 * STEP, 1]
    shapes = [inputs[name]["shape"].tolist() for name in states]
    assert shapes == [outputs[name]["shape"].tolist() for name in states]
    assert shapes[:4] == [[1, 80, 1], [1, 32, 1], [1, 2, 32], [1, 4, 32]]
    assert {each["dtype"] for each in (*inputs.values(), *outputs.values())} == {np.float32}
    assert (metadata.streaming, metadata.delay) == (True, DELAY)
    assert metadata.latency == 4 * STEP + DELAY
    assert (metadata.window, metadata.hop, metadata.context) == (STEP, STEP, network.context)
    assert not {"CUSTOM", "DELEGATE", "WHILE", "VAR_HANDLE"} & set(convert.operators(model))


def test_steps_through_the_signature_have_the_output_of_the_network(stream_file, build, noise):
    """The file runs as in a program that knows nothing but TFLite."""
    model, _ = tflite.read(stream_file())
    step = Interpreter(model_content=model).get_signature_runner()
    states = {
        name: np.zeros(each["shape"], np.float32)
        for name, each in step.get_input_details().items()
        if name != "low"
    }
    wave, chunks = noise(64 * STEP), []
    for start in range(0, len(wave), STEP):
        states = step(low=wave[start : start + STEP].reshape(1, STEP, 1), **states)
        chunks.append(states.pop("restored")[0, :, 0].copy())
    found = np.concatenate(chunks)[DELAY:]
    whole = np.asarray(build("streamnet")(wave[np.newaxis, :, np.newaxis]))[0, :, 0]
    np.testing.assert_allclose(found, whole[: len(found)], rtol=0, atol=1e-4)


def test_the_latency_of_patches_is_seven_eighths_of_a_patch(patch_file):
    """The last eighth of a patch is dropped. The spline adds to the latency of the stream."""
    metadata = tflite.read(patch_file)[1]
    assert (metadata.window, metadata.hop, metadata.latency) == (256, 128, 224)
    stream = load(patch_file).stream(4000)
    assert stream.latency == pytest.approx(224 / 16000 + 16 / 4000)


@pytest.mark.parametrize("n", [1, STEP, 3000])
def test_a_file_has_the_output_of_its_run(n, stream_file, stream_run, noise):
    low = noise(n)
    found, _ = load(stream_file()).upsample(low, 4000)
    expected, _ = load(stream_run).upsample(low, 4000)
    assert found.shape == (4 * n,)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_the_states_before_a_wave_are_those_of_silence_and_not_zeros(stream_file, noise):
    """The biases make the states of silence differ from zeros."""
    network, wave = TFLiteNetwork(stream_file()), noise(40 * STEP)
    cold = network.restore(wave.reshape(-1, STEP, 1)).reshape(-1)[DELAY:]
    warm, _ = load(stream_file()).upsample(wave, 4000, keep_low_band=False)
    difference = np.abs(cold - warm[: len(cold)])
    assert difference[:500].max() > 1e-3
    assert difference[4 * network.context :].max() < 1e-5


def test_dynamic_quantization_loses_little(stream_file, stream_run, speech, noise, snr):
    low = degrade.decimate(speech(16000), 4)
    expected, _ = load(stream_run).upsample(low, 4000, keep_low_band=False)
    found, _ = load(stream_file("dynamic")).upsample(low, 4000, keep_low_band=False)
    error = noise(len(expected))
    high = expected + error * np.std(expected) / np.std(error) * 10 ** (-BEST_SNR_DB / 20)
    assert snr(high, expected) - snr(high, found) <= 0.3
    assert tflite.read(stream_file("dynamic"))[1].quantize == "dynamic"


def test_int8_is_calibrated_with_realistic_states(stream_file, stream_run, speech, snr):
    model, _ = tflite.read(stream_file("int8"))
    kinds = [each["dtype"] for each in Interpreter(model_content=model).get_tensor_details()]
    assert kinds.count(np.int8) > len(kinds) / 2
    # The sum with the wave itself is in float32; the sums of the eight blocks are in 8 bits.
    counted = convert.operators(model)
    assert (counted["ADD_N"], counted["ADD"]) == (1, 8)
    low = degrade.decimate(speech(16000), 4)
    expected, _ = load(stream_run).upsample(low, 4000, keep_low_band=False)
    found, _ = load(stream_file("int8")).upsample(low, 4000, keep_low_band=False)
    assert snr(expected, found) > BEST_SNR_DB
    # A state that was zero throughout the calibration would have no range.
    network, exact = TFLiteNetwork(stream_file("int8")), TFLiteNetwork(stream_file())
    states, expected = network.states(), exact.states()
    for window in low[: 30 * STEP].reshape(-1, 1, STEP, 1):
        _, states = network.run(window, states)
        _, expected = exact.run(window, expected)
    for state, whole in zip(states, expected, strict=True):
        assert snr(whole, state) > 10


def test_calibration_passes_states_from_window_to_window(build, noise):
    model, wave = build("streamnet").step(), noise(4 * STEP)
    inputs = list(exporter.inputs_by_name(model, wave.reshape(-1, 1, STEP, 1)))
    assert [list(each) for each in inputs] == [[each.name for each in model.inputs]] * 4
    np.testing.assert_array_equal(np.concatenate([each["low"].ravel() for each in inputs]), wave)
    assert not any(np.any(inputs[0][f"state_{k:02}"]) for k in range(11))
    # The state of the interpolation is the wave itself.
    np.testing.assert_array_equal(inputs[3]["state_00"].ravel(), wave[3 * STEP - 80 : 3 * STEP])


@pytest.mark.parametrize("lengths", [[1, 700, 0, 64], [63], [5000]])
def test_the_output_does_not_depend_on_the_chunks(lengths, stream_file, noise, push):
    upsampler, wave = load(stream_file()), noise(3001)
    whole, _ = upsampler.upsample(wave, 4000, keep_low_band=False)
    found, _, _ = push(upsampler, wave, lengths, sample_rate=4000)
    assert len(found) == 4 * len(wave)
    np.testing.assert_allclose(found, whole, rtol=0, atol=1e-5)


def test_channels_and_streams_do_not_disturb_each_other(stream_file, noise):
    upsampler = load(stream_file())
    waves = np.stack([noise(1000, seed) for seed in (1, 2, 3)], axis=1)
    alone = [upsampler.upsample(wave, 4000, keep_low_band=False)[0] for wave in waves.T]
    both, third = upsampler.stream(4000, 2), upsampler.stream(4000)
    chunks = [
        (both.push(waves[at : at + 100, :2]), third.push(waves[at : at + 100, 2]))
        for at in range(0, 1000, 100)
    ]
    chunks.append((both.flush(), third.flush()))
    found = np.concatenate([np.c_[two, one] for two, one in chunks])
    np.testing.assert_allclose(found.T, alone, rtol=0, atol=1e-6)


def test_a_session_starts_new_waves_with_new_states(stream_file, noise):
    network, windows = TFLiteNetwork(stream_file()), noise(4 * STEP).reshape(4, STEP, 1)
    session = network.session()
    first = session.restore(windows)
    assert np.abs(session.restore(windows) - first).max() > 1e-3
    np.testing.assert_array_equal(session.session().restore(windows), first)


@pytest.mark.parametrize(("sample_rate", "keep_hz"), [(4000, None), (4000, 0.0), (11025, None)])
def test_the_lag_stays_within_the_latency_and_comes_close_to_it(
    sample_rate, keep_hz, stream_file, noise, push
):
    options = {"sample_rate": sample_rate, "keep_hz": keep_hz}
    _, lag, latency = push(load(stream_file()), noise(2 * sample_rate), [25], **options)
    assert lag <= latency
    assert lag > 0.9 * latency
    if (sample_rate, keep_hz) == (4000, None):
        assert latency == pytest.approx(tflite.read(stream_file())[1].latency / 16000)


def test_a_window_other_than_the_step_is_refused(stream_run, tmp_path):
    with pytest.raises(UserError, match="--window=128: this network takes windows of 64 samples"):
        exporter.export(stream_run, tmp_path / "x.tflite", window=128)


def test_an_export_whose_states_are_wrong_is_refused(stream_run, build, tmp_path, monkeypatch):
    """The step forgets its states, so only its first window is right."""
    network = build("streamnet")
    step = network.step()

    def forgetful(self):
        outputs = [step.outputs[0], *(0.0 * each for each in step.outputs[1:])]
        return keras.Model(step.inputs, outputs, name="forgetful")

    monkeypatch.setattr(type(network), "step", forgetful)
    with pytest.raises(UserError, match="it agrees with Keras only to"):
        exporter.export(stream_run, tmp_path / "x.tflite")
    assert not list(tmp_path.iterdir())
