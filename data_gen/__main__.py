"""Prepares a dataset: wideband-prepare --corpus=NAME --source=DIR --output=DIR."""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from ..command import UserError
from ..command.run import run_command

FLAGS = flags.FLAGS

flags.DEFINE_string(
    "corpus", None, "folder, manifest, demo, vctk, ljspeech or librispeech.", required=True
)
flags.DEFINE_string(
    "source", None, "Folder of the corpus; public corpora that are not there are downloaded to it."
)
flags.DEFINE_string("output", None, "Folder of the dataset.", required=True)
flags.DEFINE_integer("sample_rate", 16000, "Rate of the high side, in Hz.", lower_bound=1000)
flags.DEFINE_integer("ratio", 4, "High rate over low rate.", lower_bound=2, upper_bound=8)
flags.DEFINE_string("protocol", "decimate_spline", "How the low side is made.")
flags.DEFINE_string("split", None, "Rule of the split; the corpus's own by default.")
flags.DEFINE_float("valid_fraction", 0.05, "Part of the speakers that validates.")
flags.DEFINE_float("test_fraction", 0.1, "Part of the speakers that is kept for testing.")
flags.DEFINE_integer("seed", 0, "Seed of the split.", lower_bound=0)
flags.DEFINE_string(
    "speaker_pattern", None, "For corpus folder: a regular expression; group 1 is the speaker."
)
flags.DEFINE_list(
    "subsets", "train-clean-100,dev-clean,test-clean", "For corpus librispeech: its subsets."
)
flags.DEFINE_integer("mic", 1, "For corpus vctk: microphone 1 or 2.")
flags.DEFINE_integer("patch", 256, "Recordings shorter than this are left out.", lower_bound=1)
flags.DEFINE_bool("strict", False, "Stop at the first recording that would be left out.")
flags.DEFINE_integer("workers", None, "Processes; one a core by default.", lower_bound=1)


def main(arguments: Sequence[str]) -> None:
    """Reads the flags, prepares and prints what came of it."""
    if arguments:
        raise UserError(
            f"'{arguments[0]}' is no flag; the corpus is given by --source={arguments[0]}"
        )
    # SciPy takes half a second, which --help does without.
    from . import corpora, degrade, splits
    from .prepare import Settings, counts, prepare

    for name, corpus in (("mic", "vctk"), ("subsets", "librispeech")):
        if FLAGS[name].present and FLAGS.corpus != corpus:
            raise UserError(f"--{name} is for --corpus={corpus} only")
    output = Path(FLAGS.output)
    degrade.get(FLAGS.protocol)
    if FLAGS.source is None and FLAGS.corpus != "demo":
        raise UserError("--source is missing: the folder of the corpus")
    source = Path(FLAGS.source) if FLAGS.source else output / "recordings"
    recordings = corpora.recordings(
        FLAGS.corpus, source, FLAGS.speaker_pattern, FLAGS.mic, FLAGS.subsets
    )
    rule = FLAGS.split or splits.DEFAULT_RULES[FLAGS.corpus]
    speakers = len({recording.speaker for recording in recordings})
    if FLAGS.split is None and rule == "speaker" and speakers < 3:
        rule = "recording"
        print(
            f"Only {speakers} speaker(s): split by recording, so that each stands in every split."
        )
    recordings = splits.assign(
        recordings, rule, FLAGS.seed, (FLAGS.valid_fraction, FLAGS.test_fraction)
    )
    settings = Settings(
        corpus=FLAGS.corpus,
        split_rule=rule,
        valid_fraction=FLAGS.valid_fraction,
        test_fraction=FLAGS.test_fraction,
        seed=FLAGS.seed,
        sample_rate=FLAGS.sample_rate,
        ratio=FLAGS.ratio,
        protocol=FLAGS.protocol,
        patch=FLAGS.patch,
    )
    finished = (output / "manifest.csv").exists()
    description = prepare(recordings, output, settings, FLAGS.workers, FLAGS.strict)
    if finished:
        print(f"{output} was finished already.")
    for split, totals in description["totals"].items():
        print(
            f"{split:5}  {totals['recordings']:6} recordings  {totals['seconds'] / 60:8.1f} minutes"
            f"  {totals['speakers']:5} speakers"
        )
    for split in ("valid", "test"):
        if split in description["totals"]:
            continue
        print(f"{split:5}  no recordings; a larger corpus or --{split}_fraction would give some")
    print(
        f"left out: {counts(description['left_out'])}; each is named in {output / 'manifest.csv'}"
    )


def run() -> None:
    """Starts the command."""
    run_command(main)


if __name__ == "__main__":
    run()
