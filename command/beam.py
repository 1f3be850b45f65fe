"""Apache Beam: the options of its runners, the files that it reads and writes, one-line errors.

Files are those of any file system that Beam has: folders that all workers share, and addresses such
as gs://bucket/voices or s3://bucket/voices.
"""

import contextlib
import io
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from .errors import UsageError, UserError
from .hidden import hidden_name
from .paths import is_address
from .run import quiet_libraries

# Beam warns of clients of clouds that are not installed.
with quiet_libraries():
    import apache_beam as beam  # pyright: ignore[reportMissingImports]
    from apache_beam.io.filesystem import BeamIOError, CompressionTypes, FileMetadata  # pyright: ignore[reportMissingImports]
    from apache_beam.io.filesystems import FileSystems  # pyright: ignore[reportMissingImports]
    from apache_beam.metrics import Metrics, MetricsFilter  # pyright: ignore[reportMissingImports]
    from apache_beam.options.pipeline_options import PipelineOptions  # pyright: ignore[reportMissingImports]
    from apache_beam.runners import create_runner  # pyright: ignore[reportMissingImports]

# The namespace of the counters.
_NAMESPACE = "wideband"


def pipeline_options(runner: str, flags: Sequence[str]) -> PipelineOptions:
    """Parses the flags of a runner, and lets this process use the file systems that they configure.

    Args:
        runner: the name of a runner, or its class with the module.
        flags: the flags of Beam, "--name=value".

    Raises:
        UsageError: there is no such runner, or Beam does not know a flag or its value.
    """
    options = PipelineOptions([f"--runner={runner}", *flags])
    # argparse prints an error and exits.
    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed):
            known = options.get_all_options()
            unknown = options.get_all_options(retain_unknown_options=True).keys() - known.keys()
    except SystemExit as error:
        reason = printed.getvalue().strip().rpartition("\n")[2].rpartition("error: ")[2]
        raise UsageError(f"a flag of Apache Beam: {reason}") from error
    for name in sorted(unknown):
        raise UsageError(f"unknown flag --{name}, which Apache Beam does not have either")
    try:
        create_runner(runner)
    except (ValueError, ImportError, AttributeError) as error:
        raise UsageError(
            f"--runner={runner}: {' '.join(str(error).split()).rstrip('.')}"
        ) from error
    FileSystems.set_options(options)
    return options


def run(options: PipelineOptions, build: Callable[[beam.Pipeline], object]) -> dict[str, int]:
    """Runs a pipeline to its end.

    Args:
        options: of the pipeline.
        build: adds the transforms to the pipeline.

    Returns:
        the counters (see `count`) by name; none if the runner does not have them.

    Raises:
        UserError: a worker raised one.
    """
    pipeline = beam.Pipeline(options=options)
    build(pipeline)
    try:
        result = pipeline.run()
        result.wait_until_finish()
    except Exception as error:
        # Runners wrap the error of a worker, or quote its traceback.
        quoted = re.search(r"UserError: (.*?)(?: \[while running|\\n|\n|$)", str(error))
        message = quoted[1] if quoted else str(error).partition(" [while running")[0]
        if quoted or isinstance(error, UserError):
            raise UserError(message) from error
        raise
    try:
        found = result.metrics().query(MetricsFilter().with_namespace(_NAMESPACE))
    except NotImplementedError:
        return {}
    return {each.key.metric.name: each.result for each in found["counters"]}


def report(counters: dict[str, int]) -> None:
    """Prints the counters of a pipeline in a line."""
    if counters:
        print(", ".join(f"{name.replace('_', ' ')}: {counters[name]}" for name in sorted(counters)))


def count(name: str, number: int = 1) -> None:
    """Adds to a counter of the running pipeline."""
    Metrics.counter(_NAMESPACE, name).inc(number)


# Files


def absolute(folder: str) -> str:
    """Returns the address or the absolute path of a folder, which workers can find."""
    folder = folder.rstrip("/")
    return folder if is_address(folder) else str(Path(folder).absolute())


@contextmanager
def _reading(address: Path | str) -> Iterator[None]:
    """Turns errors of Beam's file systems in the block into UserErrors."""
    try:
        yield
    except (BeamIOError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{address}: cannot be read ({reason}); check the address and your credentials"
        ) from error


def find(pattern: str) -> list[FileMetadata]:
    """Lists the files that match a pattern; ** matches across folders.

    Raises:
        UserError: the file system cannot be read.
    """
    with _reading(pattern):
        return FileSystems.match([pattern])[0].metadata_list


def size(address: Path | str) -> int | None:
    """Returns the bytes of a file, None if it cannot be read."""
    try:
        (found,) = find(str(address))
    except ValueError:
        return None
    return found.size_in_bytes


def read_bytes(address: str) -> bytes:
    """Reads a file.

    Raises:
        UserError: it cannot be read.
    """
    with _reading(address), FileSystems.open(address) as file:
        return file.read()


def fetch(address: str, folder: Path) -> Path:
    """Copies a file to a folder of this machine, and returns its path.

    Raises:
        UserError: it cannot be read.
    """
    path = folder / address.rpartition("/")[2]
    with (
        _reading(address),
        FileSystems.open(address, compression_type=CompressionTypes.UNCOMPRESSED) as source,
        path.open("wb") as target,
    ):
        shutil.copyfileobj(source, target)
    return path


@contextmanager
def here(address: Path | str) -> Iterator[Path]:
    """Yields the path of a file on this machine: a path as it is, or a copy of an address.

    Raises:
        UserError: it cannot be read, or the block raised one; it names the address.
    """
    if isinstance(address, Path):
        yield address
        return
    with TemporaryDirectory() as folder:
        path = fetch(address, Path(folder))
        try:
            yield path
        except UserError as error:
            parent = address.rpartition("/")[0]
            raise UserError(str(error).replace(folder, parent)) from error


def put(path: Path, address: str) -> None:
    """Copies a file of this machine to an address, where it appears when it is complete.

    Raises:
        UserError: it cannot be written.
    """
    folder, _, name = address.rpartition("/")
    temporary = f"{folder}/{hidden_name()}-{name}"
    try:
        with contextlib.suppress(BeamIOError, OSError):
            # Raises an error if the folder exists.
            FileSystems.mkdirs(folder)
        with (
            path.open("rb") as source,
            FileSystems.create(temporary, compression_type=CompressionTypes.UNCOMPRESSED) as target,
        ):
            shutil.copyfileobj(source, target)
        if FileSystems.exists(address):
            FileSystems.delete([address])
        FileSystems.rename([temporary], [address])
    except (BeamIOError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{address}: cannot be written ({reason}); check the address and your credentials"
        ) from error


def delete(addresses: Sequence[str]) -> None:
    """Deletes files, those that are still there."""
    with contextlib.suppress(BeamIOError):
        FileSystems.delete(list(addresses))
