"""Hooks: user functions that run before or after each call of a layer."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from polykeras import backends
from polykeras.capture.stamp import note_inside


def calls_as_its_class(layer: Any) -> bool:
    """Whether no hook and no program has replaced the ``call`` of a layer, so that others may compute its part."""
    return "call" not in vars(layer)


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
            if before is not None:
                args, kwargs = before(self._layer, args, kwargs)
        outputs = self._inner(*args, **kwargs)
        for _, after in hooks:
            if after is not None:
                outputs = after(self._layer, args, kwargs, outputs)
        return outputs


def before_call(hook: Callable, with_kwargs: bool = False) -> Callable:
    """Return a hook of PyTorch before a call as a function of the layer and its arguments that returns the new ones.

    Args:
        hook: function of the layer and its positional inputs, which returns a tuple, a single input or None.
        with_kwargs: bool, whether it also takes the named arguments, and returns a pair of both or None; default False.

    >>> before_call(lambda layer, inputs: 2 * inputs[0])(None, (3,), {"training": True})
    ((6,), {'training': True})
    """

    def before(layer: Any, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        changed = hook(layer, args, kwargs) if with_kwargs else hook(layer, args)
        if changed is None:
            return args, kwargs
        return changed if with_kwargs else (changed if isinstance(changed, tuple) else (changed,), kwargs)

    return before


def after_call(hook: Callable, with_kwargs: bool = False) -> Callable:
    """Return a hook of PyTorch after a call as a function of the layer, its arguments and output, that returns another.

    Args:
        hook: function of the layer, its positional inputs and the output, which returns a new output or None.
        with_kwargs: bool, whether it also takes the named arguments, before the output; default False.

    >>> after_call(lambda layer, inputs, output: None)(None, (3,), {}, 5)
    5
    """

    def after(layer: Any, args: tuple, kwargs: dict, outputs: Any) -> Any:
        changed = hook(layer, args, kwargs, outputs) if with_kwargs else hook(layer, args, outputs)
        return outputs if changed is None else changed

    return after


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


def hooked(
    layer: Any, before: Callable | None = None, after: Callable | None = None, prepend: bool = False
) -> HookHandle:
    """Register functions that are called before or after each call of a layer.

    Args:
        layer: Layer.
        before: function as ``before_call`` returns; default None.
        after: function as ``after_call`` returns; default None.
        prepend: bool, whether they come before those that are registered already; default False.
    """
    call = vars(layer).get("call")
    if not isinstance(call, HookedCall):
        call = layer.call = HookedCall(layer)
    handle = HookHandle(layer, call)
    call.hooks = {handle: (before, after), **call.hooks} if prepend else {**call.hooks, handle: (before, after)}
    note_inside(layer)
    return handle
