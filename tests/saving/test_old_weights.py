"""Weights and configs of Keras 1 and 2 in layouts that are no more; results are checked by formulas."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

import polykeras as keras
from tests.saving.test_keras_2_files import arrays, dense, write

UNITS, FEATURES = 3, 2
X = np.random.default_rng(5).normal(size=(2, 4, FEATURES)).astype("float32")
ROWS = X[:, 0]


def write_weights(path, weights, version=b"2.3.1", backend=b"tensorflow"):
    """Write a file of weights: lists of (name, array) by layer. Keras 1 didn't say its version."""
    with h5py.File(path, "w") as file:
        if version:
            file.attrs["keras_version"], file.attrs["backend"] = version, backend
        file.attrs["layer_names"] = [name.encode() for name in weights]
        for layer, named in weights.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [f"{layer}/{name}:0".encode() for name, _ in named]
            for name, array in named:
                group[f"{layer}/{name}:0"] = array
    return path


def numbered(weights):
    return [(f"w{index}", array) for index, array in enumerate(weights)]


def output(model, x):
    return np.asarray(model.predict(x, verbose=0))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(x, gate):
    """Run an LSTM; ``gate(name, x, h)`` is what a gate sums up."""
    h = c = np.zeros((len(x), UNITS))
    for step in np.moveaxis(x, 1, 0):
        i, f, o = (sigmoid(gate(name, step, h)) for name in "ifo")
        c = f * c + i * np.tanh(gate("c", step, h))
        h = o * np.tanh(c)
    return h


def gru(x, inputs, states, reset_after):
    """Run a GRU; ``inputs(name, x)`` and ``states(name, h)`` are the two parts of what a gate sums up."""
    h = np.zeros((len(x), UNITS))
    for step in np.moveaxis(x, 1, 0):
        z, r = (sigmoid(inputs(name, step) + states(name, h)) for name in "zr")
        inner = r * states("h", h) if reset_after else states("h", r * h)
        h = z * h + (1 - z) * np.tanh(inputs("h", step) + inner)
    return h


def columns(array, gates, name):
    """The block of a gate in an array of all gates."""
    return np.split(array, len(gates), axis=-1)[gates.index(name)]


def run_lstm(x, kernel, recurrent, bias):
    part = lambda array, name: columns(array, "ifco", name)  # noqa: E731
    return lstm(x, lambda name, s, h: s @ part(kernel, name) + h @ part(recurrent, name) + part(bias, name))


def run_gru(x, kernel, recurrent, bias):
    part = lambda array, name: columns(array, "zrh", name)  # noqa: E731
    first, second = bias if bias.ndim == 2 else (bias, 0 * bias)
    return gru(
        x,
        lambda name, s: s @ part(kernel, name) + part(first, name),
        lambda name, h: h @ part(recurrent, name) + part(second, name),
        reset_after=bias.ndim == 2,
    )


def run_cudnn(x, kernel, recurrent, bias):
    """What cuDNN computes: it reads the memory of each gate's block as (units, features), and two biases."""
    gates = "ifco" if recurrent.shape[1] == 4 * UNITS else "zrh"
    matrix = lambda array, name: np.ascontiguousarray(columns(array, gates, name)).reshape(UNITS, -1)  # noqa: E731
    first, second = np.split(bias, 2)
    inputs = lambda name, s: s @ matrix(kernel, name).T + columns(first, gates, name)  # noqa: E731
    states = lambda name, h: h @ matrix(recurrent, name).T + columns(second, gates, name)  # noqa: E731
    if gates == "zrh":
        return gru(x, inputs, states, reset_after=True)
    return lstm(x, lambda name, s, h: inputs(name, s) + states(name, h))


def recurrent_arrays(gates, *bias):
    return arrays((FEATURES, gates * UNITS), (UNITS, gates * UNITS), bias)


def recurrent_config(class_name, **config):
    plain = {"name": "r", "trainable": True, "units": UNITS, "return_sequences": False, "implementation": 1}
    return {"class_name": class_name, "config": plain | {"batch_input_shape": [None, 4, FEATURES]} | config}


GATED = {"activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": True}


