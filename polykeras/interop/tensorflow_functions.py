"""TensorFlow's own functions as layers of a graph, as in tf.keras 2.

In the era of Keras 2 a function such as ``tf.nn.relu`` takes symbolic tensors: the call becomes a layer of the graph.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from typing import Any, Self

from polykeras import backends
from polykeras.backends.contract.spec import SPEC
from polykeras.core import graph, naming, shape_inference, trees
from polykeras.core.graph import KerasTensor, OpCall, Plan
from polykeras.core.operators import EngineNeeded, Operators
from polykeras.interop.foreign_layer import ForeignLayer
from polykeras.serialization import registry

#: Namespaces all of whose functions a file may name: they compute with numbers and do nothing else.
_SPACES = ("bitwise", "linalg", "math", "nn", "signal", "__operators__")
#: Further functions that files may name. None of them calls a function, or reads or writes anything but its arguments.
_NAMES = {
    "": """
add_n argsort batch_to_space bitcast boolean_mask broadcast_dynamic_shape broadcast_to cast clip_by_global_norm
clip_by_norm clip_by_value complex concat constant convert_to_tensor cumsum dynamic_partition dynamic_stitch
edit_distance einsum ensure_shape expand_dims extract_volume_patches eye fill gather gather_nd
histogram_fixed_width histogram_fixed_width_bins identity identity_n linspace meshgrid norm one_hot ones ones_like pad
parallel_stack range rank realdiv repeat reshape reverse reverse_sequence roll saturate_cast scatter_nd
searchsorted sequence_mask shape shape_n size slice sort space_to_batch space_to_batch_nd split squeeze stack
stop_gradient strided_slice tensor_scatter_nd_add tensor_scatter_nd_max tensor_scatter_nd_min tensor_scatter_nd_sub
tensor_scatter_nd_update tile transpose truncatediv truncatemod unique unique_with_counts unravel_index unstack where
zeros zeros_like
    """,
    "image": """
adjust_brightness adjust_contrast adjust_gamma adjust_hue adjust_saturation central_crop convert_image_dtype
crop_and_resize crop_to_bounding_box extract_glimpse extract_patches flip_left_right flip_up_down grayscale_to_rgb
hsv_to_rgb image_gradients pad_to_bounding_box per_image_standardization psnr random_brightness random_contrast
random_crop random_flip_left_right random_flip_up_down random_hue random_saturation resize
resize_with_crop_or_pad resize_with_pad rgb_to_grayscale rgb_to_hsv rgb_to_yiq rgb_to_yuv rot90 sobel_edges ssim
ssim_multiscale total_variation transpose yiq_to_rgb yuv_to_rgb
    """,
    "quantization": """
fake_quant_with_min_max_args fake_quant_with_min_max_vars fake_quant_with_min_max_vars_per_channel
quantize_and_dequantize quantize_and_dequantize_v2
    """,
    "random": """
