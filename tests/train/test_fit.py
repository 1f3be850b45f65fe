"""Training through the real command, on a small corpus: run folder, resuming, refusals."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from wideband.data_gen import shards
from wideband.data_gen.command import UserError
from wideband.train import recipes
from wideband.train.fit import fit

SMALL = [
    "--recipe=demo",
    "--set=arguments.width=0.03",
    "--set=patch=2048",
    "--set=stride=1024",
    "--set=batch=4",
    "--set=epochs=4",
    "--set=steps_per_epoch=5",
]


def command(data, run, *flags):
    return [sys.executable, "-m", "wideband.train", f"--data={data}", f"--run={run}", *flags]


def train(data, run, *flags):
    return subprocess.run(command(data, run, *flags), capture_output=True, text=True)


def history(run):
    """The history without its timings, which differ from run to run."""
    with (run / "history.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """A run that was never stopped."""
    run = tmp_path_factory.mktemp("runs") / "finished"
    done = train(data, run, *SMALL)
    assert done.returncode == 0, done.stderr
    return run, done


def test_a_run_folder_holds_all_that_a_run_was_and_gave(finished, data):
    run, _ = finished
    record = json.loads((run / "run.json").read_text())
    assert record["recipe"]["arguments"] == {"width": 0.03}
    assert record["recipe"]["source"].startswith("ours")
    assert "--set=batch=4" in record["flags"]
    assert record["data"] == str(data)
    assert set(record["versions"]) >= {"wideband", "keras", "tensorflow", "python"}
    assert record["timings"]["epochs"] == 4
    assert set(record["baselines"]["spline"]) == {"val_loss", "val_snr", "val_lsd"}
    assert record["timings"]["seconds"] > 0
    assert len(history(run)) == 4
    assert all(np.isfinite([float(value) for value in row.values()]).all() for row in history(run))
    assert (run / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert list((run / "events").glob("events.out.tfevents.*"))
    assert [path.name for path in run.glob("last-*")] == ["last-0004.weights.h5"]
    assert not list(run.glob(".*"))


def test_it_learns(finished):
    rows = history(finished[0])
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    assert [float(row["step"]) for row in rows] == [5, 10, 15, 20]


def test_the_command_says_what_came_out_and_what_comes_next(finished):
    run, done = finished
    assert "audiounet  SNR" in done.stdout
    assert "spline     SNR" in done.stdout
    assert f"wideband-evaluate --run={run}" in done.stdout


def test_the_best_weights_are_those_of_the_lowest_validation_loss(finished, data):
    from wideband.train.losses import patch_rmse, with_spectral_term
    from wideband.upsample import Upsampler

    run, _ = finished
    upsampler = Upsampler.from_run(run)
    losses = []
    for example in shards.read(shards.files(data, "valid")):
        estimate = upsampler.upsample(example.low, 4000)[0]
        cut = [wave.reshape(-1, 2048, 1) for wave in (example.high, estimate)]
        losses.append(np.mean(with_spectral_term(patch_rmse, 0.01)(*cut)))
    best = min(float(row["val_loss"]) for row in history(run))
    assert np.mean(losses) == pytest.approx(best, rel=1e-4)


def test_a_run_killed_twice_ends_with_the_history_of_one_that_never_was(finished, data, tmp_path):
    run = tmp_path / "killed"
    for epochs in (1, 2):
        process = subprocess.Popen(
            command(data, run, *SMALL), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while process.poll() is None:
            if (run / "history.csv").is_file() and len(history(run)) >= epochs:
                break
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert len(history(run)) < 4
    assert train(data, run, *SMALL).returncode == 0
    assert history(run) == history(finished[0])
    assert not list(run.glob(".*"))
    assert [path.name for path in run.glob("last-*")] == ["last-0004.weights.h5"]


def test_a_finished_run_is_not_trained_again(finished, data):
    run, _ = finished
    before = (run / "best.weights.h5").stat().st_mtime_ns
    again = train(data, run, *SMALL)
    assert again.returncode == 0
    assert (run / "best.weights.h5").stat().st_mtime_ns == before


def test_training_stops_once_neither_loss_nor_snr_improves(data, tmp_path):
    # A rate of next to nothing leaves both as they were, and so the first epoch is the best.
    flags = ["--set=learning_rate=1e-30", "--set=patience=2", "--set=schedule=constant"]
    assert train(data, tmp_path / "run", *SMALL, "--set=epochs=50", *flags).returncode == 0
    assert len(history(tmp_path / "run")) == 3


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_weights(data, tmp_path):
    run = tmp_path / "run"
    flags = ["--set=learning_rate=1e30", "--set=schedule=constant", "--set=epochs=9"]
    done = train(data, run, *SMALL, *flags)
    assert done.returncode == 1
    assert "the loss became" in done.stderr.splitlines()[-1]
    assert "--set=learning_rate=" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def refuse(data, run, *settings):
    """The one line with which a run is refused, in this process: a command's start takes 4 s."""
    small = [flag.removeprefix("--set=") for flag in SMALL[1:]]
    overrides = recipes.parse_overrides([*small, *settings])
    with pytest.raises(UserError) as refused:
        fit(recipes.get("demo", **overrides), data, run, [])
    return str(refused.value)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("ratio=2", "was prepared with ratio=4, and the recipe wants 2"),
        ("patch=100", "patch 100 is no multiple of the 32 samples"),
        ("patch=1024", "too short for the spectral term"),
        ("patch=16384", "no recording has a patch of 16384 samples"),
        ("arguments.wdith=1", "wdith"),
        ("arguments.width=0", "width 0 leaves a layer without filters"),
        ("loss=mae", "loss 'mae' is none of patch_rmse"),
    ],
)
def test_what_cannot_be_trained_is_refused_and_stands_in_nobodys_way(
    data, tmp_path, setting, message
):
    assert message in refuse(data, tmp_path / "run", setting)
    # Another recipe is free to take the folder.
    assert "loss 'x'" in refuse(data, tmp_path / "run", "loss=x")


