"""The interface of ``torch.nn.Module``, as methods of layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from polykeras.core.variables import Variable
from polykeras.layers.graph_calls import replaceable
from polykeras.layers.hooks import HookHandle, after_call, before_call, hooked

if TYPE_CHECKING:
    from polykeras.layers.whole import Whole
else:
    Whole = object


def _layers(modules: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Yield names and modules, and for the module of a layer the layer itself."""
    return ((name, getattr(module, "_layer", module)) for name, module in modules)


class ModuleIdioms(Whole):
    """Methods of PyTorch's modules. All but the hooks require the torch backend."""

    _mode: bool | None = None  # True after train(), False after eval()

    def _module(self) -> Any:
        """The ``torch.nn.Module`` of the layer, whose parameters are the values of its weights."""
        from polykeras.interop.torch import as_module

        return as_module(self)

    def _built_module(self) -> Any:
        """The module of a built layer: an optimizer that is made with the parameters must not miss those to come.

        Raises:
            RuntimeError: for a layer that is not built yet.
        """
        if not self.built:
            raise RuntimeError(
                f"Layer {self.path!r}: Expected a built layer, whose weights are there. Received: one that is not "
                f"built yet. Call it on data, or call build(input_shape)."
            )
        return self._module()

    def parameters(self, recurse: bool = True) -> Iterator[Any]:
        """Yield the weights as PyTorch parameters; these are the trained arrays themselves, not copies.

        Args:
            recurse: bool, whether to include the weights of nested layers; default True.
        """
        return self._built_module().parameters(recurse)

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Any]]:
        """Yield the names of the weights and the weights as PyTorch parameters.

        Args:
            prefix: str, prefix of the names; default "".
            recurse: bool, whether to include the weights of nested layers; default True.
            remove_duplicate: bool, whether to leave out weights that were yielded before; default True.
        """
        return self._built_module().named_parameters(prefix, recurse, remove_duplicate)

    @property
    def torch_params(self) -> dict[str, Any]:
        """The values of all variables, including the states of seed generators, as PyTorch tensors by path."""
        return {variable.path: variable.value for variable in self.variables}

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Any]]:
        """Yield the names and values of the non-trainable weights, as PyTorch tensors.

        Args:
            prefix: str, prefix of the names; default "".
            recurse: bool, whether to include the weights of nested layers; default True.
            remove_duplicate: bool, whether to leave out values that were yielded before; default True.
        """
        return self._module().named_buffers(prefix, recurse, remove_duplicate)

    def modules(self) -> Iterator[Any]:
        """Yield this layer and all nested layers."""
        return (module for _, module in self.named_modules())

    def named_modules(
        self, memo: set | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Any]]:
        """Yield the names of this layer and of all nested layers, and the layers.

        Args:
            memo: set of modules to leave out, to which those yielded are added; default None.
            prefix: str, prefix of the names; default "".
            remove_duplicate: bool, whether to leave out modules that were yielded before; default True.
        """
        return _layers(self._module().named_modules(memo, prefix, remove_duplicate))

    def buffers(self, recurse: bool = True) -> Iterator[Any]:
        """Yield the values of the non-trainable weights, as PyTorch tensors.

        Args:
            recurse: bool, whether to include the weights of nested layers; default True.
        """
        return self._module().buffers(recurse)

    def children(self) -> Iterator[Any]:
        """Yield the direct sublayers."""
        return (module for _, module in self.named_children())

    def named_children(self) -> Iterator[tuple[str, Any]]:
        """Yield the names of the direct sublayers, and the layers."""
        return _layers(self._module().named_children())

    def get_parameter(self, target: str) -> Any:
        """Return one weight as a PyTorch parameter.

        Args:
            target: str, its name in ``named_parameters()``.
        """
        return self._module().get_parameter(target)

    def get_submodule(self, target: str) -> Any:
        """Return one nested layer.

        Args:
            target: str, its name in ``named_modules()``.
        """
        return next(layer for _, layer in _layers([(target, self._module().get_submodule(target))]))

    def state_dict(self, *, destination: dict | None = None, prefix: str = "", keep_vars: bool = False) -> dict:
        """Return a dict from the names of the weights to PyTorch tensors, for ``torch.save``.

        Args:
            destination: dict to write into; default None, for a new one.
            prefix: str, prefix of the names; default "".
            keep_vars: bool, whether the tensors keep their gradients; default False.
        """
        return self._module().state_dict(destination=destination, prefix=prefix, keep_vars=keep_vars)

    def load_state_dict(self, state_dict: dict, strict: bool = True, assign: bool = False) -> Any:
        """Set the weights to the values in ``state_dict``.

        Args:
            state_dict: dict from names to PyTorch tensors, as ``state_dict()`` returns.
            strict: bool, whether the names must match exactly; default True.
            assign: accepted for compatibility; the values are copied; default False.
        """
        return self._module().load_state_dict(state_dict, strict)

    def _follow_program(self) -> None:
        """Note which parameters the program has frozen or released by ``requires_grad``."""
        for layer in self._flatten_layers():
            module = vars(layer).get("_torch_module")
            if module is not None:
                module.update()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Reset the gradients that ``backward()`` accumulated.

        Args:
            set_to_none: bool, whether to set them to None instead of 0; default True.
        """
        from polykeras.interop.torch import zero_gradients

        zero_gradients(self, set_to_none)

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Set whether ``backward()`` computes gradients with respect to the weights.

        Args:
            requires_grad: bool; default True.
        """
        self._module().requires_grad_(requires_grad)
        return self

    def train(self, mode: bool = True) -> Any:
        """Set the mode of calls without a ``training`` argument to training.

        Args:
            mode: bool, False for inference; default True.
        """
        self._mode = mode
        if self.built:
            self._module().train(mode)
        return self

    def eval(self) -> Any:
        """Set the mode of calls without a ``training`` argument to inference."""
        return self.train(False)

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """Move the weights to a PyTorch device, or convert them to another float dtype and compute in it.

        Args:
            *args, **kwargs: a device, a PyTorch dtype, or both; see ``torch.nn.Module.to``.
        """
        self._module().to(*args, **kwargs)
        return self

    def cpu(self) -> Any:
        """Move the weights to the CPU."""
        return self.to("cpu")

    def cuda(self, device: Any = None) -> Any:
        """Move the weights to a GPU.

        Args:
            device: int index, or a PyTorch device; default None, for the current one.
        """
        self._module().cuda(device)
        return self

    def float(self) -> Any:
        """Convert the weights to float32, and compute in it."""
        self._module().float()
        return self

    def double(self) -> Any:
        """Convert the weights to float64, and compute in it."""
        self._module().double()
        return self

    def half(self) -> Any:
        """Convert the weights to float16, and compute in it."""
        self._module().half()
        return self

    def bfloat16(self) -> Any:
        """Convert the weights to bfloat16, and compute in it."""
        self._module().bfloat16()
        return self

    def apply(self, fn: Callable) -> Any:
        """Call a function with each nested layer, and finally with this one.

        Args:
            fn: function of a layer, such as one that sets its weights.
        """
        for layer in reversed(self._flatten_layers()):
            fn(layer)
        return self

    @replaceable
    def training(self) -> bool:
        """Whether calls without a ``training`` argument run in training mode."""
        return bool(self._mode)

    def register_forward_hook(self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False) -> HookHandle:
        """Register a function to be called after each call of the layer.

        Args:
            hook: function of the layer, a tuple of the positional inputs, and the output; its result, unless None,
                replaces the output.
            prepend: bool, whether it comes before those that are registered already; default False.
            with_kwargs: bool, whether it takes the named arguments too, before the output; default False.

        Returns:
            A handle whose ``remove()`` removes the hook.
        """
        return hooked(self, after=after_call(hook, with_kwargs), prepend=prepend)

    def register_forward_pre_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False
    ) -> HookHandle:
        """Register a function to be called before each call of the layer.

        Args:
            hook: function of the layer and a tuple of the positional inputs; its result, a tuple or a single input,
                replaces the inputs unless it is None.
            prepend: bool, whether it comes before those that are registered already; default False.
            with_kwargs: bool, whether it takes the named arguments too, and returns a pair of both; default False.

        Returns:
            A handle whose ``remove()`` removes the hook.
        """
        return hooked(self, before_call(hook, with_kwargs), prepend=prepend)

    def register_full_backward_hook(self, hook: Callable, prepend: bool = False) -> HookHandle:
        """Register a function to be called when the gradients of the layer's inputs have been computed, on PyTorch.

        Args:
            hook: function of the layer, a tuple of the gradients of its inputs, and a tuple of those of its outputs;
                its result, unless None, replaces the gradients of the inputs.
            prepend: bool, whether it comes before those that are registered already; default False.

        Returns:
            A handle whose ``remove()`` removes the hook.
        """
        from polykeras.interop.torch import around_backward

        before, after = around_backward(self, hook)
        return hooked(self, before_call(before), after_call(after), prepend)

    def register_module(self, name: str, module: Any) -> None:
        """Set a layer, or a module of PyTorch, as an attribute.

        Args:
            name: str, name of the attribute.
            module: the layer or module, or None.
        """
        setattr(self, name, module)

    def add_module(self, name: str, module: Any) -> None:
        """Set a layer, or a module of PyTorch, as an attribute.

        Args:
            name: str, name of the attribute.
            module: the layer or module, or None.
        """
        self.register_module(name, module)

    def register_parameter(self, name: str, param: Any) -> None:
        """Set a parameter of PyTorch as an attribute; it becomes a weight that shares its memory.

        Args:
            name: str, name of the attribute.
            param: ``torch.nn.Parameter``, or None.
        """
        setattr(self, name, param)
        self._owned_parts()

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
        """Set a tensor as an attribute; it becomes a weight that is saved but not trained.

        Args:
            name: str, name of the attribute and of the weight.
            tensor: tensor of PyTorch, or None.
            persistent: bool, False for a plain tensor, which is not saved; default True.
        """
        if tensor is None or not persistent:
            setattr(self, name, tensor)
        else:
            setattr(self, name, Variable(tensor, trainable=False, name=name))
