"""Configs as Keras 2.3.1 wrote them are read back in both eras, as objects, dicts and JSON."""

import json

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, models, optimizers

ZEROS, ONES = {"class_name": "Zeros", "config": {}}, {"class_name": "Ones", "config": {}}
UNIFORM = {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None}
GLOROT = {"class_name": "VarianceScaling", "config": UNIFORM}
ORTHOGONAL = {"class_name": "Orthogonal", "config": {"gain": 1.0, "seed": None}}
NARROW = {"class_name": "RandomUniform", "config": {"minval": -0.05, "maxval": 0.05, "seed": None}}
L2 = {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.01}}
BOUND = {"class_name": "MaxNorm", "config": {"max_value": 2, "axis": 0}}
COMMON = {"name": "layer_1", "trainable": True, "dtype": "float32"}
FORMAT = {"data_format": "channels_last"}
KERNEL = {
    "use_bias": True,
    "kernel_initializer": GLOROT,
    "bias_initializer": ZEROS,
    "kernel_regularizer": L2,
    "bias_regularizer": None,
    "activity_regularizer": None,
    "kernel_constraint": BOUND,
    "bias_constraint": None,
}
GATES = {**KERNEL, "recurrent_initializer": ORTHOGONAL, "recurrent_regularizer": None, "recurrent_constraint": None}
CELL = {
    **{key: value for key, value in GATES.items() if key != "activity_regularizer"},
    **{"units": 2, "activation": "tanh", "dropout": 0.1, "recurrent_dropout": 0.0},
}
OUTSIDE = {
    "return_sequences": True,
    "return_state": False,
    "go_backwards": True,
    "stateful": False,
    "unroll": False,
}
RECURRENT = {**CELL, **OUTSIDE, "activity_regularizer": None}
LSTM = {"recurrent_activation": "sigmoid", "unit_forget_bias": True, "implementation": 1}
GRU = {"recurrent_activation": "sigmoid", "reset_after": False, "implementation": 2}


def without(config, *starts):
    return {key: value for key, value in config.items() if not key.startswith(starts)}


CUDNN = {**without(GATES, "use_bias"), **{key: value for key, value in OUTSIDE.items() if key != "unroll"}, "units": 2}


def convolution(rank):
    sizes = {"kernel_size": [2] * rank, "strides": [1] * rank, "dilation_rate": [1] * rank}
    return {"filters": 2, "padding": "same", "activation": "relu", **sizes, **FORMAT, **KERNEL}


def separable(rank, *parts):
    own = without(convolution(rank), "kernel_initializer", "kernel_regularizer", "kernel_constraint")
    weights = {f"{p}_initializer": GLOROT for p in parts}
    return {**own, **weights, **{f"{p}_{k}": None for p in parts for k in ("regularizer", "constraint")}}


def nested(kind, **config):
    return {"class_name": kind, "config": {**COMMON, "name": "inner_1", **config}}


def pool(rank):
    return {"strides": [2] * rank, "pool_size": [3] * rank, "padding": "valid", **FORMAT}


PAIRS = [[1, 1], [0, 2]]
SEQUENCE, IMAGE, VOLUME = [None, 6, 2], [None, 6, 6, 2], [None, 6, 6, 6, 2]
NORMALIZATION = {
    **{"axis": -1, "momentum": 0.9, "epsilon": 0.01, "center": True, "scale": True},
    **{"beta_initializer": ZEROS, "gamma_initializer": ONES, "beta_regularizer": None, "gamma_regularizer": None},
    **{"moving_mean_initializer": ZEROS, "moving_variance_initializer": ONES},
    **{"beta_constraint": None, "gamma_constraint": None},
}
EMBEDDING = {
    **{"input_dim": 5, "output_dim": 2, "embeddings_initializer": NARROW, "mask_zero": True, "input_length": 6},
    **{"embeddings_regularizer": None, "activity_regularizer": None, "embeddings_constraint": None},
}
STACK = nested("StackedRNNCells", cells=[nested("GRUCell", **CELL, **GRU), nested("LSTMCell", **CELL, **LSTM)])

