"""Attention: one head and many, masks, and scores, as in real Keras."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import polykeras as keras
from polykeras.core import masks
from tests.layers.checks import check_layer, compare_with_keras, random_weights, to_numpy

rng = np.random.default_rng(0)
QUERY = rng.normal(size=(2, 4, 6)).astype("float32")
VALUE = rng.normal(size=(2, 5, 6)).astype("float32")
KEY = rng.normal(size=(2, 5, 6)).astype("float32")
NARROW = rng.normal(size=(2, 5, 3)).astype("float32")
GRID = rng.normal(size=(2, 3, 4, 6)).astype("float32")
QUERY_MASK = np.array([[1, 1, 1, 0], [1, 1, 0, 0]], bool)
VALUE_MASK = np.array([[1, 1, 1, 0, 0], [0, 1, 1, 1, 1]], bool)
KEY_MASK = np.array([[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]], bool)
PAIRS = rng.random((2, 4, 5)) < 0.5
PAIRS[:, :, 1] = True
HEAD_PAIRS = rng.random((2, 2, 4, 5)) < 0.5
HEAD_PAIRS[..., 1] = True
SCORES = {"return_attention_scores": True}
CAUSAL = {"use_causal_mask": True}

ONE_HEAD = [
    ("Attention", {}, [QUERY, VALUE], {}),
    ("Attention", {"use_scale": True}, [QUERY, VALUE, KEY], SCORES),
    ("Attention", {"score_mode": "concat"}, [QUERY, VALUE], {}),
    ("Attention", {"score_mode": "concat", "use_scale": True}, [QUERY, VALUE, KEY], SCORES),
    ("Attention", {}, [QUERY, VALUE], {"mask": [QUERY_MASK, VALUE_MASK]}),
    ("Attention", {}, [QUERY, VALUE], {"mask": [None, VALUE_MASK], **CAUSAL}),
    ("Attention", {}, [QUERY, VALUE], {"mask": [QUERY_MASK, None], **SCORES}),
    ("Attention", {}, [QUERY, VALUE], {**CAUSAL, **SCORES}),
    ("AdditiveAttention", {}, [QUERY, VALUE], {}),
    ("AdditiveAttention", {"use_scale": False}, [QUERY, VALUE, KEY], SCORES),
    ("AdditiveAttention", {}, [QUERY, VALUE], {"mask": [QUERY_MASK, VALUE_MASK], **CAUSAL}),
]
HEADS = {"num_heads": 2, "key_dim": 3}
GROUPS = {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}
MANY_HEADS = [
    ("MultiHeadAttention", HEADS, (QUERY, VALUE), {}),
    ("MultiHeadAttention", {**HEADS, "value_dim": 4, "use_bias": False}, (QUERY, NARROW, KEY), {}),
    ("MultiHeadAttention", {**HEADS, "output_shape": 5}, (QUERY, VALUE), SCORES),
    ("MultiHeadAttention", {**HEADS, "output_shape": (2, 3)}, (QUERY, VALUE), {}),
    ("MultiHeadAttention", {**HEADS, "use_gate": True}, (QUERY, VALUE), {}),
    ("MultiHeadAttention", {**HEADS, "dropout": 0.5}, (QUERY, VALUE), {}),
    ("MultiHeadAttention", HEADS, (QUERY, QUERY), CAUSAL),
    ("MultiHeadAttention", HEADS, (QUERY, VALUE), {**CAUSAL, **SCORES}),
    ("MultiHeadAttention", {**HEADS, "sliding_window": 2}, (QUERY, QUERY), {}),
    ("MultiHeadAttention", {**HEADS, "sliding_window": 3}, (QUERY, VALUE), {**CAUSAL, **SCORES}),
    ("MultiHeadAttention", HEADS, (QUERY, VALUE), {"attention_mask": PAIRS}),
    ("MultiHeadAttention", HEADS, (QUERY, VALUE), {"attention_mask": PAIRS[:1], **SCORES}),
    ("MultiHeadAttention", HEADS, (QUERY, VALUE), {"attention_mask": HEAD_PAIRS}),
    ("MultiHeadAttention", HEADS, (QUERY, VALUE), {"attention_mask": HEAD_PAIRS, **SCORES}),
    ("MultiHeadAttention", HEADS, (QUERY, VALUE), {"value_mask": VALUE_MASK}),
    ("MultiHeadAttention", HEADS, (QUERY, VALUE, KEY), {"value_mask": VALUE_MASK, "key_mask": KEY_MASK, **SCORES}),
    ("MultiHeadAttention", HEADS, (GRID, GRID), {}),
    ("MultiHeadAttention", {**HEADS, "attention_axes": 2}, (GRID, GRID), SCORES),
    ("MultiHeadAttention", {**HEADS, "attention_axes": (1,)}, (GRID, GRID), {}),
    ("MultiHeadAttention", {**HEADS, "attention_axes": (-2,)}, (GRID, GRID), {}),
    ("GroupQueryAttention", GROUPS, (QUERY, VALUE), {}),
    ("GroupQueryAttention", {**GROUPS, "use_bias": False}, (QUERY, NARROW, KEY), SCORES),
    ("GroupQueryAttention", {**GROUPS, "use_gate": True}, (QUERY, QUERY), CAUSAL),
    ("GroupQueryAttention", {**GROUPS, "sliding_window": 2}, (QUERY, QUERY), {**CAUSAL, **SCORES}),
    ("GroupQueryAttention", GROUPS, (QUERY, VALUE), {"attention_mask": PAIRS, "value_mask": KEY_MASK}),
]
CASES = [(name, arguments, (x,), call) for name, arguments, x, call in ONE_HEAD] + MANY_HEADS
IDS = [f"{name}-{n}" for n, (name, *_) in enumerate(CASES)]


@pytest.mark.parametrize(("name", "arguments", "inputs", "call"), CASES, ids=IDS)
def test_layers_compute_what_real_keras_computes(backend, real_keras, name, arguments, inputs, call):
    compare_with_keras(real_keras, name, arguments, inputs, call)


@pytest.mark.parametrize(
    ("name", "arguments", "inputs", "call"),
    [CASES[1], CASES[3], CASES[8], MANY_HEADS[4], MANY_HEADS[1], MANY_HEADS[20]],
)
def test_layers_do_what_every_layer_must(backend, name, arguments, inputs, call):
    check_layer(functools.partial(getattr(keras.layers, name), **arguments), *inputs, **call)


@pytest.mark.parametrize("options", [{}, {"dropout": 0.3}], ids=["plain", "dropout"])
@pytest.mark.parametrize("call", [{}, SCORES], ids=["outputs", "scores"])
def test_a_query_that_may_look_nowhere_finds_what_it_does_in_keras(backend, real_keras, options, call):
    """The mean of all values, or nothing where the layer has dropout or returns scores."""
    pairs = QUERY_MASK[:, :, None] & VALUE_MASK[:, None]
    found, weights = [], None
    for layers in (keras.layers, real_keras.layers):
        layer = layers.MultiHeadAttention(2, 3, **options)
        layer(QUERY, VALUE)
        weights = random_weights(layer.weights) if weights is None else weights
        layer.set_weights(weights)
        outputs = layer(QUERY, VALUE, attention_mask=pairs, **call)
        outputs = outputs[0] if call else outputs
        found.append(to_numpy(outputs) if layers is keras.layers else real_keras.ops.convert_to_numpy(outputs))
        if layers is keras.layers:
            again = layer(QUERY, VALUE, query_mask=QUERY_MASK, value_mask=VALUE_MASK, **call)
            np.testing.assert_allclose(to_numpy(again[0] if call else again), found[0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-5)


def test_masks_arrive_beside_the_inputs_and_go_on_with_the_query(backend):
    pad = keras.layers.Masking()
    query = pad(np.where(QUERY_MASK[..., None], QUERY, 0))
    value = pad(np.where(VALUE_MASK[..., None], VALUE, 0))
    for layer, args in (
        (keras.layers.MultiHeadAttention(2, 3), (query, value)),
        (keras.layers.Attention(), ([query, value],)),
    ):
        outputs = layer(*args)
        np.testing.assert_array_equal(to_numpy(masks.get_mask(outputs)), QUERY_MASK)
        changed = pad(np.where(VALUE_MASK[..., None], VALUE, 0))
        bare = [to_numpy(query), to_numpy(changed)]
        if len(args) == 2:
            again = layer(*bare, query_mask=QUERY_MASK, value_mask=VALUE_MASK)
        else:
            again = layer(bare, mask=[QUERY_MASK, VALUE_MASK])
        np.testing.assert_allclose(to_numpy(outputs), to_numpy(again), rtol=1e-5, atol=1e-6)


def test_the_projections_of_a_layer_start_differently():
    layer = keras.layers.MultiHeadAttention(2, 3)
    layer.build((None, 4, 6), (None, 4, 6))
    query, key, value = (dense.kernel.numpy() for dense in (layer.query_dense, layer.key_dense, layer.value_dense))
    assert (query != key).any() and (key != value).any()
    assert layer.weights[0].path.endswith("query/kernel")


@pytest.mark.parametrize("name", ["MultiHeadAttention", "GroupQueryAttention", "Attention"])
def test_dropout_drops_scores_in_training(backend, name):
    options = {"MultiHeadAttention": HEADS, "GroupQueryAttention": GROUPS, "Attention": {}}[name]
    layer = getattr(keras.layers, name)(dropout=0.5, seed=2, **options)
    inputs = ([QUERY, VALUE],) if name == "Attention" else (QUERY, VALUE)
    still, trained = (to_numpy(layer(*inputs, training=training)) for training in (False, True))
    assert not np.allclose(still, trained)


def test_lengths_may_be_unknown():
    for arguments in ({}, {"sliding_window": 2}):
        query, value = keras.Input((None, 6)), keras.Input((None, 6))
        layer = keras.layers.MultiHeadAttention(2, 3, **arguments)
        outputs, scores = layer(query, value, return_attention_scores=True, use_causal_mask=True)
        assert outputs.shape == (None, None, 6) and scores.shape == (None, 2, None, None)
    assert keras.layers.Attention()([query, value], use_causal_mask=True).shape == (None, None, 6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: keras.layers.MultiHeadAttention(0, 3), "num_heads"),
        (lambda: keras.layers.MultiHeadAttention(2, 3, dropout=0.1, flash_attention=True), "flash_attention"),
        (
            lambda: keras.layers.MultiHeadAttention(2, 3, flash_attention=True)(QUERY, VALUE, **SCORES),
            "flash_attention",
        ),
        (lambda: keras.layers.MultiHeadAttention(2, 3, sliding_window=0), "sliding_window"),
        (lambda: keras.layers.MultiHeadAttention(2, 3)(QUERY, VALUE, KEY[:, :3]), "value and key"),
        (lambda: keras.layers.GroupQueryAttention(3, 4, 3), "num_key_value_heads"),
        (lambda: keras.layers.Attention(score_mode="sum"), "score_mode"),
        (lambda: keras.layers.Attention()([QUERY]), "inputs"),
        (lambda: keras.layers.Attention()([QUERY, VALUE], mask=QUERY_MASK), "mask"),
    ],
)
def test_wrong_input_is_an_error_that_names_it(make, message):
    with pytest.raises(ValueError, match=f"Expected .*{message}.*Received"):
        make()


@pytest.mark.parametrize("single", ["query", "value"])
@pytest.mark.parametrize("layer", ["MultiHeadAttention", "GroupedQueryAttention", "Attention", "AdditiveAttention"])
def test_a_single_example_attends_or_is_attended_to_as_often_as_needed(backend, layer, single):
    arguments = {"MultiHeadAttention": (2, 3), "GroupedQueryAttention": (3, 2, 1)}.get(layer, ())
    layer = getattr(keras.layers, layer)(*arguments)
    query, value = (QUERY[:1], VALUE) if single == "query" else (QUERY, VALUE[:1])
    both = [np.repeat(x, 2 // len(x), axis=0) for x in (query, value)]

    def attended(query, value, mask=None):
        if arguments:
            return to_numpy(layer(query, value, value_mask=mask))
        return to_numpy(layer([query, value], mask=[None, mask]))

    np.testing.assert_allclose(attended(query, value), attended(*both), rtol=1e-5, atol=1e-6)
    mask = VALUE_MASK[: len(value)]
    expected = attended(*both, VALUE_MASK[[0, 0]] if len(value) == 1 else VALUE_MASK)
    np.testing.assert_allclose(attended(query, value, mask), expected, rtol=1e-5, atol=1e-6)


class Perceiver(keras.Model):
    """Learned queries look at every example."""

    def build(self, input_shape):
        self.latent = self.add_weight((1, 3, 6), "glorot_uniform")
        self.look, self.out = keras.layers.MultiHeadAttention(2, 3), keras.layers.Dense(1)

    def call(self, x):
        return self.out(keras.ops.mean(self.look(self.latent, x), axis=1))


def test_learned_queries_are_trained_on_batches(backend):
    model = Perceiver()
    model.compile("sgd", "mse")
    model.fit(VALUE, np.ones((2, 1)), epochs=3, verbose=0)
    before = model.latent.numpy()
    assert model.predict(np.repeat(VALUE, 3, axis=0), verbose=0).shape == (6, 1)
    model.fit(VALUE, np.ones((2, 1)), verbose=0)
    assert np.abs(model.latent.numpy() - before).max() > 0
