"""Files of Keras 3 load here, and ours load there, with the same outputs."""

from __future__ import annotations

import numpy as np
import pytest

import polykeras
from polykeras import backends
from polykeras.core import trees
from tests.layers.layer_table import CASES
from tests.saving.examples import graph_model, text_model

IMAGES = np.random.default_rng(0).normal(size=(6, 8, 8, 3)).astype("float32")
TOKENS = np.random.default_rng(0).integers(0, 10, (4, 5)).astype("int32")
TARGETS = np.random.default_rng(1).normal(size=(6, 2)).astype("float32")
MODELS = {"graph": (graph_model, IMAGES), "text": (text_model, TOKENS)}

SEQUENCE, IMAGE = (6, 4), (8, 8, 3)
LAYERS = {
    "dense": (IMAGE, lambda k: k.Dense(3, use_bias=False)),
    "conv1d": (SEQUENCE, lambda k: k.Conv1D(3, 2, padding="causal")),
    "conv_transpose": (IMAGE, lambda k: k.Conv2DTranspose(3, 2, strides=2)),
    "depthwise": (IMAGE, lambda k: k.DepthwiseConv2D(3)),
    "separable": (IMAGE, lambda k: k.SeparableConv2D(3, 2)),
    "layer norm": (SEQUENCE, lambda k: k.LayerNormalization()),
    "group norm": (IMAGE, lambda k: k.GroupNormalization(3)),
    "batch norm": (IMAGE, lambda k: k.BatchNormalization(scale=False)),
    "lstm": (SEQUENCE, lambda k: k.LSTM(3, return_sequences=True)),
    "gru": (SEQUENCE, lambda k: k.GRU(3)),
    "simple rnn": (SEQUENCE, lambda k: k.SimpleRNN(3)),
    "bidirectional": (SEQUENCE, lambda k: k.Bidirectional(k.LSTM(3))),
    "time distributed": (SEQUENCE, lambda k: k.TimeDistributed(k.Dense(3))),
    "rnn of cells": (SEQUENCE, lambda k: k.RNN([k.LSTMCell(3), k.GRUCell(2)])),
    "prelu": (SEQUENCE, lambda k: k.PReLU()),
    "pooling": (IMAGE, lambda k: k.MaxPooling2D((2, 3), padding="same")),
    "reshape": (SEQUENCE, lambda k: k.Reshape((2, -1))),
    "permute": (SEQUENCE, lambda k: k.Permute((2, 1))),
    "padding": (IMAGE, lambda k: k.ZeroPadding2D(((1, 0), (2, 1)))),
    "upsampling": (IMAGE, lambda k: k.UpSampling2D((2, 1))),
    "activation": (SEQUENCE, lambda k: k.Activation("gelu")),
}


def randomize(model):
    generator = np.random.default_rng(3)
    model.set_weights([generator.uniform(0.1, 1, w.shape).astype("float32") for w in model.get_weights()])


def same(first, second, x):
    a, b = (np.asarray(m.predict(x, verbose=0)) for m in (first, second))
    np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", MODELS)
def test_models_of_keras_load_here(backend, real_keras, tmp_path, name):
    make, x = MODELS[name]
    theirs = make(real_keras)
    randomize(theirs)
    theirs.save(tmp_path / "model.keras")
    same(polykeras.models.load_model(tmp_path / "model.keras"), theirs, x)


@pytest.mark.parametrize("name", MODELS)
def test_our_models_load_in_keras(backend, real_keras, tmp_path, name):
    make, x = MODELS[name]
    ours = make(polykeras)
    randomize(ours)
    ours.save(tmp_path / "model.keras")
    same(real_keras.models.load_model(tmp_path / "model.keras"), ours, x)


@pytest.mark.parametrize("name", LAYERS)
def test_layers_go_both_ways(real_keras, tmp_path, name):
    shape, make = LAYERS[name]
    x = np.random.default_rng(2).normal(size=(2, *shape)).astype("float32")
    theirs = real_keras.Sequential([real_keras.Input(shape), make(real_keras.layers)])
    randomize(theirs)
    theirs.save(tmp_path / "theirs.keras")
    ours = polykeras.models.load_model(tmp_path / "theirs.keras")
    same(ours, theirs, x)
    ours.save(tmp_path / "ours.keras")
    same(real_keras.models.load_model(tmp_path / "ours.keras"), theirs, x)


