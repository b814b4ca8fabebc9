"""Utilities for targets and sequences, on the host."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras import backends, ops
from polykeras.core import naming
from polykeras.core.renamed import also_named


@also_named(y="x", nb_classes="num_classes")
def to_categorical(x: Any, num_classes: int | None = None, dtype: str = "float32") -> Any:
    """Convert class indices to one-hot vectors.

    Args:
        x: ints of any shape; a last axis of size 1 is dropped.
        num_classes: int; default None, for the largest index plus 1.
        dtype: dtype of the result; default "float32".

    Returns:
        A NumPy array, or a backend array if ``x`` is one.

    Raises:
        ValueError: for a negative index or one beyond the last class.

    >>> to_categorical([0, 2])
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    backend = backends.current()
    if _is_of(backend, x):
        return backend.array(to_categorical(backend.to_numpy(x), num_classes, dtype))
    x = np.asarray(x)
    if x.ndim > 1 and x.shape[-1] == 1:
        x = x[..., 0]
    indices = x.astype(np.int64)
    classes = int(indices.max(initial=-1)) + 1 if num_classes is None else num_classes
    if indices.size and (indices.min() < 0 or indices.max() >= classes):
        raise ValueError(
            f"Expected class indices from 0 to {classes - 1}. Received: values from {indices.min()} to {indices.max()}."
        )
    return (indices[..., None] == np.arange(classes)).astype(dtype)


def _is_of(backend: Any, x: Any) -> bool:
    """Whether an array belongs to an engine other than NumPy."""
    return not isinstance(x, np.ndarray) and backend.is_array(x)


def normalize(x: Any, axis: int = -1, order: int = 2) -> Any:
    """Scale vectors along an axis to norm 1; zero vectors are not changed.

    Args:
        x: array of any shape.
        axis: int, the axis of the vectors; default -1.
        order: int, order of the norm; default 2.

    Returns:
        A NumPy array, or a backend array if ``x`` is one.

    >>> normalize([[3.0, 4.0]])
    array([[0.6, 0.8]])
    """
    backend = backends.current()
    if _is_of(backend, x):
        return ops.normalize(x, axis, order)
    x = np.atleast_1d(np.asarray(x))
    norms = (
        np.linalg.norm(x, order, axis, keepdims=True)
        if x.ndim == 1
        else np.linalg.vector_norm(x, ord=order, axis=axis, keepdims=True)
    )
    return x / np.where(norms == 0, 1, norms)


def pad_sequences(
    sequences: Any,
    maxlen: int | None = None,
    dtype: str = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray:
    """Pad or truncate sequences to the same length, and return them as an array.

    Args:
        sequences: list of sequences of numbers, or of vectors of the same shape.
        maxlen: int, length of the result; default None, for that of the longest sequence.
        dtype: dtype of the result; default "int32".
        padding, truncating: ``"pre"`` to pad or truncate at the start, ``"post"`` at the end; default "pre".
        value: number to pad with; default 0.0.

    Raises:
        ValueError: for items that are not sequences, or a mode other than "pre" and "post".

    >>> pad_sequences([[1], [2, 3, 4]], maxlen=2)
    array([[0, 1],
           [3, 4]], dtype=int32)
    """
    for name, word in (("padding", padding), ("truncating", truncating)):
        if word not in ("pre", "post"):
            raise ValueError(f"Expected {name} to be 'pre' or 'post'. Received: {word!r}.")
    if not hasattr(sequences, "__len__") or not all(hasattr(s, "__len__") for s in sequences):
        raise ValueError(f"Expected a list of sequences. Received: {naming.short(sequences)}.")
    rows = [np.asarray(s) for s in sequences]
    longest = max(map(len, rows), default=0) if maxlen is None else maxlen
    inner = next((row.shape[1:] for row in rows if len(row)), ())
    result = np.full((len(rows), longest, *inner), value, dtype)
    for index, row in enumerate(rows):
        if not len(row) or not longest:
            continue
        if row.shape[1:] != inner:
            raise ValueError(
                f"Expected items of shape {inner} in every sequence. Received: {row.shape[1:]} at index {index}."
            )
        cut = row[-longest:] if truncating == "pre" else row[:longest]
        where = slice(longest - len(cut), None) if padding == "pre" else slice(0, len(cut))
        result[index, where] = cut
    return result
