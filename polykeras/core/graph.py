"""Symbolic tensors, the nodes that compute them, and execution plans between two sets of them."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Iterable
from typing import Any, ClassVar, NoReturn

from polykeras import backends
from polykeras.backends.contract.spec import SPEC, SpecArray, StructuredSpec
from polykeras.backends.shared import structured
from polykeras.core import dtypes, masks, naming, trees
from polykeras.core.expressions import Expression
from polykeras.core.operators import Operators
from polykeras.core.shape_inference import inferred

#: Whether functions of TensorFlow's own, called on symbolic tensors, become part of the graph, as in tf.keras 2.
records_engine_calls = False

_NEVER_SYMBOLS = frozenset({int, float, bool, str, type(None)})


class KerasTensor(Operators):
    """A symbolic tensor: a shape, a dtype, and the node that will compute the value.

    Args:
        shape: sizes, None where unknown.
        dtype: default ``"float32"``.
        sparse, ragged: whether the value will be a sparse or a ragged array, on TensorFlow; defaults False.
        record_history: for compatibility; it changes nothing.
        name: for messages; default None.
        **kwargs: for compatibility; they change nothing.

    >>> KerasTensor((None, 3), name="x")
    <KerasTensor shape=(None, 3), dtype=float32, name=x>
    """

    # Filled in by ``polykeras.ops``.
    reshape: ClassVar[Callable[..., Any]]
    squeeze: ClassVar[Callable[..., Any]]

    def __init__(
        self,
        shape: tuple,
        dtype: Any = "float32",
        sparse: bool = False,
        ragged: bool = False,
        record_history: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.shape = tuple(shape)
        self.dtype = dtypes.standardize(dtype)
        self.name = name or naming.unique("keras_tensor")
        self.sparse, self.ragged = sparse, ragged
        self.node: Node | None = None
        self.index = 0
        self._mask: Any = None

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def spec(self) -> SpecArray:
        """The shape and dtype alone."""
        if self.sparse or self.ragged:
            return StructuredSpec(self.shape, self.dtype, "sparse" if self.sparse else "ragged")
        return SpecArray(self.shape, self.dtype)

    @property
    def maker(self) -> Node:
        """The node that computes the tensor.

        Raises:
            ValueError: for a tensor that nothing computes, such as ``KerasTensor(shape)``.
        """
        if self.node is None:
            raise ValueError(f"Expected a symbolic tensor from Input() or a layer. Received: {self!r}.")
        return self.node

    @property
    def _keras_mask(self) -> Any:
        """The mask as a symbolic tensor, whose value is the mask of this tensor's value; None if there is none."""
        if isinstance(self._mask, SpecArray):
            mask = KerasTensor(self._mask.shape, self._mask.dtype)
            operation = OpCall(masks.get_mask)
            operation._inbound_nodes.append(Node(operation, (self,), {}, mask))
            self._mask = mask
        return self._mask

    @_keras_mask.setter
    def _keras_mask(self, mask: Any) -> None:
        self._mask = mask

    @property
    def _keras_history(self) -> tuple:
        """(operation, index of its call, index of the output), as in Keras."""
        node = self.maker
        index = node.operation._inbound_nodes.index(node) if hasattr(node.operation, "_inbound_nodes") else 0
        return node.operation, index, self.index

    def __iter__(self) -> NoReturn:
        raise NotImplementedError(
            f"Expected ops.unstack(x) or indexing to split a symbolic tensor. Received: an iteration over {self!r}."
        )

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"

    __hash__ = object.__hash__


#: The classes of symbolic tensors: of arrays, and of sizes.
SYMBOLS: set[type] = {KerasTensor}
structured.mark_special(KerasTensor)


class OpCall:
    """One use of a public op, as the operation of a node."""

    def __init__(self, function: Callable, name: str | None = None) -> None:
        self.function = function
        self.name = name or naming.unique(function.__name__)
        self._inbound_nodes: list[Node] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        result = self.function(*args, **kwargs)
        is_input = any(result is x for x in args)
        return masks.detached(result, args, backends.current().copy) if is_input else result


#: The nodes that use an operation's outputs. Not attributes: a copied layer would copy everything after it too.
_consumers: weakref.WeakKeyDictionary[Any, list[weakref.ref]] = weakref.WeakKeyDictionary()


def consumers(operation: Any) -> list[Node]:
    """Return the nodes that use the outputs of an operation."""
    found = (reference() for reference in _consumers.get(operation, ()))
    return [node for node in found if node is not None]


