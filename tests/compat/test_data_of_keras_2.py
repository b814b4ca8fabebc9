"""The data side of Keras 2.3.1: what programs of its time call, with the arguments they pass."""

import hashlib
import random
import tarfile

import numpy as np
import pytest

import polykeras as keras
from polykeras.applications import imagenet_utils, keras_modules_injection, vgg16
from polykeras.callbacks import CallbackList, EarlyStopping, History, ModelCheckpoint
from polykeras.compat.keras2.utils import data_utils, io_utils, np_utils, test_utils
from polykeras.preprocessing import image, sequence, text


@pytest.fixture
def archive(tmp_path):
    """A compressed archive of the folder ``flowers`` with one file, and its address."""
    (tmp_path / "flowers").mkdir()
    (tmp_path / "flowers" / "names.txt").write_text("rose")
    with tarfile.open(tmp_path / "flowers.tgz", "w:gz") as file:
        file.add(tmp_path / "flowers", "flowers")
    return tmp_path / "flowers.tgz"


def test_an_archive_is_extracted_beside_itself_and_its_path_returned(keras_2, archive, tmp_path):
    digest = hashlib.md5(archive.read_bytes()).hexdigest()
    for _ in range(2):
        path = keras.utils.get_file(
            "all.tgz", archive.as_uri(), extract=True, md5_hash=digest, cache_dir=tmp_path / "cache", cache_subdir="."
        )
        assert path == str(tmp_path / "cache" / "all.tgz")
        assert (tmp_path / "cache" / "flowers" / "names.txt").read_text() == "rose"
    folder = keras.utils.get_file("flowers", archive.as_uri(), untar=True, cache_dir=tmp_path / "second")
    assert folder == str(tmp_path / "second" / "datasets" / "flowers")
    assert (tmp_path / "second" / "datasets" / "flowers" / "names.txt").exists()


def test_a_file_name_may_be_a_path_in_keras_2_only(keras_2, archive, tmp_path):
    path = str(tmp_path / "own" / "file.tgz")
    (tmp_path / "own").mkdir()
    assert keras.utils.get_file(path, archive.as_uri()) == path
    assert keras.utils.get_file(fname=path, origin="https://nowhere.invalid/file.tgz") == path
    keras.config.set_era("keras3")
    with pytest.raises(ValueError, match="plain name"):
        keras.utils.get_file(path, archive.as_uri())


def test_a_hash_is_computed_by_its_old_name(archive):
    assert data_utils._hash_file(archive) == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert data_utils.validate_file(archive, hashlib.md5(archive.read_bytes()).hexdigest())


def test_images_are_loaded_with_grayscale_second(keras_2, tmp_path):
    path = tmp_path / "a.png"
    image.save_img(path, np.zeros((2, 3, 3)))
    assert image.load_img(path, True).mode == "L"
    assert image.load_img(path, grayscale=True, target_size=(4, 5)).size == (5, 4)
    assert image.load_img(path, False, "rgba", (4, 5)).mode == "RGBA"
    assert image.list_pictures(tmp_path) == [str(path)] and image.list_pictures(tmp_path, "jpg|bmp") == []


def test_transforms_take_rows_columns_and_channels_in_this_order(keras_2):
    x = np.arange(24.0).reshape(2, 4, 3)
    np.testing.assert_array_equal(image.apply_affine_transform(x, ty=1), x[:, [1, 2, 3, 3]])
    matrix = image.transform_matrix_offset_center(np.diag([-1.0, 1.0, 1.0]), 2, 4)
    np.testing.assert_allclose(image.apply_transform(x, matrix, channel_axis=2), x[::-1], atol=1e-5)


def test_functions_of_a_flow_draw_repeatable_numbers_from_numpy(keras_2):
    def noise(x):
        return x + np.random.normal(size=x.shape)

    x = np.zeros((4, 2, 2, 1))
    first, second = (image.ImageDataGenerator(preprocessing_function=noise).flow(x, seed=3) for _ in range(2))
    np.testing.assert_array_equal(next(first), next(second))


