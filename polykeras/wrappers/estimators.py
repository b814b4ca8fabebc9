"""The estimators of Keras 3: SKLearnClassifier, SKLearnRegressor, SKLearnTransformer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from polykeras.core.extras import require
from polykeras.models import Model, clone_model

if TYPE_CHECKING:
    from sklearn import base as _base
else:
    _base = require("sklearn.base", "sklearn", "the wrappers for scikit-learn")
_checks = require("sklearn.utils.validation", "sklearn", "the wrappers for scikit-learn")
_multiclass = require("sklearn.utils.multiclass", "sklearn", "the wrappers for scikit-learn")


class SKLearnBase(_base.BaseEstimator):
    """Base class of scikit-learn estimators that wrap a model.

    Args:
        model: a compiled model, of which each ``fit`` trains a copy with new weights; or a function
            ``f(X, y, **model_kwargs)`` that returns a compiled model for the data.
        warm_start: bool, whether to continue training the model of the last ``fit``, or else the given model itself;
            default False.
        model_kwargs: dict of further arguments of the function; default None.
        fit_kwargs: dict of arguments of the model's ``fit``, such as ``{"epochs": 10}``; default None.

    After ``fit``, ``model_`` is the trained model, ``history_`` the result of its ``fit``, and
    ``n_features_in_`` the number of features.
    """

    def __init__(
        self,
        model: Model | Callable,
        warm_start: bool = False,
        model_kwargs: dict | None = None,
        fit_kwargs: dict | None = None,
    ) -> None:
        self.model = model
        self.warm_start = warm_start
        self.model_kwargs = model_kwargs
        self.fit_kwargs = fit_kwargs

    def fit(self, X: Any, y: Any, **kwargs: Any) -> SKLearnBase:
        """Train the model.

        Args:
            X: features, (rows, ...).
            y: targets, (rows,) or (rows, targets).
            **kwargs: arguments of the model's ``fit``, which override those in ``fit_kwargs``.

        Returns:
            This estimator.

        Raises:
            RuntimeError: if the model is not compiled.
        """
        X, y = self._checked(X, y)
        targets = self._encode(y)
        if not (self.warm_start and hasattr(self, "model_")):
            self.model_ = self._make_model(X, targets)
        self.history_ = self.model_.fit(X, self._fitting(targets), **{**(self.fit_kwargs or {}), **kwargs})
        return self

    def _checked(self, X: Any, y: Any) -> tuple:
        return _checks.validate_data(self, X, y, allow_nd=True, multi_output=True)

    def _encode(self, y: np.ndarray) -> np.ndarray:
        """The targets in the form that is passed to the function that creates the model."""
        return y

    def _fitting(self, targets: np.ndarray) -> np.ndarray:
        """The targets in the form that the model's loss takes."""
        return targets

    def _make_model(self, X: np.ndarray, y: np.ndarray) -> Model:
        if not isinstance(self.model, Model):
            model = self.model(X, y, **(self.model_kwargs or {}))
        elif self.warm_start or not self.model.compiled:
            model = self.model
        else:
            model = clone_model(self.model)
            model.compile_from_config(self.model.get_compile_config())
        if not model.compiled or model.loss is None:
            raise RuntimeError(
                f"{type(self).__name__}: Expected a model that is compiled with a loss. Received: model {model.name!r} "
                f"without one. Call model.compile(optimizer=..., loss=...)."
            )
        return model

    def _outputs(self, X: Any) -> np.ndarray:
        _checks.check_is_fitted(self)
        X = _checks.validate_data(self, X, allow_nd=True, reset=False)
        return self.model_.predict(X, verbose=0)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = True  # new weights are random unless the function sets a seed
        return tags


