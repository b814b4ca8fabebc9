"""Programs of TensorFlow's users: tapes, functions, pipelines of data, checkpoints, SavedModels."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends
from tests.interop.idioms import X, Y, check_trains_as_by_fit, losses_of_fit, make_model, rng

tf = pytest.importorskip("tensorflow")


@pytest.fixture(autouse=True)
def on_tensorflow():
    with backends.use("tensorflow"):
        yield


@pytest.mark.parametrize("as_function", [False, True])
@pytest.mark.parametrize("fitted_before", [False, True])
def test_a_loop_with_a_tape_trains_as_fit_does(as_function, fitted_before):
    model, other = make_model(), make_model()
    optimizer, loss_fn = keras.optimizers.Adam(0.1), keras.losses.MeanSquaredError()
    if fitted_before:
        losses_of_fit(model, "sgd"), losses_of_fit(other, "sgd")
    expected = losses_of_fit(other, keras.optimizers.Adam(0.1))

    def step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_fn(y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_weights)
        optimizer.apply_gradients(zip(gradients, model.trainable_weights, strict=True))
        return loss

    step = tf.function(step) if as_function else step
    found = [float(step(tf.constant(X), tf.constant(Y))) for _ in range(5)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(model.predict(X, verbose=0), other.predict(X, verbose=0), rtol=1e-4)


@pytest.mark.parametrize("as_function", [False, True])
def test_a_loop_scales_its_loss_by_what_the_optimizer_scales_back(as_function):
    """The scale of a power of two changes no gradient, but a function may be traced before the optimizer is built."""
    model, other = make_model(), make_model()
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), 4.0, dynamic_growth_steps=2)
    expected = losses_of_fit(other, keras.optimizers.SGD(0.1))

    def step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(y - model(x, training=True)))
            scaled = optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, model.trainable_weights)
        optimizer.apply_gradients(zip(gradients, model.trainable_weights, strict=True))
        return loss, scaled / loss

    step = tf.function(step) if as_function else step
    losses, scales = zip(*[step(tf.constant(X), tf.constant(Y)) for _ in range(5)], strict=True)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    np.testing.assert_allclose(scales, [4, 4, 8, 8, 16], rtol=1e-5)


def test_tapes_by_inputs_persistent_and_of_higher_order():
    v, x = keras.Variable(3.0), tf.constant(2.0)
    with tf.GradientTape(persistent=True) as outer:
        outer.watch(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = v * x**3
        slope = tape.gradient(y, x)
    assert float(slope) == 36.0
    assert float(outer.gradient(slope, x)) == 36.0
    assert float(outer.gradient(slope, v)) == 12.0
    assert float(outer.gradient(y, v)) == 8.0


def test_a_variable_that_is_not_trained_is_watched_when_asked_for():
    v = keras.Variable(3.0, trainable=False)
    with tf.GradientTape() as tape:
        y = v * v
    assert tape.gradient(y, v) is None
    with tf.GradientTape() as tape:
        tape.watch(v.handle)
        y = v * v
    assert float(tape.gradient(y, v)) == 6.0


@pytest.mark.parametrize("as_function", [False, True])
@pytest.mark.parametrize("is_watched", [False, True])
@pytest.mark.parametrize("fitted_before", [False, True])
def test_a_loop_over_the_values_of_weights_trains_as_fit_does(as_function, is_watched, fitted_before):
    model, other = make_model(), make_model()
    if fitted_before:
        losses_of_fit(model, "sgd"), losses_of_fit(other, "sgd")
    expected = losses_of_fit(other, keras.optimizers.SGD(0.1))
    loss_fn = keras.losses.MeanSquaredError()

    def step(x, y):
        with tf.GradientTape(watch_accessed_variables=not is_watched) as tape:
            if is_watched:
                tape.watch([weight.value for weight in model.trainable_weights])
            loss = loss_fn(y, model(x, training=True))
        values = [weight.value for weight in model.trainable_weights]
        for value, gradient in zip(values, tape.gradient(loss, values), strict=True):
            value.assign_sub(0.1 * gradient)
        return loss

    step = tf.function(step) if as_function else step
    found = [float(step(tf.constant(X), tf.constant(Y))) for _ in range(5)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(model.predict(X, verbose=0), other.predict(X, verbose=0), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("as_function", [False, True])
@pytest.mark.parametrize("kind", ["op", "layer", "model", "loss", "Lambda"])
def test_gradients_by_a_variable_that_a_program_feeds_in(kind, as_function):
    kernel = np.array([[1.0], [-2.0], [0.5]], "float32")
    layer = keras.layers.Dense(1, use_bias=False)
    layer.build((None, 3))
    layer.set_weights([kernel])
    compute = {
        "op": lambda x: keras.ops.matmul(x, kernel),
        "layer": layer,
        "model": keras.Sequential([keras.Input((3,)), layer]),
        "loss": lambda x: keras.losses.MeanSquaredError(reduction="sum")(kernel.T, x) * 3,
        "Lambda": keras.layers.Lambda(lambda x: tf.matmul(x, kernel)),
    }[kind]
    image = tf.Variable(X[:1])

    def slope():
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(compute(image))
        return tape.gradient(y, image)

    found = (tf.function(slope) if as_function else slope)()
    expected = 2 * (X[:1] - kernel.T) if kind == "loss" else kernel.T
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("as_function", [False, True])
def test_layers_that_compute_with_the_values_of_weights_train(as_function):
    class Plain(keras.layers.Layer):
        def build(self, shape):
            self.kernel = self.add_weight(shape=(shape[-1], 1))
            self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

        def call(self, x):
            self.calls.assign(self.calls.value + 1.0)
            return keras.ops.matmul(x, self.kernel.value) + tf.reduce_sum(self.kernel.value)

    model = make_model(keras.layers.Dense(4), Plain())

    def gradients_of(x):
        with tf.GradientTape() as tape:
            result = keras.ops.sum(model(x))
        return tape.gradient(result, [weight.value for weight in model.trainable_weights])

    found = (tf.function(gradients_of) if as_function else gradients_of)(tf.constant(X))
    (kernel, bias), (last, calls) = model.layers[0].get_weights(), model.layers[1].get_weights()
    on_last = (X @ kernel + bias).sum(0)[:, None] + len(X)
    np.testing.assert_allclose(found[0], X.sum(0)[:, None] * last.T, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[2], on_last, rtol=1e-4, atol=1e-5)
    assert calls == 1


USES_OF_WEIGHTS = {
    "product": lambda x, kernel: tf.matmul(x, kernel),
    "sparse product": lambda x, kernel: tf.sparse.sparse_dense_matmul(tf.sparse.from_dense(x), kernel),
    "sparse product of ours": lambda x, kernel: keras.ops.matmul(tf.sparse.from_dense(x), kernel),
    "conversion": lambda x, kernel: tf.convert_to_tensor(kernel) * 3.0,
    "reduction": lambda x, kernel: tf.reduce_sum(kernel**2),
    "rows": lambda x, kernel: tf.nn.embedding_lookup(kernel, [0, 2, 2]),
    "concatenation": lambda x, kernel: tf.concat([kernel, 2.0 * kernel], 0) ** 2,
    "cast": lambda x, kernel: tf.cast(kernel, "float64") * 2.0,
    "operators": lambda x, kernel: (tf.ones_like(kernel) - kernel) * kernel[0],
}


@pytest.mark.parametrize("as_function", [False, True])
@pytest.mark.parametrize("use", USES_OF_WEIGHTS.values(), ids=USES_OF_WEIGHTS)
def test_functions_of_tensorflow_take_weights_under_a_tape(use, as_function):
    x = tf.constant(rng.normal(size=(4, 3)).astype("float32"))
    layer = keras.layers.Dense(2)
    layer(tf.sparse.from_dense(x))

    def gradient(kernel):
        with tf.GradientTape() as tape:
            result = use(x, kernel)
        return tf.convert_to_tensor(tape.gradient(result, kernel))

    def step():
        return gradient(layer.kernel)

    expected = gradient(tf.Variable(layer.kernel.numpy()))
    np.testing.assert_allclose((tf.function(step) if as_function else step)(), expected, rtol=1e-5)


@pytest.mark.parametrize("as_function", [False, True])
def test_sparse_inputs_train_under_a_tape(as_function):
    layer = keras.layers.Dense(2)
    sparse = tf.sparse.from_dense(X)
    layer(sparse)

    def gradients(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x) ** 2)
        return [tf.convert_to_tensor(g) for g in tape.gradient(loss, layer.trainable_weights)]

    found = (tf.function(gradients) if as_function else gradients)(sparse)
    for own, expected in zip(found, gradients(tf.constant(X)), strict=True):
        np.testing.assert_allclose(own, expected, rtol=1e-5)


@pytest.mark.parametrize("first", ["tape", "fit", "value", None])
@pytest.mark.parametrize("by_value", [False, True])
def test_weights_that_were_frozen_in_the_first_step_have_gradients_later(first, by_value):
    model, other = make_model(), make_model()

    def gradients_of(model):
        with tf.GradientTape() as tape:
            loss = keras.ops.sum(model(X))
        weights = model.trainable_weights
        return tape.gradient(loss, [weight.value for weight in weights] if by_value else weights)

    model.trainable = False
    if first == "tape":
        gradients_of(model)
    elif first == "fit":
        whole = keras.Sequential([model, keras.layers.Dense(1)])
        losses_of_fit(whole, "sgd")
    elif first == "value":
        with tf.GradientTape():
            assert all(isinstance(weight.value, tf.Variable) for weight in model.weights)
    model.trainable = True
    for found, expected in zip(gradients_of(model), gradients_of(other), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_fit_updates_the_variables_that_a_program_knows_in_place(monkeypatch):
    """As fast as before the program asked for them: nothing is copied, and what it holds is up to date."""
    model = make_model()
    with tf.GradientTape():
        model(X)
    known = [weight.value for weight in model.weights]
    losses_of_fit(model, keras.optimizers.Adam(0.1), epochs=1)
    copied, assigned = [], []
    monkeypatch.setattr(backends.current(), "copy", lambda x: (copied.append(x), tf.identity(x))[1])
    monkeypatch.setattr(type(known[0]), "assign", lambda x, *_, **__: assigned.append(x))
    model.fit(X, Y, batch_size=4, epochs=2, verbose=0, callbacks=[keras.callbacks.LambdaCallback(lambda *_: None)])
    assert not any(x is held for x in (*copied, *assigned) for held in known)
    for held, value in zip(known, model.get_weights(), strict=True):
        np.testing.assert_array_equal(held, value)


def test_embeddings_take_gradients_of_tapes():
    model = keras.Sequential([keras.Input((2,), dtype="int32"), keras.layers.Embedding(5, 3)])
    optimizer = keras.optimizers.SGD(1.0)
    before = model.get_weights()[0]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(tf.constant([[1, 1]])))
    optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_weights), model.trainable_weights, strict=True))
    change = before - model.get_weights()[0]
    np.testing.assert_allclose(change.sum(1), [0, 6, 0, 0, 0], atol=1e-5)


class NativeModel(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden, self.top = keras.layers.Dense(4, "tanh"), keras.layers.Dense(1)
        self.drop = keras.layers.Dropout(0.0)

    def call(self, x, training=False):
        return self.top(self.drop(self.hidden(x), training=training))

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compiled_loss(y, y_pred, regularization_losses=self.losses)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        self.compiled_metrics.update_state(y, y_pred)
        return {m.name: m.result() for m in self.metrics}


@pytest.mark.parametrize("eagerly", [False, True])
def test_a_train_step_with_a_tape_runs_in_fit(eagerly):
    check_trains_as_by_fit(NativeModel, eagerly)


def test_functions_update_the_state_of_layers_and_metrics_at_every_call():
    model = make_model(keras.layers.BatchNormalization(momentum=0.5), keras.layers.Dropout(0.5, seed=1))
    metric = keras.metrics.Mean()

    @tf.function
    def step(x):
        y = model(x, training=True)
        metric.update_state(x)
        return y

    one, two = step(tf.constant(X + 1)), step(tf.constant(X + 1))
    assert not np.array_equal(one, two)
    expected = 0.75 * (X + 1).mean(0)
    np.testing.assert_allclose(model.non_trainable_weights[0].numpy(), expected, rtol=1e-5)
    np.testing.assert_allclose(float(metric.result()), (X + 1).mean(), rtol=1e-5)


def test_functions_see_weights_that_change_later():
    model = make_model(keras.layers.Dense(1))
    function = tf.function(model)
    function(tf.constant(X))
    model.set_weights([np.ones((3, 1), "float32"), np.zeros(1, "float32")])
    np.testing.assert_allclose(function(tf.constant(X)), X.sum(1, keepdims=True), rtol=1e-5)
    losses_of_fit(model, keras.optimizers.SGD(0.1))
    np.testing.assert_allclose(function(tf.constant(X)), model.predict(X, verbose=0), rtol=1e-5)


def test_functions_of_batches_of_any_size():
    model = make_model()
    function = tf.function(model, input_signature=[tf.TensorSpec((None, 3))])
    np.testing.assert_allclose(function(X[:5]), model.predict(X, verbose=0)[:5], rtol=1e-5)


def test_checkpoints_hold_model_and_optimizer(tmp_path):
    from polykeras.interop.tensorflow import as_module

    model = make_model()
    losses_of_fit(model, keras.optimizers.Adam(0.1))
    weights, slots = model.get_weights(), model.optimizer.get_weights()
    checkpoint = tf.train.Checkpoint(model=as_module(model), optimizer=as_module(model.optimizer))
    path = checkpoint.save(str(tmp_path / "c"))
    model.fit(X, Y, verbose=0)
    checkpoint.restore(path).assert_consumed()
    for one, two in zip(weights + slots, model.get_weights() + model.optimizer.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_saved_models_compute_the_same(tmp_path):
    from polykeras.interop.tensorflow import as_module

    model = make_model()
    tf.saved_model.save(as_module(model), str(tmp_path))
    again = tf.saved_model.load(str(tmp_path))
    np.testing.assert_allclose(again.serve(X[:5]), model.predict(X, verbose=0)[:5], rtol=1e-5)


# ------------------------------------------------------------------- pipelines of data

IMAGES = (rng.random((5, 8, 6, 3)) * 255).astype("float32")


FIRST_USE = """
import numpy as np, polykeras as keras, tensorflow as tf
images = np.ones((2, 8, 8, 3), "float32")
rows = tf.data.Dataset.from_tensor_slices(images).map(keras.layers.RandomFlip())
print([row.shape.as_list() for row in rows])
"""


def test_a_pipeline_may_be_the_first_to_use_the_engine():
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    found = subprocess.run([sys.executable, "-c", FIRST_USE], env=environment, capture_output=True, text=True)
    assert found.stdout.strip() == "[[8, 8, 3], [8, 8, 3]]", found.stderr[-2000:]


@pytest.mark.parametrize("engine", backends.available())
def test_random_layers_in_a_pipeline_draw_anew_and_leave_the_layer_usable(engine):
    with backends.use(engine):
        layer = keras.layers.RandomFlip(seed=3)
        rows = list(tf.data.Dataset.from_tensors(IMAGES[0]).repeat(16).map(layer))
        assert len({row.numpy().tobytes() for row in rows}) > 1
        assert keras.ops.convert_to_numpy(layer(IMAGES)).shape == IMAGES.shape


@pytest.mark.parametrize("engine", backends.available())
def test_models_of_preprocessing_map_over_dicts(engine):
    with backends.use(engine):
        model = keras.Sequential([keras.layers.Resizing(4, 4), keras.layers.Rescaling(1 / 255)])
        pipeline = tf.data.Dataset.from_tensor_slices({"image": IMAGES}).batch(2)
        shape = next(iter(pipeline.map(lambda row: model(row["image"])))).shape
        assert tuple(shape) == (2, 4, 4, 3)


def test_strings_go_into_models():
    text = keras.layers.TextVectorization(vocabulary=["good", "bad"], output_mode="multi_hot")
    inputs = keras.Input((1,), dtype="string")
    model = keras.Model(inputs, keras.layers.Dense(1, kernel_initializer="ones")(text(inputs)))
    words = np.array([["good"], ["good bad"], ["else"]])
    np.testing.assert_allclose(model(tf.constant(words)).numpy()[:, 0], [1, 2, 1])
    for given in (words, words.astype(object), words.astype("S")):
        np.testing.assert_allclose(model(given).numpy()[:, 0], [1, 2, 1])
    with pytest.raises(ValueError, match="Expected numbers"):
        model(np.array([[None]]))
    function = tf.function(model)
    np.testing.assert_allclose(function(tf.constant(words)).numpy()[:, 0], [1, 2, 1])
    model.compile("sgd", "mse")
    model.fit(tf.data.Dataset.from_tensor_slices((words, np.zeros((3, 1)))).batch(3), verbose=0)
    assert model.predict(tf.constant(words), verbose=0).shape == (3, 1)


@pytest.mark.parametrize("as_function", [False, True])
@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.optimizers.SGD(0.1, momentum=0.9, clipnorm=1.0),
        lambda: keras.optimizers.AdamW(0.1),
        lambda: keras.optimizers.RMSprop(0.1, use_ema=True),
    ],
)
def test_optimizers_update_variables_of_tensorflow_as_they_do_ours(make, as_function):
    theirs, ours, alone = tf.Variable([1.0, 2.0]), keras.Variable([1.0, 2.0]), keras.Variable([1.0, 2.0])
    optimizer, other = make(), make()
    optimizer.build([theirs, ours])

    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(theirs**2) + tf.reduce_sum(ours**2)
        optimizer.apply_gradients(zip(tape.gradient(loss, [theirs, ours]), [theirs, ours], strict=True))

    run = tf.function(step) if as_function else step
    for _ in range(3):
        run()
        other.apply([2 * alone.value], [alone])
    np.testing.assert_allclose(theirs.numpy(), alone.numpy(), rtol=1e-5)
    np.testing.assert_allclose(ours.numpy(), alone.numpy(), rtol=1e-5)
    assert len(optimizer.variables) == 2 * len(other.variables) - 2  # rate and count are there once


def test_a_variable_around_one_of_tensorflow_shares_its_value():
    theirs = tf.Variable([1.0, 2.0], trainable=False, name="theirs")
    ours = keras.Variable.around(theirs)
    ours.assign([3.0, 4.0])
    assert theirs.numpy().tolist() == [3.0, 4.0]
    theirs.assign([5.0, 6.0])
    assert ours.numpy().tolist() == [5.0, 6.0]
    assert (ours.shape, ours.dtype, ours.trainable, ours.name) == ((2,), "float32", False, "theirs")
    ours.adopt(np.array([7.0, 8.0]))
    assert theirs.numpy().tolist() == [7.0, 8.0]
    with pytest.raises(TypeError, match="Expected a Variable of polykeras.*Received"):
        keras.optimizers.SGD().build([np.ones(2)])


@pytest.mark.parametrize("strategy", [tf.distribute.MirroredStrategy, lambda: tf.distribute.OneDeviceStrategy("cpu:0")])
def test_models_of_a_strategy_of_one_replica_train_as_elsewhere(strategy, tmp_path):
    def losses():
        keras.utils.set_random_seed(0)
        model = make_model(keras.layers.Dense(2), keras.layers.BatchNormalization(), keras.layers.Dense(1))
        found = losses_of_fit(model, keras.optimizers.Adam(0.1))
        model.save(tmp_path / "model.keras")
        return [*found, *model.evaluate(X, Y, verbose=0, return_dict=True).values()]

    expected = losses()
    with strategy().scope():
        assert losses() == expected
        assert len(keras.models.load_model(tmp_path / "model.keras").weights) == 8


_CONFIGURES_DEVICES = """
import tensorflow as tf
import keras
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
model.compile("adam", "mse")
[cpu] = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    model.fit(tf.ones((4, 4)), tf.ones((4, 2)), verbose=0)
"""


def test_devices_can_be_configured_until_the_first_array_is_made(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(_CONFIGURES_DEVICES)
    done = subprocess.run(
        [sys.executable, "-m", "polykeras", "run", str(program)],
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Received: 2 replicas" in done.stderr


class DenseOfVariables(keras.layers.Layer):
    """Its weights are variables of TensorFlow, in attributes alone."""

    def build(self, input_shape):
        self.kernel = tf.Variable(tf.fill((input_shape[-1], 2), 0.5))
        self.bias = tf.Variable(tf.zeros(2))
        self.order = tf.Variable([1, 0], trainable=False)

    def call(self, x):
        return tf.gather(tf.matmul(x, self.kernel) + self.bias, self.order, axis=-1)


class DenseOfWeights(DenseOfVariables):
    def build(self, input_shape):
        self.kernel = self.add_weight((input_shape[-1], 2), keras.initializers.Constant(0.5), name="kernel")
        self.bias = self.add_weight((2,), "zeros", name="bias")
        self.order = self.add_weight((2,), lambda shape, dtype: [1, 0], "int32", trainable=False, name="order")


class Around(keras.layers.Layer):
    """A layer that is built while its own call is traced."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, x):
        return tf.nn.softplus(self.inner(x))


