"""Twenty updates of each optimizer, against real Keras."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from polykeras import backends, optimizers
from polykeras.backends.contract.spec import SPEC, SpecArray
from polykeras.core import functionalization
from polykeras.core.variables import Variable

STEPS = 20
OPTIONS = [
    ("SGD", {"learning_rate": 0.1}),
    ("SGD", {"learning_rate": 0.05, "momentum": 0.9}),
    ("SGD", {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", {"learning_rate": 0.1, "clipnorm": 0.5}),
    ("SGD", {"learning_rate": 0.1, "clipvalue": 0.3}),
    ("SGD", {"learning_rate": 0.1, "global_clipnorm": 0.5}),
    ("SGD", {"learning_rate": 0.1, "loss_scale_factor": 4.0}),
    ("SGD", {"learning_rate": 0.1, "gradient_accumulation_steps": 3, "clipnorm": 0.5, "weight_decay": 0.1}),
    ("SGD", {"learning_rate": 0.1, "use_ema": True, "ema_momentum": 0.7, "ema_overwrite_frequency": 4}),
    ("Adam", {"learning_rate": 0.1}),
    ("Adam", {"learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3, "amsgrad": True}),
    ("Adam", {"learning_rate": 0.1, "gradient_accumulation_steps": 2, "use_ema": True, "ema_overwrite_frequency": 3}),
    ("AdamW", {"learning_rate": 0.1, "weight_decay": 0.2}),
    ("Adamax", {"learning_rate": 0.1}),
    ("Nadam", {"learning_rate": 0.1}),
    ("Lamb", {"learning_rate": 0.1}),
    ("Lion", {"learning_rate": 0.01, "weight_decay": 0.1}),
    ("Adagrad", {"learning_rate": 0.3}),
    ("Adadelta", {"learning_rate": 1.0, "epsilon": 1e-3}),
    ("RMSprop", {"learning_rate": 0.05}),
    ("RMSprop", {"learning_rate": 0.05, "rho": 0.8, "momentum": 0.5, "centered": True, "epsilon": 1e-3}),
    ("Ftrl", {"learning_rate": 0.3}),
    (
        "Ftrl",
        {
            "learning_rate": 0.3,
            "learning_rate_power": -0.3,
            "l1_regularization_strength": 0.2,
            "l2_regularization_strength": 0.1,
            "l2_shrinkage_regularization_strength": 0.1,
            "beta": 0.2,
        },
    ),
    ("Adafactor", {"learning_rate": 0.1}),
    ("Adafactor", {"learning_rate": 0.5, "clip_threshold": 0.5, "beta_2_decay": -0.5}),
    ("Adafactor", {"learning_rate": 0.5, "relative_step": False}),
    ("Muon", {"learning_rate": 0.05}),
    ("Muon", {"learning_rate": 0.05, "nesterov": False, "rms_rate": None, "exclude_layers": ["matrix_2"]}),
]


def starts() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = {"matrix": (4, 3), "matrix_2": (2, 5), "vector": (3,), "scalar": ()}
    return {name: np.asarray(rng.normal(size=shape), np.float32) for name, shape in shapes.items()}


def noise(step: int) -> list[np.ndarray]:
    """The moving target of each step: gradients are ``curvature * (w - target)``."""
    rng = np.random.default_rng(step + 1)
    return [np.asarray(rng.normal(size=w.shape), np.float32) for w in starts().values()]


def gradients(weights: list, targets: list) -> list:
    return [(w - t) * (0.5 + index) for index, (w, t) in enumerate(zip(weights, targets, strict=True))]


@functools.cache
def expected(keras, index: int) -> tuple:
    """Weights after each step by real Keras, and after ``finalize_variable_values``."""
    name, options = OPTIONS[index]
    optimizer = getattr(keras.optimizers, name)(**options)
    variables = [keras.Variable(w, name=n) for n, w in starts().items()]
    optimizer.build(variables)
    path = []
    for step in range(STEPS):
        now = [v.numpy().copy() for v in variables]
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients(now, noise(step))], variables)
        path.append([v.numpy().copy() for v in variables])
    optimizer.finalize_variable_values(variables)
    return path, [v.numpy().copy() for v in variables], [tuple(v.shape) for v in optimizer.variables]


def names(options: list) -> list[str]:
    return [f"{name}-{'-'.join(settings)}" for name, settings in options]


@pytest.mark.parametrize("index", range(len(OPTIONS)), ids=names(OPTIONS))
def test_weights_follow_real_keras(index, backend, real_keras):
    path, final, shapes = expected(real_keras, index)
    name, options = OPTIONS[index]
    optimizer = getattr(optimizers, name)(**options)
    variables = [Variable(w, name=n) for n, w in starts().items()]
    optimizer.build(variables)
    assert [v.shape for v in optimizer.variables] == shapes

    def step(*targets):
        optimizer.apply(gradients([v.value for v in variables], targets), variables)

    if backend.is_traced:
        step = traced(backend, step, variables + optimizer.variables)
    for number in range(STEPS):
        step(*[backend.array(t) for t in noise(number)])
        for variable, weight in zip(variables, path[number], strict=True):
            np.testing.assert_allclose(variable.numpy(), weight, rtol=2e-5, atol=1e-5, err_msg=f"step {number}")
    optimizer.finalize_variable_values(variables)
    for variable, weight in zip(variables, final, strict=True):
        np.testing.assert_allclose(variable.numpy(), weight, rtol=2e-5, atol=1e-5)


def traced(backend, step, variables):
    """A function of variables as one compiled call."""
    compiled = backend.compile(functionalization.pure(step, variables), donate=True)

    def call(*inputs):
        values, _ = compiled([v.raw for v in variables], *inputs)
        for variable, value in zip(variables, values, strict=True):
            variable.put(value)

    return call


@pytest.mark.parametrize("index", range(len(OPTIONS)), ids=names(OPTIONS))
def test_a_dry_run_on_shapes_notes_what_an_update_assigns(index):
    name, options = OPTIONS[index]
    optimizer = getattr(optimizers, name)(**options)
    variables = [Variable(w, name=n) for n, w in starts().items()]
    optimizer.build(variables)
    with functionalization.recording() as noted, backends.use(SPEC):
        optimizer.apply([SpecArray(v.shape, v.dtype) for v in variables], variables)
    with functionalization.recording() as assigned:
        for number in range(12):
            optimizer.apply(noise(number), variables)
    assert set(noted) == set(assigned)
    assert set(variables) < set(noted)


@pytest.mark.parametrize("name", ["Adam", "Nadam"])
def test_line_by_line_and_traced_agree(name, backend):
    if not backend.is_traced:
        pytest.skip("runs line by line only")
    results = []
    for wrap in (lambda step, variables: step, lambda step, variables: traced(backend, step, variables)):
        optimizer = getattr(optimizers, name)(
            0.1, gradient_accumulation_steps=2, use_ema=True, ema_overwrite_frequency=2
        )
        variables = [Variable(w) for w in starts().values()]
        optimizer.build(variables)

        def step(*targets, optimizer=optimizer, variables=variables):
            optimizer.apply(gradients([v.value for v in variables], targets), variables)

        step = wrap(step, variables + optimizer.variables)
        for number in range(6):
            step(*[backend.array(t) for t in noise(number)])
        results.append([v.numpy() for v in variables + optimizer.variables])
    for eager, compiled in zip(*results, strict=True):
        np.testing.assert_allclose(compiled, eager, rtol=2e-5, atol=1e-6)


def test_schedule_free_follows_its_paper(backend):
    # Real Keras reads the fast weights after it has changed them, on torch: the formulas instead.
    rate, beta_1, beta_2, epsilon, warmup = 0.1, 0.9, 0.99, 1e-8, 5
    optimizer = optimizers.ScheduleFreeAdamW(rate, beta_1, beta_2, epsilon, warmup)
    variables = [Variable(w) for w in starts().values()]
    optimizer.build(variables)

    def step(*targets):
        optimizer.apply(gradients([v.value for v in variables], targets), variables)

    if backend.is_traced:
        step = traced(backend, step, variables + optimizer.variables)
    z = x = y = [np.asarray(w, np.float64) for w in starts().values()]
    v = [np.zeros(w.shape) for w in z]
    for t in range(1, STEPS + 1):
        step(*[backend.array(target) for target in noise(t)])
        g = gradients(y, noise(t))
        v = [beta_2 * a + (1 - beta_2) * b**2 for a, b in zip(v, g, strict=True)]
        root = [np.sqrt(a / (1 - beta_2**t)) + epsilon for a in v]
        z = [a - rate * min(t / warmup, 1) * b / r for a, b, r in zip(z, g, root, strict=True)]
        x = [(1 - 1 / t) * a + b / t for a, b in zip(x, z, strict=True)]
        y = [(1 - beta_1) * a + beta_1 * b for a, b in zip(z, x, strict=True)]
        for variable, weight in zip(variables, y, strict=True):
            np.testing.assert_allclose(variable.numpy(), weight, rtol=2e-5, atol=1e-5, err_msg=f"step {t}")


def test_loss_scale_follows_the_gradients(backend, real_keras):
    scales = []
    factors = [1.0, 1.0, np.inf, 1.0, np.nan, 1.0, 1.0, 1.0]
    for library, module in ((real_keras.Variable, real_keras.optimizers), (Variable, optimizers)):
        optimizer = module.LossScaleOptimizer(module.SGD(0.1), initial_scale=8.0, dynamic_growth_steps=2)
        w = library(np.float32(1.0), name="w")
        optimizer.build([w])
        path = []
        for factor in factors:
            gradient = np.float32(factor) * optimizer.dynamic_scale.numpy() * w.numpy()
            optimizer.apply([real_keras.ops.convert_to_tensor(gradient) if module is not optimizers else gradient])
            path.append((float(w.numpy()), float(optimizer.dynamic_scale.numpy()), int(optimizer.step_counter.numpy())))
        scales.append(path)
    np.testing.assert_allclose(scales[1], scales[0], rtol=1e-6)


def test_loss_scale_is_traceable(backend):
    optimizer = optimizers.LossScaleOptimizer(optimizers.SGD(0.5), initial_scale=4.0, dynamic_growth_steps=2)
    w = Variable(2.0)
    optimizer.build([w])

    def step(gradient):
        optimizer.apply([gradient], [w])

    step = traced(backend, step, [w, *optimizer.variables])
    seen = []
    for gradient in (4.0, np.inf, 2.0, 2.0):
        step(backend.array(np.float32(gradient)))
        seen.append((float(w.numpy()), float(optimizer.dynamic_scale.numpy())))
    assert seen == [(1.5, 4.0), (1.5, 2.0), (1.0, 2.0), (0.5, 4.0)]


def test_multi_optimizer_gives_each_variable_its_own(backend):
    v, w = Variable(np.float32([1.0, 2.0]), name="v"), Variable(np.float32(1.0), name="w")
    inner = optimizers.OptimizerMap(optimizers.SGD(0.5), {"w": optimizers.Adam(0.25)})
    optimizer = optimizers.MultiOptimizer(inner)
    optimizer.apply([np.float32([1.0, -1.0]), np.float32(3.0)], [v, w])
    np.testing.assert_allclose(v.numpy(), [0.5, 2.5])
    np.testing.assert_allclose(w.numpy(), 0.75, rtol=1e-6)
    assert len(optimizer.variables) == len(inner["v"].variables) + len(inner["w"].variables) + 2


def test_an_optimizer_moves_to_the_backend_of_its_variables(backend):
    with backends.use("numpy"):
        optimizer = optimizers.Adam(0.25)
        assert optimizer.iterations.numpy() == 0
    w = Variable(np.float32([1.0]))
    optimizer.apply([np.float32([3.0])], [w])
    np.testing.assert_allclose(w.numpy(), [0.75], rtol=1e-6)
    assert {v.backend_name for v in optimizer.variables} == {backend.name}
