"""A callback that swaps the weights for their moving averages."""

from __future__ import annotations

import numpy as np

from polykeras import ops
from polykeras.callbacks.callback import Callback
from polykeras.callbacks.monitor import optimizers_of


class SwapEMAWeights(Callback):
    """Evaluates and predicts with the exponential moving averages (EMA) of the weights that the optimizer keeps.

    Args:
        swap_on_epoch: bool, whether to also swap from the end of each epoch to the start of the next, for later
            callbacks such as ModelCheckpoint; default False.

    Raises:
        ValueError: if the optimizer was created without ``use_ema=True``.

    >>> import numpy as np, polykeras as keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.1, use_ema=True), "mse")
    >>> swap = keras.callbacks.SwapEMAWeights()
    >>> history = model.fit(np.ones((4, 2)), np.ones((4, 1)), epochs=2, callbacks=[swap], verbose=0)
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._weights: list[np.ndarray] | None = None  # the trained weights, while the model has the averages

    def _swap_in(self) -> None:
        optimizers = [optimizer for optimizer in optimizers_of(self.model) if optimizer.use_ema]
        if not optimizers:
            raise ValueError(
                f"Expected an optimizer with use_ema=True for SwapEMAWeights. Received: {self.model.optimizer.name!r} "
                f"without it."
            )
        has_averages = any(int(ops.convert_to_numpy(optimizer.iterations)) > 0 for optimizer in optimizers)
        if self._weights is None and has_averages:
            variables = self.model.trainable_variables
            self._weights = [variable.numpy() for variable in variables]
            self.model.optimizer.finalize_variable_values(variables)

    def _swap_out(self) -> None:
        if self._weights is not None:
            for variable, weight in zip(self.model.trainable_variables, self._weights, strict=True):
                variable.assign(weight)
            self._weights = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._weights = None

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._swap_out()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if self.swap_on_epoch:
            self._swap_in()

    def on_test_begin(self, logs: dict | None = None) -> None:
        self._swap_in()

    def on_test_end(self, logs: dict | None = None) -> None:
        self._swap_out()

    def on_predict_begin(self, logs: dict | None = None) -> None:
        self._swap_in()

    def on_predict_end(self, logs: dict | None = None) -> None:
        self._swap_out()
