"""The location of each layer's arrays in a weights file: the tree of Keras 3, by one traversal for all uses."""

from __future__ import annotations

import itertools
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from polykeras.core import naming, tracking
from polykeras.core.seeds import SeedGenerator
from polykeras.core.tracking import Trackable
from polykeras.core.variables import Variable
from polykeras.layers.layer import Layer
from polykeras.optimizers.optimizer import Optimizer
from polykeras.saving.ledger import NotingWriter

#: Attributes that never contain a user's layers: of all layers, and of models.
_PLAIN = frozenset(vars(Layer()))
_PLAIN_OF_MODELS = _PLAIN | {
    *("inputs", "outputs", "_sequential_layers", "_sequential_input", "_layers_in_graph"),
    *("_compile_arguments", "_compiled_parts", "loss", "optimizer", "_sequential_outputs"),
}

#: Attributes that have other names in Keras 3.
_KERAS_NAMES = {("Bidirectional", "layer"): "forward_layer", ("TextVectorization", "_lookup"): "_lookup_layer"} | {
    ("GroupedQueryAttention", f"{name}_dense"): f"_{name}_dense" for name in ("query", "key", "value", "output")
}


@dataclass
class Entry:
    """An object with arrays, and the path of its group."""

    path: str
    owner: Any

    def __str__(self) -> str:
        name = getattr(self.owner, "path", None) or getattr(self.owner, "name", "")
        end = self.path if len(self.path) <= 120 else f"...{self.path[-117:]}"
        return f"{type(self.owner).__name__} {naming.short(name, 80)} ({end or 'the model itself'})"


def entries(model: Any, skipped: Any = ()) -> Iterator[Entry]:
    """Yield all objects with arrays in a model, parents first, each once, except for skipped ones.

    >>> import polykeras as keras
    >>> [entry.path for entry in entries(keras.Sequential([keras.layers.Dense(2), keras.layers.Dense(3)]))]
    ['', 'layers/dense', 'layers/dense_1']
    """
    # ``seen`` keeps what was visited alive, since the id of a freed list may be reused.
    seen = {id(item): item for item in skipped or ()}
    # No recursion, and no path before it is needed: a user's objects may form a chain of any length.
    pending: list[tuple[_Path, Any]] = [((), model)]
    while pending:
        path, item = pending.pop()
        if id(item) in seen:
            continue
        seen[id(item)] = item
        if isinstance(item, Trackable | SeedGenerator):
            yield Entry(_joined(path), item)
        pending += reversed([((path, name), child) for name, child in _children(item) if _may_hold(child)])


#: The path of the owner and a name in it; empty for the model itself.
_Path = tuple


def _joined(path: _Path) -> str:
    names = []
    while path:
        path, name = path
        names.append(name)
    return "/".join(reversed(names))


