"""Estimators around models that learn little keep scikit-learn's rules: how good they are is the model's affair."""

import numpy as np
import pytest

import polykeras as keras

pytest.importorskip("sklearn")


@pytest.mark.parametrize("cls", [keras.wrappers.SKLearnRegressor, keras.wrappers.SKLearnClassifier])
def test_a_poor_score_is_no_broken_rule(backend, cls):
    from sklearn.utils import estimator_checks

    def constant(X, y):
        width = y.shape[1] if np.ndim(y) > 1 else 1
        model = keras.Sequential([keras.Input(X.shape[1:]), keras.layers.Dense(width), keras.layers.Softmax()])
        model.compile("sgd", "mse")
        return model

    name = "regressor" if cls is keras.wrappers.SKLearnRegressor else "classifier"
    estimator = cls(constant, fit_kwargs={"epochs": 1, "verbose": 0})
    getattr(estimator_checks, f"check_{name}s_train")(name, estimator)
