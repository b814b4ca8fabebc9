"""Optional dependencies: imported when used, with a helpful error when missing."""

from __future__ import annotations

import importlib
from types import ModuleType


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import and return a module that an extra of this package installs.

    Args:
        module: str, such as ``"matplotlib.pyplot"``.
        extra: str, the extra to install, as in ``polykeras[charts]``.
        purpose: str, what needs it, for the message.

    Raises:
        ImportError: if it is not installed; the message says how to install it.

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
