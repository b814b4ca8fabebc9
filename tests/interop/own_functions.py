"""What must hold of an engine's own functions in a user's code, whatever the engine: each test file gives its own.

The oracles are the same programs in ``polykeras.ops``, and formulas in NumPy.
"""

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends, layers, ops

KINDS = ("subclassed", "sequential", "functional")


def data():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(12, 6, 4)).astype("float32")
    return x, x.sum((1, 2)).reshape(12, 1)


def arranged(kind, parts, shape=(6, 4)):
    """A model of layers in a row, made in one of the three ways."""
    if kind == "sequential":
        return keras.Sequential([keras.Input(shape), *parts])
    if kind == "functional":
        x = inputs = keras.Input(shape)
        for part in parts:
            x = part(x)
        return keras.Model(inputs, x)

    class Row(keras.Model):
        def __init__(self):
            super().__init__()
            self.parts = parts

        def call(self, x):
            for part in self.parts:
                x = part(x)
            return x

    return Row()


def trained(model, loss="mse", metrics=None, x=None, y=None):
    """Losses and metrics of a training, then of an evaluation, and predictions."""
    x, y = data() if x is None else (x, y)
    model.compile(keras.optimizers.SGD(0.01), loss, metrics=metrics)
    history = model.fit(x, y, epochs=3, batch_size=6, shuffle=False, verbose=0).history
    evaluated = model.evaluate(x, y, batch_size=6, verbose=0, return_dict=True)
    model.summary(print_fn=lambda line: None)
    predicted = model.predict(x, batch_size=6, verbose=0)
    return [*history.values(), list(evaluated.values())], predicted


def assert_same(first, second):
    for one, other in zip(first[0], second[0], strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=1e-6)
    np.testing.assert_allclose(first[1], second[1], rtol=1e-3, atol=1e-5)


class Ops:
    """The functions that a program needs, in polykeras.ops."""

    relu = staticmethod(ops.relu)
    tanh = staticmethod(ops.tanh)
    abs = staticmethod(ops.abs)
    square = staticmethod(ops.square)
    matmul = staticmethod(ops.matmul)

    @staticmethod
    def sum(x):
        return ops.sum(x)

    @staticmethod
    def mean_of_rows(x):
        return ops.mean(x, axis=-1)

    @staticmethod
    def flatten(x):
        return ops.reshape(x, (ops.shape(x)[0], -1))

    @staticmethod
    def clip(x):
        return ops.clip(x, -0.3, 0.3)

    @staticmethod
    def filled(shape, dtype=None):
        return ops.full(shape, 0.2, dtype=dtype or "float32")


class Places:
    """Programs with functions in every place that takes some."""

    def __init__(self, functions):
        self.functions = functions

    def layer(self):
        f = self.functions

        class Scale(layers.Layer):
            def build(self, input_shape):
                self.kernel = self.add_weight(
                    shape=(input_shape[-1], 3),
                    initializer=f.filled,
                    regularizer=lambda w: 0.01 * f.sum(f.square(w)),
                    constraint=f.clip,
                )
                self.shift = ops.convert_to_tensor(np.linspace(0, 1, 3, dtype="float32"))

            def call(self, x):
                return f.tanh(ops.matmul(f.relu(x), self.kernel) + self.shift)

        return Scale()

    def parts(self):
        f = self.functions
        dense = layers.Dense(1, activation=f.tanh, kernel_initializer=f.filled)
        return [self.layer(), layers.Lambda(f.flatten), dense]

    def loss(self, y_true, y_pred):
        return self.functions.mean_of_rows(self.functions.square(y_true - y_pred))

    def distance(self, y_true, y_pred):
        return self.functions.mean_of_rows(self.functions.abs(y_true - y_pred))

    def metric(self):
        f = self.functions

        class Total(keras.metrics.Metric):
            def __init__(self):
                super().__init__(name="total")
                self.total = self.add_weight(name="total")

            def update_state(self, y_true, y_pred, sample_weight=None):
                self.total.assign_add(f.sum(f.abs(y_pred)))

            def result(self):
                return f.square(self.total.value)

        return Total()

    def step_model(self, compute_loss):
        f = self.functions

        class Own(keras.Model):
            def __init__(self):
                super().__init__()
                self.flatten, self.dense = layers.Flatten(), layers.Dense(1, kernel_initializer=f.filled)
                self.mean = keras.metrics.Mean(name="mean")

            def call(self, x):
                return self.dense(self.flatten(x))

        class WithLoss(Own):
            def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
                return f.sum(f.square(f.tanh(y_pred) - y)) / 12

        class WithStep(Own):
            def train_step(self, batch):
                x, y = batch

                def loss():
                    return f.sum(f.square(f.tanh(self(x, training=True)) - y)) / 12

                value, gradients = ops.value_and_grad(loss, self.trainable_variables)()
                self.optimizer.apply(gradients, self.trainable_variables)
                self.mean.update_state(f.abs(value))
                return {"mean": self.mean.result()}

            def test_step(self, batch):
                x, y = batch
                self.mean.update_state(f.sum(f.abs(self(x) - y)))
                return {"mean": self.mean.result()}

        return WithLoss() if compute_loss else WithStep()


