"""tf.data service: a dispatcher and two workers make or read each patch of a pass once."""

import numpy as np
import pytest
import tensorflow as tf
from wideband.command import UserError
from wideband.data_gen import layout, pipeline, service, shards
from wideband.data_gen.augment import Augmentation
from wideband.data_gen.dataset import Dataset

SHARDS, SAMPLES, PATCH, BATCH = 5, 3000, 256, 7


@pytest.fixture(scope="module")
def address():
    """The address of a dispatcher with two workers."""
    module = tf.data.experimental.service
    dispatcher = module.DispatchServer(module.DispatcherConfig(port=0))
    address = dispatcher.target.removeprefix("grpc://")
    workers = [
        module.WorkerServer(module.WorkerConfig(address, heartbeat_interval_ms=100))
        for _ in range(2)
    ]
    assert len(workers) == dispatcher._num_workers() == 2
    yield address
    for worker in workers:
        worker._stop()
    dispatcher._stop()


@pytest.fixture(scope="module")
def dataset(make_dataset, noise, tmp_path_factory):
    """A dataset whose train split has a recording in each of five shards."""
    folder = tmp_path_factory.mktemp("dataset")
    examples = []
    for seed in range(SHARDS):
        high = noise(SAMPLES, seed)
        examples.append(shards.Example(f"{seed}", "", "", 0.0, high, high[::4]))
    make_dataset(folder, {"train": examples})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "SHARD_SAMPLES", SAMPLES)
        dataset = Dataset(folder)
        for name, pieces in dataset.pieces.items():
            shards.write(folder / name, [examples[int(each.row.name)] for each in pieces])
        assert len(dataset.shards("train")) == SHARDS
        yield dataset


def batches(dataset, **options):
    return pipeline.patches(dataset, "train", PATCH, batch=BATCH, seed=1, **options)


def rows(pairs):
    """Sorts the patches of batches: (patches, samples of both sides)."""
    sides = (np.concatenate(each)[:, :, 0] for each in zip(*pairs, strict=True))
    both = np.concatenate([*sides], axis=1)
    return both[np.lexsort(both.T)]


@pytest.mark.slow
@pytest.mark.parametrize("wants", ["low", "high", "interpolated"])
def test_a_pass_has_the_same_patches_each_of_them_once(dataset, address, wants):
    local = list(batches(dataset, wants=wants).as_numpy_iterator())
    served = batches(dataset, wants=wants, data_service=address).repeat().take(2 * len(local))
    found = list(served.as_numpy_iterator())
    lengths = [len(high) for _, high in local]
    assert [len(high) for _, high in found] == 2 * lengths
    # Both passes.
    for each in (found[: len(local)], found[len(local) :]):
        np.testing.assert_array_equal(rows(each), rows(local))


@pytest.mark.slow
def test_a_process_reads_its_share(dataset, address):
    share = {"wants": "low", "share": (1, 2)}
    local = list(batches(dataset, **share).as_numpy_iterator())
    served = list(batches(dataset, **share, data_service=address).as_numpy_iterator())
    assert [len(high) for _, high in served] == [len(high) for _, high in local]


@pytest.mark.slow
def test_random_waves_are_read_by_workers(dataset, address):
    augmentation = Augmentation(random_lowpass=1.0, speed_perturbation=0.1, gain_db=6.0)
    served = batches(dataset, wants="low", augmentation=augmentation, data_service=address)
    low, high = next(served.as_numpy_iterator())
    assert (low.shape, high.shape) == ((BATCH, PATCH // 4, 1), (BATCH, PATCH, 1))


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("localhost", "--data_service=localhost is not HOST:PORT"),
        ("127.0.0.1:1", "--data_service=127.0.0.1:1: no dispatcher of tf.data service answers ("),
        ("127.0.0.1:99999", "no dispatcher of tf.data service answers ("),
    ],
)
def test_an_address_where_nothing_answers_is_refused(address, message):
    with pytest.raises(UserError) as caught:
        service.check(address)
    assert message in str(caught.value) and "\n" not in str(caught.value)
