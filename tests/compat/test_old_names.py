"""Paths and tools of Keras 2 that programs import; Config."""

import importlib

import numpy as np
import pytest

import polykeras as keras
from polykeras import utils
from polykeras.utils import conv_utils, data_utils, generic_utils, io_utils, layer_utils

PATHS = {
    "engine": "Input InputLayer InputSpec Layer Model Network Node Sequential load_model save_model",
    "engine.topology": "Input InputLayer InputSpec Layer Node Network",
    "engine.base_layer": "InputSpec Layer Node",
    "engine.input_layer": "Input InputLayer",
    "engine.network": "Network",
    "engine.sequential": "Sequential",
    "engine.training": "Model",
    "engine.saving": "load_model save_model",
    "layers.core": "Dense Dropout Activation Flatten Lambda Reshape Masking",
    "layers.convolutional": "Conv2D UpSampling2D ZeroPadding2D Cropping2D Convolution2D",
    "layers.pooling": "MaxPooling2D GlobalAveragePooling2D",
    "layers.recurrent": "LSTM GRU SimpleRNN RNN Recurrent",
    "layers.merge": "concatenate add Concatenate Dot",
    "layers.advanced_activations": "LeakyReLU PReLU",
    "layers.normalization": "BatchNormalization",
    "layers.wrappers": "TimeDistributed Bidirectional",
    "layers.embeddings": "Embedding",
    "layers.noise": "GaussianNoise",
    "layers.local": "LocallyConnected1D",
    "legacy.layers": "AtrousConvolution1D AtrousConvolution2D ConvRecurrent2D Highway MaxoutDense Recurrent",
    "legacy.saving": "serialize_keras_object deserialize_keras_object",
    "callbacks.callbacks": "EarlyStopping ModelCheckpoint Callback",
    "objectives": "mean_squared_error categorical_crossentropy get",
    "utils.np_utils": "to_categorical normalize",
    "utils.vis_utils": "plot_model model_to_dot",
    "utils.generic_utils": "Progbar CustomObjectScope get_custom_objects serialize_keras_object has_arg",
    "utils.data_utils": "Sequence get_file OrderedEnqueuer GeneratorEnqueuer",
    "utils.layer_utils": "print_summary count_params",
    "utils.legacy": "serialize_keras_object deserialize_keras_object",
    "preprocessing": "image_dataset_from_directory text_dataset_from_directory timeseries_dataset_from_array",
    "preprocessing.image": "ImageDataGenerator load_img img_to_array array_to_img save_img smart_resize",
    "mixed_precision": "Policy LossScaleOptimizer set_global_policy",
}


@pytest.mark.parametrize("path", PATHS)
def test_old_paths_lead_to_the_classes_of_today(path):
    module = importlib.import_module(f"polykeras.{path}")
    homes = [keras, keras.layers, keras.models, keras.losses, keras.callbacks, keras.utils, keras.saving]
    for name in PATHS[path].split():
        found = getattr(module, name)
        known = [getattr(home, name) for home in homes if hasattr(home, name)]
        assert callable(found) and (not known or found in known or path.endswith(("legacy", "saving", "generic_utils")))


def test_sizes_of_convolutions_are_those_that_layers_make():
    for size in (7, 10):
        for window, stride, padding, dilation in [(3, 1, "valid", 2), (3, 2, "same", 1), (4, 3, "valid", 1)]:
            layer = keras.layers.Conv1D(1, window, stride, padding, dilation_rate=dilation)
            made = layer.compute_output_shape((None, size, 1))[1]
            assert conv_utils.conv_output_length(size, window, padding, stride, dilation) == made
            layer = keras.layers.Conv1DTranspose(1, window, stride, padding)
            made = layer.compute_output_shape((None, size, 1))[1]
            assert conv_utils.deconv_length(size, stride, window, padding, None) == made
    full = np.convolve(np.ones(7), np.ones(3), "full")
    assert conv_utils.conv_output_length(7, 3, "full", 2) == len(full[::2])
    assert conv_utils.conv_input_length(len(full), 3, "full", 1) == 7
    assert conv_utils.deconv_length(len(full), 1, 3, "full", None) == 7
    assert conv_utils.conv_output_length(None, 3, "same", 1) is None
    assert conv_utils.normalize_tuple([1, 2], 2, "x") == (1, 2) and conv_utils.normalize_padding("Causal") == "causal"
    for call in (
        lambda: conv_utils.normalize_tuple((1, 2), 3, "x"),
        lambda: conv_utils.normalize_padding("wide"),
        lambda: conv_utils.conv_output_length(3, 3, "wide", 1),
        lambda: conv_utils.convert_kernel(np.ones(3)),
    ):
        with pytest.raises(ValueError, match="Expected"):
            call()


