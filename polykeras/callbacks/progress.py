"""The progress display of fit, evaluate and predict."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from polykeras.callbacks.callback import Callback
from polykeras.callbacks.progbar import LOG_INTERVAL, Progbar, is_live
from polykeras.core import log_names

_REDRAW_INTERVAL = 0.1


class ProgbarLogger(Callback):
    """Prints the progress, the current metrics, and at the end of an epoch those of validation.

    ``fit``, ``evaluate`` and ``predict`` add it automatically unless ``verbose=0``. If the line can be redrawn (in
    a terminal or notebook), it is a live bar, updated at most ten times a second; elsewhere a plain line per epoch,
    and one per minute in longer ones; for ``verbose=2`` one per epoch.

    Args:
        count_mode, stateful_metrics: accepted for compatibility with Keras 2 and ignored; defaults "steps" and
            None.

    >>> import polykeras as keras
    >>> keras.callbacks.ProgbarLogger().batch_interval
    0.1
    """

    batch_interval = _REDRAW_INTERVAL

    def __init__(self, count_mode: str = "steps", stateful_metrics: Iterable[str] | None = None) -> None:
        super().__init__()
        self.count_mode, self.stateful_metrics = count_mode, stateful_metrics
        self._bar: Any = None
        self._is_training = False

    def set_params(self, params: dict) -> None:
        super().set_params(params)
        self._verbose = params.get("verbose", 1)
        if is_live(self._verbose):
            self.batch_interval = _REDRAW_INTERVAL
        else:  # a line printed only at the end needs no batches, so no logs are fetched
            self.batch_interval = LOG_INTERVAL if self._verbose == 1 else math.inf

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._is_training = True

    def on_train_end(self, logs: dict | None = None) -> None:
        self._is_training = False

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        epochs = self.params.get("epochs")
        self._open(f"Epoch {epoch + 1}/{epochs}" if epochs else f"Epoch {epoch + 1}")

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._advance(batch + 1, logs)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._close(logs)

    def on_test_begin(self, logs: dict | None = None) -> None:
        if self._is_training:
            self._advance(self.batches_seen, None)
        else:
            self._open()

    def on_test_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if not self._is_training:
            self._advance(batch + 1, logs)

    def on_test_end(self, logs: dict | None = None) -> None:
        if self._is_training:
            self.batches_seen = self._bar.seen  # restore the count of training after validation
        else:
            self._close(logs)

    def on_predict_begin(self, logs: dict | None = None) -> None:
        self._open()

    def on_predict_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._advance(batch + 1, None)

    def on_predict_end(self, logs: dict | None = None) -> None:
        self._close(None)

    def _open(self, title: str = "") -> None:
        self.batches_seen = 0
        interval = 0 if is_live(self._verbose) else LOG_INTERVAL  # a live line is drawn at every call
        self._bar = Progbar(
            self.params.get("steps"), verbose=self._verbose, interval=interval, stateless_metrics=(), title=title
        )

    def _advance(self, count: int, logs: dict | None) -> None:
        target = self._bar.target
        count = count if target is None else min(count, target)
        self._bar.update(count, log_names.of_results(logs or {}).items(), finalize=False)

    def _close(self, logs: dict | None) -> None:
        # Not every batch was reported, but this count is exact, even if the last batch was not known to be the last.
        self._bar.update(self.batches_seen, (logs or {}).items(), finalize=True)
