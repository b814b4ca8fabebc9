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
            The index of the largest output; of a single output whether it is above 0.5, with its last axis.

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

    def export(
        self,
        filepath: Any,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: Any = None,
        **kwargs: Any,
    ) -> None:
        """Write the model's inference as a program of its engine, which runs without polykeras.

        Args:
            filepath: path of the folder or file.
            format: "tf_saved_model" on TensorFlow, "torch" (a file of ``torch.export``) on PyTorch; default
                "tf_saved_model". "onnx", "openvino" and "litert" are not there yet.
            verbose: whether to say where it was saved; default None, for no.
            input_signature: tree of ``InputSpec``, symbolic tensors or arrays; default None, for the model's inputs.
                With ``format="torch"`` unknown sizes become 1, unless ``dynamic_shapes`` says otherwise.
            **kwargs: arguments of ``torch.export.export``.

        Raises:
            ValueError: for an unknown format or argument, and for a model of unknown inputs.
            RuntimeError: for a model on another backend than that of the format.
            NotImplementedError: for the other formats of Keras.
        """
        from polykeras.interop.export import export_model

        export_model(self, filepath, format, verbose, input_signature, **kwargs)


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
