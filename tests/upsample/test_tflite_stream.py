"""TFLite files with states: they do what networks do to whole waves, and keep waves apart."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from wideband.command import UserError
from wideband.data_gen import degrade
from wideband.upsample import Upsampler, tflite
from wideband.upsample.export import convert, exporter
from wideband.upsample.tflite import TFLiteNetwork

STEP, DELAY = 64, 256
# What an export may lose of the signal-to-noise ratio, in dB.
ALLOWED_LOSS_DB = {"none": 1e-3, "float16": 0.05, "dynamic": 0.3}
# By which networks miss the reference at best: 8 bits throughout must lie below that.
BEST_SNR_DB = 20


def snr(reference, estimate):
    return 10 * np.log10(np.sum(reference**2) / np.sum((reference - estimate) ** 2))


def test_the_signature_names_the_wave_and_every_state(stream_files, stream_run):
    network = Upsampler.from_run(stream_run).network
    model, facts = tflite.read(stream_files())
    interpreter = Interpreter(model_content=model)
    # A filter's past, a frame's, those of eight dilated layers, and a frame of the synthesis.
    states = [f"state_{k:02}" for k in range(11)]
    (signature,) = interpreter.get_signature_list().values()
    assert signature == {"inputs": ["low", *states], "outputs": ["restored", *states]}
    runner = interpreter.get_signature_runner()
    given, gives = runner.get_input_details(), runner.get_output_details()
    assert given["low"]["shape"].tolist() == [1, STEP, 1]
    assert gives["restored"]["shape"].tolist() == [1, 4 * STEP, 1]
    shapes = [given[name]["shape"].tolist() for name in states]
    assert shapes == [gives[name]["shape"].tolist() for name in states]
    assert shapes[:4] == [[1, 80, 1], [1, 32, 1], [1, 2, 13], [1, 4, 13]]
    assert {each["dtype"] for each in (*given.values(), *gives.values())} == {np.float32}
    assert (facts.streaming, facts.delay, facts.latency) == (True, DELAY, 4 * STEP + DELAY)
    assert (facts.window, facts.hop, facts.context) == (STEP, STEP, network.context)
    assert not {"CUSTOM", "DELEGATE", "WHILE", "VAR_HANDLE"} & set(convert.operators(model))


def test_steps_by_the_signature_give_what_the_network_gives_for_the_whole_wave(
    stream_files, stream_run, noise
):
    """As a program that knows TFLite alone would run it."""
    model, _ = tflite.read(stream_files())
    step = Interpreter(model_content=model).get_signature_runner()
    states = {
        name: np.zeros(each["shape"], np.float32)
        for name, each in step.get_input_details().items()
        if name != "low"
    }
    wave, pieces = noise(64 * STEP), []
    for start in range(0, len(wave), STEP):
        states = step(low=wave[start : start + STEP].reshape(1, STEP, 1), **states)
        pieces.append(states.pop("restored")[0, :, 0].copy())
    found = np.concatenate(pieces)[DELAY:]
    network = Upsampler.from_run(stream_run).network
    whole = np.asarray(network(wave[np.newaxis, :, np.newaxis]))[0, :, 0]
    np.testing.assert_allclose(found, whole[: len(found)], rtol=0, atol=1e-4)


def test_a_patch_waits_for_all_but_the_eighth_that_is_dropped(patch_file):
    """What the file says is what its windows do, at 16 kHz; the spline comes on top."""
    facts = tflite.read(patch_file)[1]
    assert (facts.window, facts.hop, facts.latency) == (256, 128, 224)
    stream = Upsampler.from_tflite(patch_file).stream(4000)
    assert stream.latency == pytest.approx(224 / 16000 + 16 / 4000)


@pytest.mark.parametrize("n", [1, STEP, 3000])
def test_a_file_restores_what_its_run_restores(n, stream_files, stream_run, noise):
    low = noise(n)
    found, _ = Upsampler.from_tflite(stream_files()).upsample(low, 4000)
    expected, _ = Upsampler.from_run(stream_run).upsample(low, 4000)
    assert found.shape == (4 * n,)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_what_precedes_a_wave_is_silence_and_not_what_states_begin_with(stream_files, noise):
    """Its first windows see it, and biases make the states of silence other than zeros."""
    network, wave = TFLiteNetwork(stream_files()), noise(40 * STEP)
    cold = network.predict_on_batch(wave.reshape(-1, STEP, 1)).reshape(-1)[DELAY:]
    warm, _ = Upsampler.from_tflite(stream_files()).upsample(wave, 4000)
    difference = np.abs(cold - warm[: len(cold)])
    assert difference[:500].max() > 1e-3
    assert difference[4 * network.context :].max() < 1e-5


@pytest.mark.parametrize("quantize", ALLOWED_LOSS_DB)
def test_fewer_bits_lose_little(quantize, stream_files, stream_run, speech, noise):
    low = degrade.decimate(speech(16000), 4)
    expected, _ = Upsampler.from_run(stream_run).upsample(low, 4000)
    found, _ = Upsampler.from_tflite(stream_files(quantize)).upsample(low, 4000)
    error = noise(len(expected))
    high = expected + error * np.std(expected) / np.std(error) * 10 ** (-BEST_SNR_DB / 20)
    assert snr(high, expected) - snr(high, found) <= ALLOWED_LOSS_DB[quantize]
    assert tflite.read(stream_files(quantize))[1].quantize == quantize


def test_int8_computes_in_8_bits_with_states_as_they_are_at_work(stream_files, stream_run, speech):
    model, _ = tflite.read(stream_files("int8"))
    interpreter = Interpreter(model_content=model)
    kinds = [each["dtype"] for each in interpreter.get_tensor_details()]
    assert kinds.count(np.int8) > len(kinds) / 2
    # The sum with the wave itself is in float32, those of the eight blocks are in 8 bits.
    operators = convert.operators(model)
    assert (operators["ADD_N"], operators["ADD"]) == (1, 8)
    low = degrade.decimate(speech(16000), 4)
    expected, _ = Upsampler.from_run(stream_run).upsample(low, 4000)
    found, _ = Upsampler.from_tflite(stream_files("int8")).upsample(low, 4000)
    assert snr(expected, found) > BEST_SNR_DB
    # A state that was always zero at calibration would have no range.
    network, exact = TFLiteNetwork(stream_files("int8")), TFLiteNetwork(stream_files())
    states, expected = network.states(), exact.states()
    for window in low[: 30 * STEP].reshape(-1, 1, STEP, 1):
        _, states = network.run(window, states)
        _, expected = exact.run(window, expected)
    for state, whole in zip(states, expected, strict=True):
        assert snr(whole, state) > 10


def test_calibration_goes_from_state_to_state(stream_run, noise):
    network = Upsampler.from_run(stream_run).network
    model, wave = network.step(), noise(4 * STEP)
    inputs = list(exporter._inputs(model, wave.reshape(-1, 1, STEP, 1)))
    assert [list(each) for each in inputs] == [[each.name for each in model.inputs]] * 4
    np.testing.assert_array_equal(np.concatenate([each["low"].ravel() for each in inputs]), wave)
    assert not any(np.any(inputs[0][f"state_{k:02}"]) for k in range(11))
    # The interpolation remembers the wave itself.
    np.testing.assert_array_equal(inputs[3]["state_00"].ravel(), wave[3 * STEP - 80 : 3 * STEP])


@pytest.mark.parametrize("steps", [[1, 700, 0, 64], [63], [5000]])
def test_the_outcome_does_not_depend_on_how_the_wave_was_cut(steps, stream_files, noise, pushed):
    upsampler, wave = Upsampler.from_tflite(stream_files()), noise(3001)
    whole, _ = upsampler.upsample(wave, 4000)
    found, _, _ = pushed(upsampler, wave, steps, sample_rate=4000)
    assert len(found) == 4 * len(wave)
    np.testing.assert_allclose(found, whole, rtol=0, atol=1e-5)


def test_channels_and_streams_do_not_disturb_each_other(stream_files, noise):
    upsampler = Upsampler.from_tflite(stream_files())
    waves = np.stack([noise(1000, seed) for seed in (1, 2, 3)], axis=1)
    alone = [upsampler.upsample(wave, 4000)[0] for wave in waves.T]
    both, third = upsampler.stream(4000, 2), upsampler.stream(4000)
    pieces = [
        (both.push(waves[at : at + 100, :2]), third.push(waves[at : at + 100, 2]))
        for at in range(0, 1000, 100)
    ]
    pieces.append((both.flush(), third.flush()))
    found = np.concatenate([np.c_[two, one] for two, one in pieces])
    np.testing.assert_allclose(found.T, alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("sample_rate", "keep_hz"), [(4000, None), (4000, 0.0), (11025, None)])
def test_the_latency_is_kept_and_not_overstated(sample_rate, keep_hz, stream_files, noise, pushed):
    upsampler = Upsampler.from_tflite(stream_files())
    options = {"sample_rate": sample_rate, "keep_hz": keep_hz}
    _, lag, latency = pushed(upsampler, noise(2 * sample_rate), [25], **options)
    assert lag <= latency
    assert lag > 0.9 * latency
    if (sample_rate, keep_hz) == (4000, None):
        assert latency == pytest.approx(tflite.read(stream_files())[1].latency / 16000)


def test_a_window_other_than_the_step_is_refused(stream_run, tmp_path):
    with pytest.raises(UserError, match="--window=128: this network takes windows of 64 samples"):
        exporter.export(stream_run, tmp_path / "x.tflite", window=128)


def test_an_export_whose_states_do_not_do_what_the_network_does_is_refused(
    stream_run, tmp_path, monkeypatch
):
    """A step that forgets: the first window alone would not tell."""
    network = Upsampler.from_run(stream_run).network
    step = network.step()

    def forgetful(self):
        outputs = [step.outputs[0], *(0.0 * each for each in step.outputs[1:])]
        return keras.Model(step.inputs, outputs, name="forgetful")

    monkeypatch.setattr(type(network), "step", forgetful)
    with pytest.raises(UserError, match="comes only within"):
        exporter.export(stream_run, tmp_path / "x.tflite")
    assert not list(tmp_path.iterdir())
