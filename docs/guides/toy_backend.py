"""A complete adapter of JAX, short to read: nothing in it is there for speed."""

import contextlib
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from polykeras.backends import Backend
from polykeras.core import dtypes, trees

jax.config.update("jax_enable_x64", True)

# What computes on arrays as the interface wants it, and has the same name.
SAME_NAMES = (
    "negative sign exp expm1 log log1p sqrt sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh "
    "arctanh floor ceil isfinite isnan logical_not bitwise_not add subtract multiply divide floor_divide mod power "
    "maximum minimum arctan2 equal not_equal less less_equal greater greater_equal logical_and logical_or "
    "bitwise_and bitwise_or bitwise_xor left_shift right_shift where matmul einsum real imag reshape transpose "
    "broadcast_to flip concatenate sort"
)
HALF_PRECISION = ("float16", "bfloat16")


def in_single_precision(function):
    """Wrap a function that the engine lacks, or rounds badly, in half precision."""

    @functools.wraps(function)
    def method(x, *arguments, **options):
        if x.dtype.name not in HALF_PRECISION:
            return function(x, *arguments, **options)
        arguments = [a.astype("float32") if isinstance(a, jax.Array) else a for a in arguments]
        return trees.map(lambda result: result.astype(x.dtype), function(x.astype("float32"), *arguments, **options))

    return method


def int32(indices):
    return [jnp.asarray(index, "int32") for index in indices]


def reduction(name):
    """Make a method of a reduction of the engine."""

    def reduce(x, axes=None, keepdims=False):
        return getattr(jnp, name)(x, axis=axes, keepdims=keepdims).astype("bool" if name in ("any", "all") else x.dtype)

    return in_single_precision(reduce)


class ToyBackend(Backend):
    """The interface over JAX, one short method a primitive."""

    name = "toy"
    is_traced = captures = True

    # Arrays

    def array(self, x, dtype=None):
        if isinstance(x, jax.Array):
            return x if dtype is None else self.cast(x, dtype)
        return jnp.array(self.host_array(x, dtype))

    def to_numpy(self, x):
        return np.asarray(x)

    def is_array(self, x):
        return isinstance(x, jax.Array)

    def shape(self, x):
        return x.shape

    def dtype(self, x):
        return x.dtype.name

    def cast(self, x, dtype):
        return x.astype(dtypes.numpy_dtype(dtype))

    def bitcast(self, x, dtype):
        return x.view(dtypes.numpy_dtype(dtype))

    def copy(self, x):
        return jnp.array(x, copy=True)

    def concrete(self, x):
        return x.item() if isinstance(x, jax.Array) and not isinstance(x, jax.core.Tracer) else x

    def full(self, shape, value, dtype):
        return jnp.full(shape, value, dtypes.numpy_dtype(dtype))

    def arange(self, start, stop, step, dtype):
        return jnp.asarray(np.arange(start, stop, step).astype(dtypes.numpy_dtype(dtype)))

    # What computes on arrays only

    for _name in SAME_NAMES.split():
        locals()[_name] = staticmethod(getattr(jnp, _name))
    for _name in ("sum", "prod", "max", "min", "any", "all"):
        locals()[_name] = staticmethod(reduction(_name))
    for _name in ("cholesky", "solve", "inv", "det", "qr", "svd", "eigh", "eig"):
        locals()[_name] = staticmethod(in_single_precision(getattr(jnp.linalg, _name)))

    round = staticmethod(jnp.rint)
    erf = staticmethod(lax.erf)
    erfinv = staticmethod(lax.erf_inv)
    lgamma = staticmethod(lax.lgamma)
    digamma = staticmethod(lax.digamma)
    complex = staticmethod(lax.complex)
    cumsum = staticmethod(in_single_precision(lambda x, axis: jnp.cumsum(x, axis, x.dtype)))
    cumprod = staticmethod(in_single_precision(lambda x, axis: jnp.cumprod(x, axis, x.dtype)))

    def absolute(self, x, /):
        return x * jnp.sign(x)  # the gradient of jnp.abs at 0 is 1

    def argmax(self, x, axis):
        return jnp.argmax(x, axis).astype("int32")

    def argmin(self, x, axis):
        return jnp.argmin(x, axis).astype("int32")

    def argsort(self, x, axis):
        return jnp.argsort(x, axis).astype("int32")

    def solve_triangular(self, a, b, lower=False):
        mask = jnp.tril if lower else jnp.triu
        return self.solve(mask(a), b)

    # Parts of arrays

    def getitem(self, x, index):
        return x[index]

    def pad(self, x, widths, value=0):
        return jnp.pad(x, widths, constant_values=value)

    def take(self, x, indices, axis):
        return jnp.take(x, indices, axis)

    def take_along_axis(self, x, indices, axis):
        return jnp.take_along_axis(x, indices, axis)

    def scatter_add(self, x, indices, updates):
        return x.at[tuple(indices.T)].add(updates)

    def scatter_set(self, x, indices, updates):
        return x.at[tuple(indices.T)].set(updates)

    def dynamic_slice(self, x, start, sizes):
        return lax.dynamic_slice(x, int32(start), sizes, allow_negative_indices=False)

    def dynamic_update(self, x, update, start):
        return lax.dynamic_update_slice(x, update, int32(start), allow_negative_indices=False)

    # Control

    def scan(self, step, carry, xs, length=None, reverse=False):
        return lax.scan(step, carry, xs, length, reverse)

    def cond(self, predicate, on_true, on_false):
        return lax.cond(predicate, on_true, on_false)

    def while_loop(self, condition, body, values):
        return lax.while_loop(lambda v: condition(*v), lambda v: tuple(body(*v)), tuple(values))

    # Differentiation

    def value_and_grad(self, function, arrays):
        result, gradients = jax.value_and_grad(function, has_aux=True, allow_int=True)(list(arrays))
        pairs = zip(gradients, arrays, strict=True)
        return result, [g if g.dtype == x.dtype else jnp.zeros_like(x) for g, x in pairs]

    stop_gradient = staticmethod(lax.stop_gradient)
    checkpoint = staticmethod(jax.checkpoint)

    def custom_gradient(self, function):
        @jax.custom_gradient
        def call(*arrays):
            output, backward = function(*arrays)

            def gradients(*upstream):
                parts = backward(*upstream[0]) if isinstance(upstream[0], tuple | list) else backward(*upstream)
                return tuple(parts) if isinstance(parts, tuple | list) else (parts,)

            return output, gradients

        return call

    def compile(self, function, donate=False, optimize=None):
        return jax.jit(function)

    # Devices

    def devices(self):
        return ["cpu:0"]

    def use_device(self, name):
        if name.lower() not in ("cpu", "cpu:0"):
            raise ValueError(f"Expected one of the devices {self.devices()}. Received: {name!r}.")
        return contextlib.nullcontext()

    def place(self, x, device=None):
        return x

    def version(self):
        return jax.__version__
