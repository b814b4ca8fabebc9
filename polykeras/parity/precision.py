"""Rounding float64 numbers to lower precision on the host: what an engine would have computed with."""

from __future__ import annotations

import ml_dtypes
import numpy as np

#: Formats to which engines round the operands of products, and their numbers of fraction bits.
FORMATS = {"TF32": 10, "float16": 10, "bfloat16": 7}


def rounded(x: np.ndarray, name: str) -> np.ndarray:
    """Return an array rounded to a format, as float64.

    Args:
        x: float array.
        name: one of ``FORMATS``.

    >>> float(rounded(np.array(1.0001), "TF32")), float(rounded(np.array(1.01), "bfloat16"))
    (1.0, 1.0078125)
    """
    if name == "bfloat16":
        return np.asarray(x, np.float32).astype(ml_dtypes.bfloat16).astype(np.float64)
    if name == "float16":
        with np.errstate(over="ignore"):
            return np.asarray(x, np.float16).astype(np.float64)
    bits = np.asarray(x, np.float32).view(np.int32)
    shift = 23 - FORMATS[name]
    half = (1 << (shift - 1)) - 1 + ((bits >> shift) & 1)  # to nearest, ties to even
    return (((bits + half) >> shift) << shift).astype(np.int32).view(np.float32).astype(np.float64)