@pytest.mark.parametrize(
    ("config", "weights", "run"),
    [
        (recurrent_config("LSTM", **GATED, unit_forget_bias=True), recurrent_arrays(4, 12), run_lstm),
        (recurrent_config("GRU", **GATED, reset_after=False), recurrent_arrays(3, 9), run_gru),
        (recurrent_config("GRU", **GATED), recurrent_arrays(3, 9), run_gru),
        (recurrent_config("GRU", **GATED, reset_after=True), recurrent_arrays(3, 2, 9), run_gru),
        (recurrent_config("CuDNNLSTM", go_backwards=False), recurrent_arrays(4, 24), run_cudnn),
        (recurrent_config("CuDNNGRU", stateful=False), recurrent_arrays(3, 18), run_cudnn),
    ],
    ids=["lstm", "gru", "gru before reset_after", "gru reset after", "cudnn lstm", "cudnn gru"],
)
def test_recurrent_models_of_keras_2_compute_what_they_did(tmp_path, config, weights, run):
    write(
        tmp_path / "old.h5", {"class_name": "Sequential", "config": {"name": "s", "layers": [config]}}, {"r": weights}
    )
    np.testing.assert_allclose(output(keras.models.load_model(tmp_path / "old.h5"), X), run(X, *weights), rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "options", "gates", "bias", "run"),
    [
        ("LSTM", {}, 4, (24,), run_cudnn),
        ("CuDNNLSTM", {}, 4, (12,), run_lstm),
        ("GRU", {}, 3, (18,), run_cudnn),
        ("CuDNNGRU", {}, 3, (2, 9), run_gru),
    ],
)
@pytest.mark.parametrize("both_ways", [False, True])
def test_weights_for_cudnn_and_others_load_into_each_other(tmp_path, name, options, gates, bias, run, both_ways):
    forward, backward = recurrent_arrays(gates, *bias), [2 * a for a in recurrent_arrays(gates, *bias)]
    layer = getattr(keras.layers, name)(UNITS, **options)
    model = keras.Sequential([keras.Input((4, FEATURES)), keras.layers.Bidirectional(layer) if both_ways else layer])
    weights = forward + backward if both_ways else forward
    model.load_weights(write_weights(tmp_path / "old.h5", {"r": numbered(weights)}))
    expected = run(X, *forward)
    if both_ways:
        expected = np.concatenate([expected, run(X[:, ::-1], *backward)], axis=-1)
    np.testing.assert_allclose(output(model, X), expected, rtol=1e-4, atol=1e-6)
    model.save_weights(tmp_path / "new.h5")  # our own files hold the layout of the layer
    model.load_weights(tmp_path / "new.h5")
    np.testing.assert_allclose(output(model, X), expected, rtol=1e-4, atol=1e-6)


def test_another_kind_of_gru_is_named(tmp_path):
    path = write_weights(tmp_path / "old.h5", {"r": numbered(recurrent_arrays(3, 9))})
    model = keras.Sequential([keras.Input((4, FEATURES)), keras.layers.GRU(UNITS)])
    with pytest.raises(ValueError, match=r"\(2, 9\).*\(9,\).*reset_after=False: make the layer"):
        model.load_weights(path)


def test_weights_of_keras_1_by_gate(tmp_path):
    """An LSTM kept them in the order i, c, f, o; a GRU in the order z, r, h."""
    shapes = [(FEATURES, UNITS), (UNITS, UNITS), (UNITS,)]
    for name, gates in (("LSTM", "icfo"), ("GRU", "zrh")):
        saved = arrays(*shapes * len(gates))
        table = {gate: saved[3 * index : 3 * index + 3] for index, gate in enumerate(gates)}
        old = {"output_dim": UNITS, "init": "glorot_uniform", "inner_init": "orthogonal", "activation": "tanh"}
        old |= {"inner_activation": "hard_sigmoid", "input_dim": FEATURES, "go_backwards": False, "consume_less": "cpu"}
        old |= {"W_regularizer": None, "dropout_W": 0.0, "dropout_U": 0.0, "name": "r", "input_dtype": "float32"}
        old |= {"batch_input_shape": [None, 4, FEATURES], "forget_bias_init": "one"} if name == "LSTM" else {
            "batch_input_shape": [None, 4, FEATURES]}  # fmt: skip
        config = {"class_name": "Sequential", "config": [{"class_name": name, "config": old}]}
        with h5py.File(tmp_path / "old.h5", "w") as file:
            file.attrs["model_config"] = json.dumps(config)
            root = file.create_group("model_weights")
            root.attrs["layer_names"] = [b"r"]
            keys = [f"r_{kind}_{gate}" for gate in gates for kind in "WUb"]
            root.create_group("r").attrs["weight_names"] = [key.encode() for key in keys]
            for key, array in zip(keys, saved, strict=True):
                root["r"][key] = array
        model = keras.models.load_model(tmp_path / "old.h5")
        parts = [[table[gate][index] for gate in ("ifco" if name == "LSTM" else "zrh")] for index in range(3)]
        for weight, part in zip(model.get_weights(), parts, strict=True):
            np.testing.assert_array_equal(weight, np.concatenate(part, axis=-1))
        assert model.layers[0].recurrent_activation is keras.backend.hard_sigmoid


