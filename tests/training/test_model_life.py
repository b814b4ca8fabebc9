"""What happens to a model between compile and the end of its life: stopped, frozen, copied, pickled."""

import copy
import pickle

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops


def data(rows=32, seed=0):
    x = np.random.default_rng(seed).normal(size=(rows, 3)).astype("float32")
    return x, x.sum(-1, keepdims=True)


def small(**arguments):
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, activation="relu", name="hidden"), layers.Dense(1, name="last")]
    )
    model.compile(**{"optimizer": keras.optimizers.SGD(0.05, momentum=0.9), "loss": "mse", **arguments})
    return model


COPIES = {"pickle": lambda model: pickle.loads(pickle.dumps(model)), "deepcopy": copy.deepcopy}


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_of_a_trained_model_goes_on_as_the_model_itself_would(backend, way):
    model = small(metrics=["mae"])
    x, y = data()
    model.fit(x, y, epochs=2, shuffle=False, verbose=0)
    duplicate = COPIES[way](model)
    assert int(duplicate.optimizer.iterations) == 2
    np.testing.assert_array_equal(duplicate.predict(x, verbose=0), model.predict(x, verbose=0))
    trained = model.fit(x, y, epochs=2, shuffle=False, verbose=0).history
    untouched = duplicate.evaluate(x, y, verbose=0)
    assert untouched != model.evaluate(x, y, verbose=0)
    assert duplicate.fit(x, y, epochs=2, shuffle=False, verbose=0).history == trained


class Scale(keras.Model):
    """A model class of a user, with a weight of its own."""

    def __init__(self):
        super().__init__()
        self.factor = self.add_weight(shape=(), initializer="ones", name="factor")

    def call(self, x):
        return x * self.factor


@pytest.mark.parametrize("way", COPIES)
def test_copies_keep_graphs_shared_layers_nested_models_and_classes_of_users(way):
    inputs = keras.Input((3,))
    shared = layers.Dense(3, name="shared")
    joined = ops.concatenate([shared(inputs), shared(shared(inputs))], axis=-1)
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(2)])
    model = keras.Model(inputs, {"inner": inner(joined * 2.0), "scaled": Scale()(joined)})
    duplicate = COPIES[way](model)
    x, _ = data()
    for name, value in duplicate.predict(x, verbose=0).items():
        np.testing.assert_array_equal(value, model.predict(x, verbose=0)[name])
    assert duplicate.get_layer("shared") is not model.get_layer("shared")
    lines, copied = [], []
    model.summary(print_fn=lines.append)
    duplicate.summary(print_fn=copied.append)
    assert lines == copied


@pytest.mark.parametrize("way", COPIES)
def test_copies_of_deep_graphs_need_no_deep_recursion(way):
    x = inputs = keras.Input((1,))
    for _ in range(400):
        x = layers.Add()([x, inputs])
    duplicate = COPIES[way](keras.Model(inputs, x))
    assert duplicate(np.ones((1, 1), "float32"))[0, 0] == 401


def test_a_copied_stack_grows_by_itself():
    stack = keras.Sequential([keras.Input((3,))])
    duplicate = copy.deepcopy(stack)
    duplicate.add(layers.Dense(2))
    assert duplicate.output_shape == (None, 2) and stack.layers == []


def test_a_copied_optimizer_leaves_out_the_weights_that_it_was_told_to():
    model = small()
    model.optimizer = keras.optimizers.AdamW(0.0, weight_decay=0.5)
    model.optimizer.exclude_from_weight_decay(var_list=[model.get_layer("hidden").kernel])
    duplicate = copy.deepcopy(model)
    weights = duplicate.trainable_variables
    duplicate.optimizer.learning_rate = 0.1
    before = [w.numpy() for w in weights]
    duplicate.optimizer.apply([ops.zeros_like(w) for w in weights], weights)
    hidden, last = weights[0].numpy(), weights[2].numpy()
    np.testing.assert_array_equal(hidden, before[0])
    np.testing.assert_allclose(last, before[2] * (1 - 0.1 * 0.5), rtol=1e-6)


