"""A sequence of layers, and a layer that fixes the number of bounding boxes."""

from __future__ import annotations

from typing import Any

from polykeras import ops
from polykeras.core import masks, trees
from polykeras.layers.arguments import positive_int
from polykeras.layers.layer import Layer
from polykeras.layers.preprocessing.image import ImageLayer, in_batch
from polykeras.serialization import registry


class Pipeline(Layer):
    """Apply layers one after the other: like Sequential, but a layer and not a model.

    Args:
        layers: list of layers, or of their configs.
        name: str; default None, for a name derived from the class name.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: those of the layers, one after the other.

    Raises:
        ValueError: if ``layers`` is not a list.

    >>> import numpy as np, polykeras as keras
    >>> layer = keras.layers.Pipeline([keras.layers.Resizing(2, 3), keras.layers.RandomFlip(seed=1)])
    >>> layer(np.ones((1, 8, 6, 3))).shape
    (1, 2, 3, 3)
    """

    def __init__(self, layers: list, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        if not isinstance(layers, list | tuple):
            raise ValueError(f"Layer {self.name!r} (Pipeline): Expected layers to be a list. Received: {layers!r}.")
        self.layers = [registry.deserialize(layer) if isinstance(layer, dict) else layer for layer in layers]

    def call(self, inputs: Any, training: bool = True, mask: Any = None) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.
            training: bool, whether to run in training mode; default True.
            mask: bool array (batch, ...), for the first layer; default None.

        Shapes: those of the layers, one after the other.
        """
        if mask is not None:
            masks.set_mask(trees.leaves(inputs)[0], mask)
        for layer in self.layers:
            inputs = layer(inputs)
        return inputs

    @classmethod
    def from_config(cls, config: dict) -> Pipeline:
        """Create a pipeline from the result of ``get_config``.

        Args:
            config: dict, as ``get_config`` returns.

        Raises:
            ValueError: if the config has no list of layers.
        """
        return super().from_config({"layers": None, **config})

    def get_config(self) -> dict:
        return {**super().get_config(), "layers": [registry.serialize(layer) for layer in self.layers]}


class MaxNumBoundingBoxes(ImageLayer):
    """Truncate or pad ``bounding_boxes``, so that each image has the same number of them.

    Args:
        max_number: int, number of boxes per image in the output.
        fill_value: float, value of the added boxes, labels and other entries; default -1.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: boxes (batch, boxes, 4) and labels (batch, boxes) to (batch, max_number, 4) and (batch,
    max_number).

    >>> import numpy as np, polykeras as keras
    >>> boxes = {"boxes": np.ones((1, 1, 4), "float32"), "labels": np.array([[5]])}
    >>> data = {"images": np.ones((1, 4, 4, 3)), "bounding_boxes": boxes}
    >>> keras.layers.MaxNumBoundingBoxes(3)(data)["bounding_boxes"]["labels"]
    array([[ 5, -1, -1]])
    """

    is_augmentation = False

    def __init__(self, max_number: int, fill_value: float = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_number, self.fill_value = positive_int(self, "max_number", max_number), fill_value

    def transform(self, images: Any, draws: Any) -> Any:
        return images

    def output_count(self, count: int | None) -> int | None:
        return self.max_number

    def _changed_boxes(self, given: dict, is_single: bool, draws: Any, size: tuple) -> dict:
        return {key: in_batch(ops.convert_to_tensor(x), is_single, self._sized) for key, x in given.items()}

    def _sized(self, x: Any) -> Any:
        x = x[:, : self.max_number]
        batch, count, *rest = x.shape
        filling = ops.full((batch, self.max_number - count, *rest), self.fill_value, ops.dtype(x))
        return ops.concatenate([x, filling], 1)
