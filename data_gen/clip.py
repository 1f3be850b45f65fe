"""A clip of speech for a notebook: recorded in the browser, uploaded, or synthesized.

The microphone and the upload need Google Colab, whose notebooks run in the reader's browser. Where
they are not available, or the reader does not want them, the next source is used.
"""

import base64
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import audio
from ..command.errors import UserError, lookup, printable

MICROPHONE, UPLOAD, VOICE = "microphone", "upload", "voice"
SOURCES = (MICROPHONE, UPLOAD, VOICE)
SAMPLE_RATE = 48000  # of a recording from the microphone, in Hz
SENTENCE = "She washed six fresh peaches, and chose the freshest for the chef."

# Records the microphone, and returns 16-bit samples in Base64. The browser's own processing would
# remove high frequencies. Its decoder reads whatever format its recorder writes.
RECORDER = """
async (seconds, rate) => {
  const processing = {echoCancellation: false, noiseSuppression: false, autoGainControl: false};
  const stream = await navigator.mediaDevices.getUserMedia({audio: processing});
  const recorder = new MediaRecorder(stream);
  const parts = [];
  recorder.ondataavailable = event => parts.push(event.data);
  const started = new Promise(resolve => recorder.onstart = resolve);
  const stopped = new Promise(resolve => recorder.onstop = resolve);
  const note = document.body.appendChild(document.createElement("p"));
  recorder.start();
  await started;
  for (let left = seconds; left > 0; left--) {
    note.textContent = `Speak now: ${Math.ceil(left)} s`;
    await new Promise(resolve => setTimeout(resolve, 1000 * Math.min(1, left)));
  }
  recorder.stop();
  await stopped;
  stream.getTracks().forEach(track => track.stop());
  note.remove();
  const content = await new Blob(parts).arrayBuffer();
  const decoded = await new OfflineAudioContext(1, 1, rate).decodeAudioData(content);
  const samples = Int16Array.from(
    decoded.getChannelData(0), x => Math.round(32767 * Math.max(-1, Math.min(1, x))));
  const bytes = new Uint8Array(samples.buffer);
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192)
    text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
}
"""


def take(path: str | Path, seconds: float = 5.0, sources: Sequence[str] = SOURCES) -> str:
    """Writes a clip of speech to a file, from the first source that has one.

    Prints why the sources before have none.

    Args:
        path: the file; the suffix chooses the format, as in `audio.write`.
        seconds: length of a recording from the microphone.
        sources: some of `SOURCES`, in order of preference. "voice" is a synthesizer, which needs
            the package espeakng-loader.

    Returns:
        the source of the clip.

    Raises:
        UserError: a source is unknown, or none has a clip.

    Example:
        >>> take("clip.wav")
        'microphone'
    """
    table: dict[str, Callable[[], tuple[np.ndarray, int]]] = {
        MICROPHONE: lambda: _record(seconds),
        UPLOAD: _upload,
        VOICE: _speak,
    }
    readers = {source: lookup(table, source, "source") for source in sources}
    for source, read in readers.items():
        try:
            wave, sample_rate = read()
        except UserError as error:
            print(f"{source}: {printable(str(error))}")
        else:
            audio.write(Path(path), wave, sample_rate)
            return source
    raise UserError(f"no clip from {' or '.join(readers)}; see above why, or copy a recording here")


def _record(seconds: float) -> tuple[np.ndarray, int]:
    output = _colab("output")
    try:
        text = output.eval_js(f"({RECORDER})({seconds:g}, {SAMPLE_RATE})")
    # The browser's errors, such as a permission that the reader denies, have a class of Colab's.
    except Exception as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{reason}; allow the microphone for this page, and run again") from error
    samples = np.frombuffer(base64.b64decode(text), "<i2")
    return audio.from_int16(samples), SAMPLE_RATE


def _upload() -> tuple[np.ndarray, int]:
    content = _colab("files").upload()
    if not content:
        raise UserError("no file was chosen")
    # Colab has written the files to the working folder.
    return audio.read(Path(next(iter(content))))


def _speak() -> tuple[np.ndarray, int]:
    from .synthesize import VOICES, start_espeak

    with start_espeak() as speak:
        return speak(VOICES[0], SENTENCE)


def _colab(module: str) -> Any:
    """Imports a module of google.colab, which only Colab has."""
    try:
        return importlib.import_module(f"google.colab.{module}")
    except ImportError as error:
        raise UserError("needs a notebook in Google Colab") from error
