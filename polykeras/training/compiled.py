"""What ``compile(loss=..., metrics=...)`` becomes: the losses and metrics of each output.

A model's outputs are one array, or a list, tuple or dict of arrays, nested as the user likes.
Losses, weights, metrics, targets and sample weights are given in the same structure, as a flat
list in the order of the outputs, or as a dict by output name.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from polykeras import config, losses, ops
from polykeras.core import naming, trees
from polykeras.core.shapes import inferred
from polykeras.losses.crossentropies import LabelLossWrapper
from polykeras.losses.labels import check_labels as check_labels
from polykeras.losses.labels import takes_labels
from polykeras.losses.shapes import shape_of
from polykeras.metrics import get as get_metric
from polykeras.metrics.metric import Metric
from polykeras.metrics.reductions import Mean, MeanMetricWrapper
from polykeras.serialization import registry

_ACCURACY = ("accuracy", "acc")
_CROSSENTROPY = ("crossentropy", "ce")


# ------------------------------------------------------------ outputs by name


class Outputs:
    """The positions of a model's outputs, in order, and their names.

    Args:
        y_pred: the outputs, a tree of anything with a shape.
        names: of the outputs, where the model has them; the keys of a dict stand for themselves.
    """

    def __init__(self, y_pred: Any, names: list | None = None) -> None:
        self.structure = y_pred
        self.paths = list(_paths(y_pred))
        self._are_named = names is not None and len(names) == len(self.paths)
        if names is None or not self._are_named:
            names = [f"output_{place + 1}" for place in range(len(self.paths))]
        keys = [path[-1] if path else None for path in self.paths]
        self.names = [key if isinstance(key, str) else name for key, name in zip(keys, names, strict=True)]
        self.are_several = len(self.paths) > 1

    def leaves(self, y_pred: Any) -> list:
        """Return the outputs in order."""
        return [_at(y_pred, path) for path in self.paths]

    def spread(self, tree: Any, argument: str, shared: bool = False) -> list:
        """Return what a tree says for each output, in order; None where it says nothing.

        Args:
            tree: in the structure of the outputs, a flat list, or a dict by name.
            argument: what it is, for messages.
            shared: one value stands for all outputs.

        Raises:
            ValueError: for a wrong count or an unknown name.
        """
        if not self.are_several:
            return [self._only(tree, argument)]
        if tree is None or (shared and not _is_tree(tree)):
            return [tree] * len(self.paths)
        if isinstance(tree, list | tuple) and len(tree) == len(self.paths):
            return list(tree)
        return self._spread(tree, self.structure, self.names, argument)

    def _only(self, tree: Any, argument: str) -> Any:
        """What a tree says for the only output."""
        if not _is_tree(tree):
            return tree
        if isinstance(tree, dict) and (self._are_named or trees.is_nested(self.structure)):
            self._check_names(tree, self.names, argument)
        if len(tree) != 1:
            raise ValueError(f"Expected {argument} for one output. Received {len(tree)}: {_brief(tree)}.")
        return next(iter(tree.values())) if isinstance(tree, dict) else tree[0]

    def _spread(self, tree: Any, node: Any, names: list, argument: str) -> list:
        if not trees.is_nested(node):
            return [tree]
        if tree is None:
            return [None] * len(names)
        children = node if isinstance(node, dict) else dict(enumerate(node))
        by_name: dict = {}
        if isinstance(tree, dict) and not _is_config(tree):
            self._check_names(tree, [*children, *names], argument)
            parts, by_name = [tree.get(key) for key in children], tree
        elif isinstance(tree, list | tuple) and len(tree) == len(children):
            parts = list(tree)
        else:
            received = f"{len(tree)}: {_brief(tree)}" if isinstance(tree, list | tuple) else _brief(tree)
            raise ValueError(
                f"Expected {argument} for the {len(names)} outputs {naming.listed(names)}, as a list of that length "
                "or a dict by "
                f"name. Received {received}."
            )
        found: list = []
        for part, child in zip(parts, children.values(), strict=True):
            own = names[len(found) : len(found) + len(list(_paths(child)))]
            values = self._spread(part, child, own, argument)
            found += [by_name.get(name) if value is None else value for value, name in zip(values, own, strict=True)]
        return found

    def _check_names(self, tree: dict, known: list, argument: str) -> None:
        unknown = [key for key in tree if key not in known]
        if unknown:
            near = difflib.get_close_matches(str(unknown[0]), map(str, known), 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(
                f"Expected {argument} by the names of the outputs, {naming.listed(self.names)}. Received: "
                f"{unknown[0]!r}.{hint}"
            )


def _is_config(tree: Any) -> bool:
    return isinstance(tree, dict) and "class_name" in tree


def _is_tree(tree: Any) -> bool:
    return trees.is_nested(tree) and not _is_config(tree)


def _paths(tree: Any, path: tuple = ()) -> Iterator[tuple]:
    """Yield the path to each output; the keys of a dict keep their order."""
    if not trees.is_nested(tree):
        yield path
        return
    for key, child in tree.items() if isinstance(tree, dict) else enumerate(tree):
        yield from _paths(child, (*path, key))


def _at(tree: Any, path: tuple) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def _brief(tree: Any) -> str:
    """A tree with shapes in place of arrays."""
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{key!r}: {_brief(value)}" for key, value in tree.items()) + "}"
    if isinstance(tree, list | tuple):
        return "[" + ", ".join(map(_brief, tree)) + "]"
    return f"an array of shape {shape_of(tree)}" if hasattr(tree, "shape") else repr(tree)


def _flat(tree: Any) -> list:
    """The values in nested lists and dicts, None left out; a config is one value."""
    if tree is None:
        return []
    if not _is_tree(tree):
        return [tree]
    return [value for part in (tree.values() if isinstance(tree, dict) else tree) for value in _flat(part)]


def _name_of(target: Any) -> str:
    name = getattr(target, "name", None) or getattr(target, "__name__", None)
    return name or naming.snake_case(type(target).__name__)


def _kind_of_targets(y_true: Any, y_pred: Any) -> str:
    """Return "binary", "sparse" or "categorical", as the shapes tell."""
    targets, outputs = shape_of(y_true), shape_of(y_pred)
    if outputs and outputs[-1] == 1:
        return "binary"
    if len(targets) < len(outputs) or (targets and targets[-1] == 1):
        return "sparse"
    return "categorical"


# --------------------------------------------------------------------- losses


class _Term(NamedTuple):
    place: int
    loss: Any
    weight: Any
    tracker: Mean | None


class CompiledLoss:
    """The weighted sum of the losses of a model's outputs.

    Args:
        loss: a loss, function or name for every output; or a list or dict of them, None for an
            output without a loss. "crossentropy" means the one that fits the shapes.
        loss_weights: a number for each loss, default 1.
        output_names: names of the outputs, where the model has them.

    Raises:
        ValueError: for an unknown loss.

    With several losses, ``metrics`` holds the mean of each, named ``<output>_loss``.

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
        self._loss, self._loss_weights, self._names = loss, loss_weights, output_names
        self._outputs: Any = None
        self._terms: list[_Term] = []

    @property
    def metrics(self) -> list[Metric]:
        """The mean of each loss, where there are several; known from the first call on."""
        return [term.tracker for term in self._terms if term.tracker is not None]

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Match losses to outputs.

        Args:
            y_true: targets, a tree of anything with a shape.
            y_pred: outputs, likewise.
        """
        outputs = Outputs(y_pred, self._names)
        identifiers = outputs.spread(self._loss, "loss", shared=True)
        weights = outputs.spread(self._loss_weights, "loss_weights")
        places = [place for place, identifier in enumerate(identifiers) if identifier is not None]
        targets = self._targets(outputs, places, y_true)
        predictions = outputs.leaves(y_pred)
        terms = []
        for place in places:
            name = outputs.names[place]
            _check_target(targets[place], name)
            loss = _make_loss(identifiers[place], targets[place], predictions[place])
            tracker = Mean(name=f"{name}_loss") if len(places) > 1 else None
            terms.append(_Term(place, loss, weights[place], tracker))
        self._outputs, self._terms = outputs, terms

    def check(self, y_true: Any, y_pred: Any, check: Callable[[Any, Any, Any, Any], None], sample_weight: Any) -> None:
        """Check the targets of each output that has a loss.

        Args:
            y_true: targets on the host.
            y_pred: the outputs, a tree of anything with a shape.
            check: called with the loss, the targets, the output and the sample weights.
            sample_weight: weights on the host, for all outputs or for each.
        """
        outputs = Outputs(y_pred, self._names)
        identifiers = outputs.spread(self._loss, "loss", shared=True)
        places = [place for place, identifier in enumerate(identifiers) if identifier is not None]
        targets, predictions = self._targets(outputs, places, y_true), outputs.leaves(y_pred)
        weights = outputs.spread(sample_weight, "sample_weight", shared=True)
        for place in places:
            _check_target(targets[place], outputs.names[place])
            loss = _make_loss(identifiers[place], targets[place], predictions[place])
            check(loss, targets[place], predictions[place], weights[place])

    def _targets(self, outputs: Outputs, places: list, y_true: Any) -> list:
        """Targets of each output; outputs without a loss need none."""
        if isinstance(y_true, list | tuple) and len(y_true) == len(places) < len(outputs.paths):
            by_place = dict(zip(places, y_true, strict=True))
            return [by_place.get(place) for place in range(len(outputs.paths))]
        if not trees.is_nested(y_true) and len(places) == 1 and outputs.are_several:
            return [y_true if place == places[0] else None for place in range(len(outputs.paths))]
        return outputs.spread(y_true, "targets y_true")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the total loss, 0-d; None where no output has a loss.

        Args:
            y_true: targets, in the structure of the outputs, a list or a dict by name.
            y_pred: the outputs.
            sample_weight: a weight for each sample, for all outputs or for each.
        """
        if self._outputs is None:
            self.build(y_true, y_pred)
        outputs = self._outputs
        predictions = outputs.leaves(y_pred)
        targets = self._targets(outputs, [term.place for term in self._terms], y_true)
        weights = outputs.spread(sample_weight, "sample_weight", shared=True)
        total = None
        for place, loss, weight, tracker in self._terms:
            _check_target(targets[place], outputs.names[place])
            value = ops.cast(loss(targets[place], predictions[place], weights[place]), config.floatx())
            if tracker is not None:
                tracker.update_state(value, sample_weight=shape_of(predictions[place])[0])
            value = value if weight is None else value * weight
            total = value if total is None else total + value
        return total