class Node:
    """One call of an operation: its arguments and its outputs."""

    __slots__ = ("operation", "args", "kwargs", "inputs", "outputs", "__weakref__")

    def __init__(self, operation: Any, args: tuple, kwargs: dict, outputs: Any) -> None:
        self.operation = operation
        self.args, self.kwargs = args, kwargs
        self.inputs = [x for x in trees.leaves((args, kwargs)) if isinstance(x, KerasTensor)]
        self.outputs = [x for x in trees.leaves(outputs) if isinstance(x, KerasTensor)]
        for index, output in enumerate(self.outputs):
            output.node, output.index = self, index
        for parent in (p for p in self.parents if type(p.operation).__hash__ is not None):
            _consumers.setdefault(parent.operation, []).append(weakref.ref(self))

    @property
    def parents(self) -> list[Node]:
        """The nodes that compute the inputs."""
        return [x.node for x in self.inputs if x.node is not None]

    @property
    def is_input(self) -> bool:
        """Whether its tensors are inputs; an op of no tensor computes something from variables."""
        return not self.inputs and not isinstance(self.operation, OpCall)

    # What programs of Keras 1 and 2 read. A single shape stands for itself, several are a list.

    @property
    def outbound_layer(self) -> Any:
        """The operation that was called."""
        return self.operation

    @property
    def inbound_layers(self) -> list:
        """The operations that compute the inputs."""
        return [parent.operation for parent in self.parents]

    @property
    def node_indices(self) -> list[int]:
        """The index of the call that computes each input, among the calls of its operation."""
        return [x._keras_history[1] for x in self.inputs]

    @property
    def tensor_indices(self) -> list[int]:
        """The index of each input among the outputs of its call."""
        return [x.index for x in self.inputs]

    @property
    def input_shapes(self) -> Any:
        """The shapes of the inputs."""
        return _single([x.shape for x in self.inputs])

    @property
    def output_shapes(self) -> Any:
        """The shapes of the outputs."""
        return _single([x.shape for x in self.outputs])


def _single(items: list) -> Any:
    return items[0] if len(items) == 1 else items


def is_symbol(x: Any) -> bool:
    """True for a symbolic tensor."""
    return x.__class__ in SYMBOLS


def to_specs(tree: Any) -> Any:
    """Replace the symbolic tensors of a tree by their specs, with the specs of their masks."""

    def spec(x: Any) -> Any:
        if not isinstance(x, KerasTensor):
            return x
        mask, result = masks.get_mask(x), x.spec
        if mask is not None:
            masks.set_mask(result, mask.spec if isinstance(mask, KerasTensor) else mask)
        return result

    return trees.map(spec, tree)


def get_keras_mask(x: Any) -> Any:
    """Return the mask of an array, or None; for a symbolic tensor, a symbolic mask, which can be a model's output."""
    return x._keras_mask if isinstance(x, KerasTensor) else masks.get_mask(x)


def to_symbols(tree: Any) -> Any:
    """Replace the specs of a tree by new symbolic tensors."""

    def symbol(x: Any) -> Any:
        if not isinstance(x, SpecArray):
            return x
        layout = getattr(x, "layout", None) if structured.is_structured(x) else None
        return masks.copy_mask(x, KerasTensor(x.shape, x.dtype, layout == "sparse", layout == "ragged"))

    return trees.map(symbol, tree)


def record(function: Callable, args: tuple, kwargs: dict, name: str | None = None) -> Any:
    """Infer the outputs of an op for symbolic arguments, and record the call as a node."""
    from polykeras.core import sizes  # which imports this module

    if sizes.holds_sizes((args, kwargs)):
        return sizes.record_with_sizes(function, args, kwargs, name)
    with backends.use(SPEC):
        given, options = to_specs((args, kwargs))
        # An op that leaves shape and dtype alone may return the spec itself; its result has no mask all the same.
        result = masks.detached(inferred(function, *given, **options), (given, options), SPEC.copy)
    outputs = to_symbols(result)
    operation = OpCall(function, name)
    operation._inbound_nodes.append(Node(operation, args, kwargs, outputs))
    return outputs


def has_symbols(args: tuple, kwargs: dict, kinds: Collection[type] = SYMBOLS) -> bool:
    """True if the arguments, or lists, tuples and dicts among them, contain a symbolic tensor.

    Args:
        args, kwargs: the arguments.
        kinds: classes to look for; default ``SYMBOLS``.
    """
    for x in args:
        kind = x.__class__
        if kind in kinds:
            return True
        # Most lists and tuples hold numbers: axes, strides, shapes.
        may_hold = kind is dict or ((kind is list or kind is tuple) and not _NEVER_SYMBOLS.issuperset(map(type, x)))
        if may_hold and any(y.__class__ in kinds for y in trees.leaves(x)):
            return True
    return bool(kwargs) and has_symbols(tuple(kwargs.values()), {}, kinds)


