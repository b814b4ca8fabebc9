"""What trains is what was trainable at ``compile``, whatever is set later."""

import warnings

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops

ROWS = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")
SUMS = ROWS.sum(1, keepdims=True)


def small(*extra, name=None):
    return keras.Sequential(
        [keras.Input((4,)), layers.Dense(4), *extra, layers.LeakyReLU(), layers.Dense(4)], name=name
    )


def subclassed(*extra):
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = small(*extra)

        def call(self, x, training=None):
            return self.inner(x, training=training)

    return Model()


def functional(*extra):
    inputs = keras.Input((4,))
    return keras.Model(inputs, small(*extra)(inputs))


def changed(model, train):
    """How many weights of a model a function changes."""
    before = model.get_weights()
    train()
    return sum(not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def train(model, how):
    targets = np.zeros((16, 4), "float32") + SUMS
    if how == "fit":
        model.fit(ROWS, targets, verbose=0)
    else:
        model.train_on_batch(ROWS, targets)


@pytest.mark.filterwarnings("ignore:Model")
@pytest.mark.parametrize("how", ["fit", "train_on_batch"])
@pytest.mark.parametrize("make", [small, functional, subclassed])
def test_a_discriminator_frozen_for_the_combined_model_trains_by_itself(backend, make, how):
    discriminator = make(layers.BatchNormalization())
    discriminator(ROWS[:1])
    discriminator.compile("sgd", "mse")
    discriminator.trainable = False
    check_both(discriminator, how)


@pytest.mark.filterwarnings("ignore:Model")
@pytest.mark.parametrize("how", ["fit", "train_on_batch"])
@pytest.mark.parametrize("is_trained_first", [False, True])
def test_a_discriminator_without_weights_yet_may_be_frozen_too(backend, how, is_trained_first):
    discriminator = keras.Sequential([layers.Dense(4), layers.BatchNormalization(), layers.Dense(4)])
    discriminator.compile("sgd", "mse")
    discriminator.trainable = False
    if is_trained_first:
        train(discriminator, how)
    check_both(discriminator, how)


def check_both(discriminator, how):
    """Train a discriminator that was frozen after its compilation, by itself and behind a generator."""
    generator = small()
    inputs = keras.Input((4,))
    combined = keras.Model(inputs, discriminator(generator(inputs)))
    combined.compile("sgd", "mse")
    everything = len(discriminator.weights)
    for _ in range(2):
        # All change, the statistics of BatchNormalization too; only the bias before it has no gradient.
        assert changed(discriminator, lambda: train(discriminator, how)) >= everything - 1
        assert changed(discriminator, lambda: train(combined, how)) == 0
        assert changed(generator, lambda: train(combined, how)) == len(generator.weights)
    assert not discriminator.trainable
    assert discriminator.trainable_weights == []
    discriminator.trainable = True
    assert changed(discriminator, lambda: train(combined, how)) == 0


def test_fine_tuning_goes_by_the_last_compile(backend):
    base = small()
    model = keras.Sequential([keras.Input((4,)), base, layers.Dense(4)])
    base.trainable = False
    model.compile("adam", "mse")
    assert changed(base, lambda: train(model, "fit")) == 0
    base.trainable = True
    with pytest.warns(UserWarning, match="trains the 2 weights .* 6 are trainable now"):
        assert changed(base, lambda: train(model, "fit")) == 0
    model.compile("adam", "mse")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert changed(base, lambda: train(model, "fit")) == 4
        base.layers[0].trainable = False
        model.compile("adam", "mse")
        assert changed(base, lambda: train(model, "fit")) == 2


def test_a_change_after_compile_is_told_once(backend):
    model = small()
    model.compile("sgd", "mse")
    model.layers[0].trainable = False
    with pytest.warns(UserWarning, match="trains the 4 weights .* 2 are trainable now") as told:
        for how in ("fit", "train_on_batch", "fit"):
            train(model, how)
    assert len([w for w in told if "trainable" in str(w.message)]) == 1


def test_a_model_with_nothing_to_train_says_so_once(backend):
    model = small()
    model.trainable = False
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match="none of its 4 was trainable") as told:
        assert changed(model, lambda: [train(model, "fit"), train(model, "train_on_batch")]) == 0
    assert len([w for w in told if "trainable" in str(w.message)]) == 1


def test_layers_made_after_compile_train_by_flags_of_their_own(backend):
    model = keras.Sequential([layers.Dense(4), layers.Dense(4, trainable=False)])
    model.compile("sgd", "mse")
    train(model, "fit")
    assert changed(model, lambda: train(model, "fit")) == 2
    late = keras.Sequential([layers.Dense(4)])
    late.compile("sgd", "mse")
    late.add(layers.Dense(4))
    train(late, "fit")
    assert changed(late, lambda: train(late, "fit")) == 4


@pytest.mark.filterwarnings("ignore:Model")
def test_a_users_step_trains_what_was_settled_and_may_set_flags_itself(backend):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.body, self.head = layers.Dense(4), layers.Dense(4)

        def call(self, x):
            return self.head(self.body(x))

        def train_step(self, data):
            x, y = data

            def loss():
                return ops.mean(ops.square(self(x, training=True) - y))

            value, gradients = ops.value_and_grad(loss, self.trainable_variables)()
            self.optimizer.apply(gradients, self.trainable_variables)
            return {"loss": value}

    model = Own()
    model(ROWS[:1])
    model.compile("sgd")
    model.body.trainable = False
    assert changed(model, lambda: train(model, "fit")) == 4
    assert changed(model, lambda: train(model, "train_on_batch")) == 4
    assert model.trainable_variables == model.head.weights


@pytest.mark.filterwarnings("ignore:Model")
def test_a_callback_may_freeze_for_the_next_compile(backend):
    class Freeze(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.layers[0].trainable = False

    model = small()
    model.compile("sgd", "mse")
    targets = np.zeros((16, 4), "float32")
    assert changed(model, lambda: model.fit(ROWS, targets, batch_size=4, verbose=0, callbacks=[Freeze()])) == 4
    assert not model.layers[0].trainable
    model.compile("sgd", "mse")
    assert changed(model, lambda: train(model, "fit")) == 2


def test_the_flags_of_single_weights_are_settled_too(backend):
    model = small()
    model.layers[0].bias.trainable = False
    model.compile("sgd", "mse")
    assert changed(model, lambda: train(model, "fit")) == 3


class Masked(layers.Layer):
    """Sets all but the first two rows of its kernel to zero at each call, as masked convolutions do."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 1), initializer="ones", name="kernel")
        self.mask = np.array([[1.0], [1.0], [0.0], [0.0]], "float32")

    def call(self, x):
        self.kernel.assign(self.kernel * self.mask)
        return ops.matmul(x, self.kernel)


def test_a_weight_that_a_call_assigns_is_trained_at_the_value_assigned(backend):
    """Keras differentiates with respect to the weight, not to what its value was computed from."""
    model = keras.Sequential([keras.Input((4,)), Masked()])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    kernel = np.ones((4, 1), "float32")
    for rows in (ROWS[:8], ROWS[8:]):
        kernel = kernel * [[1], [1], [0], [0]]
        kernel = kernel - 0.1 * 2 * rows.T @ (rows @ kernel - rows.sum(1, keepdims=True)) / 8
    model.fit(ROWS, SUMS, batch_size=8, shuffle=False, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], kernel, rtol=1e-4, atol=1e-6)
