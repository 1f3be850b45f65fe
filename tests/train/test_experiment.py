"""Experiments: what is refused before TensorFlow loads, and what is built."""

import itertools
import json
import shutil

import numpy as np
import pytest
from wideband.command import UserError
from wideband.data_gen import pipeline
from wideband.train.validation import Validation
from wideband.upsample import load


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
        ("patch=2050", "patch 2050 is not a multiple of 32 samples, which audiounet needs"),
        ("arguments.wdith=1", "--set=arguments: audiounet: unknown argument 'wdith'"),
        ("arguments.width=0", "--set=arguments: .*width 0 leaves a layer without filters"),
    ],
)
def test_arguments_that_the_network_does_not_take_are_refused(
    experiment, setting, message, tmp_path
):
    described = experiment(setting)
    described.open(tmp_path / "run")
    with pytest.raises(UserError, match=message):
        described.build()
    # Another recipe can use the folder.
    assert not (tmp_path / "run").exists()


def test_a_dataset_without_a_valid_split_is_refused(experiment, data, tmp_path):
    other = shutil.copytree(data, tmp_path / "other")
    (other / "valid-00000.tfrecord").unlink()
    with pytest.raises(UserError, match="no recordings in the valid split"):
        experiment(folder=other)


def test_a_run_of_another_recipe_is_refused(experiment, finished, history):
    before = history(finished)
    with pytest.raises(UserError, match=r"a run whose recipe has batch=4, not 8; choose another"):
        experiment("batch=8").open(finished)
    with pytest.raises(UserError, match=r"recipe has optimizer.beta_1=0.9, not 0.5"):
        experiment("optimizer.beta_1=0.5").open(finished)
    with pytest.raises(UserError, match=r"recipe has losses.mse=None, not 1.0"):
        experiment("losses.mse=1").open(finished)
    assert history(finished) == before


def test_a_run_on_another_dataset_is_refused(experiment, finished, data, tmp_path):
    other = shutil.copytree(data, tmp_path / "other")
    settings = json.loads((other / "dataset.json").read_text())
    (other / "dataset.json").write_text(json.dumps({**settings, "recordings_sha256": "other"}))
    with pytest.raises(UserError, match="whose dataset has recordings_sha256=None, not other"):
        experiment(folder=other).open(finished)


def count_batches(described, wants="interpolated"):
    """Counts the batches of one pass over the train split."""
    recipe = described.recipe
    sizes = (recipe.patch, recipe.stride, recipe.batch)
    options = {"wants": wants, "augmentation": recipe.augmentation}
    return sum(1 for _ in pipeline.patches(described.dataset, "train", *sizes, 0, **options))


@pytest.mark.parametrize("batch", [3, 64])
@pytest.mark.parametrize("stride", [128, 256, 300])
def test_an_epoch_has_a_step_for_every_batch_of_patches(experiment, quick_settings, batch, stride):
    settings = [f"batch={batch}", f"stride={stride}", "steps_per_epoch=none"]
    described = experiment(*quick_settings, *settings)
    assert described.build().steps == count_batches(described)


def test_patches_of_low_inputs_are_counted_alike(experiment):
    settings = ["model=streamnet", "arguments.width=0.25", "stride=300", "steps_per_epoch=none"]
    described = experiment(*settings)
    assert described.build().steps == count_batches(described, "low")


def test_patches_of_augmented_recordings_are_counted_on_their_samples(experiment, quick_settings):
    settings = ["steps_per_epoch=none", "augmentation.silence_rms=0.212"]
    described = experiment(*quick_settings, *settings)
    # 6 recordings of 32 patches are 48 batches of 4.
    assert described.build().steps == count_batches(described) < 48


