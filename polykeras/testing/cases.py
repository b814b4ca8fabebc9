"""Conformance cases, and how results are compared with what is expected.

A case calls one method of an adapter on NumPy arrays, and knows the right answer from a plain
NumPy formula, its *oracle*. Each case provides a check of the value, one of the gradient
(against central finite differences of the oracle in float64), and one of shape inference. The
computation, a *job*, is separate from the comparison, so that many jobs can be compiled together.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from polykeras.backends import without_kernels
from polykeras.backends.contract import spec
from polykeras.backends.contract.kernels import Kernels
from polykeras.backends.numpy.adapter import NumpyBackend
from polykeras.core import dtypes, trees

#: Relative error allowed in one operation: about four units in the last place, or a few times the error of
#: the approximations that engines use.
TOLERANCE = {"float16": 4e-3, "bfloat16": 3e-2, "float32": 1e-5, "float64": 1e-9}

NUMERIC = dtypes.INTEGERS + dtypes.FLOATS
REAL = ("bool", *NUMERIC)
NAN, INF = float("nan"), float("inf")


class ConformanceError(AssertionError):
    """An adapter does not do what the interface specifies."""


def values(*shape: int, dtype: str = "float32", low: float = -2.0, high: float = 2.0, seed: int = 0) -> np.ndarray:
    """Return evenly spaced, distinct numbers in shuffled order, avoiding 0.

    >>> values(3, dtype="int32").dtype.name
    'int32'
    """
    size = int(np.prod(shape))
    generator = np.random.default_rng([seed, size])
    if dtype == "bool":
        return (generator.permutation(size) % 2 == 0).reshape(shape)
    if dtypes.is_integer(dtype):
        start = 0 if dtype in dtypes.UNSIGNED else -(size // 2)
        return (generator.permutation(size) + start).astype(dtype).reshape(shape)
    # The shift by 0.4 avoids 0: an odd number of entries would put one in the middle, on a kink.
    steps = (generator.permutation(size) + 0.4) / max(size, 1)
    return (low + (high - low) * steps).astype(dtypes.numpy_dtype(dtype)).reshape(shape)


def is_float_array(x: Any) -> bool:
    """True for a NumPy array of a floating-point dtype, including bfloat16."""
    return isinstance(x, np.ndarray) and dtypes.is_float(x.dtype.name)


def to_float64(tree: Any) -> Any:
    """Widen the float arrays of a tree to float64."""
    return trees.map(lambda x: x.astype(np.float64) if is_float_array(x) else x, tree)


def weights_like(shape: tuple, index: int = 0) -> np.ndarray:
    """Return fixed weights that reduce an output to a scalar whose gradient depends on every entry's."""
    return np.random.default_rng([7, index]).uniform(0.5, 1.5, shape)


def compare(actual: np.ndarray, expected: np.ndarray, what: str, tolerance: float = 1.0) -> None:
    """Compare dtype, shape and values.

    Args:
        tolerance: multiplies the error allowed for one operation in that dtype.

    Raises:
        ConformanceError: with the expected and the received value.
    """
    for name in ("dtype", "shape"):
        wanted, got = getattr(expected, name), getattr(actual, name)
        if wanted != got:
            raise ConformanceError(f"Expected {what} to have {name} {wanted}. Received: {got}.")
    kind = expected.dtype.name
    if not dtypes.is_float(kind):
        same = np.array_equal(actual, expected)
    else:
        error = TOLERANCE[kind] * tolerance
        wide = actual.astype(np.float64), expected.astype(np.float64)
        same = np.allclose(*wide, rtol=error, atol=error, equal_nan=True)
    if not same:
        raise ConformanceError(f"Expected {what} to be\n{expected}\nReceived:\n{actual}")


def kernel_names() -> list[str]:
    """Return the public methods of ``Kernels``.

    >>> "conv" in kernel_names()
    True
    """
    return [name for name, method in vars(Kernels).items() if callable(method) and not name.startswith("_")]


def overridden(backend: Any) -> list[str]:
    """Return the kernels that an adapter has a fast path for."""
    return [name for name in kernel_names() if getattr(type(backend), name) is not getattr(Kernels, name)]


@dataclasses.dataclass(eq=False)
class Job:
    """A computation: a function of a list of the adapter's arrays, and their NumPy values."""

    function: Callable[[list], Any]
    arrays: list[np.ndarray]

    def run(self, backend: Any) -> Any:
        """Compute on fresh arrays, since a kernel may consume them."""
        return self.function([backend.array(x.copy()) for x in self.arrays])


