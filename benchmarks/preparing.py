"""Measures wideband-prepare and a plain Python loop over the same recordings.

python benchmarks/preparing.py --page=docs/performance.md

The recordings are those of the demo corpus as FLAC files, at 16 kHz and resampled to 48 kHz, and a
large corpus at 48 kHz, of files of half a minute, which hold ten sentences each. Both programs are
timed from their start to their end: wideband-prepare measures all recordings, splits them and
writes shards; the loop (python_loop.py) makes the low sides and keeps nothing.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import processes
import reporting
from processes import Finished
from timing import number, ratios, spread, take_turns
from wideband.command import UserError
from wideband.command.run import Command, Flags


class Corpus(NamedTuple):
    """What is made of the recordings."""

    sample_rate: int  # in Hz
    joined: int = 1  # recordings of a speaker in a file
    copies: int = 1  # of all


# The demo corpus has 10 minutes.
CORPORA = (Corpus(16000), Corpus(48000), Corpus(48000, joined=10, copies=12))
LOOP = "Python loop"
TABLE = "preparing"


def define_flags(flags: Flags) -> None:
    """Defines the flags."""
    reporting.define_flags(flags)
    flags.string("source", None, "Folder of wav files; by default the demo corpus, synthesized.")


def recordings(source: Path | None, folder: Path) -> Path:
    """Returns the folder of the recordings; without one, synthesizes the demo corpus."""
    if source is None:
        from wideband.data_gen import synthesize

        return synthesize.build(folder).parent
    return source


def write_flac(source: Path, folder: Path, corpus: Corpus) -> float:
    """Writes recordings as FLAC files, in a folder for each speaker.

    Args:
        source: wav files, whose folder is named after the speaker.
        folder: where to write them.
        corpus: what to make of them.

    Returns:
        the seconds of all recordings.

    Raises:
        UserError: there are none.
    """
    import numpy as np
    import soundfile
    import soxr

    total = 0.0
    for speaker in sorted({path.parent for path in source.rglob("*.wav")}):
        waves = []
        for path in sorted(speaker.glob("*.wav")):
            wave, rate = soundfile.read(path, dtype="float32")
            waves.append(soxr.resample(wave, rate, corpus.sample_rate))
        for copy, start in product(range(corpus.copies), range(0, len(waves), corpus.joined)):
            target = folder / f"{speaker.name}-{copy}" / f"{start}.flac"
            target.parent.mkdir(parents=True, exist_ok=True)
            wave = np.concatenate(waves[start : start + corpus.joined])
            soundfile.write(target, wave, corpus.sample_rate)
            total += len(wave) / corpus.sample_rate
    if not total:
        raise UserError(f"{source}: no wav files; name a folder that has some")
    return total


def programs(folder: Path, output: Path) -> Iterator[tuple[str, list[str | Path]]]:
    """Yields the names and the command lines of what is compared, ours first."""
    for workers in (2, 1):
        flags = ["--corpus=folder", f"--source={folder}", f"--output={output}"]
        flags.append(f"--workers={workers}")
        yield (
            f"wideband-prepare --workers={workers}",
            [sys.executable, "-m", "wideband.data_gen", *flags],
        )
    yield LOOP, [sys.executable, Path(__file__).with_name("python_loop.py"), folder]


def prepare_once(name: str, command: Sequence[str | Path], output: Path) -> Finished:
    """Runs a program anew: a finished dataset would be kept."""
    shutil.rmtree(output, ignore_errors=True)
    return processes.run(command, name)


def lay_out(results: Sequence[Mapping[str, Any]]) -> reporting.Table:
    """Returns the table: a row for each program and rate."""
    header = ["recordings", "program", "seconds", "times real time"]
    header += ["memory, MiB", "speed relative to the loop"]
    rows = []
    for each in results:
        loop = each["programs"][LOOP]["seconds"]
        for name, measured in each["programs"].items():
            seconds = measured["seconds"]
            rows.append(
                [
                    f"{each['files']} files, {each['seconds'] / 60:.1f} min at "
                    f"{each['sample_rate'] / 1000:g} kHz",
                    name,
                    spread(seconds),
                    spread([each["seconds"] / one for one in seconds]),
                    number(max(measured["mebibytes"])),
                    spread(ratios(loop, seconds)),
                ]
            )
    return header, rows


def main(flags: Flags, arguments: list[str]) -> None:
    """Measures both programs on each corpus."""
    from tqdm import tqdm

    reporting.check(flags, [TABLE])
    results = []
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        output = scratch / "dataset"
        source = recordings(flags.source and Path(flags.source), scratch / "wav")
        for corpus in CORPORA:
            folder = scratch / "-".join(map(str, corpus))
            duration = write_flac(source, folder, corpus)
            compared = dict(programs(folder, output))
            with tqdm(total=flags.repeats * len(compared), desc=folder.name, disable=None) as bar:
                measured = take_turns(
                    {
                        name: lambda name=name, line=line: prepare_once(name, line, output)
                        for name, line in compared.items()
                    },
                    flags.repeats,
                    bar.update,
                )
            results.append(
                {
                    "sample_rate": corpus.sample_rate,
                    "files": len([*folder.rglob("*.flac")]),
                    "seconds": duration,
                    "programs": {
                        name: {
                            "seconds": [each.seconds for each in finished],
                            "mebibytes": [each.mebibytes for each in finished],
                        }
                        for name, finished in measured.items()
                    },
                }
            )
    reporting.publish(flags, "preparing", {"recordings": results}, {TABLE: lay_out(results)})


command = Command("python benchmarks/preparing.py", define_flags, main)

if __name__ == "__main__":
    sys.exit(command())
