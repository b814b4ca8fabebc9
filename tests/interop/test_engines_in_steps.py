"""Train steps that reach their engine by an import of their own, or by a function beside the class."""

from __future__ import annotations

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends
from tests.interop.idioms import check_trains_as_by_fit, trained


def gradients_by_a_tape(model, x, y):
    import tensorflow

    with tensorflow.GradientTape() as tape:
        loss = model.compute_loss(x, y, model(x, training=True))
    return loss, tape.gradient(loss, model.trainable_variables)


def gradients_by_backward(model, x, y):
    import torch

    loss = model.compute_loss(x, y, model(x, training=True))
    return loss, torch.autograd.grad(loss, [v.value for v in model.trainable_variables])


def finish(model, x, y, loss, gradients):
    model.optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    return updated(model, loss, y, model(x))


def updated(model, loss, y, outputs):
    for metric in model.metrics:
        if metric.name == "loss":
            metric.update_state(loss)
        else:
            metric.update_state(y, outputs)
    return {m.name: m.result() for m in model.metrics}


class Network(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden, self.top = keras.layers.Dense(4, "tanh"), keras.layers.Dense(1)

    def call(self, x):
        return self.top(self.hidden(x))


class OwnImport(Network):
    def train_step(self, data):
        import tensorflow as engine

        x, y = data
        with engine.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        return finish(self, x, y, loss, tape.gradient(loss, self.trainable_variables))


class TapeBeside(Network):
    def train_step(self, data):
        return finish(self, *data, *gradients_by_a_tape(self, *data))


class BackwardBeside(Network):
    def train_step(self, data):
        return finish(self, *data, *gradients_by_backward(self, *data))


class HandedOn(Network):
    def train_step(self, *state_and_data):
        return self.step_of_states(*state_and_data)

    def step_of_states(self, state, data):
        import jax

        weights, others, slots, metrics = state
        x, y = data

        def loss_of(weights):
            y_pred, _ = self.stateless_call(weights, others, x, training=True)
            return self.compute_loss(x, y, y_pred), y_pred

        (loss, y_pred), gradients = jax.value_and_grad(loss_of, has_aux=True)(weights)
        weights, slots = self.optimizer.stateless_apply(slots, gradients, weights)
        logs, fresh = {}, []
        for metric in self.metrics:
            own = metrics[len(fresh) :][: len(metric.variables)]
            given = (loss,) if metric.name == "loss" else (y, y_pred)
            own = metric.stateless_update_state(own, *given)
            logs[metric.name] = metric.stateless_result(own)
            fresh += own
        return logs, (weights, others, slots, fresh)


@pytest.mark.parametrize(
    ("engine", "kind"),
    [("tensorflow", OwnImport), ("tensorflow", TapeBeside), ("torch", BackwardBeside), ("jax", HandedOn)],
)
@pytest.mark.parametrize("eagerly", [False, True])
def test_a_step_that_names_its_engine_outside_of_the_module_runs_in_fit(engine, kind, eagerly):
    with backends.use(engine):
        check_trains_as_by_fit(kind, eagerly)


class WithoutCall(keras.Model):
    """Layers that only the model's own step calls; they have no weights before the first batch."""

    def __init__(self):
        super().__init__()
        self.hidden = keras.layers.Dense(4, "tanh", kernel_initializer=keras.initializers.GlorotNormal(seed=1))
        self.top = keras.layers.Dense(1, kernel_initializer=keras.initializers.GlorotNormal(seed=2))

    def output_of(self, x):
        return self.top(self.hidden(x))


class TapeWithoutCall(WithoutCall):
    def train_step(self, data):
        import tensorflow

        x, y = data
        with tensorflow.GradientTape() as tape:
            loss = self.compute_loss(x, y, self.output_of(x))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return updated(self, loss, y, self.output_of(x))


class BackwardWithoutCall(WithoutCall):
    def train_step(self, data):
        x, y = data
        self.zero_grad()
        loss = self.compute_loss(x, y, self.output_of(x))
        loss.backward()
        self.optimizer.apply([v.value.grad for v in self.trainable_variables], self.trainable_variables)
        return updated(self, loss, y, self.output_of(x))


class PlainWithCall(WithoutCall):
    def call(self, x):
        return self.output_of(x)

    def train_step(self, data):
        x, y = data
        loss, gradients = keras.ops.value_and_grad(lambda: self.compute_loss(x, y, self(x)), self.trainable_variables)()
        self.optimizer.apply(gradients, self.trainable_variables)
        return updated(self, loss, y, self(x))


@pytest.mark.parametrize(("engine", "kind"), [("tensorflow", TapeWithoutCall), ("torch", BackwardWithoutCall)])
@pytest.mark.parametrize("eagerly", [False, True])
def test_a_model_without_a_call_trains_by_its_own_step(engine, kind, eagerly):
    with backends.use(engine):
        (model, logs), (other, expected) = trained(kind, eagerly), trained(PlainWithCall, eagerly)
        assert logs.keys() == expected.keys() == {"loss", "mae"}
        for name in logs:
            np.testing.assert_allclose(logs[name], expected[name], rtol=1e-5)
        for weights in zip(model.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_allclose(*weights, rtol=1e-4)
