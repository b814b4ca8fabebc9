"""The path of Keras 2 to layers and models: ``from keras.engine import Layer``."""

from polykeras.compat.keras2.utils.layer_utils import get_source_inputs
from polykeras.core.graph import Node
from polykeras.layers import Input, InputLayer, InputSpec, Layer
from polykeras.models import Model, Sequential, model_from_config, model_from_json
from polykeras.saving import load_model, save_model

Network = Model

__all__ = [
    "Input",
    "InputLayer",
    "InputSpec",
    "Layer",
    "Model",
    "Network",
    "Node",
    "Sequential",
    "get_source_inputs",
    "load_model",
    "model_from_config",
    "model_from_json",
    "save_model",
]
