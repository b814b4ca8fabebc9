"""Which weight of another library's model belongs to which of ours, and how to convert it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from polykeras import backends
from polykeras.core import trees
from polykeras.interop import readers
from polykeras.interop.readers import ForeignModel, Part
from polykeras.layers.layer import Layer
from polykeras.parity import measures, weight_layouts
from polykeras.parity.running import Contender


@dataclass
class Match:
    """One of our weights, and where its value comes from.

    Attributes:
        target: path and name of our weight.
        sources: names of the weights that it is made from.
        how: str, the conversion in words: ``"as it is"``, ``"transposed"`` and so on.
        value: the other model's value, converted to our layout.
        convert: function that converts other values of the part in the same way.
        part: path of the part.
        is_one_to_one: whether each number of ours corresponds to one of theirs.
        is_equal: whether our weight has that value already.
        error: largest relative difference between the outputs of the layer and the part on the same input, with these
            weights; None if it was not run.
    """

    target: str
    sources: tuple[str, ...]
    how: str
    value: np.ndarray = field(repr=False)
    convert: Callable[[Part], np.ndarray] = field(repr=False)
    part: str = ""
    is_one_to_one: bool = True
    is_equal: bool = False
    error: float | None = None

    @property
    def terms(self) -> int:
        """The number of weights that are added up to make it."""
        return len(self.sources) if self.how.endswith("added up") and not self.is_one_to_one else 1


@dataclass
class WeightMap:
    """The result of ``match_weights``.

    Attributes:
        matches: a Match for each of our weights that has a counterpart.
        missing: our weights without a counterpart.
        unused: weights of the other model that are not used.
        notes: other differences, such as an epsilon.
        settings: attributes of our layers that would have to be changed, by path and name.
        fused: parts that hold the weights of several of our layers side by side, with their number.
        difference: relative difference of the outputs after ``port_weights``, if both were run; default
            None.

    >>> WeightMap(missing=["dense/kernel"]).is_complete
    False
    """

    matches: list[Match] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    settings: dict[str, dict[str, float]] = field(default_factory=dict)
    fused: dict[str, int] = field(default_factory=dict)
    difference: float | None = None

    @property
    def is_complete(self) -> bool:
        """Whether all weights of both models are matched."""
        return not self.missing and not self.unused

    def to_dict(self) -> dict[str, str]:
        """Return the names of the other model's weights by ours; several are joined by "+"."""
        return {match.target: "+".join(match.sources) for match in self.matches}

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        from rich.table import Table
        from rich.text import Text

        table = Table("our weight", "comes from", "how", "equal already", "error of the layer")
        for match in self.matches:
            error = "" if match.error is None else f"{match.error:.1e}"
            cells = match.target, " + ".join(match.sources), match.how, "yes" if match.is_equal else "no", error
            table.add_row(*map(Text, cells))
        yield table
        for title, names in (("Without a counterpart", self.missing), ("Not used", self.unused)):
            if names:
                yield Text(f"{title}: {', '.join(names)}.", style="red")
        yield from map(Text, self.notes)
        if self.difference is not None:
            yield Text(f"Outputs differ by {self.difference:.1e}, relatively.")

    def __str__(self) -> str:
        import io

        from rich.console import Console

        buffer = io.StringIO()
        Console(file=buffer, width=140).print(self)
        return buffer.getvalue().rstrip()


@dataclass
class Unit:
    """A layer of ours that owns weights.

    Attributes:
        path: its path without the model's own name.
        layer: the layer.
        variables: its weights.
        flattened: the shape (rows, columns, channels) of a flattened input before flattening; None if there is none.
        is_called: whether calls of the layer itself were seen, so that it can be run alone.
    """

    path: str
    layer: Layer
    variables: list
    flattened: tuple | None = None
    is_called: bool = False


