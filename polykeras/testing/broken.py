"""Adapters with deliberate faults, which the suite has to find.

A suite that never fails proves nothing. Each class below is a correct adapter with one mistake of
a kind that real adapters make; ``caught_by`` is part of the names of the checks that find it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from polykeras.backends.contract.spec import SpecArray, SpecBackend
from polykeras.backends.numpy.adapter import NumpyBackend
from polykeras.core import trees
from polykeras.core.types import Array

FAULTS: list[Any] = []


def fault(caught_by: str) -> Callable:
    """Add an adapter to the list, with part of the names of the checks that find its fault."""

    def add(adapter: Any) -> Any:
        adapter.name = adapter.__name__
        adapter.caught_by = caught_by
        FAULTS.append(adapter)
        return adapter

    return add


@fault("signature of sum")
class RenamesAnArgument(NumpyBackend):
    def sum(self, x: Array, axis: tuple | None = None, keepdims: bool = False) -> Array:
        return super().sum(x, axis, keepdims)


@fault("value of add")
class PromotesHalfPrecision(NumpyBackend):
    @staticmethod
    def add(x: Array, y: Array, /) -> Array:
        result = NumpyBackend.add(x, y)
        return result.astype(np.float32) if result.dtype == np.float16 else result


@fault("value of maximum")
class OverlooksNaN(NumpyBackend):
    maximum = staticmethod(np.errstate(all="ignore")(np.fmax))


@fault("value of floor_divide")
class DividesTowardsZero(NumpyBackend):
    @staticmethod
    def floor_divide(x: Array, y: Array, /) -> Array:
        kind = np.result_type(x, y)
        with np.errstate(all="ignore"):
            return np.trunc(np.true_divide(x, y)).astype(kind)


@fault("value of right_shift")
class ShiftsZerosIntoTheSign(NumpyBackend):
    @staticmethod
    def right_shift(x: Array, y: Array, /) -> Array:
        if isinstance(x, np.ndarray) and x.dtype.kind == "i":
            return (x.view(f"u{x.itemsize}") >> np.asarray(y).astype(f"u{x.itemsize}")).view(x.dtype)
        return NumpyBackend.right_shift(x, y)


@fault("value of round")
class RoundsHalvesUp(NumpyBackend):
    @staticmethod
    def round(x: Array, /) -> Array:
        return np.floor(x + np.asarray(0.5, x.dtype))


@fault("casts between all dtypes")
class RoundsInCasts(NumpyBackend):
    def cast(self, x: Array, dtype: str) -> Array:
        whole = dtype.startswith(("int", "uint"))
        return super().cast(np.rint(x) if whole and isinstance(x, np.ndarray) and x.dtype.kind == "f" else x, dtype)


@fault("value of prod")
class ForgetsKeepdims(NumpyBackend):
    def prod(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        return super().prod(x, axes, keepdims and axes is not None)


@fault("shares the gradient between equal extremes")
class GivesTiesToTheFirst(NumpyBackend):
    def max(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        if axes is None or len(axes) != 1:
            return super().max(x, axes, keepdims)
        best = self.take_along_axis(x, np.expand_dims(self.argmax(x, axes[0]), axes[0]), axes[0])
        return best if keepdims else self.sum(best, axes)


@fault("value of argsort")
class SortsUnstably(NumpyBackend):
    def argsort(self, x: Array, axis: int) -> Array:
        # The last of equal entries comes first.
        return np.array(x.shape[axis] - 1, np.int32) - super().argsort(np.flip(x, axis), axis)


@fault("value of dynamic_slice")
class SlicesBeyondTheEnd(NumpyBackend):
    def dynamic_slice(self, x: Array, start: Any, sizes: tuple) -> Array:
        return x[tuple(slice(int(s), int(s) + n) for s, n in zip(start, sizes, strict=True))]


@fault("value of scatter_add")
class LosesRepeatedIndices(NumpyBackend):
    def scatter_add(self, x: Array, indices: Array, updates: Array) -> Array:
        result = np.array(x)
        result[tuple(indices.T)] += updates
        return result


@fault("keeps its arguments unchanged")
class WritesIntoItsArgument(NumpyBackend):
    def scatter_set(self, x: Array, indices: Array, updates: Array) -> Array:
        x[tuple(indices.T)] = updates
        return x


@fault("tells the values of 0d arrays")
class KeepsKnownValuesAsArrays(NumpyBackend):
    def concrete(self, x: Array) -> Any:
        return x


@fault("gradient of conv")
class CutsTheGradientOfItsKernel(NumpyBackend):
    def conv(
        self,
        x: Array,
        kernel: Array,
        strides: tuple,
        padding: str,
        dilation: tuple,
        groups: int = 1,
        channels_last: bool = True,
    ) -> Array:
        kernel = self.stop_gradient(kernel) if groups > 1 else kernel
        return super().conv(x, kernel, strides, padding, dilation, groups, channels_last)


@fault("value of conv")
class PadsTheLargerHalfInFront(NumpyBackend):
    def _spatial_widths(self, *arguments: Any) -> list[tuple[int, int]]:
        return [pair[::-1] for pair in super()._spatial_widths(*arguments)]


@fault("value of pool")
class AveragesThePadding(NumpyBackend):
    def pool(
        self,
        x: Array,
        mode: str,
        window: tuple,
        strides: tuple,
        padding: str,
        channels_last: bool = True,
    ) -> Array:
        if mode == "average" and padding == "same" and channels_last:
            x = self._pad_spatial(x, window, strides, padding, (1,) * len(window), 0.0)
            padding = "valid"
        return super().pool(x, mode, window, strides, padding, channels_last)


@fault("value of random_bits")
class MixesOnce(NumpyBackend):
    def random_bits(self, key: tuple, shape: tuple) -> Array:
        bits = super().random_bits(key, shape)
        return bits & 0x7FFFFFFF


@fault("differentiates scans")
class CutsTheGradientThroughTime(NumpyBackend):
    def scan(self, step: Any, carry: Any, xs: Any, length: int | None = None, reverse: bool = False) -> tuple:
        return super().scan(lambda c, x: step(trees.map(self.stop_gradient, c), x), carry, xs, length, reverse)


@fault("scans from the last entry")
class LeavesOutputsInTheOrderOfTheRun(NumpyBackend):
    def scan(self, step: Any, carry: Any, xs: Any, length: int | None = None, reverse: bool = False) -> tuple:
        xs = trees.map(lambda x: np.flip(x, 0), xs) if reverse else xs
        return super().scan(step, carry, xs, length)


@fault("repeats while a condition holds")
class LoopsAtLeastOnce(NumpyBackend):
    def while_loop(self, condition: Any, body: Any, values: tuple) -> tuple:
        return super().while_loop(condition, body, tuple(body(*values)))


@fault("gives zeros where the value does not depend")
class GivesNoneForZeros(NumpyBackend):
    def value_and_grad(self, function: Any, arrays: list) -> tuple:
        result, gradients = super().value_and_grad(function, arrays)
        return result, [g if np.any(g) else None for g in gradients]


@fault("stops gradients")
class LetsGradientsThrough(NumpyBackend):
    def stop_gradient(self, x: Array) -> Array:
        return x


@fault("takes custom gradients")
class IgnoresCustomGradients(NumpyBackend):
    def custom_gradient(self, function: Any) -> Any:
        return lambda *arrays: function(*arrays)[0]


@fault("compiles steps")
class ReturnsTheOldState(NumpyBackend):
    def compile(self, function: Any, donate: bool = False, optimize: bool | None = None) -> Any:
        return lambda state, *inputs: (state, function(state, *inputs)[1])


@fault("shape of pool")
class OverlooksTheStride(SpecBackend):
    def pool(
        self,
        x: SpecArray,
        mode: str,
        window: tuple,
        strides: tuple,
        padding: str,
        channels_last: bool = True,
    ) -> SpecArray:
        return super().pool(x, mode, window, (1,) * len(window), padding, channels_last)


@fault("unknown size of flip")
class GuessesTheBatch(SpecBackend):
    def flip(self, x: SpecArray, axes: tuple) -> SpecArray:
        return SpecArray(tuple(1 if n is None else n for n in x.shape), x.dtype)
