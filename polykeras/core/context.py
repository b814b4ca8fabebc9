"""What a layer's call has to know from the calls around it."""

from __future__ import annotations

import itertools
import threading
from typing import Any


class _Context(threading.local):
    """The innermost running layer call of this thread."""

    training: bool | None = None  # None: nobody said
    path: str = ""  # names of the layers around, joined by "/"
    entry: int | None = None  # number of the outermost call
    owner: Any = None  # the layer, for what its call draws without a seed
    stating: Any = None  # the layer whose own method says what its outputs are


context = _Context()
_entries = itertools.count()


class within:
    """Context manager: the state of things inside one layer's call."""

    __slots__ = ("_training", "_path", "_owner", "_before")

    def __init__(self, name: str, training: bool | None = None, owner: Any = None) -> None:
        path = context.path
        self._owner = owner
        self._path = f"{path}/{name}" if path else name
        self._training = training

    def __enter__(self) -> None:
        self._before = context.training, context.path, context.entry, context.owner
        context.path = self._path
        if self._owner is not None:
            context.owner = self._owner
        if self._training is not None:
            context.training = self._training
        if context.entry is None:
            context.entry = next(_entries)

    def __exit__(self, *exception: object) -> None:
        context.training, context.path, context.entry, context.owner = self._before


class owned:
    """Context manager: what is drawn without a seed belongs to a layer; with None to no layer, as inside a loop."""

    __slots__ = ("_owner", "_before")

    def __init__(self, owner: Any) -> None:
        self._owner = owner

    def __enter__(self) -> None:
        self._before, context.owner = context.owner, self._owner

    def __exit__(self, *exception: object) -> None:
        context.owner = self._before


class stating:
    """Context manager: a layer's own method says what its outputs are."""

    __slots__ = ("_layer", "_before")

    def __init__(self, layer: Any) -> None:
        self._layer = layer

    def __enter__(self) -> None:
        self._before, context.stating = context.stating, self._layer

    def __exit__(self, *exception: object) -> None:
        context.stating = self._before
