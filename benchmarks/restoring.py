"""Measures restoring: real-time factors on one thread, and folders of files.

python benchmarks/restoring.py --page=docs/performance.md

The real-time factor is the computing time per second of audio, here of noise. All shipped networks
run from their TFLite files. AP-BWE (Lu et al. 2024) is our network of the published size with
random weights, in Keras: the original is in PyTorch, and its weights are not ours to ship.
"""

import cProfile
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import processes
import reporting
from noise import noise_for, write_noise
from timing import number, parse_durations, ratios, seconds, spread, take_turns
from wideband.command import UserError
from wideband.command.run import Command, Flags, quiet_tensorflow

if TYPE_CHECKING:
    from wideband.upsample import Upsampler

# The published network at 16 kHz, from 4 kHz.
PUBLISHED = "apbwe_16k_4x"
REFERENCE = "apbwe"
NETWORKS, FILES = "restoring", "files"
SHORTEST_SECONDS, LONGEST_SECONDS = 0.1, 3600


def define_flags(flags: Flags) -> None:
    """Defines the flags."""
    reporting.define_flags(flags)
    flags.comma_list("seconds", ["2", "10", "60"], "Durations of the waves, in seconds.")
    flags.integer("files", 8, "Files in a folder.", lower_bound=2)
    flags.number(
        "file_seconds", 10.0, "Duration of each file, in seconds.", lower_bound=SHORTEST_SECONDS
    )
    flags.strings("set", [], "Overrides of the recipe of AP-BWE, as of wideband-train.")


def published(overrides: Sequence[str]) -> "Upsampler":
    """Returns AP-BWE with random weights."""
    from wideband import models
    from wideband.data_gen import degrade
    from wideband.train import recipes
    from wideband.train.overrides import parse_overrides
    from wideband.upsample import Upsampler

    recipe = recipes.get(PUBLISHED, **parse_overrides(overrides))
    network = models.build(recipe.model, **recipe.network_arguments())
    network.jit_compile = False
    interpolation = degrade.get(recipe.protocol).interpolation
    return Upsampler(network, recipe.sample_rate, recipe.ratio, interpolation)


def shipped(name: str) -> "Upsampler":
    """Returns a shipped network that computes with one thread."""
    from wideband.audio import quotient
    from wideband.models import pretrained
    from wideband.upsample import Upsampler
    from wideband.upsample.tflite import TFLiteNetwork

    network = TFLiteNetwork(pretrained.find(name) / pretrained.TFLITE_FILE, threads=1)
    data = network.metadata
    return Upsampler(network, data.sample_rate, quotient(data.ratio), data.interpolation)


def real_time_factors(
    upsamplers: Mapping[str, "Upsampler"],
    duration: float,
    repeats: int,
    progress: Callable[[], Any],
) -> dict[str, list[float]]:
    """Measures the real-time factors of several models by turns, after a warm-up."""

    def measurement(upsampler: "Upsampler") -> Callable[[], float]:
        wave = noise_for(upsampler, duration)
        upsampler.upsample(wave, upsampler.low_rate)
        return lambda: seconds(lambda: upsampler.upsample(wave, upsampler.low_rate)) / duration

    measurements = {name: measurement(each) for name, each in upsamplers.items()}
    return take_turns(measurements, repeats, progress)


def network_share(upsampler: "Upsampler", duration: float) -> float:
    """Returns the share of the time that the network itself takes.

    The rest is what an upsampler does before and after it.
    """
    profile = cProfile.Profile()
    profile.runcall(upsampler.upsample, noise_for(upsampler, duration), upsampler.low_rate)
    # Functions in C have a name in place of their code.
    entries = [each for each in profile.getstats() if not isinstance(each.code, str)]
    network = max(each.totaltime for each in entries if each.code.co_name == "restore")
    return network / max(each.totaltime for each in entries)


