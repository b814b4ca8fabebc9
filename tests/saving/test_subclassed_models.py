"""Models whose class is the user's come back built from every file, however they were built."""

from __future__ import annotations

import dataclasses
import types

import numpy as np
import pytest

import polykeras as keras
from polykeras import ops

X, Y = np.random.default_rng(0).normal(size=(2, 8, 4)).astype("float32")
IDS = np.arange(8).reshape(4, 2) % 5
registered = keras.saving.register_keras_serializable("subclassed")


@registered
class Block(keras.layers.Layer):
    """Without ``build``: the layers inside are built as ``call`` comes to them."""

    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.inner = keras.Sequential([keras.layers.Dense(units), keras.layers.BatchNormalization()])

    def call(self, x):
        return self.inner(x)


@registered
class Contained(keras.Model):
    """Layers in containers of containers, a set, and objects that are no layers."""

    def __init__(self):
        super().__init__()
        self.steps = [keras.layers.Dense(4), {"a": (keras.layers.Dense(4),)}]
        self.group = {keras.layers.Dense(4, name="ninth"), keras.layers.Dense(4, name="tenth")}
        self.space = types.SimpleNamespace(deep=[keras.layers.Dense(4)])
        self.record = Record(keras.layers.Dense(4))

    def call(self, x):
        first, second = sorted(self.group, key=lambda layer: layer.name)
        parts = [self.steps[0], self.steps[1]["a"][0], first, second, self.space.deep[0], self.record.layer]
        for part in parts:
            x = part(x)
        return x


@dataclasses.dataclass(slots=True)
class Record:
    layer: keras.layers.Layer


@registered
class Nested(keras.Model):
    """Models inside, one of which knows the one around it, and one layer in two places."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.shared = keras.layers.Dense(4)
        self.first, self.second = Inner(self.shared, self), Inner(self.shared, None)

    def call(self, x):
        return self.second(self.first(x)) + self.shared(x)


class Inner(keras.Model):
    def __init__(self, shared, around):
        super().__init__()
        self.shared, self.around, self.block = shared, around, Block(4)

    def call(self, x):
        return self.block(self.shared(x))


@registered
class OnlyBuild(keras.Model):
    """Makes its layers in ``build``, which builds none of them."""

    def build(self, input_shape):
        self.last = keras.layers.Dense(input_shape[-1])
        self.blocks = [Block(2), Block(3)]
        self.scale = self.add_weight(shape=(4,), initializer="ones")

    def call(self, x):
        for block in self.blocks:
            x = block(x)
        return self.last(x) * self.scale


@registered
class Late(keras.Model):
    """Makes a layer, and a weight, when it is called."""

    def call(self, x):
        if not hasattr(self, "late"):
            self.late = keras.layers.Dense(4)
            self.scale = self.add_weight(shape=(4,), initializer="ones")
        return self.late(x) * self.scale


@registered
class Several(keras.Model):
    """Takes a dict of arrays of different types, and more."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.embedding, self.rnn = keras.layers.Embedding(5, 4), keras.layers.LSTM(units)
        self.block = Block(units)

    def call(self, inputs, factor=1.0, training=False):
        return self.rnn(self.embedding(inputs["ids"])) + factor * self.block(inputs["x"], training=training)


@registered
class Pair(keras.Model):
    """Takes two arrays by place."""

    def __init__(self):
        super().__init__()
        self.left, self.right = keras.layers.Dense(3), OnlyBuild()

    def call(self, a, b):
        return self.left(a) + self.right(b)[:, :3]


@registered
class Game(keras.Model):
    """Has no ``call``: two models that ``train_step`` would use, made in ``__init__``."""

    def __init__(self):
        super().__init__()
        self.maker, self.judge = Late(), keras.Sequential([keras.layers.Dense(1)])

    def play(self, x):
        return self.judge(self.maker(x))


CASES = {
    "containers": (Contained, (X,)),
    "nested": (Nested, (X,)),
    "build alone": (OnlyBuild, (X,)),
    "made in call": (Late, (X,)),
    "several types": (lambda: Several(3), ({"ids": IDS, "x": X[:4]},)),
    "two arguments": (Pair, (X, X)),
}


def randomise(model):
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.uniform(0.5, 1.5, size=weight.shape))