def test_weights_are_counted_turned_and_reordered():
    images = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype("float32")
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Conv2D(2, 3), keras.layers.Dense(1)])
    before = model.layers[0].kernel.numpy()
    layer_utils.convert_all_kernels_in_model(model)
    np.testing.assert_array_equal(model.layers[0].kernel.numpy(), before[::-1, ::-1])
    assert layer_utils.count_params([*model.weights, *model.weights]) == model.count_params()
    lines = []
    layer_utils.print_summary(model, print_fn=lines.append)
    assert "conv2d" in "".join(map(str, lines))
    dense = keras.layers.Dense(2)
    expected = dense(images.reshape(2, -1))
    layer_utils.convert_dense_weights_data_format(dense, (4, 4, 3), "channels_first")
    np.testing.assert_allclose(dense(images.transpose(0, 3, 1, 2).reshape(2, -1)), expected, rtol=1e-4, atol=1e-5)
    layer_utils.convert_dense_weights_data_format(dense, (3, 4, 4), "channels_last")
    np.testing.assert_allclose(dense(images.reshape(2, -1)), expected, rtol=1e-4, atol=1e-5)
    a, b = keras.Input((2,)), keras.Input((2,))
    assert layer_utils.get_source_inputs(keras.layers.add([a * 2, b])) == [a, b]
    assert layer_utils.get_source_inputs(a) == [a]


def test_rows_of_a_file_stand_for_an_array(tmp_path):
    h5py = pytest.importorskip("h5py")
    data = np.arange(40.0).reshape(20, 2)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["x"] = data
    matrix = io_utils.HDF5Matrix(tmp_path / "x.h5", "x", start=4, end=16, normalizer=lambda rows: rows / 2)
    expected = data[4:16] / 2
    assert (len(matrix), matrix.shape, matrix.dtype, matrix.ndim, matrix.size) == (12, (12, 2), "float64", 2, 24)
    for key in (3, -1, slice(2, 5), slice(None), [5, 1, 1], np.array([11, 0])):
        np.testing.assert_array_equal(matrix[key], expected[key])
    np.testing.assert_array_equal(np.asarray(matrix), expected)
    with pytest.raises(IndexError):
        matrix[12]
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(matrix, np.zeros(12), batch_size=5, verbose=0)
    np.testing.assert_allclose(model.predict(matrix, verbose=0), model.predict(expected, verbose=0), rtol=1e-5)


class Counting(keras.utils.Sequence):
    epochs = 0

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return index + 10 * self.epochs

    def on_epoch_end(self):
        self.epochs += 1


def test_enqueuers_give_batches_in_order_and_epoch_after_epoch():
    enqueuer = data_utils.OrderedEnqueuer(Counting())
    with pytest.raises(RuntimeError, match="start"):
        next(enqueuer.get())
    enqueuer.start(workers=2)
    batches = enqueuer.get()
    assert [next(batches) for _ in range(6)] == [0, 1, 2, 3, 10, 11] and enqueuer.is_running()
    enqueuer.stop()
    assert not enqueuer.is_running()
    shuffled = data_utils.OrderedEnqueuer(Counting(), shuffle=True)
    shuffled.start()
    batches = shuffled.get()
    assert sorted(next(batches) for _ in range(4)) == [0, 1, 2, 3]
    many = data_utils.GeneratorEnqueuer([iter("ab"), iter("cd")])
    many.start()
    assert "".join(many.get()) == "acbd"


def test_small_tools():
    assert generic_utils.has_arg(np.sum, "axis") and not generic_utils.has_arg(lambda **kwargs: 0, "x")
    assert generic_utils.transpose_shape([None, 5, 6, 3], "channels_first", (1, 2)) == [None, 3, 5, 6]
    rows = generic_utils.slice_arrays([np.arange(5), None], [3, 1])
    assert rows[0].tolist() == [3, 1] and rows[1] is None
    assert generic_utils.slice_arrays(np.arange(5), 1, 3).tolist() == [1, 2]


def test_legacy_configs_make_a_round_trip():
    legacy = utils.legacy
    config = legacy.serialize_keras_object(keras.initializers.RandomNormal(stddev=0.5, seed=1))
    assert config["class_name"] == "RandomNormal" and config["config"]["stddev"] == 0.5
    assert legacy.deserialize_keras_object(config, vars(keras.initializers)).stddev == 0.5

    def mine(x):
        return x

    assert legacy.serialize_keras_object(mine) == "mine"
    assert legacy.deserialize_keras_object("mine", custom_objects={"mine": mine}) is mine
    assert legacy.deserialize_keras_object(None) is None and legacy.serialize_keras_object(None) is None
    for call in (lambda: legacy.deserialize_keras_object("other"), lambda: legacy.serialize_keras_object(3)):
        with pytest.raises(ValueError, match="Expected"):
            call()


def test_a_config_is_a_dict_with_attributes_until_it_is_frozen():
    config = utils.Config(rate=0.1)
    config.steps = 3
    config["name"] = "a"
    assert config.as_dict() == {"rate": 0.1, "steps": 3, "name": "a"} and len(config) == 3
    assert config.get("nothing", 5) == 5 and config.pop("name") == "a" and "steps" in config
    with pytest.raises(AttributeError, match="rate"):
        _ = config.other
    config.freeze()
    for change in (lambda: setattr(config, "rate", 1), lambda: config.update(rate=1), lambda: config.pop("rate")):
        with pytest.raises(ValueError, match="frozen"):
            change()
    config.unfreeze()
    config.rate = 1
    assert config.rate == 1 and not config.frozen
