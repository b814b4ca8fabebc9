"""What programs of tf.keras 2 use of shapes, dtypes and variables: the members of TensorFlow's.

Each is what the rest of the package knows, a tuple, a string, a variable, with further members that programs alone see.
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable
from typing import Any, SupportsIndex

import numpy as np

from polykeras import backends, ops
from polykeras.backends.contract.spec import SpecArray
from polykeras.core import dtypes
from polykeras.core.renamed import is_ours
from polykeras.core.variables import Variable


class Dimension:
    """A size with the attribute ``value``, as in the ``dims`` of a shape.

    Args:
        value: int, or None where unknown.

    >>> Dimension(3).value, Dimension(3) == 3
    (3, True)
    """

    def __init__(self, value: int | None) -> None:
        self.value = value

    def __index__(self) -> int:
        if self.value is None:
            raise TypeError("Expected a known size. Received: None.")
        return self.value

    __int__ = __index__

    def __eq__(self, other: object) -> bool:
        return self.value == getattr(other, "value", other)

    def __hash__(self) -> int:
        return hash(self.value)

    def __repr__(self) -> str:
        return f"Dimension({self.value})"


class TensorShape(tuple):
    """A shape with the methods of TensorFlow's.

    >>> shape = TensorShape((None, 3))
    >>> shape.as_list(), shape.ndims, shape[1:].num_elements(), shape.is_fully_defined()
    ([None, 3], 2, 3, False)
    """

    __slots__ = ()

    @classmethod
    def of(cls, tensor: Any) -> TensorShape:
        """Return the shape of a symbolic tensor or variable.

        Args:
            tensor: KerasTensor or Variable.
        """
        return cls(tensor.shape)

    @property
    def ndims(self) -> int:
        """The number of axes."""
        return len(self)

    rank = ndims

    @property
    def dims(self) -> list[Dimension]:
        """The sizes as objects with a ``value``."""
        return [Dimension(size) for size in self]

    def as_list(self) -> list:
        """Return the sizes as a list, with None for unknown ones."""
        return list(self)

    def is_fully_defined(self) -> bool:
        """Return whether all sizes are known."""
        return None not in self

    def num_elements(self) -> int | None:
        """Return the product of the sizes, or None if one is unknown."""
        return math.prod(self) if self.is_fully_defined() else None

    def concatenate(self, other: Any) -> TensorShape:
        """Return the sizes of this shape and those of another one.

        Args:
            other: shape.
        """
        return TensorShape((*self, *other))

    def is_compatible_with(self, other: Any) -> bool:
        """Return whether both may be the shape of one tensor.

        Args:
            other: shape.
        """
        other = tuple(other)
        return len(self) == len(other) and all(None in (n, m) or n == m for n, m in zip(self, other, strict=True))

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return TensorShape(found) if isinstance(index, slice) else found

    def __add__(self, other: Any) -> TensorShape:
        return self.concatenate(other)

    def __radd__(self, other: Any) -> TensorShape:
        return TensorShape((*other, *self))

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, list) else super().__eq__(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = tuple.__hash__

    def __mul__(self, count: SupportsIndex) -> TensorShape:
        return TensorShape(super().__mul__(count))


class DType(str):
    """The name of a dtype with the attributes of TensorFlow's dtypes.

    >>> dtype = DType("float32")
    >>> dtype.base_dtype == "float32", dtype.is_floating, dtype.size
    (True, True, 4)
    """

    __slots__ = ()

    #: What TensorFlow asks of a variable before it assigns to it.
    _is_ref_dtype = False

    @property
    def name(self) -> str:
        """The name as a plain string."""
        return str(self)

    @property
    def base_dtype(self) -> DType:
        """The dtype itself."""
        return self

    @property
    def as_numpy_dtype(self) -> Any:
        """The type of NumPy's scalars."""
        return dtypes.numpy_dtype(self).type

    @property
    def is_floating(self) -> bool:
        """Whether it is a float type."""
        return dtypes.is_float(self)

    @property
    def is_integer(self) -> bool:
        """Whether it is an integer type."""
        return self in dtypes.INTEGERS

    @property
    def is_bool(self) -> bool:
        """Whether it is the type of truth values."""
        return self == "bool"

    @property
    def size(self) -> int:
        """The number of bytes of a scalar."""
        return dtypes.numpy_dtype(self).itemsize


