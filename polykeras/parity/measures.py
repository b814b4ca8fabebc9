"""How far apart two arrays are: absolutely, relatively, and in units in the last place."""

from __future__ import annotations

from dataclasses import dataclass

import ml_dtypes
import numpy as np


@dataclass(frozen=True)
class Difference:
    """The largest difference between two arrays of the same shape.

    Attributes:
        absolute: largest absolute difference; infinite if only one value is NaN, or shapes differ.
        relative: the same, divided by the largest absolute value of the reference.
        ulp: largest difference in units in the last place, of the larger of the two values.
        index: index of the largest absolute difference.
        value, reference: the two values at that index.
        dtypes: the dtypes of both arrays.
    """

    absolute: float
    relative: float
    ulp: float
    index: tuple[int, ...] = ()
    value: float | None = None
    reference: float | None = None
    dtypes: tuple[str, str] = ("", "")

    @property
    def is_zero(self) -> bool:
        """Whether the arrays are equal to the bit (except for the sign of zeros)."""
        return self.absolute == 0.0


def verdict(absolute: float, allowed: float) -> str:
    """Return ``"equal"``, ``"within"`` or ``"different"`` for an absolute difference.

    >>> verdict(0.1, 0.2)
    'within'
    """
    if absolute == 0:
        return "equal"
    return "within" if absolute <= allowed else "different"


def difference(value: np.ndarray, reference: np.ndarray) -> Difference:
    """Return the difference of an array from a reference.

    >>> d = difference(np.array([1.0, 2.0], "float32"), np.array([1.0, 2.5], "float32"))
    >>> d.absolute, d.relative, d.index, d.value, d.reference
    (0.5, 0.2, (1,), 2.0, 2.5)
    """
    value, reference = np.asarray(value), np.asarray(reference)
    names = value.dtype.name, reference.dtype.name
    if value.shape != reference.shape:
        return Difference(np.inf, np.inf, np.inf, dtypes=names)
    if value.size == 0:
        return Difference(0.0, 0.0, 0.0, dtypes=names)
    a, b = (x.astype(np.float64) for x in (value, reference))
    gaps = _gaps(a, b)
    index = np.unravel_index(int(np.argmax(gaps)), gaps.shape)
    worst = float(gaps[index])
    relative = worst / scale(b) if worst else 0.0
    ulp = float(np.max(gaps / _units(np.maximum(np.abs(a), np.abs(b)), value.dtype))) if worst else 0.0
    return Difference(worst, relative, ulp, tuple(map(int, index)), float(a[index]), float(b[index]), names)


def gaps(value: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return the absolute difference of each pair of values, 0 if both are NaN or the same infinity."""
    return _gaps(np.asarray(value, np.float64), np.asarray(reference, np.float64))


def _gaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        apart = np.abs(a - b)
    apart = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, apart)
    return np.where(np.isnan(apart), np.inf, apart)


def scale(x: np.ndarray) -> float:
    """Return the largest finite absolute value, but at least the smallest normal float32."""
    sizes = np.abs(np.asarray(x, np.float64))
    sizes = sizes[np.isfinite(sizes)]
    return max(float(sizes.max(initial=0.0)), float(np.finfo(np.float32).tiny))


def epsilon_of(dtype: str) -> float:
    """Return the distance from 1 to the next larger number of a float dtype; that of float32 for other dtypes.

    >>> epsilon_of("bfloat16")
    0.0078125
    """
    try:
        return float(ml_dtypes.finfo(dtype).eps)
    except ValueError:
        return float(np.finfo(np.float32).eps)


def _units(sizes: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return the distance between adjacent values of a float dtype at given magnitudes; 1 for integers."""
    try:
        limits = ml_dtypes.finfo(dtype)
    except ValueError:
        return np.ones_like(sizes)
    finite = np.where(np.isfinite(sizes), sizes, 1.0)
    exponents = np.floor(np.log2(np.maximum(finite, float(limits.smallest_normal))))
    return float(limits.eps) * np.exp2(exponents)


def summary_of(x: np.ndarray) -> tuple[float, float]:
    """Return the root mean square and a fixed random projection of an array, to compare arrays without keeping them.

    >>> summary_of(np.zeros(3))
    (0.0, 0.0)
    """
    flat = np.asarray(x, np.float64).ravel()
    if not flat.size:
        return 0.0, 0.0
    weights = np.random.default_rng(flat.size).standard_normal(flat.size)
    return float(np.sqrt(np.mean(flat * flat))), float(weights @ flat / np.sqrt(flat.size))