def test_frozen_layers_stay_as_they_are_until_they_are_thawed(backend):
    model = small()
    hidden = model.get_layer("hidden")
    before = hidden.get_weights()
    hidden.trainable = False
    model.compile("sgd", "mse")
    last = model.get_layer("last").get_weights()[0]
    model.fit(*data(), verbose=0)
    assert (hidden.get_weights()[0] == before[0]).all() and (model.get_layer("last").get_weights()[0] != last).any()
    hidden.trainable = True
    model.compile("sgd", "mse")
    model.fit(*data(), verbose=0)
    assert (hidden.get_weights()[0] != before[0]).any()


class StopAt(keras.callbacks.Callback):
    """Ends evaluation and prediction after some batches."""

    def __init__(self, batch):
        super().__init__()
        self.batch, self.seen = batch, []

    def on_test_batch_end(self, batch, logs=None):
        self.seen.append(batch)
        self.model.stop_evaluating = batch == self.batch

    def on_predict_batch_end(self, batch, logs=None):
        self.model.stop_predicting = batch == self.batch


def test_evaluation_and_prediction_stop_when_told_and_start_again(backend):
    model = small()
    x, y = data()
    stop = StopAt(1)
    loss = model.evaluate(x, y, batch_size=8, verbose=0, callbacks=[stop])
    assert stop.seen == [0, 1]
    np.testing.assert_allclose(loss, model.evaluate(x[:16], y[:16], verbose=0), rtol=1e-5)
    assert model.predict(x, batch_size=8, verbose=0, callbacks=[stop]).shape == (16, 1)
    assert model.predict(x, batch_size=8, verbose=0).shape == (32, 1)


def two_outputs(**arguments):
    inputs = keras.Input((3,))
    model = keras.Model(inputs, {"a": layers.Dense(1, name="a")(inputs), "b": layers.Dense(1, name="b")(inputs)})
    model.compile(**{"optimizer": keras.optimizers.SGD(0.0), **arguments})
    return model


