"""AudioSR as a model, with small random networks: what its users complained of does not happen."""

import keras
import numpy as np
import pytest
from scipy import signal
from wideband import models
from wideband.command import UserError
from wideband.models import pretrained
from wideband.models.record import Record
from wideband.upsample import Upsampler, load

RATE = 48000

# Building the UNet takes seconds.
pytestmark = pytest.mark.slow


def randomize(network):
    """Adds noise to weights: the velocities of an untrained UNet are zero."""
    rng = np.random.default_rng(0)
    network.set_weights([w + rng.normal(0, 0.05, w.shape) for w in network.get_weights()])


def record(model, arguments, **options):
    recipe = {"name": model, "source": "ours", "model": model, "arguments": arguments}
    rates = {"sample_rate": RATE, "ratio": 1, "protocol": "decimate_spline"}
    return Record({**recipe, **rates}, **options)


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    """A run of a small autoencoder with random weights."""
    folder = tmp_path_factory.mktemp("runs") / "vae"
    arguments = models.small("audiosr_vae")
    keras.utils.set_random_seed(1)
    network = models.build("audiosr_vae", **arguments).networks()["network"]
    randomize(network)
    folder.mkdir()
    record("audiosr_vae", arguments).write(folder)
    network.save_weights(folder / pretrained.KERAS_FILE)
    return folder


@pytest.fixture(scope="module")
def make(vae):
    """Builds the small system."""
    return lambda **arguments: models.build(
        "audiosr", **{**models.small("audiosr"), "vae": str(vae), **arguments}
    )


@pytest.fixture(scope="module")
def upsampler(make):
    keras.utils.set_random_seed(1)
    system = make()
    randomize(system.unet)
    return Upsampler(system, RATE, 1, "spline")


@pytest.fixture(scope="module")
def band():
    """Returns a function that makes noise whose band ends at 4 kHz, (n,)."""

    def band(n, rate=RATE, seed=0):
        wave = np.random.default_rng(seed).normal(0, 0.1, n)
        sos = signal.butter(20, 4000, fs=rate, output="sos")
        return signal.sosfiltfilt(sos, wave).astype(np.float32)

    return band


def above(wave, hz=5500):
    """The part of waves (n, ...) above a frequency."""
    return signal.sosfiltfilt(
        signal.butter(16, hz, "highpass", fs=RATE, output="sos"), wave, axis=0
    )


def level_db(wave):
    return 10 * np.log10(np.mean(np.square(wave)) + 1e-30)


@pytest.fixture(scope="module")
def restored(upsampler, band):
    return upsampler.upsample(band(50000), RATE)[0]


def test_a_new_band_appears_and_the_low_band_stays(restored, band):
    wave = band(50000)
    assert restored.dtype == np.float32 and restored.shape == wave.shape
    assert level_db(above(restored)) > level_db(above(wave)) + 20
    low = signal.butter(16, 3000, fs=RATE, output="sos")
    difference = signal.sosfiltfilt(low, restored - wave)[1000:-1000]
    assert level_db(difference) < level_db(wave) - 80


def test_the_same_recording_has_the_same_result_and_another_seed_another_one(
    restored, upsampler, band
):
    again = upsampler.upsample(band(50000), RATE)[0]
    np.testing.assert_array_equal(restored, again)
    network = upsampler.network
    try:
        network.seed = 1
        other = upsampler.upsample(band(50000), RATE)[0]
    finally:
        network.seed = 0
    assert level_db(restored - other) > level_db(above(restored)) - 20


@pytest.mark.parametrize("gain", [1e-2, 0.5])
def test_levels_are_kept(gain, restored, upsampler, band):
    found = upsampler.upsample(gain * band(50000), RATE)[0]
    np.testing.assert_allclose(found, gain * restored, rtol=0, atol=1e-3 * gain)


def test_an_offset_is_kept(restored, upsampler, band):
    found = upsampler.upsample(band(50000) + 0.1, RATE)[0]
    assert found[2000:-2000].mean() == pytest.approx(0.1 + restored[2000:-2000].mean(), abs=1e-3)


def test_chunks_do_not_matter(upsampler, band, push):
    wave = band(50000)
    options = {"sample_rate": RATE, "keep_hz": 4000.0, "peak": float(np.abs(wave).max())}
    (whole, *_), (parts, *_) = (
        push(upsampler, wave, each, **options) for each in ([50000], [7001])
    )
    np.testing.assert_allclose(parts, whole, rtol=0, atol=1e-5)


def test_windows_have_different_noise(upsampler, band):
    """A recording that repeats would otherwise repeat its noise, which is audible."""
    hop = 30720 // 2
    wave = np.tile(band(hop), 5)
    made = above(upsampler.upsample(wave, RATE)[0])
    one, other = made[hop : 2 * hop], made[2 * hop : 3 * hop]
    assert level_db(one - other) > level_db(one) - 10


