"""A number that rises when something is set that a step may have been made from.

Comparing it takes nanoseconds; only where it moved does a step look at what it was made from.

>>> from polykeras import losses
>>> from polykeras.capture import stamp
>>> loss = losses.Huber(delta=1.0)
>>> stamp.remember(loss)
>>> before = stamp.count
>>> loss.delta = 2.0
>>> stamp.count > before
True
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

count = 0
#: How often ``renew_constants`` was called.
constants = 0

_counts = itertools.count(1)
_missing = object()

#: Values that are the same when they are equal; anything else only when it is the same object.
PLAIN = frozenset({int, float, bool, str, bytes, complex, type(None)})

#: Attributes that polykeras sets while steps run or are made, and that no step is made from.
BOOKKEEPING = frozenset(
    {
        *("_accepted", "_added_metrics", "_arguments", "_build_shapes", "_compile_arguments", "_defers_logs"),
        *("_fit_layers", "_inbound_nodes", "_initial_weights", "_is_building", "_is_remembered", "_losses", "_masks"),
        *("_losses_entry", "_own_seeds", "_position", "_shown_shape", "_signature", "_snapshot_lists", "_steps"),
        *("_weight_places", "history", "output_specs", "stop_evaluating", "stop_predicting", "stop_training"),
        "_engine_state",
    }
)


def rise() -> None:
    """Say that something was set. Each call gives a number of its own, in whatever thread."""
    global count
    count = next(_counts)


def renew_constants() -> None:
    """Say that something that steps hold as a constant, such as a vocabulary, has changed."""
    global constants
    constants += 1
    rise()


def is_equal(one: Any, other: Any) -> bool:
    """Whether a step can't tell two values of an attribute apart."""
    if one is other:
        return True
    kind = one.__class__
    return kind in PLAIN and kind is other.__class__ and (one == other or (one != one and other != other))


class Stamped:
    """Base of what steps are made from: the stamp rises when an attribute gets another value.

    It does once ``remember`` was called; what nobody has looked at yet, as while it is made, may change freely.
    """

    _is_remembered = False

    def __setattr__(self, name: str, value: Any) -> None:
        if not self._is_remembered:
            super().__setattr__(name, value)
            return
        own = self.__dict__
        before = own.get(name, _missing)
        super().__setattr__(name, value)
        if name not in BOOKKEEPING and not is_equal(own.get(name, _missing), before):
            rise()
            self._note_change(name)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        if self._is_remembered and name not in BOOKKEEPING:
            rise()
            self._note_change(name)

    def _note_change(self, name: str) -> None:
        """Forget what was remembered of an attribute that has changed."""


def remember(x: Any) -> None:
    """Let the stamp rise when something of an object is set."""
    x.__dict__["_is_remembered"] = True


def note_inside(x: Any) -> None:
    """Say that something inside of an object's attributes has changed, such as an item of a list."""
    if x._is_remembered:
        rise()


class Setting:
    """An attribute of a performance-critical class: reading it costs nothing extra, setting it moves the stamp."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    if TYPE_CHECKING:

        def __get__(self, instance: Any, owner: type | None = None) -> Any: ...

    def __set__(self, instance: Any, value: Any) -> None:
        own = instance.__dict__
        if "_is_remembered" in own and not is_equal(own.get(self._name, _missing), value):
            rise()
        own[self._name] = value
