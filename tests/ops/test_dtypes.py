"""Result dtypes follow the one table, which is that of real Keras."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from polykeras import ops
from polykeras.core.graph import KerasTensor


def words(text: str) -> list[str]:
    return text.split()


# Without 64 bits, which real Keras leaves out of its table on some backends.
DTYPES = ("bool", "uint8", "int8", "int32", "float16", "bfloat16", "float32")
ONE = words(
    """absolute negative sign exp log sqrt rsqrt square sin tanh floor ceil isfinite erf sum prod mean var
    std max min any all argmax argmin cumsum cumprod median sort argsort count_nonzero relu sigmoid
    softplus softmax silu gelu log_softmax zeros_like round trunc nan_to_num deg2rad expm1 log1p diff ptp
    logical_not"""
)
TWO = words(
    """add subtract multiply divide true_divide floor_divide mod power maximum minimum arctan2 equal less
    logical_and matmul dot outer logaddexp hypot where concatenate stack"""
)

# Where real Keras has no rule of its own, or another one on each backend.
UNDEFINED_FOR_BOOL = set(words("negative sign subtract floor_divide mod power square diff ptp round hypot"))
NEEDS_FLOATS = set(words("relu sigmoid softplus softmax silu gelu log_softmax erf rsqrt median"))
NEEDS_ARRAYS = set(words("arctan2 hypot matmul dot outer concatenate stack where"))


def is_defined(name: str, kinds: tuple) -> bool:
    if set(kinds) == {"bool"} and name in UNDEFINED_FOR_BOOL:
        return False
    if name in NEEDS_FLOATS and "float" not in kinds[0]:
        return False
    if name in ("sum", "prod") and kinds == ("uint8",):
        return False  # torch has no uint32
    return not (name in NEEDS_ARRAYS and {int, float} & set(kinds))


def apply(ops, name, arrays):
    if name in ("concatenate", "stack"):
        return getattr(ops, name)(arrays)
    if name == "where":
        return ops.where(True, *arrays)
    return getattr(ops, name)(*arrays)


def operands(make, kinds):
    """Arrays of the dtypes; Python numbers for the classes among them."""
    return [kind(2) if isinstance(kind, type) else make((3, 3), kind) for kind in kinds]


PAIRS = list(itertools.product(DTYPES, (*DTYPES, int, float)))
FEW_PAIRS = [
    ("bool", "int32"), ("int32", "float16"), ("int32", float), ("float16", "bfloat16"), ("bfloat16", int),
    ("bfloat16", float), ("float32", "bool"), ("bool", "bool"),
]  # fmt: skip


@pytest.mark.parametrize("name", [*ONE, *TWO])
def test_dtype_is_that_of_keras(real_keras, name):
    for kinds in [(dtype,) for dtype in DTYPES] if name in ONE else PAIRS:
        if is_defined(name, kinds):
            expected = apply(real_keras.ops, name, operands(real_keras.KerasTensor, kinds)).dtype
            assert apply(ops, name, operands(KerasTensor, kinds)).dtype == expected, kinds


@pytest.mark.parametrize("names", [ONE, TWO], ids=["one", "two"])
def test_inferred_dtype_is_that_of_the_value(backend, names):
    few = [("bool",), ("int32",), ("bfloat16",)] if names is ONE else FEW_PAIRS
    calls = [(name, kinds) for name in names for kinds in few if is_defined(name, kinds)]

    def run(state):
        return state, [apply(ops, name, operands(ops.ones, kinds)) for name, kinds in calls]

    for value, (name, kinds) in zip(backend.compile(run)([])[1], calls, strict=True):
        symbol = apply(ops, name, operands(KerasTensor, kinds))
        assert ops.dtype(value) == symbol.dtype, (name, kinds)


def test_python_numbers_keep_the_type_of_arrays(backend):
    for dtype in ("float16", "bfloat16", "float32", "int32"):
        x = ops.ones((2,), dtype)
        assert ops.dtype(ops.add(x, 2)) == ops.dtype(ops.maximum(1, x)) == dtype
        assert ops.dtype(ops.multiply(x, 2.0)) == ("float32" if dtype == "int32" else dtype)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([np.float32(1), 2], "float32"),
        ([[np.float32(1)], [2]], "float32"),
        ([np.float16(1), 2.5], "float16"),
        ([np.int8(1), 2], "int8"),
        ([np.int32(3), 1.5, True], "float32"),
        ([1, np.array(2.0, "float32")], "float32"),
    ],
)
def test_python_numbers_next_to_numpys_in_a_list_take_their_types(values, dtype, backend):
    result = ops.convert_to_tensor(values)
    assert ops.dtype(result) == dtype
    np.testing.assert_array_equal(ops.convert_to_numpy(result), np.asarray(values, dtype))


def test_python_numbers_and_lists_have_default_types(backend):
    assert [ops.dtype(ops.convert_to_tensor(x)) for x in (True, 1, 1.5)] == ["bool", "int32", "float32"]
    assert ops.dtype(ops.convert_to_tensor([True, False])) == "bool"
    assert ops.dtype(ops.convert_to_tensor([1, 2])) == "int32"
    assert ops.dtype(ops.convert_to_tensor([[1, 2.0]])) == "float32"
    assert ops.dtype(ops.convert_to_tensor([])) == "float32"
    assert ops.dtype(ops.convert_to_tensor(np.ones(2, "int8"))) == "int8"
    assert ops.dtype(ops.add(1, 2)) == "int32"
    assert ops.dtype(ops.sqrt(4)) == "float32"
