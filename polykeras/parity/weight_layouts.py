"""The layouts that libraries use for a weight, and which parts of two models may correspond."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from polykeras.core import naming
from polykeras.interop.readers import Part

#: The names of a weight in different libraries.
_NAMES = {
    "kernel": ("kernel", "weight", "w", "weight_ih", "dense_i.kernel"),
    "depthwise_kernel": ("depthwise_kernel", "weight", "kernel"),
    "pointwise_kernel": ("pointwise_kernel", "weight", "kernel"),
    "recurrent_kernel": ("recurrent_kernel", "weight_hh", "recurrent"),
    "bias": ("bias", "b"),
    "gamma": ("gamma", "weight", "scale"),
    "scale": ("scale", "weight", "gamma"),
    "beta": ("beta", "bias", "offset"),
    "moving_mean": ("moving_mean", "running_mean", "mean"),
    "moving_variance": ("moving_variance", "running_var", "var"),
    "embeddings": ("embeddings", "weight", "embedding", "embeddings_table"),
    "alpha": ("alpha", "weight", "negative_slope"),
}
_MOST_COMBINATIONS = 24


@dataclass
class Option:
    """One way to make a weight."""

    sources: tuple[str, ...]
    how: str
    value: np.ndarray = field(repr=False)


def options(unit: Any, variable: Any, part: Part) -> list[Option]:
    """Return the ways to make a weight from those of a part, the most common first."""
    found = [*_gates(unit, variable, part)]
    if not found:
        for name in _candidates(variable.name, part):
            found += _conversions(unit, variable, name, part.weights[name])
    unique: list[Option] = []
    for option in found:
        if option.value.shape == variable.shape:
            unique.append(option)
    return unique


def again(unit: Any, variable: Any, option: Option, part: Part) -> np.ndarray:
    """Return what an option makes from the same part with other values, such as gradients."""
    same = (o for o in options(unit, variable, part) if (o.sources, o.how) == (option.sources, option.how))
    return next(same).value


def _candidates(name: str, part: Part) -> list[str]:
    """Return the names that may mean this weight; if none is known, all of them."""
    known = [n for n in _NAMES.get(name, (name,)) if n in part.weights]
    if known or name in _NAMES and any(n in _every_name() for n in part.weights):
        return known
    # Files of Keras use the indices of a layer's weights.
    return list(part.weights)


def _every_name() -> set[str]:
    return {name for names in _NAMES.values() for name in names}


def _conversions(unit: Any, variable: Any, name: str, value: np.ndarray) -> Iterator[Option]:
    """Yield the possible conversions of a single array."""
    shape = variable.shape
    if variable.name.endswith("kernel") and value.ndim >= 2:
        yield from _kernels(unit, shape, name, value)
    elif value.shape == shape:
        yield Option((name,), "as it is", value)
    elif value.size == variable.size:
        yield Option((name,), "reshaped", value.reshape(shape))


def _kernels(unit: Any, shape: tuple, name: str, value: np.ndarray) -> Iterator[Option]:
    is_torch = name.startswith("weight")
    plain = [(Option((name,), "as it is", value))] if value.shape == shape else []
    moved = list(_transposed(shape, name, value))
    if unit.flattened is not None and len(shape) == 2:
        moved += [Option(o.sources, f"{o.how}, rows from channels first", _rows(o.value, unit)) for o in moved]
        moved.reverse()
    first, second = (moved, plain) if is_torch else (plain, moved)
    yield from (*first, *second)
    for option in [*first, *second]:
        if option.value.ndim > 2 and len(shape) > 2:
            spatial = tuple(range(option.value.ndim - 2))
            yield Option(option.sources, f"{option.how}, flipped", np.flip(option.value, spatial))
    if not moved and not plain and value.size == int(np.prod(shape)):
        yield Option((name,), "reshaped", value.reshape(shape))


def _transposed(shape: tuple, name: str, value: np.ndarray) -> Iterator[Option]:
    if value.ndim == 2:
        if value.T.shape == shape:
            yield Option((name,), "transposed", value.T)
        elif len(shape) > 2 and value.size == int(np.prod(shape)):
            yield Option((name,), "transposed and split into heads", np.ascontiguousarray(value.T).reshape(shape))
        return
    moved = value.transpose(*range(2, value.ndim), 1, 0)  # from (out, in, *window)
    if moved.shape == shape:
        yield Option((name,), "window first", moved)
    swapped = np.swapaxes(value, -1, -2)
    if swapped.shape == shape:
        yield Option((name,), "channels exchanged", swapped)
    if moved.ndim == len(shape) and moved.shape[:-2] == shape[:-2] and moved.size == int(np.prod(shape)):
        if moved.shape != shape:
            yield Option((name,), "window first, by depth", moved.reshape(shape))
    elif value.size == int(np.prod(shape)) and value.shape[:-2] == shape[:-2] and value.shape != shape:
        yield Option((name,), "reshaped", value.reshape(shape))


def _rows(kernel: np.ndarray, unit: Any) -> np.ndarray:
    """Reorder rows for an input that was flattened with channels last, from those for channels first."""
    *spatial, channels = unit.flattened
    order = np.arange(kernel.shape[0]).reshape(channels, *spatial)
    return kernel[np.moveaxis(order, 0, -1).ravel()]


# ----------------------------------------------------------------------- gates


def _gates(unit: Any, variable: Any, part: Part) -> Iterator[Option]:
    """Yield weights of recurrent layers, whose gates may be reordered or separate."""
    if part.kind in ("LSTM", "GRU", "RNN") and "weight_ih" in part.weights:
        yield from _torch_gates(variable, part)
    elif part.kind in ("FlaxLSTM", "FlaxGRU"):
        yield from _flax_gates(variable, part)
    elif "dense_i.kernel" in part.weights:
        yield from ()


def _torch_gates(variable: Any, part: Part) -> Iterator[Option]:
    turn, how = (_gru_order, "transposed, gates reordered") if part.kind == "GRU" else (np.asarray, "transposed")
    if variable.name in ("kernel", "recurrent_kernel"):
        name = "weight_ih" if variable.name == "kernel" else "weight_hh"
        yield Option((name,), how, turn(part.weights[name].T))
    elif variable.name == "bias" and "bias_ih" in part.weights:
        first, second = (turn(part.weights[f"bias_{side}"]) for side in ("ih", "hh"))
        names = ("bias_ih", "bias_hh")
        yield Option(names, "stacked", np.stack([first, second]))
        yield Option(names, "added up", first + second)


def _gru_order(x: np.ndarray) -> np.ndarray:
    """Reorder reset, update, candidate to update, reset, candidate."""
    reset, update, candidate = np.split(x, 3, -1)
    return np.concatenate([update, reset, candidate], -1)


def _flax_gates(variable: Any, part: Part) -> Iterator[Option]:
    gates = ("i", "f", "g", "o") if part.kind == "FlaxLSTM" else ("z", "r", "n")
    side = "i" if variable.name == "kernel" else "h"
    if variable.name in ("kernel", "recurrent_kernel"):
        names = tuple(f"{side}{gate}.kernel" for gate in gates)
        yield Option(names, "gates joined", np.concatenate([part.weights[n] for n in names], -1))
        return
    units = part.weights[f"h{gates[0]}.kernel"].shape[-1]
    rows, sources = [], []
    for side in ("i", "h"):
        columns = [part.weights.get(f"{side}{gate}.bias", np.zeros(units, "float32")) for gate in gates]
        rows.append(np.concatenate(columns))
        sources += [f"{side}{gate}.bias" for gate in gates if f"{side}{gate}.bias" in part.weights]
    yield Option(tuple(sources), "gates stacked", np.stack(rows))
    yield Option(tuple(sources), "gates joined, added up", rows[0] + rows[1])


# --------------------------------------------------------------------- pairing


def combinations(unit: Any, part: Part) -> list[list[Option]]:
    """Return the ways to make all weights of a unit from a part, the most common first; [] if there is none."""
    columns = [options(unit, variable, part) for variable in unit.variables]
    if not all(columns):
        return []
    found = []
    for chosen in itertools.product(*columns):
        names = [name for option in chosen for name in option.sources]
        if len(set(names)) == len(names):
            found.append(list(chosen))
        if len(found) == _MOST_COMBINATIONS:
            break
    return found


def paired(units: list, parts: list[Part], names: dict[str, str]) -> list[tuple[Any, Part | None]]:
    """Pair layers with parts: those in the map, those with equal values, and the rest in order."""
    pairs: dict[int, Part] = {}
    by_path = {part.path: part for part in parts}
    taken: dict[int, Part] = {}

    def pair(unit: Any, part: Part) -> None:
        pairs[id(unit)] = part
        taken[id(part)] = part

    for unit in units:
        wanted = names.get(unit.path)
        if wanted is not None:
            if wanted not in by_path:
                raise ValueError(f"Expected map to name one of {naming.listed(by_path)}. Received: {wanted!r}.")
            pair(unit, by_path[wanted])
    for unit in units:
        for part in parts:
            if id(unit) not in pairs and id(part) not in taken and _has_values_of(unit, part):
                pair(unit, part)
    left = [unit for unit in units if id(unit) not in pairs]
    free = [part for part in parts if id(part) not in taken]
    for unit, part in _in_order(left, free):
        pair(unit, part)
    while True:
        left = [unit for unit in units if id(unit) not in pairs]
        sole = next(_sole_fits(left, [part for part in parts if id(part) not in taken]), None)
        if sole is None:
            break
        pair(*sole)
    return [(unit, pairs.get(id(unit))) for unit in units]


def _has_values_of(unit: Any, part: Part) -> bool:
    """Whether a layer already has the values of a part; constants such as zeros prove nothing."""
    now = [variable.numpy() for variable in unit.variables]
    if not any(np.ptp(value) > 0 for value in now if value.size > 1):
        return False
    return any(
        all(np.allclose(value, option.value, 1e-6, 0) for value, option in zip(now, chosen, strict=True))
        for chosen in combinations(unit, part)
    )


def fused(units: list, parts: list[Part]) -> dict[str, int]:
    """Return the parts that hold the weights of several units side by side, such as query, key and value: how many."""
    found = {}
    for part in parts:
        for count in (3, 2):
            fitting = [unit for unit in units if combinations(unit, split({part.path: count}, [part])[0])]
            if len(fitting) >= count:
                found[part.path] = count
                break
    return found


def split(counts: dict[str, int], parts: list[Part]) -> list[Part]:
    """Return the parts, with those in ``counts`` split into pieces of equal size."""
    found = []
    for part in parts:
        count = counts.get(part.path, 1)
        pieces = {name: _pieces(value, count) for name, value in part.weights.items()}
        if count == 1 or not all(pieces.values()):
            found.append(part)
            continue
        is_row = part.output is not None and part.output.ndim < 4 and part.output.shape[-1] % count == 0
        calls = [np.split(output, count, -1) for output in part.outputs] if is_row else []
        for n in range(count):
            weights = {name: values[n] for name, values in pieces.items()}
            outputs = [output[n] for output in calls]
            piece = Part(f"{part.path}[{n}]", part.kind, weights, part.settings, part.inputs, outputs=outputs)
            piece.output = next(iter(outputs), None)
            found.append(piece)
    return found


def _pieces(value: np.ndarray, count: int) -> list[np.ndarray]:
    """Split along the axis of the size ``count``, or else the longest; [] if that is impossible."""
    axis = next((n for n, size in enumerate(value.shape) if size == count and value.ndim != 2), None)
    if axis is not None:
        return [np.take(value, n, axis) for n in range(count)]
    axis = int(np.argmax(value.shape)) if value.ndim else 0
    return np.split(value, count, axis) if value.ndim and value.shape[axis] % count == 0 else []


def _sole_fits(units: list, parts: list[Part]) -> Iterator[tuple[Any, Part]]:
    """Yield pairs in which neither fits anything else, whatever their position."""
    for unit in units:
        fitting = [part for part in parts if combinations(unit, part)]
        if len(fitting) == 1 and sum(bool(combinations(other, fitting[0])) for other in units) == 1:
            yield unit, fitting[0]


def _in_order(units: list, parts: list[Part]) -> list[tuple[Any, Part]]:
    """Return the longest pairing that preserves the order of both."""
    fits = [[bool(combinations(unit, part)) for part in parts] for unit in units]
    lengths = np.zeros((len(units) + 1, len(parts) + 1), int)
    for i in reversed(range(len(units))):
        for j in reversed(range(len(parts))):
            longer = lengths[i + 1, j + 1] + 1 if fits[i][j] else 0
            lengths[i, j] = max(longer, lengths[i + 1, j], lengths[i, j + 1])
    found, i, j = [], 0, 0
    while i < len(units) and j < len(parts):
        if fits[i][j] and lengths[i, j] == lengths[i + 1, j + 1] + 1:
            found.append((units[i], parts[j]))
            i, j = i + 1, j + 1
        elif lengths[i + 1, j] >= lengths[i, j + 1]:
            i += 1
        else:
            j += 1
    return found
