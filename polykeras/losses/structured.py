"""Losses of sets and sequences: overlap of regions, embeddings of a batch, unaligned sequences."""

from __future__ import annotations

from typing import Any

from polykeras import config, ops
from polykeras.backends import current
from polykeras.core import masks
from polykeras.core.types import Axes, DTypeLike
from polykeras.losses.loss import LossFunctionWrapper
from polykeras.losses.shapes import pair
from polykeras.ops import _call
from polykeras.ops._call import in_single_precision, op


@op
@in_single_precision
def dice(y_true: Any, y_pred: Any, axis: Any = None) -> Any:
    """Return 1 minus the Dice coefficient ``2 |A and B| / (|A| + |B|)`` of two soft sets.

    Args:
        y_true: target memberships, of any shape, from 0 to 1.
        y_pred: predicted memberships of the same shape.
        axis: tuple, the axes to sum over, such as (1, 2, 3); default None, for all, including the batch axis.

    Source: Milletari et al., "V-Net: Fully Convolutional Neural Networks for Volumetric Medical Image Segmentation"
    (2016), https://arxiv.org/abs/1606.04797.

    >>> round(float(dice([1.0, 1.0], [1.0, 0.0])), 4)
    0.3333
    """
    y_true, y_pred = pair(y_true, y_pred, "dice")
    shared = ops.sum(y_true * y_pred, axis=axis)
    return 1.0 - 2.0 * shared / (ops.sum(y_true, axis=axis) + ops.sum(y_pred, axis=axis) + config.epsilon())


@op
@in_single_precision
def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None) -> Any:
    """Return 1 minus the Tversky index, a Dice coefficient with separate weights for both kinds of error.

    Source: Salehi et al., "Tversky loss function for image segmentation using 3D fully convolutional
    deep networks" (2017), https://arxiv.org/abs/1706.05721.

    Args:
        y_true: target memberships, of any shape, from 0 to 1.
        y_pred: predicted memberships of the same shape.
        alpha: float, weight of false negatives; default 0.5.
        beta: float, weight of false positives; default 0.5.
        axis: tuple, the axes to sum over, such as (1, 2, 3); default None, for all, including the batch axis.

    >>> round(float(tversky([1.0, 1.0], [1.0, 0.0])), 4)
    0.3333
    """
    y_true, y_pred = pair(y_true, y_pred, "tversky")
    shared = ops.sum(y_true * y_pred, axis=axis)
    missed = ops.sum(y_true * (1.0 - y_pred), axis=axis)
    extra = ops.sum(y_pred * (1.0 - y_true), axis=axis)
    return 1.0 - shared / (shared + alpha * missed + beta * extra + config.epsilon())


@op
@in_single_precision
def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> Any:
    """Return the circle loss of each embedding with respect to those of its class and of the other classes.

    Source: Sun et al., "Circle Loss: A Unified Perspective of Pair Similarity Optimization" (2020),
    https://arxiv.org/abs/2002.10857.

    Args:
        y_true: class indices, (n,).
        y_pred: L2-normalized embeddings, (n, width).
        ref_labels: class indices of the references, (m,); default None, for y_true.
        ref_embeddings: L2-normalized embeddings to compare with, (m, width); default None, for y_pred.
        remove_diagonal: bool, whether to exclude the pairs of an embedding with itself; default True.
        gamma: float, scale; larger values emphasize hard pairs; default 80.
        margin: float, relaxation margin of the decision boundary; default 0.4.

    >>> print(circle([0, 0, 1], [[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]]).round(2))
    [0. 0. 0.]
    """
    y_pred = _call.float_array(y_pred)
    labels = ops.reshape(ops.cast(y_true, "int32"), (-1, 1))
    references = y_pred if ref_embeddings is None else _call.array(ref_embeddings, current().dtype(y_pred))
    reference_labels = labels if ref_labels is None else ops.reshape(ops.cast(ref_labels, "int32"), (-1, 1))
    distance = ops.relu(1.0 - ops.matmul(y_pred, ops.transpose(references)))

    is_same = ops.equal(labels, ops.transpose(reference_labels))
    is_other = ops.logical_not(is_same)
    if remove_diagonal:
        is_self = ops.eye(tuple(distance.shape)[0], tuple(distance.shape)[1], dtype="bool")
        is_same = ops.logical_and(is_same, ops.logical_not(is_self))
    pull = gamma * ops.relu(margin + distance) * (distance - margin)
    push = gamma * ops.relu(1.0 + margin - distance) * (1.0 - margin - distance)
    loss = ops.softplus(_log_total(is_same, pull) + _log_total(is_other, push))
    masks.set_mask(loss, loss > 0)
    return loss


def _log_total(chosen: Any, values: Any) -> Any:
    return ops.logsumexp(ops.where(chosen, values, float("-inf")), axis=1)


