"""Loops and branches that can be compiled, and differentiation."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from polykeras.backends import current, use
from polykeras.backends.contract.spec import SPEC, SpecArray
from polykeras.core import functionalization, trees
from polykeras.core.context import owned
from polykeras.core.shape_inference import inferred
from polykeras.core.variables import Variable
from polykeras.ops import _call
from polykeras.ops._call import array, op


def _arrays(tree: Any) -> Any:
    return trees.map(array, tree)


# -------------------------------------------------------------- loops, branches


def _body(function: Callable) -> Callable:
    """Wrap a function to return arrays and to draw no seeds of a layer: traced separately, it cannot advance them."""

    def call(*args: Any) -> Any:
        with owned(None):
            return _arrays(function(*args))

    return call


@op
def cond(pred: Any, true_fn: Callable, false_fn: Callable) -> Any:
    """Return the result of one of two functions.

    Args:
        pred: a bool, or a 0-d array.
        true_fn, false_fn: functions without arguments that return trees of arrays with the same
            structure, shapes and dtypes.

    >>> cond(True, lambda: 1.0, lambda: 2.0)
    1.0
    """
    if isinstance(pred, bool | np.bool_):
        return true_fn() if pred else false_fn()
    return current().cond(array(pred, "bool"), _body(true_fn), _body(false_fn))


@op
def switch(index: Any, branches: Sequence[Callable], *operands: Any) -> Any:
    """Return the result of the branch with a given index.

    Args:
        index: int or 0-d array; clipped to the range of the branches.
        branches: list of functions of the operands that return trees with the same structure.
        *operands: arguments of the branches, arrays.

    >>> switch(1, [lambda x: x + 1, lambda x: x * 2], array(5))
    np.int32(10)
    """
    backend = current()
    number = backend.concrete(array(index))
    calls = [functools.partial(branch, *operands) for branch in branches]
    if isinstance(number, int):
        return calls[min(max(number, 0), len(calls) - 1)]()

    def choose(first: int) -> Any:
        if first == len(calls) - 1:
            return _body(calls[first])()
        return backend.cond(backend.less_equal(number, first), _body(calls[first]), lambda: choose(first + 1))

    return choose(0)


@op
def while_loop(cond: Callable, body: Callable, loop_vars: Any, maximum_iterations: int | None = None) -> Any:
    """Repeat ``loop_vars = body(*loop_vars)`` while ``cond(*loop_vars)``.

    Args:
        cond: function that returns a 0-d bool.
        body: function that returns new values with the same shapes and dtypes.
        loop_vars: a tuple or list of trees of arrays, or one array.
        maximum_iterations: int, the maximum number of iterations; default None for no limit.

    >>> while_loop(lambda n: n < 10, lambda n: n * 2, array(3))
    np.int32(12)
    """
    backend = current()
    is_many = isinstance(loop_vars, list | tuple)
    leaves, structure = trees.flatten(tuple(loop_vars) if is_many else (loop_vars,))
    first = [array(0, "int32"), *(array(leaf) for leaf in leaves)]
    if backend.counts_in_python():
        leaves = _while_in_python(cond, body, structure, leaves, is_many, maximum_iterations)
        values = trees.unflatten(
            structure, [array(v, backend.dtype(x)) for v, x in zip(leaves, first[1:], strict=True)]
        )
        return type(loop_vars)(values) if is_many else values[0]

    def goes_on(count: Any, *values: Any) -> Any:
        result = array(cond(*trees.unflatten(structure, values)), "bool")
        if maximum_iterations is None:
            return result
        return backend.logical_and(result, backend.less(count, maximum_iterations))

    def step(count: Any, *values: Any) -> tuple:
        result = _body(body)(*trees.unflatten(structure, values))
        result = trees.leaves(tuple(result) if is_many else result)
        return backend.add(count, 1), *(array(v, backend.dtype(old)) for v, old in zip(result, values, strict=True))

    values = trees.unflatten(structure, backend.while_loop(goes_on, step, tuple(first))[1:])
    return type(loop_vars)(values) if is_many else values[0]


def _while_in_python(
    cond: Callable, body: Callable, structure: Any, leaves: list, is_many: bool, most: int | None
) -> list:
    """Return the leaves of the last values; Python numbers remain Python numbers."""
    counts = itertools.count() if most is None else range(most)
    for _ in counts:
        values = trees.unflatten(structure, leaves)
        if not cond(*values):
            break
        with owned(None):
            result = body(*values)
        leaves = trees.leaves(tuple(result) if is_many else result)
    return leaves


@op
def fori_loop(lower: Any, upper: Any, body_fun: Callable, init_val: Any) -> Any:
    """Repeat ``value = body_fun(i, value)`` for i from ``lower`` up to below ``upper``.

    Args:
        lower, upper: ints or 0-d arrays; the loop is differentiable only if both are known ints.
        body_fun: function that returns a new value with the same structure, shapes and dtypes.
        init_val: a tree of arrays.

    >>> fori_loop(0, 4, lambda i, total: total + i, array(0))
    np.int32(6)
    """
    backend = current()
    init_val = _arrays(init_val)
    if isinstance(lower, int) and isinstance(upper, int) and backend.counts_in_python():
        for i in range(lower, upper):
            result = _body(body_fun)(i, init_val)
            init_val = trees.map(lambda new, old: array(new, backend.dtype(old)), result, init_val)
        return init_val
    if isinstance(lower, int) and isinstance(upper, int):
        indices = backend.arange(lower, upper, 1, "int32")

        def step(value: Any, i: Any) -> Any:
            return (_body(body_fun)(i, value), None)

        return backend.scan(step, init_val, indices)[0]
    result = while_loop(
        lambda i, value: backend.less(*_call.operands(i, upper)),
        lambda i, value: (backend.add(i, 1), body_fun(i, value)),
        (array(lower, "int32"), init_val),
    )
    return result[1]


@op
def scan(
    f: Callable, init: Any, xs: Any = None, length: int | None = None, reverse: bool = False, unroll: int = 1
) -> tuple:
    """Run ``carry, y = f(carry, x)`` over the first axis.

    Args:
        f: function that keeps the structure, shapes and dtypes of the carry; y is a tree of arrays or None.
        init: the initial carry, a tree of arrays.
        xs: a tree of arrays whose first axes have the same size, or None.
        length: int, the number of steps; needed if ``xs`` is None; default None.
        reverse: bool, whether to run from the last entry to the first; default False.
        unroll: for compatibility; default 1.

    Returns:
        (last carry, stacked ys).

    >>> scan(lambda total, x: (total + x, total), array(0), array([1, 2, 3]))
    (np.int32(6), array([0, 1, 3], dtype=int32))
    """
    return _scanned(lambda carry, x: tuple(f(carry, x)), _arrays(init), _arrays(xs), length, reverse)


def _scanned(step: Callable, carry: Any, xs: Any, length: int | None = None, reverse: bool = False) -> tuple:
    """``scan`` of arrays; after no steps, stacks of no results have the shapes that those of steps would have."""
    backend = current()
    step = _body(step)
    leaves = trees.leaves(xs)
    if (backend.shape(leaves[0])[0] if leaves else length) != 0 or backend.is_symbolic:
        return backend.scan(step, carry, xs, length, reverse)
    specs = trees.map(lambda x: SpecArray(tuple(backend.shape(x)), backend.dtype(x)), (carry, xs))
    with use(SPEC):
        _, ys = inferred(SPEC.scan, step, *specs, length)
    return carry, trees.map(lambda y: backend.full(y.shape, 0, y.dtype), ys)


@op
def associative_scan(f: Callable, elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """Return cumulative results of an associative function along an axis, in log2(n) passes.

    Uses the scan of W. D. Hillis and G. L. Steele, "Data parallel algorithms" (1986).

    Args:
        f: function that combines two trees of arrays, entry by entry.
        elems: a tree of arrays.
        reverse: bool, whether to run from the last entry to the first; default False.
        axis: int; default 0.

    >>> associative_scan(lambda a, b: a + b, array([1, 2, 3]))
    array([1, 3, 6], dtype=int32)
    """
    backend = current()
    elems = _arrays(elems)
    shape = backend.shape(trees.leaves(elems)[0])
    axis = _call.axis_of(axis, len(shape))
    turn = (lambda tree: trees.map(lambda x: backend.flip(x, (axis,)), tree)) if reverse else (lambda tree: tree)

    def part(tree: Any, *bounds: Any) -> Any:
        return trees.map(  # noqa: E731
            lambda x: backend.getitem(x, (slice(None),) * axis + (slice(*bounds),)), tree
        )

    result, step = turn(elems), 1
    while step < (shape[axis] or 0):
        combined = _arrays(f(part(result, None, -step), part(result, step, None)))

        def join(x: Any, y: Any) -> Any:
            return backend.concatenate((x, y), axis)

        result = trees.map(join, part(result, None, step), combined)
        step *= 2
    return turn(result)


@op
def map(f: Callable, xs: Any) -> Any:
    """Return the stacked results of a function for each entry of the first axis.

    Args:
        f: function of a tree of arrays.
        xs: a tree of arrays whose first axes have the same size.

    >>> map(lambda x: x * 2, array([1, 2, 3]))
    array([2, 4, 6], dtype=int32)
    """
    return _scanned(lambda carry, x: (carry, f(x)), None, _arrays(xs))[1]


@op
def vectorized_map(function: Callable, elements: Any) -> Any:
    """Return the stacked results of a function for each entry of the first axis.

    Args:
        function: function of one entry along the first axis.
        elements: array, or tree of arrays, of shape (n, ...).

    >>> vectorized_map(lambda x: x * 2, array([1, 2, 3]))
    array([2, 4, 6], dtype=int32)
    """
    return map(function, elements)


def vectorize(pyfunc: Callable, *, excluded: Any = None, signature: str | None = None) -> Callable:
    """Turn a function of entries into a function of arrays that broadcast.

    Args:
        pyfunc: function of 0-d arrays, or of the axes that ``signature`` names.
        excluded: indices of arguments to pass unchanged; default None.
        signature: str such as "(m,n),(n)->(m)", the core axes of each argument; default None, for scalars.

    >>> vectorize(lambda a, b: a + b)(array([1, 2]), array([[3], [4]]))
    array([[4, 5],
           [5, 6]], dtype=int32)
    """
    excluded = set(excluded or ())
    cores = None
    if signature is not None:
        inputs = signature.partition("->")[0].replace(" ", "")
        cores = [len([name for name in core.split(",") if name]) for core in inputs.strip("()").split("),(")]

    def call(*args: Any) -> Any:
        backend = current()
        indices = [n for n in range(len(args)) if n not in excluded]
        arrays = [array(args[n]) for n in indices]
        shapes = [tuple(backend.shape(x)) for x in arrays]
        splits = [len(s) - core for s, core in zip(shapes, cores or [0] * len(arrays), strict=True)]
        common = np.broadcast_shapes(*(s[:n] for s, n in zip(shapes, splits, strict=True)))
        flat = []
        for x, s, n in zip(arrays, shapes, splits, strict=True):
            wide = backend.broadcast_to(backend.reshape(x, (1,) * (len(common) - n) + s), common + s[n:])
            flat.append(backend.reshape(wide, (_call.times(*common), *s[n:])))

        def one(values: list) -> Any:
            full = list(args)
            for n, value in zip(indices, values, strict=True):
                full[n] = value
            return pyfunc(*full)

        def restore(y: Any) -> Any:
            return backend.reshape(y, common + tuple(backend.shape(y))[1:])

        return trees.map(restore, map(one, flat))

    return call


# --------------------------------------------------------------- differentiation


@op
def stop_gradient(variable: Any) -> Any:
    """Return an array that differentiation treats as a constant.

    Args:
        variable: array or Variable, of any shape.

    >>> stop_gradient([1.0, 2.0])
    array([1., 2.], dtype=float32)
    """
    return current().stop_gradient(array(variable))


def custom_gradient(f: Callable) -> Callable:
    """Return a function with a custom gradient.

    Args:
        f: function of arrays that returns (output, backward); ``backward(upstream)`` returns
            the gradients of the arguments.

    >>> @custom_gradient
    ... def clipped(x):
    ...     return x, lambda upstream: upstream * 0.5
    >>> grad(clipped)(array(3.0))
    np.float32(0.5)
    """

    @functools.wraps(f)
    def call(*args: Any) -> Any:
        return current().custom_gradient(f)(*(array(x) for x in args))

    return op(call)


def value_and_grad(fn: Callable, variables: list[Variable] | None = None, has_aux: bool = False) -> Callable:
    """Return a function that computes ``fn`` and its gradients.

    Args:
        fn: function that returns a 0-d loss, or (loss, aux) with ``has_aux``.
        variables: list of variables to differentiate with respect to; None for the first argument, a float tree.
        has_aux: bool, whether ``fn`` returns a tree of auxiliary results besides the loss; default False.

    Returns:
        ``f(*inputs) -> (loss or (loss, aux), gradients)``; gradients have the structure of ``variables``,
        or of the first argument.

    >>> value_and_grad(lambda x: sum(x * x))(array([1.0, 2.0]))
    (np.float32(5.0), array([2., 4.], dtype=float32))
    """
    if variables is not None:
        return functionalization.value_and_grad(fn, list(variables), has_aux)

    def call(first: Any, *inputs: Any, **kwargs: Any) -> tuple:
        backend = current()
        leaves, structure = trees.flatten(first)
        leaves = [_call.float_array(x) for x in leaves]

        def inner(values: list) -> tuple:
            result = fn(trees.unflatten(structure, values), *inputs, **kwargs)
            loss, aux = result if has_aux else (result, None)
            return functionalization._loss(backend, loss), aux

        (loss, aux), gradients = backend.value_and_grad(inner, leaves)
        return ((loss, aux) if has_aux else loss), trees.unflatten(structure, gradients)

    return call


def grad(fn: Callable, variables: list[Variable] | None = None, has_aux: bool = False) -> Callable:
    """Return a function that computes the gradients of ``fn``; see ``value_and_grad`` for the arguments.

    Args:
        fn: function of arrays that returns a scalar.
        variables: list of variables to differentiate with respect to; None for the first argument of ``fn``.
        has_aux: bool, whether ``fn`` returns auxiliary results besides the scalar; default False.

    Returns:
        ``f(*inputs) -> gradients``, or (gradients, aux) with ``has_aux``.

    >>> grad(lambda x: sum(x * x))(array([1.0, 2.0]))
    array([2., 4.], dtype=float32)
    """
    both = value_and_grad(fn, variables, has_aux)

    def call(*inputs: Any, **kwargs: Any) -> Any:
        value, gradients = both(*inputs, **kwargs)
        return (gradients, value[1]) if has_aux else gradients

    return call


@op
def jvp(fun: Callable, primals: Sequence, tangents: Sequence, has_aux: bool = False) -> tuple:
    """Return the value of a function and its directional derivative.

    Computed by differentiating the reverse-mode gradient with respect to its (linear) upstream argument.

    Args:
        fun: function of float arrays that returns a tree of float arrays (and aux).
        primals: the arguments, float arrays.
        tangents: the direction, one array for each argument.
        has_aux: bool, whether ``fun`` returns (output, aux); default False.

    Returns:
        (output, derivative), or (output, derivative, aux).

    >>> jvp(lambda x: x * x, (array(3.0),), (array(1.0),))
    (np.float32(9.0), np.float32(6.0))
    """
    backend = current()
    primals, tangents = list(_arrays(tuple(primals))), _arrays(tuple(tangents))
    output = fun(*primals)
    output, aux = output if has_aux else (output, None)
    leaves, structure = trees.flatten(_arrays(output))

    def weighted(values: list, weights: list) -> Any:
        result = fun(*values)
        result = trees.leaves(_arrays(result[0] if has_aux else result))
        return _dot_all(result, weights)

    def along(weights: list) -> tuple:
        def inner(values: Any) -> Any:
            return (weighted(values, weights), None)

        gradients = backend.value_and_grad(inner, primals)[1]
        return _dot_all(gradients, tangents), None

    zeros = [backend.full(tuple(backend.shape(y)), 0.0, backend.dtype(y)) for y in leaves]
    derivative = trees.unflatten(structure, backend.value_and_grad(along, zeros)[1])
    return (output, derivative, aux) if has_aux else (output, derivative)


def _dot_all(xs: Sequence, ys: Sequence) -> Any:
    backend = current()
    parts = [backend.sum(backend.multiply(x, y)) for x, y in zip(xs, ys, strict=True)]
    return functools.reduce(backend.add, parts)
