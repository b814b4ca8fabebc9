"""The estimators of Keras 3: scikit-learn's own checks, and what a user does with them."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import polykeras as keras
from polykeras import layers
from polykeras.wrappers import SKLearnClassifier, SKLearnRegressor, SKLearnTransformer


def network(X, outputs, activation, loss, units=8):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input(X.shape[1:]), layers.Dense(units, "relu"), layers.Dense(outputs, activation=activation)]
    )
    model.compile(keras.optimizers.Adam(0.05), loss)
    return model


def classifying(X, y, units=8):
    return network(X, y.shape[1], "softmax", "categorical_crossentropy", units)


def regressing(X, y):
    return network(X, y.shape[1], None, "mse")


class Seeded:
    """The functions above set a seed: results can be repeated, and are checked to be."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.non_deterministic = False
        return tags


class SeededClassifier(Seeded, SKLearnClassifier):
    pass


class SeededRegressor(Seeded, SKLearnRegressor):
    pass


class SeededTransformer(Seeded, SKLearnTransformer):
    pass


EXPECTED_FAILURES = {
    "check_array_api_input": "needs an environment variable that is set before SciPy is imported",
    "check_regressor_multioutput": "asks for float64; outputs have the dtype of the model, float32",
}


@pytest.mark.parametrize(
    ("kind", "function", "epochs"),
    [(SeededClassifier, classifying, 12), (SeededRegressor, regressing, 24), (SeededTransformer, regressing, 1)],
)
def test_scikit_learns_own_checks_pass(kind, function, epochs):
    estimator = kind(function, fit_kwargs={"epochs": epochs, "verbose": 0})
    failed = []
    for checked, check in estimator_checks_generator(estimator, mark=None):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                check(checked)
            except (Exception, pytest.skip.Exception) as error:
                failed.append((check.func.__name__, error))
    assert not [(name, error) for name, error in failed if name not in EXPECTED_FAILURES]


X = np.random.default_rng(0).normal(size=(60, 3))
LABELS = np.array(["no", "yes"])[(X[:, 0] > 0).astype(int)]


def test_a_classifier_learns_on_every_backend(backend):
    classifier = SKLearnClassifier(classifying, model_kwargs={"units": 4}, fit_kwargs={"epochs": 20, "verbose": 0})
    assert classifier.fit(X, LABELS).score(X, LABELS) > 0.9
    assert list(classifier.classes_) == ["no", "yes"] and classifier.model_.layers[0].units == 4
    assert len(classifier.history_.epoch) == 20
    probabilities = classifier.predict_proba(X)
    np.testing.assert_allclose(classifier.decision_function(X), probabilities[:, 1] - probabilities[:, 0])
    again = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(again.predict(X), classifier.predict(X))


@pytest.mark.parametrize(
    ("outputs", "activation", "loss"),
    [(1, "sigmoid", "binary_crossentropy"), (2, "softmax", "sparse_categorical_crossentropy")],
)
def test_targets_fit_a_single_output_and_sparse_losses(outputs, activation, loss):
    model = network(X, outputs, activation, loss)
    classifier = SKLearnClassifier(model, fit_kwargs={"epochs": 20, "verbose": 0}).fit(X, LABELS)
    assert classifier.score(X, LABELS) > 0.9
    assert classifier.predict_proba(X).shape == (60, 2)


def test_each_fit_starts_anew_unless_the_start_is_warm():
    model = network(X, 1, None, "mse")
    before = model.get_weights()[0]
    regressor = SKLearnRegressor(model, fit_kwargs={"verbose": 0}).fit(X, X[:, 0])
    first = regressor.model_
    assert regressor.fit(X, X[:, 0]).model_ is not first is not model
    np.testing.assert_array_equal(model.get_weights()[0], before)
    warm = SKLearnRegressor(model, warm_start=True, fit_kwargs={"verbose": 0})
    assert warm.fit(X, X[:, 0]).model_ is model is warm.fit(X, X[:, 0]).model_
    assert int(model.optimizer.iterations) == 4


def test_arguments_of_fit_go_to_the_model_and_leave_the_parameters_alone():
    regressor = SKLearnRegressor(regressing, fit_kwargs={"verbose": 0, "epochs": 2})
    regressor.fit(X, X[:, 0], epochs=3, batch_size=60)
    assert len(regressor.history_.epoch) == 3 and int(regressor.model_.optimizer.iterations) == 3
    assert regressor.get_params()["fit_kwargs"] == {"verbose": 0, "epochs": 2}


def test_outputs_have_the_shape_of_the_targets():
    regressor = SKLearnRegressor(regressing, fit_kwargs={"verbose": 0})
    assert regressor.fit(X, X[:, 0]).predict(X).shape == (60,)
    assert regressor.fit(X, X[:, :2]).predict(X).shape == (60, 2)
    transformer = SKLearnTransformer(regressing, fit_kwargs={"verbose": 0})
    assert transformer.fit_transform(X, X[:, :2]).shape == (60, 2)
    np.testing.assert_array_equal(transformer.transform(X), transformer.model_.predict(X.astype("float32"), verbose=0))


def test_searches_pipelines_and_clones_work():
    classifier = SKLearnClassifier(classifying, fit_kwargs={"epochs": 20, "verbose": 0})
    scores = cross_val_score(make_pipeline(StandardScaler(), classifier), X, LABELS, cv=3)
    assert scores.mean() > 0.85
    grid = {"model_kwargs": [{"units": 1}, {"units": 6}], "fit_kwargs": [{"epochs": 20, "verbose": 0}]}
    search = GridSearchCV(classifier, grid, cv=2).fit(X, LABELS)
    assert len(search.cv_results_["params"]) == 2
    assert search.best_estimator_.model_.layers[0].units == search.best_params_["model_kwargs"]["units"]
    assert not hasattr(clone(search.best_estimator_), "model_")


def test_images_are_features_too():
    def make_model(images, y):
        model = keras.Sequential([keras.Input(images.shape[1:]), layers.Flatten(), layers.Dense(1)])
        model.compile("sgd", "mse")
        return model

    images = np.ones((4, 2, 2, 1))
    assert SKLearnRegressor(make_model).fit(images, np.ones(4), verbose=0).predict(images).shape == (4,)


def test_models_without_a_loss_and_single_classes_are_refused():
    with pytest.raises(RuntimeError, match="compiled with a loss"):
        SKLearnRegressor(keras.Sequential([keras.Input((3,)), layers.Dense(1)])).fit(X, X[:, 0])
    with pytest.raises(ValueError, match="one class"):
        SKLearnClassifier(classifying).fit(X, np.ones(60))
