"""Layers as parts of PyTorch's modules: what a module asks of the modules among its attributes."""

from __future__ import annotations

from typing import Any

import torch

#: Attributes that PyTorch reads from each module inside another one: parameters, buffers, modules, hooks.
_STATE = frozenset(vars(torch.nn.Module())) - {"training"}


class Member(torch.nn.Module):
    """A base class of layers, once PyTorch is in use: a ``torch.nn.Module`` lists, moves and saves a layer inside it.

    It holds nothing: a layer answers by its own module, and keeps its attributes as other objects do.
    """

    __setattr__ = object.__setattr__  # type: ignore[assignment]
    __delattr__ = object.__delattr__
    __dir__ = object.__dir__

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Leave out PyTorch's, which makes the dicts below."""

    def __getattr__(self, name: str) -> Any:
        """Return what the layer's own module has, or raise the error of the search, such as a property's own."""
        layer: Any = self
        if name in _STATE:
            return getattr(layer._module(), name)
        if name.isdigit() and name in layer._modules:
            return layer._modules[name]
        return object.__getattribute__(self, name)

    def __setstate__(self, state: dict) -> None:
        vars(self).update(state)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the layer.

        Args:
            *args, **kwargs: as for the layer itself.
        """
        return self(*args, **kwargs)

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        layer: Any = self
        layer._module()._apply(fn, recurse)
        return self

    def _load_from_state_dict(self, *args: Any) -> None:
        layer: Any = self
        layer._module()._load_from_state_dict(*args)
