"""Models as scikit-learn estimators: in pipelines, grid searches and cross-validation.

``SKLearnClassifier``, ``SKLearnRegressor`` and ``SKLearnTransformer`` are the wrappers of Keras 3,
``KerasClassifier`` and ``KerasRegressor`` in ``wrappers.scikit_learn`` those of Keras 2.
scikit-learn is imported when one of them is first used.
"""

from typing import TYPE_CHECKING

from polykeras.core import lazy

__all__ = ["SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer", "scikit_learn"]

if TYPE_CHECKING:  # the names below, for editors and type checkers
    from polykeras.wrappers import scikit_learn as scikit_learn
    from polykeras.wrappers.estimators import SKLearnClassifier as SKLearnClassifier
    from polykeras.wrappers.estimators import SKLearnRegressor as SKLearnRegressor
    from polykeras.wrappers.estimators import SKLearnTransformer as SKLearnTransformer
else:
    __getattr__, __dir__ = lazy.names(
        __name__,
        modules=["scikit_learn"],
        members={"polykeras.wrappers.estimators": ["SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer"]},
    )
