"""The report of a run, parsed as HTML."""

import base64
import dataclasses
import io
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
from wideband.command import UserError
from wideband.command.drawing import png
from wideband.evaluate import figures, report
from wideband.evaluate.metrics import METRICS, bands
from wideband.evaluate.metrics.statistics import Mean, summarize

SAMPLE_RATE = 8000
PNG = b"\x89PNG curves"

FACTS = report.Facts(
    title="AudioUNet at ratio 4",
    model="audiounet",
    parameters=56_411_394,
    corpus="VCTK",
    split="test",
    files=9,
    speakers=3,
    minutes=12.34,
    protocol="decimate_spline",
    ratio=4,
    sample_rate=SAMPLE_RATE,
    training_seconds=3725,
    machine="two CPU cores",
    commands=["wideband-prepare --corpus=vctk", "wideband-train --data=a&b"],
    versions={"tensorflow": "2.16.1", "numpy": "1.26.4"},
    more={"Recipe": "kuleshov2017"},
)
SYSTEMS = {
    "spline": {"snr": Mean(15.6, 15.1, 16.2, 9, 0), "lsd_kuleshov": Mean(5.38, 5.3, 5.5, 9, 0)},
    "ours": {"snr": Mean(14.2, 14.0, 14.4, 9, 0), "lsd_kuleshov": Mean(3.15, 3.1, 3.2, 9, 0)},
}


def clip(**changes):
    rng = np.random.default_rng(0)
    titles = ["low", "spline", "estimate", "reference"]
    waves = {title: 0.1 * rng.standard_normal(SAMPLE_RATE) for title in titles}
    given = {"name": "p225_001", "sample_rate": SAMPLE_RATE, "waves": waves, **changes}
    return report.Clip(**given)