def folders(
    count: int, duration: float, repeats: int, progress: Callable[[], Any]
) -> dict[str, list[float]]:
    """Measures the seconds of whole commands that restore many files with one network."""
    command = [sys.executable, "-m", "wideband.upsample", "--model=speech"]
    with tempfile.TemporaryDirectory() as temporary:
        source, output = Path(temporary) / "source", Path(temporary) / "output"
        source.mkdir()
        paths = [source / f"{number:03d}.wav" for number in range(count)]
        for path in paths:
            write_noise(path, duration / 60, 8000)

        def all_at_once(workers: int) -> float:
            line = [*command, source, f"--output={output}", f"--workers={workers}"]
            return processes.run(line, f"--workers={workers}").seconds

        def one_by_one() -> float:
            return sum(
                processes.run([*command, path, f"--output={output / path.name}"], path.name).seconds
                for path in paths
            )

        output.mkdir()
        return take_turns(
            {
                "wideband-upsample FOLDER --workers=2": lambda: all_at_once(2),
                "wideband-upsample FOLDER --workers=1": lambda: all_at_once(1),
                "wideband-upsample FILE, for each file": one_by_one,
            },
            repeats,
            progress,
        )


def lay_out_networks(
    factors: Mapping[str, Mapping[str, Sequence[float]]],
    rates: Mapping[str, int],
    shares: Mapping[str, float],
) -> reporting.Table:
    """Returns the table of networks; `factors` has the real-time factors by duration, then name."""
    header = ["network", "to, kHz", *(f"real-time factor, {duration} s" for duration in factors)]
    header += [f"times faster than {REFERENCE}, {duration} s" for duration in factors]
    header.append("of it the network, %")
    rows = []
    for name, rate in rates.items():
        times = [spread(ratios(each[REFERENCE], each[name])) for each in factors.values()]
        found = [spread(each[name]) for each in factors.values()]
        rows.append([name, number(rate / 1000), *found, *times, number(100 * shares[name])])
    return header, rows


def lay_out_files(
    measured: Mapping[str, Sequence[float]], count: int, duration: float
) -> reporting.Table:
    """Returns the table of commands."""
    *_, last = measured.values()
    header = [f"{count} files of {number(duration)} s", "seconds", "times faster than the last row"]
    rows = [[name, spread(each), spread(ratios(last, each))] for name, each in measured.items()]
    return header, rows


def main(flags: Flags, arguments: list[str]) -> None:
    """Measures networks in this process, then commands."""
    from tqdm import tqdm
    from wideband.models import pretrained

    reporting.check(flags, [NETWORKS, FILES])
    durations = parse_durations("seconds", flags.seconds, SHORTEST_SECONDS, LONGEST_SECONDS)
    if not hasattr(os, "sched_setaffinity"):
        raise UserError("only Linux keeps a process on one core; measure on a machine with Linux")
    all_cores = os.sched_getaffinity(0)
    # The commands come first, as they may use all cores; also, this process is still small.
    with tqdm(total=3 * flags.repeats, desc="files", disable=None) as bar:
        files = folders(flags.files, flags.file_seconds, flags.repeats, bar.update)
    # TensorFlow has as many threads as there are cores when it starts.
    os.sched_setaffinity(0, {min(all_cores)})
    try:
        quiet_tensorflow()
        upsamplers = {name: shipped(name) for name in pretrained.names()}
        upsamplers[REFERENCE] = published(flags.set)
        total = len(upsamplers) * len(durations) * flags.repeats
        with tqdm(total=total, desc="networks", disable=None) as bar:
            factors = {
                number(each): real_time_factors(upsamplers, each, flags.repeats, bar.update)
                for each in durations
            }
        shares = {name: network_share(each, max(durations)) for name, each in upsamplers.items()}
    finally:
        os.sched_setaffinity(0, all_cores)
    rates = {name: each.sample_rate for name, each in upsamplers.items()}
    numbers = {"sample_rates": rates, "real_time_factors": factors, "network_shares": shares}
    numbers["files"] = {"count": flags.files, "duration": flags.file_seconds, "seconds": files}
    tables = {
        NETWORKS: lay_out_networks(factors, rates, shares),
        FILES: lay_out_files(files, flags.files, flags.file_seconds),
    }
    reporting.publish(flags, "restoring", numbers, tables)


command = Command("python benchmarks/restoring.py", define_flags, main)

if __name__ == "__main__":
    sys.exit(command())
