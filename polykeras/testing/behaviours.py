"""Checks that need more than one call and its value: making arrays, control flow, transforms, placement.

Each check is a function of the adapter that raises a ``ConformanceError``. Its name completes the sentence
"an adapter that passes it ...".
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from polykeras import config
from polykeras.core import dtypes, trees
from polykeras.testing.cases import INF, NAN, NUMERIC, REAL, ConformanceError, central_differences, compare, values

CHECKS: list[Callable] = []


def behaviour(check: Callable) -> Callable:
    """Add a check to the suite."""
    CHECKS.append(check)
    return check


def _equal(actual: Any, expected: Any, what: str) -> None:
    if actual != expected or type(actual) is not type(expected):
        raise ConformanceError(f"Expected {what} to be {expected!r}. Received: {actual!r}.")


def _same_trees(b: Any, actual: Any, expected: Any, what: str, tolerance: float = 10) -> None:
    """Compare trees of the adapter's arrays with trees of NumPy arrays."""
    if trees.structure(actual) != trees.structure(expected):
        raise ConformanceError(
            f"Expected {what} to have structure {trees.structure(expected)}. Received: {trees.structure(actual)}."
        )
    for array, right in zip(trees.leaves(actual), trees.leaves(expected), strict=True):
        compare(b.to_numpy(array), np.asarray(right), what, tolerance)


def _gradient(b: Any, function: Callable, *arrays: Any) -> list:
    """Return the gradient of a function of arrays that returns a 0-d array."""
    return b.value_and_grad(lambda given: (function(*given), None), list(arrays))[1]


def _in_both_modes(b: Any, function: Callable, *arrays: np.ndarray) -> list:
    """Run a function of arrays both eagerly and compiled; return both results."""
    compiled = b.compile(lambda state, *given: (state, function(*given)), optimize=False)
    return [function(*map(b.array, arrays)), compiled((), *map(b.array, arrays))[1]]


def _computed(b: Any, function: Callable, *arrays: np.ndarray) -> Any:
    """Run a function of arrays, compiled if the engine is slow at many small calls."""
    if not b.is_traced:
        return function(*map(b.array, arrays))
    return b.compile(lambda state, *given: (state, function(*given)), optimize=False)((), *map(b.array, arrays))[1]


# ---------------------------------------------------------------------- arrays


@behaviour
def makes_arrays_of_numpy_arrays_and_back(b: Any) -> None:
    for dtype in REAL:
        for shape in ((), (0,), (2, 3), (2, 0, 3)):
            x = values(*shape, dtype=dtype)
            array = b.array(x)
            what = f"to_numpy(array(x)) of {dtype} {shape}"
            compare(b.to_numpy(array), x, what)
            _equal(b.dtype(array), dtype, f"dtype({what})")
            _equal(b.shape(array), shape, f"shape({what})")
            _equal(b.is_array(array), True, f"is_array({what})")
    reversed_view = values(2, 3).T[::-1]
    compare(b.to_numpy(b.array(reversed_view)), reversed_view, "to_numpy(array(x)) of a view")


@behaviour
def makes_arrays_of_python_numbers(b: Any) -> None:
    table = {True: "bool", 3: "int32", 2.5: config.floatx()}
    for number, dtype in table.items():
        for x in (number, [number], [[number, number]]):
            expected = np.array(x, dtypes.numpy_dtype(dtype))
            compare(b.to_numpy(b.array(x)), expected, f"array({x!r})")
    for dtype in REAL:
        expected = np.array([0, 1]).astype(dtypes.numpy_dtype(dtype))
        for given in ([0, 1], expected, b.array(expected)):
            compare(b.to_numpy(b.array(given, dtype)), expected, f"array({given!r}, {dtype!r})")
    compare(b.to_numpy(b.array(np.array([1.7, -1.7]), "int32")), np.array([1, -1], "int32"), "array(floats, 'int32')")


@behaviour
def knows_its_own_arrays(b: Any) -> None:
    for other in (1, 2.0, True, None, "x", [1.0], (), {"a": 1}):
        _equal(b.is_array(other), False, f"is_array({other!r})")


