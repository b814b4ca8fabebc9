"""The modules of ``keras.src`` that other packages import from, and where their names are found here.

>>> homes_of("layers.convolutional.base_conv")[0]
'polykeras.layers'
>>> homes_of("layers.no_such_module") is None
True
"""

from __future__ import annotations

import functools

#: The modules below each part of ``keras.src``.
MODULES = {
    "activations": "activations",
    "applications": """
        convnext densenet efficientnet efficientnet_v2 imagenet_utils inception_resnet_v2 inception_v3 mobilenet
        mobilenet_v2 mobilenet_v3 nasnet resnet resnet_v2 vgg16 vgg19 xception
    """,
    "backend": """
        common common.backend_utils common.dtypes common.global_state common.keras_tensor common.masking
        common.name_scope common.remat common.stateless_scope common.symbolic_scope common.tensor_attributes
        common.variables config jax jax.core jax.image jax.layer jax.linalg jax.math jax.nn jax.numpy jax.random
        jax.rnn jax.trainer numpy numpy.core numpy.image numpy.layer numpy.linalg numpy.math numpy.nn numpy.numpy
        numpy.random numpy.rnn numpy.trainer tensorflow tensorflow.core tensorflow.image tensorflow.layer
        tensorflow.linalg tensorflow.math tensorflow.nn tensorflow.numpy tensorflow.random tensorflow.rnn
        tensorflow.trainer torch torch.core torch.image torch.layer torch.linalg torch.math torch.nn torch.numpy
        torch.random torch.rnn torch.trainer
    """,
    "callbacks": """
        backup_and_restore callback callback_list csv_logger early_stopping history lambda_callback
        learning_rate_scheduler model_checkpoint monitor_callback orbax_checkpoint progbar_logger reduce_lr_on_plateau
        remote_monitor swap_ema_weights tensorboard terminate_on_nan
    """,
    "constraints": "constraints",
    "datasets": """
        boston_housing california_housing cifar cifar10 cifar100 fashion_mnist imdb mnist npz_utils reuters
    """,
    "distribution": "distribution_lib",
    "dtype_policies": "dtype_policy dtype_policy_map",
    "initializers": "constant_initializers initializer random_initializers",
    "layers": """
        activations activations.activation activations.elu activations.leaky_relu activations.prelu activations.relu
        activations.softmax attention attention.additive_attention attention.attention
        attention.grouped_query_attention attention.multi_head_attention convolutional convolutional.base_conv
        convolutional.base_conv_transpose convolutional.base_depthwise_conv convolutional.base_separable_conv
        convolutional.conv1d convolutional.conv1d_transpose convolutional.conv2d convolutional.conv2d_transpose
        convolutional.conv3d convolutional.conv3d_transpose convolutional.depthwise_conv1d
        convolutional.depthwise_conv2d convolutional.separable_conv1d convolutional.separable_conv2d core core.dense
        core.einsum_dense core.embedding core.identity core.input_layer core.lambda_layer core.masking
        core.reversible_embedding core.wrapper input_spec layer merging merging.add merging.average merging.base_merge
        merging.concatenate merging.dot merging.maximum merging.minimum merging.multiply merging.subtract
        normalization normalization.batch_normalization normalization.group_normalization
        normalization.layer_normalization normalization.rms_normalization normalization.spectral_normalization
        normalization.unit_normalization pooling pooling.adaptive_average_pooling1d pooling.adaptive_average_pooling2d
        pooling.adaptive_average_pooling3d pooling.adaptive_max_pooling1d pooling.adaptive_max_pooling2d
        pooling.adaptive_max_pooling3d pooling.average_pooling1d pooling.average_pooling2d pooling.average_pooling3d
        pooling.base_adaptive_pooling pooling.base_global_pooling pooling.base_pooling
        pooling.global_average_pooling1d pooling.global_average_pooling2d pooling.global_average_pooling3d
        pooling.global_max_pooling1d pooling.global_max_pooling2d pooling.global_max_pooling3d pooling.max_pooling1d
        pooling.max_pooling2d pooling.max_pooling3d preprocessing preprocessing.category_encoding
        preprocessing.data_layer preprocessing.discretization preprocessing.feature_space
        preprocessing.hashed_crossing preprocessing.hashing preprocessing.image_preprocessing
        preprocessing.image_preprocessing.aug_mix preprocessing.image_preprocessing.auto_contrast
        preprocessing.image_preprocessing.base_image_preprocessing_layer
        preprocessing.image_preprocessing.bounding_boxes preprocessing.image_preprocessing.bounding_boxes.bounding_box
        preprocessing.image_preprocessing.bounding_boxes.converters
        preprocessing.image_preprocessing.bounding_boxes.formats preprocessing.image_preprocessing.bounding_boxes.iou
        preprocessing.image_preprocessing.bounding_boxes.validation preprocessing.image_preprocessing.center_crop
        preprocessing.image_preprocessing.clahe preprocessing.image_preprocessing.cut_mix
        preprocessing.image_preprocessing.equalization preprocessing.image_preprocessing.max_num_bounding_box
        preprocessing.image_preprocessing.mix_up preprocessing.image_preprocessing.rand_augment
        preprocessing.image_preprocessing.random_brightness
        preprocessing.image_preprocessing.random_color_degeneration
        preprocessing.image_preprocessing.random_color_jitter preprocessing.image_preprocessing.random_contrast
        preprocessing.image_preprocessing.random_crop preprocessing.image_preprocessing.random_elastic_transform
        preprocessing.image_preprocessing.random_erasing preprocessing.image_preprocessing.random_flip
        preprocessing.image_preprocessing.random_gaussian_blur preprocessing.image_preprocessing.random_grayscale
        preprocessing.image_preprocessing.random_hue preprocessing.image_preprocessing.random_invert
        preprocessing.image_preprocessing.random_perspective preprocessing.image_preprocessing.random_posterization
        preprocessing.image_preprocessing.random_rotation preprocessing.image_preprocessing.random_saturation
        preprocessing.image_preprocessing.random_sharpness preprocessing.image_preprocessing.random_shear
        preprocessing.image_preprocessing.random_translation preprocessing.image_preprocessing.random_zoom
        preprocessing.image_preprocessing.resizing preprocessing.image_preprocessing.solarization
        preprocessing.index_lookup preprocessing.integer_lookup preprocessing.mel_spectrogram
        preprocessing.normalization preprocessing.pipeline preprocessing.rescaling preprocessing.stft_spectrogram
        preprocessing.string_lookup preprocessing.text_vectorization regularization
        regularization.activity_regularization regularization.alpha_dropout regularization.dropout
        regularization.gaussian_dropout regularization.gaussian_noise regularization.spatial_dropout reshaping
        reshaping.cropping1d reshaping.cropping2d reshaping.cropping3d reshaping.flatten reshaping.permute
        reshaping.repeat_vector reshaping.reshape reshaping.up_sampling1d reshaping.up_sampling2d
        reshaping.up_sampling3d reshaping.zero_padding1d reshaping.zero_padding2d reshaping.zero_padding3d rnn
        rnn.bidirectional rnn.conv_lstm rnn.conv_lstm1d rnn.conv_lstm2d rnn.conv_lstm3d rnn.dropout_rnn_cell rnn.gru
        rnn.lstm rnn.rnn rnn.simple_rnn rnn.stacked_rnn_cells rnn.time_distributed
    """,
    "legacy": """
        backend layers losses preprocessing preprocessing.image preprocessing.sequence preprocessing.text saving
        saving.json_utils saving.legacy_h5_format saving.saving_options saving.saving_utils saving.serialization
    """,
    "losses": "loss losses",
    "metrics": """
        accuracy_metrics confusion_metrics correlation_metrics f_score_metrics hinge_metrics iou_metrics metric
        metrics_utils probabilistic_metrics reduction_metrics regression_metrics
    """,
    "models": "cloning functional model sequential variable_mapping",
    "ops": "core einops function image linalg math nn node numpy operation operation_utils symbolic_arguments",
    "optimizers": """
        adadelta adafactor adagrad adam adamax adamw base_optimizer ftrl lamb lion loss_scale_optimizer
        multi_optimizer muon nadam optimizer rmsprop schedule_free_adamw schedules schedules.learning_rate_schedule
        sgd
    """,
    "random": "random seed_generator",
    "regularizers": "regularizers",
    "saving": "file_editor keras_saveable object_registration orbax_util saving_api saving_lib serialization_lib",
    "testing": "test_case test_utils",
    "trainers": """
        compile_utils data_adapters data_adapters.array_data_adapter data_adapters.array_slicing
        data_adapters.data_adapter data_adapters.data_adapter_utils data_adapters.generator_data_adapter
        data_adapters.grain_dataset_adapter data_adapters.py_dataset_adapter data_adapters.tf_dataset_adapter
        data_adapters.torch_data_loader_adapter epoch_iterator trainer
    """,
    "tree": "tree_api",
    "utils": """
        argument_validation audio_dataset_utils backend_utils code_stats config dataset_utils dtype_utils file_utils
        grain_utils image_dataset_utils image_utils io_utils jax_layer jax_utils model_visualization module_utils
        naming numerical_utils progbar python_utils rng_utils sequence_utils summary_utils text_dataset_utils tf_utils
        timeseries_dataset_utils torch_utils traceback_utils tracking
    """,
    "version": "",
    "visualization": """
        draw_bounding_boxes draw_segmentation_masks plot_bounding_box_gallery plot_image_gallery
        plot_segmentation_mask_gallery
    """,
    "wrappers": "fixes sklearn_wrapper utils",
}

