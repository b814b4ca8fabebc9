"""Names, shapes and weights of Keras 2, and what programs of 2015 to 2019 wrote for it: layers, optimizers, losses."""

import json

import numpy as np
import pytest
from polykeras.legacy import interfaces

import polykeras as keras
from polykeras import backend as K
from polykeras import layers
from polykeras.layers import GRU, LSTM, Bidirectional, Dense, Input, Layer, TimeDistributed
from polykeras.models import Model, Sequential, load_model

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 4)).astype("float32")
Y = X.sum(1, keepdims=True)
SEQUENCES = RNG.normal(size=(3, 5, 4)).astype("float32")


@pytest.fixture(autouse=True)
def new_session(keras_2):
    """The era of Keras 2, with names that count from the start."""
    K.clear_session()


def regression():
    model = Sequential([Dense(3, input_dim=4, activation="tanh", name="hidden"), Dense(1, name="last")])
    model.compile("sgd", "mse")
    return model


# -------------------------------------------------------------------------- names


def names(*stack):
    return [w.name for w in Sequential(list(stack)).weights]


def test_weights_are_named_after_the_layers_that_were_called(backend):
    assert names(Dense(2, input_dim=3)) == ["dense_1/kernel:0", "dense_1/bias:0"]
    own = ["kernel:0", "recurrent_kernel:0", "bias:0"]
    assert names(LSTM(2, input_shape=(5, 3))) == [f"lstm_1/{name}" for name in own]
    wrapped = names(Bidirectional(GRU(2), input_shape=(5, 3)))
    directions = ("forward_gru_1", "backward_gru_1")
    assert wrapped == [f"bidirectional_1/{direction}/{name}" for direction in directions for name in own]
    assert names(TimeDistributed(Dense(1, use_bias=False), input_shape=(5, 3))) == ["time_distributed_1/kernel:0"]
    late = Sequential([Dense(1, use_bias=False, name="late")])
    late.build((None, 2))
    assert [w.name for w in late.weights] == ["late/kernel:0"]


def test_variables_and_inputs_have_the_index_of_a_tensor_in_their_names(backend):
    with K.name_scope("scope"):
        assert K.variable(1.0, name="v").name == "scope/v:0"
    assert Input((2,), name="x").name == "x:0" and K.placeholder((2,), name="p").name == "p:0"
    assert Dense(2, name="d")(Input((2,))).name.startswith("d/")

    class Outer(Layer):
        def build(self, input_shape):
            self.scale = K.variable(2.0, name="scale")
            self.inner = Dense(1, use_bias=False, name="inner")

        def call(self, x):
            return self.inner(x) * self.scale

    outer = Outer(name="outer")
    outer(Input((3,)))
    assert sorted(w.name for w in outer.weights) == ["outer/inner/kernel:0", "outer/scale:0"]


def test_names_of_keras_3_stay_as_they_are(backend):
    made = Dense(2, input_dim=3)
    Sequential([made])
    keras.config.set_era("keras3")
    assert [w.name for w in made.weights] == ["kernel", "bias"] and made.kernel.path == "sequential_1/dense_1/kernel"
    assert Input((2,), name="x").name == "x" and K.is_keras_tensor(K.placeholder((2,)))
    assert not hasattr(made.kernel, "_keras_shape")


def test_files_name_weights_as_models_do(tmp_path, backend):
    h5py = pytest.importorskip("h5py")
    model = regression()
    model.save_weights(str(tmp_path / "weights.h5"))
    with h5py.File(tmp_path / "weights.h5") as file:
        np.testing.assert_array_equal(file["hidden"]["hidden"]["kernel:0"], model.get_weights()[0])
        assert list(file["last"].attrs["weight_names"]) == ["last/kernel:0", "last/bias:0"]
    wider = Sequential([Dense(4, input_dim=3, name="hidden"), Dense(1, name="last")])
    with pytest.raises(ValueError, match="Expected"):
        wider.load_weights(str(tmp_path / "weights.h5"))
    transposed = Sequential([Dense(4, input_dim=3, name="hidden", use_bias=False)])
    plain = Sequential([Dense(3, input_dim=4, name="hidden", use_bias=False)])
    plain.save_weights(str(tmp_path / "plain.h5"))
    transposed.load_weights(str(tmp_path / "plain.h5"), reshape=True)
    np.testing.assert_array_equal(transposed.get_weights()[0], plain.get_weights()[0].reshape(3, 4))


# ------------------------------------------------------------------------ K