@behaviour
def casts_between_all_dtypes(b: Any) -> None:
    for source in REAL:
        kind = dtypes.numpy_dtype(source)
        samples = [("bool", np.array([0, 1]).astype(kind))]
        if source != "bool":
            samples += [(target, np.array([0, 1, 2, 100]).astype(kind)) for target in NUMERIC]
        else:
            samples += [(target, np.array([False, True])) for target in NUMERIC]
        if dtypes.is_float(source):
            fractions = np.array([1.75, -1.75, 0.5, -0.5]).astype(kind)
            samples += [(target, fractions) for target in (*dtypes.SIGNED, *dtypes.FLOATS)]
            samples.append(("bool", np.array([0.0, -0.0, 0.25, NAN, -INF]).astype(kind)))
        if dtypes.is_integer(source):
            limits = np.iinfo(source)
            samples.append(("bool", np.array([limits.max, limits.min, 256 % limits.max, 0], source)))
        _check_casts(b, source, samples)


def _check_casts(b: Any, source: str, samples: list) -> None:
    targets, arrays = zip(*samples, strict=True)
    results = _computed(b, lambda *given: list(map(b.cast, given, targets)), *arrays)
    for target, x, result in zip(targets, arrays, results, strict=True):
        expected = x.astype(dtypes.numpy_dtype(target))
        compare(b.to_numpy(result), expected, f"cast({source}, {target!r}) of {x}")


@behaviour
def casts_to_the_same_dtype_for_free(b: Any) -> None:
    x = b.array(values(3))
    _equal(b.cast(x, "float32") is x, True, "cast(x, dtype of x) is x")


@behaviour
def differentiates_casts_between_floats(b: Any) -> None:
    pairs = list(itertools.product(dtypes.FLOATS, dtypes.FLOATS))

    def slopes(*given: Any) -> list:
        return [_gradient(b, lambda x, t=t: b.sum(b.cast(x, t)), x)[0] for x, (_, t) in zip(given, pairs, strict=True)]

    results = _computed(b, slopes, *(values(3, dtype=source) for source, _ in pairs))
    for result, (source, target) in zip(results, pairs, strict=True):
        what = f"the gradient of cast({source}, {target!r})"
        compare(b.to_numpy(result), np.ones(3, dtypes.numpy_dtype(source)), what)


@behaviour
def reads_bits_as_another_dtype(b: Any) -> None:
    widths = [["int8", "uint8"], ["int16", "uint16", "float16", "bfloat16"]]
    widths += [["int32", "uint32", "float32"], ["int64", "uint64", "float64"]]
    pairs = [pair for family in widths for pair in itertools.permutations(family, 2)]
    arrays = [np.array([0, 1, 2, 3]).astype(dtypes.numpy_dtype(source)) for source, _ in pairs]
    targets = [target for _, target in pairs]
    results = _computed(b, lambda *given: list(map(b.bitcast, given, targets)), *arrays)
    for result, x, target in zip(results, arrays, targets, strict=True):
        what, actual = f"bitcast({x.dtype}, {target!r})", b.to_numpy(result)
        _equal(actual.dtype.name, target, f"the dtype of {what}")
        _equal(actual.tobytes(), x.tobytes(), f"the bits of {what}")


@behaviour
def fills_arrays_with_one_number(b: Any) -> None:
    for dtype in REAL:
        kind = dtypes.numpy_dtype(dtype)
        for shape in ((), (0, 2), (2, 3)):
            for value in (1, True, 1.0, b.array(np.array(1, kind))):
                compare(b.to_numpy(b.full(shape, value, dtype)), np.ones(shape, kind), f"full({shape}, 1, {dtype!r})")
        if dtypes.is_float(dtype):
            for value in (-INF, NAN, 2.5):
                compare(b.to_numpy(b.full((2,), value, dtype)), np.full(2, value, kind), f"full of {value}, {dtype}")


@behaviour
def differentiates_filling(b: Any) -> None:
    (gradient,) = _gradient(b, lambda x: b.sum(b.full((2, 3), x, "float64")), b.array(np.array(2.0)))
    compare(b.to_numpy(gradient), np.array(6.0), "the gradient of full by its value")


