"""wideband-evaluate: runs of networks for any band, on datasets of every ratio."""

import json
import re
from fractions import Fraction

import numpy as np
import pytest
from wideband.data_gen import degrade, shards
from wideband.data_gen.dataset import Dataset
from wideband.evaluate import metrics
from wideband.evaluate.__main__ import command
from wideband.upsample import load

# Whole evaluations.
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("plain_spectrograms")]


@pytest.fixture
def prepare(make_dataset, noise, tmp_path):
    """Returns a function that makes a dataset of one recording with a ratio and a protocol."""

    def prepare(ratio, protocol="decimate_spline", sample_rate=16000):
        high = degrade.crop(noise(7056), ratio)
        low = degrade.get(protocol).down(high, ratio)
        examples = [shards.Example("a.wav", "someone", "", 0.0, high, low)]
        settings = {"ratio": str(ratio), "protocol": protocol, "sample_rate": sample_rate}
        settings["narrow"] = True
        return make_dataset(tmp_path / f"data-{protocol}", {"test": examples}, **settings)

    return prepare


@pytest.mark.parametrize(
    ("ratio", "protocol", "low_band"),
    [
        (2, "decimate_spline", "network"),
        (4, "hann_sinc", "recording"),
        (Fraction(441, 320), "sinc", "network"),
    ],
)
def test_a_run_is_measured_with_the_ratio_and_the_protocol_of_the_dataset(
    any_band_run, prepare, tmp_path, call, rows, ratio, protocol, low_band
):
    data = prepare(ratio, protocol)
    flags = [f"--data={data}", f"--output={tmp_path / 'out'}", f"--low_band={low_band}"]
    code, _, err = call(command, f"--run={any_band_run}", *flags)
    assert code == 0, err
    table = {row["system"]: row for row in rows(tmp_path / "out" / "evaluation.csv")}
    assert {*table} == {"overtonenet", "spline", "sinc"}
    (example,) = Dataset(data).examples("test")
    low_rate = float(16000 / ratio)
    estimate, _ = load(any_band_run).upsample(example.low, low_rate, low_band == "recording")
    expected = metrics.lsd_hf(example.high, estimate, low_rate / 2, 16000)
    assert float(table["overtonenet"]["lsd_hf"]) == pytest.approx(expected, rel=1e-3)
    facts = json.loads((tmp_path / "out" / "evaluation.json").read_text())["facts"]
    assert (str(facts["ratio"]), facts["protocol"]) == (str(ratio), protocol)
    assert facts["commands"][0].endswith(f"--protocol={protocol} --patch=256 --narrow=True")
    page = (tmp_path / "out" / "report.html").read_text()
    assert "the network restores all that end between 1000 and 7500 Hz" in page


def test_the_run_is_a_baseline_of_others(run, any_band_run, data, tmp_path, call, rows):
    flags = [f"--data={data}", f"--output={tmp_path / 'out'}", f"--baselines=any={any_band_run}"]
    code, _, err = call(command, f"--run={run}", *flags)
    assert code == 0, err
    table = rows(tmp_path / "out" / "evaluation.csv")
    assert {row["system"] for row in table} == {"any", "audiounet"}
    assert np.isfinite([float(row["lsd"]) for row in table]).all()


def test_a_baseline_of_a_higher_rate_is_resampled(run, data, tmp_path, call, rows):
    flags = [f"--data={data}", f"--output={tmp_path / 'out'}", "--baselines=fullband,spline"]
    code, _, err = call(command, f"--run={run}", *flags, "--low_band=recording")
    assert code == 0, err
    table = rows(tmp_path / "out" / "evaluation.csv")
    snr = {
        system: np.mean([float(row["snr"]) for row in table if row["system"] == system])
        for system in ("fullband", "spline")
    }
    # A low band that is shifted by a sample at 48 kHz would lose 10 dB.
    assert snr["fullband"] > snr["spline"] - 3


def test_data_that_do_not_fit_are_refused(any_band_run, prepare, tmp_path, call, error_line):
    for arguments, message in (
        ({"ratio": 2, "sample_rate": 48000}, "has sample_rate 16000, and .* has 48000; choose ano"),
        (
            {"ratio": Fraction(32, 31)},
            "restores recordings whose band ends between 1000 and 7500 Hz, and those",
        ),
    ):
        data = prepare(**{**arguments, "protocol": "sinc"})
        flags = [f"--run={any_band_run}", f"--data={data}", f"--output={tmp_path / 'out'}"]
        code, _, err = call(command, *flags)
        assert code == 1
        assert re.search(message, error_line(err)), err
        assert not (tmp_path / "out").exists()


def test_a_baseline_that_does_not_fit_the_dataset_is_refused(
    any_band_run, prepare, tmp_path, call, error_line
):
    flags = [f"--data={prepare(2)}", f"--output={tmp_path / 'out'}", "--baselines=speech-4x"]
    code, _, err = call(command, f"--run={any_band_run}", *flags)
    assert code == 1
    assert "speech-4x has ratio 4, and" in error_line(err)
    assert "has 2; choose other --baselines" in err
