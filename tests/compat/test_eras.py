"""Defaults and names that differ between Keras 2.3.1 and Keras 3, and how a program gets those of its time."""

import inspect
import json
import os
import subprocess
import sys

import numpy as np
import pytest

import polykeras as keras
from polykeras.compat.script_era import older_name

X = np.linspace(-1, 1, 24, dtype="float32").reshape(12, 2)
Y = (X[:, :1] > 0).astype("float32")


def model(**compiled):
    made = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, activation="sigmoid", kernel_initializer="ones")])
    made.compile(**{"optimizer": "sgd", "loss": "binary_crossentropy", "metrics": ["accuracy"], **compiled})
    return made


#: (what to make, attribute, in Keras 2.3.1, in Keras 3)
DEFAULTS = [
    (keras.optimizers.Adadelta, "learning_rate", 1.0, 0.001),
    (keras.optimizers.Adagrad, "learning_rate", 0.01, 0.001),
    (keras.optimizers.Adagrad, "initial_accumulator_value", 0.0, 0.1),
    (keras.optimizers.Adamax, "learning_rate", 0.002, 0.001),
    (keras.optimizers.Nadam, "learning_rate", 0.002, 0.001),
    (keras.optimizers.RMSprop, "learning_rate", 0.001, 0.001),
    (keras.optimizers.SGD, "learning_rate", 0.01, 0.01),
    (lambda: keras.layers.GRU(2), "reset_after", False, True),
    (lambda: keras.layers.Conv2D(8, 3, 2), "kernel_size", (3, 2), (3, 3)),
    (lambda: keras.layers.Conv2D(8, 3, 2), "strides", (1, 1), (2, 2)),
    (lambda: keras.losses.KLDivergence(), "name", "kullback_leibler_divergence", "kl_divergence"),
    (lambda: keras.losses.LogCosh(), "name", "logcosh", "log_cosh"),
]


@pytest.mark.parametrize(("make", "name", "older", "newer"), DEFAULTS)
def test_defaults_are_those_of_the_era(make, name, older, newer):
    found = []
    for era in ("keras3", "keras2", "keras3"):
        keras.config.set_era(era)
        value = getattr(make(), name)
        found.append(value if isinstance(value, str | tuple | bool) else round(float(value), 6))
    assert found == [newer, older, newer]


def test_an_adagrad_of_keras_2_takes_its_first_step_by_the_sign(backend, keras_2):
    weight = keras.Variable(np.array([1.0, 1.0], "float32"))
    keras.optimizers.Adagrad().apply([keras.ops.convert_to_tensor([3.0, -0.5])], [weight])
    np.testing.assert_allclose(weight.numpy(), [0.99, 1.01], rtol=1e-5)


def test_hard_sigmoid_has_the_slope_of_keras_2_and_keeps_it_in_files(backend, keras_2, tmp_path):
    made = keras.Sequential([keras.Input((2,)), keras.layers.Activation("hard_sigmoid")])
    made.save(tmp_path / "model.keras")
    expected = np.clip(0.2 * X + 0.5, 0, 1)
    np.testing.assert_allclose(made.predict(X), expected, rtol=1e-5)
    keras.config.set_era("keras3")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict(X, verbose=0), expected, rtol=1e-5)


def test_logs_have_the_names_of_keras_2_and_are_found_by_those_of_keras_3(backend, keras_2, tmp_path):
    seen = []
    halve = keras.callbacks.LearningRateScheduler(lambda epoch: 0.5 ** (epoch + 1))
    watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append((logs["acc"], logs.get("lr"))))
    best = keras.callbacks.ModelCheckpoint(str(tmp_path / "{val_accuracy:.1f}.h5"), "val_acc", save_best_only=True)
    stop = keras.callbacks.EarlyStopping("val_accuracy", patience=9)
    history = model().fit(X, Y, epochs=2, verbose=0, validation_data=(X, Y), callbacks=[halve, watch, best, stop])
    assert sorted(history.history) == ["acc", "loss", "lr", "val_acc", "val_loss"]
    assert history.history["accuracy"] == history.history["acc"] and history.history["learning_rate"] == [0.5, 0.25]
    assert [rate for _, rate in seen] == [0.5, 0.25] and len(list(tmp_path.iterdir())) == 1
    assert model(metrics=["mse"]).fit(X, Y, verbose=0).history.keys() == {"loss", "mse"}


