"""The Python operators of polykeras's own array-like classes.

Specs, symbolic tensors and variables all inherit from here; ``polykeras.ops`` fills the class
in when it is imported, so that ``x + 1`` means ``ops.add(x, 1)`` and no module below ops has to
know about it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, TypeAlias

_Binary: TypeAlias = Callable[[Any, Any], Any]
_Unary: TypeAlias = Callable[[Any], Any]


class EngineNeeded(AttributeError, TypeError):
    """Code asked an array without values for something only an engine's array has; see ``core.shape_inference``."""


class ValueNeeded(EngineNeeded):
    """Code asked an array without values for its value."""


class Operators:
    """Arithmetic, comparison and indexing by ``polykeras.ops``."""

    __slots__ = ()

    shape: tuple
    # Filled in by ``polykeras.ops``.
    __getitem__: Callable[..., Any]
    __add__: ClassVar[_Binary]
    __radd__: ClassVar[_Binary]
    __sub__: ClassVar[_Binary]
    __rsub__: ClassVar[_Binary]
    __mul__: ClassVar[_Binary]
    __rmul__: ClassVar[_Binary]
    __truediv__: ClassVar[_Binary]
    __rtruediv__: ClassVar[_Binary]
    __floordiv__: ClassVar[_Binary]
    __rfloordiv__: ClassVar[_Binary]
    __mod__: ClassVar[_Binary]
    __rmod__: ClassVar[_Binary]
    __pow__: ClassVar[_Binary]
    __rpow__: ClassVar[_Binary]
    __matmul__: ClassVar[_Binary]
    __rmatmul__: ClassVar[_Binary]
    __and__: ClassVar[_Binary]
    __rand__: ClassVar[_Binary]
    __or__: ClassVar[_Binary]
    __ror__: ClassVar[_Binary]
    __xor__: ClassVar[_Binary]
    __rxor__: ClassVar[_Binary]
    __lt__: ClassVar[_Binary]
    __le__: ClassVar[_Binary]
    __gt__: ClassVar[_Binary]
    __ge__: ClassVar[_Binary]
    __neg__: ClassVar[_Unary]
    __pos__: ClassVar[_Unary]
    __abs__: ClassVar[_Unary]
    __invert__: ClassVar[_Unary]
    __round__: Callable[..., Any]

    # Makes NumPy scalars and arrays on the left defer to these operators.
    __array_priority__ = 1000

    @classmethod
    def __torch_function__(cls, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Raise a helpful error where torch's own functions are passed an array without values."""
        received = next((x for x in args if isinstance(x, Operators)), "one without, in a list or as a keyword")
        raise EngineNeeded(
            f"Expected arrays with values, for torch's {getattr(function, '__name__', function)}. Received: "
            f"{received}. Call it in a layer, such as keras.layers.Lambda(function), or use polykeras.ops."
        )

    def __bool__(self) -> bool:
        raise ValueNeeded(
            f"Expected a value that is already known. Received: {self!r}, whose value is not: it can't "
            "decide an `if` or `while`. Use ops.where, ops.cond or ops.while_loop."
        )

    @property
    def __len__(self) -> Callable[[], int]:
        # Programs ask `hasattr(model.output, "__len__")` to find out whether there are several outputs.
        if not self.shape or self.shape[0] is None:
            raise EngineNeeded(f"Expected an array of known length. Received: {self!r}.")
        return lambda: self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise EngineNeeded(
            f"Expected an array with values. Received: {self!r}, which has a shape and no values. "
            "Use polykeras.ops, or the functions of the engine in use, in place of NumPy's here."
        )
