"""Steps that are run from a list of their operations."""

import sys

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends, layers, ops

REPLAYING = [name for name in ("numpy", "torch") if name in backends.available()]


@pytest.fixture(params=REPLAYING, autouse=True)
def replaying(request):
    with backends.use(request.param):
        yield request.param


def data(rows=24):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 6)).astype("float32")
    return x, (x[:, :1] > 0).astype("float32")


def network(loss="binary_crossentropy", optimizer="adam", **options):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer, loss, metrics=["accuracy"], **options)
    return model


def tapes(model):
    """Whether each of the model's steps is run from a list."""
    versions = [version for step in set(model._captured_steps.values()) for version in step._versions]
    return [tape is not None for version in versions for tape in version.step._one._tapes.values()]


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop", "nadam"])
def test_a_replayed_fit_ends_where_one_line_by_line_does(optimizer):
    x, y = data()
    models, curves = [], []
    for run_eagerly in (False, True):
        models.append(network(optimizer=optimizer, run_eagerly=run_eagerly))
        curves.append(models[-1].fit(x, y, batch_size=10, epochs=5, verbose=0).history)
    replayed, plain = models
    assert tapes(replayed) == [True, True]  # whole batches, and the smaller one at the end
    np.testing.assert_allclose(curves[0]["loss"], curves[1]["loss"], rtol=1e-5)
    assert curves[0]["accuracy"] == curves[1]["accuracy"]
    for one, other in zip(replayed.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(replayed.predict(x, verbose=0), plain.predict(x, verbose=0), rtol=1e-4)


def test_a_users_code_runs_at_every_step():
    calls = []

    def loss(y_true, y_pred):
        calls.append(len(calls))
        return ops.mean(ops.square(y_true - y_pred), -1)

    model = network(loss)
    x, y = data(8)
    model.fit(x, y, batch_size=8, verbose=0)
    before = len(calls)
    model.fit(x, y, batch_size=8, epochs=3, verbose=0)
    assert len(calls) == before + 3
    assert tapes(model) == []


@pytest.mark.parametrize(
    "function",
    [
        lambda x: ops.relu(ops.add(x, 1.0)) + ops.relu(x),  # the argument itself
        lambda x: (y := ops.add(x, 1.0), ops.relu(y)),  # a result that is returned
        lambda x: (y := ops.add(x, 1.0), ops.exp(y), ops.sum(y, 1)),
        lambda x: ops.relu(ops.reshape(y := ops.sin(x), (3, 2, 2))) + ops.reshape(y, (3, 2, 2)),  # a view
        lambda x: (y := ops.sin(x), ops.exp(ops.transpose(ops.transpose(y)))),
        lambda x: ops.exp(ops.tanh(ops.negative(ops.sin(x)))),  # each may take its argument's memory
        lambda x: ops.multiply(y := ops.sin(x), y),
    ],
)
def test_a_replay_writes_over_nothing_that_is_needed(function):
    x = keras.Input((4,), batch_size=3)
    model = keras.Model(x, function(x))
    rows = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    for value in (rows, rows + 1, rows):
        before = value.copy()
        found = keras.tree.flatten(model.predict(value, verbose=0))
        for one, other in zip(found, keras.tree.flatten(function(ops.array(value))), strict=True):
            np.testing.assert_array_equal(one, ops.convert_to_numpy(other))
        np.testing.assert_array_equal(value, before)
    assert tapes(model) and all(tapes(model))


def test_weights_and_rates_that_change_between_steps_count():
    model = network(optimizer="sgd")
    x, y = data(8)
    model.fit(x, y, batch_size=8, epochs=2, verbose=0)
    assert tapes(model) == [True]
    model.optimizer.learning_rate = 0.0
    before = [v.numpy() for v in model.trainable_variables]
    model.fit(x, y, batch_size=8, epochs=2, verbose=0)
    for one, variable in zip(before, model.trainable_variables, strict=True):
        np.testing.assert_array_equal(one, variable.numpy())
    first = model.predict(x, verbose=0)
    model.set_weights([w * 0 for w in model.get_weights()])
    np.testing.assert_array_equal(model.predict(x, verbose=0), np.full((8, 1), 0.5, "float32"))
    assert (first != 0.5).any()


def test_every_replay_draws_another_dropout_mask():
    model = keras.Sequential([keras.Input((100,)), layers.Dropout(0.5, seed=3)])

    class Outputs(keras.metrics.Metric):
        """Keeps the outputs of the last step."""

        def __init__(self):
            super().__init__(name="outputs")
            self.last = self.add_weight(shape=(1, 100), initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.last.assign(y_pred)

        def result(self):
            return self.last

    x = np.ones((1, 100), "float32")
    outputs = Outputs()
    model.compile("sgd", "mse", metrics=[outputs])
    seen = []
    for _ in range(3):
        model.fit(x, x, verbose=0)
        seen.append(outputs.last.numpy())
    assert (seen[0] != seen[1]).any() and (seen[1] != seen[2]).any()


def test_a_step_with_noise_and_augmentation_is_replayed():
    """Their limits are numbers, which become arrays within the step."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.RandomFlip("horizontal"),
            layers.GaussianNoise(0.1),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(8, 6, 6, 1)).astype("float32")
    model.fit(x, x[:, 0, 0], batch_size=4, epochs=2, verbose=0)
    assert tapes(model) == [True]


def test_an_array_is_not_taken_for_a_dead_one_of_the_same_id(replaying):
    if replaying != "torch":
        pytest.skip("recorded arrays carry their own names on NumPy")
    import torch

    from polykeras.backends.torch.replay import _Recorder

    recorder = _Recorder([], sys._getframe())
    ids, known = set(), torch.zeros(())
    recorder._keep(known, "known")
    for _ in range(100):
        array = torch.zeros(())
        assert recorder._find(array) is None
        recorder._keep(array, "dead")
        ids.add(id(array))
        del array
    assert len(ids) < 100  # ids did come again
    assert recorder._find(known) == "known"


def test_a_step_that_decides_by_values_is_not_replayed():
    model = network(optimizer=keras.optimizers.SGD(0.1, gradient_accumulation_steps=2))
    x, y = data(8)
    before = model.trainable_variables[0].numpy()
    model.fit(x, y, batch_size=8, verbose=0)
    np.testing.assert_array_equal(model.trainable_variables[0].numpy(), before)
    model.fit(x, y, batch_size=8, verbose=0)
    assert (model.trainable_variables[0].numpy() != before).any()
    assert tapes(model) == [False]


def test_large_models_run_line_by_line():
    model = keras.Sequential([keras.Input((2100,)), layers.Dense(2100)])
    model.compile("sgd", "mse")
    x = np.ones((1, 2100), "float32")
    model.fit(x, x, verbose=0)
    assert tapes(model) == [False]


@pytest.mark.parametrize("labels", [[0, 1, 2, 2], [2, 2, 2, 2], [0, 0, 0, 0]])
def test_classifiers_of_any_number_of_classes_are_replayed(labels):
    model = keras.Sequential([keras.Input((6,)), layers.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(data(4)[0], np.array(labels), verbose=0)
    assert tapes(model) == [True]


def test_a_prediction_through_many_time_steps_is_replayed(replaying):
    if replaying != "torch":
        pytest.skip("recurrent networks are not replayed on NumPy")
    model = keras.Sequential([keras.Input((60, 6)), layers.GRU(8, return_sequences=True), layers.GRU(8)])
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(size=(4, 60, 6)).astype("float32")
    model.predict(x, verbose=0)
    assert set(tapes(model)) == {True}
    model.set_weights([weight + 0.1 for weight in model.get_weights()])
    replayed = model.predict(x, verbose=0)
    with backends.use("numpy"):
        reference = keras.models.clone_model(model)
        reference.set_weights(model.get_weights())
        np.testing.assert_allclose(replayed, reference.predict(x, verbose=0), rtol=1e-5, atol=1e-6)
