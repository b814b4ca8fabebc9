"""Threads that read, predict, evaluate and save while another one trains the same model."""

import contextlib
import functools
import random
import sys
import threading
import time

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops
from polykeras.capture import cache
from polykeras.core import turns, variables
from polykeras.layers import layer
from polykeras.metrics import metric
from polykeras.optimizers import optimizer
from polykeras.training import compiled, trainer

SECONDS = 1.0


class Twins(layers.Layer):
    """Two weights that have the same values after every step, and others after the next."""

    def build(self, input_shape):
        self.one = self.add_weight((input_shape[-1],), "zeros")
        self.other = self.add_weight((input_shape[-1],), "zeros")

    def call(self, inputs):
        return inputs * self.one + inputs * self.other


def make_model(*inner):
    model = keras.Sequential(
        [keras.Input((8,)), layers.Dense(8), layers.BatchNormalization(), layers.Dropout(0.2), *inner, layers.Dense(1)]
    )
    model.compile("adam", "mse", metrics=["mae"])
    return model


def rows(count=128):
    x = np.random.default_rng(0).normal(size=(count, 8)).astype("float32")
    return x, x.sum(-1, keepdims=True)


def while_training(model, readers, train, seconds=SECONDS):
    """Train for a while, with a thread for each reader; return what went wrong there."""
    failures, end = [], threading.Event()

    def work(read):
        while not end.is_set():
            try:
                read()
            except Exception as error:
                failures.append(error)
                return

    threads = [threading.Thread(target=work, args=(read,)) for read in readers]
    for thread in threads:
        thread.start()
    try:
        stop = time.monotonic() + seconds
        while time.monotonic() < stop:
            train()
    finally:
        end.set()
        for thread in threads:
            thread.join()
    return failures


@pytest.mark.parametrize("inner", [[], [Twins]], ids=["own layers", "a user's layer"])
def test_reading_predicting_evaluating_and_saving_beside_fit_fails_nowhere(backend, tmp_path, inner):
    model = make_model(*(make() for make in inner))
    x, y = rows()

    def finite(outputs):
        assert np.isfinite(ops.convert_to_numpy(outputs)).all()

    def on_backend(function):
        def read():
            with keras.backends.use(backend.name):
                function()

        return read

    readers = [
        lambda: [finite(w) for w in model.get_weights()],
        lambda: finite(model.predict(x[:16], verbose=0)),
        lambda: finite(model(x[:4], training=True)),
        lambda: [model.save(tmp_path / "model.keras"), model.evaluate(x[:16], y[:16], verbose=0)],
    ]
    train = lambda: model.fit(x, y, batch_size=8, verbose=0)  # noqa: E731
    failures = while_training(model, map(on_backend, readers), train)
    assert not failures, failures
    assert keras.saving.load_model(tmp_path / "model.keras", {"Twins": Twins}).count_params() == model.count_params()


def test_weights_read_beside_training_are_those_after_one_step(backend):
    model = make_model(Twins())
    x, y = rows()
    twins = model.layers[-2]

    def read():
        one, other = twins.get_weights()
        np.testing.assert_array_equal(one, other)

    failures = while_training(model, [read], lambda: model.train_on_batch(x[:8], y[:8]))
    assert not failures, failures
    assert twins.get_weights()[0].any()


def test_a_layer_saved_beside_training_is_that_after_one_step(backend, tmp_path):
    model = make_model(Twins())
    x, y = rows()
    twins = model.layers[-2]
    copy = Twins()
    copy.build((None, 8))

    def save():
        with keras.backends.use(backend.name):
            keras.saving.save_weights(twins, tmp_path / "twins.weights.h5")
            keras.saving.load_weights(copy, tmp_path / "twins.weights.h5")
        np.testing.assert_array_equal(*copy.get_weights())

    failures = while_training(model, [save], lambda: model.train_on_batch(x[:8], y[:8]))
    assert not failures, failures
    save()
    assert copy.get_weights()[0].any()


def without_gradients(backend):
    """While gradients are on, PyTorch's programs are given the parameter itself, which steps change."""
    if backend.name != "torch":
        return contextlib.nullcontext()
    import torch

    return torch.no_grad()


def test_an_array_that_a_user_took_from_a_weight_outlives_steps_unchanged(backend):
    model = make_model()
    kernel = model.layers[0].kernel
    with without_gradients(backend):
        taken, before = kernel.value, kernel.numpy()
    model.fit(*rows(), verbose=0)
    np.testing.assert_array_equal(ops.convert_to_numpy(taken), before)
    assert not np.array_equal(kernel.numpy(), before)


@pytest.mark.parametrize("backend", ["numpy", "torch"], indirect=True)
def test_a_step_whose_own_code_waits_for_a_reader_does_not_wait_for_ever(backend, monkeypatch):
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", 0.1)

    class Asks(layers.Layer):
        def call(self, inputs):
            if not keras.backends.current().is_symbolic:
                thread = threading.Thread(target=lambda: found.append(model.get_weights()))
                thread.start()
                thread.join(timeout=30)
            return inputs

    found = []
    model = make_model(Asks())
    model.fit(*rows(8), batch_size=8, verbose=0)
    assert len(found[-1]) == len(model.weights)


