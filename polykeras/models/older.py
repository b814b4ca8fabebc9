"""Methods of models that later versions of Keras took away, and those that polykeras does not have yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np


class OlderMethods:
    """What programs for Keras 1 and 2 call on a model."""

    name: str
    losses: list
    predict: Callable[..., Any]

    def predict_proba(self, x: Any, batch_size: int | None = None, verbose: Any = 0, **kwargs: Any) -> Any:
        """Return the outputs for data, as ``predict`` does.

        Args:
            x, batch_size, verbose, **kwargs: as for ``predict``; default None for ``batch_size``, 0 for ``verbose``.
        """
        return self.predict(x, batch_size=batch_size, verbose=verbose, **kwargs)

    def predict_classes(self, x: Any, batch_size: int | None = None, verbose: Any = 0, **kwargs: Any) -> np.ndarray:
        """Return the class of each row.

        Args:
            x, batch_size, verbose, **kwargs: as for ``predict``; default None for ``batch_size``, 0 for ``verbose``.

        Returns:
            The place of the largest output; of a single output whether it is above 0.5, with its last axis.

        >>> import polykeras as keras
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Softmax()])
        >>> model.predict_classes(np.array([[1.0, 2.0], [4.0, 3.0]]))
        array([1, 0])
        """
        outputs = self.predict(x, batch_size=batch_size, verbose=verbose, **kwargs)
        return outputs.argmax(-1) if outputs.shape[-1] > 1 else (outputs > 0.5).astype("int32")

    def get_losses_for(self, inputs: Any) -> list:
        """Return the losses of the last call; they are not told apart by inputs.

        Args:
            inputs: tensors, which do not matter.
        """
        return list(self.losses)

    def get_updates_for(self, inputs: Any) -> list:
        """Return an empty list: layers update their weights themselves.

        Args:
            inputs: tensors, which do not matter.
        """
        return []

    def to_yaml(self, **kwargs: Any) -> NoReturn:
        """Refuse: YAML can hold code that runs when it is read.

        Args:
            **kwargs: of Keras 2, which do not matter.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("Expected to_json(). Received: to_yaml(), which is gone: YAML may run code when it is read.")

    def export(self, filepath: Any, format: str = "tf_saved_model", **kwargs: Any) -> NoReturn:
        """Refuse: there is no export yet.

        Args:
            filepath: where to.
            format: "tf_saved_model", "onnx", "openvino", "torch" or "litert"; default "tf_saved_model".
            **kwargs: of Keras, which do not matter.

        Raises:
            ValueError: for an unknown format.
            NotImplementedError: for the formats of Keras.
        """
        known = ("tf_saved_model", "onnx", "openvino", "torch", "litert")
        if format not in known:
            raise ValueError(f"Expected format to be one of {known}. Received: {format!r}.")
        raise NotImplementedError(
            f"Model {self.name!r}: Expected save(), for a file that polykeras and Keras read. Received: "
            f"export(format={format!r}), which is not there yet. Real Keras loads the saved file, and exports it."
        )


def model_from_yaml(yaml_string: str, custom_objects: dict | None = None) -> NoReturn:
    """Refuse: YAML can hold code that runs when it is read.

    Args:
        yaml_string: what Keras 2 wrote.
        custom_objects: dict of names; default None.

    Raises:
        RuntimeError: always.

    >>> model_from_yaml("a: b")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    RuntimeError: ...
    """
    raise RuntimeError(
        "Expected model_from_json(model.to_json()). Received: model_from_yaml(), which is gone: YAML may run code when "
        "it is read."
    )
