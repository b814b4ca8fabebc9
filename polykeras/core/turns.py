"""Locking among threads that use the values of the same variables.

A step consumes the arrays of its variables: JAX deletes donated buffers. While it does, and while it stores their
successors in the slots, threads that want the values from before or after it wait for their turn. So do the steps of
other threads that change the same variables, and threads that list the variables while some are being added.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

# How long a reader waits for a step to end. Without a limit, a step whose code waits for that reader would deadlock.
PATIENCE_SECONDS = 10.0

_joining = threading.Lock()
_growth = threading.RLock()
_initialization = threading.RLock()


def growing() -> contextlib.AbstractContextManager:
    """Return a context, held while variables are added or a model is read, so that no reader sees a half-built model.

    There is one lock for all models, since models may share layers. Building code may itself wait for a thread that
    reads: after ``PATIENCE_SECONDS`` both continue.
    """
    return _held(_growth)


def initializing() -> contextlib.AbstractContextManager:
    """Return a context, held while a variable gets its first value."""
    return _held(_initialization)


@contextlib.contextmanager
def _held(lock: Any) -> Iterator[None]:
    is_taken = lock.acquire(timeout=PATIENCE_SECONDS)
    try:
        yield
    finally:
        if is_taken:
            lock.release()


class Reading:
    """Context manager: hold a turn's turnstile and lock. A class, since a generator would take 2 µs a call."""

    __slots__ = ("lock", "turnstile")

    def __init__(self, lock: Any, turnstile: Any) -> None:
        self.lock, self.turnstile = lock, turnstile

    def __enter__(self) -> None:
        self.turnstile.acquire()
        self.lock.acquire()

    def __exit__(self, *error: object) -> None:
        self.lock.release()
        self.turnstile.release()


class Turn:
    """The locks shared by all variables that steps use together.

    The holder of ``lock`` reads or replaces arrays in slots. Steps and readers acquire ``turnstile`` first: otherwise
    steps in quick succession would starve readers. Both are locks of the interpreter
    itself, which a Ctrl-C cannot leave locked. ``writers`` are the threads whose steps write into the arrays
    in place; they do not hold ``lock``, since a user's code runs meanwhile. The holder of ``steps`` runs one that
    changes variables: of two at a time, one would be lost.
    """

    __slots__ = ("_joined", "_reading", "lock", "steps", "turnstile", "writers")

    def __init__(self) -> None:
        self.turnstile, self.lock = threading.RLock(), threading.RLock()
        self.steps = threading.RLock()
        self._reading = Reading(self.lock, self.turnstile)
        self.writers: set[int] = set()
        self._joined: Turn | None = None

    def current(self) -> Turn:
        """Return the turn in effect: this one may have been merged into another."""
        turn = self
        # Merged turns form a linked list that ends in the one in effect (union-find without path compression).
        while turn._joined is not None:
            turn = turn._joined
        return turn

    def is_written_elsewhere(self) -> bool:
        """Whether a step of another thread may be writing into arrays now."""
        return bool(self.writers - {threading.get_ident()})

    def reading(self) -> Reading:
        """Return a context for reading slots; a step's own thread skips the turnstile, where readers wait for it."""
        is_writing = self.writers and threading.get_ident() in self.writers
        return Reading(self.lock, self.lock) if is_writing else self._reading

    @contextlib.contextmanager
    def between_steps(self) -> Iterator[None]:
        """Wait until the steps of other threads end, and let none begin inside.

        A step that takes longer than ``PATIENCE_SECONDS`` may still be running: ``is_written_elsewhere`` tells.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        with self.turnstile:
            while self.is_written_elsewhere() and time.monotonic() < deadline:
                time.sleep(0.0002)
            with self.lock:
                yield

    def one_step(self) -> contextlib.AbstractContextManager:
        """Return a context for a step that changes variables: those of other threads wait, for a limited time."""
        return _held(self.steps)

    def write(self, function: Callable, *arguments: Any) -> Any:
        """Call a function that changes variables, and may write into their arrays in place."""
        thread = threading.get_ident()
        if thread in self.writers:  # a nested step
            return function(*arguments)
        with self.one_step():
            try:
                with self.turnstile:
                    self.writers.add(thread)
                return function(*arguments)
            finally:
                self.writers.discard(thread)

    def join(self, other: Turn) -> None:
        """Merge this turn into another one."""
        if self is not other:
            self._joined = other


def shared(variables: Iterable[Any]) -> Turn:
    """Return the turn that variables share from now on; turns that they had before are merged."""
    with _joining:
        found = [v.turn.current() for v in variables if v.turn is not None]
        turn = found[0] if found else Turn()
        for other in found[1:]:
            other.current().join(turn)
        for variable in variables:
            variable.turn = turn
    return turn
