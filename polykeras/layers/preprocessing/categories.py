"""Layers that discretize numbers and encode categories."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from polykeras import backends, config, ops
from polykeras.backends.shared.structured import is_structured
from polykeras.capture.stamp import renew_constants
from polykeras.core import dtypes, naming
from polykeras.layers.arguments import choice, positive_int
from polykeras.layers.layer import Layer
from polykeras.layers.preprocessing.host import batches, encode, without_gaps


class CategoryEncoding(Layer):
    """Encode integers as one-hot, multi-hot or count vectors.

    Args:
        num_tokens: int, required, length of the vectors; integers outside the range from 0 to ``num_tokens - 1`` are
            ignored; default None.
        output_mode: ``"one_hot"`` for a vector per integer, or ``"multi_hot"`` or ``"count"`` for one vector for all
            integers along axis 1, of a row; default "multi_hot".
        sparse: bool, whether encodings are sparse, on TensorFlow; default False.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Raises:
        ValueError: for invalid arguments.

    Shapes: (batch, n, ...) to (batch, ..., num_tokens); with "one_hot" (...) to (..., num_tokens).

    >>> import polykeras as keras
    >>> keras.layers.CategoryEncoding(4)([[0, 1], [0, 0], [1, 2], [3, 1]])
    array([[1., 1., 0., 0.],
           [1., 0., 0., 0.],
           [0., 1., 1., 0.],
           [0., 1., 0., 1.]], dtype=float32)
    """

    in_graphs = "measure"
    _takes_structured = True

    def __init__(
        self, num_tokens: int | None = None, output_mode: str = "multi_hot", sparse: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.num_tokens = positive_int(self, "num_tokens", num_tokens)
        output_mode = "multi_hot" if output_mode == "binary" else output_mode
        self.output_mode = choice(self, "output_mode", output_mode, ("multi_hot", "one_hot", "count"))
        self.sparse = bool(sparse)

    def call(self, inputs: Any, count_weights: Any = None) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.
            count_weights: array of the shape of the inputs, the weight of each integer in "count" mode; default
                None, for 1.

        Shapes: (batch, n, ...) to (batch, ..., num_tokens); with "one_hot" (...) to (..., num_tokens).
        """
        if count_weights is not None and self.output_mode != "count":
            raise ValueError(
                f"Layer {self.path!r}: Expected output_mode='count' with count_weights. Received: {self.output_mode!r}."
            )
        if is_structured(inputs):
            inputs = without_gaps(inputs)
        if is_structured(count_weights):
            count_weights = ops.convert_to_tensor(count_weights, sparse=False, ragged=False)
        indices = ops.cast(ops.convert_to_tensor(inputs), "int32")
        return encode(indices, self.output_mode, self.num_tokens, self.compute_dtype, count_weights, self.sparse)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "num_tokens": self.num_tokens,
            "output_mode": self.output_mode,
            "sparse": self.sparse,
        }


