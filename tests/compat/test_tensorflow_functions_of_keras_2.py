"""TensorFlow's own functions on symbolic tensors: part of the graph in the era of Keras 2, as in tf.keras."""

import json

import numpy as np
import pytest

import polykeras as keras

tf = pytest.importorskip("tensorflow")

X = np.random.default_rng(0).normal(size=(6, 4, 3)).astype("float32")

#: Functions of a batch, which give the same on arrays and on a symbolic tensor.
FUNCTIONS = {
    "relu": tf.nn.relu,
    "by name": lambda x: tf.nn.relu(features=x, name="positive"),
    "concat": lambda x: tf.concat([x, 2 * x], 1),
    "concat by name": lambda x: tf.concat(values=[x, x], axis=-1),
    "reshape": lambda x: tf.reshape(x, (-1, 12)),
    "reshape by sizes": lambda x: tf.reshape(x, [tf.shape(x)[0], 12]),
    "reshape by a vector": lambda x: tf.reshape(x, tf.concat([tf.shape(x)[:1], [12]], 0)),
    "shape of a tensor": lambda x: tf.reshape(x, tf.TensorShape((6, 12))),
    "sizes one by one": lambda x: tf.reshape(x, [size * 1 for size in tf.unstack(tf.shape(x))]),
    "new axis": lambda x: tf.tile(x[:, tf.newaxis], [1, 2, 1, 1]),
    "slice by a size": lambda x: x[:, : tf.shape(x)[1] - 1],
    "mean": lambda x: tf.reduce_mean(x, axis=[1, 2], keepdims=True),
    "matmul": lambda x: tf.matmul(x, x, transpose_b=True),
    "constant on the left": lambda x: tf.ones((3, 4)) @ tf.reshape(x, (-1, 4, 3)),
    "constant on the right": lambda x: x + tf.range(3.0),
    "number first": lambda x: tf.subtract(1.0, x),
    "cast": lambda x: tf.cast(x, tf.float64),
    "several results": lambda x: tf.split(x, [1, 2], axis=2)[1],
    "top k": lambda x: tf.math.top_k(x, 2).values,
    "composite": lambda x: tf.nn.moments(x, [1])[1],
    "condition": lambda x: tf.where(x > 0, x, tf.zeros_like(x)),
    "convolution": lambda x: tf.nn.conv1d(x, tf.ones((2, 3, 5)), 1, "SAME"),
    "comparison": lambda x: tf.one_hot(tf.argmax(x, -1), 3),
    "zeros by a shape": lambda x: tf.zeros(tf.shape(x)) + x,
    "operators of ours": lambda x: keras.ops.sum(tf.square(x), axis=-1),
}


@pytest.fixture(autouse=True)
def on_tensorflow(keras_2):
    with keras.backends.use("tensorflow"):
        yield


