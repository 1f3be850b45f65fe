"""Unseen filters: their effect on tones and noise, and a model measured with them."""

import numpy as np
import pytest
from wideband.data_gen import degrade
from wideband.data_gen.dataset import Dataset

RATE, RATIO = 16000, 4


@pytest.fixture
def unseen_filters(script):
    return script("unseen_filters")


@pytest.mark.parametrize("name", ["butterworth", "elliptic"])
def test_a_filter_passes_the_low_band_without_delay_and_stops_the_rest(unseen_filters, tone, name):
    low_pass = getattr(unseen_filters, name)
    middle = slice(500, 3500)
    for hz in (100, 800, 1500):
        low = low_pass(tone(RATE, hz), RATIO)
        assert low.dtype == np.float32 and low.shape == (RATE // RATIO,)
        np.testing.assert_allclose(low[middle], tone(RATE, hz)[::RATIO][middle], atol=0.015)
    for hz in (2400, 5000):
        assert np.abs(low_pass(tone(RATE, hz), RATIO)[middle]).max() < 0.01


def test_the_filters_differ_from_those_of_training(unseen_filters, noise):
    wave = noise(RATE)
    filters = [degrade.decimate, degrade.sinc_down]
    filters += [unseen_filters.butterworth, unseen_filters.elliptic]
    low = [low_pass(wave, RATIO) for low_pass in filters]
    for k, first in enumerate(low):
        for second in low[k + 1 :]:
            assert np.std(first - second) > 0.02 * np.std(first)


def test_mp3_loses_detail_but_adds_no_delay(unseen_filters):
    rng = np.random.default_rng(0)
    # Noise that falls with frequency, with pauses, like speech.
    wave = np.cumsum(rng.normal(0, 0.02, 3 * RATE)) * np.repeat([1, 0, 1], RATE)
    wave = (wave - np.convolve(wave, np.ones(161) / 161, "same")).astype(np.float32)
    decoded = unseen_filters.through_mp3(wave, RATE)
    assert decoded.shape == wave.shape
    snr_db = 10 * np.log10(np.sum(wave**2) / np.sum((decoded - wave) ** 2))
    # A delay of one sample would leave 8 dB.
    assert 12 < snr_db < 40


@pytest.fixture
def folder(data, make_dataset, tmp_path):
    """A dataset whose valid split has sound in all recordings."""
    return make_dataset(tmp_path / "data", {"valid": list(Dataset(data).examples("test"))})


def test_the_table_has_a_row_for_every_filter(script, folder, tmp_path, call):
    output = tmp_path / "table.md"
    flags = ["--model=spline", f"--data={folder}", f"--output={output}"]
    code, _, err = call(script("robustness").command, *flags)
    assert code == 0, err
    rows = [line.strip("|").split("|") for line in output.read_text().splitlines()]
    by_name = {row[0].strip(): row[1:] for row in rows[2:]}
    assert [*by_name] == [
        "spline, own filter",
        "own filter",
        "Butterworth",
        "elliptic",
        "sinc (soxr)",
        "MP3 at 32 kbit/s",
    ]
    # The model is the spline here.
    assert by_name["own filter"] == by_name["spline, own filter"]
    assert len({tuple(row) for row in by_name.values()}) == 5


def test_a_model_with_other_rates_is_refused(script, folder, tmp_path, call, error_line):
    flags = ["--model=speech-2x", f"--data={folder}", f"--output={tmp_path / 'x.md'}"]
    code, _, err = call(script("robustness").command, *flags)
    assert code == 1
    assert "speech-2x upsamples 8000 Hz to 16000 Hz" in error_line(err)
    assert not (tmp_path / "x.md").exists()
