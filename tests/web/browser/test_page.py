"""The page in a browser: restoring in the browser itself, and with wideband-demo."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from wideband import audio
from wideband.models import pretrained
from wideband.upsample.__main__ import command as upsample

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]


@pytest.fixture
def expected(call, tmp_path):
    """Returns a function that restores a recording with wideband-upsample and a TFLite file."""

    def expected(source, network):
        output = tmp_path / "expected.wav"
        file = pretrained.WEIGHTS / network / pretrained.TFLITE_FILE
        code, _, error = call(upsample, source, f"--model={file}", f"--output={output}")
        assert code == 0, error
        return soundfile.read(output)[0]

    return expected


def assert_same(found, expected):
    """Compares waves of networks with weights in 8 bits, whose sums browsers round differently."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=3e-3)
    assert np.sqrt(np.mean((found - expected) ** 2)) < 5e-4


def test_a_recording_is_restored_as_by_the_command(page, clip, expected, tmp_path, shipped):
    facts = "old clip.wav: 2.0 s, stereo, 4000 Hz; its band ends at 2000 Hz."
    assert page.open(clip) == facts
    assert page.page.input_value("#network") == shipped["default"]
    assert page.page.is_hidden("#after") and page.page.is_disabled("#compare")
    assert page.restore(shipped["streaming"]).startswith("Restored with ")
    assert page.page.is_visible("#before") and page.page.is_visible("#after")
    path = page.download(tmp_path)
    assert path.name == "old clip_wideband.wav"
    found, rate = soundfile.read(path)
    assert rate == 16000
    assert found.shape == (32000, 2)
    assert_same(found, expected(clip, shipped["streaming"]))


def test_a_recording_with_nothing_to_restore_can_be_cut(page, noise, tmp_path, shipped):
    path = tmp_path / "full.band.wav"
    wave = noise(24000)
    soundfile.write(path, np.stack([wave, -wave], axis=1), 48000)
    page.open(path)
    assert "there is nothing for" in page.text("#objection")
    page.page.click("#cut")
    page.page.wait_for_selector("#facts:has-text('8000 Hz')")
    assert page.text("#facts").startswith("full.band_4kHz.wav: 0.5 s, stereo, 8000 Hz; its band")
    assert page.text("#objection") == "" and page.page.is_hidden("#cut")
    assert page.restore(page.page.input_value("#network")).startswith("Restored with ")
    # Of half a second, the speed says nothing.
    assert "real time" not in page.text("#result")


def test_windows_with_a_context_are_restored_as_by_the_command(
    static, expected, tmp_path, noise, shipped
):
    wave = audio.resample(noise(4000) * np.hanning(4000), 4000, 11025)
    soundfile.write(tmp_path / "mono.wav", wave, 11025, "PCM_24")
    static.open(tmp_path / "mono.wav")
    static.restore(shipped["default"])
    path = static.download(tmp_path)
    assert soundfile.info(path).subtype == "PCM_24"
    expected = expected(tmp_path / "mono.wav", shipped["default"])
    assert_same(soundfile.read(path)[0], expected)


# A context of Web Audio that renders 1.5 seconds at once; after one second, the other version is
# chosen. Both versions hold their own times, the second one with the opposite sign.
PLAY = """async () => {
    const {Player} = await import("./player.js");
    const rate = 8000;
    const context = new OfflineAudioContext(1, 1.5 * rate, rate);
    context.resume = () => {};
    window.AudioContext = function () { return context; };
    const player = new Player(() => {});
    const time = Float32Array.from({length: 2 * rate}, (_, k) => k / rate);
    const other = {channels: [time.map((t) => -t)], sampleRate: rate};
    player.load([{channels: [time], sampleRate: rate}, other]);
    player.seek(0.25);
    const suspended = context.suspend(1).then(() => {
        player.choose(1);
        OfflineAudioContext.prototype.resume.call(context);
    });
    player.play();
    const heard = await context.startRendering();
    await suspended;
    return Array.from(heard.getChannelData(0));
}"""


def test_both_versions_are_played_in_step(new_page):
    heard = np.array(new_page.page.evaluate(PLAY))
    begins = np.flatnonzero(heard)[0]
    assert begins == pytest.approx(0.05 * 8000, abs=2)
    times = 0.25 + np.arange(len(heard) - begins) / 8000
    switched = 8000 - begins
    np.testing.assert_allclose(heard[begins:8000], times[:switched], rtol=0, atol=2e-4)
    # The switch begins with the next block of Web Audio and takes 20 ms. The other version goes on
    # at the same place.
    after = slice(switched + 300, None)
    np.testing.assert_allclose(heard[begins:][after], -times[after], rtol=0, atol=2e-4)


# Cancels as soon as the page says that it restores, before it can take notice of the end.
CANCEL = """() => {
    const [stage, cancel] = ["stage", "cancel"].map((id) => document.getElementById(id));
    new MutationObserver((_, observer) => {
        if (!stage.textContent.startsWith("Restoring") || !cancel.checkVisibility()) return;
        observer.disconnect();
        cancel.click();
    }).observe(stage, {childList: true});
}"""


def test_restoring_can_be_cancelled(page, clip, shipped):
    page.open(clip)
    page.page.evaluate(CANCEL)
    assert page.restore(shipped["default"]) == ""
    assert page.page.is_enabled("#restore")
    # The next one is not hindered.
    assert page.restore(shipped["streaming"]).startswith("Restored with ")


def test_an_answer_that_was_complete_before_the_user_cancelled_is_dropped(
    new_page, server, clip, shipped
):
    query = f"/restore?suffix=.wav&network={shipped['streaming']}"
    kind = {"Content_Type": "application/octet-stream"}
    _, _, answer = server.request("POST", query, clip.read_bytes(), **kind)
    new_page.page.route("**/restore?*", lambda route: route.fulfill(body=answer))
    new_page.open(clip)
    new_page.page.evaluate(CANCEL)
    assert new_page.restore(shipped["streaming"]) == ""
    assert new_page.page.is_hidden("#after")


