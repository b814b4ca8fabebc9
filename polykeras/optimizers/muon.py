"""Muon: orthogonalized momentum updates for matrices."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from polykeras import ops
from polykeras.core.variables import Variable
from polykeras.optimizers import scalars
from polykeras.optimizers.adam import moving_average
from polykeras.optimizers.optimizer import Optimizer, norm
from polykeras.optimizers.scalars import Scalar


class Muon(Optimizer):
    """Muon: orthogonalized momentum updates for matrices, and AdamW for everything else.

    Args:
        learning_rate: float, ``LearningRateSchedule`` or function without arguments; default 0.001.
        adam_beta_1, adam_beta_2, epsilon: floats, see ``Adam``; for the variables updated by AdamW.
        adam_weight_decay: float or None, weight decay of the variables updated by AdamW; default 0.004.
        weight_decay: float or None, weight decay of the variables updated by Muon; default 0.004.
        clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: see ``Optimizer``.
        exclude_layers: regular expressions; matrices whose path contains a match are updated by AdamW; default None.
        exclude_embeddings: whether matrices with "embedding" in their path are updated by AdamW; default True.
        muon_a, muon_b, muon_c: coefficients of the Newton-Schulz polynomial; defaults
            3.4445, -4.775 and 2.0315.
        adam_lr_ratio: the learning rate of AdamW, as a multiple of ``learning_rate``; default 1.
        momentum: momentum coefficient; default 0.95.
        ns_steps: number of Newton-Schulz iterations; default 5.
        nesterov: whether to use Nesterov momentum; default True.
        rms_rate: float, root mean square of an update before the learning rate, as used with AdamW's rates; None
            for no rescaling; default 0.2.
        **kwargs: other arguments of ``Optimizer``.

    Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024),
    https://kellerjordan.github.io/posts/muon; scale of updates: Liu et al., "Muon is Scalable for LLM
    Training" (2025), https://arxiv.org/abs/2502.16982.

    >>> w = Variable([[2.0, 0.0], [0.0, 2.0]])
    >>> Muon(0.1, weight_decay=None).apply([ops.convert_to_tensor([[3.0, 0.0], [0.0, 3.0]])], [w])
    >>> bool(w.numpy()[0, 0] < 2), float(w.numpy()[0, 1])
    (True, 0.0)
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-07,
        weight_decay: float | None = 0.004,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.775,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            learning_rate,
            weight_decay,
            clipnorm,
            clipvalue,
            global_clipnorm,
            use_ema,
            ema_momentum,
            ema_overwrite_frequency,
            loss_scale_factor,
            gradient_accumulation_steps,
            name,
            **kwargs,
        )
        self.adam_beta_1 = adam_beta_1
        self.adam_beta_2 = adam_beta_2
        self.epsilon = epsilon
        self.adam_weight_decay, self.adam_lr_ratio = adam_weight_decay, adam_lr_ratio
        self.exclude_layers, self.exclude_embeddings = list(exclude_layers or ()), exclude_embeddings
        self.muon_a = muon_a
        self.muon_b = muon_b
        self.muon_c = muon_c
        self.momentum = momentum
        self.ns_steps = ns_steps
        self.nesterov = nesterov
        self.rms_rate = rms_rate

    def _takes_adam(self, variable: Variable) -> bool:
        if len(variable.shape) != 2 or (self.exclude_embeddings and "embedding" in variable.path.lower()):
            return True
        return any(re.search(pattern, variable.path) for pattern in self.exclude_layers)

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        self._momentums, self._velocities = [], []
        for variable in variables:
            self._momentums.append(self.add_variable_from_reference(variable, "momentum"))
            square = self.add_variable_from_reference(variable, "velocity") if self._takes_adam(variable) else None
            self._velocities.append(square)

    def _weight_decay_of(self, variable: Variable) -> float | None:
        return self.adam_weight_decay if self._takes_adam(variable) else self.weight_decay

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Scalar) -> None:
        index = self._get_variable_index(variable)
        mean, square = self._momentums[index], self._velocities[index]
        if square is not None:
            self._adam_step(gradient, variable, learning_rate * self.adam_lr_ratio, mean, square)
            return
        self.assign(mean, ops.add(ops.multiply(mean, self.momentum), gradient))
        step = ops.add(gradient, ops.multiply(mean, self.momentum)) if self.nesterov else mean
        self.assign_sub(variable, ops.multiply(self.lr_adjust(self.orthogonalized(step)), learning_rate))

    def lr_adjust(self, x: Any) -> Any:
        """Return an update that is orthogonal, with entries whose root mean square is ``rms_rate``.

        Args:
            x: array, (m, n).

        >>> float(Muon(rms_rate=0.5).lr_adjust(ops.eye(4))[0, 0])
        1.0
        """
        return x if self.rms_rate is None else ops.multiply(x, math.sqrt(max(ops.shape(x)[:2])) * self.rms_rate)

    def _adam_step(
        self, gradient: Any, variable: Variable, learning_rate: Scalar, mean: Variable, square: Variable
    ) -> None:
        step = self._step_number()
        self.assign(mean, moving_average(mean, gradient, self.adam_beta_1))
        self.assign(square, moving_average(square, ops.square(gradient), self.adam_beta_2))
        correction = scalars.one_minus_power(self.adam_beta_2, step) ** 0.5
        rate = learning_rate * correction / scalars.one_minus_power(self.adam_beta_1, step)
        self.assign_sub(variable, ops.divide(ops.multiply(mean, rate), ops.add(ops.sqrt(square), self.epsilon)))

    def orthogonalized(self, matrix: Any) -> Any:
        """Return a matrix with the same singular vectors and singular values near 1, by Newton-Schulz iteration.

        Args:
            matrix: array of shape (m, n).
        """
        rows, columns = ops.shape(matrix)
        x = ops.transpose(matrix) if rows > columns else matrix
        x = ops.divide(x, ops.add(norm([x]), 1e-7))
        for _ in range(self.ns_steps):
            gram = ops.matmul(x, ops.transpose(x))
            even = ops.add(ops.multiply(gram, self.muon_b), ops.multiply(ops.matmul(gram, gram), self.muon_c))
            x = ops.add(ops.multiply(x, self.muon_a), ops.matmul(even, x))
        return ops.transpose(x) if rows > columns else x

    def get_config(self) -> dict:
        names = (
            "adam_beta_1", "adam_beta_2", "epsilon", "exclude_layers", "muon_a", "muon_b", "muon_c", "adam_lr_ratio",
            "momentum", "ns_steps", "nesterov", "exclude_embeddings", "adam_weight_decay", "rms_rate",
        )  # fmt: skip
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
