"""JAX: functions are traced once per input shape and run by XLA.

Most kernels remain composites: XLA fuses them as well as functions of ``jax.nn``.
"""

from __future__ import annotations

import contextlib
import functools
import math
import operator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax._src.array import ArrayImpl
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec, Sharding

from polykeras.backends.contract.backend import Backend
from polykeras.backends.contract.kernels import in_single_precision
from polykeras.backends.shared.host_memory import keep_freed_memory
from polykeras.core import dtypes, naming, trees, window_geometry
from polykeras.core.types import Array

# Called before the threads start in which XLA allocates its memory.
keep_freed_memory()

_NAMES = {dtypes.numpy_dtype(name): name for name in dtypes.ALL}
_WIDE = ("int64", "uint64", "float64", "complex128")


class _Dtypes(dict):
    """NumPy's dtypes by name.

    JAX turns 64-bit arrays into 32-bit ones unless it is told otherwise. That is right for NumPy's arrays, which have
    64 bits unasked, and for ``jax.numpy`` in a program's own functions. But where a program names a 64-bit dtype, it
    gets one, as on the other engines: from the first such name on, these types are switched on.
    """

    def __missing__(self, name: str) -> np.dtype:
        _switch_on_64_bits()
        return dtypes.numpy_dtype(name)


def _switch_on_64_bits() -> None:
    jax.config.update("jax_enable_x64", True)


_DTYPES = _Dtypes({name: dtype for dtype, name in _NAMES.items() if name not in _WIDE})
_HALF = ("float16", "bfloat16")
# Two concrete classes: ``isinstance`` of jax.Array takes three times as long. Making an array to get its class would
# start XLA, after which no processes can be joined.
_Tracer = jax.core.Tracer
_ARRAYS = (ArrayImpl, _Tracer)
_SPATIAL = "XYZ"
_SHARED_BYTES = 1 << 20
_SMALL_RESULT = 1 << 12
_GLANCES = 500  # polls for a small result, 0.2 µs each
_FULL = (np.float32, np.float64)
_SMALL_WINDOW = 25


def _in_single_precision(function: Any) -> Any:
    """Return a method that computes half-precision arrays in float32 and rounds the results."""

    @functools.wraps(function)
    def method(x: Array, *arguments: Any, **options: Any) -> Any:
        if x.dtype.name not in _HALF:
            return function(x, *arguments, **options)
        wide = [a.astype("float32") if isinstance(a, _ARRAYS) else a for a in arguments]
        return trees.map(lambda r: r.astype(x.dtype), function(x.astype("float32"), *wide, **options))

    return staticmethod(method)


def _layout(rank: int, channels_last: bool, kernel: str) -> tuple[str, str, str]:
    """Return the dimension numbers of a convolution, for a kernel with channels "IO" or "OI"."""
    axes = _SPATIAL[:rank]
    data = f"N{axes}C" if channels_last else f"NC{axes}"
    return data, axes + kernel, data


def _fits_in_32_bits(x: np.ndarray) -> bool:
    """Whether JAX can hold values in 32 bits without cutting off integers; fractions are rounded."""
    if x.dtype not in (np.int64, np.uint64) or not x.size or jax.config.read("jax_enable_x64"):
        return True
    bounds = np.iinfo(np.int32 if x.dtype.kind == "i" else np.uint32)
    return bool(bounds.min <= x.min() and x.max() <= bounds.max)


@functools.cache
def _mesh(shape: tuple, names: tuple, devices: tuple) -> Mesh:
    """Return a mesh of devices, given as names such as "cpu:0" or as JAX's own objects."""
    kinds = {name.partition(":")[0] for name in devices if isinstance(name, str)}
    known = {f"{device.platform}:{device.id}": device for kind in kinds for device in jax.devices(kind)}
    missing = [name for name in devices if isinstance(name, str) and name not in known]
    if missing:
        raise ValueError(
            f"Expected the devices of a mesh to be among {naming.listed(known)}. Received: {naming.listed(missing)}. "
            f"list_devices() returns their names; XLA_FLAGS=--xla_force_host_platform_device_count=8 "
            f"makes 8 of a processor."
        )
    found = [known.get(name, name) for name in devices]
    return Mesh(np.array(found, object).reshape(shape), names)