def of_layers(layer):
    return make_model(layer, keras.layers.Dense(1, kernel_initializer="ones"))


def of_nested_layers(layer):
    return make_model(Around(layer), keras.layers.Dense(1, kernel_initializer="ones"))


@pytest.mark.parametrize("make", [of_layers, of_nested_layers])
def test_variables_of_tensorflow_in_attributes_are_weights(make, tmp_path):
    model, expected = make(DenseOfVariables()), make(DenseOfWeights())
    for each in (model, expected):
        each.compile(keras.optimizers.SGD(0.1), "mse")
    losses = [each.fit(X, Y, epochs=3, shuffle=False, verbose=0).history["loss"] for each in (model, expected)]
    np.testing.assert_allclose(*losses, rtol=1e-5)
    layer, twin = (each.layers[-2] for each in (model, expected))
    assert [w.name for w in layer.weights] == [w.name for w in twin.weights] == ["kernel", "bias", "order"]
    assert len(layer.trainable_weights) == 2
    model.save_weights(tmp_path / "m.weights.h5")
    again = make(DenseOfVariables())
    again.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_allclose(again.predict(X, verbose=0), expected.predict(X, verbose=0), rtol=1e-5)


def test_a_variable_of_tensorflow_follows_training_and_loading(tmp_path):
    theirs = tf.Variable(np.ones((3, 2), "float32"))

    class Product(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.kernel = theirs

        def call(self, x):
            return keras.ops.matmul(x, self.kernel)

    model = keras.Sequential([keras.Input((3,)), Product()])
    model.save_weights(tmp_path / "first.weights.h5")
    model.compile("adam", "mse")
    model.fit(np.ones((4, 3)), np.zeros((4, 2)), verbose=0)
    assert (theirs.numpy() < 1).all()
    np.testing.assert_array_equal(theirs.numpy(), model.get_weights()[0])
    model.load_weights(tmp_path / "first.weights.h5")
    assert (theirs.numpy() == 1).all()
    theirs.assign(np.zeros((3, 2)))
    assert not model.predict(np.ones((1, 3)), verbose=0).any()


def test_other_engines_refuse_variables_of_tensorflow():
    with backends.use("numpy"), pytest.raises(TypeError, match="Expected weights that polykeras trains"):
        make_model(DenseOfVariables())


class Pairs(keras.utils.PyDataset):
    """Batches of one array each: the rows of its first half, and those that are to be similar to them."""

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return np.stack([X[:4], X[4:8]])


class Similarities(keras.Model):
    """Its step calls it on parts of what fit gets, which the model itself does not take."""

    def train_step(self, data):
        first, second = tf.unstack(data[0] if isinstance(data, tuple) else data)
        with tf.GradientTape() as tape:
            similar = tf.matmul(self(first, training=True), self(second, training=True), transpose_b=True)
            loss = self.compute_loss(y=tf.range(4), y_pred=similar)
        weights = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(tf.range(4), similar)
        return self.get_metrics_result()


@pytest.mark.parametrize("metrics", [None, ["accuracy"]])
def test_own_steps_take_batches_that_the_model_does_not(metrics):
    inputs = keras.Input(X.shape[1:])
    model = Similarities(inputs, keras.layers.Dense(2, kernel_initializer="ones", use_bias=False)(inputs))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.0), loss, metrics=metrics)
    history = model.fit(Pairs(), epochs=2, verbose=0).history
    first, second = (np.outer(x.sum(-1), np.ones(2)) for x in (X[:4], X[4:8]))
    logits = first @ second.T
    expected = np.mean(np.log(np.exp(logits).sum(-1)) - np.diag(logits))
    np.testing.assert_allclose(history["loss"], [expected] * 2, rtol=1e-5)
    assert set(history) == {"loss", *(metrics or ())}


def test_a_step_may_take_tensorflow_from_the_function_around_its_class():
    def make():
        import tensorflow as own

        def gradients_of(tape, loss, weights):
            return tape.gradient(loss, weights)

        class Model(keras.Model):
            def train_step(self, data):
                x, y = data
                with own.GradientTape() as tape:
                    loss = self.compute_loss(y=y, y_pred=self(x, training=True))
                weights = self.trainable_variables
                self.optimizer.apply_gradients(zip(gradients_of(tape, loss, weights), weights, strict=True))
                return {"loss": loss}

        return Model

    def trained(cls):
        inputs = keras.Input((4,))
        model = cls(inputs, keras.layers.Dense(1, kernel_initializer="ones")(inputs))
        model.compile(keras.optimizers.SGD(0.1), "mse")
        model.fit(x, x[:, :1], epochs=2, batch_size=8, shuffle=False, verbose=0)
        return model.get_weights()

    x = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")
    for own, usual in zip(trained(make()), trained(keras.Model), strict=True):
        np.testing.assert_allclose(own, usual, rtol=1e-5, atol=1e-6)
