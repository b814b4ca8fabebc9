"""Keras 3's context managers for values, shapes and names; and ``remat``, which trades computation for memory."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable
from typing import Any

from polykeras import backends
from polykeras.backends.contract.spec import SPEC, SpecArray
from polykeras.core import dtypes, functionalization, graph, trees
from polykeras.core.context import collecting_losses, context
from polykeras.core.shape_inference import inferred
from polykeras.core.variables import Variable

#: Whether names of layers and scopes may contain "/", as in Keras 2.
allows_slashes = False


class name_scope:
    """Context manager: prefix the paths of all weights created inside with a name.

    Args:
        name: str without "/".
        **kwargs: for compatibility; they change nothing.

    Raises:
        ValueError: if the name is no such string.

    >>> import polykeras as keras
    >>> with name_scope("encoder"):
    ...     _ = keras.layers.Dense(1, name="head")(keras.Input((2,)))
    >>> _.node.operation.kernel.path
    'encoder/head/kernel'
    """

    def __init__(self, name: str, **kwargs: Any) -> None:
        if not isinstance(name, str) or ("/" in name and not allows_slashes):
            raise ValueError(f"Expected the name of a scope to be a string without '/'. Received: {name!r}.")
        self.name = name

    def __enter__(self) -> name_scope:
        self._outside = context.path
        context.path = f"{context.path}/{self.name}" if context.path else self.name
        return self

    def __exit__(self, *exception: object) -> None:
        context.path = self._outside


class SymbolicScope:
    """Context manager: ops only infer shapes and dtypes, as ``polykeras.backends.contract.spec`` arrays.

    >>> import polykeras as keras
    >>> with SymbolicScope():
    ...     keras.ops.zeros((None, 3)).shape
    (None, 3)
    """

    def __enter__(self) -> SymbolicScope:
        self._use = backends.use(SPEC)
        self._use.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._use.__exit__(*exception)


class StatelessScope:
    """Context manager: variables take temporary values inside, and have their own values again afterwards.

    Args:
        state_mapping: pairs (variable, initial value); default None.
        collect_losses: bool, whether ``losses`` gets what ``add_loss`` of layers adds inside; default False, for only
            what the scope's own ``add_loss`` adds.
        initialize_variables: for compatibility; variables always have a value.

    Raises:
        ValueError: for a value whose shape differs from its variable's.

    >>> import polykeras as keras
    >>> v = keras.Variable(1.0)
    >>> with StatelessScope([(v, 5.0)]) as scope:
    ...     _ = v.assign(v * 2)
    >>> float(scope.get_current_value(v)), float(v)
    (10.0, 1.0)
    """

    def __init__(
        self,
        state_mapping: Iterable[tuple[Variable, Any]] | None = None,
        collect_losses: bool = False,
        initialize_variables: bool = True,
    ) -> None:
        self.collect_losses = collect_losses
        self.losses: list[Any] = []
        self.state_mapping = list(state_mapping or ())
        self._values: dict[Variable, Any] = {}
        self._is_open = False

    def __enter__(self) -> StatelessScope:
        self._inside = contextlib.ExitStack()
        self._assigned = self._inside.enter_context(functionalization.recording())
        self._inside.enter_context(functionalization.holding({}))
        self._inside.enter_context(collecting_losses(self.losses if self.collect_losses else None))
        self._is_open = True
        try:
            for variable, value in self.state_mapping:
                variable.assign(value)
        except Exception:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._values = {variable: variable.in_slot() for variable in self._assigned}
        self._inside.close()
        self._is_open = False

    def add_loss(self, loss: Any) -> None:
        """Add a loss to ``losses``.

        Args:
            loss: scalar array.
        """
        self.losses.append(loss)

    def add_update(self, update: tuple[Variable, Any]) -> None:
        """Assign a variable a value in this scope.

        Args:
            update: pair of a Variable and an array.
        """
        variable, value = update
        variable.assign(value)

    def get_current_value(self, variable: Variable) -> Any:
        """Return a variable's value in this scope; once closed, None for variables that were not assigned.

        Args:
            variable: Variable.
        """
        return variable.raw if self._is_open else self._values.get(variable)


# ------------------------------------------------------------- rematerialization


def remat(f: Callable) -> Callable:
    """Return a function whose intermediate values are recomputed for the gradient, to save memory.

    T. Chen et al., "Training Deep Nets with Sublinear Memory Cost" (2016).

    Args:
        f: a layer, or a function made of layers and ops, that returns one array. A function that assigns
            variables (batch normalization, dropout) or returns several arrays is called unchanged.

    >>> import numpy as np, polykeras as keras
    >>> remat(keras.ops.square)(np.array([3.0]))
    array([9.])
    """

    @functools.wraps(f, updated=())
    def call(*args: Any, **kwargs: Any) -> Any:
        backend = backends.current()
        if backend.is_symbolic or graph.has_symbols(args, kwargs):
            return f(*args, **kwargs)
        leaves, structure = trees.flatten((args, kwargs))
        variables = _variables_read(backend, f, leaves, structure)
        if variables is None:
            return f(*args, **kwargs)
        indices = [n for n, x in enumerate(leaves) if backend.is_array(x) and dtypes.is_float(backend.dtype(x))]

        def run(*arrays: Any) -> Any:
            values = list(leaves)
            for index, array in zip(indices, arrays, strict=True):
                values[index] = array
            args, kwargs = trees.unflatten(structure, values)
            return f(*args, **kwargs)

        def inner(*arrays: Any) -> Any:
            # Engines differentiate only with respect to arguments, so variables are passed as arguments.
            return functionalization.pure(run, variables)(list(arrays[len(indices) :]), *arrays[: len(indices)])[1]

        return backend.checkpoint(inner)(*(leaves[n] for n in indices), *(v.uncast for v in variables))

    return call


def _variables_read(backend: Any, f: Callable, leaves: list, structure: Any) -> list[Variable] | None:
    """The float variables that a call reads, found by running it over specs; None if it can't be recomputed."""
    specs = [SpecArray(tuple(backend.shape(x)), backend.dtype(x)) if backend.is_array(x) else x for x in leaves]
    args, kwargs = trees.unflatten(structure, specs)
    with functionalization.recording() as assigned, functionalization.reading() as read, backends.use(SPEC):
        result = inferred(f, *args, **kwargs)
    variables = [v for v in read if dtypes.is_float(v.dtype)]
    return None if assigned or not isinstance(result, SpecArray) else variables


class RematScope:
    """Context manager that accepts Keras 3's rematerialization settings, and does nothing.

    Results are the same with and without it. Wrap layers or functions in ``keras.remat`` to save memory.

    Args:
        mode: "full", "activations", "larger_than", "list_of_layers" or None.
        output_size_threshold: for "larger_than"; default 1024.
        layer_names: for "list_of_layers"; default None.

    Raises:
        ValueError: for an unknown mode.

    >>> with RematScope("full"):
    ...     print("inside")
    inside
    """

    _MODES = ("full", "activations", "larger_than", "list_of_layers", None)

    def __init__(
        self, mode: str | None = "full", output_size_threshold: int = 1024, layer_names: list[str] | None = None
    ) -> None:
        if mode not in self._MODES:
            raise ValueError(f"Expected mode to be one of {self._MODES}. Received: {mode!r}.")
        self.mode = mode
        self.output_size_threshold = output_size_threshold
        self.layer_names = layer_names or []

    def __enter__(self) -> RematScope:
        return self

    def __exit__(self, *exception: object) -> None:
        pass
