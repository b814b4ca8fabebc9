"""Which ops return sparse or ragged results: what Keras 3 does on TensorFlow, by the names of the ops.

Adapters with sparse arrays follow these tables, and shape inference marks symbolic results by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polykeras.backends.shared.structured import is_structured
from polykeras.core import trees


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Elementwise ops of one array that map zero to zero.
KEEP_ZEROS = _names(
    """
    abs absolute arcsin arcsinh arctan arctanh array cast ceil conj conjugate copy deg2rad digitize erf expm1 fabs floor
    imag log1p negative rad2deg real round sign signbit sin sinh sqrt square stop_gradient tan tanh
    """
)
#: Elementwise ops of one array, computed for the entries of a ragged one.
OF_ENTRIES = KEEP_ZEROS | _names(
    """
    angle arccos arccosh cbrt celu cos cosh elu erfc erfinv exp exp2 gelu hard_shrink hard_sigmoid hard_silu hard_swish
    hard_tanh i0 isfinite isinf isnan isneginf isposinf isreal leaky_relu log log10 log2 log_sigmoid logical_not
    nan_to_num ones_like reciprocal relu relu6 rsqrt selu sigmoid silu sinc soft_shrink softplus softsign sparse_plus
    sparse_sigmoid squareplus swish tanh_shrink trunc zeros_like
    """
)
#: Ops that move or add up the entries of a sparse array.
MOVE = _names("expand_dims mean reshape squeeze sum transpose")
#: Elementwise ops of two arrays for which two zeros give zero.
JOIN = _names("add fmax fmin maximum minimum subtract")
#: Elementwise ops of two arrays for which a zero in either gives zero.
MEET = _names("multiply")
#: Ops for which a zero in the first array gives zero, unless the second has zeros.
DIVIDE = _names("divide divide_no_nan true_divide")
#: Elementwise ops of two arrays, computed for the entries of ragged ones.
OF_PAIRS = (
    JOIN
    | MEET
    | DIVIDE
    | _names(
        """
    arctan2 equal floor_divide fmod greater greater_equal heaviside hypot isclose less less_equal logaddexp logical_and
    logical_or logical_xor mod not_equal power
    """
    )
)
#: Ops with an argument ``sparse``.
ENCODE = _names("bincount multi_hot one_hot")


def _layout(x: Any) -> str | None:
    return x.layout if is_structured(x) else None


def layout_of(name: str, args: Sequence, kwargs: dict) -> str | None:
    """Return the layout of an op's result, "sparse" or "ragged"; None for a dense one.

    Args:
        name: the op's name.
        args, kwargs: its arguments; sparse and ragged arrays among them have a ``layout``.

    >>> layout_of("one_hot", [[0, 1], 2], {"sparse": True})
    'sparse'
    """
    found = [_layout(x) for x in trees.leaves((args, kwargs))]
    if "ragged" in found:
        keeps = name in OF_ENTRIES | OF_PAIRS or name in ("convert_to_tensor", "embedding", "take", "concatenate")
        return "ragged" if keeps and kwargs.get("ragged") is not False else None
    first, second = (*found, None, None)[:2]
    if name == "convert_to_tensor":
        return None if kwargs.get("sparse") is False else first
    if name in ENCODE:
        return "sparse" if kwargs.get("sparse") or (name == "bincount" and first) else None
    is_sparse = (
        (name in KEEP_ZEROS | MOVE and first)
        or (name in JOIN | {"matmul"} and first and second)
        or (name in MEET and (first or second))
        or (name in DIVIDE and first and not second)
        or (name == "concatenate" and all(_layout(x) for x in trees.leaves(args[0])))
    )
    return "sparse" if is_sparse else None
