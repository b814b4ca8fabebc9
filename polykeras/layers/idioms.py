"""What layers and models offer to programs that are written in the way of one engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polykeras.core.functionalization import pure
from polykeras.layers.module_idioms import ModuleIdioms

if TYPE_CHECKING:
    from polykeras.layers.whole import Whole
else:
    Whole = object


class EngineIdioms(ModuleIdioms, Whole):
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

        updated, (outputs, losses) = pure(call, [*trainable, *others])([*trainable_variables, *non_trainable_variables])
        rest = updated[len(trainable) :]
        return (outputs, rest, losses) if return_losses else (outputs, rest)
