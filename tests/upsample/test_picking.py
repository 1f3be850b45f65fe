"""The model that fits a recording is picked."""

import pytest
from wideband.command import UserError
from wideband.models import pretrained
from wideband.upsample import picking
from wideband.upsample.picking import Candidate, candidates, pick


@pytest.fixture
def models():
    """Models from 4 and 8 kHz."""
    return candidates(["spline", "linear"], 16000, 4) + candidates(["sinc"], 16000, 2)


@pytest.mark.parametrize(
    ("sample_rate", "band_hz", "expected"),
    [
        (4000, 2000, 4000),
        (44100, 2100, 4000),
        (44100, 1100, 4000),
        (44100, 2300, 8000),
        (8000, 4000, 8000),
        # Silence fits every model that takes the rate.
        (44100, 0, 4000),
        (4000, 0, 4000),
    ],
)
def test_the_lowest_model_whose_low_band_ends_with_the_recordings_band_is_picked(
    models, sample_rate, band_hz, expected
):
    assert pick(models, sample_rate, band_hz).low_rate == expected


@pytest.mark.parametrize(
    ("sample_rate", "band_hz", "message"),
    [
        (
            44100,
            5000,
            "^has content up to 5000 Hz, and sinc replaces everything above 4000 Hz.*-fo",
        ),
        (44100, 900, "content ends at 900 Hz, and spline restores only what is above 2000 Hz, "),
        (16000, 7500, "^has content up to 7500 Hz, and sinc replaces everything above 4000 Hz"),
        (16000, 7700, "^already has content up to 7700 Hz; there is nothing for sinc to restore$"),
        (
            44100,
            22050,
            "^already has content up to 22050 Hz; there is nothing for sinc to restore$",
        ),
    ],
)
def test_a_recording_that_fits_no_model_is_refused_unless_forced(
    models, sample_rate, band_hz, message
):
    with pytest.raises(UserError, match=message):
        pick(models, sample_rate, band_hz)
    nearest = pick(models, sample_rate, band_hz, force=True)
    assert nearest.low_rate == (8000 if band_hz > 4000 else 4000)


@pytest.mark.parametrize("force", [True, False])
def test_a_rate_below_every_model_is_refused_even_if_forced(models, force):
    with pytest.raises(UserError, match="rate of 3000 Hz is below the 4000 Hz"):
        pick(models, 3000, 1500, force)


def test_only_the_default_model_that_fits_is_loaded(monkeypatch):
    loaded = []

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
    first = pick(models, 4000, 2000)
    assert pick(models, 4000, 2000) is first
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
