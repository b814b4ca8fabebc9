"""The common parts of all networks: arguments, input, classification head, and weights."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from polykeras import activations, config, layers
from polykeras.applications import downloads
from polykeras.applications.blocks import channel_axis, spatial_axes
from polykeras.applications.downloads import Download
from polykeras.core import graph
from polykeras.core.graph import KerasTensor
from polykeras.models import Model

#: The arguments of most constructors, in Keras's order.
STANDARD = (
    *("include_top", "weights", "input_tensor", "input_shape", "pooling", "classes", "classifier_activation", "name"),
)

_DEFAULTS = {
    "include_top": True,
    "weights": "imagenet",
    "input_tensor": None,
    "input_shape": None,
    "pooling": None,
    "classes": 1000,
    "classifier_activation": "softmax",
}

_HELP = {
    "include_top": ["bool, whether to include the classification head; default True."],
    "weights": [
        "``None`` for random weights, ``'imagenet'`` for those trained on ImageNet, which are downloaded once, or",
        "the path of a weights file; default ``'imagenet'``.",
    ],
    "input_tensor": ["symbolic tensor to use as input, such as the result of ``keras.Input``; default a new one."],
    "input_shape": [
        "height, width and channels of an image, in the order of ``image_data_format()``, with at least {least}",
        "pixels of height and width; default {size} x {size} pixels and 3 channels, or any size without the top.",
    ],
    "pooling": [
        "pooling without the top: ``'avg'``, ``'max'``, or ``None`` for the last feature maps; default ``None``.",
    ],
    "classes": ["int, number of classes of the top; default 1000, which ``weights='imagenet'`` requires."],
    "classifier_activation": ["activation of the top; ``None`` for logits; default ``'softmax'``."],
    "include_preprocessing": ["bool, whether the network itself scales pixels from 0 to 255; default True."],
    "name": ["str, name of the model; default the name of the architecture."],
}


@dataclass(frozen=True)
class Variant:
    """One member of a family of architectures.

    Args:
        name: name of the constructor, such as ``"ResNet50"``.
        model_name: default name of the model; None if it depends on other arguments.
        size: default height and width of images.
        summary: first sentence of the docstring.
        blocks: description from which the function of the family builds the network.
        downloads: trained weights with the top and without; None if they depend on other arguments.
        least: minimum height and width of images.
    """

    name: str
    model_name: str | None
    size: int
    summary: str
    blocks: Any = None
    downloads: tuple[Download, Download] | None = None
    least: int = 32


def constructor(family: Callable, variant: Variant, order: tuple[str, ...] = STANDARD) -> Callable[..., Model]:
    """Return the public function of a variant, with its own signature and docstring.

    Args:
        family: function of a ``Frame``, and of arguments that only this family has, that returns the last tensor. Its
            docstring describes how images are scaled, the source, and in ``Args:`` these arguments.
        variant: the variant to build.
        order: names of all arguments, in the order of Keras.
    """
    own = dict(list(inspect.signature(family).parameters.items())[1:])
    defaults = {**_DEFAULTS, "name": variant.model_name, **{name: p.default for name, p in own.items()}}
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature([inspect.Parameter(name, kind, default=defaults[name]) for name in order])

    def construct(*args: Any, **kwargs: Any) -> Model:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        special = {name: bound.arguments.pop(name) for name in own}
        frame = Frame(variant, **bound.arguments)
        return frame.model(family(frame, **special))

    build: Any = construct
    build.__name__ = build.__qualname__ = variant.name
    build.__module__ = family.__module__
    build.__signature__ = signature
    build.__doc__ = _help(family, variant, order)
    return build


def _help(family: Callable, variant: Variant, order: tuple[str, ...]) -> str:
    about, _, own = inspect.cleandoc(family.__doc__ or "").partition("\nArgs:\n")
    texts = dict(_HELP)
    for line in inspect.cleandoc(own).splitlines():
        name, _, text = line.partition(": ")
        texts[name] = [text]
    described = []
    for name in order:
        first, *rest = texts[name]
        described += [f"    {name}: {first}", *(f"        {line}" for line in rest)]
    described = [line.format(least=variant.least, size=variant.size) for line in described]
    example = f"keras.applications.{variant.name}(weights=None, include_top=False)"
    return "\n".join(
        [variant.summary, "", about.strip(), "", "Args:", *described, ""]
        + ["Returns:", "    A Model.", ""]
        + ["Raises:", "    ValueError: for invalid or inconsistent arguments."]
        + ["    OSError: if the trained weights can't be downloaded.", ""]
        + [">>> import polykeras as keras", f">>> model = {example}", ""]
    )


class Frame:
    """The surroundings of a network: its input, the classification head, and the weights.

    Args:
        variant: the variant to build.
        others: the public arguments that all constructors share.
    """

    def __init__(
        self,
        variant: Variant,
        include_top: bool,
        weights: Any,
        input_tensor: Any,
        input_shape: tuple | None,
        pooling: str | None,
        classes: int,
        classifier_activation: Any,
        name: str | None,
    ) -> None:
        self.variant = variant
        self.name = name
        self.downloads = variant.downloads
        self.include_top, self.pooling = include_top, pooling
        self.classes, self.classifier_activation = classes, classifier_activation
        self.weights = weights if weights is None else os.fspath(weights)
        self.input_tensor = input_tensor
        self.input_shape = input_shape if input_shape is None else tuple(input_shape)
        self._check_weights()
        self._check_top()

    # ------------------------------------------------------------------ checks

    def wrong(self, what: str) -> ValueError:
        """Return the error for an invalid argument."""
        return ValueError(f"{self.variant.name}: {what}")

    def _check_weights(self) -> None:
        if self.weights not in (None, "imagenet") and not os.path.exists(self.weights):
            raise self.wrong(
                f"Expected weights to be None, 'imagenet' or the path of a file. Received: weights={self.weights!r}, "
                f"and no such file."
            )

    def _check_top(self) -> None:
        if self.pooling not in (None, "avg", "max"):
            raise self.wrong(f"Expected pooling to be None, 'avg' or 'max'. Received: pooling={self.pooling!r}.")
        if self.weights is None or not self.include_top:
            return
        if self.weights == "imagenet" and self.classes != 1000:
            raise self.wrong(
                f"Expected classes=1000 for weights='imagenet' with include_top=True. Received: "
                f"classes={self.classes}. Pass include_top=False and add your own Dense layer after the model."
            )
        if activations.get(self.classifier_activation) not in (activations.softmax, activations.linear):
            raise self.wrong(
                f"Expected classifier_activation to be 'softmax' or None for trained weights. Received: "
                f"{self.classifier_activation!r}."
            )

    # ------------------------------------------------------------------- input

    def input(self, size: int | None = None, is_fixed: bool | None = None) -> KerasTensor:
        """Return the input tensor.

        Args:
            size: height and width if none were given; default those of the variant.
            is_fixed: whether height and width must be known; default True with the top.
        """
        size = size or self.variant.size
        self.input_shape = self._shape(size, self.include_top if is_fixed is None else is_fixed)
        if self.input_tensor is None:
            self.input_tensor = layers.Input(self.input_shape)
        elif not isinstance(self.input_tensor, KerasTensor):
            raise self.wrong(
                f"Expected input_tensor to be a symbolic tensor, as of keras.Input(...). Received: "
                f"{type(self.input_tensor).__name__}. Call the model on arrays instead."
            )
        return self.input_tensor

    def _shape(self, size: int, is_fixed: bool) -> tuple:
        shape, is_pretrained = self.input_shape, self.weights == "imagenet"
        default = _in_order(size, size, 3)
        if shape is None:
            return default if is_fixed else _in_order(None, None, 3)
        if len(shape) != 3:
            raise self.wrong(f"Expected input_shape to have three sizes, as {default}. Received: {shape}.")
        sizes, count = self.spatial(shape), shape[channel_axis() % 4 - 1]
        if is_pretrained and self.include_top and is_fixed and shape != default:
            raise self.wrong(
                f"Expected input_shape={default} for weights='imagenet' with include_top=True. Received: {shape}. Pass "
                f"include_top=False for images of another shape."
            )
        if is_pretrained and count != 3:
            raise self.wrong(f"Expected images of 3 channels for weights='imagenet'. Received: input_shape={shape}.")
        if count not in (1, 3):
            warnings.warn(
                f"{self.variant.name}: Expected images of 1 or 3 channels. Received: {count}, by input_shape={shape} "
                f"and image_data_format()={config.image_data_format()!r}.",
                stacklevel=6,
            )
        least = self.variant.least
        if any(length is not None and length < least for length in sizes):
            raise self.wrong(f"Expected images of at least {least} x {least} pixels. Received: input_shape={shape}.")
        if is_fixed and None in shape:
            raise self.wrong(f"Expected input_shape without None, for the layers at the end. Received: {shape}.")
        return shape

    @staticmethod
    def spatial(shape: tuple) -> tuple:
        """Return height and width of a shape without the batch axis."""
        return tuple(shape[axis - 1] for axis in spatial_axes())

    # --------------------------------------------------------------------- end

    def pooled(self, x: KerasTensor, names: tuple[str | None, str | None] = ("avg_pool", "max_pool")) -> KerasTensor:
        """Append the requested pooling layer, with one of these names."""
        if self.pooling == "avg":
            return layers.GlobalAveragePooling2D(name=names[0])(x)
        if self.pooling == "max":
            return layers.GlobalMaxPooling2D(name=names[1])(x)
        return x

    def classified(self, x: KerasTensor, name: str = "predictions", **options: Any) -> KerasTensor:
        """Append the dense classification layer."""
        return layers.Dense(self.classes, activation=self.classifier_activation, name=name, **options)(x)

    def head(self, x: KerasTensor, names: tuple[str | None, str | None] = ("avg_pool", "max_pool")) -> KerasTensor:
        """Append the usual head: global average pooling and the classifier, or without the top the pooling only."""
        if not self.include_top:
            return self.pooled(x, names)
        return self.classified(layers.GlobalAveragePooling2D(name=names[0])(x))

    def model(self, outputs: KerasTensor) -> Model:
        """Return the model that computes ``outputs``, with its weights loaded."""
        sources = graph.sources([self.input_tensor])
        model = Model(sources[0] if len(sources) == 1 else sources, outputs, name=self.name)
        path = self.weights
        if path == "imagenet" and self.downloads is not None:
            path = downloads.path_of(self.downloads[0 if self.include_top else 1], self.variant.name)
        if path is not None:
            model.load_weights(path)
        return model


def _in_order(height: int | None, width: int | None, count: int) -> tuple:
    return (height, width, count) if channel_axis() == -1 else (count, height, width)
