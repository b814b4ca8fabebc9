"""Models as scikit-learn estimators: in pipelines, grid searches and cross-validation.

``SKLearnClassifier``, ``SKLearnRegressor`` and ``SKLearnTransformer`` are those of Keras 3,
``KerasClassifier`` and ``KerasRegressor`` in ``wrappers.scikit_learn`` those of Keras 2.
scikit-learn is loaded with the first use of one of them.
"""

from polykeras.core import lazy

__all__ = ["SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer", "scikit_learn"]

__getattr__, __dir__ = lazy.names(
    __name__,
    modules=["scikit_learn"],
    members={"polykeras.wrappers.estimators": ["SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer"]},
)
