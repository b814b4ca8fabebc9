"""Tools around models: seeds, targets, sequences, names of a user's own objects."""

from polykeras.backend import clear_session, is_keras_tensor, standardize_dtype
from polykeras.callbacks.progbar import Progbar
from polykeras.config import (
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
)
from polykeras.core.registry import (
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from polykeras.core.registry import deserialize as deserialize_keras_object
from polykeras.core.registry import serialize as serialize_keras_object
from polykeras.datasets.downloads import get_file
from polykeras.training.batches import pack_x_y_sample_weight, unpack_x_y_sample_weight
from polykeras.training.sources.datasets import PyDataset, Sequence
from polykeras.utils import bounding_boxes
from polykeras.utils.arrays import normalize, pad_sequences, to_categorical
from polykeras.utils.charts import plot_history
from polykeras.utils.datasets import split_dataset, timeseries_dataset_from_array
from polykeras.utils.directories import (
    audio_dataset_from_directory,
    image_dataset_from_directory,
    text_dataset_from_directory,
)
from polykeras.utils.image_arrays import array_to_img, img_to_array, load_img, save_img
from polykeras.utils.plotting import model_to_dot, plot_model
from polykeras.utils.random import set_random_seed

CustomObjectScope = custom_object_scope

__all__ = [
    "CustomObjectScope",
    "Progbar",
    "PyDataset",
    "Sequence",
    "array_to_img",
    "audio_dataset_from_directory",
    "bounding_boxes",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "disable_interactive_logging",
    "enable_interactive_logging",
    "get_custom_objects",
    "get_file",
    "get_registered_name",
    "get_registered_object",
    "image_dataset_from_directory",
    "img_to_array",
    "is_interactive_logging_enabled",
    "is_keras_tensor",
    "load_img",
    "model_to_dot",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "plot_history",
    "plot_model",
    "register_keras_serializable",
    "save_img",
    "serialize_keras_object",
    "set_random_seed",
    "split_dataset",
    "standardize_dtype",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
    "to_categorical",
    "unpack_x_y_sample_weight",
]
