"""What differs between Keras 2.3.1 and Keras 3 though both have it: one table, and the switch between them.

The era is that of Keras 3 unless the other is requested: by ``keras.config.set_era("keras2")``, ``KERAS_ERA=2`` in
the environment, or ``python -m polykeras run`` with a script for Keras 2.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any

from polykeras.compat.keras2.backend.neural import hard_sigmoid
from polykeras.compat.keras2.tensor_members import (
    TensorName,
    VariableName,
    depthwise_kernel,
    full_name,
    is_made_by_layer,
)
from polykeras.compat.keras2.tensorflow_members import MEMBERS, TensorShape
from polykeras.core import trees
from polykeras.core.expressions import deferred
from polykeras.core.operators import Operators
from polykeras.core.renamed import ordered_by_era, reordered
from polykeras.interop.tensorflow_functions import get_item
from polykeras.regularizers import L1L2
from polykeras.serialization import registry

_POOLING_1D = ("AveragePooling1D", "MaxPooling1D", "GlobalAveragePooling1D", "GlobalMaxPooling1D")

#: Defaults of arguments: (module, class or function, argument, default in Keras 2.3.1).
DEFAULTS = (
    ("optimizers.adagrad", "Adadelta", "learning_rate", 1.0),
    ("optimizers.adagrad", "Adagrad", "learning_rate", 0.01),
    ("optimizers.adagrad", "Adagrad", "initial_accumulator_value", 0.0),
    ("optimizers.adam", "Adamax", "learning_rate", 0.002),
    ("optimizers.adam", "Nadam", "learning_rate", 0.002),
    ("layers.recurrent", "GRU", "reset_after", False),
    ("layers.recurrent_cells", "GRUCell", "reset_after", False),
    ("layers.convolutional_recurrent", "ConvLSTM2D", "recurrent_activation", "hard_sigmoid"),
    ("layers.convolutional_recurrent", "ConvLSTM2DCell", "recurrent_activation", "hard_sigmoid"),
    *(("layers.convolutional", name, "data_format", "channels_last") for name in ("Conv1D", "SeparableConv1D")),
    *(("layers.pooling", name, "data_format", "channels_last") for name in _POOLING_1D),
    ("preprocessing.image", "ImageDataGenerator", "data_format", "channels_last"),
    ("preprocessing.image", "ImageDataGenerator", "dtype", "float32"),
    ("preprocessing.transforms", "apply_affine_transform", "row_axis", 0),
    ("preprocessing.transforms", "apply_affine_transform", "col_axis", 1),
    ("preprocessing.transforms", "apply_affine_transform", "channel_axis", 2),
    ("utils", "Progbar", "width", 30),
    ("losses", "KLDivergence", "name", "kullback_leibler_divergence"),
    ("losses", "LogCosh", "name", "logcosh"),
    ("metrics", "KLDivergence", "name", "kullback_leibler_divergence"),
    ("models.model", "Model.predict", "verbose", 0),
    ("callbacks.progress", "ProgbarLogger", "count_mode", "samples"),
    ("callbacks.tensorboard", "TensorBoard", "log_dir", "./logs"),
    ("utils.plotting", "plot_model", "show_layer_names", True),
    ("utils.plotting", "plot_model", "dpi", 96),
    ("utils.plotting", "model_to_dot", "dpi", 96),
)

_RNN = "dropout recurrent_dropout implementation return_sequences return_state go_backwards stateful unroll"
_CONVOLUTION = (
    "filters kernel_size strides padding data_format dilation_rate activation use_bias kernel_initializer "
    "bias_initializer kernel_regularizer bias_regularizer activity_regularizer kernel_constraint bias_constraint"
)
_CELL = (
    "units activation recurrent_activation use_bias kernel_initializer recurrent_initializer bias_initializer "
    "{}kernel_regularizer recurrent_regularizer bias_regularizer {}kernel_constraint recurrent_constraint "
    "bias_constraint "
)
_EPOCH = "on_epoch_begin on_epoch_end"
_CHECKPOINT = "filepath monitor verbose save_best_only save_weights_only mode"
_FIT = (
    "x y batch_size epochs verbose callbacks validation_split validation_data shuffle class_weight sample_weight "
    "initial_epoch steps_per_epoch validation_steps"
)
_WORKERS = "max_queue_size workers use_multiprocessing"
_ACTIVITY, _FORGET = "activity_regularizer ", "unit_forget_bias "

#: Positional arguments whose order differs: (module, class, method or function, names in the order of Keras 2.3.1).
ORDERS = (
    (
        "callbacks.lambda_callback",
        "LambdaCallback",
        f"{_EPOCH} on_batch_begin on_batch_end on_train_begin on_train_end",
    ),
    ("callbacks.callback", "CallbackList", "callbacks queue_length"),
    ("callbacks.checkpoints", "ModelCheckpoint", f"{_CHECKPOINT} period"),
    (
        "callbacks.tensorboard",
        "TensorBoard",
        "log_dir histogram_freq batch_size write_graph write_grads write_images embeddings_freq "
        "embeddings_layer_names embeddings_metadata embeddings_data update_freq",
    ),
    ("layers.convolutional", "Conv1D", _CONVOLUTION),
    ("layers.convolutional", "Conv2D", _CONVOLUTION),
    ("layers.convolutional", "Conv3D", _CONVOLUTION),
    (
        "layers.convolutional",
        "Conv3DTranspose",
        "filters kernel_size strides padding output_padding data_format activation use_bias kernel_initializer "
        "bias_initializer kernel_regularizer bias_regularizer activity_regularizer kernel_constraint bias_constraint",
    ),
    (
        "layers.convolutional_recurrent",
        "ConvLSTM2D",
        "filters kernel_size strides padding data_format dilation_rate activation recurrent_activation use_bias "
        "kernel_initializer recurrent_initializer bias_initializer unit_forget_bias kernel_regularizer "
        "recurrent_regularizer bias_regularizer activity_regularizer kernel_constraint recurrent_constraint "
        "bias_constraint return_sequences go_backwards stateful dropout recurrent_dropout",
    ),
    ("layers.core", "Input", "shape batch_shape name dtype sparse tensor"),
    ("layers.core", "InputLayer", "input_shape batch_size batch_input_shape dtype input_tensor sparse name"),
    (
        "layers.embeddings",
        "Embedding",
        "input_dim output_dim embeddings_initializer embeddings_regularizer activity_regularizer "
        "embeddings_constraint mask_zero input_length",
    ),
    (
        "layers.recurrent_cells",
        "GRUCell",
        f"{_CELL.format('', '')}dropout recurrent_dropout implementation reset_after",
    ),
    (
        "layers.recurrent_cells",
        "LSTMCell",
        f"{_CELL.format(_FORGET, '')}dropout recurrent_dropout implementation",
    ),
    ("layers.recurrent", "GRU", f"{_CELL.format('', _ACTIVITY)}{_RNN} reset_after"),
    ("layers.recurrent", "LSTM", f"{_CELL.format(_FORGET, _ACTIVITY)}{_RNN}"),
    ("losses", "Loss", "reduction name"),
    ("losses", "BinaryCrossentropy", "from_logits label_smoothing reduction name"),
    ("losses", "CategoricalCrossentropy", "from_logits label_smoothing reduction name"),
    ("losses", "SparseCategoricalCrossentropy", "from_logits reduction name"),
    ("losses", "sparse_categorical_crossentropy", "y_true y_pred from_logits axis"),
    ("metrics", "Metric", "name dtype"),
    ("metrics", "SensitivityAtSpecificity", "specificity num_thresholds name dtype"),
    ("compat.keras2.metrics", "SensitivitySpecificityBase", "value num_thresholds name dtype"),
    ("metrics", "SpecificityAtSensitivity", "sensitivity num_thresholds name dtype"),
    ("metrics", "SparseCategoricalCrossentropy", "name dtype from_logits axis"),
    (
        "models.model",
        "Model.compile",
        "optimizer loss metrics loss_weights sample_weight_mode weighted_metrics target_tensors",
    ),
    ("models.model", "Model.fit", f"{_FIT} validation_freq {_WORKERS}"),
    ("models.model", "Model.evaluate", f"x y batch_size verbose sample_weight steps callbacks {_WORKERS}"),
    ("models.model", "Model.predict", f"x batch_size verbose steps callbacks {_WORKERS}"),
    ("models.model", "Model.train_on_batch", "x y sample_weight class_weight reset_metrics"),
    ("models.model", "Model.test_on_batch", "x y sample_weight reset_metrics"),
    ("models.model", "Model.save", "filepath overwrite include_optimizer"),
    ("models.model", "Model.load_weights", "filepath by_name skip_mismatch reshape"),
    ("models.sequential", "Sequential", "layers name"),
    ("optimizers.adam", "Adam", "learning_rate beta_1 beta_2 amsgrad"),
    (
        "preprocessing.image",
        "DataFrameIterator",
        "dataframe directory image_data_generator x_col y_col weight_col target_size color_mode classes class_mode "
        "batch_size shuffle seed data_format save_to_dir save_prefix save_format subset interpolation dtype "
        "validate_filenames",
    ),
    (
        "preprocessing.image",
        "DirectoryIterator",
        "directory image_data_generator target_size color_mode classes class_mode batch_size shuffle seed data_format "
        "save_to_dir save_prefix save_format follow_links subset interpolation dtype",
    ),
    (
        "preprocessing.image",
        "NumpyArrayIterator",
        "x y image_data_generator batch_size shuffle sample_weight seed data_format save_to_dir save_prefix "
        "save_format subset dtype",
    ),
    (
        "preprocessing.image",
        "ImageDataGenerator.flow",
        "x y batch_size shuffle sample_weight seed save_to_dir save_prefix save_format subset",
    ),
    ("preprocessing.text", "Tokenizer", "num_words filters lower split char_level oov_token document_count"),
    ("utils.image_arrays", "load_img", "path grayscale color_mode target_size interpolation"),
    ("utils.plotting", "plot_model", "model to_file show_shapes show_layer_names rankdir expand_nested dpi"),
    ("utils.plotting", "model_to_dot", "model show_shapes show_layer_names rankdir expand_nested dpi subgraph"),
)


def l1_l2(l1: float = 0.01, l2: float = 0.01) -> L1L2:
    """Return a regularizer with Keras 2.3.1's defaults for missing factors."""
    return L1L2(l1, l2)


