"""Experiments: what they refuse before TensorFlow loads, and what they build."""

import itertools
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from wideband import models
from wideband.command import UserError
from wideband.data_gen import pipeline
from wideband.models import system
from wideband.train import experiment as experiment_module
from wideband.train.losses import weighted
from wideband.train.validation import Validation
from wideband.upsample import Upsampler, load

# Builds networks and datasets.
pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("ratio=2", "was prepared with ratio=4, and the recipe needs 2; prepare it with --ratio=2"),
        ("protocol=fft", "was prepared with protocol=decimate_spline, and the recipe needs fft"),
        ("patch=16384", "no recording has a patch of 16384 samples"),
        ("starts_from=demo", "starts from a run of demo; name its folder with --initial_weights"),
    ],
)
def test_a_recipe_that_does_not_fit_the_dataset_is_refused(experiment, setting, message):
    with pytest.raises(UserError) as error:
        experiment(setting)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("patch=300", "patch 300 is not a multiple of 64 samples, which keras_unet needs"),
        ("arguments.wdith=1", "^keras_unet: unknown argument 'wdith'"),
        ("arguments.width=0", "^keras_unet: width 0 must be above 0"),
        ("arguments.width=abc", "^keras_unet: width 'abc' must be a number"),
    ],
)
def test_settings_that_the_network_does_not_accept_are_refused(
    experiment, setting, message, tmp_path
):
    described = experiment(setting)
    described.open(tmp_path / "run")
    with pytest.raises(UserError, match=message):
        described.build()
    # The folder stays free for another recipe.
    assert not (tmp_path / "run").exists()


def test_critics_have_a_learning_rate_of_their_own(experiment):
    described = experiment(
        "model=dnn", "arguments.width=0.2", "arguments.patch=256", "critics.multi_period=1",
        "adversarial.critic_width=0.02", "adversarial.critic_rate=3", "optimizer.schedule=constant",
        "optimizer.learning_rate=0.01",
    )  # fmt: skip
    rates = {
        each.name: float(each.optimizer.learning_rate) for each in described.build().objectives
    }
    assert rates == {"critics": pytest.approx(0.03), "system": pytest.approx(0.01)}


@pytest.mark.parametrize("jax", [False, True])
def test_jax_compiles_the_training_and_the_network(experiment, finished, monkeypatch, jax):
    """Without XLA, JAX takes ten times as long."""
    monkeypatch.setattr(system, "NEEDS_XLA", jax)
    training = experiment().build()
    assert [each.jit_compile for each in training.objectives] == [jax]
    assert [each.jit_compile for each in training.networks.values()] == [jax]
    assert load(finished).network.jit_compile is jax


def test_patches_that_would_exhaust_the_memory_are_refused(experiment, monkeypatch):
    monkeypatch.setattr(experiment_module, "PATCH_SAMPLES", 2**20)
    with pytest.raises(UserError) as error:
        experiment("stride=1")
    assert str(error.value) == (
        "stride 1 cuts 8192 samples into more than 4096 patches of 256; set a stride of at least 2"
    )
    experiment("stride=2")


def test_a_dataset_without_a_valid_split_is_refused(experiment, data, tmp_path):
    other = shutil.copytree(data, tmp_path / "other")
    manifest = other / "manifest.csv"
    lines = manifest.read_text().splitlines(keepends=True)
    manifest.write_text("".join(line for line in lines if not line.startswith("valid")))
    with pytest.raises(UserError, match="no recordings in the valid split"):
        experiment(folder=other)


def test_a_run_of_another_recipe_is_refused(experiment, finished, history):
    before = history(finished)
    with pytest.raises(UserError, match=r"a run whose recipe has batch=4, not 8; choose another"):
        experiment("batch=8").open(finished)
    with pytest.raises(UserError, match=r"recipe has optimizer.beta_1=0.9, not 0.5"):
        experiment("optimizer.beta_1=0.5").open(finished)
    with pytest.raises(UserError, match=r"recipe has losses.patch_log_rmse=None, not 1.0"):
        experiment("losses.patch_log_rmse=1").open(finished)
    assert history(finished) == before


