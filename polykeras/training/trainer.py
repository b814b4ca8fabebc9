"""compile, fit, evaluate, predict, and the steps that a user may override."""

from __future__ import annotations

import contextlib
import inspect
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from polykeras import backends, config, ops, optimizers
from polykeras.backends.contract.spec import SPEC
from polykeras.backends.shared.structured import shape_of
from polykeras.callbacks.callback import CallbackList, History
from polykeras.capture import stamp
from polykeras.capture.cache import Captured, steps_of
from polykeras.capture.eager import EagerStep
from polykeras.capture.native_steps import DirectStep
from polykeras.capture.step import Step, specs_of
from polykeras.core import dtypes, functionalization, log_names, placement, trees, turns
from polykeras.core.functionalization import settled
from polykeras.core.graph import Plan, evaluated
from polykeras.core.outer_tensors import graph_around
from polykeras.core.returned import returned
from polykeras.core.shape_inference import inferred
from polykeras.core.tracebacks import filtered
from polykeras.core.tracking import Trackable, searched_once, unique
from polykeras.core.variables import Variable
from polykeras.layers.preprocessing.host import is_string_array
from polykeras.metrics.reductions import Mean
from polykeras.training import loop, resumption
from polykeras.training.checks import (
    check_counts,
    check_fit,
    check_fraction,
    check_shuffle,
    hide_old_arguments,
    pop_workers,
    unknown_arguments,
)
from polykeras.training.compiled import CompiledLoss, CompiledMetrics, NotCompiled, foreseen_names
from polykeras.training.data.batches import check_targets, refuse_strings, unpack_x_y_sample_weight
from polykeras.training.data.conversion import Rows
from polykeras.training.data.sources import ArraySource, Epochs, Preparation, make_batch, make_source, split
from polykeras.training.functions import StepFunctions
from polykeras.training.generator_methods import GeneratorMethods
from polykeras.training.native_training import NativeTraining, also_of_states
from polykeras.training.outputs import class_weights_in_order
from polykeras.training.settled import Settled
from polykeras.training.string_inputs import contains_strings, front_of
from polykeras.training.validation import Validation

if TYPE_CHECKING:
    from polykeras.layers.layer import Layer as Host
else:
    Host = object


#: The result of a step whose logs are deferred until someone reads them.
_UNREAD: Any = None
_STEPS = "train_step", "test_step", "make_train_function", "make_test_function"


