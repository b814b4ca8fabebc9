"""Adam and its variants, which keep moving averages of gradients and of their squares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polykeras import backends, ops
from polykeras.backends import current
from polykeras.core.variables import Variable
from polykeras.initializers import Constant
from polykeras.optimizers import scalars
from polykeras.optimizers.optimizer import Optimizer, by_dtype, norm, one_of_many, or_epsilon
from polykeras.optimizers.scalars import Scalar


def moving_average(mean: Any, value: Any, beta: float) -> Any:
    """Return a moving average after one more value: ``beta * mean + (1 - beta) * value``."""
    return ops.add(mean, ops.multiply(ops.subtract(value, mean), 1 - beta))


class _TwoMoments(Optimizer):
    """Base class of optimizers with first- and second-moment estimates of each variable's gradient."""

    def __init__(
        self, learning_rate: Any, beta_1: float, beta_2: float, epsilon: float, *shared: Any, **settings: Any
    ) -> None:
        super().__init__(learning_rate, *shared, **settings)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = or_epsilon(epsilon)

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        names = ["momentum", "velocity"]
        self._momentums, self._velocities = self.add_optimizer_variables(variables, names)

    def means(self, gradient: Any, variable: Variable) -> tuple[Variable, Variable]:
        """Update the moment estimates of a variable's gradient, and return them."""
        index = self._get_variable_index(variable)
        mean, square = self._momentums[index], self._velocities[index]
        self.assign(mean, moving_average(mean, gradient, self.beta_1))
        self.assign(square, moving_average(square, ops.square(gradient), self.beta_2))
        return mean, square

    def get_config(self) -> dict:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


class Adam(_TwoMoments):
    """Adam: adaptive moment estimation, with bias-corrected moving averages.

    Args:
        learning_rate: float, ``LearningRateSchedule`` or function without arguments; default 0.001.
        beta_1: decay rate of the first-moment estimate, the moving average of gradients; default 0.9.
        beta_2: decay rate of the second-moment estimate, the moving average of squared gradients; default 0.999.
        epsilon: constant for numerical stability, added to the square root of the second moment; default 1e-07.
        amsgrad: whether to divide by the largest second-moment estimate so far; default False.
        *shared, **settings: see ``Optimizer``.

    Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2014),
    https://arxiv.org/abs/1412.6980; amsgrad: Reddi et al., "On the Convergence of Adam and Beyond"
    (2018), https://openreview.net/forum?id=ryQu7f-RZ.

    >>> w = Variable(1.0)
    >>> Adam(0.25).apply([ops.convert_to_tensor(3.0)], [w]); round(float(w.numpy()), 5)
    0.75
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-07,
        amsgrad: bool = False,
        *shared: Any,
        **settings: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, *shared, **settings)
        self.amsgrad = amsgrad

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        self._velocity_hats = self.add_optimizer_variables(variables, "velocity_hat") if self.amsgrad else []

    @one_of_many
    def update_step(self, gradient: Any, variable: Variable, learning_rate: Scalar) -> None:
        self._update_together([gradient], [variable], learning_rate)

    def _update_together(self, gradients: list, variables: list[Variable], learning_rate: Scalar) -> None:
        step = self._step_number()
        beta_1, beta_2 = scalars.concrete(self.beta_1), current().adam_decay(self.beta_2)
        correction = scalars.one_minus_power(beta_2, step) ** 0.5 / scalars.one_minus_power(beta_1, step)
        for group, weights in by_dtype(gradients, variables):
            indices = [self._get_variable_index(w) for w in weights]
            means = [self._momentums[i] for i in indices]
            squares = [self._velocities[i] for i in indices]
            largest = [self._velocity_hats[i] for i in indices] if self.amsgrad else []
            *updated, tops = current().adam_update(
                [w.array for w in weights],
                group,
                [v.array for v in means],
                [v.array for v in squares],
                [v.array for v in largest] or None,
                learning_rate * correction,
                beta_1,
                beta_2,
                scalars.concrete(self.epsilon),
            )
            for slots, arrays in zip((weights, means, squares, largest), (*updated, tops or ()), strict=True):
                for slot, array in zip(slots, arrays, strict=True):
                    slot.put(array)

    def get_config(self) -> dict:
        return {**super().get_config(), "amsgrad": self.amsgrad}


class AdamW(Adam):
    """Adam with decoupled weight decay, which acts on the weights directly, not through the gradients.

    Args:
        learning_rate: float, ``LearningRateSchedule`` or function without arguments; default 0.001.
        weight_decay: float, weight decay coefficient: each update first subtracts
            ``learning_rate * weight_decay * w`` from a weight ``w``; default 0.004.
        beta_1, beta_2, epsilon, amsgrad: see ``Adam``.
        *shared, **settings: see ``Optimizer``.

    Raises:
        ValueError: if ``weight_decay`` is None.

    Loshchilov and Hutter, "Decoupled Weight Decay Regularization" (2017),
    https://arxiv.org/abs/1711.05101.

    >>> w = Variable(2.0)
    >>> AdamW(0.25, weight_decay=1.0).apply([ops.convert_to_tensor(3.0)], [w]); round(float(w.numpy()), 5)
    1.25
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-07,
        amsgrad: bool = False,
        *shared: Any,
        **settings: Any,
    ) -> None:
        if weight_decay is None:
            raise ValueError("Expected weight_decay to be a number. Received: None. Use Adam for no weight decay.")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, *shared, **settings)


