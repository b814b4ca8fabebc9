"""Layers as PyTorch modules that share their memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from polykeras import backends
from polykeras.core import dtypes
from polykeras.core.context import within
from polykeras.core.functionalization import pure
from polykeras.core.variables import Variable
from polykeras.layers.layer import Layer


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
        self.update()

    def update(self) -> None:
        """Register weights and layers added since, and the values that steps of the layer have computed."""
        with backends.use("torch"):
            self.own_weights.update(_weights(self._layer))
            for name, weight in self.own_weights.items():
                array = _array_of(weight)
                if weight.made_trainable and array.is_floating_point():
                    self._parameters[name] = array
                else:
                    self._buffers[name] = array
            for name, layer in _children(self._layer):
                self._modules[name] = module_of(layer)
            trained = {id(weight) for weight in self._layer.trainable_weights}
            for weight in self._layer.weights:
                if weight.leaf.requires_grad is not (id(weight) in trained) and weight.made_trainable:
                    weight.leaf.requires_grad_(id(weight) in trained)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the layer, in training mode if the module is in training mode."""
        with backends.use("torch"), within("", self.training):
            others = self._replaced_values()
            if not others:
                return self._layer(*args, **kwargs)
            variables = self._layer.variables
            values = [others.get(v, v.raw) for v in variables]
            return pure(lambda: self._layer(*args, **kwargs), variables)(values)[1]

    def _replaced_values(self) -> dict[Variable, Any]:
        """Return the arrays with which ``torch.func.functional_call`` has replaced the weights."""
        found: dict[Variable, Any] = {}
        modules: Iterator[Any] = self.modules()
        for module in modules:
            for name, weight in module.own_weights.items():
                array = module._parameters.get(name, module._buffers.get(name))
                if array is not weight.leaf and array is not None:
                    found[weight] = array
        return found

    def _apply(self, function: Any, recurse: bool = True) -> LayerModule:
        super()._apply(function, recurse)
        backend = backends.load("torch")
        for weight in self.own_weights.values():  # its memory changes with the device or dtype
            weight._value = weight.leaf.detach()
            weight.dtype = backend.dtype(weight._value)
        _follow_dtype(self._layer, function)
        return self

    def register_forward_hook(self, hook: Any, **options: Any) -> Any:
        """Register a function to call after each call of the layer, even by an enclosing layer."""
        if options:
            return super().register_forward_hook(hook, **options)
        return self._layer.register_forward_hook(lambda _, inputs, outputs: hook(self, inputs, outputs))

    def register_forward_pre_hook(self, hook: Any, **options: Any) -> Any:
        """Register a function to call before each call of the layer, even by an enclosing layer."""
        if options:
            return super().register_forward_pre_hook(hook, **options)
        return self._layer.register_forward_pre_hook(lambda _, inputs: hook(self, inputs))


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
    """Return the module of a layer, with its current weights.

    Raises:
        RuntimeError: for a layer that has no weights yet.
    """
    if not layer.built:
        raise RuntimeError(
            f"Layer {layer.path!r}: Expected a built layer, whose weights are there. Received: one that is not built "
            f"yet. Call it on data, or call build(input_shape)."
        )
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
    own = {id(weight) for weight in layer._own()[0]}
    return ((name, part) for name, part in layer._named_parts().items() if id(part) in own)


def _children(layer: Any) -> Iterator[tuple[str, Any]]:
    """Return the nested layers, by names that correspond between models of the same kind."""
    return ((name, part) for name, part in layer._named_parts().items() if isinstance(part, Layer))
