"""What is set is what runs: programs that a captured step could silently get wrong, on every backend.

The oracle is the same program line by line, which is plain Python, or what Python itself says.
"""

import functools
import random

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends, layers, ops
from polykeras.capture import stamp, tape
from polykeras.capture.cache import steps_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 4)).astype("float32")
Y = (X[:, :1] > 0).astype("float32")


class Scaled(layers.Layer):
    """A user's layer with a number."""

    factor = 1.0

    def __init__(self, **options):
        super().__init__(**options)
        self.options = {"shift": 0.0}
        self.switch = False

    def call(self, x):
        return ops.negative(x) if self.switch else x * self.factor + self.options["shift"]


STATE = {"rate": 0.1, "weight": 1.0}


def clean_settings():
    keras.utils.set_random_seed(1)
    keras.config.set_epsilon(1e-7)
    STATE.update(rate=0.1, weight=1.0)
    Scaled.factor = 1.0


@pytest.fixture(autouse=True)
def clean():
    yield
    clean_settings()


def network(*inner, **options):
    """A small model around some layers, the same each time."""
    parts = [keras.Input((4,)), layers.Dense(4, activation="tanh", name="first", **options), *inner]
    return keras.Sequential([*parts, layers.Dense(1, name="last")])


@functools.cache
def line_by_line(program, *arguments):
    """What a program returns on NumPy where no step is captured."""
    keras.config.run_functions_eagerly(True)
    try:
        with backends.use("numpy"):
            return program(*arguments)
    finally:
        keras.config.run_functions_eagerly(False)


def check_as_line_by_line(program, *arguments, rtol=2e-5):
    captured, expected = program(*arguments), line_by_line(program, *arguments)
    for one, other in zip(keras.tree.flatten(captured), keras.tree.flatten(expected), strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(one), np.asarray(other), rtol=rtol, atol=1e-6)
    return expected


# ------------------------------------------------------------------- model(x)


def set_call(model):
    model.get_layer("first").call = lambda x: x * 3


def set_rate_of_user(model):
    model.get_layer("own").factor = 3.0


def set_in_dict(model):
    model.get_layer("own").options["shift"] = 3.0


def set_on_class(model):
    Scaled.factor = 2.0


CALLS = {
    "activation": ((), lambda m: setattr(m.get_layer("first"), "activation", keras.activations.relu)),
    "slope": ((layers.LeakyReLU, 0.3), lambda m: setattr(m.layers[1], "negative_slope", 0.7)),
    "threshold": ((layers.ThresholdedReLU, 0.3), lambda m: setattr(m.layers[1], "theta", 0.7)),
    "a function of the user's": ((), lambda m: setattr(m.get_layer("first"), "activation", lambda x: x * 2)),
    "call": ((), set_call),
    "enable_lora": ((), lambda m: m.get_layer("first").enable_lora(2)),
    "freeze": ((layers.BatchNormalization,), lambda m: setattr(m.layers[1], "trainable", False)),
    "epsilon": ((layers.BatchNormalization,), lambda m: setattr(m.layers[1], "epsilon", 0.5)),
    "weights": ((), lambda m: m.set_weights([w + 1 for w in m.get_weights()])),
    "user's number": ((Scaled, "own"), set_rate_of_user),
    "user's dict": ((Scaled, "own"), set_in_dict),
    "user's class": ((Scaled, "own"), set_on_class),
    "user's switch": ((Scaled, "own"), lambda m: setattr(m.get_layer("own"), "switch", True)),
    "scale": ((layers.Rescaling, 2.0), lambda m: setattr(m.layers[1], "scale", 5.0)),
    "layer of the stack": ((layers.Activation, "tanh"), lambda m: setattr(m.layers[1], "activation", ops.exp)),
    "global epsilon": ((layers.UnitNormalization,), lambda m: keras.config.set_epsilon(0.5)),
}


def made(kind, *arguments):
    return kind(name="own") if arguments == ("own",) else kind(*arguments)


def calls_around_a_change(name, use):
    part, change = CALLS[name]
    clean_settings()
    model = network(*([made(*part)] if part else []))
    model.compile("sgd", "mse")
    run = {"call": model, "predict": lambda x: model.predict(x, verbose=0)}
    before = [run[use](X) for _ in range(5)]
    change(model)
    return before, [run[use](X) for _ in range(5)]


