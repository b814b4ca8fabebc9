"""Layers as PyTorch modules that share their memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from polykeras import backends
from polykeras.backends.torch.adapter import address_of
from polykeras.core import dtypes
from polykeras.core.context import within
from polykeras.core.variables import Variable
from polykeras.layers.layer import Layer


class Slots(dict):
    """The parameters or buffers of a layer's module by name: a tensor put in the place of one is what the layer reads.

    ``torch.func.functional_call`` puts its own there for the time of a call.

    Args:
        weights: the layer's variables by name.
    """

    def __init__(self, weights: dict[str, Variable]) -> None:
        super().__init__()
        self.weights = weights
        self._before: dict[str, tuple] = {}  # what each weight had until its last replacement

    def __setitem__(self, name: str, tensor: Any) -> None:
        super().__setitem__(name, tensor)
        weight = self.weights[name]
        if tensor is weight.leaf:
            return
        before = self._before.pop(name, (None,))
        if tensor is before[0]:  # put back, perhaps inside of a transformation, where its array can't be made anew
            weight.leaf, weight._value, weight.leaf_address = before
            return
        self._before[name] = weight.leaf, weight._value, weight.leaf_address
        weight.leaf, weight.leaf_address = tensor, address_of(tensor)
        # A parameter stays; other tensors, which may carry a gradient, are there for a call.
        is_lasting = isinstance(tensor, torch.nn.Parameter) and weight.leaf_address is not None
        weight._value = tensor.data if is_lasting else tensor


class LayerModule(torch.nn.Module):
    """A layer as a module: trainable weights are parameters, others buffers.

    Args:
        layer: built layer on the torch backend.
    """

    _layer: Any

    def __init__(self, layer: Any) -> None:
        super().__init__()
        # Hidden from the attribute searches of PyTorch and of the layer.
        object.__setattr__(self, "_layer", layer)
        self.own_weights: dict[str, Variable] = {}
        self._frozen: dict[str, tuple[bool, bool]] = {}
        object.__setattr__(self, "_parameters", Slots(self.own_weights))
        object.__setattr__(self, "_buffers", Slots(self.own_weights))
        self.update()

    def update(self) -> None:
        """Register weights and layers added since, and the values that steps of the layer have computed."""
        with backends.use("torch"):
            self.own_weights.update(_weights(self._layer))
            trained = {id(weight) for weight in self._layer.trainable_weights}
            for name, weight in self.own_weights.copy().items():
                array = _array_of(weight)
                if weight.made_trainable and array.is_floating_point():
                    self._parameters[name] = array
                    self._freeze(name, weight, id(weight) not in trained)
                else:
                    self._buffers[name] = array
            for name, layer in _children(self._layer):
                self._modules[name] = module_of(layer)

    def _freeze(self, name: str, weight: Variable, is_frozen: bool) -> None:
        """Let a parameter follow ``trainable`` where that has changed, and the weight follow ``requires_grad``."""
        leaf = weight.leaf
        if not isinstance(leaf, torch.nn.Parameter):  # there for the time of a call
            return
        by_layer, by_program = self._frozen.get(name, (not leaf.requires_grad, not leaf.requires_grad))
        if is_frozen is not by_layer:
            leaf.requires_grad_(not is_frozen)
        elif leaf.requires_grad is by_program:
            weight.trainable, weight.follows_leaf = leaf.requires_grad, True
        self._frozen[name] = is_frozen, not leaf.requires_grad

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the layer, in training mode if the module is in training mode."""
        with backends.use("torch"), within("", self.training):
            return self._layer(*args, **kwargs)

    def __reduce__(self) -> tuple:
        return module_of, (self._layer,), {"training": self.training}

    def _load_from_state_dict(self, state_dict: dict, prefix: str, local_metadata: dict, *args: Any) -> None:
        waiting = [] if self._layer.built else [k for k in state_dict if k.startswith(prefix) and k != prefix]
        if waiting:
            raise RuntimeError(
                f"Layer {self._layer.path!r}: Expected a built layer, to load {waiting[0]!r}. Received: one that is "
                f"not built yet. Call it on data, or call build(input_shape)."
            )
        copied = {**local_metadata, "assign_to_params_buffers": False}  # the values go into the weights' own memory
        super()._load_from_state_dict(state_dict, prefix, copied, *args)

    def _apply(self, function: Any, recurse: bool = True) -> LayerModule:
        super()._apply(function, recurse)
        backend = backends.load("torch")
        for weight in self.own_weights.copy().values():  # its memory changes with the device or dtype
            weight._value, weight.leaf_address = weight.leaf.detach(), address_of(weight.leaf)
            weight.dtype = backend.dtype(weight._value)
        _follow_dtype(self._layer, function)
        return self

    def register_forward_hook(self, hook: Any, **options: Any) -> Any:
        """Register a function to call after each call of the layer, even by an enclosing layer."""
        return self._layer.register_forward_hook(lambda _, *arguments: hook(self, *arguments), **options)

    def register_forward_pre_hook(self, hook: Any, **options: Any) -> Any:
        """Register a function to call before each call of the layer, even by an enclosing layer."""
        return self._layer.register_forward_pre_hook(lambda _, *arguments: hook(self, *arguments), **options)


class InputsModule(torch.nn.Module):
    """The call of a model as a function of a single tree of inputs.

    Args:
        model: built model on the torch backend.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = module_of(model)

    def forward(self, inputs: Any) -> Any:
        """Call the model itself, whose parameters ``torch.export`` recognizes."""
        with backends.use("torch"), within("", self.training):
            return self.model._layer(inputs)


def module_of(layer: Any) -> LayerModule:
    """Return the module of a layer, with its current weights; more may come when it is built."""
    module = vars(layer).get("_torch_module")
    if module is None:
        module = vars(layer)["_torch_module"] = LayerModule(layer)
        if layer._mode is not None:
            module.train(layer._mode)
    else:
        module.update()
    return module


def _array_of(weight: Variable) -> Any:
    """Return the parameter for a weight that PyTorch programs hold, in the memory of its value."""
    backend: Any = backends.current()
    value = weight.raw
    backend.leaf(weight, value)
    return backend.show(weight, value)


def _follow_dtype(layer: Any, function: Any) -> None:
    """Make a layer compute in the float dtype to which a function of ``torch.nn.Module._apply`` converts."""
    before = layer.variable_dtype
    if layer.dtype_policy.quantization_mode is None and before in dtypes.FLOATS:
        after = backends.load("torch").dtype(function(torch.empty(0, dtype=getattr(torch, before))))
        if after != before:
            layer._set_policy(after)


def _weights(layer: Any) -> Iterator[tuple[str, Variable]]:
    """Return the layer's own weights by name."""
    own = {id(weight) for weight in layer._own_parts()[0]}
    return ((name, part) for name, part in layer._named_parts().items() if id(part) in own)


def _children(layer: Any) -> Iterator[tuple[str, Any]]:
    """Return the nested layers, by names that correspond between models of the same kind."""
    return ((name, part) for name, part in layer._named_parts().items() if isinstance(part, Layer))
