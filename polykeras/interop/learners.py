"""Differentiating and training models of other libraries by their own means, in parallel with a polykeras model.

The caller's objects are not changed: a copy is trained, or weights are restored.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from polykeras.interop.readers import (
    Part,
    arrays_in,
    keras_parts,
    kind_of,
    linen_parts,
    mode_argument,
    nnx_parts,
    tensorflow_parts,
    to_numpy,
    torch_parts,
)

Loss = Callable[[list], Any]


@dataclass(frozen=True)
class Update:
    """The settings of an update, for the optimizer of another library.

    Attributes:
        name: ``"SGD"``, ``"Adam"`` or ``"AdamW"``.
        config: config of our optimizer, in Keras's layout.
        rate: learning rate of this step.
        step: number of the step, from 1.

    >>> Update("SGD", {"momentum": 0.9}, 0.1, 1).get("momentum")
    0.9
    """

    name: str
    config: dict
    rate: float
    step: int

    def get(self, name: str) -> Any:
        """Return a value of the config."""
        return self.config[name]

    @property
    def epsilon(self) -> float:
        """Return Adam's epsilon for libraries that add it after the bias correction, where ours adds it before."""
        return self.get("epsilon") / np.sqrt(1 - self.get("beta_2") ** self.step)


class Learner:
    """A model of another library, to be differentiated and trained.

    Attributes:
        backend: name of the backend whose arrays it computes with.
        updates: names of the optimizers that the library has too.
    """

    backend: str
    updates: tuple[str, ...] = ("SGD", "Adam", "AdamW")

    def has_modes(self, inputs: tuple) -> bool:
        """Whether its call has a training mode, for given inputs."""
        return True

    def differentiate(self, inputs: tuple, loss: Loss, training: bool) -> float:
        """Return the loss, a function of the list of outputs, and keep its gradients."""
        raise NotImplementedError

    def update(self, update: Update) -> None:
        """Train with the kept gradients."""
        raise NotImplementedError

    def weights(self) -> list[Part]:
        """Return the parts with their current weights."""
        raise NotImplementedError

    def gradients(self) -> list[Part]:
        """Return the parts with the kept gradients in place of their weights."""
        raise NotImplementedError

    def state(self) -> Any:
        """Return everything that training calls and updates change, for ``restore``."""
        raise NotImplementedError

    def restore(self, state: Any) -> None:
        """Restore a state."""
        raise NotImplementedError

    def close(self) -> None:
        """Restore whatever was changed in the caller's objects."""


def learner(model: Any) -> Learner:
    """Return the learner for a model of another library.

    Args:
        model: as for ``readers.read``, except for files.
    """
    kinds = {"torch": _Torch, "linen": _Linen, "flax": _Nnx, "tensorflow": _TensorFlow, "keras": _keras}
    return kinds[kind_of(model)](model)


def _gradient(weights: Iterable[Any], gradients: list) -> Callable[[Any], np.ndarray]:
    """Return a function from a weight (by identity) to its gradient, zeros where there is none."""
    found = {id(weight): (weight, gradient) for weight, gradient in zip(weights, gradients, strict=True)}

    def array_of(weight: Any) -> np.ndarray:
        _, gradient = found.get(id(weight), (weight, None))
        return np.zeros(tuple(weight.shape), "float32") if gradient is None else to_numpy(gradient)

    return array_of


# ----------------------------------------------------------------------- torch


def _torch_gradients(run: Callable, parameters: list) -> tuple[float, list]:
    import torch

    with torch.enable_grad():
        loss = run()
        if not parameters or not loss.requires_grad:
            return float(loss.detach()), [None] * len(parameters)
        return float(loss.detach()), list(torch.autograd.grad(loss, parameters, allow_unused=True))


