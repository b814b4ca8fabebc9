"""What a user puts in the place of a documented method runs in fit: on a class, an object or in a subclass.

Each case has a method that does something of an effect known in closed form. It must show wherever it was put, before
the first step or after steps were captured.
"""

import numpy as np
import pytest

import polykeras as keras
from polykeras import constraints, layers, losses, metrics, ops, optimizers, regularizers
from polykeras.optimizers import schedules

pytestmark = pytest.mark.usefixtures("backend")

X, Y = np.ones((8, 3), "float32"), np.zeros((8, 1), "float32")


class Parts:
    """One object of each kind, and a model that is compiled with them."""

    def __init__(self, optimizer=None, **kinds):
        made = lambda name, default, *args: kinds.get(name, default)(*args)  # noqa: E731
        self.schedule = made("schedule", schedules.ExponentialDecay, 0.1, 100, 0.9)
        self.optimizer = kinds.get("optimizer", optimizer or optimizers.SGD)(self.schedule)
        self.loss = made("loss", losses.MeanSquaredError)
        self.metric = made("metric", metrics.MeanAbsoluteError)
        self.regularizer = made("regularizer", regularizers.L2, 0.01)
        self.constraint = made("constraint", constraints.NonNeg)
        self.layer = kinds.get("layer", layers.Dense)(
            1, kernel_initializer="ones", kernel_regularizer=self.regularizer, kernel_constraint=self.constraint
        )
        self.model = keras.Sequential([keras.Input((3,)), self.layer])
        self.model.compile(self.optimizer, self.loss, metrics=[self.metric])

    def fit(self):
        """Train for two steps from ones; return the change of the kernel, and the logs."""
        self.layer.set_weights([np.ones((3, 1)), np.zeros(1)])
        logs = self.model.fit(X, Y, batch_size=4, verbose=0).history
        return self.layer.get_weights()[0] - 1, {name: values[-1] for name, values in logs.items()}


def _adds_one(self, gradient, variable, learning_rate):
    variable.assign(variable + 1.0)


def _does_nothing(self, *args, **kwargs):
    return None


def _is_seven(self, *args, **kwargs):
    return ops.convert_to_tensor(7.0)


# By name: kind, class, method, what takes its place, and what shows in (change of the kernel, logs) after two steps.
POINTS = {
    "update_step of SGD": ("optimizer", optimizers.SGD, "update_step", _adds_one, lambda d, _: (d == 2).all()),
    "update_step of Adam": ("optimizer", optimizers.Adam, "update_step", _adds_one, lambda d, _: (d == 2).all()),
    "update_step of RMSprop": ("optimizer", optimizers.RMSprop, "update_step", _adds_one, lambda d, _: (d == 2).all()),
    "apply": ("optimizer", optimizers.SGD, "apply", _does_nothing, lambda d, _: (d == 0).all()),
    "apply_gradients": ("optimizer", optimizers.SGD, "apply_gradients", _does_nothing, lambda d, _: (d == 0).all()),
    "call of a loss": (
        *("loss", losses.MeanSquaredError, "call"),
        *(lambda self, y, p: 0.0 * p[:, 0] + 5.0, lambda d, logs: (np.abs(d) < 0.1).all()),
    ),
    "update_state": (
        *("metric", metrics.MeanAbsoluteError, "update_state"),
        *(_does_nothing, lambda _, logs: logs["mean_absolute_error"] == 0),
    ),
    "result": (
        *("metric", metrics.MeanAbsoluteError, "result"),
        *(_is_seven, lambda _, logs: logs["mean_absolute_error"] == 7),
    ),
    "schedule": ("schedule", schedules.ExponentialDecay, "__call__", _is_seven, lambda d, _: (np.abs(d) > 0.9).all()),
    "regularizer": ("regularizer", regularizers.L2, "__call__", _is_seven, lambda _, logs: logs["loss"] >= 7),
    "constraint": (
        *("constraint", constraints.NonNeg, "__call__"),
        *(lambda self, w: 0.0 * w + 20.0, lambda d, logs: (d > 10).all()),
    ),
    "call of a layer": (
        *("layer", layers.Dense, "call"),
        *(lambda self, x, training=None: x[:, :1] * 0.0 + self.bias + 7.0, lambda _, logs: 20 < logs["loss"] < 60),
    ),
}


@pytest.fixture(params=POINTS)
def point(request):
    return POINTS[request.param]


def _parts(point, **kinds):
    kind, cls, *_ = point
    return Parts(**{kind: cls, **kinds})


def test_a_method_of_a_class_that_is_replaced_before_the_first_step_runs(point, monkeypatch):
    kind, cls, method, function, shows = point
    assert not shows(*_parts(point).fit())
    monkeypatch.setattr(cls, method, function)
    assert shows(*_parts(point).fit())


def test_a_method_of_a_class_that_is_replaced_after_steps_runs_until_it_is_put_back(point, monkeypatch):
    kind, cls, method, function, shows = point
    parts = _parts(point)
    parts.fit(), parts.fit()
    with monkeypatch.context() as patch:
        patch.setattr(cls, method, function)
        assert shows(*parts.fit())
    assert not shows(*parts.fit())


def test_a_method_of_one_object_that_is_replaced_after_steps_runs(point):
    kind, cls, method, function, shows = point
    if method == "__call__":
        pytest.skip("Python looks for it on the class")
    parts = _parts(point)
    parts.fit(), parts.fit()
    owner = getattr(parts, kind)
    setattr(owner, method, function.__get__(owner))
    assert shows(*parts.fit())


def test_a_method_of_a_subclass_runs(point):
    kind, cls, method, function, shows = point
    own = type(f"Own{cls.__name__}", (cls,), {method: function, "__module__": __name__})
    parts = _parts(point, **{kind: own})
    assert shows(*parts.fit())
    parts.model.compile(parts.optimizer, parts.loss, metrics=[parts.metric], run_eagerly=True)
    assert shows(*parts.fit())
