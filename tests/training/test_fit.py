"""compile, fit, evaluate, predict, on every backend."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers


def regression(rows=64, seed=0):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(rows, 4)).astype("float32")
    y = (x @ np.array([[1.0], [-2.0], [0.5], [3.0]]) + 0.5).astype("float32")
    return x, y


def linear(**compile_arguments):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile(**{"optimizer": keras.optimizers.SGD(0.1), "loss": "mse", **compile_arguments})
    return model


def gradient_descent(model, x, y, rate, epochs, weight=None):
    """Full-batch steps on mean squared error, in NumPy."""
    kernel, bias = (w.astype("float64") for w in model.get_weights())
    weight = np.ones(len(x)) if weight is None else np.asarray(weight, "float64")
    losses = []
    for _ in range(epochs):
        error = x @ kernel + bias - y
        losses.append(float((weight[:, None] * error**2).mean()))
        scaled = 2 * weight[:, None] * error / len(x)
        kernel, bias = kernel - rate * x.T @ scaled, bias - rate * scaled.sum(0)
    return losses, kernel, bias


def test_full_batch_sgd_takes_the_steps_of_the_formula(backend):
    x, y = regression()
    model = linear()
    losses, kernel, bias = gradient_descent(model, x, y, 0.1, 5)
    history = model.fit(x, y, batch_size=64, epochs=5, shuffle=False, verbose=0)
    np.testing.assert_allclose(history.history["loss"], losses, rtol=1e-5)
    np.testing.assert_allclose(model.get_weights()[0], kernel, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.get_weights()[1], bias, rtol=1e-4, atol=1e-6)
    assert history.epoch == [0, 1, 2, 3, 4]


def test_sample_weights_scale_each_rows_share(backend):
    x, y = regression()
    weight = np.linspace(0, 2, 64).astype("float32")
    model = linear()
    losses, kernel, _ = gradient_descent(model, x, y, 0.1, 3, weight)
    history = model.fit(x, y, 64, 3, shuffle=False, verbose=0, sample_weight=weight)
    np.testing.assert_allclose(history.history["loss"], losses, rtol=1e-5)
    np.testing.assert_allclose(model.get_weights()[0], kernel, rtol=1e-4, atol=1e-6)


def test_class_weights_are_sample_weights_by_class(backend):
    x, _ = regression()
    labels = (x[:, 0] > 0).astype("int64")
    first, second = linear(), linear()
    second.set_weights(first.get_weights())
    by_class = first.fit(x, labels, 64, 2, shuffle=False, verbose=0, class_weight={0: 1.0, 1: 3.0})
    by_row = second.fit(x, labels, 64, 2, shuffle=False, verbose=0, sample_weight=np.where(labels == 1, 3.0, 1.0))
    np.testing.assert_allclose(by_class.history["loss"], by_row.history["loss"], rtol=1e-6)


def test_evaluate_and_predict_agree_with_the_formula(backend):
    x, y = regression(50)
    model = linear(metrics=["mae"])
    kernel, bias = model.get_weights()
    expected = x @ kernel + bias
    np.testing.assert_allclose(model.predict(x, batch_size=16, verbose=0), expected, rtol=1e-4, atol=1e-5)
    loss, mae = model.evaluate(x, y, batch_size=16, verbose=0)
    np.testing.assert_allclose([loss, mae], [((expected - y) ** 2).mean(), np.abs(expected - y).mean()], rtol=1e-4)
    assert set(model.evaluate(x, y, verbose=0, return_dict=True)) == {"loss", "mae"}
    assert model.metrics_names == ["loss", "mae"]


def test_validation_data_and_split_are_evaluated_after_each_epoch(backend):
    x, y = regression(100)
    model = linear()
    history = model.fit(x, y, 20, 3, verbose=0, validation_split=0.2).history
    assert len(history["val_loss"]) == 3
    np.testing.assert_allclose(history["val_loss"][-1], model.evaluate(x[80:], y[80:], verbose=0), rtol=1e-5)
    history = model.fit(x, y, 20, 4, verbose=0, validation_data=(x, y), validation_freq=2).history
    assert len(history["val_loss"]) == 2 and len(history["loss"]) == 4


class Sum(keras.Model):
    """Adds up what it sees."""

    def __init__(self):
        super().__init__()
        self.total = keras.metrics.Sum(name="total")

    def compiled(self):
        self.compile("sgd")
        return self

    def call(self, x):
        return x

    def train_step(self, x):
        self.total.update_state(x)
        return {"total": self.total.result()}


@pytest.mark.parametrize("batch_size", [1, 8, 37, 64])
def test_every_row_is_seen_once_an_epoch(backend, batch_size):
    rows = np.arange(37, dtype="float32")[:, None]
    history = Sum().compiled().fit(rows, batch_size=batch_size, epochs=3, verbose=0)
    assert history.history["total"] == [rows.sum()] * 3


def test_the_same_seed_repeats_training_to_the_bit(backend):
    def run():
        keras.utils.set_random_seed(7)
        model = keras.Sequential(
            [keras.Input((4,)), layers.Dense(8, activation="relu"), layers.Dropout(0.3), layers.Dense(1)]
        )
        model.compile("adam", "mse")
        return model.fit(*regression(70), batch_size=16, epochs=3, verbose=0).history["loss"], model.get_weights()

    (first_losses, first), (second_losses, second) = run(), run()
    assert first_losses == second_losses
    assert all((a == b).all() for a, b in zip(first, second, strict=True))


def test_generators_and_iterables_feed_training(backend):
    x, y = regression()

    def endless():
        while True:
            for start in range(0, 64, 16):
                yield x[start : start + 16], y[start : start + 16]

    model, reference = linear(), linear()
    reference.set_weights(model.get_weights())
    streamed = model.fit(endless(), steps_per_epoch=4, epochs=2, verbose=0).history["loss"]
    in_memory = reference.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0).history["loss"]
    np.testing.assert_allclose(streamed, in_memory, rtol=1e-5)

    class Batches:
        def __iter__(self):
            return iter([(x[:32], y[:32]), (x[32:], y[32:])])

    assert len(model.fit(Batches(), epochs=2, verbose=0).history["loss"]) == 2
    assert model.predict(Batches(), verbose=0).shape == (64, 1)


def test_several_outputs_have_losses_weights_and_metrics_by_name(backend):
    x, y = regression()
    inputs = keras.Input((4,))
    model = keras.Model(inputs, [layers.Dense(1, name="a")(inputs), layers.Dense(1, name="b")(inputs)])
    model.compile("sgd", {"a": "mse", "b": "mae"}, loss_weights={"a": 1.0, "b": 0.5}, metrics={"b": ["mse"]})
    logs = model.evaluate(x, [y, y], verbose=0, return_dict=True)
    a, b = model.predict(x, verbose=0)
    np.testing.assert_allclose(logs["a_loss"], ((a - y) ** 2).mean(), rtol=1e-4)
    np.testing.assert_allclose(logs["b_loss"], np.abs(b - y).mean(), rtol=1e-4)
    np.testing.assert_allclose(logs["loss"], logs["a_loss"] + 0.5 * logs["b_loss"], rtol=1e-4)
    np.testing.assert_allclose(logs["b_mse"], ((b - y) ** 2).mean(), rtol=1e-4)


def test_one_batch_at_a_time(backend):
    x, y = regression()
    model = linear()
    losses, kernel, _ = gradient_descent(model, x, y, 0.1, 2)
    first = model.train_on_batch(x, y)
    np.testing.assert_allclose(first, losses[0], rtol=1e-5)
    model.train_on_batch(x, y)
    np.testing.assert_allclose(model.get_weights()[0], kernel, rtol=1e-4, atol=1e-6)
    assert model.predict_on_batch(x).shape == (64, 1)
    assert model.test_on_batch(x, y, return_dict=True)["loss"] < losses[0]


def test_regularizers_and_added_losses_count(backend):
    x, y = regression()
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(1, kernel_regularizer="l2"), layers.ActivityRegularization(l1=0.1)]
    )
    model.compile("sgd", "mse")
    kernel, bias = model.get_weights()
    output = x @ kernel + bias
    expected = ((output - y) ** 2).mean() + 0.01 * (kernel**2).sum() + 0.1 * np.abs(output).sum() / len(x)
    np.testing.assert_allclose(model.evaluate(x, y, batch_size=64, verbose=0), expected, rtol=1e-4)


def test_constraints_hold_after_every_update(backend):
    x, y = regression()
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1, kernel_constraint="non_neg")])
    model.compile("sgd", "mse")
    model.fit(x, y, epochs=2, verbose=0)
    assert (model.get_weights()[0] >= 0).all()


@pytest.mark.parametrize("epochs", [{"epochs": 0}, {"epochs": 2, "initial_epoch": 2}])
def test_no_epochs_leave_the_model_as_it_is(backend, epochs):
    """A program may choose how long to train; Keras begins, ends and returns an empty history."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    weights, calls = model.get_weights(), []
    watch = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: calls.append("begin"), on_train_end=lambda logs: calls.append("end")
    )
    history = model.fit(np.ones((8, 4)), np.ones((8, 1)), callbacks=[watch], verbose=0, **epochs)
    assert (history.history, history.epoch, calls) == ({}, [], ["begin", "end"])
    np.testing.assert_array_equal(model.get_weights()[0], weights[0])


