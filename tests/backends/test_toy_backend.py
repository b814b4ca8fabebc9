"""The whole adapter that the guide shows is a backend like the others."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends
from polykeras.backends.contract import interface
from polykeras.testing import conformance

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "toy_backend.py"

pytestmark = pytest.mark.skipif(not backends.is_installed("jax"), reason="jax is not installed")


@pytest.fixture(scope="module")
def toy():
    spec = importlib.util.spec_from_file_location("toy_backend", GUIDE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    backends.register("toy", module.ToyBackend)
    yield backends.load("toy")
    backends._third_party.pop("toy")
    backends._loaded.pop("toy")


@pytest.fixture(autouse=True)
def types_that_the_guide_switches_on():
    sys.modules["jax"].config.update("jax_enable_x64", True)


def subject(name):
    """The method that a check calls: "value of pad: one axis" is one of pad."""
    kind, _, method = name.partition(":")[0].partition(" of ")
    return method if kind in ("value", "gradient", "composite gradient") else None


def test_it_has_every_primitive_in_150_lines(toy):
    assert set(interface.primitives()) <= set(vars(type(toy)))
    assert sum(bool(line.strip()) for line in GUIDE.read_text().splitlines()) <= 150


def test_what_it_writes_out_keeps_the_contract(toy):
    # Names of the engine's functions, and kernels, which are not written here, would take minutes.
    written = {name for name, method in vars(type(toy)).items() if "ToyBackend" in getattr(method, "__qualname__", "")}
    chosen = [(name, check) for name, check in conformance.cases(toy) if subject(name) in written | {None}]
    assert len(chosen) > 500
    conformance.run_checks(chosen, "toy")


def test_models_train_on_it_as_on_the_engine_that_it_is(toy):
    x = np.random.default_rng(0).normal(size=(32, 8, 8, 3)).astype("float32")
    y = np.arange(32) % 4

    def curve(backend):
        with backends.use(backend):
            keras.utils.set_random_seed(1)
            layers = [keras.layers.Conv2D(4, 3, activation="relu"), keras.layers.MaxPooling2D(), keras.layers.Flatten()]
            model = keras.Sequential(
                [keras.Input((8, 8, 3)), *layers, keras.layers.Dropout(0.2), keras.layers.Dense(4)]
            )
            model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
            return model.fit(x, y, epochs=3, verbose=0).history["loss"]

    np.testing.assert_allclose(curve(toy.name), curve("jax"), rtol=1e-6)
