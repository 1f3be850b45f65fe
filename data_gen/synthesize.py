"""The demo corpus: ten minutes of speech with known text, synthesised by espeak-ng.

Each build in a new process produces the same bytes. With espeak-ng's own voices it would not: some
add breath from random numbers, most flutter with a counter that continues from one sentence to the
next, and the Scottish accent depends on the voice before it. The voices are therefore defined here,
without breath, flutter and that accent. Some state of espeak-ng remains: the sentences that a
process has synthesised before change the amplitudes of some sounds.

The recordings have espeak-ng's rate of 22050 Hz and fill the band: 2 to 5 % of a voice's power is
between 4 and 8 kHz, and 0.1 to 0.2 % above.
"""

import ctypes
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from .. import audio
from ..command import UserError
from ..command.files import write_csv
from ..command.hidden import hidden_folder


class Voice(NamedTuple):
    """A speaker: an accent of espeak-ng and a vocal tract.

    Args:
        name: of the speaker.
        split: "train", "valid" or "test".
        accent: espeak-ng's name for the accent.
        low_hz: lowest fundamental frequency.
        high_hz: highest fundamental frequency.
        formants: frequencies of the formants, in percent of espeak-ng's standard voice.
        consonants: level of the consonants, in percent of the standard voice.
        speed: in percent of the standard voice.
    """

    name: str
    split: str
    accent: str
    low_hz: int
    high_hz: int
    formants: int
    consonants: int
    speed: int


VOICES = (
    Voice("anna", "train", "en-us", 165, 245, 113, 115, 100),
    Voice("beth", "train", "en", 185, 260, 118, 105, 104),
    Voice("cora", "train", "en-gb-x-gbcwmd", 190, 280, 122, 110, 96),
    Voice("dora", "train", "en-us", 150, 215, 108, 120, 108),
    Voice("egon", "train", "en-us", 75, 120, 100, 105, 100),
    Voice("finn", "train", "en", 95, 150, 96, 115, 106),
    Voice("gus", "train", "en-gb-x-gbclan", 62, 95, 92, 110, 95),
    Voice("hank", "train", "en-029", 110, 170, 103, 100, 102),
    Voice("ida", "valid", "en-us-nyc", 175, 280, 115, 112, 102),
    Voice("jack", "valid", "en-gb-x-rp", 85, 140, 98, 108, 98),
    Voice("kim", "test", "en-gb-x-rp", 160, 235, 111, 118, 100),
    Voice("leo", "test", "en-us", 100, 160, 101, 112, 103),
)
SENTENCES_EACH = {"train": 20, "valid": 10, "test": 13}


def _words(text: str) -> list[str]:
    return text.split()


# Most words are full of sibilants and fricatives, which fill the high band.
_PEOPLE = _words("fox chef judge shepherd thief sister zebra jester sailor nephew miner baker")
_QUALITIES = _words("fresh shy fuzzy thick zesty smooth vast stiff harsh brave yellow round")
_DEEDS = _words("chose washed fixed sketched finished measured watched switched buried moved")
_THINGS = _words("brushes vases matches boxes fences shells cushions feathers melons oars")
_PLACES = (
    "beside the church",
    "in harsh sunshine",
    "near the south beach",
    "with six cheerful cousins",
    "for the fourth time",
    "under a blue moon",
    "on a narrow road",
    "through the thick forest",
)
_DIGITS = _words("zero one two three four five six seven eight nine")

# espeak-ng 1.52, speak_lib.h
_SYNCHRONOUS = 2
_VOLUME = 2
_VOLUME_PERCENT = 70
_UTF8 = 1
_SAMPLES_READY = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)
_LANGUAGE_FILES = ("phontab", "phonindex", "phondata", "intonations", "en_dict", "lang/gmw")


def build(folder: Path) -> Path:
    """Synthesises the corpus: wav files in train, valid and test, and their manifest.

    Args:
        folder: where to write them; it is made if it is missing.

    Returns:
        the manifest (split, path, speaker, seconds, text). It is written last: a folder that has
        one is complete.

    Raises:
        UserError: the extra `demo` is not installed or does not work, or the folder cannot be
            written to.
    """
    texts = _sentences()
    lines = [(voice, n) for voice in VOICES for n in range(1, SENTENCES_EACH[voice.split] + 1)]
    rows = []
    with start_espeak() as speak:
        for voice, n in tqdm(lines, desc="synthesise", unit="sentence"):
            text = next(texts)
            wave, sample_rate = speak(voice, text)
            path = f"{voice.split}/{voice.name}/{voice.name}_{n:03d}.wav"
            audio.write(folder / path, wave, sample_rate)
            seconds = f"{len(wave) / sample_rate:.3f}"
            rows.append(
                {
                    "split": voice.split,
                    "path": path,
                    "speaker": voice.name,
                    "seconds": seconds,
                    "text": text,
                }
            )
    manifest = folder / "manifest.csv"
    write_csv(manifest, rows)
    return manifest


