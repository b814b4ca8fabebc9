"""Recurrent layers and cells: against real Keras, NumPy formulas, and one another."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends, layers, ops
from polykeras.backends.contract.kernels import Kernels
from polykeras.core import functionalization, masks
from tests.layers.checks import (
    assert_close,
    check_layer,
    compare_with_keras,
    outputs_and_gradients,
    random_weights,
    to_numpy,
)

rng = np.random.default_rng(0)
X = rng.normal(size=(3, 5, 2)).astype("float32")
H, C = (rng.normal(size=(3, 4)).astype("float32") for _ in range(2))
# In the middle, at the end, in front, and all of a sequence.
MASK = np.array([[1, 0, 1, 1, 0], [0, 1, 1, 1, 1], [0, 0, 0, 0, 0]], bool)
STATES = {"SimpleRNN": [H], "GRU": [H], "LSTM": [H, C]}


def options(**more):
    return {"units": 4, "bias_initializer": "ones", **more}


# --------------------------------------------------------------- against real Keras

OPTIONS = [
    (options(return_sequences=True, go_backwards=True), {}),
    (options(unroll=True, return_sequences=True, return_state=True), {}),
    (options(use_bias=False), {}),
    (options(activation="relu", return_state=True), {}),
    (options(return_sequences=True, return_state=True), {"mask": MASK}),
    (options(return_sequences=True, zero_output_for_mask=True), {"mask": MASK}),
    (options(activation="softsign", go_backwards=True), {"mask": MASK}),
    (options(return_state=True), {"initial_state": "given", "mask": MASK}),
    (options(activation="linear", unroll=True, return_sequences=True), {"initial_state": "given", "mask": MASK}),
]
GATED = [(options(recurrent_activation="hard_sigmoid"), {})]
CASES = [
    *((name, arguments, call) for name in STATES for arguments, call in OPTIONS),
    *((name, arguments, call) for name in ("GRU", "LSTM") for arguments, call in GATED),
    ("GRU", options(reset_after=False, use_bias=False), {}),
    ("GRU", options(reset_after=False, return_sequences=True), {"mask": MASK, "initial_state": "given"}),
    ("LSTM", options(unit_forget_bias=False), {}),
]


@pytest.mark.parametrize(("name", "arguments", "call"), CASES)
def test_outputs_and_gradients_are_those_of_real_keras(backend, real_keras, name, arguments, call):
    if "initial_state" in call:
        call = {**call, "initial_state": STATES[name]}
    compare_with_keras(real_keras, name, arguments, (X,), call)


def cells(*names, **arguments):
    return lambda layers: {"cell": [getattr(layers, f"{name}Cell")(n + 2) for n, name in enumerate(names)], **arguments}


CELL_CASES = [
    (lambda layers: {"cell": layers.LSTMCell(4)}, {}),
    (lambda layers: {"cell": layers.GRUCell(4, reset_after=False), "return_state": True}, {"mask": MASK}),
    (lambda layers: {"cell": layers.SimpleRNNCell(4), "return_sequences": True}, {"initial_state": [H]}),
    (cells("LSTM", "GRU", return_sequences=True), {"mask": MASK}),
    (cells("SimpleRNN", "LSTM", "LSTM", return_state=True), {}),
    (cells("GRU", "SimpleRNN", unroll=True, go_backwards=True), {}),
    (cells("LSTM", "GRU"), {"initial_state": [[H[:, :2], C[:, :2]], [H[:, :3]]]}),
]


@pytest.mark.parametrize(("arguments", "call"), CELL_CASES, ids=range(len(CELL_CASES)))
def test_cells_in_rnn_do_as_in_real_keras(backend, real_keras, arguments, call):
    compare_with_keras(real_keras, "RNN", arguments, (X,), call)


@pytest.mark.parametrize("name", STATES)
def test_a_cell_alone_does_one_step(backend, name):
    cell = getattr(keras.layers, f"{name}Cell")(4)
    layer = keras.layers.RNN(cell, return_state=True)
    output, *states = layer(X[:, :1], initial_state=STATES[name])
    step_output, step_states = cell(X[:, 0], STATES[name])
    assert_close(to_numpy([step_output, *step_states]), to_numpy([output, *states]), 1e-6)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("SimpleRNN", {"return_sequences": True}),
        ("GRU", {"reset_after": False, "seed": 1, "dropout": 0.3}),
        ("LSTM", {"return_sequences": True, "return_state": True, "kernel_regularizer": "l2"}),
        ("CuDNNGRU", {"return_sequences": True}),
    ],
)
def test_layers_do_what_every_layer_must(backend, name, arguments):
    check_layer(functools.partial(getattr(keras.layers, name), 4, **arguments), X)


def test_rnn_over_a_stack_does_what_every_layer_must(backend):
    def make(dtype=None):
        stack = [keras.layers.LSTMCell(3, dtype=dtype), keras.layers.GRUCell(2, dtype=dtype)]
        return keras.layers.RNN(keras.layers.StackedRNNCells(stack, dtype=dtype), return_sequences=True, dtype=dtype)

    check_layer(make, X)


# ------------------------------------------------------------------- cuDNN layouts


def test_cudnn_layers_add_up_two_biases_for_each_gate(backend):
    rows = rng.normal(size=(2, 16)).astype("float32")
    fused, plain = keras.layers.CuDNNLSTM(4, return_sequences=True), keras.layers.LSTM(4, return_sequences=True)
    fused.build(X.shape), plain.build(X.shape)
    kernel, recurrent, _ = random_weights(plain.weights)
    fused.set_weights([kernel, recurrent, rows.ravel()])
    plain.set_weights([kernel, recurrent, rows.sum(0)])
    assert_close(to_numpy(fused(X)), to_numpy(plain(X)))
    fused, plain = keras.layers.CuDNNGRU(4), keras.layers.GRU(4)
    fused.build(X.shape), plain.build(X.shape)
    kernel, recurrent, bias = random_weights(plain.weights)
    fused.set_weights([kernel, recurrent, bias.ravel()])
    plain.set_weights([kernel, recurrent, bias])
    assert_close(to_numpy(fused(X)), to_numpy(plain(X)))


@pytest.mark.parametrize(("name", "gate"), [("LSTM", slice(4, 8)), ("CuDNNLSTM", slice(20, 24))])
def test_the_bias_of_the_forget_gate_begins_at_one(name, gate):
    layer = getattr(keras.layers, name)(4)
    layer.build(X.shape)
    bias = layer.get_weights()[2]
    assert (bias[gate] == 1).all() and bias.sum() == 4


# ------------------------------------------------------------------------ user's cells


class Decay(keras.layers.Layer):
    """A cell with two states, an output of its own size, and constants."""

    state_size = [2, 1]
    output_size = 3

    def build(self, input_shape):
        self.rate = self.add_weight((), "ones", name="rate")

    def call(self, inputs, states, constants=None):
        total, count = states
        total = total * self.rate * 0.5 + inputs
        count = count + (0 if constants is None else constants[0])
        return ops.concatenate([total, count], axis=1), [total, count]


def decay(x, mask, constant):
    total, count, outputs, before = np.zeros((3, 2)), np.zeros((3, 1)), [], np.zeros((3, 3))
    for t in range(x.shape[1]):
        counts = mask[:, t, None]
        total = np.where(counts, total * 0.5 + x[:, t], total)
        count = np.where(counts, count + constant, count)
        before = np.where(counts, np.concatenate([total, count], 1), before)
        outputs.append(before)
    return np.stack(outputs, 1), total, count


@pytest.mark.parametrize("unroll", [False, True])
def test_a_users_cell_gets_states_constants_and_masks(backend, unroll):
    layer = keras.layers.RNN(Decay(), return_sequences=True, return_state=True, unroll=unroll)
    constant = np.full((3, 1), 0.5, "float32")
    assert_close(to_numpy(layer(X, mask=MASK, constants=[constant])), decay(X, MASK, constant))


def test_a_list_of_inputs_holds_states_and_constants_as_in_keras_2(backend):
    layer = keras.layers.RNN(Decay(), return_state=True)
    first = [np.ones((3, 2), "float32"), np.ones((3, 1), "float32")]
    constant = np.full((3, 1), 0.5, "float32")
    assert_close(to_numpy(layer([X, *first, constant])), to_numpy(layer(X, initial_state=first, constants=[constant])))


def test_an_object_that_is_no_layer_can_be_a_cell(backend):
    class Sum:
        state_size = 2

        def call(self, inputs, states):
            return inputs + states[0], inputs + states[0]

    assert_close(to_numpy(keras.layers.RNN(Sum())(X)), X.sum(1))


def test_what_is_no_cell_is_refused():
    with pytest.raises(ValueError, match="Expected a cell .* without call"):
        keras.layers.RNN(object())
    with pytest.raises(ValueError, match="Expected a cell .* without state_size"):
        keras.layers.StackedRNNCells([keras.layers.Dense(2)])


# ---------------------------------------------------------------------- state


def test_a_stateful_layer_goes_on_where_it_stopped(backend):
    whole = keras.layers.LSTM(4, return_sequences=True)
    layer = keras.layers.LSTM(4, return_sequences=True, stateful=True)
    expected = to_numpy(whole(X))
    layer.build((3, 2, 2))
    layer.set_weights(whole.get_weights())
    assert len(layer.weights) == 3
    assert {id(v) for v in layer.states} <= {id(v) for v in layer.non_trainable_variables}
    for _ in range(2):
        parts = [to_numpy(layer(X[:, :2])), to_numpy(layer(X[:, 2:]))]
        assert_close(np.concatenate(parts, 1), expected)
        layer.reset_states()


def test_compiled_steps_keep_the_states(backend):
    layer = keras.layers.LSTM(4, stateful=True)
    twice = keras.layers.LSTM(4)
    expected = to_numpy(twice(np.concatenate([X, X], 1)))
    layer.build(X.shape)
    layer.set_weights(twice.get_weights())
    step = backend.compile(functionalization.pure(lambda: layer(ops.convert_to_tensor(X)), layer.variables))
    values = [v.raw for v in layer.variables]
    for _ in range(2):
        values, output = step(values)
    assert_close(to_numpy(output), expected)


def test_states_can_be_set_and_begin_where_the_cell_says(backend):
    class One(keras.layers.SimpleRNNCell):
        def get_initial_state(self, batch_size=None):
            return [ops.ones((batch_size, 4))]

    layer = keras.layers.RNN(One(4), stateful=True, return_state=True)
    layer.build(X.shape)
    assert_close([v.numpy() for v in layer.states], [np.ones((3, 4))])
    layer.reset_states([H])
    expected = to_numpy(keras.layers.RNN(layer.cell)(X, initial_state=H))
    assert_close(to_numpy(layer(X)[0]), expected)


def test_a_stateful_layer_needs_one_known_batch_size():
    with pytest.raises(ValueError, match="known batch size for stateful=True"):
        keras.layers.LSTM(4, stateful=True)(keras.Input((5, 2)))
    layer = keras.layers.LSTM(4, stateful=True)
    layer(X)
    with pytest.raises(ValueError, match="Expected batches of 3 sequences"):
        layer(X[:2])


def test_symbolic_states_make_a_graph(backend):
    x, h, c = keras.Input((5, 2)), keras.Input((4,)), keras.Input((4,))
    layer = keras.layers.LSTM(4)
    model = keras.Model([x, h, c], layer(x, initial_state=[h, c]))
    assert_close(to_numpy(model([X, H, C])), to_numpy(layer(X, initial_state=[H, C])))
    encoder, *states = keras.layers.LSTM(4, return_state=True)(x)
    decoder = keras.layers.LSTM(4, return_sequences=True)(x, initial_state=states)
    assert keras.Model(x, decoder).output_shape == (None, 5, 4)


# ---------------------------------------------------------------- masks and layouts


def test_masks_travel_with_sequences_and_stop_at_single_outputs(backend):
    padded = np.where(MASK[..., None], X, 0).astype("float32")
    masked = keras.layers.Masking()(padded)
    sequences = keras.layers.GRU(4, return_sequences=True)
    assert_close(to_numpy(masks.get_mask(sequences(masked))), MASK)
    assert_close(to_numpy(sequences(masked)), to_numpy(sequences(X, mask=MASK)))
    assert masks.get_mask(keras.layers.GRU(4)(masked)) is None
    outputs = keras.layers.LSTM(4, return_sequences=True, return_state=True)(masked)
    assert [masks.get_mask(y) is None for y in outputs] == [False, True, True]


def test_time_may_come_first(backend):
    layer = keras.layers.LSTM(4, return_sequences=True)
    turned = keras.layers.LSTM(4, return_sequences=True, time_major=True)
    turned.build((5, 3, 2))
    expected = to_numpy(layer(X, mask=MASK))
    turned.set_weights(layer.get_weights())
    result = to_numpy(turned(np.swapaxes(X, 0, 1), mask=MASK.T))
    assert_close(np.swapaxes(result, 0, 1), expected)
    assert type(turned).from_config(turned.get_config()).time_major


def test_integers_and_sequences_of_unknown_length_are_fine(backend):
    layer = keras.layers.LSTM(4, return_sequences=True)
    assert layer(keras.Input((None, 2))).shape == (None, None, 4)
    assert_close(to_numpy(layer(np.ones((3, 5, 2), "int32"))), to_numpy(layer(np.ones((3, 5, 2), "float32"))))


# ---------------------------------------------------------------------- dropout


@pytest.mark.parametrize("name", STATES)
def test_dropout_is_one_mask_for_all_steps(backend, name):
    layer = getattr(keras.layers, name)(4, dropout=0.5, seed=1, return_sequences=True)
    ones = np.ones((3, 5, 2), "float32")
    layer(ones)
    kernel, *others = layer.get_weights()
    layer.set_weights([kernel, *(np.zeros_like(w) for w in others)])
    gate = layer.variables[-1].numpy()
    output = to_numpy(layer(ones, training=True))
    plain = getattr(keras.layers, name)(4, return_sequences=True)
    plain.build(ones.shape)
    plain.set_weights(layer.get_weights())
    seeds = keras.random.SeedGenerator(1)
    seeds.state.assign(gate)
    mask = to_numpy(keras.random.dropout(np.ones((3, 2), "float32"), 0.5, seed=seeds))
    assert set(np.unique(mask)) == {0, 2}
    assert_close(output, to_numpy(plain(ones * mask[:, None])))
    assert not np.allclose(to_numpy(layer(ones, training=True)), output)
    assert_close(to_numpy(layer(ones)), to_numpy(plain(ones)))


def gru_by_hand(x, weights, input_masks, recurrent_masks):
    kernel, recurrent, bias = weights
    h, sigmoid = np.zeros((3, 4)), lambda v: 1 / (1 + np.exp(-v))
    for t in range(x.shape[1]):
        first = [
            x[:, t] * m @ k + b
            for m, k, b in zip(input_masks, np.split(kernel, 3, 1), np.split(bias[0], 3), strict=True)
        ]
        second = [
            h * m @ k + b
            for m, k, b in zip(recurrent_masks, np.split(recurrent, 3, 1), np.split(bias[1], 3), strict=True)
        ]
        z, r = sigmoid(first[0] + second[0]), sigmoid(first[1] + second[1])
        h = z * h + (1 - z) * np.tanh(first[2] + r * second[2])
    return h


def test_recurrent_dropout_has_a_mask_for_each_gate(backend):
    layer = keras.layers.GRU(4, dropout=0.4, recurrent_dropout=0.5, seed=3)
    layer.build(X.shape)
    layer.set_weights(random_weights(layer.weights))
    seeds = keras.random.SeedGenerator(3)
    draw = lambda size, rate: to_numpy(keras.random.dropout(np.ones((3, size), "float32"), rate, seed=seeds))  # noqa: E731
    input_masks, recurrent_masks = [draw(2, 0.4) for _ in range(3)], [draw(4, 0.5) for _ in range(3)]
    expected = gru_by_hand(X, layer.get_weights(), input_masks, recurrent_masks)
    assert_close(to_numpy(layer(X, training=True)), expected)


@pytest.mark.parametrize("arguments", [{}, {"implementation": 1}, {"recurrent_dropout": 0.5}, {"reset_after": False}])
def test_dropout_is_the_same_on_every_backend(backend, arguments):
    def run():
        make = keras.layers.GRU if "reset_after" in arguments else keras.layers.LSTM
        layer = make(4, dropout=0.5, seed=5, **{"recurrent_dropout": 0.1, **arguments})
        layer.build(X.shape)
        layer.set_weights(random_weights(layer.weights))
        return outputs_and_gradients(layer, (X,), {"training": True})

    result = run()
    with backends.use("numpy"):
        assert_close(result, run())


# ------------------------------------------------------------- names of older versions


def test_arguments_of_keras_1_mean_the_same():
    layer = keras.layers.LSTM(
        output_dim=4, init="zeros", inner_init="ones", forget_bias_init="zero", inner_activation="hard_sigmoid",
        W_regularizer="l2", U_regularizer="l1", b_regularizer="l2", dropout_W=0.1, dropout_U=0.2,
        consume_less="mem", input_shape=(5, 2),
    )  # fmt: skip
    assert (layer.units, layer.dropout, layer.recurrent_dropout, layer.implementation) == (4, 0.1, 0.2, 1)
    assert layer.recurrent_activation is keras.activations.hard_sigmoid and layer.unit_forget_bias is False
    assert isinstance(layer.recurrent_regularizer, keras.regularizers.L1)
    assert keras.Sequential([layer]).output_shape == (None, 4)
    assert isinstance(layer, keras.layers.Recurrent)
    assert keras.layers.GRU(4, implementation=1).get_config()["implementation"] == 1


# ----------------------------------------------------------------------- errors

ERRORS = [
    (X[0], {}, "Expected an input with 3 axes"),
    (X[:, :0], {}, "at least one time step"),
    (X, {"initial_state": [H]}, r"Expected an initial_state of arrays of shapes \[\(3, 4\), \(3, 4\)\]"),
    (X, {"initial_state": [H[:, :2], C]}, "Expected an initial_state"),
]


@pytest.mark.parametrize(("x", "call", "message"), ERRORS)
def test_wrong_inputs_are_clear_errors(backend, x, call, message):
    with pytest.raises(ValueError, match=message):
        keras.layers.LSTM(4)(x, **call)


def test_wrong_sizes_are_clear_errors(backend):
    layer = keras.layers.LSTM(4)
    layer(X)
    with pytest.raises(ValueError, match="Expected axis -1 of the input to have size 2"):
        layer(np.ones((3, 5, 3), "float32"))
    with pytest.raises(ValueError, match="Expected units to be an int, at least 1"):
        keras.layers.LSTM(0)
    with pytest.raises(ValueError, match="Expected dropout to be a number from 0 to 1"):
        keras.layers.GRU(4, dropout=1.5)


# --------------------------------------------------------------------- kernels


def plain(backend):
    """The adapter without its own recurrent kernels."""
    composites = {name: getattr(Kernels, name) for name in ("lstm", "gru")}
    copy = object.__new__(type("Plain", (type(backend),), composites))
    vars(copy).update(vars(backend))
    return copy


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
@pytest.mark.parametrize("mask", [None, MASK], ids=["no mask", "mask"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_kernels_equal_their_composites(backend, name, bias, mask, dtype):
    if getattr(type(backend), name) is getattr(Kernels, name):
        pytest.skip("the backend runs the composite itself")
    gates = {"lstm": 4, "gru": 3}[name]
    draws = np.random.default_rng(1)
    shapes = [(3, 5, 2), *[(3, 4)] * (gates - 2), (2, 4 * gates), (4, 4 * gates)]
    shapes += [(16,) if name == "lstm" else (2, 12)] if bias else []
    arrays = [backend.cast(backend.array(draws.normal(size=shape) * 0.7), dtype) for shape in shapes]
    mask = None if mask is None else backend.array(mask)

    def run(engine):
        def total(arrays):
            results = getattr(engine, name)(*arrays, *([] if bias else [None]), mask)
            parts = [engine.sum(engine.multiply(y, n + 1.0)) for n, y in enumerate(results)]
            return functools.reduce(engine.add, parts), results

        (_, results), gradients = engine.value_and_grad(total, arrays)
        return [np.asarray(backend.to_numpy(x), "float64") for x in (*results, *gradients)]

    tolerance = {"float32": 1e-5, "float64": 1e-12, "float16": 2e-2, "bfloat16": 0.1}[dtype]
    assert_close(run(backend), run(plain(backend)), tolerance)


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_second_gradients_go_through_the_kernels(backend, name):
    layer = getattr(keras.layers, name)(4, dtype="float64")
    layer.build(X.shape)
    layer.set_weights(random_weights(layer.weights))

    def slope(x):
        return ops.sum(ops.square(ops.grad(lambda x: ops.sum(layer(x)))(x)))

    x, direction = X.astype("float64"), np.cos(np.arange(X.size)).reshape(X.shape)
    second = to_numpy(ops.grad(slope)(ops.convert_to_tensor(x)))
    ahead, behind = (to_numpy(slope(ops.convert_to_tensor(x + step * direction))) for step in (1e-5, -1e-5))
    np.testing.assert_allclose((second * direction).sum(), (ahead - behind) / 2e-5, rtol=1e-6)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_formula(x, mask, kernel, recurrent_kernel, bias):
    h = c = np.zeros((len(x), len(recurrent_kernel)))
    for row, counts in zip(x.swapaxes(0, 1), mask.T[..., None], strict=True):
        i, f, g, o = np.split(row @ kernel + h @ recurrent_kernel + bias, 4, -1)
        fresh = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h, c = np.where(counts, sigmoid(o) * np.tanh(fresh), h), np.where(counts, fresh, c)
    return h


def gru_formula(x, mask, kernel, recurrent_kernel, bias):
    h = np.zeros((len(x), len(recurrent_kernel)))
    for row, counts in zip(x.swapaxes(0, 1), mask.T[..., None], strict=True):
        z, r, g = np.split(row @ kernel + bias[0], 3, -1)
        to_z, to_r, to_g = np.split(h @ recurrent_kernel + bias[1], 3, -1)
        z, r = sigmoid(z + to_z), sigmoid(r + to_r)
        h = np.where(counts, z * h + (1 - z) * np.tanh(g + r * to_g), h)
    return h


@pytest.mark.parametrize("rows", [1, 200])
@pytest.mark.parametrize(("name", "formula"), [("LSTM", lstm_formula), ("GRU", gru_formula)])
def test_long_sequences_of_few_and_of_many_rows_follow_the_formula(backend, name, formula, rows):
    draws = np.random.default_rng(3)
    x = draws.normal(size=(rows, 20, 2)).astype("float32")
    x[:, 4:9] = 0
    layer = getattr(keras.layers, name)(4)
    model = keras.Sequential([keras.Input((20, 2)), keras.layers.Masking(), layer])
    layer.set_weights(random_weights(layer.weights))
    expected = formula(x.astype("float64"), (x != 0).any(-1), *layer.get_weights())
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, atol=1e-5)


@pytest.mark.parametrize("cell", [layers.SimpleRNNCell, layers.GRUCell, layers.LSTMCell])
def test_a_cell_that_derives_from_ours_runs_its_own_call(backend, cell):
    class Doubled(cell):
        def call(self, inputs, states, training=False):
            outputs, states = super().call(inputs, states, training=training)
            return 2 * outputs, states

    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    ours, derived = layers.RNN(cell(4), return_sequences=True), layers.RNN(Doubled(4), return_sequences=True)
    expected = 2 * np.asarray(keras.ops.convert_to_numpy(ours(x)))
    derived.build(x.shape)
    derived.set_weights(ours.get_weights())
    np.testing.assert_allclose(keras.ops.convert_to_numpy(derived(x)), expected, rtol=1e-5, atol=1e-6)


def test_dropout_of_a_cell_that_derives_from_ours_is_one_mask_for_all_steps(backend):
    class Masked(layers.LSTMCell):
        def call(self, inputs, states, training=False):
            masks = self.get_dropout_mask_for_cell(inputs, training, count=4)
            assert training == (masks is not None)
            return (inputs if masks is None else inputs * masks[0]), states

    layer = layers.RNN(Masked(3, dropout=0.5), return_sequences=True)
    x = np.ones((4, 6, 3), "float32")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer(x)), x)
    dropped = keras.ops.convert_to_numpy(layer(x, training=True))
    assert set(np.unique(dropped)) == {0.0, 2.0} and (dropped == dropped[:, :1]).all()
