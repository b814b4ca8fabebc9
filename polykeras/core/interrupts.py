"""Deferring Ctrl-C while an interruption would leave a model half updated."""

from __future__ import annotations

import signal
import threading
from typing import Any


class deferred:
    """Context manager: a Ctrl-C inside the block takes effect at its end.

    Used around the few instructions that consume arrays and store their successors. In threads other
    than the main one, where Python delivers no Ctrl-C, it does nothing.

    >>> with deferred():
    ...     state = "consistent"
    """

    __slots__ = ("_before", "_caught")

    def __enter__(self) -> None:
        self._before: Any = None
        self._caught: tuple | None = None
        if threading.current_thread() is threading.main_thread():
            before = signal.getsignal(signal.SIGINT)
            if callable(before):
                signal.signal(signal.SIGINT, self._catch)
                self._before = before

    def _catch(self, *arguments: Any) -> None:
        self._caught = arguments

    def __exit__(self, *exception: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            if self._caught is not None:
                self._before(*self._caught)
