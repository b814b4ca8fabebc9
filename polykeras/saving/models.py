"""Saving and loading whole models and weights, in the format that a file's name says."""

from __future__ import annotations

import datetime
import json
import os
from pathlib import Path
from typing import Any

from polykeras.core import registry
from polykeras.saving import archive, configs, files, hdf5, legacy, state


def _version() -> str:
    from polykeras import __version__

    return __version__


def _suffix(path: Path, known: tuple[str, ...]) -> str:
    for suffix in known:
        if path.name.endswith(suffix):
            return suffix
    raise ValueError(f"Expected a file name that ends in one of {list(known)}. Received: {str(path)!r}.")


def save_model(
    model: Any, filepath: str | os.PathLike, overwrite: bool = True, include_optimizer: bool = True, **kwargs: Any
) -> None:
    """Save a model: its architecture, weights, and what training needs to go on.

    The file is written beside the old one, which it replaces when it is whole.

    Args:
        model: a model with a config: Sequential, Functional, or a class of yours with ``get_config``.
        filepath: ends in ``.keras``, or in ``.h5`` for the layout of Keras 2.
        overwrite: whether there may be a file already.
        include_optimizer: save the arguments of ``compile`` and the optimizer's state too.

    Raises:
        FileExistsError: if there is a file and ``overwrite`` is False.
        ValueError: for another file name, or a model whose config can't be written.

    >>> import os, tempfile, polykeras as keras
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    >>> path = os.path.join(tempfile.mkdtemp(), "model.keras")
    >>> save_model(model, path)
    >>> load_model(path).count_params()
    8
    """
    kwargs.pop("zipped", None)
    kwargs.pop("save_format", None)
    if kwargs:
        raise TypeError(f"Expected arguments of save_model. Received: unknown {sorted(kwargs)}.")
    path = Path(filepath)
    suffix = _suffix(path, (".keras", ".h5"))
    config = configs.describe(model, include_optimizer)
    if suffix == ".h5":
        with files.replacing(path, overwrite) as temporary, hdf5.writing(temporary, _version()) as writer:
            legacy.save_model(model, writer, config)
        return
    optimizer = model.optimizer if "compile_config" in config else None
    metadata = {
        "keras_version": configs.KERAS_VERSION,
        "polykeras_version": _version(),
        "backend": getattr(model, "_backend_name", None),
        "date_saved": datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S"),
    }
    with files.replacing(path, overwrite) as temporary:
        weights = temporary.with_suffix(".h5")
        try:
            with hdf5.writing(weights) as writer:
                state.save(model, writer, optimizer)
            archive.write(temporary, config, metadata, weights)
        finally:
            weights.unlink(missing_ok=True)


def load_model(
    filepath: str | os.PathLike, custom_objects: dict | None = None, compile: bool = True, safe_mode: bool = True
) -> Any:
    """Load a model onto the backend in use: from a ``.keras`` file of polykeras or Keras 3, or an ``.h5`` file.

    Nothing in the file is run or imported: only built-in classes, registered ones and
    ``custom_objects`` are built.

    Args:
        filepath: of the file.
        custom_objects: names for your own classes and functions.
        compile: compile as the saved model was, and load the optimizer's state.
        safe_mode: refuse files that hold code, such as a lambda as bytecode. False lets the file run whatever it
            holds: for files that you trust as you trust a program.

    Raises:
        FileNotFoundError: if there is no file.
        ValueError: for a damaged file, one made to do harm, or an unknown class.
    """
    with registry.safe_mode_scope(safe_mode), registry.custom_object_scope(custom_objects or {}):
        return _load_model(filepath, compile)


def _load_model(filepath: str | os.PathLike, compile: bool) -> Any:
    path = Path(filepath)
    if not path.exists():
        raise FileNotFoundError(f"Expected a model file. Received: {str(path)!r}, where there is none.")
    if _suffix(path, (".keras", ".h5")) == ".h5":
        return _load_legacy(path, compile)
    with archive.Archive(path) as opened:
        config = opened.json(archive.CONFIG)
        model = _build(config, opened.metadata)
        with opened.weights() as file, hdf5.reading(file) as reader:
            state.load(model, reader)
            if compile and config.get("compile_config") and hasattr(model, "compile_from_config"):
                model.compile_from_config(configs.read(config["compile_config"]))
                state.load_optimizer(model, reader)
    return model


