"""Another library's model as a contender: its gradients and weights, in our order and layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from polykeras import backends, ops
from polykeras.core import trees
from polykeras.interop.learners import Learner, Update
from polykeras.interop.readers import ForeignModel, Part
from polykeras.parity import causes, weight_layouts
from polykeras.parity.judging import Judgement
from polykeras.parity.matching import WeightMap
from polykeras.parity.report import Cause, Entry, Report
from polykeras.parity.running import Contender, projection
from polykeras.training.data.batches import unpack_x_y_sample_weight
from polykeras.training.data.sources import make_batch

#: Settings that affect an update, by the optimizers for which other libraries have them.
_SETTINGS: dict[str, tuple[str, ...]] = {
    "weight_decay": ("AdamW",),
    **dict.fromkeys(("clipnorm", "clipvalue", "global_clipnorm", "use_ema", "amsgrad"), ()),
    **dict.fromkeys(("loss_scale_factor", "gradient_accumulation_steps"), ()),
}


class Counterpart(Contender):
    """Another library's model, trained by its own optimizer in parallel with ours.

    Args:
        other: the model as read.
        learner: differentiates and trains it.
        found: the matched weights.
        model: our model; its loss is computed on the other library's engine.
        inputs: function from our inputs to the other model's.
    """

    def __init__(self, other: ForeignModel, learner: Learner, found: WeightMap, model: Any, inputs: Callable) -> None:
        super().__init__(learner.backend, model.to_backend(learner.backend), other.framework)
        self._learner = learner
        self._inputs = inputs
        self._channels_first = other.channels_first
        self._fused = found.fused
        prefix = f"{model.name}/"
        matches = {match.target: match for match in found.matches}
        self._matches = [matches.get(v.path.removeprefix(prefix)) for v in self.model.weights]

    def why_not_in_training(self, reference: Contender, x: Any) -> str | None:
        """The reason why training calls can't be compared; None if they can."""
        if reference.draws(x) or self._draws(x):
            return "A layer draws random numbers in training, which no two libraries draw alike."
        if self._learner.has_modes(self._inputs(x)):
            return None
        rows, others = (reference.forward(x, training)[-1].outputs for training in (False, True))
        if all(np.array_equal(a, b) for a, b in zip(rows, others, strict=True)):
            return None
        return "The other model can't be switched to training: its call has no argument such as train or training."

    def _draws(self, x: Any) -> bool:
        """Whether the other model's output in training changes from call to call."""
        before = self._learner.state()
        first, second = (self._differentiate((x, None, None), True) for _ in range(2))
        self._learner.restore(before)
        return first != second

    def why_not_trained(self, model: Any, y: Any) -> str | None:
        """The reason why training can't be compared, although calls can; None if it can."""
        optimizer = model.optimizer
        if optimizer is None or y is None or model.loss is None:
            return "It takes y, and a model compiled with a loss and an optimizer."
        if int(optimizer.iterations.numpy()):
            return "The optimizer has been used already; compile the model again."
        name, config = type(optimizer).__name__, optimizer.get_config()
        others = [key for key, names in _SETTINGS.items() if config.get(key) and name not in names]
        if name not in self._learner.updates or (others and self.name != "keras"):
            settings = f" with {', '.join(others)}" if others else ""
            return f"{name}{settings} has no equivalent in {self.name}."
        return None

    # ---------------------------------------------------------------- contending

    def weights(self) -> list[np.ndarray]:
        return self._ours(self._learner.weights())

    def everything(self) -> list:
        return []

    def gradients(
        self, x: Any, y: Any = None, sample_weight: Any = None, training: bool = True
    ) -> tuple[float, list[np.ndarray]]:
        before = self._learner.state()
        loss = self._differentiate((x, y, sample_weight), training)
        columns = self._ours(self._learner.gradients())
        self._learner.restore(before)
        trainable = {id(variable) for variable in self.model.trainable_variables}
        triples = zip(columns, self.model.weights, self._matches, strict=True)
        # If several weights are added up, each has the gradient of their sum.
        return loss, [g / (m.terms if m is not None else 1) for g, v, m in triples if id(v) in trainable]

    def prepare_training(self) -> None:
        """Do nothing: the other library's optimizer is created in the first step."""

    def step(self, x: Any, y: Any = None, sample_weight: Any = None) -> Any:
        loss = self._differentiate((x, y, sample_weight), True)
        optimizer = self.model.optimizer
        with backends.use(self.backend):
            rate = float(ops.convert_to_numpy(optimizer.learning_rate))
            optimizer.iterations.assign(optimizer.iterations.numpy() + 1)
        step = int(optimizer.iterations.numpy())
        self._learner.update(Update(type(optimizer).__name__, optimizer.get_config(), rate, step))
        return np.float32(loss)

    # -------------------------------------------------------------------- inside

    def _ours(self, parts: list[Part]) -> list[np.ndarray]:
        """Return the values of parts, in the order of our weights; zeros for unmatched weights."""
        by_path = {part.path: part for part in weight_layouts.split(self._fused, parts)}
        pairs = zip(self._matches, self.model.weights, strict=True)
        return [np.zeros(v.shape, v.dtype) if m is None else m.convert(by_path[m.part]) for m, v in pairs]

    def _differentiate(self, batch: tuple, training: bool) -> float:
        structure, shapes = self._outputs_of(batch[0])

        def loss(outputs: list) -> Any:
            with backends.use(self.backend):
                fitted = [self._fitted(output, shape) for output, shape in zip(outputs, shapes, strict=False)]
                predicted = trees.unflatten(structure, fitted)
                _, y, sample_weight = unpack_x_y_sample_weight(make_batch(*batch))
                if y is None or not self.model.compiled or self.model.loss is None:
                    return projection(predicted)
                return self.model._compiled_parts.loss(y, predicted, sample_weight)

        return self._learner.differentiate(self._inputs(batch[0]), loss, training)

    def _outputs_of(self, x: Any) -> tuple[Any, list[tuple]]:
        """Return the structure of our outputs for a batch, and their shapes."""
        with backends.use(self.backend) as backend:
            leaves, structure = trees.flatten(self.model(unpack_x_y_sample_weight(make_batch(x))[0], training=False))
            return structure, [tuple(backend.shape(leaf)) for leaf in leaves]

    def _fitted(self, output: Any, shape: tuple) -> Any:
        """Convert an output of the other model to our layout."""
        if self._channels_first and len(output.shape) > 3:
            output = ops.moveaxis(output, 1, -1)
        return ops.reshape(output, shape) if int(np.prod(output.shape)) == int(np.prod(shape)) else output


