"""The model that fits a recording is picked, and an error names what to do."""

import re

import pytest
from wideband.command import UserError
from wideband.models import pretrained
from wideband.upsample import Upsampler, picking
from wideband.upsample.baselines import Interpolation
from wideband.upsample.picking import Candidate, candidates, pick


def any_band(name, sample_rate, band_hz):
    upsampler = Upsampler(Interpolation("spline"), sample_rate, 1, "spline", name)
    return Candidate(name, sample_rate, sample_rate, lambda: upsampler, band_hz)


FULLBAND = any_band("fullband", 48000, (2000.0, 20000.0))


@pytest.fixture
def models():
    """Models from 4 and 8 kHz."""
    return candidates(["spline", "linear"], 16000, 4) + candidates(["sinc"], 16000, 2)


@pytest.mark.parametrize(
    ("band_hz", "expected"),
    # Silence, 0, fits every model.
    [(1000, 4000), (1100, 4000), (2100, 4000), (2300, 8000), (3000, 8000), (4000, 8000), (0, 4000)],
)
def test_the_lowest_model_whose_low_band_ends_with_the_recordings_band_is_picked(
    models, band_hz, expected
):
    assert pick(models, band_hz, 16000).low_rate == expected


def test_a_model_from_2_khz_takes_recordings_whose_band_seems_somewhat_wider():
    [model] = candidates(["sinc"], 16000, 8)
    bands_hz = (499, 500, 1000, 1250, 1251)
    assert [model.fits(hz) for hz in bands_hz] == [False, True, True, True, False]


@pytest.mark.parametrize(
    ("band_hz", "message"),
    [
        (
            5000,
            "^has content up to 5000 Hz, and sinc replaces everything above 4000 Hz; use --model=s",
        ),
        (900, "content ends at 900 Hz, and spline restores only what is above 2000 Hz, "),
        (7500, "^has content up to 7500 Hz, and sinc replaces everything above 4000 Hz"),
        (7500, "^has content up to 7500 Hz, .* above 4000 Hz; use --model=speech, or --force$"),
        (7700, "nothing for sinc to restore; use --model=speech$"),
        (9000, "nothing for sinc to restore; use --model=fullband$"),
        (22050, "^already has content up to 22050 Hz; there is nothing for sinc to restore$"),
    ],
)
def test_a_recording_that_fits_no_model_is_refused_unless_forced(models, band_hz, message):
    with pytest.raises(UserError, match=message):
        pick(models, band_hz, 16000)
    nearest = pick(models, band_hz, 16000, force=True)
    assert nearest.low_rate == (8000 if band_hz > 4000 else 4000)


@pytest.mark.parametrize(
    ("sample_rate", "ratio"), [(8000, 8), (8000, 4), (16000, 4), (16000, 2), (48000, 2)]
)
@pytest.mark.parametrize("band_hz", [100, 999, 1000, 1999, 2201, 3000, 4401, 5259, 8000, 23000])
def test_the_advice_of_an_error_leads_to_a_model_that_fits(sample_rate, ratio, band_hz):
    models = candidates(["sinc"], sample_rate, ratio)
    if models[0].fits(band_hz):
        assert pick(models, band_hz, 16000).low_rate == sample_rate / ratio
        return
    with pytest.raises(UserError) as caught:
        pick(models, band_hz, 16000)
    message = str(caught.value)
    if advised := re.search(r"use --model=(\w+)(, or --force)?$", message):
        assert pick(candidates([advised[1]], 16000, 4), band_hz, 16000).name == advised[1]
    elif low_rate := re.search(r"; no shipped network fits; .* low rate near (\d+) Hz", message):
        assert not any(each.fits(band_hz) for each in candidates([], 16000, 4))
        assert abs(int(low_rate[1]) / 2 - band_hz) < 1
    else:
        assert message.startswith("already has content")
        assert band_hz > 0.95 * sample_rate / 2


@pytest.mark.parametrize(
    ("band_hz", "sample_rate", "expected"),
    [
        (3400, 8000, "speech"),
        (7000, 16000, "speech"),
        # A network at 16 kHz would lower these rates.
        (3400, 22050, "fullband"),
        (7000, 44100, "fullband"),
        (7000, 96000, "fullband"),
        (16000, 44100, "fullband"),
        # Only one of them was trained on such bands.
        (7900, 16000, "fullband"),
        (1200, 48000, "speech"),
        # Neither was.
        (500, 8000, "speech"),
        (0, 44100, "fullband"),
        (0, 8000, "speech"),
    ],
)
def test_among_models_for_any_band_those_come_first_that_lower_no_rate(
    band_hz, sample_rate, expected
):
    models = [FULLBAND, any_band("speech", 16000, (1000.0, 7500.0))]
    assert pick(models, band_hz, sample_rate).name == expected


def test_a_recording_with_everything_that_can_be_heard_is_refused():
    with pytest.raises(UserError, match=r"^already has content up to 20500 Hz; there is nothing"):
        pick([FULLBAND], 20500, 44100)


def test_only_the_default_model_that_fits_is_loaded(monkeypatch):
    loaded = []
    monkeypatch.setattr(picking, "DEFAULTS", ("speech-2x", "speech-4x"))

    def load(name):
        loaded.append(name)
        return picking.load("spline")

    monkeypatch.setattr(
        picking,
        "_shipped",
        lambda name: Candidate(
            name, {"speech-2x": 8000, "speech-4x": 4000}[name], 16000, lambda: load(name)
        ),
    )
    models = candidates([], 16000, 4)
    assert not loaded
    first = pick(models, 2000, 16000)
    assert pick(models, 2000, 16000) is first
    assert loaded == ["speech-4x"]


def test_the_defaults_have_the_names_and_rates_of_their_networks():
    for candidate in candidates([], 16000, 4):
        upsampler = candidate.upsampler
        assert candidate.name == upsampler.name
        assert (candidate.low_rate, candidate.sample_rate) == (
            upsampler.low_rate,
            upsampler.sample_rate,
        )


def test_every_model_is_checked_before_the_first_is_loaded(monkeypatch):
    monkeypatch.setattr(picking, "load", lambda *_: pytest.fail("loaded"))
    with pytest.raises(UserError, match="splin: no such"):
        candidates([str(pretrained.find("speech-4x")), "splin"], 16000, 4)
