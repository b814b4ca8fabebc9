"""Layers that apply randomly chosen image layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from polykeras import ops, random
from polykeras.layers.arguments import choice, positive_int, positive_number
from polykeras.layers.preprocessing.color import (
    AutoContrast,
    RandomBrightness,
    RandomColorDegeneration,
    RandomContrast,
    RandomPosterization,
    RandomSharpness,
    Solarization,
)
from polykeras.layers.preprocessing.geometry import RandomRotation, RandomShear, RandomTranslation
from polykeras.layers.preprocessing.histograms import Equalization
from polykeras.layers.preprocessing.image import INTERPOLATIONS, ImageLayer, limits, value_limits


class _Policy(ImageLayer):
    """Base class of augmentation policies. A layer is chosen per batch; its random numbers are drawn per image."""

    candidates: list[ImageLayer]

    def __init__(
        self, value_range: Any, factor: Any, interpolation: str, data_format: Any, seed: Any, **kwargs: Any
    ) -> None:
        super().__init__(data_format, seed, **kwargs)
        self.value_range = value_limits(self, value_range)
        self.factor = limits(self, "factor", factor, 0, 1)
        self.interpolation = choice(self, "interpolation", interpolation, INTERPOLATIONS)

    def _choices(self, has_all: bool = True) -> list[ImageLayer]:
        """Return the layers to choose from, with the strength ``factor``.

        Args:
            has_all: bool, whether to include layers that change colors, brightness and sharpness; default True.
        """
        factor = self.factor
        values: dict[str, Any] = {"value_range": self.value_range}
        layers: list[ImageLayer] = [
            RandomShear(factor, factor, self.interpolation, name="shear"),
            RandomTranslation(factor, factor, interpolation=self.interpolation, name="translation"),
            RandomRotation(factor, interpolation=self.interpolation, name="rotation"),
            Solarization(factor, factor, **values, name="solarization"),
            RandomPosterization((1, max(1, int(8 * factor[1]))), **values, name="posterization"),
            AutoContrast(**values, name="contrast"),
            Equalization(**values, name="equalization"),
        ]
        if has_all:
            for kind in (RandomBrightness, RandomColorDegeneration, RandomContrast, RandomSharpness):
                layers.append(kind(factor, **values, name=kind.__name__.lower()))
        for layer in layers:
            layer.generator = self.generator
        return layers

    def draw_step(self, layers: Sequence[ImageLayer], size: tuple) -> tuple:
        """Return the index of a layer, and draws for all layers, since a compiled step can't draw in a branch."""
        number = random.randint((), 0, len(layers), seed=self.generator)
        return number, [layer.draw(*size) for layer in layers]

    def named_steps(self, steps: list, prefix: str = "") -> dict:
        """Return what was drawn for steps by names of its own: no list and no None, which graphs can't carry."""
        own = {
            f"{prefix}{layer.name}_{n}": layer.named(drawn)
            for n, (_, drawn_by_all) in enumerate(steps)
            for layer, drawn in zip(self.candidates, drawn_by_all, strict=True)
            if drawn is not None
        }
        return {f"{prefix}layer_idxes": ops.stack([number for number, _ in steps]), **own}

    def drawn_steps(self, named: dict, count: int, size: tuple[int, int], prefix: str = "") -> list:
        """Return the steps that ``named_steps`` gave names."""
        numbers = named[f"{prefix}layer_idxes"]

        def own(layer: ImageLayer, n: int) -> Any:
            key = f"{prefix}{layer.name}_{n}"
            return layer.drawn(named[key], size) if key in named else None

        return [(numbers[n], [own(layer, n) for layer in self.candidates]) for n in range(count)]

    def step(self, layers: Sequence[ImageLayer], drawn: tuple, change: Callable, x: Any) -> Any:
        """Return the result of the chosen layer for an array: ``change(layer, x, draws)``."""
        number, draws = drawn
        branches = [
            lambda x, layer=layer, own=own: change(layer, x, own) for layer, own in zip(layers, draws, strict=True)
        ]
        # The index after the last layer returns the array unchanged.
        return ops.switch(number, [*branches, lambda x: x], x)


