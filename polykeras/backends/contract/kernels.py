"""Kernels: operations that an engine may have a fast path for, each with a default implementation.

Every default is a composite of primitives. It is correct on any engine, and is the reference against which
the conformance suite checks the values and gradients of an override. An adapter overrides a kernel by
defining a method with the same name and signature; if its fast path covers only some
arguments, it checks them first and calls ``super()`` for the others.

Images and sequences are (batch, *spatial, channels) if ``channels_last``, otherwise
(batch, channels, *spatial). Convolution kernels are (*window, channels in / groups, channels out).
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any, cast

from polykeras.backends.contract.interface import Primitives
from polykeras.core import trees, window_geometry
from polykeras.core.types import Array, Function

_WORD = 0xFFFFFFFF
_HALF = ("float16", "bfloat16")


def in_single_precision(kernel: Function) -> Function:
    """Let a kernel compute float16 and bfloat16 inputs in float32, and round results to the dtype of the last one.

    Sums in float16 overflow above 65504, and in bfloat16 a sum of ones stops growing at 256.
    """

    @functools.wraps(kernel)
    def method(self: Any, *arrays: Any, **options: Any) -> Any:
        if self.dtype(arrays[0]) == "float32":  # the common case, decided by the first array alone
            return kernel(self, *arrays, **options)
        found = [self.dtype(a) if self.is_array(a) else None for a in arrays]
        halves = [name for name in found if name in _HALF]
        if not halves:
            return kernel(self, *arrays, **options)
        wide = [self.cast(a, "float32") if name in _HALF else a for a, name in zip(arrays, found, strict=True)]
        return trees.map(lambda x: self.cast(x, halves[-1]), kernel(self, *wide, **options))

    return cast(Function, method)


def _signed(word: int) -> int:
    """Return the int32 with the bits of an unsigned 32-bit word."""
    word &= _WORD
    return word - (1 << 32) if word >> 31 else word


class Kernels(Primitives):
    """Default composites of the primitives."""

    # ----------------------------------------------------------- activations

    def square(self, x: Array, /) -> Array:
        """Return x * x."""
        return self.multiply(x, x)

    def rsqrt(self, x: Array, /) -> Array:
        """Return 1 / sqrt(x)."""
        return self.divide(1.0, self.sqrt(x))

    def relu(self, x: Array, /) -> Array:
        """Return max(x, 0); the gradient at 0 is 0."""
        return self.where(self.greater(x, 0), x, self.full((), 0, self.dtype(x)))

    def sigmoid(self, x: Array, /) -> Array:
        """Return 1 / (1 + exp(-x)), finite for every x."""
        return self.add(self.multiply(self.tanh(self.multiply(x, 0.5)), 0.5), 0.5)

    def softplus(self, x: Array, /) -> Array:
        """Return log(1 + exp(x)), finite for every x."""
        return self.add(self.relu(x), self._soft_corner(x))

    def _soft_corner(self, x: Array) -> Array:
        """Return log(1 + exp(-|x|)), the difference of softplus and relu; at 0 the gradient is 1/2, as from below."""
        return self.log1p(self.exp(self.where(self.greater(x, 0), self.negative(x), x)))

    def elu(self, x: Array, /) -> Array:
        """Return x where x is positive, else exp(x) - 1; the gradient at 0 is 1."""
        above = self.greater(x, 0)
        return self.where(above, x, self.expm1(self.where(above, self.full((), 0, self.dtype(x)), x)))

    def selu(self, x: Array, /) -> Array:
        """Return the scaled ELU of self-normalizing networks; the gradient at 0 is the one from above."""
        below = self.multiply(self.elu(x), 1.6732632423543772)
        return self.multiply(self.where(self.less(x, 0), below, x), 1.0507009873554805)

    def silu(self, x: Array, /) -> Array:
        """Return x * sigmoid(x)."""
        return self.multiply(x, self.sigmoid(x))

    def gelu(self, x: Array, approximate: bool = False) -> Array:
        """Return x times the standard normal cumulative distribution function of x, or its tanh approximation."""
        if approximate:
            cubic = self.multiply(self.multiply(self.multiply(x, x), x), 0.044715)
            inner = self.multiply(self.add(x, cubic), math.sqrt(2 / math.pi))
            return self.multiply(self.multiply(x, 0.5), self.add(self.tanh(inner), 1.0))
        normal = self.add(self.erf(self.multiply(x, math.sqrt(0.5))), 1.0)
        return self.multiply(self.multiply(x, 0.5), normal)

    @in_single_precision
    def logsumexp(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        """Return log(sum(exp(x))) without overflow; -inf where every x is -inf."""
        largest = self.stop_gradient(self.max(x, axes, True))
        largest = self.where(self.isfinite(largest), largest, self.full((), 0, self.dtype(x)))
        total = self.log(self.sum(self.exp(self.subtract(x, largest)), axes, keepdims))
        return self.add(total, largest if keepdims else self.sum(largest, axes, False))

    @in_single_precision
    def softmax(self, x: Array, axis: int = -1) -> Array:
        """Return exp(x), scaled to sum to 1 along an axis."""
        if self.shape(x)[axis] == 0:
            return x
        largest = self.stop_gradient(self.max(x, (axis,), True))
        exponents = self.exp(self.subtract(x, largest))
        return self.divide(exponents, self.sum(exponents, (axis,), True))

    @in_single_precision
    def log_softmax(self, x: Array, axis: int = -1) -> Array:
        """Return log(softmax(x)) without overflow."""
        if self.shape(x)[axis] == 0:
            return x
        shifted = self.subtract(x, self.stop_gradient(self.max(x, (axis,), True)))
        return self.subtract(shifted, self.log(self.sum(self.exp(shifted), (axis,), True)))

    # --------------------------------------------------------- cross-entropies

    @in_single_precision
    def sigmoid_cross_entropy(self, labels: Array, logits: Array) -> Array:
        """Return ``-labels log(p) - (1 - labels) log(1 - p)`` with p = sigmoid(logits)."""
        positive = self.subtract(self.relu(logits), self.multiply(logits, labels))
        return self.add(positive, self._soft_corner(logits))

    @in_single_precision
    def binary_cross_entropy(self, labels: Array, probabilities: Array, epsilon: float) -> Array:
        """Return ``-labels log(p) - (1 - labels) log(1 - p)``, with p clipped to [epsilon, 1 - epsilon]."""
        probabilities = self.minimum(self.maximum(probabilities, epsilon), 1.0 - epsilon)
        positive = self.multiply(labels, self.log(probabilities))
        negative = self.multiply(self.subtract(1.0, labels), self.log(self.subtract(1.0, probabilities)))
        return self.negative(self.add(positive, negative))

    @in_single_precision
    def softmax_cross_entropy(self, labels: Array, logits: Array, axis: int = -1) -> Array:
        """Return ``-sum(labels * log_softmax(logits))`` along one axis."""
        return self.negative(self.sum(self.multiply(labels, self.log_softmax(logits, axis)), (axis,)))

    @in_single_precision
    def sparse_softmax_cross_entropy(self, labels: Array, logits: Array) -> Array:
        """Return ``-log_softmax(logits)[labels]`` for int labels, over the last axis."""
        index = self.reshape(labels, (*self.shape(labels), 1))
        picked = self.take_along_axis(self.log_softmax(logits, -1), index, -1)
        return self.negative(self.sum(picked, (-1,)))

    # ---------------------------------------------------- reductions, selection

    @in_single_precision
    def mean(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        """Return the mean of floats; the mean of no values is NaN."""
        shape = self.shape(x)
        sizes = [shape[a] for a in (range(len(shape)) if axes is None else axes)]
        count = math.prod(sizes) if None not in sizes else 1
        total = self.sum(x, axes, keepdims)
        return self.divide(total, float(count)) if count else self.divide(total, self.full((), 0, self.dtype(x)))

    @in_single_precision
    def moments(self, x: Array, axes: tuple, keepdims: bool = False) -> tuple[Array, Array]:
        """Return the mean and the (population) variance of floats."""
        mean = self.mean(x, axes, True)
        variance = self.mean(self.square(self.subtract(x, mean)), axes, keepdims)
        return (mean if keepdims else self.sum(mean, axes)), variance

    def top_k(self, x: Array, k: int) -> tuple[Array, Array]:
        """Return the k largest values along the last axis in descending order, and their int32 indices."""
        order = self.argsort(self.negative(x), -1)
        index = self.getitem(order, (..., slice(0, k)))
        return self.take_along_axis(x, index, -1), index

    def one_hot(self, x: Array, classes: int, dtype: str) -> Array:
        """Return one-hot vectors along a new last axis; zeros for indices out of range."""
        indices = self.arange(0, classes, 1, self.dtype(x))
        return self.cast(self.equal(self.reshape(x, (*self.shape(x), 1)), indices), dtype)

    def stack(self, arrays: Sequence[Array], axis: int = 0) -> Array:
        """Join arrays of the same shape along a new axis."""
        index: list[slice | None] = [slice(None)] * (len(self.shape(arrays[0])) + 1)
        index[axis] = None
        return self.concatenate([self.getitem(x, tuple(index)) for x in arrays], axis)

    # ----------------------------------------------------------- dense, embedding

    def dense(self, x: Array, kernel: Array, bias: Array | None) -> Array:
        """Return ``x @ kernel + bias`` over the last axis of x, which has rank 1 or more."""
        product = self.matmul(x, kernel)
        return product if bias is None else self.add(product, bias)

    def dense_together(self, x: Array, kernels: list, biases: list) -> list:
        """Return ``dense`` of one x with several kernels; the biases are arrays, or all None."""
        return [self.dense(x, kernel, bias) for kernel, bias in zip(kernels, biases, strict=True)]

    def embedding(self, table: Array, indices: Array) -> Array:
        """Return rows of a table; gradients of repeated indices add up."""
        return self.take(table, indices, 0)

    # -------------------------------------------------- convolution and pooling

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
        """Cross-correlate x with a kernel. ``padding`` is "valid" or "same"."""
        if not channels_last:
            return self._as_channels_last(self.conv, x, kernel, strides, padding, dilation, groups)
        shape = self.shape(kernel)
        windows, (width, filters) = shape[:-2], shape[-2:]
        x = self._pad_spatial(x, windows, strides, padding, dilation, 0)
        if groups > 1 and width == 1:
            x = self._repeat_channels(x, filters // groups)
        total = None
        for offset in itertools.product(*map(range, windows)):
            part = self._shifted(x, offset, windows, strides, dilation)
            part = self._grouped_matmul(part, self.getitem(kernel, offset), groups)
            total = part if total is None else self.add(total, part)
        return total

    def conv_transpose(
        self,
        x: Array,
        kernel: Array,
        strides: tuple,
        padding: str,
        output_padding: tuple | None,
        dilation: tuple,
        channels_last: bool = True,
    ) -> Array:
        """Return the transpose (gradient) of ``conv``; kernel is (*window, channels out, channels in)."""
        if not channels_last:
            arguments = (x, kernel, strides, padding, output_padding, dilation)
            return self._as_channels_last(self.conv_transpose, *arguments)
        rank = len(strides)
        extra = output_padding or (None,) * rank
        x = self._insert_zeros(x, strides)
        widths = [(0, 0)]
        for window, stride, step, more in zip(self.shape(kernel), strides, dilation, extra, strict=False):
            before, after = window_geometry.transposed_crop(window, stride, padding, step, more)
            border = window_geometry.spread(window, step) - 1
            widths.append((border - before, border - after))
        index = tuple(slice(max(-a, 0), -max(-b, 0) or None) for a, b in widths)
        x = self.getitem(x, index)
        x = self.pad(x, [(max(a, 0), max(b, 0)) for a, b in widths] + [(0, 0)])
        kernel = self.flip(kernel, tuple(range(rank)))
        kernel = self.transpose(kernel, (*range(rank), rank + 1, rank))
        return self.conv(x, kernel, (1,) * rank, "valid", dilation)

    @in_single_precision
    def pool(
        self,
        x: Array,
        mode: str,
        window: tuple,
        strides: tuple,
        padding: str,
        channels_last: bool = True,
    ) -> Array:
        """Reduce windows by "max" or "average", ignoring the padding. The gradient of a maximum goes to the first."""
        if not channels_last:
            return self._as_channels_last(self.pool, x, mode, window, strides, padding)
        ones = (1,) * len(window)
        fill = 0.0 if mode == "average" else self._lowest(x)
        padded = self._pad_spatial(x, window, strides, padding, ones, fill)
        total = None
        for offset in itertools.product(*map(range, window)):
            part = self._shifted(padded, offset, window, strides, ones)
            if total is None:
                total = part
            elif mode == "average":
                total = self.add(total, part)
            else:
                total = self.where(self.greater(part, total), part, total)
        if mode == "max":
            return total
        if padding == "valid":
            return self.divide(total, float(math.prod(window)))
        area = self.full((1, *self.shape(x)[1:-1], 1), 1.0, self.dtype(x))
        area = self.pad(area, self._spatial_widths(x, window, strides, padding, ones))
        shifts = itertools.product(*map(range, window))
        counts = [self._shifted(area, offset, window, strides, ones) for offset in shifts]
        return self.divide(total, sum(counts[1:], counts[0]))

    def _as_channels_last(self, kernel: Any, x: Array, *arguments: Any) -> Array:
        rank = len(self.shape(x))
        x = self.transpose(x, window_geometry.to_channels_last(rank))
        return self.transpose(kernel(x, *arguments), window_geometry.to_channels_first(rank))

    def _spatial_widths(
        self, x: Array, windows: tuple, strides: tuple, padding: str, dilation: tuple
    ) -> list[tuple[int, int]]:
        sizes = self.shape(x)[1:-1]
        columns = zip(sizes, windows, strides, dilation, strict=True)
        pairs = [window_geometry.padding_pair(n, w, s, padding, d) for n, w, s, d in columns]
        return [(0, 0), *pairs, (0, 0)]

    def _pad_spatial(
        self, x: Array, windows: tuple, strides: tuple, padding: str, dilation: tuple, value: float
    ) -> Array:
        if padding == "valid":
            return x
        return self.pad(x, self._spatial_widths(x, windows, strides, padding, dilation), value)

    def _shifted(self, x: Array, offset: tuple, windows: tuple, strides: tuple, dilation: tuple) -> Array:
        """Return the entries at one offset of all windows."""
        index = [slice(None)]
        columns = zip(self.shape(x)[1:-1], offset, windows, strides, dilation, strict=True)
        for size, offset, window, stride, step in columns:
            start, covered = offset * step, window_geometry.spread(window, step)
            index.append(slice(start, start + (size - covered) // stride * stride + 1, stride))
        return self.getitem(x, tuple(index))

    def _grouped_matmul(self, x: Array, matrix: Array, groups: int) -> Array:
        if groups == 1:
            return self.matmul(x, matrix)
        shape, (width, filters) = self.shape(x), self.shape(matrix)
        if width == 1:
            return self.multiply(x, matrix)  # in place of matrices of size 1, which take much longer
        x = self.reshape(x, (*shape[:-1], groups, width))
        matrix = self.reshape(matrix, (width, groups, filters // groups))
        result = self.einsum("...gi,igo->...go", x, matrix)
        return self.reshape(result, (*shape[:-1], filters))

    def _repeat_channels(self, x: Array, count: int) -> Array:
        if count == 1:
            return x
        shape = self.shape(x)
        wide = self.broadcast_to(self.reshape(x, (*shape, 1)), (*shape, count))
        return self.reshape(wide, (*shape[:-1], shape[-1] * count))

    def _insert_zeros(self, x: Array, strides: tuple) -> Array:
        """Insert stride - 1 zeros between the entries along each spatial axis."""
        for axis, stride in enumerate(strides, 1):
            if stride == 1:
                continue
            shape = self.shape(x)
            wide = self.reshape(x, (*shape[: axis + 1], 1, *shape[axis + 1 :]))
            widths = [(0, 0)] * len(shape)
            wide = self.pad(wide, [*widths[: axis + 1], (0, stride - 1), *widths[axis + 1 :]])
            x = self.reshape(wide, (*shape[:axis], shape[axis] * stride, *shape[axis + 1 :]))
            x = self.getitem(x, (slice(None),) * axis + (slice(0, 1 - stride),))
        return x

    def _lowest(self, x: Array) -> float:
        dtype = self.dtype(x)
        if dtype.startswith(("float", "bfloat")):
            return -math.inf
        bits = int(dtype.lstrip("uint"))
        return 0 if dtype.startswith("u") else -(1 << (bits - 1))

    # ------------------------------------------------ normalization, attention

    @in_single_precision
    def normalize(
        self,
        x: Array,
        mean: Array,
        variance: Array,
        gamma: Array | None,
        beta: Array | None,
        epsilon: float,
    ) -> Array:
        """Return ``(x - mean) / sqrt(variance + epsilon) * gamma + beta``; all broadcast to x."""
        scale = self.rsqrt(self.add(variance, epsilon))
        scale = scale if gamma is None else self.multiply(scale, gamma)
        shift = self.negative(self.multiply(mean, scale))
        shift = shift if beta is None else self.add(shift, beta)
        return self.add(self.multiply(x, scale), shift)

    @in_single_precision
    def batch_norm(
        self, x: Array, gamma: Array | None, beta: Array | None, axis: int, epsilon: float
    ) -> tuple[Array, Array, Array]:
        """Normalize over all axes but one; return (result, mean, population variance).

        ``gamma``, ``beta``, mean and variance are vectors along ``axis``. The returned mean and
        variance carry no gradient.
        """
        rank = len(self.shape(x))
        axes = tuple(a for a in range(rank) if a != axis % rank)
        mean, variance = self.moments(x, axes)
        shape = [1] * rank
        shape[axis] = self.shape(x)[axis]
        columns = (mean, variance, gamma, beta)
        wide = [None if v is None else self.reshape(v, tuple(shape)) for v in columns]
        center, spread, factor, shift = wide
        return self.normalize(x, center, spread, factor, shift, epsilon), mean, variance

    @in_single_precision
    def layer_norm(self, x: Array, gamma: Array | None, beta: Array | None, axes: tuple, epsilon: float) -> Array:
        """Normalize each sample over ``axes``; ``gamma`` and ``beta`` broadcast to x."""
        return self.normalize(x, *self.moments(x, axes, True), gamma, beta, epsilon)

    @in_single_precision
    def attention(
        self,
        query: Array,
        key: Array,
        value: Array,
        mask: Array | None,
        bias: Array | None,
        scale: float,
        causal: bool,
    ) -> Array:
        """Return softmax(scale * q k + bias) v, for (batch, length, heads, size) arrays.

        ``mask`` (True: attend) and ``bias`` broadcast to (batch, heads, queries, keys). A query
        that may attend to nothing gets the mean of all values, as for a very negative bias.
        """
        # Matrix products with the scale on the smaller operand; an einsum of the scores took 1.5 times as long on JAX.
        query, value = (self.transpose(a, (0, 2, 1, 3)) for a in (query, value))
        scores = self.matmul(self.multiply(query, scale), self.transpose(key, (0, 2, 3, 1)))
        dtype = self.dtype(scores)
        if bias is not None:
            scores = self.add(scores, bias)
        lowest = self.full((), -3e4 if dtype == "float16" else -1e30, dtype)
        if mask is not None:
            scores = self.where(mask, scores, lowest)
        if causal:
            queries, keys = (self.arange(0, n, 1, "int32") for n in self.shape(scores)[2:])
            seen = self.greater_equal(self.getitem(queries, (slice(None), None)), keys)
            scores = self.where(seen, scores, lowest)
        return self.transpose(self.matmul(self.softmax(scores, -1), value), (0, 2, 1, 3))

    # -------------------------------------------------------------- recurrence
    #
    # ``x`` is (batch, time, features), states are (batch, units). Where ``mask``, (batch, time), is
    # False, the states are not updated.

    def lstm(
        self,
        x: Array,
        h: Array,
        c: Array,
        kernel: Array,
        recurrent_kernel: Array,
        bias: Array | None,
        mask: Array | None,
    ) -> tuple[Array, Array, Array]:
        """Return (h after every step, the last h, the last c) of a long short-term memory (LSTM).

        The columns of ``kernel`` (features, 4 units), ``recurrent_kernel`` (units, 4 units) and
        ``bias`` belong to the input gate, the forget gate, the candidate, and the output gate.

        S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory" (1997); the forget gate is from
        F. A. Gers et al., "Learning to Forget" (2000).
        """
        projected = self._time_first(self.dense(x, kernel, bias))
        (sequence, _), (h, c) = self._lstm_states(projected, h, c, recurrent_kernel, mask)
        return self._time_first(sequence), h, c

    def gru(
        self, x: Array, h: Array, kernel: Array, recurrent_kernel: Array, bias: Array | None, mask: Array | None
    ) -> tuple[Array, Array]:
        """Return (h after every step, the last h) of gated recurrent units (GRU) with reset after the matrix product.

        The columns of ``kernel`` (features, 3 units), ``recurrent_kernel`` (units, 3 units) and
        ``bias`` (2, 3 units) belong to the update gate, the reset gate, and the candidate; the
        second row of the bias is added to the product with the recurrent kernel.

        K. Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder" (2014).
        """
        first, second = self._bias_rows(bias)
        projected = self._time_first(self.dense(x, kernel, first))
        (sequence,), (h,) = self._gru_states(projected, h, recurrent_kernel, second, mask)
        return self._time_first(sequence), h

    def _lstm_states(self, projected: Array, h: Array, c: Array, recurrent_kernel: Array, mask: Array | None) -> tuple:
        def advance(states: tuple, gates: Array) -> tuple:
            h, c = states
            entry, forget, candidate, output = self._gates(self.add(gates, self.matmul(h, recurrent_kernel)), 4)
            kept = self.multiply(self.sigmoid(forget), c)
            c = self.add(kept, self.multiply(self.sigmoid(entry), self.tanh(candidate)))
            return self.multiply(self.sigmoid(output), self.tanh(c)), c

        return self._recur(advance, (h, c), projected, mask)

    def _gru_states(
        self, projected: Array, h: Array, recurrent_kernel: Array, bias: Array | None, mask: Array | None
    ) -> tuple:
        def advance(states: tuple, gates: Array) -> tuple:
            (h,) = states
            update, _, candidate, _ = self._gru_parts(gates, h, recurrent_kernel, bias)
            return (self.add(candidate, self.multiply(update, self.subtract(h, candidate))),)

        return self._recur(advance, (h,), projected, mask)

    def _gru_parts(self, gates: Array, h: Array, recurrent_kernel: Array, bias: Array | None) -> tuple:
        """Return the update gate, the reset gate, the candidate, and what the reset gate is applied to."""
        update, reset, candidate = self._gates(gates, 3)
        to_update, to_reset, inner = self._gates(self.dense(h, recurrent_kernel, bias), 3)
        update, reset = self.sigmoid(self.add(update, to_update)), self.sigmoid(self.add(reset, to_reset))
        return update, reset, self.tanh(self.add(candidate, self.multiply(reset, inner))), inner

    def _bias_rows(self, bias: Array | None) -> tuple:
        return (None, None) if bias is None else (self.getitem(bias, (0,)), self.getitem(bias, (1,)))

    def _gates(self, x: Array, count: int) -> list[Array]:
        """Split the last axis into equal parts."""
        size = self.shape(x)[-1] // count
        return [self.getitem(x, (..., slice(n * size, (n + 1) * size))) for n in range(count)]

    def _time_first(self, x: Array) -> Array:
        """Swap the batch and time axes."""
        return self.transpose(x, (1, 0, 2))

    def _mask_steps(self, mask: Array | None) -> Array | None:
        return None if mask is None else self._time_first(self.getitem(mask, (slice(None), slice(None), None)))

    def _recur(self, advance: Any, states: tuple, inputs: Array, mask: Array | None) -> tuple[tuple, tuple]:
        """Run ``states = advance(states, inputs)`` over time; return the states after all steps, and the last."""

        def step(states: tuple, row: tuple) -> tuple:
            inputs, counts = row
            updated = advance(states, inputs)
            if counts is not None:
                updated = tuple(self.where(counts, new, old) for new, old in zip(updated, states, strict=True))
            return updated, updated

        states, sequences = self._over_time(step, states, (inputs, self._mask_steps(mask)))
        return sequences, states

    def _over_time(self, step: Any, states: tuple, rows: tuple) -> tuple:
        return self.scan(step, states, rows)

    # --------------------------------------------------------------- random bits

    def random_bits(self, key: tuple, shape: tuple) -> Array:
        """Return an int32 array of random bits, the same on every engine.

        Args:
            key: two well-mixed 32-bit words, as Python ints or 0-d int32 arrays.
            shape: tuple of ints.

        Entry i is ``mix(mix(i ^ key[0]) + key[1])`` in 32-bit arithmetic, with i the index in
        row-major order and ``mix`` the finalizer "lowbias32" of C. Wellons, "Prospecting for
        Hash Functions" (2018), https://nullprogram.com/blog/2018/07/31/.
        """
        first, second = (_signed(k) if isinstance(k, int) else k for k in key)
        index = self.arange(0, math.prod(shape), 1, "int32")
        bits = self.mix_bits(self.bitwise_xor(index, first))
        return self.reshape(self.mix_bits(self.add(bits, second)), shape)

    def mix_bits(self, x: Array) -> Array:
        """Return a bijective hash of int32 values."""
        for shift, factor in ((16, 0x7FEB352D), (15, _signed(0x846CA68B))):
            x = self.multiply(self.bitwise_xor(x, self._unsigned_shift(x, shift)), factor)
        return self.bitwise_xor(x, self._unsigned_shift(x, 16))

    def _unsigned_shift(self, x: Array, shift: int) -> Array:
        return self.bitwise_and(self.right_shift(x, shift), (1 << (32 - shift)) - 1)

    # --------------------------------------------------------- optimizer updates
    #
    # Lists run over the weights. ``rate`` and the other scalars are Python floats or 0-d
    # float32 arrays. An update consumes its weights and state arguments: it may write its
    # results into their memory.

    def sgd_update(
        self, weights: list, gradients: list, velocities: list | None, rate: Any, momentum: float, nesterov: bool
    ) -> tuple[list, list | None]:
        """Return (weights, velocities) after a step of stochastic gradient descent."""
        if velocities is None:
            return [self._step(w, g, rate) for w, g in zip(weights, gradients, strict=True)], None
        updated, moved = [], []
        for weight, gradient, velocity in zip(weights, gradients, velocities, strict=True):
            push = self.multiply(gradient, self._scalar(rate, weight))
            kept = self._scalar(momentum, weight)
            velocity = self.subtract(self.multiply(velocity, kept), push)
            ahead = self.subtract(self.multiply(velocity, kept), push) if nesterov else velocity
            updated.append(self.add(weight, ahead))
            moved.append(velocity)
        return updated, moved

    def adam_update(
        self,
        weights: list,
        gradients: list,
        momentums: list,
        velocities: list,
        largest: list | None,
        rate: Any,
        beta_1: float,
        beta_2: float,
        epsilon: float,
    ) -> tuple[list, list, list, list | None]:
        """Return (weights, momentums, velocities, largest velocities) after a step of Adam.

        ``rate`` includes the bias correction; ``largest`` is given for AMSGrad only.
        """
        updated, firsts, seconds, tops = [], [], [], []
        columns = zip(weights, gradients, momentums, velocities, strict=True)
        for index, (weight, gradient, first, second) in enumerate(columns):
            new = self._scalar(1 - beta_1, weight)
            first = self.add(first, self.multiply(self.subtract(gradient, first), new))
            rise = self.subtract(self.multiply(gradient, gradient), second)
            second = self.add(second, self.multiply(rise, 1 - beta_2))
            top = second
            if largest is not None:
                top = self.maximum(largest[index], second)
                tops.append(top)
            direction = self.divide(first, self.add(self.sqrt(top), self._scalar(epsilon, weight)))
            updated.append(self._step(weight, direction, rate))
            firsts.append(first)
            seconds.append(second)
        return updated, firsts, seconds, None if largest is None else tops

    def adam_decay(self, beta_2: float) -> float:
        """Return the effective decay rate that ``adam_update`` uses for ``beta_2``, for the bias correction.

        With ``1 - beta_2`` computed in single precision, the effective rate is off by 1e-5.
        """
        return beta_2

    def _step(self, weight: Array, direction: Array, rate: Any) -> Array:
        return self.subtract(weight, self.multiply(direction, self._scalar(rate, weight)))

    def _scalar(self, value: Any, like: Array) -> Any:
        """Return a scalar operand for ``like``: a Python number unchanged, an array in its dtype."""
        return self.cast(value, self.dtype(like)) if self.is_array(value) else value
