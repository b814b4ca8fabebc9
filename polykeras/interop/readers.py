"""Reading models of other libraries: their parts with weights, and what each part computes for an input.

A torch module, a Flax module (linen, with its variables, or nnx), a tf.Module, a model of Keras 3 and a file of
weights all become a ``ForeignModel``. They are not changed.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from polykeras import backends
from polykeras.interop.foreign_layer import framework_of


@dataclass
class Part:
    """A part of a model that has weights of its own.

    Attributes:
        path: str, its name in the library, such as ``"encoder.0.attention"``.
        kind: str, the name of its class; "" if a file does not tell.
        weights: dict of arrays by their names in the part.
        settings: dict of further numbers that matter: ``epsilon``, ``momentum``.
        inputs, output: those of its first call in a run; () and None before one.
        outputs: list of the outputs of all its calls.
    """

    path: str
    kind: str
    weights: dict[str, np.ndarray]
    settings: dict[str, float] = field(default_factory=dict)
    inputs: tuple = ()
    output: np.ndarray | None = None
    outputs: list[np.ndarray] = field(default_factory=list)

    def full_name(self, name: str, separator: str = ".") -> str:
        """Return the name of a weight in the whole model."""
        return f"{self.path}{separator}{name}" if self.path else name


@dataclass
class ForeignModel:
    """A model of another library.

    Attributes:
        framework: ``"torch"``, ``"jax"``, ``"tensorflow"``, ``"keras"`` or ``"file"``.
        parts: list, in the order of their calls after a run, before that in the order of their definition.
        channels_first: whether channels precede the spatial axes of images.
        outputs: outputs of the run.
        seen: all arrays that entered or left a part, or a module around or between parts, in the run.
    """

    framework: str
    parts: list[Part]
    channels_first: bool = False
    outputs: list[np.ndarray] = field(default_factory=list)
    seen: list[np.ndarray] = field(default_factory=list, repr=False)
    _run: Callable | None = field(default=None, repr=False)

    def run(self, *inputs: Any) -> None:
        """Call the model in inference mode on NumPy arrays, and keep the inputs and outputs of each part.

        Raises:
            ValueError: for a file, which can't be called.
        """
        if self._run is None:
            raise ValueError("Expected a model that can be called on x. Received: a file of weights. Omit x.")
        calls, self.outputs = self._run(*inputs)
        order: dict[str, int] = {}
        self.seen = [a for _, given, output in calls for a in (*given, output) if isinstance(a, np.ndarray)]
        for path, given, output in calls:
            order.setdefault(path, len(order))
            for part in self.parts:
                if part.path == path and output is not None:
                    if part.output is None:
                        part.inputs, part.output = given, output
                    part.outputs.append(output)
        last = len(order)
        self.parts.sort(key=lambda part: min((order[p] for p in _around(part.path) if p in order), default=last))


def _around(path: str) -> list[str]:
    """Return a path and the paths of everything that contains it."""
    pieces = path.split(".")
    return [".".join(pieces[:n]) for n in range(len(pieces), 0, -1)]


def is_foreign(x: Any) -> bool:
    """True for a model of another library, a Flax module with its variables, or the path of a file."""
    if isinstance(x, str | Path):
        return True
    if isinstance(x, tuple) and len(x) == 2 and isinstance(x[1], dict):
        return framework_of(x[0]) == "flax"
    return framework_of(x) is not None and backends.owner(x) is None


#: Names of arguments that select a module's mode, and their value for training.
_MODES = {"train": True, "training": True, "is_training": True, "deterministic": False}


def read(model: Any) -> ForeignModel:
    """Return the parts of a model of another library.

    Args:
        model: a ``torch.nn.Module``, a pair of a ``flax.linen.Module`` and its variables, an ``nnx.Module``, a
            ``tf.Module``, a model of Keras 3, or the path of a ``.safetensors``, ``.h5`` or ``.keras`` file.

    Raises:
        ValueError: for anything else.
    """
    readers: dict[str, Callable[[Any], ForeignModel]] = {
        "file": _read_file,
        "linen": _read_linen,
        "torch": _read_torch,
        "flax": _read_nnx,
        "keras": _read_keras,
        "tensorflow": _read_tensorflow,
    }
    return readers[kind_of(model)](model)


def kind_of(model: Any) -> str:
    """Return ``"torch"``, ``"linen"``, ``"flax"`` for nnx, ``"tensorflow"``, ``"keras"`` or ``"file"``.

    Args:
        model: as for ``read``.

    Raises:
        ValueError: for anything else.
    """
    if isinstance(model, str | Path):
        return "file"
    if isinstance(model, tuple):
        return "linen"
    if hasattr(model, "get_config") and hasattr(model, "trainable_weights"):
        return "keras"  # its layers are also modules of its engine
    framework = framework_of(model)
    if framework not in ("torch", "flax", "tensorflow"):
        raise ValueError(
            f"Expected a torch.nn.Module, (flax.linen.Module, variables), an nnx.Module, a tf.Module, a model of Keras "
            f"or the path of a file. Received: {type(model).__name__}."
        )
    return framework


def mode_argument(call: Callable, training: bool, given: int) -> dict[str, bool]:
    """Return the argument that switches a call of flax or TensorFlow to training or inference; {} if there is none.

    Args:
        call: ``__call__`` of a module.
        training: bool, whether to train.
        given: int, the number of positional arguments, which may already include it.

    >>> mode_argument(lambda x, train: x, True, 1), mode_argument(lambda x, *, deterministic: x, True, 1)
    ({'train': True}, {'deterministic': False})
    """
    try:
        parameters = list(inspect.signature(call).parameters.values())
    except (TypeError, ValueError):  # no signature: written in C
        return {}
    for index, parameter in enumerate(parameters):
        if parameter.name in _MODES and (index >= given or parameter.kind is parameter.KEYWORD_ONLY):
            return {parameter.name: _MODES[parameter.name] is training}
    return {}


def to_numpy(x: Any) -> Any:
    """Return an array of any library as NumPy's; anything else unchanged."""
    owner = backends.owner(x)
    if owner is None:
        return x.numpy() if framework_of(x) == "tensorflow" and hasattr(x, "numpy") else x  # a tf.Variable
    x = x.detach() if hasattr(x, "detach") else x
    return np.array(owner.to_numpy(x))


