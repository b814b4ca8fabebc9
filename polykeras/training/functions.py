"""Functions that run one step on the next batch of an iterator, for users' own training loops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from polykeras import backends
from polykeras.training.data.batches import unpack_x_y_sample_weight
from polykeras.training.data.sources import make_batch


class StepFunctions:
    """``make_train_function`` and its counterparts.

    ``fit``, ``evaluate`` and ``predict`` call those of a subclass with an iterator over one batch.
    """

    predict_on_batch: Callable[..., Any]
    _check_compiled: Callable[[str], None]
    _on_batch: Callable[..., Any]
    _on_own_backend: Callable[[], backends.use]
    _prepare_for: Callable[[Any], None]
    _step_for: Callable[..., Any]
    _encode_strings: Callable[..., Any]
    train_function: Callable | None = None
    test_function: Callable | None = None
    predict_function: Callable | None = None
    _captured_steps: Any

    def _forget_steps(self) -> None:
        """Let the next call of fit, evaluate or predict capture its step anew."""
        self._captured_steps = self.train_function = self.test_function = self.predict_function = None

    def make_train_function(self, force: bool = False) -> Callable:
        """Return, and store as ``train_function``, a function that trains on an iterator's next batch and returns logs.

        Args:
            force: bool, whether to make it again; default False.

        >>> import numpy as np, polykeras as keras
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]); model.compile("sgd", "mse")
        >>> train = model.make_train_function()
        >>> sorted(train(iter([(np.ones((4, 2)), np.ones((4, 1)))])))
        ['loss']
        """
        return self._step_function("train", lambda batch: self._logs_of("train", batch), force)

    def make_test_function(self, force: bool = False) -> Callable:
        """Return, and store as ``test_function``, a function that evaluates an iterator's next batch and returns logs.

        Args:
            force: bool, whether to make it again; default False.
        """
        return self._step_function("test", lambda batch: self._logs_of("test", batch), force)

    def make_predict_function(self, force: bool = False) -> Callable:
        """Return, and store as ``predict_function``, a function that returns the outputs for an iterator's next batch.

        Args:
            force: bool, whether to make it again; default False.
        """

        return self._step_function("predict", self._outputs_of, force)

    def _has_own_function(self, kind: str) -> bool:
        """Whether a subclass has a ``make_<kind>_function`` of its own."""
        name = f"make_{kind}_function"
        return getattr(type(self), name) is not getattr(StepFunctions, name)

    def _own_function(self, kind: str) -> Callable:
        """Return the function of an iterator that a subclass's own ``make_<kind>_function`` makes."""
        made = getattr(self, f"make_{kind}_function")()
        return getattr(self, f"{kind}_function") or made

    def _step_function(self, kind: str, run: Callable, force: bool) -> Callable:
        name = f"{kind}_function"
        if vars(self).get(name) is None or force:

            def function(iterator: Iterator) -> Any:
                batch = next(iterator)
                # A subclass may let the engine compile what it makes of this function.
                return getattr(self, f"{kind}_step")(batch) if backends.current().is_tracing() else run(batch)

            vars(self)[name] = function
        return vars(self)[name]

    def _logs_of(self, kind: str, batch: Any) -> dict:
        self._check_compiled(f"{kind}_function")
        x, y, sample_weight = unpack_x_y_sample_weight(batch)
        return self._on_batch(kind, x, y, sample_weight, None, True, False, own=False)

    def _outputs_of(self, batch: Any) -> Any:
        x = unpack_x_y_sample_weight(batch)[0]
        if not self._has_own_function("predict"):
            return self.predict_on_batch(x)
        with self._on_own_backend():
            batch = make_batch(x, encode=self._encode_strings)
            self._prepare_for(batch)
            return self._step_for("predict", batch, may_be_own=False)(batch)
