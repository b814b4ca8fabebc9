"""What layers and models offer to programs that are written in the way of one engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from polykeras import backends
from polykeras.core.state import pure

if TYPE_CHECKING:
    from polykeras.layers.whole import Whole
else:
    Whole = object


class EngineIdioms(Whole):
    """Functions of states for JAX, and what a ``torch.nn.Module`` can do for PyTorch."""

    def stateless_call(
        self,
        trainable_variables: list,
        non_trainable_variables: list,
        *args: Any,
        return_losses: bool = False,
        **kwargs: Any,
    ) -> tuple:
        """Call the layer with other values in its variables, which stay as they are.

        Args:
            trainable_variables, non_trainable_variables: arrays in the order of the attributes of these names.
            *args: inputs, as of a call.
            return_losses: also return the losses that the call added.
            **kwargs: more inputs, and ``training``.

        Returns:
            The outputs, the non-trainable values after the call, and with ``return_losses`` a list of losses.

        Raises:
            ValueError: for a layer that is not built, or other numbers of arrays.

        >>> import numpy as np, polykeras as keras
        >>> layer = keras.layers.Dense(1, kernel_initializer="zeros"); layer.build((None, 2))
        >>> outputs, _ = layer.stateless_call([np.ones((2, 1)), np.ones(1)], [], np.ones((1, 2))); outputs.tolist()
        [[3.0]]
        """
        trainable, others = self.trainable_variables, self.non_trainable_variables
        counts, expected = (len(trainable_variables), len(non_trainable_variables)), (len(trainable), len(others))
        if not self.built or counts != expected:
            state = "built" if self.built else "one that is not built yet"
            raise ValueError(
                f"Layer {self.path!r}: Expected a built layer, and {expected} trainable and non-trainable values. "
                f"Received: {state}, {counts}."
            )

        def call() -> tuple:
            outputs = self(*args, **kwargs)
            return outputs, (self.losses if return_losses else [])

        fresh, (outputs, losses) = pure(call, [*trainable, *others])([*trainable_variables, *non_trainable_variables])
        rest = fresh[len(trainable) :]
        return (outputs, rest, losses) if return_losses else (outputs, rest)

    # ------------------------------------------------------- a module of PyTorch

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
        """Move the weights to a device of PyTorch.

        Args:
            *args, **kwargs: a device; see ``torch.nn.Module.to``.
        """
        self._module().to(*args, **kwargs)
        return self

    def register_forward_hook(self, hook: Callable) -> HookHandle:
        """Have a function called after each call of the layer.

        Args:
            hook: of the layer, a tuple of the positional inputs, and the output; what it returns, unless None,
                takes the place of the output.

        Returns:
            An object whose ``remove()`` ends it.
        """
        inner = self.call

        def call(*args: Any, **kwargs: Any) -> Any:
            outputs = inner(*args, **kwargs)
            if backends.current().is_symbolic or handle.is_removed:
                return outputs
            changed = hook(self, args, outputs)
            return outputs if changed is None else changed

        handle = HookHandle()
        self.call = call
        return handle


class HookHandle:
    """Ends a hook.

    >>> handle = HookHandle(); handle.remove(); handle.is_removed
    True
    """

    is_removed = False

    def remove(self) -> None:
        """Call the hook no more."""
        self.is_removed = True