@op
def ctc(y_true: Any, y_pred: Any) -> Any:
    """Return ``-log P(y_true | y_pred)``, summed over all alignments (connectionist temporal classification).

    Source: Graves et al., "Connectionist Temporal Classification: Labelling Unsegmented Sequence Data with
    Recurrent Neural Networks" (ICML 2006).

    Args:
        y_true: class indices, (n, labels), padded with 0, which is the blank class.
        y_pred: logits, (n, steps, classes).

    Raises:
        ValueError: if a rank is wrong.

    >>> print(ctc([[1]], [[[0.0, 0.0], [0.0, 0.0]]]).round(4))  # 3 of 4 paths
    [0.2877]
    """
    y_pred, y_true = _call.float_array(y_pred), _call.array(y_true)
    if len(y_true.shape) != 2 or len(y_pred.shape) != 3:
        raise ValueError(
            f"Expected y_true of shape (batch, labels) and y_pred of shape (batch, steps, classes), for ctc. "
            f"Received: y_true of shape {tuple(y_true.shape)}, y_pred of shape {tuple(y_pred.shape)}."
        )
    y_true = ops.cast(y_true, "int32")
    lengths = ops.sum(ops.cast(ops.not_equal(y_true, 0), "int32"), axis=-1)
    steps = ops.full_like(lengths, tuple(y_pred.shape)[1])
    return ops.ctc_loss(y_true, y_pred, lengths, steps, mask_index=0)


class Dice(LossFunctionWrapper):
    """1 minus the Dice coefficient of two soft sets, for segmentation.

    Args:
        reduction: see ``Loss``.
        name: str, name of the loss; default "dice".
        axis: tuple, the axes to sum over, such as (1, 2, 3); default None, for all, including the batch axis.
        dtype: dtype of the computation; default ``floatx()``.

    Source: Milletari et al., "V-Net: Fully Convolutional Neural Networks for Volumetric Medical Image Segmentation"
    (2016), https://arxiv.org/abs/1606.04797.

    >>> round(float(Dice()([1.0, 1.0], [1.0, 0.0])), 4)
    0.3333
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "dice",
        axis: Axes = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(dice, reduction, name, dtype, axis=axis)


class Tversky(LossFunctionWrapper):
    """1 minus the Tversky index, a Dice coefficient with separate weights for both kinds of error.

    Args:
        alpha: float, weight of false negatives; default 0.5.
        beta: float, weight of false positives; default 0.5.
        reduction: see ``Loss``.
        name: str, name of the loss; default "tversky".
        axis: tuple, the axes to sum over, such as (1, 2, 3); default None, for all, including the batch axis.
        dtype: dtype of the computation; default ``floatx()``.

    Source: Salehi et al., "Tversky loss function for image segmentation using 3D fully convolutional deep
    networks" (2017), https://arxiv.org/abs/1706.05721.

    >>> round(float(Tversky()([1.0, 1.0], [1.0, 0.0])), 4)
    0.3333
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "tversky",
        axis: Axes = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(tversky, reduction, name, dtype, alpha=alpha, beta=beta, axis=axis)


class Circle(LossFunctionWrapper):
    """The circle loss of a batch of embeddings, for metric learning.

    Args:
        gamma: float, scale; larger values emphasize hard pairs; default 80.0.
        margin: float, relaxation margin of the decision boundary; default 0.4.
        remove_diagonal: bool, whether to exclude the pairs of an embedding with itself; default True.
        reduction: see ``Loss``; a mean only includes embeddings with a positive loss.
        name: str, name of the loss; default "circle".
        dtype: dtype of the computation; default ``floatx()``.

    Source: Sun et al., "Circle Loss: A Unified Perspective of Pair Similarity Optimization" (2020),
    https://arxiv.org/abs/2002.10857.

    >>> round(float(Circle()([0, 0, 1], [[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])), 1)
    54.4
    """

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "circle",
        dtype: DTypeLike = None,
    ) -> None:
        options = {"gamma": gamma, "margin": margin, "remove_diagonal": remove_diagonal}
        super().__init__(circle, reduction, name, dtype, **options)


class CTC(LossFunctionWrapper):
    """Connectionist temporal classification, for labels that are not aligned with the sequence.

    Args:
        reduction: see ``Loss``.
        name: str, name of the loss; default "ctc".
        dtype: dtype of the computation; default ``floatx()``.

    Source: Graves et al., "Connectionist Temporal Classification: Labelling Unsegmented Sequence Data with
    Recurrent Neural Networks" (ICML 2006).

    >>> round(float(CTC()([[1]], [[[0.0, 0.0], [0.0, 0.0]]])), 4)
    0.2877
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = "ctc", dtype: DTypeLike = None
    ) -> None:
        super().__init__(ctc, reduction, name, dtype)
