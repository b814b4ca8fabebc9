"""Names, shapes and kinds of variables and tensors as programs of Keras 2 see them: ``dense_1/kernel:0``."""

from __future__ import annotations

import sys
from typing import Any

from polykeras import backends
from polykeras.core import naming
from polykeras.core.context import context
from polykeras.core.expressions import Expression
from polykeras.core.graph import KerasTensor, OpCall
from polykeras.core.renamed import is_ours
from polykeras.core.variables import Variable


class TensorName:
    """A descriptor for ``name``: programs read it with the index of a tensor, this package reads it as it was set."""

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        name = vars(instance)["name"]
        return name if is_ours(sys._getframe(1)) else f"{self.prefix(instance)}{name}:0"

    def __set__(self, instance: Any, name: str) -> None:
        vars(instance)["name"] = name

    def prefix(self, instance: Any) -> str:
        """Return what stands before the name: for the output of a layer, the name of the layer.

        Args:
            instance: the tensor.
        """
        is_computed = instance.node is not None and not instance.node.is_input
        return f"{instance.node.operation.name}/" if is_computed else ""


class VariableName(TensorName):
    """The same for variables, whose names start with those of the layers that were called to create them.

    As in Keras 2, a layer whose ``build`` is called directly, such as the cell of an RNN, is not among them.
    """

    def __set__(self, instance: Any, name: str) -> None:
        scope = context.path
        for start, end in sorted(set(context.unscoped), reverse=True):
            scope = f"{scope[:start]}{scope[end + 1 :]}"
        vars(instance).update(name=name, _scope=f"{scope.rstrip('/')}/" if scope else "")

    def prefix(self, instance: Any) -> str:
        """Return the scope in which a variable was created, or its path if there was none.

        Args:
            instance: the variable.
        """
        own = vars(instance)
        return own.get("_scope") or own["path"].removesuffix(own["name"])


def full_name(index: int, variable: Variable) -> str:
    """Return the name of a variable as programs of Keras 2 see it, for files in the layout of Keras 2.

    Args:
        index: int, its index in its layer, which is ignored.
        variable: Variable.
    """
    name = vars(variable)["name"]
    return f"{VariableName().prefix(variable)}{name}:0"


def _kernel(layer: Any) -> Any:
    return layer.kernel


def _set_kernel(layer: Any, kernel: Any) -> None:
    layer.kernel = kernel


#: The kernel of a depthwise convolution under its name in Keras 2.
depthwise_kernel = property(_kernel, _set_kernel)


def is_made_by_layer(x: Any) -> bool:
    """True for the outputs of layers, as ``Input`` is; False for other tensors and variables.

    Args:
        x: symbolic tensor, array or Variable.

    Raises:
        ValueError: for an object that is none of these.

    >>> import polykeras as keras
    >>> is_made_by_layer(keras.Input((2,))), is_made_by_layer(KerasTensor((2,)))
    (True, False)
    """
    if isinstance(x, KerasTensor):
        return x.node is not None and not isinstance(x.node.operation, OpCall)
    if not isinstance(x, Variable | Expression) and not backends.current().is_array(x):
        raise ValueError(f"Expected a symbolic tensor, an array or a variable. Received: {naming.short(x)}.")
    return False
