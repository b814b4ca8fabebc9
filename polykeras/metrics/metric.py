"""The base class of metrics: state in Variables, an update per batch, and a result."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from polykeras import config
from polykeras.core import dtypes, naming
from polykeras.core.arguments import name_may_come_first
from polykeras.core.functionalization import pure
from polykeras.core.tracking import Trackable
from polykeras.core.variables import Variable
from polykeras.serialization import registry


class Metric(Trackable):
    """Base class of metrics. Subclasses implement ``update_state`` and ``result``.

    Args:
        dtype: dtype of the computation and the result; default ``floatx()``.
        name: str; default None, for a name derived from the class name.

    The state is kept in Variables created with ``add_variable``. An update assigns them, and must not branch on their
    values in Python, so that it can run inside compiled steps.

    >>> import polykeras as keras
    >>> class Largest(keras.metrics.Metric):
    ...     def __init__(self, **kwargs: Any) -> None:
    ...         super().__init__(**kwargs)
    ...         self.largest = self.add_variable((), name="largest")
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         self.largest.assign(keras.ops.maximum(self.largest, keras.ops.max(y_pred)))
    ...     def result(self):
    ...         return self.largest.value
    >>> metric = Largest()
    >>> metric.update_state(None, [1.0, 3.0]); metric.update_state(None, [2.0])
    >>> float(metric.result())
    3.0
    """

    #: Always True: the state stays from one batch to the next.
    stateful = True

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        self.name = name or naming.unique(naming.snake_case(self.__class__.__name__))
        self._dtype = dtypes.standardize(getattr(dtype, "compute_dtype", dtype) or config.floatx())
        self._variables: list[Variable] = []

    @property
    def dtype(self) -> str:
        """The dtype of the computation and the result."""
        return self._dtype

    def add_variable(
        self,
        shape: tuple = (),
        initializer: Any = None,
        dtype: Any = None,
        aggregation: str | None = "sum",
        name: str | None = None,
    ) -> Variable:
        """Create a state Variable of this metric.

        Args:
            shape: tuple; default ().
            initializer: name, initializer or function; default None, for zeros. A reset always sets zeros.
            dtype: dtype of the variable; default ``floatx()``.
            aggregation: how to aggregate copies on several devices; default "sum".
            name: str; default None.
        """
        self._check_initialized()
        dtype = dtypes.standardize(dtype or config.floatx())
        if initializer is None:
            initializer = np.zeros(tuple(shape), dtypes.numpy_dtype(dtype))
        else:
            initializer = registry.resolve(initializer, "initializers")
        variable = Variable(
            initializer, tuple(shape), dtype, trainable=False, autocast=False, aggregation=aggregation, name=name
        )
        variable.path = f"{self.name}/{variable.name}"
        self._variables.append(variable)
        self._parts_came()
        return variable

    @name_may_come_first("shape", "initializer", "dtype")
    def add_weight(
        self,
        shape: Any = (),
        initializer: Any = None,
        dtype: Any = None,
        name: str | None = None,
        aggregation: Any = None,
        synchronization: Any = None,
    ) -> Variable:
        """Alias of ``add_variable``, under its name in layers; as in Keras 2, ``name`` may come first.

        Args:
            shape, initializer, dtype, name: see ``add_variable``.
            aggregation, synchronization: accepted for compatibility and ignored; default None.
        """
        return self.add_variable(shape, initializer, dtype, name=name)

    @property
    def variables(self) -> list[Variable]:
        """The state of this metric and of the metrics in its attributes, lists and dicts."""
        self._check_initialized()
        return list({id(variable): variable for variable in _variables_in(vars(self).copy())}.values())

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Update the state with a batch.

        Args:
            *args, **kwargs: usually y_true and y_pred, arrays of any shape, and ``sample_weight``.
        """
        raise NotImplementedError(f"Expected {self.__class__.__name__} to implement update_state.")

    def result(self) -> Any:
        """Return the current value: a scalar, an array, or a dict of these by name."""
        raise NotImplementedError(f"Expected {self.__class__.__name__} to implement result().")

    def reset_state(self) -> None:
        """Reset the state: set every Variable to zeros."""
        for variable in self.variables:
            variable.assign(np.zeros(variable.shape, dtypes.numpy_dtype(variable.dtype)))

    def reset_states(self) -> None:
        """Alias of ``reset_state``, under its Keras 2 name."""
        self.reset_state()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Update the state, and return the current result."""
        self._check_initialized()
        self.update_state(*args, **kwargs)
        return self.result()

    # -------------------------------------------------------- without a state

    def stateless_update_state(self, metric_variables: list, *args: Any, **kwargs: Any) -> list:
        """Return the values of ``variables`` after an update that starts from ``metric_variables``.

        Args:
            metric_variables: list of arrays, one for each of ``variables``.
            *args, **kwargs: usually y_true and y_pred, arrays of any shape, and ``sample_weight``.
        """
        return self._stateless(self.update_state, metric_variables, *args, **kwargs)[0]

    def stateless_result(self, metric_variables: list) -> Any:
        """Return the result for given values of ``variables``.

        Args:
            metric_variables: list of arrays, one for each of ``variables``.
        """
        return self._stateless(self.result, metric_variables)[1]

    def stateless_reset_state(self) -> list:
        """Return the values of ``variables`` after a reset."""
        return self._stateless(self.reset_state, [variable.raw for variable in self.variables])[0]

    def _stateless(self, method: Any, values: list, *args: Any, **kwargs: Any) -> tuple:
        variables = self.variables
        if len(values) != len(variables):
            raise ValueError(
                f"Expected a value for each of the {len(variables)} variables of metric {self.name!r}. "
                f"Received: {len(values)} values."
            )
        return pure(lambda: method(*args, **kwargs), variables)(list(values))

    # ----------------------------------------------------------------- config

    def get_config(self) -> dict:
        """Return the arguments that recreate this metric, without its state."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict) -> Self:
        """Create a metric from the result of ``get_config``.

        Args:
            config: dict, as ``get_config`` returns.
        """
        return cls(**config)

    def _check_initialized(self) -> None:
        if not hasattr(self, "_variables"):
            raise RuntimeError(
                f"Expected {self.__class__.__name__}.__init__ to call super().__init__(name=..., dtype=...) "
                f"before anything else. Received: a metric whose __init__ did not."
            )

    def __repr__(self) -> str:
        return f"<{self.__class__.__name__} name={self.name}>"


def _variables_in(value: Any) -> Iterator[Variable]:
    if isinstance(value, Variable):
        yield value
    elif isinstance(value, Metric):
        yield from value.variables
    elif isinstance(value, dict):
        for item in list(value.values()):
            yield from _variables_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _variables_in(item)