#: (class, config, shape of inputs)
LAYERS = [
    ("Dense", {"units": 3, "activation": "relu", **KERNEL}, [None, 3]),
    ("LeakyReLU", {"alpha": 0.30000001192092896}, SEQUENCE),
    ("ELU", {"alpha": 1.0}, SEQUENCE),
    ("ThresholdedReLU", {"theta": 0.5}, SEQUENCE),
    ("Softmax", {"axis": 1}, SEQUENCE),
    ("ReLU", {"max_value": 6.0, "negative_slope": 0.1, "threshold": 0.5}, SEQUENCE),
    ("PReLU", {"alpha_initializer": ZEROS, "alpha_regularizer": None, "alpha_constraint": None}, SEQUENCE),
    ("Masking", {"mask_value": 0.5}, SEQUENCE),
    ("Dropout", {"rate": 0.5, "noise_shape": None, "seed": None}, SEQUENCE),
    ("SpatialDropout1D", {"rate": 0.5, "noise_shape": None, "seed": None}, SEQUENCE),
    ("SpatialDropout2D", {"rate": 0.5, "noise_shape": None, "seed": 3}, IMAGE),
    ("SpatialDropout3D", {"rate": 0.5, "noise_shape": None, "seed": None}, VOLUME),
    ("Activation", {"activation": "softplus"}, SEQUENCE),
    ("Reshape", {"target_shape": [-1, 3]}, SEQUENCE),
    ("Permute", {"dims": [2, 1]}, SEQUENCE),
    ("Flatten", FORMAT, IMAGE),
    ("RepeatVector", {"n": 3}, [None, 2]),
    ("ActivityRegularization", {"l1": 0.1, "l2": 0.0}, SEQUENCE),
    ("Conv1D", convolution(1), SEQUENCE),
    ("Conv2D", convolution(2), IMAGE),
    ("Conv3D", convolution(3), VOLUME),
    ("Conv2DTranspose", {**convolution(2), "output_padding": None}, IMAGE),
    ("Conv3DTranspose", without({**convolution(3), "output_padding": None}, "dilation"), VOLUME),
    ("SeparableConv1D", {**separable(1, "depthwise", "pointwise"), "depth_multiplier": 2}, SEQUENCE),
    ("SeparableConv2D", {**separable(2, "depthwise", "pointwise"), "depth_multiplier": 2}, IMAGE),
    ("DepthwiseConv2D", without({**separable(2, "depthwise"), "depth_multiplier": 2}, "filters"), IMAGE),
    ("UpSampling1D", {"size": 2}, SEQUENCE),
    ("UpSampling2D", {"size": [2, 3], "interpolation": "bilinear", **FORMAT}, IMAGE),
    ("ZeroPadding1D", {"padding": [1, 2]}, SEQUENCE),
    ("ZeroPadding2D", {"padding": PAIRS, **FORMAT}, IMAGE),
    ("Cropping1D", {"cropping": [1, 2]}, SEQUENCE),
    ("Cropping2D", {"cropping": PAIRS, **FORMAT}, IMAGE),
    ("SimpleRNN", RECURRENT, SEQUENCE),
    ("LSTM", {**RECURRENT, **LSTM}, SEQUENCE),
    ("GRU", {**RECURRENT, **GRU}, SEQUENCE),
    ("CuDNNLSTM", {**CUDNN, "unit_forget_bias": True}, SEQUENCE),
    ("CuDNNGRU", CUDNN, SEQUENCE),
    ("RNN", {**OUTSIDE, "cell": STACK}, SEQUENCE),
    ("ConvLSTM2D", {**without(RECURRENT, "units"), **convolution(2), **without(LSTM, "implem")}, [None, 3, 6, 6, 2]),
    ("TimeDistributed", {"layer": nested("Dense", units=3, activation="relu", **KERNEL)}, SEQUENCE),
    (
        "Bidirectional",
        {"merge_mode": "sum", "layer": nested("LSTM", **{**RECURRENT, "go_backwards": False}, **LSTM)},
        SEQUENCE,
    ),
    ("BatchNormalization", NORMALIZATION, SEQUENCE),
    ("MaxPooling1D", pool(1), SEQUENCE),
    ("AveragePooling2D", pool(2), IMAGE),
    ("MaxPooling3D", pool(3), VOLUME),
    ("GlobalAveragePooling1D", FORMAT, SEQUENCE),
    ("GlobalMaxPooling2D", FORMAT, IMAGE),
    ("Embedding", EMBEDDING, [None, 6]),
    ("GaussianNoise", {"stddev": 0.1}, SEQUENCE),
    ("GaussianDropout", {"rate": 0.1}, SEQUENCE),
    ("AlphaDropout", {"rate": 0.1}, SEQUENCE),
    ("LocallyConnected1D", without({**convolution(1), "padding": "valid"}, "dilation", "data_format"), SEQUENCE),
    ("LocallyConnected2D", without({**convolution(2), "padding": "valid"}, "dilation"), IMAGE),
]
#: Keys of which later configs tell otherwise, or nothing.
MOVED = {"alpha", "implementation", "dtype", "noise_shape", "input_length"}


@pytest.fixture(params=["keras2", "keras3"])
def era(request):
    """Each of the eras during a test."""
    keras.config.set_era(request.param)
    yield request.param
    keras.config.set_era("keras3")