@pytest.mark.parametrize("use", ["call", "predict"])
@pytest.mark.parametrize("name", CALLS)
def test_what_is_set_between_calls_counts(backend, name, use):
    before, after = check_as_line_by_line(calls_around_a_change, name, use)
    if name not in ("freeze", "enable_lora", "global epsilon"):
        assert not np.allclose(ops.convert_to_numpy(before[0]), ops.convert_to_numpy(after[0]), rtol=1e-4)


# -------------------------------------------------------------- between epochs


def kl(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred), -1) + STATE["weight"] * ops.mean(ops.abs(y_pred))


def l2(factor):
    return keras.regularizers.L2(factor)


def rate(epoch):
    STATE.update(rate=0.1 / (epoch + 1), weight=1.0 + epoch)


def sgd(**options):
    return lambda: {"optimizer": keras.optimizers.SGD(0.1, **options)}


def adam(**options):
    return lambda: {"optimizer": keras.optimizers.Adam(0.01, **options)}


def attribute(*path):
    """A change of a number, at the end of some attributes of the model."""

    def change(model, epoch):
        x = model
        for name in path[:-1]:
            x = x.layers[name] if isinstance(name, int) else getattr(x, name)
        setattr(x, path[-1], 0.1 + 0.2 * epoch)

    return change


def schedule(model, epoch):
    if epoch == 1:
        model.optimizer.learning_rate = keras.optimizers.schedules.ExponentialDecay(0.5, 1, 0.5)


def regularize_activity(model, epoch):
    model.get_layer("first").activity_regularizer = l2(0.3 * epoch) if epoch else None


def losses(**options):
    return lambda: {"loss": keras.losses.BinaryCrossentropy(from_logits=True, **options)}


EPOCHS = {
    "Dropout.rate": (sgd(), [(layers.Dropout, 0.5)], attribute(1, "rate")),
    "Dropout.rate from 0": (sgd(), [(layers.Dropout, 0.0)], attribute(1, "rate")),
    "GaussianNoise.stddev": (sgd(), [(layers.GaussianNoise, 0.5)], attribute(1, "stddev")),
    "GaussianDropout.rate": (sgd(), [(layers.GaussianDropout, 0.5)], attribute(1, "rate")),
    "AlphaDropout.rate": (sgd(), [(layers.AlphaDropout, 0.5)], attribute(1, "rate")),
    "momentum of an average": (sgd(), [(layers.BatchNormalization,)], attribute(1, "momentum")),
    "slope": (sgd(), [(layers.LeakyReLU, 0.3)], attribute(1, "negative_slope")),
    "momentum": (sgd(momentum=0.9), [], attribute("optimizer", "momentum")),
    "momentum from 0": (sgd(momentum=0.0), [], attribute("optimizer", "momentum")),
    "momentum, nesterov": (sgd(momentum=0.9, nesterov=True), [], attribute("optimizer", "momentum")),
    "weight_decay": (sgd(weight_decay=0.1), [], attribute("optimizer", "weight_decay")),
    "clipnorm": (sgd(clipnorm=0.1), [], attribute("optimizer", "clipnorm")),
    "clipvalue": (sgd(clipvalue=0.1), [], attribute("optimizer", "clipvalue")),
    "global_clipnorm": (sgd(global_clipnorm=0.1), [], attribute("optimizer", "global_clipnorm")),
    "ema_momentum": (sgd(use_ema=True, ema_overwrite_frequency=2), [], attribute("optimizer", "ema_momentum")),
    "beta_1": (adam(), [], attribute("optimizer", "beta_1")),
    "epsilon of Adam": (adam(), [], attribute("optimizer", "epsilon")),
    "weight_decay of AdamW": (
        lambda: {"optimizer": keras.optimizers.AdamW(0.01, weight_decay=0.1)},
        [],
        attribute("optimizer", "weight_decay"),
    ),
    "a schedule": (sgd(), [], schedule),
    "a schedule's number": (
        lambda: {"optimizer": keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.9))},
        [],
        attribute("optimizer", "_learning_rate", "decay_rate"),
    ),
    "a function as rate": (
        lambda: {"optimizer": keras.optimizers.SGD(lambda: STATE["rate"])},
        [],
        lambda model, epoch: rate(epoch),
    ),
    "a regularizer's factor": (sgd(), [], lambda m, e: setattr(m.get_layer("first").kernel.regularizer, "l2", e + 0.1)),
    "a regularizer": (sgd(), [], lambda m, e: setattr(m.get_layer("last").kernel, "regularizer", l2(e + 0.1))),
    "a constraint's number": (
        sgd(),
        [],
        lambda m, e: setattr(m.get_layer("first").kernel.constraint, "max_value", 1 - e / 5),
    ),
    "an activity regularizer": (sgd(), [], regularize_activity),
    "label_smoothing": (losses(label_smoothing=0.1), [], attribute("loss", "label_smoothing")),
    "global epsilon": (losses(), [], lambda m, e: keras.config.set_epsilon(10.0 ** (e - 3))),
    "a value of a closure": (lambda: {"loss": kl}, [], lambda m, e: rate(e)),
    "user's number": (sgd(), [(Scaled, "own")], lambda m, e: setattr(m.get_layer("own"), "factor", 1.5 + e)),
    "user's dict": (sgd(), [(Scaled, "own")], lambda m, e: m.get_layer("own").options.update(shift=e / 2)),
    "user's switch": (sgd(), [(Scaled, "own")], lambda m, e: setattr(m.get_layer("own"), "switch", e % 2 == 1)),
    "dtype of nothing": (sgd(), [], lambda m, e: None),
}