def _get_shape(tensor: Any) -> TensorShape:
    return TensorShape.of(tensor)


#: Settings: (module, name, in Keras 2.3.1).
SETTINGS: tuple[tuple[str, str, Any], ...] = (
    ("activations", "hard_sigmoid", hard_sigmoid),
    ("serialization.registry", "families.activations.hard_sigmoid", hard_sigmoid),
    ("compat.keras2.backend", "is_keras_tensor", is_made_by_layer),
    ("core.graph", "KerasTensor.name", TensorName()),
    ("core.variables", "Variable.name", VariableName()),
    *MEMBERS,
    ("core.graph", "KerasTensor._keras_shape", property(TensorShape.of)),
    ("core.graph", "KerasTensor.get_shape", _get_shape),
    ("core.graph", "records_engine_calls", True),
    ("core.graph", "KerasTensor.__getitem__", get_item),
    ("core.graph", "KerasTensor.__iter__", Operators.__iter__),
    ("core.graph", "KerasTensor.__ne__", object.__ne__),
    ("core.variables", "Variable.__eq__", object.__eq__),
    ("core.variables", "Variable.__ne__", object.__ne__),
    ("core.variables", "Variable._keras_shape", property(TensorShape.of)),
    ("core.variables", "Variable.get_shape", _get_shape),
    ("core.log_names", "ACCURACY", "acc"),
    ("core.log_names", "RATE", "lr"),
    ("core.log_names", "keeps_spelling", True),
    ("core.log_names", "takes_both", True),
    ("core.naming", "first_number", 1),
    ("core.naming", "prefixes", {"functional": "model", "input_layer": "input"}),
    ("core.scopes", "allows_slashes", True),
    ("core.seeds", "asks_numpy", True),
    ("ops._call", "defer", deferred),
    ("callbacks.monitor", "assumes_falling", True),
    ("datasets.downloads", "extracts_beside", True),
    ("layers.convolutional", "numbers_are_windows", True),
    ("layers.convolutional", "DepthwiseConv.kernel_name", "depthwise_kernel"),
    ("layers.convolutional", "DepthwiseConv.depthwise_kernel", depthwise_kernel),
    ("layers.inference", "runs_where_shapes_fail", True),
    ("layers.layer", "penalties_are_symbolic", True),
    ("layers.merge", "all_must_show", True),
    ("layers.normalization", "is_of_keras_2", True),
    ("layers.rnn", "lists_constants", True),
    ("layers.trainability", "frozen_layers_hold_nested", True),
    ("layers.rnn", "lists_states", True),
    ("metrics.reductions", "casts_targets", True),
    ("optimizers.adagrad", "epsilon_is_outside", True),
    ("optimizers.adam", "Nadam._momentum_decay", 0.96**0.004),
    ("optimizers.optimizer", "clips_jointly", True),
    ("core.log_names", "has_batches", True),
    ("compat.keras2.backend.windows", "samples_from_corners", True),
    ("losses.loss", "counts_masked", True),
    ("regularizers", "l1_l2", l1_l2),
    ("saving.models", "any_name_is_hdf5", True),
    ("serialization.registry", "keeps_unknown", True),
    ("training.compiled", "takes_one_name", True),
    ("saving.keras2_files", "key_of", full_name),
)

