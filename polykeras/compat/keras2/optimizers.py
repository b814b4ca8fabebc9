"""Names of Keras 2.11, which are the same optimizers here, and one of Keras 2.3 that has none."""

from typing import Any, NoReturn

from polykeras.optimizers.adagrad import Adagrad, Ftrl, RMSprop
from polykeras.optimizers.adam import Adam
from polykeras.optimizers.optimizer import Optimizer
from polykeras.optimizers.sgd import SGD

__all__ = ["SGD", "Adagrad", "Adam", "Ftrl", "Optimizer", "RMSprop", "TFOptimizer"]


class TFOptimizer:
    """Keras 2's wrapper around an optimizer of TensorFlow 1, which is refused.

    Args:
        optimizer: that of TensorFlow.

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
