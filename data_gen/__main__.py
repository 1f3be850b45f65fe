"""Prepares a dataset: wideband-prepare --corpus=NAME --source=DIR --output=DIR."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ..command.errors import UsageError, UserError, lookup, printable
from ..command.paths import is_address
from ..command.rates import HIGHEST_RATE, LOWEST_RATE
from ..command.run import Command, Flags

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import (  # pyright: ignore[reportMissingImports]
        PipelineOptions,
    )

    from ..audio import Ratio
    from .corpora import Found, Store
    from .dataset import Dataset
    from .settings import Settings

# Names that the summary lists; the manifest lists all.
_NAMED = 10


def define_flags(flags: Flags) -> None:
    """Defines the flags of wideband-prepare."""
    flags.string(
        "corpus", None, "folder, manifest, demo, vctk, ljspeech or librispeech.", required=True
    )
    flags.string(
        "source",
        None,
        "Folder of the corpus, or with --decoder=tfio its address in an object store; a public "
        "corpus that is not there is downloaded.",
    )
    flags.string("output", None, "Folder of the dataset.", required=True)
    flags.integer(
        "sample_rate",
        16000,
        "The high rate, in Hz.",
        lower_bound=LOWEST_RATE,
        upper_bound=HIGHEST_RATE,
    )
    flags.string(
        "ratio", "4", "High rate over low rate: a whole number, or a quotient as in 22050/8000."
    )
    flags.integer(
        "low_rate",
        None,
        "The low rate, in Hz, instead of --ratio.",
        lower_bound=LOWEST_RATE,
        upper_bound=HIGHEST_RATE,
    )
    flags.string(
        "protocol",
        None,
        "How the low side is made: decimate_spline, decimate_lagged_spline, subsample_spline, "
        "decimate_fft, sinc, fft or hann_sinc; by default decimate_spline, or hann_sinc if the "
        "ratio is no whole number.",
    )
    flags.string(
        "split_rule",
        None,
        "given, speaker, recording, vctk_single, vctk_multi, vctk_thesis or vctk_modern; by "
        "default that of the corpus.",
    )
    for name, default, purpose in (("valid", 0.05, "validation"), ("test", 0.1, "testing")):
        flags.number(
            f"{name}_fraction",
            default,
            f"Fraction of the speakers for {purpose}.",
            lower_bound=0,
            upper_bound=1,
        )
    flags.integer("seed", 0, "Seed of the split.", lower_bound=0)
    flags.string(
        "speaker_pattern", None, "For corpus folder: a regular expression; group 1 is the speaker."
    )
    flags.comma_list(
        "subsets",
        ["train-clean-100", "dev-clean", "test-clean"],
        "For corpus librispeech: its subsets.",
    )
    flags.integer("mic", 1, "For corpus vctk: microphone 1 or 2.", lower_bound=1, upper_bound=2)
    flags.integer(
        "patch",
        256,
        "Patch in samples at the high rate; shorter recordings are left out.",
        lower_bound=1,
    )
    flags.choice(
        "decoder",
        "soundfile",
        ["soundfile", "tfio"],
        "What reads the recordings. tfio is TensorFlow I/O, which also reads object stores; it "
        "needs TensorFlow 2.16 (the extra tfio).",
    )
    flags.boolean(
        "narrow",
        False,
        "Keep recordings of limited band or of a lower rate, and remove what a codec left above "
        "their band: for networks that learn nothing there, such as fullbandnet.",
    )
    flags.integer(
        "narrow_from",
        0,
        "With --narrow: keep only recordings whose band reaches this frequency, in Hz.",
        lower_bound=0,
    )
    flags.boolean("strict", False, "Stop at the first recording that would be left out.")
    flags.integer(
        "workers",
        None,
        "Worker processes; by default one per core.",
        lower_bound=1,
        upper_bound=1000,
    )
    flags.string(
        "runner",
        None,
        "Prepare with Apache Beam (the extra beam): DirectRunner, FlinkRunner, SparkRunner, "
        "DataflowRunner or another one. --source and --output may then be on any file system that "
        "Beam has, and the flags of the runner are passed on.",
    )
    flags.pass_on_with("runner")


def main(flags: Flags, arguments: list[str]) -> None:
    """Prepares the dataset and prints a summary."""
    from . import corpora

    lookup(dict.fromkeys(corpora.NAMES), flags.corpus, "corpus")
    for name, corpus in (("mic", "vctk"), ("subsets", "librispeech")):
        if flags.given(name) and flags.corpus != corpus:
            raise UserError(f"--{name} is for --corpus={corpus} only")
    if flags.narrow_from and not flags.narrow:
        raise UserError(f"--narrow_from={flags.narrow_from} is for --narrow only; add it")
    if flags.source is None and flags.corpus != "demo":
        raise UsageError("--source is missing: the folder of the corpus")
    options = _beam_options(flags) if flags.runner else None
    if flags.decoder == "tfio":
        from . import tfio

        tfio.load()
    elif flags.source and is_address(flags.source) and not options:
        raise UserError(
            f"{flags.source}: in an object store; add --decoder=tfio or --runner, which read it, "
            "or copy the recordings to a folder"
        )
    from . import degrade
    from .settings import Settings

    ratio = _ratio(flags)
    protocol = flags.protocol or ("decimate_spline" if ratio.denominator == 1 else "hann_sinc")
    degrade.get(protocol).check(ratio)
    corpus, rule = _corpus(flags)
    settings = Settings(
        corpus=flags.corpus,
        split_rule=rule,
        valid_fraction=flags.valid_fraction,
        test_fraction=flags.test_fraction,
        seed=flags.seed,
        sample_rate=flags.sample_rate,
        ratio=ratio,
        protocol=protocol,
        patch=flags.patch,
        decoder=flags.decoder,
        narrow=flags.narrow,
        narrow_from=flags.narrow_from,
    )
    if options:
        _prepare_with_beam(flags, corpus, settings, options)
        return
    from .prepare import is_finished, prepare

    output = Path(flags.output)
    finished = is_finished(output)
    dataset = prepare(corpus, output, settings, flags.workers, flags.strict)
    _print_summary(dataset, str(output), finished)


def _beam_options(flags: Flags) -> "PipelineOptions":
    """Parses the flags of Beam's runner."""
    for name in ("decoder", "workers"):
        if flags.given(name):
            raise UserError(f"--{name} does not go with --runner; leave it out")
    from ..command.beam import pipeline_options

    return pipeline_options(flags.runner, flags.others)


