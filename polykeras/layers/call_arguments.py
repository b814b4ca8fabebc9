"""Arguments of a call that the calls inside of it receive too, as ``training`` does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polykeras.core import naming
from polykeras.core.context import context, handing_down

if TYPE_CHECKING:
    from polykeras.layers.whole import Whole
else:
    Whole = object


class CallArguments(Whole):
    """The names of such arguments, which a layer's ``__init__`` registers, and their values in a call."""

    _handed_down: tuple[str, ...] = ()

    @property
    def _call_context_args(self) -> set[str]:
        return {"training", *self._handed_down}

    def _register_call_context_args(self, *names: str) -> None:
        """Have calls take further arguments by name, which reach the layers inside that register them too.

        The value is that of the call itself, or else the one that the innermost call around it was given.

        Args:
            *names: names of arguments. ``call`` receives those that it takes.

        Raises:
            RuntimeError: after the layer's first call.

        >>> import numpy as np, polykeras as keras
        >>> class Shift(keras.layers.Layer):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self._register_call_context_args("by")
        ...     def call(self, inputs, by=0.0):
        ...         return inputs + by
        >>> float(Shift()(np.float32(1.0), by=2.0))
        3.0
        """
        if self.built or self._accepted_inputs:
            raise RuntimeError(
                f"Layer {self.name!r}: Expected arguments of calls to be registered before the first call. Received: "
                f"{naming.listed(names)}. Cannot add call-context args after the layer has been called."
            )
        self._handed_down = (*self._handed_down, *(n for n in names if n not in self._call_context_args))

    def _call_handing_down(self, args: tuple, kwargs: dict) -> Any:
        """Call with the values of such arguments, its own or those of the calls around, and hand them down."""
        values = dict(context.handed_down)
        for name in self._handed_down:
            own = self._signature_of_call.argument(name, args, kwargs)
            kwargs.pop(name, None)
            if own is not None:
                values[name] = own
            if name in self._signature_of_call.by_name(args) and values.get(name) is not None:
                kwargs[name] = values[name]
        with handing_down(values):
            return self._call_on_arrays(args, kwargs)
