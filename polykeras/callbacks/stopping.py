"""Callbacks that stop training."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras.callbacks.callback import Callback
from polykeras.callbacks.monitor import MonitorCallback
from polykeras.callbacks.progbar import say


class EarlyStopping(MonitorCallback):
    """Stops training when a metric has stopped improving.

    Args:
        monitor: str, name in the logs; default "val_loss".
        min_delta: float, minimum change that counts as an improvement; default 0.
        patience: int, number of epochs without improvement before training stops; default 0.
        verbose: 1 prints a message; default 0.
        mode: ``"min"``, ``"max"``, or ``"auto"``, to infer it from the metric.
        baseline: float, value that must be beaten to reset the count of ``patience``; default None.
        restore_best_weights: bool, whether to restore the weights of the best epoch at the end; default False.
        start_from_epoch: int, first epoch to monitor; default 0.

    Raises:
        ValueError: for an unknown mode, or "auto" if the direction can't be inferred.

    >>> import numpy as np, polykeras as keras
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.0), "mse")  # a rate of 0: nothing can improve
    >>> stop = keras.callbacks.EarlyStopping("loss", patience=2)
    >>> history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=9, callbacks=[stop], verbose=0)
    >>> len(history.epoch)
    3
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch
        self._reset()

    def _reset(self) -> None:
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best, self.best_weights = None, None

    def on_train_begin(self, logs: dict | None = None) -> None:
        super().on_train_begin(logs)
        self._reset()
        self.best = self._first_best()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        value = self.get_monitor_value(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        self.wait += 1
        if self.is_better(value, self.best):
            self.best = value
            self._remember(epoch)
            if self.baseline is None or self.is_better(value, self.baseline):
                self.wait = 0
            return
        if self.restore_best_weights and self.best_weights is None:
            self._remember(epoch)
        if self.wait >= self.patience:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def _remember(self, epoch: int) -> None:
        self.best_epoch = epoch
        if self.restore_best_weights:
            self.best_weights = self.model.get_weights()

    def on_train_end(self, logs: dict | None = None) -> None:
        if self.stopped_epoch and self.verbose:
            say(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose:
                say(f"Restoring the weights of the best epoch, {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)


class TerminateOnNaN(Callback):
    """Stops training when the loss becomes NaN or infinite.

    The loss in the logs is the mean over the epoch so far, which remains NaN. So checking it ten times a
    second, and at the end of the epoch, misses nothing and does not slow down training.

    Args:
        raise_error: bool, whether to raise a RuntimeError instead of ending training normally; default False.

    Raises:
        RuntimeError: in ``fit``, if ``raise_error`` is set.

    >>> import numpy as np, polykeras as keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> x, y = np.ones((4, 2)), np.full((4, 1), np.nan)
    >>> len(model.fit(x, y, epochs=5, callbacks=[keras.callbacks.TerminateOnNaN()], verbose=0).epoch)
    In batch 0: Expected a finite loss. Received: nan. Training stops.
    1
    """

    batch_interval = 0.1

    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = raise_error

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        loss: Any = (logs or {}).get("loss")
        if loss is None or np.all(np.isfinite(loss)):
            return
        message = f"In batch {batch}: Expected a finite loss. Received: {loss}. Training stops."
        if self.raise_error:
            raise RuntimeError(message)
        say(message)
        self.model.stop_training = True
