"""Names for types that engines and users bring along, and that no annotation can tell more of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

#: An array of whichever engine is in use, or what stands for one: a spec, a symbolic tensor, a variable.
Array: TypeAlias = Any
#: What becomes an array: also a number, a nested list, a NumPy array.
ArrayLike: TypeAlias = Any
#: Arrays in lists, tuples, dicts and the like, or one array.
Tree: TypeAlias = Any
#: Sizes of the axes, None where unknown.
Shape: TypeAlias = Sequence[int | None]
#: The name of a dtype, or an object that has one: a NumPy dtype or type, a dtype of an engine.
DTypeLike: TypeAlias = Any
#: An axis or several; None for all.
Axes: TypeAlias = int | Sequence[int] | None
#: The name of something that polykeras knows, a config of it, the object itself, or a function of the user's.
Identifier: TypeAlias = str | Mapping[str, Any] | Callable[..., Any] | None

#: A function that a decorator returns with the signature that it had.
Function = TypeVar("Function", bound=Callable[..., Any])
