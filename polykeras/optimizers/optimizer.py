"""The base class of optimizers: learning rate, clipping, weight decay, averaging, accumulation, saving."""

from __future__ import annotations

import functools
import inspect
import itertools
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Self

import numpy as np

from polykeras import backends, config, initializers, ops
from polykeras.backends.shared.structured import is_structured
from polykeras.capture.numbers import is_zero, value_of
from polykeras.compat.keras2.backend.kept import is_running
from polykeras.core import functionalization, naming, turns
from polykeras.core.shape_inference import inferred
from polykeras.core.tracking import Trackable, unique
from polykeras.core.variables import Variable, scope
from polykeras.optimizers import scalars
from polykeras.optimizers.resources import ResourceMethods
from polykeras.optimizers.scalars import Scalar
from polykeras.optimizers.schedules import LearningRateSchedule
from polykeras.serialization import registry

#: Whether ``clipnorm`` bounds the joint norm of all gradients, and ``clipvalue`` may follow it, as in Keras 2.3.1.
clips_jointly = False


def clip_norm(g: Any, c: Any, n: Any) -> Any:
    """Return a gradient scaled down to norm ``c``, if its norm ``n`` is larger.

    Args:
        g: array of any shape, the gradient.
        c: float or scalar array, the upper bound of the norm; 0 for none.
        n: float or scalar array, the norm of ``g``, or that of all gradients.

    >>> clip_norm(ops.convert_to_tensor([3.0, 4.0]), 2.5, 5.0).tolist()
    [1.5, 2.0]
    """
    return g if is_zero(c) else ops.multiply(g, ops.divide(c, ops.maximum(n, c)))


def norm(arrays: Iterable[Any]) -> Any:
    """Return the joint L2 norm of arrays.

    >>> float(norm([ops.convert_to_tensor([3.0]), ops.convert_to_tensor([4.0])]))
    5.0
    """
    return ops.sqrt(sum(ops.sum(ops.square(x)) for x in arrays))


def or_epsilon(value: float | None) -> float:
    """Return a constant for numerical stability; None, as programs of Keras 2 pass it, means ``config.epsilon()``.

    >>> or_epsilon(None), or_epsilon(0.5)
    (1e-07, 0.5)
    """
    return config.epsilon() if value is None else value


def branch(predicate: Scalar, on_true: Callable, on_false: Callable, variables: list[Variable]) -> None:
    """Run one of two functions that assign some of ``variables``; works eagerly and while a step is traced."""
    if isinstance(predicate, bool):
        (on_true if predicate else on_false)()
        return
    backend = backends.current()
    if backend.is_symbolic:  # a dry run records what either of them assigns
        on_true()
        on_false()
        return
    if scope.values is not None:
        # A compiled step holds the variables its dry run touched: neither function assigns any others.
        variables = [variable for variable in variables if variable in scope.values]
    values = [variable.array for variable in variables]

    def outcome(function: Callable) -> Callable:
        return lambda: functionalization.pure(function, variables)(values)[0]

    updated = backend.cond(predicate, outcome(on_true), outcome(on_false))
    for variable, value in zip(variables, updated, strict=True):
        variable.put(value)


def by_dtype(gradients: list, variables: list[Variable]) -> Iterator[tuple[list, list[Variable]]]:
    """Group gradients and their variables by the variables' dtype, as the update kernels require."""
    for dtype in dict.fromkeys(variable.dtype for variable in variables):
        pairs = [(g, v) for g, v in zip(gradients, variables, strict=True) if v.dtype == dtype]
        yield [g for g, _ in pairs], [v for _, v in pairs]


_ones_of_many: set[Callable] = set()


def one_of_many(update_step: Callable) -> Callable:
    """Mark a method ``update_step`` that does for one variable what ``_update_together`` does for all in one kernel."""
    _ones_of_many.add(update_step)
    return update_step


