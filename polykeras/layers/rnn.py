"""RNN: a cell that is run over the time steps of sequences."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from polykeras import backends, ops
from polykeras.backends.contract.spec import SPEC
from polykeras.core import trees
from polykeras.core.variables import Variable, autocast
from polykeras.layers.dropout_masks import DropoutMasks
from polykeras.layers.hooks import calls_as_its_class
from polykeras.layers.input_spec import InputSpec
from polykeras.layers.layer import Layer
from polykeras.layers.recurrent_cells import Cell, StackedRNNCells, check_cell, initial_states, output_size_of, step_of
from polykeras.layers.wrappers import Nested, inner_config
from polykeras.ops._call import op

#: Whether a cell receives the constants as a list, and their shapes when it is built, as in Keras 2.
lists_constants = False
#: Whether the layer returns the states of all cells of a stack in one list, as in Keras 2.
lists_states = False


class RNN(Nested):
    """Run a cell over the time steps of sequences, passing its states from one time step to the next.

    Args:
        cell: an object with ``output, new_states = call(inputs, states)`` and ``state_size``, an int
            or a list of ints; or a list of cells, for ``StackedRNNCells``. It may also define
            ``output_size`` and ``get_initial_state(batch_size)``.
        return_sequences: bool, whether to return the outputs of all time steps, not only the last one; default False.
        return_state: bool, whether to return ``(outputs, *last states)``; default False.
        go_backwards: bool, whether to process the time steps in reverse order and return outputs in that order;
            default False.
        stateful: bool, whether to start each batch from the last states of the previous one, until
            ``reset_state()``; requires a fixed, known batch size; default False.
        unroll: bool, whether to unroll the loop over time steps: faster for short sequences on engines that
            compile, but slower to compile; default False.
        zero_output_for_mask: bool, whether the output of a masked time step is 0 instead of the previous output;
            default False.
        time_major: bool, whether inputs and outputs are (time, batch, ...), as in Keras 2; default False.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Call arguments:
        sequences: (batch, time, ...). A list ``[sequences, *initial_state, *constants]`` is
            accepted too, as in Keras 2.
        initial_state: the initial states, a list of arrays or one array; default the cell's own, or zeros.
        mask: bool array (batch, time); where it is False, the states are kept unchanged.
        training: bool, whether dropout is active.
        constants: list of arrays passed to the cell as ``constants`` at every time step.

    Raises:
        ValueError: if ``cell`` is not a cell; in a call, for sequences of a wrong rank or size or without
            time steps, or for states of a wrong number or shape.

    Shapes: (batch, time, ...) to (batch, units), or (batch, time, units) with ``return_sequences``.

    >>> import numpy as np, polykeras as keras
    >>> class Sum(keras.layers.Layer):
    ...     state_size = 3
    ...     def call(self, inputs, states):
    ...         total = inputs + states[0]
    ...         return total, [total]
    >>> keras.layers.RNN(Sum())(np.ones((1, 4, 3)))
    array([[4., 4., 4.]], dtype=float32)
    """

    _untracked = Layer._untracked | {"states"}

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        time_major: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        cell = StackedRNNCells(list(cell)) if isinstance(cell, list | tuple) else cell
        check_cell(self, cell)
        self.cell = cell
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.zero_output_for_mask = zero_output_for_mask
        self.time_major = time_major
        self.supports_masking = True
        #: Variables that hold the states between batches, if ``stateful``.
        self.states: Any = None

    @property
    def state_size(self) -> Any:
        """The sizes of the states of the cell."""
        return self.cell.state_size

    def get_config(self) -> dict:
        config = {**super().get_config(), **self._options(), "cell": inner_config(self.cell)}
        return {**config, "time_major": True} if self.time_major else config

    def _options(self) -> dict:
        names = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll", "zero_output_for_mask")
        return {name: getattr(self, name) for name in names}

    # ----------------------------------------------------------- building, states

    def build(self, sequences_shape: Any, initial_state_shape: Any = None, constants_shape: Any = None) -> None:
        """Build the cell.

        Args:
            sequences_shape: tuple, (batch, time, ...).
            initial_state_shape: accepted for compatibility and ignored; default None.
            constants_shape: list of the shapes of the constants, which Keras 2 passes on to the cell; default None.
        """
        shape = sequences_shape[0] if isinstance(sequences_shape[0], list | tuple) else sequences_shape
        self._check_rank(tuple(shape))
        batch, _, *step = shape if not self.time_major else (shape[1], shape[0], *shape[2:])
        if isinstance(self.cell, Layer) and not self.cell.built:
            shape = (batch, *step)
            self.cell.build([shape, *_listed(constants_shape)] if lists_constants and constants_shape else shape)
        if self.stateful:
            self._make_states(batch)

    def _make_states(self, batch: int | None) -> None:
        if batch is None:
            raise ValueError(
                f"Layer {self.path!r}: Expected a known batch size for stateful=True. Received: None. Give it in "
                f"Input(batch_shape=...), or as batch_input_shape of the first layer."
            )
        with backends.use(SPEC):
            specs, structure = trees.flatten(self.get_initial_state(batch))
        variables = []
        for index, spec in enumerate(specs):
            first_value = functools.partial(self._first_state, batch, index)
            options = {"dtype": self.variable_dtype, "trainable": False, "name": "rnn_state"}
            variables.append(Variable(first_value, spec.shape, **options))
            variables[-1].path = f"{self.path}/rnn_state"
        self.states = trees.unflatten(structure, variables)

    def _first_state(self, batch: int, index: int, shape: tuple, dtype: str) -> Any:
        return ops.cast(trees.leaves(self.get_initial_state(batch))[index], dtype)

    def get_initial_state(self, batch_size: Any = None) -> list:
        """Return the initial states.

        Args:
            batch_size: int, number of sequences; default None, for unknown. Or the sequences themselves, as in Keras 2,
                for a list of the states of all cells.
        """
        if len(getattr(batch_size, "shape", ())) > 1:  # not a size, which may be a scalar of an engine's graph
            return _states_for(batch_size, self)
        return initial_states(self.cell, batch_size, self.compute_dtype)

    def _initial_state_of(self, batch_size: int | None, sequences: Any) -> list:
        """Return the initial states, by a method of a program that may take sequences, as in Keras 2."""
        return self.get_initial_state(sequences if "inputs" in _names(type(self).get_initial_state) else batch_size)

    def reset_state(self, states: Any = None) -> None:
        """Reset the states of a stateful layer, before the next batch.

        Args:
            states: list of arrays to start from; default None, for the initial states of the cell.
        """
        variables = trees.leaves(self.states)
        if not variables:
            return
        with backends.use(variables[0].backend_name):
            updated = self.get_initial_state(variables[0].shape[0]) if states is None else states
            for variable, value in zip(variables, trees.leaves(updated), strict=True):
                variable.assign(value)

    reset_states = reset_state

    def _collect_variables(self, extras: bool, seen: dict | None = None) -> Any:
        # The states are variables of the layer, but not weights.
        yield from super()._collect_variables(extras, seen)
        if extras:
            yield from trees.leaves(self.states)

    # -------------------------------------------------------------------- calling

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False, constants: Any = None
    ) -> Any:
        """Apply the layer to the inputs.

        Args:
            sequences: array, (batch, time, ...).
            initial_state: list of arrays, (batch, units), the initial states; default None, for zeros.
            mask: bool array, True for the entries to use; default None, for all of them.
            training: bool, whether to run in training mode; default False.
            constants: list of arrays passed to the cell at every time step; default None.

        Shapes: (batch, time, ...) to (batch, units), or (batch, time, units) with ``return_sequences``.
        """
        sequences, initial_state, constants = self._split_inputs(sequences, initial_state, constants)
        mask = next((m for m in mask if m is not None), None) if isinstance(mask, list | tuple) else mask
        if self.time_major:
            sequences, mask = _swap(sequences), None if mask is None else _swap(mask)
        self._check_sequences(sequences)
        states = self._first_states(sequences, initial_state)
        if mask is not None:
            mask = ops.cast(mask, "bool")
            mask = ops.squeeze(mask, 2) if len(ops.shape(mask)) == 3 else mask
        if self.go_backwards:
            sequences, mask = ops.flip(sequences, 1), None if mask is None else ops.flip(mask, 1)
        outputs, states = self._through(self.cell, sequences, states, mask, training, constants, self.return_sequences)
        if self.stateful:
            for variable, state in zip(trees.leaves(self.states), trees.leaves(states), strict=True):
                variable.assign(ops.cast(state, variable.dtype))
        outputs = ops.cast(outputs, self.compute_dtype)
        if self.return_sequences and self.time_major:
            outputs = _swap(outputs)
        if not self.return_state:
            return outputs
        if lists_states:
            states = trees.leaves(states)
        states = [state[0] if isinstance(state, list) and len(state) == 1 else state for state in states]
        return outputs, *trees.map(lambda x: ops.cast(x, self.compute_dtype), states)

    def _split_inputs(self, sequences: Any, initial_state: Any, constants: Any) -> tuple:
        """Split a Keras 2 list of inputs into sequences, states, and constants."""
        if lists_constants and constants is not None:
            constants = constants if isinstance(constants, list | tuple) else [constants]
        if not isinstance(sequences, list | tuple):
            return sequences, initial_state, constants
        sequences, *others = sequences
        count = len(trees.leaves(self.state_size)) if others else 0
        if others and initial_state is None:
            initial_state, others = others[:count], others[count:]
        return sequences, initial_state, others or constants

    def _check_sequences(self, sequences: Any) -> None:
        shape = tuple(ops.shape(sequences))
        self._check_rank(shape)
        problem = self._sequence_spec().problem(shape, ops.dtype(sequences))
        if problem is None and shape[1] == 0:
            problem = f"Expected sequences with at least one time step. Received: none, shape {shape}."
        if problem is None and shape[1] is None and self.unroll and not backends.current().is_symbolic:
            problem = f"Expected a known number of time steps for unroll=True. Received shape: {shape}."
        if problem is not None:
            raise ValueError(f"Layer {self.path!r} ({type(self).__name__}): {problem}")

    def _check_rank(self, shape: tuple) -> None:
        problem = InputSpec(ndim=self._sequence_spec().ndim).problem(shape, self.compute_dtype)
        if problem is not None:
            raise ValueError(
                f"Layer {self.path!r} ({type(self).__name__}): {problem} Sequences are (batch, time, ...); a recurrent "
                f"layer returns them with return_sequences=True."
            )

    def _sequence_spec(self) -> InputSpec:
        cell = self.cell
        while isinstance(cell, StackedRNNCells):
            cell = cell.cells[0]
        expected = cell.input_spec if isinstance(cell, Cell) else None
        return InputSpec(min_ndim=2) if expected is None else InputSpec(ndim=expected.ndim + 1, axes=expected.axes)

    def _first_states(self, sequences: Any, given: Any) -> Any:
        """The checked initial states, in the structure of the cell's states."""
        batch = tuple(ops.shape(sequences))[0]
        dtype = getattr(self.cell, "compute_dtype", self.compute_dtype)
        if given is None and self.stateful:
            expected = trees.leaves(self.states)[0].shape[0]
            if batch not in (None, expected):
                raise ValueError(
                    f"Layer {self.path!r}: Expected batches of {expected} sequences, as before, for stateful=True. "
                    f"Received: {batch}."
                )
            given = self.states
        default = self._initial_state_of(batch, sequences)
        if given is None:
            return trees.map(lambda x: ops.cast(x, dtype), default)
        wanted, structure = trees.flatten(default)
        states = [ops.convert_to_tensor(x, dtype) for x in trees.leaves(given)]
        shapes, expected = ([tuple(ops.shape(x)) for x in xs] for xs in (states, wanted))
        if len(shapes) != len(expected) or not all(map(_fits, shapes, expected)):
            raise ValueError(
                f"Layer {self.path!r} ({type(self).__name__}): Expected an initial_state of arrays of shapes "
                f"{expected}. Received shapes: {shapes}."
            )
        return trees.unflatten(structure, states)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return the mask of the inputs for output sequences, and None for single outputs and states.

        Args:
            inputs: array, (batch, time, ...).
            mask: bool array, (batch, time); default None.
        """
        if isinstance(mask, list | tuple):
            mask = mask[0]
        mask = mask if self.return_sequences else None
        return [mask, *[None] * len(trees.leaves(self.state_size))] if self.return_state else mask

    def _maybe_reset_cell_dropout_mask(self, cell: Any) -> None:
        """Let a ``call`` for tf.keras 2 ask for new dropout masks; there are new ones in every call."""

    # ----------------------------------------------------------- over the time steps

    def _through(
        self, cell: Any, sequences: Any, states: Any, mask: Any, training: bool, constants: Any, all_outputs: bool
    ) -> tuple[Any, Any]:
        """Run a cell, or the cells of a stack in turn, over (batch, time, ...), and return (outputs, last states)."""
        if isinstance(cell, StackedRNNCells):
            last_states = []
            for index, (inner, first) in enumerate(zip(cell.cells, cell._in_order(states), strict=True)):
                wants_all = all_outputs or index < len(cell.cells) - 1
                sequences, last = self._through(inner, sequences, first, mask, training, constants, wants_all)
                last_states.append(last)
            return sequences, cell._in_order(last_states)
        if not _is_standard(cell):
            further = {} if constants is None else {"constants": constants}
            with _masks_kept(cell, sequences, states, training):
                return self._loop(step_of(cell, training, **further), cell, _swap(sequences), states, mask, all_outputs)
        with contextlib.ExitStack() as stack:
            stack.enter_context(autocast(cell.compute_dtype if cell._casts_variables else None))
            stack.enter_context(cell.dropping(tuple(ops.shape(sequences))[0], training))
            sequences = ops.cast(sequences, cell.compute_dtype)
            if cell.has_kernel and getattr(self, "use_cudnn", True):
                outputs, states = cell.run_kernel(sequences, states, mask)
                return self._masked(outputs, mask, all_outputs), states
            return self._loop(cell.advance, cell, cell.project(_swap(sequences)), states, mask, all_outputs)

    def _masked(self, outputs: Any, mask: Any, all_outputs: bool) -> Any:
        """Outputs of a fused kernel, (batch, time, units), as a loop gives them: 0 before the first unmasked step."""
        if mask is None:
            return outputs if all_outputs else outputs[:, -1]
        if not self.zero_output_for_mask:
            mask = ops.greater(ops.cumsum(ops.cast(mask, "int32"), axis=1), 0)
        if not all_outputs:
            mask, outputs = mask[:, -1], outputs[:, -1]
        return ops.where(_like(mask, outputs), outputs, ops.zeros_like(outputs))

    def _loop(
        self, advance: Callable, cell: Any, inputs: Any, states: Any, mask: Any, all_outputs: bool
    ) -> tuple[Any, Any]:
        """Run ``output, states = advance(inputs, states)`` over (time, batch, ...)."""
        for weight in getattr(cell, "weights", ()):
            _ = weight.raw  # initialize the weights here, not inside the loop of a compiled program
        dtypes, structure = trees.flatten(trees.map(ops.dtype, states))

        def step(carry: tuple, row: tuple) -> tuple:
            before, states = carry
            inputs, counts = row
            output, updated = advance(inputs, states)
            updated = [ops.cast(x, dtype) for x, dtype in zip(trees.leaves(updated), dtypes, strict=True)]
            updated = trees.unflatten(structure, updated)
            output = ops.cast(output, ops.dtype(before))
            if counts is not None:
                held = ops.zeros_like(before) if self.zero_output_for_mask else before
                output = ops.where(_like(counts, output), output, held)
                updated = trees.map(lambda new, old: ops.where(_like(counts, new), new, old), updated, states)
            return (output, updated), output if all_outputs else None

        first = trees.leaves(states)[0]
        if not _is_standard(cell):  # states of our own cells have the shape of the output
            first = ops.zeros((tuple(ops.shape(first))[0], output_size_of(cell)), self.compute_dtype)
        rows = inputs, None if mask is None else _swap(mask)
        run = _unrolled if self.unroll and tuple(ops.shape(inputs))[0] is not None else ops.scan
        (output, states), outputs = run(step, (ops.zeros_like(first), states), rows)
        return (_swap(outputs) if all_outputs else output), states


@op
def _states_for(sequences: Any, layer: RNN) -> list:
    """Return the initial states for sequences, which may be symbolic."""
    return trees.leaves(initial_states(layer.cell, tuple(ops.shape(sequences))[0], layer.compute_dtype))


@functools.lru_cache(256)
def _names(method: Callable) -> tuple[str, ...]:
    return tuple(inspect.signature(method).parameters)


def _unrolled(step: Callable, carry: Any, rows: tuple) -> tuple:
    """Like ``ops.scan``, but without a loop in the compiled program."""
    ys = []
    for index in range(tuple(ops.shape(rows[0]))[0]):
        carry, y = step(carry, trees.map(lambda x: x[index], rows))  # noqa: B023
        ys.append(y)
    return carry, None if ys[0] is None else ops.stack(ys)


def _is_standard(cell: Any) -> bool:
    """Whether a cell is one of ours, with our ``call``, whose parts may run for all steps at once."""
    return isinstance(cell, Cell) and type(cell).call is Cell.call and calls_as_its_class(cell)


@contextlib.contextmanager
def _masks_kept(cell: Any, sequences: Any, states: Any, training: bool) -> Iterator[None]:
    """Context manager: a user's cell has its dropout masks before the first step, and none after the last."""
    if not isinstance(cell, DropoutMasks):
        yield
        return
    # A class that derives from one of ours overrides ``call``, which may call ours.
    batch = tuple(ops.shape(sequences))[0]
    with cell.dropping(batch, training) if isinstance(cell, Cell) else contextlib.nullcontext():
        try:
            if training:
                cell.get_dropout_mask(sequences[:, 0])
                cell.get_recurrent_dropout_mask(trees.leaves(states)[0])
            yield
        finally:
            cell.reset_dropout_mask()
            cell.reset_recurrent_dropout_mask()


def _swap(x: Any) -> Any:
    """Swap the batch and the time axis."""
    return ops.swapaxes(x, 0, 1)


def _like(mask: Any, x: Any) -> Any:
    """The mask with trailing axes of size 1, up to the rank of x."""
    for _ in range(len(ops.shape(x)) - len(ops.shape(mask))):
        mask = ops.expand_dims(mask, -1)
    return mask


def _fits(shape: tuple, expected: tuple) -> bool:
    sizes = zip(shape, expected, strict=False)
    return len(shape) == len(expected) and all(None in pair or pair[0] == pair[1] for pair in sizes)


def _listed(shapes: Any) -> list:
    """Return one shape, or several, as a list of shapes."""
    return list(shapes) if isinstance(shapes[0], list | tuple) else [shapes]
