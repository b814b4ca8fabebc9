"""A function put into one of polykeras's own classes is what runs, also where steps were captured before."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, losses, metrics, optimizers

pytestmark = pytest.mark.usefixtures("backend")

X, Y = np.ones((8, 3), "float32"), np.zeros((8, 1), "float32")


def _model():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4, "relu"), layers.Dropout(0.1), layers.Dense(1)])
    model.compile(optimizers.SGD(0.01), losses.MeanSquaredError(), metrics=[metrics.MeanAbsoluteError()])
    model.fit(X, Y, epochs=3, verbose=0)
    for _ in range(5):
        model.predict(X, verbose=0)
        model(X)
    return model


def _sevens(self, inputs):
    return keras.ops.zeros_like(inputs[:, :1]) + 7.0 * keras.ops.ones((1, self.units))


def test_a_call_patched_on_a_class_of_layers_runs_wherever_the_model_does(monkeypatch):
    model = _model()
    before = model.predict(X, verbose=0)
    with monkeypatch.context() as patch:
        patch.setattr(layers.Dense, "call", _sevens)
        assert model.evaluate(X, Y, verbose=0)[0] == pytest.approx(49.0)
        assert float(model.train_on_batch(X, Y)[0]) == pytest.approx(49.0)
        np.testing.assert_array_equal(model.predict(X, verbose=0), np.full((8, 1), 7.0))
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(model(X)), np.full((8, 1), 7.0))
    np.testing.assert_allclose(model.predict(X, verbose=0), before, rtol=1e-6)


def test_a_call_patched_on_a_class_may_take_fewer_arguments(monkeypatch):
    layer = layers.Dense(2)
    layer(X), layer(X)
    monkeypatch.setattr(layers.Dense, "call", _sevens)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer(X)), np.full((8, 2), 7.0))


def test_a_function_patched_on_a_class_that_others_inherit_from_runs(monkeypatch):
    model = _model()
    call = layers.Layer.__call__
    monkeypatch.setattr(layers.Layer, "__call__", lambda self, *args, **rest: call(self, *args, **rest) * 0.0 + 7.0)
    assert model.evaluate(X, Y, verbose=0)[0] == pytest.approx(49.0)


@pytest.mark.parametrize(
    ("kind", "name", "function"),
    [
        (losses.MeanSquaredError, "call", lambda self, y, p: keras.ops.zeros_like(p[:, 0]) + 5.0),
        (metrics.MeanAbsoluteError, "result", lambda self: keras.ops.convert_to_tensor(5.0)),
        (keras.Model, "compute_loss", lambda self, **_: keras.ops.convert_to_tensor(5.0)),
    ],
)
def test_a_function_patched_on_a_class_of_losses_metrics_or_models_runs(monkeypatch, kind, name, function):
    model = _model()
    before = model.evaluate(X, Y, verbose=0)
    monkeypatch.setattr(kind, name, function)
    after = model.evaluate(X, Y, verbose=0)
    assert 5.0 in [pytest.approx(value) for value in after]
    assert after != before


def test_a_patch_in_the_middle_of_training_counts_from_the_next_step_on(monkeypatch):
    class Patching(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                monkeypatch.setattr(optimizers.SGD, "apply", lambda self, *_, **__: None)

    model = _model()
    seen = []
    record = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(model.get_weights()[0]))
    model.fit(X, Y, epochs=3, verbose=0, callbacks=[Patching(), record])
    np.testing.assert_array_equal(seen[1], seen[0])
    np.testing.assert_array_equal(seen[2], seen[0])


def test_a_users_model_with_nothing_of_ours_in_reach_runs():
    class Doubling(keras.Model):
        def call(self, inputs):
            return inputs * 2

    model = Doubling()
    for _ in range(5):
        np.testing.assert_array_equal(model.predict(X, verbose=0), X * 2)


def test_an_attribute_of_a_users_class_stands_where_layers_have_a_default():
    class Passing(layers.Layer):
        supports_masking = True

        def call(self, inputs):
            return inputs + 0.0

    outputs = Passing()(layers.Embedding(4, 2, mask_zero=True)(np.array([[1, 0]])))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(keras.get_mask(outputs)), [[True, False]])
