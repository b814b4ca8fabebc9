"""What a ``torch.nn.Module`` can do, as methods of layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from polykeras.layers.graph_calls import replaceable
from polykeras.layers.hooks import HookHandle, hooked

if TYPE_CHECKING:
    from polykeras.layers.whole import Whole
else:
    Whole = object


class ModuleIdioms(Whole):
    """Methods of PyTorch's modules. All but hooks need the backend torch, and a layer that is built."""

    _mode: bool | None = None  # whether train() or eval() was called last

    def _module(self) -> Any:
        """The ``torch.nn.Module`` of the layer, whose parameters are the values of its weights."""
        from polykeras.interop.torch import as_module

        return as_module(self)

    def parameters(self, recurse: bool = True) -> Iterator[Any]:
        """Yield the values of the weights as parameters of PyTorch: the arrays that are trained, no copies.

        Args:
            recurse: for compatibility: sublayers are always included; default True.
        """
        return self._module().parameters(recurse)

    def named_parameters(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Any]]:
        """Yield the names of the weights and their values, as parameters of PyTorch.

        Args:
            prefix: str, the start of the names; default "".
            recurse: for compatibility: sublayers are always included; default True.
        """
        return self._module().named_parameters(prefix, recurse)

    @property
    def torch_params(self) -> dict[str, Any]:
        """The values of all variables by path, the states of seed generators too, as arrays of PyTorch."""
        return {variable.path: variable.value for variable in self.variables}

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Any]]:
        """Yield the names and values of the weights that are not trained, as arrays of PyTorch.

        Args:
            prefix: str, the start of the names; default "".
            recurse: for compatibility: sublayers are always included; default True.
        """
        return self._module().named_buffers(prefix, recurse)

    def modules(self) -> Iterator[Any]:
        """Yield the modules of PyTorch of this layer and those inside."""
        return self._module().modules()

    def named_modules(self) -> Iterator[tuple[str, Any]]:
        """Yield the names and modules of PyTorch of this layer and those inside."""
        return self._module().named_modules()

    def buffers(self, recurse: bool = True) -> Iterator[Any]:
        """Yield the values of the weights that are not trained, as arrays of PyTorch.

        Args:
            recurse: for compatibility: sublayers are always included; default True.
        """
        return self._module().buffers(recurse)

    def children(self) -> Iterator[Any]:
        """Yield the modules of PyTorch of the layers just inside."""
        return self._module().children()

    def named_children(self) -> Iterator[tuple[str, Any]]:
        """Yield the names and modules of PyTorch of the layers just inside."""
        return self._module().named_children()

    def get_parameter(self, target: str) -> Any:
        """Return the value of one weight, as a parameter of PyTorch.

        Args:
            target: its name among ``named_parameters()``.
        """
        return self._module().get_parameter(target)

    def get_submodule(self, target: str) -> Any:
        """Return the module of PyTorch of one layer inside.

        Args:
            target: its name among ``named_modules()``.
        """
        return self._module().get_submodule(target)

    def state_dict(self) -> dict:
        """Return the weights as PyTorch's arrays by name, for ``torch.save``."""
        return self._module().state_dict()

    def load_state_dict(self, state_dict: dict, strict: bool = True) -> Any:
        """Set the weights to the values of ``state_dict()``.

        Args:
            strict: bool, whether all names must agree; default True.
        """
        return self._module().load_state_dict(state_dict, strict)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients that ``backward()`` added up.

        Args:
            set_to_none: for compatibility; default True.
        """
        self._module().zero_grad(set_to_none)

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Say whether ``backward()`` computes gradients by the weights.

        Args:
            requires_grad: bool; default True.
        """
        self._module().requires_grad_(requires_grad)
        return self

    def train(self, mode: bool = True) -> Any:
        """Let calls that don't say so be those of training.

        Args:
            mode: bool; default True.
        """
        self._module().train(mode)
        self._mode = mode
        return self

    def eval(self) -> Any:
        """Let calls that don't say so be those of inference."""
        return self.train(False)

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """Move the weights to a device of PyTorch, or make them of another float type and compute in it.

        Args:
            *args, **kwargs: a device, a dtype of PyTorch or both; see ``torch.nn.Module.to``.
        """
        self._module().to(*args, **kwargs)
        return self

    def cpu(self) -> Any:
        """Move the weights to the processor's memory."""
        return self.to("cpu")

    def cuda(self, device: Any = None) -> Any:
        """Move the weights to a GPU.

        Args:
            device: its number, or a device of PyTorch; default None, for the current one.
        """
        self._module().cuda(device)
        return self

    def float(self) -> Any:
        """Make the weights single-precision ones, and compute in that type."""
        self._module().float()
        return self

    def double(self) -> Any:
        """Make the weights double-precision ones, and compute in that type."""
        self._module().double()
        return self

    def half(self) -> Any:
        """Make the weights half-precision ones, and compute in that type."""
        self._module().half()
        return self

    def bfloat16(self) -> Any:
        """Make the weights bfloat16 ones, and compute in that type."""
        self._module().bfloat16()
        return self

    def apply(self, fn: Callable) -> Any:
        """Call a function with each layer inside, and at last with this one.

        Args:
            fn: function of a layer, such as one that sets the weights.
        """
        for layer in reversed(self._flatten_layers()):
            fn(layer)
        return self

    @replaceable
    def training(self) -> bool:
        """Whether calls that don't say so are those of training."""
        return bool(self._mode)

    def register_forward_hook(self, hook: Callable) -> HookHandle:
        """Have a function called after each call of the layer.

        Args:
            hook: of the layer, a tuple of the positional inputs, and the output; what it returns, unless None,
                takes the place of the output.

        Returns:
            An object whose ``remove()`` ends it.
        """
        return hooked(self, after=hook)

    def register_forward_pre_hook(self, hook: Callable) -> HookHandle:
        """Have a function called before each call of the layer.

        Args:
            hook: of the layer and a tuple of the positional inputs; what it returns, unless None, takes the place of
                the inputs: a tuple, or a single one.

        Returns:
            An object whose ``remove()`` ends it.
        """
        return hooked(self, before=hook)

    def register_full_backward_hook(self, hook: Callable) -> HookHandle:
        """Have a function called where gradients by the inputs of the layer are known, on PyTorch.

        Args:
            hook: of the layer, a tuple of the gradients by its inputs, and one of those by its outputs; what it
                returns, unless None, takes the place of the first.

        Returns:
            An object whose ``remove()`` ends it.
        """
        from polykeras.interop.torch import around_backward

        return hooked(self, *around_backward(self, hook))
