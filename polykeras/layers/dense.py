"""Fully connected layers."""

from __future__ import annotations

import copy
import math
import string
from collections.abc import Sequence
from typing import Any

from polykeras import activations, initializers, ops
from polykeras.core.arguments import with_python_numbers
from polykeras.layers.arguments import legacy_arguments, positive_int
from polykeras.layers.hooks import calls_as_its_class
from polykeras.layers.input_spec import InputSpec
from polykeras.layers.integer_encodings import WeightAxes
from polykeras.layers.layer import Layer
from polykeras.layers.quantization import QuantizedWeights, given_config
from polykeras.layers.weights import LowRankKernel, add_weight, keep_options, known_size, options_config
from polykeras.ops import fused

_old_names = legacy_arguments(
    output_dim="units",
    nb_feature="features",
    init="kernel_initializer",
    W_regularizer="kernel_regularizer",
    b_regularizer="bias_regularizer",
    W_constraint="kernel_constraint",
    b_constraint="bias_constraint",
    bias="use_bias",
)


class Dense(QuantizedWeights, LowRankKernel, Layer):
    """A fully connected layer: ``activation(dot(inputs, kernel) + bias)``.

    Args:
        units: int, size of the last axis of the output.
        activation: activation function, or its name; default None, for none.
        use_bias: bool, whether to add a bias; default True.
        kernel_initializer, bias_initializer: initializers of the weights; defaults "glorot_uniform" and
            "zeros".
        kernel_regularizer, bias_regularizer: regularizers of the weights, added to the loss; default None.
        activity_regularizer: regularizer of the output, added to the loss; default None.
        kernel_constraint, bias_constraint: constraints applied to the weights after each update; default None.
        lora_rank, lora_alpha: rank of a low-rank update that is trained instead of the kernel, and the numerator of
            its scale, alpha / rank (Hu et al., 2021, "LoRA", https://arxiv.org/abs/2106.09685); default None, for
            no update, and for ``lora_rank``.
        quantization_config: QuantizationConfig of a layer whose ``dtype`` says that it is quantized, such as
            "int8_from_float32"; default None, for that of the mode. See ``quantize``.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (..., n) to (..., units); kernel (n, units).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Dense(4, activation="relu")(np.ones((2, 3))).shape
    (2, 4)
    """

    _takes_structured = True
    _takes_float8 = True

    @_old_names
    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = positive_int(self, "units", units)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        keep_options(self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        keep_options(self, "bias", bias_initializer, bias_regularizer, bias_constraint)
        self._keep_lora(lora_rank, lora_alpha)
        self.quantization_config = given_config(quantization_config)
        self.bias: Any = None
        self.input_spec = InputSpec(min_ndim=1 if "input_shape" not in kwargs else 2)
        self.supports_masking = True

    def build(self, input_shape: tuple) -> None:
        width = known_size(self, input_shape, -1)
        self._kernel_shape = (width, self.units)
        if self._starts_quantized():
            self._add_integers()
        else:
            self._kernel = add_weight(self, "kernel", self._kernel_shape)
        if self.use_bias:
            self.bias = add_weight(self, "bias", (self.units,))
        self._add_float8()
        self.input_spec = InputSpec(min_ndim=1, axes={-1: width})
        if self.lora_rank:
            self.enable_lora(self.lora_rank, self.lora_alpha)

    def _integer_axes(self) -> dict[str, WeightAxes]:
        return {"_kernel": WeightAxes("kernel", self._kernel_shape, reduced_axes=(0,), scale_axes=(1,))}

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.
            training: bool, whether to run in training mode; default that of the enclosing call, or else False.

        Shapes: (..., n) to (..., units).
        """
        outputs = self._multiplied(ops.dense, inputs, training)
        return outputs if self.activation in (None, activations.linear) else self.activation(outputs)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            **options_config(self, "kernel", "bias"),
            **self._lora_config(),
            **self._quantization(),
        }


class EinsumDense(QuantizedWeights, LowRankKernel, Layer):
    """Multiply the input by a kernel along the axes that an einsum equation names.

    Args:
        equation: str such as ``"abc,cd->abd"``: the axes of the input, the kernel and the output; the first axis of
            input and output is the batch. ``...`` at the start or at the end of both stands for further axes.
        output_shape: int or tuple, the sizes of the output without the batch axis and the axes of ``...``; None
            for sizes that are the same as in the input.
        activation: activation function, or its name; default None, for none.
        bias_axes: str, the letters of the output axes that the bias has; default None, for no bias.
        kernel_initializer, bias_initializer: initializers of the weights; defaults "glorot_uniform" and
            "zeros".
        kernel_regularizer, bias_regularizer: regularizers of the weights, added to the loss; default None.
        kernel_constraint, bias_constraint: constraints applied to the weights after each update; default None.
        lora_rank, lora_alpha: see ``Dense``.
        gptq_unpacked_column_size: accepted for compatibility and ignored; default None.
        quantization_config: see ``Dense``.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Raises:
        ValueError: if the equation has another form, or does not fit the shapes.

    Shapes: given by the equation, such as (a, b, c) to (a, b, d) for ``"abc,cd->abd"``.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.EinsumDense("abc,cde->abde", (None, 4, 5), bias_axes="de")(np.ones((2, 7, 3))).shape
    (2, 7, 4, 5)
    """

    _takes_float8 = True

    def __init__(
        self,
        equation: str,
        output_shape: Any,
        activation: Any = None,
        bias_axes: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        gptq_unpacked_column_size: int | None = None,
        quantization_config: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.equation = equation
        output_shape = with_python_numbers(output_shape)
        self.partial_output_shape = (output_shape,) if isinstance(output_shape, int) else tuple(output_shape)
        self.bias_axes = bias_axes
        self.activation = activations.get(activation)
        keep_options(self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        keep_options(self, "bias", bias_initializer, bias_regularizer, bias_constraint)
        self._keep_lora(lora_rank, lora_alpha)
        self.quantization_config = given_config(quantization_config)
        self.bias: Any = None
        self._letters = self._split_equation()

    def _split_equation(self) -> tuple[str, str, str]:
        """The letters of input, kernel and output, without ``...``."""
        source, _, output = self.equation.replace(" ", "").partition("->")
        parts = [*source.split(","), output]
        ends = [("..." if x.startswith("...") else "", "..." if x.endswith("...") else "") for x in parts]
        letters = [x.strip(".") for x in parts]
        is_right = len(parts) == 3 and all(x and set(x) <= set(string.ascii_letters) for x in letters)
        if not is_right or ends[0] != ends[-1] or all(ends[0]) or any(ends[1]):
            raise ValueError(
                f"Layer {self.name!r}: Expected an equation of the form 'ab,bc->ac', '...b,bc->...c' or "
                f"'ab...,bc->ac...'. Received: {self.equation!r}."
            )
        self._elides_left, self._elides_right = map(bool, ends[0])
        missing = (
            set(letters[1] + letters[2]) - set(letters[0] + letters[2]),
            set(letters[2]) - set(letters[0] + letters[1]),
        )
        unknown = set.union(*missing) | (set(self.bias_axes or "") - set(letters[2]))
        if unknown:
            raise ValueError(
                f"Layer {self.name!r}: Expected the letters of the kernel in the input or output, those of the output "
                f"in the input or kernel, and bias_axes in the output. Received: {sorted(unknown)} in "
                f"{self.equation!r}, bias_axes={self.bias_axes!r}."
            )
        inputs, kernel, outputs = letters
        return inputs, kernel, outputs

    def _sizes(self, input_shape: tuple) -> dict[str, int | None]:
        """The size of the axis of each letter."""
        inputs, _, outputs = self._letters
        elided = len(input_shape) - len(inputs)
        named = outputs if self._elides_left else outputs[1:]
        fits = elided >= 0 if self._elides_left or self._elides_right else elided == 0
        if not fits or len(named) != len(self.partial_output_shape):
            raise ValueError(
                f"Layer {self.path!r}: Expected an input of {len(inputs)} axes and an output_shape of {len(named)} "
                f"sizes, for the equation {self.equation!r}. Received: input shape {tuple(input_shape)}, output_shape "
                f"{self.partial_output_shape}."
            )
        start = elided if self._elides_left else 0
        sizes = dict(zip(inputs, input_shape[start:], strict=False))
        for letter, size in zip(named, self.partial_output_shape, strict=True):
            if size is not None and sizes.get(letter) not in (size, None):
                raise ValueError(
                    f"Layer {self.path!r}: Expected output_shape to agree with the input on {letter!r} of "
                    f"{self.equation!r}. Received: {size}, input shape {tuple(input_shape)}."
                )
            if size is not None or letter not in sizes:
                sizes[letter] = size
        return sizes

    def build(self, input_shape: tuple) -> None:
        sizes = self._sizes(tuple(input_shape))
        _, kernel, outputs = self._letters
        shape: tuple[Any, ...] = tuple(sizes[letter] for letter in kernel)
        if None in shape:
            raise ValueError(
                f"Layer {self.path!r}: Expected known sizes for the kernel's letters {kernel!r}. Received shape: "
                f"{shape}, input shape {tuple(input_shape)}, output_shape {self.partial_output_shape}."
            )
        self._kernel_shape = shape
        self.input_spec = InputSpec(ndim=len(input_shape))
        if self._starts_quantized():
            self._add_integers()
        else:
            self._kernel = add_weight(self, "kernel", shape, initializer=self._scaled_initializer())
        if self.bias_axes is not None:
            first = min(outputs.index(letter) for letter in self.bias_axes)
            ones = (1,) * (len(input_shape) - len(self._letters[0])) if self._elides_right else ()
            shape = tuple(sizes[letter] if letter in self.bias_axes else 1 for letter in outputs[first:])
            self.bias = add_weight(self, "bias", (*shape, *ones))
        self._add_float8()
        if self.lora_rank:
            self.enable_lora(self.lora_rank, self.lora_alpha)

    def _bound_axes(self) -> int:
        """How many last axes of the input the kernel contracts if it acts as a matrix on them; otherwise 0."""
        inputs, kernel, outputs = self._letters
        bound = next((n for n in range(1, len(inputs)) if kernel.startswith(inputs[-n:])), 0)
        rest = kernel[bound:]
        is_matrix = bound and rest and not self._elides_right and outputs == inputs[:-bound] + rest
        return bound if is_matrix and (self.bias is None or self.bias_axes == rest) else 0

    def _integer_axes(self) -> dict[str, WeightAxes]:
        _, kernel, outputs = self._letters
        reduced = tuple(axis for axis, letter in enumerate(kernel) if letter not in outputs)
        scale: tuple[int | None, ...] = tuple(kernel.index(x) if x in kernel else None for x in outputs)
        elided = (None,) * self._elided()
        scale = (*scale, *elided) if self._elides_right else (*elided, *scale)
        return {"_kernel": WeightAxes("kernel", self._kernel_shape, reduced_axes=reduced, scale_axes=scale)}

    def _elided(self) -> int:
        """The number of axes that ``...`` stands for."""
        return self.input_spec.ndim - len(self._letters[0])

    def _contracted_axes(self) -> tuple[int, ...]:
        """The axes of the input that the output doesn't have."""
        inputs, _, outputs = self._letters
        first = 0 if self._elides_right else self._elided()
        return tuple(first + axis for axis, letter in enumerate(inputs) if letter not in outputs)

    def _input_rows(self, inputs: Any) -> Any:
        letters, kernel, outputs = self._letters
        first = 0 if self._elides_right else self._elided()
        axes = [first + letters.index(letter) for letter in kernel if letter not in outputs]
        others = [axis for axis in range(len(ops.shape(inputs))) if axis not in axes]
        return ops.reshape(ops.transpose(inputs, (*others, *axes)), (-1, self._integer_axes()["_kernel"].shared_size))

    def _product(self, inputs: Any, kernel: Any, bias: Any) -> Any:
        bound, shape = self._bound_axes(), ops.shape(inputs)
        if bound and shape[:-bound].count(None) < 2:
            return self._as_matrices(inputs, kernel, bias, shape[:-bound])
        outputs = ops.einsum(self.equation, inputs, kernel)
        return outputs if bias is None else ops.add(outputs, bias)

    def _as_matrices(self, inputs: Any, kernel: Any, bias: Any, free: tuple) -> Any:
        """The product as one matrix multiplication: the batched einsum took 19 % of an encoder's step on PyTorch."""
        shape = ops.shape(kernel)[self._bound_axes() :]
        units = math.prod(shape)
        matrix = ops.reshape(kernel, (-1, units))
        rows = ops.reshape(inputs, (*free, ops.shape(matrix)[0]))
        outputs = ops.dense(rows, matrix, None if bias is None else ops.reshape(bias, (units,)))
        return ops.reshape(outputs, (*free, *shape))

    def _scaled_initializer(self) -> Any:
        """The initializer of the kernel, with its axes of the input and of the output set."""
        initializer = self.kernel_initializer
        if not isinstance(initializer, initializers.VarianceScaling) or initializer.input_axes is not None:
            return initializer
        _, kernel, outputs = self._letters
        initializer = copy.copy(initializer)
        initializer.input_axes = tuple(n for n, letter in enumerate(kernel) if letter not in outputs)
        initializer.output_axes = tuple(n for n, letter in enumerate(kernel) if letter in outputs)
        return initializer

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.
            training: bool, whether to run in training mode; default that of the enclosing call, or else False.

        Shapes: given by the equation, such as (a, b, c) to (a, b, d) for ``"abc,cd->abd"``.
        """
        outputs = self._multiplied(self._product, inputs, training)
        return outputs if self.activation in (None, activations.linear) else self.activation(outputs)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "output_shape": self.partial_output_shape,
            "equation": self.equation,
            "activation": activations.serialize(self.activation),
            "bias_axes": self.bias_axes,
            **options_config(self, "kernel", "bias"),
            **self._lora_config(),
            **self._quantization(),
        }


def outputs_together(layers: Sequence[EinsumDense], inputs: Any) -> list:
    """Return the outputs of several layers for one input, in one product if all kernels act on its last axis."""
    shape, bounds = ops.shape(inputs), {layer._bound_axes() for layer in layers}
    are_plain = all(
        type(layer) is EinsumDense
        and calls_as_its_class(layer)
        and layer.activation is activations.linear
        and layer.activity_regularizer is None
        and not layer._is_quantized
        for layer in layers
    )
    free = shape[: -min(bounds)]
    if bounds != {1} or not are_plain or free.count(None) > 1 or len({layer.bias is None for layer in layers}) > 1:
        return [layer(inputs) for layer in layers]
    sizes = [ops.shape(layer.kernel)[1:] for layer in layers]
    matrices = [ops.reshape(layer.kernel, (shape[-1], -1)) for layer in layers]
    biases = [None if layer.bias is None else ops.reshape(layer.bias, (-1,)) for layer in layers]
    outputs = fused.dense_together(inputs, matrices, biases)
    return [ops.reshape(part, (*free, *size)) for part, size in zip(outputs, sizes, strict=True)]


class Highway(Layer):
    """Highway layer: mix the input x and a dense layer of it, h, by a learned gate: ``gate * h + (1 - gate) * x``.

    Args:
        kernel_initializer: initializer of both kernels (``init`` in Keras 1); default "glorot_uniform".
        activation: activation function of h, or its name; default None, for none.
        weights: list of arrays, initial values of the weights; default None.
        use_bias: bool, whether h and the gate have biases; those of the gate start at 1; default True.
        kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint,
            bias_constraint: as for ``Dense`` (``W_regularizer`` ... in Keras 1).
        input_dim: int, size of the last axis of the input; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (..., n) to (..., n); two kernels (n, n), two biases (n,).
    Source: Srivastava et al., "Highway networks" (2015), https://arxiv.org/abs/1505.00387.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Highway(activation="tanh")(np.ones((2, 3))).shape
    (2, 3)
    """

    @_old_names
    def __init__(
        self,
        kernel_initializer: Any = "glorot_uniform",
        activation: Any = None,
        weights: list | None = None,
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_bias: bool = True,
        input_dim: int | None = None,
        **kwargs: Any,
    ) -> None:
        given = {"weights": weights, "input_dim": input_dim, "activity_regularizer": activity_regularizer}
        super().__init__(**kwargs, **{key: value for key, value in given.items() if value is not None})
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        keep_options(self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        keep_options(self, "bias", "zeros", bias_regularizer, bias_constraint)
        self.supports_masking = True
        self.bias: Any = None
        self.gate_bias: Any = None

    def build(self, input_shape: tuple) -> None:
        width = known_size(self, input_shape, -1)
        self.kernel = add_weight(self, "kernel", (width, width))
        self.gate_kernel = add_weight(self, "kernel", (width, width), name="gate_kernel")
        if self.use_bias:
            self.bias = add_weight(self, "bias", (width,))
            self.gate_bias = self.add_weight((width,), "ones", name="gate_bias")
        self.input_spec = InputSpec(min_ndim=1, axes={-1: width})

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: (..., n) to (..., n).
        """
        gate = ops.sigmoid(ops.dense(inputs, self.gate_kernel, self.gate_bias))
        hidden = self.activation(ops.dense(inputs, self.kernel, self.bias))
        return gate * hidden + (1 - gate) * inputs

    def get_config(self) -> dict:
        options = options_config(self, "kernel", "bias")
        del options["bias_initializer"]
        activation = activations.serialize(self.activation)
        return {**super().get_config(), "activation": activation, "use_bias": self.use_bias, **options}


class MaxoutDense(Layer):
    """Take the elementwise maximum of several dense layers.

    Args:
        units: int, size of the last axis of the output (``output_dim`` in Keras 1).
        features: int, number of dense layers (``nb_feature`` in Keras 1); default 4.
        kernel_initializer: initializer of the kernels (``init`` in Keras 1); default "glorot_uniform".
        weights: list of arrays, initial values of the weights; default None.
        use_bias: bool, whether to add biases; default True.
        kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint,
            bias_constraint: as for ``Dense`` (``W_regularizer`` ... in Keras 1).
        input_dim: int, size of the last axis of the input; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (..., n) to (..., units); kernel (features, n, units), bias (features, units).
    Source: Goodfellow et al., "Maxout networks" (ICML 2013).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.MaxoutDense(4, nb_feature=2)(np.ones((2, 3))).shape
    (2, 4)
    """

    @_old_names
    def __init__(
        self,
        units: int,
        features: int = 4,
        kernel_initializer: Any = "glorot_uniform",
        weights: list | None = None,
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_bias: bool = True,
        input_dim: int | None = None,
        **kwargs: Any,
    ) -> None:
        given = {"weights": weights, "input_dim": input_dim, "activity_regularizer": activity_regularizer}
        super().__init__(**kwargs, **{key: value for key, value in given.items() if value is not None})
        self.units = positive_int(self, "units", units)
        self.features = positive_int(self, "features", features)
        self.use_bias = use_bias
        keep_options(self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        keep_options(self, "bias", "zeros", bias_regularizer, bias_constraint)
        self.supports_masking = True

    def build(self, input_shape: tuple) -> None:
        width = known_size(self, input_shape, -1)
        self.kernel = add_weight(self, "kernel", (self.features, width, self.units))
        if self.use_bias:
            self.bias = add_weight(self, "bias", (self.features, self.units))
        self.input_spec = InputSpec(min_ndim=1, axes={-1: width})

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: (..., n) to (..., units).
        """
        outputs = ops.einsum("...i,fiu->...fu", inputs, self.kernel)
        if self.use_bias:
            outputs = ops.add(outputs, self.bias)
        return ops.max(outputs, axis=-2)

    def get_config(self) -> dict:
        options = options_config(self, "kernel", "bias")
        del options["bias_initializer"]
        sizes = {"units": self.units, "features": self.features, "use_bias": self.use_bias}
        return {**super().get_config(), **sizes, **options}
