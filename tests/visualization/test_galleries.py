"""Galleries: what is on the figures that matplotlib gets."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import polykeras as keras
from polykeras import ops

pytest.importorskip("matplotlib").use("Agg")
from matplotlib import patches, pyplot  # noqa: E402

gallery = keras.visualization.plot_image_gallery
IMAGES = np.random.default_rng(0).integers(0, 255, (5, 6, 8, 3)).astype("uint8")


@pytest.fixture(autouse=True)
def no_figures_left():
    yield
    pyplot.close("all")


def pictures(figure):
    return [axes.images[0].get_array() for axes in figure.axes if axes.images]


def test_every_image_is_shown_once_as_it_is(backend):
    for images, arguments in (
        (IMAGES, {}),
        (IMAGES / 255.0, {"value_range": (0, 1)}),
        (IMAGES / 127.5 - 1, {"value_range": (-1, 1)}),
        (np.moveaxis(IMAGES, -1, 1), {"data_format": "channels_first"}),
    ):
        figure = gallery(ops.convert_to_tensor(images), show=False, **arguments)
        np.testing.assert_array_equal(np.stack(pictures(figure)), IMAGES)
        assert not any(axes.axison for axes in figure.axes)


@pytest.mark.parametrize(
    ("arguments", "shape", "shown"),
    [({}, (2, 3), 5), ({"rows": 1}, (1, 5), 5), ({"cols": 2}, (3, 2), 5), ({"rows": 2, "cols": 2}, (2, 2), 4)],
    ids=["square", "rows", "cols", "both"],
)
def test_grids_are_as_large_as_the_images_take_or_as_is_said(arguments, shape, shown):
    figure = gallery(IMAGES, scale=1.5, show=False, **arguments)
    assert len(figure.axes) == shape[0] * shape[1] and len(pictures(figure)) == shown
    np.testing.assert_allclose(figure.get_size_inches(), (shape[1] * 1.5, shape[0] * 1.5))


def test_titles_name_labels():
    names = {0: "cat", 1: "dog"}
    truth, guess = np.array([0, 1, 1, 0, 0]), np.array([1, 1, 1, 0, 0])
    titles = lambda **labels: [axes.get_title() for axes in gallery(IMAGES, **labels, show=False).axes][:2]  # noqa: E731
    assert titles(y_true=truth, label_map=names) == ["Label: cat", "Label: dog"]
    assert titles(y_true=truth, y_pred=guess, label_map=names) == ["Label: cat  Pred: dog", "Label: dog  Pred: dog"]
    assert titles() == ["", ""]


def test_galleries_are_shown_written_or_returned(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(pyplot, "show", lambda: shown.append(len(pyplot.get_fignums())))
    assert gallery(IMAGES) is None and gallery(IMAGES, show=True) is None and shown == [1, 1]
    path = tmp_path / "gallery.png"
    assert gallery(IMAGES, path=path, dpi=50, transparent=False) is None
    assert pyplot.imread(path).shape == (200, 300, 4) and shown == [1, 1] and not pyplot.get_fignums()
    assert gallery(IMAGES, show=False) is pyplot.gcf()


def test_true_and_predicted_boxes_have_their_colours():
    truth = {"boxes": np.array([[[1, 1, 5, 5]]] * 5), "labels": np.zeros((5, 1))}
    guess = {"boxes": np.array([[[2, 1, 8, 6]]] * 5), "labels": np.zeros((5, 1))}
    arguments = {"y_true": truth, "y_pred": guess, "line_thickness": 1, "show": False}
    figure = keras.visualization.plot_bounding_box_gallery(IMAGES / 255.0, "xyxy", value_range=(0, 1), **arguments)
    draw = keras.visualization.draw_bounding_boxes
    expected = draw(IMAGES, truth, "xyxy", color=(0, 188, 212), line_thickness=1)
    expected = draw(expected, guess, "xyxy", color=(255, 235, 59), line_thickness=1)
    np.testing.assert_array_equal(np.stack(pictures(figure)), expected)
    assert not figure.legends
    own = [patches.Patch(label="mine")]
    for legend, names in (({"legend": True}, ["Ground truth", "Prediction"]), ({"legend_handles": own}, ["mine"])):
        figure = keras.visualization.plot_bounding_box_gallery(IMAGES, "xyxy", **arguments, **legend)
        assert [text.get_text() for text in figure.legends[0].get_texts()] == names
    with pytest.raises(ValueError, match="Expected legend or legend_handles"):
        keras.visualization.plot_bounding_box_gallery(IMAGES, "xyxy", legend=True, legend_handles=own)


def test_names_of_boxes_can_differ_between_truth_and_prediction():
    boxes = {"boxes": np.array([[[4, 40, 50, 55]]]), "labels": np.array([[3]])}
    image, show = np.zeros((1, 60, 80, 3)), {"show": False, "font_scale": 0.5}
    make = keras.visualization.plot_bounding_box_gallery
    shared = pictures(make(image, "xyxy", boxes, class_mapping={3: "cat"}, **show))[0]
    for mapping in (
        {"ground_truth_mapping": {3: "cat"}},
        {"prediction_mapping": {3: "dog"}, "class_mapping": {3: "cat"}},
    ):
        np.testing.assert_array_equal(pictures(make(image, "xyxy", boxes, **mapping, **show))[0], shared)
    other = pictures(make(image, "xyxy", boxes, ground_truth_mapping={3: "dog"}, class_mapping={3: "cat"}, **show))[0]
    assert (other != shared).any()


def test_each_row_shows_an_image_and_its_masks():
    truth = np.random.default_rng(1).integers(0, 3, (5, 6, 8))
    guess = truth[::-1]
    figure = keras.visualization.plot_segmentation_mask_gallery(
        IMAGES, 2, y_true=truth, y_pred=guess[..., None], show=False
    )
    draw = lambda masks: keras.visualization.draw_segmentation_masks(IMAGES, masks, 2)  # noqa: E731
    expected = np.stack([IMAGES, draw(truth), draw(guess)], 1).reshape(15, 6, 8, 3)
    np.testing.assert_array_equal(np.stack(pictures(figure)), expected)
    np.testing.assert_allclose(figure.get_size_inches(), (6, 10))


def test_wrong_arguments_are_an_error():
    with pytest.raises(ValueError, match="Expected a path or show=True.*Received"):
        gallery(IMAGES, path="x.png", show=True)
    with pytest.raises(ValueError, match="Expected a label_map.*Received"):
        gallery(IMAGES, y_true=np.zeros(5))
    with pytest.raises(ValueError, match="Expected images with 4 axes.*Received"):
        gallery(IMAGES[0])


def test_importing_the_package_loads_no_matplotlib_and_no_pillow():
    code = "import sys, polykeras; print({'matplotlib', 'PIL'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"
