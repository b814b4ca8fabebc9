"""The available backends, the chosen one, and how part of a program uses another.

>>> from polykeras import backends
>>> "numpy" in backends.available()
True
>>> with backends.use("numpy") as backend:
...     backend.name
'numpy'
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import importlib
import importlib.util
import os
import random
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from polykeras import config
from polykeras.backends import determinism
from polykeras.backends.contract.backend import Backend
from polykeras.backends.contract.kernels import Kernels

__all__ = [
    "Backend", "NAMES", "REFEREE", "available", "carrier", "current", "current_name", "default_name",
    "deferred", "densified", "is_installed", "join", "keeps_state", "load", "load_all", "make_deterministic",
    "meet_program", "outer_name", "owner", "register", "set_default", "use", "without_kernels"
]  # fmt: skip

NAMES = ("tensorflow", "jax", "torch", "numpy")
_PIP = {
    "tensorflow": "pip install 'polykeras[tensorflow]'",
    "jax": "pip install 'polykeras[jax]'",
    "torch": "pip install 'polykeras[torch]'",
}
#: NumPy in float64, the reference for parity comparisons; it cannot be chosen as a backend.
REFEREE = "referee"
_LABELS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch", "numpy": "NumPy"}

# The frameworks coexist in one process if they are first imported in this order: on some builds torch crashes if
# TensorFlow's libraries were loaded before it.
_IMPORT_ORDER = ("jax", "torch", "tensorflow")

# Framework classes whose instances hold weights.
_STATEFUL = {
    "torch.nn.modules.module.Module",
    "torch.nn.parameter.Parameter",
    "tensorflow.python.ops.variables.Variable",
    "tensorflow.python.module.module.Module",
    "flax.nnx.module.Module",
    "flax.nnx.variablelib.Variable",
    "keras.src.layers.layer.Layer",
}

# Engines whose own functions accept only objects of registered classes.
_HOSTS = ("tensorflow", "jax", "torch")

# Engines whose data pipelines are used with every backend.
_CARRIERS = ("tensorflow",)

_loaded: dict[str, Backend] = {}
_third_party: dict[str, type[Backend]] = {}
_joining: list[type] = []
_loading: list[str] = []
_lock = threading.RLock()
_default: str | None = None
_announced: set[str] = set()
_ready: Backend | None = None  # the default, loaded and announced


class _Active(threading.local):
    """The backend of the innermost ``use`` of this thread; None means the default."""

    backend: Backend | None = None
    outer: str | None = None  # the backend that holds values while shapes are inferred


_active = _Active()


def is_installed(name: str) -> bool:
    """Return whether the framework of the named backend is installed, without importing it.

    Args:
        name: "numpy", "tensorflow", "torch", "jax", or a registered name.

    >>> is_installed("numpy")
    True
    """
    if name == "numpy" or name in _third_party:
        return True
    return name in NAMES and importlib.util.find_spec(name) is not None


def available() -> list[str]:
    """Return the names of the usable backends, in order of preference.

    >>> available()[-1]
    'numpy'
    """
    return [*_third_party, *(name for name in NAMES if is_installed(name))]


def register(name: str, adapter: type[Backend]) -> None:
    """Register your own adapter under a new name.

    Args:
        name: the name to use in ``KERAS_BACKEND`` and ``use``.
        adapter: a class that implements ``polykeras.backends.Backend``.

    Raises:
        ValueError: if the name is that of a built-in backend.

    >>> from polykeras.backends.numpy.adapter import NumpyBackend
    >>> register("mine", NumpyBackend); "mine" in available()
    True
    """
    if name in NAMES:
        raise ValueError(f"Expected a new backend name. Received: {name!r}, which is built in.")
    _third_party[name] = adapter
    _loaded.pop(name, None)


def _check_name(name: str, source: str) -> None:
    choices = [*NAMES, *_third_party]
    if name not in choices:
        near = difflib.get_close_matches(str(name).lower(), choices, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"Expected the backend (from {source}) to be one of {choices}. Received: {name!r}.{hint}")
    if not is_installed(name):
        raise ImportError(
            f"Expected {_LABELS[name]} to be installed, for the backend {name!r} (from {source}). "
            f"Received: no such package. Run: {_PIP[name]} — or choose one of {available()}."
        )


def default_name() -> str:
    """Return the name of the default backend, without loading it.

    This is ``KERAS_BACKEND``, otherwise the choice in the user's ``keras.json``, otherwise the first of tensorflow,
    jax, torch and numpy that is installed.

    >>> default_name() in available()
    True
    """
    global _default
    if _default is None:
        name, source = config.configured_backend()
        if name is not None:
            _check_name(name, source)
        _default = name or available()[0]
    return _default


def set_default(name: str) -> None:
    """Make ``name`` the default backend of this process, for models built from now on.

    Args:
        name: "numpy", "tensorflow", "torch", "jax", or a registered name.

    >>> set_default(default_name())
    """
    global _default, _ready
    _check_name(name, "set_backend")
    _default, _ready = name, None


def load(name: str) -> Backend:
    """Return the adapter of the named backend, importing its framework on first use.

    Args:
        name: "numpy", "tensorflow", "torch", "jax", or a registered name.

    Raises:
        ValueError: for an unknown name; the message lists the choices.
        ImportError: if the framework is not installed; the message has the pip command.

    >>> load("numpy").name
    'numpy'
    """
    backend = _loaded.get(name)
    if backend is not None:
        return backend
    with _lock:
        if name in _loaded:
            return _loaded[name]
        if name != REFEREE:
            _check_name(name, "load")
        if config.is_determinism_enabled():
            determinism.prepare()
        with _being_loaded(name), _undisturbed_draws():
            adapter = _third_party[name] if name in _third_party else _own_adapter(name)
            _loaded[name] = adapter()
            for cls in _joining:
                _loaded[name].join(cls)
        if config.is_determinism_enabled():
            determinism.settle(name)
        return _loaded[name]


@contextlib.contextmanager
def _being_loaded(name: str) -> Iterator[None]:
    _loading.append(name)
    try:
        yield
    finally:
        _loading.remove(name)


@contextlib.contextmanager
def _undisturbed_draws() -> Iterator[None]:
    """Preserve the state of NumPy's and Python's random generators: TensorFlow and JAX draw from them when they are
    imported, which may happen anywhere in a program, and its own draws must not depend on that."""
    state, python_state = np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        np.random.set_state(state)
        random.setstate(python_state)


def _own_adapter(name: str) -> type[Backend]:
    """The adapter of an engine: the fast one, or the plain one if the fast files have been deleted."""
    package = f"polykeras.backends.{name}"
    is_fast = importlib.util.find_spec(f"{package}.fast") is not None
    return importlib.import_module(f"{package}.{'fast' if is_fast else 'adapter'}").ADAPTER


def join(cls: type) -> None:
    """Let engines accept instances of a class as their own, as soon as the engines are loaded.

    Args:
        cls: a class of objects with variables.

    >>> join(type("Box", (), {}))
    """
    with _lock:
        _joining.append(cls)
        for adapter in _loaded.values():
            adapter.join(cls)


def meet_program() -> None:
    """Load the default engine if it must register classes and the program has already imported the framework.

    >>> meet_program()
    """
    for name in _HOSTS:
        # Importing an engine may itself create such objects, before its adapter exists.
        is_new = name not in _loaded and name not in _loading
        if is_new and name in sys.modules and name == default_name():
            load(name)


def make_deterministic() -> None:
    """Make the loaded engines deterministic; called by ``config.enable_determinism``."""
    determinism.prepare()
    for name in list(_loaded):
        determinism.settle(name)


def without_kernels(backend: Backend | _Deferred) -> Backend:
    """Return an adapter without its fast paths: every kernel is a composite of primitives.

    Args:
        backend: the adapter.

    >>> without_kernels(load("numpy")).name
    'numpy'
    """
    composites = {name: method for name, method in vars(Kernels).items() if not name.startswith("__")}
    plain: Backend = object.__new__(type("Composite", (type(backend),), composites))
    vars(plain).update(vars(backend))
    return plain


class _Deferred:
    """A stand-in for a backend, which loads it when any attribute but the name is used."""

    is_symbolic = False

    def __init__(self, name: str) -> None:
        self.name = name

    def __getattr__(self, attribute: str) -> object:
        return getattr(load(self.name), attribute)

    def outside_trace(self) -> contextlib.AbstractContextManager:
        """Return a null context: an engine that is not loaded is tracing nothing."""
        return contextlib.nullcontext()


def deferred(name: str) -> Backend | _Deferred:
    """Return the adapter of the named backend, or a stand-in that loads it on first use.

    Args:
        name: "numpy", "tensorflow", "torch", "jax", or a registered name.

    >>> deferred("numpy").name
    'numpy'
    """
    return _loaded.get(name) or _Deferred(name)


def load_all(names: list[str] | None = None) -> list[Backend]:
    """Load several backends, by default all that are installed, in an order that is safe.

    Args:
        names: list of names; None for all installed backends.

    >>> [backend.name for backend in load_all(["numpy"])]
    ['numpy']
    """
    names = available() if names is None else names
    order = sorted(names, key=lambda n: _IMPORT_ORDER.index(n) if n in _IMPORT_ORDER else 9)
    for name in order:
        load(name)
    return [load(name) for name in names]


def owner(x: object) -> Backend | None:
    """Return the adapter that ``x`` is an array of, None for other objects; imports no framework.

    Args:
        x: any object.

    >>> owner([1, 2]) is None
    True
    """
    for backend in _present():
        if backend.is_array(x):
            return backend
    return None


def densified(x: object) -> object:
    """Return a sparse array of any library as a dense one, and anything else unchanged; imports no framework.

    Args:
        x: any object.

    Raises:
        ValueError: for a ragged array.

    >>> densified([1, 2])
    [1, 2]
    """
    for backend in _present():
        x = backend.densified(x)
    return x


@functools.lru_cache(1024)
def keeps_state(cls: type) -> bool:
    """Return whether a framework's class is one of weights or of modules with weights; imports no framework.

    cls: a class.
        cls: class.

    >>> keeps_state(list)
    False
    """
    return any(f"{base.__module__}.{base.__qualname__}" in _STATEFUL for base in cls.__mro__)


def _present() -> list[Backend]:
    """The adapters of imported frameworks; checking for the others would take 300 µs a call."""
    return [load(name) for name in (*_third_party, *NAMES) if name in _loaded or name in sys.modules]


def carrier() -> Backend | None:
    """Return the engine that is tracing a data pipeline, which may serve a program on any backend; otherwise None.

    Imports no framework.

    >>> carrier() is None
    True
    """
    for name in _CARRIERS:
        if name in sys.modules and load(name).is_tracing():
            return load(name)
    return None


def current() -> Backend:
    """Return the backend that operations run on in this thread.

    >>> with use("numpy"):
    ...     current().name
    'numpy'
    """
    return _active.backend or _ready or _load_default()


def current_name() -> str:
    """Return the name of the backend in use in this thread; loads nothing.

    >>> with use("numpy"):
    ...     current_name()
    'numpy'
    """
    backend = _active.backend
    return backend.name if backend is not None else default_name()


def outer_name() -> str:
    """Return the name of the backend that holds values, even while shapes are being inferred.

    >>> with use("numpy"):
    ...     outer_name()
    'numpy'
    """
    backend = _active.backend
    if backend is None or not backend.is_symbolic:
        return current_name()
    return _active.outer or default_name()


def _load_default() -> Backend:
    global _ready
    backend = load(default_name())
    if backend.name not in _announced:
        _announced.add(backend.name)
        if os.environ.get("KERAS_VERBOSE", "1") != "0":
            label = _LABELS.get(backend.name, backend.name)
            print(f"Using {label} backend.", file=sys.stderr)
    _ready = backend
    return backend


class use:
    """Context manager: run this thread's operations on another backend.

    Args:
        backend: name of a backend, or an adapter.
        kernels: bool; False runs composites of primitives instead of the adapter's fast paths, to find out which of
            the two causes a difference. Applies to calls of layers and ops; ``fit`` uses its model's adapter.

    >>> import polykeras as keras
    >>> with keras.backends.use("numpy"):
    ...     type(keras.ops.zeros((2,))).__name__
    'ndarray'
    """

    __slots__ = ("_backend", "_previous")

    def __init__(self, backend: str | Backend | _Deferred, kernels: bool = True) -> None:
        self._backend: Any = load(backend) if isinstance(backend, str) else backend
        if not kernels:
            self._backend = without_kernels(self._backend)

    def __enter__(self) -> Backend:
        previous = _active.backend
        self._previous = previous, _active.outer
        if self._backend.is_symbolic and previous is not None and not previous.is_symbolic:
            _active.outer = previous.name
        _active.backend = self._backend
        return self._backend

    def __exit__(self, *exception: object) -> None:
        _active.backend, _active.outer = self._previous
