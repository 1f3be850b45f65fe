"""Spectrograms of recordings: levels over time and frequency, and the picture."""

import numpy as np
import soundfile
from wideband.audio import measure, spectrogram

RATE = 16000


def test_a_spectrogram_shows_each_tone_at_its_time_and_frequency(tmp_path, tone):
    # 40 s, longer than a block: 20 s at 1 kHz, then 20 s at 3 kHz, then NaN.
    wave = np.concatenate([tone(20 * RATE, hz) for hz in (1000, 3000)])
    wave[-5:] = np.nan
    soundfile.write(tmp_path / "a.wav", wave, RATE, subtype="FLOAT")
    facts = measure.measure(tmp_path / "a.wav")
    levels = spectrogram.levels_db(tmp_path / "a.wav", facts)
    bins, columns = levels.shape
    assert columns == spectrogram.COLUMNS
    loudest_hz = np.argmax(levels, axis=0) * RATE / 2 / (bins - 1)
    np.testing.assert_allclose(loudest_hz[: columns // 2 - 2], 1000, atol=RATE / 2 / (bins - 1))
    np.testing.assert_allclose(loudest_hz[columns // 2 + 2 : -2], 3000, atol=RATE / 2 / (bins - 1))


def test_the_level_of_noise_is_its_variance_in_every_bin(tmp_path, noise):
    soundfile.write(tmp_path / "a.wav", noise(30 * RATE), RATE, subtype="FLOAT")
    levels = spectrogram.levels_db(tmp_path / "a.wav", measure.measure(tmp_path / "a.wav"))
    mean_db = 10 * np.log10(np.mean(10 ** (levels / 10), axis=1))
    np.testing.assert_allclose(mean_db, -20, atol=1)


def test_channels_that_cancel_are_shown(tmp_path, tone):
    wave = tone(2 * RATE, 1000)
    soundfile.write(tmp_path / "a.wav", np.stack([wave, -wave], axis=1), RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "b.wav", wave, RATE, subtype="FLOAT")
    stereo, mono = (
        spectrogram.levels_db(tmp_path / name, measure.measure(tmp_path / name))
        for name in ("a.wav", "b.wav")
    )
    np.testing.assert_allclose(stereo, mono, atol=1e-6)


def test_the_picture_spans_the_recording_and_marks_its_bandwidth(tmp_path, noise):
    soundfile.write(tmp_path / "a.wav", noise(2 * RATE), RATE)
    facts = measure.measure(tmp_path / "a.wav")._replace(bandwidth_hz=5000.0)
    figure = spectrogram.draw(tmp_path / "a.wav", facts)
    axis = figure.axes[0]
    (image,) = axis.images
    assert image.get_extent() == [0, 2, 0, 8]
    (line,) = axis.lines
    assert list(line.get_ydata()) == [5, 5]
    assert axis.get_title() == "a.wav"
