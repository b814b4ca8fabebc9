"""Training on TensorFlow with sparse inputs and with gradients that consist of rows of a table."""

from __future__ import annotations

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends

tf = pytest.importorskip("tensorflow")
scipy_sparse = pytest.importorskip("scipy.sparse")

OPTIMIZERS = ["SGD", "Adagrad", "Adam", "RMSprop", "Ftrl", "Adamax", "Nadam", "Adadelta", "Lion", "AdamW"]


@pytest.fixture(autouse=True)
def on_tensorflow():
    with backends.use("tensorflow"):
        yield


def wide_data(rows, columns, per_row=5):
    """A sparse matrix with a few entries in each row, made without a dense one."""
    random = np.random.default_rng(0)
    places = random.integers(0, columns, (rows, per_row)), np.repeat(np.arange(rows), per_row)
    values = random.normal(size=rows * per_row).astype("float32")
    x = scipy_sparse.coo_matrix((values, (places[1], places[0].ravel())), (rows, columns)).tocsr()
    x.sum_duplicates()
    return x, random.normal(size=(rows, 1)).astype("float32")


def as_tensor(x):
    x = x.tocoo()
    return tf.sparse.reorder(tf.SparseTensor(np.stack([x.row, x.col], 1).astype("int64"), x.data, x.shape))


class Seen(keras.layers.Layer):
    """Notes the classes of its inputs."""

    def __init__(self):
        super().__init__()
        self.kinds = set()

    def call(self, inputs):
        self.kinds.add(type(inputs))
        return inputs


