"""What a program of Keras 2 computes from variables outside of a step follows the variables, as in a graph."""

import copy

import numpy as np
import pytest

import polykeras as keras
from polykeras import backend as K
from polykeras.core.expressions import Expression
from polykeras.layers import Dense, Lambda, Layer
from polykeras.models import Sequential

X = np.linspace(-1, 1, 24, dtype="float32").reshape(8, 3)
Y = (X[:, :2] * [1.0, -2.0] + [3.0, 4.0]).astype("float32")


@pytest.fixture(autouse=True)
def era_of_keras_2(keras_2, backend):
    """All tests run in the era of Keras 2, on each backend."""


class Gated(Layer):
    """``x @ left + 2 * (x @ right)``, where one weight holds both matrices."""

    def build(self, input_shape):
        self.kernel = self.add_weight(name="kernel", shape=(input_shape[-1], 4), initializer="glorot_uniform")
        self.left = self.kernel[:, :2]
        self.right = K.reshape(2 * self.kernel[:, 2:], (-1, 2))
        super().build(input_shape)

    def call(self, inputs):
        return K.dot(inputs, self.left) + K.dot(inputs, self.right)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 2)


def descended(kernel, rate, steps):
    """Gradient descent on the mean squared error, by hand."""
    kernel = kernel.astype("float64")
    for _ in range(steps):
        error = X @ (kernel[:, :2] + 2 * kernel[:, 2:]) - Y
        by_output = X.T @ error * 2 / error.size
        kernel = kernel - rate * np.concatenate([by_output, 2 * by_output], axis=1)
    return kernel


def test_parts_of_a_weight_made_in_build_are_trained():
    model = Sequential([Gated(input_shape=(3,))])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    [kernel] = model.get_weights()
    for _ in range(3):
        model.train_on_batch(X, Y)
    np.testing.assert_allclose(model.get_weights()[0], descended(kernel, 0.1, 3), rtol=1e-4, atol=1e-6)
    assert len(model.weights) == 1


def test_parts_of_a_weight_follow_loaded_and_copied_weights(tmp_path):
    model, other = Sequential([Gated(input_shape=(3,))]), Sequential([Gated(input_shape=(3,))])
    model.save_weights(str(tmp_path / "weights.h5"))
    other.load_weights(str(tmp_path / "weights.h5"))
    kernel = model.get_weights()[0]
    expected = X @ (kernel[:, :2] + 2 * kernel[:, 2:])
    for each in (model, other, copy.deepcopy(model)):
        np.testing.assert_allclose(each.predict(X), expected, rtol=1e-5, atol=1e-6)
    copied = copy.deepcopy(model)
    copied.set_weights([0 * kernel])
    assert not copied.predict(X).any() and model.predict(X).any()


class Decaying(Layer):
    """A cell whose gates are slices of its weight."""

    def __init__(self, units, **kwargs):
        self.units = self.state_size = units
        super().__init__(**kwargs)

    def build(self, input_shape):
        self.kernel = self.add_weight(name="kernel", shape=(input_shape[-1], 2 * self.units), initializer="ones")
        self.kernel_in, self.kernel_keep = self.kernel[:, : self.units], self.kernel[:, self.units :]
        self.built = True

    def call(self, inputs, states):
        state = K.dot(inputs, self.kernel_in) + states[0] * K.sigmoid(K.dot(inputs, self.kernel_keep))
        return state, [state]


def test_a_recurrent_cell_trains_the_slices_of_its_weight():
    model = Sequential([keras.layers.RNN(Decaying(2), input_shape=(4, 3))])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    [before] = model.get_weights()
    model.train_on_batch(np.tile(X[:, None], (1, 4, 1)), Y)
    [after] = model.get_weights()
    assert (before != after).all()


def test_functions_and_updates_compute_from_current_values():
    w, follower = K.variable([1.0, 2.0]), K.variable([0.0, 0.0])
    step = K.function([], [K.sum(w * w)], updates=[(follower, 0.5 * follower + 0.5 * w)])
    assert step([])[0] == 5
    K.set_value(w, [3.0, 4.0])
    assert step([])[0] == 25
    np.testing.assert_allclose(K.get_value(follower), [1.75, 2.5])
    [gradient] = K.gradients(K.sum(w * w), [w])
    np.testing.assert_allclose(K.function([], [gradient])([])[0], [6, 8])


