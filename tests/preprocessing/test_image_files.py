"""Batches of image files: of a folder of classes, and of a table."""

import numpy as np
import pytest

import polykeras as keras
from polykeras.preprocessing import image

pytest.importorskip("PIL")
COLOURS = {"a/1.png": 10, "a/2.png": 20, "a/in/3.png": 30, "b/4.png": 40, "b/5.bmp": 50, "c/6.png": 60}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    for name, colour in COLOURS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        image.save_img(root / name, np.full((4, 5, 3), colour, "float32"), scale=False)
    (root / "a" / "notes.txt").write_text("no image")
    return root


def flow(folder, generator=None, **options):
    generator = generator or image.ImageDataGenerator()
    return generator.flow_from_directory(folder, target_size=(3, 2), shuffle=False, batch_size=10, **options)


def test_a_folder_gives_its_images_by_class(folder, capsys):
    batches = flow(folder)
    assert "Found 6 images belonging to 3 classes." in capsys.readouterr().out
    x, y = batches[0]
    assert x.shape == (6, 3, 2, 3) and x[:, 0, 0, 0].tolist() == list(COLOURS.values())
    assert y.argmax(1).tolist() == [0, 0, 0, 1, 1, 2] == batches.classes.tolist() == batches.labels.tolist()
    assert batches.class_indices == {"a": 0, "b": 1, "c": 2} and batches.samples == batches.n == 6
    assert batches.filenames == list(COLOURS) and batches.image_shape == (3, 2, 3)


@pytest.mark.parametrize(
    "options, targets",
    [
        ({"class_mode": "sparse"}, [0, 0, 0, 1, 1, 2]),
        ({"class_mode": "binary", "classes": ["b", "c"]}, [0, 0, 1]),
        ({"class_mode": "sparse", "classes": ["c", "a"], "color_mode": "grayscale"}, [0, 1, 1, 1]),
    ],
)
def test_targets_follow_the_class_mode(folder, options, targets):
    x, y = flow(folder, **options)[0]
    assert y.tolist() == targets
    assert x.shape[-1] == (1 if "color_mode" in options else 3)


def test_images_may_be_their_own_targets_or_have_none(folder):
    x, y = flow(folder, image.ImageDataGenerator(rescale=0.1), class_mode="input", color_mode="rgba")[0]
    np.testing.assert_array_equal(x, y)
    assert x[3, 0, 0].tolist() == pytest.approx([4.0, 4.0, 4.0, 25.5])
    assert isinstance(flow(folder, class_mode=None)[0], np.ndarray)
    first = flow(folder, image.ImageDataGenerator(data_format="channels_first"), class_mode=None)[0]
    assert first.shape == (6, 3, 3, 2)


def test_each_class_is_split(folder):
    generator = image.ImageDataGenerator(validation_split=0.5)
    assert flow(folder, generator, subset="validation").filenames == ["a/1.png", "b/4.png"]
    assert len(flow(folder, generator, subset="training").filenames) == 4


def test_augmented_images_are_written_for_a_look(folder, tmp_path):
    generator = image.ImageDataGenerator(horizontal_flip=True)
    flow(folder, generator, save_to_dir=tmp_path, save_prefix="look", save_format="jpeg")[0]
    assert len(list(tmp_path.glob("look_*.jpeg"))) == 6


@pytest.fixture(params=["pandas", "dict"])
def table(request):
    names = [*COLOURS, "a/missing.png"]
    columns = {
        "filename": names,
        "class": ["x", "y", "x", "y", "x", "z", "x"],
        "several": [["x"], ["y", "z"], ["x"], ["y"], ["z"], ["x"], ["x"]],
        "size": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0],
        "age": [7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0],
        "weight": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7],
    }
    return columns if request.param == "dict" else pytest.importorskip("pandas").DataFrame(columns)


@pytest.mark.filterwarnings("ignore:1 file name")
@pytest.mark.parametrize(
    "options, targets",
    [
        ({}, np.eye(3)[[0, 1, 0, 1, 0, 2]]),
        ({"y_col": "several"}, [[1, 0, 0], [0, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]]),
        ({"class_mode": "sparse", "classes": ["y", "x"]}, [1, 0, 1, 0, 1]),
        ({"class_mode": "binary", "classes": ["z", "x"]}, [1, 1, 1, 0]),
        ({"class_mode": "raw", "y_col": "size"}, [1, 2, 3, 4, 5, 6]),
        ({"class_mode": "raw", "y_col": ["size", "age"]}, [[1, 7], [2, 6], [3, 5], [4, 4], [5, 3], [6, 2]]),
        ({"class_mode": "multi_output", "y_col": ["size", "age"]}, [[1, 2, 3, 4, 5, 6], [7, 6, 5, 4, 3, 2]]),
    ],
)
def test_a_table_names_files_and_targets(folder, table, options, targets):
    generator = image.ImageDataGenerator()
    batches = generator.flow_from_dataframe(table, str(folder), target_size=(3, 2), shuffle=False, **options)
    x, y = batches[0]
    np.testing.assert_allclose(y, targets)
    assert len(x) == batches.n


def test_a_table_gives_weights_whole_paths_and_subsets(folder, table):
    table["filename"] = [str(folder / name) for name in table["filename"]]
    generator = image.ImageDataGenerator(validation_split=0.5)
    options = {"weight_col": "weight", "subset": "training", "shuffle": False, "target_size": (3, 2)}
    with pytest.warns(UserWarning, match="1 file name"):
        x, _, weights = generator.flow_from_dataframe(table, **options)[0]
    assert x[:, 0, 0, 0].tolist() == [40, 50, 60] and weights.tolist() == [0.4, 0.5, 0.6]


@pytest.mark.filterwarnings("ignore:1 file name")
@pytest.mark.parametrize(
    "options, words",
    [
        ({"class_mode": "sparse", "y_col": "several"}, "strings in the column"),
        ({"class_mode": "binary"}, "two classes"),
        ({"class_mode": "multi_output"}, "a list of columns"),
        ({"class_mode": "another"}, "class_mode"),
        ({"y_col": "nothing"}, "Expected a column 'nothing'"),
        ({"x_col": "size"}, "file names in the column"),
        ({"color_mode": "cmyk"}, "color_mode"),
    ],
)
def test_tables_that_do_not_fit_are_refused(folder, table, options, words):
    with pytest.raises((TypeError, ValueError), match=words):
        image.ImageDataGenerator().flow_from_dataframe(table, str(folder), **options)


def test_a_model_trains_on_a_folder(folder, backend):
    model = keras.Sequential([keras.Input((3, 2, 3)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")])
    model.compile("adam", "categorical_crossentropy")
    generator = image.ImageDataGenerator(rescale=1 / 255, rotation_range=10)
    batches = generator.flow_from_directory(folder, target_size=(3, 2), batch_size=2, seed=1)
    assert len(model.fit(batches, epochs=2, verbose=0).history["loss"]) == 2
