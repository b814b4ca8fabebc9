"""The stamp: a global counter that rises when something is set that a step may have been made from.

Comparing it takes nanoseconds; only when it has changed does a step compare what it was made from.

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
#: Number of calls of ``renew_constants``.
constants = 0

_counts = itertools.count(1)
_missing = object()

#: Types whose values are the same when they are equal; anything else is the same only by identity.
PLAIN = frozenset({int, float, bool, str, bytes, complex, type(None)})

#: Attributes that polykeras sets while steps run or are made, and that do not affect steps.
BOOKKEEPING = frozenset(
    {
        *(
            "_accepted_inputs",
            "_added_metrics",
            "_init_arguments",
            "_build_shapes",
            "_compile_arguments",
            "_defers_logs",
        ),
        *("_inbound_nodes", "_initial_weights", "_is_building", "_is_remembered", "_losses", "_masks"),
        *(
            "_losses_entry",
            "_own_seeds",
            "_position",
            "_shown_shape",
            "_signature_of_call",
            "_snapshot_lists",
            "_captured_steps",
        ),
        *("_weight_places", "history", "output_specs", "stop_evaluating", "stop_predicting", "stop_training"),
        "_engine_state",
    }
)


def rise() -> None:
    """Note that something was set. Every call yields a new number, in any thread."""
    global count
    count = next(_counts)


def renew_constants() -> None:
    """Note that something has changed that steps hold as a constant, such as a vocabulary."""
    global constants
    constants += 1
    rise()


def is_equal(one: Any, other: Any) -> bool:
    """Whether two values of an attribute are equivalent for a step (NaN equals NaN)."""
    if one is other:
        return True
    kind = one.__class__
    return kind in PLAIN and kind is other.__class__ and (one == other or (one != one and other != other))


class Stamped:
    """Base class of objects that steps are made from: the stamp rises when an attribute gets another value.

    It does so once ``remember`` was called; objects that no step has visited yet may change freely.
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
        """Drop what was cached for an attribute that has changed."""


def remember(x: Any) -> None:
    """Make the stamp rise when an attribute of an object is set."""
    x.__dict__["_is_remembered"] = True


def note_inside(x: Any) -> None:
    """Note that something inside an object's attributes has changed, such as an item of a list."""
    if x._is_remembered:
        rise()


class Setting:
    """A descriptor for attributes of performance-critical classes: reads cost nothing extra, writes move the stamp."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    if TYPE_CHECKING:

        def __get__(self, instance: Any, owner: type | None = None) -> Any: ...

    def __set__(self, instance: Any, value: Any) -> None:
        own = instance.__dict__
        if "_is_remembered" in own and not is_equal(own.get(self._name, _missing), value):
            rise()
        own[self._name] = value
