"""Files made to do harm: a config, put into each format that has configs."""

from __future__ import annotations

import json
import zipfile

import h5py

import polykeras as keras

FORMATS = ("keras", "h5", "json", "config")
INPUT = {"class_name": "InputLayer", "config": {"batch_shape": [None, 3], "dtype": "float32", "name": "i"}}


def sequential(*layers):
    """The config of a stack of described layers."""
    return {"class_name": "Sequential", "config": {"name": "harm", "layers": [INPUT, *layers]}}


def functional(operation, args, kwargs=None):
    """The config of a graph with one call."""
    layers = [
        {**INPUT, "name": "i", "inbound_nodes": []},
        {**operation, "name": "op", "inbound_nodes": [{"args": args, "kwargs": kwargs or {}}]},
    ]
    ends = {"input_layers": ["i", 0, 0], "output_layers": ["op", 0, 0]}
    return {"class_name": "Functional", "module": "keras", "config": {"name": "harm", "layers": layers, **ends}}


X = {"class_name": "__keras_tensor__", "config": {"shape": [None, 3], "dtype": "float32", "keras_history": ["i", 0, 0]}}


def archive(path, config, weights=None, compile_config=None, **members):
    """Write a ``.keras`` file as another program would."""
    h5py.File(path.with_suffix(".w"), "w").close()
    described = config | ({"compile_config": compile_config} if compile_config else {})
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        file.writestr("config.json", json.dumps(described))
        file.writestr("model.weights.h5", weights or path.with_suffix(".w").read_bytes())
        for name, data in members.items():
            file.writestr(name, data)
    return path


def load(kind, folder, config, **arguments):
    """Load a config from a file of a format."""
    if kind == "keras":
        return keras.models.load_model(archive(folder / "harm.keras", config), **arguments)
    if kind == "h5":
        with h5py.File(folder / "harm.h5", "w") as file:
            file.attrs["model_config"] = json.dumps(config)
            file.create_group("model_weights").attrs["layer_names"] = []
        return keras.models.load_model(folder / "harm.h5", **arguments)
    if kind == "json":
        return keras.models.model_from_json(json.dumps(config))
    return keras.saving.deserialize_keras_object(config, **arguments)