def _children(item: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(item, Trackable | SeedGenerator):
        return _attributes(item)
    if isinstance(item, _CONTAINERS):
        return _items(item)
    parts = tracking.engine_items(item)
    return _items(parts) if parts else iter(tracking.attributes(item).items())


_CONTAINERS = (list, tuple, dict, set, frozenset)


def _may_hold(item: Any) -> bool:
    if isinstance(item, (*_CONTAINERS, Trackable, SeedGenerator)):
        return True
    return tracking.is_holder(item) or bool(tracking.engine_items(item))


def _attributes(item: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(item, Layer):
        return
    is_model = hasattr(item, "_graph_plan")
    if getattr(item, "_graph_plan", None) is not None or hasattr(item, "_sequential_layers"):
        model: Any = item
        # Files list the layers of functional and sequential models under "layers", not under attribute names.
        yield "layers", model.layers
    skipped = item._untracked | (_PLAIN_OF_MODELS if is_model else _PLAIN)
    own = vars(item).copy()  # other threads may set attributes
    for name in sorted(own.keys() - skipped, key=lambda name: (name.startswith("_"), name)):
        yield _KERAS_NAMES.get((type(item).__name__, name), name), own[name]


def _items(container: Any) -> Iterator[tuple[str, Any]]:
    """Name the items of a list by class: layer names differ between instances of the same model."""
    counts: Counter = Counter()
    for item in tracking.contents(container):
        if _may_hold(item):
            kind = "container" if isinstance(item, _CONTAINERS) else naming.snake_case(type(item).__name__)
            yield (f"{kind}_{counts[kind]}" if counts[kind] else kind), item
            counts[kind] += 1


def save(model: Any, writer: NotingWriter, optimizer: Any = None, skipped: Any = ()) -> None:
    """Write the arrays of a model except for ``skipped`` layers, and of its optimizer, one by one.

    Raises:
        ValueError: if a weight of the model is not among them.
    """
    exempt: list[Variable] = [variable for item in skipped or () for variable in item.variables]
    for entry in entries(model, skipped):
        name = getattr(entry.owner, "name", None)
        entry.owner.save_own_variables(writer.group(f"{entry.path}/vars".lstrip("/"), name=name or ""))
        if isinstance(entry.owner, Trackable):
            _save_unmerged(entry, writer)
            is_own = type(entry.owner).save_own_variables is not Trackable.save_own_variables
            stored = {} if is_own else {id(variable): variable for variable in entry.owner._stored_variables()}
            exempt += [variable for variable in entry.owner._own_variables() if id(variable) not in stored]
    _check_complete(writer, model, model.weights, exempt)
    if optimizer is not None:
        optimizer.save_own_variables(writer.group("optimizer/vars", name=optimizer.name))
        if type(optimizer).save_own_variables is Optimizer.save_own_variables:
            _check_complete(writer, model, optimizer.variables, [])


#: The group next to ``vars`` with the parts of a weight that ``vars`` stores merged. Keras ignores it.
_UNMERGED = "unmerged"


def _save_unmerged(entry: Entry, writer: NotingWriter) -> None:
    parts = entry.owner._unmerged_variables()
    if parts:
        group = writer.group(f"{entry.path}/{_UNMERGED}".lstrip("/"))
        for number, variable in enumerate(parts):
            group[str(number)] = variable


def _load_unmerged(owner: Any, group: Any) -> None:
    """Restore the parts of a merged weight, if the file has them and they add up to it."""
    parts = owner._unmerged_variables() if isinstance(owner, Trackable) else []
    if not parts or group is None:
        return
    keys = [str(number) for number in range(len(parts))]
    if [group.shape(key) if key in group else None for key in keys] != [part.shape for part in parts]:
        return
    merged, before = owner._stored_variables()[0], [part.numpy() for part in parts]
    expected = np.asarray(merged, "float64")
    for part, key in zip(parts, keys, strict=True):
        part.assign(group[key])
    if not np.allclose(np.asarray(merged, "float64"), expected, rtol=1e-4, atol=1e-5):  # the file was edited since
        for part, value in zip(parts, before, strict=True):
            part.assign(value)


def _check_complete(writer: NotingWriter, model: Any, variables: list[Variable], exempt: list[Variable]) -> None:
    """Check that all variables were written, except for those of classes that save them in their own way."""
    others = {id(variable) for variable in exempt}
    writer.ledger.check_complete((v for v in variables if id(v) not in others), f"Model {model.name!r}")


def load(model: Any, reader: Any, skip_mismatch: bool = False, by_name: bool = False, skipped: Any = ()) -> None:
    """Read the arrays of a model; all shapes are compared before any array is read.

    Args:
        model: built model.
        reader: an open ``hdf5.Reader``.
        skip_mismatch: bool, whether to leave layers unchanged where something is missing or has another shape, with
            a warning.
        by_name: bool, whether to match layers by the names in the file; others are left unchanged.
        skipped: layers that are left unchanged, whatever the file contains.

    Raises:
        ValueError: if something does not match; the message names the layer and the shapes.
    """
    found, problems = [], []
    for entry, holder in _by_name(model, reader) if by_name else _in_order(model, reader, skipped):
        group = holder.group("vars") if holder is not None else None
        problem = _problem(entry, group)
        if problem:
            problems.append(problem)
        elif (group is not None and len(group)) or _reads_without_weights(entry.owner):
            found.append((entry, {} if group is None else group, holder))
    if problems and not skip_mismatch:
        hint = "load_weights(skip_mismatch=True) leaves such layers unchanged, by_name=True matches layers by name."
        raise ValueError(f"{joined(problems)}\n{hint}")
    for problem in problems:
        warnings.warn(f"Left unchanged: {problem}", stacklevel=3)
    for entry, group, holder in found:
        if isinstance(entry.owner, Trackable):
            entry.owner._prepare_for(group)
        _load_arrays(entry.owner, group)
        if holder is not None:
            _load_unmerged(entry.owner, holder.group(_UNMERGED))


def _in_order(model: Any, reader: Any, skipped: Any) -> Iterator[tuple[Entry, Any]]:
    """Yield the layers of a model and their nested objects, each with its group in the file, or None."""
    listed = _listed(model)
    moved = False
    for entry in entries(model, skipped):
        holder = _holder(reader, entry.path)
        if holder is None and id(entry.owner) in listed:
            holder = _holder(reader, listed[id(entry.owner)][1])
            moved = moved or (holder is not None and "container" in entry.path)
        yield entry, holder
    if moved:
        warnings.warn(
            f"Skipping nested containers of {model.name!r}: Expected the weights of layers at the attributes that "
            f"hold them. Received: a file of an older Keras 3; they were read from its list of all layers.",
            stacklevel=4,
        )


def _listed(model: Any) -> dict[int, tuple[Any, str]]:
    """Return a subclassed model's layers, even in nested lists, by id, with their paths in older files of Keras 3."""
    if not hasattr(model, "_graph_plan"):
        return {}
    layers = _items(model.layers)
    inside = ((f"layers/{name}", entry) for name, layer in layers for entry in entries(layer))
    return {id(entry.owner): (entry.owner, f"{path}/{entry.path}") for path, entry in inside}


def _reads_without_weights(owner: Any) -> bool:
    """Whether a class loads its state in its own way, and possibly without weights."""
    is_own = isinstance(owner, Trackable) and type(owner).load_own_variables is not Trackable.load_own_variables
    return is_own and isinstance(owner, Layer) and not owner._stored_variables()


def joined(problems: list[str]) -> str:
    """Return the first of several sentences, and how many more there are, for a message.

    >>> joined(["a"] * 3), joined(["a" * 300] * 3)[-10:]
    ('a\\na\\na', 'and 2 more')
    """
    lengths = itertools.accumulate(map(len, problems))
    count = max(1, sum(length <= 450 for length in lengths))
    more = [f"... and {len(problems) - count} more"] if count < len(problems) else []
    return "\n".join([*problems[:count], *more])


def _load_arrays(owner: Any, group: Any) -> None:
    """Give an owner its arrays. Nobody else holds them, so plain variables take them without a copy."""
    load = type(owner).load_own_variables
    if load is Trackable.load_own_variables:
        variables = owner._stored_variables()
    elif load is Optimizer.load_own_variables and len(group) == len(owner.variables):
        variables = owner.variables
    else:
        owner.load_own_variables(group)
        return
    for number, variable in enumerate(variables):
        variable.adopt(group[str(number)])


def _holder(reader: Any, path: str) -> Any:
    """Return the group at a path; attributes may be private in one library and public in the other."""
    group = reader
    for part in filter(None, path.split("/")):
        names = (part, f"_{part}", part.lstrip("_"))
        group = next((inner for name in names if (inner := group.group(name)) is not None), None)
        if group is None:
            return None
    return group


def _by_name(model: Any, reader: Any) -> list[tuple[Entry, Any]]:
    """Return the layers of a model, and their nested objects, with the file's groups for layers of the same name."""
    layers = reader.group("layers")
    inner = {key: layers.group(key) for key in layers or ()}
    named = {vars.attribute("name"): inner[key] for key in inner if (vars := inner[key].group("vars")) is not None}
    pairs: list = []
    for layer in model.layers:
        group = named.get(layer.name)
        if group is not None:
            pairs.extend((entry, _holder(group, entry.path)) for entry in entries(layer))
    return pairs


def _problem(entry: Entry, group: Any) -> str | None:
    """Return what prevents the arrays of a group from being loaded into a layer, or None."""
    owner = entry.owner
    if isinstance(owner, SeedGenerator):
        return None
    variables = owner._stored_variables() if isinstance(owner, Trackable) else owner._own_variables()
    if type(owner).load_own_variables is not Trackable.load_own_variables:
        return None if group is not None or not variables else f"{entry}: Expected arrays. Received: none in the file."
    if isinstance(owner, Layer) and not variables and group is not None and len(group) and not owner.built:
        return f"{entry}: Expected a built layer to load weights into. Received: one without weights. Call it on data."
    if not variables or (group is None and not isinstance(owner, Layer)):
        return None
    saved = {key: group.shape(key) for key in group if group.is_array(key)} if group is not None else {}
    is_tracked = isinstance(owner, Trackable) and group is not None
    wanted = owner._expected(group) if is_tracked else [(variable.name, variable.shape) for variable in variables]
    expected = {str(number): shape for number, (_, shape) in enumerate(wanted)}
    if {key: saved.get(key) for key in expected} == expected and len(saved) == len(expected):
        return None
    names = [name for name, _ in wanted]
    return (
        f"{entry}: Expected arrays {naming.listed(names, 60)} of shapes {naming.listed(expected.values(), 60)}. "
        f"Received: {len(saved)} of shapes {naming.listed(saved.values(), 60)}."
    )


def load_optimizer(model: Any, reader: Any) -> None:
    """Read the state of a compiled model's optimizer, if the file has it; warn if it does not match."""
    group = reader.group("optimizer/vars")
    optimizer = model.optimizer
    if group is None or not len(group) or optimizer is None:
        return
    if len(group) > len(optimizer.variables) and not optimizer.built:
        optimizer.build(model.trainable_variables)
    if type(optimizer).load_own_variables is Optimizer.load_own_variables:
        expected = [variable.shape for variable in optimizer.variables]
        saved = [group.shape(key) for key in sorted(group, key=int)]
        if expected != saved:
            warnings.warn(
                f"Left unchanged: optimizer {optimizer.name!r}: Expected {len(expected)} arrays of shapes "
                f"{naming.listed(expected)}. "
                f"Received: {len(saved)} of shapes {naming.listed(saved)}.",
                stacklevel=4,
            )
            return
    _load_arrays(optimizer, group)
