"""Embeddings: a trainable vector for each integer."""

from __future__ import annotations

from typing import Any

from polykeras import constraints, initializers, ops, random, regularizers
from polykeras.backends import current
from polykeras.backends.shared.structured import is_structured
from polykeras.core import dtypes, masks, shape_inference
from polykeras.core.context import context
from polykeras.layers.arguments import legacy_arguments, positive_int
from polykeras.layers.integer_encodings import WeightAxes
from polykeras.layers.layer import Layer
from polykeras.layers.quantization import QuantizedWeights, given_config
from polykeras.layers.weights import LowRankUpdate


class Embedding(QuantizedWeights, LowRankUpdate, Layer):
    """Look up a vector for each integer.

    Args:
        input_dim: int, number of vectors; inputs range from 0 to ``input_dim - 1``.
        output_dim: int, size of a vector.
        embeddings_initializer: initializer of the table; default "uniform".
        embeddings_regularizer: regularizer of the table, added to the loss; default None.
        embeddings_constraint: constraint applied to the table after each update; default None.
        mask_zero: bool, whether 0 is padding that later layers should mask; default False.
        weights: initial table (input_dim, output_dim), or a list with it; default None.
        lora_rank, lora_alpha: train a low-rank update instead of the table; see ``Dense``.
        quantization_config: see ``Dense``.
        input_length: length of the sequences, as in Keras 2; default None.
        dropout: float, as in Keras 1: the fraction of integers whose vectors are set to 0 in training; default 0.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: ints (...) to (..., output_dim).

    Raises:
        IndexError: for an integer outside the table, if values are known (not in compiled steps).

    Source: Bengio et al., "A Neural Probabilistic Language Model" (2003),
    https://www.jmlr.org/papers/v3/bengio03a.html.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Embedding(10, 4)(np.array([[1, 2, 3]])).shape
    (1, 3, 4)
    """

    _takes_structured = True
    _updated_weight = "embeddings"

    @legacy_arguments(
        init="embeddings_initializer", W_regularizer="embeddings_regularizer", W_constraint="embeddings_constraint"
    )
    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: Any = None,
        **kwargs: Any,
    ) -> None:
        self.dropout = kwargs.pop("dropout", 0.0)
        length = kwargs.pop("input_length", None)
        if length is not None and "input_shape" not in kwargs and "batch_input_shape" not in kwargs:
            kwargs["input_shape"] = tuple(length) if isinstance(length, list | tuple) else (length,)
        super().__init__(**kwargs)
        self.input_length = length
        self.input_dim = positive_int(self, "input_dim", input_dim)
        self.output_dim = positive_int(self, "output_dim", output_dim)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.quantization_config = given_config(quantization_config)
        self.mask_zero = mask_zero
        self.supports_masking = mask_zero
        self._keep_lora(lora_rank, lora_alpha)
        self.autocast = False
        self._casts_variables = self.compute_dtype != self.variable_dtype
        if weights is not None:
            self._initial_weights = list(weights) if isinstance(weights, list | tuple) else [weights]

    def build(self, input_shape: Any = None) -> None:
        """Create the table.

        Args:
            input_shape: accepted for compatibility and ignored; default None.
        """
        if self._starts_quantized():
            self._add_integers()
        else:
            self._embeddings = self.add_weight(
                name="embeddings",
                shape=(self.input_dim, self.output_dim),
                initializer=self.embeddings_initializer,
                regularizer=self.embeddings_regularizer,
                constraint=self.embeddings_constraint,
            )
        if self.lora_rank:
            self.enable_lora(self.lora_rank, self.lora_alpha)

    @property
    def embeddings(self) -> Any:
        """The table of vectors."""
        return self._with_update()

    @embeddings.setter
    def embeddings(self, value: Any) -> None:
        self._embeddings = value

    def _integer_axes(self) -> dict[str, WeightAxes]:
        shape = (self.input_dim, self.output_dim)
        return {"_embeddings": WeightAxes("embeddings", shape, reduced_axes=(1,), scale_axes=(0,), shared_axis=-1)}

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: ints (...) to (..., output_dim).
        """
        if ops.dtype(inputs) not in dtypes.INTEGERS:
            inputs = ops.cast(inputs, "int32")
        self._check_range(inputs)
        outputs = self._floats("_embeddings", rows=inputs)
        if self.lora_enabled:
            left, right = self._factors
            low = ops.matmul(ops.embedding(left, inputs), right)
            outputs = outputs + self._lora_scale * low
        if self.dropout and context.training:
            kept = random.dropout(ops.ones((self.input_dim, 1), outputs.dtype), self.dropout)
            outputs = outputs * ops.embedding(kept, inputs)
        return outputs

    def _check_range(self, inputs: Any) -> None:
        """Reject integers outside the table, if checking does not require waiting for a device."""
        backend = current()
        if backend.is_symbolic or is_structured(inputs) or shape_inference.are_tried():
            return
        if inputs.shape and 0 not in tuple(inputs.shape):
            low, high = backend.concrete(backend.min(inputs)), backend.concrete(backend.max(inputs))
            if isinstance(low, int) and (low < 0 or high >= self.input_dim):
                raise IndexError(
                    f"Layer {self.path!r}: Expected integers from 0 to {self.input_dim - 1}. Received: "
                    f"{low if low < 0 else high}."
                )

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return True for inputs other than 0 with ``mask_zero``, otherwise None.

        Args:
            inputs: array, (batch, time, ...).
            mask: mask of the inputs, (batch, time), ignored; default None.
        """
        return ops.not_equal(inputs, 0) if self.mask_zero else None

    def get_config(self) -> dict:
        config = {
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "embeddings_initializer": initializers.serialize(self.embeddings_initializer),
            "embeddings_regularizer": regularizers.serialize(self.embeddings_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "embeddings_constraint": constraints.serialize(self.embeddings_constraint),
            "mask_zero": self.mask_zero,
        }
        if self.dropout:
            config["dropout"] = self.dropout
        return {**super().get_config(), **config, **self._lora_config(), **self._quantization()}


class ReversibleEmbedding(Embedding):
    """Look up a vector for each integer or, in reverse, map vectors to logits of the integers.

    Args:
        input_dim, output_dim, embeddings_initializer, embeddings_regularizer, embeddings_constraint,
            mask_zero: as for ``Embedding``; default "uniform".
        tie_weights: bool, whether the reverse direction uses the same table instead of its own; default True.
        reverse_dtype: dtype to compute logits in; default None, for that of the layer.
        logit_soft_cap: float; if given, logits x become ``cap * tanh(x / cap)``; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Call arguments:
        inputs: ints (...), or with ``reverse`` vectors (..., output_dim).
        reverse: bool, whether to compute logits (..., input_dim).

    Source: Press and Wolf, "Using the output embedding to improve language models" (2016),
    https://arxiv.org/abs/1608.05859.

    Shapes: ints (...) to (..., output_dim); with ``reverse`` (..., output_dim) to (..., input_dim).

    >>> import numpy as np, polykeras as keras
    >>> layer = keras.layers.ReversibleEmbedding(10, 4)
    >>> layer(layer(np.array([[1, 2, 3]])), reverse=True).shape
    (1, 3, 10)
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        tie_weights: bool = True,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        reverse_dtype: Any = None,
        logit_soft_cap: float | None = None,
        **kwargs: Any,
    ) -> None:
        options = (embeddings_initializer, embeddings_regularizer, embeddings_constraint, mask_zero)
        super().__init__(input_dim, output_dim, *options, **kwargs)
        self.tie_weights = tie_weights
        self.reverse_dtype = reverse_dtype
        self.logit_soft_cap = logit_soft_cap

    def build(self, input_shape: Any = None) -> None:
        """Create the table, and a second one for ``reverse`` unless ``tie_weights`` is set.

        Args:
            input_shape: accepted for compatibility and ignored; default None.
        """
        super().build(input_shape)
        if not self.tie_weights and not self._holds_integers:
            shape = (self.output_dim, self.input_dim)
            self.reverse_embeddings = self.add_weight(shape, self.embeddings_initializer, name="reverse_embeddings")

    def _integer_axes(self) -> dict[str, WeightAxes]:
        weights = super()._integer_axes()
        if not self.tie_weights:
            shape = (self.output_dim, self.input_dim)
            axes = WeightAxes("reverse_embeddings", shape, reduced_axes=(0,), scale_axes=(1,), packed_axis=0)
            weights["reverse_embeddings"] = axes
        return weights

    def call(self, inputs: Any, reverse: bool = False) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.
            reverse: bool, whether to map vectors to logits of the integers; default False.

        Shapes: ints (...) to (..., output_dim); with ``reverse`` (..., output_dim) to (..., input_dim).
        """
        if not reverse:
            outputs = super().call(inputs)
            if self.mask_zero:
                masks.set_mask(outputs, super().compute_mask(inputs))
            return outputs
        kernel = ops.transpose(self.embeddings) if self.tie_weights else self._floats("reverse_embeddings")
        inputs = self._rounded(inputs)
        dtype = self.reverse_dtype or self.compute_dtype
        logits = ops.matmul(ops.cast(inputs, dtype), ops.cast(kernel, dtype))
        cap = self.logit_soft_cap
        return logits if cap is None else ops.tanh(logits / cap) * cap

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return True for inputs other than 0 with ``mask_zero``, otherwise None.

        Args:
            inputs: array, (batch, time, ...).
            mask: mask of the inputs, (batch, time), ignored; default None.
        """
        return None  # only ``call`` knows the direction, and sets the mask

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "tie_weights": self.tie_weights,
            "reverse_dtype": self.reverse_dtype,
            "logit_soft_cap": self.logit_soft_cap,
        }
