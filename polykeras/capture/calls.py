"""Calls of a model on arrays, captured where the engine can.

Run one by one, the operations of three dense layers take 0.6 ms on JAX and 0.5 ms on TensorFlow; compiled
0.05 ms and 0.3 ms. Those of an encoder with two blocks take PyTorch 1.9 ms; a replayed prediction 1.1 ms.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras import backends
from polykeras.capture.cache import Captured, steps_of
from polykeras.capture.step import Step, specs_of
from polykeras.core import masks
from polykeras.core.context import context
from polykeras.core.variables import scope
from polykeras.layers.core import Masking
from polykeras.layers.layer import Layer


def captured_call(model: Any, x: Any) -> tuple | None:
    """Return a functional model's captured call for an input and its step; None if the call must run eagerly."""
    backend = backends.current()
    if not backend.captures or not _is_free() or not backend.is_value(x) or masks.get_mask(x) is not None:
        return None
    is_of_objects = isinstance(x, np.ndarray) and x.dtype.kind in "OSU"  # strings, which layers accept or reject
    if is_of_objects or backend.is_differentiating():
        return None
    steps, key = steps_of(model), ("call", x.shape, x.dtype, backend.name)
    call = steps.get(key)
    if call is None:
        call = _Call(model, specs_of(backend, (backend.feed(x),)))
        steps.put(key, call)
    step = call.step()
    if step is None:
        call.note_run()
        return None
    return call, step


class _Call(Captured):
    """A call of a model on inputs of a fixed shape and dtype."""

    def __init__(self, model: Any, specs: tuple) -> None:
        def make(function: Any, numbers: list) -> Step:
            return Step(model, function, specs, model._asks_for_compiler, numbers)

        super().__init__(model, lambda batch: Layer.__call__(model, batch[0], training=False), make)

    def _is_plain(self) -> bool:
        return super()._is_plain() or not all(map(_has_one_result, self._model._flatten_layers()))


def _is_free() -> bool:
    """Whether the call is not part of anything larger: an enclosing layer, a step, an autocast scope."""
    is_alone = not context.path and context.training is None
    return is_alone and scope.assigned is None and scope.autocast is None


def _has_one_result(layer: Layer) -> bool:
    """Whether a layer's call yields nothing besides its output, such as a mask or a loss."""
    makes_masks = isinstance(layer, Masking) or getattr(layer, "mask_zero", False)
    has_losses = layer.activity_regularizer is not None or layer._losses or getattr(layer, "_added_in_graph", None)
    return not makes_masks and not has_losses
