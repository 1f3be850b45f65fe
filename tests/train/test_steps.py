"""Training steps: one graph for all batches, and random layers that are seeded anew."""

import numpy as np
from wideband.train.steps import compile_step, reseed


def test_batches_of_all_shapes_share_one_graph(experiment, monkeypatch):
    (objective,) = experiment("model=dnn", "arguments.depth=2").build().objectives
    train_step, traced = objective.train_step, []
    monkeypatch.setattr(
        type(objective), "train_step", lambda self, data: traced.append(1) or train_step(data)
    )
    step = compile_step(objective)
    counts = []
    for size in (4, 3, 5):
        step([np.zeros((size, 256, 1), np.float32)] * 2)
        counts.append(len(traced))
    assert counts[0] == counts[1] == counts[2]


def test_every_epoch_seeds_the_random_layers_anew(experiment):
    objectives = experiment().build().objectives

    def states(seed, epoch):
        reseed(objectives, seed, epoch)
        return [
            tuple(np.asarray(variable))
            for variable in objectives[0].non_trainable_variables
            if variable.path.endswith("seed_generator_state")
        ]

    assert len(states(0, 1)) > 1
    assert states(0, 1) == states(0, 1)
    different = [*states(0, 1), *states(0, 2), *states(1, 1)]
    assert len(set(different)) == len(different)
