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
        they have weights. "gptq" and "awq" choose the integers of dense layers for the inputs in a dataset, in blocks
        of layers that ``get_quantization_layer_structure`` or the config names, and change nothing outside of them.

        Args:
            mode: "int8", "int4", "gptq" or "awq"; default None, for that of the config.
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
        if config.is_calibrated:
            self._quantize_blocks(config, filters, type_check)
            return
        left = []
        for layer in self._flatten_layers():
            if layer is self or len(layer._flatten_layers()) > 1 or not _is_meant(layer, filters):
                continue
            try:
                layer.quantize(config.mode, type_check=type_check, config=config)
            except NotImplementedError:
                left += [layer] if layer.weights else []
        self._post_quantize(config.mode)
        tables = "" if config.mode == "float8" else ", Embedding, ReversibleEmbedding"
        self._warn_of(left, f"Dense, EinsumDense{tables}")

    def _warn_of(self, left: list, classes: str) -> None:
        if left:
            names = naming.listed([f"{layer.path} ({type(layer).__name__})" for layer in left], 200)
            warnings.warn(
                f"Model {self.name!r}: Expected layers that can be quantized: {classes}. Received others too, which "
                f"stay as they are: {names}.",
                stacklevel=3,
            )

    def get_quantization_layer_structure(self, mode: str | None = None) -> dict | None:
        """Return the parts of the model that "gptq" and "awq" quantize one after another; models override it.

        Args:
            mode: "gptq" or "awq"; default None.

        Returns:
            A dict with the lists "pre_block_layers", of layers that token ids pass first, and "sequential_blocks", of
            layers after one another whose dense layers are quantized; None if it is not known.

        >>> import polykeras as keras
        >>> keras.Sequential([keras.layers.Dense(2)]).get_quantization_layer_structure("gptq") is None
        True
        """
        return None

    def _quantize_blocks(self, config: Any, filters: Any, type_check: bool) -> None:
        from polykeras.models.calibration import quantize_blocks

        structure = config.quantization_layer_structure or self.get_quantization_layer_structure(config.mode)
        if structure is None:
            raise ValueError(
                f"Model {self.name!r}: Expected a dict with 'pre_block_layers' and 'sequential_blocks' from "
                f"get_quantization_layer_structure({config.mode!r}), or as quantization_layer_structure of the config. "
                f"Received: None."
            )

        left = []

        def is_meant(layer: Any) -> bool:
            if not _is_meant(layer, filters):
                return False
            try:
                layer._check_can_be_quantized(type_check)
            except NotImplementedError:
                left.append(layer)
                return False
            return True

        with self._on_own_backend():
            quantize_blocks(structure, config, is_meant)
        self._post_quantize(config.mode)
        self._warn_of(left, "Dense, EinsumDense")

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
