"""Editing files of weights by hand, for example after a change of the architecture."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from polykeras.core import naming
from polykeras.saving import archive, files, hdf5, models, weight_tree

_VARS = "vars"


class KerasFileEditor:
    """Shows, edits and saves the arrays of a file of weights, or of a whole model.

    Objects are layers and their nested objects, given by paths such as ``"layers/dense_2"`` or, where the name is
    unique, ``"dense_2"``. The file itself is not changed.

    Args:
        filepath: a ``.keras``, ``.weights.h5``, ``.weights.json`` or ``.safetensors`` file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for an unknown suffix, or a damaged file.

    >>> import os, tempfile, polykeras as keras
    >>> folder = tempfile.mkdtemp()
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    >>> model.save_weights(os.path.join(folder, "old.weights.h5"))
    >>> editor = KerasFileEditor(os.path.join(folder, "old.weights.h5"))
    >>> editor.delete_weight("dense", "1")
    >>> editor.add_weights("dense", {"1": np.ones(2)})
    >>> editor.summary(print_fn=print)
    layers
      dense
        0: shape=(3, 2), dtype=float32
        1: shape=(2,), dtype=float64
    >>> editor.save(os.path.join(folder, "new.weights.h5"))
    """

    def __init__(self, filepath: str | os.PathLike) -> None:
        self.filepath = os.fspath(filepath)
        path = Path(filepath)
        suffix = models.suffix_of(path, (".keras", ".weights.h5", ".weights.json", ".safetensors"))
        if not path.exists():
            raise FileNotFoundError(f"Expected a file of weights. Received: {self.filepath!r}, where there is none.")
        self.metadata = self.config = None
        if suffix == ".keras":
            with archive.Archive(path) as opened:
                self.metadata, self.config = opened.metadata, opened.json(archive.CONFIG)
        #: Nested dicts of objects by name; arrays are the leaves.
        self.weights_dict: dict[str, Any] = {}
        self._names: dict[int, tuple[dict, str]] = {}  # includes the dicts, to keep their ids unique
        with models.reading(path) as reader:
            self._read(reader, self.weights_dict)

    def _read(self, reader: Any, into: dict) -> None:
        for key in reader:
            if key == _VARS and not reader.is_array(key):
                own = reader.group(key)
                into.update({name: own[name] for name in own})
                self._names[id(into)] = into, own.attribute("name") or ""
            elif reader.is_array(key):
                into[key] = reader[key]
            else:
                self._read(reader.group(key), into.setdefault(key, {}))
                if not into[key]:
                    self._names.pop(id(into[key]), None)
                    del into[key]

    # ------------------------------------------------------------------ looking

    def summary(self, print_fn: Callable[[str], None] | None = None) -> None:
        """Print the objects, and the shapes and dtypes of their arrays.

        Args:
            print_fn: function called with each line, in place of a drawn tree; default None.
        """
        if print_fn is not None:
            for depth, text in _lines(self.weights_dict):
                print_fn("  " * depth + text)
            return
        from rich.console import Console
        from rich.tree import Tree

        branches = [Tree(f"Weights of {os.path.basename(self.filepath)}")]
        for depth, text in _lines(self.weights_dict):
            del branches[depth + 1 :]
            branches.append(branches[depth].add(text))
        Console().print(branches[0])

    def compare(self, reference_model: Any) -> dict:
        """Compare the arrays with the weights of a model, and print the differences.

        Args:
            reference_model: built model.

        Returns:
            Dict of ``"status"``, "success" or "error"; ``"error_count"``; and ``"match_count"``.
        """
        expected = {
            f"{entry.path}/{number}".lstrip("/"): variable.shape
            for entry in weight_tree.entries(reference_model)
            if hasattr(entry.owner, "_stored_variables")
            for number, variable in enumerate(entry.owner._stored_variables())
        }
        saved = {path: array.shape for path, array in _arrays(self.weights_dict) if not path.startswith("optimizer/")}
        matches = sum(saved.get(path) == shape for path, shape in expected.items())
        for path in dict.fromkeys([*expected, *saved]):
            if expected.get(path) != saved.get(path):
                print(
                    f"{path}: Expected {expected.get(path, 'none')}. Received: {saved.get(path, 'none')} in the file."
                )
        errors = len({*expected, *saved}) - matches
        print(f"{matches} weights match the model's, {errors} don't.")
        return {"status": "error" if errors else "success", "error_count": errors, "match_count": matches}

    # ----------------------------------------------------------------- changing

    def rename_object(self, object_name: str, new_name: str) -> None:
        """Rename an object.

        Args:
            object_name: str, name or path.
            new_name: str, without a path.
        """
        if "/" in new_name:
            raise ValueError(f"Expected new_name to be a name without a path. Received: {new_name!r}.")
        parent, name = self._find(object_name)
        if new_name in parent:
            raise ValueError(f"Expected a new name that no other object has. Received: {new_name!r}.")
        parent[new_name] = parent.pop(name)

    def delete_object(self, object_name: str) -> None:
        """Remove an object, by its name or path.

        Args:
            object_name: str.
        """
        parent, name = self._find(object_name)
        del parent[name]

    def add_object(self, object_path: str, weights: dict[str, Any]) -> None:
        """Add an object.

        Args:
            object_path: str, full path such as ``"layers/dense_2"``; its parent must exist.
            weights: dict of arrays by name: ``{"0": kernel, "1": bias}``.
        """
        folder, _, name = object_path.strip("/").rpartition("/")
        parent: Any = self.weights_dict
        for part in filter(None, folder.split("/")):
            parent = parent.get(part)
            if not isinstance(parent, dict):
                raise ValueError(f"Expected the path of an object in the file. Received: {folder!r}.{self._hint()}")
        parent[name] = _as_arrays(weights)

    def delete_weight(self, object_name: str, weight_name: str) -> None:
        """Remove an array from an object.

        Args:
            object_name, weight_name: str.
        """
        found = self._object(object_name)
        if weight_name not in found:
            raise ValueError(
                f"Expected a weight of {object_name!r}, one of {naming.listed(sorted(found))}. Received: "
                f"{weight_name!r}."
            )
        del found[weight_name]

    def add_weights(self, object_name: str, weights: dict[str, Any]) -> None:
        """Add arrays to an object.

        Args:
            object_name: str, name or path.
            weights: dict from names to arrays.
        """
        self._object(object_name).update(_as_arrays(weights))

    def _object(self, name: str) -> dict:
        parent, last = self._find(name)
        return parent[last]

    def _find(self, name: str) -> tuple[dict, str]:
        """Return the dict that contains an object, and its key there."""
        name = name.strip("/")
        objects = list(_objects(self.weights_dict))
        found = [(parent, key) for path, parent, key in objects if name in (path, key if "/" not in name else path)]
        if len(found) != 1:
            problem = "more than one object has this name; pass a path" if found else "there is none"
            raise ValueError(
                f"Expected the name of an object in the file. Received: {name!r}; {problem}.{self._hint()}"
            )
        return found[0]

    def _hint(self) -> str:
        return f" Objects: {naming.listed(path for path, _, _ in _objects(self.weights_dict))}."

    # ------------------------------------------------------------------- saving

    def save(self, filepath: str | os.PathLike) -> None:
        """Write the arrays to a ``.weights.h5`` file.

        Raises:
            ValueError: for any other suffix.
        """
        models.suffix_of(Path(filepath), (".weights.h5",))
        with (
            files.replacing(filepath) as temporary,
            hdf5.writing(temporary, models.version()) as writer,
        ):
            self._write(writer, self.weights_dict, "")

    def resave_weights(self, filepath: str | os.PathLike) -> None:
        """Alias of ``save``."""
        self.save(filepath)

    def _write(self, writer: hdf5.Writer, found: dict, path: str) -> None:
        arrays = {key: value for key, value in found.items() if not isinstance(value, dict)}
        _, name = self._names.get(id(found), (found, ""))
        group = writer.group(f"{path}/{_VARS}".lstrip("/"), name=name)
        for key, value in arrays.items():
            group[key] = value
        for key in found.keys() - arrays.keys():
            self._write(writer, found[key], f"{path}/{key}".lstrip("/"))


def _as_arrays(weights: dict[str, Any]) -> dict[str, np.ndarray]:
    if not isinstance(weights, dict):
        raise ValueError(f"Expected weights as a dict from name to array. Received: {type(weights).__name__}.")
    return {str(key): hdf5.host_array(value) for key, value in weights.items()}


def _lines(found: dict, depth: int = 0) -> Iterator[tuple[int, str]]:
    for key in sorted(found, key=lambda key: (isinstance(found[key], dict), key)):
        value = found[key]
        if isinstance(value, dict):
            yield depth, key
            yield from _lines(value, depth + 1)
        else:
            yield depth, f"{key}: shape={value.shape}, dtype={value.dtype.name}"


def _objects(found: dict, path: str = "") -> Iterator[tuple[str, dict, str]]:
    """Yield all objects: path, the dict that contains it, its key there."""
    for key, value in found.items():
        if isinstance(value, dict):
            yield f"{path}{key}", found, key
            yield from _objects(value, f"{path}{key}/")


def _arrays(found: dict, path: str = "") -> Iterator[tuple[str, np.ndarray]]:
    for key, value in found.items():
        if isinstance(value, dict):
            yield from _arrays(value, f"{path}{key}/")
        else:
            yield f"{path}{key}", value
