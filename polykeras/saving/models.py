"""Saving and loading whole models and weights, in the format given by the file name."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from polykeras.core import naming
from polykeras.core.functionalization import settled
from polykeras.saving import (
    archive,
    assets,
    files,
    hdf5,
    keras2_files,
    open_files,
    orbax,
    safetensors_files,
    shards,
    weight_tree,
)
from polykeras.saving.ledger import Ledger, NotingWriter
from polykeras.serialization import configs, registry

#: The suffixes of weights files.
_WEIGHTS = (".weights.h5", shards.SUFFIX, ".safetensors", ".h5")
#: Whether files with any other name are HDF5 files too, as in Keras 2.
any_name_is_hdf5 = False


def version() -> str:
    """Return the version of polykeras, which is stored in files."""
    from polykeras import __version__

    return __version__


def suffix_of(path: Path, known: tuple[str, ...]) -> str:
    """Return the known suffix of a file name; ``.h5`` also for ``.hdf5``, which users of Keras 2 write.

    Raises:
        ValueError: for an unknown suffix.
    """
    for suffix in known:
        if path.name.endswith(suffix):
            return suffix
    if (any_name_is_hdf5 or path.name.endswith(".hdf5")) and ".h5" in known:
        return ".h5"
    raise ValueError(
        f"Expected a file name that ends in one of {naming.listed(known)}. Received: {str(path)!r}. (In Keras 2 any "
        "other is an HDF5 file too: keras.config.set_era('keras2').)"
    )


def save_model(
    model: Any, filepath: Any, overwrite: bool = True, include_optimizer: bool = True, **kwargs: Any
) -> None:
    """Save a model: its architecture, its weights, and what is needed to continue training.

    The file is written next to the old one, and replaces it once it is complete.

    Args:
        model: a model with a config: Sequential, Functional, or a class of yours with ``get_config``.
        filepath: path ending in ``.keras``, or in ``.h5`` or ``.hdf5`` for the layout of Keras 2. Or a binary file open
            for writing, such as a BytesIO, which receives a ``.keras`` file; or an h5py File or Group.
        overwrite: bool, whether to replace an existing file; default True.
        include_optimizer: bool, whether to save the arguments of ``compile`` and the optimizer's state; default True.
        **kwargs: Keras 2's ``save_format`` and Keras 3's ``zipped``, which the file name determines.

    Raises:
        FileExistsError: if the file exists and ``overwrite`` is False.
        ValueError: for an unknown suffix, unknown arguments, or a model whose config can't be written.

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
        raise ValueError(f"Expected arguments of save_model. Received: unknown {sorted(kwargs)}.")
    if open_files.is_open(filepath):
        with open_files.written(filepath, ".keras") as temporary:
            save_model(model, temporary, overwrite, include_optimizer)
        return
    with _read_whole(model):
        _write_model(model, Path(filepath), overwrite, include_optimizer)


def _read_whole(thing: Any) -> contextlib.AbstractContextManager:
    """Return a context in which this thread reads the values that one step left; layers may be parts of a model."""
    return thing._read_whole() if hasattr(thing, "_read_whole") else settled(getattr(thing, "variables", []))


def _write_model(model: Any, path: Path, overwrite: bool, include_optimizer: bool) -> None:
    suffix = suffix_of(path, (".keras", ".h5"))
    config = configs.describe(model, include_optimizer)
    if suffix == ".h5":
        with files.replacing(path, overwrite) as temporary:
            _write(temporary, hdf5, lambda writer: keras2_files.save_model(model, writer, config))
        return
    optimizer = model.optimizer if "compile_config" in config else None
    metadata = {
        "keras_version": configs.KERAS_VERSION,
        "polykeras_version": version(),
        "backend": getattr(model, "_backend_name", None),
        "date_saved": datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S"),
    }
    with files.replacing(path, overwrite) as temporary, assets.collected(model) as members:
        ledger = Ledger()

        def fill(writer: Any) -> Any:
            return weight_tree.save(model, ledger.noting(writer), optimizer)

        archive.write(temporary, config, metadata, fill, members)
        with hdf5.reading_new(temporary) as reader:
            ledger.check_file(reader.arrays(), path.name)