def values(outputs):
    return [np.asarray(x.detach() if hasattr(x, "detach") else x) for x in trees.leaves(outputs)]


def assert_same(outputs, expected):
    for a, b in zip(values(outputs), values(expected), strict=True):
        if a.dtype.kind in "biuf":
            np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-4)
        else:
            np.testing.assert_array_equal(a.astype(str), b.astype(str))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_layer_goes_both_ways(real_keras, tmp_path, case):
    """In a functional model, with weights; layers of texts are called by themselves, as models take numbers."""
    if not hasattr(real_keras.layers, case.name):
        pytest.skip("Keras 3 has no such layer")
    if case.name in ("Equalization", "RandomCrop", "ContrastLimitedAdaptiveHistogramEqualization"):
        pytest.skip("inside of a model Keras can't call it, doesn't crop, or rounds to 256 values")
    args = case.inputs()
    data = trees.leaves(args)
    is_text = any(np.asarray(x).dtype == object for x in data)
    symbols = trees.map(_input, args)
    ours = polykeras.Model(trees.leaves(symbols), case.make()(*symbols))
    randomize_floats(ours)

    def run(model):
        if is_text:
            return model.layers[-1](*args)
        return model(data if len(data) > 1 else data[0], training=False)

    expected = run(ours)
    ours.save(tmp_path / "ours.keras")
    theirs = real_keras.models.load_model(tmp_path / "ours.keras")
    assert_same(run(theirs), expected)
    theirs.save(tmp_path / "theirs.keras")
    for name in ("numpy", "torch"):
        if backends.is_installed(name):
            with backends.use(name):
                assert_same(run(polykeras.models.load_model(tmp_path / "theirs.keras")), expected)


def _input(x):
    x = np.asarray(x)
    return polykeras.Input(batch_shape=(None, *x.shape[1:]), dtype="string" if x.dtype == object else str(x.dtype))


def randomize_floats(model):
    generator = np.random.default_rng(3)
    new = [
        generator.uniform(0.1, 1, w.shape).astype(w.dtype) if w.dtype.kind == "f" else w for w in model.get_weights()
    ]
    model.set_weights(new)


def test_dropout_of_a_functional_model_of_keras_works_in_training(real_keras, tmp_path):
    """Keras writes the mode of training into every call."""
    inputs = real_keras.Input((100,))
    real_keras.Model(inputs, real_keras.layers.Dropout(0.5)(inputs)).save(tmp_path / "model.keras")
    model = polykeras.models.load_model(tmp_path / "model.keras")
    x = np.ones((1, 100), "f")
    assert 0 < np.count_nonzero(model(x, training=True)) < 100 and np.all(model(x, training=False) == 1)


#: Ops with settings, with arrays, with keys, and with several results.
OPS = {
    "sum": lambda o, x: o.sum(x, axis=1),
    "max": lambda o, x: o.max(x, axis=1, keepdims=True),
    "mean": lambda o, x: o.mean(x, axis=(1, 2)),
    "where": lambda o, x: o.where(x > 0, x, 0.5),
    "key": lambda o, x: x[:, 1:3, 0],
    "ellipsis": lambda o, x: x[..., :2],
    "scalar first": lambda o, x: 2.0 - x,
    "concatenate": lambda o, x: o.concatenate([x, x], axis=-1),
    "einsum": lambda o, x: o.einsum("bij,bkj->bik", x, x),
    "reshape": lambda o, x: o.reshape(x, (-1, 12)),
    "transpose": lambda o, x: o.transpose(x, (0, 2, 1)),
    "take": lambda o, x: o.take(x, np.array([0, 1]), axis=1),
    "cast": lambda o, x: o.cast(x, "int32"),
    "split": lambda o, x: o.split(x, 3, axis=-1)[1],
    "one_hot": lambda o, x: o.one_hot(o.cast(o.abs(x[:, 0]), "int32"), 4),
    "pad": lambda o, x: o.pad(x, ((0, 0), (1, 1), (0, 0)), constant_values=2.0),
    "top_k": lambda o, x: o.top_k(x, 2)[0],
    "norm": lambda o, x: o.norm(x, axis=1),
    "conv": lambda o, x: o.conv(x, np.ones((2, 3, 2), "f"), 1, "same"),
    "resize": lambda o, x: o.image.resize(o.expand_dims(x, -1), (2, 2)),
    "segment_sum": lambda o, x: o.segment_sum(x[:, 0, 0], np.array([0, 0]), 2),
    "quantile": lambda o, x: o.quantile(x, 0.5, axis=1),
    "layer_normalization": lambda o, x: o.layer_normalization(x, np.ones(3, "f"), np.zeros(3, "f")),
}


