"""What snr, lsd and quality share: one command over two folders, for the metrics of a table."""

from collections.abc import Callable, Collection, Mapping, Sequence

from absl import flags

from ..command import UserError
from .metrics import Metric

# Flags that are defined here are those of the command that asks for them, and stand in its --help.
flags.disclaim_key_flags()


def folder_command(
    output: str, metrics: Mapping[str, Metric], by_default: Collection[str] | None = None
) -> Callable[[Sequence[str]], None]:
    """Defines the flags of a command that measures a folder of estimates.

    Args:
        output: name of the CSV file, unless a flag says otherwise.
        metrics: those that can be chosen by `--convention`.
        by_default: names of those that are taken where none is chosen; all, if not given. Such as
            need a cutoff are then left out where there is none.

    Returns:
        the command's `main`.
    """
    needing_cutoff = [name for name, metric in metrics.items() if "cutoff_hz" in metric.needs]
    references = flags.DEFINE_string("references", None, "Folder of references.", required=True)
    estimates = flags.DEFINE_string(
        "estimates", None, "Folder of estimates with the names of the references.", required=True
    )
    table = flags.DEFINE_string(
        "output",
        output,
        "CSV file to write, one row per file; the summary goes beside it as .json.",
    )
    convention = flags.DEFINE_multi_enum(
        "convention",
        list(metrics if by_default is None else by_default),
        list(metrics),
        "Convention to measure by; repeatable.",
    )
    cutoff_hz = None
    if needing_cutoff:
        words = f"Highest frequency of the input, for {' and '.join(needing_cutoff)}."
        cutoff_hz = flags.DEFINE_float("cutoff_hz", None, words, lower_bound=0)
    align = flags.DEFINE_bool(
        "align",
        False,
        "Undo a delay of an estimate, found by cross-correlation, and cut both to what they have "
        "in common; without it such pairs are an error.",
    )
    seed = flags.DEFINE_integer("seed", 0, "Seed of the bootstrap.")

    def main(arguments: Sequence[str]) -> None:
        # Reading audio takes SciPy, which --help does without.
        from .folders import compare

        if arguments:
            raise UserError(f"unexpected argument {arguments[0]!r}; flags are written --name=value")
        names = convention.value
        cutoff = None if cutoff_hz is None else cutoff_hz.value
        if cutoff is None:
            if convention.present and (wanted := set(names) & set(needing_cutoff)):
                raise UserError(
                    f"--convention={min(wanted)} needs --cutoff_hz, half the input's rate"
                )
            names = [name for name in names if name not in needing_cutoff]
        compare(
            references.value, estimates.value, table.value, names, cutoff, align.value, seed.value
        )

    return main
