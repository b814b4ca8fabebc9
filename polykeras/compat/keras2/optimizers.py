"""Names of Keras 2.11 for the same optimizers, and a class of Keras 2.3 without a replacement."""

from typing import Any, NoReturn

from polykeras.optimizers.adagrad import Adagrad, Ftrl, RMSprop
from polykeras.optimizers.adam import Adam
from polykeras.optimizers.optimizer import Optimizer
from polykeras.optimizers.sgd import SGD

__all__ = ["SGD", "Adagrad", "Adam", "Ftrl", "Optimizer", "RMSprop", "TFOptimizer"]


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
