"""A Variable: a slot that holds an array of one backend.

Reading returns the array in the slot; assigning replaces it. Layers,
optimizers and metrics are written in this plain stateful style, and ``core.functionalization`` turns them
into pure functions: while one runs, its thread sees substitute arrays in the slots.

A variable has no array until its value is first needed, so building a model and counting its
weights loads no framework.
"""

from __future__ import annotations

import contextlib
import inspect
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from polykeras import backends, config
from polykeras.backends.contract.spec import SpecArray
from polykeras.capture.stamp import Setting
from polykeras.core import dtypes, naming, placement, trees, turns
from polykeras.core.context import context
from polykeras.core.expressions import Expression
from polykeras.core.operators import Operators
from polykeras.core.protocols import EngineProtocols


class _Scope(threading.local):
    """How reading and assigning variables is redirected in this thread."""

    autocast: str | None = None  # dtype to which float variables are cast when read
    values: dict | None = None  # arrays by variable, used in place of those in the slots
    assigned: dict | None = None  # variables assigned while assignments are recorded
    differentiated: dict | None = None  # arrays with respect to which a gradient is being taken, by variable
    read: dict | None = None  # variables read while shapes are inferred
    changed: list | None = None  # attributes that temporarily hold arrays without values, while shapes are inferred


scope = _Scope()


class _Function(Setting):
    """An attribute that holds a function or None."""

    def __set__(self, instance: Any, value: Any) -> None:
        if value is not None and not callable(value):
            raise ValueError(
                f"Expected {self._name} of {instance.path!r} to be a function of its value, or None. "
                f"Received: {value!r}. Use keras.{self._name}s.get(name) for one by its name."
            )
        super().__set__(instance, value)


class _Flag(Setting):
    """An attribute that is True or False."""

    def __set__(self, instance: Any, value: Any) -> None:
        if not isinstance(value, bool):
            raise TypeError(f"Expected {self._name} of {instance.path!r} to be True or False. Received: {value!r}.")
        super().__set__(instance, value)


class _Trainable(Setting):
    """Whether optimizers update a variable; the engine's own tensor for it follows."""

    def __set__(self, instance: Any, value: Any) -> None:
        super().__set__(instance, value)
        if instance.leaf is not None:
            backends.load(instance.backend_name).release(instance)


_ON_HOST = (int, float, bool, list, tuple, np.ndarray, np.generic)


