"""Models whose layers change after they ran: nothing of the old graph is left."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops
from polykeras.capture.cache import steps_of

X = np.linspace(-1, 1, 24, dtype="float32").reshape(8, 3)


def stack():
    return keras.Sequential([keras.Input((3,)), layers.Dense(4, activation="relu"), layers.Dense(2)])


def formula(model, x):
    """What the layers of a stack give, one after the other."""
    for layer in model.layers:
        kernel, bias = layer.get_weights()
        x = layer.activation(x @ kernel + bias)
        x = ops.convert_to_numpy(x)
    return x


def ones_like_the_output(model):
    return np.ones((8, model.layers[-1].units), "float32")


USES = {
    "predict": lambda model, y: model.predict(X, verbose=0),
    "predict_on_batch": lambda model, y: model.predict_on_batch(X),
    "predict in batches": lambda model, y: model.predict(X, batch_size=4, verbose=0),
    "call": lambda model, y: [model(X) for _ in range(5)],
    "evaluate": lambda model, y: model.evaluate(X, y, verbose=0),
    "test_on_batch": lambda model, y: model.test_on_batch(X, y),
    "fit": lambda model, y: model.fit(X, y, verbose=0),
    "train_on_batch": lambda model, y: [model.train_on_batch(X, y) for _ in range(3)],
}
CHANGES = {
    "pop": lambda model: model.pop(),
    "add": lambda model: model.add(layers.Dense(5)),
    "another layer of the same shape": lambda model: (model.pop(), model.add(layers.Dense(2, activation="tanh"))),
    "pop without a new graph": lambda model: model.pop(rebuild=False),
    "add without a new graph": lambda model: model.add(layers.Dense(5), rebuild=False),
}


@pytest.mark.parametrize("is_inside", [False, True], ids=["itself", "inside another"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_stack_that_changed_gives_what_its_layers_give(backend, change, is_inside):
    inner = stack()
    model = keras.Sequential([keras.Input((3,)), inner]) if is_inside else inner
    model.compile("sgd", "mse")
    for use in USES.values():
        use(model, ones_like_the_output(inner))
    CHANGES[change](inner)
    inner.build((None, 3))
    expected = formula(inner, X)
    y = np.zeros_like(expected)
    loss = np.mean(expected**2)
    for _ in range(5):
        np.testing.assert_allclose(ops.convert_to_numpy(model(X)), expected, rtol=1e-4, atol=1e-5)
    for name in ("predict", "predict_on_batch", "predict in batches"):
        np.testing.assert_allclose(USES[name](model, y), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose([model.evaluate(X, y, verbose=0), model.test_on_batch(X, y)], loss, rtol=1e-4)
    model.compile("sgd", "mse")  # an optimizer is for the variables it was built for
    np.testing.assert_allclose(model.train_on_batch(X, y), loss, rtol=1e-4)
    before = inner.layers[-1].get_weights()[1]
    model.fit(X, y, verbose=0)
    assert (inner.layers[-1].get_weights()[1] != before).any()


def test_popping_from_the_list_of_layers_changes_nothing(backend):
    model = stack()
    before = model.predict(X, verbose=0)
    model.layers.pop()
    np.testing.assert_array_equal(model.predict(X, verbose=0), before)


def test_a_stack_under_way_leaves_what_others_compiled_alone(backend):
    model = stack()
    for _ in range(5):
        model(X)
    compiled = steps_of(model).values()
    stack().pop()
    model(X)
    assert steps_of(model).values() == compiled


def test_a_call_compiled_before_an_own_layer_came_in_is_not_repeated(backend):
    class Counting(layers.Layer):
        count = 0

        def call(self, inputs):
            Counting.count += 1
            return inputs

    inner = stack()
    model = keras.Sequential([keras.Input((3,)), inner])
    for _ in range(5):
        model(X)
    inner.add(Counting())
    Counting.count = 0
    for _ in range(6):
        model(X)
    assert Counting.count >= 6


def test_a_loss_added_after_training_counts(backend):
    inputs = keras.Input((3,))
    model = keras.Model(inputs, layers.Dense(1, kernel_initializer="zeros")(inputs))
    model.compile("sgd", "mse")
    for use in ("evaluate", "fit", "evaluate"):
        USES[use](model, np.zeros((8, 1)))
    model.add_loss(ops.sum(inputs * 0) + 3)
    np.testing.assert_allclose(model.evaluate(X, np.zeros((8, 1)), verbose=0), 3, atol=1e-6)
    assert model.fit(X, np.zeros((8, 1)), verbose=0).history["loss"] == pytest.approx([3])


def test_a_built_stack_refuses_another_shape():
    model = stack()
    model.build((None, 3))
    model.build((7, 3))
    with pytest.raises(ValueError, match="Expected the input shape .*3.* Received: .*5"):
        model.build((None, 5))


@pytest.mark.parametrize("is_input", [True, False], ids=["an input", "an inner tensor"])
@pytest.mark.parametrize("has_input", [True, False], ids=["known", "deferred"])
def test_a_clone_starts_from_the_tensors_that_it_is_given(backend, has_input, is_input):
    first = [keras.Input((7,))] if has_input else []
    model = keras.Sequential([*first, layers.Dense(2, activation="relu")])
    start = keras.Input((7,), batch_size=5)
    start = start if is_input else layers.Dense(7)(start)
    clone = keras.models.clone_model(model, input_tensors=start)
    assert (clone.input_shape, clone.output_shape) == ((5, 7), (5, 2))
    assert clone.count_params() == 7 * 2 + 2
    assert (clone.inputs[0] is start) == is_input
    x = np.ones((5, 7), "float32")
    np.testing.assert_allclose(clone.predict(x, verbose=0), formula(clone, x), rtol=1e-5)
    assert model.built == has_input