def test_logs_of_keras_3_keep_their_names():
    history = model().fit(X, Y, verbose=0).history
    assert sorted(history) == ["accuracy", "loss"] and type(history) is dict


@pytest.mark.parametrize("name", ["model", "model.ckpt", "model.best"])
def test_a_file_of_any_name_is_hdf5(backend, keras_2, tmp_path, name):
    made = model()
    made.save(tmp_path / name)
    made.save_weights(tmp_path / f"weights_{name}")
    again = keras.models.load_model(tmp_path / name)
    np.testing.assert_allclose(again.predict(X), made.predict(X), rtol=1e-5)
    keras.config.set_era("keras3")
    again.load_weights(tmp_path / f"weights_{name}")
    with pytest.raises(ValueError, match="set_era"):
        made.save(tmp_path / name)


def test_names_count_from_1(keras_2):
    keras.backend.clear_session()
    x = keras.Input((2,))
    hidden = keras.layers.Dense(2)(x)
    made = keras.Model(x, keras.layers.Dense(1)(hidden))
    assert [made.name, *(layer.name for layer in made.layers)] == ["model_1", "input_1", "dense_1", "dense_2"]


def test_arguments_by_position_come_in_the_order_of_keras_2(keras_2):
    layer = keras.layers.Conv2D(4, (3, 3), (1, 1), "same", None, (1, 1), "relu", False)
    assert layer.activation is keras.activations.relu and not layer.use_bias and layer.groups == 1
    assert keras.losses.BinaryCrossentropy(False, 0.1, "sum").reduction == "sum"

    class Mine(keras.metrics.Metric):
        def __init__(self, name="mine", **kwargs):
            super().__init__(name, **kwargs)

    assert Mine().name == "mine" and keras.metrics.MeanSquaredError().name == "mean_squared_error"


def test_numpys_seed_repeats_weights_in_keras_2_and_pythons_in_keras_3(backend):
    import random

    from polykeras.core import seeds

    position = seeds.state()
    try:
        seeds._global_seed = None
        for era, seed in (("keras2", np.random.seed), ("keras3", random.seed)):
            keras.config.set_era(era)
            values = []
            for number in (1, 1, 2):
                seed(number)
                values.append(keras.layers.Dense(3, input_shape=(2,)))
                values[-1].build((None, 2))
            first, again, other = (layer.get_weights()[0] for layer in values)
            assert (first == again).all() and (first != other).any()
    finally:
        keras.config.set_era("keras3")
        seeds.set_state(position)


def test_an_unknown_era_is_refused():
    with pytest.raises(ValueError, match=r"Expected era to be one of .* Received: 'keras1'"):
        keras.config.set_era("keras1")
    done = subprocess.run(
        [sys.executable, "-c", "import polykeras"], env={**os.environ, "KERAS_ERA": "5"}, capture_output=True, text=True
    )
    assert "Expected KERAS_ERA" in done.stderr and done.returncode


