"""Charts of training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from polykeras.core import naming
from polykeras.core.extras import require

_PANEL_SIZE = 4.8, 3.4  # inches


def plot_history(
    history: Any,
    metrics: Sequence[str] | None = None,
    to_file: str | Path | None = None,
    title: str | None = None,
    columns: int = 2,
    log_scale: bool | Sequence[str] = False,
) -> Any:
    """Plot the training history: one panel per metric, with the training and the validation curve.

    Args:
        history: the result of ``fit``, or its dict ``history.history``.
        metrics: list of metrics to plot, such as ``["loss", "accuracy"]``; default None, for all.
        to_file: path of an image file to write; the suffix determines the format, such as ``.png`` or ``.svg``;
            default None.
        title: str, title of the figure; default None.
        columns: int, number of panels per row; default 2.
        log_scale: bool, whether to use logarithmic axes, or list of the metrics with such axes; default False.

    Returns:
        The matplotlib Figure; show it with ``matplotlib.pyplot.show()``.

    Raises:
        ImportError: if matplotlib is not installed.
        ValueError: for a metric that is not in the history, or an empty history.

    >>> import polykeras as keras
    >>> figure = keras.utils.plot_history({"loss": [0.9, 0.5], "val_loss": [1.0, 0.7], "acc": [0.5, 0.8]})
    >>> [axes.get_title() for axes in figure.axes]
    ['loss', 'acc']
    """
    curves = dict(getattr(history, "history", history))
    names = _panels(curves, metrics)
    pyplot = require("matplotlib.pyplot", "charts", "plot_history")
    columns = min(columns, len(names))
    rows = math.ceil(len(names) / columns)
    size = columns * _PANEL_SIZE[0], rows * _PANEL_SIZE[1]
    figure, grid = pyplot.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    epochs = np.asarray(getattr(history, "epoch", None) or range(max(map(len, curves.values())))) + 1
    for axes, name in zip(grid.flat, names, strict=False):
        _draw_panel(axes, name, curves, epochs)
        if log_scale is True or (log_scale and name in log_scale):
            axes.set_yscale("log")
    for axes in grid.flat[len(names) :]:
        axes.remove()
    if title:
        figure.suptitle(title)
    if to_file is not None:
        figure.savefig(to_file)
    return figure


def _panels(curves: dict, metrics: Sequence[str] | None) -> list[str]:
    if not curves:
        raise ValueError("Expected a history with at least one epoch. Received: an empty one.")
    names = dict.fromkeys(name.removeprefix("val_") for name in curves)
    if metrics is None:
        return list(names)
    unknown = [name for name in metrics if name not in names]
    if unknown:
        raise ValueError(f"Expected metrics among {naming.listed(names)}. Received: {naming.listed(unknown)}.")
    return list(metrics)


def _draw_panel(axes: Any, name: str, curves: dict, epochs: np.ndarray) -> None:
    for key, label in ((name, "training"), (f"val_{name}", "validation")):
        values = np.asarray(curves.get(key, ()), dtype=float)
        if len(values):
            marker = "." if len(values) < 40 else ""
            axes.plot(_epochs_of(values, epochs), values, marker=marker, label=label)
    axes.set(title=name, xlabel="epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.legend()


def _epochs_of(values: np.ndarray, epochs: np.ndarray) -> np.ndarray:
    """The epochs of the values: all, every n-th one as with ``validation_freq``, or else the last ones."""
    choices = (epochs[epochs % n == 0] for n in range(1, epochs[-1] + 1))
    return next((chosen for chosen in choices if len(chosen) == len(values)), epochs[-len(values) :])
