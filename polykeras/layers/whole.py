"""The interface of ``Layer`` that its mixins, each in its own file, rely on; for type checkers only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polykeras.core.graph import Node
from polykeras.core.tracking import Trackable
from polykeras.core.variables import Variable


class Whole(Trackable):
    """Attributes and methods of ``Layer`` that its mixins use."""

    name: str
    path: str
    built: bool
    input_spec: Any
    _batch_input_shape: tuple
    _own_weights: list[Variable]
    compute_dtype: str
    _mode: bool | None
    _signature_of_call: Any
    _inbound_nodes: list[Node]
    call: Callable[..., Any]
    __call__: Callable[..., Any]
    _compute_call: Callable[..., Any]
    _flatten_layers: Callable[..., list]
    _own_parts: Callable[[], tuple[list, list, list, list]]
    _set_trainable_weights: Callable[[list[Variable]], None]
    _set_non_trainable_weights: Callable[[list[Variable]], None]
    _is_built_below: Callable[[], bool]
    add_weight: Callable[..., Variable]
    _symbolic_call: Callable[..., Any]
    _call_on_arrays: Callable[..., Any]
    _accepted_inputs: dict[type, set]
    dtype_policy: Any

    @property
    def weights(self) -> list[Variable]:
        raise NotImplementedError

    @property
    def metrics_variables(self) -> list[Variable]:
        raise NotImplementedError

    @property
    def variables(self) -> list[Variable]:
        raise NotImplementedError

    @property
    def trainable_variables(self) -> list[Variable]:
        raise NotImplementedError

    @property
    def non_trainable_variables(self) -> list[Variable]:
        raise NotImplementedError

    @property
    def losses(self) -> list:
        raise NotImplementedError

    @property
    def metrics(self) -> list:
        raise NotImplementedError
