"""Activation, Dropout, and layers that reshape, mask, or wrap a function; for ``Dense`` see the module ``dense``."""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from polykeras import activations, config, ops, random, regularizers
from polykeras.capture.numbers import is_zero
from polykeras.config import standardize_data_format
from polykeras.core import dtypes
from polykeras.core.arguments import with_python_numbers
from polykeras.core.graph import KerasTensor, Node
from polykeras.core.renamed import ordered_by_era
from polykeras.core.seeds import SeedGenerator
from polykeras.core.writes import guarded
from polykeras.layers.arguments import legacy_arguments, positive_int, rate_between
from polykeras.layers.arguments import noise_shape as checked_noise_shape
from polykeras.layers.dense import Dense, EinsumDense, Highway, MaxoutDense  # noqa: F401
from polykeras.layers.input_spec import InputSpec
from polykeras.layers.layer import Layer
from polykeras.serialization import registry


def input_dtype(compute_dtype: str) -> str:
    """Return the dtype of an input that states none: ``floatx()``, or float64 where layers compute in it.

    >>> input_dtype("float16"), input_dtype("float64")
    ('float32', 'float64')
    """
    return dtypes.promote(config.floatx(), compute_dtype) if dtypes.is_float(compute_dtype) else config.floatx()


class InputLayer(Layer):
    """Entry point of a graph of layers.

    Args:
        shape: tuple of sizes without the batch axis, None for an unknown size; default None.
        batch_size: int, a fixed batch size; default None, for any.
        dtype: dtype of the data; default ``floatx()``.
        sparse, ragged: bool, whether values will be sparse or ragged arrays, on TensorFlow; default None, for no.
        batch_shape: tuple of sizes with the batch axis, instead of ``shape`` and ``batch_size``; default None.
        input_tensor: an existing symbolic tensor to use as the input; default None.
        optional: bool, whether None may be passed as this input; default False.
        name: str; default ``input_layer``, ``input_layer_1``, ...
        input_shape, batch_input_shape: Keras 2 names of ``shape`` and ``batch_shape``; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Raises:
        ValueError: if no shape is given.

    Shapes: (batch, *shape) to the same shape.

    >>> InputLayer((3,)).output.shape
    (None, 3)
    """

    _takes_structured = True
    _is_numbered = False

    def __init__(
        self,
        shape: tuple | None = None,
        batch_size: int | None = None,
        dtype: str | None = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: tuple | None = None,
        input_tensor: KerasTensor | None = None,
        optional: bool = False,
        name: str | None = None,
        input_shape: tuple | None = None,
        batch_input_shape: tuple | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, dtype=dtype, **kwargs)
        shape = input_shape if shape is None else shape
        batch_shape = batch_input_shape if batch_shape is None else batch_shape
        if batch_shape is not None and (shape is not None or batch_size is not None):
            raise ValueError(
                f"Expected for the input {self.name!r} either batch_shape, or shape and batch_size. "
                f"Received: batch_shape={batch_shape}, shape={shape}, batch_size={batch_size}."
            )
        if input_tensor is not None and not isinstance(input_tensor, KerasTensor):
            raise ValueError(
                f"Expected input_tensor of the input {self.name!r} to be a symbolic tensor. "
                f"Received: {type(input_tensor).__name__}."
            )
        if input_tensor is not None:
            self._check_agrees(
                input_tensor, shape=shape, batch_size=batch_size, batch_shape=batch_shape, dtype=dtype, sparse=sparse
            )
            batch_shape, dtype = input_tensor.shape, input_tensor.dtype
        elif batch_shape is None:
            if shape is None:
                raise ValueError(f"Expected a shape for the input {self.name!r}. Received: None. Pass Input((sizes,)).")
            shape = (shape,) if isinstance(shape, int | np.integer) else shape
            batch_shape = (batch_size, *shape)
        self.batch_shape = self._check_shape(batch_shape)
        self.sparse = bool(sparse)
        self.ragged = bool(ragged)
        self.optional = optional
        self._batch_input_shape = self.batch_shape
        output = input_tensor
        if output is None:
            layout = {"sparse": self.sparse, "ragged": self.ragged}
            output = KerasTensor(self.batch_shape, dtype or input_dtype(self.compute_dtype), name=self.name, **layout)
        self._dtype = output.dtype
        self.built = True
        maker, index = output.node, output.index
        self._inbound_nodes.append(Node(self, (), {}, output))
        if maker is not None and not maker.is_input:  # keep the link to the node that computes the tensor
            output.node, output.index = maker, index

    def _check_agrees(self, tensor: KerasTensor, **given: Any) -> None:
        """Reject arguments that contradict the ``input_tensor``."""
        shape = tuple(tensor.shape)
        actual = {"shape": shape[1:], "batch_size": shape[0], "batch_shape": shape}
        actual |= {"dtype": tensor.dtype, "sparse": tensor.sparse}
        for name, value in given.items():
            value = tuple(value) if name.endswith("shape") and value is not None else value
            value = dtypes.standardize(value) if name == "dtype" and value is not None else value
            if value is not None and value != actual[name]:
                raise ValueError(
                    f"Expected no {name} for the input {self.name!r}, or that of its input_tensor, {actual[name]}. "
                    f"Received: {value}."
                )

    def _check_shape(self, shape: Any) -> tuple:
        sizes = tuple(int(size) if isinstance(size, np.integer) else size for size in shape)
        for size in sizes:
            if size is not None and (not isinstance(size, int) or size < 0):
                raise ValueError(
                    f"Expected the shape of input {self.name!r} to hold non-negative ints or None. Received: {sizes}."
                )
        return sizes

    def call(self, inputs: Any = None) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array of the input shape given below; default None.

        Shapes: (batch, *shape) to the same shape.
        """
        return inputs

    @property
    def dtype(self) -> str:
        return self._dtype

    def get_config(self) -> dict:
        return {
            "batch_shape": self.batch_shape,
            "dtype": self._dtype,
            "sparse": self.sparse,
            "ragged": self.ragged,
            "name": self.name,
            "optional": self.optional,
        }


@ordered_by_era
def Input(
    shape: tuple | None = None,
    batch_size: int | None = None,
    dtype: str | None = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: tuple | None = None,
    name: str | None = None,
    tensor: KerasTensor | None = None,
    optional: bool = False,
) -> KerasTensor:
    """Return a symbolic tensor, the starting point of a Functional model.

    Args:
        shape: tuple of sizes without the batch axis, None for an unknown size; default None.
        batch_size: int; default None, for any.
        dtype: str, name of the dtype; default None, for ``floatx()``.
        sparse, ragged: bool, whether values will be sparse or ragged arrays, on TensorFlow; default None, for no.
        batch_shape: tuple of sizes with the batch axis, instead of ``shape`` and ``batch_size``; default None.
        name: str; default None, for a name such as ``input_layer``.
        tensor: symbolic tensor to use instead of a new one; default None.
        optional: bool, whether None may be passed as this input; default False.

    >>> x = Input((3,)); x.shape
    (None, 3)
    """
    layer = InputLayer(shape, batch_size, dtype, sparse, ragged, batch_shape, tensor, optional, name)
    return layer.output


class Activation(Layer):
    """Apply an activation function.

    Args:
        activation: activation function, or its name.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: any shape to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Activation("relu")(np.array([-1.0, 2.0]))
    array([0., 2.], dtype=float32)
    """

    _takes_structured = True
    built = True

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.activation = activations.get(activation)

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: any shape to the same shape.
        """
        return guarded(self.activation)(inputs)

    def get_config(self) -> dict:
        return {**super().get_config(), "activation": activations.serialize(self.activation)}


