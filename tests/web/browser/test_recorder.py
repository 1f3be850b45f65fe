"""The recorder of the notebooks, in a browser whose microphone beeps twice a second."""

import base64

import numpy as np
import pytest
from wideband import audio
from wideband.data_gen import clip

BEEP_HZ = 400  # of Chromium's artificial microphone
# Notes for how long the recorder waits, and what it says meanwhile.
WAITS = """() => {
    window.waits = [];
    const wait = window.setTimeout;
    window.setTimeout = (then, milliseconds) => {
        window.waits.push([document.body.innerText, milliseconds]);
        return wait(then, milliseconds);
    };
}"""


@pytest.mark.slow
def test_a_browser_records_its_microphone(blank):
    blank.route("**/*", lambda route: route.fulfill(body="<body></body>", content_type="text/html"))
    # Browsers give the microphone to pages of this machine, and to encrypted ones.
    blank.goto("http://localhost/")
    blank.evaluate(WAITS)
    text = blank.evaluate(f"({clip.RECORDER})(1.5, {clip.SAMPLE_RATE})")
    assert blank.inner_text("body") == ""
    assert blank.evaluate("() => window.waits") == [
        ["Speak now: 2 s", 1000],
        ["Speak now: 1 s", 500],
    ]
    wave = audio.from_int16(np.frombuffer(base64.b64decode(text), "<i2"))
    assert 0.5 < np.abs(wave).max() <= 1
    # The pulses of the beep show the rate. The length shows nothing: a busy machine loses parts.
    pulses = np.flatnonzero(np.diff(1 * (wave > 0.5)) == 1)
    assert clip.SAMPLE_RATE / np.median(np.diff(pulses)) == pytest.approx(BEEP_HZ, rel=0.05)
