"""The calls of a Keras network: every use of a layer or an operation on a window.

`trace` follows a window through the built network and the networks inside it. `grouped` puts the
calls together that a drawing shows as one box.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Any

import keras

# Layers with weights, one of which a residual block has at least.
WEIGHTED = ("Conv1D", "Conv2D", "Dense", "WindowAttention")


@dataclass(eq=False)
class Call:
    """One use of a layer or an operation, with the shapes of its outputs without the batch."""

    op: Any
    inputs: list["Call"]
    shapes: list[tuple[int, ...]]
    consumers: list["Call"] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The class of the layer or of the operation."""
        return type(self.op).__name__


def trace(network: keras.Model, samples: int) -> list[Call]:
    """Follows a window (1, samples, 1) through a network and the networks inside it."""
    made: dict[int, Call] = {}
    calls: list[Call] = []
    kept = []  # tensors, whose ids must stay their own

    def call(op: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(op, keras.Model):
            return run(op, args[0])
        outputs = op(*args, **kwargs)
        tensors = _tensors((args, kwargs))
        inputs = unique(made[id(each)] for each in tensors)
        record(op, inputs, outputs)
        return outputs

    def record(op: Any, inputs: list[Call], outputs: Any) -> None:
        tensors = _tensors(outputs)
        each = Call(op, inputs, [tuple(t.shape[1:]) for t in tensors])
        calls.append(each)
        kept.extend(tensors)
        made.update({id(tensor): each for tensor in tensors})
        for one in inputs:
            one.consumers.append(each)

    def run(model: Any, inputs: Any) -> Any:
        return model._run_through_graph(inputs, operation_fn=lambda op: op, call_fn=call)

    window = keras.Input(batch_shape=(1, samples, 1))
    record(network.inputs[0]._keras_history.operation, [], window)
    run(network, window)
    return calls


def _tensors(structure: Any) -> list[Any]:
    return [t for t in keras.tree.flatten(structure) if isinstance(t, keras.KerasTensor)]


def unique(items: Iterable[Any]) -> list[Any]:
    """Returns each object once, in order; objects that are equal stay apart."""
    return list({id(item): item for item in items}.values())


def grouped(calls: list[Call]) -> list[list[Call]]:
    """Cuts calls into those of one box each, in an order in which inputs come first."""
    group = {id(each): [each] for each in calls}

    def join(first: Call, second: Call) -> None:
        one, other = group[id(first)], group[id(second)]
        if one is not other:
            one.extend(other)
            group.update({id(each): one for each in other})

    layers: dict[int, int] = {}  # layers on the longest path to a call
    for each in calls:
        depth = max((layers[id(one)] for one in each.inputs), default=0)
        layers[id(each)] = depth + isinstance(each.op, keras.layers.Layer)
    for each in calls:
        for one in each.inputs:
            # Only operations at the same depth: with others, a box could depend on itself.
            if is_arithmetic(one) and is_arithmetic(each) and layers[id(one)] == layers[id(each)]:
                join(one, each)
    for each in calls:
        # Sums of tensors are drawn one by one.
        if all(one.name == "Add" for one in group[id(each)]):
            group[id(each)] = [each]
    for each in calls:
        for one in residual(each):
            join(one, each)
    order = {id(each): number for number, each in enumerate(calls)}
    found = {id(each): each for each in group.values()}
    for each in found.values():
        each.sort(key=lambda call: order[id(call)])
    before = {
        key: {id(group[id(one)]) for call in each for one in call.inputs} - {key}
        for key, each in found.items()
    }
    return [found[key] for key in TopologicalSorter(before).static_order()]


def is_arithmetic(call: Call) -> bool:
    """Returns whether a call is an operation of keras.ops and not a layer."""
    return not isinstance(call.op, keras.layers.Layer)


def residual(call: Call) -> list[Call]:
    """Returns the calls between a tensor and a sum, if the sum adds the tensor again."""
    if call.name != "Add" or len(call.inputs) != 2:
        return []
    for skipped, each in (call.inputs, call.inputs[::-1]):
        chain = []
        while len(each.inputs) == 1 and len(each.consumers) == 1 and each is not skipped:
            chain.append(each)
            (each,) = each.inputs
        if each is skipped and any(one.name in WEIGHTED for one in chain):
            return chain
    return []
