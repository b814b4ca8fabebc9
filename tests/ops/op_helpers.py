"""Running many calls of ops at once, as one compiled function."""

from __future__ import annotations

import numpy as np

from polykeras import backends, ops

# Engines that run line by line check each case by itself; the others, slow at that, all at once.
LINE_BY_LINE = [name for name in backends.available() if name in ("numpy", "torch")]
TRACED = [name for name in backends.available() if name not in LINE_BY_LINE]


def replaced(tree, make):
    """A tree with other things in place of its arrays."""
    if isinstance(tree, list | tuple):
        return type(tree)(replaced(x, make) for x in tree)
    return make(tree) if isinstance(tree, np.ndarray) else tree


def find(ops, name):
    """The op of a name, which may have dots."""
    for part in name.split("."):
        ops = getattr(ops, part)
    return ops


def compiled(backend, calls):
    """The results of calls (name, arguments, keyword arguments), traced into one function."""
    arrays = []
    for _, arguments, _ in calls:
        replaced(arguments, lambda x: arrays.append(backend.array(x)))

    def run(state, arrays):
        arrays = iter(arrays)
        filled = [replaced(arguments, lambda x: next(arrays)) for _, arguments, _ in calls]
        return state, [
            find(ops, name)(*arguments, **kwargs) for (name, _, kwargs), arguments in zip(calls, filled, strict=True)
        ]

    return backend.compile(run)([], arrays)[1]