@pytest.mark.parametrize("name", OPS)
def test_ops_go_both_ways(real_keras, tmp_path, name):
    x = np.random.default_rng(0).uniform(-2, 2, (2, 4, 3)).astype("float32")
    symbol = real_keras.Input((4, 3))
    theirs = real_keras.Model(symbol, OPS[name](real_keras.ops, symbol))
    symbol = polykeras.Input((4, 3))
    ours = polykeras.Model(symbol, OPS[name](polykeras.ops, symbol))
    theirs.save(tmp_path / "theirs.keras")
    ours.save(tmp_path / "ours.keras")
    expected = theirs(x)
    assert_same(ours(x), expected)
    assert_same(real_keras.models.load_model(tmp_path / "ours.keras")(x), expected)
    for file in ("ours.keras", "theirs.keras"):
        assert_same(polykeras.models.load_model(tmp_path / file)(x), expected)


@pytest.mark.parametrize("optimizer", ["Adam", "SGD", "RMSprop", "Adagrad", "Nadam", "AdamW"])
def test_the_optimizer_goes_both_ways(real_keras, tmp_path, optimizer):
    def make(keras):
        return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="tanh"), keras.layers.Dense(2)])

    x = np.random.default_rng(2).normal(size=(6, 4)).astype("float32")
    theirs = make(real_keras)
    theirs.compile(getattr(real_keras.optimizers, optimizer)(0.01), "mse", metrics=["mae"])
    theirs.fit(x, TARGETS, epochs=2, verbose=0)
    theirs.save(tmp_path / "theirs.keras")
    ours = polykeras.models.load_model(tmp_path / "theirs.keras")
    ours.save(tmp_path / "ours.keras")
    again = real_keras.models.load_model(tmp_path / "ours.keras")
    losses = [m.fit(x, TARGETS, epochs=3, verbose=0).history["loss"] for m in (theirs, ours, again)]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
    np.testing.assert_allclose(losses[2], losses[0], rtol=1e-5)


def test_weights_go_both_ways(real_keras, tmp_path):
    theirs, ours = graph_model(real_keras), graph_model(polykeras)
    randomize(theirs)
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    ours.load_weights(tmp_path / "theirs.weights.h5")
    same(ours, theirs, IMAGES)
    ours.save_weights(tmp_path / "ours.weights.h5")
    again = graph_model(real_keras)
    again.load_weights(tmp_path / "ours.weights.h5")
    same(again, theirs, IMAGES)


ATTENTION = {
    "multi-head": lambda k: k.MultiHeadAttention(2, 4, value_dim=3),
    "grouped query": lambda k: k.GroupQueryAttention(4, 4, 2),
}


@pytest.mark.parametrize("name", ATTENTION)
def test_attention_is_trained_on_both_ways(real_keras, tmp_path, name):
    query, value = (np.random.default_rng(4).normal(size=(2, 6, n, 8))[0].astype("float32") for n in (4, 5))
    targets = np.random.default_rng(5).normal(size=(6, 4, 1)).astype("float32")

    def make(keras):
        inputs = keras.Input((4, 8)), keras.Input((5, 8))
        model = keras.Model(list(inputs), keras.layers.Dense(1)(ATTENTION[name](keras.layers)(*inputs)))
        model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
        return model

    def step(model):
        return model.fit([query, value], targets, epochs=1, shuffle=False, verbose=0).history["loss"][0]

    for first, second in ((real_keras, polykeras), (polykeras, real_keras)):
        model = make(first)
        step(model)
        model.save(tmp_path / "model.keras")
        loaded = second.models.load_model(tmp_path / "model.keras")
        losses = [[step(each) for _ in range(2)] for each in (model, loaded)]
        np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)


