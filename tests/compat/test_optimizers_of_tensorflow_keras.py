"""Optimizers that programs derive as in tf.keras 2: with slots, hyperparameters and updates of resources."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import ops

RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 3)).astype("float32")
Y = RNG.normal(size=(8, 2)).astype("float32")


def gradient(w):
    return 2 * X.T @ (X @ w - Y) / Y.size


class Belief(keras.optimizers.Optimizer):
    """AdaBelief, written as programs of tf.keras are."""

    def __init__(self, learning_rate=0.01, beta_1=0.9, beta_2=0.99, name="Belief", **kwargs):
        super().__init__(name, **kwargs)
        self._set_hyper("learning_rate", kwargs.get("lr", learning_rate))
        self._set_hyper("beta_1", beta_1)
        self._set_hyper("beta_2", beta_2)
        self._set_hyper("decay", self._initial_decay)

    def _create_slots(self, var_list):
        for var in var_list:
            self.add_slot(var, "m")
            self.add_slot(var, "s")

    def _prepare_local(self, var_device, var_dtype, apply_state):
        super()._prepare_local(var_device, var_dtype, apply_state)
        step = ops.cast(self.iterations + 1, var_dtype)
        betas = [self._get_hyper(name, var_dtype) for name in ("beta_1", "beta_2")]
        apply_state[var_device, var_dtype].update(betas=betas, powers=[ops.power(beta, step) for beta in betas])

    def _resource_apply_dense(self, grad, var, apply_state=None):
        device, dtype = var.device, var.dtype.base_dtype
        shared = (apply_state or {}).get((device, dtype)) or self._fallback_apply_state(device, dtype)
        (b1, b2), (p1, p2) = shared["betas"], shared["powers"]
        m, s = self.get_slot(var, "m"), self.get_slot(var, "s")
        m_new = m.assign(b1 * m + (1 - b1) * grad, use_locking=self._use_locking)
        s_new = s.assign(b2 * s + (1 - b2) * ops.square(grad - m_new) + 1e-7, use_locking=self._use_locking)
        step = (m_new / (1 - p1)) / (ops.sqrt(s_new / (1 - p2)) + 1e-7)
        return var.assign_sub(shared["lr_t"] * step, use_locking=self._use_locking)

    def get_config(self):
        names = ("learning_rate", "beta_1", "beta_2")
        return {**super().get_config(), **{name: self._serialize_hyperparameter(name) for name in names}}


def belief(w, steps, rate=lambda t: 0.01, b1=lambda t: 0.9):
    m, s = np.zeros_like(w), np.zeros_like(w)
    power = 1.0
    for t in range(steps):
        beta = b1(t)
        power = beta ** (t + 1)
        g = gradient(w)
        m = beta * m + (1 - beta) * g
        s = 0.99 * s + 0.01 * (g - m) ** 2 + 1e-7
        w = w - rate(t) * (m / (1 - power)) / (np.sqrt(s / (1 - 0.99 ** (t + 1))) + 1e-7)
    return w


@pytest.fixture(autouse=True)
def era(keras_2):
    """The era of Keras 2."""


def model_with(optimizer):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, use_bias=False)])
    model.compile(optimizer, "mse")
    return model


def trained(model, steps):
    model.fit(X, Y, batch_size=8, epochs=steps, shuffle=False, verbose=0)
    return model.get_weights()[0]


def test_fit_updates_by_the_programs_formula(backend):
    model = model_with(Belief())
    (w,) = model.get_weights()
    np.testing.assert_allclose(trained(model, 5), belief(w, 5), rtol=1e-4, atol=1e-5)
    assert model.optimizer.get_slot_names() == ["m", "s"] and model.optimizer.name == "Belief"
    assert model.optimizer.get_slot(model.weights[0], "m").shape.as_list() == [3, 2]


def test_decay_schedules_and_new_values_of_hyperparameters_are_followed(backend):
    model = model_with(Belief(decay=0.5))
    (w,) = model.get_weights()
    np.testing.assert_allclose(trained(model, 4), belief(w, 4, lambda t: 0.01 / (1 + 0.5 * t)), rtol=1e-4, atol=1e-5)
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    model = model_with(Belief(schedule))
    (w,) = model.get_weights()
    np.testing.assert_allclose(trained(model, 4), belief(w, 4, lambda t: 0.1 * 0.5**t), rtol=1e-4, atol=1e-5)
    model = model_with(Belief(lr=0.05))
    (w,) = model.get_weights()
    trained(model, 2)
    model.optimizer._set_hyper("beta_1", 0.5)
    model.optimizer._set_hyper("learning_rate", 0.02)
    expected = belief(w, 4, lambda t: 0.05 if t < 2 else 0.02, lambda t: 0.9 if t < 2 else 0.5)
    np.testing.assert_allclose(trained(model, 2), expected, rtol=1e-4, atol=1e-5)


def test_training_goes_on_from_a_file_as_without_it(backend, tmp_path):
    model = model_with(Belief(0.03))
    trained(model, 3)
    model.save(tmp_path / "model.h5")
    loaded = keras.models.load_model(tmp_path / "model.h5", custom_objects={"Belief": Belief})
    np.testing.assert_allclose(trained(loaded, 2), trained(model, 2), rtol=1e-5, atol=1e-6)


def test_a_subclass_of_adam_adds_to_what_adam_does(backend):
    class Decayed(keras.optimizers.Adam):
        def _resource_apply_dense(self, grad, var, apply_state=None):
            super()._resource_apply_dense(grad, var, apply_state)
            return var.assign_sub(0.1 * self._decayed_lr(var.dtype.base_dtype) * var)

    plain, decayed = model_with(keras.optimizers.Adam(0.01)), model_with(Decayed(0.01))
    decayed.set_weights(plain.get_weights())
    np.testing.assert_allclose(trained(decayed, 1), trained(plain, 1) * (1 - 0.1 * 0.01), rtol=1e-5, atol=1e-6)


class Lookahead(keras.optimizers.Optimizer):
    """An optimizer around another one, whose weights follow those of the inner one slowly."""

    def __init__(self, optimizer, period=2, name="Lookahead", **kwargs):
        super().__init__(name, **kwargs)
        self._optimizer = keras.optimizers.get(optimizer)
        self._set_hyper("period", period)

    def apply_gradients(self, grads_and_vars, name=None, **kwargs):
        self._optimizer._iterations = self.iterations
        return super().apply_gradients(grads_and_vars, name, **kwargs)

    def _create_hypers(self):
        self._optimizer._create_hypers()

    def _create_slots(self, var_list):
        self._optimizer._create_slots(var_list=var_list)
        for var in var_list:
            self.add_slot(var, "slow", initializer=var)

    def _prepare(self, var_list):
        return self._optimizer._prepare(var_list=var_list)

    def _resource_apply_dense(self, grad, var):
        self._optimizer._resource_apply_dense(grad, var)
        slow = self.get_slot(var, "slow")
        back = slow + 0.5 * (var - slow)
        is_due = ops.equal((self.iterations + 1) % self._get_hyper("period", "int32"), 0)
        slow.assign(ops.where(is_due, back, slow))
        return var.assign(ops.where(is_due, back, var))

    @property
    def learning_rate(self):
        return self._optimizer._get_hyper("learning_rate")

    @learning_rate.setter
    def learning_rate(self, rate):
        self._optimizer._set_hyper("learning_rate", rate)


@pytest.mark.parametrize("inner", ["sgd", "momentum"])
def test_an_optimizer_around_another_one(backend, inner):
    momentum = 0.0 if inner == "sgd" else 0.9
    model = model_with(Lookahead(keras.optimizers.SGD(0.1, momentum=momentum)))
    (w,) = model.get_weights()
    slow, velocity = w, np.zeros_like(w)
    for t in range(1, 6):
        velocity = momentum * velocity - 0.1 * gradient(w)
        w = w + velocity
        if t % 2 == 0:
            slow = w = slow + 0.5 * (w - slow)
    np.testing.assert_allclose(trained(model, 5), w, rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------- TensorFlow's own functions


@pytest.fixture
def tf():
    tensorflow = pytest.importorskip("tensorflow")
    with keras.backends.use("tensorflow"):
        yield tensorflow


def with_functions_of(tf):
    class Momentum(keras.optimizers.Optimizer):
        def __init__(self, learning_rate=0.1, name="Momentum", **kwargs):
            super().__init__(name, **kwargs)
            self._set_hyper("learning_rate", learning_rate)

        def _create_slots(self, var_list):
            for var in var_list:
                self.add_slot(var, "v")

        def _resource_apply_dense(self, grad, var, apply_state=None):
            rate = self._decayed_lr(var.dtype.base_dtype)
            v = self.get_slot(var, "v")
            v_new = v.assign(0.9 * v - rate * tf.identity(grad), use_locking=self._use_locking)
            with tf.control_dependencies([v_new]):
                updated = var.assign_add(v_new, use_locking=self._use_locking)
            return tf.group(updated, v_new)

        def _resource_apply_sparse(self, grad, var, indices, apply_state=None):
            return self._resource_scatter_add(var, indices, -self._decayed_lr(var.dtype.base_dtype) * grad)

    return Momentum


def momentum(w, steps):
    v = np.zeros_like(w)
    for _ in range(steps):
        v = 0.9 * v - 0.1 * gradient(w)
        w = w + v
    return w


def test_updates_by_functions_of_tensorflow_in_fit_minimize_and_functions(tf):
    model = model_with(with_functions_of(tf)())
    (start,) = model.get_weights()
    np.testing.assert_allclose(trained(model, 3), momentum(start, 3), rtol=1e-4, atol=1e-5)

    def loss(w):
        return tf.reduce_mean((tf.matmul(X, w) - Y) ** 2)

    w, optimizer = tf.Variable(start), with_functions_of(tf)()
    for _ in range(3):
        optimizer.minimize(lambda: loss(w), [w])
    np.testing.assert_allclose(w, momentum(start, 3), rtol=1e-4, atol=1e-5)
    w, optimizer = tf.Variable(start), with_functions_of(tf)()

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            value = loss(w)
        optimizer.minimize(value, lambda: [w], tape=tape)

    for _ in range(3):
        step()
    np.testing.assert_allclose(w, momentum(start, 3), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="Expected a tape"):
        optimizer.minimize(tf.constant(1.0), [w])


def test_rows_of_an_embedding_are_updated_by_the_method_for_rows(tf):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Embedding(5, 2), keras.layers.Flatten()])
    model.compile(with_functions_of(tf)(), "mse")
    (table,) = model.get_weights()
    words, targets = np.array([[0, 1, 1]]), np.zeros((1, 6))
    expected = table.copy()
    np.add.at(expected, words[0], -0.1 * 2 * table[words[0]] / 6)
    model.fit(words, targets, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], expected, rtol=1e-5, atol=1e-6)


def test_a_programs_own_list_of_weights_is_kept_and_tracked(backend):
    class Averaged(keras.optimizers.SGD):
        def build(self, variables):
            super().build(variables)
            self._weights = [self.add_variable_from_reference(v, "average") for v in variables]

        def update_step(self, gradient, variable, learning_rate):
            super().update_step(gradient, variable, learning_rate)
            self._weights[0].assign(variable)

    variable = keras.Variable(np.ones(2, "float32"))
    optimizer = Averaged(0.5)
    optimizer.apply([keras.ops.ones(2)], [variable])
    np.testing.assert_allclose(optimizer._weights[0].numpy(), [0.5, 0.5])
    assert any(each is optimizer._weights[0] for each in optimizer.variables)
