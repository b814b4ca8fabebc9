"""Curves of training: what is drawn, where."""

import matplotlib
import numpy as np
import pytest

import polykeras as keras

matplotlib.use("Agg")
pyplot = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


HISTORY = {"loss": [0.9, 0.5, 0.4, 0.3], "acc": [0.5, 0.6, 0.7, 0.8], "val_loss": [1.0, 0.7, 0.6, 0.5]}


def drawn(figure):
    return {
        axes.get_title(): {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines}
        for axes in figure.axes
    }


def test_each_metric_has_a_panel_with_its_validation_curve():
    panels = drawn(keras.utils.plot_history(HISTORY))
    assert panels == {
        "loss": {"training": ([1, 2, 3, 4], HISTORY["loss"]), "validation": ([1, 2, 3, 4], HISTORY["val_loss"])},
        "acc": {"training": ([1, 2, 3, 4], HISTORY["acc"])},
    }


def test_what_fit_returns_is_drawn_by_its_epochs(tmp_path):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    data = np.ones((4, 1)), np.ones((4, 1))
    history = model.fit(*data, epochs=7, initial_epoch=3, validation_data=data, validation_freq=2, verbose=0)
    panels = drawn(keras.utils.plot_history(history, to_file=tmp_path / "curves.svg"))
    assert panels["loss"]["training"] == ([4, 5, 6, 7], history.history["loss"])
    assert panels["loss"]["validation"] == ([4, 6], history.history["val_loss"])
    assert (tmp_path / "curves.svg").read_text().startswith("<?xml")


def test_metrics_are_chosen_and_scaled_by_name():
    figure = keras.utils.plot_history(HISTORY, metrics=["acc", "loss"], log_scale=["loss"], title="Run 1", columns=1)
    assert [(axes.get_title(), axes.get_yscale()) for axes in figure.axes] == [("acc", "linear"), ("loss", "log")]
    assert figure.get_suptitle() == "Run 1"
    with pytest.raises(ValueError, match="Expected metrics among .*'loss'.*Received: .*'auc'"):
        keras.utils.plot_history(HISTORY, metrics=["auc"])
    with pytest.raises(ValueError, match="at least one epoch"):
        keras.utils.plot_history({})
