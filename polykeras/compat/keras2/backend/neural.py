"""Activations, dropout, losses and normalizations, under the names of Keras 2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from polykeras import activations, config, ops, random
from polykeras.compat.keras2.backend.tensors import SparseTensor
from polykeras.serialization import registry

elu = ops.elu
sigmoid = ops.sigmoid
softmax = ops.softmax
softplus = ops.softplus
softsign = ops.softsign
tanh = ops.tanh
binary_crossentropy = ops.binary_crossentropy
categorical_crossentropy = ops.categorical_crossentropy
sparse_categorical_crossentropy = ops.sparse_categorical_crossentropy


def relu(x: Any, alpha: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """Return x where it is above a threshold, at most ``max_value``; below it, ``alpha * (x - threshold)``.

    Args:
        x: array of any shape.
        alpha: float, the slope below the threshold; default 0.0.
        max_value: float, the upper bound; default None, for none.
        threshold: float; default 0.0.

    >>> relu([-1.0, 2.0, 9.0], alpha=0.5, max_value=6.0)
    array([-0.5,  2. ,  6. ], dtype=float32)
    """
    return activations.relu(x, alpha, max_value, threshold)


@registry.register_keras_serializable("keras2")
def hard_sigmoid(x: Any) -> Any:
    """Return ``x / 5 + 1/2``, clipped to [0, 1]: the slope of Keras 2.

    Args:
        x: array of any shape.

    >>> hard_sigmoid([-3.0, 0.0, 1.0])
    array([0. , 0.5, 0.7], dtype=float32)
    """
    return ops.clip(ops.add(ops.multiply(x, 0.2), 0.5), 0.0, 1.0)


def binary_focal_crossentropy(
    target: Any,
    output: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
) -> Any:
    """Return the focal loss of each entry, a cross-entropy with less weight on easy examples.

    Args:
        target: array of any shape, from 0 to 1.
        output: array of the same shape, of probabilities or logits.
        apply_class_balancing: bool, whether to weight class 1 by ``alpha`` and class 0 by ``1 - alpha``; default False.
        alpha: float from 0 to 1, weight of class 1; default 0.25.
        gamma: float, the power of the probability of being wrong; default 2.0.
        from_logits: bool, whether ``output`` are logits; default False.

    >>> binary_focal_crossentropy([1.0, 0.0], [0.5, 0.5]).round(4)
    array([0.1733, 0.1733], dtype=float32)
    """
    from polykeras import losses

    # The function of polykeras.losses averages over the last axis, here one of size 1.
    target, output = ops.expand_dims(target, -1), ops.expand_dims(output, -1)
    return losses.binary_focal_crossentropy(target, output, apply_class_balancing, alpha, gamma, from_logits)


def categorical_focal_crossentropy(
    target: Any, output: Any, alpha: Any = 0.25, gamma: float = 2.0, from_logits: bool = False, axis: int = -1
) -> Any:
    """Return the focal loss of each sample, a cross-entropy with less weight on easy examples.

    Args:
        target: array, (..., classes), one-hot or probabilities.
        output: array of the same shape, of probabilities or logits.
        alpha: float, weight of all classes, or list with one weight per class; default 0.25.
        gamma: float, the power of the probability of being wrong; default 2.0.
        from_logits: bool, whether ``output`` are logits; default False.
        axis: int, the class axis; default -1.

    >>> categorical_focal_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).round(4)
    array([0.0433], dtype=float32)
    """
    from polykeras import losses

    return losses.categorical_focal_crossentropy(target, output, alpha, gamma, from_logits, axis=axis)


def dropout(x: Any, level: float, noise_shape: Any = None, seed: int | None = None) -> Any:
    """Return x with a random fraction of its entries set to 0 and the others scaled up.

    Args:
        x: array of any shape.
        level: float from 0 to 1, the fraction of entries to drop.
        noise_shape: tuple that broadcasts to the shape of ``x``; None for that shape.
        seed: int; None for a new one each time.

    >>> dropout([1.0, 1.0, 1.0, 1.0], 0.5, seed=3)
    array([2., 2., 2., 0.], dtype=float32)
    """
    return random.dropout(x, level, noise_shape, seed)


def batch_normalization(
    x: Any, mean: Any, var: Any, beta: Any, gamma: Any, axis: int = -1, epsilon: float = 1e-3
) -> Any:
    """Return ``(x - mean) / sqrt(var + epsilon) * gamma + beta``.

    Args:
        x: array of any shape.
        mean, var, beta, gamma: vectors along ``axis``, or arrays with as many axes as x; the last two may be None.
        axis: int; default -1.
        epsilon: small number added under the square root; default 0.001.

    >>> batch_normalization([[1.0], [3.0]], [2.0], [1.0], None, None, epsilon=0.0)
    array([[-1.],
           [ 1.]], dtype=float32)
    """
    return ops.batch_normalization(x, mean, var, axis, beta, gamma, epsilon)


def normalize_batch_in_training(
    x: Any, gamma: Any, beta: Any, reduction_axes: Sequence[int], epsilon: float = 1e-3
) -> tuple:
    """Normalize x by its own mean and variance over axes.

    Args:
        x: array of any shape.
        gamma, beta: scale and offset along the other axes, or None.
        reduction_axes: the axes of the statistics.
        epsilon: small number added under the square root; default 0.001.

    Returns:
        (result, mean, variance).

    >>> normalize_batch_in_training([[1.0], [3.0]], None, None, [0], epsilon=0.0)[0]
    array([[-1.],
           [ 1.]], dtype=float32)
    """
    shape, axes = ops.shape(x), tuple(reduction_axes)
    mean, variance = ops.moments(x, axes, keepdims=True)
    kept = [1 if {index, index - len(shape)} & set(axes) else size for index, size in enumerate(shape)]
    result = ops.divide(ops.subtract(x, mean), ops.sqrt(ops.add(variance, epsilon)))
    result = result if gamma is None else ops.multiply(result, ops.reshape(gamma, kept))
    result = result if beta is None else ops.add(result, ops.reshape(beta, kept))
    return result, ops.squeeze(mean, axes), ops.squeeze(variance, axes)


# ------------------------------------------------------------------------ CTC


def ctc_batch_cost(y_true: Any, y_pred: Any, input_length: Any, label_length: Any) -> Any:
    """Return the negative log-probability of label sequences; the last class is the blank.

    Args:
        y_true: array of int labels, (batch, labels).
        y_pred: array of probabilities, (batch, times, classes).
        input_length: the number of valid time steps, (batch, 1).
        label_length: the number of valid labels, (batch, 1).

    Returns:
        An array, (batch, 1).

    >>> ctc_batch_cost([[0]], [[[0.5, 0.5], [0.5, 0.5]]], [[2]], [[1]]).round(4)
    array([[0.2877]], dtype=float32)
    """
    logits = ops.log(ops.add(y_pred, config.epsilon()))
    labels, steps = (ops.cast(ops.reshape(n, (-1,)), "int32") for n in (label_length, input_length))
    blank = ops.shape(y_pred)[-1] - 1
    return ops.expand_dims(ops.ctc_loss(ops.cast(y_true, "int32"), logits, labels, steps, mask_index=blank), 1)


def ctc_decode(
    y_pred: Any,
    input_length: Any,
    greedy: bool = True,
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = False,
) -> tuple:
    """Return the most likely label sequences; the last class is the blank.

    Args:
        y_pred: array of probabilities, (batch, times, classes).
        input_length: the number of valid time steps, (batch,).
        greedy: bool, whether to take the most likely class at each time step, instead of a beam search; default True.
        beam_width: int, the number of sequences that the beam search keeps; default 100.
        top_paths: int, the number of sequences that the search returns; default 1.
        merge_repeated: bool, whether to merge repeated labels in the result of the search; default False.

    Returns:
        ([labels], scores): for each path labels of shape (batch, times), padded with -1; scores of
        shape (batch, paths): negative sums of logarithms, or log-probabilities of the search.

    >>> ctc_decode([[[0.9, 0.1], [0.1, 0.9], [0.8, 0.2]]], [3])[0]
    [array([[ 0,  0, -1]], dtype=int32)]
    """
    logits = ops.log(ops.add(y_pred, config.epsilon()))
    blank = ops.shape(y_pred)[-1] - 1
    strategy = "greedy" if greedy else "beam_search"
    paths, scores = ops.ctc_decode(logits, input_length, strategy, beam_width, top_paths, True, blank)
    paths = [paths[index] for index in range(1 if greedy else top_paths)]
    return [_merged(labels) if merge_repeated and not greedy else labels for labels in paths], scores


def _merged(labels: Any) -> Any:
    """Merge repeated labels in sequences, padded with -1 as before."""
    before = ops.pad(labels[:, :-1], ((0, 0), (1, 0)), constant_values=-1)
    keep = ops.not_equal(labels, before)
    # A stable sort moves the labels to keep to the front.
    order = ops.argsort(ops.cast(ops.logical_not(keep), "int32"), axis=1)
    return ops.take_along_axis(ops.where(keep, labels, -1), order, axis=1)


def ctc_label_dense_to_sparse(labels: Any, label_lengths: Any) -> NamedTuple:
    """Return the valid labels as a ``SparseTensor``. Values must be known: it can't be compiled.

    Args:
        labels: ints, (batch, labels).
        label_lengths: the number of valid labels in each row, (batch,).

    >>> ctc_label_dense_to_sparse([[5, 6], [7, 0]], [2, 1]).values
    array([5, 6, 7], dtype=int32)
    """
    labels, lengths = ops.convert_to_numpy(labels), ops.convert_to_numpy(label_lengths).reshape(-1, 1)
    counts = range(labels.shape[1]) < lengths
    positions = counts.nonzero()
    indices = ops.convert_to_tensor(list(zip(*map(list, positions), strict=True)), "int32")
    return SparseTensor(indices, ops.convert_to_tensor(labels[positions]), labels.shape)
