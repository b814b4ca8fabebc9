"""What differs between Keras 2.3.1 and Keras 3 though both have it: one table, and the switch between them.

The era is that of Keras 3 unless the other is requested: by ``keras.config.set_era("keras2")``, ``KERAS_ERA=2`` in
the environment, or ``python -m polykeras run`` with a script for Keras 2.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import itertools
import operator
import sys
from collections.abc import Callable
from typing import Any

from polykeras.compat.keras2.backend.neural import hard_sigmoid
from polykeras.core import trees
from polykeras.regularizers import L1L2
from polykeras.serialization import registry

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
    ("losses", "KLDivergence", "name", "kullback_leibler_divergence"),
    ("losses", "LogCosh", "name", "logcosh"),
    ("metrics", "KLDivergence", "name", "kullback_leibler_divergence"),
    ("models.model", "Model.predict", "verbose", 0),
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
_ACTIVITY, _FORGET = "activity_regularizer ", "unit_forget_bias "

#: Positional arguments whose order differs: (module, class, names in the order of Keras 2.3.1).
ORDERS = (
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
    ("metrics", "Metric", "name dtype"),
    ("metrics", "SensitivityAtSpecificity", "specificity num_thresholds name dtype"),
    ("metrics", "SpecificityAtSensitivity", "sensitivity num_thresholds name dtype"),
    ("metrics", "SparseCategoricalCrossentropy", "name dtype from_logits axis"),
    ("models.sequential", "Sequential", "layers name"),
)


def l1_l2(l1: float = 0.01, l2: float = 0.01) -> L1L2:
    """Return a regularizer with Keras 2.3.1's defaults for missing factors."""
    return L1L2(l1, l2)


#: Settings: (module, name, in Keras 2.3.1).
SETTINGS: tuple[tuple[str, str, Any], ...] = (
    ("activations", "hard_sigmoid", hard_sigmoid),
    ("serialization.registry", "families.activations.hard_sigmoid", hard_sigmoid),
    ("core.log_names", "ACCURACY", "acc"),
    ("core.log_names", "RATE", "lr"),
    ("core.log_names", "takes_both", True),
    ("core.naming", "first_number", 1),
    ("core.naming", "prefixes", {"functional": "model", "input_layer": "input"}),
    ("core.seeds", "asks_numpy", True),
    ("layers.convolutional", "numbers_are_windows", True),
    ("optimizers.adam", "Nadam._momentum_decay", 0.96**0.004),
    ("core.log_names", "has_batches", True),
    ("regularizers", "l1_l2", l1_l2),
    ("saving.models", "any_name_is_hdf5", True),
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
            _set_order(_found(module, path), names.split())
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
    outer = function.__init__ if inspect.isclass(function) else function
    inner = inspect.unwrap(outer)
    named = [p for p in inspect.signature(inner).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    defaults = tuple(value if p.name == argument else p.default for p in named if p.default is not p.empty)
    _undo.append(functools.partial(setattr, inner, "__defaults__", inner.__defaults__))
    inner.__defaults__ = defaults
    if "__signature__" in vars(outer):
        _set(vars(outer), "__signature__", inspect.signature(inner))


def _set_order(cls: Any, names: list[str]) -> None:
    """Let programs, but not this package, pass the positional arguments of a class in another order."""
    init = cls.__init__
    today = [name for name in inspect.signature(init).parameters if name != "self"]
    alike = sum(itertools.accumulate(map(operator.eq, names, today), operator.and_))

    @functools.wraps(init)
    def call(self: Any, *args: Any, **kwargs: Any) -> None:
        if len(args) > alike and not sys._getframe(1).f_globals.get("__name__", "").startswith("polykeras."):
            kwargs.update(zip(names, args, strict=False))
            args = ()
        init(self, *args, **kwargs)

    _set(cls, "__init__", call)
