"""A callback from functions."""

from __future__ import annotations

from collections.abc import Callable

from polykeras.callbacks.callback import Callback
from polykeras.serialization import registry

HOOKS = frozenset(name for name in vars(Callback) if name.startswith("on_"))


class LambdaCallback(Callback):
    """Calls functions at fixed points of training.

    Args:
        on_epoch_begin, on_epoch_end: functions of (epoch, logs); default None.
        on_train_begin, on_train_end: functions of (logs); default None.
        on_train_batch_begin, on_train_batch_end: functions of (batch, logs); default None.
        **kwargs: functions for other hooks of Callback, such as ``on_batch_end`` or ``on_test_begin``. Names that do
            not start with ``on_`` become attributes.

    Raises:
        TypeError: for an unknown hook ``on_...``.

    >>> callback = LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))
    >>> callback.on_epoch_end(0, {"loss": 0.5})
    0 0.5
    """

    def __init__(
        self,
        on_epoch_begin: Callable | None = None,
        on_epoch_end: Callable | None = None,
        on_train_begin: Callable | None = None,
        on_train_end: Callable | None = None,
        on_train_batch_begin: Callable | None = None,
        on_train_batch_end: Callable | None = None,
        **kwargs: Callable | None,
    ) -> None:
        super().__init__()
        functions = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **kwargs,
        }
        unknown = [name for name in functions if name.startswith("on_") and name not in HOOKS]
        if unknown:
            raise TypeError(f"Expected a hook of Callback. Received: {unknown[0]!r}.{registry.near(unknown[0], HOOKS)}")
        given = {name: function for name, function in functions.items() if function is not None}
        vars(self).update(given)
        #: The hooks that have a function, so that batches are only reported if needed.
        self.watched_hooks = frozenset(given)