class Dropout(Layer):
    """In training, set random entries to 0 and scale up the others by ``1 / (1 - rate)``; in inference do nothing.

    Args:
        rate: float from 0 to 1, the probability that an entry is set to 0.
        noise_shape: tuple, shape of the random mask, which is broadcast to the input; None stands for the
            input's size. ``(None, 1, n)`` drops the same features at all time steps; default None, the input's shape.
        seed: int, for masks that can be reproduced; default None, for a new seed in every run.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Masks are the same on every backend. Source: Srivastava et al., "Dropout" (JMLR 2014).

    Shapes: any shape to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Dropout(0.5)(np.ones((1, 3)))
    array([[1., 1., 1.]], dtype=float32)
    """

    built = True

    @legacy_arguments(p="rate")
    def __init__(self, rate: float, noise_shape: tuple | None = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = rate_between(self, "rate", rate)
        self.noise_shape = checked_noise_shape(self, noise_shape)
        self.seed = seed
        self.supports_masking = True
        if rate > 0:
            self.seed_generator = SeedGenerator(seed)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.
            training: bool, whether to run in training mode; default False.

        Shapes: any shape to the same shape.
        """
        if not training or is_zero(self.rate):
            return inputs
        if not hasattr(self, "seed_generator"):  # the rate was 0 when the layer was created
            self.seed_generator = SeedGenerator(self.seed)
        return random.dropout(inputs, self.rate, self.noise_shape, self.seed_generator)

    def get_config(self) -> dict:
        return {**super().get_config(), "rate": self.rate, "noise_shape": self.noise_shape, "seed": self.seed}


class _SpatialDropout(Dropout):
    """Base class of dropout layers that keep or drop whole channels. Subclasses set ``rank``."""

    rank: int

    @legacy_arguments(p="rate", dim_ordering="data_format")
    def __init__(self, rate: float, data_format: str | None = None, seed: int | None = None, **kwargs: Any) -> None:
        self.data_format = standardize_data_format(data_format)
        spatial = (1,) * self.rank
        shape = (None, *spatial, None) if self.data_format == "channels_last" else (None, None, *spatial)
        kwargs.pop("noise_shape", None)  # in configs of Keras 2, which does not use it either
        super().__init__(rate, shape, seed, **kwargs)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def get_config(self) -> dict:
        config = {**super().get_config(), "data_format": self.data_format}
        return {key: value for key, value in config.items() if key != "noise_shape"}


class SpatialDropout1D(_SpatialDropout):
    """In training, set random channels of sequences to 0; in inference do nothing.

    Args:
        rate: float from 0 to 1, the probability that a channel is set to 0.
        seed: int, for masks that can be reproduced; default None, for a new seed in every run.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Source: Tompson et al., "Efficient object localization using convolutional networks" (CVPR 2015).

    Shapes: (batch, steps, channels) to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.SpatialDropout1D(0.5, seed=1)(np.ones((1, 3, 4)), training=True).std(axis=1)
    array([[0., 0., 0., 0.]], dtype=float32)
    """

    rank = 1

    @legacy_arguments(p="rate")
    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, "channels_last", seed, **kwargs)

    def get_config(self) -> dict:
        return {key: value for key, value in super().get_config().items() if key != "data_format"}


class SpatialDropout2D(_SpatialDropout):
    """In training, set random channels of images to 0; in inference do nothing.

    Args:
        rate: float from 0 to 1, the probability that a channel is set to 0.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        seed: int, for masks that can be reproduced; default None, for a new seed in every run.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels) to the same shape.

    Source: Tompson et al., "Efficient Object Localization Using Convolutional Networks" (2014),
    https://arxiv.org/abs/1411.4280.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.SpatialDropout2D(0.5)(np.ones((1, 3, 3, 4))).shape
    (1, 3, 3, 4)
    """

    rank = 2


class SpatialDropout3D(_SpatialDropout):
    """In training, set random channels of volumes to 0; in inference do nothing.

    Args:
        rate, data_format, seed: see ``SpatialDropout2D``.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, depth, rows, columns, channels) to the same shape.

    Source: Tompson et al., "Efficient Object Localization Using Convolutional Networks" (2014),
    https://arxiv.org/abs/1411.4280.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.SpatialDropout3D(0.5)(np.ones((1, 3, 3, 3, 4))).shape
    (1, 3, 3, 3, 4)
    """

    rank = 3


class Flatten(Layer):
    """Flatten all axes but the batch axis into one.

    Args:
        data_format: with ``"channels_first"``, the channel axis is moved to the end before flattening; default
            None, for the global setting.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, ...) to (batch, number of entries of a sample).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Flatten()(np.ones((2, 3, 4))).shape
    (2, 12)
    """

    _takes_structured = True

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: (batch, ...) to (batch, number of entries of a sample).
        """
        rank = len(ops.shape(inputs))
        if self.data_format == "channels_first" and rank > 2:
            inputs = ops.transpose(inputs, (0, *range(2, rank), 1))
        batch, *sizes = ops.shape(inputs)
        return ops.reshape(inputs, (batch, -1 if None in sizes else math.prod(sizes)))

    def get_config(self) -> dict:
        return {**super().get_config(), "data_format": self.data_format}


