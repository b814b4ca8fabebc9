"""A single batch ``(x, y, sample_weight)``: splitting it, checking it, and moving it to the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from polykeras import backends
from polykeras.core import trees
from polykeras.layers.preprocessing.host import is_string_array
from polykeras.losses.labels import check_bits, check_labels, check_shapes, takes_bits, takes_labels
from polykeras.training.data.conversion import (
    Rows,
    as_array,
    count_rows,
    not_of_numbers,
    shape_of,
    standardize,
    to_device,
    without_sparse,
)


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """Return the data of a step: a tuple without trailing None, or x alone if it is not a tuple or list.

    Args:
        x, y, sample_weight: arrays or trees of arrays; default None.

    >>> pack_x_y_sample_weight(1, 2), pack_x_y_sample_weight(1), pack_x_y_sample_weight([1, 2])
    ((1, 2), 1, ([1, 2],))
    """
    parts = _without_missing(x, y, sample_weight)
    return x if len(parts) == 1 and not isinstance(x, tuple | list) else parts


def _without_missing(x: Any, y: Any, sample_weight: Any) -> tuple:
    if sample_weight is not None:
        return x, y, sample_weight
    return (x,) if y is None else (x, y)


def unpack_x_y_sample_weight(data: Any) -> tuple:
    """Return (x, y, sample_weight) from the data of a step; missing parts are None.

    Args:
        data: array, or tuple of one to three parts.

    Raises:
        ValueError: for a tuple of any other length.

    >>> unpack_x_y_sample_weight((1, 2))
    (1, 2, None)
    """
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ValueError(
            f"Expected a batch (x,), (x, y) or (x, y, sample_weight). Received: a tuple of {len(data)} parts."
        )
    return (*data, None, None)[:3]


class Preparation:
    """Prepares batches: from what the user provides to arrays on the device.

    Args:
        class_weight: dict of weights by class, which become or multiply the sample weights; or a dict of such dicts by
            output name, with None for outputs without weights; default None.
        check: called with ``(x, y, sample_weight)`` in host memory; raises for data that can't be trained on.
        encode: ``encode(x, is_whole)`` returns data with strings converted to numbers, if they must be by then; by
            default they are rejected.
    """

    def __init__(
        self, class_weight: dict | None = None, check: Callable | None = None, encode: Callable | None = None
    ) -> None:
        if class_weight is not None:
            check_class_weight(class_weight)
        self._class_weight, self._check = class_weight, check
        self.encode = encode or refuse_strings

    def __call__(self, batch: Any, put: Callable | None = None, has_equal_lengths: bool = False) -> tuple:
        """Return the batch without trailing None; on the device, or wherever ``put`` puts it.

        A batch that is not a tuple remains as it is: a user's own step gets what the data contains. Its parts must have
        equal lengths with ``has_equal_lengths``; what a generator yields is left to the loss.
        """
        parts = (standardize(part) for part in unpack_x_y_sample_weight(batch))
        x, y, sample_weight = parts
        data: Any = self.on_host(x, y, sample_weight, has_equal_lengths=has_equal_lengths)
        if not isinstance(batch, tuple | list):
            (data,) = data
        return to_device(data, put=put)

    def on_host(
        self, x: Any, y: Any, sample_weight: Any, is_whole: bool = False, has_equal_lengths: bool = True
    ) -> tuple:
        """Return standardized data as a checked tuple; parts that are read later are checked when read.

        Args:
            is_whole: whether the data is not a batch, but will be split into batches.
            has_equal_lengths: whether its parts have equal lengths.

        Raises:
            ValueError: for parts of different lengths, weights without targets, strings that no layer accepts, or data
                that ``check`` rejects.
        """
        y, sample_weight = without_sparse((y, sample_weight))
        refuse_strings((y, sample_weight))
        _check_parts(x, y, sample_weight, has_equal_lengths, needs_rows=is_whole or y is not None)
        x = self.encode(x, is_whole)
        if not any(isinstance(leaf, Rows) for leaf in trees.leaves((y, sample_weight))):
            if self._class_weight is not None:
                sample_weight = class_weights(y, self._class_weight, sample_weight)
            if self._check is not None:
                self._check(x, y, sample_weight)
        return _without_missing(x, y, sample_weight)


def refuse_strings(tree: Any, is_whole: bool = False) -> Any:
    """Return data unchanged; the default of ``encode``.

    Raises:
        ValueError: if it contains strings.
    """
    for x in trees.leaves(tree):
        if is_string_array(x):
            raise not_of_numbers(x, next(iter(x.flat), None))
    return tree


def _check_parts(x: Any, y: Any, sample_weight: Any, has_equal_lengths: bool, needs_rows: bool) -> None:
    parts = {"x": x, "y": y, "sample_weight": sample_weight}
    counts = {name: count_rows(part, name) for name, part in parts.items() if part is not None}
    if "x" not in counts:
        raise ValueError("Expected data x. Received: None.")
    if sample_weight is not None and y is None:
        raise ValueError("Expected targets y along with sample_weight. Received: None.")
    if has_equal_lengths and len(set(counts.values())) > 1:
        raise ValueError(
            "Expected x, y and sample_weight to have equal lengths. Received: "
            + ", ".join(f"{count} rows of {name}" for name, count in counts.items())
            + "."
        )
    if counts["x"] == 0 and needs_rows:  # the predictions for a batch without rows are none
        raise ValueError("Expected data with at least one row. Received: 0 rows of x.")


def check_class_weight(weights: Any) -> None:
    """Check that class weights are a dict from class indices, integers, to non-negative numbers.

    Raises:
        ValueError: if they are not.
    """
    # A dict of dicts has weights for each output.
    if _is_by_output(weights):
        for own in weights.values():
            check_class_weight({} if own is None else own)
        return
    number = int | float | np.integer | np.floating
    is_dict = isinstance(weights, dict) and all(isinstance(k, number) and k % 1 == 0 for k in weights)
    if not is_dict or not all(isinstance(v, number) and v >= 0 for v in weights.values()):
        raise ValueError(
            f"Expected class_weight to be a dict from class index, a whole number, to weight. Received: {weights!r}."
        )


def _is_by_output(weights: Any) -> bool:
    return isinstance(weights, dict) and any(isinstance(own, dict) for own in weights.values())


def class_weights(y: Any, weights: dict, sample_weight: Any = None) -> Any:
    """Return the weight of each row according to its class.

    Args:
        y: class indices of shape (n,) or (n, 1), or one-hot vectors (n, classes); a list or dict for several outputs.
        weights: dict from class to number; other classes have the weight 1. For several outputs, a dict of
            such dicts by name, in the order of the outputs; the result is then a dict by name.
        sample_weight: array that multiplies the result; default None.

    Raises:
        ValueError: for several outputs, or targets of another shape.

    >>> class_weights(np.array([0, 1, 2]), {1: 3.0})
    array([1., 3., 1.], dtype=float32)
    """
    if _is_by_output(weights):
        return _class_weights_by_output(y, weights, sample_weight)
    if y is None or trees.is_nested(y):
        raise ValueError("Expected one output, and its targets y, for class_weight. Received: none or several.")
    y = on_host(y)
    if y.ndim > 2:
        raise ValueError(f"Expected y of shape (n,) or (n, classes) for class_weight. Received: {y.shape}.")
    # One-hot vectors become indices; a last axis of size 1 holds indices already.
    labels = y.argmax(-1) if y.ndim > 1 and y.shape[-1] > 1 else y.reshape(len(y))
    found, indices = np.unique(np.round(labels), return_inverse=True)
    result = np.array([weights.get(c, 1.0) for c in found], np.float32)[indices]
    return result if sample_weight is None else result * on_host(sample_weight).astype(np.float32).reshape(len(y))


def _class_weights_by_output(y: Any, weights: dict, sample_weight: Any) -> dict:
    """Return the weights of the rows for each output that has some, by name."""
    targets, given = (_by_name(part, list(weights)) for part in (y, sample_weight))
    found = {}
    for name, own in weights.items():
        if own is not None:
            found[name] = class_weights(targets.get(name), own, given.get(name))
        elif given.get(name) is not None:
            found[name] = given[name]
    return found


def _by_name(tree: Any, names: list[str]) -> dict:
    """Return the values for outputs as a dict; a single array is used for all of them."""
    if isinstance(tree, dict):
        return tree
    values = tree if isinstance(tree, list | tuple) else [tree] * len(names)
    return dict(zip(names, values, strict=True))


def on_host(x: Any) -> np.ndarray:
    """Convert an array of NumPy or of the current backend to a NumPy array."""
    backend = backends.current()
    return backend.to_numpy(x) if backend.is_array(x) else np.asarray(as_array(x))


def check_targets(loss: Any, y: Any, y_pred: Any, sample_weight: Any) -> None:
    """Check the shapes of targets and weights, and the labels of a sparse loss, in host memory.

    Args:
        loss: the loss of the output.
        y, sample_weight: those of a single output; no weights are None.
        y_pred: the output, anything with a shape.

    Raises:
        ValueError: for labels out of range, or shapes that do not match.
    """
    check_shapes(loss, shape_of(y), shape_of(y_pred))
    if sample_weight is not None:
        _check_sample_weight(shape_of(sample_weight), shape_of(y))
    if takes_labels(loss):
        check_labels(loss, on_host(y), shape_of(y_pred)[-1])
    elif takes_bits(loss):
        check_bits(on_host(y))


def _check_sample_weight(weights: tuple, targets: tuple) -> None:
    if weights == (targets[0], 1):
        return
    if len(weights) > len(targets) or weights != targets[: len(weights)]:
        raise ValueError(
            f"Expected sample_weight with a weight a row, of shape {targets[:1]}, or one for each value of y, whose "
            f"shape is {targets}. Received: sample_weight of shape {weights}."
        )
