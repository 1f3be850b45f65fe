"""Links between files of the repository become links between pages."""

import links
import pytest


def test_links_to_pages_outside_the_folder_lead_to_their_place_in_the_site():
    text = "[a](../models/cards/speech-4x.md#measured), [b](../README.md)"
    assert (
        links.rewrite(text, "results.md", "") == "[a](cards/speech-4x.md#measured), [b](index.md)"
    )
    text = "![picture](docs/comparison.png) and [c](docs/networks/tfnet.md)"
    assert (
        links.rewrite(text, "index.md", "")
        == "![picture](comparison.png) and [c](networks/tfnet.md)"
    )
    text = "[notes](../../docs/design-notes.md#test-results)"
    page = "cards/speech-4x.md"
    assert links.rewrite(text, page, "") == "[notes](../design-notes.md#test-results)"


def test_other_files_are_linked_in_the_repository_if_its_address_is_known():
    text = "see [the recipes](../train/recipes/published.py)"
    address = "https://example.org/wideband"
    linked = f"see [the recipes]({address}/blob/main/train/recipes/published.py)"
    assert links.rewrite(text, "train.md", address) == linked
    assert links.rewrite(text, "train.md", "") == "see the recipes"


def test_other_addresses_and_anchors_stay():
    text = "[a](https://example.org/x.md) [b](#here) [c](train.md#losses)"
    assert links.rewrite(text, "data.md", "") == text


def test_a_badge_keeps_its_address():
    text = "[![Open](docs/colab.svg)](https://example.org/x)"
    assert links.rewrite(text, "index.md", "") == "[![Open](colab.svg)](https://example.org/x)"


def test_the_page_to_try_is_the_one_of_the_same_site():
    repository = "https://github.com/someone/wideband"
    assert links.site(repository) == "https://someone.github.io/wideband/"
    html = '<a href="https://someone.github.io/wideband/try/">a</a> <a href="https://x.org/">b</a>'
    for page, own in (("", "try/index.html"), ("browser/", "../try/index.html")):
        changed = f'<a href="{own}">a</a> <a href="https://x.org/">b</a>'
        assert links.stay(html, page, repository) == changed


def test_a_link_to_nothing_is_an_error():
    with pytest.raises(FileNotFoundError, match=r"docs/data\.md links to \.\./nothing\.md"):
        links.rewrite("[a](../nothing.md)", "data.md", "")
