"""Names for classes and functions: built-in families, the user's own, and suggestions for misspelled names.

A *family* is a table of public names, such as all of ``polykeras.losses``. Configs refer to objects
by name; only members of a family and objects that the user registered are ever built from
a config, and a config never causes anything outside of this package to be imported.
"""

from __future__ import annotations

import collections
import contextlib
import difflib
import importlib
import inspect
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from polykeras import backends
from polykeras.core import dtypes, naming, trees
from polykeras.core.tracking import Trackable
from polykeras.serialization import bytecode

#: The public names of each family ("layers", "losses", ...).
families: dict[str, dict[str, Any]] = {}

_registered: dict[str, Any] = {}
_registered_names: dict[Any, str] = {}
_modules_of_unloaded: dict[str, str] = {}


class _Scopes(threading.local):
    def __init__(self) -> None:
        self.stack: list[dict] = []
        self.safe_mode: bool | None = None
        self.described: dict[int, tuple] | None = None  # objects and their numbers, by id
        self.made: dict[Any, Any] | None = None  # objects by these numbers
        self.live: list[Any] | None = None  # objects that descriptions in the current block may refer to, by index


_scopes = _Scopes()

#: Whether ``from_config`` of a layer leaves configs of unknown classes to its ``__init__``.
keeps_unknown = False


def add_family(name: str, members: dict[str, Any]) -> None:
    """Add built-in names to a family."""
    families.setdefault(name, {}).update(members)


def members(namespace: dict[str, Any], base: type) -> dict[str, type]:
    """Return the classes in a module that inherit from ``base``, under each of their names.

    >>> members({"Yes": bool, "No": str, "x": 1}, int)
    {'Yes': <class 'bool'>}
    """
    return {name: x for name, x in namespace.items() if inspect.isclass(x) and issubclass(x, base)}


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable:
    """Decorator: let configs refer to your own class or function by name.

    Args:
        package: str, prefix that separates your names from others'; default "Custom".
        name: str; default the object's own name.

    Raises:
        ValueError: for a class without ``get_config``.

    >>> @register_keras_serializable("mine")
    ... def double(x):
    ...     return 2 * x
    >>> get_registered_name(double)
    'mine>double'
    """

    def register(target: Any) -> Any:
        if inspect.isclass(target) and not hasattr(target, "get_config"):
            raise ValueError(f"Expected a registered class to have a get_config method. Received: {target!r}.")
        full = f"{package}>{name or target.__name__}"
        _registered[full] = target
        _registered_names[target] = full
        return target

    return register


def register_later(name: str, module: str) -> None:
    """Name a class of this package whose module registers it when a config first asks for the name."""
    _modules_of_unloaded[name] = module


def get_registered_name(obj: Any) -> str:
    """Return the name under which an object was registered, otherwise its own name.

    Args:
        obj: any object.

    >>> import polykeras as keras
    >>> @keras.saving.register_keras_serializable("mine")
    ... def double(x):
    ...     return 2 * x
    >>> keras.saving.get_registered_name(double)
    'mine>double'
    """
    return _registered_names.get(obj) or obj.__name__


def get_registered_object(name: str, custom_objects: dict | None = None, module_objects: dict | None = None) -> Any:
    """Return the class or function with a given name, or None: custom objects first, then registered ones.

    Args:
        name: str.
        custom_objects: dict from names to classes or functions; default None.
        module_objects: dict of names to search last; default None.

    >>> import polykeras as keras
    >>> @keras.saving.register_keras_serializable("mine")
    ... def triple(x):
    ...     return 3 * x
    >>> keras.saving.get_registered_object("mine>triple") is triple
    True
    """
    if name in _modules_of_unloaded:
        importlib.import_module(_modules_of_unloaded[name])
    for table in (custom_objects or {}, *reversed(_scopes.stack), _global_objects, _registered, module_objects or {}):
        if name in table:
            return table[name]
    return None


