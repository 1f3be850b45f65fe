"""TFLite files as restorers: their metadata, and networks that run without TensorFlow.

A file is a TFLite model followed by a zip archive with wideband.json, the `Metadata`. TFLite keeps
a model's associated files in such an archive, so every TFLite runtime loads the file.
"""

import dataclasses
import hashlib
import io
import json
import math
import os
import re
import zipfile
import zlib
from fractions import Fraction
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, get_type_hints

import numpy as np

from ..command import UserError
from ..command.run import quiet_libraries
from ..models.restorer import ONE_CHANNEL, Recording

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

MEMBER = "wideband.json"
# Fields that are lists in JSON.
_LISTS = ("band_hz", "shorter_windows")
# The signature of a shorter window.
SHORTER = "window_{}"
# Every TFLite model has this after its first four bytes.
MAGIC = b"TFL3"
MAX_THREADS = 64
# Held while an interpreter starts: only one thread at a time can silence the standard error.
_STARTING = Lock()


@dataclasses.dataclass(frozen=True)
class Metadata:
    """What a program must know to run a TFLite file, and where the file comes from."""

    network: str  # one of models.names()
    arguments: dict  # of its constructor
    sample_rate: int  # of the output, in Hz
    ratio: int | str  # the high rate over the low rate: a whole number, or "441/160"
    interpolation: str  # a key of audio.interpolate.METHODS, for files that want "interpolated"
    wants: str  # "low", "interpolated" or "high", as in models.restorer; also the input's name
    multiple: int  # as in models.restorer
    window: int  # samples per call, at the rate of the input
    context: int | None  # as in models.restorer
    hop: int  # samples from one window to the next
    streaming: bool  # whether it has states, which are passed from call to call by their names
    delay: int  # output samples by which a streaming file lags, else 0
    latency: int  # output samples from the arrival of a sample to its restored one, at most
    quantize: str  # a key of export.agreement.AGREEMENT_DB
    recipe: str  # of the run that trained it
    weights_sha256: str  # of that run's weights file
    licence: str
    model_sha256: str  # of the TFLite model before the archive
    # Older files lack the following fields.
    # Further lengths that the file takes, with the signature `SHORTER`; the shortest first.
    shorter_windows: tuple[int, ...] = ()
    # Where the band of the input may end in Hz, as in models.restorer.
    band_hz: tuple[float, float] | None = None
    # What the network was trained on, by the record of its run: the source of the recipe, the
    # protocol, the augmentation, the identity of the dataset, and the number of epochs.
    training: dict = dataclasses.field(default_factory=dict)

    @property
    def factor(self) -> int:
        """The number of output samples per input sample."""
        return int(self.ratio) if self.wants == "low" else 1


def write(path: Path, model: bytes, metadata: Metadata) -> None:
    """Writes a TFLite model with its metadata; equal arguments produce equal bytes."""
    path.write_bytes(model)
    with zipfile.ZipFile(path, "a") as archive:
        # A plain ZipInfo has the format's earliest date instead of today's.
        content = json.dumps(dataclasses.asdict(metadata), indent=1)
        archive.writestr(zipfile.ZipInfo(MEMBER), content)


