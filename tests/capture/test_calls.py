"""Calls of a model on arrays, compiled after a few."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops
from polykeras.capture.cache import steps_of
from polykeras.core import masks


def network(**options):
    keras.utils.set_random_seed(2)
    return keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="relu", **options), layers.Dense(2)])


def formula(model, x):
    kernel, bias, kernel_2, bias_2 = model.get_weights()
    return np.maximum(x @ kernel + bias, 0) @ kernel_2 + bias_2


def calls(model):
    """What the model keeps of calls from outside."""
    return [call for call in steps_of(model).values() if call._is_call]


def is_captured(model):
    return any(call._versions for call in calls(model))


@pytest.fixture(autouse=True)
def no_gradient_is_wanted(backend):
    """A call from outside is differentiable on PyTorch, and captured only where the program wants no gradient."""
    if backend.name != "torch":
        yield
        return
    import torch

    with torch.no_grad():
        yield


def test_every_call_gives_the_same_numbers(backend):
    model = network()
    x = np.linspace(-1, 1, 8, dtype="float32").reshape(2, 4)
    for _ in range(6):
        outputs = model(x)
        assert backend.is_array(outputs)
        np.testing.assert_allclose(ops.convert_to_numpy(outputs), formula(model, x), rtol=1e-5, atol=1e-6)
    assert is_captured(model) == backend.captures


def test_an_encoder_is_compiled_though_it_leaves_a_layer_inside_unused(backend):
    inputs = keras.Input((3, 4))
    model = keras.Model(inputs, layers.MultiHeadAttention(2, 2)(inputs, inputs))
    x = np.linspace(-1, 1, 12, dtype="float32").reshape(1, 3, 4)
    first, *others = [ops.convert_to_numpy(model(x)) for _ in range(6)]
    for other in others:
        np.testing.assert_allclose(other, first, rtol=1e-5, atol=1e-6)
    assert is_captured(model) == backend.captures


def test_only_the_mask_of_the_input_itself_keeps_a_call_as_it_is(backend):
    model, x, other = network(), ops.ones((2, 4)), np.ones(3)
    masks.set_mask(other, np.array([True, False, True]))
    for _ in range(5):
        model(x)
    assert is_captured(model) == backend.captures
    masks.set_mask(x, np.array([True, False]))
    assert masks.get_mask(model(x)) is not None


def test_weights_set_between_calls_count(backend):
    model = network()
    x = np.ones((1, 4), "float32")
    for factor in (1, 2, 3, 0, 5, 6):
        model.set_weights([w * 0 + factor for w in model.get_weights()])
        np.testing.assert_allclose(ops.convert_to_numpy(model(x)), formula(model, x), rtol=1e-5)


def test_a_gradient_goes_through_a_model_that_was_called_often(backend):
    model = network()
    x = np.ones((1, 4), "float32")
    for _ in range(6):
        model(x)
    _, gradients = ops.value_and_grad(lambda: ops.sum(model(x)), model.trainable_variables)()
    np.testing.assert_allclose(ops.convert_to_numpy(gradients[-1]), [1.0, 1.0])
    assert np.abs(ops.convert_to_numpy(gradients[0])).sum() > 0


def test_training_calls_keep_their_dropout(backend):
    model = keras.Sequential([keras.Input((100,)), layers.Dropout(0.5, seed=1)])
    x = np.ones((1, 100), "float32")
    for _ in range(5):
        np.testing.assert_array_equal(ops.convert_to_numpy(model(x)), x)
    one, other = (ops.convert_to_numpy(model(x, training=True)) for _ in range(2))
    assert (one == 0).any() and (one != other).any()


@pytest.mark.parametrize("kind", ["loss", "own layer", "mask"])
def test_calls_with_more_than_an_output_stay_as_they_are(backend, kind):
    class Doubled(layers.Layer):
        def call(self, inputs):
            return inputs * 2

    if kind == "loss":
        model, x = network(activity_regularizer="l2"), np.ones((1, 4), "float32")
    elif kind == "own layer":
        model, x = keras.Sequential([keras.Input((4,)), Doubled()]), np.ones((1, 4), "float32")
    else:
        model = keras.Sequential([keras.Input((3,), dtype="int32"), layers.Embedding(5, 2, mask_zero=True)])
        x = np.array([[1, 0, 2]])
    for _ in range(6):
        outputs = model(x)
        assert len(model.losses) == (kind == "loss")
    if kind == "mask":
        mask = masks.get_mask(outputs)
        np.testing.assert_array_equal(ops.convert_to_numpy(mask), [[True, False, True]])
    assert not is_captured(model)


def test_a_call_is_compiled_as_compile_asks(backend):
    if backend.name == "torch":
        pytest.skip("torch.compile takes a minute; tests/training asks for it once")
    model = network()
    x = np.linspace(-1, 1, 8, dtype="float32").reshape(2, 4)
    asked = []
    for jit_compile in ("auto", True, False):
        model.compile("sgd", "mse", jit_compile=jit_compile)
        for _ in range(5):
            np.testing.assert_allclose(ops.convert_to_numpy(model(x)), formula(model, x), rtol=1e-5, atol=1e-6)
        asked += [version.step._optimize for call in calls(model) for version in call._versions]
    assert asked == ([None, True, False] if backend.captures else [])
