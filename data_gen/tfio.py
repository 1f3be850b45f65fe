"""Recordings through tensorflow-io: FLAC, MP3, Ogg Vorbis and WAV, decoded in a tf.data graph.

TensorFlow reads files, and objects in stores by their addresses, such as s3://bucket/a.flac. Each
recording is decoded whole. tensorflow-io 0.37.1, its last release, loads only with
TensorFlow 2.16; the extra `tfio` installs both, on Python 3.10 to 3.12.
"""

import functools
import importlib.util
import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from .. import audio
from ..audio.lengths import examine
from ..audio.search import FOREIGN_SUFFIXES
from ..command.errors import UserError
from ..command.rates import HIGHEST_RATE, LOWEST_RATE
from ..command.run import quiet_tensorflow

if TYPE_CHECKING:
    import tensorflow as tf

# A decoded recording: its wave, float32 (n, channels), with its sample rate; or why there is none.
Decoded = tuple[np.ndarray, int] | UserError
# Decodes recordings, files or objects of stores, in the order of their addresses.
Decode = Callable[[Sequence[Path | str]], Iterator[Decoded]]

_INSTALL = (
    "in an environment of its own, with Python 3.10 to 3.12: pip install '.[tfio]' in wideband's "
    "folder"
)
# What is decoded: libsndfile's names of formats and sample formats. tensorflow-io takes the 32-bit
# samples of wav for floats, also those that are whole numbers.
_KINDS = (
    *(("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("FLAC", "PCM_S8")),
    *(("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "PCM_U8"), ("WAV", "FLOAT")),
    *(("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS")),
)


@functools.cache
def load() -> Any:
    """Imports tensorflow-io, after TensorFlow, and returns it.

    Raises:
        UserError: it is not installed, or TensorFlow has another version.
    """
    if importlib.util.find_spec("tensorflow_io") is None:
        raise UserError(f"tfio needs tensorflow-io 0.37.1, which is not installed; {_INSTALL}")
    quiet_tensorflow()
    import tensorflow as tf

    if not tf.__version__.startswith("2.16."):
        raise UserError(f"tfio needs TensorFlow 2.16; this is {tf.__version__}; {_INSTALL}")
    import tensorflow_io  # pyright: ignore[reportMissingImports]

    return tensorflow_io


def waves(addresses: Sequence[Path | str]) -> "tf.data.Dataset":
    """Reads and decodes recordings in a tf.data graph, several at a time.

    Args:
        addresses: files, or objects of stores, such as s3://bucket/a.flac.

    Returns:
        a dataset, in the order of the addresses, of waves, float32 of shape (n, channels), with
        their sample rates in Hz, int32. A recording that cannot be read or decoded raises a
        `tf.errors.OpError` in its turn; `ignore_errors` of tf.data leaves it out.

    Raises:
        UserError: tensorflow-io is not installed, or TensorFlow has another version.
    """
    import tensorflow as tf

    codecs = load().audio
    flac, wav = codecs.decode_flac, codecs.decode_wav

    def decode(address: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        content = tf.io.read_file(address)

        def whole(read: Any, kind: Any, zero: int = 0) -> Any:
            # Samples of 24 bits fill the upper bits of 32; float32 holds them exactly.
            scale = 2.0 ** (8 * kind.size - 1)
            return lambda: (tf.cast(read(content, dtype=kind), tf.float32) - zero) / scale

        decoders = [  # in the order of _KINDS
            *(whole(flac, tf.int16), whole(flac, tf.int32), whole(flac, tf.uint8, 128)),
            *(whole(wav, tf.int16), whole(wav, tf.int32), whole(wav, tf.uint8, 128)),
            lambda: wav(content, dtype=tf.float32),
            lambda: codecs.decode_mp3(content),
            lambda: codecs.decode_vorbis(content),
        ]
        types = [tf.int32, tf.int32, tf.string]
        kind, sample_rate, fault = tf.numpy_function(_examine, [content], types)
        with tf.control_dependencies([tf.debugging.Assert(fault == "", [fault])]):
            wave = tf.ensure_shape(tf.switch_case(kind, decoders), [None, None])
        return wave, tf.ensure_shape(sample_rate, [])

    names = tf.data.Dataset.from_tensor_slices([os.fsencode(each) for each in addresses])
    return names.map(tf.autograph.experimental.do_not_convert(decode), tf.data.AUTOTUNE)


def _examine(content: bytes) -> tuple[np.int32, np.int32, bytes]:
    """Returns the index in `_KINDS` of a recording, its sample rate, and its fault or b""."""
    # TensorFlow would log an exception with its traceback.
    try:
        kind, sample_rate = _read_header(content)
    except UserError as error:
        return np.int32(0), np.int32(0), str(error).encode()
    return np.int32(kind), np.int32(sample_rate), b""


def _read_header(content: bytes) -> tuple[int, int]:
    """Returns the index in `_KINDS` of a recording, and its sample rate.

    Raises:
        UserError: the recording breaks off, or tensorflow-io would not decode it right.
    """
    finding = examine(io.BytesIO(content), "")
    if finding.fault:
        raise UserError(finding.fault)
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            form, kind = file.format.replace("WAVEX", "WAV"), file.subtype
            sample_rate = file.samplerate
    except soundfile.LibsndfileError as error:
        raise UserError(f"not readable as audio ({error.error_string.rstrip('.')})") from error
    if (form, kind) not in _KINDS:
        raise UserError(
            f"{form} with {kind}: tensorflow-io decodes FLAC, MP3, Ogg Vorbis, and WAV of 8, 16 "
            "or 24 bits or floats; convert it, or use the decoder soundfile"
        )
    # libsndfile gets other bytes for the header of a wav file without a length.
    if finding.frames is None if form == "FLAC" else form == "WAV" and finding.pieces:
        raise UserError("its header does not say its length; use the decoder soundfile")
    if not LOWEST_RATE <= sample_rate <= HIGHEST_RATE:
        raise UserError(f"its header says {sample_rate} Hz; correct the rate")
    return _KINDS.index((form, kind)), sample_rate


def decode(addresses: Sequence[Path | str]) -> Iterator[Decoded]:
    """Yields the recordings of `waves`, as NumPy arrays, and the errors of those that have one."""
    import tensorflow as tf

    iterator = iter(waves(addresses))
    for _ in addresses:
        try:
            wave, sample_rate = next(iterator)
        except tf.errors.OpError as error:
            yield UserError(_reason(error))
        else:
            yield wave.numpy(), int(sample_rate)


def _reason(error: Exception) -> str:
    """Returns what an error of TensorFlow says, without its traces of the graph and of Python."""
    message = str(error)
    if own := re.search(r"assertion failed: \[(.*)\]", message):
        return own[1]
    message = re.sub(r"\{\{.*?\}\}|\[\[.*|\[Op:.*", "", message.strip(), flags=re.DOTALL)
    return " ".join(message.split()).lstrip(": ") or type(error).__name__


def search(address: str) -> tuple[dict[str, str], dict[str, str]]:
    """Searches a folder of an object store and its subfolders, without hidden ones.

    Args:
        address: of the folder, without a slash at its end.

    Returns:
        the addresses of recordings by their names, which are relative to the folder; and the names
        of what looks like a recording and cannot be read, with the reason.

    Raises:
        UserError: a folder cannot be listed.
    """
    found: dict[str, str] = {}
    left_out: dict[str, str] = {}
    folders = [""]
    while folders:
        folder = folders.pop()
        with _gfile(address) as gfile:
            for entry in gfile.listdir(f"{address}/{folder}"):
                name = folder + entry.rstrip("/")
                suffix = Path(name).suffix.lower()
                if entry.startswith("."):
                    continue
                # The suffix saves a request for each recording.
                if suffix in audio.SUFFIXES:
                    found[name] = f"{address}/{name}"
                elif suffix in FOREIGN_SUFFIXES:
                    left_out[name] = "not read: convert it to flac or wav"
                elif gfile.isdir(f"{address}/{name}"):
                    folders.append(f"{name}/")
    return found, left_out


def read_bytes(address: str) -> bytes:
    """Reads an object of a store.

    Raises:
        UserError: it cannot be read.
    """
    with _gfile(address) as gfile, gfile.GFile(address, "rb") as file:
        return file.read()


def size(address: Path | str) -> int | None:
    """Returns the bytes of a file or an object, None if it cannot be read."""
    try:
        with _gfile(address) as gfile:
            return gfile.stat(os.fsencode(address)).length
    except UserError:
        return None


@contextmanager
def _gfile(address: Path | str) -> Iterator[Any]:
    """Yields tf.io.gfile; its errors in the block become UserErrors."""
    load()
    import tensorflow as tf

    try:
        yield tf.io.gfile
    except tf.errors.OpError as error:
        raise UserError(
            f"{address}: cannot be read ({_reason(error)}); check the address and your credentials"
        ) from error