class JaxBackend(Backend):
    """The contract's interface on JAX."""

    name = "jax"
    is_traced = captures = has_meshes = True

    # ---------------------------------------------------------------- arrays

    def array(self, x: object, dtype: str | None = None) -> Array:
        if isinstance(x, _ARRAYS):
            return x if dtype is None else self.cast(x, dtype)
        x = self._own_copy(x, dtype)
        # device_put shares the memory of large NumPy arrays; asarray is faster for small ones.
        return jax.device_put(x) if x.nbytes > _SHARED_BYTES else jnp.asarray(x)

    def share(self, x: object, dtype: str | None = None) -> Array:
        # asarray would compile a function for every new shape, which takes 10 ms.
        return self.array(x, dtype) if isinstance(x, _ARRAYS) else jax.device_put(self._on_host(x, dtype))

    def _own_copy(self, x: object, dtype: str | None = None) -> np.ndarray:
        """Return a NumPy array in memory that the caller does not hold, since JAX may read it later."""
        host = self._on_host(x, dtype)
        return host.copy() if host is x or host.base is not None else host

    def _on_host(self, x: object, dtype: str | None) -> np.ndarray:
        """Return a NumPy array, and switch on 64-bit types if it needs them."""
        host = self.host_array(x, dtype)
        if dtype in _WIDE or (dtype is None and not _fits_in_32_bits(host)):
            _switch_on_64_bits()
        return host

    def outside_trace(self) -> contextlib.AbstractContextManager:
        return jax.ensure_compile_time_eval()

    def join(self, cls: type) -> None:
        # Where it compiles, as most of jax.numpy does, JAX no longer uses __jax_array__: it accepts pytrees.
        if hasattr(cls, "__jax_array__"):
            jax.tree_util.register_pytree_node(cls, lambda x: ((x.array,), None), lambda _, values: values[0])

    def over_shapes(self, function: Any, shapes: list) -> None:
        jax.eval_shape(lambda *arrays: function(list(arrays)), *(self._struct(*kind) for kind in shapes))

    def _struct(self, shape: tuple, dtype: str) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape, _DTYPES[dtype])

    def stand_in(self, shape: tuple, dtype: str) -> Array:
        return jnp.zeros(shape, _DTYPES[dtype])

    def is_value(self, x: object) -> bool:
        return isinstance(x, np.ndarray | _ARRAYS[0])

    def feed(self, x: object) -> object:
        # Converting here would schedule a separate transfer on another thread: a batch of one row takes 270 µs, not 60.
        return x if isinstance(x, _ARRAYS) else self._own_copy(x)

    def to_numpy(self, x: Array) -> np.ndarray:
        # Most waits for a small result are shorter than the 50 µs it takes to wake a sleeping thread, so poll first.
        if isinstance(x, _ARRAYS[0]) and x.size < _SMALL_RESULT:
            waiting: Any = x
            for _ in range(_GLANCES):
                if waiting.is_ready():
                    break
        try:
            return np.asarray(x)
        except RuntimeError:  # parts of it are in other processes
            if not isinstance(x, _ARRAYS[0]) or x.is_fully_addressable:
                raise
            return multihost_utils.process_allgather(x, tiled=True)

    def is_array(self, x: object) -> bool:
        return isinstance(x, _ARRAYS)

    def shape(self, x: Array) -> tuple:
        return x.shape

    def dtype(self, x: Array) -> str:
        return _NAMES[x.dtype]

    def cast(self, x: Array, dtype: str) -> Array:
        target = _DTYPES[dtype]
        return x if x.dtype == target else lax.convert_element_type(x, target)

    def bitcast(self, x: Array, dtype: str) -> Array:
        return x.view(_DTYPES[dtype])

    def copy(self, x: Array) -> Array:
        return jnp.array(x, copy=True)

    def concrete(self, x: Array) -> Any:
        return x.item() if isinstance(x, _ARRAYS) and not isinstance(x, _Tracer) else x

    def full(self, shape: tuple, value: Any, dtype: str) -> Array:
        return jnp.full(shape, value, _DTYPES[dtype])

    def arange(self, start: float, stop: Any, step: float, dtype: str) -> Array:
        if float in (type(start), type(stop), type(step)):
            return jnp.asarray(np.arange(start, stop, step).astype(_DTYPES[dtype]))
        return jnp.arange(start, stop, step, _DTYPES[dtype])

    # ------------------------------------------------------------ elementwise

    negative = staticmethod(operator.neg)
    sign = staticmethod(jnp.sign)
    exp = staticmethod(jnp.exp)
    expm1 = staticmethod(jnp.expm1)
    log = staticmethod(jnp.log)
    log1p = staticmethod(jnp.log1p)
    sqrt = staticmethod(jnp.sqrt)
    sin = staticmethod(jnp.sin)
    cos = staticmethod(jnp.cos)
    tan = staticmethod(jnp.tan)
    arcsin = staticmethod(jnp.arcsin)
    arccos = staticmethod(jnp.arccos)
    arctan = staticmethod(jnp.arctan)
    sinh = staticmethod(jnp.sinh)
    cosh = staticmethod(jnp.cosh)
    tanh = staticmethod(jnp.tanh)
    arcsinh = staticmethod(jnp.arcsinh)
    arccosh = staticmethod(jnp.arccosh)
    arctanh = staticmethod(jnp.arctanh)
    erf = staticmethod(lax.erf)
    erfinv = staticmethod(lax.erf_inv)
    lgamma = staticmethod(lax.lgamma)
    digamma = staticmethod(lax.digamma)
    floor = staticmethod(jnp.floor)
    ceil = staticmethod(jnp.ceil)
    round = staticmethod(jnp.rint)
    isfinite = staticmethod(jnp.isfinite)
    isnan = staticmethod(jnp.isnan)
    logical_not = staticmethod(jnp.logical_not)
    bitwise_not = staticmethod(operator.invert)

    def absolute(self, x: Array, /) -> Array:
        # The gradient of jnp.abs at 0 would be 1.
        return x * jnp.sign(x) if _NAMES[x.dtype] in dtypes.FLOATS else jnp.abs(x)

    add = staticmethod(operator.add)
    subtract = staticmethod(operator.sub)
    multiply = staticmethod(operator.mul)
    divide = staticmethod(operator.truediv)
    floor_divide = staticmethod(operator.floordiv)
    mod = staticmethod(operator.mod)
    power = staticmethod(operator.pow)
    maximum = staticmethod(jnp.maximum)
    minimum = staticmethod(jnp.minimum)
    arctan2 = staticmethod(jnp.arctan2)
    equal = staticmethod(operator.eq)
    not_equal = staticmethod(operator.ne)
    less = staticmethod(operator.lt)
    less_equal = staticmethod(operator.le)
    greater = staticmethod(operator.gt)
    greater_equal = staticmethod(operator.ge)
    logical_and = staticmethod(operator.and_)
    logical_or = staticmethod(operator.or_)
    bitwise_and = staticmethod(operator.and_)
    bitwise_or = staticmethod(operator.or_)
    bitwise_xor = staticmethod(operator.xor)
    left_shift = staticmethod(operator.lshift)
    right_shift = staticmethod(operator.rshift)
    where: Any = staticmethod(jnp.where)

    # -------------------------------------------------------------- reductions

    @in_single_precision
    def sum(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        return jnp.sum(x, axes, x.dtype, keepdims=keepdims)

    @in_single_precision
    def prod(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        return jnp.prod(x, axes, x.dtype, keepdims=keepdims)

    def max(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        return jnp.max(x, axes, keepdims=keepdims)

    def min(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        return jnp.min(x, axes, keepdims=keepdims)

    def any(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        return jnp.any(x, axes, keepdims=keepdims)

    def all(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        return jnp.all(x, axes, keepdims=keepdims)

    def argmax(self, x: Array, axis: int) -> Array:
        return jnp.argmax(x, axis).astype(jnp.int32)

    def argmin(self, x: Array, axis: int) -> Array:
        return jnp.argmin(x, axis).astype(jnp.int32)

    @in_single_precision
    def cumsum(self, x: Array, axis: int) -> Array:
        return jnp.cumsum(x, axis, x.dtype)

    @in_single_precision
    def cumprod(self, x: Array, axis: int) -> Array:
        return jnp.cumprod(x, axis, x.dtype)

    def sort(self, x: Array, axis: int) -> Array:
        return jnp.sort(x, axis)

    def argsort(self, x: Array, axis: int) -> Array:
        return jnp.argsort(x, axis).astype(jnp.int32)

    # ---------------------------------------------------------- linear algebra

    matmul = staticmethod(jnp.matmul)
    einsum: Any = staticmethod(jnp.einsum)
    cholesky = _in_single_precision(jnp.linalg.cholesky)
    solve = _in_single_precision(jnp.linalg.solve)
    inv = _in_single_precision(jnp.linalg.inv)
    det = _in_single_precision(jnp.linalg.det)
    qr = _in_single_precision(jnp.linalg.qr)
    svd = _in_single_precision(jnp.linalg.svd)
    eigh = _in_single_precision(jnp.linalg.eigh)
    eig = staticmethod(jnp.linalg.eig)
    complex = staticmethod(jax.lax.complex)
    real = staticmethod(jnp.real)
    imag = staticmethod(jnp.imag)

    @_in_single_precision
    def solve_triangular(a: Array, b: Array, lower: bool = False) -> Array:
        stack = jnp.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a, b = (jnp.broadcast_to(x, (*stack, *x.shape[-2:])) for x in (a, b))
        return lax.linalg.triangular_solve(a, b, left_side=True, lower=lower)

    # ---------------------------------------------------------------- movement

    reshape: Any = staticmethod(jnp.reshape)
    transpose: Any = staticmethod(jnp.transpose)
    broadcast_to: Any = staticmethod(jnp.broadcast_to)
    flip: Any = staticmethod(jnp.flip)

    def concatenate(self, arrays: Any, axis: int) -> Array:
        return jnp.concatenate(list(arrays), axis)

    def getitem(self, x: Array, index: tuple) -> Array:
        return x[index]

    def pad(self, x: Array, widths: Any, value: float = 0) -> Array:
        return lax.pad(x, np.asarray(value, x.dtype), [(before, after, 0) for before, after in widths])

    # Indices are within bounds, so clipping, the cheapest of JAX's modes, changes nothing.

    def take(self, x: Array, indices: Array, axis: int) -> Array:
        return jnp.take(x, indices, axis, mode="clip")

    def take_along_axis(self, x: Array, indices: Array, axis: int) -> Array:
        return jnp.take_along_axis(x, indices, axis, mode="clip")

    def scatter_add(self, x: Array, indices: Array, updates: Array) -> Array:
        return x.at[tuple(indices.T)].add(updates)

    def scatter_set(self, x: Array, indices: Array, updates: Array) -> Array:
        return x.at[tuple(indices.T)].set(updates)

    def dynamic_slice(self, x: Array, start: Any, sizes: tuple) -> Array:
        return lax.dynamic_slice(x, self._start(start), sizes, allow_negative_indices=False)

    def dynamic_update(self, x: Array, update: Array, start: Any) -> Array:
        return lax.dynamic_update_slice(x, update, self._start(start), allow_negative_indices=False)

    def _start(self, start: Any) -> list:
        return [jnp.asarray(s, jnp.int32) for s in start]

    # ----------------------------------------------------------------- control

    def scan(self, step: Any, carry: Any, xs: Any, length: int | None = None, reverse: bool = False) -> tuple:
        return lax.scan(step, carry, xs, length, reverse)

    def _over_time(self, step: Any, states: tuple, rows: tuple) -> tuple:
        # Each row is read one step ahead, because XLA does not vectorize the gates in the same kernel as
        # the read of their row: 2.1 ms instead of 4.5 for 32 sequences of 80 steps and 64 units.
        def read(index: Any) -> tuple:
            return trees.map(lambda x: lax.dynamic_index_in_dim(x, index, 0, False), rows)

        def step_and_read(carry: tuple, following: Array) -> tuple:
            states, y = step(*carry)
            return (states, read(following)), y

        length = len(rows[0])
        following = np.minimum(np.arange(1, length + 1, dtype=np.int32), length - 1)
        sequences: Array
        (states, _), sequences = lax.scan(step_and_read, (states, read(0)), following)
        return states, sequences

    def cond(self, predicate: Array, on_true: Any, on_false: Any) -> Any:
        if isinstance(predicate, _Tracer):
            return lax.cond(predicate, on_true, on_false)
        return on_true() if predicate else on_false()

    def while_loop(self, condition: Any, body: Any, values: tuple) -> tuple:
        return lax.while_loop(lambda v: condition(*v), lambda v: tuple(body(*v)), tuple(values))

    def stored(self, variable: Any, array: Array) -> Array | None:
        return None if isinstance(array, _Tracer) else array

    # -------------------------------------------------------------- transforms

    def value_and_grad(self, function: Any, arrays: list) -> tuple:
        compute = jax.value_and_grad(function, has_aux=True, allow_int=True)
        result, gradients = compute(list(arrays))
        # JAX gives gradients of integers a dtype of their own, without values (float0).
        columns = zip(gradients, arrays, strict=True)
        return result, [g if g.dtype == x.dtype else jnp.zeros_like(x) for g, x in columns]

    stop_gradient = staticmethod(lax.stop_gradient)

    def custom_gradient(self, function: Any) -> Any:
        @jax.custom_gradient
        def call(*arrays: Array) -> Any:
            output, backward = function(*arrays)

            def pull_back(gradient: Any) -> Any:
                several = isinstance(gradient, tuple | list)
                parts = backward(*gradient) if several else backward(gradient)
                return tuple(parts) if isinstance(parts, tuple | list) else (parts,)

            return output, pull_back

        return call

    def checkpoint(self, function: Any) -> Any:
        return jax.checkpoint(function)

    def compile(self, function: Any, donate: bool = False, optimize: bool | None = None) -> Any:
        return jax.jit(function, donate_argnums=(0,) if donate else ())

    # --------------------------------------------------------------- placement

    def devices(self) -> list[str]:
        found = jax.devices()
        host = [] if found[0].platform == "cpu" else jax.devices("cpu")
        return [f"{device.platform}:{device.id}" for device in (*host, *reversed(found))]

    def use_device(self, name: str) -> contextlib.AbstractContextManager:
        return jax.default_device(self._device(name))

    def place(self, x: Array, device: str | None = None) -> Array:
        if device is None:
            chosen = getattr(jax.config, "jax_default_device", None)
            return jax.device_put(x, chosen or jax.devices()[0])
        return jax.device_put(x, self._device(device))

    def version(self) -> str:
        return jax.__version__

    def _device(self, name: str) -> Any:
        kind, _, number = name.lower().replace("cuda", "gpu").partition(":")
        if f"{kind}:{number or 0}" not in self.devices():
            raise ValueError(f"Expected one of the devices {self.devices()} of JAX. Received: {name!r}.")
        return next(device for device in jax.devices(kind) if device.id == int(number or 0))

    # ---------------------------------------------------------- several devices

    def mesh_devices(self, kind: str | None = None) -> list[str]:
        try:
            found = jax.devices(kind.lower() if kind else None)
        except RuntimeError:  # none of that kind
            return []
        return [f"{device.platform}:{device.id}" for device in found]

    def spread(self, x: object, layout: Any, dtype: str | None = None, is_part: bool = False) -> Array:
        sharding = layout if isinstance(layout, Sharding) else self.engine_layout(layout)
        if is_part and not isinstance(x, _Tracer):
            return jax.make_array_from_process_local_data(sharding, np.asarray(x))
        if not isinstance(x, _ARRAYS):
            return jax.device_put(self._on_host(x, dtype), sharding)
        x = x if dtype is None else self.cast(x, dtype)
        if isinstance(x, _Tracer):
            return lax.with_sharding_constraint(x, sharding)
        # A step that destroys the result must not destroy an array that others hold.
        return x if x.sharding.is_equivalent_to(sharding, x.ndim) else jax.device_put(x, sharding, may_alias=False)

    def engine_mesh(self, mesh: Any) -> Mesh:
        return _mesh(tuple(mesh.shape), tuple(mesh.axis_names), tuple(mesh.devices.flat))

    def engine_layout(self, layout: Any) -> NamedSharding:
        return NamedSharding(self.engine_mesh(layout.device_mesh), PartitionSpec(*layout.axes))

    def processes(self) -> tuple[int, int]:
        return jax.process_index(), jax.process_count()

    def join_processes(self, addresses: str | None, count: int | None, index: int | None, seed: int) -> int:
        known = addresses.split(",") if addresses else [None]
        if len(known) > 1 and count not in (None, len(known)):
            raise ValueError(f"Expected an address for each of {count} processes. Received: {len(known)} addresses.")
        jax.distributed.initialize(known[0], count, index)
        return int(multihost_utils.broadcast_one_to_all(np.int64(seed)))

    # ----------------------------------------------------------------- kernels

    square = staticmethod(jnp.square)
    rsqrt = staticmethod(lax.rsqrt)
    relu = staticmethod(jax.nn.relu)
    sigmoid = staticmethod(jax.nn.sigmoid)
    silu = staticmethod(jax.nn.silu)

    def gelu(self, x: Array, approximate: bool = False) -> Array:
        return jax.nn.gelu(x, approximate)

    @in_single_precision
    def softmax(self, x: Array, axis: int = -1) -> Array:
        return jax.nn.softmax(x, axis)

    @in_single_precision
    def log_softmax(self, x: Array, axis: int = -1) -> Array:
        return jax.nn.log_softmax(x, axis)

    @in_single_precision
    def logsumexp(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        return jax.nn.logsumexp(x, axes, keepdims=keepdims)

    def mean(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        return jnp.mean(x, axes, keepdims=keepdims)

    def top_k(self, x: Array, k: int) -> tuple[Array, Array]:
        values, indices = lax.top_k(x, k)
        return values, indices

    def stack(self, arrays: Any, axis: int = 0) -> Array:
        return jnp.stack(list(arrays), axis)

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
        if rank > len(_SPATIAL):
            return super().conv(x, kernel, strides, padding, dilation, groups, channels_last)
        return lax.conv_general_dilated(
            x,
            kernel,
            strides,
            padding.upper(),
            rhs_dilation=dilation,
            dimension_numbers=_layout(rank, channels_last, "IO"),
            feature_group_count=groups,
        )

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
        if rank > len(_SPATIAL):
            return super().conv_transpose(x, kernel, strides, padding, output_padding, dilation, channels_last)
        widths = []
        columns = zip(kernel.shape, strides, dilation, output_padding or (None,) * rank, strict=False)
        for window, stride, step, more in columns:
            before, after = window_geometry.transposed_crop(window, stride, padding, step, more)
            border = window_geometry.spread(window, step) - 1
            widths.append((border - before, border - after))
        return lax.conv_general_dilated(
            x,
            lax.rev(kernel, tuple(range(rank))),
            (1,) * rank,
            widths,
            lhs_dilation=strides,
            rhs_dilation=dilation,
            dimension_numbers=_layout(rank, channels_last, "OI"),
        )

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
        sizes = x.shape[1:-1]
        is_cut = channels_last and strides == window and all(n % w == 0 for n, w in zip(sizes, window, strict=True))
        if is_cut and x.dtype in _FULL:
            return self._pool_pieces(x, mode, window)
        # The composite is up to 16 times as fast, including the gradient, but its time grows with the window.
        if math.prod(window) <= _SMALL_WINDOW:
            return super().pool(x, mode, window, strides, padding, channels_last)
        fill = (1,) if channels_last else ()
        edge = (1,) if channels_last else (1, 1)
        sizes = ((*edge, *window, *fill), (*edge, *strides, *fill), padding.upper())
        if mode == "max":
            return lax.reduce_window(x, np.asarray(self._lowest(x), x.dtype), lax.max, *sizes)
        zero = np.zeros((), x.dtype)
        counts = lax.reduce_window(jnp.ones(x.shape[1:], x.dtype)[None], zero, lax.add, *sizes)
        return lax.reduce_window(x, zero, lax.add, *sizes) / counts

    def _pool_pieces(self, x: Array, mode: str, window: tuple) -> Array:
        """Pool windows that divide the sizes: XLA fuses the reduction into a preceding convolution, 4 times as fast."""
        shape = [part for n, w in zip(x.shape[1:-1], window, strict=True) for part in (n // w, w)]
        shape, axes = [x.shape[0], *shape, x.shape[-1]], tuple(range(2, 2 * len(window) + 1, 2))
        if mode == "average":
            return jnp.mean(x.reshape(shape), axes)

        @jax.custom_vjp
        def largest(x: Array) -> Array:
            # After a convolution, without a gradient, another fifth faster.
            sizes = (1, *window, 1)
            return lax.reduce_window(x, np.asarray(-np.inf, x.dtype), lax.max, sizes, sizes, "VALID")

        def pull_back(x: Array, gradient: Array) -> tuple:
            # The first of equal maxima receives the gradient on all engines; JAX's own would split it.
            return jax.vjp(lambda x: Backend.pool(self, x, mode, window, window, "valid"), x)[1](gradient)

        largest.defvjp(lambda x: (jnp.max(x.reshape(shape), axes), x), pull_back)
        return largest(x)


ADAPTER = JaxBackend