def match_weights(
    model: Any, source: Any, x: Any = None, *, source_x: Any = None, map: dict | None = None
) -> WeightMap:
    """Find which weight of another model belongs to which of ours.

    Kernels may be transposed, convolutions in another layout, gates in another order, the statistics of batch
    normalization under other names. Equal values take precedence; then shapes, in the order in which the
    parts are called; and where both models can be run on ``x``, each layer is tried on the input of its
    counterpart, and the conversion that gives the same output is chosen.

    Args:
        model: a built polykeras model, which is not changed.
        source: a ``torch.nn.Module``, a pair of a ``flax.linen.Module`` and its variables, an ``nnx.Module``, a
            ``tf.Module``, a model of Keras 3, or the path of a ``.safetensors``, ``.h5`` or ``.keras`` file.
        x: inputs for our model; default None, which runs nothing.
        source_x: inputs for the other model, a tuple if it takes several; default None, for x, with the channels of
            images moved to the front for torch.
        map: dict of known matches from paths of our layers (or weights) to names of parts of the other model;
            default None.

    Returns:
        A WeightMap; ``print`` it.

    Raises:
        ValueError: for an object without weights that can be read.

    >>> import numpy as np, polykeras as keras, tempfile, safetensors.numpy as st
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="head")])
    >>> path = tempfile.mkdtemp() + "/net.safetensors"
    >>> st.save_file({"fc.weight": np.ones((2, 3), "float32"), "fc.bias": np.ones(2, "float32")}, path)
    >>> match_weights(model, path).to_dict()
    {'head/kernel': 'fc.weight', 'head/bias': 'fc.bias'}
    """
    other = readers.read(source)
    if x is not None and other.framework != "file":
        other.run(*foreign_inputs(other, x, source_x))
    return match(model, other, x, map)


def match(model: Any, other: ForeignModel, x: Any, names: dict | None = None) -> WeightMap:
    """``match_weights`` for a model that has been read and run."""
    copy = Contender("numpy", model.to_backend("numpy"))
    units = units_of(copy, x)
    pairs, result = _pairs(units, other, names or {})
    used: set[tuple[str, str]] = set()
    for unit, part in pairs:
        if part is None:
            result.missing += [f"{unit.path}/{v.name}" for v in unit.variables]
            continue
        chosen, error = _choose(unit, part, other)
        for variable, option in zip(unit.variables, chosen, strict=True):
            used |= {(part.path, name) for name in option.sources}
            result.matches.append(_matched(unit, variable, part, option, error))
        _compare_settings(unit, part, result)
    result.unused = _unused(weight_layouts.split(result.fused, other.parts), used)
    return result


def _pairs(units: list[Unit], other: ForeignModel, names: dict) -> tuple[list, WeightMap]:
    """Pair layers with parts, split parts that hold the weights of several, and extend the map by the latter."""
    pairs = weight_layouts.paired(units, other.parts, names)
    taken = {id(part) for _, part in pairs}
    left = [part for part in other.parts if id(part) not in taken]
    fused = weight_layouts.fused([unit for unit, part in pairs if part is None], left)
    if fused:
        pairs = weight_layouts.paired(units, weight_layouts.split(fused, other.parts), names)
    return pairs, WeightMap(fused=fused)


def _unused(parts: list[Part], used: set[tuple[str, str]]) -> list[str]:
    """Return the names of unused weights, except for those tied to one that was used."""
    values = [part.weights[name] for part in parts for name in part.weights if (part.path, name) in used]

    def is_tied(value: np.ndarray) -> bool:
        return value.size > 1 and np.ptp(value) > 0 and any(np.array_equal(value, other) for other in values)

    every = [(part, name) for part in parts for name in part.weights if (part.path, name) not in used]
    return [part.full_name(name) for part, name in every if not is_tied(part.weights[name])]


def _matched(unit: Unit, variable: Any, part: Part, option: weight_layouts.Option, error: float | None) -> Match:
    return Match(
        f"{unit.path}/{variable.name}",
        tuple(part.full_name(name) for name in option.sources),
        option.how,
        option.value,
        functools.partial(weight_layouts.again, unit, variable, option),
        part.path,
        is_one_to_one=sum(part.weights[name].size for name in option.sources) == option.value.size,
        is_equal=measures.difference(variable.numpy(), option.value).is_zero,
        error=error,
    )


def units_of(contender: Contender, x: Any) -> list[Unit]:
    """Return the layers that own weights, in the order of their calls if an input is given."""
    model = contender.model
    prefix = f"{model.name}/"
    order: dict[int, int] = {}
    flat: dict[int, tuple] = {}
    if x is not None:
        flattened: tuple | None = None
        for index, call in enumerate(contender.forward(x, False, keep_inputs=True)):
            order.setdefault(id(call.operation), index)
            shapes = [a.shape for a in call.args if isinstance(a, np.ndarray)]
            if call.kind == "Flatten" and len(shapes[0]) > 2:
                flattened = shapes[0][1:]
            elif flattened is not None and call.kind not in ("Dropout", "Activation", "ReLU"):
                flat[id(call.operation)], flattened = flattened, None
    units = []
    for layer in model._flatten_layers():
        own = list(layer._own_parts()[0])
        if own:
            path = own[0].path.rpartition("/")[0].removeprefix(prefix) or layer.name
            units.append(Unit(path, layer, own, flat.get(id(layer)), id(layer) in order))
    ranks = {id(unit.layer): _rank(model, unit.layer, order) for unit in units}
    return sorted(units, key=lambda unit: ranks[id(unit.layer)]) if order else units