_global_objects: dict[str, Any] = {}


def get_custom_objects() -> dict[str, Any]:
    """Return the dict of globally known names; add your own to it.

    >>> import polykeras as keras
    >>> isinstance(keras.saving.get_custom_objects(), dict)
    True
    """
    return _global_objects


@contextlib.contextmanager
def custom_object_scope(custom_objects: dict[str, Any] | None = None, *others: dict[str, Any]) -> Iterator[None]:
    """Context manager: names for your classes and functions inside the block.

    Args:
        custom_objects: dict from names to classes and functions; None for no names.
        *others: further dicts, as in Keras 2.

    >>> with custom_object_scope({"double": lambda x: 2 * x}):
    ...     get_registered_object("double")(3)
    6
    """
    _scopes.stack.append(dict(collections.ChainMap(*reversed(others), custom_objects or {})))
    try:
        yield
    finally:
        _scopes.stack.pop()


def lookup(name: str, family: str, custom_objects: dict | None = None) -> Any:
    """Return the member of a family, or a custom object, with a given name.

    Raises:
        ValueError: for an unknown name; the message suggests the closest.
    """
    found = get_registered_object(name, custom_objects, families[family])
    if found is None:
        raise ValueError(unknown(name, family, families[family]))
    return found


def unknown(name: object, family: str, choices: Any) -> str:
    """Return the message for an unknown name, with the three closest."""
    singular = {"losses": "loss", "layers": "layer"}.get(family, family.rstrip("s"))
    return (
        f"Expected the name of a known {singular}. Received: {naming.short(name)}.{near(name, choices)} "
        f"(Objects of your own: pass the object, name it in custom_objects={{...}}, or register its class with "
        f"register_keras_serializable.)"
    )


def near(name: object, choices: Iterable[str]) -> str:
    """Return a question for a message: whether one of the three names closest to an unknown one was meant.

    >>> near("dens", ["Dense", "Conv2D", "Embedding", "LSTM"])
    " Did you mean 'Dense' or 'Embedding' or 'LSTM'?"
    """
    # Of two names that differ only in case, the one with the case of the unknown name wins, as the last.
    ordered = sorted(choices, key=lambda choice: choice.islower() == str(name).islower())
    lower = {choice.lower(): choice for choice in ordered}
    found = difflib.get_close_matches(str(name).lower()[:100], lower, 3, 0.0)
    return f" Did you mean {' or '.join(repr(lower[each]) for each in found)}?" if found else ""


def resolve(identifier: Any, family: str, custom_objects: dict | None = None) -> Any:
    """Return the object that a user specifies by a name, config, class or the object itself.

    The name of a class returns a new instance without arguments; the name of a function, the function.

    Raises:
        ValueError: for an unknown name.
        TypeError: for something that is not an identifier.
    """
    if identifier is None:
        return None
    if isinstance(identifier, dict):
        return deserialize(identifier, custom_objects, family=family)
    if isinstance(identifier, str):
        found = lookup(identifier, family, custom_objects)
        return found() if inspect.isclass(found) else found
    if inspect.isclass(identifier):
        return identifier()
    if callable(identifier) or hasattr(identifier, "get_config"):
        return identifier
    raise TypeError(
        f"Expected a name, a config dict, a class, or a callable of the family {family!r}. "
        f"Received: {naming.short(identifier)} of type {type(identifier).__name__}."
    )


# ------------------------------------------------------------------- safe mode

_unsafe_everywhere = False


def enable_unsafe_deserialization() -> None:
    """Allow all configs to contain code, which runs when they are loaded, for the rest of the program.

    Use it only for files that you trust as you trust a program. ``safe_mode=False`` does so for one file.
    """
    global _unsafe_everywhere
    _unsafe_everywhere = True


