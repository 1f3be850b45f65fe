"""Patches compared with plain NumPy: how they are cut, shuffled, filtered and amplified."""

import numpy as np
import pytest
from wideband.audio import interpolate
from wideband.command import UserError
from wideband.data_gen import degrade, layout, pipeline, shards
from wideband.data_gen.augment import Augmentation
from wideband.data_gen.dataset import Dataset

LENGTHS = (1000, 1512, 600, 100)


@pytest.fixture(scope="module")
def dataset_of(make_dataset, tmp_path_factory):
    """Returns a function that makes a dataset of examples, (high, low) pairs, in short shards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "SHARD_SAMPLES", 3000)

        def dataset_of(pairs):
            examples = [
                shards.Example(f"{k}", "", "", 0.0, high, low)
                for k, (high, low) in enumerate(pairs)
            ]
            folder = make_dataset(tmp_path_factory.mktemp("dataset"), {"valid": examples})
            rows = [layout.Row("valid", each.name, "", "", len(each.high)) for each in examples]
            for name, pieces in layout.distribute(rows, 16000, 256, 0).items():
                shards.write(folder / name, [examples[int(each.row.name)] for each in pieces])
            return Dataset(folder)

        yield dataset_of


@pytest.fixture(scope="module")
def ramps(dataset_of):
    """A dataset of ramps whose low sides have half the amplitude, and its waves.

    All samples differ, and a spline restores a straight line exactly.
    """
    start, waves = 0, []
    for n in LENGTHS:
        waves.append((np.arange(start, start + n) / 32768).astype(np.float32))
        start += n
    return dataset_of([(wave, wave[::4] / 2) for wave in waves]), waves


def collect(dataset, patch, stride=None, *, augmentation=None, **options):
    """Joins all batches of the valid split: low and high, (patches, patch)."""
    if augmentation is not None:
        options["augmentation"] = Augmentation(**augmentation)
    batches = pipeline.patches(dataset, "valid", patch, stride, **options)
    joined = zip(*batches.as_numpy_iterator(), strict=True)
    return [np.concatenate(side)[:, :, 0] for side in joined]


def cut(wave, patch, stride):
    return [wave[k : k + patch] for k in range(0, len(wave) - patch + 1, stride)]


# cutting


@pytest.mark.parametrize("count", [2, 3])
def test_processes_share_all_patches(ramps, count):
    """By shards, or by recordings if there are fewer shards; their seeds differ."""
    dataset, _ = ramps
    assert len(dataset.shards("valid")) == 2
    whole = collect(dataset, 256, batch=1, seed=None)[1]
    shares = [
        collect(dataset, 256, batch=1, seed=number, share=(number, count))[1]
        for number in range(count)
    ]
    assert all(len(each) for each in shares)
    np.testing.assert_array_equal(sorted(np.concatenate(shares).tolist()), sorted(whole.tolist()))
    # The batches of all processes must have the same size.
    sizes = [
        len(high) for _, high in pipeline.patches(dataset, "valid", 256, batch=2, share=(0, 2))
    ]
    assert sizes and set(sizes) == {2}


def test_a_vocoder_gets_the_high_side_itself(ramps):
    low, high = collect(ramps[0], 256, seed=1, batch=3, wants="high", augmentation={"gain_db": 6.0})
    np.testing.assert_array_equal(low, high)
    with pytest.raises(UserError, match=r"^random_band needs a network with interpolated input$"):
        collect(ramps[0], 256, wants="high", augmentation={"random_band": True})


@pytest.mark.parametrize(("patch", "stride"), [(256, None), (256, 64), (512, 100), (600, 600)])
def test_patches_are_cut_from_every_wave_at_every_stride(ramps, patch, stride):
    dataset, waves = ramps
    low, high = collect(dataset, patch, stride, batch=3, seed=None)
    expected = np.array([p for wave in waves for p in cut(wave, patch, stride or patch)])
    np.testing.assert_array_equal(high, expected)
    np.testing.assert_allclose(low, expected / 2, atol=1e-6)


@pytest.mark.parametrize(("patch", "stride"), [(256, None), (512, 100)])
def test_the_low_side_can_have_its_own_rate(ramps, patch, stride):
    dataset, waves = ramps
    low, high = collect(dataset, patch, stride, batch=3, seed=None, wants="low")
    expected = np.array([p for wave in waves for p in cut(wave, patch, stride or patch)])
    np.testing.assert_array_equal(high, expected)
    np.testing.assert_array_equal(low, expected[:, ::4] / 2)


def test_the_low_side_at_its_own_rate_is_shuffled_filtered_and_amplified_with_the_high(ramps):
    augmentation = {"gain_db": 6.0, "silence_rms": 0.03}
    low, high = collect(ramps[0], 64, seed=1, augmentation=augmentation, wants="low")
    assert low.shape == (len(high), 16)
    np.testing.assert_allclose(low, high[:, ::4] / 2, rtol=1e-5)


@pytest.mark.parametrize(("patch", "stride"), [(250, 256), (256, 250)])
def test_a_patch_or_stride_that_the_ratio_does_not_divide_is_refused(ramps, patch, stride):
    with pytest.raises(UserError, match="250 is not a multiple of the ratio 4"):
        pipeline.patches(ramps[0], "valid", patch, stride, wants="low")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"patch": 0}, "patch 0 must be at least 1"),
        ({"stride": 0}, "stride 0 must be at least 1"),
        ({"batch": -1}, "batch -1 must be at least 1"),
        ({"batch": 10**9}, "batch 1000000000 with patch 256 is too large"),
        ({"patch": 10**9}, "patch 1000000000 is too large"),
        ({"patch": 1513}, "patch 1513 is longer than every wave of the valid split.* 1512 samples"),
    ],
)
def test_sizes_that_make_no_batch_are_refused(ramps, arguments, message):
    with pytest.raises(UserError, match=message):
        pipeline.patches(ramps[0], "valid", **arguments)


def test_patches_have_256_samples_by_default(ramps):
    low, high = next(iter(pipeline.patches(ramps[0], "valid", batch=5)))
    assert low.shape == high.shape == (5, 256, 1)
    assert low.dtype == high.dtype == "float32"


def test_the_low_side_is_interpolated_over_the_whole_wave(noise, dataset_of):
    wave = noise(2048)
    low = degrade.decimate(wave, 4)
    found, _ = collect(dataset_of([(wave, low)]), 512, seed=None)
    np.testing.assert_array_equal(found.reshape(-1), interpolate.spline(low, 4))


# shuffling


def test_shuffling_keeps_every_pair_and_changes_their_order(ramps):
    ordered = collect(ramps[0], 64, 64, seed=None)
    shuffled = collect(ramps[0], 64, 64, seed=1)
    assert np.any(shuffled[1] != ordered[1])
    back = np.argsort(shuffled[1][:, 0])
    for side in (0, 1):
        np.testing.assert_allclose(shuffled[side][back], ordered[side], atol=1e-6)


def test_a_seed_determines_the_batches(ramps):
    first, again, other = (
        collect(ramps[0], 64, augmentation={"gain_db": 6.0}, seed=seed) for seed in (1, 1, 2)
    )
    for side in (0, 1):
        np.testing.assert_array_equal(first[side], again[side])
        assert np.any(first[side] != other[side])


def test_a_second_pass_is_shuffled_anew(ramps):
    batches = pipeline.patches(ramps[0], "valid", 64, seed=1)
    first, second = (np.concatenate([high for _, high in batches]) for _ in range(2))
    assert np.any(first != second)
    np.testing.assert_array_equal(np.sort(first, axis=None), np.sort(second, axis=None))


# augmentation


def test_both_sides_get_the_same_gain_within_its_bound(ramps):
    plain_low, plain_high = collect(ramps[0], 64, seed=1)
    low, high = collect(ramps[0], 64, seed=1, augmentation={"gain_db": 6.0})
    used = np.abs(plain_high).max(axis=1) > 0.01
    gains = (high[used] / plain_high[used])[:, -1:]
    np.testing.assert_allclose(high[used], gains * plain_high[used], rtol=1e-4)
    np.testing.assert_allclose(low[used], gains * plain_low[used], rtol=1e-4, atol=1e-6)
    decibels = 20 * np.log10(gains)
    assert decibels.min() >= -6 and decibels.max() <= 6
    assert decibels.std() > 2


def test_the_peak_of_each_side_is_scaled_on_its_own_before_the_gain(ramps):
    plain_low, plain_high = collect(ramps[0], 64, seed=1)
    low, high = collect(ramps[0], 64, seed=1, augmentation={"peak_db": -6.0})
    for plain, scaled in ((plain_low, low), (plain_high, high)):
        peaks = np.abs(plain).max(axis=1, keepdims=True)
        assert (peaks > 0).all()
        np.testing.assert_allclose(scaled, 10**-0.3 / peaks * plain, rtol=1e-5)
    augmentation = {"peak_db": -3.5, "gain_db": 2.5}
    _, high = collect(ramps[0], 64, seed=1, augmentation=augmentation)
    decibels = 20 * np.log10(np.abs(high).max(axis=1))
    assert -6.001 <= decibels.min() < -5 and -2 < decibels.max() <= -0.999


def test_silence_stays_silence():
    patches = np.float32([[0, 0, 0], [1e-7, 0, -1e-7], [0.01, 0, -0.02]])
    expected = [[0, 0, 0], [1e-7, 0, -1e-7], [0.5, 0, -1]]
    np.testing.assert_allclose(pipeline.scale_peaks(patches, 0.0), expected, rtol=1e-6)


@pytest.fixture(scope="module")
def noises(noise, dataset_of):
    """A dataset of 40 waves of noise, 512 samples each."""
    waves = [noise(512, seed) for seed in range(40)]
    return dataset_of([(wave, degrade.decimate(wave, 4)) for wave in waves])


@pytest.mark.parametrize(("fraction", "least", "most"), [(0.0, 0, 0), (0.5, 8, 32), (1.0, 40, 40)])
def test_a_fraction_of_the_low_sides_gets_a_random_filter(noises, fraction, least, most):
    options = {"seed": 1, "wants": "low", "augmentation": {"random_lowpass": fraction}}
    low, high = collect(noises, 512, **options)
    by_protocol = [degrade.decimate(wave, 4) for wave in high]
    # Shards store the high side in 16 bits.
    changed = [np.abs(a - b).max() > 1e-3 for a, b in zip(low, by_protocol, strict=True)]
    assert least <= sum(changed) <= most
    again, _ = collect(noises, 512, **options)
    np.testing.assert_array_equal(again, low)


def test_recordings_are_sped_up_with_both_sides_aligned(tone, dataset_of):
    wave = tone(8192, 1000)
    dataset = dataset_of([(wave, degrade.decimate(wave, 4))] * 30)
    augmentation = {"speed_perturbation": 0.15}
    low, high = collect(dataset, 4096, seed=1, wants="low", augmentation=augmentation)
    # A wave of 8192 samples has two patches, and one patch once it is faster.
    assert 30 < len(high) < 60
    spectra = np.abs(np.fft.rfft(high * np.hanning(4096), 2**16))
    tones_hz = spectra.argmax(axis=1) * 16000 / 2**16
    assert {*(10 * np.round(tones_hz / 10))} == {1000, 1050, 1100, 1150}
    # Compared below the cutoff and away from the edges of the wave.
    np.testing.assert_allclose(low[:, 100:-100], high[:, ::4][:, 100:-100], atol=0.01)


# silence


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


def test_silence_is_dropped_before_the_waves_are_cut(ramps):
    dataset, waves = ramps
    _, high = collect(dataset, 512, seed=None, augmentation={"silence_rms": 0.03})
    kept = []
    for wave in waves:
        frames = wave[: len(wave) // 256 * 256].reshape(-1, 256)
        loud = frames[np.sqrt((frames.astype(np.float64) ** 2).mean(axis=1)) >= 0.03]
        kept += cut(loud.reshape(-1), 512, 512)
    assert len(kept) > 0
    np.testing.assert_array_equal(high, kept)