def _write(path: Path, module: Any, fill: Callable[[NotingWriter], None]) -> None:
    """Write a file of arrays with a module of this package, and compare its contents with what was written."""
    ledger = Ledger()
    with module.writing(path, version()) as writer:
        fill(ledger.noting(writer))
    with module.reading_new(path) as reader:
        ledger.check_file(reader.arrays(), path.name)


def load_model(filepath: Any, custom_objects: dict | None = None, compile: bool = True, safe_mode: bool = True) -> Any:
    """Load a model onto the current backend: from a ``.keras`` file of polykeras or Keras 3, or an ``.h5`` file.

    Nothing in the file is run or imported: only built-in classes, registered ones and
    ``custom_objects`` are instantiated.

    Args:
        filepath: path of the file, or of the folder of an OrbaxCheckpoint (its latest step); or a binary file open for
            reading, or an h5py File or Group.
        custom_objects: dict of names for your own classes and functions; default None.
        compile: bool, whether to compile like the saved model, and load the optimizer's state; default True.
        safe_mode: bool, whether to refuse files that contain code, such as a lambda as bytecode. False lets the file
            run any code in it: only for files that you trust as you trust a program. Default True.

    Raises:
        FileNotFoundError: if there is no such file; it is a ValueError too.
        ValueError: for a damaged or malicious file, or an unknown class.

    >>> import polykeras as keras, tempfile
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> path = tempfile.mkdtemp() + "/model.keras"
    >>> model.save(path); keras.models.load_model(path).count_params()
    3
    """
    if open_files.is_open(filepath):
        with open_files.readable(filepath, ".h5", ".keras") as path:
            return load_model(path, custom_objects, compile, safe_mode)
    with registry.safe_mode_scope(safe_mode), registry.custom_object_scope(custom_objects or {}):
        return _load_model(filepath, compile)


def _load_model(filepath: str | os.PathLike, compile: bool) -> Any:
    path = Path(filepath)
    if not path.exists():
        suffix_of(path, (".keras", ".h5"))
        raise files.NoFileError(f"Expected a model file. Received: {str(path)!r}, where there is none.")
    if path.is_dir():
        return _load_checkpoint(path, compile)
    if open_files.is_hdf5(path) or suffix_of(path, (".keras", ".h5")) == ".h5":
        return _load_legacy(path, compile)
    with archive.Archive(path) as opened:
        config = opened.json(archive.CONFIG)
        model = _build(config, opened.metadata)
        with opened.weights() as reader:
            weight_tree.load(model, reader)
            assets.load(model, opened)
            if compile:
                _compile_as_saved(model, config, reader)
    return model


def _compile_as_saved(model: Any, config: dict, reader: Any) -> None:
    if config.get("compile_config") and hasattr(model, "compile_from_config"):
        model.compile_from_config(configs.read(config["compile_config"]))
        weight_tree.load_optimizer(model, reader)


def _load_checkpoint(path: Path, compile: bool) -> Any:
    with orbax.reading(path) as reader:
        if reader.config is None:
            raise ValueError(
                f"Expected a checkpoint of a whole model. Received: {str(path)!r} with weights only. Use "
                f"model.load_weights."
            )
        model = _build(reader.config, {})
        weight_tree.load(model, reader)
        assets.load(model, reader)
        if compile:
            _compile_as_saved(model, reader.config, reader)
    return model


def _load_legacy(path: Path, compile: bool) -> Any:
    with hdf5.reading(path) as reader:
        versions = {name: reader.attribute(name) for name in ("keras_version", "polykeras_version")}
        model = _build(keras2_files.model_config(reader), versions)
        keras2_files.load_weights(model, reader)
        if compile and hasattr(model, "compile_from_config"):
            keras2_files.compile_and_load_optimizer(model, reader)
    return model


def _build(config: Any, metadata: dict) -> Any:
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str):
        raise ValueError(f"Expected the config of a model. Received: {str(config)[:80]!r}.")
    try:
        if configs.is_of_keras_3(metadata):
            config = configs.without_modes(config)
        with registry.making_shared():
            return registry.deserialize(configs.read(config), family="models")
    except RecursionError:
        raise ValueError("Expected the config of a model. Received: one that is nested too deeply.") from None
    except (TypeError, ValueError, KeyError) as error:
        error.add_note(_about_versions(metadata))
        raise


