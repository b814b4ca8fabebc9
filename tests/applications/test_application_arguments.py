"""What goes into the networks and comes out of them: arguments, pictures, names of classes, downloads."""

import importlib
import json

import numpy as np
import pytest

import polykeras
from polykeras import applications, backends, config, ops
from polykeras.applications import downloads, imagenet_utils
from tests.applications.structure import CONSTRUCTORS, SMALLEST

#: Modules with the functions around a network.
FAMILIES = sorted(name for name in applications.__all__ if name[0].islower() and name != "imagenet_utils")


# --------------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("arguments", "received"),
    [
        ({"weights": "no/such/file.h5"}, "no such file"),
        ({"weights": "imagenet", "classes": 10}, "classes=10"),
        ({"weights": "imagenet", "classifier_activation": "relu"}, "'relu'"),
        ({"weights": "imagenet", "input_shape": (96, 96, 3)}, r"\(96, 96, 3\)"),
        ({"weights": "imagenet", "include_top": False, "input_shape": (96, 96, 1)}, r"\(96, 96, 1\)"),
        ({"input_shape": (31, 64, 3)}, r"\(31, 64, 3\)"),
        ({"input_shape": (64, 64)}, r"\(64, 64\)"),
        ({"input_shape": (None, None, 3)}, r"\(None, None, 3\)"),
        ({"pooling": "mean"}, "'mean'"),
        ({"input_tensor": np.zeros((1, 64, 64, 3))}, "ndarray"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, received):
    with pytest.raises(ValueError, match=f"ResNet50: Expected .* Received: .*{received}") as caught:
        applications.ResNet50(**{"weights": None, **arguments})
    assert len(str(caught.value)) < 600


def test_widths_without_trained_weights_are_refused():
    for function, arguments in (
        (applications.MobileNet, {"alpha": 0.3}),
        (applications.MobileNet, {"depth_multiplier": 2}),
        (applications.MobileNetV2, {"alpha": 0.3}),
        (applications.MobileNetV3Small, {"alpha": 0.5}),
        (applications.MobileNetV3Small, {"alpha": 0.75, "minimalistic": True}),
    ):
        with pytest.raises(ValueError, match=r"Expected .* Received: "):
            function(**arguments)


def test_a_symbolic_tensor_may_enter():
    x = polykeras.Input((40, 48, 1), name="gray")
    colored = polykeras.layers.Concatenate()([x, x, x])
    model = applications.MobileNet(weights=None, include_top=False, input_tensor=colored)
    assert model.input_shape == (None, 40, 48, 1)
    assert model.inputs[0] is x
    assert model.output_shape == (None, 1, 1, 1024)


def test_other_numbers_of_channels_warn():
    with pytest.warns(UserWarning, match="Received: 5"):
        applications.MobileNet(weights=None, include_top=False, input_shape=(32, 32, 5))


def test_unknown_arguments_are_named():
    with pytest.raises(TypeError, match="no_such"):
        applications.VGG16(no_such=1)


# ------------------------------------------------------------------- downloads


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No network, and a folder of its own for what comes from there; returns what was asked for."""
    asked = []

    def refuse(fname, origin, **arguments):
        asked.append((fname, origin, arguments["cache_subdir"], arguments["file_hash"]))
        raise OSError(f"Expected to download {origin!r}. Received: no answer.")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(downloads, "get_file", refuse)
    return asked


@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_without_network_the_message_says_which_file_belongs_where(offline, tmp_path, name):
    for include_top in (True, False):
        with pytest.raises(OSError, match=r"Expected .* Received: no answer\.") as caught:
            getattr(applications, name)(include_top=include_top)
        message = str(caught.value)
        fname, origin, folder, _ = offline[-1]
        assert fname in message and origin in message and str(tmp_path / folder) in message
        assert len(message) < 600
    assert len({fname for fname, *_ in offline}) == 2


@pytest.mark.parametrize("name", [name for name in SMALLEST if name != "NASNetMobile"])
def test_files_are_those_of_keras(offline, monkeypatch, real_keras, name):
    theirs = []

    class Asked(Exception):
        pass

    def record(fname, origin, cache_subdir="datasets", file_hash=None, **arguments):
        theirs.append((fname, origin, cache_subdir, file_hash))
        raise Asked

    monkeypatch.setattr(real_keras.src.utils.file_utils, "get_file", record)
    with pytest.raises(Asked), real_keras.device("meta"):
        getattr(real_keras.applications, name)(include_top=False)
    with pytest.raises(OSError):
        getattr(applications, name)(include_top=False)
    assert offline == theirs


@pytest.mark.parametrize("module", ["convnext", "efficientnet", "efficientnet_v2", "mobilenet_v3", "resnet"])
def test_hashes_are_those_of_keras(offline, real_keras, module):
    table = importlib.import_module(f"keras.src.applications.{module}").WEIGHTS_HASHES
    expected = {digest for key, pair in table.items() if not key.startswith("resnext") for digest in pair}
    options = [{}]
    if module == "mobilenet_v3":
        options = [{}, {"alpha": 0.75}, {"minimalistic": True}]
    modules = ("resnet", "resnet_v2") if module == "resnet" else (module,)
    for name in [n for n in CONSTRUCTORS if getattr(applications, n).__module__.rpartition(".")[2] in modules]:
        for include_top in (True, False):
            for arguments in options:
                with pytest.raises(OSError):
                    getattr(applications, name)(include_top=include_top, **arguments)
    assert {digest for *_, digest in offline} == expected


def test_weights_come_by_the_checked_download(monkeypatch, tmp_path):
    made = applications.MobileNetV2(weights=None, alpha=0.35, include_top=False, input_shape=(96, 96, 3))
    published = tmp_path / "published"
    published.mkdir()
    name = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_96_no_top.h5"
    made.save(published / name)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    original = downloads.get_file
    monkeypatch.setattr(
        downloads, "get_file", lambda name, url, **options: original(name, (published / name).as_uri(), **options)
    )
    loaded = applications.MobileNetV2(alpha=0.35, include_top=False, input_shape=(96, 96, 3))
    assert (tmp_path / "home" / "models" / name).exists()
    for ours, expected in zip(loaded.get_weights(), made.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, expected)


# -------------------------------------------------------------------- pictures


@pytest.mark.parametrize("module", FAMILIES)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_pictures_are_scaled_as_in_keras(real_keras, module, data_format):
    theirs = importlib.import_module(f"keras.applications.{module}").preprocess_input
    ours = importlib.import_module(f"polykeras.applications.{module}").preprocess_input
    shape = (2, 4, 5, 3) if data_format == "channels_last" else (2, 3, 4, 5)
    x = np.random.default_rng(0).uniform(0, 255, shape).astype("float32")
    for picture in (x, x[0], x.astype("uint8"), x.astype("float64")):
        expected = theirs(picture.copy(), data_format=data_format)
        result = ours(picture, data_format=data_format)
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)
        assert result.dtype == expected.dtype


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
def test_arrays_of_engines_and_symbolic_tensors_are_scaled_alike(backend, mode):
    x = np.random.default_rng(0).uniform(0, 255, (2, 4, 5, 3)).astype("float32")
    before = x.copy()
    expected = imagenet_utils.preprocess_input(x, mode=mode)
    np.testing.assert_array_equal(x, before)
    result = ops.convert_to_numpy(imagenet_utils.preprocess_input(ops.convert_to_tensor(x), mode=mode))
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)
    symbol = polykeras.Input((4, 5, 3))
    model = polykeras.Model(symbol, imagenet_utils.preprocess_input(symbol, mode=mode))
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-5, atol=1e-5)


def test_pictures_that_can_not_be_scaled_are_refused():
    with pytest.raises(ValueError, match="mode='other'"):
        imagenet_utils.preprocess_input(np.zeros((2, 2, 3)), mode="other")
    for shape in ((2, 2), (2, 2, 4), (1, 1, 2, 2, 3)):
        with pytest.raises(ValueError, match="Expected images of 3 channels"):
            imagenet_utils.preprocess_input(np.zeros(shape))
    with pytest.raises(ValueError, match="data_format"):
        imagenet_utils.preprocess_input(np.zeros((2, 2, 3)), data_format="middle")


# ------------------------------------------------------------ names of classes


@pytest.fixture
def class_names(monkeypatch, tmp_path):
    names = {str(index): [f"n{index:08}", f"thing_{index}"] for index in range(1000)}
    (tmp_path / "names.json").write_text(json.dumps(names))
    monkeypatch.setattr(downloads, "get_file", lambda *_, **__: str(tmp_path / "names.json"))


def test_the_likeliest_classes_are_named(backend, class_names):
    scores = np.zeros((2, 1000), "float32")
    scores[0, [3, 1, 7]] = 0.5, 0.3, 0.2
    scores[1, 999] = 1.0
    first, second = applications.resnet50.decode_predictions(ops.convert_to_tensor(scores), top=3)
    assert [name for _, name, _ in first] == ["thing_3", "thing_1", "thing_7"]
    assert second[0] == ("n00000999", "thing_999", 1.0)
    assert len(second) == 3


def test_other_predictions_have_no_names(class_names):
    for shape in ((1000,), (2, 10)):
        with pytest.raises(ValueError, match=r"Expected predictions of shape \(batch, 1000\).* Received shape: "):
            applications.vgg16.decode_predictions(np.zeros(shape))


def test_the_backend_of_a_network_is_that_in_use():
    with backends.use("numpy"):
        model = applications.MobileNetV2(weights=None, alpha=0.35, input_shape=(32, 32, 3))
    assert isinstance(model(np.zeros((1, 32, 32, 3), "float32")), np.ndarray)
    assert config.image_data_format() == "channels_last"
