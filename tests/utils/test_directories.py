"""Datasets from folders of images, texts and sounds, compared with real Keras."""

import os
import struct
import wave

import numpy as np
import pytest

import polykeras as keras
from polykeras.datasets.sounds import decode_wav
from polykeras.training.data.datasets import PyDataset
from polykeras.utils import audio_dataset_from_directory, image_dataset_from_directory, text_dataset_from_directory

GENERATOR = np.random.default_rng(0)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Eight images in two folders, with folders inside, and a file that is none."""
    pillow = pytest.importorskip("PIL.Image")
    root = tmp_path_factory.mktemp("images")
    for name in ("dogs", "cats"):
        (root / name / "more").mkdir(parents=True)
        for index in range(4):
            path = root / name / ("more" if index == 3 else "") / f"{index}.png"
            pillow.fromarray(GENERATOR.integers(0, 255, (6, 9, 3)).astype("uint8")).save(path)
    (root / "cats" / "readme.md").write_text("no image")
    return root


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    root = tmp_path_factory.mktemp("texts")
    for label in ("neg", "pos"):
        (root / label).mkdir()
        for index in range(3):
            (root / label / f"{index}.txt").write_text(f"{label} {index} with some words", "utf-8")
    return root


def write_wav(path, samples, bytes_each=2, rate=8000):
    """Samples (n, channels) as integers, by the standard library."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(bytes_each)
        file.setframerate(rate)
        data = b"".join(int(n).to_bytes(bytes_each, "little", signed=bytes_each > 1) for n in samples.ravel())
        file.writeframes(data)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    root = tmp_path_factory.mktemp("sounds")
    for index, label in enumerate(("a", "b")):
        (root / label).mkdir()
        for length in (5, 8):
            write_wav(root / label / f"{length}.wav", GENERATOR.integers(-1000, 1000, (length + index, 1)))
    return root


def as_numpy(batch):
    parts = batch if isinstance(batch, tuple) else (batch,)
    return [np.asarray(part) for part in parts]


IMAGE_CASES = [
    {},
    {"label_mode": "categorical", "batch_size": 3},
    {"label_mode": "binary"},
    {"label_mode": None},
    {"labels": None, "color_mode": "grayscale"},
    {"labels": [0, 1, 1, 0, 2, 2, 0, 1], "color_mode": "rgba"},
    {"batch_size": None},
    {"class_names": ["dogs", "cats"], "data_format": "channels_first"},
    {"class_names": ["dogs"], "interpolation": "area"},
    {"validation_split": 0.3, "subset": "training"},
    {"validation_split": 0.3, "subset": "validation"},
    {"validation_split": 0.3, "subset": "both"},
    {"crop_to_aspect_ratio": True},
    {"crop_to_aspect_ratio": True, "interpolation": "area", "image_size": (5, 2)},
    {"pad_to_aspect_ratio": True},
    {"pad_to_aspect_ratio": True, "interpolation": "bicubic", "image_size": (7, 3)},
    {"interpolation": "mitchellcubic", "image_size": (2, 3)},
    {"image_size": (12, 5), "interpolation": "lanczos3", "follow_links": True, "format": "grain"},
]


@pytest.mark.parametrize("options", IMAGE_CASES, ids=str)
def test_image_datasets_are_those_of_keras(real_keras, images, options):
    pytest.importorskip("tensorflow")
    options = {"shuffle": False, "image_size": (4, 5), "verbose": False, **options}
    expected = real_keras.utils.image_dataset_from_directory(images, **{**options, "format": "tf"})
    found = image_dataset_from_directory(images, **options)
    if options.get("subset") != "both":
        expected, found = [expected], [found]
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.file_paths == other.file_paths
        assert one.class_names == getattr(other, "class_names", None)
        assert len(one) == len(other)
        for batch, wanted in zip(one, other, strict=True):
            for part, target in zip(as_numpy(batch), as_numpy(wanted), strict=True):
                assert part.dtype == target.dtype and part.shape == target.shape
                tolerance = 1.1 if options.get("color_mode") == "grayscale" else 1e-2
                np.testing.assert_allclose(part, target, atol=tolerance)