def _arrays(values: Any) -> tuple:
    return tuple(to_numpy(x) for x in values if _is_value(x))


def _is_value(x: Any) -> bool:
    """True for an array of a library that is not being traced."""
    owner = backends.owner(x)
    return owner is not None and owner.is_value(x)


def _first(x: Any) -> Any:
    while isinstance(x, list | tuple):
        x = x[0]
    return x


@contextlib.contextmanager
def _noting(modules: dict[int, str], classes: Iterator[type]) -> Iterator[list]:
    """Yield a list that collects (path, inputs, output) of the calls of modules, given by identity."""
    calls: list = []
    owners = {next(c for c in cls.__mro__ if "__call__" in vars(c)) for cls in classes}

    def watched(plain: Callable) -> Callable:
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            result = plain(self, *args, **kwargs)
            output = _first(result)
            if id(self) in modules and _is_value(output):
                calls.append((modules[id(self)], _arrays(args), to_numpy(output)))
            return result

        return call

    before: dict[Any, Callable] = {owner: vars(owner)["__call__"] for owner in owners}
    for owner, plain in before.items():
        owner.__call__ = watched(plain)
    try:
        yield calls
    finally:
        for owner, plain in before.items():
            owner.__call__ = plain


def _settings(module: Any, complement: bool = False) -> dict[str, float]:
    """Return epsilon and momentum, the latter as the fraction of an average that is kept."""
    found = {}
    for name in ("eps", "epsilon", "variance_epsilon"):
        if isinstance(getattr(module, name, None), float):
            found["epsilon"] = getattr(module, name)
    momentum = getattr(module, "momentum", None)
    if isinstance(momentum, float):
        found["momentum"] = 1 - momentum if complement else momentum
    return found


# ----------------------------------------------------------------------- torch


