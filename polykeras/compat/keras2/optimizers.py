"""``legacy`` and ``experimental`` of Keras 2.11: the same optimizers; and a class of Keras 2.3 without replacement."""

from typing import Any, NoReturn

from polykeras.optimizers.adagrad import Adadelta, Adagrad, Ftrl, RMSprop
from polykeras.optimizers.adam import Adam, Adamax, AdamW, Nadam
from polykeras.optimizers.optimizer import Optimizer
from polykeras.optimizers.sgd import SGD

__all__ = [
    "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Nadam", "Optimizer", "RMSprop", "TFOptimizer"
]  # fmt: skip


class TFOptimizer:
    """Keras 2's wrapper around optimizers of TensorFlow 1, which is not supported.

    Args:
        optimizer: an optimizer of TensorFlow 1.

    Raises:
        NotImplementedError: always.

    >>> TFOptimizer(None)
    Traceback (most recent call last):
    NotImplementedError: Expected an optimizer of keras.optimizers. Received: None, of TensorFlow 1.
    """

    def __new__(cls, optimizer: Any) -> NoReturn:
        raise NotImplementedError(
            f"Expected an optimizer of keras.optimizers. Received: {optimizer!r}, of TensorFlow 1."
        )
