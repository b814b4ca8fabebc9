"""train_on_batch and test_on_batch: the results of one batch, as Keras gives them."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers

X = np.linspace(-1, 1, 24, dtype="float32").reshape(8, 3)
Y = (X.sum(-1, keepdims=True) + 0.5).astype("float32")
WEIGHT = np.linspace(0, 2, 8, dtype="float32")


def still(module, **settings):
    """A model that gives zeros and whose updates change nothing: losses are those of the targets."""
    model = module.Sequential([module.Input((3,)), module.layers.Dense(1, kernel_initializer="zeros")])
    metrics = {"metrics": ["mae"], "weighted_metrics": ["mse"]}
    model.compile(module.optimizers.SGD(0.0), "mse", **{**metrics, **settings})
    return model


def of_targets(y, weight=None):
    """Loss, mean absolute error, and weighted mean squared error of a prediction of zeros."""
    weight = np.ones(len(y)) if weight is None else weight
    square = y[:, 0].astype("float64") ** 2
    return [np.mean(square * weight), np.mean(np.abs(y)), np.sum(square * weight) / np.sum(weight)]


def test_each_batch_has_its_own_results(backend):
    model = still(keras)
    for factor in (1, 2, 3):
        np.testing.assert_allclose(model.train_on_batch(X, Y * factor), of_targets(Y * factor), rtol=1e-5)
    for factor in (3, 1):
        np.testing.assert_allclose(model.test_on_batch(X, Y * factor), of_targets(Y * factor), rtol=1e-5)
    np.testing.assert_allclose(model.train_on_batch(X, Y, WEIGHT), of_targets(Y, WEIGHT), rtol=1e-5)
    by_name = model.test_on_batch(X, Y, sample_weight=WEIGHT, return_dict=True)
    assert list(by_name) == model.metrics_names == ["loss", "mae", "mse"]
    np.testing.assert_allclose(list(by_name.values()), of_targets(Y, WEIGHT), rtol=1e-5)
    assert all(type(value) is float for value in by_name.values())


def test_results_of_fit_do_not_count_and_those_of_a_batch_stay_with_the_metrics(backend):
    model = still(keras)
    model.fit(X, Y * 5, epochs=2, verbose=0)
    np.testing.assert_allclose(model.train_on_batch(X, Y), of_targets(Y), rtol=1e-5)
    tracker, compiled = model.metrics
    results = [tracker.result(), *compiled.result().values()]
    np.testing.assert_allclose([float(result) for result in results], of_targets(Y), rtol=1e-5)
    np.testing.assert_allclose(model.evaluate(X, Y, verbose=0), of_targets(Y), rtol=1e-5)


def test_reset_metrics_false_gives_means_so_far(backend):
    model = still(keras)
    model.train_on_batch(X, Y * 9)
    first, second = of_targets(Y), of_targets(Y * 2)
    for run in (model.train_on_batch, model.test_on_batch):
        np.testing.assert_allclose(run(X, Y, reset_metrics=True), first, rtol=1e-5)
        means = np.mean([first, second], axis=0)
        np.testing.assert_allclose(run(X, Y * 2, reset_metrics=False), means, rtol=1e-5)


def test_a_batch_without_rows_has_no_predictions(backend):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    rows = np.ones((3, 4), "float32")
    assert model.predict_on_batch(rows[:0]).shape == (0, 2)
    assert model.predict(iter([rows, rows[:0]]), verbose=0).shape == (3, 2)


def test_the_loss_alone_is_a_float(backend):
    model = still(keras, metrics=None, weighted_metrics=None)
    for loss in (model.train_on_batch(X, Y), model.test_on_batch(X, Y), model.evaluate(X, Y, verbose=0)):
        assert type(loss) is float
        np.testing.assert_allclose(loss, np.mean(Y**2), rtol=1e-5)


def with_own_steps(module):
    class Own(module.Model):
        def __init__(self):
            super().__init__()
            self.dense = module.layers.Dense(1, kernel_initializer="zeros")

        def call(self, x):
            return self.dense(x)

        def train_step(self, data):
            logs = super().train_step(data)
            return {"zeta": 1.0, "inner": {"b": 2.0, "a": 3.0}, "loss": logs["loss"], "alpha": 4.0}

        def test_step(self, data):
            return {"zeta": 1.0, "inner": {"b": 2.0, "a": 3.0}, "alpha": 4.0}

    model = Own()
    model.compile(module.optimizers.SGD(0.0), "mse")
    return model


def test_what_own_steps_add_is_listed_as_in_keras(backend, real_keras):
    def results(module):
        model = with_own_steps(module)
        lists = [model.train_on_batch(X, Y), model.test_on_batch(X, Y), model.evaluate(X, Y, verbose=0)]
        history = model.fit(X, Y, verbose=0).history
        return lists, {name: history[name] for name in sorted(history)}

    lists, history = results(keras)
    with np.errstate(all="ignore"):
        expected_lists, expected_history = results(real_keras)
    for given, expected in zip(lists, expected_lists, strict=True):
        np.testing.assert_allclose(given, expected, rtol=1e-5)
    assert history.keys() == expected_history.keys()
    for name, values in history.items():
        np.testing.assert_allclose(values, expected_history[name], rtol=1e-5)


CLASSES = np.array([0, 2, 1, 2, 1, 0, 2, 1])
LABELS = {
    "indices": CLASSES,
    "a column": CLASSES[:, None],
    "floats": CLASSES[:, None].astype("float32"),
    "one-hot": np.eye(3, dtype="float32")[CLASSES],
}


def classifier(module, kind):
    loss = "categorical_crossentropy" if kind == "one-hot" else "sparse_categorical_crossentropy"
    model = module.Sequential([module.Input((3,)), module.layers.Dense(3, activation="softmax")])
    model.set_weights([np.linspace(-1, 1, 9).reshape(3, 3), np.zeros(3)])
    model.compile(module.optimizers.SGD(0.5), loss, weighted_metrics=["accuracy"])
    return model


def losses_of_rows():
    logits = X @ np.linspace(-1, 1, 9).reshape(3, 3)
    chances = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    return -np.log(chances[np.arange(8), CLASSES])


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("weights", [{1: 3.0}, {0: 0.5, 2: 2.0}, {2.0: 4.0}, {7: 9.0}], ids=str)
def test_classes_without_a_weight_weigh_one(kind, weights):
    by_row = np.array([weights.get(c, 1.0) for c in CLASSES])
    loss, _ = classifier(keras, kind).train_on_batch(X, LABELS[kind], class_weight=weights)
    np.testing.assert_allclose(loss, np.mean(by_row * losses_of_rows()), rtol=1e-5)


@pytest.mark.parametrize("kind", ["a column", "one-hot"])
def test_class_weights_count_on_every_backend(backend, kind):
    by_row = np.where(CLASSES == 1, 3.0, 1.0)
    history = classifier(keras, kind).fit(X, LABELS[kind], class_weight={1: 3.0}, verbose=0).history
    np.testing.assert_allclose(history["loss"][0], np.mean(by_row * losses_of_rows()), rtol=1e-5)


def test_class_weights_train_as_in_keras(real_keras):
    settings = {"epochs": 2, "batch_size": 4, "shuffle": False, "verbose": 0, "class_weight": {1: 3.0}}
    for kind in ("a column", "one-hot"):
        ours, theirs = classifier(keras, kind), classifier(real_keras, kind)
        given, expected = (model.fit(X, LABELS[kind], **settings).history for model in (ours, theirs))
        np.testing.assert_allclose(given["loss"], expected["loss"], rtol=1e-4)
        np.testing.assert_allclose(given["accuracy"], expected["accuracy"], rtol=1e-5)
        np.testing.assert_allclose(ours.get_weights()[0], theirs.get_weights()[0], rtol=1e-4, atol=1e-6)


def test_a_stream_of_batches_takes_class_weights_too():
    ours, expected = classifier(keras, "indices"), classifier(keras, "indices")
    by_row = np.where(CLASSES == 1, 3.0, 1.0).astype("float32")
    stream = ((X, CLASSES) for _ in range(2))
    given = ours.fit(stream, class_weight={1: 3.0}, verbose=0).history["loss"]
    weighted = ((X, CLASSES, by_row) for _ in range(2))
    np.testing.assert_allclose(given, expected.fit(weighted, verbose=0).history["loss"], rtol=1e-6)


def test_class_weights_multiply_sample_weights():
    first, second = classifier(keras, "indices"), classifier(keras, "indices")
    both = first.train_on_batch(X, CLASSES, sample_weight=WEIGHT, class_weight={1: 3.0})
    product = WEIGHT * np.where(CLASSES == 1, 3.0, 1.0).astype("float32")
    np.testing.assert_allclose(both, second.train_on_batch(X, CLASSES, sample_weight=product), rtol=1e-6)


def test_the_batch_of_a_model_of_several_outputs(backend):
    inputs = keras.Input((3,))
    a, b = (layers.Dense(1, kernel_initializer="zeros", name=name)(inputs) for name in "ab")
    model = keras.Model(inputs, [a, b])
    model.compile(keras.optimizers.SGD(0.0), ["mse", "mae"], metrics=[["mae"], ["mse"]])
    for factor in (1.0, 2.0):
        mse, mae, _ = of_targets(Y * factor)
        expected = {"loss": mse + mae, "a_loss": mse, "b_loss": mae, "a_mae": mae, "b_mse": mse}
        given = model.train_on_batch(X, [Y * factor, Y * factor], return_dict=True)
        assert given.keys() == expected.keys()
        np.testing.assert_allclose([given[name] for name in expected], list(expected.values()), rtol=1e-5)
        np.testing.assert_allclose(
            model.test_on_batch(X, [Y * factor] * 2), [given[name] for name in model.metrics_names], rtol=1e-5
        )