class _Torch(Learner):
    backend = "torch"

    def __init__(self, module: Any) -> None:
        self._module = copy.deepcopy(module)
        self._parameters = [p for p in self._module.parameters() if p.requires_grad]
        self._optimizer: Any = None
        self._found: list = []

    def differentiate(self, inputs: tuple, loss: Loss, training: bool) -> float:
        import torch

        self._module.train(training)
        arguments = [torch.from_numpy(np.array(x)) if isinstance(x, np.ndarray) else x for x in inputs]
        value, self._found = _torch_gradients(lambda: loss(arrays_in(self._module(*arguments))), self._parameters)
        return value

    def update(self, update: Update) -> None:
        if not self._parameters:  # all are frozen, and torch refuses an optimizer without parameters
            return
        if self._optimizer is None:
            self._optimizer = self._make_optimizer(update)
        for group in self._optimizer.param_groups:
            group["lr"] = update.rate
            if update.name != "SGD":
                group["eps"] = update.epsilon
        for parameter, gradient in zip(self._parameters, self._found, strict=True):
            parameter.grad = gradient
        self._optimizer.step()

    def _make_optimizer(self, update: Update) -> Any:
        from torch import optim

        if update.name == "SGD":
            momentum, nesterov = update.get("momentum"), update.get("nesterov")
            return optim.SGD(self._parameters, update.rate, momentum, nesterov=nesterov and momentum > 0)
        betas, decay = (update.get("beta_1"), update.get("beta_2")), update.get("weight_decay") or 0.0
        return getattr(optim, update.name)(self._parameters, update.rate, betas, weight_decay=decay)

    def state(self) -> Any:
        return {name: value.clone() for name, value in self._module.state_dict().items()}

    def restore(self, state: Any) -> None:
        self._module.load_state_dict(state)

    def weights(self) -> list[Part]:
        return torch_parts(self._module)

    def gradients(self) -> list[Part]:
        return torch_parts(self._module, _gradient(self._parameters, self._found))


# ------------------------------------------------------------------------ flax


class _Flax(Learner):
    """Shared by linen and nnx: parameters in a tree, which optax updates."""

    backend = "jax"
    _parameters: Any
    _others: Any
    _found: Any = None
    _state: Any = None

    def state(self) -> Any:
        return self._parameters, self._others

    def restore(self, state: Any) -> None:
        self._parameters, self._others = state

    def update(self, update: Update) -> None:
        import optax

        if update.name == "SGD":
            rule = optax.sgd(update.rate, update.get("momentum") or None, update.get("nesterov"))
        else:
            betas, decay = (update.get("beta_1"), update.get("beta_2")), update.get("weight_decay")
            options = {} if update.name == "Adam" else {"weight_decay": decay or 0.0}
            rule = getattr(optax, update.name.lower())(update.rate, *betas, update.epsilon, **options)
        if self._state is None:
            self._state = rule.init(self._parameters)
        changes, self._state = rule.update(self._found, self._state, self._parameters)
        self._parameters = optax.apply_updates(self._parameters, changes)


class _Linen(_Flax):
    def __init__(self, pair: tuple) -> None:
        self._module, variables = pair
        self._parameters = variables["params"]
        self._others = {name: value for name, value in variables.items() if name != "params"}

    def has_modes(self, inputs: tuple) -> bool:
        return bool(mode_argument(self._module.__call__, True, len(inputs)))

    def differentiate(self, inputs: tuple, loss: Loss, training: bool) -> float:
        import jax

        mode = mode_argument(self._module.__call__, training, len(inputs))

        def run(parameters: Any) -> tuple:
            variables = {**self._others, "params": parameters}
            if not training:
                return loss(arrays_in(self._module.apply(variables, *inputs, **mode))), self._others
            outputs, others = self._module.apply(variables, *inputs, mutable=list(self._others), **mode)
            return loss(arrays_in(outputs)), others

        (value, self._others), self._found = jax.value_and_grad(run, has_aux=True)(self._parameters)
        return float(value)

    def weights(self) -> list[Part]:
        return linen_parts({"params": self._parameters, **self._others})

    def gradients(self) -> list[Part]:
        import jax

        return linen_parts({"params": self._found, **jax.tree_util.tree_map(np.zeros_like, self._others)})


class _Nnx(_Flax):
    def __init__(self, module: Any) -> None:
        self._graph: Any
        self._graph, self._parameters, self._others = self._split(module)

    @staticmethod
    def _split(module: Any) -> Any:
        from flax import nnx

        return nnx.split(module, nnx.Param, ...)

    def differentiate(self, inputs: tuple, loss: Loss, training: bool) -> float:
        import jax
        from flax import nnx

        def run(parameters: Any) -> tuple:
            module = nnx.merge(self._graph, parameters, self._others, copy=True)
            module.train() if training else module.eval()
            value = loss(arrays_in(module(*inputs)))
            return value, self._split(module)[2]

        (value, self._others), self._found = jax.value_and_grad(run, has_aux=True)(self._parameters)
        return float(value)

    def weights(self) -> list[Part]:
        from flax import nnx

        return nnx_parts(nnx.merge(self._graph, self._parameters, self._others))

    def gradients(self) -> list[Part]:
        from flax import nnx

        return nnx_parts(nnx.merge(self._graph, self._found, self._others))


# ------------------------------------------------------------------ tensorflow


