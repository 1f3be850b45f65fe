"""DNSMOS: compared with its networks, run directly, and what it hears."""

from importlib import resources

import librosa
import numpy as np
import onnxruntime
import pytest
from wideband.command import UserError
from wideband.data_gen import synthesize
from wideband.evaluate import metrics
from wideband.evaluate.metrics import perceptual

# Each window takes half a second.
pytestmark = pytest.mark.slow

SAMPLE_RATE = 16000
WINDOW = round(9.01 * SAMPLE_RATE)
NAMES = ("dnsmos_p808", "dnsmos_ovrl")


@pytest.fixture(scope="module")
def speech():
    """A synthetic voice, long enough for one window."""
    voice = next(voice for voice in synthesize.VOICES if voice.name == "leo")
    with synthesize.start_espeak() as speak:
        wave, rate = speak(voice, "The brave sailor moved two boxes, and saw six ships. " * 4)
    wave = librosa.resample(wave, orig_sr=rate, target_sr=SAMPLE_RATE, res_type="polyphase")
    assert len(wave) > WINDOW
    return wave[: WINDOW + 100].astype(np.float64)


def score(name, wave):
    return metrics.METRICS[name].function(np.zeros_like(wave), wave, SAMPLE_RATE)


def run(file, features):
    path = resources.files("speechmos") / "dnsmos_models" / file
    session = onnxruntime.InferenceSession(path.read_bytes())
    return session.run(None, {"input_1": features[None].astype(np.float32)})[0][0]


def test_the_scores_are_those_of_the_networks(speech):
    """The first window counts; the polynomial of P.835 is that of the published script."""
    wave = speech[:WINDOW]
    mel = librosa.feature.melspectrogram(
        y=wave[:-160], sr=SAMPLE_RATE, n_fft=321, hop_length=160, n_mels=120
    )
    p808 = run("model_v8.onnx", (librosa.power_to_db(mel, ref=np.max).T + 40) / 40)[0]
    assert score("dnsmos_p808", speech) == pytest.approx(p808, abs=1e-4)
    overall = run("sig_bak_ovr.onnx", wave)[2]
    expected = -0.06766283 * overall**2 + 1.11546468 * overall + 0.04602535
    assert score("dnsmos_ovrl", speech) == pytest.approx(expected, abs=1e-4)


def test_noise_lowers_both_scores_and_a_missing_high_band_that_of_p808(speech):
    noisy = speech + np.random.default_rng(0).normal(0, 0.05, len(speech))
    for name in NAMES:
        assert score(name, noisy) < score(name, speech) - 0.5
    spectrum = np.fft.rfft(speech)
    spectrum[round(2000 / SAMPLE_RATE * len(speech)) :] = 0
    dull = np.fft.irfft(spectrum, len(speech))
    assert score("dnsmos_p808", dull) < score("dnsmos_p808", speech) - 0.2


def test_a_short_wave_is_repeated_and_one_beyond_full_scale_is_clipped(speech):
    short = 4 * speech[: WINDOW // 4]
    repeated = np.tile(np.clip(short, -1, 1), 4)
    assert np.abs(short).max() > 1 and len(repeated) == WINDOW
    for name in NAMES:
        assert score(name, short) == pytest.approx(score(name, repeated))


def test_channels_are_measured_separately_and_averaged(speech):
    quiet = 0.1 * speech
    both = np.stack([speech, quiet], axis=1)
    expected = (score("dnsmos_ovrl", speech) + score("dnsmos_ovrl", quiet)) / 2
    assert score("dnsmos_ovrl", both) == pytest.approx(expected)


def test_both_scores_of_a_wave_are_computed_at_once(speech, monkeypatch):
    from speechmos import dnsmos

    first = score("dnsmos_p808", speech)
    monkeypatch.setattr(dnsmos, "run", lambda *_: pytest.fail("computed again"))
    assert score("dnsmos_p808", speech.copy()) == first != score("dnsmos_ovrl", speech)


@pytest.mark.parametrize("package", ["speechmos", "onnxruntime", "librosa"])
def test_a_missing_package_is_named(package, monkeypatch):
    def find_spec(name):
        return None if name == package else object()

    monkeypatch.setattr(perceptual.importlib.util, "find_spec", find_spec)
    with pytest.raises(UserError, match=rf"DNSMOS .* needs the package {package}, .*evaluate"):
        metrics.require(NAMES)
