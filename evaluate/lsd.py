"""Command: log-spectral and phase distances of a folder of estimates from their references.

python -m wideband.evaluate.lsd --references=clean --estimates=upsampled --output=lsd.csv
"""

from collections.abc import Sequence

from absl import flags

from ..data_gen.command import UserError, run_command
from .metrics import phase, spectral

LSD, PHASE = spectral.METRICS, phase.METRICS

_REFERENCES = flags.DEFINE_string("references", None, "Folder of references.", required=True)
_ESTIMATES = flags.DEFINE_string(
    "estimates", None, "Folder of estimates with the names of the references.", required=True
)
_OUTPUT = flags.DEFINE_string(
    "output", "lsd.csv", "CSV file to write, one row per file; the summary goes beside it as .json."
)
_CONVENTION = flags.DEFINE_multi_enum(
    "convention",
    None,
    [*LSD, *PHASE],
    "Convention to measure by; repeatable. Default: every LSD, but none of the phase distances.",
)
_CUTOFF_HZ = flags.DEFINE_float(
    "cutoff_hz", None, "Highest frequency of the input, for lsd_lf and lsd_hf.", lower_bound=0
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
    needing_cutoff = {name for name, metric in LSD.items() if "cutoff_hz" in metric.needs}
    names = _CONVENTION.value or list(LSD)
    if _CUTOFF_HZ.value is None:
        if wanted := needing_cutoff & set(_CONVENTION.value or ()):
            raise UserError(f"--convention={min(wanted)} needs --cutoff_hz, half the input's rate")
        names = [name for name in names if name not in needing_cutoff]
    compare(
        _REFERENCES.value,
        _ESTIMATES.value,
        _OUTPUT.value,
        names,
        _CUTOFF_HZ.value,
        _ALIGN.value,
        _SEED.value,
    )


if __name__ == "__main__":
    run_command(main)