def ancestors(outputs: Iterable[KerasTensor], inputs: Iterable[KerasTensor] = ()) -> list[Node]:
    """Return the nodes between ``inputs`` and ``outputs`` in topological order; without ``inputs``, all ancestors."""
    stop = {id(x): x for x in inputs}
    order: list[Node] = []
    seen: dict[int, Node] = {}
    pending = [(x.node, False) for x in reversed(list(outputs)) if id(x) not in stop and x.node is not None]
    while pending:
        node, is_done = pending.pop()
        if is_done:
            order.append(node)
        elif id(node) not in seen:
            seen[id(node)] = node
            pending.append((node, True))
            pending.extend((x.node, False) for x in reversed(node.inputs) if id(x) not in stop and x.node is not None)
    return order


def sources(outputs: Iterable[KerasTensor]) -> list[KerasTensor]:
    """Return the source tensors of the graph of ``outputs``: those that no operation computes."""
    outputs = list(outputs)
    met = [*outputs, *(x for node in ancestors(outputs) for x in (*node.inputs, *node.outputs))]
    return list({id(x): x for x in met if x.node is None or x.node.is_input}.values())


def evaluated(x: Any) -> Any:
    """Return the value of a symbolic tensor that depends on variables alone; anything else is unchanged."""
    if not isinstance(x, KerasTensor) or sources([x]):
        return x.array if isinstance(x, Expression) else x
    return Plan([], [x]).run([])[0]


def recorded(x: Any) -> Any:
    """Return a symbolic tensor for an expression of variables; anything else is unchanged."""
    return record(x.read, (), {}, "expression") if isinstance(x, Expression) else x


class Plan:
    """The calls that compute output values from input values, in an order found once.

    Args:
        inputs, outputs: lists of symbolic tensors.

    Raises:
        ValueError: if an output depends on a symbolic tensor that is not among the inputs.
    """

    def __init__(self, inputs: list[KerasTensor], outputs: list[KerasTensor]) -> None:
        self.nodes = ancestors(outputs, inputs)
        self._tensors = list(inputs)
        # Keyed by identity, which deep copies of the plan do not share, so the dict is not kept.
        slots = {id(x): n for n, x in enumerate(inputs)}
        for node in self.nodes:
            for x in node.outputs:
                if id(x) not in slots:
                    slots[id(x)] = len(self._tensors)
                    self._tensors.append(x)
        self._steps = [self._step(node, inputs, slots) for node in self.nodes]
        for x in outputs:
            if id(x) not in slots:
                raise ValueError(_disconnected(x, inputs))
        self._results = [slots[id(x)] for x in outputs]

    def __contains__(self, tensor: KerasTensor) -> bool:
        return any(x is tensor for x in self._tensors)

    def _step(self, node: Node, inputs: list[KerasTensor], slots: dict[int, int]) -> tuple:
        if node.is_input:
            raise ValueError(_disconnected(node.outputs[0], inputs))
        for x in node.inputs:
            if id(x) not in slots:
                raise ValueError(_disconnected(x, inputs))
        input_slots = [slots[id(x)] for x in node.inputs]
        output_slots = [slots[id(x)] for x in node.outputs]
        is_simple = not node.kwargs and len(node.args) == 1 and isinstance(node.args[0], KerasTensor)
        return node.operation, node, input_slots, output_slots, is_simple and len(output_slots) == 1

    def run(self, values: list, call: Callable | None = None) -> list:
        """Return the output values; ``call(operation, args, kwargs)`` overrides how operations are called."""
        slots: list = [None] * len(self._tensors)
        slots[: len(values)] = values
        for operation, node, input_slots, output_slots, is_simple in self._steps:
            if is_simple and call is None:
                slots[output_slots[0]] = operation(slots[input_slots[0]])
                continue
            arguments = iter([slots[n] for n in input_slots])

            def fill(x: Any) -> Any:
                return next(arguments) if isinstance(x, KerasTensor) else x  # noqa: B023

            args, kwargs = trees.map(fill, (node.args, node.kwargs))
            result = operation(*args, **kwargs) if call is None else call(operation, args, kwargs)
            for index, value in zip(output_slots, _values(result, len(output_slots)), strict=True):
                slots[index] = value
        return [slots[n] for n in self._results]


def _values(result: Any, count: int) -> list:
    """The leaves of a layer's result; None counts as one where the layer declared an output spec for it."""
    values = trees.leaves(result)
    return values if len(values) == count else trees.leaves_and_nones(result)


def _disconnected(tensor: KerasTensor, inputs: list[KerasTensor]) -> str:
    names = [x.name for x in inputs]
    maker = getattr(getattr(tensor.node, "operation", None), "name", tensor.name)
    return (
        f"Expected every output of the model to depend only on its inputs {naming.listed(names)}. Received: one that "
        f"also needs {tensor.name!r} (made by {maker!r}), which is not among them. Add it to `inputs`."
    )
