"""Operation, the base class of graph operations without weights, and Function, a graph as a callable."""

from __future__ import annotations

import abc
import inspect
from typing import Any, Self

from polykeras import backends
from polykeras.backends.contract.spec import SPEC
from polykeras.capture.stamp import Stamped
from polykeras.core import graph, naming, trees
from polykeras.core.graph import KerasTensor, Node, Plan
from polykeras.core.shape_inference import inferred

_PLAIN_KINDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Operation(Stamped, abc.ABC):  # noqa: B024 - for the sake of register()
    """Base class of graph operations that own no weights; layers count as operations too.

    Args:
        name: str; default made from the class name.

    Override ``call`` and, where it uses a framework's own functions, ``compute_output_spec``, which returns
    ``KerasTensor``s. A graph model saves an operation as its class and the arguments of its constructor.

    >>> import polykeras as keras
    >>> class Double(Operation):
    ...     def call(self, x):
    ...         return keras.ops.multiply(x, 2)
    >>> Double()(KerasTensor((None, 3))).shape, Double()([1.0])
    ((None, 3), array([2.], dtype=float32))
    """

    name: str
    _init_arguments: tuple[tuple, dict]
    _inbound_nodes: list[Node]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        operation = super().__new__(cls)
        operation._init_arguments = args, kwargs
        operation._inbound_nodes = []
        operation.name = naming.unique(naming.snake_case(cls.__name__))
        return operation

    def __init__(self, name: str | None = None) -> None:
        if name is not None:
            self.name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if graph.has_symbols(args, kwargs):
            return self.symbolic_call(*args, **kwargs)
        return self.call(*args, **kwargs)

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """Infer outputs from symbolic inputs, and record the call as a node of the graph.

        Args:
            *args, **kwargs: the arguments of ``call``.
        """
        outputs = self.compute_output_spec(*args, **kwargs)
        self._inbound_nodes.append(Node(self, args, kwargs, outputs))
        return outputs

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output. Subclasses override it.

        Args:
            *args, **kwargs: the arguments of ``call``.
        """
        raise NotImplementedError(f"Expected {type(self).__name__} to define call(). Received: none.")

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Return new ``KerasTensor``s for the outputs, from symbolic inputs.

        Args:
            *args, **kwargs: the arguments of ``call``.
        """
        with backends.use(SPEC):
            return graph.to_symbols(inferred(self.call, *graph.to_specs(args), **graph.to_specs(kwargs)))

    def get_config(self) -> dict:
        """Return the name and the constructor arguments of the operation."""
        args, kwargs = self._init_arguments
        signature = inspect.signature(type(self).__init__)
        given = signature.bind(self, *args, **kwargs)
        given.apply_defaults()

        def is_plain(name: Any) -> Any:
            return signature.parameters[name].kind in _PLAIN_KINDS

        config = {name: value for name, value in list(given.arguments.items())[1:] if is_plain(name)} | kwargs
        takes_name = "name" in signature.parameters or not all(map(is_plain, signature.parameters))
        return {**config, "name": self.name} if takes_name else config

    @classmethod
    def from_config(cls, config: dict) -> Self:
        """Return the operation that ``get_config`` described.

        Args:
            config: dict, as ``get_config`` returns.
        """
        name = config.get("name")
        parameters = inspect.signature(cls.__init__).parameters
        takes_all = "name" in parameters or "kwargs" in parameters
        operation = cls(**{key: value for key, value in config.items() if takes_all or key in parameters})
        operation.name = name or operation.name
        return operation

    @property
    def input(self) -> Any:
        """The symbolic input(s) of the first call."""
        inputs = self._inbound_nodes[0].inputs
        return inputs[0] if len(inputs) == 1 else inputs

    @property
    def output(self) -> Any:
        """The symbolic output(s) of the first call."""
        outputs = self._inbound_nodes[0].outputs
        return outputs[0] if len(outputs) == 1 else outputs


class Function(Operation):
    """The function from input to output tensors of a graph; like a functional model, but not a layer.

    Args:
        inputs, outputs: symbolic tensors, or trees of them.
        name: default ``function``, ``function_1``, ...

    Raises:
        ValueError: if an output depends on a tensor that is not among the inputs; in a call, for values of
            another structure.

    >>> import polykeras as keras
    >>> x = KerasTensor((None, 2))
    >>> Function(x, keras.ops.sum(x, axis=1))([[1.0, 2.0]])
    array([3.], dtype=float32)
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None) -> None:
        super().__init__(name)
        if not trees.leaves(outputs):
            raise ValueError(f"Expected outputs to hold a symbolic tensor. Received: {outputs!r}.")
        self._inputs_structure, self._outputs_structure = trees.structure(inputs), trees.structure(outputs)
        self.inputs, self.outputs = trees.leaves(inputs), trees.leaves(outputs)
        self._graph_plan = Plan(self.inputs, self.outputs)

    @property
    def operations(self) -> list:
        """The layers and ops of the graph, in topological order."""
        return list({id(node.operation): node.operation for node in self._graph_plan.nodes}.values())

    def call(self, inputs: Any) -> Any:
        """Compute the outputs from values that have the structure of the inputs."""
        values = self._inputs_structure.flatten_up_to(inputs)
        return trees.unflatten(self._outputs_structure, self._graph_plan.run([_array(value) for value in values]))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape(s) of the outputs for the shape(s) of the inputs.

        Args:
            input_shape: shape, or list or dict of shapes.
        """
        shapes = self._inputs_structure.flatten_up_to(input_shape)
        specs = [KerasTensor(shape, x.dtype) for shape, x in zip(shapes, self.inputs, strict=True)]
        return trees.map(lambda x: x.shape, self.compute_output_spec(trees.unflatten(self._inputs_structure, specs)))


def _array(value: Any) -> Any:
    backend = backends.current()
    return value if backend.is_array(value) else backend.array(value)
