"""With the weights in a file of Keras's, the networks compute what Keras's compute."""

import importlib

import numpy as np
import pytest

import polykeras
from benchmarks.applications import difference, of_keras, of_polykeras, pictures, randomize, write_as_keras_2
from polykeras import backends
from tests.applications.structure import SMALLEST

ENGINES = [name for name in ("numpy", "torch") if name in backends.available()]


@pytest.mark.parametrize("name", SMALLEST)
def test_outputs_are_those_of_keras_with_its_weights(real_keras, tmp_path, name):
    size = SMALLEST[name]
    arguments = {"include_top": False, "input_shape": (size, size, 3), "pooling": "avg"}
    real_keras.utils.set_random_seed(0)
    theirs = of_keras(real_keras, name, **arguments)
    randomize(theirs)
    path = tmp_path / "weights.h5"
    write_as_keras_2(theirs, path)
    expected = theirs.predict(pictures(size), verbose=0)
    for engine in ENGINES:
        with backends.use(engine):
            ours = of_polykeras(name, weights=path, **arguments)
            assert difference(ours.predict(pictures(size), verbose=0), expected) < 1e-5, engine


def test_weights_load_by_name_and_from_files_of_keras_3(real_keras, tmp_path):
    theirs = of_keras(real_keras, "MobileNetV2", input_shape=(32, 32, 3), alpha=0.35, classes=10)
    randomize(theirs)
    expected = theirs.predict(pictures(32), verbose=0)
    theirs.save_weights(tmp_path / "new.weights.h5")
    write_as_keras_2(theirs, tmp_path / "old.h5")
    ours = of_polykeras("MobileNetV2", input_shape=(32, 32, 3), alpha=0.35, classes=10)
    for path, by_name in (("new.weights.h5", False), ("old.h5", False), ("old.h5", True)):
        ours.set_weights([np.zeros_like(weight) for weight in ours.get_weights()])
        ours.load_weights(tmp_path / path, by_name=by_name)
        assert difference(ours.predict(pictures(32), verbose=0), expected) < 1e-5


SOURCES = {"keras": ".src.applications", "polykeras": ".applications"}


@pytest.mark.parametrize("name", ["LayerScale", "CustomScaleLayer"])
def test_layers_that_no_other_network_has_are_exchanged_with_keras(real_keras, tmp_path, name):
    module = "convnext" if name == "LayerScale" else "inception_resnet_v2"
    for source, target in ((real_keras, polykeras), (polykeras, real_keras)):
        layer = getattr(importlib.import_module(f"{source.__name__}{SOURCES[source.__name__]}.{module}"), name)
        x = source.Input((3,))
        outputs = layer(0.5, 3)(x) if name == "LayerScale" else layer(0.5)([x, x])
        source.Model(x, outputs).save(tmp_path / "model.keras")
        loaded = target.models.load_model(tmp_path / "model.keras")
        factor = 0.5 if name == "LayerScale" else 1.5
        np.testing.assert_allclose(loaded.predict(np.ones((1, 3)), verbose=0), np.full((1, 3), factor))


@pytest.mark.parametrize("name", ["DenseNet121", "MobileNetV3Small", "NASNetMobile"])
def test_the_order_of_the_axes_changes_no_output(name):
    """Of these, Keras can't be asked, or computes them by arithmetic outside of layers."""
    arguments = {"include_top": False, "input_shape": (48, 48, 3)}
    last = of_polykeras(name, **arguments)
    randomize(last)
    x = pictures(48)
    polykeras.config.set_image_data_format("channels_first")
    try:
        first = of_polykeras(name, **{**arguments, "input_shape": (3, 48, 48)})
    finally:
        polykeras.config.set_image_data_format("channels_last")
    first.set_weights(last.get_weights())
    expected = last.predict(x, verbose=0)
    outputs = first.predict(x.transpose(0, 3, 1, 2), verbose=0).transpose(0, 2, 3, 1)
    assert difference(outputs, expected) < 1e-5


@pytest.mark.parametrize("engine", ENGINES)
def test_a_network_trains(engine):
    with backends.use(engine):
        losses = losses_of_training()
    assert losses[-1] < losses[0]


def losses_of_training():
    polykeras.utils.set_random_seed(0)
    model = of_polykeras("MobileNetV2", alpha=0.35, input_shape=(32, 32, 3), classes=2, classifier_activation=None)
    x = np.random.default_rng(0).normal(size=(8, 32, 32, 3)).astype("float32")
    y = np.arange(8) % 2
    loss = polykeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(polykeras.optimizers.Adam(1e-3), loss)
    return model.fit(x, y, epochs=4, batch_size=8, verbose=0).history["loss"]