# Notes a click that opens the browser's dialog for files, which this page then does not show.
CHOOSER = """() => {
    document.getElementById("file").addEventListener("click", (event) => {
        event.preventDefault();
        window.chosen = true;
    });
}"""
# Notes every text of the button and of the time.
PLAYED = """() => {
    window.played = {play: [], time: []};
    for (const [id, texts] of Object.entries(window.played)) {
        const element = document.getElementById(id);
        const note = () => texts.push(element.textContent);
        new MutationObserver(note).observe(element, {childList: true});
    }
}"""
# Whether time has gone by, or the end was reached.
HEARD = """() => {
    const {play, time} = window.played;
    return play.length > 1 || time.some((text) => parseFloat(text) > 0);
}"""


def test_the_keyboard_is_enough(alone, clip, shipped):
    page = alone
    keyboard = page.page.keyboard
    press = keyboard.press

    def focus(name):
        for _ in range(25):
            press("Tab")
            if page.page.evaluate("() => document.activeElement.id") == name:
                return
        raise AssertionError(f"no way to {name} by keyboard")

    focus("file")
    page.page.evaluate(CHOOSER)
    press("Space")
    page.page.wait_for_function("() => window.chosen")
    page.open(clip)
    focus("network")
    press("Home")
    while page.page.input_value("#network") != shipped["streaming"]:
        before = page.page.input_value("#network")
        press("ArrowDown")
        assert page.page.input_value("#network") != before
    focus("restore")
    press("Enter")
    assert page.restored().startswith("Restored with ")
    assert page.page.evaluate("() => document.activeElement.id") == "restore"
    focus("play")
    page.page.evaluate(PLAYED)
    press("Space")
    page.page.wait_for_function(HEARD)
    # The two seconds may be over.
    played = page.page.evaluate("() => window.played")
    assert played["play"][0] == "Pause"
    assert max(float(text.split()[0]) for text in played["time"]) > 0
    focus("compare")
    assert page.page.get_attribute("#compare", "aria-pressed") == "true"
    press("Enter")
    assert page.page.get_attribute("#compare", "aria-pressed") == "false"
    focus("position")
    press("End")
    assert page.text("#time") == "2.0 of 2.0 s"
    focus("download")
    with page.page.expect_download() as download:
        press("Enter")
    assert download.value.suggested_filename == "old clip_wideband.wav"


def test_a_phone_shows_everything_without_scrolling_sideways(new_page, clip, shipped):
    page = new_page
    page.page.set_viewport_size({"width": 360, "height": 640})
    page.open(clip)
    page.restore(shipped["streaming"])
    assert page.page.evaluate("() => document.documentElement.scrollWidth") <= 360
    for name in ("record", "restore", "play", "compare", "network", "download"):
        box = page.page.locator(f"#{name}").bounding_box()
        # A finger needs 40 pixels.
        assert box["height"] >= 40 and box["x"] >= 0 and box["x"] + box["width"] <= 360, name


# Counts how often the page asks for the microphone.
COUNT = """() => {
    window.asked = 0;
    const devices = navigator.mediaDevices;
    const ask = devices.getUserMedia.bind(devices);
    devices.getUserMedia = (options) => { window.asked += 1; return ask(options); };
}"""


def test_the_pictures_of_the_docs_show_the_whole_page(browser, server, clip, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs" / "generate")
    import screenshots

    name, (width, height) = list(screenshots.WINDOWS.items())[-1]
    monkeypatch.setattr(screenshots, "WINDOWS", {name: (width, height)})
    screenshots.take(browser, server.address, clip, tmp_path)
    for folder in (tmp_path, ROOT / "docs"):
        with Image.open(folder / name) as picture:
            assert picture.width == width and picture.height > height


def test_a_microphone_is_recorded(static):
    static.page.evaluate(COUNT)
    # Impatient users click twice.
    static.page.evaluate("() => [1, 2].forEach(() => document.getElementById('record').click())")
    static.page.wait_for_selector("#hint:text-matches('recorded [1-9]')")
    shown = int(static.text("#hint").split()[1])
    assert static.page.evaluate("() => window.asked") == 1
    static.page.click("#record")
    static.page.wait_for_selector("#facts:has-text('recording.wav: ')")
    seconds = float(static.text("#facts").split()[1])
    # The hint is rounded.
    assert seconds >= shown - 0.5
    assert static.text("#record") == "Record"


def test_a_file_of_wideband_export_can_be_used(static, clip, tmp_path, shipped):
    file = pretrained.WEIGHTS / shipped["streaming"] / pretrained.TFLITE_FILE
    content = file.read_bytes()
    for name, changed in (
        ("mine.tflite", content),
        ("broken.tflite", content[:-1]),
        ("damaged.tflite", content[:1000] + bytes([content[1000] ^ 1]) + content[1001:]),
    ):
        (tmp_path / name).write_bytes(changed)
    static.open(clip)
    page = static.page
    page.set_input_files("#own-network", tmp_path / "broken.tflite")
    page.wait_for_selector("#error:not(:empty)")
    assert static.text("#error").startswith("broken.tflite: truncated, or not written by")
    for name, answer in (
        ("mine.tflite", "Restored with mine.tflite"),
        ("damaged.tflite", "old clip.wav: damaged, its model has another checksum"),
    ):
        page.set_input_files("#own-network", tmp_path / name)
        page.wait_for_selector(f"#network option[value='{name}']", state="attached")
        assert static.restore(name).startswith(answer)