def shapes(tree: Any) -> Any:
    """Return a tree of shapes, as a program's ``build`` gets it, with ``TensorShape``s for tuples of sizes.

    Args:
        tree: tuple of sizes, or list, tuple or dict of shapes.

    >>> shapes([(None, 3), (2,)])[0].as_list()
    [None, 3]
    """
    if isinstance(tree, dict):
        return {key: shapes(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple) and any(isinstance(x, list | tuple | dict) for x in tree):
        return type(tree)(map(shapes, tree))
    return TensorShape(tree) if type(tree) is tuple else tree


class Shown:
    """A descriptor: this package reads an attribute as it was set, a program gets another view of it.

    Args:
        name: str, the attribute.
        view: function from the value to what a program gets.
    """

    def __init__(self, name: str, view: Callable[[Any], Any]) -> None:
        self._name, self._view = name, view

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        value = vars(instance)[self._name]
        return value if is_ours(sys._getframe(1)) else self._view(value)

    def __set__(self, instance: Any, value: Any) -> None:
        vars(instance)[self._name] = value


class _ShownSlot(Shown):
    """The same for an attribute in a slot of its class.

    Args:
        slot: the descriptor that the class has for it.
        name, view: as for ``Shown``.
    """

    def __init__(self, slot: Any, name: str, view: Callable[[Any], Any]) -> None:
        super().__init__(name, view)
        self._slot = slot

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        value = self._slot.__get__(instance, owner)
        return value if is_ours(sys._getframe(1)) else self._view(value)

    def __set__(self, instance: Any, value: Any) -> None:
        self._slot.__set__(instance, value)


class _Value:
    """The ``value`` of a variable: an attribute for this package, a method for programs."""

    def __init__(self, read: Callable[[Any], Any]) -> None:
        self._read = read

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        return self._read(instance) if is_ours(sys._getframe(1)) else functools.partial(self._read, instance)


def _assigning(method: Callable) -> Callable:
    """Let a method that assigns take the further arguments of a ``tf.Variable``'s, which change nothing here."""

    @functools.wraps(method)
    def call(
        self: Any,
        value: Any = None,
        use_locking: bool | None = None,
        name: str | None = None,
        read_value: bool = True,
        **kwargs: Any,
    ) -> Any:
        return method(self, kwargs.get("delta", value))

    return call


def _rows(combine: str) -> Callable:
    def method(self: Variable, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
        indices, rows = ops.reshape(sparse_delta.indices, (-1, 1)), sparse_delta.values
        if combine == "update":
            self.assign(ops.scatter_update(self.array, indices, rows))
        else:
            change = ops.scatter(indices, rows, self.shape)
            self.assign(self.array + (change if combine == "add" else -change))
        return self

    return method


def _sparse_read(self: Any, indices: Any, name: str | None = None) -> Any:
    return ops.take(self.array, indices, axis=0)


def _initializer(self: Any) -> Any:
    return self._initial


def _device(self: Any) -> str:
    return str(getattr(self._value, "device", "") or "")


def _is_initialized(self: Any, name: str | None = None) -> bool:
    return True


def _eval(self: Any, session: Any = None) -> np.ndarray:
    return self.numpy()


class Reference:
    """A key of dicts that stands for a tensor or variable, which are compared by their values.

    Args:
        target: KerasTensor or Variable.

    >>> Reference("a").deref()
    'a'
    """

    def __init__(self, target: Any) -> None:
        self._target = target

    def deref(self) -> Any:
        """Return what it stands for."""
        return self._target

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and self._target is other._target

    def __hash__(self) -> int:
        return id(self._target)


def _reference(self: Any) -> Reference:
    return Reference(self)


def _ref(self: Any) -> Any:
    own = getattr(backends.load(self.backend_name), "own", None)  # TensorFlow's adapter has it
    return Reference(self) if own is None else own(self).ref()


def _unchanged(self: Any, shape: Any) -> None:
    """A variable's shape is known."""


def _to_tensor(self: Any, dtype: Any = None, name: str | None = None, as_ref: bool = False) -> Any:
    return self.array if dtype is None else ops.cast(self.array, dtypes.standardize(dtype))


def _read(self: Any) -> Any:
    return self.array


_VIEWS = (("shape", TensorShape), ("dtype", DType))

#: (module, attribute of a class, what it is in the era of Keras 2).
MEMBERS: tuple[tuple[str, str, Any], ...] = (
    *(
        (module, f"{name}.{attribute}", Shown(attribute, view))
        for module, name in (
            ("core.graph", "KerasTensor"),
            ("core.variables", "Variable"),
            ("core.expressions", "Expression"),
        )
        for attribute, view in _VIEWS
    ),
    *(
        ("backends.contract.spec", f"SpecArray.{attribute}", _ShownSlot(vars(SpecArray)[attribute], attribute, view))
        for attribute, view in _VIEWS
    ),
    *(
        ("core.variables", f"Variable.{name}", member)
        for name, member in {
            "value": _Value(vars(Variable)["value"].fget),
            "assign": _assigning(Variable.assign),
            "assign_add": _assigning(Variable.assign_add),
            "assign_sub": _assigning(Variable.assign_sub),
            "scatter_add": _rows("add"),
            "scatter_sub": _rows("sub"),
            "scatter_update": _rows("update"),
            "sparse_read": _sparse_read,
            "read_value": _read,
            "initialized_value": _read,
            "initializer": property(_initializer),
            "device": property(_device),
            "is_initialized": _is_initialized,
            "eval": _eval,
            "ref": _ref,
            "experimental_ref": _ref,
            "set_shape": _unchanged,
            "_dense_var_to_tensor": _to_tensor,
        }.items()
    ),
    *(("core.graph", f"KerasTensor.{name}", _reference) for name in ("ref", "experimental_ref")),
    ("layers.signature", "shown", shapes),
)
