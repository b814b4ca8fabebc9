"""Methods that programs written for Keras 3 call on layers, beside those that do the work."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from polykeras.core.scopes import remat
from polykeras.core.tracking import unique
from polykeras.core.variables import Variable

if TYPE_CHECKING:
    from polykeras.layers.whole import Whole
else:
    Whole = object


class Keras3Names(Whole):
    """Further names of what a layer does, and errors for what it doesn't do."""

    def add_variable(self, *args: Any, **kwargs: Any) -> Variable:
        """Make a weight; see ``add_weight``.

        Args:
            *args, **kwargs: as of ``add_weight``.

        >>> import polykeras as keras
        >>> keras.layers.Layer().add_variable((2,), "zeros", name="bias").shape
        (2,)
        """
        return self.add_weight(*args, **kwargs)

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """Return symbolic outputs for symbolic inputs, as a call does.

        Args:
            *args, **kwargs: as of a call, on symbolic tensors.

        >>> import polykeras as keras
        >>> keras.layers.Dense(2).symbolic_call(keras.Input((3,))).shape
        (None, 2)
        """
        return self._symbolic_call(args, kwargs)

    def rematerialized_call(self, layer_call: Callable, *args: Any, **kwargs: Any) -> Callable:
        """Return ``layer_call``, with its inner values computed again for the gradient; see ``keras.remat``.

        Args:
            layer_call: a function of the layer, such as its ``call``.
            *args, **kwargs: what it will be called with.

        >>> import numpy as np, polykeras as keras
        >>> layer = keras.layers.Activation("relu")
        >>> layer.rematerialized_call(layer.call)(np.array([-1.0, 2.0]))
        array([0., 2.])
        """
        return remat(layer_call)

    @property
    def metrics_variables(self) -> list[Variable]:
        """The states of the metrics of this layer and of those inside."""
        return unique(variable for metric in self.metrics for variable in metric.variables)

    @property
    def quantization_mode(self) -> str | None:
        """How the weights are quantized: None, as they never are."""
        return self.dtype_policy.quantization_mode

    def quantize(self, mode: Any = None, type_check: bool = True, config: Any = None) -> None:
        """Refuse to quantize the weights: they stay floats.

        Args:
            mode: str; default None.
            type_check: bool; default True.
            config: dict; default None.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(
            f"Layer {self.path!r}: Expected weights to stay floats: quantization is not supported. Received: "
            f"quantize({mode!r}). Use dtype='mixed_bfloat16' or 'bfloat16' to save memory and time."
        )