def trained(optimizer, x, y, eagerly=False, **options):
    keras.utils.set_random_seed(1)
    layers = [keras.Input((x.shape[1],), sparse=True), keras.layers.Dense(3, "tanh"), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile(getattr(keras.optimizers, optimizer)(0.05, **options), "mse", run_eagerly=eagerly)
    loss = model.fit(x, y, batch_size=8, epochs=2, verbose=0).history["loss"]
    results = loss, model.predict(x, verbose=0), model.evaluate(x, y, verbose=0)
    return [*model.get_weights(), *map(np.asarray, results)]


@pytest.mark.parametrize("eagerly", [False, True])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_sparse_inputs_train_as_dense_ones_do(optimizer, eagerly):
    x, y = wide_data(30, 40)
    dense = trained(optimizer, x.toarray(), y, eagerly)
    for sparse in (x, as_tensor(x)):
        for one, other in zip(trained(optimizer, sparse, y, eagerly), dense, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"momentum": 0.9},
        {"weight_decay": 0.1},
        {"clipnorm": 0.1},
        {"global_clipnorm": 0.1},
        {"clipvalue": 0.01},
        {"use_ema": True},
        {"loss_scale_factor": 4.0},
        {"gradient_accumulation_steps": 2},
    ],
)
def test_settings_of_optimizers_mean_the_same_for_gradients_of_rows(options):
    x, y = wide_data(30, 40)
    dense = trained("SGD", x.toarray(), y, **options)
    for one, other in zip(trained("SGD", x, y, **options), dense, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("optimizer", ["SGD", "Adagrad", "Adam"])
def test_a_million_inputs_are_never_made_dense(optimizer, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("A sparse array was made dense.")

    x, y = wide_data(256, 1_000_000)
    seen = Seen()
    model = keras.Sequential(
        [keras.Input((1_000_000,), sparse=True), seen, keras.layers.Dense(2), keras.layers.Dense(1)]
    )
    model.compile(optimizer, "mse")
    monkeypatch.setattr(tf.sparse, "to_dense", refuse)
    first, last = (model.fit(x, y, batch_size=64, verbose=0).history["loss"][0] for _ in range(2))
    assert last < first
    model.evaluate(x, y, batch_size=64, verbose=0)
    assert model.predict(x, batch_size=64, verbose=0).shape == (256, 1)
    assert tf.SparseTensor in seen.kinds and not any(issubclass(kind, tf.Tensor) for kind in seen.kinds)


def test_batches_of_a_dataset_stay_sparse():
    x, y = wide_data(12, 20)
    batches = tf.data.Dataset.from_tensor_slices((as_tensor(x), y)).batch(4)
    seen = Seen()
    model = keras.Sequential([seen, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(batches, verbose=0)
    assert tf.SparseTensor in seen.kinds
    np.testing.assert_allclose(model.predict(batches, verbose=0), model.predict(x.toarray(), verbose=0), rtol=1e-5)


def test_layers_that_need_dense_inputs_get_them():
    x, y = wide_data(8, 6)
    model = keras.Sequential([keras.layers.BatchNormalization(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(x, y, verbose=0)
    np.testing.assert_allclose(model.predict(x, verbose=0), model.predict(x.toarray(), verbose=0), rtol=1e-5)


def test_sparse_targets_are_made_dense():
    x, _ = wide_data(16, 6)
    model = keras.Sequential([keras.layers.Dense(6)])
    model.compile("sgd", "mse")
    dense = model.evaluate(x, x.toarray(), verbose=0)
    np.testing.assert_allclose(model.evaluate(x, x, verbose=0), dense, rtol=1e-5)
    np.testing.assert_allclose(model.fit(x, x, batch_size=16, verbose=0).history["loss"][0], dense, rtol=1e-5)


# ------------------------------------------------------------------ embeddings


def embedding_model():
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.layers.Embedding(20, 3), keras.layers.Flatten(), keras.layers.Dense(1)])


def test_gradients_of_embeddings_consist_of_rows():
    model, x = embedding_model(), np.array([[1, 2], [1, 7]])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(x) ** 2)
    table, *rest = tape.gradient(loss, model.trainable_variables)
    assert isinstance(table, tf.IndexedSlices) and all(isinstance(g, tf.Tensor) for g in rest)
    assert set(table.indices.numpy()) == {1, 2, 7}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizers_add_up_the_rows_that_occur_twice(optimizer):
    """An element that occurs several times in a batch: its gradient is the sum, squared after it was added up."""
    x = np.array([[1, 1], [2, 1], [7, 2]])
    results = []
    for is_dense in (False, True):
        model = embedding_model()
        model.build((None, 2))
        rule = getattr(keras.optimizers, optimizer)(0.1)
        for _ in range(3):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(model(x) ** 2)
            gradients = tape.gradient(loss, model.trainable_variables)
            gradients = [tf.convert_to_tensor(g) for g in gradients] if is_dense else gradients
            rule.apply(gradients, model.trainable_variables)
        results.append([*model.get_weights(), *rule.get_weights()])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["SGD", "Adagrad"])
def test_steps_update_the_rows_of_a_batch_alone(optimizer, monkeypatch):
    """In fit too, the update is handed on as rows, and the others stay as they are to the bit."""
    from polykeras.backends.tensorflow.fast import FastTensorflowBackend

    handed_on, add_rows = [], FastTensorflowBackend.add_rows

    def noted(self, x, rows):
        handed_on.append(rows)
        return add_rows(self, x, rows)

    monkeypatch.setattr(FastTensorflowBackend, "add_rows", noted)
    model = embedding_model()
    model.compile(optimizer, "mse")
    model.build((None, 2))
    before = model.get_weights()[0]
    model.fit(np.array([[1, 2], [1, 7]]), np.ones((2, 1)), batch_size=2, verbose=0)
    after = model.get_weights()[0]
    assert handed_on and all(isinstance(rows, tf.IndexedSlices) for rows in handed_on)
    np.testing.assert_array_equal(np.flatnonzero((before != after).any(1)), [1, 2, 7])


@pytest.mark.parametrize("optimizer", ["SGD", "Adagrad"])
def test_steps_that_xla_compiles_train_embeddings(optimizer):
    x, y = np.array([[1, 2], [1, 7]]), np.ones((2, 1))
    results = []
    for compiled in (False, True):
        model = embedding_model()
        model.compile(optimizer, "mse", jit_compile=compiled)
        model.fit(x, y, batch_size=2, epochs=2, verbose=0)
        results.append(model.get_weights())
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


# ---------------------------------------------------------------------- ragged


def test_models_of_ragged_arrays():
    x = tf.ragged.constant([[1, 2, 3], [4], [2, 2]])
    inputs = keras.Input((None,), dtype="int32", ragged=True)
    vectors = keras.layers.Embedding(5, 2)(inputs)
    assert vectors.ragged and vectors.shape == (None, None, 2)
    model = keras.Model(inputs, [vectors, keras.layers.Lambda(lambda v: keras.ops.mean(v, axis=1))(vectors)])
    rows, means = model(x)
    assert isinstance(rows, tf.RaggedTensor) and rows.row_lengths().numpy().tolist() == [3, 1, 2]
    table = model.get_weights()[0]
    np.testing.assert_allclose(means, [table[[1, 2, 3]].mean(0), table[4], table[2]], rtol=1e-6)


def test_predictions_of_ragged_arrays_are_ragged():
    class Double(keras.Model):
        def call(self, inputs):
            return inputs * 2

    x = tf.ragged.constant([[1.0], [2.0, 3.0], [4.0]])
    model = Double()
    for size in (2, 3):
        result = model.predict(x, batch_size=size, verbose=0)
        assert isinstance(result, tf.RaggedTensor) and result.to_list() == [[2.0], [4.0, 6.0], [8.0]]


# ---------------------------------------------------------------- preprocessing


@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("name", ["CategoryEncoding", "Discretization", "Hashing", "IntegerLookup"])
def test_layers_encode_sparsely_on_request(name, mode):
    first = {"CategoryEncoding": 4, "Discretization": [1.0, 2.5], "Hashing": 3, "IntegerLookup": None}[name]
    arguments = {"vocabulary": [1, 2]} if name == "IntegerLookup" else {}
    x = np.array([[1, 2, 2], [3, 0, 1]])
    make = getattr(keras.layers, name)
    layer, dense = (make(first, output_mode=mode, sparse=sparse, **arguments) for sparse in (True, False))
    result = layer(x)
    assert isinstance(result, tf.SparseTensor)
    np.testing.assert_array_equal(tf.sparse.to_dense(result), dense(x))
    symbol = layer(keras.Input((3,), dtype="int32"))
    assert symbol.sparse and symbol.shape[1:] == tuple(result.shape[1:])


def test_text_layers_return_sparse_and_ragged_arrays():
    texts = [["foo qux bar"], ["qux baz"], ["foo"]]
    words = ["baz", "bar", "foo"]
    ragged = keras.layers.TextVectorization(vocabulary=words, ragged=True)(texts)
    assert isinstance(ragged, tf.RaggedTensor) and ragged.to_list() == [[4, 1, 3], [1, 2], [4]]
    counts = keras.layers.TextVectorization(vocabulary=words, output_mode="count", sparse=True)(texts)
    dense = keras.layers.TextVectorization(vocabulary=words, output_mode="count")(texts)
    assert isinstance(counts, tf.SparseTensor)
    np.testing.assert_array_equal(tf.sparse.to_dense(counts), dense)


def test_lookups_of_sparse_and_ragged_entries():
    layer = keras.layers.StringLookup(vocabulary=["a", "b", "c"])
    sparse = layer(tf.SparseTensor([[0, 0], [1, 1]], ["b", "d"], (2, 3)))
    assert isinstance(sparse, tf.SparseTensor) and sparse.values.numpy().tolist() == [2, 0]
    ragged = layer(tf.ragged.constant([["a"], ["c", "x"]]))
    assert isinstance(ragged, tf.RaggedTensor) and ragged.to_list() == [[1], [3, 0]]
    encoded = keras.layers.StringLookup(vocabulary=["a", "b"], output_mode="multi_hot")(
        tf.ragged.constant([["a"], ["b", "b", "x"]])
    )
    np.testing.assert_array_equal(encoded, [[0, 1, 0], [1, 0, 1]])
    hashed = keras.layers.Hashing(3)(tf.SparseTensor([[0, 1]], [5], (1, 2)))
    assert isinstance(hashed, tf.SparseTensor) and hashed.values.numpy() == keras.layers.Hashing(3)(np.array([5]))


@pytest.mark.parametrize("is_ragged", [False, True])
@pytest.mark.parametrize("mode", ["multi_hot", "count"])
def test_encodings_of_categories_take_the_entries_alone(mode, is_ragged):
    rows, weights = [[3, 1, 1], [2]], [[0.5, 2.0, 1.0], [3.0]]
    if is_ragged:
        indices, factors = tf.ragged.constant(rows), tf.ragged.constant(weights)
    else:
        indices, factors = (tf.ragged.constant(x).to_sparse() for x in (rows, weights))
    layer = keras.layers.CategoryEncoding(4, mode)
    expected = np.zeros((2, 4))
    for row, values in enumerate(rows):
        np.add.at(expected[row], values, 1.0)
    expected = np.minimum(expected, 1) if mode == "multi_hot" else expected
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(indices)), expected)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(tf.function(layer)(indices)), expected)
    if mode == "count":
        weighted = [[0, 3, 0, 0.5], [0, 0, 3, 0]]
        np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(indices, count_weights=factors)), weighted)