@contextlib.contextmanager
def safe_mode_scope(safe_mode: bool) -> Iterator[None]:
    """Context manager: whether configs must not contain code or names of files; the outermost block counts.

    >>> with safe_mode_scope(False), safe_mode_scope(True):
    ...     is_unsafe_allowed()
    True
    """
    before = _scopes.safe_mode
    _scopes.safe_mode = safe_mode if before is None else before
    try:
        yield
    finally:
        _scopes.safe_mode = before


def is_unsafe_allowed() -> bool:
    """True only if the caller has asked for it; a config can't."""
    return _unsafe_everywhere or _scopes.safe_mode is False


def is_safe_mode() -> bool:
    """True while an object is made from a config that must not contain code or names of files."""
    return _scopes.safe_mode is True and not _unsafe_everywhere


def refuse_unless_unsafe(where: str, what: str, instead: str) -> None:
    """Refuse something that a config must not contain, unless the caller allowed it.

    Args:
        where: str, whose config it is.
        what: str, what it contains.
        instead: str, what to do instead.

    Raises:
        ValueError: in safe mode, which is the default.
    """
    if not is_unsafe_allowed():
        raise ValueError(
            f"{where}: Expected a config without code or paths of files. Received: {what}. {instead} If you trust "
            f"the file as you trust a program, pass safe_mode=False."
        )


# ------------------------------------------------------------- shared objects

#: The key for the number of an object that occurs several times, as in Keras 3.
SHARED = "shared_object_id"


@contextlib.contextmanager
def describing_shared() -> Iterator[None]:
    """Context manager: number described objects with state, so that repeated ones can be recognized."""
    before = _scopes.described
    _scopes.described = {}
    try:
        yield
    finally:
        _scopes.described = before


@contextlib.contextmanager
def making_shared() -> Iterator[None]:
    """Context manager: descriptions with the same number become one object."""
    before = _scopes.made
    _scopes.made = {}
    try:
        yield
    finally:
        _scopes.made = before


# ------------------------------------------------------------- copies in a process

#: The key for the index of an existing class, for a copy within the same process.
_LIVE = "live_class"


def copy_of(obj: Any, **changes: Any) -> Any:
    """Return a new object with the same config and the same classes and functions, whether they have names or not.

    Args:
        obj: object with ``get_config``, whose class has ``from_config``.
        **changes: entries of the config to replace.

    >>> import polykeras as keras
    >>> copy_of(keras.layers.Dense(3, activation=lambda x: 2 * x), name="second").units
    3
    """
    before = _scopes.live
    _scopes.live = [] if before is None else before
    try:
        return type(obj).from_config({**obj.get_config(), **changes})
    finally:
        _scopes.live = before


def _refer_to(obj: Any) -> int:
    assert _scopes.live is not None
    _scopes.live.append(obj)
    return len(_scopes.live) - 1


def _referred(index: Any) -> Any:
    if _scopes.live is None:
        raise ValueError(f"Expected a config by names alone. Received: object {index!r} from another copy.")
    return _scopes.live[index]


def without_single(description: Any) -> Any:
    """Remove the numbers of objects that occur only once.

    >>> one, other = {SHARED: 0}, {SHARED: 1}
    >>> without_single([one, one, other])
    [{'shared_object_id': 0}, {'shared_object_id': 0}, {}]
    """
    counts = collections.Counter(_numbers(description))
    return _without(description, {number for number, count in counts.items() if count == 1})


def _numbers(value: Any) -> Iterator[int]:
    if isinstance(value, dict) and isinstance(value.get(SHARED), int):
        yield value[SHARED]
    for inner in trees.children(value):
        yield from _numbers(inner)


def _without(value: Any, single: set[int]) -> Any:
    if isinstance(value, list):
        return [_without(x, single) for x in value]
    if not isinstance(value, dict):
        return value
    result = {key: _without(x, single) for key, x in value.items()}
    if isinstance(result.get(SHARED), int) and result[SHARED] in single:
        del result[SHARED]
    return result


