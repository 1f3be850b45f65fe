"""The command behind snr, lsd and quality: metrics of a folder of estimates."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..command import UserError
from ..command.files import check_writable
from ..command.paths import check_suffix
from ..command.run import Flags
from .left_out import finish, show
from .metrics import Metric

if TYPE_CHECKING:
    from .folders import Measured
    from .metrics.statistics import Mean


class Score:
    """The flags and the main function of a command that measures a folder of estimates.

    Args:
        output: default name of the CSV file.
        metrics: the choices of `--metric`.
        default: the metrics to use without `--metric`, by default all. Those that need a cutoff
            are left out if there is none.
    """

    def __init__(
        self, output: str, metrics: Mapping[str, Metric], default: Collection[str] | None = None
    ) -> None:
        self._output = output
        self._choices = list(metrics)
        self._default = list(metrics if default is None else default)
        self._need_cutoff = [name for name, each in metrics.items() if "cutoff_hz" in each.needs]

    def define_flags(self, flags: Flags) -> None:
        """Defines the flags."""
        flags.string("references", None, "Folder of references.", required=True)
        flags.string(
            "estimates",
            None,
            "Folder of estimates with the names of the references.",
            required=True,
        )
        flags.string(
            "output",
            self._output,
            "CSV file to write, one row per file; the summary goes next to it as .json.",
        )
        flags.choices("metric", self._default, self._choices, "Metric to compute; repeatable.")
        if self._need_cutoff:
            flags.number(
                "cutoff_hz",
                None,
                f"Highest frequency of the input, for {' and '.join(self._need_cutoff)}.",
                lower_bound=0,
            )
        flags.boolean(
            "align",
            False,
            "Undo the delay of an estimate, found by cross-correlation, and cut both waves to "
            "their common length; otherwise such pairs are left out.",
        )
        flags.integer("seed", 0, "Seed of the bootstrap.", lower_bound=0)

    def main(self, flags: Flags, arguments: list[str]) -> None:
        """Measures the folder, writes a CSV file and a summary, and prints a table."""
        output = Path(flags.output)
        check_suffix("output", output, ".csv")
        check_writable(output)
        cutoff_hz = flags.cutoff_hz if self._need_cutoff else None
        names = self._names(flags.metric, flags.given("metric"), cutoff_hz)

        from . import folders, metrics
        from .metrics import statistics

        metrics.require(names)
        systems = {flags.estimates: Path(flags.estimates)}
        by_system, left_out = folders.measure_folders(
            Path(flags.references), systems, names, cutoff_hz, flags.align
        )
        measured = by_system[flags.estimates]
        means = statistics.summarize_rows([each.values for each in measured], flags.seed)
        not_applicable = _count_reasons(measured)
        try:
            _write(output, flags, cutoff_hz, means, measured, not_applicable, left_out)
        # The results are shown even if they cannot be written.
        finally:
            _print(means, not_applicable, len(measured))
            if flags.align:
                _print_delays([each.delay_samples or 0 for each in measured])
            show(left_out)
        finish(left_out)

    def _names(self, names: list[str], given: bool, cutoff_hz: float | None) -> list[str]:
        """Returns the metrics to compute; the default omits those that need a missing cutoff."""
        if cutoff_hz is not None:
            return names
        if given and (undefined := set(names) & set(self._need_cutoff)):
            raise UserError(f"--metric={min(undefined)} needs --cutoff_hz, half the input's rate")
        return [name for name in names if name not in self._need_cutoff]


def _write(
    output: Path,
    flags: Flags,
    cutoff_hz: float | None,
    means: "Mapping[str, Mean]",
    measured: "Sequence[Measured]",
    not_applicable: Mapping[str, Counter[str]],
    left_out: Mapping[str, str],
) -> None:
    from ..command.files import write_csv
    from . import results

    write_csv(output, [each.row() for each in measured])
    results.write_summary(
        output.with_suffix(".json"),
        means,
        references=flags.references,
        estimates=flags.estimates,
        files=len(measured),
        left_out=left_out,
        seconds=round(sum(each.seconds for each in measured), 3),
        sample_rates=sorted({each.sample_rate for each in measured}),
        cutoff_hz=cutoff_hz,
        align=flags.align,
        not_applicable=not_applicable,
        seed=flags.seed,
    )


def _count_reasons(measured: "Sequence[Measured]") -> dict[str, Counter[str]]:
    """Counts the reasons why metrics do not apply: metric -> reason -> number of files."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for each in measured:
        for name, reason in each.not_applicable.items():
            counts[name][reason] += 1
    return counts


def _print(
    means: "Mapping[str, Mean]", not_applicable: Mapping[str, Counter[str]], files: int
) -> None:
    from ..command.tables import text_table
    from . import metrics, results

    def cell(name: str, mean: "Mean") -> str:
        if not mean.files and not_applicable.get(name, Counter()).total() == mean.left_out:
            return "does not apply"
        return results.format_mean(name, mean)

    rows = [
        [results.metric_header(name), cell(name, mean), str(mean.files), str(mean.left_out)]
        for name, mean in means.items()
    ]
    print(text_table(["metric", "mean [95 % interval]", "files", "left out"], rows))
    for name, reasons in not_applicable.items():
        for reason, count in reasons.items():
            label = metrics.METRICS[name].label
            print(f"{label} does not apply to {count} of {files} files: {reason}")


def _print_delays(delays: list[int]) -> None:
    shifted = [delay for delay in delays if delay]
    delay_range = f", by {min(shifted)} to {max(shifted)} samples" if shifted else ""
    print(f"{len(shifted)} of {len(delays)} estimates were delayed{delay_range}")
