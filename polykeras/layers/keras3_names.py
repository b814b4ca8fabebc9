"""Further methods that programs written for Keras 3 call on layers."""

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
    """Keras 3 names of layer methods, and errors for unsupported features."""

    def add_variable(self, *args: Any, **kwargs: Any) -> Variable:
        """Create a weight; see ``add_weight``.

        Args:
            *args, **kwargs: as for ``add_weight``.

        >>> import polykeras as keras
        >>> keras.layers.Layer().add_variable((2,), "zeros", name="bias").shape
        (2,)
        """
        return self.add_weight(*args, **kwargs)

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """Return symbolic outputs for symbolic inputs, as a call does.

        Args:
            *args, **kwargs: arguments of ``call``, with symbolic tensors for arrays.

        >>> import polykeras as keras
        >>> keras.layers.Dense(2).symbolic_call(keras.Input((3,))).shape
        (None, 2)
        """
        return self._symbolic_call(args, kwargs)

    def rematerialized_call(self, layer_call: Callable, *args: Any, **kwargs: Any) -> Callable:
        """Return ``layer_call`` with its activations recomputed in the backward pass; see ``keras.remat``.

        Args:
            layer_call: a method of the layer, such as ``call``.
            *args, **kwargs: the arguments that it will be called with.

        >>> import numpy as np, polykeras as keras
        >>> layer = keras.layers.Activation("relu")
        >>> layer.rematerialized_call(layer.call)(np.array([-1.0, 2.0]))
        array([0., 2.])
        """
        return remat(layer_call)

    @property
    def metrics_variables(self) -> list[Variable]:
        """The state variables of the metrics of this layer and of the nested layers."""
        return unique(variable for metric in self.metrics for variable in metric.variables)

    @property
    def quantization_mode(self) -> str | None:
        """The quantization mode of the weights, always None: quantization is not supported."""
        return self.dtype_policy.quantization_mode

    def quantize(self, mode: Any = None, type_check: bool = True, config: Any = None) -> None:
        """Raise an error: quantization is not supported.

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
