"""Copies of layers and models keep the very functions and classes of their origin, named or not."""

import copy
import pickle

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops


def doubled(x):
    return ops.multiply(x, 2.0)


def halves(shape, dtype=None):
    return ops.full(shape, 0.5, dtype or "float32")


class Sum(keras.regularizers.Regularizer):
    def __call__(self, x):
        return 0.1 * ops.sum(x)

    def get_config(self):
        return {}


class OwnRNN(layers.SimpleRNN):
    pass


class Applied(layers.Layer):
    def __init__(self, function, **kwargs):
        super().__init__(**kwargs)
        self.function = function

    def call(self, x):
        return self.function(x)

    def get_config(self):
        return {**super().get_config(), "function": self.function}


class Around(layers.Layer):
    def __init__(self, inner, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner

    def call(self, x):
        return self.inner(x)


LAYERS = {
    "a function in Lambda": lambda: layers.Lambda(doubled),
    "a lambda in Lambda": lambda: layers.Lambda(lambda x: x + 1),
    "an activation": lambda: layers.Dense(3, activation=doubled),
    "a lambda as activation": lambda: layers.Dense(3, activation=lambda x: x + 1),
    "an initializer": lambda: layers.Dense(3, kernel_initializer=halves),
    "a regularizer": lambda: layers.Dense(3, kernel_regularizer=Sum()),
    "a function in a layer's config": lambda: Applied(doubled),
    "a layer in a layer without a config": lambda: Around(layers.Dense(3, activation=doubled)),
    "a layer in a wrapper": lambda: layers.TimeDistributed(layers.Dense(3, activation=doubled)),
    "a class in a wrapper": lambda: layers.Bidirectional(OwnRNN(3, activation=doubled, return_sequences=True)),
    "a cell": lambda: layers.RNN(layers.SimpleRNNCell(3, activation=doubled), return_sequences=True),
}


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_a_clone_computes_what_its_origin_does(make, backend):
    inputs = keras.Input((4, 3))
    model = keras.Model(inputs, make()(inputs))
    clone = keras.models.clone_model(model)
    assert not {id(v) for v in clone.variables} & {id(v) for v in model.variables}
    clone.set_weights(model.get_weights())
    x = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")
    np.testing.assert_array_equal(clone.predict(x, verbose=0), model.predict(x, verbose=0))
    assert len(clone.losses) == len(model.losses)


def test_a_clone_is_compiled_with_functions_of_the_users_own(backend):
    def error(y_true, y_pred):
        return ops.mean(ops.abs(y_true - y_pred), -1)

    inputs = keras.Input((3,))
    model = keras.Model(inputs, layers.Dense(1)(inputs))
    model.compile("sgd", error, metrics=[error])
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    x, y = np.ones((4, 3), "float32"), np.zeros((4, 1), "float32")
    assert clone.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)


def test_a_config_does_not_refer_to_objects_of_a_copy_that_is_over():
    with pytest.raises(ValueError, match="Expected a config by names alone"):
        keras.saving.deserialize_keras_object({"class_name": "__live__", "config": 0})
    with pytest.raises(ValueError, match="Expected a config by names alone"):
        keras.saving.deserialize_keras_object({"class_name": "Dense", "config": {"units": 1}, "live_class": 0})


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_the_plan_of_a_copy_knows_its_own_tensors_and_no_others(copied):
    inputs = keras.Input((2,))
    hidden = keras.layers.Dense(3)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1)(hidden))
    twin = copied(model)
    assert hidden in model._graph_plan and hidden not in twin._graph_plan
    assert all(x in twin._graph_plan and x not in model._graph_plan for node in twin._graph_nodes for x in node.outputs)
