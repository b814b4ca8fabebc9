"""Learning rate schedules: learning rates as functions of the step.

>>> rate = ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)
>>> rate(0), rate(10), rate(20)
(0.1, 0.05, 0.025)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Self

from polykeras.capture.stamp import Stamped
from polykeras.optimizers import scalars
from polykeras.optimizers.scalars import Scalar
from polykeras.serialization import registry


class LearningRateSchedule(Stamped):
    """Base class of learning rate schedules: ``__call__(step)`` returns the learning rate.

    ``step`` is a Python int, or a 0-d array while a training step is traced.

    >>> class Harmonic(LearningRateSchedule):
    ...     def __call__(self, step):
    ...         return 1 / (step + 1)
    >>> Harmonic()(3)
    0.25
    """

    def __call__(self, step: Any) -> Scalar:
        """Return the learning rate after ``step`` updates."""
        raise NotImplementedError(f"Expected {type(self).__name__} to define __call__(step). Received: no such method.")

    def get_config(self) -> dict:
        """Return the JSON-serializable constructor arguments."""
        raise NotImplementedError(
            f"Expected {type(self).__name__} to define get_config(), which saving needs. Received: no such method."
        )

    @classmethod
    def from_config(cls, config: dict) -> Self:
        """Create a schedule from its config.

        Args:
            config: dict, as ``get_config`` returns.
        """
        return cls(**config)


def _positive(name: str, value: float) -> float:
    if not value > 0:
        raise ValueError(f"Expected {name} to be positive. Received: {value}.")
    return value


class ExponentialDecay(LearningRateSchedule):
    """Exponential decay: ``initial_learning_rate * decay_rate ** (step / decay_steps)``.

    Args:
        initial_learning_rate: learning rate at step 0.
        decay_steps: positive number of steps in which the rate is multiplied by ``decay_rate``.
        decay_rate: decay rate.
        staircase: whether to change at multiples of ``decay_steps`` only; default False.
        name: str, saved in the config; default "ExponentialDecay".

    >>> ExponentialDecay(1.0, 10, 0.5, staircase=True)(19)
    0.5
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        self.initial_learning_rate, self.decay_steps = initial_learning_rate, _positive("decay_steps", decay_steps)
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def __call__(self, step: Any) -> Scalar:
        return self.decayed(scalars.floor(self._progress(step)) if self.staircase else self._progress(step))

    def _progress(self, step: Any) -> Scalar:
        return scalars.as_float(step) / self.decay_steps

    def decayed(self, progress: Scalar) -> Scalar:
        """Return the learning rate after ``progress * decay_steps`` steps."""
        return self.initial_learning_rate * self.decay_rate**progress

    def get_config(self) -> dict:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "decay_rate": self.decay_rate,
            "staircase": self.staircase,
            "name": self.name,
        }


class InverseTimeDecay(ExponentialDecay):
    """Inverse time decay: ``initial_learning_rate / (1 + decay_rate * step / decay_steps)``.

    Args:
        initial_learning_rate: learning rate at step 0.
        decay_steps: positive number of steps, the unit of time.
        decay_rate: decay rate.
        staircase: whether to change at multiples of ``decay_steps`` only; default False.
        name: str, saved in the config; default "InverseTimeDecay".

    >>> InverseTimeDecay(1.0, 10, 1.0)(10)
    0.5
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        super().__init__(initial_learning_rate, decay_steps, decay_rate, staircase, name)

    def decayed(self, progress: Scalar) -> Scalar:
        return self.initial_learning_rate / (1 + self.decay_rate * progress)


class PiecewiseConstantDecay(LearningRateSchedule):
    """Piecewise constant: one learning rate up to and including each boundary, and one beyond the last.

    Args:
        boundaries: list of steps, in increasing order.
        values: list of learning rates, one more than ``boundaries``.
        name: str, saved in the config; default "PiecewiseConstant".

    Raises:
        ValueError: if there isn't exactly one more value than boundaries.

    >>> rate = PiecewiseConstantDecay([10, 20], [0.1, 0.01, 0.001])
    >>> rate(10), rate(11), rate(21)
    (0.1, 0.01, 0.001)
    """

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant") -> None:
        if len(boundaries) != len(values) - 1:
            raise ValueError(
                f"Expected one value more than boundaries. Received: {len(boundaries)} boundaries and "
                f"{len(values)} values."
            )
        self.boundaries = boundaries
        self.values = values
        self.name = name

    def __call__(self, step: Any) -> Scalar:
        step = scalars.as_float(step)
        rate = self.values[-1]
        for boundary, value in zip(reversed(self.boundaries), reversed(self.values[:-1]), strict=True):
            rate = scalars.where(step <= boundary, value, rate)
        return rate

    def get_config(self) -> dict:
        return {"boundaries": list(self.boundaries), "values": list(self.values), "name": self.name}


class PolynomialDecay(LearningRateSchedule):
    """Polynomial decay from one learning rate to another, along ``(1 - step / decay_steps) ** power``.

    Args:
        initial_learning_rate: learning rate at step 0.
        decay_steps: positive number of steps of the decay.
        end_learning_rate: learning rate at the end; default 0.0001.
        power: exponent; 1 for a linear decay; default 1.
        cycle: whether to stretch the decay to the next multiple of ``decay_steps`` after its end, instead of
            staying at ``end_learning_rate``; default False.
        name: str, saved in the config; default "PolynomialDecay".

    >>> rate = PolynomialDecay(1.0, 10, end_learning_rate=0.0)
    >>> rate(5), rate(10), rate(15)
    (0.5, 0.0, 0.0)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        self.initial_learning_rate, self.decay_steps = initial_learning_rate, _positive("decay_steps", decay_steps)
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.cycle = cycle
        self.name = name

    def __call__(self, step: Any) -> Scalar:
        step = scalars.as_float(step)
        if self.cycle:
            done = step / (self.decay_steps * scalars.maximum(1.0, scalars.ceil(step / self.decay_steps)))
        else:
            done = scalars.minimum(step, float(self.decay_steps)) / self.decay_steps
        return (self.initial_learning_rate - self.end_learning_rate) * (1 - done) ** self.power + self.end_learning_rate

    def get_config(self) -> dict:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "end_learning_rate": self.end_learning_rate,
            "power": self.power,
            "cycle": self.cycle,
            "name": self.name,
        }


