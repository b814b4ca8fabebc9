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

    _is_quantized = False

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
        """The quantization mode of the weights, such as "int8"; None for floats."""
        return self.dtype_policy.quantization_mode

    def quantize(self, mode: str | None = None, type_check: bool = True, config: Any = None) -> None:
        """Raise an error: only dense layers and embeddings hold weights as integers.

        Args:
            mode: str; default None.
            type_check: bool; default True.
            config: QuantizationConfig; default None.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(
            f"Layer {self.path!r}: Expected a Dense, EinsumDense, Embedding or ReversibleEmbedding layer, and mode "
            f"'int8' or 'int4'. Received: a {type(self).__name__}, mode={mode!r}, config={config!r}."
        )

    def _become_quantized(self, config: Any) -> None:
        """Take the form that layers have after ``quantize``, before weights are loaded."""
        self.quantize(type_check=False, config=config)

    def _quantized_layers(self) -> dict[str, Any]:
        if getattr(self, "_graph_plan", None) is not None or hasattr(self, "_sequential_layers"):
            return {}  # its config has those of its layers
        layers = enumerate(self._flatten_layers(include_self=False))
        return {str(number): layer.quantization_config for number, layer in layers if layer._is_quantized}

    def _quantize_layers(self, configs: dict[str, Any]) -> None:
        layers = dict(enumerate(self._flatten_layers(include_self=False)))
        for number, config in configs.items():
            layer = layers.get(int(number))
            if layer is not None and layer.built and not layer._is_quantized:
                layer._become_quantized(config)
