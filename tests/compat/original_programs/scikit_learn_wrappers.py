"""The wrappers for scikit-learn of Keras 2, and a grid search over one."""

import random

import numpy as np
from keras.layers import Activation, Dense
from keras.models import Sequential
from keras.optimizers import RMSprop
from keras.wrappers.scikit_learn import KerasClassifier, KerasRegressor
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score

random.seed(11)
np.random.seed(11)
x = np.random.normal(size=(150, 4))
y = np.argmax(x[:, :3], axis=1)


def make_model(hidden=4, optimizer="adam"):
    model = Sequential()
    model.add(Dense(hidden, input_shape=(4,)))
    model.add(Activation("relu"))
    model.add(Dense(3))
    model.add(Activation("softmax"))
    model.compile(loss="categorical_crossentropy", optimizer=optimizer, metrics=["accuracy"])
    return model


def make_regressor():
    model = Sequential()
    model.add(Dense(8, input_dim=4, kernel_initializer="normal", activation="relu"))
    model.add(Dense(1, kernel_initializer="normal"))
    model.compile(loss="mean_squared_error", optimizer=RMSprop(lr=0.02))
    return model


classifier = KerasClassifier(make_model, batch_size=8, verbose=0)
search = GridSearchCV(
    classifier, {"hidden": [2, 12], "epochs": [12]}, scoring="neg_log_loss", cv=2, n_jobs=1, refit=True
)
search.fit(x, y)
assert search.best_params_["hidden"] == 12
best = search.best_estimator_.model
assert best.predict_classes(x).shape == (150,) and best.predict_proba(x).shape == (150, 3)

regressor = KerasRegressor(build_fn=make_regressor, epochs=15, batch_size=8, verbose=0)
scores = cross_val_score(regressor, x, x.dot([1.0, -1.0, 0.5, 0.0]), cv=KFold(n_splits=2, shuffle=True, random_state=7))
print("figure:", search.best_score_, search.best_estimator_.score(x, y), *scores)