@pytest.mark.parametrize("writes_here", [True, False])
def test_weights_of_a_layer_alone_go_both_ways(real_keras, tmp_path, writes_here):
    writer, reader = (polykeras, real_keras) if writes_here else (real_keras, polykeras)
    path = str(tmp_path / "layer.weights.h5")
    written, read = writer.layers.Dense(2), reader.layers.Dense(2)
    written.build((None, 3))
    read.build((None, 3))
    writer.saving.save_weights(written, path)
    reader.saving.load_weights(read, path)
    np.testing.assert_array_equal(np.asarray(read.get_weights()[0]), np.asarray(written.get_weights()[0]))


def nested_graph(keras):
    """A functional model inside another, called twice."""
    inputs = keras.Input((3,))
    inner = keras.Model(inputs, keras.layers.Dense(3, name="d")(keras.layers.BatchNormalization(name="n")(inputs)))
    inner.layers[1].trainable = False
    inputs = keras.Input((3,))
    return keras.Model(inputs, keras.layers.Multiply()([inner(inputs), inner(inputs * 2.0 + 1.0)]))


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_functional_models_inside_others_go_both_ways(real_keras, tmp_path, suffix):
    """A frozen layer inside and ops, whose classes have the names of layers in ``.h5`` files."""
    theirs, ours = nested_graph(real_keras), nested_graph(polykeras)
    x = np.random.default_rng(2).normal(size=(2, 3)).astype("float32")
    for model, other in ((theirs, polykeras), (ours, real_keras)):
        randomize(model)
        model.save(tmp_path / f"model.{suffix}")
        same(other.models.load_model(tmp_path / f"model.{suffix}"), model, x)


def test_keras_itself_crops_nothing_outside_of_training(real_keras, tmp_path):
    """Its RandomCrop returns images as they are then, whoever saved it: what differs is not the file."""
    x = np.random.default_rng(2).normal(size=(2, 8, 8, 3)).astype("float32")
    theirs = real_keras.Sequential([real_keras.Input((8, 8, 3)), real_keras.layers.RandomCrop(4, 6, seed=1)])
    theirs.save(tmp_path / "theirs.keras")
    polykeras.models.load_model(tmp_path / "theirs.keras").save(tmp_path / "ours.keras")
    expected = polykeras.layers.RandomCrop(4, 6)(x, training=False)
    assert expected.shape == (2, 4, 6, 3)
    for file in ("theirs.keras", "ours.keras"):
        loaded = real_keras.models.load_model(tmp_path / file)
        np.testing.assert_array_equal(values(loaded(x, training=False))[0], x)
        np.testing.assert_array_equal(polykeras.models.load_model(tmp_path / file)(x, training=False), expected)


WORDS = np.array([["a", "b"], ["a", "c"], ["d", "a"]])
LOOKUPS = {
    "strings": (lambda k: k.StringLookup(output_mode="tf_idf"), WORDS),
    "strings and two for others": (lambda k: k.StringLookup(output_mode="tf_idf", num_oov_indices=2), WORDS),
    "strings given": (lambda k: k.StringLookup(output_mode="tf_idf", vocabulary=["a", "b"], idf_weights=[2, 3]), None),
    "ints": (lambda k: k.IntegerLookup(output_mode="tf_idf"), np.array([[1, 2], [1, 3], [7, 1]])),
    "texts": (lambda k: k.TextVectorization(output_mode="tf_idf"), np.array([["a b"], ["a c"], ["d a"]])),
}


@pytest.mark.parametrize("name", LOOKUPS)
def test_weights_of_tokens_go_both_ways(real_keras, tmp_path, name):
    make, data = LOOKUPS[name]
    ours = make(polykeras.layers)
    if data is not None:
        ours.adapt(data)
    data = WORDS if data is None else data
    dtype = "string" if data.dtype.kind == "U" else "int64"
    expected = np.asarray(ours(data))
    assert len(np.unique(expected)) > 2
    inputs = polykeras.Input(data.shape[1:], dtype=dtype)
    polykeras.Model(inputs, ours(inputs)).save(tmp_path / "ours.keras")
    theirs = real_keras.models.load_model(tmp_path / "ours.keras")
    np.testing.assert_allclose(values(theirs.layers[-1](data))[0], expected, rtol=1e-6)
    theirs.save(tmp_path / "theirs.keras")
    loaded = polykeras.models.load_model(tmp_path / "theirs.keras")
    np.testing.assert_allclose(np.asarray(loaded.layers[-1](data)), expected, rtol=1e-6)
