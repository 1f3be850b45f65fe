"""Loads models by name or path."""

from fractions import Fraction
from pathlib import Path

from ..audio import interpolate, quotient
from ..command import UserError
from ..command.paths import exists
from ..models import pretrained
from ..models import vocoder as vocoders
from ..models.parts import checksums
from ..models.record import RECORD, Record
from .baselines import Interpolation
from .settings import RATIO, SAMPLE_RATE
from .tflite import TFLiteNetwork
from .upsampler import Upsampler

# Shipped networks that were trained on something else than English speech.
_TRAINED_ON = {"fullband": "speech, music and sounds"}


def load(
    model: str | Path,
    sample_rate: int = SAMPLE_RATE,
    ratio: str | float | Fraction = RATIO,
    vocoder: str | Path | None = None,
) -> Upsampler:
    """Loads a model by its name or path.

    A path that exists takes precedence over the name of a shipped network. Shipped networks run on
    LiteRT; only Keras weights need TensorFlow.

    Args:
        model: the name of a shipped network, a run folder, a weights file in one, a TFLite file
            of wideband-export, or the name of an interpolation.
        sample_rate: the high rate in Hz of an interpolation; other models have their own.
        ratio: the high rate over the low rate of an interpolation: a number, or a quotient such as
            "22050/8000".
        vocoder: for a run that has one, what makes the waves instead of the vocoder of its recipe:
            "griffin_lim", the name of a shipped vocoder, or a run folder.

    Raises:
        UserError: there is no such model, it is damaged, it needs TensorFlow, which is not
            installed, an interpolation does not support the ratio, or the model does not take the
            vocoder.

    Example:
        >>> restored, sample_rate = load("speech-4x").upsample(wave, 4000)
    """
    name = str(model)
    if vocoder is not None:
        return _load_with_vocoder(name, str(vocoder))
    if is_interpolation(name):
        return Upsampler(Interpolation(name), sample_rate, quotient(ratio), name)
    file = _find_tflite(name)
    if file is None:
        return _load_weights(name)
    network = TFLiteNetwork(file)
    metadata = network.metadata
    ratio = quotient(metadata.ratio)
    return Upsampler(network, metadata.sample_rate, ratio, metadata.interpolation, name=name)


def check(model: str | Path) -> None:
    """Raises the UserError of `load` for a model that does not exist, but loads nothing."""
    name = str(model)
    if not is_interpolation(name) and _find_tflite(name) is None:
        find_run(name)


def is_interpolation(model: str) -> bool:
    """Whether a model's name is that of an interpolation."""
    return model in interpolate.METHODS


def trained_on(model: str) -> str:
    """Returns what to add to the name of a shipped network in a message: its training data.

    The model cards say more; "" for a model of the user.
    """
    if not _is_shipped(model):
        return ""
    return ", trained on " + _TRAINED_ON.get(model, "English speech")


def find_record(run: str | Path) -> tuple[Path, Record]:
    """Finds a run and reads its record.

    Args:
        run: a run folder, a weights file in one, or the name of a shipped network.

    Returns:
        the run folder and its record.

    Raises:
        UserError: there is no such run.
    """
    name, path = str(run), Path(run)
    if _is_shipped(name):
        folder = pretrained.find(name)
    elif path.suffix == ".tflite":
        raise UserError(f"{name}: a TFLite file is not a run; name a run folder")
    elif not exists(name) and is_interpolation(name):
        raise UserError(
            f"{name} is an interpolation, not a run; name it with --baselines or --model"
        )
    elif not exists(name):
        raise UserError(
            f"{name or 'an empty name'}: no such run folder or weights file, and no shipped "
            f"network; choose one of {', '.join(pretrained.names())}"
        )
    elif path.is_file() and not (path.parent / RECORD).is_file():
        raise UserError(
            f"{name}: not in a run folder ({RECORD} is missing next to it); name a run folder"
        )
    else:
        folder = path if path.is_dir() else path.parent
    return folder, Record.read(folder)


