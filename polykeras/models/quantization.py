"""Quantization of all layers of a model that can hold their weights as integers."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from polykeras.core import naming

if TYPE_CHECKING:
    from polykeras.layers.layer import Layer
    from polykeras.training.trainer import Trainer
else:
    Trainer = object


class Quantization(Trainer):
    """Mixin of models: ``quantize``."""

    def quantize(  # type: ignore[override]
        self,
        mode: str | None = None,
        config: Any = None,
        filters: str | Sequence[str] | Callable | None = None,
        type_check: bool = True,
    ) -> None:
        """Hold the weights of dense layers and embeddings as integers with scales, which take less memory.

        As "int8" a weight takes a quarter of the memory of float32, as "int4" an eighth. The model's outputs change
        by what the rounding of weights costs, and with "int8" that of the inputs of layers. Quantized weights are not
        trained any more; ``enable_lora`` adds trained updates to them. Other layers stay as they are, with a warning if
        they have weights.

        Args:
            mode: "int8" or "int4"; default None, for that of the config.
            config: ``keras.quantizers.QuantizationConfig``; default None, for that of the mode.
            filters: regular expression that names of layers must contain, several of them, or function of a layer
                that says whether it is meant; default None, for all layers.
            type_check: bool, whether to leave subclasses of built-in layers as they are; default True.

        Raises:
            ValueError: for an unknown mode, and for layers that are not built, or quantized already.
            TypeError: for filters of another type.

        Source: Dettmers et al., "LLM.int8()" (2022), https://arxiv.org/abs/2208.07339, for scales of outputs and rows.

        >>> import numpy as np, polykeras as keras
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, kernel_initializer="ones")])
        >>> model.quantize("int8")
        >>> model.layers[0].dtype_policy.name, round(float(model(np.ones((1, 4)))[0, 0]), 3)
        ('int8_from_float32', 4.0)
        """
        from polykeras.quantizers.configs import resolved_config

        config = resolved_config(mode, config)
        left = []
        for layer in self._flatten_layers():
            if layer is self or len(layer._flatten_layers()) > 1 or not _is_meant(layer, filters):
                continue
            try:
                layer.quantize(config.mode, type_check=type_check, config=config)
            except NotImplementedError:
                left += [layer] if layer.weights else []
        self._post_quantize(config.mode)
        if left:
            names = naming.listed([f"{layer.path} ({type(layer).__name__})" for layer in left], 200)
            warnings.warn(
                f"Model {self.name!r}: Expected layers whose weights can be integers: Dense, EinsumDense, Embedding, "
                f"ReversibleEmbedding. Received others too, which stay as they are: {names}.",
                stacklevel=2,
            )

    def _post_quantize(self, mode: str, **kwargs: Any) -> None:
        """Forget what was compiled for the weights before; packages override it to forget their own functions."""
        self._forget_steps()


def _is_meant(layer: Layer, filters: Any) -> bool:
    if filters is None:
        return True
    if callable(filters):
        return bool(filters(layer))
    patterns = [filters] if isinstance(filters, str) else filters
    if not isinstance(patterns, list | tuple):
        raise TypeError(f"Expected filters to be a str, a list of str, or a function. Received: {filters!r}.")
    return any(re.search(pattern, layer.name) for pattern in patterns)
