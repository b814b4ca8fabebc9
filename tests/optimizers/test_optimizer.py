"""What all optimizers share: arguments, errors, configs, saving, subclasses."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pytest

from polykeras import constraints, ops, optimizers
from polykeras.core.variables import Variable

NAMES = [
    "SGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Lamb", "Lion", "Muon", "Nadam",
    "RMSprop", "ScheduleFreeAdamW",
]  # fmt: skip


def one(value=1.0):
    return np.float32(value)


@pytest.mark.parametrize("name", [*NAMES, "LossScaleOptimizer", "MultiOptimizer", "OptimizerMap"])
def test_signatures_are_those_of_real_keras(name, real_keras):
    theirs = inspect.signature(getattr(real_keras.optimizers, name)).parameters
    ours = inspect.signature(getattr(optimizers, name)).parameters
    assert [(p.name, p.default) for p in ours.values()] == [(p.name, p.default) for p in theirs.values()]


# Real Keras's ScheduleFreeAdamW takes other steps than its source says: see test_trajectories.py.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "ScheduleFreeAdamW"])
def test_building_again_keeps_the_state_as_in_real_keras(name, real_keras):
    """Programs build their optimizer in each step, or for the weights that are left when some were frozen."""
    counts, values = [], []
    for module, variable in ((optimizers, Variable), (real_keras.optimizers, real_keras.Variable)):
        optimizer = getattr(module, name)(0.1)
        weights = [variable(np.full((2, 3), x, "float32")) for x in (1.0, 2.0)]
        for step in range(4):
            left = weights[step // 2 :]
            optimizer.build(left)
            gradients = [np.full((2, 3), 0.1 * (step + 1), "float32")] * len(left)
            tensors = gradients if module is optimizers else map(real_keras.ops.convert_to_tensor, gradients)
            optimizer.apply(list(tensors), left)
        counts.append(len(optimizer.variables))
        values.append([np.asarray(real_keras.ops.convert_to_numpy(w.numpy())) for w in weights])
    assert counts[0] == counts[1]
    np.testing.assert_allclose(values[0], values[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_configs_have_the_keys_of_real_keras_and_build_the_same(name, real_keras):
    optimizer = getattr(optimizers, name)(clipnorm=2.0, name="mine")
    theirs = getattr(real_keras.optimizers, name)(clipnorm=2.0, name="mine").get_config()
    ours = optimizer.get_config()
    assert set(ours) == set(theirs)
    for key, value in theirs.items():
        assert ours[key] == (pytest.approx(value) if isinstance(value, float) else value), key
    copy = optimizers.deserialize(optimizers.serialize(optimizer))
    assert type(copy) is type(optimizer) and copy.get_config() == ours


@pytest.mark.parametrize("name", [*NAMES, "adam", "rmsprop", "RMSPROP"])
def test_get_by_name(name):
    assert type(optimizers.get(name)).__name__.lower() == name.lower()


def test_get_keeps_objects_and_knows_configs_of_keras_2():
    optimizer = optimizers.Adam()
    assert optimizers.get(optimizer) is optimizer
    assert optimizers.get(None) is None
    old = {"class_name": "SGD", "config": {"lr": 0.5, "momentum": 0.25, "decay": 0.1, "nesterov": False}}
    assert optimizers.get(old).get_config()["decay"] == 0.1


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'adam'"):
        optimizers.get("addam")
    with pytest.raises(TypeError, match="Expected an optimizer"):
        optimizers.get(len)
    with pytest.raises(TypeError, match=r"learning_rate.*Received: \['learnig_rate'\]"):
        optimizers.SGD(learnig_rate=0.1)


def test_keras_2_rates_decay_with_the_iterations():
    optimizer = optimizers.SGD(lr=1.0, decay=0.5)
    w = Variable(one(0.0))
    path = []
    for _ in range(3):
        optimizer.apply([one()], [w])
        path.append(float(w.numpy()))
    np.testing.assert_allclose(path, -np.cumsum([1, 1 / 1.5, 1 / 2]), rtol=1e-6)
    assert float(optimizer.lr.numpy()) == 1.0


def test_the_learning_rate_can_be_set():
    optimizer, w = optimizers.SGD(1.0), Variable(one(0.0))
    optimizer.apply([one()], [w])
    optimizer.learning_rate = 0.25
    optimizer.apply([one()], [w])
    assert float(w.numpy()) == -1.25
    optimizer.learning_rate = lambda: 0.5
    optimizer.apply([one()], [w])
    assert float(w.numpy()) == -1.75
    assert len(optimizer.variables) == 1
    with pytest.raises(TypeError, match="another schedule or function"):
        optimizer.learning_rate = 0.1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": "fast"}, "learning_rate to be a number"),
        ({"learning_rate": -1.0}, "learning_rate to be a number"),
        ({"clipnorm": 1.0, "clipvalue": 1.0}, "at most one of"),
        ({"clipnorm": -1.0}, "clipnorm to be positive"),
        ({"ema_momentum": 2.0}, "ema_momentum from 0 to 1"),
        ({"ema_overwrite_frequency": 0}, "ema_overwrite_frequency"),
        ({"gradient_accumulation_steps": 1}, "gradient_accumulation_steps"),
        ({"momentum": 1.5}, "momentum from 0 to 1"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        optimizers.SGD(**settings)


def test_missing_gradients_leave_a_variable_with_a_warning():
    optimizer = optimizers.SGD(1.0)
    v, w = Variable(one(), name="v"), Variable(one(), name="w")
    with pytest.warns(UserWarning, match="None for .'w'"):
        optimizer.apply([one(), None], [v, w])
    assert (float(v.numpy()), float(w.numpy())) == (0.0, 1.0)
    with pytest.raises(ValueError, match="None for all"):
        optimizer.apply([None, None])


def test_only_the_variables_of_build_are_updated():
    optimizer = optimizers.SGD(1.0)
    with pytest.raises(ValueError, match="Expected the variables"):
        optimizer.apply([one()])
    w = Variable(one())
    optimizer.build([w])
    with pytest.raises(ValueError, match="Expected 1 gradients"):
        optimizer.apply([one(), one()])
    with pytest.raises(ValueError, match="Received others: .'stranger'"):
        optimizer.apply([one()], [Variable(one(), name="stranger")])


def test_apply_gradients_takes_pairs_and_counts(backend):
    optimizer, w = optimizers.SGD(0.5), Variable(one())
    assert int(optimizer.apply_gradients(zip([one()], [w], strict=True)).numpy()) == 1
    assert int(optimizer.iterations.numpy()) == 1
    assert float(w.numpy()) == 0.5


def test_constraints_hold_after_updates(backend):
    w = Variable(np.float32([1.0, 3.0]), constraint=constraints.NonNeg())
    optimizers.SGD(1.0).apply([np.float32([2.0, 2.0])], [w])
    np.testing.assert_array_equal(w.numpy(), [0.0, 1.0])


def test_variables_can_be_excluded_from_weight_decay():
    kernel, bias, gamma = (Variable(one(), name=name) for name in ("kernel", "bias", "gamma"))
    optimizer = optimizers.SGD(0.5, weight_decay=1.0)
    optimizer.exclude_from_weight_decay(var_list=[gamma], var_names=["bias"])
    optimizer.apply([one(0.0)] * 3, [kernel, bias, gamma])
    assert [float(v.numpy()) for v in (kernel, bias, gamma)] == [0.5, 1.0, 1.0]
    with pytest.raises(ValueError, match="before build"):
        optimizer.exclude_from_weight_decay(var_names=["kernel"])


@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop"])
def test_dtypes_may_differ_and_stay(name, backend):
    weights = [Variable(np.ones(3), dtype=dtype) for dtype in ("float32", "float16", "bfloat16")]
    getattr(optimizers, name)(0.25).apply([np.full(3, 2.0, np.float32)] * 3, weights)
    assert [backend.dtype(w.value) for w in weights] == ["float32", "float16", "bfloat16"]
    values = np.array([w.numpy().astype("float32") for w in weights])
    np.testing.assert_allclose(values, np.broadcast_to(values[:1], values.shape), rtol=1e-2)
    assert (values < 0.9).all()


@pytest.mark.parametrize("name", NAMES)
def test_saved_state_continues_the_same(name):
    settings = {"use_ema": True, "gradient_accumulation_steps": 2}
    first, second = (getattr(optimizers, name)(0.1, **settings) for _ in range(2))
    v = Variable(np.float32([[1.0, 2.0]]))
    for index in range(3):
        first.apply([np.float32([[index, 1.0]])], [v])
    w = Variable(v.numpy())
    second.build([w])
    store = {}
    first.save_own_variables(store)
    second.load_own_variables(store)
    for variable, optimizer in ((v, first), (w, second)):
        for _ in range(3):
            optimizer.apply([np.float32([[1.0, 3.0]])], [variable])
    np.testing.assert_array_equal(v.numpy(), w.numpy())


def test_state_of_another_size_is_not_loaded():
    optimizer, store = optimizers.Adam(0.1), {}
    optimizer.save_own_variables(store)
    optimizer.build([Variable(one())])
    with pytest.warns(UserWarning, match="Expected 4 saved variables"):
        optimizer.load_own_variables(store)
    with pytest.raises(ValueError, match="Expected 4 weights"):
        optimizer.set_weights([1])
    optimizer.set_weights([7, 0.5, 0.25, 0.125])
    np.testing.assert_allclose(optimizer.get_weights(), [7, 0.5, 0.25, 0.125])


class Momentum(optimizers.Optimizer):
    """As the Keras guide writes an optimizer."""

    def __init__(self, learning_rate=0.1, momentum=0.9, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.momentum = momentum

    def build(self, variables):
        super().build(variables)
        self.calls = Variable(0.0, trainable=False)
        self.momentums = []
        for variable in variables:
            self.momentums.append(self.add_variable_from_reference(reference_variable=variable, name="momentum"))

    def update_step(self, gradient, variable, learning_rate):
        learning_rate = ops.cast(learning_rate, variable.dtype)
        m = self.momentums[self._get_variable_index(variable)]
        self.assign(m, ops.subtract(ops.multiply(m, self.momentum), ops.multiply(gradient, learning_rate)))
        self.assign_add(variable, m)
        self.assign_add(self.calls, 1.0)


def test_a_subclass_defines_its_own_update(backend):
    own, ours = Momentum(0.1), optimizers.SGD(0.1, momentum=0.9)
    v, w = Variable(one()), Variable(one())
    for _ in range(3):
        own.apply([one(2.0)], [v])
        ours.apply([one(2.0)], [w])
    np.testing.assert_allclose(v.numpy(), w.numpy(), rtol=1e-6)
    assert own.calls in own.variables and float(own.calls.numpy()) == 3


def test_a_subclass_may_change_a_built_in_update():
    class Half(optimizers.Adam):
        def update_step(self, gradient, variable, learning_rate):
            super().update_step(gradient, variable, learning_rate / 2)

    w = Variable(one())
    Half(0.5).apply([one(3.0)], [w])
    np.testing.assert_allclose(w.numpy(), 0.75, rtol=1e-6)


def test_legacy_names_are_the_same_classes():
    assert optimizers.legacy.Adam is optimizers.Adam


def test_averages_take_the_place_of_weights_at_the_end_only():
    optimizer = optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5)
    w = Variable(one(0.0))
    for _ in range(2):
        optimizer.apply([one()], [w])
    assert float(w.numpy()) == -2.0
    optimizer.finalize_variable_values([w])
    assert float(w.numpy()) == -1.5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.apply([one()], [w])


def test_a_multi_optimizer_has_no_rate_of_its_own():
    optimizer = optimizers.MultiOptimizer(optimizers.OptimizerMap(optimizers.SGD()))
    with pytest.raises(AttributeError, match="one of `optimizers`"):
        _ = optimizer.learning_rate
    with pytest.raises(ValueError, match="at most one pattern"):
        _ = optimizers.OptimizerMap(optimizers.SGD(), {"a.*": optimizers.SGD(), ".*b": optimizers.SGD()})["ab"]
    with pytest.raises(TypeError, match="does not wrap others"):
        optimizers.OptimizerMap(optimizer)


def test_composites_come_back_from_their_configs():
    scaled = optimizers.LossScaleOptimizer(optimizers.Adam(0.5), initial_scale=4.0)
    copy = optimizers.get(optimizers.serialize(scaled))
    assert copy.initial_scale == 4.0 and float(copy.learning_rate.numpy()) == 0.5
    several = optimizers.MultiOptimizer(optimizers.OptimizerMap(optimizers.SGD(0.5), {"a": optimizers.Adam(0.25)}))
    copy = optimizers.get(optimizers.serialize(several))
    assert [float(o.learning_rate.numpy()) for o in copy.optimizers] == [0.25, 0.5]


def test_a_variable_takes_its_gradient_for_its_next_value(backend):
    scaled, weight = Variable([1.0, 2.0]), Variable([1.0, 2.0])
    scaled.overwrite_with_gradient = True
    optimizer = optimizers.SGD(1.0, loss_scale_factor=4.0)
    optimizer.apply([ops.convert_to_tensor([8.0, 9.0]), ops.convert_to_tensor([4.0, 4.0])], [scaled, weight])
    assert (scaled.numpy().tolist(), weight.numpy().tolist()) == ([8.0, 9.0], [0.0, 1.0])


def test_an_optimizer_of_variables_that_all_take_their_gradients(backend):
    for optimizer in (optimizers.SGD(1.0), optimizers.LossScaleOptimizer(optimizers.Adam())):
        scaled = Variable([1.0, 2.0])
        scaled.overwrite_with_gradient = True
        optimizer.apply([ops.convert_to_tensor([8.0, 9.0])], [scaled])
        assert scaled.numpy().tolist() == [8.0, 9.0]


def test_accumulated_next_values_are_the_largest(backend):
    scaled, weight = Variable([1.0, 2.0]), Variable([1.0, 2.0])
    scaled.overwrite_with_gradient = True
    optimizer = optimizers.SGD(1.0, gradient_accumulation_steps=2)
    for value in (3.0, 1.0):
        optimizer.apply([ops.convert_to_tensor([value, value])] * 2, [scaled, weight])
    assert (scaled.numpy().tolist(), weight.numpy().tolist()) == ([3.0, 3.0], [-1.0, 0.0])


def test_updates_without_state_take_numpy_arrays(backend):
    v, w = Variable([2.0], name="v"), Variable([3.0], name="w")
    optimizer = optimizers.MultiOptimizer(optimizers.OptimizerMap(optimizers.SGD(1.0), {"w": optimizers.SGD(0.5)}))
    optimizer.build([v, w])
    gradients = [ops.convert_to_tensor([1.0])] * 2
    state = [variable.numpy() for variable in optimizer.variables]
    fresh, _ = optimizer.stateless_apply(state, gradients, [v.numpy(), w.numpy()])
    assert [ops.convert_to_numpy(x).tolist() for x in fresh] == [[1.0], [2.5]]
    assert (v.numpy().tolist(), w.numpy().tolist()) == ([2.0], [3.0])


def test_older_configs_of_a_loss_scale_repeat_the_settings_of_the_optimizer_inside():
    config = optimizers.LossScaleOptimizer(optimizers.SGD(0.5), initial_scale=2.0).get_config()
    older = {**config, "clipnorm": None, "weight_decay": None, "use_ema": False, "ema_momentum": 0.99}
    assert optimizers.LossScaleOptimizer.from_config(older).get_config() == config