# What compiles takes its time over each step: there all is changed at once.
TOGETHER = {
    "layers": (
        sgd(momentum=0.9, weight_decay=0.1, clipnorm=0.1),
        [(layers.Dropout, 0.5), (layers.GaussianNoise, 0.5), (layers.BatchNormalization,), (layers.LeakyReLU, 0.3)],
        [
            *(attribute(1, "rate"), attribute(2, "stddev"), attribute(3, "momentum"), attribute(4, "negative_slope")),
            *(attribute("optimizer", name) for name in ("momentum", "weight_decay", "clipnorm")),
            *(EPOCHS["a regularizer's factor"][2], EPOCHS["a constraint's number"][2]),
        ],
    ),
    "Adam": (
        lambda: adam(weight_decay=0.1, global_clipnorm=0.1)() | losses(label_smoothing=0.1)(),
        [(layers.AlphaDropout, 0.5), (layers.GaussianDropout, 0.5)],
        [
            *(attribute(1, "rate"), attribute(2, "rate"), attribute("loss", "label_smoothing")),
            *(attribute("optimizer", name) for name in ("beta_1", "epsilon", "weight_decay", "global_clipnorm")),
        ],
    ),
    "a user's code": (
        lambda: {"optimizer": keras.optimizers.SGD(lambda: STATE["rate"]), "loss": kl},
        [(Scaled, "own")],
        [EPOCHS[name][2] for name in ("a value of a closure", "user's number", "user's dict", "user's switch")],
    ),
    "objects": (
        sgd(),
        [(layers.Dropout, 0.0)],
        [attribute(1, "rate"), schedule, EPOCHS["a regularizer"][2], regularize_activity],
    ),
}


def epochs_with_changes(name):
    clean_settings()
    arguments, parts, changes = (EPOCHS | TOGETHER)[name]
    changes = changes if isinstance(changes, list) else [changes]
    model = network(*(made(*part) for part in parts), kernel_regularizer=l2(0.1), kernel_constraint="max_norm")
    model.compile(**{"optimizer": "sgd", "loss": "mse", **arguments()})
    begin = lambda epoch, logs: [change(model, epoch) for change in changes]  # noqa: E731
    callback = keras.callbacks.LambdaCallback(on_epoch_begin=begin)
    history = model.fit(X, Y, batch_size=8, epochs=5, shuffle=False, verbose=0, callbacks=[callback]).history
    return history["loss"], model.get_weights()


@pytest.mark.parametrize("name", [*EPOCHS, *TOGETHER])
def test_what_a_callback_sets_between_epochs_counts(backend, name):
    if backend.is_traced and name not in TOGETHER:
        pytest.skip("compiled together with others")
    check_as_line_by_line(epochs_with_changes, name, rtol=2e-4)