def test_bins_of_sparse_and_ragged_entries_keep_the_layout():
    layer = keras.layers.Discretization([0.0, 1.0])
    binned = layer(tf.sparse.from_dense([[0.5, 0.0], [2.0, -1.0]]))
    assert isinstance(binned, tf.SparseTensor)
    assert tf.sparse.to_dense(binned).numpy().tolist() == [[1, 0], [2, 0]]
    binned = layer(tf.ragged.constant([[0.5, -1.0], [2.0]]))
    assert isinstance(binned, tf.RaggedTensor)
    assert binned.to_list() == [[1, 0], [2]]


@pytest.mark.parametrize("name", ["Add", "Average", "Multiply", "Concatenate", "Maximum", "Minimum"])
def test_merges_of_sparse_arrays_alone_are_sparse(name):
    random = np.random.default_rng(0)
    x, y = (random.random((3, 4)) * (random.random((3, 4)) < 0.5) for _ in range(2))
    x, y = x.astype("float32"), y.astype("float32")
    layer = getattr(keras.layers, name)()
    expected = layer([x, y])
    result = layer([tf.sparse.from_dense(x), tf.sparse.from_dense(y)])
    assert isinstance(result, tf.SparseTensor)
    np.testing.assert_allclose(tf.sparse.to_dense(result), expected, rtol=1e-6)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer([tf.sparse.from_dense(x), y])), expected, rtol=1e-6)
    assert layer([keras.Input((4,), sparse=True), keras.Input((4,), sparse=True)]).sparse