class Adamax(Optimizer):
    """Adamax: Adam with the infinity norm in place of the second moment.

    Args:
        learning_rate: float, ``LearningRateSchedule`` or function without arguments; default 0.001.
        beta_1: decay rate of the first-moment estimate, the moving average of gradients; default 0.9.
        beta_2: decay rate of the exponentially weighted infinity norm; default 0.999.
        epsilon: constant for numerical stability, added to the norm; default 1e-07.
        *shared, **settings: see ``Optimizer``.

    Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2014), section 7.1,
    https://arxiv.org/abs/1412.6980.

    >>> w = Variable(1.0)
    >>> Adamax(0.25).apply([ops.convert_to_tensor(3.0)], [w]); round(float(w.numpy()), 5)
    0.75
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-07,
        *shared: Any,
        **settings: Any,
    ) -> None:
        super().__init__(learning_rate, *shared, **settings)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = or_epsilon(epsilon)

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        self._momentums, self._norms = self.add_optimizer_variables(variables, ["momentum", "norm"])

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Scalar) -> None:
        index = self._get_variable_index(variable)
        mean, largest = self._momentums[index], self._norms[index]
        self.assign(mean, moving_average(mean, gradient, self.beta_1))
        self.assign(largest, ops.maximum(ops.multiply(largest, self.beta_2), ops.abs(gradient)))
        rate = learning_rate / scalars.one_minus_power(self.beta_1, self._step_number())
        self.assign_sub(variable, ops.divide(ops.multiply(mean, rate), ops.add(largest, self.epsilon)))

    def get_config(self) -> dict:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


class Nadam(_TwoMoments):
    """Nadam: Adam with Nesterov momentum.

    Args:
        learning_rate: float, ``LearningRateSchedule`` or function without arguments; default 0.001.
        beta_1, beta_2, epsilon: see ``Adam``.
        *shared, **settings: see ``Optimizer``; and ``schedule_decay``, Keras 2's strength of the warmup: the momentum
            is ``beta_1 * (1 - 0.5 * 0.96 ** (step * schedule_decay))``; default 1, or 0.004 in the era of Keras 2.

    Dozat, "Incorporating Nesterov Momentum into Adam" (2016),
    https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ.

    >>> w = Variable(1.0)
    >>> Nadam(0.25).apply([ops.convert_to_tensor(3.0)], [w]); round(float(w.numpy()), 3)
    0.734
    """

    _momentum_decay = 0.96

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-07,
        *shared: Any,
        **settings: Any,
    ) -> None:
        self.schedule_decay = settings.pop("schedule_decay", None)
        if self.schedule_decay is not None:
            self._momentum_decay = 0.96**self.schedule_decay
        super().__init__(learning_rate, beta_1, beta_2, epsilon, *shared, **settings)

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        self._product = self.add_variable((), "ones", "float32", name="momentum_product", on_host=True)

    def _momentum(self, step: Scalar) -> Scalar:
        """Return the momentum coefficient of a step, which warms up to beta_1."""
        return self.beta_1 * (1 - 0.5 * self._momentum_decay**step)

    def update_steps(self, gradients: list, variables: list[Variable], learning_rate: Scalar) -> None:
        self.assign(self._product, scalars.concrete(self._product) * self._momentum(self._step_number()))
        super().update_steps(gradients, variables, learning_rate)

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Scalar) -> None:
        mean, square = self.means(gradient, variable)
        step, product = self._step_number(), scalars.concrete(self._product)
        now, ahead = self._momentum(step), self._momentum(step + 1)
        past = ops.multiply(mean, ahead / (1 - product * ahead))
        direction = ops.add(past, ops.multiply(gradient, (1 - now) / (1 - product)))
        root = ops.sqrt(ops.divide(square, scalars.one_minus_power(self.beta_2, step)))
        self.assign_sub(variable, ops.divide(ops.multiply(direction, learning_rate), ops.add(root, self.epsilon)))

    def get_config(self) -> dict:
        further = {} if self.schedule_decay is None else {"schedule_decay": self.schedule_decay}
        return {**super().get_config(), **further}


class Lamb(_TwoMoments):
    """LAMB: Adam with each variable's update scaled to the norm of its weights, for large batches.

    Args:
        learning_rate: float, ``LearningRateSchedule`` or function without arguments; default 0.001.
        beta_1, beta_2, epsilon: see ``Adam``.
        *shared, **settings: see ``Optimizer``.

    You et al., "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes" (2019),
    https://arxiv.org/abs/1904.00962.

    >>> w = Variable(2.0)
    >>> Lamb(0.25).apply([ops.convert_to_tensor(3.0)], [w]); round(float(w.numpy()), 5)
    1.5
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-07,
        *shared: Any,
        **settings: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, *shared, **settings)

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Scalar) -> None:
        mean, square = self.means(gradient, variable)
        step = self._step_number()
        root = ops.sqrt(ops.divide(square, scalars.one_minus_power(self.beta_2, step)))
        mean = ops.divide(mean, scalars.one_minus_power(self.beta_1, step))
        direction = ops.divide(mean, ops.add(root, self.epsilon))
        length, step_length = norm([variable]), norm([direction])
        is_moving = ops.logical_and(ops.greater(length, 0), ops.greater(step_length, 0))
        ratio = ops.where(is_moving, ops.divide(length, step_length), 1.0)
        self.assign_sub(variable, ops.multiply(direction, ops.multiply(ratio, learning_rate)))


