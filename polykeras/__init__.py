"""Keras on many engines: one small library, written once, with an adapter for each engine.

>>> import polykeras as keras
>>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
>>> model.count_params()
5
"""

from typing import TYPE_CHECKING

from polykeras import config
from polykeras.compat.paths import install_old_paths
from polykeras.core import lazy

__version__ = "0.1.0"

install_old_paths()

if TYPE_CHECKING:  # the names below, for editors and type checkers
    from polykeras import activations as activations
    from polykeras import applications as applications
    from polykeras import backends as backends
    from polykeras import callbacks as callbacks
    from polykeras import constraints as constraints
    from polykeras import datasets as datasets
    from polykeras import distillation as distillation
    from polykeras import distribution as distribution
    from polykeras import dtype_policies as dtype_policies
    from polykeras import export as export
    from polykeras import initializers as initializations  # noqa: F401
    from polykeras import initializers as initializers
    from polykeras import layers as layers
    from polykeras import losses as losses
    from polykeras import metrics as metrics
    from polykeras import mixed_precision as mixed_precision
    from polykeras import models as models
    from polykeras import ops as ops
    from polykeras import optimizers as optimizers
    from polykeras import parity as parity
    from polykeras import preprocessing as preprocessing
    from polykeras import random as random
    from polykeras import regularizers as regularizers
    from polykeras import saving as saving
    from polykeras import tree as tree
    from polykeras import utils as utils
    from polykeras import visualization as visualization
    from polykeras import wrappers as wrappers
    from polykeras.callbacks import Callback as Callback
    from polykeras.compat.alias import install_as_keras as install_as_keras
    from polykeras.compat.keras1 import objectives as objectives
    from polykeras.compat.keras2 import backend as backend
    from polykeras.compat.keras2 import engine as engine
    from polykeras.compat.keras2 import legacy as legacy
    from polykeras.compat.keras2.backend import Variable as Variable
    from polykeras.core.graph import KerasTensor as KerasTensor
    from polykeras.core.masks import get_mask as get_mask
    from polykeras.core.operation import Function as Function
    from polykeras.core.operation import Operation as Operation
    from polykeras.core.scopes import RematScope as RematScope
    from polykeras.core.scopes import StatelessScope as StatelessScope
    from polykeras.core.scopes import SymbolicScope as SymbolicScope
    from polykeras.core.scopes import name_scope as name_scope
    from polykeras.core.scopes import remat as remat
    from polykeras.devices import device as device
    from polykeras.dtype_policies import DTypePolicy as DTypePolicy
    from polykeras.dtype_policies import FloatDTypePolicy as FloatDTypePolicy
    from polykeras.initializers import Initializer as Initializer
    from polykeras.layers import Input as Input
    from polykeras.layers import InputSpec as InputSpec
    from polykeras.layers import Layer as Layer
    from polykeras.losses import Loss as Loss
    from polykeras.metrics import Metric as Metric
    from polykeras.models import Functional as Functional
    from polykeras.models import Model as Model
    from polykeras.models import Sequential as Sequential
    from polykeras.optimizers import Optimizer as Optimizer
    from polykeras.regularizers import Regularizer as Regularizer
else:
    __getattr__, __dir__ = lazy.names(
        __name__,
        modules=[
            "activations", "applications", "backend", "backends", "callbacks", "constraints", "datasets",
            "distillation", "distribution", "dtype_policies", "engine", "export", "initializations", "initializers",
            "layers", "legacy", "losses", "metrics", "mixed_precision", "models", "objectives", "ops", "optimizers",
            "parity", "preprocessing", "random", "regularizers", "saving", "tree", "utils", "visualization",
            "wrappers",
        ],
        members={
            "polykeras.callbacks": ["Callback"],
            "polykeras.compat.alias": ["install_as_keras"],
            "polykeras.compat.keras2.backend": ["Variable"],
            "polykeras.core.graph": ["KerasTensor"],
            "polykeras.core.masks": ["get_mask"],
            "polykeras.core.operation": ["Function", "Operation"],
            "polykeras.core.scopes": ["RematScope", "StatelessScope", "SymbolicScope", "name_scope", "remat"],
            "polykeras.devices": ["device"],
            "polykeras.dtype_policies": ["DTypePolicy", "FloatDTypePolicy"],
            "polykeras.initializers": ["Initializer"],
            "polykeras.layers": ["Input", "InputSpec", "Layer"],
            "polykeras.losses": ["Loss"],
            "polykeras.metrics": ["Metric"],
            "polykeras.models": ["Functional", "Model", "Sequential"],
            "polykeras.optimizers": ["Optimizer"],
            "polykeras.regularizers": ["Regularizer"],
        },
    )  # fmt: skip


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
