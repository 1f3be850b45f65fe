"""The outputs of windows are joined without seams."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from wideband import models
from wideband.audio import interpolate
from wideband.command import UserError
from wideband.upsample import windows

# Conversions to TFLite, or windows of every network.
pytestmark = pytest.mark.slow

WITH_CONTEXT = [name for name in models.names() if "patch" not in models.arguments(name)]


def pass_through(network, wave, *window):
    """Passes a wave (n,) through a network in windows."""
    stage = windows.Windows(network, 1, 16000, *window)
    return np.concatenate([stage.push(wave[np.newaxis]), stage.flush()], axis=1)[0]


@pytest.mark.parametrize("n", [1, 7936, 7937, 30001])
def test_a_network_with_a_context_restores_windows_like_the_whole_wave(n, noise, build, upsampler):
    network, low = build("audiounet"), noise(n)
    found, _ = upsampler("audiounet").upsample(low, 4000, keep_low_band=False)
    interpolated = interpolate.spline(np.pad(low, (0, 32), mode="symmetric"), 4)[: 4 * n]
    context = network.context
    padded = np.pad(interpolated, (context, context + -4 * n % network.multiple))
    whole = np.asarray(network(padded[np.newaxis, :, np.newaxis]))[0, :, 0]
    np.testing.assert_allclose(found, whole[context : context + 4 * n], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["dnn", "tfilm"])
def test_patches_are_half_a_patch_apart_and_cross_faded(name, noise, build, one_window_at_a_time):
    """The output is compared with patches weighted one by one, with zeros in the outer eighths."""
    network = build(name)
    patch = network.patch
    n = 5 * patch
    wave = noise(n)
    found = pass_through(network, wave)
    eighth = patch // 8
    rise = np.sin(np.pi / 2 * (np.arange(2 * eighth) + 0.5) / (2 * eighth)) ** 2
    weights = np.concatenate(
        [np.zeros(eighth), rise, np.ones(2 * eighth), rise[::-1], np.zeros(eighth)]
    )
    padded = np.pad(wave, patch)
    starts = range(patch - 3 * eighth, n + patch, patch // 2)
    patches = np.stack([padded[start : start + patch] for start in starts])
    expected = np.zeros(n + 2 * patch)
    for start, output in zip(starts, np.asarray(network(patches[..., np.newaxis])), strict=True):
        expected[start : start + patch] += weights * output[:, 0]
    np.testing.assert_allclose(found, expected[patch:-patch], rtol=0, atol=1e-5)


def test_a_wave_with_a_long_context_gets_longer_windows_if_it_is_not_live(build):
    network = build("overtonenet")
    context = network.context
    assert [windows.whole_window(network, n) for n in (1, context, 5 * context, 10**7)] == [
        count * context for count in (3, 3, 7, 12)
    ]
    assert windows.grid(network).window == 32700
    assert windows.file_windows(network) == (4 * context,)
    assert windows.whole_window(build("audiounet"), 10**7) is None


def test_no_window_is_so_short_that_most_of_the_computation_is_dropped(outline):
    network = outline("overtonenet", width=0.1)
    assert 2 * network.context > windows.WINDOW
    assert windows.grid(network).window == 4 * network.context
    assert windows.file_windows(network) == tuple(n * network.context for n in (4, 7, 12))


def test_a_wave_gets_those_windows_of_a_file_that_take_the_least_computation(outline):
    network = outline("overtonenet", width=0.1)
    context = network.context
    network.windows = windows.file_windows(network)
    lengths = (1, 2 * context, 2 * context + 1, 5 * context, 10 * context, 11 * context, 10**7)
    found = [windows.whole_window(network, n) // context for n in lengths]
    # 11 contexts take two windows of 12, three of 7 or six of 4.
    assert found == [4, 4, 7, 7, 12, 7, 12]


def test_a_live_wave_gets_the_shortest_window_of_a_file_or_the_next_longer_one(outline):
    network = outline("overtonenet", width=0.1)
    network.windows = windows.file_windows(network)
    wanted = (None, 1, network.windows[0] + 1, 10**8)
    found = [windows.grid(network, window).window for window in wanted]
    assert found == [network.windows[k] for k in (0, 0, 1, 2)]
    for window in (0, -1, 1.5, "a", np.nan):
        with pytest.raises(UserError, match=f"^window of {window!r} samples: must be a whole"):
            windows.grid(network, window)


def seam_db(network, noise):
    """Measures the mean rise of the second difference at the borders of patches, in dB.

    The patches of a random network agree only in the wave itself, so a cross-fade may dip: a fall
    at the borders is not a seam.
    """
    grid = windows.grid(network)
    wave = interpolate.spline(noise(1024), 4)
    found, factor = pass_through(network, wave), network.factor
    # The middle of each fade, and the middle between two fades.
    borders = factor * (np.arange(2 * grid.hop, len(wave) - grid.hop, grid.hop) - grid.fade // 2)
    between = borders + factor * grid.hop // 2
    sharp = np.diff(found, 2) ** 2

    def level_db(centres):
        return 10 * np.log10(np.mean([sharp[at - 16 : at + 16] for at in centres], axis=1))

    return np.mean(level_db(borders) - level_db(between))


def test_there_are_no_seams_where_patches_meet(noise, build, one_window_at_a_time, monkeypatch):
    # Of the small networks that see their whole patch, the one whose patches disagree the most.
    network = build("gionet")
    assert seam_db(network, noise) < 1.0
    # The measure finds hard cuts.
    monkeypatch.setattr(windows, "grid", lambda network, _=None: windows.Grid(network.patch, 0, 0))
    assert seam_db(network, noise) > 2.0


@pytest.mark.parametrize("name", WITH_CONTEXT)
def test_there_are_no_seams_where_windows_with_a_context_meet(name, noise, build):
    network = build(name)
    context, window = network.context, 3 * network.context
    # Three windows, and a part of a fourth.
    wave = noise(3 * context + 5 * network.multiple)
    found = pass_through(network, wave, window)
    padded = np.pad(wave, context)[np.newaxis, :, np.newaxis]
    whole = np.asarray(network(padded))[0, :, 0]
    inner = slice(network.factor * context, network.factor * (context + len(wave)))
    np.testing.assert_allclose(found, whole[inner], rtol=0, atol=1e-4 * np.abs(whole).max())


def test_the_benchmark_of_seams_refuses_recordings_in_which_no_two_windows_meet(
    run, noise, tmp_path, call, error_line, monkeypatch
):
    path = Path(__file__).parents[2] / "benchmarks" / "seams.py"
    spec = importlib.util.spec_from_file_location("benchmark_seams", path)
    assert spec and spec.loader
    seams = importlib.util.module_from_spec(spec)
    # The command reads its help from its module.
    monkeypatch.setitem(sys.modules, spec.name, seams)
    spec.loader.exec_module(seams)
    soundfile.write(tmp_path / "short.wav", noise(16000), 16000)
    output = tmp_path / "seams.md"
    arguments = (tmp_path / "short.wav", f"--model={run}", f"--output={output}")
    code, _, err = call(seams.command, *arguments)
    assert code == 1
    assert "the recordings are too short: no two windows meet; use longer" in error_line(err)
    assert not output.exists()