def assert_same(model, other):
    assert other.built
    assert [w.path.split("/")[-1] for w in model.weights] == [w.path.split("/")[-1] for w in other.weights]
    for weight, loaded in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, loaded)


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
@pytest.mark.parametrize("case", CASES)
def test_a_model_that_was_called_comes_back_built(backend, tmp_path, case, name):
    make, arguments = CASES[case]
    model = make()
    model(*arguments)
    randomise(model)
    model.save(tmp_path / name)
    loaded = keras.models.load_model(tmp_path / name)
    assert_same(model, loaded)
    assert loaded.name == model.name and loaded.count_params() == model.count_params()
    outputs = [ops.convert_to_numpy(each(*arguments)) for each in (model, loaded)]
    np.testing.assert_array_equal(*outputs)


@pytest.mark.parametrize("case", ["containers", "nested", "build alone", "made in call"])
def test_a_model_that_was_fitted_comes_back_and_trains_on(backend, tmp_path, case):
    model = CASES[case][0]()
    model.compile(keras.optimizers.Adam(0.01), "mse")
    model.fit(X, Y, epochs=2, verbose=0, shuffle=False)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert_same(model, loaded)
    histories = [each.fit(X, Y, epochs=2, verbose=0, shuffle=False).history["loss"] for each in (model, loaded)]
    np.testing.assert_allclose(*histories, rtol=1e-5)


BUILT = {
    "called": lambda model: model(X),
    "called on shapes": lambda model: model(keras.Input((4,))),
    "built": lambda model: model.build((None, 4)),
    "asked for shapes": lambda model: model.compute_output_shape((None, 4)),
    "predicted": lambda model: model.predict(X, verbose=0),
    "evaluated": lambda model: (model.compile("sgd", "mse"), model.evaluate(X, Y, verbose=0)),
}


@pytest.mark.parametrize("case", ["nested", "build alone", "made in call"])
@pytest.mark.parametrize("way", BUILT)
def test_every_way_to_build_is_remembered(tmp_path, way, case):
    model = CASES[case][0]()
    BUILT[way](model)
    randomise(model)
    model.save(tmp_path / "m.keras")
    assert_same(model, keras.models.load_model(tmp_path / "m.keras"))


def test_paths_of_weights_are_those_of_a_call(tmp_path):
    model = Nested(name="outer")
    model(X)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    depths = [[weight.path.count("/") for weight in each.weights] for each in (model, loaded)]
    assert depths[0] == depths[1] and all(weight.path.startswith("outer/") for weight in loaded.weights)


def test_models_that_train_step_calls_come_back(backend, tmp_path):
    model = Game()
    model.play(X)
    randomise(model)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert_same(model, loaded)


@registered
class TwoOptimizers(keras.Model):
    """Trains its two layers by an optimizer each."""

    def __init__(self):
        super().__init__()
        self.first, self.last = keras.layers.Dense(4), keras.layers.Dense(4)
        self.optimizers = {"first": keras.optimizers.Adam(0.01), "last": keras.optimizers.SGD(0.1, momentum=0.9)}

    def call(self, x):
        return self.last(self.first(x))

    def train_step(self, data):
        x, y = data
        layers = [self.first, self.last]
        weights = [weight for layer in layers for weight in layer.trainable_weights]
        loss, gradients = ops.value_and_grad(lambda: ops.mean((self(x) - y) ** 2), weights)()
        self.optimizers["first"].apply(gradients[:2], weights[:2])
        self.optimizers["last"].apply(gradients[2:], weights[2:])
        return {"loss": loss}


def test_optimizers_of_a_models_own_go_on_where_they_were(backend, tmp_path):
    model = TwoOptimizers()
    model.compile()
    model(X)
    model.optimizers["first"].build(model.first.trainable_weights)
    model.optimizers["last"].build(model.last.trainable_weights)
    model.fit(X, Y, epochs=2, verbose=0, shuffle=False)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    loaded.compile()
    for name, optimizer in model.optimizers.items():
        for ours, theirs in zip(optimizer.variables, loaded.optimizers[name].variables, strict=True):
            np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    for each in (model, loaded):
        each.fit(X, Y, verbose=0, shuffle=False)
    for ours, theirs in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    fresh = TwoOptimizers()
    fresh(X)
    model.save_weights(tmp_path / "m.weights.h5")
    with pytest.warns(UserWarning, match="Expected 2 saved variables for the optimizer"):
        fresh.load_weights(tmp_path / "m.weights.h5")


