"""Command: the log-spectral distance of a folder of estimates from a folder of references.

python -m wideband.evaluate.lsd --references=clean --estimates=upsampled --output=lsd.csv
"""

from collections.abc import Sequence

from absl import flags

from ..data_gen.command import UserError, run_command
from .metrics import METRICS

CONVENTIONS = [name for name in METRICS if name.startswith("lsd")]

_REFERENCES = flags.DEFINE_string("references", None, "Folder of references.", required=True)
_ESTIMATES = flags.DEFINE_string(
    "estimates", None, "Folder of estimates with the names of the references.", required=True
)
_OUTPUT = flags.DEFINE_string(
    "output", "lsd.csv", "CSV file to write, one row per file; the summary goes beside it as .json."
)
_CONVENTION = flags.DEFINE_multi_enum(
    "convention", None, CONVENTIONS, "Convention to measure by; repeatable. Default: all."
)
_CUTOFF_HZ = flags.DEFINE_float(
    "cutoff_hz", None, "Highest frequency of the input, for lsd_lf and lsd_hf.", lower_bound=0
)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the bootstrap.")


def main(arguments: Sequence[str]) -> None:
    """Measures the folders that the flags name."""
    # Reading audio takes SciPy, which --help does without.
    from .folders import compare

    if arguments:
        raise UserError(f"unexpected argument {arguments[0]!r}; flags are written --name=value")
    with_cutoff = [name for name in CONVENTIONS if "cutoff_hz" in METRICS[name].needs]
    if _CUTOFF_HZ.value is None:
        if wanted := set(_CONVENTION.value or ()) & set(with_cutoff):
            raise UserError(f"--convention={min(wanted)} needs --cutoff_hz, half the input's rate")
        measurable = [name for name in CONVENTIONS if name not in with_cutoff]
    else:
        measurable = CONVENTIONS
    compare(
        _REFERENCES.value,
        _ESTIMATES.value,
        _OUTPUT.value,
        _CONVENTION.value or measurable,
        _CUTOFF_HZ.value,
        _SEED.value,
    )


if __name__ == "__main__":
    run_command(main)