class Reshape(Layer):
    """Reshape each sample.

    Args:
        target_shape: tuple of sizes without the batch axis; one may be -1, and is then inferred.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Raises:
        ValueError: if ``target_shape`` does not hold as many entries as a sample.

    Shapes: (batch, ...) to (batch, *target_shape).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Reshape((2, -1))(np.ones((5, 6))).shape
    (5, 2, 3)
    """

    _takes_structured = True

    def __init__(self, target_shape: tuple, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        target_shape = with_python_numbers(target_shape)
        sizes = (target_shape,) if isinstance(target_shape, int) else tuple(target_shape)
        if sizes.count(-1) > 1 or any(not isinstance(n, int) or n < -1 for n in sizes):
            raise ValueError(
                f"Layer {self.name!r}: Expected target_shape to hold non-negative ints, and at most one -1. "
                f"Received: {target_shape}."
            )
        self.target_shape = sizes

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: (batch, ...) to (batch, *target_shape).
        """
        return ops.reshape(inputs, (ops.shape(inputs)[0], *self._sizes(tuple(ops.shape(inputs))[1:])))

    def _sizes(self, shape: tuple) -> tuple:
        """The target shape, with -1 resolved if all sizes of a sample are known."""
        if None in shape:
            return self.target_shape
        total, known = math.prod(shape), math.prod(n for n in self.target_shape if n != -1)
        fits = total % known == 0 if -1 in self.target_shape and known else total == known
        if not fits:
            raise ValueError(
                f"Layer {self.path!r}: Expected target_shape to hold the {total} values of a sample of shape "
                f"{shape}. Received: {self.target_shape}."
            )
        return tuple(total // known if n == -1 else n for n in self.target_shape)

    def get_config(self) -> dict:
        return {**super().get_config(), "target_shape": self.target_shape}


class Permute(Layer):
    """Permute the axes of each sample.

    Args:
        dims: tuple of ints, the axes in their new order, counted from 1: the batch axis, 0, stays first.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, ...) to the same sizes in the new order.

    Raises:
        ValueError: if ``dims`` is not a permutation of 1, 2, ...

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Permute((2, 1))(np.ones((5, 3, 4))).shape
    (5, 4, 3)
    """

    _takes_structured = True

    def __init__(self, dims: tuple, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(
                f"Layer {self.name!r}: Expected dims to be a permutation of 1 to {len(self.dims)}. Received: {dims}."
            )
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: (batch, ...) to the same sizes in the new order.
        """
        return ops.transpose(inputs, (0, *self.dims))

    def get_config(self) -> dict:
        return {**super().get_config(), "dims": self.dims}


