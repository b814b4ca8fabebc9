"""One case for each public layer class: how to make a layer, and inputs to call it with."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from polykeras import activations, layers


@dataclass(frozen=True)
class Case:
    """A layer to check what every layer must do.

    Attributes:
        name: of the class in ``polykeras.layers``.
        make: function of keyword arguments (``dtype``) that returns a new layer, always of the same config.
        inputs: function that returns the positional arguments of a call: a tuple of trees of NumPy arrays.
        on_host: computes on the host, outside of compiled steps, as all that reads strings must.
        by_training: what comes out depends on draws or statistics in training.
        differentiable: gradients flow from the outputs to the inputs.
    """

    name: str
    make: Callable[..., layers.Layer]
    inputs: Callable[[], tuple]
    on_host: bool = False
    by_training: bool = False
    differentiable: bool = True


#: Classes that are there to be derived from, and cannot be called.
ABSTRACT = {"ConvRecurrent2D", "Layer", "Wrapper"}

VECTORS, SEQUENCES, IMAGES, VOLUMES = (3, 4), (2, 5, 4), (2, 6, 5, 4), (2, 4, 5, 4, 4)
IDS = np.array([[0, 3, 3], [2, 1, 1]])
WORDS = np.array([["ant", "bee", "cow"], ["dog", "ant", ""]], object)
TEXTS = np.array(["the cat, the Dog!", "hot dog"], object)


def normal(*shapes: tuple) -> list[np.ndarray]:
    """Fixed arrays of these shapes, each with numbers of its own."""
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype("float32") for shape in shapes]


def one(shape: tuple) -> Callable[[], tuple]:
    """Inputs: one array."""
    return lambda: tuple(normal(shape))


def together(*shapes: tuple) -> Callable[[], tuple]:
    """Inputs: a list of arrays, in one argument."""
    return lambda: (normal(*shapes),)


def apart(*shapes: tuple) -> Callable[[], tuple]:
    """Inputs: arrays, each an argument of its own."""
    return lambda: tuple(normal(*shapes))


def step(shape: tuple, *states: tuple) -> Callable[[], tuple]:
    """Inputs of a recurrent cell: one step of a sequence, and the states."""
    return lambda: (normal(shape)[0], normal(shape, *states)[1:])


def image(shape: tuple = (2, 6, 8, 3)) -> tuple:
    """Inputs: images of values from 0 to 255."""
    return (np.random.default_rng(0).uniform(0, 255, shape).astype("float32"),)


def case(name: str, inputs: Callable[[], tuple], *args: Any, **arguments: Any) -> Case:
    """Return a case; arguments of this name that ``Case`` has go there, others to the layer."""
    flags = {key: arguments.pop(key) for key in ("on_host", "by_training", "differentiable") if key in arguments}
    return Case(name, functools.partial(getattr(layers, name), *args, **arguments), inputs, **flags)


def around(name: str, inner: Callable[..., Any], inputs: Callable[[], tuple], **arguments: Any) -> Case:
    """Return a case of a layer around what ``inner(dtype=...)`` makes."""

    def make(dtype: Any = None) -> layers.Layer:
        return getattr(layers, name)(inner(dtype=dtype), dtype=dtype, **arguments)

    return Case(name, make, inputs)


def convolutions() -> Iterator[Case]:
    for rank, shape in ((1, SEQUENCES), (2, IMAGES), (3, VOLUMES)):
        inputs = one(shape)
        yield case(f"Conv{rank}D", inputs, 4, 2, padding="same", activation="tanh")
        yield case(f"Conv{rank}DTranspose", inputs, 3, 2, strides=2)
        yield case(f"Cropping{rank}D", inputs, 1)
        yield case(f"ZeroPadding{rank}D", inputs, 1)
        yield case(f"UpSampling{rank}D", inputs, 2)
    for rank, shape in ((1, SEQUENCES), (2, IMAGES)):
        yield case(f"DepthwiseConv{rank}D", one(shape), 2, depth_multiplier=2)
        yield case(f"SeparableConv{rank}D", one(shape), 3, 2)
        yield case(f"LocallyConnected{rank}D", one(shape), 3, 2)
        yield case(f"AtrousConvolution{rank}D", one(shape), 3, 2, atrous_rate=2)
    yield case("Deconvolution2D", one(IMAGES), 3, 2, strides=2)
    yield case("Deconvolution3D", one(VOLUMES), 3, 2)


def poolings() -> Iterator[Case]:
    for rank, shape in ((1, SEQUENCES), (2, IMAGES), (3, VOLUMES)):
        for kind in ("Max", "Average"):
            inputs = one(shape)
            yield case(f"{kind}Pooling{rank}D", inputs, 2)
            yield case(f"Global{kind}Pooling{rank}D", inputs)
            yield case(f"Adaptive{kind}Pooling{rank}D", inputs, 2)


def recurrences() -> Iterator[Case]:
    for name, states in (("SimpleRNN", 1), ("GRU", 1), ("LSTM", 2)):
        yield case(name, one(SEQUENCES), 3, return_sequences=True)
        yield case(f"{name}Cell", step(VECTORS, *[(3, 3)] * states), 3)
    yield case("CuDNNGRU", one(SEQUENCES), 3)
    yield case("CuDNNLSTM", one(SEQUENCES), 3)
    for rank, shape, size in ((1, (2, 3, 4, 2), 3), (2, (2, 3, 4, 5, 2), 2), (3, (2, 2, 3, 4, 3, 2), 2)):
        yield case(f"ConvLSTM{rank}D", one(shape), 2, size)
        spatial = (shape[0], *shape[2:-1], 2)
        yield case(f"ConvLSTM{rank}DCell", step((*spatial[:-1], 3), spatial, spatial), 2, size, padding="same")
    yield around("RNN", functools.partial(layers.GRUCell, 3), one(SEQUENCES), return_sequences=True)
    yield around("ConvRNN2D", functools.partial(layers.ConvLSTM2DCell, 2, 2), one((2, 3, 4, 5, 2)))
    cells = lambda dtype=None: [layers.GRUCell(3, dtype=dtype), layers.LSTMCell(2, dtype=dtype)]  # noqa: E731
    stacked = lambda: (normal(VECTORS)[0], [normal((3, 3))[0], normal((3, 2), (3, 2))])  # noqa: E731
    yield around("StackedRNNCells", cells, stacked)
    gru = functools.partial(layers.GRU, 3, return_sequences=True)
    yield around("Bidirectional", gru, one(SEQUENCES))
    yield around("TimeDistributed", functools.partial(layers.Dense, 3), one(SEQUENCES))


def attentions() -> Iterator[Case]:
    pair = (SEQUENCES, (2, 3, 4))
    yield case("Attention", together(*pair), use_scale=True)
    yield case("AdditiveAttention", together(*pair))
    yield case("MultiHeadAttention", apart(*pair), 2, 3)
    yield case("GroupQueryAttention", apart(*pair), 3, 4, 2)


def dense_layers() -> Iterator[Case]:
    yield case("Dense", one(VECTORS), 3, activation="relu")
    yield case("EinsumDense", one(SEQUENCES), "abc,cd->abd", (None, 3), bias_axes="d")
    yield case("Highway", one(VECTORS))
    yield case("MaxoutDense", one(VECTORS), 3, 2)
    yield case("Embedding", lambda: (IDS,), 5, 3, mask_zero=True)
    yield case("ReversibleEmbedding", lambda: (IDS,), 5, 3)


def merges() -> Iterator[Case]:
    for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"):
        yield case(name, together(SEQUENCES, SEQUENCES))
    yield case("Concatenate", together(SEQUENCES, (2, 5, 2)))
    yield case("Dot", together(VECTORS, VECTORS), 1)


def normalizations() -> Iterator[Case]:
    yield case("BatchNormalization", one(SEQUENCES), by_training=True)
    yield case("LayerNormalization", one(SEQUENCES))
    yield case("GroupNormalization", one(SEQUENCES), 2)
    yield case("RMSNormalization", one(SEQUENCES))
    yield case("UnitNormalization", one(SEQUENCES))
    yield around("SpectralNormalization", functools.partial(layers.Dense, 3), one(VECTORS))
    yield case("Normalization", one(SEQUENCES), mean=[0.5, 0.0, 1.0, -1.0], variance=[1.0, 4.0, 0.25, 2.0])


def regularizations() -> Iterator[Case]:
    for name in ("Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise", "SpatialDropout1D"):
        yield case(name, one(SEQUENCES), 0.25, seed=1, by_training=True)
    yield case("SpatialDropout2D", one(IMAGES), 0.25, seed=1, by_training=True)
    yield case("SpatialDropout3D", one(VOLUMES), 0.25, seed=1, by_training=True)
    yield case("ActivityRegularization", one(SEQUENCES), l1=0.01, l2=0.02)


def nonlinearities() -> Iterator[Case]:
    yield case("Activation", one(SEQUENCES), "tanh")
    for name in ("ELU", "LeakyReLU", "ReLU", "Softmax"):
        yield case(name, one(SEQUENCES))
    yield case("PReLU", one(SEQUENCES), alpha_initializer="ones")
    yield case("ThresholdedReLU", one(SEQUENCES), theta=0.5)


def shapes() -> Iterator[Case]:
    yield case("InputLayer", one(SEQUENCES), (5, 4))
    yield case("Identity", one(SEQUENCES))
    yield case("Flatten", one(SEQUENCES))
    yield case("Lambda", one(SEQUENCES), activations.softplus)
    yield case("Masking", one(SEQUENCES))
    yield case("Permute", one(SEQUENCES), (2, 1))
    yield case("RepeatVector", one(VECTORS), 3)
    yield case("Reshape", one(SEQUENCES), (2, -1))
    yield case("Rescaling", one(SEQUENCES), 0.5, 1.0)


def preprocessing() -> Iterator[Case]:
    yield case("CategoryEncoding", lambda: (IDS,), 5, differentiable=False)
    yield case("Discretization", one(VECTORS), [-0.5, 0.0, 0.75], differentiable=False)
    yield case("Hashing", lambda: (IDS,), 4, differentiable=False)
    yield case("HashedCrossing", lambda: ((IDS[:, 0], IDS[:, 1]),), 5, differentiable=False)
    yield case("IntegerLookup", lambda: (IDS,), vocabulary=[1, 3], differentiable=False)
    words = lambda: (WORDS,)  # noqa: E731
    yield case("StringLookup", words, vocabulary=["ant", "bee"], on_host=True, differentiable=False)
    vocabulary = ["the", "cat", "dog"]
    yield case("TextVectorization", lambda: (TEXTS,), vocabulary=vocabulary, on_host=True, differentiable=False)
    yield case("STFTSpectrogram", one((2, 64, 1)), frame_length=16, frame_step=8)
    yield case("MelSpectrogram", one((2, 64)), 16, 8, num_mel_bins=4, sampling_rate=100, min_freq=5.0)


def images() -> Iterator[Case]:
    """Resized, cropped and augmented images."""
    yield case("Resizing", image, 3, 4)
    yield case("CenterCrop", image, 3, 4)
    yield case("RandomCrop", image, 3, 4, seed=1, by_training=True)
    factors = {
        "RandomBrightness": {"factor": 0.2},
        "RandomColorDegeneration": {"factor": 0.5},
        "RandomColorJitter": {"brightness_factor": 0.2, "hue_factor": 0.2},
        "RandomContrast": {"factor": 0.5},
        "RandomElasticTransform": {},
        "RandomFlip": {},
        "RandomGaussianBlur": {},
        "RandomGrayscale": {},
        "RandomHue": {"factor": 0.3},
        "RandomInvert": {},
        "RandomPerspective": {},
        "RandomPosterization": {"factor": (2, 4)},
        "RandomRotation": {"factor": 0.2},
        "RandomSaturation": {"factor": 0.5},
        "RandomSharpness": {"factor": 0.5},
        "RandomShear": {"x_factor": 0.3},
        "RandomTranslation": {"height_factor": 0.2, "width_factor": 0.2},
        "RandomZoom": {"height_factor": 0.3},
        "Solarization": {"threshold_factor": 0.5},
    }
    for name, arguments in factors.items():
        yield case(name, image, seed=1, by_training=True, **arguments)
    yield case("AutoContrast", image)
    yield case("Equalization", image, differentiable=False)


CASES = [
    *convolutions(),
    *poolings(),
    *recurrences(),
    *attentions(),
    *dense_layers(),
    *merges(),
    *normalizations(),
    *regularizations(),
    *nonlinearities(),
    *shapes(),
    *preprocessing(),
    *images(),
]
