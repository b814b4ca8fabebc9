"""Datasets as those of ``tf.data``: the same batches in the same order, for programs that are written for them."""

import wave

import numpy as np
import pytest

import polykeras as keras

tf = pytest.importorskip("tensorflow")


@pytest.fixture
def folder(tmp_path):
    for name in ("cats", "dogs"):
        (tmp_path / name).mkdir()
        for index in range(4):
            keras.utils.save_img(tmp_path / name / f"{index}.png", np.full((4, 6, 3), 40 * index), scale=False)
            (tmp_path / name / f"{index}.txt").write_text(f"{name} {index}")
            with wave.open(str(tmp_path / name / f"{index}.wav"), "wb") as file:
                file.setparams((1, 2, 8000, 4, "NONE", ""))
                file.writeframes(np.arange(index + 2).astype("int16").tobytes())
    return tmp_path


def test_the_kind_of_a_dataset_is_that_of_the_backend_or_the_one_asked_for(backend, folder):
    read = keras.utils.image_dataset_from_directory
    options = {"image_size": (5, 7), "seed": 3, "verbose": False, "batch_size": 3}
    made = {format: read(folder, format=format, **options) for format in (None, "tf", "grain")}
    kinds = {format: isinstance(dataset, tf.data.Dataset) for format, dataset in made.items()}
    assert kinds == {None: backend.name == "tensorflow", "tf": True, "grain": False}
    for dataset in made.values():
        assert len(dataset) == 3 and dataset.class_names == ["cats", "dogs"] and len(dataset.file_paths) == 8
    for (x, y), (other_x, other_y) in zip(made["tf"], made["grain"], strict=True):
        np.testing.assert_array_equal(x, other_x)
        np.testing.assert_array_equal(y, other_y)


def test_shapes_are_known_in_graphs(folder):
    images = keras.utils.image_dataset_from_directory(folder, image_size=(5, 7), format="tf", verbose=False)
    assert images.element_spec == (tf.TensorSpec((None, 5, 7, 3), "float32"), tf.TensorSpec((None,), "int32"))
    with keras.backends.use("tensorflow"):
        sounds = keras.utils.audio_dataset_from_directory(folder, output_sequence_length=3, verbose=False)
        ragged = keras.utils.audio_dataset_from_directory(folder, batch_size=4, ragged=True, verbose=False)
    assert sounds.element_spec[0].shape.as_list() == [None, 3, None]
    assert next(iter(ragged))[0].shape.as_list() == [4, None, None]
    texts = keras.utils.text_dataset_from_directory(folder, label_mode=None, format="tf", verbose=False)
    assert sorted(next(iter(texts)).numpy())[0] == b"cats 0"


def test_other_backends_train_on_what_tf_data_makes_of_a_dataset(backend, folder):
    dataset = keras.utils.image_dataset_from_directory(folder, image_size=(4, 4), batch_size=2, verbose=False)
    dataset = dataset.map(lambda x, y: (x / 255.0, y)).cache().prefetch(tf.data.AUTOTUNE)
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert len(model.fit(dataset, epochs=2, verbose=0).history["loss"]) == 2


@pytest.mark.parametrize("preferred", [None, "tensorflow", "torch"])
def test_halves_are_of_the_preferred_kind(backend, preferred):
    x, y = np.random.default_rng(0).random((10, 2)), np.arange(10)
    for data in ((x, y), [x, y], tf.data.Dataset.from_tensor_slices((x, y))):
        halves = keras.utils.split_dataset(data, left_size=0.2, preferred_backend=preferred)
        is_default = isinstance(data, tf.data.Dataset) or backend.name == "tensorflow"
        for half, size in zip(halves, (2, 8), strict=True):
            assert isinstance(half, tf.data.Dataset) == (
                preferred == "tensorflow" or (preferred is None and is_default)
            )
            assert len(half) == size == int(tf.data.Dataset.cardinality(half))
            assert [tuple(np.shape(part)) for part in next(iter(half))] == [(2,), ()]
