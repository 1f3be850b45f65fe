"""TFLite files as networks: what one says of itself, and how it runs without TensorFlow.

A file is a TFLite model with a zip archive behind it, as TFLite's associated files are kept: any
TFLite runtime loads it as it is. The archive holds wideband.json, the `Facts`.
"""

import dataclasses
import hashlib
import io
import json
import zipfile
import zlib
from pathlib import Path
from threading import Lock

import numpy as np

from ..command import UserError

MEMBER = "wideband.json"
# Stands behind the first four bytes of every TFLite model.
MAGIC = b"TFL3"


@dataclasses.dataclass(frozen=True)
class Facts:
    """What must be known of a TFLite file to feed it, and where it comes from."""

    network: str  # one of models.names()
    arguments: dict  # of its constructor
    sample_rate: int  # of the output, in Hz
    ratio: int  # of the rates
    interpolation: str  # one of data_gen.interpolate.METHODS, where it wants "interpolated"
    wants: str  # "interpolated" or "low", as in wideband.models; so is its input named
    multiple: int
    window: int  # samples that it takes at once, at the rate that it wants
    context: int | None  # of these on either side, or None where an output sees the whole window
    hop: int  # samples from one window to the next
    streaming: bool  # it has states, which go from window to window as its signature names them
    delay: int  # output samples by which it comes late, where it is streaming, else 0
    latency: int  # output samples from a sample's arrival to its restored one, at most
    quantize: str  # a key of exporter.AGREEMENT_DB
    recipe: str  # of the run that trained it
    weights_sha256: str  # of that run's weights file
    licence: str
    model_sha256: str  # of the TFLite model in front of the archive

    @property
    def factor(self) -> int:
        """Samples out for one sample in."""
        return self.ratio if self.wants == "low" else 1


def write(path: Path, model: bytes, facts: Facts) -> None:
    """Writes a TFLite model with its facts behind it; the same arguments give the same bytes."""
    path.write_bytes(model)
    with zipfile.ZipFile(path, "a") as archive:
        # A ZipInfo of its own has the archive's earliest date, not today's.
        content = json.dumps(dataclasses.asdict(facts), indent=1)
        archive.writestr(zipfile.ZipInfo(MEMBER), content)


def read(path: Path) -> tuple[bytes, Facts]:
    """Reads a TFLite model and its facts.

    Raises:
        UserError: it is no TFLite file, is damaged, or was not written by wideband-export.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    if content[4:8] != MAGIC:
        raise UserError(f"{path}: no TFLite file")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            model = content[: archive.getinfo(MEMBER).header_offset]
            facts = Facts(**json.loads(archive.read(MEMBER)))
    except (zipfile.BadZipFile, KeyError) as error:
        raise UserError(
            f"{path}: cut short, or not written by wideband-export; export it again"
        ) from error
    except (TypeError, ValueError, EOFError, RuntimeError, zlib.error) as error:
        raise UserError(f"{path}: damaged, or of another version; export it again") from error
    if hashlib.sha256(model).hexdigest() != facts.model_sha256:
        raise UserError(f"{path}: damaged, its model is not as it was written; export it again")
    for field in dataclasses.fields(facts):
        if not isinstance(getattr(facts, field.name), field.type):  # pyright: ignore
            raise UserError(f"{path}: its {field.name} is no {field.type}; export it again")
    return model, facts


class TFLiteNetwork:
    """The network in a file of wideband-export, in the place of a Keras network.

    It states what a network of `wideband.models` states, and takes windows of one length. Waves go
    in and out as float32, whatever the numbers inside are.

    Args:
        path: of the file.
        threads: CPU threads that it computes with.

    Attributes:
        facts: what the file says of itself.
        wants: "interpolated" or "low", as in `wideband.models`.
        factor: likewise.
        multiple: likewise.
        context: likewise.
        window: samples that it takes at once.
        patch: the same, where `context` is None; of every patch the middle half is good.
        streaming: whether it has states, by which a window knows of those before it.
        delay: output samples by which it comes late then.

    Raises:
        UserError: it is no file of wideband-export, is damaged, or ai-edge-litert is missing or
            too old for it.

    Example:
        >>> TFLiteNetwork("x.tflite").restore(windows)  # (b, window, 1) float32
    """

    def __init__(self, path: Path | str, threads: int = 1) -> None:
        model, self.facts = read(Path(path))
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise UserError(
                "TFLite files are run by ai-edge-litert; pip install 'wideband[tflite]'"
            ) from error
        try:
            self._interpreter = Interpreter(model_content=model, num_threads=threads)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(
                f"{path}: this ai-edge-litert cannot run it ({reason}); install a newer one"
            ) from error
        self._turn = Lock()
        signature = self._interpreter.get_signature_runner()
        inputs, outputs = signature.get_input_details(), signature.get_output_details()
        if self.facts.wants not in inputs:
            raise UserError(f"{path}: has no input {self.facts.wants!r}; export it again")
        self._input = inputs.pop(self.facts.wants)["index"]
        self._output = outputs.pop("restored")["index"]
        # shape, and where the interpreter has it before and after a window
        self._states = [
            (inputs[name]["shape"], inputs[name]["index"], outputs[name]["index"])
            for name in inputs
        ]
        self.wants = self.facts.wants
        self.factor = self.facts.factor
        self.multiple = self.facts.multiple
        self.context = self.facts.context
        self.window = self.facts.window
        self.streaming = self.facts.streaming
        self.delay = self.facts.delay
        self.patch = self.window if self.context is None else None
        self.name = self.facts.network

    def session(self) -> "Session":
        """Begins a wave of one channel, of which nothing is known yet."""
        return Session(self)

    def restore(self, windows: np.ndarray) -> np.ndarray:
        """Restores windows (b, window, 1) one by one, to float32 (b, output samples, 1).

        Of a streaming network they are the first windows of a wave, in order.
        """
        return self.session().restore(windows)

    def states(self) -> list[np.ndarray]:
        """Gives the states that a wave begins with."""
        return [np.zeros(shape, np.float32) for shape, _, _ in self._states]

    def run(
        self, window: np.ndarray, states: list[np.ndarray]
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Restores a window (1, window, 1), and gives the states that the next one begins with."""
        # An interpreter has one input; waves that are restored side by side take turns.
        with self._turn:
            # TFLite's LSTM goes on from its last state otherwise.
            self._interpreter.reset_all_variables()
            self._interpreter.set_tensor(self._input, window.astype(np.float32))
            for (_, before, _), state in zip(self._states, states, strict=True):
                self._interpreter.set_tensor(before, state)
            self._interpreter.invoke()
            after = [self._interpreter.get_tensor(after) for _, _, after in self._states]
            return self._interpreter.get_tensor(self._output), after


class Session:
    """One channel of one wave, which comes window after window; made by `TFLiteNetwork.session`."""

    def __init__(self, network: TFLiteNetwork) -> None:
        self._network = network
        self._states = network.states()

    def restore(self, windows: np.ndarray) -> np.ndarray:
        """Restores the next windows (b, window, 1), to float32 (b, output samples, 1)."""
        outputs = []
        for window in windows:
            output, self._states = self._network.run(window[np.newaxis], self._states)
            outputs.append(output[0])
        return np.stack(outputs)
