"""Refusals of arguments of fit, evaluate and predict that make no sense."""

from __future__ import annotations

from typing import Any

import numpy as np


def check_counts(**counts: Any) -> None:
    """Check that each value is None or an int of at least 1.

    Raises:
        ValueError: naming the argument.

    >>> check_counts(batch_size=32, steps=None)
    """
    for name, value in counts.items():
        is_count = isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= 1
        if value is not None and not is_count:
            raise ValueError(f"Expected {name} to be an int, at least 1. Received: {value!r}.")


def check_fit(epochs: Any, batch_size: Any, steps_per_epoch: Any, initial_epoch: Any, validation_freq: Any) -> None:
    """Check the numbers given to ``fit``.

    Raises:
        ValueError: naming the argument.
    """
    check_counts(epochs=epochs, batch_size=batch_size, steps_per_epoch=steps_per_epoch)
    if not isinstance(initial_epoch, int | np.integer) or initial_epoch < 0:
        raise ValueError(f"Expected initial_epoch to be an int, at least 0. Received: {initial_epoch!r}.")
    is_list = isinstance(validation_freq, list | tuple | set | range)
    if not is_list and (not isinstance(validation_freq, int) or validation_freq < 1):
        raise ValueError(
            f"Expected validation_freq to be an int, at least 1, or a list of epochs. Received: {validation_freq!r}."
        )


def pop_legacy(kwargs: dict) -> None:
    """Take Keras 1 and 2 arguments: ``nb_epoch`` is ``epochs``; worker settings belong to the data now.

    Raises:
        TypeError: for any other unknown argument.
    """
    if "nb_epoch" in kwargs:
        kwargs["epochs"] = kwargs.pop("nb_epoch")
    for name in ("workers", "use_multiprocessing", "max_queue_size", "max_q_size", "pickle_safe"):
        kwargs.pop(name, None)
    unknown = set(kwargs) - {"epochs"}
    if unknown:
        raise TypeError(f"Expected known arguments. Received: {sorted(unknown)}.")