@behaviour
def counts_in_steps(b: Any) -> None:
    ranges = [(0, 5, 1), (2, 9, 3), (0, 0, 1), (3, 1, 1), (5, 0, -2), (0, 1, 0.25), (0.5, 3, 1), (1, 2, 0.1)]
    kinds = ("int32", "int64", "uint8", "float16", "bfloat16", "float32", "float64")
    calls = [(*steps, dtype) for steps in ranges for dtype in kinds]
    results = _computed(b, lambda: [b.arange(*call) for call in calls])
    for call, result in zip(calls, results, strict=True):
        expected = np.arange(*call[:3]).astype(dtypes.numpy_dtype(call[3]))
        compare(b.to_numpy(result), expected, f"arange{call}")


@behaviour
def tells_the_values_of_0d_arrays(b: Any) -> None:
    table = {"bool": True, "int32": -3, "int64": 2**40, "uint8": 200, "float32": 0.5, "float64": 0.1, "float16": 2.0}
    for dtype, value in table.items():
        _equal(b.concrete(b.array(value, dtype)), value, f"concrete of a 0-d {dtype} array")


@behaviour
def copies_to_memory_of_its_own(b: Any) -> None:
    x = values(64, dtype="float64")
    expected = x.copy()
    # The array may share memory with x; its copy must not.
    duplicate = b.copy(b.array(x))
    x[...] = 0
    compare(b.to_numpy(duplicate), expected, "a copy, after a change of what it was made from,")
    (slope,) = _gradient(b, lambda x: b.sum(b.multiply(b.copy(x), 2.0)), b.array(expected))
    compare(b.to_numpy(slope), np.full_like(expected, 2), "the gradient of copy")


@behaviour
def keeps_its_arguments_unchanged(b: Any) -> None:
    x, updates = b.array(values(3, 2)), b.array(values(1, 2, seed=1))
    before = b.to_numpy(x).copy()
    index = b.array(np.array([[1]]))
    calls = {
        "scatter_add": lambda: b.scatter_add(x, index, updates),
        "scatter_set": lambda: b.scatter_set(x, index, updates),
        "dynamic_update": lambda: b.dynamic_update(x, updates, (0, 0)),
        "add": lambda: b.add(x, x),
        "sort": lambda: b.sort(x, 0),
        "cumsum": lambda: b.cumsum(x, 0),
        "relu": lambda: b.relu(x),
    }
    for name, call in calls.items():
        call()
        compare(b.to_numpy(x), before, f"the argument of {name}, afterwards,")


# ------------------------------------------------------------------- gradients


@behaviour
def shares_the_gradient_between_equal_extremes(b: Any) -> None:
    x = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
    table = {"max": [[0, 1 / 2, 1 / 2], [1 / 3, 1 / 3, 1 / 3]], "min": [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]]}
    for name, expected in table.items():
        (gradient,) = _gradient(b, lambda x, name=name: b.sum(getattr(b, name)(x, (1,))), b.array(x))
        compare(b.to_numpy(gradient), np.array(expected), f"the gradient of {name} at ties")


@behaviour
def has_no_slope_at_the_kinks_of_absolute_and_relu(b: Any) -> None:
    for name in ("absolute", "relu"):
        (gradient,) = _gradient(b, lambda x, name=name: b.sum(getattr(b, name)(x)), b.array(np.zeros(2)))
        compare(b.to_numpy(gradient), np.zeros(2), f"the gradient of {name} at 0")


@behaviour
def picks_the_first_of_equal_maxima_of_a_pool(b: Any) -> None:
    for rank in (1, 2, 3):
        x = np.ones((1, *(4,) * rank, 1), "float32")
        window = (2,) * rank

        def slope(x: Any, w: Any = window) -> Any:
            return _gradient(b, lambda x: b.sum(b.pool(x, "max", w, w, "valid")), x)[0]

        gradient = _computed(b, slope, x)
        expected = np.zeros_like(x)
        expected[(slice(None), *(slice(None, None, 2),) * rank)] = 1
        compare(b.to_numpy(gradient), expected, f"the gradient of a {rank}-d max pool at ties")


