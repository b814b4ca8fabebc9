"""Hooks: user functions that run before or after each call of a layer."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from polykeras import backends
from polykeras.capture.stamp import note_inside


class HookedCall:
    """Replacement of a layer's ``call`` while the layer has hooks.

    Args:
        layer: the layer.
    """

    def __init__(self, layer: Any) -> None:
        self._layer, self._inner = layer, layer.call
        self.hooks: dict[HookHandle, tuple[Callable | None, Callable | None]] = {}
        functools.update_wrapper(self, self._inner)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if backends.current().is_symbolic:
            return self._inner(*args, **kwargs)
        hooks = list(self.hooks.values())
        for before, _ in hooks:
            changed = before and before(self._layer, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
        outputs = self._inner(*args, **kwargs)
        for _, after in hooks:
            changed = after and after(self._layer, args, outputs)
            outputs = outputs if changed is None else changed
        return outputs


class HookHandle:
    """Handle for removing a hook.

    >>> import polykeras as keras
    >>> layer = keras.layers.ReLU(); seen = []
    >>> handle = layer.register_forward_hook(lambda layer, inputs, output: seen.append(float(output[0])))
    >>> _ = layer(keras.ops.ones(1)); handle.remove(); _ = layer(keras.ops.ones(1)); seen
    [1.0]
    """

    def __init__(self, layer: Any, call: HookedCall) -> None:
        self._layer, self._call = layer, call

    def remove(self) -> None:
        """Remove the hook."""
        self._call.hooks.pop(self, None)
        note_inside(self._layer)
        if not self._call.hooks and vars(self._layer).get("call") is self._call:
            del self._layer.call


def hooked(layer: Any, before: Callable | None = None, after: Callable | None = None) -> HookHandle:
    """Register functions that are called before or after each call of a layer.

    Args:
        layer: Layer.
        before: function of the layer and its positional inputs that returns new inputs or None; default None.
        after: function of the layer, its positional inputs and the output that returns a new output or None;
            default None.
    """
    call = vars(layer).get("call")
    if not isinstance(call, HookedCall):
        call = layer.call = HookedCall(layer)
    handle = HookHandle(layer, call)
    call.hooks[handle] = before, after
    note_inside(layer)
    return handle
