"""AudioSR as a model, with small random networks: what its users complained of does not happen."""

import itertools

import librosa
import numpy as np
import pytest
import soundfile
from scipy import signal
from seeds import seed_networks
from wideband import models
from wideband.command import UserError
from wideband.data_gen.low_pass import filter_at_inference
from wideband.models import audiosr, pretrained
from wideband.models.features import log_mel
from wideband.models.record import Record
from wideband.upsample import Upsampler, audiosr_stages, faithful, load, low_bins
from wideband.upsample.batch import announce
from wideband.upsample.picking import Candidate

RATE = 48000

# Building the UNet takes seconds.
pytestmark = pytest.mark.slow


def randomize(network):
    """Adds noise to weights: the velocities of an untrained UNet are zero."""
    rng = np.random.default_rng(0)
    network.set_weights([w + rng.normal(0, 0.05, w.shape) for w in network.get_weights()])


def record(model, arguments, **options):
    recipe = {"name": model, "source": "ours", "model": model, "arguments": arguments}
    return Record({**recipe, "sample_rate": RATE, "ratio": 1, "protocol": "hann_sinc"}, **options)


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    """A run of a small autoencoder with random weights."""
    folder = tmp_path_factory.mktemp("runs") / "vae"
    arguments = models.small("audiosr_vae")
    seed_networks(1)
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
    seed_networks(1)
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
        ({"multipliers": "1,0"}, "multipliers '1,0' must be from 1 to 4 whole numbers"),
        ({"multipliers": "1,1,1,1,1"}, "multipliers .* must be from 1 to 4 whole numbers"),
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


def test_the_time_is_known_before_it_starts(upsampler, monkeypatch, tmp_path, capsys):
    """Each reading of the clock takes a second, so each network takes one."""
    clock = itertools.count()
    monkeypatch.setattr(audiosr.time, "perf_counter", lambda: next(clock))
    # The encoder, two steps, the decoder and the vocoder for 0.64 s, in two windows.
    assert upsampler.cost() == pytest.approx(2 * 5 / 0.64)
    soundfile.write(tmp_path / "a.wav", np.zeros(480000), RATE)
    slow = Candidate("slow", RATE, RATE, lambda: upsampler)
    fast = Candidate("fast", RATE, RATE, lambda: load("sinc", RATE))
    announce([slow, fast], [(tmp_path / "a.wav", tmp_path / "b.wav")])
    expected = "slow takes about 15.6 s for a second of a recording on this machine, 3 min in all\n"
    assert capsys.readouterr().err == expected


def test_progress_is_shown_after_each_window(upsampler, monkeypatch):
    assert upsampler.chunk_seconds == 20
    monkeypatch.setattr(upsampler.network, "patch", 491520)
    assert upsampler.chunk_seconds == 5.12


# === As AudioSR's code does it ===


@pytest.fixture
def short(monkeypatch):
    """Pads recordings to multiples of 0.64 s."""
    monkeypatch.setattr(audiosr_stages, "GRAIN_SECONDS", 0.64)


def test_the_faithful_mode_is_the_published_chain_with_noise_in_its_order(short, upsampler, band):
    system, wave = upsampler.network, 0.3 * band(25000) + 0.01
    rng = np.random.default_rng(5)
    noise = list(rng.normal(0, 1, (5, 1, 8, 32, 16)).astype(np.float32))
    drawn = iter(noise)
    options = {"steps": 2, "draw": lambda shape: next(drawn), "family": "butter"}
    found = faithful.restore(system, np.stack([wave, 0 * wave], axis=1), RATE, **options)
    assert next(drawn, None) is None

    padded = np.zeros(30720)
    padded[:25000] = 0.5 * (wave - wave.mean()) / np.abs(wave - wave.mean()).max()
    mirrored = np.pad(padded, 784, mode="reflect")
    spectrum = np.abs(librosa.stft(mirrored, n_fft=2048, hop_length=480, center=False))
    total = spectrum[:1024].sum(axis=1).cumsum()
    end_hz = np.flatnonzero(total < 0.985 * total[-1])[-1] * 24000 / 1024
    low = filter_at_inference(padded, end_hz, RATE, "butter")
    mel = log_mel(low, "audiosr")
    mean, log_variance = system.vae.get_layer("encoder")(mel[None])
    condition = np.float32(system.scale) * (mean + np.exp(0.5 * log_variance) * noise[1])
    x, empty = noise[2], np.full(noise[2].shape, -11.4981 * system.scale, np.float32)

    def share(step):
        levels = [np.cos((k / 1000 + 0.008) / 1.008 * np.pi / 2) ** 2 for k in (step + 1, 0)]
        return levels[0] / levels[1]

    for step, after, fresh in ((501, 1, noise[3]), (1, 0, noise[4])):
        a, ap = share(step), share(after)
        with_condition, without = (
            np.asarray(system.unet([x, np.asarray(each), np.int32([step])]))
            for each in (condition, empty)
        )
        v = without + 3.5 * (with_condition - without)
        sigma = np.sqrt((1 - ap) / (1 - a)) * np.sqrt(1 - a / ap)
        clean, dirty = np.sqrt(a) * x - np.sqrt(1 - a) * v, np.sqrt(a) * v + np.sqrt(1 - a) * x
        x = np.sqrt(ap) * clean + np.sqrt(1 - ap - sigma**2) * dirty + sigma * fresh
        x = x.astype(np.float32)
    filled = np.array(system.vae.get_layer("decoder")(x / system.scale))[0]
    total = np.exp(mel).sum(axis=0).cumsum()
    cut = np.flatnonzero(total < 0.985 * total[-1])[-1]
    filled[:, :cut] = mel[:, :cut]
    made = np.pad(np.asarray(system.vocoder(filled[None]))[0, :, 0], 8)
    expected = audiosr_stages.finish(low_bins.restore_low_band(made, low))[:25000]
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-3)


@pytest.mark.usefixtures("short")
def test_the_command_restores_at_a_peak_of_a_half(upsampler, band, monkeypatch, call, tmp_path):
    monkeypatch.setattr(faithful, "load", lambda model: upsampler.network)
    soundfile.write(tmp_path / "a.wav", band(30720), RATE)
    flags = ["--model=run", f"--output={tmp_path / 'b.wav'}", "--steps=1"]
    code, out, _ = call(faithful.command, tmp_path / "a.wav", *flags)
    assert code == 0 and "b.wav: as the code of audiosr restores" in out
    found, _ = soundfile.read(tmp_path / "b.wav")
    assert len(found) == 30720 and np.abs(found).max() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("wave", "steps", "message"),
    [
        (np.zeros(30720), 50, "finds a band up to 0 Hz"),
        (np.zeros(100), 50, "100 samples at 48 kHz are too few; AudioSR's code needs 101"),
        (np.ones(30720), 300, r"steps 300: with the spacing leading, .*; choose \d+$"),
    ],
)
def test_what_the_code_cannot_take_is_refused(wave, steps, message, short, upsampler):
    with pytest.raises(UserError, match=message):
        faithful.restore(upsampler.network, wave, RATE, steps)
