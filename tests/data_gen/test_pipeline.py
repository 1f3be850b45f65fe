"""Patches against plain NumPy: where they are cut, shuffled, filtered and amplified."""

import json

import numpy as np
import pytest
from wideband.audio import interpolate
from wideband.command import UserError
from wideband.data_gen import dataset as shards
from wideband.data_gen import degrade, pipeline

LENGTHS = (1000, 1512, 600, 100)


def finish(folder):
    """Makes a folder of shards a dataset, at ratio 4."""
    facts = {"sample_rate": 16000, "ratio": 4, "protocol": "decimate_spline"}
    (folder / "dataset.json").write_text(json.dumps(facts))
    (folder / "manifest.csv").touch()


@pytest.fixture(scope="module")
def ramps(tmp_path_factory):
    """Shards of waves in which every sample has a value of its own, and half of it on the low side.

    By zero-order hold the low side would repeat; a spline carries a straight line exactly.
    """
    folder = tmp_path_factory.mktemp("ramps")
    start, waves = 0, []
    for n in LENGTHS:
        waves.append((np.arange(start, start + n) / 32768).astype(np.float32))
        start += n
    examples = [
        shards.Example(f"{k}", "", "", 0.0, wave, wave[::4] / 2) for k, wave in enumerate(waves)
    ]
    shards.write(folder / "train-00000.tfrecord", examples[:2])
    shards.write(folder / "train-00001.tfrecord", examples[2:])
    finish(folder)
    return shards.files(folder, "train"), waves


def collect(*arguments, **options):
    """All batches of a dataset, joined: low and high, (patches, patch)."""
    batches = list(pipeline.patches(*arguments, **options).as_numpy_iterator())
    return [np.concatenate(side)[:, :, 0] for side in zip(*batches, strict=True)]


def cut(wave, patch, stride):
    return [wave[k : k + patch] for k in range(0, len(wave) - patch + 1, stride)]


@pytest.mark.parametrize(("patch", "stride"), [(256, None), (256, 64), (512, 100), (600, 600)])
def test_patches_are_cut_from_every_wave_at_every_stride(ramps, patch, stride):
    paths, waves = ramps
    low, high = collect(paths, patch, stride, batch=3, seed=None)
    expected = np.array([p for wave in waves for p in cut(wave, patch, stride or patch)])
    np.testing.assert_array_equal(high, expected)
    np.testing.assert_allclose(low, expected / 2, atol=1e-6)


@pytest.mark.parametrize(("patch", "stride"), [(256, None), (512, 100)])
def test_the_low_side_comes_at_its_own_rate_where_that_is_wanted(ramps, patch, stride):
    paths, waves = ramps
    low, high = collect(paths, patch, stride, batch=3, seed=None, wants="low")
    expected = np.array([p for wave in waves for p in cut(wave, patch, stride or patch)])
    np.testing.assert_array_equal(high, expected)
    np.testing.assert_array_equal(low, expected[:, ::4] / 2)


def test_the_low_side_at_its_own_rate_is_shuffled_filtered_and_amplified_in_step(ramps):
    low, high = collect(ramps[0], 64, seed=1, gain_db=6.0, silence_rms=0.03, wants="low")
    assert low.shape == (len(high), 16)
    np.testing.assert_allclose(low, high[:, ::4] / 2, rtol=1e-5)


@pytest.mark.parametrize(("patch", "stride"), [(250, 256), (256, 250)])
def test_a_low_side_that_cannot_be_cut_in_step_is_refused(ramps, patch, stride):
    with pytest.raises(UserError, match="250 is no multiple of the ratio 4"):
        pipeline.patches(ramps[0], patch, stride, wants="low")


def test_patches_have_256_samples_by_default(ramps):
    low, high = next(iter(pipeline.patches(ramps[0], batch=5)))
    assert low.shape == high.shape == (5, 256, 1)
    assert low.dtype == high.dtype == "float32"


def test_the_low_side_is_interpolated_over_the_whole_wave(tmp_path):
    wave = np.random.default_rng(0).normal(0, 0.1, 2048).astype(np.float32)
    low = degrade.decimate(wave, 4)
    shards.write(tmp_path / "train-00000.tfrecord", [shards.Example("", "", "", 0, wave, low)])
    finish(tmp_path)
    cut_low, _ = collect(shards.files(tmp_path, "train"), 512, seed=None)
    np.testing.assert_array_equal(cut_low.reshape(-1), interpolate.spline(low, 4))


def test_shuffling_keeps_every_pair_and_changes_their_order(ramps):
    ordered = collect(ramps[0], 64, 64, seed=None)
    shuffled = collect(ramps[0], 64, 64, seed=1)
    assert np.any(shuffled[1] != ordered[1])
    back = np.argsort(shuffled[1][:, 0])
    for side in (0, 1):
        np.testing.assert_allclose(shuffled[side][back], ordered[side], atol=1e-6)