class SKLearnClassifier(_base.ClassifierMixin, SKLearnBase):
    """A scikit-learn classifier that wraps a model.

    Args:
        model, warm_start, model_kwargs, fit_kwargs: as for ``SKLearnBase``; a function gets ``y`` as one-hot
            vectors (rows, classes). The model has either one output per class, with a categorical or sparse
            categorical cross-entropy, or, for two classes, a single output.

    >>> import numpy as np, polykeras as keras
    >>> def make_model(X, y, units):
    ...     model = keras.Sequential([keras.Input(X.shape[1:]), keras.layers.Dense(units, "relu"),
    ...                               keras.layers.Dense(y.shape[1], "softmax")])
    ...     model.compile("adam", "categorical_crossentropy")
    ...     return model
    >>> classifier = keras.wrappers.SKLearnClassifier(make_model, model_kwargs={"units": 4}, fit_kwargs={"verbose": 0})
    >>> classifier.fit(np.ones((4, 2)), ["no", "yes", "no", "yes"]).predict_proba(np.ones((3, 2))).shape
    (3, 2)
    """

    def _encode(self, y: np.ndarray) -> np.ndarray:
        y = _checks.column_or_1d(y, warn=True)
        _multiclass.check_classification_targets(y)
        self.classes_, indices = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__}: Expected labels of two classes or more. Received: one class only, "
                f"{self.classes_[0]!r}."
            )
        return np.eye(len(self.classes_), dtype="float32")[indices]

    def _fitting(self, targets: np.ndarray) -> np.ndarray:
        loss = self.model_.loss
        is_sparse = "sparse" in str(getattr(loss, "name", None) or getattr(loss, "__name__", None) or loss)
        is_single = self.model_.built and self.model_.compute_output_shape((None, *self._shape))[-1] == 1
        return targets.argmax(-1)[:, None] if is_sparse or is_single else targets

    def _make_model(self, X: np.ndarray, y: np.ndarray) -> Model:
        self._shape = X.shape[1:]
        return super()._make_model(X, y)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the predicted probabilities, (rows, classes).

        Args:
            X: array, (rows, features).
        """
        outputs = self._outputs(X).astype(np.float64)
        return np.hstack([1 - outputs, outputs]) if outputs.shape[-1] == 1 else outputs

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the scores of the classes, (rows, classes); for two classes the difference of the scores, (rows,).

        Args:
            X: array, (rows, features).
        """
        scores = self.predict_proba(X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: Any) -> np.ndarray:
        """Return the most likely class of each row.

        Args:
            X: array, (rows, features).
        """
        likeliest = self.predict_proba(X).argmax(-1)
        return self.classes_[likeliest]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # the quality depends on the model
        return tags


class SKLearnRegressor(_base.RegressorMixin, SKLearnBase):
    """A scikit-learn regressor that wraps a model.

    Args:
        model, warm_start, model_kwargs, fit_kwargs: as for ``SKLearnBase``; a function gets ``y`` of shape
            (rows, targets).

    >>> import numpy as np, polykeras as keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]); model.compile("sgd", "mse")
    >>> regressor = keras.wrappers.SKLearnRegressor(model, fit_kwargs={"verbose": 0})
    >>> regressor.fit(np.ones((4, 2)), np.ones(4)).predict(np.ones((3, 2))).shape
    (3,)
    """

    def _checked(self, X: Any, y: Any) -> tuple:
        return _checks.validate_data(self, X, y, allow_nd=True, multi_output=True, y_numeric=True)

    def _encode(self, y: np.ndarray) -> np.ndarray:
        self._is_column = y.ndim == 1
        return y.reshape(len(y), -1)

    def predict(self, X: Any) -> np.ndarray:
        """Return the outputs, in the shape of the targets.

        Args:
            X: array, (rows, features).
        """
        outputs = self._outputs(X)
        return outputs[:, 0] if self._is_column else outputs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.regressor_tags.poor_score = True  # the quality depends on the model
        return tags


class SKLearnTransformer(_base.TransformerMixin, SKLearnBase):
    """A scikit-learn transformer that wraps a model: rows are transformed to the outputs of the model.

    Args:
        model, warm_start, model_kwargs, fit_kwargs: as for ``SKLearnBase``; a function gets ``y`` of shape
            (rows, targets).

    >>> import numpy as np, polykeras as keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]); model.compile("sgd", "mse")
    >>> transformer = keras.wrappers.SKLearnTransformer(model, fit_kwargs={"verbose": 0})
    >>> transformer.fit_transform(np.ones((4, 2)), np.ones((4, 3))).shape
    (4, 3)
    """

    def _encode(self, y: np.ndarray) -> np.ndarray:
        return y.reshape(len(y), -1)

    def transform(self, X: Any) -> np.ndarray:
        """Return the model's outputs.

        Args:
            X: array, (rows, features).
        """
        return self._outputs(X)

    predict = transform

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = []  # outputs have the dtype of the model
        return tags