def test_a_run_on_another_dataset_is_refused(experiment, finished, data, tmp_path):
    other = shutil.copytree(data, tmp_path / "other")
    settings = json.loads((other / "dataset.json").read_text())
    (other / "dataset.json").write_text(json.dumps({**settings, "recordings_sha256": "other"}))
    with pytest.raises(UserError, match="whose dataset has recordings_sha256=None, not other"):
        experiment(folder=other).open(finished)


def count_batches(described, wants="low"):
    """Counts the batches of one pass over the train split."""
    recipe = described.recipe
    sizes = (recipe.patch, recipe.stride, recipe.batch)
    options = {"wants": wants, "augmentation": recipe.augmentation}
    return sum(1 for _ in pipeline.patches(described.dataset, "train", *sizes, 0, **options))


@pytest.mark.parametrize(("stride", "batch"), [(128, 64), (256, 64), (300, 3)])
def test_an_epoch_has_a_step_for_every_batch_of_patches(experiment, batch, stride):
    described = experiment(f"batch={batch}", f"stride={stride}", "steps_per_epoch=none")
    assert described.build().steps == count_batches(described)


def test_interpolated_inputs_have_as_many_patches(experiment):
    described = experiment("model=dnn", "stride=300", "steps_per_epoch=none")
    assert described.build().steps == count_batches(described, "interpolated")


def test_the_steps_of_augmented_recordings_are_counted_from_their_samples(experiment):
    described = experiment("steps_per_epoch=none", "augmentation.silence_rms=0.212")
    # 6 recordings of 32 patches are 48 batches of 4.
    assert described.build().steps == count_batches(described) < 48


def test_seed_and_epoch_determine_the_batches_which_continue_after_a_pass(experiment):
    def build(*settings):
        return experiment("model=dnn", "batch=100", *settings).build()

    def first(training, epoch):
        return next(iter(training.batches(epoch)))[1]

    training = build()
    np.testing.assert_array_equal(first(training, 1), first(build(), 1))
    assert (first(training, 1) != first(training, 2)).any()
    assert (first(training, 1) != first(build("seed=1"), 1)).any()
    # 6 recordings of 32 patches.
    batches = itertools.islice(training.batches(1), 3)
    assert [len(high) for _, high in batches] == [100, 92, 100]


@pytest.mark.parametrize(
    ("model", "arguments", "low_samples"),
    [
        ("tfnet", {"ratio": 4, "patch": 256}, 256),
        ("dnn", {"patch": 256}, 256),
        ("keras_unet", {"ratio": 4}, 64),
    ],
)
def test_a_network_is_built_for_the_ratio_and_the_patch_of_its_recipe(
    experiment, model, arguments, low_samples
):
    training = experiment(f"model={model}").build()
    assert training.recipe["arguments"] == {"width": 0.05, **arguments}
    low, high = training.objectives[0].inputs
    assert (low.shape, high.shape) == ((None, low_samples, 1), (None, 256, 1))
    assert list(training.networks) == ["network"]


@pytest.mark.parametrize("setting", ["arguments.ratio=4", "arguments.width=0.05"])
def test_arguments_that_follow_from_the_recipe_need_not_be_repeated(experiment, finished, setting):
    """A run records its network's ratio; the same command, which has none, continues the run."""
    run = experiment(setting).open(finished)
    assert run.record.recipe["arguments"] == {"width": 0.05, "ratio": 4}
    assert run.finished