#: Further entries of configs: (module, class, key, attribute with its value, or None for an entry that is None).
CONFIG_ENTRIES = (
    ("layers.dense", "Dense", "activity_regularizer", None),
    ("layers.embeddings", "Embedding", "input_length", "input_length"),
    ("layers.recurrent_cells", "GRUCell", "implementation", "implementation"),
    ("layers.recurrent_cells", "LSTMCell", "implementation", "implementation"),
    ("optimizers.optimizer", "Optimizer", "decay", "initial_decay"),
)

#: Entries that configs of Keras 2 lack where they have these values: (module, class, values by key).
LATER_ENTRIES: tuple[tuple[str, str, dict], ...] = (
    (
        "layers.normalization",
        "BatchNormalization",
        {"renorm": False, "renorm_clipping": None, "renorm_momentum": 0.99, "synchronized": False},
    ),
    ("layers.recurrent_cells", "Cell", {"seed": None}),
)

#: Names of arguments in files of Keras 1.
_OF_KERAS_1 = {"learning_rate": "lr", "recurrent_activation": "inner_activation"}

_undo: list[Callable[[], None]] = []


def apply(era: str) -> None:
    """Set the defaults of this process to those of an era.

    Args:
        era: str, "keras2" or "keras3".
    """
    while _undo:
        _undo.pop()()
    if era == "keras2":
        for module, path, argument, value in DEFAULTS:
            _set_default(_found(module, path), argument, value)
        for module, path, names in ORDERS:
            owner, _, name = path.rpartition(".")
            if owner:
                _set_method_order(_found(module, owner), name, tuple(names.split()))
            else:
                _set_order(_found(module, path), names)
        for module, path, key, attribute in CONFIG_ENTRIES:
            _extend_config(_found(module, path), key, attribute)
        for module, path, values in LATER_ENTRIES:
            _shorten_config(_found(module, path), values)
        for module, path, value in SETTINGS:
            owner, _, name = path.rpartition(".")
            _set(_found(module, owner), name, value)


