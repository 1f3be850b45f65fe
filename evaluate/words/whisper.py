"""OpenAI's Whisper, run by faster-whisper.

Radford et al.: Robust Speech Recognition via Large-Scale Weak Supervision, ICML 2023.

Whisper is also a language model: where it does not understand, it invents fluent text or repeats a
phrase, and it may fill in words that it cannot hear. The settings keep texts short and the same in
every run: the most probable token at each step, at temperature 0 without fallback to others; no
text of a window is passed to the next; at most 8 tokens per second of sound and 8 more, about
twice as many as speech has. Each recording is recognized on one core, in 8 bits, so that the text
does not depend on the number of cores.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ...command import UserError
from ...models.pretrained import checksum
from .normalization import WRITTEN

_WINDOW = 30 * 16000  # samples that Whisper hears at once
_TOKENS_PER_SECOND, _MORE_TOKENS = 8, 8
_MOST_TOKENS = 224  # per window, half of what the decoder has positions for
# faster-whisper would download a missing tokenizer.
_FILES = ("model.bin", "config.json", "tokenizer.json")


class Whisper:
    """Whisper, for English.

    A recording of more than 30 seconds is cut into equal parts; a word at a cut may be lost.

    Args:
        whisper_model: folder of a model in the format of CTranslate2, or the name of one that
            faster-whisper has downloaded before, such as "base".

    Raises:
        UserError: faster-whisper is not installed, there is no such model, or it is damaged.
    """

    sample_rate = 16000
    normalizer = WRITTEN

    def __init__(self, whisper_model: str = "base") -> None:
        folder, advice = find_model(whisper_model)
        self._cores = os.cpu_count() or 1
        self._model = _load(folder, advice, self._cores)
        self.name = (
            f"whisper {Path(whisper_model).name} (SHA-256 of model.bin "
            f"{checksum(folder / 'model.bin')[:12]}), faster-whisper {version('faster-whisper')}, "
            "8 bits, greedy"
        )

    def transcribe(self, waves: Sequence[np.ndarray]) -> Iterator[str]:
        """Recognizes English; see `Recognizer.transcribe`."""
        with ThreadPoolExecutor(self._cores) as pool:
            yield from pool.map(lambda wave: _transcribe(self._model, wave), waves)


def _transcribe(model: Any, wave: np.ndarray) -> str:
    parts = np.array_split(wave, max(1, -(-len(wave) // _WINDOW)))
    return " ".join(_transcribe_window(model, part) for part in parts)


def _transcribe_window(model: Any, wave: np.ndarray) -> str:
    tokens = len(wave) * _TOKENS_PER_SECOND // Whisper.sample_rate + _MORE_TOKENS
    # Tokens that tell the model its task; an English model needs no language and task.
    prompt = 4 if model.model.is_multilingual else 2
    segments, _ = model.transcribe(
        wave,
        language="en",
        beam_size=1,
        # A single temperature: there is no other to fall back to.
        temperature=0.0,
        condition_on_previous_text=False,
        # With time stamps, a window is heard again from the last one on, with as many new tokens.
        without_timestamps=True,
        # CTranslate2 stops at half of the prompt and the new tokens.
        max_new_tokens=2 * min(tokens, _MOST_TOKENS) - prompt,
    )
    return "".join(segment.text for segment in segments).strip()


def find_model(model: str, key: str = "--whisper_model") -> tuple[Path, str]:
    """Returns the folder of a model, and what to do if it is damaged.

    Args:
        model: its folder, or the name of a model that faster-whisper has downloaded before.
        key: what the user has set to it.

    Raises:
        UserError: there is no such model, or its name needs faster-whisper, which is not installed.
    """
    if Path(model).is_dir():
        advice = "give a complete folder of a Whisper model for faster-whisper (CTranslate2)"
        return Path(model), advice
    package = _import()
    if model not in package.available_models():
        raise UserError(
            f"{key}={model}: there is no such folder; give the folder of a model for "
            f"faster-whisper, or one of {', '.join(package.available_models())}"
        )
    from huggingface_hub.errors import LocalEntryNotFoundError

    code = f"import faster_whisper; faster_whisper.download_model('{model}')"
    download = f'download it with: python -c "{code}"'
    try:
        folder = Path(package.download_model(model, local_files_only=True))
    except LocalEntryNotFoundError as error:
        raise UserError(
            f"{key}={model}: not in the cache of faster-whisper; {download}, or give the "
            "folder of a model"
        ) from error
    # The folder with all versions of the model; it would be linked to the same files again.
    return folder, f"delete {folder.parents[1]} and {download}"


def _load(folder: Path, advice: str, cores: int) -> Any:
    """Loads a model, and tries it on a short silence."""
    for name in _FILES:
        if not (folder / name).is_file():
            raise UserError(f"{folder}: has no {name}; {advice}")
    package = _import()
    try:
        model = package.WhisperModel(
            str(folder), device="cpu", compute_type="int8", cpu_threads=1, num_workers=cores
        )
        _transcribe(model, np.zeros(160, np.float32))
    # The kind of error depends on the file that is damaged; tokenizers raises Exception itself.
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(f"{folder}: not usable as a Whisper model ({reason}); {advice}") from error
    return model


def _import() -> Any:
    try:
        import faster_whisper
    except ImportError as error:
        raise UserError(
            "the recognizer whisper needs faster-whisper, which is not installed; "
            "pip install '.[whisper]' in wideband's folder"
        ) from error
    return faster_whisper
