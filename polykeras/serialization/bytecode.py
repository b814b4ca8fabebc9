"""Python functions as text, in Keras's two layouts: how files store a lambda.

Bytecode runs only on the version of Python that wrote it, and may do anything: it becomes a function
again only if the caller passed ``safe_mode=False``.
"""

from __future__ import annotations

import base64
import builtins
import importlib
import marshal
import types
from typing import Any

import numpy as np

#: Names available to a function from a file, besides the caller's.
_MODULES = {"keras": "polykeras", "ops": "polykeras.ops", "K": "polykeras.backend"}


def dump(function: types.FunctionType) -> dict:
    """Return a JSON-ready description of a Python function.

    >>> sorted(dump(lambda x, factor=2: x * factor)["config"])
    ['closure', 'code', 'defaults']
    """
    closure = function.__closure__
    code = base64.encodebytes(marshal.dumps(function.__code__)).decode("ascii")
    config = {
        "code": code,
        "defaults": list(function.__defaults__) if function.__defaults__ else None,
        "closure": [cell.cell_contents for cell in closure] if closure else None,
    }
    return {"class_name": "__lambda__", "config": config}


def holds_code(config: Any) -> bool:
    """True for the description of a function by its bytecode.

    >>> holds_code({"class_name": "__lambda__"}), holds_code({"class_name": "Dense"})
    (True, False)
    """
    return isinstance(config, dict) and config.get("class_name") == "__lambda__"


def load(parts: dict | list, names: dict[str, Any]) -> types.FunctionType:
    """Return the function described by ``dump``, or by Keras's list (code, defaults, closure).

    Args:
        parts: the description.
        names: dict of names that the function may use.

    Raises:
        ValueError: for bytecode of another version of Python.

    >>> load(dump(lambda x, factor=2: x * factor)["config"], {})(3)
    6
    """
    try:
        parts = parts.get("value", parts) if isinstance(parts, dict) else parts
        code, defaults, closure = parts if isinstance(parts, list) else (parts.get(k) for k in _PARTS)
        code = marshal.loads(base64.b64decode(code.encode("ascii")))
        cells = tuple(types.CellType(value) for value in closure or ())
        scope = {"__builtins__": builtins, "np": np, "numpy": np}
        scope |= {name: importlib.import_module(module) for name, module in _MODULES.items()}
        return types.FunctionType(code, scope | names, code.co_name, tuple(defaults) if defaults else None, cells)
    except (ValueError, TypeError, EOFError, AttributeError) as error:
        raise ValueError(
            f"Expected bytecode of this version of Python. Received: a function that can't be read: {error}. Load "
            f"the model with the Python that saved it, or build it in Python and load its weights."
        ) from None


_PARTS = ("code", "defaults", "closure")
