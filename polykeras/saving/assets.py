"""Files that layers store besides their arrays, such as vocabularies: members of an archive below ``assets/``."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from polykeras.core import naming
from polykeras.layers.layer import Layer
from polykeras.saving import weight_tree


def _keepers(model: Any, method: str) -> Iterator[weight_tree.Entry]:
    """Yield the layers of a model that override a method."""
    for entry in weight_tree.entries(model):
        if isinstance(entry.owner, Layer) and getattr(type(entry.owner), method) is not getattr(Layer, method):
            yield entry


@contextlib.contextmanager
def collected(model: Any) -> Iterator[dict[str, Path]]:
    """Context manager: the files that the layers of a model save, by their names in an archive."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for entry in _keepers(model, "save_assets"):
            inner = root / entry.path
            inner.mkdir(parents=True, exist_ok=True)
            entry.owner.save_assets(str(inner))
        yield {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*")) if path.is_file()}


def load(model: Any, source: Any) -> None:
    """Let the layers of a model load their files, each from a separate folder.

    Args:
        model: built model.
        source: has ``assets()``, the names, and ``copy_asset(name, path)``: an ``Archive``, or a checkpoint's reader.

    Raises:
        ValueError: for a name that leads out of the folder.
    """
    names = source.assets()
    strange = [name for name in names if PurePosixPath(name).is_absolute() or {"..", ""} & set(name.split("/"))]
    if strange:
        raise ValueError(
            f"Expected files with relative names. Received: {naming.listed(strange)}. The file is malicious."
        )
    for entry in _keepers(model, "load_assets"):
        prefix = f"{entry.path}/".lstrip("/")
        own = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
        if not own:
            continue
        with tempfile.TemporaryDirectory() as folder:
            for name in own:
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                source.copy_asset(prefix + name, path)
            entry.owner.load_assets(folder)
