"""The protocols by which engines accept objects of other libraries as arrays or variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from polykeras import backends
from polykeras.core import trees


class EngineProtocols:
    """The methods by which JAX, PyTorch and TensorFlow accept a variable in place of an array.

    >>> import polykeras as keras
    >>> keras.Variable([1.0, 2.0]).__jax_array__()
    array([1., 2.], dtype=float32)
    """

    _backend_name: str
    if TYPE_CHECKING:

        @property
        def value(self) -> Any: ...

    #: Tells TensorFlow to take gradients with respect to the variable's ``handle``.
    _should_act_as_resource_variable = True

    def __jax_array__(self) -> Any:
        return self.value

    @classmethod
    def __torch_function__(cls, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        args, kwargs = trees.map(_value_of, (args, kwargs or {}))
        return function(*args, **kwargs)

    @property
    def handle(self) -> Any:
        """The tensor by which TensorFlow's gradient tapes identify the variable."""
        return backends.load(self._backend_name).handle(self)


def _value_of(x: Any) -> Any:
    return x.value if isinstance(x, EngineProtocols) else x
