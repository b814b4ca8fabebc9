"""Ops as operations in a graph's config: Keras 3 has a class for each, with the op's settings as arguments.

The inputs of an op go into the config of a call, its settings into that of the operation:
``ops.sum(x, axis=1)`` is a call on ``x`` of ``{"class_name": "Sum", "config": {"axis": 1, ...}}``.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from polykeras import ops
from polykeras.core import naming, sizes, trees
from polykeras.core.graph import KerasTensor, Node, record
from polykeras.serialization import registry

#: The classes of Keras 3.15 by module, each with those arguments that are settings.
_CLASSES = {
    "core": """
Scatter(shape) ScatterUpdate(reduction) Slice(shape) SliceUpdate StopGradient Unstack(num,axis) Cast(dtype)
SaturateCast(dtype) ConvertToTensor(dtype,sparse,ragged) VectorizedMap(function)
    """,
    "einops": """
Rearrange
    """,
    "image": """
RGBToGrayscale(data_format) RGBToHSV(data_format) HSVToRGB(data_format)
Resize(size,interpolation,antialias,crop_to_aspect_ratio,pad_to_aspect_ratio,fill_mode,fill_value,data_format)
AffineTransform(interpolation,fill_mode,fill_value,data_format)
ExtractPatches(size,strides,dilation_rate,padding,data_format) MapCoordinates(order,fill_mode,fill_value)
PadImages(top_padding,left_padding,bottom_padding,right_padding,target_height,target_width,data_format)
CropImages(top_cropping,left_cropping,bottom_cropping,right_cropping,target_height,target_width,data_format)
PerspectiveTransform(interpolation,fill_value,data_format) GaussianBlur(kernel_size,sigma,data_format)
ElasticTransform(alpha,sigma,interpolation,fill_mode,fill_value,seed,data_format)
ScaleAndTranslate(spatial_dims,method,antialias) SobelEdges(data_format)
SSIM(max_val,filter_size,filter_sigma,k1,k2,data_format)
    """,
    "linalg": """
Cholesky(upper) CholeskyInverse(upper) Det Eigh Inv LuFactor Norm(ord,axis,keepdims) Qr(mode) Solve
SolveTriangular(lower) SVD(full_matrices,compute_uv) Lstsq(rcond) MatrixRank(tol) Pinv(rcond)
    """,
    "math": """
SegmentSum(num_segments,sorted) SegmentMax(num_segments,sorted) SegmentMin(num_segments,sorted)
SegmentProd(num_segments,sorted) TopK(k,sorted) InTopK(k) Logsumexp(axis,keepdims) CDist
ExtractSequences(sequence_length,sequence_stride) FFT FFT2 IFFT2 RFFT(fft_length) IRFFT(fft_length)
STFT(sequence_length,sequence_stride,fft_length,window,center)
ISTFT(sequence_length,sequence_stride,fft_length,length,window,center) Rsqrt Erf Erfc Erfinv Logdet
    """,
    "nn": """
Relu Relu6 Sigmoid SparseSigmoid Softplus Softsign SoftShrink(threshold) SparsePlus Silu Squareplus(b)
LogSigmoid LeakyRelu(negative_slope) HardSigmoid HardSilu Elu(alpha) Selu Gelu(approximate) Celu(alpha)
Glu(axis) TanhShrink HardTanh HardShrink(threshold) Threshold(threshold,default_value) Softmax(axis)
LogSoftmax(axis) Sparsemax(axis) MaxPool(pool_size,strides,padding,data_format)
AdaptiveMaxPool(output_size,data_format) AveragePool(pool_size,strides,padding,data_format)
AdaptiveAveragePool(output_size,data_format) Conv(strides,padding,data_format,dilation_rate)
DepthwiseConv(strides,padding,data_format,dilation_rate)
SeparableConv(strides,padding,data_format,dilation_rate)
ConvTranspose(strides,padding,output_padding,data_format,dilation_rate) OneHot(num_classes,axis,dtype,sparse)
BinaryCrossentropy(from_logits) CategoricalCrossentropy(from_logits,axis)
SparseCategoricalCrossentropy(from_logits,axis) MultiHot(num_classes,axis,dtype,sparse)
Moments(axes,keepdims,synchronized) BatchNorm(axis,epsilon) CTCLoss(mask_index)
CTCDecode(strategy,beam_width,top_paths,merge_repeated,mask_index) Normalize(axis,order,epsilon) PSNR(max_val)
DotProductAttention(is_causal,flash_attention,attn_logits_soft_cap) RMSNorm(axis,epsilon)
LayerNorm(axis,epsilon,rms_scaling) Unfold(kernel_size,dilation,padding,stride)
Fold(output_size,kernel_size,dilation,padding,stride) DepthToSpace(block_size,data_format)
SpaceToDepth(block_size,data_format)
    """,
    "numpy": """
