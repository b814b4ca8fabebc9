"""Floats of 8 bits, and floats that take the values of integers while they are trained."""

from __future__ import annotations

from typing import Any

import ml_dtypes

from polykeras import ops
from polykeras.core import dtypes


def compute_float8_scale(amax: Any, scale: Any, dtype_max: Any, margin: int = 0) -> Any:
    """Return the scale with which the largest magnitudes of the past become the largest value of a dtype.

    Args:
        amax: array, largest magnitude of the past.
        scale: array, the scale until now, which stays where ``amax`` is 0 or infinite.
        dtype_max: float, largest value of the dtype.
        margin: int, powers of two to leave free; default 0.

    Source: NVIDIA, "Transformer Engine", delayed scaling, https://docs.nvidia.com/deeplearning/transformer-engine.

    >>> float(compute_float8_scale(8.0, 1.0, 256.0))
    0.03125
    """
    amax = ops.convert_to_tensor(amax)
    usable = ops.logical_and(amax > 0, ops.isfinite(amax))
    return ops.where(usable, ops.where(usable, amax, 1.0) * 2.0**margin / dtype_max, scale)


def compute_float8_amax_history(x: Any, amax_history: Any) -> Any:
    """Return the largest magnitudes of the past, without the oldest and with that of an array in front.

    Args:
        x: array, any shape.
        amax_history: array (length,); its second element is the oldest.

    >>> compute_float8_amax_history([1.0, -3.0], [5.0, 6.0, 7.0]).tolist()
    [3.0, 7.0, 5.0]
    """
    amax_history = ops.convert_to_tensor(amax_history)
    largest = ops.cast(ops.max(ops.abs(x)), amax_history.dtype)
    return ops.concatenate([ops.reshape(largest, (1,)), ops.roll(amax_history, -1)[1:]])


def quantize_and_dequantize(inputs: Any, scale: Any, quantized_dtype: Any, compute_dtype: Any) -> Any:
    """Round an array to the values that floats of 8 bits take.

    Args:
        inputs: array, any shape.
        scale: array, the inputs are divided by it first, and multiplied afterwards.
        quantized_dtype: "float8_e4m3fn" or "float8_e5m2"; larger values become its largest one.
        compute_dtype: dtype of the result.

    Source: Micikevicius et al., "FP8 formats for deep learning" (2022), https://arxiv.org/abs/2209.05433.

    >>> quantize_and_dequantize([1.06, 500.0], 1.0, "float8_e4m3fn", "float32").tolist()
    [1.0, 448.0]
    """
    info = ml_dtypes.finfo(quantized_dtype)
    scale = ops.cast(scale, compute_dtype)
    x = ops.cast(ops.clip(ops.cast(inputs, compute_dtype) / scale, -float(info.max), float(info.max)), "float32")
    # Rounds the last bits of float32 off, to even where both neighbours are as near.
    unused = 23 - info.nmant
    bits = ops.view(x, "int32")
    bits = bits + (2 ** (unused - 1) - 1) + ops.bitwise_and(ops.right_shift(bits, unused), 1)
    normal = ops.view(ops.bitwise_and(bits, -(2**unused)), "float32")
    spacing = float(info.smallest_subnormal)  # the same for all floats below the smallest normal one
    rounded = ops.where(ops.abs(x) < float(info.smallest_normal), ops.round(x / spacing) * spacing, normal)
    return ops.cast(rounded, compute_dtype) * scale


def fake_quant_with_min_max_vars(
    inputs: Any, min_vals: Any, max_vals: Any, num_bits: int = 8, narrow_range: bool = False, axis: int | None = None
) -> Any:
    """Round an array to the values that integers with a scale take, for training that minds the later rounding.

    The range is moved a little, so that 0 is one of the values. Gradients pass to inputs within the range, and from
    those outside of it to the end of the range.

    Args:
        inputs: array of floats, any shape.
        min_vals, max_vals: ends of the range, scalars, or arrays (size of ``axis``,).
        num_bits: int, number of bits of the integers; default 8.
        narrow_range: bool, whether the integers start at 1 instead of 0; default False.
        axis: int, the axis with ranges of its own; default None, for one range.

    Source: Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only
    inference" (2018), https://arxiv.org/abs/1712.05877.

    >>> fake_quant_with_min_max_vars([0.1, 0.52, 2.0], 0.0, 1.0, num_bits=2).tolist()
    [0.0, 0.6666666865348816, 1.0]
    """
    inputs = ops.convert_to_tensor(inputs)
    dtype = dtypes.result_type(inputs.dtype, "float32")
    shape = [1] * len(inputs.shape)
    if axis is not None:
        shape[axis] = -1
    low, high = (ops.reshape(ops.cast(end, dtype), shape) for end in (min_vals, max_vals))
    first, last = int(narrow_range), 2 ** int(num_bits) - 1
    length = ops.stop_gradient(high - low)
    scale, steps_per_unit = length / (last - first), (last - first) / length
    zero_point = ops.clip(ops.floor(first - ops.stop_gradient(low) / scale + 0.5), first, last)
    lowest, highest = (first - zero_point) * scale, (last - zero_point) * scale
    x = ops.cast(inputs, dtype)
    clipped = ops.where(x < lowest, low, ops.where(x > highest, high, x))
    steps = (ops.clip(ops.stop_gradient(x), lowest, highest) - lowest) * steps_per_unit
    rounded = ops.floor(steps + first - zero_point + 0.5) * scale
    return ops.cast(clipped + ops.stop_gradient(rounded - clipped), inputs.dtype)
