"""Decorators that let classes of Keras 2 accept arguments of Keras 1: ``keras.legacy.interfaces``.

The classes of this package accept those by themselves, so that most decorators return a function unchanged.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from polykeras.core import naming
from polykeras.core.arguments import OF_LAYERS, name_may_come_first


def generate_legacy_interface(
    allowed_positional_args: Sequence[str] | None = None,
    conversions: Sequence[tuple[str, str]] | None = None,
    preprocessor: Callable | None = None,
    value_conversions: dict[str, dict] | None = None,
    object_type: str = "class",
) -> Callable:
    """Return a decorator for methods that converts arguments of Keras 1.

    Args:
        allowed_positional_args: names of the positional arguments, whose number is checked; default None.
        conversions: pairs of an older and a current name of an argument; default None.
        preprocessor: ``args, kwargs, converted = f(args, kwargs)``, called first; default None.
        value_conversions: dicts from older to current values, by argument; default None.
        object_type: accepted for compatibility and ignored; default "class".

    Raises:
        TypeError: by the method, for too many positional arguments, or an argument under both names.

    >>> @generate_legacy_interface(conversions=[("output_dim", "units")])
    ... def init(self, units): return units
    >>> init(None, output_dim=3)
    3
    """

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if preprocessor is not None:
                args, kwargs, _ = preprocessor(args, kwargs)
            if allowed_positional_args is not None and len(args) > len(allowed_positional_args) + 1:
                raise TypeError(
                    f"Expected at most the positional arguments {naming.listed(allowed_positional_args)} of "
                    f"{function.__qualname__}. Received: {len(args) - 1}."
                )
            for name, table in (value_conversions or {}).items():
                if isinstance(kwargs.get(name), str | int | None):
                    kwargs[name] = table.get(kwargs.get(name), kwargs.get(name))
            for older, current in conversions or ():
                if older in kwargs and current in kwargs:
                    raise_duplicate_arg_error(older, current)
                if older in kwargs:
                    kwargs[current] = kwargs.pop(older)
            return function(*args, **kwargs)

        vars(call)["_original_function"] = function
        return call

    return decorate


generate_legacy_method_interface = generate_legacy_interface


def raise_duplicate_arg_error(old_arg: str, new_arg: str) -> None:
    """Raise an error for an argument that was passed under two names.

    Args:
        old_arg, new_arg: the names.

    Raises:
        TypeError: always.

    >>> raise_duplicate_arg_error("init", "kernel_initializer")
    Traceback (most recent call last):
    TypeError: Expected one of 'init' and 'kernel_initializer', two names of the same argument. Received: both.
    """
    raise TypeError(f"Expected one of {old_arg!r} and {new_arg!r}, two names of the same argument. Received: both.")


def legacy_dense_support(func: Callable) -> Callable:
    """Return a method unchanged.

    Args:
        func: method of a class.

    >>> legacy_dense_support(print) is print
    True
    """
    return func


legacy_dropout_support = legacy_embedding_support = legacy_prelu_support = legacy_dense_support
legacy_pooling1d_support = legacy_pooling2d_support = legacy_pooling3d_support = legacy_dense_support
legacy_global_pooling_support = legacy_upsampling1d_support = legacy_upsampling2d_support = legacy_dense_support
legacy_upsampling3d_support = legacy_conv1d_support = legacy_conv2d_support = legacy_conv3d_support = (
    legacy_dense_support
)
legacy_separable_conv2d_support = legacy_deconv2d_support = legacy_convlstm2d_support = legacy_dense_support
legacy_batchnorm_support = legacy_zeropadding2d_support = legacy_zeropadding3d_support = legacy_dense_support
legacy_cropping2d_support = legacy_cropping3d_support = legacy_spatialdropout1d_support = legacy_dense_support
legacy_spatialdropoutNd_support = legacy_lambda_support = legacy_recurrent_support = legacy_dense_support
legacy_gaussiannoise_support = legacy_gaussiandropout_support = legacy_dense_support
legacy_generator_methods_support = legacy_model_constructor_support = legacy_input_support = legacy_dense_support

legacy_add_weight_support = name_may_come_first(*OF_LAYERS)


def legacy_get_updates_support(func: Callable) -> Callable:
    """Decorator for ``get_updates(self, loss, params)``: also accept ``params, constraints, loss``, as in Keras 1.

    Args:
        func: the method.

    >>> legacy_get_updates_support(lambda self, loss, params: (loss, params))(None, ["w"], {}, "loss")
    ('loss', ['w'])
    """

    @functools.wraps(func)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if args and isinstance(args[0], list | tuple):
            kwargs.update(zip(("params", "constraints", "loss"), args, strict=False))
            args = ()
        kwargs.pop("constraints", None)
        return func(self, *args, **kwargs)

    return call