def test_losses_and_metrics_of_outputs_by_list_and_dict_agree_with_the_formula():
    x, y = data()
    weight = np.linspace(0, 2, 32).astype("float32")
    targets = {"a": y, "b": -y}
    by_dict = two_outputs(
        loss={"a": "mse", "b": "mae"},
        loss_weights={"a": 2.0, "b": 0.5},
        metrics={"b": ["mse"]},
        weighted_metrics={"a": ["mae"]},
    )
    logs = by_dict.evaluate(x, targets, batch_size=32, sample_weight=weight, verbose=0, return_dict=True)
    output = by_dict.predict(x, verbose=0)
    a, b = output["a"] - targets["a"], output["b"] - targets["b"]
    rows = weight[:, None]
    expected = {
        "loss": 2.0 * (rows * a**2).mean() + 0.5 * (rows * np.abs(b)).mean(),
        "a_mae": (rows * np.abs(a)).sum() / rows.sum(),
        "b_mse": (b**2).mean(),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(logs[name], value, rtol=1e-4, err_msg=name)
    inputs = keras.Input((3,))
    by_list = keras.Model(inputs, [layers.Dense(1, name="a")(inputs), layers.Dense(1, name="b")(inputs)])
    by_list.set_weights(by_dict.get_weights())
    by_list.compile("sgd", ["mse", "mae"], [2.0, 0.5], metrics=[[], ["mse"]], weighted_metrics=[["mae"], []])
    listed = by_list.evaluate(x, [y, -y], batch_size=32, sample_weight=weight, verbose=0, return_dict=True)
    for name in expected:
        np.testing.assert_allclose(listed[name], logs[name], rtol=1e-5, err_msg=name)


def test_a_step_run_eagerly_is_the_compiled_step(backend):
    x, y = data()
    compiled, eager = small(), small(run_eagerly=True)
    eager.set_weights(compiled.get_weights())
    on = {"batch_size": 32, "epochs": 2, "shuffle": False, "verbose": 0}
    np.testing.assert_allclose(
        eager.fit(x, y, **on).history["loss"], compiled.fit(x, y, **on).history["loss"], rtol=1e-5
    )


def test_half_precision_scales_its_loss_unless_told_not_to():
    def optimizer(**arguments):
        model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
        model.dtype_policy = keras.DTypePolicy("mixed_float16")
        model.compile("sgd", "mse", **arguments)
        return model.optimizer

    assert isinstance(optimizer(), keras.optimizers.LossScaleOptimizer)
    assert not isinstance(optimizer(auto_scale_loss=False), keras.optimizers.LossScaleOptimizer)


def test_the_heavy_compiler_takes_the_same_steps(backend):
    x, y = data()
    plain, heavy = small(), small(jit_compile=True)
    heavy.set_weights(plain.get_weights())
    on = {"batch_size": 32, "epochs": 2, "shuffle": False, "verbose": 0}
    np.testing.assert_allclose(heavy.fit(x, y, **on).history["loss"], plain.fit(x, y, **on).history["loss"], rtol=1e-5)


def test_variables_come_in_one_order_inside_of_an_epoch_and_outside():
    model = small(metrics=["mae"])
    model.get_layer("hidden").trainable = False
    outside = [variable.path for variable in model._step_variables()]
    with model._frozen_lists():
        assert [variable.path for variable in model._step_variables()] == outside
        assert [weight.path for weight in model.weights] == [f"{model.name}/{x}/{y}" for x, y in ORDER]


ORDER = [(layer, weight) for layer in ("hidden", "last") for weight in ("kernel", "bias")]


def test_metrics_have_their_names_before_the_first_batch():
    model = small(metrics=["accuracy", keras.metrics.MeanAbsoluteError(name="error")])
    before = model.metrics_names
    assert before == ["loss", "accuracy", "error"]
    model.fit(*data(), verbose=0)
    assert model.metrics_names == before == list(model.evaluate(*data(), verbose=0, return_dict=True))


def test_metrics_of_several_outputs_have_their_names_before_the_first_batch():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, [layers.Dense(1, name="a")(inputs), layers.Dense(1, name="b")(inputs)])
    model.compile("sgd", "mse", metrics=[["mae"], ["acc"]])
    assert model.metrics_names == ["loss", "a_loss", "b_loss", "a_mae", "b_acc"]
    x, y = data()
    model.fit(x, [y, y], verbose=0)
    assert model.metrics_names == ["loss", "a_loss", "b_loss", "a_mae", "b_acc"]


