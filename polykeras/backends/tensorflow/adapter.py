"""TensorFlow: eager tensors, and graphs that ``tf.function`` traces.

Binary and unary primitives call ``tf.raw_ops``, which take half the time of the public
functions in eager mode. Where TensorFlow has no kernel for a dtype, the computation goes through
another dtype, given by ``through``.
"""

from __future__ import annotations

import contextlib
import math
import os
import warnings
from functools import partial
from typing import Any

import numpy as np

# Read once, on import: show errors only.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf
from tensorflow.compiler.tf2xla.python.xla import dynamic_update_slice
from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext
from tensorflow.python.ops.resource_variable_ops import ResourceVariable
from tensorflow.python.util.dispatch import GlobalOpDispatcher

from polykeras.backends.contract.backend import Backend
from polykeras.backends.contract.kernels import in_single_precision
from polykeras.backends.shared.graph_sizes import GraphSize, dynamic_shape, reshape_target, value_of
from polykeras.backends.shared.host_memory import aligned_copy, keep_freed_memory
from polykeras.core import dtypes, trees, window_geometry
from polykeras.core.operators import EngineNeeded, Operators
from polykeras.core.types import Array

keep_freed_memory()

raw = tf.raw_ops
# Not by making one: until the first array is made, a program may still configure its devices.
_EagerTensor = tf.__internal__.EagerTensor
_UNSIGNED = dtypes.UNSIGNED
_HALF_TO_SINGLE = {"float16": "float32", "bfloat16": "float32"}
_BOOL_TO_BYTE = {"bool": "uint8"}
_PRODUCTS = {
    "uint8": "int32",
    "int8": "int32",
    "uint16": "int32",
    "int16": "int32",
    "uint32": "int64",
    "uint64": "int64",
}
_LARGE_KERNEL = 2**17  # values
_SOFTMAX_AXES = 5  # the maximum on CPUs
_LARGE_ARRAY = 2**20  # bytes
_LAYOUTS = {1: "NWC", 2: "NHWC", 3: "NDHWC"}


def _constant(value: Any, dtype: tf.DType) -> tf.Tensor:
    """Return a Python scalar or a size as a tensor."""
    if isinstance(value, GraphSize):
        return tf.cast(value.find(), dtype)
    if (value.__class__ is bool) is not (dtype is tf.bool):
        value = bool(value) if dtype is tf.bool else int(value)
    return tf.constant(value, dtype)


def _through(function: Any, through: dict) -> Any:
    """Return a function that computes tensors of some dtypes in another dtype, and converts the results back."""

    def call(*tensors: Any) -> Any:
        dtype = next(x.dtype for x in tensors if isinstance(x, tf.Tensor))
        inner = through.get(dtype.name)
        if inner is None:
            return function(*tensors)
        tensors = tuple(tf.cast(x, inner) if isinstance(x, tf.Tensor) else x for x in tensors)
        return trees.map(lambda y: tf.cast(y, dtype) if y.dtype == inner else y, function(*tensors))

    return call


def _unary(op: Any, through: dict | None = None) -> Any:
    def method(x: Array, /) -> Array:
        return op(x=x)

    return staticmethod(_through(method, through) if through else method)


def _operands(x: Any, y: Any) -> tuple[tf.Tensor, tf.Tensor]:
    if not isinstance(x, tf.Tensor):
        return _constant(x, y.dtype), y
    return x, y if isinstance(y, tf.Tensor) else _constant(y, x.dtype)


def _binary(op: Any, through: dict | None = None) -> Any:
    def direct(x: Array, y: Array, /) -> Array:
        x, y = _operands(x, y)
        return op(x=x, y=y)

    if not through:
        return staticmethod(direct)
    converted = _through(direct, through)

    def method(x: Array, y: Array, /) -> Array:
        return converted(*_operands(x, y))

    return staticmethod(method)


