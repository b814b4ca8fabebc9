"""A contender in a comparison: a model on one backend, which is run forward, differentiated and trained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from polykeras import backends, ops
from polykeras.backends.contract.spec import SPEC
from polykeras.capture.step import specs_of
from polykeras.core import dtypes, functionalization, seeds, trees
from polykeras.core.tracking import unique
from polykeras.core.variables import Variable
from polykeras.parity import observing
from polykeras.training.data.batches import unpack_x_y_sample_weight
from polykeras.training.data.sources import make_batch


class Contender:
    """A model on one backend.

    Args:
        backend: str, name of the backend.
        model: a model that belongs to it.
        name: str, its name in the report; default None, for the backend's name.
    """

    def __init__(self, backend: str, model: Any, name: str | None = None) -> None:
        self.backend = backend
        self.model = model
        self.name = name or backend

    def __repr__(self) -> str:
        return f"<Contender {self.name}: {self.model.name}>"

    # ------------------------------------------------------------------ weights

    @property
    def variables(self) -> list[Variable]:
        """The weights, in the order of ``model.weights``, followed by the states of layers."""
        return self.model.weights

    def weights(self) -> list[np.ndarray]:
        """Return the values of ``variables``."""
        return [variable.numpy() for variable in self.variables]

    def everything(self) -> list[Variable]:
        """Return the weights, the optimizer's variables and the states of seeds: everything a step depends on."""
        model = self.model
        optimizer = list(model.optimizer.variables) if model.optimizer is not None else []
        return [*model._step_variables(), *optimizer]

    def take_state_of(self, values: list[np.ndarray]) -> None:
        """Take over the values of another contender's ``everything``."""
        for variable, value in zip(self.everything(), values, strict=False):
            variable.assign(np.asarray(value).astype(dtypes.numpy_dtype(variable.dtype)))

    # ------------------------------------------------------------------- calling

    @property
    def can_be_called(self) -> bool:
        """Whether the model has a ``call``; one with only a ``train_step`` may not."""
        return self.model._has_call

    def build(self, x: Any) -> None:
        """Create the weights of a model that waits for its first batch."""
        with backends.use(self.backend):
            self.model._prepare_for(make_batch(x))

    def forward(self, x: Any, training: bool, keep_inputs: bool = False) -> list[observing.Call]:
        """Return the calls of all layers for a batch; the model's state is not changed."""
        with backends.use(self.backend), functionalization.recording(), functionalization.holding({}):
            batch = unpack_x_y_sample_weight(make_batch(x))[0]
            with observing.layer_calls(keep_inputs) as calls:
                self._call(batch, training)
        prefix = f"{self.model.name}/"
        for call in calls:
            call.path = call.path.removeprefix(prefix)
        return calls

    def _call(self, x: Any, training: bool) -> Any:
        return self.model(x, training=training)

    def _run(self, x: Any, training: bool) -> Any:
        """Call the model with the current adapter: its own ``__call__`` would choose the regular one of that name."""
        from polykeras.layers.layer import Layer

        return Layer.__call__(self.model, x, training=training)

    def operations(self, x: Any, training: bool, wanted: Any) -> list[observing.OpRecord]:
        """Return the operations of a forward pass that ``wanted(path, name)`` asks for."""
        backend = backends.load(self.backend)
        with (
            functionalization.recording(),
            functionalization.holding({}),
            observing.operations(backend, wanted) as records,
        ):
            with backends.use(backend):
                batch = unpack_x_y_sample_weight(make_batch(x))[0]
            for layer in self.model._flatten_layers():
                # Inputs accepted before would take a faster path, which records no layer paths.
                layer._accepted_inputs = {}
            self._run(batch, training)
        prefix = f"{self.model.name}/"
        for record in records:
            record.layer = record.layer.removeprefix(prefix)
        return records

    def draws(self, x: Any) -> bool:
        """Whether a layer draws random numbers in training."""
        with backends.use(self.backend), functionalization.recording() as assigned, functionalization.holding({}):
            self._call(unpack_x_y_sample_weight(make_batch(x))[0], True)
        return any(getattr(variable, "counts_draws", False) for variable in assigned)

    # ----------------------------------------------------------------- gradients

    def gradients(
        self, x: Any, y: Any = None, sample_weight: Any = None, training: bool = True
    ) -> tuple[float, list[np.ndarray]]:
        """Return the loss of a batch and its gradients by the trainable weights, without changing anything.

        Without targets, or a loss, the loss is a fixed random projection of the outputs.
        """
        variables = self.model.trainable_variables
        with backends.use(self.backend) as backend, functionalization.recording(), functionalization.holding({}):
            batch = unpack_x_y_sample_weight(make_batch(x, y, sample_weight))
            # On specs first: that creates the metrics of several outputs, and records what the loss assigns.
            with functionalization.recording() as assigned, backends.use(SPEC):
                self._loss(specs_of(backend, batch), training)
            everything = unique(iter([*self.model._step_variables(), *assigned]))

            def differentiate(batch: tuple) -> tuple:
                return functionalization.value_and_grad(lambda: self._loss(batch, training), variables)()

            run = functionalization.pure(differentiate, everything)
            # Run operation by operation, an engine that traces would compile hundreds of functions.
            run = backend.compile(run) if backend.is_traced else run
            value, found = run([variable.raw for variable in everything], batch)[1]
            return float(backend.to_numpy(value)), [np.array(backend.to_numpy(g)) for g in found]

    def _loss(self, batch: tuple, training: bool) -> Any:
        """Return the model's own loss, or a projection of its outputs if it has none."""
        model = self.model
        x, y, sample_weight = unpack_x_y_sample_weight(batch)
        outputs = self._call(x, training)
        has_loss = model.compiled and (y is not None if model.loss is not None else bool(model.losses))
        return model._compute_loss(x, y, outputs, sample_weight, training) if has_loss else projection(outputs)

    # ------------------------------------------------------------------ training

    def prepare_training(self) -> None:
        """Create the optimizer's variables, which belong to the state on which a step depends."""
        optimizer, variables = self.model.optimizer, self.model.trainable_variables
        if optimizer is not None and not optimizer.built and variables:
            with backends.use(self.backend):
                optimizer.build(variables)

    def step(self, x: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Train on a batch with the compiled step; return the loss."""
        logs = self.model.train_on_batch(x, y, sample_weight, return_dict=True, reset_metrics=True)
        value = logs.get("loss", next(iter(logs.values()), float("nan")))
        return np.float32(np.sum(value)) if self.backend != backends.REFEREE else float(np.sum(value))


def projection(outputs: Any) -> Any:
    """Return a scalar to which each value of some outputs contributes with a fixed random factor."""
    backend = backends.current()
    total = None
    for index, x in enumerate(trees.leaves(outputs)):
        if not dtypes.is_float(backend.dtype(x)):
            continue
        factors = seeds.host_generator("projection", index).standard_normal(tuple(backend.shape(x)))
        part = ops.mean(ops.multiply(ops.cast(x, "float32"), backend.array(factors.astype("float32"))))
        total = part if total is None else total + part
    return total


class Batches:
    """Batches in order, cycling through the data."""

    def __init__(self, x: Any, y: Any, sample_weight: Any, size: int) -> None:
        if x is None:
            raise ValueError("Expected inputs x, an array or a tree of them. Received: None.")

        def to_array(a: Any) -> Any:
            return a if hasattr(a, "shape") else np.asarray(a)

        self._parts = tuple(None if part is None else trees.map(to_array, part) for part in (x, y, sample_weight))
        rows = len(trees.leaves(self._parts[0])[0])
        self._places = [slice(start, start + size) for start in range(0, rows, size)]

    def _at(self, rows: slice) -> tuple:
        return tuple(None if part is None else trees.map(lambda a: a[rows], part) for part in self._parts)

    @property
    def first(self) -> tuple:
        """The first batch: inputs, targets and weights of rows."""
        return self._at(self._places[0])

    def endless(self) -> Iterator[tuple]:
        """Yield batches forever."""
        while True:
            yield from map(self._at, self._places)
