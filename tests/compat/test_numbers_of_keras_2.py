"""Numbers of training that differ between Keras 2.3.1 and Keras 3, against NumPy formulas, on every backend."""

import numpy as np
import pytest

import polykeras as keras
from polykeras.layers import BatchNormalization, Conv2D, Dense, Input
from polykeras.models import Model, Sequential

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")


pytestmark = pytest.mark.usefixtures("keras_2")


def steps(optimizer, gradients, start=(1.0, 2.0)):
    """Apply gradients one after another; return the weights."""
    weight = keras.Variable(np.array(start, "float32"))
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(np.array(gradient, "float32"))], [weight])
    return weight.numpy()


SMALL = [[1e-4, -3e-4], [2e-4, 1e-5]]


def test_rmsprop_adds_epsilon_to_the_root(backend):
    expected, square = np.array([1.0, 2.0]), np.zeros(2)
    for gradient in np.array(SMALL):
        square = 0.9 * square + 0.1 * gradient**2
        expected -= 0.01 * gradient / (np.sqrt(square) + 1e-7)
    np.testing.assert_allclose(steps(keras.optimizers.RMSprop(0.01), SMALL), expected, rtol=1e-5)


def test_adagrad_adds_epsilon_to_the_root(backend):
    squares = np.cumsum(np.square(SMALL), 0)
    expected = [1.0, 2.0] - (0.01 * np.array(SMALL) / (np.sqrt(squares) + 1e-7)).sum(0)
    np.testing.assert_allclose(steps(keras.optimizers.Adagrad(), SMALL), expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["Adadelta", "Adagrad", "Adam", "Adamax", "Nadam", "RMSprop"])
def test_no_epsilon_means_the_usual_one(backend, name):
    kind = getattr(keras.optimizers, name)
    np.testing.assert_array_equal(steps(kind(epsilon=None), SMALL), steps(kind(), SMALL))
    assert kind(epsilon=None).get_config()["epsilon"] == 1e-7


def test_clipnorm_bounds_the_joint_norm_and_clipvalue_follows(backend):
    first, second = keras.Variable([0.0]), keras.Variable([0.0, 0.0])
    optimizer = keras.optimizers.SGD(1.0, clipnorm=5.0, clipvalue=3.5)
    gradients = [keras.ops.convert_to_tensor(np.array(g, "float32")) for g in ([6.0], [8.0, 0.0])]
    optimizer.apply(gradients, [first, second])
    np.testing.assert_allclose(first.numpy(), [-3.0], rtol=1e-5)
    np.testing.assert_allclose(second.numpy(), [-3.5, 0.0], rtol=1e-5)
    keras.config.set_era("keras3")
    with pytest.raises(ValueError, match="at most one"):
        keras.optimizers.SGD(clipnorm=1.0, clipvalue=1.0)


@pytest.mark.parametrize("is_image", [False, True])
def test_the_moving_variance_is_that_of_an_estimate_without_bias(backend, is_image):
    x = np.random.default_rng(1).normal(size=(8, 2, 2, 3)).astype("float32") if is_image else X
    count = x.size / 3
    model = Sequential([Input(x.shape[1:]), BatchNormalization(momentum=0.5)])
    model.compile("sgd", "mse")
    model.train_on_batch(x, x)
    axes = tuple(range(x.ndim - 1))
    mean, variance = model.layers[-1].get_weights()[2:]
    np.testing.assert_allclose(mean, 0.5 * x.mean(axes), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(variance, 0.5 + 0.5 * x.var(axes) * count / (count - 1.001), rtol=1e-4)


def test_a_frozen_normalization_uses_the_batch_in_training_and_keeps_nothing(backend):
    x = Input((3,))
    frozen = BatchNormalization(trainable=False)
    model = Model(x, Dense(1, kernel_initializer="ones")(frozen(x)))
    model.compile("sgd", "mse")
    target = ((X - X.mean(0)) / np.sqrt(X.var(0) + 1e-3)).sum(1, keepdims=True)
    assert model.train_on_batch(X, target) < 1e-8 < model.test_on_batch(X, target)
    assert (frozen.get_weights()[2] == 0).all() and (frozen.get_weights()[3] == 1).all()


def test_a_convolutional_model_trains_with_all_of_it(backend):
    model = Sequential([Input((5, 5, 1)), Conv2D(2, 3), BatchNormalization(), keras.layers.Flatten(), Dense(1)])
    model.compile(keras.optimizers.RMSprop(lr=0.01, epsilon=None, decay=1e-3, clipnorm=1.0), "mse")
    x = np.random.default_rng(2).normal(size=(16, 5, 5, 1)).astype("float32")
    history = model.fit(x, x.mean((1, 2)), epochs=5, verbose=0).history["loss"]
    assert history[-1] < history[0] and model.optimizer.initial_decay == 1e-3


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_bilinear_upsampling_samples_from_the_corners_of_pixels(backend, data_format):
    x = np.random.default_rng(3).normal(size=(2, 3, 4, 1)).astype("float32")
    places = np.meshgrid(np.arange(6) / 2, np.arange(12) / 3, indexing="ij")
    low = [np.floor(place).astype(int) for place in places]
    high = [np.minimum(place + 1, size - 1) for place, size in zip(low, (3, 4), strict=True)]
    down, right = (place - floor for place, floor in zip(places, low, strict=True))
    weights = [(low[0], low[1], (1 - down) * (1 - right)), (low[0], high[1], (1 - down) * right)]
    weights += [(high[0], low[1], down * (1 - right)), (high[0], high[1], down * right)]
    expected = sum(x[:, rows, columns, 0] * weight for rows, columns, weight in weights)
    turn = (lambda x: np.moveaxis(x, -1, 1)) if data_format == "channels_first" else (lambda x: x)
    layer = keras.layers.UpSampling2D((2, 3), data_format, interpolation="bilinear")
    unknown = (None, None, 1) if data_format == "channels_last" else (1, None, None)
    for source in (Input(turn(x).shape[1:]), Input(unknown)):
        result = Model(source, layer(source)).predict(turn(x))
        np.testing.assert_allclose(result, turn(expected[..., None]), rtol=1e-4, atol=1e-5)
    images = keras.backend.resize_images(turn(x), 2, 3, data_format, "bilinear")
    np.testing.assert_allclose(keras.backend.get_value(images), turn(expected[..., None]), rtol=1e-4, atol=1e-5)


def test_the_mean_of_a_masked_loss_is_over_all_entries(backend):
    words = Input((4,))
    hidden = keras.layers.Embedding(5, 2, mask_zero=True, embeddings_initializer="ones")(words)
    model = Model(words, keras.layers.TimeDistributed(Dense(1, kernel_initializer="ones"))(hidden))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    x, y = np.array([[1, 2, 0, 0], [3, 0, 0, 0]]), np.zeros((2, 4, 1), "float32")
    assert model.train_on_batch(x, y) == pytest.approx(3 * 4 / 8)
    np.testing.assert_allclose(model.get_weights()[2], [-0.1 * 3 * 4 / 8], rtol=1e-5)
    keras.config.set_era("keras3")
    model.set_weights([np.ones((5, 2)), np.ones((2, 1)), np.zeros(1)])
    model.compile("sgd", "mse")
    assert model.test_on_batch(x, y) == pytest.approx(4)
