"""Training in every dtype policy, and with a loss that is scaled, on every backend."""

import contextlib
import functools
import itertools

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends, layers, ops, optimizers

X = np.array([[0.5, 0.25], [-0.25, 0.5], [0.5, -0.5], [0.25, 0.25]], "float32")
Y = np.array([[0.5], [0.25], [-0.5], [1.0]], "float32")
TOO_LARGE = np.full((4, 2), 6e4, "float32")  # the sum of two does not fit float16, which ends at 65504

COMPILED = ("jax", "tensorflow")  # a second or two a case
KINDS = ("SGD", "Adam", "Adafactor", "Muon", "MultiOptimizer")
POLICIES = ["float32", "float64", "mixed_bfloat16", "mixed_float16", "bfloat16", "float16"]
OPTIMIZERS = {
    "SGD": lambda: optimizers.SGD(0.125, momentum=0.5),
    "RMSprop": lambda: optimizers.RMSprop(0.125),
    "Adam": lambda: optimizers.Adam(0.125),
    "AdamW": lambda: optimizers.AdamW(0.125),
    "Adamax": lambda: optimizers.Adamax(0.125),
    "Nadam": lambda: optimizers.Nadam(0.125),
    "ScheduleFreeAdamW": lambda: optimizers.ScheduleFreeAdamW(0.125),
    "Adadelta": lambda: optimizers.Adadelta(0.125),
    "Adagrad": lambda: optimizers.Adagrad(0.125),
    "Adafactor": lambda: optimizers.Adafactor(0.125),
    "Ftrl": lambda: optimizers.Ftrl(0.125),
    "Lion": lambda: optimizers.Lion(0.125),
    "Lamb": lambda: optimizers.Lamb(0.125),
    "Muon": lambda: optimizers.Muon(0.125),
    "MultiOptimizer": lambda: optimizers.MultiOptimizer(
        optimizers.OptimizerMap(optimizers.Adam(0.125), {".*/bias": optimizers.SGD(0.125)})
    ),
    "a schedule": lambda: optimizers.SGD(optimizers.schedules.ExponentialDecay(0.125, 1, 0.5)),
}


@contextlib.contextmanager
def policy_in_use(name):
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy("float32")


def two_steps(policy, optimizer):
    """Weights after two steps of fit, the loss that evaluate reports, and the prediction."""
    with policy_in_use(policy):
        model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.set_weights([np.array([[0.5], [0.25]]), np.array([0.125])])
    model.compile(optimizer(), "mse")
    model.fit(np.concatenate([X, X]), np.concatenate([Y, Y]), batch_size=4, shuffle=False, verbose=0)
    weights = [weight.astype("float64") for weight in model.get_weights()]
    return model, weights, model.evaluate(X, Y, verbose=0), model.predict(X, verbose=0).astype("float64")


def is_tried(name, policy, optimizer):
    """Every optimizer with a scaled loss, every kind of them in every policy; where steps are compiled, less."""
    if name in COMPILED:
        return optimizer in (KINDS if policy == "mixed_float16" else ("SGD",)) and policy != "float32"
    return policy == "mixed_float16" or optimizer in KINDS


CASES = [case for case in itertools.product(backends.available(), POLICIES, OPTIMIZERS) if is_tried(*case)]


@functools.cache
def in_single_precision(optimizer):
    with backends.use("numpy"):
        return two_steps("float32", OPTIMIZERS[optimizer])[1]


@pytest.mark.parametrize(("name", "policy", "optimizer"), CASES)
def test_every_optimizer_takes_the_same_steps_in_every_policy(name, policy, optimizer):
    expected = in_single_precision(optimizer)
    with backends.use(name):
        model, weights, loss, prediction = two_steps(policy, OPTIMIZERS[optimizer])
    assert isinstance(model.optimizer, optimizers.LossScaleOptimizer) == (policy == "mixed_float16")
    for weight, other in zip(weights, expected, strict=True):
        np.testing.assert_allclose(weight, other, atol=1e-5 if policy in ("float32", "float64") else 0.02)
    np.testing.assert_allclose(prediction, X @ weights[0] + weights[1], atol=0.02)
    np.testing.assert_allclose(loss, np.mean((prediction - Y) ** 2), rtol=0.05)


RATE = 0.25


def scaled_by_hand(batches, momentum=0.0, weight_decay=0.0, clipnorm=None, use_ema=False, accumulated=1):
    """Gradient descent with a scaled loss, in NumPy: (weights, scale, finite steps since it changed, updates)."""
    weights = [np.array([[1.0], [1.0]]), np.array([0.0])]
    velocities, sums, averages = ([np.zeros_like(w) for w in weights] for _ in range(3))
    scale, count, updates = 8.0, 0, 0
    for x, y in batches:
        if np.abs(x).max() > 1e4:
            scale, count = scale / 2, 0
            continue
        scale, count = (scale * 2, 0) if count == 1 else (scale, count + 1)
        error = 2 * (x @ weights[0] + weights[1] - y) / len(x)
        sums = [s + g for s, g in zip(sums, [x.T @ error, error.sum(0)], strict=True)]
        updates += 1
        if updates % accumulated == 0:
            for index, total in enumerate(sums):
                gradient = total / accumulated
                if clipnorm:
                    gradient = gradient * min(1, clipnorm / np.linalg.norm(gradient))
                weights[index] = weights[index] * (1 - RATE * weight_decay)
                velocities[index] = momentum * velocities[index] - RATE * gradient
                weights[index] = weights[index] + velocities[index]
            sums = [np.zeros_like(total) for total in sums]
        part = 0.0 if updates == 1 else 0.5
        averages = [part * a + (1 - part) * w for a, w in zip(averages, weights, strict=True)]
    return averages if use_ema else weights, scale, count, updates