_BACKEND = ("polykeras.backend", "polykeras.config", "polykeras.ops", "polykeras.random", "polykeras")

#: The modules that are searched for the names of a part, if it is not the public module of the same name. Names that
#: no public module has are found in ``names``.
_HOMES = {
    "backend": _BACKEND,
    "legacy.backend": ("polykeras.backend",),
    "legacy.saving.legacy_h5_format": ("polykeras.compat.keras2.engine.saving", "polykeras.saving"),
    "legacy.layers": ("polykeras.layers",),
    "legacy.losses": ("polykeras.compat.keras2.utils.losses_utils",),
    **{f"legacy.preprocessing.{name}": (f"polykeras.preprocessing.{name}",) for name in ("image", "sequence", "text")},
    "legacy": ("polykeras.compat.keras2.legacy", "polykeras.preprocessing", "polykeras.losses", "polykeras.saving"),
    "layers.merging": ("polykeras.layers.merge", "polykeras.layers"),
    "models": ("polykeras.models",),
    "ops": ("polykeras.ops", "polykeras"),
    "testing": (),
    "trainers": ("polykeras.utils",),
    "applications.imagenet_utils": ("polykeras.applications.imagenet_utils",),
    "applications": (),
    "version": ("polykeras",),
}
_OWN_NAMES = "polykeras.compat.keras3.names"


@functools.cache
def _paths() -> frozenset[str]:
    return frozenset({*MODULES, *(f"{part}.{name}" for part, modules in MODULES.items() for name in modules.split())})


def homes_of(path: str) -> tuple[str, ...] | None:
    """Return the modules to search for the names of a ``keras.src`` module; None if Keras has no such module.

    Args:
        path: str, what follows ``keras.src.``.
    """
    if path not in _paths():
        return None
    part, *inner = path.split(".")
    packages = [".".join([part, *inner[:depth]]) for depth in range(len(inner), -1, -1)]
    known = next((_HOMES[package] for package in packages if package in _HOMES), (f"polykeras.{part}",))
    return (*known, _OWN_NAMES)
