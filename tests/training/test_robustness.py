"""What stops in the middle, what runs side by side, and errors that name the layer."""

import os
import signal
import threading
import time

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops
from polykeras.core import turns


def data(rows=64):
    x = np.random.default_rng(0).normal(size=(rows, 4)).astype("float32")
    return x, x.sum(-1, keepdims=True)


def linear(*extra, **arguments):
    model = keras.Sequential([keras.Input((4,)), *extra, layers.Dense(1)])
    model.compile(**{"optimizer": "adam", "loss": "mse", **arguments})
    return model


class Explosive(layers.Layer):
    """Raises when ``armed``, at the moment a step is run or traced."""

    armed = False

    def call(self, x):
        if self.armed and not keras.backends.current().is_symbolic:
            raise FloatingPointError("boom")
        return x


def test_an_exception_inside_a_step_leaves_weights_and_model_as_before(backend):
    bomb = Explosive()
    model = linear(bomb)
    bomb.armed = True
    before = model.get_weights()
    with pytest.raises(FloatingPointError, match="boom"):
        model.fit(*data(), verbose=0)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
    bomb.armed = False
    losses = model.fit(*data(), epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_an_exception_in_a_callback_leaves_a_model_that_trains_on(backend):
    class Fail(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise OSError("disk full")

    model = linear()
    with pytest.raises(OSError, match="disk full"):
        model.fit(*data(), batch_size=8, verbose=0, callbacks=[Fail()])
    assert np.isfinite(model.fit(*data(), verbose=0).history["loss"][0])


def test_ctrl_c_at_any_moment_leaves_a_usable_model(backend):
    model = linear()
    x, y = data(4096)
    model.fit(x, y, batch_size=8, epochs=1, verbose=0)
    for attempt in range(3):
        timer = threading.Timer(0.05 + 0.03 * attempt, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            model.fit(x, y, batch_size=8, epochs=10_000, verbose=0)
        weights = model.get_weights()
        assert all(np.isfinite(w).all() for w in weights)
        kernel, bias = weights
        np.testing.assert_allclose(model.predict(x[:4], verbose=0), x[:4] @ kernel + bias, rtol=1e-3, atol=1e-4)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_eight_threads_predicting_get_the_serial_answers(backend):
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(16, activation="relu"), layers.Dropout(0.5), layers.Dense(2)]
    )
    inputs = [np.random.default_rng(n).normal(size=(16 + n % 3, 4)).astype("float32") for n in range(8)]
    fresh = keras.models.clone_model(model)
    fresh.set_weights(model.get_weights())
    expected = [fresh.predict(x, verbose=0) for x in inputs]
    results = [None] * 8

    def work(index):
        for _ in range(5):
            results[index] = model.predict(inputs[index], verbose=0)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    for result, wanted in zip(results, expected, strict=True):
        np.testing.assert_allclose(result, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_other_threads_see_nothing_of_a_step_at_work(backend, run_eagerly, monkeypatch):
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", 0.1)  # this step ends after its readers only
    at_work, may_go_on = threading.Event(), threading.Event()

    class Waits(layers.Layer):
        def call(self, inputs):
            if threading.current_thread() is not threading.main_thread() and not keras.backends.current().is_symbolic:
                at_work.set()
                assert may_go_on.wait(60)
            return inputs

    model = keras.Sequential([keras.Input((4,)), layers.Dense(3), Waits(), layers.Dense(2)])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse", run_eagerly=run_eagerly)
    x, y = np.ones((8, 4), "float32"), np.zeros((8, 2), "float32")
    before = model.get_weights()
    thread = threading.Thread(target=model.fit, args=(x, y), kwargs={"verbose": 0, "batch_size": 8})
    thread.start()
    assert at_work.wait(60)
    try:
        outputs = np.asarray(backend.to_numpy(model(x)))
        for array, expected in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(array, expected)
    finally:
        may_go_on.set()
        thread.join()
    kernel_1, bias_1, kernel_2, bias_2 = before
    np.testing.assert_allclose(outputs, (x @ kernel_1 + bias_1) @ kernel_2 + bias_2, rtol=1e-5)
    assert not np.array_equal(model.get_weights()[0], before[0])


def test_a_model_stays_on_the_backend_that_it_was_built_on(backend):
    model = linear()
    x, y = data()
    expected = model.predict(x, verbose=0)
    with keras.backends.use("numpy"):
        np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-6)
        model.fit(x, y, verbose=0)
        assert type(model(x)) is type(backend.array(x))


def test_memory_does_not_grow_with_predict_calls_and_fits(backend):
    import resource

    def used():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize() / 2**20

    model = linear()
    x, y = data(8)
    for _ in range(50):
        model.predict(x, verbose=0)
        model.fit(x, y, verbose=0)
    before = used()
    for _ in range(300):
        model.predict(x, verbose=0)
        model.fit(x, y, verbose=0)
    assert used() - before < 30


def test_misspelt_activations_and_arguments_get_an_answer():
    with pytest.raises(ValueError, match="Did you mean 'sigmoid'"):
        layers.Dense(1, activation="sigmod")
    with pytest.raises(TypeError, match="unknown argument.*'unit'"):
        layers.Dense(units=1, unit=2)
    with pytest.raises(ValueError, match="units to be an int, at least 1. Received: -3"):
        layers.Dense(-3)


def test_shape_errors_name_the_layer_and_both_shapes(backend):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="hidden"), layers.Dense(1)])
    with pytest.raises(ValueError, match=r"hidden.*Expected.*4.*Received.*5|Expected.*\(None, 4\).*Received.*5"):
        model.predict(np.zeros((2, 5)), verbose=0)
    with pytest.raises(ValueError, match=r"Expected.*Received.*\(2, 3\)"):
        layers.Conv2D(4, 3, name="conv")(np.zeros((2, 3)))


def test_a_wrong_inner_shape_is_reported_before_any_compute(backend):
    class Wrong(layers.Layer):
        def call(self, x):
            return ops.matmul(x, ops.ones((7, 2)))

    with pytest.raises(ValueError, match="(4).*(7)"):
        keras.Sequential([keras.Input((4,)), Wrong(name="wrong")])


def test_deferred_interrupts_arrive_after_the_block():
    from polykeras.core.interrupts import deferred

    reached = False
    with pytest.raises(KeyboardInterrupt), deferred():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        reached = True
    assert reached


def test_arrays_shared_between_variables_or_with_the_caller_stay_their_own(backend):
    class Shares(layers.Layer):
        def build(self, input_shape):
            self.kernel = self.add_weight(shape=(4, 4), name="kernel")
            self.copy = self.add_weight(shape=(4, 4), trainable=False, initializer="zeros", name="copy")

        def call(self, x, training=False):
            if training:
                self.copy.assign(self.kernel)
            return ops.matmul(x, self.kernel)

    model = keras.Sequential([keras.Input((4,)), Shares(), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    own = backend.array(np.ones((4, 4), "float32"))
    model.layers[0].kernel.assign(own)
    for _ in range(3):
        before = model.layers[0].kernel.numpy()
        model.fit(*data(), batch_size=64, verbose=0)
        np.testing.assert_array_equal(model.layers[0].copy.numpy(), before)
    assert (backend.to_numpy(own) == 1).all()
