"""Decisions that rounding can change: which of two nearly equal numbers is larger.

A ReLU, a maximum, a comparison or an argmax has no small errors: it decides one way or the
other. Where two engines decide differently, the margin tells whether it was a near tie.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from polykeras.core import window_geometry
from polykeras.parity.measures import scale
from polykeras.parity.observing import OpRecord

_COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
_STEPS = ("sign", "floor", "ceil", "round")
_ORDERS = ("argmax", "argmin", "argsort", "top_k")
#: Operations that make decisions.
NAMES = frozenset(
    (*_COMPARISONS, *_STEPS, *_ORDERS, "relu", "absolute", "maximum", "minimum", "max", "min", "sort", "pool")
)
#: Those at whose decisions a function is discontinuous; at the others only its derivative is.
JUMPS = frozenset((*_STEPS, *_ORDERS))


@dataclass
class Flip:
    """A decision that was made differently, or could have been.

    Attributes:
        layer, operation: where it was made.
        index: index of the decision.
        margin: how far the reference was from deciding differently.
        gap: how much the inputs of the decision differ between the two engines.
        size: the largest value of the input.
        count: the number of such decisions of the operation.
    """

    layer: str
    operation: str
    index: tuple
    margin: float
    gap: float
    size: float
    count: int


def flips(first: list[OpRecord], second: list[OpRecord]) -> list[Flip]:
    """Return the operations that decided differently in two runs of a model, in order."""
    return [flip for flip in map(_flip, *_alike(first, second)) if flip is not None]


def near_ties(first: list[OpRecord], second: list[OpRecord]) -> list[Flip]:
    """Return the operations that decided alike, with a margin below their input difference, the closest first."""
    found = [tie for tie in map(_near_tie, *_alike(first, second)) if tie is not None]
    return sorted(found, key=lambda tie: tie.margin / tie.gap)


def _alike(first: list[OpRecord], second: list[OpRecord]) -> tuple[list[OpRecord], list[OpRecord]]:
    """Return pairs of records as long as both runs did the same."""
    pairs = zip(first, second, strict=False)
    same = list(itertools.takewhile(lambda pair: (pair[0].layer, pair[0].name) == (pair[1].layer, pair[1].name), pairs))
    return [a for a, _ in same], [b for _, b in same]


def _flip(a: OpRecord, b: OpRecord) -> Flip | None:
    decided, other = _decision(a), _decision(b)
    if decided is None or other is None or decided[0].shape != other[0].shape:
        return None
    return _first(a, b, decided[1], decided[0] != other[0])


def _near_tie(a: OpRecord, b: OpRecord) -> Flip | None:
    decided = _decision(a)
    gap = _gap(a, b)
    if decided is None or not 0 < gap < np.inf or decided[1].shape != decided[0].shape:
        return None
    nearest = np.min(decided[1], initial=np.inf)
    return _first(a, b, decided[1], decided[1] == nearest) if nearest <= gap else None


def _first(a: OpRecord, b: OpRecord, margins: np.ndarray, is_one: np.ndarray) -> Flip | None:
    """Return the first of several decisions."""
    found = np.argwhere(is_one)
    if not len(found):
        return None
    index = tuple(map(int, found[0]))
    margin = float(margins[index]) if margins.shape == is_one.shape else float(np.min(margins))
    return Flip(a.layer, a.name, index, margin, _gap(a, b), scale(np.asarray(a.args[0], np.float64)), len(found))


def _gap(a: OpRecord, b: OpRecord) -> float:
    """Return how much the inputs of an operation differ between two runs."""
    first, second = (np.asarray(record.args[0], np.float64) for record in (a, b))
    return float(np.max(np.abs(first - second), initial=0.0)) if first.shape == second.shape else np.inf


def _decision(record: OpRecord) -> tuple[np.ndarray, np.ndarray] | None:
    """Return what was decided, and the margins."""
    name = record.name
    arrays = [np.asarray(x, np.float64) for x in record.args[:2] if _is_number(x)]
    if not arrays:
        return None
    if name in ("relu", "absolute"):
        return arrays[0] > 0, np.abs(arrays[0])
    if name in ("maximum", "minimum", *_COMPARISONS) and len(arrays) == 2:
        first, second = np.broadcast_arrays(*arrays)
        return (first > second) if name in ("maximum", "minimum") else record.outputs[0], np.abs(first - second)
    if name in _STEPS:
        x = arrays[0]
        edge = np.abs(x) if name == "sign" else np.abs(x - np.round(x * 2) / 2)
        return np.asarray(record.outputs[0], np.float64), edge
    if name in _ORDERS:
        return np.asarray(record.outputs[-1]), _margins(arrays[0], -1 if name == "top_k" else _axis(record))
    if name in ("max", "min"):
        return _extreme(record, arrays[0])
    if name == "pool" and _argument(record, 1, "mode") == "max":
        return _pooled(record, arrays[0])
    return None


def _is_number(x: Any) -> bool:
    return isinstance(x, np.ndarray) or (isinstance(x, int | float) and not isinstance(x, bool))


def _argument(record: OpRecord, index: int, name: str, default: Any = None) -> Any:
    return record.args[index] if index < len(record.args) else record.kwargs.get(name, default)


def _axis(record: OpRecord) -> int:
    return _argument(record, 1, "axis", -1)


def _margins(x: np.ndarray, axis: int) -> np.ndarray:
    """Return the smallest distance between neighbours in sorted order along an axis."""
    ordered = np.sort(x, axis)
    return np.min(np.diff(ordered, axis=axis), axis) if x.shape[axis] > 1 else np.full((), np.inf)


def _extreme(record: OpRecord, x: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    axes = _argument(record, 1, "axes")
    axes = tuple(range(x.ndim)) if axes is None else tuple(a % x.ndim for a in axes)
    kept = [a for a in range(x.ndim) if a not in axes]
    rows = x.transpose(*kept, *axes).reshape(*[x.shape[a] for a in kept], -1)
    return _top(rows if record.name == "max" else -rows)


def _top(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return which entry of the last axis is largest, and by how much."""
    if rows.shape[-1] < 2:
        return None
    two = np.partition(rows, -2, axis=-1)[..., -2:]
    return np.argmax(rows, -1), two[..., 1] - two[..., 0]


def _pooled(record: OpRecord, x: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    window, strides, padding = (_argument(record, n, k) for n, k in ((2, "window"), (3, "strides"), (4, "padding")))
    if not _argument(record, 5, "channels_last", True):
        x = np.moveaxis(x, 1, -1)
    sizes = zip(x.shape[1:-1], window, strides, strict=True)
    pairs = [window_geometry.padding_pair(n, w, s, padding, 1) for n, w, s in sizes]
    padded = np.pad(x, [(0, 0), *pairs, (0, 0)], constant_values=-np.inf)
    view = np.lib.stride_tricks.sliding_window_view(padded, window, tuple(range(1, 1 + len(window))))
    view = view[(slice(None), *(slice(None, None, s) for s in strides))]
    rows = view.reshape(*view.shape[: view.ndim - len(window)], -1)
    with np.errstate(invalid="ignore"):
        return _top(rows)