# ------------------------------------------------------------- code without ops


class Kept(layers.Layer):
    """Passes on; counts, keeps and prints; raises when it is told to."""

    def __init__(self, **options):
        super().__init__(**options)
        self.seen, self.last, self.fails = [], None, False

    def call(self, x):
        self.seen.append(len(self.seen))
        self.last = x
        print("called")
        if self.fails:
            raise ValueError("as told")
        return x


class Depth(layers.Layer):
    """Doubles or passes on, by Python's own random numbers."""

    def call(self, x):
        return x * 2 if random.random() < 0.5 else x


class Batches(keras.metrics.Metric):
    """Counts in Python."""

    count = 0

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.count += 1

    def result(self):
        return ops.convert_to_tensor(float(self.count))

    def reset_state(self):
        self.count = 0


def own_model(*inner):
    model = network(*inner)
    model.compile("sgd", "mse", metrics=[Batches(name="batches")])
    return model


def test_a_call_runs_a_users_code_each_time(backend, capsys):
    layer = Kept()
    model = network(layer)
    before = len(layer.seen)
    for count in range(1, 9):
        model(X)
        assert len(layer.seen) == before + count
        assert backend.is_array(layer.last)
    assert capsys.readouterr().out.count("called") == before + 8
    layer.fails = True
    with pytest.raises(ValueError, match="as told"):
        model(X)


def test_a_call_follows_the_random_numbers_of_python(backend):
    model = network(Depth())
    random.seed(0)
    coins = [random.random() < 0.5 for _ in range(12)]
    random.seed(0)
    found = [ops.convert_to_numpy(model(X)) for _ in coins]
    assert [np.allclose(y, found[coins.index(True)]) for y in found] == coins


def test_steps_run_a_users_code_each_time_where_python_does(backend):
    layer = Kept()
    model = own_model(layer)
    model.fit(X, Y, batch_size=4, verbose=0)
    before = len(layer.seen)
    history = model.fit(X, Y, batch_size=4, epochs=3, verbose=0).history
    model.evaluate(X, Y, batch_size=4, verbose=0)
    model.predict(X, batch_size=4, verbose=0)
    if backend.is_traced:  # as with jax.jit: when the step is traced
        assert len(layer.seen) > before
    else:
        assert len(layer.seen) == before + 10 + 2  # evaluate and predict look at the shapes once
        assert history["batches"] == [2.0, 2.0, 2.0]


@pytest.mark.parametrize("run", ["fit", "predict", "train_on_batch", "call"])
def test_an_exception_after_the_first_steps_is_raised(backend, run):
    layer = Kept()
    model = own_model(layer)
    runs = {
        "fit": lambda: model.fit(X, Y, verbose=0),
        "predict": lambda: model.predict(X, verbose=0),
        "train_on_batch": lambda: model.train_on_batch(X, Y),
        "call": lambda: model(X),
    }
    for _ in range(5):
        runs[run]()
    layer.fails = True
    with pytest.raises(ValueError, match="as told"):
        runs[run]()
    layer.fails = False
    runs[run]()


def test_a_patched_method_is_called_and_taken_back(backend):
    model = network()
    first = ops.convert_to_numpy([model(X) for _ in range(5)][-1])
    layer = model.get_layer("first")
    layer.call = lambda x, training=None: x * 0
    patched = [ops.convert_to_numpy(model(X)) for _ in range(5)]
    np.testing.assert_allclose(patched[0], patched[-1])
    np.testing.assert_allclose(patched[0], np.zeros((8, 1)), atol=1e-7)
    del layer.call
    np.testing.assert_allclose(ops.convert_to_numpy([model(X) for _ in range(5)][-1]), first, rtol=1e-5)


def test_an_activity_regularizer_counts_in_calls_of_a_layer_alone(backend):
    layer = layers.Dense(2)
    for _ in range(3):
        layer(ops.ones((1, 4)))
    assert layer.losses == []
    layer.activity_regularizer = l2(1.0)
    outputs = ops.convert_to_numpy(layer(ops.ones((1, 4))))
    np.testing.assert_allclose(ops.convert_to_numpy(layer.losses[0]), (outputs**2).sum(), rtol=1e-5)


