"""Names for argument types of engines and users that annotations cannot describe more precisely."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

#: An array of the engine in use, or something array-like of ours: a spec, a symbolic tensor, a variable.
Array: TypeAlias = Any
#: Anything that can be converted to an array: also a number, a nested list, a NumPy array.
ArrayLike: TypeAlias = Any
#: A nested structure (lists, tuples, dicts) of arrays, or a single array.
Tree: TypeAlias = Any
#: The sizes of the axes, None where unknown.
Shape: TypeAlias = Sequence[int | None]
#: The name of a dtype, or an object that has one: a NumPy dtype or type, a dtype of an engine.
DTypeLike: TypeAlias = Any
#: One or several axes; None for all.
Axes: TypeAlias = int | Sequence[int] | None
#: The registered name of an object, its config, the object itself, or a user's function.
Identifier: TypeAlias = str | Mapping[str, Any] | Callable[..., Any] | None

#: A function whose decorator preserves its signature.
Function = TypeVar("Function", bound=Callable[..., Any])