# --------------------------------------------------------------- serialization


def _family_of(cls: Any) -> str | None:
    for family, members in families.items():
        if members.get(cls.__name__) is cls:
            return family
    return None


def serialize(obj: Any) -> Any:
    """Return a JSON-ready description of an object.

    Plain values are kept; tuples, arrays and dtypes are tagged; objects with
    ``get_config`` become ``{"module", "class_name", "config", "registered_name"}``, as in Keras 3.

    Args:
        obj: any object.

    Raises:
        TypeError: for an object that cannot be described, and for unknown arguments.

    >>> serialize({"a": (1, 2)})
    {'a': {'class_name': '__tuple__', 'items': [1, 2]}}
    """
    if obj is None or isinstance(obj, bool | int | float | str):
        return obj
    if isinstance(obj, np.generic):
        return obj.item()
    if isinstance(obj, bytes):
        return {"class_name": "__bytes__", "config": {"value": obj.decode()}}
    if isinstance(obj, list):
        return [serialize(x) for x in obj]
    if isinstance(obj, tuple):
        return {"class_name": "__tuple__", "items": [serialize(x) for x in obj]}
    if isinstance(obj, dict) and not hasattr(obj, "get_config"):
        return {key: serialize(value) for key, value in obj.items()}
    if isinstance(obj, slice):
        return {"class_name": "__slice__", "config": {name: serialize(getattr(obj, name)) for name in _ENDS}}
    if obj is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(obj, np.ndarray):
        return {"class_name": "__numpy__", "config": {"value": obj.tolist(), "dtype": obj.dtype.name}}
    if hasattr(obj, "get_config"):
        return _serialize_instance(obj)
    if inspect.isfunction(obj) or inspect.isbuiltin(obj) or inspect.ismethod(obj) or inspect.isclass(obj):
        return _serialize_function(obj)
    if backends.current().is_array(obj):
        return {**serialize(backends.current().to_numpy(obj)), "class_name": "__tensor__"}
    with contextlib.suppress(TypeError, ValueError):
        return dtypes.standardize(obj)
    raise TypeError(
        f"Expected an object that a config can hold: plain values, or a class with get_config. "
        f"Received: {naming.short(obj)} of type {type(obj).__name__}."
    )


def _serialize_instance(obj: Any) -> dict:
    cls = obj.__class__
    family = _family_of(cls)
    described = {
        "module": f"keras.{family}" if family else cls.__module__,
        "class_name": cls.__name__,
        "config": {key: serialize(value) for key, value in obj.get_config().items()},
        "registered_name": None if family else get_registered_name(cls),
    }
    if _scopes.live is not None and not family:
        described[_LIVE] = _refer_to(cls)
    if _scopes.described is not None and isinstance(obj, Trackable):
        described[SHARED], _ = _scopes.described.setdefault(id(obj), (len(_scopes.described), obj))
    build_config = obj.get_build_config() if hasattr(obj, "get_build_config") else None
    if build_config is not None:
        described["build_config"] = serialize(build_config)
    quantized = obj._quantized_layers() if isinstance(obj, Trackable) else {}
    if quantized:
        described[_QUANTIZED] = serialize(quantized)
    return described


def _serialize_function(function: Any) -> dict:
    family = None if function in _registered_names else _family_of(function)
    if _scopes.live is not None and not family:
        return {"class_name": "__live__", "config": _refer_to(function)}
    if function.__name__ == "<lambda>":
        warnings.warn(
            "Expected a named function in a config. Received: a lambda, which is written as bytecode: it loads only on "
            "this version of Python, and with safe_mode=False. Define a function and decorate it with "
            "register_keras_serializable.",
            stacklevel=2,
        )
        described = bytecode.dump(function)
        return described | {"config": serialize(described["config"])}
    return {
        "module": f"keras.{family}" if family else "builtins",
        "class_name": "function",
        "config": function.__name__ if family else get_registered_name(function),
        "registered_name": "function",
    }


