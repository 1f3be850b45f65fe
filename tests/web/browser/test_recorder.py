"""The recorder of the notebooks, in a browser whose microphone beeps once a second."""

import base64

import numpy as np
import pytest
from wideband import audio
from wideband.data_gen import clip


@pytest.mark.slow
def test_a_browser_records_its_microphone(browser):
    page = browser.new_page()
    page.route("**/*", lambda route: route.fulfill(body="<body></body>", content_type="text/html"))
    # Browsers give the microphone to pages of this machine, and to encrypted ones.
    page.goto("http://localhost/")
    text = page.evaluate(f"({clip.RECORDER})(1.5, {clip.SAMPLE_RATE})")
    assert page.inner_text("body") == ""
    page.close()
    wave = audio.from_int16(np.frombuffer(base64.b64decode(text), "<i2"))
    assert 1 < len(wave) / clip.SAMPLE_RATE < 3
    assert 0.01 < np.abs(wave).max() <= 1
