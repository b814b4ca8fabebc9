"""Utilities for models: seeding, targets, sequences, and registration of custom objects."""

from typing import TYPE_CHECKING

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
    "H5Dict",
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
    "multi_gpu_model",
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

if TYPE_CHECKING:  # the names below, for editors and type checkers
    from polykeras.compat.keras2 import plain_configs as legacy
    from polykeras.compat.keras2.utils import conv_utils as conv_utils
    from polykeras.compat.keras2.utils import data_utils as data_utils
    from polykeras.compat.keras2.utils import generic_utils as generic_utils
    from polykeras.compat.keras2.utils import io_utils as io_utils
    from polykeras.compat.keras2.utils import layer_utils as layer_utils
    from polykeras.compat.keras2.utils import losses_utils as losses_utils
    from polykeras.compat.keras2.utils import metrics_utils as metrics_utils
    from polykeras.compat.keras2.utils import multi_gpu_utils as multi_gpu_utils
    from polykeras.compat.keras2.utils import np_utils as np_utils
    from polykeras.compat.keras2.utils import training_utils as training_utils
    from polykeras.compat.keras2.utils import vis_utils as vis_utils
    from polykeras.compat.keras2.utils.conv_utils import conv_input_length as conv_input_length
    from polykeras.compat.keras2.utils.conv_utils import conv_output_length as conv_output_length
    from polykeras.compat.keras2.utils.conv_utils import convert_kernel as convert_kernel
    from polykeras.compat.keras2.utils.conv_utils import deconv_length as deconv_length
    from polykeras.compat.keras2.utils.conv_utils import normalize_padding as normalize_padding
    from polykeras.compat.keras2.utils.conv_utils import normalize_tuple as normalize_tuple
    from polykeras.compat.keras2.utils.data_utils import GeneratorEnqueuer as GeneratorEnqueuer
    from polykeras.compat.keras2.utils.data_utils import OrderedEnqueuer as OrderedEnqueuer
    from polykeras.compat.keras2.utils.data_utils import SequenceEnqueuer as SequenceEnqueuer
    from polykeras.compat.keras2.utils.data_utils import get_index as get_index
    from polykeras.compat.keras2.utils.data_utils import init_pool as init_pool
    from polykeras.compat.keras2.utils.data_utils import init_pool_generator as init_pool_generator
    from polykeras.compat.keras2.utils.data_utils import next_sample as next_sample
    from polykeras.compat.keras2.utils.data_utils import validate_file as validate_file
    from polykeras.compat.keras2.utils.generic_utils import check_for_unexpected_keys as check_for_unexpected_keys
    from polykeras.compat.keras2.utils.generic_utils import func_dump as func_dump
    from polykeras.compat.keras2.utils.generic_utils import func_load as func_load
    from polykeras.compat.keras2.utils.generic_utils import getargspec as getargspec
    from polykeras.compat.keras2.utils.generic_utils import has_arg as has_arg
    from polykeras.compat.keras2.utils.generic_utils import is_all_none as is_all_none
    from polykeras.compat.keras2.utils.generic_utils import object_list_uid as object_list_uid
    from polykeras.compat.keras2.utils.generic_utils import slice_arrays as slice_arrays
    from polykeras.compat.keras2.utils.generic_utils import to_list as to_list
    from polykeras.compat.keras2.utils.generic_utils import transpose_shape as transpose_shape
    from polykeras.compat.keras2.utils.generic_utils import unpack_singleton as unpack_singleton
    from polykeras.compat.keras2.utils.io_utils import H5Dict as H5Dict
    from polykeras.compat.keras2.utils.io_utils import HDF5Matrix as HDF5Matrix
    from polykeras.compat.keras2.utils.io_utils import ask_to_proceed_with_overwrite as ask_to_proceed_with_overwrite
    from polykeras.compat.keras2.utils.io_utils import load_from_binary_h5py as load_from_binary_h5py
    from polykeras.compat.keras2.utils.io_utils import save_to_binary_h5py as save_to_binary_h5py
    from polykeras.compat.keras2.utils.layer_utils import convert_all_kernels_in_model as convert_all_kernels_in_model
    from polykeras.compat.keras2.utils.layer_utils import (
        convert_dense_weights_data_format as convert_dense_weights_data_format,
    )
    from polykeras.compat.keras2.utils.layer_utils import count_params as count_params
    from polykeras.compat.keras2.utils.layer_utils import get_source_inputs as get_source_inputs
    from polykeras.compat.keras2.utils.layer_utils import print_summary as print_summary
    from polykeras.compat.keras2.utils.losses_utils import Reduction as Reduction
    from polykeras.compat.keras2.utils.losses_utils import broadcast_weights as broadcast_weights
    from polykeras.compat.keras2.utils.losses_utils import compute_weighted_loss as compute_weighted_loss
    from polykeras.compat.keras2.utils.losses_utils import reduce_weighted_loss as reduce_weighted_loss
    from polykeras.compat.keras2.utils.losses_utils import squeeze_or_expand_dimensions as squeeze_or_expand_dimensions
    from polykeras.compat.keras2.utils.metrics_utils import AUCCurve as AUCCurve
    from polykeras.compat.keras2.utils.metrics_utils import AUCSummationMethod as AUCSummationMethod
    from polykeras.compat.keras2.utils.metrics_utils import ConfusionMatrix as ConfusionMatrix
    from polykeras.compat.keras2.utils.metrics_utils import assert_thresholds_range as assert_thresholds_range
    from polykeras.compat.keras2.utils.metrics_utils import filter_top_k as filter_top_k
    from polykeras.compat.keras2.utils.metrics_utils import parse_init_thresholds as parse_init_thresholds
    from polykeras.compat.keras2.utils.metrics_utils import result_wrapper as result_wrapper
    from polykeras.compat.keras2.utils.metrics_utils import (
        update_confusion_matrix_variables as update_confusion_matrix_variables,
    )
    from polykeras.compat.keras2.utils.metrics_utils import update_state_wrapper as update_state_wrapper
    from polykeras.compat.keras2.utils.metrics_utils import weighted_assign_add as weighted_assign_add
    from polykeras.compat.keras2.utils.multi_gpu_utils import multi_gpu_model as multi_gpu_model
    from polykeras.compat.keras2.utils.vis_utils import add_edge as add_edge
    from polykeras.compat.keras2.utils.vis_utils import is_model as is_model
    from polykeras.compat.keras2.utils.vis_utils import is_wrapped_model as is_wrapped_model
    from polykeras.datasets.downloads import get_file as get_file
    from polykeras.datasets.from_arrays import split_dataset as split_dataset
    from polykeras.datasets.from_arrays import timeseries_dataset_from_array as timeseries_dataset_from_array
    from polykeras.datasets.from_directories import audio_dataset_from_directory as audio_dataset_from_directory
    from polykeras.datasets.from_directories import image_dataset_from_directory as image_dataset_from_directory
    from polykeras.datasets.from_directories import text_dataset_from_directory as text_dataset_from_directory
    from polykeras.saving import deserialize_keras_object as deserialize_keras_object
    from polykeras.utils import bounding_boxes as bounding_boxes
    from polykeras.utils.charts import plot_history as plot_history
    from polykeras.utils.feature_space import FeatureSpace as FeatureSpace
    from polykeras.utils.image_arrays import array_to_img as array_to_img
    from polykeras.utils.image_arrays import img_to_array as img_to_array
    from polykeras.utils.image_arrays import load_img as load_img
    from polykeras.utils.image_arrays import save_img as save_img
    from polykeras.utils.plotting import model_to_dot as model_to_dot
    from polykeras.utils.plotting import plot_model as plot_model
    from polykeras.utils.settings import Config as Config