def test_only_outputs_of_layers_are_keras_tensors():
    x = Input((3,))
    assert K.is_keras_tensor(x) and K.is_keras_tensor(Dense(2)(x))
    assert not any(map(K.is_keras_tensor, (K.placeholder((2,)), x * 2, K.variable(1.0))))
    with pytest.raises(ValueError, match="Expected a symbolic tensor"):
        K.is_keras_tensor("x")
    assert K.is_sparse(K.placeholder((2, 3), sparse=True)) and not K.is_sparse(K.placeholder((2, 3)))


def test_tensors_and_variables_tell_their_shape_in_the_way_of_tensorflow_1():
    x, v = K.placeholder((None, 3)), K.variable(np.zeros((2, 3)))
    assert x._keras_shape == (None, 3) and v._keras_shape == (2, 3)
    assert x.get_shape().as_list() == [None, 3] and v.get_shape().ndims == 2


def test_a_loss_has_no_gradient_by_a_variable_that_it_does_not_use(backend):
    x, used, unused = K.placeholder((2, 3)), K.variable(np.ones((3, 2))), K.variable(1.0)
    by_used, nothing = K.gradients(K.sum(K.dot(x, used)), [used, unused])
    assert nothing is None
    np.testing.assert_allclose(K.function([x], [by_used])([X[:2, :3]])[0], X[:2, :3].sum(0)[:, None].repeat(2, 1))


def test_samples_of_unknown_sizes_are_flattened(backend):
    x = K.placeholder((None, None, 4))
    np.testing.assert_array_equal(K.function([x], [K.batch_flatten(x)])([SEQUENCES])[0], SEQUENCES.reshape(3, 20))


# -------------------------------------------------------------------- layers


class Positional(Layer):
    def build(self, input_shape):
        self.w = self.add_weight("w", (input_shape[-1], 2), "float32", "ones", None, False)
        self.b = self.add_weight("b", (2,), initializer="zeros")

    def call(self, x):
        return K.dot(x, self.w) + self.b


class Assigned(Layer):
    def build(self, input_shape):
        self.w, self.fixed = K.variable(np.ones((input_shape[-1], 2))), K.variable(np.zeros(2))
        self.trainable_weights, self.non_trainable_weights = [self.w], [self.fixed]
        self.built = True

    def call(self, x):
        return K.dot(x, self.w) + self.fixed


class Listed(Layer):
    def build(self, input_shape):
        self._trainable_weights.append(K.variable(np.ones((input_shape[-1], 2))))
        self._non_trainable_weights += [K.variable(np.zeros(2))]
        self.built = True

    def call(self, x):
        return K.dot(x, self._trainable_weights[0]) + self._non_trainable_weights[0]


@pytest.mark.parametrize(
    "cls, trained, left", [(Positional, (2,), (4, 2)), (Assigned, (4, 2), (2,)), (Listed, (4, 2), (2,))]
)
def test_weights_are_trained_as_a_layer_lists_them(backend, cls, trained, left):
    model = Sequential([cls(input_shape=(4,))])
    assert [w.shape for w in model.trainable_weights] == [trained]
    assert [w.shape for w in model.non_trainable_weights] == [left]
    model.compile("sgd", "mse")
    before = model.get_weights()
    model.fit(X, X[:, :2], verbose=0)
    changed = {a.shape: not np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True)}
    assert changed == {trained: True, left: False}


def test_variables_made_in_build_are_weights(backend):
    class Shifted(Layer):
        def build(self, input_shape):
            self.shift = K.zeros((input_shape[-1],), name="shift")
            self.scale = K.random_uniform_variable((input_shape[-1],), 1, 2, name="scale")

        def call(self, x):
            return x * self.scale + self.shift + K.zeros((4,))

    model = Sequential([Shifted(input_shape=(4,), name="shifted")])
    assert sorted(w.name for w in model.trainable_weights) == ["shifted/scale:0", "shifted/shift:0"]
    model.compile("sgd", "mse")
    model.fit(X, X, verbose=0)
    assert np.abs(K.get_value(model.layers[0].shift)).max() > 0


def test_gates_have_blocks_of_the_weights(backend):
    lstm, gru, images = LSTM(2), GRU(3, reset_after=True), layers.ConvLSTM2D(2, 3)
    lstm(SEQUENCES), gru(SEQUENCES), images(np.ones((1, 2, 5, 5, 3), "float32"))
    kernel, recurrent, bias = lstm.get_weights()
    np.testing.assert_array_equal(K.eval(lstm.cell.kernel_c), kernel[:, 4:6])
    np.testing.assert_array_equal(K.eval(lstm.cell.recurrent_kernel_f), recurrent[:, 2:4])
    np.testing.assert_array_equal(K.eval(lstm.cell.bias_f), np.ones(2))
    np.testing.assert_array_equal(K.eval(gru.cell.recurrent_bias_h), gru.get_weights()[2][1, 6:])
    np.testing.assert_array_equal(K.eval(images.cell.kernel_o), images.get_weights()[0][..., 6:])
    assert LSTM(2, use_bias=False).cell.bias_i is None and not hasattr(lstm.cell, "kernel_z")


