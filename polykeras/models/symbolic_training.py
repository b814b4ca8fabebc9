"""The symbolic loss of a compiled model, and its functions of lists of arrays, as in Keras 1 and 2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polykeras.core import graph
from polykeras.core.graph import KerasTensor
from polykeras.layers.graph_calls import replaceable
from polykeras.training.compiled import NotCompiled


class SymbolicTraining:
    """``total_loss`` and the placeholders from which it is computed."""

    name: str
    inputs: list[KerasTensor]
    outputs: list[KerasTensor]
    input_names: list[str]
    output_names: list[str]
    loss: Any
    optimizer: Any
    trainable_variables: list
    compute_loss: Callable[..., Any]
    train_on_batch: Callable[..., Any]
    test_on_batch: Callable[..., Any]
    predict_on_batch: Callable[..., Any]
    _compiled_parts: Any

    @replaceable
    def targets(self) -> list[KerasTensor]:
        """A placeholder for the targets of each output of a compiled model."""
        return self._symbols()[0]

    @replaceable
    def sample_weights(self) -> list[KerasTensor]:
        """A placeholder for the weights of the rows, for each output of a compiled model."""
        return self._symbols()[1]

    @replaceable
    def total_loss(self) -> KerasTensor:
        """The symbolic loss of a compiled model, computed from ``inputs``, ``targets`` and ``sample_weights``.

        Raises:
            ValueError: if the model is not compiled with a loss, or not a graph.
        """
        return self._symbols()[2]

    def _symbols(self) -> tuple[list[KerasTensor], list[KerasTensor], KerasTensor]:
        """Return the placeholders and the loss, made once for each ``compile``."""
        if self._compiled_parts is None or self._compiled_parts.loss is None:
            raise NotCompiled(f"Model {self.name!r}: Expected compile(loss=...). Received: a model without a loss.")
        kept = vars(self).get("_loss_graph")
        if kept is None or kept[0] is not self._compiled_parts:
            names = list(zip(self.output_names, self.outputs, strict=True))
            targets = [KerasTensor((None,) * len(x.shape), name=f"{name}_target") for name, x in names]
            weights = [KerasTensor((None,), name=f"{name}_sample_weights") for name, _ in names]
            total = graph.record(self._loss_of_lists, (list(self.outputs), targets, weights), {}, "total_loss")
            kept = self._compiled_parts, targets, weights, total
            vars(self)["_loss_graph"] = kept
        return kept[1:]

    def _loss_of_lists(self, outputs: list, targets: list, weights: list) -> Any:
        return self.compute_loss(None, _only(targets), _only(outputs), _only(weights))

    def _make_train_function(self) -> None:
        """Set ``train_function``, of a list of inputs, targets and weights of rows; it returns the loss and metrics.

        The variables of the optimizer exist afterwards, so that ``optimizer.set_weights`` can follow.
        """
        if not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)
        self._set_function("train_function", self.train_on_batch)

    def _make_test_function(self) -> None:
        """Set ``test_function``, likewise."""
        self._set_function("test_function", self.test_on_batch)

    def _make_predict_function(self) -> None:
        """Set ``predict_function``, of a list of inputs; it returns a list of outputs."""
        count = len(self.inputs)
        vars(self)["predict_function"] = lambda arrays: _listed(self.predict_on_batch(_only(arrays[:count])))

    def _set_function(self, name: str, on_batch: Callable) -> None:
        ends = len(self.inputs), len(self.inputs) + len(self.outputs)

        def function(arrays: list) -> list:
            x, y, rest = arrays[: ends[0]], arrays[ends[0] : ends[1]], arrays[ends[1] :]
            weights = rest[: len(self.outputs)]  # the learning phase may follow
            return _listed(on_batch(_only(x), _only(y), sample_weight=_only(weights) if weights else None))

        vars(self)[name] = function

    @replaceable
    def _feed_inputs(self) -> list[KerasTensor]:
        return list(self.inputs)

    @replaceable
    def _feed_input_names(self) -> list[str]:
        return list(self.input_names)

    @replaceable
    def _feed_output_names(self) -> list[str]:
        return list(self.output_names)


def _only(items: list) -> Any:
    return items[0] if len(items) == 1 else list(items)


def _listed(values: Any) -> list:
    return list(values) if isinstance(values, list | tuple) else [values]
