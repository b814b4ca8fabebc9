"""Callbacks: what a user runs at fixed moments of training, and the list that calls them."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

from polykeras.core import log_names


class Callback:
    """Base class: override the moments that matter.

    Attributes set before training: ``model`` and ``params`` (``epochs``, ``steps``, ``verbose``).
    ``logs`` are dicts from metric names to floats. Setting ``self.model.stop_training = True`` ends
    training after the batch or epoch.

    >>> import polykeras as keras
    >>> class Shout(keras.callbacks.Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(epoch, sorted(logs))
    """

    #: Least seconds between two calls of ``on_train_batch_end`` and its kin: 0 means every batch.
    batch_interval: float = 0.0
    #: Batches of the epoch so far, those without a call because of ``batch_interval`` included.
    batches_seen: int = 0

    def __init__(self) -> None:
        self.params: dict = {}
        self._model: Any = None
        self.validation_data = None

    @property
    def model(self) -> Any:
        """The model in training."""
        return self.__dict__.get("_model")

    @model.setter
    def model(self, model: Any) -> None:
        self._model = model

    def set_params(self, params: dict) -> None:
        """Keep what ``fit`` tells of itself: ``epochs``, ``steps`` and ``verbose``.

        Args:
            params: dict.
        """
        self.params = params

    def set_model(self, model: Any) -> None:
        """Keep the model that is trained.

        Args:
            model: Model.
        """
        self._model = model

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Called at the start of an epoch, of training only.

        Args:
            epoch: int, from 0 on.
            logs: dict from metric names to values; default None.
        """

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Called at the end of an epoch, with the results of training and validation (``val_...``).

        Args:
            epoch: int, from 0 on.
            logs: dict from metric names to values; default None.
        """

    def on_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Another name for ``on_train_batch_begin``.

        Args:
            batch: int, index of the batch within the epoch, starting at 0.
            logs: dict from metric names to values; default None.
        """

    def on_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Another name for ``on_train_batch_end``.

        Args:
            batch: int, index of the batch within the epoch, starting at 0.
            logs: dict from metric names to values; default None.
        """

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Called before a batch of ``fit``.

        Args:
            batch: int, index of the batch within the epoch, starting at 0.
            logs: dict from metric names to values; default None.
        """
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Called after a batch of ``fit``, with the means of the epoch so far.

        Args:
            batch: int, index of the batch within the epoch, starting at 0.
            logs: dict from metric names to values; default None.
        """
        self.on_batch_end(batch, logs)

    def on_test_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Called before a batch of ``evaluate``, validation included.

        Args:
            batch: int, index of the batch within the epoch, starting at 0.
            logs: dict from metric names to values; default None.
        """

    def on_test_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Called after a batch of ``evaluate``.

        Args:
            batch: int, index of the batch within the epoch, starting at 0.
            logs: dict from metric names to values; default None.
        """

    def on_predict_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Called before a batch of ``predict``.

        Args:
            batch: int, index of the batch within the epoch, starting at 0.
            logs: dict from metric names to values; default None.
        """

    def on_predict_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Called after a batch of ``predict``, with its ``outputs``.

        Args:
            batch: int, index of the batch within the epoch, starting at 0.
            logs: dict from metric names to values; default None.
        """

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Called at the start of ``fit``.

        Args:
            logs: dict from metric names to values; default None.
        """

    def on_train_end(self, logs: dict | None = None) -> None:
        """Called at the end of ``fit``.

        Args:
            logs: dict from metric names to values; default None.
        """

    def on_test_begin(self, logs: dict | None = None) -> None:
        """Called at the start of ``evaluate``, validation included.

        Args:
            logs: dict from metric names to values; default None.
        """

    def on_test_end(self, logs: dict | None = None) -> None:
        """Called at the end of ``evaluate``.

        Args:
            logs: dict from metric names to values; default None.
        """

    def on_predict_begin(self, logs: dict | None = None) -> None:
        """Called at the start of ``predict``.

        Args:
            logs: dict from metric names to values; default None.
        """

    def on_predict_end(self, logs: dict | None = None) -> None:
        """Called at the end of ``predict``.

        Args:
            logs: dict from metric names to values; default None.
        """


class History(Callback):
    """What ``fit`` returns: ``history`` has a list of values, one an epoch, for each metric.

    >>> History().history
    {}
    """

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.epoch = []
        self.history = log_names.logs({})

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)


_BATCH_HOOKS = {
    "train": ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end"),
    "test": ("on_test_batch_begin", "on_test_batch_end"),
    "predict": ("on_predict_batch_begin", "on_predict_batch_end"),
}


