"""The base class of callbacks, and the list that calls them."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from polykeras.core import log_names


def tell(hook: Callable, batch: int, logs: dict | None) -> None:
    """Call a hook for a batch, with ``logs`` by name where it has such an argument, as Keras 3 does.

    Args:
        hook: method of a callback, or a function.
        batch: int, index of the batch within the epoch, starting at 0.
        logs: dict from metric names to values.

    >>> tell(lambda *arguments, **named: print(arguments, named), 0, {})
    (0,) {'logs': {}}
    """
    if _names_logs(getattr(hook, "__func__", hook)):
        hook(batch, logs=logs)
    else:
        hook(batch, logs)


def _names_logs(function: Callable) -> bool:
    """Return whether a function takes ``logs`` by name."""
    function = inspect.unwrap(function)
    code = getattr(function, "__code__", None)
    if code is not None:  # a tenth of the time of a signature: this runs for every batch
        named = code.co_varnames[code.co_posonlyargcount : code.co_argcount + code.co_kwonlyargcount]
        return "logs" in named or bool(code.co_flags & inspect.CO_VARKEYWORDS)
    try:
        arguments = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # compiled functions have none
        return False
    by_name = [a for a in arguments if a.name == "logs" and a.kind is not a.POSITIONAL_ONLY]
    return bool(by_name) or any(a.kind is a.VAR_KEYWORD for a in arguments)


class Callback:
    """Base class of callbacks: subclasses override hooks, methods that are called at fixed points of training.

    The attributes ``model`` and ``params`` (``epochs``, ``steps``, ``verbose``) are set before training.
    ``logs`` are dicts from metric names to floats. Setting ``self.model.stop_training = True`` stops
    training after the current batch or epoch.

    >>> import polykeras as keras
    >>> class Shout(keras.callbacks.Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(epoch, sorted(logs))
    """

    #: Minimum number of seconds between two calls of ``on_train_batch_end`` and the like; 0 for every batch.
    batch_interval: float = 0.0
    #: Number of batches of the epoch so far, including those without a call because of ``batch_interval``.
    batches_seen: int = 0

    def __init__(self) -> None:
        self.params: dict = {}
        self._model: Any = None
        self.validation_data = None

    @property
    def model(self) -> Any:
        """The model that is being trained."""
        return self.__dict__.get("_model")

    @model.setter
    def model(self, model: Any) -> None:
        self._model = model

    def set_params(self, params: dict) -> None:
        """Store the parameters of ``fit``.

        Args:
            params: dict with ``epochs``, ``steps`` and ``verbose``.
        """
        self.params = params

    def set_model(self, model: Any) -> None:
        """Store the model that is being trained.

        Args:
            model: Model.
        """
        self._model = model

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Called at the start of an epoch, in training only.

        Args:
            epoch: int, index of the epoch, starting at 0.
            logs: dict from metric names to values; default None.
        """

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Called at the end of an epoch, with the results of training and validation (``val_...``).

        Args:
            epoch: int, index of the epoch, starting at 0.
            logs: dict from metric names to values; default None.
        """

    def on_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Alias of ``on_train_batch_begin``.

        Args:
            batch: int, index of the batch within the epoch, starting at 0.
            logs: dict from metric names to values; default None.
        """

    def on_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Alias of ``on_train_batch_end``.

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
        tell(self.on_batch_begin, batch, logs)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Called after a batch of ``fit``, with the means over the epoch so far.

        Args:
            batch: int, index of the batch within the epoch, starting at 0.
            logs: dict from metric names to values; default None.
        """
        tell(self.on_batch_end, batch, logs)

    def on_test_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Called before a batch of ``evaluate``, including validation.

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
        """Called at the start of ``evaluate``, including validation.

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
    """The return value of ``fit``: its attribute ``history`` maps each metric to a list with one value per epoch.

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
    """Calls a list of callbacks in order; it has all their hooks, such as ``on_epoch_begin``, itself.

    Args:
        callbacks: list of callbacks, or a single one; default None.
        add_history: bool, whether to add a History unless there is one; default False.
        add_progbar: bool, whether to add a ProgbarLogger unless there is one; default False.
        model: Model, passed to each callback; default None.
        **params: parameters passed to each callback.

    Raises:
        TypeError: for objects that are not callbacks.

    >>> callbacks = CallbackList([History()])
    >>> callbacks.on_train_begin(); callbacks.on_epoch_end(0, {"loss": 0.5}); callbacks.history.history
    {'loss': [0.5]}
    """

    if TYPE_CHECKING:  # the hooks, which are added below

        def __getattr__(self, hook: str) -> Callable: ...

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
        self._model: Any = None
        if model is not None:
            self.set_model(model)
        self.set_params(params)

    def _find_watchers(self) -> None:
        self._watchers = {k: [c for c in self.callbacks if _watches(c, names)] for k, names in _BATCH_HOOKS.items()}
        self._last = dict.fromkeys(map(id, self.callbacks), 0.0)

    @property
    def history(self) -> History | None:
        """The History among the callbacks."""
        return next((c for c in self.callbacks if isinstance(c, History)), None)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.callbacks)

    def append(self, callback: Callback) -> None:
        """Add a callback at the end.

        Args:
            callback: Callback.
        """
        self.callbacks.append(callback)
        self._find_watchers()

    def set_params(self, params: dict) -> None:
        """Pass the parameters of training, such as epochs, steps and verbose, to all callbacks."""
        self.params = params
        self.call("set_params", params)

    @property
    def model(self) -> Any:
        """The model that is trained; None before it is set."""
        return self._model

    def set_model(self, model: Any) -> None:
        """Pass the model to all callbacks."""
        self._model = model
        self.call("set_model", model)

    def watches_batches(self, kind: str) -> bool:
        """Return True if a callback must be called for every batch of "train", "test" or "predict".

        Args:
            kind: "train", "test" or "predict".
        """
        return self._hears(kind) or any(not getattr(c, "batch_interval", 0) for c in self._watchers[kind])

    def _hears(self, kind: str) -> bool:
        """Return whether a subclass overrides the hooks for batches."""
        own = type(self)
        return any(getattr(own, name) is not getattr(CallbackList, name) for name in _BATCH_HOOKS[kind])

    def batch_begin(self, kind: str, batch: int, logs: dict | None = None) -> None:
        """Call ``on_<kind>_batch_begin`` of the callbacks that define it.

        Args:
            kind: "train", "test" or "predict".
            batch: int, index of the batch within the epoch, starting at 0.
            logs: dict passed to the callbacks; default None, for an empty one.
        """
        if self._hears(kind):
            tell(getattr(self, f"on_{kind}_batch_begin"), batch, dict(logs or {}))
            return
        for callback in self._watchers[kind]:
            if not getattr(callback, "batch_interval", 0):
                tell(getattr(callback, f"on_{kind}_batch_begin"), batch, dict(logs or {}))

    def batch_end(
        self, kind: str, batch: int, make_logs: Callable[[], dict], is_last: bool = False, seen: int | None = None
    ) -> None:
        """Call ``on_<kind>_batch_end`` of the callbacks that are due.

        Args:
            kind: "train", "test" or "predict".
            batch: int, index of the batch within the epoch, starting at 0.
            make_logs: function without arguments that returns the logs; called only if a callback is due.
            is_last: bool, whether this is the last batch of the epoch; default False.
            seen: int, number of batches so far in the epoch; default None, for ``batch + 1``.
        """
        logs = None
        if self._hears(kind):
            for callback in self._watchers[kind]:
                callback.batches_seen = batch + 1 if seen is None else seen
            tell(getattr(self, f"on_{kind}_batch_end"), batch, make_logs())
            return
        for callback in self._watchers[kind]:
            interval = getattr(callback, "batch_interval", 0)
            callback.batches_seen = batch + 1 if seen is None else seen
            if interval and not is_last:
                now = time.monotonic()
                if now - self._last[id(callback)] < interval:
                    continue
                self._last[id(callback)] = now
            logs = make_logs() if logs is None else logs
            tell(getattr(callback, f"on_{kind}_batch_end"), batch, logs)

    def call(self, hook: str, *arguments: Any, **named: Any) -> None:
        """Call one hook, such as ``"on_epoch_end"``, of every callback.

        Args:
            hook: str, name of the method.
            *arguments, **named: arguments of the method.
        """
        for callback in self.callbacks:
            getattr(callback, hook)(*arguments, **named)


def _forwarder(hook: str) -> Callable:
    own = getattr(Callback, hook)
    signature = inspect.signature(own)

    @functools.wraps(own)
    def call(self: CallbackList, *arguments: Any, **named: Any) -> None:
        given = signature.bind(self, *arguments, **named).arguments
        logs = given.pop("logs", None)
        _, *index = given.values()
        logs = {} if logs is None else logs  # a callback's own hook may require them
        if "batch" not in hook:
            self.call(hook, *index, logs)
            return
        for callback in self.callbacks:
            tell(getattr(callback, hook), index[0], logs)

    return call


# Custom training loops call the hooks of the list like those of a single callback.
for _hook in [name for name in vars(Callback) if name.startswith("on_")]:
    setattr(CallbackList, _hook, _forwarder(_hook))


def _watches(callback: Any, names: tuple[str, ...]) -> bool:
    """Return True if a callback or its class overrides one of the batch hooks."""
    special = getattr(callback, "watched_hooks", None)
    if special is not None:
        return any(name in special for name in names)
    return any(
        name in vars(callback) or getattr(type(callback), name, None) is not getattr(Callback, name) for name in names
    )
