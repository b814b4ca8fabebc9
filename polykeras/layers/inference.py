"""Outputs of a layer for symbolic inputs: declared by its class, or inferred by running its call."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from polykeras import backends
from polykeras.backends.contract.spec import SPEC, SpecArray, StructuredSpec
from polykeras.core import graph, naming, trees
from polykeras.core.context import context, stating
from polykeras.core.graph import Node
from polykeras.core.operators import EngineNeeded
from polykeras.core.shape_inference import (
    REFUSALS,
    StandIns,
    attributes_kept,
    is_settled,
    note_attributes,
    on_engine,
)
from polykeras.core.variables import scope
from polykeras.layers.signature import Signature, as_shown, holds_shapes, map_shapes, shape_arguments

if TYPE_CHECKING:
    from polykeras.layers.whole import Whole
else:
    Whole = object


#: Whether the outputs of a program's layer are inferred from ``call`` where its ``compute_output_shape`` fails.
runs_where_shapes_fail = False


class Inference(Whole):
    """The part of a layer that infers shapes and dtypes."""

    _is_users = False
    _is_abstract = False  # only its subclasses compute something
    _needs_engine = False

    def _symbolic_call(self, args: tuple, kwargs: dict) -> Any:
        """Infer outputs from symbolic inputs, and record the call as a node of the graph."""
        with backends.use(SPEC), attributes_kept():
            specs_out = self(*graph.to_specs(args), **graph.to_specs(kwargs))
        outputs = graph.to_symbols(specs_out)
        for x in filter(graph.is_symbol, trees.leaves(outputs)):
            x.name = naming.unique("keras_tensor")
        self._inbound_nodes.append(Node(self, args, kwargs, outputs))
        return outputs

    def _infer_outputs(self, args: tuple, kwargs: dict) -> Any:
        """Return the specs of the outputs; while a step is created, also record the variables that the call assigns."""
        try:
            stated = self._stated_outputs(args, kwargs) if self._states_output_shape() else None
        except Exception:
            if not (runs_where_shapes_fail and self._is_users):
                raise
            stated = None
        if stated is None:
            return self._infer_by_running(args, kwargs)
        if scope.assigned is not None:
            # The class declares its shapes, so an error here can wait: it shows when the call runs on values.
            with contextlib.suppress(Exception):
                self._infer_by_running(args, kwargs)
        return stated

    def _infer_by_running(self, args: tuple, kwargs: dict) -> Any:
        if self._is_users and any(isinstance(x, StructuredSpec) for x in trees.leaves((args, kwargs))):
            # Such code asks for the class of its argument before anything that a spec refuses.
            reason: Exception = EngineNeeded(f"Layer {self.name!r} takes sparse or ragged arrays.")
            return self._infer_on_engine(args, kwargs, reason)
        try:
            return self._compute_on_stand_ins(args, kwargs) if self._is_users else self._compute_call(args, kwargs)
        except REFUSALS as error:
            if is_settled(error):
                raise
            reason = error
        return self._infer_on_engine(args, kwargs, reason)

    def _is_on_stand_ins(self) -> bool:
        return self._is_users and isinstance(scope.values, StandIns)

    def _compute_on_stand_ins(self, args: tuple, kwargs: dict) -> Any:
        """Run the call, then restore the attributes that it set to arrays, whose values are meaningless here."""
        before = dict(vars(self))
        try:
            return self._compute_call(args, kwargs)
        finally:
            note_attributes(self, before)

    def _infer_on_engine(self, args: tuple, kwargs: dict, reason: Exception) -> Any:
        """Infer the specs of the outputs, and of the added losses, by running the call on the engine."""
        self._needs_engine = True
        layers = self._flatten_layers()
        losses = [(layer._losses_entry, list(layer._losses)) for layer in layers]
        added: list = []

        def compute(args: tuple, kwargs: dict) -> tuple:
            for layer, (entry, its_losses) in zip(layers, losses, strict=True):
                layer._losses_entry, layer._losses = entry, list(its_losses)
            outputs = self._compute_on_stand_ins(args, kwargs)
            added[:] = self._flatten_layers()
            return outputs, [layer._losses for layer in added]

        outputs, found = on_engine(compute, (args, kwargs), {}, reason)
        for layer, its_losses in zip(added, found, strict=True):
            layer._losses = list(its_losses)
        return outputs

    def _states_output_shape(self) -> bool:
        """True if the class declares its output shape, and all nested layers are built."""
        if context.stating is self:  # its own method asks for the inferred shape
            return False
        cls = type(self)
        by_shape = cls.compute_output_shape is not Inference.compute_output_shape
        by_spec = cls.compute_output_spec is not Inference.compute_output_spec
        return (by_shape or by_spec) and self._is_built_below()

    def _stated_outputs(self, args: tuple, kwargs: dict) -> Any:
        with stating(self):
            return self._ask_for_outputs(args, kwargs)

    def _ask_for_outputs(self, args: tuple, kwargs: dict) -> Any:
        if type(self).compute_output_spec is not Inference.compute_output_spec:
            wanted = _taken(self.compute_output_spec, kwargs)
            symbols, options = graph.to_symbols(args), graph.to_symbols(wanted)
            return graph.to_specs(self.compute_output_spec(*symbols, **options))
        method = type(self).compute_output_shape
        given = shape_arguments(self._signature_of_call, args, kwargs)
        shapes = {name: as_shown(shape, method) for name, shape in given.items()}
        parameters = inspect.signature(self.compute_output_shape).parameters
        if len(parameters) == 1:
            result = self.compute_output_shape(next(iter(shapes.values())))
        else:
            result = self.compute_output_shape(**{k: v for k, v in shapes.items() if k in parameters})
        return _specs_of(result, self.compute_dtype)

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        """Return the shape(s) of the output for the shape(s) of the input.

        The default runs ``call`` on shapes only. The result of an overriding method is used unchecked.

        Args:
            *args, **kwargs: shapes of the arguments of ``call``.

        >>> import polykeras as keras
        >>> keras.layers.Dense(4).compute_output_shape((None, 3))
        (None, 4)
        """
        with backends.use(SPEC), attributes_kept():

            def to_spec(shape: Any) -> Any:
                return SpecArray(shape, self.compute_dtype)

            args = tuple(map_shapes(to_spec, shape) for shape in args)
            kwargs = {k.removesuffix("_shape"): map_shapes(to_spec, shape) for k, shape in kwargs.items()}
            if not args:
                kwargs = {
                    ("inputs" if k == "input" and "input" not in Signature(self.call).names else k): v
                    for k, v in kwargs.items()
                }
                first = next(iter(kwargs))
                args = (kwargs.pop(first),)
            return trees.map(lambda x: as_shown(x.shape), self._shaping_call()(*args, **kwargs))

    def _shaping_call(self) -> Callable:
        """Return what ``compute_output_shape`` runs: the layer itself, or the call that a user's class extends.

        A class that overrides both ``call`` and ``compute_output_shape`` asks ``super()`` for the shape of what the
        class from which it inherits computes, not of its own outputs.
        """
        cls = type(self)
        if not self.built or cls.compute_output_shape is Inference.compute_output_shape:
            return self
        extended = next(base for base in cls.__mro__ if issubclass(base, Inference) and not base._is_users)
        return self if extended._is_abstract else functools.partial(extended.call, self)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Return symbolic outputs for symbolic inputs, without creating a node.

        Args:
            *args, **kwargs: arguments of ``call``, with symbolic tensors for arrays.
        """
        with backends.use(SPEC):
            return graph.to_symbols(self(*graph.to_specs(args), **graph.to_specs(kwargs)))


def _specs_of(shapes: Any, dtype: str) -> Any:
    """The specs for a nested structure of shapes, in the same containers."""
    if isinstance(shapes, dict):
        return {key: _specs_of(value, dtype) for key, value in shapes.items()}
    if holds_shapes(shapes):
        return type(shapes)(_specs_of(shape, dtype) for shape in shapes)
    return SpecArray(tuple(shapes), dtype)


def _taken(function: Callable, kwargs: dict) -> dict:
    """The keyword arguments that a function accepts."""
    parameters = inspect.signature(function).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    return {name: value for name, value in kwargs.items() if takes_any or name in parameters}