KERNELS = [
    ("Conv2D", "channels_first", None, (5, 2, 3, 3), "oihw->hwio"),
    ("Conv2D", "channels_last", None, (3, 3, 2, 5), "hwio->hwio"),
    ("Conv1D", "channels_last", None, (5, 2, 3, 1), "oihw->hwio"),
    ("Conv1D", "channels_last", None, (3, 1, 2, 5), "hwio->hwio"),
    ("Conv3D", "channels_first", None, (5, 2, 3, 3, 3), "oidhw->dhwio"),
    ("Conv2DTranspose", "channels_first", None, (5, 2, 3, 3), "oihw->hwoi"),
    ("Conv2DTranspose", "channels_last", None, (3, 3, 2, 5), "hwio->hwoi"),
    ("Conv2D", "channels_last", b"2.3.1", (3, 3, 2, 5), "hwio->hwio"),
    ("Conv2D", "channels_last", b"2.3.1", (2, 5, 3, 3), "iohw->hwoi"),
]


@pytest.mark.parametrize(("name", "layout", "version", "shape", "axes"), KERNELS)
def test_kernels_of_older_layouts_are_turned(tmp_path, name, layout, version, shape, axes):
    kernel, bias = arrays(shape, (5,))
    rank = 1 if name == "Conv1D" else len(shape) - 2
    inputs = (2, *(6,) * rank) if layout == "channels_first" else (*(6,) * rank, 2)
    layer = getattr(keras.layers, name)(5, 3, data_format=layout)
    model = keras.Sequential([keras.Input(inputs), layer])
    model.load_weights(write_weights(tmp_path / "old.h5", {"c": numbered([kernel, bias])}, version))
    expected = np.einsum(axes, kernel) if axes != "iohw->hwoi" else kernel.transpose(3, 2, 0, 1)
    expected = expected[:, 0] if name == "Conv1D" else expected
    np.testing.assert_array_equal(model.get_weights()[0], expected)


def test_kernels_of_theano_are_mirrored(tmp_path):
    kernel, bias = arrays((3, 2, 1, 4), (4,))
    model = keras.Sequential([keras.Input((5, 5, 1)), keras.layers.Conv2D(4, (3, 2))])
    path = write_weights(tmp_path / "old.h5", {"c": numbered([kernel, bias])}, backend=b"theano")
    model.load_weights(path)
    np.testing.assert_array_equal(model.get_weights()[0], kernel[::-1, ::-1])


# --------------------------------------------------------------- models in models


def described(config, *calls):
    return config | {"name": config["config"]["name"], "inbound_nodes": [*calls]}


def source(name, size=3):
    config = {"batch_input_shape": [None, size], "dtype": "float32", "sparse": False, "name": name}
    return described({"class_name": "InputLayer", "config": config})


def normalization(name):
    config = {"name": name, "trainable": True, "axis": [1], "momentum": 0.99, "epsilon": 0.001, "center": True}
    return {"class_name": "BatchNormalization", "config": config | {"scale": True, "dtype": "float32"}}


def graph(name, layers, inputs, outputs):
    ends = {"input_layers": inputs, "output_layers": outputs}
    return {"class_name": "Model", "config": {"name": name, "layers": layers, **ends}}


def inner_model():
    layers = [
        source("ii"),
        described(normalization("n"), [["ii", 0, 0, {}]]),
        described(dense("d", 3), [["n", 0, 0, {}]]),
    ]
    return graph("inner", layers, [["ii", 0, 0]], [["d", 0, 0]])


def inner_arrays():
    """Keras 2 saves what is trained in all layers first: gamma, beta, kernel, bias, mean, variance."""
    gamma, beta, kernel, bias, mean, variance = arrays((3,), (3,), (3, 3), (3,), (3,), (3,))
    names = ["n/gamma", "n/beta", "d/kernel", "d/bias", "n/moving_mean", "n/moving_variance"]
    return list(zip(names, [gamma, beta, kernel, bias, mean, variance**2], strict=True))