class Trainer(GeneratorMethods, NativeTraining, StepFunctions, Host):
    """What a Model can do besides calling: training, written once for every backend.

    ``train_step(data)``, ``test_step(data)``, ``predict_step(data)``, ``compute_loss(...)`` and
    ``compute_metrics(...)`` may be overridden, with ``polykeras.ops`` and Variables; they are
    compiled for the backend unchanged.
    """

    optimizer: Any = None
    loss: Any = None
    _compiled_parts: Any = None
    _settled: Any = None
    _graph_plan: Plan | None
    _arrange: Any
    _backend_name: str
    stop_training = False
    stop_evaluating = False
    stop_predicting = False
    run_eagerly = False
    jit_compile: bool | str | None = "auto"

    # ----------------------------------------------------------------- compile

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
        **kwargs: Any,
    ) -> None:
        """Configure training: the loss, the optimizer and the metrics.

        Args:
            optimizer: object or name; default "rmsprop".
            loss: object, name or function f(y_true, y_pred); for several outputs a list or dict; default
                None.
            loss_weights: weights of the outputs' losses, a list or dict; default None.
            metrics: list of objects, names or functions; for several outputs a list of lists or a dict;
                default None.
            weighted_metrics: the same, for metrics that take sample weights into account; default None.
            run_eagerly: bool, whether to run steps eagerly, for a debugger; default False.
            steps_per_execution: int, steps between two calls of callbacks; 1 leaves the choice to polykeras, which runs
                one step at a time if a callback watches every batch; default 1.
            jit_compile: True requests the backend's optimizing compiler (XLA, torch.compile); False and
                "auto" do not use it where compiling takes minutes; default "auto".
            auto_scale_loss: bool, whether to scale the loss for mixed_float16 (by LossScaleOptimizer); default True.
            **kwargs: Keras 2's arguments.

        Raises:
            ValueError: for unknown names; the message suggests the closest.
            TypeError: for unknown arguments.
        """
        kwargs.pop("sample_weight_mode", None)
        kwargs.pop("target_tensors", None)
        if kwargs:
            raise unknown_arguments(kwargs, self.compile)
        if not isinstance(steps_per_execution, int) or steps_per_execution < 1:
            raise ValueError(
                f"Expected steps_per_execution to be an int, at least 1. Received: {steps_per_execution!r}."
            )
        if jit_compile not in (True, False, None, "auto"):
            raise ValueError(f"Expected jit_compile to be True, False or 'auto'. Received: {jit_compile!r}.")
        self.optimizer = self._with_scaled_loss(optimizers.get(optimizer), auto_scale_loss)
        self._compiled_parts = _Compiled(self, loss, loss_weights, metrics, weighted_metrics)
        self.run_eagerly, self.steps_per_execution = run_eagerly, steps_per_execution
        self.jit_compile = jit_compile
        compiled_before = getattr(self, "_compile_arguments", {}).get("loss")
        self._compile_arguments = {
            "optimizer": optimizer,
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution,
            "jit_compile": jit_compile,
        }
        if loss is not None or self.loss is compiled_before:
            self.loss = loss  # otherwise a model may keep its own object there, for its compute_loss
        self.stop_training = False
        self._forget_steps()
        self._settled = Settled(self)

    def _with_scaled_loss(self, optimizer: Any, wanted: bool) -> Any:
        is_half = getattr(self.dtype_policy, "name", "") == "mixed_float16"
        if wanted and is_half and not isinstance(optimizer, optimizers.LossScaleOptimizer):
            return optimizers.LossScaleOptimizer(optimizer)
        return optimizer

    @property
    def compiled(self) -> bool:
        """True after ``compile``."""
        return self._compiled_parts is not None

    @property
    def _asks_for_compiler(self) -> bool | None:
        """The compiler choice of ``compile(jit_compile=...)``; None leaves the choice to the backend."""
        return self.jit_compile if isinstance(self.jit_compile, bool) else None

    def _check_compiled(self, method: str) -> None:
        if self._compiled_parts is None:
            raise NotCompiled(
                f"Model {self.name!r}: Expected compile() before {method}(). Received: a model that is not compiled. "
                f"Call model.compile(optimizer=..., loss=...)."
            )

    # ------------------------------------------------------------------- steps

    @also_of_states
    def train_step(self, data: Any) -> Any:
        """Train on one batch ``(x, y, sample_weight)``; return a dict of logs.

        Args:
            data: tree of arrays, (batch, ...).

        >>> import numpy as np, polykeras as keras
        >>> class Model(keras.Model):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.dense = keras.layers.Dense(1)
        ...     def call(self, x):
        ...         return self.dense(x)
        ...     def train_step(self, data):
        ...         x, y = data
        ...         def loss():
        ...             return self.compute_loss(x, y, self(x, training=True))
        ...         value, gradients = keras.ops.value_and_grad(loss, self.trainable_variables)()
        ...         self.optimizer.apply(gradients, self.trainable_variables)
        ...         return {"loss": value}
        >>> model = Model(); model.compile("sgd", "mse")
        >>> history = model.fit(np.ones((8, 2)), np.ones((8, 1)), verbose=0)
        """
        x, y, sample_weight = unpack_x_y_sample_weight(data)

        def loss_of_weights() -> tuple:
            y_pred = self(x, training=True)
            loss = self._compute_loss(x, y, y_pred, sample_weight, True)
            return self.optimizer.scale_loss(loss), (loss, y_pred)

        weights = self.trainable_variables
        compute = functionalization.value_and_grad(loss_of_weights, weights, has_aux=True, may_be_rows=True)
        (_, (loss, y_pred)), gradients = compute()
        self._compiled_parts.loss_tracker.update_state(loss, sample_weight=_batch_size(x))
        # The optimizer comes last, so that an earlier failure leaves the weights unchanged.
        logs = self.compute_metrics(x, y, y_pred, sample_weight)
        self.optimizer.apply_gradients(zip(gradients, weights, strict=True))
        return logs

    @also_of_states
    def test_step(self, data: Any) -> Any:
        """Evaluate one batch; return a dict of logs.

        Args:
            data: tree of arrays, (batch, ...).
        """
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self(x, training=False)
        loss = self._compute_loss(x, y, y_pred, sample_weight, False)
        self._compiled_parts.loss_tracker.update_state(loss, sample_weight=_batch_size(x))
        return self.compute_metrics(x, y, y_pred, sample_weight)

    @also_of_states
    def predict_step(self, data: Any) -> Any:
        """Return the outputs for one batch.

        Args:
            data: tree of arrays, (batch, ...).
        """
        x, _, _ = unpack_x_y_sample_weight(data)
        return self._checked_result(self(x, training=False), "call")

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Return the scalar to minimize: the compiled losses plus ``self.losses``, summed where they are arrays.

        Args:
            x, y: arrays or trees of arrays, (batch, ...); default None.
            y_pred: the outputs of the model; like ``y``; default None.
            sample_weight: weights of the rows, (batch,); default None.
            training: bool, whether this is a training step; default True.

        Raises:
            ValueError: if there is no loss, or a loss but no ``y``.
        """
        losses = [evaluated(loss) for loss in self.losses]
        if self._compiled_parts is not None and self._compiled_parts.loss is not None and y is not None:
            self._checked_result(y_pred, "call")
            with graph_around(self, x, y_pred, training):
                losses.insert(0, self._compiled_parts.loss(y, y_pred, sample_weight))
        if not losses:
            # The kept lists may be older than the first add_loss of a layer.
            losses = [evaluated(loss) for loss in super().losses]
        if not losses:
            if y is None and self._compiled_parts is not None and self._compiled_parts.loss is not None:
                raise ValueError(f"Model {self.name!r}: Expected targets y for the loss {self.loss!r}. Received: None.")
            raise ValueError(
                f"Model {self.name!r}: Expected a loss. Received: none; pass compile(loss=...) or call add_loss() "
                f"in a layer."
            )
        losses = [ops.sum(loss) if len(ops.shape(loss)) else loss for loss in losses]
        total = losses[0]
        for loss in losses[1:]:
            total = total + loss
        return total

    def _compute_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> Any:
        """Call ``compute_loss``, also if a user's version lacks some of the arguments."""
        arguments = {"x": x, "y": y, "y_pred": y_pred, "sample_weight": sample_weight}
        if self._plain_loss:
            arguments["training"] = training
        return inferred(self.compute_loss, **arguments)

    @property
    def _plain_loss(self) -> bool:
        return (
            type(self).compute_loss is Trainer.compute_loss
            or "training" in inspect.signature(self.compute_loss).parameters
        )

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict:
        """Update the compiled metrics with a batch; return all results.

        Args:
            x, y: arrays or trees of arrays, (batch, ...).
            y_pred: the outputs of the model; like ``y``.
            sample_weight: weights of the rows, (batch,); default None.
        """
        if self._compiled_parts.metrics is not None and y is not None:
            with graph_around(self, x):
                self._compiled_parts.metrics.update_state(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def get_metrics_result(self) -> dict:
        """Return the results of all metrics, by name."""
        if self._defers_logs:
            return _UNREAD
        return self._metrics_result()

    def _metrics_result(self) -> dict:
        logs: dict = {}
        for metric in self.metrics:
            result = inferred(metric.result)
            logs |= result if isinstance(result, dict) else {metric.name: result}
        return logs

    #: While an eager step runs, results are deferred until someone reads them.
    _defers_logs = False

    @property
    def metrics(self) -> list:
        """The loss tracker, the losses of several outputs, the compiled metrics, and the model's own metrics."""
        found = self._snapshot_of_parts.get("metrics")
        if found is not None:
            return found
        with searched_once():
            own = unique(metric for layer in self._flatten_layers() for metric in layer._own_parts()[2])
        return unique(iter([*(self._compiled_parts.all_metrics if self._compiled_parts else []), *own]))

    @property
    def metrics_names(self) -> list[str]:
        """The names of the metrics, in the order of the results of ``evaluate``.

        Before the first batch, the metrics of a model whose outputs are known, otherwise only the loss.
        """
        compiled = self._compiled_parts
        with backends.use(SPEC):
            if compiled is not None and not compiled.is_matched and self._graph_plan is not None:
                compiled = compiled.foreseen(self)
            return self._foreseen_names(compiled)

    def _foreseen_names(self, compiled: _Compiled | None) -> list[str]:
        metrics = self.metrics
        if compiled is not None and type(self).metrics is Trainer.metrics:
            known = {id(metric) for metric in self._compiled_parts.all_metrics}
            metrics = [*compiled.all_metrics, *(metric for metric in metrics if id(metric) not in known)]
        names: list[str] = []
        for metric in metrics:
            is_compiled = isinstance(metric, CompiledMetrics)
            names += metric.foreseen_names if is_compiled else foreseen_names(metric, metric.name)
        return list(dict.fromkeys(names))

    def reset_metrics(self) -> None:
        """Reset the states of all metrics."""
        for metric in self.metrics:
            metric.reset_state()

    @property
    def _snapshot_of_parts(self) -> dict:
        """Lists that do not change during an epoch, looked up once."""
        return self.__dict__.get("_snapshot_lists") or {}

    @property
    def trainable_variables(self) -> list[Variable]:
        """The weights that optimizers update."""
        found = self._snapshot_of_parts.get("trainable_variables")
        return super().trainable_variables if found is None else found

    @property
    def losses(self) -> list:
        """Losses of the last call and of the weights' regularizers."""
        if self._snapshot_of_parts.get("is_without_losses"):
            return []
        return super().losses

    @contextlib.contextmanager
    def _frozen_lists(self) -> Iterator[None]:
        """Keep the lists that steps need repeatedly."""
        with self._as_compiled():
            yield from self._keep_lists()

    def _keep_lists(self) -> Iterator[None]:
        self._snapshot_lists: dict[str, Any] = {}
        self._renew_snapshot()
        try:
            yield
        finally:
            self.__dict__.pop("_snapshot_lists", None)
            for layer in self._flatten_layers():
                layer._losses = []

    def _renew_snapshot(self) -> None:
        """Update the kept lists, because something was set."""
        if self.__dict__.pop("_snapshot_lists", None) is None:
            return
        with searched_once():
            weights, metrics, layers = self.trainable_variables, self.metrics, self._flatten_layers()
        is_without = not any(layer._adds_losses for layer in layers) and not any(w.regularizer for w in weights)
        self._snapshot_lists = {
            "trainable_variables": weights,
            "metrics": metrics,
            "is_without_losses": is_without and all(layer.activity_regularizer is None for layer in layers),
        }

    def _step_variables(self) -> list[Variable]:
        """Return all variables of the model that a step may read or assign."""
        found = list(self.variables)
        for layer in self._flatten_layers():
            for item in layer._owned_parts():
                if isinstance(item, Trackable) and hasattr(item, "variables") and not hasattr(item, "call"):
                    found.extend(item.variables)
        return unique(iter(found))

    def _training_variables(self) -> list[Variable]:
        """Return the variables that training and evaluation steps read and assign besides those."""
        found = [] if self.optimizer is None else [*self.optimizer.variables, *self.optimizer._updated]
        # If a model's own ``metrics`` omits the compiled ones, they are updated anyway.
        metrics = [*self.metrics, *(self._compiled_parts.all_metrics if self._compiled_parts else [])]
        return found + [variable for metric in unique(iter(metrics)) for variable in metric.variables]

    @contextlib.contextmanager
    def _read_whole(self) -> Iterator[None]:
        """Inside, this thread reads all variables as one step left them, whatever other threads do; none are added."""
        with turns.growing(), settled(self._step_variables() + self._training_variables()):
            yield

    def _as_compiled(self) -> contextlib.AbstractContextManager:
        """Return a context in which those layers are trainable that were when the model was compiled."""
        return contextlib.nullcontext() if self._settled is None else self._settled.in_force()

    def _step_for(self, kind: str, batch: Any, defers_logs: bool = False, may_be_own: bool = True) -> Captured:
        """Return the step of a kind.

        Args:
            defers_logs: bool, whether it may leave its results unread.
            may_be_own: bool, whether to call the function that a subclass's own ``make_<kind>_function`` makes.
        """
        is_own = may_be_own and self._has_own_function(kind)
        if kind == "train" and backends.current().shows:
            self._follow_program()
        with self._as_compiled():
            weights = [] if kind == "predict" else self.trainable_variables
            settings = backends.current_name(), placement.state.distribution, defers_logs, is_own
            key = kind, tuple(map(id, weights)), trees.structure(batch), settings
            step = steps_of(self).get(key)
            if step is not None:
                step.step()  # shape errors show up now
                return step
            with turns.growing():  # layers, optimizer and metrics create their variables together
                step = steps_of(self).get(key)  # another thread may have made it meanwhile
                if step is None:
                    step = self._captured_step(kind, specs_of(backends.current(), batch), is_own)
                    step.weights = weights
                    steps_of(self).put(key, step)
                step.step()
            self._renew_snapshot()
            return step

    def _captured_step(self, kind: str, batch: Any, is_own: bool) -> Captured:
        own = self._own_function(kind) if is_own else None

        def make(function: Any, numbers: list) -> Any:
            def make_own() -> Any:
                return Step(self, function, batch, self._asks_for_compiler, numbers)

            return self._make_captured_step(kind, function, batch, make_own, True)

        def make_plain(function: Any) -> Any:
            if own is not None:  # the engine may compile it, and could not trace through a step of ours
                self._make_state(kind, batch)
                return DirectStep(function)
            return self._make_captured_step(kind, function, batch, lambda: EagerStep(self, function, batch), False)

        def run(data: Any) -> Any:
            if own is None:
                result = getattr(self, f"{kind}_step")(data)
            else:
                result = own(backends.current().iterator_over((data,) if kind == "predict" else data))
            return self._checked_result(result, f"{kind}_step") if self._has_own_logs else result

        has_texts = not backends.current().has_text and any(x.dtype == "string" for x in trees.leaves(batch))
        return Captured(self, run, make, make_plain, kind != "predict", has_texts or own is not None)

    # --------------------------------------------------------------------- fit

    @filtered
    @hide_old_arguments
    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: Any = True,
        class_weight: dict | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
        **kwargs: Any,
    ) -> History:
        """Train for a number of epochs.

        Args:
            x: inputs: an array, a list or dict of arrays, or a dataset or iterable of batches ``(x, y,
                sample_weight)``. Arrays on disk and sparse matrices are read batch by batch; default None.
            y: targets, along with arrays; default None.
            batch_size: int, rows per step, for arrays; default None, for 32.
            epochs: int, how often to go through the data; default 1.
            verbose: 0 is silent, 1 a progress bar, 2 one line per epoch; default "auto".
            callbacks: list of Callback objects; default None.
            validation_split: float, the fraction of rows, from the end, to evaluate on after each epoch; default 0.0.
            validation_data: ``(x, y)``, ``(x, y, sample_weight)`` or an iterable, in place of such a fraction;
                default None.
            shuffle: bool, a new order in each epoch, of rows or of a dataset's batches; ``"batch"`` shuffles whole
                batches of rows. Iterables keep their order; default True.
            class_weight: dict from class index to the weight of its rows, or for several outputs a dict of such dicts
                by name; default None, for equal weights.
            sample_weight: weights of the rows; default None, for equal weights.
            initial_epoch: int, the number of the first epoch; default 0.
            steps_per_epoch: int, batches per epoch; the next epoch continues where one ended; default None, for all.
            validation_steps: int, batches to evaluate on, each time from the start; default None, for all.
            validation_batch_size: int; default None, for ``batch_size``.
            validation_freq: int, to evaluate every n-th epoch, or a list of epochs; default 1.
            **kwargs: Keras 2's ``workers``, ``use_multiprocessing`` and ``max_queue_size`` for a dataset.

        Returns:
            A History: ``history.history["loss"]`` holds a value for each epoch.

        Raises:
            RuntimeError: before ``compile``.
            ValueError: for arguments or data that do not match.
        """
        epochs = kwargs.pop("nb_epoch", epochs)
        workers = pop_workers(kwargs, self.fit)
        self._check_compiled("fit")
        check_fit(epochs, batch_size, steps_per_epoch, initial_epoch, validation_freq)
        check_counts(validation_steps=validation_steps, validation_batch_size=validation_batch_size)
        check_shuffle(shuffle)
        epochs, steps_per_epoch = config.limited_epochs(epochs), config.limited_steps(steps_per_epoch)
        with self._on_own_backend(), contextlib.ExitStack() as sources:
            position = self._position = resumption.start(self, callbacks, initial_epoch)
            sources.callback(vars(self).pop, "_position", None)
            if validation_split and validation_data is not None:
                check_fraction("validation_split", validation_split)
            elif validation_split:
                (x, y, sample_weight), validation_data = split((x, y, sample_weight), validation_split)
            self.stop_training = False
            # Generators of Keras 2 may yield what a callback prepares: they are asked once training has begun.
            begins_first = log_names.has_batches and self.built and isinstance(x, Iterator)
            if begins_first:
                callbacks = self._callbacks_of_fit(callbacks, verbose, epochs, steps_per_epoch, None, validation_data)
                position.callbacks = callbacks.callbacks
                callbacks.on_train_begin({})
            source = make_source(
                (x, y, sample_weight),
                batch_size,
                Epochs(steps_per_epoch, initial_epoch, goes_on=True),
                shuffle,
                Preparation(
                    class_weights_in_order(class_weight, _output_names(self)),
                    self._check_host_batch,
                    self._encode_strings,
                ),
                workers,
            )
            sources.callback(source.close)
            self._prepare_for(source.spec())
            if not begins_first:
                callbacks = self._callbacks_of_fit(callbacks, verbose, epochs, source.steps, source, validation_data)
                position.callbacks = callbacks.callbacks
            sizes = validation_batch_size, batch_size
            validation = Validation(self, validation_data, sizes, validation_steps, validation_freq, workers)
            sources.callback(validation.close)
            return self._fit_source(source, position, epochs, initial_epoch, callbacks, validation, begins_first)

    def _callbacks_of_fit(
        self, callbacks: Any, verbose: Any, epochs: int, steps: int | None, source: Any, validation_data: Any
    ) -> CallbackList:
        further = log_names.params(self.metrics_names, source, validation_data is not None)
        result = self._callback_list(callbacks, verbose, epochs=epochs, steps=steps, **further)
        for callback in result.callbacks:
            _show_validation_data(callback, validation_data)
        return result

    def _fit_source(
        self,
        source: Any,
        position: resumption.Position,
        epochs: int,
        initial_epoch: int,
        callbacks: CallbackList,
        validation: Validation,
        has_begun: bool,
    ) -> History:
        step = self._step_for("train", source.spec(), True)
        self._settled.warn(self)
        watched = callbacks.watches_batches("train")
        asked = self.steps_per_execution if self.steps_per_execution > 1 else None
        chunk = 1
        if isinstance(source, ArraySource):
            chunk = loop.steps_per_dispatch(self, source.batch_size, source.steps, asked, watched)
        with searched_once():
            position.variables = self._step_variables() + self._training_variables()
        if not has_begun:
            callbacks.on_train_begin({})
        if position.restore is not None:
            if position.batch:
                callbacks.on_epoch_begin(position.epoch, {})
            position.restore()
            step = self._step_for("train", source.spec(), True)
            source.pass_over(range(initial_epoch, position.epoch))
            epochs = position.epoch if self.stop_training else epochs
        logs: dict = {}
        run = loop.Loop(self, step, source, callbacks, "train", chunk, self._metrics_result)
        for epoch in range(position.epoch, epochs):
            if not source.begin():
                break
            if not position.batch:
                self.reset_metrics()
                callbacks.on_epoch_begin(epoch, {})
            with self._frozen_lists(), self._deferring(step):
                logs = loop.to_floats(run.epoch(epoch, position))
            if validation.is_due(epoch):
                results = validation.run(callbacks)
                logs |= {f"val_{name}": value for name, value in results.items()}
            position.epoch, position.batch = epoch + 1, 0
            callbacks.on_epoch_end(epoch, logs)
            if self.stop_training:
                break
        if hasattr(self.optimizer, "finalize_variable_values"):
            with self._as_compiled():
                self.optimizer.finalize_variable_values(self.trainable_variables)
        callbacks.on_train_end(logs)
        history: Any = callbacks.history
        self.history = history
        return history

    @contextlib.contextmanager
    def _deferring(self, step: Captured) -> Iterator[None]:
        """Defer results of eager steps until a callback or the epoch's end needs them; except for users' own steps."""
        self._defers_logs = not step._is_traced and not self._has_own_logs
        try:
            yield
        finally:
            self._defers_logs = False

    def _checked_result(self, result: Any, method: str) -> Any:
        what = "a dict of logs" if method in ("train_step", "test_step") else "the outputs"
        return returned(result, f"Model {self.name!r}: Expected {method}() to return {what}")

    @property
    def _has_own_logs(self) -> bool:
        return self._overrides(*_STEPS, "compute_metrics", "get_metrics_result")

    def _overrides(self, *names: str) -> bool:
        return any(getattr(type(self), name) is not getattr(Trainer, name) for name in names)

    def _listed(self, logs: dict) -> Any:
        """Return log values in the order of the metrics, then those a user's step adds, by name; a single one alone."""
        names = list(logs)
        if self._has_own_logs:
            known: list[str] = []
            for metric in self.metrics:
                known += metric.names if isinstance(metric, CompiledMetrics) else [metric.name]
            names = [*(name for name in known if name in logs), *sorted(logs.keys() - set(known))]
        return logs[names[0]] if len(names) == 1 else [logs[name] for name in names]

    def _on_own_backend(self) -> backends.use:
        # Even if it is the default: a backend in use is found faster than the default.
        return backends.use(self._backend_name)

    def _prepare_for(self, batch: Any) -> None:
        """Build the model for data like a batch, if it is not built, without computing anything."""
        if self.built:
            return
        with turns.growing():
            if self._has_call:
                self.compute_output_spec(_symbols(unpack_x_y_sample_weight(batch)[0]))
            self.built = True

    @property
    def _has_call(self) -> bool:
        from polykeras.models.model import Model

        return self._graph_plan is not None or type(self).call is not Model.call

    def _encode_strings(self, x: Any, is_whole: bool) -> Any:
        """Return data with strings converted to numbers if text layers begin the graph; nested models keep them."""
        if not contains_strings(x):
            return x
        self._prepare_for((x,))
        front = front_of(self)
        if front is None and self._graph_plan is not None:
            return refuse_strings(x)
        if front is None or not front.is_separable or (is_whole and not front.encodes_rows_together):
            return x
        backend = backends.current()
        return front.encode(self._arrange(trees.map(lambda a: a if is_string_array(a) else backend.array(a), x)))

    def _check_host_batch(self, x: Any, y: Any, sample_weight: Any) -> None:
        """Reject, in host memory and before a step, targets on which the loss can't be computed."""
        if y is None or self._compiled_parts.loss is None or self._overrides(*_STEPS):
            return
        key = stamp.constants, *((tuple(leaf.shape[1:]), str(leaf.dtype)) for leaf in trees.leaves(x))
        if self._compiled_parts.output_specs.get(key) is None:
            self._prepare_for((x,))
            self._compiled_parts.output_specs[key] = self._checked_result(self.compute_output_spec(_symbols(x)), "call")
        self._compiled_parts.loss.check(y, self._compiled_parts.output_specs[key], check_targets, sample_weight)

    def _callback_list(self, callbacks: Any, verbose: Any, **params: Any) -> CallbackList:
        verbose = _verbosity(verbose)
        if isinstance(callbacks, CallbackList):
            return callbacks
        return CallbackList(
            callbacks, add_history=True, add_progbar=verbose != 0, model=self, verbose=verbose, **params
        )

    # -------------------------------------------------------- evaluate, predict

    @filtered
    @hide_old_arguments
    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Return the loss and metrics on data.

        Args:
            x, y, batch_size, verbose, sample_weight, callbacks, **kwargs: see ``fit``.
            steps: int, the number of batches; None for all.
            return_dict: bool, whether to return the results by name instead of as a list; default False.
        """
        workers = pop_workers(kwargs, self.evaluate)
        self._check_compiled("evaluate")
        check_counts(batch_size=batch_size, steps=steps)
        steps = config.limited_steps(steps)
        with self._on_own_backend(), contextlib.ExitStack() as sources:
            prepare = Preparation(check=self._check_host_batch, encode=self._encode_strings)
            source = make_source((x, y, sample_weight), batch_size, Epochs(steps), prepare=prepare, workers=workers)
            sources.callback(source.close)
            self._prepare_for(source.spec())
            callbacks = self._callback_list(callbacks, verbose, epochs=1, steps=source.steps)
            logs = self._evaluate_source(source, callbacks)
        return logs if return_dict else self._listed(logs)

    def _evaluate_source(self, source: Any, callbacks: CallbackList) -> dict:
        self.stop_evaluating = False
        step = self._step_for("test", source.spec(), True)
        self.reset_metrics()
        callbacks.on_test_begin({})
        run = loop.Loop(self, step, source, callbacks, "test", 1, self._metrics_result)
        with self._frozen_lists(), self._deferring(step):
            logs = loop.to_floats(run.epoch())
        callbacks.on_test_end(logs)
        return logs

    @filtered
    @hide_old_arguments
    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Return the outputs for data, as NumPy arrays.

        Args:
            x: as for ``fit``, without targets.
            batch_size: int, rows per step; default None, for 32.
            verbose, callbacks, **kwargs: see ``fit``.
            steps: int, batches to use; default None, for all.
        """
        workers = pop_workers(kwargs, self.predict)
        check_counts(batch_size=batch_size, steps=steps)
        if isinstance(x, np.ndarray) and 0 < len(x) <= (batch_size or 32) and not (callbacks or steps or verbose):
            # Servers predict a row at a time: preparing a loop over batches would take longer than the prediction.
            return self.predict_on_batch(x)
        steps = config.limited_steps(steps)
        with self._on_own_backend(), contextlib.ExitStack() as sources:
            self.stop_predicting = False
            prepare = Preparation(encode=self._encode_strings)
            source = make_source((x, None, None), batch_size, Epochs(steps), prepare=prepare, workers=workers)
            sources.callback(source.close)
            batch = source.spec()
            self._prepare_for(batch)
            callbacks = self._callback_list(callbacks, verbose, epochs=1, steps=source.steps)
            callbacks.on_predict_begin({})
            outputs = loop.predict(self, self._step_for("predict", batch), source, callbacks)
            callbacks.on_predict_end({})
        return outputs

    # --------------------------------------------------------------- on a batch

    @filtered
    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict | None = None,
        return_dict: bool = False,
        reset_metrics: bool = True,
    ) -> Any:
        """Train on one batch; return its loss, or a list of its loss and metrics.

        Args:
            x, y, sample_weight, class_weight: as for ``fit``, for a single batch.
            return_dict: bool, whether to return a dict by name; default False.
            reset_metrics: bool; False returns means over the batches since the last reset; default True.
        """
        self._check_compiled("train_on_batch")
        return self._on_batch("train", x, y, sample_weight, class_weight, return_dict, reset_metrics)

    @filtered
    def test_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        return_dict: bool = False,
        reset_metrics: bool = True,
    ) -> Any:
        """Evaluate one batch; return its loss, or a list of its loss and metrics.

        Args:
            x, y: arrays or trees of arrays, (batch, ...); default None.
            sample_weight: weights of the rows, (batch,); default None.
            return_dict: bool, whether to return the results by name; default False.
            reset_metrics: bool, whether to reset the metrics first; default True.
        """
        self._check_compiled("test_on_batch")
        return self._on_batch("test", x, y, sample_weight, None, return_dict, reset_metrics)

    def _on_batch(
        self, kind: str, x: Any, y: Any, weight: Any, class_weight: Any, as_dict: bool, reset: bool, own: bool = True
    ) -> Any:
        with self._on_own_backend():
            class_weight = class_weights_in_order(class_weight, _output_names(self))
            batch = make_batch(
                x, y, weight, class_weight=class_weight, check=self._check_host_batch, encode=self._encode_strings
            )
            self._prepare_for(batch)
            with self._frozen_lists():
                step = self._step_for(kind, batch, may_be_own=own)
                if reset:
                    self.reset_metrics()
                with self._deferring(step):
                    logs = loop.to_floats(loop.logs_of(step(batch), self._metrics_result))
            if kind == "train":
                self._settled.warn(self)
        return logs if as_dict else self._listed(logs)

    @filtered
    def predict_on_batch(self, x: Any) -> Any:
        """Return the outputs for one batch, as NumPy arrays.

        Args:
            x: arrays or trees of arrays, (batch, ...).
        """
        with self._on_own_backend() as backend:
            # Servers predict a row at a time: checked only once, further rows of a kind take 20 µs instead of 70.
            is_known_kind = type(x) is np.ndarray and x.dtype.kind not in "OSU" and placement.state.distribution is None
            kind = ("row", backend.name, x.shape, x.dtype) if is_known_kind else None
            known = None if kind is None or self.run_eagerly else steps_of(self).get(kind)
            if known is not None:
                return loop.to_host(backend, known(backend.feed(x)))
            is_moved_first = self.run_eagerly or placement.state.distribution is not None
            batch = make_batch(x, put=None if is_moved_first else backend.feed, encode=self._encode_strings)
            self._prepare_for(batch)
            step = self._step_for("predict", batch)
            is_taken_as_it_is = kind is not None and backend.dtype(batch) == x.dtype.name
            if is_taken_as_it_is and not self.run_eagerly:
                steps_of(self).put(kind, step)
            return loop.to_host(backend, step(batch))

    def get_compile_config(self) -> dict | None:
        """Return the arguments of ``compile`` as a config."""
        from polykeras.serialization import registry

        if self._compiled_parts is None:
            return None
        return {key: registry.serialize(value) for key, value in self._compile_arguments.items()}

    def compile_from_config(self, config: dict) -> None:
        """Compile with the config of ``get_compile_config``.

        A ``compile`` of the model's own that takes other arguments than a config holds is not called, with a warning.

        Args:
            config: dict, as ``get_compile_config`` returns.
        """
        from polykeras.serialization import registry

        arguments = {key: registry.deserialize(value) for key, value in config.items()}
        try:
            inspect.signature(self.compile).bind(**arguments)
        except TypeError:
            warnings.warn(
                f"Model {self.name!r} ({type(self).__name__}) is loaded without being compiled, since its own "
                f"compile() takes other arguments. Call compile(), or override get_compile_config() and "
                f"compile_from_config(config).",
                stacklevel=2,
            )
            return
        self.compile(**arguments)


