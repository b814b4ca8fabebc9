"""Models as scikit-learn estimators: in pipelines, grid searches and cross-validation.

``SKLearnClassifier``, ``SKLearnRegressor`` and ``SKLearnTransformer`` are those of Keras 3,
``KerasClassifier`` and ``KerasRegressor`` in ``wrappers.scikit_learn`` those of Keras 2.
scikit-learn is loaded with the first use of one of them.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "SKLearnClassifier": "estimators",
    "SKLearnRegressor": "estimators",
    "SKLearnTransformer": "estimators",
    "scikit_learn": "scikit_learn",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"Expected one of {__all__}. Received: polykeras.wrappers.{name}.")
    module = importlib.import_module(f"polykeras.wrappers.{_HOMES[name]}")
    return module if name == _HOMES[name] else getattr(module, name)


def __dir__() -> list[str]:
    return __all__
