"""LearningRateScheduler and ReduceLROnPlateau."""

from __future__ import annotations

import numpy as np
import pytest

import polykeras as keras
from polykeras.callbacks import LearningRateScheduler, ReduceLROnPlateau

PLATEAUS = [1.0, 0.9, 0.9, 0.9, 0.9, 0.5, 0.5, 0.5, 0.49, 0.49, 0.49, 0.1]
OPTIONS = [
    {"patience": 2},
    {"patience": 1, "factor": 0.5, "cooldown": 2},
    {"patience": 1, "factor": 0.5, "min_lr": 0.2},
    {"patience": 2, "min_delta": 0.05, "factor": 0.7},
    {"patience": 2, "mode": "max", "factor": 0.7},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_plateau_lowers_the_rate_where_real_keras_does(real_keras, make_fake_model, options):
    rates = []
    for kind in (ReduceLROnPlateau, real_keras.callbacks.ReduceLROnPlateau):
        model, logs = make_fake_model(), [{"val_loss": value} for value in PLATEAUS]
        model.run(kind(**options), logs)
        rates.append([each["learning_rate"] for each in logs] + [model.optimizer.learning_rate])
    np.testing.assert_allclose(rates[0], rates[1], rtol=1e-6)
    assert len(set(rates[0])) > 1


def test_epsilon_is_the_old_name_of_min_delta():
    assert ReduceLROnPlateau(epsilon=0.25).min_delta == 0.25


def test_unknown_argument_is_refused():
    with pytest.raises(TypeError, match="patients"):
        ReduceLROnPlateau(patients=3)


def test_factor_of_one_is_refused():
    with pytest.raises(ValueError, match="factor to be below 1"):
        ReduceLROnPlateau(factor=1.0)


def test_messages_name_the_new_rate(fake_model, capsys):
    fake_model.run(ReduceLROnPlateau("loss", patience=1, verbose=1), [{"loss": 1.0}, {"loss": 1.0}])
    fake_model.run(LearningRateScheduler(lambda epoch: 0.25, verbose=1), [{}])
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("Epoch 2: ") and out[0].endswith("is 0.1.")
    assert out[1].startswith("Epoch 1: ") and out[1].endswith("is 0.25.")


@pytest.mark.parametrize("schedule", [lambda epoch: 2.0**-epoch, lambda epoch, rate: rate * (0.5 if epoch else 1)])
def test_schedule_may_take_the_epoch_alone_or_the_rate_too(fake_model, schedule):
    logs = [{}, {}, {}]
    fake_model.run(LearningRateScheduler(schedule), logs)
    assert [each["learning_rate"] for each in logs] == [1.0, 0.5, 0.25]


def test_schedule_without_a_number_is_refused(fake_model):
    with pytest.raises(ValueError, match="Received: None for epoch 0"):
        fake_model.run(LearningRateScheduler(lambda epoch: None), [{}])


def test_rate_reaches_the_weights_of_a_compiled_model(backend):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.5), "mse")
    x = np.ones((4, 1), "float32")
    callback = LearningRateScheduler(lambda epoch: 0.0 if epoch else 0.25)
    history = model.fit(x, 0 * x, epochs=3, verbose=0, callbacks=[callback])
    # loss w**2 + ..., both weight and bias at gradient 2: one step of 0.25 takes the output from 1 to 0.
    np.testing.assert_allclose(history.history["loss"], [1.0, 0.0, 0.0], atol=1e-6)
    assert history.history["learning_rate"] == [0.25, 0.0, 0.0]


def test_each_optimizer_of_several_gets_its_rate():
    optimizers = keras.optimizers
    parts = optimizers.OptimizerMap(optimizers.SGD(1.0, name="a"), {".*bias": optimizers.SGD(0.5, name="b")})
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizers.MultiOptimizer(parts), "mse")
    x = np.ones((4, 1), "float32")
    halve = LearningRateScheduler(lambda epoch, rate: rate / 2)
    logs = model.fit(x, x, verbose=0, callbacks=[halve]).history
    assert (logs["learning_rate_a"], logs["learning_rate_b"]) == ([0.5], [0.25])
