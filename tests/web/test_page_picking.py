"""The page proposes networks as wideband-upsample picks them."""

from functools import partial
from types import SimpleNamespace

import pytest
from wideband.upsample.picking import Candidate, pick
from wideband.web.site import _metadata

NETWORKS = {
    "a-4x": (4000, None),
    "b-2x": (8000, None),
    "c-8x": (2000, None),
    "any": (16000, (1000.0, 7500.0)),
}
WIDE = {
    "name": "wide",
    "default": True,
    "metadata": {"sample_rate": 48000, "ratio": 1, "band_hz": (2000.0, 20000.0)},
}


def entries(*names, default=()):
    """Returns entries of networks.json."""
    return [
        {
            "name": name,
            "default": name in default,
            "metadata": {
                "sample_rate": 16000,
                "ratio": 16000 / NETWORKS[name][0],
                "band_hz": NETWORKS[name][1],
            },
        }
        for name in names
    ]


def test_a_ratio_may_be_a_quotient(javascript):
    rates = {"sample_rate": 22050, "ratio": "441/160"}
    code = "(m, metadata) => [4000, 11025].map((hz) => m.fits({metadata}, hz))"
    assert javascript("picking.js", code, rates) == [True, False]
    assert javascript("picking.js", "(m, metadata) => m.lowRate({metadata})", rates) == 8000


def test_a_vocoder_takes_every_recording_and_is_not_proposed(javascript):
    # As wideband-demo describes it.
    metadata = _metadata(Candidate("vocoder", 22050, 22050, lambda: None, is_vocoder=True))
    vocoder = {"name": "vocoder", "default": False, "metadata": metadata}
    networks = [vocoder, *entries("a-4x", default=("a-4x",))]
    for band_hz in (0, 2000, 8000, 11025):
        code = (
            "(m, networks, hz) => "
            "[m.choose(networks, hz, 22050).name, m.objection(networks[0], hz, [])]"
        )
        assert javascript("picking.js", code, networks, band_hz) == ["a-4x", ""]
    # Nor is it the remedy for a recording that lacks nothing.
    code = "(m, networks) => m.objection(networks[1], 3900, networks)"
    assert javascript("picking.js", code, networks).endswith("; no network in the list fits")


def test_a_network_fits_where_it_fits_for_the_command(javascript):
    bands = list(range(200, 8200, 50))
    code = "(m, networks, bands) => networks.map((each) => bands.map((hz) => m.fits(each, hz)))"
    found = javascript("picking.js", code, entries(*NETWORKS), bands)
    for (name, (low_rate, band_hz)), fits in zip(NETWORKS.items(), found, strict=True):
        candidate = Candidate(name, low_rate, 16000, lambda: None, band_hz)  # pyright: ignore
        assert fits == [candidate.fits(hz) for hz in bands]
        assert 3 < sum(fits) < len(bands)


@pytest.mark.parametrize(
    ("default", "band_hz", "name"),
    [
        # What the command picks if several fit: the lowest rate.
        (("a-4x", "b-2x"), 2000, "a-4x"),
        (("a-4x", "b-2x"), 4000, "b-2x"),
        (("a-4x", "b-2x"), 5500, "any"),
        (("any",), 2000, "any"),
        # Nothing fits: the nearest default.
        (("a-4x", "b-2x"), 8000, "b-2x"),
        # Silence
        (("b-2x",), 0, "b-2x"),
    ],
)
def test_the_page_begins_with_a_network_that_fits(default, band_hz, name, javascript):
    code = "(m, networks, hz) => m.choose(networks, hz, 16000).name"
    networks = entries(*NETWORKS, default=default)
    assert javascript("picking.js", code, networks, band_hz) == name


def test_the_page_begins_with_the_network_that_the_command_picks(javascript):
    networks = [*entries("any", default=("any",)), WIDE]
    candidates = [
        Candidate(name, rate, rate, partial(SimpleNamespace, name=name), band_hz)  # pyright: ignore
        for name, rate, band_hz in (
            ("any", 16000, (1000.0, 7500.0)),
            ("wide", 48000, (2000.0, 2e4)),
        )
    ]
    recordings = [
        [band_hz, rate]
        for rate in (8000, 16000, 22050, 44100, 96000)
        for band_hz in (0, 500, 1500, 3400, 7400, 7900, 15000, 19900)
        if band_hz < rate / 2
    ]
    code = """(m, networks, recordings) =>
        recordings.map(([hz, rate]) => m.choose(networks, hz, rate).name)"""
    found = javascript("picking.js", code, networks, recordings)
    assert found == [pick(candidates, *each).name for each in recordings]
    assert {*found} == {"any", "wide"}
    code = "(m, networks) => m.objection(networks[0], 8000, networks)"
    words = javascript("picking.js", code, networks)
    assert words.endswith("there is nothing for any to restore; choose wide")
    complete = "(m, wide) => [20000, 22050].map((hz) => m.objection(wide, hz, [wide]))"
    for words in javascript("picking.js", complete, WIDE):
        assert words.endswith("there is nothing for wide to restore")


@pytest.mark.parametrize(
    ("chosen", "band_hz", "words"),
    [
        ("a-4x", 2000, ""),
        (
            "a-4x",
            3900,
            "has content up to 3900 Hz, and a-4x replaces everything above 2000 Hz; choose b-2x or "
            "any",
        ),
        (
            "b-2x",
            1500,
            "has no content above 1500 Hz, and b-2x restores only what is above 4000 Hz, which "
            "leaves a hole; choose a-4x or any",
        ),
        (
            "any",
            8000,
            "already has content up to 8000 Hz; there is nothing for any to restore",
        ),
    ],
)
def test_the_page_says_why_a_network_does_not_fit(chosen, band_hz, words, javascript):
    code = """(m, networks, name, hz) =>
        m.objection(networks.find((each) => each.name === name), hz, networks)"""
    assert javascript("picking.js", code, entries(*NETWORKS), chosen, band_hz) == words
