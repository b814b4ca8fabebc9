"""The networks have the layers, connections, weights and signatures of Keras's."""

import importlib
import inspect

import pytest

import polykeras
from benchmarks.applications import of_keras, of_polykeras
from polykeras import config
from tests.applications.structure import CONSTRUCTORS, SMALLEST, described

MODULES = [name for name in polykeras.applications.__all__ if name[0].islower()]

#: Arguments beside the defaults, which are compared for all.
OPTIONS = {
    "ConvNeXtTiny": {"include_preprocessing": False, "classes": 7, "name": "other"},
    "EfficientNetV2B0": {"include_preprocessing": False, "classes": 7},
    "MobileNet": {"alpha": 0.5, "depth_multiplier": 2, "classes": 7},
    "MobileNetV2": {"alpha": 1.4, "classes": 7},
    "MobileNetV3Small": {"alpha": 0.75, "minimalistic": True, "include_preprocessing": False, "dropout_rate": 0.0},
}


@pytest.fixture
def channels_first(real_keras):
    for library in (config, real_keras.config):
        library.set_image_data_format("channels_first")
    yield
    for library in (config, real_keras.config):
        library.set_image_data_format("channels_last")


def assert_alike(keras, constructor, **arguments):
    with keras.device("meta"):  # weights without values: Keras builds the network quickly
        theirs = of_keras(keras, constructor, **arguments)
    ours = of_polykeras(constructor, **arguments)
    assert described(ours) == described(theirs)
    assert ours.count_params() == theirs.count_params()
    assert ours.name == theirs.name
    assert [layer.name for layer in ours.layers if not layer.trainable_weights] == [
        layer.name for layer in theirs.layers if not layer.trainable_weights
    ]


def test_there_are_all_constructors_of_keras(real_keras):
    expected = {name for name in dir(real_keras.applications) if name[0].isupper()}
    assert set(CONSTRUCTORS) == expected
    assert len(CONSTRUCTORS) == 40


@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_names_and_defaults_of_arguments_are_those_of_keras(real_keras, name):
    ours = inspect.signature(getattr(polykeras.applications, name)).parameters.values()
    theirs = inspect.signature(getattr(real_keras.applications, name)).parameters.values()
    assert [(p.name, p.default) for p in ours] == [(p.name, p.default) for p in theirs]


@pytest.mark.parametrize("module", MODULES)
def test_modules_have_the_names_of_keras(real_keras, module):
    theirs = importlib.import_module(f"keras.applications.{module}")
    ours = importlib.import_module(f"polykeras.applications.{module}")
    assert {name for name in vars(theirs) if not name.startswith("_")} <= set(dir(ours))


@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_help_explains_every_argument(name):
    function = getattr(polykeras.applications, name)
    text = inspect.getdoc(function)
    for argument in inspect.signature(function).parameters:
        assert f"    {argument}: " in text
    assert "Source: " in text and "Raises:" in text and ">>> " in text


@pytest.mark.parametrize("name", SMALLEST)
def test_layers_and_weights_are_those_of_keras(real_keras, name):
    assert_alike(real_keras, name)


@pytest.mark.parametrize("name", SMALLEST)
def test_networks_without_a_top_are_those_of_keras(real_keras, name):
    # Of unknown size, Keras lays NASNet's cells of two sizes together, which no picture passes.
    shape = {"input_shape": (96, 96, 3)} if name.startswith("NASNet") else {}
    assert_alike(real_keras, name, include_top=False, pooling="max" if len(name) % 2 else "avg", **shape)


@pytest.mark.parametrize("name", OPTIONS)
def test_options_of_a_family_do_what_they_do_in_keras(real_keras, name):
    assert_alike(real_keras, name, **OPTIONS[name])


# Keras refuses them for the others.
@pytest.mark.parametrize("name", [n for n in SMALLEST if n not in ("ConvNeXtTiny", "DenseNet121", "NASNetMobile")])
def test_channels_may_come_first(real_keras, channels_first, name):
    assert_alike(real_keras, name, include_top=False, input_shape=(3, 96, 128))


def test_building_loads_no_framework():
    import subprocess
    import sys
    from pathlib import Path

    code = """
import sys, polykeras as keras
keras.applications.ConvNeXtTiny(weights=None).summary(print_fn=lambda line: None)
keras.applications.MobileNetV3Small(weights=None)
print([name for name in ("tensorflow", "torch", "jax", "autograd") if name in sys.modules])
"""
    root = Path(__file__).parents[2]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(root), "KERAS_VERBOSE": "0"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("constructor", SMALLEST)
def test_programs_for_keras_2_get_the_same_networks(constructor):
    def kinds_and_shapes():
        return [(kind, weights, output) for _, kind, _, weights, output in described(of_polykeras(constructor))]

    expected = kinds_and_shapes()
    config.set_era("keras2")  # there Conv2D(8, 3, 3) has a window of 3 by 3, and no strides
    try:
        assert kinds_and_shapes() == expected
    finally:
        config.set_era("keras3")