_ENDS = ("start", "stop", "step")
#: The key of a description beside its config, for what Keras ignores.
_QUANTIZED = "quantized_layers"


def _array(config: dict) -> np.ndarray:
    return np.array(config["value"], dtypes.numpy_dtype(dtypes.standardize(config["dtype"])))


_PLAIN = {
    "__tuple__": lambda c: tuple(deserialize(x) for x in c["items"]),
    "__bytes__": lambda c: c["config"]["value"].encode(),
    "__slice__": lambda c: slice(*(deserialize(c["config"][name]) for name in _ENDS)),
    "__ellipsis__": lambda c: Ellipsis,
    "__live__": lambda c: _referred(c["config"]),
    "__numpy__": lambda c: _array(c["config"]),
    "__tensor__": lambda c: backends.current().array(_array(c["config"]), c["config"]["dtype"]),
}


def deserialize(
    config: Any, custom_objects: dict | None = None, safe_mode: bool = True, family: str | None = None
) -> Any:
    """Build the object described by ``serialize``.

    Args:
        config: a description, or a tree of them.
        custom_objects: dict of names for your classes and functions, besides the registered ones; default None.
        safe_mode: bool, whether to refuse anything that would run code from the config, or read a file that it names.
            Within another call, that call's setting counts.
        family: str, the family in which to look up a bare class name first; default None.

    Raises:
        ValueError: for a name that is neither built in nor registered, and for anything that safe mode refuses.

    >>> import polykeras as keras
    >>> config = keras.saving.serialize_keras_object(keras.regularizers.L1(0.5))
    >>> float(keras.saving.deserialize_keras_object(config).l1)
    0.5
    """
    with custom_object_scope(custom_objects or {}), safe_mode_scope(safe_mode):
        return _deserialize(config, family)


def deserialize_known(config: Any) -> Any:
    """Build the object described by a config; in the era of Keras 2, leave one whose class is not known as it is.

    A layer for Keras 2 may look up the classes of its own package by their names in its ``__init__``.

    >>> float(deserialize_known({"class_name": "L1", "config": {"l1": 0.5}}).l1)
    0.5
    """
    is_config = keeps_unknown and isinstance(config, dict) and isinstance(config.get("class_name"), str)
    return config if is_config and not _is_known(config) else deserialize(config)


def _is_known(config: dict) -> bool:
    name = config["class_name"]
    if name in (*_PLAIN, "function", "__lambda__") or _LIVE in config:
        return True
    with contextlib.suppress(ValueError):
        return _find(name, config, None) is not None
    return False


def _deserialize(config: Any, family: str | None = None) -> Any:
    if isinstance(config, list | tuple):
        return type(config)([_deserialize(x, family) for x in config])
    if not isinstance(config, dict):
        return config
    name = config.get("class_name")
    if not isinstance(name, str):
        return {key: _deserialize(value) for key, value in config.items()}
    if name in _PLAIN:
        return _PLAIN[name](config)
    if name == "function":
        return _find_function(config.get("config"), config, family)
    if bytecode.holds_code(config):
        return _function_from_code(config.get("config"), "Config")
    cls = _referred(config[_LIVE]) if _LIVE in config else _find(name, config, family)
    return _build(cls, config)


def function_from_config(value: Any, kind: str | None, where: str) -> Any:
    """Return the function that a config contains by name or as bytecode; other values unchanged.

    Args:
        value: a description, or as in Keras 2 a name, or a list of bytecode, defaults and closure.
        kind: str, in Keras 2 ``"function"``, ``"lambda"``, or ``"raw"`` for a plain value.
        where: str, whose config it is, for messages.

    Raises:
        ValueError: for bytecode in safe mode, and for an unknown name.
    """
    if bytecode.holds_code(value):
        return _function_from_code(value["config"], where)
    if isinstance(value, list) and kind in ("function", "lambda"):
        return _function_from_code(value, where)
    if isinstance(value, str) and kind == "function":
        return _find_function(value, {})
    return deserialize(value)