def test_shuffled_files_keep_their_labels_and_each_epoch_has_its_order(images):
    def orders(backend_name, **options):
        with keras.backends.use(backend_name):
            dataset = image_dataset_from_directory(images, image_size=(2, 2), batch_size=3, verbose=False, **options)
            return [[as_numpy(batch) for batch in dataset] for _ in range(2)]

    names = keras.backends.available()
    runs = [orders(name, seed=5) for name in (names[0], names[-1])]
    for first, second in zip(*runs, strict=True):
        for batch, other in zip(first, second, strict=True):
            [np.testing.assert_array_equal(a, b) for a, b in zip(batch, other, strict=True)]
    epochs = [np.concatenate([labels for _, labels in epoch]) for epoch in runs[0]]
    assert sorted(epochs[0]) == sorted(epochs[1]) == [0] * 4 + [1] * 4
    pixels = [np.concatenate([x.reshape(len(x), -1) for x, _ in epoch]) for epoch in runs[0]]
    assert not np.array_equal(pixels[0], pixels[1])
    plain = image_dataset_from_directory(images, image_size=(2, 2), shuffle=False, verbose=False)
    known = {x.tobytes(): y for x, y in zip(*plain[0], strict=True)}
    for x, y in zip(pixels[0], epochs[0], strict=True):
        assert known[x.reshape(2, 2, 3).tobytes()] == y


def test_training_and_validation_share_no_file(images, capsys):
    parts = [
        image_dataset_from_directory(images, validation_split=0.25, subset=subset, seed=1).file_paths
        for subset in ("training", "validation")
    ]
    assert len(parts[0]) == 6 and len(parts[1]) == 2 and not set(parts[0]) & set(parts[1])
    output = capsys.readouterr().out
    assert "Found 8 files belonging to 2 classes." in output and "Using 2 files for validation." in output