class CallbackList:
    """Calls a list of callbacks in order; it has their methods ``on_epoch_begin`` and so on itself.

    Args:
        callbacks: callbacks, or one of them; default None.
        add_history: add a History, unless there is one.
        add_progbar: add a ProgbarLogger, unless there is one.
        model: given to each callback; default None.
        **params: given to each callback.

    Raises:
        TypeError: for something else than callbacks.

    >>> callbacks = CallbackList([History()])
    >>> callbacks.on_train_begin(); callbacks.on_epoch_end(0, {"loss": 0.5}); callbacks.history.history
    {'loss': [0.5]}
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        if isinstance(callbacks, CallbackList):
            callbacks = callbacks.callbacks
        callbacks = [] if callbacks is None else callbacks
        self.callbacks: list[Any] = list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]
        for callback in self.callbacks:
            if isinstance(callback, type) or not hasattr(callback, "on_epoch_end"):
                raise TypeError(f"Expected callbacks to be Callback objects. Received: {callback!r}.")
        if add_progbar and not any(type(c).__name__ == "ProgbarLogger" for c in self.callbacks):
            from polykeras.callbacks.progress import ProgbarLogger

            self.callbacks.append(ProgbarLogger())
        if add_history and self.history is None:
            self.callbacks.append(History())
        self.callbacks.sort(key=lambda callback: getattr(callback, "comes_last", False))
        self._find_watchers()
        self.set_params(params)
        if model is not None:
            self.set_model(model)

    def _find_watchers(self) -> None:
        self._watchers = {k: [c for c in self.callbacks if _watches(c, names)] for k, names in _BATCH_HOOKS.items()}
        self._last = dict.fromkeys(map(id, self.callbacks), 0.0)

    @property
    def history(self) -> History | None:
        """The History among the callbacks."""
        return next((c for c in self.callbacks if isinstance(c, History)), None)

    def append(self, callback: Callback) -> None:
        """Add a callback at the end.

        Args:
            callback: Callback.
        """
        self.callbacks.append(callback)
        self._find_watchers()

    def set_params(self, params: dict) -> None:
        """Give all callbacks the numbers of the training: epochs, steps, verbose."""
        self.params = params
        self.call("set_params", params)

    def set_model(self, model: Any) -> None:
        """Give all callbacks the model."""
        self.call("set_model", model)

    def watches_batches(self, kind: str) -> bool:
        """True if a callback wants every batch of "train", "test" or "predict".

        Args:
            kind: "train", "test" or "predict".
        """
        return any(not getattr(c, "batch_interval", 0) for c in self._watchers[kind])

    def batch_begin(self, kind: str, batch: int, logs: dict | None = None) -> None:
        """Call ``on_<kind>_batch_begin`` of the callbacks that have it.

        Args:
            batch: int, its index in the epoch.
            logs: dict of what is known of it; default None.
        """
        for callback in self._watchers[kind]:
            if not getattr(callback, "batch_interval", 0):
                getattr(callback, f"on_{kind}_batch_begin")(batch, dict(logs or {}))

    def batch_end(
        self, kind: str, batch: int, make_logs: Callable[[], dict], is_last: bool = False, seen: int | None = None
    ) -> None:
        """Call ``on_<kind>_batch_end`` of the callbacks that are due; the logs are made if one is.

        Args:
            batch: int, its index in the epoch.
            make_logs: function without arguments that returns the logs.
            is_last: bool, whether no batch follows in the epoch; default False.
            seen: int, how many batches there were in the epoch; default those up to this one.
        """
        logs = None
        for callback in self._watchers[kind]:
            interval = getattr(callback, "batch_interval", 0)
            callback.batches_seen = batch + 1 if seen is None else seen
            if interval and not is_last:
                now = time.monotonic()
                if now - self._last[id(callback)] < interval:
                    continue
                self._last[id(callback)] = now
            logs = make_logs() if logs is None else logs
            getattr(callback, f"on_{kind}_batch_end")(batch, logs)

    def call(self, moment: str, *arguments: Any, **named: Any) -> None:
        """Call one moment, such as ``"on_epoch_end"``, of every callback.

        Args:
            moment: name of a method.
            *arguments, **named: its arguments.
        """
        for callback in self.callbacks:
            getattr(callback, moment)(*arguments, **named)


def _forwarder(moment: str) -> Callable:
    @functools.wraps(getattr(Callback, moment))
    def call(self: CallbackList, *arguments: Any, **named: Any) -> None:
        self.call(moment, *arguments, **named)

    return call


# A loop of the user's own calls the moments of the list, as it would those of one callback.
for _moment in [name for name in vars(Callback) if name.startswith("on_")]:
    setattr(CallbackList, _moment, _forwarder(_moment))


def _watches(callback: Any, names: tuple[str, ...]) -> bool:
    """True if a callback, or its class, defines one of the batch hooks itself."""
    special = getattr(callback, "watched_hooks", None)
    if special is not None:
        return any(name in special for name in names)
    return any(
        name in vars(callback) or getattr(type(callback), name, None) is not getattr(Callback, name) for name in names
    )
