"""Estimators that scikit-learn drives: pipeline, grid search, cross-validation, pickle, early stopping."""

import pickle

import keras
import numpy as np
from scikeras.wrappers import KerasClassifier, KerasRegressor
from sklearn.datasets import make_classification, make_regression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

PACKAGE = "scikeras"
ENGINES = ("tensorflow", "torch", "jax", "numpy")

x, y = make_classification(200, 8, n_informative=4, random_state=0)
x = x.astype("float32")


def classifier(hidden, meta, compile_kwargs):
    model = keras.Sequential(
        [
            keras.layers.Input((meta["n_features_in_"],)),
            keras.layers.Dense(hidden, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(loss="binary_crossentropy", optimizer=compile_kwargs["optimizer"])
    return model


settings = {"optimizer": "adam", "optimizer__learning_rate": 0.02, "epochs": 15, "verbose": 0, "random_state": 0}
estimator = KerasClassifier(classifier, hidden=8, **settings)
estimator.fit(x, y)
assert estimator.score(x, y) > 0.8 and estimator.predict_proba(x).shape == (200, 2)
again = pickle.loads(pickle.dumps(estimator))
np.testing.assert_allclose(again.predict_proba(x), estimator.predict_proba(x), atol=1e-6)

search = GridSearchCV(estimator, {"hidden": [4, 8], "optimizer__learning_rate": [1e-6, 0.02]}, cv=2)
search.fit(x, y)
assert search.best_params_["optimizer__learning_rate"] == 0.02, search.best_params_
assert cross_val_score(make_pipeline(StandardScaler(), estimator), x, y, cv=2).mean() > 0.6


def regressor(meta):
    return keras.Sequential([keras.layers.Input((meta["n_features_in_"],)), keras.layers.Dense(1)])


features, target = make_regression(120, 4, random_state=0)
target = (target / target.std()).astype("float32")
stop = keras.callbacks.EarlyStopping(monitor="loss", patience=3)
model = KerasRegressor(
    regressor, loss=keras.losses.MeanSquaredError, optimizer=keras.optimizers.Adam, optimizer__learning_rate=0.05,
    metrics=["mae"], epochs=40, verbose=0, callbacks=[stop], random_state=0,
)  # fmt: skip
model.fit(features.astype("float32"), target)
assert model.score(features.astype("float32"), target) > 0.9
assert model.history_["loss"][-1] < model.history_["loss"][0]
