"""Calls of TensorFlow's own functions on symbolic tensors: in the era of Keras 2, they are recorded in the graph."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import tensorflow as tf

from polykeras.core import graph, trees

_DISPATCH = "tensorflow.python.util.dispatch"


class _Recorder(tf.__internal__.dispatch.GlobalOpDispatcher):
    """What TensorFlow asks once one of its functions has refused its arguments."""

    def handle(self, op: Any, args: tuple, kwargs: dict) -> Any:
        """Record the call, if it has symbolic arguments and is the program's own.

        Args:
            op: the function.
            args, kwargs: its arguments.
        """
        is_ours = graph.records_engine_calls and graph.has_symbols(args, kwargs)
        is_ours = is_ours and not any(map(_is_traced, trees.leaves((args, kwargs))))
        if not is_ours or _is_within_another(sys._getframe(1)):
            return self.NOT_SUPPORTED
        from polykeras.interop.tensorflow_functions import TFOpLambda

        if not args:  # functions that TensorFlow generates pass their arguments by name, in order
            kwargs = dict(kwargs)
            args = (kwargs.pop(next(iter(kwargs))),)
        if kwargs.get("name", ()) is None:
            kwargs = {key: value for key, value in kwargs.items() if key != "name"}
        args, kwargs = trees.map(_plain, (args, kwargs))
        return TFOpLambda(op)(*args, **kwargs)


def _is_traced(x: Any) -> bool:
    """Whether an argument belongs to a graph that TensorFlow traces: a loss that closes over tensors of a model."""
    return isinstance(x, tf.Tensor) and tf.is_symbolic_tensor(x)


def _plain(x: Any) -> Any:
    return tuple(x) if isinstance(x, tf.TensorShape) else x


def _is_within_another(frame: FrameType | None) -> bool:
    """Whether a function with symbolic arguments has called the one that TensorFlow dispatches.

    The outer one is recorded, which has a name, and which computes with arrays what it asks of tensors.
    """
    depth = 0
    while frame is not None:
        if frame.f_globals.get("__name__") == _DISPATCH and frame.f_code.co_name == "op_dispatch_handler":
            own = frame.f_locals
            if depth > 1 and graph.has_symbols(own.get("args", ()), own.get("kwargs", {})):
                return True
        frame, depth = frame.f_back, depth + 1
    return False


def register() -> None:
    """Let TensorFlow's functions ask for symbolic tensors."""
    _Recorder().register()
