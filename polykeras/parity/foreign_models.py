"""Comparing a polykeras model with one of another library, or with a file of weights, layer by layer."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from polykeras import backends
from polykeras.core import naming, trees
from polykeras.interop import learners, readers
from polykeras.interop.readers import ForeignModel
from polykeras.parity import judging, measures, weight_layouts
from polykeras.parity.foreign_training import Training
from polykeras.parity.matching import Unit, WeightMap, foreign_inputs, match, ours, units_of
from polykeras.parity.observing import Call
from polykeras.parity.report import Cause, Entry, Report
from polykeras.parity.running import Batches, Contender

is_foreign = readers.is_foreign
#: Layers whose output has the values of their input in another order.
_REARRANGING = ("Flatten", "Reshape", "Permute")


def check_foreign(
    model: Any,
    source: Any,
    x: Any = None,
    y: Any = None,
    *,
    source_x: Any = None,
    map: dict | None = None,
    steps: int = 0,
    sample_weight: Any = None,
    rtol: float | None = None,
    atol: float = 0.0,
    batch_size: int = 32,
) -> Report:
    """Compare a model with another library's: matched weights, outputs of layers, gradients, training.

    The loss is that of our model, computed on the other library's engine; the other library's own optimizer, with the
    same settings, trains it. If that is impossible, a sentence in the report says why, and the rest is compared.

    Args:
        model: a built polykeras model, or the path of a file. A file of weights alone (``.safetensors``,
            ``.weights.h5``) is compared with a second file, by name, or in order where names differ.
        source, x, source_x, map: as for ``match_weights``. With ``source_x`` all steps use the first batch.
        y, steps, sample_weight, rtol, atol, batch_size: as for ``check``.

    Returns:
        A Report with the backends ``"polykeras"`` and the other library's name.

    Raises:
        ValueError: if none of the other model's weights match ours.
    """
    if _is_weights(model):
        if _is_weights(source):
            return _check_weights(Path(model), Path(source), rtol, atol)
        model, source = source, model
    if isinstance(model, str | Path):
        from polykeras import saving

        model = saving.load_model(model)
    other = readers.read(source)
    data = None if x is None else Batches(x, y, sample_weight, batch_size)
    x = None if data is None else trees.map(np.asarray, data.first[0])
    if source_x is not None:
        source_x = _beginning(source_x, batch_size)
    if x is not None and other.framework != "file":
        other.run(*foreign_inputs(other, x, source_x))
    found = match(model, other, x, map)
    comparison = _Comparison(model, other, rtol, atol)
    comparison.report.entries += comparison.weights(found)
    if data is not None and other.outputs:
        comparison.report.entries += comparison.outputs(found, x)
        with contextlib.closing(learners.learner(source)) as learner:

            def inputs(x: Any) -> Any:
                return foreign_inputs(other, x, source_x)

            batches = data.endless() if source_x is None else itertools.repeat(data.first)
            training = Training(comparison.contender, learner, other, found, inputs)
            training.add_to(comparison.report, itertools.islice(batches, steps), data.first)
    comparison.name_causes(found)
    return comparison.report


def _beginning(source_x: Any, rows: int) -> tuple:
    """Return the first rows of each array for the other model."""
    inputs = source_x if isinstance(source_x, tuple) else (source_x,)
    return tuple(a[:rows] if getattr(a, "ndim", 0) else a for a in inputs)


def _is_weights(source: Any) -> bool:
    """True for the path of a file of weights without a model."""
    return isinstance(source, str | Path) and str(source).endswith((".safetensors", ".weights.h5"))


def _check_weights(first: Path, second: Path, rtol: float | None, atol: float) -> Report:
    """Compare two files of weights: common names, then the others in order, where shapes are equal."""
    one, other = _weights_by_name(first), _weights_by_name(second)
    names = [str(first), str(second)] if first.name == second.name else [first.name, second.name]
    report = Report(names, rtol=judging.TOLERANCES["float32"] if rtol is None else rtol, atol=atol)
    left = [name for name in other if name not in one]
    missing = []
    for name, value in one.items():
        partner = name if name in other else next((n for n in left if other[n].shape == value.shape), None)
        if partner is None or other[partner].shape != value.shape:
            missing.append(name)
            continue
        if partner in left:
            left.remove(partner)
        layer, _, weight = name.rpartition(".")
        report.entries.append(_entry(report, "initial weight", layer, "", other[partner], value, weight))
    if missing or left:
        sentence = (
            f"Weights without a counterpart: {naming.listed(missing) or 'none'} of {first.name}, "
            f"{naming.listed(left) or 'none'} of {second.name}."
        )
        report.causes.append(Cause("unmatched", sentence, False, (missing or left)[0].rpartition(".")[0]))
    return report


def _weights_by_name(path: Path) -> dict[str, np.ndarray]:
    return {part.full_name(name): value for part in readers.read(path).parts for name, value in part.weights.items()}


def _entry(
    report: Report, part: str, layer: str, kind: str, value: np.ndarray, reference: np.ndarray, name: str = ""
) -> Entry:
    """Compare an array of the second contender with that of the first, the reference."""
    allowed = report.atol + report.rtol * measures.scale(reference)
    found = measures.difference(value, reference)
    verdict = measures.verdict(found.absolute, allowed)
    first, second = report.backends
    shape, dtype = reference.shape, reference.dtype.name
    if verdict == "different" and not report.pairs:
        report.pairs = {first: reference, second: value}
    return Entry(part, layer, kind, name, None, shape, dtype, {second: found}, {}, allowed, verdict)


class _Comparison:
    def __init__(self, model: Any, other: ForeignModel, rtol: float | None, atol: float) -> None:
        self.contender = Contender("numpy", model.to_backend("numpy"), "polykeras")
        self.other, self.name = other, other.framework
        rtol = judging.TOLERANCES["float32"] if rtol is None else rtol
        self.report = Report(["polykeras", self.name], rtol=rtol, atol=atol)
        self.kinds = {path: kind for path, kind in judging.owners(self.contender.model).values()}

    def weights(self, found: WeightMap) -> list[Entry]:
        """Compare matched weights."""
        model = self.contender.model
        values = {v.path.removeprefix(f"{model.name}/"): v.numpy() for v in model.weights}
        entries = []
        for entry in found.matches:
            layer, _, name = entry.target.rpartition("/")
            kind = self.kinds.get(layer, "")
            entries.append(_entry(self.report, "initial weight", layer, kind, entry.value, values[entry.target], name))
        return entries

    def outputs(self, found: WeightMap, x: Any) -> list[Entry]:
        """Compare the outputs of layers with those of their parts, and the model's outputs."""
        pieces = weight_layouts.split(found.fused, self.other.parts)
        parts = {part.full_name(name): part for part in pieces for name in part.weights}
        sources = {entry.target.rpartition("/")[0]: entry.sources[0] for entry in found.matches}
        by_layer: dict[int, Unit] = {id(unit.layer): unit for unit in units_of(self.contender, None)}
        calls = self.contender.forward(x, False, keep_inputs=True)
        entries = []
        counts: dict[str, Iterator[int]] = {}
        for call in calls:
            unit = by_layer.get(id(call.operation))
            if unit is None or unit.path not in sources:
                continue
            part = parts[sources[unit.path]]
            number = next(counts.setdefault(unit.path, itertools.count()))
            output = part.outputs[number] if number < len(part.outputs) else None
            if output is not None and output.size == call.outputs[0].size:
                value = self._nearest(call.operation, ours(output, self.other.channels_first), call.outputs[0])
                entries.append(_entry(self.report, "output", call.path, call.kind, value, call.outputs[0]))
        model = self.contender.model
        results = trees.leaves(model.predict(x, verbose=0))
        for index, (result, value) in enumerate(zip(results, self.other.outputs, strict=False)):
            value = ours(value, self.other.channels_first)
            value = value.reshape(result.shape) if value.size == result.size else value
            name = f"output {index}" if len(results) > 1 else ""
            entries.append(_entry(self.report, "output", model.name, type(model).__name__, value, result, name))
        self._explain_differing_input(entries, calls)
        return entries

    def _explain_differing_input(self, entries: list[Entry], calls: list[Call]) -> None:
        """Explain a first difference that is already in a layer's input: name the layers that must have caused it."""
        first = next((entry for entry in entries if entry.verdict == "different"), None)
        indices = {call.path: index for index, call in enumerate(calls)}
        if first is None:
            return
        index = indices.get(first.layer, len(calls) - 1)
        agreeing = [indices[e.layer] for e in entries[: entries.index(first)] if e.layer in indices]
        is_whole = calls[index].operation is self.contender.model
        given = [a for a in trees.leaves(calls[index].args) if isinstance(a, np.ndarray)]
        if not is_whole and all(self._is_seen(a, in_order=False) for a in given):
            return
        between = calls[max(agreeing, default=0) : index]
        unseen = [call for call in between if not self._is_seen(call.outputs[0], call.kind not in _REARRANGING)]
        if unseen:
            names = ", ".join(f"{call.path!r} ({call.kind})" for call in unseen[:4])
            sentence = (
                f"Nothing in the other model is equal to the output of {names}, before {first.layer!r}: another "
                f"setting, or another function there."
            )
            self.report.causes.append(Cause("before", sentence, False, unseen[0].path, unseen[0].kind))

    def _is_seen(self, array: np.ndarray, in_order: bool) -> bool:
        """Whether the other model has an array with these values."""
        order = np.ravel if in_order else np.sort
        for value in self.other.seen:
            if value.size == array.size:
                value = ours(value, self.other.channels_first)
                found = measures.difference(order(value.ravel()), order(array.ravel()))
                if found.absolute <= self.report.atol + 10 * self.report.rtol * measures.scale(array):
                    return True
        return False

    @staticmethod
    def _nearest(layer: Any, output: np.ndarray, expected: np.ndarray) -> np.ndarray:
        """Return a part's output after our layer's built-in activation, unless it was already applied."""
        output = output.reshape(expected.shape)
        activation = getattr(layer, "activation", None)
        if activation is None:
            return output
        with backends.use("numpy"):
            activated = np.asarray(activation(output))
        return min((activated, output), key=lambda value: measures.difference(value, expected).absolute)

    def name_causes(self, found: WeightMap) -> None:
        """Add the cause of a difference: an unmatched weight, an epsilon, a value."""
        report = self.report
        for path, settings in found.settings.items():
            words = " ".join(note for note in found.notes if f" of {path} is " in note)
            report.causes.append(
                Cause("setting", f"Another setting: {words}", not settings, path, next(iter(settings)))
            )
        for title, names in (("ours without a counterpart", found.missing), ("theirs not used", found.unused)):
            if names:
                sentence = f"Unmatched weights: {title}: {', '.join(names[:8])}."
                layer = names[0].rpartition("/")[0]
                report.causes.append(Cause("unmatched", sentence, False, layer))
        first = report.first
        if first is not None and first.part == "initial weight":
            sentence = f"The values differ: {first.name!r} of layer {first.layer!r}. port_weights would set it."
            report.causes.insert(0, Cause("weight", sentence, False, first.layer))