@pytest.fixture
def switching_often():
    """Threads take turns every ten microseconds, so that a race of two lines shows in seconds."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


class Named(keras.Model):
    """A model whose layers are built as its call comes to them."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first, self.norm, self.last = layers.Dense(8), layers.BatchNormalization(), layers.Dense(1)

    def call(self, inputs):
        return self.last(self.norm(self.first(inputs)))


def make_unbuilt():
    model = keras.Sequential([layers.Dense(8), layers.BatchNormalization(), layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    return model


def make_named():
    model = Named()
    model.compile("adam", "mse", metrics=["mae"])
    return model


@pytest.mark.usefixtures("switching_often")
@pytest.mark.parametrize("make", [make_model, make_unbuilt, make_named])
def test_files_saved_while_a_model_gets_its_variables_load(backend, tmp_path, make):
    path = tmp_path / "model.keras"

    def save(model):
        with keras.backends.use(backend.name):
            model.save(path)
            loaded = keras.saving.load_model(path, {"Named": Named})
            if loaded.optimizer is not None and loaded.optimizer.built:
                assert len(loaded.optimizer.variables) == 2 + 2 * len(loaded.trainable_variables)

    for _ in range(5):
        model = make()
        failures = while_training(
            model, [functools.partial(save, model)], lambda model=model: model.fit(*rows(16), verbose=0), 0.05
        )
        assert not failures, failures


@pytest.mark.usefixtures("switching_often")
@pytest.mark.parametrize("make", [make_unbuilt, make_named])
def test_threads_that_call_an_unbuilt_model_together_build_it_once(backend, make):
    x, y = rows(16)
    for _ in range(5):
        model = make()

        def predict(model=model):
            with keras.backends.use(backend.name):
                model.predict(x, verbose=0)

        failures = while_training(model, [predict] * 3, lambda model=model: model.fit(x, y, verbose=0), 0.05)
        assert not failures, failures
        assert [w.shape for w in model.weights] == [(8, 8), (8,), (8,), (8,), (8,), (8,), (8, 1), (1,)]
        assert len(model.optimizer.variables) == 2 + 2 * 6


class Counts(layers.Layer):
    def build(self, input_shape):
        self.calls = self.add_weight((), "zeros", dtype="int32", trainable=False)

    def call(self, inputs):
        self.calls.assign_add(1)
        return inputs


@pytest.mark.usefixtures("switching_often")
@pytest.mark.parametrize("inner", [[], [Counts]], ids=["own layers", "a user's layer"])
def test_no_step_is_lost_where_several_threads_train_one_model(backend, inner):
    counter = [make() for make in inner]
    model = make_model(*counter)
    model.train_on_batch(*rows(16))
    calls = sum(int(layer.calls) for layer in counter)

    def train(failures):
        try:
            with keras.backends.use(backend.name):
                for count in (3, 4, 3, 4, 5, 3):  # new shapes, which are captured meanwhile
                    model.train_on_batch(*rows(count))
        except Exception as error:
            failures.append(error)

    failures: list = []
    threads = [threading.Thread(target=train, args=(failures,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    assert int(model.optimizer.iterations) == 19
    assert sum(int(layer.calls) for layer in counter) == calls + 18 * len(inner)


def pausing(module):
    """Return a trace function that lets other threads go on at about every fifth line of a module."""
    chances = random.Random(0)

    def at_line(frame, event, argument):
        if chances.random() < 0.2:
            time.sleep(1e-4)
        return at_line

    return lambda frame, event, argument: at_line if frame.f_code.co_filename == module.__file__ else None


@pytest.mark.parametrize(
    "module", [cache, compiled, layer, metric, optimizer, trainer, variables], ids=lambda m: m.__name__
)
@pytest.mark.parametrize("make", [make_unbuilt, make_named])
def test_threads_that_pause_anywhere_make_one_model(backend, make, module):
    x, y = rows(16)
    uses = [lambda m: m(x), lambda m: m.predict(x, verbose=0), lambda m: m.evaluate(x, y, verbose=0)]
    for first, second in ((0, 0), (1, 2), (2, 2)):
        model = make()

        def use(function, model=model):
            sys.settrace(pausing(module))
            with keras.backends.use(backend.name):
                function(model)

        readers = [functools.partial(use, uses[index]) for index in (first, second)]
        train = functools.partial(use, lambda m: m.fit(x, y, verbose=0))
        assert while_training(model, [*readers, train], lambda: time.sleep(0.1), 0.1) == []
        assert [w.shape for w in model.weights] == [(8, 8), (8,), (8,), (8,), (8,), (8,), (8, 1), (1,)]


@pytest.mark.usefixtures("switching_often")
@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.metrics.MeanAbsoluteError(),
        lambda: keras.optimizers.Adam(),
        lambda: layers.Dense(3),
        lambda: keras.Sequential([keras.Input((8,)), layers.Dense(2)]),
    ],
    ids=["metric", "optimizer", "layer", "model"],
)
def test_attributes_may_be_set_while_others_ask_for_variables(backend, make):
    item = make()

    def set_and_delete():
        for index in range(100):
            setattr(item, f"note_{index}", index)
        for index in range(100):
            delattr(item, f"note_{index}")

    def ask():
        with keras.backends.use(backend.name):
            assert isinstance(item.variables, list)

    assert while_training(item, [ask, ask], set_and_delete, 0.3) == []
