"""Optimizers with a learning rate per weight, adapted to its past gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polykeras import ops
from polykeras.backends import current
from polykeras.core.variables import Variable
from polykeras.initializers import Constant
from polykeras.optimizers import scalars
from polykeras.optimizers.optimizer import Optimizer, or_epsilon
from polykeras.optimizers.scalars import Scalar

#: Whether Adagrad and RMSprop add epsilon to the square root, as in Keras 2, in place of adding it under the root.
epsilon_is_outside = False


def _mixed(mean: Any, value: Any, rho: Scalar) -> Any:
    """Return a moving average after one more value."""
    return ops.add(ops.multiply(mean, rho), ops.multiply(value, 1 - rho))


def _scaled(gradient: Any, square: Any, learning_rate: Scalar, epsilon: float) -> Any:
    """Return the step for a gradient: it is divided by the root of a sum or mean of squares."""
    root = ops.add(ops.sqrt(square), epsilon) if epsilon_is_outside else ops.sqrt(ops.add(square, epsilon))
    return ops.divide(ops.multiply(gradient, learning_rate), root)


class Adagrad(Optimizer):
    """Adagrad: divides gradients by the square root of the sum of all past squared gradients.

    Args:
        learning_rate: float, ``LearningRateSchedule`` or function without arguments; default 0.001.
        initial_accumulator_value: initial value of the sum of squares; default 0.1.
        epsilon: constant for numerical stability, added to the sum; default 1e-07.
        *shared, **settings: see ``Optimizer``.

    Duchi et al., "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization"
    (2011), https://jmlr.org/papers/v12/duchi11a.html.

    >>> w = Variable(1.0)
    >>> Adagrad(0.25, 0.0).apply([ops.convert_to_tensor(3.0)], [w]); round(float(w.numpy()), 5)
    0.75
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-07,
        *shared: Any,
        **settings: Any,
    ) -> None:
        super().__init__(learning_rate, *shared, **settings)
        self.initial_accumulator_value, self.epsilon = initial_accumulator_value, or_epsilon(epsilon)

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        start = Constant(self.initial_accumulator_value)
        self._accumulators = self.add_optimizer_variables(variables, "accumulator", start)

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Scalar) -> None:
        total = self._accumulators[self._get_variable_index(variable)]
        self.assign_add(total, ops.square(gradient))

        def step(gradient: Any, total: Any) -> Any:
            return _scaled(gradient, total, learning_rate, self.epsilon)

        self.assign_sub(variable, current().on_rows(step, gradient, [total.array]))

    def _takes_rows(self) -> bool:
        return True

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "initial_accumulator_value": self.initial_accumulator_value,
            "epsilon": self.epsilon,
        }


class Adadelta(Optimizer):
    """Adadelta: scales gradients by the root mean square of past updates over that of past gradients.

    Args:
        learning_rate: float, ``LearningRateSchedule`` or function without arguments; 1.0 in the paper; default
            0.001.
        rho: decay rate of the moving averages of squared gradients and updates; default 0.95.
        epsilon: constant for numerical stability, added to the averages; default 1e-07.
        *shared, **settings: see ``Optimizer``.

    Zeiler, "ADADELTA: An Adaptive Learning Rate Method" (2012), https://arxiv.org/abs/1212.5701.

    >>> w = Variable(1.0)
    >>> Adadelta(1.0, epsilon=1.0).apply([ops.convert_to_tensor(0.0)], [w]); float(w.numpy())
    1.0
    """

    def __init__(
        self, learning_rate: Any = 0.001, rho: float = 0.95, epsilon: float = 1e-07, *shared: Any, **settings: Any
    ) -> None:
        super().__init__(learning_rate, *shared, **settings)
        self.rho, self.epsilon = rho, or_epsilon(epsilon)

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        names = ["accumulated_grad", "accumulated_delta_var"]
        self._squares, self._steps = self.add_optimizer_variables(variables, names)

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Scalar) -> None:
        index = self._get_variable_index(variable)
        square, past = self._squares[index], self._steps[index]
        self.assign(square, _mixed(square, ops.square(gradient), self.rho))
        ratio = ops.divide(ops.add(past, self.epsilon), ops.add(square, self.epsilon))
        step = ops.multiply(ops.sqrt(ratio), gradient)
        self.assign(past, _mixed(past, ops.square(step), self.rho))
        self.assign_sub(variable, ops.multiply(step, learning_rate))

    def get_config(self) -> dict:
        return {**super().get_config(), "rho": self.rho, "epsilon": self.epsilon}


