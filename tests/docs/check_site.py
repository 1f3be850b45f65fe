"""The built pages in build/docs: links, anchors, and that nothing comes from elsewhere.

`make docs` builds the pages and runs these tests; pytest does not find them by itself.
"""

import json
import posixpath
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

SITE = Path(__file__).parents[2] / "build" / "docs"
# The page to try networks has its own tests. The page for errors has absolute links.
PAGES = {
    path.relative_to(SITE).as_posix(): path
    for path in sorted(SITE.rglob("*.html"))
    if not path.is_relative_to(SITE / "try") and path.name != "404.html"
}


class Page(HTMLParser):
    """What a page links to, what it loads, and the anchors that it has."""

    def __init__(self, path):
        super().__init__()
        self.links, self.loaded, self.anchors, self.text = [], [], set(), ""
        self._skip = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.anchors |= {values[key] for key in ("id", "name") if values.get(key)}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag == "link" and values.get("rel") not in ("prev", "next", "canonical"):
            self.loaded.append(values["href"])
        elif "src" in values:
            self.loaded.append(values["src"])
        self._skip = tag if tag in ("script", "style", "code", "pre") else self._skip

    def handle_endtag(self, tag):
        self._skip = "" if tag == self._skip else self._skip

    def handle_data(self, data):
        self.text += "" if self._skip else data


@pytest.fixture(scope="module")
def parsed():
    return {name: Page(path) for name, path in PAGES.items()}


def target(page, link):
    """Returns the file that a link leads to, relative to the site, and the anchor in it."""
    parts = urlsplit(link)
    if not parts.path:
        return page, unquote(parts.fragment)
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page), unquote(parts.path)))
    if (SITE / path).is_dir():
        path = posixpath.normpath(posixpath.join(path, "index.html"))
    return path, unquote(parts.fragment)


def test_the_site_has_all_its_pages():
    root = SITE.parents[1]
    names = {path.stem for path in root.glob("docs/networks/*.md")} - {"index"}
    assert {f"networks/{name}/index.html" for name in names} <= set(PAGES)
    cards = {path.stem for path in root.glob("models/cards/*.md")}
    assert {f"cards/{name}/index.html" for name in cards} <= set(PAGES)
    assert {"index.html", "metrics/index.html", "commands/index.html"} <= set(PAGES)


def test_internal_links_and_anchors_exist(parsed):
    broken = []
    for name, page in parsed.items():
        for link in page.links:
            if urlsplit(link).scheme or link.startswith("//"):
                continue
            path, anchor = target(name, link)
            known = parsed[path].anchors if path in parsed else {anchor}
            if not (SITE / path).is_file() or anchor not in {"", *known}:
                broken.append(f"{name}: {link}")
    assert not broken


def test_pages_load_nothing_from_elsewhere(parsed):
    loaded = {(name, each) for name, page in parsed.items() for each in page.loaded}
    assert len(loaded) > len(PAGES)
    for name, each in loaded:
        if each.startswith("data:"):
            continue
        assert not urlsplit(each).netloc, f"{name} loads {each}"
        assert (SITE / target(name, each)[0]).is_file(), f"{name} loads {each}"


def test_style_sheets_load_nothing_from_elsewhere():
    sheets = [path for path in SITE.rglob("*.css") if not path.is_relative_to(SITE / "try")]
    assert sheets
    for path in sheets:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(?:url\(\s*['\"]?|@import\s*['\"]?)(?:https?:)?//", text), path


def test_nothing_is_left_to_fill_in(parsed):
    """Formulas and generated parts are in the pages, not their sources."""
    for name, page in parsed.items():
        html = PAGES[name].read_text(encoding="utf-8")
        assert "arithmatex" not in html, name
        assert not re.search(r"^:::|\$\$", page.text, re.M), name
        marks = set(re.findall(r"<!-- ([\w ]+).*? -->", html)) - {"table"}
        assert not marks, name
    assert PAGES["metrics/index.html"].read_text(encoding="utf-8").count("<math") > 20


def test_every_network_is_drawn():
    for name in (path.parent.name for path in (SITE / "networks").glob("*/index.html")):
        html = (SITE / "networks" / name / "index.html").read_text(encoding="utf-8")
        assert '<div class="drawing">' in html, name


@pytest.mark.skipif(not (SITE / "try").is_dir(), reason="the page to try has not been built")
def test_the_page_to_try_is_linked(parsed):
    assert "try/index.html" in parsed["index.html"].links
    assert "../try/index.html" in parsed["browser/index.html"].links


def test_the_search_finds_flags():
    index = json.loads((SITE / "search" / "search_index.json").read_text(encoding="utf-8"))
    assert any("--keep_low_band" in each["text"].replace("[no]", "") for each in index["docs"])