SCRIPTS = {
    "from keras.layers.convolutional import Conv2D": "keras.layers.convolutional.Conv2D",
    "from keras.layers import Convolution2D\nConvolution2D(8, 3, 3, border_mode='same')": "Convolution2D(border_mode=)",
    "import keras\nkeras.optimizers.SGD(lr=0.1)": "SGD(lr=)",
    "import keras\nmodel.fit_generator(x)": "fit_generator()",
    "from keras import backend as K\nK.mean(x)": "keras.backend.mean",
    "from keras.models import Model\nModel(input=x, output=y)": "Model(input=)",
    "from keras.utils import np_utils": "keras.utils.np_utils",
    "import keras.backend as K\nK.set_floatx('float16')": None,
    "import keras\nkeras.layers.Dense(2)": None,
    "from tensorflow.keras.layers import Dense\nmodel.fit_generator(x)": None,
    "import torch\ntorch.optim.SGD(p, lr=0.1)": None,
    "import keras, torch\ntorch.optim.Adam(model.parameters(), lr=0.1)": None,
    "import keras\nfrom torch.optim import Adam\nAdam(p, lr=0.1)": None,
    "import keras, xgboost as xgb\nxgb.XGBClassifier(subsample=0.5)": None,
    "import keras\ngrid = dict(subsample=[0.5])": None,
    "import keras\ndef sgd(lr): pass\nsgd(lr=0.1)": None,
    "import keras, tensorflow as tf\ntf.keras.optimizers.Adam(lr=0.1)": None,
    "from keras.layers import *\nDense(8, W_regularizer='l2')": "Dense(W_regularizer=)",
    "from keras.models import Sequential\nSequential().fit(x, y, nb_epoch=3)": "fit(nb_epoch=)",
    "from keras.optimizers import *\nSGD(lr=0.1)": "SGD(lr=)",
    "from keras.optimizers import SGD as Descent\nDescent(lr=0.1)": "Descent(lr=)",
    "from keras import (": None,
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_is_known_by_what_only_its_time_had(script):
    assert older_name(script) == SCRIPTS[script]


def test_run_takes_the_era_of_the_script_unless_the_environment_says_another(tmp_path):
    script = tmp_path / "old.py"
    script.write_text("from keras.layers.core import Dense\nimport keras\nprint(keras.layers.GRU(2).reset_after)\n")
    for era, expected in ((None, "False"), ("3", "True")):
        environment = {name: value for name, value in os.environ.items() if name != "KERAS_ERA"}
        environment |= {"KERAS_BACKEND": "numpy"} | ({"KERAS_ERA": era} if era else {})
        command = [sys.executable, "-m", "polykeras", "run", str(script)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.stdout.split()[-1] == expected, done.stderr


def test_files_of_keras_2_are_read_by_its_defaults(tmp_path):
    h5py = pytest.importorskip("h5py")
    gru = {"class_name": "GRU", "config": {"name": "g", "units": 2, "batch_input_shape": [None, 3, 2]}}
    dense = {"class_name": "Dense", "config": {"name": "d", "units": 1, "activation": "hard_sigmoid"}}
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.attrs["keras_version"] = "2.2.4"
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": [gru, dense]})
        root = file.create_group("model_weights")
        root.attrs["layer_names"] = [b"g", b"d"]
        for name, shapes in (("g", [(2, 6), (2, 6), (6,)]), ("d", [(2, 1), (1,)])):
            keys = [f"{name}_{index}" for index in range(len(shapes))]
            root.create_group(name).attrs["weight_names"] = [key.encode() for key in keys]
            for key, shape in zip(keys, shapes, strict=True):
                root[name][key] = np.full(shape, 0.3, "float32")
    loaded = keras.models.load_model(tmp_path / "old.h5")
    assert not loaded.layers[0].reset_after and loaded.layers[1].activation is keras.backend.hard_sigmoid


def test_signatures_show_the_defaults_of_the_era(keras_2):
    assert inspect.signature(keras.layers.GRU).parameters["reset_after"].default is False
    keras.config.set_era("keras3")
    assert inspect.signature(keras.layers.GRU).parameters["reset_after"].default is True


class Batches(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.begun, self.ended = [], []

    def on_batch_begin(self, batch, logs=None):
        self.begun.append((batch, logs.get("batch"), logs.get("size")))

    def on_batch_end(self, batch, logs=None):
        self.ended.append((batch, logs.get("batch"), logs.get("size"), "loss" in logs))


@pytest.mark.parametrize("as_generator", [False, True])
def test_callbacks_of_keras_2_are_told_the_number_and_size_of_a_batch(backend, keras_2, as_generator, capsys):
    data = (((X[n : n + 5], Y[n : n + 5]) for n in (0, 5, 10)),) if as_generator else (X, Y)
    callback, made = Batches(), model()
    history = made.fit(*data, callbacks=[callback], verbose=1, **({} if as_generator else {"batch_size": 5}))
    assert callback.ended == [(0, 0, 5, True), (1, 1, 5, True), (2, 2, 2, True)]
    assert [begun[:2] for begun in callback.begun] == [(0, 0), (1, 1), (2, 2)]
    assert "size" not in history.history and "size" not in capsys.readouterr().out


def test_logs_of_batches_are_those_of_keras_3_in_its_era(backend):
    callback = Batches()
    model().fit(X, Y, batch_size=6, callbacks=[callback], verbose=0)
    assert callback.ended == [(0, None, None, True), (1, None, None, True)]


def test_arguments_by_position_mean_those_of_keras_2(keras_2):
    regularizer = keras.regularizers.l1_l2()
    assert regularizer.get_config() == {"l1": 0.01, "l2": 0.01}
    embedding = keras.layers.Embedding(5, 2, "uniform", None, None, None, True, 7)
    assert embedding.mask_zero and embedding.embeddings_constraint is None
    transpose = keras.layers.Conv3DTranspose(2, 3, 2, "same", 1, "channels_last", "relu")
    assert transpose.output_padding == (1, 1, 1) and transpose.data_format == "channels_last"
    common = ["tanh", "sigmoid", True, "zeros", "zeros", "zeros"]
    lstm = keras.layers.LSTMCell(2, *common, True, *[None] * 6, 0.25, 0.5, 1)
    assert (lstm.dropout, lstm.recurrent_dropout, lstm.implementation) == (0.25, 0.5, 1)
    gru = keras.layers.GRUCell(2, *common, *[None] * 6, 0.25, 0.5, 1, True)
    assert (gru.implementation, gru.reset_after) == (1, True)
    several = [2, 3, 1, "same", None, 1, "tanh", "sigmoid", True, "zeros", "zeros", "zeros", True]
    convolution = keras.layers.ConvLSTM2D(*several, *[None] * 7, True, False, True, 0.25, 0.5)
    assert convolution.return_sequences and convolution.stateful and convolution.recurrent_dropout == 0.5


def test_methods_of_models_take_their_arguments_in_the_order_of_keras_2(backend, keras_2, tmp_path):
    made = keras.Sequential([keras.layers.Dense(1, input_shape=(2,), activation="sigmoid")], "first")
    made.compile("sgd", "binary_crossentropy", ["accuracy"], None, None, None, None)
    history = made.fit(X, Y, 4, 2, 0, None, 0.25, None, False, None, None, 0, None, None, 2, 10, 1, False)
    assert made.name == "first" and [len(history.history[name]) for name in ("acc", "val_acc")] == [2, 1]
    assert len(made.evaluate(X, Y, 4, 0, None, None, None, 10, 1, False)) == 2
    assert made.predict(X, 4, 0, None, None, 10, 1, False).shape == (12, 1)
    assert len(made.train_on_batch(X, Y, None, None, True)) == len(made.test_on_batch(X, Y, None, False)) == 2
    made.save(tmp_path / "model.h5", True, False)
    made.load_weights(tmp_path / "model.h5", True)
    with pytest.raises(TypeError, match="at most 5 positional arguments. Received: 6"):
        made.test_on_batch(X, Y, None, True, 1)
    with pytest.raises(TypeError, match="verbose"):
        made.predict(X, 4, 0, None, verbose=1)


def test_functions_take_their_arguments_in_the_order_of_keras_2(keras_2):
    assert keras.layers.Input((2,), None, "words", "int32").dtype == "int32"
    probabilities = np.array([[0.25, 0.75], [0.5, 0.5]], "float32").T
    losses = keras.losses.sparse_categorical_crossentropy(np.array([0, 1]), probabilities, False, 0)
    np.testing.assert_allclose(losses, -np.log([0.25, 0.5]), rtol=1e-5)
    optimizer = keras.optimizers.Adam(0.1, 0.8, 0.9, True)
    assert optimizer.amsgrad and optimizer.epsilon == 1e-7


def test_layers_with_one_spatial_axis_have_their_channels_last_whatever_images_have(keras_2):
    keras.config.set_image_data_format("channels_first")
    try:
        layers = [keras.layers.Conv1D(2, 3), keras.layers.MaxPooling1D(), keras.layers.GlobalAveragePooling1D()]
        assert {layer.data_format for layer in layers} == {"channels_last"}
        assert keras.layers.MaxPooling2D().data_format == keras.layers.Conv2D(2, 3).data_format == "channels_first"
    finally:
        keras.config.set_image_data_format("channels_last")
