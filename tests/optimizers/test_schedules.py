"""Learning-rate schedules, against real Keras at many steps."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from polykeras import backends, ops, optimizers
from polykeras.backends.contract.spec import SPEC, SpecArray
from polykeras.core.variables import Variable
from polykeras.optimizers import schedules

OPTIONS = [
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.5}),
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.5, "staircase": True}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.5}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.5, "staircase": True}),
    ("PiecewiseConstantDecay", {"boundaries": [5, 20], "values": [0.3, 0.2, 0.1]}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 12, "end_learning_rate": 0.01, "power": 2.0}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 12, "cycle": True}),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 12, "alpha": 0.1}),
    ("CosineDecay", {"initial_learning_rate": 0.01, "decay_steps": 12, "warmup_target": 0.3, "warmup_steps": 5}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 4.5, "m_mul": 0.8, "alpha": 0.1}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 4.5, "t_mul": 1.0, "m_mul": 0.5}),
]
STEPS = [0, 1, 2, 4, 5, 6, 7, 8, 12, 13, 14, 19, 20, 21, 24, 25, 40]


@functools.cache
def expected(keras, index: int) -> list:
    name, options = OPTIONS[index]
    schedule = getattr(keras.optimizers.schedules, name)(**options)
    return [float(schedule(step)) for step in STEPS]


@pytest.mark.parametrize("index", range(len(OPTIONS)))
def test_rates_are_those_of_real_keras(index, backend, real_keras):
    name, options = OPTIONS[index]
    schedule = getattr(schedules, name)(**options)
    rates = expected(real_keras, index)
    np.testing.assert_allclose([schedule(step) for step in STEPS], rates, rtol=1e-5, atol=1e-8)
    if backend.is_traced:

        def rate(state, step):
            return state, ops.cast(schedule(step), "float32")

        compiled = backend.compile(rate)
        traced = [float(backend.to_numpy(compiled([], backend.array(np.int32(step)))[1])) for step in STEPS]
        np.testing.assert_allclose(traced, rates, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("index", range(len(OPTIONS)))
def test_rates_have_a_shape_before_they_have_a_value(index):
    name, options = OPTIONS[index]
    with backends.use(SPEC):
        rate = getattr(schedules, name)(**options)(SpecArray((), "int32"))
    assert (rate.shape, rate.dtype) == ((), "float32")


@pytest.mark.parametrize("index", range(len(OPTIONS)))
def test_configs_build_the_same_schedule(index):
    name, options = OPTIONS[index]
    schedule = getattr(schedules, name)(**options)
    copy = schedules.deserialize(schedules.serialize(schedule))
    assert type(copy) is type(schedule)
    assert [copy(step) for step in STEPS] == [schedule(step) for step in STEPS]


@pytest.mark.parametrize("factor", [2.0, 3.0, 5.0])
def test_restarts_fall_on_the_whole_step(factor):
    rate = schedules.CosineDecayRestarts(1.0, 1, t_mul=factor)
    restart = 0
    for wave in range(6):
        assert rate(restart) == pytest.approx(1.0), wave
        restart += int(factor) ** wave


@pytest.mark.parametrize("kind", ["ExponentialDecay", "InverseTimeDecay"])
def test_steps_must_be_positive(kind):
    with pytest.raises(ValueError, match="decay_steps to be positive"):
        getattr(schedules, kind)(0.1, 0, 0.5)


def test_an_optimizer_follows_its_schedule():
    optimizer = optimizers.SGD(schedules.PiecewiseConstantDecay([0], [1.0, 0.25]))
    assert optimizer.learning_rate == 1.0
    w = Variable(4.0)
    for expected_value in (3.0, 2.75, 2.5):
        optimizer.apply([np.float32(1.0)], [w])
        assert float(w.numpy()) == expected_value
    copy = optimizers.deserialize(optimizers.serialize(optimizer))
    assert copy.get_config() == optimizer.get_config()
