"""What leaves a step, a call or a metric is a value, also where a user's code returns a Variable."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops
from polykeras.core.variables import Variable

X = np.linspace(-1, 1, 24, dtype="float32").reshape(8, 3)
Y = X.sum(-1, keepdims=True)


def assert_values(tree):
    for leaf in keras.tree.flatten(tree):
        assert not isinstance(leaf, Variable)


class Batches(keras.metrics.Metric):
    """How many batches came, of which the result is the variable itself; ``nested`` gives a dict of two."""

    def __init__(self, nested=False, **settings):
        super().__init__(**settings)
        self.nested = nested
        self.count = self.add_variable(name="count")
        self.rows = self.add_variable(name="rows", dtype="int32")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.count.assign_add(1.0)
        self.rows.assign_add(ops.shape(y_true)[0])

    def result(self):
        return {"batches": self.count, "rows": self.rows} if self.nested else self.count


@pytest.mark.parametrize("own_steps", [False, True])
def test_a_metric_may_return_its_variable(backend, own_steps):
    class Own(keras.Sequential):
        def train_step(self, data):
            return super().train_step(data)

        def test_step(self, data):
            return super().test_step(data)

    model = (Own if own_steps else keras.Sequential)([keras.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[Batches(name="batches"), Batches(nested=True, name="both")])
    history = model.fit(X, Y, batch_size=4, epochs=3, verbose=0).history
    assert history["batches"] == [2.0, 2.0, 2.0]
    assert history["rows"] == [8.0, 8.0, 8.0]
    assert all(type(value) is float for values in history.values() for value in values)
    assert model.evaluate(X, Y, batch_size=2, verbose=0, return_dict=True)["rows"] == 8.0
    assert model.train_on_batch(X, Y, return_dict=True)["batches"] == 1.0
    assert model.test_on_batch(X, Y, return_dict=True)["batches"] == 1.0


class Reports(keras.Model):
    """Steps that report weights as they are, in nested structures."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)

    def call(self, x):
        return self.dense(x)

    def train_step(self, data):
        logs = super().train_step(data)
        return {**logs, "kernel": self.dense.kernel, "parts": {"pair": [self.dense.bias, (self.dense.kernel,)]}}

    def test_step(self, data):
        return {"kernel": self.dense.kernel, "bias": self.dense.bias}

    def predict_step(self, data):
        return {"kernel": self.dense.kernel, "output": [self(data)]}


def test_steps_report_the_weights_of_their_time(backend):
    model = Reports()
    model.compile(keras.optimizers.SGD(0.1), "mse")
    weights = []
    record = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: weights.append(model.get_weights()))
    history = model.fit(X, Y, batch_size=4, epochs=3, verbose=0, callbacks=[record]).history
    assert_values(history)
    assert not np.array_equal(weights[0][0], weights[2][0])
    for epoch, (kernel, bias) in enumerate(weights):
        np.testing.assert_array_equal(history["kernel"][epoch], kernel)
        np.testing.assert_array_equal(history["pair"][epoch][0], bias)
        np.testing.assert_array_equal(history["pair"][epoch][1][0], kernel)
    by_name = model.evaluate(X, Y, verbose=0, return_dict=True)
    np.testing.assert_array_equal(by_name["kernel"], weights[-1][0])
    np.testing.assert_array_equal(model.test_on_batch(X, Y, return_dict=True)["bias"], weights[-1][1])
    logs = model.train_on_batch(X, Y, return_dict=True)
    np.testing.assert_array_equal(logs["kernel"], model.get_weights()[0])


def test_a_predict_step_may_return_weights(backend):
    model = Reports()
    model(X)
    kernel, bias = model.get_weights()
    for outputs in (model.predict(X, verbose=0), model.predict_on_batch(X)):
        np.testing.assert_array_equal(outputs["kernel"], kernel)
        np.testing.assert_allclose(outputs["output"][0], X @ kernel + bias, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("what", ["weight", "view of a weight", "input"])
def test_a_prediction_is_the_callers_own_array(backend, what):
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1, kernel_initializer="ones")

        def call(self, x):
            self.dense(x)
            kernel = ops.convert_to_tensor(self.dense.kernel)
            return {"weight": kernel, "view of a weight": ops.reshape(kernel, (-1,)), "input": x}[what]

    model, x = Net(), X.copy()
    for predict in (lambda: model.predict(x, verbose=0), lambda: model.predict_on_batch(x)):
        for _ in range(2):
            outputs = predict()
            outputs *= 0
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(model.dense.get_weights()[0], np.ones((3, 1)))


class Query(layers.Layer):
    """Gives its weight whatever comes in: alone, among others, or only in training."""

    def __init__(self, kind="alone", **settings):
        super().__init__(**settings)
        self.kind = kind

    def build(self, input_shape):
        self.query = self.add_weight(shape=(8, 2), initializer="ones", name="query")

    def call(self, x, training=False):
        if self.kind == "alone":
            return self.query
        if self.kind == "nested":
            return {"query": self.query, "others": [x, (self.query,)]}
        return self.query if training else x


@pytest.mark.parametrize("kind", ["alone", "nested", "in training"])
def test_a_call_may_return_weights(backend, kind):
    layer = Query(kind)
    array = ops.convert_to_tensor(X)
    for _ in range(3):
        outputs = layer(array, training=True) if kind == "in training" else layer(array)
        assert_values(outputs)
        assert all(backend.is_array(leaf) for leaf in keras.tree.flatten(outputs))
    query = outputs["others"][1][0] if kind == "nested" else outputs
    np.testing.assert_array_equal(backend.to_numpy(query), np.ones((8, 2)))


def test_a_model_may_return_weights(backend):
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.query = Query()

        def call(self, x):
            self.query(x)
            return self.query.query

    model = Net()
    assert_values(model(X))
    np.testing.assert_array_equal(model.predict(X, verbose=0), np.ones((8, 2)))
    np.testing.assert_array_equal(model.predict_on_batch(X), np.ones((8, 2)))


def test_a_weight_in_a_graph_is_read_in_the_compute_dtype_and_trained(backend):
    inputs = keras.Input((3,))
    query = Query(dtype="mixed_bfloat16")
    outputs = layers.Dense(1, kernel_initializer="ones")(query(inputs))
    assert query.output.dtype == "bfloat16" and query.output.shape == (8, 2)
    model = keras.Model(inputs, outputs)
    np.testing.assert_array_equal(model.predict(X, verbose=0), np.full((8, 1), 2.0))
    model.compile(keras.optimizers.SGD(1.0), "mse")
    model.fit(X, np.zeros((8, 1)), batch_size=8, verbose=0)
    # d mean(o**2) / d q = 2 o / 8, with o = 2 in all of the eight rows.
    np.testing.assert_allclose(query.get_weights()[0], np.full((8, 2), 0.5), rtol=1e-6)


def test_functions_without_state_return_values(backend):
    metric = Batches(nested=True)
    values = metric.stateless_update_state([variable.value for variable in metric.variables], Y, Y)
    result = metric.stateless_result(values)
    assert_values(result)
    assert float(backend.to_numpy(result["batches"])) == 1.0 and int(backend.to_numpy(result["rows"])) == 8

    w = keras.Variable([2.0, 3.0])
    (loss, aux), _ = ops.value_and_grad(lambda: (ops.sum(w * w), {"weight": [w]}), [w], has_aux=True)()
    assert_values(aux)
    np.testing.assert_array_equal(backend.to_numpy(aux["weight"][0]), [2.0, 3.0])
    assert float(backend.to_numpy(loss)) == 13.0
