"""Optimizers that wrap others: one with dynamic loss scaling, and one that assigns an optimizer to each variable."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any, Self

from polykeras import ops
from polykeras.core import turns
from polykeras.core.tracking import unique
from polykeras.core.variables import Variable
from polykeras.initializers import Constant
from polykeras.optimizers import scalars
from polykeras.optimizers.optimizer import Optimizer, branch, unscaled
from polykeras.serialization import registry


class LossScaleOptimizer(Optimizer):
    """Dynamic loss scaling, for training in half precision.

    Args:
        inner_optimizer: Optimizer that updates the variables.
        initial_scale: initial loss scale; default 32768.0.
        dynamic_growth_steps: number of consecutive finite updates after which the loss scale doubles. Updates
            with non-finite gradients are skipped, and halve it; default 2000.
        name: str; default None, for a name derived from the class name.
        **kwargs: other arguments of ``Optimizer``.

    Raises:
        ValueError: for the settings of ``Optimizer``, which belong to ``inner_optimizer``.

    Micikevicius et al., "Mixed Precision Training" (2017), https://arxiv.org/abs/1710.03740.

    >>> from polykeras.optimizers import SGD
    >>> w = Variable(1.0); optimizer = LossScaleOptimizer(SGD(0.5), initial_scale=4.0)
    >>> optimizer.build([w]); float(optimizer.scale_loss(1.0))
    4.0
    >>> optimizer.apply([ops.convert_to_tensor(4.0)]); float(w.numpy())
    0.5
    """

    def __init__(
        self,
        inner_optimizer: Optimizer,
        initial_scale: float = 32768.0,
        dynamic_growth_steps: int = 2000,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if kwargs:
            raise ValueError(
                f"Expected these settings to be passed to inner_optimizer. Received: {sorted(kwargs)} for "
                f"LossScaleOptimizer."
            )
        self.inner_optimizer = inner_optimizer
        super().__init__(0.0, name=name)
        self.initial_scale, self.dynamic_growth_steps = initial_scale, dynamic_growth_steps
        inner_optimizer.loss_scale_factor = None

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        self._add_scale()
        self.inner_optimizer.build(variables)

    def _add_scale(self) -> None:
        with turns.growing():
            if not hasattr(self, "dynamic_scale"):
                start = Constant(self.initial_scale)
                self.step_counter = self.add_variable((), "zeros", "int32", name="step_counter", on_host=True)
                self.dynamic_scale = self.add_variable((), start, "float32", name="dynamic_scale", on_host=True)

    @property
    def variables(self) -> list[Variable]:
        return [*self._variables, *self.inner_optimizer.variables]

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        variables = self._checked(grads, trainable_variables)
        scale, count = scalars.concrete(self.dynamic_scale), scalars.concrete(self.step_counter)

        def update() -> None:
            self.inner_optimizer.apply(unscaled(grads, variables, scale), variables)
            grows = scalars.equal(count + 1, self.dynamic_growth_steps)
            self.step_counter.assign(scalars.where(grows, 0, count + 1))
            self.dynamic_scale.assign(scalars.where(grows, scale * 2, scale))

        def skip() -> None:
            self.step_counter.assign(0)
            self.dynamic_scale.assign(scale * 0.5)

        is_finite = scalars.concrete(self.check_finite(grads))
        branch(is_finite, update, skip, self.variables + self._trainable_variables)

    def check_finite(self, grads: Sequence[Any]) -> Any:
        """Return whether all gradients are finite: a scalar array.

        Args:
            grads: list of arrays, or None for variables without a gradient.

        >>> from polykeras import optimizers
        >>> bool(LossScaleOptimizer(optimizers.SGD()).check_finite([[1.0, float("inf")], None]))
        False
        """
        finite = [ops.all(ops.isfinite(g)) for g in grads if g is not None]
        return ops.all(ops.stack(finite)) if finite else ops.ones((), "bool")

    @property
    def learning_rate(self) -> Any:
        """The learning rate of the inner optimizer."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self.inner_optimizer.learning_rate = value

    @property
    def iterations(self) -> Any:
        """The number of updates made by the inner optimizer."""
        return self.inner_optimizer.iterations

    @iterations.setter
    def iterations(self, value: Any) -> None:
        self.inner_optimizer.iterations = value

    def scale_loss(self, loss: Any) -> Any:
        if not self.built:  # a function that is traced once, before apply builds the rest, reads it in every call
            self._add_scale()
        return ops.multiply(loss, scalars.concrete(self.dynamic_scale))

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        self.inner_optimizer.finalize_variable_values(var_list)

    def get_config(self) -> dict:
        return {
            "name": self.name,
            "inner_optimizer": registry.serialize(self.inner_optimizer),
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Self:
        inner = registry.deserialize(config["inner_optimizer"], custom_objects, family="optimizers")
        # Older files repeat the settings that every optimizer has: they belong to the inner one.
        shared = set(inspect.signature(Optimizer.__init__).parameters) - {"name"}
        own = {key: value for key, value in config.items() if key not in shared}
        return cls(**{**own, "inner_optimizer": inner})


class OptimizerMap(MutableMapping):
    """Mapping from paths of variables to optimizers.

    Args:
        default_optimizer: optimizer of variables whose paths match no pattern.
        optimizer_map: dict from regular expressions, which match whole paths, to optimizers; default None.

    Raises:
        TypeError: for anything but optimizers.
        ValueError: for a duplicate pattern, or for a path that matches several patterns.

    >>> from polykeras.optimizers import SGD
    >>> which = OptimizerMap(SGD(0.1), {".*/bias": SGD(0.2)})
    >>> float(which["dense/bias"].learning_rate.numpy().round(3)) > 0.15
    True
    """

    def __init__(self, default_optimizer: Optimizer, optimizer_map: dict[str, Optimizer] | None = None) -> None:
        self.default_optimizer = _single(default_optimizer)
        self._optimizers: dict[str, Optimizer] = {}
        for pattern, optimizer in (optimizer_map or {}).items():
            self[pattern] = optimizer

    def __getitem__(self, key: str) -> Optimizer:
        if key in self._optimizers:
            return self._optimizers[key]
        fitting = [pattern for pattern in self._optimizers if re.fullmatch(pattern, key)]
        if len(fitting) > 1:
            raise ValueError(f"Expected at most one pattern to match the variable {key!r}. Received: {fitting}.")
        return self._optimizers[fitting[0]] if fitting else self.default_optimizer

    def __setitem__(self, key: str, optimizer: Optimizer) -> None:
        if key in self._optimizers:
            raise ValueError(
                f"Expected a new pattern. Received: {key!r}, which already has an optimizer; delete it first."
            )
        self._optimizers[key] = _single(optimizer)

    def __delitem__(self, key: str) -> None:
        del self._optimizers[key]

    def __len__(self) -> int:
        return len(self._optimizers)

    def __iter__(self) -> Iterator[str]:
        return iter(self._optimizers)

    def __call__(self, variable: Variable) -> Optimizer:
        """Return the optimizer of a Variable."""
        return self[variable.path]

    def get_config(self) -> dict:
        """Return the JSON-serializable constructor arguments."""
        return {
            "default_optimizer": registry.serialize(self.default_optimizer),
            "optimizer_map": registry.serialize(self._optimizers),
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Self:
        """Create a map from its config.

        Args:
            config: dict, as ``get_config`` returns.
            custom_objects: dict from names to classes or functions; default None.
        """
        return cls(**{name: registry.deserialize(value, custom_objects) for name, value in config.items()})


def _single(optimizer: Any) -> Optimizer:
    if not isinstance(optimizer, Optimizer) or isinstance(optimizer, LossScaleOptimizer | MultiOptimizer):
        raise TypeError(f"Expected an optimizer that does not wrap others. Received: {optimizer!r}.")
    return optimizer


class MultiOptimizer(Optimizer):
    """Updates each variable with the optimizer assigned to it.

    Args:
        optimizer_map: an ``OptimizerMap``, or a function that maps a Variable to its optimizer.
        loss_scale_factor: float, shared by all optimizers, see ``Optimizer``; default None.
        name: str; default None, for a name derived from the class name.

    >>> from polykeras.optimizers import SGD
    >>> v, w = Variable(1.0, name="v"), Variable(1.0, name="w")
    >>> optimizer = MultiOptimizer(OptimizerMap(SGD(0.5), {"w": SGD(0.25)}))
    >>> optimizer.apply([ops.convert_to_tensor(1.0)] * 2, [v, w]); float(v.numpy()), float(w.numpy())
    (0.5, 0.75)
    """

    def __init__(self, optimizer_map: Any, loss_scale_factor: float | None = None, name: str | None = None) -> None:
        super().__init__(0.0, loss_scale_factor=loss_scale_factor, name=name)
        self._optimizer_map = optimizer_map
        self._owners: list[Optimizer] = []
        self._inner: list[Optimizer] = []
        if isinstance(optimizer_map, OptimizerMap):
            self._inner = unique(iter([*optimizer_map.values(), optimizer_map.default_optimizer]))

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        self._owners = [_single(self._optimizer_map(variable)) for variable in variables]
        self._inner = unique(iter([*self._inner, *self._owners]))
        for optimizer, (_, group) in self._groups([], variables):
            optimizer.loss_scale_factor = self.loss_scale_factor
            optimizer.build(group)

    def _groups(self, grads: Sequence[Any], variables: Sequence[Variable]) -> Iterator[tuple]:
        """Yield each optimizer with its gradients and variables."""
        owners = [self._owners[self._get_variable_index(v)] for v in variables]
        for optimizer in self._inner:
            indices = [n for n, owner in enumerate(owners) if owner is optimizer]
            if indices:
                yield optimizer, ([grads[n] for n in indices] if grads else [], [variables[n] for n in indices])

    @property
    def optimizers(self) -> list[Optimizer]:
        """The optimizers in use."""
        return list(self._inner)

    @property
    def variables(self) -> list[Variable]:
        return [*self._variables, *(v for optimizer in self._inner for v in optimizer.variables)]

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        variables = self._checked(grads, trainable_variables)
        for optimizer, (part, group) in self._groups(list(grads), variables):
            optimizer.apply(part, group)
        self._iterations.assign(scalars.concrete(self._iterations) + 1)

    @property
    def learning_rate(self) -> Any:
        """Not available: each optimizer has its own learning rate."""
        raise AttributeError("Expected the learning_rate of one of `optimizers`. Received: that of a MultiOptimizer.")

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        raise AttributeError("Expected to set the learning_rate of one of `optimizers`. Received: a MultiOptimizer.")

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        for optimizer, (_, group) in self._groups([], var_list):
            optimizer.finalize_variable_values(group)

    def get_config(self) -> dict:
        return {
            "optimizer_map": registry.serialize(self._optimizer_map),
            "loss_scale_factor": self.loss_scale_factor,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Self:
        return cls(**{**config, "optimizer_map": registry.deserialize(config["optimizer_map"], custom_objects)})
