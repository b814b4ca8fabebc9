"""Layers as modules of PyTorch, which share their memory."""

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
    """A layer as a module: weights as parameters, or where they are not trained as buffers.

    Args:
        layer: built, on the torch backend.
    """

    _layer: Any

    def __init__(self, layer: Any) -> None:
        super().__init__()
        # Not as an attribute that PyTorch or the layer's own search would look into.
        object.__setattr__(self, "_layer", layer)
        self.own_weights: dict[str, Variable] = {}
        self.update()

    def update(self) -> None:
        """Take on weights and layers that came since, and the values that steps of the layer have made."""
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
        """Call the layer, in training where the module is."""
        with backends.use("torch"), within("", self.training):
            others = self._others()
            if not others:
                return self._layer(*args, **kwargs)
            variables = self._layer.variables
            values = [others.get(v, v.raw) for v in variables]
            return pure(lambda: self._layer(*args, **kwargs), variables)(values)[1]

    def _others(self) -> dict[Variable, Any]:
        """The arrays that ``torch.func.functional_call`` has put in place of the weights."""
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
        for weight in self.own_weights.values():  # on another device or of another dtype its memory is another one
            weight._value = weight.leaf.detach()
            weight.dtype = backend.dtype(weight._value)
        _follow_dtype(self._layer, function)
        return self

    def register_forward_hook(self, hook: Any, **options: Any) -> Any:
        """Have a function called after each call of the layer, also where a layer around calls it."""
        if options:
            return super().register_forward_hook(hook, **options)
        return self._layer.register_forward_hook(lambda _, inputs, outputs: hook(self, inputs, outputs))

    def register_forward_pre_hook(self, hook: Any, **options: Any) -> Any:
        """Have a function called before each call of the layer, also where a layer around calls it."""
        if options:
            return super().register_forward_pre_hook(hook, **options)
        return self._layer.register_forward_pre_hook(lambda _, inputs: hook(self, inputs))


class InputsModule(torch.nn.Module):
    """The call of a model as a function of one tree of inputs.

    Args:
        model: built, on the torch backend.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = module_of(model)

    def forward(self, inputs: Any) -> Any:
        """Call the model itself: of its arrays, ``torch.export`` knows which are parameters."""
        with backends.use("torch"), within("", self.training):
            return self.model._layer(inputs)


def module_of(layer: Any) -> LayerModule:
    """Return the module of a layer, with its weights as they are now.

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
    """The array of a weight that programs of PyTorch hold, in the memory of its value."""
    backend: Any = backends.current()
    value = weight.raw
    backend.leaf(weight, value)
    return backend.show(weight, value)


def _follow_dtype(layer: Any, function: Any) -> None:
    """Have a layer compute in the float type that a function of ``torch.nn.Module._apply`` makes of its own."""
    before = layer.variable_dtype
    if layer.dtype_policy.quantization_mode is None and before in dtypes.FLOATS:
        after = backends.load("torch").dtype(function(torch.empty(0, dtype=getattr(torch, before))))
        if after != before:
            layer._set_policy(after)


def _weights(layer: Any) -> Iterator[tuple[str, Variable]]:
    """The layer's own weights by name."""
    own = {id(weight) for weight in layer._own()[0]}
    return ((name, part) for name, part in layer._named_parts().items() if id(part) in own)


def _children(layer: Any) -> Iterator[tuple[str, Any]]:
    """The layers inside, by names that another model of the same kind has too."""
    return ((name, part) for name, part in layer._named_parts().items() if isinstance(part, Layer))
