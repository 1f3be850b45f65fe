"""Which model is meant: from a name or a path to an `Upsampler`."""

from pathlib import Path

from ..audio import Ratio, interpolate
from ..command import UserError
from ..models import pretrained
from ..models.record import Record
from .baselines import Interpolation
from .tflite import TFLiteNetwork
from .upsampler import Upsampler

WITHOUT_TENSORFLOW = "take a TFLite file or a shipped network such as speech-4x"


def load(model: str | Path, sample_rate: int = 16000, ratio: Ratio = 4) -> Upsampler:
    """Loads a model by its name or path.

    Args:
        model: the name of a shipped network, a run folder, a weights file in one, a TFLite file
            of wideband-export, or the name of an interpolation.
        sample_rate: the high rate in Hz of an interpolation; the others know theirs.
        ratio: the high rate over the low rate of an interpolation.

    Raises:
        UserError: it is none of these, is damaged, or needs TensorFlow, which is not installed.

    Example:
        >>> restored, sample_rate = load("speech-4x").upsample(wave, 4000)
    """
    name, path = str(model), Path(model)
    if is_interpolation(name):
        return Upsampler(Interpolation(name), sample_rate, ratio, name)
    if path.suffix == ".tflite" and path.exists():
        return _load_tflite(path, name)
    if not path.exists() and name in pretrained.names():
        file = pretrained.find(name) / pretrained.TFLITE_FILE
        return _load_tflite(file, name) if file.is_file() else _load_weights(name)
    return _load_weights(name)


def is_interpolation(model: str) -> bool:
    """Whether a model's name is that of an interpolation."""
    return model in interpolate.METHODS


def find_run(run: str | Path) -> tuple[Path, Path]:
    """Finds the Keras weights of a run.

    Args:
        run: a run folder, a weights file in one, or the name of a shipped network.

    Returns:
        the run folder and its weights file.

    Raises:
        UserError: there is no such run, or it has no weights.
    """
    name, path = str(run), Path(run)
    if not path.exists() and name in pretrained.names():
        path = pretrained.find(name)
        if not (path / pretrained.KERAS_FILE).is_file():
            raise UserError(f"{name}: shipped as a TFLite file, without Keras weights; name a run")
    if path.suffix == ".tflite":
        raise UserError(f"{name}: a TFLite file, without Keras weights; name a run folder")
    if not path.exists():
        raise UserError(
            f"{name}: no such run folder, weights file or TFLite file, nor a shipped network "
            f"({', '.join(pretrained.names())}), nor an interpolation "
            f"({', '.join(interpolate.METHODS)})"
        )
    folder, weights = (path, path / pretrained.KERAS_FILE) if path.is_dir() else (path.parent, path)
    Record.read(folder)
    if not weights.is_file():
        raise UserError(f"{weights}: no such file; has the run finished an epoch?")
    return folder, weights


def _load_tflite(path: Path, name: str) -> Upsampler:
    network = TFLiteNetwork(path)
    facts = network.facts
    return Upsampler(network, facts.sample_rate, facts.ratio, facts.interpolation, name)


def _load_weights(run: str) -> Upsampler:
    folder, weights = find_run(run)
    record = Record.read(folder)
    from ..command.run import quiet_tensorflow

    try:
        quiet_tensorflow()
        from .. import models
        from ..data_gen import degrade
    except ImportError as error:
        raise UserError(
            f"{run}: needs TensorFlow ({error}); pip install 'wideband[train]', or "
            f"{WITHOUT_TENSORFLOW}"
        ) from error
    network = models.build(record.model, **record.arguments)
    # XLA's one-dimensional convolutions are slower on CPUs, and it compiles for seconds.
    network.jit_compile = False
    try:
        network.load_weights(weights)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{weights}: not the weights of {record.model}: {error}") from error
    interpolation = degrade.get(record.protocol).interpolation
    return Upsampler(network, record.sample_rate, record.ratio, interpolation, run)
