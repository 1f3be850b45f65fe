"""Whole recordings in JavaScript, with networks that need no LiteRT."""

import numpy as np
import pytest
from wideband.audio import measure, quotient
from wideband.upsample import Upsampler

# Each network in both languages: a function of a window, and of a state that starts as zeros.
CONTEXT = {
    "wants": "interpolated",
    "ratio": 4,
    "window": 256,
    "context": 20,
    "js": "(x) => x.map((sample, k) => sample - (k >= 7 ? x[k - 7] : 0) ** 2)",
    "python": lambda x, state: (x - np.pad(x, (7, 0))[: len(x)] ** 2, state),
}
PATCH = {
    "wants": "interpolated",
    "ratio": 2,
    "window": 256,
    "context": None,
    # Windows disagree where they overlap.
    "js": "(x) => x.map((sample, k) => sample * (1 + k / 256))",
    "python": lambda x, state: (x * (1 + np.arange(256) / 256), state),
}
STREAMING = {
    "wants": "low",
    "ratio": 2,
    "window": 32,
    "context": 70,
    "delay": 16,
    "js": """(x, state) => {
        const high = Array.from({length: 64}, (_, k) => x[k >> 1] + 0.01);
        const both = [...(state.past ?? new Float32Array(16)), ...high];
        state.past = both.slice(-16);
        return both.slice(0, 64);
    }""",
    "python": lambda x, state: np.split(np.concatenate([state, np.repeat(x, 2) + 0.01]), [64]),
}
ANY_BAND = CONTEXT | {"ratio": 1, "band_hz": (1000.0, 7000.0)}
LOW = CONTEXT | {
    "wants": "low",
    "js": "(x) => Float32Array.from({length: 4 * x.length}, (_, k) => x[k >> 2])",
    "python": lambda x, state: (np.repeat(x, 4), state),
}
# Its output shows which window a wave gets.
SHORTER = CONTEXT | {
    "shorter_windows": (60, 96),
    "js": "(x) => x.map((sample) => sample + x.length / 1000)",
    "python": lambda x, state: (x + len(x) / 1000, state),
}
QUOTIENT = CONTEXT | {"ratio": "441/160"}
VOCODER = CONTEXT | {"ratio": 1, "wants": "high"}
NETWORKS = {
    "context": CONTEXT,
    "patch": PATCH,
    "streaming": STREAMING,
    "any band": ANY_BAND,
    "low": LOW,
    "shorter windows": SHORTER,
}


class Network:
    """A `models.restorer.Restorer` of one of these networks."""

    def __init__(self, kind):
        self.name, self._run = "fake", kind["python"]
        self.wants, self.context = kind["wants"], kind["context"]
        self.windows = (*kind.get("shorter_windows", ()), kind["window"])
        self.factor = kind["ratio"] if kind["wants"] == "low" else 1
        self.multiple, self.patch = 1, None if kind["context"] else kind["window"]
        self.streaming, self.delay = "delay" in kind, kind.get("delay", 0)
        self.band_hz = kind.get("band_hz")
        self._kind, self._state = kind, np.zeros(16, np.float32)

    def session(self, recording):
        return Network(self._kind)

    def restore(self, windows):
        outputs = []
        for window in windows[:, :, 0]:
            output, self._state = self._run(window, self._state)
            outputs.append(output)
        return np.array(outputs, np.float32)[:, :, np.newaxis]


RESTORE = """(m, channels, sampleRate, band, metadata) => {
    const run = JS;
    const start = () => {
        const state = {};
        return {restore: async (window) => run(window, state), end: () => {}};
    };
    return m.restore(channels.map(f32), sampleRate, {metadata, start}, band);
}"""


@pytest.mark.parametrize("sample_rate", [4000, 8000, 16000])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_output_is_that_of_the_upsampler(name, sample_rate, noise, javascript):
    kind = NETWORKS[name]
    for n in (1, 10, 40, 1500):
        wave = np.stack([noise(n, seed=1), noise(n, seed=2)], axis=1)
        upsampler = Upsampler(Network(kind), 16000, kind["ratio"], "spline")
        expected, _ = upsampler.upsample(wave, sample_rate)
        metadata = {
            key: kind.get(key) for key in ("wants", "ratio", "window", "context", "band_hz")
        }
        metadata |= {
            "sample_rate": 16000,
            "interpolation": "spline",
            "shorter_windows": kind.get("shorter_windows", ()),
            "streaming": "delay" in kind,
            "delay": kind.get("delay", 0),
            "network": "fake",
        }
        band = measure.wave_band(wave, sample_rate)
        code = RESTORE.replace("JS", kind["js"])
        found = javascript("dsp/restore.js", code, wave.T, sample_rate, band, metadata)
        # From four times the rate, soxr filters a sudden beginning in other stages.
        atol = 3e-3 if sample_rate == 4 * upsampler.low_rate else 5e-5
        np.testing.assert_allclose(np.transpose(found), expected, rtol=0, atol=atol)


@pytest.mark.parametrize("sample_rate", [8000, 22050])
@pytest.mark.parametrize("name", ["quotient", "vocoder"])
def test_quotients_and_vocoders_are_those_of_the_upsampler(name, sample_rate, noise, javascript):
    kind = {"quotient": QUOTIENT, "vocoder": VOCODER}[name]
    for n in (1, 40, 1500):
        wave = noise(n)
        upsampler = Upsampler(Network(kind), 22050, quotient(kind["ratio"]), "hann_sinc")
        expected, _ = upsampler.upsample(wave, sample_rate)
        metadata = {key: kind[key] for key in ("wants", "ratio", "window", "context")}
        metadata |= {"sample_rate": 22050, "interpolation": "hann_sinc", "network": "fake"}
        metadata["shorter_windows"] = ()
        band = measure.wave_band(wave, sample_rate)
        code = RESTORE.replace("JS", kind["js"])
        found = javascript("dsp/restore.js", code, [wave], sample_rate, band, metadata)
        np.testing.assert_allclose(found[0], expected, rtol=0, atol=3e-3)


def test_an_output_that_is_not_finite_is_refused(javascript):
    code = """async (m) => {
        const windows = {window: 4, shorter_windows: [], context: 1};
        const rates = {wants: "low", ratio: 1, ...windows, sample_rate: 8000};
        const start = () => ({restore: async (window) => window.fill(NaN), end: () => {}});
        const network = {metadata: {...rates, network: "x"}, start};
        return m.restore([f32([1, 2, 3])], 8000, network, [0, 0]).catch((error) => error.message);
    }"""
    message = javascript("dsp/restore.js", code)
    assert message == "the output of x contains NaN or infinity; use another network"