def _function_from_code(parts: Any, where: str) -> Any:
    refuse_unless_unsafe(
        where,
        "a Python lambda as bytecode, which could do anything",
        "Build the model in Python and load its weights instead.",
    )
    names: dict[str, Any] = {}
    for table in (_global_objects, *_scopes.stack):
        names |= table
    return bytecode.load(parts, names)


def _find_function(name: Any, config: dict, family: str | None = None) -> Any:
    found = _find(name, {"module": config.get("module"), "class_name": "function"}, family)
    if inspect.isclass(found) and _family_of(found):
        raise ValueError(f"Expected the name of a function in a config. Received: {name!r}, a class.")
    return found


def _build(cls: Any, config: dict) -> Any:
    if not inspect.isclass(cls):
        return cls
    if not hasattr(cls, "from_config"):
        raise ValueError(f"Expected {cls.__name__!r} to be a class with from_config. Received: {cls!r}.")
    number = config.get(SHARED)
    made = _scopes.made if isinstance(number, int) else None
    if made is not None and number in made:
        return made[number]
    # Classes that contain other configured objects build those themselves in from_config.
    made_by: Any = cls
    own = dict(config.get("config") or {})
    if not str(getattr(made_by.from_config, "__module__", "")).startswith("polykeras."):
        own = _with_tuples(own)  # a user's from_config expects what get_config returned
    instance = made_by.from_config(own)
    build_config = config.get("build_config")
    if build_config and hasattr(instance, "build_from_config"):
        instance.build_from_config(_deserialize(build_config))
    if _QUANTIZED in config and isinstance(instance, Trackable):
        instance._quantize_layers(_deserialize(config[_QUANTIZED]))
    if made is not None:
        made[number] = instance
    return instance


def _users_class(module: str, name: str) -> Any:
    """Return a class that the program has defined in one of its modules and never registered; imports nothing."""
    found = getattr(sys.modules.get(module), name, None)
    if not inspect.isclass(found) or found.__module__ != module or not hasattr(found, "from_config"):
        return None
    package = __name__.partition(".")[0]
    bases = {base.__module__.partition(".")[0] for base in found.__mro__}
    return found if package in bases and not module.startswith(f"{package}.") else None


def _with_tuples(config: Any) -> Any:
    """Restore tuples in a config, except in the calls of a graph, which are read elsewhere."""
    if isinstance(config, list):
        return [_with_tuples(x) for x in config]
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "__tuple__":
        return tuple(_with_tuples(x) for x in config["items"])
    return {key: value if key == "inbound_nodes" else _with_tuples(value) for key, value in config.items()}


def _find(name: str, config: dict, family: str | None) -> Any:
    if not isinstance(name, str):
        raise ValueError(f"Expected a name in a config. Received: {naming.short(name)}.")
    for key in (config.get("registered_name"), name):
        found = get_registered_object(key) if isinstance(key, str) else None
        if found is not None:
            return found
    module = str(config.get("module") or "")
    hinted = [f for f in families if module in (f"keras.{f}", f"polykeras.{f}") or f".{f}." in f"{module}."]
    for candidate in [*hinted, family, *families]:
        if candidate and name in families.get(candidate, {}):
            return families[candidate][name]
    ends = [key for key in _registered if key.endswith(f">{name}")]  # Keras 3.6 wrote functions without a package
    if len(ends) == 1:
        return _registered[ends[0]]
    users = _users_class(module, name)
    if users is not None:
        return users
    if family is None and config.get("class_name") == "function":
        named = {**families["activations"], **families["losses"], **families["metrics"]}
        raise ValueError(unknown(name, "function", filter(str.islower, named)))
    raise ValueError(unknown(name, family or "layers", families.get(family or "layers", {})))
