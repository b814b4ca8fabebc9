"""Methods that subclasses of tf.keras 2's optimizers override or call: hyperparameters, slots, updates of resources."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from polykeras import ops
from polykeras.backends.shared.structured import is_structured
from polykeras.core.shape_inference import inferred, outside_inference
from polykeras.core.variables import Variable
from polykeras.optimizers.older import OlderMethods
from polykeras.optimizers.schedules import LearningRateSchedule
from polykeras.serialization import registry


class ResourceMethods(OlderMethods):
    """The part of an optimizer by which programs of tf.keras 2 derive their own.

    A subclass that defines ``_resource_apply_dense(grad, var, apply_state)`` is asked for each update, after
    ``_create_slots`` for its variables and ``_prepare_local`` for what all updates of a step share.

    >>> import polykeras as keras
    >>> class Sign(keras.optimizers.Optimizer):
    ...     def __init__(self, learning_rate=0.5, name="Sign", **kwargs):
    ...         super().__init__(name, **kwargs)
    ...         self._set_hyper("learning_rate", learning_rate)
    ...     def _create_slots(self, var_list):
    ...         for var in var_list:
    ...             self.add_slot(var, "sum")
    ...     def _resource_apply_dense(self, grad, var, apply_state=None):
    ...         total = self.get_slot(var, "sum")
    ...         total.assign_add(grad)
    ...         return var.assign_sub(self._get_hyper("learning_rate", "float32") * keras.ops.sign(total))
    >>> w = keras.Variable([1.0, 2.0])
    >>> Sign().apply([keras.ops.convert_to_tensor([3.0, -3.0])], [w]); w.numpy()
    array([0.5, 2.5], dtype=float32)
    """

    _use_locking = False
    _HAS_AGGREGATE_GRAD = True
    learning_rate: Any
    add_variable: Callable[..., Variable]
    add_variable_from_reference: Callable[..., Variable]
    apply_gradients: Callable[..., Any]
    _rate: Callable[[], Any]
    _ours: Callable[[Iterable[Any]], list[Variable]]
    _update_each: Callable[[list, list[Variable], Any], None]

    # -------------------------------------------------------------- hyperparameters

    def _set_hyper(self, name: str, value: Any) -> None:
        """Set an attribute that updates depend on: a number, a schedule or a function without arguments."""
        from polykeras.optimizers.optimizer import Optimizer

        if name == "learning_rate":  # whatever a program's own property of this name does
            Optimizer.learning_rate.fset(self, value)  # type: ignore[attr-defined]
        else:
            setattr(self, name, value)

    def _get_hyper(self, name: str, dtype: Any = None) -> Any:
        """Return such a value as an array of a dtype; None for the value itself."""
        own: Any = self
        value = own._learning_rate if name == "learning_rate" else getattr(self, name)
        if isinstance(value, LearningRateSchedule):
            return value
        value = value() if callable(value) else value
        return value if dtype is None else ops.cast(value, _name(dtype))

    def _serialize_hyperparameter(self, name: str) -> Any:
        """Return such a value for a config."""
        value = self._get_hyper(name)
        if isinstance(value, LearningRateSchedule):
            return registry.serialize(value)
        # The shortest decimal number that rounds to the variable's value.
        return float(str(value.numpy())) if isinstance(value, Variable) else value

    @property
    def _initial_decay(self) -> Any:
        """``decay``, under the name by which programs pass it to ``_set_hyper``."""
        return vars(self).get("_initial_decay", self.decay)

    @_initial_decay.setter
    def _initial_decay(self, decay: Any) -> None:
        vars(self)["_initial_decay"] = decay

    def _decayed_lr(self, var_dtype: Any) -> Any:
        """Return the learning rate of this update as an array of a dtype."""
        return ops.cast(self._rate(), _name(var_dtype))

    # ------------------------------------------------------------------------ state

    def _create_slots(self, var_list: Sequence[Variable]) -> None:
        """Make the state for variables; programs override it, and call ``add_slot`` in it."""
        self.build(list(var_list))

    def _create_hypers(self) -> None:
        """Do nothing: hyperparameters are attributes."""

    def _create_all_weights(self, var_list: Sequence[Variable]) -> None:
        """Make the state for variables."""
        self.build(list(var_list))

    def add_slot(self, var: Variable, slot_name: str, initializer: Any = "zeros", shape: Any = None) -> Variable:
        """Return the variable of a name that belongs to a variable, and make it if there is none.

        Args:
            var: Variable.
            slot_name: str.
            initializer: initializer, or array with the initial value; default "zeros".
            shape: tuple of ints; default None, for that of ``var``.
        """
        [var] = self._ours([var])
        slots = vars(self).setdefault("_slot_variables", {})
        if (var, slot_name) not in slots:
            is_value = isinstance(initializer, Variable) or not (isinstance(initializer, str) or callable(initializer))
            start = "zeros" if is_value else initializer
            if shape is None:
                slot = self.add_variable_from_reference(var, slot_name, start)
            else:
                slot = self.add_variable(tuple(shape), start, var.dtype, name=f"{var.name}_{slot_name}")
            if is_value:
                with outside_inference():
                    slot.set_initial(np.asarray(initializer))
            slots[var, slot_name] = slot
        return slots[var, slot_name]

    def get_slot(self, var: Variable, slot_name: str) -> Variable:
        """Return what ``add_slot`` has made.

        Args:
            var: Variable.
            slot_name: str.

        Raises:
            KeyError: for an unknown name.
        """
        [var] = self._ours([var])
        return vars(self).get("_slot_variables", {})[var, slot_name]

    def get_slot_names(self) -> list[str]:
        """Return the names that ``add_slot`` was called with."""
        return list(dict.fromkeys(name for _, name in vars(self).get("_slot_variables", {}).copy()))

    def add_weight(
        self, name: str, shape: Any = (), dtype: Any = None, initializer: Any = "zeros", **kwargs: Any
    ) -> Variable:
        """Make a variable that belongs to the optimizer.

        Args:
            name: str.
            shape: tuple of ints; default ().
            dtype: str; default None, for ``floatx()``.
            initializer: initializer; default "zeros".
            **kwargs: for compatibility; they change nothing.
        """
        return self.add_variable(tuple(shape), initializer, None if dtype is None else _name(dtype), name=name)

    @property
    def _weights(self) -> Any:
        """The variables, unless a program has an attribute of this name."""
        return vars(self).get("_weights", self.variables)

    @_weights.setter
    def _weights(self, weights: Any) -> None:
        vars(self)["_weights"] = weights

    # ---------------------------------------------------------------------- updates

    def _prepare(self, var_list: Sequence[Variable]) -> dict:
        """Return what updates share, by device and dtype, as ``_prepare_local`` fills it in."""
        apply_state: dict = {}
        for device, dtype in dict.fromkeys(map(_place, var_list)):
            apply_state[device, dtype] = {}
            self._prepare_local(device, dtype, apply_state)
        return apply_state

    def _prepare_local(self, var_device: str, var_dtype: Any, apply_state: dict) -> None:
        """Put the learning rate into ``apply_state``; programs add to it."""
        apply_state[var_device, var_dtype]["lr_t"] = self._decayed_lr(var_dtype)

    def _fallback_apply_state(self, var_device: str, var_dtype: Any) -> dict:
        """Return the part of ``apply_state`` for a device and dtype, where it was not passed."""
        apply_state: dict = {(var_device, var_dtype): {}}
        self._prepare_local(var_device, var_dtype, apply_state)
        return apply_state[var_device, var_dtype]

    def _resource_apply_dense(self, grad: Any, var: Variable, apply_state: dict | None = None) -> Any:
        """Update one variable as the optimizer itself does, and return its new value."""
        self._update_each([grad], [var], self._rate())
        return var.array

    def _resource_apply_sparse(self, grad: Any, var: Variable, indices: Any, apply_state: dict | None = None) -> Any:
        """Update rows of a variable; programs override it."""
        return self._resource_apply_dense(ops.scatter(ops.reshape(indices, (-1, 1)), grad, var.shape), var)

    def _resource_apply_sparse_duplicate_indices(self, grad: Any, var: Variable, indices: Any, **kwargs: Any) -> Any:
        """Update rows of a variable, of which some may come more than once."""
        from polykeras.interop.tensorflow_functions import summed_rows

        return self._resource_apply_sparse(*summed_rows(grad, var, indices), **kwargs)

    def _resource_scatter_add(self, x: Variable, i: Any, v: Any) -> Any:
        """Add to rows of a variable, and return its new value."""
        return x.assign(ops.add(x.array, ops.scatter(ops.reshape(i, (-1, 1)), v, x.shape)))

    def _resource_scatter_update(self, x: Variable, i: Any, v: Any) -> Any:
        """Replace rows of a variable, and return its new value."""
        return x.assign(ops.scatter_update(x.array, ops.reshape(i, (-1, 1)), v))

    def _applies_resources(self) -> bool:
        """Whether a program's class defines how variables are updated, as in tf.keras 2."""
        return type(self)._resource_apply_dense is not ResourceMethods._resource_apply_dense

    def _applies_rows(self) -> bool:
        return type(self)._resource_apply_sparse is not ResourceMethods._resource_apply_sparse

    def _apply_resources(self, gradients: list, variables: list[Variable], learning_rate: Any) -> None:
        """Update variables by the program's methods, whose code may be that of an engine."""
        inferred(self._apply_in_turn, gradients, variables)

    def _apply_in_turn(self, gradients: list, variables: list[Variable]) -> None:
        shared = {"apply_state": self._prepare(variables)}
        for gradient, variable in zip(gradients, variables, strict=True):
            if is_structured(gradient):
                apply: Callable = functools.partial(
                    self._resource_apply_sparse_duplicate_indices, gradient.values, variable, gradient.indices
                )
            else:
                apply = functools.partial(self._resource_apply_dense, gradient, variable)
            apply(**(shared if _takes_state(self._resource_apply_dense) else {}))

    def minimize(
        self, loss: Any, var_list: Any, grad_loss: Any = None, name: str | None = None, tape: Any = None
    ) -> Any:
        """Update variables to decrease a loss, on TensorFlow.

        Args:
            loss: function without arguments that returns it, or the loss itself, computed under ``tape``.
            var_list: list of Variables, or function that returns one.
            grad_loss: array, the gradient of the loss; default None, for 1.
            name: str, accepted for compatibility and ignored; default None.
            tape: a ``tf.GradientTape``; default None.

        Returns:
            The variable that counts the updates.
        """
        from polykeras.interop.tensorflow_functions import gradients_of

        gradients, variables = gradients_of(loss, var_list, grad_loss, tape)
        return self.apply_gradients(zip(gradients, variables, strict=True))


def _place(variable: Any) -> tuple[str, Any]:
    return str(getattr(variable, "device", "") or ""), variable.dtype


def _name(dtype: Any) -> str:
    """Return the name of a dtype, of TensorFlow's or ours."""
    return getattr(dtype, "name", None) or str(dtype)


def _takes_state(method: Callable) -> bool:
    parameters = inspect.signature(method).parameters.values()
    return any(p.name == "apply_state" or p.kind is p.VAR_KEYWORD for p in parameters)