class RepeatVector(Layer):
    """Repeat each vector n times along a new axis 1.

    Args:
        n: int, number of repetitions.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, features) to (batch, n, features).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.RepeatVector(3)(np.ones((5, 2))).shape
    (5, 3, 2)
    """

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n = positive_int(self, "n", n)
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: (batch, features) to (batch, n, features).
        """
        return ops.repeat(ops.expand_dims(inputs, 1), self.n, axis=1)

    def get_config(self) -> dict:
        return {**super().get_config(), "n": self.n}


class Lambda(Layer):
    """Wrap a function as a layer.

    Args:
        function: callable applied to the inputs; it may also take ``mask`` and ``training``.
        output_shape: sizes without the batch axis, or a function of the input shape; default None, to infer the
            shape from the function.
        mask: the mask of the output, or a function (inputs, mask) that returns it; default None.
        arguments: dict of further keyword arguments for the function; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    The config refers to a function by its registered name; a lambda is stored as bytecode, which can only be
    loaded with ``safe_mode=False`` and on the same version of Python.

    Shapes: any shape to the shape that the function returns.

    Raises:
        TypeError: if ``function`` is not callable.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Lambda(lambda x: x * 2)(np.ones(3))
    array([2., 2., 2.], dtype=float32)
    """

    _takes_structured = True
    _is_users = True  # because the function is

    def __init__(
        self,
        function: Callable,
        output_shape: Any = None,
        mask: Any = None,
        arguments: dict | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not callable(function):
            raise TypeError(f"Layer {self.name!r}: Expected function to be callable. Received: {function!r}.")
        self.function = function
        self.mask = mask
        self.arguments = arguments or {}
        self._output_shape = output_shape
        self.supports_masking = mask is not None
        parameters = inspect.signature(function).parameters if not inspect.isbuiltin(function) else {}
        self._takes = [name for name in ("mask", "training") if name in parameters]

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.
            mask: bool array, True for the entries to use; default None, for all of them.
            training: bool, whether to run in training mode; default that of the enclosing call, or else False.

        Shapes: any shape to the shape that the function returns.
        """
        extra = {"mask": mask, "training": training}
        return guarded(self.function)(inputs, **self.arguments, **{name: extra[name] for name in self._takes})

    def _states_output_shape(self) -> bool:
        return self._output_shape is not None

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output, taken from ``output_shape`` if that was given.

        Args:
            input_shape: tuple of sizes with the batch axis.
        """
        if self._output_shape is None:
            return super().compute_output_shape(input_shape)
        if callable(self._output_shape):
            return self._output_shape(input_shape)
        batch = input_shape[0] if not isinstance(input_shape[0], list | tuple) else input_shape[0][0]
        sizes = self._output_shape
        return (batch, *((sizes,) if isinstance(sizes, int) else sizes))

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return the ``mask`` passed to ``__init__``, or its result if it is a function.

        Args:
            inputs: array, (batch, ...), or structure of arrays.
            mask: mask of the inputs; default None.
        """
        return self.mask(inputs, mask) if callable(self.mask) else self.mask

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None, safe_mode: bool | None = None) -> Self:
        """Create a layer from the result of ``get_config``, or from a config of Keras 2.

        Args:
            config: dict, as ``get_config`` returns.
            custom_objects: dict from names to functions, in addition to the registered ones; default None.
            safe_mode: bool, whether to reject bytecode; default the mode of the enclosing scope, or else True.

        Raises:
            ValueError: if the config contains bytecode and safe mode is on.
        """
        safe = contextlib.nullcontext() if safe_mode is None else registry.safe_mode_scope(safe_mode)
        with registry.custom_object_scope(custom_objects), safe:
            return cls._from_config(config)

    @classmethod
    def _from_config(cls, config: dict) -> Self:
        config = {key: value for key, value in config.items() if key != "module"}
        where = f"Layer {config.get('name')!r}"
        functions = {}
        for key in ("function", "output_shape", "mask"):
            kind = config.pop(f"{key}_type", "function" if key == "function" else None)
            config.pop(f"{key}_module", None)
            if key in config:
                functions[key] = registry.function_from_config(config.pop(key), kind, where)
        return super().from_config({**config, **functions})

    def get_config(self) -> dict:
        shape = self._output_shape
        return {
            **super().get_config(),
            "function": registry.serialize(self.function),
            "output_shape": registry.serialize(shape),
            "mask": registry.serialize(self.mask),
            "arguments": registry.serialize(self.arguments),
        }