def find_run(run: str | Path) -> tuple[Path, Path]:
    """Finds the Keras weights of a run.

    Args:
        run: as in `find_record`.

    Returns:
        the run folder and its weights file.

    Raises:
        UserError: there is no such run, or it has no weights.
    """
    folder, _ = find_record(run)
    weights = Path(run) if Path(run).is_file() else folder / pretrained.KERAS_FILE
    if weights.is_file():
        return folder, weights
    if (folder / pretrained.TFLITE_FILE).is_file():
        raise UserError(
            f"{run}: has only a TFLite file, no Keras weights; name a run with "
            f"{pretrained.KERAS_FILE}, or make one of speech or fullband: "
            "python -m wideband.models.convert fullband --from=shipped --output=RUN"
        )
    raise UserError(f"{weights}: no such file; train the run for at least one epoch")


def _is_shipped(name: str) -> bool:
    return not exists(name) and name in pretrained.names()


def _find_tflite(name: str) -> Path | None:
    """Returns the TFLite file of a shipped network or at a path; None if the model has none."""
    if _is_shipped(name):
        file = pretrained.find(name) / pretrained.TFLITE_FILE
        return file if file.is_file() else None
    path = Path(name)
    # An empty name does not exist, although Path("") is the working folder.
    if not exists(name):
        raise UserError(
            f"{name or 'an empty name'}: no such run folder, weights file or TFLite file, no "
            f"shipped network ({', '.join(pretrained.names())}) and no interpolation "
            f"({', '.join(interpolate.METHODS)})"
        )
    if path.suffix != ".tflite":
        return None
    if path.is_dir():
        raise UserError(f"{name}: a folder, not a TFLite file; name a file of wideband-export")
    return path


def _load_with_vocoder(name: str, vocoder: str) -> Upsampler:
    """Loads the Keras weights of a run or a shipped network, with another vocoder."""
    file = None if is_interpolation(name) or _is_shipped(name) else _find_tflite(name)
    if file is not None or is_interpolation(name):
        raise UserError(
            f"--vocoder={vocoder}: {name} is no run folder, whose vocoder could be replaced; leave "
            "the flag out"
        )
    find_run(name)
    # Refuses an unknown vocoder before TensorFlow is imported.
    vocoders.checksum(vocoder)
    return _load_weights(name, vocoder)


def _load_weights(run: str, vocoder: str | None = None) -> Upsampler:
    folder, weights = find_run(run)
    record = Record.read(folder)
    from ..command.run import quiet_libraries, quiet_tensorflow

    try:
        with quiet_libraries():
            import keras
        if keras.config.backend() == "tensorflow":
            quiet_tensorflow()
        from .. import models
        from ..data_gen import degrade
        from ..models import weights as weights_files
    except ImportError as error:
        raise UserError(
            f"{run}: needs TensorFlow ({error}); pip install '.[train]' in wideband's folder, or "
            "use a TFLite file or a shipped network such as speech-4x"
        ) from error
    arguments = record.arguments
    if vocoder is not None:
        if "vocoder" not in models.arguments(record.model):
            raise UserError(
                f"--vocoder={vocoder}: {run} has the network {record.model}, which has no vocoder; "
                "leave the flag out"
            )
        arguments = {**arguments, "vocoder": vocoder}
    found = checksums(record.model, arguments)
    for part in record.parts:
        # Another vocoder may have been asked for.
        replaced = part == "vocoder" and vocoder is not None
        if found.get(part) != record.parts[part] and not replaced:
            otherwise = ", or name a vocoder with --vocoder" if part == "vocoder" else ""
            raise UserError(
                f"{run}: its {part} {arguments[part]} has other weights than when the run was "
                f"trained; put them back{otherwise}"
            )
    network = models.build(record.model, **arguments)
    from ..models.system import NEEDS_XLA

    network.jit_compile = NEEDS_XLA
    # The weights of its parts are not in the file.
    weights_files.load(network.networks()["network"], weights, "train the run again")
    interpolation = degrade.get(record.protocol).interpolation
    name = run if vocoder is None else f"{run} with {vocoder}"
    return Upsampler(network, record.sample_rate, record.ratio, interpolation, name=name)
