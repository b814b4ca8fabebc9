"""Variables in the hands of a user: first values by name, Python's operators."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends


@pytest.mark.parametrize("backend", backends.available())
def test_a_variable_takes_the_name_of_an_initializer(backend):
    with backends.use(backend):
        assert keras.Variable("ones", shape=(2,)).numpy().tolist() == [1.0, 1.0]
        assert keras.Variable(initializer="zeros", shape=(), dtype="int32").numpy() == 0
        with pytest.raises(ValueError, match="shape"):
            keras.Variable("ones")
        with pytest.raises(ValueError, match="onse"):
            keras.Variable("onse", shape=(2,))


@pytest.mark.parametrize("backend", backends.available())
def test_variables_and_symbolic_tensors_have_pythons_unary_operators(backend):
    with backends.use(backend):
        variable = keras.Variable([-1.26, 2.5])
        for result, expected in [
            (+variable, [-1.26, 2.5]),
            (-variable, [1.26, -2.5]),
            (abs(variable), [1.26, 2.5]),
            (round(variable), [-1.0, 2.0]),
            (round(variable, 1), [-1.3, 2.5]),
        ]:
            np.testing.assert_allclose(keras.ops.convert_to_numpy(result), expected, rtol=1e-6)
        x = keras.Input((2,))
        model = keras.Model(x, round(+x, 1))
        np.testing.assert_allclose(model.predict(np.array([[1.26, -0.04]]), verbose=0), [[1.3, 0.0]], rtol=1e-6)


def test_assigning_returns_the_new_value(backend):
    variable = keras.Variable([1.0, 2.0])
    for call, expected in [
        (variable.assign, [3.0, 4.0]),
        (variable.assign_add, [6.0, 8.0]),
        (variable.assign_sub, [3.0, 4.0]),
    ]:
        result = call(np.array([3.0, 4.0], "float32"))
        assert backend.is_array(result) and keras.ops.convert_to_numpy(result).tolist() == expected
        assert variable.numpy().tolist() == expected


def test_variables_compare_their_values_and_stay_keys_of_dicts(backend):
    variable, other = keras.Variable([1.0, 2.0]), keras.Variable([1.0, 3.0])
    assert keras.ops.convert_to_numpy(variable == other).tolist() == [True, False]
    assert keras.ops.convert_to_numpy(variable != [1.0, 3.0]).tolist() == [False, True]
    assert bool(keras.optimizers.SGD().iterations == 0)
    indices = {variable: 0, other: 1}
    assert (indices[variable], indices[other]) == (0, 1) and keras.Variable([1.0, 2.0]) not in indices


def test_a_variable_shows_a_known_value(backend):
    shown = repr(keras.Variable(np.array([1.0, 2.0, 3.0], "float32"), name="v"))
    assert shown == "<Variable path=v, shape=(3,), dtype=float32, value=[1. 2. 3.]>"
    assert repr(keras.Variable("zeros", shape=(3,), name="v")) == "<Variable path=v, shape=(3,), dtype=float32>"
    assert len(repr(keras.Variable(np.zeros((900,), "float32")))) < 200


def test_a_scope_of_names_begins_the_paths_of_variables(backend):
    with keras.name_scope("encoder"):
        variable = keras.Variable(1.0, name="v")
    assert (variable.path, variable.name) == ("encoder/v", "v")


def test_attributes_of_a_variable_refuse_what_they_are_not(backend):
    variable = keras.Variable([1.0, 2.0])
    variable.constraint = keras.constraints.NonNeg()
    variable.constraint = None
    with pytest.raises(ValueError, match="constraint"):
        variable.constraint = "non_neg"
    assert variable.overwrite_with_gradient is False
    with pytest.raises(TypeError, match="True or False"):
        variable.overwrite_with_gradient = "yes"


def test_a_subclass_may_compute_the_value_that_others_read(backend):
    class Half(keras.Variable):
        @property
        def value(self):
            return super().value * 0.5

    class Scale(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.scale = Half([2.0, 4.0])

        def call(self, x):
            return x * self.scale

    model = keras.Sequential([keras.Input((2,)), Scale()])
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(model(np.ones((1, 2)))), [[1, 2]])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    model.fit(np.ones((1, 2)), np.zeros((1, 2)), verbose=0)
    # The loss is the mean of (scale / 2) ** 2 over two entries.
    np.testing.assert_allclose(model.weights[0].numpy(), [2 - 2 / 4, 4 - 4 / 4])


READERS = {
    "ops.convert_to_numpy": lambda model: keras.ops.convert_to_numpy(model.layers[0].kernel),
    "of the value": lambda model: keras.ops.convert_to_numpy(model.layers[0].kernel.value),
    "of a tensor": lambda model: keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(model.layers[0].kernel)),
    "of a view": lambda model: keras.ops.convert_to_numpy(keras.ops.transpose(model.layers[0].kernel)),
    "of a part": lambda model: keras.ops.convert_to_numpy(model.layers[0].kernel[1:]),
    "of a batch normalization": lambda model: keras.ops.convert_to_numpy(model.layers[1].moving_mean.value),
    "of an optimizer": lambda model: keras.ops.convert_to_numpy(model.optimizer.variables[-1].value),
    "Variable.numpy": lambda model: model.layers[0].kernel.numpy(),
    "np.array": lambda model: np.array(model.layers[0].kernel),
    "get_weights": lambda model: model.get_weights()[0],
    "get_state_tree": lambda model: keras.tree.flatten(model.get_state_tree(value_format="numpy_array"))[-1],
    "K.get_value": lambda model: keras.backend.get_value(model.layers[0].kernel),
    "predict of a weight": lambda model: keras.Model(
        model.inputs, keras.layers.Lambda(lambda x: model.layers[0].kernel)(model.inputs[0])
    ).predict_on_batch(np.zeros((2, 3), "float32")),
}


def test_values_read_from_variables_are_not_changed_by_training(backend):
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(4), keras.layers.BatchNormalization(), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse")
    x = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
    model.fit(x, x[:, :1], batch_size=4, epochs=3, verbose=0)
    values = {name: read(model) for name, read in READERS.items()}
    first = {name: np.array(value) for name, value in values.items()}
    model.fit(x, x[:, :1], batch_size=4, epochs=3, verbose=0)
    for name, read in READERS.items():
        np.testing.assert_array_equal(values[name], first[name], name)
        assert np.abs(read(model) - first[name]).max() > 1e-5, name
        values[name][...] = 7  # the array is the reader's own in the other direction, too
        assert np.abs(read(model) - 7).min() > 0, name