def run_inner(x):
    gamma, beta, kernel, bias, mean, variance = (array for _, array in inner_arrays())
    return ((x - mean) / np.sqrt(variance + 0.001) * gamma + beta) @ kernel + bias


ROWS_OF_3 = np.random.default_rng(6).normal(size=(2, 3)).astype("float32")


def test_a_model_inside_another_is_called_twice(tmp_path):
    """Keras 2 counts the making of a model as its first call, so the calls of others begin with 1."""
    call = [["i", 0, 0, {}]]
    first, second = dense("a", 3), {"class_name": "Multiply", "config": {"name": "m", "trainable": True}}
    layers = [source("i"), described(first, call), described(inner_model(), call, [["a", 0, 0, {}]])]
    layers.append(described(second, [["inner", 1, 0, {}], ["inner", 2, 0, {}]]))
    kernel, bias = arrays((3, 3), (3,))
    write(tmp_path / "old.h5", graph("outer", layers, [["i", 0, 0]], [["m", 0, 0]]), {"a": [kernel, bias]})
    with h5py.File(tmp_path / "old.h5", "a") as file:
        root = file["model_weights"]
        root.attrs["layer_names"] = [b"a", b"inner"]
        root.create_group("inner").attrs["weight_names"] = [name.encode() for name, _ in inner_arrays()]
        for name, array in inner_arrays():
            root["inner"][name] = array
    expected = run_inner(ROWS_OF_3) * run_inner(ROWS_OF_3 @ kernel + bias)
    model = keras.models.load_model(tmp_path / "old.h5")
    np.testing.assert_allclose(output(model, ROWS_OF_3), expected, rtol=1e-4)


def inner():
    layers = keras.layers
    return keras.Sequential([keras.Input((3,)), layers.BatchNormalization(name="n"), layers.Dense(3, name="d")])


@pytest.mark.parametrize("frozen", ["nothing", "model"])
@pytest.mark.parametrize("by_name", [False, True])
def test_weights_of_models_inside_load_into_frozen_ones_too(tmp_path, frozen, by_name):
    path = write_weights(tmp_path / "old.h5", {"outer": inner_arrays(), "other": []})
    x = np.stack([ROWS_OF_3, 2 * ROWS_OF_3], axis=1)
    within = inner()
    within.trainable = frozen == "nothing"
    model = keras.Sequential([keras.Input((2, 3)), keras.layers.TimeDistributed(within, name="outer")])
    model.load_weights(path, by_name=by_name)
    np.testing.assert_allclose(output(model, x), run_inner(x), rtol=1e-4)


def test_a_layer_frozen_inside_of_a_model_stands_after_the_others(tmp_path):
    """As Keras 2 saves it: what isn't trained comes last, frozen weights with the statistics."""
    table = dict(inner_arrays())
    order = ["d/kernel", "d/bias", "n/gamma", "n/beta", "n/moving_mean", "n/moving_variance"]
    path = write_weights(tmp_path / "old.h5", {"outer": [(name, table[name]) for name in order]})
    within = inner()
    within.layers[0].trainable = False
    model = keras.Sequential([keras.Input((3,)), within])
    model.load_weights(path)
    np.testing.assert_allclose(output(model, ROWS_OF_3), run_inner(ROWS_OF_3), rtol=1e-4)


def test_a_shared_layer_has_one_set_of_weights(tmp_path):
    calls = [["i", 0, 0, {}]], [["j", 0, 0, {}]]
    difference = {"class_name": "Subtract", "config": {"name": "s", "trainable": True}}
    both = described(difference, [["a", 0, 0, {}], ["a", 1, 0, {}]])
    layers = [source("i"), source("j"), described(dense("a", 2), *calls), both]
    kernel, bias = arrays((3, 2), (2,))
    config = graph("g", layers, [["i", 0, 0], ["j", 0, 0]], [["s", 0, 0]])
    write(tmp_path / "old.h5", config, {"i": [], "j": [], "a": [kernel, bias], "s": []})
    model = keras.models.load_model(tmp_path / "old.h5")
    x = ROWS_OF_3
    np.testing.assert_allclose(output(model, [x, x**2]), (x - x**2) @ kernel, rtol=1e-4, atol=1e-6)
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="a")])
    other.load_weights(tmp_path / "old.h5", by_name=True)
    np.testing.assert_array_equal(other.get_weights()[0], kernel)