def test_initial_states_are_made_for_sequences(backend):
    states = LSTM(2).get_initial_state(Input((5, 4)))
    assert [K.int_shape(state) for state in states] == [(None, 2), (None, 2)]

    class FromInputs(layers.SimpleRNN):
        def get_initial_state(self, inputs):
            return [K.zeros_like(inputs[:, 0, :2]) + 3.0]

    layer = FromInputs(2, kernel_initializer="zeros", recurrent_initializer="identity", activation="linear")
    np.testing.assert_allclose(Sequential([layer]).predict(SEQUENCES), np.full((3, 2), 3.0))


@pytest.mark.parametrize("is_reversed", [False, True])
def test_a_stack_of_cells_returns_its_states_in_one_list(backend, is_reversed):
    cells = layers.StackedRNNCells([layers.LSTMCell(2), layers.GRUCell(3)], reverse_state_order=is_reversed)
    x = Input((5, 4))
    model = Model(x, layers.RNN(cells, return_state=True)(x))
    output, *states = model.predict(SEQUENCES)
    assert [s.shape[1] for s in states] == ([3, 2, 2] if is_reversed else [2, 2, 3])
    np.testing.assert_array_equal(states[0 if is_reversed else 2], output)
    again = layers.RNN.from_config(layers.RNN(cells).get_config(), custom_objects={})
    assert again.cell.reverse_state_order == is_reversed


class Decay(layers.Recurrent):
    """A recurrent layer without a cell, as in Keras 1."""

    def __init__(self, units, **kwargs):
        self.units, self.states = units, [None]
        super().__init__(**kwargs)

    def build(self, input_shape):
        self.input_spec = [layers.InputSpec(shape=input_shape)]
        self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer="ones", name="w")
        if self.stateful:
            self.reset_states()
        self.built = True

    def get_constants(self, inputs, training=None):
        return [K.constant(0.5)]

    def preprocess_input(self, inputs, training=None):
        return K.dot(inputs, self.w)

    def step(self, x, states):
        output = x + states[0] * states[1]
        return output, [output]

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def decayed(x, first=0.0):
    outputs = []
    for t in range(x.shape[1]):
        first = x[:, t].sum(-1) + 0.5 * first
        outputs.append(first)
    return np.stack(outputs, 1)[..., None].repeat(2, -1)


