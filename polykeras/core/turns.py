"""Who may use the values of variables now, where several threads do.

A step consumes the arrays of its variables: JAX deletes them. While it does, and while it puts their successors
in the slots, threads that want the values of before or after wait for their turn.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

_joining = threading.Lock()


class Turn:
    """A lock of all variables that steps use together.

    ``with turn.door, turn.room`` reads. A step passes ``door`` before it takes ``room``: without this, steps that
    follow one another would leave readers waiting for all of them. Both are locks of the interpreter itself,
    which a Ctrl-C cannot leave taken. ``writers`` are the threads whose steps write into the arrays themselves, without
    ``room``: it is not held while a user's code runs.
    """

    __slots__ = ("_joined", "door", "room", "writers")

    def __init__(self) -> None:
        self.door, self.room = threading.RLock(), threading.RLock()
        self.writers: set[int] = set()
        self._joined: Turn | None = None

    def now(self) -> Turn:
        """Return the turn that counts, since this one may have joined another."""
        turn = self
        while turn._joined is not None:
            turn = turn._joined
        return turn

    def is_written_elsewhere(self) -> bool:
        """Whether a step of another thread may write into arrays now."""
        return bool(self.writers - {threading.get_ident()})

    def write(self, function: Callable, *arguments: Any) -> Any:
        """Call a function that may write into the arrays of the variables."""
        thread = threading.get_ident()
        self.writers.add(thread)
        try:
            return function(*arguments)
        finally:
            self.writers.discard(thread)

    def join(self, other: Turn) -> None:
        """Be one with another from now on."""
        if self is not other:
            self._joined = other


def shared(variables: Iterable[Any]) -> Turn:
    """Return the turn that variables have together from now on."""
    with _joining:
        found = [v.turn.now() for v in variables if v.turn is not None]
        turn = found[0] if found else Turn()
        for other in found[1:]:
            other.now().join(turn)
        for variable in variables:
            variable.turn = turn
    return turn