def test_a_penalty_added_to_a_model_is_trained():
    model = Sequential([Dense(2, input_shape=(2,), kernel_initializer="ones", use_bias=False)])
    model.add_loss(K.sum(K.square(model.layers[0].kernel)))
    model.compile(keras.optimizers.SGD(0.125), "mse")
    zeros = np.zeros((4, 2), "float32")
    np.testing.assert_allclose([model.train_on_batch(zeros, zeros) for _ in range(3)], [4, 2.25, 1.265625], rtol=1e-5)


def test_expressions_are_arrays_to_everybody_else():
    w = K.variable([[1.0, 2.0], [3.0, 4.0]])
    twice = 2 * w
    assert isinstance(twice, Expression) and K.int_shape(twice) == (2, 2) and K.ndim(twice) == 2
    assert K.is_tensor(twice) and not K.is_variable(twice) and len(twice) == 2
    assert float(K.sum(twice)) == 20 and K.mean(w) > 2 and int(K.max(w)) == 4
    for value in (np.asarray(twice), twice.numpy(), K.eval(twice), K.get_value(K.transpose(K.transpose(twice)))):
        np.testing.assert_array_equal(value, [[2, 4], [6, 8]])
    mean, variance = keras.ops.moments(w, axes=0)
    np.testing.assert_allclose(np.stack([mean, variance]), [[2, 3], [1, 1]])
    w.assign(twice)
    np.testing.assert_array_equal(K.get_value(w), [[2, 4], [6, 8]])
    np.testing.assert_array_equal(K.get_value(K.variable(w + 1)), [[3, 5], [7, 9]])
    x = keras.Input((2,))
    np.testing.assert_array_equal(keras.Model(x, Lambda(lambda x: x * w[0])(x)).predict(np.ones((1, 2))), [[2, 4]])


def test_the_era_of_keras_3_computes_at_once():
    keras.config.set_era("keras3")
    w = keras.Variable([1.0, 2.0])
    before = w * 2
    w.assign([0.0, 0.0])
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(before), [2, 4])


class Following(keras.optimizers.Optimizer):
    """Lets variables follow those that another optimizer trains."""

    def __init__(self, optimizer, further):
        super().__init__()
        self.optimizer, self.further = optimizer, further

    def get_updates(self, params, loss):
        self.updates = self.optimizer.get_updates(params=params, loss=loss) + self.further
        return self.updates


def test_an_optimizer_adds_updates_to_those_of_another():
    def made():
        return Sequential([Dense(2, input_shape=(3,), kernel_initializer="ones")])

    model, target, other = made(), made(), made()
    pairs = zip(target.weights, model.weights, strict=True)
    updates = [(followed, 0.75 * followed + 0.25 * leading) for followed, leading in pairs]
    model.compile(Following(keras.optimizers.Adam(0.1), updates), "mse")
    other.compile(keras.optimizers.Adam(0.1), "mse")
    expected = target.get_weights()
    for _ in range(3):
        expected = [0.75 * a + 0.25 * b for a, b in zip(expected, model.get_weights(), strict=True)]
        model.train_on_batch(X, Y)
        other.train_on_batch(X, Y)
    for own, plain in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(own, plain, rtol=1e-5)
    for own, by_hand in zip(target.get_weights(), expected, strict=True):
        np.testing.assert_allclose(own, by_hand, rtol=1e-5)


class Halved(keras.optimizers.SGD):
    """Changes what the built-in class assigns, through ``K.update``."""

    def get_updates(self, loss, params):
        update = K.update

        def halfway(variable, value):
            return update(variable, 0.5 * (variable + value) if any(variable is p for p in params) else value)

        K.update = halfway
        try:
            return super().get_updates(loss, params)
        finally:
            K.update = update


class Doubled(keras.optimizers.SGD):
    """Changes the gradients after they are clipped."""

    def get_gradients(self, loss, params):
        return [2 * gradient for gradient in super().get_gradients(loss, params)]