@behaviour
def returns_value_aux_and_gradients(b: Any) -> None:
    for dtype in dtypes.FLOATS:
        x = np.array([1, 2, 3]).astype(dtypes.numpy_dtype(dtype))

        def function(arrays: list) -> tuple:
            square = b.multiply(arrays[0], arrays[0])
            return b.sum(square), {"square": square, "nothing": None, "count": b.array(3)}

        def run(x: Any, function: Callable = function) -> Any:
            return b.value_and_grad(function, [x])

        for result in _in_both_modes(b, run, x):
            expected = ((x * x).sum(), {"square": x * x, "nothing": None, "count": np.array(3, "int32")}), [x + x]
            _same_trees(b, result, expected, f"value_and_grad of {dtype} arrays")


@behaviour
def gives_zeros_where_the_value_does_not_depend(b: Any) -> None:
    x, y, z = values(2), values(3, dtype="float64"), values(2, 2, dtype="float16")

    def run(*arrays: Any) -> Any:
        return _gradient(b, lambda x, y, z: b.sum(b.multiply(x, 2.0)), *arrays)

    for result in _in_both_modes(b, run, x, y, z):
        _same_trees(b, result, [np.full_like(x, 2), np.zeros_like(y), np.zeros_like(z)], "zero gradients")

    def constant(arrays: list) -> tuple:
        return b.array(1.0), None

    _, gradients = b.value_and_grad(constant, [b.array(x)])
    _same_trees(b, gradients, [np.zeros_like(x)], "the gradient of a constant")


@behaviour
def differentiates_by_argument_and_not_by_object(b: Any) -> None:
    x = np.array([1.0, 2.0])

    def twice(x: Any) -> Any:
        return _gradient(b, lambda p, q: b.sum(b.multiply(p, b.multiply(q, q))), x, x)

    def enclosed(x: Any) -> Any:
        return _gradient(b, lambda p: b.sum(b.multiply(p, x)), x)

    for result in _in_both_modes(b, twice, x):
        _same_trees(b, result, [x * x, 2 * x * x], "the gradient by one array given twice")
    for result in _in_both_modes(b, enclosed, x):
        _same_trees(b, result, [x], "the gradient beside an enclosed array")


@behaviour
def nests_gradients(b: Any) -> None:
    x = np.array([0.5, -1.0, 2.0])

    def cube(x: Any) -> Any:
        return b.sum(b.multiply(b.multiply(x, x), x))

    def second(x: Any) -> Any:
        return _gradient(b, lambda x: b.sum(_gradient(b, cube, x)[0]), x)

    def third(x: Any) -> Any:
        return _gradient(b, lambda x: b.sum(second(x)[0]), x)

    for result in _in_both_modes(b, second, x):
        _same_trees(b, result, [6 * x], "the second derivative of x**3")
    for result in _in_both_modes(b, third, x):
        _same_trees(b, result, [np.full(3, 6.0)], "the third derivative of x**3")

    def penalty(w: Any, x: Any) -> Any:
        """Check a gradient by inputs that is part of a loss of weights."""
        (slope,) = _gradient(b, lambda x: b.sum(b.tanh(b.multiply(w, x))), x)
        return b.sum(b.multiply(slope, slope))

    w = np.array([0.3, -0.7, 1.1])
    slope = 1 - np.tanh(w * x) ** 2
    expected = 2 * w * slope * (slope - 2 * w * x * np.tanh(w * x) * slope)
    for result in _in_both_modes(b, lambda w, x: _gradient(b, lambda w: penalty(w, x), w), w, x):
        _same_trees(b, result, [expected], "the gradient of a gradient penalty", 1e3)


@behaviour
def stops_gradients(b: Any) -> None:
    x = np.array([1.0, 2.0])

    def run(x: Any) -> Any:
        return _gradient(b, lambda x: b.sum(b.multiply(b.stop_gradient(x), x)), x)

    for result in _in_both_modes(b, run, x):
        _same_trees(b, result, [x], "the gradient of stop_gradient(x) * x")


