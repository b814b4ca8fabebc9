"""Tracebacks that show the user's lines instead of this package's internal frames."""

from __future__ import annotations

import functools
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from polykeras import config
from polykeras.core.types import Function

_PACKAGE = str(Path(__file__).resolve().parent.parent)


def filtered(method: Function) -> Function:
    """Remove all of this package's frames but the last from the tracebacks of exceptions that a method raises.

    ``config.disable_traceback_filtering()`` keeps all frames.
    """

    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except Exception as error:
            if config.is_traceback_filtering_enabled():
                error.__traceback__ = _without_own_frames(error.__traceback__)
            raise

    return cast(Function, call)


def _without_own_frames(trace: TracebackType | None) -> TracebackType | None:
    kept = []
    while trace is not None:
        if trace.tb_next is None or not trace.tb_frame.f_code.co_filename.startswith(_PACKAGE):
            kept.append(trace)
        trace = trace.tb_next
    result = None
    for entry in reversed(kept):
        result = TracebackType(result, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return result
