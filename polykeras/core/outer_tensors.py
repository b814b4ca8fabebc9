"""Losses and metrics that take symbolic tensors from the program around them, as those of Keras 2 may.

The loss of a variational autoencoder is often a function of ``y_true`` and ``y_pred`` that names ``z_mean`` too, a
tensor of the model's graph. What it returns is then symbolic, and gets its value from the batch at hand.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from polykeras.core import trees
from polykeras.core.context import within
from polykeras.core.graph import KerasTensor, Plan, is_symbol


class _State(threading.local):
    model: Any = None  # the functional model whose losses or metrics are being computed
    batch: Any = None  # its inputs
    outputs: Any = None  # what it made of them; None where that is no longer at hand
    training: bool | None = None  # whether a step of training asks
    kept: tuple = (None, {})  # the first output of the last call that kept values; their tensors with them, by id


_state = _State()


@contextmanager
def graph_around(model: Any, batch: Any, outputs: Any = None, training: bool | None = None) -> Iterator[None]:
    """Let what is computed inside take values from the graph of a model; of other models there are none.

    Args:
        model: a model.
        batch: its inputs.
        outputs: what its call has just made of them, for values from that very call; default None, for a new one.
        training: whether a step of training asks; default None.
    """
    if model._plan is None or batch is None:
        yield
        return
    before = _state.model, _state.batch, _state.outputs, _state.training
    _state.model = model
    _state.batch = batch
    _state.outputs = outputs
    _state.training = training
    try:
        yield
    finally:
        _state.model, _state.batch, _state.outputs, _state.training = before


def keep(output: Any, tensors: list[KerasTensor], values: list) -> None:
    """Remember values of tensors inside of a graph from a call, until the next one that does so.

    Args:
        output: the first output of the call, by which it is known.
        tensors, values: the symbolic tensors and what they were.
    """
    _state.kept = (output, {id(x): (x, value) for x, value in zip(tensors, values, strict=True)})


def valued(result: Any) -> Any:
    """Return the value of what a loss or metric returned, where that is symbolic; all else as it is.

    Args:
        result: array or symbolic tensor.
    """
    if not is_symbol(result) or _state.model is None:
        return result
    tensors = _nearest(result, _state.model._plan)
    with within("", _state.training):
        return Plan(tensors, [result]).run(_values(_state.model, tensors))[0]


def _nearest(tensor: KerasTensor, plan: Plan) -> list[KerasTensor]:
    """The tensors of a plan that one follows from, going back no further than to these."""
    found, pending, seen = [], [tensor], {}
    while pending:
        x = pending.pop()
        if id(x) in seen:
            continue
        seen[id(x)] = x
        if x in plan:
            found.append(x)
        elif x.node is not None:
            pending.extend(x.node.inputs)
    return found


def _values(model: Any, tensors: list[KerasTensor]) -> list:
    outputs = trees.leaves(_state.outputs)
    first, kept = _state.kept
    if outputs and outputs[0] is first and all(id(x) in kept for x in tensors):
        return [kept[id(x)][1] for x in tensors]
    if outputs:
        model._keep_from_now_on(tensors)
    return Plan(model.inputs, tensors).run(model._arrange(_state.batch))