def test_serialize_and_deserialize_keep_what_was_built():
    model = Nested()
    model(X)
    described = keras.saving.serialize_keras_object(model)
    again = keras.saving.deserialize_keras_object(described)
    assert again.built and [w.shape for w in again.weights] == [w.shape for w in model.weights]


def test_a_file_of_keras_is_built_by_a_call_on_its_shapes(real_keras, tmp_path):
    @real_keras.saving.register_keras_serializable("subclassed", name="Both")
    class Theirs(real_keras.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = [real_keras.layers.Dense(3)]

        def call(self, x):
            return self.dense[0](x)

    @keras.saving.register_keras_serializable("subclassed", name="Both")
    class Ours(keras.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = [keras.layers.Dense(3)]

        def call(self, x):
            return self.dense[0](x)

    for make, load in ((Theirs, keras), (Ours, real_keras)):
        model = make()
        model(X)
        model.save(tmp_path / "m.keras")
        loaded = load.models.load_model(tmp_path / "m.keras")
        for ours, theirs in zip(model.get_weights(), loaded.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_a_build_config_of_the_users_own_comes_back_inside_of_a_plain_model(tmp_path):
    seen = []

    @keras.saving.register_keras_serializable("subclassed")
    class Sized(keras.layers.Layer):
        def make(self, size):
            self.scale = self.add_weight(shape=(size,), initializer="ones")
            self.built = True

        def build(self, input_shape):
            self.make(input_shape[-1])

        def get_build_config(self):
            return {"size": 4}

        def build_from_config(self, config):
            seen.append(config)
            self.make(config["size"])

        def call(self, x):
            return x * self.scale

    keras.Sequential([keras.Input((4,)), Sized()]).save(tmp_path / "m.keras")
    assert keras.models.load_model(tmp_path / "m.keras").count_params() == 4
    assert seen == [{"size": 4}]


def test_weights_of_a_model_itself_are_in_every_format(tmp_path):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(4)
            self.scale = self.add_weight(shape=(4,), initializer="ones")

        def call(self, x):
            return self.dense(x) * self.scale

    for name in ("m.weights.h5", "w.h5", "m.safetensors"):
        model, other = Own(), Own()
        for each in (model, other):
            each(X)
        randomise(model)
        model.save_weights(tmp_path / name)
        other.load_weights(tmp_path / name)
        assert_same(model, other)


def test_the_order_of_weights_in_an_h5_file_does_not_hang_on_what_is_frozen(tmp_path):
    model, other = Nested(), Nested()
    for each in (model, other):
        each(X)
    randomise(model)
    model.shared.trainable = False
    model.save_weights(tmp_path / "w.h5")
    other.load_weights(tmp_path / "w.h5")
    assert_same(model, other)


def test_attributes_of_layers_may_have_names_that_models_use(tmp_path):
    class Named(keras.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.inputs, self.outputs = keras.layers.Dense(4), [keras.layers.Dense(4)]
            self.loss, self.optimizer, self.vars = (keras.layers.Dense(4) for _ in range(3))

        def call(self, x):
            return self.vars(self.optimizer(self.loss(self.outputs[0](self.inputs(x)))))

    model, other = (keras.Sequential([keras.Input((4,)), Named()]) for _ in range(2))
    randomise(model)
    model.save_weights(tmp_path / "m.weights.h5")
    other.load_weights(tmp_path / "m.weights.h5")
    assert_same(model, other)


def test_layers_in_a_circle_may_be_frozen():
    model = Nested()
    model(X)
    count = len(model.trainable_weights)
    model.shared.trainable = False
    assert len(model.trainable_weights) == count - 2
    model.first.around = [model, model.second]
    assert len(model.trainable_weights) == count - 2


def test_plain_objects_are_searched_only_where_the_user_wrote_them():
    class Reader(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.source = keras.callbacks.LambdaCallback()
            self.source.layer = keras.layers.Dense(4)
            self.kept = types.SimpleNamespace(layer=keras.layers.Dense(4))
            self.kept.itself = self.kept

    reader = Reader()
    assert reader._layers_within() == [reader.kept.layer]