MERGES = {
    "Add": np.add,
    "Subtract": np.subtract,
    "Multiply": np.multiply,
    "Average": lambda a, b: (a + b) / 2,
    "Maximum": np.maximum,
    "Minimum": np.minimum,
    "Concatenate": lambda a, b: np.concatenate([a, b], axis=-1),
    "Dot": lambda a, b: np.sum(a * b, axis=-1, keepdims=True),
}


@pytest.mark.parametrize("name", MERGES)
def test_layers_that_merge_are_not_taken_for_ops(tmp_path, name):
    more = {"Dot": {"axes": 1, "normalize": False}, "Concatenate": {"axis": -1}}.get(name, {})
    merge = {"class_name": name, "config": {"name": "m", "trainable": True, **more}}
    layers = [source("i"), source("j"), described(merge, [["i", 0, 0, {}], ["j", 0, 0, {}]])]
    write(tmp_path / "old.h5", graph("g", layers, [["i", 0, 0], ["j", 0, 0]], [["m", 0, 0]]), {})
    model = keras.models.load_model(tmp_path / "old.h5")
    assert type(model.layers[-1]) is getattr(keras.layers, name)
    a, b = ROWS_OF_3, ROWS_OF_3[::-1] + 1
    np.testing.assert_allclose(output(model, [a, b]), MERGES[name](a, b), rtol=1e-5)


# ----------------------------------------------------------------------- configs