def test_the_same_seed_gives_the_same_batches_and_another_gives_others(ramps):
    first, again, other = (collect(ramps[0], 64, gain_db=6.0, seed=seed) for seed in (1, 1, 2))
    for side in (0, 1):
        np.testing.assert_array_equal(first[side], again[side])
        assert np.any(first[side] != other[side])


def test_a_second_pass_is_shuffled_anew(ramps):
    dataset = pipeline.patches(ramps[0], 64, seed=1)
    first, second = (np.concatenate([high for _, high in dataset]) for _ in range(2))
    assert np.any(first != second)
    np.testing.assert_array_equal(np.sort(first, axis=None), np.sort(second, axis=None))


def test_gains_are_one_for_both_sides_and_stay_within_their_bound(ramps):
    plain_low, plain_high = collect(ramps[0], 64, seed=1)
    low, high = collect(ramps[0], 64, seed=1, gain_db=6.0)
    used = np.abs(plain_high).max(axis=1) > 0.01
    gains = (high[used] / plain_high[used])[:, -1]
    np.testing.assert_allclose(high[used], gains[:, np.newaxis] * plain_high[used], rtol=1e-4)
    np.testing.assert_allclose(
        low[used], gains[:, np.newaxis] * plain_low[used], rtol=1e-4, atol=1e-6
    )
    decibels = 20 * np.log10(gains)
    assert decibels.min() >= -6 and decibels.max() <= 6
    assert decibels.std() > 2


@pytest.fixture(scope="module")
def noises(tmp_path_factory):
    """Shards of noise."""
    folder = tmp_path_factory.mktemp("noises")
    rng = np.random.default_rng(0)
    waves = [rng.normal(0, 0.1, 512).astype(np.float32) for _ in range(40)]
    examples = [shards.Example("", "", "", 0, wave, degrade.decimate(wave, 4)) for wave in waves]
    shards.write(folder / "train-00000.tfrecord", examples)
    finish(folder)
    return shards.files(folder, "train")


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 0), (0.5, 8, 32), (1.0, 40, 40)])
def test_a_share_of_the_low_sides_is_filtered_anew(noises, share, least, most):
    options = {"seed": 1, "wants": "low", "random_lowpass": share}
    low, high = collect(noises, 512, **options)
    by_protocol = [degrade.decimate(wave, 4) for wave in high]
    # Shards keep 16 bits of the high side.
    anew = [np.abs(a - b).max() > 1e-3 for a, b in zip(low, by_protocol, strict=True)]
    assert least <= sum(anew) <= most
    again, _ = collect(noises, 512, **options)
    np.testing.assert_array_equal(again, low)


def test_recordings_are_made_faster_with_both_sides_in_step(tmp_path):
    tone = (0.3 * np.sin(2 * np.pi * 1000 / 16000 * np.arange(8192))).astype(np.float32)
    examples = [shards.Example("", "", "", 0, tone, degrade.decimate(tone, 4))] * 30
    shards.write(tmp_path / "train-00000.tfrecord", examples)
    finish(tmp_path)
    options = {"seed": 1, "wants": "low", "speed_perturbation": 0.15}
    low, high = collect(shards.files(tmp_path, "train"), 4096, **options)
    # A wave of 8192 samples holds two patches, and one once it is faster.
    assert 30 < len(high) < 60
    spectra = np.abs(np.fft.rfft(high * np.hanning(4096), 2**16))
    tones_hz = spectra.argmax(axis=1) * 16000 / 2**16
    assert {*(10 * np.round(tones_hz / 10))} == {1000, 1050, 1100, 1150}
    # The tone lies below the cutoff, and the filter's end effects near the wave's ends.
    np.testing.assert_allclose(low[:, 100:-100], high[:, ::4][:, 100:-100], atol=0.01)


def test_quiet_frames_of_256_samples_are_dropped_from_both_sides():
    rng = np.random.default_rng(0)
    levels = np.array([0.04, 0.06, 0.0, 0.2, 0.049, 0.051])
    frames = rng.choice([-1.0, 1.0], (6, 256)) * levels[:, np.newaxis]
    high = np.append(frames.reshape(-1), np.full(100, 0.9)).astype(np.float32)
    low = np.arange(len(high), dtype=np.float32)
    kept_low, kept_high = pipeline.drop_silence(low, high, threshold_rms=0.05)
    keep = np.flatnonzero(levels >= 0.05)
    np.testing.assert_allclose(kept_high, frames[keep].reshape(-1), rtol=1e-6)
    np.testing.assert_array_equal(kept_low, low[: 6 * 256].reshape(6, 256)[keep].reshape(-1))


def test_the_silence_filter_comes_before_the_cutting(ramps):
    paths, waves = ramps
    _, high = collect(paths, 512, seed=None, silence_rms=0.03)
    kept = []
    for wave in waves:
        frames = wave[: len(wave) // 256 * 256].reshape(-1, 256)
        loud = frames[np.sqrt((frames.astype(np.float64) ** 2).mean(axis=1)) >= 0.03]
        kept += cut(loud.reshape(-1), 512, 512)
    assert len(kept) > 0
    np.testing.assert_array_equal(high, kept)
