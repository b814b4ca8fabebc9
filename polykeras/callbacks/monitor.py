"""Shared parts of callbacks that monitor one metric."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from polykeras.callbacks.callback import Callback

_RISING = (
    "acc", "auc", "precision", "recall", "sensitivity", "specificity", "true_", "f1", "fbeta", "iou", "r2", "top_k",
    "similarity", "correlation",
)  # fmt: skip
_FALLING = (
    "loss", "error", "entropy", "divergence", "false_", "mse", "mae", "mape", "msle", "rmse", "hinge", "poisson",
)  # fmt: skip

#: Whether, as in Keras 2, lower values of a metric with an unknown name are better, and the first best is infinite.
assumes_falling = False


class MonitorCallback(Callback):
    """Base class of callbacks that check whether a metric has improved.

    Args:
        monitor: str, name in the logs, such as ``"val_loss"``.
        mode: ``"min"``, ``"max"``, or ``"auto"``, to infer it from the metric.
        min_delta: float, minimum change that counts as an improvement; default 0.

    Raises:
        ValueError: for an unknown mode, or when training begins, for ``"auto"`` if the direction can't be inferred.
    """

    def __init__(self, monitor: str, mode: str, min_delta: float = 0) -> None:
        super().__init__()
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"Expected mode to be 'auto', 'min' or 'max'. Received: {mode!r}.")
        self.monitor = monitor
        self.mode = mode
        self.min_delta = abs(min_delta)
        self.best: float | None = None
        self._sign: Any = None

    @property
    def monitor_op(self) -> Any:
        """The function of a value and a reference that tells whether the value is better."""
        sign = self._sign or {"min": -1, "max": 1}.get(self.mode) or self._direction()
        return np.greater if sign == 1 else np.less

    @monitor_op.setter
    def monitor_op(self, function: Any) -> None:
        self.mode = "max" if function(1, 0) else "min"

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._sign = {"min": -1, "max": 1}.get(self.mode) or self._direction()

    def _direction(self) -> int:
        """1 if higher values are better, -1 if lower values are."""
        name = self.monitor.removeprefix("val_")
        for metric in getattr(self.model, "metrics", ()):
            if metric.name == name and getattr(metric, "_direction", None):
                return 1 if metric._direction == "up" else -1
        for words, sign in ((_FALLING, -1), (_RISING, 1)):
            if any(word in name.lower() for word in words):
                return sign
        if assumes_falling:
            return -1
        raise ValueError(
            f"Expected mode='min' or mode='max' for {type(self).__name__}(monitor={self.monitor!r}). Received: 'auto', "
            f"but the name does not tell whether higher values are better."
        )

    def _first_best(self) -> float | None:
        """What any value is better than."""
        return -self._sign * math.inf if assumes_falling else None

    def current(self, logs: dict | None) -> float | None:
        """Return the monitored value; None, with a warning, if it is missing or not a scalar.

        Args:
            logs: dict from metric names to values.
        """
        value = (logs or {}).get(self.monitor)
        if value is None:
            received = f"only {sorted(logs or {})}"
        elif np.size(value) != 1:
            received = f"an array of shape {np.shape(value)}"
        else:
            return float(value)
        name = type(self).__name__
        warnings.warn(f"{name}: Expected the metric {self.monitor!r}. Received: {received}.", stacklevel=2)
        return None

    def get_monitor_value(self, logs: dict | None) -> float | None:
        """Return the metric, as ``current`` does.

        Args:
            logs: dict of results by name.
        """
        return self.current(logs)

    def is_better(self, value: float, reference: float | None) -> bool:
        """Return whether a value is better than the reference by more than ``min_delta``.

        Args:
            value: float; NaN is never better.
            reference: float, or None, which any number beats.
        """
        if math.isnan(value):
            return False
        return reference is None or self._sign * (value - reference) > self.min_delta


def optimizers_of(model: Any) -> list:
    """Return the optimizers that update a model's weights, unwrapping composite optimizers."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    return optimizer.optimizers if hasattr(optimizer, "optimizers") else [optimizer]
