"""Native training: steps with an engine's own tape or ``backward``, and functions of states."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from polykeras import backends
from polykeras.backends.contract.spec import SPEC
from polykeras.capture.native_steps import NativeStep, StatelessStep, speaks_natively, takes_anything, takes_state
from polykeras.core import naming, trees
from polykeras.core.functionalization import pure
from polykeras.core.variables import Variable
from polykeras.layers.graph_calls import replaceable
from polykeras.training.data.batches import unpack_x_y_sample_weight

if TYPE_CHECKING:
    from polykeras.layers.layer import Layer as Host
else:
    Host = object


class NativeTraining(Host):
    """Trainer methods for programs in an engine's native style."""

    optimizer: Any
    _compiled_parts: Any
    _check_compiled: Callable[[str], None]
    _compute_loss: Callable[..., Any]
    _on_own_backend: Callable[[], backends.use]
    compute_metrics: Callable[..., dict]
    if TYPE_CHECKING:

        @property
        def _asks_for_compiler(self) -> bool | None: ...

        @property
        def _has_call(self) -> bool: ...

        @property
        def metrics(self) -> list: ...

    def _follow_program(self) -> None:
        super()._follow_program()
        held = {id(weight) for weight in self.weights if weight.follows_leaf and not weight.trainable}
        if held and self.optimizer is not None and not self.optimizer.built:
            held.update(map(id, self.trainable_variables))  # the program may release the frozen ones again
            self.optimizer.build([weight for weight in self.weights if id(weight) in held])

    def _make_captured_step(
        self, kind: str, function: Callable, batch: Any, make: Callable[[], Any], compiled: bool
    ) -> Any:
        """Return a step; if the user wrote it for one engine, one that runs as a native program of that engine.

        Args:
            kind: ``"train"``, ``"test"`` or ``"predict"``.
            function: function of a batch.
            batch: specs of a batch.
            make: returns the step if it is written for any engine.
            compiled: whether to let the engine compile it.
        """
        written = getattr(self, f"{kind}_step")
        if takes_state(written):
            self._make_state(kind, batch)
            return StatelessStep(written, lambda: self._state_groups(kind), compiled)
        try:
            return make()
        except Exception:
            # Steps with an engine's tape or backward() fail on specs: only then look at what they use.
            if not speaks_natively(type(self), backends.current_name()):
                raise
            self._make_state(kind, batch)
            try:
                return NativeStep(function, compiled, self._asks_for_compiler)
            except NotImplementedError:  # an engine whose native programs pass the state explicitly
                if not takes_anything(written):
                    raise
                return StatelessStep(written, lambda: self._state_groups(kind), compiled)

    def _make_state(self, kind: str, batch: Any) -> None:
        """Create the missing variables of the state, except for layers that only the user's own step calls."""
        if self._has_call and self._lacks_variables():
            try:
                self._make_variables(kind, *unpack_x_y_sample_weight(batch))
            except Exception:
                if not self._is_whole():  # otherwise, the step may call the model on parts of the batch
                    raise
        if kind == "train" and not self.optimizer.built and self._is_whole():
            self.optimizer.build(self.trainable_variables)

    def _lacks_variables(self) -> bool:
        """Whether a call of the model, or its compiled parts, may still have to create variables."""
        has_parts = self._compiled_parts is not None and (self._compiled_parts.loss, self._compiled_parts.metrics) != (
            None,
            None,
        )
        return has_parts or not self._is_whole()

    def _is_whole(self) -> bool:
        """Whether all nested layers are built; a model without a call has no weights of its own."""
        return all(layer.built for layer in self._flatten_layers(include_self=self._has_call))

    def _make_variables(self, kind: str, x: Any, y: Any, sample_weight: Any) -> None:
        with backends.use(SPEC):
            y_pred = self(x)
            if kind != "predict":
                self._compute_loss(x, y, y_pred, sample_weight, kind == "train")
                self.compute_metrics(x, y, y_pred, sample_weight)

    def _state_groups(self, kind: str) -> tuple:
        weights = self.trainable_variables, self.non_trainable_variables
        if kind == "predict":
            return weights
        return (*weights, *([self.optimizer.variables] if kind == "train" else []), self.metrics_variables)

    # ------------------------------------------------------------ without a state

    def stateless_compute_loss(
        self,
        trainable_variables: list,
        non_trainable_variables: list,
        metrics_variables: list,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tuple:
        """Compute the loss for given values of the variables.

        Args:
            trainable_variables, non_trainable_variables, metrics_variables: lists of arrays, in the order of the
                model's attributes of these names.
            x, y, y_pred, sample_weight, training: as for ``compute_loss``.

        Returns:
            The loss, and the three lists as they are afterwards.
        """
        groups = self.trainable_variables, self.non_trainable_variables, self.metrics_variables
        given = trainable_variables, non_trainable_variables, metrics_variables

        def function() -> Any:
            return self._compute_loss(x, y, y_pred, sample_weight, training)

        loss, updated = stateless(function, groups, given)
        return loss, tuple(updated)

    def get_state_tree(self, value_format: str = "backend_tensor") -> dict:
        """Return the values of all variables, in dicts nested by their paths.

        Args:
            value_format: ``"backend_tensor"``, or ``"numpy_array"``.

        Returns:
            A dict of ``trainable_variables``, ``non_trainable_variables``, ``optimizer_variables`` and
            ``metrics_variables``.

        Raises:
            ValueError: for an unknown ``value_format``.
        """
        if value_format not in ("backend_tensor", "numpy_array"):
            raise ValueError(f"Expected value_format 'backend_tensor' or 'numpy_array'. Received: {value_format!r}.")
        read = Variable.numpy if value_format == "numpy_array" else lambda v: backends.current().copy(v.raw)
        with self._on_own_backend():
            return {name: _nested(group, read) for name, group in self._named_groups().items()}

    def set_state_tree(self, state_tree: dict) -> None:
        """Set variables to the values of a tree from ``get_state_tree``, or of parts of one.

        Args:
            state_tree: dict, as ``get_state_tree`` returns.

        Raises:
            ValueError: for the name of a variable that does not exist.
        """
        groups = self._named_groups()
        for name, tree in state_tree.items():
            if name not in groups:
                raise ValueError(f"Expected names among {naming.listed(groups)}. Received: {name!r}.")
            variables = _by_path(groups[name])
            for path, value in _flat(tree).items():
                if path not in variables:
                    raise ValueError(f"Expected paths of {name} among {naming.listed(variables)}. Received: {path!r}.")
                variables[path].assign(value)

    def _named_groups(self) -> dict[str, list[Variable]]:
        return {
            "trainable_variables": self.trainable_variables,
            "non_trainable_variables": self.non_trainable_variables,
            "optimizer_variables": [] if self.optimizer is None else self.optimizer.variables,
            "metrics_variables": self.metrics_variables,
        }

    # ---------------------------------------------- as in Keras 2, and in models of packages

    @replaceable
    def _loss_tracker(self) -> Any:
        """The mean of the losses of an epoch, which steps of other packages' models update."""
        self._check_compiled("_loss_tracker")
        return self._compiled_parts.loss_tracker

    @replaceable
    def compiled_loss(self) -> Callable:
        """The compiled losses as a function of (y, y_pred, sample_weight, regularization_losses), as in Keras 2."""
        self._check_compiled("compiled_loss")

        def loss(y: Any, y_pred: Any, sample_weight: Any = None, regularization_losses: Any = None) -> Any:
            total = self._compiled_parts.loss(y, y_pred, sample_weight)
            for extra in regularization_losses or []:
                total = total + extra
            size = np.shape(trees.leaves(y_pred)[0])[0] or 1
            self._compiled_parts.loss_tracker.update_state(total, sample_weight=size)
            return total

        return loss

    @replaceable
    def compiled_metrics(self) -> Any:
        """The compiled metrics, with ``update_state(y, y_pred, sample_weight)``, as in Keras 2."""
        self._check_compiled("compiled_metrics")
        metrics = self._compiled_parts.metrics
        return types.SimpleNamespace(update_state=lambda *arguments: None) if metrics is None else metrics


def also_of_states(step: Callable) -> Callable:
    """Let a step of ``Trainer`` also be called with a state, as with ``super()`` in a step of ``(state, data)``."""
    kind = step.__name__.removesuffix("_step")

    @functools.wraps(step)
    def run(self: Any, data: Any, *further: Any) -> Any:
        if not further:
            return step(self, data)
        given, (batch,) = data, further
        logs, state = stateless(lambda: step(self, batch), self._state_groups(kind), given)
        return logs, state[1] if kind == "predict" else tuple(state)

    return run


def stateless(function: Callable, groups: tuple, given: tuple) -> tuple:
    """Call a function of variables with other values for them.

    Args:
        function: function that reads and assigns the variables.
        groups: lists of variables.
        given: a list of arrays for each list of variables.

    Returns:
        The result, and the lists of arrays as they are afterwards.
    """
    for group, values in zip(groups, given, strict=True):
        if len(group) != len(values):
            raise ValueError(
                f"Expected {len(group)} arrays, one for each of {naming.listed(v.path for v in group)}. "
                f"Received: {len(values)}."
            )
    # A pure function takes a flat list; its results are split into the groups again.
    variables = [v for group in groups for v in group]
    updated, result = pure(function, variables)([x for values in given for x in values])
    lists, first = [], 0
    for group in groups:
        lists.append(updated[first : first + len(group)])
        first += len(group)
    return result, lists


def _by_path(variables: list[Variable]) -> dict[str, Variable]:
    """Return variables by path, with numbers where paths repeat."""
    found: dict[str, Variable] = {}
    for variable in variables:
        path, count = variable.path, 0
        while path in found:
            count += 1
            path = f"{variable.path}_{count}"
        found[path] = variable
    return found


def _nested(variables: list[Variable], read: Callable) -> dict:
    tree: dict = {}
    for path, variable in _by_path(variables).items():
        *parents, last = path.split("/")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = read(variable)
    return tree


def _flat(tree: dict, prefix: str = "") -> dict:
    """Return the values of a nested dict by path."""
    found: dict = {}
    for name, value in tree.items():
        path = f"{prefix}{name}"
        found |= _flat(value, f"{path}/") if isinstance(value, dict) else {path: value}
    return found
