"""Tools around models: seeds, targets, sequences, names of a user's own objects."""

from polykeras.callbacks.progbar import Progbar
from polykeras.compat.keras2.backend import clear_session, is_keras_tensor, standardize_dtype
from polykeras.config import (
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
)
from polykeras.core import lazy
from polykeras.serialization import registry
from polykeras.serialization.registry import (
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from polykeras.serialization.registry import deserialize as deserialize_keras_object
from polykeras.serialization.registry import serialize as serialize_keras_object
from polykeras.training.data.batches import pack_x_y_sample_weight, unpack_x_y_sample_weight
from polykeras.training.data.datasets import PyDataset, Sequence
from polykeras.utils.arrays import normalize, pad_sequences, to_categorical
from polykeras.utils.seeding import set_random_seed

CustomObjectScope = custom_object_scope

__all__ = [
    "Config",
    "CustomObjectScope",
    "FeatureSpace",
    "GeneratorEnqueuer",
    "HDF5Matrix",
    "OrderedEnqueuer",
    "Progbar",
    "PyDataset",
    "Sequence",
    "SequenceEnqueuer",
    "array_to_img",
    "ask_to_proceed_with_overwrite",
    "audio_dataset_from_directory",
    "bounding_boxes",
    "clear_session",
    "conv_input_length",
    "conv_output_length",
    "convert_all_kernels_in_model",
    "convert_dense_weights_data_format",
    "convert_kernel",
    "count_params",
    "custom_object_scope",
    "deconv_length",
    "deserialize_keras_object",
    "disable_interactive_logging",
    "enable_interactive_logging",
    "get_custom_objects",
    "get_file",
    "get_registered_name",
    "get_registered_object",
    "get_source_inputs",
    "has_arg",
    "image_dataset_from_directory",
    "img_to_array",
    "is_all_none",
    "is_interactive_logging_enabled",
    "is_keras_tensor",
    "legacy",
    "load_img",
    "model_to_dot",
    "normalize",
    "normalize_padding",
    "normalize_tuple",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "plot_history",
    "plot_model",
    "print_summary",
    "register_keras_serializable",
    "save_img",
    "serialize_keras_object",
    "set_random_seed",
    "slice_arrays",
    "split_dataset",
    "standardize_dtype",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
    "to_categorical",
    "to_list",
    "transpose_shape",
    "unpack_singleton",
    "unpack_x_y_sample_weight",
]

# A saved FeatureSpace is known before its module is loaded.
registry.register_later("keras.utils>FeatureSpace", "polykeras.utils.feature_space")

__getattr__, __dir__ = lazy.names(
    __name__,
    modules=[
        "bounding_boxes",
        "conv_utils",
        "data_utils",
        "generic_utils",
        "io_utils",
        "layer_utils",
        "legacy",
        "np_utils",
        "vis_utils",
    ],
    members={
        "polykeras.datasets.downloads": ["get_file"],
        "polykeras.utils.charts": ["plot_history"],
        "polykeras.compat.keras2.utils.conv_utils": [
            "conv_input_length",
            "conv_output_length",
            "convert_kernel",
            "deconv_length",
            "normalize_padding",
            "normalize_tuple",
        ],
        "polykeras.compat.keras2.utils.data_utils": ["GeneratorEnqueuer", "OrderedEnqueuer", "SequenceEnqueuer"],
        "polykeras.datasets.from_arrays": ["split_dataset", "timeseries_dataset_from_array"],
        "polykeras.datasets.from_directories": [
            "audio_dataset_from_directory",
            "image_dataset_from_directory",
            "text_dataset_from_directory",
        ],
        "polykeras.utils.feature_space": ["FeatureSpace"],
        "polykeras.compat.keras2.utils.generic_utils": [
            "has_arg",
            "is_all_none",
            "slice_arrays",
            "to_list",
            "transpose_shape",
            "unpack_singleton",
        ],
        "polykeras.utils.image_arrays": ["array_to_img", "img_to_array", "load_img", "save_img"],
        "polykeras.compat.keras2.utils.io_utils": ["HDF5Matrix", "ask_to_proceed_with_overwrite"],
        "polykeras.compat.keras2.utils.layer_utils": [
            "convert_all_kernels_in_model",
            "convert_dense_weights_data_format",
            "count_params",
            "get_source_inputs",
            "print_summary",
        ],
        "polykeras.utils.plotting": ["model_to_dot", "plot_model"],
        "polykeras.utils.settings": ["Config"],
    },
)
