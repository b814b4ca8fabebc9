"""The path of Keras 2 to layers and models: ``from keras.engine import Layer``."""

from polykeras.compat.keras1.merging import Merge
from polykeras.compat.keras2.utils.layer_utils import get_source_inputs
from polykeras.core import lazy
from polykeras.core.graph import Node
from polykeras.layers import Input, InputLayer, InputSpec, Layer, merge
from polykeras.models import Model, Sequential, model_from_config
from polykeras.saving import load_model, model_from_json, save_model

Network = Model

__all__ = [
    "Input",
    "InputLayer",
    "InputSpec",
    "Layer",
    "Merge",
    "Model",
    "Network",
    "Node",
    "Sequential",
    "get_source_inputs",
    "load_model",
    "merge",
    "model_from_config",
    "model_from_json",
    "save_model",
]

# Names of the modules of this package, which import it.
__getattr__, __dir__ = lazy.names(
    __name__,
    members={
        "polykeras.compat.keras2.engine.base_layer": ["disable_tracking"],
        "polykeras.compat.keras2.engine.saving": [
            "allow_read_from_gcs",
            "allow_write_to_gcs",
            "load_attributes_from_hdf5_group",
            "load_weights_from_hdf5_group",
            "load_weights_from_hdf5_group_by_name",
            "model_from_yaml",
            "pickle_model",
            "preprocess_weights_for_loading",
            "save_attributes_to_hdf5_group",
            "save_weights_to_hdf5_group",
            "unpickle_model",
        ],
    },
)