def _check_target(target: Any, name: str) -> None:
    if target is None:
        raise ValueError(f"Expected targets for the output {name!r}, which has a loss. Received: None.")


def _check_identifier(identifier: Any, family: str) -> None:
    """Refuse what can't be resolved, long before it is."""
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
    place: int
    metric: Metric
    name: str
    is_weighted: bool


class CompiledMetrics:
    """The metrics of a model's outputs.

    Args:
        metrics: a list of metrics, functions or names; for several outputs a list of lists or a
            dict. "accuracy" and "crossentropy" mean those that fit the shapes.
        weighted_metrics: the same, with sample weights taken into account.
        output_names: names of the outputs, where the model has them.

    Raises:
        ValueError: for an unknown metric, or something that is neither list nor dict.

    >>> import numpy as np
    >>> compiled = CompiledMetrics(["accuracy", "mse"])
    >>> compiled.update_state(np.array([[1.0], [0.0]]), np.array([[1.0], [1.0]]))
    >>> {name: float(value) for name, value in compiled.result().items()}
    {'accuracy': 0.5, 'mse': 0.5}
    """

    def __init__(self, metrics: Any = None, weighted_metrics: Any = None, output_names: list | None = None) -> None:
        for argument, given in (("metrics", metrics), ("weighted_metrics", weighted_metrics)):
            if given is not None and (not trees.is_nested(given) or _is_config(given)):
                shown = naming.short(given)
                raise ValueError(f"Expected {argument} to be a list or dict. Received: {shown}. Write [{shown}].")
            for identifier in _flat(given):
                if not _is_chosen_by_shape(identifier):
                    _check_identifier(identifier, "metrics")
        self._metrics, self._weighted, self._names = metrics, weighted_metrics, output_names
        self._outputs: Any = None
        self._entries: list[_Entry] = []

    @property
    def metrics(self) -> list[Metric]:
        """All metrics, in the order of the results; known from the first update on."""
        return [entry.metric for entry in self._entries]

    @property
    def variables(self) -> list:
        """The states of all metrics."""
        return [variable for metric in self.metrics for variable in metric.variables]

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Match metrics to outputs.

        Args:
            y_true: targets, a tree of anything with a shape.
            y_pred: outputs, likewise.
        """
        outputs = Outputs(y_pred, self._names)
        targets, predictions = outputs.spread(y_true, "targets y_true"), outputs.leaves(y_pred)
        entries: list[_Entry] = []
        taken: set[str] = set()
        for is_weighted, argument, given in (
            (False, "metrics", self._metrics),
            (True, "weighted_metrics", self._weighted),
        ):
            for place, identifiers in enumerate(_by_output(outputs, given, argument)):
                for identifier in identifiers:
                    _check_target(targets[place], outputs.names[place])
                    metric, name = _make_metric(identifier, targets[place], predictions[place])
                    prefix = f"{outputs.names[place]}_" if outputs.are_several else ""
                    name = _free_name(prefix, name, is_weighted, taken)
                    entries.append(_Entry(place, metric, name, is_weighted))
        self._outputs, self._entries = outputs, entries

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in a batch.

        Args:
            y_true: targets, in the structure of the outputs, a list or a dict by name.
            y_pred: the outputs.
            sample_weight: a weight for each sample, for all outputs or for each.
        """
        if self._outputs is None:
            self.build(y_true, y_pred)
        outputs = self._outputs
        targets, predictions = outputs.spread(y_true, "targets y_true"), outputs.leaves(y_pred)
        weights = outputs.spread(sample_weight, "sample_weight", shared=True)
        for place, metric, _, is_weighted in self._entries:
            weight = weights[place] if is_weighted else None
            if weight is None:
                inferred(metric.update_state, targets[place], predictions[place])
            else:
                inferred(metric.update_state, targets[place], predictions[place], sample_weight=weight)

    def result(self) -> dict:
        """Return the results by name; with several outputs ``<output>_<metric>``."""
        results: dict = {}
        for entry in self._entries:
            result = inferred(entry.metric.result)
            results.update(result if isinstance(result, dict) else {entry.name: result})
        return results

    def reset_state(self) -> None:
        """Start all metrics again."""
        for metric in self.metrics:
            metric.reset_state()