@behaviour
def takes_custom_gradients(b: Any) -> None:
    x, y = np.array([1.0, 2.0]), np.array([3.0, 4.0])

    def single(x: Any, y: Any) -> tuple:
        return b.multiply(x, y), lambda g: (b.multiply(g, 10.0), b.multiply(g, y))

    def double(x: Any, y: Any) -> tuple:
        def backward(g: Any, h: Any) -> tuple:
            return b.add(g, b.multiply(h, 2.0)), b.multiply(h, 3.0)

        return (b.multiply(x, y), b.add(x, y)), backward

    def run_single(x: Any, y: Any) -> Any:
        def total(x: Any, y: Any) -> Any:
            return b.sum(b.multiply(b.custom_gradient(single)(x, y), 2.0))

        return b.value_and_grad(lambda given: (total(*given), None), [x, y])

    def run_double(x: Any, y: Any) -> Any:
        def total(given: list) -> tuple:
            first, second = b.custom_gradient(double)(*given)
            return b.add(b.sum(first), b.multiply(b.sum(second), 5.0)), None

        return b.value_and_grad(total, [x, y])

    for result in _in_both_modes(b, run_single, x, y):
        expected = (np.sum(2 * x * y), None), [np.full(2, 20.0), 2 * y]
        _same_trees(b, result, expected, "a custom gradient")
    for result in _in_both_modes(b, run_double, x, y):
        expected = (np.sum(x * y) + 5 * np.sum(x + y), None), [np.full(2, 11.0), np.full(2, 15.0)]
        _same_trees(b, result, expected, "a custom gradient of two outputs")
    for result in _in_both_modes(b, lambda x, y: b.custom_gradient(single)(x, y), x, y):
        _same_trees(b, result, x * y, "the output of a function with a custom gradient")


@behaviour
def computes_checkpoints_again(b: Any) -> None:
    x, y = np.array([0.5, -1.0]), np.array([2.0, 3.0])

    def inner(x: Any, y: Any) -> Any:
        return b.sin(b.multiply(b.exp(x), y))

    def run(x: Any, y: Any) -> Any:
        def total(given: Any) -> Any:
            return (b.sum(b.checkpoint(inner)(*given)), None)

        return b.value_and_grad(total, [x, y])

    slope = np.cos(np.exp(x) * y) * np.exp(x)
    expected = (np.sum(np.sin(np.exp(x) * y)), None), [slope * y, slope]
    for result in _in_both_modes(b, run, x, y):
        _same_trees(b, result, expected, "value and gradient of a checkpoint")


# --------------------------------------------------------------------- control


@behaviour
def scans(b: Any) -> None:
    start, xs = {"sum": np.zeros(2), "count": np.array(0, "int32")}, (values(4, 2, dtype="float64"), np.arange(4))

    def step(carry: dict, x: tuple) -> tuple:
        total = b.add(b.multiply(carry["sum"], 0.5), x[0])
        count = b.add(carry["count"], 1)
        return {"sum": total, "count": count}, [total, b.multiply(x[1], 2)]

    carry, totals = start["sum"], []
    for x in xs[0]:
        carry = carry * 0.5 + x
        totals.append(carry)
    expected = {"sum": carry, "count": np.array(4, "int32")}, [np.array(totals), np.arange(4) * 2]

    def run(total: Any, count: Any, *xs: Any) -> Any:
        return b.scan(step, {"sum": total, "count": count}, xs)

    for result in _in_both_modes(b, run, start["sum"], start["count"], *xs):
        _same_trees(b, result, expected, "a scan")


@behaviour
def scans_from_the_last_entry(b: Any) -> None:
    start, xs = np.zeros(2), values(4, 2, dtype="float64")
    expected = xs[::-1].cumsum(0)

    def run(start: Any, xs: Any) -> Any:
        return b.scan(lambda total, x: (b.add(total, x), b.add(total, x)), start, xs, reverse=True)

    for result in _in_both_modes(b, run, start, xs):
        _same_trees(b, result, (expected[-1], expected[::-1]), "a scan from the last entry")


