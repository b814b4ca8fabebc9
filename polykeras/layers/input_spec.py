"""What a layer expects of its inputs, and the errors if the inputs differ."""

from __future__ import annotations

from typing import Any, Self

from polykeras.backends.shared.structured import is_structured, shape_of
from polykeras.core import dtypes, naming, trees


class InputSpec:
    """Expected dtype, rank and sizes of one input.

    Args:
        dtype: str, the required dtype; default None, for any.
        shape: tuple of all sizes, None for any size; default None.
        ndim, max_ndim, min_ndim: int, exact, largest and smallest number of axes; default None.
        axes: dict from axis to size; default None.
        allow_last_axis_squeeze: bool, whether to accept a missing or extra last axis of size 1; default False.
        name: str, key of the input in a dict of inputs; default None.
        optional: bool, whether to accept None; default False.

    Raises:
        ValueError: if ``axes`` contains an axis beyond the number of axes.

    >>> InputSpec(ndim=4, axes={-1: 3})
    <InputSpec ndim=4, axes={-1: 3}>
    """

    def __init__(
        self,
        dtype: str | None = None,
        shape: tuple | None = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype = None if dtype is None else dtypes.standardize(dtype)
        self.shape = None if shape is None else tuple(shape)
        self.ndim = len(self.shape) if self.shape is not None else ndim
        self.max_ndim, self.min_ndim = max_ndim, min_ndim
        self.axes = {int(axis): size for axis, size in (axes or {}).items()}
        limit = self.ndim or max_ndim
        if limit is not None and self.axes and max(self.axes) >= limit:
            raise ValueError(f"Expected axes below {limit}. Received: {naming.listed(sorted(self.axes))}.")
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        self.name = name
        self.optional = optional

    def get_config(self) -> dict:
        """Return the arguments of ``__init__`` as a JSON-serializable dict."""
        return {
            "dtype": self.dtype,
            "shape": self.shape,
            "ndim": None if self.shape else self.ndim,
            "max_ndim": self.max_ndim,
            "min_ndim": self.min_ndim,
            "axes": self.axes,
            "allow_last_axis_squeeze": self.allow_last_axis_squeeze,
            "name": self.name,
            "optional": self.optional,
        }

    @classmethod
    def from_config(cls, config: dict) -> Self:
        """Create an InputSpec from the result of ``get_config``.

        Args:
            config: dict, as ``get_config`` returns.
        """
        return cls(**config)

    def __repr__(self) -> str:
        items = [(key, value) for key, value in vars(self).copy().items() if value not in (None, {}, False)]
        return "<InputSpec " + ", ".join(f"{key}={value}" for key, value in items) + ">"

    def problem(self, shape: tuple, dtype: str) -> str | None:
        """Return an error message for an input that does not match, otherwise None."""
        expected = self.shape
        if expected is not None and self.allow_last_axis_squeeze:
            if shape[-1:] == (1,) and len(shape) == len(expected) + 1:
                shape = shape[:-1]
            elif expected[-1:] == (1,) and len(shape) == len(expected) - 1:
                expected = expected[:-1]
        rank = len(shape)
        ndim = self.ndim if expected is None else len(expected)
        if ndim is not None and rank != ndim:
            return f"Expected an input with {ndim} axes{_sizes(expected)}. Received: {rank} axes, shape {shape}."
        if self.max_ndim is not None and rank > self.max_ndim:
            return f"Expected an input with at most {self.max_ndim} axes. Received: {rank} axes, shape {shape}."
        if self.min_ndim is not None and rank < self.min_ndim:
            return f"Expected an input with at least {self.min_ndim} axes. Received: {rank} axes, shape {shape}."
        if self.dtype is not None and dtype != self.dtype:
            return f"Expected an input of dtype {self.dtype}. Received: {dtype}, shape {shape}."
        for axis, size in self.axes.items():
            if size is not None and shape[axis] not in (size, None):
                return f"Expected axis {axis} of the input to have size {size}. Received: {shape[axis]}, shape {shape}."
        for size, actual in zip(expected or (), shape, strict=False):
            if None not in (size, actual) and size != actual:
                return f"Expected an input of shape {expected}. Received shape: {shape}."
        return None


def _sizes(shape: tuple | None) -> str:
    return "" if shape is None else f", shape {shape}"


def check(specs: Any, inputs: Any, layer_path: str, backend: Any) -> None:
    """Compare inputs with their specs.

    Raises:
        ValueError: if an input does not match.
    """
    if isinstance(inputs, dict) and isinstance(specs, dict):
        pairs = [(name, specs[name], inputs.get(name)) for name in specs]
    else:
        spec_list, values = trees.leaves(specs), trees.leaves(inputs)
        if inputs is None and not any(spec.optional for spec in spec_list):
            raise ValueError(
                f"Layer {layer_path!r}: Expected an input. Received: None. Does the call() of the previous layer end "
                f"with a return?"
            )
        if len(spec_list) != len(values):
            raise ValueError(
                f"Layer {layer_path!r}: Expected {len(spec_list)} input(s). Received: {len(values)}: "
                f"{naming.listed([tuple(backend.shape(x)) for x in values if backend.is_array(x)])}."
            )
        pairs = [(spec.name, spec, x) for spec, x in zip(spec_list, values, strict=True)]
    for name, spec, value in pairs:
        if value is None and spec.optional:
            continue
        if not (is_structured(value) or backend.is_array(value)):
            raise ValueError(
                f"Layer {layer_path!r}: Expected an array{f' for input {name!r}' if name else ''}. "
                f"Received: {value!r} of type {type(value).__name__}."
            )
        problem = spec.problem(shape_of(backend, value), backend.dtype(value))
        if problem:
            raise ValueError(f"Layer {layer_path!r}{f', input {name!r}' if name else ''}: {problem}")
