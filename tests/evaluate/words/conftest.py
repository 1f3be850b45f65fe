"""A Whisper model of random weights, as a folder for faster-whisper."""

import ctranslate2
import numpy as np
import pytest
import tokenizers
from ctranslate2.specs.whisper_spec import WhisperSpec

WORDS = ["alpha", "bravo", "charlie", "delta", "echo", "golf", "hotel"]
WORDS += ["kilo", "lima", "mike", "oscar", "papa", "quebec", "romeo"]
SPECIAL = ["<|endoftext|>", "<|startoftranscript|>", "<|translate|>", "<|transcribe|>"]
SPECIAL += ["<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
TOKENS = [*WORDS, "<unk>", *SPECIAL]
WIDTH = 32


@pytest.fixture(scope="session")
def whisper_model(tmp_path_factory):
    """The folder of an English model with one layer, whose texts depend on the recording."""
    folder = tmp_path_factory.mktemp("whisper") / "tiny"
    folder.mkdir()
    rng = np.random.default_rng(1)

    def weights(*shape, gain=1.0):
        return (gain * rng.normal(0, shape[-1] ** -0.5, shape)).astype(np.float32)

    def fill(layer, outputs, inputs=WIDTH, gain=1.0):
        layer.weight, layer.bias = weights(outputs, inputs, gain=gain), np.zeros(outputs, "f4")

    def fill_norms(*layers):
        for layer in layers:
            layer.gamma, layer.beta = np.ones(WIDTH, "f4"), np.zeros(WIDTH, "f4")

    spec = WhisperSpec(1, 2, 1, 2)
    encoder, decoder = spec.encoder, spec.decoder
    for convolution, channels in ((encoder.conv1, 80), (encoder.conv2, WIDTH)):
        convolution.weight = weights(WIDTH, channels, 3)
        convolution.bias = np.zeros(WIDTH, "f4")
    encoder.position_encodings.encodings = weights(1500, WIDTH)
    decoder.position_encodings.encodings = weights(448, WIDTH)
    decoder.embeddings.weight = decoder.projection.weight = weights(len(TOKENS), WIDTH)
    for layer in (encoder.layer[0], decoder.layer[0]):
        fill(layer.self_attention.linear[0], 3 * WIDTH)
        fill(layer.self_attention.linear[1], WIDTH)
        fill(layer.ffn.linear_0, 2 * WIDTH)
        fill(layer.ffn.linear_1, WIDTH, 2 * WIDTH)
        fill_norms(layer.self_attention.layer_norm, layer.ffn.layer_norm)
    # Large weights, so that the words depend on the sound and not on the words before alone.
    hearing = decoder.layer[0].attention
    for linear, outputs, gain in zip(hearing.linear, (1, 2, 1), (1, 10, 3), strict=True):
        fill(linear, outputs * WIDTH, gain=gain)
    fill_norms(hearing.layer_norm, encoder.layer_norm, decoder.layer_norm)
    spec.register_vocabulary(TOKENS)
    spec.config.suppress_ids = spec.config.suppress_ids_begin = spec.config.lang_ids = []
    spec.config.alignment_heads = [(0, 0)]
    spec.validate()
    spec.save(str(folder))

    numbers = {token: number for number, token in enumerate(TOKENS)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(numbers, unk_token="<unk>"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


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

    def recognize_directly(wave, most_words):
        """Recognizes a wave of at most 30 seconds; the text is cut after a number of words."""
        frames = np.lib.stride_tricks.sliding_window_view(np.pad(wave, 200, "reflect"), 400)[::160]
        spectra = np.fft.rfft(frames[:-1] * np.hanning(401)[:-1]).T
        mel = np.log10(np.maximum(filters @ np.abs(spectra) ** 2, 1e-10))
        features = np.zeros((1, 80, 3000), np.float32)
        features[0, :, : mel.shape[1]] = (np.maximum(mel, mel.max() - 8) + 4) / 4
        prompt = [TOKENS.index("<|startoftranscript|>"), TOKENS.index("<|notimestamps|>")]
        [result] = model.generate(
            ctranslate2.StorageView.from_array(features),
            [prompt],
            beam_size=1,
            max_length=448,
            suppress_tokens=[TOKENS.index(token) for token in ("<unk>", *SPECIAL[1:])],
        )
        return " ".join(TOKENS[number] for number in result.sequences_ids[0][:most_words])

    return recognize_directly