def plain(config):
    """The entries of a config that are numbers, words or lists of them."""
    given = {key: value for key, value in config.items() if key not in MOVED and "_" + key.split("_")[-1] not in KINDS}
    return {key: value for key, value in given.items() if not isinstance(value, dict) and value is not None}


KINDS = {"_initializer", "_regularizer", "_constraint", "_layer", "_cell"}


@pytest.mark.parametrize(("kind", "config", "shape"), LAYERS, ids=[kind for kind, *_ in LAYERS])
def test_layers_are_read_with_what_their_configs_say(era, kind, config, shape):
    config = {**COMMON, **config}
    described = {"class_name": kind, "config": json.loads(json.dumps(config))}
    made = getattr(layers, kind).from_config(json.loads(json.dumps(config))), layers.deserialize(described)
    for layer in made:
        found = json.loads(json.dumps(layer.get_config()))
        assert {key: found.get(key) for key in plain(config)} == plain(config)
    described["config"]["batch_input_shape"] = shape
    model = {"class_name": "Sequential", "config": {"name": "sequential_1", "layers": [described]}}
    text = json.dumps({**model, "keras_version": "2.3.1", "backend": "tensorflow"})
    for read in (models.model_from_json(text), models.Sequential.from_config(model["config"])):
        assert read.name == "sequential_1" and read.layers[0].name == "layer_1"
        assert read.predict_on_batch(np.zeros([2, *shape[1:]])).shape[0] == 2


def graph():
    """The config of a functional model in which two inputs share a layer."""
    dense = {"units": 4, "activation": "hard_sigmoid", **KERNEL}
    source = {"batch_input_shape": [None, 3], "dtype": "float32", "sparse": False}
    parts = [
        ("InputLayer", "input_1", source, []),
        ("InputLayer", "input_2", source, []),
        ("Dense", "dense_1", dense, [[["input_1", 0, 0, {}]], [["input_2", 0, 0, {}]]]),
        ("Subtract", "subtract_1", {}, [[["dense_1", 0, 0, {}], ["dense_1", 1, 0, {}]]]),
    ]
    described = [
        {"name": name, "class_name": kind, "config": {**COMMON, **config, "name": name}, "inbound_nodes": calls}
        for kind, name, config, calls in parts
    ]
    inputs, outputs = [["input_1", 0, 0], ["input_2", 0, 0]], [["subtract_1", 0, 0]]
    return {"name": "model_1", "layers": described, "input_layers": inputs, "output_layers": outputs}


READERS = {
    "json": lambda config: models.model_from_json(
        json.dumps({"class_name": "Model", "config": config, "keras_version": "2.3.1", "backend": "tensorflow"})
    ),
    "from_config": models.Model.from_config,
    "model_from_config": lambda config: models.model_from_config({"class_name": "Model", "config": config}),
}


@pytest.mark.parametrize("how", READERS)
def test_graphs_are_read_with_their_calls(backend, era, how):
    model = READERS[how](graph())
    x, y = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    kernel, bias = model.get_weights()
    if how == "json" or era == "keras2":  # a config alone does not tell its version
        gate = lambda x: np.clip(0.2 * (x @ kernel + bias) + 0.5, 0, 1)  # noqa: E731
        np.testing.assert_allclose(model.predict([x, y], verbose=0), gate(x) - gate(y), rtol=1e-4, atol=1e-5)
    assert [layer.name for layer in model.layers] == ["input_1", "input_2", "dense_1", "subtract_1"]
    assert graph() == graph() and model.output_shape == (None, 4)


MOMENTS = {"beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-7}
OPTIMIZERS = {
    "SGD": {"momentum": 0.1, "nesterov": True},
    "RMSprop": {"rho": 0.8, "epsilon": 1e-7},
    "Adagrad": {"epsilon": 1e-7},
    "Adadelta": {"rho": 0.8, "epsilon": 1e-7},
    "Adam": {**MOMENTS, "amsgrad": True},
    "Adamax": MOMENTS,
    "Nadam": {**MOMENTS, "schedule_decay": 0.004},
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("rate", ["learning_rate", "lr"])
def test_optimizers_are_read_with_what_their_configs_say(era, name, rate):
    own = {**OPTIMIZERS[name], "clipnorm": 1.0}
    config = {rate: 0.009999999776482582, "decay": 0.5, **own}
    for made in (getattr(optimizers, name).from_config(config), optimizers.get({"class_name": name, "config": config})):
        found = made.get_config()
        assert {key: found[key] for key in own} == own
        assert found["decay"] == 0.5 and found["learning_rate"] == pytest.approx(0.01)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_configs_of_optimizers_tell_of_their_decay_in_the_era_of_keras_2(era, name):
    made = getattr(optimizers, name)()
    assert made.get_config().get("decay") == (0.0 if era == "keras2" else None)
    assert type(made).from_config(made.get_config()).get_config() == made.get_config()