def test_stop_training_ends_after_the_epoch_or_batch(backend):
    class StopAt(keras.callbacks.Callback):
        batches = 0

        def on_train_batch_end(self, batch, logs=None):
            self.batches += 1
            if self.batches == 3:
                self.model.stop_training = True

    stop = StopAt()
    history = linear().fit(*regression(), batch_size=8, epochs=5, verbose=0, callbacks=[stop])
    assert stop.batches == 3 and len(history.history["loss"]) == 1


def test_callbacks_see_and_change_weights_and_learning_rate_between_batches(backend):
    x, y = regression()

    class Halve(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            self.model.optimizer.learning_rate = 0.1 if batch == 0 else 0.0

        def on_train_batch_end(self, batch, logs=None):
            weights.append(self.model.get_weights()[0])

    weights = []
    linear().fit(x, y, batch_size=16, verbose=0, callbacks=[Halve()])
    assert len(weights) == 4
    assert all((w == weights[0]).all() for w in weights[1:])


def test_mixed_precision_computes_in_bfloat16_and_keeps_float32(backend):
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(8, activation="relu", dtype="mixed_bfloat16"),
            layers.Dense(1, dtype="float32"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.05), "mse")
    assert [w.dtype for w in model.weights] == ["float32"] * 4
    assert backend.dtype(model.layers[0](np.ones((2, 4), "float32"))) == "bfloat16"
    losses = model.fit(*regression(), epochs=10, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 2


def test_steps_per_execution_changes_nothing_but_the_calls(backend):
    x, y = regression(72)
    first, second = linear(), linear(steps_per_execution=3)
    second.set_weights(first.get_weights())
    one = first.fit(x, y, 8, 2, shuffle=False, verbose=0).history["loss"]
    three = second.fit(x, y, 8, 2, shuffle=False, verbose=0).history["loss"]
    np.testing.assert_allclose(one, three, rtol=1e-5)


def test_training_goes_on_in_another_thread(backend):
    import threading

    model, results = linear(), []
    thread = threading.Thread(target=lambda: results.append(model.fit(*regression(), epochs=2, verbose=0)))
    thread.start()
    thread.join()
    assert len(results[0].history["loss"]) == 2
