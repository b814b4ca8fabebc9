"""Keras on many engines: one small library, written once, with an adapter for each engine.

>>> import polykeras as keras
>>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
>>> model.count_params()
5
"""

from typing import TYPE_CHECKING

from polykeras import (
    activations,
    backends,
    callbacks,
    config,
    constraints,
    dtype_policies,
    initializers,
    layers,
    losses,
    metrics,
    mixed_precision,
    models,
    ops,
    optimizers,
    random,
    regularizers,
    tree,
    utils,
)
from polykeras.callbacks import Callback
from polykeras.compat.keras2 import backend
from polykeras.compat.keras2.backend import Variable
from polykeras.compat.paths import install_old_paths
from polykeras.core import lazy
from polykeras.core.graph import KerasTensor
from polykeras.core.masks import get_mask
from polykeras.core.operation import Function, Operation
from polykeras.core.scopes import RematScope, StatelessScope, SymbolicScope, name_scope, remat
from polykeras.devices import device
from polykeras.dtype_policies import DTypePolicy, FloatDTypePolicy
from polykeras.initializers import Initializer
from polykeras.layers import Input, InputSpec, Layer
from polykeras.losses import Loss
from polykeras.metrics import Metric
from polykeras.models import Functional, Model, Sequential
from polykeras.optimizers import Optimizer
from polykeras.regularizers import Regularizer
from polykeras.serialization import registry

__version__ = "0.1.0"

install_old_paths()

if TYPE_CHECKING:  # the names below, for editors and type checkers
    from polykeras import applications as applications
    from polykeras import datasets as datasets
    from polykeras import distillation as distillation
    from polykeras import distribution as distribution
    from polykeras import export as export
    from polykeras import parity as parity
    from polykeras import preprocessing as preprocessing
    from polykeras import quantizers as quantizers
    from polykeras import saving as saving
    from polykeras import visualization as visualization
    from polykeras import wrappers as wrappers
    from polykeras.compat.alias import install_as_keras as install_as_keras
    from polykeras.compat.keras1 import initializations as initializations
    from polykeras.compat.keras1 import objectives as objectives
    from polykeras.compat.keras2 import engine as engine
    from polykeras.compat.keras2 import legacy as legacy
    from polykeras.quantizers import Quantizer as Quantizer
else:
    __getattr__, __dir__ = lazy.names(
        __name__,
        modules=[
            "applications", "datasets", "distillation", "distribution", "engine", "export", "initializations", "legacy",
            "objectives", "parity", "preprocessing", "quantizers", "saving", "visualization", "wrappers",
        ],
        members={"polykeras.compat.alias": ["install_as_keras"], "polykeras.quantizers": ["Quantizer"]},
    )  # fmt: skip

Operation.register(Layer)
for _name in ("Distiller", "FeatureDistillation", "LogitsDistillation"):
    registry.register_later(_name, "polykeras.distillation")
for _name in ("SlicingOpLambda", "TFOpLambda"):
    registry.register_later(_name, "polykeras.interop.tensorflow_functions")
for _name in (
    "AWQConfig",
    "AbsMaxQuantizer",
    "Float8QuantizationConfig",
    "GPTQConfig",
    "Int4QuantizationConfig",
    "Int8QuantizationConfig",
    "QuantizationConfig",
    "Quantizer",
):
    registry.register_later(_name, "polykeras.quantizers")
registry.register_later("LayerScale", "polykeras.applications.convnext")
registry.register_later("CustomScaleLayer", "polykeras.applications.inception_resnet_v2")


def version() -> str:
    """Return the version of polykeras.

    >>> version() == __version__
    True
    """
    return __version__


__all__ = [
    "Callback",
    "DTypePolicy",
    "FloatDTypePolicy",
    "Function",
    "Functional",
    "Initializer",
    "Input",
    "InputSpec",
    "KerasTensor",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "Operation",
    "Optimizer",
    "Quantizer",
    "Regularizer",
    "RematScope",
    "Sequential",
    "StatelessScope",
    "SymbolicScope",
    "Variable",
    "activations",
    "applications",
    "backend",
    "backends",
    "callbacks",
    "config",
    "constraints",
    "datasets",
    "device",
    "distillation",
    "distribution",
    "dtype_policies",
    "engine",
    "export",
    "get_mask",
    "initializers",
    "install_as_keras",
    "layers",
    "legacy",
    "losses",
    "metrics",
    "mixed_precision",
    "models",
    "name_scope",
    "objectives",
    "ops",
    "optimizers",
    "parity",
    "preprocessing",
    "quantizers",
    "random",
    "regularizers",
    "remat",
    "saving",
    "tree",
    "utils",
    "visualization",
    "version",
    "wrappers",
]

config.set_era(config.era_of_environment())