def complete(config: Any) -> None:
    """Complete a config from a file of Keras 2 with the defaults of Keras 2.

    Args:
        config: dict or list of configs, which is modified.

    >>> config = {"class_name": "Adagrad", "config": {}}
    >>> complete(config); config["config"]
    {'learning_rate': 0.01, 'initial_accumulator_value': 0.0}
    """
    if isinstance(config, dict):
        own: Any = config.get("config")
        for _, name, argument, value in DEFAULTS:
            is_meant = isinstance(own, dict) and config.get("class_name") == name and argument != "name"
            if is_meant and _OF_KERAS_1.get(argument) not in own:
                own.setdefault(argument, value)
        for key in ("activation", "recurrent_activation", "inner_activation"):
            if config.get(key) == "hard_sigmoid":
                config[key] = registry.get_registered_name(hard_sigmoid)
    for inner in trees.children(config):
        complete(inner)


def _found(module: str, path: str) -> Any:
    """Return the object at a path in a module."""
    found: Any = importlib.import_module(f"polykeras.{module}")
    for name in filter(None, path.split(".")):
        found = found[name] if isinstance(found, dict) else getattr(found, name)
    return found


def _set(owner: Any, name: str, value: Any) -> None:
    """Set an attribute, or an entry of a dict, until the next change of era."""
    if isinstance(owner, dict):
        _undo.append(functools.partial(owner.__setitem__, name, owner[name]))
        owner[name] = value
        return
    before = vars(owner).get(name, _undo)  # _undo marks that there is none: the class inherits it
    _undo.append(lambda: delattr(owner, name) if before is _undo else setattr(owner, name, before))
    setattr(owner, name, value)


