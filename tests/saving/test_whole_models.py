"""A model that was saved comes back as it was, and training goes on."""

from __future__ import annotations

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends
from tests.saving.examples import graph_model, text_model


def predict(model, x):
    return np.asarray(model.predict(x, verbose=0))


def test_training_goes_on_as_if_it_had_not_stopped(backend, tmp_path, x, y):
    model = graph_model(keras)
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    model.fit(x, y, epochs=2, batch_size=3, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(predict(loaded, x), predict(model, x))
    histories = [m.fit(x, y, epochs=3, batch_size=3, shuffle=False, verbose=0).history for m in (model, loaded)]
    assert histories[0] == histories[1]  # dropout, optimizer and statistics included
    assert int(loaded.optimizer.iterations) == 10


def test_training_goes_on_on_another_backend(backend, tmp_path, x, y):
    with backends.use("numpy"):
        model = graph_model(keras)
        model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse")
        model.fit(x, y, epochs=2, shuffle=False, verbose=0)
        model.save(tmp_path / "model.keras")
        expected = model.fit(x, y, epochs=2, shuffle=False, verbose=0).history["loss"]
    loaded = keras.models.load_model(tmp_path / "model.keras")
    got = loaded.fit(x, y, epochs=2, shuffle=False, verbose=0).history["loss"]
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_each_kind_of_learning_rate_comes_back(tmp_path):
    for rate in (0.125, keras.optimizers.schedules.ExponentialDecay(0.5, 10, 0.5)):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile(
            keras.optimizers.SGD(rate), keras.losses.Huber(0.5), metrics=[keras.metrics.TopKCategoricalAccuracy(3)]
        )
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        assert float(loaded.optimizer.learning_rate) == float(model.optimizer.learning_rate)
        assert loaded.loss.get_config() == model.loss.get_config()


def test_a_model_may_be_loaded_without_compiling(tmp_path):
    model = text_model(keras)
    model.compile("adam", "mse")
    model.save(tmp_path / "model.keras")
    assert not keras.models.load_model(tmp_path / "model.keras", compile=False).compiled
    model.save(tmp_path / "bare.keras", include_optimizer=False)
    assert not keras.models.load_model(tmp_path / "bare.keras").compiled


@keras.saving.register_keras_serializable("tests")
class Pair(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.parts = [keras.layers.Dense(units), keras.layers.Dense(units)]
        self.scale = keras.Variable(2.0)

    def call(self, x):
        return self.parts[0](x) * self.scale + self.parts[1](x)


@keras.saving.register_keras_serializable("tests")
class Own(keras.Model):
    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.pair, self._last = Pair(width), keras.layers.Dense(1)

    def build(self, input_shape):
        self.pair.build(input_shape)
        self.pair(keras.KerasTensor(input_shape))
        self._last.build((None, self.width))

    def call(self, x):
        return self._last(self.pair(x))

    def get_config(self):
        return {"width": self.width, "name": self.name}


def test_classes_of_the_user_come_back_with_weights_in_lists_and_own_variables(backend, tmp_path):
    data = np.ones((3, 4), "float32")
    model = keras.Sequential([keras.Input((4,)), Pair(3)])
    model.layers[0].scale.assign(5.0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(predict(loaded, data), predict(model, data))
    own = Own(3)
    own(data)
    own.save_weights(tmp_path / "own.weights.h5")
    other = Own(3)
    other(data)
    other.load_weights(tmp_path / "own.weights.h5")
    np.testing.assert_array_equal(predict(other, data), predict(own, data))


def test_json_holds_the_architecture(x):
    model = graph_model(keras)
    copy = keras.models.model_from_json(model.to_json())
    copy.set_weights(model.get_weights())
    np.testing.assert_array_equal(predict(copy, x), predict(model, x))


def test_a_loss_without_a_name_is_left_out_with_a_warning(tmp_path):
    model = text_model(keras)
    model.compile("sgd", lambda a, b: keras.ops.mean(a - b))
    with pytest.warns(UserWarning, match="without the arguments of compile"):
        model.save(tmp_path / "model.keras")
    assert not keras.models.load_model(tmp_path / "model.keras").compiled


class Penalty:
    def squared(self, y_true, y_pred):
        return keras.ops.mean((y_true - y_pred) ** 2, axis=-1)

    @classmethod
    def absolute(cls, y_true, y_pred):
        return keras.ops.mean(keras.ops.abs(y_true - y_pred), axis=-1)


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_methods_as_loss_and_metric_are_saved_by_name(tmp_path, name):
    x, y = np.ones((8, 3), "float32"), np.zeros((8, 1), "float32")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("adam", Penalty().squared, metrics=[Penalty.absolute])
    model.fit(x, y, epochs=2, verbose=0)
    model.save(tmp_path / name)
    names = {"squared": Penalty().squared, "absolute": Penalty.absolute}
    loaded = keras.models.load_model(tmp_path / name, custom_objects=names)
    np.testing.assert_allclose(loaded.evaluate(x, y, verbose=0), model.evaluate(x, y, verbose=0))
    assert int(loaded.optimizer.iterations) == 2


def squared_in_whole_models(y_true, y_pred):
    return keras.ops.mean((y_true - y_pred) ** 2, axis=-1)


def same_in_whole_models(x):
    return x


@pytest.mark.parametrize(
    "given",
    [{"activation": same_in_whole_models}, {"loss": squared_in_whole_models}, {"metrics": [squared_in_whole_models]}],
    ids=lambda given: next(iter(given)),
)
def test_an_unknown_function_is_not_called_a_layer(tmp_path, given):
    activation, compiled_with = given.get("activation"), {"loss": "mse", **given}
    compiled_with.pop("activation", None)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, activation=activation)])
    model.compile("sgd", **compiled_with)
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="Expected the name of a known function. Received: '(squared|same)_in_whole"):
        keras.models.load_model(tmp_path / "model.keras")


