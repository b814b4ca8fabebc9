"""The signature of a layer's ``call``: which arguments are inputs, masks, or the training flag."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import CodeType
from typing import Any

from polykeras import backends
from polykeras.backends.shared.structured import is_structured, shape_of
from polykeras.core import masks, naming, trees
from polykeras.core.context import context

#: In the era of Keras 2, a function from shapes to what a program's own methods get in their place.
shown: Callable[[Any], Any] | None = None


class Signature:
    """The parameters of one ``call`` method, inspected once and kept until the method is replaced.

    Args:
        call: bound method or function.
        is_of_class: whether it is an unbound method, whose first parameter is the object, whatever its name.
    """

    def __init__(self, call: Callable, is_of_class: bool = False) -> None:
        self.function = call
        kinds = inspect.Parameter
        found = list(inspect.signature(call).parameters.items())
        has_object = is_of_class and found and found[0][1].kind is not kinds.VAR_POSITIONAL
        parameters = dict(found[1:] if has_object else found)
        self._by_name_only = {n for n, p in parameters.items() if p.kind is kinds.KEYWORD_ONLY}
        self.names = [n for n, p in parameters.items() if p.kind not in (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD)]
        takes_any = any(p.kind is kinds.VAR_KEYWORD for p in parameters.values())
        first = parameters.get(self.names[0]) if self.names else None
        #: The name of the first input, if ``call`` requires it.
        self._required = first.name if first is not None and first.default is kinds.empty else None
        given_by_layers = {"training", "mask", *(n for n in self.names if n.endswith("_mask"))}
        self._inputs = [n for n in self.names if parameters[n].default is kinds.empty and n not in given_by_layers]
        self.takes_training = "training" in parameters
        default = parameters["training"].default if self.takes_training else None
        #: The default of the training flag: True, False, or None where ``call`` leaves it open or takes none.
        self.training = default if isinstance(default, bool) else None
        self.takes_mask = "mask" in parameters
        self._mask_names = [n for n in self.names if n.endswith("_mask") and n.removesuffix("_mask") in self.names]
        may_lack_mask = not self.takes_mask or parameters["mask"].default is not kinds.empty
        #: Whether ``call`` takes a single input, apart from the training flag and an optional mask.
        self.is_plain = len(set(self.names) - {"training", "mask"}) == 1 and may_lack_mask and not takes_any

    def check_has_input(self, kwargs: dict, what: str) -> None:
        """Reject a call that passes its input neither by position nor by name.

        Raises:
            TypeError: if there is no input.
        """
        name = self._required
        if name is not None and name not in kwargs:
            raise TypeError(
                f"{what}: Expected {name}. Received: a call without it. Call the layer on an array or symbolic tensor: "
                f"layer({name})."
            )

    def check_complete(self, args: tuple, kwargs: dict, what: str) -> None:
        """Reject a call without one of the required inputs.

        Raises:
            TypeError: if an input is missing.
        """
        by_position = [n for n in self.names if n not in self._by_name_only][: len(args)]
        missing = [n for n in self._inputs if n not in by_position and n not in kwargs]
        if missing:
            raise TypeError(
                f"{what}: Expected {naming.listed(self._inputs)}. Received: a call without {naming.listed(missing)}."
            )

    def first(self, args: tuple, kwargs: dict) -> Any:
        """Return the first input of a call, passed by position or by name; None if there is none."""
        if args:
            return args[0]
        return kwargs.get(self.names[0]) if self.names else None

    def argument(self, name: str, args: tuple, kwargs: dict) -> Any:
        """Return the value that a call passes for a parameter, or None."""
        if name in kwargs:
            return kwargs[name]
        index = self.names.index(name) if name in self.names and name not in self._by_name_only else len(args)
        return args[index] if index < len(args) else None

    def by_name(self, args: tuple) -> list[str]:
        """Return the parameters that a call may give by name, beside what it gives by position."""
        return [n for index, n in enumerate(self.names) if index >= len(args) or n in self._by_name_only]

    def resolve_training(self, args: tuple, kwargs: dict) -> bool | None:
        """Return the training flag of a call: its own argument, that of the enclosing call, or the default; or None."""
        if self.takes_training:
            own = self.argument("training", args, kwargs)
            if own is not None:
                return own
            return self.training if context.training is None else context.training
        return kwargs.pop("training", None)

    def add_training(self, args: tuple, kwargs: dict, training: bool) -> None:
        """Fill in the training argument if ``call`` takes one and the caller passed none."""
        is_by_name = "training" in self._by_name_only
        if self.takes_training and (is_by_name or self.names.index("training") >= len(args)):
            kwargs["training"] = training

    def add_masks(self, args: tuple, kwargs: dict) -> Any:
        """Fill in the masks attached to the inputs; return that of the first input."""
        first = _mask_of(self.first(args, kwargs)) if masks._masks else None
        is_missing = self.takes_mask and kwargs.get("mask") is None and self.names.index("mask") >= len(args)
        if is_missing and first is not None:
            kwargs["mask"] = first
        if masks._masks:
            for name in self._mask_names:
                if self.argument(name, args, kwargs) is None and self.names.index(name) >= len(args):
                    mask = _mask_of(self.argument(name.removesuffix("_mask"), args, kwargs))
                    if mask is not None:
                        kwargs[name] = mask
        given = self.argument("mask", args, kwargs) if self.takes_mask else None
        return given if given is not None else first


def _mask_of(inputs: Any) -> Any:
    if not trees.is_nested(inputs):
        return None if inputs is None else masks.get_mask(inputs)
    found = [masks.get_mask(x) for x in trees.leaves(inputs)]
    return found if any(m is not None for m in found) else None


def shape_arguments(signature: Signature, args: tuple, kwargs: dict) -> dict[str, Any]:
    """Return ``{"<argument>_shape": shape(s)}`` for the arguments of a call that hold arrays."""
    backend = backends.current()

    def is_array(x: Any) -> bool:
        return backend.is_array(x) or is_structured(x)

    shapes = {}
    for name, value in [*zip(signature.names, args, strict=False), *kwargs.items()]:
        leaves = trees.leaves(value)
        is_mask = name == "mask" or name.endswith("_mask")
        if leaves and not is_mask and all(map(is_array, leaves)):
            shapes[f"{name}_shape"] = trees.map(lambda x: shape_of(backend, x), value)
    return shapes


def map_shapes(function: Callable, shapes: Any) -> Any:
    """Apply a function to each shape in a nested structure of shapes."""
    if shapes is None:
        return None
    if isinstance(shapes, dict):
        return {key: map_shapes(function, value) for key, value in shapes.items()}
    if holds_shapes(shapes):
        return [map_shapes(function, shape) for shape in shapes]
    return function(tuple(shapes))


def holds_shapes(shapes: Any) -> bool:
    """Whether this is a list or tuple of shapes, and not of sizes; TensorFlow's own shapes count too."""
    return isinstance(shapes, list | tuple) and any(
        isinstance(shape, list | tuple | dict) or hasattr(shape, "as_list") for shape in shapes
    )


def plain(shapes: Any) -> Any:
    """Return shapes in which those that TensorFlow made are tuples.

    >>> plain([(None, 3), [2]])
    [(None, 3), [2]]
    """
    if isinstance(shapes, dict):
        return {key: plain(value) for key, value in shapes.items()}
    if holds_shapes(shapes):
        return type(shapes)([plain(shape) for shape in shapes])
    is_own = hasattr(shapes, "as_list") and not isinstance(shapes, tuple)
    return tuple(shapes.as_list()) if is_own else shapes


def as_shown(shapes: Any, method: Callable | None = None) -> Any:
    """Return shapes as programs get them: their own ``build`` and ``compute_output_shape``.

    A method that may ask whether ``type(shape) is tuple`` gets plain tuples.
    """
    code = getattr(inspect.unwrap(method), "__code__", None) if method and shown else None
    return shapes if shown is None or (code and {"type", "tuple"} <= _names(code)) else shown(shapes)


def _names(code: CodeType) -> set[str]:
    """Return the names that code and the functions in it use."""
    inner = [_names(each) for each in code.co_consts if isinstance(each, CodeType)]
    return set(code.co_names).union(*inner)
