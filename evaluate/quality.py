"""Command: PESQ, STOI and ViSQOL of a folder of estimates against a folder of references.

python -m wideband.evaluate.quality --references=clean --estimates=upsampled --output=quality.csv

The packages behind them are optional: pip install 'wideband[evaluate]'. Where a metric does not
apply to a recording, such as PESQ at 22.05 kHz, the table says so.
"""

from collections.abc import Sequence

from absl import flags

from ..data_gen.command import UserError, run_command
from .metrics.perceptual import METRICS

CONVENTIONS = list(METRICS)

_REFERENCES = flags.DEFINE_string("references", None, "Folder of references.", required=True)
_ESTIMATES = flags.DEFINE_string(
    "estimates", None, "Folder of estimates with the names of the references.", required=True
)
_OUTPUT = flags.DEFINE_string(
    "output",
    "quality.csv",
    "CSV file to write, one row per file; the summary goes beside it as .json.",
)
_CONVENTION = flags.DEFINE_multi_enum(
    "convention", CONVENTIONS, CONVENTIONS, "Convention to measure by; repeatable."
)
_ALIGN = flags.DEFINE_bool(
    "align",
    False,
    "Undo a delay of an estimate, found by cross-correlation, and cut both to what they have in "
    "common; without it such pairs are an error.",
)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the bootstrap.")


def main(arguments: Sequence[str]) -> None:
    """Measures the folders that the flags name."""
    # Reading audio takes SciPy, which --help does without.
    from .folders import compare

    if arguments:
        raise UserError(f"unexpected argument {arguments[0]!r}; flags are written --name=value")
    compare(
        _REFERENCES.value,
        _ESTIMATES.value,
        _OUTPUT.value,
        _CONVENTION.value,
        align=_ALIGN.value,
        seed=_SEED.value,
    )


if __name__ == "__main__":
    run_command(main)
