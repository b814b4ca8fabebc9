"""Turns among threads that use the values of the same variables.

A step consumes the arrays of its variables: JAX deletes them. While it does, and while it puts their successors
in the slots, threads that want the values of before or after wait for their turn. So do those that want to know
which variables there are, while some are added.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

# How long a reader waits for the end of a step: one whose own code waits for that reader would never end.
PATIENCE_SECONDS = 10.0

_joining = threading.Lock()
_growth = threading.RLock()


@contextlib.contextmanager
def growing() -> Iterator[None]:
    """Context manager, held while variables are added and while a model is read: no reader sees a half-built model.

    There is one lock for all models, since they may share layers. Code that builds may itself wait for a thread that
    reads: after ``PATIENCE_SECONDS`` both continue.
    """
    is_taken = _growth.acquire(timeout=PATIENCE_SECONDS)
    try:
        yield
    finally:
        if is_taken:
            _growth.release()


class Reading:
    """A context in which this thread holds the room of a turn, and its door; a generator would take 2 µs a call."""

    __slots__ = ("door", "room")

    def __init__(self, room: Any, door: Any) -> None:
        self.room, self.door = room, door

    def __enter__(self) -> None:
        self.door.acquire()
        self.room.acquire()

    def __exit__(self, *error: object) -> None:
        self.room.release()
        self.door.release()


class Turn:
    """A lock of all variables that steps use together.

    The holder of ``room`` reads slots or puts arrays into them. Steps and readers acquire ``door`` first: otherwise
    steps in quick succession would starve readers. Both are locks of the interpreter
    itself, which a Ctrl-C cannot leave taken. ``writers`` are the threads whose steps write into the arrays
    themselves, without ``room``: it is not held while a user's code runs.
    """

    __slots__ = ("_joined", "_reading", "door", "room", "writers")

    def __init__(self) -> None:
        self.door, self.room = threading.RLock(), threading.RLock()
        self._reading = Reading(self.room, self.door)
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

    def taken(self) -> Reading:
        """Read slots inside; a step's own thread does not wait at the door for readers who wait for that step."""
        is_writing = self.writers and threading.get_ident() in self.writers
        return Reading(self.room, self.room) if is_writing else self._reading

    @contextlib.contextmanager
    def between_steps(self) -> Iterator[None]:
        """Wait for the end of the steps of other threads, and let none begin inside.

        A step that takes longer than ``PATIENCE_SECONDS`` still runs inside: ``is_written_elsewhere`` says so.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        with self.door:
            while self.is_written_elsewhere() and time.monotonic() < deadline:
                time.sleep(0.0002)
            with self.room:
                yield

    def write(self, function: Callable, *arguments: Any) -> Any:
        """Call a function that may write into the arrays of the variables."""
        thread = threading.get_ident()
        if thread in self.writers:  # a step inside another one
            return function(*arguments)
        try:
            with self.door:
                self.writers.add(thread)
            return function(*arguments)
        finally:
            self.writers.discard(thread)

    def join(self, other: Turn) -> None:
        """Merge with another turn."""
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
