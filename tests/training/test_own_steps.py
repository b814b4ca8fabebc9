"""A user's own steps: the same source on every backend."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops


def data():
    x = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
    return x, (x.sum(-1, keepdims=True) > 0).astype("float32")


class Own(keras.Model):
    """The step of a tutorial: forward, loss, gradients, update, metrics."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)
        self.loss_mean = keras.metrics.Mean(name="own_loss")
        self.steps_done = self.add_weight(name="steps_done", initializer="zeros", trainable=False)

    def call(self, x):
        return self.dense(x)

    def train_step(self, data):
        x, y = data

        def loss():
            return ops.mean(ops.square(self(x, training=True) - y))

        value, gradients = ops.value_and_grad(loss, self.trainable_variables)()
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        self.steps_done.assign_add(1)
        self.loss_mean.update_state(value)
        return {"own_loss": self.loss_mean.result()}


def test_an_own_train_step_is_gradient_descent_on_its_own_loss(backend):
    x, y = data()
    model = Own()
    model.compile(keras.optimizers.SGD(0.1))
    model.build((None, 3))
    kernel, bias = (w.astype("float64") for w in model.dense.get_weights())
    expected = []
    for _ in range(4):
        error = x @ kernel + bias - y
        expected.append((error**2).mean())
        kernel, bias = kernel - 0.2 * x.T @ error / 64, bias - 0.2 * error.mean(0)
    history = model.fit(x, y, batch_size=64, epochs=4, verbose=0)
    np.testing.assert_allclose(history.history["own_loss"], expected, rtol=1e-4)
    np.testing.assert_allclose(model.dense.get_weights()[0], kernel, rtol=1e-4, atol=1e-6)
    assert float(model.steps_done.numpy()) == 4


