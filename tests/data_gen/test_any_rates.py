"""A dataset from 8000 to 22050 Hz, whose ratio is the quotient 441/160, from start to end."""

import json
from contextlib import nullcontext
from fractions import Fraction

import numpy as np
import pytest
import soundfile
import soxr
from wideband.command import UserError
from wideband.data_gen import pipeline, prepare
from wideband.data_gen.__main__ import command
from wideband.data_gen.augment import Augmentation
from wideband.data_gen.dataset import Dataset

RATE = 22050


@pytest.fixture(scope="module", params=["sinc", "fft"])
def protocol(request):
    return request.param


@pytest.fixture(scope="module")
def dataset(noise, tmp_path_factory, protocol):
    """A dataset made by the command; the recording of anna has two pieces."""
    source, output = (tmp_path_factory.mktemp(name) for name in ("source", "dataset"))
    for seed, (speaker, n) in enumerate(
        (("anna", 61 * RATE + 1000), ("beth", 4 * RATE + 5), ("carl", 4 * RATE + 6))
    ):
        (source / speaker).mkdir(parents=True)
        soundfile.write(source / speaker / "a.wav", noise(n, seed), RATE)
    # Longer than the patch of 256 samples, but empty once it is cropped to a multiple of 441.
    soundfile.write(source / "anna" / "short.wav", noise(300), RATE)
    flags = (f"--sample_rate={RATE}", "--low_rate=8000", f"--protocol={protocol}", "--seed=2")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare, "map_in_order", lambda workers, ahead: nullcontext(map))
        names = ("--corpus=folder", f"--source={source}", f"--output={output}")
        assert command([*names, *flags]) == 0
    return Dataset(output)


def test_the_dataset_stores_the_quotient_and_exact_lengths(dataset):
    assert json.loads((dataset.folder / "dataset.json").read_text())["ratio"] == "441/160"
    assert dataset.ratio == Fraction(441, 160)
    assert dataset.low_rate == 8000
    assert dataset.left_out == {"anna/short.wav": "short: 300 samples, a patch has 441"}
    for split in ("train", "valid", "test"):
        examples = list(dataset.examples(split))
        for each in examples:
            assert len(each.high) % 441 == 0
            assert len(each.low) * dataset.ratio == len(each.high)
        assert sorted(dataset.lengths(split)) == sorted(len(each.high) for each in examples)


def test_the_low_side_has_the_low_rate(dataset, protocol):
    example = next(iter(dataset.examples("valid")))
    expected = soxr.resample(example.high, RATE, 8000, quality="VHQ")[: len(example.low)]
    # The two protocols differ at the edges of the wave and of the band.
    agreement = np.dot(example.low, expected) / np.dot(expected, expected)
    assert agreement == pytest.approx(1, abs=1e-6 if protocol == "sinc" else 0.02)


@pytest.mark.parametrize("augmentation", [Augmentation(), Augmentation(speed_perturbation=0.1)])
def test_patches_of_both_sides_are_aligned(dataset, augmentation):
    batches = list(pipeline.patches(dataset, "valid", 4410, batch=4, augmentation=augmentation))
    assert sum(len(high) for _, high in batches) > 10
    for low, high in batches:
        assert low.shape == high.shape
        spectra = [np.fft.rfft(side[:, :, 0] * np.hanning(4410)) for side in (low, high)]
        # Bins are 5 Hz apart. The sides agree up to 3.5 kHz; nothing is left above 4.2 kHz.
        np.testing.assert_allclose(spectra[0][:, 20:700], spectra[1][:, 20:700], atol=0.3)
        assert np.abs(spectra[0][:, 840:]).max() < 0.01 * np.abs(spectra[1][:, 840:]).max()


def test_the_protocol_for_quotients_is_the_default_one_for_them(noise, tmp_path, monkeypatch):
    monkeypatch.setattr(prepare, "map_in_order", lambda workers, ahead: nullcontext(map))
    for name in ("anna", "beth", "carl"):
        (tmp_path / "source" / name).mkdir(parents=True)
        soundfile.write(tmp_path / "source" / name / "a.wav", noise(4410), RATE)
    names = ("--corpus=folder", f"--source={tmp_path / 'source'}", f"--output={tmp_path / 'out'}")
    rates = (f"--sample_rate={RATE}", "--ratio=22050/8000")
    assert command([*names, *rates]) == 0
    dataset = Dataset(tmp_path / "out")
    assert (dataset.ratio, dataset.protocol) == (Fraction(441, 160), "hann_sinc")


def test_the_low_rate_is_named_once(call):
    flags = ("--corpus=demo", "--output=out", "--low_rate=8000", "--ratio=2")
    code, _, err = call(command, *flags)
    assert code == 1
    assert "--low_rate=8000 and --ratio=2: both name the low rate; leave one of them out" in err


def test_patches_with_a_low_side_at_its_own_rate_are_refused(dataset):
    with pytest.raises(UserError, match=r"has the ratio 441/160; .* needs a whole ratio") as caught:
        pipeline.patches(dataset, wants="low")
    assert "\n" not in str(caught.value)


def test_random_filters_are_refused(dataset):
    with pytest.raises(UserError, match="ratio 441/160: random_lowpass needs a whole number"):
        pipeline.patches(dataset, augmentation=Augmentation(random_lowpass=0.5))
