"""The upsampler: in step, of the right length, without seams, and honest about bad input."""

import shutil

import numpy as np
import pytest
import soxr
from scipy import signal
from wideband import models
from wideband.audio import interpolate
from wideband.command import UserError
from wideband.upsample import Upsampler


@pytest.fixture(scope="module")
def network(run):
    return Upsampler.from_run(run).network


@pytest.mark.parametrize("name", ["hold", "linear", "spline"])
def test_a_baseline_is_its_interpolation_but_for_its_last_samples(name, noise):
    wave, sample_rate = Upsampler(name, 16000, 4).upsample(noise(500), 4000)
    assert (len(wave), sample_rate) == (2000, 16000)
    expected = interpolate.METHODS[name](noise(500), 4)
    np.testing.assert_allclose(wave[:-64], expected[:-64], rtol=0, atol=1e-6)


@pytest.mark.parametrize("ratio", [2, 4, 8])
def test_a_spline_does_not_run_off_at_the_end(ratio, noise):
    for seed in range(50):
        wave, _ = Upsampler("spline", 16000, ratio).upsample(noise(200, seed), 16000 / ratio)
        assert np.abs(wave[-ratio:]).max() < 1.5 * np.abs(wave[:-ratio]).max()


def test_an_unknown_baseline_is_refused():
    with pytest.raises(UserError, match=r"'cubic'.*spline"):
        Upsampler("cubic")


@pytest.mark.parametrize("ratio", [2, 4])
def test_a_network_that_wants_the_low_wave_gets_it_without_interpolation(ratio, noise):
    network = models.build("keras_unet", width=0.05, ratio=ratio)
    wave = noise(1001)
    restored, _ = Upsampler(network, 16000, ratio).upsample(wave, 16000 / ratio)
    assert restored.shape == (1001 * ratio,)
    context = network.context
    padded = np.zeros(2 * context + 1024 + network.multiple, np.float32)
    # As the upsampler goes on past the end: mirrored, so that nothing falls off there.
    padded[context : context + 1033] = np.pad(wave, (0, 32), mode="symmetric")
    padded = padded[: len(padded) // network.multiple * network.multiple]
    output = np.asarray(network(padded[np.newaxis, :, np.newaxis]))[0, ratio * context :, 0]
    np.testing.assert_allclose(restored, output[: len(restored)], rtol=0, atol=1e-5)


@pytest.mark.parametrize("sample_rate", [4000, 8000, 11025, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("n", [1, 2, 4411, 10000])
def test_the_length_is_the_inputs_duration_at_the_new_rate(sample_rate, n, noise):
    wave, rate = Upsampler("spline", 16000, 4).upsample(noise(n), sample_rate)
    assert rate == 16000
    assert len(wave) == (2 * n * 16000 + sample_rate) // (2 * sample_rate)
    assert wave.dtype == np.float32


@pytest.mark.parametrize("ratio", [2, 3, 4, 6])
@pytest.mark.parametrize("sample_rate", [8000, 16000, 22050, 44100, 48000])
def test_the_output_is_in_step_with_the_input_to_the_sample(sample_rate, ratio):
    """A chirp below every model's band, against soxr's resampling of it in one step."""
    instants = np.arange(sample_rate) / sample_rate
    chirp = (0.3 * np.sin(2 * np.pi * (100 * instants + 300 * instants**2))).astype(np.float32)
    wave, _ = Upsampler("sinc", 16000, ratio).upsample(chirp, sample_rate)
    middle = slice(2000, 14000)
    expected = soxr.resample(chirp, sample_rate, 16000, quality="VHQ")[middle]
    np.testing.assert_allclose(wave[middle], expected, rtol=0, atol=1e-3)


def test_channels_are_restored_one_by_one(network, noise):
    upsampler = Upsampler(network, 16000, 4)
    left, right = noise(1000, 1), noise(1000, 2)
    both, _ = upsampler.upsample(np.stack([left, right], axis=1), 4000)
    assert both.shape == (4000, 2)
    np.testing.assert_allclose(both[:, 0], upsampler.upsample(left, 4000)[0], atol=1e-6)
    np.testing.assert_allclose(both[:, 1], upsampler.upsample(right, 4000)[0], atol=1e-6)


@pytest.mark.parametrize(
    ("wave", "sample_rate", "message"),
    [
        (np.zeros(0), 4000, "empty"),
        (np.array([0.0, np.nan]), 4000, "NaN"),
        (np.array([0.0, np.inf]), 4000, "infinity"),
        (np.zeros(100), 3999, "3999 Hz is below the 4000 Hz"),
    ],
)
def test_a_wave_that_cannot_be_restored_is_refused(wave, sample_rate, message):
    with pytest.raises(UserError, match=message):
        Upsampler("spline", 16000, 4).upsample(wave, sample_rate)


@pytest.mark.parametrize("from_rate", [4000, 16000])
def test_the_band_that_the_wave_has_is_kept(from_rate):
    """A network that destroys everything, and a wave whose band ends at 1.7 of 2 kHz."""
    rng = np.random.default_rng(3)
    wave = soxr.resample(rng.normal(0, 0.1, 3400 * 4), 3400, from_rate, quality="VHQ")
    upsampler = Upsampler("hold", 16000, 4)
    upsampler.interpolation = "linear"
    kept, _ = upsampler.upsample(wave, from_rate, keep_low_band=True)
    left, _ = upsampler.upsample(wave, from_rate)
    expected = soxr.resample(wave, from_rate, 16000, quality="VHQ")
    low = signal.firwin(2001, 1450, fs=16000)

    def error_db(found):
        error = signal.oaconvolve(found - expected, low, mode="same")[4000:-4000]
        return 20 * np.log10(np.std(error) / np.std(expected))

    assert error_db(kept) < -70
    assert error_db(left) > -30
    # Above the band, the network's.
    high = signal.firwin(2001, 2100, fs=16000, pass_zero=False)
    above = [signal.oaconvolve(each, high, mode="same")[4000:-4000] for each in (kept, left)]
    np.testing.assert_allclose(above[0], above[1], rtol=0, atol=1e-4)


def test_a_run_knows_its_rates_and_its_interpolation(run):
    upsampler = Upsampler.from_run(run)
    assert (upsampler.sample_rate, upsampler.ratio, upsampler.low_rate) == (16000, 4, 4000)
    assert upsampler.interpolation == "spline"
    assert upsampler.network.count_params() == models.build("audiounet", width=0.03).count_params()


def test_a_weights_file_in_a_run_folder_will_do(run, noise):
    by_file = Upsampler.from_run(run / "best.weights.h5").upsample(noise(900), 4000)[0]
    by_folder = Upsampler.from_run(run).upsample(noise(900), 4000)[0]
    np.testing.assert_array_equal(by_file, by_folder)


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"run\.json is missing"):
        Upsampler.from_run(tmp_path)


def test_a_run_without_weights_is_refused(run, tmp_path):
    shutil.copy(run / "run.json", tmp_path)
    with pytest.raises(UserError, match=r"best\.weights\.h5: there is no such file"):
        Upsampler.from_run(tmp_path)


@pytest.mark.parametrize("damage", ["cut", "text"])
def test_damaged_weights_are_refused(run, tmp_path, damage):
    shutil.copy(run / "run.json", tmp_path)
    content = (run / "best.weights.h5").read_bytes()
    damaged = content[: len(content) // 2] if damage == "cut" else b"no weights"
    (tmp_path / "best.weights.h5").write_bytes(damaged)
    with pytest.raises(UserError, match="no weights of audiounet"):
        Upsampler.from_run(tmp_path)