categorical gamma normal poisson shuffle stateless_categorical stateless_normal stateless_truncated_normal
stateless_uniform truncated_normal uniform
    """,
}


class TFOpLambda(ForeignLayer):
    """A call of one of TensorFlow's own functions in a graph.

    Args:
        function: the function, or its name in TensorFlow's public API, such as ``"nn.relu"``.
        trainable: bool, accepted for compatibility: the layer has no weights; default True.
        name: str; default None, for one made from that of the function.
        dtype: accepted for compatibility; default None.

    Raises:
        ValueError: for a name that is not among those that files may contain.
        RuntimeError: on another backend than tensorflow.
    """

    engine = "tensorflow"
    built = True
    _untracked = ForeignLayer._untracked | {"function"}

    def __init__(
        self, function: Callable | str, trainable: bool = True, name: str | None = None, dtype: Any = None
    ) -> None:
        if isinstance(function, _Unnamed):
            function = function.function
        name = name or naming.unique(f"tf.{_name_in_api(function) or getattr(function, '__name__', function)}")
        super().__init__(trainable=trainable, name=name, dtype=dtype, autocast=False)
        self.function = _function_named(function, name) if isinstance(function, str) else function

    def call(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def _symbolic_call(self, args: tuple, kwargs: dict) -> Any:
        outputs = super()._symbolic_call(args, kwargs)
        found = trees.leaves(outputs)
        if any(None in x.shape for x in found if isinstance(x, KerasTensor)):
            # It may depend on sizes computed by other functions, as in tf.reshape(x, [tf.shape(x)[0], 4]).
            with contextlib.suppress(Exception):
                for x, spec in zip(found, trees.leaves(self._specs_with_sizes(args, kwargs)), strict=True):
                    x.shape = spec.shape
        return outputs

    def _specs_with_sizes(self, args: tuple, kwargs: dict) -> Any:
        """Return the specs of the outputs, where integers among the inputs are computed from what they depend on."""
        given = [x for x in trees.leaves((args, kwargs)) if isinstance(x, KerasTensor)]
        sources = list({id(x): x for tensor in given for x in _sources(tensor)}.values())
        plan = Plan(sources, given)

        def compute(*values: Any) -> Any:
            computed = iter(plan.run(list(values)))
            filled = trees.map(lambda x: next(computed) if isinstance(x, KerasTensor) else x, (args, kwargs))
            return self.function(*filled[0], **filled[1])

        reason = EngineNeeded(f"{self.name} is code of the engine.")
        with backends.use(SPEC):
            return shape_inference.on_engine(compute, tuple(graph.to_specs(sources)), {}, reason)

    def get_config(self) -> dict:
        name = _name_in_api(self.function)
        known = name is not None and _is_allowed(name)
        return {**super().get_config(), "function": name if known else _Unnamed(self.function, self.name)}

    @classmethod
    def from_config(cls, config: dict) -> Self:
        """Create a layer from ``get_config``, or from the config of tf.keras.

        Raises:
            ValueError: for a function that files may not name.
        """
        return cls(**{key: config[key] for key in ("function", "trainable", "name") if key in config})


class SlicingOpLambda(TFOpLambda):
    """An index into a tensor, in files of tf.keras.

    Args:
        function, trainable, name, dtype: as for ``TFOpLambda``.
    """

    def call(self, inputs: Any, slice_spec: Any) -> Any:
        return super().call(inputs, _index(slice_spec))


_BOUNDS = ("start", "stop", "step")


def _index(spec: Any) -> Any:
    """Return an index, or a list of indices, in which dicts stand for slices."""
    if isinstance(spec, list | tuple):
        return tuple(map(_index, spec))
    return slice(*(spec[name] for name in _BOUNDS)) if isinstance(spec, dict) else spec


def get_item(tensor: KerasTensor, key: Any) -> Any:
    """Return a part of a symbolic tensor; slices may end where TensorFlow's functions of symbolic tensors say.

    Args:
        tensor: KerasTensor.
        key: int, slice, None, Ellipsis or tensor, or tuple of these.
    """
    parts = key if isinstance(key, tuple) else (key,)
    bounds = [getattr(part, name) for part in parts if isinstance(part, slice) for name in _BOUNDS]
    if not any(type(x) is KerasTensor for x in bounds):
        return Operators.__getitem__(tensor, key)
    spec = [{name: getattr(x, name) for name in _BOUNDS} if isinstance(x, slice) else x for x in parts]
    return SlicingOpLambda("__operators__.getitem")(tensor, spec)


def summed_rows(values: Any, variable: Any, indices: Any) -> tuple:
    """Return rows with the sums of those that have the same index, the variable, and the indices.

    Args:
        values: tensor, (n, ...).
        variable: what the rows belong to, which is passed on.
        indices: tensor of integers, (n,).
    """
    import tensorflow as tf

    rows, positions = tf.unique(indices)
    return tf.math.unsorted_segment_sum(values, positions, tf.size(rows)), variable, rows


def gradients_of(loss: Any, variables: Any, output_gradient: Any, tape: Any) -> tuple[list, list]:
    """Return the gradients of a loss, and the variables that they belong to.

    Args:
        loss: function without arguments, or a tensor computed under ``tape``.
        variables: list of Variables, or function that returns one.
        output_gradient: tensor, the gradient of the loss; None for 1.
        tape: a ``tf.GradientTape``, or None.
    """
    import tensorflow as tf

    if callable(loss):
        with tape or tf.GradientTape() as tape:
            loss = loss()
    if tape is None:
        raise ValueError("Expected a tape, for a loss that is not a function. Received: None.")
    variables = list(variables() if callable(variables) else variables)
    return tape.gradient(loss, variables, output_gradient), variables


class _Unnamed:
    """A function that files may not name: a copy of the layer has it, a description is refused."""

    def __init__(self, function: Callable, layer: str) -> None:
        self.function, self._layer = function, layer

    def get_config(self) -> dict:
        raise TypeError(
            f"Layer {self._layer!r}: Expected a function of TensorFlow that a file may name. Received: "
            f"{naming.short(self.function)}. Call it in the call of a layer class of your own, and register that."
        )


def _sources(tensor: KerasTensor) -> list[KerasTensor]:
    """Return the tensors from which small integers are computed; anything else is its own source."""
    node = tensor.node
    is_size = "int" in tensor.dtype and len(tensor.shape) < 2
    if not is_size or node is None or node.is_input or not isinstance(node.operation, OpCall | TFOpLambda):
        return [tensor]
    return [x for parent in node.inputs for x in _sources(parent)]


def _is_allowed(name: str) -> bool:
    space, _, own = name.rpartition(".")
    return (space in _SPACES and not own.startswith("_")) or own in _NAMES.get(space, "").split()


def _public(name: str) -> Any:
    """Return what has an allowed name in TensorFlow's API; None if there is none."""
    import tensorflow as tf

    space, _, own = name.rpartition(".")
    return getattr(getattr(tf, space) if space else tf, own, None)


def _name_in_api(function: Any) -> str | None:
    """Return the name of a function in TensorFlow's public API; None if that name stands for something else."""
    if isinstance(function, str):
        return function
    from tensorflow.python.util import tf_decorator, tf_export

    name = tf_export.get_canonical_name_for_symbol(function)
    if name is None or not _is_allowed(name):
        return name
    own, public = tf_decorator.unwrap(function)[1], _public(name)
    return name if public is not None and tf_decorator.unwrap(public)[1] is own else None


def _function_named(name: str, layer: str) -> Callable:
    found = _public(name) if _is_allowed(name) else None
    if not inspect.isfunction(found):
        raise ValueError(
            f"Layer {layer!r}: Expected the name of one of TensorFlow's functions of numbers, such as 'nn.relu'. "
            f"Received: {name!r}. Build the model in Python and load its weights instead."
        )
    return found


registry.add_family("layers", {"SlicingOpLambda": SlicingOpLambda, "TFOpLambda": TFOpLambda})
