"""Files that layers keep beside their arrays, such as vocabularies: members of an archive below ``assets/``."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from polykeras.layers.layer import Layer
from polykeras.saving import state
from polykeras.saving.archive import Archive


def _keepers(model: Any, method: str) -> Iterator[state.Place]:
    """The layers of a model that define a method themselves."""
    for place in state.places(model):
        if isinstance(place.owner, Layer) and getattr(type(place.owner), method) is not getattr(Layer, method):
            yield place


@contextlib.contextmanager
def collected(model: Any) -> Iterator[dict[str, Path]]:
    """Context manager: the files that the layers of a model save, by their names in an archive."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for place in _keepers(model, "save_assets"):
            inner = root / place.path
            inner.mkdir(parents=True, exist_ok=True)
            place.owner.save_assets(str(inner))
        yield {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*")) if path.is_file()}


def load(model: Any, archive: Archive) -> None:
    """Let the layers of a model load their files: each finds them in a folder of its own."""
    names = archive.assets()
    for place in _keepers(model, "load_assets"):
        prefix = f"{place.path}/".lstrip("/")
        own = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
        if not own:
            continue
        with tempfile.TemporaryDirectory() as folder:
            for name in own:
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                archive.copy_asset(prefix + name, path)
            place.owner.load_assets(folder)