def test_a_model_trains_on_a_folder_with_workers(backend, images):
    training, validation = image_dataset_from_directory(
        images,
        image_size=(4, 4),
        batch_size=4,
        validation_split=0.5,
        subset="both",
        seed=0,
        format="grain",
        verbose=False,
    )
    training.workers = 2
    model = keras.Sequential(
        [
            keras.Input((4, 4, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(training, epochs=3, verbose=0, validation_data=validation).history
    assert len(history["val_accuracy"]) == 3 and history["loss"][-1] < history["loss"][0]
    assert isinstance(training, PyDataset)


def test_datasets_are_mapped_cut_and_batched_anew(images):
    dataset = image_dataset_from_directory(images, image_size=(2, 2), shuffle=False, batch_size=3, verbose=False)
    scaled = dataset.map(lambda x, y: (x / 255, y + 10))
    assert len(scaled) == 3 and as_numpy(scaled[0])[1].tolist() == [10, 10, 10]
    assert max(x.max() for x, _ in scaled) <= 1
    assert [len(y) for _, y in dataset.take(2)] == [3, 3]
    assert [y.tolist() for _, y in dataset.skip(2)] == [[1, 1]]
    assert [y.tolist() for _, y in dataset.skip(1).unbatch().batch(4)] == [[0, 1, 1, 1], [1]]
    single = image_dataset_from_directory(images, image_size=(2, 2), shuffle=False, batch_size=None, verbose=False)
    assert [len(y) for _, y in single.map(lambda x, y: (x, y)).batch(3, drop_remainder=True)] == [3, 3]
    with pytest.raises(ValueError, match="single samples"):
        dataset.batch(2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": [0, 1]}, "label for each of 8 files. Received: 2"),
        ({"labels": "folders"}, 'labels to be "inferred"'),
        ({"label_mode": "one_hot"}, "label_mode"),
        ({"label_mode": "binary", "class_names": ["cats"]}, "2 classes"),
        ({"class_names": ["cats", "birds"]}, "class_names among the folders"),
        ({"class_names": ["cats"], "labels": None}, "class_names only"),
        ({"color_mode": "cmyk"}, "color_mode"),
        ({"interpolation": "best"}, "interpolation"),
        ({"image_size": (4,)}, "image_size"),
        ({"image_size": (4, 0)}, "image_size"),
        ({"batch_size": 0}, "batch_size"),
        ({"subset": "training"}, "validation_split and subset together"),
        ({"validation_split": 0.2}, "validation_split and subset together"),
        ({"validation_split": 2, "subset": "training", "seed": 1}, "validation_split to be greater than 0"),
        ({"validation_split": 0.2, "subset": "test", "seed": 1}, "subset"),
        ({"validation_split": 0.2, "subset": "training"}, "seed"),
        ({"validation_split": 0.01, "subset": "validation", "seed": 1}, "every subset"),
        ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "Received: both"),
        ({"format": "torch"}, "format"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused(images, options, message):
    with pytest.raises(ValueError, match=message):
        image_dataset_from_directory(images, verbose=False, **options)


def test_a_folder_that_is_missing_or_empty_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        image_dataset_from_directory(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="files of .*Received: none"):
        text_dataset_from_directory(tmp_path)


@pytest.mark.parametrize("options", [{}, {"max_length": 5, "batch_size": 4}, {"label_mode": "binary"}], ids=str)
def test_text_datasets_are_those_of_keras(real_keras, texts, options):
    pytest.importorskip("tensorflow")
    options = {"shuffle": False, "verbose": False, **options}
    expected = real_keras.utils.text_dataset_from_directory(texts, **options)
    found = text_dataset_from_directory(texts, **options)
    assert found.class_names == expected.class_names
    assert sorted(found.file_paths) == found.file_paths
    for (text, label), (wanted, target) in zip(found, expected, strict=True):
        assert text.tolist() == [item.decode() for item in wanted.numpy()]
        np.testing.assert_array_equal(label, target)


def test_texts_that_are_no_unicode_are_read_with_marks(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"caf\xe9")
    assert next(iter(text_dataset_from_directory(tmp_path, labels=None, verbose=False))).tolist() == [
        "caf\N{REPLACEMENT CHARACTER}"
    ]


@pytest.mark.parametrize("options", [{}, {"output_sequence_length": 6}, {"batch_size": 2}], ids=str)
def test_audio_datasets_are_those_of_keras(real_keras, sounds, options):
    pytest.importorskip("tensorflow")
    options = {"shuffle": False, "verbose": False, **options}
    expected = real_keras.utils.audio_dataset_from_directory(sounds, **options)
    found = audio_dataset_from_directory(sounds, **options)
    assert found.class_names == expected.class_names
    assert sorted(found.file_paths) == found.file_paths
    for batch, wanted in zip(found, expected, strict=True):
        for part, target in zip(as_numpy(batch), as_numpy(wanted), strict=True):
            np.testing.assert_allclose(part, target, atol=1e-6)


def test_sounds_may_keep_their_lengths_or_be_refused(sounds, tmp_path):
    ((batch, labels),) = audio_dataset_from_directory(sounds, shuffle=False, ragged=True, verbose=False)
    assert [x.shape for x in batch] == [(5, 1), (8, 1), (6, 1), (9, 1)] and labels.tolist() == [0, 0, 1, 1]
    with pytest.raises(ValueError, match="Received: both"):
        audio_dataset_from_directory(sounds, ragged=True, output_sequence_length=4)
    with pytest.raises(ValueError, match="sampling_rate=16000 in every file. Received: 8000"):
        list(audio_dataset_from_directory(sounds, sampling_rate=16000, verbose=False))
    write_wav(tmp_path / "1.wav", np.zeros((3, 1)))
    write_wav(tmp_path / "2.wav", np.zeros((3, 2)))
    with pytest.raises(ValueError, match="the same number of channels"):
        list(audio_dataset_from_directory(tmp_path, labels=None, verbose=False))
    (tmp_path / "1.wav").write_bytes(b"RIFFnonsense")
    with pytest.raises(ValueError, match="Expected a WAV file. Received: .*1.wav"):
        list(audio_dataset_from_directory(tmp_path, labels=None, shuffle=False, verbose=False))


@pytest.mark.parametrize(("bytes_each", "zero", "one"), [(1, 128, 128), (2, 0, 2**15), (3, 0, 2**23), (4, 0, 2**31)])
def test_integers_of_every_width_become_numbers_from_minus_1_to_1(tmp_path, bytes_each, zero, one):
    wanted = np.array([[0.0, 0.5], [-1.0, -0.25]])
    write_wav(tmp_path / "a.wav", wanted * one + zero, bytes_each, 44100)
    rate, found = decode_wav((tmp_path / "a.wav").read_bytes())
    assert rate == 44100 and found.dtype == "float32"
    np.testing.assert_array_equal(found, wanted)


def test_floats_other_chunks_and_the_extensible_format_are_read():
    samples = np.array([0.25, -0.5], "<f4").tobytes()
    head = struct.pack("<HHIIHH", 3, 1, 8000, 32000, 4, 32)
    extended = struct.pack("<HHIIHHHHIH14x", 0xFFFE, 1, 8000, 32000, 4, 32, 22, 32, 0, 3)
    for form in (head, extended):
        chunks = b"LIST" + struct.pack("<I", 3) + b"abc\0"
        chunks += b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(samples)) + samples
        data = b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks
        np.testing.assert_array_equal(decode_wav(data)[1], [[0.25], [-0.5]])
    with pytest.raises(ValueError, match="format 3 with 16 bits"):
        decode_wav(data.replace(extended, struct.pack("<HHIIHHHHIH14x", 0xFFFE, 1, 8000, 16000, 2, 16, 22, 16, 0, 3)))


def test_links_to_folders_are_followed_on_request(images, tmp_path):
    os.symlink(images / "cats" / "more", tmp_path / "linked")
    (tmp_path / "own").mkdir()
    keras.utils.save_img(tmp_path / "own" / "1.png", np.ones((2, 2, 3)))
    counts = [
        len(image_dataset_from_directory(tmp_path, labels=None, follow_links=follows, verbose=False).file_paths)
        for follows in (False, True)
    ]
    assert counts == [1, 2]


def test_datasets_take_the_options_of_tf_data(images):
    dataset = image_dataset_from_directory(images, image_size=(2, 2), shuffle=False, batch_size=3, verbose=False)
    mapped = dataset.map(lambda x, y: (x, y + 10), num_parallel_calls=8, deterministic=True)
    assert [y.tolist() for _, y in mapped] == [[10, 10, 10], [10, 11, 11], [11, 11]]
    assert [len(y) for _, y in dataset.map(lambda x, y: (x, y), 4).take(-1, name="all")] == [3, 3, 2]
    assert len(dataset.skip(-1)) == 0
    singles = dataset.unbatch(name="singles").batch(4, drop_remainder=True, num_parallel_calls=2)
    assert [len(y) for _, y in singles] == [4, 4]
    with pytest.raises(TypeError, match="'num_parallel_call'"):
        dataset.map(lambda x, y: x, num_parallel_call=2)


def test_images_are_cropped_by_the_first_name_of_that_option(images):
    options = {"image_size": (2, 3), "shuffle": False, "verbose": False}
    first, second = (
        image_dataset_from_directory(images, **options, **{name: True})
        for name in ("smart_resize", "crop_to_aspect_ratio")
    )
    np.testing.assert_array_equal(as_numpy(first[0])[0], as_numpy(second[0])[0])