@behaviour
def scans_without_inputs_or_outputs(b: Any) -> None:
    x = np.array([1.0, 2.0])

    def run(x: Any) -> Any:
        return b.scan(lambda carry, _: (b.multiply(carry, 2.0), None), x, None, 3)

    for result in _in_both_modes(b, run, x):
        _same_trees(b, result, (8 * x, None), "a scan without inputs or outputs")


@behaviour
def differentiates_scans(b: Any) -> None:
    start, xs, weight = values(2, dtype="float64"), values(3, 2, dtype="float64", seed=1), values(2, 2, dtype="float64")

    def loss(b: Any, start: Any, xs: Any, weight: Any) -> Any:
        def step(carry: Any, x: Any) -> tuple:
            carry = b.tanh(b.add(b.matmul(carry, weight), x))
            return carry, b.multiply(carry, carry)

        carry, ys = b.scan(step, start, xs)
        return b.add(b.sum(carry), b.sum(ys))

    def plain(start: np.ndarray, xs: np.ndarray, weight: np.ndarray) -> float:
        carry, total = start, 0.0
        for x in xs:
            carry = np.tanh(carry @ weight + x)
            total += np.sum(carry * carry)
        return total + carry.sum()

    arrays = [start, xs, weight]
    expected = [central_differences(lambda: plain(*arrays), x) for x in arrays]

    def run(*arrays: Any) -> Any:
        return _gradient(b, lambda *given: loss(b, *given), *arrays)

    for result in _in_both_modes(b, run, *arrays):
        _same_trees(b, result, expected, "the gradient through a scan", 1e3)


@behaviour
def takes_one_of_two_branches(b: Any) -> None:
    x = np.array([1.0, -2.0])

    def choose(predicate: Any, x: Any) -> Any:
        def on_true() -> Any:
            return {"y": b.multiply(x, 2.0), "n": None}

        def on_false() -> Any:
            return {"y": b.multiply(x, x), "n": None}

        return b.cond(predicate, on_true, on_false)

    def slope(predicate: Any, x: Any) -> Any:
        return _gradient(b, lambda x: b.sum(choose(predicate, x)["y"]), x)

    for predicate, value, gradient in ((True, 2 * x, np.full(2, 2.0)), (False, x * x, 2 * x)):
        for result in _in_both_modes(b, choose, np.array(predicate), x):
            _same_trees(b, result, {"y": value, "n": None}, f"cond({predicate})")
        for result in _in_both_modes(b, slope, np.array(predicate), x):
            _same_trees(b, result, [gradient], f"the gradient through cond({predicate})")


@behaviour
def repeats_while_a_condition_holds(b: Any) -> None:
    def run(count: Any, x: Any) -> Any:
        def body(count: Any, x: Any) -> Any:
            return (b.add(count, 1), b.multiply(x, 2.0))

        return b.while_loop(lambda count, x: b.less(count, 5), body, (count, x))

    x = np.array([1.0, 3.0])
    for start, factor in ((0, 32), (3, 4), (7, 1)):
        for result in _in_both_modes(b, run, np.array(start, "int32"), x):
            _same_trees(b, result, (np.array(max(start, 5), "int32"), factor * x), f"a loop from {start}")


# ----------------------------------------------------------------- compilation


def _train(b: Any, state: dict, x: Any, y: Any) -> tuple:
    """A least-squares step with a counter: state, inputs and results are trees."""

    def loss(arrays: list) -> tuple:
        error = b.subtract(b.matmul(x["x"], arrays[0]), y)
        return b.sum(b.multiply(error, error)), error

    (value, error), (gradient,) = b.value_and_grad(loss, [state["w"]])
    weight = b.subtract(state["w"], b.multiply(gradient, 0.1))
    return {"w": weight, "steps": b.add(state["steps"], 1)}, {"loss": value, "errors": [error, None]}


def _train_plainly(state: dict, x: np.ndarray, y: np.ndarray) -> tuple:
    error = x @ state["w"] - y
    weight = state["w"] - 0.2 * x.T @ error
    return {"w": weight, "steps": state["steps"] + 1}, {"loss": np.sum(error * error), "errors": [error, None]}


