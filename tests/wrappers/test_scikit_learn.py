"""The estimators of Keras 2, as programs of its time use them."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score

import polykeras as keras
from polykeras import layers
from polykeras.wrappers.scikit_learn import KerasClassifier, KerasRegressor

X = np.random.default_rng(0).normal(size=(60, 3)).astype("float32")
LABELS = np.array(["no", "yes"])[(X[:, 0] > 0).astype(int)]


def classifying(units=4, outputs=2, loss="categorical_crossentropy", metrics=("accuracy",)):
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(units, activation="relu"),
            layers.Dense(outputs, activation="softmax" if outputs > 1 else "sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.05), loss, metrics=list(metrics))
    return model


def regressing(units=4):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(units, activation="relu"), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.05), "mse")
    return model


@pytest.mark.parametrize(
    ("outputs", "loss"),
    [(2, "categorical_crossentropy"), (2, "sparse_categorical_crossentropy"), (1, "binary_crossentropy")],
)
def test_labels_of_any_kind_are_learned_with_any_loss(outputs, loss):
    classifier = KerasClassifier(classifying, outputs=outputs, loss=loss, epochs=20, verbose=0)
    history = classifier.fit(X, LABELS)
    assert len(history.epoch) == 20 and classifier.n_classes_ == 2
    assert classifier.predict_proba(X).shape == (60, 2)
    accuracy = (classifier.predict(X) == LABELS).mean()
    assert accuracy > 0.9
    assert classifier.score(X, LABELS) == pytest.approx(accuracy)


def test_one_hot_vectors_are_labels_too():
    classifier = KerasClassifier(classifying, epochs=20, verbose=0)
    one_hot = keras.utils.to_categorical(X[:, 0] > 0, 2)
    classifier.fit(X, one_hot)
    assert set(classifier.predict(X)) == {0, 1} and classifier.score(X, one_hot) > 0.9


def test_arguments_are_sorted_to_the_function_and_the_methods_that_take_them():
    calls = []

    def make_model(units=4):
        calls.append(units)
        return regressing(units)

    regressor = KerasRegressor(make_model, units=7, nb_epoch=3, batch_size=30, verbose=0)
    regressor.fit(X, X[:, 0])
    assert calls == [7] and int(regressor.model.optimizer.iterations) == 6
    regressor.fit(X, X[:, 0], batch_size=60)
    assert int(regressor.model.optimizer.iterations) == 3
    assert regressor.filter_sk_params(keras.Model.predict, {"steps": 1}) == {"batch_size": 30, "verbose": 0, "steps": 1}
    with pytest.raises(ValueError, match="Received: \\['unit'\\]"):
        KerasRegressor(make_model, unit=7)
    with pytest.raises(ValueError, match="Received: \\['unit'\\]"):
        regressor.set_params(unit=7)


def test_the_score_of_a_regressor_is_minus_its_loss():
    regressor = KerasRegressor(regressing, epochs=2, verbose=0)
    regressor.fit(X, X[:, 0])
    error = regressor.predict(X) - X[:, 0]
    assert regressor.predict(X).shape == (60,)
    assert regressor.score(X, X[:, 0]) == pytest.approx(-(error**2).mean(), rel=1e-4)


def test_a_score_without_the_metric_is_refused():
    classifier = KerasClassifier(classifying, metrics=(), verbose=0)
    classifier.fit(X, LABELS)
    with pytest.raises(ValueError, match=r"metrics=\['accuracy'\]"):
        classifier.score(X, LABELS)


def test_searches_and_clones_work_with_the_parameters():
    classifier = KerasClassifier(classifying, epochs=20, verbose=0)
    search = GridSearchCV(classifier, {"units": [2, 5], "epochs": [15]}, cv=2).fit(X, LABELS)
    assert search.best_estimator_.model.layers[0].units == search.best_params_["units"]
    assert cross_val_score(classifier, X, LABELS, cv=2).mean() > 0.8
    copy = clone(classifier.set_params(units=9))
    assert copy.get_params() == {"units": 9, "epochs": 20, "verbose": 0, "build_fn": classifying}


def test_a_subclass_may_be_the_function_itself():
    class Own(KerasRegressor):
        def __call__(self, units=3):
            return regressing(units)

    regressor = Own(units=5, verbose=0)
    regressor.fit(X, X[:, 0])
    assert regressor.model.layers[0].units == 5
