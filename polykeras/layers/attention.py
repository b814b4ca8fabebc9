"""Attention: averages of values, weighted by how well their keys match a query."""

from __future__ import annotations

import functools
import math
import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from polykeras import activations, ops, random, regularizers
from polykeras.backends.shared.graph_sizes import static_shape
from polykeras.core import naming
from polykeras.core.seeds import SeedGenerator
from polykeras.layers.advanced_activations import Softmax
from polykeras.layers.arguments import choice, positive_int, rate_between
from polykeras.layers.core import Dropout
from polykeras.layers.dense import EinsumDense, outputs_together
from polykeras.layers.hooks import calls_as_its_class
from polykeras.layers.layer import Layer
from polykeras.layers.weights import keep_options, options_config
from polykeras.serialization import registry


def _distances(query: Any, key: Any) -> Any:
    """(1, queries, keys): the position of each query minus that of each key; lengths may be unknown."""
    ones = [ops.ones_like(x[(slice(0, 1), slice(None), *(0,) * (len(x.shape) - 2))], "int32") for x in (query, key)]
    queries, keys = (ops.cumsum(x, axis=1) for x in ones)
    return ops.expand_dims(queries, 2) - ops.expand_dims(keys, 1)


def _of_one_batch(layer: Layer, arrays: Sequence) -> tuple:
    """Return arrays of the same batch size: a single example, such as learned queries, attends as often as needed."""
    shapes = [static_shape(ops.shape(x)) for x in arrays]
    sizes = {shape[0] for shape in shapes}
    if len(sizes - {1, None}) > 1:
        raise ValueError(
            f"Layer {layer.path!r}: Expected query, value and key of the same batch size. Received shapes: "
            f"{naming.listed(shapes)}."
        )
    if len(sizes) == 1 or 1 not in sizes:
        return tuple(arrays)
    batch = next(ops.shape(x)[0] for x, shape in zip(arrays, shapes, strict=True) if shape[0] != 1)
    return tuple(ops.broadcast_to(x, (batch, *ops.shape(x)[1:])) for x in arrays)


# ------------------------------------------------------------------- one head


