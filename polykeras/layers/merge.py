"""Layers that merge several inputs into one output."""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from polykeras import ops
from polykeras.core import masks, naming
from polykeras.core.arguments import with_python_numbers
from polykeras.layers.layer import Layer
from polykeras.ops import linalg


class Merge(Layer):
    """Base class of layers that combine a list of inputs."""

    _takes_structured = True

    #: Whether inputs are combined elementwise, with broadcasting.
    broadcasts = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Check the shapes of the inputs.

        Args:
            input_shape: list of tuples of sizes with the batch axis.

        Raises:
            ValueError: if the input is not a list, or the shapes are incompatible.
        """
        if not isinstance(input_shape, list | tuple) or not isinstance(input_shape[0], list | tuple):
            raise ValueError(
                f"Layer {self.path!r} ({type(self).__name__}): Expected a list of inputs. Received: one input of shape "
                f"{input_shape}."
            )

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: a list of arrays (batch, ...) to one array (batch, ...).

        Raises:
            ValueError: if the input is not a list.
        """
        self._check_list("inputs", inputs)
        self.check_shapes([tuple(ops.shape(x)) for x in inputs])
        return self._merge_function(_align(list(inputs)) if self.broadcasts else list(inputs))

    def _merge_function(self, inputs: list) -> Any:
        """Combine the inputs, like ``merge``: the name that subclasses in programs for Keras override."""
        return self.merge(inputs)

    def _check_list(self, name: str, value: Any) -> None:
        if not isinstance(value, list | tuple):
            raise ValueError(
                f"Layer {self.path!r} ({type(self).__name__}): Expected a list of {name}. Received: "
                f"{naming.short(value)}."
            )

    def check_shapes(self, shapes: list[tuple]) -> None:
        """Check that the shapes of the inputs are compatible.

        Args:
            shapes: list of tuples.

        Raises:
            ValueError: if they are not.
        """
        most = max(map(len, shapes))
        aligned = [(*shape[:1], *(1,) * (most - len(shape)), *shape[1:]) for shape in shapes]
        if any(len({n for n in sizes if n not in (1, None)}) > 1 for sizes in zip(*aligned, strict=True)):
            raise ValueError(
                f"Layer {self.path!r} ({type(self).__name__}): Expected inputs of equal sizes, or of size 1 to "
                f"broadcast. Received shapes: {naming.listed(shapes)}."
            )

    def merge(self, inputs: list) -> Any:
        """Combine the inputs, which have equal ranks if ``broadcasts`` is set.

        Args:
            inputs: list of arrays, (batch, ...).
        """
        result = inputs[0]
        for x in inputs[1:]:
            result = self.merge_two(result, x)
        return result

    def merge_two(self, left: Any, right: Any) -> Any:
        """Combine two arrays of equal rank.

        Args:
            left, right: arrays.
        """
        raise NotImplementedError(f"Expected {type(self).__name__} to define merge or merge_two. Received: neither.")

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return True for entries that are unmasked in any input; None if an input has no mask.

        Args:
            inputs: list of arrays, (batch, ...).
            mask: list of masks; default None.

        Raises:
            ValueError: if an argument is not a list, or the lengths differ.
        """
        if mask is None:
            return None
        self._check_masks(inputs, mask)
        return _any_of(mask)

    def _check_masks(self, inputs: Any, mask: Any) -> None:
        self._check_list("inputs", inputs)
        self._check_list("masks", mask)
        if len(mask) != len(inputs):
            raise ValueError(
                f"Layer {self.path!r} ({type(self).__name__}): Expected a mask, or None, for each of {len(inputs)} "
                f"inputs. Received: {len(mask)}."
            )


def _any_of(found: Sequence) -> Any:
    """The logical or of some masks; None if one of them is missing."""
    if any(mask is None for mask in found):
        return None
    return functools.reduce(ops.logical_or, found)


def _align(inputs: list) -> list:
    """Insert axes of size 1 after the batch axis, so that all inputs have the same rank."""
    ranks = [len(ops.shape(x)) for x in inputs]
    most = max(ranks)
    aligned = []
    for x, rank in zip(inputs, ranks, strict=True):
        for _ in range(most - rank):
            x = ops.expand_dims(x, 1)
        aligned.append(x)
    return aligned


def _wide_mask(x: Any) -> Any:
    """The mask of an input, expanded to the rank of the input, or None."""
    mask = masks.get_mask(x)
    if mask is None:
        return None
    missing = len(ops.shape(x)) - len(ops.shape(mask))
    return ops.expand_dims(mask, tuple(range(-missing, 0))) if missing else mask


class Add(Merge):
    """Add the inputs elementwise.

    Args:
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: a list of arrays that broadcast together to their common shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Add()([np.ones(2), np.ones(2)])
    array([2., 2.], dtype=float32)
    """

    def merge_two(self, left: Any, right: Any) -> Any:
        return ops.add(left, right)


class Subtract(Merge):
    """Subtract the second of two inputs from the first.

    Args:
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: two arrays that broadcast together to their common shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Subtract()([np.ones(2), np.ones(2)])
    array([0., 0.], dtype=float32)
    """

    def build(self, input_shape: Any) -> None:
        """Check the shapes of the inputs.

        Args:
            input_shape: list of two tuples of sizes with the batch axis.

        Raises:
            ValueError: if there are not two inputs.
        """
        super().build(input_shape)
        if len(input_shape) != 2:
            raise ValueError(f"Layer {self.path!r} (Subtract): Expected 2 inputs. Received: {len(input_shape)}.")

    def merge_two(self, left: Any, right: Any) -> Any:
        return ops.subtract(left, right)


class Multiply(Merge):
    """Multiply the inputs elementwise, ignoring masked entries.

    Args:
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: a list of arrays that broadcast together to their common shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Multiply()([np.full(2, 3.0), np.full(2, 2.0)])
    array([6., 6.], dtype=float32)
    """

    def merge(self, inputs: list) -> Any:
        found = [_wide_mask(x) for x in inputs]
        factors = [x if mask is None else ops.where(mask, x, 1) for x, mask in zip(inputs, found, strict=True)]
        product, counts = functools.reduce(ops.multiply, factors), _any_of(found)
        return product if counts is None else ops.where(counts, product, 0)


class Average(Merge):
    """Average the inputs elementwise.

    Args:
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: a list of arrays that broadcast together to their common shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Average()([np.zeros(2), np.ones(2)])
    array([0.5, 0.5], dtype=float32)
    """

    def merge(self, inputs: list) -> Any:
        total = inputs[0]
        for x in inputs[1:]:
            total = ops.add(total, x)
        return ops.multiply(total, 1 / len(inputs))


class _Extremum(Merge):
    """Base class of elementwise maximum and minimum, which ignore masked entries."""

    def merge(self, inputs: list) -> Any:
        result, counts = inputs[0], _wide_mask(inputs[0])
        for x in inputs[1:]:
            mask = _wide_mask(x)
            x = x if mask is None else ops.where(mask, x, result)
            result = result if counts is None else ops.where(counts, result, x)
            result, counts = self.merge_two(result, x), _any_of([counts, mask])
        return result


class Maximum(_Extremum):
    """Take the elementwise maximum of the inputs, ignoring masked entries.

    Args:
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: a list of arrays that broadcast together to their common shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Maximum()([np.zeros(2), np.ones(2)])
    array([1., 1.], dtype=float32)
    """

    def merge_two(self, left: Any, right: Any) -> Any:
        return ops.maximum(left, right)


class Minimum(_Extremum):
    """Take the elementwise minimum of the inputs, ignoring masked entries.

    Args:
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: a list of arrays that broadcast together to their common shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Minimum()([np.zeros(2), np.ones(2)])
    array([0., 0.], dtype=float32)
    """

    def merge_two(self, left: Any, right: Any) -> Any:
        return ops.minimum(left, right)


#: Whether ``Concatenate`` masks what any of its inputs masks, as in Keras 2.
all_must_show = False


class Concatenate(Merge):
    """Concatenate the inputs along an axis.

    Args:
        axis: int, the axis to concatenate along; default -1.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: a list of arrays whose shapes differ only along ``axis`` to one array, with the sizes along it added up.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Concatenate()([np.ones((1, 2)), np.ones((1, 3))]).shape
    (1, 5)
    """

    broadcasts = False

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def check_shapes(self, shapes: list[tuple]) -> None:
        rank = len(shapes[0])
        is_axis = -rank <= self.axis < rank
        others = [[n for a, n in enumerate(s) if is_axis and a != self.axis % rank] for s in shapes]
        fits = all(
            len(s) == rank and all(None in (n, m) or n == m for n, m in zip(other, others[0], strict=False))
            for s, other in zip(shapes, others, strict=True)
        )
        if not is_axis or not fits:
            raise ValueError(
                f"Layer {self.path!r} (Concatenate): Expected inputs whose shapes differ only along axis {self.axis}. "
                f"Received shapes: {naming.listed(shapes)}."
            )

    def merge(self, inputs: list) -> Any:
        return ops.concatenate(inputs, axis=self.axis)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return the concatenated masks: what any input shows is shown; an input without a mask shows everything.

        Args:
            inputs: list of arrays, (batch, ...).
            mask: list of masks; default None.

        Raises:
            ValueError: if an argument is not a list, or the lengths differ.
        """
        if mask is None:
            return None
        self._check_masks(inputs, mask)
        if all(m is None for m in mask):
            return None
        parts = []
        for x, its_mask in zip(inputs, mask, strict=True):
            shape = tuple(ops.shape(x))
            if its_mask is None:
                its_mask = ops.ones(shape, "bool")
            for _ in range(len(shape) - len(ops.shape(its_mask))):
                its_mask = ops.expand_dims(its_mask, -1)
            parts.append(ops.broadcast_to(its_mask, shape))
        is_shown = ops.all if all_must_show else ops.any
        return is_shown(ops.concatenate(parts, axis=self.axis), axis=-1)

    def get_config(self) -> dict:
        return {**super().get_config(), "axis": self.axis}


