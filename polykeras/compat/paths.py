"""Paths of modules in older versions of Keras: where each is now, and the finder that resolves them.

>>> import polykeras.engine, polykeras.compat.keras2.engine
>>> polykeras.engine is polykeras.compat.keras2.engine
True
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType

_KERAS_2_UTILS = (
    *("conv_utils", "data_utils", "generic_utils", "io_utils", "layer_utils", "losses_utils"),
    *("metrics_utils", "multi_gpu_utils", "np_utils", "test_utils", "training_utils", "vis_utils"),
)

#: Home of a module or package by its path in older versions, with polykeras for keras. Modules
#: in a package are found in its home.
OLD_PATHS = {
    "polykeras.backend": "polykeras.compat.keras2.backend",
    "polykeras.backend.tensorflow_backend": "polykeras.compat.keras2.backend",
    "polykeras.callbacks.tensorboard_v1": "polykeras.callbacks.tensorboard",
    "polykeras.callbacks.tensorboard_v2": "polykeras.callbacks.tensorboard",
    "polykeras.engine": "polykeras.compat.keras2.engine",
    "polykeras.initializations": "polykeras.compat.keras1.initializations",
    "polykeras.layers.experimental": "polykeras.compat.keras2.experimental",
    "polykeras.legacy": "polykeras.compat.keras2.legacy",
    "polykeras.objectives": "polykeras.compat.keras1.objectives",
    "polykeras.optimizers.experimental": "polykeras.compat.keras2.optimizers",
    "polykeras.optimizers.legacy": "polykeras.compat.keras2.optimizers",
    "polykeras.utils.visualize_util": "polykeras.compat.keras2.utils.vis_utils",
    "polykeras.utils.legacy": "polykeras.compat.keras2.plain_configs",
    **{f"polykeras.utils.{name}": f"polykeras.compat.keras2.utils.{name}" for name in _KERAS_2_UTILS},
}


def home_of(path: str) -> str | None:
    """Return the full name of the module that an old path refers to; None for any other path.

    Args:
        path: str, full name of a module, such as ``"polykeras.engine.topology"``.

    >>> home_of("polykeras.engine.topology")
    'polykeras.compat.keras2.engine.topology'
    """
    package, rest = path, ""
    while package:
        if package in OLD_PATHS:
            return OLD_PATHS[package] + rest
        package, dot, name = package.rpartition(".")
        rest = f"{dot}{name}{rest}"
    return None


class OldPathFinder:
    """Finds the modules of ``import polykeras.engine`` and the other old paths."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return a spec for an old path, None for any other."""
        home = home_of(fullname) if fullname.startswith("polykeras.") else None
        if home is None or importlib.util.find_spec(home) is None:
            return None
        # Imported late: importlib.abc imports shutil, tempfile and more, which would slow every start by milliseconds.
        from polykeras.compat.loaders import AliasLoader

        return importlib.machinery.ModuleSpec(fullname, AliasLoader(home))


def install_old_paths() -> None:
    """Make the old paths importable in this process from now on."""
    if not any(isinstance(finder, OldPathFinder) for finder in sys.meta_path):
        sys.meta_path.append(OldPathFinder())
