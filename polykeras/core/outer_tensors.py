"""Losses and metrics that refer to symbolic tensors of the surrounding program, as those of Keras 2 may.

The loss of a variational autoencoder is often a function of ``y_true`` and ``y_pred`` that also uses ``z_mean``, a
tensor of the model's graph. Its result is then symbolic, and is evaluated for the current batch.
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
    outputs: Any = None  # its outputs for them; None where they are no longer available
    training: bool | None = None  # whether this is a training step
    kept: tuple = (None, {})  # first output of the last call that kept values; (tensor, value) by the tensor's id


_state = _State()


@contextmanager
def graph_around(model: Any, batch: Any, outputs: Any = None, training: bool | None = None) -> Iterator[None]:
    """Make the tensors of a functional model's graph available inside; does nothing for other models.

    Args:
        model: a model.
        batch: its inputs.
        outputs: outputs of the call just made, to reuse its values; default None, which runs a new call.
        training: whether this is a training step; default None.
    """
    if model._graph_plan is None or batch is None:
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
    """Keep the values of a graph's inner tensors from a call, until the next call that keeps some.

    Args:
        output: the first output of the call, which identifies it.
        tensors, values: the symbolic tensors and their values.
    """
    _state.kept = (output, {id(x): (x, value) for x, value in zip(tensors, values, strict=True)})


def symbol_of(value: Any) -> Any:
    """Return the output of the model whose losses are being computed that has a value; otherwise the value.

    Args:
        value: array, such as the ``y_pred`` of a loss.
    """
    if _state.model is None or is_symbol(value):
        return value
    pairs = zip(trees.leaves(_state.outputs), _state.model.outputs, strict=False)
    return next((symbol for output, symbol in pairs if output is value), value)


def valued(result: Any) -> Any:
    """Evaluate the result of a loss or metric if it is symbolic; return anything else unchanged.

    Args:
        result: array or symbolic tensor.
    """
    if not is_symbol(result) or _state.model is None:
        return result
    tensors = _nearest(result, _state.model._graph_plan)
    with within("", _state.training):
        return Plan(tensors, [result]).run(_values(_state.model, tensors))[0]


def _nearest(tensor: KerasTensor, plan: Plan) -> list[KerasTensor]:
    """The closest ancestors of a tensor that belong to a plan."""
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