def test_a_refusal_is_one_line_of_the_command(data, tmp_path):
    done = train(data, tmp_path / "run", *SMALL, "--set=loss=mae")
    assert done.returncode == 1
    assert done.stderr.strip() == "error: loss 'mae' is none of patch_rmse"


def test_a_run_is_not_continued_by_another_recipe(finished, data):
    message = refuse(data, finished[0], "batch=8")
    assert "holds a run whose recipe has batch=4, not 8" in message
    assert len(history(finished[0])) == 4


def test_a_run_is_not_continued_on_another_dataset(finished, data, tmp_path):
    other = shutil.copytree(data, tmp_path / "other")
    facts = json.loads((other / "dataset.json").read_text())
    (other / "dataset.json").write_text(json.dumps(facts | {"recordings_sha256": "other"}))
    assert "whose dataset has recordings_sha256=None, not other" in refuse(other, finished[0])


def test_a_damaged_record_is_named(finished, data, tmp_path):
    run = shutil.copytree(finished[0], tmp_path / "run")
    (run / "run.json").write_text("{")
    assert "run.json: damaged" in refuse(data, run)


def test_an_unknown_flag_is_refused(data, tmp_path):
    done = train(data, tmp_path / "run", *SMALL, "--recpie=demo")
    assert done.returncode != 0
    assert "recpie" in done.stderr
    assert not (tmp_path / "run").exists()


def test_precision_and_xla_are_flags(data, tmp_path):
    run = tmp_path / "run"
    done = train(data, run, *SMALL, "--precision=mixed_bfloat16", "--xla", "--set=epochs=1")
    assert done.returncode == 0, done.stderr
    recipe = json.loads((run / "run.json").read_text())["recipe"]
    assert (recipe["precision"], recipe["xla"]) == ("mixed_bfloat16", True)
    assert np.isfinite(float(history(run)[0]["val_loss"]))