def _by_output(outputs: Outputs, given: Any, argument: str) -> list[list]:
    """Return the identifiers for each output."""
    if not given:
        return [[] for _ in outputs.paths]
    if not outputs.are_several:
        return [_flat(outputs.spread(given, argument)[0] if isinstance(given, dict) else given)]
    return [_flat(identifiers) for identifiers in outputs.spread(given, argument)]


def _free_name(prefix: str, name: str, is_weighted: bool, taken: set[str]) -> str:
    """Return a name that no other metric has: ``acc``, ``acc_1``, ...; ``weighted_acc`` beside ``acc``."""
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
    """Return the metric that an identifier means, and the name it goes by."""
    if _is_chosen_by_shape(identifier):
        kind = {"binary": "Binary", "sparse": "SparseCategorical", "categorical": "Categorical"}
        what = "Accuracy" if identifier.lower() in _ACCURACY else "Crossentropy"
        metric = get_metric(kind[_kind_of_targets(y_true, y_pred)] + what)
    else:
        metric = get_metric(identifier)
    name = identifier if isinstance(identifier, str) else _name_of(metric)
    if not isinstance(metric, Metric):
        metric = MeanMetricWrapper(metric, name=name)
    if isinstance(identifier, str):
        metric.name = name
    return metric, name