def torch_parts(module: Any, array_of: Callable = to_numpy) -> list[Part]:
    """Return the parts of a torch module.

    Args:
        module: a ``torch.nn.Module``.
        array_of: function from a parameter or buffer to a NumPy array; default its value.
    """
    import torch

    parts: list[Part] = []
    skipped: set[str] = set()
    for path, inner in module.named_modules():
        own = {name: array_of(p) for name, p in inner.named_parameters(recurse=False)}
        own |= {n: array_of(b) for n, b in inner.named_buffers(recurse=False) if n != "num_batches_tracked"}
        kind = type(inner).__name__
        if isinstance(inner, torch.nn.MultiheadAttention):
            skipped.add(f"{path}.out_proj")
            parts += _torch_attention(path, inner, array_of)
        elif isinstance(inner, torch.nn.RNNBase):
            parts += _torch_recurrent(path, kind, own)
        elif own and path not in skipped:
            parts.append(Part(path, kind, own, _settings(inner, complement=True)))
    return parts


def _read_torch(module: Any) -> ForeignModel:
    import torch

    parts = torch_parts(module)
    channels_first = any(part.kind.startswith(("Conv", "BatchNorm2d", "BatchNorm3d")) for part in parts)
    modules = {id(inner): path for path, inner in module.named_modules()}

    def run(*inputs: Any) -> tuple:
        was_training = {inner: inner.training for inner in module.modules()}
        was_fast = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)  # it bypasses the inner modules
        module.eval()
        arguments = [torch.from_numpy(np.array(x)) if isinstance(x, np.ndarray) else x for x in inputs]
        try:
            with torch.no_grad(), _noting(modules, iter([type(module)])) as calls:
                result = module(*arguments)
        finally:
            torch.backends.mha.set_fastpath_enabled(was_fast)
            for inner, training in was_training.items():
                inner.training = training
        return calls, _flat(result)

    return ForeignModel("torch", parts, channels_first, _run=run)


def _torch_attention(path: str, inner: Any, array_of: Callable) -> list[Part]:
    """Return the four projections of torch's attention, the first three of which share a matrix."""
    size = inner.embed_dim
    if inner.in_proj_weight is not None:
        matrices = np.split(array_of(inner.in_proj_weight), 3)
    else:
        matrices = [array_of(getattr(inner, f"{name}_proj_weight")) for name in ("q", "k", "v")]
    biases = [None] * 3 if inner.in_proj_bias is None else np.split(array_of(inner.in_proj_bias), [size, 2 * size])
    parts = []
    for name, weight, bias in zip(("query", "key", "value"), matrices, biases, strict=True):
        weights = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
        parts.append(Part(f"{path}.in_proj.{name}", "Linear", weights))
    output = {name: array_of(p) for name, p in inner.out_proj.named_parameters(recurse=False)}
    return [*parts, Part(f"{path}.out_proj", "Linear", output)]


def _torch_recurrent(path: str, kind: str, own: dict) -> list[Part]:
    """Return a part for each layer and direction of torch's recurrent modules."""
    parts: dict[str, Part] = {}
    for name, value in own.items():
        stem, _, number = name.rpartition("_l")
        part = parts.setdefault(number, Part(f"{path}.l{number}".lstrip("."), kind, {}))
        part.weights[stem] = value
    return list(parts.values())


# ------------------------------------------------------------------------ flax


