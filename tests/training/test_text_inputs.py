"""Models that take texts, on every backend."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers

TEXTS = np.array(["the cat sat", "a dog ran far", "the dog", "cat cat cat"] * 3)
LABELS = np.array([0.0, 1.0, 1.0, 0.0] * 3, "float32")
WORDS = ["the", "cat", "dog", "sat", "ran", "far"]


def _vectorization(length=None):
    return layers.TextVectorization(vocabulary=WORDS, output_sequence_length=length)


def _head():
    return [
        layers.Embedding(9, 4, embeddings_initializer=keras.initializers.RandomUniform(seed=1)),
        layers.GlobalAveragePooling1D(),
        layers.Dense(1, kernel_initializer=keras.initializers.RandomUniform(seed=2)),
    ]


def _sequential(length=None):
    return keras.Sequential([keras.Input((), dtype="string"), _vectorization(length), *_head()])


def _padded():
    return _sequential(5)


def _deferred():
    return keras.Sequential([_vectorization(5), *_head()])


def _functional():
    x = keras.Input((1,), dtype="string")
    y = _vectorization(5)(x)
    for layer in _head():
        y = layer(y)
    return keras.Model(x, y)


def _nested():
    x = keras.Input((), dtype="string")
    return keras.Model(x, layers.Rescaling(1.0)(_sequential(5)(x)))


class _Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.words, self.head = _vectorization(5), _head()

    def call(self, inputs):
        x = self.words(inputs)
        for layer in self.head:
            x = layer(x)
        return x


MAKERS = [_padded, _deferred, _functional, _nested, _Own]


def _weights_after_training_on_numbers():
    """The same model behind the text layer, trained on what the layer makes of the texts."""
    numbers = keras.ops.convert_to_numpy(_vectorization(5)(TEXTS))
    model = keras.Sequential(_head())
    model.compile(keras.optimizers.SGD(0.5), "mse")
    model.fit(numbers, LABELS, batch_size=4, epochs=3, shuffle=False, verbose=0)
    return model.predict(numbers, verbose=0), model.evaluate(numbers, LABELS, verbose=0)


@pytest.mark.parametrize("make", MAKERS)
def test_a_model_of_texts_learns_as_one_of_their_numbers(backend, make):
    predicted, loss = _weights_after_training_on_numbers()
    model = make()
    model.compile(keras.optimizers.SGD(0.5), "mse")
    model.fit(TEXTS, LABELS, batch_size=4, epochs=3, shuffle=False, verbose=0)
    np.testing.assert_allclose(model.predict(TEXTS, verbose=0), predicted, atol=1e-5)
    np.testing.assert_allclose(model.predict(TEXTS, batch_size=4, verbose=0), predicted, atol=1e-5)
    np.testing.assert_allclose(model.evaluate(TEXTS, LABELS, verbose=0), loss, atol=1e-5)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model(TEXTS)), predicted, atol=1e-5)
    before = model.test_on_batch(TEXTS, LABELS)
    assert model.train_on_batch(TEXTS, LABELS) == pytest.approx(before, abs=1e-5)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("kind", ["objects", "list", "bytes", "batches"])
def test_texts_come_as_arrays_of_any_kind_and_in_batches(backend, make, kind):
    given = {
        "objects": TEXTS.astype(object),
        "list": TEXTS.tolist(),
        "bytes": np.char.encode(TEXTS),
        "batches": [TEXTS[:7], TEXTS[7:]],
    }[kind]
    data = ((part,) for part in given) if kind == "batches" else given
    model = make()
    expected = keras.ops.convert_to_numpy(model(TEXTS))
    np.testing.assert_allclose(model.predict(data, verbose=0), expected, atol=1e-6)
    if kind != "batches":
        np.testing.assert_allclose(keras.ops.convert_to_numpy(model(given)), expected, atol=1e-6)


def test_texts_come_from_data_sets_of_tensorflow(backend):
    tf = pytest.importorskip("tensorflow")
    data = tf.data.Dataset.from_tensor_slices((TEXTS, LABELS)).batch(4)
    model = _sequential()
    model.compile("sgd", "mse")
    model.fit(data, verbose=0)
    np.testing.assert_allclose(model.predict(data, verbose=0), model.predict(TEXTS, batch_size=4, verbose=0), atol=1e-6)


def test_a_batch_is_as_wide_as_its_longest_text(backend):
    model = keras.Sequential([keras.Input((), dtype="string"), _vectorization(), layers.Rescaling(1.0)])
    rows = model.predict(np.array(["the cat", "the", "dog", "sat"]), batch_size=2, verbose=0)
    assert [np.shape(row) for row in rows] == [(2,), (2,), (1,), (1,)]


def test_one_text_goes_to_several_layers_beside_numbers(backend):
    text, number = keras.Input((1,), dtype="string", name="text"), keras.Input((1,), name="number")
    index = layers.StringLookup(vocabulary=["a", "b"])(text)
    rows = layers.StringLookup(vocabulary=["a", "b"], output_mode="multi_hot")(text)
    model = keras.Model({"text": text, "number": number}, layers.Concatenate()([index, rows, number]))
    data = {"text": np.array([["b"], ["?"]]), "number": np.array([[0.5], [0.25]], "float32")}
    expected = [[2, 0, 0, 1, 0.5], [0, 1, 0, 0, 0.25]]
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model(data)), expected)
    np.testing.assert_allclose(model.predict(data, verbose=0), expected)
    model.compile("sgd", "mse")
    model.fit(data, np.zeros((2, 5), "float32"), verbose=0)


def test_texts_are_refused_where_nothing_takes_them(backend):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    texts = np.array([["a", "b"]])
    for call in (model, model.predict, lambda x: model.fit(x, np.zeros((1, 1)), verbose=0)):
        with pytest.raises(ValueError, match="strings or objects|StringLookup"):
            call(texts)
    with pytest.raises(ValueError, match="StringLookup"):
        model.fit(np.zeros((1, 2)), np.array(["a"]), verbose=0)


def test_a_tensor_of_words_is_a_vocabulary():
    pytest.importorskip("tensorflow")
    with keras.backends.use("tensorflow"):
        words = keras.ops.convert_to_tensor(["a", "b"])
        assert keras.ops.dtype(words) == "string"
        rows = keras.layers.StringLookup(vocabulary=words)([["b", "?"], ["a", "a"]])
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(rows), [[2, 0], [1, 1]])


def test_a_generator_may_yield_parts_of_unequal_lengths_for_a_loss_of_ones_own(backend):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1, use_bias=False)])
    model.compile("sgd", lambda y_true, y_pred: keras.ops.mean(y_pred) * keras.ops.mean(y_true))
    before = keras.ops.convert_to_numpy(model.layers[0].kernel).copy()
    model.fit(iter([(np.ones((6, 2), "float32"), np.ones((3, 4), "float32"))]), verbose=0)
    assert not np.array_equal(before, keras.ops.convert_to_numpy(model.layers[0].kernel))


def test_losses_of_lists_inside_of_dicts_are_named_after_the_layers(backend):
    x = keras.Input((2,))
    first, second, third = (layers.Dense(1, name=name)(x) for name in ("p", "q", "r"))
    model = keras.Model(x, {"a": [first, second], "b": third})
    model.compile("sgd", loss={"a": ["mse", "mae"], "b": "mse"})
    ones = np.ones((4, 1), "float32")
    history = model.fit(np.ones((4, 2), "float32"), {"a": [ones, ones], "b": ones}, verbose=0).history
    assert set(history) == {"loss", "a/p_loss", "a/q_loss", "b_loss"}


def test_every_layer_of_texts_begins_a_model(backend):
    words, shape = np.array([["a"], ["b"], ["?"]]), (1,)
    made = {
        "hashing": layers.Hashing(num_bins=50),
        "lookup": layers.StringLookup(vocabulary=["a", "b"], output_mode="multi_hot"),
        "vectorization": layers.TextVectorization(vocabulary=["a", "b"], output_sequence_length=2),
    }
    for layer in made.values():
        x = keras.Input(shape, dtype="string")
        model = keras.Model(x, layer(x))
        expected = keras.ops.convert_to_numpy(layer(words))
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(model(words)), expected)
        np.testing.assert_array_equal(model.predict(words, verbose=0), expected)
    pair = [keras.Input(shape, dtype="string"), keras.Input(shape, dtype="int64")]
    crossing = layers.HashedCrossing(num_bins=50)
    model, data = keras.Model(pair, crossing(pair)), [words, np.array([[1], [2], [3]])]
    expected = keras.ops.convert_to_numpy(crossing(data))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(model(data)), expected)
    np.testing.assert_array_equal(model.predict(data, verbose=0), expected)