def _half_cosine(done: Scalar) -> Scalar:
    """From 1 to 0, as ``done`` goes from 0 to 1."""
    return 0.5 * (1 + scalars.cos(math.pi * done))


class CosineDecay(LearningRateSchedule):
    """Cosine decay, after an optional linear warmup.

    Args:
        initial_learning_rate: learning rate at step 0.
        decay_steps: positive number of steps of the decay.
        alpha: final learning rate, as a fraction of that at the start of the decay; default 0.0.
        name: str, saved in the config; default "CosineDecay".
        warmup_target: learning rate at the end of the warmup; default None, for no warmup.
        warmup_steps: number of steps of the warmup; default 0.

    Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts" (2016),
    https://arxiv.org/abs/1608.03983.

    >>> rate = CosineDecay(0.0, 10, warmup_target=1.0, warmup_steps=4)
    >>> rate(2), rate(4), round(rate(9), 6), rate(14)
    (0.5, 1.0, 0.5, 0.0)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ) -> None:
        self.initial_learning_rate, self.decay_steps = initial_learning_rate, _positive("decay_steps", decay_steps)
        self.alpha, self.name = alpha, name
        self.warmup_target, self.warmup_steps = warmup_target, warmup_steps

    def __call__(self, step: Any) -> Scalar:
        step = scalars.as_float(step)
        if self.warmup_target is None:
            return self._decayed(self.initial_learning_rate, step)
        down = self._decayed(self.warmup_target, step - self.warmup_steps)
        if not self.warmup_steps:
            return down
        rise = (self.warmup_target - self.initial_learning_rate) * (step / self.warmup_steps)
        return scalars.where(step < self.warmup_steps, self.initial_learning_rate + rise, down)

    def _decayed(self, top: float, step: Scalar) -> Scalar:
        done = scalars.minimum(step, float(self.decay_steps)) / self.decay_steps
        return top * ((1 - self.alpha) * _half_cosine(done) + self.alpha)

    def get_config(self) -> dict:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "alpha": self.alpha,
            "name": self.name,
            "warmup_target": self.warmup_target,
            "warmup_steps": self.warmup_steps,
        }


class CosineDecayRestarts(LearningRateSchedule):
    """Cosine decay with warm restarts.

    Args:
        initial_learning_rate: learning rate at step 0.
        first_decay_steps: positive number of steps of the first period.
        t_mul: factor by which each period is longer than the one before; default 2.0.
        m_mul: factor by which each period's initial learning rate differs from the one before; default 1.0.
        alpha: learning rate at the end of a period, as a fraction of ``initial_learning_rate``; default 0.0.
        name: str, saved in the config; default "SGDRDecay".

    Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts" (2016),
    https://arxiv.org/abs/1608.03983.

    >>> rate = CosineDecayRestarts(1.0, 10, t_mul=2.0, m_mul=0.5)
    >>> rate(0), rate(10), round(rate(20), 6), rate(30)
    (1.0, 0.5, 0.25, 0.25)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.first_decay_steps = _positive("first_decay_steps", first_decay_steps)
        self.t_mul = t_mul
        self.m_mul = m_mul
        self.alpha = alpha
        self.name = name

    def __call__(self, step: Any) -> Scalar:
        wave, done = self._wave(scalars.as_float(step) / self.first_decay_steps)
        height = (1 - self.alpha) * self.m_mul**wave * _half_cosine(done) + self.alpha
        return self.initial_learning_rate * height

    def _wave(self, progress: Scalar) -> tuple[Scalar, Scalar]:
        """Return the index of the current period, and the fraction of it that has elapsed."""
        if self.t_mul == 1:
            wave = scalars.floor(progress)
            return wave, progress - wave
        # Restarts fall on whole steps: 1e-6 keeps rounding in the logarithm from missing one.
        wave = scalars.floor(scalars.log(1 + progress * (self.t_mul - 1)) / math.log(self.t_mul) + 1e-6)
        length = self.t_mul**wave
        return wave, (progress - (length - 1) / (self.t_mul - 1)) / length

    def get_config(self) -> dict:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "first_decay_steps": self.first_decay_steps,
            "t_mul": self.t_mul,
            "m_mul": self.m_mul,
            "alpha": self.alpha,
            "name": self.name,
        }


registry.add_family("optimizers.schedules", registry.members(globals(), LearningRateSchedule))


def serialize(learning_rate_schedule: Any) -> Any:
    """Return the JSON-serializable config of a schedule.

    Args:
        learning_rate_schedule: LearningRateSchedule.

    >>> serialize(PiecewiseConstantDecay([1], [0.1, 0.2]))["class_name"]
    'PiecewiseConstantDecay'
    """
    return registry.serialize(learning_rate_schedule)


def deserialize(config: Any, custom_objects: dict | None = None) -> Any:
    """Return the schedule that a config describes.

    Args:
        config: str or dict, as ``serialize`` returns.
        custom_objects: dict from names to classes or functions; default None.

    >>> deserialize(serialize(CosineDecay(0.1, 10))).decay_steps
    10
    """
    return registry.resolve(config, "optimizers.schedules", custom_objects)
