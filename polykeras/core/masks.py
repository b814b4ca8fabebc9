"""Which entries of an array are padding: masks that travel beside arrays.

A mask is a bool array, True where an entry counts. It is found again by the array that it
belongs to, whatever engine the array is of, and is forgotten with it.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable
from typing import Any

from polykeras.core import trees

_masks: dict[int, tuple[weakref.ref, Any]] = {}


def set_mask(array: Any, mask: Any) -> None:
    """Attach a mask to an array; None takes it away. Where arrays take attributes it is ``_keras_mask`` too."""
    key = id(array)
    with contextlib.suppress(AttributeError):
        array._keras_mask = mask
    if mask is None:
        _masks.pop(key, None)
    else:
        # The method is bound now: when the interpreter shuts down, the module's names are gone before its arrays.
        pop = _masks.pop
        _masks[key] = (weakref.ref(array, lambda _: pop(key, None)), mask)


def get_mask(array: Any) -> Any:
    """Return the mask of an array, as a layer or ``Masking`` gave it, or None; on every backend.

    Args:
        array: of any backend.

    >>> import numpy as np
    >>> x = np.zeros(3); set_mask(x, "m"); get_mask(x), get_mask(np.zeros(3))
    ('m', None)
    """
    found = _masks.get(id(array))
    if found is not None and found[0]() is array:
        return found[1]
    return getattr(array, "_keras_mask", None)  # as programs set it themselves


def handed_on(array: Any, other: Any) -> Any:
    """Return another array, with the mask of the first."""
    mask = get_mask(array)
    if mask is not None:
        set_mask(other, mask)
    return other


def parted(outputs: Any, inputs: Any, copy: Callable) -> Any:
    """Return outputs; those that are masked inputs themselves are copied, without their masks.

    >>> import numpy as np
    >>> x = np.zeros(3); set_mask(x, "m"); get_mask(parted([x], (x,), np.copy)[0]) is None
    True
    """
    masked = {id(x) for x in trees.leaves(inputs) if get_mask(x) is not None}
    return trees.map(lambda y: copy(y) if id(y) in masked else y, outputs)
