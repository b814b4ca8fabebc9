"""Callbacks that save the model during training."""

from __future__ import annotations

import os
from pathlib import Path

from polykeras.callbacks.monitor import MonitorCallback
from polykeras.callbacks.progbar import say
from polykeras.core import log_names, naming


class ModelCheckpoint(MonitorCallback):
    """Saves the model, or its weights, every epoch or every given number of batches.

    Args:
        filepath: str or path, which may contain format fields, as in ``"{epoch:02d}-{val_loss:.2f}.keras"``: the
            epoch (starting at 1), ``batch`` (starting at 1, if ``save_freq`` is a number) and the names in the logs.
        monitor: str, name in the logs, for ``save_best_only``; default "val_loss".
        verbose: 1 prints a message; default 0.
        save_best_only: bool, whether to save only if ``monitor`` is better than ever before; default False.
        save_weights_only: bool, whether to call ``model.save_weights`` instead of ``model.save``; default False.
        mode: ``"min"``, ``"max"``, or ``"auto"``, to infer it from the metric.
        save_freq: ``"epoch"``, or a number of batches; metrics are then means over the epoch so far; default "epoch".
        initial_value_threshold: float, value that the first saved model must beat, for ``save_best_only``; default
            None.
        period: int, number of epochs between two saves, as in Keras 2; default 1.

    Raises:
        ValueError: for an invalid ``save_freq`` or ``mode``.
        KeyError: for a field of ``filepath`` that is not in the logs.

    >>> import numpy as np, polykeras as keras, os, tempfile
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> folder = tempfile.mkdtemp()
    >>> save = keras.callbacks.ModelCheckpoint(folder + "/{epoch}.keras")
    >>> history = model.fit(np.ones((4, 2)), np.ones((4, 1)), epochs=2, callbacks=[save], verbose=0)
    >>> sorted(os.listdir(folder))
    ['1.keras', '2.keras']
    """

    def __init__(
        self,
        filepath: str | os.PathLike,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
        period: int = 1,
    ) -> None:
        super().__init__(monitor, mode)
        is_count = isinstance(save_freq, int) and save_freq >= 1
        if save_freq != "epoch" and not is_count:
            raise ValueError(f"Expected save_freq to be 'epoch' or a number of batches. Received: {save_freq!r}.")
        self.filepath, self.verbose = os.fspath(filepath), verbose
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        self.save_freq, self.period = save_freq, period
        self.best = initial_value_threshold
        self.watched_hooks = frozenset({"on_train_batch_end"} if is_count else ())
        self._current_epoch = self._batches = self._epochs = 0
        self._last_batch = -1

    def on_train_begin(self, logs: dict | None = None) -> None:
        if self.save_best_only:
            super().on_train_begin(logs)
            self.best = self._first_best() if self.best is None else self.best

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._current_epoch, self._last_batch = epoch, -1

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if self._should_save_on_batch(batch):
            self._save_model(self._current_epoch, batch, logs)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._epochs += 1
        if self.save_freq == "epoch" and self._epochs >= self.period:
            self._epochs = 0
            self._save_model(epoch, None, logs)

    # Callbacks in other packages inherit from this one, and call or override the four methods below.

    def _should_save_on_batch(self, batch: int) -> bool:
        if isinstance(self.save_freq, str):  # "epoch"
            return False
        self._batches += batch - self._last_batch  # a call may stand for several batches
        self._last_batch = batch
        is_due = self._batches >= self.save_freq
        self._batches = 0 if is_due else self._batches
        return is_due

    def _save_model(self, epoch: int, batch: int | None = None, logs: dict | None = None) -> None:
        path = self._get_file_path(epoch, batch, logs)
        if self._should_save_model(epoch, batch, logs, path):
            self._write(epoch, path)

    def _should_save_model(self, epoch: int, batch: int | None, logs: dict | None, filepath: str) -> bool:
        return not self.save_best_only or self._is_best(epoch, log_names.logs(logs or {}))

    def _get_file_path(self, epoch: int, batch: int | None = None, logs: dict | None = None) -> str:
        counts = {"epoch": epoch + 1} | ({} if batch is None else {"batch": batch + 1})
        fields = log_names.logs({**(logs or {}), **counts})
        try:
            return self.filepath.format_map(fields)
        except KeyError as error:
            raise KeyError(
                f"Expected the fields of ModelCheckpoint(filepath={self.filepath!r}) among "
                f"{naming.listed(sorted(fields))}. "
                f"Received: {error}."
            ) from None

    def _write(self, epoch: int, path: str) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        if self.verbose:
            say(f"Epoch {epoch + 1}: saving the {'weights' if self.save_weights_only else 'model'} to {path}")
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            self.model.save(path, overwrite=True)

    def _is_best(self, epoch: int, logs: dict | None) -> bool:
        value = self.current(logs)
        if value is None or not self.is_better(value, self.best):
            if self.verbose and value is not None:
                say(f"Epoch {epoch + 1}: {self.monitor} {value:.5f} is not better than {self.best}")
            return False
        self.best = value
        return True