def test_old_arguments_of_tables_are_ignored_with_a_warning(tmp_path):
    table = {"file": [], "class": []}
    for number in range(2):
        image.save_img(tmp_path / f"{number}.png", np.zeros((2, 2, 3)))
        table["file"].append(f"{number}.png")
        table["class"].append(float(number))
    generator = image.ImageDataGenerator()
    with pytest.warns(DeprecationWarning, match="has_ext"):
        flow = generator.flow_from_dataframe(
            table, tmp_path, "file", has_ext=True, class_mode="other", target_size=(2, 2), shuffle=False
        )
    assert next(flow)[1].tolist() == flow.labels.tolist() == [0.0, 1.0]
    with pytest.raises(TypeError, match="columns"):
        generator.flow_from_dataframe(table, tmp_path, "file", columns=3)


def test_skipgrams_draw_from_pythons_generator():
    random.seed(2)
    pairs, labels = sequence.skipgrams([1, 2, 3], 4, negative_samples=2.0, shuffle=False)
    random.seed(2)
    words = [first for first, _ in pairs[:6]]
    random.shuffle(words)
    expected = [[words[n % 6], random.randint(1, 3)] for n in range(12)]
    assert pairs[6:] == expected and labels == [1] * 6 + [0] * 12
    own = sequence.skipgrams([1, 2, 3], 4, negative_samples=0, seed=5)[0]
    shuffled = [[a, b] for a in (1, 2, 3) for b in (1, 2, 3) if a != b]
    random.Random(5).shuffle(shuffled)
    assert own == shuffled


def test_long_sequences_are_left_out():
    assert sequence._remove_long_seq(3, [[1], [1, 2, 3], [1, 2]], ["a", "b", "c"]) == ([[1], [1, 2]], ["a", "c"])


def test_the_seventh_argument_of_a_tokenizer_is_the_number_of_texts(keras_2):
    assert text.Tokenizer(5, "", True, " ", False, None, 3).document_count == 3


def test_targets_by_the_names_of_keras_1():
    assert np_utils.to_categorical([0, 2], nb_classes=4).shape == (2, 4)
    assert np_utils.to_categorical(y=[0, 2]).shape == (2, 3)
    assert np_utils.probas_to_classes([[0.1, 0.9], [0.7, 0.3]]).tolist() == [1, 0]


def test_an_enqueuer_hands_on_batches_to_several_calls_of_get():
    enqueuer = keras.utils.GeneratorEnqueuer(iter([1, 2, 3]))
    enqueuer.start()
    assert [next(enqueuer.get()) for _ in range(3)] == [1, 2, 3]
    enqueuer.stop()


def test_a_scope_takes_several_dicts():
    with keras.utils.CustomObjectScope({"a": int, "b": int}, {"b": float}):
        assert keras.utils.get_registered_object("a") is int and keras.utils.get_registered_object("b") is float


def test_files_are_known_by_type(tmp_path):
    assert io_utils.h5dict is io_utils.H5Dict
    assert [io_utils.H5Dict.is_supported_type(x) for x in ({}, "a.h5", tmp_path, 3)] == [True, True, True, False]
    assert list(io_utils.H5Dict({"a": 1}).iter()) == ["a"]


def test_metrics_with_unknown_names_shall_fall_in_keras_2(keras_2, backend):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")])
    x = np.ones((4, 1))
    model.compile(keras.optimizers.SGD(0.0), "mse", metrics=[overlap])
    stop = EarlyStopping("val_overlap", patience=1)
    model.fit(x, x, epochs=5, validation_data=(x, x), callbacks=[stop], verbose=0)
    assert stop.stopped_epoch == 1
    keras.config.set_era("keras3")
    with pytest.raises(ValueError, match="mode='min' or mode='max'"):
        model.fit(x, x, validation_data=(x, x), callbacks=[EarlyStopping("val_overlap")], verbose=0)


def overlap(y_true, y_pred):
    return keras.ops.mean(y_true * y_pred)


def test_callbacks_show_how_they_compare():
    assert ModelCheckpoint("a.h5", "val_acc").monitor_op(2, 1) and not EarlyStopping("loss").monitor_op(2, 1)
    stop = EarlyStopping("loss")
    stop.monitor_op = np.greater
    assert stop.monitor_op is np.greater and stop.mode == "max"
    history = History()
    assert list(CallbackList([history])) == [history]