def read(path: Path) -> tuple[bytes, Metadata]:
    """Reads a TFLite model and its metadata.

    Raises:
        UserError: it is not a TFLite file, is damaged, or was not written by wideband-export.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    if content[4:8] != MAGIC:
        raise UserError(f"{path}: not a TFLite file")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            model = content[: archive.getinfo(MEMBER).header_offset]
            metadata = _parse(json.loads(archive.read(MEMBER)))
    except (zipfile.BadZipFile, KeyError) as error:
        raise UserError(
            f"{path}: truncated, or not written by wideband-export; export it again"
        ) from error
    except (TypeError, ValueError, EOFError, RuntimeError, zlib.error) as error:
        raise UserError(
            f"{path}: damaged, or of another version ({error}); export it again"
        ) from error
    if hashlib.sha256(model).hexdigest() != metadata.model_sha256:
        raise UserError(f"{path}: damaged, its model has another checksum; export it again")
    return model, metadata


def _parse(content: Any) -> Metadata:
    """Parses metadata; raises TypeError if a field is missing, unknown or of the wrong type."""
    metadata = Metadata(**content)
    for name, kind in get_type_hints(Metadata).items():
        if name not in _LISTS and not isinstance(getattr(metadata, name), kind):
            raise TypeError(f"{name} is {getattr(metadata, name)!r}")
    for name in ("multiple", "window", "hop"):
        if content[name] < 1:
            raise ValueError(f"{name} is {content[name]}")
    if metadata.context is not None and metadata.context < 0:
        raise ValueError(f"context is {metadata.context}")
    _check_ratio(metadata)
    return dataclasses.replace(
        metadata,
        band_hz=_parse_band(content.get("band_hz")),
        shorter_windows=_parse_shorter(content.get("shorter_windows", []), metadata),
    )


def _check_ratio(metadata: Metadata) -> None:
    """Raises ValueError if the ratio is below 1, or a quotient that the network does not take."""
    ratio = str(metadata.ratio)
    # Fraction("1e999999999") would not return.
    quotient = r"\d{1,9}(/[1-9]\d{,8})?" if metadata.wants == "interpolated" else r"\d{1,9}"
    if not re.fullmatch(quotient, ratio) or Fraction(ratio) < 1:
        raise ValueError(f"ratio is {ratio}")


def _parse_band(band: Any) -> tuple[float, float] | None:
    """Parses the lowest and the highest frequency; raises TypeError or ValueError if it cannot."""
    if band is None:
        return None
    lowest, highest = band
    if not 0 < lowest <= highest < math.inf:
        raise ValueError(f"band_hz is {band!r}")
    return float(lowest), float(highest)


def _parse_shorter(windows: Any, metadata: Metadata) -> tuple[int, ...]:
    """Parses the shorter windows; raises TypeError or ValueError if it cannot."""
    if not isinstance(windows, list | tuple):
        raise TypeError(f"shorter_windows is {windows!r}")
    lengths = [2 * (metadata.context or 0), *windows, metadata.window]
    whole = set(map(type, lengths)) == {int}
    if windows and not (whole and lengths == sorted({*lengths})):
        raise ValueError(f"shorter_windows is {windows!r}")
    return tuple(windows)


class _Described:
    """The attributes of a `models.restorer.Restorer`, from a file's metadata."""

    def __init__(self, metadata: Metadata) -> None:
        self.name = metadata.network
        self.wants, self.factor, self.multiple = metadata.wants, metadata.factor, metadata.multiple
        self.context = metadata.context
        self.windows = (*metadata.shorter_windows, metadata.window)
        self.patch = metadata.window if metadata.context is None else None
        self.streaming, self.delay = metadata.streaming, metadata.delay
        self.band_hz = metadata.band_hz