class Training:
    """The comparison of gradients and training with another library's model.

    Args:
        reference: our model.
        learner: trains the other model.
        other: the other model as read.
        found: the matched weights.
        inputs: function from our inputs to the other model's.
    """

    def __init__(
        self, reference: Contender, learner: Learner, other: ForeignModel, found: WeightMap, inputs: Callable
    ) -> None:
        self._reference, self._name = reference, other.framework
        self._counterpart = Counterpart(other, learner, found, reference.model, inputs)
        self._matches = {match.target: match for match in found.matches}

    def add_to(self, report: Report, steps: Iterator[tuple], first: tuple) -> None:
        """Add entries for gradients, and for training steps on some batches, to a report."""
        reference = self._reference
        x, y, sample_weight = first
        if not any(self._path(v) in self._matches for v in reference.model.trainable_variables):
            return
        referee = Contender(backends.REFEREE, reference.model.to_backend(backends.REFEREE))
        judgement = Judgement([reference, self._counterpart], referee, report.rtol, report.atol)
        mode = self._counterpart.why_not_in_training(reference, x)
        if mode is not None:
            report.notes.append(f"Gradients are compared in inference. {mode}")
        report.entries += self._matched_only(judgement.gradients(x, y, sample_weight, mode is None))
        batches = list(steps)
        if batches:
            obstacle = mode or self._counterpart.why_not_trained(reference.model, y)
            self._train(judgement, report, batches if obstacle is None else [])
            how = f"{self._name} trained by its own {type(reference.model.optimizer).__name__}, of the same settings."
            report.notes.append(how if obstacle is None else f"Training is not compared. {obstacle}")
        report.pairs = report.pairs or judgement.pairs_of(report.first)

    def _train(self, judgement: Judgement, report: Report, batches: list[tuple]) -> None:
        for number, batch in enumerate(batches, 1):
            before = [contender.weights() for contender in judgement.contenders]
            entries = judgement.step(number, batch)
            self._excuse_variances(entries[1:], before, report)
            report.entries += self._matched_only(entries)
        report.losses = {name: [float(loss) for loss in curve] for name, curve in judgement.losses.items() if curve}
        self._name_cause(report)
        causes.note_amplified(report)

    def _excuse_variances(self, entries: list[Entry], before: list[list], report: Report) -> None:
        """Explain moving variances that are unbiased there: n / (n - 1) times the biased ones in each step."""
        after = [contender.weights() for contender in (self._reference, self._counterpart)]
        for index, entry in enumerate(entries):
            if entry.verdict != "different" or entry.name != "moving_variance":
                continue
            momentum = self._momenta[entry.layer]
            ours, theirs = (new[index] - momentum * old[index] for new, old in zip(after, before, strict=True))
            ratios = theirs / np.maximum(ours, np.finfo("float32").tiny)
            if ratios.min() > 1 and np.ptp(ratios) < 0.05 * (ratios.mean() - 1):
                entry.verdict = "explained"
                sentence = (
                    f"{self._name} averages the unbiased variance, n / (n - 1) times that of polykeras: "
                    f"moving_variance of layer {entry.layer!r}. Nothing in training depends on it."
                )
                if all(cause.layer != entry.layer for cause in report.causes):
                    report.causes.append(Cause("convention", sentence, True, entry.layer))

    @property
    def _momenta(self) -> dict[str, float]:
        layers = self._reference.model._flatten_layers()
        owned = [(layer, layer.moving_variance) for layer in layers if hasattr(layer, "moving_variance")]
        return {self._path(variable).rpartition("/")[0]: layer.momentum for layer, variable in owned}

    def _name_cause(self, report: Report) -> None:
        """Explain a weight that differs because it is represented differently there."""
        first = report.first
        if first is None or first.verdict != "different":
            return
        match = self._matches.get(f"{first.layer}/{first.name}")
        if match is not None and not match.is_one_to_one:
            sentence = (
                f"{first.name!r} of layer {first.layer!r} is made of {' + '.join(match.sources)} there, "
                f"which are trained apart: what is added up moves once for each."
            )
            report.causes.insert(0, Cause("several weights", sentence, False, first.layer))

    def _path(self, variable: Any) -> str:
        return variable.path.removeprefix(f"{self._reference.model.name}/")

    def _matched_only(self, entries: list[Entry]) -> list[Entry]:
        """Drop the entries of unmatched weights."""
        return [e for e in entries if e.part == "loss" or f"{e.layer}/{e.name}" in self._matches]