class Discretization(Layer):
    """Assign numbers to bins.

    Args:
        bin_boundaries: list of n increasing numbers; bin 0 is below the first one, bin n starts at the last one;
            default None.
        num_bins: int, number of bins for ``adapt``, which chooses quantiles as boundaries; default None.
        epsilon: float, error tolerance of the quantiles; ``adapt`` keeps about 1 / epsilon numbers; default 0.01.
        output_mode: ``"int"`` for bin indices, ``"one_hot"``, or ``"multi_hot"`` or ``"count"`` of the bins
            along axis 1, of a row; default "int".
        sparse: bool, whether encodings are sparse, on TensorFlow; default False.
        dtype: str, name of the dtype, or a policy; default None.
        name: str, name of the layer; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Raises:
        ValueError: for invalid arguments, or in a call if there are no boundaries.

    Shapes: any shape to the same shape, encoded according to ``output_mode``.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Discretization([0.0, 1.0, 2.0])(np.array([[-1.5, 1.0, 3.4, 0.5]]))
    array([[0, 2, 3, 1]], dtype=int32)
    """

    _untracked = Layer._untracked | {"bin_boundaries"}

    in_graphs = "measure"

    def __init__(
        self,
        bin_boundaries: Any = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        dtype: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, dtype=dtype, **kwargs)
        if (bin_boundaries is None) == (num_bins is None):
            raise ValueError(
                f"Layer {self.name!r}: Expected one of bin_boundaries and num_bins. "
                f"Received: {bin_boundaries!r}, {num_bins!r}."
            )
        self.num_bins = None if num_bins is None else positive_int(self, "num_bins", num_bins)
        self.bin_boundaries = None if bin_boundaries is None else [float(edge) for edge in bin_boundaries]
        if self.bin_boundaries is not None and self.bin_boundaries != sorted(self.bin_boundaries):
            raise ValueError(
                f"Layer {self.name!r}: Expected increasing bin_boundaries. Received: "
                f"{naming.listed(self.bin_boundaries)}."
            )
        self.epsilon = epsilon
        self.output_mode = choice(self, "output_mode", output_mode, ("int", "one_hot", "multi_hot", "count"))
        self.sparse = bool(sparse)
        self._takes_structured = self.output_mode == "int"
        self.reset_state()

    _summary: np.ndarray

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Set the bin boundaries to quantiles of the data.

        Args:
            data: array, dataset, or another iterable of batches.
            steps: int, maximum number of batches to read from an iterable; default None, for all.

        Raises:
            ValueError: if the layer was created with ``bin_boundaries``.
        """
        if self.num_bins is None:
            raise ValueError(
                f"Layer {self.name!r}: Expected num_bins, for adapt(). Received: "
                f"bin_boundaries={naming.listed(self.bin_boundaries or [])}."
            )
        self.reset_state()
        for batch in batches(data, steps):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Add numbers to the quantile summary: a sorted sample, and the weight of each sampled value.

        Args:
            data: array of any shape, or list.
        """
        values = np.sort(np.asarray(ops.convert_to_numpy(data), "float32").reshape(-1))
        step = max(values.size * self.epsilon, 1)
        kept = values[int(step - 1) :: int(step)]
        merged = np.concatenate([[kept, np.full_like(kept, step)], self._summary], 1)
        self._summary = _compressed(merged[:, np.argsort(merged[0], kind="stable")], self.epsilon)

    def finalize_state(self) -> None:
        """Compute the bin boundaries from the summary."""
        self.bin_boundaries = _compressed(self._summary, 1 / (self.num_bins or 1))[0, :-1].tolist()
        renew_constants()

    def reset_state(self) -> None:
        """Discard the summary of the data."""
        self._summary = np.zeros((2, 0), "float32")

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: any shape to the same shape, encoded according to ``output_mode``.
        """
        if self.bin_boundaries is None:
            symbolic = backends.current().is_symbolic
            if not symbolic:
                raise ValueError(f"Layer {self.path!r}: Expected boundaries. Received: none. Call adapt(data).")
        edges = self.bin_boundaries or [0.0] * ((self.num_bins or 1) - 1)
        x = ops.convert_to_tensor(inputs)
        x = x if ops.dtype(x) in dtypes.FLOATS else ops.cast(x, config.floatx())
        bins = ops.digitize(x, np.asarray(edges, "float32")) if edges else ops.cast(ops.zeros_like(x), "int32")
        if self.output_mode == "int":
            return bins
        return encode(bins, self.output_mode, len(edges) + 1, self.compute_dtype, sparse=self.sparse)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "bin_boundaries": self.bin_boundaries,
            "num_bins": self.num_bins,
            "epsilon": self.epsilon,
            "output_mode": self.output_mode,
            "sparse": self.sparse,
        }

    @classmethod
    def from_config(cls, config: dict) -> Self:
        if config.get("num_bins") is None:
            return super().from_config(config)
        layer = super().from_config({**config, "bin_boundaries": None})
        layer.bin_boundaries = config.get("bin_boundaries")
        return layer


def _compressed(summary: np.ndarray, epsilon: float) -> np.ndarray:
    """A summary compressed to about 1 / epsilon entries: (values, weights)."""
    if summary.shape[1] * epsilon < 1:
        return summary
    fractions = epsilon + np.arange(0.0, 1.0, epsilon)
    total = summary[1].cumsum()
    reached = total / total[-1]
    values, counts = np.interp(fractions, reached, summary[0]), np.interp(fractions, reached, total)
    return np.stack([values, np.diff(counts, prepend=0)]).astype("float32")