class OwnFunctions:
    """Tests of one engine; subclasses give ``engine`` and its functions."""

    engine: str

    @pytest.fixture(autouse=True)
    def on_engine(self):
        with backends.use(self.engine):
            yield

    @pytest.mark.parametrize("kind", KINDS)
    def test_layers_losses_and_metrics_train_as_with_ops(self, kind):
        runs = []
        for functions in (self, Ops):
            places = Places(functions)
            model = arranged(kind, places.parts())
            runs.append(trained(model, places.loss, [places.distance, places.metric()]))
        assert_same(*runs)
        kernel = model.weights[0].numpy()
        assert np.abs(kernel).max() <= 0.3 and np.ptp(kernel) > 0

    @pytest.mark.parametrize("compute_loss", [True, False])
    def test_own_steps_train_as_with_ops(self, compute_loss):
        assert_same(*(trained(Places(functions).step_model(compute_loss)) for functions in (self, Ops)))

    def test_sizes_that_are_unknown_stay_so_and_known_ones_known(self):
        inputs = keras.Input((None, 4))
        doubled = layers.Lambda(lambda x: self.concatenated([self.relu(x), x]))(inputs)
        turned = layers.Lambda(self.turned)(doubled)
        last = layers.Lambda(lambda x: self.tanh(x)[:, -1])(inputs)
        assert [x.shape for x in (doubled, turned, last)] == [(None, None, 8), (None, 8, None), (None, 4)]
        x = data()[0]
        found = keras.Model(inputs, turned).predict(x, verbose=0)
        np.testing.assert_allclose(found, np.concatenate([np.maximum(x, 0), x], -1).transpose(0, 2, 1))

    def test_two_inputs_of_unknown_lengths_go_together(self):
        class Join(layers.Layer):
            def call(inner, first, second):
                return self.relu(first) + second

        first, second = keras.Input((None, 4)), keras.Input((None, 4))
        model = keras.Model([first, second], Join()(first, second))
        x = data()[0]
        np.testing.assert_allclose(model.predict([x, -x], verbose=0), np.maximum(x, 0) - x, atol=1e-6)

    def test_masks_reach_layers_inside(self):
        class Kept(layers.Layer):
            supports_masking = True

            def __init__(self):
                super().__init__()
                self.supports_masking = True

            def call(inner, x, mask=None):
                return self.relu(x) * ops.cast(mask, "float32")[..., None]

        embedding = layers.Embedding(9, 2, mask_zero=True)
        model = keras.Sequential([keras.Input((None,)), embedding, Kept(), layers.GlobalAveragePooling1D()])
        ids = np.array([[1, 2, 0], [3, 0, 0]])
        rows = np.maximum(embedding.get_weights()[0][ids], 0) * (ids > 0)[..., None]
        expected = rows.sum(1) / (ids > 0).sum(1, keepdims=True)
        np.testing.assert_allclose(model.predict(ids, verbose=0), expected, rtol=1e-5)

    def test_a_mask_left_out_is_none(self):
        seen = []
        layer = layers.Lambda(lambda x, mask=None: seen.append(mask) or self.relu(x))
        layer(keras.Input((3,)))
        assert seen and set(seen) == {None}

    def test_a_summary_shows_the_shapes_of_all_layers_inside(self):
        class Between(keras.Model):
            def __init__(self):
                super().__init__()
                self.first, self.second = layers.Dense(5), layers.Dense(3)

            def call(inner, x):
                return inner.second(self.relu(inner.first(x)))

        model, lines = Between(), []
        model.build((None, 4))
        model.summary(print_fn=lines.append)
        shown = "\n".join(lines)
        assert "(None, 5)" in shown and "(None, 3)" in shown and model.count_params() == 43

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_saved_model_predicts_the_same(self, kind, tmp_path):
        model = arranged(kind, [self.Saved(), layers.Flatten(), layers.Dense(1)])
        expected = model.predict(data()[0], verbose=0)
        if kind == "subclassed":
            model.save_weights(tmp_path / "model.weights.h5")
            loaded = arranged(kind, [self.Saved(), layers.Flatten(), layers.Dense(1)])
            loaded(data()[0])
            loaded.load_weights(tmp_path / "model.weights.h5")
        else:
            model.save(tmp_path / "model.keras")
            loaded = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_allclose(loaded.predict(data()[0], verbose=0), expected, rtol=1e-5)
        loaded.compile("sgd", "mse")
        loaded.fit(*data(), batch_size=5, verbose=0)

    def test_sizes_asked_for_by_ops_shape_are_computed_with(self):
        class Reshaped(layers.Layer):
            def call(inner, x):
                batch, time, width = ops.shape(x)
                rows = ops.reshape(x, (batch, time * width))
                pairs = ops.sum(ops.reshape(rows, (batch, time // 2, 2, width)), axis=2)
                places = ops.cast(ops.arange(time), "float32") / ops.cast(time, "float32")
                again = ops.repeat(pairs, 2, axis=1) + ops.tile(pairs, (1, 2, 1))
                return again + places[:, None] + ops.zeros((batch, time + 1, 1))[:, 1:]

        inputs = keras.Input((None, 4))
        outputs = Reshaped()(inputs)
        assert outputs.shape == (None, None, 4)
        x = data()[0]
        pairs = x.reshape(12, 3, 2, 4).sum(2)
        expected = pairs.repeat(2, 1) + np.tile(pairs, (1, 2, 1)) + (np.arange(6) / 6)[:, None]
        found = keras.Model(inputs, outputs).predict(x, verbose=0)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("states", ["nothing", "compute_output_shape", "compute_output_spec", "output_shape"])
    def test_draws_find_their_generator_and_differ_from_step_to_step(self, states):
        drawn = []

        def noisy(x, training=False):
            if not training:
                return self.relu(x)
            noise = keras.random.normal(ops.shape(x))
            return self.relu(x) * 0 + noise

        class Noise(layers.Layer):
            def call(self, x, training=False):
                return noisy(x, training)

        class Stated(Noise):
            def compute_output_shape(self, input_shape):
                return input_shape

        class StatedSpec(Noise):
            def compute_output_spec(self, x, training=False):
                return keras.KerasTensor(x.shape, x.dtype)

        made = {
            "nothing": Noise,
            "compute_output_shape": Stated,
            "compute_output_spec": StatedSpec,
            "output_shape": lambda: layers.Lambda(noisy, output_shape=(6, 4)),
        }[states]()
        model = keras.Sequential([keras.Input((6, 4)), made, layers.Flatten(), layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.0), "mse")
        x, y = data()
        model.predict(x, verbose=0)
        model(x)
        for _ in range(2):
            drawn.append(model.fit(x, y, batch_size=6, epochs=2, verbose=0).history["loss"])
        assert len(set(np.ravel(drawn).tolist())) == 4

    def test_losses_and_steps_draw_without_a_seed(self):
        model = keras.Sequential([keras.Input((6, 4)), layers.Flatten(), layers.Dense(1)])
        model.compile(
            keras.optimizers.SGD(0.0), lambda y_true, y_pred: self.abs(y_pred * 0 + keras.random.normal((1,)))
        )
        history = model.fit(*data(), batch_size=6, epochs=3, verbose=0).history["loss"]
        assert len(set(history)) == 3

    def test_a_metric_draws_from_its_own_generator(self):
        class Sample(keras.metrics.Metric):
            def __init__(self):
                super().__init__(name="sample")
                self.total = self.add_weight(name="total")
                self.seeds = keras.random.SeedGenerator(7)

            def update_state(self, y_true, y_pred, sample_weight=None):
                self.total.assign(keras.random.uniform((), seed=self.seeds))

            def result(self):
                return self.total.value

        model = keras.Sequential([keras.Input((6, 4)), layers.Flatten(), layers.Dense(1)])
        model.compile("sgd", "mse", metrics=[Sample()])
        found = [model.evaluate(*data(), verbose=0)[1] for _ in range(3)]
        assert len(set(found)) == 3

    def test_a_stated_shape_is_taken_at_every_call(self):
        class Last(layers.Layer):
            def call(inner, x):
                return self.tanh(x)[:, -1]

            def compute_output_shape(inner, input_shape):
                return input_shape[0], input_shape[-1]

        layer, inputs = Last(), keras.Input((6, 4))
        assert [layer(inputs).shape for _ in range(3)] == [(None, 4)] * 3
        trained(keras.Sequential([keras.Input((6, 4)), layer, layers.Dense(1)]))

    def test_constants_made_in_build_have_values(self):
        class Constants(layers.Layer):
            def build(inner, input_shape):
                inner.first = ops.convert_to_tensor(np.arange(4, dtype="float32"))
                inner.second = self.constant(np.full(4, 2, "float32"))
                inner.array = inner.add_weight(initializer=np.full((4,), 3, "float32"))
                inner.own = inner.add_weight(shape=(4,), initializer=self.constant(np.full(4, 4, "float32")))
                inner.list = inner.add_weight(initializer=[5.0, 5.0, 5.0, 5.0])

            def call(inner, x):
                return x * inner.first + self.relu(inner.second) * inner.array + inner.own + inner.list

        layer = Constants()
        model = keras.Sequential([keras.Input((6, 4)), layer])
        np.testing.assert_array_equal(ops.convert_to_numpy(layer.first), [0, 1, 2, 3])
        x = data()[0]
        np.testing.assert_allclose(model.predict(x, verbose=0), x * np.arange(4) + 15, rtol=1e-5)
        assert model.count_params() == 12

    def test_a_layer_built_inside_a_call_keeps_what_build_made(self):
        class Inner(layers.Layer):
            def build(inner, input_shape):
                inner.factor = ops.convert_to_tensor(np.full(input_shape[-1], 3, "float32"))

            def call(inner, x):
                inner.last = self.tanh(x)
                return x * inner.factor

        class Outer(keras.Model):
            def __init__(self):
                super().__init__()
                self.inner = Inner()

            def call(outer, x):
                return outer.inner(self.relu(x))

        model, x = Outer(), data()[0]
        model.build((None, 6, 4))
        assert not hasattr(model.inner, "last")
        np.testing.assert_allclose(model.predict(x, verbose=0), 3 * np.maximum(x, 0), rtol=1e-6)

    def test_what_a_layer_keeps_of_its_call_is_read_by_the_loss(self):
        class Encoder(layers.Layer):
            def call(inner, x):
                inner.mean = self.tanh(ops.mean(x, axis=1))
                inner.code = self.relu(inner.mean)
                return inner.code

        class Model(keras.Model):
            def __init__(self):
                super().__init__()
                self.encoder, self.dense = Encoder(), layers.Dense(1)

            def call(inner, x):
                return inner.dense(inner.encoder(x)) + ops.sum(inner.encoder.mean, axis=-1, keepdims=True)

            def compute_loss(inner, x=None, y=None, y_pred=None, sample_weight=None, training=True):
                return self.sum(self.square(inner.encoder.code)) + 0 * self.sum(y_pred)

        model = Model()
        model.compile("sgd")
        x, y = data()
        history = model.fit(x, y, batch_size=12, verbose=0).history
        np.testing.assert_allclose(history["loss"], [np.sum(np.maximum(np.tanh(x.mean(1)), 0) ** 2)], rtol=1e-5)

    def test_weights_made_and_assigned_in_call_are_followed(self):
        class Lazy(layers.Layer):
            kernel = None

            def call(inner, x, training=False):
                if inner.kernel is None:
                    inner.kernel = inner.add_weight(shape=(4, 2), initializer="ones")
                    inner.count = inner.add_weight(initializer="zeros", trainable=False)
                if training:
                    inner.count.assign_add(1.0)
                inner.add_loss(ops.mean(self.relu(x)))
                return self.matmul(self.relu(x), inner.kernel.value)

        lazy = Lazy()
        model = keras.Sequential([keras.Input((6, 4)), lazy, layers.Flatten(), layers.Dense(1)])
        trained(model)
        assert float(lazy.count.numpy()) == 6 and len(lazy.losses) == 1
        assert np.ptp(lazy.kernel.numpy()) > 0

    def test_layers_around_a_users_layer_work(self):
        cell_units = 3

        class Cell(layers.Layer):
            state_size = cell_units

            def build(inner, input_shape):
                inner.kernel = inner.add_weight(shape=(input_shape[-1] + cell_units, cell_units))

            def call(inner, x, states):
                state = self.tanh(ops.matmul(self.concatenated([x, states[0]]), inner.kernel))
                return state, [state]

        each = layers.TimeDistributed(layers.Lambda(self.relu))
        trained(keras.Sequential([keras.Input((None, 4)), each, layers.RNN(Cell()), layers.Dense(1)]))

    def test_an_error_names_the_layer_and_never_a_spec(self):
        class Wrong(layers.Layer):
            def call(inner, x):
                return self.relu(x).no_such_method()

        with pytest.raises(AttributeError) as caught:
            Wrong(name="wrong")(keras.Input((3,)))
        assert "Spec" not in str(caught.value)
        assert any("'wrong'" in note for note in caught.value.__notes__)

    def test_functions_that_ops_call_may_be_the_engines(self):
        outputs = ops.map(self.relu, keras.Input((3,)))
        assert outputs.shape == (None, 3)

    def test_a_stated_shape_may_ask_for_what_running_gives(self):
        class Asks(layers.Layer):
            def call(inner, x):
                return self.tanh(x)[:, 0]

            def compute_output_shape(inner, input_shape):
                return super().compute_output_shape(input_shape)

        assert Asks()(keras.Input((6, 4))).shape == (None, 4)

    def test_shapes_come_from_one_call_with_arrays_of_the_engine(self):
        calls = []

        def function(arrays):
            calls.append([(tuple(x.shape), self.dtype_of(x)) for x in arrays])

        engine = backends.current()
        wanted = [((2, 3), "float32"), ((), "int32"), ((4,), "bool"), ((0, 2), "bfloat16")]
        engine.over_shapes(function, wanted)
        assert calls == [wanted]
        assert [
            (tuple(engine.shape(x)), self.dtype_of(x)) for x in (engine.stand_in(*kind) for kind in wanted)
        ] == wanted

    def dtype_of(self, x):
        return backends.current().dtype(x)
