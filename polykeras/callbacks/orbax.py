"""A callback that saves Orbax checkpoints."""

from __future__ import annotations

import os
from typing import Any

from polykeras.callbacks.checkpoints import ModelCheckpoint
from polykeras.callbacks.progbar import say


class OrbaxCheckpoint(ModelCheckpoint):
    """Saves the model with the orbax-checkpoint library, every epoch or every given number of batches.

    ``keras.saving.load_model`` and ``model.load_weights`` read the latest step in the directory.

    Args:
        directory: directory of the steps, which are named after the epoch (starting at 0) or, if ``save_freq`` is a
            number, after the number of optimizer updates.
        monitor: str, name in the logs, for ``save_best_only``; default "val_loss".
        verbose: 1 prints a message; default 0.
        save_best_only: bool, whether to save only if ``monitor`` is better than ever before; default False.
        mode: ``"min"``, ``"max"``, or ``"auto"``, to infer it from the metric.
        save_freq: ``"epoch"``, or a number of batches; default "epoch".
        initial_value_threshold: float, value that the first saved model must beat, for ``save_best_only``; default
            None.
        max_to_keep: int, number of latest steps to keep; None for all; default 1.
        save_on_background: bool, whether training continues while files are written; default True.
        save_weights_only: bool, whether to omit the architecture, the optimizer with its state, and files such as
            vocabularies; default False.

    Raises:
        ImportError: if the orbax-checkpoint package is not installed.
        ValueError: for an invalid ``save_freq`` or ``mode``.

    >>> import polykeras as keras
    >>> keras.callbacks.OrbaxCheckpoint("checkpoints", save_best_only=True).monitor
    'val_loss'
    """

    def __init__(
        self,
        directory: str | os.PathLike,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
        max_to_keep: int | None = 1,
        save_on_background: bool = True,
        save_weights_only: bool = False,
    ) -> None:
        super().__init__(
            directory, monitor, verbose, save_best_only, save_weights_only, mode, save_freq, initial_value_threshold
        )
        self.directory = os.path.abspath(self.filepath)
        self.max_to_keep, self.save_on_background = max_to_keep, save_on_background
        self._manager: Any = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        from polykeras.saving import orbax  # imported here: saving is above callbacks in the order of packages

        super().on_train_begin(logs)
        self.on_train_end()  # close a manager that an interrupted training left open
        checkpoint = orbax.checkpoint_package()
        options = checkpoint.CheckpointManagerOptions(
            max_to_keep=self.max_to_keep, enable_async_checkpointing=self.save_on_background, create=True
        )
        self._manager = checkpoint.CheckpointManager(self.directory, options=options)

    def _write(self, epoch: int, path: str) -> None:
        from polykeras.saving import orbax

        step = epoch if self.save_freq == "epoch" else int(self.model.optimizer.iterations)
        if self.verbose:
            say(f"Epoch {epoch + 1}: saving step {step} to {self.directory}")
        orbax.save(self._manager, step, self.model, self.save_weights_only)

    def wait_until_finished(self) -> None:
        """Wait until the files of all saved steps are written."""
        if self._manager is not None:
            self._manager.wait_until_finished()

    def is_multihost_enabled(self) -> bool:
        """Return False: a program has one process."""
        return False

    def is_primary_host(self) -> bool:
        """Return True: a program has one process."""
        return True

    def on_train_end(self, logs: dict | None = None) -> None:
        self.wait_until_finished()
        if self._manager is not None:
            self._manager.close()
        self._manager = None
