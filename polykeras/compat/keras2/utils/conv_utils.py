"""Sizes of convolutions, under the names of Keras 2."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras.compat.keras2.backend.session import normalize_data_format as normalize_data_format
from polykeras.core import window_geometry

_PADDINGS = ("valid", "same", "causal")


def normalize_tuple(value: Any, n: int, name: str) -> tuple[int, ...]:
    """Return n ints, given one int or n of them.

    Args:
        value: int, or sequence of ints.
        n: int, the number of ints.
        name: str, what the error message calls the value.

    Raises:
        ValueError: for anything else.

    >>> normalize_tuple(2, 3, "strides")
    (2, 2, 2)
    """
    values = (value,) * n if isinstance(value, int) else value
    if not isinstance(values, list | tuple) or len(values) != n or not all(isinstance(v, int) for v in values):
        raise ValueError(f"Expected {name} to be {n} ints, or one. Received: {value!r}.")
    return tuple(values)


def normalize_padding(value: str) -> str:
    """Return a padding in lower case.

    Args:
        value: str.

    Raises:
        ValueError: for an unknown padding.

    >>> normalize_padding("SAME")
    'same'
    """
    if value.lower() not in _PADDINGS:
        raise ValueError(f"Expected padding to be one of {_PADDINGS}. Received: {value!r}.")
    return value.lower()


def convert_kernel(kernel: Any) -> np.ndarray:
    """Return a kernel flipped along its spatial axes, to convert between convolution and cross-correlation.

    Args:
        kernel: array, (*window, channels in, channels out).

    Raises:
        ValueError: if the kernel does not have 3 to 5 axes.

    >>> convert_kernel(np.array([[[1.0]], [[2.0]]])).ravel()
    array([2., 1.])
    """
    kernel = np.asarray(kernel)
    if not 3 <= kernel.ndim <= 5:
        raise ValueError(f"Expected a kernel of 3 to 5 axes. Received shape: {kernel.shape}.")
    return np.flip(kernel, tuple(range(kernel.ndim - 2))).copy()


def _check_padding(padding: str) -> None:
    choices = ("valid", "same", "causal", "full")
    if padding not in choices:
        raise ValueError(f"Expected padding to be one of {choices}. Received: {padding!r}.")


def conv_output_length(
    input_length: int | None, filter_size: int, padding: str, stride: int, dilation: int = 1
) -> int | None:
    """Return the output length of a convolution along one axis.

    Args:
        input_length: int, or None if unknown.
        filter_size: int, the size of the window.
        padding: "valid", "same", "full", or "causal", which keeps the length.
        stride: int.
        dilation: int, the distance between the window's entries; default 1.

    >>> conv_output_length(10, 3, "valid", 2), conv_output_length(10, 3, "full", 1)
    (4, 12)
    """
    _check_padding(padding)
    if input_length is None:
        return None
    if padding == "full":
        return (input_length + window_geometry.spread(filter_size, dilation) - 2 + stride) // stride
    return window_geometry.output_size(input_length, filter_size, stride, padding, dilation)


def conv_input_length(output_length: int | None, filter_size: int, padding: str, stride: int) -> int | None:
    """Return the input length of a convolution along one axis.

    Args:
        output_length: int, or None if unknown.
        filter_size: int, the size of the window.
        padding: "valid", "same", "full", or "causal", which keeps the length.
        stride: int.

    >>> conv_input_length(4, 3, "valid", 2)
    9
    """
    _check_padding(padding)
    if output_length is None:
        return None
    pad = {"same": filter_size // 2, "causal": filter_size // 2, "valid": 0, "full": filter_size - 1}[padding]
    return (output_length - 1) * stride - 2 * pad + filter_size


def deconv_length(
    dim_size: int | None,
    stride_size: int,
    kernel_size: int,
    padding: str,
    output_padding: int | None,
    dilation: int = 1,
) -> int | None:
    """Return the output length of a transposed convolution along one axis.

    Args:
        dim_size: int, or None if unknown.
        stride_size: int.
        kernel_size: int, the size of the window.
        padding: "valid", "same" or "full"; "causal" where the length stays.
        output_padding: int, extra size at the end; None, which ``padding`` determines.
        dilation: int, the distance between the window's entries; default 1.

    >>> deconv_length(4, 2, 3, "same", None), deconv_length(4, 2, 3, "full", None)
    (8, 5)
    """
    _check_padding(padding)
    if dim_size is None:
        return None
    if padding == "full":
        window = window_geometry.spread(kernel_size, dilation)
        if output_padding is None:
            return dim_size * stride_size - (stride_size + window - 2)
        return (dim_size - 1) * stride_size + window - 2 * (window - 1) + output_padding
    return window_geometry.transposed_size(dim_size, kernel_size, stride_size, padding, dilation, output_padding)
