"""
Choosing hyperparameters
========================

scikit-learn's grid search over a polykeras model: ``SKLearnClassifier`` turns a function that builds a model into an
estimator.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_wine
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import scale

import polykeras as keras
from polykeras import layers

x, y = load_wine(return_X_y=True)


def build(X, y, units=8, rate=0.01):
    """A classifier with one hidden layer."""
    hidden = layers.Dense(units, activation="relu")
    model = keras.Sequential([keras.Input(X.shape[1:]), hidden, layers.Dense(3, activation="softmax")])
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="categorical_crossentropy")
    return model


classifier = keras.wrappers.SKLearnClassifier(build, model_kwargs={}, fit_kwargs=dict(epochs=8, verbose=0))
units, rates = [2, 8, 32], [0.001, 0.01, 0.1]
choices = [dict(units=u, rate=r) for u in units for r in rates]
search = GridSearchCV(classifier, {"model_kwargs": choices}, cv=3).fit(scale(x), y)
print(f"best: {search.best_params_['model_kwargs']}, accuracy {search.best_score_:.3f}")

# %%

scores = search.cv_results_["mean_test_score"].reshape(len(units), len(rates))
plt.imshow(scores, cmap="viridis")
plt.xticks(range(len(rates)), rates)
plt.yticks(range(len(units)), units)
plt.xlabel("learning rate")
plt.ylabel("units")
plt.colorbar(label="accuracy")
