"""Callbacks between steps: told, heard and obeyed at the same moments on every backend."""

import numpy as np
import pytest

import polykeras as keras
from polykeras.capture.cache import steps_of

X = np.random.default_rng(0).normal(size=(28, 3)).astype("float32")
Y = X.sum(-1, keepdims=True)
BATCHES = 7


def linear(library=keras, **arguments):
    model = library.Sequential([library.Input((3,)), library.layers.Dense(1)])
    model.compile(library.optimizers.SGD(0.1), "mse", **arguments)
    return model


def batches():
    for index in range(BATCHES):
        yield X[index * 4 : index * 4 + 4], Y[index * 4 : index * 4 + 4]


def recorder(library=keras, stop_at=None):
    """A callback that notes each moment with its number, and stops training at a batch."""

    class Recorder(library.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(("train_batch_end", batch))
            self.model.stop_training = stop_at is not None and batch >= stop_at

    def moment(name):
        return lambda self, *arguments, **logs: seen.append((name, *[a for a in arguments if isinstance(a, int)]))

    seen = []
    for kind in ("train", "epoch", "train_batch", "test", "test_batch"):
        for edge in ("begin", "end"):
            if (kind, edge) != ("train_batch", "end"):
                setattr(Recorder, f"on_{kind}_{edge}", moment(f"{kind}_{edge}"))
    return Recorder(), seen


@pytest.mark.parametrize("stop_at", [None, 3])
def test_moments_come_in_the_order_of_real_keras(real_keras, stop_at):
    def moments(library):
        callback, seen = recorder(library, stop_at)
        linear(library).fit(X, Y, 4, 2, verbose=0, callbacks=[callback], validation_data=(X[:8], Y[:8]))
        return seen

    assert moments(keras) == moments(real_keras)


@pytest.mark.parametrize("source", ["arrays", "generator"])
def test_steps_of_one_execution_are_told_together(backend, source):
    callback, seen = recorder()
    data = (X, Y, 4) if source == "arrays" else (batches(),)
    linear(steps_per_execution=3).fit(*data, verbose=0, callbacks=[callback])
    assert [moment[1] for moment in seen if moment[0] == "train_batch_begin"] == [0, 3, 6]
    assert [moment[1] for moment in seen if moment[0] == "train_batch_end"] == [2, 5, 8]


@pytest.mark.parametrize("source", ["arrays", "generator"])
def test_predictions_of_one_execution_are_told_together(backend, source):
    seen = []
    callback = keras.callbacks.LambdaCallback()
    callback.on_predict_batch_begin = lambda batch, logs=None: seen.append(("begin", batch))
    callback.on_predict_batch_end = lambda batch, logs=None: seen.append(("end", batch))
    callback.watched_hooks = {"on_predict_batch_begin", "on_predict_batch_end"}
    model = linear(steps_per_execution=3)
    data = {"x": X, "batch_size": 4} if source == "arrays" else {"x": (x for x, _ in batches())}
    outputs = model.predict(**data, verbose=0, callbacks=[callback])
    assert seen == [("begin", 0), ("end", 2), ("begin", 3), ("end", 5), ("begin", 6), ("end", 8)]
    np.testing.assert_allclose(outputs, model.predict(X, verbose=0), rtol=1e-5)


class Meddler(keras.callbacks.Callback):
    """Lowers the rate after 3 batches; after 6 it stops training, or raises."""

    def __init__(self, error=None):
        super().__init__()
        self.error = error

    def on_train_batch_end(self, batch, logs=None):
        if batch == 2:
            self.model.optimizer.learning_rate = 0.01
        if batch == 5 and self.error:
            raise self.error
        if batch == 5:
            self.model.stop_training = True


def steps_by_formula(kernel, bias):
    for index, (x, y) in enumerate(batches()):
        if index == 6:
            return kernel, bias
        rate = 0.1 if index < 3 else 0.01
        error = 2 * (x @ kernel + bias - y) / len(x)
        kernel, bias = kernel - rate * x.T @ error, bias - rate * error.sum(0)


@pytest.mark.parametrize("together", [1, 3])
@pytest.mark.parametrize("ending", ["stop", "raise"])
def test_changes_in_the_middle_of_an_epoch_count_from_the_next_step_on(backend, together, ending):
    model = linear(steps_per_execution=together)
    expected = steps_by_formula(*model.get_weights())
    if ending == "stop":
        history = model.fit(X, Y, 4, 3, shuffle=False, verbose=0, callbacks=[Meddler()]).history
        assert len(history["loss"]) == 1
    else:
        with pytest.raises(OSError, match="disk full"):
            model.fit(X, Y, 4, shuffle=False, verbose=0, callbacks=[Meddler(OSError("disk full"))])
    assert int(model.optimizer.iterations) == 6
    for weight, value in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_allclose(weight, value, rtol=1e-4, atol=1e-6)


def test_a_prediction_is_given_the_weights_and_no_slots(backend):
    model = linear()
    model.compile(keras.optimizers.Adam(), "mse", metrics=[keras.metrics.MeanAbsoluteError()])
    model.fit(X, Y, verbose=0)
    model.predict(X, verbose=0)
    *_, prediction = steps_of(model).values()
    step = prediction.step()
    assert step.constants == (model.weights if backend.captures else []) and step.state == []