@pytest.mark.parametrize("sample_rate", [8000, 11025, 16000, 22050, 44100, 96000])
def test_recordings_of_any_rate_have_their_exact_length(sample_rate, upsampler, band):
    n = 4002
    found, rate = upsampler.upsample(band(n, 22050), sample_rate)
    assert rate == RATE
    assert len(found) == round(n * RATE / sample_rate) and np.isfinite(found).all()


@pytest.mark.parametrize("n", [1, 2, 100, 481])
def test_the_shortest_recordings_are_restored(n, upsampler, band):
    found, _ = upsampler.upsample(band(500)[:n], RATE)
    assert found.shape == (n,) and np.isfinite(found).all()


def test_silence_and_dither_stay_as_they_are(upsampler):
    np.testing.assert_array_equal(upsampler.upsample(np.zeros(5000), RATE)[0], 0)
    dither = np.random.default_rng(0).normal(0, 10 ** (-96 / 20), 5000).astype(np.float32)
    found = upsampler.upsample(dither, RATE)[0]
    assert level_db(found) < -95


def test_nothing_is_added_to_pauses(upsampler, band):
    wave = band(60000)
    wave[20000:50000] = 0
    found = upsampler.upsample(wave, RATE)[0]
    assert level_db(found[27000:43000]) < -90 < level_db(above(found)[:15000])


# === Channels ===


def test_the_sides_of_a_stereo_recording_stay_apart(upsampler, band):
    wave = band(20000)
    for channel in (0, 1):
        stereo = np.zeros((20000, 2), np.float32)
        stereo[:, channel] = wave
        found = above(upsampler.upsample(stereo, RATE)[0])
        assert level_db(found[:, 1 - channel]) < level_db(found[:, channel]) - 60


def test_equal_channels_stay_equal_and_opposite_ones_opposite(upsampler, band):
    wave = band(20000)
    mono = upsampler.upsample(wave, RATE)[0]
    for sign in (1, -1):
        found = upsampler.upsample(np.stack([wave, sign * wave], axis=1), RATE)[0]
        np.testing.assert_allclose(found[:, 0], mono, atol=1e-4)
        np.testing.assert_allclose(found[:, 1], sign * mono, atol=1e-4)


def test_six_channels_are_restored_each_alone(upsampler, band):
    waves = np.stack([band(9000, seed=k) for k in range(6)], axis=1)
    waves[:, 3] = 0
    found = upsampler.upsample(waves, RATE)[0]
    assert found.shape == (9000, 6)
    np.testing.assert_array_equal(found[:, 3], 0)
    assert len({round(level_db(each), 3) for each in found.T}) == 6


# === Arguments ===


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 0}, "steps 0 must be from 1 to 1000"),
        ({"steps": 1001}, "steps 1001 must be from 1 to 1000"),
        ({"steps": 300, "spacing": "leading"}, "steps 300: with the spacing leading, .* trailing"),
        ({"spacing": "even"}, "unknown spacing 'even'; choose one of leading, trailing"),
        ({"eta": 2.0}, "eta 2.0 must be from 0 to 1"),
        ({"guidance": -1.0}, "guidance -1.0 must be from 0 to 100"),
        ({"scale": 0.0}, "scale 0.0 must be above 0"),
        ({"patch": 48000}, "patch 48000 must be a multiple of 30720"),
        ({"vae": "nowhere"}, "nowhere: no such autoencoder; choose a run folder of audiosr_vae"),
        ({"vocoder": "nowhere"}, "nowhere: no such vocoder; choose griffin_lim or"),
        ({"width": "wide"}, "width 'wide' must be a number"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message, make):
    with pytest.raises(UserError, match=message):
        make(**arguments)


def test_a_run_whose_autoencoder_was_trained_again_is_refused(vae, tmp_path):
    arguments = {**models.small("audiosr"), "vae": str(vae)}
    record("audiosr", arguments, parts={"vae": "0" * 64}).write(tmp_path)
    (tmp_path / pretrained.KERAS_FILE).write_bytes(b"")
    message = "its vae .* has other weights than when the run was trained; put them back$"
    with pytest.raises(UserError, match=message):
        load(tmp_path)


def test_without_guidance_the_unet_runs_on_one_sample(upsampler, monkeypatch):
    system, sizes = upsampler.network, []

    def run(x):
        sizes.append(len(x[0]))
        return np.zeros(x[0].shape, np.float32)

    monkeypatch.setattr(system.unet, "predict_on_batch", run)
    condition = np.zeros((1, 8, 32, 16), np.float32)
    system.denoise(condition, system.plan, np.ones, guidance=1.0)
    system.denoise(condition, system.plan, np.ones)
    assert sizes == [1, 1, 2, 2]