def test_an_early_stopping_written_out_by_a_program_compares_with_infinity(keras_2):
    class Stopping(EarlyStopping):
        def on_epoch_end(self, epoch, logs=None):
            current = logs.get(self.monitor)
            self.seen = self.monitor_op(current - self.min_delta, self.best)
            self.model.stop_training = True

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["acc"])
    for name in ("loss", "acc"):
        stop = Stopping(name)
        history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=3, verbose=0, callbacks=[stop])
        assert stop.seen and len(history.epoch) == 1


def test_layouts_and_workers_by_their_names_in_keras_1(keras_2):
    x = np.random.default_rng(0).random((6, 3, 4, 5))
    generator = image.ImageDataGenerator(dim_ordering="th", samplewise_center=True)
    assert generator.channel_axis == 1 and next(generator.flow(x, batch_size=2)).shape == (2, 3, 4, 5)
    picture = image.array_to_img(x[0], dim_ordering="th")
    assert picture.size == (5, 4) and image.img_to_array(picture, dim_ordering="tf").shape == (4, 5, 3)
    for module in (imagenet_utils, vgg16):
        last = module.preprocess_input(x.transpose(0, 2, 3, 1).copy(), data_format="channels_last")
        np.testing.assert_allclose(module.preprocess_input(x.copy(), dim_ordering="th"), last.transpose(0, 3, 1, 2))
    model = keras.Sequential([keras.Input((3, 4, 5)), keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    flow = generator.flow(x, np.ones(6), batch_size=2)
    model.fit_generator(flow, samples_per_epoch=6, nb_epoch=1, nb_worker=1, max_q_size=2, pickle_safe=False, verbose=0)
    assert flow.total_batches_seen >= 3


def test_a_layer_is_tested_by_the_function_of_keras_2(backend):
    output = test_utils.layer_test(
        keras.layers.Dense, {"units": 2, "kernel_initializer": "ones"}, input_data=np.ones((3, 4), "float32"),
        expected_output=np.full((3, 2), 4.0),
    )  # fmt: skip
    assert output.shape == (3, 2)
    with pytest.raises(AssertionError):
        test_utils.layer_test(Liar, {}, input_shape=(3, 4))


class Liar(keras.layers.Layer):
    def call(self, x):
        return x

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 7)


def test_data_for_tests_depends_on_its_class():
    np.random.seed(0)
    (x, y), (x_test, y_test) = test_utils.get_test_data(400, 100, (20,), num_classes=2)
    assert x.shape == (400, 20) and y_test.shape == (100,) and set(y) == {0, 1}
    np.testing.assert_allclose([x[y == n].mean() for n in (0, 1)], [0, 1], atol=0.05)
    (x, y), _ = test_utils.get_test_data(5, 2, (3, 2), (4,), classification=False)
    assert x.shape == (5, 3, 2) and y.shape == (5, 4)
    assert test_utils.keras_test(len)("ab") == 2


def test_a_networks_own_module_finds_what_it_imports():
    @keras_modules_injection
    def network(units, backend, layers, models, utils):
        return models.Sequential([layers.Dense(units)])

    assert network(3).layers[0].units == 3
    shape = imagenet_utils._obtain_input_shape
    last = {"default_size": 224, "min_size": 32, "data_format": "channels_last"}
    assert shape(None, **last, require_flatten=False) == (None, None, 3)
    assert shape(None, **last, include_top=True) == (224, 224, 3)
    assert shape((64, 64, 1), **last, include_top=False) == (64, 64, 1)
    assert shape((3, 40, 40), 224, 32, "channels_first", False, "imagenet") == (3, 40, 40)
    for wrong in [(16, 64, 3), (64, 64)]:
        with pytest.raises(ValueError, match="input_shape"):
            shape(wrong, **last, require_flatten=False)
    with pytest.raises(ValueError, match="input_shape"):
        shape((64, 64, 3), **last, require_flatten=True, weights="imagenet")
