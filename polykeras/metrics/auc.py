"""Area under the ROC and precision-recall curves."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras import config, ops
from polykeras.core.types import DTypeLike
from polykeras.metrics.confusion import NAMES, check_thresholds, count_confusion, evenly_spaced
from polykeras.metrics.metric import Metric

CURVES = ("ROC", "PR", "PRGAIN")
SUMMATIONS = ("interpolation", "majoring", "minoring")


class AUC(Metric):
    """The area under the ROC or precision-recall curve, by Riemann sums over thresholds.

    The interpolation of PR curves is that of Davis and Goadrich, "The Relationship Between
    Precision-Recall and ROC Curves", 2006; PRGAIN is by Flach and Kull, "Precision-Recall-Gain
    Curves", 2015.

    Args:
        num_thresholds: int, number of evenly spaced thresholds, with the ends slightly outside [0, 1]; default 200.
        curve: "ROC", "PR" or "PRGAIN"; default "ROC".
        summation_method: height of each rectangle: "interpolation" (the midpoint), "majoring" (the
            larger end) or "minoring" (the smaller end); default "interpolation".
        name: str, name of the metric; default None.
        dtype: dtype of the result; default ``floatx()``.
        thresholds: list of floats from 0 to 1, instead of evenly spaced ones; the ends are added; default None.
        multi_label: bool, whether to compute the area of each column separately and return the mean; default False.
        num_labels: int, number of columns for ``multi_label``; default None, to infer it from the first batch.
        label_weights: one weight per column, for its area with ``multi_label`` and otherwise for its entries;
            default None, for equal weights.
        from_logits: bool, whether predictions are logits instead of probabilities; default False.

    Raises:
        ValueError: for an unknown curve or summation, or thresholds outside [0, 1].

    >>> float(AUC(num_thresholds=3)([0, 0, 1, 1], [0.0, 0.5, 0.3, 0.9]))
    0.75
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: DTypeLike = None,
        thresholds: Any = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.curve = _choice(curve.upper(), CURVES, "curve", curve)
        self.summation_method = _choice(summation_method.lower(), SUMMATIONS, "summation_method", summation_method)
        if thresholds is None and num_thresholds <= 1:
            raise ValueError(f"Expected num_thresholds of at least 2. Received: {num_thresholds!r}.")
        if num_labels and not multi_label:
            raise ValueError(f"Expected num_labels with multi_label=True only. Received: num_labels={num_labels!r}.")
        self._given = None if thresholds is None else sorted(check_thresholds(thresholds))
        inner = evenly_spaced(num_thresholds)[1:-1] if self._given is None else self._given
        self._levels = (-config.epsilon(), *inner, 1.0 + config.epsilon())
        self.num_thresholds = len(self._levels)
        self.multi_label = multi_label
        self.num_labels = num_labels
        self.label_weights = label_weights
        self.from_logits = from_logits
        if not multi_label:
            self._add_counts((self.num_thresholds,))
        elif num_labels:
            self._add_counts((self.num_thresholds, num_labels))

    @property
    def thresholds(self) -> list:
        """All thresholds, including the ends."""
        return list(self._levels)

    def _add_counts(self, shape: tuple) -> None:
        for name in NAMES:
            setattr(self, name, self.add_variable(shape, name=name))

    def _build(self, y_pred_shape: tuple) -> None:
        if hasattr(self, NAMES[0]):
            return
        if len(y_pred_shape) != 2:
            raise ValueError(
                f"Expected y_pred of shape (samples, labels), for multi_label=True of {self.name!r}. "
                f"Received shape: {tuple(y_pred_shape)}."
            )
        self._add_counts((self.num_thresholds, y_pred_shape[1]))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Update the state with a batch.

        Args:
            y_true: targets, (..., n), 0 and 1.
            y_pred: predictions of the same shape, from 0 to 1, or logits with ``from_logits``.
            sample_weight: one weight per sample or per prediction, in a shape that broadcasts to theirs;
                default None, for equal weights.
        """
        y_pred = ops.convert_to_tensor(y_pred, dtype=config.floatx())
        self._build(tuple(y_pred.shape))
        if self.from_logits:
            y_pred = ops.sigmoid(y_pred)
        counts = count_confusion(
            y_true,
            y_pred,
            self._levels,
            config.floatx(),
            sample_weight,
            label_weights=None if self.multi_label else self.label_weights,
            multi_label=self.multi_label,
        )
        for name in NAMES:
            getattr(self, name).assign_add(counts[name])

    def result(self) -> Any:
        tp, fp, tn, fn = (getattr(self, name).array for name in NAMES)
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self.interpolate_pr_auc()
        recall = ops.divide_no_nan(tp, tp + fn)
        if self.curve == "ROC":
            x, y = ops.divide_no_nan(fp, fp + tn), recall
        elif self.curve == "PR":
            x, y = recall, ops.divide_no_nan(tp, tp + fp)
        else:
            x, y = _gains(tp, fp, tn, fn)
        first, second = y[:-1], y[1:]
        heights = {
            "interpolation": lambda: (first + second) / 2.0,
            "majoring": lambda: ops.maximum(first, second),
            "minoring": lambda: ops.minimum(first, second),
        }[self.summation_method]()
        return self._total((x[:-1] - x[1:]) * heights)

    def interpolate_pr_auc(self) -> Any:
        """Return the area under the precision-recall curve, interpolated between thresholds.

        Source: Davis and Goadrich, "The Relationship Between Precision-Recall and ROC Curves" (ICML 2006).
        """
        tp, fp, _, fn = (getattr(self, name).array for name in NAMES)
        return self._total(_interpolated_pr(tp, fp, fn))

    def _total(self, areas: Any) -> Any:
        if not self.multi_label:
            return ops.sum(areas)
        by_label = ops.sum(areas, axis=0)
        if self.label_weights is None:
            return ops.mean(by_label)
        weights = np.asarray(self.label_weights, "float64")
        scaled = ops.convert_to_tensor(weights / (weights.sum() or 1.0), dtype=config.floatx())
        return ops.sum(by_label * scaled)

    def get_config(self) -> dict:
        own = {
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": self.label_weights,
            "from_logits": self.from_logits,
        }
        if self._given is not None:
            own["thresholds"] = self._given
        return {**super().get_config(), **own}


def _choice(value: str, choices: tuple, argument: str, received: Any) -> str:
    if value not in choices:
        raise ValueError(f"Expected {argument} to be one of {choices}. Received: {received!r}.")
    return value


def _interpolated_pr(tp: Any, fp: Any, fn: Any) -> Any:
    """Areas between thresholds, if true positives grow linearly with the number of positive predictions."""
    positives = tp + fp
    gained_tp, gained = tp[:-1] - tp[1:], positives[:-1] - positives[1:]
    slope = ops.divide_no_nan(gained_tp, ops.relu(gained))
    intercept = tp[1:] - slope * positives[1:]
    is_safe = ops.logical_and(positives[:-1] > 0, positives[1:] > 0)
    ratio = ops.where(is_safe, ops.divide_no_nan(positives[:-1], ops.relu(positives[1:])), 1.0)
    return ops.divide_no_nan(slope * (gained_tp + intercept * ops.log(ratio)), ops.relu(tp[1:] + fn[1:]))


def _gains(tp: Any, fp: Any, tn: Any, fn: Any) -> tuple:
    """Recall gain, which is at least 0, and precision gain."""
    odds = ops.divide_no_nan(tp + fn, tn + fp)
    recall_gain = ops.where(tp > 0, 1.0 - odds * ops.divide_no_nan(fn, tp), 0.0)
    precision_gain = ops.where(tp > 0, 1.0 - odds * ops.divide_no_nan(fp, tp), 1.0)
    return ops.relu(recall_gain), precision_gain