def _prepare_with_beam(
    flags: Flags, corpus: "Found", settings: "Settings", options: "PipelineOptions"
) -> None:
    from ..command.beam import absolute
    from . import beam
    from .dataset import Dataset

    output = absolute(flags.output)
    with TemporaryDirectory() as folder:
        copies = Path(folder)
        finished = beam.prepare(corpus, output, settings, options, copies, flags.strict)
        _print_summary(Dataset(copies), output, finished)


def _ratio(flags: Flags) -> "Ratio":
    """Returns the high rate over the low rate."""
    from ..audio import quotient

    if flags.low_rate is None:
        return quotient(flags.ratio)
    if flags.given("ratio"):
        raise UserError(
            f"--low_rate={flags.low_rate} and --ratio={flags.ratio}: both name the low rate; leave "
            "one of them out"
        )
    if flags.low_rate >= flags.sample_rate:
        raise UserError(
            f"--low_rate={flags.low_rate} must be below the high rate, "
            f"--sample_rate={flags.sample_rate}"
        )
    return quotient(f"{flags.sample_rate}/{flags.low_rate}")


def _corpus(flags: Flags) -> "tuple[Found, str]":
    """Lists the recordings with their splits, and names the rule that split them."""
    from . import corpora, splits

    source = flags.source or Path(flags.output) / "recordings"
    if not is_address(str(source)):
        source = Path(source)
    found = corpora.search(
        flags.corpus, source, flags.speaker_pattern, flags.mic, flags.subsets, _store(flags)
    )
    rule = flags.split_rule or splits.DEFAULT_RULES[flags.corpus]
    speakers = len({recording.speaker for recording in found.recordings})
    if flags.split_rule is None and rule == "speaker" and speakers < 3:
        rule = "recording"
        print(f"Only {speakers} speaker(s): split by recording, so that each is in every split.")
    fractions = flags.valid_fraction, flags.test_fraction
    recordings = splits.assign(found.recordings, rule, flags.seed, fractions)
    return found._replace(recordings=recordings), rule


def _store(flags: Flags) -> "Store":
    """Returns what reads a source that is an address."""
    if flags.runner:
        from .beam import STORE

        return STORE
    from .corpora import TFIO

    return TFIO


def _print_summary(dataset: "Dataset", output: str, finished: bool) -> None:
    from .survey import count_by_reason, describe_left_out

    if finished:
        print(f"{output} was finished already.")
    for split, totals in dataset.totals.items():
        if not totals["recordings"]:
            print(f"{split:5}  no recordings; try a larger corpus or --{split}_fraction")
            continue
        print(
            f"{split:5}  {totals['recordings']:6} recordings  {totals['seconds'] / 60:8.1f} minutes"
            f"  {totals['speakers']:5} speakers"
        )
    if not dataset.left_out:
        print("left out: none")
        return
    left_out = describe_left_out(count_by_reason(dataset.left_out.values()), dataset.sample_rate)
    print(f"left out: {left_out}; {output}/manifest.csv lists each with its reason")
    # What could not be read is worth a look, unlike recordings that are too short. A folder comes
    # first: all of its recordings are missing.
    unread = [
        f"  {name}: {reason}"
        for kind in ("not read", "unreadable")
        for name, reason in dataset.left_out.items()
        if reason.startswith(kind)
    ]
    for line in unread[:_NAMED]:
        print(printable(line))


command = Command("wideband-prepare", define_flags, main)

if __name__ == "__main__":
    sys.exit(command())
