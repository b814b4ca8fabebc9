"""Methods of layers and models for programs that are written in the style of one engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polykeras.core.functionalization import pure
from polykeras.layers.module_idioms import ModuleIdioms

if TYPE_CHECKING:
    from polykeras.layers.whole import Whole
else:
    Whole = object


class EngineIdioms(ModuleIdioms, Whole):
    """Stateless calls for JAX, and the interface of ``torch.nn.Module`` for PyTorch."""

    def stateless_call(
        self,
        trainable_variables: list,
        non_trainable_variables: list,
        *args: Any,
        return_losses: bool = False,
        **kwargs: Any,
    ) -> tuple:
        """Call the layer as a pure function of the values of its variables, which are not changed.

        Args:
            trainable_variables, non_trainable_variables: lists of arrays, in the order of the attributes of these
                names.
            *args: positional inputs of the call.
            return_losses: bool, whether to also return the losses added in the call; default False.
            **kwargs: further inputs, and ``training``.

        Returns:
            The outputs, the non-trainable values after the call, and with ``return_losses`` a list of losses.

        Raises:
            ValueError: if the layer is not built, or the number of arrays is wrong.

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
