"""What engines look for on objects of other libraries, to take them for arrays or variables of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from polykeras import backends
from polykeras.core import trees


class EngineProtocols:
    """The methods by which JAX, PyTorch and TensorFlow take a variable where they want an array.

    >>> import polykeras as keras
    >>> keras.Variable([1.0, 2.0]).__jax_array__()
    array([1., 2.], dtype=float32)
    """

    _backend_name: str
    if TYPE_CHECKING:

        @property
        def value(self) -> Any: ...

    #: For TensorFlow: gradients by the variable are gradients by its ``handle``.
    _should_act_as_resource_variable = True

    def __jax_array__(self) -> Any:
        return self.value

    @classmethod
    def __torch_function__(cls, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        args, kwargs = trees.map(_value_of, (args, kwargs or {}))
        return function(*args, **kwargs)

    @property
    def handle(self) -> Any:
        """What TensorFlow's tapes know the variable by."""
        return backends.load(self._backend_name).handle(self)


def _value_of(x: Any) -> Any:
    return x.value if isinstance(x, EngineProtocols) else x
