"""A Whisper model, run without faster-whisper."""

import json

import ctranslate2
import numpy as np
import pytest


def mel_filters():
    """Slaney's triangles of unit area: linear up to 1 kHz, then 27 steps for a factor of 6.4."""
    steps = np.linspace(0, 15 + 27 * np.log(8) / np.log(6.4), 82)
    hz = np.where(steps < 15, steps * 200 / 3, 1000 * 6.4 ** ((steps - 15) / 27))
    bins = np.arange(201) * 40
    return np.array(
        [
            np.interp(bins, (low, peak, high), (0, 2 / (high - low), 0))
            for low, peak, high in zip(hz[:-2], hz[1:-1], hz[2:], strict=True)
        ]
    )


@pytest.fixture(scope="session")
def recognize_directly(whisper_model):
    """Returns a function that runs the model without faster-whisper."""
    model = ctranslate2.models.Whisper(str(whisper_model), compute_type="int8", intra_threads=1)
    filters = mel_filters()
    tokens = json.loads((whisper_model / "vocabulary.json").read_text())
    special = [number for number, token in enumerate(tokens) if token.startswith("<")]

    def recognize_directly(wave, most_words):
        """Recognizes a wave of at most 30 seconds; the text is cut after a number of words."""
        frames = np.lib.stride_tricks.sliding_window_view(np.pad(wave, 200, "reflect"), 400)[::160]
        spectra = np.fft.rfft(frames[:-1] * np.hanning(401)[:-1]).T
        mel = np.log10(np.maximum(filters @ np.abs(spectra) ** 2, 1e-10))
        features = np.zeros((1, 80, 3000), np.float32)
        features[0, :, : mel.shape[1]] = (np.maximum(mel, mel.max() - 8) + 4) / 4
        prompt = [tokens.index("<|startoftranscript|>"), tokens.index("<|notimestamps|>")]
        [result] = model.generate(
            ctranslate2.StorageView.from_array(features),
            [prompt],
            beam_size=1,
            max_length=448,
            suppress_tokens=[number for number in special if tokens[number] != "<|endoftext|>"],
        )
        return " ".join(tokens[number] for number in result.sequences_ids[0][:most_words])

    return recognize_directly
