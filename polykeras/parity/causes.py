"""Why two engines differ: from the first difference to the layer, the operation and the decision that cause it."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras import backends, ops
from polykeras.core import dtypes, functionalization, seeds, trees
from polykeras.core.variables import Variable
from polykeras.parity import decisions, measures, precision
from polykeras.parity.judging import Judgement
from polykeras.parity.measures import Difference
from polykeras.parity.observing import Call, OpRecord, operations
from polykeras.parity.report import Cause, Entry, Report, shown
from polykeras.parity.running import Contender

#: A single operation that differs by at most this many units of roundoff (times the root of its terms) only rounds.
_ROUNDOFFS = 16.0
#: Causes that the default tolerance allows for; they do not excuse exceeding a tolerance set by the caller.
_ROUNDING = ("reduction order", "accumulated rounding")
#: Larger relative differences are not attributed to rounding.
_MOST_ROUNDING = 1e-3


def explain(judgement: Judgement, report: Report, batch: tuple) -> None:
    """Look for the causes of a report's first difference, the most likely first, and mark what they explain.

    If a cause is nobody's fault, everything that comes later counts as its consequence.
    """
    entry = next((e for e in report.entries if e.verdict == "different"), None)
    if entry is not None and not report.causes:
        report.causes, report.examined = _Search(judgement, entry, batch).causes(), entry
    if report.causes and report.causes[0].is_benign:
        for later in report.entries:
            later.verdict = "explained" if later.verdict == "different" else later.verdict


def note_amplified(report: Report) -> None:
    """Report weights without a gradient that have drifted apart."""
    entry = next((e for e in report.entries if e.verdict == "explained" and e.part == "weight"), None)
    is_known = any(cause.kind == "zero gradient" for cause in report.causes)
    is_consequence = bool(report.causes) and report.causes[0].is_benign
    if entry is not None and not is_known and not is_consequence:
        report.causes.append(_amplified(entry))


def _amplified(entry: Entry) -> Cause:
    name, worst = entry.worst
    return Cause(
        "zero gradient",
        f"A direction without gradient, which the optimizer amplifies: {entry.title}. Its gradient is rounding noise, "
        f"which an update divided by its own size turns into a step of {worst.absolute:.1e}. The outputs do not "
        f"depend on it.",
        True,
        entry.layer,
        backend=name,
    )


class _Search:
    """The search for the cause of one difference.

    Args:
        judgement: the contenders, which the search may run and modify.
        entry: the difference.
        batch: the first batch.
    """

    def __init__(self, judgement: Judgement, entry: Entry, batch: tuple) -> None:
        self.judgement = judgement
        self.entry = entry
        self.batch = batch
        self.reference = judgement.reference
        table = {contender.name: contender for contender in judgement.contenders}
        self.other: Contender = table[entry.worst[0]]

    def causes(self) -> list[Cause]:
        entry = self.entry
        if self.other is self.reference:
            return []
        if entry.part == "initial weight":
            return [self._cause("initial weight", "the initial weights differ, because of an initializer or a seed")]
        if entry.part in ("output", "training output"):
            return self._of_outputs(entry.part == "training output")
        if entry.part == "gradient":
            return self._of_gradients()
        return self._of_steps()

    def _cause(self, kind: str, sentence: str, benign: bool = False, layer: str = "", operation: str = "") -> Cause:
        where = layer or self.entry.layer
        benign = benign and not (kind in _ROUNDING and self.judgement.is_strict)
        text = f"Cause: {sentence} (layer {where!r}, on {self.other.name})."
        return Cause(kind, text, benign, where, operation, self.other.name)

    # ------------------------------------------------------------------ outputs

    def _of_outputs(self, training: bool) -> list[Cause]:
        # Only a step function can change the output itself, and only inside this layer.
        flipped = self._flips(training, decisions.JUMPS, self.entry.layer)
        if flipped:
            return flipped
        x = self.batch[0]
        calls, others = (
            {c.path: c for c in contender.forward(x, training, keep_inputs=True)}
            for contender in (self.reference, self.other)
        )
        path = self.entry.layer
        call, other = calls[path], others[path]
        alone, again = (_replay(c, operation, call) for c, operation in self._pair(call, other.operation))
        found = measures.difference(alone, call.outputs[0])
        if not measures.difference(again, call.outputs[0]).is_zero or found.absolute > self.entry.allowed:
            return self._of_operations(call, other.operation, found)
        gap = max((_gap(b, a) for a, b in zip(_arrays(call), _arrays(other), strict=False)), default=0.0)
        parent = path.rpartition("/")[0] or self.reference.model.name
        if gap > 10 * self.judgement.rtol and parent in calls:
            # No earlier layer differs, so the input of this layer comes from its parent's own operations.
            return self._of_operations(calls[parent], others[parent].operation, found)
        sentence = f"rounding in earlier layers; alone, on the same input, it differs by {found.relative:.1e}"
        return [self._cause("accumulated rounding", sentence, True)]

    def _pair(self, call: Call, layer: Any) -> list[tuple[Contender, Any]]:
        return [(self.other, layer), (self.reference, call.operation)]

    def _of_operations(self, call: Call, layer: Any, found: Difference) -> list[Cause]:
        """Find the operation inside a layer that differs on the reference's own inputs, and what is wrong with it."""
        ours, theirs = (
            _recorded(contender, operation, call) for contender, operation in reversed(self._pair(call, layer))
        )
        for a, b in zip(ours, theirs, strict=False):
            if a.name != b.name:
                break
            worst = max((measures.difference(v, r) for v, r in zip(b.outputs, a.outputs, strict=False)), key=_size)
            gaps = [_gap(v, r) for r, v in zip(_arrays(a), _arrays(b), strict=False)]
            if worst.relative > _allowed(a) and max(gaps, default=0.0) <= _allowed(a):
                return [self._of_operation(a, b, worst, call.path)]
        if [a.name for a in ours] == [b.name for b in theirs] and found.relative <= _MOST_ROUNDING:
            sentence = (
                f"a different order of summation: each operation of the layer rounds differently, and together they "
                f"differ by {found.relative:.1e} on the same input"
            )
            return [self._cause("reduction order", sentence, True, call.path)]
        sentence = "on the same input the layer's output differs by more than rounding explains"
        return [self._cause("defect", sentence, layer=call.path)]

    def _of_operation(self, ours: OpRecord, theirs: OpRecord, worst: Any, layer: str) -> Cause:
        name, backend = theirs.name, backends.load(self.other.backend)
        again = _run(backend, theirs)
        if any(not np.array_equal(a, b, equal_nan=True) for a, b in zip(again, theirs.outputs, strict=False)):
            sentence = (
                f"{name} gives different bits in each run: a sum without fixed order, such as a multi-threaded scatter"
            )
            return self._cause("unordered", sentence, worst.relative <= _MOST_ROUNDING, layer, name)
        size = (
            f"on the same input by {worst.relative:.1e} relative at {worst.index}: "
            f"{shown(worst.value)}, {shown(worst.reference)}"
        )
        lower = _lower_precision(theirs)
        if lower is not None:
            sentence = f"{name} rounds its operands to {lower}; it differs {size}"
            return self._cause(f"{lower} rounding", sentence, layer=layer, operation=name)
        plain = _run(backends.without_kernels(backend), theirs)
        if measures.difference(plain[0], ours.outputs[0]).relative <= _allowed(ours) and _is_kernel(backend, name):
            sentence = (
                f"the kernel {name!r} differs from its composite, which agrees with {self.reference.name}; {size}"
            )
            return self._cause("kernel", sentence, layer=layer, operation=name)
        return self._cause("defect", f"{name} differs {size}", layer=layer, operation=name)

    # ---------------------------------------------------------------- decisions

    def _decisions(self, training: bool, names: frozenset = decisions.NAMES) -> tuple[list[OpRecord], ...]:
        """Return the records of the deciding operations in a forward pass of both contenders."""

        def wanted(path: str, name: str) -> bool:
            return name in names

        return tuple(c.operations(self.batch[0], training, wanted) for c in (self.reference, self.other))

    def _flips(self, training: bool, names: frozenset = decisions.NAMES, layer: str = "") -> list[Cause]:
        """Return causes for decisions of a forward pass, inside a layer, that were made differently."""
        causes = []
        for flip in decisions.flips(*self._decisions(training, names)):
            near = max(self.judgement.rtol * flip.size, self.judgement.atol)
            if not f"{flip.layer}/".startswith(f"{layer}/" if layer else ""):
                continue
            if flip.gap <= near and flip.margin <= near:
                more = f" and {flip.count - 1} more" if flip.count > 1 else ""
                sentence = (
                    f"a near tie: {flip.operation} at {flip.index}{more} decides differently; its margin is "
                    f"{flip.margin:.1e}, and rounding makes its inputs differ by {flip.gap:.1e}"
                )
                causes.append(self._cause("near tie", sentence, True, flip.layer, flip.operation))
        return causes[:3]

    def _near_tie(self) -> list[Cause]:
        """Return the decision most likely made differently by a pass that is compiled, and rounded, as a whole."""
        if not backends.load(self.other.backend).is_traced:
            return []
        tie = next(iter(decisions.near_ties(*self._decisions(True))), None)
        if tie is None or tie.gap > max(self.judgement.rtol * tie.size, self.judgement.atol):
            return []
        sentence = (
            f"each layer's own gradient agrees, but there is a near tie: {tie.operation} at {tie.index} has the margin "
            f"{tie.margin:.1e}, and rounding makes its inputs differ by {tie.gap:.1e}; "
            f"{self.other.name} rounds differently when it compiles the whole pass"
        )
        return [self._cause("near tie", sentence, True, tie.layer, tie.operation)]

    # ---------------------------------------------------------------- gradients

    def _of_gradients(self) -> list[Cause]:
        call, gap = self._worst_gradient()
        local = call if gap > 10 * self.judgement.rtol else None
        flipped = self._flips(True, layer="" if local is None else local.path)
        if flipped:
            return flipped
        if local is not None:
            sentence = f"the gradient of this layer alone, on the same input, differs by {gap:.1e}"
            return [self._cause("defect", sentence, layer=local.path, operation=local.kind)]
        losses = [c.gradients(*self.batch)[0] for c in (self.reference, self.other)]
        if abs(losses[1] - losses[0]) > 10 * self.judgement.rtol * abs(losses[0]):
            return [self._cause("defect", f"the loss itself differs: {losses[1]:.9g}, {losses[0]:.9g}", layer="loss")]
        if call is not None and self.entry.worst[1].relative <= 1e-2:
            sentence = "each layer's own gradient agrees: rounding, amplified by the network"
            return self._near_tie() or [self._cause("accumulated rounding", sentence, True)]
        return [self._cause("defect", "the gradient differs by more than rounding explains")]

    def _worst_gradient(self) -> tuple[Call | None, float]:
        """Find the layer, from the differing one to the loss, whose own gradient differs most on the same input."""
        x = self.batch[0]
        calls = self.reference.forward(x, True, keep_inputs=True)
        others = {c.path: c for c in self.other.forward(x, True)}
        paths = [c.path for c in calls]
        begin = paths.index(self.entry.layer) if self.entry.layer in paths else 0
        worst: tuple[Call | None, float] = (None, 0.0)
        for call in calls[begin:]:
            if _is_leaf(call, paths) and call.path in others and call.operation is not self.reference.model:
                gap = self._local_gradient_gap(call, others[call.path].operation)
                worst = max(worst, (call, gap), key=lambda pair: pair[1])
        return worst

    def _local_gradient_gap(self, call: Call, layer: Any) -> float:
        ours, theirs = (_local_gradients(c, o, call) for c, o in reversed(self._pair(call, layer)))
        if ours is None or theirs is None:
            return 0.0
        return max((measures.difference(b, a).relative for a, b in zip(ours, theirs, strict=True)), default=0.0)

    # -------------------------------------------------------------------- steps

    def _of_steps(self) -> list[Cause]:
        """Restore the state before the step on all engines, and look for where this step alone differs."""
        judgement, entry = self.judgement, self.entry
        if judgement.parted_at is None:
            return []
        number, batch = judgement.parted_at
        for contender in judgement.everyone:
            contender.take_state_of(judgement.state_before)
        if self.reference.can_be_called:
            self.batch = batch
            updated = judgement.outputs(batch[0], True, "training output")
            if entry.part == "weight":  # the loss of a step is computed before its gradients matter
                updated += judgement.gradients(*batch)
            found = next((e for e in updated if e.verdict == "different"), None)
            if found is not None:
                return _Search(judgement, found, batch).causes() if found.worst[0] != self.reference.name else []
        trainable = {id(v) for v in self.reference.model.trainable_variables}
        by_name = {(*judgement.owner(v), v.name): v for v in self.reference.variables}
        variable = by_name.get((entry.layer, entry.kind, entry.name))
        if not judgement.step_again(batch).get((entry.layer, entry.kind, entry.name), True):
            return self._of_earlier_steps(number)
        if entry.part == "loss":
            return [self._cause("defect", f"from the same state, the loss of step {number} differs", layer="loss")]
        if variable is not None and id(variable) in trainable:
            return [self._of_update(variable, number)]
        return [self._cause("defect", f"from the same state, step {number} updates {entry.name!r} differently")]

    def _of_earlier_steps(self, number: int) -> list[Cause]:
        """The step agrees from the same state: look for the first earlier decision that was made differently."""
        for contender in (self.reference, self.other):
            contender.take_state_of(self.judgement.initial_states[contender.name])
        for step, batch in enumerate(self.judgement.batches[:number], 1):
            self.batch = batch
            flipped = self._flips(True) if self.reference.can_be_called else []
            if flipped:
                flipped[0].sentence += f" This was in step {step}, after which the curves diverge."
                return flipped[:1]
            for contender in (self.reference, self.other):
                contender.step(*batch)
        sentence = f"rounding accumulated over {number} steps; from the same state this step agrees on all engines"
        return [self._cause("accumulated rounding", sentence, True)]

    def _of_update(self, variable: Variable, number: int) -> Cause:
        optimizer = self.reference.model.optimizer
        name = type(optimizer).__name__
        if self._is_undetermined(variable):
            sentence = (
                f"gradients dominated by rounding, which {name} divides by their own size: "
                f"{self.entry.name!r} after step {number}"
            )
            return self._cause("zero gradient", sentence, True)
        sentence = f"gradients agree, but {name} computes a different update from them in step {number}"
        return self._cause("defect", sentence, layer=optimizer.name, operation=name)

    def _is_undetermined(self, variable: Variable) -> bool:
        """Whether the entries that differ are those whose gradients are dominated by rounding."""
        columns = self.judgement.gradient_values
        index = [id(v) for v in self.reference.model.trainable_variables].index(id(variable))
        ours, theirs = (np.asarray(columns[c.name][index], np.float64) for c in (self.reference, self.other))
        our_weight, their_weight = (
            self.judgement.pairs_of(self.entry).get(c.name) for c in (self.reference, self.other)
        )
        if our_weight is None or their_weight is None or ours.shape != our_weight.shape:
            return False
        apart = measures.gaps(their_weight, our_weight) > self.entry.allowed
        noisy = measures.gaps(ours, theirs) > 1e-3 * np.abs(ours)
        return bool(np.all(noisy[apart]))


