"""What wideband-demo does with a recording: measure it, restore it."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import audio
from ..audio import measure
from ..command import UserError
from ..command.errors import lookup
from ..upsample.checks import check_peak
from ..upsample.picking import Candidate
from ..upsample.restore import restore_file
from ..upsample.settings import Settings
from .networks import Limits
from .uploads import Report

# The most samples in all channels for each second of the longest recording: stereo at 96 kHz.
RATE = 2 * 96_000
# What browsers play.
MOST_CHANNELS = 32


class Work:
    """The work of all users.

    Args:
        models: what can be chosen.
        limits: of a recording.
    """

    def __init__(self, models: Sequence[Candidate], limits: Limits) -> None:
        self._models = {model.name: model for model in models}
        self._limits = limits

    def open(
        self, path: Path, parameters: Mapping[str, str], report: Report
    ) -> tuple[dict[str, Any], Path]:
        """Measures a recording.

        Args:
            path: the recording.
            parameters: none.
            report: called with the stage.

        Returns:
            the lowest and the highest frequency of its band, and the recording as a wav file for
            the browser.

        Raises:
            UserError: it cannot be read or restored, or is longer than the limits.
        """
        self._check_length(path)
        facts = measure.measure(path, lambda seconds: report("reading", 0.0))
        check_peak(facts.peak if facts.finite else float("nan"))
        decoded = path.with_name("decoded.wav")
        with audio.writer(decoded, facts.sample_rate, facts.channels, "PCM_24") as write:
            for block in audio.blocks(path, measure.BLOCK_SECONDS):
                write(block)
        return {"band_hz": facts.band}, decoded

    def restore(
        self, path: Path, parameters: Mapping[str, str], report: Report
    ) -> tuple[dict[str, Any], Path]:
        """Restores a recording as wideband-upsample does.

        Args:
            path: the recording.
            parameters: the name of the `network`; `force` as in wideband-upsample.
            report: called with the share that is done.

        Returns:
            what else there is to say about the restored recording, and the recording.

        Raises:
            UserError: it cannot be read or restored, is longer than the limits, or the network does
                not fit.
        """
        model = lookup(self._models, parameters.get("network", ""), "network")
        settings = Settings(force="force" in parameters)
        total = self._check_length(path)
        done = 0.0
        report("restoring", done)

        def progress(seconds: float) -> None:
            nonlocal done
            done += seconds
            report("restoring", min(1.0, done / total))

        restored = path.with_name("restored.wav")
        message = restore_file([model], path, restored, settings, progress)
        clipped = re.search(r"peaks of \S+ were clipped at 1", message)
        return {"note": clipped[0] if clipped else ""}, restored

    def _check_length(self, path: Path) -> float:
        """Returns the length in seconds; raises a UserError if it is 0 or beyond the limits."""
        frames, sample_rate, channels = audio.info(path)
        seconds, most = frames / sample_rate, self._limits.seconds
        if not frames:
            raise UserError("the recording is empty")
        advice = "cut it, use wideband-upsample, or start wideband-demo with another --seconds"
        if seconds > most:
            raise UserError(f"lasts {seconds:.0f} s; this page takes at most {most} s: {advice}")
        if channels > MOST_CHANNELS:
            raise UserError(
                f"has {channels} channels; this page takes at most {MOST_CHANNELS}; use "
                "wideband-upsample"
            )
        if frames * channels > RATE * most:
            raise UserError(
                f"has {frames * channels} samples in all channels; this page takes at most "
                f"{RATE * most}: {advice}"
            )
        return seconds