def _about_versions(metadata: dict) -> str:
    """Describe who saved a model, and what to do if that was a newer version."""
    for library, known in (("polykeras", version()), ("keras", configs.KERAS_VERSION)):
        saved = metadata.get(f"{library}_version")
        if saved:
            note = f"The model was saved by {library} {saved}; this polykeras knows {library} {known}."
            if _numbers(saved) > _numbers(known):
                note += " Update polykeras, or build the model in Python and load its weights by load_weights."
            return note
    return f"The model does not record the version that saved it; this is polykeras {version()}."


def _numbers(version: Any) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", str(version))[:3]]


def save_weights(
    model: Any,
    filepath: Any,
    overwrite: bool = True,
    max_shard_size: float | None = None,
    objects_to_skip: Any = None,
    **kwargs: Any,
) -> None:
    """Save the weights of a model, and the state of a compiled model's optimizer.

    Args:
        model: built model.
        filepath: path that ends in ``.weights.h5``; in ``.safetensors``; in ``.weights.json`` for an index of several
            files; or in ``.h5`` for the layout of Keras 2, which has no place for the optimizer. Or a binary file open
            for writing, which receives a ``.weights.h5`` file; or an h5py File or Group.
        overwrite: bool, whether to replace an existing file; default True.
        max_shard_size: maximum number of GiB of arrays in a file, for an index; default None.
        objects_to_skip: list of layers whose weights are omitted, not in the layout of Keras 2; default None.
        **kwargs: Keras 2's ``save_format``, which the file name determines.

    Raises:
        FileExistsError: if the file exists and ``overwrite`` is False.
        ValueError: for an unknown suffix, a model without weights yet, or an array that exceeds ``max_shard_size``.

    >>> import os, tempfile, polykeras as keras
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
    >>> save_weights(model, path)
    >>> load_weights(model, path)
    """
    kwargs.pop("save_format", None)
    if kwargs:
        raise ValueError(f"Expected arguments of save_weights. Received: unknown {sorted(kwargs)}.")
    if open_files.is_open(filepath):
        with open_files.written(filepath, ".weights.h5") as temporary:
            save_weights(model, temporary, overwrite, max_shard_size, objects_to_skip)
        return
    path = Path(filepath)
    suffix = suffix_of(path, _WEIGHTS)
    if suffix == ".weights.h5" and max_shard_size is not None:
        path, suffix = path.with_suffix(".json"), shards.SUFFIX
    if (max_shard_size is None) == (suffix == shards.SUFFIX):
        raise ValueError(
            f"Expected max_shard_size, in GiB, with the name of an index, '....weights.json', and only then. "
            f"Received: max_shard_size={max_shard_size!r} with {str(path)!r}."
        )
    _check_skipped(objects_to_skip, suffix == ".h5")
    if not model.built:
        raise ValueError(
            f"Model {model.name!r}: Expected a built model. Received: one without weights yet. Call it on data first."
        )
    with _read_whole(model):
        _write_weights(model, path, suffix, overwrite, max_shard_size, objects_to_skip)


def _write_weights(
    model: Any, path: Path, suffix: str, overwrite: bool, max_shard_size: float | None, objects_to_skip: Any
) -> None:
    optimizer = getattr(model, "optimizer", None)
    if max_shard_size is not None:
        ledger = Ledger()
        with shards.writing(path, max_shard_size * 2**30, version(), overwrite) as writer:
            weight_tree.save(model, ledger.noting(writer), optimizer, objects_to_skip)
            with writer.reading_new() as reader:
                ledger.check_file(reader.arrays(), path.name)
        return
    with files.replacing(path, overwrite) as temporary:
        if suffix == ".h5":
            _write(temporary, hdf5, lambda writer: keras2_files.save_weights(model, writer))
        else:
            module = safetensors_files if suffix == ".safetensors" else hdf5
            _write(temporary, module, lambda writer: weight_tree.save(model, writer, optimizer, objects_to_skip))