class Largest(keras.metrics.Metric):
    """Makes its state with the first batch."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        if not hasattr(self, "largest"):
            self.largest = self.add_variable((y_pred.shape[-1],), initializer="zeros", name="largest")
        self.largest.assign(ops.maximum(self.largest, ops.max(y_true, axis=0)))

    def result(self):
        return ops.max(self.largest)


def test_metrics_may_make_their_state_with_the_first_batch(backend):
    model = small(metrics=[keras.metrics.F1Score(threshold=0.5, name="f1"), Largest(name="largest")])
    assert model.metrics_names == ["loss", "f1", "largest"]
    x, y = data()
    y = (y > 0).astype("float32")
    history = model.fit(x, y, verbose=0).history
    assert list(history) == ["loss", "f1", "largest"]
    assert history["largest"] == [1.0]
    _, score, _ = model.evaluate(x, y, verbose=0)
    chosen, wanted = model.predict(x, verbose=0) > 0.5, y > 0
    np.testing.assert_allclose(score, [2 * (chosen & wanted).sum() / (chosen.sum() + wanted.sum())], rtol=1e-5)


@pytest.mark.parametrize(("era", "order"), [("keras3", ["a_mse", "b_mae"]), ("keras2", ["b_mae", "a_mse"])])
def test_values_of_several_outputs_come_in_the_order_of_each_keras(era, order):
    inputs = keras.Input((3,))
    model = keras.Model(inputs, [layers.Dense(1, name=name)(inputs) for name in "ba"])
    keras.config.set_era(era)
    try:
        model.compile("sgd", "mse", metrics={"b": ["mae"], "a": ["mse"]})
        names = ["loss", "b_loss", "a_loss", *order]
        assert model.metrics_names == names
        x, y = data()
        values, logs = (model.evaluate(x, [y, y], verbose=0, return_dict=by_name) for by_name in (False, True))
        assert model.metrics_names == names
        np.testing.assert_allclose(values, [logs[name] for name in names])
        b, a = model.predict(x, verbose=0)
        expected = {"b_mae": np.abs(y - b).mean(), "a_mse": ((y - a) ** 2).mean()}
        np.testing.assert_allclose(values[3:], [expected[name] for name in order], rtol=1e-5)
    finally:
        keras.config.set_era("keras3")


def test_names_of_metrics_known_beforehand_leave_the_kind_to_the_targets():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    assert model.metrics_names == ["loss", "accuracy"]
    x, _ = data(8)
    classes = np.argmax(model.predict(x, verbose=0), -1)[:, None]
    assert model.evaluate(x, classes, verbose=0, return_dict=True)["accuracy"] == 1.0


@pytest.mark.parametrize("arguments", [{"loss": 5}, {"loss": ["mse", 5]}, {"metrics": [5]}, {"weighted_metrics": [5]}])
def test_compile_refuses_what_is_no_loss_or_metric(arguments):
    with pytest.raises(TypeError, match="Received: 5"):
        small(**arguments)


class Watched(layers.Layer):
    """Reports the mean of its inputs, and counts its calls, as layers of Keras 2 do."""

    def build(self, input_shape):
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False, name="calls")

    def call(self, x):
        self.add_metric(ops.mean(x), name="mean")
        self.add_metric(ops.mean(x), name="last", aggregation=None)
        self.add_update([(self.calls, self.calls + 1.0)])
        return x


def test_layers_of_keras_2_add_updates_metrics_and_last_values(backend):
    model = keras.Sequential([keras.Input((1,)), Watched(name="watched"), layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.repeat([1.0, 2.0, 6.0], 2).astype("float32")[:, None]
    logs = model.evaluate(x, x, batch_size=2, verbose=0, return_dict=True)
    assert (logs["mean"], logs["last"]) == (pytest.approx(3.0), pytest.approx(6.0))
    assert float(ops.convert_to_numpy(model.get_layer("watched").calls)) == 3.0


def test_layers_are_found_by_name_and_place():
    model = small()
    assert model.get_layer("last") is model.get_layer(index=1) is model.layers[1]
    for wrong in ({"name": "lost"}, {"index": 7}, {}):
        with pytest.raises(ValueError, match="Expected"):
            model.get_layer(**wrong)


def test_a_clone_has_the_layers_but_new_weights():
    model = small()
    clone = keras.models.clone_model(model)
    assert [layer.name for layer in clone.layers] == ["hidden", "last"] and clone.compiled
    assert not np.array_equal(clone.get_weights()[0], model.get_weights()[0])
    assert not set(map(id, clone.weights)) & set(map(id, model.weights))


def test_clear_session_starts_names_again_and_leaves_models_alone():
    model = small()
    keras.backend.clear_session()
    assert layers.Dense(1).name == "dense" and layers.Dense(1).name == "dense_1"
    keras.backend.clear_session()
    assert layers.Dense(1).name == "dense"
    assert model.predict(data()[0], verbose=0).shape == (32, 1)


def test_reset_states_forgets_what_came_before_a_batch():
    model = keras.Sequential([keras.Input((4, 3), batch_size=2), layers.LSTM(2, stateful=True)])
    x = np.ones((2, 4, 3), "float32")
    first, second = model.predict(x, verbose=0), model.predict(x, verbose=0)
    assert not np.allclose(first, second)
    model.reset_states()
    np.testing.assert_allclose(model.predict(x, verbose=0), first, rtol=1e-6)


def test_the_summary_of_a_trained_model_is_that_of_the_untrained():
    model = small()
    before, after = [], []
    model.summary(print_fn=before.append)
    model.fit(*data(), verbose=0)
    model.summary(print_fn=after.append)
    assert after == before and any("Total params: 21" in line for line in after)