class RandAugment(_Policy):
    """In training, apply layers that are randomly chosen from eleven, one after the other.

    Args:
        value_range: pair, lowest and highest possible value; default (0, 255).
        num_ops: int, number of layers to apply; default 2.
        factor: float or pair; their strength is drawn from 0 to it, or between the two; default 0.5.
        interpolation: ``"bilinear"`` or ``"nearest"``, for the geometric layers; default "bilinear".
        seed: int, for draws that can be reproduced; default None, for a new seed in every run.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        bounding_box_format: as for ``RandomFlip``.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Source: Cubuk et al., "RandAugment: Practical Automated Data Augmentation with a Reduced Search
    Space" (NeurIPS 2020).

    Shapes: (batch, rows, columns, channels), or without the batch axis, to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.RandAugment(seed=1)(np.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self,
        value_range: tuple = (0, 255),
        num_ops: int = 2,
        factor: Any = 0.5,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(value_range, factor, interpolation, data_format, seed, **kwargs)
        self.num_ops = positive_int(self, "num_ops", num_ops)
        self.candidates = self._choices()

    def draw(self, batch: int, height: int, width: int) -> Any:
        return [self.draw_step(self.candidates, (batch, height, width)) for _ in range(self.num_ops)]

    def named(self, draws: Any) -> dict:
        return self.named_steps(draws)

    def drawn(self, named: dict, size: tuple[int, int]) -> Any:
        return self.drawn_steps(named, self.num_ops, size)

    def _applied(self, change: Callable, x: Any, draws: Any) -> Any:
        for drawn in draws:
            x = self.step(self.candidates, drawn, change, x)
        return x

    def transform(self, images: Any, draws: Any) -> Any:
        return self._applied(lambda layer, x, own: layer.transform(x, own), images, draws)

    def transform_masks(self, masks: Any, draws: Any) -> Any:
        return self._applied(lambda layer, x, own: layer.transform_masks(x, own), masks, draws)

    def transform_boxes(self, corners: Any, draws: Any, size: tuple[int, int]) -> Any:
        return self._applied(lambda layer, x, own: layer.transform_boxes(x, own, size), corners, draws)


class AugMix(_Policy):
    """In training, mix images with the results of chains of randomly chosen layers.

    Labels, masks and bounding boxes are not changed.

    Args:
        value_range: pair, lowest and highest possible value; default (0, 255).
        num_chains: int, number of chains; default 3.
        chain_depth: int, maximum number of layers in a chain, which is drawn from 0 to it; default 3.
        factor: float or pair; the strength of the layers is drawn from 0 to it, or between the two; default 0.3.
        alpha: positive float, parameter of the Dirichlet distribution of the weights of the chains, and of the beta
            distribution of the weight of their mixture; default 1.0.
        all_ops: bool, whether to include layers that change colors, brightness and sharpness; default True.
        interpolation: ``"bilinear"`` or ``"nearest"``, for the geometric layers; default "bilinear".
        seed: int, for draws that can be reproduced; default None, for a new seed in every run.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Source: Hendrycks et al., "AugMix: A Simple Data Processing Method to Improve Robustness and
    Uncertainty" (ICLR 2020).

    Shapes: (batch, rows, columns, channels), or without the batch axis, to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.AugMix(seed=1)(np.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self,
        value_range: tuple = (0, 255),
        num_chains: int = 3,
        chain_depth: int = 3,
        factor: Any = 0.3,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(value_range, factor, interpolation, data_format, seed, **kwargs)
        self.num_chains = positive_int(self, "num_chains", num_chains)
        self.chain_depth = positive_int(self, "chain_depth", chain_depth)
        self.alpha = positive_number(self, "alpha", alpha)
        self.all_ops = all_ops
        self.candidates = self._choices(all_ops)

    def draw(self, batch: int, height: int, width: int) -> Any:
        # Gamma variates divided by their sum follow the Dirichlet distribution.
        weights = random.gamma((self.num_chains, batch, 1, 1, 1), self.alpha, "float32", self.generator)
        weights = weights / ops.sum(weights, 0)
        mixture = random.beta((batch, 1, 1, 1), self.alpha, self.alpha, "float32", self.generator)
        chains = [self._draw_chain((batch, height, width)) for _ in range(self.num_chains)]
        return weights * mixture, mixture, chains

    def named(self, draws: Any) -> dict:
        weights, mixture, chains = draws
        steps = [self.named_steps(chain, f"chain_{n}_") for n, chain in enumerate(chains)]
        return {"weights": weights, "mixture": mixture, **{key: x for named in steps for key, x in named.items()}}

    def drawn(self, named: dict, size: tuple[int, int]) -> Any:
        chains = [self.drawn_steps(named, self.chain_depth, size, f"chain_{n}_") for n in range(self.num_chains)]
        return named["weights"], named["mixture"], chains

    def _draw_chain(self, size: tuple) -> list:
        depth = random.randint((), 0, self.chain_depth + 1, seed=self.generator)
        steps = [self.draw_step(self.candidates, size) for _ in range(self.chain_depth)]
        return [
            (ops.where(ops.less(n, depth), number, len(self.candidates)), own) for n, (number, own) in enumerate(steps)
        ]

    def transform(self, images: Any, draws: Any) -> Any:
        weights, mixture, chains = draws
        result = images * (1.0 - mixture)
        for n, chain in enumerate(chains):
            x = images
            for drawn in chain:
                x = self.step(self.candidates, drawn, lambda layer, x, own: layer.transform(x, own), x)
            result = result + x * weights[n]
        return result
