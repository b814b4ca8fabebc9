"""Methods of models that later versions of Keras removed, and those that polykeras does not implement yet."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from polykeras.layers.graph_calls import replaceable


class OlderMethods:
    """Methods of models in Keras 1 and 2."""

    name: str
    predict: Callable[..., Any]
    _flatten_layers: Callable[..., list]

    def predict_proba(self, x: Any, batch_size: int | None = None, verbose: Any = 0, **kwargs: Any) -> Any:
        """Return the outputs for data, like ``predict``.

        Args:
            x, batch_size, verbose, **kwargs: as for ``predict``; default None for ``batch_size``, 0 for ``verbose``.
        """
        return self.predict(x, batch_size=batch_size, verbose=verbose, **kwargs)

    def predict_classes(self, x: Any, batch_size: int | None = None, verbose: Any = 0, **kwargs: Any) -> np.ndarray:
        """Return the class of each row.

        Args:
            x, batch_size, verbose, **kwargs: as for ``predict``; default None for ``batch_size``, 0 for ``verbose``.

        Returns:
            The index of the largest output; for a single output, whether it is above 0.5, with the last axis kept.

        >>> import polykeras as keras
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Softmax()])
        >>> model.predict_classes(np.array([[1.0, 2.0], [4.0, 3.0]]))
        array([1, 0])
        """
        outputs = self.predict(x, batch_size=batch_size, verbose=verbose, **kwargs)
        return outputs.argmax(-1) if outputs.shape[-1] > 1 else (outputs > 0.5).astype("int32")

    @replaceable
    def stateful(self) -> bool:
        """Whether a layer keeps states from one batch to the next."""
        return any(layer.stateful for layer in self._flatten_layers(include_self=False))

    @replaceable
    def state_updates(self) -> list:
        """An empty list: recurrent layers update their states themselves."""
        return []

    @replaceable
    def uses_learning_phase(self) -> bool:
        """Whether a layer computes something else in training."""
        layers = self._flatten_layers(include_self=False)
        return any("training" in inspect.signature(layer.call).parameters for layer in layers)

    def to_yaml(self, **kwargs: Any) -> NoReturn:
        """Refuse, because YAML can contain code that runs when it is read.

        Args:
            **kwargs: arguments of Keras 2, which are ignored.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("Expected to_json(). Received: to_yaml(), which is removed: YAML can run code when read.")

    def export(
        self,
        filepath: Any,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: Any = None,
        **kwargs: Any,
    ) -> None:
        """Export the model's inference as a program of its engine that runs without polykeras.

        Args:
            filepath: path of the folder or file.
            format: "tf_saved_model" on TensorFlow, "torch" (a file of ``torch.export``) on PyTorch; default
                    "tf_saved_model". "onnx", "openvino" and "litert" are not implemented yet.
            verbose: bool, whether to print where it was saved; default None means False.
            input_signature: tree of ``InputSpec``, symbolic tensors or arrays; default None, for the model's inputs.
                With ``format="torch"`` unknown sizes become 1, unless ``dynamic_shapes`` says otherwise.
            **kwargs: arguments of ``torch.export.export``.

        Raises:
            ValueError: for an unknown format or argument, or a model whose inputs are unknown.
            RuntimeError: for a model on a backend other than that of the format.
            NotImplementedError: for Keras's other formats.
        """
        from polykeras.interop.export import export_model

        export_model(self, filepath, format, verbose, input_signature, **kwargs)


def model_from_yaml(yaml_string: str, custom_objects: dict | None = None) -> NoReturn:
    """Refuse, because YAML can contain code that runs when it is read.

    Args:
        yaml_string: str, as Keras 2 wrote it.
        custom_objects: dict of names; default None.

    Raises:
        RuntimeError: always.

    >>> model_from_yaml("a: b")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    RuntimeError: ...
    """
    raise RuntimeError(
        "Expected model_from_json(model.to_json()). Received: model_from_yaml(), which is removed: YAML can run code "
        "when it is read."
    )
