"""The ops under the name ``keras.ops.numpy``, which holds those that NumPy has too."""

from __future__ import annotations


def __getattr__(name: str) -> object:
    from polykeras import ops

    if name.startswith("_") or not hasattr(ops, name):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(ops, name)