@pytest.mark.parametrize("cls, factor", [(Halved, 0.5), (Doubled, 2)])
def test_a_built_in_optimizer_is_changed_by_the_methods_of_keras_2(cls, factor):
    models = [Sequential([Dense(2, input_shape=(3,), kernel_initializer="ones")]) for _ in range(2)]
    models[0].compile(cls(0.25, clipnorm=0.5), "mse")
    models[1].compile(keras.optimizers.SGD(0.25 * factor, clipnorm=0.5), "mse")
    for model in models:
        for _ in range(3):
            model.train_on_batch(X, Y)
    for own, plain in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(own, plain, rtol=1e-5, atol=1e-6)
    assert models[0].optimizer.get_weights()[0] == 3


class ByNorm(keras.optimizers.Optimizer):
    """Reads its own weights before it has listed any, and has settings of its own."""

    def __init__(self, lr=0.1, decay=0.0, **kwargs):
        super().__init__(**kwargs)
        self.lr, self.decay, self.initial_decay = K.variable(lr), K.variable(decay), decay
        self.iterations = K.variable(0, dtype="int64")

    def get_updates(self, loss, params):
        assert self.get_weights() == []
        self.updates, self.weights = [K.update_add(self.iterations, 1)], [self.iterations]
        rate = self.lr
        if self.initial_decay > 0:
            rate = rate / (1 + self.decay * K.cast(self.iterations, "float32"))
        pairs = zip(params, self.get_gradients(loss, params), strict=True)
        self.updates += [K.update(p, p - rate * gradient) for p, gradient in pairs]
        return self.updates


def test_an_optimizer_has_listed_no_weights_before_its_updates():
    models = [Sequential([Dense(2, input_shape=(3,), kernel_initializer="ones")]) for _ in range(2)]
    models[0].compile(ByNorm(0.1, decay=0.5), "mse")
    models[1].compile(keras.optimizers.SGD(0.1, decay=0.5), "mse")
    for model in models:
        for _ in range(3):
            model.train_on_batch(X, Y)
    for own, plain in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(own, plain, rtol=1e-5, atol=1e-6)
    assert models[0].optimizer.get_config()["decay"] == 0.5 and models[0].optimizer.get_weights() == [3]


def test_slopes_and_bounds_of_relu_are_weights():
    slope, bound, threshold = K.variable([0.1, 0.2, 0.3]), K.constant(0.75), K.variable(0.25)
    x = keras.Input((3,))
    outputs = [
        Lambda(lambda x: K.relu(x, slope, bound, threshold))(x),
        Lambda(lambda x: K.relu(x, alpha=slope))(x),
        Lambda(lambda x: K.elu(x, slope))(x),
    ]
    relu, leaky, elu = keras.Model(x, outputs).predict(X)
    a = K.get_value(slope)
    expected = np.where(X > 0.25, np.minimum(X, 0.75), a * (X - 0.25))
    np.testing.assert_allclose(relu, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(leaky, np.where(X > 0, X, a * X), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(elu, np.where(X > 0, X, a * np.expm1(X)), rtol=1e-5, atol=1e-6)


def test_programs_see_that_a_tensor_of_unknown_length_is_no_list_of_outputs():
    model = Sequential([Dense(2, input_shape=(3,))])
    assert not hasattr(model.output, "__len__") and len(keras.Input(batch_shape=(4, 2))) == 4
    with pytest.raises(TypeError, match="known length"):
        len(model.output)


def test_variables_and_tensors_are_equal_if_they_are_the_same():
    ones = [K.variable(1.0), K.variable(1.0), K.variable([1.0, 1.0])]
    assert ones[0] == ones[0] and ones[0] != ones[1] and ones[1] not in [ones[0], ones[2]]
    assert [ones.index(variable) for variable in ones] == [0, 1, 2]
    x, y = keras.Input((2,)), keras.Input((3,))
    again = keras.Model(x, x).inputs[0]
    assert x != y and again == x and y in [x, y] and x not in [y]
    np.testing.assert_array_equal(K.get_value(K.equal(ones[0], ones[2])), [True, True])
    keras.config.set_era("keras3")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(ones[0] == ones[2]), [True, True])


def test_modules_show_what_programs_take_from_them():
    assert keras.models.Input is keras.layers.Input and keras.models.InputLayer is keras.layers.InputLayer
    assert keras.losses.cosine is keras.losses.cosine_proximity
    assert keras.metrics.cosine is keras.metrics.cosine_proximity
