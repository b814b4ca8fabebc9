"""Users' functions with ``x += 1`` and the like: nobody's arrays change, and all backends agree."""

import collections

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops
from polykeras.core.writes import guarded

OPERATORS = ["+=", "-=", "*=", "/=", "**=", "//=", "%="]


class AddsInPlace(layers.Layer):
    def call(self, x):
        before = x
        x += 1
        x *= 3
        return x - before


class WritesItems(layers.Layer):
    def call(self, x):
        x[:, 0] = 7
        return x


class CallsInPlaceMethods(layers.Layer):
    def call(self, x):
        if keras.backends.current().name == "torch":
            return x.add_(1)
        return np.add(x, 1, out=x) if keras.backends.current().name == "numpy" else x + 1

    def compute_output_shape(self, input_shape):
        return input_shape


def numbers():
    return np.random.default_rng(0).uniform(1, 2, (4, 3)).astype("float32")


def test_an_array_passed_to_a_layer_stays_as_it_was(backend):
    x = numbers()
    given = x.copy()
    result = ops.convert_to_numpy(AddsInPlace()(x))
    np.testing.assert_array_equal(x, given)
    np.testing.assert_allclose(result, (given + 1) * 3 - given, rtol=1e-6)


def test_another_branch_of_a_graph_reads_what_it_read_before(backend):
    inputs = keras.Input((3,))
    hidden = layers.Rescaling(2.0)(inputs)
    changed = AddsInPlace()(hidden)
    model = keras.Model(inputs, [hidden, changed, layers.Rescaling(1.0)(hidden)])
    x = numbers()
    for outputs in (model.predict(x, verbose=0), list(map(ops.convert_to_numpy, model(x)))):
        np.testing.assert_allclose(outputs[0], 2 * x, rtol=1e-6)
        np.testing.assert_allclose(outputs[1], 4 * x + 3, rtol=1e-5)
        np.testing.assert_allclose(outputs[2], 2 * x, rtol=1e-6)


@pytest.mark.parametrize("kind", [WritesItems, CallsInPlaceMethods])
@pytest.mark.parametrize("backend", ["numpy", "torch"], indirect=True)
def test_other_ways_to_write_change_a_copy(backend, kind):
    x = numbers()
    given = x.copy()
    inputs = backend.array(x)
    result = ops.convert_to_numpy(kind()(inputs))
    np.testing.assert_array_equal(x, given)
    np.testing.assert_array_equal(ops.convert_to_numpy(inputs), given)
    assert not np.array_equal(result, given)


def test_results_of_predict_and_weights_are_the_callers_own(backend):
    class Weight(layers.Layer):
        def build(self, input_shape):
            self.weight = self.add_weight((4, 3), "ones")

        def call(self, x):
            return [x, ops.convert_to_tensor(self.weight)]

    inputs = keras.Input((3,))
    model = keras.Model(inputs, Weight()(inputs))
    x = numbers()
    given = x.copy()
    for outputs in (model.predict(x, verbose=0), model.predict(x, verbose=2), model.predict_on_batch(x)):
        outputs[0] += 5
        outputs[1] += 5
    weights = model.get_weights()
    weights[0] += 5
    np.testing.assert_array_equal(x, given)
    np.testing.assert_array_equal(model.get_weights()[0], np.ones((4, 3)))


def test_tensors_and_variables_made_of_an_array_leave_it_alone(backend):
    x = numbers()
    given = x.copy()
    tensor = ops.convert_to_tensor(x)
    tensor += 1
    own = backend.array(given.copy())
    variable = keras.Variable(own)
    variable.assign_add(own)
    keras.optimizers.SGD(1.0).apply([own], [variable])
    np.testing.assert_array_equal(x, given)
    np.testing.assert_array_equal(ops.convert_to_numpy(own), given)


class Attention(layers.Layer):
    """As it stands in many a notebook of Keras 2."""

    def build(self, input_shape):
        self.W = self.add_weight((input_shape[-1],), "glorot_uniform", name="W")

    def call(self, x, mask=None):
        a = ops.exp(ops.tanh(ops.sum(x * self.W, -1)))
        a *= ops.cast(ops.greater(ops.sum(ops.abs(x), -1), 0.1), "float32")
        a /= ops.sum(a, axis=1, keepdims=True) + keras.config.epsilon()
        return ops.sum(x * ops.expand_dims(a, -1), axis=1)