class Masking(Layer):
    """Mask the time steps whose features all equal ``mask_value``, so that later layers skip them.

    Args:
        mask_value: float; default 0.0.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, time, ...) to the same shape, with a mask (batch, time).

    >>> import numpy as np, polykeras as keras
    >>> layer = keras.layers.Masking()
    >>> layer.compute_mask(np.array([[[1.0], [0.0]]]))
    array([[ True, False]])
    """

    built = True

    def __init__(self, mask_value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask_value = mask_value
        self.supports_masking = True

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return True for the time steps with a feature other than ``mask_value``.

        Args:
            inputs: array, (batch, time, ...).
            mask: mask of the inputs, (batch, time), ignored; default None.
        """
        return ops.any(ops.not_equal(inputs, self.mask_value), axis=-1)

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: (batch, time, ...) to the same shape, with a mask (batch, time).
        """
        kept = ops.any(ops.not_equal(inputs, self.mask_value), axis=-1, keepdims=True)
        return inputs * ops.cast(kept, ops.dtype(inputs))

    def get_config(self) -> dict:
        return {**super().get_config(), "mask_value": self.mask_value}


class ActivityRegularization(Layer):
    """Return the input unchanged, and add a penalty on it to the loss.

    Args:
        l1, l2: floats, factors of the sum of absolute values and of the sum of squares; default 0.0.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: any shape to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> layer = keras.layers.ActivityRegularization(l2=0.5); _ = layer(np.ones((1, 4)))
    >>> float(layer.losses[0])
    2.0
    """

    built = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(activity_regularizer=regularizers.L1L2(l1=l1, l2=l2), **kwargs)
        self.supports_masking = True
        self.l1, self.l2 = l1, l2

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: any shape to the same shape.
        """
        return inputs

    def get_config(self) -> dict:
        config = {**super().get_config(), "l1": self.l1, "l2": self.l2}
        config.pop("activity_regularizer", None)
        return config


class Identity(Layer):
    """Return the input unchanged.

    Args:
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: any shape to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Identity()(np.ones(2))
    array([1., 1.], dtype=float32)
    """

    _takes_structured = True
    built = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: any shape to the same shape.
        """
        return inputs