def _set_default(function: Any, argument: str, value: Any) -> None:
    """Change the default of an argument in the function itself, which others may wrap."""
    if inspect.isclass(function) and "__init__" not in vars(function):
        _set_inherited_default(function, argument, value)
        return
    outer = function.__init__ if inspect.isclass(function) else function
    inner = inspect.unwrap(outer)
    named = [p for p in inspect.signature(inner).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    defaults = tuple(value if p.name == argument else p.default for p in named if p.default is not p.empty)
    _undo.append(functools.partial(setattr, inner, "__defaults__", inner.__defaults__))
    inner.__defaults__ = defaults
    if "__signature__" in vars(outer):
        _set(vars(outer), "__signature__", inspect.signature(inner))
    if inspect.isclass(function):
        _show_signature(function, inspect.signature(inner))


def _set_inherited_default(cls: Any, argument: str, value: Any) -> None:
    """Change the default of an argument for a class whose ``__init__`` is that of a base class."""
    init = cls.__init__
    parameters = list(inspect.signature(init).parameters.values())
    index = [p.name for p in parameters].index(argument)
    older = _older_names(init, argument)

    @functools.wraps(init)
    def call(self: Any, *args: Any, **kwargs: Any) -> None:
        if len(args) < index and not older.intersection(kwargs):  # self is not among them
            kwargs.setdefault(argument, value)
        init(self, *args, **kwargs)

    parameters[index] = parameters[index].replace(default=value)
    vars(call)["__signature__"] = inspect.Signature(parameters)
    _set(cls, "__init__", call)


def _older_names(function: Any, argument: str) -> set[str]:
    """Return the older names of an argument that the decorators of a function accept."""
    found: set[str] = set()
    while function is not None:
        found |= {old for old, new in vars(function).get("older_names", {}).items() if new == argument}
        function = vars(function).get("__wrapped__")
    return found


def _extend_config(cls: Any, key: str, attribute: str | None) -> None:
    """Add an entry to the configs of a class, unless they have it."""
    get_config = cls.get_config

    @functools.wraps(get_config)
    def extended(self: Any) -> dict:
        return {key: None if attribute is None else getattr(self, attribute), **get_config(self)}

    _set(cls, "get_config", extended)


def _shorten_config(cls: Any, values: dict) -> None:
    """Leave entries out of the configs of a class where all of them have these values."""
    get_config = cls.get_config

    @functools.wraps(get_config)
    def shortened(self: Any) -> dict:
        config = get_config(self)
        is_usual = all(config[key] == value for key, value in values.items() if key in config)
        return {key: value for key, value in config.items() if key not in values} if is_usual else config

    _set(cls, "get_config", shortened)


def _show_signature(cls: type, signature: inspect.Signature) -> None:
    """Update the signature that a class shows, if it has one of its own; parameters of base classes come last."""
    if "__signature__" in vars(cls):
        shown = vars(cls)["__signature__"].parameters
        own = {name: p for name, p in signature.parameters.items() if name != "self" and p.kind is not p.VAR_KEYWORD}
        others = [parameter for name, parameter in shown.items() if name not in own]
        parameters = sorted([*own.values(), *others], key=lambda parameter: parameter.kind)
        _set(cls, "__signature__", inspect.Signature(parameters))


def _set_order(target: Any, names: str) -> None:
    """Let programs, but not this package, pass positional arguments in another order.

    Args:
        target: class, or function that is decorated by ``ordered_by_era``.
        names: names of the arguments, separated by spaces.
    """
    order = tuple(names.split())
    if inspect.isclass(target):
        _set_method_order(target, "__init__", order)
    else:
        _set(vars(target), "order", order)
        _set(target, "__signature__", reordered(target, order))


def _set_method_order(cls: type, name: str, order: tuple[str, ...]) -> None:
    call = ordered_by_era(getattr(cls, name))
    order = ("self", *order)
    vars(call).update(order=order, __signature__=reordered(call, order))
    _set(cls, name, call)
    if name == "__init__":
        _show_signature(cls, vars(call)["__signature__"])