def test_a_recurrent_layer_is_written_by_its_step(backend):
    model = Sequential([Decay(2, return_sequences=True, input_shape=(5, 4))])
    np.testing.assert_allclose(model.predict(SEQUENCES), decayed(SEQUENCES), rtol=1e-4, atol=1e-5)
    again = Sequential.from_config(model.get_config(), custom_objects={"Decay": Decay})
    assert again.layers[0].return_sequences and isinstance(LSTM(2), layers.Recurrent)
    stateful = Sequential([Decay(2, stateful=True, batch_input_shape=(3, 5, 4))])
    first, second = stateful.predict(SEQUENCES, batch_size=3), stateful.predict(SEQUENCES, batch_size=3)
    last = decayed(SEQUENCES)[:, -1]
    np.testing.assert_allclose(first, last, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(second, decayed(SEQUENCES, last[:, 0])[:, -1], rtol=1e-4, atol=1e-5)
    stateful.reset_states()
    np.testing.assert_allclose(stateful.predict(SEQUENCES, batch_size=3), first, rtol=1e-5)


def test_calls_tell_of_the_layers_and_shapes_around_them():
    x = Input((3,), name="x")
    layer = Dense(2)
    y = layer(x)
    node = layer.inbound_nodes[0]
    assert (node.outbound_layer, node.inbound_layers[0].name) == (layer, "x")
    assert (node.input_shapes, node.output_shapes) == ((None, 3), (None, 2))
    assert (node.node_indices, node.tensor_indices) == ([0], [0]) and y._keras_history[:2] == (layer, 0)


@pytest.mark.parametrize(
    "layer, entry",
    [
        (Dense(2), {"activity_regularizer": None}),
        (layers.Embedding(3, 2, input_length=4), {"input_length": 4}),
        (LSTM(2), {"implementation": 2}),
        (layers.GRUCell(2), {"implementation": 2}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_configs_have_the_entries_of_keras_2(layer, entry):
    config = layer.get_config()
    assert {key: config[key] for key in entry} == entry
    type(layer).from_config(json.loads(json.dumps(config)))


# ---------------------------------------------------------------- optimizers, losses


class OwnMomentum(keras.optimizers.Optimizer):
    """Momentum, as classes of Keras 2 were written."""

    def __init__(self, lr=0.01, momentum=0.9, decay=0.0, **kwargs):
        super().__init__(**kwargs)
        with K.name_scope(self.__class__.__name__):
            self.iterations = K.variable(0, dtype="int32", name="iterations")
            self.lr = K.variable(lr, name="lr")
            self.momentum = K.variable(momentum, name="momentum")
            self.decay = K.variable(decay, name="decay")

    @interfaces.legacy_get_updates_support
    def get_updates(self, loss, params):
        gradients = self.get_gradients(loss, params)
        self.updates = [K.update_add(self.iterations, 1)]
        rate = self.lr * (1.0 / (1.0 + self.decay * K.cast(self.iterations, K.dtype(self.decay))))
        moments = [K.zeros(K.int_shape(p), dtype=K.dtype(p)) for p in params]
        self.weights = [self.iterations, *moments]
        for p, g, m in zip(params, gradients, moments, strict=True):
            velocity = self.momentum * m - rate * g
            self.updates += [K.update(m, velocity), (p, p + velocity)]
        return self.updates


def test_an_optimizer_is_written_by_its_updates(backend):
    model, other = regression(), regression()
    other.set_weights(model.get_weights())
    model.compile(OwnMomentum(0.1, decay=0.1), "mse")
    other.compile(keras.optimizers.SGD(0.1, momentum=0.9, decay=0.1), "mse")
    for each in (model, other):
        each.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    for own, expected in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(own, expected, rtol=1e-4, atol=1e-6)
    saved = model.optimizer.get_weights()
    assert saved[0] == 6 and [w.shape for w in saved[1:]] == [w.shape for w in model.weights]
    model.optimizer.set_weights([np.zeros_like(w) for w in saved])
    assert K.get_value(model.optimizer.iterations) == 0


def test_a_compiled_model_has_a_symbolic_loss(backend):
    model = Sequential([Dense(1, input_dim=4, kernel_regularizer=keras.regularizers.l2(0.1))])
    model.compile("sgd", "mse")
    weights = np.linspace(0, 1, 12).astype("float32")
    inputs = [*model.inputs, *model.targets, *model.sample_weights, K.learning_phase()]
    gradients = model.optimizer.get_gradients(model.total_loss, model.trainable_weights)
    loss, by_kernel, by_bias = K.function(inputs, [model.total_loss, *gradients])([X, Y, weights, 0])
    kernel, bias = model.get_weights()
    error = X @ kernel + bias - Y
    np.testing.assert_allclose(loss, (error[:, 0] ** 2 * weights).mean() + 0.1 * (kernel**2).sum(), rtol=1e-4)
    expected = 2 * X.T @ (error * weights[:, None]) / 12 + 0.2 * kernel
    np.testing.assert_allclose(by_kernel, expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(by_bias, 2 * (error[:, 0] * weights).mean(keepdims=True), rtol=1e-3, atol=1e-5)
    with pytest.raises(ValueError, match="Expected compile"):
        _ = Sequential([Dense(1, input_dim=4)]).total_loss


def test_functions_of_a_model_take_lists_of_arrays(backend, tmp_path):
    model = regression()
    model.compile("adam", "mse", metrics=["mae"])
    model._make_train_function()
    model._make_test_function()
    model._make_predict_function()
    [outputs] = model.predict_function([X])
    loss, error = model.test_function([X, Y, np.ones(12)])
    np.testing.assert_allclose([loss, error], [((outputs - Y) ** 2).mean(), np.abs(outputs - Y).mean()], rtol=1e-4)
    assert len(model.train_function([X, Y, np.ones(12), 1])) == 2
    model.save(str(tmp_path / "model.h5"))
    other = load_model(str(tmp_path / "model.h5"))
    for own, expected in zip(other.optimizer.get_weights(), model.optimizer.get_weights(), strict=True):
        np.testing.assert_array_equal(own, expected)
    fresh = regression()
    fresh.compile("adam", "mse")
    fresh._make_train_function()
    fresh.optimizer.set_weights(model.optimizer.get_weights())


def test_decorators_convert_arguments_of_keras_1():
    @interfaces.generate_legacy_interface(["units"], [("init", "kernel")], None, {"mode": {"th": "first"}})
    def make(self, units, kernel=None, mode=None):
        return units, kernel, mode

    assert make(None, 3, init="ones", mode="th") == (3, "ones", "first")
    with pytest.raises(TypeError, match="both"):
        make(None, 3, init="ones", kernel="zeros")
    with pytest.raises(TypeError, match="positional"):
        make(None, 3, "ones")
    assert interfaces.legacy_dense_support(make) is make