def test_an_unknown_class_is_named(tmp_path):
    class Mine(keras.layers.Layer):
        def call(self, x):
            return x

    model = keras.Sequential([keras.Input((4,)), Mine()])
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="Mine.*register_keras_serializable"):
        keras.models.load_model(tmp_path / "model.keras")
    assert keras.models.load_model(tmp_path / "model.keras", custom_objects={"Mine": Mine}).built


def test_a_missing_file_and_another_suffix_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no.keras"):
        keras.models.load_model(tmp_path / "no.keras")
    with pytest.raises(ValueError, match="ends in one of"):
        text_model(keras).save(tmp_path / "model.pkl")


def with_added_losses():
    """A graph whose loss and metric are added; one of its layers leads to the loss only."""
    inputs = keras.Input((2,))
    outputs = keras.layers.Dense(1, name="main")(inputs)
    side = keras.layers.Dense(3, name="side")(inputs)
    model = keras.Model(inputs, outputs)
    model.add_loss(keras.ops.mean(keras.ops.square(side)))
    model.add_metric(keras.ops.abs(outputs), name="size")
    return model


def losses_of(model, x, y):
    kernel, bias, side_kernel, side_bias = model.get_weights()
    predicted = x @ kernel + bias
    loss = np.mean((predicted - y) ** 2) + np.mean((x @ side_kernel + side_bias) ** 2)
    return {"loss": loss, "size": np.abs(predicted).mean()}


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "json", "clone"])
def test_losses_added_to_a_graph_come_back(tmp_path, name):
    x, y = np.random.default_rng(0).normal(size=(2, 6, 2)).astype("float32")
    y = y[:, :1]
    model = with_added_losses()
    assert [layer.name for layer in model.layers if layer.weights] == ["main", "side"]
    if name == "clone":
        loaded = keras.models.clone_model(model)
    elif name == "json":
        loaded = keras.models.model_from_json(model.to_json())
    else:
        model.save(tmp_path / name)
        loaded = keras.models.load_model(tmp_path / name)
        for weight, expected in zip(loaded.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(weight, expected)
    loaded.compile("sgd", "mse")
    expected = losses_of(loaded, x, y)
    result = loaded.evaluate(x, y, verbose=0, return_dict=True)
    np.testing.assert_allclose([result[key] for key in expected], [*expected.values()], rtol=1e-5)
    loaded.fit(x, y, epochs=3, verbose=0)
    assert losses_of(loaded, x, y)["loss"] < expected["loss"]


def test_keras_reads_a_model_without_the_losses_added(real_keras, tmp_path):
    model, x = with_added_losses(), np.ones((2, 2), "float32")
    model.save(tmp_path / "model.keras")
    theirs = real_keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(np.asarray(theirs.predict(x, verbose=0)), predict(model, x), rtol=1e-5)


def test_a_config_without_the_losses_added_is_named(tmp_path):
    @keras.saving.register_keras_serializable("tests")
    class Forgetful(keras.Model):
        def get_config(self):
            return {key: value for key, value in super().get_config().items() if key != "added"}

    x = keras.Input((2,))
    model = Forgetful(inputs=x, outputs=keras.layers.Dense(1)(x))
    model.add_loss(keras.ops.abs(x))
    with pytest.warns(UserWarning, match="saved without what was added to it"):
        model.save(tmp_path / "model.keras")
    config = {**keras.saving.serialize_keras_object(with_added_losses())}
    config["config"]["added"][0][0] = "save"
    with pytest.raises(ValueError, match="add_loss.*Received: 'save'"):
        keras.saving.deserialize_keras_object(config)
