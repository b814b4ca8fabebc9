"""SGD and Lion, whose updates follow the gradient or its sign."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polykeras import ops
from polykeras.backends import current
from polykeras.backends.shared.structured import is_structured
from polykeras.capture.numbers import is_zero
from polykeras.core.variables import Variable
from polykeras.optimizers import scalars
from polykeras.optimizers.optimizer import Optimizer, by_dtype, one_of_many
from polykeras.optimizers.scalars import Scalar


class SGD(Optimizer):
    """Stochastic gradient descent, optionally with momentum.

    Args:
        learning_rate: float, ``LearningRateSchedule`` or function without arguments; default 0.01.
        momentum: momentum coefficient, from 0 to 1; default 0.
        nesterov: whether to use Nesterov momentum; default False.
        *shared, **settings: see ``Optimizer``.

    Raises:
        ValueError: for a momentum out of range.

    ``velocity = momentum * velocity - rate * gradient; w += velocity``. Sutskever et al., "On the
    importance of initialization and momentum in deep learning" (2013),
    https://proceedings.mlr.press/v28/sutskever13.html.

    >>> w = Variable(1.0)
    >>> SGD(0.5).apply([ops.convert_to_tensor(1.0)], [w]); float(w.numpy())
    0.5
    """

    def __init__(
        self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False, *shared: Any, **settings: Any
    ) -> None:
        super().__init__(learning_rate, *shared, **settings)
        if not 0 <= momentum <= 1:
            raise ValueError(f"Expected momentum from 0 to 1. Received: {momentum}.")
        self.momentum, self.nesterov = momentum, nesterov

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        self.momentums = self.add_optimizer_variables(variables, "momentum") if self.momentum else []

    @one_of_many
    def update_step(self, gradient: Any, variable: Variable, learning_rate: Scalar) -> None:
        if is_structured(gradient):
            self.assign_sub(variable, ops.multiply(gradient, learning_rate))
        else:
            self._update_together([gradient], [variable], learning_rate)

    def _takes_rows(self) -> bool:
        return is_zero(self.momentum)

    def _update_together(self, gradients: list, variables: list[Variable], learning_rate: Scalar) -> None:
        has_momentum = not is_zero(self.momentum)
        if has_momentum and not self.momentums:  # momentum was 0 at build time
            self.momentums = self.add_optimizer_variables(self._trainable_variables, "momentum")
        for group, weights in by_dtype(gradients, variables):
            slots = [self.momentums[self._get_variable_index(w)] for w in weights] if has_momentum else []
            updated, velocities = current().sgd_update(
                [w.array for w in weights],
                group,
                [s.array for s in slots] or None,
                learning_rate,
                scalars.concrete(self.momentum),
                self.nesterov,
            )
            for variable, array in zip([*weights, *slots], [*updated, *(velocities or ())], strict=True):
                variable.put(array)

    def get_config(self) -> dict:
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}


class Lion(Optimizer):
    """Lion: EvoLved Sign Momentum; updates of equal magnitude, by the sign of averaged gradients.

    Args:
        learning_rate: float, ``LearningRateSchedule`` or function without arguments; typically 3 to 10 times
            smaller than for Adam; default 0.001.
        beta_1: interpolation coefficient between the moving average and the gradient in an update; default 0.9.
        beta_2: decay rate of the moving average of gradients; default 0.99.
        *shared, **settings: see ``Optimizer``.

    Raises:
        ValueError: for a beta_1 outside of (0, 1].

    Chen et al., "Symbolic Discovery of Optimization Algorithms" (2023),
    https://arxiv.org/abs/2302.06675.

    >>> w = Variable(1.0)
    >>> Lion(0.25).apply([ops.convert_to_tensor(3.0)], [w]); float(w.numpy())
    0.75
    """

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, *shared: Any, **settings: Any
    ) -> None:
        super().__init__(learning_rate, *shared, **settings)
        if not 0 < beta_1 <= 1:
            raise ValueError(f"Expected beta_1 above 0 and up to 1. Received: {beta_1}.")
        self.beta_1, self.beta_2 = beta_1, beta_2

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        self._momentums = self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Scalar) -> None:
        mean = self._momentums[self._get_variable_index(variable)]
        step = ops.add(ops.multiply(mean, self.beta_1), ops.multiply(gradient, 1 - self.beta_1))
        self.assign_sub(variable, ops.multiply(ops.sign(step), learning_rate))
        self.assign(mean, ops.add(ops.multiply(mean, self.beta_2), ops.multiply(gradient, 1 - self.beta_2)))

    def get_config(self) -> dict:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2}
