"""Checkpoints of the orbax-checkpoint library: folders with the states of some steps."""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from polykeras.core.extras import require
from polykeras.saving import assets, weight_tree
from polykeras.saving.hdf5 import host_array
from polykeras.saving.ledger import Ledger
from polykeras.serialization import configs

_STATE, _CONFIG, _ASSETS = "pytree", "model_config", "assets"


def checkpoint_package() -> Any:
    """Return the module ``orbax.checkpoint``.

    Raises:
        ImportError: if it is not installed.
    """
    return require("orbax.checkpoint", "orbax", "Orbax checkpoints")


def save(manager: Any, step: int, model: Any, weights_only: bool = False) -> None:
    """Save a model as a step of a ``CheckpointManager``, replacing a step with the same number.

    Args:
        manager: the CheckpointManager; it may write in the background.
        step: int, the number of the step.
        model: model with a config, unless ``weights_only``.
        weights_only: bool, whether to omit the architecture, the optimizer, and files such as vocabularies.
    """
    checkpoint = checkpoint_package()
    with model._read_whole():
        items = _items(checkpoint, model, weights_only)
    if step in manager.all_steps():
        manager.delete(step)
    manager.save(step, args=checkpoint.args.Composite(**items), force=True)


def _items(checkpoint: Any, model: Any, weights_only: bool) -> dict:
    writer = _Writer()
    weight_tree.save(model, Ledger().noting(writer), None if weights_only else model.optimizer)
    items = {_STATE: checkpoint.args.StandardSave(writer.tree)}
    if weights_only:
        return items
    items[_CONFIG] = checkpoint.args.JsonSave(configs.describe(model))
    with assets.collected(model) as files:
        encoded = {name: base64.b64encode(path.read_bytes()).decode() for name, path in files.items()}
    if encoded:
        items[_ASSETS] = checkpoint.args.JsonSave(encoded)
    return items


@contextlib.contextmanager
def reading(path: str | os.PathLike, step: int | None = None) -> Iterator[Reader]:
    """Context manager: a Reader of a step in a folder, by default the latest.

    Raises:
        ValueError: if the folder contains no checkpoint.
    """
    checkpoint = checkpoint_package()
    with checkpoint.CheckpointManager(Path(path).absolute()) as manager:
        step = manager.latest_step() if step is None else step
        if step not in manager.all_steps():
            raise ValueError(f"Expected a folder with an Orbax checkpoint. Received: {str(path)!r} without one.")
        items = {_STATE: checkpoint.args.StandardRestore()}
        names = [name for name in (_CONFIG, _ASSETS) if Path(path, str(step), name).exists()]
        items |= {name: checkpoint.args.JsonRestore() for name in names}
        found = manager.restore(step, args=checkpoint.args.Composite(**items))
        yield Reader(found[_STATE], found.get(_CONFIG), found.get(_ASSETS))


class _Writer:
    """A tree of dicts that is filled group by group, as ``hdf5.Writer`` fills a file."""

    def __init__(self) -> None:
        self.tree: dict[str, Any] = {}

    def group(self, path: str, **attributes: Any) -> _WritableGroup:
        return _WritableGroup(self.tree, path.split("/"))


class _WritableGroup:
    """A write-only mapping of arrays; an empty group is not stored."""

    def __init__(self, tree: dict, path: list[str]) -> None:
        self._tree, self._path = tree, path

    def _values(self) -> dict:
        values = self._tree
        for part in self._path:
            values = values.setdefault(part, {})
        return values

    def __setitem__(self, key: str, value: Any) -> None:
        # A copy: it may be written while training continues.
        self._values()[key] = np.array(host_array(value))

    def __getitem__(self, key: str) -> np.ndarray:
        return self._values()[key]

    def keys(self) -> list[str]:
        return list(self._values())


class Reader:
    """A group of a checkpoint, read as ``hdf5.Reader`` reads a file.

    Args:
        tree: nested dicts of arrays.
        config: dict, the config of the model; None if only weights were saved.
        files: dict of contents in base64, by name.
    """

    def __init__(self, tree: dict, config: dict | None = None, files: dict[str, str] | None = None) -> None:
        self._tree = tree
        self.config = config
        self._files = files or {}

    def assets(self) -> list[str]:
        """Return the names of the files that layers store besides their arrays."""
        return list(self._files)

    def copy_asset(self, name: str, path: Path) -> None:
        """Copy one of these files to a path."""
        path.write_bytes(base64.b64decode(self._files[name]))

    def group(self, path: str) -> Reader | None:
        """Return the group at a relative path, or None."""
        values: Any = self._tree
        for part in path.strip("/").split("/"):
            values = values.get(part)
            if not isinstance(values, dict):
                return None
        return Reader(values)

    def shape(self, key: str) -> tuple[int, ...]:
        """Return the shape of an array."""
        return tuple(self._tree[key].shape)

    def dtype(self, key: str) -> str:
        """Return the name of the dtype of an array."""
        return np.dtype(self._tree[key].dtype).name

    def __getitem__(self, key: str) -> np.ndarray:
        return np.asarray(self._tree[key])

    def __contains__(self, key: str) -> bool:
        return key in self._tree

    def __iter__(self) -> Iterator[str]:
        return iter(self._tree)

    def __len__(self) -> int:
        return len(self._tree)

    def keys(self) -> list[str]:
        """Return the names of the groups and arrays in the group."""
        return list(self._tree)

    def is_array(self, key: str) -> bool:
        """Return whether a name is that of an array."""
        return key in self._tree and not isinstance(self._tree[key], dict)

    def attribute(self, name: str) -> None:
        """Return None: checkpoints have no attributes."""
