"""Wrong arguments in Python: each is refused at once, in one line."""

from fractions import Fraction

import numpy as np
import pytest
from wideband.command import UserError
from wideband.models import pretrained
from wideband.upsample import Upsampler, load
from wideband.upsample.baselines import Interpolation
from wideband.upsample.tflite import TFLiteNetwork


def refused(message, function, *arguments, **options):
    with pytest.raises(UserError, match=message) as caught:
        function(*arguments, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("sample_rate", "message"),
    [
        *((rate, "must be a number from 1000 to 768000 Hz$") for rate in (0, -16000, 999, 768001)),
        *((rate, "must be a number from 1000") for rate in (np.nan, np.inf, -np.inf, 10**400)),
        *((rate, "must be a number from 1000") for rate in ("16000", None, 1j, [16000])),
        (16000.5, "^sample_rate=16000.5: must be a whole number$"),
    ],
)
def test_the_high_rate_of_a_model(sample_rate, message):
    refused(message, load, "spline", sample_rate=sample_rate)
    refused(message, Upsampler, Interpolation("spline"), sample_rate, 4, "spline")


@pytest.mark.parametrize(
    ("ratio", "message"),
    [
        *((ratio, "^ratio") for ratio in (0, -2, np.nan, np.inf, "four", "", None, [4], "1/0")),
        (17, "ratio 17 of a model at 16000 Hz: the low rate must be from 1000 to 768000 Hz$"),
        (Fraction(1, 50), "ratio 1/50 of a model at 16000 Hz: the low rate must be from 1000"),
        ("1/2", "^ratio 1/2: must be at least 1, the high rate over the low rate$"),
        (2.7, "ratio .*: write it as a quotient of two rates up to 768000 Hz, such as 22050/8000$"),
        ("1000001/500000", "ratio 1000001/500000: write it as a quotient"),
    ],
)
def test_the_ratio_of_a_model(ratio, message):
    refused(message, load, "sinc", ratio=ratio)
    refused(message, Upsampler, Interpolation("sinc"), 16000, ratio, "sinc")


@pytest.mark.parametrize("name", ["", "x" * 5000, "a\0b", ".", "/", 5, None])
def test_the_name_of_a_model(name):
    refused("no such|not a run folder", load, name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        *(({"sample_rate": rate}, "^sample_rate=") for rate in (0, -1, np.nan, np.inf, 1e18)),
        *(({"sample_rate": rate}, "^sample_rate=") for rate in ("8000", None, 1j)),
        *(({"channels": n}, "^channels=.*from 1 to 64, or None") for n in (0, -1, 65, 1.5, "2")),
        *(({"keep_hz": hz}, "^keep_hz=.*at least 0 in Hz") for hz in (-1, np.nan, "all", 1j)),
        *(({"keep_from_hz": hz}, "^keep_from_hz=.*at least 0 in Hz") for hz in (-1, np.nan, "0")),
        ({"keep_hz": 300.0, "keep_from_hz": 300}, "^keep_from_hz=300: .*, below keep_hz;"),
    ],
)
def test_the_arguments_of_a_stream(options, message):
    upsampler = load("spline", 16000, 4)
    refused(message, upsampler.stream, **{"sample_rate": 4000, **options})


@pytest.mark.parametrize("window", [0, -2048, 2049, 2048.5, 2048.0, np.nan, "2048", 10**12])
def test_the_window_of_a_stream(window, upsampler):
    message = "^window of .* samples: this network takes multiples of 32 above 1536 and up to"
    refused(message, upsampler("audiounet").stream, 4000, window=window)


def test_a_stream_takes_nothing_after_its_end(noise):
    stream = load("spline", 16000, 4).stream(4000)
    found = np.concatenate([stream.push(noise(100)), stream.flush()])
    assert len(found) == 400
    for ended in (lambda: stream.push(noise(100)), lambda: stream.push([]), stream.flush):
        refused(r"^this stream has ended with flush\(\); start another one$", ended)


def test_refused_samples_do_not_disturb_a_stream(noise):
    stream, other = load("spline", 16000, 4).stream(4000), load("spline", 16000, 4).stream(4000)
    found = [stream.push(noise(100))]
    for samples in (np.full(9, np.nan), np.zeros((9, 1)), np.zeros(9, int), [[0.0], []], "noise"):
        refused("samples|wave|recording", stream.push, samples)
    found += [stream.push(noise(100)), stream.flush()]
    expected = [other.push(noise(100)), other.push(noise(100)), other.flush()]
    np.testing.assert_array_equal(np.concatenate(found), np.concatenate(expected))


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", 10**6])
def test_the_threads_of_a_tflite_file(threads):
    file = pretrained.find("phone-4x") / pretrained.TFLITE_FILE
    refused("^threads=.*: must be a whole number from 1 to 64$", TFLiteNetwork, file, threads)
