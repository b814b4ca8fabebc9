"""Functions of graphs, gradients, branches and loops, under the names of Keras 2."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from polykeras import backends, ops
from polykeras.backends.contract.spec import SPEC, SpecArray
from polykeras.compat.keras2.backend.session import learning_phase
from polykeras.compat.keras2.backend.tensors import get_value
from polykeras.core import graph, naming, sizes, trees
from polykeras.core.context import within
from polykeras.core.functionalization import reading
from polykeras.core.graph import KerasTensor, Plan
from polykeras.core.outer_tensors import symbol_of
from polykeras.core.shape_inference import inferred
from polykeras.core.variables import Variable
from polykeras.ops._call import op

# ------------------------------------------------------- functions of the graph


def function(inputs: Sequence, outputs: Any, updates: Sequence | None = None, name: str | None = None) -> Callable:
    """Return a function from input to output tensors of a graph.

    Args:
        inputs: list of symbolic tensors; ``K.learning_phase()`` among them receives the phase, 0 or 1.
        outputs: a symbolic tensor, or a list, which may include variables.
        updates: pairs (variable, symbolic new value), assigned together after each call; default None.
        name: str, for messages; default None.

    Returns:
        ``f(values) -> outputs``, with NumPy arrays as outputs and a list of values for ``inputs``.

    Raises:
        ValueError: if an output depends on a tensor that is not among the inputs, or for an update that was
            assigned at once, because it depends on variables alone.

    >>> x = KerasTensor((None, 2))
    >>> double = function([x], [x * 2])
    >>> double([[[1.0, 2.0]]])
    [array([[2., 4.]], dtype=float32)]
    """
    return _GraphFunction(list(inputs), outputs, list(updates or ()), name or "function")


class _GraphFunction:
    """The result of ``function``."""

    def __init__(self, inputs: list, outputs: Any, updates: list, name: str) -> None:
        self._name = name
        self._backend_name = backends.outer_name()
        self._is_single = not isinstance(outputs, list | tuple)
        self._inputs = inputs
        self._outputs = [outputs] if self._is_single else list(map(_as_tensor, outputs))
        self._outputs = list(map(graph.recorded, self._outputs))
        self._updates = [(x[0], graph.recorded(x[1])) if isinstance(x, tuple | list) else x for x in updates]
        computed = [update for update in updates if not isinstance(update, tuple | list)]
        if computed:
            raise ValueError(
                f"{name}: Expected updates to be pairs of a variable and a symbolic tensor. Received: "
                f"{naming.listed(computed)}, which K.update assigned at once, as nothing in it is symbolic."
            )
        strangers = [x for x in inputs if not isinstance(x, KerasTensor | int)]
        if strangers:
            raise ValueError(f"{name}: Expected inputs to be symbolic tensors. Received: {naming.listed(strangers)}.")
        results = [*self._outputs, *(value for _, value in self._updates)]
        self._graph_plan = Plan(
            [x for x in inputs if isinstance(x, KerasTensor)], [x for x in results if isinstance(x, KerasTensor)]
        )

    def __call__(self, inputs: Any) -> Any:
        inputs = inputs if isinstance(inputs, list | tuple) else [inputs]
        if len(inputs) != len(self._inputs):
            raise ValueError(f"{self._name}: Expected {len(self._inputs)} inputs. Received: {len(inputs)}.")
        values, training = [], None
        with backends.use(self._backend_name):
            for x, value in zip(self._inputs, inputs, strict=True):
                if isinstance(x, KerasTensor):
                    values.append(ops.convert_to_tensor(value, x.dtype))
                else:
                    training = bool(value)
            with within(self._name, training):
                results = iter(self._graph_plan.run(values))

            def fill(x: Any) -> Any:
                return next(results) if isinstance(x, KerasTensor) else x

            outputs = [get_value(fill(x)) for x in self._outputs]
            updated = [fill(value) for _, value in self._updates]
            for (variable, _), value in zip(self._updates, updated, strict=True):
                variable.assign(value)
        return outputs[0] if self._is_single else outputs


def _as_tensor(x: Any) -> Any:
    """Return ``K.shape(x)``, a tuple of sizes, as one tensor; anything else is unchanged."""
    is_shape = isinstance(x, tuple) and any(isinstance(size, KerasTensor) for size in x)
    return ops.stack([ops.cast(size, "int32") for size in x]) if is_shape else x


def gradients(loss: KerasTensor, variables: Any) -> list:
    """Return the gradients of a symbolic loss, as symbolic tensors for ``K.function``.

    Args:
        loss: a symbolic tensor, or the ``y_pred`` of a loss that is being computed; its entries are summed.
        variables: list (or one) of symbolic tensors that the loss depends on, and of Variables.

    Returns:
        A list with the gradient for each; None for those that the loss does not depend on.

    Raises:
        TypeError: if the loss is an array with values, which does not record how it was computed.

    >>> x = KerasTensor((3,))
    >>> function([x], gradients(ops.sum(x * x), x))([[1.0, 2.0, 3.0]])
    [array([2., 4., 6.], dtype=float32)]
    """
    loss = graph.recorded(symbol_of(loss))
    if not isinstance(loss, KerasTensor):
        raise TypeError(
            f"Expected a symbolic loss, computed from Input() or K.placeholder(). Received: {loss!r}, which does not "
            f"record how it was computed. Put the computation into a function for ops.value_and_grad(function)(...)."
        )
    variables = list(variables) if isinstance(variables, list | tuple) else [variables]
    sources = graph.sources([loss])
    read = _variables_read(loss, sources) if any(isinstance(v, Variable) for v in variables) else {}
    weights = [v for v in variables if isinstance(v, Variable) and v in read]
    by_weight = dict(zip(map(id, weights), _weight_gradients(loss, sources, weights), strict=True)) if weights else {}
    return [by_weight.get(id(v)) if isinstance(v, Variable) else _gradient(loss, sources, v) for v in variables]


def _variables_read(loss: KerasTensor, sources: list) -> dict:
    """Return the variables from whose values a symbolic loss is computed."""
    plan = Plan(sources, [loss])
    with reading() as read, backends.use(SPEC):
        try:
            plan.run(graph.to_specs(sources))
        except Exception:  # some op needs known sizes
            sizes.on_known_sizes(lambda specs: inferred(plan.run, specs), sources)
    return read


def _gradient(loss: KerasTensor, sources: list, x: KerasTensor) -> KerasTensor | None:
    if all(other is not x for node in graph.ancestors([loss], [x]) for other in node.inputs):
        return None
    others = [source for source in sources if source is not x]
    plan = Plan([x, *others], [loss])

    def gradient(value: Any, others: list) -> Any:
        if backends.current().is_symbolic:
            return value
        return ops.grad(lambda value: ops.sum(plan.run([value, *others])[0]))(value)

    return graph.record(gradient, (x, others), {})


def _weight_gradients(loss: KerasTensor, sources: list, weights: list[Variable]) -> list[KerasTensor]:
    plan = Plan(sources, [loss])

    def weight_gradients(sources: list) -> list:
        if backends.current().is_symbolic:
            return [SpecArray(w.shape, w.dtype) for w in weights]
        return ops.grad(lambda: ops.sum(plan.run(sources)[0]), weights)()

    return graph.record(weight_gradients, (sources,), {})


def stop_gradient(variables: Any) -> Any:
    """Return tensors, one or a list, that differentiation treats as constants.

    Args:
        variables: array, Variable, or list of them.

    >>> stop_gradient([1.0, 2.0])
    [array(1., dtype=float32), array(2., dtype=float32)]
    """
    if isinstance(variables, list | tuple):
        return [ops.stop_gradient(x) for x in variables]
    return ops.stop_gradient(variables)


# ------------------------------------------------------------------- branches


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Any:
    """Return one of two expressions; if the condition has axes, choose entry by entry.

    Args:
        condition: a bool, a 0-d tensor, or a tensor with the leading axes of the expressions.
        then_expression, else_expression: tensors, or functions without arguments that return them.

    Raises:
        ValueError: if the condition has more axes than the expressions.

    >>> switch([True, False], [[1, 2], [3, 4]], [[0, 0], [0, 0]])
    array([[1, 2],
           [0, 0]], dtype=int32)
    """
    rank = 0 if isinstance(condition, bool) else ops.ndim(condition)
    branches = then_expression, else_expression
    if rank == 0 and not isinstance(condition, KerasTensor) and all(map(callable, branches)):
        return ops.cond(condition, *branches)
    then, other = (branch() if callable(branch) else branch for branch in branches)
    inner = ops.ndim(then)
    if rank > inner:
        raise ValueError(f"Expected a condition of at most {inner} axes, as the expressions have. Received: {rank}.")
    for _ in range(inner - rank if rank else 0):
        condition = ops.expand_dims(condition, -1)
    return ops.where(ops.cast(condition, "bool"), then, other)


@op
def _by_phase(x: Any, alt: Any) -> Any:
    """Choose between two tensors of a graph by the phase in which it is computed."""
    return ops.copy(x if learning_phase() else alt)


def in_train_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """Return ``x`` in training and ``alt`` otherwise.

    Args:
        x, alt: tensors, or functions without arguments that return them.
        training: a bool or a 0-d tensor; default ``learning_phase()``.

    >>> in_train_phase(1.0, 2.0), in_train_phase(1.0, 2.0, training=True)
    (2.0, 1.0)
    """
    phase = learning_phase() if training is None else training
    phase = phase if isinstance(phase, bool | int | KerasTensor) else backends.current().concrete(phase)
    if isinstance(phase, bool | int | float):
        if training is None and (isinstance(x, KerasTensor) or isinstance(alt, KerasTensor)):
            return _by_phase(*(value() if callable(value) else value for value in (x, alt)))
        chosen = x if phase else alt
        return chosen() if callable(chosen) else chosen
    return switch(phase, x, alt)


def in_test_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """Return ``alt`` in training and ``x`` otherwise; see ``in_train_phase`` for the arguments.

    Args:
        x: array, or function without arguments that returns one: the result in inference.
        alt: array, or function without arguments that returns one: the result in training.
        training: bool; None for the learning phase that is set.

    >>> in_test_phase(1.0, 2.0)
    1.0
    """
    return in_train_phase(alt, x, training)


# ----------------------------------------------------------------------- loops


def _elements(elems: Any) -> Any:
    """Convert a tensor, or a tuple or list of tensors; a list of numbers is one tensor."""
    if isinstance(elems, tuple) or (isinstance(elems, list) and all(len(getattr(x, "shape", ())) for x in elems)):
        return type(elems)(map(_elements, elems))
    return ops.convert_to_tensor(elems)


@op
def map_fn(fn: Callable, elems: Any, name: str | None = None, dtype: Any = None) -> Any:
    """Return the stacked results of a function for each entry of the first axis.

    Args:
        fn: function of an entry, or of a tuple or list of them, that returns a tensor or a tuple of tensors.
        elems: a tensor, or a tuple or list of tensors.
        name: for compatibility; default None.
        dtype: dtype of the results, or a tuple with that of each; default None, as computed.

    >>> map_fn(lambda x: x * 2, [1, 2, 3])
    array([2, 4, 6], dtype=int32)
    """
    result = ops.map(fn, _elements(elems))
    if dtype is None:
        return result
    values, structure = trees.flatten(result)
    kinds = trees.leaves(dtype) if isinstance(dtype, tuple | list) else [dtype] * len(values)
    return trees.unflatten(structure, map(ops.cast, values, kinds))


@op
def foldl(fn: Callable, elems: Any, initializer: Any = None, name: str | None = None) -> Any:
    """Return the result of ``accumulated = fn(accumulated, entry)`` over the entries of the first axis.

    Args:
        fn: function that keeps the shape and dtype of its first argument.
        elems: a tensor.
        initializer: the initial ``accumulated``; default None, for the first entry.
        name: for compatibility; default None.

    >>> foldl(lambda total, x: total + x, [1, 2, 3])
    np.int32(6)
    """
    elems = ops.convert_to_tensor(elems)
    if initializer is None:
        initializer, elems = elems[0], elems[1:]
    return ops.scan(lambda total, x: (fn(total, x), None), ops.convert_to_tensor(initializer), elems)[0]


@op
def foldr(fn: Callable, elems: Any, initializer: Any = None, name: str | None = None) -> Any:
    """Return the result of ``foldl`` over the entries from the last to the first.

    Args:
        fn: function of the accumulated result and an entry.
        elems: array, (n, ...).
        initializer: array, the initial result; default None, for the last entry.
        name: for compatibility; default None.

    >>> foldr(lambda total, x: total - x, [1, 2, 3])
    np.int32(0)
    """
    return foldl(fn, ops.flip(elems, 0), initializer)


@op
def rnn(
    step_function: Callable,
    inputs: Any,
    initial_states: Sequence,
    go_backwards: bool = False,
    mask: Any = None,
    constants: Sequence | None = None,
    unroll: bool = False,
    input_length: int | None = None,
    time_major: bool = False,
    zero_output_for_mask: bool = False,
    return_all_outputs: bool = True,
) -> tuple:
    """Run a step function over the time axis of sequences.

    Args:
        step_function: ``output, new_states = f(inputs, states)`` of (batch, ...), with the constants
            appended to the states.
        inputs: array, (batch, time, ...), or a tuple or list of them: then every step gets one of rows.
        initial_states: list of arrays, whose shapes and dtypes the step keeps.
        go_backwards: bool, whether to run from the last step to the first; outputs have that order; default False.
        mask: bool array, (batch, time) or (batch, time, 1): where it is False, states and output are kept; before
            the first True, the output is 0; default None.
        constants: list of arrays that every step receives; default None.
        unroll: bool, whether to unroll the steps instead of a loop; needs a known number of steps; default False.
        input_length: for compatibility; the length is taken from the inputs; default None.
        time_major: bool, whether inputs, mask and outputs are (time, batch, ...); default False.
        zero_output_for_mask: bool, whether the output is 0 wherever the mask is False; default False.
        return_all_outputs: bool; if False, the outputs are the last alone, with a time axis of 1; default True.

    Returns:
        (last output, all outputs (batch, time, ...), list of last states).

    Raises:
        ValueError: for inputs with fewer than 3 axes, or of unknown length with ``unroll``.

    >>> step = lambda x, states: (x + states[0], [x + states[0]])
    >>> last, outputs, states = rnn(step, [[[1.0], [2.0]]], [[[0.0]]])
    >>> outputs
    array([[[1.],
            [3.]]], dtype=float32)
    """
    inputs = _elements(inputs)
    if any(ops.ndim(x) < 3 for x in trees.leaves(inputs)):
        raise ValueError(f"Expected inputs (batch, time, ...). Received shape: {trees.map(ops.shape, inputs)}.")
    rows = {"inputs": inputs} if mask is None else {"inputs": inputs, "mask": _mask_of_steps(mask)}
    rows = rows if time_major else trees.map(_swapped, rows)
    rows = trees.map(lambda x: ops.flip(x, 0), rows) if go_backwards else rows
    states = [_elements(state) for state in initial_states]
    constants = [ops.convert_to_tensor(constant) for constant in constants or ()]

    def step(carry: tuple, row: dict) -> tuple:
        before, states = carry
        output, updated = step_function(row["inputs"], [*states, *constants])
        updated = list(updated)
        if mask is not None:
            output, updated = _where_counted(row["mask"], (output, updated), (before, states))
        return (output if before is not None else None, updated), output

    first = None
    if mask is not None:
        start = trees.map(lambda x: x[0], rows["inputs"])
        first = trees.map(ops.zeros_like, step_function(start, [*states, *constants])[0])
    (_, states), outputs = (_unrolled if unroll else ops.scan)(step, (first, states), rows)
    if zero_output_for_mask and mask is not None:
        outputs = trees.map(lambda x: ops.where(_up_to(rows["mask"], x), x, ops.zeros_like(x)), outputs)
    last = trees.map(lambda x: x[-1], outputs)
    outputs = outputs if return_all_outputs else trees.map(lambda x: x[-1:], outputs)
    return last, outputs if time_major else trees.map(_swapped, outputs), states


def _mask_of_steps(mask: Any) -> Any:
    mask = ops.cast(mask, "bool")
    return mask if ops.ndim(mask) == 2 else mask[..., 0]


def _swapped(x: Any) -> Any:
    return ops.swapaxes(x, 0, 1)


def _unrolled(step: Callable, carry: tuple, rows: dict) -> tuple:
    """Like ``ops.scan``, without a loop in the compiled program."""
    time = ops.shape(trees.leaves(rows)[0])[0]
    if time is None:
        raise ValueError("Expected inputs of known length for unroll=True. Received: an unknown length.")
    ys = []
    for index in range(time):
        carry, y = step(carry, trees.map(lambda x: x[index], rows))  # noqa: B023
        ys.append(y)
    return carry, trees.map(lambda *outputs: ops.stack(outputs), *ys)


def _where_counted(counts: Any, new: Any, old: Any) -> Any:
    """Return ``new`` in the rows where the mask is True, otherwise ``old``."""
    return trees.map(lambda x, before: ops.where(_up_to(counts, x), x, before), new, old)


def _up_to(mask: Any, x: Any) -> Any:
    """Return a mask with as many axes as an array, of which the further ones have size 1."""
    return ops.reshape(mask, (*ops.shape(mask), *(1,) * (ops.ndim(x) - ops.ndim(mask))))
