"""Global settings, names and kinds of tensors, and the remains of sessions and graphs."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from typing import Any

from polykeras import backends, config
from polykeras.backends.contract.spec import SpecArray
from polykeras.backends.shared.structured import is_structured
from polykeras.core import dtypes, naming
from polykeras.core.context import context
from polykeras.core.expressions import Expression
from polykeras.core.graph import KerasTensor
from polykeras.core.variables import Variable


def backend() -> str:
    """Return the name of the current backend.

    >>> backend() in ("numpy", "tensorflow", "torch", "jax")
    True
    """
    return backends.outer_name()


def clear_session(free_memory: bool = True) -> None:
    """Reset automatic names, and the learning phase: the next Dense layer is ``dense`` again.

    Args:
        free_memory: for compatibility; default True.

    >>> import polykeras as keras
    >>> clear_session(); keras.layers.Dense(1).name, keras.layers.Dense(1).name
    ('dense', 'dense_1')
    """
    naming.reset()
    if context.entry is None:
        context.training = None


def reset_uids() -> None:
    """Reset the counters of automatic names.

    >>> import polykeras as keras
    >>> reset_uids(); keras.layers.Dense(1).name
    'dense'
    """
    naming.reset()


def is_float_dtype(dtype: Any) -> bool:
    """True for float dtypes.

    Args:
        dtype: name of a dtype, or dtype.

    >>> is_float_dtype("float32"), is_float_dtype("int32")
    (True, False)
    """
    return dtypes.is_float(dtypes.standardize(dtype))


def is_int_dtype(dtype: Any) -> bool:
    """True for integer dtypes.

    Args:
        dtype: name of a dtype, or dtype.

    >>> is_int_dtype("float32"), is_int_dtype("int32")
    (False, True)
    """
    return dtypes.is_integer(dtypes.standardize(dtype))


def normalize_data_format(value: str | None) -> str:
    """Return an image layout in lower case; None means the global setting.

    Args:
        value: str, or None.

    >>> normalize_data_format("Channels_First")
    'channels_first'
    """
    return config.standardize_data_format(value)


def image_dim_ordering() -> str:
    """Return the image layout by its name in Keras 1: ``"tf"`` or ``"th"``.

    >>> image_dim_ordering()
    'tf'
    """
    return "tf" if config.image_data_format() == "channels_last" else "th"


def set_image_dim_ordering(dim_ordering: str) -> None:
    """Set the image layout by its name in Keras 1.

    Args:
        dim_ordering: ``"tf"`` for channels last, ``"th"`` for channels first.

    Raises:
        ValueError: for any other name.

    >>> import polykeras as keras
    >>> set_image_dim_ordering("th"); keras.config.image_data_format()
    'channels_first'
    >>> set_image_dim_ordering("tf")
    """
    if dim_ordering not in config.LAYOUTS_OF_KERAS_1:
        raise ValueError(f"Expected dim_ordering to be 'tf' or 'th'. Received: {dim_ordering!r}.")
    config.set_image_data_format(config.LAYOUTS_OF_KERAS_1[dim_ordering])


# -------------------------------------------------------------- learning phase


def learning_phase() -> Any:
    """Return 1 in training and 0 otherwise, according to the innermost call that received ``training``.

    Among the inputs of ``K.function`` it represents the phase.

    >>> learning_phase()
    0
    """
    training = context.training
    return int(bool(training)) if training is None or isinstance(training, int) else training


def set_learning_phase(value: int) -> None:
    """Set the phase for this thread's calls without ``training``, until ``clear_session()``.

    Args:
        value: 0 or 1. ``fit``, ``evaluate`` and ``predict`` set their own phase.

    Raises:
        ValueError: for any other value.

    >>> set_learning_phase(1); learning_phase()
    1
    >>> set_learning_phase(0)
    """
    if value not in (0, 1):
        raise ValueError(f"Expected the learning phase to be 0 or 1. Received: {value!r}.")
    context.training = bool(value)


# ------------------------------------------------------------- kinds of tensors


def is_keras_tensor(x: Any) -> bool:
    """True for symbolic tensors.

    Args:
        x: any object.

    >>> import polykeras as keras
    >>> is_keras_tensor(keras.Input((2,))), is_keras_tensor(1.0)
    (True, False)
    """
    return isinstance(x, KerasTensor)


def is_placeholder(x: Any) -> bool:
    """True for a symbolic tensor that nothing computes: an ``Input`` or a ``placeholder``.

    Args:
        x: any object.

    >>> is_placeholder(KerasTensor((None, 3)))
    True
    """
    return isinstance(x, KerasTensor) and (x.node is None or x.node.is_input)


def is_symbolic(x: Any) -> bool:
    """True for arrays without values.

    Args:
        x: any object.

    >>> import polykeras as keras
    >>> is_symbolic(keras.Input((2,))), is_symbolic(keras.ops.ones(2))
    (True, False)
    """
    return isinstance(x, KerasTensor | SpecArray)


def is_tensor(x: Any) -> bool:
    """True for arrays of the current backend, and for symbolic tensors.

    Args:
        x: any object.

    >>> is_tensor(KerasTensor((2,))), is_tensor([1, 2])
    (True, False)
    """
    return isinstance(x, KerasTensor | Expression) or backends.current().is_array(x) or is_structured(x)


def is_variable(x: Any) -> bool:
    """True for variables.

    Args:
        x: any object.

    >>> import polykeras as keras
    >>> is_variable(keras.Variable(1.0)), is_variable(1.0)
    (True, False)
    """
    return isinstance(x, Variable)


# ------------------------------------------------------ what sessions were for


def get_session() -> None:
    """Raise an error that names the replacement for a session.

    Raises:
        RuntimeError: always.

    >>> get_session()
    Traceback (most recent call last):
        ...
    RuntimeError: ...
    """
    raise RuntimeError(
        "Expected code without sessions: values are computed immediately. Received: get_session(). Read values "
        "by K.get_value(x), and compute outputs of a graph by K.function(inputs, outputs) or by a model."
    )


def set_session(session: Any) -> None:
    """Warn that there are no sessions, and do nothing else.

    Args:
        session: for compatibility.

    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     set_session(None)
    """
    warnings.warn("There are no sessions: set_session() has no effect.", stacklevel=2)


def manual_variable_initialization(value: bool) -> None:
    """Do nothing: variables have their initial value from the start.

    Args:
        value: for compatibility.

    >>> manual_variable_initialization(True)
    """


def v1_variable_initialization() -> None:
    """Do nothing: variables have their initial value from the start.

    >>> v1_variable_initialization()
    """


def control_dependencies(control_inputs: Any) -> contextlib.AbstractContextManager:
    """Return a context manager that does nothing: operations run in the order in which they are written.

    Args:
        control_inputs: for compatibility.

    >>> with control_dependencies([]):
    ...     print("inside")
    inside
    """
    return contextlib.nullcontext()


def symbolic(func: Callable) -> Callable:
    """Return the function unchanged: functions of symbolic tensors need no marking.

    Args:
        func: function.

    >>> import polykeras as keras
    >>> keras.backend.eager(abs)(-1)
    1
    """
    return func


def eager(func: Callable) -> Callable:
    """Return the function unchanged: functions of arrays need no marking.

    Args:
        func: function.

    >>> import polykeras as keras
    >>> keras.backend.eager(abs)(-1)
    1
    """
    return func
