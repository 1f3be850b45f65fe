"""Takes the pictures of the page to try networks, with Chromium.

make try
python -m http.server --directory=build/try --bind=127.0.0.1
python docs/generate/screenshots.py http://127.0.0.1:8000/
"""

import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright
from wideband import audio
from wideband.data_gen import synthesize

DOCS = Path(__file__).parents[1]
# Name of the picture -> width and height of the window, in pixels.
WINDOWS = {"try_desktop.png": (900, 900), "try_phone.png": (390, 844)}
SENTENCES = "The shy thief washed six fuzzy socks. Fresh fish for the chef, she suggested."
RATE = 8000  # Hz
MILLISECONDS = 600_000  # until a step of the page counts as failed
COLOURS = 128
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def speak(path: Path) -> None:
    """Writes a recording of a synthetic voice, as a telephone would have it."""
    (voice,) = [each for each in synthesize.VOICES if each.name == "kim"]
    with synthesize.start_espeak() as say:
        wave, sample_rate = say(voice, SENTENCES)
    audio.write(path, audio.resample(wave, sample_rate, RATE), RATE)


def take(browser: Browser, address: str, recording: Path, folder: Path) -> None:
    """Restores a recording on the page, and takes a picture in each of the windows.

    Args:
        browser: a running browser.
        address: of the page.
        recording: what to restore.
        folder: where the pictures go.
    """
    for name, (width, height) in WINDOWS.items():
        with browser.new_context(viewport={"width": width, "height": height}) as context:
            page = context.new_page()
            page.set_default_timeout(MILLISECONDS)
            page.goto(address)
            page.wait_for_selector("#input:not([hidden])")
            page.set_input_files("#file", recording)
            # The second time, the network is loaded already, and the speed is that of restoring.
            for _ in range(2):
                page.click("#restore")
                page.wait_for_selector("#result:not(:empty)")
            page.evaluate("""() => {
                const position = document.getElementById("position");
                position.value = position.max / 2;
                position.dispatchEvent(new Event("input"));
            }""")
            picture = Image.open(io.BytesIO(page.screenshot(full_page=True)))
        # A palette makes the files small.
        picture.convert("RGB").quantize(COLOURS).save(folder / name, optimize=True)


def main(address: str) -> None:
    """Takes the pictures of the page at an address."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        recording = Path(folder) / "old interview.wav"
        speak(recording)
        # Chromium's sandbox does not start for root, as in containers.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        take(browser, address, recording, DOCS)


if __name__ == "__main__":
    main(sys.argv[1])
