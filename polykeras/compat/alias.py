"""``import keras``, ``tensorflow.keras``, ``tf_keras`` and their modules as polykeras, for a process that requests it.

A program requests it in one of three ways: ``polykeras.install_as_keras()``, ``python -m polykeras run``, or
``POLYKERAS_AS_KERAS=1`` in the environment, which a file in the installed package checks when Python starts.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import sys
import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from polykeras.compat.keras3.paths import homes_of
from polykeras.compat.loaders import AliasLoader, FacadeLoader

#: The version of Keras whose API polykeras implements.
KERAS_VERSION = "3.15.1"

#: Other root names of the same modules, longest first.
_ROOTS = (
    "keras._tf_keras.keras",
    "keras.api._v1.keras",
    "keras.api._v2.keras",
    "keras.api",
    "tensorflow.python.keras",
    "tensorflow.keras",
    "tf_keras.api._v1.keras",
    "tf_keras.api._v2.keras",
    "tf_keras.api",
    "tf_keras",
    "keras",
)
_TENSORFLOW = "tensorflow"
_EMPTY = ("keras._tf_keras", "keras.api._v1", "keras.api._v2", "tf_keras.api._v1", "tf_keras.api._v2")


class Facade(ModuleType):
    """A module whose names are looked up in others; the first that has one provides it.

    Args:
        name: str, its full name.
        homes: list of the modules to search, or their full names.
        **names: attributes of its own, which take precedence.
    """

    def __init__(self, name: str, homes: Sequence[str | ModuleType], **names: Any) -> None:
        super().__init__(name)
        self.__path__: list[str] = []
        self._homes = tuple(homes)
        self.__doc__ = self._modules()[0].__doc__ if homes else None
        self.__dict__.update(names)

    def _modules(self) -> list[ModuleType]:
        return [importlib.import_module(home) if isinstance(home, str) else home for home in self._homes]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value = self._find(name)
        setattr(self, name, value)
        return value

    def _find(self, name: str) -> Any:
        inner = f"{self.__name__}.{name}"
        if _exists(inner):
            return importlib.import_module(inner)
        for module in self._modules():
            if hasattr(module, name):
                return getattr(module, name)
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return sorted({*vars(self), *(name for module in self._modules()[:1] for name in dir(module))})


class TensorFlowLoader(importlib.abc.Loader):
    """Imports TensorFlow, whose own copy of an old Keras is then replaced by polykeras.

    Args:
        loader: TensorFlow's own loader.
    """

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """Return the module created by TensorFlow's own loader."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, and show polykeras where it shows Keras."""
        self._loader.exec_module(module)
        _show_in_tensorflow(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


class KerasFinder(importlib.abc.MetaPathFinder):
    """Finds polykeras when ``keras`` or one of its modules is imported."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return a spec of a module of Keras, None for any other."""
        if fullname == _TENSORFLOW:
            return _tensorflow_spec()
        name = _below_keras(fullname)
        if name is None or fullname.startswith("tensorflow.python.") and not _is_imported(_TENSORFLOW):
            return None
        loader = _loader(fullname, name)
        if loader is None:
            return None
        return importlib.machinery.ModuleSpec(
            fullname, loader, origin=sys.modules["polykeras"].__file__, is_package=True
        )

    def find_distributions(self, context: Any = None) -> list[importlib.metadata.Distribution]:
        """Return the result of ``importlib.metadata.version("keras")``."""
        return [KerasDistribution()] if context is not None and context.name == "keras" else []


class KerasDistribution(importlib.metadata.Distribution):
    """The distribution from which packages read the version of Keras."""

    def read_text(self, filename: str) -> str | None:
        """Return its name and version, and no other file."""
        return f"Name: keras\nVersion: {KERAS_VERSION}\n" if filename == "METADATA" else None

    def locate_file(self, path: Any) -> Any:
        """Return the path; the distribution has no files."""
        return path


def install_as_keras() -> None:
    """Make ``import keras``, ``tf.keras``, ``tf_keras`` and ``keras.src`` mean polykeras in this process from now on.

    An installed Keras is not affected in other processes. If this process has imported it already, whatever was taken
    from it remains usable, and new imports return polykeras: so call this before them.

    >>> import subprocess, sys
    >>> program = "import polykeras; polykeras.install_as_keras(); import keras; print(keras.layers.Dense.__module__)"
    >>> print(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout.strip())
    polykeras.layers.dense
    """
    if any(isinstance(finder, KerasFinder) for finder in sys.meta_path):
        return
    if _is_imported("keras") and not _is_imported(_TENSORFLOW):  # TensorFlow itself imports keras
        warnings.warn("Expected install_as_keras() before `import keras`. Received: after it.", stacklevel=2)
    for name in list(sys.modules):
        if _below_keras(name) is not None and not name.startswith("tensorflow.python."):
            del sys.modules[name]
    sys.meta_path.insert(0, KerasFinder())
    if _is_imported(_TENSORFLOW):
        _show_in_tensorflow(sys.modules[_TENSORFLOW])


def _is_imported(name: str) -> bool:
    module = sys.modules.get(name)
    return module is not None and not getattr(module.__spec__, "_initializing", False)


def _exists(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # its parent package does not exist
        return False


def _below_keras(fullname: str) -> str | None:
    """Return the part of a module's name after a root and a dot, "" for a root, None for other modules."""
    for root in _ROOTS:
        if fullname == root:
            return ""
        if fullname.startswith(f"{root}."):
            return fullname[len(root) + 1 :]
    return None


def _loader(fullname: str, name: str) -> importlib.abc.Loader | None:
    if fullname in _EMPTY:
        return FacadeLoader(lambda: Facade(fullname, ()))
    if name == "" and fullname == "keras":
        return FacadeLoader(_keras)
    if name == "":
        return AliasLoader("keras")
    if name in ("src", "src.version"):
        return FacadeLoader(lambda: Facade(fullname, ("polykeras",), __version__=KERAS_VERSION))
    if name.startswith("src."):
        homes = homes_of(name.removeprefix("src."))
        return FacadeLoader(lambda: Facade(fullname, homes)) if homes else None
    return AliasLoader(f"polykeras.{name}") if _exists(f"polykeras.{name}") else None


def _keras() -> ModuleType:
    """Return the package ``keras``: polykeras's public names under that name, with that API's version."""
    import polykeras
    from polykeras.compat.keras3.members import add_members

    add_members()
    shown = {name: value for name, value in vars(polykeras).copy().items() if name in polykeras.__all__}
    return Facade(
        "keras",
        ("polykeras",),
        **{**shown, "version": lambda: KERAS_VERSION},
        __all__=polykeras.__all__,
        __file__=polykeras.__file__,
        __version__=KERAS_VERSION,
    )


def _tensorflow_spec() -> importlib.machinery.ModuleSpec | None:
    spec = importlib.machinery.PathFinder.find_spec(_TENSORFLOW)
    if spec is not None and spec.loader is not None:
        spec.loader = TensorFlowLoader(spec.loader)
    return spec


def _show_in_tensorflow(tensorflow: Any) -> None:
    """Put polykeras where an imported TensorFlow shows Keras.

    TensorFlow's own code keeps using its copy of an old Keras; whatever others import from there is polykeras, where
    it has such a module and name.
    """
    root = "tensorflow.python.keras"
    for name in [name for name in sys.modules if name == root or name.startswith(f"{root}.")]:
        rest = name.removeprefix(root).removeprefix(".")
        home = f"keras.{rest}" if rest else "keras"
        if _exists(home):
            facade = Facade(name, (home, sys.modules[name]))
            facade.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
            sys.modules[name] = facade
    tensorflow.keras = importlib.import_module("keras")
    for name in ("losses", "metrics", "optimizers", "initializers"):
        setattr(tensorflow, name, importlib.import_module(f"keras.{name}"))
    python: Any = sys.modules["tensorflow.python"]
    python.keras = sys.modules[root]