class RMSprop(Optimizer):
    """RMSprop: divides gradients by the square root of a moving average of their squares.

    Args:
        learning_rate: float, ``LearningRateSchedule`` or function without arguments; default 0.001.
        rho: decay rate of the moving average of squared gradients; default 0.9.
        momentum: momentum coefficient; default 0.0.
        epsilon: constant for numerical stability, added to the average; default 1e-07.
        centered: whether to normalize by the estimated variance of gradients, not by their mean square; default
            False.
        *shared, **settings: see ``Optimizer``.

    Hinton, "Neural Networks for Machine Learning", lecture 6e (2012),
    https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf.

    >>> w = Variable(1.0)
    >>> RMSprop(0.25, rho=0.0).apply([ops.convert_to_tensor(3.0)], [w]); round(float(w.numpy()), 5)
    0.75
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-07,
        centered: bool = False,
        *shared: Any,
        **settings: Any,
    ) -> None:
        super().__init__(learning_rate, *shared, **settings)
        self.rho = rho
        self.momentum = momentum
        self.epsilon = or_epsilon(epsilon)
        self.centered = centered

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        self._velocities = self.add_optimizer_variables(variables, "velocity")
        self._momentums = self.add_optimizer_variables(variables, "momentum") if self.momentum else []
        self._averages_of_gradients = (
            self.add_optimizer_variables(variables, "average_gradient") if self.centered else []
        )

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Scalar) -> None:
        index = self._get_variable_index(variable)
        square = self._velocities[index]
        self.assign(square, _mixed(square, ops.square(gradient), self.rho))
        spread = square
        if self.centered:
            mean = self._averages_of_gradients[index]
            self.assign(mean, _mixed(mean, gradient, self.rho))
            spread = ops.subtract(square, ops.square(mean))
        step = _scaled(gradient, spread, learning_rate, self.epsilon)
        if self.momentum:
            past = self._momentums[index]
            step = ops.add(ops.multiply(past, self.momentum), step)
            self.assign(past, step)
        self.assign_sub(variable, step)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "rho": self.rho,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "centered": self.centered,
        }


class Ftrl(Optimizer):
    """FTRL-Proximal: follow the regularized leader, for linear models with sparse weights.

    Args:
        learning_rate: float, ``LearningRateSchedule`` or function without arguments; default 0.001.
        learning_rate_power: exponent of the sum of squares in the learning rate, at most 0; 0 for a constant rate;
            default -0.5.
        initial_accumulator_value: initial value of the sum of squares, at least 0; default 0.1.
        l1_regularization_strength: L1 penalty, which sets small weights to 0, at least 0; default 0.
        l2_regularization_strength: L2 penalty, which shrinks weights towards 0, at least 0; default 0.
        l2_shrinkage_regularization_strength: L2 penalty added to the gradient only, and not to the sum of squares;
            default 0.0.
        beta: the paper's beta, a constant in the denominator of the learning rate; default 0.0.
        *shared, **settings: see ``Optimizer``.

    Raises:
        ValueError: for values out of range.

    McMahan et al., "Ad Click Prediction: a View from the Trenches" (2013),
    https://doi.org/10.1145/2487575.2488200.

    >>> w = Variable(0.0)
    >>> Ftrl(1.0, l1_regularization_strength=5.0).apply([ops.convert_to_tensor(3.0)], [w]); float(w.numpy())
    0.0
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        *shared: Any,
        **settings: Any,
    ) -> None:
        super().__init__(learning_rate, *shared, **settings)
        if learning_rate_power > 0:
            raise ValueError(f"Expected learning_rate_power to be at most 0. Received: {learning_rate_power}.")
        self.learning_rate_power, self.initial_accumulator_value = learning_rate_power, initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta
        for name in ("initial_accumulator_value", *(n for n in list(vars(self)) if n.endswith("_strength"))):
            if getattr(self, name) < 0:
                raise ValueError(f"Expected {name} to be at least 0. Received: {getattr(self, name)}.")

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        starts = [Constant(self.initial_accumulator_value), "zeros"]
        names = ["accumulator", "linear"]
        self._accumulators, self._linears = self.add_optimizer_variables(variables, names, starts)

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Scalar) -> None:
        index = self._get_variable_index(variable)
        total, linear = self._accumulators[index], self._linears[index]
        power = -self.learning_rate_power
        grown = ops.add(total, ops.square(gradient))
        slope, steeper = ops.power(total, power), ops.power(grown, power)
        pull = ops.divide(ops.multiply(ops.subtract(steeper, slope), variable), learning_rate)
        shrunk = ops.add(gradient, ops.multiply(variable, 2 * self.l2_shrinkage_regularization_strength))
        self.assign_add(linear, ops.subtract(shrunk, pull))
        curvature = (self.beta + 2 * learning_rate * self.l2_regularization_strength) / learning_rate
        curvature = ops.add(ops.divide(steeper, learning_rate), curvature)
        bound = self.l1_regularization_strength
        self.assign(variable, ops.divide(ops.subtract(ops.clip(linear, -bound, bound), linear), curvature))
        self.assign(total, grown)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "learning_rate_power": self.learning_rate_power,
            "initial_accumulator_value": self.initial_accumulator_value,
            "l1_regularization_strength": self.l1_regularization_strength,
            "l2_regularization_strength": self.l2_regularization_strength,
            "l2_shrinkage_regularization_strength": self.l2_shrinkage_regularization_strength,
            "beta": self.beta,
        }