class Dot(Merge):
    """Compute dot products of two inputs along one axis of each, sample by sample.

    Args:
        axes: int, the axis of both inputs, or a pair of ints.
        normalize: bool, whether to scale vectors to norm 1 first, so that the result is the cosine similarity; default
            False.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: two arrays (batch, ...) to (batch, ...) without the two ``axes``.

    Raises:
        ValueError: if ``axes`` is neither an int nor a pair of ints.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Dot(axes=1)([np.ones((2, 3)), np.ones((2, 3))])
    array([[3.],
           [3.]], dtype=float32)
    """

    broadcasts = _takes_structured = False

    def __init__(self, axes: Any, normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        axes = with_python_numbers(axes)
        is_pair = isinstance(axes, list | tuple) and len(axes) == 2 and all(isinstance(a, int) for a in axes)
        if not isinstance(axes, int) and not is_pair:
            raise ValueError(f"Layer {self.name!r} (Dot): Expected axes to be an int or two ints. Received: {axes!r}.")
        self.axes = axes
        self.normalize = normalize

    def _pair(self, ranks: list[int]) -> tuple[int, int]:
        axes = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        return tuple(axis % rank for axis, rank in zip(axes, ranks, strict=True))

    def check_shapes(self, shapes: list[tuple]) -> None:
        if len(shapes) != 2:
            raise ValueError(f"Layer {self.path!r} (Dot): Expected 2 inputs. Received: {len(shapes)}.")
        left, right = shapes
        first, second = self._pair([len(left), len(right)])
        if None not in (left[first], right[second]) and left[first] != right[second]:
            raise ValueError(
                f"Layer {self.path!r} (Dot): Expected equal sizes along axes {self.axes}. Received shapes: "
                f"{naming.listed(shapes)}."
            )

    def merge(self, inputs: list) -> Any:
        left, right = inputs
        ranks = [len(ops.shape(left)), len(ops.shape(right))]
        first, second = self._pair(ranks)
        if self.normalize:
            left, right = ops.normalize(left, axis=first), ops.normalize(right, axis=second)
        return linalg.batch_dot(left, right, first, second)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Return None: dot products have no mask.

        Args:
            inputs: list of two arrays, (batch, ...).
            mask: list of the masks of the inputs, ignored; default None.
        """
        return None

    def get_config(self) -> dict:
        return {**super().get_config(), "axes": self.axes, "normalize": self.normalize}


def add(inputs: list, **kwargs: Any) -> Any:
    """Add the inputs elementwise; see ``Add``.

    Args:
        inputs: list of arrays or symbolic tensors whose shapes can be broadcast together.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.add([np.array([1.0, 2.0]), np.array([3.0, 1.0])])
    array([4., 3.], dtype=float32)
    """
    return Add(**kwargs)(inputs)


def subtract(inputs: list, **kwargs: Any) -> Any:
    """Subtract the second input from the first; see ``Subtract``.

    Args:
        inputs: two arrays or symbolic tensors whose shapes can be broadcast together.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.subtract([np.array([1.0, 2.0]), np.array([3.0, 1.0])])
    array([-2.,  1.], dtype=float32)
    """
    return Subtract(**kwargs)(inputs)


def multiply(inputs: list, **kwargs: Any) -> Any:
    """Multiply the inputs elementwise; see ``Multiply``.

    Args:
        inputs: list of arrays or symbolic tensors whose shapes can be broadcast together.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.multiply([np.array([1.0, 2.0]), np.array([3.0, 1.0])])
    array([3., 2.], dtype=float32)
    """
    return Multiply(**kwargs)(inputs)


def average(inputs: list, **kwargs: Any) -> Any:
    """Average the inputs elementwise; see ``Average``.

    Args:
        inputs: list of arrays or symbolic tensors whose shapes can be broadcast together.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.average([np.array([1.0, 2.0]), np.array([3.0, 1.0])])
    array([2. , 1.5], dtype=float32)
    """
    return Average(**kwargs)(inputs)


def maximum(inputs: list, **kwargs: Any) -> Any:
    """Take the elementwise maximum of the inputs; see ``Maximum``.

    Args:
        inputs: list of arrays or symbolic tensors whose shapes can be broadcast together.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.maximum([np.array([1.0, 2.0]), np.array([3.0, 1.0])])
    array([3., 2.], dtype=float32)
    """
    return Maximum(**kwargs)(inputs)


def minimum(inputs: list, **kwargs: Any) -> Any:
    """Take the elementwise minimum of the inputs; see ``Minimum``.

    Args:
        inputs: list of arrays or symbolic tensors whose shapes can be broadcast together.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.minimum([np.array([1.0, 2.0]), np.array([3.0, 1.0])])
    array([1., 1.], dtype=float32)
    """
    return Minimum(**kwargs)(inputs)


def concatenate(inputs: list, axis: int = -1, **kwargs: Any) -> Any:
    """Concatenate the inputs along an axis; see ``Concatenate``.

    Args:
        inputs: list of arrays or symbolic tensors, whose shapes differ only along ``axis``.
        axis: int, the axis to concatenate along; default -1.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.concatenate([np.ones((2, 1)), np.ones((2, 3))]).shape
    (2, 4)
    """
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs: list, axes: Any = -1, normalize: bool = False, **kwargs: Any) -> Any:
    """Compute dot products of two inputs; see ``Dot``.

    Args:
        inputs: two arrays or symbolic tensors, (batch, ...).
        axes: int or pair of ints, see ``Dot``; default -1.
        normalize: bool, whether the result is the cosine; default False.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.dot([np.ones((2, 3)), np.ones((2, 3))]).shape
    (2, 1)
    """
    return Dot(axes=axes, normalize=normalize, **kwargs)(inputs)


#: The base class in Keras 2.
_Merge = Merge


class _Function(ModuleType):
    """Type of this module: callable, since in Keras 1 ``from keras.layers import merge`` imports a function."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from polykeras.compat.keras1.merging import merge

        return merge(*args, **kwargs)


sys.modules[__name__].__class__ = _Function
