"""Evaluation between the epochs of ``fit``."""

from __future__ import annotations

from typing import Any

from polykeras import config
from polykeras.callbacks.callback import CallbackList
from polykeras.training.data.batches import unpack_x_y_sample_weight
from polykeras.training.data.conversion import is_data
from polykeras.training.data.sources import Epochs, Preparation, make_source


class Validation:
    """Evaluation between epochs, on a source that is made once.

    Args:
        model: the model.
        data: source of batches, or tuple of inputs, targets and sample weights; None for no validation.
        sizes: rows per batch, for validation and for training.
        steps: int, batches at most; None for all.
        frequency: int, epochs from one evaluation to the next, or the numbers of the epochs, starting at 1.
        workers: options of the workers that prepare batches.
    """

    def __init__(self, model: Any, data: Any, sizes: tuple, steps: int | None, frequency: Any, workers: dict) -> None:
        self._model, self._frequency = model, frequency
        self._source: Any = None
        if data is not None:
            is_parts = isinstance(data, list | tuple)
            parts = unpack_x_y_sample_weight(tuple(data)) if is_parts else (data, None, None)
            batch_size = sizes[0] or (sizes[1] if is_data(parts[0]) else None)
            epochs = Epochs(config.limited_steps(steps))
            prepare = Preparation(check=model._check_host_batch, encode=model._encode_strings)
            self._source = make_source(parts, batch_size, epochs, prepare=prepare, workers=workers)
            self._check()

    def _check(self) -> None:
        """Run the step over specs, so that errors in the data show up before training, not after an epoch."""
        try:
            batch = self._source.spec()
            self._model._prepare_for(batch)
            self._model._step_for("test", batch, True)
        except BaseException:
            self.close()
            raise

    def is_due(self, epoch: int) -> bool:
        """Whether to evaluate after an epoch, and there are batches left.

        Args:
            epoch: int, index of the epoch, starting at 0.
        """
        if self._source is None:
            return False
        number, wanted = epoch + 1, self._frequency
        is_due = number % wanted == 0 if isinstance(wanted, int) else number in wanted
        return is_due and self._source.begin()

    def run(self, callbacks: CallbackList) -> dict:
        """Evaluate; return the logs.

        Args:
            callbacks: those of ``fit``.
        """
        return self._model._evaluate_source(self._source, callbacks)

    def close(self) -> None:
        """Stop the workers of the source."""
        if self._source is not None:
            self._source.close()
