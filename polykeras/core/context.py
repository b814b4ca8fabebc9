"""What a layer's call needs to know about the calls that enclose it."""

from __future__ import annotations

import itertools
import threading
from typing import Any


class _Context(threading.local):
    """The innermost running layer call of this thread."""

    training: bool | None = None  # None: not specified
    path: str = ""  # names of the enclosing layers, joined by "/"
    entry: int | None = None  # number of the outermost call
    owner: Any = None  # the layer that unseeded random draws belong to
    handed_down: dict = {}  # values of the arguments that layers registered, by name
    stating: Any = None  # the layer whose compute_output_spec() or the like is running
    is_building: bool = False  # whether a layer's build() is running, rather than its call()
    collected_losses: list | None = None  # takes what add_loss() of layers adds; None to leave it to the layers alone
    unscoped: tuple[tuple[int, int], ...] = ()  # (start, end) of names in `path` that are no scopes in Keras 2


context = _Context()
_entries = itertools.count()


class within:
    """Context manager: the context inside one layer's call."""

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


class unscoped:
    """Context manager: the last name in the path, that of a layer, is no scope of names in Keras 2."""

    __slots__ = ("_length", "_before")

    def __init__(self, name: str) -> None:
        self._length = len(name)

    def __enter__(self) -> None:
        self._before = context.unscoped
        end = len(context.path)
        context.unscoped = (*self._before, (end - self._length, end))

    def __exit__(self, *exception: object) -> None:
        context.unscoped = self._before


class owned:
    """Context manager: unseeded random draws belong to ``owner``; None for no layer, as inside a loop."""

    __slots__ = ("_owner", "_before")

    def __init__(self, owner: Any) -> None:
        self._owner = owner

    def __enter__(self) -> None:
        self._before, context.owner = context.owner, self._owner

    def __exit__(self, *exception: object) -> None:
        context.owner = self._before


class handing_down:
    """Context manager: set the values of registered call arguments for the calls inside."""

    __slots__ = ("_values", "_before")

    def __init__(self, values: dict) -> None:
        self._values = values

    def __enter__(self) -> None:
        self._before, context.handed_down = context.handed_down, self._values

    def __exit__(self, *exception: object) -> None:
        context.handed_down = self._before


class stating:
    """Context manager: a layer's own method that describes its outputs is running."""

    __slots__ = ("_layer", "_before")

    def __init__(self, layer: Any) -> None:
        self._layer = layer

    def __enter__(self) -> None:
        self._before, context.stating = context.stating, self._layer

    def __exit__(self, *exception: object) -> None:
        context.stating = self._before


class collecting_losses:
    """Context manager: what ``add_loss`` of layers adds is appended to ``losses`` too; None for no list."""

    __slots__ = ("_losses", "_before")

    def __init__(self, losses: list | None) -> None:
        self._losses = losses

    def __enter__(self) -> None:
        self._before, context.collected_losses = context.collected_losses, self._losses

    def __exit__(self, *exception: object) -> None:
        context.collected_losses = self._before