Rot90(k,axes) Absolute Abs Fabs Add All(axis,keepdims) AllClose(rtol,atol,equal_nan) Angle Any(axis,keepdims)
Amax(axis,keepdims) Amin(axis,keepdims) Append(axis) Arccos Arccosh Arcsin Arcsinh Arctan Arctan2 Arctanh
Argmax(axis,keepdims) Argmin(axis,keepdims) Argsort(axis) Array(dtype) View(dtype) Average(axis) Heaviside
Bincount(weights,minlength,sparse) BitwiseAnd BitwiseInvert BitwiseNot BitwiseOr BitwiseXor BitwiseLeftShift
LeftShift BitwiseRightShift RightShift BroadcastTo(shape) Cbrt Ceil Clip(x_min,x_max) Concatenate(axis)
Conjugate Conj Copy Cos Cosh CountNonzero(axis) Cross(axisa,axisb,axisc,axis) Cumprod(axis,dtype)
Cumsum(axis,dtype) Deg2rad Rad2deg Diag(k) Diagflat(k) Diagonal(offset,axis1,axis2) Diff(n,axis) Digitize Dot
Dstack Einsum(subscripts) EmptyLike(dtype) Equal Exp Exp2 ExpandDims(axis) Expm1 Flip(axis) Fliplr Flipud Floor
Full(shape,dtype) FullLike(dtype) Gcd GetItem Geomspace(num,endpoint,dtype,axis) Greater GreaterEqual Hstack
Hsplit(indices_or_sections) Hypot Imag I0 Isclose(equal_nan) Isfinite IsIn(assume_unique,invert) Isinf Isnan
Isneginf Isposinf Isreal Kron Lcm Ldexp Less LessEqual Linspace(num,endpoint,retstep,dtype,axis) Log Log10 Log1p
Log2 Logaddexp Logaddexp2 LogicalAnd LogicalNot LogicalOr Logspace(num,endpoint,base,dtype,axis) Matmul
Max(axis,keepdims,initial) Maximum Fmax Median(axis,keepdims) Meshgrid(indexing) Min(axis,keepdims,initial)
Minimum Fmin Mod Fmod Moveaxis(source,destination) Nanargmax(axis,keepdims) Nanargmin(axis,keepdims)
Nancumsum(axis,dtype) Nancumprod(axis,dtype) Nanmax(axis,keepdims) Nanmean(axis,keepdims)
Nanmedian(axis,keepdims) Nanmin(axis,keepdims) Nanpercentile(axis,method,keepdims) Nanprod(axis,keepdims)
Nanquantile(axis,method,keepdims) Nanstd(axis,keepdims) Nansum(axis,keepdims) Nanvar(axis,keepdims)
NanToNum(nan,posinf,neginf) Nonzero NotEqual OnesLike(dtype) ZerosLike(dtype) Outer Pad(pad_width,mode)
Percentile(axis,method,keepdims) Prod(axis,keepdims,dtype) Ptp(axis,keepdims) Quantile(axis,method,keepdims)
Ravel UnravelIndex(shape) Real Reciprocal Repeat(repeats,axis) Reshape(newshape) Roll(shift,axis)
Round(decimals) SearchSorted(side) Sign Signbit Sin Sinc Sinh Sort(axis) Split(indices_or_sections,axis)
Stack(axis) Std(axis,keepdims) Swapaxes(axis1,axis2) Take(axis) TakeAlongAxis(axis) Tan Tanh Tensordot(axes)
Tile(repeats) Trace(offset,axis1,axis2) Tril(k) Triu(k) Trunc Vdot Inner Vstack Vsplit(indices_or_sections)
Where Subtract Multiply Divide DivideNoNan TrueDivide Power Negative Nextafter Square Sqrt Squeeze(axis)
Transpose(axes) Trapezoid(x,dx,axis) Mean(axis,keepdims) Vander(N,increasing) Var(axis,keepdims)
Sum(axis,keepdims) FloorDivide LogicalXor Corrcoef Correlate(mode) Select Slogdet Argpartition(kth,axis)
Histogram(bins,range) ArraySplit(indices_or_sections,axis)
Unique(sorted,return_index,return_inverse,return_counts,axis,size,fill_value) Dsplit(indices_or_sections)
    """,
}

#: Ops whose names differ from those of their classes.
_NAMES = {"BatchNorm": "batch_normalization", "LayerNorm": "layer_normalization", "RMSNorm": "rms_normalization"}

#: Ops that call functions, which a config of our own layout doesn't name.
_CALLERS = {"associative_scan", "cond", "fori_loop", "map", "scan", "switch", "vectorized_map", "while_loop"}

#: Largest integer that a file may set: loading a model takes memory for what an op precomputes from it.
_MOST = 1 << 24
#: The same for settings that determine a number of repetitions or parts.
_MOST_TIMES = 1 << 16
_TIMES = ("n", "num", "indices_or_sections")


@dataclass(frozen=True)
class Operation:
    """How Keras 3 represents an op.

    Args:
        module, class_name: those of the class.
        function: the op.
        settings: names of the arguments that belong to the class.
    """

    module: str
    class_name: str
    function: Callable
    settings: tuple[str, ...]

    @functools.cached_property
    def inputs(self) -> tuple[inspect.Parameter, ...]:
        """The other arguments, in order."""
        parameters = inspect.signature(self.function).parameters.values()
        return tuple(p for p in parameters if p.name not in self.settings and p.kind is not p.VAR_KEYWORD)


@functools.cache
def _table() -> dict[str, Operation]:
    """Return the operations by the names of their classes."""
    named = {name.replace("_", ""): op for space in (ops.image, ops) for name, op in _public(space).items()}
    table = {}
    for module, classes in _CLASSES.items():
        for entry in classes.split():
            class_name, _, settings = entry.rstrip(")").partition("(")
            function = named[_NAMES.get(class_name, class_name).replace("_", "").lower()]
            table[class_name] = Operation(module, class_name, function, tuple(filter(None, settings.split(","))))
    return table


@functools.cache
def _by_function() -> dict[Callable, Operation]:
    return {operation.function: operation for operation in reversed(_table().values())}


def _public(space: Any) -> dict[str, Callable]:
    return {name: op for name, op in vars(space).copy().items() if getattr(op, "is_op", False)}


def describe(function: Callable, name: str, node: Node) -> tuple[dict, tuple, dict]:
    """Return the config of an op's call, and the arguments that belong to the call.

    Args:
        function: the op.
        name: name of the operation in its graph.
        node: the call.

    Returns:
        described: the operation as Keras 3 represents it; in a layout of our own if Keras has no class for it.
        args, kwargs: arguments of the call.
    """
    operation = _by_function().get(function)
    bound = inspect.signature(function).bind(*node.args, **node.kwargs)
    if operation is None or not _fits(operation, bound.arguments):
        config = {"function": sizes.name_of(function) or function.__name__, "name": name}
        described = {"module": "keras.ops", "class_name": "op", "config": config, "registered_name": None}
        return described, node.args, node.kwargs
    bound.apply_defaults()
    given = bound.arguments
    args: list = []
    for parameter in operation.inputs:
        value = given.get(parameter.name, ())
        args.extend(value) if parameter.kind is parameter.VAR_POSITIONAL else args.append(value)
    needed = sum(parameter.default is parameter.empty for parameter in operation.inputs)
    while len(args) > needed and args[-1] is None:
        args.pop()  # an omitted array
    settings = {key: registry.serialize(_listed(given[key])) for key in operation.settings}
    described = {
        "module": f"keras.src.ops.{operation.module}",
        "class_name": operation.class_name,
        "config": {"name": name, **settings},
        "registered_name": operation.class_name,
    }
    free = next((p.name for p in inspect.signature(function).parameters.values() if p.kind is p.VAR_KEYWORD), None)
    return described, tuple(_listed(args)), {} if free is None else given.get(free, {})


def _listed(value: Any) -> Any:
    """Convert tuples to lists, as Keras writes and expects them."""
    return [_listed(x) for x in value] if isinstance(value, list | tuple) else value


def _fits(operation: Operation, given: dict[str, Any]) -> bool:
    """Whether all settings are plain values."""
    return not any(isinstance(x, KerasTensor) for name in operation.settings for x in trees.leaves(given.get(name)))


def is_operation(described: dict) -> bool:
    """True for the config of an op, as opposed to a layer."""
    return described.get("class_name") == "op" or str(described.get("module")).startswith("keras.src.ops")


def is_class(name: Any) -> bool:
    """True for a class name that Keras 3 uses for an op; layers may have it too."""
    return name in _table()


def from_description(described: dict) -> Callable:
    """Return a function that calls the op described by ``describe`` on symbolic tensors.

    Raises:
        ValueError: for an unknown op, or one that calls functions.
    """
    config: dict[str, Any] = described.get("config") or {}
    kind = str(described.get("class_name"))
    name = config.get("name")
    if kind == "op":
        maker = sizes.MAKERS.get(str(config.get("function")))
        if maker is not None:
            return maker
        function = _public(ops).get(str(config.get("function")))
        if function is None or function.__name__ in _CALLERS:
            raise ValueError(f"Expected an op of polykeras.ops. Received: {config.get('function')!r}.")
        return lambda *args, **kwargs: record(function, args, kwargs, name)
    operation = _table().get(kind)
    if operation is None:
        raise ValueError(f"Expected an operation that polykeras has as an op. Received: {kind!r}.")
    settings = {key: registry.deserialize(config[key]) for key in operation.settings if key in config}
    if "function" in operation.settings:
        _check_function(name, settings.get("function"))
    for key, value in settings.items():
        _check_size(name, key, value)

    def call(*args: Any, **kwargs: Any) -> Any:
        if operation.class_name == "Unstack":
            _check_size(name, "num", args[0].shape[settings.get("axis", 0)])
        if operation.class_name == "GetItem":
            args = (args[0], *(tuple(key) if isinstance(key, list) else key for key in args[1:]))
        if any(p.kind is p.VAR_POSITIONAL for p in operation.inputs):
            return _record_after(operation, args, settings | kwargs, name)
        named = {p.name: value for p, value in zip(operation.inputs, args, strict=False)}
        return record(operation.function, (), named | settings | kwargs, name)

    return call


def _check_function(name: Any, function: Any) -> None:
    if inspect.isclass(function) or not callable(function):
        raise ValueError(
            f"Operation {name!r}: Expected the name of a function that is registered by register_keras_serializable. "
            f"Received: {naming.short(function)}."
        )


def _check_size(name: Any, key: str, value: Any) -> None:
    most = _MOST_TIMES if key in _TIMES else _MOST
    for number in trees.leaves(value):
        if isinstance(number, int) and abs(number) > most:
            raise ValueError(
                f"Operation {name!r}: Expected {key} of at most {most} in a file. Received: {number}. Build the model "
                f"in Python and load its weights instead."
            )


def _record_after(operation: Operation, args: tuple, kwargs: dict, name: str | None) -> Any:
    """Record a call of an op that takes any number of arrays, possibly after its settings."""
    first = []
    for parameter in inspect.signature(operation.function).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            break
        if parameter.name in kwargs:
            first.append(kwargs[parameter.name])
    rest = dict(list(kwargs.items())[len(first) :])
    return record(operation.function, (*first, *args), rest, name)