class TFLiteNetwork(_Described):
    """The network in a file of wideband-export: a `models.restorer.Restorer`.

    It takes windows of the lengths in `windows`. Inputs and outputs are float32, even where the
    file computes in 8 bits.

    Args:
        path: the file.
        threads: CPU threads to compute with; by default up to four, or one for a streaming
            network, whose windows are short.

    Attributes:
        metadata: the file's metadata, which determines the attributes of a `Restorer`.

    Raises:
        UserError: it is not a file of wideband-export, is damaged, or ai-edge-litert is missing or
            too old for it.

    Example:
        >>> TFLiteNetwork("x.tflite").restore(windows)  # (b, window, 1) float32
    """

    def __init__(self, path: Path | str, threads: int | None = None) -> None:
        model, self.metadata = read(Path(path))
        super().__init__(self.metadata)
        if threads is None:
            threads = 1 if self.streaming else min(4, os.cpu_count() or 1)
        if not isinstance(threads, int) or not 1 <= threads <= MAX_THREADS:
            raise UserError(f"threads={threads!r}: must be a whole number from 1 to {MAX_THREADS}")
        self._interpreter = _start_interpreter(Path(path), model, threads)
        self._lock = Lock()
        for window in self.metadata.shorter_windows:
            self._tensors(Path(path), window)
        inputs, outputs = self._tensors(Path(path), self.metadata.window)
        self._input = inputs.pop(self.wants)["index"]
        self._output = outputs.pop("restored")["index"]
        # For each state: its shape, and its tensors before and after a window.
        self._states = [
            (inputs[name]["shape"], inputs[name]["index"], outputs[name]["index"])
            for name in inputs
        ]

    def _signature(self, window: int) -> str:
        """Returns the name of the signature that takes windows of this length."""
        return "serving_default" if window == self.metadata.window else SHORTER.format(window)

    def _tensors(self, path: Path, window: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns the inputs and outputs of the signature that takes windows of this length."""
        signature = self._signature(window)
        if signature not in self._interpreter.get_signature_list():
            raise UserError(f"{path}: has no signature {signature}; export it again")
        # While a runner exists, the interpreter itself cannot be invoked, so none is kept.
        runner = self._interpreter.get_signature_runner(signature)
        inputs, outputs = runner.get_input_details(), runner.get_output_details()
        _check_tensors(path, self.metadata, window, inputs, outputs)
        return inputs, outputs

    def session(self, recording: Recording = ONE_CHANNEL) -> "Session":
        """Starts one channel of a new wave."""
        return Session(self)

    def restore(self, windows: np.ndarray) -> np.ndarray:
        """Restores windows (b, window, 1) of one of `windows`, to float32 (b, factor window, 1).

        A streaming network takes them as the first windows of a wave, in order.
        """
        return self.session().restore(windows)

    def states(self) -> list[np.ndarray]:
        """Returns the states at the start of a wave: zeros."""
        return [np.zeros(shape, np.float32) for shape, _, _ in self._states]

    def run(
        self, window: np.ndarray, states: list[np.ndarray]
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Restores a window (1, window, 1); returns it and the states for the next window."""
        window = window.astype(np.float32)
        # The interpreter holds one input at a time, so recordings restored in parallel take turns.
        with self._lock:
            if window.shape[1] != self.metadata.window:
                runner = self._interpreter.get_signature_runner(self._signature(window.shape[1]))
                return runner(**{self.wants: window})["restored"], states
            # TFLite's LSTM would otherwise continue from its last state.
            self._interpreter.reset_all_variables()
            self._interpreter.set_tensor(self._input, window)
            for (_, before, _), state in zip(self._states, states, strict=True):
                self._interpreter.set_tensor(before, state)
            self._interpreter.invoke()
            states = [self._interpreter.get_tensor(after) for _, _, after in self._states]
            return self._interpreter.get_tensor(self._output), states


def _check_tensors(
    path: Path, metadata: Metadata, window: int, inputs: dict[str, Any], outputs: dict[str, Any]
) -> None:
    """Raises a UserError if the tensors of a signature are not those that the metadata describe."""
    states = {name: _shape(tensor) for name, tensor in inputs.items() if name != metadata.wants}
    n = metadata.factor * window
    expected = {metadata.wants: (1, window, 1)} | states, {"restored": (1, n, 1)} | states
    found = [{name: _shape(tensor) for name, tensor in each.items()} for each in (inputs, outputs)]
    if [*expected] != found or bool(states) != metadata.streaming:
        raise UserError(f"{path}: its metadata describe another model; export it again")


def _shape(tensor: dict[str, Any]) -> tuple[int, ...]:
    return tuple(map(int, tensor["shape"]))


def _start_interpreter(path: Path, model: bytes, threads: int) -> "Interpreter":
    """Starts LiteRT on a model, without the messages of its C++ code."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise UserError("TFLite files need ai-edge-litert; pip install ai-edge-litert") from error
    try:
        with _STARTING, quiet_libraries():
            interpreter = Interpreter(model_content=model, num_threads=threads)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{path}: this version of ai-edge-litert cannot run it ({reason}); install a newer one"
        ) from error
    return interpreter


class Session(_Described):
    """One channel of one wave, window after window; `TFLiteNetwork.session` makes one."""

    def __init__(self, network: TFLiteNetwork) -> None:
        super().__init__(network.metadata)
        self._network = network
        self._states = network.states()

    def session(self, recording: Recording = ONE_CHANNEL) -> "Session":
        """Starts another wave."""
        return Session(self._network)

    def restore(self, windows: np.ndarray) -> np.ndarray:
        """Restores the next windows (b, window, 1), to float32 (b, factor window, 1)."""
        outputs = []
        for window in windows:
            output, self._states = self._network.run(window[np.newaxis], self._states)
            outputs.append(output[0])
        return np.stack(outputs)
