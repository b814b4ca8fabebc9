"""Callbacks that change the learning rate between epochs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from polykeras import ops
from polykeras.callbacks.callback import Callback
from polykeras.callbacks.monitor import MonitorCallback, optimizers_of
from polykeras.callbacks.progbar import say
from polykeras.core import log_names


def _rate(optimizer: Any) -> float:
    return float(ops.convert_to_numpy(optimizer.learning_rate))


def _report(model: Any, logs: dict | None) -> None:
    """Add the learning rates to the logs, for the progress bar, the history and other callbacks."""
    optimizers = optimizers_of(model)
    if logs is None:
        return
    for optimizer in optimizers:
        name = log_names.RATE if len(optimizers) == 1 else f"{log_names.RATE}_{optimizer.name}"
        logs[name] = _rate(optimizer)


class LearningRateScheduler(Callback):
    """Sets the learning rate at the start of every epoch.

    Args:
        schedule: function of the epoch (starting at 0) and the current learning rate, or of the epoch alone, that
            returns the new learning rate.
        verbose: 1 prints a message; default 0.

    Raises:
        ValueError: if the schedule does not return a number.

    >>> import numpy as np, polykeras as keras
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(1.0), "mse")
    >>> halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    >>> history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=3, callbacks=[halve], verbose=0)
    >>> history.history["learning_rate"]
    [0.5, 0.25, 0.125]
    """

    def __init__(self, schedule: Callable, verbose: int = 0) -> None:
        super().__init__()
        self.schedule, self.verbose = schedule, verbose

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        for optimizer in optimizers_of(self.model):
            optimizer.learning_rate = rate = self._scheduled(epoch, optimizer)
            if self.verbose:
                say(f"Epoch {epoch + 1}: the learning rate of {optimizer.name} is {rate:.6g}.")

    def _scheduled(self, epoch: int, optimizer: Any) -> float:
        rate = self.schedule(epoch, _rate(optimizer)) if _takes_two(self.schedule) else self.schedule(epoch)
        try:
            return float(rate)
        except (TypeError, ValueError):
            raise ValueError(
                f"Expected the schedule of LearningRateScheduler to return a number. Received: {rate!r} for epoch "
                f"{epoch}."
            ) from None

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        _report(self.model, logs)


def _takes_two(schedule: Callable) -> bool:
    try:
        inspect.signature(schedule).bind(0, 0.1)
    except TypeError:
        return False
    return True


class ReduceLROnPlateau(MonitorCallback):
    """Reduces the learning rate when a metric has stopped improving.

    Args:
        monitor: str, name in the logs; default "val_loss".
        factor: float less than 1, factor by which the learning rate is multiplied; default 0.1.
        patience: int, number of epochs without improvement before a reduction; default 10.
        verbose: 1 prints a message; default 0.
        mode: ``"min"``, ``"max"``, or ``"auto"``, to infer it from the metric.
        min_delta: float, minimum change that counts as an improvement, also called ``epsilon`` in Keras 2; default
            0.0001.
        cooldown: int, number of epochs after a reduction in which patience is not counted; default 0.
        min_lr: float, lower limit of the learning rate; default 0.0.
        **kwargs: ``epsilon``, the Keras 2 name of ``min_delta``.

    Raises:
        ValueError: for a factor of 1 or more, an unknown mode, or "auto" if the direction can't be inferred.
        TypeError: for an unknown argument.

    >>> import numpy as np, polykeras as keras
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(1.0), "mse")
    >>> lower = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=100.0)
    >>> history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=4, callbacks=[lower], verbose=0)
    >>> history.history["learning_rate"], float(model.optimizer.learning_rate)
    ([1.0, 1.0, 0.5, 0.25], 0.125)
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        **kwargs: Any,
    ) -> None:
        min_delta = kwargs.pop("epsilon", min_delta)
        if kwargs:
            raise TypeError(f"Expected arguments of ReduceLROnPlateau. Received: unknown {sorted(kwargs)}.")
        if factor >= 1.0:
            raise ValueError(f"Expected factor to be below 1. Received: {factor}.")
        super().__init__(monitor, mode, min_delta)
        self.factor = factor
        self.patience = patience
        self.verbose = verbose
        self.cooldown, self.min_lr = cooldown, min_lr
        self.wait = self.cooldown_counter = 0

    def on_train_begin(self, logs: dict | None = None) -> None:
        super().on_train_begin(logs)
        self.best = self._first_best()
        self.wait = self.cooldown_counter = 0

    def in_cooldown(self) -> bool:
        """Return whether the callback is in the cooldown period after a reduction."""
        return self.cooldown_counter > 0

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        _report(self.model, logs)
        value = self.current(logs)
        if value is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self.is_better(value, self.best):
            self.best, self.wait = value, 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience and any([self._lower(o, epoch) for o in optimizers_of(self.model)]):
                self.cooldown_counter, self.wait = self.cooldown, 0

    def _lower(self, optimizer: Any, epoch: int) -> bool:
        """Reduce the learning rate; return False if it is at its minimum already."""
        rate = _rate(optimizer)
        # The optimizer stores a float32, so a rate equal to min_lr may read slightly above or below it.
        if rate <= np.float32(self.min_lr):
            return False
        optimizer.learning_rate = lower = max(rate * self.factor, self.min_lr)
        if self.verbose:
            say(
                f"Epoch {epoch + 1}: {self.monitor} has stopped improving; the learning rate of {optimizer.name} is "
                f"{lower:.6g}."
            )
        return True
