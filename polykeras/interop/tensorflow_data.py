"""Datasets of polykeras as ``tf.data.Dataset``s."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from polykeras.core import trees
from polykeras.core.dtypes import standardize


def dataset_of(dataset: Any) -> Any:
    """Return a ``tf.data.Dataset`` with the batches of a ``SampleDataset``, in the same order, new in each pass.

    Args:
        dataset: a ``SampleDataset``. Its ``class_names`` and ``file_paths`` are copied.
    """
    import tensorflow as tf

    def batches() -> Iterator[Any]:
        return (_with_tuples(trees.map(_ragged, batch)) for batch in dataset)

    made = tf.data.Dataset.from_generator(batches, output_signature=_with_tuples(_signature(dataset)))
    made = made.apply(tf.data.experimental.assert_cardinality(len(dataset)))
    for name in ("class_names", "file_paths"):
        if name in vars(dataset):
            setattr(made, name, vars(dataset)[name])
    return made


def _signature(dataset: Any) -> Any:
    import tensorflow as tf

    rows = () if dataset._batch_size is None else (None,)
    if dataset.spec is not None:
        return trees.map(lambda x: tf.TensorSpec((*rows, *x.shape), x.dtype), dataset.spec)

    def spec_of(x: Any) -> Any:
        x = _ragged(np.asarray(x))
        if isinstance(x, tf.RaggedTensor):
            return tf.RaggedTensorSpec((None, *x.shape[1:]), x.dtype, x.ragged_rank)
        dtype = "string" if x.dtype.kind in "OSU" else standardize(x.dtype)
        return tf.TensorSpec((*rows, *x.shape[len(rows) :]), dtype)

    return trees.map(spec_of, dataset[0])


def _with_tuples(tree: Any) -> Any:
    """Return a tree with tuples for its lists, which ``tf.data`` would convert to tensors."""
    if isinstance(tree, dict):
        return {key: _with_tuples(value) for key, value in tree.items()}
    return tuple(map(_with_tuples, tree)) if isinstance(tree, list | tuple) else tree


def _ragged(x: Any) -> Any:
    """Convert arrays of different lengths to a ragged tensor; others are unchanged."""
    if not (isinstance(x, np.ndarray) and x.dtype == object and len(x) and isinstance(x[0], np.ndarray)):
        return x
    import tensorflow as tf

    return tf.ragged.stack(list(x))