def _run_steps(b: Any, **options: Any) -> int:
    """Check three steps, one of another shape; return how often the function was called."""
    calls = 0

    def function(state: dict, x: dict, y: Any) -> tuple:
        nonlocal calls
        calls += 1
        return _train(b, state, x, y)

    step = b.compile(function, **options)
    expected = {"w": values(3, 1, dtype="float64"), "steps": np.array(0, "int32")}
    state = trees.map(b.array, trees.map(np.copy, expected))
    for rows in (4, 4, 2, 4):
        x, y = values(rows, 3, dtype="float64", seed=rows), values(rows, 1, dtype="float64")
        expected, right = _train_plainly(expected, x, y)
        state, result = step(state, {"x": b.array(x)}, b.array(y))
        _same_trees(b, (state, result), (trees.map(np.asarray, expected), right), f"a step compiled with {options}")
    return calls


@behaviour
def compiles_steps(b: Any) -> None:
    for options in ({}, {"donate": True}, {"optimize": False}):
        calls = _run_steps(b, **options)
        if b.is_traced and calls != 2:
            raise ConformanceError(f"Expected compile to trace once for each of two shapes. Received: {calls} traces.")


@behaviour
def compiles_steps_by_its_heavy_compiler(b: Any) -> None:
    if b.is_traced:
        _run_steps(b, optimize=True)


@behaviour
def compiles_functions_without_state_or_result(b: Any) -> None:
    for state, result in (((), None), (None, ()), ({}, [])):
        step = b.compile(lambda given, x, result=result: (given, result))
        _equal(step(state, b.array(1.0)), (state, result), "the result of a compiled step")


@behaviour
def keeps_unknown_values_as_arrays_while_tracing(b: Any) -> None:
    def function(state: Any, x: Any) -> tuple:
        y = b.concrete(b.multiply(x, 2))
        return state, b.add(b.array(1), y)

    _, result = b.compile(function)((), b.array(3))
    compare(b.to_numpy(result), np.array(7, "int32"), "a sum with concrete(x), compiled,")


@behaviour
def differentiates_compiled_functions(b: Any) -> None:
    x = np.array([1.0, 2.0, 3.0])
    square = b.compile(lambda state, x: (state, b.multiply(x, x)), optimize=False)
    (gradient,) = _gradient(b, lambda x: b.sum(square((), x)[1]), b.array(x))
    compare(b.to_numpy(gradient), 2 * x, "the gradient through a compiled function")


@behaviour
def makes_random_bits_of_traced_keys(b: Any) -> None:
    key = np.array(-12345, "int32"), np.array(2**30 + 7, "int32")
    eager, compiled = _in_both_modes(b, lambda *key: b.random_bits(key, (3, 5)), *key)
    compare(b.to_numpy(compiled), b.to_numpy(eager), "random bits, compiled,")


# ------------------------------------------------------------------- placement


@behaviour
def names_and_uses_its_devices(b: Any) -> None:
    names = b.devices()
    if not names or not all(isinstance(name, str) and ":" in name for name in names):
        raise ConformanceError(f"Expected devices() to name devices such as 'cpu:0'. Received: {names!r}.")
    x = values(2)
    for name in (*names, *{name.partition(":")[0] for name in names}):
        with b.use_device(name):
            compare(b.to_numpy(b.add(b.array(x), b.array(x))), x + x, f"a sum on {name}")
        compare(b.to_numpy(b.place(b.array(x), name)), x, f"an array placed on {name}")
    compare(b.to_numpy(b.place(b.array(x))), x, "an array placed on the device in use")


@behaviour
def refuses_devices_that_are_not_there(b: Any) -> None:
    for name in ("cuda:99", "abacus"):
        try:
            with b.use_device(name):
                pass
        except ValueError as error:
            if name not in str(error):
                raise ConformanceError(f"Expected the message to hold {name!r}. Received: {error}") from None
        else:
            raise ConformanceError(f"Expected use_device({name!r}) to raise a ValueError. Received: no error.")


@behaviour
def tells_its_version(b: Any) -> None:
    version = b.version()
    if not (isinstance(version, str) and version):
        raise ConformanceError(f"Expected version() to be a string that is not empty. Received: {version!r}.")