class _Compiled:
    """The objects made by one call of ``compile``."""

    def __init__(self, model: Any, loss: Any, loss_weights: Any, metrics: Any, weighted_metrics: Any) -> None:
        names = _output_names(model)
        self.loss_tracker = Mean(name="loss")
        self.loss = None if loss is None else CompiledLoss(loss, loss_weights, names)
        self.output_specs: dict = {}
        wants = metrics is not None or weighted_metrics is not None
        self.metrics = CompiledMetrics(metrics, weighted_metrics, names) if wants else None
        self._compile_options = loss, loss_weights, metrics, weighted_metrics

    def foreseen(self, model: Any) -> _Compiled:
        """Return the predicted metric names, assuming that targets are like the outputs."""
        outputs = model._outputs_structure
        result = _Compiled(model, *self._compile_options)
        for part in (result.loss, result.metrics):
            if part is not None:
                part.build(outputs, outputs)
        return result

    @property
    def trackers(self) -> list:
        """Return the means of the loss, and of the losses of several outputs."""
        return [self.loss_tracker, *(self.loss.metrics if self.loss is not None else [])]

    @property
    def is_matched(self) -> bool:
        """Whether the losses of several outputs, or the metrics, have been matched to the outputs."""
        return bool(self.trackers[1:] or (self.metrics is not None and self.metrics.metrics))

    @property
    def all_metrics(self) -> list:
        """The loss trackers, and the compiled metrics as a single one."""
        return self.trackers + ([] if self.metrics is None else [self.metrics])


