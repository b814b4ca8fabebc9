"""The estimators of Keras 2: KerasClassifier and KerasRegressor."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from polykeras.callbacks import History
from polykeras.core import naming
from polykeras.core.extras import require
from polykeras.models import Model
from polykeras.utils import to_categorical

if TYPE_CHECKING:
    from sklearn import base as _base
else:
    _base = require("sklearn.base", "sklearn", "the wrappers for scikit-learn")

_METHODS = (Model.fit, Model.predict, Model.evaluate)


def _takes(function: Callable, name: str) -> bool:
    return name in inspect.signature(function).parameters


class BaseWrapper(_base.BaseEstimator):
    """Base class of scikit-learn estimators that wrap a function which returns a compiled model.

    Args:
        build_fn: the function, or an object with ``__call__``, or None for a subclass that defines
            ``__call__`` itself.
        **sk_params: arguments of the function, and of the model's ``fit``, ``predict`` and ``evaluate``;
            each gets those that it takes. All can be varied in a grid search.

    After ``fit``, ``model`` is the trained model.

    Raises:
        ValueError: for an argument that none of these functions takes.
    """

    def __init__(self, build_fn: Callable | None = None, **sk_params: Any) -> None:
        self.build_fn = build_fn
        self.sk_params = sk_params
        self.check_params(sk_params)

    @property
    def _maker(self) -> Callable:
        return self.__call__ if self.build_fn is None else self.build_fn

    def check_params(self, params: dict) -> None:
        """Check that the function or a method of the model takes each argument.

        Raises:
            ValueError: for unknown arguments.
        """
        is_open = any(p.kind is p.VAR_KEYWORD for p in inspect.signature(self._maker).parameters.values())
        functions = (*_METHODS, self._maker)
        unknown = [name for name in params if name != "nb_epoch" and not any(_takes(f, name) for f in functions)]
        if unknown and not is_open:
            raise ValueError(
                f"{type(self).__name__}: Expected arguments of build_fn, fit, predict or evaluate. Received: "
                f"{naming.listed(unknown)}."
            )

    def get_params(self, deep: bool = True) -> dict:
        """Return ``build_fn`` and all arguments."""
        return {**self.sk_params, "build_fn": self.build_fn}

    def set_params(self, **params: Any) -> BaseWrapper:
        """Change arguments; return this estimator.

        Raises:
            ValueError: for an unknown argument.
        """
        params = dict(params)
        self.build_fn = params.pop("build_fn", self.build_fn)
        self.check_params(params)
        self.sk_params |= params
        return self

    def filter_sk_params(self, fn: Callable, override: dict | None = None) -> dict:
        """Return the arguments that a function takes, updated with ``override``."""
        return {name: value for name, value in self.sk_params.items() if _takes(fn, name)} | (override or {})

    def fit(self, x: Any, y: Any, **kwargs: Any) -> History:
        """Create a model, and train it.

        Args:
            x, y: as for the model's ``fit``.
            **kwargs: arguments of ``fit``, which override those of the estimator.

        Returns:
            The History of the model's ``fit``.
        """
        self.model = self._maker(**self.filter_sk_params(self._maker))
        if self._is_categorical() and np.ndim(y) != 2:
            y = to_categorical(y)
        epochs = {"epochs": self.sk_params["nb_epoch"]} if "nb_epoch" in self.sk_params else {}
        return self.model.fit(x, y, **epochs, **self.filter_sk_params(Model.fit, kwargs))

    def _is_categorical(self) -> bool:
        loss = self.model.loss
        return (getattr(loss, "name", None) or getattr(loss, "__name__", loss)) == "categorical_crossentropy"

    def _predict(self, x: Any, kwargs: dict) -> np.ndarray:
        return np.asarray(self.model.predict(x, **self.filter_sk_params(Model.predict, kwargs)))

    def _evaluate(self, x: Any, y: Any, kwargs: dict) -> dict:
        arguments = self.filter_sk_params(Model.evaluate, kwargs) | {"return_dict": True}
        return self.model.evaluate(x, y, **arguments)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model")


class KerasClassifier(_base.ClassifierMixin, BaseWrapper):
    """A scikit-learn classifier that wraps a function which returns a compiled model.

    Args:
        build_fn, **sk_params: as for ``BaseWrapper``.

    >>> import numpy as np, polykeras as keras
    >>> def make_model(units=2):
    ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(units, activation="softmax")])
    ...     model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
    ...     return model
    >>> classifier = keras.wrappers.scikit_learn.KerasClassifier(make_model, units=3, epochs=2, verbose=0)
    >>> history = classifier.fit(np.ones((3, 2)), [0, 1, 2])
    >>> classifier.predict_proba(np.ones((1, 2))).shape
    (1, 3)
    """

    def fit(self, x: Any, y: Any, sample_weight: Any = None, **kwargs: Any) -> History:
        """Create a model, and train it.

        Args:
            x: features, (rows, ...).
            y: labels (rows,) or (rows, 1) of any type, or one-hot vectors (rows, classes).
            sample_weight: weights of the rows, (rows,); default None.
            **kwargs: arguments of the model's ``fit``.

        Raises:
            ValueError: for targets with more axes.
        """
        y = np.asarray(y)
        if y.ndim == 2 and y.shape[1] > 1:
            self.classes_ = np.arange(y.shape[1])
        elif y.ndim in (1, 2):
            self.classes_, y = np.unique(y.ravel(), return_inverse=True)
        else:
            raise ValueError(f"Expected y of shape (rows,) or (rows, classes). Received shape: {y.shape}.")
        self.n_classes_ = len(self.classes_)
        if sample_weight is not None:
            kwargs["sample_weight"] = sample_weight
        return super().fit(x, y, **kwargs)

    def predict(self, x: Any, **kwargs: Any) -> np.ndarray:
        """Return the most likely label of each row."""
        likeliest = self.predict_proba(x, **kwargs).argmax(-1)
        return self.classes_[likeliest]

    predict_classes = predict

    def predict_proba(self, x: Any, **kwargs: Any) -> np.ndarray:
        """Return the probability of each class, (rows, classes)."""
        outputs = self._predict(x, kwargs)
        return np.hstack([1 - outputs, outputs]) if outputs.shape[1] == 1 else outputs

    def score(self, x: Any, y: Any, **kwargs: Any) -> float:
        """Return the accuracy, from the metrics of the model.

        Raises:
            ValueError: if the model has no such metric.
        """
        y = np.asarray(y)
        if y.ndim == 1 or y.shape[1] == 1:
            y = np.searchsorted(self.classes_, y.ravel())
        if self._is_categorical() and y.ndim != 2:
            y = to_categorical(y, self.n_classes_)
        logs = self._evaluate(x, y, kwargs)
        for name, value in logs.items():
            if name == "acc" or "accuracy" in name:
                return value
        raise ValueError(f"Expected compile(metrics=['accuracy']) for score. Received: metrics {naming.listed(logs)}.")


class KerasRegressor(_base.RegressorMixin, BaseWrapper):
    """A scikit-learn regressor that wraps a function which returns a compiled model.

    Args:
        build_fn, **sk_params: as for ``BaseWrapper``.

    >>> import numpy as np, polykeras as keras
    >>> def make_model():
    ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    ...     model.compile("sgd", "mse")
    ...     return model
    >>> regressor = keras.wrappers.scikit_learn.KerasRegressor(make_model, verbose=0)
    >>> history = regressor.fit(np.ones((3, 2)), np.ones(3))
    >>> regressor.predict(np.ones((4, 2))).shape
    (4,)
    """

    def predict(self, x: Any, **kwargs: Any) -> np.ndarray:
        """Return the outputs, of shape (rows,) if there is one output per row."""
        outputs = self._predict(x, kwargs)
        return outputs[..., 0] if outputs.shape[-1] == 1 else outputs

    def score(self, x: Any, y: Any, **kwargs: Any) -> float:
        """Return the negative loss, so that higher scores are better."""
        return -self._evaluate(x, y, kwargs)["loss"]
