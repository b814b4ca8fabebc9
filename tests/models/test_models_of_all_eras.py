"""What programs for Keras 1, 2 and 3 ask of a model: step functions, older methods, unbuilt models, copies."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest

import polykeras as keras

rng = np.random.default_rng(0)
X = rng.normal(size=(8, 3)).astype("float32")
Y = rng.normal(size=(8, 1)).astype("float32")


def linear(units=1, **options):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(units, **options)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return model


# -------------------------------------------------------------- step functions


def test_a_train_function_makes_one_step_on_the_next_batch(backend):
    model = linear()
    kernel, bias = model.get_weights()
    batches = iter([(X, Y), (X, Y)])
    logs = model.make_train_function()(batches)
    difference = X @ kernel + bias - Y
    assert logs["loss"] == pytest.approx(np.mean(difference**2), rel=1e-5)
    np.testing.assert_allclose(model.get_weights()[0], kernel - 0.1 * X.T @ difference * 2 / 8, rtol=1e-4, atol=1e-6)
    assert len(list(batches)) == 1


def test_test_and_predict_functions_change_nothing(backend):
    model = linear()
    kernel, bias = model.get_weights()
    assert model.make_test_function()(iter([(X, Y)]))["loss"] == pytest.approx(
        np.mean((X @ kernel + bias - Y) ** 2), rel=1e-5
    )
    np.testing.assert_allclose(model.make_predict_function()(iter([(X,)])), X @ kernel + bias, rtol=1e-4, atol=1e-6)
    assert np.array_equal(kernel, model.get_weights()[0])


def test_step_functions_are_kept_and_made_anew_when_forced():
    model = linear()
    assert model.train_function is None
    function = model.make_train_function()
    assert model.train_function is function is model.make_train_function()
    assert model.make_train_function(force=True) is not function
    assert pickle.loads(pickle.dumps(model)).train_function is None
    with pytest.raises(RuntimeError, match="Expected compile"):
        keras.Sequential([keras.layers.Dense(1)]).make_train_function()(iter([(X, Y)]))


class TwoSteps(keras.Model):
    """Makes two training steps on each batch, and says so."""

    def __init__(self, compiler=lambda function: function, **options):
        super().__init__(**options)
        self.dense = keras.layers.Dense(1)
        self.compiler = compiler

    def call(self, inputs):
        return self.dense(inputs)

    def make_train_function(self, force=False):
        if self.train_function is None or force:

            @self.compiler
            def train(iterator):
                data = next(iterator)
                self.train_step(data)
                return {**self.train_step(data), "steps": 2.0}

            self.train_function = train
        return self.train_function

    def make_test_function(self, force=False):
        self.test_function = lambda iterator: {**self.test_step(next(iterator)), "mine": 1.0}
        return self.test_function

    def make_predict_function(self, force=False):
        self.predict_function = lambda iterator: 3 * self(next(iterator)[0])
        return self.predict_function


def check_two_steps(model):
    model.build((None, 3))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    kernel, bias = model.get_weights()
    history = model.fit(X, Y, batch_size=4, epochs=3, shuffle=False, verbose=0).history
    for first in (0, 0, 4, 4) * 3:  # two steps of gradient descent on each half
        x, y = X[first : first + 4], Y[first : first + 4]
        difference = x @ kernel + bias - y
        kernel, bias = kernel - 0.1 * x.T @ difference * 2 / 4, bias - 0.1 * difference.sum(0) * 2 / 4
    np.testing.assert_allclose(model.get_weights()[0], kernel, rtol=1e-4, atol=1e-6)
    assert history["steps"] == [2.0] * 3 and int(model.optimizer.iterations) == 12


def test_fit_evaluate_and_predict_call_a_models_own_step_functions(backend):
    model = TwoSteps()
    check_two_steps(model)
    kernel, bias = model.get_weights()
    results = model.evaluate(X, Y, verbose=0, return_dict=True)
    assert results == {"loss": pytest.approx(np.mean((X @ kernel + bias - Y) ** 2), rel=1e-5), "mine": 1.0}
    np.testing.assert_allclose(model.predict(X, batch_size=4, verbose=0), 3 * (X @ kernel + bias), rtol=1e-4, atol=1e-5)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    assert model.train_function is None


def test_a_models_own_train_function_may_be_compiled_by_the_engine():
    tensorflow = pytest.importorskip("tensorflow")
    traces = []

    def compiler(function):
        def traced(iterator):
            traces.append(1)
            return function(iterator)

        return tensorflow.function(traced)

    with keras.backends.use("tensorflow"):
        check_two_steps(TwoSteps(compiler))
    assert len(traces) == 1


class Wraps(keras.Sequential):
    """Counts its steps around the functions that every model makes."""

    steps = 0
    compiler = staticmethod(lambda function: function)

    def wrapped(self, kind, made):
        if made is not vars(self).get(f"kept_{kind}"):
            inner = self.compiler(made)

            def counted(iterator):
                self.steps += 1
                return inner(iterator)

            setattr(self, f"kept_{kind}", counted)
            setattr(self, f"{kind}_function", counted)
        return vars(self)[f"kept_{kind}"]

    def make_train_function(self, force=False):
        return self.wrapped("train", super().make_train_function(force))

    def make_test_function(self, force=False):
        return self.wrapped("test", super().make_test_function(force))

    def make_predict_function(self, force=False):
        return self.wrapped("predict", super().make_predict_function(force))


def check_wrapped(kind):
    model, plain = (
        cls([keras.Input((3,)), keras.layers.BatchNormalization(), keras.layers.Dense(1, kernel_initializer="ones")])
        for cls in (kind, keras.Sequential)
    )
    for each in (model, plain):
        each.compile(keras.optimizers.SGD(0.1, momentum=0.5), "mse", metrics=["mae"])
    found, expected = (
        [
            *each.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0).history.values(),
            each.evaluate(X, Y, verbose=0),
            each.predict(X, verbose=0),
            each.train_on_batch(X, Y),
            *each.get_weights(),
        ]
        for each in (model, plain)
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    assert model.steps == 2 * 2 + 1 + 1 + 1


def test_own_step_functions_may_wrap_those_that_every_model_makes(backend):
    check_wrapped(Wraps)


def test_a_step_function_that_every_model_makes_may_be_compiled_by_the_engine():
    tensorflow = pytest.importorskip("tensorflow")

    class Compiles(Wraps):
        compiler = staticmethod(tensorflow.function)

    with keras.backends.use("tensorflow"):
        check_wrapped(Compiles)


@pytest.mark.parametrize("engine", [name for name in ("jax", "tensorflow") if name in keras.backends.available()])
def test_a_number_that_changes_in_each_step_is_traced_a_few_times(engine):
    """Also in a model that a function closes over, which it holds itself."""
    traces = []

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense, self.factor = keras.layers.Dense(1, kernel_initializer="ones"), 1.0
            self.scale = lambda outputs: outputs * self.factor

        def call(self, inputs):
            traces.append(1)
            return self.scale(self.dense(inputs))

    def change(batch, logs):
        model.factor += 1.0

    with keras.backends.use(engine):
        model = Net()
        model.compile(keras.optimizers.SGD(0.0), "mae")
        changing = keras.callbacks.LambdaCallback(on_train_batch_end=change)
        x, y = np.repeat(X[:1], 24, 0), np.zeros((24, 1), "float32")
        losses = model.fit(x, y, batch_size=1, epochs=1, verbose=0, callbacks=[changing]).history["loss"]
    np.testing.assert_allclose(losses, abs(X[0].sum()) * np.mean(np.arange(1, 25)), rtol=1e-5)
    assert len(traces) < 12


# --------------------------------------------------------------- older methods


@pytest.mark.parametrize(("units", "activation"), [(3, "softmax"), (1, "sigmoid")])
def test_predict_classes_and_predict_proba(units, activation, backend):
    model = linear(units, activation=activation)
    outputs = model.predict(X, verbose=0)
    expected = outputs.argmax(1) if units > 1 else (outputs > 0.5).astype(int)
    np.testing.assert_array_equal(model.predict_classes(X), expected)
    np.testing.assert_allclose(model.predict_proba(X), outputs, rtol=1e-6)


def test_samples_per_epoch_becomes_steps(backend):
    taken = []

    def batches():
        for index in itertools.count():
            taken.append(index)
            yield X[:4], Y[:4]

    model = linear()
    history = model.fit_generator(
        batches(), samples_per_epoch=10, nb_epoch=2, validation_data=batches(), nb_val_samples=8, verbose=0
    )
    assert int(model.optimizer.iterations.numpy()) == 6
    assert len(history.history["val_loss"]) == 2
    assert model.predict_generator(batches(), val_samples=8).shape == (8, 1)
    model.evaluate_generator(batches(), val_samples=8)


def test_samples_of_a_dataset_are_counted_without_taking_a_batch():
    class Data(keras.utils.Sequence):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            return X[:4], Y[:4]

    model = linear()
    model.fit_generator(Data(), samples_per_epoch=8, nb_epoch=1, verbose=0)
    assert int(model.optimizer.iterations.numpy()) == 2


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda model: model.to_yaml(), RuntimeError, r"Expected to_json\(\)"),
        (
            lambda model: model.export("x", "onnx"),
            NotImplementedError,
            r"'onnx', which is not implemented.*save\(\)",
        ),
        (lambda model: model.export("x", format="zip"), ValueError, "format to be one of.*Received: 'zip'"),
    ],
)
def test_what_is_gone_or_not_there_yet_says_what_to_do(call, error, message):
    with pytest.raises(error, match=message):
        call(linear())


# ---------------------------------------------------------- unbuilt and copied


def test_a_layer_stands_in_a_stack_twice_with_one_set_of_weights(tmp_path, backend):
    layer = keras.layers.Dense(3)
    model = keras.Sequential([keras.Input((3,)), layer, layer])
    kernel, bias = model.get_weights()
    expected = (X @ kernel + bias) @ kernel + bias
    np.testing.assert_allclose(model.predict(X, verbose=0), expected, rtol=1e-4, atol=1e-5)
    model.save(tmp_path / "twice.keras")
    loaded = keras.saving.load_model(tmp_path / "twice.keras")
    assert len(loaded.weights) == 2
    np.testing.assert_allclose(loaded.predict(X, verbose=0), expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="a second layer named"):
        keras.Sequential([keras.layers.Dense(3, name="a"), keras.layers.Dense(3, name="a")])


def test_an_unbuilt_model_shows_its_layers_as_unbuilt():
    lines = []
    keras.Sequential([keras.layers.Dense(3, name="head")]).summary(print_fn=lines.append)
    assert any("head (Dense)" in line and "unbuilt" in line for line in lines)
    assert "Total params: 0" in lines


@pytest.mark.parametrize("what", ["input", "output"])
def test_an_unbuilt_stack_says_that_it_has_to_be_built(what):
    model = keras.Sequential([keras.layers.Dense(3)])
    with pytest.raises(AttributeError, match=f"a model with a known {what}.*Build it"):
        getattr(model, what)
    model.build((None, 4))
    assert getattr(model, what).shape == (None, 4 if what == "input" else 3)


def test_layers_that_cannot_tell_their_shape_run_without_a_graph(backend):
    class Plain(keras.layers.Layer):
        def call(self, x):
            return x + 1.0

        def compute_output_spec(self, *args, **kwargs):
            raise NotImplementedError

    model = keras.Sequential([Plain(), keras.layers.Dense(2)])
    output = keras.ops.convert_to_numpy(model(X))
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(output, (X + 1) @ kernel + bias, rtol=1e-4, atol=1e-5)
    model.summary(print_fn=lambda line: None)


def test_the_size_of_a_batch_may_differ_from_that_of_the_input(backend):
    x = keras.Input((3,), batch_size=5)
    model = keras.Model(x, keras.layers.Dense(2)(x))
    assert model(X).shape == (8, 2)
    assert model.predict(X, verbose=0).shape == (8, 2)


@pytest.mark.parametrize("kind", [list, tuple])
def test_the_type_of_the_outputs_survives_a_config(kind):
    x = keras.Input((3,))
    model = keras.Model(x, kind([keras.layers.Dense(2)(x), keras.layers.Dense(3)(x)]))
    copy = keras.Model.from_config(model.get_config())
    assert type(copy(X)) is type(model(X)) is kind


@pytest.mark.parametrize("is_graph", [False, True])
def test_a_clone_is_compiled_with_an_optimizer_and_metrics_of_its_own(is_graph, backend):
    x = keras.Input((3,))
    dense = keras.layers.Dense(1, kernel_initializer="ones")
    model = keras.Model(x, dense(x)) if is_graph else keras.Sequential([x, dense])
    metric = keras.metrics.MeanAbsoluteError()
    model.compile(keras.optimizers.Adam(0.01), lambda y, p: keras.ops.abs(y - p), metrics=[metric, "mse"])
    clone = keras.models.clone_model(model)
    assert clone.compiled
    assert clone.optimizer is not model.optimizer
    clone.fit(X, Y, verbose=0)
    assert int(model.optimizer.iterations.numpy()) == 0
    assert int(clone.optimizer.iterations.numpy()) == 1
    assert float(metric.result()) == 0
    assert not keras.models.clone_model(keras.Sequential([keras.layers.Dense(1)])).compiled


def test_a_stack_is_made_from_the_list_of_layers_of_keras_1():
    layers = [{"class_name": "Dense", "config": {"units": 2, "batch_input_shape": (None, 3), "name": "d"}}]
    assert keras.Sequential.from_config(layers).output_shape == (None, 2)
    with pytest.raises(ValueError, match="Expected the config of a layer.*Received: {}"):
        keras.Sequential.from_config({"name": "s", "layers": [{}]})