class Page(HTMLParser):
    """The tags with their attributes, the visible text and the cells of the table."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.cells, self.text = [], [], ""
        self.feed(html)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("td", "th"):
            self.cells.append([dict(attrs).get("class"), ""])

    def handle_data(self, data):
        if not self.tags or self.tags[-1][0] != "style":
            self.text += data + " "
        if self.cells:
            self.cells[-1][1] += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def render(systems=SYSTEMS, curves=PNG, clips=(), facts=FACTS):
    return report.render(facts, systems, curves, list(clips))


@pytest.fixture(scope="module")
def html():
    """A page with one clip."""
    return render(clips=[clip()])


def content(uri, kind):
    head, body = uri.split(",")
    assert head == f"data:{kind};base64"
    return base64.b64decode(body)


def test_the_page_refers_to_no_other_file(html):
    page = Page(html)
    assert {"script", "link", "iframe", "object", "base"}.isdisjoint(tag for tag, _ in page.tags)
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset", "poster", "action"):
            assert attributes.get(name, "data:").startswith("data:")
    assert "url(" not in html
    assert "@import" not in html
    assert "://" not in html


def test_every_fact_is_on_the_page():
    text = Page(render()).text
    for fact in [
        "AudioUNet at ratio 4",
        "audiounet, 56,411,394 parameters",
        "VCTK, split test: 9 files, 12.3 minutes, 3 speakers",
        "2,000 Hz to 8,000 Hz, ratio 4",
        "decimate_spline",
        "1 h 2 min on two CPU cores",
        "tensorflow 2.16.1, numpy 1.26.4",
        "Recipe kuleshov2017",
        "wideband-prepare --corpus=vctk",
        "wideband-train --data=a&b",
    ]:
        assert fact in text


def test_parameters_may_be_unknown_and_the_ratio_a_quotient():
    facts = dataclasses.replace(FACTS, parameters=None, ratio="5/2")
    text = Page(render(facts=facts)).text
    assert "Model audiounet Data" in text
    assert "3,200 Hz to 8,000 Hz, ratio 5/2" in text


def test_every_column_has_its_convention_and_definition():
    text = Page(render()).text
    for name in ("snr", "lsd_kuleshov"):
        assert METRICS[name].label in text
        assert METRICS[name].definition in text
    assert METRICS["lsd"].label not in text


def test_the_best_of_a_column_follows_the_direction_of_its_metric():
    cells = Page(render()).cells
    best = [text.split()[0] for kind, text in cells if kind == "best"]
    assert best == ["15.60", "3.150"]
    assert "[15.10, 16.20]" in "".join(text for _, text in cells)


def test_a_level_is_best_near_0_and_the_reference_is_never_best():
    systems = {
        "reference": {"level_hf": summarize([np.nan]), "dnsmos_p808": Mean(3, 2.9, 3.1, 9, 0)},
        "noise": {"level_hf": Mean(9, 8, 10, 9, 0), "dnsmos_p808": Mean(3, 2.9, 3.1, 9, 0)},
        "ours": {"level_hf": Mean(-3, -4, -2, 9, 0), "dnsmos_p808": Mean(2.8, 2.7, 2.9, 9, 0)},
    }
    page = Page(render(systems=systems))
    best = [text.split()[0] for kind, text in page.cells if kind == "best"]
    assert sorted(best) == ["-3.0", "3.00"]
    assert "dB, 0 is best" in page.text
    # The reference has no level.
    assert "values that are not finite" not in page.text
    assert METRICS["dnsmos_p808"].definition in page.text


def test_a_column_without_values_has_no_best_and_left_out_values_are_counted():
    nothing = summarize([np.inf] * 3)
    page = Page(render(systems={"a": {"snr": nothing}, "b": {"snr": Mean(1, 0, 2, 2, 0)}}))
    assert [text.split()[0] for kind, text in page.cells if kind == "best"] == ["1.00"]
    assert "3 values that are not finite" in page.text
    page = Page(render(systems={"a": {"snr": nothing}}))
    assert "best" not in [kind for kind, _ in page.cells]


def test_equal_means_are_all_best():
    page = Page(render(systems={name: {"lsd": summarize([0.25])} for name in "ab"}))
    assert [kind for kind, _ in page.cells].count("best") == 2


def test_the_players_have_the_waves_in_order(html):
    one = clip()
    players = Page(html).all("audio")
    assert [player["aria-label"] for player in players] == [f"p225_001, {t}" for t in one.waves]
    for player, wave in zip(players, one.waves.values(), strict=True):
        decoded, rate = soundfile.read(io.BytesIO(content(player["src"], "audio/flac")))
        assert rate == SAMPLE_RATE
        np.testing.assert_allclose(decoded, wave, atol=2**-15)


@pytest.mark.usefixtures("plain_spectrograms")
def test_level_differences_are_drawn_if_there_is_a_reference():
    def drawn(*clips):
        images = Page(render(curves=None, clips=clips)).all("img")
        return [each["src"] for each in images if each["alt"].startswith("Mean level difference")]

    one = clip()
    errors = {
        title: bands.level_differences(one.waves["reference"], wave)
        for title, wave in one.waves.items()
        if title != "reference"
    }
    expected = png(figures.differences(errors, SAMPLE_RATE, 1000))
    assert [content(each, "image/png") for each in drawn(one)] == [expected]
    assert drawn(one, one) == drawn(one)
    assert drawn(clip(waves={"spline": one.waves["spline"]})) == []


def test_every_player_has_its_own_spectrogram(html):
    one = clip()
    page = Page(html)
    pictures = [
        content(picture["src"], "image/png")
        for picture in page.all("img")
        if picture["alt"].startswith("Spectrogram")
    ]
    assert len(set(pictures)) == len(one.waves)
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)


@pytest.mark.usefixtures("plain_spectrograms")
def test_a_long_clip_is_cut():
    waves = {"reference": np.zeros(20 * SAMPLE_RATE)}
    player = Page(render(clips=[clip(waves=waves)])).all("audio")[0]
    decoded, rate = soundfile.read(io.BytesIO(content(player["src"], "audio/flac")))
    assert len(decoded) / rate == report.CLIP_SECONDS


@pytest.mark.usefixtures("plain_spectrograms")
def test_a_clip_shows_its_text_and_the_scores_of_its_versions():
    scores = {"estimate": {"snr": 15.004, "lsd": 1.3}}
    text = Page(render(clips=[clip(text="Please call Stella.", scores=scores)])).text
    assert "“Please call Stella.”" in text
    assert "estimate SNR 15.00 · LSD (modern) 1.300" in text


def test_curves_and_clips_may_be_missing():
    page = Page(render(curves=None))
    assert not page.all("img")
    assert "Training 1 h" in page.text
    assert "Listen" not in page.text
    assert content(Page(render()).all("img")[0]["src"], "image/png") == PNG


@pytest.mark.usefixtures("plain_spectrograms")
def test_names_are_escaped():
    evil = "<script>alert('x')</script>"
    page = Page(render(clips=[clip(name=evil, text=evil)], systems={evil: SYSTEMS["ours"]}))
    assert not page.all("script")
    assert page.text.count(evil) == 3


def test_the_page_is_written_completely_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "report.html"
    report.write(path, FACTS, SYSTEMS, None, [])
    assert path.read_text(encoding="utf-8") == render(curves=None)
    with pytest.raises(UserError, match="ratio 0 must be"):
        report.write(path, dataclasses.replace(FACTS, ratio=0), SYSTEMS, None, [])
    assert path.read_text(encoding="utf-8") == render(curves=None)
    assert list(path.parent.iterdir()) == [path]
