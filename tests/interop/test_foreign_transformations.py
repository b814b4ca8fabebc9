"""Training calls inside an engine's own transformations: no array of theirs stays behind in a variable."""

from __future__ import annotations

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends
from tests.interop.idioms import X, make_model

REFUSED = r"assigned an array that lasts.*stateless_call"


def normalizing_model():
    return make_model(keras.layers.Dense(2), keras.layers.BatchNormalization(momentum=0.5), keras.layers.Dense(1))


def check_is_usable(model, before):
    """Check that a model computes and trains as one that was never called in between."""
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert np.isfinite(model.predict(X, verbose=0)).all()
    model.compile("sgd", "mse")
    model.fit(X, X[:, :1], verbose=0)


def jax_transformations():
    jax = pytest.importorskip("jax")
    return {
        "jit": lambda f: jax.jit(f)(X),
        "vmap": lambda f: jax.vmap(lambda row: f(row[None]))(X),
        "scan": lambda f: jax.lax.scan(lambda carry, row: (carry, f(row[None])), 0.0, X),
        "eval_shape": lambda f: jax.eval_shape(f, X),
        "grad_in_jit": lambda f: jax.jit(jax.grad(lambda x: f(x).sum()))(X),
    }


@pytest.mark.parametrize("name", ["jit", "vmap", "scan", "eval_shape", "grad_in_jit"])
def test_statistics_of_a_batch_under_a_transformation_of_jax_are_refused(name):
    with backends.use("jax"):
        model = normalizing_model()
        before = model.get_weights()
        with pytest.raises(RuntimeError, match=REFUSED):
            jax_transformations()[name](lambda x: model(x, training=True))
        check_is_usable(model, before)


def test_statistics_of_a_batch_under_vmap_of_torch_are_refused():
    torch = pytest.importorskip("torch")
    with backends.use("torch"):
        model = normalizing_model()
        before = model.get_weights()
        with pytest.raises(RuntimeError, match=REFUSED):
            torch.func.vmap(lambda row: model(row[None], training=True))(torch.tensor(X))
        check_is_usable(model, before)


@pytest.mark.parametrize("engine", ["jax", "torch"])
def test_gradients_of_a_training_call_move_the_statistics(engine):
    pytest.importorskip(engine)
    with backends.use(engine):
        model, other = normalizing_model(), normalizing_model()
        other.set_weights(model.get_weights())
        other(X, training=True)
        if engine == "jax":
            import jax

            jax.grad(lambda x: model(x, training=True).sum())(jax.numpy.array(X))
        else:
            import torch

            torch.func.grad(lambda x: model(x, training=True).sum())(torch.tensor(X))
        for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)
        check_is_usable(model, model.get_weights())


def test_metrics_optimizers_variables_and_draws_in_a_function_of_jax_are_refused():
    jax = pytest.importorskip("jax")
    with backends.use("jax"):
        metric, optimizer = keras.metrics.Mean(), keras.optimizers.SGD(0.5)
        variable, seeds = keras.Variable([1.0, 2.0]), keras.random.SeedGenerator(1)
        cases = [
            lambda x: metric.update_state(x),
            lambda x: optimizer.apply([x], [variable]),
            lambda x: variable.assign(x),
            lambda x: keras.random.normal((2,), seed=seeds),
        ]
        for function in cases:
            with pytest.raises(RuntimeError, match=REFUSED):
                jax.jit(function)(jax.numpy.ones(2))
        assert float(metric.result()) == 0.0
        np.testing.assert_array_equal(variable.numpy(), [1.0, 2.0])
        optimizer.apply([jax.numpy.ones(2)], [variable])
        np.testing.assert_array_equal(variable.numpy(), [0.5, 1.5])


def test_the_pure_form_of_a_training_call_runs_in_a_function_of_jax():
    jax = pytest.importorskip("jax")
    with backends.use("jax"):
        model = normalizing_model()

        @jax.jit
        def step(trainable, others, x):
            return model.stateless_call(trainable, others, x, training=True)

        values = [[v.value for v in vs] for vs in (model.trainable_variables, model.non_trainable_variables)]
        outputs, fresh = step(*values, X)
        np.testing.assert_allclose(outputs, model(X, training=True), rtol=1e-4, atol=1e-6)
        for one, two in zip(fresh, model.non_trainable_variables, strict=True):
            np.testing.assert_allclose(one, two.numpy(), rtol=1e-5, atol=1e-6)
