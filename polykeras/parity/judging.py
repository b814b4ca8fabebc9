"""Comparing contenders with the reference, and deciding what counts as rounding."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras.core import dtypes
from polykeras.parity import measures
from polykeras.parity.report import Entry
from polykeras.parity.running import Contender

#: Relative differences that rounding causes in a network, by its lowest precision.
TOLERANCES = {"float64": 1e-12, "float32": 1e-5, "float16": 1e-2, "bfloat16": 6e-2}
#: Gradients pass through a network twice, and trained weights depend on many of them.
_LOOSER = 10.0
#: The reference's own error against float64 shows how large rounding errors are; others may have a few times as much.
_NOISE = 8.0
#: But never more than this, relative to an array, is attributed to rounding.
_MOST_NOISE = 1e-3


class Judgement:
    """Runs contenders in parallel and compares what they compute with the reference, the first of them.

    Args:
        contenders: list of contenders, each on one engine.
        referee: the model in float64, or None.
        rtol: allowed difference relative to an array's largest value; None, which depends on the model's precision.
        atol: allowed absolute difference in addition.
    """

    def __init__(self, contenders: list[Contender], referee: Contender | None, rtol: float | None, atol: float) -> None:
        self.contenders, self.referee = contenders, referee
        self.precision = _lowest_precision(contenders[0].model)
        self.is_strict = rtol is not None
        self.rtol = TOLERANCES[self.precision] if rtol is None else rtol
        self.atol = atol
        self.everyone = [*contenders, referee] if referee is not None else list(contenders)
        self.losses: dict[str, list] = {contender.name: [] for contender in self.everyone}
        self.gradient_values: dict[str, list[np.ndarray]] = {}
        self.state_before: list[np.ndarray] = []
        self.parted_at: tuple[int, tuple] | None = None
        self.initial_states: dict[str, list[np.ndarray]] = {}
        self.batches: list[tuple] = []
        self._without_gradient: dict[int, Any] = {}
        self._amplified = 0.0  # how far weights without gradient have drifted apart
        self._arrays: dict[int, tuple[Entry, dict[str, np.ndarray]]] = {}  # includes the entry, to keep its id unique
        self.outputs_of_model: dict[str, np.ndarray] = {}
        self._owners = owners(contenders[0].model)

    @property
    def reference(self) -> Contender:
        """The contender that the others are compared with."""
        return self.contenders[0]

    def owner(self, variable: Any) -> tuple[str, str]:
        """Return the path and the class of the layer that a weight of the reference belongs to."""
        return self._owners.get(id(variable), (variable.path.rpartition("/")[0], ""))

    # ------------------------------------------------------------------ comparing

    def entry(
        self,
        part: str,
        values: dict[str, np.ndarray],
        looser: float = 1.0,
        size: float | None = None,
        noisy: bool = True,
        **facts: Any,
    ) -> Entry:
        """Return an entry for arrays by backend, including the referee's.

        ``size`` is what the tolerance is relative to, by default the largest value of the reference; ``noisy``
        also allows for the reference's own error against the referee.
        """
        reference = values[self.reference.name]
        truth = values.get(self.referee.name) if self.referee is not None else None
        found = Entry(part, shape=tuple(reference.shape), dtype=reference.dtype.name, **facts)
        names = [contender.name for contender in self.contenders]
        others = names[1:] or names
        found.differences = {name: measures.difference(values[name], reference) for name in others}
        size = measures.scale(reference) if size is None else size
        noise = 0.0
        if truth is not None:
            found.errors = {name: measures.difference(values[name], truth) for name in names}
            noise = noisy * min(_NOISE * found.errors[names[0]].absolute, _MOST_NOISE * looser * size)
        found.allowed = self.atol + looser * self.rtol * size + noise
        found.verdict = self._verdict(found)
        if found.verdict != "equal":
            self._arrays[id(found)] = found, values
        return found

    def _verdict(self, entry: Entry) -> str:
        if any(d.dtypes[0] != d.dtypes[1] for d in entry.differences.values()):
            return "different"
        return measures.verdict(entry.worst[1].absolute, entry.allowed)

    def pairs_of(self, entry: Entry | None) -> dict[str, np.ndarray]:
        """Return the arrays of an entry by backend, for plots."""
        return self._arrays.get(id(entry), (entry, {}))[1]

    # -------------------------------------------------------------------- parts

    def initial_weights(self) -> list[Entry]:
        """Compare the weights that ``build`` created on each engine, which should be equal to the bit."""
        columns = {contender.name: contender.weights() for contender in self.contenders}
        entries = []
        for index, variable in enumerate(self.reference.variables):
            layer, kind = self.owner(variable)
            values = {name: column[index] for name, column in columns.items()}
            found = Entry("initial weight", layer, kind, variable.name, None, variable.shape, variable.dtype)
            reference = values[self.reference.name]
            others = list(values)[1:] or list(values)
            found.differences = {name: measures.difference(values[name], reference) for name in others}
            found.verdict = "equal" if found.worst[1].is_zero else "different"
            entries.append(found)
        return entries

    def outputs(self, x: Any, training: bool, part: str) -> list[Entry]:
        """Compare the outputs of all layers."""
        calls = {contender.name: contender.forward(x, training) for contender in self.everyone}
        tables = {name: {call.path: call for call in found} for name, found in calls.items()}
        if not training:
            self.outputs_of_model = {name: found[-1].outputs[0] for name, found in calls.items()}
        entries = []
        for call in calls[self.reference.name]:
            if not all(call.path in table for table in tables.values()):
                continue  # a cell inside a loop, which some engines trace
            for index in range(len(call.outputs)):
                values = {name: table[call.path].outputs[index] for name, table in tables.items()}
                name = "" if len(call.outputs) == 1 else f"output {index}"
                entries.append(self.entry(part, values, layer=call.path, kind=call.kind, name=name))
        return entries

    def gradients(self, x: Any, y: Any, sample_weight: Any, training: bool = True) -> list[Entry]:
        """Compare the gradients of all trainable weights, those closest to the loss first."""
        columns, losses = {}, {}
        for contender in self.everyone:
            losses[contender.name], columns[contender.name] = contender.gradients(x, y, sample_weight, training)
        self.gradient_values = columns
        entries = []
        for index, variable in reversed(list(enumerate(self.reference.model.trainable_variables))):
            layer, kind = self.owner(variable)
            values = {name: column[index] for name, column in columns.items()}
            found = self.entry("gradient", values, _LOOSER, layer=layer, kind=kind, name=variable.name)
            if self._is_without_gradient(values, columns):
                self._without_gradient[id(variable)] = variable
                found.verdict = "within" if found.verdict == "different" else found.verdict
            entries.append(found)
        return entries

    def _is_without_gradient(self, values: dict, columns: dict) -> bool:
        """Whether the gradient is only rounding noise compared with the others'."""
        largest = max(measures.scale(g) for g in columns[self.reference.name])
        return max(measures.scale(g) for g in values.values()) <= self.rtol * largest

    def step(self, number: int, batch: tuple) -> list[Entry]:
        """Train all contenders on a batch, and compare the losses and then the weights."""
        if number == 1:
            for contender in self.everyone:
                contender.prepare_training()
            self._initial = self.reference.weights()
            self.initial_states = {c.name: [v.numpy() for v in c.everything()] for c in self.everyone}
        self.batches.append(batch)
        before = [v.numpy() for v in self.reference.everything()] if self.parted_at is None else []
        for contender in self.everyone:
            self.losses[contender.name].append(contender.step(*batch))
        losses = {name: np.asarray(curve[-1]) for name, curve in self.losses.items()}
        entries = [self._loss(losses, number)]
        entries += self._weights(number)
        self._excuse(entries[1:])
        if self.parted_at is None and any(e.verdict == "different" for e in entries):
            self.parted_at, self.state_before = (number, batch), before
        else:
            self._forget(entries)
        return entries

    def _weights(self, number: int | None) -> list[Entry]:
        columns = {contender.name: contender.weights() for contender in self.everyone}
        trainable = {id(v) for v in self.reference.model.trainable_variables}
        entries = []
        for index, variable in enumerate(self.reference.variables):
            layer, kind = self.owner(variable)
            values = {name: column[index] for name, column in columns.items()}
            facts: dict[str, Any] = {"layer": layer, "kind": kind, "name": variable.name, "step": number}
            if id(variable) in trainable:
                entries.append(self.entry("weight", values, _LOOSER, **facts))
            else:
                entries.append(self.entry("weight", values, size=self._moved(index, values), **facts))
        return entries

    def _moved(self, index: int, values: dict[str, np.ndarray]) -> float:
        """Return how far a statistic has moved: in a moving average, an error is a small part of the whole."""
        now = values[self.reference.name]
        rounding = 8 * measures.epsilon_of(now.dtype.name) * measures.scale(now)
        return measures.scale(measures.gaps(now, self._initial[index])) + rounding / self.rtol

    def _excuse(self, entries: list[Entry]) -> None:
        """Mark weights that have no gradient but rounding, which optimizers like Adam make a step of, as explained.

        So are statistics, such as the mean that a bias before it shifts, that differ by no more than those weights.
        """
        trainable = {id(v) for v in self.reference.model.trainable_variables}
        before = self._amplified
        for variable, entry in zip(self.reference.variables, entries, strict=True):
            worst = entry.worst[1].absolute
            if entry.verdict != "different":
                continue
            if id(variable) in self._without_gradient:
                self._amplified = max(self._amplified, worst)
                entry.verdict = "explained"
            elif id(variable) not in trainable and worst <= before:
                entry.verdict = "explained"

    def step_again(self, batch: tuple) -> dict[tuple, bool]:
        """Train all contenders on a batch, each from its own state; return which weights, and which losses, differ."""
        losses = {contender.name: np.asarray(contender.step(*batch)) for contender in self.everyone}
        entries = [self._loss(losses, None), *self._weights(None)]
        return {(e.layer, e.kind, e.name): e.verdict == "different" for e in entries}

    def _loss(self, losses: dict[str, np.ndarray], number: int | None) -> Entry:
        # The referee's distance excuses nothing here: its loss curve may have diverged from the others'.
        return self.entry("loss", losses, noisy=False, layer=self.reference.model.name, kind="", step=number)

    def _forget(self, entries: list[Entry]) -> None:
        for entry in entries:
            self._arrays.pop(id(entry), None)


def owners(model: Any) -> dict[int, tuple[str, str]]:
    """Return the path and the class of a weight's layer by the weight's id, without the model's own name."""
    found: dict[int, tuple[str, str]] = {}
    prefix = f"{model.name}/"
    for layer in model._flatten_layers():
        for variable in layer._own_parts()[0]:
            path = variable.path.rpartition("/")[0].removeprefix(prefix) or layer.name
            found.setdefault(id(variable), (path, type(layer).__name__))
    return found


def _lowest_precision(model: Any) -> str:
    order = ["float64", "float32", "float16", "bfloat16"]
    found = {layer.compute_dtype for layer in model._flatten_layers() if layer.compute_dtype in order}
    found = {dtype for dtype in found if dtypes.is_float(dtype)}
    return max(found, key=order.index, default="float32")
