"""A callback that makes training resumable after its process has ended."""

from __future__ import annotations

import functools
import os
import warnings
from pathlib import Path
from typing import Any

from polykeras.callbacks.callback import Callback


class BackupAndRestore(Callback):
    """Resumes training where an earlier ``fit`` was killed, with the same final weights as without the interruption.

    The state of training is written to one file, which replaces the previous one once it is complete. A ``fit``
    with the same arguments that finds such a file starts from it: at the same epoch and batch, with the same
    weights and states of the optimizer, metrics, seeds and other callbacks. Shuffling and dropout resume too, even
    if no seed was set. Datasets and generators must yield the batches of the earlier epochs again.

    Args:
        backup_dir: directory for the file, used by this model only.
        save_freq: ``"epoch"``, or a number of batches; default "epoch".
        double_checkpoint: bool, whether to also keep the previous backup, in case the last one can't be read; default
            False.
        delete_checkpoint: bool, whether to delete the backup at the end of training; default True.

    Raises:
        ValueError: for an invalid ``save_freq``, or in ``fit`` if the backup is damaged or of another model.

    >>> import tempfile, numpy as np, polykeras as keras
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> backup = keras.callbacks.BackupAndRestore(tempfile.mkdtemp())
    >>> history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=2, callbacks=[backup], verbose=0)
    """

    #: Other callbacks are called first, so that a backup includes their changes.
    comes_last = True

    def __init__(
        self,
        backup_dir: str | os.PathLike,
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        is_count = isinstance(save_freq, int) and not isinstance(save_freq, bool) and save_freq >= 1
        if save_freq != "epoch" and not is_count:
            raise ValueError(f"Expected save_freq to be 'epoch' or a number of batches. Received: {save_freq!r}.")
        if not os.fspath(backup_dir):
            raise ValueError("Expected backup_dir to name a folder. Received: an empty name.")
        self.backup_dir, self.save_freq = os.fspath(backup_dir), save_freq
        self.double_checkpoint, self.delete_checkpoint = double_checkpoint, delete_checkpoint
        self.watched_hooks = frozenset({"on_train_batch_end"} if is_count else ())
        self._path = Path(self.backup_dir, "latest.h5")
        self._previous = Path(self.backup_dir, "previous.h5")
        self._batches = 0
        self._last_batch = -1
        self._start: dict = {}

    # ------------------------------------------------------------------ restore

    def saved_position(self, model: Any) -> Any:
        """Return the position of training in the backup, or None; called at the start of ``fit``.

        Args:
            model: Model.

        Raises:
            ValueError: if the backup can't be read.
        """
        from polykeras.training import resumption

        paths = [path for path in (self._path, self._previous) if path.exists()]
        for path in paths:
            try:
                position = resumption.read_position(path)
            except ValueError as error:
                if path is paths[-1]:
                    error.add_note("Delete the file to train from the start.")
                    raise
                warnings.warn(f"The previous backup is used. {error}", stacklevel=4)
            else:
                position.restore = functools.partial(self._restore, path, position.batch)
                return position
        return None

    def _restore(self, path: Path, batch: int) -> None:
        from polykeras.training import resumption

        resumption.change_back(self._others(), resumption.load(path, self.model))
        self._batches, self._last_batch = 0, batch - 1

    def _others(self) -> list:
        return [callback for callback in self.model._position.callbacks if callback is not self]

    def on_train_begin(self, logs: dict | None = None) -> None:
        from polykeras.training import resumption

        Path(self.backup_dir).mkdir(parents=True, exist_ok=True)
        self._batches, self._last_batch = 0, -1
        self._start = resumption.plain_attributes(self._others())

    # --------------------------------------------------------------------- save

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._last_batch = -1

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if isinstance(self.save_freq, str):  # "epoch"
            return
        self._batches += batch - self._last_batch  # a call may stand for several batches
        self._last_batch = batch
        if self._batches >= self.save_freq:
            self._batches = 0
            self._save()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if self.save_freq == "epoch":
            self._save()

    def _save(self) -> None:
        from polykeras.training import resumption

        if self.double_checkpoint and self._path.exists():
            os.replace(self._path, self._previous)
        changes = resumption.changed(self._others(), self._start)
        resumption.save(self._path, self.model, changes)

    def on_train_end(self, logs: dict | None = None) -> None:
        if self.delete_checkpoint:
            self._path.unlink(missing_ok=True)
            self._previous.unlink(missing_ok=True)
            if not os.listdir(self.backup_dir):
                os.rmdir(self.backup_dir)