def attention_loss():
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((5, 3)), Attention(), layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.random.default_rng(1).normal(size=(32, 5, 3)).astype("float32")
    given, y = x.copy(), x.sum((1, 2))
    losses = model.fit(x, y, epochs=3, verbose=0).history["loss"]
    np.testing.assert_array_equal(x, given)
    return losses


def test_an_attention_layer_that_updates_in_place_trains_alike_on_all_backends(backend):
    losses = attention_loss()
    with keras.backends.use("numpy"):
        np.testing.assert_allclose(losses, attention_loss(), rtol=1e-4)
    assert losses[-1] < losses[0]


def test_steps_losses_metrics_and_functions_of_users_leave_their_data_alone(backend):
    def loss(y_true, y_pred):
        y_true += 1
        y_pred -= y_true
        return ops.mean(ops.square(y_pred))

    def error(y_true, y_pred):
        y_pred -= y_true
        return ops.abs(y_pred)

    def doubled(x):
        x *= 2
        return x

    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.own = [layers.Lambda(doubled), layers.Activation(doubled), layers.Dense(1)]

        def call(self, x):
            x += 0.5
            for layer in self.own:
                x = layer(x)
            return x

        def train_step(self, data):
            x, y = data
            x *= 1.5
            return super().train_step((x, y))

    model = Model()
    model.compile("sgd", loss, metrics=[error])
    x, y = numbers(), numbers()[:, :1]
    given = x.copy(), y.copy()
    model.fit(x, y, batch_size=4, shuffle=False, verbose=0)
    model.fit(x, y, batch_size=2, epochs=2, verbose=0)
    model.evaluate(x, y, verbose=0)
    model.train_on_batch(x, y)
    model.predict(x, verbose=0)
    buffer = x.copy()
    model.fit(iter([(buffer, y)]), verbose=0)
    for array, before in ((x, given[0]), (y, given[1]), (buffer, given[0])):
        np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize("sign", OPERATORS)
def test_every_operator_gives_what_python_gives_in_the_arrays_own_type(backend, sign, tmp_path):
    source = tmp_path / f"operators_{backend.name}.py"
    source.write_text(f"def f(x, y):\n    x {sign} y\n    return x\n")
    names = {"__name__": "users_code"}
    exec(compile(source.read_text(), str(source), "exec"), names)
    x, y = numbers(), numbers().T.copy().T + 1
    expected = names["f"](x.copy(), y)
    array = backend.array(x.copy())
    result = guarded(names["f"])(array, backend.array(y))
    np.testing.assert_allclose(ops.convert_to_numpy(result), expected, rtol=1e-5)
    np.testing.assert_array_equal(ops.convert_to_numpy(array), x)
    assert backend.dtype(result) == "float32"


def test_a_function_without_a_source_is_given_copies(backend):
    names = {"__name__": "users_code"}
    exec("def f(x):\n    x += 1\n    return x\n", names)
    x = numbers()
    given = x.copy()
    result = guarded(names["f"])(backend.array(x))
    np.testing.assert_array_equal(x, given)
    np.testing.assert_allclose(ops.convert_to_numpy(result), given + 1)


def test_what_is_no_array_is_updated_as_ever():
    shared = []

    class Base:
        def greet(self):
            return "base"

    class Odd(Base):
        __count = 0

        def everything(self, more, *, step=2):
            """Documented."""
            names = shared
            names += (name for name in more)
            self.__count += step
            table = collections.Counter(a=1)
            table += collections.Counter(a=2)

            def inner():
                nonlocal step
                step += 1
                return step

            return names, self.__count, table["a"], inner(), super().greet()

    odd = Odd()
    method = guarded(Odd.everything)
    assert method is not Odd.everything
    assert method(odd, "xy") == (["x", "y"], 2, 3, 3, "base")
    assert shared == ["x", "y"]
    assert (method.__doc__, method.__name__, method.__kwdefaults__) == ("Documented.", "everything", {"step": 2})


def test_functions_that_write_nowhere_stay_themselves():
    def plain(x):
        return ops.relu(x) + 1

    assert guarded(plain) is plain
    assert guarded(len) is len
    assert guarded(keras.activations.relu) is keras.activations.relu


def test_an_error_names_the_line_of_the_users_file(backend):
    class Fails(layers.Layer):
        def call(self, x):
            x += 1
            raise ZeroDivisionError("here")

    with pytest.raises(ZeroDivisionError) as caught:
        Fails()(numbers())
    entry = caught.traceback[-1]
    assert str(entry.path) == __file__
    assert 'raise ZeroDivisionError("here")' in str(entry.statement)