def test_a_convolutional_network_of_keras_1(tmp_path):
    """The names of arguments that Keras 2.3 still read."""
    none = dict.fromkeys(("W_regularizer", "b_regularizer", "activity_regularizer", "W_constraint", "b_constraint"))
    shape = {"batch_input_shape": [None, 6, 6, 1], "input_dtype": "float32"}
    first = {"name": "c", "nb_filter": 2, "nb_row": 3, "nb_col": 2, "init": "glorot_uniform", "activation": "relu"}
    first |= {"border_mode": "same", "subsample": [1, 1], "dim_ordering": "tf", "bias": True, "trainable": True, **none}
    pool = {"name": "p", "pool_size": [2, 2], "strides": [2, 2], "border_mode": "valid", "dim_ordering": "tf"}
    last = {
        "name": "d",
        "output_dim": 3,
        "init": "normal",
        "activation": "linear",
        "bias": True,
        "input_dim": 18,
        **none,
    }
    norm = {"name": "n", "epsilon": 0.001, "mode": 0, "axis": -1, "momentum": 0.9, "gamma_regularizer": None}
    config = [
        {"class_name": "Convolution2D", "config": first | shape},
        {"class_name": "MaxPooling2D", "config": pool},
        {"class_name": "BatchNormalization", "config": norm | {"beta_regularizer": None}},
        {"class_name": "Dropout", "config": {"name": "o", "p": 0.25}},
        {"class_name": "Flatten", "config": {"name": "f"}},
        {"class_name": "Dense", "config": last},
        {"class_name": "Activation", "config": {"name": "a", "activation": "softmax"}},
    ]
    kernel, bias, gamma, beta, mean, deviation, dense_kernel, dense_bias = arrays(
        (3, 2, 1, 2), (2,), (2,), (2,), (2,), (2,), (18, 3), (3,)
    )
    weights = {"c": [kernel, bias], "n": [gamma, beta, mean], "d": [dense_kernel, dense_bias]}
    write(tmp_path / "old.h5", {"class_name": "Sequential", "config": config}, weights)
    with h5py.File(tmp_path / "old.h5", "a") as file:
        del file.attrs["keras_version"], file.attrs["backend"]
        group = file["model_weights"]["n"]
        group["n/running_std:0"] = deviation**2
        group.attrs["weight_names"] = [b"n/kernel:0", b"n/bias:0", b"n/more:0", b"n/running_std:0"]
    model = keras.models.load_model(tmp_path / "old.h5")
    layers = model.layers
    assert layers[0].padding == "same" and tuple(layers[0].kernel_size) == (3, 2) and layers[3].rate == 0.25
    x = np.random.default_rng(7).normal(size=(2, 6, 6, 1)).astype("float32")
    padded = np.pad(x, ((0, 0), (1, 1), (0, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 2), axis=(1, 2))
    hidden = np.maximum(np.einsum("nhwcij,ijco->nhwo", windows, kernel) + bias, 0)
    hidden = hidden.reshape(2, 3, 2, 3, 2, 2).max((2, 4))
    hidden = ((hidden - mean) / np.sqrt(deviation**2 + 0.001) * gamma + beta).reshape(2, -1)
    logits = np.exp(hidden @ dense_kernel + dense_bias)
    np.testing.assert_allclose(output(model, x), logits / logits.sum(1, keepdims=True), rtol=1e-4)


# --------------------------------------------------------------------- optimizers


def steps(kind, w, g, state, rate=0.1):
    """The next value of a weight, by the formulas of Keras 2.3."""
    if kind == "SGD":
        return w + 0.9 * state[0] - rate * g
    if kind == "RMSprop":
        return w - rate * g / np.sqrt(0.9 * state[0] + 0.1 * g**2)
    if kind == "Adagrad":
        return w - rate * g / np.sqrt(state[0] + g**2)
    if kind == "Adadelta":
        mean = 0.95 * state[0] + 0.05 * g**2
        return w - rate * g * np.sqrt(state[1] + 1e-7) / np.sqrt(mean + 1e-7)
    m = 0.9 * state[0] + 0.1 * g
    if kind == "Adamax":
        return w - rate / (1 - 0.9**6) * m / np.maximum(0.999 * state[1], np.abs(g))
    if kind == "Nadam":
        now, later = (0.9 * (1 - 0.5 * 0.96 ** (t * 0.004)) for t in (6, 7))
        product = 0.2 * now
        mean = now * g / (1 - product) * (1 - now) / now + later * m / (1 - product * later)
        return w - rate * mean / np.sqrt((0.999 * state[1] + 0.001 * g**2) / (1 - 0.999**6))
    v = 0.999 * state[1] + 0.001 * g**2
    return w - rate * np.sqrt(1 - 0.999**6) / (1 - 0.9**6) * m / np.sqrt(v)


RATE = {"lr": 0.1, "decay": 0.0}
BETAS = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
OPTIMIZERS = {
    "SGD": (RATE | {"momentum": 0.9, "nesterov": False}, 1, 1),
    "RMSprop": (RATE | {"rho": 0.9, "epsilon": 1e-7}, 1, 1),
    "RMSprop before 2.3": (RATE | {"rho": 0.9, "epsilon": 1e-7}, 1, 0),
    "Adagrad": (RATE | {"epsilon": 1e-7}, 1, 1),
    "Adadelta": (RATE | {"rho": 0.95, "epsilon": 1e-7}, 2, 1),
    "Adam": (RATE | BETAS | {"amsgrad": False}, 2, 1),
    "Adamax": (RATE | BETAS, 2, 1),
    "Nadam": ({"lr": 0.1, "schedule_decay": 0.004} | BETAS, 2, 2),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_goes_on_as_keras_2_would(tmp_path, name):
    kind = name.split()[0]
    config, kinds, scalars = OPTIMIZERS[name]
    weights = arrays((3, 2), (2,))
    slots = [[array**2 + 0.5 for array in weights] for _ in range(kinds)]
    saved = [*[np.int64(5), np.float32(0.2)][:scalars], *(array for slot in slots for array in slot)]
    if kind == "Adam":
        saved += [np.zeros(1, "float32")] * 2  # the room for amsgrad
    training = {"optimizer_config": {"class_name": kind, "config": config}, "loss": "mean_squared_error"}
    training |= {"metrics": [], "sample_weight_mode": None, "loss_weights": None}
    layers = {"name": "s", "layers": [dense("d", 2, batch_input_shape=[None, 3])]}
    write(tmp_path / "old.h5", {"class_name": "Sequential", "config": layers}, {"d": weights}, training, saved)
    model = keras.models.load_model(tmp_path / "old.h5")
    x, y = arrays((4, 3), (4, 2))
    error = 2 * (x @ weights[0] + weights[1] - y) / y.size
    gradients = [x.T @ error, error.sum(0)]
    model.train_on_batch(x, y)
    for index, weight in enumerate(model.get_weights()):
        expected = steps(kind, weights[index], gradients[index], [slot[index] for slot in slots])
        np.testing.assert_allclose(weight, expected, rtol=1e-4, atol=1e-6)
    assert int(model.optimizer.iterations) == (6 if scalars else 1)