def _split(arguments: tuple, wanted: Callable) -> tuple[list, Callable]:
    """Return the wanted arrays among arguments, and a function that replaces them by others."""
    leaves, structure = trees.flatten(arguments)
    indices = [n for n, x in enumerate(leaves) if wanted(x)]

    def join(arrays: Any, convert: Callable = lambda x: x) -> tuple:
        updated = [convert(x) if isinstance(x, np.ndarray) else x for x in leaves]
        for index, array in zip(indices, arrays, strict=True):
            updated[index] = array
        return trees.unflatten(structure, updated)

    return [leaves[n] for n in indices], join


@dataclasses.dataclass(eq=False)
class Case:
    """One call and its right answer.

    Args:
        method: str, name of a primitive or kernel.
        arguments: tuple of Python values, NumPy arrays, and trees of them.
        oracle: the formula; it receives the arguments with float arrays widened to float64.
        label: str, what is special about this case; default "".
        dtype: dtype of the result; by default that of the first array, or bool if the oracle's result is bool.
        gradient: bool, whether to compare the gradient by every float array too; default False.
        unknown: indices of the arguments whose leading size may be None in shape inference, and
            then is None in the result too.
        run: function ``run(backend, *arguments)`` that computes the result, if that takes more than the one call.
        tolerance: float, multiplies the allowed error; default 1.
        smooth: bool, whether the gradient of a kernel's fast path must equal that of its composite.
    """

    method: str
    arguments: tuple
    oracle: Callable
    label: str = ""
    dtype: str | None = None
    gradient: bool = False
    unknown: tuple[int, ...] = ()
    run: Callable | None = None
    tolerance: float = 1.0
    smooth: bool = True

    @property
    def name(self) -> str:
        """The name for reports and test ids.

        >>> Case("add", (values(2), 1), np.add, "scalar right").name
        'add: scalar right'
        """
        return f"{self.method}: {self.label}" if self.label else self.method

    @property
    def has_floats(self) -> bool:
        """True if there is an array to differentiate by."""
        return any(map(is_float_array, trees.leaves(self.arguments)))

    def call(self, backend: Any, arguments: tuple) -> Any:
        """Run on arrays of the adapter."""
        if self.run is not None:
            return self.run(backend, *arguments)
        return getattr(backend, self.method)(*arguments)

    @functools.cached_property
    def expected(self) -> Any:
        """Return the tree of right results."""
        first = next((x for x in trees.leaves(self.arguments) if isinstance(x, np.ndarray)), None)

        def finish(x: Any) -> np.ndarray:
            x = np.asarray(x)
            dtype = self.dtype
            if dtype is None:
                dtype = "bool" if x.dtype == bool or first is None else first.dtype.name
            return x.astype(dtypes.numpy_dtype(dtype))

        with np.errstate(all="ignore"):
            return trees.map(finish, self.oracle(*to_float64(self.arguments)))

    def value_job(self, backend: Any) -> Job:
        """The job that makes the call."""
        arrays, join = _split(self.arguments, lambda x: isinstance(x, np.ndarray))
        return Job(lambda given: self.call(backend, join(given)), arrays)

    def check_value(self, backend: Any, result: Any) -> None:
        """Compare the result of the value's job with the oracle."""
        expected = trees.leaves(self.expected)
        actual = trees.leaves(result)
        if len(actual) != len(expected):
            raise ConformanceError(f"Expected {self.name} to return {len(expected)} arrays. Received: {result}.")
        for array, right in zip(actual, expected, strict=True):
            if not backend.is_array(array):
                raise ConformanceError(f"Expected {self.name} to return arrays. Received: {array!r}.")
            compare(backend.to_numpy(array), right, self.name, self.tolerance)

    # ------------------------------------------------------------------ gradient

    def _gradient_job(self, backend: Any, arguments: tuple) -> Job:
        """The job for the gradient of the weighted sum of the float results by every float array."""
        arrays, join = _split(arguments, is_float_array)

        def total(given: list) -> tuple:
            return weighted_sum(backend, self.call(backend, join(given, backend.array))), None

        return Job(lambda given: backend.value_and_grad(total, list(given))[1], arrays)

    def gradient_job(self, backend: Any) -> Job:
        """The gradient job in float64."""
        return self._gradient_job(backend, to_float64(self.arguments))

    def check_gradient(self, backend: Any, gradients: list) -> None:
        """Compare a gradient with central finite differences of the oracle."""
        for index, (actual, right) in enumerate(zip(gradients, self.expected_gradients, strict=True)):
            what = f"the gradient of {self.name} by float array {index}"
            # Finite differences are accurate to about nine digits, relative to numbers of this size.
            size = max(1.0, np.abs(right).max(initial=0.0))
            compare(backend.to_numpy(actual), right, what, 1e3 * size * self.tolerance)

    @functools.cached_property
    def expected_gradients(self) -> list[np.ndarray]:
        """Return central differences of the weighted sum of the oracle's float results."""
        arrays, join = _split(to_float64(self.arguments), is_float_array)

        def total() -> float:
            results = [np.asarray(x) for x in trees.leaves(self.oracle(*join(arrays)))]
            floats = [x for x in results if dtypes.is_float(x.dtype.name)]
            return sum(float(np.sum(x * weights_like(x.shape, n))) for n, x in enumerate(floats))

        with np.errstate(all="ignore"):
            return [central_differences(total, x) for x in arrays]

    # ----------------------------------------------------------------- composite

    def composite_job(self, backend: Any) -> Job:
        """The job for the gradient of a kernel's fast path, in the case's own dtypes."""
        return self._gradient_job(backend, self.arguments)

    def check_composite(self, backend: Any, gradients: list) -> None:
        """Compare it with the gradient of the kernel's composite.

        The composite runs on NumPy: on the adapter itself it would only test the primitives,
        which have cases of their own.
        """
        for index, (actual, right) in enumerate(zip(gradients, self.composite_gradients, strict=True)):
            size = max(1.0, np.abs(right).max(initial=0.0))
            array = backend.to_numpy(actual)
            what = f"the gradient of {self.name} by float array {index}, as that of the composite,"
            compare(array, right.astype(array.dtype), what, 10 * size * self.tolerance)

    @functools.cached_property
    def composite_gradients(self) -> list[np.ndarray]:
        """Return the gradient of the kernel's composite on NumPy, in float64."""
        reference = without_kernels(NumpyBackend())
        return self.gradient_job(reference).run(reference)

    # --------------------------------------------------------------------- shape

    def check_shape(self, backend: Any) -> None:
        """Compare the shape and dtype from shape inference with those of the oracle."""
        self._infer(backend, trees.map(_spec_of, self.arguments), lambda shape: shape)

    def check_unknown_size(self, backend: Any) -> None:
        """Leave the leading size unknown: it must be unknown in the result, and nothing else may change."""
        arguments = [trees.map(_spec_of, x) for x in self.arguments]
        for index in self.unknown:
            x = self.arguments[index]
            arguments[index] = _spec_of(x, (None, *x.shape[1:]))
        self._infer(backend, tuple(arguments), lambda shape: (None, *shape[1:]))

    def _infer(self, backend: Any, arguments: tuple, wanted: Callable) -> None:
        results = trees.leaves(self.call(backend, arguments))
        for actual, right in zip(results, trees.leaves(self.expected), strict=True):
            expected = wanted(right.shape), right.dtype.name
            if (actual.shape, actual.dtype) != expected:
                given = trees.leaves(arguments)
                raise ConformanceError(
                    f"Expected shape inference of {self.name} on {given} to find {expected}. Received: {actual}."
                )


def _spec_of(x: Any, shape: tuple | None = None) -> Any:
    return spec.array_of(x.shape if shape is None else shape, x.dtype.name) if isinstance(x, np.ndarray) else x


def weighted_sum(backend: Any, tree: Any) -> Any:
    """Multiply the float results of a call by fixed weights, and sum them all."""
    floats = [x for x in trees.leaves(tree) if dtypes.is_float(backend.dtype(x))]
    total = None
    for index, x in enumerate(floats):
        weights = backend.array(weights_like(backend.shape(x), index), backend.dtype(x))
        part = backend.sum(backend.multiply(x, weights))
        total = part if total is None else backend.add(total, part)
    return total


def central_differences(function: Callable, x: np.ndarray) -> np.ndarray:
    """Return the gradient of a function without arguments by an array that it reads."""
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        middle = x[index]
        step = 1e-5 * max(1.0, float(abs(middle)))
        x[index] = middle + step
        above = function()
        x[index] = middle - step
        gradient[index] = (above - function()) / (2 * step)
        x[index] = middle
    return gradient