def _rank(model: Any, layer: Layer, order: dict[int, int]) -> tuple:
    """Return when a layer is first called; for one whose weights the enclosing layer uses, when that begins."""
    if id(layer) in order:
        return order[id(layer)], 1
    around = [o for o in model._flatten_layers() if any(inner is layer for inner in o._flatten_layers())]
    around = [o for o in around if id(o) in order]
    inner = min(around, key=lambda o: order[id(o)], default=model)
    return min((order[id(o)] for o in inner._flatten_layers() if id(o) in order), default=len(order)), 0


def _choose(unit: Unit, part: Part, other: ForeignModel) -> tuple[list, float | None]:
    """Return how to make each weight: the option that has our values already, or gives the part's output."""
    choices = weight_layouts.combinations(unit, part)
    now = [v.numpy() for v in unit.variables]
    for options in choices:
        if all(measures.difference(a, o.value).relative < 1e-6 for a, o in zip(now, options, strict=True)):
            return options, None
    if not unit.is_called or part.output is None or not part.inputs:
        return choices[0], None
    errors = [_error(unit, part, options, other.channels_first) for options in choices]
    best = int(np.argmin([np.inf if e is None else e for e in errors]))
    return choices[best], errors[best]


def _error(unit: Unit, part: Part, options: list, channels_first: bool) -> float | None:
    """Return the difference of outputs between the layer, with converted weights, and the part, on the part's input."""
    layer = unit.layer
    if part.output is None:
        return None
    x, expected = ours(part.inputs[0], channels_first), ours(part.output, channels_first)
    if unit.flattened is not None and channels_first and x.ndim == 2:
        height_last = np.arange(x.shape[1]).reshape(unit.flattened[-1], *unit.flattened[:-1])
        x = x[:, np.moveaxis(height_last, 0, -1).ravel()]
    settings: dict[str, Any] = {**_settings_of(layer, part)}
    values = [option.value for option in options]
    # The other library may have the activation inside the part or outside.
    ways = [settings] if getattr(layer, "activation", None) is None else [settings, {**settings, "activation": None}]
    errors = []
    for changes in ways:
        with _changed(layer, changes, unit.variables, values), backends.use("numpy"):
            try:
                output = np.asarray(layer(x))
            except (ValueError, TypeError):
                return None  # the part's input had another shape
        if output.size == expected.size:
            errors.append(measures.difference(output.reshape(expected.shape), expected).relative)
    return min(errors, default=None)


@contextlib.contextmanager
def _changed(layer: Layer, attributes: dict, variables: list, values: list) -> Iterator[None]:
    """Temporarily give a layer other attributes and weights."""
    before = {name: getattr(layer, name) for name in attributes}, [v.numpy() for v in variables]

    def change(attributes: dict, values: list) -> None:
        for name, value in attributes.items():
            setattr(layer, name, value)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)

    change(attributes, values)
    try:
        yield
    finally:
        change(*before)


def ours(x: np.ndarray, channels_first: bool) -> np.ndarray:
    """Convert an array of another library to our layout."""
    return np.moveaxis(x, 1, -1) if channels_first and x.ndim > 3 else x


def foreign_inputs(other: ForeignModel, x: Any, source_x: Any) -> tuple:
    """Return the inputs for another library's model, converted from ours unless they are given."""
    if source_x is not None:
        return source_x if isinstance(source_x, tuple) else (source_x,)
    inputs = trees.children(x) if trees.is_nested(x) else [x]
    arrays = [np.asarray(a) for a in inputs]
    return tuple(np.moveaxis(a, -1, 1) if other.channels_first and a.ndim > 3 else a for a in arrays)


def _settings_of(layer: Layer, part: Part) -> dict[str, float]:
    """Return settings of a part that our layer has too, with another value."""
    found = {}
    for name, value in part.settings.items():
        own = getattr(layer, name, None)
        if isinstance(own, float) and abs(own - value) > 1e-9 + 1e-6 * abs(value):
            found[name] = value
    return found


def _compare_settings(unit: Unit, part: Part, result: WeightMap) -> None:
    found = _settings_of(unit.layer, part)
    for name, value in found.items():
        own = getattr(unit.layer, name)
        result.notes.append(f"{name} of {unit.path} is {own:g}, of {part.path} {value:g}.")
    if found:
        result.settings[unit.path] = found