def test_an_own_compute_loss_is_what_fit_minimizes(backend):
    class Net(keras.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return ops.mean(ops.abs(y_pred - y)) * 2.0

    x, y = data()
    model = Net([keras.Input((3,)), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.0))
    kernel, bias = model.get_weights()
    loss = model.fit(x, y, verbose=0).history["loss"][0]
    np.testing.assert_allclose(loss, 2 * np.abs(x @ kernel + bias - y).mean(), rtol=1e-4)


def test_own_test_and_predict_steps_are_used(backend):
    class Net(keras.Sequential):
        def test_step(self, data):
            return {"constant": ops.sum(ops.zeros_like(data[0])) + 3.0}

        def predict_step(self, data):
            return self(data) * 0.0 + 5.0

    x, y = data()
    model = Net([keras.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    assert model.evaluate(x, y, verbose=0, return_dict=True) == {"constant": 3.0}
    assert (model.predict(x, verbose=0) == 5.0).all()


class Gan(keras.Model):
    """Two networks, two optimizers, noise from a seed of its own."""

    def __init__(self):
        super().__init__()
        self.generator = keras.Sequential([layers.Dense(8, activation="relu"), layers.Dense(3)])
        self.judge = keras.Sequential([layers.Dense(8, activation="relu"), layers.Dense(1)])
        self.seeds = keras.random.SeedGenerator(3)

    def compile(self):
        super().compile(loss="binary_crossentropy")
        self.generator_optimizer, self.judge_optimizer = keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.01)
        self.entropy = keras.losses.BinaryCrossentropy(from_logits=True)

    def train_step(self, real):
        count = ops.shape(real)[0]
        noise = keras.random.normal((count, 2), seed=self.seeds)

        def judge_loss():
            fake = self.generator(noise)
            return self.entropy(ops.ones((count, 1)), self.judge(real)) + self.entropy(
                ops.zeros((count, 1)), self.judge(fake)
            )

        def generator_loss():
            return self.entropy(ops.ones((count, 1)), self.judge(self.generator(noise)))

        # Built before their weights are asked for.
        self.judge(self.generator(noise))
        judge_value, gradients = ops.value_and_grad(judge_loss, self.judge.trainable_variables)()
        self.judge_optimizer.apply(gradients, self.judge.trainable_variables)
        value, gradients = ops.value_and_grad(generator_loss, self.generator.trainable_variables)()
        self.generator_optimizer.apply(gradients, self.generator.trainable_variables)
        return {"judge": judge_value, "generator": value}


def test_a_gan_with_two_optimizers_gives_one_curve_on_all_backends(backend):
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    model = Gan()
    model.compile()
    history = model.fit(data()[0], batch_size=16, epochs=3, verbose=0).history
    with keras.backends.use("numpy"):
        keras.backend.clear_session()
        keras.utils.set_random_seed(0)
        reference = Gan()
        reference.compile()
        expected = reference.fit(data()[0], batch_size=16, epochs=3, verbose=0).history
    for name in ("judge", "generator"):
        np.testing.assert_allclose(history[name], expected[name], rtol=2e-4)


def test_a_loop_by_hand_trains(backend):
    x, y = data()
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    optimizer = keras.optimizers.SGD(0.1)
    step = ops.value_and_grad(lambda: ops.mean(ops.square(ops.subtract(model(x), y))), model.trainable_variables)
    losses = []
    for _ in range(5):
        value, gradients = step()
        optimizer.apply(gradients, model.trainable_variables)
        losses.append(float(ops.convert_to_numpy(value)))
    assert losses == sorted(losses, reverse=True) and losses[-1] < losses[0]


def test_assigning_a_variable_that_the_model_does_not_hold_is_refused(backend):
    stray = keras.Variable(0.0, name="stray")

    class Net(keras.Sequential):
        def train_step(self, data):
            stray.assign(1.0)
            return super().train_step(data)

    model = Net([keras.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(RuntimeError, match="stray"):
        model.fit(*data(), verbose=0)


def test_layers_with_state_keep_it_through_compiled_steps(backend):
    class Count(layers.Layer):
        def build(self, input_shape):
            self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False, name="calls")

        def call(self, x, training=False):
            if training:
                self.calls.assign(self.calls + 1)
            return x

    model = keras.Sequential([keras.Input((3,)), Count(), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(*data(), batch_size=16, epochs=2, verbose=0)
    model.evaluate(*data(), verbose=0)
    assert float(model.layers[0].calls.numpy()) == 8


class Penalty(layers.Layer):
    """Adds a loss and a metric of what goes through it."""

    def call(self, x):
        self.add_loss(0.5 * ops.mean(ops.square(x)))
        self.add_metric(ops.max(x), name="largest")
        return x


def through_a_layer(model):
    return keras.Sequential([model, Penalty()])


def by_symbolic_tensors(model):
    output = model.output
    whole = keras.Model(model.input, output)
    whole.add_loss(0.5 * ops.square(output))
    whole.add_metric(ops.max(output), name="largest")
    return whole


def by_a_function(model):
    x = data()[0]
    whole = keras.Sequential([model])
    whole.add_loss(lambda: 0.5 * ops.mean(ops.square(ops.add(ops.matmul(x, model.weights[0]), model.weights[1]))))
    return whole


@pytest.mark.parametrize("way", [through_a_layer, by_symbolic_tensors, by_a_function])
def test_added_losses_are_minimized_and_added_metrics_reported(backend, way):
    x, y = data()
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model = way(inner)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    kernel, bias = (w.astype("float64") for w in inner.get_weights())
    expected, largest = [], []
    for _ in range(3):
        output = x @ kernel + bias
        expected.append(((output - y) ** 2).mean() + 0.5 * (output**2).mean())
        largest.append(output.max())
        slope = (2 * (output - y) + output) / 64
        kernel, bias = kernel - 0.1 * x.T @ slope, bias - 0.1 * slope.sum(0)
    history = model.fit(x, y, batch_size=64, epochs=3, verbose=0).history
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-4)
    if way is not by_a_function:
        np.testing.assert_allclose(history["largest"], largest, rtol=1e-4)


def test_symbolic_losses_are_refused_where_there_is_no_graph():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    with pytest.raises(ValueError, match="only to a functional model"):
        model.add_loss(ops.square(model.output))


def test_own_metrics_join_the_compiled_ones(backend):
    class Net(keras.Sequential):
        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            logs = super().compute_metrics(x, y, y_pred, sample_weight)
            return {**logs, "doubled": ops.multiply(2.0, ops.mean(ops.abs(y_pred - y)))}

    x, y = data()
    model = Net([keras.Input((3,)), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.0), "mse", metrics=["mae"])
    for logs in (model.evaluate(x, y, 64, verbose=0, return_dict=True), model.fit(x, y, 64, verbose=0).history):
        np.testing.assert_allclose(logs["doubled"], 2 * np.asarray(logs["mae"]), rtol=1e-5)


def test_an_own_step_gets_weights_of_rows_and_makes_use_of_compute_loss(backend):
    class Net(keras.Sequential):
        def train_step(self, data):
            x, y, weight = keras.utils.unpack_x_y_sample_weight(data)

            def loss():
                return self.compute_loss(x, y, self(x, training=True), weight)

            value, gradients = ops.value_and_grad(loss, self.trainable_variables)()
            self.optimizer.apply(gradients, self.trainable_variables)
            return {"loss": value}

    x, y = data()
    weight = np.linspace(0, 2, 64).astype("float32")
    own = Net([keras.Input((3,)), layers.Dense(1, kernel_regularizer="l2")])
    plain = keras.models.clone_model(keras.Sequential(own.layers))
    for model in (own, plain):
        model.build((None, 3))
        model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    plain.set_weights(own.get_weights())
    arguments = {"batch_size": 64, "epochs": 3, "shuffle": False, "verbose": 0, "sample_weight": weight}
    history = own.fit(x, y, **arguments).history["loss"]
    np.testing.assert_allclose(history, plain.fit(x, y, **arguments).history["loss"], rtol=1e-5)
    for mine, theirs in zip(own.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)


class Forms(keras.Model):
    """Keeps the form of the data that its steps are given."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.compile("sgd", "mse", run_eagerly=True)

    def call(self, x):
        return x

    def _note(self, data):
        def form(part):
            if isinstance(part, dict):
                return {key: form(value) for key, value in part.items()}
            return type(part)(map(form, part)) if isinstance(part, tuple | list) else "array"

        self.seen.append(form(data))
        return {"loss": ops.zeros(())}

    train_step = test_step = _note

    def predict_step(self, data):
        self._note(data)
        return ops.zeros((4,))


class OneBatch(keras.utils.PyDataset):
    def __init__(self, batch):
        super().__init__()
        self.batch = batch

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return self.batch


ROWS = np.ones((4, 3), "float32")
WEIGHTS = np.ones((4,), "float32")
# What Keras 3.15.1 gives to its steps.
GIVEN = {
    "an array": ({"x": ROWS}, "array"),
    "with targets": ({"x": ROWS, "y": ROWS}, ("array", "array")),
    "with weights": ({"x": ROWS, "y": ROWS, "sample_weight": WEIGHTS}, ("array", "array", "array")),
    "a list": ({"x": [ROWS, ROWS]}, (["array", "array"],)),
    "a dict": ({"x": {"a": ROWS}}, {"a": "array"}),
    "a dataset of arrays": ({"x": OneBatch(ROWS)}, ("array",)),
    "a dataset of tuples": ({"x": OneBatch((ROWS,))}, ("array",)),
    "a dataset with targets": ({"x": OneBatch((ROWS, ROWS))}, ("array", "array")),
    "a dataset of dicts": ({"x": OneBatch({"a": ROWS})}, {"a": "array"}),
}


@pytest.mark.parametrize(("arguments", "form"), GIVEN.values(), ids=GIVEN)
def test_own_steps_get_data_in_the_form_that_keras_gives_it(arguments, form, backend):
    model = Forms()
    model.fit(**arguments, verbose=0)
    model.evaluate(**arguments, verbose=0)
    assert all(seen == form for seen in model.seen)
    model.seen = []
    model.predict(arguments["x"], verbose=0)
    assert all(seen == ("array" if "y" in arguments else form) for seen in model.seen)


def test_an_own_step_of_pictures_alone_gets_the_pictures(backend):
    class Autoencoder(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = layers.Dense(3)

        def call(self, x):
            return self.inner(x)

        def train_step(self, images):
            def loss():
                return ops.mean(ops.square(self(images) - images))

            value, gradients = ops.value_and_grad(loss, self.trainable_variables)()
            self.optimizer.apply(gradients, self.trainable_variables)
            return {"loss": value, "rows": ops.shape(images)[0]}

    model = Autoencoder()
    model.compile("adam")
    history = model.fit(np.random.default_rng(0).normal(size=(8, 3)), batch_size=8, epochs=3, verbose=0).history
    assert history["rows"] == [8, 8, 8]
    assert history["loss"][-1] < history["loss"][0]


@pytest.mark.parametrize("of_class", [True, False])
def test_metrics_of_a_models_own_may_leave_the_compiled_ones_out(of_class, backend):
    class Base(keras.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            loss = ops.mean(ops.abs(y_pred - y))
            self.own.update_state(loss)
            return loss

        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            return {"own": self.own.result()}

        @property
        def metrics(self):
            return [self.own]

    class Net(Base):
        if of_class:
            own = keras.metrics.Mean(name="loss")

    x, y = data()
    model = Net([keras.Input((3,)), layers.Dense(1)])
    if not of_class:
        model.own = keras.metrics.Mean(name="loss")
    model.compile(keras.optimizers.SGD(0.1))
    expected = np.abs(model.predict(x, verbose=0) - y).mean()
    history = model.fit(x, y, batch_size=64, epochs=2, verbose=0).history["own"]
    np.testing.assert_allclose(history[0], expected, rtol=1e-5)
    assert history[1] < history[0]


class UpdatesAllItsMetrics(keras.Model):
    """The step of Keras's guide, which updates what ``metrics`` lists."""

    def train_step(self, data):
        x, y = data

        def loss():
            outputs = self(x, training=True)
            return self.compute_loss(x, y, outputs), outputs

        (value, outputs), gradients = ops.value_and_grad(loss, self.trainable_variables, has_aux=True)()
        self.optimizer.apply(gradients, self.trainable_variables)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(value)
            elif metric.name == "compile_metrics":
                metric.update_state(y, outputs)
        return {metric.name: metric.result() for metric in self.metrics}


def of_one_output(kind):
    inputs = keras.Input((3,))
    model = kind(inputs, layers.Dense(1)(inputs))
    model.compile("adam", "mse", metrics=["mse", "mae"], weighted_metrics=["mape"])
    return model


def of_two_outputs(kind):
    inputs = keras.Input((3,))
    outputs = {"a": layers.Dense(1, name="a")(inputs), "b": layers.Dense(1, activation="sigmoid", name="b")(inputs)}
    model = kind(inputs, outputs)
    model.compile("adam", {"a": "mse", "b": "binary_crossentropy"}, metrics={"a": ["mae"], "b": ["accuracy", "mse"]})
    return model


@pytest.mark.parametrize("make", [of_one_output, of_two_outputs])
def test_an_own_step_that_updates_all_metrics_reports_those_of_compile(make, backend):
    """Also in the first epoch, before which nobody knows what a name such as "accuracy" means."""
    x, y = data()
    y = {"a": y, "b": y} if make is of_two_outputs else y
    logs = []
    for kind in (UpdatesAllItsMetrics, keras.Model):
        keras.utils.set_random_seed(0)
        history = make(kind).fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0).history
        logs.append(history)
    assert logs[0].keys() == logs[1].keys()
    for name in logs[1].keys() - {"a_loss", "b_loss"}:
        values = logs[1][name]
        np.testing.assert_allclose(logs[0][name], values, rtol=1e-5, err_msg=name)


def test_what_compile_was_given_as_metrics_is_listed_as_one_metric(backend):
    """As in Keras 3: its results are a dict, and it can be updated before the model has seen data."""
    model = of_one_output(keras.Model)
    tracker, compiled = model.metrics
    assert (tracker.name, compiled.name) == ("loss", "compile_metrics")
    assert isinstance(compiled, keras.metrics.Metric)
    compiled.update_state(np.array([[1.0], [3.0]]), np.array([[2.0], [5.0]]))
    np.testing.assert_allclose([float(compiled.result()[name]) for name in ("mae", "mse")], [1.5, 2.5])
    model.reset_metrics()
    assert float(compiled.result()["mae"]) == 0
    assert model.metrics_names == ["loss", "mse", "mae", "mape"]


def test_results_of_an_own_step_come_in_the_order_of_the_names(backend):
    """Engines that compile sort the keys of dicts, also of those inside of others."""
    x, y = data()
    model = of_one_output(UpdatesAllItsMetrics)
    results = model.train_on_batch(x, y)
    assert list(model.train_on_batch(x, y, return_dict=True)) == model.metrics_names
    assert list(model.fit(x, y, verbose=0).history) == model.metrics_names
    model.reset_metrics()
    expected = {
        m.name: float(m(y, model.predict(x, verbose=0))) for m in map(keras.metrics.get, ("mse", "mae", "mape"))
    }
    assert len(results) == 4
    again = dict(zip(model.metrics_names, model.train_on_batch(x, y), strict=True))
    for name, value in zip(("mse", "mae", "mape"), expected.values(), strict=True):
        np.testing.assert_allclose(again[name], value, rtol=1e-4)


def test_logs_have_the_metrics_that_a_model_lists(backend):
    class Net(keras.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            loss = ops.mean(ops.abs(y_pred - y))
            self.own.update_state(loss)
            return loss

        @property
        def metrics(self):
            return [self.own]

    model = Net([keras.Input((3,)), layers.Dense(1)])
    model.own = keras.metrics.Mean(name="own")
    model.compile("sgd", metrics=["mse"])
    x, y = data()
    assert list(model.fit(x, y, epochs=1, verbose=0).history) == ["own"]
    assert list(model.evaluate(x, y, verbose=0, return_dict=True)) == ["own"]
    assert model.metrics_names == ["own"]


@pytest.mark.parametrize("eager", [False, True])
def test_metrics_of_a_training_step_leave_masked_entries_out(eager, backend):
    words = np.array([[1, 2, 0, 0], [3, 0, 0, 0]])
    model = keras.Sequential([keras.Input((4,)), layers.Embedding(9, 4, mask_zero=True), layers.Dense(5)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.0), loss, metrics=["accuracy"], run_eagerly=eager)
    targets = model.predict(words, verbose=0).argmax(-1)
    targets[words == 0] = (targets[words == 0] + 1) % 5
    targets[0, 0] = (targets[0, 0] + 1) % 5
    for logs in (model.train_on_batch(words, targets, return_dict=True), model.evaluate(words, targets, verbose=0)):
        accuracy = logs["accuracy"] if isinstance(logs, dict) else logs[1]
        np.testing.assert_allclose(accuracy, 2 / 3, rtol=1e-6)


class RowLosses(layers.Layer):
    """Adds an array of losses, one for each row, as a layer around a CTC loss does."""

    def call(self, y, predicted):
        self.add_loss(ops.mean(ops.square(y - predicted), axis=-1, keepdims=True))
        return predicted


def test_added_arrays_of_losses_are_summed(backend):
    x, y = data()
    inputs, targets = keras.Input((3,), name="x"), keras.Input((1,), name="y")
    dense = layers.Dense(1, name="dense")
    model = keras.Model([inputs, targets], RowLosses()(targets, dense(inputs)))
    model.compile(keras.optimizers.SGD(0.01))
    kernel, bias = (w.astype("float64") for w in model.get_weights())
    errors = x @ kernel + bias - y
    history = model.fit({"x": x, "y": y}, batch_size=len(x), verbose=0).history
    np.testing.assert_allclose(history["loss"], [np.sum(errors**2)], rtol=1e-5)
    kernel, bias = kernel - 0.01 * x.T @ (2 * errors), bias - 0.01 * np.sum(2 * errors, axis=0)
    np.testing.assert_allclose(dense.kernel.numpy(), kernel, rtol=1e-4, atol=1e-6)
    loss = model.evaluate([x, y], batch_size=len(x), verbose=0)
    np.testing.assert_allclose(loss, np.sum((x @ kernel + bias - y) ** 2), rtol=1e-4)
    alone = keras.Model(model.get_layer("x").input, dense.output)  # what predicts without the targets
    np.testing.assert_allclose(alone.predict(x, verbose=0), x @ kernel + bias, rtol=1e-4, atol=1e-6)


def test_a_model_keeps_its_own_loss_where_none_is_compiled(backend):
    class Own(keras.Sequential):
        def __init__(self, *args):
            super().__init__(*args)
            self.loss = keras.losses.MeanAbsoluteError()

        def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
            return self.loss(y, y_pred)

    model = Own([keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile("sgd")
    assert model.evaluate(np.ones((4, 2)), np.full((4, 1), 3.0), verbose=0) == pytest.approx(3.0)
    model.compile("sgd", "mse")
    assert model.loss == "mse"