class ScheduleFreeAdamW(_TwoMoments):
    """Schedule-free AdamW: weight averaging in place of a learning rate schedule.

    Args:
        learning_rate: learning rate, a float; default 0.0025.
        beta_1: interpolation coefficient: gradients are computed at ``beta_1 * x + (1 - beta_1) * z``, with ``x``
            the averaged weights and ``z`` those without averaging; default 0.9.
        beta_2: decay rate of the second-moment estimate, the moving average of squared gradients; default 0.999.
        epsilon: constant for numerical stability, added to the square root of the second moment; default 1e-08.
        warmup_steps: number of updates over which the learning rate rises linearly from 0; default 0.
        *shared, **settings: see ``Optimizer``.

    Defazio et al., "The Road Less Scheduled" (2024), https://arxiv.org/abs/2405.15682.

    >>> w = Variable(1.0)
    >>> ScheduleFreeAdamW(0.25).apply([ops.convert_to_tensor(3.0)], [w]); round(float(w.numpy()), 5)
    0.75
    """

    def __init__(
        self,
        learning_rate: Any = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-08,
        warmup_steps: int = 0,
        *shared: Any,
        **settings: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, *shared, **settings)
        self.warmup_steps = warmup_steps

    def build(self, variables: Sequence[Variable]) -> None:
        Optimizer.build(self, variables)
        self._momentums, self._velocities = [], []
        for variable in variables:
            # The weights without averaging ("z" in the paper) start at the variable's value.
            with backends.use(variable.backend_name):  # also when the first step is a dry run over shapes
                start = Constant(variable.numpy())
            self._momentums.append(self.add_variable_from_reference(variable, "momentum", start))
            self._velocities.append(self.add_variable_from_reference(variable, "velocity"))

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Scalar) -> None:
        index = self._get_variable_index(variable)
        fast, square = self._momentums[index], self._velocities[index]
        step, rate = self._step_number(), learning_rate
        if self.warmup_steps:
            rate = rate * scalars.minimum(step / self.warmup_steps, 1.0)
        self.assign(square, moving_average(square, ops.square(gradient), self.beta_2))
        root = ops.sqrt(ops.divide(square, scalars.one_minus_power(self.beta_2, step)))
        average = ops.divide(ops.subtract(variable, ops.multiply(fast, 1 - self.beta_1)), self.beta_1)
        self.assign_sub(fast, ops.divide(ops.multiply(gradient, rate), ops.add(root, self.epsilon)))
        average = ops.add(ops.multiply(average, 1 - 1 / step), ops.multiply(fast, 1 / step))
        self.assign(variable, ops.add(ops.multiply(fast, 1 - self.beta_1), ops.multiply(average, self.beta_1)))

    def get_config(self) -> dict:
        return {**super().get_config(), "warmup_steps": self.warmup_steps}