SETTINGS = {
    "momentum and a bound": {"momentum": 0.5, "clipnorm": 0.25},
    "decay and averages": {"weight_decay": 0.25, "use_ema": True},
    "accumulation": {"gradient_accumulation_steps": 2},
}


def scaled_sgd(**settings):
    inner = optimizers.SGD(RATE, ema_momentum=0.5, **settings)
    return optimizers.LossScaleOptimizer(inner, initial_scale=8.0, dynamic_growth_steps=2)


def in_half_precision():
    ones = {"kernel_initializer": "ones", "dtype": "mixed_float16"}
    return keras.Sequential([keras.Input((2,)), layers.Dense(1, **ones)])


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_an_overflow_is_skipped_and_the_scale_falls_and_rises(backend, settings):
    batches = [(x, Y) for x in (X, X, X, TOO_LARGE, X, X, TOO_LARGE, TOO_LARGE, X, X, X)]
    model = in_half_precision()
    model.compile(scaled_sgd(**settings), "mse")
    x, y = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    model.fit(x, y, batch_size=4, shuffle=False, verbose=0)
    by_hand = {"accumulated" if name == "gradient_accumulation_steps" else name: v for name, v in settings.items()}
    weights, scale, count, updates = scaled_by_hand(batches, **by_hand)
    for weight, expected in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_allclose(weight, expected, atol=0.01)
    assert float(model.optimizer.dynamic_scale.numpy()) == scale
    assert int(model.optimizer.step_counter.numpy()) == count
    assert int(model.optimizer.inner_optimizer._iterations.numpy()) == updates


def test_an_overflow_leaves_weights_and_slots_to_the_bit(backend):
    model = in_half_precision()
    model.compile(scaled_sgd(momentum=0.5), "mse")
    scales = []
    for x in (X, X, TOO_LARGE, TOO_LARGE, X):
        before = [weight.numpy() for weight in model.trainable_variables + model.optimizer.inner_optimizer.variables]
        model.train_on_batch(x, Y)
        after = [weight.numpy() for weight in model.trainable_variables + model.optimizer.inner_optimizer.variables]
        scales.append(float(model.optimizer.dynamic_scale.numpy()))
        if x is TOO_LARGE:
            for old, new in zip(before, after, strict=True):
                np.testing.assert_array_equal(old, new)
    assert scales == [8.0, 16.0, 8.0, 4.0, 4.0]


class Own(keras.Model):
    """A step of one's own that scales the loss; some of the optimizer's variables take no part in it."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1, kernel_initializer="ones")
        self.unused = self.add_weight(shape=(3,), name="unused", initializer="ones", trainable=False)

    def call(self, x):
        return self.dense(x)

    def train_step(self, data):
        x, y = data

        def scaled_loss():
            loss = ops.mean(ops.square(self(x, training=True) - y))
            return self.optimizer.scale_loss(loss), loss

        weights = self.dense.trainable_variables
        (_, loss), gradients = ops.value_and_grad(scaled_loss, weights, has_aux=True)()
        self.optimizer.apply(gradients, weights)
        return {"loss": loss}


def test_an_own_step_scales_its_loss(backend):
    model = Own()
    model.compile(scaled_sgd(momentum=0.5))
    losses = [model.train_on_batch(X, Y) for _ in range(3)]
    (kernel, bias), scale, _, _ = scaled_by_hand([(X, Y)] * 3, momentum=0.5)
    np.testing.assert_allclose(model.dense.get_weights()[0], kernel, rtol=1e-5)
    np.testing.assert_allclose(model.dense.get_weights()[1], bias, rtol=1e-5)
    np.testing.assert_allclose(losses[0], np.mean((X.sum(-1, keepdims=True) - Y) ** 2), rtol=1e-6)
    assert float(model.optimizer.dynamic_scale.numpy()) == scale == 16.0
    np.testing.assert_array_equal(model.unused.numpy(), np.ones(3))


class Remainder(keras.layers.Layer):
    """Needs its inputs whole."""

    def __init__(self, **kwargs):
        super().__init__(autocast=False, **kwargs)

    def call(self, inputs):
        return keras.ops.cast(keras.ops.mod(keras.ops.cast(inputs, "int32"), 10), self.compute_dtype)


@pytest.fixture(params=["mixed_float16", "mixed_bfloat16", "float16"])
def half_precision(request):
    with policy_in_use(request.param):
        yield


@pytest.mark.usefixtures("half_precision")
def test_inputs_stay_whole_until_a_layer_casts_them(backend):
    x = np.array([[3001.0, 70004.0], [100003.0, 2047.0]])
    inputs = keras.Input((2,))
    assert inputs.dtype == "float32"
    for model in (
        keras.Model(inputs, Remainder()(inputs)),
        keras.Sequential([keras.Input((2,)), Remainder()]),
        keras.Sequential([Remainder(input_shape=(2,))]),
        keras.Sequential([keras.Sequential([keras.Input((2,)), Remainder()])]),
    ):
        for result in (model(x), model.predict(x, verbose=0)):
            np.testing.assert_array_equal(np.asarray(keras.ops.convert_to_numpy(result), "float32"), [[1, 4], [3, 7]])
        assert model.inputs[0].dtype == "float32"
    assert keras.Input((2,), dtype="float16").dtype == "float16"
