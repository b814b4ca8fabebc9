"""Data and checks for tests of models and layers, under the names of Keras 2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from polykeras import config
from polykeras.compat.keras2.backend import clear_session
from polykeras.compat.keras2.utils.generic_utils import has_arg
from polykeras.core.types import Function
from polykeras.layers.core import Input
from polykeras.models import Model

__all__ = ["get_test_data", "keras_test", "layer_test"]


def get_test_data(
    num_train: int = 1000,
    num_test: int = 500,
    input_shape: tuple = (10,),
    output_shape: tuple = (2,),
    classification: bool = True,
    num_classes: int = 2,
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return random data that a model can learn, ``(x_train, y_train), (x_test, y_test)``.

    Args:
        num_train, num_test: ints, numbers of samples; defaults 1000 and 500.
        input_shape: tuple, shape of a sample; default (10,).
        output_shape: tuple, shape of a target, unless they are classes; default (2,).
        classification: bool, whether targets are the numbers of classes; default True.
        num_classes: int; default 2.

    Inputs, and targets that are not classes, are normally distributed around a location drawn for each sample, which
    is the number of the class, or else between 0 and 1. All numbers come from NumPy's global generator.

    >>> (x_train, y_train), _ = get_test_data(20, 10, (4,), num_classes=3)
    >>> x_train.shape, y_train.shape
    ((20, 4), (20,))
    """
    count = num_train + num_test
    locations = np.random.randint(0, num_classes, count) if classification else np.random.random(count)
    x = np.stack([np.random.normal(place, 0.7, input_shape) for place in locations]).astype("float32")
    y = locations
    if not classification:
        y = np.stack([np.random.normal(place, 0.7, output_shape) for place in locations]).astype("float32")
    return (x[:num_train], y[:num_train]), (x[num_train:], y[num_train:])


def layer_test(
    layer_cls: Callable,
    kwargs: dict | None = None,
    input_shape: tuple | None = None,
    input_dtype: Any = None,
    input_data: Any = None,
    expected_output: Any = None,
    expected_output_dtype: Any = None,
    fixed_batch_size: bool = False,
) -> np.ndarray:
    """Check that a layer computes the shape and dtype it promises, trains, and survives its config; return its output.

    Args:
        layer_cls: class of the layer.
        kwargs: dict of its arguments; default None.
        input_shape: tuple, with the batch size; None in it for a random size; default that of ``input_data``.
        input_dtype: dtype of the inputs; default ``floatx()``.
        input_data: array; default None, for random numbers from 0 to 10.
        expected_output: array to compare the output with; default None.
        expected_output_dtype: dtype of the output; default that of the inputs.
        fixed_batch_size: bool, whether the model has the batch size of ``input_shape``; default False.

    Raises:
        AssertionError: if the layer fails the test.

    >>> import polykeras as keras
    >>> layer_test(keras.layers.Dense, {"units": 3}, input_shape=(3, 2)).shape
    (3, 3)
    """
    if input_data is None:
        shape = [np.random.randint(1, 4) if size is None else size for size in input_shape or ()]
        input_data = (10 * np.random.random(shape)).astype(input_dtype or config.floatx())
    input_shape = input_data.shape if input_shape is None else tuple(input_shape)
    input_dtype = str(input_dtype or input_data.dtype)
    layer = layer_cls(**(kwargs or {}))
    layer.set_weights(layer.get_weights())
    promised = layer.compute_output_shape(input_shape)
    x = Input(batch_shape=input_shape if fixed_batch_size else (None, *input_shape[1:]), dtype=input_dtype)
    y = layer(x)
    _check(y.dtype == str(expected_output_dtype or input_dtype), layer, f"dtype {y.dtype}")
    model = Model(x, y)
    output = model.predict(input_data, verbose=0)
    agrees = all(size in (None, own) for size, own in zip(promised, output.shape, strict=True))
    _check(agrees, layer, f"shape {output.shape} where compute_output_shape returns {promised}")
    if expected_output is not None:
        np.testing.assert_allclose(output, expected_output, rtol=1e-3)
    copy = model.__class__.from_config(model.get_config())
    copy.set_weights(model.get_weights())
    if model.weights:
        np.testing.assert_allclose(copy.predict(input_data, verbose=0), output, rtol=1e-3)
    if has_arg(layer.call, "training"):
        model.compile("rmsprop", "mse")
        model.train_on_batch(input_data, output)
    layer.__class__.from_config(layer.get_config())
    return output


def _check(is_right: bool, layer: Any, received: str) -> None:
    if not is_right:
        raise AssertionError(f"Layer {layer.name!r}: Expected what the test says. Received: {received}.")


def keras_test(func: Function) -> Function:
    """Decorator of a test: forget the state of earlier models before and after it.

    Args:
        func: the test.

    >>> keras_test(lambda: 3)()
    3
    """
    import functools
    from typing import cast

    @functools.wraps(func)
    def call(*args: Any, **kwargs: Any) -> Any:
        clear_session()
        try:
            return func(*args, **kwargs)
        finally:
            clear_session()

    return cast(Function, call)