class Attention(Layer):
    """Dot-product attention: average the values, weighted by the similarity of their keys to a query.

    Args:
        use_scale: bool, whether to multiply scores by a trainable scalar; default False.
        score_mode: ``"dot"`` for the dot product of query and key as score, or ``"concat"`` for a trainable
            scalar times the sum of ``tanh(scale * (query + key))``; default "dot".
        dropout: float, fraction of the attention weights to drop in training; default 0.0.
        seed: int, for dropout that can be reproduced; default None, for a new seed in every run.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Call arguments:
        inputs: list of query (batch, queries, size), value (batch, keys, size) and optionally key (batch,
            keys, size), by default the value.
        mask: list of the mask of the query (batch, queries), False where outputs become 0, and the mask of
            the value (batch, keys), False where keys are ignored; each may be None.
        return_attention_scores: bool, whether to return (outputs, scores).
        use_causal_mask: bool, whether queries cannot attend to later keys.

    Source: Luong et al., "Effective approaches to attention-based neural machine translation"
    (EMNLP 2015).

    Shapes: queries (batch, Tq, dim), values (batch, Tv, dim) and keys (batch, Tv, dim) to (batch, Tq, dim);
    scores (batch, Tq, Tv).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Attention()([np.ones((1, 2, 4)), np.ones((1, 3, 4))]).shape
    (1, 2, 4)
    """

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.use_scale = use_scale
        self.score_mode = choice(self, "score_mode", score_mode, ("dot", "concat"))
        self.dropout = rate_between(self, "dropout", dropout)
        self.seed = seed
        if dropout > 0:
            self.seed_generator = SeedGenerator(seed)
        self.scale: Any = None
        self.supports_masking = True

    def build(self, input_shape: list) -> None:
        self._check_list("inputs", input_shape)
        if self.use_scale:
            self.scale = self.add_weight((), "ones", name="scale")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight((), "ones", name="concat_score_weight")

    def _check_list(self, name: str, value: Any) -> None:
        if not isinstance(value, list | tuple) or len(value) not in (2, 3):
            received = f"an array of shape {tuple(value.shape)}" if hasattr(value, "shape") else repr(value)
            raise ValueError(
                f"Layer {self.path!r}: Expected {name} to be a list for query, value and optionally key. "
                f"Received: {received}."
            )

    def _scores(self, query: Any, key: Any) -> Any:
        if self.score_mode == "dot":
            scores = ops.matmul(query, ops.swapaxes(key, -2, -1))
            return scores if self.scale is None else scores * self.scale
        total = ops.expand_dims(query, -2) + ops.expand_dims(key, -3)
        total = total if self.scale is None else total * self.scale
        return ops.sum(ops.tanh(total), axis=-1) * self.concat_score_weight

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: bool = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.
            mask: bool array, True for the entries to use; default None, for all of them.
            training: bool, whether to run in training mode; default False.
            return_attention_scores: bool, whether to also return the attention scores; default False.
            use_causal_mask: bool, whether queries cannot attend to later keys; default False.

        Shapes: queries (batch, Tq, dim), values (batch, Tv, dim) and keys (batch, Tv, dim) to (batch, Tq,
        dim).
        """
        self._check_list("inputs", inputs)
        if mask is not None:
            self._check_list("mask", mask)
        inputs = _of_one_batch(self, inputs)
        query, value = inputs[:2]
        query_mask, value_mask = (None, None) if mask is None else mask[:2]
        scores = self._scores(query, inputs[-1])
        seen = None if value_mask is None else ops.expand_dims(ops.cast(value_mask, "bool"), -2)
        if use_causal_mask:
            causal = _distances(query, inputs[-1]) >= 0
            seen = causal if seen is None else ops.logical_and(seen, causal)
        if seen is not None:
            far = 65504.0 if ops.dtype(scores) == "float16" else 1e9
            scores = ops.where(seen, scores, scores - far)
        weights = dropped = ops.softmax(scores, axis=-1)
        if training and self.dropout > 0:
            dropped = random.dropout(weights, self.dropout, seed=self.seed_generator)
        outputs = ops.matmul(dropped, value)
        if query_mask is not None:
            outputs = ops.where(ops.expand_dims(ops.cast(query_mask, "bool"), -1), outputs, 0.0)
        return (outputs, dropped) if return_attention_scores else outputs

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return the mask of the queries.

        Args:
            inputs: list of query, value and key, (batch, time, dim).
            mask: list of the masks of the inputs; default None.
        """
        return None if mask is None else mask[0]

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "use_scale": self.use_scale,
            "score_mode": self.score_mode,
            "dropout": self.dropout,
            "seed": self.seed,
        }


class AdditiveAttention(Attention):
    """Additive attention: the score of a query and a key is the sum of ``scale * tanh(query + key)``.

    Args:
        use_scale: bool, whether ``scale`` is a trainable vector of the size of a key, instead of 1; default True.
        dropout, seed: as for ``Attention``, as are the call arguments; default 0.0.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Source: Bahdanau et al., "Neural machine translation by jointly learning to align and translate"
    (ICLR 2015).

    Shapes: queries (batch, Tq, dim), values (batch, Tv, dim) and keys (batch, Tv, dim) to (batch, Tq, dim);
    scores (batch, Tq, Tv).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.AdditiveAttention()([np.ones((1, 2, 4)), np.ones((1, 3, 4))]).shape
    (1, 2, 4)
    """

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(use_scale=use_scale, dropout=dropout, **kwargs)

    def build(self, input_shape: list) -> None:
        self._check_list("inputs", input_shape)
        if self.use_scale:
            self.scale = self.add_weight((input_shape[0][-1],), "glorot_uniform", name="scale")

    def _scores(self, query: Any, key: Any) -> Any:
        parts = ops.tanh(ops.expand_dims(query, -2) + ops.expand_dims(key, -3))
        return ops.sum(parts if self.scale is None else parts * self.scale, axis=-1)

    def get_config(self) -> dict:
        config = super().get_config()
        del config["score_mode"]
        return config


# ----------------------------------------------------------------- many heads