else:
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
            "losses_utils",
            "metrics_utils",
            "multi_gpu_utils",
            "np_utils",
            "training_utils",
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
            "polykeras.compat.keras2.utils.data_utils": [
                "GeneratorEnqueuer",
                "OrderedEnqueuer",
                "SequenceEnqueuer",
                "get_index",
                "init_pool",
                "init_pool_generator",
                "next_sample",
                "validate_file",
            ],
            "polykeras.datasets.from_arrays": ["split_dataset", "timeseries_dataset_from_array"],
            "polykeras.datasets.from_directories": [
                "audio_dataset_from_directory",
                "image_dataset_from_directory",
                "text_dataset_from_directory",
            ],
            "polykeras.utils.feature_space": ["FeatureSpace"],
            "polykeras.compat.keras2.utils.generic_utils": [
                "check_for_unexpected_keys",
                "func_dump",
                "func_load",
                "getargspec",
                "object_list_uid",
                "has_arg",
                "is_all_none",
                "slice_arrays",
                "to_list",
                "transpose_shape",
                "unpack_singleton",
            ],
            "polykeras.saving": ["deserialize_keras_object"],
            "polykeras.utils.image_arrays": ["array_to_img", "img_to_array", "load_img", "save_img"],
            "polykeras.compat.keras2.utils.io_utils": [
                "H5Dict",
                "HDF5Matrix",
                "ask_to_proceed_with_overwrite",
                "load_from_binary_h5py",
                "save_to_binary_h5py",
            ],
            "polykeras.compat.keras2.utils.losses_utils": [
                "Reduction",
                "broadcast_weights",
                "compute_weighted_loss",
                "reduce_weighted_loss",
                "squeeze_or_expand_dimensions",
            ],
            "polykeras.compat.keras2.utils.metrics_utils": [
                "AUCCurve",
                "AUCSummationMethod",
                "ConfusionMatrix",
                "assert_thresholds_range",
                "filter_top_k",
                "parse_init_thresholds",
                "result_wrapper",
                "update_confusion_matrix_variables",
                "update_state_wrapper",
                "weighted_assign_add",
            ],
            "polykeras.compat.keras2.utils.vis_utils": [
                "add_edge",
                "is_model",
                "is_wrapped_model",
            ],
            "polykeras.compat.keras2.utils.layer_utils": [
                "convert_all_kernels_in_model",
                "convert_dense_weights_data_format",
                "count_params",
                "get_source_inputs",
                "print_summary",
            ],
            "polykeras.compat.keras2.utils.multi_gpu_utils": ["multi_gpu_model"],
            "polykeras.utils.plotting": ["model_to_dot", "plot_model"],
            "polykeras.utils.settings": ["Config"],
        },
    )