def test_fine_tuning_starts_from_the_weights_of_another_run(
    finished, experiment, train, eager, tmp_path
):
    # This learning rate does not change the weights.
    settings = ["epochs=1", "steps_per_epoch=1", "optimizer.learning_rate=1e-30"]
    tuned = train(tmp_path / "run", *settings, initial_weights=finished)
    before, after = (load(run).network.trainable_weights for run in (finished, tuned.folder))
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(tuned.record.initial_weights["sha256"]) == 64
    # The weights are needed to continue.
    with pytest.raises(UserError, match="whose initial_weights has sha256="):
        experiment(*settings).open(tuned.folder)


def test_initial_weights_of_another_network_are_refused(experiment, finished):
    message = f"^--initial_weights={finished}: a keras_unet, and the recipe trains a tfilm; "
    with pytest.raises(UserError, match=message):
        experiment("model=tfilm", initial_weights=finished)


def test_initial_weights_of_another_shape_are_refused_with_the_arguments_that_differ(
    experiment, finished
):
    described = experiment("arguments.width=0.1", "arguments.levels=4", initial_weights=finished)
    with pytest.raises(UserError) as error:
        described.build()
    assert str(error.value) == (
        f"--initial_weights={finished}: its weights do not fit this keras_unet, since the "
        "arguments differ: levels 3, not 4; width 0.05, not 0.1; start from another run, or set "
        "the same arguments"
    )


def test_initial_weights_of_another_width_are_refused_by_their_name(experiment):
    described = experiment(
        "model=framenet", "arguments.width=0.5", "patch=512", initial_weights="speech-4x"
    )
    message = "^--initial_weights=speech-4x: its weights .*framenet.* differ: width 1.0, not 0.5; "
    with pytest.raises(UserError, match=message):
        described.build()


def test_initial_weights_that_are_missing_are_refused(experiment, tmp_path):
    with pytest.raises(UserError, match="no such run folder"):
        experiment(initial_weights=tmp_path / "none")
    with pytest.raises(UserError, match=r"phone-4x: .*no Keras weights"):
        experiment(initial_weights="phone-4x")


def test_initial_weights_that_are_damaged_are_refused(experiment, finished, tmp_path):
    other = shutil.copytree(finished, tmp_path / "other")
    file = other / "best.weights.h5"
    file.write_bytes(file.read_bytes()[:100_000])
    with pytest.raises(UserError, match=r"other/best\.weights\.h5: damaged, or not the weights"):
        experiment(initial_weights=other).build()
    with pytest.raises(UserError, match=r"other/history\.csv: damaged, or not the weights"):
        experiment(initial_weights=other / "history.csv").build()
    (other / "run.json").write_text("[]")
    with pytest.raises(UserError, match=r"other/run\.json: damaged \(\[\] is not a JSON object"):
        experiment(initial_weights=other)


def test_validation_takes_every_kth_recording(experiment, data):
    def names(seconds):
        system = SimpleNamespace(wants="interpolated")
        validation = Validation(experiment().dataset, seconds, system, None, 2048)
        return [example.name for example in validation.examples]

    # Three recordings of 0.512 s.
    assert names(600.0) == ["valid0.wav", "valid0.flac", "silence.wav"]
    assert names(1.0) == ["valid0.wav", "silence.wav"]
    assert names(0.1) == ["valid0.wav"]


def test_the_mean_snr_leaves_out_silent_recordings(experiment):
    columns = experiment().build().baselines()["spline"]
    assert set(columns) == {"val_loss", "val_snr", "val_lsd"}
    assert np.isfinite(list(columns.values())).all()


def test_validation_compares_what_the_system_completes(experiment):
    """A system that takes all of the reference has no error."""
    network = models.build("keras_unet", **models.small("keras_unet"))
    validation = Validation(experiment().dataset, 0.1, network, weighted({"mse": 1.0}), 2048)
    upsampler = Upsampler(network, 16000, 4, "spline")
    assert validation.measure(upsampler)["val_loss"] > 1e-3
    network.completed = lambda restored, high: high
    assert validation.measure(upsampler)["val_loss"] == 0
