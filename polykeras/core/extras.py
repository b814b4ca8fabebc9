"""Packages that only some features need: imported when used, named when missing."""

from __future__ import annotations

import importlib
from types import ModuleType


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import and return a module that comes with an extra of this package.

    Args:
        module: such as ``"matplotlib.pyplot"``.
        extra: what to install, as in ``polykeras[charts]``.
        purpose: what needs it, for the message.

    Raises:
        ImportError: if it isn't installed; the message says how to.

    >>> require("math", "charts", "an example").sqrt(4.0)
    2.0
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"Expected the package {module.split('.')[0]!r} for {purpose}. Received: {error}. "
            f"Install it with: pip install 'polykeras[{extra}]'"
        ) from error