def _size(difference: Any) -> float:
    return difference.absolute


def _gap(value: np.ndarray, reference: np.ndarray) -> float:
    return measures.difference(value, reference).relative


def _arrays(call: Call | OpRecord) -> list[np.ndarray]:
    """Return the arrays among the arguments of a layer or an operation."""
    return [x for x in trees.leaves((call.args, call.kwargs)) if isinstance(x, np.ndarray)]


def _is_leaf(call: Call, paths: list[str]) -> bool:
    inside = f"{call.path.partition('#')[0]}/"
    return not any(path.startswith(inside) for path in paths)


def _allowed(record: OpRecord) -> float:
    """Return the relative difference that the sums inside an operation may cause."""
    epsilon = measures.epsilon_of(record.outputs[0].dtype.name)
    terms = max((x.size // max(x.shape[0], 1) for x in record.args if isinstance(x, np.ndarray) and x.ndim), default=1)
    return _ROUNDOFFS * epsilon * max(np.sqrt(terms), 1.0)


def _arguments(backend: Any, tree: Any) -> Any:
    return trees.map(lambda x: backend.array(x) if isinstance(x, np.ndarray) else x, tree)


def _replay(contender: Contender, layer: Any, call: Call) -> np.ndarray:
    """Return the first output of a layer alone, on another run's inputs."""
    with backends.use(contender.backend) as backend, functionalization.recording(), functionalization.holding({}):
        outputs = trees.leaves(layer(*_arguments(backend, call.args), **_arguments(backend, call.kwargs)))
        return np.array(backend.to_numpy(outputs[0]))


def _recorded(contender: Contender, layer: Any, call: Call) -> list[OpRecord]:
    """Return the operations of a layer alone, on another run's inputs."""
    backend = backends.load(contender.backend)
    with (
        functionalization.recording(),
        functionalization.holding({}),
        operations(backend, lambda path, name: True) as records,
    ):
        layer(*_arguments(backend, call.args), **_arguments(backend, call.kwargs))
    return records


def _run(backend: Any, record: OpRecord) -> list[np.ndarray]:
    with backends.use(backend):
        result = getattr(backend, record.name)(*_arguments(backend, record.args), **_arguments(backend, record.kwargs))
        return [np.array(backend.to_numpy(x)) for x in trees.leaves(result) if backend.is_array(x)]


def _is_kernel(backend: Any, name: str) -> bool:
    from polykeras.backends.contract.kernels import Kernels

    return hasattr(Kernels, name) and getattr(type(backend), name) is not getattr(Kernels, name)


def _lower_precision(record: OpRecord) -> str | None:
    """Return the format to which an operation's operands must have been rounded to give its result, if any."""
    referee = backends.load(backends.REFEREE)
    exact = _run(referee, record)[0]
    output = record.outputs[0].astype(np.float64)
    plain = measures.difference(output, exact).absolute
    for name in precision.FORMATS:
        args = trees.map(
            lambda x, name=name: precision.rounded(x, name) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x,
            record.args,
        )
        emulated = _run(referee, OpRecord(record.layer, record.name, args, record.kwargs, []))[0]
        if measures.difference(output, emulated).absolute < plain / 30:
            return name
    return None


def _local_gradients(contender: Contender, layer: Any, call: Call) -> list[np.ndarray] | None:
    """Return the gradients of a layer by its float inputs and weights, for a fixed random projection of its outputs."""
    if not hasattr(layer, "trainable_variables"):
        own: list[Variable] = []
    else:
        own = layer.trainable_variables
    leaves, structure = trees.flatten((call.args, call.kwargs))
    indices = [n for n, x in enumerate(leaves) if isinstance(x, np.ndarray) and dtypes.is_float(x.dtype.name)]
    with backends.use(contender.backend) as backend, functionalization.recording(), functionalization.holding({}):
        inputs = [Variable(leaves[n]) for n in indices]

        def loss() -> Any:
            values = [backend.array(x) if isinstance(x, np.ndarray) else x for x in leaves]
            for n, variable in zip(indices, inputs, strict=True):
                values[n] = variable.value
            args, kwargs = trees.unflatten(structure, values)
            outputs = [x for x in trees.leaves(layer(*args, **kwargs)) if dtypes.is_float(backend.dtype(x))]
            total = None
            for index, x in enumerate(outputs):
                factors = seeds.host_generator("local", index).standard_normal(tuple(backend.shape(x)))
                part = ops.sum(ops.multiply(ops.cast(x, "float32"), backend.array(factors.astype("float32"))))
                total = part if total is None else total + part
            return total

        if not inputs and not own:
            return None
        _, gradients = functionalization.value_and_grad(loss, [*inputs, *own])()
        return [np.array(backend.to_numpy(g)) for g in gradients]