class Variable(EngineProtocols, Operators):
    """A named array whose value training or user code replaces.

    Args:
        initializer: the initial value: an array, a number, a function of (shape, dtype), or the name of one,
            such as ``"zeros"``.
        shape: tuple of ints; needed only with a function or a name; default None.
        dtype: default: that of an array given as ``initializer``, otherwise ``floatx()``.
        trainable: bool; whether optimizers update it; default True.
        autocast: bool; whether a layer with a lower compute dtype reads it in that dtype; default True.
        aggregation, synchronization: for compatibility; they change nothing.
        name: default ``variable``, ``variable_1``, ...
        layout: ``TensorLayout`` over the devices of a mesh; default None, for that of the distribution in effect.
        regularizer: function of the value whose result is added to the loss; default None.
        constraint: function applied to the value after each update; default None.
        on_host: bool; keep it in host memory, for counters that control a step; default False.

    Raises:
        ValueError: if a function is given without a shape, or a shape has unknown sizes.

    >>> import polykeras as keras
    >>> v = keras.Variable([1.0, 2.0]); v.assign(v * 3)
    array([3., 6.], dtype=float32)
    >>> v == [3.0, 0.0]
    array([ True, False])
    """

    #: The locks it shares with the other variables of its steps; None until a step uses it.
    turn: turns.Turn | None = None
    trainable = _Trainable()
    autocast = Setting()
    regularizer = _Function()
    constraint = _Function()
    #: Whether an optimizer replaces the value by the gradient.
    overwrite_with_gradient = _Flag()
    #: Whether it is the position of a seed generator in its stream, which any step may advance.
    counts_draws = False
    #: The engine's own tensor for the value (such as a leaf of torch's autograd), where the engine's programs need one.
    leaf: Any = None
    #: Whether the program has frozen or released that tensor, so that ``trainable`` follows it at once.
    follows_leaf = False
    #: Where in memory that tensor was put by polykeras; elsewhere, the program has given it other values.
    leaf_address: int | None = None
    #: The variable whose layout over devices it shares, as an optimizer's slot does; None for a layout of its own.
    follows: Variable | None = None
    _layout: Any = None
    _distribution: Any = None

    def __init__(
        self,
        initializer: Any,
        shape: tuple | None = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str | None = None,
        synchronization: str | None = None,
        name: str | None = None,
        layout: Any = None,
        *,
        regularizer: Callable | None = None,
        constraint: Callable | None = None,
        on_host: bool = False,
    ) -> None:
        backends.meet_program()
        self.name = name or naming.unique("variable")
        self.path = f"{context.path}/{self.name}" if context.path else self.name
        self.trainable = trainable
        self.made_trainable = trainable  # determines the order of a layer's weights, whatever `trainable` becomes later
        self.autocast = autocast
        self.aggregation = aggregation
        self.synchronization = synchronization
        self.regularizer = regularizer
        self.constraint = constraint
        self.overwrite_with_gradient = False
        self._on_host = on_host
        self._backend_name = _backend_name()
        self._value: Any = None
        if isinstance(initializer, str):
            from polykeras import initializers

            initializer = initializers.get(initializer)
        if callable(initializer):
            self._from_function(initializer, shape, dtype)
        else:
            self._from_value(initializer, shape, dtype)
        self._is_float = dtypes.is_float(self.dtype)
        if layout is not None or placement.state.distribution is not None:
            self.distribute(placement.state.distribution, layout)

    @classmethod
    def around(cls, engine_variable: Any, name: str | None = None) -> Variable:
        """Return a variable that shares its value with an engine's own variable: assigning to one changes both.

        Args:
            engine_variable: a ``tf.Variable`` or ``torch.nn.Parameter``, on the backend in use.
            name: str; default None, for its own name.

        Raises:
            TypeError: for anything else.
        """
        backend = backends.current()
        if not backend.is_own_variable(engine_variable):
            raise TypeError(
                f"Expected a Variable of polykeras, or of the backend in use, {backend.name!r}. Received: "
                f"{naming.short(engine_variable)}."
            )
        name = name or (getattr(engine_variable, "name", None) or "").partition(":")[0].replace("/", "_") or None
        trainable = bool(getattr(engine_variable, "trainable", getattr(engine_variable, "requires_grad", True)))
        shape, dtype = backend.shape(engine_variable), backend.dtype(engine_variable)
        variable = cls("zeros", shape, dtype, trainable, name=name)
        variable._initial = None
        backend.share_variable(variable, engine_variable)
        return variable

    def _from_function(self, initializer: Callable, shape: Any, dtype: Any) -> None:
        if shape is None:
            raise ValueError(f"Expected a shape, for the variable {self.name!r} made by a function. Received: None.")
        if any(n is None or int(n) < 0 for n in shape):
            raise ValueError(
                f"Expected all sizes of the variable {self.name!r} to be known and at least 0. "
                f"Received shape: {tuple(shape)}."
            )
        self.shape = tuple(int(n) for n in shape)
        self.dtype = config.floatx() if dtype is None else dtypes.standardize(dtype)
        self._initial: Any = initializer

    def _from_value(self, value: Any, shape: Any, dtype: Any) -> None:
        value = value.array if isinstance(value, Variable | Expression) else value
        if not isinstance(value, _ON_HOST):  # asking the adapters would load NumPy's
            value = backends.densified(value)
        self._initial = None
        if isinstance(value, int | float | bool | list | tuple):
            default = {"f": config.floatx(), "i": "int32", "b": "bool"}[np.asarray(value).dtype.kind]
            value = np.asarray(value, dtypes.numpy_dtype(dtypes.standardize(dtype or default)))
        if isinstance(value, np.ndarray | np.generic):
            self.dtype = dtypes.standardize(dtype or value.dtype)
            self._initial = np.array(value, dtypes.numpy_dtype(self.dtype))
            self.shape = self._initial.shape
        else:
            backend = backends.current()
            # Steps write into the memory of their variables.
            self._value = backend.copy(value if dtype is None else backend.cast(value, dtypes.standardize(dtype)))
            self.dtype = backend.dtype(self._value)
            self.shape = tuple(backend.shape(self._value))
        if shape is not None and tuple(shape) != self.shape:
            self._initial, self._value = None, None
            raise ValueError(
                f"Expected an initial value of shape {tuple(shape)} for {self.name!r}. Received: {self.shape}."
            )

    @property
    def may_train(self) -> bool:
        """Whether programs may ask for its gradient: even if it is frozen now, it may be released later."""
        return self.trainable or self.made_trainable

    # ------------------------------------------------------- layout over devices

    @property
    def layout(self) -> Any:
        """The ``TensorLayout`` over the devices of a mesh; None without a distribution.

        Determined when first needed, since a layer completes the path of a new weight, by which it is found.
        """
        if self._layout is None and self._distribution is not None:
            shared = None if self.follows is None else self.follows.layout
            self._layout = placement.layout_of(self, self._distribution) if shared is None else shared
        return self._layout

    def distribute(self, distribution: Any, layout: Any = None) -> None:
        """Lay the value out over the devices of a distribution, unless it has a layout.

        Args:
            distribution: a ``Distribution``; None for the layout alone.
            layout: ``TensorLayout``; default None, for that which the distribution has for the variable.
        """
        if self._distribution is not None or self._layout is not None:
            return
        self._distribution, self._layout = distribution, layout
        if self._value is not None:
            self._value = backends.load(self._backend_name).spread(self._value, self.layout)

    # ----------------------------------------------------------------- reading

    @property
    def value(self) -> Any:
        """The array in the slot; in programs with TensorFlow's tapes, the ``tf.Variable`` that they know it by."""
        array = self.array
        is_in_slot = scope.values is None and scope.autocast is None
        return backends.current().known_as(self, array) if is_in_slot else array

    @property
    def array(self) -> Any:
        """The array in the slot; cast to the compute dtype inside a mixed-precision layer."""
        backend = backends.current()
        if backend.is_symbolic:
            self._note_read()
            return SpecArray(self.shape, scope.autocast if self._casts() and scope.autocast else self.dtype)
        value = self.in_slot()
        if value is None:
            value = self._materialize()
        elif self._backend_name != backend.name:
            value = self._foreign(backend)
        if backend.shows and self._is_followed(backend) and self._backend_name == backend.name:
            value = backend.show(self, value)
        elif backend.holds_state:
            value = backend.read(value)
        if scope.autocast is not None and self._casts():
            return backend.cast(value, scope.autocast)
        return value

    def in_slot(self) -> Any:
        """Return the array in the slot as this thread sees it; None if there is none yet."""
        if self.leaf is not None:
            backends.load(self._backend_name).follow(self)
        return self._value if scope.values is None else scope.values.get(self, self._value)

    def snapshot(self, is_written: bool = False) -> Any:
        """Return the array in the slot, which later steps do not modify while it is referenced.

        Args:
            is_written: whether a running step may write into the array, so that a copy is returned.
        """
        backend = backends.load(self._backend_name)
        value = backend.read(self.in_slot())
        return backend.copy(value) if is_written else value

    def _note_read(self) -> None:
        if scope.read is not None:
            scope.read[self] = None

    def _casts(self) -> bool:
        return scope.autocast is not None and bool(self.autocast) and self._is_float

    def _foreign(self, backend: Any) -> Any:
        raise RuntimeError(
            f"Expected variable {self.path!r} to be used on the backend that it was made on, "
            f"{self._backend_name!r}. Received: a use on {backend.name!r}. Build and call the layer "
            f"inside one `with polykeras.backends.use(...)` block."
        )

    @property
    def raw(self) -> Any:
        """The array in the slot, never cast to the compute dtype of the surrounding layer."""
        backend = backends.current()
        if backend.is_symbolic:
            self._note_read()
            return SpecArray(self.shape, self.dtype)
        value = self.in_slot()
        value = self._materialize() if value is None else value
        if self._is_followed(backend) and backend.is_tracing():
            return backend.show(self, value)
        return backend.read(value) if backend.holds_state else value

    def _is_followed(self, backend: Any) -> bool:
        """Whether the engine's own gradients, or the function that it is tracing, may follow the variable."""
        values = scope.values
        return values is None or (self not in values and backend.is_tracing())

    @property
    def uncast(self) -> Any:
        """The array that the engine's own gradients follow, never cast to the compute dtype of a layer."""
        with autocast(None):
            return self.array

    def _materialize(self) -> Any:
        waits = contextlib.nullcontext() if self.turn is None else self.turn.current().reading()
        with waits, turns.initializing():  # another thread may have created the value
            return self._first_value() if self._value is None else self._value

    def _first_value(self) -> Any:
        backend = backends.load(self._backend_name)
        # The array must outlive the loop or compiled function in which it is first read.
        with backends.use(backend), backend.outside_trace():
            if self.layout is not None:
                self._value = backend.spread(self._initial_value(), self.layout, self.dtype)
            elif self._on_host:
                with backend.use_device("cpu"):
                    self._value = backend.share(self._initial_value(), self.dtype)
            else:
                self._value = backend.share(self._initial_value(), self.dtype)
        self._initial = None
        return self._value

    def _initial_value(self) -> Any:
        """The initial value: the array kept for it, or the initializer's result."""
        initial = self._initial
        if isinstance(initial, np.ndarray):
            return initial
        sample = getattr(initial, "sample", initial)
        value = sample(self.shape, name=self.name) if _takes_name(sample) else sample(self.shape, self.dtype)
        shape = tuple(np.shape(value)) if not hasattr(value, "shape") else tuple(value.shape)
        if shape != self.shape:
            raise ValueError(
                f"Expected the initializer of {self.path!r} to return shape {self.shape}. Received: {shape}."
            )
        return value

    def numpy(self) -> np.ndarray:
        """Return the value as a NumPy array."""
        return np.array(self.view())

    def view(self) -> np.ndarray:
        """Return the value as a NumPy array for immediate use: it may share memory with the variable."""
        if self.in_slot() is None:
            with turns.initializing():
                initial = self._initial
                if hasattr(initial, "sample"):
                    # Showing a weight that no computation has used needs no framework.
                    self._initial = initial = np.asarray(self._initial_value(), dtypes.numpy_dtype(self.dtype))
                if isinstance(initial, np.ndarray):
                    return initial
        return np.asarray(backends.load(self._backend_name).to_numpy(self.raw))

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    # --------------------------------------------------------------- assigning

    def assign(self, value: Any) -> Any:
        """Replace the value, and return the new one.

        Args:
            value: an array, nested list or number of the variable's shape; cast to its dtype.

        Raises:
            ValueError: if the shape differs.
        """
        backend = backends.current()
        if backend.is_symbolic:
            self.put(value)
            return SpecArray(self.shape, self.dtype)
        if self._backend_name != backend.name:
            with backends.use(self._backend_name):
                return self.assign(value)
        is_shared = isinstance(value, Variable | Expression)
        value = value.raw if is_shared else value
        if self._value is None and self.turn is None and scope.assigned is None and not backend.is_array(value):
            with turns.initializing():
                if self._value is None:  # no other thread has created it meanwhile
                    self.set_initial(value)
                    return self._on_device(backend, self._initial)
        array = value if backend.is_array(value) else self._on_device(backend, value)
        self._check_shape(tuple(backend.shape(array)))
        array = backend.cast(array, self.dtype)
        # A step may write into its variables' memory, so an array that the caller still holds is copied.
        array = backend.copy(array) if array is value and (is_shared or scope.assigned is None) else array
        self.put(array)
        return array if scope.values is not None else self.array

    def _on_device(self, backend: Any, value: Any) -> Any:
        if self._on_host:
            with backend.use_device("cpu"):
                return backend.array(value, self.dtype)
        if isinstance(value, np.ndarray):
            value = np.array(value, dtypes.numpy_dtype(self.dtype))  # never share the caller's memory
        return backend.array(value, self.dtype)

    def set_initial(self, value: Any) -> None:
        """Replace the initial value of a variable that has no array yet; needs no backend.

        Args:
            value: array of the variable's shape.
        """
        value = np.asarray(value)
        self._check_shape(value.shape)
        self._initial = np.array(value, dtypes.numpy_dtype(self.dtype))

    def adopt(self, value: np.ndarray) -> None:
        """Replace the value by an array that nobody else uses: it is copied only where a backend must.

        Args:
            value: array of the variable's shape.
        """
        self._check_shape(value.shape)
        has_array = self._value is not None
        self._initial, self._value = np.asarray(value, dtypes.numpy_dtype(self.dtype)), None
        if has_array:  # steps that were captured with an array expect one
            self._materialize()
        if self.leaf is not None:  # it may be the program's own
            self.put(self.in_slot())

    def _check_shape(self, shape: tuple) -> None:
        if shape != self.shape:
            raise ValueError(
                f"Expected a value of shape {self.shape} for variable {self.path!r}. Received shape: {shape}."
            )

    def put(self, array: Any) -> None:
        """Store an array of the right shape and dtype in the slot, without checks.

        Args:
            array: array of the variable's shape.

        Raises:
            RuntimeError: for an array of a running transformation of the engine, which does not outlive it.
        """
        if scope.assigned is not None:
            scope.assigned[self] = None
        backend = backends.current()
        if backend.is_symbolic:
            return
        if scope.values is not None:
            scope.values[self] = self._differentiable(array)
            return
        array = backend.stored(self, array)
        if array is None:
            raise RuntimeError(
                f"Expected variable {self.path!r} to be assigned an array that lasts. Received: an array of a "
                f"running transformation, such as jax.jit or vmap, which allows no side effects. Use a pure function: "
                f"stateless_call of a model or layer, stateless_update_state of a metric, stateless_apply of an "
                f"optimizer; or call the model with training=False."
            )
        if self.layout is not None:
            array = backend.spread(array, self.layout)
        if self.turn is None:
            self._value = array
        else:
            with self.turn.current().lock:
                self._value = array

    def _differentiable(self, array: Any) -> Any:
        """Return an array for the slot; the gradient with respect to a variable is that at the value assigned last."""
        if scope.differentiated is None or self not in scope.differentiated:
            return array
        backend, source = backends.current(), scope.differentiated[self]
        zero = backend.subtract(source, backend.stop_gradient(source))
        return backend.add(backend.stop_gradient(array), zero)

    def assign_add(self, value: Any) -> Any:
        """Add to the value, and return the new one.

        Args:
            value: array that has, or broadcasts to, the variable's shape.
        """
        return self.assign(self + value)

    def assign_sub(self, value: Any) -> Any:
        """Subtract from the value, and return the new one.

        Args:
            value: array that has, or broadcasts to, the variable's shape.
        """
        return self.assign(self - value)

    @property
    def backend_name(self) -> str:
        """The name of the backend that holds the value."""
        return self._backend_name

    def move(self, backend_name: str) -> None:
        """Move the value to another backend.

        Args:
            backend_name: str.
        """
        if backend_name != self._backend_name:
            if self._value is not None:
                self._initial, self._value = self.numpy(), None
            self.leaf = None
            self._backend_name = backend_name

    def __repr__(self) -> str:
        about = f"path={self.path}, shape={self.shape}, dtype={self.dtype}"
        has_value = self._value is not None or isinstance(self._initial, np.ndarray)
        if has_value and scope.values is None:
            with contextlib.suppress(Exception):  # a traced array has no value to show
                about += f", value={np.array2string(self.view(), threshold=20)}"
        return f"<Variable {about}>"

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self.numpy() if dtype is None else self.numpy().astype(dtype)

    # How the engines' own functions accept a variable as an array.

    def __jax_array__(self) -> Any:
        return self.value

    @classmethod
    def __torch_function__(cls, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        args, kwargs = trees.map(lambda x: x.value if isinstance(x, Variable) else x, (args, kwargs or {}))
        return function(*args, **kwargs)

    def __float__(self) -> float:
        return float(self.numpy())

    def __int__(self) -> int:
        return int(self.numpy())

    def __deepcopy__(self, memo: dict) -> Variable:
        copy = self.__class__.__new__(self.__class__)
        memo[id(self)] = copy
        vars(copy).update(vars(self), turn=None, leaf=None)
        if self._value is not None:
            copy._value, copy._initial = None, self.numpy()
        return copy

    def __getstate__(self) -> dict:
        is_elsewhere = dict.fromkeys(("_value", "turn", "leaf", "_layout", "_distribution"))
        return {**vars(self), **is_elsewhere, "_initial": self.numpy()}

    # Sets and dicts compare variables by identity, not by value.
    __hash__ = object.__hash__


backends.join(Variable)


def _takes_name(initializer: Any) -> bool:
    """Whether a function is an initializer of Keras 1, ``f(shape, name)`` or ``f(shape, scale, name)``."""
    if not inspect.isfunction(initializer):
        return False
    names = inspect.signature(initializer).parameters
    return "name" in names and "dtype" not in names


def values_of(tree: Any) -> Any:
    """Return a tree in which each variable is replaced by its current value.

    >>> float(values_of({"rate": [Variable(0.5)]})["rate"][0])
    0.5
    """
    return trees.map(_value_of, tree)


def _value_of(x: Any) -> Any:
    # A copy: the next step may write into the variable's memory.
    return backends.current().copy(x.array) if isinstance(x, Variable | Expression) else x


def _backend_name() -> str:
    """The backend that new variables belong to; during shape inference, the enclosing one."""
    name = backends.current_name()
    return backends.outer_name() if name == "spec" else name


class autocast:
    """Context manager: float variables are read in ``dtype`` (None: in their own)."""

    __slots__ = ("_dtype", "_previous")

    def __init__(self, dtype: str | None) -> None:
        self._dtype = dtype

    def __enter__(self) -> None:
        self._previous = scope.autocast
        scope.autocast = self._dtype

    def __exit__(self, *exception: object) -> None:
        scope.autocast = self._previous