def load_weights(
    model: Any,
    filepath: Any,
    skip_mismatch: bool = False,
    by_name: bool = False,
    objects_to_skip: Any = None,
    **kwargs: Any,
) -> None:
    """Load weights into a model, and the state of the optimizer if both the model and the file have one.

    Args:
        model: built model.
        filepath: path of a file from ``save_weights``, of a whole model in a ``.keras`` file, or of the folder of an
            OrbaxCheckpoint, for its latest step; or a binary file open for reading, or an h5py File or Group. A
            safetensors file is memory-mapped: weights are read when they are first needed.
        skip_mismatch: bool, whether to skip layers with missing weights or other shapes, with a warning; default False.
        by_name: bool, whether to match layers by name instead of order, without the optimizer; default False.
        objects_to_skip: list of layers that are not changed, not with the layout of Keras 2; default None.
        **kwargs: ``reshape``, bool: in files of Keras 2, also accept arrays of other shapes with as many entries.

    Raises:
        FileNotFoundError: if there is no file.
        ValueError: if something does not match; the message names the layer and both shapes.

    >>> import polykeras as keras, tempfile
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> path = tempfile.mkdtemp() + "/model.weights.h5"
    >>> keras.saving.save_weights(model, path); keras.saving.load_weights(model, path)
    """
    reshape = kwargs.pop("reshape", False)
    if kwargs:
        raise ValueError(f"Expected arguments of load_weights. Received: unknown {sorted(kwargs)}.")
    if open_files.is_open(filepath):
        with open_files.readable(filepath, ".weights.h5", ".keras") as path:
            load_weights(model, path, skip_mismatch, by_name, objects_to_skip, reshape=reshape)
        return
    path = Path(filepath)
    if not path.exists():
        raise files.NoFileError(f"Expected a file of weights. Received: {str(path)!r}, where there is none.")
    with reading(path) as reader:
        is_legacy = keras2_files.is_legacy(reader)
        _check_skipped(objects_to_skip, is_legacy)
        if is_legacy:
            keras2_files.load_weights(model, reader, skip_mismatch, by_name, reshape)
        else:
            weight_tree.load(model, reader, skip_mismatch, by_name, objects_to_skip)
            if getattr(model, "compiled", False) and not by_name:
                weight_tree.load_optimizer(model, reader)


def _check_skipped(objects_to_skip: Any, is_legacy: bool) -> None:
    if objects_to_skip and is_legacy:
        raise ValueError(
            "Expected objects_to_skip with files of Keras 3, such as .weights.h5. Received: a file in the layout of "
            "Keras 2."
        )


@contextlib.contextmanager
def reading(path: Path) -> Iterator[Any]:
    """Context manager: a reader of the weights in a file of any format, which is verified first."""
    if path.is_dir():
        with orbax.reading(path) as reader:
            yield reader
        return
    has_suffix = path.name.endswith((".keras", *_WEIGHTS))
    suffix = ".h5" if not has_suffix and open_files.is_hdf5(path) else suffix_of(path, (".keras", *_WEIGHTS))
    if suffix == ".keras":
        with archive.Archive(path) as opened, opened.weights() as reader:
            yield reader
    else:
        modules = {shards.SUFFIX: shards, ".safetensors": safetensors_files}
        with modules.get(suffix, hdf5).reading(path) as reader:
            yield reader


def to_json(model: Any, **kwargs: Any) -> str:
    """Return the architecture of a model as JSON; ``kwargs`` are passed to ``json.dumps``."""
    return json.dumps(configs.describe(model, with_compile=True), **kwargs)


def model_from_json(json_string: str, custom_objects: dict | None = None) -> Any:
    """Return the model described by ``to_json``, with new weights.

    Args:
        json_string: str.
        custom_objects: dict from names to classes or functions; default None.

    >>> import polykeras as keras
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    >>> model_from_json(model.to_json()).count_params()
    8
    """
    described = configs.parse(json_string)
    version = str(described.get("keras_version") or "") if isinstance(described, dict) else ""
    if version.startswith(("1.", "2.")):
        described = keras2_files.of_its_version(described, int(version[0]))
    with registry.custom_object_scope(custom_objects or {}):
        return _build(described, {})
