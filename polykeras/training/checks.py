"""Validation of the arguments of fit, evaluate and predict."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np

from polykeras.core import naming

_Method = TypeVar("_Method", bound=Callable)


def hide_old_arguments(method: _Method) -> _Method:
    """Hide ``**kwargs``, which only accepts arguments of Keras 1 and 2, from the visible signature of a method.

    Packages inspect signatures for arguments to pass on, and take ``**kwargs`` to accept anything.

    >>> @hide_old_arguments
    ... def fit(x, **kwargs): ...
    >>> print(inspect.signature(fit))
    (x)
    """
    signature = inspect.signature(method)
    shown = [parameter for parameter in signature.parameters.values() if parameter.kind is not parameter.VAR_KEYWORD]
    method.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
    return method


def check_counts(**counts: Any) -> None:
    """Check that each value is None or a positive int.

    Raises:
        ValueError: if one is not; the message names the argument.

    >>> check_counts(batch_size=32, steps=None)
    """
    for name, value in counts.items():
        is_count = isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= 1
        if value is not None and not is_count:
            raise ValueError(f"Expected {name} to be an int, at least 1. Received: {value!r}.")


def check_fit(epochs: Any, batch_size: Any, steps_per_epoch: Any, initial_epoch: Any, validation_freq: Any) -> None:
    """Check the numbers that are passed to ``fit``.

    Raises:
        ValueError: if one is invalid; the message names the argument.
    """
    check_counts(batch_size=batch_size, steps_per_epoch=steps_per_epoch)
    for name, value in {"epochs": epochs, "initial_epoch": initial_epoch}.items():
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 0:
            raise ValueError(f"Expected {name} to be an int, at least 0. Received: {value!r}.")
    is_list = isinstance(validation_freq, list | tuple | set | range)
    if not is_list and (not isinstance(validation_freq, int) or validation_freq < 1):
        raise ValueError(
            f"Expected validation_freq to be an int, at least 1, or a list of epochs. Received: {validation_freq!r}."
        )


def check_workers(workers: Any, use_multiprocessing: Any, max_queue_size: Any) -> None:
    """Check the settings for preparing batches.

    Raises:
        ValueError: if one is invalid; the message names the argument.
    """
    if isinstance(workers, bool) or not isinstance(workers, int | np.integer) or workers < 0:
        raise ValueError(f"Expected workers to be an int, at least 0. Received: {workers!r}.")
    if not isinstance(use_multiprocessing, bool):
        raise ValueError(f"Expected use_multiprocessing to be True or False. Received: {use_multiprocessing!r}.")
    if max_queue_size is None:
        raise ValueError("Expected max_queue_size to be an int, at least 1. Received: None.")
    check_counts(max_queue_size=max_queue_size)


def check_fraction(name: str, value: Any) -> None:
    """Check that a value is a number between 0 and 1, exclusively.

    Raises:
        ValueError: if it is not; the message names the argument.

    >>> check_fraction("validation_split", 0.2)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < 1:
        raise ValueError(f"Expected {name} to be greater than 0 and less than 1. Received: {value!r}.")


def check_shuffle(shuffle: Any) -> None:
    """Check that ``shuffle`` is True, False or "batch".

    Raises:
        ValueError: for anything else.
    """
    if not isinstance(shuffle, bool | np.bool_) and shuffle != "batch":
        raise ValueError(f"Expected shuffle to be True, False or 'batch'. Received: {shuffle!r}.")


_WORKERS = {
    "workers": "workers",
    "use_multiprocessing": "use_multiprocessing",
    "max_queue_size": "max_queue_size",
    "max_q_size": "max_queue_size",
    "nb_worker": "workers",
    "pickle_safe": "use_multiprocessing",
}


def unknown_arguments(names: Iterable[str], function: Callable) -> TypeError:
    """Return an error for unknown arguments that suggests the closest known one.

    >>> unknown_arguments(["epoch"], lambda x, epochs=1: None).args[0]
    "Expected arguments of <lambda>. Received: unknown ['epoch']. Did you mean 'epochs'?"
    """
    ordered = sorted(names)
    near = difflib.get_close_matches(ordered[0], inspect.signature(function).parameters, 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return TypeError(f"Expected arguments of {function.__name__}. Received: unknown {naming.listed(ordered)}.{hint}")


def pop_workers(kwargs: dict, function: Callable) -> dict:
    """Remove the worker settings of Keras 1 and 2 from arguments, and return them under their current names.

    Raises:
        TypeError: for any other argument.

    >>> pop_workers({"workers": 2, "max_q_size": 4}, dict)
    {'workers': 2, 'max_queue_size': 4}
    """
    unknown = kwargs.keys() - _WORKERS.keys()
    if unknown:
        raise unknown_arguments(unknown, function)
    return {_WORKERS[name]: value for name, value in kwargs.items()}
