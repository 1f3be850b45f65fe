"""What the page says about files that it cannot take, and about parts that cannot be loaded."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[3] / "web" / "page"


def test_files_that_are_no_recordings_are_refused(page, clip, tmp_path):
    cut = tmp_path / "cut.wav"
    cut.write_bytes(clip.read_bytes()[:10_000])
    text = tmp_path / "<img src=x onerror=alert(1)>.txt"
    text.write_text("no audio")
    empty = tmp_path / "empty.wav"
    empty.write_bytes(b"")
    for path, message in (
        (text, "not readable as audio"),
        (cut, "breaks off"),
        (empty, "the file is empty"),
    ):
        error = page.open(path)
        assert error.startswith(f"{path.name}: ")
        assert message in error
        assert page.page.is_hidden("#restoring") and page.page.is_hidden("#listening")
    # Another file can be chosen.
    assert page.open(clip).startswith("old clip.wav: 2.0 s")
    assert page.text("#error") == ""


def test_recordings_that_are_too_long_are_refused(page, tmp_path):
    path = tmp_path / "long.wav"
    # 601 seconds for the browser; more bytes than the server takes.
    soundfile.write(path, np.zeros(601 * 2000), 2000)
    message = page.open(path)
    assert message in (
        "long.wav: lasts 601 s; this page takes at most 600 s: cut it, or use wideband-upsample",
        "long.wav: has 2 MB; this page takes at most 2 MB: cut it, or use wideband-upsample",
    )


def test_a_network_that_does_not_fit_is_named_with_the_reason(served, noise, tmp_path, shipped):
    path = tmp_path / "wide.wav"
    soundfile.write(path, noise(16000), 16000)
    served.open(path)
    served.page.select_option("#network", shipped["streaming"])
    reason = f"already has content up to 8000 Hz; there is nothing for {shipped['streaming']} to"
    assert served.text("#objection").startswith(f"wide.wav {reason} restore")
    assert served.text("#restore") == "Restore anyway"


def test_a_missing_list_of_networks_is_reported(new_page):
    new_page.page.route("**/networks.json", lambda route: route.fulfill(status=500))
    new_page.page.reload()
    new_page.page.wait_for_selector("#error:not(:empty)")
    assert "the list of networks cannot be loaded" in new_page.text("#error")


# Drops the file that another field has chosen.
DROP = """() => {
    const data = new DataTransfer();
    data.items.add(document.getElementById("other").files[0]);
    document.dispatchEvent(new DragEvent("drop", {dataTransfer: data}));
}"""


def test_a_file_that_has_gone_is_reported(alone, clip, tmp_path):
    page = alone.page
    path = tmp_path / "gone.wav"
    path.write_bytes(clip.read_bytes())
    page.evaluate("""() => document.body.append(
        Object.assign(document.createElement("input"), {type: "file", id: "other"}))""")
    page.set_input_files("#other", path)
    path.unlink()
    page.evaluate(DROP)
    page.wait_for_selector("#error:not(:empty)")
    advice = "cannot be read; choose a file, not a folder, that is still there"
    assert alone.text("#error") == f"gone.wav: {advice}"


@pytest.mark.parametrize("alone", ["static"], indirect=True)
@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("worker.js", "the background task fails; check the connection and try again"),
        ("dsp/restore.js", "dsp/restore.js; check the connection and try again"),
        ("litert/core.js", "check the connection and try again, or use another browser"),
        ("networks/*", "the network cannot be loaded ("),
    ],
)
def test_a_part_that_cannot_be_loaded_is_reported_and_tried_again(
    part, message, alone, clip, shipped
):
    page = alone
    page.page.route(f"**/{part}", lambda route: route.abort())
    opened = page.open(clip)
    error = opened if page.page.is_hidden("#restoring") else page.restore(shipped["streaming"])
    assert error.startswith("old clip.wav: ")
    assert message in error
    page.page.unroute(f"**/{part}")
    page.open(clip)
    assert page.restore(shipped["streaming"]).startswith("Restored with ")


def test_a_page_that_cannot_start_says_what_to_do(blank):
    """Browsers load no scripts of a page that is opened as a file."""
    blank.goto((PAGE / "index.html").as_uri())
    assert "open the page from a web server, not as a file" in blank.inner_text("body")
    assert blank.is_hidden("#file")