def test_batches_follow_from_seed_and_epoch_and_continue_after_a_pass(experiment, quick_settings):
    def build(*settings):
        return experiment(*quick_settings, "batch=100", *settings).build()

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
    ("model", "arguments"),
    [("tfnet", {"ratio": 4, "patch": 256}), ("dnn", {"patch": 256})],
)
def test_a_network_is_built_for_the_ratio_and_the_patch_of_its_recipe(
    experiment, quick_settings, model, arguments
):
    training = experiment(*quick_settings, f"model={model}").build()
    assert training.recipe["arguments"] == {"width": 0.05, **arguments}
    low, high = training.objectives[0].inputs
    assert (low.shape, high.shape) == ((None, 256, 1), (None, 256, 1))
    assert list(training.networks) == ["network"]


@pytest.mark.parametrize("setting", ["arguments.patch=256", "arguments.width=0.05"])
def test_arguments_that_follow_from_the_recipe_need_not_be_repeated(quick, tmp_path, setting):
    """A run records its network's patch; the same command, which has none, continues the run."""
    run = quick(tmp_path / "run", "epochs=1", "steps_per_epoch=1")
    assert run.record.recipe["arguments"] == {"width": 0.05, "patch": 256}
    assert quick(run.folder, "epochs=1", "steps_per_epoch=1", setting).rows == run.rows


def test_low_inputs_are_shorter_by_the_ratio(experiment):
    settings = ["model=streamnet", "arguments.width=0.25"]
    low, high = experiment(*settings).build().objectives[0].inputs
    assert (low.shape, high.shape) == ((None, 512, 1), (None, 2048, 1))


def test_fine_tuning_starts_from_the_weights_of_another_run(finished, train, tmp_path):
    # This learning rate leaves them as they are.
    settings = ["epochs=1", "steps_per_epoch=1", "optimizer.learning_rate=1e-30"]
    settings += ["optimizer.schedule=constant", "starts_from=demo"]
    tuned = train(tmp_path / "run", *settings, initial_weights=finished)
    wave = np.random.default_rng(0).normal(0, 0.1, 900).astype(np.float32)
    first, second = (load(run).upsample(wave, 4000)[0] for run in (finished, tuned.folder))
    np.testing.assert_allclose(first, second, rtol=0, atol=1e-6)
    assert len(tuned.record.initial_weights["sha256"]) == 64


def test_a_fine_tuned_run_is_not_continued_without_its_initial_weights(
    finished, quick, experiment, tmp_path, quick_settings
):
    short = ["epochs=1", "steps_per_epoch=1"]
    first = quick(tmp_path / "first", *short)
    run = quick(tmp_path / "run", *short, initial_weights=first.folder)
    with pytest.raises(UserError, match="whose initial_weights has sha256="):
        experiment(*quick_settings, *short).open(run.folder)


@pytest.mark.parametrize(
    ("setting", "network"), [("arguments.width=0.05", "audiounet"), ("model=tfilm", "tfilm")]
)
def test_initial_weights_of_another_network_are_refused(experiment, finished, setting, network):
    described = experiment(setting, initial_weights=finished)
    with pytest.raises(UserError, match=f"weights of that audiounet do not fit this {network}"):
        described.build()


def test_initial_weights_that_are_missing_are_refused(experiment, tmp_path):
    with pytest.raises(UserError, match="no such run folder"):
        experiment(initial_weights=tmp_path / "none")
    with pytest.raises(UserError, match=r"phone-4x: .*no Keras weights"):
        experiment(initial_weights="phone-4x")


def test_validation_takes_every_kth_recording(experiment, data):
    def names(seconds):
        validation = Validation(experiment().dataset, seconds, None, 2048)
        return [example.name for example in validation.examples]

    # Three recordings of 0.512 s.
    assert names(600.0) == ["valid0.wav", "valid0.flac", "silence.wav"]
    assert names(1.0) == ["valid0.wav", "silence.wav"]
    assert names(0.1) == ["valid0.wav"]


def test_the_mean_snr_leaves_out_silent_recordings(experiment):
    columns = experiment().build().baselines()["spline"]
    assert set(columns) == {"val_loss", "val_snr", "val_lsd"}
    assert np.isfinite(list(columns.values())).all()
