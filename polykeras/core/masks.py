"""Masks attached to arrays, which tell padding from data.

A mask is a bool array, True where an entry is data. It is looked up by the identity of its array,
on any engine, and is dropped when the array is freed.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable
from typing import Any

from polykeras.core import trees

_masks: dict[int, tuple[weakref.ref, Any]] = {}


def set_mask(array: Any, mask: Any) -> None:
    """Attach a mask to an array; None removes it. Arrays that accept attributes get it as ``_keras_mask`` too."""
    key = id(array)
    with contextlib.suppress(AttributeError):
        array._keras_mask = mask
    if mask is None:
        _masks.pop(key, None)
    else:
        # Bind the method now: at interpreter shutdown the module's globals are cleared before the arrays are freed.
        pop = _masks.pop
        _masks[key] = (weakref.ref(array, lambda _: pop(key, None)), mask)


def get_mask(array: Any) -> Any:
    """Return the mask that a layer attached to an array, or None.

    Args:
        array: an array of any backend.

    >>> import numpy as np
    >>> x = np.zeros(3); set_mask(x, "m"); get_mask(x), get_mask(np.zeros(3))
    ('m', None)
    """
    found = _masks.get(id(array))
    if found is not None and found[0]() is array:
        return found[1]
    return getattr(array, "_keras_mask", None)  # set directly by user code


def copy_mask(array: Any, other: Any) -> Any:
    """Copy the mask of ``array`` to ``other``, and return ``other``."""
    mask = get_mask(array)
    if mask is not None:
        set_mask(other, mask)
    return other


def detached(outputs: Any, inputs: Any, copy: Callable) -> Any:
    """Return ``outputs``, with any that are masked inputs themselves replaced by unmasked copies.

    >>> import numpy as np
    >>> x = np.zeros(3); set_mask(x, "m"); get_mask(detached([x], (x,), np.copy)[0]) is None
    True
    """
    masked = {id(x) for x in trees.leaves(inputs) if get_mask(x) is not None}
    return trees.map(lambda y: copy(y) if id(y) in masked else y, outputs)