def _output_names(model: Any) -> Any:
    """Return the names of the outputs; a user's class may use an attribute of this name for something else."""
    names = getattr(model, "output_names", None)
    are_names = isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
    return list(names) if are_names and names else None


def _batch_size(x: Any) -> Any:
    return shape_of(backends.current(), trees.leaves(x)[0])[0]


def _symbols(x: Any) -> Any:
    from polykeras.core.graph import KerasTensor

    backend = backends.current()

    def symbol(a: Any) -> KerasTensor:
        own = backend.as_structured(a.read(slice(0, 1)) if isinstance(a, Rows) and a.is_sparse else a)
        layout = None if own is None else backend.layout(own)
        dtype = "string" if is_string_array(a) else dtypes.standardize(a.dtype)
        return KerasTensor((None, *a.shape[1:]), dtype, sparse=layout == "sparse", ragged=layout == "ragged")

    return trees.map(symbol, x)


def _show_validation_data(callback: Any, data: Any) -> None:
    """Set the attribute that callbacks of Keras 2 read, unless the callback has set it itself."""
    if getattr(callback, "validation_data", None) is getattr(callback, "_validation_data_of_fit", None):
        callback.validation_data = callback._validation_data_of_fit = data


def _verbosity(verbose: Any) -> int:
    if verbose == "auto":
        return 1 if config.is_interactive_logging_enabled() else 2
    if verbose not in (0, 1, 2, True, False):
        raise ValueError(f"Expected verbose to be 0, 1, 2 or 'auto'. Received: {verbose!r}.")
    return int(verbose)