def _reduction(function: Any, through: dict | None = None) -> Any:
    def method(self: TensorflowBackend, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        return _through(lambda v: function(v, axes, keepdims), through or {})(x)

    return method


def _single(function: Any) -> Any:
    """Return a method of float arrays for which TensorFlow has no half-precision kernel."""
    call = _through(function, _HALF_TO_SINGLE)

    def method(self: TensorflowBackend, *arrays: Array) -> Any:
        return call(*arrays)

    return method


def _is_float(x: Array) -> bool:
    return x.dtype.name in dtypes.FLOATS


def _value_of_variable(x: Any, dtype: Any = None, name: str | None = None, as_ref: bool = False) -> Any:
    """Convert a variable for TensorFlow's own functions and operators, which would otherwise copy it as a constant."""
    value = getattr(x, "value", None)
    value = value.read_value() if isinstance(value, tf.Variable) else value
    if not isinstance(value, tf.Tensor) or dtype not in (None, value.dtype):
        raise EngineNeeded(f"Expected a tensor of dtype {dtype}. Received: {x!r}. Use polykeras.ops on it.")
    return value


tf.register_tensor_conversion_function(Operators, _value_of_variable)


def _spare_from_autograph() -> None:
    """Keep autograph from converting polykeras's code, as it does for Keras's: its ``if`` and ``for`` are Python's."""
    with contextlib.suppress(ImportError, AttributeError):
        from tensorflow.python.autograph.core import config

        config.CONVERSION_RULES = (config.DoNotConvert("polykeras"), *config.CONVERSION_RULES)


_spare_from_autograph()
with contextlib.suppress(ImportError):
    from polykeras.interop import tensorflow_containers, tensorflow_dispatch

    tensorflow_containers.register()
    tensorflow_dispatch.register()


try:
    from tensorflow.python.pywrap_tfe import TFE_Py_TapeSetIsEmpty as _has_no_tape
    from tensorflow.python.pywrap_tfe import TFE_Py_TapeSetIsStopped as _is_stopped
except ImportError:  # then reading costs a little more

    def _has_no_tape() -> bool:
        return False

    def _is_stopped() -> bool:
        return False


def unreplicated(x: tf.Tensor, trainable: bool) -> tf.Variable:
    """Return a variable that a ``tf.distribute`` strategy around does not replicate.

    In the scope of a strategy ``tf.Variable`` makes replicas, which only its own functions can read.
    """
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    if replicas > 1:
        warnings.warn(
            f"Expected a tf.distribute strategy of one replica, since weights are not replicated. Received: {replicas} "
            f"replicas. fit trains on one device.",
            stacklevel=2,
        )
    return ResourceVariable(x, trainable=trainable)


class TensorflowBackend(Backend):
    """The contract's interface on TensorFlow."""

    name = "tensorflow"
    is_traced = traces_unknown_sizes = captures = has_datasets = has_text = True
    shows = True
    seed_dtype = "int64"

    def __init__(self) -> None:
        self._gpus = tf.config.list_physical_devices("GPU")
        for gpu in self._gpus:
            # Once the program has used its GPU, the setting can't be changed.
            with contextlib.suppress(RuntimeError):
                tf.config.experimental.set_memory_growth(gpu, True)

    # ---------------------------------------------------------------- arrays

    def array(self, x: object, dtype: str | None = None) -> Array:
        x = x.read_value() if isinstance(x, tf.Variable) else x
        if isinstance(x, tf.Tensor):
            return x if dtype is None else self.cast(x, dtype)
        x = self.host_array(x, dtype)
        is_large = x.nbytes >= _LARGE_ARRAY and x.dtype.kind in "fiu" and x.dtype.isnative
        if not is_large or self._gpus or not tf.executing_eagerly():
            return tf.convert_to_tensor(x)
        # convert_to_tensor copies twice, and the tensor keeps both copies alive.
        return tf.experimental.dlpack.from_dlpack(aligned_copy(x).__dlpack__())

    def counts_in_python(self) -> bool:
        return tf.executing_eagerly()

    def to_numpy(self, x: Array) -> np.ndarray:
        return np.asarray(x.numpy())

    def is_array(self, x: object) -> bool:
        return isinstance(x, tf.Tensor)

    def densified(self, x: Any) -> Any:
        if isinstance(x, GraphSize | tf.IndexedSlices | tf.Variable):
            return tf.convert_to_tensor(x)
        if isinstance(x, tf.SparseTensor):
            return tf.sparse.to_dense(tf.sparse.reorder(x))
        if isinstance(x, tf.RaggedTensor):
            raise ValueError(
                f"Expected a dense or sparse array. Received: a RaggedTensor of shape {x.shape}. Pass x.to_tensor(), "
                f"with a mask or Masking for the padding."
            )
        return super().densified(x)

    def filled_up(self, x: Any) -> tuple[Any, Any]:
        if not isinstance(x, tf.RaggedTensor):
            return x, None
        return x.to_tensor(), tf.ones_like(x, tf.bool).to_tensor()

    def ambient_mode(self) -> str | None:
        return "eager functions" if tf.config.functions_run_eagerly() else None

    def is_tracing(self) -> bool:
        return not tf.executing_eagerly()

    def on_host(self, function: Any, arrays: list, results: list) -> list:
        outputs = tf.numpy_function(function, arrays, [tf.as_dtype(spec.dtype) for spec in results])
        for output, spec in zip(outputs, results, strict=True):
            output.set_shape(spec.shape)
        return outputs

    def outside_trace(self) -> contextlib.AbstractContextManager:
        return tf.init_scope()

    def is_value(self, x: object) -> bool:
        return tf.executing_eagerly() and super().is_value(x)

    def shape(self, x: Array) -> tuple:
        shape = tuple(x.shape.as_list())
        return tuple(_size(x, axis) if n is None else n for axis, n in enumerate(shape)) if None in shape else shape

    def dtype(self, x: Array) -> str:
        return x.dtype.name

    def cast(self, x: Array, dtype: str) -> Array:
        return x if x.dtype.name == dtype else tf.cast(x, dtype)

    def bitcast(self, x: Array, dtype: str) -> Array:
        if "bool" in (x.dtype.name, dtype):
            return self.cast(x, dtype)
        return tf.bitcast(x, dtype)

    def copy(self, x: Array) -> Array:
        return tf.identity(x)

    def concrete(self, x: Array) -> Any:
        return x.numpy().item() if isinstance(x, _EagerTensor) else x

    def sizes(self, x: Array) -> tuple:
        if isinstance(x, _EagerTensor):
            return super().sizes(x)
        x = x if x.shape.rank else tf.stack([x])
        try:
            # TensorFlow's shape inference knows those sizes that do not depend on the data.
            known: Any = tf.fill(x, False).shape
        except ValueError:  # it cannot reverse partly known shapes
            known = (None,) * x.shape[0]
        return tuple(GraphSize(partial(x.__getitem__, axis)) if n is None else n for axis, n in enumerate(known))

    def full(self, shape: tuple, value: Any, dtype: str) -> Array:
        if isinstance(value, float):
            value = dtypes.numpy_dtype(dtype).type(value)  # tf.constant refuses 2.0 for integers
        value = self.cast(value, dtype) if isinstance(value, tf.Tensor) else _constant(value, tf.as_dtype(dtype))
        return tf.fill(dynamic_shape(shape), value) if shape else value

    def arange(self, start: float, stop: Any, step: float, dtype: str) -> Array:
        if any(isinstance(n, GraphSize) for n in (start, stop, step)):
            return self.cast(tf.range(value_of(start), value_of(stop), value_of(step)), dtype)
        # Count first: tf.range adds up its step, which accumulates rounding errors.
        count = max(math.ceil((stop - start) / step), 0)
        whole = all(isinstance(v, int) for v in (start, step))
        values = tf.range(count, dtype="int32" if whole and dtype == "int32" else "int64")
        values = values if whole else tf.cast(values, "float64")
        values = values if step == 1 else values * step
        return self.cast(values + start if start else values, dtype)

    # ------------------------------------------------------------ own programs

    def is_differentiating(self) -> bool:
        return not _has_no_tape()

    def show(self, variable: Any, value: Any) -> Array:
        if self._has_tape():
            return self.own(variable).read_value()
        return value.read_value() if isinstance(value, tf.Variable) else value

    def known_as(self, variable: Any, array: Array) -> Any:
        return array if variable.leaf is None and not self._has_tape() else self.own(variable)

    def _has_tape(self) -> bool:
        # A function with a gradient of its own, such as tf.recompute_grad's, runs while recording is stopped,
        # and watches the variables that it reads.
        return self.is_tracing() or not _has_no_tape() or _is_stopped()

    def stored(self, variable: Any, array: Array) -> Any:
        own = variable.leaf
        if own is None:
            if not isinstance(variable.in_slot(), tf.Variable) and not self.is_tracing():
                return array
            own = self.own(variable)
        if own is not array:
            own.assign(array, read_value=False)
        return own

    def is_own_variable(self, x: object) -> bool:
        return isinstance(x, tf.Variable)

    def handle(self, variable: Any) -> Any:
        return self.own(variable).handle

    def own(self, variable: Any) -> tf.Variable:
        """Replace the content of a variable's slot by its tf.Variable, and return that."""
        value = variable.in_slot()
        value = variable._materialize() if value is None else value
        if not isinstance(value, tf.Variable):
            with tf.init_scope(), tf.device(value.device):
                if variable.leaf is None:
                    value = variable._value = unreplicated(value, variable.may_train)
                else:
                    variable.leaf.assign(value, read_value=False)
                    value = variable._value = variable.leaf
        variable.leaf = value
        return value

    def join(self, cls: type) -> None:
        from polykeras.interop.tensorflow_checkpoints import Kept, KeptVariable

        if "_named_parts" in vars(cls):
            cls.__bases__ = (*cls.__bases__, Kept)
        elif hasattr(cls, "backend_name"):
            cls.__bases__ = (*cls.__bases__, KeptVariable)

    def native(self, function: Any, optimize: bool | None = None) -> Any:
        return tf.function(function, autograph=False, reduce_retracing=True, jit_compile=bool(optimize))

    def iterator_over(self, batch: Any) -> Any:
        return iter(tf.data.Dataset.from_tensors(batch))

    # ------------------------------------------------------------ elementwise

    negative = _unary(raw.Neg, {u: u[1:] for u in _UNSIGNED})
    exp = _unary(raw.Exp)
    expm1 = _unary(raw.Expm1)
    log = _unary(raw.Log)
    log1p = _unary(raw.Log1p)
    sqrt = _unary(raw.Sqrt)
    sin = _unary(raw.Sin)
    cos = _unary(raw.Cos)
    tan = _unary(raw.Tan)
    arcsin = _unary(raw.Asin)
    arccos = _unary(raw.Acos)
    arctan = _unary(raw.Atan)
    sinh = _unary(raw.Sinh)
    cosh = _unary(raw.Cosh)
    tanh = _unary(raw.Tanh)
    arcsinh = _unary(raw.Asinh)
    arccosh = _unary(raw.Acosh)
    arctanh = _unary(raw.Atanh)
    erfinv = _unary(raw.Erfinv, _HALF_TO_SINGLE)
    lgamma = _unary(raw.Lgamma, _HALF_TO_SINGLE)
    digamma = _unary(raw.Digamma, _HALF_TO_SINGLE)
    floor = _unary(raw.Floor)
    ceil = _unary(raw.Ceil)
    round = _unary(raw.Round)
    logical_not = _unary(raw.LogicalNot)

    def erf(self, x: Array, /) -> Array:
        # The CPU's kernel returns NaN at infinities of float64; beyond 6, erf is 1 to the last bit.
        return raw.Erf(x=tf.clip_by_value(x, -6, 6) if x.dtype is tf.float64 else x)

    def absolute(self, x: Array, /) -> Array:
        return x if x.dtype.name in _UNSIGNED else raw.Abs(x=x)

    def sign(self, x: Array, /) -> Array:
        return self.minimum(x, 1) if x.dtype.name in _UNSIGNED else raw.Sign(x=x)

    def isfinite(self, x: Array, /) -> Array:
        return raw.IsFinite(x=x) if _is_float(x) else tf.ones_like(x, "bool")

    def isnan(self, x: Array, /) -> Array:
        return raw.IsNan(x=x) if _is_float(x) else tf.zeros_like(x, "bool")

    def bitwise_not(self, x: Array, /) -> Array:
        return raw.LogicalNot(x=x) if x.dtype is tf.bool else raw.Invert(x=x)

    add = _binary(raw.AddV2, _BOOL_TO_BYTE)
    subtract = _binary(raw.Sub)
    multiply = _binary(raw.Mul, _BOOL_TO_BYTE)
    divide = _binary(raw.RealDiv)
    floor_divide = _binary(raw.FloorDiv)
    mod = _binary(raw.FloorMod)
    power = _binary(raw.Pow, {"uint8": "int32", "uint16": "int64", "uint32": "int64", "uint64": "int64"})
    maximum = _binary(raw.Maximum, _BOOL_TO_BYTE)
    minimum = _binary(raw.Minimum, _BOOL_TO_BYTE)
    arctan2 = _binary(lambda x, y: raw.Atan2(y=x, x=y))
    equal = _binary(raw.Equal)
    not_equal = _binary(raw.NotEqual)
    less = _binary(raw.Less, _BOOL_TO_BYTE)
    less_equal = _binary(raw.LessEqual, _BOOL_TO_BYTE)
    greater = _binary(raw.Greater, _BOOL_TO_BYTE)
    greater_equal = _binary(raw.GreaterEqual, _BOOL_TO_BYTE)
    logical_and = _binary(raw.LogicalAnd)
    logical_or = _binary(raw.LogicalOr)
    bitwise_and = _binary(raw.BitwiseAnd, _BOOL_TO_BYTE)
    bitwise_or = _binary(raw.BitwiseOr, _BOOL_TO_BYTE)
    bitwise_xor = _binary(raw.BitwiseXor, _BOOL_TO_BYTE)
    left_shift = _binary(raw.LeftShift)
    right_shift = _binary(raw.RightShift)

    def where(self, condition: Array, x: Array, y: Array, /) -> Array:
        x, y = _operands(x, y)
        return raw.SelectV2(condition=condition, t=x, e=y)

    # -------------------------------------------------------------- reductions

    sum = _reduction(tf.reduce_sum, _HALF_TO_SINGLE)
    prod = _reduction(tf.reduce_prod, _HALF_TO_SINGLE)
    max = _reduction(tf.reduce_max, _BOOL_TO_BYTE)
    min = _reduction(tf.reduce_min, _BOOL_TO_BYTE)
    any = _reduction(tf.reduce_any)
    all = _reduction(tf.reduce_all)

    def argmax(self, x: Array, axis: int) -> Array:
        return tf.argmax(x, axis, tf.int32)

    def argmin(self, x: Array, axis: int) -> Array:
        return tf.argmin(x, axis, tf.int32)

    def cumsum(self, x: Array, axis: int) -> Array:
        return _through(lambda v: tf.cumsum(v, axis), _HALF_TO_SINGLE)(x)

    @in_single_precision
    def cumprod(self, x: Array, axis: int) -> Array:
        # By doubling: the gradient of tf.math.cumprod divides by x, and is wrong at zeros.
        axis %= len(x.shape)
        size, shift = x.shape[axis], 1
        before = (slice(None),) * axis
        while shift < size:
            head, tail = x[(*before, slice(0, shift))], x[(*before, slice(shift, None))]
            x = tf.concat([head, tail * x[(*before, slice(0, size - shift))]], axis)
            shift *= 2
        return x

    def sort(self, x: Array, axis: int) -> Array:
        return self.take_along_axis(x, self.argsort(x, axis), axis)

    def argsort(self, x: Array, axis: int) -> Array:
        last = _swap_last(tf.bitwise.invert(self._sort_key(x)), axis)
        # top_k returns the lower index of equal entries first, which makes this sort stable.
        return _swap_last(tf.math.top_k(last, last.shape[-1]).indices, axis)

    def _sort_key(self, x: Array) -> Array:
        """Return signed integers in the order of x, with NaN last."""
        if not _is_float(x):
            if x.dtype is tf.uint64:
                return tf.bitcast(tf.bitwise.bitwise_xor(x, tf.constant(1 << 63, tf.uint64)), tf.int64)
            return tf.cast(x, tf.int64 if x.dtype is tf.int64 or x.dtype is tf.uint32 else tf.int32)
        x = tf.cast(x, _HALF_TO_SINGLE.get(x.dtype.name, x.dtype))
        # Zero and NaN have two signs, which must not affect the order.
        for canonical, is_equal in ((0, x == 0), (math.nan, tf.math.is_nan(x))):
            x = tf.where(is_equal, tf.constant(canonical, x.dtype), x)
        bits = tf.bitcast(x, tf.int64 if x.dtype is tf.float64 else tf.int32)
        return tf.where(bits < 0, tf.bitwise.bitwise_xor(bits, bits.dtype.max), bits)

    # ---------------------------------------------------------- linear algebra

    def matmul(self, x: Array, y: Array, /) -> Array:
        if len(x.shape) == 1:
            return tf.squeeze(self.matmul(x[None], y), -1 if len(y.shape) == 1 else -2)
        if len(y.shape) == 1:
            return tf.squeeze(self.matmul(x, y[:, None]), -1)
        if len(y.shape) == 2 < len(x.shape) and None not in x.shape:
            # A single large product: a batched one would also compute a batch of gradients of y.
            rows = self.matmul(tf.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1])), y)
            return tf.reshape(rows, (*x.shape[:-1], y.shape[-1]))
        return _matmul(x, y)

    def einsum(self, subscripts: str, *operands: Array) -> Array:
        through = _PRODUCTS if self._gpus else _PRODUCTS | _HALF_TO_SINGLE
        return _through(lambda *arrays: tf.einsum(subscripts, *arrays), through)(*operands)

    cholesky = _single(tf.linalg.cholesky)
    inv = _single(tf.linalg.inv)
    det = _single(tf.linalg.det)
    eigh = _single(lambda x: tuple(tf.linalg.eigh(x)))
    eig = staticmethod(lambda x: tuple(tf.linalg.eig(x)))
    complex = staticmethod(tf.complex)
    real = staticmethod(tf.math.real)
    imag = staticmethod(tf.math.imag)

    def solve(self, a: Array, b: Array) -> Array:
        batch = tf.broadcast_static_shape(a.shape[:-2], b.shape[:-2])
        a, b = (tf.broadcast_to(m, batch + m.shape[-2:]) for m in (a, b))
        return _through(tf.linalg.solve, _HALF_TO_SINGLE)(a, b)

    def solve_triangular(self, a: Array, b: Array, lower: bool = False) -> Array:
        return _through(lambda a, b: tf.linalg.triangular_solve(a, b, lower), _HALF_TO_SINGLE)(a, b)

    def qr(self, x: Array, mode: str = "reduced") -> tuple[Array, Array]:
        return _through(lambda x: tuple(tf.linalg.qr(x, mode == "complete")), _HALF_TO_SINGLE)(x)

    def svd(self, x: Array, full_matrices: bool = True) -> tuple[Array, Array, Array]:
        s, u, v = _through(lambda x: tuple(tf.linalg.svd(x, full_matrices)), _HALF_TO_SINGLE)(x)
        return u, s, tf.linalg.adjoint(v)

    # ---------------------------------------------------------------- movement

    def reshape(self, x: Array, shape: tuple) -> Array:
        return tf.reshape(x, reshape_target(shape))

    def transpose(self, x: Array, axes: tuple) -> Array:
        return tf.transpose(x, axes)

    def broadcast_to(self, x: Array, shape: tuple) -> Array:
        return tf.broadcast_to(x, dynamic_shape(shape))

    def concatenate(self, arrays: Any, axis: int) -> Array:
        return tf.concat(list(arrays), axis)

    def getitem(self, x: Array, index: tuple) -> Array:
        return x[index] if tf.executing_eagerly() else x[tuple(map(value_of, index))]

    def pad(self, x: Array, widths: Any, value: float = 0) -> Array:
        return tf.pad(x, widths, constant_values=_constant(value, x.dtype)) if len(widths) else x

    def flip(self, x: Array, axes: tuple) -> Array:
        return tf.reverse(x, axes)

    def take(self, x: Array, indices: Array, axis: int) -> Array:
        return tf.gather(x, _index(indices), axis=axis)

    def take_along_axis(self, x: Array, indices: Array, axis: int) -> Array:
        x, indices = _swap_last(x, axis), _swap_last(_index(indices), axis)
        return _swap_last(tf.gather(x, indices, batch_dims=len(x.shape) - 1), axis)

    def scatter_add(self, x: Array, indices: Array, updates: Array) -> Array:
        return tf.tensor_scatter_nd_add(x, _index(indices), updates)

    def scatter_set(self, x: Array, indices: Array, updates: Array) -> Array:
        return tf.tensor_scatter_nd_update(x, _index(indices), updates)

    def dynamic_slice(self, x: Array, start: Any, sizes: tuple) -> Array:
        return tf.slice(x, _clamped(x, start, sizes), sizes) if sizes else x

    def dynamic_update(self, x: Array, update: Array, start: Any) -> Array:
        if not len(x.shape):
            return update
        begin = _clamped(x, start, update.shape)
        if GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()):
            return _updated_in_xla(x, update, begin)
        window = {"begin": begin, "end": begin + update.shape.as_list(), "strides": (1,) * len(x.shape)}
        return raw.TensorStridedSliceUpdate(input=x, value=update, **window)

    # ----------------------------------------------------------------- control

    def scan(self, step: Any, carry: Any, xs: Any, length: int | None = None, reverse: bool = False) -> tuple:
        rows, x_structure = trees.flatten(xs)
        length = value_of(self.shape(rows[0])[0]) if rows else length or 0
        if not tf.executing_eagerly():
            return self._scan_in_graph(step, carry, rows, x_structure, length, reverse)
        ys = []
        for index in range(length - 1, -1, -1) if reverse else range(length):
            carry, y = step(carry, trees.unflatten(x_structure, [x[index] for x in rows]))
            ys.append(y)
        ys = ys[::-1] if reverse else ys
        return carry, trees.map(lambda *values: tf.stack(values), *ys) if ys else None

    def _scan_in_graph(self, step: Any, carry: Any, rows: list, x_structure: Any, length: int, reverse: bool) -> tuple:
        state, carry_structure = trees.flatten(carry)
        y_structure = None

        def flat_step(*leaves: Array) -> list:
            nonlocal y_structure
            head, tail = leaves[: len(state)], leaves[len(state) :]
            updated, y = step(trees.unflatten(carry_structure, head), trees.unflatten(x_structure, tail))
            y_leaves, y_structure = trees.flatten(y)
            return [*trees.leaves(updated), *y_leaves]

        # Traced separately first, because the arrays that collect ys need their shapes before the loop.
        shapes = [(x.shape, x.dtype) for x in state] + [(x.shape[1:], x.dtype) for x in rows]
        specs = [tf.TensorSpec(*shape) for shape in shapes]
        traced = tf.function(flat_step, autograph=False).get_concrete_function(*specs)
        sources = [tf.TensorArray(x.dtype, length, element_shape=x.shape[1:]).unstack(x) for x in rows]
        outputs = traced.structured_outputs[len(state) :]
        sinks = [tf.TensorArray(y.dtype, length, element_shape=y.shape) for y in outputs]

        def body(count: Array, state: list, sinks: list) -> tuple:
            index = length - 1 - count if reverse else count
            results = traced(*state, *(source.read(index) for source in sources))
            updated, ys = results[: len(state)], results[len(state) :]
            return count + 1, updated, [sink.write(index, y) for sink, y in zip(sinks, ys, strict=True)]

        start = (tf.constant(0), state, sinks)
        # XLA needs an upper bound for a loop that it differentiates.
        _, state, sinks = tf.while_loop(lambda count, *_: count < length, body, start, maximum_iterations=length)
        ys = trees.unflatten(y_structure, [sink.stack() for sink in sinks])
        return trees.unflatten(carry_structure, state), ys

    def cond(self, predicate: Array, on_true: Any, on_false: Any) -> Any:
        if isinstance(predicate, _EagerTensor):
            return on_true() if predicate else on_false()
        structures = []

        def flat(function: Any) -> list:
            values, structure = trees.flatten(function())
            structures.append(structure)
            return values

        values = tf.cond(predicate, lambda: flat(on_true), lambda: flat(on_false))
        return trees.unflatten(structures[0], trees.leaves(values))

    def while_loop(self, condition: Any, body: Any, values: tuple) -> tuple:
        if tf.executing_eagerly():
            while condition(*values):
                values = tuple(body(*values))
            return values
        leaves, structure = trees.flatten(values)

        def flat_body(*leaves: Array) -> list:
            return trees.leaves(tuple(body(*trees.unflatten(structure, leaves))))

        def flat_condition(*leaves: Array) -> Array:
            return condition(*trees.unflatten(structure, leaves))

        return trees.unflatten(structure, tf.while_loop(flat_condition, flat_body, leaves))

    # -------------------------------------------------------------- transforms

    def value_and_grad(self, function: Any, arrays: list) -> tuple:
        found, gradients = self._differentiate(function, arrays)
        return found, [tf.convert_to_tensor(g) for g in gradients]

    def _differentiate(self, function: Any, arrays: list) -> tuple:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            # Copies, so that gradients follow only these arguments, even if the function also captures the arrays.
            arrays = [tf.identity(x) for x in arrays]
            tape.watch(arrays)
            value, aux = function(arrays)
        gradients = tape.gradient(value, arrays, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return (value, aux), gradients

    def stop_gradient(self, x: Array) -> Array:
        return tf.stop_gradient(x)

    def custom_gradient(self, function: Any) -> Any:
        return tf.custom_gradient(function)

    def checkpoint(self, function: Any) -> Any:
        return tf.recompute_grad(function)

    def compile(self, function: Any, donate: bool = False, optimize: bool | None = None) -> Any:
        return tf.function(function, autograph=False, jit_compile=bool(optimize))

    def over_shapes(self, function: Any, shapes: list) -> None:
        def trace(*arrays: tf.Tensor) -> None:
            function(list(arrays))

        # In a graph that is discarded.
        tf.function(trace, autograph=False).get_concrete_function(*(tf.TensorSpec(*kind) for kind in shapes))

    def stand_in(self, shape: tuple, dtype: str) -> Array:
        return tf.zeros(shape, dtype)

    # --------------------------------------------------------------- placement

    def devices(self) -> list[str]:
        count = len(tf.config.list_logical_devices("GPU"))
        return ["cpu:0", *(f"cuda:{n}" for n in reversed(range(count)))]

    def use_device(self, name: str) -> contextlib.AbstractContextManager:
        return tf.device(self._device(name))

    def place(self, x: Array, device: str | None = None) -> Array:
        with contextlib.nullcontext() if device is None else self.use_device(device):
            return tf.identity(x)

    def _device(self, name: str) -> str:
        kind, _, number = name.lower().replace("gpu", "cuda").partition(":")
        if f"{kind}:{number or 0}" not in self.devices():
            raise ValueError(f"Expected one of the devices {self.devices()} of TensorFlow. Received: {name!r}.")
        return f"/device:{kind.replace('cuda', 'gpu').upper()}:{number or 0}"

    def version(self) -> str:
        return tf.__version__

    # ----------------------------------------------------------------- kernels

    square = _unary(raw.Square)
    rsqrt = _unary(raw.Rsqrt)
    sigmoid = _unary(raw.Sigmoid)

    def relu(self, x: Array, /) -> Array:
        return raw.Relu(features=x)

    # One operation each: programs that rewrite TensorFlow's graphs recognize activations by these names.
    def softplus(self, x: Array, /) -> Array:
        return raw.Softplus(features=x)

    def elu(self, x: Array, /) -> Array:
        return raw.Elu(features=x)

    def selu(self, x: Array, /) -> Array:
        return raw.Selu(features=x)

    @in_single_precision
    def softmax(self, x: Array, axis: int = -1) -> Array:
        return tf.nn.softmax(x, axis) if len(x.shape) <= _SOFTMAX_AXES else super().softmax(x, axis)

    @in_single_precision
    def log_softmax(self, x: Array, axis: int = -1) -> Array:
        return tf.nn.log_softmax(x, axis) if len(x.shape) <= _SOFTMAX_AXES else super().log_softmax(x, axis)

    def sparse_softmax_cross_entropy(self, labels: Array, logits: Array) -> Array:
        return tf.nn.sparse_softmax_cross_entropy_with_logits(_index(labels), logits)

    mean = _reduction(tf.reduce_mean, _HALF_TO_SINGLE)

    def top_k(self, x: Array, k: int) -> tuple[Array, Array]:
        return tuple(tf.math.top_k(x, k))

    def one_hot(self, x: Array, classes: int, dtype: str) -> Array:
        return self.cast(tf.one_hot(_index(x), classes, dtype="uint8" if dtype == "bool" else dtype), dtype)

    def stack(self, arrays: Any, axis: int = 0) -> Array:
        return tf.stack(list(arrays), axis)

    def dense(self, x: Array, kernel: Array, bias: Array | None) -> Array:
        rank = len(x.shape)
        if bias is None or rank < 2 or not _is_float(x) or len(kernel.shape) != 2:
            return super().dense(x, kernel, bias)
        # The gradient of BiasAdd takes a fraction of the time of a sum.
        product = tf.matmul if self._gpus else _product
        flat = tf.nn.bias_add(product(tf.reshape(x, (-1, x.shape[-1])) if rank > 2 else x, kernel), bias)
        return flat if rank == 2 else self.reshape(flat, (*self.shape(x)[:-1], kernel.shape[-1]))

    def conv(
        self,
        x: Array,
        kernel: Array,
        strides: tuple,
        padding: str,
        dilation: tuple,
        groups: int = 1,
        channels_last: bool = True,
    ) -> Array:
        rank = len(strides)
        if channels_last and window_geometry.has_faulty_gradient(kernel.shape[:rank], strides, kernel.shape[rank]):
            x, strides = x[:, *(slice(None, None, step) for step in strides)], (1,) * rank
        arguments = (strides, padding, dilation, groups, channels_last)
        strided_and_dilated = max(strides) > 1 and max(dilation) > 1
        if not channels_last or rank not in _LAYOUTS or strided_and_dilated or not _is_float(x):
            return super().conv(x, kernel, *arguments)
        if groups == x.shape[-1] > 1 and rank < 3 and len(set(strides)) == 1:
            return self._depthwise_conv(x, kernel, *arguments[:3])
        options = {"strides": strides, "padding": padding.upper(), "dilations": dilation}
        if groups == 1:
            return tf.nn.convolution(x, kernel, **options, data_format=_LAYOUTS[rank])
        # Not all CPU kernels support groups, least of all in their gradients.
        parts = zip(tf.split(x, groups, -1), tf.split(kernel, groups, -1), strict=True)
        return tf.concat([tf.nn.convolution(*part, **options, data_format=_LAYOUTS[rank]) for part in parts], -1)

    def _depthwise_conv(self, x: Array, kernel: Array, strides: tuple, padding: str, dilation: tuple) -> Array:
        if len(strides) == 1:
            arguments = (strides * 2, padding, (1, *dilation))
            return tf.squeeze(self._depthwise_conv(x[:, None], kernel[None], *arguments), 1)
        channels = x.shape[-1]
        kernel = tf.reshape(kernel, (*kernel.shape[:2], channels, kernel.shape[-1] // channels))
        return tf.nn.depthwise_conv2d(x, kernel, (1, *strides, 1), padding.upper(), dilations=dilation)

    def conv_transpose(
        self,
        x: Array,
        kernel: Array,
        strides: tuple,
        padding: str,
        output_padding: tuple | None,
        dilation: tuple,
        channels_last: bool = True,
    ) -> Array:
        rank = len(strides)
        plain = channels_last and output_padding is None and max(dilation) == 1
        if not plain or rank not in _LAYOUTS or not _is_float(x):
            return super().conv_transpose(x, kernel, strides, padding, output_padding, dilation, channels_last)
        batch, *inner, _ = self.shape(x)
        columns = zip(inner, kernel.shape, strides, strict=False)
        inner = [window_geometry.transposed_size(n, window, stride, padding) for n, window, stride in columns]
        shape = dynamic_shape((batch, *inner, kernel.shape[-2]))
        return tf.nn.conv_transpose(x, kernel, shape, strides, padding.upper(), _LAYOUTS[rank])

    @in_single_precision
    def pool(
        self,
        x: Array,
        mode: str,
        window: tuple,
        strides: tuple,
        padding: str,
        channels_last: bool = True,
    ) -> Array:
        # In three dimensions the CPU lacks some dtypes, and splits a maximum's gradient among ties.
        native = len(window) < 3 or (len(window) == 3 and mode == "average" and x.dtype is tf.float32)
        if not native or not channels_last or not _is_float(x):
            return super().pool(x, mode, window, strides, padding, channels_last)
        function = tf.nn.max_pool if mode == "max" else tf.nn.avg_pool
        return function(x, window, strides, padding.upper(), _LAYOUTS[len(window)])

    def batch_norm(
        self, x: Array, gamma: Array | None, beta: Array | None, axis: int, epsilon: float
    ) -> tuple[Array, Array, Array]:
        # The fused kernel is 3 times as fast as the composite. cuDNN requires a minimum epsilon.
        images = len(x.shape) == 4 and axis in (-1, 3) and x.dtype is tf.float32
        if not images or None in x.shape or gamma is None or beta is None or epsilon < 1.001e-5:
            return super().batch_norm(x, gamma, beta, axis, epsilon)
        result, mean, variance, *_ = raw.FusedBatchNormV3(
            x=x, scale=gamma, offset=beta, mean=[], variance=[], epsilon=epsilon, is_training=True
        )
        count = math.prod(x.shape[:-1])
        return result, mean, variance * (max(count - 1, 1) / max(count, 1))

    def normalize(
        self,
        x: Array,
        mean: Array,
        variance: Array,
        gamma: Array | None,
        beta: Array | None,
        epsilon: float,
    ) -> Array:
        vectors = (mean, variance, gamma, beta)
        images = len(x.shape) == 4 and x.dtype is tf.float32 and all(v is not None and v.ndim == 1 for v in vectors)
        if not images or epsilon < 1.001e-5:
            return super().normalize(x, *vectors, epsilon)
        return raw.FusedBatchNormV3(
            x=x, scale=gamma, offset=beta, mean=mean, variance=variance, epsilon=epsilon, is_training=False
        )[0]

    def adam_decay(self, beta_2: float) -> float:
        return float(np.float32(beta_2))

    def random_bits(self, key: tuple, shape: tuple) -> Array:
        # In unsigned arithmetic, whose right shifts fill with zeros. GPUs lack int32 multiplication here.
        first, second = (self._word(k) for k in key)
        bits = tf.bitcast(tf.range(value_of(math.prod(shape))), tf.uint32)
        bits = _mix(tf.bitwise.bitwise_xor(bits, first))
        return self.reshape(tf.bitcast(_mix(bits + second), tf.int32), shape)

    def _word(self, value: Any) -> Array:
        is_tensor = isinstance(value, tf.Tensor)
        return tf.bitcast(value, tf.uint32) if is_tensor else tf.constant(value & 0xFFFFFFFF, tf.uint32)


def _mix(bits: Array) -> Array:
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        bits = tf.bitwise.bitwise_xor(bits, tf.bitwise.right_shift(bits, tf.constant(shift, tf.uint32)))
        bits *= tf.constant(factor, tf.uint32)
    return tf.bitwise.bitwise_xor(bits, tf.bitwise.right_shift(bits, tf.constant(16, tf.uint32)))


_matmul = _through(tf.linalg.matmul, _PRODUCTS)


def _product(x: Array, kernel: Array) -> Array:
    """Return a matrix product whose gradient does not transpose a kernel that is much larger than ``x``."""
    rows, (inputs, outputs) = x.shape[0], kernel.shape
    is_small = rows is not None and 2 * rows * (inputs + outputs) <= inputs * outputs
    if tf.executing_eagerly() or not is_small or inputs * outputs < _LARGE_KERNEL:
        return tf.matmul(x, kernel)

    @tf.custom_gradient
    def product(x: Array, kernel: Array) -> tuple:
        def gradient(upstream: Array) -> tuple[Array, Array]:
            # The CPU would transpose the kernel: for 256 rows by 2048 x 2048 that takes 49 ms, this 20 ms.
            by_columns = tf.matmul(kernel, upstream, transpose_b=True)
            return tf.transpose(by_columns), tf.matmul(x, upstream, transpose_a=True)

        return tf.matmul(x, kernel), gradient

    return product(x, kernel)


def _index(x: Array) -> Array:
    """Return indices in a dtype that every indexing kernel accepts."""
    return x if x.dtype is tf.int32 or x.dtype is tf.int64 else tf.cast(x, tf.int64)


def _swap_last(x: Array, axis: int) -> Array:
    """Swap an axis with the last one."""
    rank = len(x.shape)
    axis %= rank
    if axis == rank - 1:
        return x
    order = list(range(rank))
    order[axis], order[-1] = order[-1], order[axis]
    return tf.transpose(x, order)


def _size(x: Array, axis: int) -> GraphSize:
    """Return a size that is unknown in the graph, to compute with."""
    return GraphSize(lambda: tf.shape(x)[axis])


def _as_tensor(size: GraphSize, dtype: Any = None, name: str | None = None, as_ref: bool = False) -> Array:
    value = tf.convert_to_tensor(size.find())
    return value if dtype in (None, value.dtype) else tf.cast(value, dtype)


class _Dispatcher(GlobalOpDispatcher):
    """Repeats a call of a TensorFlow function that rejected a size, with the size's scalar instead."""

    def handle(self, op: Any, args: tuple, kwargs: dict) -> Any:
        given = args, kwargs
        args, kwargs = trees.map(value_of, given)
        if all(one is other for one, other in zip(trees.leaves(given), trees.leaves((args, kwargs)), strict=True)):
            return self.NOT_SUPPORTED
        return op(*args, **kwargs)


tf.register_tensor_conversion_function(GraphSize, _as_tensor)
_Dispatcher().register()


def _clamped(x: Array, start: Any, sizes: Any) -> Array:
    """Return the start at which a block fits inside x."""
    room = [n - size for n, size in zip(x.shape, sizes, strict=True)]
    first = tf.stack([tf.cast(s, tf.int32) for s in start])
    return tf.clip_by_value(first, 0, room)


@tf.custom_gradient
def _updated_in_xla(x: Array, update: Array, begin: Array) -> tuple:
    """XLA's own update, which unlike the strided one accepts computed positions, but has no gradient."""

    def gradient(upstream: Array) -> tuple:
        inside = tf.slice(upstream, begin, update.shape)
        return _updated_in_xla(upstream, tf.zeros_like(inside), begin), inside, None

    return dynamic_update_slice(x, update, begin), gradient


ADAPTER = TensorflowBackend
