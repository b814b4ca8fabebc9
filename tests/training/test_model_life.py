"""What happens to a model between compile and the end of its life: stopped, frozen, copied, pickled."""

import copy
import pickle

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops


def data(rows=32, seed=0):
    x = np.random.default_rng(seed).normal(size=(rows, 3)).astype("float32")
    return x, x.sum(-1, keepdims=True)


def small(**arguments):
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, activation="relu", name="hidden"), layers.Dense(1, name="last")]
    )
    model.compile(**{"optimizer": keras.optimizers.SGD(0.05, momentum=0.9), "loss": "mse", **arguments})
    return model


COPIES = {"pickle": lambda model: pickle.loads(pickle.dumps(model)), "deepcopy": copy.deepcopy}


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_of_a_trained_model_goes_on_as_the_model_itself_would(backend, way):
    model = small(metrics=["mae"])
    x, y = data()
    model.fit(x, y, epochs=2, shuffle=False, verbose=0)
    duplicate = COPIES[way](model)
    assert int(duplicate.optimizer.iterations) == 2
    np.testing.assert_array_equal(duplicate.predict(x, verbose=0), model.predict(x, verbose=0))
    trained = model.fit(x, y, epochs=2, shuffle=False, verbose=0).history
    untouched = duplicate.evaluate(x, y, verbose=0)
    assert untouched != model.evaluate(x, y, verbose=0)
    assert duplicate.fit(x, y, epochs=2, shuffle=False, verbose=0).history == trained


class Scale(keras.Model):
    """A model class of a user, with a weight of its own."""

    def __init__(self):
        super().__init__()
        self.factor = self.add_weight(shape=(), initializer="ones", name="factor")

    def call(self, x):
        return x * self.factor


@pytest.mark.parametrize("way", COPIES)
def test_copies_keep_graphs_shared_layers_nested_models_and_classes_of_users(way):
    inputs = keras.Input((3,))
    shared = layers.Dense(3, name="shared")
    joined = ops.concatenate([shared(inputs), shared(shared(inputs))], axis=-1)
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(2)])
    model = keras.Model(inputs, {"inner": inner(joined * 2.0), "scaled": Scale()(joined)})
    duplicate = COPIES[way](model)
    x, _ = data()
    for name, value in duplicate.predict(x, verbose=0).items():
        np.testing.assert_array_equal(value, model.predict(x, verbose=0)[name])
    assert duplicate.get_layer("shared") is not model.get_layer("shared")
    lines, copied = [], []
    model.summary(print_fn=lines.append)
    duplicate.summary(print_fn=copied.append)
    assert lines == copied


@pytest.mark.parametrize("way", COPIES)
def test_copies_of_deep_graphs_need_no_deep_recursion(way):
    x = inputs = keras.Input((1,))
    for _ in range(400):
        x = layers.Add()([x, inputs])
    duplicate = COPIES[way](keras.Model(inputs, x))
    assert duplicate(np.ones((1, 1), "float32"))[0, 0] == 401


def test_a_copied_stack_grows_by_itself():
    stack = keras.Sequential([keras.Input((3,))])
    duplicate = copy.deepcopy(stack)
    duplicate.add(layers.Dense(2))
    assert duplicate.output_shape == (None, 2) and stack.layers == []


def test_a_copied_optimizer_leaves_out_the_weights_that_it_was_told_to():
    model = small()
    model.optimizer = keras.optimizers.AdamW(0.0, weight_decay=0.5)
    model.optimizer.exclude_from_weight_decay(var_list=[model.get_layer("hidden").kernel])
    duplicate = copy.deepcopy(model)
    weights = duplicate.trainable_variables
    duplicate.optimizer.learning_rate = 0.1
    before = [w.numpy() for w in weights]
    duplicate.optimizer.apply([ops.zeros_like(w) for w in weights], weights)
    hidden, last = weights[0].numpy(), weights[2].numpy()
    np.testing.assert_array_equal(hidden, before[0])
    np.testing.assert_allclose(last, before[2] * (1 - 0.1 * 0.5), rtol=1e-6)
