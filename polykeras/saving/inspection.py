"""The contents of a model file, found without building anything or running any of its code."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from polykeras.core import dtypes, trees
from polykeras.models import op_configs
from polykeras.saving import archive, models
from polykeras.saving.files import limits
from polykeras.serialization import bytecode, registry

#: Classes that run or unpickle what a file contains or refers to.
_RISKY = {
    "TorchModuleWrapper": "holds a pickled torch module, which runs code when it is read",
    "TFSMLayer": "runs a SavedModel from a folder",
    "JaxLayer": "calls a function chosen by the file",
    "FlaxLayer": "calls a module chosen by the file",
}
_MEMBERS = (archive.CONFIG, archive.METADATA, archive.WEIGHTS)


@dataclass
class Array:
    """An array in a file."""

    path: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) * dtypes.numpy_dtype(self.dtype).itemsize


@dataclass
class LayerNote:
    """A layer, as the config describes it."""

    depth: int
    name: str
    kind: str
    settings: str
    inputs: str


@dataclass
class Report:
    """The contents of a file.

    Args:
        path: path of the file.
        kind: str, the kind of file.
        facts: dict of versions and the like, by name.
        layers, arrays: lists, in order.
        needs: classes and functions that are not built in, and must be registered before loading.
        dangers: list of sentences about what could do harm or is damaged.
    """

    path: Path
    kind: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    layers: list[LayerNote] = field(default_factory=list)
    arrays: list[Array] = field(default_factory=list)
    needs: list[str] = field(default_factory=list)
    dangers: list[str] = field(default_factory=list)


_KINDS = {
    ".keras": "whole model",
    ".weights.h5": "weights",
    ".weights.json": "index of weights over several files",
    ".safetensors": "weights",
    ".h5": "HDF5 file in the layout of Keras 2",
    ".json": "architecture",
}


def inspect(path: str | Path) -> Report:
    """Return the contents of a file of any format of ``polykeras.saving``.

    Args:
        path: of the file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for an unknown suffix.

    >>> import os, tempfile, polykeras as keras
    >>> path = os.path.join(tempfile.mkdtemp(), "model.keras")
    >>> keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(path)
    >>> [(array.path, array.shape) for array in inspect(path).arrays]
    [('layers/dense/vars/0', (3, 2)), ('layers/dense/vars/1', (2,))]
    """
    report = Report(Path(path))
    if not report.path.exists():
        raise FileNotFoundError(f"Expected a model file. Received: {str(path)!r}, where there is none.")
    suffix = models.suffix_of(report.path, tuple(_KINDS))
    report.kind = _KINDS[suffix]
    report.facts["size"] = f"{report.path.stat().st_size:,} bytes"
    if suffix == ".json":
        _read_config(report, _parse(report, report.path.read_bytes(), report.path.name))
        return report
    if suffix == ".keras":
        _read_archive(report)
    try:
        with models.reading(report.path) as reader:
            if suffix == ".h5":
                _read_attributes(report, reader)
            _read_arrays(report, reader)
    except ValueError as error:
        report.dangers.append(str(error))
    return report


def _parse(report: Report, text: bytes | str, name: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        report.dangers.append(f"{name} is not JSON: {error}.")
        return None


# ------------------------------------------------------------------- formats


def _read_archive(report: Report) -> None:
    """Read the JSON members of an archive, even of one that would be rejected."""
    try:
        with zipfile.ZipFile(report.path) as opened:
            members = {member.filename: member for member in opened.infolist()}
            texts = {}
            for name in (archive.METADATA, archive.CONFIG):
                if name in members and members[name].file_size <= limits.text:
                    texts[name] = _parse(report, opened.read(name), name)
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as error:
        report.dangers.append(f"The archive can't be read: {error}.")
        return
    metadata = texts.get(archive.METADATA)
    for key, value in metadata.items() if isinstance(metadata, dict) else ():
        if value is not None:
            report.facts[str(key).replace("_", " ")] = str(value)
    assets = [name for name in members if name.startswith(archive.ASSETS)]
    if assets:
        report.facts["assets"] = ", ".join(name.removeprefix(archive.ASSETS) for name in assets)
    others = sorted(set(members) - set(_MEMBERS) - set(assets))
    if others:
        report.facts["other members"] = ", ".join(others)
    _read_config(report, texts.get(archive.CONFIG))


def _read_attributes(report: Report, reader: Any) -> None:
    for name in ("keras_version", "backend", "polykeras_version"):
        if reader.attribute(name) is not None:
            report.facts[name.replace("_", " ")] = str(reader.attribute(name))
    for name in ("model_config", "training_config"):
        text = reader.attribute(name)
        if isinstance(text, str):
            config = _parse(report, text, name)
            _read_config(report, config if name == "model_config" else {"compile_config": config})


def _read_arrays(report: Report, reader: Any, path: str = "") -> None:
    for key in sorted(reader, key=_by_number):
        name = f"{path}/{key}".lstrip("/")
        try:
            if reader.is_array(key):
                report.arrays.append(Array(name, reader.shape(key), reader.dtype(key)))
            else:
                _read_arrays(report, reader.group(key), name)
        except ValueError as error:
            report.dangers.append(str(error))


def _by_number(key: str) -> tuple[int, str]:
    digits = key.split("_")[0]
    return int(digits) if digits.isdecimal() else -1, key


# ------------------------------------------------------------------- configs


def _read_config(report: Report, config: Any) -> None:
    if not isinstance(config, dict):
        return
    if isinstance(config.get("class_name"), str):
        report.facts["model"] = f"{config['class_name']} {_name(config)!r}"
        report.layers.extend(_layers(config, 0))
    for part in _find(config):
        danger = _danger(part)
        if danger:
            report.dangers.append(danger)
        elif not _is_built_in(part):
            report.needs.append(_label(part))
    report.needs = sorted(set(report.needs))
    compiled = config.get("compile_config")
    if isinstance(compiled, dict):
        for key in ("optimizer", "optimizer_config", "loss", "metrics"):
            if compiled.get(key):
                report.facts[key.removesuffix("_config")] = _brief(compiled[key])


def _name(described: dict) -> str:
    inner = described.get("config")
    return str(inner.get("name", "")) if isinstance(inner, dict) else ""


def _layers(described: dict, depth: int) -> Iterator[LayerNote]:
    inner = described.get("config")
    layers = inner.get("layers") if isinstance(inner, dict) else inner
    for layer in layers if isinstance(layers, list) else ():
        if isinstance(layer, dict):
            inputs = dict.fromkeys(_histories(layer.get("inbound_nodes")))
            name = layer.get("name") or _name(layer)
            yield LayerNote(depth, str(name), str(layer.get("class_name")), _settings(layer), ", ".join(inputs))
            yield from _layers(layer, depth + 1)


def _settings(layer: dict) -> str:
    """Return the plain arguments that distinguish layers of the same class."""
    inner = layer.get("config")
    skipped = ("name", "trainable", "dtype", "layers", "input_layers", "output_layers", "build_input_shape")
    shown = [
        f"{key}={_brief(value)}"
        for key, value in (inner.items() if isinstance(inner, dict) else ())
        if key not in skipped and not key.endswith("_initializer") and value not in (None, False, True)
    ]
    return ", ".join(text for text in shown if len(text) < 60)


def _brief(value: Any) -> str:
    if isinstance(value, dict):
        name = value.get("config") if value.get("class_name") == "function" else value.get("class_name")
        return str(name) if isinstance(name, str) else "..."
    if isinstance(value, list):
        return f"[{', '.join(map(_brief, value))}]"
    return str(value)


def _histories(call: Any) -> Iterator[str]:
    """Yield the names of the layers whose outputs a layer is called on, in the layouts of Keras 3 and 2."""
    if isinstance(call, dict):
        inner = call.get("config")
        if call.get("class_name") == "__keras_tensor__" and isinstance(inner, dict):
            yield str(inner.get("keras_history", [""])[0])
        else:
            for value in call.values():
                yield from _histories(value)
    elif isinstance(call, list):
        if len(call) in (3, 4) and isinstance(call[0], str) and isinstance(call[1], int):
            yield call[0]
        else:
            for value in call:
                yield from _histories(value)


def _find(value: Any) -> Iterator[dict]:
    """Yield all descriptions of objects nested in one."""
    if isinstance(value, dict) and isinstance(value.get("class_name"), str):
        yield value
    for part in trees.children(value):
        yield from _find(part)


def _label(described: dict) -> str:
    name, module = described["class_name"], described.get("module")
    if name == "function":
        name = str(described.get("config"))
    registered = described.get("registered_name")
    if registered not in (None, name, "function"):
        return f"{registered} ({module})"
    return f"{name} ({module})" if module else str(name)


def _danger(described: dict) -> str | None:
    """Return what is unsafe about an object described by a config."""
    name, inner = described["class_name"], described.get("config")
    where = f"{name} {_name(described)!r}" if _name(described) else name
    if bytecode.holds_code(described):
        return "A lambda is stored as Python bytecode, which could do anything."
    if isinstance(inner, dict) and name == "Lambda" and isinstance(inner.get("function"), list):
        return f"{where} holds Python bytecode, which could do anything."
    if name in _RISKY:
        return f"{where} {_RISKY[name]}."
    if isinstance(inner, dict) and isinstance(inner.get("vocabulary"), str):
        return f"{where} would read the file {inner['vocabulary']!r}."
    module = str(described.get("module") or "").split(".")[0]
    if module in sys.stdlib_module_names - {"builtins", "__main__"} and not _is_built_in(described):
        return f"{_label(described)} names a part of Python that no model needs."
    return None


def _is_built_in(described: dict) -> bool:
    name = described["class_name"]
    if name.startswith("__") or op_configs.is_operation(described):
        return True
    if name == "function":
        name = described.get("config")
    return any(name in members for members in registry.families.values())
