"""Models of random layers on masked sequences: the predictions, losses and steps of real Keras."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import polykeras
from polykeras import backends

SETTINGS = settings(
    derandomize=True,
    deadline=None,
    max_examples=6,
    database=None,
    suppress_health_check=list(HealthCheck),
)
IDS = np.array([[1, 2, 0, 0, 0], [3, 0, 4, 0, 1], [1, 1, 2, 3, 4], [2, 0, 0, 0, 0]], "int32")
UNITS = 4


def wrapped(name, *args, **options):
    """A layer of one input, as a function of ``keras`` and a tensor."""
    return lambda keras, x: getattr(keras.layers, name)(*args, **options)(x)


def inner(*blocks):
    """Layers in a model of their own."""

    def call(keras, x):
        inputs = outputs = keras.Input(x.shape[1:])
        for block in blocks:
            outputs = block(keras, outputs)
        return keras.Model(inputs, outputs)(x)

    return call


def wrapper(name, cell, **options):
    return lambda keras, x: getattr(keras.layers, name)(getattr(keras.layers, cell)(UNITS, **options))(x)


def recurrent(name, **options):
    return wrapped(name, UNITS, return_sequences=True, **options)


def attention(name, *args, **call):
    if name in ("Attention", "AdditiveAttention"):
        return lambda keras, x: getattr(keras.layers, name)()([x, x], **call)
    return lambda keras, x: getattr(keras.layers, name)(*args)(x, x, **call)


SEQUENCES = {
    "lstm": recurrent("LSTM"),
    "gru": recurrent("GRU", reset_after=False),
    "simple": recurrent("SimpleRNN", go_backwards=True),
    "zeros": recurrent("GRU", zero_output_for_mask=True),
    "bidirectional": wrapper("Bidirectional", "GRU", return_sequences=True),
    "distributed": wrapper("TimeDistributed", "Dense", activation="tanh"),
    "dense": wrapped("Dense", UNITS, activation="relu"),
    "dropout": wrapped("Dropout", 0.0),
    "spatial": wrapped("SpatialDropout1D", 0.0),
    "activation": wrapped("Activation", "tanh"),
    "normalized": wrapped("LayerNormalization"),
    "batches": wrapped("BatchNormalization"),
    "masking": wrapped("Masking", 0.0),
    "convolution": wrapped("Conv1D", UNITS, 2, padding="causal"),
    "heads": attention("MultiHeadAttention", 2, 3),
    "causal heads": attention("MultiHeadAttention", 1, 3, use_causal_mask=True),
    "groups": attention("GroupQueryAttention", 2, 2, 1),
    "dot": attention("Attention"),
    "additive": attention("AdditiveAttention", use_causal_mask=True),
    "scaled": lambda keras, x: x * 0.5 + 1.0,
    "reversed": lambda keras, x: x[:, ::1],
    "lambda": lambda keras, x: keras.layers.Lambda(lambda y: y * 2.0, output_shape=x.shape[1:])(x),
    "nested": inner(wrapped("Dense", UNITS), recurrent("LSTM")),
    "twice nested": inner(inner(recurrent("GRU")), wrapped("Activation", "sigmoid")),
}
#: Where a query may attend to no key, gradients of Keras on PyTorch are not those of Keras on JAX and TensorFlow.
HEADS = {"heads", "causal heads", "groups"}
PAIRS = ["Add", "Multiply", "Average", "Maximum", "Minimum", "Subtract", "Concatenate"]
ENDS = {
    "last": wrapped("LSTM", UNITS),
    "both": wrapper("Bidirectional", "LSTM"),
    "mean": wrapped("GlobalAveragePooling1D"),
    "max": wrapped("GlobalMaxPooling1D"),
    "flat": wrapped("Flatten"),
}


@st.composite
def plans(draw):
    """Steps that append a sequence to those before: from one, by a layer, or from two."""
    steps = []
    for n in range(draw(st.integers(1, 5))):
        before = st.integers(0, n + 1)
        one = st.tuples(st.sampled_from(sorted(SEQUENCES)), before)
        steps.append(draw(st.one_of(one, one, st.tuples(st.sampled_from(PAIRS), before, before))))
    return steps, draw(st.sampled_from(sorted(ENDS)))


def build(keras, plan):
    """The model of a plan; sequences have the same shape, so that any two can be merged."""
    steps, end = plan
    ids = keras.Input((IDS.shape[1],), dtype="int32")
    found = [
        keras.layers.Embedding(5, UNITS, mask_zero=True)(ids),
        keras.layers.Embedding(5, UNITS)(ids),
    ]
    for name, *places in steps:
        if name in SEQUENCES:
            x = SEQUENCES[name](keras, found[places[0]])
        else:
            x = getattr(keras.layers, name)()([found[place] for place in places])
        found.append(x if x.shape[-1] == UNITS else keras.layers.Dense(UNITS)(x))
    model = keras.Model(ids, keras.layers.Dense(1)(ENDS[end](keras, found[-1])))
    model.compile(keras.optimizers.SGD(0.05), "mse", metrics=["mae"])
    return model


@pytest.mark.parametrize("name", backends.available())
@SETTINGS
@given(plan=plans())
def test_random_models_predict_and_train_as_in_keras(name, real_keras, plan):
    original = build(real_keras, plan)
    random = np.random.default_rng(0)
    weights = [random.uniform(-0.6, 0.6, w.shape).astype("float32") for w in original.get_weights()]
    weights = [np.abs(w) if "variance" in v.path else w for w, v in zip(weights, original.weights, strict=True)]
    original.set_weights(weights)
    y = np.ones((4, 1), "float32")
    with backends.use(name):
        model = build(polykeras, plan)
        model.set_weights(weights)
        results = [(m.predict(IDS, verbose=0), m.train_on_batch(IDS, y), m.get_weights()) for m in (model, original)]
    (found, found_loss, found_weights), (expected, loss, after) = results
    if HEADS.intersection(step[0] for step in plan[0]):
        found_weights = after = []
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(found_loss, loss, rtol=1e-3, atol=1e-5)
    for its, own in zip(found_weights, after, strict=True):
        np.testing.assert_allclose(its, own, rtol=1e-3, atol=1e-4)