def _other_name(name: str) -> Any:
    """A property that is an alias of an attribute."""
    return property(lambda self: getattr(self, name), lambda self, value: setattr(self, name, value))


class HeadedAttention(Layer):
    """Base class of multi-head attention: projections, masks, and the attention itself.

    Subclasses define the numbers of heads, the sizes of keys and values, and the shape of the output.
    """

    kernel_initializer: Any
    kernel_regularizer: Any
    kernel_constraint: Any
    bias_initializer: Any
    bias_regularizer: Any
    bias_constraint: Any

    def __init__(
        self,
        dropout: float,
        use_bias: bool,
        sliding_window: int | None,
        flash_attention: bool | None,
        kernel_initializer: Any,
        bias_initializer: Any,
        kernel_regularizer: Any,
        bias_regularizer: Any,
        activity_regularizer: Any,
        kernel_constraint: Any,
        bias_constraint: Any,
        use_gate: bool,
        seed: int | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self._activity_regularizer = self.activity_regularizer  # of the projections
        self.dropout = rate_between(self, "dropout", dropout)
        self.use_bias = use_bias
        self.use_gate = use_gate
        self.seed = seed
        self.sliding_window = sliding_window
        if sliding_window is not None:
            positive_int(self, "sliding_window", sliding_window)
        self.flash_attention = bool(flash_attention)
        if flash_attention and dropout > 0:
            raise ValueError(
                f"Layer {self.name!r}: Expected dropout=0 with flash_attention=True. Received: dropout={dropout}."
            )
        keep_options(self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        keep_options(self, "bias", bias_initializer, bias_regularizer, bias_constraint)
        self.supports_masking = True

    # The names by which subclasses in other packages access these attributes.
    _query_dense = _other_name("query_dense")
    _key_dense = _other_name("key_dense")
    _value_dense = _other_name("value_dense")
    _output_dense = _other_name("output_dense")
    _use_bias = _other_name("use_bias")
    _dropout = _other_name("dropout")
    _kernel_initializer = _other_name("kernel_initializer")
    _bias_initializer = _other_name("bias_initializer")
    _kernel_regularizer = _other_name("kernel_regularizer")
    _bias_regularizer = _other_name("bias_regularizer")
    _kernel_constraint = _other_name("kernel_constraint")
    _bias_constraint = _other_name("bias_constraint")
    _sliding_window = _other_name("sliding_window")

    def _get_common_kwargs_for_sublayer(self) -> dict:
        options = {
            f"{part}_{option}": getattr(self, f"{part}_{option}")
            for part in ("kernel", "bias")
            for option in ("regularizer", "constraint")
        }
        return {
            **options,
            "activity_regularizer": self._activity_regularizer,
            # A copy, so that each weight gets its own random numbers.
            "kernel_initializer": _copy(self.kernel_initializer),
            "bias_initializer": _copy(self.bias_initializer),
            "dtype": self.dtype_policy,
        }

    def _build_attention(self, rank: int) -> None:
        """Create the sublayers that compute attention between projected arrays with ``rank`` axes."""
        self._softmax = Softmax(dtype=self.dtype_policy)
        self._dropout_layer = Dropout(self.dropout, seed=self.seed, dtype=self.dtype_policy)
        self._build_equations(rank)

    def _masked_softmax(self, scores: Any, mask: Any = None) -> Any:
        mask = None if mask is None else self._for_heads(mask, len(ops.shape(scores)))
        return self._softmax(scores, mask=mask)

    def _compute_attention_mask(
        self,
        query: Any,
        value: Any,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        use_causal_mask: bool = False,
    ) -> Any:
        return self._mask(query, value, query_mask, value_mask, key_mask, attention_mask, use_causal_mask)

    def _projection(self, name: str, axes: int, bound: int, sizes: tuple, activation: Any = None) -> EinsumDense:
        """A dense layer that maps the last ``bound`` axes of an input, after ``axes`` others, to ``sizes``."""
        letters = iter(string.ascii_lowercase)
        free, inner, outer = ("".join(next(letters) for _ in range(n)) for n in (axes, bound, len(sizes)))
        return EinsumDense(
            f"{free}{inner},{inner}{outer}->{free}{outer}",
            (*(None,) * (axes - 1), *sizes),
            activation=activation,
            bias_axes=outer if self.use_bias else None,
            name=name,
            **self._get_common_kwargs_for_sublayer(),
        )

    def _build_heads(
        self, shapes: tuple, heads: int, key_heads: int, key_size: int, value_size: int, output_shape: tuple
    ) -> None:
        """Create and build the projections for the shapes of query, value and key."""
        query_shape, value_shape, key_shape = (tuple(shape) for shape in shapes)
        if value_shape[1:-1] != key_shape[1:-1]:
            raise ValueError(
                f"Layer {self.path!r}: Expected value and key to differ in their last axis only. Received shapes: "
                f"{value_shape} and {key_shape}."
            )
        free = len(query_shape) - 1
        self.query_dense = self._projection("query", free, 1, (heads, key_size))
        self.query_dense.build(query_shape)
        self.key_dense = self._projection("key", len(key_shape) - 1, 1, (key_heads, key_size))
        self.key_dense.build(key_shape)
        if self.use_gate:
            self.gate_dense = self._projection("gate", free, 1, (heads, value_size), activations.sigmoid)
            self.gate_dense.build(query_shape)
        self.value_dense = self._projection("value", len(value_shape) - 1, 1, (key_heads, value_size))
        self.value_dense.build(value_shape)
        self._build_attention(len(query_shape) + 1)
        self.output_dense = self._projection("attention_output", free, 2, output_shape)
        self.output_dense.build((*query_shape[:-1], heads, value_size))

    def _build_equations(self, rank: int, axes: tuple | None = None) -> None:
        """Set the einsum equations for projected arrays with ``rank`` axes and attention along ``axes``."""
        axes = tuple(range(1, rank - 2)) if axes is None else axes
        letters = iter(string.ascii_lowercase)
        query = [next(letters) for _ in range(rank)]
        key = [next(letters) if axis in axes else query[axis] for axis in range(rank)]
        kept = [query[axis] for axis in range(rank - 1) if axis not in axes]
        scores = "".join(kept + [query[axis] for axis in axes] + [key[axis] for axis in axes])
        queries, keys = "".join(query), "".join(key)
        self._scores_equation = f"{queries},{keys}->{scores}"
        self._dot_product_equation = f"{keys},{queries}->{scores}"  # the order that subclasses of other packages use
        self._combine_equation = f"{scores},{keys}->{queries}"
        self._attended = len(axes)
        self._softmax.axis = list(range(-len(axes), 0))

    def call(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """Apply the layer to the inputs.

        Args:
            query: array, (batch, Tq, dim).
            value: array, (batch, Tv, dim).
            key: array, (batch, Tv, dim); default ``value``.
            query_mask: bool array, (batch, Tq), False for queries without attention; default None, for all.
            value_mask: bool array, (batch, Tv), False for values to ignore; default None, for all.
            key_mask: bool array, (batch, Tv), False for keys to ignore; default None, for all.
            attention_mask: bool array, (batch, Tq, Tv), True where a query may attend to a key; default None, for
                all.
            return_attention_scores: bool, whether to also return the attention scores; default False.
            training: bool, whether to run in training mode; default False.
            use_causal_mask: bool, whether queries cannot attend to later keys; default False.

        Shapes: queries (batch, Tq, dim), values (batch, Tv, dim) and keys (batch, Tv, dim) to (batch, Tq,
        dim).

        Raises:
            ValueError: for ``return_attention_scores`` with ``flash_attention``.
        """
        if return_attention_scores and self.flash_attention:
            raise ValueError(
                f"Layer {self.path!r}: Expected return_attention_scores=False with flash_attention=True. "
                f"Received: return_attention_scores={return_attention_scores}."
            )
        key = value if key is None else key
        query, value, key = _of_one_batch(self, (query, value, key))
        is_own = type(self)._compute_attention is HeadedAttention._compute_attention
        fused = is_own and len(ops.shape(query)) == 3 and self._may_fuse(return_attention_scores, training)
        masks = query_mask, value_mask, key_mask, attention_mask
        # The fused kernel applies a causal mask itself. With further masks it is merged into those.
        by_kernel = fused and use_causal_mask and self.sliding_window is None and all(part is None for part in masks)
        mask = self._mask(query, value, *masks, use_causal_mask and not by_kernel)
        gate = self.gate_dense(query) if self.use_gate else None
        if query is key is value:
            query, key, value = outputs_together((self.query_dense, self.key_dense, self.value_dense), query)
        else:
            query, key, value = self.query_dense(query), self.key_dense(key), self.value_dense(value)
        scores = None
        if fused:
            outputs = self._fused_attention(query, key, value, mask, by_kernel)
        else:
            outputs, scores = self._compute_attention(query, key, value, mask, training, return_attention_scores)
        outputs = self.output_dense(outputs if gate is None else outputs * gate)
        return (outputs, scores) if return_attention_scores else outputs

    def _mask(
        self, query: Any, value: Any, query_mask: Any, value_mask: Any, key_mask: Any, attention_mask: Any, causal: bool
    ) -> Any:
        """All masks combined: True where a query may attend to a key; None if there are none."""
        parts = [] if attention_mask is None else [ops.cast(attention_mask, "bool")]
        if query_mask is not None:
            parts.append(ops.expand_dims(ops.cast(query_mask, "bool"), -1))
        parts += [ops.expand_dims(ops.cast(mask, "bool"), -2) for mask in (value_mask, key_mask) if mask is not None]
        if causal:
            parts.append(_distances(query, value) >= 0)
        if self.sliding_window is not None:
            parts.append(ops.abs(_distances(query, value)) < self.sliding_window)
        return functools.reduce(ops.logical_and, parts) if parts else None

    def _for_heads(self, mask: Any, rank: int) -> Any:
        """The mask with the rank of the scores: axes of size 1 are added before the attended ones."""
        missing = rank - len(ops.shape(mask))
        return ops.expand_dims(mask, tuple(range(-2 * self._attended - missing, -2 * self._attended)))

    def _fused_attention(self, query: Any, key: Any, value: Any, mask: Any, is_causal: bool) -> Any:
        """Attention by the backend's fastest kernel, for arrays with four axes."""
        mask = None if mask is None else self._for_heads(mask, 4)
        outputs = ops.dot_product_attention(query, key, value, mask=mask, is_causal=is_causal)
        if mask is None or self.dropout == 0:
            return outputs
        # As in Keras, a query that may attend to no key gets the mean of all values, from layers with dropout 0.
        sees = ops.swapaxes(ops.any(mask, axis=-1, keepdims=True), 1, 2)
        return ops.where(sees, outputs, 0.0)

    def _may_fuse(self, return_attention_scores: bool, training: bool | None) -> bool:
        is_plain = calls_as_its_class(self._softmax) and calls_as_its_class(self._dropout_layer)
        return is_plain and not return_attention_scores and not (training and self.dropout > 0)

    def _compute_attention(
        self,
        query: Any,
        key: Any,
        value: Any,
        attention_mask: Any = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
    ) -> tuple:
        """Outputs, and scores or None, of projected arrays; subclasses may call or override it."""
        if len(ops.shape(query)) == 4 and self._may_fuse(return_attention_scores, training):
            return self._fused_attention(query, key, value, attention_mask, False), None
        return self._attention(query, key, value, attention_mask, training)

    def _attention(self, query: Any, key: Any, value: Any, mask: Any, training: bool | None) -> tuple:
        """Outputs and scores, computed without a fused kernel."""
        heads, own = ops.shape(query)[-2], ops.shape(key)[-2]
        if heads != own:
            key, value = (ops.repeat(x, heads // own, axis=-2) for x in (key, value))
        query = query * (1 / math.sqrt(query.shape[-1]))
        scores = ops.einsum(self._scores_equation, query, key)
        mask = None if mask is None else self._for_heads(mask, len(ops.shape(scores)))
        scores = self._softmax(scores, mask=mask)
        dropped = self._dropout_layer(scores, training=training)
        return ops.einsum(self._combine_equation, dropped, value), scores

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "use_gate": self.use_gate,
            "sliding_window": self.sliding_window,
            "flash_attention": self.flash_attention or None,
            "seed": self.seed,
            "activity_regularizer": regularizers.serialize(self._activity_regularizer),
            **options_config(self, "kernel", "bias"),
        }


def _copy(initializer: Any) -> Any:
    """A copy of an initializer, which draws different numbers unless it has a seed."""
    if not hasattr(initializer, "get_config"):
        return initializer
    return registry.copy_of(initializer)


class MultiHeadAttention(HeadedAttention):
    """Multi-head scaled dot-product attention.

    Queries, keys and values are projected for each head; the output of a head is the average of the values,
    weighted by the softmax of the scaled dot products of query and keys; the outputs of all heads are projected
    to the output size.

    Args:
        num_heads: int, number of heads.
        key_dim: int, size of the projected queries and keys of a head.
        value_dim: int, size of the projected values of a head; default None, for ``key_dim``.
        dropout: float, fraction of the attention weights to drop in training; default 0.0.
        use_bias: bool, whether the projections have biases; default True.
        output_shape: int or tuple, size(s) of an output; default None, for the size of a query.
        attention_axes: int or tuple, axes to attend over; default None, for all but the batch and the last axis.
        sliding_window: int; if given, queries only attend to keys at a distance below it; default None.
        flash_attention: bool, whether to require the fastest kernel, which excludes dropout and returning scores;
            the backend uses it anyway wherever possible; default None.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer,
            kernel_constraint, bias_constraint: see ``Dense``; they apply to all projections; defaults
            "glorot_uniform" and "zeros".
        use_gate: bool, whether to multiply the outputs of the heads by the sigmoid of a further projection of
            the query (Qiu et al., 2025, https://arxiv.org/abs/2505.06708); default False.
        seed: int, for dropout that can be reproduced; default None, for a new seed in every run.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Call arguments:
        query: (batch, queries, size), or with more axes, see ``attention_axes``.
        value: (batch, keys, size).
        key: (batch, keys, size); default None, for the value.
        query_mask, value_mask, key_mask: bool arrays, (batch, length), False for entries to ignore; default
            None, for the masks attached to the inputs.
        attention_mask: bool array, (batch, queries, keys) or (batch, heads, queries, keys), True where a query
            may attend to a key.
        return_attention_scores: bool, whether to return (outputs, scores), with scores of shape (batch,
            heads, queries, keys).
        use_causal_mask: bool, whether queries cannot attend to later keys.

    Source: Vaswani et al., "Attention is all you need" (NeurIPS 2017).

    Shapes: queries (batch, Tq, dim), values (batch, Tv, dim) and keys (batch, Tv, dim) to (batch, Tq, dim);
    scores (batch, heads, Tq, Tv).

    >>> import numpy as np, polykeras as keras
    >>> layer = keras.layers.MultiHeadAttention(num_heads=2, key_dim=3)
    >>> outputs, scores = layer(np.ones((1, 4, 8)), np.ones((1, 5, 8)), return_attention_scores=True)
    >>> outputs.shape, scores.shape
    ((1, 4, 8), (1, 2, 4, 5))
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: Any = None,
        attention_axes: Any = None,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        options = (kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer)
        more = (kernel_constraint, bias_constraint, use_gate, seed)
        super().__init__(dropout, use_bias, sliding_window, flash_attention, *options, *more, **kwargs)
        self.activity_regularizer = None
        self.num_heads = positive_int(self, "num_heads", num_heads)
        self.key_dim = positive_int(self, "key_dim", key_dim)
        self.value_dim = positive_int(self, "value_dim", key_dim if value_dim is None else value_dim)
        self._sizes = None if output_shape is None else self._check_sizes(output_shape)
        self.attention_axes = (attention_axes,) if isinstance(attention_axes, int) else attention_axes

    _num_heads = _other_name("num_heads")
    _key_dim = _other_name("key_dim")
    _value_dim = _other_name("value_dim")
    _attention_axes = _other_name("attention_axes")
    _output_shape = _other_name("_sizes")

    @property
    def _inverse_sqrt_key_dim(self) -> float:
        return 1 / math.sqrt(self.key_dim)

    def _check_sizes(self, output_shape: Any) -> tuple:
        sizes = tuple(output_shape) if isinstance(output_shape, list | tuple) else (output_shape,)
        if not sizes or any(isinstance(n, bool) or not isinstance(n, int | np.integer) for n in sizes):
            raise ValueError(
                f"Layer {self.name!r} (MultiHeadAttention): Expected output_shape to be an int, several ints, or None. "
                f"Received: {output_shape!r}."
            )
        return tuple(int(n) for n in sizes)

    def build(  # type: ignore[override] # a shape for each input
        self, query_shape: tuple, value_shape: tuple, key_shape: tuple | None = None
    ) -> None:
        """Create the projections of queries, keys, values and outputs.

        Args:
            query_shape, value_shape: tuples, (batch, length, dim).
            key_shape: tuple, (batch, length, dim); default None, for ``value_shape``.
        """
        shapes = query_shape, value_shape, key_shape or value_shape
        sizes = self._sizes or (query_shape[-1],)
        self._build_heads(shapes, self.num_heads, self.num_heads, self.key_dim, self.value_dim, sizes)

    def _build_equations(self, rank: int, axes: tuple | None = None) -> None:
        if self.attention_axes is not None:
            axes = tuple(axis % (rank - 1) for axis in self.attention_axes)
        super()._build_equations(rank, axes)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "value_dim": self.value_dim,
            "output_shape": self._sizes,
            "attention_axes": self.attention_axes,
        }


class GroupedQueryAttention(HeadedAttention):
    """Multi-head attention in which groups of query heads share one key and value head.

    Args:
        head_dim: int, size of the projected queries, keys and values of a head.
        num_query_heads: int, number of query heads.
        num_key_value_heads: int, number of key and value heads, a divisor of ``num_query_heads``.
        dropout, use_bias, sliding_window, flash_attention, use_gate, seed: as for ``MultiHeadAttention``,
            as are the call arguments.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer,
            kernel_constraint, bias_constraint: see ``Dense``.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Source: Ainslie et al., "GQA: Training generalized multi-query transformer models from
    multi-head checkpoints" (EMNLP 2023).

    Shapes: queries (batch, Tq, dim), values (batch, Tv, dim) and keys (batch, Tv, dim) to (batch, Tq, dim);
    scores (batch, heads, Tq, Tv).

    Raises:
        ValueError: if ``num_key_value_heads`` does not divide ``num_query_heads``.

    >>> import numpy as np, polykeras as keras
    >>> layer = keras.layers.GroupQueryAttention(head_dim=3, num_query_heads=4, num_key_value_heads=2)
    >>> layer(np.ones((1, 4, 8)), np.ones((1, 5, 8))).shape
    (1, 4, 8)
    """

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        options = (kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer)
        more = (kernel_constraint, bias_constraint, use_gate, seed)
        super().__init__(dropout, use_bias, sliding_window, flash_attention, *options, *more, **kwargs)
        self.head_dim = positive_int(self, "head_dim", head_dim)
        self.num_query_heads = positive_int(self, "num_query_heads", num_query_heads)
        self.num_key_value_heads = positive_int(self, "num_key_value_heads", num_key_value_heads)
        if num_query_heads % num_key_value_heads:
            raise ValueError(
                f"Layer {self.name!r}: Expected num_key_value_heads to divide num_query_heads={num_query_heads}. "
                f"Received: {num_key_value_heads}."
            )

    def build(  # type: ignore[override] # a shape for each input
        self, query_shape: tuple, value_shape: tuple, key_shape: tuple | None = None
    ) -> None:
        """Create the projections of queries, keys, values and outputs.

        Args:
            query_shape, value_shape: tuples, (batch, length, dim).
            key_shape: tuple, (batch, length, dim); default None, for ``value_shape``.
        """
        shapes = query_shape, value_shape, key_shape or value_shape
        heads = self.num_query_heads, self.num_key_value_heads
        self._build_heads(shapes, *heads, self.head_dim, self.head_dim, (query_shape[-1],))

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "head_dim": self.head_dim,
            "num_query_heads": self.num_query_heads,
            "num_key_value_heads": self.num_key_value_heads,
        }


GroupQueryAttention = GroupedQueryAttention