def model_of(function):
    x = keras.Input((4, 3))
    return keras.Model(x, function(x))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_on_a_symbolic_tensor_is_computed_cloned_and_saved_with_the_model(name, tmp_path):
    function = FUNCTIONS[name]
    expected = function(tf.constant(X)).numpy()
    model = model_of(function)
    known = [size for size, own in zip(model.output_shape[1:], expected.shape[1:], strict=True) if size is not None]
    if name != "slice by a size" and "one by one" not in name:
        assert known == list(expected.shape[1:])
    np.testing.assert_allclose(model(X), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(keras.models.clone_model(model)(X), expected, rtol=1e-5, atol=1e-6)
    for path in (tmp_path / "model.keras", tmp_path / "model.h5"):
        model.save(path)
        np.testing.assert_allclose(keras.models.load_model(path)(X), expected, rtol=1e-5, atol=1e-6)


def test_a_model_with_such_functions_learns_as_one_that_calls_them_in_a_layer():
    def head(x):
        return tf.nn.l2_normalize(tf.reshape(tf.nn.relu(x), [tf.shape(x)[0], 20]), 1)

    def model(call):
        x = keras.Input((4, 3))
        hidden = call(keras.layers.Dense(5, kernel_initializer="he_normal")(x))
        made = keras.Model(x, keras.layers.Dense(2, kernel_initializer="he_normal")(hidden))
        made.compile("sgd", "mse")
        return made

    one, other = model(head), model(keras.layers.Lambda(head))
    assert one.output_shape == (None, 2)
    other.set_weights(one.get_weights())
    targets = np.random.default_rng(1).normal(size=(6, 2))
    histories = [m.fit(X, targets, batch_size=3, epochs=3, shuffle=False, verbose=0).history for m in (one, other)]
    np.testing.assert_allclose(histories[0]["loss"], histories[1]["loss"], rtol=1e-5)
    assert histories[0]["loss"][-1] < histories[0]["loss"][0]


def test_the_function_that_the_program_called_is_a_layer_of_the_model():
    model = model_of(lambda x: tf.reduce_mean(tf.nn.moments(x, [1])[0], axis=-1))
    assert [layer.get_config()["function"] for layer in model.layers[1:]] == ["nn.moments", "math.reduce_mean"]
    assert [layer.name.rpartition("_")[0] for layer in model.layers[1:]] == ["tf.nn.moments", "tf.math.reduce_mean"]


def test_a_function_that_files_may_not_name_computes_and_refuses_to_be_saved(tmp_path):
    model = model_of(lambda x: tf.ensure_shape(tf.compat.v1.nn.softmax(x, axis=-1), (None, 4, 3)))
    np.testing.assert_allclose(model(X), tf.nn.softmax(X), rtol=1e-5)
    np.testing.assert_allclose(keras.models.clone_model(model)(X), tf.nn.softmax(X), rtol=1e-5)
    with pytest.raises(TypeError, match="that a file may name"):
        model.save(tmp_path / "model.keras")


@pytest.mark.parametrize(
    "name",
    [
        "py_function", "numpy_function", "io.read_file", "io.write_file", "print", "load_op_library", "function",
        "map_fn", "raw_ops.ReadFile", "nn.__init__", "math.__builtins__.eval", "linalg.LinearOperator", "math", "",
        "compat.v1.py_func", "image.decode_image", "saved_model.load", "linalg.experimental",
    ],
)  # fmt: skip
def test_a_file_may_name_functions_of_numbers_alone(name):
    with pytest.raises(ValueError, match="functions of numbers"):
        keras.layers.deserialize({"class_name": "TFOpLambda", "config": {"name": "f", "function": name}})


def test_a_graph_in_a_file_of_tf_keras_is_read():
    def described(name, function, calls, kind="TFOpLambda"):
        config = {"name": name, "trainable": True, "dtype": "float32", "function": function}
        return {"class_name": kind, "config": config, "name": name, "inbound_nodes": calls}

    def given(name):
        config = {"batch_input_shape": [None, 4], "dtype": "float32", "sparse": False, "ragged": False, "name": name}
        return {"class_name": "InputLayer", "config": config, "name": name, "inbound_nodes": []}

    every, odd = [{"start": start, "stop": None, "step": step} for start, step in ((None, None), (1, 2))]
    layers = [
        given("a"),
        given("b"),
        described("tf.nn.relu", "nn.relu", [["a", 0, 0, {"name": None}]]),
        described("tf.concat", "concat", [[["tf.nn.relu", 0, 0, {"axis": 1}], ["b", 0, 0, {"axis": 1}]]]),
        described("sum", "__operators__.add", [["tf.concat", 0, 0, {"y": ["tf.concat", 0, 0], "name": None}]]),
        described("rest", "math.subtract", [["_CONSTANT_VALUE", -1, 1.0, {"y": ["sum", 0, 0], "name": None}]]),
        described("odd", "__operators__.getitem", [["rest", 0, 0, {"slice_spec": [every, odd]}]], "SlicingOpLambda"),
        described("sizes", "shape", [["odd", 0, 0, {}]]),
        described("size", "__operators__.getitem", [["sizes", 0, 0, {"slice_spec": 0}]], "SlicingOpLambda"),
        described("tf.reshape", "reshape", [["odd", 0, 0, {"shape": [["size", 0, 0], 2, 2]}]]),
    ]
    graph = {"layers": layers, "input_layers": [["a", 0, 0], ["b", 0, 0]], "output_layers": [["tf.reshape", 0, 0]]}
    config = {"class_name": "Functional", "config": {"name": "model", "trainable": True, **graph}}
    model = keras.models.model_from_json(json.dumps(config))
    a, b = X[:, :, 0], X[:, :, 1]
    expected = (1 - 2 * np.concatenate([np.maximum(a, 0), b], 1))[:, 1::2].reshape(6, 2, 2)
    assert model.output_shape == (None, 2, 2)
    np.testing.assert_allclose(model([a, b]), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(keras.models.model_from_json(model.to_json())([a, b]), expected, rtol=1e-5, atol=1e-6)


def test_in_the_era_of_keras_3_symbolic_tensors_are_refused():
    keras.config.set_era("keras3")
    with pytest.raises(TypeError, match=r"Use polykeras\.ops"):
        tf.nn.relu(keras.Input((4,)))
    with pytest.raises(NotImplementedError, match="split a symbolic tensor"):
        iter(keras.Input((4,), batch_size=2))


def test_a_symbolic_tensor_of_known_length_is_iterated():
    first, second = keras.Input((3,), batch_size=2)
    assert first.shape == second.shape == (3,)
    batch, length, _ = tf.shape(keras.Input((4, 3)))
    assert batch.shape == length.shape == ()
    with pytest.raises(TypeError, match="known length"):
        iter(keras.Input((3,)))
