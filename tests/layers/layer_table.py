"""One case for each public layer class: how to make a layer, and inputs to call it with."""

from __future__ import annotations

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
        make: function that returns a new layer, always of the same config but for its name. It takes
            ``layers``, another module to take classes from.
        inputs: function that returns the positional arguments of a call: a tuple of trees of NumPy arrays.
        on_host: computes on the host, outside of compiled steps, as all that reads strings must.
        by_training: what comes out in training depends on draws or statistics.
        differentiable: gradients flow from the outputs to the inputs.
    """

    name: str
    make: Callable[..., layers.Layer]
    inputs: Callable[[], tuple]
    on_host: bool = False
    by_training: bool = False
    differentiable: bool = True


#: Classes that are not called, bases to derive from and the place where data enters, and the bridges to one engine.
NOT_CALLED = {"AbstractRNNCell", "ConvRecurrent2D", "InputLayer", "Layer", "Recurrent", "Wrapper"}
BRIDGES = {"FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"}

VECTORS, SEQUENCES, IMAGES, VOLUMES = (2, 4), (2, 5, 4), (2, 6, 5, 4), (2, 4, 5, 4, 4)
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
    """Inputs: images of values from 0 to 1."""
    return (np.random.default_rng(0).uniform(0, 1, shape).astype("float32"),)


def case(name: str, inputs: Callable[[], tuple], *args: Any, **arguments: Any) -> Case:
    """Return a case; arguments of this name that ``Case`` has go there, others to the layer."""
    flags = {key: arguments.pop(key) for key in ("on_host", "by_training", "differentiable") if key in arguments}

    def make(layers: Any = layers) -> Any:
        return getattr(layers, name)(*args, **arguments)

    return Case(name, make, inputs, **flags)


def around(name: str, inner: Callable, inputs: Callable[[], tuple], **arguments: Any) -> Case:
    """Return a case of a layer around what ``inner(layers)`` makes."""
    return Case(name, lambda layers=layers: getattr(layers, name)(inner(layers), **arguments), inputs)


def dense(layers: Any) -> Any:
    """Return the layer that others wrap."""
    return layers.Dense(3)


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
        yield case(f"{name}Cell", step(VECTORS, *[(2, 3)] * states), 3)
    yield case("CuDNNGRU", one(SEQUENCES), 3)
    yield case("CuDNNLSTM", one(SEQUENCES), 3)
    for rank, shape, size in ((1, (2, 3, 4, 2), 3), (2, (2, 3, 4, 5, 2), 2), (3, (2, 2, 3, 4, 3, 2), 2)):
        yield case(f"ConvLSTM{rank}D", one(shape), 2, size)
        spatial = (shape[0], *shape[2:-1], 2)
        yield case(f"ConvLSTM{rank}DCell", step((*spatial[:-1], 3), spatial, spatial), 2, size, padding="same")
    yield around("RNN", lambda layers: layers.GRUCell(3), one(SEQUENCES), return_sequences=True)
    yield around("ConvRNN2D", lambda layers: layers.ConvLSTM2DCell(2, 2), one((2, 3, 4, 5, 2)))
    cells = lambda layers: [layers.GRUCell(3), layers.LSTMCell(2)]  # noqa: E731
    stacked = lambda: (normal(VECTORS)[0], [normal((2, 3))[0], normal((2, 2), (2, 2))])  # noqa: E731
    yield around("StackedRNNCells", cells, stacked)
    gru = lambda layers: layers.GRU(3, return_sequences=True)  # noqa: E731
    yield around("Bidirectional", gru, one(SEQUENCES))
    yield around("TimeDistributed", dense, one(SEQUENCES))


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
    yield case("Embedding", lambda: (IDS,), 5, 3, mask_zero=True, differentiable=False)
    yield case("ReversibleEmbedding", lambda: (IDS,), 5, 3, differentiable=False)


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
    yield around("SpectralNormalization", dense, one(VECTORS))
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
    texts = {"vocabulary": vocabulary, "output_sequence_length": 4, "on_host": True, "differentiable": False}
    yield case("TextVectorization", lambda: (TEXTS,), **texts)
    yield case("STFTSpectrogram", one((2, 64, 1)), frame_length=16, frame_step=8)
    yield case(
        "MelSpectrogram", one((2, 64)), 16, 8, num_mel_bins=4, sampling_rate=100, min_freq=5.0, power_to_db=False
    )


def images() -> Iterator[Case]:
    """Resized, cropped and augmented images."""
    yield case("Resizing", image, 3, 4)
    yield case("CenterCrop", image, 3, 4)
    yield case("RandomCrop", image, 3, 4, seed=1, by_training=True)
    unit = {"value_range": (0, 1)}
    factors = {
        "RandomBrightness": {"factor": 0.2, **unit},
        "RandomColorDegeneration": {"factor": 0.5, **unit},
        "RandomColorJitter": {"brightness_factor": 0.2, "hue_factor": 0.2, **unit},
        "RandomContrast": {"factor": 0.5, **unit},
        "RandomElasticTransform": {**unit},
        "RandomFlip": {},
        "RandomGaussianBlur": {**unit},
        "RandomGrayscale": {},
        "RandomHue": {"factor": 0.3, **unit},
        "RandomInvert": {**unit},
        "RandomPerspective": {},
        "RandomPosterization": {"factor": (2, 4), "differentiable": False, **unit},
        "RandomRotation": {"factor": 0.2},
        "RandomSaturation": {"factor": 0.5, **unit},
        "RandomSharpness": {"factor": 0.5, **unit},
        "RandomShear": {"x_factor": 0.3},
        "RandomTranslation": {"height_factor": 0.2, "width_factor": 0.2},
        "RandomZoom": {"height_factor": 0.3},
        "Solarization": {"threshold_factor": 0.5, **unit},
    }
    for name, arguments in factors.items():
        yield case(name, image, seed=1, by_training=True, **arguments)
    yield case("AutoContrast", image, **unit)
    yield case("Equalization", image, **unit, differentiable=False)
    tiles = {"tile_grid_size": (2, 2), "differentiable": False}
    yield case("ContrastLimitedAdaptiveHistogramEqualization", image, **unit, **tiles)


def mixtures() -> Iterator[Case]:
    """Images mixed with others, partly wiped out, or changed by several layers."""
    unit = {"value_range": (0, 1), "seed": 1, "by_training": True}
    yield case("CutMix", image, seed=1, by_training=True)
    yield case("MixUp", image, seed=1, by_training=True)
    yield case("RandomErasing", image, (1.0, 1.0), (0.25, 0.25), **unit)
    yield case("RandAugment", image, num_ops=1, factor=0.2, **unit)
    yield case("AugMix", image, num_chains=1, chain_depth=1, factor=0.2, **unit)
    yield case("MaxNumBoundingBoxes", image, 2)
    flips = lambda layers: [layers.RandomFlip(seed=1), layers.RandomBrightness(0.2, (0, 1), seed=2)]  # noqa: E731
    yield around("Pipeline", flips, image)


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
    *mixtures(),
]