def _nested(tree: Any, path: str = "") -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield (path of the part, name of the weight, value) from nested dicts."""
    for name, value in tree.items():
        if hasattr(value, "items"):
            yield from _nested(value, f"{path}.{name}".lstrip("."))
        else:
            yield path, name, np.asarray(value)


_GATES = {
    "LSTM": (("ii", "if", "ig", "io"), ("hi", "hf", "hg", "ho")),
    "GRU": (("iz", "ir", "in"), ("hz", "hr", "hn")),
}


def _grouped(weights: Iterator[tuple[str, str, np.ndarray]], kinds: dict[str, str], settings: dict) -> list[Part]:
    """Return parts of weights with their paths; the gates of a recurrent cell become one part."""
    parts: dict[str, Part] = {}
    for path, name, value in weights:
        parts.setdefault(path, Part(path, kinds.get(path, ""), {}, settings.get(path, {}))).weights[name] = value
    return _joined_gates(parts)


def _joined_gates(parts: dict[str, Part]) -> list[Part]:
    result: dict[str, Part] = {}
    for path, part in parts.items():
        cell, _, gate = path.rpartition(".")
        names = {p.rpartition(".")[2].rstrip("_") for p in parts if p.rpartition(".")[0] == cell}
        kind = next((k for k, (first, second) in _GATES.items() if {*first, *second} <= names), None)
        if kind is None:
            result[path] = part
            continue
        whole = result.setdefault(cell, Part(cell, f"Flax{kind}", {}))
        whole.weights |= {f"{gate.rstrip('_')}.{name}": value for name, value in part.weights.items()}
    return list(result.values())


def linen_parts(variables: dict, kinds: dict[str, str] | None = None, settings: dict | None = None) -> list[Part]:
    """Return the parts of a linen module, or of the gradients of its parameters.

    Args:
        variables: the module's variables, by collection.
        kinds, settings: dicts of class names, and of settings, by path; default None.
    """
    merged: list = []
    for collection in variables.values():
        merged += list(_nested(collection))
    return _grouped(iter(merged), kinds or {}, settings or {})


def _read_linen(pair: tuple) -> ForeignModel:
    import flax.linen as nn

    module, variables = pair

    kinds: dict[str, str] = {}
    settings: dict[str, dict] = {}

    def run(*inputs: Any) -> tuple:
        calls: list = []

        def note(method: Callable, args: tuple, kwargs: dict, where: Any) -> Any:
            result = method(*args, **kwargs)
            path, output = ".".join(map(str, where.module.path)), _first(result)
            kinds[path], settings[path] = type(where.module).__name__, _settings(where.module)
            if where.method_name == "__call__" and backends.owner(output) is not None:
                # For a traced call, such as one inside a loop, only its place in the order is known.
                is_value = _is_value(output)
                calls.append((path, _arrays(args) if is_value else (), to_numpy(output) if is_value else None))
            return result

        with nn.intercept_methods(note):
            result = module.apply(variables, *inputs, **mode_argument(module.__call__, False, len(inputs)))
        for part in parts:
            part.kind = part.kind or kinds.get(part.path, "")
            part.settings = part.settings or settings.get(part.path, {})
        return calls, _flat(result)

    parts = linen_parts(variables, kinds, settings)
    return ForeignModel("jax", parts, _run=run)


def nnx_parts(module: Any) -> list[Part]:
    """Return the parts of an nnx module."""
    from flax import nnx

    weights, kinds, settings = [], {}, {}
    for path, value in nnx.iter_graph(module):
        if isinstance(value, nnx.Module):
            whole = ".".join(map(str, path))
            kinds[whole], settings[whole] = type(value).__name__, _settings(value)
        elif isinstance(value, nnx.Param | nnx.BatchStat):
            weights.append((".".join(map(str, path[:-1])), str(path[-1]), np.asarray(value.get_value())))
    return _grouped(iter(weights), kinds, settings)


def _read_nnx(module: Any) -> ForeignModel:
    from flax import nnx

    view = nnx.merge(*nnx.split(module))  # a copy whose mode may be changed
    inner = [(".".join(map(str, path)), m) for path, m in nnx.iter_graph(view) if isinstance(m, nnx.Module)]
    modules = {id(m): path for path, m in inner}
    callable_classes = [type(m) for _, m in inner if any("__call__" in vars(base) for base in type(m).__mro__)]

    def run(*inputs: Any) -> tuple:
        with contextlib.suppress(AttributeError):
            view.eval()
        with _noting(modules, iter(callable_classes)) as calls:
            result = view(*inputs)
        return calls, _flat(result)

    return ForeignModel("jax", nnx_parts(view), _run=run)


# ------------------------------------------------------------ tensorflow, keras


def tensorflow_parts(module: Any, array_of: Callable = to_numpy) -> list[Part]:
    """Return the parts of a ``tf.Module``; arguments as for ``torch_parts``."""
    import tensorflow as tf

    parts = []
    for inner in (module, *module.submodules):
        own = {name: array_of(value) for name, value in vars(inner).copy().items() if isinstance(value, tf.Variable)}
        if own:
            parts.append(Part(_path_in(module, inner), type(inner).__name__, own, _settings(inner)))
    return parts


def _read_tensorflow(module: Any) -> ForeignModel:
    import tensorflow as tf

    modules = {id(inner): _path_in(module, inner) for inner in (module, *module.submodules)}
    classes = [type(inner) for inner in (module, *module.submodules) if callable(inner)]

    def run(*inputs: Any) -> tuple:
        with _noting(modules, iter(classes)) as calls:
            arguments = [tf.constant(x) if isinstance(x, np.ndarray) else x for x in inputs]
            result = module(*arguments, **mode_argument(module.__call__, False, len(inputs)))
        return calls, _flat(result)

    return ForeignModel("tensorflow", tensorflow_parts(module), _run=run)


def _path_in(module: Any, wanted: Any) -> str:
    """Return the attributes that lead from a tf.Module to a nested one."""
    pending: list[tuple[str, Any]] = [("", module)]
    seen: dict[int, Any] = {}
    while pending:
        path, thing = pending.pop(0)
        if thing is wanted:
            return path
        if id(thing) in seen:
            continue
        seen[id(thing)] = thing
        items: Any = ()
        if isinstance(thing, list | tuple):
            items = enumerate(thing)
        elif isinstance(thing, dict):
            items = thing.items()
        elif hasattr(thing, "submodules"):
            items = [(k, v) for k, v in vars(thing).copy().items() if not k.startswith("_self_")]
        pending += [(f"{path}.{name}".lstrip("."), value) for name, value in items]
    return type(wanted).__name__


def keras_parts(model: Any, array_of: Callable = to_numpy) -> list[Part]:
    """Return the parts of a model of Keras 3; ``array_of`` receives the values of its variables."""
    parts = []
    for layer in model._flatten_layers():
        variables = (*layer._trainable_variables, *layer._non_trainable_variables)
        own = {variable.name: array_of(variable.value) for variable in variables}
        if own:
            parts.append(Part(layer.path, type(layer).__name__, own, _settings(layer)))
    return parts


def _read_keras(model: Any) -> ForeignModel:
    layers = {id(layer): layer.path for layer in model._flatten_layers()}

    def run(*inputs: Any) -> tuple:
        with _noting(layers, iter([type(layer) for layer in model._flatten_layers()])) as calls:
            result = model(*inputs, training=False)
        return calls, _flat(result)

    return ForeignModel("keras", keras_parts(model), _run=run)


def arrays_in(result: Any) -> list[Any]:
    """Return the arrays in nested lists, tuples and dicts."""
    if isinstance(result, dict):
        result = list(result.values())
    if isinstance(result, list | tuple):
        return [x for item in result for x in arrays_in(item)]
    return [result] if backends.owner(result) is not None else []


def _flat(result: Any) -> list[np.ndarray]:
    return [to_numpy(x) for x in arrays_in(result)]


# ----------------------------------------------------------------------- files


def _read_file(path: str | Path) -> ForeignModel:
    path = Path(path)
    if path.suffix == ".safetensors":
        from safetensors.numpy import load_file

        named = load_file(path)
    else:
        named = _arrays_of_h5(path)
    separator = "/" if any("/" in name for name in named) else "."
    weights = []
    for name, value in named.items():
        path, _, last = name.rpartition(separator)
        if last != "num_batches_tracked":
            weights.append((path.removesuffix("/vars").replace("/", "."), last, np.asarray(value)))
    return ForeignModel("file", _grouped(iter(weights), {}, {}))


def _arrays_of_h5(path: Path) -> dict[str, np.ndarray]:
    """Return all arrays of layers in an HDF5 file, or in the one inside a .keras archive."""
    import io
    import zipfile

    import h5py

    source: Any = path
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            source = io.BytesIO(archive.read("model.weights.h5"))
    found: dict[str, np.ndarray] = {}

    def note(name: str, item: Any) -> None:
        is_state = name.startswith(("optimizer", "metrics")) or "seed_generator" in name
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiu" and not is_state:
            found[name] = np.array(item)

    with h5py.File(source, "r") as file:
        file.visititems(note)
    return found