def test_results_are_returned_on_a_batch_after_a_fit(backend):
    model = network()
    model.compile("sgd", "mse", metrics=["mae"])
    model.fit(X, Y, batch_size=8, verbose=0)
    assert len(model.train_on_batch(X, Y)) == 2
    model.evaluate(X, Y, batch_size=8, verbose=0)
    assert len(model.test_on_batch(X, Y)) == 2


def test_run_eagerly_may_be_set_at_any_time(backend):
    layer = Kept()
    model = own_model(layer)
    model.fit(X, Y, batch_size=8, verbose=0)
    model.run_eagerly = True
    before = len(layer.seen)
    model.fit(X, Y, batch_size=8, epochs=3, verbose=0)
    assert len(layer.seen) >= before + 3
    model.run_eagerly = False
    model.fit(X, Y, batch_size=8, verbose=0)


def test_a_new_seed_counts(backend):
    model = network(layers.Dropout(0.5, seed=1))
    model.compile("sgd", "mse")
    once = [model.train_on_batch(X, Y) for _ in range(2)]
    other = network(layers.Dropout(0.5, seed=1))
    other.set_weights(model.get_weights())
    model.layers[1].seed_generator.reseed(7)
    model.layers[1].seed_generator.state.assign(0)
    assert once and model.train_on_batch(X, Y) != pytest.approx(once[0], rel=1e-6)


def test_other_models_and_layers_made_meanwhile_cost_no_new_version(backend):
    model = network(layers.Dropout(0.3))
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    before = stamp.count
    own_model(Kept())
    layers.Dense(3)(X)
    model.fit(X, Y, epochs=2, verbose=0)
    assert stamp.count == before


def test_steps_of_many_settings_are_kept_within_bounds(backend):
    if backend.is_traced:
        pytest.skip("compiles too long")
    model = network(layers.Dropout(0.5), layers.Activation("tanh"))
    model.compile("sgd", "mse")
    names = "tanh relu softplus elu gelu selu sigmoid softsign exponential linear"
    activations = [keras.activations.get(name) for name in names.split()]
    for index in range(30):
        model.layers[2].activation = activations[index % 10]
        for _ in range(5):
            model.train_on_batch(X, Y)
    (step,) = steps_of(model).values()
    assert len(step._versions) <= 8


def test_an_annealed_number_makes_three_versions_at_most(backend):
    model = network(layers.Dropout(0.5))
    model.compile("sgd", "mse")
    for index in range(12):
        model.layers[1].rate = 0.5 - index / 30
        model.train_on_batch(X, Y)
    (step,) = steps_of(model).values()
    assert len(step._versions) <= 3
    assert model.layers[1].rate == 0.5 - 11 / 30


def test_what_a_step_sets_itself_makes_few_versions(backend):
    layer = Kept()
    model = own_model(layer)
    model.fit(X, Y, batch_size=8, epochs=6, verbose=0)
    before = len(layer.seen)
    model.fit(X, Y, batch_size=8, epochs=3, verbose=0)
    assert len(layer.seen) - before == (0 if backend.is_traced else 3)


@pytest.mark.parametrize("most", [0, 1e9])
def test_a_size_decides_nothing_but_the_time(backend, most, monkeypatch):
    monkeypatch.setattr(tape, "_MOST_BYTES", most)
    check_as_line_by_line(calls_around_a_change, "slope", "predict")
    layer = Kept()
    model = network(layer)
    model.compile("sgd", "mse")
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    before = len(layer.seen)
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    assert len(layer.seen) - before == (0 if backend.is_traced else 2)


def test_an_int_that_counts_steps_makes_few_versions(backend):
    layer = Scaled(name="own")
    model = network(layer)
    model.compile("sgd", "mse")
    for index in range(1, 9):
        layer.factor = index
        found = model.predict(X, verbose=0)
    assert layer.factor == 8
    np.testing.assert_allclose(found, ops.convert_to_numpy(model(X)), rtol=1e-5, atol=1e-5)
    assert all(len(step._versions) <= 3 for step in steps_of(model).values())