def _sentences() -> Iterator[str]:
    """Yields sentences without end; every third one is a number."""
    rng = np.random.default_rng(2017)
    for n in itertools.count():
        if n % 3 == 2:
            yield "Please dial " + " ".join(rng.choice(_DIGITS, size=7)) + "."
        else:
            yield (
                f"The {rng.choice(_QUALITIES)} {rng.choice(_PEOPLE)} {rng.choice(_DEEDS)} "
                f"{rng.choice(_DIGITS[2:])} {rng.choice(_QUALITIES)} {rng.choice(_THINGS)} "
                f"{rng.choice(_PLACES)}."
            )


@contextmanager
def start_espeak() -> Iterator[Callable[[Voice, str], tuple[np.ndarray, int]]]:
    """Starts espeak-ng with `VOICES`; yields a function from voice and text to wave and rate."""
    try:
        import espeakng_loader
    except ImportError as error:
        raise UserError(
            "the demo corpus needs the speech synthesiser espeak-ng; "
            "pip install '.[demo]' in wideband's folder"
        ) from error
    try:
        library = ctypes.CDLL(espeakng_loader.get_library_path())
    except OSError as error:
        raise UserError(
            f"espeak-ng cannot be loaded ({error}); install it anew: "
            "pip install --force-reinstall espeakng-loader"
        ) from error
    library.espeak_Synth.argtypes = [
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_uint,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.c_uint,
        ctypes.c_void_p,
        ctypes.c_void_p,
    ]
    pieces: list[np.ndarray] = []

    @_SAMPLES_READY
    def collect(samples, count, _) -> int:
        if count > 0:
            pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    # espeak-ng reads voices from its data folder only, hence this one with our voices.
    with hidden_folder(Path(tempfile.gettempdir())) as data:
        _copy_language(Path(espeakng_loader.get_data_path()), data)
        _write_voices(data / "voices" / "!v")
        sample_rate = library.espeak_Initialize(_SYNCHRONOUS, 0, os.fsencode(data), 0)
        if sample_rate <= 0:
            raise RuntimeError(f"espeak-ng does not start with the data in {data}")
        library.espeak_SetSynthCallback(collect)
        library.espeak_SetParameter(_VOLUME, _VOLUME_PERCENT, 0)

        def speak(voice: Voice, text: str) -> tuple[np.ndarray, int]:
            pieces.clear()
            name = f"{voice.accent}+{voice.name}"
            if library.espeak_SetVoiceByName(name.encode()) != 0:
                raise RuntimeError(f"espeak-ng does not know the voice {name}")
            encoded = text.encode()
            if library.espeak_Synth(encoded, len(encoded) + 1, 0, 1, 0, _UTF8, None, None) != 0:
                raise RuntimeError(f"espeak-ng cannot say '{text}'")
            return np.concatenate(pieces).astype(np.float32) / 32768, sample_rate

        try:
            yield speak
        finally:
            library.espeak_Terminate()


def _copy_language(source: Path, data: Path) -> None:
    for name in _LANGUAGE_FILES:
        if (source / name).is_dir():
            shutil.copytree(source / name, data / name)
        else:
            shutil.copy(source / name, data / name)


def _write_voices(folder: Path) -> None:
    """Writes espeak-ng's voice files (docs/voices.md of espeak-ng/espeak-ng)."""
    folder.mkdir(parents=True)
    for voice in VOICES:
        lines = [
            "language variant",
            f"name {voice.name}",
            f"pitch {voice.low_hz} {voice.high_hz}",
            f"speed {voice.speed}",
            f"consonants {voice.consonants} {voice.consonants}",
            "flutter 0",
            # Frequency, strength and width in percent.
            *(f"formant {n} {voice.formants} 100 100" for n in range(9)),
        ]
        (folder / voice.name).write_text("\n".join(lines) + "\n", encoding="ascii")
