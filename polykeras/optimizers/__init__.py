"""Optimizers: rules that update weights from their gradients.

>>> type(get("adam")).__name__
'Adam'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polykeras.core import lazy
from polykeras.core.other_keras import refuse_other_keras
from polykeras.optimizers import schedules
from polykeras.optimizers.adagrad import Adadelta, Adafactor, Adagrad, Ftrl, RMSprop
from polykeras.optimizers.adam import Adam, Adamax, AdamW, Lamb, Nadam, ScheduleFreeAdamW
from polykeras.optimizers.composite import LossScaleOptimizer, MultiOptimizer, OptimizerMap
from polykeras.optimizers.muon import Muon
from polykeras.optimizers.optimizer import Optimizer, clip_norm
from polykeras.optimizers.sgd import SGD, Lion
from polykeras.serialization import registry

__all__ = [
    "SGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Lamb", "Lion", "LossScaleOptimizer",
    "MultiOptimizer", "Muon", "Nadam", "Optimizer", "OptimizerMap", "RMSprop", "ScheduleFreeAdamW", "clip_norm",
    "deserialize", "get", "legacy", "schedules", "serialize",
]  # fmt: skip

if TYPE_CHECKING:  # the names below, for editors and type checkers
    from polykeras.compat.keras2 import optimizers as experimental  # noqa: F401
    from polykeras.compat.keras2 import optimizers as legacy
    from polykeras.compat.keras2.optimizers import TFOptimizer as TFOptimizer
else:
    __getattr__, __dir__ = lazy.names(
        __name__, modules=["experimental", "legacy"], members={"polykeras.compat.keras2.optimizers": ["TFOptimizer"]}
    )

# Keras 1 and 2 have the classes in lower case too; modules of this package with the same names are only imported by
# their full paths.
adadelta, adagrad, adam, adamax, nadam, rmsprop, sgd = Adadelta, Adagrad, Adam, Adamax, Nadam, RMSprop, SGD

_classes = registry.members(globals(), Optimizer) | {"OptimizerMap": OptimizerMap}
registry.add_family("optimizers", _classes | {name.lower(): cls for name, cls in _classes.items()})


def serialize(optimizer: Any) -> Any:
    """Return the JSON-serializable config of an optimizer, without its state.

    Args:
        optimizer: Optimizer.

    >>> serialize(SGD(0.5))["config"]["learning_rate"]
    0.5
    """
    return registry.serialize(optimizer)


def deserialize(config: Any, custom_objects: dict | None = None) -> Any:
    """Return the optimizer that a config describes; the class name is case-insensitive.

    Args:
        config: str or dict, as ``serialize`` returns.
        custom_objects: dict from names to classes or functions; default None.

    >>> type(deserialize({"class_name": "ADAM", "config": {"lr": 0.5}})).__name__
    'Adam'
    """
    name = config.get("class_name") if isinstance(config, dict) else None
    if isinstance(name, str) and name.lower() in registry.families["optimizers"]:
        config = {**config, "class_name": name.lower()}
    return registry.resolve(config, "optimizers", custom_objects)


def get(identifier: Any) -> Any:
    """Return the optimizer given by a name, config, class or object; None for None.

    Args:
        identifier: str, dict, class, Optimizer or None.

    Raises:
        ValueError: for an unknown name.
        TypeError: for anything that is not an optimizer.

    >>> get("RMSprop").rho
    0.9
    """
    if isinstance(identifier, str):
        identifier = {"class_name": identifier, "config": {}}
    optimizer = deserialize(identifier)
    refuse_other_keras(optimizer, "an optimizer")
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        raise TypeError(f"Expected an optimizer, its name, class or config. Received: {identifier!r}.")
    return optimizer
