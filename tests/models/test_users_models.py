"""Models and layers of users' classes: what they define, call and set is theirs."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers

ROWS = np.ones((4, 3), "float32")


class Builds(keras.Model):
    """Makes a weight of its own, and leaves the rest to Keras."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(2)
        self.builds = 0

    def build(self, input_shape):
        self.builds += 1
        self.scale = self.add_weight((input_shape[-1],), "ones")
        super().build(input_shape)

    def call(self, x):
        return self.dense(x * self.scale)


class CallsItself(Builds):
    def build(self, input_shape):
        self.builds += 1
        self.scale = self.add_weight((input_shape[-1],), "ones")
        self(keras.Input(input_shape[1:]))


class CallsLayers(Builds):
    def build(self, input_shape):
        self.builds += 1
        self.scale = self.add_weight((input_shape[-1],), "ones")
        self.dense.build(input_shape)


@pytest.mark.parametrize("kind", [Builds, CallsItself, CallsLayers])
@pytest.mark.parametrize("how", ["build", "call", "fit"])
def test_a_build_of_ones_own_may_call_the_one_above(backend, kind, how):
    model = kind()
    if how == "build":
        model.build((None, 3))
    elif how == "call":
        model(ROWS)
    model.compile("sgd", "mse")
    model.fit(ROWS, np.zeros((4, 2)), verbose=0)
    assert (model.builds, model.built, len(model.weights)) == (1, True, 3)
    assert len(model.trainable_weights) == 3


class TakesADict(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(2)

    def call(self, inputs):
        return self.dense(inputs["rows"])


def test_a_build_for_other_inputs_than_call_takes_leaves_the_weights_to_the_first_call(backend):
    model = TakesADict()
    with pytest.warns(UserWarning, match=r"call to run on inputs of shape \(None, 3\), in build. Received: "):
        model.build((None, 3))
    model.compile("sgd", "mse")
    model.fit({"rows": ROWS}, np.zeros((4, 2)), verbose=0)
    assert len(model.weights) == 2 and model({"rows": ROWS}).shape == (4, 2)


@pytest.mark.parametrize("index", ["rows", ("rows", 0), b"rows"])
def test_a_symbolic_tensor_is_not_indexed_by_names(index):
    with pytest.raises(TypeError, match="Expected an index.*Received: .*rows"):
        keras.Input((3,))[index]


# Attributes that no class of Keras has, or that users often set.
COMMON = [
    "inputs",
    "outputs",
    "input_names",
    "output_names",
    "loss",
    "loss_fn",
    "history",
    "states",
    "params",
    "stack",
    "seed",
    "mask",
    "shape",
    "size",
    "data",
    "step",
    "training",
    "config",
    "state_size",
    "output_size",
    "units",
    "filters",
    "cell",
    "layer",
    "nodes",
    "graph",
    "operations",
    "batch_size",
    "rank",
    "position",
    "total",
    "owned",
]


def layer_with(keras, name, value, before):
    class Own(keras.layers.Layer):
        def __init__(self):
            if before:
                setattr(self, name, value)
            super().__init__()
            if not before:
                setattr(self, name, value)

        def build(self, input_shape):
            self.kernel_of_mine = self.add_weight(shape=(3, 2), initializer="ones")
            self.built = True

        def call(self, x):
            return keras.ops.matmul(x, self.kernel_of_mine)

    own, inputs = Own(), keras.Input((3,))
    return own, keras.Model(inputs, own(inputs))


def model_with(keras, name, value, before):
    class Own(keras.Model):
        def __init__(self):
            if before:
                setattr(self, name, value)
            super().__init__()
            if not before:
                setattr(self, name, value)
            self.dense_of_mine = keras.layers.Dense(2)

        def call(self, x):
            return self.dense_of_mine(x)

    own = Own()
    return own, own


def failure(keras, make, name, value, before, path):
    """What goes wrong in the life of a model whose class sets an attribute; None where nothing does."""
    try:
        own, model = make(keras, name, value, before)
        keras.ops.convert_to_numpy(model(ROWS))
        count = len(model.weights)
        model.compile("sgd", "mse", run_eagerly=True)
        model.train_on_batch(ROWS, np.zeros((4, 2), "float32"))
        model.predict_on_batch(ROWS)
        model.save_weights(path)
        model.load_weights(path)
        found = getattr(own, name)
        return None if (found is value or found == value) and len(model.weights) == count else "another value"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def public_names(cls):
    return {name for name in dir(cls) if not name.startswith("_")}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", [layer_with, model_with])
@pytest.mark.parametrize("before", [False, True], ids=["after init", "before init"])
def test_what_a_users_class_may_set_in_keras_it_may_set_here(real_keras, make, before, tmp_path):
    ours, theirs = (keras.layers.Layer, keras.Model)[make is model_with], real_keras.layers.Layer
    names = public_names(ours) | public_names(theirs) | set(COMMON)
    allowed, wrong = 0, {}
    path = tmp_path / "model.weights.h5"
    for name in sorted(names - {"compute_output_spec"}):  # a method, which Keras happens not to call here
        if failure(real_keras, make, name, 3, before, path) is None:
            allowed += 1
            problem = failure(keras, make, name, 3, before, path)
            if problem:
                wrong[name] = problem
    assert not wrong, wrong
    assert allowed > 50


@pytest.mark.parametrize(
    "name", ["input_shape", "output_shape", "inputs", "outputs", "output_names", "states", "loss_fn"]
)
@pytest.mark.parametrize("make", [layer_with, model_with])
def test_names_that_users_often_set_mean_what_they_say(backend, make, name, tmp_path):
    for value in (7, [1, 2], (None, 3), {"a": 1}):
        assert failure(keras, make, name, value, False, tmp_path / "model.weights.h5") is None


def test_shapes_are_still_told_where_nobody_sets_them(backend):
    inputs = keras.Input((3,))
    layer = layers.Dense(2)
    layer(inputs)
    assert (layer.input_shape, layer.output_shape) == ((None, 3), (None, 2))
    assert "shape" in keras.layers.Layer.input_shape.__doc__