def _tensorflow_gradients(run: Callable, variables: list) -> tuple[float, list]:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = run()
    found = tape.gradient(loss, variables)
    return float(loss), [tf.convert_to_tensor(g) if g is not None else None for g in found]


class _OfVariables(Learner):
    """Shared by tf.Module and models of Keras: variables, whose values are restored."""

    def __init__(self, variables: Any) -> None:
        self._all = list(variables)
        self._before = self.state()

    def state(self) -> Any:
        return [np.array(variable.numpy()) for variable in self._all]

    def restore(self, state: Any) -> None:
        for variable, value in zip(self._all, state, strict=True):
            variable.assign(value)

    def close(self) -> None:
        self.restore(self._before)


class _TensorFlow(_OfVariables):
    backend = "tensorflow"
    updates = ("SGD", "Adam")

    def __init__(self, module: Any) -> None:
        super().__init__(module.variables)
        self._module = module
        self._optimizer: Any = None
        self._rate = 0.0
        self._found: list = []

    def has_modes(self, inputs: tuple) -> bool:
        return bool(mode_argument(self._module.__call__, True, len(inputs)))

    def differentiate(self, inputs: tuple, loss: Loss, training: bool) -> float:
        import tensorflow as tf

        arguments = [tf.constant(x) if isinstance(x, np.ndarray) else x for x in inputs]
        mode = mode_argument(self._module.__call__, training, len(inputs))

        def run() -> Any:
            return loss(arrays_in(self._module(*arguments, **mode)))

        value, self._found = _tensorflow_gradients(run, self._module.trainable_variables)
        return value

    def update(self, update: Update) -> None:
        import tensorflow as tf

        self._rate = update.rate
        if self._optimizer is None:
            train, rate = tf.compat.v1.train, lambda: self._rate
            if update.name == "Adam":
                betas = update.get("beta_1"), update.get("beta_2")
                self._optimizer = train.AdamOptimizer(rate, *betas, update.get("epsilon"))
            else:
                nesterov = update.get("nesterov")
                self._optimizer = train.MomentumOptimizer(rate, update.get("momentum"), use_nesterov=nesterov)
        pairs = zip(self._found, self._module.trainable_variables, strict=True)
        self._optimizer.apply_gradients([pair for pair in pairs if pair[0] is not None])

    def weights(self) -> list[Part]:
        return tensorflow_parts(self._module)

    def gradients(self) -> list[Part]:
        return tensorflow_parts(self._module, _gradient(self._module.trainable_variables, self._found))


# ----------------------------------------------------------------------- keras


def _keras(model: Any) -> Learner:
    import keras

    return (_KerasOnJax if keras.backend.backend() == "jax" else _Keras)(model)


class _Keras(_OfVariables):
    """A model of Keras 3 on torch or TensorFlow, trained by Keras's own optimizers."""

    def __init__(self, model: Any) -> None:
        import keras

        super().__init__(model.variables)
        self.backend = keras.backend.backend()
        self.updates = tuple(name for name, x in vars(keras.optimizers).copy().items() if isinstance(x, type))
        self._model = model
        self._variables = list(model.trainable_variables)
        self._optimizer: Any = None
        self._found: list = []

    def differentiate(self, inputs: tuple, loss: Loss, training: bool) -> float:
        find = _torch_gradients if self.backend == "torch" else _tensorflow_gradients

        def run() -> Any:
            return loss(arrays_in(self._model(*inputs, training=training)))

        value, self._found = find(run, [variable.value for variable in self._variables])
        return value

    def update(self, update: Update) -> None:
        import keras

        if self._optimizer is None:
            self._optimizer = getattr(keras.optimizers, update.name).from_config(update.config)
        pairs = [(g, v) for g, v in zip(self._found, self._variables, strict=True) if g is not None]
        self._optimizer.apply(*map(list, zip(*pairs, strict=True)))

    def weights(self) -> list[Part]:
        return keras_parts(self._model)

    def gradients(self) -> list[Part]:
        values = (variable.value for variable in self._variables)
        return keras_parts(self._model, _gradient(values, self._found))


class _KerasOnJax(_Keras):
    def differentiate(self, inputs: tuple, loss: Loss, training: bool) -> float:
        import jax

        others = self._model.non_trainable_variables

        def run(values: list) -> tuple:
            state = [variable.value for variable in others]
            outputs, state = self._model.stateless_call(values, state, *inputs, training=training)
            return loss(arrays_in(outputs)), state

        values = [variable.value for variable in self._variables]
        (value, state), self._found = jax.value_and_grad(run, has_aux=True)(values)
        for variable, new in zip(others, state, strict=True):
            variable.assign(new)
        return float(value)
