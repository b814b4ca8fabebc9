"""PyTorch, run eagerly: each primitive is a single torch operation wherever there is one.

torch stores uint16, uint32 and uint64 but supports few operations on them, and few on bool: the
missing ones go through int64, so uint64 is exact up to 2**63 where order matters.
"""

from __future__ import annotations

import contextlib
import functools
import math
import operator
import threading
from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import torch
import torch.nn.functional as F
from torch.autograd import forward_ad
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint as torch_checkpoint

from polykeras import config
from polykeras.backends.contract.backend import Backend
from polykeras.backends.contract.kernels import _signed, in_single_precision
from polykeras.backends.shared.host_memory import keep_freed_memory
from polykeras.capture.tape import is_recording, note_constant, refuse_recording
from polykeras.core import dtypes, trees
from polykeras.core.interrupts import deferred
from polykeras.core.types import Array

keep_freed_memory()

_DTYPES = {name: getattr(torch, name) for name in dtypes.ALL}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_HALF = (torch.float16, torch.bfloat16)
_BARELY_SUPPORTED = frozenset((torch.bool, torch.uint16, torch.uint32, torch.uint64))
_LOWEST = -(1 << 63)
_NO_FLASH = [SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


_is_autocast = torch._C._is_any_autocast_enabled
_is_inference = torch.is_inference_mode_enabled
_dispatch_modes = torch._C._len_torch_dispatch_stack
_is_function_mode = torch._C._is_torch_function_mode_enabled
_functorch_level = torch._C._functorch.maybe_current_level


class _State(threading.local):
    """What differs between threads: where new arrays are placed, and the depth of nested gradients."""

    device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    depth = 0


_state = _State()


def _long(x: Any, ordered: bool = False) -> Any:
    """Return an array of a dtype that torch barely supports as int64; for uint64 this keeps the bits, or the order."""
    if not (isinstance(x, torch.Tensor) and x.dtype in _BARELY_SUPPORTED):
        return x
    return x.long() ^ _LOWEST if ordered and x.dtype == torch.uint64 else x.long()


def _short(x: Array, dtype: torch.dtype, ordered: bool = False) -> Array:
    if x.dtype != torch.int64:
        return x
    return (x ^ _LOWEST if ordered and dtype == torch.uint64 else x).to(dtype)


def _arrays(x: Any, y: Any) -> tuple[Array, Array]:
    """Return two operands as arrays, if one is a Python scalar."""
    if not isinstance(x, torch.Tensor):
        return torch.full((), x, dtype=y.dtype, device=y.device), y
    return x, y if isinstance(y, torch.Tensor) else torch.full((), y, dtype=x.dtype, device=x.device)


def _of_arrays(function: Any) -> Any:
    """Return a function of two arrays that accepts a Python scalar for one of them."""
    return lambda x, y, /: function(*_arrays(x, y))


def _operator(function: Any, ordered: bool = False, wide: Any = None) -> Any:
    """Return a method of two operands that computes in int64 (with ``wide``) on dtypes that torch barely supports."""
    wide = wide or function

    def method(x: Array, y: Array, /) -> Array:
        dtype = getattr(x, "dtype", None) or y.dtype
        if dtype not in _BARELY_SUPPORTED:
            return function(x, y)
        x, y = (_long(a, ordered) for a in _arrays(x, y))
        return _short(wide(x, y), dtype, ordered)

    return staticmethod(method)


def _widened(function: Any, ordered: bool = False) -> Any:
    """Return a method of one array and options that computes in int64 on dtypes that torch barely supports."""

    @functools.wraps(function)
    def method(x: Array, *arguments: Any, **options: Any) -> Array:
        if x.dtype not in _BARELY_SUPPORTED:
            return function(x, *arguments, **options)
        result = function(_long(x, ordered), *map(_long, arguments), **options)
        return _short(result, x.dtype, ordered)

    return staticmethod(method)


def _logical_shift(x: Array, y: Array) -> Array:
    """Shift int64 right without replicating the sign bit, which is a value bit of a uint64."""
    return (x >> y) & ~((_LOWEST >> y) << 1)


_ordered = functools.partial(_widened, ordered=True)


def _in_single_precision(function: Any) -> Any:
    """Return a method that computes half-precision arrays in float32 and rounds the results."""

    @functools.wraps(function)
    def method(x: Array, *arguments: Any, **options: Any) -> Any:
        if x.dtype not in _HALF:
            return function(x, *arguments, **options)
        wide = [a.float() if isinstance(a, torch.Tensor) else a for a in arguments]
        return trees.map(lambda r: r.to(x.dtype), function(x.float(), *wide, **options))

    return staticmethod(method)


def _axes(x: Array, axes: tuple | None) -> tuple:
    return tuple(range(x.ndim)) if axes is None else tuple(a % x.ndim for a in axes)


def _index(x: Array) -> Array:
    """Return indices in a dtype that torch accepts as such: it treats uint8 as a mask."""
    return x if x.dtype in (torch.int32, torch.int64) else x.long()


# ---------------------------------------------------------------- gradients


class _Spliced(torch.autograd.Function):
    """Given outputs, as if computed from the given inputs, with a custom gradient."""

    @staticmethod
    def forward(ctx: Any, backward: Any, count: int, *arrays: Array) -> tuple:
        ctx.pull_back, ctx.count = backward, count
        return arrays[:count]

    @staticmethod
    def backward(ctx: Any, *gradients: Array) -> tuple:
        parts = ctx.pull_back(*gradients)
        parts = parts if isinstance(parts, tuple | list) else (parts,)
        return (None, None, *(None,) * ctx.count, *parts)


class _Recomputed(torch.autograd.Function):
    """A function with a custom gradient, for the transformations of ``torch.func``.

    These run ``backward`` on other wrappers of the arrays than ``forward``, so it cannot use anything that
    ``forward`` computed: it computes the function again.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(function: Any, *arrays: Array) -> Any:
        output, _ = function(*arrays)
        return tuple(output) if isinstance(output, list) else output

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Any) -> None:
        ctx.function, *arrays = inputs
        ctx.save_for_backward(*arrays)

    @staticmethod
    def backward(ctx: Any, *gradients: Array) -> tuple:
        _, pull_back = ctx.function(*ctx.saved_tensors)
        parts = pull_back(*gradients)
        return (None, *parts) if isinstance(parts, tuple | list) else (None, parts)


def address_of(x: Array) -> int | None:
    """Return where an array is in memory; None for one of a running transformation, which may be nowhere."""
    if torch._C._functorch.is_functorch_wrapped_tensor(x):
        return None
    try:
        return x.data_ptr()
    except RuntimeError:  # an array of torch.export
        return None


def _leaf(x: Array, connected: bool) -> Array:
    """Return an alias of x to differentiate with respect to; outer gradients still reach x through it."""
    if connected and x.requires_grad:
        return x.view_as(x)
    return x.detach().requires_grad_(x.is_floating_point())


def _detached(x: Any) -> Any:
    return x.detach() if isinstance(x, torch.Tensor) and x.requires_grad else x


class TorchBackend(Backend):
    """The contract's interface on PyTorch."""

    name = "torch"
    captures = True
    shows = True
    seed_dtype = "int64"

    # ---------------------------------------------------------------- arrays

    def array(self, x: object, dtype: str | None = None) -> Array:
        if isinstance(x, torch.Tensor):
            dtype_of_torch = x.dtype if dtype is None else _DTYPES[dtype]
            is_there = x.device == _state.device and x.dtype == dtype_of_torch  # traces would record a conversion
            return x if is_there else x.to(_state.device, dtype_of_torch)
        if _is_inference():  # what is kept must be trainable later
            with torch.inference_mode(False):
                return self.array(x, dtype)
        x = self.host_array(x, dtype)
        if not x.flags.writeable or any(stride < 0 for stride in x.strides):
            x = x.copy()
        if x.dtype == ml_dtypes.bfloat16:
            return note_constant(torch.from_numpy(x.view(np.int16)).view(torch.bfloat16).to(_state.device))
        return note_constant(torch.from_numpy(x).to(_state.device))

    def to_numpy(self, x: Array) -> np.ndarray:
        refuse_recording("a value as NumPy array")
        x = x.detach()
        if x.dtype == torch.bfloat16:
            return x.view(torch.int16).numpy(force=True).view(ml_dtypes.bfloat16)
        return x.numpy(force=True)

    def over_shapes(self, function: Any, shapes: list) -> None:
        # Real values: torch's meta and fake tensors take seconds to load, and code may ask for values.
        with torch.random.fork_rng(), torch.no_grad():
            super().over_shapes(function, shapes)

    def densified(self, x: Any) -> Any:
        if isinstance(x, torch.Tensor):
            return x if x.layout is torch.strided else x.to_dense()
        return super().densified(x)

    def is_array(self, x: object) -> bool:
        return isinstance(x, torch.Tensor)

    def is_value(self, x: object) -> bool:
        return type(x) is torch.Tensor or isinstance(x, np.ndarray)  # subclasses may override any operation

    def ambient_mode(self) -> str | None:
        if torch.compiler.is_compiling():
            return "torch.compile"
        if _is_autocast():
            return "autocast"
        if _is_inference():
            return "inference_mode"
        if _dispatch_modes() or _is_function_mode():
            return "a mode of dispatch"
        if _functorch_level() is not None:
            return "torch.func"
        return "forward AD" if forward_ad._current_level >= 0 else None

    @contextlib.contextmanager
    def outside_trace(self) -> Iterator[None]:
        with torch.inference_mode(False), torch.autocast("cpu", enabled=False):
            yield

    def shape(self, x: Array) -> tuple:
        return tuple(x.shape)

    def dtype(self, x: Array) -> str:
        return _NAMES[x.dtype]

    def cast(self, x: Array, dtype: str) -> Array:
        target = _DTYPES[dtype]
        return x if x.dtype is target else x.to(target)

    def bitcast(self, x: Array, dtype: str) -> Array:
        return x.view(_DTYPES[dtype])

    def copy(self, x: Array) -> Array:
        if not _is_inference():
            return x.clone()
        with torch.inference_mode(False):
            return x.clone()

    def concrete(self, x: Array) -> Any:
        if not isinstance(x, torch.Tensor) or is_recording() or torch.compiler.is_compiling():
            return x
        # Inside torch.func.vmap one array represents many values.
        return x if torch._C._functorch.is_batchedtensor(x) else x.item()

    def full(self, shape: tuple, value: Any, dtype: str) -> Array:
        if isinstance(value, torch.Tensor):
            return value.to(_state.device, _DTYPES[dtype]).expand(shape)
        return torch.full(shape, value, dtype=_DTYPES[dtype], device=_state.device)

    def arange(self, start: float, stop: Any, step: float, dtype: str) -> Array:
        is_float = float in (type(start), type(stop), type(step))
        wide = torch.float64 if is_float else torch.int64
        stop = start if (stop - start) * step < 0 else stop
        return torch.arange(start, stop, step, dtype=wide, device=_state.device).to(_DTYPES[dtype])

    # ------------------------------------------------------------ own programs

    def is_differentiating(self) -> bool:
        return torch.is_grad_enabled()

    def show(self, variable: Any, value: Array) -> Array:
        leaf = variable.leaf
        if leaf is None:
            is_wanted = variable.may_train and torch.is_grad_enabled() and value.is_floating_point()
            if not is_wanted or _state.depth or is_recording() or _functorch_level() is not None:
                return value
            leaf = self.leaf(variable, value)
        ours, theirs = (None, None) if leaf is value else (address_of(value), address_of(leaf))
        if ours == theirs:
            return leaf
        if ours is None or theirs is None:  # of a running transformation, in which the variable was assigned
            return value
        leaf.data = value  # a step has replaced the array in the slot
        variable.leaf_address = leaf.data_ptr()
        return leaf

    def leaf(self, variable: Any, value: Array) -> Array:
        """Return a parameter that shares the memory of a variable's array; it lives as long as the variable."""
        if variable.leaf is None:
            requires_grad = variable.trainable and value.is_floating_point()
            variable.leaf = torch.nn.Parameter(value.detach(), requires_grad)
            variable.leaf_address = address_of(value)
        return variable.leaf

    def release(self, variable: Any) -> None:
        leaf = variable.leaf
        if leaf.is_leaf and leaf.is_floating_point() and leaf.requires_grad is not variable.trainable:
            leaf.requires_grad_(variable.trainable)

    def is_own_variable(self, x: object) -> bool:
        return isinstance(x, torch.nn.Parameter)

    def share_variable(self, variable: Any, engine_variable: Any) -> None:
        variable._value, variable.leaf = engine_variable.detach(), engine_variable
        variable.leaf_address = address_of(engine_variable)

    def follow(self, variable: Any) -> None:
        leaf = variable.leaf
        if leaf is not variable._value and address_of(leaf) != variable.leaf_address:  # by `parameter.data = tensor`
            variable._value, variable.leaf_address = leaf.data, address_of(leaf)

    def stored(self, variable: Any, array: Array) -> Array | None:
        functorch = torch._C._functorch
        if functorch.is_functorch_wrapped_tensor(array):
            array = array.detach()  # from the graphs of all nested gradients
            while functorch.is_gradtrackingtensor(array):
                array = functorch.get_unwrapped(array)
            return None if functorch.is_functorch_wrapped_tensor(array) else array
        return array.detach() if array.requires_grad and _state.depth == 0 else array

    def join(self, cls: type) -> None:
        from polykeras.interop.torch_membership import Member

        if hasattr(cls, "named_modules"):
            cls.__bases__ = (*cls.__bases__, Member)

    def native(self, function: Any, optimize: bool | None = None) -> Any:
        return torch.enable_grad()(function)

    # ------------------------------------------------------------ elementwise

    negative = _widened(torch.neg)
    absolute = _widened(torch.abs)

    @_widened
    def sign(x: Array, /) -> Array:
        sign = torch.sign(x)
        return torch.where(torch.isnan(x), x, sign) if x.is_floating_point() else sign

    exp = staticmethod(torch.exp)
    expm1 = staticmethod(torch.expm1)
    log = staticmethod(torch.log)
    log1p = staticmethod(torch.log1p)
    sqrt = staticmethod(torch.sqrt)
    sin = staticmethod(torch.sin)
    cos = staticmethod(torch.cos)
    tan = staticmethod(torch.tan)
    arcsin = staticmethod(torch.asin)
    arccos = staticmethod(torch.acos)
    arctan = staticmethod(torch.atan)
    sinh = staticmethod(torch.sinh)
    cosh = staticmethod(torch.cosh)
    tanh = staticmethod(torch.tanh)
    arcsinh = staticmethod(torch.asinh)
    arccosh = staticmethod(torch.acosh)
    arctanh = staticmethod(torch.atanh)
    erf = staticmethod(torch.erf)
    erfinv = staticmethod(torch.erfinv)
    lgamma = staticmethod(torch.lgamma)
    digamma = staticmethod(torch.digamma)
    floor = staticmethod(torch.floor)
    ceil = staticmethod(torch.ceil)
    round = staticmethod(torch.round)
    isfinite = staticmethod(torch.isfinite)
    isnan = staticmethod(torch.isnan)
    logical_not = staticmethod(torch.logical_not)

    def bitwise_not(self, x: Array, /) -> Array:
        return ~x if x.dtype == torch.bool else _short(~_long(x), x.dtype)

    add = _operator(operator.add)
    subtract = _operator(operator.sub)
    multiply = staticmethod(operator.mul)
    divide = staticmethod(operator.truediv)
    floor_divide = _operator(_of_arrays(functools.partial(torch.div, rounding_mode="floor")))
    mod = _operator(_of_arrays(torch.remainder))
    power = _operator(operator.pow)
    maximum = _operator(_of_arrays(torch.maximum), ordered=True)
    minimum = _operator(_of_arrays(torch.minimum), ordered=True)
    arctan2 = staticmethod(_of_arrays(torch.atan2))
    equal = staticmethod(operator.eq)
    not_equal = staticmethod(operator.ne)
    less = _operator(operator.lt, ordered=True)
    less_equal = _operator(operator.le, ordered=True)
    greater = _operator(operator.gt, ordered=True)
    greater_equal = _operator(operator.ge, ordered=True)
    logical_and = staticmethod(operator.and_)
    logical_or = staticmethod(operator.or_)
    bitwise_and = staticmethod(operator.and_)
    bitwise_or = staticmethod(operator.or_)
    bitwise_xor = staticmethod(operator.xor)
    left_shift = _operator(operator.lshift)
    right_shift = _operator(operator.rshift, wide=_logical_shift)
    where: Any = staticmethod(torch.where)

    # -------------------------------------------------------------- reductions
    #
    # torch treats an empty tuple of axes as all axes.

    @_widened
    def sum(x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        return x if axes == () else torch.sum(x, axes, keepdims, dtype=x.dtype)

    @_widened
    @_in_single_precision
    def prod(x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        for axis in sorted(_axes(x, axes), reverse=True):
            x = torch.prod(x, axis, keepdims, dtype=x.dtype)
        return x

    @_ordered
    def max(x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        return x if axes == () else torch.amax(x, axes or (), keepdims)

    @_ordered
    def min(x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        return x if axes == () else torch.amin(x, axes or (), keepdims)

    def any(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        return torch.any(x, axes, keepdims)

    def all(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        return torch.all(x, axes, keepdims)

    @_ordered
    def argmax(x: Array, axis: int) -> Array:
        return torch.argmax(x, axis).to(torch.int32)

    @_ordered
    def argmin(x: Array, axis: int) -> Array:
        return torch.argmin(x, axis).to(torch.int32)

    @_widened
    def cumsum(x: Array, axis: int) -> Array:
        return torch.cumsum(x, axis, dtype=x.dtype)

    @_widened
    def cumprod(x: Array, axis: int) -> Array:
        return torch.cumprod(x, axis, dtype=x.dtype)

    def sort(self, x: Array, axis: int) -> Array:
        return torch.sort(x, axis).values

    def argsort(self, x: Array, axis: int) -> Array:
        return torch.argsort(x, dim=axis, stable=True).to(torch.int32)

    # ---------------------------------------------------------- linear algebra

    matmul = _operator(torch.matmul)

    def einsum(self, subscripts: str, *operands: Array) -> Array:
        dtype = operands[0].dtype
        if dtype not in _BARELY_SUPPORTED:
            return torch.einsum(subscripts, *operands).to(dtype)
        return torch.einsum(subscripts, *map(_long, operands)).to(dtype)

    cholesky = _in_single_precision(torch.linalg.cholesky)
    inv = _in_single_precision(torch.linalg.inv)
    det = _in_single_precision(torch.linalg.det)
    qr = _in_single_precision(torch.linalg.qr)
    svd = _in_single_precision(torch.linalg.svd)
    eigh = _in_single_precision(torch.linalg.eigh)
    eig = staticmethod(torch.linalg.eig)
    complex = staticmethod(torch.complex)
    real = staticmethod(torch.real)
    imag = staticmethod(torch.imag)

    @_in_single_precision
    def solve(a: Array, b: Array) -> Array:
        # If b has fewer axes than a, torch may take it for a batch of vectors.
        return torch.linalg.solve(a, b.expand(*a.shape[: -b.ndim], *b.shape) if b.ndim < a.ndim else b)

    @_in_single_precision
    def solve_triangular(a: Array, b: Array, lower: bool = False) -> Array:
        return torch.linalg.solve_triangular(a, b, upper=not lower)

    # ---------------------------------------------------------------- movement

    reshape: Any = staticmethod(torch.reshape)
    transpose: Any = staticmethod(torch.permute)
    broadcast_to: Any = staticmethod(torch.broadcast_to)

    def concatenate(self, arrays: Any, axis: int) -> Array:
        return torch.cat(list(arrays), axis)

    def getitem(self, x: Array, index: tuple) -> Array:
        for item in index:
            if isinstance(item, slice) and item.step is not None and item.step < 0:
                return self._getitem_backwards(x, index)
        return x[index]

    def _getitem_backwards(self, x: Array, index: tuple) -> Array:
        """Flip the axes that have a negative step first, since torch only steps forwards."""
        rest = x.ndim - sum(item is not None and item is not Ellipsis for item in index)
        forward, flipped, axis = [], [], 0
        for item in index:
            if isinstance(item, slice) and (item.step or 1) < 0:
                start, stop, step = item.indices(x.shape[axis])
                last = x.shape[axis] - 1
                item = slice(last - start, last - stop, -step)
                flipped.append(axis)
            forward.append(item)
            axis += rest if item is Ellipsis else item is not None
        return self.flip(x, flipped)[tuple(forward)]

    def pad(self, x: Array, widths: Any, value: float = 0) -> Array:
        return F.pad(x, [width for pair in reversed(widths) for width in pair], value=value)

    flip = _widened(torch.flip)

    @_widened
    def take(x: Array, indices: Array, axis: int) -> Array:
        axis %= x.ndim
        rows = torch.index_select(x, axis, _index(indices).reshape(-1))
        return rows.reshape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))

    @_widened
    def take_along_axis(x: Array, indices: Array, axis: int) -> Array:
        return torch.gather(x, axis, indices.long())

    @_widened
    def scatter_add(x: Array, indices: Array, updates: Array) -> Array:
        return x.index_put(_index(indices).unbind(1), updates, accumulate=True)

    @_widened
    def scatter_set(x: Array, indices: Array, updates: Array) -> Array:
        return x.index_put(_index(indices).unbind(1), updates)

    def dynamic_slice(self, x: Array, start: Any, sizes: tuple) -> Array:
        return x[self._block(x, start, sizes)]

    def dynamic_update(self, x: Array, update: Array, start: Any) -> Array:
        result = x.clone()
        result[self._block(x, start, update.shape)] = update
        return result

    def _block(self, x: Array, start: Any, sizes: tuple) -> tuple:
        if torch.compiler.is_compiling() and any(isinstance(s, torch.Tensor) for s in start):
            return self._positions(x, start, sizes)
        columns = zip(map(int, start), x.shape, sizes, strict=True)
        begin = [min(max(s, 0), n - size) for s, n, size in columns]
        return tuple(slice(s, s + size) for s, size in zip(begin, sizes, strict=True))

    def _positions(self, x: Array, start: Any, sizes: tuple) -> tuple:
        """Return the indices of a block along each axis, for a program whose start indices are not known yet."""
        found = []
        for axis, (s, n, size) in enumerate(zip(start, x.shape, sizes, strict=True)):
            first = torch.as_tensor(s, device=x.device).clamp(0, n - size)
            positions = first + torch.arange(size, device=x.device)
            found.append(positions.reshape([-1 if other == axis else 1 for other in range(x.ndim)]))
        return tuple(found)

    # ----------------------------------------------------------------- control

    def scan(self, step: Any, carry: Any, xs: Any, length: int | None = None, reverse: bool = False) -> tuple:
        leaves, structure = trees.flatten(xs)
        rows = list(zip(*(x.unbind() for x in leaves), strict=True)) if leaves else [()] * (length or 0)
        ys = []
        for row in reversed(rows) if reverse else rows:
            carry, y = step(carry, trees.unflatten(structure, row))
            ys.append(y)
        ys = ys[::-1] if reverse else ys
        return carry, trees.map(lambda *values: torch.stack(values), *ys) if ys else None

    def cond(self, predicate: Array, on_true: Any, on_false: Any) -> Any:
        return on_true() if predicate else on_false()

    def while_loop(self, condition: Any, body: Any, values: tuple) -> tuple:
        while condition(*values):
            values = tuple(body(*values))
        return values

    # -------------------------------------------------------------- transforms

    def value_and_grad(self, function: Any, arrays: list) -> tuple:
        if torch.compiler.is_compiling():  # torch.autograd.grad would split the graph
            gradients, (value, aux) = torch.func.grad_and_value(function, has_aux=True)(arrays)
            return (value, aux), gradients
        if _is_inference():
            raise RuntimeError(
                "Expected gradients to be computed outside of torch.inference_mode(), which disables them. Received: "
                "training inside. Leave the block first, or use torch.no_grad() around predictions."
            )
        nested = _state.depth > 0
        with torch.enable_grad():
            leaves = [_leaf(x, nested) for x in arrays]
            _state.depth += 1
            try:
                value, aux = function(leaves)
                gradients = self._gradients(value, leaves, create_graph=nested)
            finally:
                _state.depth -= 1
        if nested:  # an outer gradient continues from here
            return (value, aux), gradients
        return (value.detach(), trees.map(_detached, aux)), gradients

    def _is_nested_gradient(self) -> bool:
        return _state.depth > 1

    def _is_outside(self) -> bool:
        """Whether the call is neither inside a gradient nor being compiled."""
        return _state.depth == 0 and not torch.compiler.is_compiling()

    def _gradients(self, value: Array, leaves: list, create_graph: bool) -> list:
        wanted = [x for x in leaves if x.requires_grad]
        if not (wanted and value.requires_grad):
            return [torch.zeros_like(x) for x in leaves]
        found = iter(torch.autograd.grad(value, wanted, create_graph=create_graph, materialize_grads=True))
        return [next(found) if x.requires_grad else torch.zeros_like(x) for x in leaves]

    stop_gradient: Any = staticmethod(torch.Tensor.detach)

    def custom_gradient(self, function: Any) -> Any:
        def call(*arrays: Array) -> Any:
            if _functorch_level() is not None:
                return _Recomputed.apply(function, *arrays)
            # The result of ``backward`` is differentiable only if its computation is recorded.
            with torch.set_grad_enabled(torch.is_grad_enabled() and _state.depth != 1):
                output, backward = function(*arrays)
            if isinstance(output, tuple | list):
                return _Spliced.apply(backward, len(output), *output, *arrays)
            return _Spliced.apply(backward, 1, output, *arrays)[0]

        return call

    def checkpoint(self, function: Any) -> Any:
        return functools.partial(torch_checkpoint, function, use_reentrant=False, preserve_rng_state=False)

    def compile(self, function: Any, donate: bool = False, optimize: bool | None = None) -> Any:
        function = torch.compile(function) if optimize else function

        @functools.wraps(function)
        def call(*arguments: Any) -> Any:
            with torch.set_grad_enabled(_state.depth > 0):
                return function(*arguments)

        return call

    # --------------------------------------------------------------- placement

    def devices(self) -> list[str]:
        return ["cpu:0", *(f"cuda:{n}" for n in reversed(range(torch.cuda.device_count())))]

    @contextlib.contextmanager
    def use_device(self, name: str) -> Any:
        before, _state.device = _state.device, self._device(name)
        try:
            yield
        finally:
            _state.device = before

    def place(self, x: Array, device: str | None = None) -> Array:
        return x.to(_state.device if device is None else self._device(device))

    def version(self) -> str:
        return torch.__version__

    def _device(self, name: str) -> torch.device:
        kind, _, number = name.lower().replace("gpu", "cuda").partition(":")
        if f"{kind}:{number or 0}" not in [*self.devices(), "meta:0"]:  # meta: shapes without values
            raise ValueError(f"Expected one of the devices {self.devices()} of PyTorch. Received: {name!r}.")
        return torch.device(kind) if kind in ("cpu", "meta") else torch.device(kind, int(number or 0))

    # ------------------------------------------------- kernels: elementwise, sums

    sigmoid = staticmethod(torch.sigmoid)
    silu = staticmethod(F.silu)
    rsqrt = staticmethod(torch.rsqrt)
    stack: Any = staticmethod(torch.stack)

    def relu(self, x: Array, /) -> Array:
        return super().relu(x) if x.dtype in _BARELY_SUPPORTED else torch.relu(x)

    def softplus(self, x: Array, /) -> Array:
        return F.softplus(x, threshold=40)  # beyond, softplus(x) equals x to the last bit of a float64

    def gelu(self, x: Array, approximate: bool = False) -> Array:
        return F.gelu(x, approximate="tanh" if approximate else "none")

    def softmax(self, x: Array, axis: int = -1) -> Array:
        return torch.softmax(x, axis)

    def log_softmax(self, x: Array, axis: int = -1) -> Array:
        return torch.log_softmax(x, axis)

    @in_single_precision
    def logsumexp(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        axes = _axes(x, axes)
        return torch.logsumexp(x, axes, keepdims) if axes else x

    def mean(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        axes = _axes(x, axes)
        if all(x.shape[a] == 1 for a in axes):  # takes a sixth of the time, forward and backward
            return x if keepdims else x.reshape([n for a, n in enumerate(x.shape) if a not in axes])
        return torch.mean(x, axes, keepdims)

    def moments(self, x: Array, axes: tuple, keepdims: bool = False) -> tuple[Array, Array]:
        if not axes:
            return super().moments(x, axes, keepdims)
        variance, mean = torch.var_mean(x, axes, correction=0, keepdim=keepdims)
        return mean, variance

    def top_k(self, x: Array, k: int) -> tuple[Array, Array]:
        values, indices = torch.sort(x, descending=True, stable=True)  # torch.topk breaks ties arbitrarily
        return values[..., :k], indices[..., :k].to(torch.int32)

    def sigmoid_cross_entropy(self, labels: Array, logits: Array) -> Array:
        if labels.shape != logits.shape:
            return super().sigmoid_cross_entropy(labels, logits)
        return F.binary_cross_entropy_with_logits(logits, labels, reduction="none")

    def binary_cross_entropy(self, labels: Array, probabilities: Array, epsilon: float) -> Array:
        if labels.shape != probabilities.shape or labels.dtype in _HALF:
            return super().binary_cross_entropy(labels, probabilities, epsilon)
        return F.binary_cross_entropy(probabilities.clamp(epsilon, 1 - epsilon), labels, reduction="none")

    @in_single_precision
    def sparse_softmax_cross_entropy(self, labels: Array, logits: Array) -> Array:
        rows = logits.reshape(-1, logits.shape[-1])
        return F.cross_entropy(rows, labels.reshape(-1).long(), reduction="none").reshape(labels.shape)

    # ------------------------------------------ kernels: matrices, normalization, attention

    def dense(self, x: Array, kernel: Array, bias: Array | None) -> Array:
        if bias is None or not x.is_floating_point():
            return super().dense(x, kernel, bias)
        if x.ndim == 2:
            return torch.addmm(bias, x, kernel)
        rows = torch.addmm(bias, x.reshape(-1, kernel.shape[0]), kernel)
        return rows.reshape(*x.shape[:-1], kernel.shape[1])

    def dense_together(self, x: Array, kernels: list, biases: list) -> list:
        # Three separate products would make an encoder's step 5 % slower; the other engines gain nothing.
        bias = None if biases[0] is None else torch.cat(biases)
        outputs = self.dense(x, torch.cat(kernels, -1), bias)
        return list(outputs.split([kernel.shape[-1] for kernel in kernels], -1))

    def batch_norm(
        self, x: Array, gamma: Array | None, beta: Array | None, axis: int, epsilon: float
    ) -> tuple[Array, Array, Array]:
        size = x.shape[axis]
        count = x.numel() // max(size, 1)
        # The compiler fuses the composite; second gradients and functional transformations need it.
        is_nested = _state.depth > 1 or _functorch_level() is not None
        if count < 2 or torch.compiler.is_compiling() or is_nested:
            return super().batch_norm(x, gamma, beta, axis, epsilon)
        is_last = axis in (-1, x.ndim - 1)
        rows = x.reshape(-1, size) if is_last else x.movedim(axis, 1)
        gamma = torch.ones_like(beta) if gamma is None and beta is not None else gamma
        mean, variance = x.new_zeros(size), x.new_zeros(size)
        result = F.batch_norm(rows, mean, variance, gamma, beta, True, 1.0, epsilon)
        result = result.reshape(x.shape) if is_last else result.movedim(1, axis)
        variance = variance * ((count - 1) / count)
        if x.requires_grad and torch.is_grad_enabled():
            mean, variance = self._differentiable_moments(x, mean, variance, axis, count)
        return result, mean, variance

    def _differentiable_moments(self, x: Array, mean: Array, variance: Array, axis: int, count: int) -> tuple:
        shape = [1] * x.ndim
        shape[axis] = -1

        def pull_back(by_mean: Array, by_variance: Array) -> Array:
            centered = x - mean.reshape(shape)
            return (by_mean.reshape(shape) + 2 * centered * by_variance.reshape(shape)) / count

        return _Spliced.apply(pull_back, 2, mean, variance, x)

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
        is_last = x.ndim > 1 and all(v is not None and v.ndim == 1 and v.dtype == x.dtype for v in vectors)
        # One operation instead of four; a gradient with respect to the moments, or a second one, needs the four.
        if not is_last or mean.requires_grad or torch.compiler.is_compiling() or _state.depth > 1:
            return super().normalize(x, *vectors, epsilon)
        rows = x.reshape(-1, x.shape[-1])
        return torch.batch_norm(rows, gamma, beta, mean, variance, False, 0.0, epsilon, True).reshape(x.shape)

    def layer_norm(self, x: Array, gamma: Array | None, beta: Array | None, axes: tuple, epsilon: float) -> Array:
        first = x.ndim - len(axes)
        shape = x.shape[first:]
        fit = (gamma is None or gamma.shape == shape) and (beta is None or beta.shape == shape)
        if not fit or axes != tuple(range(first, x.ndim)):
            return super().layer_norm(x, gamma, beta, axes, epsilon)
        return torch.layer_norm(x, shape, gamma, beta, epsilon)

    def attention(
        self,
        query: Array,
        key: Array,
        value: Array,
        mask: Array | None,
        bias: Array | None,
        scale: float,
        causal: bool,
    ) -> Array:
        if _state.depth > 1:  # the fused kernels have no second gradient
            return super().attention(query, key, value, mask, bias, scale, causal)
        query, key, value = (x.transpose(1, 2) for x in (query, key, value))
        if causal and (mask is not None or bias is not None):
            seen = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool, device=query.device).tril()
            mask, causal = (seen if mask is None else mask & seen), False
        if mask is not None:
            # A query that may attend to nothing attends to everything, with scores of zero.
            attends = mask.any(-1, keepdim=True)
            query = torch.where(attends, query, 0.0)
            bias = mask | ~attends if bias is None else torch.where(attends, torch.where(mask, bias, -math.inf), 0.0)
        if bias is not None:
            bias = bias.reshape((1,) * (4 - bias.ndim) + tuple(bias.shape))
        # Entered only if flash attention was disabled: the context takes microseconds.
        kernels = contextlib.nullcontext() if config.is_flash_attention_enabled() is None else sdpa_kernel(_NO_FLASH)
        with kernels:
            result = F.scaled_dot_product_attention(query, key, value, bias, is_causal=causal, scale=scale)
        return result.transpose(1, 2)

    # ------------------------------------------------- kernels: random bits, updates

    def random_bits(self, key: tuple, shape: tuple) -> Array:
        first, second = (_signed(k) if isinstance(k, int) else k for k in key)
        bits = torch.arange(math.prod(shape), dtype=torch.int32, device=_state.device)
        bits ^= first
        self._mix_in_place(bits)
        bits += second
        self._mix_in_place(bits)
        return bits.reshape(shape)

    def _mix_in_place(self, bits: Array) -> None:
        for shift, factor in ((16, 0x7FEB352D), (15, _signed(0x846CA68B))):
            bits ^= self._unsigned_shift(bits, shift)
            bits *= factor
        bits ^= self._unsigned_shift(bits, 16)

    def _may_update_in_place(self, weights: list, rate: Any) -> bool:
        """Whether to update in place: compilers fuse the composite, and outer gradients must see every operation."""
        is_single = len({(w.dtype, w.device) for w in weights}) == 1
        return is_single and weights[0].dtype not in _HALF and _state.depth == 0 and not torch.compiler.is_compiling()

    def sgd_update(
        self, weights: list, gradients: list, velocities: list | None, rate: Any, momentum: float, nesterov: bool
    ) -> tuple[list, list | None]:
        if isinstance(momentum, torch.Tensor) or not self._may_update_in_place(weights, rate):
            return super().sgd_update(weights, gradients, velocities, rate, momentum, nesterov)
        with torch.no_grad(), deferred():
            if isinstance(rate, torch.Tensor):
                gradients, rate = list(torch._foreach_mul(gradients, rate)), 1.0
            if velocities is not None:
                torch._foreach_mul_(velocities, momentum)
                torch._foreach_add_(velocities, gradients, alpha=-rate)
                torch._foreach_add_(weights, velocities, alpha=momentum if nesterov else 1.0)
            if velocities is None or nesterov:
                torch._foreach_add_(weights, gradients, alpha=-rate)
        return weights, velocities

    def adam_update(
        self,
        weights: list,
        gradients: list,
        momentums: list,
        velocities: list,
        largest: list | None,
        rate: Any,
        beta_1: float,
        beta_2: float,
        epsilon: float,
    ) -> tuple[list, list, list, list | None]:
        takes_numbers = not any(isinstance(x, torch.Tensor) for x in (beta_1, beta_2, epsilon))
        if not (takes_numbers and self._may_update_in_place(weights, rate)):
            arguments = (weights, gradients, momentums, velocities, largest, rate)
            return super().adam_update(*arguments, beta_1, beta_2, epsilon)
        # torch's kernel makes one pass over all four arrays. It corrects the bias by the step
        # count; at an infinite count the correction is 1.
        given = (weights, gradients, momentums, velocities, largest or [])
        columns = [[x.contiguous() for x in column] for column in given]
        steps = [torch.full((), math.inf, device=weights[0].device)] * len(weights)
        rate = rate.to(weights[0].device) if isinstance(rate, torch.Tensor) else rate
        options: dict[str, Any] = {"lr": rate, "beta1": beta_1, "beta2": beta_2, "eps": epsilon, "weight_decay": 0.0}
        with torch.no_grad():
            changed: tuple = (*columns, steps)
            torch._fused_adam_(*changed, **options, amsgrad=largest is not None, maximize=False)
        weights, _, momentums, velocities, tops = columns
        return weights, momentums, velocities, None if largest is None else tops


ADAPTER = TorchBackend