class Optimizer(ResourceMethods, Trackable):
    """Base class of optimizers, which update variables from their gradients.

    Args:
        learning_rate: float, ``LearningRateSchedule`` or function without arguments; ``lr``
            in Keras 2; default 0.001.
        weight_decay: float, weight decay coefficient: each update first subtracts
            ``learning_rate * weight_decay * w`` from a weight ``w``; default None, for no decay.
        clipnorm: float, upper bound of the L2 norm of each gradient; default None, for no limit.
        clipvalue: float, upper bound of the absolute values in gradients; default None, for no limit.
        global_clipnorm: float, upper bound of the joint L2 norm of all gradients; default None, for no limit.
        use_ema: whether to keep an exponential moving average of the weights, which replaces them at the end of
            ``fit``; default False.
        ema_momentum: decay rate of that average, from 0 to 1; default 0.99.
        ema_overwrite_frequency: int, number of updates after which the average replaces the weights; default None,
            for only at the end of ``fit``.
        loss_scale_factor: float, loss scale: the loss is multiplied and the gradients are divided by it, to keep
            half-precision gradients from underflow; default None, for no loss scaling.
        gradient_accumulation_steps: int, at least 2, number of calls whose mean gradient makes one update; default
            None, for an update at every call.
        name: str; default None, for a name derived from the class name.
        decay: Keras 2's time-based decay: divides the learning rate by ``1 + decay * iterations``.
        **kwargs: ``lr`` and ``decay``, the arguments of Keras 2's optimizers.

    Raises:
        ValueError: for values out of range, or more than one way to clip.
        TypeError: for an unknown argument.

    A custom optimizer overrides ``update_step``, and ``build`` to add variables:

    >>> import polykeras as keras
    >>> class Sign(Optimizer):
    ...     def update_step(self, gradient, variable, learning_rate):
    ...         self.assign_sub(variable, learning_rate * ops.sign(gradient))
    >>> w = Variable([1.0, 2.0])
    >>> Sign(0.5).apply([ops.convert_to_tensor([3.0, -3.0])], [w]); w.numpy()
    array([0.5, 2.5], dtype=float32)
    """

    #: Defined where ``update_step`` is marked ``one_of_many``: updates all variables in one kernel.
    _update_together: Callable[[list, list[Variable], Scalar], None]
    # These belong to the model.
    _untracked = frozenset(
        {"_trainable_variables", "_excluded", "_wrappers", "_collected", "_listed", "_updated", "_slot_variables"}
    )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            setattr(cls, "__signature__", _spelled_out(cls.__init__))  # noqa: B010 - an attribute of this class alone
        if "build" in vars(cls):
            setattr(cls, "build", _once(vars(cls)["build"]))  # noqa: B010 - an attribute of this class alone

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if isinstance(learning_rate, str) and self._applies_resources():  # which passes its name first
            name, learning_rate = learning_rate, 0.001
        learning_rate = kwargs.pop("lr", learning_rate)
        self.decay = kwargs.pop("decay", None) or 0.0
        if kwargs:
            choices = [p for p in inspect.signature(type(self)).parameters if p != "kwargs"]
            raise TypeError(f"Expected arguments among {naming.listed(choices)}. Received: {sorted(kwargs)}.")
        self.name = name or naming.unique(naming.snake_case(type(self).__name__))
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        self.use_ema, self.ema_momentum = use_ema, ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self._check_settings()
        self.built = False
        self._variables: list[Variable] = []
        self._trainable_variables: list[Variable] = []
        self._indices: dict[Variable, int] = {}
        self._wrappers: list[tuple[Any, Variable]] = []  # the engine's variables, and the Variables that wrap them
        self._excluded: tuple[set[Variable], list[str]] = set(), []
        self._iterations = self._track(Variable(0, dtype="int32", trainable=False, name="iteration", on_host=True))
        is_number = not callable(learning_rate)
        self._learning_rate: Any = self._track(_rate_variable(learning_rate)) if is_number else learning_rate

    def _check_settings(self) -> None:
        clips = {n: getattr(self, n) for n in ("clipnorm", "clipvalue", "global_clipnorm")}
        if sum(value is not None for value in clips.values()) > 1 and not clips_jointly:
            raise ValueError(f"Expected at most one of {naming.listed(clips)}. Received: {naming.listed(clips)}.")
        for name, value in clips.items():
            if value is not None and value < 0:
                raise ValueError(f"Expected {name} to be positive, or None (or 0) for no bound. Received: {value}.")
        if not 0 <= self.ema_momentum <= 1:
            raise ValueError(f"Expected ema_momentum from 0 to 1. Received: {self.ema_momentum}.")
        for name, least in (("ema_overwrite_frequency", 1), ("gradient_accumulation_steps", 2)):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < least):
                raise ValueError(f"Expected {name} to be None or an int, at least {least}. Received: {value!r}.")

    # ------------------------------------------------------------ rate, count

    @property
    def learning_rate(self) -> Any:
        """The current learning rate: a Variable if it was given as a number, else the schedule's current value.

        It can be set to a number, a schedule or a function.
        """
        rate = self._learning_rate
        if isinstance(rate, LearningRateSchedule):
            return rate(scalars.concrete(self._iterations))
        return rate if isinstance(rate, Variable) else rate()

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        current = self._learning_rate
        if callable(value):
            if isinstance(current, Variable):
                self._variables = [v for v in self._variables if v is not current]
            self._learning_rate = value
        elif isinstance(current, Variable):
            current.assign(value)
        else:
            raise TypeError(
                f"Expected another schedule or function as learning_rate of an optimizer that was created with one. "
                f"Received: {value!r}. Create the optimizer with a number to set it to numbers later."
            )

    @property
    def lr(self) -> Any:
        """``learning_rate``, as Keras 2 calls it."""
        return self.learning_rate

    @lr.setter
    def lr(self, value: Any) -> None:
        self.learning_rate = value

    @property
    def iterations(self) -> Any:
        """The number of updates so far: a Variable; with gradient accumulation, an array computed from it."""
        own = vars(self).get("_iterations_of_program")
        if own is not None:
            return own
        steps = self.gradient_accumulation_steps
        return ops.floor_divide(self._iterations, steps) if steps else self._iterations

    @iterations.setter
    def iterations(self, value: Variable) -> None:
        self._iterations_of_program = value

    def _updates(self) -> Scalar:
        """Return the number of updates before this one."""
        count = scalars.concrete(self._iterations)
        return count // self.gradient_accumulation_steps if self.gradient_accumulation_steps else count

    def _step_number(self) -> Scalar:
        """Return the number of this update, counted from 1, as a float."""
        return scalars.as_float(self._updates()) + 1

    def _rate(self) -> Scalar:
        """Return the learning rate of this update."""
        rate = scalars.as_float(self.learning_rate)
        return rate if is_zero(self.decay) else rate / (1 + self.decay * scalars.as_float(self._iterations))

    # -------------------------------------------------------------- variables

    @property
    def variables(self) -> list[Variable]:
        """The optimizer's own variables, in the order of their creation, and those of optimizers in its attributes."""
        parts = self._owned_parts()
        inner = (variable for x in parts if isinstance(x, Optimizer) for variable in x.variables)
        return unique(itertools.chain((x for x in parts if isinstance(x, Variable)), inner))

    def _named_parts(self) -> dict:
        return {str(index): variable for index, variable in enumerate(self.variables)}

    def build(self, variables: Sequence[Variable]) -> None:
        """Create the optimizer's state for each variable; overriding methods call this one first.

        An optimizer that is built keeps its state: building it again has no effect.

        Args:
            variables: list of Variables to be updated.
        """
        variables = self._ours(variables)
        self._trainable_variables = variables
        self._indices = {variable: index for index, variable in enumerate(variables)}
        if variables:
            # An optimizer may be created before the backend of its model is chosen.
            for own in self._variables:
                own.move(variables[0].backend_name)
        if self.use_ema:
            self._averages = self.add_optimizer_variables(variables, "average")
        if self.gradient_accumulation_steps:
            self._sums = self.add_optimizer_variables(variables, "gradient_accumulator")
        self.built = True
        if type(self)._create_slots is not ResourceMethods._create_slots:
            self._create_slots(variables)

    def _build_once(self, variables: Sequence[Variable]) -> None:
        with turns.growing():
            if not self.built:  # another thread may have built it meanwhile
                self.build(variables)
                self.built = True

    def _ours(self, variables: Iterable[Any]) -> list[Variable]:
        """Return the variables, with the engine's own wrapped as Variables."""
        return [v if isinstance(v, Variable) else self._around(v) for v in variables]

    def _around(self, engine_variable: Any) -> Variable:
        for known, variable in self._wrappers:
            if known is engine_variable:
                return variable
        variable = Variable.around(engine_variable)
        self._wrappers.append((engine_variable, variable))
        return variable

    def _track(self, variable: Variable) -> Variable:
        variable.path = f"{self.name}/{variable.name}"
        self._variables.append(variable)
        self._parts_came()
        return variable

    def add_variable(
        self,
        shape: tuple,
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: str = "none",
        layout: Any = None,
        name: str | None = None,
        on_host: bool = False,
    ) -> Variable:
        """Create a variable that is saved with the optimizer.

        Args:
            shape: tuple of ints.
            initializer: str, Initializer or function of (shape, dtype); default "zeros".
            dtype: str; default None, for ``floatx()``.
            aggregation: accepted for compatibility with Keras, without effect; default "none".
            layout: ``TensorLayout`` over the devices of a mesh; default None, for that of the distribution in effect.
            name: str, used in its path and in messages; default None.
            on_host: whether to keep it in host memory, as for step counts and learning rates; default False.
        """
        variable = Variable(
            initializers.get(initializer),
            shape=shape,
            dtype=dtype,
            trainable=False,
            aggregation=aggregation,
            name=name,
            layout=layout,
            on_host=on_host,
        )
        if self._trainable_variables:
            variable.move(self._trainable_variables[0].backend_name)
        return self._track(variable)

    def add_variable_from_reference(
        self, reference_variable: Variable, name: str | None = None, initializer: Any = "zeros"
    ) -> Variable:
        """Create a variable with the shape and dtype of another.

        Args:
            reference_variable: Variable.
            initializer: name of an initializer, or Initializer; default "zeros".
        """
        [reference_variable] = self._ours([reference_variable])
        path = reference_variable.path.replace("/", "_")
        variable = self.add_variable(
            reference_variable.shape, initializer, reference_variable.dtype, name=f"{path}_{name or 'var'}"
        )
        variable.follows = reference_variable
        return variable

    def add_optimizer_variables(
        self, trainable_variables: Sequence[Variable], name: str | Sequence[str], initializer: Any = "zeros"
    ) -> Any:
        """Create one variable for each of a list; with several names, return a tuple of such lists.

        Args:
            trainable_variables: list of Variables, whose shapes and dtypes the new ones have.
            name: str or list of str.
            initializer: initializer for all, or a list with one for each name; default "zeros".
        """
        names = [name] if isinstance(name, str) else list(name)
        starts = initializer if isinstance(initializer, list | tuple) else [initializer] * len(names)
        if len(starts) != len(names):
            raise ValueError(f"Expected {len(names)} initializers, one for each name. Received: {len(starts)}.")
        made = [
            [self.add_variable_from_reference(v, n, i) for n, i in zip(names, starts, strict=True)]
            for v in trainable_variables
        ]
        columns = tuple([row[index] for row in made] for index in range(len(names)))
        return columns[0] if isinstance(name, str) else columns

    def _get_variable_index(self, variable: Variable) -> int:
        return self._indices[variable]

    # ---------------------------------------------------------------- updates

    def apply_gradients(
        self,
        grads_and_vars: Iterable[tuple[Any, Variable]],
        name: str | None = None,
        experimental_aggregate_gradients: bool = True,
    ) -> Variable:
        """Update variables from (gradient, variable) pairs; return the variable that counts the calls.

        Args:
            grads_and_vars: list of pairs of an array and a Variable.
            name, experimental_aggregate_gradients: accepted for compatibility and ignored.
        """
        pairs = list(grads_and_vars)
        self.apply([g for g, _ in pairs], [v for _, v in pairs])
        return self._iterations

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        """Update variables.

        Args:
            grads: list of arrays, a gradient for each variable; variables whose gradient is None are not updated,
                with a warning.
            trainable_variables: list of Variables; default None, for those passed to ``build``.

        Raises:
            ValueError: if all gradients are None, or variables are not among those passed to ``build``.
        """
        grads, variables = _present(
            grads, self._checked(grads, trainable_variables), self._takes_rows() or self._applies_rows()
        )
        if not variables:
            return
        if self.loss_scale_factor is not None:
            grads = unscaled(grads, variables, self.loss_scale_factor)
        if self.gradient_accumulation_steps:
            self._accumulate(grads, variables)
        else:
            self._update_as_written(grads, variables)
        if self.use_ema:
            self._update_averages()
        for variable in variables:
            if variable.constraint is not None:
                variable.assign(inferred(variable.constraint, variable.raw))
        self._iterations.assign(scalars.concrete(self._iterations) + 1)

    def stateless_apply(self, optimizer_variables: list, grads: Sequence[Any], trainable_variables: list) -> tuple:
        """Return the values of the variables after an update, without assigning them.

        Args:
            optimizer_variables: list of arrays, the values of ``variables``.
            grads: list of arrays, a gradient for each trainable variable.
            trainable_variables: list of arrays, the values of the variables passed to ``build``.

        Returns:
            Two lists: the new ``trainable_variables``, and the new ``optimizer_variables``.

        Raises:
            ValueError: if the optimizer is not built, or the numbers of arrays differ from those of variables.

        >>> from polykeras import optimizers
        >>> w = Variable([1.0, 2.0]); sgd = optimizers.SGD(0.5); sgd.build([w])
        >>> [new], _ = sgd.stateless_apply([v.value for v in sgd.variables], [w.value], [w.value]); new.tolist()
        [0.5, 1.0]
        """
        if not self.built:
            raise ValueError("Expected a built optimizer. Received: one without variables. Call build(variables).")
        weights, own = self._trainable_variables, self.variables
        counts, expected = (len(trainable_variables), len(optimizer_variables)), (len(weights), len(own))
        if counts != expected:
            raise ValueError(f"Expected {expected} trainable and optimizer variables. Received: {counts}.")
        update = functionalization.pure(lambda: self.apply(grads, weights), [*weights, *own])
        given = zip([*trainable_variables, *optimizer_variables], [*weights, *own], strict=True)
        updated, _ = update([ops.convert_to_tensor(value, v.dtype) for value, v in given])
        return updated[: len(weights)], updated[len(weights) :]

    def _checked(self, grads: Sequence[Any], variables: Sequence[Variable] | None) -> list[Variable]:
        if variables is None:
            if not self.built:
                raise ValueError(
                    "Expected the variables to update, in apply(grads, trainable_variables) or in an earlier "
                    "build(variables). Received: only gradients."
                )
            variables = self._trainable_variables
        variables = self._ours(variables)
        if len(variables) != len(grads):
            raise ValueError(f"Expected {len(variables)} gradients, one per variable. Received: {len(grads)}.")
        if variables and not self.built:
            self._build_once(variables)
        strange = [v.path for v in variables if v not in self._indices]
        if strange:
            raise ValueError(
                f"Expected variables that {self.name!r} was built for. Received others: {naming.listed(strange)}. "
                f"Create a new optimizer for another set of variables."
            )
        return variables

    def _accumulate(self, grads: list, variables: list[Variable]) -> None:
        """Add up gradients; every ``gradient_accumulation_steps`` calls, update with their mean."""
        steps = self.gradient_accumulation_steps
        sums = [self._sums[self._get_variable_index(v)] for v in variables]

        def joined() -> Iterator:
            for gradient, total, variable in zip(grads, sums, variables, strict=True):
                yield (ops.maximum if variable.overwrite_with_gradient else ops.add)(total, gradient)

        def update() -> None:
            self._update_as_written(unscaled(list(joined()), variables, steps), variables)
            for each in self._sums:
                each.assign(ops.zeros(each.shape, each.dtype))

        def add() -> None:
            for total, each in zip(joined(), sums, strict=True):
                each.assign(total)

        is_due = scalars.equal((scalars.concrete(self._iterations) + 1) % steps, 0)
        branch(is_due, update, add, self.variables + self._trainable_variables)

    def _update(self, grads: list, variables: list[Variable]) -> None:
        grads, variables = _without_overwritten(grads, variables)
        if not variables:
            return
        rate = self._rate()
        grads = grads if is_running(self) else self._clipped(grads)  # get_gradients has clipped those of get_updates
        for variable in variables:
            decay = self._weight_decay_of(variable)
            if not (is_zero(decay) or self._is_excluded(variable)):
                variable.assign(ops.subtract(variable, ops.multiply(variable, decay * rate)))
        self.update_steps(grads, variables, rate)

    def update_steps(self, gradients: list, variables: list[Variable], learning_rate: Scalar) -> None:
        """Update all variables: each with ``update_step``, or all in one kernel.

        Args:
            gradients: list of arrays of the variables' shapes.
            variables: list of Variables.
            learning_rate: a float, or a 0-d array while the step is traced.
        """
        update = self._apply_resources if self._applies_resources() else self._update_each
        update(gradients, variables, learning_rate)

    def _update_each(self, gradients: list, variables: list[Variable], learning_rate: Scalar) -> None:
        pairs = list(zip(gradients, variables, strict=True))
        if getattr(self.update_step, "__func__", None) in _ones_of_many:
            dense = [(g, v) for g, v in pairs if not is_structured(g)]
            pairs = [(g, v) for g, v in pairs if is_structured(g)]
            if dense:
                self._update_together([g for g, _ in dense], [v for _, v in dense], learning_rate)
        for gradient, variable in pairs:
            self.update_step(gradient, variable, learning_rate)

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Scalar) -> None:
        """Update one variable.

        Args:
            gradient: array of the variable's shape and dtype.
            variable: Variable to assign.
            learning_rate: a float, or a 0-d array while the step is traced.
        """
        raise NotImplementedError(f"Expected {type(self).__name__} to define update_step. Received: no such method.")

    def assign(self, variable: Variable, value: Any) -> None:
        """Replace the value of a variable.

        Args:
            variable: Variable.
            value: array of the variable's shape.
        """
        variable.assign(value)

    def assign_add(self, variable: Variable, value: Any) -> None:
        """Add to the value of a variable.

        Args:
            variable: Variable.
            value: array of the variable's shape.
        """
        if is_structured(value):
            variable.assign(backends.current().add_rows(variable.array, value))
        else:
            variable.assign(ops.add(variable, value))

    def assign_sub(self, variable: Variable, value: Any) -> None:
        """Subtract from the value of a variable.

        Args:
            variable: Variable.
            value: array of the variable's shape.
        """
        if is_structured(value):
            variable.assign(backends.current().add_rows(variable.array, ops.negative(value)))
        else:
            variable.assign(ops.subtract(variable, value))

    def _takes_rows(self) -> bool:
        """Whether rows with zero gradients stay as they are, so that ``update_step`` may get the other rows alone."""
        return False

    def _clipped(self, grads: list) -> list:
        joint = self.clipnorm if clips_jointly and is_zero(self.global_clipnorm) else self.global_clipnorm
        if not is_zero(joint):
            total = norm(grads)
            grads = [clip_norm(g, joint, total) for g in grads]
        elif not is_zero(self.clipnorm):
            grads = [clip_norm(g, self.clipnorm, norm([g])) for g in grads]
        if not is_zero(self.clipvalue):
            bound = value_of(self.clipvalue)
            grads = [ops.clip(g, -bound, bound) for g in grads]
        return grads

    # ----------------------------------------------------------- weight decay

    def exclude_from_weight_decay(
        self, var_list: Sequence[Variable] | None = None, var_names: Sequence[str] | None = None
    ) -> None:
        """Exclude variables from weight decay.

        Args:
            var_list: list of Variables to exclude; default None.
            var_names: list of regular expressions; variables whose names contain a match are excluded, as with
                ``["bias"]``; default None.

        Raises:
            ValueError: if the optimizer is built already.
        """
        if self.built:
            raise ValueError("Expected exclude_from_weight_decay before build. Received: a built optimizer.")
        self._excluded = set(var_list or ()), list(var_names or ())

    def _is_excluded(self, variable: Variable) -> bool:
        variables, names = self._excluded
        return variable in variables or any(re.search(name, variable.name) for name in names)

    def _weight_decay_of(self, variable: Variable) -> float | None:
        return self.weight_decay

    # --------------------------------------------------- moving average, loss

    def _update_averages(self) -> None:
        updates = self._updates()
        # The first update initializes the average.
        momentum = scalars.where(scalars.equal(updates, 0), 0.0, self.ema_momentum)
        for variable, average in zip(self._trainable_variables, self._averages, strict=True):
            average.assign(ops.add(ops.multiply(average, momentum), ops.multiply(variable, 1 - momentum)))
        if self.ema_overwrite_frequency:
            is_due = scalars.equal((updates + 1) % self.ema_overwrite_frequency, 0)

            def overwrite() -> Any:
                return self.finalize_variable_values(self._trainable_variables)

            branch(is_due, overwrite, lambda: None, self.variables + self._trainable_variables)

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """Replace the weights by their moving averages, if ``use_ema`` is set.

        Args:
            var_list: list of Variables.
        """
        if self.use_ema and self.built:
            for variable in var_list:
                # A copy: the next update may write into the variable's memory.
                variable.assign(ops.copy(self._averages[self._get_variable_index(variable)]))

    def scale_loss(self, loss: Any) -> Any:
        """Return the loss times the loss scale; ``apply`` divides the gradients by it.

        Args:
            loss: scalar array.
        """
        return loss if self.loss_scale_factor is None else ops.multiply(loss, self.loss_scale_factor)

    # ------------------------------------------------------------------ saving

    def get_weights(self) -> list[np.ndarray]:
        """Return the values of ``weights`` as NumPy arrays."""
        return [variable.numpy() for variable in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set the values of ``weights``.

        Args:
            weights: list of arrays, in the order of ``weights``.

        Raises:
            ValueError: if the optimizer is not built, or the number or shapes of arrays don't match.
        """
        if not self.built:
            raise ValueError("Expected a built optimizer. Received: one without variables. Call build(variables).")
        variables = self.weights
        if len(variables) != len(weights):
            raise ValueError(f"Expected {len(variables)} weights for {self.name!r}. Received: {len(weights)}.")
        for variable, weight in zip(variables, weights, strict=True):
            variable.assign(weight)

    def save_own_variables(self, store: Any) -> None:
        """Write ``variables`` into a mapping, with their indices as keys.

        Args:
            store: mapping from names to NumPy arrays.
        """
        for index, variable in enumerate(self.variables):
            store[str(index)] = variable

    def load_own_variables(self, store: Any) -> None:
        """Load what ``save_own_variables`` wrote; a mapping of another size is ignored, with a warning.

        Args:
            store: mapping from names to NumPy arrays.
        """
        variables = self.variables
        if len(store.keys()) != len(variables):
            warnings.warn(
                f"Expected {len(variables)} saved variables for the optimizer {self.name!r}. Received: "
                f"{len(store.keys())}, which are not loaded. Build the optimizer before loading.",
                stacklevel=2,
            )
            return
        for index, variable in enumerate(variables):
            variable.assign(np.asarray(store[str(index)]))

    def get_config(self) -> dict:
        """Return the JSON-serializable constructor arguments."""
        rate = self._learning_rate
        config = {
            "name": self.name,
            # The shortest decimal number that rounds to the variable's value.
            "learning_rate": float(str(rate.numpy())) if isinstance(rate, Variable) else registry.serialize(rate),
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "global_clipnorm": self.global_clipnorm,
            "clipvalue": self.clipvalue,
            "use_ema": self.use_ema,
            "ema_momentum": self.ema_momentum,
            "ema_overwrite_frequency": self.ema_overwrite_frequency,
            "loss_scale_factor": self.loss_scale_factor,
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
        }
        decay = float(self.decay)  # it may be a variable of a program's class
        return {**config, "decay": decay} if decay else config

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Self:
        """Create an optimizer from its config.

        Args:
            config: dict, as ``get_config`` returns.
            custom_objects: dict from names to classes or functions; default None.
        """
        rate = config.get("learning_rate")
        if isinstance(rate, dict):
            config = {
                **config,
                "learning_rate": registry.deserialize(rate, custom_objects, family="optimizers.schedules"),
            }
        return cls(**config)


def _once(build: Callable) -> Callable:
    """A ``build`` that leaves an optimizer that is built as it is: programs may call it again in each step."""

    @functools.wraps(build)
    def once(self: Optimizer, *args: Any, **kwargs: Any) -> None:
        if not self.built:
            build(self, *args, **kwargs)

    return once


def _rate_variable(value: Any) -> Variable:
    try:
        rate = float(value)
    except (TypeError, ValueError):
        rate = -1.0
    if rate < 0:
        raise ValueError(
            f"Expected learning_rate to be a number, at least 0, a LearningRateSchedule or a function. "
            f"Received: {value!r}."
        )
    return Variable(rate, dtype="float32", trainable=False, name="learning_rate", on_host=True)


def unscaled(grads: Sequence[Any], variables: Sequence[Variable], scale: Any) -> list:
    """Return gradients divided by a scale, except None and those that are their variables' next values."""
    pairs = zip(grads, variables, strict=True)
    return [g if g is None or v.overwrite_with_gradient else ops.divide(g, scale) for g, v in pairs]


def _without_overwritten(grads: list, variables: list[Variable]) -> tuple[list, list[Variable]]:
    """Assign the gradients that are their variables' next values, and return the others."""
    for gradient, variable in zip(grads, variables, strict=True):
        if variable.overwrite_with_gradient:
            variable.assign(gradient)
    rest = [(g, v) for g, v in zip(grads, variables, strict=True) if not v.overwrite_with_gradient]
    return [g for g, _ in rest], [v for _, v in rest]


def _present(grads: Sequence[Any], variables: list[Variable], takes_rows: bool) -> tuple[list, list[Variable]]:
    """Drop the variables without a gradient, and cast gradients to their variables' dtypes.

    Gradients that consist of rows are made dense, unless the optimizer takes them.
    """
    missing = [v.path for g, v in zip(grads, variables, strict=True) if g is None]
    if missing and len(missing) == len(variables):
        raise ValueError(
            f"Expected a gradient for at least one variable. Received None for all: {naming.listed(missing)}. Does "
            f"the loss depend on them?"
        )
    if missing:
        warnings.warn(
            f"Expected a gradient for every variable. Received None for {naming.listed(missing)}, which are not "
            f"updated. Does the loss depend on them?",
            stacklevel=3,
        )
    pairs = [(g, v) for g, v in zip(grads, variables, strict=True) if g is not None]
    densified = backends.current().densified

    def converted(gradient: Any, dtype: str) -> Any:
        if takes_rows and is_structured(gradient):
            return ops.cast(gradient, dtype)
        return ops.convert_to_tensor(densified(gradient), dtype)

    return [converted(g, v.dtype) for g, v in pairs], [v for _, v in pairs]


def _spelled_out(init: Callable) -> inspect.Signature:
    """Return the signature of a class whose ``__init__`` passes ``*shared, **settings`` on to Optimizer's."""
    own = list(inspect.signature(init).parameters.values())[1:]
    if "shared" not in (p.name for p in own):
        return inspect.Signature(own)
    own = own[:-2]
    rest = list(inspect.signature(Optimizer.__init__).parameters.values())[2:]
    names = {p.name for p in own}
    return inspect.Signature(own + [p for p in rest if p.name not in names])