def _load_legacy(path: Path, compile: bool) -> Any:
    with hdf5.reading(path) as reader:
        versions = {"keras_version": reader.attribute("keras_version")}
        model = _build(legacy.model_config(reader), versions)
        legacy.load_weights(model, reader)
        if compile and hasattr(model, "compile_from_config"):
            legacy.compile_and_load_optimizer(model, reader)
    return model


def _build(config: Any, metadata: dict) -> Any:
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str):
        raise ValueError(f"Expected the config of a model. Received: {str(config)[:80]!r}.")
    try:
        return registry.deserialize(configs.read(config), family="models")
    except RecursionError:
        raise ValueError("Expected the config of a model. Received: one that is nested too deeply.") from None
    except (TypeError, ValueError, KeyError) as error:
        saved = metadata.get("polykeras_version") or metadata.get("keras_version")
        if saved:
            error.add_note(f"The model was saved by version {saved}; this is polykeras {_version()}.")
        raise


def save_weights(
    model: Any, filepath: str | os.PathLike, overwrite: bool = True, max_shard_size: Any = None, **kwargs: Any
) -> None:
    """Save the weights of a model.

    Args:
        model: built.
        filepath: ends in ``.weights.h5``, or in ``.h5`` for the layout of Keras 2.
        overwrite: whether there may be a file already.

    Raises:
        FileExistsError: if there is a file and ``overwrite`` is False.
        ValueError: for another file name, or a model without weights yet.
    """
    kwargs.pop("save_format", None)
    if kwargs:
        raise TypeError(f"Expected arguments of save_weights. Received: unknown {sorted(kwargs)}.")
    if max_shard_size is not None:
        raise NotImplementedError(f"Expected max_shard_size=None. Received: {max_shard_size!r}: one file is written.")
    path = Path(filepath)
    suffix = _suffix(path, (".weights.h5", ".h5"))
    if not model.built:
        raise ValueError(
            f"Model {model.name!r}: Expected a built model. Received: one without weights yet. Call it on data first."
        )
    with files.replacing(path, overwrite) as temporary, hdf5.writing(temporary, _version()) as writer:
        (legacy.save_weights if suffix == ".h5" else state.save)(model, writer)


def load_weights(
    model: Any, filepath: str | os.PathLike, skip_mismatch: bool = False, by_name: bool = False, **kwargs: Any
) -> None:
    """Load weights into a model.

    Args:
        model: built.
        filepath: a ``.weights.h5`` or ``.h5`` file, or a whole model in a ``.keras`` file.
        skip_mismatch: leave layers whose weights are missing or of another shape as they are, with a warning.
        by_name: match layers by their names instead of their places.

    Raises:
        FileNotFoundError: if there is no file.
        ValueError: naming the layer and both shapes, where something doesn't fit.
    """
    if kwargs:
        raise TypeError(f"Expected arguments of load_weights. Received: unknown {sorted(kwargs)}.")
    path = Path(filepath)
    if not path.exists():
        raise FileNotFoundError(f"Expected a file of weights. Received: {str(path)!r}, where there is none.")
    if _suffix(path, (".h5", ".keras")) == ".keras":
        with archive.Archive(path) as opened, opened.weights() as file, hdf5.reading(file) as reader:
            state.load(model, reader, skip_mismatch, by_name)
    else:
        with hdf5.reading(path) as reader:
            load = legacy.load_weights if legacy.is_legacy(reader) else state.load
            load(model, reader, skip_mismatch, by_name)
    model._steps = {}  # they hold the keys of seed generators


def to_json(model: Any, **kwargs: Any) -> str:
    """Return the architecture of a model as JSON; ``kwargs`` are those of ``json.dumps``."""
    return json.dumps(configs.describe(model, with_compile=True), **kwargs)


def model_from_json(json_string: str, custom_objects: dict | None = None) -> Any:
    """Return the model that ``to_json`` described, with new weights.

    >>> import polykeras as keras
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    >>> model_from_json(model.to_json()).count_params()
    8
    """
    with registry.custom_object_scope(custom_objects or {}):
        return _build(configs.parse(json_string), {})
