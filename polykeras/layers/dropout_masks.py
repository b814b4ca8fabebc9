"""Dropout masks that a cell keeps for all steps of a sequence."""

from __future__ import annotations

from typing import Any

from polykeras import ops, random


class DropoutMasks:
    """Masks for the inputs and the states of a cell of one's own, the same ones until they are reset.

    A cell with ``dropout``, ``recurrent_dropout`` and ``seed_generator`` inherits from it beside ``Layer``. ``RNN``
    makes the masks before the first step, and resets them after the last. With ``dropout_mask_count`` there are as
    many of each, in a list.

    >>> import numpy as np, polykeras as keras
    >>> class Cell(DropoutMasks, keras.layers.Layer):
    ...     dropout, recurrent_dropout, seed_generator = 0.5, 0.0, keras.random.SeedGenerator(1)
    >>> cell = Cell()
    >>> first = cell.get_dropout_mask(np.ones((2, 3)))
    >>> bool((first == cell.get_dropout_mask(np.ones((2, 3)))).all())
    True
    """

    dropout: float
    recurrent_dropout: float
    seed_generator: Any
    dropout_mask_count: int | None = None
    _dropout_mask: Any = None
    _recurrent_dropout_mask: Any = None

    def get_dropout_mask(self, step_input: Any) -> Any:
        """Return the mask of the inputs; None without dropout.

        Args:
            step_input: array of the inputs of a step, (batch, features).
        """
        if self._dropout_mask is None and self.dropout:
            self._dropout_mask = self._drawn(step_input, self.dropout)
        return self._dropout_mask

    def get_recurrent_dropout_mask(self, step_input: Any) -> Any:
        """Return the mask of the states; None without recurrent dropout.

        Args:
            step_input: array of a state, (batch, units).
        """
        if self._recurrent_dropout_mask is None and self.recurrent_dropout:
            self._recurrent_dropout_mask = self._drawn(step_input, self.recurrent_dropout)
        return self._recurrent_dropout_mask

    def get_dropout_mask_for_cell(self, inputs: Any, training: bool, count: int = 1) -> Any:
        """Return the mask of the inputs, or a list of masks, as a ``call`` for tf.keras 2 asks for it.

        Args:
            inputs: array of the inputs of a step, (batch, features).
            training: bool, whether to run in training mode; otherwise the result is None.
            count: int, the number of masks; default 1, for one that is not in a list.
        """
        return _counted(self.get_dropout_mask(inputs), count) if training else None

    def get_recurrent_dropout_mask_for_cell(self, inputs: Any, training: bool, count: int = 1) -> Any:
        """Return the mask of the states, or a list of masks, as a ``call`` for tf.keras 2 asks for it.

        Args:
            inputs: array of a state, (batch, units).
            training, count: as for ``get_dropout_mask_for_cell``.
        """
        return _counted(self.get_recurrent_dropout_mask(inputs), count) if training else None

    def reset_dropout_mask(self) -> None:
        """Forget the mask of the inputs, so that the next one is another."""
        self._dropout_mask = None

    def reset_recurrent_dropout_mask(self) -> None:
        """Forget the mask of the states, so that the next one is another."""
        self._recurrent_dropout_mask = None

    def _drawn(self, like: Any, rate: float) -> Any:
        ones = ops.ones_like(like)
        if self.dropout_mask_count is None:
            return random.dropout(ones, rate, seed=self.seed_generator)
        return [random.dropout(ones, rate, seed=self.seed_generator) for _ in range(self.dropout_mask_count)]


def _counted(masks: Any, count: int) -> Any:
    """Return masks as a list of ``count``, all the same where there is only one; None stays None."""
    if masks is None or (count > 1) == isinstance(masks, list):
        return masks
    return [masks] * count if count > 1 else masks[0]
