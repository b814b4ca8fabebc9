"""The result of ``compile(loss=..., metrics=...)``: the losses and metrics of each output.

A model's outputs are an array, or a list, tuple or dict of arrays, with any nesting.
Losses, weights, metrics, targets and sample weights have the same structure, or are a flat
list in the order of the outputs, or a dict by output name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from polykeras import config, losses, ops
from polykeras.core import log_names, naming, trees
from polykeras.core.shape_inference import inferred
from polykeras.losses.crossentropies import LabelLossWrapper
from polykeras.losses.labels import check_labels as check_labels
from polykeras.losses.labels import takes_labels
from polykeras.losses.shapes import shape_of
from polykeras.metrics import get as get_metric
from polykeras.metrics.metric import Metric
from polykeras.metrics.reductions import Mean, MeanMetricWrapper
from polykeras.serialization import registry
from polykeras.training.outputs import Outputs, is_config, is_tree

#: Whether ``metrics`` may be the name of a single one.
takes_one_name = False

_ACCURACY = ("accuracy", "acc")
_CROSSENTROPY = ("crossentropy", "ce")


class NotCompiled(RuntimeError, ValueError, AttributeError):
    """The error for what a model has after ``compile`` alone; ``hasattr`` is False for such an attribute."""


def _flat(tree: Any) -> list:
    """Return the values in nested lists and dicts without None; a config counts as one value."""
    if tree is None:
        return []
    if not is_tree(tree):
        return [tree]
    return [value for part in (tree.values() if isinstance(tree, dict) else tree) for value in _flat(part)]


def _name_of(target: Any) -> str:
    name = getattr(target, "name", None)
    if name:
        return name
    written = getattr(target, "__name__", None)
    if written and log_names.keeps_spelling:
        return written
    return naming.snake_case(written or type(target).__name__)


def _kind_of_targets(y_true: Any, y_pred: Any) -> str:
    """Return "binary", "sparse" or "categorical", according to the shapes."""
    targets, outputs = shape_of(y_true), shape_of(y_pred)
    # Keras's rule: a single unit per output is binary; class indices have one axis less, or a last axis of size 1.
    if outputs and outputs[-1] == 1:
        return "binary"
    if len(targets) < len(outputs) or (targets and targets[-1] == 1):
        return "sparse"
    return "categorical"


# --------------------------------------------------------------------- losses


class _WeightedLoss:
    """A loss and its weight in the total loss."""

    def __init__(self, loss: Any, weight: Any) -> None:
        self.loss, self.weight = loss, weight


def _with_weights(loss: Any, weights: Any) -> Any:
    """Return losses with their weights, in their common structure; None if the structures differ."""
    if not is_tree(loss):
        return None if is_tree(weights) else _WeightedLoss(loss, weights)
    if not is_tree(weights) or isinstance(loss, dict) != isinstance(weights, dict) or len(loss) != len(weights):
        return None
    if isinstance(loss, dict):
        keys = [key for key in loss if key in weights]
        parts = {key: _with_weights(loss[key], weights[key]) for key in keys}
        return parts if len(keys) == len(loss) and None not in parts.values() else None
    found = [_with_weights(part, weight) for part, weight in zip(loss, weights, strict=True)]
    if None in found:
        return None
    return tuple(found) if isinstance(loss, tuple) else found


class _Term(NamedTuple):
    """The losses of an output, or of a group of outputs with a common loss."""

    path: tuple
    indices: list[int]
    losses: list[_WeightedLoss]
    tracker: Mean | None


class CompiledLoss:
    """The weighted sum of the losses of a model's outputs.

    Args:
        loss: a loss, function or name for every output; or a list or dict of them, with None for an
            output without a loss. "crossentropy" means the variant that fits the shapes. If the outputs
            are nested, a loss in place of several outputs receives them together, as a tree; a list
            of losses for one output means their sum.
        loss_weights: a number for each loss; default None, for 1.
        output_names: list of the outputs' names, if the model has any; default None.

    Raises:
        ValueError: for an unknown loss.

    With several losses, ``metrics`` contains the mean of each, named ``<output>_loss``.

    >>> import numpy as np
    >>> loss = CompiledLoss({"a": "mse", "b": "mae"}, {"a": 1.0, "b": 10.0}, ["a", "b"])
    >>> float(loss([np.zeros((2, 1)), np.zeros((2, 1))], [np.ones((2, 1)), np.full((2, 1), 2.0)]))
    21.0
    >>> [metric.name for metric in loss.metrics]
    ['a_loss', 'b_loss']
    """

    def __init__(self, loss: Any, loss_weights: Any = None, output_names: list | None = None) -> None:
        for identifier in _flat(loss):
            if not _is_crossentropy(identifier):
                _check_identifier(identifier, "losses")
        for weight in _flat(loss_weights):
            if isinstance(weight, str | bool) or not (isinstance(weight, int | float) or hasattr(weight, "dtype")):
                raise ValueError(f"Expected loss_weights as numbers. Received: {weight!r}.")
        self._loss = loss
        self._loss_weights = loss_weights
        self._names = output_names
        self._outputs: Any = None
        self._terms: list[_Term] = []

    @property
    def metrics(self) -> list[Metric]:
        """The mean of each loss if there are several; available after the first call."""
        return [term.tracker for term in self._terms if term.tracker is not None]

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Match losses to outputs.

        Args:
            y_true: targets, a tree of anything with a shape.
            y_pred: outputs, a tree of anything with a shape.
        """
        outputs = Outputs(y_pred, self._names)
        by_path = self._by_path(outputs)
        targets = self._targets(outputs, by_path, y_true)
        predictions = outputs.leaves(y_pred)
        self._outputs, self._terms = outputs, []
        for path, given in by_path.items():
            y_true, y_pred = self._pair(outputs, path, targets, predictions)
            made = [_WeightedLoss(_make_loss(one.loss, y_true, y_pred), one.weight) for one in given]
            tracker = Mean(name=f"{outputs.name_of(path)}_loss") if len(by_path) > 1 else None
            self._terms.append(_Term(path, outputs.indices_below(path), made, tracker))

    def _by_path(self, outputs: Outputs) -> dict[tuple, list[_WeightedLoss]]:
        """Return losses and weights, with the paths of the outputs that they apply to."""
        paired = _with_weights(self._loss, self._loss_weights)
        placed = outputs.placed(self._loss if paired is None else paired, "loss")
        if paired is None:
            # The weights have another structure than the losses, so both are matched to the outputs separately.
            weights = dict(zip(outputs.paths, outputs.spread(self._loss_weights, "loss_weights"), strict=True))
            placed = [(path, _WeightedLoss(loss, weights.get(path))) for path, loss in placed]
        by_path: dict[tuple, list[_WeightedLoss]] = {}
        for path, one in placed:
            if one.loss is not None:
                by_path.setdefault(path, []).append(one)
        return by_path

    def _pair(self, outputs: Outputs, path: tuple, targets: list, predictions: list) -> tuple:
        """Return targets and outputs as a loss expects them: two arrays, or two trees of the same structure."""
        for index in outputs.indices_below(path):
            _check_target(targets[index], outputs.names[index])
        return outputs.together(targets, path), outputs.together(predictions, path)

    def check(self, y_true: Any, y_pred: Any, check: Callable[[Any, Any, Any, Any], None], sample_weight: Any) -> None:
        """Check the targets of each output that has a loss.

        Args:
            y_true: targets in host memory.
            y_pred: the outputs, a tree of anything with a shape.
            check: called with the loss, the targets, the output and the sample weights.
            sample_weight: weights in host memory, for all outputs or for each; default None.
        """
        outputs = Outputs(y_pred, self._names)
        by_path = self._by_path(outputs)
        targets, predictions = self._targets(outputs, by_path, y_true), outputs.leaves(y_pred)
        weights = outputs.spread(sample_weight, "sample_weight", shared=True)
        for path in by_path:
            own, output = self._pair(outputs, path, targets, predictions)
            # A loss of several outputs defines its own targets, which cannot be checked here.
            if trees.is_nested(output):
                continue
            for one in by_path[path]:
                check(_make_loss(one.loss, own, output), own, output, weights[outputs.paths.index(path)])

    def _targets(self, outputs: Outputs, by_path: dict, y_true: Any) -> list:
        """Return the targets of each output; outputs without a loss need none."""
        indices = sorted({index for path in by_path for index in outputs.indices_below(path)})
        # As in Keras, targets may be given only for the outputs that have a loss.
        if isinstance(y_true, list | tuple) and len(y_true) == len(indices) < len(outputs.paths):
            by_index = dict(zip(indices, y_true, strict=True))
            return [by_index.get(index) for index in range(len(outputs.paths))]
        if not trees.is_nested(y_true) and len(indices) == 1 and outputs.are_several:
            return [y_true if index == indices[0] else None for index in range(len(outputs.paths))]
        return outputs.spread(y_true, "targets y_true")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the total loss, 0-d; None if no output has a loss.

        Args:
            y_true: targets, in the structure of the outputs, a list or a dict by name.
            y_pred: the outputs.
            sample_weight: a weight for each sample, for all outputs or for each; default None.
        """
        if self._outputs is None:
            self.build(y_true, y_pred)
        outputs = self._outputs
        predictions = outputs.leaves(y_pred)
        targets = self._targets(outputs, {term.path: term for term in self._terms}, y_true)
        weights = outputs.spread(sample_weight, "sample_weight", shared=True)
        total = None
        for path, indices, parts, tracker in self._terms:
            own, output = self._pair(outputs, path, targets, predictions)
            weight = _common_weight([weights[index] for index in indices], outputs.name_of(path))
            values = [ops.cast(one.loss(own, output, weight), config.floatx()) for one in parts]
            if tracker is not None:
                # Weighted by the batch size, so that the mean over an epoch is one over rows, not batches.
                tracker.update_state(sum(values[1:], values[0]), sample_weight=shape_of(predictions[indices[0]])[0])
            for value, one in zip(values, parts, strict=True):
                value = value if one.weight is None else value * one.weight
                total = value if total is None else total + value
        return total


def _common_weight(weights: list, name: str) -> Any:
    """Return the sample weights of outputs with a common loss."""
    if any(weight is not weights[0] for weight in weights):
        raise ValueError(
            f"Expected one sample_weight for the outputs of {name!r}, which have a common loss. Received: one for "
            "each of them."
        )
    return weights[0]


def _check_target(target: Any, name: str) -> None:
    if target is None:
        raise ValueError(f"Expected targets for the output {name!r}, which has a loss. Received: None.")


def _check_identifier(identifier: Any, family: str) -> None:
    """Reject invalid identifiers early."""
    if isinstance(identifier, str):
        registry.lookup(identifier, family)
    elif not (identifier is None or callable(identifier) or isinstance(identifier, dict)):
        raise TypeError(f"Expected {family} as objects, names, configs or functions. Received: {identifier!r}.")


def _is_crossentropy(identifier: Any) -> bool:
    return isinstance(identifier, str) and identifier.lower() in _CROSSENTROPY


def _make_loss(identifier: Any, y_true: Any, y_pred: Any) -> losses.Loss:
    if _is_crossentropy(identifier):
        prefix = {"sparse": "sparse_categorical"}
        kind = _kind_of_targets(y_true, y_pred)
        loss = losses.get(f"{prefix.get(kind, kind)}_crossentropy")
    else:
        loss = losses.get(identifier)
    if isinstance(loss, losses.Loss):
        return loss
    wrapper = LabelLossWrapper if takes_labels(loss) else losses.LossFunctionWrapper
    return wrapper(loss, name=identifier if isinstance(identifier, str) else _name_of(loss))


# -------------------------------------------------------------------- metrics


class _Entry(NamedTuple):
    output: int
    metric: Metric
    name: str
    is_weighted: bool


class CompiledMetrics(Metric):
    """The compiled metrics as a single metric: a user's own ``train_step`` updates it with all targets and outputs.

    Args:
        metrics: a list of metrics, functions or names; for several outputs a list of lists or a dict. A plain
            list is distributed over the outputs if it is as long as they are, otherwise each output gets all of it.
            "accuracy" and "crossentropy" mean the variants that fit the shapes.
        weighted_metrics: the same, for metrics that take sample weights into account.
        output_names: list of the outputs' names, if the model has any; default None.

    Raises:
        ValueError: for an unknown metric, or a value that is neither list nor dict.

    >>> import numpy as np
    >>> compiled = CompiledMetrics(["accuracy", "mse"])
    >>> compiled.update_state(np.array([[1.0], [0.0]]), np.array([[1.0], [1.0]]))
    >>> {name: float(value) for name, value in compiled.result().items()}
    {'accuracy': 0.5, 'mse': 0.5}
    """

    def __init__(self, metrics: Any = None, weighted_metrics: Any = None, output_names: list | None = None) -> None:
        for argument, given in (("metrics", metrics), ("weighted_metrics", weighted_metrics)):
            is_name = takes_one_name and isinstance(given, str)
            if given is not None and not is_name and (not trees.is_nested(given) or is_config(given)):
                shown = naming.short(given)
                raise ValueError(f"Expected {argument} to be a list or dict. Received: {shown}. Write [{shown}].")
            for identifier in _flat(given):
                if not _is_chosen_by_shape(identifier):
                    _check_identifier(identifier, "metrics")
        super().__init__(name="compile_metrics")
        self._metrics = metrics
        self._weighted = weighted_metrics
        self._names = output_names
        self._outputs: Any = None
        self._entries: list[_Entry] = []

    @property
    def metrics(self) -> list[Metric]:
        """All metrics, in the order of the results; available after the first update."""
        return [entry.metric for entry in self._entries]

    @property
    def names(self) -> list[str]:
        """The names of all metrics among the results; available after the first update."""
        names = [entry.name for entry in self._entries]
        return sorted(names) if self._sorts else names

    @property
    def foreseen_names(self) -> list[str]:
        """The names of the results, as far as metrics give some before their first update."""
        names = [name for entry in self._entries for name in foreseen_names(entry.metric, entry.name)]
        return sorted(names) if self._sorts else names

    @property
    def _sorts(self) -> bool:
        """Whether results are ordered by name: in Keras 3 those of several outputs are."""
        return self._outputs is not None and self._outputs.are_several and config.era() == "keras3"

    @property
    def variables(self) -> list:
        """The state variables of all metrics."""
        return [variable for metric in self.metrics for variable in metric.variables]

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Match metrics to outputs.

        Args:
            y_true: targets, a tree of anything with a shape.
            y_pred: outputs, a tree of anything with a shape.
        """
        outputs = Outputs(y_pred, self._names)
        targets, predictions = outputs.spread(y_true, "targets y_true"), outputs.leaves(y_pred)
        entries: list[_Entry] = []
        taken: set[str] = set()
        for is_weighted, argument, given in (
            (False, "metrics", self._metrics),
            (True, "weighted_metrics", self._weighted),
        ):
            for index, identifiers in enumerate(_by_output(outputs, given, argument)):
                for identifier in identifiers:
                    _check_target(targets[index], outputs.names[index])
                    metric, name = _make_metric(identifier, targets[index], predictions[index])
                    prefix = f"{outputs.names[index]}_" if outputs.are_several else ""
                    name = _free_name(prefix, name, is_weighted, taken)
                    entries.append(_Entry(index, metric, name, is_weighted))
        self._outputs, self._entries = outputs, entries

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Update the metrics with a batch.

        Args:
            y_true: targets, in the structure of the outputs, a list or a dict by name.
            y_pred: the outputs.
            sample_weight: a weight for each sample, for all outputs or for each; default None.
        """
        if self._outputs is None:
            self.build(y_true, y_pred)
        outputs = self._outputs
        targets, predictions = outputs.spread(y_true, "targets y_true"), outputs.leaves(y_pred)
        weights = outputs.spread(sample_weight, "sample_weight", shared=True)
        for index, metric, _, is_weighted in self._entries:
            weight = weights[index] if is_weighted else None
            if weight is None:
                inferred(metric.update_state, targets[index], predictions[index])
            else:
                inferred(metric.update_state, targets[index], predictions[index], sample_weight=weight)

    def result(self) -> dict:
        """Return the results by name; for several outputs ``<output>_<metric>``."""
        results: dict = {}
        for entry in self._entries:
            result = inferred(entry.metric.result)
            results.update(result if isinstance(result, dict) else {entry.name: result})
        return dict(sorted(results.items())) if self._sorts else results

    def reset_state(self) -> None:
        """Reset all metrics."""
        for metric in self.metrics:
            metric.reset_state()


def foreseen_names(metric: Metric, name: str) -> list[str]:
    """Return the names of a metric's results before its first update, which may be what makes its state.

    Args:
        metric: the metric.
        name: str, the name of its result, unless that is a dict.
    """
    try:
        result = inferred(metric.result)
    except Exception:
        return [name]
    return list(result) if isinstance(result, dict) else [name]


def _by_output(outputs: Outputs, given: Any, argument: str) -> list[list]:
    """Return the metric identifiers of each output."""
    if not given:
        return [[] for _ in outputs.paths]
    if not outputs.are_several:
        return [_flat(outputs.spread(given, argument)[0] if isinstance(given, dict) else given)]
    if isinstance(given, list | tuple) and len(given) != len(outputs.paths) and not any(map(trees.is_nested, given)):
        # Each output after the first gets copies: a metric object has only one state.
        return [[_copy_of(one) if index else one for one in given] for index in range(len(outputs.paths))]
    return [_flat(identifiers) for identifiers in outputs.spread(given, argument)]


def _copy_of(identifier: Any) -> Any:
    """Return a copy of a metric object, so that its state is separate; names and functions have no state."""
    return registry.copy_of(identifier) if isinstance(identifier, Metric) else identifier


def _free_name(prefix: str, name: str, is_weighted: bool, taken: set[str]) -> str:
    """Return a unique metric name: ``acc``, ``acc_1``, ...; ``weighted_acc`` besides ``acc``."""
    full = prefix + name
    if full in taken and is_weighted:
        full = f"{prefix}weighted_{name}"
    free, count = full, 0
    while free in taken:
        count += 1
        free = f"{full}_{count}"
    taken.add(free)
    return free


def _is_chosen_by_shape(identifier: Any) -> bool:
    return isinstance(identifier, str) and identifier.lower() in _ACCURACY + _CROSSENTROPY


def _make_metric(identifier: Any, y_true: Any, y_pred: Any) -> tuple[Metric, str]:
    """Return the metric that an identifier means, and its name in the logs."""
    if _is_chosen_by_shape(identifier):
        kind = {"binary": "Binary", "sparse": "SparseCategorical", "categorical": "Categorical"}
        what = "Accuracy" if identifier.lower() in _ACCURACY else "Crossentropy"
        metric = get_metric(kind[_kind_of_targets(y_true, y_pred)] + what)
    else:
        metric = get_metric(identifier)
    name = identifier if isinstance(identifier, str) else _name_of(metric)
    name = log_names.ACCURACY if name == "accuracy" and name is identifier else name
    if not isinstance(metric, Metric):
        metric = MeanMetricWrapper(metric, name=name)
    if isinstance(identifier, str):
        metric.name = name
    return metric, name
