"""Weights that a program of tf.keras 2 wraps when a layer makes them, as one does that quantizes them."""

from __future__ import annotations

from typing import Any

from polykeras import backends
from polykeras.backends.contract.spec import SpecArray
from polykeras.core.expressions import Expression
from polykeras.core.shape_inference import inferred
from polykeras.core.variables import Variable


class WrappedWeight(Expression):
    """What a wrapper around a weight computes from it, whenever the layer reads it.

    Args:
        wrapper: the program's object around the variable.
        variable: Variable, the layer's weight, which optimizers update and files contain.
    """

    def __init__(self, wrapper: Any, variable: Variable) -> None:
        super().__init__(self._read, (), {}, SpecArray(variable.shape, variable.dtype))
        self._wrapper, self._variable = wrapper, variable

    def _read(self) -> Any:
        return inferred(self._compute)  # the wrapper's code may be that of an engine

    def _compute(self) -> Any:
        backend = backends.current()
        read = getattr(self._wrapper, "read_value", None)
        value = backend.densified(self._wrapper if read is None else read())
        return value if backend.is_array(value) else backend.array(value)

    @property
    def name(self) -> str:
        """The name of the weight."""
        return self._variable.name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("_wrapper", "_variable"):
            raise AttributeError(name)
        return getattr(self._wrapper if hasattr(self._wrapper, name) else self._variable, name)


def wrapped(layer: Any, variable: Variable, **kwargs: Any) -> Any:
    """Return what a layer gets for a new weight from the program's ``_add_variable_with_custom_getter``.

    Args:
        layer: the layer.
        variable: Variable, the weight.
        **kwargs: further arguments of ``add_weight``.
    """
    result = layer._add_variable_with_custom_getter(
        variable.name,
        getter=lambda **_: variable,
        overwrite=True,
        shape=variable.shape,
        dtype=variable.dtype,
        trainable=variable.trainable,
        **kwargs,
    )
    if result is variable or isinstance(result, Expression):
        return result
    for name, value in vars(result).copy().items():
        if isinstance(value, int | float | str):  # what the wrapper says of itself, such as a precision
            vars(variable).setdefault(name, value)
    return WrappedWeight(result, variable)
