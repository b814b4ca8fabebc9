"""Torch modules as layers, and layers as torch modules."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from typing import Any, Self

from polykeras import backends
from polykeras.backends.contract.spec import SpecArray
from polykeras.core.context import context
from polykeras.interop.foreign_layer import ForeignLayer
from polykeras.serialization import registry


def as_module(layer: Any) -> Any:
    """Return a ``torch.nn.Module`` for a built layer or model, always the same one for the same layer.

    Its parameters share the weights' values: the layer computes with what an optimizer of PyTorch does to them, and
    the module sees what ``fit`` does to them.

    Args:
        layer: layer on the torch backend. Nested layers become nested modules; weights that are not trainable, buffers.

    Raises:
        AttributeError: for a layer on another backend.
        RuntimeError: for a layer that has no weights yet.
    """
    _check_backend(layer)
    from polykeras.interop.torch_modules import module_of

    return module_of(layer)


def zero_gradients(layer: Any, set_to_none: bool) -> None:
    """Clear the gradients of a layer's weights and those of its nested layers, whether or not all are built.

    Args:
        layer: on the torch backend.
        set_to_none: remove them instead of filling them with zeros.

    Raises:
        AttributeError: for a layer of another backend.
    """
    _check_backend(layer)
    for weight in layer.weights:
        gradient = None if weight.leaf is None else weight.leaf.grad
        if gradient is not None and set_to_none:
            weight.leaf.grad = None
        elif gradient is not None:
            gradient.detach_().zero_()


def _check_backend(layer: Any) -> None:
    """Reject layers and models of other backends."""
    names = {weight.backend_name for weight in layer.weights} or {
        getattr(layer, "_backend_name", None) or backends.outer_name()
    }
    if names != {"torch"}:
        raise AttributeError(
            f"Layer {layer.path!r}: Expected a layer or model of the backend 'torch', for the methods of PyTorch's "
            f"modules. Received: one of the backend {sorted(names)[0]!r}. Use weights, get_weights() and "
            f"save_weights(), or make it inside `with polykeras.backends.use('torch'):`."
        )


def around_backward(layer: Any, hook: Callable) -> tuple[Callable, Callable]:
    """Return functions to call before and after a layer, which implement a hook for its gradients.

    Args:
        layer: the layer that is passed to the hook.
        hook: function of the layer, the gradients of its inputs and the gradients of its outputs.
    """
    from torch.utils.hooks import BackwardHook

    pending: list[Any] = []

    def before(_: Any, inputs: tuple) -> tuple:
        pending.append(BackwardHook(layer, [hook], []))
        return pending[-1].setup_input_hook(inputs)

    def after(_: Any, inputs: tuple, outputs: Any) -> Any:
        return pending.pop().setup_output_hook(outputs)

    return before, after


class TorchModuleWrapper(ForeignLayer):
    """Use a ``torch.nn.Module`` as a layer, on the torch backend.

    Its parameters and buffers become weights of the layer, which polykeras trains, saves and loads;
    ``layer.module`` returns the module with their current values.

    Args:
        module: the module; a lazy one must have been called before.
        name: str, name of the layer; default None.
        output_shape: shape of the output with the batch axis, if it can't be found by running the module; default None.

    Raises:
        ValueError: if ``module`` is not a module.
        RuntimeError: on another backend.

    If a call does not specify ``training``, the module's own mode counts: ``module.train()``, ``module.eval()``.

    A config holds the module as pickled code: it loads with ``safe_mode=False`` only.
    """

    engine = "torch"
    _untracked = ForeignLayer._untracked | {"_wrapped"}

    def __init__(self, module: Any, name: str | None = None, output_shape: Any = None, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        import torch

        if not isinstance(module, torch.nn.Module):
            raise ValueError(f"Layer {self.name!r}: Expected a torch.nn.Module. Received: {module!r}.")
        self._wrapped: Any = module
        self.output_shape_given = None if output_shape is None else tuple(output_shape)
        named = [(key, p.detach().cpu(), p.requires_grad) for key, p in module.named_parameters()]
        named += [(key, b.detach().cpu(), False) for key, b in module.named_buffers()]
        self._values = {key: self.keep(value.numpy(), trainable, key) for key, value, trainable in named}
        self._buffer_names = [key for key, _ in module.named_buffers()]
        self.built = True

    @property
    def module(self) -> Any:
        """The module, with the current values of the weights."""
        import torch

        own = self._wrapped.state_dict(keep_vars=True)
        with torch.no_grad():
            for key, variable in self._values.items():
                if key in own:
                    own[key].copy_(variable.array)
        return self._wrapped

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if context.training is None and kwargs.get("training") is None:
            kwargs["training"] = self._wrapped.training  # as set by PyTorch's train() and eval()
        return super().__call__(*args, **kwargs)

    def call(self, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
        import torch

        values = {key: variable.array for key, variable in self._values.items()}
        # The module may modify its buffers in place.
        values |= {key: values[key].clone() for key in self._buffer_names}
        own_modes = [(module, module.training) for module in self._wrapped.modules()]
        try:
            self._wrapped.train(bool(training))
            outputs = torch.func.functional_call(self._wrapped, values, args, kwargs)
        finally:
            for module, mode in own_modes:
                module.training = mode
        if training:
            for key in self._buffer_names:
                self._values[key].assign(values[key])
        return outputs

    def _states_output_shape(self) -> bool:
        return self.output_shape_given is not None

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        return super().compute_output_shape(*args, **kwargs) if not self._states_output_shape() else self._stated(args)

    def _stated(self, shapes: Sequence) -> tuple:
        return (shapes[0][0], *(self.output_shape_given or ())[1:])

    def _stated_outputs(self, args: tuple, kwargs: dict) -> SpecArray:
        return SpecArray(self._stated([x.shape for x in args]), self.compute_dtype)

    def get_config(self) -> dict:
        import torch

        buffer = io.BytesIO()
        torch.save(self.module, buffer)
        code = base64.b64encode(buffer.getvalue()).decode()
        return {**super().get_config(), "module": code, "output_shape": self.output_shape_given}

    @classmethod
    def from_config(cls, config: dict) -> Self:
        """Create a layer from ``get_config``.

        Raises:
            ValueError: unless the caller allowed code by ``safe_mode=False``.
        """
        registry.refuse_unless_unsafe(
            f"Layer {config.get('name')!r}", "a torch module, pickled", "Make the layer in Python and load its weights"
        )
        import torch

        module = torch.load(io.BytesIO(base64.b64decode(config["module"])), weights_only=False)
        return super().from_config({**config, "module": module})