def _root_mean_square(x: Any) -> Any:
    return ops.sqrt(ops.mean(ops.square(x)))


class Adafactor(Optimizer):
    """Adafactor: adaptive learning rates, with matrices' second moments factored into a row and a column vector.

    Args:
        learning_rate: float, ``LearningRateSchedule`` or function without arguments; default 0.001.
        beta_2_decay: the decay rate of the second moments is ``1 - step ** beta_2_decay``; default -0.8.
        epsilon_1: constant for numerical stability, added to squared gradients; default 1e-30.
        epsilon_2: lower bound of the root mean square of a variable, which scales its updates; default 0.001.
        clip_threshold: upper bound of the root mean square of an update; default 1.0.
        relative_step: bool, without effect, as in Keras: the learning rate is capped at ``1 / sqrt(step)`` either
            way; default True.
        *shared, **settings: see ``Optimizer``.

    Shazeer and Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost" (2018),
    https://arxiv.org/abs/1804.04235.

    >>> w = Variable(1.0)
    >>> Adafactor(0.25).apply([ops.convert_to_tensor(3.0)], [w]); round(float(w.numpy()), 5)
    0.75
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 0.001,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        *shared: Any,
        **settings: Any,
    ) -> None:
        super().__init__(learning_rate, *shared, **settings)
        self.beta_2_decay = beta_2_decay
        self.epsilon_1 = epsilon_1
        self.epsilon_2 = epsilon_2
        self.clip_threshold, self.relative_step = clip_threshold, relative_step

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        self._rows = []
        self._columns = []
        self._velocities = []
        for variable in variables:
            shape = variable.shape
            # Vectors need neither; two scalars keep the variables' indices in Keras files.
            row, column = ((), ()) if len(shape) < 2 else (shape[:-1], (*shape[:-2], shape[-1]))
            self._rows.append(self.add_variable(row, dtype=variable.dtype, name=f"{variable.name}_row"))
            self._columns.append(self.add_variable(column, dtype=variable.dtype, name=f"{variable.name}_column"))
            self._velocities.append(self.add_variable_from_reference(variable, "velocity"))

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Scalar) -> None:
        step = self._step_number()
        size = ops.maximum(_root_mean_square(variable), self.epsilon_2)
        rate = scalars.minimum(learning_rate, 1 / step**0.5)  # even if relative_step is False, as in Keras
        square = self._mean_square(gradient, variable, 1 - step**self.beta_2_decay)
        direction = ops.divide(gradient, ops.sqrt(square))
        excess = ops.maximum(ops.divide(_root_mean_square(direction), self.clip_threshold), 1.0)
        self.assign_sub(variable, ops.multiply(ops.divide(direction, excess), ops.multiply(size, rate)))

    def _mean_square(self, gradient: Any, variable: Variable, beta: Scalar) -> Any:
        """Return the moving average of squared gradients; for a matrix, the outer product of two vectors."""
        index = self._get_variable_index(variable)
        row, column, velocity = self._rows[index], self._columns[index], self._velocities[index]
        square = ops.add(ops.square(gradient), self.epsilon_1)
        if len(variable.shape) < 2:
            self.assign(velocity, _mixed(velocity, square, beta))
        else:
            self.assign(row, _mixed(row, ops.mean(square, axis=-1), beta))
            self.assign(column, _mixed(column, ops.mean(square, axis=-2), beta))
            fraction = ops.divide(row, ops.mean(row, axis=-1, keepdims=True))
            self.assign(velocity, ops.multiply(ops.expand_dims(fraction, -1), ops.expand_dims(column, -2)))
        return velocity

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "beta_2_decay": self.beta_2_decay,
            "epsilon_1": self.epsilon_1,
            "epsilon_2": self.epsilon_2,
            "clip_threshold": self.clip_threshold,
            "relative_step": self.relative_step,
        }
